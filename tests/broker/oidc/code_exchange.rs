//! Redeeming a code (RFC 6749 §4.1.3, RFC 7636 §4.6): once, by the client it was given to, as the request was.

use forebay::demo::{API, SPA_CLIENT, WEB_CLIENT};
use forebay::model::client::Flow;
use forebay::rules::pkce;

use crate::support::{
    Answer, SPA_CALLBACK, Stage, Tokens, VERIFIER, assert_refused, basic, claims, query_of,
};

const OTHER: &str = "anotherwebapp0000000000001";
const OTHER_SECRET: &str = "secret_of_another_web_app_of_the_pool_01";
const ELSEWHERE: &str = "http://127.0.0.1:9999/callback";

/// The answer without what differs from request to request.
fn shape(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| name != "x-amz-cognito-request-id");
    (answer.status, answer.body.clone(), headers)
}

#[actix_web::test]
async fn m050_unknown_foreign_changed_expired_and_spent_codes_are_one_answer() {
    let stage = Stage::new().await;
    let other = "w".repeat(43);
    let mut answers = vec![stage.exchange("no-such-code", &[]).await];
    answers.push(stage.exchange(&"x".repeat(5_000), &[]).await);
    for changes in [
        vec![("redirect_uri", ELSEWHERE)],
        vec![("redirect_uri", "")],
        vec![("code_verifier", "")],
        vec![("code_verifier", other.as_str())],
    ] {
        let code = stage.code_for("ada@acme.test", &[]).await;
        answers.push(stage.exchange(&code, &changes).await);
    }
    let code = stage.spa_code("ada@acme.test").await;
    answers.push(stage.exchange(&code, &[]).await);
    let code = stage.code_for("ada@acme.test", &[]).await;
    stage.clock.advance(300);
    answers.push(stage.exchange(&code, &[]).await);
    let code = stage.code_for("ada@acme.test", &[]).await;
    stage.exchange(&code, &[]).await.expect(200);
    answers.push(stage.exchange(&code, &[]).await);
    for answer in &answers {
        assert_refused(answer, 400, "invalid_grant");
        assert_eq!(shape(answer), shape(&answers[0]));
    }
}

#[actix_web::test]
async fn m051_the_redirect_uri_is_repeated_where_it_was_given() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| {
        settings.default_redirect_uri = Some(settings.redirect_uris[0].clone())
    });
    // Not given: absence and the right one are both good, another is not.
    for (given, status) in [
        ("", 200),
        ("http://127.0.0.1:8090/callback", 200),
        (ELSEWHERE, 400),
    ] {
        let code = stage.code_for("ada@acme.test", &[("redirect_uri", "")]).await;
        stage
            .exchange(&code, &[("redirect_uri", given)])
            .await
            .expect(status);
    }
    for given in [
        "",
        ELSEWHERE,
        "http://127.0.0.1:8090/callback/",
        "http://127.0.0.1:8090/callback?x=1",
    ] {
        let code = stage.code_for("ada@acme.test", &[]).await;
        let answer = stage.exchange(&code, &[("redirect_uri", given)]).await;
        assert_refused(&answer, 400, "invalid_grant");
    }
}

#[actix_web::test]
async fn m052_a_code_is_spent_once_and_on_every_node() {
    let stage = Stage::new().await;
    let code = stage.code_for("ada@acme.test", &[]).await;
    stage.exchange(&code, &[]).await.expect(200);
    let second = stage.second_node().await;
    let callback = "http://127.0.0.1:8090/callback";
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", callback),
        ("code_verifier", "w".repeat(43).leak()),
    ];
    let request = actix_web::test::TestRequest::post()
        .uri("/oauth2/token")
        .insert_header(("authorization", basic(WEB_CLIENT, forebay::demo::WEB_SECRET)))
        .set_form(fields);
    let answer = second.send(request).await;
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"));
}

