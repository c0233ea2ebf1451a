//! Moving a tenant's people from one connection to another: a dry run that pairs old accounts with what they will be
//! recognised by, the move itself, which each person makes at their next sign-in, the end of the old way, and undoing
//! it all for thirty days. Nobody's `sub` changes, and nothing of the old connection is deleted.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::profile::Arrival;
use super::{Ctx, offers, record, tenants, users};
use crate::db::{Conn, Json};
use crate::error::{Error, StoreError};
use crate::model::client::Client;
use crate::model::identity_move::{self, IdentityMove, Pairing, UNDO_SECONDS};
use crate::model::provider::{self, Provider};
use crate::model::reach::Reach;
use crate::model::tenant::Tenant;
use crate::model::tenant_domain::{self, Vouching};
use crate::model::user::User;
use crate::model::user::link::{self, Link};
use crate::model::{mapping, user};
use crate::rules::linking::attribute_of;
use crate::rules::pairing::{self, Line, Person, Plan, Telling};
use crate::rules::tenant_domain::vouches;
use crate::rules::{same_person, secret};

/// Accounts that are read at once.
const BATCH: i64 = 1_000;
/// Moves of a tenant that are listed.
pub const LISTED: i64 = 50;

/// A move to plan or to make.
#[derive(Clone, Debug)]
pub struct NewMove {
    pub tenant_id: String,
    pub from: String,
    pub to: String,
    pub pairing: Pairing,
    /// Of an uploaded list.
    pub lines: Vec<Line>,
}

/// What would come of a move.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub tenant: Tenant,
    pub from: Provider,
    pub to: Provider,
    pub plan: Plan,
}

/// The dry run: who would become whom, and who would not. Nothing is changed.
pub fn prepare(conn: &mut Conn, reach: &Reach, new: &NewMove) -> Result<Prepared, Error> {
    let tenant = tenants::find(conn, reach, &new.tenant_id)?;
    let to = connection(conn, reach, "to", &new.to)?;
    let from = connection(conn, reach, "from", &new.from)?;
    if to.tenant_id.as_ref() != Some(&tenant.id) {
        return Err(Error::invalid("to", "must be a connection of the tenant"));
    }
    let is_own = from.tenant_id.as_ref() == Some(&tenant.id);
    let is_pools = from.tenant_id.is_none() && from.user_pool_id == tenant.user_pool_id;
    if from.id == to.id || !(is_own || is_pools) {
        return Err(Error::invalid(
            "from",
            "must be another connection, of the tenant or of its pool alone",
        ));
    }
    let attribute = new.pairing.attribute();
    let listed_subjects = !new.pairing.trusts_profiles() && attribute == pairing::SUBJECT;
    let rules = mapping::current(conn, &to.id)?.map(|mapping| mapping.rules.0);
    let rules = rules.unwrap_or_default();
    if !listed_subjects && attribute_of(&rules, attribute) != Some(attribute) {
        return Err(Error::invalid(
            "by",
            format!(
                "{} maps nothing to an attribute '{attribute}', so nobody can be recognised by it",
                to.name
            ),
        ));
    }
    let proven = Vouching::Within(tenant_domain::proven_of_tenant(conn, &tenant.id)?);
    let mut people = people(conn, &from)?;
    if !is_own {
        // Of the pool's own connection those whom the tenant's domains make its people.
        people.retain(|person| pairing::has_proven_address(&person.attributes, &proven));
    }
    let (come, mut taken) = taken(conn, &to, attribute)?;
    people.retain(|person| !come.contains(&person.sub));
    taken.extend(link::of_attribute(conn, &to.id, attribute)?);
    let number = tenant.settings.linking.attribute.as_deref();
    let telling = Telling {
        brought: &rules.brought(),
        numbers: &same_person::numbers(attribute, number),
    };
    let plan = pairing::plan(&new.pairing, &people, &new.lines, &proven, &taken, telling);
    Ok(Prepared {
        tenant,
        from,
        to,
        plan,
    })
}

/// A connection within reach, at the field that names it.
fn connection(conn: &mut Conn, reach: &Reach, field: &str, id: &str) -> Result<Provider, Error> {
    // PostgreSQL cannot even be asked for such a name.
    let found = match id.contains('\0') {
        true => None,
        false => provider::find_within(conn, reach, id)?,
    };
    found.ok_or_else(|| Error::invalid(field, "is no connection that you may move people between"))
}

