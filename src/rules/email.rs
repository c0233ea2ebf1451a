//! The one email parser: routing, mapping, linking and display all see the address as it leaves here, so that no two
//! of them can disagree about where it ends or which domain it names.
//!
//! It takes the dot-atom form of RFC 5322 §3.4.1 with an ASCII local part and a domain name, and refuses instead of
//! repairing: quoted local parts, comments, lists, address literals and anything that only looks like `@` or a dot.
//! The domain comes out as a lower-case A-label (UTS #46, strict); the local part is kept as it is.

use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// A parsed address; `Display` writes its one canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email {
    text: String,
    /// Where the `@` is.
    at: usize,
}

impl Email {
    /// Reads one address; the error completes the sentence "the email address …".
    pub fn parse(text: &str) -> Result<Email, &'static str> {
        let Some((local, domain_part)) = text.split_once('@') else {
            return Err("has no @");
        };
        if domain_part.contains('@') {
            return Err("has more than one @");
        }
        if local.is_empty() || local.len() > 64 {
            return Err("must have 1 to 64 characters before the @");
        }
        if !local.bytes().all(is_atext_or_dot) {
            return Err(
                "has a character before the @ that is not a letter, digit or one of .!#$%&'*+/=?^_`{|}~-",
            );
        }
        if local.split('.').any(str::is_empty) {
            return Err("has a dot before the @ that stands first, last or beside another");
        }
        let domain = domain(domain_part)?;
        // RFC 5321 §4.5.3.1.3: a path has 256 octets, two of them angle brackets.
        if local.len() + 1 + domain.len() > 254 {
            return Err("is longer than 254 characters");
        }
        Ok(Email {
            text: format!("{local}@{domain}"),
            at: local.len(),
        })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn local(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// The lower-case A-label form, as [`domain`] gives it.
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A mail domain in its lower-case A-label form; the error completes the sentence "the email address …".
pub fn domain(text: &str) -> Result<String, &'static str> {
    const NOT_A_DOMAIN: &str = "does not end in a domain name like example.com";
    let lower = text.to_ascii_lowercase();
    let ascii = Uts46::new()
        .to_ascii(
            lower.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .map_err(|_| NOT_A_DOMAIN)?;
    // UTS #46 maps look-alikes (full-width letters, the Kelvin sign, ideographic dots) onto plain ones. A name that
    // does not come back as it was written has been mapped, and somebody may read it differently.
    let (unicode, valid) =
        Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    if valid.is_err() || (*unicode != *lower && *ascii != *lower) {
        return Err("has a domain name with characters that only look like others");
    }
    let numeric = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    if !ascii.contains('.') || ascii.rsplit('.').next().is_none_or(numeric) {
        return Err(NOT_A_DOMAIN);
    }
    Ok(ascii.into_owned())
}

/// An address in the form in which addresses are compared: in lower case, with the domain as its A-label. What is no address
/// equals nothing but itself.
pub fn folded(text: &str) -> String {
    let text = text.trim();
    match Email::parse(text) {
        Ok(address) => address.as_str().to_lowercase(),
        Err(_) => text.to_lowercase(),
    }
}

/// The forms in which that address may stand in a profile, all in lower case.
pub fn written(address: &str) -> Vec<String> {
    let folded = folded(address);
    let unicode = folded.rsplit_once('@').map(|(local, domain)| {
        let (domain, _) =
            Uts46::new().to_unicode(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
        format!("{local}@{domain}")
    });
    let unicode = unicode.filter(|unicode| *unicode != folded);
    std::iter::once(folded).chain(unicode).collect()
}

fn is_atext_or_dot(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_is_compared_in_one_form_and_looked_for_in_all() {
        for typed in [
            "Ann@Bücher.example",
            " ann@xn--bcher-kva.example",
            "ANN@XN--BCHER-KVA.EXAMPLE",
        ] {
            assert_eq!(folded(typed), "ann@xn--bcher-kva.example");
            assert_eq!(
                written(typed),
                ["ann@xn--bcher-kva.example", "ann@bücher.example"]
            );
        }
        assert_eq!(written("Ann@acme.test"), ["ann@acme.test"]);
        assert_eq!(folded("No Address"), "no address");
    }

    #[test]
    fn good_addresses_come_out_in_one_form() {
        for (typed, canonical) in [
            ("ada@acme.test", "ada@acme.test"),
            ("Ada.Lovelace+x@ACME.Test", "Ada.Lovelace+x@acme.test"),
            ("o'brien@mail.acme.test", "o'brien@mail.acme.test"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
            ("a@b.co", "a@b.co"),
        ] {
            let email = Email::parse(typed).unwrap();
            assert_eq!(email.as_str(), canonical);
            assert_eq!(format!("{}@{}", email.local(), email.domain()), canonical);
            assert_eq!(Email::parse(canonical), Ok(email), "parsing is idempotent");
        }
    }

    #[test]
    fn a_54_whatever_could_be_read_two_ways_is_refused() {
        for wrong in [
            "",
            "ada",
            "@acme.test",
            "ada@",
            "ada@evil.test@acme.test",
            "ada@acme.test,eve@evil.test",
            "ada@acme.test, eve@evil.test",
            "ada@acme.test\n",
            " ada@acme.test",
            "ada @acme.test",
            "\"ada\"@acme.test",
            "\"a@b\"@acme.test",
            "ada(comment)@acme.test",
            "Ada <ada@acme.test>",
            ".ada@acme.test",
            "ada.@acme.test",
            "a..da@acme.test",
            "ada＠acme.test",
            "ada@acme．test",
            "ada@acme。test",
            "ada@ａcme.test",
            "ada@\u{212a}elvin.test",
            "ad\u{0430}@acme.test",
            "ada@acme",
            "ada@.test",
            "ada@acme..test",
            "ada@acme.test.",
            "ada@-acme.test",
            "ada@acme_x.test",
            "ada@127.0.0.1",
            "ada@[127.0.0.1]",
            "ada@ac\u{200b}me.test",
            "ada@acme.test\0",
        ] {
            assert!(Email::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(Email::parse(&format!("{}@acme.test", "a".repeat(64))).is_ok());
        assert!(Email::parse(&format!("{}@acme.test", "a".repeat(65))).is_err());
        let long = format!("{0}.{0}.{0}.test", "a".repeat(63));
        assert!(domain(&long).is_ok());
        assert!(Email::parse(&format!("{}@{long}", "a".repeat(60))).is_err());
    }

    #[test]
    fn look_alike_domains_are_other_domains() {
        // A Cyrillic a and a dotless i are letters of their own, not spellings of the plain ones.
        for typed in ["ada@\u{0430}cme.test", "ada@fac\u{0131}l.test"] {
            let email = Email::parse(typed).unwrap();
            assert!(email.domain().starts_with("xn--"), "{email}");
        }
    }
}
