//! The command as a shell runs it: the binary, a directory of its own, exit codes, both forms of output.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A directory to run in, with its database and keys.
pub struct Shell(TempDir);

impl Shell {
    pub fn new() -> Shell {
        Shell(tempfile::tempdir().unwrap())
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        for (name, _) in std::env::vars() {
            if name.starts_with("FOREBAY_") || name.starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs what must go well, and gives what it printed.
    pub fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.text(&arguments)).unwrap()
    }

    /// Runs what must end with this code, and gives what it said on standard error.
    fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            said(&output)
        );
        said(&output)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_connection_is_made_of_an_apps_env_and_an_app_gets_its_own() {
    let shell = Shell::new();
    let pool = shell.json(&["pool", "create", "--name", "Test"]);
    let pool = pool["id"].as_str().unwrap();
    let file = shell.path().join("okta.env");
    let env = "OKTA_CLIENT_ID=0oa1b2c3d4e5f6g7h8i9\nOKTA_CLIENT_SECRET=canary-of-the-env\nOKTA_ISSUER_URI=https://acme.okta.com/oauth2/default\n";
    std::fs::write(&file, env).unwrap();
    let file = file.to_str().unwrap();
    let make = |name| {
        [
            "provider", "create", "--pool", pool, "--name", name, "--env", file,
        ]
    };
    let made = shell.json(&make("acme-okta"));
    assert_eq!(made["issuer"], "https://acme.okta.com/oauth2/default");
    assert_eq!(made["settings"]["client_id"], "0oa1b2c3d4e5f6g7h8i9");
    assert_eq!(made["has_client_secret"], true);
    assert!(!made.to_string().contains("canary-of-the-env"));
    // The same app in a second environment is told.
    let second = shell.run(&make("acme-staging"));
    assert!(
        second.status.success() && said(&second).contains("is used by acme-okta"),
        "{second:?}"
    );
    let neither = ["provider", "create", "--pool", pool, "--name", "third"];
    shell.refused(2, &neither);

    let client = [
        "client",
        "create",
        "--pool",
        pool,
        "--name",
        "Sandbox",
        "--callback",
        "https://s.example.com/cb",
        "--env",
    ];
    let block = shell.text(&client);
    let line = |name: &str| {
        let line = block
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("no {name}: {block}")).to_owned()
    };
    assert!(line("OKTA_ISSUER_URI").ends_with(&format!("/{pool}")));
    assert!(line("OKTA_CLIENT_SECRET").len() > 24);
    let again = shell.text(&["client", "env", &line("OKTA_CLIENT_ID")]);
    assert!(again.ends_with("OKTA_CLIENT_SECRET=\n"), "{again}");
}

#[test]
fn a_connection_asks_for_oktas_own_api_where_that_can_be_granted() {
    let shell = Shell::new();
    let pool = shell.json(&["pool", "create", "--name", "Test"]);
    let pool = pool["id"].as_str().unwrap();
    let make = |issuer, more: &[&'static str]| {
        let mut arguments = vec![
            "provider",
            "create",
            "--pool",
            pool,
            "--name",
            "acme-okta",
            "--issuer",
            issuer,
        ];
        arguments.extend(["--client-id", "0oa1b2c3d4e5f6g7h8i9", "--client-secret", "secret"]);
        arguments.extend(["--okta-api", "okta.userTypes.read okta.users.read.self"]);
        arguments.extend(more);
        arguments
    };
    let said = shell.refused(1, &make("https://acme.okta.com/oauth2/default", &[]));
    assert!(said.contains("org authorization server only"), "{said}");
    let said = shell.refused(1, &make("https://acme.okta.com", &["--kind", "token-in"]));
    assert!(said.contains("needs a sign-in that we begin"), "{said}");
    let made = shell.json(&make("https://acme.okta.com", &[]));
    let scopes = serde_json::json!(["okta.users.read.self", "okta.userTypes.read"]);
    assert_eq!(made["settings"]["okta_api"], scopes);
    let shown = shell.text(&["provider", "show", "acme-okta"]);
    assert!(
        shown.contains("okta.users.read.self okta.userTypes.read"),
        "{shown}"
    );
    // Nor does it move to where they cannot be granted.
    let custom = "https://acme.okta.com/oauth2/default";
    shell.refused(1, &["provider", "update", "acme-okta", "--issuer", custom]);
    shell.refused(
        2,
        &[
            "provider",
            "update",
            "acme-okta",
            "--okta-api",
            "okta.users.manage",
        ],
    );
    let off = shell.json(&["provider", "update", "acme-okta", "--okta-api", "none"]);
    assert_eq!(off["settings"]["okta_api"], serde_json::json!([]));
}

