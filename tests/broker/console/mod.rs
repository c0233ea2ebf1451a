//! The console, by a browser that knows no JavaScript.

mod audit;
mod connections;
mod door;
mod faults;
mod groups;
mod overview;
mod traces;
mod users;
mod watch;
mod webhooks;
mod mapping;
