//! How long an account's password is not looked at after it was got wrong several times in a row: the delay doubles, so
//! that guessing soon takes years, and nobody can lock another person out for good.

use crate::world::UnixTime;

/// Wrong passwords in a row that cost nothing.
pub const FREE: i64 = 5;
/// The longest delay, in seconds (as Cognito's).
pub const LONGEST: i64 = 15 * 60;

/// The number of failures after one more, and until when no password is looked at.
pub fn after_failure(failures: i64, now: UnixTime) -> (i64, UnixTime) {
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
                let (more, until) = after_failure(failures, now);
                failures = more;
                until.since(now)
            })
            .collect();
        assert_eq!(delays[..5], [0; 5]);
        assert_eq!(delays[5..9], [1, 2, 4, 8]);
        assert_eq!(delays[15..], [LONGEST; 5]);
        assert_eq!(after_failure(i64::MAX, now).1, now.plus(LONGEST));
    }
}
