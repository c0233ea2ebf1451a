//! The exchange of an Okta ID token that an app brings for tokens of ours (RFC 8693): for widgets whose host app has signed
//! its user in already. Found is the connection that the token names, then the token is verified as one from the callback
//! is, then the sign-in ends as every other.
//!
//! A refusal has a stable name, for the app's developer; what was expected and what came stands in the trace. Only pages
//! of the connection's origins may read an answer. Servers send no `Origin`, and may.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::token::{Trouble, answer, given};
use super::{error, mint};
use crate::actions::login::{self, Completed, Errand, Outgoing};
use crate::actions::offers;
use crate::actions::traces::{self, Draft};
use crate::broker::arrival::{self, Ready};
use crate::broker::{App, Broker, Share};
use crate::error::StoreError;
use crate::model::provider::Provider;
use crate::model::trace::Outcome;
use crate::rules::authorize::granted_scopes;
use crate::rules::oauth_error::{Code, OAuthError};
use crate::rules::refusal::Refusal;
use crate::rules::secret;
use crate::rules::token_in::{self, Fault, Request};
use crate::rules::upstream_error::plain;
use crate::upstream::{self, Brought, Identity};
use crate::web::headers::RequestId;

/// One request, on its way.
pub struct Exchange<'a> {
    request: &'a HttpRequest,
    broker: &'a Data<Broker>,
    app: Arc<App>,
    /// The connections whose tokens the app may bring, as far as this one can be of them.
    offered: Vec<Provider>,
    /// The page that asks, if it is one.
    origin: Option<&'a str>,
    /// That page may read the answer.
    readable: bool,
    trace: Draft,
}

/// A refusal with the code of its trace.
type Ended = (Refusal, Option<String>);

