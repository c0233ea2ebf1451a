//! Filters of the templates.

/// A link or form target as it may stand on a page. Escaping does not stop `javascript:`, and although the
/// content security policy does, a target that would run as script or open as a document of ours becomes `#`.
/// Schemes of native apps pass: they are registered redirect URIs.
#[askama::filter_fn]
pub fn link<'a>(target: &'a str, _: &dyn askama::Values) -> askama::Result<&'a str> {
    Ok(if runs_as_script(target) { "#" } else { target })
}

const NOT_LINKED: [&str; 6] = [
    "javascript",
    "data",
    "vbscript",
    "blob",
    "view-source",
    "filesystem",
];

/// Browsers skip white space and control characters in a scheme (WHATWG URL, basic URL parser).
fn runs_as_script(target: &str) -> bool {
    let mut scheme = String::new();
    for c in target.chars().filter(|c| !c.is_whitespace() && !c.is_control()) {
        match c {
            ':' => return NOT_LINKED.contains(&scheme.as_str()),
            '/' | '?' | '#' => return false,
            _ if scheme.len() > 16 => return false,
            _ => scheme.push(c.to_ascii_lowercase()),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::runs_as_script;

    #[test]
    fn a_target_that_would_run_as_script_is_told_from_a_link() {
        for target in [
            "javascript:alert(1)",
            " JavaScript:alert(1)",
            "java\tscr\nipt:alert(1)",
            "\u{1}javascript:alert(1)",
            "data:text/html,<script>alert(1)</script>",
            "vbscript:x",
            "blob:https://app.test/1",
        ] {
            assert!(runs_as_script(target), "{target:?}");
        }
        for target in [
            "/login?next=javascript:alert(1)",
            "https://app.test/callback?x=data:",
            "com.example.app:/callback",
            "myapp://callback",
            "?javascript:",
            "datapoint:/callback",
            "javascript/callback",
            "",
        ] {
            assert!(!runs_as_script(target), "{target:?}");
        }
    }
}
