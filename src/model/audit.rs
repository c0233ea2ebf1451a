//! Audit event: who did what to which thing, and the difference; written in the same transaction as the change.

use diesel::prelude::*;
use serde_json::Value;

use crate::db::schema::audit_events;
use crate::db::{Conn, Json};
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
}

pub fn insert(conn: &mut Conn, event: &NewEvent) -> QueryResult<()> {
    diesel::insert_into(audit_events::table)
        .values(event)
        .execute(conn)
        .map(|_| ())
}

/// The newest events, of one pool or of all.
pub fn recent(conn: &mut Conn, user_pool_id: Option<&str>, limit: i64) -> QueryResult<Vec<Event>> {
    let mut query = audit_events::table
        .select(Event::as_select())
        .order(audit_events::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(id) = user_pool_id {
        query = query.filter(audit_events::user_pool_id.eq(id.to_owned()));
    }
    query.load(conn)
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
