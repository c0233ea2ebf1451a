//! The watch over connections: what is found at the provider, in the claims, about secrets; who sees it.

use std::time::Duration;

use forebay::demo::okta::{Endpoint, MetadataFault, Transport, Trouble};
use forebay::jobs;
use forebay::model::notice::{self, Kind, Notice};
use forebay::model::reach::Reach;
use forebay::model::{job, probe};

use crate::support::{Form, NOW, Stage};

const DAY: i64 = 86_400;
const HEALTH: &str = "/console/connections/acme-okta/health";

fn notices(stage: &Stage, connection: &str) -> Vec<Notice> {
    stage.act(|conn| notice::of_provider(conn, connection).unwrap())
}

fn kinds(stage: &Stage) -> Vec<(Kind, String)> {
    notices(stage, "acme-okta")
        .into_iter()
        .map(|notice| (notice.kind, notice.subject))
        .collect()
}

fn looked_at(stage: &Stage, connection: &str) -> Option<i64> {
    stage.act(|conn| probe::find(conn, connection).unwrap().map(|probe| probe.at.0))
}

async fn round(stage: &Stage) {
    jobs::watch::run(&stage.broker).await.unwrap();
}

async fn next_day(stage: &Stage) {
    stage.clock.advance(DAY);
    round(stage).await;
}

#[actix_web::test]
async fn a_sound_connection_is_looked_at_once_a_day_and_after_a_change() {
    let stage = Stage::new().await;
    let mut admin = stage.console("admin@acme.test");
    assert!(
        admin
            .open(HEALTH)
            .await
            .expect(200)
            .shows("Nobody has looked at this connection yet")
    );
    round(&stage).await;
    assert_eq!(looked_at(&stage, "acme-okta"), Some(NOW.0));
    assert_eq!(looked_at(&stage, "globex-okta"), Some(NOW.0));
    assert_eq!(kinds(&stage), []);
    let page = admin.open(HEALTH).await.expect(200);
    assert!(page.shows("all is well"), "{page:?}");
    for stage in ["tcp", "discovery", "jwks", "client_auth", "redirect_uri"] {
        assert!(page.shows(&format!("<code>{stage}</code>")), "{stage}: {page:?}");
    }

    stage.acme.forget_requests();
    stage.clock.advance(60);
    round(&stage).await;
    assert_eq!(stage.acme.requests().len(), 0, "not its turn");
    let now = stage.broker.clock.now();
    stage.change_provider("acme-okta", |row| row.updated_at = now);
    round(&stage).await;
    assert_eq!(looked_at(&stage, "acme-okta"), Some(NOW.0 + 60), "it was changed");
    let mut looks = 0;
    for _ in 0..48 {
        stage.clock.advance(DAY / 24);
        let before = looked_at(&stage, "acme-okta");
        round(&stage).await;
        looks += usize::from(looked_at(&stage, "acme-okta") != before);
    }
    assert_eq!(looks, 2, "once a day");
}

#[actix_web::test]
async fn a_secret_that_died_is_told_with_its_remedy_until_it_is_mended() {
    let stage = Stage::new().await;
    round(&stage).await;
    let client_id = forebay::demo::registration(0, "").client_id;
    let mut secrets = Vec::new();
    stage.acme.change_app(&client_id, |app| {
        secrets = std::mem::replace(&mut app.secrets, vec!["another".into()])
    });
    next_day(&stage).await;
    assert_eq!(kinds(&stage), [(Kind::Probe, "client_auth".into())]);
    assert_eq!(notices(&stage, "globex-okta"), []);
    let mut admin = stage.console("admin@acme.test");
    let page = admin.open(HEALTH).await.expect(200);
    assert!(page.shows("A check of the connection fails"), "{page:?}");
    assert!(page.shows("CLIENT_AUTH_FAILED"), "{page:?}");
    assert!(page.shows("What to do:"), "{page:?}");

    stage
        .acme
        .change_app(&client_id, |app| app.secrets = secrets.clone());
    stage.clock.advance(15 * 60);
    round(&stage).await;
    assert_eq!(kinds(&stage), []);
}

#[actix_web::test]
async fn a_redirect_uri_that_was_taken_away_is_noticed() {
    let stage = Stage::new().await;
    let client_id = forebay::demo::registration(0, "").client_id;
    stage.acme.change_app(&client_id, |app| {
        app.redirect_uris = vec!["http://127.0.0.1:1/else".into()]
    });
    round(&stage).await;
    assert_eq!(kinds(&stage), [(Kind::Probe, "redirect_uri".into())]);
}

