//! The way from a verified upstream identity to what the app is given, shared by the callback and the exchange of tokens.
//! In a pool with hooks they are asked between two transactions, never within one; without hooks the whole of it is one.

use std::sync::Arc;

use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::hooks::{self, Bearer, Visit};
use super::{App, Broker};
use crate::actions::Ctx;
use crate::actions::login::{self, Arrived, Completed, Completion, Errand};
use crate::actions::profile::{self, Arrival, Expected};
use crate::actions::traces::Draft;
use crate::error::StoreError;
use crate::model::overrides::Overrides;
use crate::model::provider::Provider;
use crate::model::session::Facts;
use crate::rules::hook::{Fault, Source};
use crate::rules::okta_profile;
use crate::upstream::Identity;
use crate::world::UnixTime;

/// Somebody whose upstream has said who it is, owned by whoever completes the sign-in.
pub struct Ready {
    pub app: Arc<App>,
    pub provider: Provider,
    pub arrival: Arrival,
    pub facts: Facts,
    pub errand: Errand,
}

impl Ready {
    fn work(&self) -> Completion<'_> {
        Completion {
            pool: &self.app.pool.pool,
            client: &self.app.client,
            provider: &self.provider,
            errand: &self.errand,
            arrival: &self.arrival,
            facts: &self.facts,
        }
    }

    /// What the tokens are made for, in the hooks' words.
    fn source(&self) -> Source {
        match self.errand {
            Errand::Login(_) => Source::TokensHostedAuth,
            Errand::Exchange(_) => Source::TokensAuthentication,
        }
    }
}

/// What came of a sign-in, or the hook that stopped it.
type Hooked<T> = Result<Result<T, StoreError>, Fault>;

/// What a hook answers is what the upstream said from then on; the profile of Okta's own API stays beside it, for the rules
/// that read it by Okta's names.
fn beside_profile(mut claims: Map<String, Value>, identity: &Identity) -> Map<String, Value> {
    let profile = identity
        .sources
        .as_ref()
        .and_then(|sources| sources.okta_profile.clone());
    if let (Some(profile), Entry::Vacant(vacant)) = (profile, claims.entry(okta_profile::CLAIM)) {
        vacant.insert(profile);
    }
    claims
}

/// When and how the upstream says that the user was authenticated; in the future nobody was.
pub fn facts(identity: &Identity, now: UnixTime) -> Facts {
    Facts {
        auth_time: identity.auth_time.map_or(now, |at| UnixTime(at.min(now.0))),
        amr: identity.amr.clone(),
        acr: identity.acr.clone(),
        sid: identity.sid.clone(),
    }
}

impl Broker {
    /// Who has come, once the pool's hook has had its say about the claims.
    pub async fn arrival(
        &self,
        app: &App,
        provider: &Provider,
        identity: &Identity,
        trace: &mut Draft,
    ) -> Result<Arrival, Fault> {
        let replaced = self.heed_inbound_hook(app, provider, identity, trace).await?;
        Ok(Arrival {
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            claims: match replaced {
                Some(claims) => beside_profile(claims, identity),
                None => identity.claims.clone(),
            },
        })
    }

    /// Lets the pool's hook replace what the upstream said.
    async fn heed_inbound_hook(
        &self,
        app: &App,
        provider: &Provider,
        identity: &Identity,
        trace: &mut Draft,
    ) -> Result<Option<Map<String, Value>>, Fault> {
        if app.pool.pool.settings.lambda.inbound_federation.is_none() {
            return Ok(None);
        }
        let username = profile::username(&app.pool.pool, provider, &identity.subject);
        let mut visit = Visit::new(self, &app.pool, &app.client.id);
        let replaced = hooks::inbound_federation(&mut visit, &username, &provider.name, identity).await;
        trace.story.steps.append(&mut visit.steps);
        replaced
    }

