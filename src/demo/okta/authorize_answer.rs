//! How the authorize endpoint answers a relying party: in the query, the fragment or a posted form, and by
//! fault not quite as it should (RFC 6749 §4.1.2, RFC 9207).

use super::authorize_request::{Authorization, ResponseMode};
use super::faults::AuthorizeFault;
use super::http::{Pairs, Reply, with_fragment, with_query};
use super::{Answer, Server, Visit, pages};

/// The browser goes back with an error; Okta puts `state` first.
pub fn refuse(visit: &Visit<'_>, authorization: &Authorization, error: &str, description: &str) -> Answer {
    Ok(send_back(
        visit,
        authorization,
        error_parameters(Some(&authorization.state), error, description),
    ))
}

/// The parameters of an error; those without a value stay away.
pub fn error_parameters(state: Option<&str>, error: &str, description: &str) -> Pairs {
    [
        ("state", state.unwrap_or_default()),
        ("error", error),
        ("error_description", description),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// Sends the browser back to the app with these parameters.
pub fn send_back(visit: &Visit<'_>, authorization: &Authorization, parameters: Pairs) -> Reply {
    let parameters = twisted(visit, authorization.server, parameters);
    travel(
        visit,
        &authorization.redirect_uri,
        authorization.response_mode,
        parameters,
    )
}

/// The same for a redirect URI that was checked already, when the request as a whole was not.
pub fn travel(visit: &Visit<'_>, redirect_uri: &str, mode: ResponseMode, parameters: Pairs) -> Reply {
    match mode {
        ResponseMode::Query => Reply::redirect(&with_query(redirect_uri, &parameters)),
        ResponseMode::Fragment => Reply::redirect(&with_fragment(redirect_uri, &parameters)),
        ResponseMode::FormPost => pages::form_post(visit.setup, redirect_uri, parameters),
    }
}

/// The parameters of the way back with what the faults do to them.
pub fn twisted(visit: &Visit<'_>, server: Server, mut parameters: Pairs) -> Pairs {
    let lie = "a-value-that-nobody-issued";
    for fault in &visit.faults.authorize {
        let mut twice = |name: &str| parameters.insert(0, (name.to_owned(), lie.to_owned()));
        match fault {
            AuthorizeFault::IssRight => parameters.push(("iss".into(), visit.issuer(server))),
            AuthorizeFault::Iss(issuer) => parameters.push(("iss".into(), issuer.clone())),
            AuthorizeFault::StateMissing => parameters.retain(|(name, _)| name != "state"),
            AuthorizeFault::State(state) => set(&mut parameters, "state", state),
            AuthorizeFault::StateTwice => twice("state"),
            AuthorizeFault::CodeMissing => parameters.retain(|(name, _)| name != "code"),
            AuthorizeFault::Code(code) => set(&mut parameters, "code", code),
            AuthorizeFault::CodeTwice => twice("code"),
            AuthorizeFault::CodeAndError => parameters.push(("error".into(), "access_denied".into())),
            AuthorizeFault::Parameter(name, value) => parameters.push((name.clone(), value.clone())),
            // These decide earlier whether there is a code at all.
            AuthorizeFault::Error { .. } | AuthorizeFault::Unassigned | AuthorizeFault::PolicyFailed => {}
        }
    }
    parameters
}

fn set(parameters: &mut Pairs, name: &str, value: &str) {
    for (_, old) in parameters.iter_mut().filter(|(key, _)| key == name) {
        *old = value.to_owned();
    }
}
