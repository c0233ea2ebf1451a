//! Administrator: someone who may use the console, and what they may do where.

use diesel::prelude::*;

use crate::db::schema::{administrator_roles, administrators, passkeys, tenants, users};
use crate::db::search::{anywhere, lower};
use crate::db::{Conn, MultiBackend, columns};
use crate::model::reach::Reach;
use crate::text_enum;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = administrators)]
pub struct Administrator {
    /// A UUID.
    pub id: String,
    /// Lower case, unique. Of one who comes through a pool's sign-in it is the username there and the pool: nobody can have
    /// an address here by what an upstream says.
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
    /// What an operator and the command line have.
    pub fn everything() -> Rights {
        Rights {
            sees: Reach::everything(),
            changes: Reach::everything(),
            operates: true,
        }
    }

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

/// Those whose roles all lie within reach, and who have one at all; those who come through a pool within reach, which has
/// all that they may get; with the whole reach everybody.
fn within(reach: &Reach) -> administrators::BoxedQuery<'static, MultiBackend> {
    let query = administrators::table.into_boxed();
    if reach.everything {
        return query;
    }
    // A scope is never null, '' is everything, and the ids of pools and tenants cannot be confused ('_' is in every pool's).
    let scopes: Vec<String> = reach.pools.iter().chain(&reach.tenants).cloned().collect();
    let own =
        || administrator_roles::table.filter(administrator_roles::administrator_id.eq(administrators::id));
    let tenants_of_pools = tenants::table
        .filter(tenants::user_pool_id.eq_any(reach.pools.clone()))
        .select(tenants::id);
    let outside = own()
        .filter(administrator_roles::scope.ne_all(scopes))
        .filter(administrator_roles::scope.ne_all(tenants_of_pools));
    let come_through_pools = users::table
        .filter(users::user_pool_id.eq_any(reach.pools.clone()))
        .select(users::sub.nullable());
    query.filter(
        diesel::dsl::exists(own())
            .and(diesel::dsl::not(diesel::dsl::exists(outside)))
            .or(administrators::user_sub.eq_any(come_through_pools)),
    )
}

pub fn find_within(conn: &mut Conn, reach: &Reach, id: &str) -> QueryResult<Option<Administrator>> {
    within(reach)
        .filter(administrators::id.eq(id.to_owned()))
        .select(Administrator::as_select())
        .first(conn)
        .optional()
}

/// At most `limit` whose address or name contains `search`, by address, from the one after `after`.
pub fn page(
    conn: &mut Conn,
    reach: &Reach,
    search: &str,
    after: Option<&str>,
    limit: i64,
) -> QueryResult<Vec<Administrator>> {
    let mut query = within(reach)
        .order(administrators::email)
        .limit(limit)
        .select(Administrator::as_select());
    if !search.is_empty() {
        query = query.filter(
            lower(administrators::email)
                .like(anywhere(search))
                .escape('!')
                .or(lower(administrators::name).like(anywhere(search)).escape('!')),
        );
    }
    if let Some(after) = after {
        query = query.filter(administrators::email.gt(after.to_owned()));
    }
    query.load(conn)
}

/// Whether there is any at all.
pub fn any(conn: &mut Conn) -> QueryResult<bool> {
    let first: Option<String> = administrators::table
        .select(administrators::id)
        .first(conn)
        .optional()?;
    Ok(first.is_some())
}

/// How many other operators there are who can sign in: enabled, with a password or a passkey. Nobody else counts them
/// until the transaction ends, so that two operators cannot remove each other at the same moment.
pub fn other_operators(conn: &mut Conn, id: &str) -> QueryResult<i64> {
    let operators = || {
        administrator_roles::table
            .filter(administrator_roles::role.eq(Role::Operator))
            .select(administrator_roles::administrator_id)
    };
    if let Conn::Postgres(c) = conn {
        // On SQLite every write transaction holds the whole database already.
        administrators::table
            .filter(administrators::id.eq_any(operators()))
            .order(administrators::id)
            .for_update()
            .select(administrators::id)
            .load::<String>(c)?;
    }
    administrators::table
        .filter(administrators::id.eq_any(operators()))
        .filter(administrators::id.ne(id))
        .filter(administrators::enabled.eq(true))
        .filter(
            administrators::password_hash
                .is_not_null()
                .or(diesel::dsl::exists(
                    passkeys::table.filter(passkeys::administrator_id.eq(administrators::id)),
                )),
        )
        .count()
        .get_result(conn)
}

