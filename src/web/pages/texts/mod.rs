//! The fixed texts of the end-user pages in the languages of Cognito's `lang` parameter.
//!
//! Only what is the same for everyone stands here: headings, labels, buttons. Sentences that explain one particular
//! refusal are written where the refusal is decided, in English; the pages mark them with their own `lang`
//! attribute (WCAG 2.2, 3.1.2).

mod languages;

use languages::{DE, EN, ES, FR, ID, IT, JA, KO, PT_BR, ZH_CN, ZH_TW};

/// Every fixed text in one language. In the private templates `{}` stands for a name.
#[derive(Debug)]
pub struct Texts {
    /// The language as an HTML `lang` attribute and as the `lang` parameter spell it.
    pub lang: &'static str,
    /// Heads an error's name; opens the window title when something is wrong.
    pub error: &'static str,
    /// Heading of an error page that has no better one.
    pub sign_in_failed: &'static str,
    /// Label of an action that starts again.
    pub try_again: &'static str,
    pub sign_in: &'static str,
    sign_in_to: &'static str,
    /// Between the buttons and the email field.
    pub or: &'static str,
    pub work_email: &'static str,
    pub work_email_hint: &'static str,
    /// "Continue" on a button.
    pub proceed: &'static str,
    /// The form of users with a password of ours.
    pub username: &'static str,
    pub password: &'static str,
    /// The page that follows a temporary password.
    pub new_password: &'static str,
    pub new_password_title: &'static str,
    pub new_password_hint: &'static str,
    /// The login page of an app without any connection.
    pub no_way_in: &'static str,
    pub no_way_in_next: &'static str,
    pub what_to_do: &'static str,
    /// Heads the trace code.
    pub reference: &'static str,
    pub reference_hint: &'static str,
    pub for_administrator: &'static str,
    pub copy_hint: &'static str,
    pub details: &'static str,
    /// The `form_post` page.
    pub returning: &'static str,
    pub returning_hint: &'static str,
    pub sign_out: &'static str,
    sign_out_of: &'static str,
    pub sign_out_hint: &'static str,
    /// "No" to the question whether to sign out.
    pub stay: &'static str,
    pub signed_out: &'static str,
    signed_out_of: &'static str,
    /// The warning that the organisation's own session goes on.
    pub still_signed_in: &'static str,
    return_to: &'static str,
    pub signed_in_as: &'static str,
    continue_to: &'static str,
    pub other_account: &'static str,
    /// Links of the login page.
    pub terms_of_use: &'static str,
    pub privacy_policy: &'static str,
}

/// All languages, English first.
static ALL: [&Texts; 11] = [&EN, &DE, &ES, &FR, &ID, &IT, &JA, &KO, &PT_BR, &ZH_CN, &ZH_TW];

/// The texts in the language that `tag` asks for, whatever its case; its closest relative (`de-AT`, `pt`,
/// `zh-Hant`), or else English.
pub fn texts(tag: &str) -> &'static Texts {
    find(tag).unwrap_or(&EN)
}

/// The first language of an `Accept-Language` header that we speak (RFC 9110 §12.5.4), or else English. For a
/// request without `lang`.
pub fn preferred(accept_language: &str) -> &'static Texts {
    let mut best: Option<(f32, &'static Texts)> = None;
    for range in accept_language.split(',').take(32) {
        let mut parts = range.split(';');
        let tag = parts.next().unwrap_or_default().trim();
        let weight = parts
            .find_map(|part| part.trim().strip_prefix("q="))
            .map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0));
        if let Some(texts) = find(tag)
            && weight > best.map_or(0.0, |(highest, _)| highest)
        {
            best = Some((weight, texts));
        }
    }
    best.map_or(&EN, |(_, texts)| texts)
}

fn find(tag: &str) -> Option<&'static Texts> {
    let tag = tag.trim().replace('_', "-").to_ascii_lowercase();
    if let Some(exact) = ALL.iter().find(|texts| texts.lang.eq_ignore_ascii_case(&tag)) {
        return Some(exact);
    }
    let mut subtags = tag.split('-');
    match subtags.next()? {
        "pt" => Some(&PT_BR),
        "zh" if subtags.any(|subtag| matches!(subtag, "hant" | "tw" | "hk" | "mo")) => Some(&ZH_TW),
        "zh" => Some(&ZH_CN),
        primary => ALL.iter().find(|texts| texts.lang == primary).copied(),
    }
}

impl Default for &'static Texts {
    fn default() -> Self {
        &EN
    }
}

impl Texts {
    /// "Sign in to {app}".
    pub fn sign_in_to(&self, app: &str) -> String {
        fill(self.sign_in_to, app)
    }

    /// "Sign out of {app}?"
    pub fn sign_out_of(&self, app: &str) -> String {
        fill(self.sign_out_of, app)
    }

    /// "You are signed out of {app}."
    pub fn signed_out_of(&self, app: &str) -> String {
        fill(self.signed_out_of, app)
    }

    /// "Return to {app}".
    pub fn return_to(&self, app: &str) -> String {
        fill(self.return_to, app)
    }

    /// "Continue to {app}".
    pub fn continue_to(&self, app: &str) -> String {
        fill(self.continue_to, app)
    }
}

/// The name stands where the language wants it. Not `format!`, whose template must be known to the compiler.
fn fill(template: &str, name: &str) -> String {
    template.replacen("{}", name, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_found_by_its_tag_or_its_closest_relative() {
        for (tag, expected) in [
            ("de", "de"),
            ("DE", "de"),
            ("de-AT", "de"),
            ("pt", "pt-BR"),
            ("pt_BR", "pt-BR"),
            ("pt-PT", "pt-BR"),
            ("zh", "zh-CN"),
            ("zh-Hans-SG", "zh-CN"),
            ("zh-Hant", "zh-TW"),
            ("zh-hk", "zh-TW"),
            ("en-GB", "en"),
            ("tlh", "en"),
            ("", "en"),
            ("\"><svg", "en"),
        ] {
            assert_eq!(texts(tag).lang, expected, "{tag}");
        }
    }

    #[test]
    fn the_browser_s_favourite_language_that_we_speak_wins() {
        for (header, expected) in [
            ("de-CH,de;q=0.9,en;q=0.8", "de"),
            ("nl, fr;q=0.5, en;q=0.7", "en"),
            ("tlh;q=1, ja ; q=0.3", "ja"),
            ("ko;q=0, it;q=0.1", "it"),
            ("fr;q=NaN, es;q=0.2", "es"),
            ("*", "en"),
            ("", "en"),
        ] {
            assert_eq!(preferred(header).lang, expected, "{header}");
        }
    }

    #[test]
    fn the_languages_are_cognito_s() {
        let mut tags: Vec<_> = ALL.iter().map(|texts| texts.lang).collect();
        tags.sort_unstable();
        let cognito = [
            "de", "en", "es", "fr", "id", "it", "ja", "ko", "pt-BR", "zh-CN", "zh-TW",
        ];
        assert_eq!(tags, cognito);
    }

    #[test]
    fn a_name_stands_exactly_once_in_every_text_that_takes_one() {
        for texts in ALL {
            for filled in [
                texts.sign_in_to("N{}M"),
                texts.sign_out_of("N{}M"),
                texts.signed_out_of("N{}M"),
                texts.return_to("N{}M"),
                texts.continue_to("N{}M"),
            ] {
                assert_eq!(filled.matches("N{}M").count(), 1, "{}: {filled}", texts.lang);
                assert_eq!(filled.matches("{}").count(), 1, "{}: {filled}", texts.lang);
            }
        }
    }
}
