//! The users' room: who is found by whom, what keeping somebody out does at once, what is asked before.

use forebay::demo::POOL;
use forebay::model::group;
use forebay::model::reach::Reach;
use forebay::model::user::search::{self, Filter};
use forebay::model::user::{self, Identity, Status, User};
use forebay::world::UnixTime;
use serde_json::json;

use crate::support::{Browser, Form, Stage, Tokens, claims};

const OPERATOR: &str = "operator@forebay.test";
const ACME: &str = "admin@acme.test";
const GLOBEX: &str = "admin@globex.test";

fn sub_of(tokens: &Tokens) -> String {
    claims(&tokens.access)["sub"].as_str().unwrap().to_owned()
}

/// People who never signed in, `number` of them, made a second apart.
fn add_people(stage: &Stage, number: usize) {
    stage.act(|conn| {
        for index in 0..number {
            let at = UnixTime(1_700_000_000 + i64::try_from(index).unwrap());
            let person = User {
                sub: format!("00000000-0000-4000-8000-{index:012}"),
                user_pool_id: POOL.into(),
                username: format!("native-{index:03}"),
                status: Status::Confirmed,
                enabled: index % 2 == 0,
                attributes: forebay::db::Json(
                    json!({ "email": format!("Person{index:03}@Natives.test"), "name": format!("Nat Ive{index:03}"), "family_name": format!("Ive{index:03}") })
                        .as_object()
                        .unwrap()
                        .clone(),
                ),
                created_at: at,
                updated_at: at,
            };
            assert!(user::insert(conn, &person).unwrap());
        }
    });
}

/// Posts the confirmation that a page shows.
async fn confirm(browser: &mut Browser<'_>, path: &str, fill: &[(&str, &str)]) -> crate::support::Answer {
    let page = browser.open(path).await.expect(200);
    browser.submit(&Form::to(&page.body, path), fill).await
}

#[actix_web::test]
async fn the_list_is_paged_without_gaps_or_repetitions() {
    let stage = Stage::new().await;
    add_people(&stage, 120);
    let mut browser = stage.console(OPERATOR);
    let mut seen = Vec::new();
    let mut path = String::from("/console/users");
    for _ in 0..10 {
        let page = browser.open(&path).await.expect(200);
        let links = crate::support::links(&page.body);
        seen.extend(
            links
                .iter()
                .filter_map(|href| href.strip_prefix("/console/users/"))
                .map(str::to_owned),
        );
        let Some(next) = links.into_iter().find(|href| href.contains("after=")) else {
            break;
        };
        path = next;
    }
    let mut expected = seen.clone();
    expected.sort();
    expected.dedup();
    assert_eq!((seen.len(), expected.len()), (120, 120));
    // The newest first.
    assert!(seen[0].ends_with("119") && seen[119].ends_with("000"), "{seen:?}");
}

#[actix_web::test]
async fn a_search_finds_by_the_beginning_of_address_name_username_and_id() {
    let stage = Stage::new().await;
    add_people(&stage, 12);
    let ada = sub_of(&stage.tokens_for("ada@acme.test", &[]).await);
    let mut browser = stage.console(OPERATOR);
    for (search, found) in [
        ("q=person007", vec!["person007"]),
        ("q=PERSON007%40natives", vec!["person007"]),
        ("q=ive003", vec!["person003"]),
        ("q=native-011", vec!["person011"]),
        ("q=00000000-0000-4000-8000-000000000004", vec!["person004"]),
        ("q=ada", vec!["ada@acme"]),
        ("q=00u", vec!["ada@acme"]),
        ("q=person01", vec!["person010", "person011"]),
        ("q=person00&state=disabled", vec!["person001", "person003"]),
        ("connection=acme-okta", vec!["ada@acme"]),
        ("q=ada&connection=globex-okta", vec![]),
        ("group=Everyone", vec!["ada@acme"]),
        ("q=erson", vec![]),
        ("q=%25", vec![]),
    ] {
        let page = browser
            .open(&format!("/console/users?{search}"))
            .await
            .expect(200);
        for name in &found {
            assert!(page.body.to_lowercase().contains(name), "{search}: {page:?}");
        }
        let shown = page.body.matches("<th scope=\"row\">").count();
        let expected = if search.starts_with("q=person00&") {
            5
        } else {
            found.len()
        };
        assert_eq!(shown, expected, "{search}: {page:?}");
    }
    // A changed address is found, the old one no more.
    let ctx = stage.ctx();
    stage.act(|conn| {
        let changes = [("email".to_owned(), json!("countess@acme.test"))].into();
        forebay::actions::users::set_attributes(conn, &ctx, &Reach::everything(), &ada, &changes).unwrap();
    });
    let found = |begins: &str| {
        stage.act(|conn| {
            let filter = Filter {
                begins: Some(begins.into()),
                ..Filter::default()
            };
            search::page(conn, &Reach::everything(), POOL, &filter, None, 10)
                .unwrap()
                .users
                .len()
        })
    };
    assert_eq!((found("countess"), found("ada@")), (1, 0));
}

