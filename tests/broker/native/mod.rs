//! Native users on the login page.

pub mod form;
mod new_password;
