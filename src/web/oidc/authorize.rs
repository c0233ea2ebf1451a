//! `/oauth2/authorize` (RFC 6749 §3.1, OIDC Core §3.1.2): check the request; answer from a live session where that is
//! allowed; else on to the identity provider, or to the login page to choose one. Nothing is stored on the way out.

use std::sync::Arc;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use super::choice::{Choice, NotAvailable, choose};
use super::upstream_leg::{self, Hints};
use super::{barred, confirm, error, form, mint, query, respond, somebody_else, start_login};
use crate::actions::login::{self, Grant};
use crate::broker::hooks::{self, Bearer, Visit};
use crate::broker::{App, Broker, Wanted, Ways};
use crate::error::StoreError;
use crate::model::overrides::Overrides;
use crate::model::provider::Provider;
use crate::model::session::Session;
use crate::model::user::User;
use crate::rules::access;
use crate::rules::authorize::{self, Authorization, AuthorizeError, ResponseType, Untrusted};
use crate::rules::discovery::paths;
use crate::rules::email::Email;
use crate::rules::hook::Source;
use crate::rules::jwt;
use crate::rules::oauth_error::{Code, OAuthError};
use crate::rules::params::{self, Params};
use crate::rules::response::Response;
use crate::web::cookies::{self, Cookies};
use crate::web::domains;
use crate::web::headers::RequestId;
use crate::web::pages::EMAIL_FIELD;

pub async fn get(request: HttpRequest, broker: Data<Broker>) -> HttpResponse {
    match begin(&request, &broker).await {
        Ok(Begun {
            app,
            authorization,
            params,
            ways,
            session,
            present,
        }) => {
            let sessions = Sessions { session, present };
            proceed(&request, &broker, (app, ways), authorization, &params, sessions).await
        }
        Err(answer) => answer,
    }
}

/// A POST is bounced to GET: coming cross-site it carries no `SameSite=Lax` cookies, the GET that follows does.
pub async fn post(request: HttpRequest, body: Bytes, broker: Data<Broker>) -> HttpResponse {
    bounce(&request, &broker, &body, paths::AUTHORIZE).await
}

/// 303 to the same request as GET.
pub async fn bounce(request: &HttpRequest, broker: &Broker, body: &Bytes, path: &str) -> HttpResponse {
    match form(request, body) {
        Ok(form) => {
            let query = params::encode(form.without(&[]));
            if query.len() + path.len() >= broker.guards.longest_url {
                return HttpResponse::UriTooLong().finish();
            }
            respond::see_other(&format!("{path}?{query}"))
        }
        Err(_) => error::untrusted(request, broker, Untrusted::Malformed, None).await,
    }
}

/// A checked request with the session that the browser has in the client's pool.
pub struct Begun {
    pub app: Arc<App>,
    pub authorization: Authorization,
    pub params: Params,
    /// The connections that the request speaks of.
    pub ways: Arc<Ways>,
    /// The session that can answer the request.
    pub session: Option<(Session, User)>,
    /// The browser's session, whether it can or not.
    pub present: Option<(Session, User)>,
}

/// What `/oauth2/authorize` and `/login` have in common: everything up to the decision.
pub async fn begin(request: &HttpRequest, broker: &Broker) -> Result<Begun, HttpResponse> {
    let Ok(params) = query(request) else {
        return Err(error::untrusted(request, broker, Untrusted::Malformed, None).await);
    };
    begin_with(request, broker, params, false).await
}

/// The same for the page on which a person chooses the way in.
pub async fn begin_choice(request: &HttpRequest, broker: &Broker) -> Result<Begun, HttpResponse> {
    let Ok(params) = query(request) else {
        return Err(error::untrusted(request, broker, Untrusted::Malformed, None).await);
    };
    begin_with(request, broker, params, true).await
}

