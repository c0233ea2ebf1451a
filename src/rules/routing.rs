//! Where an address, a tenant's code or an identifier leads, among the connections that one app offers. All of it is worked
//! out once; a lookup is a few hash lookups, as many for a domain that leads somewhere as for one that does not.

use std::collections::HashMap;

use super::tenant_domain::and_above;
use crate::model::provider::Provider;
use crate::model::tenant_domain::Proven;

#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// Domains for which an identifier names the very connection.
    named: HashMap<String, Vec<String>>,
    /// Domains of tenants.
    proven: HashMap<String, Whose>,
    /// The connections of each tenant.
    tenants: HashMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
struct Whose {
    tenant_id: String,
    subdomains: bool,
}

impl Routes {
    /// `providers` are the live connections that the app offers, `identifiers` what leads to one of them by name,
    /// `proven` the domains of the pool's tenants.
    ///
    /// An identifier that is a domain is an operator's word: of the pool's own connection it counts as it is, of a
    /// tenant's only within the tenant's proven domains.
    pub fn new(providers: &[Provider], identifiers: &HashMap<String, String>, proven: Vec<Proven>) -> Routes {
        let mut routes = Routes::default();
        for one in proven {
            let whose = Whose {
                tenant_id: one.tenant_id,
                subdomains: one.subdomains,
            };
            routes.proven.insert(one.domain, whose);
        }
        let mut owners: HashMap<&str, Option<&str>> = HashMap::new();
        for provider in providers {
            let tenant = provider.tenant_id.as_deref();
            owners.insert(&provider.id, tenant);
            if let Some(tenant) = tenant {
                let its = routes.tenants.entry(tenant.to_owned()).or_default();
                its.push(provider.id.clone());
            }
        }
        for (identifier, provider_id) in identifiers.iter().filter(|(name, _)| name.contains('.')) {
            let counts = match owners.get(provider_id.as_str()) {
                Some(None) => true,
                Some(Some(tenant)) => routes.whose(identifier) == Some(*tenant),
                None => false,
            };
            if counts {
                routes.named.insert(identifier.clone(), vec![provider_id.clone()]);
            }
        }
        routes
    }

    /// Whether any address leads anywhere.
    pub fn lead_anywhere(&self) -> bool {
        let lives = |whose: &Whose| self.tenants.contains_key(&whose.tenant_id);
        !self.named.is_empty() || (!self.tenants.is_empty() && self.proven.values().any(lives))
    }

    /// The connections for addresses in this domain (A-labels, lower case).
    pub fn of_domain(&self, domain: &str) -> &[String] {
        match self.named.get(domain) {
            Some(named) => named,
            None => self.whose(domain).map_or(&[], |tenant| self.of_tenant(tenant)),
        }
    }

    /// The connections of a tenant, by its id.
    pub fn of_tenant(&self, id: &str) -> &[String] {
        self.tenants.get(id).map_or(&[], Vec::as_slice)
    }

    /// The tenant that has the domain, or the nearest one above it together with its subdomains.
    fn whose(&self, domain: &str) -> Option<&str> {
        and_above(domain).find_map(|name| {
            let whose = self.proven.get(name)?;
            (whose.subdomains || name == domain).then_some(whose.tenant_id.as_str())
        })
    }

