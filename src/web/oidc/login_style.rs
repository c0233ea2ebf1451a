//! `/login/style/{client}/{file}`: the style sheet and the picture of an app's login page, from our own origin and as
//! nothing else than what they are.

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
        Some(file) => HttpResponse::Ok()
            // The name changes with the content.
            .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'"))
            .insert_header(("Cross-Origin-Resource-Policy", "same-origin"))
            .content_type(file.content_type)
            .body(file.body.clone()),
        None => error::not_found(request).await,
    }
}

/// The path of one of an app's files.
pub fn href(app: &App, file: &File) -> String {
    format!("/login/style/{}/{}", app.client.id, file.name)
}
