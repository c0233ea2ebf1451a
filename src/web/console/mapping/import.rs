//! Okta's own profile mapping, taken into the draft: fetched as the administrator who asks, translated, put among the
//! rows. Saving is theirs to do, like that of any draft; what could not be translated stands in a list above it.

use actix_web::HttpRequest;
use serde_json::{Map, Value};

use super::draft::{Draft, RuleRow};
use crate::broker::Broker;
use crate::model::pool::Pool;
use crate::model::provider::Provider;
use crate::rules::okta_mapping::{self, Imported};
use crate::web::console::door::Admin;
use crate::web::console::problem::Problem;
use crate::web::headers::RequestId;

/// What an import did to the draft.
#[derive(Clone, Debug)]
pub(super) struct Import {
    pub(super) lines: Vec<Line>,
    /// The connection does not read the profile that the rules are about.
    pub(super) reads_nothing: bool,
}

/// What became of one property.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) property: String,
    pub(super) expression: String,
    pub(super) done: bool,
    pub(super) what: String,
}

/// Okta's mapping, or a sentence that says why there is none.
pub(super) async fn fetch(
    admin: &Admin,
    broker: &Broker,
    id: &str,
    request: &HttpRequest,
) -> Result<Result<Map<String, Value>, String>, Problem> {
    let connection = broker
        .connection_as_it_is(admin.changes(), id)
        .await?
        .ok_or(Problem::NotFound)?;
    let asked = broker
        .okta_mapping(&connection, &admin.administrator.id, &RequestId::of(request))
        .await?;
    Ok(asked)
}

/// Puts the rules into the draft: an attribute that has one already gets the new source and keeps the rest.
pub(super) fn into(
    draft: &mut Draft,
    properties: &Map<String, Value>,
    provider: &Provider,
    pool: &Pool,
) -> Import {
    let imported = okta_mapping::translate(properties, &pool.settings);
    Import {
        lines: imported.into_iter().map(|one| line(draft, one)).collect(),
        reads_nothing: !provider
            .settings
            .okta_api
            .iter()
            .any(|scope| scope.reads_own_profile()),
    }
}

fn line(draft: &mut Draft, imported: Imported) -> Line {
    let Imported {
        property,
        expression,
        outcome,
    } = imported;
    let rule = match outcome {
        Ok(rule) => rule,
        Err(what) => {
            return Line {
                property,
                expression,
                done: false,
                what,
            };
        }
    };
    let mut what = format!("{} from {}", rule.attribute, rule.source);
    let new = RuleRow::of(&rule);
    match draft.rules.iter_mut().find(|row| row.attribute == rule.attribute) {
        Some(row) if row.source() == rule.source => what.push_str(", as before"),
        Some(row) => {
            what.push_str(&format!(", instead of {}", row.source()));
            *row = RuleRow {
                write: row.write,
                absent: row.absent,
                ..new
            };
        }
        None => draft.rules.push(new),
    }
    Line {
        property,
        expression,
        done: true,
        what,
    }
}
