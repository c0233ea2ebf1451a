//! All connections within reach: how each stands, when somebody last came through it, what needs attention.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::pill;
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::pool::{self, Pool};
use crate::model::provider::{self, Provider, State};
use crate::model::tenant;
use crate::rules::params::{self, Params};
use crate::web::console::door::Admin;
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;
use crate::web::console::time::Moment;

/// Rows of one page.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "console/connections/list.html")]
struct ListPage {
    frame: Frame,
    text: String,
    pool: String,
    pools: Vec<Pool>,
    rows: Vec<Row>,
    next: Option<String>,
    /// Something was searched for.
    searched: bool,
}

struct Row {
    id: String,
    name: String,
    tenant: Option<String>,
    pool: String,
    issuer: String,
    state: State,
    last: Option<Moment>,
    notices: Vec<String>,
}

impl Row {
    fn pill(&self) -> &'static str {
        pill(self.state)
    }
}

pub async fn page(admin: Admin, broker: Data<Broker>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query = Params::parse(request.query_string().as_bytes())
        .map_err(|malformed| Problem::Malformed(malformed.0))?;
    let asked = |name: &str| query.get(name).unwrap_or_default().trim().replace('\0', "");
    let (text, pool_id, after) = (asked("q"), asked("pool"), asked("after"));
    let reach = admin.sees().clone();
    let (wanted, of_pool) = (text.clone(), Some(pool_id.clone()).filter(|id| !id.is_empty()));
    let (pools, mut rows) = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let last = match after.as_str() {
                "" => None,
                id => provider::find_within(conn, &reach, id)?,
            };
            let found = provider::search_within(
                conn,
                &reach,
                of_pool.as_deref(),
                &wanted,
                last.as_ref(),
                ROWS as i64 + 1,
            )?;
            let pools = pool::list_within(conn, &reach)?;
            let tenants = tenant::list(conn, &reach, None)?;
            let row = |conn: &mut _, provider: Provider| -> Result<Row, StoreError> {
                let named = |id: &str| tenants.iter().find(|tenant| tenant.id == id);
                let pool = pools.iter().find(|pool| pool.id == provider.user_pool_id);
                Ok(Row {
                    tenant: provider
                        .tenant_id
                        .as_deref()
                        .and_then(named)
                        .map(|t| t.name.clone()),
                    pool: pool.map_or_else(|| provider.user_pool_id.clone(), |pool| pool.name.clone()),
                    last: provider::last_sign_in(conn, &provider.id)?.map(Moment),
                    notices: provider::notices(conn, &provider.id)?,
                    state: provider.state(),
                    id: provider.id,
                    name: provider.name,
                    issuer: provider.issuer,
                })
            };
            let mut rows = Vec::with_capacity(found.len());
            for provider in found {
                rows.push(row(conn, provider)?);
            }
            Ok((pools, rows))
        })
        .await?;
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let next = rows.last().filter(|_| more).map(|last| {
        let pairs = [("q", text.as_str()), ("pool", &pool_id), ("after", &last.id)];
        let said = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        format!("/console/connections?{}", params::encode(said))
    });
    Ok(page::show(&ListPage {
        frame: Frame::new(&admin, "connections", request.query_string()),
        searched: !text.is_empty() || !pool_id.is_empty(),
        text,
        pool: pool_id,
        pools,
        rows,
        next,
    }))
}
