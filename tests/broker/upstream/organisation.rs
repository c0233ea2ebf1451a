//! Providers that serve many organisations: Google has to name a proven domain of the tenant, Entra ID the tenant of the issuer.

use forebay::demo::OPERATOR;
use forebay::demo::okta::IdTokenFault;
use forebay::model::provider::Endpoints;
use serde_json::{Value, json};

use super::{attempt, explained, failing, rows, signed_in, signs_in};
use crate::support::Stage;

const GOOGLE: &str = "https://accounts.google.com";
const TENANT: &str = "8b87af7d-8647-4dc7-8df4-5f69a2011bb5";

/// The stand-in says that it is this provider, and its connection takes it for that.
async fn stage(issuer: &str) -> Stage {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    pretends(&stage, "acme-okta", issuer);
    stage
}

fn pretends(stage: &Stage, connection: &str, issuer: &str) {
    let at = |path: &str| format!("{}/oauth2/v1/{path}", stage.acme.issuer());
    let endpoints = Endpoints {
        authorization: at("authorize"),
        token: at("token"),
        userinfo: Some(at("userinfo")),
        jwks: at("keys"),
        end_session: None,
    };
    stage.change_provider(connection, |row| {
        row.issuer = issuer.into();
        row.settings.endpoints = Some(endpoints);
        row.tenant_id = Some("acme".into());
    });
}

/// From now on its ID tokens say so, with these claims.
fn says(stage: &Stage, issuer: &str, claims: Value) {
    let claims = claims.as_object().unwrap().clone();
    stage.acme.set_faults(|faults| {
        faults.id_token = vec![IdTokenFault::Iss(issuer.into()), IdTokenFault::Set(claims)];
    });
}

#[actix_web::test]
async fn google_brings_people_of_the_tenants_proven_domains_alone() {
    let stage = stage(GOOGLE).await;
    let before = rows(&stage);
    for claims in [
        json!({}),
        json!({ "hd": "evil.test" }),
        json!({ "hd": "sub.acme.test" }),
        json!({ "hd": true }),
    ] {
        says(&stage, GOOGLE, claims.clone());
        let page = attempt(&stage, "ada@acme.test").await;
        let trace = explained(&stage, &page, "other_organisation");
        assert_eq!(failing(&trace), Some("id_token.hd"), "{claims}");
        assert!(trace.story.remedy.contains("proven domain"), "{trace:?}");
        assert!(page.shows("belongs to somebody else's organisation"), "{page:?}");
        assert!(page.shows("Sign in as someone else"), "{page:?}");
        assert_eq!(rows(&stage), before, "{claims}");
    }
    says(&stage, GOOGLE, json!({ "hd": "acme.test" }));
    let id = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(id["custom:tenant_id"], "acme");
}

#[actix_web::test]
async fn without_a_proven_domain_there_is_nothing_to_hold_it_against() {
    let stage = stage(GOOGLE).await;
    stage.change_provider("acme-okta", |row| row.tenant_id = None);
    says(&stage, GOOGLE, json!({}));
    let back = attempt(&stage, "ada@acme.test").await;
    signed_in(&stage, &back).await;
}

#[actix_web::test]
async fn entra_brings_people_of_the_issuers_tenant_alone() {
    let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let stage = stage(&issuer).await;
    let before = rows(&stage);
    for claims in [
        json!({}),
        json!({ "tid": "9188040d-6c67-4c5b-b112-36a304b66dad" }),
        json!({ "tid": [TENANT] }),
    ] {
        says(&stage, &issuer, claims.clone());
        let page = attempt(&stage, "ada@acme.test").await;
        let trace = explained(&stage, &page, "other_organisation");
        assert_eq!(failing(&trace), Some("id_token.tid"), "{claims}");
        assert_eq!(rows(&stage), before, "{claims}");
    }
    says(&stage, &issuer, json!({ "tid": TENANT }));
    signs_in(&stage, "ada@acme.test").await;
}

#[actix_web::test]
async fn a_token_that_an_app_brings_is_held_against_it_too() {
    use crate::token_in::{self, CONNECTION};
    let stage = token_in::stage().await;
    stage.console(OPERATOR);
    pretends(&stage, CONNECTION, GOOGLE);
    let of = |jti: &str, hd: Value| {
        token_in::id_token(&stage, &[("iss", json!(GOOGLE)), ("jti", json!(jti)), ("hd", hd)])
    };
    let answer = token_in::bring(&stage, &of("ID.a", json!("evil.test")), &[]).await;
    let trace = token_in::refused(&stage, &answer, "access_denied", "OTHER_ORGANISATION");
    assert_eq!(failing(&trace), Some("id_token.hd"));
    // Not without end, for each time costs a trace.
    let before = stage.traces().len();
    for _ in 0..20 {
        token_in::bring(&stage, &of("ID.a", json!("evil.test")), &[]).await;
    }
    assert_eq!(stage.traces().len(), before + 9);
    token_in::bring(&stage, &of("ID.b", json!("acme.test")), &[])
        .await
        .expect(200);
}
