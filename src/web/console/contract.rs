//! An app's claim contract: which claims of which type it needs in its ID tokens. A mapping that would break it is not
//! saved without saying so. The app can take the contract away as JSON Schema.

use actix_web::http::header;
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::door::{Admin, Form};
use super::page::{self, Frame};
use super::problem::Problem;
use crate::actions::clients::{self, ClientChange};
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::model::client::{self, Client, ContractClaim, ContractKind};
use crate::model::pool::{self, STANDARD, Settings};
use crate::model::reach::Reach;
use crate::rules::attribute::CUSTOM;
use crate::rules::contract;
use crate::web::resource;

/// Rows that a form may send; more than a contract may have, so that the check can say so.
const MOST_ROWS: usize = 200;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        resource("/console/clients/{client}/contract")
            .document(open)
            .post(work),
    )
    .service(resource("/console/clients/{client}/contract.json").document(schema));
}

#[derive(Template)]
#[template(path = "console/contract.html")]
struct Editor {
    frame: Frame,
    client: Client,
    rows: Vec<Row>,
    /// One list for each row.
    mistakes: Vec<Vec<String>>,
    error: Option<String>,
    /// Names to suggest.
    claims: Vec<String>,
    may_change: bool,
}

/// One claim as it is typed.
#[derive(Clone, Debug)]
struct Row {
    claim: String,
    kind: ContractKind,
    required: bool,
    /// One value in each line.
    one_of: String,
}

impl Row {
    fn of(wanted: &ContractClaim) -> Row {
        Row {
            claim: wanted.claim.clone(),
            kind: wanted.kind,
            required: wanted.required,
            one_of: wanted.one_of.join("\n"),
        }
    }

    fn blank() -> Row {
        Row {
            claim: String::new(),
            kind: ContractKind::String,
            required: true,
            one_of: String::new(),
        }
    }

    fn is_blank(&self) -> bool {
        self.claim.is_empty() && self.one_of.trim().is_empty()
    }

