//! Things that were disabled or deleted while a sign-in or its tokens were half used: each object against each way to
//! use it, refused at once on this node, and within two seconds on every other.

use forebay::actions::{clients, pools, providers};
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::model::{provider, token, user};

use crate::support::{Stage, Tokens, assert_refused, claims};

/// What is taken away, and the errors that follow at code redemption, refresh and userInfo.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Gone {
    ClientDisabled,
    ClientDeleted,
    UserDisabled,
    UserDeleted,
    ConnectionDisabled,
    ConnectionDeleted,
    ConnectionTakenFromClient,
    PoolDeleted,
    FamiliesRevoked,
}

const ALL: [Gone; 9] = [
    Gone::ClientDisabled,
    Gone::ClientDeleted,
    Gone::UserDisabled,
    Gone::UserDeleted,
    Gone::ConnectionDisabled,
    Gone::ConnectionDeleted,
    Gone::ConnectionTakenFromClient,
    Gone::PoolDeleted,
    Gone::FamiliesRevoked,
];

fn take_away(stage: &Stage, what: Gone, sub: &str) {
    let ctx = stage.ctx();
    stage.act(|conn| match what {
        Gone::ClientDisabled => {
            let change = clients::ClientChange {
                enabled: Some(false),
                ..Default::default()
            };
            clients::update(conn, &ctx, WEB_CLIENT, change).unwrap();
        }
        Gone::ClientDeleted => drop(clients::delete(conn, &ctx, WEB_CLIENT).unwrap()),
        Gone::UserDisabled => {
            let mut row = user::find(conn, sub).unwrap().unwrap();
            row.enabled = false;
            user::update(conn, &row).unwrap();
        }
        Gone::UserDeleted => assert!(user::delete(conn, sub).unwrap()),
        Gone::ConnectionDisabled => {
            let mut row = provider::find(conn, "acme-okta").unwrap().unwrap();
            row.enabled = false;
            provider::update(conn, &row).unwrap();
        }
        Gone::ConnectionDeleted => drop(providers::delete(conn, &ctx, "acme-okta").unwrap()),
        Gone::ConnectionTakenFromClient => {
            let mut row = clients::find(conn, WEB_CLIENT).unwrap();
            row.settings.0.providers.retain(|name| name != "acme-okta");
            forebay::model::client::update(conn, &row).unwrap();
        }
        Gone::PoolDeleted => drop(pools::delete(conn, &ctx, POOL).unwrap()),
        Gone::FamiliesRevoked => assert!(token::revoke_of_user(conn, sub, ctx.now).unwrap() > 0),
    });
}

#[actix_web::test]
async fn a24_a25_a26_m074_what_is_gone_is_refused_at_once_everywhere() {
    for what in ALL {
        let stage = Stage::new().await;
        let tokens = stage.tokens_for("ada@acme.test", &[]).await;
        let bystander = stage.tokens_for("hank@globex.test", &[]).await;
        let code = stage.code_for("ada@acme.test", &[]).await;
        let sub = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
        let second = stage.second_node().await;
        take_away(&stage, what, &sub);

        let (refresh, access) = (tokens.refresh.as_deref().unwrap(), tokens.access.as_str());
        let (redeemed, refreshed) = (stage.exchange(&code, &[]).await, stage.refresh(refresh).await);
        match what {
            Gone::ClientDisabled | Gone::ClientDeleted | Gone::PoolDeleted => {
                assert_refused(&redeemed, 401, "invalid_client");
                assert_refused(&refreshed, 401, "invalid_client");
            }
            // A code from before a global sign-out is a new login's affair.
            Gone::FamiliesRevoked => assert_refused(&refreshed, 400, "invalid_grant"),
            _ => {
                assert_refused(&redeemed, 400, "invalid_grant");
                assert_refused(&refreshed, 400, "invalid_grant");
            }
        }
        let asked = stage.userinfo(access).await;
        assert_eq!(asked.status, 401, "{what:?}: {asked:?}");
        assert!(
            asked
                .header("www-authenticate")
                .unwrap()
                .contains("invalid_token"),
            "{what:?}"
        );
        // A node that had cached nothing of it yet
        assert_eq!(second.userinfo(access).await.status, 401, "{what:?}");
        assert_ne!(second.refresh(refresh).await.status, 200, "{what:?}");

        let others = matches!(
            what,
            Gone::UserDisabled
                | Gone::UserDeleted
                | Gone::ConnectionDisabled
                | Gone::ConnectionDeleted
                | Gone::ConnectionTakenFromClient
                | Gone::FamiliesRevoked
        );
        let expected = if others { 200 } else { 401 };
        stage.userinfo(&bystander.access).await.expect(expected);
    }
}

#[actix_web::test]
async fn a27_nothing_is_enabled_again_by_being_used() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let sub = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
    take_away(&stage, Gone::UserDisabled, &sub);
    let back = stage
        .browser()
        .sign_in("ada@acme.test", &stage.authorize(&[]))
        .await;
    assert!(
        !back.header("location").is_some_and(|to| to.contains("code=")),
        "{back:?}"
    );
    stage
        .refresh(tokens.refresh.as_deref().unwrap())
        .await
        .expect(400);
    assert!(!stage.act(|conn| user::find(conn, &sub).unwrap().unwrap().enabled));

    take_away(&stage, Gone::ClientDisabled, &sub);
    stage.exchange("x", &[]).await.expect(401);
    assert!(!stage.act(|conn| clients::find(conn, WEB_CLIENT).unwrap().enabled));
}

#[actix_web::test]
async fn what_was_disabled_and_is_enabled_again_works_again() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let refresh = tokens.refresh.as_deref().unwrap();
    stage.change_provider("acme-okta", |row| row.enabled = false);
    assert_refused(&stage.refresh(refresh).await, 400, "invalid_grant");
    stage.change_provider("acme-okta", |row| row.enabled = true);
    let fresh = Tokens::of(&stage.refresh(refresh).await.expect(200));
    stage.userinfo(&fresh.access).await.expect(200);
}

#[actix_web::test]
async fn another_node_that_had_it_in_its_cache_refuses_within_two_seconds() {
    for what in [Gone::ClientDisabled, Gone::ConnectionDisabled] {
        let stage = Stage::new().await;
        let tokens = stage.tokens_for("ada@acme.test", &[]).await;
        let (access, sub) = (tokens.access.as_str(), claims(&tokens.access)["sub"].to_string());
        let second = stage.second_node().await;
        assert_eq!(second.userinfo(access).await.status, 200);
        take_away(&stage, what, &sub);
        // Nobody tells it. A second of what it keeps, and the time that it takes to read it.
        stage.clock.advance(1);
        assert_eq!(second.userinfo(access).await.status, 401, "{what:?}");
        assert_ne!(
            second.refresh(tokens.refresh.as_deref().unwrap()).await.status,
            200
        );
    }
}