#[test]
fn a_connection_of_the_kind_token_in_needs_no_secret() {
    let shell = Shell::new();
    let pool = shell.json(&["pool", "create", "--name", "Test"]);
    let pool = pool["id"].as_str().unwrap();
    let make = |client_id| {
        [
            "provider",
            "create",
            "--pool",
            pool,
            "--name",
            "acme-widget",
            "--kind",
            "token-in",
            "--issuer",
            "acme.okta.com",
            "--client-id",
            client_id,
            "--origin",
            "https://host.example.com",
        ]
    };
    let refused = shell.refused(1, &make("0oa-too-short"));
    assert!(refused.contains("0oa and 17 more"), "{refused}");
    let made = shell.json(&make("0oa1b2c3d4e5f6g7h8i9"));
    assert_eq!(
        made["issuer"], "https://acme.okta.com",
        "https:// is added, not asked for"
    );
    assert_eq!(
        made["settings"]["token_in"]["origins"][0],
        "https://host.example.com"
    );
    let client = [
        "client",
        "create",
        "--pool",
        pool,
        "--name",
        "Widget",
        "--public",
        "--token-exchange",
        "--provider",
        "acme-widget",
    ];
    let client = shell.json(&client);
    assert_eq!(client["settings"]["token_exchange"], true);
    assert_eq!(client["settings"]["flows"].as_array().unwrap().len(), 0);
}

#[test]
fn a_hook_is_bound_and_unbound_from_a_shell() {
    let shell = Shell::new();
    let arn = "arn:aws:lambda:local:000000000000:function:hook-1";
    let bound = shell.json(&["hook", "bind", arn, "https://hooks.example.com/pre"]);
    let secret = bound["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"));
    let listed = shell.json(&["hook", "list"]);
    assert_eq!(listed[0]["url"], "https://hooks.example.com/pre");
    assert!(!listed.to_string().contains("whsec_"), "never again");
    assert!(shell.text(&["hook", "list"]).contains("all pools"));
    for (code, arguments) in [
        (
            1,
            ["hook", "bind", arn, "https://hooks.example.com/again"].as_slice(),
        ),
        (1, &["hook", "bind", "not-an-arn", "https://hooks.example.com/"]),
        (
            1,
            &[
                "hook",
                "bind",
                arn,
                "http://127.0.0.1:1/",
                "--pool",
                "no-such-pool",
            ],
        ),
        (2, &["hook", "bind", arn, "hooks.example.com"]),
        (
            1,
            &[
                "hook",
                "rotate",
                "arn:aws:lambda:local:000000000000:function:none",
            ],
        ),
    ] {
        shell.refused(code, arguments);
    }
    let rotated = shell.json(&["hook", "rotate", arn]);
    assert_ne!(rotated["secret"], secret.as_str());
    shell.text(&["hook", "unbind", arn, "--yes"]);
    assert_eq!(shell.json(&["hook", "list"]), serde_json::json!([]));
}

#[test]
fn a_set_up_link_is_made_listed_and_revoked_from_a_shell() {
    let shell = Shell::new();
    let pool = shell.json(&["pool", "create", "--name", "Acme"]);
    let id = pool["id"].as_str().unwrap();
    shell.text(&["tenant", "create", "--pool", id, "--id", "acme", "--name", "Acme"]);
    let made = shell.json(&["tenant", "setup-link", "create", "acme", "--days", "3"]);
    let link = made["link"].as_str().unwrap();
    assert!(
        link.starts_with("http://localhost:8080/console/connect/"),
        "{link}"
    );
    let listed = shell.json(&["tenant", "setup-link", "list", "acme"]);
    assert_eq!(listed[0]["state"], "open");
    let token = link.rsplit('/').next().unwrap();
    assert!(!listed.to_string().contains(token), "never again");
    let name = made["id"].as_str().unwrap();
    shell.text(&["tenant", "setup-link", "revoke", name]);
    assert!(
        shell
            .text(&["tenant", "setup-link", "list", "acme"])
            .contains("revoked")
    );
    for (code, arguments) in [
        (1, ["tenant", "setup-link", "revoke", name].as_slice()),
        (1, &["tenant", "setup-link", "create", "globex"]),
        (2, &["tenant", "setup-link", "create", "acme", "--days", "31"]),
        (1, &["tenant", "move", "plan", "acme", "--from", "a", "--to", "b"]),
        (
            2,
            &[
                "tenant",
                "move",
                "plan",
                "acme",
                "--from",
                "a",
                "--to",
                "b",
                "--list",
                "no-such-file",
            ],
        ),
        (1, &["tenant", "move", "show", "mv_none"]),
    ] {
        shell.refused(code, arguments);
    }
    assert_eq!(
        shell.json(&["tenant", "move", "list", "acme"]),
        serde_json::json!([])
    );
}

