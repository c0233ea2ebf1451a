//! What strangers may have of this node: traces, calls to an upstream, second tries. All of it in memory and bounded;
//! what must hold on every node is the database's to say.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::attempts::network;
use crate::rules::lockout;
use crate::world::UnixTime;

/// Traces of attempts that never reached an upstream are kept this long.
pub const UNREACHED_TRACE_DAYS: u32 = 7;

/// Seconds until the next minute, when there is something left again.
pub fn rest_of_minute(now: UnixTime) -> i64 {
    60 - now.0.rem_euclid(60)
}

/// Counts what a minute may have of something, in all and by whose share it takes.
pub struct Allowance {
    in_all: u32,
    by_share: u32,
    minute: Mutex<Minute>,
}

/// Whose share of an [`Allowance`] is taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Share {
    /// A network's; all those together whose address is not known.
    Network(Option<IpAddr>),
    /// A token's, by its hash.
    Token(Vec<u8>),
}

impl From<Option<IpAddr>> for Share {
    fn from(address: Option<IpAddr>) -> Share {
        Share::Network(address.map(network))
    }
}

#[derive(Default)]
struct Minute {
    number: i64,
    taken: u32,
    by_share: HashMap<Share, u32>,
}

impl Allowance {
    pub fn new(in_all: u32, by_share: u32) -> Allowance {
        Allowance {
            in_all,
            by_share,
            minute: Mutex::default(),
        }
    }

    /// Takes one of this minute's, if one is left.
    pub fn take(&self, now: UnixTime, whose: impl Into<Share>) -> bool {
        let share = whose.into();
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        minute.turn(now);
        if !minute.left(self, &share) {
            return false;
        }
        *minute.by_share.entry(share).or_default() += 1;
        minute.taken += 1;
        true
    }

    /// Gives one of this minute's back.
    pub fn give_back(&self, now: UnixTime, whose: impl Into<Share>) {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        minute.turn(now);
        let Minute { taken, by_share, .. } = &mut *minute;
        if let Entry::Occupied(mut of_share) = by_share.entry(whose.into()) {
            let left = of_share.get().saturating_sub(1);
            // A minute may give back many: who has none taken is not kept.
            if left == 0 {
                of_share.remove();
            } else {
                of_share.insert(left);
            }
            *taken = taken.saturating_sub(1);
        }
    }

    /// Whether one is left.
    pub fn left(&self, now: UnixTime, whose: impl Into<Share>) -> bool {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        minute.turn(now);
        minute.left(self, &whose.into())
    }
}

impl Minute {
    fn turn(&mut self, now: UnixTime) {
        let number = now.0.div_euclid(60);
        if self.number != number {
            *self = Minute {
                number,
                ..Minute::default()
            };
        }
    }

    fn left(&self, limits: &Allowance, share: &Share) -> bool {
        let taken = self.by_share.get(share).copied().unwrap_or_default();
        self.taken < limits.in_all && taken < limits.by_share
    }
}

/// The logins that have come back to this node: one comes back once. The cookie alone would let whoever keeps it send its
/// callback again and again, each time with a call to the upstream and a trace.
#[derive(Default)]
pub struct Returned(Mutex<States>);

#[derive(Default)]
struct States {
    known: HashSet<String>,
    in_order: VecDeque<(UnixTime, String)>,
}

/// States that are remembered at the most: a login lives five minutes.
const MOST: usize = 50_000;

impl Returned {
    /// Whether this login comes back for the first time. `lifetime` is how long a login can come back at all.
    pub fn first(&self, state: &str, now: UnixTime, lifetime: i64) -> bool {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let States { known, in_order } = &mut *states;
        while let Some((at, _)) = in_order.front() {
            if in_order.len() < MOST && now.since(*at) <= lifetime {
                break;
            }
            if let Some((_, old)) = in_order.pop_front() {
                known.remove(&old);
            }
        }
        if !known.insert(state.to_owned()) {
            return false;
        }
        in_order.push_back((now, state.to_owned()));
        true
    }
}

