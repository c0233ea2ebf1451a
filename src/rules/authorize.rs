//! The authorization request (RFC 6749 §4.1.1, OIDC Core §3.1.2.1, Cognito's parameters): from parameters to a checked
//! [`Authorization`], or to one of exactly two errors. Until the client and its redirect URI are known to belong
//! together nothing is redirected ([`AuthorizeError::Page`]); after that everything is ([`AuthorizeError::Redirect`]).

use super::oauth_error::{Code, OAuthError};
use super::params::Params;
use super::response::{Response, ResponseMode};
use super::{json, pkce, redirect_uri};
use crate::model::client::{Client, Flow};
use crate::model::resource_server::ResourceServer;

/// Longest `state` and `nonce` that come back whole, in bytes: a login has to fit into a cookie.
pub const LONGEST_STATE: usize = 768;
pub const LONGEST_NONCE: usize = 256;
const LONGEST_HINT: usize = 256;
/// What apps call the parameter that names a tenant.
pub const TENANT: [&str; 2] = ["tenantCode", "tenant_code"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ResponseType {
    #[serde(rename = "c")]
    Code,
    /// Implicit, in Cognito's shape: ID and access token in the fragment. Only where the client allows it.
    #[serde(rename = "t")]
    Token,
}

/// `prompt` values, each at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    pub none: bool,
    pub login: bool,
    pub select_account: bool,
    pub consent: bool,
}

/// A request that may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub redirect_uri: String,
    /// The request named it (else it is the client's default), so the token request must repeat it.
    pub redirect_uri_given: bool,
    pub response_type: ResponseType,
    pub response_mode: ResponseMode,
    /// What is granted, in the order asked.
    pub scopes: Vec<String>,
    pub state: Option<String>,
    pub nonce: Option<String>,
    pub code_challenge: Option<String>,
    pub prompt: Prompt,
    pub max_age: Option<i64>,
    pub login_hint: Option<String>,
    pub identity_provider: Option<String>,
    /// Lower case.
    pub idp_identifier: Option<String>,
    /// A connection's slug.
    pub connection: Option<String>,
    /// A tenant's id, lower case.
    pub tenant: Option<String>,
    pub resource: Option<String>,
    pub acr_values: Option<String>,
    pub id_token_hint: Option<String>,
    /// The only `sub` that may come of this (Core §5.5.1).
    pub required_sub: Option<String>,
}

/// Why a request cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizeError {
    /// The client or its redirect URI cannot be trusted: a page of ours, never a redirect.
    Page(Untrusted),
    /// To be told to the client, with its state.
    Redirect {
        redirect_uri: String,
        mode: ResponseMode,
        state: Option<String>,
        error: OAuthError,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untrusted {
    ClientMissing,
    ClientUnknown,
    RedirectUriMissing,
    RedirectUriMismatch,
    LogoutUriMismatch,
    /// The parameters cannot be read at all.
    Malformed,
    /// `client_id` or `redirect_uri` came twice.
    Repeated,
}

/// Where answers to a request go once client and redirect URI are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnAddress {
    pub redirect_uri: String,
    pub mode: ResponseMode,
    pub state: Option<String>,
}

impl ReturnAddress {
    pub fn refuse(&self, error: OAuthError) -> AuthorizeError {
        AuthorizeError::Redirect {
            redirect_uri: self.redirect_uri.clone(),
            mode: self.mode,
            state: self.state.clone(),
            error,
        }
    }

    /// The error as a response, with `iss` (RFC 9207 §2). Cognito's order: description, state, error.
    pub fn error_response(&self, error: &OAuthError, issuer: &str) -> Response {
        let mut fields = vec![("error_description", error.description.to_string())];
        fields.extend(self.state.clone().map(|state| ("state", state)));
        fields.push(("error", error.code.as_str().to_owned()));
        fields.push(("iss", issuer.to_owned()));
        Response {
            redirect_uri: self.redirect_uri.clone(),
            mode: self.mode,
            fields,
        }
    }
}

