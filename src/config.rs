//! Every setting: declared once with its documentation, read from flags and `FOREBAY_*` variables (secrets also from
//! files), checked once, and all problems reported together. `--help` and the README's table are made from here.

mod check;
mod document;
mod guards;
mod room;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::db::Target;
use crate::seal::{RootKeyError, Sealer};
use crate::world::Entropy;
use check::Checker;
pub use document::{markdown_table, unknown_variables};
pub use guards::Guards;

/// The audit log is kept so many days unless the settings say otherwise: a year, and time to look at it.
pub const AUDIT_DAYS: u32 = 400;

const NETWORK: &str = "Network";
const STORAGE: &str = "Storage and keys";
const UPSTREAM: &str = "Upstream (the way to Okta)";
const GUARDS: &str = "Guards";
const LOGGING: &str = "Logging";

/// The settings as they were typed. A blank value counts as none, so that `FOREBAY_X=` in a deployment's file is harmless.
///
/// The first sentence of each is its documentation; what stands in brackets at the end is its default.
#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// Where browsers and apps reach Forebay: an origin, no path. Every issuer is {public-url}/{pool id}
    /// [default: http://localhost and the port of --listen]
    #[arg(long, global = true, value_name = "URL", env = "FOREBAY_PUBLIC_URL", help_heading = NETWORK, hide_env_values = true)]
    pub public_url: Option<String>,

    /// The address to listen on [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS:PORT", env = "FOREBAY_LISTEN", help_heading = NETWORK, hide_env_values = true)]
    pub listen: Option<String>,

    /// A reverse proxy, or a network of them, whose X-Forwarded-For is believed; repeat it, or separate with commas
    #[arg(long, global = true, value_name = "CIDR", env = "FOREBAY_TRUSTED_PROXY", help_heading = NETWORK, hide_env_values = true,
          value_delimiter = ',')]
    pub trusted_proxy: Vec<String>,

    /// An address of its own for GET /metrics (Prometheus); it names connections and pools, so keep it from the public
    /// [default: none, no metrics are served]
    #[arg(long, global = true, value_name = "ADDRESS:PORT", env = "FOREBAY_METRICS_LISTEN", help_heading = NETWORK, hide_env_values = true)]
    pub metrics_listen: Option<String>,

    /// The database: sqlite://path or postgres://user:password@host/name?sslmode=verify-full
    /// [default: sqlite://forebay.db]
    #[arg(long, global = true, value_name = "URL", env = "FOREBAY_DATABASE", help_heading = STORAGE, hide_env_values = true)]
    pub database: Option<String>,

    /// A file that holds the value of --database
    #[arg(long, global = true, value_name = "FILE", env = "FOREBAY_DATABASE_FILE", help_heading = STORAGE, hide_env_values = true)]
    pub database_file: Option<String>,

    /// Connections to the database that are kept, 1-200 [default: 8]
    #[arg(long, global = true, value_name = "NUMBER", env = "FOREBAY_DATABASE_CONNECTIONS", help_heading = STORAGE,
          hide_env_values = true)]
    pub database_connections: Option<String>,

    /// The directory of root.key, which seals every secret in the database; made on first start [default: keys]
    #[arg(long, global = true, value_name = "DIRECTORY", env = "FOREBAY_KEYS", help_heading = STORAGE, hide_env_values = true)]
    pub keys: Option<String>,

    /// The root key itself instead of --keys: 32 bytes in base64; after a comma, older ones that still open
    #[arg(long, global = true, value_name = "BASE64", env = "FOREBAY_ROOT_KEY", help_heading = STORAGE, hide_env_values = true)]
    pub root_key: Option<String>,

    /// A file that holds the value of --root-key
    #[arg(long, global = true, value_name = "FILE", env = "FOREBAY_ROOT_KEY_FILE", help_heading = STORAGE, hide_env_values = true)]
    pub root_key_file: Option<String>,

    /// Days for which the audit log is kept, 1-3650 [default: 400]
    #[arg(long, global = true, value_name = "DAYS", env = "FOREBAY_AUDIT_DAYS", help_heading = STORAGE, hide_env_values = true)]
    pub audit_days: Option<String>,

    /// An upstream host that may be reached although its address is private or it speaks plain http (development);
    /// repeat it, or separate with commas
    #[arg(long, global = true, value_name = "HOST[:PORT]", env = "FOREBAY_ALLOW_UPSTREAM", help_heading = UPSTREAM,
          hide_env_values = true, value_delimiter = ',')]
    pub allow_upstream: Vec<String>,

    /// Certificates (PEM) of authorities to trust besides the system's when calling upstream
    #[arg(long, global = true, value_name = "FILE", env = "FOREBAY_UPSTREAM_CA", help_heading = UPSTREAM, hide_env_values = true)]
    pub upstream_ca: Option<String>,

    /// The http proxy through which upstream is called
    #[arg(long, global = true, value_name = "URL", env = "FOREBAY_UPSTREAM_PROXY", help_heading = UPSTREAM, hide_env_values = true)]
    pub upstream_proxy: Option<String>,

    /// A file that holds the value of --upstream-proxy (it may have a password in it)
    #[arg(long, global = true, value_name = "FILE", env = "FOREBAY_UPSTREAM_PROXY_FILE", help_heading = UPSTREAM, hide_env_values = true)]
    pub upstream_proxy_file: Option<String>,

    /// A name server to ask for the TXT records that prove tenants' domains, instead of the system's resolver; repeat it, or
    /// separate with commas
    #[arg(long, global = true, value_name = "IP[:PORT]", env = "FOREBAY_DNS_SERVER", help_heading = UPSTREAM,
          hide_env_values = true, value_delimiter = ',')]
    pub dns_server: Vec<String>,

    /// Seconds from a request's head to its answer, calls to Okta included, 1-30; then it is 503 [default: 30]
    #[arg(long, global = true, value_name = "SECONDS", env = "FOREBAY_REQUEST_DEADLINE", help_heading = GUARDS, hide_env_values = true)]
    pub request_deadline: Option<String>,

    /// Seconds from a request's head to the end of its body, 1-30; then it is 408 and the connection closes, as it does when
    /// nothing of an answer is taken for as long [default: 10]
    #[arg(long, global = true, value_name = "SECONDS", env = "FOREBAY_BODY_DEADLINE", help_heading = GUARDS, hide_env_values = true)]
    pub body_deadline: Option<String>,

    /// Bytes of path and query, 2048-65536; more is 414 [default: 8192]
    #[arg(long, global = true, value_name = "BYTES", env = "FOREBAY_LONGEST_URL", help_heading = GUARDS, hide_env_values = true)]
    pub longest_url: Option<String>,

    /// Bytes of all header names and values, 8192-65536; more, or more than 96 headers, is 431 [default: 16384]
    #[arg(long, global = true, value_name = "BYTES", env = "FOREBAY_LARGEST_HEADERS", help_heading = GUARDS, hide_env_values = true)]
    pub largest_headers: Option<String>,

    /// Bytes of the largest body, 4096-1048576; more is 413. The console's forms end at 262144, everything but the management
    /// API at 16384 [default: 1048576]
    #[arg(long, global = true, value_name = "BYTES", env = "FOREBAY_LARGEST_BODY", help_heading = GUARDS, hide_env_values = true)]
    pub largest_body: Option<String>,

    /// Open connections, 16-1000000; more wait in the system's queue. Each needs a file descriptor and about 19 KB. Where a
    /// control group limits memory (a container, a systemd unit), the default is what there is room for: 24 KiB each beside
    /// 64 MiB, 2730 in 128 MiB [default: 20000]
    #[arg(long, global = true, value_name = "NUMBER", env = "FOREBAY_CONNECTIONS", help_heading = GUARDS, hide_env_values = true)]
    pub connections: Option<String>,

    /// Open connections from one address (IPv6: from one /64), 1-1000000, trusted proxies' not counted; more are answered
    /// 429 and closed [default: 1024]
    #[arg(long, global = true, value_name = "NUMBER", env = "FOREBAY_CONNECTIONS_PER_ADDRESS", help_heading = GUARDS,
          hide_env_values = true)]
    pub connections_per_address: Option<String>,

    /// Requests a minute from one address, 0-10000000, 0 for any number; more are 429. Programs that prove who they are, public
    /// documents, and loopback are not counted [default: 3000]
    #[arg(long, global = true, value_name = "NUMBER", env = "FOREBAY_REQUESTS_PER_ADDRESS", help_heading = GUARDS,
          hide_env_values = true)]
    pub requests_per_address: Option<String>,

    /// Token requests a minute of one app client, 0-10000000, 0 for any number; more are 429 [default: 0]
    #[arg(long, global = true, value_name = "NUMBER", env = "FOREBAY_REQUESTS_PER_CLIENT", help_heading = GUARDS,
          hide_env_values = true)]
    pub requests_per_client: Option<String>,

    /// Wrong passwords of users a minute from one address, 1-10000; an account's own are delayed more and more [default: 30]
    #[arg(long, global = true, value_name = "NUMBER", env = "FOREBAY_WRONG_PASSWORDS_PER_ADDRESS", help_heading = GUARDS,
          hide_env_values = true)]
    pub wrong_passwords_per_address: Option<String>,

    /// Seconds for which /readyz says 503 after SIGTERM before connections are taken no more, 0-300: what a load balancer needs
    /// to notice [default: 0]
    #[arg(long, global = true, value_name = "SECONDS", env = "FOREBAY_DRAIN_DELAY", help_heading = GUARDS, hide_env_values = true)]
    pub drain_delay: Option<String>,

    /// What is logged: error, warn, info, debug, trace, or directives such as info,forebay::upstream=debug
    /// [default: info]
    #[arg(long, global = true, value_name = "FILTER", env = "FOREBAY_LOG", help_heading = LOGGING, hide_env_values = true)]
    pub log: Option<String>,

    /// How log lines look, on standard error: human or json [default: human]
    #[arg(long, global = true, value_name = "human|json", env = "FOREBAY_LOG_FORMAT", help_heading = LOGGING, hide_env_values = true)]
    pub log_format: Option<String>,

    /// The collector that gets a span of each request and of each call that it makes, over OTLP/HTTP: its URL without /v1/traces.
    /// OpenTelemetry's own OTEL_EXPORTER_OTLP_ENDPOINT stands in for it [default: none, no spans are made]
    #[arg(long, global = true, value_name = "URL", env = "FOREBAY_OTLP_ENDPOINT", help_heading = LOGGING, hide_env_values = true)]
    pub otlp_endpoint: Option<String>,
}

