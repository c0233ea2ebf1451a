//! Checks the typed settings one by one; every problem says which setting, what is wrong and what would be right.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::Url;
use zeroize::Zeroizing;

use super::{AllowedHost, LogFormat, Problem, PublicUrl, RootKeySource};
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
mod tests;
