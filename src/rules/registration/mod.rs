//! What may be registered: names, ids and lengths of everything that an operator or tenant writes down, checked before
//! it is stored. The limits are Cognito's where it has them; every refusal names the field and says what is right.
//!
//! [`uri`] has the rules for redirect and logout URIs, [`client`] for app clients, [`issuer`] for upstream issuers as
//! people type them, [`provider`] for connections, [`pool`] for pools and their attribute schema.

pub mod client;
pub mod issuer;
pub mod pool;
pub mod provider;
pub mod uri;

use crate::error::Error;
use crate::model::resource_server::ResourceServer;
use crate::rules::scope;

/// The name of a pool, a client or a resource server: 1-128 letters, digits, blanks and `+=,.@_-`. Letters may be of
/// any script.
pub fn display_name(field: &str, text: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '+' | '=' | ',' | '.' | '@' | '-');
    if !within(text, 1, 128) || !text.chars().all(allowed) || text.trim() != text {
        return Err(Error::invalid(
            field,
            "must be 1-128 letters, digits, blanks inside, or any of + = , . @ _ -",
        ));
    }
    Ok(())
}

/// A client id: 1-128 of `A-Z a-z 0-9 _ +`.
pub fn client_id(text: &str) -> Result<(), Error> {
    if !within(text, 1, 128) || !text.chars().all(is_word_or_plus) {
        return Err(Error::invalid(
            "client_id",
            "must be 1-128 of A-Z a-z 0-9 _ and +",
        ));
    }
    Ok(())
}

/// A client secret of the caller's own: 24-64 of `A-Z a-z 0-9 _ +`, and not a single character repeated.
pub fn client_secret(text: &str) -> Result<(), Error> {
    if !within(text, 24, 64) || !text.chars().all(is_word_or_plus) {
        return Err(Error::invalid(
            "client_secret",
            "must be 24-64 of A-Z a-z 0-9 _ and +",
        ));
    }
    let first = text.chars().next();
    if text.chars().all(|c| Some(c) == first) {
        return Err(Error::invalid("client_secret", "is one character repeated"));
    }
    Ok(())
}

/// The id of a hook: an ARN as Cognito's `ArnType` has it, 20-2048 characters, digits for the account.
pub fn hook_arn(field: &str, text: &str) -> Result<(), Error> {
    let word = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=/,.@-".contains(c);
        !part.is_empty() && part.chars().all(allowed)
    };
    let parts: Vec<&str> = text.split(':').collect();
    let sound = match parts.as_slice() {
        ["arn", partition, service, region, account, resource @ ..] => {
            word(partition)
                && word(service)
                && (region.is_empty() || word(region))
                && !account.is_empty()
                && account.chars().all(|c| c.is_ascii_digit())
                && (1..=3).contains(&resource.len())
                && resource.iter().all(|part| word(part))
        }
        _ => false,
    };
    if !sound || !within(text, 20, 2_048) {
        return Err(Error::invalid(
            field,
            "must be shaped like arn:aws:lambda:local:000000000000:function:hook-1",
        ));
    }
    Ok(())
}

/// A resource server: identifier and scopes of visible ASCII but `"` and `\`, scope names without `/`, at most 100.
pub fn resource_server(server: &ResourceServer) -> Result<(), Error> {
    if !scope::is_scope(&server.identifier) {
        return Err(Error::invalid(
            "identifier",
            "must be 1-256 visible ASCII characters without blanks, quotes or backslashes",
        ));
    }
    display_name("name", &server.name)?;
    if server.scopes.len() > 100 {
        return Err(Error::invalid("scopes", "a resource server has at most 100"));
    }
    for (at, own) in server.scopes.iter().enumerate() {
        if own.name.contains('/') || !scope::is_scope(&format!("{}/{}", server.identifier, own.name)) {
            return Err(Error::invalid(
                "scopes",
                format!(
                    "'{}' cannot be a scope's name: visible ASCII without blanks, quotes, backslashes and /, \
                     and at most 256 characters together with the identifier",
                    own.name
                ),
            ));
        }
        if own.name.is_empty() || !within(&own.description, 1, 256) {
            return Err(Error::invalid(
                "scopes",
                format!(
                    "'{}' needs a name and a description of 1-256 characters",
                    own.name
                ),
            ));
        }
        if server
            .scopes
            .iter()
            .skip(at + 1)
            .any(|other| other.name == own.name)
        {
            return Err(Error::invalid("scopes", format!("'{}' is there twice", own.name)));
        }
    }
    Ok(())
}

