//! The issuer of an upstream connection as it is stored, and whether a URL of the upstream may be used at all. What
//! people type is read by `rules::okta_issuer` before it comes here; this is compared with `iss` byte by byte.

use url::Url;

use crate::config::AllowedHost;

/// Whether the text is an issuer that can be compared (OIDC Discovery §3): a URL in its normal form, without query,
/// fragment or user name, on a transport that may be used. The error completes the sentence "the issuer ".
pub fn check(text: &str, allowed: &[AllowedHost]) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty: write your Okta domain, such as https://acme.okta.com".into());
    }
    if text.len() > 512 || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err("is not a URL of at most 512 visible ASCII characters".into());
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    check_transport(&url, allowed)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user name or password in it".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or fragment, which issuers do not have (OIDC Discovery §3)".into());
    }
    if is_for_all_tenants(&url) {
        let host = url.host_str().unwrap_or_default();
        return Err(format!(
            "stands for every tenant of Entra ID, or for everybody's personal accounts: name yours, as in https://{host}/{{tenant id}}/v2.0"
        ));
    }
    let normal = url.as_str();
    // A URL without a path is written with one, which an issuer need not have.
    if text != normal && Some(text) != normal.strip_suffix('/') {
        let normal = normal.strip_suffix('/').unwrap_or(normal);
        return Err(format!(
            "is not in the form in which it is compared: write {normal}"
        ));
    }
    Ok(())
}

/// Microsoft's hosts, of the public cloud and of the national ones.
const ENTRA_HOSTS: [&str; 3] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
];

/// The tenant in which Microsoft keeps everybody's personal accounts.
const PERSONAL_ACCOUNTS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// The host is Microsoft Entra ID's.
pub fn is_entra(host: &str) -> bool {
    ENTRA_HOSTS.contains(&host)
}

/// Entra's addresses for everybody's tenants: their discovery document names no issuer but a pattern for one, and whoever
/// takes each tenant's tokens takes those of strangers.
fn is_for_all_tenants(url: &Url) -> bool {
    let first = url.path().split('/').find(|segment| !segment.is_empty());
    let names_none = matches!(
        first,
        None | Some("common" | "organizations" | "consumers" | PERSONAL_ACCOUNTS)
    );
    is_entra(url.host_str().unwrap_or_default()) && names_none
}

/// Whether a URL of the upstream may be used: https, or plain http to a host that the configuration admits.
pub fn check_transport(url: &Url, allowed: &[AllowedHost]) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    match url.scheme() {
        _ if host.is_empty() => Err("names no host".into()),
        "https" => Ok(()),
        "http" if allowed.iter().any(|allowed| allowed.admits(url)) => Ok(()),
        "http" => Err(format!(
            "is plain http: write https://{host} (for a stand-in in development, start with --allow-upstream {host}:{port})"
        )),
        other => Err(format!("has the scheme {other}: where https: is needed")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn issuers_are_stored_as_they_are_compared() {
        let allowed = [AllowedHost::parse("127.0.0.1:8091").unwrap()];
        for right in [
            "https://acme.okta.com",
            "https://acme.okta.com/oauth2/default",
            "https://tenant.auth0.example/",
            "https://id.example.com:8443/realms/acme",
            "https://accounts.google.com",
            "https://login.microsoftonline.com/8b87af7d-8647-4dc7-8df4-5f69a2011bb5/v2.0",
            "http://127.0.0.1:8091",
            "http://127.0.0.1:8091/oauth2/default",
        ] {
            assert_eq!(check(right, &allowed), Ok(()), "{right}");
        }
        for (wrong, why) in [
            ("", "empty"),
            ("acme.okta.com", "not a URL"),
            ("https://", "not a URL"),
            ("ftp://acme.okta.com", "https: is needed"),
            ("urn:acme", "names no host"),
            ("http://acme.okta.com", "write https://acme.okta.com"),
            ("http://127.0.0.1:8092", "--allow-upstream 127.0.0.1:8092"),
            ("https://ada@acme.okta.com", "user name"),
            ("https://acme.okta.com?a=b", "query"),
            ("https://acme.okta.com#a", "fragment"),
            ("HTTPS://acme.okta.com", "write https://acme.okta.com"),
            ("https://ACME.okta.com", "write https://acme.okta.com"),
            ("https://acme.okta.com:443", "write https://acme.okta.com"),
            ("https://acme.okta.com/a/../b", "write https://acme.okta.com/b"),
            (
                "https://login.microsoftonline.com/common/v2.0",
                "{tenant id}/v2.0",
            ),
            (
                "https://login.microsoftonline.us/organizations/v2.0",
                "name yours",
            ),
            ("https://login.microsoftonline.com/", "name yours"),
            (
                "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
                "stands for every tenant",
            ),
            (" https://acme.okta.com", "visible ASCII"),
            ("https://äcme.okta.com", "visible ASCII"),
        ] {
            let error = check(wrong, &allowed).unwrap_err();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }
}
