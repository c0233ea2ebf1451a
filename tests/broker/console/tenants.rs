//! Tenants: made, renamed, given connections, deleted; and what their own administrators see of it.

use forebay::demo::{OPERATOR, POOL};
use forebay::model::reach::Reach;
use forebay::model::{provider, tenant};

use super::rooms::{
    OTHER_ADMIN, VIEWER, are_not_found, fill, signed_in, stage, want_a_proof, want_the_token,
};
use crate::support::{Form, OTHER_POOL, Stage};

fn at(path: &str) -> String {
    format!("/console/pools/{POOL}/tenants{path}")
}

fn owner(stage: &Stage, connection: &str) -> Option<String> {
    stage.act(|conn| provider::find(conn, connection).unwrap().unwrap().tenant_id)
}

fn name(stage: &Stage, id: &str) -> Option<String> {
    stage.act(|conn| {
        tenant::find(conn, &Reach::everything(), id)
            .unwrap()
            .map(|tenant| tenant.name)
    })
}

#[actix_web::test]
async fn a_tenant_is_made_given_a_connection_and_deleted() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    let form = [("id", "initech"), ("name", "Initech")];
    let page = fill(&mut browser, &at("/new"), &at("/new"), &form).await;
    assert_eq!(browser.url.path(), at("/initech"));
    assert!(
        page.shows("Created.") && page.shows("has no connection yet"),
        "{page:?}"
    );
    for (id, why) in [("initech", "already exists"), ("In Tech", "id")] {
        let form = [("id", id), ("name", "Again")];
        let page = fill(&mut browser, &at("/new"), &at("/new"), &form).await;
        assert_eq!(page.status, 422, "{page:?}");
        assert!(page.body.contains("-error\"") && page.shows(why), "{page:?}");
        assert!(
            Form::to(&page.body, &at("/new"))
                .fields
                .contains(&("name".into(), "Again".into()))
        );
    }

    let connections = at("/initech/connections");
    let form = [("connection", "acme-okta")];
    let page = fill(&mut browser, &at("/initech"), &connections, &form).await;
    assert!(page.shows("acme-okta"), "{page:?}");
    assert_eq!(owner(&stage, "acme-okta").as_deref(), Some("initech"));
    let form = [("connection", "acme-okta"), ("take_back", "on")];
    fill(&mut browser, &at("/initech"), &connections, &form).await;
    assert_eq!(owner(&stage, "acme-okta"), None);
    // Neither another pool's connection, nor back what is another tenant's.
    for form in [
        vec![("connection", "acme-of-the-other-pool")],
        vec![("connection", "globex-okta"), ("take_back", "on")],
        vec![("connection", "nothing")],
    ] {
        let page = fill(&mut browser, &at("/initech"), &connections, &form).await;
        assert_eq!(page.status, 404, "{form:?}: {page:?}");
    }
    assert_eq!(owner(&stage, "globex-okta").as_deref(), Some("globex"));
    // One that is called back at the address without a name is the pool's alone.
    let shown = browser.open(&at("/initech")).await.expect(200);
    let form = Form::to(&shown.body, &connections);
    stage.change_provider("acme-okta", |row| row.settings.shared_callback = true);
    let page = browser.submit(&form, &[("connection", "acme-okta")]).await;
    assert_eq!(page.status, 409, "{page:?}");
    assert_eq!(owner(&stage, "acme-okta"), None);
    stage.change_provider("acme-okta", |row| row.settings.shared_callback = false);

    want_a_proof(
        &stage,
        &[&at("/initech/delete")],
        &[(&at("/initech/delete"), "confirm=Initech")],
    )
    .await;
    let mut browser = signed_in(&stage, OPERATOR);
    fill(
        &mut browser,
        &at("/initech"),
        &connections,
        &[("connection", "acme-okta")],
    )
    .await;
    let delete = at("/initech/delete");
    let page = fill(&mut browser, &delete, &delete, &[("confirm", "initech")]).await;
    assert_eq!(page.status, 422, "{page:?}");
    let page = fill(&mut browser, &delete, &delete, &[("confirm", "Initech")]).await;
    assert!(page.shows("Deleted."), "{page:?}");
    assert_eq!(name(&stage, "initech"), None);
    // The connection is still there, and as the pool's own it is switched off until somebody wants it.
    assert_eq!(owner(&stage, "acme-okta"), None);
    let state = |id| stage.act(|conn| provider::find(conn, id).unwrap().unwrap().state());
    assert_eq!(state("acme-okta"), provider::State::Disabled);
    assert_eq!(state("globex-okta"), provider::State::Live);
}

#[actix_web::test]
async fn a_tenants_administrator_sees_and_renames_their_own_and_no_more() {
    let stage = stage().await;
    let mut admin = signed_in(&stage, "admin@acme.test");
    let page = admin.open(&at("")).await.expect(200);
    assert!(page.shows("/tenants/acme") && !page.shows("globex"), "{page:?}");
    let page = admin.open(&at("/acme")).await.expect(200);
    assert!(page.shows("acme-okta") && !page.shows("globex"), "{page:?}");
    assert!(page.shows("admin@acme.test"), "{page:?}");
    assert!(
        !page.shows("/delete") && !page.shows("/acme/connections"),
        "{page:?}"
    );
    let form = [("name", "Acme GmbH")];
    let page = fill(&mut admin, &at("/acme"), &at("/acme/rename"), &form).await;
    assert!(page.shows("Saved.") && page.shows("Acme GmbH"), "{page:?}");
    assert_eq!(name(&stage, "acme").as_deref(), Some("Acme GmbH"));
    let page = fill(&mut admin, &at("/acme"), &at("/acme/rename"), &[("name", "")]).await;
    assert_eq!(page.status, 422, "{page:?}");
    assert!(page.body.contains("id=\"name-error\""), "{page:?}");

    are_not_found(
        &stage,
        &["admin@acme.test"],
        &[
            &at("/globex"),
            &at("/new"),
            &at("/acme/delete"),
            &at("/globex/delete"),
            &format!("/console/pools/{OTHER_POOL}/tenants"),
            &format!("/console/pools/{OTHER_POOL}/tenants/acme"),
        ],
        &[
            &at("/new"),
            &at("/acme/connections"),
            &at("/acme/delete"),
            &at("/globex/rename"),
            &at("/globex/delete"),
        ],
    )
    .await;
    are_not_found(
        &stage,
        &[OTHER_ADMIN],
        &[&at(""), &at("/acme"), &at("/new")],
        &[&at("/new"), &at("/acme/rename"), &at("/acme/connections")],
    )
    .await;
    are_not_found(
        &stage,
        &[VIEWER],
        &[&at("/new"), &at("/acme/delete")],
        &[&at("/new"), &at("/acme/rename"), &at("/acme/connections")],
    )
    .await;
    want_the_token(
        &stage,
        &[
            &at("/new"),
            &at("/acme/rename"),
            &at("/acme/connections"),
            &at("/acme/delete"),
        ],
    )
    .await;
    assert_eq!(name(&stage, "globex").as_deref(), Some("Globex"));
}
