//! `/oauth2/register`: app clients that come and go register themselves (RFC 7591), and are read and deleted by whoever
//! registered them (RFC 7592). The initial access token is a management credential that may change the pool, written
//! `<access key id>.<secret>`; what is registered has an end, after which it is as unknown as one that never was.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use super::error;
use crate::actions::registrations;
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::client::Client;
use crate::rules::client_metadata::{self, Metadata, Refused};
use crate::rules::discovery::paths;
use crate::rules::{json, secret};
use crate::web::domains;
use crate::web::headers::RequestId;
use crate::web::management::authenticate::{self, Caller};
use crate::world::UnixTime;

pub async fn post(request: HttpRequest, body: Bytes, broker: Data<Broker>) -> HttpResponse {
    let caller = match initial(&request, &broker).await {
        Ok(Some(caller)) => caller,
        Ok(None) => return unauthorized(),
        Err(cause) => return error::store(&request, &cause),
    };
    let read = json::object(&body).map_err(Refused).and_then(Metadata::read);
    let metadata = match read {
        Ok(metadata) => metadata,
        Err(Refused(why)) => return refused("invalid_client_metadata", &why),
    };
    let own = match caller.changes.pools.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    };
    let Some(pool_id) = metadata.user_pool_id.clone().or(own) else {
        return refused(
            "invalid_client_metadata",
            "user_pool_id is missing: the credential reaches several pools",
        );
    };
    if pool_id.contains('\0') || !domains::serves(&request, &pool_id) {
        return unknown_pool();
    }
    let (ctx, reach) = (
        broker.ctx(caller.actor.clone(), RequestId::of(&request)),
        caller.changes.clone(),
    );
    let made = broker
        .db
        .write(move |conn| registrations::register(conn, &ctx, &reach, &pool_id, metadata))
        .await;
    match made {
        Ok(made) => {
            broker.forget();
            let uri = registration_uri(&broker, &made.client.id);
            let mut document = client_metadata::shown(&made.client, &uri, made.expires_at);
            document.insert("registration_access_token".into(), json!(made.access_token));
            if let Some(secret) = made.secret {
                document.insert("client_secret".into(), json!(*secret.text));
                document.insert("client_secret_expires_at".into(), json!(made.expires_at));
            }
            answer(StatusCode::CREATED, document)
        }
        Err(Error::Invalid { field, why }) if field == "redirect_uris" => {
            refused("invalid_redirect_uri", &why)
        }
        Err(Error::Invalid { field, why }) => refused("invalid_client_metadata", &format!("{field}: {why}")),
        Err(Error::NotFound(_)) => unknown_pool(),
        Err(Error::Internal(cause)) => error::store(&request, &cause),
        Err(other) => refused("invalid_client_metadata", &other.to_string()),
    }
}

pub async fn get(request: HttpRequest, id: Path<String>, broker: Data<Broker>) -> HttpResponse {
    let Some(token) = bearer(&request).filter(|_| !id.contains('\0')) else {
        return unauthorized();
    };
    match own(&request, &broker, &id, token).await {
        Ok(Some((client, expires_at))) => {
            let uri = registration_uri(&broker, &client.id);
            answer(StatusCode::OK, client_metadata::shown(&client, &uri, expires_at))
        }
        Ok(None) => unauthorized(),
        Err(cause) => error::store(&request, &cause),
    }
}

pub async fn delete(request: HttpRequest, id: Path<String>, broker: Data<Broker>) -> HttpResponse {
    let Some(token) = bearer(&request).filter(|_| !id.contains('\0')) else {
        return unauthorized();
    };
    match own(&request, &broker, &id, token).await {
        Ok(Some(_)) => {}
        Ok(None) => return unauthorized(),
        Err(cause) => return error::store(&request, &cause),
    }
    let (wanted, token) = (id.into_inner(), token.to_owned());
    let ctx = broker.ctx(format!("client:{wanted}"), RequestId::of(&request));
    let gone = broker
        .db
        .write(move |conn| registrations::delete(conn, &ctx, &wanted, &token))
        .await;
    match gone {
        Ok(true) => {
            broker.forget();
            HttpResponse::NoContent().finish()
        }
        Err(Error::Internal(cause)) => error::store(&request, &cause),
        // Another node was faster.
        Ok(false) | Err(_) => unauthorized(),
    }
}

/// The client whose registration access token came, with its end, at a host that serves its pool.
async fn own(
    request: &HttpRequest,
    broker: &Broker,
    id: &str,
    token: &str,
) -> Result<Option<(Client, UnixTime)>, StoreError> {
    let (wanted, token, now) = (id.to_owned(), token.to_owned(), broker.clock.now());
    let found = broker
        .db
        .read(move |conn| registrations::find(conn, now, &wanted, &token))
        .await?;
    Ok(found.filter(|(client, _)| domains::serves(request, &client.user_pool_id)))
}

/// Whose initial access token came; nobody's when the credential may change nothing.
async fn initial(request: &HttpRequest, broker: &Data<Broker>) -> Result<Option<Caller>, StoreError> {
    let Some((id, shown)) = bearer(request).and_then(|token| token.split_once('.')) else {
        return Ok(None);
    };
    if id.contains('\0') {
        return Ok(None);
    }
    let Some((credential, held)) = authenticate::find(broker, id.to_owned()).await? else {
        return Ok(None);
    };
    // Hashes are of one length, so that the time tells nothing of the secret's.
    if !secret::equal(&secret::hash(&held), &secret::hash(shown)) {
        return Ok(None);
    }
    let caller = authenticate::caller(broker, &credential).await?;
    let changes = &caller.changes;
    let may = changes.everything || !changes.pools.is_empty();
    Ok(may.then_some(caller))
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn registration_uri(broker: &Broker, client_id: &str) -> String {
    format!("{}{}/{client_id}", broker.public_url, paths::REGISTER)
}

fn answer(status: StatusCode, document: Map<String, Value>) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header(("Pragma", "no-cache"))
        .content_type("application/json;charset=UTF-8")
        .body(Value::Object(document).to_string())
}

fn refused(error: &str, why: &str) -> HttpResponse {
    let document = json!({ "error": error, "error_description": why });
    answer(
        StatusCode::BAD_REQUEST,
        document.as_object().cloned().unwrap_or_default(),
    )
}

/// Also where there is such a pool, and it is not within reach.
fn unknown_pool() -> HttpResponse {
    refused("invalid_client_metadata", "user_pool_id: there is no such pool")
}

/// Without a token, with a wrong one, and for a client that is not there (RFC 7592 §2.1).
fn unauthorized() -> HttpResponse {
    HttpResponse::Unauthorized()
        .insert_header((
            header::WWW_AUTHENTICATE,
            "Bearer realm=\"forebay\", error=\"invalid_token\"",
        ))
        .finish()
}
