//! Tries to sign in to the console: what an account, an address and this node may have of them. In memory and bounded.
//!
//! A try is counted before the password is looked at and given back when it was right, so that a thousand tries at the
//! same moment are no more than a thousand in a row. An account is whatever address was typed, known or not: nobody
//! learns from a limit who is an administrator.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use crate::world::UnixTime;

/// How long tries are remembered, from the first one on.
pub const WINDOW_SECONDS: i64 = 15 * 60;
/// Wrong passwords that an account has in that time.
pub const BY_ACCOUNT: u32 = 10;
/// Wrong passwords that come from one address in that time, whatever the account.
pub const BY_ADDRESS: u32 = 30;
/// Wrong passwords in all: what bounds the memory and the work.
const IN_ALL: u32 = 6_000;
/// Beyond this, what is over is swept out.
const SWEPT: usize = 25_000;

#[derive(Default)]
pub struct Attempts(Mutex<HashMap<Whose, Tries>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Whose {
    Account(String),
    Address(Option<IpAddr>),
    Everybody,
}

struct Tries {
    since: UnixTime,
    count: u32,
}

impl Whose {
    fn most(&self) -> u32 {
        match self {
            Whose::Account(_) => BY_ACCOUNT,
            Whose::Address(_) => BY_ADDRESS,
            Whose::Everybody => IN_ALL,
        }
    }
}

impl Attempts {
    /// Takes a try, if account, address and node all have one left; else the seconds to wait.
    pub fn take(&self, now: UnixTime, account: &str, address: Option<IpAddr>) -> Result<(), i64> {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() > SWEPT {
            tries.retain(|_, tries| now.since(tries.since) < WINDOW_SECONDS);
        }
        let all = whose(account, address);
        let wait = all
            .iter()
            .filter_map(|whose| {
                let tries = tries.get(whose)?;
                let left = WINDOW_SECONDS - now.since(tries.since);
                (left > 0 && tries.count >= whose.most()).then_some(left)
            })
            .max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        for whose in all {
            let tries = tries.entry(whose).or_insert(Tries { since: now, count: 0 });
            if now.since(tries.since) >= WINDOW_SECONDS {
                *tries = Tries { since: now, count: 0 };
            }
            tries.count += 1;
        }
        Ok(())
    }

    /// The password was right: the account begins anew, and the address has its try back.
    pub fn succeeded(&self, account: &str, address: Option<IpAddr>) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for whose in whose(account, address) {
            if matches!(whose, Whose::Account(_)) {
                tries.remove(&whose);
            } else if let Some(tries) = tries.get_mut(&whose) {
                tries.count = tries.count.saturating_sub(1);
            }
        }
    }
}

fn whose(account: &str, address: Option<IpAddr>) -> [Whose; 3] {
    [
        Whose::Account(account.to_lowercase()),
        Whose::Address(address.map(network)),
        Whose::Everybody,
    ]
}

/// An IPv6 host has a whole /64 to choose its address from: all of it counts as one.
fn network(address: IpAddr) -> IpAddr {
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

    #[test]
    fn an_account_has_so_many_tries_from_wherever_and_begins_anew_after_the_window() {
        let attempts = Attempts::default();
        for number in 0..BY_ACCOUNT {
            let from = address(&format!("192.0.2.{number}"));
            assert_eq!(attempts.take(UnixTime(0), "Ada@acme.test", from), Ok(()));
        }
        let elsewhere = address("198.51.100.1");
        assert_eq!(attempts.take(UnixTime(60), "ada@acme.test", elsewhere), Err(840));
        assert_eq!(attempts.take(UnixTime(60), "grace@acme.test", elsewhere), Ok(()));
        assert_eq!(
            attempts.take(UnixTime(WINDOW_SECONDS), "ada@acme.test", elsewhere),
            Ok(())
        );
    }

    #[test]
    fn an_address_has_so_many_tries_whatever_the_account_and_a_network_counts_as_one() {
        let attempts = Attempts::default();
        for number in 0..BY_ADDRESS {
            let from = address(&format!("2001:db8::{number:x}"));
            assert_eq!(
                attempts.take(UnixTime(0), &format!("{number}@acme.test"), from),
                Ok(())
            );
        }
        assert!(
            attempts
                .take(UnixTime(0), "ada@acme.test", address("2001:db8::ffff"))
                .is_err()
        );
        assert!(
            attempts
                .take(UnixTime(0), "ada@acme.test", address("2001:db8:0:1::1"))
                .is_ok()
        );
    }

    #[test]
    fn a_right_password_gives_the_try_back() {
        let attempts = Attempts::default();
        for _ in 0..10 * BY_ADDRESS {
            assert_eq!(attempts.take(UnixTime(0), "ada@acme.test", None), Ok(()));
            attempts.succeeded("ada@acme.test", None);
        }
    }
}
