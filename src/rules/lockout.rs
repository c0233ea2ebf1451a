//! How long an account's password is not looked at after it was got wrong several times in a row: the delay doubles, so
//! that guessing soon takes years, and nobody can lock another person out for good. A day without a wrong try, and those
//! before are forgotten: half a dozen slips in a year are not an attack.

use crate::world::UnixTime;

/// Wrong passwords in a row that cost nothing.
pub const FREE: i64 = 5;
/// The longest delay, in seconds (as Cognito's).
pub const LONGEST: i64 = 15 * 60;

/// Seconds after the end of the last delay, and so of the last wrong try, when all are forgotten.
const FORGOTTEN: i64 = 86_400;

/// The number of failures after one more, and until when no password is looked at; `until` is what was said of the one
/// before.
pub fn after_failure(failures: i64, until: UnixTime, now: UnixTime) -> (i64, UnixTime) {
    let failures = if now.since(until) >= FORGOTTEN {
        0
    } else {
        failures
    };
    let failures = failures.saturating_add(1);
    let delay = match failures - FREE {
        beyond if beyond <= 0 => 0,
        beyond if beyond > 10 => LONGEST,
        beyond => (1 << (beyond - 1)).min(LONGEST),
    };
    (failures, now.plus(delay))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_after_five_failures_and_ends_at_a_quarter_of_an_hour() {
        let now = UnixTime(1_000);
        let mut failures = 0;
        let delays: Vec<i64> = (0..20)
            .map(|_| {
                let (more, until) = after_failure(failures, now, now);
                failures = more;
                until.since(now)
            })
            .collect();
        assert_eq!(delays[..5], [0; 5]);
        assert_eq!(delays[5..9], [1, 2, 4, 8]);
        assert_eq!(delays[15..], [LONGEST; 5]);
        assert_eq!(after_failure(i64::MAX, now, now).1, now.plus(LONGEST));
    }

    #[test]
    fn a_day_without_a_wrong_try_forgets_those_before() {
        let until = UnixTime(1_000);
        assert_eq!(after_failure(40, until, until.plus(FORGOTTEN - 1)).0, 41);
        let (failures, later) = after_failure(40, until, until.plus(FORGOTTEN));
        assert_eq!((failures, later), (1, until.plus(FORGOTTEN)));
    }
}
