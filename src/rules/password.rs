//! Passwords: which are taken (NIST SP 800-63B §5.1.1.2: long, no rules of composition, none that everybody knows) and
//! how they are kept: Argon2id (RFC 9106) in PHC form. Hashing takes tens of milliseconds and 19 MiB: never on an async
//! thread.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::world::Entropy;

/// In characters.
pub const SHORTEST: usize = 12;
/// In bytes: long enough for any sentence.
pub const LONGEST: usize = 1_024;

/// What the passwords that everybody knows are made of: with digits and signs around it, none of these is a secret.
const WORN: &[&str] = &[
    "password",
    "passwort",
    "motdepasse",
    "contrasena",
    "passphrase",
    "letmein",
    "welcome",
    "willkommen",
    "changeme",
    "changethis",
    "administrator",
    "operator",
    "superuser",
    "root",
    "admin",
    "secret",
    "default",
    "temporary",
    "forebay",
    "console",
    "qwerty",
    "qwertyuiop",
    "qwertyuiopasdfghjkl",
    "qwertz",
    "qwertzuiop",
    "azerty",
    "azertyuiop",
    "asdfgh",
    "asdfghjkl",
    "zxcvbnm",
    "qazwsxedc",
    "iloveyou",
    "trustnoone",
    "dragon",
    "monkey",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "batman",
    "starwars",
    "whatever",
    "computer",
    "internet",
    "security",
    "abcdef",
    "abcdefgh",
    "abcdefghijkl",
    "abcdefghijklmnopqrstuvwxyz",
    "correcthorsebatterystaple",
];

/// Whether the account of that address may have it; if not, what to say at the field.
pub fn check(password: &str, email: &str) -> Result<(), &'static str> {
    if password.chars().count() < SHORTEST {
        return Err("Use at least 12 characters. Several words with blanks between them are fine.");
    }
    if password.len() > LONGEST {
        return Err("This is too long: at most 1,024 bytes are taken.");
    }
    if password.chars().any(char::is_control) {
        return Err("This holds a character that cannot be typed everywhere.");
    }
    let (password, email) = (password.to_lowercase(), email.to_lowercase());
    let local = email.split('@').next().unwrap_or_default();
    let bare = letters(&password);
    if password.contains(&email) && !email.is_empty() || (!local.is_empty() && bare == letters(local)) {
        return Err("This is the email address over again. Choose something that nobody can look up.");
    }
    let is_worn = WORN.contains(&bare.as_str())
        || WORN.iter().any(|word| bare == word.repeat(2))
        || different(&password) < 5
        || is_run(&password);
    if is_worn {
        return Err("This is among the first that anybody would try. Choose something else.");
    }
    Ok(())
}

/// The letters of it, with what stands for one taken for it: `P@ssw0rd-2026!` is `password`.
fn letters(text: &str) -> String {
    let trimmed = text.trim_matches(|c: char| !c.is_alphabetic() && c != '@' && c != '$');
    trimmed
        .chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            c => c,
        })
        .filter(|c| c.is_alphabetic())
        .collect()
}

fn different(text: &str) -> usize {
    text.chars().collect::<std::collections::HashSet<_>>().len()
}

/// Whether each character follows the one before it: `123456789012`, `abcdefghijkl`, `cba…`.
fn is_run(text: &str) -> bool {
    let codes: Vec<u32> = text.chars().map(u32::from).collect();
    let step = |up: bool| {
        codes.windows(2).all(|pair| {
            let (a, b) = if up {
                (pair[0], pair[1])
            } else {
                (pair[1], pair[0])
            };
            // After nine comes nought.
            b == a + 1 || (a == u32::from('9') && b == u32::from('0'))
        })
    };
    step(true) || step(false)
}

/// OWASP's first recommendation: 19 MiB, two passes, one lane.
fn hasher() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The hash to store; '', which no password matches, should hashing itself fail.
pub fn hash(entropy: &Entropy, password: &str) -> String {
    SaltString::encode_b64(&entropy.bytes::<16>())
        .and_then(|salt| Ok(hasher().hash_password(password.as_bytes(), &salt)?.to_string()))
        .unwrap_or_default()
}

/// Whether it is the password of that hash. `None`: there is no such account; takes as long as if there were.
pub fn verify(password: &str, hash: Option<&str>) -> bool {
    /// Of no password.
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$\
                          AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let parsed = PasswordHash::new(hash.unwrap_or(NOBODY));
    parsed.is_ok_and(|parsed| hasher().verify_password(password.as_bytes(), &parsed).is_ok())
        && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_none_that_everybody_knows() {
        for good in [
            "demo-operator-password",
            "four words are fine",
            "wasser steine licht",
            "Zwölf Zeichen",
            "9f2c71d08ab4",
            "aaaabbbbccccddddeeee",
        ] {
            assert_eq!(check(good, "ada@acme.test"), Ok(()), "{good}");
        }
        for bad in [
            "short",
            "elevenchars",
            "password1234",
            "P@ssw0rd-2026!",
            "PasswordPassword",
            "administrator",
            "Welcome20262026",
            "qwertyuiop12",
            "aaaaaaaaaaaa",
            "121212121212",
            "123456789012",
            "210987654321",
            "abcdefghijklm",
            "ada@acme.test",
            "ada@acme.test1",
            "ada123456789",
            "nothing\u{7}to type",
        ] {
            assert!(check(bad, "ada@acme.test").is_err(), "{bad}");
        }
        assert!(check(&"long".repeat(300), "ada@acme.test").is_err());
    }

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let hash = hash(&Entropy::seeded(1), "correct horse");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse", Some(&hash)));
        assert!(!verify("correct horse ", Some(&hash)));
        assert!(!verify("", Some("")));
        assert!(!verify("x", None));
    }
}
