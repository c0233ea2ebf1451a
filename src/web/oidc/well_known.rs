//! Metadata and keys: public bytes made once per change, with an entity tag.

use std::sync::{Arc, LazyLock};

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::{cors, error};
use crate::broker::{Broker, Document, PoolFacts};
use crate::rules::key_rotation::JWKS_CACHE_SECONDS;
use crate::web::domains;

/// A key is published for longer than this before its first use.
static CACHED: LazyLock<HeaderValue> = LazyLock::new(|| {
    let cached = format!("public, max-age={JWKS_CACHE_SECONDS}, must-revalidate");
    HeaderValue::from_str(&cached).unwrap_or_else(|_| HeaderValue::from_static("no-cache"))
});

pub async fn oauth_metadata(
    request: HttpRequest,
    pool: web::Path<String>,
    broker: web::Data<Broker>,
) -> HttpResponse {
    serve(&request, &pool, &broker, |facts| &facts.oauth_metadata).await
}

/// A document of the pool that the path begins with.
pub async fn of_named_pool(
    request: &HttpRequest,
    broker: &Broker,
    pick: fn(&PoolFacts) -> &Document,
) -> HttpResponse {
    let pool = request.path().split('/').nth(1).unwrap_or_default();
    serve(request, pool, broker, pick).await
}

/// The same of the pool whose own host it is.
pub async fn configuration_here(request: HttpRequest, broker: web::Data<Broker>) -> HttpResponse {
    serve_here(&request, &broker, |facts| &facts.configuration).await
}

pub async fn jwks_here(request: HttpRequest, broker: web::Data<Broker>) -> HttpResponse {
    serve_here(&request, &broker, |facts| &facts.jwks).await
}

async fn serve_here(
    request: &HttpRequest,
    broker: &Broker,
    pick: impl Fn(&PoolFacts) -> &Document,
) -> HttpResponse {
    match domains::pool_of(request) {
        Some(pool) => serve(request, &pool, broker, pick).await,
        None => error::not_found(request.clone()).await,
    }
}

async fn serve(
    request: &HttpRequest,
    pool: &str,
    broker: &Broker,
    pick: impl Fn(&PoolFacts) -> &Document,
) -> HttpResponse {
    if !domains::serves(request, pool) {
        return error::not_found_json("there is no such user pool");
    }
    let facts: Arc<PoolFacts> = match broker.published_pool(pool).await {
        Ok(Some(facts)) => facts,
        Ok(None) => return error::not_found_json("there is no such user pool"),
        Err(cause) => return error::store(request, &cause),
    };
    let document = pick(&facts);
    let unchanged = request
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|tags| tags.split(',').map(str::trim))
        // Compared weakly (RFC 9110 §13.1.2): a proxy that compresses makes weak tags of ours.
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == document.etag);
    let mut answer = if unchanged {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    answer
        .insert_header(cors::ANY_ORIGIN)
        .insert_header((header::CACHE_CONTROL, CACHED.clone()))
        .insert_header((header::ETAG, document.etag.clone()));
    if unchanged {
        answer.finish()
    } else {
        answer
            .content_type("application/json")
            .body(document.body.clone())
    }
}
