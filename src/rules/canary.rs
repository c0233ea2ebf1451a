//! Canary: which people of a connection are sent to the second one that is being tried. The same people at every sign-in, on
//! every node, and for a larger percentage those of a smaller one, too.

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::model::provider::Canary;
use crate::model::tenant::Linking;
use crate::rules::email::{Email, folded};
use crate::rules::same_person::names_people;

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
    let Some(address) = address.map(folded) else {
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
        *one = folded(address.as_str());
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

/// Whether people of one connection are recognised at the other one, in both directions: `here` and `there` are the
/// attributes that the connections bring, `has_domain` says that the tenant has proven a domain. Else each of them would
/// get a second account; the error says why.
pub fn recognises(linking: &Linking, here: &[&str], there: &[&str], has_domain: bool) -> Result<(), String> {
    let both: Vec<&str> = here.iter().filter(|name| there.contains(name)).copied().collect();
    let lacks = match &linking.attribute {
        Some(number) if both.contains(&number.as_str()) => return Ok(()),
        Some(number) => format!("not both connections map {number}"),
        None => "no number is chosen".into(),
    };
    let why = if !linking.email {
        format!("they are not recognised by address, and {lacks}")
    } else if !has_domain {
        format!("none of its domains is proven, so no address counts, and {lacks}")
    } else if !["email", "email_verified"].iter().all(|name| both.contains(name)) {
        format!("not both connections map email and email_verified, and {lacks}")
    } else if !names_people(&both) {
        format!("not both connections map given_name and family_name, or name, and {lacks}")
    } else {
        return Ok(());
    };
    Err(format!(
        "the tenant's people would get second accounts: {why}. See to that first, at the tenant's page of moves and linking \
         and in the connections' mappings"
    ))
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
    fn one_address_is_one_person_however_its_domain_is_written() {
        let forms = ["Ann@Bücher.example", "ann@xn--bcher-kva.example"];
        for percent in 1..100 {
            let [a, b] = forms.map(|form| takes(&canary(percent), Some(form), false));
            assert_eq!(a, b, "{percent}");
        }
        for entered in forms {
            let named = check(Canary {
                people: vec![entered.into()],
                ..canary(0)
            })
            .unwrap();
            assert!(
                forms.iter().all(|form| takes(&named, Some(form), false)),
                "{entered}"
            );
        }
    }

    #[test]
    fn there_is_a_canary_only_where_both_connections_recognise_people() {
        let by_email = Linking {
            email: true,
            attribute: None,
        };
        let by_number = Linking {
            email: false,
            attribute: Some("custom:no".into()),
        };
        let whole = ["email", "email_verified", "name", "custom:no"];
        let names = ["email", "email_verified", "given_name", "family_name"];
        for (linking, here, there, has_domain, why) in [
            (&by_email, &whole[..], &whole[..], true, None),
            (&by_number, &whole[..], &["custom:no"][..], false, None),
            (
                &Linking::default(),
                &whole[..],
                &whole[..],
                true,
                Some("not recognised by address"),
            ),
            (
                &by_email,
                &whole[..],
                &whole[..],
                false,
                Some("none of its domains"),
            ),
            (
                &by_email,
                &whole[..],
                &["email", "name"][..],
                true,
                Some("email_verified"),
            ),
            (&by_email, &["name"][..], &whole[..], true, Some("email_verified")),
            (&by_email, &whole[..], &names[..], true, Some("given_name")),
            (&by_number, &names[..], &whole[..], true, Some("map custom:no")),
        ] {
            let refused = recognises(linking, here, there, has_domain).err();
            match why {
                None => assert_eq!(refused, None),
                Some(why) => assert!(refused.is_some_and(|said| said.contains(why)), "{why}"),
            }
        }
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
