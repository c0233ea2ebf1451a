//! Whose an address is, in a pool that takes addresses for names: one user's, or neither of two could sign in by it.

use serde_json::{Value, json};

use super::{holders, takes_addresses};
use crate::actions::{Ctx, record};
use crate::db::{Conn, Json};
use crate::error::Error;
use crate::model::pool::{self, Pool};
use crate::model::user::{self, User};

/// Sees to it that the address which the user has just been given is theirs alone, or refuses it. Where `takes`, as
/// `ForceAliasCreation` has it, whoever else had it keeps it as a mere attribute that nobody has verified.
///
/// Until the transaction ends nobody else in the pool is given one, so that two who ask at once can't both have it.
pub fn settle(conn: &mut Conn, ctx: &Ctx, pool: &Pool, user: &User, takes: bool) -> Result<(), Error> {
    let address = user.attributes.get("email").and_then(Value::as_str);
    let Some(address) = address.filter(|_| takes_addresses(pool)) else {
        return Ok(());
    };
    pool::hold(conn, &pool.id)?;
    let holders = holders(conn, pool, address)?;
    let (own, others): (Vec<_>, Vec<_>) = holders.iter().partition(|holder| holder.sub == user.sub);
    if own.is_empty() || others.is_empty() {
        return Ok(());
    }
    if !takes {
        return Err(Error::exists("alias", address));
    }
    for other in others {
        let mut attributes = other.attributes.0.clone();
        attributes.remove("email_verified");
        user::set_attributes(conn, &other.sub, &Json(attributes), ctx.now)?;
        record(
            conn,
            ctx,
            "user.alias.lose",
            Some(&pool.id),
            &other.sub,
            json!({ "to": user.sub }),
        )?;
    }
    Ok(())
}
