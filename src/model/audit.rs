//! Audit event: who did what to which thing, and the difference; written in the same transaction as the change.
//!
//! Lists are read like those of traces: part by part of a reach, each from its index, and merged. Sign-ins are events, too,
//! and nearly all of them; what else happened has indexes of its own.

use diesel::dsl::sql;
use diesel::expression::BoxableExpression;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable};
use serde_json::Value;

use crate::db::schema::{administrator_roles, audit_events, identities, identity_providers, webhooks};
use crate::db::search::{anywhere, beginning, lower};
use crate::db::{Conn, Json, MultiBackend};
use crate::model::reach::Reach;
use crate::model::tenant::{self, Tenant};
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = audit_events)]
pub struct NewEvent {
    pub at: UnixTime,
    /// `cli:<login name>`, `system`, `user:<sub>`…
    pub actor: String,
    /// `pool.create`, `client.delete`…
    pub action: String,
    pub user_pool_id: Option<String>,
    pub target: String,
    pub difference: Json<Value>,
    pub request_id: String,
    /// The tenant whose own thing the event is about; its administrators see the event.
    pub tenant_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = audit_events)]
pub struct Event {
    pub id: i64,
    pub at: UnixTime,
    pub actor: String,
    pub action: String,
    pub user_pool_id: Option<String>,
    pub target: String,
    pub difference: Json<Value>,
    pub request_id: String,
    pub tenant_id: Option<String>,
}

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// A part of the actor, in any case.
    pub actor: Option<String>,
    /// `provider.update`, or `provider.` for everything done to connections.
    pub action: Option<String>,
    pub target: Option<String>,
    pub user_pool_id: Option<String>,
    /// At this moment or later, and before that one.
    pub since: Option<UnixTime>,
    pub until: Option<UnixTime>,
    /// Ordinary sign-ins, too.
    pub sign_ins: bool,
    /// The last event of the page before.
    pub after: Option<(UnixTime, i64)>,
}

type Condition = Box<dyn BoxableExpression<audit_events::table, MultiBackend, SqlType = Nullable<Bool>>>;

/// The literal of the partial indexes: a bound value would not let the database use them.
const CHANGES: &str = "audit_events.action <> 'user.sign_in'";

pub fn insert(conn: &mut Conn, event: &NewEvent) -> QueryResult<()> {
    diesel::insert_into(audit_events::table)
        .values(event)
        .execute(conn)
        .map(|_| ())
}

/// The tenant whose own the target of such an action is. Only what belongs to tenants is looked up: a connection that is
/// named like some app client must not make the client's events its tenant's.
pub fn tenant_of(conn: &mut Conn, action: &str, target: &str) -> QueryResult<Option<String>> {
    let tenant = match action.split('.').next().unwrap_or_default() {
        "tenant" => Some(target.to_owned()),
        "provider" | "connection" => identity_providers::table
            .find(target)
            .select(identity_providers::tenant_id)
            .first::<Option<String>>(conn)
            .optional()?
            .flatten(),
        "user" => identities::table
            .inner_join(identity_providers::table.on(identity_providers::id.eq(identities::provider_id)))
            .filter(identities::user_sub.eq(target))
            .order(identities::is_primary.desc())
            .select(identity_providers::tenant_id)
            .first::<Option<String>>(conn)
            .optional()?
            .flatten(),
        "webhook" => webhooks::table
            .find(target)
            .select(webhooks::tenant_id)
            .first::<Option<String>>(conn)
            .optional()?
            .flatten(),
        "administrator" => only_tenant_of(conn, target)?,
        _ => None,
    };
    Ok(tenant)
}

/// The tenant to which an administrator is confined.
fn only_tenant_of(conn: &mut Conn, email: &str) -> QueryResult<Option<String>> {
    use crate::db::schema::administrators;
    let roles: Vec<Option<String>> = administrators::table
        .inner_join(
            administrator_roles::table.on(administrator_roles::administrator_id.eq(administrators::id)),
        )
        .filter(administrators::email.eq(email))
        .select(administrator_roles::tenant_id)
        .distinct()
        .load(conn)?;
    Ok(match roles.as_slice() {
        [Some(tenant)] => Some(tenant.clone()),
        _ => None,
    })
}