/// How many administrators of this tenant or its pool can sign in to the console by themselves: enabled, with a password or
/// a passkey.
pub fn with_own_credentials(conn: &mut Conn, user_pool_id: &str, tenant_id: &str) -> QueryResult<i64> {
    let roles = administrator_roles::table
        .filter(
            administrator_roles::role
                .eq(Role::TenantAdmin)
                .and(administrator_roles::scope.eq(tenant_id.to_owned()))
                .or(administrator_roles::role
                    .eq(Role::PoolAdmin)
                    .and(administrator_roles::scope.eq(user_pool_id.to_owned()))),
        )
        .select(administrator_roles::administrator_id);
    administrators::table
        .filter(administrators::id.eq_any(roles))
        .filter(administrators::enabled.eq(true))
        .filter(
            administrators::password_hash
                .is_not_null()
                .or(diesel::dsl::exists(
                    passkeys::table.filter(passkeys::administrator_id.eq(administrators::id)),
                )),
        )
        .count()
        .get_result(conn)
}

pub fn find_by_user(conn: &mut Conn, user_sub: &str) -> QueryResult<Option<Administrator>> {
    administrators::table
        .filter(administrators::user_sub.eq(user_sub))
        .select(Administrator::as_select())
        .first(conn)
        .optional()
}

pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(diesel::delete(administrators::table.find(id)).execute(conn)? == 1)
}

/// Remembers that they were there.
pub fn touch(conn: &mut Conn, id: &str, now: UnixTime) -> QueryResult<()> {
    diesel::update(administrators::table.find(id))
        .set(administrators::last_seen_at.eq(now))
        .execute(conn)
        .map(|_| ())
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

/// Holds the row until the transaction ends, and reads it.
pub fn lock(conn: &mut Conn, id: &str) -> QueryResult<Option<Administrator>> {
    diesel::update(administrators::table.find(id))
        .set(administrators::updated_at.eq(administrators::updated_at))
        .returning(columns::<Administrator>())
        .get_result(conn)
        .optional()
}

/// False when the account is disabled or not there.
pub fn rename(conn: &mut Conn, id: &str, name: &str, now: UnixTime) -> QueryResult<bool> {
    let rows = diesel::update(administrators::table.find(id))
        .filter(administrators::enabled.eq(true))
        .set((administrators::name.eq(name), administrators::updated_at.eq(now)))
        .execute(conn)?;
    Ok(rows == 1)
}

/// False when the account is disabled or not there.
pub fn set_password(conn: &mut Conn, id: &str, hash: &str, now: UnixTime) -> QueryResult<bool> {
    let rows = diesel::update(administrators::table.find(id))
        .filter(administrators::enabled.eq(true))
        .set((
            administrators::password_hash.eq(hash),
            administrators::updated_at.eq(now),
        ))
        .execute(conn)?;
    Ok(rows == 1)
}

/// Lets the account in or keeps it out. False when it is so already, or not there.
pub fn set_enabled(conn: &mut Conn, id: &str, enabled: bool, now: UnixTime) -> QueryResult<bool> {
    let rows = diesel::update(administrators::table.find(id))
        .filter(administrators::enabled.ne(enabled))
        .set((
            administrators::enabled.eq(enabled),
            administrators::updated_at.eq(now),
        ))
        .execute(conn)?;
    Ok(rows == 1)
}

pub fn grants(conn: &mut Conn, administrator_id: &str) -> QueryResult<Vec<Grant>> {
    administrator_roles::table
        .filter(administrator_roles::administrator_id.eq(administrator_id))
        .order((administrator_roles::role, administrator_roles::scope))
        .select(Grant::as_select())
        .load(conn)
}

/// The roles of all of these.
pub fn grants_of(conn: &mut Conn, administrator_ids: &[String]) -> QueryResult<Vec<Grant>> {
    administrator_roles::table
        .filter(administrator_roles::administrator_id.eq_any(administrator_ids.to_vec()))
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