/// The same for a request that travelled through a form of ours; `choice`: it ends at a page with the ways in.
pub async fn begin_with(
    request: &HttpRequest,
    broker: &Broker,
    params: Params,
    choice: bool,
) -> Result<Begun, HttpResponse> {
    let unavailable = |cause: StoreError| error::store(request, &cause);
    let client_id = match authorize::client_id(&params) {
        Ok(id) => id,
        Err(AuthorizeError::Page(why)) => return Err(error::untrusted(request, broker, why, None).await),
        Err(AuthorizeError::Redirect { .. }) => return Err(HttpResponse::BadRequest().finish()),
    };
    let Some(app) = domains::app(request, broker, client_id)
        .await
        .map_err(unavailable)?
    else {
        return Err(error::untrusted(request, broker, Untrusted::ClientUnknown, None).await);
    };
    let mut authorization = match authorize::check(&params, &app.client, &app.pool.resource_servers) {
        Ok(authorization) => authorization,
        Err(AuthorizeError::Page(why)) => {
            return Err(error::untrusted(request, broker, why, Some(client_id)).await);
        }
        Err(AuthorizeError::Redirect {
            redirect_uri,
            mode,
            state,
            error,
        }) => {
            let address = authorize::ReturnAddress {
                redirect_uri,
                mode,
                state,
            };
            return Err(to_app(
                request,
                &app,
                &address.error_response(&error, &app.pool.issuer),
                &error,
            ));
        }
    };
    if let Err(refusal) = heed_hint(&mut authorization, &app) {
        return Err(refuse(request, &app, &authorization, &refusal));
    }
    let Ok(cookies) = Cookies::of(request) else {
        let refusal = OAuthError::new(Code::InvalidRequest, "a cookie came twice");
        return Err(refuse(request, &app, &authorization, &refusal));
    };
    let present = match cookies.get(&cookies::session_name(&app.pool.pool.id)) {
        None => None,
        Some(token) => {
            let (token, pool, now) = (token.to_owned(), app.pool.pool.id.clone(), broker.clock.now());
            let found = broker
                .db
                .read(move |conn| login::find_session(conn, now, &pool, &token))
                .await;
            found.map_err(unavailable)?
        }
    };
    let mut wanted = Wanted {
        choice,
        ..Wanted::of(&authorization)
    };
    wanted.address(params.get(EMAIL_FIELD).map(str::trim));
    wanted.ids.extend(
        cookies
            .get(&start_login::cookie_name(&app.client.id))
            .map(str::to_owned),
    );
    let came_by = present
        .as_ref()
        .and_then(|(session, _)| session.provider_id.clone());
    wanted.ids.extend(came_by);
    let ways = broker.ways(&app, wanted).await.map_err(unavailable)?;
    let session = present
        .clone()
        .filter(|(session, user)| usable(session, user, &authorization, (&app, &ways), broker));
    Ok(Begun {
        app,
        authorization,
        params,
        ways,
        session,
        present,
    })
}

/// `id_token_hint` insists on its user (Core §3.1.2.1); it must be ours, though it may have expired.
fn heed_hint(authorization: &mut Authorization, app: &App) -> Result<(), OAuthError> {
    let Some(hint) = &authorization.id_token_hint else {
        return Ok(());
    };
    let claims = jwt::verify_expired(&app.pool.verify, hint, &app.pool.issuer, "id").map_err(|why| {
        OAuthError::because(
            Code::InvalidRequest,
            "id_token_hint is not an ID token of ours",
            why.0,
        )
    })?;
    let sub = claims
        .get("sub")
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default();
    match &authorization.required_sub {
        Some(required) if required != sub => Err(OAuthError::new(
            Code::InvalidRequest,
            "id_token_hint and claims name different users",
        )),
        _ => {
            authorization.required_sub = Some(sub.to_owned());
            Ok(())
        }
    }
}

/// Whether this session may answer this request without anybody being asked again.
fn usable(
    session: &Session,
    user: &User,
    request: &Authorization,
    (app, ways): (&App, &Ways),
    broker: &Broker,
) -> bool {
    let age = broker.clock.now().since(session.facts.auth_time);
    let prompt = request.prompt;
    let offered = match &session.provider_id {
        Some(id) => ways.provider(id).is_some(),
        None => app.has_native_users(),
    };
    offered
        && !(prompt.login || prompt.select_account || prompt.consent)
        // Zero is the same as prompt=login (Core §3.1.2.1), even within the second of the sign-in.
        && request.max_age.is_none_or(|most| most > 0 && age <= most)
        && app.client.settings.sso_minutes.is_none_or(|most| age < most * 60)
        && request.required_sub.as_ref().is_none_or(|sub| *sub == user.sub)
        && access::acr_suffices(&app.client.settings, session.facts.acr.as_deref())
        && request.acr_values.as_ref().is_none_or(|wanted| {
            session
                .facts
                .acr
                .as_ref()
                .is_some_and(|acr| wanted.split(' ').any(|value| value == acr))
        })
}

/// The session that can answer a request, and the one that the browser has.
struct Sessions {
    session: Option<(Session, User)>,
    present: Option<(Session, User)>,
}

