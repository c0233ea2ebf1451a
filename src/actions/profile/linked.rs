//! The first sign-in of somebody whom an administrator has linked to a user by an attribute: the link is bound to the
//! upstream's subject, which alone counts from then on.

use diesel::Connection;

use super::{Refused, Settled, Visit};
use crate::actions::linking::MOST_ATTRIBUTES;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::user::{self, Identity, User, link};
use crate::rules::linking;

/// Why the link stays as it was.
enum Undone {
    /// The sign-in was refused, and a refusal changes nothing.
    Refused(Box<Refused>),
    Failed(StoreError),
}

impl From<StoreError> for Undone {
    fn from(cause: StoreError) -> Undone {
        Undone::Failed(cause)
    }
}

impl From<diesel::result::Error> for Undone {
    fn from(cause: diesel::result::Error) -> Undone {
        Undone::Failed(cause.into())
    }
}

impl Visit<'_> {
    /// The sign-in as the user to whom these claims were linked; `None` when they were to nobody.
    pub(super) fn linked(&self, conn: &mut Conn) -> Result<Option<Result<Settled, Refused>>, StoreError> {
        for (attribute, value) in self.linking(conn)? {
            match conn.transaction(|conn| self.by_link(conn, &attribute, &value)) {
                Ok(None) => {}
                Ok(Some(settled)) => return Ok(Some(Ok(settled))),
                Err(Undone::Refused(refused)) => return Ok(Some(Err(*refused))),
                Err(Undone::Failed(cause)) => return Err(cause),
            }
        }
        Ok(None)
    }

    /// The user as whom [`Visit::linked`] would let them in; nothing is changed.
    pub(super) fn awaited(&self, conn: &mut Conn) -> Result<Option<User>, StoreError> {
        for (attribute, value) in self.linking(conn)? {
            let link = link::find(conn, &self.provider.id, &attribute, &value)?;
            let Some(link) = link.filter(|link| link.subject.is_none()) else {
                continue;
            };
            let found = user::find(conn, &link.user_sub)?;
            if let Some(user) = found.filter(|user| user.user_pool_id == self.pool.id) {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    /// What the claims say of the attributes that somebody is linked by.
    fn linking(&self, conn: &mut Conn) -> Result<Vec<(String, String)>, StoreError> {
        let attributes = link::attributes(conn, &self.provider.id, MOST_ATTRIBUTES)?;
        if attributes.is_empty() {
            return Ok(Vec::new());
        }
        let offered = linking::offered(
            &self.pool.settings,
            &self.compiled,
            &self.arrival.claims,
            &self.vouching,
        );
        Ok(offered
            .into_iter()
            .filter(|(attribute, _)| attributes.contains(attribute))
            .collect())
    }

    fn by_link(&self, conn: &mut Conn, attribute: &str, value: &str) -> Result<Option<Settled>, Undone> {
        let subject = &self.arrival.subject;
        let Some(link) = link::take(conn, &self.provider.id, attribute, value, subject)? else {
            return Ok(None);
        };
        let found = user::find(conn, &link.user_sub)?;
        let Some(user) = found.filter(|user| user.user_pool_id == self.pool.id) else {
            return Ok(None);
        };
        let identity = Identity {
            is_primary: false,
            ..self.identity(&user)
        };
        if !user::insert_identity(conn, &identity)? {
            return Err(StoreError::Busy("the identity was linked at the same moment").into());
        }
        match self.again(conn, user)? {
            Ok(settled) => Ok(Some(settled)),
            Err(refused) => Err(Undone::Refused(Box::new(refused))),
        }
    }
}