/// The newest events within reach that the search describes, at most `limit`.
pub fn list(conn: &mut Conn, reach: &Reach, search: &Search, limit: i64) -> QueryResult<Vec<Event>> {
    let pool = |id: &String| -> Condition { Box::new(audit_events::user_pool_id.eq(id.clone())) };
    let mut parts: Vec<Option<Condition>> = match &search.user_pool_id {
        _ if !reach.everything => reach.pools.iter().map(|id| Some(pool(id))).collect(),
        Some(id) => vec![Some(pool(id))],
        None => vec![None],
    };
    if !reach.everything && !reach.tenants.is_empty() {
        let tenants = tenant::list(conn, reach, None)?;
        let own = |tenant: &Tenant| reach.tenants.contains(&tenant.id);
        parts.extend(
            tenants
                .into_iter()
                .filter(own)
                .map(|tenant| Some(of_tenant(tenant))),
        );
    }
    if search.target.is_some() && parts.len() > 1 {
        // The events of one thing are few: the reach is a condition.
        let within = parts
            .into_iter()
            .flatten()
            .reduce(|one, other| Box::new(one.or(other)));
        return page(conn, within, search, limit);
    }
    let mut events = Vec::new();
    for part in parts {
        events.extend(page(conn, part, search, limit)?);
    }
    events.sort_by_key(|event| std::cmp::Reverse((event.at, event.id)));
    events.dedup_by_key(|event| event.id);
    events.truncate(usize::try_from(limit).unwrap_or_default());
    Ok(events)
}

/// What is the tenant's own, since it was made and in its pool: before, the id may have been another organisation's.
fn of_tenant(tenant: Tenant) -> Condition {
    Box::new(
        audit_events::tenant_id
            .eq(tenant.id)
            .and(audit_events::at.ge(tenant.created_at))
            .and(
                audit_events::user_pool_id
                    .is_null()
                    .or(audit_events::user_pool_id.eq(tenant.user_pool_id)),
            ),
    )
}

fn page(conn: &mut Conn, within: Option<Condition>, search: &Search, limit: i64) -> QueryResult<Vec<Event>> {
    let mut query = audit_events::table
        .select(Event::as_select())
        .order((audit_events::at.desc(), audit_events::id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some(within) = within {
        query = query.filter(within);
    }
    if let Some(target) = &search.target {
        query = query.filter(audit_events::target.eq(target.clone()));
    }
    if !search.sign_ins {
        query = query.filter(sql::<Bool>(CHANGES));
    }
    if let Some(id) = &search.user_pool_id {
        query = query.filter(audit_events::user_pool_id.eq(id.clone()));
    }
    if let Some(since) = search.since {
        query = query.filter(audit_events::at.ge(since));
    }
    if let Some(until) = search.until {
        query = query.filter(audit_events::at.lt(until));
    }
    if let Some(actor) = &search.actor {
        query = query.filter(lower(audit_events::actor).like(anywhere(actor)).escape('!'));
    }
    match search.action.as_deref() {
        Some(prefix) if prefix.ends_with('.') => {
            query = query.filter(lower(audit_events::action).like(beginning(prefix)).escape('!'));
        }
        Some(action) => query = query.filter(audit_events::action.eq(action.to_owned())),
        None => {}
    }
    if let Some((at, id)) = search.after {
        // The first condition is for the index, the second exact.
        query = query
            .filter(audit_events::at.le(at))
            .filter(audit_events::at.lt(at).or(audit_events::id.lt(id)));
    }
    query.load(conn)
}

/// The newest events, of one pool or of all.
pub fn recent(conn: &mut Conn, user_pool_id: Option<&str>, limit: i64) -> QueryResult<Vec<Event>> {
    let search = Search {
        user_pool_id: user_pool_id.map(str::to_owned),
        sign_ins: true,
        ..Search::default()
    };
    list(conn, &Reach::everything(), &search, limit)
}

/// The newest events about one thing.
pub fn of_target(conn: &mut Conn, target: &str, limit: i64) -> QueryResult<Vec<Event>> {
    audit_events::table
        .filter(audit_events::target.eq(target))
        .order(audit_events::id.desc())
        .limit(limit)
        .select(Event::as_select())
        .load(conn)
}

/// Deletes at most `limit` events from before that moment.
pub fn delete_before(conn: &mut Conn, before: UnixTime, limit: i64) -> QueryResult<usize> {
    let old: Vec<i64> = audit_events::table
        .filter(audit_events::at.lt(before))
        .limit(limit)
        .select(audit_events::id)
        .load(conn)?;
    diesel::delete(audit_events::table.filter(audit_events::id.eq_any(old))).execute(conn)
}
