#![allow(clippy::unwrap_used)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::db::Json;
use crate::model::client::Settings;
use crate::model::token::Granted;
use crate::world::UnixTime;

fn client(change: impl FnOnce(&mut Settings)) -> Client {
    let mut settings = Settings::default();
    change(&mut settings);
    Client {
        id: "client".into(),
        user_pool_id: "pool".into(),
        name: "App".into(),
        enabled: true,
        settings: Json(settings),
        created_at: UnixTime(0),
        updated_at: UnixTime(0),
    }
}

fn secret_of(text: &str) -> Secret {
    Secret {
        id: "client--0".into(),
        client_id: "client".into(),
        hash: secret::hash(text),
        sealed: vec![],
        created_at: UnixTime(0),
    }
}

fn form(text: &str) -> Params {
    Params::parse(text.as_bytes()).unwrap()
}

fn header(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

#[test]
fn credentials_come_from_header_or_form_and_never_from_both() {
    let read = |header: Option<&str>, text: &str| credentials(header, &form(text));
    let by_form = read(None, "client_id=a&client_secret=b").unwrap();
    assert_eq!(
        (
            by_form.client_id.as_str(),
            by_form.secret.as_deref(),
            by_form.by_header
        ),
        ("a", Some("b"), false)
    );
    let by_header = read(Some(&header("a:b")), "client_id=a").unwrap();
    assert_eq!(
        (
            by_header.client_id.as_str(),
            by_header.secret.as_deref(),
            by_header.by_header
        ),
        ("a", Some("b"), true)
    );
    // form-encoded halves: colon, percent, plus and non-ASCII survive
    let odd = read(Some(&header("a%3Ab:p%25%2B+%C3%A9:x")), "").unwrap();
    assert_eq!(
        (odd.client_id.as_str(), odd.secret.as_deref()),
        ("a:b", Some("p%+ é:x"))
    );

    for (given, text, code) in [
        (None, "", Code::InvalidClient),
        (Some("Bearer x".to_owned()), "", Code::InvalidClient),
        (Some("Basic ???".to_owned()), "", Code::InvalidClient),
        (Some(header("no colon")), "", Code::InvalidClient),
        (Some(header(":secret")), "", Code::InvalidClient),
        (Some(header("a:b")), "client_secret=b", Code::InvalidRequest),
        (Some(header("a:b")), "client_id=other", Code::InvalidRequest),
        (None, "client_id=a&client_assertion=x", Code::InvalidClient),
    ] {
        assert_eq!(
            read(given.as_deref(), text).unwrap_err().code,
            code,
            "{given:?} {text}"
        );
    }
}

#[test]
fn only_the_right_proof_authenticates_and_refusals_are_all_alike() {
    let (confidential, public) = (client(|_| ()), client(|s| s.public = true));
    let secrets = [secret_of("one"), secret_of("two")];
    let attempt = |secret: Option<&str>, known: Option<(&Client, &[Secret])>| {
        let given = Credentials {
            client_id: "client".into(),
            secret: secret.map(str::to_owned),
            by_header: false,
        };
        authenticate(&given, known)
    };
    for right in ["one", "two"] {
        assert!(attempt(Some(right), Some((&confidential, &secrets))).is_ok());
    }
    assert!(attempt(None, Some((&public, &[]))).is_ok());
    for (secret, known) in [
        (Some("three"), Some((&confidential, &secrets[..]))),
        (Some("two"), Some((&confidential, &secrets[..1]))),
        (None, Some((&confidential, &secrets[..]))),
        (Some(""), Some((&confidential, &[][..]))),
        (Some("one"), Some((&public, &[][..]))),
        (Some("one"), None),
        (None, None),
    ] {
        let refusal = attempt(secret, known).unwrap_err();
        assert_eq!(
            (refusal.code, &*refusal.description),
            (Code::InvalidClient, "client authentication failed")
        );
    }
}

#[test]
fn grants_are_parsed_or_refused_by_their_code() {
    let machine = client(|s| s.flows = vec![Flow::ClientCredentials]);
    let web = client(|_| ());
    assert!(matches!(
        parse(&form("grant_type=authorization_code&code=c"), &web),
        Ok(Grant::Code { .. })
    ));
    assert!(matches!(
        parse(&form("grant_type=refresh_token&refresh_token=t"), &web),
        Ok(Grant::Refresh { .. })
    ));
    assert!(matches!(
        parse(&form("grant_type=client_credentials"), &machine),
        Ok(Grant::ClientCredentials { .. })
    ));
    for (text, client, code) in [
        ("", &web, Code::InvalidRequest),
        ("grant_type=", &web, Code::InvalidRequest),
        (
            "grant_type=password&username=a&password=b",
            &web,
            Code::UnsupportedGrantType,
        ),
        ("grant_type=authorization_code", &web, Code::InvalidRequest),
        ("grant_type=refresh_token", &web, Code::InvalidRequest),
        (
            "grant_type=authorization_code&code=a&code=b",
            &web,
            Code::InvalidRequest,
        ),
        ("grant_type=client_credentials", &web, Code::UnauthorizedClient),
        (
            "grant_type=authorization_code&code=c",
            &machine,
            Code::UnauthorizedClient,
        ),
        (
            "grant_type=refresh_token&refresh_token=t",
            &machine,
            Code::UnauthorizedClient,
        ),
    ] {
        assert_eq!(parse(&form(text), client).unwrap_err().code, code, "{text}");
    }
}

#[test]
fn a_code_is_good_only_for_the_request_it_came_from() {
    let verifier = "v".repeat(43);
    let code = |challenge: Option<String>, given: bool| code::Code {
        hash: vec![],
        client_id: "client".into(),
        user_sub: "sub".into(),
        origin_jti: "jti".into(),
        request: Json(code::Request {
            user_pool_id: "pool".into(),
            redirect_uri: "https://app/cb".into(),
            redirect_uri_given: given,
            code_challenge: challenge,
            session_hash: None,
            granted: Granted::default(),
            overrides: None,
        }),
        expires_at: UnixTime(0),
        consumed_at: None,
    };
    let registered = |settings: &mut Settings| settings.redirect_uris = vec!["https://app/cb".into()];
    let (mine, mut other) = (client(registered), client(registered));
    other.id = "other".into();
    let moved = client(|settings| settings.redirect_uris = vec!["https://app/elsewhere".into()]);
    let strict = client(|settings| {
        registered(settings);
        settings.require_pkce = true;
    });
    let public = client(|settings| {
        registered(settings);
        settings.public = true;
    });
    let check = |code: &code::Code, client: &Client, uri: Option<&str>, verifier: Option<&str>| {
        let shown = Shown {
            code: "code",
            redirect_uri: uri,
            verifier,
            resource: None,
        };
        check_code(code, client, &shown)
    };
    let with = Some(pkce::challenge(&verifier));
    let uri = Some("https://app/cb");
    let right = Some(verifier.as_str());
    assert!(check(&code(with.clone(), true), &mine, uri, right).is_ok());
    assert!(check(&code(with.clone(), true), &strict, uri, right).is_ok());
    assert!(check(&code(None, true), &mine, uri, None).is_ok());
    assert!(check(&code(None, false), &mine, None, None).is_ok());
    let wrong = "w".repeat(43);
    for (code, client, uri, verifier) in [
        (code(with.clone(), true), &other, uri, right),
        (code(with.clone(), true), &moved, uri, right),
        (code(with.clone(), true), &mine, Some("https://app/CB"), right),
        (code(with.clone(), true), &mine, None, right),
        (code(with.clone(), true), &mine, uri, None),
        (code(with.clone(), true), &mine, uri, Some(&wrong)),
        (code(with, true), &mine, uri, Some("short")),
        (code(None, true), &mine, uri, right),
        (code(None, true), &strict, uri, None),
        (code(None, true), &public, uri, None),
    ] {
        assert_eq!(
            check(&code, client, uri, verifier).unwrap_err().code,
            Code::InvalidGrant
        );
    }
}

#[test]
fn only_the_granted_resource_can_be_named_again() {
    for (asked, granted, good) in [
        (None, None, true),
        (None, Some("api"), true),
        (Some("api"), Some("api"), true),
        (Some("api"), None, false),
        (Some("api"), Some("other"), false),
        (Some("API"), Some("api"), false),
    ] {
        let checked = check_resource(asked, granted);
        assert_eq!(checked.is_ok(), good, "{asked:?} {granted:?}");
    }
}

#[test]
fn asking_narrows_scopes_and_never_widens_them() {
    let all = ["openid", "email", "api/read"].map(String::from);
    let refresh = |asked: Option<&str>, allowed: &[String]| live_scopes(asked, &all[..2], allowed);
    assert_eq!(refresh(None, &all).unwrap(), ["openid", "email"]);
    assert_eq!(refresh(Some("openid"), &all).unwrap(), ["openid"]);
    assert_eq!(
        refresh(None, &all[..1]).unwrap(),
        ["openid"],
        "what the client lost is gone"
    );
    assert_eq!(
        refresh(Some("offline_access"), &all).unwrap(),
        ["openid", "email"],
        "it asks for nothing"
    );
    for (asked, allowed) in [
        (Some("api/read"), &all[..]),
        (Some("openid email"), &all[..1]),
        (Some("openid"), &all[1..]),
        (None, &all[2..]),
        (None, &[]),
    ] {
        assert_eq!(
            refresh(asked, allowed).unwrap_err().code,
            Code::InvalidScope,
            "{asked:?} of {allowed:?}"
        );
    }
}
