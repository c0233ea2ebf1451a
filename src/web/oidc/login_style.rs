//! `/login/style/{client}/{file}`: the style sheet and the picture of an app's login page, from our own origin and as
//! nothing else than what they are; `/login/style/{client}/{tenant}/{file}` where they are a tenant's.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::error;
use crate::broker::{App, Broker, File};
use crate::web::domains;

pub async fn get(request: HttpRequest, path: Path<(String, String)>, broker: Data<Broker>) -> HttpResponse {
    let (client_id, name) = path.into_inner();
    let app = match domains::app(&request, &broker, &client_id).await {
        Ok(app) => app,
        Err(cause) => return error::store(&request, &cause),
    };
    let file = app.as_ref().and_then(|app| {
        let files = [&app.look.style, &app.look.logo];
        files.into_iter().flatten().find(|file| file.name == name)
    });
    match file {
        Some(file) => served(file),
        None => error::not_found(request).await,
    }
}

/// What is the app's is not found here: a tenant that there is not, or that has set nothing, answers alike.
pub async fn of_tenant(
    request: HttpRequest,
    path: Path<(String, String, String)>,
    broker: Data<Broker>,
) -> HttpResponse {
    let (client_id, tenant_id, name) = path.into_inner();
    let app = match domains::app_led_to(&request, &broker, &client_id, &tenant_id).await {
        Ok(app) => app,
        Err(cause) => return error::store(&request, &cause),
    };
    let file = app.as_ref().and_then(|app| {
        let dress = app.dress.as_ref()?;
        let files = [&dress.style, &dress.logo];
        files.into_iter().flatten().find(|file| file.name == name)
    });
    match file {
        Some(file) => served(file),
        None => error::not_found(request).await,
    }
}

fn served(file: &File) -> HttpResponse {
    HttpResponse::Ok()
        // The name changes with the content.
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'"))
        .insert_header(("Cross-Origin-Resource-Policy", "same-origin"))
        .content_type(file.content_type)
        .body(file.body.clone())
}

/// The path of one of an app's files.
pub fn href(app: &App, file: &File) -> String {
    format!("/login/style/{}/{}", app.client.id, file.name)
}

/// The path of one of the files of the tenant whose page it is.
pub fn href_of_tenant(app: &App, file: &File) -> String {
    let tenant = app.offer.tenant_id.as_deref().unwrap_or_default();
    format!("/login/style/{}/{tenant}/{}", app.client.id, file.name)
}
