//! The files of an import, read document by document. Users are handed on one at a time, so that a file with millions of
//! them takes no more memory than one with ten.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::cli::{Failure, Outcome};

/// One file, and whose memberships are in it, where its place says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub path: PathBuf,
    pub members: Option<Members>,
}

/// What the CLI does not print: whose list it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// The users of this group.
    OfGroup(String),
    /// The groups of this user.
    OfUser(String),
}

/// The JSON files at or below a path, in order.
pub fn sources(path: &Path) -> Result<Vec<Source>, Failure> {
    let mut found = Vec::new();
    collect(path, &mut found).map_err(|error| unreadable(path, &error))?;
    found.sort();
    if found.is_empty() {
        return Err(Failure::Usage(format!(
            "there is no JSON file in {}",
            path.display()
        )));
    }
    Ok(found
        .into_iter()
        .map(|path| Source {
            members: members(&path),
            path,
        })
        .collect())
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        // What is named is read, whatever it is called; a missing file fails here and not later.
        std::fs::metadata(path)?;
        found.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        let json = path
            .extension()
            .is_some_and(|extension| extension == "json" || extension == "jsonl" || extension == "ndjson");
        if path.is_dir() || json {
            collect(&path, found)?;
        }
    }
    Ok(())
}

/// `users-in-group/NAME.json`, or pages of it as `users-in-group/NAME/1.json`; the same for `groups-for-user`. A name that
/// no file can have is percent-encoded.
fn members(path: &Path) -> Option<Members> {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let at = parts
        .iter()
        .rposition(|part| matches!(*part, "users-in-group" | "groups-for-user"))?;
    let name = parts.get(at + 1)?;
    let name = if at + 2 == parts.len() {
        name.rsplit_once('.').map_or(*name, |(stem, _)| stem)
    } else {
        name
    };
    let name = percent_decode_str(name).decode_utf8().ok()?.into_owned();
    Some(match parts[at] {
        "users-in-group" => Members::OfGroup(name),
        _ => Members::OfUser(name),
    })
}

/// Reads every document of a file: its users go to `user` one by one, the rest of each document to `rest`. Lines with a
/// user each are read as well.
pub fn documents(
    path: &Path,
    user: &mut dyn FnMut(Map<String, Value>) -> Outcome,
    rest: &mut dyn FnMut(Map<String, Value>) -> Outcome,
) -> Outcome {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut number = 0;
    while more(&mut reader).map_err(|error| unreadable(path, &error))? {
        number += 1;
        let mut failed = None;
        let walk = Document {
            user: &mut *user,
            failed: &mut failed,
        };
        let mut json = serde_json::Deserializer::from_reader(&mut reader);
        let document = walk.deserialize(&mut json).map_err(|error| {
            failed.take().unwrap_or_else(|| {
                let place = if number > 1 {
                    format!(", document {number}")
                } else {
                    String::new()
                };
                Failure::Refused(format!("{}{place}: {error}", path.display()))
            })
        })?;
        let is_user = document.contains_key("Username")
            && (document.contains_key("Attributes") || document.contains_key("UserAttributes"));
        match is_user {
            true => user(document)?,
            false => rest(document)?,
        }
    }
    Ok(())
}

/// Whether something follows but blanks.
fn more(reader: &mut impl BufRead) -> std::io::Result<bool> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        let blanks = buffer
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        let done = blanks < buffer.len();
        reader.consume(blanks);
        if done {
            return Ok(true);
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("{} cannot be read: {error}", path.display()))
}

/// A document, of which the users are handed on while it is read.
struct Document<'a> {
    user: &'a mut dyn FnMut(Map<String, Value>) -> Outcome,
    /// Why the reading was stopped, when it was not the document's fault.
    failed: &'a mut Option<Failure>,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a document that the AWS CLI or `forebay export` printed")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Document { user, failed } = self;
        let mut rest = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            // The API's word, and the export's.
            if name == "Users" || name == "users" {
                map.next_value_seed(Users {
                    user: &mut *user,
                    failed: &mut *failed,
                })?;
            } else {
                let value = map.next_value()?;
                rest.insert(name, value);
            }
        }
        Ok(rest)
    }
}

struct Users<'a> {
    user: &'a mut dyn FnMut(Map<String, Value>) -> Outcome,
    failed: &'a mut Option<Failure>,
}

impl<'de> DeserializeSeed<'de> for Users<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Users<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of users")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(entry) = seq.next_element::<Map<String, Value>>()? {
            if let Err(failure) = (self.user)(entry) {
                *self.failed = Some(failure);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_place_of_a_file_says_whose_members_it_holds() {
        let told = |path: &str| members(Path::new(path));
        assert_eq!(told("dump/users.json"), None);
        assert_eq!(
            told("dump/users-in-group/ops%2Fnight.json"),
            Some(Members::OfGroup("ops/night".into()))
        );
        assert_eq!(
            told("dump/users-in-group/v1.2/page-1.json"),
            Some(Members::OfGroup("v1.2".into()))
        );
        assert_eq!(
            told("dump/groups-for-user/ann@acme.example.json"),
            Some(Members::OfUser("ann@acme.example".into()))
        );
    }

    #[test]
    fn pages_one_big_document_and_lines_are_read_alike() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.json");
        let text = r#"{"Users": [{"Username": "a"}, {"Username": "b"}], "PaginationToken": "x"}
            {"UserPool": {"Id": "p"}}
            {"Username": "c", "Attributes": []}
            {"Username": "d", "UserAttributes": []}
            "#;
        std::fs::write(&path, text).unwrap();
        let (mut users, mut rest) = (Vec::new(), Vec::new());
        documents(
            &path,
            &mut |user| {
                users.push(user["Username"].as_str().unwrap().to_owned());
                Ok(())
            },
            &mut |document| {
                rest.extend(document.keys().cloned());
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(users, ["a", "b", "c", "d"]);
        assert_eq!(rest, ["PaginationToken", "UserPool"]);

        std::fs::write(&path, "{\"Users\": [{\"Username\": \"a\"},\n {\"Username\": ]}").unwrap();
        match documents(&path, &mut |_| Ok(()), &mut |_| Ok(())) {
            Err(Failure::Refused(why)) => assert!(why.contains("line 2"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}
