//! Who may manage whom.

use forebay::demo::{OPERATOR, POOL};
use forebay::model::administrator::{self, Administrator, Role};
use forebay::model::audit;

use crate::support::{Answer, Browser, Form, Stage, links};

const LIST: &str = "/console/administrators";

fn admin(stage: &Stage, email: &str) -> Option<Administrator> {
    stage.act(|conn| administrator::find_by_email(conn, email).unwrap())
}

fn path(stage: &Stage, email: &str) -> String {
    format!("{LIST}/{}", admin(stage, email).unwrap().id)
}

/// Roles as they are stored.
fn roles(stage: &Stage, email: &str) -> Vec<(Role, String)> {
    let id = admin(stage, email).unwrap().id;
    let grants = stage.act(|conn| administrator::grants(conn, &id).unwrap());
    grants
        .into_iter()
        .map(|grant| (grant.role, grant.scope))
        .collect()
}

async fn invite(browser: &mut Browser<'_>, email: &str, role: &str, scope: &str) -> Answer {
    let page = browser.open("/console/administrators/invite").await.expect(200);
    let form = Form::to(&page.body, "/console/administrators/invite");
    let fill = [("email", email), ("name", ""), ("role", role), ("scope", scope)];
    browser.submit(&form, &fill).await
}

/// Sends a POST with this session's CSRF token.
async fn post(browser: &mut Browser<'_>, path: &str, fill: &[(&str, &str)]) -> Answer {
    let page = browser.open("/console").await.expect(200);
    let mut form = Form::to(&page.body, "/console/sign-out");
    form.action = path.to_owned();
    browser.submit(&form, fill).await
}

/// The second administrator, who was invited, has set a password.
fn the_second_has_come(stage: &Stage) {
    stage.act(|conn| {
        let found = administrator::find_by_email(conn, "second@forebay.test").unwrap();
        let second = found.unwrap();
        assert!(administrator::set_password(conn, &second.id, "a hash", second.updated_at).unwrap());
    });
}

#[actix_web::test]
async fn everybody_sees_those_within_their_own_reach_and_nobody_else() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    let page = operator.open(LIST).await.expect(200);
    for email in [OPERATOR, "admin@acme.test", "admin@globex.test"] {
        assert!(page.shows(email), "{email}");
    }
    let found = operator
        .open("/console/administrators?q=GLOBEX")
        .await
        .expect(200);
    assert!(found.shows("admin@globex.test") && !found.shows("admin@acme.test"));
    let none = operator.open("/console/administrators?q=%25").await.expect(200);
    assert!(none.shows("Nobody's address or name contains"), "{none:?}");

    let mut acme = stage.console("admin@acme.test");
    let page = acme.open(LIST).await.expect(200);
    assert!(page.shows("admin@acme.test"));
    assert!(
        !page.shows("admin@globex.test") && !page.shows(OPERATOR),
        "{page:?}"
    );
    acme.open("/console/administrators/rules").await.expect(404);
    for email in ["admin@globex.test", OPERATOR, "none"] {
        let path = match email {
            "none" => format!("{LIST}/none"),
            email => path(&stage, email),
        };
        for page in ["", "/roles", "/delete"] {
            acme.open(&format!("{path}{page}"))
                .await
                .is_page(404, "This page does not exist");
        }
        for action in [
            "/roles",
            "/delete",
            "/link",
            "/disable",
            "/enable",
            "/sign-out",
            "/sessions/x/end",
        ] {
            let fill = [("keep", "viewer|tenant:acme"), ("typed", email)];
            post(&mut acme, &format!("{path}{action}"), &fill)
                .await
                .expect(404);
        }
    }
    for email in ["admin@globex.test", OPERATOR] {
        assert!(admin(&stage, email).unwrap().enabled);
    }
}

