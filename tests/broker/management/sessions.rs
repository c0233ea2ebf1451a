//! A user's sessions and past sign-ins through the API.

use forebay::db::Json;
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::model::token::{self, Family, Granted};
use serde_json::{Value, json};

use super::{add, call, person, refusal};
use crate::support::{NOW, Stage};

const ADA: &str = "acme-okta_00u1ada000000000acme";

fn named(user: &str) -> Value {
    json!({ "UserPoolId": POOL, "Username": user })
}

async fn sessions(stage: &Stage, user: &str) -> Vec<Value> {
    let answer = call(stage, "AdminListUserSessions", named(user))
        .await
        .expect(200);
    answer.json()["Sessions"].as_array().unwrap().clone()
}

fn of_type<'a>(sessions: &'a [Value], kind: &str) -> Vec<&'a Value> {
    sessions
        .iter()
        .filter(|session| session["SessionType"] == kind)
        .collect()
}

async fn revoke(stage: &Stage, id: &Value, associated: &str) {
    let mut input = named(ADA);
    input["SessionId"] = id.clone();
    input["RevokeAssociatedSessions"] = json!(associated);
    let answer = call(stage, "AdminRevokeUserSession", input).await.expect(200);
    assert_eq!(answer.json(), json!({}));
}

#[actix_web::test]
async fn browsers_and_token_families_are_listed_and_ended_one_by_one() {
    let stage = Stage::new().await;
    let first = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    let second = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    let all = sessions(&stage, ADA).await;
    let (browsers, families) = (of_type(&all, "SSO"), of_type(&all, "TOKEN"));
    assert_eq!((browsers.len(), families.len()), (2, 2), "{all:?}");
    let form = regex::Regex::new("^(tkn|sso)[a-z0-9]{25}$").unwrap();
    for session in &all {
        assert!(form.is_match(session["SessionId"].as_str().unwrap()), "{session}");
        assert_eq!(session["CreateDate"], NOW.0);
    }
    for family in &families {
        assert_eq!(family["ClientId"], WEB_CLIENT);
        assert!(
            browsers
                .iter()
                .any(|browser| browser["SessionId"] == family["OriginSessionId"])
        );
    }
    // A token family alone.
    revoke(&stage, &families[0]["SessionId"], "NONE").await;
    let alive = [
        stage.refresh(&first).await.status,
        stage.refresh(&second).await.status,
    ];
    assert_eq!(
        alive.iter().filter(|status| **status == 200).count(),
        1,
        "{alive:?}"
    );
    let left = sessions(&stage, ADA).await;
    assert_eq!(
        (of_type(&left, "SSO").len(), of_type(&left, "TOKEN").len()),
        (2, 1)
    );
    // A browser with the tokens that came of it.
    let family = of_type(&left, "TOKEN")[0];
    revoke(&stage, &family["OriginSessionId"], "LINKED").await;
    let left = sessions(&stage, ADA).await;
    assert_eq!(
        (of_type(&left, "SSO").len(), of_type(&left, "TOKEN").len()),
        (1, 0)
    );
    for token in [&first, &second] {
        stage.refresh(token).await.expect(400);
    }
}

#[actix_web::test]
async fn a_browser_is_ended_without_its_tokens_or_by_them() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let back = browser.sign_in("ada@acme.test", &stage.authorize(&[])).await;
    let code = crate::support::query_of(back.location(), "code").unwrap();
    let refresh = crate::support::Tokens::of(&stage.exchange(&code, &[]).await.expect(200))
        .refresh
        .unwrap();
    let silent = stage.authorize(&[("prompt", "none")]);
    let all = sessions(&stage, ADA).await;
    revoke(&stage, &of_type(&all, "SSO")[0]["SessionId"], "NONE").await;
    assert!(browser.open(&silent).await.location().contains("login_required"));
    stage.refresh(&refresh).await.expect(200);
    // The other way round.
    let mut browser = stage.signed_in("ada@acme.test").await;
    let another = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    let all = sessions(&stage, ADA).await;
    for family in of_type(&all, "TOKEN") {
        revoke(&stage, &family["SessionId"], "LINKED").await;
    }
    stage.refresh(&another).await.expect(400);
    assert!(
        browser.open(&silent).await.location().contains("code="),
        "another browser's session"
    );
}

