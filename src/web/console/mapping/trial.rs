//! A draft tried out: on one sign-in, attribute by attribute and with the tokens each app would get; and on many, as the
//! sentence of what would have changed. Nothing of it is kept.
//!
//! What came from a real person is shown redacted, unless it stands in the profile already, which the administrator may
//! read anyway: a draft must not be a way around the redaction of claims.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::seen::People;
use crate::actions::mappings::past;
use crate::actions::mappings::preview::{self, Given};
use crate::actions::mappings::replay::{self, Entry, Options};
use crate::db::Conn;
use crate::error::Error;
use crate::model::group;
use crate::model::mapping::Rules;
use crate::model::provider::Provider;
use crate::model::reach::Reach;
use crate::model::user::{self, search};
use crate::rules::attribute::outside;
use crate::rules::claims::sample::Sample;
use crate::rules::mapping::replay::{Admission, Told};
use crate::rules::redact;
use crate::seal::Sealer;
use crate::web::console::time::Moment;
use crate::world::UnixTime;

/// Sign-ins that stand below one sentence of a replay.
const LISTED: usize = 50;
/// How many sign-ins a replay can look at.
pub const LASTS: [usize; 3] = [50, 200, 1_000];

/// What is needed to try rules out.
pub struct Bench<'a> {
    pub sealer: &'a Sealer,
    pub now: UnixTime,
    /// The pool's.
    pub issuer: &'a str,
    pub provider: &'a Provider,
    pub sees: &'a Reach,
}

#[derive(Clone, Debug, Default)]
pub struct PreviewView {
    /// What it was tried on.
    pub on: String,
    pub veiled: bool,
    pub lines: Vec<LineView>,
    pub joined: Vec<String>,
    pub left: Vec<String>,
    pub kept: Vec<String>,
    pub left_out: Vec<(String, String)>,
    pub refusal: Option<RefusalView>,
    pub apps: Vec<AppView>,
}

#[derive(Clone, Debug)]
pub struct LineView {
    pub attribute: String,
    /// As the page counts, from one.
    pub rule: Option<usize>,
    pub source: String,
    pub action: String,
    pub old: Option<String>,
    pub new: Option<String>,
    pub reason: String,
}

#[derive(Clone, Debug)]
pub struct RefusalView {
    pub cause: &'static str,
    pub detail: String,
    pub remedy: String,
}

/// What one app would get.
#[derive(Clone, Debug)]
pub struct AppView {
    pub id: String,
    pub name: String,
    pub id_token: Option<String>,
    pub access_token: String,
    pub userinfo: String,
    pub breaches: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct ReplayView {
    pub sign_ins: usize,
    pub unreadable: usize,
    pub sentences: Vec<SentenceView>,
    pub veiled: bool,
}

#[derive(Clone, Debug)]
pub struct SentenceView {
    pub text: String,
    /// "good", "bad", "warn" or "quiet".
    pub kind: &'static str,
    pub entries: Vec<EntryView>,
    /// Sign-ins that are counted and not listed.
    pub more: usize,
}

#[derive(Clone, Debug)]
pub struct EntryView {
    pub trace_code: String,
    pub at: Moment,
    pub user_sub: Option<String>,
    pub label: String,
    pub differences: Vec<String>,
}

/// Tries the rules on claims that somebody pasted: shown as they are.
pub fn on_pasted(
    conn: &mut Conn,
    bench: &Bench<'_>,
    rules: &Rules,
    text: &str,
) -> Result<Result<PreviewView, String>, Error> {
    let claims = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(claims)) => claims,
        Ok(_) => return Ok(Err("the claims must be one JSON object: { \"email\": … }".into())),
        Err(why) => return Ok(Err(format!("this is not JSON: {why}"))),
    };
    let given = Given {
        claims,
        ..Given::default()
    };
    let view = shown(conn, bench, rules, &given, true, true)?;
    Ok(Ok(PreviewView {
        on: "the pasted claims, as a first sign-in".into(),
        ..view
    }))
}

