//! One user: profile, upstream accounts, groups, sessions, grants, recent sign-ins, what administrators did.
//!
//! A tenant's administrator sees an account that is shared with other tenants only by its own side: its own connections'
//! identities, sessions and sign-ins, but neither the attributes nor the log, to which others contributed.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::broker::Broker;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::group;
use crate::model::pool;
use crate::model::provider::Provider;
use crate::model::trace::Outcome;
use crate::model::user::User;
use crate::model::user::search;
use crate::model::{audit, client, provider, session, token, trace};
use crate::rules::attribute;
use crate::web::console::Problem;
use crate::web::console::door::Admin;
use crate::web::console::page::{self, Frame};
use crate::web::console::time::Moment;
use crate::world::UnixTime;

/// Rows of the longer lists.
const SHOWN: i64 = 20;
/// Groups that the field for another one suggests.
const SUGGESTED: i64 = 200;

#[derive(Template)]
#[template(path = "console/user.html")]
struct UserPage {
    frame: Frame,
    user: User,
    label: String,
    created: Moment,
    updated: Moment,
    pool_name: String,
    sees_pool: bool,
    /// The account is this administrator's alone to look at.
    whole: bool,
    /// May be kept out, let in and signed out.
    may_decide: bool,
    /// May be changed and deleted.
    may_change: bool,
    attributes: Vec<(String, String)>,
    identities: Vec<IdentityRow>,
    groups: Vec<GroupRow>,
    suggested: Vec<String>,
    sessions: Vec<SessionRow>,
    grants: Vec<GrantRow>,
    sign_ins: Vec<SignIn>,
    events: Vec<EventRow>,
}

struct IdentityRow {
    provider_id: String,
    provider_name: String,
    issuer: String,
    subject: String,
    is_primary: bool,
    since: Moment,
}

struct GroupRow {
    name: String,
    precedence: Option<i64>,
    /// The connections that gave it, by name.
    connections: Vec<String>,
    by_admin: bool,
    /// Of a connection's groups for new accounts.
    at_first: bool,
}

impl GroupRow {
    fn givers(&self) -> Vec<String> {
        let here = self.by_admin.then(|| "an administrator".to_owned());
        let first = self.at_first.then(|| "the first sign-in".to_owned());
        let connections = self.connections.iter();
        here.into_iter()
            .chain(first)
            .chain(connections.map(|name| format!("the sign-in through {name}")))
            .collect()
    }

    /// No sign-in would bring it back.
    fn is_gift(&self) -> bool {
        self.by_admin || self.at_first
    }
}

struct SessionRow {
    connection: String,
    began: Moment,
    ends: Moment,
    methods: String,
}

struct GrantRow {
    app: String,
    connection: String,
    scopes: String,
    began: Moment,
    ends: Moment,
}

struct SignIn {
    code: String,
    at: Moment,
    outcome: Outcome,
    cause: String,
}

struct EventRow {
    at: Moment,
    actor: String,
    action: String,
    difference: String,
}

pub async fn user(
    admin: Admin,
    broker: Data<Broker>,
    sub: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::new(&admin, "users", request.query_string());
    let (sub, now) = (sub.into_inner(), broker.clock.now());
    let page = broker
        .db
        .read(move |conn| load(conn, frame, &admin, &sub, now))
        .await?;
    Ok(page::show(&page.ok_or(Problem::NotFound)?))
}