#[actix_web::test]
async fn a_session_that_is_not_the_users_is_not_found() {
    let stage = Stage::new().await;
    stage.tokens_for("ada@acme.test", &[]).await;
    add(&stage, &person(1, json!({})));
    for session in sessions(&stage, ADA).await {
        let mut input = named("person-0001");
        input["SessionId"] = session["SessionId"].clone();
        let answer = call(&stage, "AdminRevokeUserSession", input.clone()).await;
        assert_eq!(refusal(&answer).0, "ResourceNotFoundException");
        input["Username"] = json!(ADA);
        call(&stage, "AdminRevokeUserSession", input.clone())
            .await
            .expect(200);
        let answer = call(&stage, "AdminRevokeUserSession", input).await;
        assert_eq!(refusal(&answer).0, "ResourceNotFoundException", "a second time");
    }
    let mut input = named(ADA);
    input["SessionId"] = json!("sso");
    let answer = call(&stage, "AdminRevokeUserSession", input).await;
    assert_eq!(refusal(&answer).0, "InvalidParameterException");
}

#[actix_web::test]
async fn many_sessions_come_page_by_page() {
    let stage = Stage::new().await;
    let user = person(1, json!({}));
    add(&stage, &user);
    stage.act(|conn| {
        for number in 0..300 {
            let family = Family {
                origin_jti: format!("family-{number}"),
                user_pool_id: POOL.into(),
                client_id: WEB_CLIENT.into(),
                user_sub: user.sub.clone(),
                session_hash: None,
                granted: Json(Granted::default()),
                created_at: NOW.plus(number % 7),
                expires_at: NOW.plus(1000),
                revoked_at: None,
            };
            token::insert_family(conn, &family).unwrap();
        }
    });
    let (mut seen, mut token) = (Vec::new(), Value::Null);
    for expected in [125, 125, 50] {
        let mut input = named("person-0001");
        if token.is_string() {
            input["NextToken"] = token;
        }
        let page = call(&stage, "AdminListUserSessions", input)
            .await
            .expect(200)
            .json();
        let sessions = page["Sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), expected);
        seen.extend(sessions.iter().map(|session| session["SessionId"].to_string()));
        token = page["NextToken"].clone();
    }
    assert_eq!(token, Value::Null);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 300);
}

#[actix_web::test]
async fn past_sign_ins_are_listed_from_the_newest_on() {
    let stage = Stage::new().await;
    stage.tokens_for("ada@acme.test", &[]).await;
    stage.tokens_for("grace@acme.test", &[]).await;
    stage.clock.advance(60);
    call(&stage, "AdminDisableUser", named(ADA)).await.expect(200);
    stage
        .browser()
        .sign_in("ada@acme.test", &stage.authorize(&[]))
        .await;
    let mut input = named(ADA);
    input["MaxResults"] = json!(1);
    let first = call(&stage, "AdminListUserAuthEvents", input.clone())
        .await
        .expect(200)
        .json();
    assert_eq!(first["AuthEvents"][0]["EventResponse"], "Fail");
    assert_eq!(first["AuthEvents"][0]["EventType"], "SignIn");
    assert_eq!(first["AuthEvents"][0]["CreationDate"], NOW.0 + 60);
    input["NextToken"] = first["NextToken"].clone();
    let second = call(&stage, "AdminListUserAuthEvents", input)
        .await
        .expect(200)
        .json();
    assert_eq!(second["AuthEvents"].as_array().unwrap().len(), 1);
    assert_eq!(second["AuthEvents"][0]["EventResponse"], "Pass");
    assert_eq!(second.get("NextToken"), None);
    let code = second["AuthEvents"][0]["EventId"].as_str().unwrap();
    assert_eq!(stage.trace(code).cause, "signed_in");
}
