//! Searching text as people type it: anywhere in the text, whatever the case.

use diesel::define_sql_function;
use diesel::sql_types::Text;

define_sql_function! {
    /// Lower case; on SQLite of ASCII letters only.
    fn lower(text: Text) -> Text;
}

/// The pattern for `lower(column) LIKE … ESCAPE '!'` that finds what was typed, as it was typed.
pub fn anywhere(typed: &str) -> String {
    let mut pattern = String::from("%");
    for c in typed.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern + "%"
}

/// A pattern that finds the text in JSON, too, and on either database whatever the case: where these differ it takes
/// anything. What it finds is to be compared.
pub fn loosely(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | ' ' | '-' | '.' | '@') => pattern.push(c),
            _ if pattern.ends_with('%') => {}
            _ => pattern.push('%'),
        }
    }
    if !pattern.ends_with('%') {
        pattern.push('%');
    }
    pattern
}

/// The same for what begins with it.
pub fn beginning(typed: &str) -> String {
    anywhere(typed).split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_no_pattern() {
        assert_eq!(anywhere("A_b%!"), "%a!_b!%!!%");
        assert_eq!(anywhere(""), "%%");
        assert_eq!(beginning("User_"), "user!_%");
        assert_eq!(loosely("Ä-17/b\"_!"), "%-17%b%");
        assert_eq!(loosely("17"), "%17%");
        assert_eq!(loosely("ÄÖ"), "%");
    }
}
