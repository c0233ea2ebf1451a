//! A lane per upstream: so many requests at a time, and none while the upstream is known to be down.
//!
//! One tenant's dead or slow Okta must cost its own users a clear page and everybody else nothing. The circuit opens
//! after several failures in a row for a growing time, lets one request through to try, and closes when it succeeds. A
//! rate limit with a stated end opens it until then. Times are the clock's, so that a test can move them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::world::{Clock, UnixTime};

/// Requests under way at a time to one upstream.
const AT_ONCE: usize = 50;
/// How long a request waits for its turn.
const TURN_WITHIN: Duration = Duration::from_millis(1000);
/// Failures in a row that open the circuit.
const FAILURES: u32 = 5;
const FIRST_PAUSE: i64 = 5;
const LONGEST_PAUSE: i64 = 60;
/// A rate limit is honoured no longer than this, whatever the upstream states.
const LONGEST_LIMIT: i64 = 120;
/// A trial request that has not reported by then was abandoned; it is longer than any request's deadline.
const TRIAL_ENDS: i64 = 15;

/// All lanes; there are as many as connections and issuers.
#[derive(Debug)]
pub struct Lanes {
    clock: Clock,
    turn_within: Duration,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
}

#[derive(Debug)]
struct Lane {
    turns: Arc<Semaphore>,
    circuit: Mutex<Circuit>,
}

#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    /// Nothing goes out before this moment.
    open_until: Option<UnixTime>,
    /// The pause that follows the next failure.
    pause: i64,
    /// A request is out to try whether the upstream is back.
    trial_since: Option<UnixTime>,
    rate_limited: bool,
}

/// Why a request may not go out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    TooMany,
    /// The upstream failed repeatedly.
    Open {
        until: UnixTime,
    },
    RateLimited {
        until: UnixTime,
    },
}

/// How a request went, as far as the circuit is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    Well,
    /// No answer, or one with a server error.
    Badly,
    /// 429, with the moment from which it may be tried again.
    Limited(UnixTime),
}

/// Leave to send one request; report how it went.
#[derive(Debug)]
pub struct Turn {
    lane: Arc<Lane>,
    clock: Clock,
    _permit: OwnedSemaphorePermit,
}

impl Lanes {
    pub fn new(clock: Clock) -> Lanes {
        Lanes {
            clock,
            turn_within: TURN_WITHIN,
            lanes: Mutex::default(),
        }
    }

    /// Waits a short while for leave to send a request on the named lane.
    pub async fn turn(&self, name: &str) -> Result<Turn, Closed> {
        let lane = self.lane(name);
        lane.circuit().admit(self.clock.now())?;
        let permit = match tokio::time::timeout(self.turn_within, lane.turns.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            _ => return Err(Closed::TooMany),
        };
        Ok(Turn {
            lane,
            clock: self.clock.clone(),
            _permit: permit,
        })
    }

    fn lane(&self, name: &str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(name) {
            return lane.clone();
        }
        let lane = Arc::new(Lane {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            circuit: Mutex::default(),
        });
        lanes.insert(name.to_owned(), lane.clone());
        lane
    }
}

impl Turn {
    pub fn report(self, went: Went) {
        let now = self.clock.now();
        self.lane.circuit().record(went, now);
    }
}

