//! What the rooms' tests share: an administrator of a pool, the journeys that every form is put through.

use forebay::actions::admins::{self, NewAdministrator, Place, Scope};
use forebay::model::administrator::{self, Role};
use forebay::web::console::door::COOKIE;

use crate::support::{Answer, Browser, Form, OTHER_POOL, Stage};

/// Who has the other pool and nothing of the demo's.
pub const OTHER_ADMIN: &str = "admin@other.test";
/// Who looks at everything and changes nothing.
pub const VIEWER: &str = "viewer@forebay.test";

/// A stage with two pools, and an administrator of each kind.
pub async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.console(forebay::demo::OPERATOR);
    add_others(&stage);
    stage
}

/// The second pool, and an administrator of each kind.
pub fn add_others(stage: &Stage) {
    stage.add_other_pool();
    let ctx = stage.ctx();
    for (email, role, scope) in [
        (OTHER_ADMIN, Role::PoolAdmin, Scope::Pool(OTHER_POOL.into())),
        (VIEWER, Role::Viewer, Scope::Everything),
    ] {
        stage.act(|conn| {
            let new = NewAdministrator {
                email: email.into(),
                name: email.into(),
                password_hash: None,
                roles: vec![(role, scope)],
            };
            admins::create(conn, &ctx, new).unwrap();
        });
    }
}

/// A session of this administrator that began with a proof from just now.
pub fn signed_in<'a>(stage: &'a Stage, email: &str) -> Browser<'a> {
    let ctx = stage.ctx();
    let token = stage.act(|conn| {
        let found = administrator::find_by_email(conn, email).unwrap().unwrap();
        admins::open_session(conn, &ctx, &found.id, "password", ctx.now, Place::default()).unwrap()
    });
    let mut browser = stage.browser();
    browser.set_cookie(COOKIE, &token);
    browser
}

/// Opens a page and sends its form to `action`, filled in so.
pub async fn fill(browser: &mut Browser<'_>, page: &str, action: &str, with: &[(&str, &str)]) -> Answer {
    let shown = browser.open(page).await.expect(200);
    browser.submit(&Form::to(&shown.body, action), with).await
}

/// None of these administrators finds anything at these addresses, by GET or by POST.
pub async fn are_not_found(stage: &Stage, emails: &[&str], gets: &[&str], posts: &[&str]) {
    for email in emails {
        let mut browser = signed_in(stage, email);
        // Any form of theirs has the session's token.
        let page = browser.open("/console").await.expect(200);
        let csrf = Form::to(&page.body, "/console/sign-out").fields;
        for path in gets {
            let answer = browser.open(path).await;
            assert_eq!(answer.status, 404, "{email} GET {path}: {answer:?}");
        }
        for path in posts {
            let answer = browser.request("POST", path, &csrf).await;
            assert_eq!(answer.status, 404, "{email} POST {path}: {answer:?}");
        }
    }
}

/// A POST without the session's token is refused, and nobody who is not signed in gets anywhere.
pub async fn want_the_token(stage: &Stage, posts: &[&str]) {
    let mut browser = signed_in(stage, forebay::demo::OPERATOR);
    for path in posts {
        let answer = browser.request("POST", path, &[]).await;
        assert_eq!(answer.status, 403, "POST {path}: {answer:?}");
        let forged = [("csrf".to_owned(), "AAAA".to_owned())];
        let answer = browser.request("POST", path, &forged).await;
        assert_eq!(answer.status, 403, "POST {path}: {answer:?}");
        let answer = stage.post(path, &[], &[]).await;
        assert_eq!(answer.status, 303, "POST {path}: {answer:?}");
        assert!(answer.location().starts_with("/console/sign-in"), "{answer:?}");
    }
}

/// Eleven minutes after the sign-in these lead to the page that asks for a proof, and from there back.
pub async fn want_a_proof(stage: &Stage, gets: &[&str], posts: &[(&str, &str)]) {
    let mut browser = signed_in(stage, forebay::demo::OPERATOR);
    let page = browser.open("/console").await.expect(200);
    let csrf = Form::to(&page.body, "/console/sign-out").fields;
    stage.clock.advance(11 * 60);
    let proves = |answer: &Answer, what: &str| {
        assert_eq!(answer.status, 303, "{what}: {answer:?}");
        assert!(
            answer.location().starts_with("/console/prove?next="),
            "{what}: {answer:?}"
        );
    };
    for path in gets {
        proves(&browser.open(path).await, path);
    }
    for (path, field) in posts {
        let mut fields = csrf.clone();
        if let Some((name, value)) = field.split_once('=') {
            fields.push((name.to_owned(), value.to_owned()));
        }
        proves(&browser.request("POST", path, &fields).await, path);
    }
}
