#![allow(clippy::unwrap_used)]

use super::super::{Flags, Settings};
use super::*;

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn nothing_given_is_a_broker_for_this_machine() {
    let blank = Flags {
        database: some(" "),
        root_key: some(""),
        allow_upstream: vec![String::new()],
        ..Flags::default()
    };
    for flags in [Flags::default(), blank] {
        let settings = Settings::check(&flags).unwrap();
        assert_eq!(settings.public_url.origin(), "http://localhost:8080");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.database, Target::Sqlite("forebay.db".into()));
        assert!(matches!(&settings.root_key, RootKeySource::Directory(path) if path == Path::new("keys")));
        assert!(settings.allow_upstream.is_empty() && settings.trusted_proxies.is_empty());
        assert_eq!(
            (settings.log.as_str(), settings.log_format),
            ("info", LogFormat::Human)
        );
    }
}

#[test]
fn the_public_url_follows_the_port_that_is_listened_on() {
    let flags = Flags {
        listen: some("0.0.0.0:9000"),
        ..Flags::default()
    };
    let settings = Settings::check(&flags).unwrap();
    assert_eq!(settings.public_url.origin(), "http://localhost:9000");
}

#[test]
fn every_problem_is_reported_at_once_with_flag_variable_and_fix() {
    let flags = Flags {
        public_url: some("http://login.example.com"),
        listen: some("8080"),
        trusted_proxy: vec!["10.0.0.0/8".into(), "proxy".into()],
        database: some("mysql://forebay:s3cr3t@db"),
        database_connections: some("0"),
        audit_days: some("0"),
        root_key: some("dG9vIHNob3J0"),
        keys: some("keys"),
        allow_upstream: vec!["http://127.0.0.1".into()],
        upstream_ca: some("Cargo.toml"),
        upstream_proxy: some("proxy:3128"),
        dns_server: vec!["ns.example.com".into()],
        log: some("info,forebay=loud"),
        log_format: some("xml"),
        otlp_endpoint: some("https://ada:s3cr3t@collector"),
        ..Flags::default()
    };
    let problems = Settings::check(&flags).unwrap_err();
    let flags: Vec<&str> = problems.iter().map(|problem| problem.flag.as_str()).collect();
    for flag in [
        "--public-url",
        "--listen",
        "--trusted-proxy",
        "--database",
        "--database-connections",
        "--audit-days",
        "--root-key",
        "--allow-upstream",
        "--upstream-ca",
        "--upstream-proxy",
        "--dns-server",
        "--log",
        "--log-format",
        "--otlp-endpoint",
    ] {
        assert!(flags.contains(&flag), "{flag} is not among {flags:?}");
    }
    // The root key has two: it is malformed, and there is a directory of keys as well.
    assert_eq!(problems.len(), 15, "{problems:?}");
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        text.iter().any(|line| line.starts_with(
            "--listen (FOREBAY_LISTEN): '8080' is not an address and a port. Right: 127.0.0.1:8080"
        )),
        "{text:?}"
    );
    assert!(!text.join("").contains("s3cr3t"));
    assert!(problems.iter().all(|problem| !problem.right.is_empty()));
}

#[test]
fn a_collector_is_an_address_and_opentelemetrys_own_variable_stands_in_for_it() {
    let collector = |ours: Option<&str>, theirs: Option<&str>| {
        let mut flags = Flags {
            otlp_endpoint: ours.map(String::from),
            ..Flags::default()
        };
        flags.or_opentelemetry(|name| {
            assert_eq!(name, "OTEL_EXPORTER_OTLP_ENDPOINT");
            theirs.map(String::from)
        });
        let settings = Settings::check(&flags);
        settings.map(|settings| settings.otlp_endpoint.map(|url| url.to_string()))
    };
    let (here, there) = ("http://127.0.0.1:4318/", "https://otel.example.com/otlp");
    assert_eq!(collector(None, None), Ok(None));
    assert_eq!(collector(Some(here), Some(there)), Ok(Some(here.into())));
    assert_eq!(collector(Some(" "), Some(there)), Ok(Some(there.into())));
    for wrong in [
        "collector:4317",
        "grpc://collector",
        "/v1/traces",
        "http://c/?a",
        "http://c/#a",
        "http://a@c",
        "http://",
    ] {
        assert!(collector(Some(wrong), None).is_err(), "{wrong}");
        assert!(collector(None, Some(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn a_secret_comes_from_its_value_or_from_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("database");
    std::fs::write(&path, "postgres://forebay@db/forebay\n").unwrap();
    let file = some(path.to_str().unwrap());
    let from_file = Flags {
        database_file: file.clone(),
        ..Flags::default()
    };
    let settings = Settings::check(&from_file).unwrap();
    assert_eq!(
        settings.database,
        Target::Postgres("postgres://forebay@db/forebay".into())
    );

    let both = Flags {
        database: some("sqlite://other.db"),
        database_file: file,
        ..Flags::default()
    };
    let problems = Settings::check(&both).unwrap_err();
    assert!(
        problems[0].wrong.contains("FOREBAY_DATABASE_FILE"),
        "{problems:?}"
    );

    std::fs::write(&path, " \n").unwrap();
    assert!(
        Settings::check(&from_file).unwrap_err()[0]
            .wrong
            .contains("empty")
    );
    let missing = Flags {
        root_key_file: some("/nonexistent/root.key"),
        ..Flags::default()
    };
    let problems = Settings::check(&missing).unwrap_err();
    assert_eq!(problems[0].variable, "FOREBAY_ROOT_KEY_FILE");
}

#[test]
fn proxies_are_networks_or_single_addresses() {
    let flags = Flags {
        trusted_proxy: ["10.1.2.3/8", "192.0.2.7", "2001:db8::/32"]
            .map(String::from)
            .to_vec(),
        ..Flags::default()
    };
    let networks: Vec<String> = Settings::check(&flags)
        .unwrap()
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]);
}