fn load(
    conn: &mut Conn,
    frame: Frame,
    admin: &Admin,
    sub: &str,
    now: UnixTime,
) -> Result<Option<UserPage>, StoreError> {
    let sees = admin.sees();
    let Some(user) = search::find_within(conn, sees, sub)? else {
        return Ok(None);
    };
    let Some(pool) = pool::find(conn, &user.user_pool_id)? else {
        return Ok(None);
    };
    let sees_pool = sees.has_pool(&pool.id);
    let whole = search::find_own(conn, sees, sub)?.is_some();
    let connections = provider::list_within(conn, sees, Some(&pool.id))?;
    let name_of = |id: &str| named(&connections, id);
    let identities = search::identities_of(conn, sees, sub)?;
    let sessions = session::of_user(conn, sub, now, SHOWN)?;
    let families = token::of_user(conn, sub, now, SHOWN)?;
    let mut grants = Vec::new();
    for family in families {
        let Some(connection) = name_of(&family.granted.provider_id) else {
            continue;
        };
        grants.push(GrantRow {
            app: client::find(conn, &family.client_id)?.map_or(family.client_id, |client| client.name),
            connection,
            scopes: family.granted.scopes.join(" "),
            began: Moment(family.created_at),
            ends: Moment(family.expires_at),
        });
    }
    let own = (!sees_pool).then(|| connections.iter().map(|known| known.id.clone()).collect());
    let sign_ins = trace::of_user(conn, sub, own, SHOWN)?;
    let events = if whole {
        audit::of_target(conn, sub, SHOWN)?
    } else {
        Vec::new()
    };
    let suggested = if admin.changes().has_pool(&pool.id) {
        group::page(conn, &pool.id, "", None, SUGGESTED)?
            .into_iter()
            .map(|group| group.name)
            .collect()
    } else {
        Vec::new()
    };
    Ok(Some(UserPage {
        frame,
        label: if whole {
            user.label()
        } else {
            user.username.clone()
        },
        created: Moment(user.created_at),
        updated: Moment(user.updated_at),
        sees_pool,
        whole,
        may_decide: search::find_own(conn, admin.changes(), sub)?.is_some(),
        may_change: admin.changes().has_pool(&pool.id),
        attributes: if whole {
            user.attributes
                .iter()
                .map(|(name, value)| (name.clone(), attribute::outside(value)))
                .collect()
        } else {
            Vec::new()
        },
        identities: identities
            .into_iter()
            .filter(|(_, own)| *own)
            .map(|(identity, _)| IdentityRow {
                provider_id: identity.provider_id,
                provider_name: identity.provider_name,
                issuer: identity.issuer,
                subject: identity.subject,
                is_primary: identity.is_primary,
                since: Moment(UnixTime(identity.created_ms / 1000)),
            })
            .collect(),
        groups: groups(conn, &user, &connections)?,
        suggested,
        sessions: sessions
            .into_iter()
            .filter_map(|session| {
                Some(SessionRow {
                    connection: match &session.provider_id {
                        Some(id) => name_of(id)?,
                        None => "Password".to_owned(),
                    },
                    began: Moment(session.created_at),
                    ends: Moment(session.expires_at),
                    methods: session.facts.amr.join(", "),
                })
            })
            .collect(),
        grants,
        sign_ins: sign_ins
            .into_iter()
            .map(|trace| SignIn {
                code: trace.code,
                at: Moment(trace.started_at),
                outcome: trace.outcome,
                cause: trace.cause,
            })
            .collect(),
        events: events
            .into_iter()
            .map(|event| EventRow {
                at: Moment(event.at),
                actor: event.actor,
                action: event.action,
                difference: event.difference.0.to_string(),
            })
            .collect(),
        pool_name: pool.name,
        user,
    }))
}

/// The name of a connection that the administrator sees.
fn named(connections: &[Provider], id: &str) -> Option<String> {
    connections
        .iter()
        .find(|known| known.id == id)
        .map(|known| known.name.clone())
}

/// The user's groups with who gave them, strongest first; what a connection out of sight gave is not shown.
fn groups(conn: &mut Conn, user: &User, connections: &[Provider]) -> Result<Vec<GroupRow>, StoreError> {
    let memberships = group::memberships(conn, &user.sub)?;
    let rows = group::of_user(conn, &user.sub)?
        .into_iter()
        .filter_map(|group| {
            let sources: Vec<&str> = memberships
                .iter()
                .filter(|membership| membership.group_name == group.name)
                .map(|membership| membership.source.as_str())
                .collect();
            let row = GroupRow {
                connections: connections
                    .iter()
                    .filter(|known| sources.contains(&group::by_provider(&known.id).as_str()))
                    .map(|known| known.name.clone())
                    .collect(),
                by_admin: sources.contains(&group::BY_ADMIN),
                at_first: sources.contains(&group::AT_FIRST),
                name: group.name,
                precedence: group.precedence,
            };
            (!row.givers().is_empty()).then_some(row)
        })
        .collect();
    Ok(rows)
}