impl Flags {
    /// Takes what was not given from the variable that OpenTelemetry has for it.
    pub fn or_opentelemetry(&mut self, variable: impl Fn(&str) -> Option<String>) {
        let is_given = self
            .otlp_endpoint
            .as_ref()
            .is_some_and(|text| !text.trim().is_empty());
        if !is_given {
            self.otlp_endpoint = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
        }
    }
}

/// The settings as the program uses them.
#[derive(Clone)]
pub struct Settings {
    pub public_url: PublicUrl,
    pub listen: SocketAddr,
    pub trusted_proxies: Vec<IpNet>,
    /// Where metrics are served, if at all.
    pub metrics_listen: Option<SocketAddr>,
    pub database: Target,
    pub database_connections: u32,
    pub audit_days: u32,
    pub root_key: RootKeySource,
    pub allow_upstream: Vec<AllowedHost>,
    /// The PEM file's content.
    pub upstream_ca: Option<Vec<u8>>,
    pub upstream_proxy: Option<Url>,
    /// Whom the proofs of domains are asked of, if not the system's resolver.
    pub dns_servers: Vec<SocketAddr>,
    pub guards: Guards,
    /// Directives for `EnvFilter`.
    pub log: String,
    pub log_format: LogFormat,
    /// Where spans are sent, if anywhere.
    pub otlp_endpoint: Option<Url>,
}

