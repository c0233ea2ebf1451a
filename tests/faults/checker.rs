//! The checker: the operation log and the database, after a run, against the invariants I1 to I7. Pure, so that its own
//! tests can show it a doubled code or a lost family and see it found.
//!
//! What ended "unknown" may have been done or not, but never twice; what was answered with 200 must be there.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use forebay::rules::secret;

use super::log::{Issued, Operation, Outcome, Request};
use super::rows::Rows;

/// How long a revocation may take to be known on every node.
const KNOWN_EVERYWHERE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Acknowledged, and not there.
    Lost,
    /// Done more than once.
    Doubled,
    Wrong,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    pub invariant: &'static str,
    pub kind: Kind,
    pub what: String,
}

/// Whom the driver speaks for: what every token has to say.
#[derive(Clone, Debug)]
pub struct Own {
    pub issuer: String,
}

pub fn check(operations: &[Operation], rows: &Rows, own: &Own) -> Vec<Violation> {
    let mut found = Findings(Vec::new());
    codes_are_spent_once(operations, &mut found);
    what_was_acknowledged_is_there(operations, rows, &mut found);
    what_was_revoked_stays_so(operations, rows, &mut found);
    people_stay_who_they_are(operations, &mut found);
    tokens_are_the_drivers_own(operations, rows, own, &mut found);
    rows_are_whole(rows, &mut found);
    the_audit_log_agrees(operations, rows, &mut found);
    found.0
}

struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, invariant: &'static str, kind: Kind, what: String) {
        self.0.push(Violation {
            invariant,
            kind,
            what,
        });
    }
}

fn issued(operation: &Operation) -> Option<&Issued> {
    match &operation.outcome {
        Outcome::Done(issued) => issued.as_ref(),
        _ => None,
    }
}

/// I1: each code has at most one success. The very same answer, given again to who lost it, would be no second one.
fn codes_are_spent_once(operations: &[Operation], found: &mut Findings) {
    let mut successes: HashMap<&str, HashSet<&[u8]>> = HashMap::new();
    for operation in operations {
        if let (Request::Exchange { code }, Outcome::Done(_)) = (&operation.request, &operation.outcome) {
            successes.entry(code).or_default().insert(&operation.answer_hash);
        }
    }
    for (code, answers) in successes {
        let count = answers.len();
        if count > 1 {
            found.add(
                "I1",
                Kind::Doubled,
                format!("code {code} was exchanged {count} times"),
            );
        }
    }
}

/// The family of a token or a code, as the database has it.
fn family_of(request: &Request, rows: &Rows) -> Option<String> {
    match request {
        Request::Exchange { code } => rows
            .codes
            .get(&secret::hash(code))
            .map(|code| code.origin_jti.clone()),
        Request::Refresh { token } | Request::Revoke { token } => rows
            .tokens
            .get(&secret::hash(token))
            .map(|token| token.origin_jti.clone()),
    }
}

/// The families that may have ended lawfully: by a revocation, or because their code was shown a second time.
fn may_have_ended(operations: &[Operation], rows: &Rows) -> HashSet<String> {
    let mut ended = HashSet::new();
    let mut shown: HashMap<&str, usize> = HashMap::new();
    for operation in operations {
        match &operation.request {
            Request::Revoke { .. } if operation.outcome.may_be_done() => {
                ended.extend(family_of(&operation.request, rows));
            }
            Request::Exchange { code } if operation.outcome != Outcome::NotSent => {
                let times = shown.entry(code).or_default();
                *times += 1;
                if *times > 1 {
                    ended.extend(family_of(&operation.request, rows));
                }
            }
            _ => {}
        }
    }
    ended
}

/// I2: an exchange answered with 200 has spent its code and founded its family; a refresh token answered with 200 is there
/// and works, or its successor does, unless its family was revoked.
fn what_was_acknowledged_is_there(operations: &[Operation], rows: &Rows, found: &mut Findings) {
    let ended = may_have_ended(operations, rows);
    let mut given = HashSet::new();
    for operation in operations {
        let Some(issued) = issued(operation) else { continue };
        if let Request::Exchange { code } = &operation.request {
            match rows.codes.get(&secret::hash(code)) {
                Some(row) if row.is_spent => {}
                _ => found.add(
                    "I2",
                    Kind::Lost,
                    format!("code {code} was exchanged, and is not spent"),
                ),
            }
        }
        let jti = issued.access["origin_jti"].as_str().unwrap_or_default();
        match rows.families.get(jti) {
            None => found.add("I2", Kind::Lost, format!("the family {jti} is not there")),
            Some(family) if family.is_revoked && !ended.contains(jti) => {
                found.add("I2", Kind::Lost, format!("nobody revoked the family {jti}"));
            }
            Some(_) => {}
        }
        if let Some(token) = &issued.refresh {
            given.insert(token.as_str());
            if !rows.tokens.contains_key(&secret::hash(token)) {
                found.add("I2", Kind::Lost, format!("a refresh token of {jti} is not there"));
            }
        }
    }
    for operation in operations {
        if let (Request::Refresh { token }, Outcome::Refused(error)) =
            (&operation.request, &operation.outcome)
            && given.contains(token.as_str())
            && family_of(&operation.request, rows).is_none_or(|jti| !ended.contains(&jti))
        {
            found.add(
                "I2",
                Kind::Lost,
                format!("a refresh token that was given is refused: {error}"),
            );
        }
    }
}

