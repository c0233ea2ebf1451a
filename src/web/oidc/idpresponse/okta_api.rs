//! Scopes of Okta's own API that a login asked for: what came of it, and the way on where Okta refuses the whole request
//! over them.

use actix_web::HttpResponse;

use super::Leg;
use crate::model::provider::{ApiScope, Provider};
use crate::rules::login::ApiAsk;
use crate::rules::upstream_error::Cause;
use crate::upstream::Identity;
use crate::web::oidc::upstream_leg;

impl Leg<'_> {
    /// The login once more without them, if that may be the remedy.
    pub(super) async fn without_okta_api(&self, provider: &Provider, cause: Cause) -> Option<HttpResponse> {
        if cause != Cause::InvalidScope || self.login.okta_api != ApiAsk::Asked {
            return None;
        }
        let connection = self.broker.connection(&provider.id).await.ok()??;
        tracing::info!(
            connection = provider.id,
            "the scopes of Okta's API are refused: asked again without them"
        );
        upstream_leg::without_okta_api(self.request, self.broker, &connection, &self.login, &self.state).await
    }

    /// What was granted, where it was asked for. That all was refused counts only now that Okta has let somebody in.
    pub(super) fn granted(&self, identity: &Identity) -> Option<Vec<ApiScope>> {
        match (&identity.okta_api, self.login.okta_api) {
            (Some(grant), _) => Some(grant.scopes.clone()),
            (None, ApiAsk::Refused) => Some(Vec::new()),
            (None, ApiAsk::No | ApiAsk::Asked) => None,
        }
    }
}
