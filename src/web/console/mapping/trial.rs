//! A draft tried out: on one sign-in, attribute by attribute and with the tokens each app would get; and on many, as the
//! sentence of what would have changed. Nothing of it is kept.
//!
//! What came from a real person is shown redacted, unless it stands in the profile already, which the administrator may
//! read anyway: a draft must not be a way around the redaction of claims. An expression can make the name of a group of
//! any claim, so groups are named only where the pool has them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use serde_json::{Map, Value};

use super::seen::People;
use crate::actions::mappings::past;
use crate::actions::mappings::preview::{self, Given};
use crate::actions::mappings::replay::{self, Entry, Options};
use crate::db::Conn;
use crate::error::Error;
use crate::model::group;
use crate::model::provider::Provider;
use crate::model::reach::Reach;
use crate::model::user::search;
use crate::rules::attribute::outside;
use crate::rules::claims::sample::Sample;
use crate::rules::mapping::Compiled;
use crate::rules::mapping::replay::{Admission, Told};
use crate::rules::redact;
use crate::seal::Sealer;
use crate::web::console::time::Moment;
use crate::world::UnixTime;

/// Sign-ins that stand below one sentence of a replay.
const LISTED: usize = 50;
/// Differences that are told of one sign-in.
const LINES: usize = 10;
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
    /// The rules cost so much that not all were looked at that were asked for.
    pub cut: bool,
    pub took: String,
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

/// The groups that may be named.
struct Named(BTreeSet<String>);

impl Named {
    fn of(conn: &mut Conn, bench: &Bench<'_>) -> Result<Named, Error> {
        let names = group::names(conn, &bench.provider.user_pool_id)?;
        Ok(Named(names.into_iter().collect()))
    }

    fn shown(&self, name: &str) -> String {
        if self.0.contains(name) {
            name.to_owned()
        } else {
            redact::hidden(name)
        }
    }

    fn all(&self, names: &[String]) -> Vec<String> {
        names.iter().map(|name| self.shown(name)).collect()
    }
}

