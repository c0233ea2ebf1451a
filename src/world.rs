//! What comes from outside the program: the time of day and randomness.
//!
//! Both are plain values that `Broker` holds and hands on, so that a test can freeze the one and seed the
//! other and then compare whole responses. Nothing else in the crate asks the operating system for either.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Seconds since 1970-01-01T00:00:00Z: the form time has in both databases, in JWTs and in Cognito's JSON.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    diesel::deserialize::FromSqlRow,
    diesel::expression::AsExpression,
)]
#[serde(transparent)]
#[diesel(sql_type = diesel::sql_types::BigInt)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// This moment moved by `seconds`, which may be negative; saturates instead of wrapping.
    pub fn plus(self, seconds: i64) -> UnixTime {
        UnixTime(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this moment; negative when `earlier` is the later one.
    pub fn since(self, earlier: UnixTime) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The first moment of a day in UTC, written `2027-01-31` as people and date fields write it.
    pub fn of_day(text: &str) -> Option<UnixTime> {
        let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(UnixTime(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp()))
    }

    /// The day of this moment in UTC, as [`UnixTime::of_day`] reads it.
    pub fn day(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

impl fmt::Display for UnixTime {
    /// RFC 3339 in UTC, as people and SCIM read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match chrono::DateTime::from_timestamp(self.0, 0) {
            Some(time) => write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%SZ")),
            None => write!(f, "@{}", self.0),
        }
    }
}

/// Tells the time.
#[derive(Clone)]
pub struct Clock {
    seconds: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// The machine's clock only: when it was first asked for.
    begun: Option<Instant>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Clock {
        Clock {
            seconds: Arc::new(|| {
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
            }),
            begun: Some(Instant::now()),
        }
    }

    /// A clock that stands still until the returned handle moves it.
    pub fn frozen(at: UnixTime) -> (Clock, ClockHandle) {
        let seconds = Arc::new(AtomicI64::new(at.0));
        let read = seconds.clone();
        let clock = Clock {
            seconds: Arc::new(move || read.load(Ordering::SeqCst)),
            begun: None,
        };
        (clock, ClockHandle(seconds))
    }

    /// This clock as someone `seconds` fast (or slow) reads it.
    pub fn skewed(&self, seconds: i64) -> Clock {
        let inner = self.clone();
        Clock {
            begun: self.begun,
            seconds: Arc::new(move || inner.now().plus(seconds).0),
        }
    }

    pub fn now(&self) -> UnixTime {
        UnixTime((self.seconds)())
    }

    /// What has passed: finer than seconds, and never set back. A frozen clock passes only what its handle moves it.
    pub fn passed(&self) -> Duration {
        match self.begun {
            Some(begun) => begun.elapsed(),
            None => Duration::from_secs(u64::try_from(self.now().0).unwrap_or_default()),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// Moves a frozen clock.
#[derive(Clone, Debug)]
pub struct ClockHandle(Arc<AtomicI64>);

impl ClockHandle {
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn set(&self, at: UnixTime) {
        self.0.store(at.0, Ordering::SeqCst);
    }
}

/// A source of unpredictable bytes.
#[derive(Clone)]
pub struct Entropy(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Entropy {
    /// The operating system's generator. A machine that cannot give randomness must not mint tokens:
    /// the process ends (fault F41).
    pub fn system() -> Entropy {
        Entropy(Arc::new(|bytes| {
            if let Err(error) = getrandom::fill(bytes) {
                eprintln!("the operating system gives no randomness: {error}");
                std::process::abort();
            }
        }))
    }

    /// A repeatable stream for tests: SHA-256 over the seed and a counter.
    pub fn seeded(seed: u64) -> Entropy {
        let counter = AtomicU64::new(0);
        Entropy(Arc::new(move |bytes| {
            for chunk in bytes.chunks_mut(32) {
                let block = Sha256::new()
                    .chain_update(seed.to_be_bytes())
                    .chain_update(counter.fetch_add(1, Ordering::SeqCst).to_be_bytes())
                    .finalize();
                let length = chunk.len();
                chunk.copy_from_slice(&block[..length]);
            }
        }))
    }

    pub fn fill(&self, bytes: &mut [u8]) {
        (self.0)(bytes);
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

/// Lets the big-number crates draw from the same source.
impl rand_core::RngCore for Entropy {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    fn fill_bytes(&mut self, destination: &mut [u8]) {
        self.fill(destination);
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill(destination);
        Ok(())
    }
}

impl rand_core::CryptoRng for Entropy {}