#[test]
fn a_real_pool_is_set_up_from_a_shell() {
    let shell = Shell::new();
    let pool = shell.json(&[
        "pool",
        "create",
        "--name",
        "Acme",
        "--attribute",
        "department",
        "--required",
        "email",
    ]);
    let pool_id = pool["id"].as_str().unwrap();
    assert_eq!(pool["issuer"], format!("http://localhost:8080/{pool_id}"));
    assert_eq!(pool["settings"]["attributes"][0]["name"], "email");
    assert_eq!(pool["settings"]["attributes"][1]["name"], "custom:department");

    std::fs::write(shell.path().join("secret"), "upstream-secret\n").unwrap();
    let output = shell.run(&[
        "provider",
        "create",
        "--pool",
        pool_id,
        "--name",
        "acme-okta",
        "--issuer",
        "acme.okta.com/",
        "--client-id",
        "0oa1",
        "--client-secret-file",
        "secret",
        "--identifier",
        "Acme.test",
        "--map",
        "email=email,absent=refuse",
        "--groups-claim",
        "groups",
        "--groups",
        "existing",
        "--scope",
        "openid email groups",
    ]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("read as https://acme.okta.com"),
        "{}",
        said(&output)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "Sign-in redirect URI   http://localhost:8080/oauth2/idpresponse/acme-okta",
        "Sign-out redirect URI  http://localhost:8080/logout/idpresponse/acme-okta",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let provider = shell.json(&["provider", "show", "acme-okta"]);
    assert_eq!(provider["issuer"], "https://acme.okta.com");
    assert_eq!(provider["has_client_secret"], true);
    assert_eq!(provider["identifiers"][0], "acme.test");
    assert_eq!(provider["mapping"]["rules"]["attributes"][0]["absent"], "refuse");
    assert_eq!(provider["mapping"]["rules"]["groups"]["missing"], "existing");
    assert!(!provider.to_string().contains("upstream-secret"));
    std::fs::write(shell.path().join("next"), "the-next-secret\n").unwrap();
    let rotating = shell.json(&[
        "provider",
        "update",
        "acme-okta",
        "--next-secret-file",
        "next",
        "--secret-expires",
        "2027-01-31",
    ]);
    assert_eq!(rotating["has_next_secret"], true);
    assert_eq!(rotating["secret_expires_at"], "2027-01-31T00:00:00Z");
    assert!(!rotating.to_string().contains("the-next-secret"));

    shell.text(&[
        "resource-server",
        "create",
        "--pool",
        pool_id,
        "--identifier",
        "demo-api",
        "--name",
        "Demo",
        "--scope",
        "read=Read",
    ]);
    let client = shell.json(&[
        "client",
        "create",
        "--pool",
        pool_id,
        "--name",
        "portal",
        "--callback",
        "https://app.example.com/callback",
        "--provider",
        "acme-okta",
        "--scope",
        "openid email demo-api/read",
        "--access-minutes",
        "10",
        "--rotate-refresh",
    ]);
    let secret = client["client_secret"].as_str().unwrap();
    assert_eq!(secret.len(), 52);
    assert_eq!(client["settings"]["access_token_seconds"], 600);
    assert_eq!(client["settings"]["rotation"]["enabled"], true);
    let id = client["id"].as_str().unwrap();
    let shown = shell.json(&["client", "show", id]);
    assert!(!shown.to_string().contains(secret), "a secret is shown once");
    assert_eq!(shown["secret_ids"].as_array().unwrap().len(), 1);
    let rule = [
        "--name",
        "staff",
        "--when",
        "'staff' in groups",
        "--contact",
        "it@acme.test",
    ];
    let guarded = shell.json(&[&["client", "add-access-rule", id][..], &rule].concat());
    assert_eq!(
        guarded["settings"]["access"][0]["expression"],
        "'staff' in groups"
    );
    let wrong = ["--name", "staff", "--when", "groups", "--contact", "it@acme.test"];
    let said = shell.refused(1, &[&["client", "add-access-rule", id][..], &wrong].concat());
    assert!(said.contains("yes or no"), "{said}");
    assert!(
        shell
            .text(&["client", "show", id])
            .contains("staff: 'staff' in groups (ask it@acme.test)")
    );
    shell.refused(1, &["client", "delete-access-rule", id, "nobody"]);
    let open = shell.json(&["client", "delete-access-rule", id, "staff"]);
    assert_eq!(open["settings"]["access"], serde_json::json!([]));
    let strong = shell.json(&["client", "update", id, "--require-acr", "phr"]);
    assert_eq!(strong["settings"]["requires_acr"], serde_json::json!(["phr"]));
    let weak = shell.json(&["client", "update", id, "--require-acr", ""]);
    assert_eq!(weak["settings"]["requires_acr"], serde_json::json!([]));
    let second = shell.json(&["client", "add-secret", id]);
    assert_ne!(second["client_secret"], client["client_secret"]);
    shell.text(&[
        "client",
        "delete-secret",
        id,
        shown["secret_ids"][0].as_str().unwrap(),
    ]);

    // What is not named stays.
    let changed = shell.json(&["client", "update", id, "--refresh-days", "7"]);
    assert_eq!(changed["settings"]["refresh_token_seconds"], 7 * 86_400);
    assert_eq!(changed["settings"]["scopes"], client["settings"]["scopes"]);
    let moved = shell.json(&[
        "provider",
        "update",
        "acme-okta",
        "--issuer",
        "https://acme.okta.com/oauth2/default",
    ]);
    assert_eq!(moved["secret_cleared"], true);
    assert_eq!(moved["has_client_secret"], false);

    shell.text(&["provider", "delete", "acme-okta", "--yes"]);
    assert_eq!(
        shell.json(&["client", "show", id])["settings"]["providers"],
        serde_json::json!([])
    );
    shell.text(&[
        "resource-server",
        "delete",
        "demo-api",
        "--pool",
        pool_id,
        "--yes",
    ]);
    shell.text(&["client", "delete", id, "--yes"]);
    shell.text(&["pool", "delete", pool_id, "--yes"]);
    assert_eq!(shell.json(&["pool", "list"]), serde_json::json!([]));
}

#[test]
fn signing_keys_are_shown_rotated_and_revoked_from_a_shell() {
    let shell = Shell::new();
    let pool = shell.json(&["pool", "create", "--name", "Acme", "--key-rotation-days", "30"]);
    assert_eq!(pool["settings"]["key_rotation_days"], 30);
    let id = pool["id"].as_str().unwrap();
    let states = || {
        let keys = shell.json(&["keys", "show", id]);
        let mut states: Vec<String> = keys
            .as_array()
            .unwrap()
            .iter()
            .map(|key| {
                format!(
                    "{} {}",
                    key["use"].as_str().unwrap(),
                    key["state"].as_str().unwrap()
                )
            })
            .collect();
        states.sort();
        states
    };
    assert_eq!(states(), ["access active", "id active"]);
    let published = shell.json(&["keys", "rotate", id]);
    assert_eq!(published["published"].as_array().unwrap().len(), 2);
    assert_eq!(
        states(),
        ["access active", "access pending", "id active", "id pending"]
    );
    let said = shell.refused(1, &["keys", "rotate", id]);
    assert!(said.contains("a rotation is under way"), "{said}");

    let keys = shell.json(&["keys", "show", id]);
    let active = keys
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["state"] == "active")
        .unwrap();
    let kid = active["kid"].as_str().unwrap();
    let said = shell.refused(2, &["keys", "revoke", id, kid]);
    assert!(said.contains("add --yes"), "{said}");
    let said = shell.text(&["keys", "revoke", id, kid, "--yes"]);
    assert!(said.contains("Its successor signs from now on"), "{said}");
    assert_eq!(
        states().iter().filter(|state| state.ends_with("active")).count(),
        2
    );
    assert!(!shell.text(&["keys", "show", id]).contains(kid));
}

