#![allow(clippy::unwrap_used)]

use super::*;
use crate::db::Json;
use crate::model::client::Settings;
use crate::model::resource_server::Scope;
use crate::world::UnixTime;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn client(change: impl FnOnce(&mut Settings)) -> Client {
    let mut settings = Settings {
        redirect_uris: vec!["https://app/cb".into()],
        scopes: ["openid", "email", "profile", "api/read", "other/read"]
            .map(String::from)
            .to_vec(),
        ..Settings::default()
    };
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

fn servers() -> Vec<ResourceServer> {
    ["api", "other", "https://res.example"]
        .into_iter()
        .map(|identifier| ResourceServer {
            user_pool_id: "pool".into(),
            identifier: identifier.into(),
            name: identifier.into(),
            scopes: Json(vec![Scope {
                name: "read".into(),
                description: String::new(),
            }]),
        })
        .collect()
}

fn ask(query: &str) -> Result<Authorization, AuthorizeError> {
    check(
        &Params::parse(query.as_bytes()).unwrap(),
        &client(|_| ()),
        &servers(),
    )
}

fn error_of(result: Result<Authorization, AuthorizeError>) -> String {
    match result {
        Ok(authorization) => panic!("was allowed: {authorization:?}"),
        Err(AuthorizeError::Page(why)) => format!("page {why:?}"),
        Err(AuthorizeError::Redirect { error, .. }) => error.code.as_str().to_owned(),
    }
}

#[test]
fn every_refusal_has_its_code() {
    let base = "client_id=client&redirect_uri=https://app/cb&response_type=code";
    for (query, expected) in [
        (
            "client_id=client&redirect_uri=https://app/CB&response_type=code".to_owned(),
            "page RedirectUriMismatch",
        ),
        (
            "client_id=client&redirect_uri=https://app/cb".to_owned(),
            "invalid_request",
        ),
        (
            "client_id=client&redirect_uri=https://app/cb&response_type=".to_owned(),
            "invalid_request",
        ),
        (
            "client_id=client&redirect_uri=https://app/cb&response_type=id_token".to_owned(),
            "unsupported_response_type",
        ),
        (
            "client_id=client&redirect_uri=https://app/cb&response_type=code+token".to_owned(),
            "unsupported_response_type",
        ),
        (
            "client_id=client&redirect_uri=https://app/cb&response_type=token".to_owned(),
            "unauthorized_client",
        ),
        (format!("{base}&state=1&state=1"), "invalid_request"),
        (format!("{base}&unknown=1&unknown=2"), "invalid_request"),
        (format!("{base}&response_mode=web_message"), "invalid_request"),
        (format!("{base}&request=x"), "request_not_supported"),
        (format!("{base}&request_uri=x"), "request_uri_not_supported"),
        (format!("{base}&registration=x"), "registration_not_supported"),
        (format!("{base}&code_challenge={CHALLENGE}"), "invalid_request"),
        (
            format!("{base}&code_challenge={CHALLENGE}&code_challenge_method=plain"),
            "invalid_request",
        ),
        (format!("{base}&code_challenge_method=S256"), "invalid_request"),
        (
            format!("{base}&code_challenge=short&code_challenge_method=S256"),
            "invalid_request",
        ),
        (format!("{base}&scope=openid+admin"), "invalid_scope"),
        (format!("{base}&scope=open%22id"), "invalid_scope"),
        (format!("{base}&scope=email"), "invalid_scope"),
        (format!("{base}&resource=https://unknown"), "invalid_target"),
        (
            format!("{base}&resource=https://res.example&resource=https://res.example"),
            "invalid_target",
        ),
        (format!("{base}&prompt=none+login"), "invalid_request"),
        (format!("{base}&prompt=create"), "invalid_request"),
        (format!("{base}&max_age=-1"), "invalid_request"),
        (format!("{base}&max_age=soon"), "invalid_request"),
        (format!("{base}&claims=x"), "invalid_request"),
        (format!("{base}&claims=[]"), "invalid_request"),
        (
            format!("{base}&claims={{\"id_token\":{{}},\"id_token\":{{}}}}"),
            "invalid_request",
        ),
        (
            format!("{base}&claims={{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40)),
            "invalid_request",
        ),
        (
            format!(
                "{base}&claims={{\"id_token\":{{\"sub\":{{\"value\":\"a\"}}}},\"userinfo\":{{\"sub\":{{\"value\":\"b\"}}}}}}"
            ),
            "invalid_request",
        ),
        (
            format!("{base}&state={}", "s".repeat(LONGEST_STATE + 1)),
            "invalid_request",
        ),
        (
            format!("{base}&nonce={}", "n".repeat(LONGEST_NONCE + 1)),
            "invalid_request",
        ),
    ] {
        assert_eq!(error_of(ask(&query)), expected, "{query}");
    }
}

#[test]
fn state_comes_back_with_every_error_and_nothing_is_cut() {
    let state = "x".repeat(LONGEST_STATE);
    let Err(AuthorizeError::Redirect {
        state: Some(returned),
        ..
    }) = ask(&format!(
        "redirect_uri=https://app/cb&response_type=nonsense&state={state}"
    ))
    else {
        panic!("no redirect")
    };
    assert_eq!(returned, state);
}

#[test]
fn the_redirect_uri_may_be_left_out_only_where_there_is_nothing_to_choose() {
    let given = |change: fn(&mut Settings)| {
        check(
            &Params::parse(b"response_type=code").unwrap(),
            &client(change),
            &[],
        )
        .map(|a| a.redirect_uri)
    };
    assert_eq!(given(|_| ()).unwrap(), "https://app/cb");
    let two = |settings: &mut Settings| settings.redirect_uris.push("https://app/two".into());
    assert_eq!(
        given(two),
        Err(AuthorizeError::Page(Untrusted::RedirectUriMissing))
    );
    let default = |settings: &mut Settings| {
        settings.redirect_uris.push("https://app/two".into());
        settings.default_redirect_uri = Some("https://app/two".into());
    };
    assert_eq!(given(default).unwrap(), "https://app/two");
    let none = |settings: &mut Settings| settings.redirect_uris.clear();
    assert_eq!(
        given(none),
        Err(AuthorizeError::Page(Untrusted::RedirectUriMissing))
    );
}

#[test]
fn public_clients_need_pkce_and_others_where_their_record_says_so() {
    let ask = |change: fn(&mut Settings), query: &str| {
        check(&Params::parse(query.as_bytes()).unwrap(), &client(change), &[])
    };
    let with = format!("response_type=code&code_challenge={CHALLENGE}&code_challenge_method=S256");
    for change in [(|s| s.public = true) as fn(&mut Settings), |s| {
        s.require_pkce = true
    }] {
        assert_eq!(error_of(ask(change, "response_type=code")), "invalid_request");
        assert_eq!(
            ask(change, &with).unwrap().code_challenge.as_deref(),
            Some(CHALLENGE)
        );
    }
    assert_eq!(ask(|_| (), "response_type=code").unwrap().code_challenge, None);
}

#[test]
fn scopes_are_all_of_the_clients_when_none_are_named_and_narrow_to_a_resource() {
    assert_eq!(ask("response_type=code").unwrap().scopes.len(), 5);
    assert_eq!(
        ask("response_type=code&scope=openid+openid+offline_access")
            .unwrap()
            .scopes,
        ["openid"]
    );
    assert_eq!(
        ask("response_type=code&scope=openid+api/read+other/read&resource=api")
            .unwrap()
            .scopes,
        ["openid", "api/read"]
    );
}

#[test]
fn tokens_go_by_fragment_or_form_and_never_by_query() {
    let implicit = client(|settings| settings.flows.push(Flow::Implicit));
    let ask = |query: &str| check(&Params::parse(query.as_bytes()).unwrap(), &implicit, &[]);
    assert_eq!(
        ask("response_type=token").unwrap().response_mode,
        ResponseMode::Fragment
    );
    assert_eq!(
        ask("response_type=token&response_mode=form_post")
            .unwrap()
            .response_mode,
        ResponseMode::FormPost
    );
    assert_eq!(
        error_of(ask("response_type=token&response_mode=query")),
        "invalid_request"
    );
    assert_eq!(
        ask("response_type=code&response_mode=fragment")
            .unwrap()
            .response_mode,
        ResponseMode::Fragment
    );
}

#[test]
fn the_claims_parameter_can_insist_on_a_sub() {
    let query = format!(
        "response_type=code&claims={}",
        r#"{"id_token":{"sub":{"value":"abc"}}}"#
    );
    assert_eq!(ask(&query).unwrap().required_sub.as_deref(), Some("abc"));
}