/// Wrong passwords of accounts that do not exist, counted and delayed like those of accounts that do: or the delay would
/// tell which is which.
#[derive(Default)]
pub struct Unknown(Mutex<HashMap<String, (i64, UnixTime)>>);

/// Unknown accounts that are remembered at the most.
const MOST_UNKNOWN: usize = 20_000;

impl Unknown {
    /// Until when no password of that account is looked at; long ago where any is.
    pub fn locked_until(&self, account: &str) -> UnixTime {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(account)
            .map_or_else(UnixTime::default, |(_, until)| *until)
    }

    /// Counts a wrong password.
    pub fn failed(&self, account: &str, now: UnixTime) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_UNKNOWN {
            known.retain(|_, (_, until)| now.since(*until) < lockout::LONGEST);
        }
        if known.len() >= MOST_UNKNOWN {
            known.clear();
        }
        let (failures, until) = known.get(account).copied().unwrap_or((0, now));
        known.insert(account.to_owned(), lockout::after_failure(failures, until, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_takes_everybodys_share_and_no_minute_has_more_than_its_own() {
        let allowance = Allowance::new(60, 20);
        let take = |minute: i64, last: u8, times: usize| {
            let address = Some(IpAddr::from([192, 0, 2, last]));
            (0..times)
                .filter(|_| allowance.take(UnixTime(minute * 60), address))
                .count()
        };
        assert_eq!(take(1, 1, 100), 20);
        assert_eq!(take(1, 2, 100), 20);
        assert_eq!(take(1, 3, 100), 20);
        assert_eq!(take(1, 4, 100), 0);
        assert_eq!(take(2, 1, 1), 1);
    }

    #[test]
    fn a_network_counts_as_one_address_and_what_is_given_back_is_there_again() {
        let allowance = Allowance::new(u32::MAX, 2);
        let of = |text: &str| text.parse::<IpAddr>().ok();
        let now = UnixTime(0);
        assert!(allowance.take(now, of("2001:db8::1")));
        assert!(allowance.take(now, of("2001:db8::2")));
        assert!(!allowance.take(now, of("2001:db8::3")));
        assert!(allowance.take(now, of("2001:db8:0:1::1")));
        allowance.give_back(now, of("2001:db8::4"));
        assert!(allowance.take(now, of("2001:db8::1")));
        assert!(!allowance.take(now, of("2001:db8::1")));
        allowance.give_back(UnixTime(60), of("2001:db8::1"));
        assert!(allowance.left(UnixTime(60), of("2001:db8::1")));
        // Neither addresses nor tokens take each other's.
        let token = |number: u8| Share::Token(vec![number; 32]);
        let minute = UnixTime(120);
        assert!(allowance.take(minute, token(1)) && allowance.take(minute, token(1)));
        assert!(!allowance.take(minute, token(1)) && allowance.left(minute, token(2)));
        assert!(allowance.left(minute, Share::Network(None)));
    }

    #[test]
    fn an_unknown_account_is_delayed_like_a_known_one() {
        let unknown = Unknown::default();
        let now = UnixTime(0);
        for _ in 0..lockout::FREE {
            unknown.failed("nobody", now);
            assert!(unknown.locked_until("nobody") <= now);
        }
        unknown.failed("nobody", now);
        assert_eq!(unknown.locked_until("nobody"), UnixTime(1));
        assert!(
            unknown.locked_until("somebody") <= now,
            "others are not concerned"
        );
    }

    #[test]
    fn a_login_comes_back_once_and_is_forgotten_when_it_could_not_come_back_any_more() {
        let returned = Returned::default();
        assert!(returned.first("a", UnixTime(0), 300));
        assert!(!returned.first("a", UnixTime(300), 300));
        assert!(
            returned.first("b", UnixTime(301), 300),
            "others are not concerned"
        );
        assert!(returned.first("a", UnixTime(301), 300));
        for number in 0..MOST {
            assert!(returned.first(&format!("s{number}"), UnixTime(302), 300));
        }
        assert!(returned.first("a", UnixTime(302), 300), "the oldest gave way");
    }
}
