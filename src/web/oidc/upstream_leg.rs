//! On to the identity provider: draw state, nonce and verifier, seal the login into its cookie, redirect.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::error::{self, Again, Shown};
use super::{authorize, respond};
use crate::actions::traces::{self, Draft};
use crate::broker::{App, Broker, Ways};
use crate::model::provider::Provider;
use crate::rules::authorize::Authorization;
use crate::rules::discovery::paths;
use crate::rules::login::{self, ApiAsk, Login, UpstreamLeg};
use crate::rules::oauth_error::{Code, OAuthError};
use crate::rules::params;
use crate::rules::refusal::Refusal;
use crate::rules::secret;
use crate::upstream::{AuthorizeRequest, Connection};
use crate::web::cookies::{self, Cookies};
use crate::web::domains;

/// What goes on to the provider besides the login itself.
pub struct Hints {
    pub login_hint: Option<String>,
    /// The domain of that address led to the provider.
    pub by_address: bool,
    /// Who is signed in in the browser, where a tile began this.
    pub instead_of: Option<String>,
}

/// The redirect URI of this login, as it is registered at the provider, at the host that the login began at: only there
/// does the browser have its cookie.
pub fn callback_url(origin: &str, login: &Login) -> String {
    if login.shared_callback {
        format!("{origin}{}", paths::IDPRESPONSE)
    } else {
        format!("{origin}{}/{}", paths::IDPRESPONSE, login.provider_id)
    }
}

pub async fn start(
    request: &HttpRequest,
    broker: &Data<Broker>,
    (app, ways): (&Arc<App>, &Ways),
    provider: &Provider,
    authorization: &Authorization,
    hints: Hints,
) -> HttpResponse {
    let now = broker.clock.now();
    let other = match broker.canary(ways, provider, hints.login_hint.as_deref()).await {
        Ok(other) => other,
        Err(cause) => {
            tracing::error!(%cause, "whom a canary takes could not be read");
            None
        }
    };
    let provider = other.as_ref().unwrap_or(provider);
    let state = secret::short_token(&broker.entropy);
    let leg = UpstreamLeg {
        provider_id: provider.id.clone(),
        // At a tenant's own host the callback needs no name: all connections there are that tenant's.
        shared_callback: provider.settings.shared_callback || domains::tenant_of(request).is_some(),
        nonce: secret::short_token(&broker.entropy),
        verifier: secret::token(&broker.entropy),
        by_address: hints.by_address,
        instead_of: hints.instead_of.clone(),
        login_hint: hints.login_hint.clone(),
        person_hash: hints
            .login_hint
            .as_deref()
            .and_then(|address| traces::person_hash(&broker.sealer, address)),
        okta_api: ApiAsk::of(&provider.settings),
    };
    let login = Login::new(&app.client, authorization, leg, now);
    let Some(value) = login.seal(&broker.sealer, &broker.public_url, &state) else {
        let refusal = OAuthError::new(Code::InvalidRequest, "the request is too large to be remembered");
        return authorize::refuse(request, app, authorization, &refusal);
    };
    let callback = callback_url(&domains::origin(request, broker), &login);
    let asking = asking(&login, callback, &state, hints.login_hint);
    let url = match ask(broker, provider, &asking).await {
        Ok(url) => url,
        Err(unreached) => {
            let name = &ways.offered_as(provider).name;
            return not_reached(
                request,
                broker,
                (app, name),
                provider,
                authorization,
                &login,
                *unreached,
            )
            .await;
        }
    };
    let mut answer = respond::redirect(&url);
    let present = Cookies::of(request)
        .unwrap_or_default()
        .with_prefix(login::COOKIE_PREFIX);
    let name = login::cookie_name(&state);
    let incoming = name.len() + value.len();
    for old in login::to_evict(&present, incoming, &broker.sealer, &broker.public_url, now) {
        answer.cookie(cookies::clear(login::cookie_name(&old)));
    }
    answer.cookie(cookies::set(name, value, login::LIFETIME));
    if let Some(cookie) = error::remember_lang(request) {
        answer.cookie(cookie);
    }
    answer.finish()
}

/// The same login once more, without the scopes of Okta's API, over which the whole request was refused: nobody is kept
/// out for want of them. `None` where that cannot be asked either.
pub async fn without_okta_api(
    request: &HttpRequest,
    broker: &Broker,
    connection: &Connection,
    login: &Login,
    spent: &str,
) -> Option<HttpResponse> {
    let state = secret::short_token(&broker.entropy);
    let again = login.without_okta_api(
        secret::short_token(&broker.entropy),
        secret::token(&broker.entropy),
    );
    let value = again.seal(&broker.sealer, &broker.public_url, &state)?;
    let callback = callback_url(&domains::origin(request, broker), &again);
    let asking = asking(&again, callback, &state, login.login_hint.clone());
    let url = broker.upstream.authorize_url(connection, &asking).await.ok()?;
    let mut answer = respond::redirect(url.as_str());
    answer.cookie(cookies::clear(login::cookie_name(spent)));
    answer.cookie(cookies::set(login::cookie_name(&state), value, login::LIFETIME));
    Some(answer.finish())
}

