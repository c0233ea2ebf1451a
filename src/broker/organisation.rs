//! Whether somebody who has come belongs to the organisation whose connection it is; see [`organisation`].

use super::Broker;
use crate::actions::traces::Draft;
use crate::error::StoreError;
use crate::model::provider::Provider;
use crate::model::tenant_domain;
use crate::rules::organisation;
use crate::rules::refusal::Refusal;
use crate::upstream::Identity;

impl Broker {
    /// Asked before anything else is made of a verified identity, of the upstream's own claims: no hook has its say before.
    pub async fn belongs(
        &self,
        provider: &Provider,
        identity: &Identity,
        trace: &mut Draft,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let proven = match &provider.tenant_id {
            Some(id) if organisation::wants_domains(&provider.issuer) => {
                let id = id.clone();
                self.db
                    .read(move |conn| Ok::<_, StoreError>(tenant_domain::proven_of_tenant(conn, &id)?))
                    .await?
            }
            _ => Vec::new(),
        };
        let Some(seen) = organisation::check(&provider.issuer, &identity.claims, &proven) else {
            return Ok(Ok(()));
        };
        trace.step(seen.step, seen.passed, seen.detail);
        Ok(match seen.passed {
            true => Ok(()),
            false => Err(Refusal::other_organisation(seen.claim)),
        })
    }
}
