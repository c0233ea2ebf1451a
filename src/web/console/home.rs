//! The overview: how sign-ins have gone in the last day, what needs attention, and on an empty installation what to do
//! first. Everything within the administrator's reach.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::chart::{self, Bar, Hours};
use super::door::Admin;
use super::page::{self, Frame};
use super::problem::Problem;
use super::time::Moment;
use super::traces::names::{self, Line};
use crate::actions::enforcement::{self, News, Turn};
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::notice;
use crate::model::reach::Reach;
use crate::model::setup_link::{self, SetupLink};
use crate::model::trace::count;
use crate::model::trace::search::{self, Ending, Search};
use crate::model::{pool, provider};
use crate::rules::enforcement::CONFIRM_SECONDS;
use crate::world::UnixTime;

const HOURS: i64 = 24;
/// Causes, notices and failures that are shown; their own pages have the rest.
const CAUSES: usize = 8;
const NOTICES: usize = 8;
const LATEST: i64 = 8;
const CONNECTED: i64 = 8;
/// For how long it is told what became of a tenant's ways in.
const NEWS_SECONDS: i64 = 7 * 86_400;
/// How far back the latest failures may lie.
const LATEST_SECONDS: i64 = 7 * 86_400;

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Overview {
    frame: Frame,
    first_step: Option<FirstStep>,
    hours: Hours,
    causes: Vec<Bar>,
    more_causes: bool,
    notices: Vec<Attention>,
    more_notices: usize,
    latest: Vec<Line>,
    connected: Vec<Connected>,
    enforced: Vec<Enforced>,
}

/// What became of "only through Okta" at a tenant.
struct Enforced {
    tenant: String,
    href: String,
    what: &'static str,
    by: String,
    at: Moment,
    /// Somebody has to do something.
    waits: bool,
}

/// A customer has connected their Okta alone.
struct Connected {
    tenant: String,
    connection: String,
    at: Moment,
    /// Where the note is taken.
    action: String,
}

/// What is still missing before people can sign in.
enum FirstStep {
    Pool,
    Connection,
    SignIn,
}

/// Something about a connection that needs attention.
struct Attention {
    connection: String,
    title: &'static str,
    detail: String,
    since: Moment,
}

/// What the overview is made of.
struct Read {
    has_pool: bool,
    has_connection: bool,
    has_sign_in: bool,
    hours: Vec<count::Hour>,
    causes: Vec<(String, i64)>,
    notices: Vec<Attention>,
    latest: Vec<Line>,
    connected: Vec<SetupLink>,
    enforced: Vec<News>,
}

pub async fn overview(
    admin: Admin,
    request: HttpRequest,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let (reach, now) = (admin.sees().clone(), broker.clock.now());
    let mut read = broker.db.read(move |conn| look(conn, &reach, now)).await?;
    // Those who can take note of it are told.
    read.connected
        .retain(|link| admin.changes().has_pool(&link.user_pool_id));
    let frame = Frame::new(&admin, "overview", request.query_string());
    let first_step = match &read {
        // Only an operator can make a pool.
        Read { has_pool: false, .. } if frame.operates => Some(FirstStep::Pool),
        Read {
            has_connection: false,
            ..
        } => Some(FirstStep::Connection),
        Read {
            has_sign_in: false, ..
        } => Some(FirstStep::SignIn),
        _ => None,
    };
    let more_causes = read.causes.len() > CAUSES;
    read.causes.truncate(CAUSES);
    let more_notices = read.notices.len().saturating_sub(NOTICES);
    read.notices.truncate(NOTICES);
    Ok(page::show(&Overview {
        frame,
        first_step,
        hours: Hours::new(&read.hours),
        causes: chart::bars(&read.causes),
        more_causes,
        notices: read.notices,
        more_notices,
        latest: read.latest,
        connected: read.connected.into_iter().map(connected).collect(),
        enforced: read
            .enforced
            .into_iter()
            .map(|news| enforced(news, now))
            .collect(),
    }))
}

fn connected(link: SetupLink) -> Connected {
    Connected {
        action: format!(
            "/console/pools/{}/tenants/{}/setup-links/{}/noted",
            link.user_pool_id, link.tenant_id, link.id
        ),
        tenant: link.tenant_id,
        connection: link.provider_id.unwrap_or_default(),
        at: Moment(link.done_at.unwrap_or(link.created_at)),
    }
}

fn enforced(news: News, now: UnixTime) -> Enforced {
    // What nobody confirmed has ended, whether the job has been there or not.
    let waits = news.turn == Turn::On && now < news.at.plus(CONFIRM_SECONDS);
    Enforced {
        href: format!(
            "/console/pools/{}/tenants/{}/enforcement",
            news.user_pool_id, news.tenant_id
        ),
        tenant: news.tenant_id,
        what: match news.turn {
            Turn::On if waits => {
                "lets people in through Okta only, and ends that by itself unless somebody confirms it"
            }
            Turn::Confirmed => "lets people in through Okta only: it is confirmed",
            Turn::Lifted => "has its other ways in open again",
            Turn::On | Turn::Reverted => {
                "has its other ways in open again by itself: nobody confirmed in time that Okta lets people in"
            }
        },
        by: news.actor,
        at: Moment(news.at),
        waits,
    }
}

fn look(conn: &mut Conn, reach: &Reach, now: UnixTime) -> Result<Read, StoreError> {
    let hours = count::by_hour(conn, reach, now, HOURS)?;
    let since = hours.first().map_or(now, |hour| hour.begins);
    let causes = count::by_cause(conn, reach, since)?;
    let unsuccessful = Search {
        ending: Some(Ending::Unsuccessful),
        since: Some(now.plus(-LATEST_SECONDS)),
        ..Search::default()
    };
    let latest = search::list(conn, reach, &unsuccessful, LATEST)?;
    let latest = names::lines(conn, latest)?;
    let notices = notice::within(conn, reach)?
        .into_iter()
        .map(|(notice, provider)| Attention {
            connection: provider.id,
            title: notice.kind.title(),
            detail: notice.detail,
            since: Moment(notice.since),
        })
        .collect();
    Ok(Read {
        has_pool: !pool::list_within(conn, reach)?.is_empty(),
        has_connection: provider::any_within(conn, reach)?,
        has_sign_in: !search::list(conn, reach, &Search::default(), 1)?.is_empty(),
        hours,
        causes,
        notices,
        latest,
        connected: setup_link::unnoted(conn, reach, CONNECTED)?,
        enforced: enforcement::news(conn, reach, now.plus(-NEWS_SECONDS))?,
    })
}