#[actix_web::test]
async fn keys_replaced_all_at_once_and_moved_endpoints_are_told_for_a_day() {
    let stage = Stage::new().await;
    round(&stage).await;
    stage.acme.rotate_keys(true);
    next_day(&stage).await;
    assert_eq!(
        kinds(&stage),
        [],
        "a new key beside the old one is how it is done"
    );
    stage.acme.rotate_keys(false);
    stage.acme.rotate_keys(false);
    let elsewhere = format!("{}/oauth2/v2/token", stage.acme.issuer());
    stage
        .acme
        .set_faults(|faults| faults.discovery = vec![MetadataFault::TokenEndpoint(elsewhere.clone())]);
    next_day(&stage).await;
    let found = kinds(&stage);
    assert!(found.contains(&(Kind::KeysReplaced, String::new())), "{found:?}");
    assert!(
        found.contains(&(Kind::EndpointsMoved, "token_endpoint".into())),
        "{found:?}"
    );
    stage.acme.set_faults(|faults| faults.discovery.clear());
    next_day(&stage).await;
    next_day(&stage).await;
    assert_eq!(kinds(&stage), []);
}

#[actix_web::test]
async fn an_issuer_that_answers_differently_is_told() {
    let stage = Stage::new().await;
    round(&stage).await;
    stage
        .acme
        .set_faults(|faults| faults.discovery = vec![MetadataFault::IssuerOtherServer]);
    next_day(&stage).await;
    assert_eq!(kinds(&stage), [(Kind::Probe, "issuer".into())]);
}

#[actix_web::test]
async fn a_dead_okta_is_told_and_keeps_nobody_waiting() {
    let stage = Stage::with_patience(Duration::from_secs(4)).await;
    round(&stage).await;
    stage.clock.advance(DAY);
    let now = stage.broker.clock.now().0;
    let silent = Transport::trouble(Trouble::NeverAnswer);
    stage
        .acme
        .set_faults(|faults| faults.transport = [(Endpoint::Discovery, silent)].into());
    let mut watching = Box::pin(jobs::watch::probe_due(&stage.broker));
    // While acme is silent globex is looked at.
    let meanwhile = async {
        while looked_at(&stage, "globex-okta") != Some(now) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(looked_at(&stage, "acme-okta"), Some(NOW.0));
    };
    tokio::select! {
        _ = &mut watching => panic!("acme was to be silent for longer"),
        () = meanwhile => {}
    }
    watching.await.unwrap();
    assert_eq!(kinds(&stage), [(Kind::Probe, "discovery".into())]);
    assert_eq!(notices(&stage, "globex-okta"), []);
}

#[actix_web::test]
async fn a_look_can_be_asked_for_by_who_may_change_the_connection() {
    let stage = Stage::new().await;
    let mut admin = stage.console("admin@acme.test");
    let page = admin.open(HEALTH).await.expect(200);
    let form = Form::to(&page.body, "/console/connections/acme-okta/probe");
    let page = admin.submit(&form, &[]).await.expect(200);
    assert!(page.shows("Looked at it just now."), "{page:?}");
    assert_eq!(looked_at(&stage, "acme-okta"), Some(NOW.0));

    // Never two looks at one issuer at once.
    let issuer = stage.acme.issuer();
    let hash: String = forebay::rules::secret::hash(&issuer)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    stage.act(|conn| assert!(job::claim(conn, &format!("probe {hash}"), NOW, NOW.plus(60), 0).unwrap()));
    stage.acme.forget_requests();
    let page = admin.submit(&form, &[]).await.expect(200);
    assert!(page.shows("It is being looked at"), "{page:?}");
    assert_eq!(stage.acme.requests().len(), 0);
    stage.clock.advance(61);
    let page = admin.submit(&form, &[]).await.expect(200);
    assert!(
        page.shows("Looked at it just now."),
        "the lease ran out: {page:?}"
    );

    let forged = [("csrf".to_owned(), "made up".to_owned())];
    let answer = admin
        .request("POST", "/console/connections/acme-okta/probe", &forged)
        .await;
    assert_eq!(answer.status, 403, "{answer:?}");
}