/// The client's id, which tells everything else.
pub fn client_id(params: &Params) -> Result<&str, AuthorizeError> {
    if params.is_repeated("client_id") || params.is_repeated("redirect_uri") {
        return Err(AuthorizeError::Page(Untrusted::Repeated));
    }
    params
        .get("client_id")
        .ok_or(AuthorizeError::Page(Untrusted::ClientMissing))
}

/// Checks a request of a known, enabled client.
pub fn check(
    params: &Params,
    client: &Client,
    resource_servers: &[ResourceServer],
) -> Result<Authorization, AuthorizeError> {
    let (redirect_uri, redirect_uri_given) = return_uri(params, client)?;
    let response_type = match params.get("response_type") {
        Some("code") => Ok(ResponseType::Code),
        Some("token") => Ok(ResponseType::Token),
        None => Err((Code::InvalidRequest, "response_type is missing")),
        Some(_) => Err((
            Code::UnsupportedResponseType,
            "response_type must be code or token",
        )),
    };
    let default_mode = match response_type {
        Ok(ResponseType::Token) => ResponseMode::Fragment,
        _ => ResponseMode::Query,
    };
    let asked_mode = params.get("response_mode").map(ResponseMode::parse);
    let address = ReturnAddress {
        redirect_uri,
        mode: asked_mode
            .flatten()
            .filter(|mode| fits(*mode, &response_type))
            .unwrap_or(default_mode),
        state: params.get("state").map(str::to_owned),
    };
    let refuse = |code, text: &str| address.refuse(OAuthError::new(code, text.to_owned()));

    if params.repeated().is_some_and(|name| name != "resource") {
        return Err(refuse(Code::InvalidRequest, "a parameter is repeated"));
    }
    if address
        .state
        .as_ref()
        .is_some_and(|state| state.len() > LONGEST_STATE)
    {
        // The state cannot be given back: it is what is wrong.
        let address = ReturnAddress {
            state: None,
            ..address
        };
        let text = format!("state is longer than {LONGEST_STATE} bytes");
        return Err(address.refuse(OAuthError::new(Code::InvalidRequest, text)));
    }
    for (name, code) in [
        ("request", Code::RequestNotSupported),
        ("request_uri", Code::RequestUriNotSupported),
        ("registration", Code::RegistrationNotSupported),
    ] {
        if params.get(name).is_some() {
            return Err(refuse(code, &format!("the {name} parameter is not supported")));
        }
    }
    let response_type = response_type.map_err(|(code, text)| refuse(code, text))?;
    let flow = match response_type {
        ResponseType::Code => Flow::Code,
        ResponseType::Token => Flow::Implicit,
    };
    if !client.settings.flows.contains(&flow) {
        return Err(refuse(
            Code::UnauthorizedClient,
            "this client may not use that response_type",
        ));
    }
    if asked_mode.is_some_and(|mode| mode.is_none_or(|mode| !fits(mode, &Ok(response_type)))) {
        return Err(refuse(
            Code::InvalidRequest,
            "response_mode is not supported for this response_type",
        ));
    }

    Ok(Authorization {
        redirect_uri_given,
        response_type,
        response_mode: address.mode,
        code_challenge: code_challenge(params, client, response_type)
            .map_err(|text| refuse(Code::InvalidRequest, text))?,
        resource: resource(params, resource_servers).map_err(|text| refuse(Code::InvalidTarget, text))?,
        scopes: granted_scopes(
            params.get("scope"),
            &client.settings.scopes,
            params.get("resource").filter(|_| !params.is_repeated("resource")),
            resource_servers,
        )
        .map_err(|error| address.refuse(error))?,
        nonce: bounded(params, "nonce", LONGEST_NONCE).map_err(|text| refuse(Code::InvalidRequest, &text))?,
        login_hint: bounded(params, "login_hint", LONGEST_HINT)
            .map_err(|text| refuse(Code::InvalidRequest, &text))?,
        acr_values: bounded(params, "acr_values", LONGEST_HINT)
            .map_err(|text| refuse(Code::InvalidRequest, &text))?,
        prompt: prompt(params).map_err(|text| refuse(Code::InvalidRequest, text))?,
        max_age: max_age(params).map_err(|text| refuse(Code::InvalidRequest, text))?,
        required_sub: required_sub(params).map_err(|text| refuse(Code::InvalidRequest, text))?,
        identity_provider: params.get("identity_provider").map(str::to_owned),
        idp_identifier: params.get("idp_identifier").map(str::to_lowercase),
        connection: params.get("connection").map(str::to_owned),
        tenant: TENANT
            .iter()
            .find_map(|name| params.get(name))
            .map(str::to_lowercase),
        id_token_hint: params.get("id_token_hint").map(str::to_owned),
        redirect_uri: address.redirect_uri,
        state: address.state,
    })
}

