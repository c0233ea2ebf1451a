//! Refreshing (RFC 6749 §6, OIDC Core §12): what stays, what is new, what is checked again.

use forebay::demo::{API, SPA_CLIENT, WEB_CLIENT};
use forebay::model::{group, token, user};
use forebay::rules::secret;

use crate::support::{NOW, Stage, Tokens, assert_refused, basic, claims};

const OTHER: &str = "anotherwebapp0000000000001";
const OTHER_SECRET: &str = "secret_of_another_web_app_of_the_pool_01";

fn request<'a>(token: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    fields.extend_from_slice(more);
    fields
}

#[actix_web::test]
async fn m069_a8_a_refresh_token_is_bound_to_its_client() {
    let stage = Stage::new().await;
    stage.another_client(OTHER, OTHER_SECRET);
    stage.add_other_pool();
    let web = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    let spa = stage.spa_tokens("ada@acme.test").await.refresh.unwrap();
    let (id, secret) = (("client_id", OTHER), ("client_secret", OTHER_SECRET));
    let header = basic(OTHER, OTHER_SECRET);
    let other_pool = basic(crate::support::OTHER_CLIENT, crate::support::OTHER_SECRET);
    for answer in [
        stage.token(Some(&header), &request(&web, &[])).await,
        stage.token(None, &request(&web, &[id, secret])).await,
        stage
            .token(None, &request(&web, &[("client_id", SPA_CLIENT)]))
            .await,
        stage.token(Some(&other_pool), &request(&web, &[])).await,
        stage.as_web(&request(&spa, &[])).await,
        stage.token(Some(&header), &request(&spa, &[])).await,
    ] {
        assert_refused(&answer, 400, "invalid_grant");
    }
    // Their failures did the families no harm.
    stage.refresh(&web).await.expect(200);
    stage.spa_refresh(&spa).await.expect(200);
}

#[actix_web::test]
async fn m070_scopes_can_be_narrowed_for_once_and_never_widened() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| settings.scopes.push(format!("{API}/read")));
    let refresh = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    for (asked, granted) in [
        ("", "openid email profile"),
        ("openid email", "openid email"),
        ("email openid email", "email openid"),
        ("offline_access openid", "openid"),
        // The narrowed ones were of one access token, not of the grant.
        ("", "openid email profile"),
    ] {
        let tokens = Tokens::of(
            &stage
                .as_web(&request(&refresh, &[("scope", asked)]))
                .await
                .expect(200),
        );
        assert_eq!(tokens.answer["scope"], granted, "{asked}");
        assert_eq!(claims(&tokens.access)["scope"], granted);
        assert!(tokens.id.is_some());
    }
    let without_openid = stage
        .as_web(&request(&refresh, &[("scope", "email")]))
        .await
        .expect(200);
    assert_eq!(Tokens::of(&without_openid).id, None);
    for asked in [
        "openid phone",
        "phone",
        "demo-api/read",
        "openid\temail",
        "OPENID",
        "nonsense",
    ] {
        let answer = stage.as_web(&request(&refresh, &[("scope", asked)])).await;
        assert_refused(&answer, 400, "invalid_scope");
    }
}

#[actix_web::test]
async fn m070_a_rotated_token_keeps_the_scopes_of_the_grant() {
    let stage = Stage::new().await;
    let first = stage.spa_tokens("ada@acme.test").await.refresh.unwrap();
    let narrow = request(&first, &[("client_id", SPA_CLIENT), ("scope", "openid")]);
    let second = Tokens::of(&stage.token(None, &narrow).await.expect(200));
    assert_eq!(second.answer["scope"], "openid");
    let third = Tokens::of(&stage.spa_refresh(&second.refresh.unwrap()).await.expect(200));
    assert_eq!(third.answer["scope"], "openid email profile");
}

