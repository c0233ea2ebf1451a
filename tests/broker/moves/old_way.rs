//! What becomes of the old way: closed to whoever has moved, with what they had by it, and only where the new one is open.

use forebay::actions::identity_moves::{self, NewMove};
use forebay::actions::tenants;
use forebay::demo::{SPA_CLIENT, WEB_CLIENT};
use forebay::model::identity_move::IdentityMove;
use forebay::model::provider::Canary;
use forebay::model::reach::Reach;
use forebay::model::{audit, provider, tenant};

use super::{NEW, OLD, by, came_by, come, hire, new_move, signs_in, stage, start};
use crate::support::{Answer, SPA_CALLBACK, Stage, Tokens, assert_refused, claims, links, query_of};

/// Ada has moved; grace is in the move and has not come.
async fn ada_has_moved(stage: &Stage) -> IdentityMove {
    signs_in(stage, OLD, "ada@acme.test").await;
    signs_in(stage, OLD, "grace@acme.test").await;
    hire(stage, "00u9ada", "ada@acme.test", "Ada", "Lovelace");
    let (row, _) = start(stage, &new_move(by("email"), ""));
    signs_in(stage, NEW, "ada@acme.test").await;
    row
}

fn close(stage: &Stage, row: &IdentityMove) {
    let ctx = stage.ctx();
    stage.act(|conn| identity_moves::close(conn, &ctx, &Reach::everything(), &row.id).unwrap());
}

/// At the public client, which does not list the new connection.
async fn at_the_other_app(stage: &Stage, login: &str) -> Answer {
    let authorize = stage.authorize(&[
        ("client_id", SPA_CLIENT),
        ("redirect_uri", SPA_CALLBACK),
        ("identity_provider", OLD),
    ]);
    stage.browser().sign_in(login, &authorize).await
}

#[actix_web::test]
async fn at_an_app_without_the_new_connection_the_old_way_stays_open() {
    let stage = stage().await;
    let row = ada_has_moved(&stage).await;
    let lets_in = async |login: &str| {
        let back = at_the_other_app(&stage, login).await;
        query_of(back.header("location").unwrap_or("/"), "code").is_some()
    };
    let page = come(&stage, &mut stage.browser(), OLD, "ada@acme.test").await;
    assert!(page.shows("connection_moved"), "{page:?}");
    assert!(lets_in("ada@acme.test").await);
    close(&stage, &row);
    let page = come(&stage, &mut stage.browser(), OLD, "grace@acme.test").await;
    assert!(page.shows("connection_moved"), "{page:?}");
    assert!(lets_in("ada@acme.test").await && lets_in("grace@acme.test").await);
    stage.change_spa_client(|settings| settings.providers.push(NEW.into()));
    assert!(!lets_in("ada@acme.test").await && !lets_in("grace@acme.test").await);
    // One that only takes tokens is no way for a browser.
    stage.change_provider(NEW, |row| {
        row.settings.token_in = Some(provider::TokenIn {
            origins: vec!["https://host.acme.test".into()],
        })
    });
    assert!(lets_in("ada@acme.test").await && lets_in("grace@acme.test").await);
}

#[actix_web::test]
async fn a_tenant_that_does_not_admit_an_app_closes_nothing_there() {
    let stage = stage().await;
    // The pool's own connection is left to people of every tenant.
    let ctx = stage.ctx();
    stage.act(|conn| tenants::give_connection(conn, &ctx, OLD, None).unwrap());
    stage.change_spa_client(|settings| settings.providers.push(NEW.into()));
    ada_has_moved(&stage).await;
    let page = at_the_other_app(&stage, "ada@acme.test").await;
    assert!(page.shows("connection_moved"), "{page:?}");
    stage.act(|conn| {
        let mut row = tenant::find(conn, &Reach::everything(), "acme").unwrap().unwrap();
        row.settings.clients = vec![WEB_CLIENT.into()];
        tenant::update(conn, &row).unwrap().unwrap();
    });
    let back = at_the_other_app(&stage, "ada@acme.test").await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
}

#[actix_web::test]
async fn sessions_and_refresh_tokens_of_the_old_way_end_with_it() {
    let stage = stage().await;
    let authorize = stage.authorize(&[]);
    let mut browser = stage.signed_in("ada@acme.test").await;
    let ada = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    let grace = stage.tokens_for("grace@acme.test", &[]).await.refresh.unwrap();
    let elsewhere = stage.spa_tokens("ada@acme.test").await.refresh.unwrap();
    hire(&stage, "00u9ada", "ada@acme.test", "Ada", "Lovelace");
    let (row, _) = start(&stage, &new_move(by("email"), ""));
    stage.refresh(&ada).await.expect(200);
    let back = browser.open(&authorize).await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");

    signs_in(&stage, NEW, "ada@acme.test").await;
    assert_refused(&stage.refresh(&ada).await, 400, "invalid_grant");
    stage.refresh(&grace).await.expect(200);
    // An app that does not have the new way keeps what it has.
    stage.spa_refresh(&elsewhere).await.expect(200);
    let silent = browser.open(&stage.authorize(&[("prompt", "none")])).await;
    assert_eq!(
        query_of(silent.location(), "error").as_deref(),
        Some("access_denied")
    );
    let page = browser.open(&authorize).await;
    page.is_page(403, "connection_moved");
    let onward = links(&page.body)
        .into_iter()
        .find(|href| href.contains(&format!("identity_provider={NEW}")))
        .unwrap_or_else(|| panic!("{page:?}"));
    let back = browser.sign_in("ada@acme.test", &onward).await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");

    close(&stage, &row);
    assert_refused(&stage.refresh(&grace).await, 400, "invalid_grant");
    let ctx = stage.ctx();
    stage.act(|conn| identity_moves::undo(conn, &ctx, &Reach::everything(), &row.id).unwrap());
    stage.refresh(&grace).await.expect(200);
}

