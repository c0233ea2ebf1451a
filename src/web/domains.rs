//! Pools and tenants with a host of their own. A request to such a host is served for that pool only: its sign-in endpoints,
//! its pages and its documents; the console, the management API and every other pool are not found there. At a tenant's
//! host there are none but that tenant's connections.
//!
//! The host is what the request says it is for (RFC 9112 §3.2), so a proxy in front must pass `Host` on. Nothing of
//! ours is opened by it: it only narrows what the public URL's host serves as well.

use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};

use super::oidc::error;
use crate::broker::{App, Broker, Site};
use crate::error::StoreError;
use crate::model::provider::Provider;
use crate::rules::discovery::paths;
use crate::rules::domain::host_name;

/// What is the same at every host, and asked for by address: no database is asked whose host it is.
const EVERYWHERE: [&str; 3] = ["/healthz", "/readyz", "/assets/"];
/// What a pool's own host serves, by the beginning of the path.
const SERVED: [&str; 7] = [
    "/oauth2/",
    "/login",
    "/logout",
    "/error",
    paths::START_LOGIN,
    "/.well-known/",
    "/authorization-code/callback",
];

/// The pool whose own host a request came to.
#[derive(Clone)]
struct Here(Arc<Site>);

/// Finds out whose host it is, and turns away what that host does not serve.
pub async fn route<B: MessageBody>(
    broker: web::Data<Broker>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let begins = |list: &[&str]| list.iter().any(|start| request.path().starts_with(start));
    if begins(&EVERYWHERE) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let served = begins(&SERVED) || request.path().contains("/.well-known/");
    let refusal = match broker.site(&host(request.request())).await {
        Ok(Some(site)) if served => {
            request.extensions_mut().insert(Here(site));
            None
        }
        Ok(Some(_)) => Some(error::not_found(request.request().clone()).await),
        Ok(None) => None,
        Err(cause) => Some(error::store(request.request(), &cause)),
    };
    match refusal {
        Some(answer) => Ok(request.into_response(answer).map_into_right_body()),
        None => Ok(next.call(request).await?.map_into_left_body()),
    }
}

/// The host that a request is for: an absolute target before the header (RFC 9112 §3.2.2).
fn host(request: &HttpRequest) -> String {
    let header = request.headers().get(header::HOST);
    let authority = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => header.and_then(|host| host.to_str().ok()).unwrap_or_default(),
    };
    host_name(authority)
}

/// The pool whose own host this request came to.
pub fn pool_of(request: &HttpRequest) -> Option<String> {
    let extensions = request.extensions();
    let here: &Here = extensions.get()?;
    Some(here.0.user_pool_id.clone())
}

/// The tenant whose own host this request came to.
pub fn tenant_of(request: &HttpRequest) -> Option<String> {
    let extensions = request.extensions();
    let here: &Here = extensions.get()?;
    here.0.tenant_id.clone()
}

/// Whether that connection is offered at the host that this request came to.
pub fn offers(request: &HttpRequest, provider: &Provider) -> bool {
    serves(request, &provider.user_pool_id)
        && tenant_of(request).is_none_or(|tenant| provider.tenant_id.as_ref() == Some(&tenant))
}

/// Whether the host that this request came to serves that pool.
pub fn serves(request: &HttpRequest, user_pool_id: &str) -> bool {
    pool_of(request).is_none_or(|own| own == user_pool_id)
}

/// The origin of the host that this request came to: a pool's own, else the public URL.
pub fn origin(request: &HttpRequest, broker: &Broker) -> String {
    match request.extensions().get::<Here>() {
        Some(here) => here.0.origin.clone(),
        None => broker.public_url.clone(),
    }
}

/// The enabled app client of that id, if the host serves its pool; at a tenant's own host with that tenant's connections
/// alone.
pub async fn app(
    request: &HttpRequest,
    broker: &Broker,
    client_id: &str,
) -> Result<Option<Arc<App>>, StoreError> {
    let app = match tenant_of(request) {
        Some(tenant) => broker.app_of_tenant(client_id, &tenant).await?,
        None => broker.app(client_id).await?,
    };
    Ok(app.filter(|app| serves(request, &app.pool.pool.id)))
}

/// The same where a request has led to that tenant, at whatever host; at another tenant's there is no such.
pub async fn app_led_to(
    request: &HttpRequest,
    broker: &Broker,
    client_id: &str,
    tenant_id: &str,
) -> Result<Option<Arc<App>>, StoreError> {
    if tenant_of(request).is_some_and(|own| own != tenant_id) {
        return Ok(None);
    }
    let app = broker.app_of_tenant(client_id, tenant_id).await?;
    Ok(app.filter(|app| serves(request, &app.pool.pool.id)))
}