#[actix_web::test]
async fn a_tenant_admin_invites_for_the_own_tenant_and_gives_nothing_else() {
    let stage = Stage::new().await;
    let mut acme = stage.console("admin@acme.test");
    for (role, scope) in [
        ("operator", "everything"),
        ("viewer", "everything"),
        ("tenant_admin", "tenant:globex"),
        ("viewer", "tenant:globex"),
        ("pool_admin", &format!("pool:{POOL}")),
        ("viewer", &format!("pool:{POOL}")),
    ] {
        invite(&mut acme, "mallory@acme.test", role, scope)
            .await
            .expect(404);
    }
    for (email, role, scope, why) in [
        ("mallory@acme.test", "", "", "Choose a role."),
        (
            "mallory@acme.test",
            "tenant_admin",
            "",
            "Choose where the role holds.",
        ),
        (
            "mallory@acme.test",
            "tenant_admin",
            "everything",
            "Choose the tenant",
        ),
        ("mallory", "viewer", "tenant:acme", "has no @"),
        ("admin@globex.test", "viewer", "tenant:acme", "already"),
    ] {
        let answer = invite(&mut acme, email, role, scope).await.expect(422);
        assert!(answer.shows(why), "{why}: {answer:?}");
    }
    assert_eq!(admin(&stage, "mallory@acme.test"), None);

    let shown = invite(&mut acme, "Grace@acme.test", "tenant_admin", "tenant:acme")
        .await
        .expect(200);
    let start = shown
        .body
        .find("http://localhost:8080/console/password/")
        .unwrap();
    let link: String = shown.body[start..].chars().take_while(|c| *c != '<').collect();
    let list = acme.open(LIST).await.expect(200);
    assert!(list.shows("grace@acme.test") && list.shows("invited") && !list.body.contains(&link));
    for event in stage.act(|conn| audit::recent(conn, None, 100).unwrap()) {
        assert!(
            !format!("{event:?}").contains(link.rsplit('/').next().unwrap()),
            "{event:?}"
        );
    }

    let mut grace = stage.browser();
    let page = grace.open(&link).await.expect(200);
    let form = Form::to(&page.body, link.strip_prefix("http://localhost:8080").unwrap());
    let fill = [("name", "Grace Hopper"), ("password", "nanoseconds of wire")];
    let page = grace.submit(&form, &fill).await.expect(200);
    assert_eq!(grace.url.path(), "/console/account");
    assert!(page.shows("Tenant administrator of Acme"), "{page:?}");
    grace.open(&link).await.expect(404);
    assert_eq!(
        roles(&stage, "grace@acme.test"),
        [(Role::TenantAdmin, "acme".into())]
    );
}

#[actix_web::test]
async fn an_invitation_is_good_for_seven_days_and_a_new_one_voids_it() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    let link = |answer: &Answer| {
        let start = answer.body.find("/console/password/").unwrap();
        answer.body[start..]
            .chars()
            .take_while(|c| *c != '<')
            .collect::<String>()
    };
    let first = link(
        &invite(&mut operator, "new@forebay.test", "viewer", "everything")
            .await
            .expect(200),
    );
    let path = path(&stage, "new@forebay.test");
    let second = link(
        &post(&mut operator, &format!("{path}/link"), &[])
            .await
            .expect(200),
    );
    let mut browser = stage.browser();
    browser.open(&first).await.expect(404);
    stage.clock.advance(7 * 86_400 - 1);
    browser.open(&second).await.expect(200);
    stage.clock.advance(1);
    browser.open(&second).await.expect(404);
}

#[actix_web::test]
async fn the_last_operator_stays() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    let path = path(&stage, OPERATOR);
    let why = "the last operator";
    for (action, fill) in [
        ("/disable", vec![]),
        ("/delete", vec![("typed", OPERATOR)]),
        ("/roles", vec![("keep", "viewer|everything")]),
    ] {
        let answer = post(&mut operator, &format!("{path}{action}"), &fill)
            .await
            .expect(422);
        assert!(answer.shows(why), "{action}: {answer:?}");
    }
    // One who was invited and never came does not count.
    invite(&mut operator, "second@forebay.test", "operator", "everything")
        .await
        .expect(200);
    post(&mut operator, &format!("{path}/disable"), &[])
        .await
        .expect(422);
    the_second_has_come(&stage);
    post(
        &mut operator,
        &format!("{path}/roles"),
        &[("keep", "viewer|everything")],
    )
    .await
    .expect(200);
    assert_eq!(roles(&stage, OPERATOR), [(Role::Viewer, String::new())]);
    // And is out of the operators' rooms with the next request.
    operator.open("/console/administrators/rules").await.expect(404);
}