impl Authorization {
    pub fn return_address(&self) -> ReturnAddress {
        ReturnAddress {
            redirect_uri: self.redirect_uri.clone(),
            mode: self.response_mode,
            state: self.state.clone(),
        }
    }
}

fn return_uri(params: &Params, client: &Client) -> Result<(String, bool), AuthorizeError> {
    let settings = &client.settings;
    match params.get("redirect_uri") {
        Some(asked) if redirect_uri::registered(settings, asked).is_some() => Ok((asked.to_owned(), true)),
        Some(_) => Err(AuthorizeError::Page(Untrusted::RedirectUriMismatch)),
        // May be left out where there is nothing to choose (RFC 6749 §3.1.2.3, Cognito's DefaultRedirectURI).
        None => match (&settings.default_redirect_uri, settings.redirect_uris.as_slice()) {
            (Some(default), _) if settings.redirect_uris.contains(default) => Ok((default.clone(), false)),
            (None, [only]) => Ok((only.clone(), false)),
            _ => Err(AuthorizeError::Page(Untrusted::RedirectUriMissing)),
        },
    }
}

/// Tokens never travel in a query.
fn fits(mode: ResponseMode, response_type: &Result<ResponseType, (Code, &str)>) -> bool {
    !matches!(
        (mode, response_type),
        (ResponseMode::Query, Ok(ResponseType::Token))
    )
}

fn code_challenge(
    params: &Params,
    client: &Client,
    response_type: ResponseType,
) -> Result<Option<String>, &'static str> {
    match (params.get("code_challenge"), params.get("code_challenge_method")) {
        (Some(_), None) => Err("code_challenge_method is missing; it must be S256"),
        (Some(_), Some(method)) if method != "S256" => Err("code_challenge_method must be S256"),
        (None, Some(_)) => Err("code_challenge is missing"),
        (Some(challenge), Some(_)) if !pkce::well_formed(challenge) => Err("code_challenge is malformed"),
        (Some(challenge), Some(_)) => Ok(Some(challenge.to_owned())),
        (None, None) if response_type == ResponseType::Token => Ok(None),
        (None, None) if client.settings.public => Err("code_challenge is required for public clients"),
        (None, None) if client.settings.require_pkce => Err("code_challenge is required for this client"),
        (None, None) => Ok(None),
    }
}

/// At most one resource (as Cognito), and one that the pool knows.
fn resource(params: &Params, known: &[ResourceServer]) -> Result<Option<String>, &'static str> {
    if params.is_repeated("resource") {
        return Err("only one resource can be asked for");
    }
    match params.get("resource") {
        None => Ok(None),
        Some(asked) if known.iter().any(|server| server.identifier == asked) => Ok(Some(asked.to_owned())),
        Some(_) => Err("the resource is not known"),
    }
}