/// Tries the rules on a sign-in of the past, as if the same claims came again now: on the profile as it is today.
pub fn on_past(
    conn: &mut Conn,
    bench: &Bench<'_>,
    rules: &Rules,
    trace_code: &str,
) -> Result<Result<PreviewView, String>, Error> {
    let Some(past) = past::by_trace(conn, bench.sealer, bench.now, bench.provider, trace_code)? else {
        return Ok(Err("this sign-in is not kept any more: choose another".into()));
    };
    let label = People::new(bench.sees).label(conn, past.user_sub.as_deref(), past.label(false))?;
    let mut given = Given::from(past);
    let user = match &given.user_sub {
        Some(sub) => user::find(conn, sub)?,
        None => None,
    };
    let mut own = true;
    if let Some(user) = &user {
        own = search::find_own(conn, bench.sees, &user.sub)?.is_some();
        given.held = group::of_user_from(conn, &user.sub, &group::by_provider(&bench.provider.id))?;
        let automatic = format!("{}_{}", user.user_pool_id, bench.provider.name);
        given.held.retain(|name| *name != automatic);
    }
    given.existing = user.map(|user| user.attributes.0);
    let view = shown(conn, bench, rules, &given, false, own)?;
    Ok(Ok(PreviewView {
        on: format!("the claims of the sign-in {trace_code} of {label}, as if they came again now"),
        ..view
    }))
}

/// `open`: the claims are the administrator's own words. `own`: the profile is theirs to read.
fn shown(
    conn: &mut Conn,
    bench: &Bench<'_>,
    rules: &Rules,
    given: &Given,
    open: bool,
    own: bool,
) -> Result<PreviewView, Error> {
    let preview = preview::preview(conn, bench.provider, rules, given)?;
    let samples = preview::tokens(conn, bench.issuer, bench.now, bench.provider, given, &preview)?;
    let known = given.existing.as_ref().filter(|_| own);
    let veiled =
        |name: &str, value: &Value| !open && known.is_none_or(|known| known.get(name) != Some(value));
    let told = |name: &str, value: &Value| {
        if veiled(name, value) {
            redact::value(name, value)
        } else {
            outside(value)
        }
    };
    let veil: BTreeMap<&str, String> = preview
        .attributes
        .iter()
        .filter(|(name, value)| veiled(name, value))
        .map(|(name, value)| (name.as_str(), redact::value(name, value)))
        .collect();
    Ok(PreviewView {
        on: String::new(),
        veiled: !veil.is_empty(),
        lines: preview
            .lines
            .iter()
            .map(|line| LineView {
                attribute: line.attribute.clone(),
                rule: line.rule.map(|index| index + 1),
                source: line.source.clone(),
                action: line.action.clone(),
                old: line.old.as_ref().map(|old| told(&line.attribute, old)),
                new: line.new.as_ref().map(|new| told(&line.attribute, new)),
                reason: line.reason.clone(),
            })
            .collect(),
        kept: preview
            .groups
            .held
            .iter()
            .filter(|name| !preview.groups.joined.contains(name))
            .cloned()
            .collect(),
        joined: preview.groups.joined.clone(),
        left: preview.groups.left.clone(),
        left_out: preview
            .left_out
            .iter()
            .map(|effect| {
                let name = effect.target.strip_prefix("group:").unwrap_or(&effect.target);
                (name.to_owned(), effect.reason.clone())
            })
            .collect(),
        refusal: preview.refusal.as_ref().map(|refusal| RefusalView {
            cause: refusal.cause,
            detail: refusal.detail.clone(),
            remedy: refusal.remedy.clone(),
        }),
        apps: samples
            .into_iter()
            .map(|(client, sample)| app(client.id, client.name, sample, &veil))
            .collect(),
    })
}

fn app(id: String, name: String, sample: Sample, veil: &BTreeMap<&str, String>) -> AppView {
    AppView {
        id,
        name,
        id_token: sample.id_token.map(|token| told(token, veil)),
        access_token: told(sample.access_token, veil),
        userinfo: pretty(sample.userinfo, veil),
        breaches: sample.breaches.iter().map(ToString::to_string).collect(),
    }
}

fn told<E: std::fmt::Display>(token: Result<Map<String, Value>, E>, veil: &BTreeMap<&str, String>) -> String {
    match token {
        Ok(claims) => pretty(claims, veil),
        Err(why) => format!("It would not be issued: {why}"),
    }
}

