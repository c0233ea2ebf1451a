//! The mapping editor: the rules of a connection as a table, beside them what the last sign-ins brought, below them what
//! a draft would do, before it is saved.
//!
//! The whole editor is one form. Every button sends all of it and gets the page back with what was typed, so that it works
//! without a script; `mapping.js` spares the way to the server for rows and checks while somebody types. Only "save" and
//! "roll back" write anything.

mod draft;
mod history;
mod seen;
mod settings;
mod trial;

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde_json::json;

use self::draft::{Draft, GroupsFrom, Mistakes, NamingKind, RuleRow};
use self::seen::{Asking, RowSeen, Seen};
use self::trial::{Bench, LASTS, PreviewView, ReplayView};
use super::door::{Admin, Form};
use super::page::{self, Frame};
use super::problem::Problem;
use super::time::Moment;
use crate::actions::Ctx;
use crate::actions::mappings::{self, Save};
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::mapping::{self as stored, Absent, Mapping, MissingGroup, Unlisted, Write};
use crate::model::pool::{self, Pool};
use crate::model::provider::{self, Provider, Replay};
use crate::model::reach::Reach;
use crate::rules::mapping::difference::{self, Change, ChangeKind};
use crate::rules::mapping::expression::functions::FUNCTIONS;
use crate::rules::mapping::{Compiled, saved};
use crate::rules::params::Params;
use crate::seal::Sealer;
use crate::web::resource;
use crate::world::UnixTime;

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

#[derive(Template)]
#[template(path = "console/mapping/editor.html")]
struct Editor {
    frame: Frame,
    provider: Provider,
    may_change: bool,
    /// May save what breaks an app's contract: apps are the pool's.
    may_break: bool,
    live: Option<Version>,
    draft: Draft,
    mistakes: Mistakes,
    attributes: Vec<String>,
    /// What the draft makes another than the version in force.
    changes: Vec<Change>,
    seen: Seen,
    keep: Replay,
    /// Its tenant lets sign-ins be kept.
    tenant_allows: bool,
    functions: Vec<&'static str>,
    /// The sign-in or the claims that a preview is made of.
    trace: String,
    sample: String,
    last: usize,
    preview: Option<PreviewView>,
    preview_error: Option<String>,
    replay: Option<ReplayView>,
    conflict: Option<Conflict>,
    breaches: Vec<String>,
    error: Option<String>,
}

/// A version as pages show it.
struct Version {
    number: i64,
    author: String,
    note: String,
    at: Moment,
}

/// Somebody saved since the draft was begun.
struct Conflict {
    /// What they saved last.
    theirs: Version,
    /// Against the version that both began with.
    their_changes: Vec<Change>,
    my_changes: Vec<Change>,
}

/// A row of the table with everything that stands at it.
struct Row<'a> {
    rule: &'a RuleRow,
    mistakes: &'a [String],
    /// What came of its source, in words.
    seen: String,
    warns: bool,
}

impl Editor {
    fn rows(&self) -> Vec<Row<'_>> {
        self.draft
            .rules
            .iter()
            .zip(&self.mistakes.rules)
            .zip(&self.seen.rules)
            .map(|((rule, mistakes), seen)| Row {
                rule,
                mistakes,
                seen: seen.words(self.seen.sign_ins),
                warns: seen.warns(self.seen.sign_ins),
            })
            .collect()
    }

    fn path(&self) -> String {
        path_of(&self.provider.id)
    }

    fn groups_seen(&self) -> String {
        self.seen.groups.words(self.seen.sign_ins)
    }

    fn groups_warn(&self) -> bool {
        self.seen.groups.warns(self.seen.sign_ins)
    }

    /// The row that the script copies for a new rule.
    fn blank(&self) -> Row<'static> {
        static BLANK: RuleRow = RuleRow {
            attribute: String::new(),
            computed: false,
            claim: String::new(),
            expression: String::new(),
            write: Write::Always,
            absent: Absent::Keep,
        };
        Row {
            rule: &BLANK,
            mistakes: &[],
            seen: String::new(),
            warns: false,
        }
    }
}

impl Version {
    fn of(mapping: &Mapping) -> Version {
        Version {
            number: mapping.version,
            author: mapping.author.clone(),
            note: mapping.note.clone(),
            at: Moment(mapping.created_at),
        }
    }
}

fn path_of(provider_id: &str) -> String {
    format!("/console/connections/{provider_id}/mapping")
}

/// What a page is made of besides the draft.
struct Room {
    frame: Frame,
    sees: Reach,
    changes: Reach,
    provider_id: String,
    sealer: Sealer,
    now: UnixTime,
    public_url: String,
}

impl Room {
    fn new(admin: &Admin, broker: &Broker, provider_id: &str, query: &str) -> Room {
        Room {
            frame: Frame::new(admin, "connections", query),
            sees: admin.sees().clone(),
            changes: admin.changes().clone(),
            provider_id: provider_id.to_owned(),
            sealer: broker.sealer.clone(),
            now: broker.clock.now(),
            public_url: broker.public_url.clone(),
        }
    }

    fn provider(&self, conn: &mut Conn) -> Result<(Provider, Pool), Problem> {
        let provider = provider::find_within(conn, &self.sees, &self.provider_id)
            .map_err(StoreError::from)?
            .ok_or(Problem::NotFound)?;
        let pool = pool::find(conn, &provider.user_pool_id)
            .map_err(StoreError::from)?
            .ok_or(Problem::NotFound)?;
        Ok((provider, pool))
    }

