//! A second connection that some people are sent to: where it would leave them with two accounts it is refused or told, and
//! their sessions count as the connection's whose canary it is.

use forebay::actions::tenants;
use forebay::actions::{canaries, tenant_domains};
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::error::Error;
use forebay::model::provider::Canary;
use forebay::model::reach::Reach;
use forebay::model::tenant::Linking;
use forebay::model::{audit, user};
use serde_json::{Value, json};

use crate::moves::{
    ADMIN, NEW, OLD, came_by, hire, maps_no_names, recognise, signs_in, signs_in_hinted, stage,
};
use crate::oidc::led::{Led, ask};
use crate::support::{Browser, Stage, Tokens, claims, query_of};

const ADA: &str = "ada@acme.test";

/// Ada is sent to the second connection, which no app offers.
fn takes_ada(stage: &Stage) -> Result<(), Error> {
    stage.change_web_client(|settings| settings.providers.retain(|name| name != NEW));
    let ctx = stage.ctx();
    let canary = Canary {
        to: NEW.into(),
        people: vec![ADA.into()],
        ..Canary::default()
    };
    stage.act(|conn| canaries::set(conn, &ctx, &Reach::everything(), OLD, canary).map(drop))
}

/// A canary with Ada in it, who is there, too, and is recognised by her address.
async fn canary() -> Stage {
    let stage = stage().await;
    recognise(&stage);
    hire(&stage, "00u9ada", ADA, "Ada", "Lovelace");
    takes_ada(&stage).unwrap();
    stage
}

/// Signed in by the second connection.
async fn ada_of<'a>(stage: &'a Stage) -> (Browser<'a>, Tokens) {
    let authorize = stage.authorize(&[("identity_provider", OLD), ("login_hint", ADA)]);
    let mut ada = stage.browser();
    let back = ada.sign_in(ADA, &authorize).await;
    let code = query_of(back.location(), "code").unwrap_or_else(|| panic!("no code: {back:?}"));
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    assert!(came_by(&claims(tokens.id.as_deref().unwrap())).contains(&NEW));
    (ada, tokens)
}

#[actix_web::test]
async fn a_session_by_the_second_connection_is_one_of_the_first() {
    let stage = canary().await;
    let (mut ada, _) = ada_of(&stage).await;
    let silent = [("identity_provider", OLD), ("prompt", "none")];
    assert_eq!(ask(&stage, &mut ada, &silent).await, Led::Code);
    let hinted = [("login_hint", ADA)];
    assert_eq!(ask(&stage, &mut ada, &hinted).await, Led::Code);
    let both = [("login_hint", ADA), ("prompt", "none")];
    assert_eq!(ask(&stage, &mut ada, &both).await, Led::Code);
    // A tile of the first does not ask her whether she is herself: it goes where she comes from.
    let start = format!("/start-login?connection={OLD}&client_id={WEB_CLIENT}");
    ada.open(&start).await.expect(302);
    assert_eq!(ask(&stage, &mut ada, &hinted).await, Led::Organisation("globex"));
    // Other connections' it is not.
    let others = [("identity_provider", "globex-okta"), ("prompt", "none")];
    assert_eq!(
        ask(&stage, &mut ada, &others).await,
        Led::Error("login_required".into())
    );
}

#[actix_web::test]
async fn who_is_asked_whom_to_go_on_as_is_led_back_by_the_first_connections_name() {
    let stage = canary().await;
    let (mut ada, _) = ada_of(&stage).await;
    let start = format!("/start-login?connection=globex-okta&client_id={WEB_CLIENT}");
    ada.open(&start).await.expect(302);
    let page = ada.open(&stage.authorize(&[("prompt", "login")])).await;
    page.is_page(200, "Signed in as");
    assert!(
        page.body.contains(&format!("identity_provider={OLD}")),
        "{page:?}"
    );
    assert!(
        !page.body.contains(&format!("identity_provider={NEW}")),
        "{page:?}"
    );
}

