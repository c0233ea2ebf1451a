//! `/oauth2/idpresponse`: the upstream's answer comes back. It must belong to a login of this very browser and name the
//! connection that login went to; only then is anything sent to the upstream. What comes of it is one transaction.

mod asked;
mod okta_api;
mod once;
mod stray;

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use stray::{Unknown, own_login, unavailable, unknown_login};

use super::error::{self, Shown};
use super::{authorize, form, respond, start_login, upstream_leg};
use crate::actions::login::{self, Completed, Errand, Returned};
use crate::actions::traces::{self, Draft};
use crate::broker::arrival::{self, Ready};
use crate::broker::{App, Broker, Wanted, Ways};
use crate::error::StoreError;
use crate::model::client::Flow;
use crate::model::provider::Provider;
use crate::model::session::{self, Session};
use crate::model::trace::Outcome;
use crate::model::user;
use crate::rules::authorize::{ResponseType, ReturnAddress, Untrusted};
use crate::rules::login::Login;
use crate::rules::params;
use crate::rules::refusal::Refusal;
use crate::rules::{secret, upstream_error};
use crate::seal::Label;
use crate::upstream::{Expectation, Identity};
use crate::web::console::connections::test_sign_in;
use crate::web::cookies;
use crate::web::domains;
use crate::web::headers::RequestId;
use crate::web::pages::{ContinuePage, Frame};
use crate::web::peer;

/// The bare callback: only for connections whose login was sent to come back to it.
pub async fn bare(request: HttpRequest, broker: Data<Broker>) -> HttpResponse {
    answer(&request, None, &broker).await
}

/// The callback that names its connection.
pub async fn named(request: HttpRequest, connection: Path<String>, broker: Data<Broker>) -> HttpResponse {
    answer(&request, Some(&connection), &broker).await
}

/// `response_mode=form_post`: cross-site, so without the login's cookie; as GET it comes again with it.
pub async fn posted(request: HttpRequest, body: Bytes, broker: Data<Broker>) -> HttpResponse {
    match form(&request, &body) {
        Ok(form) => respond::see_other(&format!(
            "{}?{}",
            request.path(),
            params::encode(form.without(&[]))
        )),
        Err(_) => error::untrusted(&request, &broker, Untrusted::Malformed, None).await,
    }
}