#[actix_web::test]
async fn m053_a9_only_the_rightful_clients_replay_revokes_what_the_code_produced() {
    let stage = Stage::new().await;
    stage.another_client(OTHER, OTHER_SECRET);
    let code = stage.code_for("ada@acme.test", &[]).await;
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    let bystander = stage.tokens_for("ada@acme.test", &[]).await;
    let refresh = tokens.refresh.clone().unwrap();
    let wrong = "w".repeat(43);
    for changes in [
        vec![("code_verifier", wrong.as_str())],
        vec![("code_verifier", "")],
        vec![("redirect_uri", ELSEWHERE)],
        vec![("client_id", OTHER), ("client_secret", OTHER_SECRET)],
        vec![("client_id", SPA_CLIENT)],
    ] {
        let answer = stage.exchange(&code, &changes).await;
        assert_refused(&answer, 400, "invalid_grant");
        stage.userinfo(&tokens.access).await.expect(200);
        stage.refresh(&refresh).await.expect(200);
    }
    assert_refused(&stage.exchange(&code, &[]).await, 400, "invalid_grant");
    stage.userinfo(&tokens.access).await.expect(401);
    assert_refused(&stage.refresh(&refresh).await, 400, "invalid_grant");
    stage.userinfo(&bystander.access).await.expect(200);
    stage.refresh(&bystander.refresh.unwrap()).await.expect(200);
}

#[actix_web::test]
async fn m053_a_replay_after_the_codes_lifetime_still_revokes() {
    let stage = Stage::new().await;
    let code = stage.code_for("ada@acme.test", &[]).await;
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    stage.clock.advance(3_000);
    assert_refused(&stage.exchange(&code, &[]).await, 400, "invalid_grant");
    stage.userinfo(&tokens.access).await.expect(401);
}

#[actix_web::test]
async fn m054_m056_the_verifier_must_be_there_well_formed_and_right() {
    let stage = Stage::new().await;
    let challenge = pkce::challenge(VERIFIER);
    let (short, long) = ("v".repeat(42), "v".repeat(129));
    for verifier in [
        "",
        &short,
        &long,
        &VERIFIER.to_uppercase(),
        &format!("{VERIFIER}x"),
        &format!("{VERIFIER} "),
        &format!("{VERIFIER}\u{e9}"),
        challenge.as_str(),
    ] {
        let code = stage.spa_code("ada@acme.test").await;
        let changes = [
            ("client_id", SPA_CLIENT),
            ("redirect_uri", SPA_CALLBACK),
            ("code_verifier", verifier),
        ];
        assert_refused(&stage.exchange(&code, &changes).await, 400, "invalid_grant");
        // A guess was one: the code does not wait for the next.
        assert_refused(&stage.exchange(&code, &changes[..2]).await, 400, "invalid_grant");
    }
}

#[actix_web::test]
async fn m055_a4_a_challenge_that_was_stripped_on_the_way_is_noticed() {
    let stage = Stage::new().await;
    // The confidential client may do without PKCE; whoever sends a verifier did not mean to.
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let code = stage.code_for("ada@acme.test", &without).await;
    assert_refused(&stage.exchange(&code, &[]).await, 400, "invalid_grant");
    let code = stage.code_for("ada@acme.test", &without).await;
    stage.exchange(&code, &[("code_verifier", "")]).await.expect(200);
}

#[actix_web::test]
async fn m059_a_grant_without_openid_gives_no_id_token() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| settings.scopes.push(format!("{API}/read")));
    let code = stage
        .code_for("ada@acme.test", &[("scope", "demo-api/read")])
        .await;
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    assert_eq!(tokens.id, None);
    assert_eq!(claims(&tokens.access)["scope"], "demo-api/read");
    stage.userinfo(&tokens.access).await.expect(403);
}

#[actix_web::test]
async fn a1_a_code_is_no_good_to_anybody_else_and_stays_good_for_its_client() {
    let stage = Stage::new().await;
    stage.another_client(OTHER, OTHER_SECRET);
    stage.add_other_pool();
    let code = stage.code_for("ada@acme.test", &[]).await;
    for (changes, error) in [
        (
            vec![("client_id", OTHER), ("client_secret", OTHER_SECRET)],
            "invalid_grant",
        ),
        (vec![("client_id", SPA_CLIENT)], "invalid_grant"),
        (vec![("client_id", WEB_CLIENT)], "invalid_client"),
        (
            vec![("client_id", WEB_CLIENT), ("client_secret", OTHER_SECRET)],
            "invalid_client",
        ),
        (vec![("client_id", OTHER)], "invalid_client"),
        (
            vec![
                ("client_id", crate::support::OTHER_CLIENT),
                ("client_secret", crate::support::OTHER_SECRET),
            ],
            "invalid_grant",
        ),
    ] {
        assert_refused(&stage.exchange(&code, &changes).await, 400, error);
    }
    let fields = [("grant_type", "authorization_code"), ("code", code.as_str())];
    assert_refused(&stage.token(None, &fields).await, 400, "invalid_client");
    stage.exchange(&code, &[]).await.expect(200);
}

