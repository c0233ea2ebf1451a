//! A connection that takes tokens and is a tenant's own: its people are that tenant's, in the tokens and to the rules.

use diesel::{QueryDsl, RunQueryDsl};
use forebay::actions::tenants;
use forebay::db::schema::{audit_events, mapper_inputs};
use forebay::demo::{OPERATOR, SPA_CLIENT};
use forebay::model::client::AccessRule;
use serde_json::json;

use super::{CONNECTION, bring, id_token, refused, stage};
use crate::support::{Stage, Tokens, claims};

/// Makes the connection acme's.
fn give(stage: &Stage) {
    stage.console(OPERATOR);
    let ctx = stage.ctx();
    stage.act(|conn| tenants::give_connection(conn, &ctx, CONNECTION, Some("acme")).unwrap());
}

fn only(stage: &Stage, expression: &str) {
    stage.change_spa_client(|settings| {
        settings.access = vec![AccessRule {
            name: "Acme alone".into(),
            expression: expression.into(),
            contact: "it@acme.test".into(),
        }];
    });
}

#[actix_web::test]
async fn the_tokens_say_whose_connection_it_was() {
    let stage = stage().await;
    let without = Tokens::of(&bring(&stage, &id_token(&stage, &[]), &[]).await.expect(200));
    assert_eq!(claims(&without.id.unwrap()).get("custom:tenant_id"), None);
    give(&stage);
    let token = id_token(&stage, &[("jti", json!("ID.2"))]);
    let tokens = Tokens::of(&bring(&stage, &token, &[]).await.expect(200));
    assert_eq!(claims(&tokens.id.unwrap())["custom:tenant_id"], "acme");
}

#[actix_web::test]
async fn a_rule_about_the_tenant_is_asked_before_the_token_is_spent() {
    let stage = stage().await;
    give(&stage);
    let token = id_token(&stage, &[]);
    only(&stage, "tenant == 'globex'");
    for _ in 0..2 {
        let answer = bring(&stage, &token, &[]).await;
        let trace = refused(&stage, &answer, "access_denied", "ACCESS_RULE");
        assert_eq!(trace.client_id.as_deref(), Some(SPA_CLIENT));
    }
    only(&stage, "tenant == 'acme'");
    let tokens = Tokens::of(&bring(&stage, &token, &[]).await.expect(200));
    stage.userinfo(&tokens.access).await.expect(200);
    let again = bring(&stage, &token, &[]).await;
    refused(&stage, &again, "invalid_request", "TOKEN_REPLAYED");
}

#[actix_web::test]
async fn only_through_okta_closes_the_way_by_tokens_of_another_connection() {
    let stage = stage().await;
    stage.enforce("acme", "acme-okta");
    let token = id_token(&stage, &[]);
    let answer = bring(&stage, &token, &[]).await;
    refused(&stage, &answer, "access_denied", "ONLY_THROUGH_SSO");
    // By the tenant's own they come as they do in a browser.
    give(&stage);
    bring(&stage, &token, &[]).await.expect(200);
}

#[actix_web::test]
async fn no_token_is_refused_without_end() {
    let stage = stage().await;
    give(&stage);
    only(&stage, "tenant == 'globex'");
    let (token, other) = (id_token(&stage, &[]), id_token(&stage, &[("jti", json!("ID.2"))]));
    for _ in 0..10 {
        let answer = bring(&stage, &token, &[]).await;
        refused(&stage, &answer, "access_denied", "ACCESS_RULE");
    }
    let world = || (stage.traces().len(), samples(&stage));
    let before = world();
    for _ in 0..3 {
        let answer = bring(&stage, &token, &[]).await.expect(503).json();
        assert_eq!(
            (&answer["error"], &answer["code"], &answer["trace"]),
            (
                &json!("temporarily_unavailable"),
                &json!("TOO_MANY_ATTEMPTS"),
                &json!(null)
            )
        );
    }
    assert_eq!(world(), before, "nothing is written any more");
    // Others are not concerned, nor is the same one a minute later.
    let answer = bring(&stage, &other, &[]).await;
    refused(&stage, &answer, "access_denied", "ACCESS_RULE");
    stage.clock.advance(60);
    let answer = bring(&stage, &token, &[]).await;
    refused(&stage, &answer, "access_denied", "ACCESS_RULE");
    // Nor one that was refused a few times and is then let in; used, it is refused for that as often as for the rest.
    only(&stage, "tenant == 'acme'");
    bring(&stage, &token, &[]).await.expect(200);
    for _ in 0..9 {
        let answer = bring(&stage, &token, &[]).await;
        refused(&stage, &answer, "invalid_request", "TOKEN_REPLAYED");
    }
    bring(&stage, &token, &[]).await.expect(503);
}

/// What is kept of sign-ins, for replays and in the audit log.
fn samples(stage: &Stage) -> (i64, i64) {
    stage.act(|conn| {
        let kept = mapper_inputs::table.count().get_result(conn).unwrap();
        let told = audit_events::table.count().get_result(conn).unwrap();
        (kept, told)
    })
}