#[actix_web::test]
async fn another_tenants_connection_is_not_there() {
    let stage = Stage::new().await;
    round(&stage).await;
    let mut admin = stage.console("admin@globex.test");
    let own = admin
        .open("/console/connections/globex-okta/health")
        .await
        .expect(200);
    assert_eq!(admin.open(HEALTH).await.status, 404);
    for nobody in ["nobody", "%00"] {
        let path = format!("/console/connections/{nobody}/health");
        assert_eq!(admin.open(&path).await.status, 404);
    }
    let csrf = Form::to(&own.body, "/console/connections/globex-okta/probe").fields;
    stage.acme.forget_requests();
    for path in [
        "/console/connections/acme-okta/probe",
        "/console/connections/acme-okta/health/accept",
    ] {
        assert_eq!(admin.request("POST", path, &csrf).await.status, 404, "{path}");
    }
    assert_eq!(stage.acme.requests().len(), 0);
}

#[actix_web::test]
async fn a_claim_that_stops_is_missed_within_twenty_sign_ins_and_can_be_accepted() {
    let stage = Stage::new().await;
    for _ in 0..22 {
        stage.code_for("ada@acme.test", &[]).await;
    }
    round(&stage).await;
    assert_eq!(kinds(&stage), []);
    let mut admin = stage.console("admin@acme.test");
    let page = admin.open(HEALTH).await.expect(200);
    assert!(page.shows("<code>department</code>"), "{page:?}");
    assert!(page.shows("100 %"), "{page:?}");
    assert!(!page.shows("Analytical Engines"), "names only, no value");

    stage.clock.advance(3_600);
    stage.acme.change_person("ada@acme.test", |person| {
        person.profile.remove("department");
    });
    // Ada alone may come as often as she likes: that she has none says nothing of the others.
    for _ in 0..20 {
        stage.code_for("ada@acme.test", &[]).await;
    }
    jobs::watch::read_claims(&stage.broker).await.unwrap();
    assert_eq!(kinds(&stage), []);
    let mut sign_ins = 0;
    while kinds(&stage).is_empty() && sign_ins < 20 {
        stage.acme.change_person("ada@acme.test", |person| {
            person.id = format!("00u{sign_ins:017}");
        });
        stage.code_for("ada@acme.test", &[]).await;
        sign_ins += 1;
        jobs::watch::read_claims(&stage.broker).await.unwrap();
    }
    assert_eq!(
        kinds(&stage),
        [(Kind::ClaimMissing, "department".into())],
        "{sign_ins}"
    );
    let found = &notices(&stage, "acme-okta")[0];
    assert_eq!(found.since, NOW.plus(3_600));
    assert!(
        found
            .detail
            .contains("2026-11-21T01:00:00Z; before, 100 % had it"),
        "{found:?}"
    );

    let mut admin = stage.console("admin@acme.test");
    let page = admin.open(HEALTH).await.expect(200);
    assert!(page.shows("A claim has stopped coming"), "{page:?}");
    let form = Form::to(&page.body, "/console/connections/acme-okta/health/accept");
    let page = admin.submit(&form, &[]).await.expect(200);
    assert!(page.shows("Accepted"), "{page:?}");
    assert_eq!(kinds(&stage), []);
}

#[actix_web::test]
async fn groups_near_oktas_limit_are_told() {
    let stage = Stage::new().await;
    stage.acme.change_person("ada@acme.test", |person| {
        person.groups = (0..79).map(|n| format!("Group {n}")).collect();
    });
    stage.code_for("ada@acme.test", &[]).await;
    round(&stage).await;
    assert_eq!(kinds(&stage), []);
    stage.acme.change_person("ada@acme.test", |person| {
        person.groups = (0..80).map(|n| format!("Group {n}")).collect();
    });
    stage.code_for("ada@acme.test", &[]).await;
    round(&stage).await;
    assert_eq!(kinds(&stage), [(Kind::GroupsMany, "groups".into())]);
    assert!(notices(&stage, "acme-okta")[0].detail.starts_with("80 values"));
    // A long list of anything else is nothing that Okta fails at.
    stage.acme.change_person("ada@acme.test", |person| {
        let badges = (0..90).map(|n| n.to_string()).collect::<Vec<_>>();
        person.profile.insert("badges".into(), badges.into());
    });
    stage.code_for("ada@acme.test", &[]).await;
    round(&stage).await;
    assert_eq!(kinds(&stage), [(Kind::GroupsMany, "groups".into())]);
    for _ in 0..8 {
        next_day(&stage).await;
    }
    assert_eq!(kinds(&stage), [], "a week without");
}

