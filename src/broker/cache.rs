//! Configuration that is read through and kept for a second. Where changes are told of (`jobs::changes`) it is forgotten
//! before; the second is the bound where they cannot be heard.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::gates::{Gates, Passed};
use crate::world::Clock;

/// How long configuration is used at the most before it is read again.
const FRESH: Duration = Duration::from_secs(1);
/// From this age on one of those who ask reads it again, and the others go on with what is there: else all that are under way
/// would find it stale at once, and wait for reading the same.
const RENEWED: Duration = Duration::from_millis(750);
/// How long one who finds nothing waits for another who is reading it already. Beyond that the database is in trouble, and each
/// finds out for itself rather than one after the other.
const PATIENCE: Duration = Duration::from_millis(100);
/// Entries of one kind at which those that are not fresh any more are first dropped.
const FEW: usize = 256;

/// Values that are read again when they are older than [`FRESH`], by one request at a time each.
pub(super) struct Cache<V> {
    clock: Clock,
    entries: RwLock<Entries<V>>,
    /// Who is reading something.
    reading: Gates,
    /// No more are kept, however many are fresh.
    most: usize,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct Entries<V> {
    known: HashMap<String, Entry<V>>,
    /// At this number the stale ones are dropped: so seldom that it costs nothing, so often that as many are kept as were
    /// fresh at a time.
    sweep_at: usize,
    /// How often everything was forgotten, so that a value read before is not kept after.
    generation: u64,
}

struct Entry<V> {
    read_at: Duration,
    value: Arc<V>,
    /// Somebody is reading it again.
    is_renewed: AtomicBool,
}

impl<V> Entry<V> {
    fn is_younger(&self, than: Duration, now: Duration) -> bool {
        now.saturating_sub(self.read_at) < than
    }

    /// Whether to use it, rather than to read it again.
    fn is_to_be_used(&self, now: Duration) -> bool {
        self.is_younger(RENEWED, now)
            || (self.is_younger(FRESH, now) && self.is_renewed.swap(true, Ordering::Relaxed))
    }
}

/// What was not there is to be read by whoever has this.
pub(super) struct Reading<'a, V> {
    cache: &'a Cache<V>,
    key: &'a str,
    generation: u64,
    _turn: Option<Passed>,
}

impl<V> Reading<'_, V> {
    /// Keeps what was read, unless everything was forgotten since.
    pub(super) fn keep(self, value: V) -> Arc<V> {
        let value = Arc::new(value);
        self.cache.put(self.key, value.clone(), self.generation);
        value
    }
}

impl<V> Cache<V> {
    pub(super) fn new(clock: &Clock) -> Cache<V> {
        Cache {
            clock: clock.clone(),
            entries: RwLock::new(Entries {
                known: HashMap::new(),
                sweep_at: FEW,
                generation: 0,
            }),
            reading: Gates::default(),
            most: usize::MAX,
            hits: AtomicU64::default(),
            misses: AtomicU64::default(),
        }
    }

    /// For keys that whoever asks makes up, and values that are large.
    pub(super) fn of_few(clock: &Clock) -> Cache<V> {
        Cache {
            most: FEW,
            ..Cache::new(clock)
        }
    }

    /// What is there, or the task to read it.
    pub(super) async fn look<'a>(&'a self, key: &'a str) -> Result<Arc<V>, Reading<'a, V>> {
        let mut found = self.fresh(key);
        let mut turn = None;
        if found.is_none() {
            turn = tokio::time::timeout(PATIENCE, self.reading.pass(key)).await.ok();
            if turn.as_ref().is_none_or(|turn| turn.waited) {
                found = self.fresh(key);
            }
        }
        let count = if found.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found.ok_or_else(|| Reading {
            cache: self,
            key,
            generation: self.read().generation,
            _turn: turn,
        })
    }

    fn fresh(&self, key: &str) -> Option<Arc<V>> {
        let now = self.clock.passed();
        let entries = self.read();
        let entry = entries.known.get(key)?;
        entry.is_to_be_used(now).then(|| entry.value.clone())
    }

    /// What was last read, however long ago: for when it cannot be read again.
    pub(super) fn last(&self, key: &str) -> Option<Arc<V>> {
        let entries = self.read();
        entries.known.get(key).map(|entry| entry.value.clone())
    }

