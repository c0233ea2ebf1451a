//! Two changes of one thing at the same moment: neither takes the other back.

use std::sync::mpsc;
use std::thread;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer};
use forebay::actions::clients::{self, ClientChange};
use forebay::actions::native::accounts::{self, NewUser};
use forebay::actions::providers::{self, Expiries, ProviderChange};
use forebay::actions::{Ctx, mappings, tenant_domains, tenants};
use forebay::db::Conn;
use forebay::demo::{OPERATOR, POOL, WEB_CLIENT};
use forebay::error::Error;
use forebay::model::provider::{self, Provider, Replay};
use forebay::model::reach::Reach;
use forebay::model::{client, pool, tenant_domain};

use serde_json::{Map, json};

use crate::support::{NOW, Stage};

/// Runs `first` in a transaction that stays open until `second`, in one of its own, waits for it.
fn at_once(stage: &Stage, first: impl FnOnce(&mut Conn), second: impl FnOnce(&mut Conn) + Send + 'static) {
    let target = stage.broker.db.target().clone();
    let (begins, begun) = mpsc::channel();
    let other = stage.act(|conn| {
        conn.transaction(|conn| {
            first(conn);
            let other = thread::spawn(move || {
                let mut conn = target.open().unwrap();
                begins.send(process(&mut conn)).unwrap();
                conn.transaction(|conn| {
                    second(conn);
                    QueryResult::Ok(())
                })
                .unwrap();
            });
            wait_for(conn, begun.recv().unwrap());
            QueryResult::Ok(other)
        })
        .unwrap()
    });
    other.join().unwrap();
}

/// The server's process of a connection; SQLite has none.
fn process(conn: &mut Conn) -> Option<i32> {
    use diesel::dsl::sql;
    match conn {
        Conn::Sqlite(_) => None,
        Conn::Postgres(c) => Some(
            diesel::select(sql::<Integer>("pg_backend_pid()"))
                .get_result(c)
                .unwrap(),
        ),
    }
}

/// Until that process waits for a lock. On SQLite whoever writes waits for the whole database.
fn wait_for(conn: &mut Conn, process: Option<i32>) {
    use diesel::dsl::sql;
    let (Conn::Postgres(c), Some(process)) = (conn, process) else {
        return;
    };
    let waiting = format!("(select count(*) from pg_locks where pid = {process} and not granted)");
    for _ in 0..100_000 {
        let locks: i64 = diesel::select(sql::<BigInt>(&waiting)).get_result(c).unwrap();
        if locks > 0 {
            return;
        }
    }
    panic!("nobody waits");
}

/// Switches the connection off while that happens to it; gives what became of it.
fn switched_off_while(
    stage: &Stage,
    ctx: &Ctx,
    happens: impl FnOnce(&mut Conn) + Send + 'static,
) -> Provider {
    let allowed = stage.broker.upstream.allowed().to_vec();
    let off = ProviderChange {
        enabled: Some(false),
        ..ProviderChange::default()
    };
    let find = |conn: &mut Conn| provider::find(conn, "acme-okta").unwrap().unwrap();
    stage.change_provider("acme-okta", |row| row.enabled = true);
    at_once(
        stage,
        |conn| {
            providers::update(conn, ctx, &allowed, "acme-okta", off).unwrap();
        },
        happens,
    );
    let now = stage.act(find);
    assert!(!now.enabled, "{now:?}");
    now
}

#[actix_web::test]
async fn two_changes_of_a_connection_both_stay() {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    let ctx = stage.ctx();
    let kept = Replay { keep: false, days: 7 };
    let (by, wanted) = (ctx.clone(), kept.clone());
    let now = switched_off_while(&stage, &ctx, move |conn| {
        mappings::keep_sign_ins(conn, &by, "acme-okta", wanted).unwrap();
    });
    assert_eq!(now.settings.replay, kept);

    let by = ctx.clone();
    let now = switched_off_while(&stage, &ctx, move |conn| {
        tenants::give_connection(conn, &by, "acme-okta", Some("globex")).unwrap();
    });
    assert_eq!(now.tenant_id.as_deref(), Some("globex"));

    let (by, allowed) = (ctx.clone(), stage.broker.upstream.allowed().to_vec());
    let now = switched_off_while(&stage, &ctx, move |conn| {
        let change = ProviderChange {
            expiries: Expiries {
                secret: Some(Some(NOW)),
                next_secret: None,
            },
            ..ProviderChange::default()
        };
        providers::update(conn, &by, &allowed, "acme-okta", change).unwrap();
    });
    assert_eq!(now.secret_expires_at, Some(NOW));
}

