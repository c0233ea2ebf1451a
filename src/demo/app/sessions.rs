//! The app's sessions: in memory, one per browser, named by a random cookie.
//!
//! A session exists from the first click on "Sign in". It gets another name when a user signs in, so that a name
//! planted before is worth nothing after.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use openidconnect::CsrfToken;

use super::provider::{Pending, Tokens};

/// How many sessions the app keeps; the oldest goes first.
const MOST_SESSIONS: usize = 1000;

/// How many sign-ins one browser can have begun and not finished, in as many tabs.
const MOST_PENDING: usize = 8;

/// Something to say on the next page.
#[derive(Clone, Debug)]
pub struct Notice {
    pub is_error: bool,
    pub text: String,
}

/// A user who is signed in.
#[derive(Clone)]
pub struct SignedIn {
    pub tokens: Tokens,
    pub user_info: Option<serde_json::Value>,
    pub notice: Option<Notice>,
}

#[derive(Default)]
struct Session {
    born: u64,
    pending: Vec<(String, Pending)>,
    signed_in: Option<SignedIn>,
}

#[derive(Default)]
struct Table {
    sessions: HashMap<String, Session>,
    births: u64,
}

/// All sessions of the app.
#[derive(Default)]
pub struct Sessions(Mutex<Table>);

impl Sessions {
    /// Notes a sign-in that has begun, in the browser's session or in a new one, whose name is returned.
    pub fn begin(&self, id: Option<&str>, state: &CsrfToken, pending: Pending) -> String {
        let mut table = self.table();
        let id = id
            .filter(|id| table.sessions.contains_key(*id))
            .map(str::to_owned);
        let id = id.unwrap_or_else(|| table.create(Session::default()));
        if let Some(session) = table.sessions.get_mut(&id) {
            if session.pending.len() >= MOST_PENDING {
                session.pending.remove(0);
            }
            session.pending.push((state.secret().clone(), pending));
        }
        id
    }

    /// Takes the sign-in that this browser began under this `state`. There is no second time.
    pub fn take_pending(&self, id: &str, state: &str) -> Option<Pending> {
        let mut table = self.table();
        let pending = &mut table.sessions.get_mut(id)?.pending;
        let position = pending.iter().position(|(known, _)| known == state)?;
        Some(pending.remove(position).1)
    }

    /// Ends the session of this name and starts the user's own, whose name is returned.
    pub fn sign_in(&self, id: &str, tokens: Tokens) -> String {
        let mut table = self.table();
        let mut session = table.sessions.remove(id).unwrap_or_default();
        session.signed_in = Some(SignedIn {
            tokens,
            user_info: None,
            notice: None,
        });
        table.create(session)
    }

    /// The user of this session.
    pub fn signed_in(&self, id: &str) -> Option<SignedIn> {
        self.table().sessions.get(id)?.signed_in.clone()
    }

    /// Changes what is known of the user of this session, if the session still is.
    pub fn update(&self, id: &str, change: impl FnOnce(&mut SignedIn)) {
        if let Some(signed_in) = self
            .table()
            .sessions
            .get_mut(id)
            .and_then(|session| session.signed_in.as_mut())
        {
            change(signed_in);
        }
    }

    /// Ends the session; says who was signed in.
    pub fn end(&self, id: &str) -> Option<SignedIn> {
        self.table().sessions.remove(id)?.signed_in
    }

    /// A thread that panicked here left nothing half done: every change is one assignment.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn create(&mut self, mut session: Session) -> String {
        if self.sessions.len() >= MOST_SESSIONS {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.born);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.sessions.remove(&oldest);
            }
        }
        self.births += 1;
        session.born = self.births;
        let id = CsrfToken::new_random_len(32).into_secret();
        self.sessions.insert(id.clone(), session);
        id
    }
}
