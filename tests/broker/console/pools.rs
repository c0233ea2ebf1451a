//! Pools: found, made, changed, deleted.

use forebay::demo::{OPERATOR, POOL};
use forebay::model::{key, pool};

use super::rooms::{
    OTHER_ADMIN, VIEWER, are_not_found, fill, signed_in, stage, want_a_proof, want_the_token,
};
use crate::support::{Form, OTHER_POOL, Stage, unescape};

fn at(path: &str) -> String {
    format!("/console/pools/{POOL}{path}")
}

fn stored(stage: &Stage, id: &str) -> Option<pool::Pool> {
    stage.act(|conn| pool::find(conn, id).unwrap())
}

#[actix_web::test]
async fn pools_are_listed_searched_and_paged_within_reach() {
    let stage = stage().await;
    let mut operator = signed_in(&stage, OPERATOR);
    let page = operator.open("/console/pools").await.expect(200);
    assert!(page.shows("Forebay demo") && page.shows(OTHER_POOL), "{page:?}");
    assert!(page.shows("New pool"));
    let page = operator
        .open("/console/pools?search=FOREBAY%20d")
        .await
        .expect(200);
    assert!(page.shows(POOL) && !page.shows(OTHER_POOL), "{page:?}");
    let page = operator.open("/console/pools?search=%25").await.expect(200);
    assert!(page.shows("No pool has"), "{page:?}");

    let mut other = signed_in(&stage, OTHER_ADMIN);
    let page = other.open("/console/pools").await.expect(200);
    assert!(!page.shows(POOL) && page.shows(OTHER_POOL), "{page:?}");
    assert!(!page.shows("New pool"), "{page:?}");
    are_not_found(&stage, &["admin@acme.test"], &["/console/pools"], &[]).await;

    stage.act(|conn| {
        for n in 0..60 {
            let row = pool::Pool {
                id: format!("us-local-1_Page{n:02}"),
                name: format!("Page {:02}", n / 2),
                settings: Default::default(),
                created_at: crate::support::NOW,
                updated_at: crate::support::NOW,
            };
            assert!(pool::insert(conn, &row).unwrap());
        }
    });
    let (mut seen, mut next) = (Vec::new(), "/console/pools?search=page".to_owned());
    loop {
        let page = operator.open(&next).await.expect(200);
        let shown = page
            .body
            .matches("<th scope=\"row\"><a href=\"/console/pools/")
            .count();
        seen.push(shown);
        let Some(link) = page.body.split("rel=\"next\" href=\"").nth(1) else {
            break;
        };
        next = unescape(link.split('"').next().unwrap());
    }
    assert_eq!(seen, [50, 10]);
}

#[actix_web::test]
async fn the_overview_has_what_apps_need_and_the_numbers() {
    let stage = stage().await;
    for email in [OPERATOR, VIEWER] {
        let mut browser = signed_in(&stage, email);
        let page = browser.open(&at("")).await.expect(200);
        for text in [
            &stage.issuer(),
            "/.well-known/openid-configuration",
            "/.well-known/jwks.json",
            &format!("/console/connections?pool={POOL}"),
            &format!("/console/clients?pool={POOL}"),
            &format!("/console/users?pool={POOL}"),
            &at("/groups"),
        ] {
            assert!(page.shows(text), "{text}: {page:?}");
        }
        assert!(page.body.contains(&format!("{POOL}\">3</a>")), "{page:?}");
        assert_eq!(page.shows(&at("/edit")), email == OPERATOR);
    }
}

#[actix_web::test]
async fn an_operator_makes_a_pool_that_signs_at_once() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    let form = [
        ("name", "Initech"),
        ("id", "us-local-1_Initech"),
        ("attributes", "email"),
        ("trace_days", "30"),
    ];
    let page = fill(&mut browser, "/console/pools/new", "/console/pools/new", &form).await;
    assert_eq!(browser.url.path(), "/console/pools/us-local-1_Initech");
    assert!(page.shows("Created."), "{page:?}");
    let made = stored(&stage, "us-local-1_Initech").unwrap();
    assert!(made.settings.deletion_protection && made.settings.case_sensitive);
    assert_eq!(
        (made.settings.trace_days, made.settings.key_rotation_days),
        (30, 90)
    );
    assert!(made.settings.attribute("email").unwrap().required);
    let keys = stage
        .get("/us-local-1_Initech/.well-known/jwks.json")
        .await
        .expect(200)
        .json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    are_not_found(
        &stage,
        &[OTHER_ADMIN, VIEWER, "admin@acme.test"],
        &["/console/pools/new"],
        &["/console/pools/new"],
    )
    .await;
    want_the_token(&stage, &["/console/pools/new"]).await;
}

