//! Names for what traces call by id: the person, the app.

use std::collections::BTreeMap;

use crate::db::Conn;
use crate::error::StoreError;
use crate::model::trace::Outcome;
use crate::model::trace::search::Row;
use crate::model::{client, user};
use crate::web::console::time::Moment;

/// A trace as a line of a list.
pub struct Line {
    pub code: String,
    pub when: Moment,
    pub outcome: Outcome,
    pub cause: String,
    pub connection: Option<String>,
    pub app: Option<String>,
    pub person: Option<String>,
}

impl Line {
    pub fn is_signed_in(&self) -> bool {
        self.outcome == Outcome::SignedIn
    }

    pub fn pill(&self) -> &'static str {
        pill(self.outcome)
    }

    pub fn ending(&self) -> &'static str {
        ending(self.outcome)
    }
}

pub fn pill(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::SignedIn => "pill--good",
        Outcome::Refused => "pill--warn",
        Outcome::Failed => "pill--bad",
    }
}

pub fn ending(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::SignedIn => "signed in",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
    }
}

/// The rows with names: one look-up for each person and app.
pub fn lines(conn: &mut Conn, rows: Vec<Row>) -> Result<Vec<Line>, StoreError> {
    let (mut people, mut apps) = (BTreeMap::new(), BTreeMap::new());
    for row in &rows {
        if let Some(sub) = &row.user_sub
            && !people.contains_key(sub)
        {
            let label = user::find(conn, sub)?.map_or_else(|| sub.clone(), |user| user.label());
            people.insert(sub.clone(), label);
        }
        if let Some(id) = &row.client_id
            && !apps.contains_key(id)
        {
            let name = client::find(conn, id)?.map_or_else(|| id.clone(), |client| client.name);
            apps.insert(id.clone(), name);
        }
    }
    let named = |names: &BTreeMap<String, String>, id: &Option<String>| {
        id.as_ref().and_then(|id| names.get(id)).cloned()
    };
    Ok(rows
        .into_iter()
        .map(|row| Line {
            when: Moment(row.started_at),
            person: named(&people, &row.user_sub),
            app: named(&apps, &row.client_id),
            code: row.code,
            outcome: row.outcome,
            cause: row.cause,
            connection: row.provider_id,
        })
        .collect())
}
