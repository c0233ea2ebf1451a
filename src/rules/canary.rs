//! Canary: which people of a connection are sent to the second one that is being tried. The same people at every sign-in, on
//! every node, and for a larger percentage those of a smaller one, too.

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::model::provider::Canary;
use crate::rules::email::Email;

/// People who can be named.
const MOST_PEOPLE: usize = 1_000;
/// The longest name of a group, in characters (as Cognito's).
const LONGEST_GROUP: usize = 128;

/// Whether a sign-in goes to the second connection. `address` is what is known of the person before it, `is_member`
/// whether somebody with that address is in the canary's group.
pub fn takes(canary: &Canary, address: Option<&str>, is_member: bool) -> bool {
    if canary.promoted {
        return true;
    }
    let Some(address) = address.map(|address| address.trim().to_lowercase()) else {
        return false;
    };
    let is_named = canary.people.contains(&address);
    is_named || is_member || bucket(&canary.to, &address) < u64::from(canary.percent) * 100
}

/// A number below 10,000 that is always the same for an address, and another one for another canary.
fn bucket(to: &str, address: &str) -> u64 {
    let digest = Sha256::digest(format!("{to}\n{address}"));
    let first = digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    first % 10_000
}

/// Checks and normalises what was entered.
pub fn check(mut canary: Canary) -> Result<Canary, Error> {
    if canary.percent > 100 {
        return Err(Error::invalid("percent", "must be 0 to 100"));
    }
    if canary.people.len() > MOST_PEOPLE {
        return Err(Error::invalid(
            "people",
            format!("must be at most {MOST_PEOPLE} addresses"),
        ));
    }
    for one in &mut canary.people {
        let address =
            Email::parse(one.trim()).map_err(|why| Error::invalid("people", format!("'{one}' {why}")))?;
        *one = address.as_str().to_lowercase();
    }
    canary.group = canary.group.filter(|group| !group.is_empty());
    if canary
        .group
        .as_ref()
        .is_some_and(|group| group.chars().count() > LONGEST_GROUP)
    {
        return Err(Error::invalid("group", "must be the name of a group"));
    }
    if !canary.promoted && canary.percent == 0 && canary.people.is_empty() && canary.group.is_none() {
        return Err(Error::invalid(
            "percent",
            "takes nobody: name people, a group, or a percentage",
        ));
    }
    Ok(canary)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn canary(percent: u32) -> Canary {
        Canary {
            to: "acme-new".into(),
            percent,
            ..Canary::default()
        }
    }

    fn taken(canary: &Canary) -> Vec<usize> {
        (0..10_000)
            .filter(|number| takes(canary, Some(&format!("user{number}@acme.test")), false))
            .collect()
    }

    #[test]
    fn a_percentage_is_that_and_stays_who_it_is() {
        let ten = taken(&canary(10));
        assert!((900..=1_100).contains(&ten.len()), "{}", ten.len());
        assert_eq!(ten, taken(&canary(10)), "the same people every time");
        let thirty = taken(&canary(30));
        assert!(
            ten.iter().all(|one| thirty.contains(one)),
            "nobody is sent back and forth"
        );
        assert_eq!(taken(&canary(0)).len(), 0);
        assert_eq!(taken(&canary(100)).len(), 10_000);
        // Another canary takes other people.
        let other = Canary {
            to: "acme-other".into(),
            ..canary(10)
        };
        assert_ne!(ten, taken(&other));
    }

    #[test]
    fn named_people_and_members_go_there_and_nobody_unknown_does() {
        let named = Canary {
            people: vec!["ada@acme.test".into()],
            ..canary(0)
        };
        assert!(takes(&named, Some(" Ada@Acme.test"), false));
        assert!(!takes(&named, Some("grace@acme.test"), false));
        assert!(takes(&named, Some("grace@acme.test"), true), "a member");
        assert!(!takes(&canary(100), None, false), "of whom nothing is known");
        let promoted = Canary {
            promoted: true,
            ..canary(0)
        };
        assert!(takes(&promoted, None, false));
    }

    #[test]
    fn what_cannot_be_a_canary_is_refused_at_its_field() {
        for (canary, field) in [
            (canary(101), "percent"),
            (canary(0), "percent"),
            (
                Canary {
                    people: vec!["ada".into()],
                    ..canary(1)
                },
                "people",
            ),
            (
                Canary {
                    group: Some("x".repeat(129)),
                    ..canary(1)
                },
                "group",
            ),
        ] {
            let refused = check(canary).unwrap_err();
            assert!(
                matches!(&refused, Error::Invalid { field: at, .. } if at == field),
                "{refused}"
            );
        }
        let checked = check(Canary {
            people: vec![" Ada@Acme.test ".into()],
            ..canary(0)
        })
        .unwrap();
        assert_eq!(checked.people, ["ada@acme.test"]);
    }
}
