//! Who sees and changes which connection. What is outside is not there, whatever is asked of it.

use forebay::actions::admins::{self, NewAdministrator, Scope};
use forebay::actions::tenants;
use forebay::demo::POOL;
use forebay::model::administrator::Role;
use forebay::model::provider::{self, State};

use super::{ACME_ADMIN, GLOBEX_ADMIN, OPERATOR, connection};
use crate::support::{OTHER_POOL, Stage};

const PAGES: [&str; 10] = [
    "",
    "/okta",
    "/issuer",
    "/credentials",
    "/check",
    "/test-sign-in",
    "/live",
    "/settings",
    "/secrets",
    "/delete",
];

/// Makes one more administrator.
fn administrator(stage: &Stage, email: &str, role: Role, scope: Scope) {
    stage.console(OPERATOR);
    let ctx = stage.ctx();
    let new = NewAdministrator {
        email: email.into(),
        name: email.into(),
        password_hash: None,
        roles: vec![(role, scope)],
    };
    stage.act(|conn| admins::create(conn, &ctx, new).unwrap());
}

#[actix_web::test]
async fn the_other_tenants_connection_is_as_good_as_none() {
    let stage = Stage::new().await;
    let mut browser = stage.console(GLOBEX_ADMIN);
    let before = stage.act(|conn| provider::list_all(conn).unwrap());
    for page in PAGES {
        let theirs = browser
            .open(&format!("/console/connections/acme-okta{page}"))
            .await;
        let nobodys = browser.open(&format!("/console/connections/no-such{page}")).await;
        assert_eq!((theirs.status, nobodys.status), (404, 404), "{page}");
        assert_eq!(theirs.body, nobodys.body, "{page}");
    }
    let own = browser
        .open("/console/connections/globex-okta/check")
        .await
        .expect(200);
    let csrf = crate::support::Form::to(&own.body, "/console/connections/globex-okta/check").fields;
    for page in [
        "issuer",
        "credentials",
        "check",
        "test-sign-in",
        "live",
        "settings",
        "secrets",
        "secrets/promote",
        "disable",
        "enable",
        "delete",
    ] {
        let mut fields = csrf.clone();
        for (name, value) in [
            ("name", "acme-okta"),
            ("client_id", "x"),
            ("client_secret", "y"),
            ("issuer", "https://evil.okta.com"),
            ("label", "z"),
        ] {
            fields.push((name.into(), value.into()));
        }
        let path = format!("/console/connections/acme-okta/{page}");
        let answer = browser.request("POST", &path, &fields).await;
        assert_eq!(answer.status, 404, "{page}: {answer:?}");
    }
    assert_eq!(stage.act(|conn| provider::list_all(conn).unwrap()), before);
    assert_eq!(stage.acme.requests().len(), 0, "nobody was called");
}

#[actix_web::test]
async fn lists_hold_what_is_within_reach_and_nothing_else() {
    let stage = Stage::new().await;
    stage.add_other_pool();
    let other = "acme-of-the-other-pool";
    administrator(
        &stage,
        "pool@forebay.test",
        Role::PoolAdmin,
        Scope::Pool(OTHER_POOL.into()),
    );
    administrator(
        &stage,
        "nobody@forebay.test",
        Role::TenantAdmin,
        Scope::Tenant("globex".into()),
    );
    for (email, sees, misses) in [
        (OPERATOR, vec!["acme-okta", "globex-okta", other], vec![]),
        (ACME_ADMIN, vec!["acme-okta"], vec!["globex-okta", other]),
        ("pool@forebay.test", vec![other], vec!["globex-okta"]),
    ] {
        let list = stage
            .console(email)
            .open("/console/connections")
            .await
            .expect(200);
        for id in sees {
            assert!(
                list.body.contains(&format!("/console/connections/{id}\"")),
                "{email} {id}"
            );
        }
        for id in misses {
            assert!(
                !list.body.contains(&format!("/console/connections/{id}\"")),
                "{email} {id}"
            );
        }
    }
    let mut operator = stage.console(OPERATOR);
    let found = operator.open("/console/connections?q=GLOBEX").await.expect(200);
    assert!(
        found.shows("globex-okta") && !found.shows("acme-okta"),
        "{found:?}"
    );
    let none = operator.open("/console/connections?q=%25").await.expect(200);
    assert!(none.shows("No connection matches"), "{none:?}");
    let pool = operator
        .open(&format!("/console/connections?pool={OTHER_POOL}"))
        .await
        .expect(200);
    assert!(
        pool.body.contains(other) && !pool.shows("globex-okta"),
        "{pool:?}"
    );
}

