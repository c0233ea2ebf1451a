//! May this user enter this app? The app's rules, each a CEL expression with a name and somebody to ask, and how strongly
//! people must have signed in. Asked wherever a session, a code or tokens are given out; what cannot be computed refuses.
//!
//! ```
//! use forebay::rules::access;
//!
//! let staff = access::compile("'staff' in groups && connection == 'acme-okta'").unwrap();
//! assert!(access::compile("user.email").is_err(), "an answer is yes or no");
//! assert!(access::compile("claims.groups == []").is_err(), "a rule speaks of users, not of claims");
//! # drop(staff);
//! ```

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use serde_json::{Map, Value, json};

use super::mapping::Steps;
use super::mapping::expression::{self, Expression, Kind, Names};
use super::oauth_error::OAuthError;
use super::refusal::{Refusal, Through};
use super::{grant, upstream_error};
use crate::error::Error;
use crate::model::client::{AccessRule, Settings};
use crate::model::group::Group;
use crate::model::pool;
use crate::model::user::User;

/// What a rule can speak of. `user` has the attributes, `sub` and `username`; `connection` is a connection's slug, or
/// `COGNITO` for a password of ours; `tenant` is '' where the connection is nobody's own.
const NAMES: &[&str] = &["user", "groups", "tenant", "connection", "amr"];
/// Rules of one app.
pub const MOST_RULES: usize = 10;
const LONGEST_NAME: usize = 64;
const LONGEST_CONTACT: usize = 200;
/// All of an app's essential `acr` values together, in bytes: they travel in the login's cookie.
const LONGEST_ACR: usize = 256;

/// Somebody at the door.
#[derive(Clone, Copy, Debug)]
pub struct Entrant<'a> {
    pub user: &'a User,
    pub groups: &'a [Group],
    /// The slug of the connection they came by.
    pub connection: &'a str,
    /// The tenant whose connection that is.
    pub tenant: Option<&'a str>,
    pub amr: &'a [String],
    pub acr: Option<&'a str>,
}

/// Why somebody stays outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Barred {
    Rule {
        name: String,
        contact: String,
        /// What was found, without values.
        found: String,
    },
    /// The organisation of that domain, or of that name, lets its people in by one way only.
    OnlyThrough { whose: String, through: Through },
    /// The organisation has moved to another connection since.
    Moved { to: String, through: Through },
    /// Not signed in strongly enough.
    Acr { wanted: String, had: Option<String> },
}

impl Barred {
    /// For the trace.
    pub fn seen(&self) -> String {
        match self {
            Barred::Rule { name, found, .. } => format!("the access rule '{name}' refused: {found}"),
            Barred::OnlyThrough { whose, through } => {
                format!("people of {whose} sign in through {} only", through.label)
            }
            Barred::Moved { to, .. } => format!("moved to {to}: the old connection is closed to them"),
            Barred::Acr { wanted, had } => format!(
                "the app requires acr {wanted}; the sign-in has {}",
                had.as_deref().unwrap_or("none")
            ),
        }
    }

    /// For the person, who sees which rule it was and whom to ask.
    pub fn refusal(&self, app: &str) -> Refusal {
        match self {
            Barred::Rule { name, contact, .. } => Refusal::access_rule(app, name, contact),
            Barred::OnlyThrough { whose, through } => Refusal::only_through(whose, through),
            Barred::Moved { through, .. } => Refusal {
                through: Some(through.clone()),
                ..Refusal::moved(&through.label)
            },
            Barred::Acr { .. } => upstream_error::Cause::AcrNotMet.refusal(app, None, None).into(),
        }
    }

    /// For an app that comes with a code or a token.
    pub fn invalid_grant(&self) -> OAuthError {
        match self {
            Barred::Rule { .. } => grant::invalid_grant("the app's access rules refuse the user"),
            Barred::OnlyThrough { .. } => {
                grant::invalid_grant("the user's organisation has closed that way in")
            }
            Barred::Moved { .. } => {
                grant::invalid_grant("the user's organisation has moved to another connection")
            }
            Barred::Acr { .. } => {
                grant::invalid_grant("the user did not sign in as strongly as the app requires")
            }
        }
    }
}

