//! As whom we come to the upstream: client id, secret or key of our own, scopes. What is secret goes in and never comes
//! out; of a key its public side is shown, for that is what Okta wants.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use zeroize::Zeroizing;

use super::{At, Opened, by_tenant, field_error, open, within};
use crate::actions::providers::{self, Credentials, Expiries, ProviderChange};
use crate::broker::{self, Broker};
use crate::error::StoreError;
use crate::model::provider::{ClientAuth, TokenIn};
use crate::rules::connection::odd_client_id;
use crate::rules::dotenv::{self, OktaApp};
use crate::rules::{jwks, scope};
use crate::web::console::door::{Admin, Form};
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;
use crate::world::UnixTime;

#[derive(Template)]
#[template(path = "console/connections/credentials.html")]
struct CredentialsPage {
    frame: Frame,
    at: At,
    client_id: String,
    /// A word about a client id that does not look like Okta's.
    odd: Option<&'static str>,
    method: ClientAuth,
    scopes: String,
    /// One a line; for connections whose ID tokens apps bring.
    origins: String,
    has_secret: bool,
    expires: String,
    /// The public side of our key, as Okta takes it.
    public_key: Option<String>,
    wrong: Option<(&'static str, String)>,
}

impl CredentialsPage {
    fn is_method(&self, method: &str) -> bool {
        self.method.as_str() == method
    }

