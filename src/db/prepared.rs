//! Statements that are prepared once and kept with the connection. Diesel keeps SELECTs whose text is always the same; an
//! UPDATE, an INSERT with a column that may be NULL and a list after IN it prepares anew each time, which costs SQLite several
//! times what running them does. It counts for what brings rows back: `execute` hands a reference on, of which Diesel asks what is
//! beneath.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::RunQueryDsl;

/// Lists of as many lengths are kept, each a statement of its own.
const LENGTHS: usize = 16;

/// A statement that the connection keeps by its text.
#[derive(Debug)]
pub struct Prepared<Q> {
    query: Q,
    is_kept: bool,
}

pub trait Prepare: Sized {
    /// For what has few different texts.
    fn prepared(self) -> Prepared<Self> {
        Prepared {
            query: self,
            is_kept: true,
        }
    }

    /// For a list of this length after IN. A longer one is not kept: whoever asks may choose its length, and what is kept
    /// stays.
    fn prepared_for(self, length: usize) -> Prepared<Self> {
        Prepared {
            query: self,
            is_kept: length <= LENGTHS,
        }
    }
}

impl<Q> Prepare for Q {}

impl<Q: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.query.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, _: &DB) -> QueryResult<bool> {
        Ok(self.is_kept)
    }
}

/// It is known by its text, not by its type: one type may have several.
impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Prepared<Q> {
    type SqlType = Q::SqlType;
}

impl<Q, C> RunQueryDsl<C> for Prepared<Q> {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use diesel::connection::{Connection, InstrumentationEvent};
    use diesel::prelude::*;

    use super::*;
    use crate::db::schema::{token_families, users};
    use crate::db::{self, Conn, Target};

    /// A database, and the texts that its connection has kept since.
    fn watched() -> (Conn, Arc<Mutex<Vec<String>>>) {
        let mut conn = Target::Sqlite(":memory:".into()).open().unwrap();
        db::migrate(&mut conn).unwrap();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let texts = kept.clone();
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::CacheQuery { sql, .. } = event {
                texts.lock().unwrap().push(sql.to_owned());
            }
        });
        (conn, kept)
    }

    #[test]
    fn an_update_is_prepared_once() {
        let (mut conn, kept) = watched();
        macro_rules! update {
            ($($prepared:ident)?) => {{
                let ended = crate::on_backend!(&mut conn, |c| {
                    diesel::update(token_families::table.find("none"))
                        .set(token_families::revoked_at.eq(1))
                        .returning(token_families::origin_jti)
                        $(.$prepared())?
                        .get_result::<String>(c)
                });
                assert_eq!(ended.optional().unwrap(), None);
            }};
        }
        update!();
        assert!(kept.lock().unwrap().is_empty(), "Diesel keeps it by itself now");
        for _ in 0..3 {
            update!(prepared);
        }
        assert_eq!(kept.lock().unwrap().len(), 1);
    }

    #[test]
    fn of_lists_as_many_lengths_are_kept_as_are_said() {
        let (mut conn, kept) = watched();
        for _ in 0..2 {
            for length in 1..4 * LENGTHS {
                let found: Vec<String> = users::table
                    .filter(users::sub.eq_any(vec!["none"; length]))
                    .select(users::sub)
                    .prepared_for(length)
                    .load(&mut conn)
                    .unwrap();
                assert!(found.is_empty());
            }
        }
        assert_eq!(kept.lock().unwrap().len(), LENGTHS);
    }
}
