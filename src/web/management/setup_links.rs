//! Set-up links by API, for whoever makes tenants by a program: `Forebay.CreateSetUpLink`, `ListSetUpLinks` and
//! `RevokeSetUpLink`. The same action as in the console, with the credential's reach; a credential that may only look can list.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::Failure;
use super::{Answer, Call, wire};
use crate::actions::setup_links::{self, USUAL_DAYS};
use crate::error::Error;
use crate::model::setup_link::SetupLink;
use crate::world::UnixTime;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Make {
    tenant_id: String,
    #[serde(default = "usual_days")]
    days: i64,
}

fn usual_days() -> i64 {
    USUAL_DAYS
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OfTenant {
    tenant_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct One {
    id: String,
}

/// The members, which no table of shapes has checked before.
fn members<T: DeserializeOwned>(call: &Call) -> Result<T, Failure> {
    let has_nul = |value: &Value| value.as_str().is_some_and(|text| text.contains('\0'));
    if call.input.values().any(has_nul) {
        return Err(Failure::invalid("A member has a NUL character"));
    }
    serde_json::from_value(Value::Object(call.input.clone())).map_err(|why| Failure::invalid(why.to_string()))
}

/// The link is in this answer and in no other.
pub async fn create(call: Call) -> Answer {
    let Make { tenant_id, days } = members(&call)?;
    let public_url = call.broker.public_url.clone();
    call.act(move |conn, ctx, reach| {
        let made = setup_links::create(conn, ctx, reach, &tenant_id, days);
        let (link, token) = made.map_err(|error| match error {
            Error::Conflict(why) => Failure::new("LimitExceededException", why),
            other => other.into(),
        })?;
        let mut shown = shape(&link, ctx.now);
        shown["Link"] = json!(format!("{public_url}/console/connect/{token}"));
        Ok(json!({ "SetUpLink": shown }))
    })
    .await
}

pub async fn list(call: Call) -> Answer {
    let OfTenant { tenant_id } = members(&call)?;
    let (sees, now) = (call.caller.sees.clone(), call.broker.clock.now());
    call.look(move |conn| {
        let (_, links) = setup_links::list(conn, &sees, &tenant_id)?;
        let shown: Vec<Value> = links.iter().map(|link| shape(link, now)).collect();
        Ok(json!({ "SetUpLinks": shown }))
    })
    .await
}

pub async fn revoke(call: Call) -> Answer {
    let One { id } = members(&call)?;
    call.act(move |conn, ctx, reach| {
        let revoked = setup_links::revoke(conn, ctx, reach, &id);
        let link = revoked.map_err(|error| match error {
            // Nothing to try again.
            Error::Conflict(why) => Failure::invalid(why),
            other => other.into(),
        })?;
        let mut shown = shape(&link, ctx.now);
        shown["State"] = json!("revoked");
        Ok(json!({ "SetUpLink": shown }))
    })
    .await
}

fn shape(link: &SetupLink, now: UnixTime) -> Value {
    json!({
        "Id": link.id,
        "TenantId": link.tenant_id,
        "UserPoolId": link.user_pool_id,
        "State": link.state(now),
        "CreatedBy": link.created_by,
        "CreationDate": wire::time(link.created_at),
        "ExpirationDate": wire::time(link.expires_at),
        "OpenedDate": link.opened_at.map(wire::time),
        "DoneDate": link.done_at.map(wire::time),
        "ConnectionId": link.provider_id,
    })
}