    fn error(&self, field: &str) -> Option<&str> {
        self.wrong
            .as_ref()
            .filter(|(known, _)| *known == field)
            .map(|(_, why)| why.as_str())
    }
}

pub async fn page(
    admin: Admin,
    id: Path<String>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let opened = open(&broker, admin.changes(), &id).await?;
    admin.require_fresh(broker.clock.now(), request.path())?;
    Ok(page::show(&stored(&admin, &broker, &request, &opened)?))
}

pub async fn entered(
    admin: Admin,
    id: Path<String>,
    form: Form,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let opened = open(&broker, admin.changes(), &id).await?;
    admin.require_fresh(broker.clock.now(), request.path())?;
    let mut page = stored(&admin, &broker, &request, &opened)?;
    let provider = &opened.provider;
    let pasted = match form.text("env") {
        "" => OktaApp::default(),
        text => match from_env(text, &provider.issuer) {
            Ok(app) => app,
            Err(why) => {
                page.wrong = Some(("env", why));
                return Ok(page::refused(&page));
            }
        },
    };
    page.client_id = pasted
        .client_id
        .unwrap_or_else(|| form.text("client_id").to_owned());
    page.scopes = form.text("scopes").to_owned();
    page.expires = form.text("expires").to_owned();
    page.method = form.text("method").parse().unwrap_or(page.method);
    page.odd = odd_client_id(&provider.issuer, &page.client_id);
    if page.at.token_in {
        return token_in_entered(&admin, &broker, &form, page).await;
    }
    let expires = match page.expires.as_str() {
        "" => None,
        day => match UnixTime::of_day(day) {
            Some(at) => Some(at),
            None => {
                page.wrong = Some((
                    "expires",
                    "Write the day as 2027-01-31, or leave it empty.".into(),
                ));
                return Ok(page::refused(&page));
            }
        },
    };
    let typed = match pasted.client_secret {
        Some(secret) => secret,
        None => Zeroizing::new(form.text("client_secret").to_owned()),
    };
    let by_key = page.method == ClientAuth::PrivateKeyJwt;
    let private_key = match by_key && (provider.private_key_sealed.is_none() || form.is_checked("new_key")) {
        true => Some(made_key().await?),
        false => None,
    };
    let (client_id, method) = (page.client_id.clone(), page.method);
    let (scopes, new_key) = (scope::parse(&page.scopes), private_key.is_some());
    let mut change = ProviderChange {
        credentials: Credentials {
            client_secret: Some(typed).filter(|text| !text.is_empty()),
            private_key,
            next_secret: None,
        },
        expiries: Expiries {
            secret: Some(expires),
            next_secret: None,
        },
        by_tenant: by_tenant(&admin, &provider.user_pool_id),
        ..ProviderChange::default()
    };
    let (ctx, allowed) = (admin.ctx(&broker), broker.upstream.allowed().to_vec());
    let (reach, wanted) = (admin.changes().clone(), id.clone());
    let needs_secret = !by_key && change.credentials.client_secret.is_none() && !page.has_secret;
    if needs_secret {
        page.wrong = Some((
            "client_secret",
            "Copy the client secret from the app's General tab in Okta.".into(),
        ));
        return Ok(page::refused(&page));
    }
    let updated = broker
        .db
        .write(move |conn| {
            // As they are stored now: somebody else may have changed the other fields.
            let mut settings = within(conn, &reach, &wanted)?.settings.0;
            settings.client_id = client_id;
            settings.client_auth = method;
            settings.scopes = scopes;
            if new_key {
                settings.private_key_id = None;
            }
            change.settings = Some(settings);
            providers::update(conn, &ctx, &allowed, &wanted, change)
        })
        .await;
    match updated {
        Ok(_) => {
            broker.forget();
            let next = if by_key { "credentials" } else { "check" };
            Ok(page::done(&format!("/console/connections/{id}/{next}"), "saved"))
        }
        Err(error) => {
            page.wrong = Some(field_error(error, &["client_id", "client_secret", "scopes"])?);
            Ok(page::refused(&page))
        }
    }
}

/// Such a connection has no credentials but the client id: what ties a token to it.
async fn token_in_entered(
    admin: &Admin,
    broker: &Broker,
    form: &Form,
    mut page: CredentialsPage,
) -> Result<HttpResponse, Problem> {
    page.origins = form.text("origins").to_owned();
    let (ctx, allowed) = (admin.ctx(broker), broker.upstream.allowed().to_vec());
    let (reach, changes, path) = (admin.changes().clone(), admin.changes().clone(), page.at.path());
    let (client_id, origins, id) = (page.client_id.clone(), form.lines("origins"), page.at.id.clone());
    let updated = broker
        .db
        .write(move |conn| {
            let provider = within(conn, &reach, &id)?;
            let mut settings = provider.settings.0.clone();
            settings.client_id = client_id;
            settings.token_in = Some(TokenIn { origins });
            let change = ProviderChange {
                settings: Some(settings),
                by_tenant: !changes.has_pool(&provider.user_pool_id),
                ..ProviderChange::default()
            };
            providers::update(conn, &ctx, &allowed, &id, change)
        })
        .await;
    match updated {
        Ok(_) => {
            broker.forget();
            Ok(page::done(&format!("{path}/check"), "saved"))
        }
        Err(error) => {
            page.wrong = Some(field_error(error, &["client_id", "origins"])?);
            Ok(page::refused(&page))
        }
    }
}

/// What an app's `.env` says, if it is of this connection's authorization server. Another one's client would not be known
/// there, and which of the two is meant is not ours to guess.
fn from_env(text: &str, issuer: &str) -> Result<OktaApp, String> {
    let app = dotenv::read(text).map_err(|why| format!("What you pasted {why}."))?;
    match &app.issuer {
        Some(theirs) if theirs != issuer => Err(format!(
            "OKTA_ISSUER_URI is {theirs}, and this connection leads to {issuer}. Change where it leads first, or paste the \
             other app's lines."
        )),
        _ => Ok(app),
    }
}

/// The page as the connection stands.
fn stored(
    admin: &Admin,
    broker: &Broker,
    request: &HttpRequest,
    opened: &Opened,
) -> Result<CredentialsPage, Problem> {
    let provider = &opened.provider;
    let settings = &provider.settings;
    let public_key = match provider.private_key_sealed {
        Some(_) => broker::connection(&broker.sealer, provider.clone())?
            .private_key
            .map(|pair| serde_json::to_string_pretty(&pair.public_jwk).unwrap_or_default()),
        None => None,
    };
    Ok(CredentialsPage {
        frame: Frame::new(admin, "connections", request.query_string()),
        at: At::new(admin, opened, "/credentials"),
        client_id: settings.client_id.clone(),
        odd: odd_client_id(&provider.issuer, &settings.client_id),
        method: settings.client_auth,
        scopes: settings.scopes.join(" "),
        origins: settings
            .token_in
            .as_ref()
            .map_or_else(String::new, |kind| kind.origins.join("\n")),
        has_secret: provider.client_secret_sealed.is_some(),
        expires: provider.secret_expires_at.map_or_else(String::new, UnixTime::day),
        public_key,
        wrong: None,
    })
}

/// A key of our own, made off the async threads: it takes a while.
async fn made_key() -> Result<Zeroizing<String>, Problem> {
    web::block(|| jwks::generate().and_then(|pair| pair.to_pem()))
        .await
        .map_err(|cause| StoreError::Lost(cause.to_string()))?
        .map_err(|cause| Problem::Store(StoreError::Lost(cause.to_string())))
}