#[actix_web::test]
async fn the_last_who_can_lift_only_through_okta_without_it_stays_while_it_holds() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    let acme = path(&stage, "admin@acme.test");
    let why = "acme enforces";
    stage.enforce("acme", "acme-okta");
    for (action, fill) in [
        ("/disable", vec![]),
        ("/delete", vec![("typed", "admin@acme.test")]),
        ("/roles", vec![("keep", "viewer|everything")]),
        ("/roles", vec![("keep", "tenant_admin|tenant:globex")]),
    ] {
        let answer = post(&mut operator, &format!("{acme}{action}"), &fill)
            .await
            .expect(422);
        assert!(answer.shows(why), "{action}: {answer:?}");
    }
    assert_eq!(
        roles(&stage, "admin@acme.test"),
        [(Role::TenantAdmin, "acme".into())]
    );
    // Another tenant's is free to go.
    let globex = path(&stage, "admin@globex.test");
    post(&mut operator, &format!("{globex}/disable"), &[])
        .await
        .expect(200);
    // One who was invited and never came does not count; one of the pool who can sign in does.
    let pool = format!("pool:{POOL}");
    invite(&mut operator, "second@forebay.test", "pool_admin", &pool)
        .await
        .expect(200);
    post(&mut operator, &format!("{acme}/disable"), &[])
        .await
        .expect(422);
    the_second_has_come(&stage);
    post(&mut operator, &format!("{acme}/disable"), &[])
        .await
        .expect(200);
    let second = path(&stage, "second@forebay.test");
    let answer = post(&mut operator, &format!("{second}/disable"), &[])
        .await
        .expect(422);
    assert!(answer.shows(why), "{answer:?}");
    // Once it is lifted, nobody has to stay.
    stage.act(|conn| forebay::model::enforcement::delete(conn, "acme").unwrap());
    post(&mut operator, &format!("{second}/disable"), &[])
        .await
        .expect(200);
}

#[actix_web::test]
async fn roles_are_kept_and_added_and_deleting_asks_for_the_name() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    let path = path(&stage, "admin@acme.test");
    let page = operator.open(&format!("{path}/roles")).await.expect(200);
    let form = Form::to(&page.body, &format!("{path}/roles"));
    operator
        .submit(&form, &[("role", "viewer"), ("scope", "tenant:globex")])
        .await
        .expect(200);
    assert_eq!(
        roles(&stage, "admin@acme.test"),
        [
            (Role::TenantAdmin, "acme".into()),
            (Role::Viewer, "globex".into())
        ]
    );
    // Beyond acme now: the other acme people's business no more.
    let mut acme = stage.console("admin@acme.test");
    acme.open(&format!("{path}/roles")).await.expect(404);
    post(&mut operator, &format!("{path}/roles"), &[])
        .await
        .expect(422);

    let delete = format!("{path}/delete");
    let page = operator.open(&delete).await.expect(200);
    let form = Form::to(&page.body, &delete);
    operator
        .submit(&form, &[("typed", "someone else")])
        .await
        .expect(422);
    operator
        .submit(&form, &[("typed", "admin@acme.test")])
        .await
        .expect(200);
    assert_eq!(operator.url.path(), LIST);
    assert_eq!(admin(&stage, "admin@acme.test"), None);
    acme.open("/console").await.expect(303);
}

#[actix_web::test]
async fn sessions_of_others_are_listed_and_ended() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    let mut acme = stage.console("admin@acme.test");
    let path = path(&stage, "admin@acme.test");
    let page = operator.open(&path).await.expect(200);
    let end = page.body.find(&format!("{path}/sessions/")).unwrap();
    let end: String = page.body[end..].chars().take_while(|c| *c != '"').collect();
    // A session of another account is not this one's.
    let other = end.replace(&path, &self::path(&stage, "admin@globex.test"));
    post(&mut operator, &other, &[]).await.expect(404);
    acme.open("/console").await.expect(200);
    post(&mut operator, &end, &[]).await.expect(200);
    acme.open("/console").await.expect(303);

    let mut again = stage.console("admin@acme.test");
    post(&mut operator, &format!("{path}/sign-out"), &[])
        .await
        .expect(200);
    again.open("/console").await.expect(303);
    let mut again = stage.console("admin@acme.test");
    post(&mut operator, &format!("{path}/disable"), &[])
        .await
        .expect(200);
    again.open("/console").await.expect(303);
    post(&mut operator, &format!("{path}/enable"), &[])
        .await
        .expect(200);
}

