//! The audit log: within reach, searchable, exported whole, and not kept for ever.

use forebay::actions::admins::{self, NewAdministrator, Scope};
use forebay::actions::tenants::{self, NewTenant};
use forebay::actions::{self, Ctx, providers, record};
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::jobs;
use forebay::model::administrator::Role;
use forebay::model::audit;
use forebay::model::reach::Reach;
use serde_json::{Value, json};

use crate::support::{Answer, Browser, Stage, links};
use crate::upstream::attempt;

const DAY: i64 = 86_400;

fn by(stage: &Stage, actor: &str) -> Ctx {
    stage.broker.ctx(actor, "request")
}

async fn rows(browser: &mut Browser<'_>, query: &str) -> Vec<Value> {
    let answer = browser
        .open(&format!("/console/audit/events.json?{query}"))
        .await
        .expect(200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    answer.json().as_array().unwrap().clone()
}

async fn actions_in(browser: &mut Browser<'_>, query: &str) -> Vec<String> {
    rows(browser, query)
        .await
        .iter()
        .map(|row| row["action"].as_str().unwrap().to_owned())
        .collect()
}

fn count(answer: &Answer) -> usize {
    answer.body.matches("<th scope=\"row\"><time").count()
}

#[actix_web::test]
async fn what_was_changed_stands_there_member_by_member() {
    let stage = Stage::new().await;
    let mut operator = stage.console("operator@forebay.test");
    let ctx = by(&stage, "admin:ada@acme.test");
    stage.act(|conn| tenants::rename(conn, &ctx, &Reach::everything(), "acme", "Acme Inc.").unwrap());
    let page = operator
        .open("/console/audit?action=tenant.update")
        .await
        .expect(200);
    assert_eq!(count(&page), 1);
    for shown in [
        "admin:ada@acme.test",
        "tenant.update",
        "name: <del>Acme</del> → <ins>Acme Inc.</ins>",
    ] {
        assert!(page.body.contains(shown), "no {shown} in {}", page.body);
    }
}

#[actix_web::test]
async fn everybody_sees_the_events_of_their_own_things_and_no_others() {
    let stage = Stage::new().await;
    let mut operator = stage.console("operator@forebay.test");
    let mut acme = stage.console("admin@acme.test");
    let mut globex = stage.console("admin@globex.test");
    attempt(&stage, "ada@acme.test").await.expect(302);
    let ctx = by(&stage, "admin:somebody@forebay.test");
    stage.act(|conn| {
        record(
            conn,
            &ctx,
            "provider.update",
            Some(POOL),
            "acme-okta",
            json!({ "mine": true }),
        )
        .unwrap();
        record(conn, &ctx, "client.update", Some(POOL), WEB_CLIENT, json!({})).unwrap();
        record(
            conn,
            &ctx,
            "connection.claim.accept",
            Some(POOL),
            "acme-okta",
            json!({ "claim": "dept" }),
        )
        .unwrap();
        record(
            conn,
            &ctx,
            "administrator.roles",
            None,
            "admin@acme.test",
            json!({}),
        )
        .unwrap();
        record(
            conn,
            &ctx,
            "administrator.roles",
            None,
            "operator@forebay.test",
            json!({}),
        )
        .unwrap();
    });
    let own = actions_in(&mut acme, "sign-ins=yes").await;
    for action in [
        "tenant.create",
        "provider.update",
        "connection.claim.accept",
        "user.create",
        "administrator.roles",
        "administrator.create",
    ] {
        assert!(own.iter().any(|one| one == action), "{action} in {own:?}");
    }
    assert!(
        !own.iter()
            .any(|one| one.starts_with("client.") || one.starts_with("pool.")),
        "{own:?}"
    );
    assert_eq!(
        own.iter().filter(|one| *one == "administrator.roles").count(),
        1,
        "not the operator's"
    );
    let theirs = rows(&mut globex, "sign-ins=yes").await;
    assert!(!theirs.is_empty());
    for row in &theirs {
        assert!(!row.to_string().contains("acme"), "{row}");
    }
    let all = rows(&mut operator, "sign-ins=yes").await;
    let in_pool = rows(&mut operator, &format!("pool={POOL}&sign-ins=yes")).await;
    assert!(all.len() > own.len() + theirs.len() && in_pool.len() < all.len());
    // Asking for what is another's by name finds nothing.
    for query in [
        "target=acme-okta",
        "actor=admin@acme.test",
        "target=admin@acme.test",
    ] {
        assert_eq!(rows(&mut globex, query).await, Vec::<Value>::new(), "{query}");
        assert_eq!(
            count(&globex.open(&format!("/console/audit?{query}")).await.expect(200)),
            0
        );
    }
    stage.get("/console/audit").await.expect(303);
    stage.get("/console/audit/events.csv").await.expect(303);
}

#[actix_web::test]
async fn a_pool_administrator_sees_their_pool() {
    let stage = Stage::new().await;
    stage.console("operator@forebay.test");
    stage.add_other_pool();
    let ctx = stage.ctx();
    stage.act(|conn| {
        let new = NewAdministrator {
            email: "pool@forebay.test".into(),
            name: "Pool".into(),
            password_hash: None,
            roles: vec![
                (Role::PoolAdmin, Scope::Pool(crate::support::OTHER_POOL.into())),
                (Role::Viewer, Scope::Tenant("acme".into())),
            ],
        };
        admins::create(conn, &ctx, new).unwrap();
    });
    let mut pool = stage.console("pool@forebay.test");
    let seen = rows(&mut pool, "").await;
    assert!(
        seen.iter()
            .any(|row| row["action"] == "pool.create" && row["target"] == crate::support::OTHER_POOL)
    );
    assert!(seen.iter().any(|row| row["tenant_id"] == "acme"));
    for row in &seen {
        let own = row["user_pool_id"] == crate::support::OTHER_POOL || row["tenant_id"] == "acme";
        assert!(own, "{row}");
    }
    assert_eq!(
        rows(&mut pool, "target=acme-okta").await.len(),
        1,
        "its being given to the tenant"
    );
}

#[actix_web::test]
async fn a_connection_named_like_a_client_makes_the_clients_events_nobodys() {
    let stage = Stage::new().await;
    stage.console("operator@forebay.test");
    let ctx = by(&stage, "admin:somebody@forebay.test");
    stage.act(|conn| {
        use diesel::prelude::*;
        use forebay::db::schema::identity_providers;
        let mut row = forebay::model::provider::find(conn, "acme-okta")
            .unwrap()
            .unwrap();
        row.id = WEB_CLIENT.into();
        row.name = "decoy".into();
        diesel::insert_into(identity_providers::table)
            .values(&row)
            .execute(conn)
            .unwrap();
        record(
            conn,
            &ctx,
            "client.update",
            Some(POOL),
            WEB_CLIENT,
            json!({ "secret": "of the pool" }),
        )
        .unwrap();
    });
    let mut acme = stage.console("admin@acme.test");
    assert_eq!(
        rows(&mut acme, &format!("target={WEB_CLIENT}")).await,
        Vec::<Value>::new()
    );
}

#[actix_web::test]
async fn the_end_of_a_connection_is_still_its_tenants_to_see() {
    let stage = Stage::new().await;
    let mut acme = stage.console("admin@acme.test");
    let ctx = stage.ctx();
    stage.act(|conn| providers::delete(conn, &ctx, "acme-okta").unwrap());
    let seen = actions_in(&mut acme, "target=acme-okta").await;
    assert!(seen.iter().any(|one| one == "provider.delete"), "{seen:?}");
}

#[actix_web::test]
async fn the_log_narrows_by_who_what_which_pool_and_when() {
    let stage = Stage::new().await;
    let mut operator = stage.console("operator@forebay.test");
    stage.act(|conn| {
        for (actor, action, target) in [
            ("admin:Ada@acme.test", "provider.update", "a_b"),
            ("admin:bob@acme.test", "provider.live", "aXb"),
            ("cli:root", "pool.update", POOL),
        ] {
            record(conn, &by(&stage, actor), action, Some(POOL), target, json!({})).unwrap();
        }
    });
    let only = |text: &str| vec![text.to_owned()];
    assert_eq!(
        actions_in(&mut operator, "actor=ADA@").await,
        only("provider.update")
    );
    assert_eq!(
        actions_in(&mut operator, "actor=a_a@").await,
        Vec::<String>::new(),
        "no pattern"
    );
    assert_eq!(
        actions_in(&mut operator, "actor=%25").await,
        Vec::<String>::new(),
        "no pattern"
    );
    assert_eq!(
        actions_in(&mut operator, "target=a_b").await,
        only("provider.update")
    );
    assert_eq!(
        actions_in(&mut operator, "action=provider.live").await,
        only("provider.live")
    );
    assert_eq!(
        actions_in(&mut operator, "action=provider.&actor=acme.test")
            .await
            .len(),
        2
    );
    assert_eq!(
        actions_in(&mut operator, "pool=another").await,
        Vec::<String>::new()
    );
    assert_eq!(
        actions_in(&mut operator, "to=2026-11-20").await,
        Vec::<String>::new()
    );
    assert!(
        !actions_in(&mut operator, "from=2026-11-21&to=2026-11-21")
            .await
            .is_empty()
    );
    attempt(&stage, "ada@acme.test").await.expect(302);
    attempt(&stage, "ada@acme.test").await.expect(302);
    assert_eq!(
        actions_in(&mut operator, "action=user.").await,
        only("user.create")
    );
    assert_eq!(
        actions_in(&mut operator, "action=user.&sign-ins=yes").await,
        ["user.sign_in", "user.create"]
    );
    for nonsense in ["after=x", "after=1.x", "from=x"] {
        operator
            .open(&format!("/console/audit?{nonsense}"))
            .await
            .expect(200);
    }
    operator
        .open("/console/audit/events.csv?from=x")
        .await
        .expect(400);
    stage.clock.advance(31 * DAY);
    let mut operator = stage.console("operator@forebay.test");
    assert_eq!(
        actions_in(&mut operator, "actor=cli:root").await,
        Vec::<String>::new(),
        "thirty days"
    );
    assert_eq!(
        actions_in(&mut operator, "actor=cli:root&from=").await,
        only("pool.update")
    );
}

#[actix_web::test]
async fn a_long_log_is_paged_and_exported_whole() {
    let stage = Stage::new().await;
    let mut operator = stage.console("operator@forebay.test");
    stage.act(|conn| {
        let ctx = by(&stage, "cli:many");
        for number in 0..1_203 {
            record(
                conn,
                &ctx,
                "client.update",
                Some(POOL),
                &format!("c{number}"),
                json!({ "n": number }),
            )
            .unwrap();
        }
    });
    let all = rows(&mut operator, "actor=cli:many").await;
    let numbers: Vec<i64> = all
        .iter()
        .map(|row| row["difference"]["n"].as_i64().unwrap())
        .collect();
    assert_eq!(
        numbers,
        (0..1_203).rev().collect::<Vec<_>>(),
        "newest first, each once"
    );
    let answer = operator
        .open("/console/audit/events.csv?actor=cli:many")
        .await
        .expect(200);
    assert_eq!(
        answer.header("content-disposition"),
        Some("attachment; filename=\"forebay-audit-2026-11-21.csv\"")
    );
    let mut reader = csv::Reader::from_reader(answer.body.as_bytes());
    assert_eq!(
        reader
            .records()
            .map(|row| row.unwrap())
            .filter(|row| row[1] == *"cli:many")
            .count(),
        1_203
    );

    let mut page = operator.open("/console/audit?actor=cli:many").await.expect(200);
    let mut seen = count(&page);
    assert_eq!(seen, 50);
    while let Some(next) = links(&page.body)
        .into_iter()
        .find(|href| href.contains("/console/audit?") && href.contains("after="))
    {
        page = operator.open(&next).await.expect(200);
        seen += count(&page);
    }
    assert_eq!(seen, 1_203);
}

#[actix_web::test]
async fn markup_and_formulas_in_events_do_no_harm() {
    let stage = Stage::new().await;
    let mut operator = stage.console("operator@forebay.test");
    let hostile = "<script>alert(1)</script>";
    stage.act(|conn| {
        let ctx = by(&stage, "=cmd|'/C calc'!A0");
        record(
            conn,
            &ctx,
            "client.update",
            Some(POOL),
            hostile,
            json!({ hostile: { "old": hostile, "new": "@SUM(1)" } }),
        )
        .unwrap();
        record(
            conn,
            &ctx,
            "provider.update",
            Some(POOL),
            "javascript:alert(1)",
            json!("+1"),
        )
        .unwrap();
    });
    let page = operator.open("/console/audit").await.expect(200);
    assert!(page.shows(hostile) && !page.body.contains(hostile), "{page:?}");
    assert!(
        links(&page.body).iter().all(|href| !href.contains("alert")),
        "{page:?}"
    );
    let file = operator.open("/console/audit/events.csv").await.expect(200);
    assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
    let mut reader = csv::Reader::from_reader(file.body.as_bytes());
    for row in reader.records() {
        for cell in &row.unwrap() {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        }
    }
    let file = operator.open("/console/audit/events.json").await.expect(200);
    assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
    assert!(
        file.header("content-disposition")
            .unwrap()
            .starts_with("attachment")
    );
    assert!(
        file.json()
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["target"] == hostile)
    );
}

