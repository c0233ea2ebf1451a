//! Who gets an account at the first sign-in: said on a page of the wizard, held at every sign-in.

use forebay::actions::groups;
use forebay::demo::{OPERATOR, POOL};
use forebay::model::administrator::Role;
use forebay::model::administrator_rule::{self, AdministratorRule};
use forebay::model::user;
use serde_json::json;

use super::{ACME_ADMIN, GLOBEX_ADMIN, connection, fill, test_sign_in};
use crate::console::rooms::{VIEWER, are_not_found, signed_in, stage, want_the_token};
use crate::console::sso::come;
use crate::management::call;
use crate::support::{Form, NOW, PASSWORD, Stage, claims};
use crate::upstream::{attempt, explained, failing, rows, signs_in};

const PAGE: &str = "/console/connections/acme-okta/provisioning";

fn has_group(stage: &Stage, name: &str) {
    let ctx = stage.ctx();
    stage.act(|conn| {
        groups::create(conn, &ctx, POOL, name, Default::default()).unwrap();
    });
}

#[actix_web::test]
async fn without_accounts_just_in_time_only_those_come_in_who_have_one() {
    let stage = stage().await;
    let ada = signs_in(&stage, "ada@acme.test").await;
    let mut admin = signed_in(&stage, ACME_ADMIN);
    let form = [("groups", "")];
    let page = admin.open(PAGE).await.expect(200);
    assert!(
        page.shows("no SCIM") && page.shows("60 minutes") && page.shows("30 days"),
        "{page:?}"
    );
    let mut off = Form::to(&page.body, PAGE);
    off.fields.retain(|(name, _)| name != "just_in_time");
    let page = admin.submit(&off, &form).await.expect(200);
    assert!(page.shows("Saved."), "{page:?}");
    let stands = connection(&stage, "acme-okta").settings.provisioning.clone();
    assert!(!stands.just_in_time && stands.decided, "{stands:?}");

    let before = rows(&stage);
    let page = attempt(&stage, "grace@acme.test").await;
    let trace = explained(&stage, &page, "account_required");
    assert_eq!(failing(&trace), Some("user"));
    assert!(page.shows("There is no account for you here yet"), "{page:?}");
    assert!(page.shows("Sign in as someone else"), "{page:?}");
    assert_eq!(rows(&stage), before, "nobody was made");
    let again = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(again["sub"], ada["sub"], "who has an account comes in");
    // The test sign-in says what would happen.
    let result = test_sign_in(&mut admin, "acme-okta", "grace@acme.test").await;
    assert!(
        result.shows("A first sign-in makes no account here"),
        "{result:?}"
    );

    fill(&mut admin, PAGE, &[("just_in_time", "on")])
        .await
        .expect(200);
    signs_in(&stage, "grace@acme.test").await;
}

#[actix_web::test]
async fn a_new_account_is_put_into_the_groups_once() {
    let stage = stage().await;
    has_group(&stage, "newcomers");
    let mut admin = signed_in(&stage, ACME_ADMIN);
    fill(&mut admin, PAGE, &[("groups", "newcomers\nnot-a-group")])
        .await
        .expect(200);
    let id = signs_in(&stage, "ada@acme.test").await;
    let held = |id: &serde_json::Value| id["cognito:groups"].as_array().unwrap().clone();
    assert!(held(&id).contains(&"newcomers".into()), "{id}");
    assert!(!held(&id).contains(&"not-a-group".into()), "{id}");
    // The mapping reconciles its own groups and not these; and they are not given again.
    let id = signs_in(&stage, "ada@acme.test").await;
    assert!(held(&id).contains(&"newcomers".into()), "{id}");
    let sub = id["sub"].as_str().unwrap();
    let theirs = format!("/console/users/{sub}");
    let page = admin.open(&theirs).await.expect(200);
    assert!(page.shows("the first sign-in"), "{page:?}");
    // Groups are the pool's to change.
    let mut operator = signed_in(&stage, OPERATOR);
    let page = operator.open(&theirs).await.expect(200);
    let remove = Form::to(&page.body, &format!("{theirs}/groups/remove"));
    assert!(
        remove
            .fields
            .contains(&("group".to_owned(), "newcomers".to_owned()))
    );
    operator.submit(&remove, &[]).await.expect(200);
    let id = signs_in(&stage, "ada@acme.test").await;
    assert!(!held(&id).contains(&"newcomers".into()), "{id}");
    let user = stage.act(|conn| user::find(conn, sub).unwrap());
    assert!(user.is_some());
    let page = fill(&mut admin, PAGE, &[("groups", "a\u{200b}b")]).await;
    assert_eq!(page.status, 422, "{page:?}");
    assert!(page.body.contains("id=\"groups-error\""), "{page:?}");
    // Whoever sets a connection up, sends nobody to another one's people.
    let page = fill(&mut admin, PAGE, &[("groups", &format!("{POOL}_globex-okta"))]).await;
    assert_eq!(page.status, 422, "{page:?}");
    assert!(
        page.shows("kept for those who sign in through a connection"),
        "{page:?}"
    );
}