async fn answer(request: &HttpRequest, connection: Option<&str>, broker: &Data<Broker>) -> HttpResponse {
    if let Some(started) = start_login::at_callback(request, broker, connection).await {
        return started;
    }
    if let Some(came) = test_sign_in::of_this_browser(request, broker) {
        return test_sign_in::returned(request, broker, connection, came).await;
    }
    let (params, state, login) = match own_login(request, broker) {
        Ok(found) => found,
        Err(unknown) => return unknown_login(request, broker, connection, unknown).await,
    };
    let app = match domains::app(request, broker, &login.client_id).await {
        Ok(Some(app)) => app,
        Ok(None) => {
            return unknown_login(
                request,
                broker,
                connection,
                Unknown {
                    seen: "the app client is gone",
                    state: Some(state),
                },
            )
            .await;
        }
        Err(cause) => return unavailable(request, broker, &cause),
    };
    let Some(address) = login.return_address(&app.client) else {
        return error::untrusted(
            request,
            broker,
            Untrusted::RedirectUriMismatch,
            Some(&app.client.id),
        )
        .await;
    };
    // A double click must not spend the code twice: Okta would take back what the first use brought.
    let _arriving = broker.arriving.pass(&state).await;
    let ways = match broker.ways(&app, Wanted::id(&login.provider_id)).await {
        Ok(ways) => ways,
        Err(cause) => return unavailable(request, broker, &cause),
    };
    let provider = ways.provider(&login.provider_id).cloned();
    let mut leg = Leg {
        request,
        broker,
        app,
        ways,
        address,
        login,
        state,
        provider: provider.clone(),
        trace: Draft::default(),
    };
    leg.trace = Draft {
        user_pool_id: Some(leg.app.pool.pool.id.clone()),
        provider_id: Some(leg.login.provider_id.clone()),
        client_id: Some(leg.app.client.id.clone()),
        user_sub: None,
        started_at: leg.login.started_at,
        reached_provider: true,
        person_hash: leg.login.person_hash(),
        story: Default::default(),
    };
    let chosen = if leg.login.by_address {
        "by the domain of an address"
    } else {
        "by its name: a button, or the app's own choice"
    };
    let seen = format!(
        "app {} asked; to {}, {chosen}",
        leg.app.client.name, leg.login.provider_id
    );
    leg.trace.step("authorize", true, seen);

    if !broker
        .returned
        .first(&leg.state, broker.clock.now(), crate::rules::login::LIFETIME)
    {
        let made = leg.session_made().await;
        return leg.come_back_before(connection, made).await;
    }
    // Without a name only for the operator's own connections, and at the host of the connection's tenant.
    let may_be_bare = domains::tenant_of(request).is_some()
        || provider
            .as_ref()
            .is_some_and(|provider| provider.settings.shared_callback);
    let expected = match leg.login.shared_callback && may_be_bare {
        true => None,
        false => Some(leg.login.provider_id.as_str()),
    };
    if connection != expected {
        leg.trace.step(
            "callback",
            false,
            "the callback's path names another connection than the login",
        );
        return leg.refuse(Refusal::wrong_callback()).await;
    }
    let flow = match leg.login.response_type {
        ResponseType::Code => Flow::Code,
        ResponseType::Token => Flow::Implicit,
    };
    if !leg.app.client.settings.flows.contains(&flow) {
        leg.trace
            .step("callback", false, "the client may not use this flow any more");
        return leg.refuse(Refusal::no_longer_offered()).await;
    }
    let Some(provider) = provider else {
        leg.trace.step(
            "callback",
            false,
            "the connection is disabled or not the client's any more",
        );
        return leg.refuse(Refusal::no_longer_offered()).await;
    };
    if let Some(error) = params.get("error") {
        // RFC 9207 §2.4 speaks of errors, too; a code's `iss` is checked with everything else about it.
        if let Some(iss) = params.get("iss").filter(|iss| *iss != provider.issuer) {
            let seen = format!(
                "{}, expected {}",
                upstream_error::plain(iss, 200),
                provider.issuer
            );
            leg.trace.step("callback.iss", false, seen);
            let cause = upstream_error::Cause::CallbackIssuerMismatch;
            return leg
                .refuse(cause.refusal(&provider.settings.label, None, None).into())
                .await;
        }
        let said = params.get("error_description");
        let shown = upstream_error::plain(said.unwrap_or_default(), 300);
        leg.trace.step(
            "callback",
            false,
            format!("{}: {shown}", upstream_error::plain(error, 60)),
        );
        let cause = upstream_error::of_callback(error, said);
        if let Some(again) = leg.without_okta_api(&provider, cause).await {
            return again;
        }
        return leg
            .refuse(cause.refusal(&provider.settings.label, None, None).into())
            .await;
    }
    let Some(code) = params.get("code").map(str::to_owned) else {
        leg.trace.step("callback", false, "neither code nor error");
        return leg.refuse(Refusal::empty_callback()).await;
    };
    // Logins cost nothing to begin: nobody may send us to an upstream with one made-up code after the other.
    if leg
        .client()
        .is_some_and(|client| !broker.failed_callbacks.left(broker.clock.now(), Some(client)))
    {
        return leg.show(&Refusal::too_many(), None);
    }
    match leg.is_first_of_all().await {
        Ok(true) => {}
        Ok(false) => {
            let made = leg.session_of_another_node().await;
            return leg.come_back_before(connection, made).await;
        }
        Err(cause) => return unavailable(request, broker, &cause),
    }
    leg.trace.step("callback", true, "a code came back");
    leg.identify(provider, &code, params.get("iss")).await
}

/// A login on its way back, with all that its answer needs.
struct Leg<'a> {
    request: &'a HttpRequest,
    broker: &'a Data<Broker>,
    app: Arc<App>,
    ways: Arc<Ways>,
    address: ReturnAddress,
    login: Login,
    state: String,
    provider: Option<Provider>,
    trace: Draft,
}

