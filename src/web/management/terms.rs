//! Terms of use and privacy policies: links that a client's login page shows.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Failure;
use super::{Answer, Call, page, wire};
use crate::actions::login_pages;
use crate::db::Conn;
use crate::error::Error;
use crate::model::login_page::{self, Terms, TermsName};
use crate::model::reach::Reach;
use crate::model::{client, pool};

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    user_pool_id: String,
    client_id: String,
    terms_id: String,
    terms_name: Option<TermsName>,
    links: Option<BTreeMap<String, String>>,
}

impl Input {
    fn in_pool(&self, conn: &mut Conn, reach: &Reach) -> Result<(), Failure> {
        let id = &self.user_pool_id;
        pool::find_within(conn, reach, id)?.ok_or_else(|| Failure::no_pool(id))?;
        Ok(())
    }

    fn find(&self, conn: &mut Conn, reach: &Reach) -> Result<Terms, Failure> {
        self.in_pool(conn, reach)?;
        login_page::terms(conn, &self.user_pool_id, &self.terms_id)?
            .ok_or_else(|| Failure::missing(format!("Terms {} do not exist.", self.terms_id)))
    }

    fn client(&self, conn: &mut Conn, reach: &Reach) -> Result<String, Failure> {
        self.in_pool(conn, reach)?;
        client::find_within(conn, reach, &self.client_id)?
            .filter(|client| client.user_pool_id == self.user_pool_id)
            .map(|client| client.id)
            .ok_or_else(|| Failure::no_client(&self.client_id))
    }

    fn name(&self) -> Result<TermsName, Failure> {
        self.terms_name
            .ok_or_else(|| Failure::invalid("TermsName: is missing"))
    }
}

pub async fn create(call: Call) -> Answer {
    let input: Input = call.read()?;
    let name = input.name()?;
    call.act(move |conn, ctx, reach| {
        let client = input.client(conn, reach)?;
        let links = input.links.unwrap_or_default();
        let made = login_pages::set_terms(conn, ctx, &client, name, links).map_err(taken)?;
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
    let name = input.name()?;
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let client = input.client(conn, &sees)?;
        let found = login_page::terms_of(conn, &client)?
            .into_iter()
            .find(|terms| terms.name == name)
            .ok_or_else(|| Failure::missing(format!("The client {client} has no {name}.")))?;
        Ok(answer(&found))
    })
    .await
}

/// What is left out stays.
pub async fn update(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        let old = input.find(conn, reach)?;
        let name = input.terms_name.unwrap_or(old.name);
        let links = input.links.clone().unwrap_or_else(|| old.links.0.clone());
        let updated = login_pages::change_terms(conn, ctx, &old, name, links).map_err(taken)?;
        Ok(answer(&updated))
    })
    .await
}

pub async fn delete(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        let old = input.find(conn, reach)?;
        login_pages::drop_terms(conn, ctx, &old)?;
        Ok(json!({}))
    })
    .await
}

pub async fn list(call: Call) -> Answer {
    let id = call.pool_id();
    let sees = call.caller.sees.clone();
    let wanted = page::Wanted::of(&call, "ListTerms", "MaxResults", 60)?;
    call.look(move |conn| {
        pool::find_within(conn, &sees, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        let (terms, next) = wanted.cut(login_page::terms_of_pool(conn, &id)?, |terms| terms.id.clone());
        let shown = terms
            .iter()
            .map(|terms| {
                json!({
                    "TermsId": terms.id, "TermsName": terms.name, "Enforcement": "NONE",
                    "CreationDate": wire::time(terms.created_at), "LastModifiedDate": wire::time(terms.updated_at),
                })
            })
            .collect();
        Ok(page::answer("Terms", shown, "NextToken", next))
    })
    .await
}

fn taken(error: Error) -> Failure {
    match error {
        Error::Exists(what) => Failure::new("TermsExistsException", format!("{what} already exist.")),
        other => other.into(),
    }
}

fn answer(terms: &Terms) -> Value {
    json!({ "Terms": {
        "TermsId": terms.id, "UserPoolId": terms.user_pool_id, "ClientId": terms.client_id,
        "TermsName": terms.name, "TermsSource": "LINK", "Enforcement": "NONE", "Links": terms.links,
        "CreationDate": wire::time(terms.created_at), "LastModifiedDate": wire::time(terms.updated_at),
    } })
}
