//! Tries to sign in to the console: what an account, an address and this node may have of them. In memory and bounded.
//!
//! A try is counted before the password is looked at and given back when it was right, so that a thousand tries at the
//! same moment are no more than a thousand in a row. An account is whatever address was typed, known or not: nobody
//! learns from a limit who is an administrator.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use crate::rules::secret;
use crate::world::UnixTime;

/// How long tries are remembered, from the first one on.
pub const WINDOW_SECONDS: i64 = 15 * 60;
/// Wrong passwords that an account has in that time.
pub const BY_ACCOUNT: u32 = 10;
/// Wrong passwords that come from one address in that time, whatever the account.
pub const BY_ADDRESS: u32 = 30;
/// Wrong passwords in all: what bounds the memory and the work.
const IN_ALL: u32 = 6_000;
/// Seconds after which what is over is swept out again.
const SWEPT_EVERY: i64 = 60;

#[derive(Default)]
pub struct Attempts(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    tries: HashMap<Bucket, Tries>,
    /// What is over was swept out then.
    swept_at: UnixTime,
}

/// Who tries.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// Somebody at the sign-in form: the address that was typed, and the network address that they come from.
    Guest {
        account: &'a str,
        address: Option<IpAddr>,
    },
    /// The administrator of that id, in a session of theirs: strangers at the sign-in form take none of these tries.
    SignedIn(&'a str),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Bucket {
    /// The hash of what was typed: that may be long, and a password.
    Account(Vec<u8>),
    SignedIn(String),
    Address(Option<IpAddr>),
    Everybody,
}

struct Tries {
    since: UnixTime,
    count: u32,
}

impl Bucket {
    fn most(&self) -> u32 {
        match self {
            Bucket::Account(_) | Bucket::SignedIn(_) => BY_ACCOUNT,
            Bucket::Address(_) => BY_ADDRESS,
            Bucket::Everybody => IN_ALL,
        }
    }

    /// Begins anew when its owner was right.
    fn is_ones_own(&self) -> bool {
        matches!(self, Bucket::Account(_) | Bucket::SignedIn(_))
    }
}

impl Who<'_> {
    fn buckets(self) -> Vec<Bucket> {
        match self {
            Who::Guest { account, address } => vec![
                Bucket::Account(secret::hash(&account.to_lowercase())),
                Bucket::Address(address.map(network)),
                Bucket::Everybody,
            ],
            Who::SignedIn(id) => vec![Bucket::SignedIn(id.to_owned())],
        }
    }
}

impl Attempts {
    /// Takes a try, if all that it counts against have one left; else the seconds to wait.
    pub fn take(&self, now: UnixTime, who: Who<'_>) -> Result<(), i64> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(kept.swept_at) >= SWEPT_EVERY {
            kept.tries
                .retain(|_, tries| now.since(tries.since) < WINDOW_SECONDS);
            kept.swept_at = now;
        }
        let buckets = who.buckets();
        let wait = buckets
            .iter()
            .filter_map(|bucket| {
                let tries = kept.tries.get(bucket)?;
                let left = WINDOW_SECONDS - now.since(tries.since);
                (left > 0 && tries.count >= bucket.most()).then_some(left)
            })
            .max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        for bucket in buckets {
            let tries = kept.tries.entry(bucket).or_insert(Tries { since: now, count: 0 });
            if now.since(tries.since) >= WINDOW_SECONDS {
                *tries = Tries { since: now, count: 0 };
            }
            tries.count += 1;
        }
        Ok(())
    }

    /// The password was right: the account begins anew, and the address has its try back.
    pub fn succeeded(&self, who: Who<'_>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for bucket in who.buckets() {
            if bucket.is_ones_own() {
                kept.tries.remove(&bucket);
            } else if let Some(tries) = kept.tries.get_mut(&bucket) {
                tries.count = tries.count.saturating_sub(1);
            }
        }
    }
}

/// An IPv6 host has a whole /64 to choose its address from: all of it counts as one.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn guest(account: &str, address: Option<IpAddr>) -> Who<'_> {
        Who::Guest { account, address }
    }

    #[test]
    fn an_account_has_so_many_tries_from_wherever_and_begins_anew_after_the_window() {
        let attempts = Attempts::default();
        let take = |at, account, from| attempts.take(UnixTime(at), guest(account, from));
        for number in 0..BY_ACCOUNT {
            let from = address(&format!("192.0.2.{number}"));
            assert_eq!(take(0, "Ada@acme.test", from), Ok(()));
        }
        let elsewhere = address("198.51.100.1");
        assert_eq!(take(60, "ada@acme.test", elsewhere), Err(840));
        assert_eq!(take(60, "grace@acme.test", elsewhere), Ok(()));
        assert_eq!(take(WINDOW_SECONDS, "ada@acme.test", elsewhere), Ok(()));
    }

    #[test]
    fn an_address_has_so_many_tries_whatever_the_account_and_a_network_counts_as_one() {
        let attempts = Attempts::default();
        let take = |account: &str, from| attempts.take(UnixTime(0), guest(account, from));
        for number in 0..BY_ADDRESS {
            let from = address(&format!("2001:db8::{number:x}"));
            assert_eq!(take(&format!("{number}@acme.test"), from), Ok(()));
        }
        assert!(take("ada@acme.test", address("2001:db8::ffff")).is_err());
        assert!(take("ada@acme.test", address("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn a_right_password_gives_the_try_back() {
        let attempts = Attempts::default();
        let ada = guest("ada@acme.test", None);
        for _ in 0..10 * BY_ADDRESS {
            assert_eq!(attempts.take(UnixTime(0), ada), Ok(()));
            attempts.succeeded(ada);
        }
    }

    #[test]
    fn who_is_signed_in_has_tries_that_no_stranger_takes() {
        let attempts = Attempts::default();
        for _ in 0..BY_ACCOUNT {
            attempts.take(UnixTime(0), guest("ada@acme.test", None)).unwrap();
        }
        for _ in 0..BY_ACCOUNT {
            assert_eq!(attempts.take(UnixTime(0), Who::SignedIn("ada")), Ok(()));
        }
        assert!(attempts.take(UnixTime(0), Who::SignedIn("ada")).is_err());
        assert_eq!(attempts.take(UnixTime(0), Who::SignedIn("grace")), Ok(()));
    }

    #[test]
    fn what_is_over_is_not_kept() {
        let attempts = Attempts::default();
        for number in 0..20 {
            let from = address(&format!("192.0.2.{number}"));
            attempts
                .take(UnixTime(number), guest(&format!("{number}@acme.test"), from))
                .unwrap();
        }
        attempts
            .take(UnixTime(WINDOW_SECONDS + 60), guest("ada@acme.test", None))
            .unwrap();
        assert_eq!(attempts.0.lock().unwrap().tries.len(), 3);
    }
}
