//! The store itself, on whichever database the suite runs.

mod parity;
mod single_use;
