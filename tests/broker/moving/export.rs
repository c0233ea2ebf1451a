//! A pool moves from one Forebay to another: the export of what was imported is the export it was imported from.

use std::path::Path;

use forebay::demo::{self, WEB_CLIENT, WEB_SECRET};
use forebay::model::provider::{self, State};
use forebay::model::{client, user};
use forebay::rules::secret;
use serde_json::Value;

use super::{done, forebay, refused, shown};
use crate::support::database::TestDatabase;
use crate::support::{Stage, claims};

const UPSTREAM_SECRET: &str = "demo-secret-of-forebay-at-acme-000000000001";

/// Where both organisations may be called.
fn hosts(stage: &Stage) -> String {
    let host = |issuer: String| issuer.trim_start_matches("http://").to_owned();
    format!("{},{}", host(stage.acme.issuer()), host(stage.globex.issuer()))
}

fn export(database: &TestDatabase, hosts: &str, path: &Path, more: &[&str]) -> String {
    let mut arguments = vec!["export", "--pool", demo::POOL, "-o", shown(path)];
    arguments.extend(more);
    let output = forebay(database, hosts, &arguments).output().unwrap();
    assert!(output.status.success(), "{}", super::said(&output));
    std::fs::read_to_string(path).unwrap()
}

#[actix_web::test]
async fn what_was_imported_exports_the_same() {
    let stage = Stage::new().await;
    stage.console(demo::OPERATOR);
    let sub = claims(&stage.tokens_for("ada@acme.test", &[]).await.access)["sub"].clone();
    stage
        .tokens_for("hank@globex.test", &[("identity_provider", "globex-okta")])
        .await;
    let hosts = hosts(&stage);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);

    let keys = done(forebay(stage.database(), &hosts, &["export", "keygen"]));
    let [public, private] = ["public_key", "private_key"].map(|name| keys[name].as_str().unwrap().to_owned());
    std::fs::write(path("key"), &private).unwrap();
    let bare = export(
        stage.database(),
        &hosts,
        &path("bare.json"),
        &["--without-secrets"],
    );
    let sealed = export(
        stage.database(),
        &hosts,
        &path("sealed.json"),
        &["--recipient", &public],
    );
    for text in [&bare, &sealed] {
        assert!(!text.contains(WEB_SECRET) && !text.contains(UPSTREAM_SECRET));
    }
    let document: Value = serde_json::from_str(&sealed).unwrap();
    assert_eq!(document["secrets"]["recipient"], public);
    assert_eq!(document["users"].as_array().unwrap().len(), 2);

    // With the secrets all of it goes on working.
    let other = TestDatabase::new();
    let (file, key) = (path("sealed.json"), path("key"));
    let arguments = ["import", "pool", shown(&file), "--key", shown(&key), "--yes"];
    let told = done(forebay(&other, &hosts, &arguments));
    assert_eq!(told["remarks"], serde_json::json!([]));
    assert_eq!(
        export(&other, &hosts, &path("again.json"), &["--without-secrets"]),
        bare
    );
    let mut conn = other.target.open().unwrap();
    let held = client::secrets(&mut conn, WEB_CLIENT).unwrap();
    assert_eq!(held[0].hash, secret::hash(WEB_SECRET));
    let found = user::find_by_identity(
        &mut conn,
        "acme-okta",
        &stage.acme.issuer(),
        "00u1ada000000000acme",
    );
    assert_eq!(Value::from(found.unwrap().unwrap().sub), sub);
    assert_eq!(
        provider::find(&mut conn, "acme-okta").unwrap().unwrap().state(),
        State::Live
    );
    let again = done(forebay(&other, &hosts, &arguments));
    assert_eq!(
        (&again["made"], &again["differing"]),
        (&Value::Array(vec![]), &Value::Array(vec![]))
    );
    assert_eq!(again["users"]["equal"], 2);
}

#[actix_web::test]
async fn without_their_secrets_connections_arrive_disabled() {
    let stage = Stage::new().await;
    let hosts = hosts(&stage);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bare.json");
    export(stage.database(), &hosts, &path, &["--without-secrets"]);
    let other = TestDatabase::new();
    let told = done(forebay(
        &other,
        &hosts,
        &["import", "pool", shown(&path), "--yes"],
    ));
    let remarks = told["remarks"].to_string();
    for what in [
        "connection acme-okta",
        "connection globex-okta",
        WEB_CLIENT,
        "add-secret",
    ] {
        assert!(remarks.contains(what), "{what}: {remarks}");
    }
    let mut conn = other.target.open().unwrap();
    assert_eq!(
        provider::find(&mut conn, "acme-okta").unwrap().unwrap().state(),
        State::Draft
    );
    assert_ne!(
        client::secrets(&mut conn, WEB_CLIENT).unwrap()[0].hash,
        secret::hash(WEB_SECRET)
    );
}

#[actix_web::test]
async fn only_the_right_key_opens_the_secrets() {
    let stage = Stage::new().await;
    let hosts = hosts(&stage);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealed.json");
    let keys = || done(forebay(stage.database(), &hosts, &["export", "keygen"]));
    let public = keys()["public_key"].as_str().unwrap().to_owned();
    export(stage.database(), &hosts, &path, &["--recipient", &public]);
    let key = folder.path().join("key");
    std::fs::write(&key, keys()["private_key"].as_str().unwrap()).unwrap();
    let other = TestDatabase::new();
    let arguments = ["import", "pool", shown(&path), "--key", shown(&key), "--yes"];
    let why = refused(1, forebay(&other, &hosts, &arguments));
    assert!(why.contains("do not open with this key"), "{why}");
    refused(
        2,
        forebay(stage.database(), &hosts, &["export", "--pool", demo::POOL]),
    );
    let nowhere = ["export", "--pool", "us-local-1_Nobody", "--without-secrets"];
    refused(1, forebay(stage.database(), &hosts, &nowhere));
}
