//! A sign-in that somebody else starts (OIDC Core §4): a click on a tile in Okta, or any link. It only ever leads to an
//! address of the app itself, whose own request then carries `state`, `nonce` and PKCE: an app never gets a code that it
//! did not ask for.

use url::Url;

use super::params;
use crate::model::client::Settings;

/// Longest `login_hint` that is passed on; it is only a hint, so a longer one is left out.
const LONGEST_HINT: usize = 256;

/// Why a start leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nowhere {
    /// `target_link_uri` is none of the app's registered addresses.
    Target,
    /// The app has neither a login start URL nor a callback on the web.
    NoAddress,
}

/// Whether `iss` is the organisation of this issuer. Okta's tile sends the address of the organisation, also where the app
/// uses a custom authorization server of it, so the hosts decide.
pub fn is_of(iss: &str, issuer: &str) -> bool {
    match (Url::parse(iss), Url::parse(issuer)) {
        (Ok(iss), Ok(issuer)) => iss.origin().is_tuple() && iss.origin() == issuer.origin(),
        _ => false,
    }
}

/// The organisation's address in an `iss`.
pub fn origin(iss: &str) -> Option<String> {
    let origin = Url::parse(iss).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// Where the browser goes: to the app's login start URL with the parameters of OIDC Core §4, else to the target, else to
/// the root of the site that the app's callback is on.
pub fn destination(
    app: &Settings,
    issuer: &str,
    login_hint: Option<&str>,
    target: Option<&str>,
) -> Result<String, Nowhere> {
    if let Some(target) = target {
        let registered = app.redirect_uris.iter().chain(&app.logout_uris);
        if !registered.chain(&app.initiate_login_uri).any(|uri| uri == target) {
            return Err(Nowhere::Target);
        }
    }
    let Some(start) = &app.initiate_login_uri else {
        return target
            .map(str::to_owned)
            .or_else(|| home(app))
            .ok_or(Nowhere::NoAddress);
    };
    let hint = login_hint.filter(|hint| hint.len() <= LONGEST_HINT);
    let mut pairs = vec![("iss", issuer)];
    pairs.extend(hint.map(|hint| ("login_hint", hint)));
    pairs.extend(target.map(|target| ("target_link_uri", target)));
    let join = if start.contains('?') { '&' } else { '?' };
    Ok(format!("{start}{join}{}", params::encode(pairs)))
}

fn home(app: &Settings) -> Option<String> {
    let callback = app.default_redirect_uri.as_ref().or(app.redirect_uris.first())?;
    let origin = Url::parse(callback).ok()?.origin();
    let of_the_web = origin.is_tuple() && callback.starts_with("http");
    of_the_web.then(|| format!("{}/", origin.ascii_serialization()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://login.example/pool_1";

    fn app() -> Settings {
        Settings {
            redirect_uris: vec!["https://app.example/callback".into()],
            logout_uris: vec!["https://app.example/bye".into()],
            ..Settings::default()
        }
    }

    #[test]
    fn it_leads_to_the_apps_own_addresses_and_nowhere_else() {
        let lead = |app: &Settings, target| destination(app, ISSUER, None, target);
        assert_eq!(lead(&app(), None), Ok("https://app.example/".into()));
        assert_eq!(
            lead(&app(), Some("https://app.example/bye")),
            Ok("https://app.example/bye".into())
        );
        for other in [
            "https://evil.example/",
            "https://app.example/bye/../x",
            "https://app.example/bye?x",
            "https://app.example/",
            "",
        ] {
            assert_eq!(lead(&app(), Some(other)), Err(Nowhere::Target), "{other}");
        }
        let native = Settings {
            redirect_uris: vec!["com.example.app:/callback".into()],
            ..Settings::default()
        };
        assert_eq!(lead(&native, None), Err(Nowhere::NoAddress));
    }

    #[test]
    fn the_login_start_url_gets_the_parameters_and_keeps_its_own() {
        let starting = |uri: &str| Settings {
            initiate_login_uri: Some(uri.into()),
            ..app()
        };
        assert_eq!(
            destination(&starting("https://app.example/login?via=tile"), ISSUER, Some("ann@acme.test"), None),
            Ok("https://app.example/login?via=tile&iss=https%3A%2F%2Flogin.example%2Fpool_1&login_hint=ann%40acme.test".into())
        );
        let long = "x".repeat(LONGEST_HINT + 1);
        assert_eq!(
            destination(&starting("https://app.example/login"), ISSUER, Some(&long), Some("https://app.example/bye")),
            Ok("https://app.example/login?iss=https%3A%2F%2Flogin.example%2Fpool_1&target_link_uri=https%3A%2F%2Fapp.example%2Fbye".into())
        );
    }

    #[test]
    fn the_issuer_of_a_tile_is_the_organisation() {
        for (iss, issuer, same) in [
            ("https://acme.okta.com", "https://acme.okta.com", true),
            (
                "https://acme.okta.com",
                "https://acme.okta.com/oauth2/default",
                true,
            ),
            ("https://acme.okta.com.evil.test", "https://acme.okta.com", false),
            ("https://globex.okta.com", "https://acme.okta.com", false),
            ("http://acme.okta.com", "https://acme.okta.com", false),
            ("acme.okta.com", "https://acme.okta.com", false),
            ("data:x", "data:x", false),
        ] {
            assert_eq!(is_of(iss, issuer), same, "{iss} {issuer}");
        }
    }
}
