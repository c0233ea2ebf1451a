//! What the AWS JSON 1.1 protocol asks of a request before any operation sees it: a signature (`sigv4`) and members that
//! keep to their shapes (`shapes`). And the rules of Cognito's own sign-in: which flows a client has (`auth_flow`), how
//! passwords must be (`password_policy`), how they are proved without being sent (`srp`), and the language in
//! which users are searched for (`filter`).

pub mod auth_flow;
pub mod filter;
#[cfg(test)]
mod inventory;
pub mod password_policy;
pub mod provider;
pub mod shapes;
pub mod sigv4;
pub mod srp;
