//! Requests that each address or app client has in a minute, and how each stands, which its answers say
//! (draft-ietf-httpapi-ratelimit-headers). In memory, of this node only.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use super::limits::rest_of_minute;
use crate::world::UnixTime;

/// The window that is counted in, in seconds.
pub const RATE_WINDOW: i64 = 60;

/// So many requests a minute for each of many.
pub struct Rate<K> {
    /// The name of the limit, as answers and metrics have it.
    name: &'static str,
    /// Zero is no limit.
    most: u32,
    window: Mutex<Window<K>>,
}

struct Window<K> {
    number: i64,
    taken: HashMap<K, u32>,
}

/// How somebody stands with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub name: &'static str,
    pub quota: u32,
    pub left: u32,
    /// Seconds until the next window.
    pub resets_in: i64,
    pub over: Option<Over>,
}

/// There was none left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// For the first time in this window.
    First,
    Again,
}

impl<K: Eq + Hash> Rate<K> {
    pub fn new(name: &'static str, most: u32) -> Rate<K> {
        Rate {
            name,
            most,
            window: Mutex::new(Window {
                number: 0,
                taken: HashMap::new(),
            }),
        }
    }

    /// Takes one of this window's; nothing where there is no limit.
    pub fn take<Q>(&self, now: UnixTime, key: &Q) -> Option<Standing>
    where
        Q: ?Sized + Eq + Hash + ToOwned<Owned = K>,
        K: Borrow<Q>,
    {
        if self.most == 0 {
            return None;
        }
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.0.div_euclid(RATE_WINDOW);
        if window.number != number {
            *window = Window {
                number,
                taken: HashMap::new(),
            };
        }
        let taken = match window.taken.get_mut(key) {
            Some(taken) => taken,
            None => window.taken.entry(key.to_owned()).or_default(),
        };
        // One more than there are tells the first that was refused from those after it.
        let before = *taken;
        *taken = before.saturating_add(1).min(self.most.saturating_add(2));
        Some(Standing {
            name: self.name,
            quota: self.most,
            left: self.most.saturating_sub(*taken),
            resets_in: rest_of_minute(now),
            over: match before {
                before if before < self.most => None,
                before if before == self.most => Some(Over::First),
                _ => Some(Over::Again),
            },
        })
    }

    /// Gives one of this window's back.
    pub fn give_back<Q>(&self, now: UnixTime, key: &Q)
    where
        Q: ?Sized + Eq + Hash,
        K: Borrow<Q>,
    {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.number == now.0.div_euclid(RATE_WINDOW)
            && let Some(taken) = window.taken.get_mut(key)
        {
            *taken = taken.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_has_its_share_of_a_minute_and_is_told_how_it_stands() {
        let rate = Rate::<String>::new("client", 2);
        let take = |at: i64, who: &str| {
            let standing = rate.take(UnixTime(at), who).unwrap();
            (standing.left, standing.resets_in, standing.over)
        };
        assert_eq!(take(60, "a"), (1, 60, None));
        assert_eq!(take(61, "a"), (0, 59, None));
        assert_eq!(take(62, "a"), (0, 58, Some(Over::First)));
        assert_eq!(take(62, "a"), (0, 58, Some(Over::Again)));
        assert_eq!(take(62, "b"), (1, 58, None), "others are not concerned");
        assert_eq!(take(120, "a"), (1, 60, None), "a new minute");
    }

    #[test]
    fn what_is_given_back_is_there_again_and_zero_is_no_limit() {
        let rate = Rate::<String>::new("client", 1);
        let now = UnixTime(0);
        assert_eq!(rate.take(now, "a").unwrap().over, None);
        rate.give_back(now, "a");
        assert_eq!(rate.take(now, "a").unwrap().over, None);
        rate.give_back(UnixTime(60), "a");
        assert_eq!(rate.take(now, "a").unwrap().over, Some(Over::First));
        assert_eq!(Rate::<String>::new("client", 0).take(now, "a"), None);
    }
}
