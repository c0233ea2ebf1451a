//! `POST /oauth2/revoke` (RFC 7009): a refresh token and everything that descends from its login.

use std::sync::Arc;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use super::error::Dialect;
use super::token::{Trouble, authenticated};
use super::{cors, form};
use crate::actions::tokens;
use crate::broker::{App, Broker};
use crate::rules::jwt;
use crate::rules::oauth_error::{Code, OAuthError};
use crate::web::headers::RequestId;

pub async fn post(request: HttpRequest, body: Bytes, broker: Data<Broker>) -> HttpResponse {
    let mut dialect = Dialect {
        at_revocation: true,
        ..Dialect::default()
    };
    match serve(&request, &body, &broker, &mut dialect).await {
        Ok(()) => HttpResponse::Ok().insert_header(cors::ANY_ORIGIN).finish(),
        Err(trouble) => trouble.answer(&request, dialect),
    }
}

async fn serve(
    request: &HttpRequest,
    body: &Bytes,
    broker: &Data<Broker>,
    dialect: &mut Dialect,
) -> Result<(), Trouble> {
    let form = form(request, body)?;
    let app = authenticated(request, &form, broker, dialect).await?;
    if form.repeated().is_some() {
        return Err(OAuthError::new(Code::InvalidRequest, "a parameter is repeated").into());
    }
    let token = form
        .get("token")
        .ok_or_else(|| OAuthError::new(Code::InvalidRequest, "token is missing"))?;
    revoke(broker, &app, token, &RequestId::of(request)).await
}

/// Revokes what a client shows, once the client has proved who it is.
pub async fn revoke(broker: &Broker, app: &Arc<App>, token: &str, request_id: &str) -> Result<(), Trouble> {
    if !app.client.settings.revocation {
        return Err(OAuthError::new(Code::InvalidRequest, "revocation is disabled for this client").into());
    }
    let ours = |token_use| jwt::verify_expired(&app.pool.verify, token, &app.pool.issuer, token_use).is_ok();
    if ours("access") || ours("id") {
        return Err(OAuthError::new(Code::UnsupportedTokenType, "only refresh tokens can be revoked").into());
    }
    let (token, client) = (token.to_owned(), app.clone());
    let ctx = broker.ctx(format!("client:{}", app.client.id), request_id);
    broker
        .db
        .write(move |conn| tokens::revoke(conn, &ctx, &client.client, &token))
        .await?;
    Ok(())
}
