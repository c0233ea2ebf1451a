//! Pools on the move, as plain data: the shapes of an export (here), what the AWS CLI prints of a Cognito pool read into
//! them (`cognito`), and the envelope that secrets travel in (`envelope`).
//!
//! The export is canonical: members in alphabetical order, lists in an order of their own, nothing in it that depends on
//! when or where it is made. What an import makes of it, exported again, is the same to the byte.

pub mod cognito;
pub mod envelope;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::model::mapping::Rules;
use crate::model::resource_server::Scope;
use crate::model::user::Status;
use crate::model::{client, pool, provider};
use crate::world::UnixTime;

/// The version of the export's format.
pub const FORMAT: u64 = 1;

/// Everything of a pool but its users and its secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bundle {
    pub pool: Pool,
    #[serde(default)]
    pub tenants: Vec<Tenant>,
    #[serde(default)]
    pub resource_servers: Vec<ResourceServer>,
    #[serde(default)]
    pub connections: Vec<Connection>,
    #[serde(default)]
    pub clients: Vec<Client>,
    #[serde(default)]
    pub groups: Vec<Group>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    pub id: String,
    pub name: String,
    pub settings: pool::Settings,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceServer {
    pub identifier: String,
    pub name: String,
    pub scopes: Vec<Scope>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Part of the redirect URI; `None`: made of the name.
    pub slug: Option<String>,
    pub name: String,
    pub issuer: String,
    pub live: bool,
    pub tenant: Option<String>,
    pub settings: provider::Settings,
    pub identifiers: Vec<String>,
    pub mapping: Rules,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Client {
    pub id: String,
    pub name: String,
    pub enabled: bool,
    pub settings: client::Settings,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    pub description: Option<String>,
    pub precedence: Option<i64>,
    pub role_arn: Option<String>,
}

/// A user with all that hangs on the account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    pub sub: String,
    pub username: String,
    pub status: Status,
    pub enabled: bool,
    pub attributes: Map<String, Value>,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
    #[serde(default)]
    pub identities: Vec<Link>,
    #[serde(default)]
    pub groups: Vec<Seat>,
}

/// An upstream account that leads to the user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The connection's name.
    pub connection: String,
    pub subject: String,
    pub primary: bool,
    pub created_ms: i64,
}

/// A membership, and the connection whose mapping gave it; `None`: an administrator, or a connection's settings at the first
/// sign-in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seat {
    pub group: String,
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_first: bool,
}

/// The secrets of a pool, by client id and by the connection's name. Sealed before they leave.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Secrets {
    pub clients: BTreeMap<String, Vec<Zeroizing<String>>>,
    pub connections: BTreeMap<String, Credentials>,
}

/// What a connection proves itself with.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Credentials {
    pub client_secret: Option<Zeroizing<String>>,
    pub next_secret: Option<Zeroizing<String>>,
    pub private_key: Option<Zeroizing<String>>,
}

/// How many there are, and no more.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (clients, connections) = (self.clients.len(), self.connections.len());
        write!(f, "Secrets of {clients} clients and {connections} connections")
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

/// What cannot be taken along as it is: each sentence once, how often, and of whom for example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes(BTreeMap<String, Note>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    pub count: u64,
    pub examples: Vec<String>,
}

impl Notes {
    /// Examples that are kept of each sentence.
    const EXAMPLES: usize = 5;

    /// Notes the sentence, of that thing where there may be many.
    pub fn add(&mut self, sentence: impl Into<String>, of: Option<&str>) {
        let note = self.0.entry(sentence.into()).or_default();
        note.count += 1;
        if let Some(of) = of
            && note.examples.len() < Notes::EXAMPLES
        {
            note.examples.push(of.to_owned());
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One line each.
    pub fn lines(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|(sentence, note)| {
                let more = if note.count > note.examples.len() as u64 {
                    ", …"
                } else {
                    ""
                };
                match note.examples.as_slice() {
                    [] => sentence.clone(),
                    examples => format!("{sentence} ({}: {}{more})", note.count, examples.join(", ")),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_told_once_with_a_few_examples() {
        let mut notes = Notes::default();
        notes.add("triggers stay behind", None);
        for number in 0..7 {
            notes.add("has no sub", Some(&format!("user-{number}")));
        }
        assert_eq!(
            notes.lines(),
            [
                "has no sub (7: user-0, user-1, user-2, user-3, user-4, …)",
                "triggers stay behind"
            ]
        );
    }

    #[test]
    fn secrets_do_not_show_in_logs() {
        let mut secrets = Secrets::default();
        let secret = vec![Zeroizing::new("hush-hush".to_owned())];
        secrets.clients.insert("app".into(), secret);
        assert_eq!(format!("{secrets:?}"), "Secrets of 1 clients and 0 connections");
    }
}
