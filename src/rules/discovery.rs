//! The metadata documents: OpenID Connect Discovery 1.0 §3 and RFC 8414 §2, from one description of what is served.
//!
//! Every value here is used by a test through the front door; what is not done is not listed (RFC 8414 §2).

use serde_json::{Map, Value, json};

use super::grant::GRANT_TYPES;
use super::response::ResponseMode;
use crate::model::pool;

/// Paths of the endpoints at the root of the host, shared with the route table.
pub mod paths {
    pub const AUTHORIZE: &str = "/oauth2/authorize";
    pub const TOKEN: &str = "/oauth2/token";
    pub const USERINFO: &str = "/oauth2/userInfo";
    pub const REVOKE: &str = "/oauth2/revoke";
    pub const REGISTER: &str = "/oauth2/register";
    pub const LOGOUT: &str = "/logout";
    pub const LOGIN: &str = "/login";
    pub const START_LOGIN: &str = "/start-login";
    pub const LOGIN_PASSWORD: &str = "/login/password";
    pub const NEW_PASSWORD: &str = "/login/new-password";
    pub const IDPRESPONSE: &str = "/oauth2/idpresponse";
    pub const LOGOUT_RETURN: &str = "/logout/idpresponse";
    pub const JWKS: &str = "/.well-known/jwks.json";
}

/// Client authentication at token and revocation endpoint.
pub const CLIENT_AUTH_METHODS: &[&str] = &["client_secret_basic", "client_secret_post", "none"];
pub const STANDARD_SCOPES: &[&str] = &["openid", "email", "phone", "profile"];
pub const PROMPT_VALUES: &[&str] = &["none", "login", "select_account", "consent"];

/// The OpenID configuration of a pool. `public_url` is the origin of the endpoints.
pub fn document(public_url: &str, issuer: &str, settings: &pool::Settings) -> Map<String, Value> {
    let at = |path: &str| format!("{public_url}{path}");
    let document = json!({
        "authorization_endpoint": at(paths::AUTHORIZE),
        "end_session_endpoint": at(paths::LOGOUT),
        "id_token_signing_alg_values_supported": ["RS256"],
        "issuer": issuer,
        "jwks_uri": format!("{issuer}{}", paths::JWKS),
        "registration_endpoint": at(paths::REGISTER),
        "response_types_supported": ["code", "token"],
        "revocation_endpoint": at(paths::REVOKE),
        "revocation_endpoint_auth_methods_supported": CLIENT_AUTH_METHODS,
        "scopes_supported": STANDARD_SCOPES,
        "subject_types_supported": ["public"],
        "token_endpoint": at(paths::TOKEN),
        "token_endpoint_auth_methods_supported": CLIENT_AUTH_METHODS,
        "userinfo_endpoint": at(paths::USERINFO),
        "response_modes_supported": ResponseMode::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        "grant_types_supported": GRANT_TYPES.iter().copied().chain(["implicit"]).collect::<Vec<_>>(),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "claims_supported": claims(settings),
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "require_request_uri_registration": false,
        "prompt_values_supported": PROMPT_VALUES,
        "ui_locales_supported": UI_LOCALES,
    });
    match document {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Languages of the sign-in pages (Cognito's `lang`).
pub const UI_LOCALES: &[&str] = &[
    "de", "en", "es", "fr", "id", "it", "ja", "ko", "pt-BR", "zh-CN", "zh-TW",
];

/// RFC 8414's document: the same without what only OpenID Connect speaks of.
pub fn oauth_document(public_url: &str, issuer: &str, settings: &pool::Settings) -> Map<String, Value> {
    let mut members = document(public_url, issuer, settings);
    for name in [
        "userinfo_endpoint",
        "id_token_signing_alg_values_supported",
        "subject_types_supported",
        "claims_supported",
        "claim_types_supported",
        "claims_parameter_supported",
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "require_request_uri_registration",
        "prompt_values_supported",
    ] {
        members.remove(name);
    }
    members
}

fn claims(settings: &pool::Settings) -> Vec<String> {
    let protocol = [
        "sub",
        "iss",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "nonce",
        "acr",
        "amr",
        "at_hash",
        "jti",
        "origin_jti",
        "event_id",
        "token_use",
        "identities",
        "cognito:username",
        "cognito:groups",
        "cognito:roles",
        "cognito:preferred_role",
    ];
    let mut names: Vec<String> = protocol.map(String::from).to_vec();
    names.extend(pool::STANDARD.iter().map(|(name, _)| (*name).to_owned()));
    names.extend(
        settings
            .attributes
            .iter()
            .filter(|attribute| attribute.name.contains(':'))
            .map(|a| a.name.clone()),
    );
    names
}