#[actix_web::test]
async fn events_go_when_their_time_is_over() {
    let stage = Stage::new().await;
    let before = stage.act(|conn| audit::recent(conn, None, 1_000).unwrap().len());
    assert!(before > 0);
    stage.clock.advance(400 * DAY);
    jobs::clean_up(&stage.broker).await.unwrap();
    assert_eq!(
        stage.act(|conn| audit::recent(conn, None, 1_000).unwrap().len()),
        before
    );
    let ctx = stage.ctx();
    stage.act(|conn| {
        for number in 0..450 {
            actions::record(
                conn,
                &ctx,
                "client.update",
                Some(POOL),
                &number.to_string(),
                json!({}),
            )
            .unwrap();
        }
    });
    stage.clock.advance(1);
    jobs::clean_up(&stage.broker).await.unwrap();
    assert_eq!(
        stage.act(|conn| audit::recent(conn, None, 1_000).unwrap().len()),
        450
    );
    stage.clock.advance(400 * DAY);
    jobs::clean_up(&stage.broker).await.unwrap();
    assert_eq!(
        stage.act(|conn| audit::recent(conn, None, 1_000).unwrap().len()),
        0
    );
}

#[actix_web::test]
async fn a_tenant_under_a_name_that_was_anothers_sees_nothing_of_the_other() {
    let stage = Stage::new().await;
    stage.console("operator@forebay.test");
    stage.add_other_pool();
    let ctx = by(&stage, "admin:somebody@forebay.test");
    stage.act(|conn| {
        record(
            conn,
            &ctx,
            "provider.update",
            Some(POOL),
            "acme-okta",
            json!({ "of": "old" }),
        )
        .unwrap();
    });
    stage.clock.advance(1);
    let ctx = by(&stage, "admin:somebody@forebay.test");
    stage.act(|conn| tenants::delete(conn, &ctx, &Reach::everything(), "acme").unwrap());
    stage.clock.advance(1);
    let ctx = by(&stage, "admin:somebody@forebay.test");
    stage.act(|conn| {
        let tenant = NewTenant {
            id: "acme".into(),
            user_pool_id: crate::support::OTHER_POOL.into(),
            name: "Another Acme".into(),
        };
        tenants::create(conn, &ctx, tenant).unwrap();
        let new = NewAdministrator {
            email: "new@acme.test".into(),
            name: "New".into(),
            password_hash: None,
            roles: vec![(Role::TenantAdmin, Scope::Tenant("acme".into()))],
        };
        admins::create(conn, &ctx, new).unwrap();
    });
    let mut acme = stage.console("new@acme.test");
    let seen = actions_in(&mut acme, "sign-ins=yes").await;
    assert_eq!(seen, ["administrator.create", "tenant.create"]);
    let of_old = rows(&mut acme, "target=acme-okta").await;
    assert_eq!(of_old, Vec::<Value>::new());
}
