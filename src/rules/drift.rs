//! Claim drift: notices when a claim that used to come has stopped, or comes with another type, from names and types
//! alone.
//!
//! A claim is missing when its run of absences could hardly be chance: with the share of sign-ins that had it so far,
//! estimated low, a run of that length happens once in 10⁹. A claim of every sign-in is missed after five, one of two
//! thirds after some twenty, and a rare one only when it would be a wonder; so thousands of steady sign-ins raise nothing.
//! Somebody who has no department has none tomorrow either: in a run each person counts once.

use serde_json::{Map, Value};

use crate::model::claims_seen::{Kind, Long, Profile, Shape, Usage};
use crate::world::UnixTime;

/// Sign-ins since a claim first came before anything is said about it.
const LEARNING: f64 = 20.0;
/// Counts are halved here, so that the last thousand sign-ins or so decide.
const WEIGHT: f64 = 1_000.0;
/// How likely a run of absences may be by chance at the most.
const CHANCE: f64 = 1e-9;
/// The shortest run that is told.
const SHORTEST_RUN: u64 = 5;
/// People of a run that are remembered: who comes again after so many others counts again.
const MOST_PEOPLE: usize = 64;
/// A claim that has been gone for so long is not expected any more; nor is an old type of one.
const FORGOTTEN: i64 = 30 * 86_400;
/// Lists from this length on are remembered: Okta fails at more than 100 groups.
pub const LONG_LIST: usize = 80;
/// For how long a long list is worth a notice.
const LONG_FOR: i64 = 7 * 86_400;
/// Claims of one sign-in, and of a profile, that are looked at.
const MOST_CLAIMS: usize = 100;
const MOST_KNOWN: usize = 300;
const LONGEST_NAME: usize = 128;

/// Claims that are about the sign-in rather than the person.
const PROTOCOL: &[&str] = &[
    "iss",
    "aud",
    "azp",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "auth_time",
    "acr",
    "amr",
    "ver",
    "idp",
];

/// Names and types of what came. `null` is as good as nothing.
pub fn shape(claims: &Map<String, Value>) -> Shape {
    let mut shape = Shape::default();
    let told = claims
        .iter()
        .filter(|(name, _)| !PROTOCOL.contains(&name.as_str()) && name.len() <= LONGEST_NAME)
        .take(MOST_CLAIMS);
    for (name, value) in told {
        let kind = match value {
            Value::Null => continue,
            Value::String(_) => Kind::Text,
            Value::Number(_) => Kind::Number,
            Value::Bool(_) => Kind::Truth,
            Value::Array(items) => {
                if items.len() >= LONG_LIST {
                    shape.long.insert(name.clone(), items.len() as u64);
                }
                Kind::List
            }
            Value::Object(_) => Kind::Object,
        };
        shape.claims.insert(name.clone(), kind);
    }
    shape
}

/// Adds one sign-in to the profile.
pub fn add(profile: &mut Profile, shape: &Shape, at: UnixTime) {
    for (name, usage) in &mut profile.claims {
        match shape.claims.get(name) {
            Some(kind) => usage.came(*kind, shape.person, at),
            None => usage.stayed_away(shape.person, at),
        }
    }
    for (name, kind) in &shape.claims {
        if !profile.claims.contains_key(name) && profile.claims.len() < MOST_KNOWN {
            profile.claims.insert(name.clone(), Usage::first(*kind, at));
        }
    }
    for (name, length) in &shape.long {
        let most = profile.long.get(name).map_or(0, |long| long.most);
        let most = most.max(*length);
        profile.long.insert(name.clone(), Long { most, last: at });
    }
    forget(profile, at);
}

/// Lets go of what is long past.
pub fn forget(profile: &mut Profile, now: UnixTime) {
    profile
        .claims
        .retain(|_, usage| usage.absent == 0 || now.since(usage.last) < FORGOTTEN);
    for usage in profile.claims.values_mut() {
        if let Some((_, _, since)) = usage.odd
            && now.since(since) >= FORGOTTEN
        {
            usage.accept_type();
        }
    }
    profile.long.retain(|_, long| now.since(long.last) < LONG_FOR);
}

