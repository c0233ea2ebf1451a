//! Pages of lists: so many at a time, and a sealed token that says where the next one begins. Short lists are sorted and cut
//! here; of long ones the database gives what comes after the place in the token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Call;
use super::error::Failure;
use crate::seal::{Label, Sealer};
use crate::world::UnixTime;

/// How long a sealed token is good for, in seconds (Cognito's hour).
const TOKEN_SECONDS: i64 = 3_600;

/// What the caller asked for.
pub struct Wanted {
    limit: usize,
    /// The last entry of the page before.
    after: Option<String>,
    turner: Turner,
}

impl Wanted {
    /// Reads `NextToken` and the member that the operation calls its limit; `list` is what the pages are of.
    pub fn of(call: &Call, list: &str, limit: &str, most: usize) -> Result<Wanted, Failure> {
        let turner = Turner::of(call, list, "");
        Ok(Wanted {
            limit: size(&call.input, limit, most),
            after: turner.open(call.input.get("NextToken").and_then(Value::as_str))?,
            turner,
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
            .map(|last| self.turner.seal(key(last)));
        (page, next)
    }
}

/// How many the caller wants of a list of which a page has at most so many. Zero stands for the default, which is the most.
pub fn size(input: &Map<String, Value>, limit: &str, most: usize) -> usize {
    input
        .get(limit)
        .and_then(Value::as_u64)
        .and_then(|number| usize::try_from(number).ok())
        .filter(|number| *number > 0)
        .map_or(most, |number| number.min(most))
}

/// Makes and reads the tokens of one list. Nobody else can make one; it opens for the same operation, pool and condition
/// only, and for an hour.
pub struct Turner {
    sealer: Sealer,
    user_pool_id: String,
    list: String,
    now: UnixTime,
}

#[derive(Serialize, Deserialize)]
struct Token<T> {
    place: T,
    until: UnixTime,
}

impl Turner {
    /// For the pages of this call; `condition` is whatever else decides what is in the list.
    pub fn of(call: &Call, operation: &str, condition: &str) -> Turner {
        Turner {
            sealer: call.broker.sealer.clone(),
            user_pool_id: call.pool_id(),
            list: format!("{operation} {condition}"),
            now: call.broker.clock.now(),
        }
    }

    fn label(&self) -> Label<'_> {
        Label {
            purpose: "page",
            scope: &self.user_pool_id,
            name: &self.list,
        }
    }

    /// Where the wanted page begins: after the place in the token, if there is one.
    pub fn open<T: DeserializeOwned>(&self, token: Option<&str>) -> Result<Option<T>, Failure> {
        let Some(token) = token else {
            return Ok(None);
        };
        let sealed = URL_SAFE_NO_PAD.decode(token).ok();
        let plain = sealed.and_then(|sealed| self.sealer.open(self.label(), &sealed).ok());
        let token: Option<Token<T>> = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        match token {
            Some(token) if token.until > self.now => Ok(Some(token.place)),
            Some(_) => Err(Failure::invalid("The pagination token has expired.")),
            None => Err(Failure::invalid("Invalid pagination token given.")),
        }
    }

    pub fn seal<T: Serialize>(&self, place: T) -> String {
        let until = self.now.plus(TOKEN_SECONDS);
        let plain = json!(Token { place, until }).to_string();
        URL_SAFE_NO_PAD.encode(self.sealer.seal(self.label(), plain.as_bytes()))
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
