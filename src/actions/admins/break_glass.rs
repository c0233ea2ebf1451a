//! While a tenant enforces "only through Okta", somebody must get into the console without that Okta to lift it: the last
//! administrator who can stays, with what they sign in by.

use crate::actions::Ctx;
use crate::db::Conn;
use crate::error::Error;
use crate::model::administrator::{self, Administrator, Role};
use crate::model::enforcement::{self, Enforcement};

/// What is enforced within this administrator's roles and could be lifted until now. Nobody else counts who could until
/// the transaction ends, so that two of them cannot go at the same moment.
pub(super) fn lifted_by(
    conn: &mut Conn,
    ctx: &Ctx,
    administrator: &Administrator,
) -> Result<Vec<Enforcement>, Error> {
    let (mut pools, mut tenants) = (Vec::new(), Vec::new());
    for grant in administrator::grants(conn, &administrator.id)? {
        match grant.role {
            Role::PoolAdmin => pools.push(grant.scope),
            Role::TenantAdmin => tenants.push(grant.scope),
            Role::Operator | Role::Viewer => {}
        }
    }
    let mut lifted = Vec::new();
    for row in enforcement::hold(conn, &pools, &tenants)? {
        if row.is_in_force(ctx.now) && can_be_lifted(conn, &row)? {
            lifted.push(row);
        }
    }
    Ok(lifted)
}

/// Refuses what has just been changed where nobody is left to lift one of these.
pub(super) fn check(conn: &mut Conn, lifted: &[Enforcement]) -> Result<(), Error> {
    for row in lifted {
        if !can_be_lifted(conn, row)? {
            return Err(Error::Conflict(format!(
                "{} enforces “only through Okta”, and nobody else of it or its pool could lift that without Okta: give \
                 another administrator a password or a passkey, or lift it, first.",
                row.tenant_id
            )));
        }
    }
    Ok(())
}

pub(in crate::actions) fn can_be_lifted(conn: &mut Conn, row: &Enforcement) -> Result<bool, Error> {
    Ok(administrator::with_own_credentials(conn, &row.user_pool_id, &row.tenant_id)? > 0)
}