    /// What is left of it where only this tenant's connections are offered.
    pub fn within(&self, tenant_id: &str) -> Routes {
        let its = self.of_tenant(tenant_id);
        Routes {
            named: self
                .named
                .iter()
                .filter(|(_, named)| named.iter().all(|id| its.contains(id)))
                .map(|(domain, named)| (domain.clone(), named.clone()))
                .collect(),
            proven: self
                .proven
                .iter()
                .filter(|(_, whose)| whose.tenant_id == tenant_id)
                .map(|(domain, whose)| (domain.clone(), whose.clone()))
                .collect(),
            tenants: self
                .tenants
                .get_key_value(tenant_id)
                .map(|(id, its)| (id.clone(), its.clone()))
                .into_iter()
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture;

    fn provider(id: &str, tenant_id: Option<&str>) -> Provider {
        Provider {
            tenant_id: tenant_id.map(str::to_owned),
            ..fixture::provider(id)
        }
    }

    fn proven(tenant_id: &str, domain: &str, subdomains: bool) -> Proven {
        Proven {
            tenant_id: tenant_id.into(),
            domain: domain.into(),
            subdomains,
        }
    }

    fn routes() -> Routes {
        let providers = [
            provider("own", None),
            provider("acme-1", Some("acme")),
            provider("acme-2", Some("acme")),
            provider("globex-1", Some("globex")),
        ];
        let identifiers = [
            ("own.test", "own"),
            ("partner", "own"),
            ("hr.acme.test", "acme-2"),
            ("stolen.test", "globex-1"),
            ("initech.test", "globex-1"),
            ("off.test", "switched-off"),
        ];
        let identifiers = identifiers
            .into_iter()
            .map(|(name, id)| (name.to_owned(), id.to_owned()));
        let domains = vec![
            proven("acme", "acme.test", true),
            proven("globex", "globex.test", false),
            proven("initech", "initech.test", true),
            proven("initech", "it.acme.test", false),
        ];
        Routes::new(&providers, &identifiers.collect(), domains)
    }

    #[test]
    fn a_domain_leads_to_its_tenants_connections() {
        let routes = routes();
        for (domain, expected) in [
            ("own.test", &["own"][..]),
            ("acme.test", &["acme-1", "acme-2"]),
            ("eu.acme.test", &["acme-1", "acme-2"]),
            ("hr.acme.test", &["acme-2"]),
            ("globex.test", &["globex-1"]),
            ("eu.globex.test", &[]),
            // Nobody's word but the tenant's proof leads to a tenant's connection.
            ("stolen.test", &[]),
            // A tenant without a live connection, and one that has a part of another's domain.
            ("initech.test", &[]),
            ("it.acme.test", &[]),
            ("off.test", &[]),
            ("partner", &[]),
            ("test", &[]),
            ("", &[]),
        ] {
            assert_eq!(routes.of_domain(domain), expected, "{domain}");
        }
        assert_eq!(routes.of_tenant("globex"), ["globex-1"]);
        assert!(routes.of_tenant("initech").is_empty() && routes.lead_anywhere());
    }

    #[test]
    fn at_a_tenants_own_host_there_are_only_its_own() {
        let own = routes().within("acme");
        assert_eq!(own.of_domain("hr.acme.test"), ["acme-2"]);
        assert_eq!(own.of_domain("eu.acme.test"), ["acme-1", "acme-2"]);
        for other in ["globex.test", "own.test", "initech.test"] {
            assert!(own.of_domain(other).is_empty(), "{other}");
        }
        assert!(own.of_tenant("globex").is_empty());
    }

    #[test]
    fn ten_thousand_tenants_are_no_more_to_look_through_than_one() {
        let providers: Vec<Provider> = (0..10_000)
            .map(|n| provider(&format!("okta-{n}"), Some(&format!("tenant-{n}"))))
            .collect();
        let domains = (0..10_000)
            .map(|n| proven(&format!("tenant-{n}"), &format!("customer-{n}.test"), n % 2 == 0))
            .collect();
        let routes = Routes::new(&providers, &HashMap::new(), domains);
        let begun = std::time::Instant::now();
        for n in 0..10_000 {
            assert_eq!(
                routes.of_domain(&format!("customer-{n}.test")),
                [format!("okta-{n}")]
            );
            assert!(routes.of_domain(&format!("unknown-{n}.test")).is_empty());
        }
        let each = begun.elapsed() / 20_000;
        assert!(each < std::time::Duration::from_micros(500), "{each:?} each");
    }
}
