//! What we send to an organisation: state, nonce and PKCE on every request, fresh each time, and what the app asked for
//! passed on (M-109; RFC 9700 §2.1.1 and §4.7.1).

use std::collections::HashSet;

use forebay::demo::okta::Seen;

use super::{attempt, signs_in};
use crate::support::{PUBLIC_URL, Stage, query_of};

fn at<'a>(requests: &'a [Seen], end: &str) -> &'a Seen {
    requests.iter().find(|seen| seen.path.ends_with(end)).unwrap()
}

fn query<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    let found: Vec<&str> = seen
        .query
        .iter()
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
        .collect();
    assert!(found.len() <= 1, "{name} came twice");
    found.first().copied()
}

#[actix_web::test]
async fn m109_every_request_has_a_state_a_nonce_and_a_challenge_of_its_own() {
    let stage = Stage::new().await;
    let mut drawn = HashSet::new();
    for round in 0..10 {
        stage.acme.forget_requests();
        attempt(&stage, "ada@acme.test").await;
        let requests = stage.acme.requests();
        let authorize = at(&requests, "/authorize");
        assert_eq!(query(authorize, "response_type"), Some("code"));
        assert_eq!(query(authorize, "code_challenge_method"), Some("S256"));
        assert_eq!(query(authorize, "scope"), Some("openid profile email groups"));
        let redirect = format!("{PUBLIC_URL}/oauth2/idpresponse/acme-okta");
        assert_eq!(query(authorize, "redirect_uri"), Some(redirect.as_str()));
        for name in ["state", "nonce", "code_challenge"] {
            let value = query(authorize, name).unwrap_or_default().to_owned();
            assert!(value.len() >= 22, "{name}: {value}");
            assert!(drawn.insert(value), "round {round}: {name} was used before");
        }
        // The app's own state and nonce stay with us.
        assert_ne!(query(authorize, "state"), Some("st"));
        assert_ne!(query(authorize, "nonce"), Some("no"));
        let token = at(&requests, "/token");
        assert_eq!(token.form("grant_type"), Some("authorization_code"));
        assert_eq!(token.form("redirect_uri"), Some(redirect.as_str()));
        assert!(token.form("code_verifier").is_some());
        assert!(token.query.is_empty());
    }
}

#[actix_web::test]
async fn what_the_app_asks_of_the_sign_in_goes_on_to_the_organisation() {
    let stage = Stage::new().await;
    for (asked, sent) in [
        (("prompt", "login"), ("prompt", "login")),
        (("prompt", "select_account"), ("prompt", "login")),
        (("prompt", "consent"), ("prompt", "consent")),
        (("prompt", "login consent"), ("prompt", "login consent")),
        (("max_age", "500"), ("max_age", "500")),
        (("login_hint", "ada@acme.test"), ("login_hint", "ada@acme.test")),
        (
            ("acr_values", "urn:okta:loa:2fa:any"),
            ("acr_values", "urn:okta:loa:2fa:any"),
        ),
    ] {
        let url = stage.authorize(&[asked, ("identity_provider", "acme-okta")]);
        let away = stage.browser().open(&url).await.expect(302);
        assert_eq!(
            query_of(away.location(), sent.0).as_deref(),
            Some(sent.1),
            "{asked:?}"
        );
    }
    let url = stage.authorize(&[("identity_provider", "acme-okta")]);
    let away = stage.browser().open(&url).await.expect(302);
    for name in [
        "prompt",
        "max_age",
        "login_hint",
        "acr_values",
        "resource",
        "claims",
    ] {
        assert_eq!(query_of(away.location(), name), None, "{name}");
    }
}

#[actix_web::test]
async fn the_organisation_is_asked_no_more_than_needed() {
    let stage = Stage::new().await;
    signs_in(&stage, "ada@acme.test").await;
    let first = super::asked(&stage.acme).len();
    assert_eq!(first, 4, "discovery, token, keys, userinfo");
    stage.acme.forget_requests();
    signs_in(&stage, "grace@acme.test").await;
    assert_eq!(super::asked(&stage.acme).len(), 2, "token, userinfo");
    assert!(
        stage.globex.requests().is_empty(),
        "nobody else is asked anything"
    );
}
