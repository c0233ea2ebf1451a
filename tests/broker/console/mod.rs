//! The console, by a browser that knows no JavaScript.

mod door;
mod groups;
mod users;
