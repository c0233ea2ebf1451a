//! Notice: something about a connection that needs attention, for as long as it does.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::{identity_providers, provider_notices};
use crate::model::provider::Provider;
use crate::model::reach::Reach;
use crate::text_enum;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = provider_notices)]
pub struct Notice {
    pub provider_id: String,
    pub kind: Kind,
    /// The stage, the claim or whatever else it is about; '' when it needs no name.
    pub subject: String,
    /// What was seen, in a sentence.
    pub detail: String,
    pub since: UnixTime,
}

text_enum! {
    /// What kind of attention.
    pub enum Kind {
        /// A stage of the probe failed; the subject is the stage.
        Probe = "probe",
        /// All signing keys were replaced at once.
        KeysReplaced = "keys_replaced",
        /// Endpoints of the discovery document have moved.
        EndpointsMoved = "endpoints_moved",
        /// Another authority vouches for the server's certificate.
        TlsIssuerChanged = "tls_issuer_changed",
        /// A client secret ends soon or has ended.
        SecretExpiry = "secret_expiry",
        /// A claim that used to come has stopped; the subject is the claim.
        ClaimMissing = "claim_missing",
        /// A claim comes with another type than it used to; the subject is the claim.
        ClaimType = "claim_type",
        /// Somebody's groups near the number at which Okta refuses; the subject is the claim.
        GroupsMany = "groups_many",
        /// The record that proves a domain of the connection's tenant is gone; the subject is the domain.
        DomainLost = "domain_lost",
    }
}

impl Kind {
    /// The headline.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Probe => "A check of the connection fails",
            Kind::KeysReplaced => "All signing keys were replaced at once",
            Kind::EndpointsMoved => "The provider's endpoints have moved",
            Kind::TlsIssuerChanged => "The server's certificate comes from another authority",
            Kind::SecretExpiry => "The client secret ends",
            Kind::ClaimMissing => "A claim has stopped coming",
            Kind::ClaimType => "A claim has changed its type",
            Kind::GroupsMany => "Somebody is in nearly too many groups",
            Kind::DomainLost => "The proof of a domain is gone",
        }
    }

    /// The subject is a claim whose present form an administrator may accept.
    pub fn concerns_a_claim(self) -> bool {
        matches!(self, Kind::ClaimMissing | Kind::ClaimType)
    }

    /// What to do about it; the probe's stages bring remedies of their own.
    pub fn remedy(self) -> &'static str {
        match self {
            Kind::Probe => "Follow the remedy of the stage that failed, then probe again.",
            Kind::KeysReplaced => {
                "Okta announces new keys before it signs with them; replacing all at once is unusual. Ask the Okta \
                 administrator whether keys were rotated by hand. Sign-ins go on."
            }
            Kind::EndpointsMoved => {
                "Ask the Okta administrator whether the domain or the authorization server was changed on purpose. \
                 Sign-ins follow the new endpoints."
            }
            Kind::TlsIssuerChanged => {
                "A certificate renewed by another authority is usual; an inspecting proxy in between is not. See that \
                 the authority is one you expect."
            }
            Kind::SecretExpiry => {
                "Make a second client secret in the Okta app, enter it here as the next one, then retire the old one."
            }
            Kind::ClaimMissing => {
                "In Okta look at the claim on the authorization server or in the app's profile mapping, and at the \
                 scopes it needs. If it was taken away on purpose, accept it on the connection's health page."
            }
            Kind::ClaimType => {
                "In Okta look at the claim's value expression. If the change is meant, see that the mapping fits it and \
                 accept it on the connection's health page."
            }
            Kind::GroupsMany => {
                "Okta refuses sign-ins of people whose groups claim would hold more than 100 values. Narrow the claim's \
                 filter to the groups that apps need, or provision groups by SCIM instead."
            }
            Kind::DomainLost => {
                "Put the TXT record that the tenant's page shows back into the domain's DNS, then look again on that page. \
                 If the domain is no longer yours, remove it there."
            }
        }
    }
}

/// What became of the notices of some kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// New ones.
    pub raised: Vec<Notice>,
    /// Ended ones.
    pub ended: Vec<Notice>,
    /// How many the connection has now, of all kinds.
    pub left: usize,
}

/// Of the connection's notices those of these kinds become `wanted`. One that stays keeps its beginning and takes the
/// new words.
pub fn settle(
    conn: &mut Conn,
    provider_id: &str,
    kinds: &[Kind],
    wanted: Vec<Notice>,
) -> QueryResult<Change> {
    let known = of_provider(conn, provider_id)?;
    let same = |a: &Notice, b: &Notice| a.kind == b.kind && a.subject == b.subject;
    let mut change = Change::default();
    for notice in &known {
        let concerned = kinds.contains(&notice.kind);
        if concerned && !wanted.iter().any(|one| same(one, notice)) {
            diesel::delete(provider_notices::table.find((provider_id, notice.kind, &notice.subject)))
                .execute(conn)?;
            change.ended.push(notice.clone());
        } else if !concerned {
            change.left += 1;
        }
    }
    change.left += wanted.len();
    for notice in wanted {
        match known.iter().find(|one| same(one, &notice)) {
            Some(old) if old.detail == notice.detail => {}
            Some(_) => {
                diesel::update(provider_notices::table.find((provider_id, notice.kind, &notice.subject)))
                    .set(provider_notices::detail.eq(&notice.detail))
                    .execute(conn)?;
            }
            None => {
                let rows = crate::on_backend!(&mut *conn, |c| diesel::insert_into(provider_notices::table)
                    .values(&notice)
                    .on_conflict_do_nothing()
                    .execute(c))?;
                if rows == 1 {
                    change.raised.push(notice);
                }
            }
        }
    }
    Ok(change)
}

/// The connection's notices, oldest first.
pub fn of_provider(conn: &mut Conn, provider_id: &str) -> QueryResult<Vec<Notice>> {
    provider_notices::table
        .filter(provider_notices::provider_id.eq(provider_id))
        .order((
            provider_notices::since,
            provider_notices::kind,
            provider_notices::subject,
        ))
        .select(Notice::as_select())
        .load(conn)
}

/// What needs attention within reach at the connections in use, newest first.
pub fn within(conn: &mut Conn, reach: &Reach) -> QueryResult<Vec<(Notice, Provider)>> {
    let mut query = provider_notices::table
        .inner_join(identity_providers::table.on(identity_providers::id.eq(provider_notices::provider_id)))
        .filter(identity_providers::enabled.eq(true))
        .order((
            provider_notices::since.desc(),
            provider_notices::provider_id,
            provider_notices::kind,
            provider_notices::subject,
        ))
        .select((Notice::as_select(), Provider::as_select()))
        .into_boxed();
    if !reach.everything {
        query = query.filter(
            identity_providers::user_pool_id
                .eq_any(reach.pools.clone())
                .or(identity_providers::tenant_id
                    .assume_not_null()
                    .eq_any(reach.tenants.clone())
                    .and(identity_providers::tenant_id.is_not_null())),
        );
    }
    query.load(conn)
}

/// How many notices there are by connection and kind.
pub fn counts(conn: &mut Conn) -> QueryResult<Vec<(String, Kind, i64)>> {
    provider_notices::table
        .group_by((provider_notices::provider_id, provider_notices::kind))
        .select((
            provider_notices::provider_id,
            provider_notices::kind,
            diesel::dsl::count_star(),
        ))
        .load(conn)
}
