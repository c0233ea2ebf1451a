//! The mapping editor: the rules of a connection as a table, beside them what the last sign-ins brought, below them what
//! a draft would do, before it is saved.
//!
//! The whole editor is one form. Every button sends all of it and gets the page back with what was typed, so that it works
//! without a script; `mapping.js` spares the way to the server for rows and checks while somebody types. Only "save" and
//! "roll back" write anything.

mod asked;
mod draft;
mod editor;
mod history;
mod import;
mod seen;
mod settings;
mod trial;

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use self::asked::{Asked, What};
use self::draft::Draft;
use self::editor::{Conflict, Editor, Room, Version};
use self::seen::{Asking, RowSeen};
use self::trial::Bench;
use super::door::{Admin, Form};
use super::page;
use super::problem::Problem;
use crate::actions::Ctx;
use crate::actions::mappings::{self, Save};
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::mapping as stored;
use crate::model::provider::{self, Provider};
use crate::model::reach::Reach;
use crate::rules::mapping::difference;
use crate::rules::mapping::{Compiled, saved};
use crate::rules::params::Params;
use crate::web::resource;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        resource("/console/connections/{id}/mapping")
            .document(open)
            .post(work),
    )
    .service(resource("/console/connections/{id}/mapping/check").post(check))
    .service(resource("/console/connections/{id}/mapping/keep").post(settings::keep))
    .service(resource("/console/connections/{id}/mapping/history").document(history::list))
    .service(resource("/console/connections/{id}/mapping/compare").document(history::compare))
    .service(resource("/console/connections/{id}/mapping/rollback").post(history::rollback));
}

fn path_of(provider_id: &str) -> String {
    format!("/console/connections/{provider_id}/mapping")
}

/// The version in force, or as a draft an earlier one (`?version=`) or that of another connection (`?from=`).
async fn open(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let room = Room::new(&admin, &broker, &id, request.query_string());
    let asked = Params::parse(request.query_string().as_bytes()).unwrap_or_default();
    let page = broker
        .db
        .read(move |conn| -> Result<_, Problem> {
            let (provider, pool) = room.provider(conn)?;
            let live = stored::current(conn, &provider.id).map_err(StoreError::from)?;
            let seen = live.as_ref().map_or(0, |live| live.version);
            let rules = match (asked.get("version").map(str::parse), asked.get("from")) {
                (Some(Ok(version)), _) => mappings::find(conn, &provider.id, version)?.rules.0,
                (Some(Err(_)), _) => return Err(Problem::NotFound),
                (None, Some(from)) => history::of_sibling(conn, &room, &provider, from)?,
                (None, None) => live.map(|live| live.rules.0).unwrap_or_default(),
            };
            let draft = Draft::of(&rules, seen);
            let compiled = Compiled::new(&draft.rules());
            room.editor(conn, provider, &pool, draft, &compiled, &Asked::nothing())
        })
        .await?;
    Ok(page::show(&page))
}

/// Any button of the editor.
async fn work(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let mut draft = Draft::read(&form)?;
    let asked = Asked::read(&form)?;
    if let What::SaveOver(version) = asked.what {
        draft.seen = version;
    }
    let saving = match asked.what {
        What::Save { accept_breaches } => Some(accept_breaches),
        What::SaveOver(_) => Some(false),
        _ => None,
    };
    let mut refused = None;
    if let Some(accept_breaches) = saving {
        match save(&admin, &broker, &id, &draft, accept_breaches).await {
            Ok(()) => return Ok(page::done(&path_of(&id), "saved")),
            Err(Problem::Refused(why @ (Error::Conflict(_) | Error::Invalid { .. }))) => refused = Some(why),
            Err(other) => return Err(other),
        }
    }
    let imported = match asked.what {
        What::Import => Some(import::fetch(&admin, &broker, &id, &request).await?),
        _ => None,
    };
    let room = Room::new(&admin, &broker, &id, request.query_string());
    let is_refused = refused.is_some();
    let page = broker
        .db
        .read(move |conn| result(conn, room, draft, &asked, refused, imported))
        .await?;
    Ok(if is_refused {
        page::refused(&page)
    } else {
        page::show(&page)
    })
}

async fn save(
    admin: &Admin,
    broker: &Broker,
    provider_id: &str,
    draft: &Draft,
    accept_breaches: bool,
) -> Result<(), Problem> {
    let (ctx, reach, id) = (admin.ctx(broker), admin.changes().clone(), provider_id.to_owned());
    let save = Save {
        seen: draft.seen,
        rules: draft.rules(),
        note: draft.note.clone(),
        accept_breaches,
    };
    judge_and_save(broker, ctx, reach, &id, move |_| Ok(save)).await
}

