//! Hooks in the console: bound, tried, given new secrets, unbound; and what a pool says of its own.

use forebay::demo::{OPERATOR, POOL};
use forebay::model::hook::{self, Binding};
use forebay::model::reach::Reach;
use serde_json::json;

use super::rooms::{self, OTHER_ADMIN, VIEWER, signed_in};
use crate::hooks::{ARN, Hook, bind, name, stage};
use crate::support::{Answer, Form, OTHER_POOL, Stage};

const ROOM: &str = "/console/hooks";
const NEW: &str = "/console/hooks/new";
const OTHER_ARN: &str = "arn:aws:lambda:local:000000000000:function:hook-2";

fn all(stage: &Stage) -> Vec<Binding> {
    stage.act(|conn| hook::list_within(conn, &Reach::everything()).unwrap())
}

fn secret_on(page: &Answer) -> String {
    let after = page.body.split("id=\"secret-text\">").nth(1).unwrap();
    after.split('<').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_hook_is_bound_called_given_a_new_secret_and_unbound() {
    let hook = Hook::new();
    let stage = Stage::with_allowed(std::time::Duration::from_secs(10), &[&hook.host]).await;
    let mut operator = stage.console(OPERATOR);
    let list = operator.open(ROOM).await.expect(200);
    assert!(list.shows("None is bound yet"), "{list:?}");
    name(&stage, json!({ "PreSignUp": ARN, "PreAuthentication": ARN }));
    let list = operator.open(ROOM).await.expect(200);
    assert!(list.shows("Named, and nothing answers"), "{list:?}");
    let of_pool = format!("/console/pools/{POOL}/hooks");
    let page = operator.open(&of_pool).await.expect(200);
    assert!(page.shows("not bound") && page.shows("PreSignUp"), "{page:?}");

    let with = [("arn", ARN), ("url", &hook.url()), ("pool", "everything")];
    let page = rooms::fill(&mut operator, NEW, ROOM, &with).await.expect(200);
    let secret = secret_on(&page);
    assert!(secret.starts_with("whsec_"), "{page:?}");
    assert!(page.shows("PreSignUp, PreAuthentication"), "{page:?}");
    let row = all(&stage).pop().unwrap();
    let path = format!("{ROOM}/{}", row.id);
    let page = operator.open(&path).await.expect(200);
    assert!(!page.body.contains(&secret), "never again");
    let list = operator.open(ROOM).await.expect(200);
    assert!(list.shows(ARN) && !list.shows("nothing answers"), "{list:?}");
    assert!(operator.open(&of_pool).await.expect(200).shows("where to"));

    let test = Form::to(&page.body, &format!("{path}/test"));
    let page = operator.submit(&test, &[]).await.expect(200);
    assert!(page.shows("It answered"), "{page:?}");
    assert!(hook.calls()[0].is_signed_with(&secret));
    let event = hook.event("PreAuthentication_Authentication");
    assert_eq!(
        (&event["userName"], &event["request"]["userNotFound"]),
        (&json!("forebay-test"), &json!(true))
    );
    hook.says(200, "nonsense");
    let page = operator.submit(&test, &[]).await.expect(200);
    assert!(page.shows("InvalidLambdaResponseException"), "{page:?}");

    let rotate = Form::to(&page.body, &format!("{path}/rotate"));
    let page = operator.submit(&rotate, &[]).await.expect(200);
    let later = secret_on(&page);
    assert_ne!(later, secret);
    operator.submit(&test, &[]).await.expect(200);
    assert!(hook.calls()[2].is_signed_with(&later));

    let unbind = format!("{path}/unbind");
    let page = rooms::fill(&mut operator, &unbind, &unbind, &[("confirm", "another")]).await;
    assert_eq!(page.status, 422, "{page:?}");
    assert!(page.shows("PreSignUp"), "who would miss it: {page:?}");
    let page = rooms::fill(&mut operator, &unbind, &unbind, &[("confirm", ARN)])
        .await
        .expect(200);
    assert!(page.shows("Unbound."), "{page:?}");
    assert_eq!(all(&stage), []);
}

#[actix_web::test]
async fn what_cannot_be_bound_is_refused_at_its_field() {
    let hook = Hook::new();
    let stage = stage(&hook).await;
    let mut operator = stage.console(OPERATOR);
    for (arn, url, field) in [
        (OTHER_ARN, "", "url"),
        (OTHER_ARN, "http://hooks.example.com/", "url"),
        (OTHER_ARN, "https://10.0.0.1/", "url"),
        (OTHER_ARN, "https://localhost/", "url"),
        (OTHER_ARN, "https://ada@hooks.example.com/", "url"),
        ("hook-1", "https://hooks.example.com/", "arn"),
        // It is bound already.
        (ARN, "https://hooks.example.com/", "arn"),
    ] {
        let with = [("arn", arn), ("url", url), ("pool", "everything")];
        let page = rooms::fill(&mut operator, NEW, ROOM, &with).await;
        assert_eq!(page.status, 422, "{arn} {url}: {page:?}");
        assert!(
            page.body.contains(&format!("id=\"{field}-error\"")),
            "{arn} {url}: {page:?}"
        );
    }
    assert_eq!(all(&stage).len(), 1);
    // For one pool the same id may lead elsewhere.
    let with = [
        ("arn", ARN),
        ("url", "https://hooks.example.com/"),
        ("pool", POOL),
    ];
    rooms::fill(&mut operator, NEW, ROOM, &with).await.expect(200);
    assert_eq!(all(&stage).len(), 2);
}

#[actix_web::test]
async fn an_administrator_of_a_pool_binds_for_the_pool_and_sees_no_others() {
    let stage = rooms::stage().await;
    bind(&stage, ARN, "https://hooks.example.com/all", None);
    name(&stage, json!({ "PreSignUp": ARN }));
    let of_all = all(&stage).pop().unwrap();
    let mut other = signed_in(&stage, OTHER_ADMIN);
    let list = other.open(ROOM).await.expect(200);
    assert!(list.shows("None is bound yet") && !list.shows(ARN), "{list:?}");
    for place in ["everything", POOL, "no-such-pool"] {
        let with = [
            ("arn", ARN),
            ("url", "https://hooks.example.com/own"),
            ("pool", place),
        ];
        let page = rooms::fill(&mut other, NEW, ROOM, &with).await;
        assert_eq!(page.status, 404, "{place}: {page:?}");
    }
    let with = [
        ("arn", ARN),
        ("url", "https://hooks.example.com/own"),
        ("pool", OTHER_POOL),
    ];
    let page = rooms::fill(&mut other, NEW, ROOM, &with).await.expect(200);
    assert!(
        !page.shows("PreSignUp"),
        "the demo's pool is not theirs: {page:?}"
    );
    assert_eq!(
        other.open(&format!("/console/pools/{POOL}/hooks")).await.status,
        404
    );

    let own = all(&stage)
        .into_iter()
        .find(|row| row.user_pool_id.is_some())
        .unwrap();
    let ends = |id: &str| ["rotate", "test", "unbind"].map(|end| format!("{ROOM}/{id}/{end}"));
    let path = format!("{ROOM}/{}", of_all.id);
    let posts = ends(&of_all.id);
    let posts: Vec<&str> = posts.iter().map(String::as_str).collect();
    rooms::are_not_found(
        &stage,
        &[OTHER_ADMIN, "admin@acme.test"],
        &[&path, posts[2]],
        &posts,
    )
    .await;
    let posts = ends(&own.id);
    let posts: Vec<&str> = posts.iter().map(String::as_str).collect();
    rooms::are_not_found(&stage, &[VIEWER], &[NEW, posts[2]], &posts).await;
    rooms::are_not_found(&stage, &["admin@acme.test"], &[ROOM, NEW], &[ROOM]).await;
    let page = signed_in(&stage, VIEWER).open(&path).await.expect(200);
    assert!(!page.shows("Replace the secret"), "{page:?}");
    assert_eq!(all(&stage).len(), 2);
}

#[actix_web::test]
async fn secrets_and_unbinding_want_a_proof_and_every_form_its_token() {
    let stage = rooms::stage().await;
    bind(&stage, ARN, "https://hooks.example.com/", None);
    let path = format!("{ROOM}/{}", all(&stage)[0].id);
    let [rotate, test, unbind] = ["rotate", "test", "unbind"].map(|end| format!("{path}/{end}"));
    rooms::want_the_token(&stage, &[ROOM, &rotate, &test, &unbind]).await;
    rooms::want_a_proof(
        &stage,
        &[NEW, &unbind],
        &[(ROOM, "arn=x"), (&rotate, ""), (&unbind, "confirm=x")],
    )
    .await;
    assert_eq!(all(&stage).len(), 1);
    // What a pool's page filled in comes back after the proof.
    let mut operator = signed_in(&stage, OPERATOR);
    stage.clock.advance(11 * 60);
    let answer = operator.open(&format!("{NEW}?arn={ARN}")).await;
    let next: String = form_urlencoded::byte_serialize(format!("{NEW}?arn={ARN}").as_bytes()).collect();
    assert_eq!(answer.location(), format!("/console/prove?next={next}"));
}