/// I3: nothing that was revoked with 200 succeeds in a request that begins more than two seconds later.
fn what_was_revoked_stays_so(operations: &[Operation], rows: &Rows, found: &mut Findings) {
    let mut revoked: HashMap<String, Duration> = HashMap::new();
    for operation in operations {
        if let (Request::Revoke { .. }, Outcome::Done(_)) = (&operation.request, &operation.outcome)
            && let Some(jti) = family_of(&operation.request, rows)
        {
            if rows.families.get(&jti).is_some_and(|family| !family.is_revoked) {
                found.add("I3", Kind::Lost, format!("the revocation of {jti} is not there"));
            }
            let first = revoked.entry(jti).or_insert(operation.ended);
            *first = operation.ended.min(*first);
        }
    }
    for operation in operations {
        if let (Request::Refresh { .. }, Outcome::Done(_)) = (&operation.request, &operation.outcome)
            && let Some(jti) = family_of(&operation.request, rows)
            && revoked
                .get(&jti)
                .is_some_and(|&at| operation.began > at + KNOWN_EVERYWHERE)
        {
            found.add(
                "I3",
                Kind::Wrong,
                format!("{jti} was revoked, and a token of it works"),
            );
        }
    }
}

/// I4: each user's `sub` is constant, and two users never share one.
fn people_stay_who_they_are(operations: &[Operation], found: &mut Findings) {
    let (mut subs, mut names) = (HashMap::new(), HashMap::new());
    for issued in operations.iter().filter_map(issued) {
        let (Some(sub), Some(name)) = (issued.id["sub"].as_str(), issued.id["cognito:username"].as_str())
        else {
            found.add("I4", Kind::Wrong, "an ID token names nobody".into());
            continue;
        };
        if *subs.entry(name).or_insert(sub) != sub {
            found.add("I4", Kind::Doubled, format!("{name} has two subs"));
        }
        if *names.entry(sub).or_insert(name) != name {
            found.add("I4", Kind::Wrong, format!("two users share {sub}"));
        }
    }
}

/// I5: each token is about the user, for the client and from the pool that were asked.
fn tokens_are_the_drivers_own(operations: &[Operation], rows: &Rows, own: &Own, found: &mut Findings) {
    for operation in operations {
        let Some(issued) = issued(operation) else { continue };
        for (what, told, expected) in [
            ("sub", &issued.id["sub"], operation.sub.as_str()),
            ("sub", &issued.access["sub"], &operation.sub),
            ("aud", &issued.id["aud"], operation.client),
            ("client_id", &issued.access["client_id"], operation.client),
            ("iss", &issued.id["iss"], &own.issuer),
            ("iss", &issued.access["iss"], &own.issuer),
        ] {
            if told.as_str() != Some(expected) {
                found.add(
                    "I5",
                    Kind::Wrong,
                    format!("{what} is {told} and should be {expected}"),
                );
            }
        }
        let jti = issued.access["origin_jti"].as_str().unwrap_or_default();
        if rows
            .families
            .get(jti)
            .is_some_and(|family| family.client_id != operation.client)
        {
            found.add("I5", Kind::Wrong, format!("the family {jti} is another client's"));
        }
    }
}

/// I6: nothing is there by half, and nobody twice.
fn rows_are_whole(rows: &Rows, found: &mut Findings) {
    let mut leaves: HashMap<&str, usize> = HashMap::new();
    for token in rows.tokens.values() {
        if !rows.families.contains_key(&token.origin_jti) {
            found.add(
                "I6",
                Kind::Wrong,
                format!("a refresh token of no family {}", token.origin_jti),
            );
        }
        *leaves.entry(&token.origin_jti).or_default() += usize::from(!token.is_rotated);
    }
    for (jti, family) in &rows.families {
        if !rows.users.contains(&family.user_sub) {
            found.add("I6", Kind::Wrong, format!("the family {jti} is nobody's"));
        }
        match leaves.get(jti.as_str()).copied().unwrap_or_default() {
            1 => {}
            0 => found.add("I6", Kind::Lost, format!("the family {jti} has no live token")),
            many => found.add(
                "I6",
                Kind::Doubled,
                format!("the family {jti} has {many} live tokens"),
            ),
        }
    }
    for code in rows.codes.values() {
        if !code.is_spent && rows.families.contains_key(&code.origin_jti) {
            found.add(
                "I6",
                Kind::Wrong,
                format!("{} has a family, and its code is not spent", code.origin_jti),
            );
        }
        if code.is_spent && !rows.families.contains_key(&code.origin_jti) {
            found.add(
                "I6",
                Kind::Lost,
                format!("{} is spent, and has no family", code.origin_jti),
            );
        }
    }
    let mut owners = HashMap::new();
    for (connection, subject, user) in &rows.identities {
        if *owners.entry((connection, subject)).or_insert(user) != user {
            found.add(
                "I6",
                Kind::Doubled,
                format!("{connection} has two users for {subject}"),
            );
        }
        if !rows.users.contains(user) {
            found.add("I6", Kind::Wrong, format!("{subject} of {connection} is nobody"));
        }
    }
}

/// I7: the audit log has one event for each family that was revoked, and none for another.
fn the_audit_log_agrees(operations: &[Operation], rows: &Rows, found: &mut Findings) {
    let ended = may_have_ended(operations, rows);
    for (jti, family) in &rows.families {
        let events = rows.revocations.get(jti).copied().unwrap_or_default();
        match (family.is_revoked, events) {
            (false, 0) | (true, 1) => {}
            (true, 0) => found.add("I7", Kind::Lost, format!("no event says that {jti} was revoked")),
            (true, _) => found.add(
                "I7",
                Kind::Doubled,
                format!("{events} events say that {jti} was revoked"),
            ),
            (false, _) => found.add(
                "I7",
                Kind::Wrong,
                format!("an event says that {jti} was revoked, and it lives"),
            ),
        }
        if events > 0 && !ended.contains(jti) {
            found.add(
                "I7",
                Kind::Wrong,
                format!("an event says that {jti} was revoked, and nobody asked"),
            );
        }
    }
}