/// Judges what is to be saved in a read, where it keeps nobody waiting, and then saves it.
async fn judge_and_save(
    broker: &Broker,
    ctx: Ctx,
    reach: Reach,
    provider_id: &str,
    save: impl FnOnce(&mut Conn) -> Result<Save, Error> + Send + 'static,
) -> Result<(), Problem> {
    let (judging, within, id) = (ctx.clone(), reach.clone(), provider_id.to_owned());
    let judged = broker
        .db
        .read(move |conn| {
            let provider = find_changeable(conn, &within, &id)?;
            let save = save(conn)?;
            if save.accept_breaches && !within.has_pool(&provider.user_pool_id) {
                return Err(Error::Denied(
                    "apps belong to the pool: only its administrators may save what breaks them".into(),
                ));
            }
            mappings::judge(conn, &judging, &id, save)
        })
        .await?;
    let id = provider_id.to_owned();
    broker
        .db
        .write(move |conn| {
            find_changeable(conn, &reach, &id)?;
            mappings::save_judged(conn, &ctx, &id, judged)
        })
        .await?;
    broker.forget();
    Ok(())
}

fn find_changeable(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Provider, Error> {
    provider::find_within(conn, reach, id)?.ok_or_else(|| Error::not_found("connection", id))
}

/// The page after a button, with what came of it.
fn result(
    conn: &mut Conn,
    room: Room,
    mut draft: Draft,
    asked: &Asked,
    refused: Option<Error>,
    imported: Option<Result<Map<String, Value>, String>>,
) -> Result<Editor, Problem> {
    let (provider, pool) = room.provider(conn)?;
    asked.what.shape(&mut draft, &pool.settings);
    let import = imported.map(|found| found.map(|found| import::into(&mut draft, &found, &provider, &pool)));
    let live = stored::current(conn, &provider.id).map_err(StoreError::from)?;
    let rules = live.as_ref().map(|live| live.rules.0.clone()).unwrap_or_default();
    let (mut preview, mut preview_error, mut replay) = (None, None, None);
    let compiled = Compiled::new(&draft.rules());
    let in_force = saved(&provider.id, &rules);
    let is_whole = draft.mistakes(&compiled, &pool.settings).is_empty();
    let issuer = format!("{}/{}", room.public_url, pool.id);
    let bench = Bench {
        sealer: &room.sealer,
        now: room.now,
        issuer: &issuer,
        provider: &provider,
        sees: &room.sees,
    };
    match asked.what {
        What::Preview | What::Replay if !is_whole => {
            preview_error = Some("Mend the rules that are marked first.".to_owned());
        }
        What::Preview => {
            let outcome = if asked.trace.is_empty() {
                trial::on_pasted(conn, &bench, &compiled, &asked.sample)?
            } else {
                trial::on_past(conn, &bench, &compiled, &asked.trace)?
            };
            match outcome {
                Ok(view) => preview = Some(view),
                Err(why) => preview_error = Some(why),
            }
        }
        What::Replay => replay = Some(trial::on_many(conn, &bench, &in_force, &compiled, asked.last)?),
        _ => {}
    }
    let (mut conflict, mut breaches, mut error) = (None, Vec::new(), None);
    match refused {
        None => {}
        Some(Error::Invalid { field, why }) if field == "note" => error = Some(format!("Note: {why}.")),
        Some(Error::Invalid { .. }) => error = Some("Not saved: mend the rules that are marked.".into()),
        Some(why) => match &live {
            Some(live) if live.version != draft.seen => {
                let base = mappings::find(conn, &provider.id, draft.seen)?.rules.0;
                conflict = Some(Conflict {
                    theirs: Version::of(live),
                    their_changes: difference::between(&base, &live.rules),
                    my_changes: difference::between(&base, &compiled.rules),
                });
            }
            _ => {
                let found = mappings::breaches(
                    conn,
                    &room.sealer,
                    room.now,
                    &pool,
                    &provider,
                    &in_force,
                    &compiled,
                )?;
                breaches = found.iter().map(ToString::to_string).collect();
                if breaches.is_empty() {
                    error = Some(why.to_string());
                }
            }
        },
    }
    let page = room.editor(conn, provider, &pool, draft, &compiled, asked)?;
    Ok(Editor {
        preview,
        preview_error,
        replay,
        conflict,
        breaches,
        error,
        import,
        ..page
    })
}

/// What is wrong with the draft as it is being typed: for the page's script.
async fn check(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let draft = Draft::read(&form)?;
    let room = Room::new(&admin, &broker, &id, "");
    let (mistakes, seen) = broker
        .db
        .read(move |conn| -> Result<_, Problem> {
            let (provider, pool) = room.provider(conn)?;
            let compiled = Compiled::new(&draft.rules());
            let asking = Asking {
                sealer: &room.sealer,
                now: room.now,
                provider: &provider,
                settings: &pool.settings,
                sees: &room.sees,
                compiled: &compiled,
            };
            let seen = seen::look(conn, &asking, &draft)?;
            let mut mistakes = draft.mistakes(&compiled, &pool.settings);
            mistakes.whole.extend(seen.note());
            Ok((mistakes, seen))
        })
        .await?;
    let told = |mistakes: &[String], row: &RowSeen| {
        json!({
            "mistakes": mistakes,
            "seen": row.words(seen.sign_ins),
            "warns": row.warns(seen.sign_ins),
        })
    };
    let rows = mistakes.rules.iter().zip(&seen.rules);
    Ok(HttpResponse::Ok().json(json!({
        "rules": rows.map(|(mistakes, row)| told(mistakes, row)).collect::<Vec<_>>(),
        "groups": told(&mistakes.groups, &seen.groups),
        "whole": mistakes.whole,
    })))
}
