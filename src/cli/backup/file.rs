//! A backup's file: one line of JSON that says what it is and carries the file's key, sealed to the recipient; then frames,
//! each sealed under that key with its number, the last one marked as such. So a frame that is altered, missing, moved or
//! cut off is found, and nobody without the private key reads a word.
//!
//! A frame is `last (1 byte: 0 or 1) | length (4, big-endian) | sealed bytes`. Frame 0 is the [`Manifest`]; every other one a
//! [`Rows`] as JSON, a line break, and that many rows as a JSON array of arrays.

use std::collections::BTreeMap;
use std::io::{BufRead, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::rules::moving::envelope::{self, Envelope, Purpose};
use crate::rules::secret;
use crate::seal::{Label, Sealer};
use crate::world::Entropy;

const FORMAT: u64 = 1;
/// Longer frames than this nobody wrote: a damaged length does not take the machine's memory.
const LONGEST: usize = 64 << 20;
/// The first line is short.
const LONGEST_HEAD: u64 = 64 << 10;

#[derive(Serialize, Deserialize)]
struct Head {
    forebay_backup: u64,
    id: String,
    key: Envelope,
}

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Unix time in seconds.
    pub made_at: i64,
    /// The version of the schema that the tables have.
    pub schema: String,
    /// Which root keys open what is sealed in it, as [`Sealer::key_ids`].
    pub root_key_ids: Vec<String>,
    /// Those keys themselves, as settings hold them.
    pub root_keys: Option<String>,
    /// How many rows each table has.
    pub tables: BTreeMap<String, u64>,
}

/// What a frame of rows holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    pub table: String,
    pub columns: Vec<String>,
    pub rows: u64,
}

/// Writes a backup.
pub struct Writer<W: Write> {
    sink: W,
    sealer: Sealer,
    id: String,
    number: u64,
}

impl<W: Write> Writer<W> {
    /// Begins it: head and manifest.
    pub fn begin(
        mut sink: W,
        recipient: &str,
        manifest: &Manifest,
        entropy: &Entropy,
    ) -> Result<Writer<W>, String> {
        let id = secret::uuid(entropy);
        let key = Zeroizing::new(entropy.bytes::<32>());
        let head = Head {
            forebay_backup: FORMAT,
            key: envelope::seal(Purpose::BackupKey, recipient, &id, key.as_slice())?,
            id: id.clone(),
        };
        serde_json::to_writer(&mut sink, &head).map_err(unwritable)?;
        sink.write_all(b"\n").map_err(unwritable)?;
        let mut writer = Writer {
            sink,
            sealer: Sealer::new(vec![*key], entropy.clone()),
            id,
            number: 0,
        };
        let manifest = Zeroizing::new(serde_json::to_vec(manifest).map_err(unwritable)?);
        writer.frame(&manifest, false)?;
        Ok(writer)
    }

    /// `rows` is a JSON array.
    pub fn rows(&mut self, head: &Rows, rows: &str) -> Result<(), String> {
        let head = serde_json::to_string(head).map_err(unwritable)?;
        let plain = Zeroizing::new(format!("{head}\n{rows}"));
        self.frame(plain.as_bytes(), false)
    }

    /// Ends it and gives the sink back.
    pub fn end(mut self) -> Result<W, String> {
        self.frame(&[], true)?;
        self.sink.flush().map_err(unwritable)?;
        Ok(self.sink)
    }

    fn frame(&mut self, plain: &[u8], last: bool) -> Result<(), String> {
        let sealed = self.sealer.seal(label(&self.id, &name(self.number, last)), plain);
        let length = u32::try_from(sealed.len()).map_err(unwritable)?;
        self.sink
            .write_all(&[u8::from(last)])
            .and_then(|()| self.sink.write_all(&length.to_be_bytes()))
            .and_then(|()| self.sink.write_all(&sealed))
            .map_err(unwritable)?;
        self.number += 1;
        Ok(())
    }
}

/// Reads a backup.
pub struct Reader<R: BufRead> {
    source: R,
    sealer: Sealer,
    id: String,
    number: u64,
}

impl<R: BufRead> Reader<R> {
    /// Begins it with the recipient's private key.
    pub fn begin(mut source: R, private: &str, entropy: &Entropy) -> Result<(Reader<R>, Manifest), String> {
        let mut line = String::new();
        (&mut source)
            .take(LONGEST_HEAD)
            .read_line(&mut line)
            .map_err(|_| no_backup())?;
        let head: Head = serde_json::from_str(&line).map_err(|_| no_backup())?;
        if head.forebay_backup != FORMAT {
            return Err("it was written by a newer Forebay, in a format that this one does not read".into());
        }
        let key = envelope::open(Purpose::BackupKey, &head.key, &head.id, private)?;
        let key: [u8; 32] = key.as_slice().try_into().map_err(|_| damaged())?;
        let mut reader = Reader {
            source,
            sealer: Sealer::new(vec![key], entropy.clone()),
            id: head.id,
            number: 0,
        };
        let manifest = reader.frame()?.ok_or_else(damaged)?;
        let manifest = parsed(&manifest)?;
        Ok((reader, manifest))
    }

