//! The domains of pools and tenants: which names may be one, and at which host and origin each is served.
//!
//! A prefix is served at `<prefix>.<host of the public URL>`. Below `localhost` browsers find every name by themselves;
//! below a bare address no name can hang, so there prefixes hang below `localhost`, too.

use url::{Host, Url};

use crate::error::Error;

/// Words that Cognito keeps for its owner, and that a page of ours should not be found under either.
const RESERVED: [&str; 3] = ["aws", "amazon", "cognito"];

/// The place that this broker has in the world's names.
#[derive(Clone, Debug)]
pub struct Place {
    scheme: String,
    host: String,
    port: Option<u16>,
    /// Below which prefixes hang.
    parent: String,
}

impl Place {
    /// Of the origin under which we are reached.
    pub fn of(public_url: &str) -> Place {
        let url = Url::parse(public_url).ok();
        let host = url
            .as_ref()
            .and_then(|url| Some(url.host_str()?.to_owned()))
            .unwrap_or_default();
        let parent = match url.as_ref().and_then(Url::host) {
            Some(Host::Domain(name)) => name.to_owned(),
            _ => "localhost".to_owned(),
        };
        Place {
            scheme: url.as_ref().map_or("https", Url::scheme).to_owned(),
            port: url.as_ref().and_then(Url::port),
            host,
            parent,
        }
    }

    /// The host of the public URL.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host at which a domain is served.
    pub fn host_of(&self, name: &str) -> String {
        if name.contains('.') {
            name.to_owned()
        } else {
            self.host_below(name)
        }
    }

    /// What a tenant's own host hangs below the others by: `auth.<tenant>`.
    pub fn of_tenant(id: &str) -> String {
        format!("auth.{id}")
    }

    /// The host of a name, with or without dots, that hangs below ours.
    pub fn host_below(&self, name: &str) -> String {
        format!("{name}.{}", self.parent)
    }

    /// The tenant whose own host this would be.
    pub fn tenant_at<'a>(&self, host: &'a str) -> Option<&'a str> {
        let below = host.strip_suffix(self.parent.as_str())?.strip_suffix('.')?;
        let id = below.strip_prefix("auth.")?;
        (!id.is_empty() && !id.contains('.')).then_some(id)
    }

    pub fn origin_below(&self, name: &str) -> String {
        self.origin_at(self.host_below(name))
    }

    /// The origin of a domain: scheme and port are the public URL's.
    pub fn origin_of(&self, name: &str) -> String {
        self.origin_at(self.host_of(name))
    }

    fn origin_at(&self, host: String) -> String {
        match self.port {
            Some(port) => format!("{}://{host}:{port}", self.scheme),
            None => format!("{}://{host}", self.scheme),
        }
    }

    /// Whether a pool may have this domain.
    pub fn check(&self, name: &str) -> Result<(), Error> {
        let refuse = |why: String| Err(Error::invalid("Domain", why));
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        if name.len() > 253 || !name.split('.').all(is_label) {
            return refuse("must be a prefix of a-z 0-9 and -, or a host name in lower case".into());
        }
        if !name.contains('.') {
            return match RESERVED.iter().find(|word| name.contains(**word)) {
                Some(word) => refuse(format!("a prefix may not have '{word}' in it")),
                None => Ok(()),
            };
        }
        if name
            .split('.')
            .all(|label| label.chars().all(|c| c.is_ascii_digit()))
        {
            return refuse("is an address, not a name".into());
        }
        if name == self.host || name == self.parent || name.ends_with(&format!(".{}", self.parent)) {
            return refuse(format!(
                "{name} belongs to this service itself; below {} only prefixes are given",
                self.parent
            ));
        }
        Ok(())
    }
}

/// The name in a `Host` header or an authority: without the port, in lower case, without the root's dot.
pub fn host_name(authority: &str) -> String {
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let name = match authority.rsplit_once(':') {
        // An IPv6 address has colons of its own, within brackets.
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => authority,
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_served_below_or_beside_the_public_host() {
        let place = Place::of("https://login.example.com:8443");
        assert_eq!(place.origin_of("acme"), "https://acme.login.example.com:8443");
        assert_eq!(place.origin_of("sso.acme.test"), "https://sso.acme.test:8443");
        assert_eq!(
            Place::of("http://localhost:8080").origin_of("acme"),
            "http://acme.localhost:8080"
        );
        assert_eq!(
            Place::of("http://127.0.0.1").origin_of("acme"),
            "http://acme.localhost"
        );
        assert_eq!(
            place.origin_below(&Place::of_tenant("acme")),
            "https://auth.acme.login.example.com:8443"
        );
    }

    #[test]
    fn a_tenants_host_has_its_id_in_it() {
        let place = Place::of("https://login.example.com");
        for (host, tenant) in [
            ("auth.acme.login.example.com", Some("acme")),
            ("acme.login.example.com", None),
            ("auth.login.example.com", None),
            ("auth..login.example.com", None),
            ("auth.a.b.login.example.com", None),
            ("auth.acme.notlogin.example.com", None),
            ("auth.acme.example.com", None),
            ("login.example.com", None),
        ] {
            assert_eq!(place.tenant_at(host), tenant, "{host}");
        }
    }

    #[test]
    fn names_that_cannot_be_a_domain_are_refused() {
        let place = Place::of("https://login.example.com");
        for right in ["acme", "a", "acme-login", "login.acme.test", "example.com"] {
            assert!(place.check(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "-acme",
            "Acme",
            "my-aws-login",
            "cognito",
            "a..b",
            "10.0.0.1",
            "login.example.com",
            "acme.login.example.com",
            "acme.test.",
        ] {
            assert!(place.check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_host_header_is_read_without_port_and_case() {
        for (header, name) in [
            ("Acme.Example", "acme.example"),
            ("acme.example:8443", "acme.example"),
            ("acme.example.:80", "acme.example"),
            ("[::1]:8080", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(host_name(header), name, "{header}");
        }
    }
}
