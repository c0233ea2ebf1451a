//! Groups of a pool: made, described, deleted. Who is in them is `actions::users`' and the mappings' business.

use serde_json::{Value, json};

use super::{Ctx, difference, pools, record};
use crate::db::Conn;
use crate::error::Error;
use crate::model::group::{self, Group};
use crate::rules::mapping::is_group_name;

/// Groups of one pool (Cognito's quota).
pub const MOST: i64 = 10_000;
/// The longest description, in characters (Cognito's).
const LONGEST_DESCRIPTION: usize = 2048;

/// What an administrator says about a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    pub description: Option<String>,
    /// 0 is strongest; `None` is weakest.
    pub precedence: Option<i64>,
    /// Cognito's role of the group; it is told to apps and means nothing here.
    pub role_arn: Option<String>,
}

pub fn create(
    conn: &mut Conn,
    ctx: &Ctx,
    user_pool_id: &str,
    name: &str,
    about: Description,
) -> Result<Group, Error> {
    let pool = pools::find(conn, user_pool_id)?;
    if !is_group_name(name) {
        return Err(Error::invalid(
            "name",
            "1-128 visible characters, blanks only between them",
        ));
    }
    check(&about)?;
    if group::count(conn, &pool.id)? >= MOST {
        return Err(Error::Conflict(format!(
            "the pool has as many groups as it can have: {MOST}"
        )));
    }
    let group = Group {
        user_pool_id: pool.id,
        name: name.to_owned(),
        description: about.description,
        precedence: about.precedence,
        role_arn: about.role_arn,
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    if !group::insert(conn, &group)? {
        return Err(Error::exists("group", name));
    }
    record(conn, ctx, "group.create", Some(user_pool_id), name, shape(&group))?;
    Ok(group)
}

/// Changes what `change` changes of the group's description.
pub fn update(
    conn: &mut Conn,
    ctx: &Ctx,
    user_pool_id: &str,
    name: &str,
    change: impl FnOnce(&mut Description),
) -> Result<Group, Error> {
    let old = find(conn, user_pool_id, name)?;
    let mut about = Description {
        description: old.description.clone(),
        precedence: old.precedence,
        role_arn: old.role_arn.clone(),
    };
    change(&mut about);
    check(&about)?;
    let new = Group {
        description: about.description,
        precedence: about.precedence,
        role_arn: about.role_arn,
        updated_at: ctx.now,
        ..old.clone()
    };
    let new = group::update(conn, &new)?.ok_or_else(|| missing(name))?;
    record(
        conn,
        ctx,
        "group.update",
        Some(user_pool_id),
        name,
        difference(&shape(&old), &shape(&new)),
    )?;
    Ok(new)
}

/// Deletes the group. A mapping that creates groups makes it again when its claim names it.
pub fn delete(conn: &mut Conn, ctx: &Ctx, user_pool_id: &str, name: &str) -> Result<(), Error> {
    let group = find(conn, user_pool_id, name)?;
    group::delete(conn, user_pool_id, name)?;
    record(conn, ctx, "group.delete", Some(user_pool_id), name, shape(&group))?;
    Ok(())
}

pub fn find(conn: &mut Conn, user_pool_id: &str, name: &str) -> Result<Group, Error> {
    group::find(conn, user_pool_id, name)?.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    Error::not_found("group", name)
}

fn check(about: &Description) -> Result<(), Error> {
    let long = about
        .description
        .as_ref()
        .is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION);
    if long {
        return Err(Error::invalid(
            "description",
            format!("at most {LONGEST_DESCRIPTION} characters"),
        ));
    }
    if about
        .precedence
        .is_some_and(|value| !(0..=1_000_000_000).contains(&value))
    {
        return Err(Error::invalid(
            "precedence",
            "a whole number from 0 on; 0 is strongest",
        ));
    }
    Ok(())
}

fn shape(group: &Group) -> Value {
    json!({ "description": group.description, "precedence": group.precedence, "role_arn": group.role_arn })
}