/// Whether the app itself lets in everybody who has signed in.
pub fn is_open(settings: &Settings) -> bool {
    settings.access.is_empty() && settings.requires_acr.is_empty()
}

/// Every rule must let them in; the first that does not is told.
pub fn check(settings: &Settings, entrant: &Entrant<'_>) -> Result<(), Barred> {
    if !acr_suffices(settings, entrant.acr) {
        return Err(Barred::Acr {
            wanted: settings.requires_acr.join(" or "),
            had: entrant.acr.map(str::to_owned),
        });
    }
    if settings.access.is_empty() {
        return Ok(());
    }
    let (facts, mut steps) = (facts(entrant), Steps::default());
    for rule in &settings.access {
        if let Err(found) = holds(&rule.expression, &facts, &mut steps) {
            return Err(Barred::Rule {
                name: rule.name.clone(),
                contact: rule.contact.clone(),
                found,
            });
        }
    }
    Ok(())
}

fn holds(text: &str, facts: &Map<String, Value>, steps: &mut Steps) -> Result<(), String> {
    let expression = compiled(text);
    let expression = expression
        .as_ref()
        .as_ref()
        .map_err(|why| format!("it cannot be read: {why}"))?;
    match expression.value_within(facts, steps) {
        Ok(Some(Value::Bool(true))) => Ok(()),
        Ok(Some(Value::Bool(false))) => Err("it does not hold for this user".into()),
        Ok(None) => Err("it speaks of something that the profile does not have".into()),
        Ok(Some(_)) => Err("it gave neither yes nor no".into()),
        Err(why) => Err(format!("it cannot be computed: {why}")),
    }
}

fn facts(entrant: &Entrant<'_>) -> Map<String, Value> {
    let mut user = entrant.user.attributes.0.clone();
    user.insert("sub".into(), json!(entrant.user.sub));
    user.insert("username".into(), json!(entrant.user.username));
    let groups: Vec<&str> = entrant.groups.iter().map(|group| group.name.as_str()).collect();
    let mut facts = Map::new();
    for (name, value) in [
        ("user", Value::Object(user)),
        ("groups", json!(groups)),
        ("tenant", json!(entrant.tenant.unwrap_or_default())),
        ("connection", json!(entrant.connection)),
        ("amr", json!(entrant.amr)),
    ] {
        facts.insert(name.into(), value);
    }
    facts
}

/// Whether a sign-in with this `acr` is strong enough for the app.
pub fn acr_suffices(settings: &Settings, acr: Option<&str>) -> bool {
    settings.requires_acr.is_empty()
        || acr.is_some_and(|acr| settings.requires_acr.iter().any(|one| one == acr))
}

/// The `acr_values` that the upstream is asked for: of what the request wishes what the app accepts, else all of that.
/// What the app requires is checked in the answer; a request's wish is voluntary (OIDC Core §3.1.2.1), and what came of it
/// stands in the tokens' `acr`.
pub fn acr_to_ask(settings: &Settings, wished: Option<&str>) -> Option<String> {
    let wished = wished.map(str::trim).filter(|text| !text.is_empty());
    if settings.requires_acr.is_empty() {
        return wished.map(str::to_owned);
    }
    let accepted: Vec<&str> = wished
        .unwrap_or_default()
        .split_ascii_whitespace()
        .filter(|value| settings.requires_acr.iter().any(|one| one == value))
        .collect();
    Some(match accepted.is_empty() {
        true => settings.requires_acr.join(" "),
        false => accepted.join(" "),
    })
}

/// Compiles a rule; the error completes the sentence "the rule …".
pub fn compile(text: &str) -> Result<Expression, String> {
    let expression = expression::compile_with(text, Names::Members(NAMES))
        .map_err(|why| format!("has a mistake in its expression: {why}"))?;
    if expression.is_constant() {
        return Err("says the same of everybody".into());
    }
    match expression.kind() {
        Some(Kind::Truth) => Ok(expression),
        Some(other) => Err(format!("gives {}: it must say yes or no", other.words())),
        None => Err(
            "does not say for certain that it gives yes or no: compare, as in user['custom:level'] == 3"
                .into(),
        ),
    }
}

