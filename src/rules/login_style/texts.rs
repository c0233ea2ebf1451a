//! What a login page says in an organisation's own words: `texts` in the settings document of managed login, by language as
//! Cognito names languages (`cognito:default`, `cognito:german`). Cognito's own document has no texts; this member is ours.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The language in which a page speaks that has no words of its own language.
pub const ANY_LANGUAGE: &str = "cognito:default";

/// Plain text, shown as it stands: no markup, no line breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Texts {
    /// In the place of "Sign in to …", up to 80 characters.
    pub heading: Option<String>,
    /// Below the heading, up to 400 characters.
    pub introduction: Option<String>,
    /// Below everything: whom to ask, up to 400 characters.
    pub help: Option<String>,
}

/// The texts of a settings document by language; the error says what is wrong with which.
pub fn texts(settings: &Value) -> Result<BTreeMap<String, Texts>, String> {
    let Some(texts) = settings.get("texts") else {
        return Ok(BTreeMap::new());
    };
    let languages = BTreeMap::<String, Texts>::deserialize(texts).map_err(|why| format!("texts: {why}"))?;
    for (language, texts) in &languages {
        if !language.starts_with("cognito:") {
            return Err(format!(
                "texts: '{language}' is no language: it must be {ANY_LANGUAGE}, or one like cognito:german"
            ));
        }
        texts
            .check()
            .map_err(|(name, why)| format!("texts: {name} of {language} {why}"))?;
    }
    Ok(languages)
}

impl Texts {
    /// Whether each can be shown; else which cannot, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        for (name, text, longest) in [
            ("heading", &self.heading, 80),
            ("introduction", &self.introduction, 400),
            ("help", &self.help, 400),
        ] {
            let Some(text) = text else { continue };
            if text.trim().is_empty() || text.chars().count() > longest || text.chars().any(is_unfit) {
                let why = format!("must be 1 to {longest} characters of plain text in one line");
                return Err((name, why));
            }
        }
        Ok(())
    }

    /// These, and of the others what these leave out.
    pub fn over(self, others: Texts) -> Texts {
        Texts {
            heading: self.heading.or(others.heading),
            introduction: self.introduction.or(others.introduction),
            help: self.help.or(others.help),
        }
    }
}

/// Control characters, and those that turn the direction of the text beside them.
fn is_unfit(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_plain_and_bounded() {
        let of = |value: Value| texts(&json!({ "texts": value }));
        assert!(texts(&json!({ "components": {} })).unwrap().is_empty());
        let kept = of(json!({ "cognito:default": { "heading": "Welcome <b>" } })).unwrap();
        assert_eq!(kept[ANY_LANGUAGE].heading.as_deref(), Some("Welcome <b>"));
        for (wrong, says) in [
            (json!("Welcome"), "texts: "),
            (json!({ "german": {} }), "'german' is no language"),
            (json!({ "cognito:default": { "headline": "x" } }), "headline"),
            (
                json!({ "cognito:default": { "heading": "x".repeat(81) } }),
                "1 to 80",
            ),
            (json!({ "cognito:default": { "help": " " } }), "help"),
            (
                json!({ "cognito:german": { "introduction": "a\nb" } }),
                "cognito:german",
            ),
            (json!({ "cognito:default": { "help": "a\u{202e}b" } }), "help"),
        ] {
            let why = of(wrong).unwrap_err();
            assert!(why.contains(says), "{says}: {why}");
        }
    }
}