/// Where the root key comes from.
#[derive(Clone)]
pub enum RootKeySource {
    Directory(PathBuf),
    Text(Zeroizing<String>),
}

/// Lines for people, or one JSON document per line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    Json,
}

/// The origin at which browsers and apps see us; what stands in issuers and links, whatever a `Host` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    https: bool,
    host: String,
}

impl PublicUrl {
    /// `https://login.example.com`, without a slash at the end.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The issuer of a pool.
    pub fn issuer(&self, user_pool_id: &str) -> String {
        format!("{}/{user_pool_id}", self.origin)
    }

    /// A URL on this host; `path` begins with a slash.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host's name, without the port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// This machine, for those who run Forebay on their own.
    pub fn localhost(port: u16) -> PublicUrl {
        PublicUrl {
            // As browsers write an origin: without the scheme's own port.
            origin: match port {
                80 => "http://localhost".into(),
                port => format!("http://localhost:{port}"),
            },
            https: false,
            host: "localhost".into(),
        }
    }

    /// Reads an origin. The error completes the sentence "'…' ".
    pub fn parse(text: &str) -> Result<PublicUrl, String> {
        let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
        let https = url.scheme() == "https";
        let host = match url.host_str() {
            Some(host) if https || url.scheme() == "http" => host.to_owned(),
            _ => return Err("is not an http or https URL".into()),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a user name or password in it".into());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("has more than scheme, host and port".into());
        }
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
            Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
            None => false,
        };
        if !https && !loopback {
            return Err(
                "is plain http, which browsers and OpenID Connect libraries accept for localhost only".into(),
            );
        }
        Ok(PublicUrl {
            origin: url.origin().ascii_serialization(),
            https,
            host,
        })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

/// An upstream host that the outbound fence admits by name: at one port, or at all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    /// As the `url` crate writes it: lower case, IPv6 in brackets.
    pub host: String,
    pub port: Option<u16>,
}

