//! What Okta says on the callback instead of giving a code: each error has its page, its trace, and the right error for
//! the app (C-R20; OIDC Core §3.1.2.6).

use forebay::demo::okta::{AuthorizeFault, Endpoint};

use super::{asked, attempt, back_to_app, explained, failing, link_with, refused, rows, signed_in};
use crate::support::{Form, Stage, links, query_of};

/// Okta's error and description, our cause, the app's error.
const ERRORS: &[(&str, &str, &str, &str)] = &[
    (
        "access_denied",
        "User is not assigned to the client application.",
        "user_not_assigned",
        "access_denied",
    ),
    (
        "access_denied",
        "Policy evaluation failed for this request, please check the policy configurations.",
        "policy_denied",
        "access_denied",
    ),
    (
        "access_denied",
        "The resource owner or authorization server denied the request.",
        "access_denied",
        "access_denied",
    ),
    (
        "access_denied",
        "Some of the requested scopes were denied by the policy. Denied scopes: [groups].",
        "scopes_denied",
        "access_denied",
    ),
    (
        "access_denied",
        "Policy evaluation succeeded, but all the requested scopes were rejected.",
        "scopes_denied",
        "access_denied",
    ),
    (
        "access_denied",
        "User canceled the social login request.",
        "sign_in_cancelled",
        "access_denied",
    ),
    (
        "access_denied",
        "The request is made from outside the client's permitted network zones.",
        "network_zone",
        "access_denied",
    ),
    (
        "access_denied",
        "Invalid session.",
        "session_invalid",
        "access_denied",
    ),
    (
        "access_denied",
        "The user's password is expired.",
        "password_expired",
        "access_denied",
    ),
    ("access_denied", "", "access_denied", "access_denied"),
    (
        "login_required",
        "The client specified not to prompt, but the user is not logged in.",
        "login_required",
        "login_required",
    ),
    (
        "login_required",
        "Request expired, please start over and try again.",
        "login_required",
        "login_required",
    ),
    ("interaction_required", "", "login_required", "login_required"),
    (
        "consent_required",
        "The following scopes require user consent: [x].",
        "consent_required",
        "consent_required",
    ),
    (
        "consent_required",
        "You are not allowed any of the requested scopes.",
        "invalid_scope",
        "server_error",
    ),
    (
        "invalid_scope",
        "One or more scopes are not configured for the authorization server resource.",
        "invalid_scope",
        "server_error",
    ),
    (
        "invalid_request",
        "PKCE code challenge is required by the application.",
        "pkce_refused",
        "server_error",
    ),
    (
        "invalid_request",
        "Identity provider is not valid.",
        "authorize_request_refused",
        "server_error",
    ),
    (
        "unsupported_response_type",
        "Nope.",
        "authorize_request_refused",
        "server_error",
    ),
    (
        "unauthorized_client",
        "This client cannot use a custom authorization server.",
        "client_not_allowed",
        "server_error",
    ),
    (
        "unmet_authentication_requirements",
        "Unable to meet the authentication requirements imposed by 'acr_values' parameter.",
        "acr_not_met",
        "unmet_authentication_requirements",
    ),
    (
        "server_error",
        "The groups claim matched too many groups and must be configured to match fewer groups.",
        "groups_overflow",
        "server_error",
    ),
    (
        "server_error",
        "The 'x' system claim could not be evaluated.",
        "claim_failed",
        "server_error",
    ),
    ("server_error", "", "provider_error", "temporarily_unavailable"),
    (
        "temporarily_unavailable",
        "Overload.",
        "provider_unavailable",
        "temporarily_unavailable",
    ),
    (
        "never_heard_of",
        "Something new.",
        "upstream_error",
        "server_error",
    ),
];

