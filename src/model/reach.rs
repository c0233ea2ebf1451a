//! Reach: which objects an administrator may touch. It is part of every query that looks an object up for them, so that
//! what is outside is not found rather than found and hidden.

/// Pools with all that is in them, and tenants with their connections, users and traces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Everything there is; the lists do not matter then.
    pub everything: bool,
    /// Ids of user pools.
    pub pools: Vec<String>,
    /// Ids of tenants.
    pub tenants: Vec<String>,
}

impl Reach {
    /// What the command line, jobs and operators have.
    pub fn everything() -> Reach {
        Reach {
            everything: true,
            ..Reach::default()
        }
    }

    pub fn is_nothing(&self) -> bool {
        !self.everything && self.pools.is_empty() && self.tenants.is_empty()
    }

    /// The pool as a whole.
    pub fn has_pool(&self, user_pool_id: &str) -> bool {
        self.everything || self.pools.iter().any(|id| id == user_pool_id)
    }
}
