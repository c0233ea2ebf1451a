//! The store itself, on whichever database the suite runs.

mod at_once;
mod parity;
mod single_use;
mod upgrade;
