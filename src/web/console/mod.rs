//! The console: where operators and tenant admins live. Server-rendered, whole without JavaScript. Each file is one room
//! with its handlers and the structs of its templates (`templates/console/`); this is the route table.
//!
//! A handler takes [`door::Admin`], who is signed in, and for a POST also [`door::Form`], whose CSRF token has been
//! checked. It reads through `model` with the administrator's reach in the query, writes through `actions`, and answers
//! with [`page::show`] or [`page::done`].

pub mod door;
mod groups;
mod home;
pub mod page;
mod problem;
pub mod time;
mod users;

use actix_web::web::ServiceConfig;

use super::resource;

pub use problem::Problem;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console").document(home::overview));
    users::routes(cfg);
    groups::routes(cfg);
}