/// An administrator says that the claim is meant to be as it is now.
pub fn accept(profile: &mut Profile, claim: &str) {
    match profile.claims.get_mut(claim) {
        Some(usage) if usage.absent > 0 => {
            profile.claims.remove(claim);
        }
        Some(usage) => usage.accept_type(),
        None => {}
    }
}

/// What is unusual about a claim now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    Missing {
        since: UnixTime,
        /// Sign-ins in a row without it.
        run: u64,
        /// Of a hundred sign-ins before, how many had it.
        before: u64,
    },
    Type {
        since: UnixTime,
        run: u64,
        /// The type that it had.
        was: Kind,
        is: Kind,
    },
}

impl Usage {
    /// The first appearance is not counted: it is why we look at all.
    fn first(kind: Kind, at: UnixTime) -> Usage {
        Usage {
            seen: 0.0,
            present: 0.0,
            kinds: [(kind, 1)].into(),
            last: at,
            absent: 0,
            absent_since: UnixTime(0),
            odd: None,
            absent_people: Vec::new(),
            odd_people: Vec::new(),
        }
    }

    fn came(&mut self, kind: Kind, person: Option<u32>, at: UnixTime) {
        // Only now is the run of absences known to be a part of how the claim comes and goes.
        self.seen += self.absent as f64 + 1.0;
        self.present += 1.0;
        self.absent = 0;
        self.absent_people.clear();
        self.last = at;
        while self.seen > WEIGHT {
            self.seen /= 2.0;
            self.present /= 2.0;
        }
        let appearances: u64 = self.kinds.values().sum();
        if self.kinds.contains_key(&kind) || (appearances as f64) < LEARNING {
            *self.kinds.entry(kind).or_default() += 1;
            // Old and new type side by side: the claim is mixed.
            if let Some((odd, run, _)) = self.odd.take() {
                self.kinds.insert(odd, run);
            }
            self.odd_people.clear();
        } else {
            let counts = u64::from(is_new(&mut self.odd_people, person));
            self.odd = Some(match self.odd {
                Some((_, run, since)) => (kind, run + counts, since),
                None => (kind, 1, at),
            });
        }
    }

    fn stayed_away(&mut self, person: Option<u32>, at: UnixTime) {
        if self.absent == 0 {
            self.absent_since = at;
        }
        self.absent += u64::from(is_new(&mut self.absent_people, person));
    }

    fn accept_type(&mut self) {
        self.odd_people.clear();
        if let Some((kind, run, _)) = self.odd.take() {
            self.kinds = [(kind, run)].into();
        }
    }

    /// The share of sign-ins that have the claim, from 0 to 1; `None` while too few are known.
    pub fn share(&self) -> Option<f64> {
        (self.seen >= LEARNING).then(|| self.present / self.seen)
    }

    /// The type that it mostly has.
    pub fn kind(&self) -> Option<Kind> {
        self.kinds
            .iter()
            .max_by_key(|(_, count)| **count)
            .map(|(kind, _)| *kind)
    }

    pub fn drift(&self) -> Option<Drift> {
        if self.absent >= SHORTEST_RUN && self.share().is_some() && self.chance_of_run() <= CHANCE {
            let before = (100.0 * self.present / self.seen).round() as u64;
            return Some(Drift::Missing {
                since: self.absent_since,
                run: self.absent,
                before,
            });
        }
        match (self.odd, self.kind()) {
            (Some((is, run, since)), Some(was)) if run >= SHORTEST_RUN => {
                Some(Drift::Type { since, run, was, is })
            }
            _ => None,
        }
    }

    /// How likely the present run of absences is for a claim that comes as often as this one did, taken two standard
    /// deviations low.
    fn chance_of_run(&self) -> f64 {
        let share = (self.present + 1.0) / (self.seen + 2.0);
        let low = (share - 2.0 * (share * (1.0 - share) / self.seen).sqrt()).max(0.0);
        (1.0 - low).powf(self.absent as f64)
    }
}

