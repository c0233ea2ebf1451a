//! `forebay backup` and `forebay restore`: the whole database as it is at one moment, in one sealed file, and back into an
//! empty database of either kind. So it is also the way from SQLite to PostgreSQL.

mod file;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use diesel::connection::Connection;
use serde_json::json;

use super::output::{Output, facts};
use super::progress::Progress;
use super::store::{Store, open_sealer, secret_from};
use super::{Failure, Outcome};
use crate::actions::record;
use crate::config::{RootKeySource, Settings};
use crate::db::tables::{self, Table};
use crate::db::{self, Conn};
use crate::rules::moving::envelope;
use crate::seal::{self, Sealer};
use crate::world::{Entropy, UnixTime};
use file::{Manifest, Reader, Rows, Writer};

/// Bytes of rows in one frame, and so in memory, about.
const FRAME: usize = 512 << 10;

#[derive(Args)]
pub struct Backup {
    /// Seal it to this public key, of a pair that `forebay export keygen` made
    #[arg(long, value_name = "PUBLIC_KEY", allow_hyphen_values = true)]
    recipient: String,
    /// Put the root key into it, too: then it is all that a restore needs
    #[arg(long)]
    with_root_key: bool,
    /// Where to write it; it is there, whole, when the command ends
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Args)]
pub struct Restore {
    /// What `forebay backup` wrote
    file: PathBuf,
    /// A file that holds the private key; - for standard input
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Why reading or writing rows ended early.
enum Broken {
    Database(diesel::result::Error),
    File(String),
}

impl From<diesel::result::Error> for Broken {
    fn from(error: diesel::result::Error) -> Self {
        Broken::Database(error)
    }
}

impl Broken {
    fn told(self, path: &Path) -> Failure {
        Failure::Refused(match self {
            Broken::Database(error) => format!("the database: {error}"),
            Broken::File(why) => format!("{}: {why}", path.display()),
        })
    }
}

pub fn write(settings: &Settings, output: Output, command: Backup) -> Outcome {
    envelope::check(&command.recipient).map_err(Failure::Usage)?;
    let store = Store::open(settings)?;
    let sealer = store.sealer()?.clone();
    let recipient = command.recipient.clone();
    store.act(move |conn, ctx| {
        Ok(record(
            conn,
            ctx,
            "database.back_up",
            None,
            "",
            json!({ "recipient": recipient }),
        )?)
    })?;

    // Beside its place until it is whole, so that a backup that broke off is never taken for one.
    let path = command.output.as_path();
    let draft = beside(path);
    // What an earlier run left behind may be open to others.
    let _ = fs::remove_file(&draft);
    let sink = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .map_err(|error| Failure::Usage(format!("{} cannot be written: {error}", draft.display())))?;
    let mut conn = opened(settings)?;
    let written = conn.transaction(|conn| {
        tables::freeze(conn)?;
        snapshot(conn, &store, &sealer, &command, sink)
    });
    let (file, manifest, progress) = written.map_err(|broken| {
        let _ = fs::remove_file(&draft);
        broken.told(path)
    })?;
    let kept = file.sync_all().and_then(|()| fs::rename(&draft, path));
    kept.map_err(|error| Failure::Refused(format!("{}: {error}", path.display())))?;
    let rows: u64 = manifest.tables.values().sum();
    let bytes = fs::metadata(path).map_or(0, |found| found.len());
    let document = json!({
        "file": path, "bytes": bytes, "tables": manifest.tables.len(), "rows": rows,
        "with_root_key": command.with_root_key, "seconds": progress.seconds(),
    });
    output.answer(&document, || {
        let root_key = match command.with_root_key {
            true => "in it",
            false => "not in it: a restore needs a copy of it",
        };
        facts(&[
            ("backup", path.display().to_string()),
            ("rows", format!("{rows} of {} tables", manifest.tables.len())),
            ("bytes", bytes.to_string()),
            ("root key", root_key.to_owned()),
            ("opens with", format!("the private key of {}", command.recipient)),
        ])
    })
}

/// Writes everything that the transaction sees.
fn snapshot(
    conn: &mut Conn,
    store: &Store<'_>,
    sealer: &Sealer,
    command: &Backup,
    sink: File,
) -> Result<(File, Manifest, Progress), Broken> {
    let all = tables::all(conn)?;
    let mut counts = BTreeMap::new();
    for table in &all {
        counts.insert(table.name.clone(), tables::count(conn, table)?);
    }
    let manifest = Manifest {
        made_at: store.clock.now().0,
        schema: db::schema_version(conn)
            .map_err(|error| Broken::File(error.to_string()))?
            .unwrap_or_default(),
        root_key_ids: sealer.key_ids(),
        root_keys: command.with_root_key.then(|| sealer.to_text().to_string()),
        tables: counts,
    };
    let mut progress = Progress::new(manifest.tables.values().sum(), "rows");
    let mut writer = Writer::begin(
        BufWriter::new(sink),
        &command.recipient,
        &manifest,
        &store.entropy,
    )
    .map_err(Broken::File)?;
    for table in &all {
        let mut head = Rows {
            table: table.name.clone(),
            columns: table.column_names().into_iter().map(str::to_owned).collect(),
            rows: 0,
        };
        let mut text = String::from("[");
        let mut flush = |head: &mut Rows, text: &mut String| -> Result<(), Broken> {
            if head.rows > 0 {
                text.push(']');
                writer.rows(head, text).map_err(Broken::File)?;
                progress.advance(head.rows as usize);
            }
            head.rows = 0;
            text.clear();
            text.push('[');
            Ok(())
        };
        tables::read(conn, table, &mut |row| {
            if head.rows > 0 {
                text.push(',');
            }
            text.push_str(row);
            head.rows += 1;
            match text.len() >= FRAME {
                true => flush(&mut head, &mut text),
                false => Ok(()),
            }
        })?;
        flush(&mut head, &mut text)?;
    }
    progress.finish();
    let sink = writer.end().map_err(Broken::File)?;
    let file = sink
        .into_inner()
        .map_err(|error| Broken::File(error.to_string()))?;
    Ok((file, manifest, progress))
}

pub fn restore(settings: &Settings, output: Output, command: Restore) -> Outcome {
    let path = command.file.as_path();
    let key = secret_from(&command.key)?;
    let entropy = Entropy::system();
    let source = File::open(path)
        .map_err(|error| Failure::Usage(format!("{} cannot be read: {error}", path.display())))?;
    let (mut reader, manifest) = Reader::begin(BufReader::new(source), &key, &entropy)
        .map_err(|why| Failure::Refused(format!("{}: {why}", path.display())))?;
    if !db::knows(&manifest.schema) {
        return Err(Failure::Refused(format!(
            "{} was made by a newer Forebay: restore it with that one",
            path.display()
        )));
    }
    let mut conn = opened(settings)?;
    make_room(&mut conn, &manifest)?;
    settle_root_key(settings, &entropy, &manifest)?;

    let mut progress = Progress::new(manifest.tables.values().sum(), "rows");
    let restored = conn.transaction(|conn| fill(conn, &mut reader, &manifest, &mut progress));
    progress.finish();
    restored.map_err(|broken| broken.told(path))?;
    db::migrate(&mut conn).map_err(|error| Failure::Refused(format!("the schema: {error}")))?;
    let rows: u64 = manifest.tables.values().sum();
    let document = json!({
        "rows": rows, "tables": manifest.tables.len(), "made_at": manifest.made_at, "seconds": progress.seconds(),
    });
    output.answer(&document, || {
        facts(&[
            (
                "restored",
                format!("{rows} rows of {} tables", manifest.tables.len()),
            ),
            ("as it was", UnixTime(manifest.made_at).to_string()),
            ("next", "forebay doctor, then forebay serve".to_owned()),
        ])
    })
}

/// The database has to be empty, and gets the schema that the backup's tables have.
fn make_room(conn: &mut Conn, manifest: &Manifest) -> Outcome {
    let failed = |error: &dyn std::fmt::Display| Failure::Refused(format!("the database: {error}"));
    for table in tables::all(conn).map_err(|error| failed(&error))? {
        if tables::count(conn, &table).map_err(|error| failed(&error))? > 0 {
            return Err(Failure::Refused(
                "the database is not empty: restore into a new one, named with --database".into(),
            ));
        }
    }
    let there = db::schema_version(conn).map_err(|error| failed(&error))?;
    if there.is_some_and(|version| version > manifest.schema) {
        return Err(Failure::Refused(
            "the database is empty, but its tables are newer than the backup's: restore into a new one, where nothing \
             ran yet"
                .into(),
        ));
    }
    db::migrate_until(conn, &manifest.schema).map_err(|error| failed(&error))?;
    Ok(())
}

/// What is sealed in the backup must open here: with the root key that is here, or with the backup's own, which is put
/// where there is none.
fn settle_root_key(settings: &Settings, entropy: &Entropy, manifest: &Manifest) -> Outcome {
    if let (RootKeySource::Directory(directory), Some(keys)) = (&settings.root_key, &manifest.root_keys) {
        seal::put_keys(directory, keys).map_err(|error| Failure::Refused(error.to_string()))?;
    }
    let here = match &settings.root_key {
        // Asking must not make one.
        RootKeySource::Directory(directory) if !directory.join("root.key").exists() => Vec::new(),
        _ => open_sealer(settings, entropy)?.key_ids(),
    };
    if manifest.root_key_ids.iter().all(|id| here.contains(id)) {
        return Ok(());
    }
    Err(Failure::Refused(
        "the root key that seals the backup's secrets is not here: put the copy of keys/root.key in its place first (or name \
         it with --keys or --root-key-file)"
            .into(),
    ))
}

/// Writes every row, and sees that none is missing.
fn fill(
    conn: &mut Conn,
    reader: &mut Reader<BufReader<File>>,
    manifest: &Manifest,
    progress: &mut Progress,
) -> Result<(), Broken> {
    let known = tables::all(conn)?;
    let mut found: BTreeMap<String, u64> = manifest.tables.keys().map(|name| (name.clone(), 0)).collect();
    while let Some((head, rows)) = reader.rows().map_err(Broken::File)? {
        let table = known
            .iter()
            .find(|table| table.name == head.table)
            .and_then(|table: &Table| table.with_columns(&head.columns))
            .ok_or_else(|| {
                Broken::File(format!(
                    "its table {} is not as this Forebay knows it",
                    head.table
                ))
            })?;
        let written = tables::write(conn, &table, &rows)?;
        *found.entry(head.table).or_default() += written as u64;
        progress.advance(written);
    }
    if found != manifest.tables {
        return Err(Broken::File("rows are missing".into()));
    }
    for table in &known {
        tables::count_on(conn, table)?;
    }
    Ok(())
}

fn opened(settings: &Settings) -> Result<Conn, Failure> {
    settings
        .database
        .open()
        .map_err(|error| Failure::Refused(format!("the database cannot be opened: {error}")))
}

/// `backup.forebay` → `backup.forebay.part`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}