fn pretty(mut claims: Map<String, Value>, veil: &BTreeMap<&str, String>) -> String {
    for (name, redacted) in veil {
        if let Some(value) = claims.get_mut(*name) {
            *value = Value::String(redacted.clone());
        }
    }
    serde_json::to_string_pretty(&claims).unwrap_or_default()
}

/// Tries the draft on the last sign-ins, beside the rules in force.
pub fn on_many(
    conn: &mut Conn,
    bench: &Bench<'_>,
    live: &Rules,
    draft: &Rules,
    last: usize,
) -> Result<ReplayView, Error> {
    let options = Options { last, open: false };
    let report = replay::replay(
        conn,
        bench.sealer,
        bench.now,
        bench.provider,
        live,
        draft,
        options,
    )?;
    let mut people = People::new(bench.sees);
    let mut sentences = Vec::new();
    for (told, count) in report.summary.told() {
        let concerned = report
            .differences
            .iter()
            .filter(|entry| concerns(&told, entry))
            .take(LISTED);
        let mut entries = Vec::new();
        for entry in concerned {
            entries.push(EntryView {
                trace_code: entry.trace_code.clone(),
                at: Moment(entry.at),
                user_sub: entry.user_sub.clone(),
                label: people.label(conn, entry.user_sub.as_deref(), entry.label.clone())?,
                differences: differences(entry),
            });
        }
        sentences.push(SentenceView {
            more: match told {
                Told::Unchanged => 0,
                _ => count.saturating_sub(entries.len()),
            },
            kind: match told {
                Told::Refused(_) | Told::RefusedOtherwise => "bad",
                Told::Unchanged => "quiet",
                Told::Admitted | Told::Joined(_) | Told::Gained(_) => "good",
                Told::Left(_) | Told::Lost(_) | Told::Changed(_) => "warn",
            },
            text: told.sentence(count),
            entries,
        });
    }
    Ok(ReplayView {
        sign_ins: report.sign_ins,
        unreadable: report.unreadable,
        veiled: sentences.iter().any(|sentence| !sentence.entries.is_empty()),
        sentences,
    })
}

/// Whether the sentence counts this sign-in.
fn concerns(told: &Told, entry: &Entry) -> bool {
    let attribute = |name: &str| entry.attributes.iter().find(|change| change.name == name);
    match told {
        Told::Unchanged => false,
        Told::Refused(detail) => {
            matches!(&entry.admission, Admission::NewlyRefused(refused) if refused.detail == *detail)
        }
        Told::Admitted => matches!(entry.admission, Admission::NewlyAdmitted(_)),
        Told::RefusedOtherwise => matches!(entry.admission, Admission::RefusedOtherwise { .. }),
        Told::Left(name) => entry.left.contains(name),
        Told::Joined(name) => entry.joined.contains(name),
        Told::Lost(name) => attribute(name).is_some_and(|change| change.draft.is_none()),
        Told::Gained(name) => attribute(name).is_some_and(|change| change.live.is_none()),
        Told::Changed(name) => {
            attribute(name).is_some_and(|change| change.draft.is_some() && change.live.is_some())
        }
    }
}

/// Everything that would be another at this sign-in.
fn differences(entry: &Entry) -> Vec<String> {
    let mut all: Vec<String> = match &entry.admission {
        Admission::Same => Vec::new(),
        Admission::NewlyRefused(refused) => vec![format!("refused: {}", refused.detail)],
        Admission::NewlyAdmitted(refused) => vec![format!("let in; refused now: {}", refused.detail)],
        Admission::RefusedOtherwise { live, draft } => {
            vec![format!("refused: {}; refused now: {}", draft.detail, live.detail)]
        }
    };
    all.extend(entry.left.iter().map(|name| format!("leaves group {name}")));
    all.extend(entry.joined.iter().map(|name| format!("joins group {name}")));
    all.extend(entry.attributes.iter().map(|change| {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
        format!(
            "{}: {} → {}",
            change.name,
            shown(&change.live),
            shown(&change.draft)
        )
    }));
    all
}
