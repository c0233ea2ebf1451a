//! Parameters of an OAuth request, from a query or a form: parsed once, strictly, with every repetition remembered,
//! because parsers that quietly take the first or the last of two are how requests get two meanings.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// More parameters than any request of ours has.
const MOST: usize = 100;
/// Longest query or form body that is read, in bytes.
pub const LONGEST: usize = 16_384;

/// Name and value pairs in the order they came. A parameter with an empty value counts as absent (RFC 6749 §3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    pairs: Vec<(String, String)>,
    repeated: Vec<String>,
}

/// Text that is not `application/x-www-form-urlencoded` in UTF-8, or too much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl Params {
    pub fn parse(text: &[u8]) -> Result<Params, Malformed> {
        Params::parse_within(text, LONGEST, MOST)
    }

    /// The same with other limits, in bytes and in parameters.
    pub fn parse_within(text: &[u8], longest: usize, most: usize) -> Result<Params, Malformed> {
        if text.len() > longest {
            return Err(Malformed("too long"));
        }
        let mut params = Params::default();
        for (count, pair) in text
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
            .enumerate()
        {
            if count >= most {
                return Err(Malformed("too many parameters"));
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            if value.contains('\0') || name.contains('\0') {
                return Err(Malformed("a NUL character"));
            }
            if params.pairs.iter().any(|(known, _)| *known == name) {
                params.repeated.push(name.clone());
            }
            params.pairs.push((name, value));
        }
        Ok(params)
    }

    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Params {
        Params {
            pairs: pairs.into_iter().collect(),
            repeated: Vec::new(),
        }
    }

    /// The value, unless absent or empty; the first of a repeated one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// Every value of the name, in the order they came, empty ones too.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// A parameter that came more than once (whatever the values), if any.
    pub fn repeated(&self) -> Option<&str> {
        self.repeated.first().map(String::as_str)
    }

    pub fn is_repeated(&self, name: &str) -> bool {
        self.repeated.iter().any(|repeated| repeated == name)
    }

    /// These parameters without the named ones, to be sent on.
    pub fn without(&self, names: &[&str]) -> Vec<(String, String)> {
        self.pairs
            .iter()
            .filter(|(name, _)| !names.contains(&name.as_str()))
            .cloned()
            .collect()
    }

    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// Pairs as `application/x-www-form-urlencoded` text.
pub fn encode<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        text.append_pair(name.as_ref(), value.as_ref());
    }
    text.finish()
}

/// Undoes form encoding; also used for HTTP Basic credentials (RFC 6749 §2.3.1).
pub fn decode(text: &[u8]) -> Result<String, Malformed> {
    let spaced: Cow<'_, [u8]> = if text.contains(&b'+') {
        text.iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect::<Vec<_>>()
            .into()
    } else {
        text.into()
    };
    percent_decode(&spaced)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| Malformed("not UTF-8"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parameters_are_read_once_and_repetitions_are_remembered() {
        let params = Params::parse(b"a=1&b=&c=x+y%2Bz&&d&a=2").unwrap();
        assert_eq!(params.get("a"), Some("1"));
        assert_eq!(params.get("b"), None);
        assert_eq!(params.get("c"), Some("x y+z"));
        assert_eq!(params.get("d"), None);
        assert_eq!(params.repeated(), Some("a"));
        assert!(params.is_repeated("a") && !params.is_repeated("b"));
    }

    #[test]
    fn text_that_is_not_utf_8_and_floods_are_refused() {
        assert_eq!(Params::parse(b"a=%ff"), Err(Malformed("not UTF-8")));
        assert_eq!(Params::parse(b"a=%00"), Err(Malformed("a NUL character")));
        assert_eq!(
            Params::parse(&b"a=1&".repeat(101)),
            Err(Malformed("too many parameters"))
        );
        assert_eq!(
            Params::parse(&vec![b'a'; LONGEST + 1]),
            Err(Malformed("too long"))
        );
    }
}
