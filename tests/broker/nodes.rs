//! Several nodes over one database: what one of them, or a command, changes, the others know as soon as PostgreSQL tells them,
//! while their clock stands still; and after the second for which they keep what they read, where nobody tells.

use std::time::{Duration, Instant};

use actix_web::test::TestRequest;
use forebay::actions::keys;
use forebay::db::Target;
use forebay::demo::{API, MACHINE_CLIENT, MACHINE_SECRET, OPERATOR, POOL};
use forebay::jobs::changes::Ear;
use forebay::model::key::{self, State, Usage};

use crate::support::database::{batch, on_postgres};
use crate::support::{Answer, Node, Stage, basic, header};

/// How long a test waits for what the server sends on its own; it comes within a millisecond or two.
const PATIENCE: Duration = Duration::from_secs(20);

/// Until this node has heard, with the clock standing still; where nobody tells, the clock moves on by the bound.
fn hear(stage: &Stage, ear: &mut Ear, node: &Node) {
    if on_postgres().is_none() {
        assert_eq!(ear.listen(&node.broker), Ok(false));
        stage.clock.advance(1);
        return;
    }
    let begun = Instant::now();
    while !ear.listen(&node.broker).unwrap() {
        assert!(begun.elapsed() < PATIENCE, "nobody told");
        std::thread::yield_now();
    }
}

/// Another node that listens already.
async fn listening(stage: &Stage) -> (Node, Ear) {
    let (node, mut ear) = (stage.second_node().await, Ear::default());
    let opened = ear.listen(&node.broker).unwrap();
    assert_eq!(opened, on_postgres().is_some());
    (node, ear)
}

/// Past all nodes, as an operator's hand or a command does it.
fn change(stage: &Stage, sql: &str) {
    batch(&mut stage.broker.db.target().open().unwrap(), sql);
}

fn machine_token() -> TestRequest {
    TestRequest::post()
        .uri("/oauth2/token")
        .insert_header(("authorization", basic(MACHINE_CLIENT, MACHINE_SECRET)))
        .set_form([("grant_type", "client_credentials"), ("resource", API)])
}

/// What a node keeps: how it is changed, what asks for it, and what the answer is like once the change is known.
struct Kept {
    sql: &'static str,
    ask: fn(&Stage) -> TestRequest,
    is_known: fn(&Stage, &Answer) -> bool,
}

fn goes_to_acme(stage: &Stage, answer: &Answer) -> bool {
    answer.status == 302 && answer.location().starts_with(&stage.acme.issuer())
}

fn authorize(stage: &Stage, changes: &[(&str, &str)]) -> TestRequest {
    TestRequest::get().uri(&stage.authorize(changes))
}

fn configuration(_: &Stage) -> TestRequest {
    TestRequest::get().uri(&format!("/{POOL}/.well-known/openid-configuration"))
}

const KEPT: [Kept; 8] = [
    Kept {
        sql: "UPDATE app_clients SET enabled = false",
        ask: |stage| authorize(stage, &[("identity_provider", "acme-okta")]),
        is_known: |_, answer| answer.status == 400,
    },
    Kept {
        sql: "UPDATE identity_providers SET enabled = false WHERE id = 'acme-okta'",
        ask: |stage| authorize(stage, &[("identity_provider", "acme-okta")]),
        is_known: |stage, answer| !goes_to_acme(stage, answer),
    },
    Kept {
        sql: "DELETE FROM tenant_domains; DELETE FROM provider_identifiers",
        ask: |stage| authorize(stage, &[("login_hint", "ada@acme.test")]),
        is_known: |stage, answer| !goes_to_acme(stage, answer),
    },
    Kept {
        sql: "DELETE FROM client_secrets WHERE client_id = 'demomachine000000000000001'",
        ask: |_| machine_token(),
        is_known: |_, answer| answer.status == 401,
    },
    Kept {
        sql: "DELETE FROM resource_servers",
        ask: |_| machine_token(),
        is_known: |_, answer| answer.status == 400,
    },
    Kept {
        sql: "INSERT INTO pool_domains (name, user_pool_id, settings, created_at, updated_at) \
              VALUES ('login.demo.test', 'us-local-1_Forebay01', '{}', 0, 0)",
        ask: configuration,
        is_known: |_, answer| answer.body.contains("login.demo.test"),
    },
    Kept {
        sql: "DELETE FROM tenants WHERE id = 'acme'",
        ask: |stage| authorize(stage, &[]).insert_header(("host", "auth.acme.localhost")),
        is_known: |stage, answer| !goes_to_acme(stage, answer),
    },
    Kept {
        sql: "DELETE FROM user_pools",
        ask: configuration,
        is_known: |_, answer| answer.status == 404,
    },
];

