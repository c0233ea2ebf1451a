//! The versions of a mapping: who saved what when and why, any two compared, an earlier one brought back, one of another
//! connection of the tenant taken over.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::editor::{Room, Version};
use super::{judge_and_save, path_of};
use crate::actions::mappings;
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::mapping::{self as stored, Rules};
use crate::model::provider::{self, Provider};
use crate::rules::mapping::difference::{self, Change, ChangeKind};
use crate::rules::mapping::{Compiled, saved};
use crate::rules::params::Params;
use crate::web::console::Problem;
use crate::web::console::door::{Admin, Form};
use crate::web::console::page::{self, Frame};

/// Versions on one page.
const SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "console/mapping/history.html")]
struct History {
    frame: Frame,
    provider: Provider,
    may_change: bool,
    /// The version in force.
    live: i64,
    versions: Vec<(Version, Vec<Change>)>,
    /// The version before which the next page begins.
    next: Option<i64>,
    first: bool,
    /// The tenant's other connections, such as that of another environment.
    siblings: Vec<Provider>,
}

#[derive(Template)]
#[template(path = "console/mapping/compare.html")]
struct Compare {
    frame: Frame,
    provider: Provider,
    from: i64,
    to: i64,
    live: i64,
    changes: Vec<Change>,
    may_change: bool,
}

/// The rollback would break apps.
#[derive(Template)]
#[template(path = "console/mapping/rollback.html")]
struct Refused {
    frame: Frame,
    provider: Provider,
    version: i64,
    live: i64,
    changes: Vec<Change>,
    breaches: Vec<String>,
    error: Option<String>,
    may_break: bool,
}

pub async fn list(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let room = Room::new(&admin, &broker, &id, request.query_string());
    let before = number(&request, "before");
    let page = broker
        .db
        .read(move |conn| -> Result<_, Problem> {
            let (provider, _) = room.provider(conn)?;
            let live = stored::current(conn, &provider.id).map_err(StoreError::from)?;
            // One more, for what the last one changed.
            let limit = i64::try_from(SHOWN + 1).unwrap_or(i64::MAX);
            let found = stored::history(conn, &provider.id, before, limit).map_err(StoreError::from)?;
            let nothing = Rules::default();
            let versions = found
                .iter()
                .take(SHOWN)
                .enumerate()
                .map(|(index, mapping)| {
                    let earlier = found.get(index + 1).map_or(&nothing, |earlier| &earlier.rules);
                    (Version::of(mapping), difference::between(earlier, &mapping.rules))
                })
                .collect();
            Ok(History {
                may_change: may_change(conn, &room, &provider)?,
                siblings: siblings(conn, &room, &provider)?,
                frame: room.frame,
                live: live.map_or(0, |live| live.version),
                versions,
                next: (found.len() > SHOWN).then(|| found[SHOWN - 1].version),
                first: before.is_none(),
                provider,
            })
        })
        .await?;
    Ok(page::show(&page))
}

pub async fn compare(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let room = Room::new(&admin, &broker, &id, request.query_string());
    let (Some(from), Some(to)) = (number(&request, "from"), number(&request, "to")) else {
        return Err(Problem::NotFound);
    };
    let page = broker
        .db
        .read(move |conn| -> Result<_, Problem> {
            let (provider, _) = room.provider(conn)?;
            let live = stored::current(conn, &provider.id).map_err(StoreError::from)?;
            Ok(Compare {
                changes: mappings::compare(conn, &provider.id, from, to)?,
                may_change: may_change(conn, &room, &provider)?,
                frame: room.frame,
                provider,
                from,
                to,
                live: live.map_or(0, |live| live.version),
            })
        })
        .await?;
    Ok(page::show(&page))
}

pub async fn rollback(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let whole = |name: &str| {
        form.text(name)
            .parse::<i64>()
            .map_err(|_| Problem::Malformed("a version is a number"))
    };
    let (version, seen, anyway) = (whole("version")?, whole("seen")?, form.is_checked("anyway"));
    let (ctx, reach, wanted) = (admin.ctx(&broker), admin.changes().clone(), id.clone());
    let again = move |conn: &mut Conn| mappings::rollback(conn, &wanted, seen, version, anyway);
    let why = match judge_and_save(&broker, ctx, reach, &id, again).await {
        Ok(()) => return Ok(page::done(&path_of(&id), "rolled-back")),
        Err(Problem::Refused(why @ (Error::Conflict(_) | Error::Invalid { .. }))) => why,
        Err(other) => return Err(other),
    };
    let room = Room::new(&admin, &broker, &id, request.query_string());
    let page = broker
        .db
        .read(move |conn| -> Result<_, Problem> {
            let (provider, pool) = room.provider(conn)?;
            let live = stored::current(conn, &provider.id).map_err(StoreError::from)?;
            let (number, rules) = live.map_or((0, Rules::default()), |live| (live.version, live.rules.0));
            let wanted = mappings::find(conn, &provider.id, version)?.rules.0;
            let breaches = if number == seen {
                let (rules, wanted) = (saved(&provider.id, &rules), Compiled::new(&wanted));
                mappings::breaches(conn, &room.sealer, room.now, &pool, &provider, &rules, &wanted)?
            } else {
                Vec::new()
            };
            Ok(Refused {
                error: breaches.is_empty().then(|| why.to_string()),
                breaches: breaches.iter().map(ToString::to_string).collect(),
                changes: difference::between(&rules, &wanted),
                may_break: room.changes.has_pool(&pool.id),
                frame: room.frame,
                provider,
                version,
                live: number,
            })
        })
        .await?;
    Ok(page::refused(&page))
}

/// The other connections of the connection's tenant, for those who may change them.
fn siblings(conn: &mut Conn, room: &Room, provider: &Provider) -> Result<Vec<Provider>, Problem> {
    if provider.tenant_id.is_none() {
        return Ok(Vec::new());
    }
    let mut found =
        provider::list_within(conn, &room.changes, Some(&provider.user_pool_id)).map_err(StoreError::from)?;
    found.retain(|one| one.tenant_id == provider.tenant_id && one.id != provider.id);
    Ok(found)
}

/// The rules in force of another connection of the tenant: a mapping is promoted by saving that draft.
pub(super) fn of_sibling(
    conn: &mut Conn,
    room: &Room,
    provider: &Provider,
    from: &str,
) -> Result<Rules, Problem> {
    let siblings = siblings(conn, room, provider)?;
    let sibling = siblings
        .iter()
        .find(|one| one.id == from)
        .ok_or(Problem::NotFound)?;
    let live = stored::current(conn, &sibling.id).map_err(StoreError::from)?;
    Ok(live.map(|live| live.rules.0).unwrap_or_default())
}

fn may_change(conn: &mut Conn, room: &Room, provider: &Provider) -> Result<bool, Problem> {
    let found = provider::find_within(conn, &room.changes, &provider.id).map_err(StoreError::from)?;
    Ok(found.is_some())
}

fn number(request: &HttpRequest, name: &str) -> Option<i64> {
    Params::parse(request.query_string().as_bytes())
        .ok()?
        .get(name)?
        .parse()
        .ok()
}