    fn wanted(&self) -> ContractClaim {
        ContractClaim {
            claim: self.claim.clone(),
            kind: self.kind,
            required: self.required,
            one_of: self
                .one_of
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }
}

fn read(form: &Form) -> Result<Vec<Row>, Problem> {
    let columns = ["claim", "kind", "required", "one_of"].map(|name| form.0.all(name).collect::<Vec<_>>());
    let [claims, kinds, required, one_of] = columns;
    let whole = [kinds.len(), required.len(), one_of.len()]
        .iter()
        .all(|length| *length == claims.len());
    if !whole || claims.len() > MOST_ROWS {
        return Err(Problem::Malformed("the rows of the form are not whole"));
    }
    claims
        .into_iter()
        .zip(kinds)
        .zip(required)
        .zip(one_of)
        .map(|(((claim, kind), required), one_of)| {
            Ok(Row {
                claim: claim.trim().to_owned(),
                kind: kind
                    .parse()
                    .map_err(|_| Problem::Malformed("a choice of the form is none that it offers"))?,
                required: required == "yes",
                one_of: one_of.replace("\r\n", "\n"),
            })
        })
        .collect()
}

/// What is wrong, at the row it is about.
fn mistakes(rows: &[Row]) -> Vec<Vec<String>> {
    let wanted: Vec<ContractClaim> = rows
        .iter()
        .filter(|row| !row.is_blank())
        .map(Row::wanted)
        .collect();
    let found = contract::mistakes(&wanted);
    rows.iter()
        .enumerate()
        .map(|(index, row)| {
            // Of claims that are listed twice, the later ones are wrong.
            let is_later = rows[..index].iter().any(|earlier| earlier.claim == row.claim);
            found
                .iter()
                .filter(|mistake| !row.is_blank() && mistake.place == row.claim)
                .filter(|mistake| is_later || mistake.reason != "is listed twice")
                .map(|mistake| mistake.reason.clone())
                .collect()
        })
        .collect()
}

async fn open(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (client, settings) = find(&broker, admin.sees(), &id).await?;
    let rows = client.settings.contract.iter().map(Row::of).collect();
    Ok(page::show(&editor(
        &admin,
        request.query_string(),
        client,
        &settings,
        rows,
        None,
    )))
}

/// Any button of the page: another row, one less, save.
async fn work(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let (client, settings) = find(&broker, admin.changes(), &id).await?;
    let mut rows = read(&form)?;
    let mut error = None;
    match form.text("do").split_once(':').unwrap_or((form.text("do"), "")) {
        ("add", _) => rows.push(Row::blank()),
        ("remove", index) => {
            if let Ok(index) = index.parse::<usize>()
                && index < rows.len()
            {
                rows.remove(index);
            }
        }
        ("save", _) => {
            let contract = rows
                .iter()
                .filter(|row| !row.is_blank())
                .map(Row::wanted)
                .collect();
            let (ctx, reach, id) = (admin.ctx(&broker), admin.changes().clone(), client.id.clone());
            let outcome = broker
                .db
                .write(move |conn| {
                    clients::find_within(conn, &reach, &id)?;
                    // Held: somebody else may be changing the other settings.
                    let mut settings = clients::lock(conn, &id)?.settings.0;
                    settings.contract = contract;
                    let change = ClientChange {
                        settings: Some(settings),
                        ..ClientChange::default()
                    };
                    clients::update(conn, &ctx, &id, change)
                })
                .await;
            match outcome {
                Ok(_) => {
                    broker.forget();
                    return Ok(page::done(
                        &format!("/console/clients/{}/contract", client.id),
                        "saved",
                    ));
                }
                Err(Error::Invalid { why, .. }) => error = Some(why),
                Err(other) => return Err(other.into()),
            }
        }
        _ => {}
    }
    let refused = error.is_some();
    let page = editor(&admin, request.query_string(), client, &settings, rows, error);
    Ok(if refused {
        page::refused(&page)
    } else {
        page::show(&page)
    })
}

fn editor(
    admin: &Admin,
    query: &str,
    client: Client,
    settings: &Settings,
    mut rows: Vec<Row>,
    error: Option<String>,
) -> Editor {
    if rows.is_empty() {
        rows.push(Row::blank());
    }
    let mistakes = mistakes(&rows);
    let own = settings
        .attributes
        .iter()
        .map(|attribute| attribute.name.as_str())
        .filter(|name| name.starts_with(CUSTOM));
    Editor {
        frame: Frame::new(admin, "clients", query),
        may_change: admin.changes().has_pool(&client.user_pool_id),
        claims: ["sub", "cognito:username", "cognito:groups", "identities"]
            .into_iter()
            .chain(STANDARD.iter().map(|(name, _)| *name))
            .chain(own)
            .map(str::to_owned)
            .collect(),
        // What stands at a row is not said twice.
        error: error.map(|why| match mistakes.iter().all(Vec::is_empty) {
            true => why,
            false => "Not saved: mend the rows that are marked.".into(),
        }),
        client,
        rows,
        mistakes,
    }
}

/// The contract for the app to check its tokens with.
async fn schema(admin: Admin, broker: Data<Broker>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let (client, _) = find(&broker, admin.sees(), &id).await?;
    let text = serde_json::to_string_pretty(&contract::json_schema(&client)).unwrap_or_default();
    Ok(HttpResponse::Ok()
        .content_type("application/schema+json")
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"claims-of-{}.schema.json\"", client.id),
        ))
        .body(text))
}

async fn find(broker: &Broker, reach: &Reach, id: &str) -> Result<(Client, Settings), Problem> {
    let (reach, id) = (reach.clone(), id.to_owned());
    let found = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let Some(client) = client::find_within(conn, &reach, &id)? else {
                return Ok(None);
            };
            let pool = pool::find(conn, &client.user_pool_id)?;
            Ok(pool.map(|pool| (client, pool.settings.0)))
        })
        .await?;
    found.ok_or(Problem::NotFound)
}