#[actix_web::test]
async fn a6_the_sub_follows_the_code_and_not_the_browser() {
    let stage = Stage::new().await;
    let (mut ada, mut grace) = (stage.browser(), stage.browser());
    let (to_ada, to_grace) = (
        ada.sign_in("ada@acme.test", &stage.authorize(&[("state", "a")]))
            .await,
        grace
            .sign_in("grace@acme.test", &stage.authorize(&[("state", "g")]))
            .await,
    );
    for (back, email) in [(to_grace, "grace@acme.test"), (to_ada, "ada@acme.test")] {
        let code = query_of(back.location(), "code").unwrap();
        let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
        assert_eq!(claims(tokens.id.as_deref().unwrap())["email"], email);
    }
}

#[actix_web::test]
async fn a7_what_the_client_may_do_is_decided_at_redemption() {
    let stage = Stage::new().await;
    let before = stage.act(|conn| {
        forebay::model::client::find(conn, WEB_CLIENT)
            .unwrap()
            .unwrap()
            .settings
            .0
    });
    let restore = || stage.change_web_client(|settings| settings.clone_from(&before));

    let code = stage.code_for("ada@acme.test", &[]).await;
    stage.change_web_client(|settings| settings.redirect_uris = vec![ELSEWHERE.replace("callback", "new")]);
    assert_refused(&stage.exchange(&code, &[]).await, 400, "invalid_grant");
    restore();

    let code = stage.code_for("ada@acme.test", &[]).await;
    stage.change_web_client(|settings| settings.flows = vec![Flow::Implicit]);
    assert_refused(&stage.exchange(&code, &[]).await, 400, "unauthorized_client");
    restore();

    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let code = stage.code_for("ada@acme.test", &without).await;
    stage.change_web_client(|settings| settings.require_pkce = true);
    assert_refused(
        &stage.exchange(&code, &[("code_verifier", "")]).await,
        400,
        "invalid_grant",
    );
    restore();

    let code = stage.code_for("ada@acme.test", &[]).await;
    stage.change_web_client(|settings| settings.scopes = vec!["openid".into()]);
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    assert_eq!(tokens.answer["scope"], "openid");
    assert_eq!(claims(&tokens.access)["scope"], "openid");
    restore();

    let code = stage.code_for("ada@acme.test", &[]).await;
    stage.change_web_client(|settings| settings.scopes = vec!["phone".into()]);
    assert_refused(&stage.exchange(&code, &[]).await, 400, "invalid_scope");
}

#[actix_web::test]
async fn m067_the_bound_resource_is_the_audience_and_no_other_can_be_named() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| settings.scopes.push(format!("{API}/read")));
    let bound = [("resource", API), ("scope", "openid demo-api/read")];
    for (named, status) in [("", 200), (API, 200), ("other-api", 400)] {
        let code = stage.code_for("ada@acme.test", &bound).await;
        let answer = stage.exchange(&code, &[("resource", named)]).await.expect(status);
        if status == 400 {
            assert_refused(&answer, 400, "invalid_target");
            continue;
        }
        let tokens = Tokens::of(&answer);
        let access = stage.verified(&tokens.access).await;
        assert_eq!(access["aud"], API);
        assert_eq!(access["scope"], "openid demo-api/read");
        assert_eq!(stage.verified(&tokens.id.unwrap()).await["aud"], WEB_CLIENT);
    }
    // Nothing was bound: nothing can be bound afterwards.
    let code = stage.code_for("ada@acme.test", &[]).await;
    assert_refused(
        &stage.exchange(&code, &[("resource", API)]).await,
        400,
        "invalid_target",
    );
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    assert_eq!(claims(&tokens.access)["aud"], stage.issuer());
}
