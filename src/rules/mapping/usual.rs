//! The mapping of a connection for which nothing is said: what nearly every app wants to know of a user, each attribute
//! from the claim of its name.

use crate::model::mapping::{Rule, Rules, Source};

const USUAL: [&str; 5] = ["email", "email_verified", "name", "given_name", "family_name"];

pub fn usual() -> Rules {
    Rules {
        attributes: USUAL
            .iter()
            .map(|name| Rule::new(*name, Source::claim(*name)))
            .collect(),
        groups: None,
    }
}
