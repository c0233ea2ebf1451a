//! Credentials of the management API, made and ended in the console.

use forebay::demo::{ACCESS_KEY, OPERATOR, POOL};
use forebay::model::credential::{self, Credential, Role};
use forebay::model::reach::Reach;

use super::rooms::{self, OTHER_ADMIN, VIEWER, signed_in};
use crate::support::{Answer, Browser, Form, OTHER_POOL, Stage};

const TENANT_ADMIN: &str = "admin@acme.test";
const NEW: &str = "/console/credentials/new";
const MAKE: &str = "/console/credentials";

fn all(stage: &Stage) -> Vec<Credential> {
    stage.act(|conn| credential::list_within(conn, &Reach::everything()).unwrap())
}

/// The one that a test made beside the demo's.
fn made_here(stage: &Stage) -> Credential {
    let mut all = all(stage);
    all.retain(|row| row.id != ACCESS_KEY);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn secret_on(page: &Answer) -> String {
    let after = page.body.split("id=\"secret-text\">").nth(1).unwrap();
    after.split('<').next().unwrap().to_owned()
}

/// Makes one through the form; gives it and its secret.
async fn make(stage: &Stage, browser: &mut Browser<'_>, role: &str, pool: &str) -> (Credential, String) {
    let with = [("role", role), ("pool", pool), ("description", "for the tests")];
    let page = rooms::fill(browser, NEW, MAKE, &with).await.expect(200);
    let made = made_here(stage);
    assert!(page.shows(&made.id), "{page:?}");
    (made, secret_on(&page))
}

#[actix_web::test]
async fn a_credential_is_made_shown_once_replaced_switched_off_and_deleted() {
    let stage = rooms::stage().await;
    let mut operator = signed_in(&stage, OPERATOR);
    let list = operator.open(MAKE).await.expect(200);
    assert!(list.shows(ACCESS_KEY) && list.shows("every pool"), "{list:?}");
    let (made, secret) = make(&stage, &mut operator, "admin", POOL).await;
    assert_eq!(
        (made.role, made.user_pool_id.as_deref()),
        (Role::Admin, Some(POOL))
    );
    assert_eq!(made.description, "for the tests");
    let path = format!("{MAKE}/{}", made.id);
    let page = operator.open(&path).await.expect(200);
    assert!(!page.body.contains(&secret), "never again");
    assert!(page.shows("for the tests") && page.shows("never"), "{page:?}");

    let page = operator
        .submit(&Form::to(&page.body, &format!("{path}/rotate")), &[])
        .await
        .expect(200);
    assert_ne!(secret_on(&page), secret);
    assert_ne!(made_here(&stage).secret_sealed, made.secret_sealed);

    for (enabled, said) in [(false, "Disabled."), (true, "Enabled.")] {
        let page = operator.open(&path).await.expect(200);
        let form = Form::to(&page.body, &format!("{path}/enabled"));
        assert!(operator.submit(&form, &[]).await.expect(200).shows(said));
        assert_eq!(made_here(&stage).enabled, enabled);
    }

    let delete = format!("{path}/delete");
    let page = rooms::fill(&mut operator, &delete, &delete, &[("confirm", "another")]).await;
    assert_eq!(page.status, 422, "{page:?}");
    assert_eq!(all(&stage).len(), 2);
    let page = rooms::fill(&mut operator, &delete, &delete, &[("confirm", &made.id)])
        .await
        .expect(200);
    assert!(page.shows("Deleted."), "{page:?}");
    assert_eq!(all(&stage).len(), 1);
}

#[actix_web::test]
async fn an_administrator_of_a_pool_has_those_of_the_pool_and_no_others() {
    let stage = rooms::stage().await;
    let mut other = signed_in(&stage, OTHER_ADMIN);
    let list = other.open(MAKE).await.expect(200);
    assert!(
        list.shows("There is none yet") && !list.shows(ACCESS_KEY),
        "{list:?}"
    );
    for place in ["everything", POOL, "no-such-pool"] {
        let with = [("role", "admin"), ("pool", place), ("description", "")];
        let page = rooms::fill(&mut other, NEW, MAKE, &with).await;
        assert_eq!(page.status, 422, "{place}: {page:?}");
    }
    assert_eq!(all(&stage).len(), 1);
    let (made, _) = make(&stage, &mut other, "read_only", OTHER_POOL).await;
    assert_eq!(
        (made.role, made.user_pool_id.as_deref()),
        (Role::ReadOnly, Some(OTHER_POOL))
    );

    // Who looks at everything sees it and changes nothing.
    let mut viewer = signed_in(&stage, VIEWER);
    let page = viewer.open(&format!("{MAKE}/{}", made.id)).await.expect(200);
    assert!(!page.shows("Replace the secret"), "{page:?}");

    let ends = |id: &str| ["rotate", "enabled", "delete"].map(|end| format!("{MAKE}/{id}/{end}"));
    let path = format!("{MAKE}/{ACCESS_KEY}");
    let posts = ends(ACCESS_KEY);
    let posts: Vec<&str> = posts.iter().map(String::as_str).collect();
    rooms::are_not_found(&stage, &[OTHER_ADMIN, TENANT_ADMIN], &[&path], &posts).await;
    let own = ends(&made.id);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    rooms::are_not_found(&stage, &[VIEWER, TENANT_ADMIN], &[NEW, own[2]], &own).await;
    rooms::are_not_found(&stage, &[TENANT_ADMIN], &[MAKE], &[MAKE]).await;
    assert_eq!(all(&stage).len(), 2);
}

#[actix_web::test]
async fn secrets_and_deletions_want_a_proof_and_every_form_its_token() {
    let stage = rooms::stage().await;
    let path = format!("{MAKE}/{ACCESS_KEY}");
    let [rotate, enabled, delete] = ["rotate", "enabled", "delete"].map(|end| format!("{path}/{end}"));
    rooms::want_the_token(&stage, &[MAKE, &rotate, &enabled, &delete]).await;
    rooms::want_a_proof(
        &stage,
        &[NEW, &delete],
        &[(MAKE, "role=admin"), (&rotate, ""), (&delete, "confirm=x")],
    )
    .await;
    assert_eq!(all(&stage).len(), 1);
}
