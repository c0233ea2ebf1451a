//! A fetched document with its cache time, and the lock that makes its fetches one.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::COOL_DOWN;
use super::document::LONGEST_CACHE;
use crate::rules::upstream_error::Cause;
use crate::upstream::Failure;
use crate::world::{Clock, UnixTime};

/// What an issuer publishes at one address.
#[derive(Debug)]
pub(super) struct Cell<T> {
    slot: Mutex<Slot<T>>,
    /// Held while fetching.
    pub flight: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Slot<T> {
    value: Option<Arc<T>>,
    fresh_until: UnixTime,
    /// Fetches that ended, well or badly: who waited can tell that one did.
    tries: u64,
    tried_at: Option<UnixTime>,
    failure: Option<Failure>,
}

/// What is there.
pub(super) enum Look<T> {
    Fresh(Arc<T>),
    Stale(Arc<T>),
    Missing { tries: u64 },
}

impl<T> Default for Cell<T> {
    fn default() -> Self {
        Cell {
            slot: Mutex::new(Slot {
                value: None,
                fresh_until: UnixTime(0),
                tries: 0,
                tried_at: None,
                failure: None,
            }),
            flight: tokio::sync::Mutex::new(()),
        }
    }
}

impl<T> Cell<T> {
    fn slot(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The document, whatever its age.
    pub fn value(&self) -> Option<Arc<T>> {
        self.slot().value.clone()
    }

    /// The document, if it may still be used.
    pub fn look(&self, now: UnixTime, stale: i64) -> Look<T> {
        let slot = self.slot();
        match &slot.value {
            // A clock that was set back must not keep a document for longer than it may be kept.
            Some(value) if now < slot.fresh_until && slot.fresh_until.since(now) <= LONGEST_CACHE => {
                Look::Fresh(value.clone())
            }
            Some(value) if now < slot.fresh_until.plus(stale) => Look::Stale(value.clone()),
            _ => Look::Missing { tries: slot.tries },
        }
    }

    /// A document is there, past its cache time, and its refresh was not tried a moment ago.
    pub fn due(&self, now: UnixTime) -> Option<u64> {
        let slot = self.slot();
        let due =
            slot.value.is_some() && (now >= slot.fresh_until || slot.fresh_until.since(now) > LONGEST_CACHE);
        (due && slot.rested(now)).then_some(slot.tries)
    }

    pub fn may_try(&self, now: UnixTime) -> bool {
        self.due(now).is_some()
    }

    /// Fetches, unless another did since `tries` was read: then its result is ours.
    pub async fn fill(
        &self,
        clock: &Clock,
        stale: i64,
        tries: u64,
        fetch: impl Future<Output = Result<(T, i64), Failure>>,
    ) -> Result<Arc<T>, Failure> {
        let _flight = self.flight.lock().await;
        {
            let slot = self.slot();
            if slot.tries != tries {
                return match (&slot.value, &slot.failure) {
                    (Some(value), _) => Ok(value.clone()),
                    (None, Some(failure)) => Err(failure.clone()),
                    (None, None) => Err(Failure::new(
                        Cause::DiscoveryFailed,
                        "the last fetch left nothing",
                    )),
                };
            }
        }
        let fetched = fetch.await;
        self.settle(clock.now(), stale, fetched)
    }

    /// Takes in what a fetch brought. When it failed, the old value serves on, unless the issuer itself is in doubt.
    pub fn settle(
        &self,
        now: UnixTime,
        stale: i64,
        fetched: Result<(T, i64), Failure>,
    ) -> Result<Arc<T>, Failure> {
        let mut slot = self.slot();
        slot.tries += 1;
        slot.tried_at = Some(now);
        match fetched {
            Ok((value, seconds)) => {
                let value = Arc::new(value);
                slot.value = Some(value.clone());
                slot.fresh_until = now.plus(seconds);
                slot.failure = None;
                Ok(value)
            }
            Err(failure) => {
                let in_doubt = matches!(failure.cause, Cause::IssuerMismatch | Cause::EndpointRefused);
                let too_old = now >= slot.fresh_until.plus(stale);
                if in_doubt || too_old {
                    slot.value = None;
                }
                slot.failure = Some(failure.clone());
                slot.value.clone().ok_or(failure)
            }
        }
    }
}

impl<T> Slot<T> {
    fn rested(&self, now: UnixTime) -> bool {
        self.tried_at
            .is_none_or(|at| !(0..COOL_DOWN).contains(&now.since(at)))
    }
}
