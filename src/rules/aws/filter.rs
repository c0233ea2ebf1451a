//! The filter of `ListUsers`: `<attribute> <operator> "<value>"`, where the operator is `=` (is) or `^=` (begins with) and
//! a quote or a backslash inside the value stands behind a backslash. One attribute, no `and`, no `or`; an empty filter
//! is none. Blanks around the operator do not matter; the attribute may stand in quotes, too.
//!
//! ```
//! use forebay::model::user::directory::{Field, Filter};
//! use forebay::rules::aws::filter::parse;
//!
//! let filter = parse(r#"family_name ^= "O\"Neil""#).unwrap();
//! assert_eq!(filter, Some(Filter { field: Field::FamilyName, begins: true, value: "O\"Neil".into() }));
//! ```

use std::fmt;

use crate::model::user::directory::Filter;

/// Why a filter says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Not in the form above.
    Syntax,
    /// No attribute of that name is searched by.
    Attribute(String),
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mistake::Syntax => f.write_str("Error while parsing filter"),
            Mistake::Attribute(name) => write!(f, "Invalid search attribute: {name}"),
        }
    }
}

/// What the filter asks for; `None` when it is empty and asks for everybody.
pub fn parse(text: &str) -> Result<Option<Filter>, Mistake> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    // No attribute's name has an equals sign, so the first one is the operator's.
    let (left, right) = text.split_once('=').ok_or(Mistake::Syntax)?;
    let (left, begins) = match left.strip_suffix('^') {
        Some(left) => (left, true),
        None => (left, false),
    };
    let name = attribute(left.trim())?;
    let value = value(right.trim())?;
    let field = name.parse().map_err(|_| Mistake::Attribute(name.to_owned()))?;
    Ok(Some(Filter { field, begins, value }))
}

fn attribute(text: &str) -> Result<&str, Mistake> {
    let name = text
        .strip_prefix('"')
        .map_or(Some(text), |rest| rest.strip_suffix('"'))
        .ok_or(Mistake::Syntax)?;
    let odd = |c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '^' | '~' | '!' | '<' | '>');
    if name.is_empty() || name.contains(odd) {
        return Err(Mistake::Syntax);
    }
    Ok(name)
}

/// What stands between the quotes.
fn value(text: &str) -> Result<String, Mistake> {
    let mut letters = text.strip_prefix('"').ok_or(Mistake::Syntax)?.chars();
    let mut value = String::new();
    loop {
        match letters.next().ok_or(Mistake::Syntax)? {
            '"' => break,
            '\\' => match letters.next() {
                Some(letter @ ('"' | '\\')) => value.push(letter),
                _ => return Err(Mistake::Syntax),
            },
            letter => value.push(letter),
        }
    }
    // Whatever comes after the closing quote would be another condition.
    if letters.next().is_some() {
        return Err(Mistake::Syntax);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::user::directory::Field;

    fn one(field: Field, begins: bool, value: &str) -> Result<Option<Filter>, Mistake> {
        Ok(Some(Filter {
            field,
            begins,
            value: value.into(),
        }))
    }

    #[test]
    fn filters_that_say_something() {
        for (text, expected) in [
            (r#"username = "ann""#, one(Field::Username, false, "ann")),
            (r#"email="a@b.test""#, one(Field::Email, false, "a@b.test")),
            (
                r#"  phone_number^="+1 4"  "#,
                one(Field::PhoneNumber, true, "+1 4"),
            ),
            (
                r#"cognito:user_status ^= "CONF""#,
                one(Field::UserStatus, true, "CONF"),
            ),
            (r#""sub" = "9a""#, one(Field::Sub, false, "9a")),
            (r#"status = "Enabled""#, one(Field::Status, false, "Enabled")),
            (
                r#"name = "a \"b\" \\ c""#,
                one(Field::Name, false, r#"a "b" \ c"#),
            ),
            (
                r#"given_name = "x = \"y\"""#,
                one(Field::GivenName, false, r#"x = "y""#),
            ),
            (
                r#"preferred_username ^= """#,
                one(Field::PreferredUsername, true, ""),
            ),
            ("", Ok(None)),
            ("  ", Ok(None)),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn filters_that_say_nothing() {
        for text in [
            "email",
            "email =",
            "email = ann",
            "email = 'ann'",
            r#"= "ann""#,
            r#"email "ann""#,
            r#"email == "ann""#,
            r#"email ~= "ann""#,
            r#"email ^ = "ann""#,
            r#"email ^^= "ann""#,
            r#"email = "ann"#,
            r#"email = "ann\""#,
            r#"email = "a\nn""#,
            r#"email = "a"b""#,
            r#"email = "ann" and name = "b""#,
            r#""email = "ann""#,
            r#"email or name = "ann""#,
        ] {
            assert_eq!(parse(text), Err(Mistake::Syntax), "{text}");
        }
        for name in [
            "custom:department",
            "enabled",
            "Email",
            "locale",
            "email_verified",
        ] {
            let mistake = parse(&format!(r#"{name} = "x""#)).unwrap_err();
            assert_eq!(mistake.to_string(), format!("Invalid search attribute: {name}"));
        }
        assert_eq!(
            parse("email").unwrap_err().to_string(),
            "Error while parsing filter"
        );
    }
}