#[actix_web::test]
async fn m067_the_resource_stays_bound_and_only_it_can_be_named() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| settings.scopes.push(format!("{API}/read")));
    let bound = [("resource", API), ("scope", "openid demo-api/read")];
    let refresh = stage.tokens_for("ada@acme.test", &bound).await.refresh.unwrap();
    for named in [&[][..], &[("resource", API)]] {
        let tokens = Tokens::of(&stage.as_web(&request(&refresh, named)).await.expect(200));
        assert_eq!(claims(&tokens.access)["aud"], API);
    }
    let answer = stage
        .as_web(&request(&refresh, &[("resource", "https://elsewhere")]))
        .await;
    assert_refused(&answer, 400, "invalid_target");
    let unbound = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    let answer = stage.as_web(&request(&unbound, &[("resource", API)])).await;
    assert_refused(&answer, 400, "invalid_target");
}

#[actix_web::test]
async fn m073_a_refresh_token_ends_with_its_lifetime_and_rotation_does_not_move_it() {
    let stage = Stage::new().await;
    let month = 30 * 86_400;
    let web = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    let mut spa = stage.spa_tokens("ada@acme.test").await.refresh.unwrap();
    for _ in 0..3 {
        stage.clock.advance(month / 4);
        spa = Tokens::of(&stage.spa_refresh(&spa).await.expect(200))
            .refresh
            .unwrap();
        stage.refresh(&web).await.expect(200);
    }
    stage.clock.advance(month / 4 - 1);
    spa = Tokens::of(&stage.spa_refresh(&spa).await.expect(200))
        .refresh
        .unwrap();
    stage.refresh(&web).await.expect(200);
    stage.clock.advance(1);
    assert_refused(&stage.spa_refresh(&spa).await, 400, "invalid_grant");
    assert_refused(&stage.refresh(&web).await, 400, "invalid_grant");
}

#[actix_web::test]
async fn m074_scopes_that_the_client_lost_are_gone_at_the_next_refresh() {
    let stage = Stage::new().await;
    let refresh = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    stage.change_web_client(|settings| settings.scopes.retain(|scope| scope != "email"));
    let tokens = Tokens::of(&stage.refresh(&refresh).await.expect(200));
    assert_eq!(tokens.answer["scope"], "openid profile");
    assert!(claims(tokens.id.as_deref().unwrap()).get("email").is_none());
    let answer = stage
        .as_web(&request(&refresh, &[("scope", "openid email")]))
        .await;
    assert_refused(&answer, 400, "invalid_scope");
    stage.change_web_client(|settings| settings.scopes = vec!["phone".into()]);
    assert_refused(&stage.refresh(&refresh).await, 400, "invalid_scope");
}

#[actix_web::test]
async fn m075_the_refreshed_id_token_is_of_the_same_sign_in() {
    let stage = Stage::new().await;
    let first = stage.tokens_for("ada@acme.test", &[("max_age", "3600")]).await;
    stage.clock.advance(1_234);
    let second = Tokens::of(&stage.refresh(first.refresh.as_deref().unwrap()).await.expect(200));
    let (old_id, new_id) = (
        stage.verified(first.id.as_deref().unwrap()).await,
        stage.verified(second.id.as_deref().unwrap()).await,
    );
    let (old_access, new_access) = (claims(&first.access), claims(&second.access));
    for name in [
        "iss",
        "sub",
        "aud",
        "auth_time",
        "nonce",
        "origin_jti",
        "event_id",
        "identities",
    ] {
        assert_eq!(new_id[name], old_id[name], "{name}");
        assert!(!new_id[name].is_null(), "{name}");
    }
    for name in [
        "iss",
        "sub",
        "client_id",
        "auth_time",
        "origin_jti",
        "event_id",
        "scope",
        "username",
    ] {
        assert_eq!(new_access[name], old_access[name], "{name}");
    }
    for (new, old) in [(&new_id, &old_id), (&new_access, &old_access)] {
        assert_eq!(new["iat"], NOW.0 + 1_234);
        assert_eq!(new["exp"], NOW.0 + 1_234 + 3_600);
        assert_ne!(new["jti"], old["jti"]);
        assert!(new.get("azp").is_none());
    }
    assert_ne!(new_id["at_hash"], old_id["at_hash"]);
}

