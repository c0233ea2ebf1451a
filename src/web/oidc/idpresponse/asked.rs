//! A tile began the login in a browser where somebody was signed in, and the organisation sends somebody else: the page
//! that asks, before anything else happens.

use actix_web::HttpResponse;

use super::Leg;
use crate::error::StoreError;
use crate::model::provider::Provider;
use crate::model::trace::Outcome;
use crate::model::user;
use crate::rules::login;
use crate::upstream::Identity;
use crate::web::cookies;
use crate::web::oidc::{error, somebody_else, upstream_leg};

impl Leg<'_> {
    pub(super) async fn asks_first(
        &mut self,
        provider: &Provider,
        identity: &Identity,
    ) -> Result<Option<HttpResponse>, StoreError> {
        let Some(present) = self.login.instead_of.clone() else {
            return Ok(None);
        };
        let key = (
            provider.id.clone(),
            identity.issuer.clone(),
            identity.subject.clone(),
        );
        let (coming, present) = self
            .broker
            .db
            .read(move |conn| -> Result<_, StoreError> {
                let coming = user::find_by_identity(conn, &key.0, &key.1, &key.2)?;
                Ok((coming, user::find(conn, &present)?))
            })
            .await?;
        let is_another = |sub: &str| coming.as_ref().is_none_or(|coming| coming.sub != sub);
        let Some(present) = present.filter(|present| is_another(&present.sub)) else {
            return Ok(None);
        };
        let seen = "somebody else is signed in in this browser: asked first";
        self.trace.step("session", false, seen);
        self.trace.story.remedy =
            "Nothing is wrong: whoever clicked the tile chooses whom to go on as.".into();
        self.count(Outcome::Refused, "asked_first");
        error::keep_unreached(self.request, self.broker, self.trace.clone(), "asked_first").await;
        let redirect_uri = &self.address.redirect_uri;
        let stay = upstream_leg::again(&self.login, &self.app, redirect_uri, None).href;
        let name = &self.ways.offered_as(provider).name;
        let change = upstream_leg::again(&self.login, &self.app, redirect_uri, Some(name)).href;
        let answer = somebody_else::page(self.request, &self.app, &present, provider, stay, change);
        Ok(Some(
            answer
                .cookie(cookies::clear(login::cookie_name(&self.state)))
                .finish(),
        ))
    }
}
