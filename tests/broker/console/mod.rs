//! The console, by a browser that knows no JavaScript.

mod account;
mod administrators;
mod audit;
mod clients;
mod connections;
mod credentials;
mod door;
mod drafts;
mod faults;
mod groups;
mod hooks;
mod keys;
mod mapping;
mod overview;
mod passkeys;
mod pools;
mod resource_servers;
mod rooms;
mod set_up;
mod sign_in;
mod sso;
mod tenants;
mod traces;
mod users;
mod watch;
mod webhooks;
