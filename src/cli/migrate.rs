//! `forebay migrate`: the database's schema brought up to date, apart from `serve`, which does it at its start.

use serde_json::json;

use super::output::Output;
use super::{Failure, Outcome};
use crate::config::Settings;
use crate::db;

pub fn run(settings: &Settings, output: Output) -> Outcome {
    let mut conn = settings
        .database
        .open()
        .map_err(|error| Failure::Refused(format!("the database cannot be opened: {error}")))?;
    let ran =
        db::migrate(&mut conn).map_err(|error| Failure::Refused(format!("migration failed: {error}")))?;
    output.answer(&json!({ "migrations": ran }), || match ran.len() {
        0 => "The schema is up to date.".into(),
        1 => "Ran one migration; the schema is up to date.".into(),
        more => format!("Ran {more} migrations; the schema is up to date."),
    })
}