async fn proceed(
    request: &HttpRequest,
    broker: &Data<Broker>,
    (app, ways): (Arc<App>, Arc<Ways>),
    authorization: Authorization,
    params: &Params,
    Sessions { session, present }: Sessions,
) -> HttpResponse {
    let started = start_login::chosen(request, &app, &ways).filter(|_| !authorization.prompt.none);
    let chosen = match choose(&authorization, &ways) {
        // A tile said through which connection, and the app's own request does not.
        Ok(Choice::Open) if started.is_some() => started.map_or(Choice::Open, Choice::Named),
        // Of several it says which one.
        Ok(Choice::Several(several)) => match started.filter(|one| several.has(&one.id)) {
            Some(one) => Choice::Named(one),
            None => Choice::Several(several),
        },
        Ok(chosen) => chosen,
        Err(NotAvailable) if authorization.prompt.none => {
            let refusal = OAuthError::new(
                Code::InvalidRequest,
                "the identity provider is not available to this client",
            );
            return refuse(request, &app, &authorization, &refusal);
        }
        // As Cognito: back to the login page, which says so.
        Err(NotAvailable) => return respond::redirect(&login_url(params, Some(NOT_AVAILABLE))).finish(),
    };
    let present = present.filter(|_| started.is_some());
    if let (Some((session, user)), Choice::Named(wanted) | Choice::Hinted(wanted, _)) = (&present, &chosen)
        && let Some(page) = somebody_else::before(
            request,
            (&app, &ways),
            &authorization,
            params,
            (session, user),
            wanted,
        )
    {
        return page;
    }
    // What a tile starts is a sign-in, and never the one that there was.
    if let Some((session, user)) = session.filter(|_| started.is_none()) {
        let came_by = session.provider_id.as_deref();
        let same = |provider: &Provider| came_by.is_some_and(|id| provider.leads_to(id));
        let fits = match &chosen {
            Choice::Open => true,
            // A named provider is asked afresh (as Cognito), unless nobody may be asked.
            Choice::Named(provider) => authorization.prompt.none && same(provider),
            // An address that is not the signed-in person's asks for another one.
            Choice::Hinted(provider, address) => {
                same(provider) && (authorization.prompt.none || is_address_of(address, &user))
            }
            Choice::Several(several) => {
                let address = several.address.as_ref();
                several.providers.iter().any(|provider| same(provider))
                    && (authorization.prompt.none
                        || address.is_some_and(|address| is_address_of(address, &user)))
            }
        };
        if fits {
            return continue_session(request, broker, &app, &authorization, params, session, user).await;
        }
    }
    if authorization.prompt.none {
        let refusal = OAuthError::new(Code::LoginRequired, "nobody is signed in");
        return refuse(request, &app, &authorization, &refusal);
    }
    // At a tenant's own host with one connection there is nothing to choose.
    let chosen = match (chosen, ways.providers.as_slice()) {
        (Choice::Open, [only]) if app.offer.tenant_id.is_some() && !authorization.prompt.select_account => {
            Choice::Named(only)
        }
        (chosen, _) => chosen,
    };
    let mut answer = match chosen {
        Choice::Named(provider) | Choice::Hinted(provider, _) => {
            let hints = Hints {
                login_hint: authorization.login_hint.clone(),
                by_address: matches!(chosen, Choice::Hinted(..)),
                instead_of: present.map(|(_, user)| user.sub),
            };
            upstream_leg::start(request, broker, (&app, &ways), provider, &authorization, hints).await
        }
        Choice::Several(_) | Choice::Open => respond::redirect(&login_url(params, None)).finish(),
    };
    if started.is_some() {
        start_login::used(&mut answer, &app);
    }
    answer
}

/// The message of a login page that was reached because of an unavailable provider; Cognito's own words.
pub const NOT_AVAILABLE: &str = "Login option is not available. Please try another one";

/// `/login` with the same request.
pub fn login_url(params: &Params, message: Option<&str>) -> String {
    let mut pairs = params.without(&["errorMessage", confirm::FIELD]);
    pairs.extend(message.map(|text| ("errorMessage".to_owned(), text.to_owned())));
    format!("{}?{}", paths::LOGIN, params::encode(pairs))
}

/// Whether the address is the user's own.
pub fn is_address_of(address: &Email, user: &User) -> bool {
    let theirs = user.attributes.get("email").and_then(|value| value.as_str());
    theirs.is_some_and(|theirs| {
        Email::parse(theirs).is_ok_and(|theirs| {
            theirs.domain() == address.domain() && theirs.local().eq_ignore_ascii_case(address.local())
        })
    })
}