/// Between `least` and `most` characters.
fn within(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count())
}

fn is_word_or_plus(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '+'
}

/// Letters, marks, symbols, numbers and punctuation: what can be seen. Not blanks, controls, private characters or
/// those that only steer how others are shown and so let one name pass for another.
fn is_visible(c: char) -> bool {
    let steers = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}');
    !c.is_control() && !c.is_whitespace() && !steers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Json;
    use crate::model::resource_server::Scope;

    #[test]
    fn the_id_of_a_hook_is_shaped_like_an_arn() {
        for good in [
            "arn:aws:lambda:local:000000000000:function:hook-1",
            "arn:aws:lambda:eu-west-1:123456789012:function:pre/sign.up:live",
            "arn:aws:hook::000000000000:a",
        ] {
            assert!(hook_arn("arn", good).is_ok(), "{good}");
        }
        let long = format!("arn:aws:lambda:local:000000000000:function:{}", "a".repeat(2_048));
        for wrong in [
            "",
            "hook-1",
            "arn:aws:lambda:local:account:function:hook-1",
            "arn:aws:lambda:local::function:hook-1",
            "arn:aws:lambda:local:000000000000:",
            "arn:aws:lambda:local:000000000000:function:a:b:c",
            "arn:aws:lambda:local:000000000000:function:a b",
            "arn:aws:l:l:0:a",
            &long,
        ] {
            assert!(hook_arn("arn", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_ids_and_secrets_keep_to_cognitos_limits() {
        for right in [
            "a",
            "Acme Inc., east+west=both @home_1-2",
            "Müller",
            &"x".repeat(128),
        ] {
            assert!(display_name("name", right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            " a",
            "a ",
            "a\nb",
            "a/b",
            "<b>",
            "a\u{202e}b",
            &"x".repeat(129),
        ] {
            assert!(display_name("name", wrong).is_err(), "{wrong:?}");
        }
        for right in ["a", "demowebapp0000000000000001", "A_b+9"] {
            assert!(client_id(right).is_ok(), "{right}");
        }
        for wrong in ["", "a b", "a-b", "ä", &"x".repeat(129)] {
            assert!(client_id(wrong).is_err(), "{wrong:?}");
        }
        assert!(client_secret("demo_secret_for_the_sample_web_app_0001").is_ok());
        for wrong in [
            "short_secret",
            &"ab".repeat(33),
            &"a".repeat(30),
            "has-a-dash-in-it-and-is-long",
        ] {
            assert!(client_secret(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn resource_servers_have_distinct_well_formed_scopes() {
        let server = |identifier: &str, scopes: &[(&str, &str)]| ResourceServer {
            user_pool_id: "us-local-1_Pool".into(),
            identifier: identifier.into(),
            name: "Demo API".into(),
            scopes: Json(
                scopes
                    .iter()
                    .map(|(name, description)| Scope {
                        name: (*name).into(),
                        description: (*description).into(),
                    })
                    .collect(),
            ),
        };
        for right in [
            server("demo-api", &[("read", "Read"), ("write", "Write")]),
            server("https://api.example.com/v1", &[("read", "Read")]),
            server("empty", &[]),
        ] {
            assert!(resource_server(&right).is_ok(), "{right:?}");
        }
        for wrong in [
            server("", &[]),
            server("a b", &[]),
            server("api", &[("", "Read")]),
            server("api", &[("read", "")]),
            server("api", &[("a/b", "Read")]),
            server("api", &[("a b", "Read")]),
            server("api", &[("read", "One"), ("read", "Two")]),
            server("api", &[(&"x".repeat(256), "Too long together")]),
        ] {
            assert!(resource_server(&wrong).is_err(), "{wrong:?}");
        }
    }
}
