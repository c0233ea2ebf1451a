//! What a test sign-in found: the claims as they came, the user that would result, the tokens that apps would get, or what
//! went wrong and how to mend it. Only the session of the console that began the test may see it, for ten minutes.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::preview::{self, Preview};
use super::test_sign_in::{Came, Found, Trouble};
use super::{At, by_tenant, open};
use crate::actions::providers::TEST_PURPOSE;
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::single_use;
use crate::model::trace::Step;
use crate::rules::connection::fingerprint;
use crate::rules::secret;
use crate::seal::Label;
use crate::web::console::door::Admin;
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;
use crate::web::console::time::Moment;

#[derive(Template)]
#[template(path = "console/connections/test_result.html")]
struct ResultPage {
    frame: Frame,
    at: At,
    made: Moment,
    steps: Vec<Step>,
    trouble: Option<Trouble>,
    came: Option<Came>,
    claims: Vec<Claim>,
    preview: Option<Preview>,
    /// The connection is not any more what was tested.
    outdated: bool,
    /// A first sign-in makes an account.
    makes_accounts: bool,
}

struct Claim {
    name: String,
    kind: &'static str,
    value: String,
}

pub async fn page(
    admin: Admin,
    path: Path<(String, String)>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (id, state) = path.into_inner();
    let opened = open(&broker, admin.changes(), &id).await?;
    let (hash, now) = (secret::hash(&state), broker.clock.now());
    let row = broker
        .db
        .read(move |conn| -> Result<_, StoreError> { Ok(single_use::find(conn, &hash, TEST_PURPOSE, now)?) })
        .await?;
    let sealed = row
        .filter(|row| row.subject == admin.session.id)
        .and_then(|row| row.sealed)
        .ok_or(Problem::NotFound)?;
    let label = Label {
        purpose: TEST_PURPOSE,
        scope: &opened.provider.user_pool_id,
        name: &id,
    };
    // One that was made for another connection does not open.
    let plain = broker
        .sealer
        .open(label, &sealed)
        .map_err(|_| Problem::NotFound)?;
    let found: Found = serde_json::from_slice(&plain)
        .map_err(|_| StoreError::Unreadable("the result of a test sign-in".into()))?;
    let preview = match &found.came {
        None => None,
        Some(came) => {
            let (came, opened) = (came.clone(), opened.clone());
            let issuer = broker.issuer(&opened.pool.id);
            let by_tenant = by_tenant(&admin, &opened.pool.id);
            let preview = broker
                .db
                .read(move |conn| {
                    let visit = preview::Visit {
                        issuer: &issuer,
                        pool: &opened.pool,
                        provider: &opened.provider,
                        came: &came,
                        by_tenant,
                        now,
                    };
                    preview::of(conn, &visit)
                })
                .await?;
            Some(preview)
        }
    };
    let claims = found.came.iter().flat_map(|came| &came.claims);
    Ok(page::show(&ResultPage {
        frame: Frame::new(&admin, "connections", request.query_string()),
        at: At::new(&admin, &opened, "/test-sign-in"),
        made: Moment(found.at),
        claims: claims
            .map(|(name, value)| Claim {
                name: name.clone(),
                kind: kind(value),
                value: preview::text(value),
            })
            .collect(),
        steps: found.steps,
        trouble: found.trouble,
        makes_accounts: opened.provider.settings.provisioning.just_in_time,
        outdated: found.fingerprint != fingerprint(&opened.provider),
        came: found.came,
        preview,
    }))
}

fn kind(value: &serde_json::Value) -> &'static str {
    use serde_json::Value;
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}
