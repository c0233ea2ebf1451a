//! What the AWS JSON 1.1 protocol asks of a request before any operation sees it: a signature (`sigv4`) and members that
//! keep to their shapes (`shapes`); and the language in which users are searched for (`filter`).

pub mod filter;
#[cfg(test)]
mod inventory;
pub mod provider;
pub mod shapes;
pub mod sigv4;