#[actix_web::test]
async fn a_search_that_meets_a_person_twice_shows_them_once_over_all_pages() {
    let stage = Stage::new().await;
    add_people(&stage, 9);
    let reach = Reach::everything();
    let filter = Filter {
        // "Nat Ive…", "native-…": each person by two terms.
        begins: Some("nat".into()),
        ..Filter::default()
    };
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..9 {
        let page = stage.act(|conn| search::page(conn, &reach, POOL, &filter, after.as_deref(), 2).unwrap());
        seen.extend(page.users.into_iter().map(|user| user.sub));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!((seen.len(), once.len()), (9, 9), "{seen:?}");
}

#[actix_web::test]
async fn a_tenant_admin_sees_own_users_and_no_others() {
    let stage = Stage::new().await;
    add_people(&stage, 3);
    let ada = sub_of(&stage.tokens_for("ada@acme.test", &[]).await);
    let hank = sub_of(&stage.tokens_for("hank@globex.test", &[]).await);
    let mut acme = stage.console(ACME);
    let page = acme.open("/console/users").await.expect(200);
    assert!(page.body.contains("ada@acme.test"), "{page:?}");
    for hidden in ["hank", "Natives", "globex"] {
        assert!(!page.body.contains(hidden), "{hidden}: {page:?}");
    }
    for search in ["q=hank", "q=person", "connection=globex-okta&q=hank"] {
        let page = acme.open(&format!("/console/users?{search}")).await.expect(200);
        assert!(page.body.contains("Nobody matches"), "{search}: {page:?}");
    }
    acme.open(&format!("/console/users/{ada}")).await.expect(200);
    acme.open(&format!("/console/users/{hank}")).await.expect(404);
    acme.open("/console/users?pool=us-local-1_Nowhere")
        .await
        .expect(404);
    let mut globex = stage.console(GLOBEX);
    globex.open(&format!("/console/users/{hank}")).await.expect(200);
    globex.open(&format!("/console/users/{ada}")).await.expect(404);
    for what in ["disable", "sign-out", "edit", "delete"] {
        let path = format!("/console/users/{ada}/{what}");
        globex.open(&path).await.expect(404);
    }
    // Neither do forms reach further than pages.
    let page = globex
        .open(&format!("/console/users/{hank}/disable"))
        .await
        .expect(200);
    let mut form = Form::to(&page.body, &format!("/console/users/{hank}/disable"));
    for what in ["disable", "enable", "sign-out", "delete", "groups", "edit"] {
        form.action = format!("/console/users/{ada}/{what}");
        globex.submit(&form, &[]).await.expect(404);
    }
    let enabled = stage.act(|conn| user::find(conn, &ada).unwrap().unwrap().enabled);
    assert!(enabled);
}

#[actix_web::test]
async fn a_user_shared_with_another_tenant_is_shown_in_part_and_decided_by_neither() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let ada = sub_of(&tokens);
    stage.act(|conn| {
        let identity = Identity {
            provider_id: "globex-okta".into(),
            issuer: "https://globex.example".into(),
            subject: "00uLinkedAtGlobex".into(),
            user_sub: ada.clone(),
            provider_name: "globex-okta".into(),
            is_primary: false,
            created_ms: 0,
        };
        assert!(user::insert_identity(conn, &identity).unwrap());
    });
    let mut globex = stage.console(GLOBEX);
    let page = globex.open(&format!("/console/users/{ada}")).await.expect(200);
    assert!(page.shows("00uLinkedAtGlobex"), "{page:?}");
    for hidden in [
        "ada@acme.test",
        "Lovelace",
        "acme-okta</a>",
        "/disable",
        "Sign out everywhere</a>",
    ] {
        assert!(!page.body.contains(hidden), "{hidden}: {page:?}");
    }
    globex
        .open(&format!("/console/users/{ada}/disable"))
        .await
        .expect(404);
    let mut acme = stage.console(ACME);
    acme.open(&format!("/console/users/{ada}/sign-out"))
        .await
        .expect(404);
    // The pool's own administrators decide.
    let mut operator = stage.console(OPERATOR);
    let page = operator.open(&format!("/console/users/{ada}")).await.expect(200);
    assert!(
        page.shows("ada@acme.test") && page.shows("00uLinkedAtGlobex"),
        "{page:?}"
    );
    operator
        .open(&format!("/console/users/{ada}/disable"))
        .await
        .expect(200);
}

