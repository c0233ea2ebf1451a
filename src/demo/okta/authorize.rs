//! The authorize endpoint: checks the request in Okta's order and words, finds out whether a person must still
//! sign in or consent, and sends the browser back with a code or an error.
//!
//! OpenID Connect Core §3.1.2 and RFC 7636 rule what is right, Okta's published error texts how a refusal
//! sounds. The pages a person sees on the way are `sign_in`'s.

use actix_web::http::StatusCode;
use serde_json::Value;

use super::directory::{App, Person};
use super::faults::{AuthorizeFault, GroupsFault};
use super::http::{Pairs, Reply, find, with_fragment, with_query};
use super::state::{CODE_SECONDS, Code, SIGN_IN_SECONDS, Session, SignIn};
use super::{Answer, Server, Visit, pages, sign_in};

/// Scopes that need `openid` beside them.
const OPENID_SCOPES: [&str; 8] = [
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "groups",
    "offline_access",
    "device_sso",
];
const ACR_VALUES: [&str; 6] = [
    "urn:okta:loa:1fa:any",
    "urn:okta:loa:1fa:pwd",
    "urn:okta:loa:2fa:any",
    "urn:okta:loa:2fa:any:ifpossible",
    "phr",
    "phrh",
];

/// An authorize request that was found in order.
#[derive(Clone, Debug)]
pub struct Authorization {
    pub server: Server,
    pub client_id: String,
    pub redirect_uri: String,
    pub response_mode: ResponseMode,
    pub state: String,
    pub nonce: Option<String>,
    pub scopes: Vec<String>,
    pub code_challenge: Option<String>,
    pub acr: Option<String>,
    pub login_hint: Option<String>,
    pub max_age: Option<i64>,
    pub prompt_none: bool,
    pub prompt_login: bool,
    pub prompt_consent: bool,
}

/// How the answer travels back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    Query,
    Fragment,
    FormPost,
}

impl ResponseMode {
    fn parse(name: Option<&str>) -> Option<ResponseMode> {
        match name {
            None | Some("query") => Some(ResponseMode::Query),
            Some("fragment") => Some(ResponseMode::Fragment),
            Some("form_post") => Some(ResponseMode::FormPost),
            Some(_) => None,
        }
    }
}

