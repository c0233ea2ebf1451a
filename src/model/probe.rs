//! Probe: the latest look at a connection, stage by stage, and what was found there to compare the next one with.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::{identity_providers, provider_probes};
use crate::db::{Conn, Json};
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = provider_probes)]
pub struct Probe {
    pub provider_id: String,
    pub stages: Json<Vec<Stage>>,
    pub passed: bool,
    pub facts: Json<Facts>,
    pub at: UnixTime,
}

/// One stage's result, as `upstream::examine` told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    pub name: String,
    /// `passed`, `failed` or `skipped`.
    pub verdict: String,
    /// `CLIENT_AUTH_FAILED`…; empty unless it failed.
    pub code: String,
    pub detail: String,
    pub remedy: String,
}

impl Stage {
    pub fn failed(&self) -> bool {
        self.verdict == "failed"
    }
}

/// What an issuer showed of itself; empty where it was not reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The issuer that the discovery document names.
    pub issuer: String,
    /// Key ids of its JWKS that can verify an ID token.
    pub key_ids: Vec<String>,
    /// Endpoints by their metadata names.
    pub endpoints: Vec<(String, String)>,
    /// Who issued the server's certificate.
    pub tls_issuer: String,
}

/// What decides whether a connection is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    pub provider_id: String,
    pub issuer: String,
    pub updated_at: UnixTime,
    /// When it was last looked at, and whether all was well.
    pub last: Option<(UnixTime, bool)>,
}

pub fn find(conn: &mut Conn, provider_id: &str) -> QueryResult<Option<Probe>> {
    provider_probes::table
        .find(provider_id)
        .select(Probe::as_select())
        .first(conn)
        .optional()
}

pub fn put(conn: &mut Conn, probe: &Probe) -> QueryResult<()> {
    crate::on_backend!(conn, |c| diesel::insert_into(provider_probes::table)
        .values(probe)
        .on_conflict(provider_probes::provider_id)
        .do_update()
        .set(probe)
        .execute(c))
    .map(|_| ())
}

/// Every connection in use with its last look.
pub fn turns(conn: &mut Conn) -> QueryResult<Vec<Turn>> {
    type Row = (String, String, UnixTime, Option<UnixTime>, Option<bool>);
    let rows: Vec<Row> = identity_providers::table
        .left_join(provider_probes::table.on(provider_probes::provider_id.eq(identity_providers::id)))
        .filter(identity_providers::enabled.eq(true))
        .order(identity_providers::id)
        .select((
            identity_providers::id,
            identity_providers::issuer,
            identity_providers::updated_at,
            provider_probes::at.nullable(),
            provider_probes::passed.nullable(),
        ))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(provider_id, issuer, updated_at, at, passed)| Turn {
            provider_id,
            issuer,
            updated_at,
            last: at.zip(passed),
        })
        .collect())
}
