//! Native users on the login page.

mod form;
mod new_password;