#[actix_web::test]
async fn disabling_bites_at_once_and_enabling_lets_in_again() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let waiting = stage.code_for("ada@acme.test", &[]).await;
    let mut person = stage.signed_in("ada@acme.test").await;
    let ada = sub_of(&tokens);
    stage.userinfo(&tokens.access).await.expect(200);

    let mut acme = stage.console(ACME);
    let page = confirm(&mut acme, &format!("/console/users/{ada}/disable"), &[]).await;
    assert!(page.shows("Disabled.") && page.shows("disabled"), "{page:?}");

    stage.userinfo(&tokens.access).await.expect(401);
    let refused = stage.refresh(tokens.refresh.as_deref().unwrap()).await;
    assert_eq!((refused.status, refused.error()), (400, "invalid_grant".into()));
    let refused = stage.exchange(&waiting, &[]).await;
    assert_eq!((refused.status, refused.error()), (400, "invalid_grant".into()));
    // The session is gone: the app's request leads to the sign-in page, and the sign-in is refused.
    let back = person.sign_in("ada@acme.test", &stage.authorize(&[])).await;
    assert!(
        !back.headers.iter().any(|(_, value)| value.contains("code=")),
        "{back:?}"
    );

    let page = acme.open(&format!("/console/users/{ada}")).await.expect(200);
    let form = Form::to(&page.body, &format!("/console/users/{ada}/enable"));
    assert!(acme.submit(&form, &[]).await.shows("Enabled."));
    stage.tokens_for("ada@acme.test", &[]).await;
    // What was revoked stays revoked.
    stage.userinfo(&tokens.access).await.expect(401);
    let events: Vec<String> = stage.act(|conn| {
        forebay::model::audit::of_target(conn, &ada, 50)
            .unwrap()
            .into_iter()
            .filter(|event| event.actor == format!("admin:{ACME}"))
            .map(|event| event.action)
            .collect()
    });
    assert_eq!(events, ["user.enable", "user.disable"]);
}

#[actix_web::test]
async fn signing_out_everywhere_ends_sessions_and_grants_and_nothing_else() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let other = stage.tokens_for("grace@acme.test", &[]).await;
    let mut person = stage.signed_in("ada@acme.test").await;
    let ada = sub_of(&tokens);
    let mut acme = stage.console(ACME);
    let page = acme.open(&format!("/console/users/{ada}")).await.expect(200);
    assert!(page.shows("Sample web app"), "{page:?}");
    let page = confirm(&mut acme, &format!("/console/users/{ada}/sign-out"), &[]).await;
    assert!(
        page.shows("Signed out everywhere.") && page.shows("Not signed in anywhere."),
        "{page:?}"
    );
    stage.userinfo(&tokens.access).await.expect(401);
    let refused = stage.refresh(tokens.refresh.as_deref().unwrap()).await;
    assert_eq!(refused.error(), "invalid_grant");
    let silent = person.open(&stage.authorize(&[("prompt", "none")])).await;
    assert!(silent.location().contains("error=login_required"), "{silent:?}");
    stage.userinfo(&other.access).await.expect(200);
    stage.tokens_for("ada@acme.test", &[]).await;
}

#[actix_web::test]
async fn attributes_are_checked_by_type_and_a_new_address_is_not_verified() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let ada = sub_of(&tokens);
    let path = format!("/console/users/{ada}/edit");
    stage.console(ACME).open(&path).await.expect(404);
    let mut operator = stage.console(OPERATOR);
    let page = operator.open(&path).await.expect(200);
    let form = Form::to(&page.body, &path);
    let refused = operator
        .submit(&form, &[("email", "no address"), ("nickname", "<b>Countess</b>")])
        .await
        .expect(422);
    assert!(refused.shows("is not an email address"), "{refused:?}");
    assert!(refused.body.contains("aria-invalid"), "{refused:?}");
    // What was typed is kept, as text.
    assert!(
        refused.shows("<b>Countess</b>") && !refused.body.contains("<b>Countess"),
        "{refused:?}"
    );
    let saved = operator
        .submit(
            &form,
            &[("email", "ada@elsewhere.test"), ("nickname", "Countess")],
        )
        .await;
    assert!(
        saved.shows("Saved.") && saved.shows("ada@elsewhere.test"),
        "{saved:?}"
    );
    let stored = stage.act(|conn| user::find(conn, &ada).unwrap().unwrap().attributes.0);
    assert_eq!(stored.get("nickname"), Some(&json!("Countess")));
    assert_eq!(stored.get("email_verified"), None);
    let info = stage.userinfo(&tokens.access).await.expect(200).json();
    assert_eq!(info["email"], "ada@elsewhere.test");
    assert_ne!(info["email_verified"], json!(true));
    // The log says that it changed, not to what.
    let event = stage.act(|conn| forebay::model::audit::of_target(conn, &ada, 1).unwrap().remove(0));
    assert_eq!(event.action, "user.update");
    assert_eq!(event.difference.0["attributes"]["nickname"]["new"], "text(8)");
}

