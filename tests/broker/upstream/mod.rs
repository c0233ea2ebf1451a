//! The upstream leg through the front door: whatever an organisation sends, the user gets a page that names it, the app
//! the right OAuth error behind that page's link, the administrator a trace; and nobody a token, unless all was right.

mod callback_errors;
mod client_authentication;
mod groups;
mod id_token_faults;
mod identity;
mod logout;
mod many_at_once;
mod mapping;
mod metadata_faults;
mod mix_up;
pub mod okta_api;
mod organisation;
mod replay;
mod requests;
mod slow;
mod token_endpoint_faults;
mod twice;
mod two_oktas;
mod userinfo_faults;

use diesel::prelude::*;
use forebay::db::schema;
use forebay::demo::okta::{Endpoint, Okta};
use forebay::model::trace::{Outcome, Trace};
use serde_json::Value;

use crate::support::{APP, Answer, Stage, Tokens, claims, links, query_of};

macro_rules! rows {
    ($conn:expr, $($table:ident),*) => {
        vec![$((stringify!($table), schema::$table::table.count().get_result::<i64>($conn).unwrap())),*]
    };
}

/// The rows that only a successful sign-in may add.
pub fn rows(stage: &Stage) -> Vec<(&'static str, i64)> {
    stage.act(|conn| {
        rows!(
            conn,
            users,
            identities,
            memberships,
            sessions,
            authorization_codes,
            token_families,
            refresh_tokens
        )
    })
}

/// One try in a new browser.
pub async fn attempt(stage: &Stage, login: &str) -> Answer {
    stage.browser().sign_in(login, &stage.authorize(&[])).await
}

/// What the organisation was asked on the back channel, in order.
pub fn asked(okta: &Okta) -> Vec<Endpoint> {
    okta.requests()
        .iter()
        .filter_map(|seen| Endpoint::of(&seen.path))
        .filter(|endpoint| {
            matches!(
                endpoint,
                Endpoint::Discovery | Endpoint::Keys | Endpoint::Token | Endpoint::Userinfo
            )
        })
        .collect()
}

/// Asserts everything about the page of a refused sign-in: the cause by its name, no session, the trace behind the code
/// with what failed and what to do, and the app's error behind the link. Gives the trace.
#[track_caller]
pub fn refused(stage: &Stage, page: &Answer, cause: &str, error: &str) -> Trace {
    let trace = explained(stage, page, cause);
    let back = back_to_app(page).unwrap_or_else(|| panic!("{cause}: no way back to the app: {page:?}"));
    assert_eq!(query_of(&back, "error").as_deref(), Some(error), "{cause}");
    assert_eq!(query_of(&back, "state").as_deref(), Some("st"), "{cause}");
    assert_eq!(query_of(&back, "iss"), Some(stage.issuer()), "{cause}");
    assert_eq!(query_of(&back, "code"), None, "{cause}");
    let description = query_of(&back, "error_description").unwrap_or_default();
    let plain = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    assert!(
        !description.is_empty() && description.chars().all(plain),
        "{cause}: {description}"
    );
    trace
}

/// The page and its trace, where no app is known to go back to.
#[track_caller]
pub fn explained(stage: &Stage, page: &Answer, cause: &str) -> Trace {
    assert!(
        matches!(page.status, 403 | 502),
        "expected the page of {cause}: {page:?}"
    );
    assert!(
        page.body.contains(&format!("<code>{cause}</code>")),
        "the page does not name {cause}: {page:?}"
    );
    assert_eq!(page.header("location"), None);
    assert_eq!(page.header("cache-control"), Some("no-store"), "{page:?}");
    assert!(
        page.all("set-cookie")
            .iter()
            .all(|line| line.contains("Max-Age=0")),
        "a refusal gives no cookie: {page:?}"
    );
    let code = page.trace_code().unwrap_or_else(|| panic!("no code on {page:?}"));
    let trace = stage.trace(&code);
    assert_eq!(trace.cause, cause);
    assert_ne!(trace.outcome, Outcome::SignedIn);
    assert_ne!(failing(&trace), None, "{cause}: no step failed: {trace:?}");
    assert!(!trace.story.remedy.is_empty(), "{cause}: {trace:?}");
    trace
}

/// The first step of a trace that failed.
pub fn failing(trace: &Trace) -> Option<&str> {
    let step = trace.story.steps.iter().find(|step| !step.passed)?;
    Some(&step.name)
}

/// The page's link back to the sample web app.
pub fn back_to_app(page: &Answer) -> Option<String> {
    links(&page.body)
        .into_iter()
        .find(|href| href.starts_with(&format!("{APP}/callback?")))
}

/// The page's link that begins with this path and holds this text.
#[track_caller]
pub fn link_with(page: &Answer, start: &str, holding: &str) -> String {
    links(&page.body)
        .into_iter()
        .find(|href| href.starts_with(start) && href.contains(holding))
        .unwrap_or_else(|| panic!("no link {start}…{holding}: {page:?}"))
}

/// Asserts that a try succeeded and gives the claims of the ID token.
pub async fn signed_in(stage: &Stage, back: &Answer) -> Value {
    let location = back.clone().expect(302).location().to_owned();
    assert!(location.starts_with(&format!("{APP}/callback?code=")), "{back:?}");
    let code = query_of(&location, "code").unwrap();
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    claims(tokens.id.as_deref().unwrap())
}

/// One whole sign-in that succeeds: the claims of the ID token.
pub async fn signs_in(stage: &Stage, login: &str) -> Value {
    let back = attempt(stage, login).await;
    signed_in(stage, &back).await
}
