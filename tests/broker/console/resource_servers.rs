//! Resource servers: made, changed, deleted, with the scopes that clients have of them.

use forebay::demo::{API, MACHINE_CLIENT, OPERATOR, POOL};
use forebay::model::{client, resource_server};

use super::rooms::{
    OTHER_ADMIN, VIEWER, are_not_found, fill, signed_in, stage, want_a_proof, want_the_token,
};
use crate::support::{Form, Stage};

fn at(path: &str) -> String {
    format!("/console/pools/{POOL}/resource-servers{path}")
}

fn scopes(stage: &Stage, identifier: &str) -> Option<Vec<String>> {
    stage.act(|conn| {
        let server = resource_server::find(conn, POOL, identifier).unwrap()?;
        Some(server.scopes.0.into_iter().map(|scope| scope.name).collect())
    })
}

fn machine_scopes(stage: &Stage) -> Vec<String> {
    stage.act(|conn| {
        client::find(conn, MACHINE_CLIENT)
            .unwrap()
            .unwrap()
            .settings
            .0
            .scopes
    })
}

#[actix_web::test]
async fn a_resource_server_is_made_changed_and_deleted() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    let identifier = "https://api.example.com/v1";
    let form = [
        ("identifier", identifier),
        ("name", "Orders"),
        ("scope_name", "read"),
        ("scope_description", "Read orders"),
    ];
    let page = fill(&mut browser, &at("/new"), &at("/new"), &form).await;
    assert!(
        page.shows("Created.") && page.shows(&format!("{identifier}/read")),
        "{page:?}"
    );
    assert_eq!(scopes(&stage, identifier).unwrap(), ["read"]);

    let path = at("/edit?identifier=https%3A%2F%2Fapi.example.com%2Fv1");
    let shown = browser.open(&path).await.expect(200);
    let mut form = Form::to(&shown.body, &at("/edit"));
    assert!(
        form.fields.contains(&("scope_name".into(), "read".into())),
        "{form:?}"
    );
    // Into the first of the empty rows.
    for (name, value) in [("scope_name", "write"), ("scope_description", "Write orders")] {
        let empty = form
            .fields
            .iter_mut()
            .find(|(field, text)| field == name && text.is_empty())
            .unwrap();
        empty.1 = value.into();
    }
    let page = browser.submit(&form, &[("name", "All orders")]).await;
    assert!(page.shows("Saved.") && page.shows("All orders"), "{page:?}");
    assert_eq!(scopes(&stage, identifier).unwrap(), ["read", "write"]);

    for (field, value, place) in [
        ("identifier", "a b", "identifier"),
        ("identifier", API, "identifier"),
        ("name", "", "name"),
        ("scope_description", "a description without a name", "scopes"),
    ] {
        let mut typed = vec![("identifier", "fresh"), ("name", "Fresh")];
        typed.retain(|(name, _)| *name != field);
        typed.push((field, value));
        let page = fill(&mut browser, &at("/new"), &at("/new"), &typed).await;
        assert_eq!(page.status, 422, "{field}: {page:?}");
        assert!(page.body.contains(&format!("id=\"{place}-error\"")), "{page:?}");
        assert!(
            Form::to(&page.body, &at("/new"))
                .fields
                .contains(&(field.into(), value.into())),
            "{page:?}"
        );
    }
}

#[actix_web::test]
async fn scopes_that_go_are_taken_from_the_clients_that_had_them() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    assert_eq!(machine_scopes(&stage), ["demo-api/read"]);
    let (edit, delete) = (
        at(&format!("/edit?identifier={API}")),
        at(&format!("/delete?identifier={API}")),
    );
    // Named anew, the scopes are as they were.
    fill(&mut browser, &edit, &at("/edit"), &[("name", "Same API")]).await;
    assert_eq!(machine_scopes(&stage), ["demo-api/read"]);

    let page = browser.open(&delete).await.expect(200);
    assert!(page.shows("Sample machine"), "{page:?}");
    let page = fill(&mut browser, &delete, &at("/delete"), &[("confirm", "demo")]).await;
    assert_eq!(page.status, 422, "{page:?}");
    assert!(page.body.contains("id=\"confirm-error\""), "{page:?}");
    let page = fill(&mut browser, &delete, &at("/delete"), &[("confirm", API)]).await;
    assert!(page.shows("Deleted."), "{page:?}");
    assert_eq!(scopes(&stage, API), None);
    assert!(machine_scopes(&stage).is_empty());
    // The broker knows at once.
    stage.as_machine(&[("scope", "demo-api/read")]).await.expect(400);
}

#[actix_web::test]
async fn others_find_none_of_it() {
    let stage = stage().await;
    let (edit, delete) = (
        at(&format!("/edit?identifier={API}")),
        at(&format!("/delete?identifier={API}")),
    );
    are_not_found(
        &stage,
        &[OTHER_ADMIN, "admin@acme.test"],
        &[&at(""), &at("/new"), &edit, &delete],
        &[&at("/new"), &edit, &delete],
    )
    .await;
    are_not_found(
        &stage,
        &[VIEWER],
        &[&at("/new"), &edit, &delete],
        &[&at("/new"), &edit, &delete],
    )
    .await;
    are_not_found(&stage, &[OPERATOR], &[&at("/edit?identifier=none")], &[]).await;
    want_the_token(&stage, &[&at("/new"), &edit, &delete]).await;
    want_a_proof(&stage, &[&delete], &[(&delete, "confirm=demo-api")]).await;
    assert!(scopes(&stage, API).is_some());
}