#[actix_web::test]
async fn groups_that_an_administrator_gave_are_taken_by_administrators_alone() {
    let stage = Stage::new().await;
    let ada = sub_of(&stage.tokens_for("ada@acme.test", &[]).await);
    let ctx = stage.ctx();
    stage.act(|conn| {
        forebay::actions::groups::create(conn, &ctx, POOL, "auditors", Default::default()).unwrap();
    });
    let page = stage
        .console(ACME)
        .open(&format!("/console/users/{ada}"))
        .await
        .expect(200);
    assert!(page.shows("the sign-in through acme-okta"), "{page:?}");
    assert!(!page.body.contains("Add to group"), "{page:?}");

    let mut operator = stage.console(OPERATOR);
    let path = format!("/console/users/{ada}");
    let page = operator.open(&path).await.expect(200);
    let form = Form::to(&page.body, &format!("{path}/groups"));
    let refused = operator.submit(&form, &[("group", "nobody")]).await.expect(422);
    assert!(refused.shows("the pool has no group 'nobody'"), "{refused:?}");
    let page = operator.submit(&form, &[("group", "auditors")]).await;
    assert!(page.shows("an administrator"), "{page:?}");
    // The next sign-in brings groups and leaves this one.
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let groups = claims(&tokens.access)["cognito:groups"].to_string();
    assert!(
        groups.contains("auditors") && groups.contains("Everyone"),
        "{groups}"
    );
    let sources = stage.act(|conn| group::memberships(conn, &ada).unwrap());
    assert!(
        sources
            .iter()
            .any(|row| row.group_name == "auditors" && row.source == "admin")
    );
    let form = Form::to(&page.body, &format!("{path}/groups/remove"));
    let page = operator.submit(&form, &[]).await;
    assert!(!page.shows("an administrator"), "{page:?}");
    // What the connection gave is not an administrator's to take.
    operator.submit(&form, &[("group", "Everyone")]).await.expect(404);
}

/// Sign-ins of theirs that mappings are tried on.
fn kept_of(stage: &Stage, sub: &str) -> i64 {
    use diesel::prelude::*;
    use forebay::db::schema::mapper_inputs;
    stage.act(|conn| {
        mapper_inputs::table
            .filter(mapper_inputs::user_sub.eq(sub))
            .count()
            .get_result(conn)
            .unwrap()
    })
}

#[actix_web::test]
async fn deleting_asks_for_the_name_and_a_fresh_proof() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let ada = sub_of(&tokens);
    let path = format!("/console/users/{ada}/delete");
    stage.console(ACME).open(&path).await.expect(404);
    let mut operator = stage.console(OPERATOR);
    let page = operator.open(&path).await.expect(200);
    let form = Form::to(&page.body, &path);
    let username = stage.act(|conn| user::find(conn, &ada).unwrap().unwrap().username);
    assert_eq!(kept_of(&stage, &ada), 1);
    let refused = operator.submit(&form, &[("name", "ada")]).await.expect(422);
    assert!(
        refused.shows("This is not the account's username."),
        "{refused:?}"
    );
    stage.clock.advance(11 * 60);
    let asked = operator.submit(&form, &[("name", &username)]).await;
    assert!(
        stage.act(|conn| user::find(conn, &ada).unwrap()).is_some(),
        "{asked:?}"
    );
    let mut operator = stage.console(OPERATOR);
    let gone = confirm(&mut operator, &path, &[("name", &username)]).await;
    assert!(gone.shows("Deleted."), "{gone:?}");
    assert_eq!(
        kept_of(&stage, &ada),
        0,
        "what the connection said of them is gone"
    );
    stage.userinfo(&tokens.access).await.expect(401);
    let refused = stage.refresh(tokens.refresh.as_deref().unwrap()).await;
    assert_eq!(refused.error(), "invalid_grant");
    operator.open(&format!("/console/users/{ada}")).await.expect(404);
    // The same person comes back as another account.
    let again = sub_of(&stage.tokens_for("ada@acme.test", &[]).await);
    assert_ne!(again, ada);
}

#[actix_web::test]
async fn a_form_without_the_sessions_token_changes_nothing() {
    let stage = Stage::new().await;
    let ada = sub_of(&stage.tokens_for("ada@acme.test", &[]).await);
    let mut operator = stage.console(OPERATOR);
    let path = format!("/console/users/{ada}/disable");
    let page = operator.open(&path).await.expect(200);
    let form = Form::to(&page.body, &path);
    operator.submit(&form, &[("csrf", "forged")]).await.expect(403);
    // A link cannot do it either.
    operator
        .open(&format!("/console/users/{ada}/enable"))
        .await
        .expect(405);
    assert!(stage.act(|conn| user::find(conn, &ada).unwrap().unwrap().enabled));
}
