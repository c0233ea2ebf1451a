//! Pure decisions over facts: no I/O, no clock, no database, no async.

pub mod jwks;
pub mod secret;