impl AllowedHost {
    /// Reads `host`, `host:port`, `127.0.0.1:8091` or `[::1]:8091`.
    pub fn parse(text: &str) -> Result<AllowedHost, String> {
        let wrong = || "is not HOST or HOST:PORT, such as 127.0.0.1:8091".to_owned();
        if text.contains(['/', '@', '?', '#', '\\']) {
            return Err(wrong());
        }
        let url = Url::parse(&format!("http://{text}")).map_err(|_| wrong())?;
        // Read from the text: a parsed URL no longer tells the scheme's own port from none.
        let port = text
            .rsplit_once(':')
            .filter(|(_, port)| !port.contains(']'))
            .map(|(_, port)| port.parse::<u16>().map_err(|_| wrong()))
            .transpose()?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        Ok(AllowedHost {
            host: host.to_owned(),
            port,
        })
    }

    /// Whether this entry speaks of the URL's host and port.
    pub fn admits(&self, url: &Url) -> bool {
        url.host_str() == Some(self.host.as_str())
            && self
                .port
                .is_none_or(|port| url.port_or_known_default() == Some(port))
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// One setting that is wrong: which, how, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `--public-url`
    pub flag: String,
    /// `FOREBAY_PUBLIC_URL`
    pub variable: String,
    pub wrong: String,
    pub right: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}): {}. Right: {}",
            self.flag, self.variable, self.wrong, self.right
        )
    }
}

impl Settings {
    /// Checks everything and gives either the settings or every problem.
    pub fn check(flags: &Flags) -> Result<Settings, Vec<Problem>> {
        let mut check = Checker::default();
        let database = check.secret("database", &flags.database, &flags.database_file);
        let root_key = check.secret("root-key", &flags.root_key, &flags.root_key_file);
        let proxy = check.secret(
            "upstream-proxy",
            &flags.upstream_proxy,
            &flags.upstream_proxy_file,
        );

        let listen = check.listen(&flags.listen);
        let settings = Settings {
            public_url: check.public_url(&flags.public_url, listen.port()),
            listen,
            trusted_proxies: check.networks(&flags.trusted_proxy),
            metrics_listen: check.metrics_listen(&flags.metrics_listen),
            database: check.database(database.as_ref().map(|text| text.as_str())),
            database_connections: check.number(
                "database-connections",
                &flags.database_connections,
                1..=200,
                8,
            ),
            audit_days: check.number("audit-days", &flags.audit_days, 1..=3_650, AUDIT_DAYS),
            root_key: check.root_key(root_key, &flags.keys),
            allow_upstream: check.hosts(&flags.allow_upstream),
            upstream_ca: check.certificates(&flags.upstream_ca),
            upstream_proxy: check.proxy(proxy.as_ref().map(|text| text.as_str())),
            dns_servers: check.name_servers(&flags.dns_server),
            guards: check.guards(flags),
            log: check.filter(&flags.log),
            log_format: check.log_format(&flags.log_format),
            otlp_endpoint: check.collector(&flags.otlp_endpoint),
        };
        if check.problems.is_empty() {
            Ok(settings)
        } else {
            Err(check.problems)
        }
    }

