//! The authorize endpoint: finds out whether a person must still sign in or consent, whether they may enter the
//! app, and sends the browser back with a code or an error.
//!
//! What a request must look like is `authorize_request`'s matter, how an answer travels `authorize_answer`'s; the
//! pages that a person sees on the way are `sign_in`'s.

use super::authorize_answer::{refuse, send_back};
use super::authorize_request::{self, Authorization};
use super::directory::{App, Person};
use super::faults::{AuthorizeFault, GroupsFault};
use super::state::{CODE_SECONDS, Code, SIGN_IN_SECONDS, Session, SignIn};
use super::{Answer, Server, Visit, pages, sign_in};

/// GET or POST of the authorize endpoint.
pub fn authorize(visit: &mut Visit<'_>, server: Server) -> Answer {
    let authorization = authorize_request::check(visit, server)?;
    for fault in &visit.faults.authorize {
        if let AuthorizeFault::Error { error, description } = fault {
            return refuse(
                visit,
                &authorization,
                error,
                description.as_deref().unwrap_or_default(),
            );
        }
    }
    let session = sign_in::session(visit);
    let fresh = session.as_ref().is_some_and(|session| {
        authorization
            .max_age
            .is_none_or(|seconds| visit.now.since(session.auth_time) <= seconds)
            && authorization.max_age != Some(0)
    });
    match session {
        Some(session) if fresh && !authorization.prompt_login => {
            proceed(visit, authorization, &session, false)
        }
        Some(_) if authorization.prompt_none => {
            let why =
                "The client specified not to prompt, but the client app requires re-authentication or MFA.";
            refuse(visit, &authorization, "login_required", why)
        }
        None if authorization.prompt_none => {
            let why = "The client specified not to prompt, but the user is not logged in.";
            refuse(visit, &authorization, "login_required", why)
        }
        _ => {
            let label = authorize_request::app(visit, &authorization.client_id)?.label;
            let hint = authorization.login_hint.clone().unwrap_or_default();
            let ticket = park(visit, authorization);
            Ok(pages::sign_in(
                visit.setup,
                &format!("/signin/{ticket}"),
                &label,
                &hint,
                None,
            ))
        }
    }
}

/// Keeps the request until the person has done their part.
fn park(visit: &mut Visit<'_>, authorization: Authorization) -> String {
    let ticket = visit.random();
    visit.state.tidy(visit.now);
    let expires = visit.now.plus(SIGN_IN_SECONDS);
    visit.state.sign_ins.insert(
        ticket.clone(),
        SignIn {
            authorization,
            expires,
        },
    );
    ticket
}

/// The rest, once somebody is signed in: assignment, policy, consent, code.
pub fn proceed(
    visit: &mut Visit<'_>,
    authorization: Authorization,
    session: &Session,
    consented: bool,
) -> Answer {
    let app = authorize_request::app(visit, &authorization.client_id)?;
    let Some(person) = visit.state.person(&session.person_id).cloned() else {
        return refuse(visit, &authorization, "access_denied", "Invalid session.");
    };
    if let Some((error, description)) = objection(visit, &authorization, &app, &person) {
        return refuse(visit, &authorization, error, description);
    }
    if authorization.prompt_consent && !consented {
        let scopes = authorization.scopes.clone();
        let ticket = park(visit, authorization);
        return Ok(pages::consent(
            visit.setup,
            &format!("/consent/{ticket}"),
            &app.label,
            &person,
            &scopes,
        ));
    }
    let code = visit.random();
    visit.state.tidy(visit.now);
    visit.state.codes.insert(
        code.clone(),
        Code {
            authorization: authorization.clone(),
            person_id: person.id,
            auth_time: session.auth_time,
            expires: visit.now.plus(CODE_SECONDS),
        },
    );
    let parameters = vec![
        ("code".to_owned(), code),
        ("state".to_owned(), authorization.state.clone()),
    ];
    Ok(send_back(visit, &authorization, parameters))
}

/// Why this person may not enter this app now.
fn objection(
    visit: &Visit<'_>,
    authorization: &Authorization,
    app: &App,
    person: &Person,
) -> Option<(&'static str, &'static str)> {
    if !app.admits(person) || visit.faults.authorize.contains(&AuthorizeFault::Unassigned) {
        return Some(("access_denied", "User is not assigned to the client application."));
    }
    if visit.faults.authorize.contains(&AuthorizeFault::PolicyFailed) {
        return Some((
            "access_denied",
            "Policy evaluation failed for this request, please check the policy configurations.",
        ));
    }
    let groups_wanted =
        authorization.server == Server::Default || authorization.scopes.iter().any(|scope| scope == "groups");
    let too_many = person.groups.len() > 100 || visit.faults.groups == Some(GroupsFault::TooMany);
    if app.groups_claim && groups_wanted && too_many {
        return Some((
            "server_error",
            "The groups claim matched too many groups and must be configured to match fewer groups.",
        ));
    }
    None
}
