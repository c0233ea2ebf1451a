//! The authorize request: parsed and checked in Okta's order, refused in Okta's words. OpenID Connect Core
//! §3.1.2.1 and RFC 7636 §4.3 rule what is right.

use actix_web::http::StatusCode;

use super::authorize_answer::{error_parameters, travel, twisted};
use super::directory::{App, ClientAuth};
use super::http::{Pairs, Reply, find};
use super::{Server, Visit, pages};

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

/// The app with this client id; Okta's error page when there is none.
pub fn app(visit: &Visit<'_>, client_id: &str) -> Result<App, Reply> {
    visit.state.app(client_id).cloned().ok_or_else(|| {
        page(
            visit,
            "invalid_client",
            "Invalid value for 'client_id' parameter.",
        )
    })
}

/// Okta's own error page: client or redirect URI cannot be trusted, so the browser stays here.
fn page(visit: &Visit<'_>, error: &str, description: &str) -> Reply {
    pages::error(visit.setup, StatusCode::BAD_REQUEST, error, description)
}

/// The checks of the request. `Err` is the answer when one fails.
pub fn check(visit: &Visit<'_>, server: Server) -> Result<Authorization, Reply> {
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
    let scopes =
        check_scopes(visit, server, &app, get("scope")).map_err(|why| refuse("invalid_scope", why))?;
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

fn check_scopes(
    visit: &Visit<'_>,
    server: Server,
    app: &App,
    scope: Option<&str>,
) -> Result<Vec<String>, &'static str> {
    let mut scopes: Vec<String> = scope
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if scopes.is_empty() {
        return Err("No scopes were requested.");
    }
    if app.narrows_api_scopes {
        scopes.retain(|scope| !scope.starts_with("okta.") || app.api_scopes.contains(scope));
    }
    let custom = &visit.state.custom.scopes;
    let known = |scope: &String| match scope.as_str() {
        "openid" | "profile" | "email" | "address" | "phone" | "offline_access" => true,
        "groups" if server == Server::Org => true,
        api if server == Server::Org && api.starts_with("okta.") => app.api_scopes.contains(scope),
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
        let required = app.pkce_required || app.auth == ClientAuth::None;
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
