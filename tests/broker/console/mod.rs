//! The console, by a browser that knows no JavaScript.

mod clients;
mod door;
mod keys;
mod pools;
mod resource_servers;
mod rooms;
mod tenants;