/// GET or POST of the authorize endpoint.
pub fn authorize(visit: &mut Visit<'_>, server: Server) -> Answer {
    let authorization = check(visit, server)?;
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
            let label = app(visit, &authorization.client_id)?.label;
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
    let app = app(visit, &authorization.client_id)?;
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

fn app(visit: &Visit<'_>, client_id: &str) -> Result<App, Reply> {
    visit.state.app(client_id).cloned().ok_or_else(|| {
        page(
            visit,
            "invalid_client",
            "Invalid value for 'client_id' parameter.",
        )
    })
}

/// The browser goes back with an error; Okta puts `state` first.
pub fn refuse(visit: &Visit<'_>, authorization: &Authorization, error: &str, description: &str) -> Answer {
    Ok(send_back(
        visit,
        authorization,
        error_parameters(Some(&authorization.state), error, description),
    ))
}

fn error_parameters(state: Option<&str>, error: &str, description: &str) -> Pairs {
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

fn send_back(visit: &Visit<'_>, authorization: &Authorization, parameters: Pairs) -> Reply {
    let parameters = twisted(visit, authorization.server, parameters);
    travel(
        visit,
        &authorization.redirect_uri,
        authorization.response_mode,
        parameters,
    )
}

fn travel(visit: &Visit<'_>, redirect_uri: &str, mode: ResponseMode, parameters: Pairs) -> Reply {
    match mode {
        ResponseMode::Query => Reply::redirect(&with_query(redirect_uri, &parameters)),
        ResponseMode::Fragment => Reply::redirect(&with_fragment(redirect_uri, &parameters)),
        ResponseMode::FormPost => pages::form_post(visit.setup, redirect_uri, parameters),
    }
}

/// The parameters of the way back with what the faults do to them.
fn twisted(visit: &Visit<'_>, server: Server, mut parameters: Pairs) -> Pairs {
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

/// Okta's own error page: client or redirect URI cannot be trusted, so the browser stays here.
fn page(visit: &Visit<'_>, error: &str, description: &str) -> Reply {
    pages::error(visit.setup, StatusCode::BAD_REQUEST, error, description)
}

/// The checks of the request. `Err` is the answer when one fails.
fn check(visit: &Visit<'_>, server: Server) -> Result<Authorization, Reply> {
    let parameters = if visit.request.method == "POST" {
        &visit.request.form
    } else {
        &visit.request.query
    };
    if let Some(name) = repeated(parameters) {
        let why = format!("The parameter '{name}' must not be repeated.");
        return Err(page(visit, "invalid_request", &why));
    }
    let get = |name: &str| find(parameters, name);
    let owned = |name: &str| get(name).map(str::to_owned);
    let app = app(visit, get("client_id").unwrap_or_default())?;
    let redirect_uri = owned("redirect_uri")
        .filter(|uri| app.redirect_uris.contains(uri))
        .ok_or_else(|| {
            let why = "The 'redirect_uri' parameter must be a Login redirect URI in the client app settings.";
            page(visit, "invalid_request", why)
        })?;
    let state = get("state");
    let mode = ResponseMode::parse(get("response_mode"));
    let refuse = |error: &str, description: &str| {
        let parameters = twisted(visit, server, error_parameters(state, error, description));
        travel(
            visit,
            &redirect_uri,
            mode.unwrap_or(ResponseMode::Query),
            parameters,
        )
    };

    match get("response_type") {
        Some("code") => {}
        Some("token" | "id_token" | "id_token token" | "token id_token") => {
            let why = "The client is not authorized to use the provided grant type. Configured grant types: \
                       [authorization_code, refresh_token].";
            return Err(refuse("unauthorized_client", why));
        }
        _ => {
            let why = "The response type is not supported by the authorization server. Configured response \
                       types: [code].";
            return Err(refuse("unsupported_response_type", why));
        }
    }
    let Some(response_mode) = mode else {
        let why = "The response mode is not supported by the authorization server. Supported response modes: \
                   [query, fragment, form_post, okta_post_message].";
        return Err(refuse("unsupported_response_mode", why));
    };
    let Some(state) = state else {
        let why = "The authentication request has an invalid 'state' parameter.";
        return Err(refuse("invalid_request", why));
    };
    let scopes = check_scopes(visit, server, get("scope")).map_err(|why| refuse("invalid_scope", why))?;
    let code_challenge = check_pkce(&app, get("code_challenge"), get("code_challenge_method"))
        .map_err(|why| refuse("invalid_request", why))?;
    let prompts: Vec<&str> = get("prompt").unwrap_or_default().split_whitespace().collect();
    let known = |prompt: &&str| matches!(*prompt, "none" | "login" | "consent" | "enroll_authenticator");
    if !prompts.iter().all(known) || (prompts.contains(&"none") && prompts.len() > 1) {
        let why = "Invalid value for 'prompt' parameter. Supported values: [none, login, consent, login consent, \
                   enroll_authenticator].";
        return Err(refuse("invalid_request", why));
    }
    let max_age = match get("max_age").map(str::parse::<i64>) {
        None => None,
        Some(Ok(seconds)) if (0..=i64::from(i32::MAX)).contains(&seconds) => Some(seconds),
        Some(_) => {
            return Err(refuse(
                "invalid_request",
                "Invalid value for 'max_age' parameter.",
            ));
        }
    };
    if get("idp").is_some() {
        return Err(refuse("invalid_request", "Identity provider is not valid."));
    }
    // Unsupported values are ignored; the first supported one is reflected.
    let acr = get("acr_values")
        .unwrap_or_default()
        .split_whitespace()
        .find(|acr| ACR_VALUES.contains(acr));
    Ok(Authorization {
        server,
        client_id: app.client_id,
        response_mode,
        state: state.to_owned(),
        nonce: owned("nonce"),
        scopes,
        code_challenge,
        acr: acr.map(str::to_owned),
        login_hint: owned("login_hint"),
        max_age,
        prompt_none: prompts.contains(&"none"),
        prompt_login: prompts.contains(&"login"),
        prompt_consent: prompts.contains(&"consent"),
        redirect_uri,
    })
}

fn repeated(parameters: &Pairs) -> Option<&str> {
    let mut rest = parameters.iter();
    while let Some((name, _)) = rest.next() {
        if rest.clone().any(|(other, _)| other == name) {
            return Some(name);
        }
    }
    None
}

fn check_scopes(visit: &Visit<'_>, server: Server, scope: Option<&str>) -> Result<Vec<String>, &'static str> {
    let scopes: Vec<String> = scope
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if scopes.is_empty() {
        return Err("No scopes were requested.");
    }
    let custom = &visit.state.custom.scopes;
    let known = |scope: &String| match scope.as_str() {
        "openid" | "profile" | "email" | "address" | "phone" | "offline_access" => true,
        "groups" if server == Server::Org => true,
        "device_sso" => server == Server::Default,
        _ => server == Server::Default && custom.contains(scope),
    };
    if !scopes.iter().all(known) {
        return Err("One or more scopes are not configured for the authorization server resource.");
    }
    let openid = scopes.iter().any(|scope| scope == "openid");
    if !openid && scopes.iter().any(|scope| OPENID_SCOPES.contains(&scope.as_str())) {
        return Err("Requests for ID tokens or access tokens with OpenID scopes require the 'openid' scope.");
    }
    Ok(scopes)
}

fn check_pkce(
    app: &App,
    challenge: Option<&str>,
    method: Option<&str>,
) -> Result<Option<String>, &'static str> {
    let Some(challenge) = challenge else {
        let required = app.pkce_required || app.auth == super::ClientAuth::None;
        return if required {
            Err("PKCE code challenge is required by the application.")
        } else {
            Ok(None)
        };
    };
    if method != Some("S256") {
        return Err("PKCE code challenge method is not supported. Valid values: [S256]");
    }
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        return Err("Invalid value for 'code_challenge' parameter.");
    }
    Ok(Some(challenge.to_owned()))
}

/// The groups that a token or userinfo shows, as the faults have them.
pub fn groups(visit: &Visit<'_>, person: &Person) -> Value {
    match &visit.faults.groups {
        Some(GroupsFault::SingleString) => Value::String(person.groups.last().cloned().unwrap_or_default()),
        Some(GroupsFault::Many(count)) => (0..*count).map(|number| format!("Group {number:05}")).collect(),
        Some(GroupsFault::TooMany) | None => person.groups.iter().cloned().collect(),
    }
}
