//! Connections as configured: what tells one configuration from the next, what kind of server an issuer is, and what a
//! tenant's administrator may point a connection at.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::okta_issuer::{self, Candidate, Mistake, is_okta_host};
use super::params::encode;
use super::registration::issuer;
use super::tenant_domain::and_above;
use crate::config::AllowedHost;
use crate::model::provider::Provider;
use crate::model::tenant_domain::Proven;

/// What an issuer's address tells of the server behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The authorization server that every Okta organisation has.
    Org,
    /// A custom authorization server of API Access Management.
    Custom,
    /// Google, for Workspace organisations.
    Google,
    /// Microsoft Entra ID, of one tenant there.
    Entra,
    /// Anything else.
    Other,
}

impl Kind {
    pub fn of(issuer: &str) -> Kind {
        let Ok(url) = Url::parse(issuer) else {
            return Kind::Other;
        };
        match url.host_str().unwrap_or_default() {
            "accounts.google.com" => return Kind::Google,
            host if issuer::is_entra(host) => return Kind::Entra,
            _ => {}
        }
        let mut segments = url.path().split('/').filter(|segment| !segment.is_empty());
        match (segments.next(), segments.next(), segments.next()) {
            (None, ..) => Kind::Org,
            (Some("oauth2"), Some(_), None) => Kind::Custom,
            _ => Kind::Other,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Org => "org authorization server",
            Kind::Custom => "custom authorization server",
            Kind::Google => "Google",
            Kind::Entra => "Microsoft Entra ID",
            Kind::Other => "OpenID provider",
        }
    }

    /// What choosing it means, for the administrator who has to choose.
    pub fn explained(self) -> &'static str {
        match self {
            Kind::Org => {
                "Every Okta organisation has it, and its issuer is the bare domain. No access policy is needed. Groups \
                 come when the scope “groups” is asked for and the app has a groups claim filter; other attributes come \
                 from the app's profile. This is the usual choice for signing people in."
            }
            Kind::Custom => {
                "It needs Okta's API Access Management (developer organisations have it), has keys and an issuer of its \
                 own, and lets nobody in without an access policy with a rule that matches this app. Claims are defined \
                 on the server itself. Choose it only if your Okta administrator made the claims there."
            }
            Kind::Google => {
                "Google lets everybody with a Google account in, unless the OAuth consent screen is internal: make it so. \
                 Where the tenant has proven domains, the claim “hd”, which names the Workspace domain, must be one of \
                 them. The subject is stable; an address is not. Groups do not come."
            }
            Kind::Entra => {
                "One tenant of Entra ID, named by its id in the address. The subject is another one for every app \
                 registration there: map the claim “oid” to an attribute, so that people can be recognised when the \
                 registration changes. Addresses come unverified, so they neither route nor link."
            }
            Kind::Other => "Not an address of Okta's form: an OpenID provider with discovery.",
        }
    }

    /// Where the app is made whose pages in the wizard are written for Okta.
    pub fn elsewhere(self) -> Option<&'static str> {
        match self {
            Kind::Org | Kind::Custom | Kind::Other => None,
            Kind::Google => Some(
                "This connection leads to Google. Make the app in the Google Cloud console: APIs & Services → Credentials → \
                 Create credentials → OAuth client ID → Web application, with the redirect URI below as the authorised \
                 one. Set the consent screen to internal. There is no tile and no sign-out address.",
            ),
            Kind::Entra => Some(
                "This connection leads to Microsoft Entra ID. Make the app there: Identity → App registrations → New \
                 registration, for accounts in this directory only, with the redirect URI below for the platform Web. The \
                 client secret's value, not its id, is what is entered here. Sign-out addresses and tiles are set \
                 under Authentication and Branding.",
            ),
        }
    }
}

/// Where an administrator of the Okta behind a connection reads what Okta has logged about this app; `None` where the admin
/// console's address does not follow from the issuer.
pub fn system_log(issuer: &str, client_id: &str) -> Option<String> {
    let issuer = Url::parse(issuer).ok()?;
    let host = issuer.host_str().filter(|host| is_okta_host(host))?;
    let (organisation, okta) = host.split_once('.')?;
    // What goes into the expression is an id and nothing that could end its quotes.
    if client_id.is_empty() || !client_id.chars().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let about = format!("target.id eq \"{client_id}\" or actor.id eq \"{client_id}\"");
    let query = encode([("search", about.as_str())]);
    Some(format!(
        "https://{organisation}-admin.{okta}/report/system_log_2?{query}"
    ))
}

