//! Going live: which apps offer the connection from now on.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{At, Opened, by_tenant, open, within};
use crate::actions::providers::{self, Delivery};
use crate::actions::setup_links;
use crate::broker::Broker;
use crate::error::{Error, StoreError};
use crate::web::console::connect;
use crate::web::console::door::{Admin, Form};
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;
use crate::web::console::time::Moment;

#[derive(Template)]
#[template(path = "console/connections/live.html")]
struct LivePage {
    frame: Frame,
    at: At,
    tested: Option<Moment>,
    /// May go live without a test.
    may_override: bool,
    apps: Vec<Offer>,
    wrong: Option<String>,
}

struct Offer {
    id: String,
    name: String,
    chosen: bool,
}

pub async fn page(
    admin: Admin,
    id: Path<String>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let opened = open(&broker, admin.changes(), &id).await?;
    Ok(page::show(&asked(&admin, &broker, &request, &opened).await?))
}

pub async fn go(
    admin: Admin,
    id: Path<String>,
    form: Form,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let opened = open(&broker, admin.changes(), &id).await?;
    let by_tenant = by_tenant(&admin, &opened.provider.user_pool_id);
    let delivery = Delivery {
        clients: form.all("app").map(str::to_owned).collect(),
        untested: admin.rights.operates && form.is_checked("untested"),
        by_tenant,
    };
    let ctx = admin.ctx(&broker);
    let (reach, wanted, chosen) = (admin.changes().clone(), id.clone(), delivery.clients.clone());
    let link = admin.set_up.as_ref().map(|holder| holder.link.clone());
    let gone = broker
        .db
        .write(move |conn| {
            within(conn, &reach, &wanted)?;
            let provider = providers::go_live(conn, &ctx, &wanted, &delivery)?;
            match &link {
                Some(link) => setup_links::finish(conn, &ctx, link, &provider),
                None => Ok(()),
            }
        })
        .await;
    match gone {
        Ok(()) => {
            broker.forget();
            let next = match admin.set_up {
                Some(_) => connect::HOME.to_owned(),
                None => format!("/console/connections/{id}"),
            };
            Ok(page::done(&next, "live"))
        }
        Err(Error::Conflict(why) | Error::Invalid { why, .. }) => {
            let mut page = asked(&admin, &broker, &request, &opened).await?;
            for app in &mut page.apps {
                app.chosen = chosen.contains(&app.id);
            }
            page.wrong = Some(why);
            Ok(page::refused(&page))
        }
        Err(error) => Err(error.into()),
    }
}

async fn asked(
    admin: &Admin,
    broker: &Broker,
    request: &HttpRequest,
    opened: &Opened,
) -> Result<LivePage, Problem> {
    let (provider, by_tenant) = (
        opened.provider.clone(),
        by_tenant(admin, &opened.provider.user_pool_id),
    );
    let receivers = broker
        .db
        .read(move |conn| -> Result<_, StoreError> { providers::receivers(conn, &provider, by_tenant) })
        .await?;
    Ok(LivePage {
        frame: Frame::new(admin, "connections", request.query_string()),
        at: At::new(admin, opened, "/live"),
        tested: opened.provider.tested_at.map(Moment),
        may_override: admin.rights.operates,
        apps: receivers
            .into_iter()
            .map(|receiver| Offer {
                id: receiver.client.id,
                name: receiver.client.name,
                chosen: receiver.federates,
            })
            .collect(),
        wrong: None,
    })
}
