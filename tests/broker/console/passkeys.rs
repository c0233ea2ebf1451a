//! Passkeys, with an authenticator in software.

use forebay::actions::admins::passkeys::{self, Answer as Shown, CHALLENGE_SECONDS};
use forebay::demo::OPERATOR;
use forebay::model::{admin_session, administrator, passkey};
use serde_json::Value;
use webauthn_rs::prelude::WebauthnBuilder;

use crate::support::{Answer, Authenticator, Browser, Form, Stage};

const ACCOUNT: &str = "/console/account/passkeys";
const SIGN_IN: &str = "/console/sign-in/passkey";
const PROVE: &str = "/console/prove/passkey";

/// The form as the page shows it, and the challenge that the script would fetch for it.
async fn challenge(browser: &mut Browser<'_>, page: &str, action: &str) -> (Form, Value) {
    let shown = browser.open(page).await.expect(200);
    let form = Form::to(&shown.body, action);
    let csrf = form
        .fields
        .iter()
        .find(|(name, _)| name == "csrf")
        .unwrap()
        .clone();
    let answer = browser
        .request("POST", &format!("{action}/challenge"), &[csrf])
        .await
        .expect(200);
    (form, answer.json())
}

async fn send(browser: &mut Browser<'_>, form: &Form, challenge: &Value, credential: &str) -> Answer {
    let token = challenge["challenge"].as_str().unwrap();
    browser
        .submit(
            form,
            &[
                ("challenge", token),
                ("credential", credential),
                ("passkey_name", "My key"),
            ],
        )
        .await
}

async fn register(browser: &mut Browser<'_>, key: &mut Authenticator) -> Answer {
    let (form, challenge) = challenge(browser, "/console/account", ACCOUNT).await;
    let options = &challenge["options"];
    assert_eq!(options["rp"]["id"], "localhost");
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    let credential = key.create(options);
    send(browser, &form, &challenge, &credential).await
}

async fn sign_in(browser: &mut Browser<'_>, key: &mut Authenticator) -> Answer {
    let (form, challenge) = challenge(browser, "/console/sign-in", SIGN_IN).await;
    let credential = key.get(&challenge["options"]);
    send(browser, &form, &challenge, &credential).await
}

#[actix_web::test]
async fn a_passkey_is_registered_signs_in_without_an_address_and_proves() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    let mut key = Authenticator::new(b"the first credential");
    let page = register(&mut browser, &mut key).await.expect(200);
    assert!(page.shows("Passkey added.") && page.shows("My key"), "{page:?}");

    let mut other = stage.browser();
    sign_in(&mut other, &mut key).await.expect(200);
    assert_eq!(other.url.path(), "/console");
    let account = other.open("/console/account").await.expect(200);
    assert!(account.shows(OPERATOR) && account.shows("Passkey"), "{account:?}");

    stage.clock.advance(10 * 60);
    let invite = "/console/administrators/invite";
    other.visit(invite).await.expect(200);
    let at = format!("{}?{}", other.url.path(), other.url.query().unwrap());
    let (form, asked) = challenge(&mut other, &at, PROVE).await;
    assert_eq!(asked["options"]["allowCredentials"].as_array().unwrap().len(), 1);
    let credential = key.get(&asked["options"]);
    let before = other.cookies();
    send(&mut other, &form, &asked, &credential).await.expect(200);
    assert_eq!(other.url.path(), invite);
    assert_ne!(other.cookies(), before);
}

#[actix_web::test]
async fn a_challenge_is_answered_once_in_time_and_for_its_own_purpose() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    let mut key = Authenticator::new(b"the first credential");
    register(&mut browser, &mut key).await.expect(200);

    let mut other = stage.browser();
    let (form, asked) = challenge(&mut other, "/console/sign-in", SIGN_IN).await;
    let credential = key.get(&asked["options"]);
    send(&mut other, &form, &asked, "{}").await.expect(422);
    send(&mut other, &form, &asked, &credential).await.expect(200);
    let mut again = stage.browser();
    let (form, _) = challenge(&mut again, "/console/sign-in", SIGN_IN).await;
    send(&mut again, &form, &asked, &credential).await.expect(422);

    let (form, late) = challenge(&mut again, "/console/sign-in", SIGN_IN).await;
    let credential = key.get(&late["options"]);
    stage.clock.advance(CHALLENGE_SECONDS);
    send(&mut again, &form, &late, &credential).await.expect(422);

    // A challenge for a proof signs nobody in.
    let (_, asked) = challenge(&mut browser, "/console/prove", PROVE).await;
    let credential = key.get(&asked["options"]);
    send(&mut again, &form, &asked, &credential).await.expect(422);
}

#[actix_web::test]
async fn copied_unverified_and_foreign_passkeys_are_refused() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    let mut key = Authenticator::new(b"the first credential");
    register(&mut browser, &mut key).await.expect(200);
    sign_in(&mut stage.browser(), &mut key).await.expect(200);
    // A copy says an older number.
    key.counter -= 1;
    sign_in(&mut stage.browser(), &mut key).await.expect(422);
    key.counter += 5;
    key.verifies = false;
    sign_in(&mut stage.browser(), &mut key).await.expect(422);
    key.verifies = true;
    sign_in(&mut stage.browser(), &mut key).await.expect(200);

    // Another key under the same credential id.
    let mut foreign = Authenticator::new(b"the first credential");
    let mut acme = stage.console("admin@acme.test");
    register(&mut acme, &mut foreign).await.expect(422);
    sign_in(&mut stage.browser(), &mut foreign).await.expect(422);
    // Nobody proves with a key that is not the own.
    let mut own = Authenticator::new(b"of the tenant's admin");
    register(&mut acme, &mut own).await.expect(200);
    let (form, asked) = challenge(&mut acme, "/console/prove", PROVE).await;
    let credential = key.get(&asked["options"]);
    send(&mut acme, &form, &asked, &credential).await.expect(422);
}