/// Tries the rules on claims that somebody pasted: shown as they are.
pub fn on_pasted(
    conn: &mut Conn,
    bench: &Bench<'_>,
    rules: &Compiled,
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
    rules: &Compiled,
    trace_code: &str,
) -> Result<Result<PreviewView, String>, Error> {
    let Some(past) = past::by_trace(conn, bench.sealer, bench.now, bench.provider, trace_code)? else {
        return Ok(Err("this sign-in is not kept any more: choose another".into()));
    };
    let label = People::new(bench.sees).label(conn, past.user_sub.as_deref(), past.label(false))?;
    let given = Given::again(conn, bench.provider, past)?;
    let own = match &given.user_sub {
        Some(sub) => search::find_own(conn, bench.sees, sub)?.is_some(),
        None => true,
    };
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
    rules: &Compiled,
    given: &Given,
    open: bool,
    own: bool,
) -> Result<PreviewView, Error> {
    let preview = preview::preview(conn, bench.provider, rules, given)?;
    let samples = preview::tokens(conn, bench.issuer, bench.now, bench.provider, given, &preview)?;
    let known = given.existing.as_ref().filter(|_| own);
    let mut named = Named::of(conn, bench)?;
    if open {
        named.0.extend(preview.groups.held.iter().cloned());
    }
    let veiled =
        |name: &str, value: &Value| !open && known.is_none_or(|known| known.get(name) != Some(value));
    let redacted = |name: &str, value: &Value| redact::attribute(name, value, rules.rules.computes(name));
    let told = |name: &str, value: &Value| {
        if veiled(name, value) {
            redacted(name, value)
        } else {
            outside(value)
        }
    };
    let mut veil: BTreeMap<&str, String> = preview
        .attributes
        .iter()
        .filter(|(name, value)| veiled(name, value))
        .map(|(name, value)| (name.as_str(), redacted(name, value)))
        .collect();
    if !open && known.is_none() {
        // They hold the subject.
        for name in ["cognito:username", "username", "identities"] {
            veil.insert(name, "redacted".into());
        }
    }
    let veil = Veil { values: veil, named };
    let named = &veil.named;
    Ok(PreviewView {
        on: String::new(),
        veiled: !veil.values.is_empty(),
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
            .map(|name| named.shown(name))
            .collect(),
        joined: named.all(&preview.groups.joined),
        left: named.all(&preview.groups.left),
        left_out: preview
            .left_out
            .iter()
            .map(|effect| {
                let name = effect.target.strip_prefix("group:").unwrap_or(&effect.target);
                let name = match name {
                    "*" | "?" => name.to_owned(),
                    name if open => name.to_owned(),
                    name => named.shown(name),
                };
                (name, effect.reason.clone())
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

/// What tokens must not show.
struct Veil<'a> {
    /// Claims, with what stands in their place.
    values: BTreeMap<&'a str, String>,
    named: Named,
}

fn app(id: String, name: String, sample: Sample, veil: &Veil<'_>) -> AppView {
    AppView {
        id,
        name,
        id_token: sample.id_token.map(|token| told(token, veil)),
        access_token: told(sample.access_token, veil),
        userinfo: pretty(sample.userinfo, veil),
        breaches: sample.breaches.iter().map(ToString::to_string).collect(),
    }
}

fn told<E: std::fmt::Display>(token: Result<Map<String, Value>, E>, veil: &Veil<'_>) -> String {
    match token {
        Ok(claims) => pretty(claims, veil),
        Err(why) => format!("It would not be issued: {why}"),
    }
}

fn pretty(mut claims: Map<String, Value>, veil: &Veil<'_>) -> String {
    for (name, redacted) in &veil.values {
        if let Some(value) = claims.get_mut(*name) {
            *value = Value::String(redacted.clone());
        }
    }
    if let Some(Value::Array(groups)) = claims.get_mut("cognito:groups") {
        for group in groups {
            if let Value::String(name) = group {
                *name = veil.named.shown(name);
            }
        }
    }
    serde_json::to_string_pretty(&claims).unwrap_or_default()
}

/// Tries the draft on the last sign-ins, beside the rules in force.
pub fn on_many(
    conn: &mut Conn,
    bench: &Bench<'_>,
    live: &Compiled,
    draft: &Compiled,
    last: usize,
) -> Result<ReplayView, Error> {
    let begun = Instant::now();
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
    let named = Named::of(conn, bench)?;
    let mut people = People::new(bench.sees);
    let mut sentences = Vec::new();
    let by_sentence = by_sentence(&report.differences);
    for (told, count) in report.summary.told() {
        let mut entries = Vec::new();
        for entry in by_sentence.get(&told).into_iter().flatten().take(LISTED) {
            entries.push(EntryView {
                trace_code: entry.trace_code.clone(),
                at: Moment(entry.at),
                user_sub: entry.user_sub.clone(),
                label: people.label(conn, entry.user_sub.as_deref(), entry.label.clone())?,
                differences: differences(entry, &named),
            });
        }
        sentences.push(SentenceView {
            more: match told {
                Told::Unchanged | Told::More(_) => 0,
                _ => count.saturating_sub(entries.len()),
            },
            kind: match told {
                Told::Refused(_) | Told::RefusedOtherwise => "bad",
                Told::Unchanged | Told::More(_) => "quiet",
                Told::Admitted | Told::Joined(_) | Told::Gained(_) => "good",
                Told::Left(_) | Told::Lost(_) | Told::Changed(_) => "warn",
            },
            text: match told {
                Told::Left(name) => Told::Left(named.shown(&name)),
                Told::Joined(name) => Told::Joined(named.shown(&name)),
                told => told,
            }
            .sentence(count),
            entries,
        });
    }
    Ok(ReplayView {
        sign_ins: report.sign_ins,
        unreadable: report.unreadable,
        cut: report.cut,
        took: format!("{:.1} s", begun.elapsed().as_secs_f64()),
        veiled: sentences.iter().any(|sentence| !sentence.entries.is_empty()),
        sentences,
    })
}

/// The sign-ins that each sentence counts, the newest first.
fn by_sentence(entries: &[Entry]) -> HashMap<Told, Vec<&Entry>> {
    let mut by: HashMap<Told, Vec<&Entry>> = HashMap::new();
    for entry in entries {
        let admission = match &entry.admission {
            Admission::Same => None,
            Admission::NewlyRefused(refused) => Some(Told::Refused(refused.detail.clone())),
            Admission::NewlyAdmitted(_) => Some(Told::Admitted),
            Admission::RefusedOtherwise { .. } => Some(Told::RefusedOtherwise),
        };
        let left = entry.left.iter().cloned().map(Told::Left);
        let joined = entry.joined.iter().cloned().map(Told::Joined);
        let attributes = entry
            .attributes
            .iter()
            .map(|change| match (&change.live, &change.draft) {
                (_, None) => Told::Lost(change.name.clone()),
                (None, _) => Told::Gained(change.name.clone()),
                _ => Told::Changed(change.name.clone()),
            });
        for told in admission.into_iter().chain(left).chain(joined).chain(attributes) {
            by.entry(told).or_default().push(entry);
        }
    }
    by
}

/// What would be another at this sign-in, as far as there is room.
fn differences(entry: &Entry, named: &Named) -> Vec<String> {
    let mut all: Vec<String> = match &entry.admission {
        Admission::Same => Vec::new(),
        Admission::NewlyRefused(refused) => vec![format!("refused: {}", refused.detail)],
        Admission::NewlyAdmitted(refused) => vec![format!("let in; refused now: {}", refused.detail)],
        Admission::RefusedOtherwise { live, draft } => {
            vec![format!("refused: {}; refused now: {}", draft.detail, live.detail)]
        }
    };
    let left = entry.left.iter();
    all.extend(left.map(|name| format!("leaves group {}", named.shown(name))));
    let joined = entry.joined.iter();
    all.extend(joined.map(|name| format!("joins group {}", named.shown(name))));
    all.extend(entry.attributes.iter().map(|change| {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
        format!(
            "{}: {} → {}",
            change.name,
            shown(&change.live),
            shown(&change.draft)
        )
    }));
    if all.len() > LINES {
        let more = all.len() - LINES;
        all.truncate(LINES);
        all.push(format!("and {more} more"));
    }
    all
}
