//! Tokens by the API: refreshed, revoked, given to a client for itself. The same rules as at the token and revocation
//! endpoints; what differs is how a client shows its secret and how a refusal is called.

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::Failure;
use super::{Answer, Call};
use crate::actions::tokens::{self, Exchanged, Refresh};
use crate::broker::App;
use crate::broker::hooks::{self, Visit};
use crate::broker::refresh::{self, NotRefreshed};
use crate::model::client::Flow;
use crate::rules::authorize::granted_scopes;
use crate::rules::grant::{self, Credentials};
use crate::rules::oauth_error::{Code, OAuthError};
use crate::web::oidc::mint::{self, Minted};
use crate::web::oidc::revoke;
use crate::web::oidc::token::Trouble;

/// `AuthenticationResultType`.
pub fn result(minted: Minted, refresh_token: Option<String>) -> Value {
    let mut result = json!({
        "AccessToken": minted.access_token,
        "ExpiresIn": minted.expires_in,
        "TokenType": "Bearer",
    });
    if let Some(token) = minted.id_token {
        result["IdToken"] = json!(token);
    }
    if let Some(token) = refresh_token {
        result["RefreshToken"] = json!(token);
    }
    result
}

/// Tokens for a user, as an answer.
pub fn issued(call: &Call, app: &App, exchanged: Exchanged) -> Answer {
    let minted = mint::for_user(&call.broker, app, &exchanged).map_err(unminted)?;
    Ok(json!({ "AuthenticationResult": result(minted, exchanged.refresh_token) }))
}

pub fn unminted(why: OAuthError) -> Failure {
    if why.code == Code::InvalidGrant {
        tracing::info!(cause = %why.cause, "tokens were refused");
        return Failure::new("NotAuthorizedException", why.cause);
    }
    tracing::error!(cause = %why.cause, "tokens could not be made");
    Failure::new("InternalErrorException", why.description)
}

/// The client of a call that authenticates by itself.
pub async fn app(call: &Call) -> Result<Arc<App>, Failure> {
    let id: String = call.member("ClientId")?.unwrap_or_default();
    let found = call.broker.app(&id).await?;
    found.ok_or_else(|| Failure::no_client(&id))
}

/// For the hooks of the app's pool. They get the metadata that the call brings for them; the one that is asked before a
/// password is checked knows it as `validationData`.
pub fn visit<'a>(call: &'a Call, app: &'a App) -> Result<Visit<'a>, Failure> {
    let metadata: Value = call.member("ClientMetadata")?.unwrap_or_else(|| json!({}));
    Ok(Visit {
        client_metadata: metadata.clone(),
        validation_data: metadata,
        ..Visit::new(&call.broker, &app.pool, &app.client.id)
    })
}

/// The same, its secret (the member of that name) shown to be right.
async fn proved(call: &Call, member: &str, exception: &'static str) -> Result<Arc<App>, Failure> {
    let credentials = Credentials {
        client_id: call.member("ClientId")?.unwrap_or_default(),
        secret: call.member(member)?,
        by_header: false,
    };
    let found = call.broker.app(&credentials.client_id).await?;
    let known = found
        .as_ref()
        .map(|app| (app.client.as_ref(), app.secrets.as_ref()));
    match (grant::authenticate(&credentials, known), found) {
        (Ok(()), Some(app)) => Ok(app),
        _ => Err(Failure::new(
            exception,
            "The client is unknown or its secret is wrong",
        )),
    }
}

/// `InitiateAuth` with `REFRESH_TOKEN_AUTH`: not while the client's tokens rotate. Those of public clients always do, except
/// where the sign-in was by the API, too: Cognito's SDKs refresh in this way what they began, and know no other.
pub async fn refresh_in_place(call: &Call, app: &Arc<App>, token: String) -> Result<Exchanged, Failure> {
    let rotating = || {
        Failure::new(
            "UnsupportedOperationException",
            "Refresh token rotation is enabled for this client: use GetTokensFromRefreshToken",
        )
    };
    if app.client.settings.rotation.enabled {
        return Err(rotating());
    }
    let exchanged = refresh(call, app, token, false).await?;
    if tokens::rotates(&app.client) && !exchanged.family.granted.by_api {
        return Err(rotating());
    }
    Ok(exchanged)
}

pub async fn from_refresh_token(call: Call) -> Answer {
    let app = proved(&call, "ClientSecret", "NotAuthorizedException").await?;
    let token: String = call.member("RefreshToken")?.unwrap_or_default();
    let exchanged = refresh(&call, &app, token, tokens::rotates(&app.client)).await?;
    issued(&call, &app, exchanged)
}

async fn refresh(call: &Call, app: &Arc<App>, token: String, rotates: bool) -> Result<Exchanged, Failure> {
    let asked = Refresh {
        token,
        scope: None,
        resource: None,
    };
    let actor = format!("client:{}", app.client.id);
    let ctx = call.broker.ctx(actor, &call.request_id);
    let exchanged = refresh::refresh(&mut visit(call, app)?, ctx, app, asked, rotates).await;
    exchanged.map_err(|why| match why {
        NotRefreshed::Refused(refusal) => refused(&refusal),
        NotRefreshed::Hook(fault) => fault.into(),
        NotRefreshed::Store(cause) => cause.into(),
    })
}

/// A refresh token that is not taken, in Cognito's words.
fn refused(refusal: &OAuthError) -> Failure {
    tracing::info!(cause = %refusal.cause, "a refresh token was refused");
    let (name, message) = match &*refusal.cause {
        grant::REUSED => (
            "RefreshTokenReuseException",
            "Refresh token has been invalidated by rotation",
        ),
        grant::REVOKED => ("NotAuthorizedException", "Refresh Token has been revoked"),
        grant::EXPIRED => ("NotAuthorizedException", "Refresh Token has expired"),
        _ => ("NotAuthorizedException", "Invalid Refresh Token"),
    };
    Failure::new(name, message)
}

pub async fn revoke(call: Call) -> Answer {
    let app = proved(&call, "ClientSecret", "UnauthorizedException").await?;
    let token: String = call.member("Token")?.unwrap_or_default();
    match revoke::revoke(&call.broker, &app, &token, &call.request_id).await {
        Ok(()) => Ok(json!({})),
        Err(Trouble::Store(cause)) => Err(cause.into()),
        Err(Trouble::Refused(why)) => Err(match why.code {
            Code::UnsupportedTokenType => Failure::new("UnsupportedTokenTypeException", why.description),
            _ => Failure::new("UnsupportedOperationException", why.description),
        }),
    }
}

/// A client's token for itself (RFC 6749 §4.4).
pub async fn for_client(call: Call) -> Answer {
    let app = proved(&call, "Secret", "NotAuthorizedException").await?;
    if app.client.settings.public || !app.client.settings.flows.contains(&Flow::ClientCredentials) {
        return Err(Failure::new(
            "UnsupportedOperationException",
            "The client may not use client_credentials",
        ));
    }
    let asked: Vec<String> = call.member("Scopes")?.unwrap_or_default();
    let asked = (!asked.is_empty()).then(|| asked.join(" "));
    let servers = &app.pool.resource_servers;
    let scopes = granted_scopes(asked.as_deref(), &app.client.settings.scopes, None, servers)
        .map_err(|why| Failure::invalid(why.description))?;
    let overrides = hooks::pre_client_token_generation(&mut visit(&call, &app)?, &scopes).await?;
    let minted = mint::for_client(&call.broker, &app, &scopes, None, overrides.as_ref()).map_err(unminted)?;
    Ok(json!({ "ClientAuthenticationResult": result(minted, None) }))
}
