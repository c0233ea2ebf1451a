//! The audit log as a file. It is read and sent a few hundred events at a time, however long it is; when the database
//! fails on the way the answer breaks off, so that nobody takes half a log for the whole.

use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{self, Stream};
use serde_json::json;

use super::{asked, file_name};
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::audit::{self, Event, Search};
use crate::model::reach::Reach;
use crate::web::console::door::Admin;
use crate::web::console::problem::Problem;

/// Events that are held at a time.
const CHUNK: i64 = 500;

pub async fn csv(admin: Admin, request: HttpRequest, broker: Data<Broker>) -> Result<HttpResponse, Problem> {
    send(admin, request, broker, Format::Csv)
}

pub async fn json(admin: Admin, request: HttpRequest, broker: Data<Broker>) -> Result<HttpResponse, Problem> {
    send(admin, request, broker, Format::Json)
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    Json,
}

fn send(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
    format: Format,
) -> Result<HttpResponse, Problem> {
    let (_, fields) = asked(&request, &broker)?;
    if let Some(problem) = fields.period.problem {
        return Err(Problem::Malformed(problem));
    }
    let (media_type, extension) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Json => ("application/json; charset=utf-8", "json"),
    };
    let name = file_name(broker.clock.now(), extension);
    let (search, reach) = (fields.search(), admin.sees().clone());
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ))
        .streaming(chunks(broker, reach, search, format)))
}

/// Where the writing is.
enum At {
    Begin,
    Amid,
    End,
}

fn chunks(
    broker: Data<Broker>,
    reach: Reach,
    search: Search,
    format: Format,
) -> impl Stream<Item = Result<Bytes, StoreError>> {
    stream::try_unfold((search, At::Begin), move |(mut search, at)| {
        let (broker, reach) = (broker.clone(), reach.clone());
        async move {
            if let At::End = at {
                return Ok(None);
            }
            let wanted = search.clone();
            let events = broker
                .db
                .read(move |conn| Ok::<_, StoreError>(audit::list(conn, &reach, &wanted, CHUNK)?))
                .await?;
            let last = events.len() < usize::try_from(CHUNK).unwrap_or(usize::MAX);
            search.after = events.last().map(|event| (event.at, event.id)).or(search.after);
            let first = matches!(at, At::Begin);
            let bytes = match format {
                Format::Csv => as_csv(&events, first)?,
                Format::Json => as_json(&events, first, last),
            };
            let next = if last { At::End } else { At::Amid };
            Ok(Some((bytes.into(), (search, next))))
        }
    })
}

fn as_csv(events: &[Event], first: bool) -> Result<Vec<u8>, StoreError> {
    let failed = |cause: &dyn std::fmt::Display| StoreError::Lost(format!("the CSV writer: {cause}"));
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    if first {
        writer
            .write_record([
                "time",
                "actor",
                "action",
                "target",
                "user_pool_id",
                "tenant_id",
                "difference",
                "request_id",
            ])
            .map_err(|cause| failed(&cause))?;
    }
    for event in events {
        writer
            .write_record([
                harmless(&event.at.to_string()),
                harmless(&event.actor),
                harmless(&event.action),
                harmless(&event.target),
                harmless(event.user_pool_id.as_deref().unwrap_or_default()),
                harmless(event.tenant_id.as_deref().unwrap_or_default()),
                harmless(&event.difference.to_string()),
                harmless(&event.request_id),
            ])
            .map_err(|cause| failed(&cause))?;
    }
    writer.into_inner().map_err(|cause| failed(&cause))
}

/// A cell that no spreadsheet takes for a formula (OWASP, "CSV Injection").
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// One array, an event to a line.
fn as_json(events: &[Event], first: bool, last: bool) -> Vec<u8> {
    let mut text = String::new();
    if first {
        text.push('[');
    }
    for (index, event) in events.iter().enumerate() {
        text.push_str(if first && index == 0 { "\n" } else { ",\n" });
        let event = json!({
            "time": event.at.to_string(),
            "actor": event.actor,
            "action": event.action,
            "target": event.target,
            "user_pool_id": event.user_pool_id,
            "tenant_id": event.tenant_id,
            "difference": event.difference.0,
            "request_id": event.request_id,
        });
        text.push_str(&event.to_string());
    }
    if last {
        text.push_str("\n]\n");
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::db::Json;
    use crate::world::UnixTime;

    fn event(id: i64, target: &str) -> Event {
        Event {
            id,
            at: UnixTime(1_795_219_200),
            actor: "admin:ada@acme.test".into(),
            action: "provider.update".into(),
            user_pool_id: None,
            target: target.into(),
            difference: Json(json!({ "name": { "old": "a,b", "new": "\"c\"\n" } })),
            request_id: "r".into(),
            tenant_id: Some("acme".into()),
        }
    }

    #[test]
    fn no_cell_begins_like_a_formula() {
        for target in [
            "=cmd|' /C calc'!A0",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "plain",
        ] {
            let bytes = as_csv(&[event(1, target)], true).unwrap();
            let mut reader = csv::Reader::from_reader(bytes.as_slice());
            let row = reader.records().next().unwrap().unwrap();
            for cell in &row {
                assert!(
                    !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                    "{target:?}: {row:?}"
                );
            }
            assert_eq!(row[3].trim_start_matches('\''), target);
            let difference: serde_json::Value = serde_json::from_str(&row[6]).unwrap();
            assert_eq!(difference["name"]["old"], "a,b");
        }
    }

    #[test]
    fn the_parts_of_a_json_file_are_one_array() {
        let whole = |parts: &[&[Event]]| {
            let mut text = Vec::new();
            for (index, part) in parts.iter().enumerate() {
                text.extend(as_json(part, index == 0, index + 1 == parts.len()));
            }
            serde_json::from_slice::<serde_json::Value>(&text).unwrap()
        };
        assert_eq!(whole(&[&[]]), json!([]));
        assert_eq!(whole(&[&[event(3, "a"), event(2, "b")], &[]])[1]["target"], "b");
        assert_eq!(
            whole(&[&[event(3, "a")], &[event(2, "b")]])
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }
}
