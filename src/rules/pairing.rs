//! Which account of one connection is which account of another one, for moving a tenant's people. Who comes then is compared
//! once more ([`super::same_person`]): whoever is not certain to be the same person gets a profile of their own, because two
//! profiles of one person can be mended, and one profile of two persons cannot.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::attribute::attests;
use super::email;
use super::same_person::{indistinct, text};
use super::tenant_domain::vouches;
use crate::model::identity_move::Pairing;
use crate::model::tenant_domain::Vouching;

/// By this name lists pair with the upstream's own `sub`; no pool attribute that is mapped has it.
pub const SUBJECT: &str = "sub";
/// Lines of an uploaded list.
pub const LONGEST_LIST: usize = 50_000;

/// Somebody of the old connection, as far as pairing looks at them.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    pub sub: String,
    pub username: String,
    /// At the old connection.
    pub subject: String,
    pub attributes: Map<String, Value>,
}

impl Person {
    fn text(&self, attribute: &str) -> Option<String> {
        text(&self.attributes, attribute)
    }

    /// What people recognise the account by.
    pub fn label(&self) -> String {
        self.text("email").unwrap_or_else(|| self.username.clone())
    }
}

/// Whether an old account may be found by its address at all: attested, and in a domain that is proven to be the tenant's.
pub fn has_proven_address(attributes: &Map<String, Value>, proven: &Vouching) -> bool {
    let attested = attributes.get("email_verified").is_some_and(attests);
    attested && text(attributes, "email").is_some_and(|address| vouches(proven, &address))
}

/// Whom the accounts of the old connection will be at the new one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// One to one.
    pub pairs: Vec<Pair>,
    /// Several could be meant, or somebody is there already: whom it is about, and why.
    pub ambiguous: Vec<(String, String)>,
    /// Nothing pairs them.
    pub orphans: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub user_sub: String,
    pub label: String,
    /// By what they are recognised when they come.
    pub attribute: String,
    pub value: String,
}

/// A line of an uploaded list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub number: usize,
    /// The person here: `sub`, username, or the old connection's subject.
    pub person: String,
    pub value: String,
}

/// Reads a list: a heading that names the second column (`user,sub`, `user,email`, `user,custom:employee`), then a person in
/// each line. Commas, semicolons and tabs separate; blank lines are left out.
pub fn read_list(text: &str) -> Result<(String, Vec<Line>), String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let split = |(at, line): (usize, &str)| {
        let number = at + 1;
        let (left, right) = line
            .split_once([',', ';', '\t'])
            .ok_or_else(|| format!("line {number} has one column, not two"))?;
        let clean = |cell: &str| cell.trim().trim_matches('"').trim().to_owned();
        let (person, value) = (clean(left), clean(right));
        if person.is_empty() || value.is_empty() || value.contains([',', ';', '\t']) {
            return Err(format!(
                "line {number} must have a person and a value, and nothing more"
            ));
        }
        Ok(Line {
            number,
            person,
            value,
        })
    };
    let heading = lines.next().ok_or("the list is empty")?;
    let heading = split(heading)?;
    if !heading.person.eq_ignore_ascii_case("user") {
        return Err(
            "the first line must be a heading: user,sub or user,email or user and an attribute".into(),
        );
    }
    let mut read = Vec::new();
    for line in lines {
        if read.len() >= LONGEST_LIST {
            return Err(format!("the list has more than {LONGEST_LIST} lines"));
        }
        read.push(split(line)?);
    }
    if read.is_empty() {
        return Err("the list has a heading and nobody in it".into());
    }
    Ok((heading.value, read))
}

/// By what somebody is told from others at the new connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Telling<'a> {
    /// The attributes that it brings.
    pub brought: &'a [&'a str],
    /// Those of them that decide.
    pub numbers: &'a [&'a str],
}

