//! The mapping of a connection for which nothing is said: what nearly every app wants to know of a user, each attribute
//! from the claim of its name.

use super::parse;
use crate::model::mapping::Rules;

const USUAL: [&str; 5] = ["email", "email_verified", "name", "given_name", "family_name"];

pub fn usual() -> Rules {
    let texts: Vec<String> = USUAL.iter().map(|name| format!("{name}={name}")).collect();
    Rules {
        attributes: parse::rules(&texts).unwrap_or_default(),
        ..Rules::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_them_is_a_rule() {
        assert_eq!(usual().attributes.len(), USUAL.len());
    }
}