#[actix_web::test]
async fn there_is_none_where_it_would_leave_second_accounts() {
    let stage = stage().await;
    let refused = |why: &str| {
        let said = takes_ada(&stage).unwrap_err().to_string();
        assert!(
            said.contains("second accounts") && said.contains(why),
            "{why}: {said}"
        );
    };
    refused("not recognised by address");
    recognise(&stage);
    let ctx = stage.ctx();
    let all = Reach::everything();
    stage.act(|conn| tenant_domains::remove(conn, &ctx, &all, "acme", "acme.test").unwrap());
    refused("none of its domains is proven");
    stage.act(|conn| {
        tenant_domains::claim(conn, &ctx, &all, "acme", "acme.test", false).unwrap();
        tenant_domains::assert(conn, &ctx, &all, "acme", "acme.test").unwrap();
    });
    maps_no_names(&stage, NEW);
    refused("given_name and family_name, or name");
    // Unless a number tells people apart.
    let linking = Linking {
        email: true,
        attribute: Some("custom:department".into()),
    };
    stage.act(|conn| tenants::set_linking(conn, &ctx, &all, "acme", linking).unwrap());
    takes_ada(&stage).unwrap();
}

#[actix_web::test]
async fn people_go_on_being_recognised_for_as_long_as_there_is_one() {
    let stage = canary().await;
    let ctx = stage.ctx();
    let all = Reach::everything();
    let off = |stage: &Stage| {
        stage.act(|conn| tenants::set_linking(conn, &ctx, &all, "acme", Linking::default()).map(drop))
    };
    let refused = off(&stage).unwrap_err().to_string();
    assert!(
        refused.contains(OLD) && refused.contains("ended first"),
        "{refused}"
    );
    stage.act(|conn| canaries::abort(conn, &ctx, &all, OLD).unwrap());
    off(&stage).unwrap();
}

fn stopped(stage: &Stage, sub: &Value) -> Vec<String> {
    let log = stage.act(|conn| audit::of_target(conn, sub.as_str().unwrap(), 20).unwrap());
    let stopped = log.iter().filter(|event| event.action == "user.link_stopped");
    stopped
        .map(|event| event.difference["why"].as_str().unwrap().to_owned())
        .collect()
}

#[actix_web::test]
async fn who_is_somebody_else_by_name_gets_an_account_of_their_own_and_the_page_tells() {
    let stage = canary().await;
    let before = signs_in(&stage, OLD, ADA).await;
    stage
        .globex
        .change_person(ADA, |person| person.given_name = "Adele".into());
    let path = format!("/console/connections/{OLD}/canary");
    let mut admin = stage.console(ADMIN);
    let page = admin.open(&path).await.expect(200);
    assert!(!page.shows("got an account of their own"), "{page:?}");
    let there = signs_in_hinted(&stage, ADA).await;
    assert_ne!(there["sub"], before["sub"]);
    assert_eq!(came_by(&there), [NEW]);
    let page = admin.open(&path).await.expect(200);
    assert!(page.shows("1 got an account of their own there"), "{page:?}");
    assert_eq!(stopped(&stage, &before["sub"]), ["given_name is another one"]);
    // Once: they are known from then on.
    signs_in_hinted(&stage, ADA).await;
    assert_eq!(stopped(&stage, &before["sub"]).len(), 1);
}

#[actix_web::test]
async fn an_address_that_is_not_vouched_for_there_leads_to_nobody() {
    let stage = canary().await;
    let before = signs_in(&stage, OLD, ADA).await;
    stage.globex.change_person(ADA, |person| {
        person.profile.insert("email_verified".into(), json!(false));
    });
    let there = signs_in_hinted(&stage, ADA).await;
    assert_ne!(there["sub"], before["sub"]);
    assert_eq!(stopped(&stage, &before["sub"]), [""; 0], "it led nowhere");
}

#[actix_web::test]
async fn an_aborted_one_ends_what_came_by_it_and_nobody_is_lost() {
    let stage = canary().await;
    let (mut ada, tokens) = ada_of(&stage).await;
    let sub = claims(tokens.id.as_deref().unwrap())["sub"].clone();
    let refresh = tokens.refresh.unwrap();
    let tokens = Tokens::of(&stage.refresh(&refresh).await.expect(200));
    let refresh = tokens.refresh.unwrap_or(refresh);
    let users = || stage.act(|conn| user::count_up_to(conn, POOL, 100).unwrap());
    let before = users();
    let ctx = stage.ctx();
    stage.act(|conn| canaries::abort(conn, &ctx, &Reach::everything(), OLD).unwrap());
    // The app does not offer that connection, and now nothing leads to it.
    assert_eq!(stage.refresh(&refresh).await.expect(400).error(), "invalid_grant");
    let silent = [("prompt", "none")];
    assert_eq!(
        ask(&stage, &mut ada, &silent).await,
        Led::Error("login_required".into())
    );
    let again = signs_in_hinted(&stage, ADA).await;
    assert_eq!(again["sub"], sub);
    assert_eq!(came_by(&again), [NEW, OLD]);
    assert_eq!(users(), before, "no twin");
}
