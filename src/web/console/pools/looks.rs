//! How a tenant's own login pages look: for the tenant's administrators, too.

use actix_web::http::header;
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::Problem;
use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::page::{self, Frame};
use crate::actions::tenant_looks::{self, Logo};
use crate::actions::tenants;
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::Error;
use crate::model::reach::Reach;
use crate::model::tenant::Tenant;
use crate::model::tenant_look::{Content, TenantLook};
use crate::rules::domain::Place;
use crate::rules::login_style::Picture;
use crate::web::resource;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        resource("/console/pools/{pool}/tenants/{tenant}/look")
            .document(show)
            .post(save),
    )
    .service(resource("/console/pools/{pool}/tenants/{tenant}/look/logo").document(logo));
}

#[derive(Template)]
#[template(path = "console/tenants/look.html")]
struct Page {
    frame: Frame,
    mistakes: Mistakes,
    tenant: Tenant,
    /// Its own host.
    origin: String,
    content: Content,
    has_logo: bool,
    may_change: bool,
}

fn path(pool_id: &str, tenant_id: &str) -> String {
    format!("/console/pools/{pool_id}/tenants/{tenant_id}/look")
}

/// The tenant, of that pool and within reach, with its look.
fn found(
    conn: &mut Conn,
    reach: &Reach,
    pool_id: &str,
    id: &str,
) -> Result<(Tenant, Option<TenantLook>), Error> {
    let tenant = tenants::find(conn, reach, id)?;
    if tenant.user_pool_id != pool_id {
        return Err(Error::not_found("tenant", id));
    }
    let look = tenant_looks::find(conn, reach, id)?;
    Ok((tenant, look))
}

async fn prepare(
    admin: &Admin,
    broker: &Broker,
    (pool_id, id): (String, String),
    query: &str,
) -> Result<Page, Problem> {
    let sees = admin.sees().clone();
    let (tenant, look) = broker
        .db
        .read(move |conn| found(conn, &sees, &pool_id, &id))
        .await?;
    let changes = admin.changes();
    Ok(Page {
        frame: Frame::new(admin, "pools", query),
        mistakes: Mistakes::default(),
        origin: broker.place.origin_below(&Place::of_tenant(&tenant.id)),
        may_change: changes.has_pool(&tenant.user_pool_id) || changes.tenants.contains(&tenant.id),
        has_logo: look.as_ref().is_some_and(|look| look.logo.is_some()),
        content: look.map(|look| look.content.0).unwrap_or_default(),
        tenant,
    })
}

async fn show(
    admin: Admin,
    request: HttpRequest,
    at: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let page = prepare(&admin, &broker, at.into_inner(), request.query_string()).await?;
    Ok(page::show(&page))
}

async fn save(
    admin: Admin,
    form: Form,
    at: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let whose = at.into_inner();
    let back = path(&whose.0, &whose.1);
    let text = |name: &str| Some(form.text(name).to_owned()).filter(|text| !text.is_empty());
    let content = Content {
        accent: text("accent"),
        background: text("background"),
        heading: text("heading"),
        introduction: text("introduction"),
        help: text("help"),
    };
    // A file arrives as base64 of its bytes; the field without a file arrives empty.
    let logo = match (text("logo"), form.is_checked("no_logo")) {
        (Some(sent), _) => Logo::Is(STANDARD.decode(sent).unwrap_or_default()),
        (None, true) => Logo::Goes,
        (None, false) => Logo::Stays,
    };
    let (ctx, reach) = (admin.ctx(&broker), admin.changes().clone());
    let (wanted, kept) = (whose.clone(), content.clone());
    let saved = broker
        .db
        .write(move |conn| {
            let (tenant, _) = found(conn, &reach, &wanted.0, &wanted.1)?;
            tenant_looks::set(conn, &ctx, &reach, &tenant.id, kept, logo)
        })
        .await;
    match saved {
        Ok(_) => {
            broker.forget();
            Ok(page::done(&back, "saved"))
        }
        Err(error) => {
            let mistakes = Mistakes::of(error, "logo")?;
            let mut page = prepare(&admin, &broker, whose, "").await?;
            page.mistakes = mistakes;
            page.content = content;
            Ok(page::refused(&page))
        }
    }
}

/// The picture as it is now, for the page that changes it.
async fn logo(
    admin: Admin,
    at: Path<(String, String)>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let (sees, (pool_id, id)) = (admin.sees().clone(), at.into_inner());
    let (_, look) = broker
        .db
        .read(move |conn| found(conn, &sees, &pool_id, &id))
        .await?;
    let bytes = look.and_then(|look| look.logo).ok_or(Problem::NotFound)?;
    let picture = Picture::of(&bytes).ok_or(Problem::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'"))
        .content_type(picture.content_type())
        .body(bytes))
}
