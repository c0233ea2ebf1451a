//! Administrators of the console: made, invited, given roles, disabled, deleted. How they sign in is in `sessions`, `links`,
//! `passkeys` and `single_sign_on`.
//!
//! Whoever manages others does so within their own rights: the other's roles must all lie within what they may change,
//! before and after. Nobody gives more than they have.

pub(super) mod break_glass;
pub mod links;
pub mod passkeys;
mod sessions;
pub mod single_sign_on;

use serde_json::{Value, json};

use super::{Ctx, difference, record};
use crate::db::Conn;
use crate::error::Error;
use crate::model::administrator::{self, Administrator, Grant, Rights, Role};
use crate::model::{admin_session, pool, tenant, upstream_token};
use crate::rules::email::Email;
use crate::rules::{console_roles, secret};

pub use sessions::{
    IDLE_SECONDS, Place, Proof, SESSION_SECONDS, change_password, end_all_sessions, end_session,
    open_session, prove, rights, sign_in, sign_in_failed, sign_out,
};

/// The longest name, in characters.
const LONGEST_NAME: usize = 128;

/// Where a role holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Everything,
    Pool(String),
    Tenant(String),
}

impl Scope {
    /// As it stands in the scope of a stored role: '' is everything.
    pub fn of(grant: &Grant) -> Scope {
        match (&grant.user_pool_id, &grant.tenant_id) {
            (Some(id), _) => Scope::Pool(id.clone()),
            (None, Some(id)) => Scope::Tenant(id.clone()),
            (None, None) => Scope::Everything,
        }
    }

    pub fn pool(&self) -> Option<&str> {
        match self {
            Scope::Pool(id) => Some(id),
            _ => None,
        }
    }