#[actix_web::test]
async fn cr20_each_of_oktas_errors_has_its_page_its_trace_and_the_right_error_for_the_app() {
    let stage = Stage::new().await;
    let before = rows(&stage);
    for (error, description, cause, downstream) in ERRORS {
        stage.acme.set_faults(|faults| {
            faults.authorize = vec![AuthorizeFault::Error {
                error: (*error).into(),
                description: (!description.is_empty()).then(|| (*description).into()),
            }];
        });
        stage.acme.forget_requests();
        let page = attempt(&stage, "ada@acme.test").await;
        let trace = refused(&stage, &page, cause, downstream);
        assert_eq!(failing(&trace), Some("callback"), "{error}: {description}");
        let seen = trace.story.steps.iter().find(|step| !step.passed).unwrap();
        assert!(seen.detail.starts_with(error), "{seen:?}");
        assert!(
            !asked(&stage.acme).contains(&Endpoint::Token),
            "{error}: {description}"
        );
        assert_eq!(rows(&stage), before);
        if !description.is_empty() {
            assert!(
                !page.shows(description),
                "Okta's words stay in the trace: {description}"
            );
        }
    }
}

#[actix_web::test]
async fn cr20_a_hostile_description_reaches_nobody() {
    let stage = Stage::new().await;
    let hostile = format!(
        "<script>alert(1)</script>\u{202e}\r\nSet-Cookie: a=b {}",
        "x".repeat(5_000)
    );
    stage.acme.set_faults(|faults| {
        faults.authorize = vec![AuthorizeFault::Error {
            error: "<img src=x onerror=alert(1)>".into(),
            description: Some(hostile.clone()),
        }];
    });
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "upstream_error", "server_error");
    assert!(!page.body.contains("alert(1)"), "{page:?}");
    assert!(!back_to_app(&page).unwrap().contains("alert"));
    let told = serde_json::to_string(&trace.story.0).unwrap();
    assert!(!told.contains('<') && !told.contains('\u{202e}'), "{told}");
    assert!(told.len() < 3_000, "{} bytes", told.len());
}

#[actix_web::test]
async fn somebody_who_is_not_assigned_can_sign_in_as_someone_else() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let page = browser.sign_in("linus@acme.test", &stage.authorize(&[])).await;
    let trace = refused(&stage, &page, "user_not_assigned", "access_denied");
    assert_eq!(page.status, 403, "a decision, not a failure");
    assert!(page.shows("Ask your administrator to assign you to this app"));
    assert!(trace.story.remedy.contains("Assignments"));
    let back = back_to_app(&page).unwrap();
    assert_eq!(
        query_of(&back, "error_description").as_deref(),
        Some("User is not assigned to the client application.")
    );

    // Okta's session would only answer the same again: the link makes it ask.
    let other = link_with(&page, "/oauth2/authorize", "prompt=login");
    assert_eq!(
        query_of(&other, "identity_provider").as_deref(),
        Some("acme-okta")
    );
    stage.acme.forget_requests();
    let sign_in = browser.visit(&other).await;
    assert!(
        browser.at_organisation() && sign_in.shows("password"),
        "{sign_in:?}"
    );
    let requests = stage.acme.requests();
    assert!(requests.iter().any(|seen| {
        seen.path.ends_with("/authorize") && seen.query.contains(&("prompt".into(), "login".into()))
    }));
    let back = browser.enter(&sign_in, "ada@acme.test").await;
    let id = signed_in(&stage, &back).await;
    assert_eq!(id["email"], "ada@acme.test");
    assert_eq!(id["nonce"], "no", "the app's request goes on as it was");
    assert_eq!(query_of(back.location(), "state").as_deref(), Some("st"));
}

#[actix_web::test]
async fn trying_again_sends_the_very_same_request() {
    let stage = Stage::new().await;
    stage.acme.set_faults(|faults| {
        faults.authorize = vec![AuthorizeFault::Error {
            error: "temporarily_unavailable".into(),
            description: None,
        }];
    });
    let url = stage.authorize(&[
        ("response_mode", "fragment"),
        ("max_age", "500"),
        ("identity_provider", "acme-okta"),
        ("redirect_uri", "http://127.0.0.1:9999/callback"),
    ]);
    let mut browser = stage.browser();
    let page = browser.sign_in("ada@acme.test", &url).await;
    explained(&stage, &page, "provider_unavailable");
    let again = link_with(&page, "/oauth2/authorize", "");
    let pairs = |url: &str| {
        let query = url.split_once('?').unwrap().1.to_owned();
        let mut pairs: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        pairs.sort();
        pairs
    };
    assert_eq!(pairs(&again), pairs(&url));
    stage.acme.set_faults(|faults| faults.authorize.clear());
    let back = browser.sign_in("ada@acme.test", &again).await.expect(302);
    assert!(
        back.location()
            .starts_with("http://127.0.0.1:9999/callback#code="),
        "{back:?}"
    );
}

