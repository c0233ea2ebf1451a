//! `forebay trace show`: the story of one sign-in, readable: steps, what the mapping did, what to do.

use clap::Subcommand;
use serde_json::{Value, json};

use super::output::{Output, facts, plain, table};
use super::store::Store;
use super::{Failure, Outcome};
use crate::config::Settings;
use crate::model::trace::{self, MappingEffect, Outcome as Ending, Trace};
use crate::rules::secret;

#[derive(Subcommand)]
pub enum Command {
    /// Show the story of the sign-in with this code, as it stands on the user's page (K7Q-2FM)
    Show { code: String },
}

pub fn run(settings: &Settings, output: Output, command: Command) -> Outcome {
    let Command::Show { code } = command;
    let Some(normal) = secret::normalize_trace_code(&code) else {
        return Err(Failure::Refused(format!(
            "'{code}' is no trace code: they have six letters and digits, such as K7Q-2FM, without 0, 1, I and O"
        )));
    };
    let store = Store::open(settings)?;
    let wanted = normal.clone();
    let found = store.read(move |conn| Ok(trace::find(conn, &wanted)?))?;
    let Some(trace) = found else {
        return Err(Failure::Refused(format!(
            "there is no trace {normal}: it was never written, or its time is over"
        )));
    };
    output.answer(&document(&trace), || describe(&trace))
}

fn document(trace: &Trace) -> Value {
    json!({
        "code": trace.code,
        "user_pool_id": trace.user_pool_id,
        "provider_id": trace.provider_id,
        "client_id": trace.client_id,
        "user_sub": trace.user_sub,
        "outcome": trace.outcome,
        "cause": trace.cause,
        "reached_provider": trace.reached_provider,
        "story": trace.story,
        "started_at": trace.started_at.to_string(),
        "expires_at": trace.expires_at.to_string(),
    })
}

fn describe(trace: &Trace) -> String {
    let outcome = match trace.outcome {
        Ending::SignedIn => "signed in".to_owned(),
        Ending::Refused => format!("refused ({})", trace.cause),
        Ending::Failed => format!("failed ({})", trace.cause),
    };
    let known = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut text = format!("Sign-in {}: {outcome}\n\n", trace.code);
    text.push_str(&facts(&[
        ("when", trace.started_at.to_string()),
        ("pool", known(&trace.user_pool_id)),
        ("app client", known(&trace.client_id)),
        ("connection", known(&trace.provider_id)),
        ("user", known(&trace.user_sub)),
        ("kept until", trace.expires_at.to_string()),
    ]));
    text.push_str("\nSteps:\n");
    let width = trace
        .story
        .steps
        .iter()
        .map(|step| step.name.chars().count())
        .max()
        .unwrap_or_default();
    for step in &trace.story.steps {
        let mark = if step.passed { '✓' } else { '✗' };
        let line = format!(
            "  {mark} {:<width$}  {}",
            plain(&step.name),
            plain(&step.detail).replace('\n', " ")
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if !trace.story.effects.is_empty() {
        text.push_str("\nMapping:\n");
        let rows: Vec<Vec<String>> = trace.story.effects.iter().map(row).collect();
        for line in table(&["ATTRIBUTE", "FROM", "WHAT", "OLD", "NEW", "WHY"], &rows).lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    if !trace.story.remedy.is_empty() {
        text.push_str(&format!("\nWhat to do:\n  {}\n", plain(&trace.story.remedy)));
    }
    text
}

fn row(effect: &MappingEffect) -> Vec<String> {
    vec![
        effect.target.clone(),
        effect.source.clone(),
        effect.action.clone(),
        effect.old.clone().unwrap_or_default(),
        effect.new.clone().unwrap_or_default(),
        effect.reason.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Json;
    use crate::model::trace::{Step, Story};
    use crate::world::UnixTime;

    #[test]
    fn a_story_reads_from_top_to_bottom() {
        let step = |name: &str, passed: bool, detail: &str| Step {
            name: name.into(),
            passed,
            detail: detail.into(),
        };
        let trace = Trace {
            code: "K7Q-2FM".into(),
            user_pool_id: Some("us-local-1_A".into()),
            provider_id: Some("acme-okta".into()),
            client_id: Some("portal".into()),
            user_sub: None,
            outcome: Ending::Refused,
            cause: "attributes_required".into(),
            reached_provider: true,
            story: Json(Story {
                steps: vec![
                    step("authorize", true, "code, openid email"),
                    step("mapping", false, "email has no value"),
                ],
                effects: vec![MappingEffect {
                    target: "email".into(),
                    source: "mail".into(),
                    action: "refused".into(),
                    old: None,
                    new: None,
                    reason: "the claim did not come".into(),
                }],
                remedy: "Map email from the claim email.".into(),
                ..Story::default()
            }),
            started_at: UnixTime(1_790_000_000),
            expires_at: UnixTime(1_790_086_400),
            person_hash: None,
        };
        assert_eq!(
            describe(&trace),
            "Sign-in K7Q-2FM: refused (attributes_required)\n\n\
             \x20 when        2026-09-21T14:13:20Z\n\
             \x20 pool        us-local-1_A\n\
             \x20 app client  portal\n\
             \x20 connection  acme-okta\n\
             \x20 kept until  2026-09-22T14:13:20Z\n\n\
             Steps:\n\
             \x20 ✓ authorize  code, openid email\n\
             \x20 ✗ mapping    email has no value\n\n\
             Mapping:\n\
             \x20 ATTRIBUTE  FROM  WHAT     OLD  NEW  WHY\n\
             \x20 email      mail  refused            the claim did not come\n\n\
             What to do:\n\
             \x20 Map email from the claim email.\n"
        );
    }
}
