//! Administrators of the console: made, given roles, signed in.

use serde_json::json;

use super::{Ctx, record};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::admin_session::{self, AdminSession};
use crate::model::administrator::{self, Administrator, Grant, Role};
use crate::rules::secret;

/// A session of the console ends so long after its sign-in at the latest.
pub const SESSION_SECONDS: i64 = 12 * 3_600;

/// Where a role holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Everything,
    Pool(String),
    Tenant(String),
}

/// An administrator to make.
#[derive(Clone, Debug)]
pub struct NewAdministrator {
    pub email: String,
    pub name: String,
    /// Argon2id in PHC form.
    pub password_hash: Option<String>,
    pub roles: Vec<(Role, Scope)>,
}

pub fn create(conn: &mut Conn, ctx: &Ctx, new: NewAdministrator) -> Result<Administrator, Error> {
    let row = Administrator {
        id: secret::uuid(&ctx.entropy),
        email: new.email.to_lowercase(),
        name: new.name,
        password_hash: new.password_hash,
        user_sub: None,
        enabled: true,
        created_at: ctx.now,
        updated_at: ctx.now,
        last_seen_at: None,
    };
    if !administrator::insert(conn, &row)? {
        return Err(Error::exists("administrator", row.email));
    }
    let grants: Vec<Grant> = new
        .roles
        .iter()
        .map(|(role, scope)| grant(&row.id, *role, scope))
        .collect();
    administrator::set_grants(conn, &row.id, &grants)?;
    let roles: Vec<_> = grants
        .iter()
        .map(|grant| json!([grant.role, grant.scope]))
        .collect();
    record(
        conn,
        ctx,
        "administrator.create",
        None,
        &row.email,
        json!({ "name": row.name, "roles": roles }),
    )?;
    Ok(row)
}

fn grant(administrator_id: &str, role: Role, scope: &Scope) -> Grant {
    let (user_pool_id, tenant_id) = match scope {
        Scope::Everything => (None, None),
        Scope::Pool(id) => (Some(id.clone()), None),
        Scope::Tenant(id) => (None, Some(id.clone())),
    };
    Grant {
        administrator_id: administrator_id.to_owned(),
        role,
        scope: user_pool_id
            .clone()
            .or_else(|| tenant_id.clone())
            .unwrap_or_default(),
        user_pool_id,
        tenant_id,
    }
}

/// Where a session was opened from.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub address: String,
    pub user_agent: String,
}

/// Opens a session for an administrator who has just proved who they are by `method`, and gives the cookie's value.
pub fn open_session(
    conn: &mut Conn,
    ctx: &Ctx,
    administrator_id: &str,
    method: &str,
    place: Place,
) -> Result<String, StoreError> {
    let token = secret::token(&ctx.entropy);
    let session = AdminSession {
        hash: secret::hash(&token),
        administrator_id: administrator_id.to_owned(),
        id: secret::uuid(&ctx.entropy),
        method: method.to_owned(),
        address: place.address,
        user_agent: place.user_agent,
        created_at: ctx.now,
        last_seen_at: ctx.now,
        expires_at: ctx.now.plus(SESSION_SECONDS),
        authenticated_at: ctx.now,
        values_open_until: None,
    };
    admin_session::insert(conn, &session)?;
    Ok(token)
}

/// Signs in an administrator who has just proved who they are by `method`: a new session, never the one that the browser
/// had before. `None`: the account was disabled or deleted meanwhile.
pub fn sign_in(
    conn: &mut Conn,
    ctx: &Ctx,
    administrator_id: &str,
    method: &str,
    place: Place,
    replaced: Option<&[u8]>,
) -> Result<Option<String>, StoreError> {
    let Some(mut administrator) = administrator::find(conn, administrator_id)?.filter(|found| found.enabled)
    else {
        return Ok(None);
    };
    administrator.last_seen_at = Some(ctx.now);
    administrator::update(conn, &administrator)?;
    if let Some(hash) = replaced {
        admin_session::delete(conn, hash)?;
    }
    let difference = json!({ "method": method, "address": place.address });
    let token = open_session(conn, ctx, administrator_id, method, place)?;
    record(
        conn,
        &ctx.by(&administrator),
        "administrator.sign_in",
        None,
        &administrator.email,
        difference,
    )?;
    Ok(Some(token))
}

/// Somebody tried to sign in as this administrator, or as nobody we know, and could not.
pub fn sign_in_failed(
    conn: &mut Conn,
    ctx: &Ctx,
    administrator: Option<&Administrator>,
    method: &str,
    place: &Place,
) -> Result<(), StoreError> {
    // What was typed for an unknown address may be anything, a password too: it is not kept.
    let target = administrator.map_or("unknown", |found| found.email.as_str());
    record(
        conn,
        ctx,
        "administrator.sign_in_failed",
        None,
        target,
        json!({ "method": method, "address": place.address }),
    )?;
    Ok(())
}

/// The administrator has proved once more who they are: their session goes on under a new cookie, whose value this gives.
/// `None`: the session has ended meanwhile.
pub fn prove(conn: &mut Conn, ctx: &Ctx, session: &AdminSession) -> Result<Option<String>, StoreError> {
    let token = secret::token(&ctx.entropy);
    let lives = admin_session::rotate(conn, &session.hash, &secret::hash(&token), ctx.now)?;
    Ok(lives.then_some(token))
}

/// Ends this session.
pub fn sign_out(conn: &mut Conn, ctx: &Ctx, session: &AdminSession, email: &str) -> Result<(), StoreError> {
    if admin_session::delete(conn, &session.hash)? {
        record(conn, ctx, "administrator.sign_out", None, email, json!({}))?;
    }
    Ok(())
}

impl Ctx {
    /// The same with this administrator as the one who acts.
    pub fn by(&self, administrator: &Administrator) -> Ctx {
        Ctx {
            actor: actor(administrator),
            ..self.clone()
        }
    }
}

/// How an administrator stands in the audit log.
pub fn actor(administrator: &Administrator) -> String {
    format!("admin:{}", administrator.email)
}