/// Straight to the app with a code (or implicit tokens) out of the session.
pub async fn continue_session(
    request: &HttpRequest,
    broker: &Data<Broker>,
    app: &Arc<App>,
    authorization: &Authorization,
    params: &Params,
    session: Session,
    user: User,
) -> HttpResponse {
    if confirm::is_due(broker, app, authorization, &session, params) {
        if authorization.prompt.none {
            let refusal = OAuthError::new(Code::InteractionRequired, "the user has to be asked first");
            return refuse(request, app, authorization, &refusal);
        }
        return confirm::page(request, broker, app, authorization, &session, &user, params);
    }
    match barred::of_session(request, broker, app, authorization, params, (&session, &user)).await {
        Ok(None) => {}
        Ok(Some(refused)) => return refused,
        Err(cause) => return error::store(request, &cause),
    }
    let overrides = match token_overrides(broker, app, authorization, &user).await {
        Ok(overrides) => overrides,
        Err(refusal) => return refuse(request, app, authorization, &refusal),
    };
    let ctx = broker.ctx(format!("user:{}", user.sub), RequestId::of(request));
    let (app2, request2) = (app.clone(), authorization.clone());
    let issued = broker
        .db
        .write(move |conn| -> Result<_, StoreError> {
            let mapping = match &session.provider_id {
                Some(id) => crate::model::mapping::current(conn, id)?,
                None => None,
            };
            let version = mapping.map_or(0, |mapping| mapping.version);
            let grant = Grant {
                client: &app2.client,
                redirect_uri: &request2.redirect_uri,
                redirect_uri_given: request2.redirect_uri_given,
                scopes: &request2.scopes,
                nonce: request2.nonce.as_deref(),
                resource: request2.resource.as_deref(),
                code_challenge: request2.code_challenge.as_deref(),
                mapping_version: version,
                overrides,
            };
            Ok(match request2.response_type {
                ResponseType::Code => {
                    login::Outgoing::Code(login::issue_code(conn, &ctx, &session, &grant)?.0)
                }
                ResponseType::Token => login::Outgoing::Tokens(Box::new(login::issue_tokens(
                    conn, &ctx, &session, user, &grant,
                )?)),
            })
        })
        .await;
    match issued {
        Ok(outgoing) => match success(broker, app, &authorization.return_address(), &outgoing) {
            Ok(response) => respond::to_app(&response, &error::lang(request), Vec::new()),
            Err(refusal) => refuse(request, app, authorization, &refusal),
        },
        Err(cause) => {
            tracing::error!(%cause, "a code could not be stored");
            let refusal = OAuthError::new(Code::TemporarilyUnavailable, "try again later");
            refuse(request, app, authorization, &refusal)
        }
    }
}

/// What the pool's hook wants otherwise in the tokens of somebody who has a session.
async fn token_overrides(
    broker: &Broker,
    app: &App,
    authorization: &Authorization,
    user: &User,
) -> Result<Option<Overrides>, OAuthError> {
    if app.pool.pool.settings.lambda.token_generation().is_none() {
        return Ok(None);
    }
    let found = hooks::belongings(broker, user).await;
    let (groups, identities) = found.map_err(|cause| {
        OAuthError::because(Code::TemporarilyUnavailable, "try again later", cause.to_string())
    })?;
    let bearer = Bearer {
        user,
        groups: &groups,
        identities: &identities,
    };
    let mut visit = Visit::new(broker, &app.pool, &app.client.id);
    hooks::pre_token_generation(
        &mut visit,
        Source::TokensHostedAuth,
        &bearer,
        &authorization.scopes,
    )
    .await
    .map_err(|fault| fault.refusal().oauth())
}

/// The successful response: code, state, `iss` (RFC 9207 §2); or Cognito's implicit answer.
pub fn success(
    broker: &Broker,
    app: &App,
    address: &authorize::ReturnAddress,
    outgoing: &login::Outgoing,
) -> Result<Response, OAuthError> {
    let mut fields = match outgoing {
        login::Outgoing::Code(code) => vec![("code", code.clone())],
        login::Outgoing::Tokens(exchanged) => {
            let minted = mint::for_user(broker, app, exchanged)?;
            let mut fields: Vec<_> = minted
                .id_token
                .map(|token| ("id_token", token))
                .into_iter()
                .collect();
            fields.push(("access_token", minted.access_token));
            fields.push(("expires_in", minted.expires_in.to_string()));
            fields.push(("token_type", "Bearer".to_owned()));
            fields
        }
    };
    fields.extend(address.state.clone().map(|state| ("state", state)));
    fields.push(("iss", app.pool.issuer.clone()));
    Ok(Response {
        redirect_uri: address.redirect_uri.clone(),
        mode: address.mode,
        fields,
    })
}

/// The error, to the app.
pub fn refuse(
    request: &HttpRequest,
    app: &App,
    authorization: &Authorization,
    refusal: &OAuthError,
) -> HttpResponse {
    to_app(
        request,
        app,
        &authorization
            .return_address()
            .error_response(refusal, &app.pool.issuer),
        refusal,
    )
}

fn to_app(request: &HttpRequest, app: &App, response: &Response, refusal: &OAuthError) -> HttpResponse {
    tracing::info!(
        client = app.client.id,
        error = refusal.code.as_str(),
        cause = %refusal.cause,
        "refused an authorization request"
    );
    respond::to_app(response, &error::lang(request), Vec::new())
}
