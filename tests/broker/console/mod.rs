//! The console, by a browser that knows no JavaScript.

mod account;
mod administrators;
mod audit;
mod connections;
mod door;
mod faults;
mod groups;
mod overview;
mod passkeys;
mod set_up;
mod sign_in;
mod sso;
mod traces;
mod users;
mod watch;
mod webhooks;
