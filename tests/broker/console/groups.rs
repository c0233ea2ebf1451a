//! The groups' room: whose it is, what it refuses, names that would be dangerous in a path.

use forebay::actions::users;
use forebay::demo::POOL;
use forebay::model::group;
use forebay::model::reach::Reach;

use crate::support::{Form, OTHER_POOL, Stage, claims, links};

const OPERATOR: &str = "operator@forebay.test";

fn path(what: &str) -> String {
    format!("/console/pools/{POOL}/{what}")
}

#[actix_web::test]
async fn a_group_is_made_changed_and_deleted() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    let page = operator.open(&path("groups")).await.expect(200);
    assert!(page.shows("This pool has no groups yet."), "{page:?}");
    let page = operator.open(&path("groups/new")).await.expect(200);
    let form = Form::to(&page.body, &path("groups/new"));
    for (fill, error) in [
        (vec![("name", " ")], "1-128 visible characters"),
        (vec![("name", "a"), ("precedence", "-1")], "0 is strongest"),
        (vec![("name", "a"), ("precedence", "many")], "0 is strongest"),
    ] {
        let refused = operator.submit(&form, &fill).await.expect(422);
        assert!(
            refused.shows(error) && refused.body.contains("aria-invalid"),
            "{refused:?}"
        );
    }
    let name = "R&D / <b>../..</b> ?x=1#y";
    let fill = [
        ("name", name),
        ("description", "Those who <i>think</i>"),
        ("precedence", "3"),
    ];
    let page = operator.submit(&form, &fill).await.expect(200);
    assert!(page.shows("Created.") && page.shows(name), "{page:?}");
    assert!(
        !page.body.contains("<b>..") && !page.body.contains("<i>think"),
        "{page:?}"
    );
    let refused = operator.submit(&form, &fill).await.expect(422);
    assert!(refused.shows("the pool has a group of this name"), "{refused:?}");

    let list = operator.open(&path("groups?q=r%26D")).await.expect(200);
    let link = links(&list.body)
        .into_iter()
        .find(|href| href.contains("/group?name="))
        .unwrap();
    let page = operator.open(&link).await.expect(200);
    let edit = links(&page.body)
        .into_iter()
        .find(|href| href.contains("/group/edit"))
        .unwrap();
    let page = operator.open(&edit).await.expect(200);
    let form = Form::to(&page.body, &path("group/edit"));
    let page = operator.submit(&form, &[("precedence", "")]).await;
    assert!(
        page.shows("Saved.") && page.shows("weaker than any number"),
        "{page:?}"
    );
    let stored = stage.act(|conn| group::find(conn, POOL, name).unwrap().unwrap());
    assert_eq!(stored.description.as_deref(), Some("Those who <i>think</i>"));
    assert_eq!(stored.precedence, None);

    let delete = links(&page.body)
        .into_iter()
        .find(|href| href.contains("/group/delete"))
        .unwrap();
    let page = operator.open(&delete).await.expect(200);
    let form = Form::to(&page.body, &path("group/delete"));
    operator.submit(&form, &[("typed", "R&D")]).await.expect(422);
    let page = operator.submit(&form, &[("typed", name)]).await;
    assert!(page.shows("Deleted."), "{page:?}");
    assert!(stage.act(|conn| group::find(conn, POOL, name).unwrap()).is_none());
    operator.open(&link).await.expect(404);
}

#[actix_web::test]
async fn members_and_groups_are_paged() {
    let stage = Stage::new().await;
    let ctx = stage.ctx();
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let ada = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
    stage.act(|conn| {
        for index in 0..60 {
            let name = format!("made-{index:02}");
            forebay::actions::groups::create(conn, &ctx, POOL, &name, Default::default()).unwrap();
        }
        users::add_to_group(conn, &ctx, &Reach::everything(), &ada, "made-07").unwrap();
        // By the mapping as well: still one member.
        users::add_to_group(conn, &ctx, &Reach::everything(), &ada, "Everyone").unwrap();
    });
    let mut operator = stage.console(OPERATOR);
    let first = operator.open(&path("groups?q=MADE-")).await.expect(200);
    assert_eq!(first.body.matches("<th scope=\"row\">").count(), 50);
    let next = links(&first.body)
        .into_iter()
        .find(|href| href.contains("after="))
        .unwrap();
    let second = operator.open(&next).await.expect(200);
    assert_eq!(second.body.matches("<th scope=\"row\">").count(), 10);
    assert!(!links(&second.body).iter().any(|href| href.contains("after=")));
    let page = operator.open(&path("groups?q=_%25")).await.expect(200);
    assert!(page.shows("No group's name contains that."), "{page:?}");
    for name in ["made-07", "Everyone"] {
        let page = operator
            .open(&path(&format!("group?name={name}")))
            .await
            .expect(200);
        assert!(
            page.shows("ada@acme.test") && page.shows("<dd>1</dd>"),
            "{page:?}"
        );
    }
}

#[actix_web::test]
async fn groups_are_the_pools_and_no_tenants() {
    let stage = Stage::new().await;
    stage.add_other_pool();
    let mut acme = stage.console("admin@acme.test");
    for what in [
        "groups",
        "groups/new",
        "group?name=Everyone",
        "group/edit?name=Everyone",
        "group/delete?name=Everyone",
    ] {
        acme.open(&path(what)).await.expect(404);
    }
    let mut operator = stage.console(OPERATOR);
    operator.open("/console/pools/nowhere/groups").await.expect(404);
    operator
        .open(&format!("/console/pools/{OTHER_POOL}/groups"))
        .await
        .expect(200);
    let page = operator.open(&path("groups/new")).await.expect(200);
    let form = Form::to(&page.body, &path("groups/new"));
    operator
        .submit(&form, &[("name", "x"), ("csrf", "forged")])
        .await
        .expect(403);
    stage.clock.advance(11 * 60);
    let asked = operator.open(&path("group/delete?name=x")).await;
    assert!(asked.location().starts_with("/console/prove?next="), "{asked:?}");
}