#[actix_web::test]
async fn what_is_changed_elsewhere_is_known_at_once_where_it_is_told() {
    for kept in &KEPT {
        let stage = Stage::new().await;
        stage.console(OPERATOR);
        let (node, mut ear) = listening(&stage).await;
        let before = node.send((kept.ask)(&stage)).await;
        assert!(!(kept.is_known)(&stage, &before), "{}: {before:?}", kept.sql);
        change(&stage, kept.sql);
        hear(&stage, &mut ear, &node);
        let after = node.send((kept.ask)(&stage)).await;
        assert!((kept.is_known)(&stage, &after), "{}: {after:?}", kept.sql);
        assert_eq!(ear.listen(&node.broker), Ok(false), "told once: {}", kept.sql);
    }
}

#[actix_web::test]
async fn a_leaked_signing_key_is_gone_from_every_node_s_key_set() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let key_set = format!("/{POOL}/.well-known/jwks.json");
    let (one, mut its_ear) = listening(&stage).await;
    let (two, mut other_ear) = listening(&stage).await;
    let leaked = header(&tokens.access)["kid"].as_str().unwrap().to_owned();
    for node in [&one, &two] {
        assert!(node.get(&key_set).await.expect(200).body.contains(&leaked));
        assert_eq!(node.userinfo(&tokens.access).await.status, 200);
    }
    let spare = keys::make().unwrap();
    let (ctx, gone) = (stage.ctx(), leaked.clone());
    // As a command does it: no node's memory has a part in it.
    stage
        .broker
        .db
        .write(move |conn| keys::revoke(conn, &ctx, POOL, &gone, &spare))
        .await
        .unwrap();
    hear(&stage, &mut its_ear, &one);
    if on_postgres().is_some() {
        hear(&stage, &mut other_ear, &two);
    }
    let now = key::of_pool(&mut stage.broker.db.target().open().unwrap(), POOL).unwrap();
    let successor = now
        .iter()
        .find(|key| key.usage == Usage::AccessToken && key.state == State::Active)
        .unwrap();
    for node in [&one, &two] {
        let body = node.get(&key_set).await.expect(200).body;
        assert!(!body.contains(&leaked), "{body}");
        assert!(body.contains(&successor.kid), "{body}");
        assert_eq!(node.userinfo(&tokens.access).await.status, 401);
        let fresh = node.refresh(tokens.refresh.as_deref().unwrap()).await.expect(200);
        let token = fresh.json()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(header(&token)["kid"], successor.kid.as_str());
    }
}

#[actix_web::test]
async fn a_node_that_cannot_hear_knows_within_the_bound_and_hears_again_once_it_can() {
    let stage = Stage::new().await;
    let name = format!("cut_{}", std::process::id());
    let target = match stage.broker.db.target() {
        Target::Postgres(url) => {
            let mut url = url::Url::parse(url).unwrap();
            url.query_pairs_mut().append_pair("application_name", &name);
            Target::Postgres(url.into())
        }
        file => file.clone(),
    };
    let (node, mut ear) = (stage.node_over(&target).await, Ear::default());
    ear.listen(&node.broker).unwrap();
    assert_eq!(node.send(machine_token()).await.status, 200);
    if on_postgres().is_some() {
        change(
            &stage,
            &format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'"
            ),
        );
        let begun = Instant::now();
        while ear.listen(&node.broker).is_ok() {
            assert!(begun.elapsed() < PATIENCE, "the connection is still there");
            std::thread::yield_now();
        }
    }
    change(&stage, "UPDATE app_clients SET enabled = false");
    assert_eq!(node.send(machine_token()).await.status, 200, "it cannot know");
    stage.clock.advance(1);
    assert_eq!(node.send(machine_token()).await.status, 401);

    change(&stage, "UPDATE app_clients SET enabled = true");
    if on_postgres().is_some() {
        // Opened anew: what was told in between may have been anything.
        assert_eq!(ear.listen(&node.broker), Ok(true));
        assert_eq!(node.send(machine_token()).await.status, 200);
        change(&stage, "UPDATE app_clients SET enabled = false");
        hear(&stage, &mut ear, &node);
        assert_eq!(node.send(machine_token()).await.status, 401);
    }
}

#[actix_web::test]
async fn a_sign_in_tells_nobody() {
    let stage = Stage::new().await;
    // The first of all lets the connection go live.
    stage.tokens_for("ada@acme.test", &[]).await;
    let (node, mut ear) = listening(&stage).await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    stage
        .refresh(tokens.refresh.as_deref().unwrap())
        .await
        .expect(200);
    assert_eq!(node.userinfo(&tokens.access).await.status, 200);
    assert_eq!(ear.listen(&node.broker), Ok(false));
}
