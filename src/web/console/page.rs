//! What is alike on every page of the console: the frame around it, its headers, the way on after a form.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;

use super::door::Admin;
use crate::rules::params::{self, Params};

/// What surrounds a page: who is signed in, where one is, what was just done.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The administrator's name or address.
    pub who: String,
    pub operates: bool,
    /// Sees pools as a whole, not only tenants.
    pub has_pools: bool,
    /// May change something somewhere.
    pub may_change: bool,
    /// The room whose entry in the navigation is marked.
    pub room: &'static str,
    pub csrf: String,
    /// What the last form did, from [`done`].
    pub notice: Option<&'static str>,
    /// The tenant whose Okta is connected by a set-up link: there is nothing else to go to.
    pub set_up: Option<String>,
}

impl Frame {
    /// `query` is the request's own: it says what was done before.
    pub fn new(admin: &Admin, room: &'static str, query: &str) -> Frame {
        let said = Params::parse(query.as_bytes())
            .ok()
            .and_then(|params| params.get("done").map(str::to_owned));
        Frame {
            who: admin.administrator.email.clone(),
            operates: admin.rights.operates,
            has_pools: admin.sees().everything || !admin.sees().pools.is_empty(),
            may_change: !admin.changes().is_nothing(),
            room,
            csrf: admin.csrf.clone(),
            notice: said.and_then(|said| {
                NOTICES
                    .iter()
                    .find(|(name, _)| *name == said)
                    .map(|(_, text)| *text)
            }),
            set_up: admin.set_up.as_ref().map(|holder| holder.tenant.name.clone()),
        }
    }
}

/// What [`done`] can say on the next page. A sentence that is not here is not shown: nobody puts words on our pages by a
/// link.
const NOTICES: &[(&str, &str)] = &[
    ("created", "Created."),
    ("saved", "Saved."),
    ("deleted", "Deleted."),
    ("unbound", "Unbound."),
    ("disabled", "Disabled."),
    ("enabled", "Enabled."),
    ("signed-out", "Signed out everywhere."),
    ("rolled-back", "Rolled back, as a new version."),
    (
        "enforced",
        "It is on, and ends by itself in 15 minutes unless you confirm it after a new sign-in.",
    ),
    ("rotated", "Rotated."),
    (
        "rotating",
        "The new keys are published. They sign as soon as every app can know them.",
    ),
    ("sent", "Sent."),
    (
        "welcome",
        "Welcome. Add a passkey here, and you need no password to sign in.",
    ),
    ("password", "Password changed. All other sessions have ended."),
    ("passkey", "Passkey added."),
    ("passkey-removed", "Passkey removed."),
    ("session-ended", "Session ended."),
    ("sessions-ended", "All sessions ended."),
    (
        "values-open",
        "Claims are open for 15 minutes. Each sign-in you look at is recorded.",
    ),
    ("values-closed", "Claims are closed."),
    ("probed", "Looked at it just now."),
    (
        "probing",
        "It is being looked at; open this page again in a moment.",
    ),
    ("accepted", "Accepted: this is expected from now on."),
    (
        "queued",
        "On its way: open this page again in a moment to see what was answered.",
    ),
    (
        "draft",
        "The connection is a draft now: nobody is offered it until it goes live.",
    ),
    ("live", "The connection is live."),
    ("revoked", "Revoked. Whoever was working with it is out."),
    ("noted", "Noted."),
    (
        "moving",
        "Made. Each person moves at their next sign-in by the new connection.",
    ),
    (
        "closed",
        "Closed. Whoever comes the old way is led to the new one.",
    ),
    (
        "canary",
        "Saved. From now on these people are sent to the other connection.",
    ),
    ("promoted", "Promoted. Everybody is sent to the other connection."),
    ("aborted", "Aborted. Everybody comes by this connection again."),
    ("undone", "Undone. The old way is open again."),
    (
        "issuer-secret",
        "Saved. The client secret was entered for the old issuer and is forgotten: enter it again under Credentials.",
    ),
];

/// A page with the policy that goes with it.
pub fn html(status: StatusCode, page: &impl Template) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    finish(&mut answer, page)
}

/// The page as the answer to a GET.
pub fn show(page: &impl Template) -> HttpResponse {
    html(StatusCode::OK, page)
}

/// The page again, with what is wrong at its fields.
pub fn refused(page: &impl Template) -> HttpResponse {
    html(StatusCode::UNPROCESSABLE_ENTITY, page)
}

/// After a form: to `path`, where the frame says what was done. `said` is a name of `NOTICES`.
pub fn done(path: &str, said: &str) -> HttpResponse {
    let joint = if path.contains('?') { '&' } else { '?' };
    HttpResponse::SeeOther()
        .insert_header((
            header::LOCATION,
            format!("{path}{joint}{}", params::encode([("done", said)])),
        ))
        .finish()
}

fn finish(answer: &mut HttpResponseBuilder, page: &impl Template) -> HttpResponse {
    let html = page.render().unwrap_or_else(|cause| {
        tracing::error!(%cause, "a page could not be rendered");
        answer.status(StatusCode::INTERNAL_SERVER_ERROR);
        "This page could not be shown.".into()
    });
    headers(answer).body(html)
}

/// What goes with every page: nothing but our own files, forms to ourselves alone.
pub fn headers(answer: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    answer
        .content_type("text/html; charset=utf-8")
        // With "no-referrer" a browser hides from us, too, where a form comes from: it sends "Origin: null".
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ))
}

#[cfg(test)]
mod tests;
