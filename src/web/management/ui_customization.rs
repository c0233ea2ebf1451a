//! The style sheet and the picture of login pages, for a client or for all clients of a pool.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Failure;
use super::{Answer, Call, wire};
use crate::actions::login_pages;
use crate::broker::Broker;
use crate::db::Conn;
use crate::model::login_page::{self, Customization};
use crate::model::reach::Reach;
use crate::model::{client, pool};

/// What stands for all clients of a pool.
const ALL: &str = "ALL";

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    user_pool_id: String,
    client_id: Option<String>,
    #[serde(rename = "CSS")]
    css: Option<String>,
    image_file: Option<String>,
}

impl Input {
    /// The client, within reach; none for all of them.
    fn client(&self, conn: &mut Conn, reach: &Reach) -> Result<Option<String>, Failure> {
        let pool_id = &self.user_pool_id;
        pool::find_within(conn, reach, pool_id)?.ok_or_else(|| Failure::no_pool(pool_id))?;
        match self.client_id.as_deref().filter(|id| *id != ALL) {
            None => Ok(None),
            Some(id) => client::find_within(conn, reach, id)?
                .filter(|client| client.user_pool_id == *pool_id)
                .map(|client| Some(client.id))
                .ok_or_else(|| Failure::no_client(id)),
        }
    }
}

/// The client's own, else that of all clients, else nothing.
pub async fn get(call: Call) -> Answer {
    let input: Input = call.read()?;
    let sees = call.caller.sees.clone();
    let broker = call.broker.clone();
    call.look(move |conn| {
        let own = match input.client(conn, &sees)? {
            Some(id) => login_page::customization(conn, &id)?,
            None => None,
        };
        let found = match own {
            Some(own) => Some(own),
            None => login_page::customization(conn, &input.user_pool_id)?,
        };
        let shown = found.map_or_else(|| json!({}), |found| shape(&broker, &found));
        Ok(json!({ "UICustomization": shown }))
    })
    .await
}

pub async fn set(call: Call) -> Answer {
    let input: Input = call.read()?;
    let image = input.image_file.as_deref().filter(|image| !image.is_empty());
    let image = image
        .map(|text| STANDARD.decode(text))
        .transpose()
        .map_err(|_| Failure::serialization("'imageFile' is not a base64 string"))?;
    let broker = call.broker.clone();
    call.act(move |conn, ctx, reach| {
        let client = input.client(conn, reach)?;
        let css = input.css.unwrap_or_default();
        let set = login_pages::customize(conn, ctx, &input.user_pool_id, client.as_deref(), css, image)?;
        let shown = set.map_or_else(
            || json!({ "UserPoolId": input.user_pool_id, "ClientId": client.as_deref().unwrap_or(ALL) }),
            |set| shape(&broker, &set),
        );
        Ok(json!({ "UICustomization": shown }))
    })
    .await
}

/// The customization as `UICustomizationType`.
fn shape(broker: &Broker, row: &Customization) -> Value {
    let changed = DateTime::from_timestamp(row.updated_at.0, 0).unwrap_or_default();
    let mut shown = json!({
        "UserPoolId": row.user_pool_id,
        "ClientId": row.client_id.as_deref().unwrap_or(ALL),
        "CSSVersion": changed.format("%Y%m%d%H%M%S").to_string(),
        "CreationDate": wire::time(row.created_at),
        "LastModifiedDate": wire::time(row.updated_at),
    });
    if !row.css.is_empty() {
        shown["CSS"] = json!(row.css);
    }
    // The picture of all clients has no page, and so no address, of its own.
    let name = row
        .image
        .as_ref()
        .and_then(|image| crate::broker::picture_name(image));
    if let (Some(name), Some(client)) = (name, &row.client_id) {
        shown["ImageUrl"] = json!(format!("{}/login/style/{client}/{name}", broker.public_url));
    }
    shown
}