#[test]
fn tenants_are_made_and_given_connections_from_a_shell() {
    let shell = Shell::new();
    let pool = shell.json(&["pool", "create", "--name", "Acme"]);
    let id = pool["id"].as_str().unwrap();
    let tenant = shell.json(&[
        "tenant",
        "create",
        "--pool",
        id,
        "--id",
        "acme",
        "--name",
        "Acme Inc.",
    ]);
    assert_eq!(tenant["user_pool_id"], id);
    std::fs::write(shell.path().join("secret"), "upstream-secret\n").unwrap();
    shell.text(&[
        "provider",
        "create",
        "--pool",
        id,
        "--name",
        "acme-okta",
        "--issuer",
        "https://acme.okta.com",
        "--client-id",
        "0oa1",
        "--client-secret-file",
        "secret",
    ]);
    shell.text(&["tenant", "give", "acme-okta", "--to", "acme"]);
    let shown = shell.json(&["tenant", "show", "acme"]);
    assert_eq!(shown["connections"], serde_json::json!(["acme-okta"]));
    shell.refused(2, &["tenant", "give", "acme-okta"]);
    let said = shell.refused(1, &["tenant", "give", "acme-okta", "--to", "globex"]);
    assert!(said.contains("tenant 'globex' does not exist"), "{said}");
    let claimed = shell.json(&["tenant", "domain", "add", "acme", "@Acme.TEST", "--subdomains"]);
    assert_eq!(
        (&claimed["domain"], &claimed["proof"]),
        (&"acme.test".into(), &"none".into())
    );
    assert_eq!(claimed["record_name"], "_forebay-challenge.acme.test");
    let said = shell.refused(1, &["tenant", "domain", "add", "acme", "gmail.com"]);
    assert!(said.contains("everybody can have a mailbox"), "{said}");
    // Port 9 discards: nobody knows, and so nothing is proven.
    let check = [
        "tenant",
        "domain",
        "check",
        "acme",
        "acme.test",
        "--dns-server",
        "127.0.0.1:9",
    ];
    let looked = shell.json(&check);
    assert_eq!(looked["proof"], "none");
    assert!(
        looked["finding"].as_str().unwrap().contains("could not be asked"),
        "{looked}"
    );
    shell.text(&["tenant", "domain", "assert", "acme", "acme.test"]);
    let off = shell.json(&["tenant", "domain", "subdomains", "acme", "acme.test", "--off"]);
    assert_eq!(
        (&off["proof"], &off["subdomains"]),
        (&"asserted".into(), &false.into())
    );
    assert!(
        shell
            .text(&["tenant", "domain", "list", "acme"])
            .contains("acme.test")
    );
    let shown = shell.json(&["tenant", "show", "acme"]);
    assert_eq!(shown["domains"], serde_json::json!(["acme.test (asserted)"]));
    shell.text(&["tenant", "domain", "remove", "acme", "acme.test", "--yes"]);
    assert_eq!(
        shell.json(&["tenant", "domain", "list", "acme"]),
        serde_json::json!([])
    );
    shell.refused(1, &["tenant", "clients", "acme", "--client", "nobody"]);
    std::fs::write(shell.path().join("logo.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let look = shell.json(&[
        "tenant",
        "look",
        "acme",
        "--logo",
        "logo.png",
        "--accent",
        "#0b617a",
        "--heading",
        "Hello",
    ]);
    assert_eq!(
        (&look["look"]["accent"], &look["logo_bytes"]),
        (&"#0b617a".into(), &8.into())
    );
    let look = shell.json(&["tenant", "look", "acme", "--heading", ""]);
    assert_eq!(
        (&look["look"]["heading"], &look["logo_bytes"]),
        (&Value::Null, &8.into())
    );
    let said = shell.refused(1, &["tenant", "look", "acme", "--accent", "red"]);
    assert!(said.contains("such as #0b617a"), "{said}");
    assert!(
        shell
            .text(&["tenant", "look", "acme", "--no-logo"])
            .contains("the app's")
    );
    let stands = shell.json(&["provider", "provisioning", "acme-okta"]);
    assert_eq!(stands["just_in_time"], true);
    let stands = shell.json(&[
        "provider",
        "provisioning",
        "acme-okta",
        "--just-in-time=false",
        "--group",
        "staff",
    ]);
    assert_eq!(
        (&stands["just_in_time"], &stands["groups"][0]),
        (&false.into(), &"staff".into())
    );
    assert!(
        shell
            .text(&["provider", "canary", "acme-okta"])
            .contains("has no canary")
    );
    let said = shell.refused(
        1,
        &[
            "provider",
            "canary",
            "acme-okta",
            "--to",
            "nobody",
            "--percent",
            "5",
        ],
    );
    assert!(said.contains("another connection of the tenant"), "{said}");
    for end in ["--promote", "--abort"] {
        let said = shell.refused(1, &["provider", "canary", "acme-okta", end]);
        assert!(said.contains("there is no canary"), "{said}");
    }
    shell.refused(2, &["provider", "canary", "acme-okta", "--promote", "--abort"]);
    shell.refused(2, &["provider", "canary", "acme-okta", "--percent", "5"]);
    let said = shell.refused(
        1,
        &[
            "provider",
            "create",
            "--pool",
            id,
            "--name",
            "entra",
            "--client-id",
            "x",
            "--client-secret-file",
            "secret",
            "--issuer",
            "https://login.microsoftonline.com/common/v2.0",
        ],
    );
    assert!(said.contains("stands for every tenant"), "{said}");
    shell.text(&["tenant", "give", "acme-okta", "--back"]);
    assert_eq!(
        shell.json(&["tenant", "show", "acme"])["connections"],
        serde_json::json!([])
    );
    assert!(
        shell
            .text(&["tenant", "list", "--pool", id])
            .contains("Acme Inc.")
    );
    let said = shell.refused(1, &["tenant", "lift-enforcement", "acme"]);
    assert!(said.contains("nothing is enforced"), "{said}");
    shell.refused(1, &["tenant", "lift-enforcement", "nobody"]);
    shell.text(&["tenant", "delete", "acme", "--yes"]);
    assert_eq!(shell.json(&["tenant", "list"]), serde_json::json!([]));
    shell.text(&["provider", "show", "acme-okta"]);
}