    pub(super) fn asked(&self, name: &'static str) -> (&'static str, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (name, read(&self.hits), read(&self.misses))
    }

    fn put(&self, key: &str, value: Arc<V>, generation: u64) {
        let now = self.clock.passed();
        let mut entries = self.write();
        if entries.generation != generation {
            return;
        }
        if entries.known.len() >= entries.sweep_at {
            entries.known.retain(|_, entry| entry.is_younger(FRESH, now));
            entries.known.shrink_to(FEW);
            entries.sweep_at = FEW.max(2 * entries.known.len()).min(self.most);
            if entries.known.len() >= self.most {
                return;
            }
        }
        let entry = Entry {
            read_at: now,
            value,
            is_renewed: AtomicBool::new(false),
        };
        entries.known.insert(key.to_owned(), entry);
    }

    pub(super) fn clear(&self) {
        let mut entries = self.write();
        entries.known = HashMap::new();
        entries.sweep_at = FEW;
        entries.generation += 1;
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries<V>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries<V>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::world::UnixTime;

    #[test]
    fn one_alone_reads_again_what_grows_old() {
        let entry = Entry {
            read_at: Duration::from_secs(10),
            value: Arc::new(()),
            is_renewed: AtomicBool::new(false),
        };
        let at = |milliseconds| entry.is_to_be_used(Duration::from_millis(milliseconds));
        assert!(at(10_000) && at(10_749));
        assert!(!at(10_750), "somebody reads it again");
        assert!(at(10_751) && at(10_999), "the others go on with it");
        assert!(!at(11_000) && !at(11_001), "nobody takes what is stale");
    }

    #[tokio::test]
    async fn of_many_who_find_nothing_one_reads_and_the_others_find_what_it_read() {
        let (clock, _) = Clock::frozen(UnixTime(0));
        let cache = Arc::new(Cache::new(&clock));
        let Err(reading) = cache.look("a").await else {
            panic!("there is nothing yet");
        };
        let waiting = (0..8).map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.look("a").await.ok() })
        });
        let waiting: Vec<_> = waiting.collect();
        tokio::task::yield_now().await;
        assert!(cache.look("b").await.is_err(), "another key waits for nobody");
        reading.keep(1);
        for one in waiting {
            assert_eq!(one.await.unwrap().as_deref(), Some(&1));
        }
        assert_eq!(cache.asked(""), ("", 8, 2));
    }

    #[tokio::test]
    async fn nobody_waits_long_for_one_who_does_not_come_back() {
        let (clock, _) = Clock::frozen(UnixTime(0));
        let cache = Cache::<()>::new(&clock);
        let reading = cache.look("a").await;
        let begun = std::time::Instant::now();
        assert!(cache.look("a").await.is_err());
        assert!(begun.elapsed() >= PATIENCE);
        drop(reading);
    }

    #[tokio::test]
    async fn what_was_read_before_everything_was_forgotten_is_not_kept() {
        let (clock, _) = Clock::frozen(UnixTime(0));
        let cache = Cache::new(&clock);
        let Err(reading) = cache.look("a").await else {
            panic!("there is nothing yet");
        };
        cache.clear();
        assert_eq!(*reading.keep(1), 1);
        assert!(cache.last("a").is_none());
    }

    #[test]
    fn as_many_are_kept_as_are_fresh_at_a_time() {
        let (clock, hand) = Clock::frozen(UnixTime(0));
        let cache = Cache::new(&clock);
        for n in 0..10 * FEW {
            cache.put(&n.to_string(), Arc::new(n), 0);
            hand.advance(1);
            assert!(cache.entries.read().unwrap().known.len() <= FEW);
        }
        for n in 0..10 * FEW {
            cache.put(&n.to_string(), Arc::new(n), 0);
        }
        assert!((0..10 * FEW).all(|n| cache.fresh(&n.to_string()).is_some()));
        let few = Cache::of_few(&clock);
        for n in 0..10 * FEW {
            few.put(&n.to_string(), Arc::new(n), 0);
        }
        assert_eq!(few.entries.read().unwrap().known.len(), FEW);
        assert!(few.fresh("0").is_some() && few.fresh(&(FEW + 1).to_string()).is_none());
    }
}
