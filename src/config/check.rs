//! Checks the typed settings one by one; every problem says which setting, what is wrong and what would be right.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::Url;
use zeroize::Zeroizing;

use super::{AllowedHost, Flags, Guards, LogFormat, Problem, PublicUrl, RootKeySource};
use crate::db::Target;
use crate::seal::Sealer;
use crate::world::Entropy;

/// Reads one setting after the other and collects what is wrong. A wrong one yields its default, so that the rest is
/// still checked.
#[derive(Default)]
pub(super) struct Checker {
    pub(super) problems: Vec<Problem>,
}

impl Checker {
    fn problem(&mut self, name: &str, wrong: impl Into<String>, right: impl Into<String>) {
        self.problems.push(Problem {
            flag: format!("--{name}"),
            variable: variable(name),
            wrong: wrong.into(),
            right: right.into(),
        });
    }

    /// A value given directly or in a file, never both.
    pub(super) fn secret(
        &mut self,
        name: &str,
        value: &Option<String>,
        file: &Option<String>,
    ) -> Option<Zeroizing<String>> {
        let file_name = format!("{name}-file");
        match (given(value), given(file)) {
            (Some(_), Some(_)) => {
                self.problem(
                    name,
                    format!(
                        "is given as itself and as a file (--{file_name}, {})",
                        variable(&file_name)
                    ),
                    "one of the two",
                );
                None
            }
            (Some(text), None) => Some(Zeroizing::new(text.to_owned())),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) if !text.trim().is_empty() => Some(Zeroizing::new(text.trim().to_owned())),
                Ok(_) => {
                    self.problem(
                        &file_name,
                        format!("{path} is empty"),
                        format!("a file that holds the value of --{name}"),
                    );
                    None
                }
                Err(error) => {
                    self.problem(
                        &file_name,
                        format!("{path} cannot be read: {error}"),
                        format!("a file that holds the value of --{name}"),
                    );
                    None
                }
            },
            (None, None) => None,
        }
    }

    pub(super) fn listen(&mut self, text: &Option<String>) -> SocketAddr {
        let default = SocketAddr::from(([127, 0, 0, 1], 8080));
        let Some(text) = given(text) else { return default };
        text.parse().unwrap_or_else(|_| {
            self.problem(
                "listen",
                format!("'{text}' is not an address and a port"),
                "127.0.0.1:8080 for this machine only, 0.0.0.0:8080 or [::]:8080 for every network",
            );
            default
        })
    }

    pub(super) fn metrics_listen(&mut self, text: &Option<String>) -> Option<SocketAddr> {
        let text = given(text)?;
        let address = text.parse().ok();
        if address.is_none() {
            self.problem(
                "metrics-listen",
                format!("'{text}' is not an address and a port"),
                "127.0.0.1:9464, or the address of a network that only Prometheus reaches",
            );
        }
        address
    }

    pub(super) fn public_url(&mut self, text: &Option<String>, port: u16) -> PublicUrl {
        let Some(text) = given(text) else {
            return PublicUrl::localhost(port);
        };
        PublicUrl::parse(text).unwrap_or_else(|why| {
            self.problem(
                "public-url",
                format!("'{text}' {why}"),
                "an origin such as https://login.example.com (http for localhost only)",
            );
            PublicUrl::localhost(port)
        })
    }

    pub(super) fn networks(&mut self, texts: &[String]) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for text in entries(texts) {
            let network = text
                .parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            match network {
                Ok(network) => networks.push(network.trunc()),
                Err(_) => self.problem(
                    "trusted-proxy",
                    format!("'{text}' is not a network"),
                    "10.0.0.0/8, 192.0.2.7 or 2001:db8::/32",
                ),
            }
        }
        networks
    }

    pub(super) fn database(&mut self, text: Option<&str>) -> Target {
        let default = || Target::Sqlite("forebay.db".into());
        let Some(text) = text else { return default() };
        Target::parse(text).unwrap_or_else(|why| {
            // The value is not shown: it may hold a password.
            self.problem(
                "database",
                format!("the URL {why}"),
                "sqlite://forebay.db, or postgres://user:password@host/name?sslmode=verify-full",
            );
            default()
        })
    }

    /// A whole number within its bounds.
    pub(super) fn number<N>(
        &mut self,
        name: &str,
        text: &Option<String>,
        bounds: RangeInclusive<N>,
        default: N,
    ) -> N
    where
        N: FromStr + PartialOrd + Display,
    {
        let Some(text) = given(text) else {
            return default;
        };
        match text.parse() {
            Ok(number) if bounds.contains(&number) => number,
            _ => {
                let (least, most) = bounds.into_inner();
                self.problem(
                    name,
                    format!("'{text}' is not a number from {least} to {most}"),
                    default.to_string(),
                );
                default
            }
        }
    }

    fn seconds(
        &mut self,
        name: &str,
        text: &Option<String>,
        bounds: RangeInclusive<u64>,
        default: Duration,
    ) -> Duration {
        Duration::from_secs(self.number(name, text, bounds, default.as_secs()))
    }

    pub(super) fn guards(&mut self, flags: &Flags) -> Guards {
        const RATES: RangeInclusive<u32> = 0..=10_000_000;
        let usual = Guards::default();
        Guards {
            request_within: self.seconds(
                "request-deadline",
                &flags.request_deadline,
                1..=30,
                usual.request_within,
            ),
            body_within: self.seconds("body-deadline", &flags.body_deadline, 1..=30, usual.body_within),
            longest_url: self.number(
                "longest-url",
                &flags.longest_url,
                2_048..=65_536,
                usual.longest_url,
            ),
            largest_headers: self.number(
                "largest-headers",
                &flags.largest_headers,
                8_192..=65_536,
                usual.largest_headers,
            ),
            largest_body: self.number(
                "largest-body",
                &flags.largest_body,
                4_096..=1_048_576,
                usual.largest_body,
            ),
            connections: self.number(
                "connections",
                &flags.connections,
                16..=1_000_000,
                usual.connections,
            ),
            connections_per_address: self.number(
                "connections-per-address",
                &flags.connections_per_address,
                1..=1_000_000,
                usual.connections_per_address,
            ),
            requests_per_address: self.number(
                "requests-per-address",
                &flags.requests_per_address,
                RATES,
                usual.requests_per_address,
            ),
            requests_per_client: self.number(
                "requests-per-client",
                &flags.requests_per_client,
                RATES,
                usual.requests_per_client,
            ),
            wrong_passwords_per_address: self.number(
                "wrong-passwords-per-address",
                &flags.wrong_passwords_per_address,
                1..=10_000,
                usual.wrong_passwords_per_address,
            ),
            drain_delay: self.seconds("drain-delay", &flags.drain_delay, 0..=300, usual.drain_delay),
        }
    }

    pub(super) fn root_key(
        &mut self,
        text: Option<Zeroizing<String>>,
        keys: &Option<String>,
    ) -> RootKeySource {
        let directory = given(keys);
        match text {
            None => RootKeySource::Directory(PathBuf::from(directory.unwrap_or("keys"))),
            Some(text) => {
                if directory.is_some() {
                    self.problem(
                        "root-key",
                        "is given together with --keys (FOREBAY_KEYS)",
                        "one of the two",
                    );
                }
                if Sealer::from_text(&text, Entropy::system()).is_err() {
                    self.problem(
                        "root-key",
                        "is not 32 bytes in base64",
                        "the output of: openssl rand -base64 32",
                    );
                }
                RootKeySource::Text(text)
            }
        }
    }

    pub(super) fn hosts(&mut self, texts: &[String]) -> Vec<AllowedHost> {
        let mut hosts = Vec::new();
        for text in entries(texts) {
            match AllowedHost::parse(text) {
                Ok(host) => hosts.push(host),
                Err(why) => self.problem(
                    "allow-upstream",
                    format!("'{text}' {why}"),
                    "127.0.0.1:8091, or okta.internal.example for all of its ports",
                ),
            }
        }
        hosts
    }

    pub(super) fn name_servers(&mut self, texts: &[String]) -> Vec<SocketAddr> {
        let mut servers = Vec::new();
        for text in entries(texts) {
            let address = text.parse::<SocketAddr>();
            match address.or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53))) {
                Ok(address) => servers.push(address),
                Err(_) => self.problem(
                    "dns-server",
                    format!("'{text}' is not an address"),
                    "192.0.2.53, 127.0.0.1:5353 or [2001:db8::53]:53",
                ),
            }
        }
        servers
    }

    pub(super) fn certificates(&mut self, path: &Option<String>) -> Option<Vec<u8>> {
        let path = given(path)?;
        let right = "a PEM file with at least one -----BEGIN CERTIFICATE----- block";
        match read_certificates(Path::new(path)) {
            Ok(pem) => Some(pem),
            Err(why) => {
                self.problem("upstream-ca", format!("{path} {why}"), right);
                None
            }
        }
    }

    pub(super) fn proxy(&mut self, text: Option<&str>) -> Option<Url> {
        let text = text?;
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => Some(url),
            _ => {
                // The value is not shown: it may hold a password.
                self.problem(
                    "upstream-proxy",
                    "is not an http or https URL",
                    "http://proxy.example.com:3128",
                );
                None
            }
        }
    }

    pub(super) fn collector(&mut self, text: &Option<String>) -> Option<Url> {
        let url = Url::parse(given(text)?).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && (url.username().is_empty() && url.password().is_none())
                && (url.query().is_none() && url.fragment().is_none())
        });
        if url.is_none() {
            // The value is not shown: it may hold a password.
            self.problem(
                "otlp-endpoint",
                "is not an http or https URL without user name, query and fragment",
                "http://localhost:4318; a token goes into OTEL_EXPORTER_OTLP_HEADERS",
            );
        }
        url
    }

    pub(super) fn filter(&mut self, text: &Option<String>) -> String {
        let text = given(text).unwrap_or("info");
        if let Err(error) = EnvFilter::builder().parse(text) {
            self.problem(
                "log",
                format!("'{text}' is not a filter: {error}"),
                "info, or directives such as info,forebay::upstream=debug",
            );
        }
        text.to_owned()
    }

    pub(super) fn log_format(&mut self, text: &Option<String>) -> LogFormat {
        match given(text) {
            None | Some("human") => LogFormat::Human,
            Some("json") => LogFormat::Json,
            Some(other) => {
                self.problem("log-format", format!("'{other}' is neither"), "human or json");
                LogFormat::Human
            }
        }
    }
}

/// The certificates' bytes, when every one of them can be read.
fn read_certificates(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut count = 0;
    for block in x509_parser::pem::Pem::iter_from_buffer(&bytes) {
        let block = block.map_err(|_| "is not PEM".to_owned())?;
        if block.label == "CERTIFICATE" {
            block
                .parse_x509()
                .map_err(|_| format!("has a certificate (number {}) that cannot be read", count + 1))?;
            count += 1;
        }
    }
    if count == 0 {
        return Err("holds no certificate".into());
    }
    Ok(bytes)
}

/// What was given and is not blank.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn entries(texts: &[String]) -> impl Iterator<Item = &str> {
    texts
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
}

/// `public-url` → `FOREBAY_PUBLIC_URL`.
fn variable(name: &str) -> String {
    format!("FOREBAY_{}", name.to_ascii_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
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
            assert!(
                matches!(&settings.root_key, RootKeySource::Directory(path) if path == Path::new("keys"))
            );
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
}
