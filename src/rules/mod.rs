//! Pure decisions over facts: no I/O, no clock, no database, no async.

pub mod secret;