#[test]
fn what_is_refused_says_why_in_one_line_and_ends_with_one() {
    let shell = Shell::new();
    shell.text(&["pool", "create", "--name", "Acme", "--id", "us-local-1_A"]);
    for (arguments, why) in [
        (
            &["pool", "create", "--name", "Acme", "--id", "us-local-1_A"][..],
            "already exists",
        ),
        (
            &["pool", "show", "us-local-1_None"],
            "user pool 'us-local-1_None' does not exist",
        ),
        (&["client", "list", "--pool", "us-local-1_None"], "does not exist"),
        (
            &[
                "client",
                "create",
                "--pool",
                "us-local-1_A",
                "--name",
                "x",
                "--callback",
                "javascript:alert(1)",
            ],
            "never redirected",
        ),
        (
            &["provider", "show", "none"],
            "identity provider 'none' does not exist",
        ),
        (&["trace", "show", "k7q 2fm"], "there is no trace K7Q-2FM"),
        (&["trace", "show", "nonsense"], "is no trace code"),
    ] {
        let said = shell.refused(1, arguments);
        assert!(said.contains(why), "{arguments:?}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    }
}

#[test]
fn wrong_usage_and_configuration_end_with_two() {
    let shell = Shell::new();
    for arguments in [
        &["nonsense"][..],
        &["pool", "create"],
        &[
            "client", "create", "--pool", "p", "--name", "n", "--public", "--secret", "s",
        ],
        &["pool", "create", "--name", "A", "--attribute", "a:Integer"],
        &["pool", "delete", "us-local-1_A"],
    ] {
        shell.refused(2, arguments);
    }
    let text = shell.refused(
        2,
        &[
            "pool",
            "list",
            "--listen",
            "nowhere",
            "--public-url",
            "http://login.example.com",
        ],
    );
    assert!(text.contains("2 settings are wrong"), "{text}");
    assert!(
        text.contains("--listen (FOREBAY_LISTEN)") && text.contains("--public-url (FOREBAY_PUBLIC_URL)"),
        "{text}"
    );

    let output = shell
        .command(&["pool", "list"])
        .env("FOREBAY_DATABSE", "sqlite://other.db")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(
        said(&output).contains("the nearest is FOREBAY_DATABASE"),
        "{}",
        said(&output)
    );
}

#[test]
fn the_doctor_changes_nothing_and_names_what_is_wrong() {
    let shell = Shell::new();
    let output = shell.run(&["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["healthy"], false);
    assert!(
        std::fs::read_dir(shell.path()).unwrap().next().is_none(),
        "the doctor made a file"
    );

    shell.text(&["migrate"]);
    assert_eq!(shell.json(&["migrate"])["migrations"], serde_json::json!([]));
    shell.text(&["pool", "create", "--name", "Acme", "--id", "us-local-1_A"]);
    assert_eq!(shell.json(&["doctor"])["healthy"], true);

    // Another root key: nothing in the database opens.
    let other = ["--root-key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="];
    let output = shell.run(&["doctor", other[0], other[1]]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("the root key does not open signing key"), "{text}");

    // A key file that others can read.
    let key = shell.path().join("keys/root.key");
    let mut mode = std::fs::metadata(&key).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o644);
    std::fs::set_permissions(&key, mode).unwrap();
    let output = shell.run(&["doctor"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("chmod 600"));
}

#[test]
fn administrators_are_made_locked_out_and_given_new_links() {
    let shell = Shell::new();
    let link = shell.json(&["admin", "setup-link"])["set_up_link"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(link.starts_with("http://localhost:8080/console/setup/"), "{link}");
    assert_ne!(
        shell.json(&["admin", "setup-link"])["set_up_link"],
        link.as_str(),
        "a fresh one each time"
    );

    std::fs::write(shell.path().join("password"), "password1234\n").unwrap();
    let create = [
        "admin",
        "create",
        "--email",
        "Op@example.com",
        "--role",
        "operator",
        "--password-file",
        "password",
    ];
    let said = shell.refused(1, &create);
    assert!(said.contains("the first that anybody would try"), "{said}");
    std::fs::write(shell.path().join("password"), "quite a long password\n").unwrap();
    let made = shell.json(&create);
    assert_eq!(made["email"], "op@example.com");
    assert_eq!(made["roles"], serde_json::json!(["operator"]));
    let said = shell.refused(1, &["admin", "setup-link"]);
    assert!(said.contains("there are administrators already"), "{said}");

    let invited = shell.json(&[
        "admin",
        "create",
        "--email",
        "look@example.com",
        "--role",
        "viewer",
    ]);
    let link = invited["link"].as_str().unwrap();
    assert!(link.contains("/console/password/"), "{link}");
    shell.refused(
        1,
        &[
            "admin",
            "create",
            "--email",
            "x@example.com",
            "--role",
            "tenant_admin:none",
        ],
    );
    shell.refused(
        2,
        &["admin", "create", "--email", "x@example.com", "--role", "king"],
    );
    let said = shell.refused(1, &["admin", "disable", "op@example.com"]);
    assert!(said.contains("the last operator"), "{said}");
    shell.text(&["admin", "disable", "look@example.com"]);
    shell.refused(1, &["admin", "reset-password", "look@example.com"]);
    shell.text(&["admin", "enable", "look@example.com"]);
    assert!(
        shell
            .text(&["admin", "reset-password", "op@example.com"])
            .contains("/console/password/")
    );
    let list = shell.text(&["admin", "list"]);
    assert!(
        list.contains("op@example.com") && list.contains("look@example.com"),
        "{list}"
    );
}

/// Ends with the test, however that ends.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn serve_answers_discovery_and_stops_when_told() {
    let shell = Shell::new();
    shell.text(&["pool", "create", "--name", "Acme", "--id", "us-local-1_A"]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let mut child = shell
        .command(&["serve", "--listen", &address, "--log-format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    let mut offered = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut offered)
        .unwrap();
    assert!(offered.contains("/console/setup/"), "{offered}");
    let mut child = Running(child);
    let mut lines = log.lines().map(Result::unwrap);
    let ready = lines.find(|line| line.contains("Forebay is ready")).unwrap();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!(ready["listen"], address);
    let origin = ready["public_url"].as_str().unwrap().to_owned();

    let mut stream = TcpStream::connect(&address).unwrap();
    let request = "GET /us-local-1_A/.well-known/openid-configuration HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains(&format!("\"issuer\":\"{origin}/us-local-1_A\"")),
        "{answer}"
    );

    // A second one on the same address says so.
    let said = shell.refused(1, &["serve", "--listen", &address]);
    assert!(said.contains("cannot listen on"), "{said}");

    let stopped = Command::new("kill")
        .args(["-TERM", &child.0.id().to_string()])
        .status()
        .unwrap();
    assert!(stopped.success());
    assert!(child.0.wait().unwrap().success());
}