#[actix_web::test]
async fn undo_takes_back_whoever_came_before_the_new_issuer_changed() {
    let stage = stage().await;
    let row = ada_has_moved(&stage).await;
    stage.change_provider(NEW, |row| row.issuer = "https://acme.okta.com".into());
    let ctx = stage.ctx();
    stage.act(|conn| identity_moves::undo(conn, &ctx, &Reach::everything(), &row.id).unwrap());
    let ada = signs_in(&stage, OLD, "ada@acme.test").await;
    assert_eq!(came_by(&ada), [OLD]);
    let log = stage.act(|conn| audit::of_target(conn, "acme", 20).unwrap());
    let undone = log
        .iter()
        .find(|event| event.action == "tenant.move_undo")
        .unwrap();
    assert_eq!(undone.difference["taken_back"], 1);
}

#[actix_web::test]
async fn an_app_that_insists_on_somebody_gets_them_by_their_new_connection() {
    let stage = stage().await;
    let ada = stage.tokens_for("ada@acme.test", &[]).await;
    stage.tokens_for("grace@acme.test", &[]).await;
    hire(&stage, "00u9ada", "ada@acme.test", "Ada", "Lovelace");
    hire(&stage, "00u9grace", "grace@acme.test", "Grace", "Hopper");
    hire(&stage, "00u9new", "newcomer@acme.test", "New", "Comer");
    start(&stage, &new_move(by("email"), ""));
    let hint = ada.id.unwrap();
    let authorize = stage.authorize(&[
        ("identity_provider", NEW),
        ("prompt", "login"),
        ("id_token_hint", &hint),
    ]);
    for other in ["grace@acme.test", "newcomer@acme.test"] {
        let page = stage.browser().sign_in(other, &authorize).await;
        page.is_page(403, "other_user");
    }
    let back = stage.browser().sign_in("ada@acme.test", &authorize).await;
    let code = query_of(back.location(), "code").unwrap_or_else(|| panic!("no code: {back:?}"));
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    let after = claims(&tokens.id.unwrap());
    assert_eq!(after["sub"], claims(&hint)["sub"]);
    assert_eq!(came_by(&after), [OLD, NEW]);
}

/// What the button of the page about the move says is the connection, and whether it leads into the app.
async fn leads_on(stage: &Stage, from: &str) -> (Option<String>, bool) {
    let mut browser = stage.browser();
    let page = come(stage, &mut browser, from, "ada@acme.test").await;
    page.is_page(403, "connection_moved");
    let onward = links(&page.body)
        .into_iter()
        .find(|href| href.contains("/oauth2/authorize"))
        .unwrap_or_else(|| panic!("{page:?}"));
    let back = browser.sign_in("ada@acme.test", &onward).await;
    let code = query_of(back.header("location").unwrap_or("/"), "code");
    (query_of(&onward, "identity_provider"), code.is_some())
}

#[actix_web::test]
async fn the_page_leads_to_the_new_way_also_where_that_is_the_old_ones_canary() {
    let stage = stage().await;
    ada_has_moved(&stage).await;
    // It takes nobody whom we know of, and the app has it under its own name.
    stage.change_provider(OLD, |row| {
        row.settings.canary = Some(Canary {
            to: NEW.into(),
            people: vec!["somebody@acme.test".into()],
            ..Canary::default()
        })
    });
    assert_eq!(leads_on(&stage, OLD).await, (Some(NEW.into()), true));
}

#[actix_web::test]
async fn the_page_leads_to_a_promoted_canary_by_the_name_that_the_app_has_for_it() {
    let stage = stage().await;
    let ctx = stage.ctx();
    let google = "globex-okta";
    stage.act(|conn| tenants::give_connection(conn, &ctx, google, None).unwrap());
    hire(&stage, "00u9ada", "ada@acme.test", "Ada", "Lovelace");
    let google_app = stage.act(|conn| provider::find(conn, google).unwrap());
    let google_app = google_app.unwrap().settings.0.client_id;
    stage
        .globex
        .change_app(&google_app, |app| app.assigned.push("ada@acme.test".into()));
    let before = signs_in(&stage, google, "ada@acme.test").await;
    stage.change_web_client(|settings| settings.providers.retain(|name| name != NEW));
    stage.change_provider(OLD, |row| {
        row.settings.canary = Some(Canary {
            to: NEW.into(),
            promoted: true,
            ..Canary::default()
        })
    });
    let from_google = NewMove {
        from: google.into(),
        ..new_move(by("email"), "")
    };
    start(&stage, &from_google);
    let after = signs_in(&stage, OLD, "ada@acme.test").await;
    assert_eq!(
        (came_by(&after), &after["sub"]),
        (vec![google, NEW], &before["sub"])
    );
    assert_eq!(leads_on(&stage, google).await, (Some(OLD.into()), true));
}
