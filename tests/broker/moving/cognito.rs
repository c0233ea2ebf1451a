//! A Cognito pool, as the AWS CLI prints it, moves in: what a dry run tells, what is made, that people sign in as who they
//! were, and that a run can be interrupted and repeated.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use forebay::model::user::{self, Status};
use forebay::model::{audit, client, group, key, pool, provider};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{done, forebay, refused, shown};
use crate::support::database::TestDatabase;
use crate::support::{APP, NOW, Stage, Tokens, VERIFIER, basic, claims, query_of};

const POOL: &str = "eu-west-1_Ab3dE6gHi";
const CLIENT: &str = "4h57kq2m8vz1c9x0r3t6y5u7ia";
const SECRET: &str = "moved0secret0of0the0web0client0000000000000000000001";
const ADA: &str = "0b2f6a34-1111-4c5d-8e9f-aaaaaaaaaaaa";

/// A user as `list-users` prints one.
fn user(number: usize) -> Value {
    json!({
        "Username": format!("user-{number}"), "Enabled": true, "UserStatus": "FORCE_CHANGE_PASSWORD",
        "UserCreateDate": 1_754_000_000.123, "UserLastModifiedDate": 1_754_000_001.5,
        "Attributes": [
            { "Name": "sub", "Value": format!("00000000-0000-4000-8000-{number:012}") },
            { "Name": "email", "Value": format!("user-{number}@app.example") },
        ],
    })
}

fn put(folder: &TempDir, name: &str, document: &Value) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, document.to_string()).unwrap();
}

/// The pool's users, the odd ones among them.
fn people() -> Vec<Value> {
    let identities = r#"[{"userId":"00u1ada000000000acme","providerName":"moved-okta","providerType":"OIDC","issuer":null,"primary":true,"dateCreated":1754000000123}]"#;
    let federated = json!({
        "Username": "moved-okta_00u1ada000000000acme", "Enabled": true, "UserStatus": "EXTERNAL_PROVIDER",
        "UserCreateDate": "2025-08-01T00:13:20.123000+02:00", "UserLastModifiedDate": "2025-08-02T00:13:20.123000+02:00",
        "Attributes": [
            { "Name": "sub", "Value": ADA }, { "Name": "identities", "Value": identities },
            { "Name": "email", "Value": "ada@acme.test" }, { "Name": "email_verified", "Value": "true" },
            { "Name": "custom:level", "Value": "7" },
        ],
    });
    let mut disabled = user(1);
    disabled["Enabled"] = json!(false);
    disabled["UserStatus"] = json!("CONFIRMED");
    let mut odd = user(2);
    odd["Username"] = json!("zoë+\"quoted\"'; DROP TABLE users;--\u{202e}🦉");
    odd["Attributes"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "Name": "name", "Value": "Zoë \"Z\" Ω\\ 100%_" }));
    odd["Attributes"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "Name": "dev:custom:old", "Value": "x" }));
    vec![federated, disabled, odd]
}