#[actix_web::test]
async fn what_is_wrong_with_a_pool_stands_at_its_field_and_nothing_is_lost() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: [Case<'_>; 5] = [
        (&[("name", "")], "name", "1-128"),
        (&[("name", "A"), ("id", "acme")], "id", "must look like"),
        (&[("name", "A"), ("id", POOL)], "id", "already exists"),
        (
            &[("name", "A"), ("trace_days", "often")],
            "trace_days",
            "whole number",
        ),
        (
            &[("name", "A"), ("key_rotation_days", "4000")],
            "key_rotation_days",
            "0 (never) to",
        ),
    ];
    for (form, field, why) in cases {
        let page = fill(&mut browser, "/console/pools/new", "/console/pools/new", form).await;
        assert_eq!(page.status, 422, "{page:?}");
        let error = page
            .body
            .split(&format!("id=\"{field}-error\">"))
            .nth(1)
            .unwrap_or_else(|| panic!("{field}: {page:?}"));
        assert!(unescape(error).contains(why), "{field}: {page:?}");
        let kept = Form::to(&page.body, "/console/pools/new").fields;
        for (name, value) in form {
            assert!(
                kept.contains(&((*name).to_owned(), (*value).to_owned())),
                "{name}: {kept:?}"
            );
        }
    }
}

#[actix_web::test]
async fn settings_change_and_bite_at_once() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    let form = [("name", "Renamed"), ("trace_days", "7"), ("cognito_exact", "on")];
    let page = fill(&mut browser, &at("/edit"), &at("/edit"), &form).await;
    assert!(page.shows("Saved.") && page.shows("Renamed"), "{page:?}");
    let row = stored(&stage, POOL).unwrap();
    assert_eq!((row.settings.trace_days, row.settings.cognito_exact), (7, true));
    // What the form does not speak of stays.
    assert_eq!(row.settings.attributes.len(), 1);
    let page = fill(&mut browser, &at("/edit"), &at("/edit"), &[("trace_days", "0")]).await;
    assert_eq!(page.status, 422);
    assert!(page.body.contains("id=\"trace_days-error\""), "{page:?}");

    are_not_found(
        &stage,
        &[OTHER_ADMIN, "admin@acme.test"],
        &[&at(""), &at("/edit"), &at("/attributes"), &at("/delete")],
        &[&at("/edit"), &at("/attributes"), &at("/delete")],
    )
    .await;
    are_not_found(
        &stage,
        &[VIEWER],
        &[&at("/edit"), &at("/delete")],
        &[&at("/edit"), &at("/attributes"), &at("/delete")],
    )
    .await;
    want_the_token(&stage, &[&at("/edit"), &at("/attributes"), &at("/delete")]).await;
}

#[actix_web::test]
async fn the_schema_grows() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    let form = [("attributes", "level"), ("kind", "Number"), ("immutable", "on")];
    let page = fill(&mut browser, &at("/attributes"), &at("/attributes"), &form).await;
    assert!(page.shows("custom:level"), "{page:?}");
    let level = stored(&stage, POOL)
        .unwrap()
        .settings
        .attribute("custom:level")
        .unwrap();
    assert_eq!((level.kind.as_str(), level.mutable), ("Number", false));
    for wrong in ["level", "custom:department", "", "two words"] {
        let form = [("attributes", wrong)];
        let page = fill(&mut browser, &at("/attributes"), &at("/attributes"), &form).await;
        assert_eq!(page.status, 422, "{wrong}: {page:?}");
        assert!(page.body.contains("id=\"attributes-error\""), "{wrong}");
    }
    assert_eq!(stored(&stage, POOL).unwrap().settings.attributes.len(), 2);
}

#[actix_web::test]
async fn a_pool_goes_when_its_name_is_typed_and_nothing_protects_it() {
    let stage = stage().await;
    want_a_proof(
        &stage,
        &[&at("/delete")],
        &[(&at("/delete"), "confirm=Forebay demo")],
    )
    .await;
    let mut browser = signed_in(&stage, OPERATOR);
    let page = fill(
        &mut browser,
        &at("/delete"),
        &at("/delete"),
        &[("confirm", "Other")],
    )
    .await;
    assert_eq!(page.status, 422, "{page:?}");
    assert!(page.body.contains("id=\"confirm-error\""), "{page:?}");

    // Protection set between the page and the form.
    let shown = browser.open(&at("/delete")).await.expect(200);
    stage.change_pool(|settings| settings.deletion_protection = true);
    let form = Form::to(&shown.body, &at("/delete"));
    let page = browser.submit(&form, &[("confirm", "Forebay demo")]).await;
    assert_eq!(page.status, 422, "{page:?}");
    assert!(page.shows("is protected from deletion"), "{page:?}");
    assert!(stored(&stage, POOL).is_some());

    stage.change_pool(|settings| settings.deletion_protection = false);
    let page = browser.submit(&form, &[("confirm", "Forebay demo")]).await;
    assert!(page.shows("Deleted."), "{page:?}");
    assert!(stored(&stage, POOL).is_none());
    assert!(stage.act(|conn| key::of_pool(conn, POOL).unwrap()).is_empty());
    stage
        .get(&format!("/{POOL}/.well-known/openid-configuration"))
        .await
        .expect(404);
}