impl Leg<'_> {
    /// Asks the upstream who it is, and settles it.
    async fn identify(mut self, provider: Provider, code: &str, iss: Option<&str>) -> HttpResponse {
        let connection = match self.broker.connection(&provider.id).await {
            Ok(Some(connection)) => connection,
            Ok(None) => return self.refuse(Refusal::no_longer_offered()).await,
            Err(cause) => {
                tracing::error!(%cause, "a connection could not be read");
                return self.show(&Refusal::unavailable(), None);
            }
        };
        let login = &self.login;
        let expectation = Expectation {
            redirect_uri: upstream_leg::callback_url(&domains::origin(self.request, self.broker), login),
            nonce: login.upstream_nonce.clone(),
            code_verifier: login.upstream_verifier.clone(),
            begun_at: login.started_at,
            max_age: login.max_age,
            reauthenticate_since: login.reauthenticate.then_some(login.started_at),
            acr_values: self.essential_acr(),
            keep_sources: self.app.pool.pool.settings.lambda.inbound_federation.is_some(),
            okta_api: login.okta_api,
        };
        let mut steps = Vec::new();
        let identity = self
            .broker
            .upstream
            .identity(&connection, &expectation, code, iss, &mut steps)
            .await;
        self.broker
            .settle_secret(&connection, &RequestId::of(self.request))
            .await;
        self.trace.story.steps.append(&mut steps);
        match identity {
            Ok(identity) => {
                if let (Some(wished), None) = (&self.login.acr_values, self.essential_acr()) {
                    let had = identity.acr.as_deref().unwrap_or("none");
                    let seen = format!("{had}; the app wished for {wished}");
                    self.trace.step("acr", true, seen);
                }
                match self.broker.belongs(&provider, &identity, &mut self.trace).await {
                    Ok(Ok(())) => {}
                    Ok(Err(refusal)) => return self.refuse(refusal).await,
                    Err(cause) => {
                        tracing::error!(%cause, "a tenant's domains could not be read");
                        return self.show(&Refusal::unavailable(), None);
                    }
                }
                match self.asks_first(&provider, &identity).await {
                    Ok(None) => self.complete(provider, identity).await,
                    Ok(Some(page)) => page,
                    Err(cause) => {
                        tracing::error!(%cause, "a user could not be looked for");
                        self.show(&Refusal::unavailable(), None)
                    }
                }
            }
            Err(failure) => {
                if let Some(address) = &failure.claimed_email {
                    self.trace.concerns(&self.broker.sealer, address);
                }
                if failure.cause == upstream_error::Cause::CodeRejected
                    && let Some(session) = self.session_made().await
                {
                    return self.repeated(&session).await;
                }
                // A deadline over the whole cuts in between two checks.
                if self.trace.story.steps.iter().all(|step| step.passed) {
                    self.trace.step("upstream", false, failure.to_string());
                }
                tracing::info!(
                    connection = provider.id,
                    cause = failure.cause.name(),
                    detail = failure.detail,
                    "the upstream's answer was refused"
                );
                self.refuse(failure.refusal(&provider.settings.label).into())
                    .await
            }
        }
    }

    /// What the app requires of the sign-in, as opposed to what its request wished for.
    fn essential_acr(&self) -> Option<String> {
        let required = &self.app.client.settings.requires_acr;
        (!required.is_empty()).then(|| required.join(" "))
    }

    async fn complete(mut self, provider: Provider, identity: Identity) -> HttpResponse {
        let now = self.broker.clock.now();
        let ctx = self
            .broker
            .ctx(format!("provider:{}", provider.id), RequestId::of(self.request));
        let id_token_sealed = provider.settings.upstream_logout.then(|| {
            let label = Label {
                purpose: "upstream-id-token",
                scope: &provider.user_pool_id,
                name: &provider.id,
            };
            self.broker.sealer.seal(label, identity.id_token.as_bytes())
        });
        let cookie_seconds = match id_token_sealed {
            Some(_) => login::SIGN_OUT_SECONDS,
            None => login::SESSION_SECONDS,
        };
        let arrived = self
            .broker
            .arrival(&self.app, &provider, &identity, &mut self.trace)
            .await;
        let arrival = match arrived {
            Ok(arrival) => arrival,
            Err(fault) => return self.refuse(fault.refusal()).await,
        };
        let granted = self.granted(&identity);
        let ready = Ready {
            app: self.app.clone(),
            arrival,
            facts: arrival::facts(&identity, now),
            provider,
            errand: Errand::Login(Box::new(Returned {
                login: self.login.clone(),
                redirect_uri: self.address.redirect_uri.clone(),
                login_hash: secret::hash(&self.state),
                id_token_sealed,
                granted,
            })),
        };
        let completed = match self.broker.complete(ready, ctx, &mut self.trace).await {
            Ok(completed) => completed,
            Err(fault) => return self.refuse(fault.refusal()).await,
        };
        match completed {
            Ok(Completed::SignedIn {
                session_token,
                outgoing,
            }) => {
                self.count(Outcome::SignedIn, "signed_in");
                let response = match authorize::success(self.broker, &self.app, &self.address, &outgoing) {
                    Ok(response) => response,
                    Err(error) => self.address.error_response(&error, &self.app.pool.issuer),
                };
                let session = cookies::session_name(&self.app.pool.pool.id);
                let session = session_token.map(|token| cookies::set(session, token, cookie_seconds));
                let spent = cookies::clear(crate::rules::login::cookie_name(&self.state));
                let cookies = session.into_iter().chain([spent]).collect();
                respond::to_app(&response, &error::lang(self.request), cookies)
            }
            Ok(Completed::Refused { refusal, trace_code }) => {
                self.count(Outcome::Refused, &refusal.cause);
                self.show(&refusal, Some(trace_code))
            }
            Ok(Completed::Moved {
                refusal,
                trace_code,
                to,
            }) => {
                self.count(Outcome::Refused, &refusal.cause);
                // What the page offers is the new way, under the name that the app has for it; of the old way's own
                // surroundings the new one may be none. Where that cannot be read, the app's whole choice.
                let ways = self.broker.ways(&self.app, Wanted::id(&to.id)).await;
                self.provider = match ways {
                    Ok(ways) => {
                        self.ways = ways;
                        Some(*to)
                    }
                    Err(cause) => {
                        tracing::error!(%cause, "the ways to a connection could not be read");
                        None
                    }
                };
                self.show(&refusal, Some(trace_code))
            }
            Ok(Completed::Repeated) => match self.session_made().await {
                Some(session) => self.repeated(&session).await,
                None => self.show(&Refusal::unavailable(), None),
            },
            Err(cause) => {
                tracing::error!(%cause, "a login could not be completed");
                self.show(&Refusal::unavailable(), None)
            }
        }
    }

    /// What somebody sees whose login has come back before: who is signed in by it, if anybody is.
    async fn come_back_before(self, connection: Option<&str>, made: Option<Session>) -> HttpResponse {
        match made {
            Some(session) => self.repeated(&session).await,
            None => {
                let seen = "this login has come back before";
                let state = Some(self.state);
                unknown_login(self.request, self.broker, connection, Unknown { seen, state }).await
            }
        }
    }

    /// The session that this very login has made already (a double click, the back button).
    async fn session_made(&self) -> Option<Session> {
        let hash = secret::hash(&self.state);
        let found = self
            .broker
            .db
            .read(move |conn| Ok::<_, StoreError>(session::find_by_login(conn, &hash)?))
            .await;
        found
            .inspect_err(|cause| tracing::error!(%cause, "a session could not be looked for"))
            .ok()
            .flatten()
    }

    /// The same answer came twice: the first signed in, and going on is one click.
    async fn repeated(&self, session: &Session) -> HttpResponse {
        let sub = session.user_sub.clone();
        let user = self
            .broker
            .db
            .read(move |conn| Ok::<_, StoreError>(user::find(conn, &sub)?))
            .await;
        // What the app asked for has been done: nobody has to prove anything again.
        let mut fulfilled = self.login.clone();
        fulfilled.reauthenticate = false;
        let again = upstream_leg::again(&fulfilled, &self.app, &self.address.redirect_uri, None);
        let page = ContinuePage {
            frame: Frame::new(&error::lang(self.request), self.app.shown_name()),
            client_name: Some(self.app.client.name.clone()),
            user_label: user.ok().flatten().map(|user| user.label()).unwrap_or_default(),
            other_href: again.other_href,
            continue_href: again.href,
            other_way: None,
        };
        respond::page(StatusCode::OK, &page, respond::Forms::ToApp).finish()
    }

    /// Keeps the trace and shows the page.
    async fn refuse(mut self, refusal: Refusal) -> HttpResponse {
        self.trace.story.remedy = refusal.remedy.to_string();
        let outcome = if refusal.failed {
            Outcome::Failed
        } else {
            Outcome::Refused
        };
        self.count(outcome, &refusal.cause);
        let now = self.broker.clock.now();
        let allowance = &self.broker.failed_callbacks;
        if self
            .client()
            .is_some_and(|client| !allowance.take(now, Some(client)))
        {
            return self.show(&refusal, None);
        }
        let ctx = self.broker.ctx("system", RequestId::of(self.request));
        let (draft, cause) = (self.trace.clone(), refusal.cause.to_string());
        let days = self.app.pool.pool.settings.trace_days;
        let kept = self
            .broker
            .db
            .write(move |conn| traces::keep(conn, &ctx, draft, outcome, &cause, days))
            .await;
        let trace_code = kept
            .inspect_err(|cause: &StoreError| tracing::error!(%cause, "a trace could not be kept"))
            .ok();
        self.show(&refusal, trace_code)
    }

    fn count(&self, outcome: Outcome, cause: &str) {
        self.broker.metrics.sign_in(outcome.as_str(), cause);
    }

    /// Whose share of a limit this takes; unknown where the connection is none of the network's.
    fn client(&self) -> Option<IpAddr> {
        peer::address(self.request, &self.broker.trusted_proxies)
    }

    fn show(&self, refusal: &Refusal, trace_code: Option<String>) -> HttpResponse {
        let redirect_uri = &self.address.redirect_uri;
        // A canary is reached by the name of the connection whose canary it is.
        let offered = self
            .provider
            .as_ref()
            .map(|provider| self.ways.offered_as(provider));
        let provider_name = offered.map(|provider| provider.name.as_str());
        error::refused(
            self.request,
            self.broker,
            Shown {
                refusal,
                trace_code,
                pool_name: self.app.shown_name(),
                client_name: Some(&self.app.client.name),
                connection: Some(&self.login.provider_id),
                issuer: &self.app.pool.issuer,
                address: Some(&self.address),
                again: Some(upstream_leg::again(
                    &self.login,
                    &self.app,
                    redirect_uri,
                    provider_name,
                )),
                clear: Some(crate::rules::login::cookie_name(&self.state)),
            },
        )
    }
}