/// Tells one configuration of a connection from another: where it leads, as whom we come there, what we ask for. A test
/// holds for the configuration it was made on. Sealed secrets count as they are stored, so that entering the same one
/// again is another configuration, too.
pub fn fingerprint(provider: &Provider) -> String {
    let settings = &provider.settings;
    let of_the_api = settings.okta_api.iter().map(|scope| scope.as_str());
    let scopes: Vec<&str> = settings
        .scopes
        .iter()
        .map(String::as_str)
        .chain(of_the_api)
        .collect();
    let facts = json!([
        provider.issuer,
        settings.client_id,
        settings.client_auth,
        settings.private_key_id,
        scopes,
        settings.endpoints,
        settings.userinfo_method,
        settings.shared_callback,
        settings.id_token_algorithms,
        settings.token_in.is_some(),
        provider.client_secret_sealed,
        provider.private_key_sealed,
    ]);
    URL_SAFE_NO_PAD.encode(Sha256::digest(facts.to_string()))
}

/// The issuers worth trying for what was typed, best first. Where Okta's org server is meant, the server that Okta calls
/// `default` is offered beside it, for from the address alone nobody can tell on which of them the app was made. What has a
/// path of another form may be an issuer, or a link into an Okta that stands on a domain of the organisation's own.
pub fn candidates(typed: &str, allowed: &[AllowedHost]) -> Result<Vec<Candidate>, Mistake> {
    let typed = typed.trim();
    let without_tls = format!("http://{typed}");
    // A host that the operator admits for development is mostly one that speaks no TLS.
    let is_stand_in = !typed.contains("://")
        && Url::parse(&without_tls).is_ok_and(|url| allowed.iter().any(|allowed| allowed.admits(&url)));
    let text = if is_stand_in { without_tls.as_str() } else { typed };
    let mut found = match okta_issuer::normalize(text) {
        Ok(found) => found,
        // Such a host may be named in ways that no Okta is.
        Err(_) if text.starts_with("http://") && issuer::check(text, allowed).is_ok() => vec![Candidate {
            issuer: text.to_owned(),
            note: String::new(),
        }],
        Err(mistake) => return Err(mistake),
    };
    let Some(first) = found.first().map(|candidate| candidate.issuer.clone()) else {
        return Ok(found);
    };
    let beside = match Kind::of(&first) {
        Kind::Org => format!("{first}/oauth2/default"),
        Kind::Custom | Kind::Google | Kind::Entra => return Ok(found),
        Kind::Other => Url::parse(&first)
            .map(|url| url.origin().ascii_serialization())
            .unwrap_or_default(),
    };
    if found.iter().all(|candidate| candidate.issuer != beside) {
        found.push(Candidate {
            issuer: beside,
            note: String::new(),
        });
    }
    Ok(found)
}

/// A name for a connection that nobody has named: the organisation's part of the issuer's host.
pub fn name_for(issuer: &str) -> String {
    let url = Url::parse(issuer).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    match Kind::of(issuer) {
        Kind::Google => return "google".into(),
        Kind::Entra => return "entra".into(),
        Kind::Org | Kind::Custom | Kind::Other => {}
    }
    let organisation: String = match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name.split('.').next().unwrap_or_default(),
        _ => "stand-in",
    }
    .chars()
    .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
    .take(27)
    .collect();
    let suffix = if is_okta_host(host) { "okta" } else { "sso" };
    format!("{organisation}-{suffix}")
}

/// Whether a connection that a tenant set up may have this issuer: a host that Okta operates, one in a domain that is proven
/// to be the tenant's, or a stand-in on this very machine that the operator admits. The error completes the sentence "the
/// issuer ".
pub fn check_tenants_issuer(issuer: &str, allowed: &[AllowedHost], proven: &[Proven]) -> Result<(), String> {
    let url = Url::parse(issuer).map_err(|error| format!("is not a URL: {error}"))?;
    let host = url.host_str().unwrap_or_default();
    // Whose the domain is, all names below it are.
    let is_their_own = || and_above(host).any(|name| proven.iter().any(|one| one.domain == name));
    let admitted = match url.scheme() {
        "https" if is_okta_host(host) => true,
        "https" if is_their_own() && is_tenants_to_call(&url, allowed) => true,
        _ => is_on_loopback(&url) && allowed.iter().any(|allowed| allowed.admits(&url)),
    };
    if admitted {
        return Ok(());
    }
    Err(format!(
        "is on {}, which Okta does not operate: use the address under okta.com (or oktapreview.com, okta-emea.com, \
         okta-gov.com, okta.mil) that stands behind your own domain, prove that domain on your tenant's page, or ask \
         the operator of this server to make the connection",
        url.host_str().unwrap_or("a host that cannot be read")
    ))
}

