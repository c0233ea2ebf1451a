//! The console, by a browser that knows no JavaScript.

mod account;
mod administrators;
mod audit;
mod clients;
mod connections;
mod door;
mod faults;
mod groups;
mod keys;
mod overview;
mod passkeys;
mod set_up;
mod sign_in;
mod sso;
mod pools;
mod resource_servers;
mod rooms;
mod tenants;
mod traces;
mod users;
mod watch;
mod webhooks;
mod mapping;