    /// The page with the draft as it is; what was asked of it is put in afterwards.
    fn editor(
        self,
        conn: &mut Conn,
        provider: Provider,
        pool: &Pool,
        draft: Draft,
        compiled: &Compiled,
        asked: &Asked,
    ) -> Result<Editor, Problem> {
        let live = stored::current(conn, &provider.id).map_err(StoreError::from)?;
        let rules = live.as_ref().map(|live| live.rules.0.clone()).unwrap_or_default();
        let asking = Asking {
            sealer: &self.sealer,
            now: self.now,
            provider: &provider,
            settings: &pool.settings,
            sees: &self.sees,
            compiled,
        };
        let seen = seen::look(conn, &asking, &draft)?;
        let may_change = provider::find_within(conn, &self.changes, &provider.id)
            .map_err(StoreError::from)?
            .is_some();
        Ok(Editor {
            mistakes: draft.mistakes(compiled, &pool.settings),
            attributes: draft::attributes(&pool.settings),
            changes: difference::between(&rules, &compiled.rules),
            live: live.as_ref().map(Version::of),
            seen,
            keep: provider.settings.replay.clone(),
            tenant_allows: mappings::keeping::tenant_allows(conn, &provider)?,
            functions: FUNCTIONS.iter().map(|entry| entry.usage).collect(),
            may_change,
            may_break: self.changes.has_pool(&pool.id),
            trace: asked.trace.clone(),
            sample: asked.sample.clone(),
            last: asked.last,
            preview: None,
            preview_error: None,
            replay: None,
            conflict: None,
            breaches: Vec::new(),
            error: None,
            frame: self.frame,
            provider,
            draft,
        })
    }
}

/// What the form says besides the draft.
struct Asked {
    what: What,
    trace: String,
    sample: String,
    last: usize,
}

/// Which button was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Check,
    Add,
    Map(String),
    Remove(usize),
    Up(usize),
    Down(usize),
    AddToTable,
    RemoveFromTable(usize),
    Preview,
    Replay,
    Save {
        accept_breaches: bool,
    },
    /// Over what somebody else saved, which is this version.
    SaveOver(i64),
}

impl What {
    fn parse(text: &str) -> Option<What> {
        let (name, detail) = text.split_once(':').unwrap_or((text, ""));
        let number = || detail.parse::<usize>().ok();
        Some(match name {
            "" | "check" => What::Check,
            "add" => What::Add,
            "map" => What::Map(detail.to_owned()),
            "remove" => What::Remove(number()?),
            "up" => What::Up(number()?),
            "down" => What::Down(number()?),
            "table-add" => What::AddToTable,
            "table-remove" => What::RemoveFromTable(number()?),
            "preview" => What::Preview,
            "replay" => What::Replay,
            "save" => What::Save {
                accept_breaches: false,
            },
            "save-anyway" => What::Save {
                accept_breaches: true,
            },
            "save-over" => What::SaveOver(detail.parse().ok()?),
            _ => return None,
        })
    }

    /// Changes the draft's rows, if that is what was asked.
    fn shape(&self, draft: &mut Draft, settings: &pool::Settings) {
        let (rules, rows) = (&mut draft.rules, &mut draft.groups.rows);
        match self {
            What::Add => draft.add_rule("", settings),
            What::Map(claim) => draft.add_rule(claim, settings),
            What::Remove(index) if *index < rules.len() => {
                rules.remove(*index);
            }
            What::Up(index) if (1..rules.len()).contains(index) => rules.swap(*index, index - 1),
            What::Down(index) if index + 1 < rules.len() => rules.swap(*index, index + 1),
            What::AddToTable => rows.push((String::new(), String::new())),
            What::RemoveFromTable(index) if *index < rows.len() => {
                rows.remove(*index);
            }
            _ => {}
        }
    }
}

impl Asked {
    fn read(form: &Form) -> Result<Asked, Problem> {
        Ok(Asked {
            what: What::parse(form.text("do")).ok_or(Problem::Malformed("the button is none of the page"))?,
            trace: form.text("trace").to_owned(),
            sample: form.0.get("sample").unwrap_or_default().to_owned(),
            last: form
                .text("last")
                .parse()
                .ok()
                .filter(|last| LASTS.contains(last))
                .unwrap_or(LASTS[1]),
        })
    }

    fn nothing() -> Asked {
        Asked {
            what: What::Check,
            trace: String::new(),
            sample: String::new(),
            last: LASTS[1],
        }
    }
}

/// The version in force, or with `?version=` an earlier one as a draft.
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
            let rules = match asked.get("version").map(str::parse) {
                Some(Ok(version)) => mappings::find(conn, &provider.id, version)?.rules.0,
                Some(Err(_)) => return Err(Problem::NotFound),
                None => live.map(|live| live.rules.0).unwrap_or_default(),
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
    let room = Room::new(&admin, &broker, &id, request.query_string());
    let is_refused = refused.is_some();
    let page = broker
        .db
        .read(move |conn| result(conn, room, draft, &asked, refused))
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
) -> Result<Editor, Problem> {
    let (provider, pool) = room.provider(conn)?;
    asked.what.shape(&mut draft, &pool.settings);
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
