//! One at a time per name: for what two requests of one browser must not do at once, such as spending one upstream code
//! after a double click. A convenience of this node only; what must hold everywhere is the database's to say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// All gates that somebody stands at.
#[derive(Clone, Debug, Default)]
pub struct Gates(Arc<Mutex<HashMap<String, Gate>>>);

type Gate = Arc<tokio::sync::Mutex<()>>;

/// Having passed a gate; the next one passes when this is dropped.
#[derive(Debug)]
pub struct Passed {
    /// Somebody else was inside, so that what was to be done may be done already.
    pub waited: bool,
    name: String,
    gates: Gates,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Gates {
    /// Waits until nobody else is behind the gate of that name.
    pub async fn pass(&self, name: &str) -> Passed {
        let gate = self.locked().entry(name.to_owned()).or_default().clone();
        let (waited, guard) = match gate.clone().try_lock_owned() {
            Ok(guard) => (false, guard),
            Err(_) => (true, gate.lock_owned().await),
        };
        Passed {
            waited,
            name: name.to_owned(),
            gates: self.clone(),
            guard: Some(guard),
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Gate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        let mut gates = self.gates.locked();
        self.guard = None;
        // Whoever waits holds the gate, too; the last one takes it down.
        if gates
            .get(&self.name)
            .is_some_and(|gate| Arc::strong_count(gate) == 1)
        {
            gates.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn one_passes_at_a_time_and_gates_without_people_are_gone() {
        let gates = Gates::default();
        let first = gates.pass("a").await;
        assert!(!first.waited);
        assert!(!gates.pass("b").await.waited, "another gate is not concerned");
        let waiting = tokio::spawn({
            let gates = gates.clone();
            async move { gates.pass("a").await.waited }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        assert!(waiting.await.unwrap());
        assert!(gates.locked().is_empty());
        assert!(!gates.pass("a").await.waited);
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_leaves_nothing_behind() {
        let gates = Gates::default();
        let first = gates.pass("a").await;
        let waiting = tokio::spawn({
            let gates = gates.clone();
            async move { drop(gates.pass("a").await) }
        });
        tokio::task::yield_now().await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        drop(first);
        assert!(gates.locked().is_empty());
    }
}