#[actix_web::test]
async fn attributes_and_groups_are_read_again_without_asking_upstream() {
    let stage = Stage::new().await;
    let first = stage.tokens_for("ada@acme.test", &[]).await;
    let sub = claims(&first.access)["sub"].as_str().unwrap().to_owned();
    let now = stage.ctx().now;
    stage.act(|conn| {
        let mut row = user::find(conn, &sub).unwrap().unwrap();
        row.attributes.0.insert("given_name".into(), "Augusta".into());
        user::update(conn, &row).unwrap();
        let membership = group::Membership {
            user_sub: sub.clone(),
            user_pool_id: row.user_pool_id,
            group_name: "Everyone".into(),
            source: group::by_provider("acme-okta"),
            created_at: now,
        };
        group::leave(
            conn,
            &membership.user_sub,
            &membership.group_name,
            &membership.source,
        )
        .unwrap();
    });
    stage.acme.forget_requests();
    let second = Tokens::of(&stage.refresh(first.refresh.as_deref().unwrap()).await.expect(200));
    let id = claims(second.id.as_deref().unwrap());
    assert_eq!(id["given_name"], "Augusta");
    assert!(
        !id["cognito:groups"]
            .as_array()
            .unwrap()
            .iter()
            .any(|name| name == "Everyone")
    );
    assert_eq!(id["cognito:groups"], claims(&second.access)["cognito:groups"]);
    assert_eq!(stage.acme.requests().len(), 0);
}

#[actix_web::test]
async fn m076_offline_access_changes_nothing() {
    let stage = Stage::new().await;
    for scope in ["openid offline_access", "openid"] {
        let tokens = stage.tokens_for("ada@acme.test", &[("scope", scope)]).await;
        assert!(tokens.refresh.is_some());
        assert_eq!(claims(&tokens.access)["scope"], "openid");
    }
    stage.change_machine_client(|settings| settings.scopes.push("offline_access".into()));
    let json = stage
        .as_machine(&[("scope", "demo-api/read offline_access")])
        .await
        .expect(200)
        .json();
    assert!(json.get("refresh_token").is_none());
}

#[actix_web::test]
async fn m077_refresh_tokens_are_256_random_bits_and_stored_hashed() {
    let stage = Stage::new().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..3 {
        let token = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
        assert_eq!(token.len(), 43);
        let row = stage.act(|conn| token::find_refresh(conn, &secret::hash(&token)).unwrap());
        assert_eq!(row.unwrap().0.hash, secret::hash(&token));
        assert!(seen.insert(token));
    }
    // The store holds nothing that would do as a token.
    let rotated = stage.spa_tokens("ada@acme.test").await.refresh.unwrap();
    let hash = secret::hash(&rotated);
    use base64::Engine;
    for stored in [
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&hash),
        hash.iter().map(|byte| format!("{byte:02x}")).collect(),
    ] {
        assert_refused(&stage.spa_refresh(&stored).await, 400, "invalid_grant");
    }
}

#[actix_web::test]
async fn m079_a_token_that_was_answered_survives_the_node_that_gave_it() {
    let stage = Stage::new().await;
    let refresh = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    let second = stage.second_node().await;
    let answer = second.refresh(&refresh).await.expect(200);
    assert!(second.userinfo(&Tokens::of(&answer).access).await.status == 200);
}

#[actix_web::test]
async fn a22_refreshing_in_the_very_second_of_issue_works() {
    let stage = Stage::new().await;
    let web = stage.tokens_for("ada@acme.test", &[]).await;
    let fresh = Tokens::of(&stage.refresh(web.refresh.as_deref().unwrap()).await.expect(200));
    stage.userinfo(&fresh.access).await.expect(200);
    let spa = stage.spa_tokens("ada@acme.test").await.refresh.unwrap();
    let next = Tokens::of(&stage.spa_refresh(&spa).await.expect(200))
        .refresh
        .unwrap();
    stage.spa_refresh(&next).await.expect(200);
}

#[actix_web::test]
async fn without_rotation_the_same_token_is_good_again_and_no_other_is_given() {
    let stage = Stage::new().await;
    let refresh = stage.tokens_for("ada@acme.test", &[]).await.refresh.unwrap();
    for _ in 0..3 {
        let answer = stage.refresh(&refresh).await.expect(200);
        assert!(answer.json().get("refresh_token").is_none());
        stage.clock.advance(1_000);
    }
    assert!(!stage.act(|conn| {
        forebay::model::client::find(conn, WEB_CLIENT)
            .unwrap()
            .unwrap()
            .settings
            .rotation
            .enabled
    }));
}