/// The scopes a request is granted: those asked for, or all of the client's when none are named (as Cognito). Asking
/// for one that the client may not have is an error, not a silent loss. A bound resource keeps only its own scopes.
pub fn granted_scopes(
    asked: Option<&str>,
    allowed: &[String],
    resource: Option<&str>,
    resource_servers: &[ResourceServer],
) -> Result<Vec<String>, OAuthError> {
    let refuse = |text: &'static str| Err(OAuthError::new(Code::InvalidScope, text));
    let mut granted: Vec<String> = Vec::new();
    match asked {
        None => granted.extend(allowed.iter().cloned()),
        Some(asked) => {
            for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
                if !scope
                    .bytes()
                    .all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
                {
                    return refuse("scope is malformed");
                }
                // A refresh token comes with every code (as Cognito), whether asked for or not.
                if scope == "offline_access" {
                    continue;
                }
                if !allowed.iter().any(|known| known == scope) {
                    return refuse("a scope is unknown or not allowed for this client");
                }
                if !granted.iter().any(|known| known == scope) {
                    granted.push(scope.to_owned());
                }
            }
        }
    }
    let has = |name: &str| granted.iter().any(|scope| scope == name);
    if !has("openid") && ["email", "phone", "profile"].into_iter().any(has) {
        return refuse("the scopes email, phone and profile require openid");
    }
    if let Some(resource) = resource {
        granted.retain(|scope| match owner(scope, resource_servers) {
            Some(owner) => owner.identifier == resource,
            None => true,
        });
    }
    Ok(granted)
}

/// The resource server that a scope belongs to; `None` for the standard ones.
fn owner<'a>(scope: &str, resource_servers: &'a [ResourceServer]) -> Option<&'a ResourceServer> {
    resource_servers.iter().find(|server| {
        scope
            .strip_prefix(server.identifier.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|name| server.scopes.iter().any(|scope| scope.name == name))
    })
}

fn bounded(params: &Params, name: &str, longest: usize) -> Result<Option<String>, String> {
    match params.get(name) {
        Some(value) if value.len() > longest => Err(format!("{name} is longer than {longest} bytes")),
        value => Ok(value.map(str::to_owned)),
    }
}

fn prompt(params: &Params) -> Result<Prompt, &'static str> {
    let mut prompt = Prompt::default();
    for value in params
        .get("prompt")
        .unwrap_or_default()
        .split(' ')
        .filter(|value| !value.is_empty())
    {
        // Amplify lower-cases; be as kind to others.
        match value.to_ascii_lowercase().as_str() {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "select_account" => prompt.select_account = true,
            "consent" => prompt.consent = true,
            _ => return Err("prompt must be made of none, login, select_account and consent"),
        }
    }
    if prompt.none && (prompt.login || prompt.select_account || prompt.consent) {
        return Err("prompt=none goes with no other value");
    }
    Ok(prompt)
}

fn max_age(params: &Params) -> Result<Option<i64>, &'static str> {
    match params.get("max_age") {
        None => Ok(None),
        Some(text) => match text.parse::<u32>() {
            Ok(seconds) => Ok(Some(i64::from(seconds))),
            Err(_) => Err("max_age must be a number of seconds"),
        },
    }
}

/// The `sub` that the `claims` parameter insists on, if it does (Core §5.5.1); the rest of that parameter is not supported
/// and ignored.
fn required_sub(params: &Params) -> Result<Option<String>, &'static str> {
    let Some(text) = params.get("claims") else {
        return Ok(None);
    };
    let claims = json::object(text.as_bytes()).map_err(|_| "claims is not a well-formed JSON object")?;
    let wanted = |place: &str| {
        claims
            .get(place)?
            .get("sub")?
            .get("value")?
            .as_str()
            .map(str::to_owned)
    };
    match (wanted("id_token"), wanted("userinfo")) {
        (Some(one), Some(other)) if one != other => Err("claims names two different users"),
        (Some(sub), _) | (None, Some(sub)) if sub.len() > 255 => Err("claims names an impossible sub"),
        (one, other) => Ok(one.or(other)),
    }
}

#[cfg(test)]
#[path = "authorize/tests.rs"]
mod tests;
