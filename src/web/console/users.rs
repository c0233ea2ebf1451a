//! The users of a pool: the list with its search. One user is shown by `show`, changed by `change`.

mod change;
mod show;

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::door::Admin;
use super::page::{self, Frame};
use super::problem::Problem;
use super::time::Moment;
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::pool::{self, Pool};
use crate::model::provider;
use crate::model::reach::Reach;
use crate::model::tenant;
use crate::model::user::search::{self, Filter};
use crate::rules::params::{self, Params};
use crate::web::resource;

/// Users on one page.
const SHOWN: usize = 50;
/// The longest search, in characters.
const LONGEST_SEARCH: usize = 100;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console/users").document(list))
        .service(resource("/console/users/{sub}").document(show::user))
        .service(
            resource("/console/users/{sub}/edit")
                .document(change::edit)
                .post(change::save),
        )
        .service(
            resource("/console/users/{sub}/disable")
                .document(change::confirm_disable)
                .post(change::disable),
        )
        .service(resource("/console/users/{sub}/enable").post(change::enable))
        .service(
            resource("/console/users/{sub}/sign-out")
                .document(change::confirm_sign_out)
                .post(change::sign_out),
        )
        .service(
            resource("/console/users/{sub}/delete")
                .document(change::confirm_delete)
                .post(change::delete),
        )
        .service(resource("/console/users/{sub}/groups").post(change::join))
        .service(resource("/console/users/{sub}/groups/remove").post(change::leave));
}

/// One entry of a select.
pub(super) struct Choice {
    pub value: String,
    pub label: String,
    pub chosen: bool,
}

#[derive(Template)]
#[template(path = "console/users.html")]
struct List {
    frame: Frame,
    pools: Vec<Choice>,
    connections: Vec<Choice>,
    user_pool_id: String,
    begins: String,
    state: String,
    group: String,
    sees_pool: bool,
    /// Something narrows the list.
    searching: bool,
    rows: Vec<Row>,
    /// Not the first page.
    first: Option<String>,
    next: Option<String>,
}

struct Row {
    sub: String,
    label: String,
    username: String,
    enabled: bool,
    connections: String,
    created: Moment,
}

/// The pools whose users the administrator may see, all or some of them.
fn pools_of(conn: &mut Conn, reach: &Reach) -> Result<Vec<Pool>, StoreError> {
    let mut pools = pool::list_within(conn, reach)?;
    for tenant in tenant::list(conn, reach, None)? {
        if !pools.iter().any(|known| known.id == tenant.user_pool_id) {
            pools.extend(pool::find(conn, &tenant.user_pool_id)?);
        }
    }
    Ok(pools)
}

async fn list(admin: Admin, broker: Data<Broker>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = Params::parse(request.query_string().as_bytes()).unwrap_or_default();
    let frame = Frame::new(&admin, "users", request.query_string());
    let reach = admin.sees().clone();
    let page = broker
        .db
        .read(move |conn| list_page(conn, frame, &reach, &asked))
        .await?;
    Ok(page::show(&page))
}

fn list_page(conn: &mut Conn, frame: Frame, reach: &Reach, asked: &Params) -> Result<List, Problem> {
    let text = |name: &str| asked.get(name).unwrap_or_default().trim().to_owned();
    let (begins, state, group, connection) = (
        text("q").chars().take(LONGEST_SEARCH).collect::<String>(),
        text("state"),
        text("group"),
        text("connection"),
    );
    let pools = pools_of(conn, reach)?;
    let chosen = match asked.get("pool") {
        Some(id) => Some(pools.iter().find(|pool| pool.id == id).ok_or(Problem::NotFound)?),
        None => pools.first(),
    };
    let user_pool_id = chosen.map(|pool| pool.id.clone()).unwrap_or_default();
    let connections = provider::list_within(conn, reach, Some(&user_pool_id)).map_err(StoreError::from)?;
    let filter = Filter {
        begins: Some(begins.clone()).filter(|text| !text.is_empty()),
        enabled: match state.as_str() {
            "enabled" => Some(true),
            "disabled" => Some(false),
            _ => None,
        },
        provider_id: Some(connection.clone()).filter(|id| connections.iter().any(|known| known.id == *id)),
        group: Some(group.clone()).filter(|name| !name.is_empty()),
    };
    let found = search::page(conn, reach, &user_pool_id, &filter, asked.get("after"), SHOWN)
        .map_err(StoreError::from)?;
    let subs: Vec<String> = found.users.iter().map(|user| user.sub.clone()).collect();
    let identities = search::identities_of_all(conn, &subs).map_err(StoreError::from)?;
    let narrowing = [
        ("pool", user_pool_id.as_str()),
        ("q", &begins),
        ("state", &state),
        ("connection", &connection),
        ("group", &group),
    ];
    let narrowing: Vec<(&str, &str)> = narrowing
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let page = |after: Option<&str>| {
        let place = after.map(|after| ("after", after));
        let fields = narrowing.iter().copied().chain(place);
        format!("/console/users?{}", params::encode(fields))
    };
    let rows = found
        .users
        .iter()
        .map(|user| Row {
            sub: user.sub.clone(),
            label: user.label(),
            username: user.username.clone(),
            enabled: user.enabled,
            connections: identities
                .iter()
                .filter(|identity| identity.user_sub == user.sub)
                .filter(|identity| connections.iter().any(|known| known.id == identity.provider_id))
                .map(|identity| identity.provider_name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            created: Moment(user.created_at),
        })
        .collect();
    Ok(List {
        frame,
        sees_pool: reach.has_pool(&user_pool_id),
        searching: filter != Filter::default(),
        rows,
        first: asked.get("after").map(|_| page(None)),
        next: found.next.as_deref().map(|after| page(Some(after))),
        pools: pools
            .iter()
            .map(|pool| Choice {
                value: pool.id.clone(),
                label: pool.name.clone(),
                chosen: pool.id == user_pool_id,
            })
            .collect(),
        connections: connections
            .iter()
            .map(|known| Choice {
                value: known.id.clone(),
                label: known.name.clone(),
                chosen: known.id == connection,
            })
            .collect(),
        user_pool_id,
        begins,
        state,
        group,
    })
}