/// The pool in a directory, with its Okta at this address.
fn dump(okta: &str, users: &[Value]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(
        &folder,
        "pool.json",
        &json!({ "UserPool": {
            "Id": POOL, "Name": "Customers", "DeletionProtection": "ACTIVE", "MfaConfiguration": "OFF",
            "LambdaConfig": { "PreSignUp": "arn:aws:lambda:eu-west-1:111122223333:function:check" },
            "UserPoolTags": { "team": "identity" }, "EstimatedNumberOfUsers": 3, "Status": "Enabled",
            "Policies": { "PasswordPolicy": { "MinimumLength": 10, "RequireNumbers": true } },
            "UsernameConfiguration": { "CaseSensitive": false },
            "SchemaAttributes": [
                { "Name": "sub", "AttributeDataType": "String", "Mutable": false, "Required": true },
                { "Name": "email", "AttributeDataType": "String", "Mutable": true, "Required": true },
                { "Name": "custom:level", "AttributeDataType": "Number", "Mutable": true, "Required": false },
            ],
        } }),
    );
    put(
        &folder,
        "clients/web.json",
        &json!({ "UserPoolClient": {
            "UserPoolId": POOL, "ClientId": CLIENT, "ClientName": "web", "ClientSecret": SECRET, "RefreshTokenValidity": 7,
            "TokenValidityUnits": { "RefreshToken": "days" }, "SupportedIdentityProviders": ["moved-okta", "Old-SAML"],
            "CallbackURLs": [format!("{APP}/callback")], "AllowedOAuthFlows": ["code"],
            "AllowedOAuthScopes": ["openid", "email", "orders/read"], "AllowedOAuthFlowsUserPoolClient": true,
            "CreationDate": 1_754_000_000, "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH"],
        } }),
    );
    put(
        &folder,
        "idp-1.json",
        &json!({ "IdentityProvider": {
            "UserPoolId": POOL, "ProviderName": "moved-okta", "ProviderType": "OIDC", "IdpIdentifiers": ["acme.test"],
            "ProviderDetails": {
                "oidc_issuer": okta, "client_id": "0oa1forebayacme00000", "authorize_scopes": "openid profile email",
                "client_secret": "demo-secret-of-forebay-at-acme-000000000001", "attributes_request_method": "GET",
            },
            "AttributeMapping": { "username": "sub", "email": "email", "email_verified": "email_verified" },
        } }),
    );
    put(
        &folder,
        "idp-2.json",
        &json!({ "IdentityProvider": { "ProviderName": "Old-SAML", "ProviderType": "SAML" } }),
    );
    put(
        &folder,
        "servers.json",
        &json!({ "ResourceServers": [{
            "Identifier": "orders", "Name": "Orders", "Scopes": [{ "ScopeName": "read", "ScopeDescription": "Read orders" }],
        }] }),
    );
    put(
        &folder,
        "groups.json",
        &json!({ "Groups": [{ "GroupName": "admins/night", "Precedence": 1, "Description": "At night" }] }),
    );
    put(&folder, "users.json", &json!({ "Users": users }));
    put(
        &folder,
        "users-in-group/admins%2Fnight.json",
        &json!({ "Users": users.iter().take(1).collect::<Vec<_>>() }),
    );
    put(
        &folder,
        &format!("users-in-group/{POOL}_moved-okta.json"),
        &json!({ "Users": users.iter().take(1).collect::<Vec<_>>() }),
    );
    folder
}

fn import<'a>(
    database: &TestDatabase,
    okta: &str,
    path: &'a Path,
    more: &[&'a str],
) -> std::process::Command {
    let mut arguments = vec!["import", "cognito", shown(path)];
    arguments.extend(more);
    forebay(database, okta, &arguments)
}

#[actix_web::test]
async fn a_dry_run_tells_everything_and_changes_nothing() {
    let stage = Stage::new().await;
    let okta = stage.acme.issuer();
    let folder = dump(&okta, &people());
    let told = done(import(stage.database(), &okta, folder.path(), &["--dry-run"]));
    assert_eq!(told["done"], false);
    let made = told["made"].as_array().unwrap();
    for name in [
        format!("user pool {POOL}"),
        format!("app client {CLIENT}"),
        "connection moved-okta".into(),
        "resource server orders".into(),
        "group admins/night".into(),
    ] {
        assert!(made.contains(&json!(name)), "{name}: {made:?}");
    }
    assert_eq!(told["users"]["made"], 3);
    let behind = told["stays_behind"].to_string();
    for what in [
        "triggers",
        "PreSignUp",
        "SAML",
        "Old-SAML",
        "passwords",
        "dev:custom:old",
    ] {
        assert!(behind.contains(what), "{what}: {behind}");
    }
    stage.act(|conn| {
        assert_eq!(pool::find(conn, POOL).unwrap(), None);
        assert_eq!(audit::recent(conn, Some(POOL), 10).unwrap().len(), 0);
    });
    let unasked = refused(2, import(stage.database(), &okta, folder.path(), &[]));
    assert!(unasked.contains("--yes"), "{unasked}");
}

