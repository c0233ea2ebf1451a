//! Groups and who is in them. What a connection's mapping gives, it alone takes away.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Failure;
use super::page::{self, Turner, Wanted};
use super::user_filter::shapes;
use super::users::{Named, pool_within};
use super::{Answer, Call, wire};
use crate::actions::groups::{self, Description};
use crate::actions::users;
use crate::db::Conn;
use crate::error::Error;
use crate::model::group::{self, Group};
use crate::model::reach::Reach;

/// Groups, or members, on one page.
const MOST: usize = 60;

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    user_pool_id: String,
    group_name: String,
    description: Option<String>,
    role_arn: Option<String>,
    precedence: Option<i64>,
}

impl Input {
    /// The group, within this reach.
    fn find(&self, conn: &mut Conn, reach: &Reach) -> Result<Group, Failure> {
        pool_within(conn, reach, &self.user_pool_id)?;
        group::find(conn, &self.user_pool_id, &self.group_name)?.ok_or_else(Failure::no_group)
    }
}

pub async fn create(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        pool_within(conn, reach, &input.user_pool_id)?;
        let about = Description {
            description: input.description.filter(|text| !text.is_empty()),
            precedence: input.precedence,
            role_arn: input.role_arn,
        };
        let made = groups::create(conn, ctx, &input.user_pool_id, &input.group_name, about);
        let group = made.map_err(|error| match error {
            Error::Conflict(why) => Failure::new("LimitExceededException", why),
            other => other.into(),
        })?;
        Ok(json!({ "Group": shape(&group) }))
    })
    .await
}

pub async fn get(call: Call) -> Answer {
    let input: Input = call.read()?;
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let group = input.find(conn, &sees)?;
        Ok(json!({ "Group": shape(&group) }))
    })
    .await
}

/// What is left out stays as it is.
pub async fn update(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        input.find(conn, reach)?;
        let updated = groups::update(conn, ctx, &input.user_pool_id, &input.group_name, |group| {
            if let Some(text) = input.description {
                group.description = Some(text).filter(|text| !text.is_empty());
            }
            group.precedence = input.precedence.or(group.precedence);
            group.role_arn = input.role_arn.or(group.role_arn.take());
        })?;
        Ok(json!({ "Group": shape(&updated) }))
    })
    .await
}

pub async fn delete(call: Call) -> Answer {
    let input: Input = call.read()?;
    call.act(move |conn, ctx, reach| {
        input.find(conn, reach)?;
        groups::delete(conn, ctx, &input.user_pool_id, &input.group_name)?;
        Ok(json!({}))
    })
    .await
}

pub async fn list(call: Call) -> Answer {
    let id = call.pool_id();
    let turner = Turner::of(&call, "ListGroups", "");
    let token: Option<String> = call.member("NextToken")?;
    let after: Option<String> = turner.open(token.as_deref())?;
    let limit = page::size(&call.input, "Limit", MOST);
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        pool_within(conn, &sees, &id)?;
        let mut found = group::page(conn, &id, "", after.as_deref(), one_more(limit))?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more);
        let next = last.map(|last| turner.seal(&last.name));
        let shown = found.iter().map(shape).collect();
        Ok(page::answer("Groups", shown, "NextToken", next))
    })
    .await
}

pub async fn members(call: Call) -> Answer {
    let input: Input = call.read()?;
    let turner = Turner::of(&call, "ListUsersInGroup", &input.group_name);
    let token: Option<String> = call.member("NextToken")?;
    let after: Option<String> = turner.open(token.as_deref())?;
    let limit = page::size(&call.input, "Limit", MOST);
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let group = input.find(conn, &sees)?;
        let after = after.unwrap_or_default();
        let mut found = group::members(conn, &group.user_pool_id, &group.name, &after, one_more(limit))?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more);
        let next = last.map(|last| turner.seal(&last.sub));
        let shown = shapes(conn, &found, None)?;
        Ok(page::answer("Users", shown, "NextToken", next))
    })
    .await
}

pub async fn add_user(call: Call) -> Answer {
    let (input, named): (Input, Named) = (call.read()?, call.read()?);
    call.act(move |conn, ctx, reach| {
        let (_, user) = named.find(conn, reach)?;
        users::add_to_group(conn, ctx, reach, &user.sub, &input.group_name)?;
        Ok(json!({}))
    })
    .await
}

/// Takes away what an administrator gave. Who is in no such group stays out of it, as in Cognito.
pub async fn remove_user(call: Call) -> Answer {
    let (input, named): (Input, Named) = (call.read()?, call.read()?);
    call.act(move |conn, ctx, reach| {
        let (_, user) = named.find(conn, reach)?;
        let group = input.find(conn, reach)?;
        let memberships = group::memberships(conn, &user.sub)?;
        let mut sources = memberships
            .iter()
            .filter(|membership| membership.group_name == group.name)
            .map(|membership| membership.source.as_str())
            .peekable();
        if sources.peek().is_none() {
            return Ok(json!({}));
        }
        if !sources.any(group::is_gift) {
            return Err(Failure::invalid(
                "The membership is given by the user's identity provider: it would come back with the next sign-in. \
                 Change it there, or in the provider's mapping.",
            ));
        }
        users::remove_from_group(conn, ctx, reach, &user.sub, &group.name)?;
        Ok(json!({}))
    })
    .await
}

pub async fn of_user(call: Call) -> Answer {
    let named: Named = call.read()?;
    let list = format!("AdminListGroupsForUser {}", named.username);
    let wanted = Wanted::of(&call, &list, "Limit", MOST)?;
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let (_, user) = named.find(conn, &sees)?;
        let all = group::of_user(conn, &user.sub)?;
        let (found, next) = wanted.cut(all, |group| group.name.clone());
        let shown = found.iter().map(shape).collect();
        Ok(page::answer("Groups", shown, "NextToken", next))
    })
    .await
}

/// One more than is shown tells whether there is a next page.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).map_or(i64::MAX, |limit| limit.saturating_add(1))
}

fn shape(group: &Group) -> Value {
    let mut shape = json!({
        "GroupName": group.name,
        "UserPoolId": group.user_pool_id,
        "CreationDate": wire::time(group.created_at),
        "LastModifiedDate": wire::time(group.updated_at),
    });
    for (name, value) in [
        ("Description", group.description.as_ref().map(|text| json!(text))),
        ("Precedence", group.precedence.map(|number| json!(number))),
        ("RoleArn", group.role_arn.as_ref().map(|arn| json!(arn))),
    ] {
        if let Some(value) = value {
            shape[name] = value;
        }
    }
    shape
}