#[actix_web::test]
async fn the_groups_of_new_accounts_make_no_administrators_and_let_a_link_come_after() {
    let stage = stage().await;
    has_group(&stage, "acme-admins");
    let rule = AdministratorRule {
        id: "by-hand".into(),
        user_pool_id: POOL.into(),
        group_name: "acme-admins".into(),
        provider_id: None,
        role: Role::TenantAdmin,
        scope_pool_id: None,
        scope_tenant_id: Some("acme".into()),
        created_at: NOW,
    };
    stage.act(|conn| administrator_rule::insert(conn, &rule).unwrap());
    let mut admin = signed_in(&stage, ACME_ADMIN);
    fill(&mut admin, PAGE, &[("groups", "acme-admins")])
        .await
        .expect(200);
    let (_, page) = come(&stage, "ada@acme.test").await;
    assert!(!page.shows("You are signed in"), "{page:?}");
    let id = signs_in(&stage, "ada@acme.test").await;
    let held = id["cognito:groups"].as_array().unwrap();
    assert!(held.contains(&"acme-admins".into()), "{id}");

    let nora = stage.native_user("nora", PASSWORD).await;
    let link = json!({
        "UserPoolId": POOL,
        "SourceUser": { "ProviderName": "acme-okta", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "00u1ada000000000acme" },
        "DestinationUser": { "ProviderName": "Cognito", "ProviderAttributeValue": "nora" },
    });
    call(&stage, "AdminLinkProviderForUser", link).await.expect(200);
    let again = signs_in(&stage, "ada@acme.test").await;
    assert_eq!(again["sub"], nora.sub);
}

#[actix_web::test]
async fn a_token_that_an_app_brings_makes_no_account_either() {
    use crate::token_in;
    let stage = token_in::stage().await;
    stage.console(OPERATOR);
    let good = token_in::id_token(&stage, &[]);
    stage.change_provider(token_in::CONNECTION, |row| {
        row.settings.provisioning.just_in_time = false;
    });
    let answer = token_in::bring(&stage, &good, &[]).await;
    token_in::refused(&stage, &answer, "access_denied", "ACCOUNT_REQUIRED");
    stage.change_provider(token_in::CONNECTION, |row| {
        row.settings.provisioning.just_in_time = true;
    });
    let fresh = token_in::id_token(&stage, &[("jti", "ID.2".into())]);
    let answer = token_in::bring(&stage, &fresh, &[]).await.expect(200).json();
    assert_eq!(
        claims(answer["access_token"].as_str().unwrap())["token_use"],
        "access"
    );
}

#[actix_web::test]
async fn it_is_for_whoever_has_the_connection() {
    let stage = stage().await;
    are_not_found(&stage, &[GLOBEX_ADMIN, VIEWER], &[PAGE], &[PAGE]).await;
    want_the_token(&stage, &[PAGE]).await;
}
