//! The console, by a browser that knows no JavaScript.

mod connections;
mod door;
