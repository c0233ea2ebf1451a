//! Minting: claims from the rules, signatures inline on the worker (0.2 ms with a kept key).

use serde_json::{Map, Value};

use crate::actions::tokens::Exchanged;
use crate::broker::{App, Broker};
use crate::model::overrides::Overrides;
use crate::rules::access::{self, Entrant};
use crate::rules::claims::{self, Issue, Person, overridden};
use crate::rules::jwt::{self, Typ};
use crate::rules::oauth_error::{Code, OAuthError};
use crate::rules::secret;

/// A set of tokens, ready for an answer.
pub struct Minted {
    pub access_token: String,
    /// Only where `openid` was granted (OIDC Core §3.1.2.1), and always to a sign-in through the API.
    pub id_token: Option<String>,
    pub expires_in: i64,
    /// The access token's scopes, blank-separated.
    pub scope: String,
}

pub fn for_user(broker: &Broker, app: &App, exchanged: &Exchanged) -> Result<Minted, OAuthError> {
    check_access(app, exchanged)?;
    let pool = &app.pool;
    let (now, seconds) = (broker.clock.now(), app.client.settings.access_token_seconds);
    let (access_jti, id_jti) = (secret::uuid(&broker.entropy), secret::uuid(&broker.entropy));
    let issue = Issue {
        issuer: &pool.issuer,
        pool: &pool.pool,
        client: &app.client,
        now,
        jti: &access_jti,
    };
    let person = Person {
        user: &exchanged.user,
        groups: &exchanged.groups,
        identities: &exchanged.identities,
        tenant_id: app
            .any_provider(&exchanged.family.granted.provider_id)
            .and_then(|provider| provider.tenant_id.as_deref()),
    };
    let mut granted = exchanged.family.granted.0.clone();
    granted.scopes.clone_from(&exchanged.scopes);
    let origin_jti = &exchanged.family.origin_jti;
    let mut access = claims::access_token(&issue, &person, &granted, origin_jti).map_err(too_large)?;
    if let Some(overrides) = &granted.overrides {
        access =
            overridden::access_token(access, overrides, granted.resource.as_deref()).map_err(too_large)?;
    }
    let access_token = jwt::sign(&pool.access_token_key, access_typ(app), &access).map_err(unsigned)?;
    let id_token = if granted.by_api || granted.scopes.iter().any(|scope| scope == "openid") {
        let issue = Issue {
            jti: &id_jti,
            ..issue
        };
        let beside = (!granted.by_api).then_some(access_token.as_str());
        let mut id = claims::id_token(&issue, &person, &granted, origin_jti, beside).map_err(too_large)?;
        if let Some(overrides) = &granted.overrides {
            id = overridden::id_token(id, overrides, &app.client).map_err(too_large)?;
        }
        Some(jwt::sign(&pool.id_token_key, Typ::None, &id).map_err(unsigned)?)
    } else {
        None
    };
    Ok(Minted {
        access_token,
        id_token,
        expires_in: granted
            .not_after
            .map_or(seconds, |last| last.since(now).min(seconds)),
        scope: scope_of(&access),
    })
}

/// However somebody came here: no token is made for whom the app does not let in.
fn check_access(app: &App, exchanged: &Exchanged) -> Result<(), OAuthError> {
    let granted = &exchanged.family.granted;
    let entrant = Entrant {
        user: &exchanged.user,
        groups: &exchanged.groups,
        connection: &granted.provider_id,
        tenant: app
            .any_provider(&granted.provider_id)
            .and_then(|provider| provider.tenant_id.as_deref()),
        amr: &granted.amr,
        acr: granted.acr.as_deref(),
    };
    access::check(&app.client.settings, &entrant).map_err(|barred| barred.invalid_grant())
}

/// A client's token for itself (RFC 6749 §4.4).
pub fn for_client(
    broker: &Broker,
    app: &App,
    scopes: &[String],
    resource: Option<&str>,
    overrides: Option<&Overrides>,
) -> Result<Minted, OAuthError> {
    let jti = secret::uuid(&broker.entropy);
    let issue = Issue {
        issuer: &app.pool.issuer,
        pool: &app.pool.pool,
        client: &app.client,
        now: broker.clock.now(),
        jti: &jti,
    };
    let mut claims = claims::client_access_token(&issue, scopes, resource).map_err(too_large)?;
    if let Some(overrides) = overrides {
        claims = overridden::access_token(claims, overrides, resource).map_err(too_large)?;
    }
    let access_token = jwt::sign(&app.pool.access_token_key, access_typ(app), &claims).map_err(unsigned)?;
    Ok(Minted {
        access_token,
        id_token: None,
        expires_in: app.client.settings.access_token_seconds,
        scope: scope_of(&claims),
    })
}

/// What the access token has in the end: a hook may have changed it.
fn scope_of(access: &Map<String, Value>) -> String {
    let scope = access.get("scope").and_then(Value::as_str);
    scope.unwrap_or_default().to_owned()
}

/// `at+jwt` (RFC 9068 §2.1), unless the pool wants Cognito's headers.
fn access_typ(app: &App) -> Typ {
    if app.pool.pool.settings.cognito_exact {
        Typ::None
    } else {
        Typ::AccessToken
    }
}

fn too_large(why: claims::TooLarge) -> OAuthError {
    // For the client's developer, too: sizes and a claim's name, no value.
    OAuthError::new(Code::ServerError, why.to_string())
}

fn unsigned(why: jwt::Refused) -> OAuthError {
    OAuthError::because(Code::ServerError, "the token could not be made", why.0)
}
