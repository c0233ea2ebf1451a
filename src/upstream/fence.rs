//! Which addresses may be called: https on public addresses, and what the operator has named for development.
//!
//! Names are checked after resolution and the checked addresses are the ones dialled, so that a name cannot turn to a
//! private address between check and use. Special ranges follow the IANA special-purpose registries (RFC 6890).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// A resolver that takes longer is as good as none.
const RESOLVE_WITHIN: Duration = Duration::from_secs(4);

/// The named exceptions, `host` or `host:port`.
#[derive(Clone, Debug, Default)]
pub struct Allowed(Vec<(String, Option<u16>)>);

impl Allowed {
    /// Reads the operator's list; the error names the entry that cannot be one.
    pub fn parse(entries: &[String]) -> Result<Allowed, String> {
        let parse = |entry: &String| {
            let wrong = || format!("'{entry}' is not a host or host:port");
            let text = entry.trim();
            let url = Url::parse(&format!("http://{text}/")).map_err(|_| wrong())?;
            let host = url.host_str().ok_or_else(wrong)?.to_owned();
            let plain = url.username().is_empty() && url.path() == "/" && url.query().is_none();
            if !plain || text.contains('/') {
                return Err(wrong());
            }
            // `Url` drops a port 80, but it is one.
            let port = url.port().or_else(|| text.ends_with(":80").then_some(80));
            Ok((host, port))
        };
        Ok(Allowed(entries.iter().map(parse).collect::<Result<_, _>>()?))
    }

    /// The URL's host and port are a named exception.
    pub fn admits(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        self.0.iter().any(|(name, port)| {
            name.eq_ignore_ascii_case(host)
                && port.is_none_or(|port| Some(port) == url.port_or_known_default())
        })
    }
}

/// Why a URL may not be called at all, before any name is resolved; `Ok(true)` for a named exception.
pub fn check(url: &Url, allowed: &Allowed) -> Result<bool, String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL holds a user name or password".into());
    }
    if !matches!(url.scheme(), "https" | "http") {
        return Err("the URL is not https".into());
    }
    if allowed.admits(url) {
        return Ok(true);
    }
    if url.scheme() != "https" {
        return Err("the URL is not https".into());
    }
    match url.host() {
        Some(Host::Ipv4(address)) if !is_public_v4(address) => Err("the address is not public".into()),
        Some(Host::Ipv6(address)) if !is_public_v6(address) => Err("the address is not public".into()),
        Some(Host::Domain(name)) if is_local_name(name) => Err("the name is a local one".into()),
        Some(_) => Ok(false),
        None => Err("the URL has no host".into()),
    }
}

/// The address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 31, 196, _]
            | [192, 52, 193, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [192, 175, 48, _]
            | [198, 18..=19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [224..=255, ..]
    )
}

/// Only global unicast, and in it none of the ranges that carry an IPv4 address or are special: so the IPv4-mapped
/// form, NAT64, 6to4, Teredo, unique-local, link-local and multicast addresses are all out.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0..=0x01ff, ..] => false,
        [0x2001, 0x0db8, ..] => false,
        [0x2002, ..] => false,
        [0x2620, 0x004f, 0x8000, ..] => false,
        [0x3fff, 0..=0x0fff, ..] => false,
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost"
        || [".localhost", ".local", ".internal", ".home.arpa"]
            .iter()
            .any(|end| name.ends_with(end))
}

/// Why a name gave no address to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAddress {
    /// The resolver says so, or says nothing in time.
    Unresolved(String),
    /// It resolves, but not (only) to public addresses.
    NotPublic,
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoAddress::Unresolved(why) => f.write_str(why),
            NoAddress::NotPublic => f.write_str("the name resolves to an address that is not public"),
        }
    }
}

impl std::error::Error for NoAddress {}

/// Resolves a name; when `fenced`, one address that is not public spoils the answer.
pub async fn resolve(host: &str, fenced: bool) -> Result<Vec<SocketAddr>, NoAddress> {
    let found = tokio::time::timeout(RESOLVE_WITHIN, tokio::net::lookup_host((host, 0)))
        .await
        .map_err(|_| NoAddress::Unresolved("the resolver did not answer in time".into()))?
        .map_err(|error| NoAddress::Unresolved(format!("the name does not resolve: {error}")))?;
    let addresses: Vec<SocketAddr> = found.collect();
    if addresses.is_empty() {
        return Err(NoAddress::Unresolved("the name has no address".into()));
    }
    if fenced && !addresses.iter().all(|address| is_public(address.ip())) {
        return Err(NoAddress::NotPublic);
    }
    Ok(addresses)
}

/// The resolver of the fenced client, or of the one for named exceptions.
pub struct Resolver {
    pub fenced: bool,
    /// The operator's outbound proxy, which may be private.
    pub proxy: Option<String>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let fenced = self.fenced && self.proxy.as_deref() != Some(name.as_str());
        Box::pin(async move {
            let addresses = resolve(name.as_str(), fenced).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        for refused in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.88.99.1",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
        ] {
            assert!(!is_public(refused.parse().unwrap()), "{refused}");
        }
        for public in [
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "2001:4860:4860::8888",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn urls_are_checked_before_any_name_is_resolved() {
        let allowed =
            Allowed::parse(&["127.0.0.1:8091".into(), "okta.dev.test".into(), "[::1]:80".into()]).unwrap();
        for (url, expected) in [
            ("https://acme.okta.com/oauth2/v1/keys", Ok(false)),
            ("http://acme.okta.com/", Err(())),
            ("ftp://acme.okta.com/", Err(())),
            ("https://ada@acme.okta.com/", Err(())),
            ("https://127.1/", Err(())),
            ("https://2130706433/", Err(())),
            ("https://0x7f.1/", Err(())),
            ("https://[::ffff:127.0.0.1]/", Err(())),
            ("https://[64:ff9b::7f00:1]/", Err(())),
            ("https://localhost/", Err(())),
            ("https://foo.localhost./", Err(())),
            ("https://metadata.google.internal/", Err(())),
            ("https://93.184.216.34/", Ok(false)),
            ("http://127.0.0.1:8091/keys", Ok(true)),
            ("http://127.0.0.1:8092/keys", Err(())),
            ("http://user@127.0.0.1:8091/keys", Err(())),
            ("http://okta.dev.test:1234/", Ok(true)),
            ("https://okta.dev.test/", Ok(true)),
            ("http://[::1]/", Ok(true)),
            ("http://[::1]:81/", Err(())),
        ] {
            let found = check(&Url::parse(url).unwrap(), &allowed).map_err(|_| ());
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn exceptions_are_hosts_with_or_without_a_port() {
        for wrong in [
            "",
            "http://x",
            "a b",
            "host/path",
            "host:port",
            "u@host",
            "host:1?x",
        ] {
            assert!(Allowed::parse(&[wrong.into()]).is_err(), "{wrong}");
        }
        assert!(
            Allowed::parse(&["LOCALHOST:9".into()])
                .unwrap()
                .admits(&Url::parse("http://localhost:9/").unwrap())
        );
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_loopback_is_refused_after_resolution() {
        assert_eq!(resolve("localhost", true).await, Err(NoAddress::NotPublic));
        assert!(resolve("localhost", false).await.is_ok());
        assert!(matches!(
            resolve("no-such-name.invalid", true).await,
            Err(NoAddress::Unresolved(_))
        ));
    }
}