    /// The next rows, as [`Writer::rows`] took them; `None` at the end.
    pub fn rows(&mut self) -> Result<Option<(Rows, Zeroizing<String>)>, String> {
        let Some(plain) = self.frame()? else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&plain).map_err(|_| damaged())?;
        let (head, rows) = text.split_once('\n').ok_or_else(damaged)?;
        Ok(Some((parsed(head.as_bytes())?, Zeroizing::new(rows.to_owned()))))
    }

    /// The next frame; `None` for the last.
    fn frame(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        let mut head = [0; 5];
        self.source.read_exact(&mut head).map_err(|_| cut_off())?;
        let [last, length @ ..] = head;
        let length = u32::from_be_bytes(length) as usize;
        if last > 1 || length > LONGEST {
            return Err(damaged());
        }
        let mut sealed = vec![0; length];
        self.source.read_exact(&mut sealed).map_err(|_| cut_off())?;
        let plain = self
            .sealer
            .open(label(&self.id, &name(self.number, last == 1)), &sealed)
            .map_err(|_| damaged())?;
        self.number += 1;
        Ok((last == 0).then_some(plain))
    }
}

fn label<'a>(id: &'a str, name: &'a str) -> Label<'a> {
    Label {
        purpose: "backup",
        scope: id,
        name,
    }
}

fn name(number: u64, last: bool) -> String {
    format!("{number}{}", if last { " last" } else { "" })
}

fn parsed<T: DeserializeOwned>(plain: &[u8]) -> Result<T, String> {
    serde_json::from_slice(plain).map_err(|_| damaged())
}

fn unwritable(why: impl std::fmt::Display) -> String {
    format!("it cannot be written: {why}")
}

fn no_backup() -> String {
    "it is no backup of Forebay".to_owned()
}

fn damaged() -> String {
    "it is damaged".to_owned()
}

fn cut_off() -> String {
    "it is cut off: the end is missing".to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            made_at: 1,
            schema: "1".into(),
            root_key_ids: vec!["00".into()],
            root_keys: None,
            tables: BTreeMap::new(),
        }
    }

    fn rows(rows: u64) -> Rows {
        Rows {
            table: "users".into(),
            columns: vec!["sub".into()],
            rows,
        }
    }

    fn written(public: &str) -> Vec<u8> {
        let mut writer = Writer::begin(Vec::new(), public, &manifest(), &Entropy::seeded(1)).unwrap();
        writer.rows(&rows(1), "[[\"a\"]]").unwrap();
        writer.rows(&rows(2), "[[\"b\"],[\"c\"]]").unwrap();
        writer.end().unwrap()
    }

    fn read(bytes: &[u8], private: &str) -> Result<Vec<(Rows, String)>, String> {
        let (mut reader, found) = Reader::begin(bytes, private, &Entropy::seeded(2))?;
        assert_eq!(found, manifest());
        let mut all = Vec::new();
        while let Some((head, text)) = reader.rows()? {
            all.push((head, text.to_string()));
        }
        Ok(all)
    }

    #[test]
    fn what_was_written_is_read_and_nothing_that_was_touched_since() {
        let (public, private) = envelope::key_pair().unwrap();
        let bytes = written(&public);
        let whole = read(&bytes, &private).unwrap();
        assert_eq!(
            whole,
            [
                (rows(1), "[[\"a\"]]".to_owned()),
                (rows(2), "[[\"b\"],[\"c\"]]".to_owned())
            ]
        );
        assert!(!String::from_utf8_lossy(&bytes).contains("users"));
        let body = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for at in body..bytes.len() {
            assert!(read(&bytes[..at], &private).is_err(), "cut at {at}");
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(read(&altered, &private).is_err(), "altered at {at}");
        }
        // A frame that is left out, or comes twice, is missed.
        let frame = |at: usize| 5 + u32::from_be_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize;
        let first = body + frame(body);
        let second = first + frame(first);
        let without = [&bytes[..first], &bytes[second..]].concat();
        let twice = [&bytes[..second], &bytes[first..]].concat();
        assert_eq!(read(&without, &private).unwrap_err(), damaged());
        assert_eq!(read(&twice, &private).unwrap_err(), damaged());
    }

    #[test]
    fn only_the_recipient_reads_it() {
        let (public, _) = envelope::key_pair().unwrap();
        let (_, other) = envelope::key_pair().unwrap();
        assert!(read(&written(&public), &other).unwrap_err().contains(&public));
        for text in ["", "{}\n", "hello", "{\"forebay_backup\":2}\n"] {
            assert!(read(text.as_bytes(), &other).is_err(), "{text}");
        }
    }
}