/// What is wrong with an app's rules and its essential `acr` values.
pub fn check_settings(settings: &Settings, pool: &pool::Settings) -> Result<(), Error> {
    let wrong = |why: String| Err(Error::invalid("access", why));
    if settings.access.len() > MOST_RULES {
        return wrong(format!("there are more than {MOST_RULES} rules"));
    }
    for (at, rule) in settings.access.iter().enumerate() {
        let AccessRule {
            name,
            expression,
            contact,
        } = rule;
        if !is_line(name, LONGEST_NAME) {
            return wrong(format!(
                "a rule's name has 1-{LONGEST_NAME} characters on one line"
            ));
        }
        if settings.access.iter().take(at).any(|other| other.name == *name) {
            return wrong(format!("there are two rules named '{name}'"));
        }
        if !is_line(contact, LONGEST_CONTACT) {
            return wrong(format!(
                "'{name}' needs somebody whom people can ask: 1-{LONGEST_CONTACT} characters on one line"
            ));
        }
        let expression =
            compile(expression).map_err(|why| Error::invalid("access", format!("'{name}' {why}")))?;
        let members = expression.members_of("user");
        let unknown = members
            .iter()
            .find(|member| !matches!(**member, "sub" | "username") && pool.attribute(member).is_none());
        if let Some(unknown) = unknown {
            return wrong(format!(
                "'{name}' speaks of user.{unknown}, but the pool has no such attribute"
            ));
        }
    }
    let is_value = |value: &String| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
    if !settings.requires_acr.iter().all(is_value) || settings.requires_acr.join(" ").len() > LONGEST_ACR {
        return Err(Error::invalid(
            "requires_acr",
            format!("values are visible ASCII without blanks, and {LONGEST_ACR} characters together"),
        ));
    }
    Ok(())
}