#[actix_web::test]
async fn a_long_list_has_pages() {
    let stage = Stage::new().await;
    let mut operator = stage.console(OPERATOR);
    stage.act(|conn| {
        let row = provider::find(conn, "acme-okta").unwrap().unwrap();
        for number in 0..60 {
            let mut copy = row.clone();
            copy.id = format!("copy-{number:02}");
            copy.name = format!("copy-{number:02}");
            assert!(provider::insert(conn, &copy).unwrap());
        }
    });
    let mut path = "/console/connections".to_owned();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let page = operator.open(&path).await.expect(200);
        seen.extend(
            crate::support::links(&page.body)
                .into_iter()
                .filter(|href| href.starts_with("/console/connections/") && !href.ends_with("/new")),
        );
        path = crate::support::links(&page.body)
            .into_iter()
            .find(|href| href.contains("after="))
            .unwrap_or_default();
    }
    assert_eq!(path, "", "two pages are all");
    assert_eq!(seen.len(), 62);
    assert!(seen.is_sorted(), "{seen:?}");
}

#[actix_web::test]
async fn a_viewer_looks_and_changes_nothing() {
    let stage = Stage::new().await;
    administrator(
        &stage,
        "viewer@forebay.test",
        Role::Viewer,
        Scope::Tenant("acme".into()),
    );
    let mut browser = stage.console("viewer@forebay.test");
    let page = browser.open("/console/connections/acme-okta").await.expect(200);
    assert!(!page.body.contains("/disable"), "{page:?}");
    browser
        .open("/console/connections/acme-okta/okta")
        .await
        .expect(200);
    for page in PAGES.into_iter().filter(|page| !matches!(*page, "" | "/okta")) {
        let answer = browser
            .open(&format!("/console/connections/acme-okta{page}"))
            .await;
        assert_eq!(answer.status, 404, "{page}");
    }
    browser.open("/console/connections/new").await.expect(404);
    let csrf = crate::support::Form::to(&page.body, "/console/sign-out").fields;
    for page in ["check", "disable", "settings", "delete"] {
        let path = format!("/console/connections/acme-okta/{page}");
        assert_eq!(browser.request("POST", &path, &csrf).await.status, 404, "{page}");
    }
    assert_eq!(connection(&stage, "acme-okta").state(), State::Live);
}

#[actix_web::test]
async fn an_administrator_of_two_tenants_chooses() {
    let stage = Stage::new().await;
    administrator(
        &stage,
        "both@forebay.test",
        Role::TenantAdmin,
        Scope::Tenant("acme".into()),
    );
    let ctx = stage.ctx();
    stage.act(|conn| {
        use forebay::model::administrator::{find_by_email, grants, set_grants};
        let both = find_by_email(conn, "both@forebay.test").unwrap().unwrap();
        let mut roles = grants(conn, &both.id).unwrap();
        let mut second = roles[0].clone();
        second.tenant_id = Some("globex".into());
        second.scope = "globex".into();
        roles.push(second);
        set_grants(conn, &both.id, &roles).unwrap();
        tenants::rename(
            conn,
            &ctx,
            &forebay::model::reach::Reach::everything(),
            "globex",
            "Globex Inc",
        )
        .unwrap();
    });
    let mut browser = stage.console("both@forebay.test");
    let page = browser.open("/console/connections/new").await.expect(200);
    assert!(page.shows("Globex Inc – in Forebay demo"), "{page:?}");
    assert!(!page.body.contains(&format!("pool:{POOL}")));
    let form = crate::support::Form::to(&page.body, "/console/connections/new");
    let missing = browser
        .submit(&form, &[("domain", "acme.okta.com")])
        .await
        .expect(422);
    assert!(missing.shows("Choose whose connection it is"), "{missing:?}");
}

#[actix_web::test]
async fn a_tenants_administrator_leaves_routing_and_callback_to_the_operator() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    let path = "/console/connections/acme-okta/settings";
    let page = browser.open(path).await.expect(200);
    assert!(!page.body.contains("name=\"identifiers\""), "{page:?}");
    let form = crate::support::Form::to(&page.body, path);
    let fields = [
        ("label", "Acme"),
        ("identifiers", "globex.test"),
        ("signs_out", "on"),
    ];
    browser.submit(&form, &fields).await.expect(200);
    let row = connection(&stage, "acme-okta");
    assert_eq!(
        (row.settings.label.as_str(), row.settings.upstream_logout),
        ("Acme", true)
    );
    let identifiers = stage.act(|conn| provider::identifiers(conn, "acme-okta").unwrap());
    assert_eq!(identifiers, ["acme.test"]);
    let mut operator = stage.console(OPERATOR);
    let taken = super::fill(&mut operator, path, &[("identifiers", "acme.test\nglobex.test")])
        .await
        .expect(422);
    assert!(taken.shows("'globex.test' leads to another"), "{taken:?}");
    super::fill(&mut operator, path, &[("identifiers", "acme.test\nacme.example")])
        .await
        .expect(200);
}
