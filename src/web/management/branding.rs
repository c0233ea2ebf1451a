//! The branding of managed login, one per client. The document is kept whole and shown again; the login page follows what it
//! says of colours, corners and the logo.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Failure;
use super::{Answer, Call, wire};
use crate::actions::login_pages;
use crate::db::Conn;
use crate::error::Error;
use crate::model::login_page::{self, Asset, Branding, Content};
use crate::model::reach::Reach;
use crate::model::{client, pool};

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    user_pool_id: String,
    client_id: String,
    managed_login_branding_id: String,
    use_cognito_provided_values: Option<bool>,
    settings: Option<Value>,
    assets: Option<Vec<Asset>>,
}

impl Input {
    fn content(&self) -> Content {
        Content {
            provided_values: self.use_cognito_provided_values.unwrap_or(false),
            settings: self.settings.clone(),
            assets: self.assets.clone().unwrap_or_default(),
        }
    }

    fn in_pool(&self, conn: &mut Conn, reach: &Reach) -> Result<(), Failure> {
        let id = &self.user_pool_id;
        pool::find_within(conn, reach, id)?.ok_or_else(|| Failure::no_pool(id))?;
        Ok(())
    }

    fn find(&self, conn: &mut Conn, reach: &Reach) -> Result<Branding, Failure> {
        self.in_pool(conn, reach)?;
        let id = &self.managed_login_branding_id;
        login_page::branding(conn, &self.user_pool_id, id)?
            .ok_or_else(|| Failure::missing(format!("Managed login branding {id} does not exist.")))
    }

    fn client(&self, conn: &mut Conn, reach: &Reach) -> Result<String, Failure> {
        self.in_pool(conn, reach)?;
        client::find_within(conn, reach, &self.client_id)?
            .filter(|client| client.user_pool_id == self.user_pool_id)
            .map(|client| client.id)
            .ok_or_else(|| Failure::no_client(&self.client_id))
    }
}

pub async fn create(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        let client = input.client(conn, reach)?;
        let made = login_pages::brand(conn, ctx, &client, input.content()).map_err(|error| match error {
            Error::Exists(what) => Failure::new(
                "ManagedLoginBrandingExistsException",
                format!("The {what} already exists."),
            ),
            other => other.into(),
        })?;
        Ok(answer(&made))
    })
    .await
}

pub async fn describe(call: Call) -> Answer {
    let input: Input = call.read()?;
    let sees = call.caller.sees.clone();
    call.look(move |conn| Ok(answer(&input.find(conn, &sees)?))).await
}

pub async fn describe_by_client(call: Call) -> Answer {
    let input: Input = call.read()?;
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let client = input.client(conn, &sees)?;
        let found = login_page::branding_of(conn, &client)?
            .ok_or_else(|| Failure::missing(format!("The client {client} has no managed login branding.")))?;
        Ok(answer(&found))
    })
    .await
}

/// What is left out stays; asking for the provided values takes the others away.
pub async fn update(call: Call) -> Answer {
    let input: Input = call.read()?;
    // The model lets both be left out.
    if input.user_pool_id.is_empty() || input.managed_login_branding_id.is_empty() {
        return Err(Failure::invalid(
            "UserPoolId and ManagedLoginBrandingId: both are needed to tell which branding it is",
        ));
    }
    call.act(move |conn, ctx, reach| {
        let old = input.find(conn, reach)?;
        let given = input.content();
        let content = if input.use_cognito_provided_values == Some(true) {
            given
        } else {
            Content {
                provided_values: false,
                settings: given.settings.or_else(|| old.content.settings.clone()),
                assets: input.assets.clone().unwrap_or_else(|| old.content.assets.clone()),
            }
        };
        Ok(answer(&login_pages::rebrand(conn, ctx, &old, content)?))
    })
    .await
}

pub async fn delete(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        let old = input.find(conn, reach)?;
        login_pages::unbrand(conn, ctx, &old)?;
        Ok(json!({}))
    })
    .await
}

fn answer(branding: &Branding) -> Value {
    let content = &branding.content;
    let mut shown = json!({
        "ManagedLoginBrandingId": branding.id,
        "UserPoolId": branding.user_pool_id,
        "UseCognitoProvidedValues": content.provided_values,
        "Assets": content.assets,
        "CreationDate": wire::time(branding.created_at),
        "LastModifiedDate": wire::time(branding.updated_at),
    });
    if let Some(settings) = &content.settings {
        shown["Settings"] = settings.clone();
    }
    json!({ "ManagedLoginBranding": shown })
}