/// Pairs the people of the old connection with what they will be recognised by at the new one. `taken` are the values that
/// somebody has come with there already, with whom.
pub fn plan(
    pairing: &Pairing,
    people: &[Person],
    lines: &[Line],
    proven: &Vouching,
    taken: &HashMap<String, String>,
    telling: Telling<'_>,
) -> Plan {
    let mut plan = Plan::default();
    let by_address = pairing.attribute() == "email";
    let candidates = match pairing {
        Pairing::List { attribute } => listed(attribute, people, lines, &mut plan),
        Pairing::Attribute { name: attribute } => valued(attribute, people, &mut plan),
    };
    let mut of_value: BTreeMap<String, Vec<&Person>> = BTreeMap::new();
    for (person, value) in candidates {
        if by_address && !vouches(proven, &value) {
            let why = format!("{value} is in no domain that is proven to be the tenant's");
            plan.orphans.push((person.label(), why));
        } else if by_address && pairing.trusts_profiles() && !has_proven_address(&person.attributes, proven) {
            let why = "nobody has vouched for the address that the account has here".to_owned();
            plan.orphans.push((person.label(), why));
        } else if pairing.trusts_profiles()
            && let Some(why) = indistinct(&person.attributes, telling.brought, telling.numbers)
        {
            plan.ambiguous.push((person.label(), why));
        } else {
            of_value.entry(value).or_default().push(person);
        }
    }
    for (value, people) in of_value {
        let owner = taken.get(&value);
        for person in &people {
            let why = match owner {
                Some(owner) if *owner == person.sub => continue,
                Some(owner) => {
                    format!("another account, {owner}, has come by the new connection with '{value}'")
                }
                None if people.len() > 1 => format!("{} accounts have '{value}'", people.len()),
                None => {
                    plan.pairs.push(Pair {
                        user_sub: person.sub.clone(),
                        label: person.label(),
                        attribute: pairing.attribute().to_owned(),
                        value: value.clone(),
                    });
                    continue;
                }
            };
            plan.ambiguous.push((person.label(), why));
        }
    }
    plan
}

/// Those who have a value, by the profile.
fn valued<'a>(attribute: &str, people: &'a [Person], plan: &mut Plan) -> Vec<(&'a Person, String)> {
    let mut found = Vec::new();
    for person in people {
        match person.text(attribute) {
            Some(value) => found.push((person, value)),
            None => plan
                .orphans
                .push((person.label(), format!("the account has no {attribute}"))),
        }
    }
    found
}

