//! The first sign-in of somebody whom an administrator has linked to a user by an attribute: the link is bound to the
//! upstream's subject, which alone counts from then on.

use diesel::Connection;

use super::{Refused, Settled, Visit};
use crate::actions::linking::MOST_ATTRIBUTES;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::identity_move;
use crate::model::reach::Reach;
use crate::model::user::link::{self, Link};
use crate::model::user::{self, User};
use crate::rules::pairing;
use serde_json::json;

/// Why the link stays as it was.
pub(super) enum Undone {
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
            if let Some(user) = found.filter(|user| user.user_pool_id == self.pool.id)
                && self.doubt(conn, &link, &user)?.is_none()
            {
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
        // By the upstream's own name for them only where a list has said so.
        let subject = (pairing::SUBJECT.to_owned(), self.arrival.subject.clone());
        Ok(std::iter::once(subject)
            .chain(self.offered())
            .filter(|(attribute, _)| attributes.contains(attribute))
            .collect())
    }

    /// What speaks against a pair of a move. What profiles say is doubted, a list of the administrator's is not, and a link
    /// that they have made themselves not at all.
    fn doubt(&self, conn: &mut Conn, link: &Link, user: &User) -> Result<Option<String>, StoreError> {
        let Some(id) = &link.move_id else {
            return Ok(None);
        };
        let made_by = identity_move::find_within(conn, &Reach::everything(), id)?;
        match made_by {
            Some(made_by) if !made_by.pairing.trusts_profiles() => self.has_come(conn, user),
            _ => self.objection(conn, user, &link.attribute),
        }
    }

    fn by_link(&self, conn: &mut Conn, attribute: &str, value: &str) -> Result<Option<Settled>, Undone> {
        let provider_id = &self.provider.id;
        let Some(link) = link::find(conn, provider_id, attribute, value)?.filter(|one| one.subject.is_none())
        else {
            return Ok(None);
        };
        let found = user::find(conn, &link.user_sub)?;
        let Some(user) = found.filter(|user| user.user_pool_id == self.pool.id) else {
            return Ok(None);
        };
        if let Some(why) = self.doubt(conn, &link, &user)? {
            self.note_objection(conn, &link, &why)?;
            return Ok(None);
        }
        if link::take(conn, provider_id, attribute, value, &self.arrival.subject)?.is_none() {
            // Somebody else was faster.
            return Ok(None);
        }
        let how = match &link.move_id {
            Some(id) => json!({ "by": attribute, "move": id }),
            None => json!({ "by": attribute }),
        };
        self.as_one_more_of(conn, user, &how).map(Some)
    }
}