#[actix_web::test]
async fn no_form_is_taken_without_the_sessions_own_token_nor_secrets_without_a_fresh_proof() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    let path = path(&stage, "admin@acme.test");
    let posts = [
        format!("{LIST}/invite"),
        format!("{LIST}/rules"),
        format!("{LIST}/rules/x/delete"),
        format!("{path}/roles"),
        format!("{path}/delete"),
        format!("{path}/link"),
        format!("{path}/disable"),
        format!("{path}/enable"),
        format!("{path}/sign-out"),
        format!("{path}/sessions/x/end"),
    ];
    for action in &posts {
        post(&mut operator, action, &[("csrf", "guessed")])
            .await
            .expect(403);
    }
    stage.clock.advance(10 * 60);
    for action in &posts[..6] {
        let page = post(&mut operator, action, &[("typed", "admin@acme.test")])
            .await
            .expect(200);
        assert!(page.shows("Is it still you?"), "{action}: {page:?}");
    }
    assert!(admin(&stage, "admin@acme.test").unwrap().enabled);
}

#[actix_web::test]
async fn a_viewer_looks_and_changes_nothing() {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    stage.act(|conn| {
        let found = administrator::find_by_email(conn, "admin@acme.test")
            .unwrap()
            .unwrap();
        let mut grants = administrator::grants(conn, &found.id).unwrap();
        grants[0].role = Role::Viewer;
        administrator::set_grants(conn, &grants[0].administrator_id.clone(), &grants).unwrap();
    });
    let mut viewer = stage.console("admin@acme.test");
    let path = path(&stage, "admin@acme.test");
    let page = viewer.open(&path).await.expect(200);
    assert!(
        !links(&page.body).iter().any(|href| href.ends_with("/roles")),
        "{page:?}"
    );
    viewer.open(&format!("{path}/roles")).await.expect(404);
    viewer.open(&format!("{LIST}/invite")).await.expect(404);
    post(&mut viewer, &format!("{path}/disable"), &[])
        .await
        .expect(404);
}

#[actix_web::test]
async fn long_lists_have_pages() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    let template = admin(&stage, OPERATOR).unwrap();
    stage.act(|conn| {
        for number in 0..60 {
            let row = Administrator {
                id: format!("id-{number:02}"),
                email: format!("z{number:02}@forebay.test"),
                password_hash: None,
                ..template.clone()
            };
            assert!(administrator::insert(conn, &row).unwrap());
        }
    });
    let first = operator.open(LIST).await.expect(200);
    let next = links(&first.body)
        .into_iter()
        .find(|href| href.contains("after="))
        .unwrap();
    let second = operator.open(&next).await.expect(200);
    assert!(first.shows("z00@forebay.test") && !first.shows("z59@forebay.test"));
    assert!(second.shows("z59@forebay.test") && !second.shows("z00@forebay.test"));
}

#[actix_web::test]
async fn a_link_that_was_made_before_the_roles_changed_opens_nothing() {
    let stage = Stage::new().await;
    let mut acme = stage.console("admin@acme.test");
    let shown = invite(&mut acme, "grace@acme.test", "viewer", "tenant:acme")
        .await
        .expect(200);
    let start = shown.body.find("/console/password/").unwrap();
    let link: String = shown.body[start..].chars().take_while(|c| *c != '<').collect();
    let mut grace = stage.browser();
    grace.open(&link).await.expect(200);
    // Whoever invited her would come in by it as what she is now.
    let mut operator = stage.console(OPERATOR);
    let path = path(&stage, "grace@acme.test");
    let more = [("role", "operator"), ("scope", "everything")];
    post(&mut operator, &format!("{path}/roles"), &more)
        .await
        .expect(200);
    grace.open(&link).await.expect(404);
}