/// Everybody who has come by the connection.
fn people(conn: &mut Conn, provider: &Provider) -> Result<Vec<Person>, StoreError> {
    let mut people: Vec<Person> = Vec::new();
    let mut last = (String::new(), String::new());
    loop {
        let page = identity_move::people(conn, &provider.id, (&last.0, &last.1), BATCH)?;
        let Some((identity, _)) = page.last() else {
            return Ok(people);
        };
        last = (identity.subject.clone(), identity.issuer.clone());
        let own = page
            .into_iter()
            .filter(|(_, user)| user.user_pool_id == provider.user_pool_id);
        people.extend(own.map(|(identity, user)| Person {
            sub: user.sub,
            username: user.username,
            subject: identity.subject,
            attributes: user.attributes.0,
        }));
    }
}

/// Who has come by the new connection already, and with which values.
fn taken(
    conn: &mut Conn,
    to: &Provider,
    attribute: &str,
) -> Result<(HashSet<String>, HashMap<String, String>), StoreError> {
    let mut come = HashSet::new();
    let mut values = HashMap::new();
    for person in people(conn, to)? {
        let value = match attribute {
            pairing::SUBJECT => Some(person.subject.clone()),
            name => same_person::text(&person.attributes, name),
        };
        values.extend(value.map(|value| (value, person.sub.clone())));
        come.insert(person.sub);
    }
    Ok((come, values))
}

/// Makes the pairs that count. Each is applied when its person comes by the new connection.
pub fn start(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    new: &NewMove,
) -> Result<(IdentityMove, Plan), Error> {
    let Prepared {
        tenant,
        from,
        to,
        plan,
    } = prepare(conn, reach, new)?;
    if plan.pairs.is_empty() {
        return Err(Error::invalid(
            "by",
            "pairs nobody: look at the dry run for why, and move by something else",
        ));
    }
    let row = IdentityMove {
        id: format!("mv_{}", secret::lower(&ctx.entropy, 16)),
        user_pool_id: tenant.user_pool_id,
        tenant_id: tenant.id,
        from_provider_id: from.id,
        to_provider_id: to.id,
        pairing: Json(new.pairing.clone()),
        created_by: ctx.actor.clone(),
        created_at: ctx.now,
        closed_at: None,
        undone_at: None,
    };
    identity_move::insert(conn, &row)?;
    for pair in &plan.pairs {
        let link = Link {
            provider_id: row.to_provider_id.clone(),
            attribute: pair.attribute.clone(),
            value: pair.value.clone(),
            user_sub: pair.user_sub.clone(),
            subject: None,
            created_at: ctx.now,
            move_id: Some(row.id.clone()),
        };
        if !link::insert(conn, &link)? {
            return Err(Error::Conflict(
                "somebody was linked at the same moment: look at the dry run again".into(),
            ));
        }
    }
    let counts = json!({
        "move": row.id,
        "from": row.from_provider_id,
        "to": row.to_provider_id,
        "by": row.pairing,
        "paired": plan.pairs.len(),
        "ambiguous": plan.ambiguous.len(),
        "orphans": plan.orphans.len(),
    });
    note(conn, ctx, &row, "start", counts)?;
    Ok((row, plan))
}

/// Closes the old connection to everybody in the move, whether or not they have come by the new one: they are told, and
/// led there. Until then it is closed to those alone who have.
pub fn close(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str) -> Result<IdentityMove, Error> {
    let row = find(conn, reach, id)?;
    let to = provider::find(conn, &row.to_provider_id)?;
    if !to.is_some_and(|to| to.enabled) {
        return Err(Error::Conflict(
            "the new connection is not live: nobody could sign in any more".into(),
        ));
    }
    if !identity_move::close(conn, &row.id, ctx.now)? {
        return Err(Error::Conflict("the move is closed or undone already".into()));
    }
    note(conn, ctx, &row, "close", json!({ "move": row.id }))?;
    find(conn, reach, id)
}

