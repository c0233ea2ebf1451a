//! Open connections, counted by the address at their other end: one address does not have them all. In memory, of this
//! node only.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attempts::network;

/// All open connections; clones count into the same place.
#[derive(Clone, Debug, Default)]
pub struct Seats(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    in_all: u32,
    by_address: HashMap<IpAddr, u32>,
}

/// A connection, counted until this is dropped.
#[derive(Debug)]
pub struct Seat {
    /// Its address has more of them than it may: nothing is served on it.
    pub is_one_too_many: bool,
    network: Option<IpAddr>,
    seats: Seats,
}

impl Seats {
    /// Counts a connection. Of one address there may be so many; of no address, which a trusted proxy's counts as, any.
    pub fn take(&self, address: Option<IpAddr>, most: u32) -> Seat {
        let network = address.map(network);
        let mut taken = self.locked();
        taken.in_all += 1;
        let of_address = network.map_or(0, |network| {
            let count = taken.by_address.entry(network).or_default();
            *count += 1;
            *count
        });
        drop(taken);
        Seat {
            is_one_too_many: of_address > most,
            network,
            seats: self.clone(),
        }
    }

    /// How many there are.
    pub fn taken(&self) -> u32 {
        self.locked().in_all
    }

    fn locked(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.locked();
        taken.in_all = taken.in_all.saturating_sub(1);
        let Some(network) = self.network else { return };
        if let Some(count) = taken.by_address.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_connections_and_leaves_nothing_behind() {
        let seats = Seats::default();
        let of = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        let first = seats.take(of(1), 2);
        let second = seats.take(of(1), 2);
        let third = seats.take(of(1), 2);
        assert!(!first.is_one_too_many && !second.is_one_too_many && third.is_one_too_many);
        assert!(!seats.take(of(2), 2).is_one_too_many, "others are not concerned");
        assert!(!seats.take(None, 0).is_one_too_many, "a proxy's are not counted");
        assert_eq!(seats.taken(), 3);
        drop((first, third));
        assert!(!seats.take(of(1), 2).is_one_too_many);
        drop(second);
        assert_eq!(seats.taken(), 0);
        assert!(seats.locked().by_address.is_empty());
    }
}