#[actix_web::test]
async fn two_changes_of_a_client_both_stay() {
    let stage = Stage::new().await;
    let ctx = stage.ctx();
    let by = ctx.clone();
    at_once(
        &stage,
        |conn| {
            let change = ClientChange {
                name: Some("Renamed".into()),
                ..ClientChange::default()
            };
            clients::update(conn, &ctx, WEB_CLIENT, change).unwrap();
        },
        move |conn| {
            let change = ClientChange {
                enabled: Some(false),
                ..ClientChange::default()
            };
            clients::update(conn, &by, WEB_CLIENT, change).unwrap();
        },
    );
    let now = stage.act(|conn| client::find(conn, WEB_CLIENT).unwrap().unwrap());
    assert_eq!((now.name.as_str(), now.enabled), ("Renamed", false));
}

#[actix_web::test]
async fn one_address_is_not_given_to_two() {
    let stage = Stage::new().await;
    stage.change_pool(|settings| {
        settings
            .cognito
            .insert("UsernameAttributes".into(), json!(["email"]));
    });
    let ctx = stage.ctx();
    let give = |conn: &mut Conn, ctx: &Ctx, sub: &str| {
        // On SQLite whoever will write says so before reading.
        pool::touch_none(conn).unwrap();
        let pool = pool::find(conn, POOL).unwrap().unwrap();
        let new = NewUser {
            pool: &pool,
            sub: sub.to_owned(),
            username: sub.to_owned(),
            attributes: Map::from_iter([("email".to_owned(), json!("ada@native.test"))]),
            takes_alias: false,
            password: None,
            temporary_until: NOW,
        };
        accounts::create(conn, ctx, new).map(|user| user.sub)
    };
    let by = ctx.clone();
    let (tells, told) = mpsc::channel();
    at_once(
        &stage,
        |conn| {
            give(conn, &ctx, "first").unwrap();
        },
        move |conn| {
            // What is refused is undone.
            let second = conn.transaction(|conn| give(conn, &by, "second"));
            tells.send(second).unwrap();
        },
    );
    let refused = told.recv().unwrap();
    assert!(matches!(refused, Err(Error::Exists(_))), "{refused:?}");
}

#[actix_web::test]
async fn two_tenants_do_not_both_get_a_domain_and_one_below_it() {
    for subdomains_first in [true, false] {
        let stage = Stage::new().await;
        stage.console(OPERATOR);
        let ctx = stage.ctx();
        let all = Reach::everything();
        stage.act(|conn| {
            tenant_domains::claim(conn, &ctx, &all, "acme", "shared.test", true).unwrap();
            tenant_domains::claim(conn, &ctx, &all, "globex", "eu.shared.test", false).unwrap();
        });
        let claims = [("acme", "shared.test"), ("globex", "eu.shared.test")];
        let [first, second] = match subdomains_first {
            true => claims,
            false => [claims[1], claims[0]],
        };
        let by = ctx.clone();
        let (tells, told) = mpsc::channel();
        at_once(
            &stage,
            |conn| {
                let all = Reach::everything();
                tenant_domains::assert(conn, &ctx, &all, first.0, first.1).unwrap();
            },
            move |conn| {
                // On SQLite whoever will write says so before reading.
                pool::touch_none(conn).unwrap();
                let all = Reach::everything();
                tells
                    .send(tenant_domains::assert(conn, &by, &all, second.0, second.1))
                    .unwrap();
            },
        );
        let refused = told.recv().unwrap();
        assert!(
            matches!(refused, Err(Error::Conflict(_))),
            "{second:?}: {refused:?}"
        );
        let names = [claims[0].1, claims[1].1];
        let proven = stage.act(|conn| tenant_domain::proven_among(conn, POOL, &names).unwrap());
        assert_eq!(proven.len(), 1, "{proven:?}");
    }
}
