//! Signing out at the organisation, too, where the connection asks for it (RP-Initiated Logout 1.0; okta.md "Logout").

use forebay::demo::WEB_CLIENT;
use forebay::demo::okta::{Endpoint, Transport, Trouble};
use forebay::model::session;

use super::{rows, signed_in};
use crate::support::{APP, Browser, PUBLIC_URL, Stage, query_of};

fn logout() -> String {
    format!("/logout?client_id={WEB_CLIENT}&logout_uri=http%3A%2F%2F127.0.0.1%3A8090")
}

/// Whether the organisation would let this browser in without asking.
async fn known_at_okta(browser: &mut Browser<'_>, stage: &Stage) -> bool {
    let url = stage.authorize(&[("identity_provider", "acme-okta")]);
    let answer = browser.visit(&url).await;
    !browser.at_organisation() && answer.status == 302
}

#[actix_web::test]
async fn the_organisations_session_ends_too_and_the_browser_comes_back_to_the_app() {
    let stage = Stage::new().await;
    stage.change_provider("acme-okta", |row| row.settings.upstream_logout = true);
    let mut browser = stage.browser();
    let back = browser.sign_in("ada@acme.test", &stage.authorize(&[])).await;
    signed_in(&stage, &back).await;
    assert!(known_at_okta(&mut browser, &stage).await);

    stage.acme.forget_requests();
    let away = browser.open(&logout()).await.expect(302);
    assert!(
        away.location()
            .starts_with(&format!("{}/oauth2/v1/logout?", stage.acme.issuer())),
        "{away:?}"
    );
    assert!(query_of(away.location(), "id_token_hint").is_some());
    assert_eq!(
        query_of(away.location(), "post_logout_redirect_uri"),
        Some(format!("{PUBLIC_URL}/logout/idpresponse/acme-okta"))
    );
    let home = browser.visit(away.location()).await.expect(302);
    assert_eq!(home.location(), APP);
    assert_eq!(browser.cookie("__Host-session-"), None);
    assert_eq!(browser.cookie("__Host-logout-"), None, "what led back is gone");
    assert!(
        !known_at_okta(&mut browser, &stage).await,
        "Okta asks for the password again"
    );
    // The way back works once, and leads nowhere for anybody else.
    let again = stage
        .browser()
        .visit(&format!("{PUBLIC_URL}/logout/idpresponse/acme-okta?state=x"))
        .await;
    assert_eq!((again.status, again.header("location")), (200, None));
}

#[actix_web::test]
async fn signing_out_reaches_the_organisation_long_after_the_session_stopped_signing_in() {
    let stage = Stage::new().await;
    stage.change_provider("acme-okta", |row| row.settings.upstream_logout = true);
    let mut browser = stage.browser();
    let back = browser.sign_in("ada@acme.test", &stage.authorize(&[])).await;
    signed_in(&stage, &back).await;
    stage.clock.advance(86_400);
    forebay::jobs::clean_up(&stage.broker).await.unwrap();
    let silent = browser.visit(&stage.authorize(&[("prompt", "none")])).await;
    assert_eq!(
        query_of(silent.location(), "error").as_deref(),
        Some("login_required"),
        "it signs nobody in any more"
    );
    let away = browser.open(&logout()).await.expect(302);
    assert!(
        away.location()
            .starts_with(&format!("{}/oauth2/v1/logout?", stage.acme.issuer())),
        "{away:?}"
    );

    let mut other = stage.browser();
    let back = other.sign_in("grace@acme.test", &stage.authorize(&[])).await;
    signed_in(&stage, &back).await;
    let (_, token) = other.cookie("__Host-session-").unwrap();
    stage.clock.advance(31 * 86_400);
    forebay::jobs::clean_up(&stage.broker).await.unwrap();
    let hash = forebay::rules::secret::hash(&token);
    let kept = stage.act(|conn| session::find_ended(conn, &hash).unwrap());
    assert_eq!(kept, None, "and not for ever");
}

#[actix_web::test]
async fn without_the_setting_the_organisations_session_lives_and_its_token_is_not_kept() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let back = browser.sign_in("ada@acme.test", &stage.authorize(&[])).await;
    signed_in(&stage, &back).await;
    let (_, token) = browser.cookie("__Host-session-").unwrap();
    let hash = forebay::rules::secret::hash(&token);
    let kept = stage.act(|conn| {
        session::find(conn, &hash, stage.broker.clock.now())
            .unwrap()
            .unwrap()
    });
    assert_eq!(kept.id_token_sealed, None);
    let home = browser.open(&logout()).await.expect(302);
    assert_eq!(home.location(), APP);
    assert!(known_at_okta(&mut browser, &stage).await);
}

#[actix_web::test]
async fn where_the_address_is_not_registered_the_user_stays_at_the_organisation() {
    let stage = Stage::new().await;
    stage.change_provider("acme-okta", |row| {
        row.settings.upstream_logout = true;
        row.settings.upstream_logout_return = false;
    });
    let mut browser = stage.browser();
    browser
        .sign_in("ada@acme.test", &stage.authorize(&[]))
        .await
        .expect(302);
    let away = browser.open(&logout()).await.expect(302);
    assert_eq!(query_of(away.location(), "post_logout_redirect_uri"), None);
    assert_eq!(query_of(away.location(), "state"), None);
    assert_eq!(
        browser.cookie("__Host-session-"),
        None,
        "ours is over in any case"
    );
}

#[actix_web::test]
async fn f22_signing_out_works_while_the_organisation_is_dead() {
    let stage = Stage::new().await;
    stage.change_provider("acme-okta", |row| row.settings.upstream_logout = true);
    let mut browser = stage.browser();
    browser
        .sign_in("ada@acme.test", &stage.authorize(&[]))
        .await
        .expect(302);
    stage.acme.set_faults(|faults| {
        let down = Transport::trouble(Trouble::ServerError);
        faults.transport = [(Endpoint::Discovery, down)].into();
    });
    let answer = browser.open(&logout()).await.expect(302);
    assert!(!answer.location().is_empty());
    assert_eq!(browser.cookie("__Host-session-"), None);
    let sessions = rows(&stage)
        .into_iter()
        .find(|(table, _)| *table == "sessions")
        .unwrap();
    assert_eq!(sessions.1, 0);
}
