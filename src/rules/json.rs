//! JSON as others may send it to us, an upstream or an app's `claims`: one object, no duplicate member names, not too deep.
//!
//! serde_json keeps the last of two members of one name; another party may have looked at the first. Lone surrogates,
//! a byte order mark and what is not UTF-8 are refused by serde_json itself.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

const DEEPEST: usize = 32;

/// Reads one JSON object. The error says what is wrong, without repeating the text.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| match error.classify() {
            // These messages are ours.
            serde_json::error::Category::Data => error.to_string(),
            serde_json::error::Category::Eof => "the JSON ends too early".to_owned(),
            _ => format!("not JSON, at line {} column {}", error.line(), error.column()),
        })?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err("not a JSON object".into()),
    }
}

struct Strict {
    depth: usize,
}

impl Strict {
    fn inner<E: de::Error>(&self) -> Result<Strict, E> {
        if self.depth >= DEEPEST {
            return Err(E::custom("the JSON is nested too deeply"));
        }
        Ok(Strict {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self.inner()?)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value_seed(self.inner()?)?;
            if members.insert(name, value).is_some() {
                return Err(de::Error::custom("a member name occurs twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ordinary_json_reads_as_serde_json_reads_it() {
        let text = br#" {"a":[1,-2,3.5,true,null,"x\u00e9"],"b":{"c":{}},"big":18446744073709551615} "#;
        assert_eq!(
            Value::Object(object(text).unwrap()),
            serde_json::from_slice::<Value>(text).unwrap()
        );
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
        for (text, says) in [
            (&br#"{"sub":"a","sub":"b"}"#[..], "twice"),
            (br#"{"a":{"x":1,"x":1}}"#, "twice"),
            (br#"{"a":1,"\u0061":2}"#, "twice"),
            (deep.as_bytes(), "deeply"),
            (br#"{"a":"\ud800"}"#, "not JSON"),
            (b"\xef\xbb\xbf{}", "not JSON"),
            (b"{\"a\":\"\xff\"}", "not JSON"),
            (br#"{"a":1} {"#, "not JSON"),
            (br#"{"a":1"#, "early"),
            (b"", "early"),
            (b"<html>", "not JSON"),
            (b"[]", "not a JSON object"),
            (br#"{"a":1e999}"#, "not JSON"),
            (br#"{"a":NaN}"#, "not JSON"),
        ] {
            let error = object(text).unwrap_err();
            assert!(error.contains(says), "{}: {error}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn the_error_does_not_repeat_the_text() {
        let error = object(br#"{"access_token":"secret","access_token":"secret"}"#).unwrap_err();
        assert!(!error.contains("secret"));
    }
}
