//! The console: where operators and tenant admins live. Server-rendered, whole without JavaScript. Each file is one room
//! with its handlers and the structs of its templates (`templates/console/`); this is the route table.
//!
//! A handler takes [`door::Admin`], who is signed in, and for a POST also [`door::Form`], whose CSRF token has been
//! checked. It reads through `model` with the administrator's reach in the query, writes through `actions`, and answers
//! with [`page::show`] or [`page::done`].

mod account;
mod administrators;
mod audit;
mod chart;
mod clients;
mod connect;
pub mod connections;
mod contract;
mod credentials;
pub mod door;
mod filled;
mod groups;
mod guest;
mod home;
mod hooks;
mod links;
mod lists;
mod mapping;
pub mod page;
mod passkeys;
mod places;
mod pools;
mod problem;
mod prove;
mod roles;
mod sign_in;
mod sso;
pub mod time;
mod toolbar;
mod traces;
mod users;
mod webhooks;

use actix_web::web::ServiceConfig;

use super::resource;

pub use problem::Problem;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(resource("/console").document(home::overview))
        .configure(sign_in::routes)
        .configure(prove::routes)
        .configure(passkeys::routes)
        .configure(links::routes)
        .configure(connect::routes)
        .configure(sso::routes)
        .configure(account::routes)
        .configure(administrators::routes)
        .configure(traces::routes)
        .configure(audit::routes)
        .configure(webhooks::routes)
        .configure(hooks::routes)
        .configure(credentials::routes)
        .configure(pools::routes)
        .configure(clients::routes)
        .configure(connections::routes)
        .configure(users::routes)
        .configure(groups::routes)
        .configure(mapping::routes)
        .configure(contract::routes);
}
