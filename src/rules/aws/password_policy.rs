//! A pool's password policy (`Policies.PasswordPolicy`): what a native user's password must have, in Cognito's words.

use serde::Deserialize;
use serde_json::Value;

use crate::model::pool::Settings;

/// What Cognito calls symbols; a blank between other characters is one, too.
const SYMBOLS: &str = "^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+= ";
/// In bytes: no hash is made of more.
const LONGEST: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Policy {
    pub minimum_length: usize,
    pub require_uppercase: bool,
    pub require_lowercase: bool,
    pub require_numbers: bool,
    pub require_symbols: bool,
    pub temporary_password_validity_days: i64,
}

impl Default for Policy {
    /// Where a policy leaves something out.
    fn default() -> Self {
        Policy {
            minimum_length: 8,
            require_uppercase: false,
            require_lowercase: false,
            require_numbers: false,
            require_symbols: false,
            temporary_password_validity_days: 7,
        }
    }
}

impl Policy {
    /// The pool's; Cognito's own where the pool has none.
    pub fn of(settings: &Settings) -> Policy {
        let set = settings
            .cognito
            .get("Policies")
            .and_then(|policies| policies.get("PasswordPolicy"))
            .filter(|policy| policy.is_object());
        set.and_then(|policy| Policy::deserialize(without_nulls(policy)).ok())
            .unwrap_or(Policy {
                require_uppercase: true,
                require_lowercase: true,
                require_numbers: true,
                require_symbols: true,
                ..Policy::default()
            })
    }

    /// Whether the password conforms; if not, what Cognito says.
    pub fn check(&self, password: &str) -> Result<(), String> {
        let has = |is: fn(char) -> bool| password.chars().any(is);
        let missing = if password.chars().count() < self.minimum_length.max(1) {
            "Password not long enough"
        } else if password.len() > LONGEST {
            "Password must have at most 256 bytes"
        } else if self.require_uppercase && !has(char::is_uppercase) {
            "Password must have uppercase characters"
        } else if self.require_lowercase && !has(char::is_lowercase) {
            "Password must have lowercase characters"
        } else if self.require_numbers && !has(|c| c.is_ascii_digit()) {
            "Password must have numeric characters"
        } else if self.require_symbols && !has(|c| SYMBOLS.contains(c)) {
            "Password must have symbol characters"
        } else if password != password.trim() {
            "Password must not begin or end with a blank"
        } else {
            return Ok(());
        };
        Err(format!("Password did not conform with policy: {missing}"))
    }
}

/// Zero days and left-out members both stand for the default.
fn without_nulls(policy: &Value) -> Value {
    let mut policy = policy.clone();
    if let Some(members) = policy.as_object_mut() {
        members.retain(|_, value| !value.is_null() && value.as_i64() != Some(0));
    }
    policy
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(set: Value) -> Policy {
        let mut settings = Settings::default();
        settings
            .cognito
            .insert("Policies".into(), json!({ "PasswordPolicy": set }));
        Policy::of(&settings)
    }

    #[test]
    fn a_pool_without_a_policy_has_cognito_s() {
        let policy = Policy::of(&Settings::default());
        assert_eq!(policy.check("Correct-Horse-1"), Ok(()));
        for (wrong, why) in [
            ("Sh-0rt", "not long enough"),
            ("correct-horse-1", "uppercase"),
            ("CORRECT-HORSE-1", "lowercase"),
            ("Correct-Horse-x", "numeric"),
            ("CorrectHorse1", "symbol"),
            (" Correct-Horse-1", "blank"),
        ] {
            let said = policy.check(wrong).expect_err(wrong);
            assert!(
                said.starts_with("Password did not conform with policy: "),
                "{said}"
            );
            assert!(said.contains(why), "{said}");
        }
        assert!(policy.check(&"Aa1-".repeat(100)).is_err());
    }

    #[test]
    fn a_policy_asks_for_what_it_names_and_no_more() {
        let long = policy(
            json!({ "MinimumLength": 12, "TemporaryPasswordValidityDays": 0, "RequireNumbers": null }),
        );
        assert_eq!(long.check("twelve words"), Ok(()));
        assert!(long.check("too few").is_err());
        assert_eq!(long.temporary_password_validity_days, 7);
        assert!(
            policy(json!({ "MinimumLength": 6, "RequireNumbers": true }))
                .check("number")
                .is_err()
        );
    }
}