    /// Settles the profile and gives the app what it came for. `trace` is as far as it came where a hook stops it.
    pub async fn complete(&self, ready: Ready, ctx: Ctx, trace: &mut Draft) -> Hooked<Completed> {
        let lambda = &ready.app.pool.pool.settings.lambda;
        if lambda.takes_part_in_sign_ins() || lambda.token_generation().is_some() {
            return self.complete_with_hooks(Arc::new(ready), ctx, trace).await;
        }
        let (ready, trace) = (Arc::new(ready), trace.clone());
        let completed = self
            .db
            .write(move |conn| login::complete(conn, &ctx, &ready.work(), trace))
            .await;
        Ok(completed)
    }

    /// Asks before the profile is touched, settles it, asks again, and signs in.
    async fn complete_with_hooks(&self, ready: Arc<Ready>, ctx: Ctx, trace: &mut Draft) -> Hooked<Completed> {
        if let Err(cause) = self.heed_hooks_before(&ready, &ctx, trace).await? {
            return Ok(Err(cause));
        }
        let (work, its_ctx, so_far) = (ready.clone(), ctx.clone(), trace.clone());
        let settled = self
            .db
            .write(move |conn| login::arrive(conn, &its_ctx, &work.work(), so_far))
            .await;
        let mut arrived = match settled {
            Ok(Ok(arrived)) => arrived,
            Ok(Err(refused)) => return Ok(Ok(refused)),
            Err(cause) => return Ok(Err(cause)),
        };
        let outcome = self.heed_hooks_after(&ready, &mut arrived).await;
        // The profile is there, and the trace says so, also where a hook stops the sign-in.
        trace.clone_from(&arrived.trace);
        let overrides = outcome?;
        let finished = self
            .db
            .write(move |conn| login::finish(conn, &ctx, &ready.work(), arrived, overrides))
            .await;
        Ok(finished)
    }

    async fn heed_hooks_before(&self, ready: &Arc<Ready>, ctx: &Ctx, trace: &mut Draft) -> Hooked<()> {
        let lambda = &ready.app.pool.pool.settings.lambda;
        if lambda.pre_sign_up.is_none() && lambda.pre_authentication.is_none() {
            return Ok(Ok(()));
        }
        let (work, its_ctx) = (ready.clone(), ctx.clone());
        let expected = self
            .db
            .read(move |conn| login::expect(conn, &its_ctx, &work.work()))
            .await;
        let expected = match expected {
            Ok(expected) => expected,
            Err(cause) => return Ok(Err(cause)),
        };
        let app = &ready.app;
        let mut visit = Visit::new(self, &app.pool, &app.client.id);
        let outcome = match &expected {
            Expected::New { username, attributes } => {
                let source = Source::SignUpExternalProvider;
                hooks::pre_sign_up(&mut visit, source, username, attributes).await
            }
            Expected::Known { user, identities } => {
                hooks::pre_authentication(
                    &mut visit,
                    &user.username,
                    Some((user.as_ref(), identities.as_slice())),
                )
                .await
            }
            Expected::Refused => Ok(()),
        };
        trace.story.steps.append(&mut visit.steps);
        outcome.map(Ok)
    }

    async fn heed_hooks_after(
        &self,
        ready: &Ready,
        arrived: &mut Arrived,
    ) -> Result<Option<Overrides>, Fault> {
        let app = &ready.app;
        let mut visit = Visit::new(self, &app.pool, &app.client.id);
        let outcome = after(&mut visit, ready, arrived).await;
        arrived.trace.story.steps.append(&mut visit.steps);
        outcome
    }
}

async fn after(visit: &mut Visit<'_>, ready: &Ready, arrived: &Arrived) -> Result<Option<Overrides>, Fault> {
    let (user, identities) = (&arrived.user, arrived.identities.as_slice());
    if arrived.created {
        hooks::post_confirmation(visit, user, identities).await?;
    } else {
        hooks::post_authentication(visit, user, identities).await?;
    }
    let bearer = Bearer {
        user,
        groups: &arrived.groups,
        identities,
    };
    let scopes = ready.errand.live_scopes(&ready.app.client);
    hooks::pre_token_generation(visit, ready.source(), &bearer, &scopes).await
}
