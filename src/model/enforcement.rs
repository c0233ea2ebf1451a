//! Enforcement: a tenant whose people sign in through its own connections only. It ends by itself unless somebody who came
//! in that very way confirms it in time. Also which administrator has tested which configuration, without which nothing
//! is enforced.

use diesel::prelude::*;

use crate::db::schema::{enforcements, passed_tests};
use crate::db::{Conn, columns};
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = enforcements)]
#[diesel(treat_none_as_default_value = false)]
pub struct Enforcement {
    pub tenant_id: String,
    pub user_pool_id: String,
    /// The connection that was tested before.
    pub provider_id: String,
    /// Who switched it on, as in the audit log.
    pub actor: String,
    pub since: UnixTime,
    pub confirm_by: UnixTime,
    pub confirmed_at: Option<UnixTime>,
}

impl Enforcement {
    /// Whether other doors are closed at this moment: confirmed, or still waiting for it.
    pub fn is_in_force(&self, now: UnixTime) -> bool {
        self.confirmed_at.is_some() || now < self.confirm_by
    }
}

/// A test sign-in that passed.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = passed_tests)]
pub struct PassedTest {
    pub provider_id: String,
    /// Who made it, as in the audit log.
    pub actor: String,
    /// Of the configuration that was tested.
    pub fingerprint: String,
    pub at: UnixTime,
}

pub fn find(conn: &mut Conn, tenant_id: &str) -> QueryResult<Option<Enforcement>> {
    enforcements::table
        .find(tenant_id)
        .select(Enforcement::as_select())
        .first(conn)
        .optional()
}

/// Whether anything is enforced in the pool: what every sign-in asks first.
pub fn any_of_pool(conn: &mut Conn, user_pool_id: &str) -> QueryResult<bool> {
    let found: Option<String> = enforcements::table
        .filter(enforcements::user_pool_id.eq(user_pool_id))
        .select(enforcements::tenant_id)
        .first(conn)
        .optional()?;
    Ok(found.is_some())
}

/// What is enforced in these pools and for these tenants. Nobody else holds or changes it until the transaction ends.
pub fn hold(conn: &mut Conn, pools: &[String], tenants: &[String]) -> QueryResult<Vec<Enforcement>> {
    let theirs = enforcements::user_pool_id
        .eq_any(pools.to_vec())
        .or(enforcements::tenant_id.eq_any(tenants.to_vec()));
    diesel::update(enforcements::table.filter(theirs))
        .set(enforcements::since.eq(enforcements::since))
        .returning(columns::<Enforcement>())
        .get_results(conn)
}

/// False when it is enforced already.
pub fn insert(conn: &mut Conn, row: &Enforcement) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(enforcements::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

/// Makes it last, if it is still waiting for that.
pub fn confirm(conn: &mut Conn, tenant_id: &str, now: UnixTime) -> QueryResult<Option<Enforcement>> {
    diesel::update(enforcements::table.find(tenant_id))
        .filter(enforcements::confirmed_at.is_null())
        .filter(enforcements::confirm_by.gt(now))
        .set(enforcements::confirmed_at.eq(now))
        .returning(columns::<Enforcement>())
        .get_result(conn)
        .optional()
}

pub fn delete(conn: &mut Conn, tenant_id: &str) -> QueryResult<Option<Enforcement>> {
    diesel::delete(enforcements::table.find(tenant_id))
        .returning(columns::<Enforcement>())
        .get_result(conn)
        .optional()
}

/// Deletes at most `limit` that nobody confirmed in time; only one caller ever gets each.
pub fn take_unconfirmed(conn: &mut Conn, now: UnixTime, limit: i64) -> QueryResult<Vec<Enforcement>> {
    let over: Vec<String> = enforcements::table
        .filter(enforcements::confirmed_at.is_null())
        .filter(enforcements::confirm_by.le(now))
        .limit(limit)
        .select(enforcements::tenant_id)
        .load(conn)?;
    diesel::delete(
        enforcements::table
            .filter(enforcements::tenant_id.eq_any(over))
            .filter(enforcements::confirmed_at.is_null())
            .filter(enforcements::confirm_by.le(now)),
    )
    .returning(columns::<Enforcement>())
    .get_results(conn)
}

/// Remembers the latest test of an administrator at a connection.
pub fn put_test(conn: &mut Conn, test: &PassedTest) -> QueryResult<()> {
    diesel::delete(passed_tests::table.find((&test.provider_id, &test.actor))).execute(conn)?;
    diesel::insert_into(passed_tests::table)
        .values(test)
        .execute(conn)
        .map(|_| ())
}

pub fn find_test(conn: &mut Conn, provider_id: &str, actor: &str) -> QueryResult<Option<PassedTest>> {
    passed_tests::table
        .find((provider_id, actor))
        .select(PassedTest::as_select())
        .first(conn)
        .optional()
}

/// Passed tests of one configuration of a connection count for another that is the same in all but its seal.
pub fn carry_tests(conn: &mut Conn, provider_id: &str, from: &str, to: &str) -> QueryResult<usize> {
    diesel::update(passed_tests::table.filter(passed_tests::provider_id.eq(provider_id)))
        .filter(passed_tests::fingerprint.eq(from))
        .set(passed_tests::fingerprint.eq(to))
        .execute(conn)
}