/// Whether what a tenant set up may call this address: not what only the operator's exceptions admit, which are for
/// connections of their own, but for a stand-in on this very machine.
pub fn is_tenants_to_call(url: &Url, allowed: &[AllowedHost]) -> bool {
    is_on_loopback(url) || !allowed.iter().any(|allowed| allowed.admits(url))
}

fn is_on_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A word about a client id that does not look like one of Okta's: `0oa` and 17 letters and digits.
pub fn odd_client_id(issuer: &str, client_id: &str) -> Option<&'static str> {
    let okta = Url::parse(issuer)
        .ok()
        .and_then(|url| url.host_str().map(is_okta_host))
        .unwrap_or(false);
    if !okta || client_id.is_empty() {
        return None;
    }
    let shaped = client_id.len() == 20 && client_id.chars().all(|c| c.is_ascii_alphanumeric());
    if shaped && client_id.starts_with("0oa") {
        None
    } else if shaped && client_id.starts_with("00o") {
        Some("This looks like the id of the Okta organisation, not of the app: client ids begin with 0oa.")
    } else if shaped && client_id.starts_with("00u") {
        Some("This looks like the id of an Okta user, not of the app: client ids begin with 0oa.")
    } else {
        Some(
            "Okta's client ids are 0oa and 17 more letters and digits. Compare it with the app's General tab.",
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn servers_are_told_apart_by_their_issuers() {
        for (issuer, expected) in [
            ("https://acme.okta.com", Kind::Org),
            ("https://acme.okta.com/oauth2/default", Kind::Custom),
            ("http://127.0.0.1:8091/oauth2/aus1", Kind::Custom),
            ("https://accounts.google.com", Kind::Google),
            (
                "https://login.microsoftonline.com/8b87af7d-8647-4dc7-8df4-5f69a2011bb5/v2.0",
                Kind::Entra,
            ),
            ("https://login.microsoftonline.com.evil.test/t/v2.0", Kind::Other),
            ("https://id.example.com/realms/acme", Kind::Other),
            ("https://id.example.com/oauth2/a/b", Kind::Other),
        ] {
            assert_eq!(Kind::of(issuer), expected, "{issuer}");
        }
    }

    #[test]
    fn where_the_org_server_is_meant_the_other_one_is_offered_beside_it() {
        let issuers = |typed: &str| -> Vec<String> {
            let found = candidates(typed, &[]).unwrap();
            found.into_iter().map(|candidate| candidate.issuer).collect()
        };
        let both = ["https://acme.okta.com", "https://acme.okta.com/oauth2/default"];
        assert_eq!(issuers("acme.okta.com"), both);
        assert_eq!(issuers("https://acme.okta.com/oauth2/v1/token"), both);
        assert_eq!(issuers(both[1]), [both[1], both[0]]);
        // A link into Okta on a domain of the organisation's own, or an issuer of somebody else's.
        assert_eq!(
            issuers("https://login.acme.com/app/UserHome"),
            ["https://login.acme.com/app/UserHome", "https://login.acme.com"]
        );
        let allowed = [AllowedHost::parse("127.0.0.1:8091").unwrap()];
        let found = candidates("127.0.0.1:8091/admin/dashboard", &allowed).unwrap();
        assert_eq!(found[1].issuer, "http://127.0.0.1:8091");
    }

    #[test]
    fn a_connection_without_a_name_is_named_after_its_organisation() {
        for (issuer, name) in [
            ("https://acme.okta.com/oauth2/default", "acme-okta"),
            ("https://login.acme.com", "login-sso"),
            ("https://accounts.google.com", "google"),
            (
                "https://login.microsoftonline.com/8b87af7d-8647-4dc7-8df4-5f69a2011bb5/v2.0",
                "entra",
            ),
            ("http://127.0.0.1:8091", "stand-in-sso"),
        ] {
            assert_eq!(name_for(issuer), name);
            assert!(crate::rules::registration::provider::name(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_tenant_may_name_oktas_own_hosts_and_an_admitted_stand_in() {
        let allowed = ["127.0.0.1:8091", "idp.internal"].map(|text| AllowedHost::parse(text).unwrap());
        for (issuer, admitted) in [
            ("https://acme.okta.com", true),
            ("https://acme.oktapreview.com/oauth2/default", true),
            ("https://acme.okta-gov.com", true),
            ("http://127.0.0.1:8091", true),
            ("http://127.0.0.1:8092", false),
            ("http://acme.okta.com", false),
            ("https://login.acme.com", false),
            ("https://acme.okta.com.evil.test", false),
            // What the operator admits for connections of their own is not the tenants' to call.
            ("https://idp.internal", false),
            ("http://169.254.169.254", false),
        ] {
            assert_eq!(
                check_tenants_issuer(issuer, &allowed, &[]).is_ok(),
                admitted,
                "{issuer}"
            );
        }
    }

    #[test]
    fn a_tenant_may_name_hosts_in_its_proven_domains() {
        let allowed = [AllowedHost::parse("idp.acme.com").unwrap()];
        let proven = [Proven {
            tenant_id: "acme".into(),
            domain: "acme.com".into(),
            subdomains: false,
        }];
        for (issuer, admitted) in [
            ("https://login.acme.com", true),
            ("https://acme.com/oauth2/default", true),
            ("http://login.acme.com", false),
            ("https://login.acme.com.evil.test", false),
            ("https://notacme.com", false),
            // A private host that the operator admits for connections of their own.
            ("https://idp.acme.com", false),
        ] {
            let checked = check_tenants_issuer(issuer, &allowed, &proven);
            assert_eq!(checked.is_ok(), admitted, "{issuer}");
        }
    }

    #[test]
    fn a_tenant_calls_nothing_that_only_an_exception_admits() {
        let allowed = ["127.0.0.1:8091", "idp.internal"].map(|text| AllowedHost::parse(text).unwrap());
        for (url, is_theirs) in [
            ("https://hooks.example.com/x", true),
            ("http://127.0.0.1:8091/hook", true),
            ("https://idp.internal/hook", false),
            ("http://IDP.internal:81/hook", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(is_tenants_to_call(&url, &allowed), is_theirs, "{url}");
        }
    }

    #[test]
    fn the_system_log_is_at_the_admin_host_of_an_okta() {
        let expected = "https://acme-admin.okta.com/report/system_log_2?search=target.id+eq+%220oa1%22+or+actor.id+eq+%220oa1%22";
        for issuer in ["https://acme.okta.com", "https://acme.okta.com/oauth2/default"] {
            assert_eq!(system_log(issuer, "0oa1").as_deref(), Some(expected), "{issuer}");
        }
        assert!(
            system_log("https://acme.oktapreview.com", "0oa1")
                .unwrap()
                .contains("acme-admin.oktapreview.com")
        );
        for (issuer, client_id) in [
            ("https://login.acme.com", "0oa1"),
            ("https://accounts.google.com", "x"),
            ("https://acme.okta.com.evil.test", "0oa1"),
            ("https://acme.okta.com", ""),
            ("https://acme.okta.com", "0oa1\" or true"),
        ] {
            assert_eq!(system_log(issuer, client_id), None, "{issuer} {client_id}");
        }
    }

    #[test]
    fn a_client_id_that_is_another_thing_is_told() {
        let okta = "https://acme.okta.com";
        assert_eq!(odd_client_id(okta, "0oa1b2c3d4e5f6g7h8i9"), None);
        assert_eq!(odd_client_id("https://id.example.com", "anything"), None);
        for (wrong, says) in [
            ("00o1b2c3d4e5f6g7h8i9", "organisation"),
            ("00u1b2c3d4e5f6g7h8i9", "user"),
            ("0oa1", "0oa and 17"),
            ("0oa1b2c3d4e5f6g7h8i-", "0oa and 17"),
        ] {
            assert!(odd_client_id(okta, wrong).unwrap().contains(says), "{wrong}");
        }
    }
}
