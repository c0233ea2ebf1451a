//! `POST /oauth2/token` (RFC 6749 §3.2): authenticate the client, redeem the grant, mint.

use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use super::error::{self, Dialect};
use super::mint::{self, Minted};
use super::{cors, form};
use crate::actions::tokens::{self, Exchanged};
use crate::broker::{App, Broker};
use crate::error::StoreError;
use crate::rules::authorize::granted_scopes;
use crate::rules::grant::{self, Credentials, Grant};
use crate::rules::oauth_error::{Code, OAuthError};
use crate::rules::params::Params;
use crate::web::headers::RequestId;

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
        Ok(answer) => HttpResponse::Ok()
            .insert_header(cors::ANY_ORIGIN)
            .insert_header(("Pragma", "no-cache"))
            .insert_header((header::CONTENT_TYPE, "application/json;charset=UTF-8"))
            .body(Value::Object(answer).to_string()),
        Err(trouble) => trouble.answer(&request, dialect),
    }
}

async fn serve(
    request: &HttpRequest,
    body: &Bytes,
    broker: &Data<Broker>,
    dialect: &mut Dialect,
) -> Result<Map<String, Value>, Trouble> {
    let form = form(request, body)?;
    let app = authenticated(request, &form, broker, dialect).await?;
    let live = app.live_providers();
    let (client, ctx) = (
        app.clone(),
        broker.ctx(format!("client:{}", app.client.id), RequestId::of(request)),
    );
    match grant::parse(&form, &app.client)? {
        Grant::Code {
            code,
            redirect_uri,
            verifier,
        } => {
            let exchanged = broker
                .db
                .write(move |conn| {
                    let (uri, verifier) = (redirect_uri.as_deref(), verifier.as_deref());
                    tokens::exchange(conn, &ctx, &client.client, &live, &code, uri, verifier)
                })
                .await??;
            Ok(answer(
                &app,
                mint::for_user(broker, &app, &exchanged)?,
                Some(&exchanged),
                &exchanged.scopes,
            ))
        }
        Grant::Refresh { token, scope } => {
            let (again, looking) = (
                (ctx.clone(), client.clone(), live.clone()),
                (token.clone(), scope.clone()),
            );
            // Where nothing rotates a refresh only reads.
            let read = broker
                .db
                .read(move |conn| -> Result<_, StoreError> {
                    if tokens::refresh_writes(conn, &client.client, &token)? {
                        return Ok(None);
                    }
                    tokens::refresh(conn, &ctx, &client.client, &live, &token, scope.as_deref()).map(Some)
                })
                .await?;
            let exchanged = match read {
                Some(answer) => answer?,
                None => {
                    let ((ctx, client, live), (token, scope)) = (again, looking);
                    broker
                        .db
                        .write(move |conn| {
                            tokens::refresh(conn, &ctx, &client.client, &live, &token, scope.as_deref())
                        })
                        .await??
                }
            };
            Ok(answer(
                &app,
                mint::for_user(broker, &app, &exchanged)?,
                Some(&exchanged),
                &exchanged.scopes,
            ))
        }
        Grant::ClientCredentials { scope, resource } => {
            let servers = &app.pool.resource_servers;
            let resource = resource.as_deref();
            if resource.is_some_and(|asked| !servers.iter().any(|server| server.identifier == asked)) {
                return Err(OAuthError::new(Code::InvalidTarget, "the resource is not known").into());
            }
            let scopes = granted_scopes(scope.as_deref(), &app.client.settings.scopes, resource, servers)?;
            Ok(answer(
                &app,
                mint::for_client(broker, &app, &scopes, resource)?,
                None,
                &scopes,
            ))
        }
    }
}

/// The client behind the request, proved to be it.
pub async fn authenticated(
    request: &HttpRequest,
    form: &Params,
    broker: &Broker,
    dialect: &mut Dialect,
) -> Result<std::sync::Arc<App>, Trouble> {
    let header = match request
        .headers()
        .get_all(header::AUTHORIZATION)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => None,
        [one] => Some(one.to_str().map_err(|_| malformed())?),
        _ => return Err(malformed().into()),
    };
    dialect.by_header = header.is_some();
    if form.is_repeated("client_id") || form.is_repeated("client_secret") {
        return Err(OAuthError::new(Code::InvalidRequest, "a parameter is repeated").into());
    }
    let credentials: Credentials = grant::credentials(header, form)?;
    let app = broker.app(&credentials.client_id).await?;
    dialect.cognito_exact = app
        .as_ref()
        .is_some_and(|app| app.pool.pool.settings.cognito_exact);
    grant::authenticate(
        &credentials,
        app.as_ref().map(|app| (&app.client, app.secrets.as_slice())),
    )?;
    app.ok_or_else(|| malformed().into())
}

fn malformed() -> OAuthError {
    OAuthError::new(
        Code::InvalidClient,
        "the Authorization header is not HTTP Basic credentials",
    )
}

/// The successful answer (RFC 6749 §5.1). It says what was granted, which may be less than what was asked for; Cognito
/// does not say.
fn answer(app: &App, minted: Minted, exchanged: Option<&Exchanged>, scopes: &[String]) -> Map<String, Value> {
    let mut answer = Map::new();
    let mut set = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    if let Some(id_token) = minted.id_token {
        set("id_token", json!(id_token));
    }
    set("access_token", json!(minted.access_token));
    if let Some(refresh_token) = exchanged.and_then(|exchanged| exchanged.refresh_token.as_ref()) {
        set("refresh_token", json!(refresh_token));
    }
    set("expires_in", json!(minted.expires_in));
    set("token_type", json!("Bearer"));
    if !app.pool.pool.settings.cognito_exact {
        set("scope", json!(scopes.join(" ")));
    }
    answer
}
