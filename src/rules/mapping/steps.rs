//! What trying rules may cost. Expressions and patterns are somebody's text, run inside other people's sign-ins and for
//! everybody who types in the editor: all of a sign-in's rules share one allowance, and so do all the sign-ins that one
//! request tries rules on.

/// A step is a node of an expression, or 32 bytes that are copied or looked through.
const SIGN_IN: usize = 300_000;

/// What the rules of one sign-in may still spend.
#[derive(Debug)]
pub struct Steps {
    left: usize,
}

impl Default for Steps {
    fn default() -> Self {
        Steps { left: SIGN_IN }
    }
}

impl Steps {
    pub fn left(&self) -> usize {
        self.left
    }

    pub fn spent(&self) -> usize {
        SIGN_IN - self.left
    }

    /// False when there is not so much left; then nothing is left.
    pub fn take(&mut self, steps: usize) -> bool {
        let enough = self.left >= steps;
        self.left = self.left.saturating_sub(steps);
        enough
    }
}

/// What one request may still spend on the sign-ins of the past.
#[derive(Debug)]
pub struct Work {
    left: usize,
}

impl Work {
    /// While somebody types: some tenths of a second at the most.
    pub fn of_a_look() -> Work {
        Work { left: 10_000_000 }
    }

    /// When somebody asked for it and waits: a second or two at the most.
    pub fn of_a_replay() -> Work {
        Work { left: 40_000_000 }
    }

    /// Pays for a sign-in that was tried. The last one may cost more than was left.
    pub fn pay(&mut self, steps: usize) {
        self.left = self.left.saturating_sub(steps);
    }

    pub fn is_used_up(&self) -> bool {
        self.left == 0
    }
}