#[actix_web::test]
async fn an_unverified_registration_is_refused_and_a_removed_passkey_opens_nothing() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    let mut key = Authenticator::new(b"the first credential");
    key.verifies = false;
    register(&mut browser, &mut key).await.expect(422);
    key.verifies = true;
    register(&mut browser, &mut key).await.expect(200);
    let id = stage.act(|conn| {
        let who = administrator::find_by_email(conn, OPERATOR).unwrap().unwrap();
        passkey::of_administrator(conn, &who.id).unwrap()[0].id.clone()
    });
    let remove = format!("{ACCOUNT}/{id}/delete");
    // Not by somebody else.
    let mut acme = stage.console("admin@acme.test");
    let mut form = Form::to(&acme.open("/console").await.body, "/console/sign-out");
    form.action = remove.clone();
    acme.submit(&form, &[]).await.expect(404);
    let page = browser.open("/console/account").await.expect(200);
    browser
        .submit(&Form::to(&page.body, &remove), &[])
        .await
        .expect(200);
    sign_in(&mut stage.browser(), &mut key).await.expect(422);
}

#[actix_web::test]
async fn the_only_passkey_that_can_lift_only_through_okta_stays_while_it_holds() {
    let stage = Stage::new().await;
    let mut acme = stage.console("admin@acme.test");
    let mut key = Authenticator::new(b"the only credential");
    register(&mut acme, &mut key).await.expect(200);
    let id = stage.act(|conn| {
        use diesel::{ExpressionMethods, RunQueryDsl};
        use forebay::db::schema::administrators;
        let who = administrator::find_by_email(conn, "admin@acme.test")
            .unwrap()
            .unwrap();
        diesel::update(administrators::table)
            .set(administrators::password_hash.eq(None::<String>))
            .execute(conn)
            .unwrap();
        passkey::of_administrator(conn, &who.id).unwrap()[0].id.clone()
    });
    stage.enforce("acme", "acme-okta");
    let mut form = Form::to(&acme.open("/console").await.body, "/console/sign-out");
    form.action = format!("{ACCOUNT}/{id}/delete");
    let answer = acme.submit(&form, &[]).await.expect(422);
    assert!(answer.shows("acme enforces"), "{answer:?}");
    stage.act(|conn| forebay::model::enforcement::delete(conn, "acme").unwrap());
    acme.submit(&form, &[]).await.expect(200);
}

#[actix_web::test]
async fn a_disabled_administrators_passkey_opens_nothing_and_strangers_challenges_are_bounded() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    let mut key = Authenticator::new(b"the first credential");
    register(&mut browser, &mut key).await.expect(200);
    stage.act(|conn| {
        let row = administrator::find_by_email(conn, OPERATOR).unwrap().unwrap();
        assert!(administrator::set_enabled(conn, &row.id, false, row.updated_at).unwrap());
    });
    let mut other = stage.browser();
    sign_in(&mut other, &mut key).await.expect(422);
    let page = other.open("/console/sign-in").await;
    let csrf = Form::to(&page.body, SIGN_IN).fields[0].clone();
    let mut statuses = Vec::new();
    for _ in 0..40 {
        let answer = other
            .request(
                "POST",
                &format!("{SIGN_IN}/challenge"),
                std::slice::from_ref(&csrf),
            )
            .await;
        let wait = answer.header("retry-after").map(str::to_owned);
        statuses.push((answer.status, wait));
    }
    assert_eq!(statuses[0], (200, None));
    assert_eq!(statuses[39], (429, Some("60".into())));
}

#[actix_web::test]
async fn passkeys_are_not_offered_where_browsers_do_not_let_them_be() {
    let stage = Stage::at("http://192.0.2.1").await;
    let page = stage.get("/console/sign-in").await.expect(200);
    assert!(!page.body.contains("data-passkey"), "{page:?}");
}

#[actix_web::test]
async fn a_session_that_has_ended_registers_nothing() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    let mut key = Authenticator::new(b"the first credential");
    let origin = url::Url::parse(crate::support::PUBLIC_URL).unwrap();
    let webauthn = WebauthnBuilder::new("localhost", &origin)
        .unwrap()
        .build()
        .unwrap();
    let ctx = stage.ctx();
    for (ended, registered) in [(true, false), (false, true)] {
        let (_, asked) = challenge(&mut browser, "/console/account", ACCOUNT).await;
        let credential = key.create(&asked["options"]);
        let answer = Shown {
            challenge: asked["challenge"].as_str().unwrap().to_owned(),
            credential: serde_json::from_str(&credential).unwrap(),
        };
        let outcome = stage.act(|conn| {
            let who = administrator::find_by_email(conn, OPERATOR).unwrap().unwrap();
            let mut session = admin_session::of_administrator(conn, &who.id, ctx.now, ctx.now.plus(-1))
                .unwrap()
                .remove(0);
            if ended {
                session.hash = b"of a session that is gone".to_vec();
            }
            passkeys::register(conn, &ctx, &webauthn, &session, "key", &answer)
        });
        assert_eq!(matches!(outcome, Ok(true)), registered, "{outcome:?}");
    }
}