    /// The sealer over the root key; `true` when the key was made just now.
    pub fn sealer(&self, entropy: Entropy) -> Result<(Sealer, bool), RootKeyError> {
        match &self.root_key {
            RootKeySource::Text(text) => Sealer::from_text(text, entropy).map(|sealer| (sealer, false)),
            RootKeySource::Directory(directory) => Sealer::from_directory(directory, entropy),
        }
    }
}

/// What may be shown: database and proxy URLs hold passwords.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("public_url", &self.public_url.origin)
            .field("listen", &self.listen)
            .field("allow_upstream", &self.allow_upstream)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_public_url_is_an_origin_on_https_or_localhost() {
        for (text, origin, https, host) in [
            (
                "https://login.example.com",
                "https://login.example.com",
                true,
                "login.example.com",
            ),
            (
                "https://Login.Example.com:443/",
                "https://login.example.com",
                true,
                "login.example.com",
            ),
            (
                "https://login.example.com:8443",
                "https://login.example.com:8443",
                true,
                "login.example.com",
            ),
            (
                "http://localhost:8080",
                "http://localhost:8080",
                false,
                "localhost",
            ),
            (
                "http://127.0.0.1:8080/",
                "http://127.0.0.1:8080",
                false,
                "127.0.0.1",
            ),
            ("http://[::1]:8080", "http://[::1]:8080", false, "[::1]"),
        ] {
            let url = PublicUrl::parse(text).unwrap();
            assert_eq!(
                (url.origin(), url.is_https(), url.host()),
                (origin, https, host),
                "{text}"
            );
        }
        for wrong in [
            "",
            "login.example.com",
            "ftp://login.example.com",
            "http://login.example.com",
            "http://127.0.0.2",
            "https://login.example.com/path",
            "https://login.example.com/?a",
            "https://login.example.com/#a",
            "https://ada@login.example.com",
        ] {
            assert!(PublicUrl::parse(wrong).is_err(), "{wrong}");
        }
        let login = PublicUrl::parse("https://login.test").unwrap();
        assert_eq!(login.issuer("us-local-1_A"), "https://login.test/us-local-1_A");
        assert_eq!(
            PublicUrl::localhost(8080),
            PublicUrl::parse("http://localhost:8080").unwrap()
        );
        assert_eq!(
            PublicUrl::localhost(80),
            PublicUrl::parse("http://localhost:80").unwrap()
        );
    }

    #[test]
    fn an_allowed_host_admits_its_port_or_all_ports() {
        let admits = |entry: &str, url: &str| {
            AllowedHost::parse(entry)
                .unwrap()
                .admits(&Url::parse(url).unwrap())
        };
        for (entry, url, expected) in [
            ("127.0.0.1:8091", "http://127.0.0.1:8091/x", true),
            ("127.0.0.1:8091", "http://127.0.0.1:8092/x", false),
            ("127.0.0.1", "http://127.0.0.1:8092/x", true),
            ("Okta.Internal", "https://okta.internal/", true),
            ("okta.internal:443", "https://okta.internal/", true),
            ("okta.internal:443", "http://okta.internal/", false),
            ("okta.internal:80", "http://okta.internal/", true),
            ("okta.internal", "https://a.okta.internal/", false),
            ("[::1]:8091", "http://[::1]:8091/", true),
            ("[::1]", "http://[::1]:8091/", true),
        ] {
            assert_eq!(admits(entry, url), expected, "{entry} {url}");
        }
        for wrong in [
            "", ":80", "a:b", "a:70000", "a/b", "a b", "http://a", "u@a", "::1",
        ] {
            assert!(AllowedHost::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_printed_of_settings_holds_no_password() {
        let flags = Flags {
            database: Some("postgres://forebay:s3cr3t@db/forebay".into()),
            upstream_proxy: Some("http://ada:s3cr3t@proxy:3128".into()),
            ..Flags::default()
        };
        let shown = format!("{:?}", Settings::check(&flags).unwrap());
        assert!(
            shown.contains("http://localhost:8080") && !shown.contains("s3cr3t"),
            "{shown}"
        );
    }
}
