//! Pages of lists: so many at a time, and an opaque token that says where the next one begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::error::Failure;

/// What the caller asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    limit: usize,
    /// The last entry of the page before.
    after: Option<String>,
}

impl Wanted {
    /// Reads the two members that an operation names this.
    pub fn of(input: &Map<String, Value>, limit: &str, token: &str, most: usize) -> Result<Wanted, Failure> {
        let asked = input
            .get(limit)
            .and_then(Value::as_u64)
            .and_then(|number| usize::try_from(number).ok());
        let after = match input.get(token).and_then(Value::as_str) {
            None => None,
            Some(token) => {
                let text = URL_SAFE_NO_PAD
                    .decode(token)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok());
                Some(text.ok_or_else(|| Failure::invalid("Invalid pagination token given."))?)
            }
        };
        Ok(Wanted {
            // Zero stands for the default.
            limit: asked.filter(|number| *number > 0).unwrap_or(most).min(most),
            after,
        })
    }

    /// The wanted page of a list in the order of `key`, whatever order it came in, and the token of the next one.
    pub fn cut<T>(&self, mut all: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        all.sort_by_cached_key(&key);
        let mut rest = all.into_iter().filter(|item| match &self.after {
            None => true,
            Some(after) => key(item) > *after,
        });
        let page: Vec<T> = rest.by_ref().take(self.limit).collect();
        let next = rest
            .next()
            .and(page.last())
            .map(|last| URL_SAFE_NO_PAD.encode(key(last)));
        (page, next)
    }
}

/// An answer that is a list, with the token when there is more.
pub fn answer(list: &str, items: Vec<Value>, token: &str, next: Option<String>) -> Value {
    let mut answer = json!({ list: items });
    if let Some(next) = next {
        answer[token] = json!(next);
    }
    answer
}
