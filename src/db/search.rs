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
    }
}
