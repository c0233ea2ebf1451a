//! Configuration that is read through and kept for a second. Where changes are told of (`jobs::changes`) it is forgotten
//! before; the second is the bound where they cannot be heard.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::world::Clock;

/// How long configuration is used before it is read again.
const FRESH: Duration = Duration::from_secs(1);
/// Entries of one kind at which those that are not fresh any more are first dropped.
const FEW: usize = 256;

/// Values that are read again when they are older than [`FRESH`].
pub(super) struct Cache<K, V> {
    clock: Clock,
    entries: RwLock<Entries<K, V>>,
    /// No more are kept, however many are fresh.
    most: usize,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct Entries<K, V> {
    known: HashMap<K, (Duration, Arc<V>)>,
    /// At this number the stale ones are dropped: so seldom that it costs nothing, so often that as many are kept as were
    /// fresh at a time.
    sweep_at: usize,
}

impl<K, V> Default for Entries<K, V> {
    fn default() -> Self {
        Entries {
            known: HashMap::new(),
            sweep_at: FEW,
        }
    }
}

impl<K: Eq + Hash, V> Cache<K, V> {
    pub(super) fn new(clock: &Clock) -> Cache<K, V> {
        Cache {
            clock: clock.clone(),
            entries: RwLock::default(),
            most: usize::MAX,
            hits: AtomicU64::default(),
            misses: AtomicU64::default(),
        }
    }

    /// For keys that whoever asks makes up, and values that are large.
    pub(super) fn of_few(clock: &Clock) -> Cache<K, V> {
        Cache {
            most: FEW,
            ..Cache::new(clock)
        }
    }

    pub(super) fn get<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: std::borrow::Borrow<Q>,
    {
        let now = self.clock.passed();
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let found = entries
            .known
            .get(key)
            .filter(|(read_at, _)| is_fresh(*read_at, now))
            .map(|(_, value)| value.clone());
        let count = if found.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// What was last read, however long ago: for when it cannot be read again.
    pub(super) fn last(&self, key: &K) -> Option<Arc<V>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.known.get(key).map(|(_, value)| value.clone())
    }

    pub(super) fn asked(&self, name: &'static str) -> (&'static str, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (name, read(&self.hits), read(&self.misses))
    }

    pub(super) fn put(&self, key: K, value: Arc<V>) {
        let now = self.clock.passed();
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.known.len() >= entries.sweep_at {
            entries.known.retain(|_, (read_at, _)| is_fresh(*read_at, now));
            entries.known.shrink_to(FEW);
            entries.sweep_at = FEW.max(2 * entries.known.len()).min(self.most);
            if entries.known.len() >= self.most {
                return;
            }
        }
        entries.known.insert(key, (now, value));
    }

    pub(super) fn clear(&self) {
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = Entries::default();
    }
}

fn is_fresh(read_at: Duration, now: Duration) -> bool {
    now.saturating_sub(read_at) < FRESH
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::world::UnixTime;

    #[test]
    fn as_many_are_kept_as_are_fresh_at_a_time() {
        let (clock, hand) = Clock::frozen(UnixTime(0));
        let cache = Cache::new(&clock);
        for n in 0..10 * FEW {
            cache.put(n, Arc::new(n));
            hand.advance(1);
            assert!(cache.entries.read().unwrap().known.len() <= FEW);
        }
        for n in 0..10 * FEW {
            cache.put(n, Arc::new(n));
        }
        assert!((0..10 * FEW).all(|n| cache.get(&n).is_some()));
        let few = Cache::of_few(&clock);
        for n in 0..10 * FEW {
            few.put(n, Arc::new(n));
        }
        assert_eq!(few.entries.read().unwrap().known.len(), FEW);
        assert!(few.get(&0).is_some() && few.get(&(FEW + 1)).is_none());
    }
}