    pub fn tenant(&self) -> Option<&str> {
        match self {
            Scope::Tenant(id) => Some(id),
            _ => None,
        }
    }
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
    let email = Email::parse(new.email.trim())
        .map_err(|why| Error::invalid("email", format!("The address {why}.")))?;
    check_name(&new.name)?;
    check_roles(conn, &new.roles)?;
    let row = Administrator {
        id: secret::uuid(&ctx.entropy),
        email: email.as_str().to_lowercase(),
        name: new.name.trim().to_owned(),
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
    let grants = grants(&row.id, &new.roles);
    administrator::set_grants(conn, &row.id, &grants)?;
    record(
        conn,
        ctx,
        "administrator.create",
        None,
        &row.email,
        json!({ "name": row.name, "roles": shape(&grants) }),
    )?;
    Ok(row)
}

/// Makes an administrator without a password; the token is for the link by which they choose one.
pub fn invite(
    conn: &mut Conn,
    ctx: &Ctx,
    rights: &Rights,
    new: NewAdministrator,
) -> Result<(Administrator, String), Error> {
    check_roles(conn, &new.roles)?;
    for (role, scope) in &new.roles {
        check_may_give(conn, rights, *role, scope)?;
    }
    let made = create(conn, ctx, new)?;
    let token = links::keep_password_link(conn, ctx, &made)?;
    Ok((made, token))
}

/// The administrator, if these rights may manage them; else they are not there.
pub fn managed(conn: &mut Conn, rights: &Rights, id: &str) -> Result<Administrator, Error> {
    administrator::find_within(conn, &rights.changes, id)?
        .ok_or_else(|| Error::not_found("administrator", id))
}

/// Replaces the roles. A link by which the account could be entered goes: whoever made it may know it, and what it opens is
/// another thing now.
pub fn set_roles(
    conn: &mut Conn,
    ctx: &Ctx,
    rights: &Rights,
    id: &str,
    roles: &[(Role, Scope)],
) -> Result<Administrator, Error> {
    let target = managed(conn, rights, id)?;
    if target.user_sub.is_some() {
        return Err(Error::Conflict(
            "The roles of this administrator come from the groups they are in: change the groups or the rules.".into(),
        ));
    }
    check_roles(conn, roles)?;
    for (role, scope) in roles {
        check_may_give(conn, rights, *role, scope)?;
    }
    if !roles.iter().any(|(role, _)| *role == Role::Operator) {
        keep_an_operator(conn, &target)?;
    }
    let lifted = break_glass::lifted_by(conn, ctx, &target)?;
    let old = administrator::grants(conn, id)?;
    let new = grants(id, roles);
    administrator::set_grants(conn, id, &new)?;
    break_glass::check(conn, &lifted)?;
    links::void_password_links(conn, id)?;
    upstream_token::forget_of(conn, id)?;
    record(
        conn,
        ctx,
        "administrator.roles",
        None,
        &target.email,
        difference(&json!({ "roles": shape(&old) }), &json!({ "roles": shape(&new) })),
    )?;
    Ok(target)
}

/// Only the name is written: how the account stood when the caller read it is over.
pub fn rename(conn: &mut Conn, ctx: &Ctx, target: &Administrator, name: &str) -> Result<(), Error> {
    check_name(name)?;
    let name = name.trim();
    if !administrator::rename(conn, &target.id, name, ctx.now)? {
        return Err(Error::not_found("administrator", target.id.as_str()));
    }
    record(
        conn,
        ctx,
        "administrator.update",
        None,
        &target.email,
        json!({ "name": { "old": target.name, "new": name } }),
    )?;
    Ok(())
}

/// Lets the administrator in again, or out at once with all sessions and links.
pub fn set_enabled(
    conn: &mut Conn,
    ctx: &Ctx,
    rights: &Rights,
    id: &str,
    enabled: bool,
) -> Result<(), Error> {
    let target = managed(conn, rights, id)?;
    if !enabled && target.enabled {
        keep_an_operator(conn, &target)?;
    }
    let lifted = break_glass::lifted_by(conn, ctx, &target)?;
    if !administrator::set_enabled(conn, id, enabled, ctx.now)? {
        return Ok(());
    }
    break_glass::check(conn, &lifted)?;
    if !enabled {
        admin_session::delete_of(conn, id, None)?;
        links::void_password_links(conn, id)?;
        upstream_token::forget_of(conn, id)?;
    }
    let action = if enabled {
        "administrator.enable"
    } else {
        "administrator.disable"
    };
    record(conn, ctx, action, None, &target.email, json!({}))?;
    Ok(())
}

/// Deletes the administrator with their sessions, passkeys and links.
pub fn delete(conn: &mut Conn, ctx: &Ctx, rights: &Rights, id: &str) -> Result<(), Error> {
    let target = managed(conn, rights, id)?;
    keep_an_operator(conn, &target)?;
    let lifted = break_glass::lifted_by(conn, ctx, &target)?;
    links::void_password_links(conn, id)?;
    record(
        conn,
        ctx,
        "administrator.delete",
        None,
        &target.email,
        json!({ "name": target.name }),
    )?;
    upstream_token::forget_of(conn, id)?;
    administrator::delete(conn, id)?;
    break_glass::check(conn, &lifted)
}

/// Refuses when no operator who can sign in would remain without this one.
fn keep_an_operator(conn: &mut Conn, target: &Administrator) -> Result<(), Error> {
    let is_operator = administrator::grants(conn, &target.id)?
        .iter()
        .any(|grant| grant.role == Role::Operator);
    if is_operator && administrator::other_operators(conn, &target.id)? == 0 {
        return Err(Error::Conflict(
            "This is the last operator who can sign in. Make another operator first.".into(),
        ));
    }
    Ok(())
}

/// Nobody gives more than they have; what is out of reach is not there.
fn check_may_give(conn: &mut Conn, rights: &Rights, role: Role, scope: &Scope) -> Result<(), Error> {
    let within = match scope {
        Scope::Everything => rights.operates,
        Scope::Pool(id) => pool::find_within(conn, &rights.changes, id)?.is_some(),
        Scope::Tenant(id) => tenant::find(conn, &rights.changes, id)?.is_some(),
    };
    if within {
        Ok(())
    } else {
        Err(Error::not_found("the scope of the role", role.as_str()))
    }
}

/// Whether the roles make sense: at least one, each where it can hold, in pools and tenants that exist.
fn check_roles(conn: &mut Conn, roles: &[(Role, Scope)]) -> Result<(), Error> {
    if roles.is_empty() {
        return Err(Error::invalid("role", "Give at least one role."));
    }
    for (role, scope) in roles {
        check_role(conn, *role, scope)?;
    }
    Ok(())
}

fn check_role(conn: &mut Conn, role: Role, scope: &Scope) -> Result<(), Error> {
    if !console_roles::fits(role, scope.pool(), scope.tenant()) {
        let why = match role {
            Role::Operator => "An operator may do everything: choose everything as where it holds.",
            Role::PoolAdmin => "Choose the pool that this administrator is for.",
            Role::TenantAdmin => "Choose the tenant that this administrator is for.",
            Role::Viewer => "Choose everything, a pool or a tenant.",
        };
        return Err(Error::invalid("scope", why));
    }
    let whole = Rights::everything();
    check_may_give(conn, &whole, role, scope)
}

fn check_name(name: &str) -> Result<(), Error> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "Give a name of 1 to 128 characters."));
    }
    Ok(())
}

fn grants(administrator_id: &str, roles: &[(Role, Scope)]) -> Vec<Grant> {
    let mut grants: Vec<Grant> = Vec::new();
    for (role, scope) in roles {
        let of_scope = scope.pool().or(scope.tenant()).unwrap_or_default();
        let grant = Grant {
            administrator_id: administrator_id.to_owned(),
            role: *role,
            scope: of_scope.to_owned(),
            user_pool_id: scope.pool().map(str::to_owned),
            tenant_id: scope.tenant().map(str::to_owned),
        };
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    grants
}

/// Roles as an audit event holds them.
fn shape(grants: &[Grant]) -> Value {
    grants
        .iter()
        .map(|grant| json!([grant.role, grant.scope]))
        .collect()
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