/// Whether somebody has not come in this run yet; notes that they have now. Nobody knows who it is: then it is somebody new.
fn is_new(people: &mut Vec<u32>, person: Option<u32>) -> bool {
    let Some(person) = person else { return true };
    if people.contains(&person) {
        return false;
    }
    if people.len() >= MOST_PEOPLE {
        people.remove(0);
    }
    people.push(person);
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world::Entropy;

    /// True in so many of a thousand draws.
    fn happens(entropy: &Entropy, in_a_thousand: u64) -> bool {
        u64::from_be_bytes(entropy.bytes()) % 1_000 < in_a_thousand
    }

    fn sign_in(claims: &[(&str, Kind)]) -> Shape {
        Shape {
            claims: claims
                .iter()
                .map(|(name, kind)| ((*name).to_owned(), *kind))
                .collect(),
            ..Shape::default()
        }
    }

    fn drifting(profile: &Profile) -> Vec<&str> {
        profile
            .claims
            .iter()
            .filter(|(_, usage)| usage.drift().is_some())
            .map(|(name, _)| name.as_str())
            .collect()
    }

    #[test]
    fn steady_sign_ins_raise_nothing_whatever_share_of_them_has_a_claim() {
        let shares: Vec<u64> = vec![
            1, 2, 5, 10, 30, 50, 100, 200, 300, 500, 700, 800, 900, 950, 990, 999, 1_000,
        ];
        for seed in 0..5 {
            let entropy = Entropy::seeded(seed);
            let mut profile = Profile::default();
            for n in 0..10_000 {
                let mut shape = Shape::default();
                for share in &shares {
                    if happens(&entropy, *share) {
                        shape.claims.insert(format!("claim_{share}"), Kind::Text);
                    }
                    // A type that varies is no drift either.
                    let kind = if happens(&entropy, *share) {
                        Kind::List
                    } else {
                        Kind::Text
                    };
                    shape.claims.insert(format!("mixed_{share}"), kind);
                }
                add(&mut profile, &shape, UnixTime(n * 60));
                assert_eq!(drifting(&profile), Vec::<&str>::new(), "seed {seed}, sign-in {n}");
            }
        }
    }

    #[test]
    fn a_claim_that_stops_is_missed_within_twenty_sign_ins() {
        for (share, before) in [
            (1_000, 20),
            (1_000, 40),
            (1_000, 5_000),
            (950, 500),
            (900, 1_000),
            (750, 2_000),
        ] {
            for seed in 0..10 {
                let entropy = Entropy::seeded(seed);
                let mut profile = Profile::default();
                for n in 0..=before {
                    let mut claims = vec![("email", Kind::Text)];
                    if n == 0 || happens(&entropy, share) {
                        claims.push(("department", Kind::Text));
                    }
                    add(&mut profile, &sign_in(&claims), UnixTime(n));
                }
                let stopped = before + 1;
                let found = (0..20).find(|n| {
                    add(
                        &mut profile,
                        &sign_in(&[("email", Kind::Text)]),
                        UnixTime(stopped + n),
                    );
                    drifting(&profile) == ["department"]
                });
                assert!(
                    found.is_some(),
                    "share {share}, {before} sign-ins before, seed {seed}"
                );
                // One that everybody had is dated to the sign-in.
                if share == 1_000 {
                    let drift = profile.claims["department"].drift();
                    let Some(Drift::Missing { since, before, .. }) = drift else {
                        panic!("{drift:?}");
                    };
                    assert_eq!((since, before), (UnixTime(stopped), 100));
                }
            }
        }
    }

    #[test]
    fn what_comes_again_is_no_drift_any_more_and_what_is_gone_for_a_month_is_forgotten() {
        let mut profile = Profile::default();
        let with = sign_in(&[("email", Kind::Text), ("department", Kind::Text)]);
        let without = sign_in(&[("email", Kind::Text)]);
        (0..50).for_each(|n| add(&mut profile, &with, UnixTime(n)));
        (50..70).for_each(|n| add(&mut profile, &without, UnixTime(n)));
        assert_eq!(drifting(&profile), ["department"]);
        let mut back = profile.clone();
        add(&mut back, &with, UnixTime(70));
        assert_eq!(drifting(&back), Vec::<&str>::new());
        let mut accepted = profile.clone();
        accept(&mut accepted, "department");
        assert!(!accepted.claims.contains_key("department"));
        forget(&mut profile, UnixTime(49 + FORGOTTEN - 1));
        assert_eq!(drifting(&profile), ["department"]);
        forget(&mut profile, UnixTime(49 + FORGOTTEN));
        assert_eq!(drifting(&profile), Vec::<&str>::new());
    }

    #[test]
    fn a_type_that_changes_is_told_until_it_is_accepted_or_changes_back() {
        let mut profile = Profile::default();
        let (text, list) = (
            sign_in(&[("groups", Kind::Text)]),
            sign_in(&[("groups", Kind::List)]),
        );
        (0..30).for_each(|n| add(&mut profile, &list, UnixTime(n)));
        (30..34).for_each(|n| add(&mut profile, &text, UnixTime(n)));
        assert_eq!(profile.claims["groups"].drift(), None);
        add(&mut profile, &text, UnixTime(34));
        let expected = Drift::Type {
            since: UnixTime(30),
            run: 5,
            was: Kind::List,
            is: Kind::Text,
        };
        assert_eq!(profile.claims["groups"].drift(), Some(expected));
        let mut back = profile.clone();
        add(&mut back, &list, UnixTime(35));
        assert_eq!(back.claims["groups"].drift(), None);
        accept(&mut profile, "groups");
        assert_eq!(profile.claims["groups"].drift(), None);
        assert_eq!(profile.claims["groups"].kind(), Some(Kind::Text));
    }

    #[test]
    fn one_person_who_comes_again_and_again_raises_nothing() {
        let shape = |claims: &[(&str, Kind)], person| Shape {
            person: Some(person),
            ..sign_in(claims)
        };
        let mut profile = Profile::default();
        for n in 0..200 {
            let claims = [("department", Kind::Text), ("groups", Kind::List)];
            add(&mut profile, &shape(&claims, n), UnixTime(i64::from(n)));
        }
        // Somebody without a department, whose groups come as a text.
        let odd = [("groups", Kind::Text)];
        let mut alone = profile.clone();
        for n in 200..300 {
            add(&mut alone, &shape(&odd, 7), UnixTime(n));
            assert_eq!(drifting(&alone), Vec::<&str>::new(), "sign-in {n}");
        }
        // Everybody, each of them often.
        for n in 200..300_u32 {
            add(&mut profile, &shape(&odd, n % 10), UnixTime(i64::from(n)));
        }
        assert_eq!(drifting(&profile), ["department", "groups"]);
    }

    #[test]
    fn a_shape_holds_names_and_types_and_no_value() {
        let mut claims = json!({
            "email": "ada@acme.test", "email_verified": true, "age": 36, "address": { "country": "GB" },
            "nothing": null, "nonce": "n", "amr": ["pwd"],
        });
        claims["groups"] = (0..LONG_LIST).map(|n| json!(format!("g{n}"))).collect();
        let shape = shape(claims.as_object().expect("an object"));
        let text = serde_json::to_string(&shape).expect("JSON");
        assert_eq!(
            text,
            r#"{"claims":{"address":"object","age":"number","email":"text","email_verified":"truth","groups":"list"},"long":{"groups":80}}"#
        );
    }

    #[test]
    fn a_profile_is_bounded() {
        let mut profile = Profile::default();
        for n in 0..1_000 {
            let claims = (0..200).map(|m| (format!("claim {n} {m}"), json!(1))).collect();
            add(&mut profile, &shape(&claims), UnixTime(n));
        }
        assert!(profile.claims.len() <= MOST_KNOWN);
    }
}
