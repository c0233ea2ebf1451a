//! Configuration that is read through: kept for a second, in bounded number.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// How long configuration is used before it is read again.
const FRESH: Duration = Duration::from_secs(1);
/// Entries of one kind that are kept at the most.
const KEPT: usize = 50_000;

/// Values that are read again when they are older than [`FRESH`].
pub(super) struct Cache<K, V> {
    entries: RwLock<HashMap<K, (Instant, Arc<V>)>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Cache {
            entries: RwLock::default(),
            hits: AtomicU64::default(),
            misses: AtomicU64::default(),
        }
    }
}

impl<K: Eq + Hash, V> Cache<K, V> {
    pub(super) fn get<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: std::borrow::Borrow<Q>,
    {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let found = entries
            .get(key)
            .filter(|(read_at, _)| read_at.elapsed() < FRESH)
            .map(|(_, value)| value.clone());
        let count = if found.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    pub(super) fn asked(&self, name: &'static str) -> (&'static str, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (name, read(&self.hits), read(&self.misses))
    }

    pub(super) fn put(&self, key: K, value: Arc<V>) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= KEPT {
            entries.retain(|_, (read_at, _)| read_at.elapsed() < FRESH);
        }
        entries.insert(key, (Instant::now(), value));
    }

    pub(super) fn clear(&self) {
        self.entries
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
