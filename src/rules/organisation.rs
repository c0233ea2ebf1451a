//! Providers that serve many organisations under one roof say in a claim of their own whose somebody is. Google has one
//! issuer for the whole world and names the Workspace domain in `hd`; Entra ID has an issuer for each tenant and repeats its id
//! in `tid`. Who belongs to another organisation is as much a stranger as somebody from another Okta.

use serde_json::{Map, Value};
use url::Url;

use super::connection::Kind;
use super::tenant_domain::{covering, normalise};
use super::upstream_error::plain;
use crate::model::tenant_domain::Proven;

/// What the claim said, as a step of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub claim: &'static str,
    pub step: &'static str,
    pub passed: bool,
    pub detail: String,
}

/// Whether Google is asked for a Workspace domain, and so the domains have to be known.
pub fn wants_domains(issuer: &str) -> bool {
    Kind::of(issuer) == Kind::Google
}

/// Looks at the claim that tells; `None` where the provider serves one organisation, and for Google where no domain is proven
/// to be the tenant's.
pub fn check(issuer: &str, claims: &Map<String, Value>, proven: &[Proven]) -> Option<Seen> {
    match Kind::of(issuer) {
        Kind::Google if !proven.is_empty() => {
            let domains: Vec<&str> = proven.iter().map(|one| one.domain.as_str()).collect();
            Some(seen("hd", "id_token.hd", claims, &domains.join(" "), |domain| {
                normalise(domain).is_ok_and(|domain| covering(proven, &domain).is_some())
            }))
        }
        Kind::Entra => {
            let tenant = tenant_of(issuer)?;
            Some(seen("tid", "id_token.tid", claims, &tenant, |id| {
                id.eq_ignore_ascii_case(&tenant)
            }))
        }
        _ => None,
    }
}

fn seen(
    claim: &'static str,
    step: &'static str,
    claims: &Map<String, Value>,
    expected: &str,
    is_ours: impl FnOnce(&str) -> bool,
) -> Seen {
    let came = claims.get(claim).and_then(Value::as_str);
    let received = match came {
        Some(text) => plain(text, 200),
        None => "nothing".to_owned(),
    };
    Seen {
        claim,
        step,
        passed: came.is_some_and(is_ours),
        detail: format!("received {received}, expected {}", plain(expected, 400)),
    }
}

/// The id in `https://login.microsoftonline.com/{tenant id}/v2.0`.
fn tenant_of(issuer: &str) -> Option<String> {
    let url = Url::parse(issuer).ok()?;
    let first = url.path().split('/').find(|segment| !segment.is_empty())?;
    Some(first.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    const GOOGLE: &str = "https://accounts.google.com";
    const ENTRA: &str = "https://login.microsoftonline.com/8b87af7d-8647-4dc7-8df4-5f69a2011bb5/v2.0";

    fn passes(issuer: &str, claims: Value, proven: &[Proven]) -> Option<bool> {
        check(issuer, claims.as_object().unwrap(), proven).map(|seen| seen.passed)
    }

    fn proven(domain: &str, subdomains: bool) -> Proven {
        Proven {
            tenant_id: "acme".into(),
            domain: domain.into(),
            subdomains,
        }
    }

    #[test]
    fn google_has_to_name_a_proven_domain() {
        let ours = [proven("acme.test", false), proven("acme.example", true)];
        for (claims, expected) in [
            (json!({"hd": "acme.test"}), true),
            (json!({"hd": "ACME.test"}), true),
            (json!({"hd": "eu.acme.example"}), true),
            (json!({"hd": "eu.acme.test"}), false),
            (json!({"hd": "evil.test"}), false),
            (json!({"hd": "acme.test.evil.test"}), false),
            (json!({"hd": ""}), false),
            (json!({"hd": ["acme.test"]}), false),
            // Somebody's own account: it has an address, and no domain.
            (json!({"email": "ada@acme.test"}), false),
        ] {
            assert_eq!(passes(GOOGLE, claims.clone(), &ours), Some(expected), "{claims}");
        }
        assert_eq!(passes(GOOGLE, json!({}), &[]), None);
        assert_eq!(passes("https://acme.okta.com", json!({}), &ours), None);
    }

    #[test]
    fn entra_has_to_name_the_tenant_of_the_issuer() {
        for (claims, expected) in [
            (json!({"tid": "8b87af7d-8647-4dc7-8df4-5f69a2011bb5"}), true),
            (json!({"tid": "8B87AF7D-8647-4DC7-8DF4-5F69A2011BB5"}), true),
            (json!({"tid": "9188040d-6c67-4c5b-b112-36a304b66dad"}), false),
            (json!({}), false),
        ] {
            assert_eq!(passes(ENTRA, claims.clone(), &[]), Some(expected), "{claims}");
        }
    }
}
