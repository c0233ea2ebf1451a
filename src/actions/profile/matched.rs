//! The first sign-in of somebody who has a profile here by another connection of their tenant, where the tenant wants its
//! people recognised: by an address in a domain that is proven to be the tenant's, or by an attribute such as an employee
//! number. One candidate, against whom nothing speaks, or nobody.

use diesel::Connection;
use serde_json::{Value, json};

use super::linked::Undone;
use super::{Refused, Settled, Visit};
use crate::actions::{record, record_for};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::user::link::Link;
use crate::model::user::{self, Identity, User, lookalike};
use crate::model::{provider, tenant, tenant_domain};
use crate::rules::attribute::outside;
use crate::rules::{email, linking, pairing, same_person};

/// Profiles with one address that are looked at; two are one too many already.
const LOOKED_AT: i64 = 10;

/// Somebody who came for the first time was not taken for the one person whom their address or number led to.
pub const LINK_STOPPED: &str = "user.link_stopped";

/// Whom a first sign-in leads to.
#[derive(Default)]
pub(super) struct Recognised {
    /// The user, and by which attribute.
    pub(super) found: Option<(User, String)>,
    /// Whom it may have meant, and what speaks against it.
    stopped: Vec<(User, String)>,
}

impl Visit<'_> {
    /// The sign-in as the user whom the tenant's settings recognise in it; `None` when that is nobody.
    pub(super) fn matched(&self, conn: &mut Conn) -> Result<Option<Result<Settled, Refused>>, StoreError> {
        let Recognised { found, stopped } = self.recognised(conn)?;
        for (user, why) in stopped {
            self.note_stopped(conn, &user, &why)?;
        }
        let Some((user, by)) = found else {
            return Ok(None);
        };
        match conn.transaction(|conn| self.as_one_more_of(conn, user, &json!({ "by": by }))) {
            Ok(settled) => Ok(Some(Ok(settled))),
            Err(Undone::Refused(refused)) => Ok(Some(Err(*refused))),
            Err(Undone::Failed(cause)) => Err(cause),
        }
    }

    /// Looks, and changes nothing.
    pub(super) fn recognised(&self, conn: &mut Conn) -> Result<Recognised, StoreError> {
        let mut recognised = Recognised::default();
        let Some(tenant_id) = &self.provider.tenant_id else {
            return Ok(recognised);
        };
        let wanted = tenant::linking(conn, tenant_id)?;
        if !wanted.email && wanted.attribute.is_none() {
            return Ok(recognised);
        }
        // The number before the address: it is nobody else's next year.
        let mut offered: Vec<_> = self
            .offered()
            .into_iter()
            .filter(|(name, _)| wanted.attribute.as_ref() == Some(name) || (wanted.email && name == "email"))
            .collect();
        offered.sort_by_key(|(name, _)| wanted.attribute.as_ref() != Some(name));
        for (name, value) in offered {
            let found = match name.as_str() {
                "email" => lookalike::by_email(conn, &self.pool.id, &email::written(&value), LOOKED_AT)?,
                _ => lookalike::by_text(conn, &self.pool.id, None, &value, |user| {
                    user.attributes
                        .get(&name)
                        .is_some_and(|theirs| outside(theirs) == value)
                })?,
            };
            let mut candidates = Vec::new();
            for user in found {
                if self.is_the_tenants(conn, tenant_id, &name, &user)? {
                    candidates.push(user);
                }
            }
            if let Ok([user]) = <[User; 1]>::try_from(candidates) {
                match self.objection(conn, &user, &name)? {
                    Some(why) => recognised.stopped.push((user, why)),
                    None => {
                        recognised.found = Some((user, name));
                        return Ok(recognised);
                    }
                }
            }
        }
        Ok(recognised)
    }

    /// They get an account of their own; whoever administers the tenant finds out from the audit log.
    fn note_stopped(&self, conn: &mut Conn, user: &User, why: &str) -> Result<(), StoreError> {
        record_for(
            conn,
            self.ctx,
            self.provider.tenant_id.as_deref(),
            LINK_STOPPED,
            Some(&self.pool.id),
            &user.sub,
            json!({ "provider": self.provider.id, "why": why }),
        )?;
        Ok(())
    }

    /// Whether the user is the tenant's to be recognised: somebody has vouched for an address in its domains, or, where a number
    /// counts, one of its own connections has brought them.
    fn is_the_tenants(
        &self,
        conn: &mut Conn,
        tenant_id: &str,
        by: &str,
        user: &User,
    ) -> Result<bool, StoreError> {
        let proven = tenant_domain::Vouching::Within(tenant_domain::proven_of_tenant(conn, tenant_id)?);
        if pairing::has_proven_address(&user.attributes, &proven) {
            return Ok(true);
        }
        if by == "email" {
            return Ok(false);
        }
        for identity in user::identities(conn, &user.sub)? {
            let brought = provider::find(conn, &identity.provider_id)?;
            if brought.is_some_and(|brought| brought.tenant_id.as_deref() == Some(tenant_id)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Why whoever comes now is not this user, to whom that attribute has led: somebody else has come by this connection as
    /// them, or the two profiles are not one person's.
    pub(super) fn objection(
        &self,
        conn: &mut Conn,
        user: &User,
        by: &str,
    ) -> Result<Option<String>, StoreError> {
        if let Some(why) = self.has_come(conn, user)? {
            return Ok(Some(why));
        }
        let number = match &self.provider.tenant_id {
            Some(id) => tenant::linking(conn, id)?.attribute,
            None => None,
        };
        let numbers = same_person::numbers(by, number.as_deref());
        // What the connection says of the person, whichever of it this app's sign-ins may write.
        let there = self.offered().into_iter();
        let there = there.map(|(name, value)| (name, Value::String(value))).collect();
        Ok(same_person::contradiction(&user.attributes, &there, &numbers))
    }

    /// What the claims say of the person, as far as the connection vouches for it.
    pub(super) fn offered(&self) -> Vec<(String, String)> {
        linking::offered(
            &self.pool.settings,
            &self.compiled,
            &self.arrival.claims,
            &self.vouching,
        )
    }

    /// That somebody else has come by this connection as that user.
    pub(super) fn has_come(&self, conn: &mut Conn, user: &User) -> Result<Option<String>, StoreError> {
        let known = user::identities(conn, &user.sub)?;
        let has = known.iter().any(|one| one.provider_id == self.provider.id);
        Ok(has.then(|| "somebody has come by this connection as that user already".into()))
    }

    /// An objection stopped a pair of a move: whoever administers the tenant finds out from the audit log.
    pub(super) fn note_objection(&self, conn: &mut Conn, link: &Link, why: &str) -> Result<(), StoreError> {
        record_for(
            conn,
            self.ctx,
            self.provider.tenant_id.as_deref(),
            "user.move_stopped",
            Some(&self.pool.id),
            &link.user_sub,
            json!({ "provider": self.provider.id, "move": link.move_id, "why": why }),
        )?;
        Ok(())
    }

    /// One more identity for a user that there is, who then signs in.
    pub(super) fn as_one_more_of(&self, conn: &mut Conn, user: User, how: &Value) -> Result<Settled, Undone> {
        let identity = Identity {
            is_primary: false,
            ..self.identity(&user)
        };
        if !user::insert_identity(conn, &identity)? {
            return Err(StoreError::Busy("the identity was linked at the same moment").into());
        }
        let mut about = json!({ "provider": self.provider.id, "subject": self.arrival.subject });
        if let (Some(about), Some(how)) = (about.as_object_mut(), how.as_object()) {
            about.extend(how.clone());
        }
        record(conn, self.ctx, "user.link", Some(&self.pool.id), &user.sub, about)?;
        match self.again(conn, user)? {
            Ok(settled) => Ok(settled),
            Err(refused) => Err(Undone::Refused(Box::new(refused))),
        }
    }
}