#[actix_web::test]
async fn the_way_back_by_form_post_is_a_form_with_the_error() {
    let stage = Stage::new().await;
    let url = stage.authorize(&[("response_mode", "form_post")]);
    let page = stage.browser().sign_in("linus@acme.test", &url).await;
    explained(&stage, &page, "user_not_assigned");
    let form = Form::of(&page.body).unwrap();
    assert_eq!(form.action, "http://127.0.0.1:8090/callback");
    assert_eq!(form.method, "post");
    let field = |name: &str| {
        form.fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(field("error"), Some("access_denied"));
    assert_eq!(field("state"), Some("st"));
    assert_eq!(field("iss"), Some(stage.issuer().as_str()));
}

#[actix_web::test]
async fn cr16_a_callback_without_a_sound_state_reaches_no_app_and_asks_nobody() {
    let stage = Stage::new().await;
    let before = rows(&stage);
    for fault in [
        AuthorizeFault::StateMissing,
        AuthorizeFault::State(String::new()),
        AuthorizeFault::State("other".into()),
        AuthorizeFault::State("AAAAAAAAAAAAAAAAAAAAAA".into()),
        AuthorizeFault::State("x".repeat(5_000)),
        AuthorizeFault::StateTwice,
        AuthorizeFault::CodeTwice,
    ] {
        stage
            .acme
            .set_faults(|faults| faults.authorize = vec![fault.clone()]);
        stage.acme.forget_requests();
        let page = attempt(&stage, "ada@acme.test").await;
        let trace = explained(&stage, &page, "login_unknown");
        assert!(!trace.reached_provider, "anyone can make these");
        assert_eq!(
            trace.provider_id.as_deref(),
            Some("acme-okta"),
            "the path says which"
        );
        assert!(
            links(&page.body).iter().all(|href| !href.contains("callback")),
            "{fault:?}"
        );
        assert!(!asked(&stage.acme).contains(&Endpoint::Token), "{fault:?}");
        assert_eq!(rows(&stage), before);
    }
}

#[actix_web::test]
async fn cr16_a_callback_with_too_little_or_too_much_is_refused() {
    let stage = Stage::new().await;
    for (fault, cause, downstream, calls) in [
        (AuthorizeFault::CodeMissing, "callback_empty", "server_error", 0),
        (
            AuthorizeFault::Code(String::new()),
            "callback_empty",
            "server_error",
            0,
        ),
        (AuthorizeFault::CodeAndError, "access_denied", "access_denied", 0),
        (
            AuthorizeFault::Code("guessed".into()),
            "CODE_REJECTED",
            "access_denied",
            1,
        ),
        (
            AuthorizeFault::Unassigned,
            "user_not_assigned",
            "access_denied",
            0,
        ),
        (AuthorizeFault::PolicyFailed, "policy_denied", "access_denied", 0),
    ] {
        stage
            .acme
            .set_faults(|faults| faults.authorize = vec![fault.clone()]);
        stage.acme.forget_requests();
        let page = attempt(&stage, "ada@acme.test").await;
        refused(&stage, &page, cause, downstream);
        let tokens = asked(&stage.acme)
            .into_iter()
            .filter(|one| *one == Endpoint::Token)
            .count();
        assert_eq!(tokens, calls, "{fault:?}");
    }
    // Parameters that nobody knows do no harm.
    stage.acme.set_faults(|faults| {
        faults.authorize = vec![AuthorizeFault::Parameter("session_state".into(), "x".into())]
    });
    signed_in(&stage, &attempt(&stage, "ada@acme.test").await).await;
}

#[actix_web::test]
async fn m110_an_error_that_names_another_issuer_is_not_believed() {
    let stage = Stage::new().await;
    stage.acme.set_faults(|faults| {
        faults.authorize = vec![
            AuthorizeFault::Error {
                error: "access_denied".into(),
                description: None,
            },
            AuthorizeFault::Iss("https://evil.test".into()),
        ];
    });
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "CALLBACK_ISSUER_MISMATCH", "server_error");
    assert_eq!(failing(&trace), Some("callback.iss"));
}
