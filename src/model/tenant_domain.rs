//! Domain of a tenant: an email domain that it claims, and the proof that the domain is the tenant's. Any tenant may claim
//! any domain; of a pool's tenants only one can have it proven, and only then does it count for anything.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde::{Deserialize, Serialize};

use crate::db::schema::{tenant_domains, user_pools};
use crate::db::{Conn, Prepare, columns};
use crate::model::provider::Provider;
use crate::text_enum;
use crate::world::UnixTime;

/// The literal of the index by domain: for a bound value a prepared plan could not use it.
const PROVEN: &str = "tenant_domains.proof <> 'none'";
/// That of the index by the time of the last look.
const BY_DNS: &str = "tenant_domains.proof = 'dns'";

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = tenant_domains)]
#[diesel(treat_none_as_null = true)]
pub struct TenantDomain {
    pub tenant_id: String,
    /// As `rules::email::domain` gives it: lower case, A-labels.
    pub domain: String,
    pub user_pool_id: String,
    /// Addresses in its subdomains count as well.
    pub subdomains: bool,
    /// Part of what a TXT record has to say; everybody may know it.
    pub token: String,
    pub proof: Proof,
    pub proven_at: Option<UnixTime>,
    /// When the record was last looked for, and last seen.
    pub checked_at: Option<UnixTime>,
    pub seen_at: Option<UnixTime>,
    /// Since when the record has been gone; the domain counts for some days more.
    pub lost_since: Option<UnixTime>,
    /// What the last look found, in a sentence.
    pub finding: String,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
}

text_enum! {
    /// What says that the domain is the tenant's.
    pub enum Proof {
        None = "none",
        /// A TXT record, looked for again every day.
        Dns = "dns",
        /// An operator.
        Asserted = "asserted",
    }
}

impl TenantDomain {
    pub fn is_proven(&self) -> bool {
        self.proof != Proof::None
    }
}

/// A domain that is proven to be a tenant's, as routing and vouching look at it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize, Deserialize)]
#[diesel(table_name = tenant_domains)]
pub struct Proven {
    pub tenant_id: String,
    pub domain: String,
    pub subdomains: bool,
}

/// For whose addresses a connection's word counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Vouching {
    /// The pool's own connection: the operator who made it trusts it.
    #[default]
    Everybody,
    /// A tenant's: for those in its proven domains, of which there may be none.
    Within(Vec<Proven>),
}

/// Whose addresses this connection vouches for; `rules::tenant_domain::vouches` says whether one is among them.
pub fn vouching(conn: &mut Conn, provider: &Provider) -> QueryResult<Vouching> {
    match &provider.tenant_id {
        None => Ok(Vouching::Everybody),
        Some(id) => proven_of_tenant(conn, id).map(Vouching::Within),
    }
}

/// The domains that are proven to be the tenant's.
pub fn proven_of_tenant(conn: &mut Conn, tenant_id: &str) -> QueryResult<Vec<Proven>> {
    tenant_domains::table
        .filter(tenant_domains::tenant_id.eq(tenant_id))
        .filter(tenant_domains::proof.ne(Proof::None))
        .order(tenant_domains::domain)
        .select(Proven::as_select())
        .load(conn)
}

/// Whether a domain is proven to be one of these tenants'.
pub fn any_proven(conn: &mut Conn, tenants: &[String]) -> QueryResult<bool> {
    let proven = tenant_domains::table
        .filter(tenant_domains::tenant_id.eq_any(tenants.to_vec()))
        .filter(tenant_domains::proof.ne(Proof::None));
    diesel::select(diesel::dsl::exists(proven)).get_result(conn)
}

/// The proven domains among these names; of a pool each has one owner.
pub fn proven_among(conn: &mut Conn, user_pool_id: &str, names: &[&str]) -> QueryResult<Vec<Proven>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    tenant_domains::table
        .filter(tenant_domains::user_pool_id.eq(user_pool_id))
        .filter(tenant_domains::domain.eq_any(names.to_vec()))
        .filter(sql::<Bool>(PROVEN))
        .select(Proven::as_select())
        .prepared_for(names.len())
        .load(conn)
}

/// Whether another tenant has a proven domain below this one.
pub fn any_below(conn: &mut Conn, claim: &TenantDomain) -> QueryResult<bool> {
    // Nothing in a domain name means anything to LIKE: letters, digits, dashes and dots.
    let below = tenant_domains::table
        .filter(tenant_domains::user_pool_id.eq(&claim.user_pool_id))
        .filter(tenant_domains::tenant_id.ne(&claim.tenant_id))
        .filter(tenant_domains::domain.like(format!("%.{}", claim.domain)))
        .filter(tenant_domains::proof.ne(Proof::None));
    let found: i64 = below.count().get_result(conn)?;
    Ok(found > 0)
}

/// All that the tenant claims, by name.
pub fn of_tenant(conn: &mut Conn, tenant_id: &str) -> QueryResult<Vec<TenantDomain>> {
    tenant_domains::table
        .filter(tenant_domains::tenant_id.eq(tenant_id))
        .order(tenant_domains::domain)
        .select(TenantDomain::as_select())
        .load(conn)
}

pub fn find(conn: &mut Conn, tenant_id: &str, domain: &str) -> QueryResult<Option<TenantDomain>> {
    tenant_domains::table
        .find((tenant_id, domain))
        .select(TenantDomain::as_select())
        .first(conn)
        .optional()
}

/// Those proven by a record that was last looked for before that moment, the longest waiting first.
pub fn to_check(conn: &mut Conn, before: UnixTime, limit: i64) -> QueryResult<Vec<TenantDomain>> {
    tenant_domains::table
        .filter(sql::<Bool>(BY_DNS))
        .filter(tenant_domains::checked_at.lt(before))
        .order((tenant_domains::checked_at, tenant_domains::domain))
        .limit(limit)
        .select(TenantDomain::as_select())
        .load(conn)
}

/// Holds the pool until the transaction ends, so that no two tenants get hold of a domain, or of one below it, at once.
pub fn hold_pool(conn: &mut Conn, user_pool_id: &str) -> QueryResult<()> {
    diesel::update(user_pools::table.find(user_pool_id))
        .set(user_pools::updated_at.eq(user_pools::updated_at))
        .execute(conn)
        .map(|_| ())
}

/// False when the tenant claims it already.
pub fn insert(conn: &mut Conn, row: &TenantDomain) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(tenant_domains::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

pub fn update(conn: &mut Conn, row: &TenantDomain) -> QueryResult<Option<TenantDomain>> {
    diesel::update(tenant_domains::table.find((&row.tenant_id, &row.domain)))
        .set(row)
        .returning(columns::<TenantDomain>())
        .get_result(conn)
        .optional()
}

pub fn delete(conn: &mut Conn, tenant_id: &str, domain: &str) -> QueryResult<bool> {
    let rows = diesel::delete(tenant_domains::table.find((tenant_id, domain))).execute(conn)?;
    Ok(rows == 1)
}
