//! Roles and where they hold, as pages show them and as forms send them.

use std::collections::HashMap;

use diesel::QueryResult;

use crate::actions::admins::Scope;
use crate::db::Conn;
use crate::error::Error;
use crate::model::administrator::{Grant, Rights, Role};
use crate::model::reach::Reach;
use crate::model::{pool, tenant};

/// An option of a select.
#[derive(Clone, Debug)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub selected: bool,
}

impl Choice {
    pub fn new(value: &str, label: &str, chosen: &str) -> Choice {
        Choice {
            value: value.to_owned(),
            label: label.to_owned(),
            selected: value == chosen,
        }
    }
}

/// The selects of a role and of where it holds, with what these rights may give.
#[derive(Clone, Debug, Default)]
pub struct RoleFields {
    pub roles: Vec<Choice>,
    pub scopes: Vec<Choice>,
}

impl RoleFields {
    pub fn of(conn: &mut Conn, rights: &Rights, role: &str, scope: &str) -> QueryResult<RoleFields> {
        let pools = pool::list_within(conn, &rights.changes)?;
        let tenants = tenant::list(conn, &rights.changes, None)?;
        let may = |role: Role| match role {
            Role::Operator => rights.operates,
            Role::PoolAdmin => !pools.is_empty(),
            Role::TenantAdmin => !tenants.is_empty(),
            Role::Viewer => true,
        };
        let roles = [Role::TenantAdmin, Role::Viewer, Role::PoolAdmin, Role::Operator];
        let roles = roles
            .into_iter()
            .filter(|role| may(*role))
            .map(|known| Choice::new(known.as_str(), name(known), role))
            .collect();
        let everything = rights
            .operates
            .then(|| ("everything".to_owned(), "Everything".to_owned()));
        let scopes = tenants
            .into_iter()
            .map(|tenant| (format!("tenant:{}", tenant.id), format!("Tenant {}", tenant.name)))
            .chain(pools.into_iter().map(|pool| {
                (
                    format!("pool:{}", pool.id),
                    format!("Pool {} ({})", pool.name, pool.id),
                )
            }))
            .chain(everything);
        Ok(RoleFields {
            roles,
            scopes: scopes
                .map(|(value, label)| Choice::new(&value, &label, scope))
                .collect(),
        })
    }
}

/// A role as the fields of a form give it.
pub fn parse(role: &str, scope: &str) -> Result<(Role, Scope), Error> {
    let role: Role = role
        .parse()
        .map_err(|_| Error::invalid("role", "Choose a role."))?;
    let scope = match scope.split_once(':') {
        None if scope == "everything" => Scope::Everything,
        Some(("pool", id)) => Scope::Pool(id.to_owned()),
        Some(("tenant", id)) => Scope::Tenant(id.to_owned()),
        _ => return Err(Error::invalid("scope", "Choose where the role holds.")),
    };
    Ok((role, scope))
}

/// The value of a scope in a form.
pub fn scope_value(scope: &Scope) -> String {
    match scope {
        Scope::Everything => "everything".into(),
        Scope::Pool(id) => format!("pool:{id}"),
        Scope::Tenant(id) => format!("tenant:{id}"),
    }
}

pub fn name(role: Role) -> &'static str {
    match role {
        Role::Operator => "Operator",
        Role::PoolAdmin => "Pool administrator",
        Role::TenantAdmin => "Tenant administrator",
        Role::Viewer => "Viewer",
    }
}

/// The names of pools and tenants, each looked up once.
#[derive(Default)]
pub struct Names(HashMap<String, String>);

impl Names {
    /// `Tenant administrator of Acme`.
    pub fn describe(&mut self, conn: &mut Conn, role: Role, scope: &Scope) -> QueryResult<String> {
        let role_name = name(role);
        Ok(match scope {
            Scope::Everything if role == Role::Operator => role_name.to_owned(),
            Scope::Everything => format!("{role_name} of everything"),
            Scope::Pool(id) => format!("{role_name} of the pool {}", self.pool(conn, id)?),
            Scope::Tenant(id) => format!("{role_name} of {}", self.tenant(conn, id)?),
        })
    }

    pub fn of_grant(&mut self, conn: &mut Conn, grant: &Grant) -> QueryResult<String> {
        self.describe(conn, grant.role, &Scope::of(grant))
    }

    pub fn pool(&mut self, conn: &mut Conn, id: &str) -> QueryResult<String> {
        self.look_up(id, || Ok(pool::find(conn, id)?.map(|found| found.name)))
    }

    fn tenant(&mut self, conn: &mut Conn, id: &str) -> QueryResult<String> {
        self.look_up(id, || {
            Ok(tenant::find(conn, &Reach::everything(), id)?.map(|found| found.name))
        })
    }

    /// A pool's id and a tenant's are never alike: each pool's has a `_`, no tenant's has.
    fn look_up(
        &mut self,
        id: &str,
        find: impl FnOnce() -> QueryResult<Option<String>>,
    ) -> QueryResult<String> {
        if let Some(known) = self.0.get(id) {
            return Ok(known.clone());
        }
        let name = find()?.unwrap_or_else(|| id.to_owned());
        self.0.insert(id.to_owned(), name.clone());
        Ok(name)
    }
}
