//! `forebay demo` and the stand-ins that it and the tests use.

pub mod app;
pub mod okta;