/// The provider could not even be asked: what was seen, and what it means.
struct Unreached {
    seen: String,
    refusal: Refusal,
}

impl Unreached {
    fn new(seen: impl Into<String>, refusal: Refusal) -> Box<Unreached> {
        Box::new(Unreached {
            seen: seen.into(),
            refusal,
        })
    }
}

/// What a login asks the provider for.
fn asking(login: &Login, redirect_uri: String, state: &str, login_hint: Option<String>) -> AuthorizeRequest {
    AuthorizeRequest {
        redirect_uri,
        state: state.to_owned(),
        nonce: login.upstream_nonce.clone(),
        code_verifier: login.upstream_verifier.clone(),
        login_hint,
        prompt: login.upstream_prompt.clone(),
        max_age: login.max_age,
        acr_values: login.acr_values.clone(),
        okta_api: login.okta_api == ApiAsk::Asked,
    }
}

async fn ask(
    broker: &Data<Broker>,
    provider: &Provider,
    asking: &AuthorizeRequest,
) -> Result<String, Box<Unreached>> {
    let connection = broker.connection(&provider.id).await.map_err(|cause| {
        tracing::error!(%cause, "a connection could not be read");
        Unreached::new("the connection could not be read", Refusal::unavailable())
    })?;
    let connection = connection
        .ok_or_else(|| Unreached::new("the connection is switched off", Refusal::no_longer_offered()))?;
    match broker.upstream.authorize_url(&connection, asking).await {
        Ok(url) => Ok(url.into()),
        Err(failure) => {
            tracing::warn!(
                connection = provider.id,
                cause = failure.cause.name(),
                detail = failure.detail,
                "upstream"
            );
            let refusal = failure.refusal(&provider.settings.label).into();
            Err(Unreached::new(failure.to_string(), refusal))
        }
    }
}

/// A page instead of the provider's, and a trace in bounded number.
async fn not_reached(
    request: &HttpRequest,
    broker: &Broker,
    (app, name): (&App, &str),
    provider: &Provider,
    authorization: &Authorization,
    login: &Login,
    unreached: Unreached,
) -> HttpResponse {
    let Unreached { seen, refusal } = unreached;
    let mut trace = Draft {
        user_pool_id: Some(app.pool.pool.id.clone()),
        provider_id: Some(provider.id.clone()),
        client_id: Some(app.client.id.clone()),
        started_at: login.started_at,
        person_hash: login.person_hash(),
        ..Draft::default()
    };
    trace.step("authorize", false, seen);
    trace.story.remedy = refusal.remedy.to_string();
    let trace_code = error::keep_unreached(request, broker, trace, &refusal.cause).await;
    let address = authorization.return_address();
    error::refused(
        request,
        broker,
        Shown {
            refusal: &refusal,
            trace_code,
            pool_name: app.shown_name(),
            client_name: Some(&app.client.name),
            connection: Some(&provider.name),
            issuer: &app.pool.issuer,
            address: Some(&address),
            again: Some(again(login, app, &address.redirect_uri, Some(name))),
            clear: None,
        },
    )
}

/// The authorization request of a login, to begin again with; at the connection of that name.
pub fn again(login: &Login, app: &App, redirect_uri: &str, provider_name: Option<&str>) -> Again {
    let response_type = match login.response_type {
        crate::rules::authorize::ResponseType::Code => "code",
        crate::rules::authorize::ResponseType::Token => "token",
    };
    let mode = crate::rules::response::ResponseMode::ALL
        .iter()
        .find(|(_, mode)| *mode == login.response_mode);
    let mut pairs = vec![
        ("client_id", app.client.id.clone()),
        ("redirect_uri", redirect_uri.to_owned()),
        ("response_type", response_type.to_owned()),
        ("scope", login.scopes.join(" ")),
    ];
    pairs.extend(mode.map(|(name, _)| ("response_mode", (*name).to_owned())));
    pairs.extend(login.state.clone().map(|value| ("state", value)));
    pairs.extend(login.nonce.clone().map(|value| ("nonce", value)));
    if let Some(challenge) = &login.code_challenge {
        pairs.push(("code_challenge", challenge.clone()));
        pairs.push(("code_challenge_method", "S256".to_owned()));
    }
    pairs.extend(login.resource.clone().map(|value| ("resource", value)));
    pairs.extend(login.max_age.map(|value| ("max_age", value.to_string())));
    pairs.extend(login.acr_values.clone().map(|value| ("acr_values", value)));
    pairs.extend(provider_name.map(|name| ("identity_provider", name.to_owned())));
    // The user that the app insists on, as OIDC Core §5.5.1 lets it say so.
    if let Some(sub) = &login.required_sub {
        let claims = serde_json::json!({ "id_token": { "sub": { "value": sub } } });
        pairs.push(("claims", claims.to_string()));
    }
    let href = |prompt: Option<&str>| {
        let prompt = prompt.map(|value| ("prompt", value.to_owned()));
        let pairs: Vec<_> = pairs.iter().cloned().chain(prompt).collect();
        format!("{}?{}", paths::AUTHORIZE, params::encode(pairs))
    };
    Again {
        href: href(login.reauthenticate.then_some("login")),
        other_href: href(Some("login")),
    }
}