#[actix_web::test]
async fn people_of_a_pool_that_moved_in_sign_in_as_who_they_were() {
    let stage = Stage::new().await;
    let okta = stage.acme.issuer();
    let folder = dump(&okta, &people());
    let told = done(import(stage.database(), &okta, folder.path(), &["--yes"]));
    assert_eq!(told["users"]["made"], 3);
    assert_eq!(told["users"]["memberships"], 2);
    assert!(told["users_per_second"].as_u64().unwrap() > 0);

    stage.act(|conn| {
        let pool = pool::find(conn, POOL).unwrap().unwrap();
        assert_eq!(pool.name, "Customers");
        assert!(pool.settings.deletion_protection && !pool.settings.case_sensitive);
        assert_eq!(pool.settings.attributes.len(), 2);
        assert_eq!(key::of_pool(conn, POOL).unwrap().len(), 2);
        let settings = client::find(conn, CLIENT).unwrap().unwrap().settings.0;
        assert_eq!(settings.refresh_token_seconds, 7 * 86_400);
        assert_eq!(settings.providers, ["moved-okta"], "SAML stayed behind");
        assert_eq!(settings.scopes, ["openid", "email", "orders/read"]);

        let disabled = user::find(conn, "00000000-0000-4000-8000-000000000001")
            .unwrap()
            .unwrap();
        assert!(!disabled.enabled);
        assert_eq!(disabled.status, Status::Confirmed);
        assert_eq!(
            (disabled.created_at.0, disabled.updated_at.0),
            (1_754_000_000, 1_754_000_001)
        );
        let odd = user::find(conn, "00000000-0000-4000-8000-000000000002")
            .unwrap()
            .unwrap();
        assert_eq!(odd.username, "zoë+\"quoted\"'; DROP TABLE users;--\u{202e}🦉");
        assert_eq!(odd.attributes["name"], "Zoë \"Z\" Ω\\ 100%_");
        let groups: Vec<String> = group::memberships(conn, ADA)
            .unwrap()
            .into_iter()
            .map(|held| held.source)
            .collect();
        let provider = provider::find_by_name(conn, POOL, "moved-okta").unwrap().unwrap();
        assert_eq!(
            groups,
            [group::BY_ADMIN.to_owned(), group::by_provider(&provider.id)]
        );
        // One event for the batch of users and one for that of memberships.
        let events = audit::recent(conn, Some(POOL), 50).unwrap();
        let batches: Vec<_> = events
            .iter()
            .filter(|event| event.action == "pool.import")
            .collect();
        assert_eq!(batches.len(), 2, "{events:?}");
        assert!(!format!("{events:?}").contains(SECRET));
    });

    // The command line's clock is the real one, the stage's is not: what was granted must not be older than its connection.
    let provider = stage.act(|conn| provider::find_by_name(conn, POOL, "moved-okta").unwrap().unwrap());
    stage.change_provider(&provider.id, |provider| provider.created_at = NOW);

    let changes = [
        ("client_id", CLIENT),
        ("scope", "openid"),
        ("identity_provider", "moved-okta"),
    ];
    let authorize = stage.authorize(&changes);
    let back = stage.browser().sign_in("ada@acme.test", &authorize).await;
    let code = query_of(back.location(), "code").unwrap_or_else(|| panic!("no code: {back:?}"));
    let callback = format!("{APP}/callback");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", callback.as_str()),
        ("code_verifier", VERIFIER),
    ];
    let header = basic(CLIENT, SECRET);
    let tokens = Tokens::of(&stage.token(Some(&header), &fields).await.expect(200));
    let id = claims(tokens.id.as_deref().unwrap());
    assert_eq!(id["sub"], ADA);
    assert_eq!(id["cognito:username"], "moved-okta_00u1ada000000000acme");
    assert_eq!(id["custom:level"], "7");
    assert_eq!(
        id["cognito:groups"],
        json!(["admins/night", format!("{POOL}_moved-okta")])
    );
}