/// Takes everything back: whoever has come by the new connection is the old account's no more and signed out, and the old
/// way is open again. They are found by what they came as and not by the connection's issuer, which may be another by now.
pub fn undo(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str) -> Result<IdentityMove, Error> {
    let row = find(conn, reach, id)?;
    if !identity_move::undo(conn, &row.id, ctx.now.plus(-UNDO_SECONDS), ctx.now)? {
        return Err(Error::Conflict(
            "the move is undone already, or was made more than 30 days ago".into(),
        ));
    }
    let mut taken_back = 0;
    for link in identity_move::come(conn, &row.id)? {
        let mut moved = user::identities(conn, &link.user_sub)?;
        moved.retain(|one| {
            one.provider_id == link.provider_id
                && Some(&one.subject) == link.subject.as_ref()
                && !one.is_primary
        });
        if moved.is_empty() {
            continue;
        }
        for identity in &moved {
            user::delete_identity(conn, identity)?;
        }
        users::end(conn, ctx, &link.user_sub)?;
        taken_back += 1;
    }
    let given_up = identity_move::delete_pairs(conn, &row.id)?;
    let counts = json!({ "move": row.id, "taken_back": taken_back, "pairs": given_up });
    note(conn, ctx, &row, "undo", counts)?;
    find(conn, reach, id)
}

/// The move, for whoever has the tenant.
pub fn find(conn: &mut Conn, reach: &Reach, id: &str) -> Result<IdentityMove, Error> {
    // PostgreSQL cannot even be asked for such a name.
    let found = match id.contains('\0') {
        true => None,
        false => identity_move::find_within(conn, reach, id)?,
    };
    found.ok_or_else(|| Error::not_found("move", id))
}

/// The connection to take instead, where a move has closed the way by which somebody comes: to those who have moved, and
/// once the move is closed to everybody of the tenant. Never while the new connection is switched off, nor at an app that
/// does not offer it.
pub fn instead(
    conn: &mut Conn,
    client: &Client,
    from: &Provider,
    arrival: &Arrival,
) -> Result<Option<Provider>, StoreError> {
    let moves = identity_move::away_from(conn, &from.id)?;
    if moves.is_empty() {
        return Ok(None);
    }
    let known = user::find_identity(conn, &from.id, &arrival.issuer, &arrival.subject)?;
    let who = Who {
        sub: known.as_ref().map(|known| known.user_sub.as_str()),
        address: arrival.claims.get("email").and_then(Value::as_str),
    };
    first_closed(conn, client, from, moves, &who)
}

/// The same for whoever has a session or tokens by that connection: these end with the old way.
pub fn instead_of(
    conn: &mut Conn,
    client: &Client,
    connection: &str,
    user: &User,
) -> Result<Option<Provider>, StoreError> {
    let moves = identity_move::away_from(conn, connection)?;
    if moves.is_empty() {
        return Ok(None);
    }
    let Some(from) = provider::find(conn, connection)? else {
        return Ok(None);
    };
    let who = Who {
        sub: Some(&user.sub),
        address: user.attributes.get("email").and_then(Value::as_str),
    };
    first_closed(conn, client, &from, moves, &who)
}

/// Somebody by the old connection, as far as they are known.
struct Who<'a> {
    sub: Option<&'a str>,
    address: Option<&'a str>,
}

fn first_closed(
    conn: &mut Conn,
    client: &Client,
    from: &Provider,
    moves: Vec<IdentityMove>,
    who: &Who<'_>,
) -> Result<Option<Provider>, StoreError> {
    for row in moves {
        if !is_closed_to(conn, &row, from, who)? {
            continue;
        }
        let Some(to) = provider::find(conn, &row.to_provider_id)? else {
            continue;
        };
        if offers::is_open_instead(conn, client, from, &to)? {
            return Ok(Some(to));
        }
    }
    Ok(None)
}

fn is_closed_to(
    conn: &mut Conn,
    row: &IdentityMove,
    from: &Provider,
    who: &Who<'_>,
) -> Result<bool, StoreError> {
    let pair = match who.sub {
        Some(sub) => identity_move::pair_of(conn, &row.id, sub)?,
        None => None,
    };
    if row.closed_at.is_none() {
        return Ok(pair.is_some_and(|pair| pair.subject.is_some()));
    }
    if pair.is_some() || from.tenant_id.as_ref() == Some(&row.tenant_id) {
        return Ok(true);
    }
    // At the pool's own connection: whoever's address is in one of the tenant's domains, known or not.
    let proven = Vouching::Within(tenant_domain::proven_of_tenant(conn, &row.tenant_id)?);
    Ok(who.address.is_some_and(|address| vouches(&proven, address)))
}

fn note(
    conn: &mut Conn,
    ctx: &Ctx,
    row: &IdentityMove,
    what: &str,
    difference: Value,
) -> Result<(), StoreError> {
    let action = format!("tenant.move_{what}");
    record(
        conn,
        ctx,
        &action,
        Some(&row.user_pool_id),
        &row.tenant_id,
        difference,
    )?;
    Ok(())
}
