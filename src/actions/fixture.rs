//! A migrated database in a temporary file, for the tests of the actions.

#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;

use tempfile::TempDir;

use super::Ctx;
use super::pools::{self, NewKeys, NewPool};
use crate::db::{self, Conn, Target};
use crate::error::Error;
use crate::model::{audit, pool};
use crate::seal::Sealer;
use crate::world::{Entropy, UnixTime};

/// A database and who acts on it.
pub struct Fixture {
    conn: Conn,
    pub ctx: Ctx,
    _directory: TempDir,
}

/// Two signing keys, made once for all tests.
pub fn keys() -> NewKeys {
    static KEYS: OnceLock<NewKeys> = OnceLock::new();
    KEYS.get_or_init(|| NewKeys::make().unwrap()).clone()
}

impl Fixture {
    pub fn new() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let mut conn = Target::Sqlite(path.to_str().unwrap().to_owned()).open().unwrap();
        db::migrate(&mut conn).unwrap();
        let entropy = Entropy::seeded(1);
        Fixture {
            conn,
            ctx: Ctx {
                actor: "test".into(),
                request_id: "request".into(),
                now: UnixTime(1_790_000_000),
                sealer: Sealer::new(vec![[7; 32]], entropy.clone()),
                entropy,
            },
            _directory: directory,
        }
    }

    /// With a pool of the id that [`Fixture::pool_id`] tells.
    pub fn with_pool() -> Fixture {
        let mut fixture = Fixture::new();
        let ctx = fixture.ctx.clone();
        let new = NewPool {
            id: Some(fixture.pool_id()),
            name: "Test".into(),
            settings: pool::Settings::default(),
        };
        fixture
            .act(|conn| pools::create(conn, &ctx, new, &keys()))
            .unwrap();
        fixture
    }

    pub fn pool_id(&self) -> String {
        "us-local-1_Test".into()
    }

    /// Runs an action as `Db::write` does: undone when it fails.
    pub fn act<T>(&mut self, action: impl FnOnce(&mut Conn) -> Result<T, Error>) -> Result<T, Error> {
        diesel::Connection::transaction(&mut self.conn, action)
    }

    pub fn last_event(&mut self) -> audit::Event {
        audit::recent(&mut self.conn, None, 1).unwrap().remove(0)
    }

    pub fn events(&mut self) -> usize {
        audit::recent(&mut self.conn, None, 1000).unwrap().len()
    }
}
