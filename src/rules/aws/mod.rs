//! What the AWS JSON 1.1 protocol asks of a request before any operation sees it: a signature (`sigv4`) and members that
//! keep to their shapes (`shapes`).

pub mod provider;
pub mod shapes;
pub mod sigv4;
