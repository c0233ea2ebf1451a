//! May a tenant switch to "only through Okta", and would anybody be locked out by it? Every condition is told with what to
//! do about it, passed or not.

use crate::model::provider::{Provider, State};
use crate::world::UnixTime;

/// How long a test sign-in counts.
pub const TEST_SECONDS: i64 = 30 * 60;
/// How long there is to confirm it.
pub const CONFIRM_SECONDS: i64 = 15 * 60;
/// The client secret in use must live so long at least.
const SECRET_SECONDS: i64 = 14 * 86_400;
/// Whose sign-ins are counted to tell how many come this way.
pub const USAGE_SECONDS: i64 = 30 * 86_400;

/// What the decision rests on.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub now: UnixTime,
    /// The tenant's domains that are proven.
    pub domains: usize,
    pub provider: &'a Provider,
    /// Enabled app clients that offer the connection.
    pub apps: usize,
    /// When this administrator's test sign-in passed on the connection as it is configured now.
    pub tested_at: Option<UnixTime>,
    /// Administrators of the tenant or its pool who sign in with a password or passkey of their own.
    pub break_glass: i64,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub name: &'static str,
    pub passed: bool,
    /// What is the case and, where it does not pass, what to do.
    pub detail: String,
}

pub fn preflight(facts: &Facts<'_>) -> Vec<Condition> {
    let condition = |name, passed: bool, good: String, bad: &str| Condition {
        name,
        passed,
        detail: if passed { good } else { bad.to_owned() },
    };
    let provider = facts.provider;
    let fresh = facts.tested_at.filter(|at| facts.now.since(*at) <= TEST_SECONDS);
    // The one that the test was made with: whether the next one is right, nobody has seen.
    let ends = provider.secret_expires_at;
    let lives = ends.is_none_or(|ends| ends.since(facts.now) >= SECRET_SECONDS);
    vec![
        condition(
            "A domain is proven",
            facts.domains > 0,
            format!("{} proven", facts.domains),
            "Prove an email domain first: without one there is nobody whom this would concern.",
        ),
        condition(
            "The connection is live",
            provider.state() == State::Live && facts.apps > 0,
            format!("offered by {} apps", facts.apps),
            "Let the connection go live, and an app offer it: otherwise there is no way in.",
        ),
        condition(
            "You have just signed in through it",
            fresh.is_some(),
            fresh.map_or_else(String::new, |at| format!("your test sign-in passed {at}")),
            "Make a test sign-in yourself, on the configuration as it stands; it counts for 30 minutes.",
        ),
        condition(
            "Somebody can undo it without Okta",
            facts.break_glass > 0,
            format!(
                "{} administrators with a password or passkey here",
                facts.break_glass
            ),
            "Give an administrator of the tenant or its pool a password or a passkey: somebody must get into this console \
             when Okta does not answer.",
        ),
        condition(
            "The client secret lives on",
            lives,
            ends.map_or_else(|| "no end is known".to_owned(), |ends| format!("until {ends}")),
            "The client secret that is in use ends within 14 days: put the new one in its place first.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture;

    const NOW: UnixTime = UnixTime(1_795_219_200);

    fn live() -> Provider {
        Provider {
            tenant_id: Some("acme".into()),
            tested_at: Some(NOW),
            live_since: Some(NOW),
            ..fixture::provider("acme-okta")
        }
    }

    fn failing(provider: &Provider, change: impl FnOnce(&mut Facts<'_>)) -> Vec<&'static str> {
        let mut facts = Facts {
            now: NOW,
            domains: 1,
            provider,
            apps: 1,
            tested_at: Some(NOW.plus(-TEST_SECONDS)),
            break_glass: 1,
        };
        change(&mut facts);
        let found = preflight(&facts);
        assert!(found.iter().all(|condition| !condition.detail.is_empty()));
        let failed = found.iter().filter(|condition| !condition.passed);
        failed.map(|condition| condition.name).collect()
    }

    #[test]
    fn each_way_to_lock_oneself_out_is_told_by_name() {
        let provider = live();
        assert!(failing(&provider, |_| {}).is_empty());
        let one = |change: fn(&mut Facts<'_>)| failing(&live(), change);
        assert_eq!(one(|facts| facts.domains = 0), ["A domain is proven"]);
        assert_eq!(one(|facts| facts.apps = 0), ["The connection is live"]);
        let tested = ["You have just signed in through it"];
        assert_eq!(one(|facts| facts.tested_at = None), tested);
        assert_eq!(
            one(|facts| facts.tested_at = Some(NOW.plus(-TEST_SECONDS - 1))),
            tested
        );
        assert_eq!(
            one(|facts| facts.break_glass = 0),
            ["Somebody can undo it without Okta"]
        );
    }

    #[test]
    fn the_secret_in_use_must_live_for_a_fortnight_whatever_comes_after_it() {
        let ending = |days: i64, next: bool| {
            let mut provider = live();
            provider.secret_expires_at = Some(NOW.plus(days * 86_400));
            if next {
                provider.next_secret_sealed = Some(vec![1]);
                provider.next_secret_expires_at = Some(NOW.plus(200 * 86_400));
            }
            failing(&provider, |_| {}).is_empty()
        };
        assert!(ending(14, false) && ending(14, true));
        assert!(!ending(13, false) && !ending(13, true));
        let mut disabled = live();
        disabled.enabled = false;
        assert_eq!(failing(&disabled, |_| {}), ["The connection is live"]);
    }
}