impl<'a> Exchange<'a> {
    pub async fn new(
        request: &'a HttpRequest,
        broker: &'a Data<Broker>,
        app: Arc<App>,
        asked: &Request,
    ) -> Result<Exchange<'a>, StoreError> {
        let claimed = upstream::claimed(&asked.id_token);
        let issuer = claimed.and_then(|(_, claims)| Some(claims.get("iss")?.as_str()?.to_owned()));
        let offer = app.offer.clone();
        let offered = broker
            .db
            .read(move |conn| -> Result<_, StoreError> {
                Ok(offers::token_in(conn, &offer, issuer.as_deref())?)
            })
            .await?;
        let origin = request
            .headers()
            .get(header::ORIGIN)
            .map(|value| value.to_str().unwrap_or("unreadable"));
        let mut trace = Draft {
            user_pool_id: Some(app.pool.pool.id.clone()),
            client_id: Some(app.client.id.clone()),
            started_at: broker.clock.now(),
            ..Draft::default()
        };
        let seen = format!("app {} brought a token", app.client.name);
        trace.step("token_exchange", true, seen);
        Ok(Exchange {
            readable: origin.is_some_and(|origin| offered.iter().any(|each| admits(each, origin))),
            request,
            broker,
            app,
            offered,
            origin,
            trace,
        })
    }

    pub async fn serve(mut self, asked: Request) -> Result<HttpResponse, Trouble> {
        let servers = &self.app.pool.resource_servers;
        let resource = asked.resource.as_deref();
        if resource.is_some_and(|asked| !servers.iter().any(|server| server.identifier == asked)) {
            return Err(OAuthError::new(Code::InvalidTarget, "the resource is not known").into());
        }
        let allowed = &self.app.client.settings.scopes;
        let scopes = granted_scopes(asked.scope.as_deref(), allowed, resource, servers)?;
        match self.taken(&asked, scopes).await? {
            Ok(answer) => Ok(answer),
            Err((refusal, code)) => Ok(self.refusal(&refusal, code)),
        }
    }

    async fn taken(
        &mut self,
        asked: &Request,
        scopes: Vec<String>,
    ) -> Result<Result<HttpResponse, Ended>, Trouble> {
        let provider = match self.place(asked) {
            Ok(provider) => provider,
            Err(fault) => return Ok(Err(self.not_verified(fault).await)),
        };
        let Some(connection) = self.broker.connection(&provider.id).await? else {
            self.trace.step("connection", false, "is switched off");
            return Ok(Err(self.not_verified(Fault::InvalidIssuer).await));
        };
        let brought = Brought {
            id_token: &asked.id_token,
            nonce: asked.nonce.as_deref(),
            max_age: asked.max_age,
        };
        let steps = &mut self.trace.story.steps;
        let identity = match self.broker.upstream.brought(&connection, &brought, steps).await {
            Ok(identity) => identity,
            Err(failure) => {
                if let Some(address) = &failure.claimed_email {
                    self.trace.concerns(&self.broker.sealer, address);
                }
                let fault = Fault::of(failure.cause);
                tracing::info!(
                    connection = provider.id,
                    cause = fault.code(),
                    detail = failure.detail,
                    "a token that an app brought was refused"
                );
                return Ok(Err(self.not_verified(fault).await));
            }
        };
        self.trace.reached_provider = true;
        // From here on a refusal leaves the token as good as it was, and writes: no token is refused without end.
        let broker = self.broker;
        let share = Share::Token(token_hash(&provider, &asked.id_token));
        if !broker.refused_tokens.take(broker.clock.now(), share.clone()) {
            let refusal = Refusal::too_many();
            self.count(&refusal);
            return Ok(Err((refusal, None)));
        }
        let ended = self.complete(provider, identity, asked, scopes).await;
        if !matches!(ended, Ok(Err(_))) {
            broker.refused_tokens.give_back(broker.clock.now(), share);
        }
        ended
    }

    /// The connection to verify the token by, if the page may come with a token of it at all.
    fn place(&mut self, asked: &Request) -> Result<Provider, Fault> {
        let Some((header, claims)) = upstream::claimed(&asked.id_token) else {
            self.trace.step("id_token.form", false, "not a JWT");
            return Err(match asked.is_access_token {
                true => Fault::WrongTokenType,
                false => Fault::MalformedToken,
            });
        };
        if asked.is_access_token {
            self.trace.step(
                "id_token.typ",
                false,
                "subject_token_type says that it is an access token",
            );
            return Err(Fault::WrongTokenType);
        }
        let offered = std::mem::take(&mut self.offered);
        let provider = match token_in::choose(&offered, &header, &claims) {
            Ok(provider) => provider,
            Err(unplaced) => {
                self.trace.provider_id = unplaced.provider.map(|provider| provider.id.clone());
                self.trace.step(unplaced.step, false, unplaced.seen);
                return Err(unplaced.fault);
            }
        };
        self.trace.provider_id = Some(provider.id.clone());
        if let Some(origin) = self.origin {
            self.readable = admits(provider, origin);
            let known = provider
                .settings
                .token_in
                .as_ref()
                .map(|kind| kind.origins.join(" "));
            let seen = format!(
                "received {}, expected one of: {}",
                plain(origin, 200),
                plain(&known.unwrap_or_default(), 400)
            );
            self.trace.step("origin", self.readable, seen);
            if !self.readable {
                return Err(Fault::OriginNotAllowed);
            }
        }
        Ok(provider.clone())
    }

    /// What comes of somebody whom the token has proven.
    async fn complete(
        &mut self,
        provider: Provider,
        identity: Identity,
        asked: &Request,
        scopes: Vec<String>,
    ) -> Result<Result<HttpResponse, Ended>, Trouble> {
        let belongs = self.broker.belongs(&provider, &identity, &mut self.trace).await?;
        if let Err(refusal) = belongs {
            return Ok(Err(self.stopped(refusal).await));
        }
        let (broker, now) = (self.broker, self.broker.clock.now());
        let ctx = broker.ctx(format!("provider:{}", provider.id), RequestId::of(self.request));
        let errand = Errand::Exchange(login::Exchange {
            token_hash: token_hash(&provider, &asked.id_token),
            token_ends: upstream::end_of_brought(&identity.claims, now),
            scopes,
            nonce: asked.nonce.clone(),
            resource: asked.resource.clone(),
        });
        let arrived = broker
            .arrival(&self.app, &provider, &identity, &mut self.trace)
            .await;
        let arrival = match arrived {
            Ok(arrival) => arrival,
            Err(fault) => return Ok(Err(self.stopped(fault.refusal()).await)),
        };
        let ready = Ready {
            app: self.app.clone(),
            facts: arrival::facts(&identity, now),
            arrival,
            provider,
            errand,
        };
        let completed = match broker.complete(ready, ctx, &mut self.trace).await {
            Ok(completed) => completed?,
            Err(fault) => return Ok(Err(self.stopped(fault.refusal()).await)),
        };
        match completed {
            Completed::SignedIn {
                outgoing: Outgoing::Tokens(exchanged),
                ..
            } => {
                broker.metrics.sign_in(Outcome::SignedIn.as_str(), "signed_in");
                let minted = mint::for_user(broker, &self.app, &exchanged)?;
                let mut answer = answer(&self.app, minted, None);
                answer.insert("issued_token_type".into(), json!(token_in::ACCESS_TOKEN));
                Ok(Ok(given(answer, self.reader())))
            }
            // Who has moved to another connection comes by that one from now on.
            Completed::Refused { refusal, trace_code }
            | Completed::Moved {
                refusal, trace_code, ..
            } => {
                broker.metrics.sign_in(Outcome::Refused.as_str(), &refusal.cause);
                Ok(Err((refusal, Some(trace_code))))
            }
            // Both are of browsers.
            Completed::SignedIn { .. } | Completed::Repeated => {
                let cause = "an exchange ended as a login";
                Err(OAuthError::because(Code::ServerError, "try again", cause).into())
            }
        }
    }

    /// The token is not to be believed: a trace in bounded number, since anybody can bring one.
    async fn not_verified(&mut self, fault: Fault) -> Ended {
        let refusal = fault.refusal();
        self.trace.story.remedy = refusal.remedy.to_string();
        self.count(&refusal);
        let trace = self.trace.clone();
        let code = error::keep_unreached(self.request, self.broker, trace, fault.code()).await;
        (refusal, code)
    }

    /// A hook, or where they belong, has stopped somebody whose token is good.
    async fn stopped(&mut self, refusal: Refusal) -> Ended {
        self.trace.story.remedy = refusal.remedy.to_string();
        let outcome = self.count(&refusal);
        let ctx = self.broker.ctx("system", RequestId::of(self.request));
        let (draft, cause) = (self.trace.clone(), refusal.cause.to_string());
        let days = self.app.pool.pool.settings.trace_days;
        let kept = self
            .broker
            .db
            .write(move |conn| traces::keep(conn, &ctx, draft, outcome, &cause, days))
            .await;
        let code = kept
            .inspect_err(|cause: &StoreError| tracing::error!(%cause, "a trace could not be kept"))
            .ok();
        (refusal, code)
    }

    fn count(&self, refusal: &Refusal) -> Outcome {
        let outcome = if refusal.failed {
            Outcome::Failed
        } else {
            Outcome::Refused
        };
        self.broker.metrics.sign_in(outcome.as_str(), &refusal.cause);
        outcome
    }

    /// OAuth's error (RFC 8693 §2.2.2) with the stable name and the trace's code beside it.
    fn refusal(&self, refusal: &Refusal, trace_code: Option<String>) -> HttpResponse {
        tracing::info!(
            cause = %refusal.cause,
            trace = trace_code.as_deref().unwrap_or("-"),
            "an exchange was refused"
        );
        let status = match refusal.error {
            Code::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let code = refusal.cause.to_uppercase();
        let body = json!({
            "error": refusal.error.as_str(),
            "error_description": format!("{code}: {}", refusal.description),
            "code": code,
            "trace": trace_code,
        });
        let mut response = HttpResponse::build(status);
        if let Some(readable) = self.reader() {
            response.insert_header(readable);
        }
        response
            .insert_header(("Pragma", "no-cache"))
            .content_type("application/json;charset=UTF-8")
            .body(body.to_string())
    }

    fn reader(&self) -> Option<(HeaderName, &'a str)> {
        let origin = self.origin.filter(|_| self.readable)?;
        Some((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin))
    }
}

fn admits(provider: &Provider, origin: &str) -> bool {
    let kind = provider.settings.token_in.as_ref();
    kind.is_some_and(|kind| kind.origins.iter().any(|known| known == origin))
}

/// Of what the signature covers, for a signature itself can be written in two ways (ECDSA's).
fn token_hash(provider: &Provider, id_token: &str) -> Vec<u8> {
    let signed = id_token.rsplit_once('.').map_or(id_token, |(signed, _)| signed);
    secret::hash(&format!("token-in {} {signed}", provider.issuer))
}