#[actix_web::test]
async fn a_secrets_end_is_told_thirty_fourteen_and_three_days_before() {
    let stage = Stage::new().await;
    stage.change_provider("acme-okta", |row| {
        row.secret_expires_at = Some(NOW.plus(40 * DAY))
    });
    let mut told = Vec::new();
    for day in 0..42 {
        if day > 0 {
            stage.clock.advance(DAY);
        }
        round(&stage).await;
        for (kind, subject) in kinds(&stage) {
            assert_eq!(kind, Kind::SecretExpiry);
            if !told.iter().any(|(known, _)| *known == subject) {
                told.push((subject, day));
            }
        }
    }
    let days: Vec<&str> = told.iter().map(|(subject, _)| subject.as_str()).collect();
    assert_eq!(
        days,
        [
            "client secret, 30 days",
            "client secret, 14 days",
            "client secret, 3 days",
            "client secret, ended"
        ]
    );
    for ((_, day), left) in told.iter().zip([30, 14, 3, 0]) {
        assert!((40 - left..=41 - left).contains(day), "{told:?}");
    }
    let new_end = stage.broker.clock.now().plus(90 * DAY);
    stage.change_provider("acme-okta", |row| {
        row.secret_expires_at = Some(new_end);
        row.updated_at = new_end.plus(-90 * DAY + 1);
    });
    stage.clock.advance(2);
    round(&stage).await;
    assert_eq!(kinds(&stage), []);
}

#[actix_web::test]
async fn what_needs_attention_is_within_reach_and_of_connections_in_use() {
    let stage = Stage::new().await;
    stage.change_provider("acme-okta", |row| row.secret_expires_at = Some(NOW.plus(DAY)));
    stage.change_provider("globex-okta", |row| row.secret_expires_at = Some(NOW.plus(DAY)));
    drop(stage.console("admin@acme.test"));
    round(&stage).await;
    let seen = |reach: Reach| -> Vec<String> {
        let found = stage.act(|conn| notice::within(conn, &reach).unwrap());
        found.into_iter().map(|(_, provider)| provider.id).collect()
    };
    let tenant = |id: &str| Reach {
        tenants: vec![id.into()],
        ..Reach::default()
    };
    assert_eq!(seen(Reach::everything()), ["acme-okta", "globex-okta"]);
    assert_eq!(seen(tenant("acme")), ["acme-okta"]);
    assert_eq!(seen(Reach::default()), Vec::<String>::new());
    stage.change_provider("acme-okta", |row| row.enabled = false);
    assert_eq!(seen(tenant("acme")), Vec::<String>::new());
}

#[actix_web::test]
async fn of_many_nodes_one_has_a_job() {
    let stage = Stage::new().await;
    let target = stage.broker.db.target().clone();
    let nodes: Vec<_> = (0..8)
        .map(|_| {
            let target = target.clone();
            std::thread::spawn(move || {
                let mut conn = target.open().unwrap();
                job::claim(&mut conn, "daily", NOW, NOW.plus(60), 0).unwrap()
            })
        })
        .collect();
    let got = nodes.into_iter().map(|node| node.join().unwrap());
    assert_eq!(got.filter(|got| *got).count(), 1);
    stage.act(|conn| {
        assert!(
            !job::claim(conn, "daily", NOW.plus(59), NOW.plus(99), 0).unwrap(),
            "still held"
        );
        assert!(
            job::claim(conn, "daily", NOW.plus(60), NOW.plus(120), 0).unwrap(),
            "it died"
        );
        job::done(conn, "daily", NOW.plus(61), NOW.plus(60)).unwrap();
        assert!(
            !job::claim(conn, "daily", NOW.plus(62), NOW.plus(99), 0).unwrap(),
            "not its own lease"
        );
        job::done(conn, "daily", NOW.plus(63), NOW.plus(120)).unwrap();
        assert!(
            !job::claim(conn, "daily", NOW.plus(64), NOW.plus(99), DAY).unwrap(),
            "done today"
        );
        assert!(job::claim(conn, "daily", NOW.plus(63 + DAY), NOW.plus(2 * DAY), DAY).unwrap());
    });
}
