//! Scopes: which exist, how a list of them is written (RFC 6749 §3.3), and which a client may be registered for.

use crate::model::resource_server::ResourceServer;

/// The scopes that every pool has. `offline_access` is not one of them: a client with the code flow gets refresh
/// tokens without asking, as in Cognito.
pub const STANDARD: &[&str] = &[
    "openid",
    "email",
    "phone",
    "profile",
    "aws.cognito.signin.user.admin",
];

/// A `scope` parameter as a list: split at blanks, every scope once, in the order given.
pub fn parse(text: &str) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
        if !scopes.iter().any(|seen| seen == scope) {
            scopes.push(scope.to_owned());
        }
    }
    scopes
}

/// Whether the text can be a scope: RFC 6749 §3.3 `scope-token`, at most 256 characters.
pub fn is_scope(text: &str) -> bool {
    (1..=256).contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// Whether it is one of the scopes that OpenID Connect and Cognito define.
pub fn is_standard(scope: &str) -> bool {
    STANDARD.contains(&scope)
}

/// Whether the pool has this scope: a standard one, or `<identifier>/<name>` of one of its resource servers.
pub fn exists(scope: &str, servers: &[ResourceServer]) -> bool {
    is_standard(scope)
        || servers
            .iter()
            .any(|server| names(server).any(|name| name == scope))
}

/// A resource server's scopes as clients ask for them: `<identifier>/<name>`.
pub fn names(server: &ResourceServer) -> impl Iterator<Item = String> + '_ {
    server
        .scopes
        .iter()
        .map(|scope| format!("{}/{}", server.identifier, scope.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Json;
    use crate::model::resource_server::Scope;

    fn server() -> ResourceServer {
        ResourceServer {
            user_pool_id: "us-local-1_Pool".into(),
            identifier: "https://api.example.com/v1".into(),
            name: "API".into(),
            scopes: Json(vec![Scope {
                name: "read".into(),
                description: "Read".into(),
            }]),
        }
    }

    #[test]
    fn a_list_is_split_at_blanks_and_holds_each_scope_once() {
        assert_eq!(parse("openid  email openid "), ["openid", "email"]);
        assert_eq!(parse(""), Vec::<String>::new());
        // Only the blank separates: a tab stays in the scope, which `is_scope` then refuses.
        assert_eq!(parse("a\tb"), ["a\tb"]);
    }

    #[test]
    fn a_scope_has_the_characters_of_rfc_6749_section_3_3() {
        for right in ["openid", "demo-api/read", "https://api.example.com/v1/read", "!"] {
            assert!(is_scope(right), "{right}");
        }
        for wrong in ["", "a b", "a\"b", "a\\b", "a\tb", "é", &"x".repeat(257)] {
            assert!(!is_scope(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_pool_has_the_standard_scopes_and_those_of_its_resource_servers() {
        let servers = [server()];
        assert!(exists("openid", &servers));
        assert!(exists("https://api.example.com/v1/read", &servers));
        for unknown in [
            "https://api.example.com/v1/write",
            "read",
            "offline_access",
            "OPENID",
        ] {
            assert!(!exists(unknown, &servers), "{unknown}");
        }
    }
}
