//! The end of a login in a pool with hooks: they are asked between two transactions, never within one. Without hooks the
//! whole of it is one.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Leg;
use crate::actions::Ctx;
use crate::actions::login::{self, Arrived, Completed, Completion};
use crate::actions::profile::{self, Arrival, Expected};
use crate::broker::App;
use crate::broker::hooks::{self, Bearer, Visit};
use crate::error::StoreError;
use crate::model::overrides::Overrides;
use crate::model::provider::Provider;
use crate::model::session::Facts;
use crate::rules::hook::{Fault, Source};
use crate::rules::login::Login;
use crate::upstream::Identity;

/// A login whose upstream has answered, owned by whoever completes it.
pub struct Ready {
    pub app: Arc<App>,
    pub provider: Provider,
    pub login: Login,
    pub redirect_uri: String,
    pub login_hash: Vec<u8>,
    pub arrival: Arrival,
    pub facts: Facts,
    pub id_token_sealed: Option<Vec<u8>>,
}

impl Ready {
    pub fn work(&self) -> Completion<'_> {
        Completion {
            pool: &self.app.pool.pool,
            client: &self.app.client,
            provider: &self.provider,
            login: &self.login,
            redirect_uri: &self.redirect_uri,
            login_hash: self.login_hash.clone(),
            arrival: &self.arrival,
            facts: self.facts.clone(),
            id_token_sealed: self.id_token_sealed.clone(),
        }
    }
}

/// What came of a login, or the hook that stopped it.
type Hooked<T> = Result<Result<T, StoreError>, Fault>;

impl Leg<'_> {
    /// Lets the pool's hook replace what the upstream said.
    pub(super) async fn heed_inbound_hook(
        &mut self,
        provider: &Provider,
        identity: &Identity,
    ) -> Result<Option<Map<String, Value>>, Fault> {
        if self.app.pool.pool.settings.lambda.inbound_federation.is_none() {
            return Ok(None);
        }
        let username = profile::username(&self.app.pool.pool, provider, &identity.subject);
        let app = self.app.clone();
        let mut visit = Visit::new(self.broker, &app.pool, &app.client.id);
        let replaced = hooks::inbound_federation(&mut visit, &username, &provider.name, identity).await;
        self.trace.story.steps.append(&mut visit.steps);
        replaced
    }

    /// Asks before the profile is touched, settles it, asks again, and signs in.
    pub(super) async fn complete_with_hooks(&mut self, ready: Arc<Ready>, ctx: Ctx) -> Hooked<Completed> {
        if let Err(cause) = self.heed_hooks_before(&ready, &ctx).await? {
            return Ok(Err(cause));
        }
        let (work, its_ctx, trace) = (ready.clone(), ctx.clone(), self.trace.clone());
        let settled = self
            .broker
            .db
            .write(move |conn| login::arrive(conn, &its_ctx, &work.work(), trace))
            .await;
        let mut arrived = match settled {
            Ok(Ok(arrived)) => arrived,
            Ok(Err(refused)) => return Ok(Ok(refused)),
            Err(cause) => return Ok(Err(cause)),
        };
        let outcome = self.heed_hooks_after(&ready, &mut arrived).await;
        // The profile is there, and the trace says so, also where a hook stops the sign-in.
        self.trace.clone_from(&arrived.trace);
        let overrides = outcome?;
        let finished = self
            .broker
            .db
            .write(move |conn| login::finish(conn, &ctx, &ready.work(), arrived, overrides))
            .await;
        Ok(finished)
    }

    async fn heed_hooks_before(&mut self, ready: &Arc<Ready>, ctx: &Ctx) -> Hooked<()> {
        let lambda = &self.app.pool.pool.settings.lambda;
        if lambda.pre_sign_up.is_none() && lambda.pre_authentication.is_none() {
            return Ok(Ok(()));
        }
        let (work, its_ctx) = (ready.clone(), ctx.clone());
        let expected = self
            .broker
            .db
            .read(move |conn| login::expect(conn, &its_ctx, &work.work()))
            .await;
        let expected = match expected {
            Ok(expected) => expected,
            Err(cause) => return Ok(Err(cause)),
        };
        let app = &ready.app;
        let mut visit = Visit::new(self.broker, &app.pool, &app.client.id);
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
        self.trace.story.steps.append(&mut visit.steps);
        outcome.map(Ok)
    }

    async fn heed_hooks_after(
        &self,
        ready: &Ready,
        arrived: &mut Arrived,
    ) -> Result<Option<Overrides>, Fault> {
        let app = &ready.app;
        let mut visit = Visit::new(self.broker, &app.pool, &app.client.id);
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
    let scopes = login::live_scopes(&ready.login, &ready.app.client);
    hooks::pre_token_generation(visit, Source::TokensHostedAuth, &bearer, &scopes).await
}
