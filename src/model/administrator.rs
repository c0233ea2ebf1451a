//! Administrator: someone who may use the console, and what they may do where.

use diesel::prelude::*;

use crate::db::schema::{administrator_roles, administrators};
use crate::db::{Conn, columns};
use crate::model::reach::Reach;
use crate::text_enum;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = administrators)]
#[diesel(treat_none_as_null = true)]
pub struct Administrator {
    /// A UUID.
    pub id: String,
    /// Lower case, unique.
    pub email: String,
    pub name: String,
    /// Argon2id in PHC form.
    pub password_hash: Option<String>,
    /// The user who signs in here through the pool that the user belongs to.
    pub user_sub: Option<String>,
    pub enabled: bool,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
    pub last_seen_at: Option<UnixTime>,
}

text_enum! {
    /// What an administrator may do. An operator may do everything; a pool administrator everything in a pool; a tenant
    /// administrator what concerns a tenant's own connections, mappings, traces and users; a viewer changes nothing.
    pub enum Role {
        Operator = "operator",
        PoolAdmin = "pool_admin",
        TenantAdmin = "tenant_admin",
        Viewer = "viewer",
    }
}

/// A role and where it holds.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = administrator_roles)]
pub struct Grant {
    pub administrator_id: String,
    pub role: Role,
    pub user_pool_id: Option<String>,
    pub tenant_id: Option<String>,
    /// The pool's or tenant's id once more, '' for everything: part of the key, which holds no nulls.
    pub scope: String,
}

/// What these roles let their holder look at, and what they let them change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    pub sees: Reach,
    pub changes: Reach,
    /// Settings of the installation: other operators, pools as such.
    pub operates: bool,
}

impl Rights {
    pub fn of(grants: &[Grant]) -> Rights {
        let mut rights = Rights::default();
        for grant in grants {
            rights.operates |= grant.role == Role::Operator;
            let add = |reach: &mut Reach| match (grant.role, &grant.user_pool_id, &grant.tenant_id) {
                (Role::Operator, ..) | (Role::Viewer, None, None) => reach.everything = true,
                (Role::PoolAdmin | Role::Viewer, Some(pool), None) => reach.pools.push(pool.clone()),
                (Role::TenantAdmin | Role::Viewer, _, Some(tenant)) => reach.tenants.push(tenant.clone()),
                // A role without its scope gives nothing.
                (Role::PoolAdmin | Role::TenantAdmin, ..) => {}
            };
            add(&mut rights.sees);
            if grant.role != Role::Viewer {
                add(&mut rights.changes);
            }
        }
        rights
    }
}

pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<Administrator>> {
    administrators::table
        .find(id)
        .select(Administrator::as_select())
        .first(conn)
        .optional()
}

pub fn find_by_email(conn: &mut Conn, email: &str) -> QueryResult<Option<Administrator>> {
    administrators::table
        .filter(administrators::email.eq(email))
        .select(Administrator::as_select())
        .first(conn)
        .optional()
}

/// False when the id or the address is taken.
pub fn insert(conn: &mut Conn, administrator: &Administrator) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(administrators::table)
        .values(administrator)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

pub fn update(conn: &mut Conn, administrator: &Administrator) -> QueryResult<Option<Administrator>> {
    diesel::update(administrators::table.find(&administrator.id))
        .set(administrator)
        .returning(columns::<Administrator>())
        .get_result(conn)
        .optional()
}

pub fn grants(conn: &mut Conn, administrator_id: &str) -> QueryResult<Vec<Grant>> {
    administrator_roles::table
        .filter(administrator_roles::administrator_id.eq(administrator_id))
        .order((administrator_roles::role, administrator_roles::scope))
        .select(Grant::as_select())
        .load(conn)
}

/// The administrators who have a role at this tenant, by address, with the role.
pub fn of_tenant(conn: &mut Conn, tenant_id: &str) -> QueryResult<Vec<(Administrator, Role)>> {
    administrators::table
        .inner_join(
            administrator_roles::table.on(administrator_roles::administrator_id.eq(administrators::id)),
        )
        .filter(administrator_roles::tenant_id.eq(tenant_id))
        .order((administrators::email, administrator_roles::role))
        .select((Administrator::as_select(), administrator_roles::role))
        .load(conn)
}

/// Replaces what the administrator may do.
pub fn set_grants(conn: &mut Conn, administrator_id: &str, grants: &[Grant]) -> QueryResult<()> {
    diesel::delete(
        administrator_roles::table.filter(administrator_roles::administrator_id.eq(administrator_id)),
    )
    .execute(conn)?;
    for grant in grants {
        diesel::insert_into(administrator_roles::table)
            .values(grant)
            .execute(conn)?;
    }
    Ok(())
}
