//! The domains of pools: made, changed, deleted. A pool has at most one prefix and one domain of its own.

use serde_json::json;

use super::{Ctx, difference, pools, record};
use crate::db::{Conn, Json};
use crate::error::Error;
use crate::model::domain::{self, Domain, Settings};
use crate::model::reach::Reach;
use crate::rules::domain::Place;

/// Makes a domain for a pool; it is served at once.
pub fn create(
    conn: &mut Conn,
    ctx: &Ctx,
    place: &Place,
    user_pool_id: &str,
    name: &str,
    settings: Settings,
) -> Result<Domain, Error> {
    pools::find(conn, user_pool_id)?;
    place.check(name)?;
    let domain = Domain {
        name: name.to_owned(),
        user_pool_id: user_pool_id.to_owned(),
        settings: Json(settings),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let present = domain::of_pool(conn, user_pool_id)?;
    if let Some(other) = present
        .iter()
        .find(|other| other.is_custom() == domain.is_custom())
    {
        return Err(Error::invalid(
            "Domain",
            format!("the user pool has the domain {} already", other.name),
        ));
    }
    if !domain::insert(conn, &domain)? {
        return Err(Error::exists("domain", name));
    }
    record(
        conn,
        ctx,
        "domain.create",
        Some(user_pool_id),
        name,
        json!({ "host": place.host_of(name), "settings": domain.settings }),
    )?;
    Ok(domain)
}

/// Changes what is kept with a domain.
pub fn update(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    name: &str,
    settings: Settings,
) -> Result<Domain, Error> {
    let old = find_within(conn, reach, name)?;
    let new = Domain {
        settings: Json(settings),
        updated_at: ctx.now,
        ..old.clone()
    };
    let new = domain::update(conn, &new)?.ok_or_else(|| missing(name))?;
    record(
        conn,
        ctx,
        "domain.update",
        Some(&new.user_pool_id),
        name,
        difference(&json!(old.settings), &json!(new.settings)),
    )?;
    Ok(new)
}

/// Deletes a domain: its host is nobody's from then on.
pub fn delete(conn: &mut Conn, ctx: &Ctx, reach: &Reach, name: &str) -> Result<Domain, Error> {
    let domain = find_within(conn, reach, name)?;
    domain::delete(conn, name)?;
    record(
        conn,
        ctx,
        "domain.delete",
        Some(&domain.user_pool_id),
        name,
        json!({}),
    )?;
    Ok(domain)
}

/// The domain, for whoever's reach has its pool.
pub fn find_within(conn: &mut Conn, reach: &Reach, name: &str) -> Result<Domain, Error> {
    domain::find_within(conn, reach, name)?.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    Error::not_found("domain", name)
}
