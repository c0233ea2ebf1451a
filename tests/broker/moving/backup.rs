//! `forebay backup` and `forebay restore`: everything comes back, between databases of either kind, or nothing at all.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diesel::connection::Connection;
use forebay::db::{Target, tables};
use forebay::demo::{self, WEB_SECRET};
use tempfile::TempDir;

use super::{done, forebay, refused, shown};
use crate::support::Stage;
use crate::support::database::{TestDatabase, batch};

/// Keys and files of one test.
struct Vault {
    folder: TempDir,
    public: String,
}

impl Vault {
    fn new(database: &TestDatabase) -> Vault {
        let folder = tempfile::tempdir().unwrap();
        let keys = done(forebay(database, "localhost", &["export", "keygen"]));
        std::fs::write(folder.path().join("key"), keys["private_key"].as_str().unwrap()).unwrap();
        let public = keys["public_key"].as_str().unwrap().to_owned();
        Vault { folder, public }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Backs that database up into a file of this name.
    fn back_up(&self, url: &str, database: &TestDatabase, name: &str, more: &[&str]) -> PathBuf {
        let path = self.path(name);
        let mut arguments = vec!["backup", "--recipient", &self.public, "-o", shown(&path)];
        arguments.extend(more);
        let mut command = forebay(database, "localhost", &arguments);
        command.env("FOREBAY_DATABASE", url);
        assert_eq!(done(command)["file"], shown(&path));
        assert!(!path.with_extension("part").exists());
        path
    }

    /// The command that restores that file into that database.
    fn restore(&self, file: &Path, url: &str, database: &TestDatabase) -> std::process::Command {
        let key = self.path("key");
        let mut command = forebay(
            database,
            "localhost",
            &["restore", shown(file), "--key", shown(&key)],
        );
        command.env("FOREBAY_DATABASE", url);
        command
    }
}

/// Every row of every table; those of the audit log without the backups.
fn everything(target: &Target) -> BTreeMap<String, Vec<String>> {
    let mut conn = target.open().unwrap();
    let all = tables::all(&mut conn).unwrap();
    let mut found = BTreeMap::new();
    for table in all {
        let mut rows = Vec::new();
        let take = &mut |row: &str| -> Result<(), diesel::result::Error> {
            // PostgreSQL writes blanks between the columns.
            rows.push(row.replace(", ", ","));
            Ok(())
        };
        tables::read(&mut conn, &table, take).unwrap();
        rows.retain(|row| !row.contains("database.back_up"));
        rows.sort();
        found.insert(table.name, rows);
    }
    found
}

fn sqlite(path: &Path) -> (String, Target) {
    let url = format!("sqlite://{}", path.display());
    let target = Target::parse(&url).unwrap();
    (url, target)
}

#[actix_web::test]
async fn a_backup_of_a_running_broker_comes_back_whole_by_way_of_a_database_of_the_other_kind() {
    let stage = Stage::new().await;
    stage.console(demo::OPERATOR);
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let vault = Vault::new(stage.database());
    let here = stage.database();

    let file = vault.back_up(&here.url(), here, "first.backup", &[]);
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let bytes = std::fs::read(&file).unwrap();
    for word in ["ada@acme.test", WEB_SECRET, "user_pools"] {
        assert!(
            !bytes.windows(word.len()).any(|part| part == word.as_bytes()),
            "{word}"
        );
    }
    // Into a SQLite file that nothing ran on yet, and from there into a database of the suite's kind.
    let (url, between) = sqlite(&vault.path("between.db"));
    done(vault.restore(&file, &url, here));
    let again = vault.back_up(&url, here, "second.backup", &[]);
    let there = TestDatabase::new();
    let told = done(vault.restore(&again, &there.url(), here));
    assert!(told["rows"].as_u64().unwrap() > 20, "{told}");

    let before = everything(&here.target);
    assert!(!before["users"].is_empty() && !before["refresh_tokens"].is_empty());
    assert_eq!(everything(&between), before);
    assert_eq!(everything(&there.target), before);
    // What people hold goes on working, and rows are numbered on from where they were.
    let node = stage.node_over(&there.target).await;
    node.userinfo(&tokens.access).await.expect(200);
    node.refresh(&tokens.refresh.unwrap()).await.expect(200);
    let more = vault.back_up(&there.url(), here, "third.backup", &[]);
    assert!(more.exists());
}

#[actix_web::test]
async fn what_commits_during_a_backup_is_not_half_in_it() {
    let stage = Stage::new().await;
    let target = &stage.database().target;
    let mut reader = target.open().unwrap();
    let (before, after) = reader
        .transaction(|reader| -> Result<_, diesel::result::Error> {
            tables::freeze(reader)?;
            let all = tables::all(reader)?;
            let pools = all.iter().find(|table| table.name == "user_pools").unwrap();
            let before = tables::count(reader, pools)?;
            batch(
                &mut target.open().unwrap(),
                "INSERT INTO user_pools (id, name, settings, created_at, updated_at) VALUES ('x', 'x', '{}', 0, 0)",
            );
            Ok((before, tables::count(reader, pools)?))
        })
        .unwrap();
    assert_eq!(before, after);
}

#[actix_web::test]
async fn a_restore_that_cannot_be_whole_leaves_nothing() {
    let stage = Stage::new().await;
    let here = stage.database();
    let vault = Vault::new(here);
    let file = vault.back_up(&here.url(), here, "a.backup", &[]);
    let (url, target) = sqlite(&vault.path("b.db"));
    let is_empty = || everything(&target).values().all(Vec::is_empty);

    let taken = refused(1, vault.restore(&file, &here.url(), here));
    assert!(taken.contains("not empty"), "{taken}");

    let bytes = std::fs::read(&file).unwrap();
    let cut = vault.path("cut.backup");
    std::fs::write(&cut, &bytes[..bytes.len() - 40]).unwrap();
    let why = refused(1, vault.restore(&cut, &url, here));
    assert!(why.contains("cut off") && is_empty(), "{why}");

    let mut altered = bytes.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    std::fs::write(&cut, &altered).unwrap();
    let why = refused(1, vault.restore(&cut, &url, here));
    assert!(why.contains("damaged") && is_empty(), "{why}");

    // Under another root key nothing in it would open.
    let mut command = vault.restore(&file, &url, here);
    command.env("FOREBAY_ROOT_KEY", STANDARD.encode([7; 32]));
    let why = refused(1, command);
    assert!(why.contains("root key") && is_empty(), "{why}");

    let other = Vault::new(here);
    let why = refused(1, other.restore(&file, &url, here));
    assert!(why.contains(&vault.public) && is_empty(), "{why}");
    let nonsense = vault.path("nonsense");
    std::fs::write(&nonsense, "hello").unwrap();
    assert!(refused(1, vault.restore(&nonsense, &url, here)).contains("no backup"));
    let mut short = forebay(
        here,
        "localhost",
        &["backup", "--recipient", "short", "-o", shown(&cut)],
    );
    assert_eq!(short.output().unwrap().status.code(), Some(2));
}

#[actix_web::test]
async fn a_backup_with_its_root_key_is_all_that_a_restore_needs() {
    let stage = Stage::new().await;
    let here = stage.database();
    let vault = Vault::new(here);
    let with = vault.back_up(&here.url(), here, "with.backup", &["--with-root-key"]);
    let without = vault.back_up(&here.url(), here, "without.backup", &[]);
    let keys = vault.path("keys");
    let restore = |file: &Path, name: &str| {
        let (url, _) = sqlite(&vault.path(name));
        let mut command = vault.restore(file, &url, here);
        command.env_remove("FOREBAY_ROOT_KEY").env("FOREBAY_KEYS", &keys);
        command
    };
    let why = refused(1, restore(&without, "a.db"));
    assert!(why.contains("root key"), "{why}");
    assert!(!keys.join("root.key").exists());
    done(restore(&with, "b.db"));
    let made = keys.join("root.key");
    assert_eq!(
        std::fs::read_to_string(&made).unwrap().trim(),
        STANDARD.encode([42; 32])
    );
    assert_eq!(
        std::fs::metadata(&made).unwrap().permissions().mode() & 0o777,
        0o600
    );
    done(restore(&without, "c.db"));
    // A key that is there is never replaced.
    std::fs::write(&made, STANDARD.encode([7; 32])).unwrap();
    refused(1, restore(&with, "d.db"));
    assert_eq!(std::fs::read_to_string(&made).unwrap(), STANDARD.encode([7; 32]));
}
