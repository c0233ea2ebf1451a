//! `POST /oauth2/token` (RFC 6749 §3.2): authenticate the client, redeem the grant, mint. The exchange of a token that an
//! app brings is in `token_in`.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderName};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use super::error::{self, Dialect};
use super::mint::{self, Minted};
use super::{cors, form, token_in};
use crate::actions::tokens::{self, Refresh};
use crate::broker::hooks::{self, Visit};
use crate::broker::refresh::{self, NotRefreshed};
use crate::broker::{App, Broker};
use crate::error::StoreError;
use crate::rules::authorize::granted_scopes;
use crate::rules::grant::{self, Credentials, Grant, Shown};
use crate::rules::oauth_error::{Code, OAuthError};
use crate::rules::params::Params;
use crate::web::headers::RequestId;
use crate::web::{domains, guards};

/// A refusal, or a database that did not answer.
pub enum Trouble {
    Refused(OAuthError),
    Store(StoreError),
}

impl From<OAuthError> for Trouble {
    fn from(error: OAuthError) -> Trouble {
        Trouble::Refused(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Store(error)
    }
}

impl From<NotRefreshed> for Trouble {
    fn from(why: NotRefreshed) -> Trouble {
        match why {
            NotRefreshed::Refused(error) => Trouble::Refused(error),
            NotRefreshed::Hook(fault) => Trouble::Refused(fault.oauth()),
            NotRefreshed::Store(cause) => Trouble::Store(cause),
        }
    }
}

impl Trouble {
    pub fn answer(&self, request: &HttpRequest, dialect: Dialect) -> HttpResponse {
        match self {
            Trouble::Refused(error) => error::json(request, error, dialect),
            Trouble::Store(cause) => error::store(request, cause),
        }
    }
}

pub async fn post(request: HttpRequest, body: Bytes, broker: Data<Broker>) -> HttpResponse {
    let mut dialect = Dialect::default();
    match serve(&request, &body, &broker, &mut dialect).await {
        Ok(answer) => answer,
        Err(trouble) => trouble.answer(&request, dialect),
    }
}

async fn serve(
    request: &HttpRequest,
    body: &Bytes,
    broker: &Data<Broker>,
    dialect: &mut Dialect,
) -> Result<HttpResponse, Trouble> {
    let form = form(request, body)?;
    let app = authenticated(request, &form, broker, dialect).await?;
    if let Some(answer) = guards::beyond_clients_share(broker, request, &app.client.id) {
        return Ok(answer);
    }
    let mut visit = Visit::new(broker, &app.pool, &app.client.id);
    let ctx = broker.ctx(format!("client:{}", app.client.id), RequestId::of(request));
    let (minted, refresh_token) = match grant::parse(&form, &app.client)? {
        Grant::Code {
            code,
            redirect_uri,
            verifier,
            resource,
        } => {
            let holder = app.clone();
            let exchanged = broker
                .db
                .write(move |conn| {
                    let shown = Shown {
                        code: &code,
                        redirect_uri: redirect_uri.as_deref(),
                        verifier: verifier.as_deref(),
                        resource: resource.as_deref(),
                    };
                    tokens::exchange(conn, &ctx, &holder.client, &holder.offer, &shown)
                })
                .await??;
            let minted = mint::for_user(broker, &app, &exchanged)?;
            (minted, exchanged.refresh_token)
        }
        Grant::Refresh {
            token,
            scope,
            resource,
        } => {
            let asked = Refresh {
                token,
                scope,
                resource,
            };
            let rotates = tokens::rotates(&app.client);
            let exchanged = refresh::refresh(&mut visit, ctx, &app, asked, rotates).await?;
            let minted = mint::for_user(broker, &app, &exchanged)?;
            (minted, exchanged.refresh_token)
        }
        Grant::ClientCredentials { scope, resource } => {
            let servers = &app.pool.resource_servers;
            let resource = resource.as_deref();
            if resource.is_some_and(|asked| !servers.iter().any(|server| server.identifier == asked)) {
                return Err(OAuthError::new(Code::InvalidTarget, "the resource is not known").into());
            }
            let scopes = granted_scopes(scope.as_deref(), &app.client.settings.scopes, resource, servers)?;
            if scopes.is_empty() {
                let why = "the client has no scope of that resource";
                return Err(OAuthError::new(Code::InvalidScope, why).into());
            }
            let overrides = hooks::pre_client_token_generation(&mut visit, &scopes)
                .await
                .map_err(|fault| fault.oauth())?;
            let minted = mint::for_client(broker, &app, &scopes, resource, overrides.as_ref())?;
            (minted, None)
        }
        Grant::TokenExchange(asked) => {
            let exchange = token_in::Exchange::new(request, broker, app.clone(), &asked).await?;
            return exchange.serve(asked).await;
        }
    };
    let answer = answer(&app, minted, refresh_token);
    Ok(given(answer, Some(cors::ANY_ORIGIN)))
}

/// The client behind the request, proved to be it.
pub async fn authenticated(
    request: &HttpRequest,
    form: &Params,
    broker: &Broker,
    dialect: &mut Dialect,
) -> Result<Arc<App>, Trouble> {
    let headers: Vec<_> = request.headers().get_all(header::AUTHORIZATION).collect();
    dialect.by_header = !headers.is_empty();
    let header = match headers.as_slice() {
        [] => None,
        [one] => Some(one.to_str().map_err(|_| malformed())?),
        _ => return Err(malformed().into()),
    };
    if form.is_repeated("client_id") || form.is_repeated("client_secret") {
        return Err(OAuthError::new(Code::InvalidRequest, "a parameter is repeated").into());
    }
    let credentials: Credentials = grant::credentials(header, form)?;
    let app = domains::app(request, broker, &credentials.client_id).await?;
    dialect.cognito_exact = app
        .as_ref()
        .is_some_and(|app| app.pool.pool.settings.cognito_exact);
    grant::authenticate(
        &credentials,
        app.as_ref()
            .map(|app| (app.client.as_ref(), app.secrets.as_ref())),
    )?;
    app.ok_or_else(|| malformed().into())
}

/// An answer with tokens in it, for pages of that origin to read.
pub fn given(answer: Map<String, Value>, readable: Option<(HeaderName, &str)>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if let Some(readable) = readable {
        response.insert_header(readable);
    }
    response
        .insert_header(("Pragma", "no-cache"))
        .insert_header((header::CONTENT_TYPE, "application/json;charset=UTF-8"))
        .body(Value::Object(answer).to_string())
}

fn malformed() -> OAuthError {
    OAuthError::new(
        Code::InvalidClient,
        "the Authorization header is not HTTP Basic credentials",
    )
}

/// The successful answer (RFC 6749 §5.1). `scope` always: the standard wants it where it differs from what was asked for,
/// and that was said in another request. Cognito never gives it.
pub fn answer(app: &App, minted: Minted, refresh_token: Option<String>) -> Map<String, Value> {
    let mut answer = Map::new();
    let mut set = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    if let Some(id_token) = minted.id_token {
        set("id_token", json!(id_token));
    }
    set("access_token", json!(minted.access_token));
    if let Some(refresh_token) = refresh_token {
        set("refresh_token", json!(refresh_token));
    }
    set("expires_in", json!(minted.expires_in));
    set("token_type", json!("Bearer"));
    if !app.pool.pool.settings.cognito_exact {
        set("scope", json!(minted.scope));
    }
    answer
}