/// Those whom the list names, each once.
fn listed<'a>(
    attribute: &str,
    people: &'a [Person],
    lines: &[Line],
    plan: &mut Plan,
) -> Vec<(&'a Person, String)> {
    let mut by_name: HashMap<&str, Vec<&Person>> = HashMap::new();
    for person in people {
        let mut names = vec![
            person.sub.as_str(),
            person.username.as_str(),
            person.subject.as_str(),
        ];
        names.dedup();
        for name in names {
            let known = by_name.entry(name).or_default();
            if !known.iter().any(|one| one.sub == person.sub) {
                known.push(person);
            }
        }
    }
    let mut of_person: BTreeMap<&str, Vec<(&Person, &Line)>> = BTreeMap::new();
    for line in lines {
        match by_name.get(line.person.as_str()).map(Vec::as_slice) {
            Some([person]) => of_person
                .entry(person.sub.as_str())
                .or_default()
                .push((*person, line)),
            Some(several) => plan.ambiguous.push((
                line.person.clone(),
                format!("line {}: {} accounts are called that", line.number, several.len()),
            )),
            None => plan.orphans.push((
                line.person.clone(),
                format!(
                    "line {}: nobody of the old connection is called that",
                    line.number
                ),
            )),
        }
    }
    for person in people {
        if !of_person.contains_key(person.sub.as_str()) {
            plan.orphans
                .push((person.label(), "the list does not name them".into()));
        }
    }
    let mut found = Vec::new();
    for lines in of_person.into_values() {
        match lines.as_slice() {
            [(person, line)] => found.push((
                *person,
                if attribute == "email" {
                    email::folded(&line.value)
                } else {
                    line.value.clone()
                },
            )),
            [(person, _), ..] => plan.ambiguous.push((
                person.label(),
                format!("the list names them {} times", lines.len()),
            )),
            [] => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::tenant_domain::Proven;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    fn person(name: &str, address: &str) -> Person {
        Person {
            sub: format!("sub-{name}"),
            username: format!("google_{name}"),
            subject: format!("g-{name}"),
            attributes: map(json!({ "email": address, "email_verified": true, "name": name })),
        }
    }

    fn acme() -> Vouching {
        Vouching::Within(vec![Proven {
            tenant_id: "acme".into(),
            domain: "acme.test".into(),
            subdomains: false,
        }])
    }

    const TELLING: Telling<'static> = Telling {
        brought: &["email", "name"],
        numbers: &[],
    };

    fn by_email() -> Pairing {
        Pairing::Attribute { name: "email".into() }
    }

    #[test]
    fn addresses_pair_one_to_one_within_proven_domains() {
        let mut unverified = person("eve", "eve@acme.test");
        unverified
            .attributes
            .insert("email_verified".into(), json!(false));
        let people = [
            person("ann", "Ann@acme.test"),
            person("bob", "both@acme.test"),
            person("cy", "both@acme.test"),
            person("dan", "dan@elsewhere.test"),
            unverified,
            person("fay", "fay@acme.test"),
            person("gil", ""),
        ];
        let taken = HashMap::from([("fay@acme.test".to_owned(), "sub-other".to_owned())]);
        let plan = plan(&by_email(), &people, &[], &acme(), &taken, TELLING);
        let pairs: Vec<_> = plan
            .pairs
            .iter()
            .map(|pair| (pair.user_sub.as_str(), pair.value.as_str()))
            .collect();
        assert_eq!(pairs, [("sub-ann", "ann@acme.test")]);
        assert_eq!(plan.ambiguous.len(), 3, "{plan:?}");
        assert_eq!(plan.orphans.len(), 3, "{plan:?}");
    }

    #[test]
    fn whom_nothing_tells_from_somebody_else_with_the_address_is_ambiguous() {
        let people = [person("ann", "ann@acme.test")];
        for (brought, numbers, paired) in [
            (["email", "name"].as_slice(), [].as_slice(), 1),
            (&["email"], &[], 0),
            (&["email", "given_name", "family_name"], &[], 0),
            (&["email"], &["custom:no"], 0),
        ] {
            let telling = Telling { brought, numbers };
            let plan = plan(&by_email(), &people, &[], &acme(), &HashMap::new(), telling);
            assert_eq!(
                (plan.pairs.len(), plan.ambiguous.len()),
                (paired, 1 - paired),
                "{brought:?}"
            );
        }
    }

    #[test]
    fn who_has_come_already_as_themselves_needs_nothing() {
        let taken = HashMap::from([("ann@acme.test".to_owned(), "sub-ann".to_owned())]);
        let plan = plan(
            &by_email(),
            &[person("ann", "ann@acme.test")],
            &[],
            &acme(),
            &taken,
            TELLING,
        );
        assert_eq!(plan, Plan::default());
    }

    #[test]
    fn a_list_pairs_those_whom_it_names_once() {
        let text =
            "\u{feff}User;sub\r\n\r\nsub-ann;00u1\ngoogle_bob\t00u2\ng-cy,00u3\ng-cy,00u4\nnobody,00u5\n";
        let (attribute, lines) = read_list(text).unwrap();
        assert_eq!((attribute.as_str(), lines.len()), ("sub", 5));
        let people = [
            person("ann", ""),
            person("bob", ""),
            person("cy", ""),
            person("dan", ""),
        ];
        let pairing = Pairing::List { attribute };
        let plan = plan(
            &pairing,
            &people,
            &lines,
            &acme(),
            &HashMap::new(),
            Telling::default(),
        );
        let pairs: Vec<_> = plan
            .pairs
            .iter()
            .map(|pair| (pair.user_sub.as_str(), pair.value.as_str()))
            .collect();
        assert_eq!(pairs, [("sub-ann", "00u1"), ("sub-bob", "00u2")]);
        assert_eq!(plan.ambiguous.len(), 1, "{plan:?}");
        assert_eq!(plan.orphans.len(), 2, "{plan:?}");
    }

    #[test]
    fn two_lines_for_one_account_there_are_ambiguous() {
        let (attribute, lines) = read_list("user,sub\ng-ann,00u1\ng-bob,00u1\n").unwrap();
        let people = [person("ann", ""), person("bob", "")];
        let plan = plan(
            &Pairing::List { attribute },
            &people,
            &lines,
            &acme(),
            &HashMap::new(),
            Telling::default(),
        );
        assert_eq!((plan.pairs.len(), plan.ambiguous.len()), (0, 2));
    }

    #[test]
    fn a_list_that_is_none_is_refused_with_the_line() {
        for (text, why) in [
            ("", "empty"),
            ("user", "line 1"),
            ("ann,00u1", "heading"),
            ("user,sub", "nobody"),
            ("user,sub\nann\n", "line 2"),
            ("user,sub\nann,\n", "line 2"),
            ("user,sub\nann,1;2\n", "line 2"),
        ] {
            let refused = read_list(text).unwrap_err();
            assert!(refused.contains(why), "{text:?}: {refused}");
        }
    }
}
