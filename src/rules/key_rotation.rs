//! When a signing key changes its state, so that no token meets a verifier who does not know its key: a key is published
//! longer than anyone caches the key set before it signs, and stays published longer than any token lives after it
//! signed its last (OIDC Core §10.1.1).

use super::registration::client::LONGEST_TOKEN_SECONDS;
use crate::model::key::State;
use crate::world::UnixTime;

/// `max-age` of the key set, which verifiers may use for that long without asking again.
pub const JWKS_CACHE_SECONDS: i64 = 300;
/// How long a new key is published before it signs: the caches' time, and a minute for nodes that learn of it later and
/// clocks that differ.
pub const LEAD_SECONDS: i64 = JWKS_CACHE_SECONDS + 60;
/// How long a key that signs no more is published: the longest life that a client may be given, whatever it has now (it
/// may have been shortened, or the client deleted, since the last token was signed), and five minutes that verifiers
/// commonly forgive.
pub const KEPT_SECONDS: i64 = LONGEST_TOKEN_SECONDS + 300;
/// The longest time between automatic rotations, in days.
pub const MOST_DAYS: u32 = 3_650;

const DAY: i64 = 86_400;

/// When a key in this state since then moves on: a pending one signs, an active one gets a successor, a retiring one goes.
/// `None`: never by itself.
pub fn moves_on(state: State, since: UnixTime, rotation_days: u32) -> Option<UnixTime> {
    match state {
        State::Pending => Some(since.plus(LEAD_SECONDS)),
        State::Retiring => Some(since.plus(KEPT_SECONDS)),
        State::Active if rotation_days == 0 => None,
        State::Active => Some(since.plus(i64::from(rotation_days) * DAY)),
    }
}

/// Whether an active key is old enough for a successor.
pub fn is_due(since: UnixTime, rotation_days: u32, now: UnixTime) -> bool {
    moves_on(State::Active, since, rotation_days).is_some_and(|due| due <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_lasts_as_long_as_verifiers_need() {
        let since = UnixTime(1_000_000);
        let after = |state, days| moves_on(state, since, days).map(|at| at.since(since));
        assert_eq!(after(State::Pending, 90), Some(360));
        assert_eq!(after(State::Retiring, 0), Some(86_700));
        assert_eq!(after(State::Active, 90), Some(90 * 86_400));
        assert_eq!(after(State::Active, 0), None);
        assert!(!is_due(since, 1, since.plus(86_399)));
        assert!(is_due(since, 1, since.plus(86_400)));
        assert!(!is_due(since, 0, UnixTime(i64::MAX)));
    }
}