fn is_line(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

/// The expression of that text, compiled at its first use: a parser works on a thread of its own, which is nothing to do
/// at every sign-in. Only what was checked on save comes here, and no more than a set number is remembered.
fn compiled(text: &str) -> Arc<Result<Expression, String>> {
    /// An expression with its patterns takes some hundred kilobytes at the most.
    const REMEMBERED: usize = 256;
    type Known = HashMap<String, Arc<Result<Expression, String>>>;
    static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(expression) = known.get(text) {
        return expression.clone();
    }
    drop(known);
    let made = Arc::new(compile(text));
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(text.to_owned(), made.clone());
    made
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::db::Json;
    use crate::model::user::Status;
    use crate::world::UnixTime;

    fn user(attributes: Value) -> User {
        User {
            sub: "5e1f".into(),
            user_pool_id: "pool".into(),
            username: "acme-okta_00u1".into(),
            status: Status::ExternalProvider,
            enabled: true,
            attributes: Json(attributes.as_object().unwrap().clone()),
            created_at: UnixTime(0),
            updated_at: UnixTime(0),
        }
    }

    fn rule(name: &str, expression: &str) -> AccessRule {
        AccessRule {
            name: name.into(),
            expression: expression.into(),
            contact: "it@acme.test".into(),
        }
    }

    fn app(rules: &[&str]) -> Settings {
        Settings {
            access: rules.iter().map(|text| rule(text, text)).collect(),
            ..Settings::default()
        }
    }

    fn group(name: &str) -> Group {
        Group {
            user_pool_id: "pool".into(),
            name: name.into(),
            description: None,
            precedence: None,
            role_arn: None,
            created_at: UnixTime(0),
            updated_at: UnixTime(0),
        }
    }

    #[test]
    fn a_rule_speaks_of_user_groups_tenant_connection_and_amr() {
        let user = user(json!({ "email": "ada@acme.test", "custom:level": 3 }));
        let (groups, amr) = ([group("staff")], ["pwd".to_owned(), "mfa".to_owned()]);
        let ada = Entrant {
            user: &user,
            groups: &groups,
            connection: "acme-okta",
            tenant: Some("acme"),
            amr: &amr,
            acr: None,
        };
        for (text, enters) in [
            ("'staff' in groups", true),
            ("'admins' in groups", false),
            ("user.email.endsWith('@acme.test')", true),
            ("user['custom:level'] >= 3", true),
            ("user['custom:level'] > 3", false),
            ("user.username == 'acme-okta_00u1' && user.sub == '5e1f'", true),
            ("tenant == 'acme' && connection == 'acme-okta'", true),
            ("tenant == ''", false),
            ("'mfa' in amr", true),
            ("groups.exists(g, g.startsWith('st'))", true),
            // What the profile does not have lets nobody in, whatever is said of it.
            ("user.department != 'sales'", false),
            ("has(user.department) || 'staff' in groups", true),
            // Computed with the wrong kind of thing: refused, not let in.
            ("user.email > 3", false),
        ] {
            assert_eq!(check(&app(&[text]), &ada).is_ok(), enters, "{text}");
        }
        let nobodys = Entrant { tenant: None, ..ada };
        assert!(check(&app(&["tenant == ''"]), &nobodys).is_ok());
        // All must hold, and the first that does not is named.
        let both = app(&["'staff' in groups", "'admins' in groups", "tenant == 'globex'"]);
        let Err(Barred::Rule { name, contact, .. }) = check(&both, &ada) else {
            panic!("the second refuses");
        };
        assert_eq!(
            (name.as_str(), contact.as_str()),
            ("'admins' in groups", "it@acme.test")
        );
        assert!(check(&app(&[]), &ada).is_ok());
    }

    #[test]
    fn what_is_no_yes_or_no_about_a_known_user_is_not_saved() {
        let pool = pool::Settings::default();
        for (text, said) in [
            ("groups", "yes or no"),
            ("user.email", "yes or no"),
            ("size(groups)", "a number"),
            ("true", "the same of everybody"),
            ("'a' == 'b'", "the same of everybody"),
            ("claims.email == 'x'", "there is no 'claims'"),
            ("user.shoe_size == 43", "no such attribute"),
            ("user['shoe_size'] == 43", "no such attribute"),
            ("'staff' in", "mistake"),
            ("", "empty"),
        ] {
            let why = check_settings(&app(&[text]), &pool).map_err(|why| why.to_string());
            let named = Settings {
                access: vec![rule("staff", text)],
                ..Settings::default()
            };
            let why = why.and(check_settings(&named, &pool).map_err(|why| why.to_string()));
            let named = check_settings(&named, &pool).unwrap_err().to_string();
            assert!(named.contains(said), "{text}: {named}");
            assert!(why.is_err());
        }
        assert!(check_settings(&app(&["user.email == 'a' && 'b' in groups"]), &pool).is_ok());
        let twice = Settings {
            access: vec![rule("a", "'a' in groups"), rule("a", "'b' in groups")],
            ..Settings::default()
        };
        assert!(check_settings(&twice, &pool).is_err());
        let mut nobody = app(&["'a' in groups"]);
        nobody.access[0].contact = " ".into();
        assert!(
            check_settings(&nobody, &pool).is_err(),
            "somebody must be there to ask"
        );
        let many: Vec<String> = (0..=MOST_RULES).map(|n| format!("'{n}' in groups")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(check_settings(&app(&many), &pool).is_err());
    }

    #[test]
    fn an_essential_acr_is_asked_for_and_must_come() {
        let strong = Settings {
            requires_acr: vec!["phr".into(), "phrh".into()],
            ..Settings::default()
        };
        for (wished, asked) in [
            (None, "phr phrh"),
            (Some("phrh urn:other"), "phrh"),
            (Some("urn:other"), "phr phrh"),
            (Some("  "), "phr phrh"),
        ] {
            assert_eq!(acr_to_ask(&strong, wished).as_deref(), Some(asked), "{wished:?}");
        }
        assert_eq!(acr_to_ask(&Settings::default(), None), None);
        assert_eq!(
            acr_to_ask(&Settings::default(), Some("a b")).as_deref(),
            Some("a b")
        );
        assert!(acr_suffices(&strong, Some("phrh")));
        assert!(!acr_suffices(&strong, Some("phrhx")) && !acr_suffices(&strong, None));
        assert!(acr_suffices(&Settings::default(), None));
        for bad in ["", "a b", "ä", &"x".repeat(LONGEST_ACR + 1)] {
            let settings = Settings {
                requires_acr: vec![bad.into()],
                ..Settings::default()
            };
            assert!(
                check_settings(&settings, &pool::Settings::default()).is_err(),
                "{bad}"
            );
        }
    }
}
