//! `ListUsers`: the users of a pool by a filter, page by page along an index.

use serde::Deserialize;
use serde_json::Value;

use super::error::Failure;
use super::page::{self, Turner};
use super::users::{pool_within, shape};
use super::{Answer, Call};
use crate::db::Conn;
use crate::model::user::directory::{self, Place};
use crate::model::user::{User, search};
use crate::rules::aws::filter;

/// Users on one page.
const MOST: usize = 60;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    user_pool_id: String,
    attributes_to_get: Option<Vec<String>>,
    pagination_token: Option<String>,
    filter: Option<String>,
}

pub async fn list(call: Call) -> Answer {
    let input: Input = call.read()?;
    let text = input.filter.unwrap_or_default();
    let filter = filter::parse(&text).map_err(|mistake| Failure::invalid(mistake.to_string()))?;
    let turner = Turner::of(&call, "ListUsers", &text);
    let after: Option<Place> = turner.open(input.pagination_token.as_deref())?;
    let limit = page::size(&call.input, "Limit", MOST);
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let pool = pool_within(conn, &sees, &input.user_pool_id)?;
        let found = directory::page(conn, &pool, filter.as_ref(), after.as_ref(), limit)?;
        let shown = shapes(conn, &found.users, input.attributes_to_get.as_deref())?;
        let next = found.next.map(|place| turner.seal(place));
        Ok(page::answer("Users", shown, "PaginationToken", next))
    })
    .await
}

/// The users as lists show them.
pub(super) fn shapes(
    conn: &mut Conn,
    users: &[User],
    only: Option<&[String]>,
) -> Result<Vec<Value>, Failure> {
    let subs: Vec<String> = users.iter().map(|user| user.sub.clone()).collect();
    let mut identities = search::identities_of_all(conn, &subs)?;
    identities.sort_by_key(|identity| !identity.is_primary);
    Ok(users
        .iter()
        .map(|user| {
            let own: Vec<_> = identities
                .iter()
                .filter(|identity| identity.user_sub == user.sub)
                .cloned()
                .collect();
            shape(user, &own, "Attributes", only)
        })
        .collect())
}
