//! The console, by a browser that knows no JavaScript.

mod audit;
mod connections;
mod door;
mod watch;
mod webhooks;
mod faults;
mod overview;
mod traces;
