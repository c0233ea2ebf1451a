//! Pure decisions over facts: no I/O, no clock, no database, no async.

pub mod attribute;
pub mod claims;
pub mod email;
pub mod jwks;
pub mod mapping;
pub mod redact;
pub mod secret;
