//! The overview: the console's first page.

use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::door::Admin;
use super::page::{self, Frame};

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Overview {
    frame: Frame,
}

pub async fn overview(admin: Admin, request: HttpRequest) -> HttpResponse {
    page::show(&Overview {
        frame: Frame::new(&admin, "overview", request.query_string()),
    })
}