#[actix_web::test]
async fn a_second_run_finds_all_of_it_and_takes_over_only_when_told_to() {
    let stage = Stage::new().await;
    let okta = stage.acme.issuer();
    let folder = dump(&okta, &people());
    done(import(stage.database(), &okta, folder.path(), &["--yes"]));
    let again = done(import(stage.database(), &okta, folder.path(), &["--yes"]));
    assert_eq!(again["made"], json!([]));
    assert_eq!(again["differing"], json!([]));
    assert_eq!(
        (
            &again["users"]["made"],
            &again["users"]["equal"],
            &again["users"]["memberships"]
        ),
        (&json!(0), &json!(3), &json!(0))
    );

    let mut later = people();
    later[1]["Enabled"] = json!(true);
    later.push(user(4));
    put(&folder, "users.json", &json!({ "Users": later }));
    put(
        &folder,
        "groups.json",
        &json!({ "Groups": [{ "GroupName": "admins/night", "Precedence": 5 }] }),
    );
    let told = done(import(stage.database(), &okta, folder.path(), &["--yes"]));
    assert_eq!(told["differing"], json!(["group admins/night"]));
    assert_eq!(told["users"]["made"], 1);
    assert_eq!(told["users"]["differing"], json!(["user-1"]));
    let disabled = "00000000-0000-4000-8000-000000000001";
    assert!(!stage.act(|conn| user::find(conn, disabled).unwrap().unwrap().enabled));

    let told = done(import(
        stage.database(),
        &okta,
        folder.path(),
        &["--yes", "--overwrite"],
    ));
    assert_eq!(told["users"]["overwritten"], 1);
    assert!(stage.act(|conn| user::find(conn, disabled).unwrap().unwrap().enabled));
    let precedence = stage.act(|conn| {
        group::find(conn, POOL, "admins/night")
            .unwrap()
            .unwrap()
            .precedence
    });
    assert_eq!(precedence, Some(5));
}

#[actix_web::test]
async fn who_cannot_be_made_is_told_and_everybody_else_is() {
    let stage = Stage::new().await;
    let okta = stage.acme.issuer();
    let folder = dump(&okta, &people());
    done(import(stage.database(), &okta, folder.path(), &["--yes"]));

    // The name of somebody else, their Okta account, and the same user twice.
    let mut usurper = user(9);
    usurper["Username"] = json!("user-1");
    let mut twin = people()[0].clone();
    twin["Username"] = json!("twin");
    twin["Attributes"][0]["Value"] = json!("00000000-0000-4000-8000-000000000077");
    put(
        &folder,
        "users.json",
        &json!({ "Users": [usurper, twin, user(5), user(5)] }),
    );
    std::fs::remove_dir_all(folder.path().join("users-in-group")).unwrap();
    let output = import(stage.database(), &okta, folder.path(), &["--yes", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", super::said(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["users"]["made"], 1);
    assert_eq!(told["users"]["refused"].as_array().unwrap().len(), 3, "{told}");

    // A client of another pool is nobody's to take over.
    let path = folder.path().join("clients/web.json");
    let changed = std::fs::read_to_string(&path)
        .unwrap()
        .replace(CLIENT, forebay::demo::WEB_CLIENT);
    std::fs::write(&path, changed).unwrap();
    let why = refused(1, import(stage.database(), &okta, folder.path(), &["--yes"]));
    assert!(why.contains("another pool"), "{why}");
}

#[test]
fn a_broken_file_is_refused_before_anything_is_made() {
    let database = TestDatabase::new();
    let okta = "http://127.0.0.1:9";
    let folder = dump(okta, &people());
    let path = folder.path().join("users.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let why = refused(1, import(&database, okta, folder.path(), &["--yes"]));
    assert!(why.contains("users.json") && why.contains("line 1"), "{why}");
    assert_eq!(
        pool::find(&mut database.target.open().unwrap(), POOL).unwrap(),
        None
    );

    std::fs::write(&path, whole).unwrap();
    let told = done(import(&database, okta, folder.path(), &["--yes"]));
    assert_eq!(told["users"]["made"], 3);
}

#[test]
fn a_run_that_was_killed_is_finished_by_the_next() {
    const USERS: usize = 6_000;
    let database = TestDatabase::new();
    let okta = "http://127.0.0.1:9";
    let users: Vec<Value> = (0..USERS).map(user).collect();
    let folder = dump(okta, &users);
    std::fs::remove_dir_all(folder.path().join("users-in-group")).unwrap();

    let mut running = import(&database, okta, folder.path(), &["--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
    let first = lines.find_map(|line| line.ok().filter(|line| line.contains(" of 6000 users")));
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(first.is_some(), "it ended before its first batch");

    let told = done(import(&database, okta, folder.path(), &["--yes"]));
    let count = |what: &str| told["users"][what].as_u64().unwrap();
    assert_eq!(count("made") + count("equal"), USERS as u64);
    assert!(count("equal") >= 1_000 && count("made") > 0, "{told}");
    let mut conn = database.target.open().unwrap();
    assert_eq!(pool::numbers(&mut conn, POOL).unwrap().users, USERS as i64);
}
