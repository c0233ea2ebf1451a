//! What the database holds when a run is over, as far as the checker compares it with the operation log.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use forebay::db::Conn;
use forebay::db::schema::{
    audit_events, authorization_codes, identities, refresh_tokens, sessions, token_families, users,
};

#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// By hash.
    pub codes: HashMap<Vec<u8>, Code>,
    /// By `origin_jti`.
    pub families: HashMap<String, Family>,
    /// By hash.
    pub tokens: HashMap<Vec<u8>, Token>,
    pub users: HashSet<String>,
    /// Connection, upstream subject, user.
    pub identities: Vec<(String, String, String)>,
    /// How often the audit log says that a family was revoked.
    pub revocations: HashMap<String, usize>,
    pub sessions: usize,
}

#[derive(Clone, Debug, Default)]
pub struct Code {
    pub origin_jti: String,
    pub is_spent: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Family {
    pub user_sub: String,
    pub client_id: String,
    pub is_revoked: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Token {
    pub origin_jti: String,
    pub is_rotated: bool,
}

pub fn read(conn: &mut Conn) -> Rows {
    let codes: Vec<(Vec<u8>, String, Option<i64>)> = authorization_codes::table
        .select((
            authorization_codes::hash,
            authorization_codes::origin_jti,
            authorization_codes::consumed_at,
        ))
        .load(conn)
        .unwrap();
    let families: Vec<(String, String, String, Option<i64>)> = token_families::table
        .select((
            token_families::origin_jti,
            token_families::user_sub,
            token_families::client_id,
            token_families::revoked_at,
        ))
        .load(conn)
        .unwrap();
    let tokens: Vec<(Vec<u8>, String, Option<i64>)> = refresh_tokens::table
        .select((
            refresh_tokens::hash,
            refresh_tokens::origin_jti,
            refresh_tokens::rotated_at,
        ))
        .load(conn)
        .unwrap();
    let mut revocations = HashMap::new();
    let targets: Vec<String> = audit_events::table
        .filter(audit_events::action.eq("family.revoke"))
        .select(audit_events::target)
        .load(conn)
        .unwrap();
    for target in targets {
        *revocations.entry(target).or_default() += 1;
    }
    Rows {
        codes: codes
            .into_iter()
            .map(|(hash, origin_jti, consumed_at)| {
                let is_spent = consumed_at.is_some();
                (hash, Code { origin_jti, is_spent })
            })
            .collect(),
        families: families
            .into_iter()
            .map(|(origin_jti, user_sub, client_id, revoked_at)| {
                let family = Family {
                    user_sub,
                    client_id,
                    is_revoked: revoked_at.is_some(),
                };
                (origin_jti, family)
            })
            .collect(),
        tokens: tokens
            .into_iter()
            .map(|(hash, origin_jti, rotated_at)| {
                let is_rotated = rotated_at.is_some();
                (
                    hash,
                    Token {
                        origin_jti,
                        is_rotated,
                    },
                )
            })
            .collect(),
        users: users::table
            .select(users::sub)
            .load::<String>(conn)
            .unwrap()
            .into_iter()
            .collect(),
        identities: identities::table
            .select((identities::provider_id, identities::subject, identities::user_sub))
            .load(conn)
            .unwrap(),
        revocations,
        sessions: sessions::table
            .count()
            .get_result::<i64>(conn)
            .unwrap()
            .try_into()
            .unwrap(),
    }
}