impl Lane {
    fn circuit(&self) -> std::sync::MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuit {
    fn admit(&mut self, now: UnixTime) -> Result<(), Closed> {
        let Some(until) = self.open_until else {
            return Ok(());
        };
        let trying = self
            .trial_since
            .is_some_and(|since| (0..TRIAL_ENDS).contains(&now.since(since)));
        // A clock that was set back must not keep the circuit open longer than any pause.
        let over = now >= until || until.since(now) > LONGEST_LIMIT;
        if over && !trying {
            self.trial_since = Some(now);
            return Ok(());
        }
        let until = if over { now.plus(1) } else { until };
        Err(match self.rate_limited {
            true => Closed::RateLimited { until },
            false => Closed::Open { until },
        })
    }

    fn record(&mut self, went: Went, now: UnixTime) {
        self.trial_since = None;
        match went {
            Went::Well => *self = Circuit::default(),
            Went::Limited(until) => {
                let wait = until.since(now).clamp(1, LONGEST_LIMIT);
                self.open_until = Some(now.plus(wait));
                self.rate_limited = true;
            }
            Went::Badly => {
                self.failures = self.failures.saturating_add(1);
                self.rate_limited = false;
                if self.failures >= FAILURES || self.open_until.is_some() {
                    let pause = self.pause.max(FIRST_PAUSE);
                    self.open_until = Some(now.plus(pause));
                    self.pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: UnixTime = UnixTime(1_000_000);

    async fn go(lanes: &Lanes, went: Went) -> Result<(), Closed> {
        lanes.turn("acme").await.map(|turn| turn.report(went))
    }

    #[tokio::test]
    async fn the_circuit_opens_tries_once_and_closes() {
        let (clock, time) = Clock::frozen(NOW);
        let lanes = Lanes::new(clock);
        for _ in 0..FAILURES {
            go(&lanes, Went::Badly).await.unwrap();
        }
        assert_eq!(
            go(&lanes, Went::Well).await,
            Err(Closed::Open { until: NOW.plus(5) })
        );
        assert!(
            lanes.turn("globex").await.is_ok(),
            "another lane is not concerned"
        );

        time.advance(5);
        let trial = lanes.turn("acme").await.unwrap();
        assert!(lanes.turn("acme").await.is_err(), "one trial at a time");
        trial.report(Went::Badly);
        assert_eq!(
            go(&lanes, Went::Well).await,
            Err(Closed::Open { until: NOW.plus(15) }),
            "the pause grows"
        );
        time.advance(10);
        go(&lanes, Went::Well).await.unwrap();
        for _ in 1..FAILURES {
            go(&lanes, Went::Badly).await.unwrap();
        }
        go(&lanes, Went::Well).await.unwrap();
    }

    #[tokio::test]
    async fn an_abandoned_trial_does_not_keep_the_circuit_open() {
        let (clock, time) = Clock::frozen(NOW);
        let lanes = Lanes::new(clock);
        for _ in 0..FAILURES {
            go(&lanes, Went::Badly).await.unwrap();
        }
        time.advance(5);
        drop(lanes.turn("acme").await.unwrap());
        assert!(lanes.turn("acme").await.is_err());
        time.advance(TRIAL_ENDS);
        go(&lanes, Went::Well).await.unwrap();
    }

    #[tokio::test]
    async fn a_rate_limit_is_honoured_until_its_stated_end_within_reason() {
        let (clock, time) = Clock::frozen(NOW);
        let lanes = Lanes::new(clock);
        go(&lanes, Went::Limited(NOW.plus(30))).await.unwrap();
        time.advance(29);
        assert_eq!(
            go(&lanes, Went::Well).await,
            Err(Closed::RateLimited { until: NOW.plus(30) })
        );
        time.advance(1);
        go(&lanes, Went::Limited(NOW.plus(1_000_000))).await.unwrap();
        time.advance(LONGEST_LIMIT);
        go(&lanes, Went::Well).await.unwrap();
        time.set(UnixTime(0));
        go(&lanes, Went::Well).await.unwrap();
    }

    #[tokio::test]
    async fn one_lane_holds_so_many_requests_and_no_more() {
        let (clock, _) = Clock::frozen(NOW);
        let mut lanes = Lanes::new(clock);
        lanes.turn_within = Duration::from_millis(20);
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(lanes.turn("acme").await.unwrap());
        }
        assert_eq!(lanes.turn("acme").await.unwrap_err(), Closed::TooMany);
        assert!(lanes.turn("globex").await.is_ok());
        turns.pop();
        assert!(lanes.turn("acme").await.is_ok());
    }
}
