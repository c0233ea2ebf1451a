//! Signing keys: turned over without anybody noticing, whoever races with whomever; and taken away when they leak.

use std::sync::OnceLock;

use forebay::actions::keys;
use forebay::db::Db;
use forebay::demo::{OPERATOR, POOL};
use forebay::error::Error;
use forebay::jobs;
use forebay::model::key::{self, PublicJwk, SigningKey, State, Usage};
use forebay::rules::jwks::KeyPair;
use forebay::rules::jwt::{self, VerifyKey};
use forebay::rules::key_rotation::{JWKS_CACHE_SECONDS, KEPT_SECONDS, LEAD_SECONDS};
use forebay::world::UnixTime;

use super::rooms::{
    OTHER_ADMIN, VIEWER, are_not_found, fill, signed_in, stage, want_a_proof, want_the_token,
};
use crate::support::{NOW, Stage, Tokens, claims, header};

fn at(path: &str) -> String {
    format!("/console/pools/{POOL}/keys{path}")
}

fn stored(stage: &Stage) -> Vec<SigningKey> {
    stage.act(|conn| key::of_pool(conn, POOL).unwrap())
}

/// Uses and states in order.
fn states(stage: &Stage) -> Vec<(Usage, State)> {
    let mut states: Vec<_> = stored(stage)
        .into_iter()
        .map(|key| (key.usage, key.state))
        .collect();
    states.sort();
    states
}

fn active(stage: &Stage, usage: Usage) -> String {
    stored(stage)
        .into_iter()
        .find(|key| key.usage == usage && key.state == State::Active)
        .unwrap()
        .kid
}

async fn turn_over(stage: &Stage) -> usize {
    jobs::turn_keys_over(&stage.broker).await.unwrap()
}

/// An app that keeps the key set for as long as it is allowed to.
struct App {
    keys: Vec<VerifyKey>,
    fetched: UnixTime,
}

impl App {
    async fn new(stage: &Stage, now: UnixTime) -> App {
        let answer = stage
            .get(&format!("/{POOL}/.well-known/jwks.json"))
            .await
            .expect(200);
        assert_eq!(
            answer.header("cache-control").unwrap(),
            format!("public, max-age={JWKS_CACHE_SECONDS}, must-revalidate")
        );
        let keys: Vec<PublicJwk> = serde_json::from_value(answer.json()["keys"].clone()).unwrap();
        App {
            keys: keys.iter().map(|key| VerifyKey::new(key).unwrap()).collect(),
            fetched: now,
        }
    }

    async fn check(&mut self, stage: &Stage, now: UnixTime, tokens: &[(&'static str, String)]) {
        if now.since(self.fetched) >= JWKS_CACHE_SECONDS {
            *self = App::new(stage, now).await;
        }
        for (kind, token) in tokens {
            jwt::verify(&self.keys, token, &stage.issuer(), kind, now)
                .unwrap_or_else(|why| panic!("{kind} token {} at {now}: {why}", header(token)["kid"]));
        }
    }
}

#[actix_web::test]
async fn m103_m104_no_token_check_fails_before_during_and_after_a_rotation() {
    let stage = stage().await;
    // The longest that tokens can live: what was signed last is verified longest.
    stage.change_web_client(|settings| {
        settings.access_token_seconds = 86_400;
        settings.id_token_seconds = 86_400;
    });
    let first = stage.tokens_for("ada@acme.test", &[]).await;
    let refresh = first.refresh.clone().unwrap();
    let before = [Usage::IdToken, Usage::AccessToken].map(|usage| active(&stage, usage));

    // Apps whose caches are filled at every half minute, and all tokens that are alive.
    let (mut apps, mut alive) = (Vec::new(), Vec::<(&'static str, String)>::new());
    let dense = (0..40).map(|n| n * 30);
    let sparse = (1..=52).map(|n| 1_200 + n * 1_800);
    for (round, after) in dense.chain(sparse).enumerate() {
        if round == 40 {
            // From here on every cache is over at every round: one app stands for all.
            apps.truncate(1);
        }
        let now = NOW.plus(after);
        stage.clock.set(now);
        if round == 5 {
            let mut browser = signed_in(&stage, OPERATOR);
            let page = fill(&mut browser, &at(""), &at("/rotate"), &[]).await;
            assert!(page.shows("The new keys are published."), "{page:?}");
        }
        turn_over(&stage).await;
        if round < 10 {
            apps.push(App::new(&stage, now).await);
        }
        // Sign-ins go on through the day of which the rotation is a part.
        if round < 60 {
            let tokens = Tokens::of(&stage.refresh(&refresh).await.expect(200));
            stage.userinfo(&tokens.access).await.expect(200);
            alive.push(("access", tokens.access.clone()));
            alive.push(("id", tokens.id.unwrap()));
        }
        alive.retain(|(_, token)| claims(token)["exp"].as_i64().unwrap() > now.0);
        for app in &mut apps {
            app.check(&stage, now, &alive).await;
        }
    }
    // It did happen: others sign, and what signed before is gone.
    for (usage, old) in [Usage::IdToken, Usage::AccessToken].into_iter().zip(before) {
        assert_ne!(active(&stage, usage), old);
    }
    assert_eq!(
        states(&stage),
        [
            (Usage::IdToken, State::Active),
            (Usage::AccessToken, State::Active)
        ]
    );
}

#[actix_web::test]
async fn a_rotation_is_shown_as_it_goes() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    let page = browser.open(&at("")).await.expect(200);
    assert!(
        page.shows("Rotate now") && page.shows("gets a successor at"),
        "{page:?}"
    );
    let page = fill(&mut browser, &at(""), &at("/rotate"), &[]).await;
    assert!(page.shows("signs from") && !page.shows("Rotate now"), "{page:?}");
    assert!(page.shows("until its successor takes over"), "{page:?}");
    let csrf = crate::support::Form::to(&page.body, "/console/sign-out").fields;
    let again = browser.request("POST", &at("/rotate"), &csrf).await;
    assert_eq!(again.status, 409, "{again:?}");

    stage.clock.advance(LEAD_SECONDS - 1);
    assert_eq!(turn_over(&stage).await, 0);
    stage.clock.advance(1);
    assert_eq!(turn_over(&stage).await, 2);
    assert_eq!(turn_over(&stage).await, 0);
    let page = browser.open(&at("")).await.expect(200);
    assert!(
        page.shows("is deleted at") && page.shows("Rotate now"),
        "{page:?}"
    );
    for kid in stored(&stage).iter().map(|key| &key.kid) {
        assert!(page.shows(kid), "{kid}");
    }
    // What is sealed stays there.
    assert!(!page.shows("private") && !page.body.contains("\"d\""), "{page:?}");
    stage.clock.advance(KEPT_SECONDS - 1);
    assert_eq!(turn_over(&stage).await, 0);
    stage.clock.advance(1);
    assert_eq!(turn_over(&stage).await, 2);
    let events = stage.act(|conn| forebay::model::audit::recent(conn, Some(POOL), 5).unwrap());
    let actions: Vec<_> = events
        .iter()
        .map(|event| (event.action.as_str(), event.actor.as_str()))
        .collect();
    let operator = format!("admin:{OPERATOR}");
    assert_eq!(
        actions,
        [
            ("key.delete", "system"),
            ("key.delete", "system"),
            ("key.promote", "system"),
            ("key.promote", "system"),
            ("key.rotate", operator.as_str()),
        ]
    );
}

#[actix_web::test]
async fn keys_get_successors_by_themselves_as_often_as_the_pool_wants() {
    let stage = Stage::new().await;
    let days = |days: u32| stage.change_pool(|settings| settings.key_rotation_days = days);
    stage.clock.advance(90 * 86_400 - 1);
    assert_eq!(turn_over(&stage).await, 0);
    stage.clock.advance(1);
    days(0);
    assert_eq!(turn_over(&stage).await, 0);
    days(90);
    assert_eq!(turn_over(&stage).await, 2);
    use State::{Active, Pending};
    use Usage::{AccessToken, IdToken};
    assert_eq!(
        states(&stage),
        [
            (IdToken, Pending),
            (IdToken, Active),
            (AccessToken, Pending),
            (AccessToken, Active)
        ]
    );
    // The old keys are still due, but have their successors.
    assert_eq!(turn_over(&stage).await, 0);
    stage.clock.advance(LEAD_SECONDS);
    assert_eq!(turn_over(&stage).await, 2);
    // Ninety days from now, not from when they were made.
    stage.clock.advance(KEPT_SECONDS);
    assert_eq!(turn_over(&stage).await, 2);
    assert_eq!(states(&stage), [(IdToken, Active), (AccessToken, Active)]);
}

/// Keys made once for all tests.
fn spare() -> &'static [KeyPair] {
    static KEYS: OnceLock<Vec<KeyPair>> = OnceLock::new();
    KEYS.get_or_init(|| (0..6).map(|_| keys::make().unwrap()).collect())
}

#[actix_web::test]
async fn whatever_races_with_whatever_one_key_of_each_use_signs() {
    let stage = Stage::new().await;
    // Two nodes, each with its own way to the database.
    let nodes = [
        Db::open(stage.broker.db.target(), 4).unwrap(),
        Db::open(stage.broker.db.target(), 4).unwrap(),
    ];
    for round in 0..12 {
        stage.clock.advance(LEAD_SECONDS);
        let pending = stored(&stage)
            .into_iter()
            .filter(|key| key.state == State::Pending)
            .collect::<Vec<_>>();
        let leaked = active(&stage, Usage::IdToken);
        let mut tries = Vec::new();
        for turn in 0..12_usize {
            let (db, ctx) = (&nodes[turn % 2], stage.ctx());
            let pair = spare()[(round + turn) % spare().len()].clone();
            let (pending, leaked) = (pending.clone(), leaked.clone());
            tries.push(db.write(move |conn| -> Result<bool, Error> {
                match turn % 3 {
                    0 => keys::rotate(conn, &ctx, POOL, &[(Usage::IdToken, pair)]).map(|_| true),
                    1 => pending
                        .iter()
                        .try_fold(false, |any, key| Ok(keys::promote(conn, &ctx, key)? || any)),
                    _ if round % 3 == 2 => keys::revoke(conn, &ctx, POOL, &leaked, &pair).map(|_| true),
                    _ => keys::delete_retired(conn, &ctx).map(|gone| gone > 0),
                }
            }));
        }
        for outcome in futures_util::future::join_all(tries).await {
            if let Err(error) = outcome {
                assert!(
                    matches!(error, Error::Conflict(_) | Error::NotFound(_)),
                    "round {round}: {error:?}"
                );
            }
        }
        let now = states(&stage);
        let count = |wanted| now.iter().filter(|state| **state == wanted).count();
        for usage in [Usage::IdToken, Usage::AccessToken] {
            assert_eq!(count((usage, State::Active)), 1, "round {round}: {now:?}");
            assert!(count((usage, State::Pending)) <= 1, "round {round}: {now:?}");
        }
    }
}

#[actix_web::test]
async fn a_leaked_key_is_taken_away_and_another_signs_at_once() {
    let stage = stage().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let leaked = active(&stage, Usage::AccessToken);
    let query = forebay::rules::params::encode([("kid", leaked.as_str())]);
    let revoke = at(&format!("/revoke?{query}"));
    let mut browser = signed_in(&stage, OPERATOR);
    let page = browser.open(&revoke).await.expect(200);
    assert!(
        page.shows("stops verifying") && page.shows("up to 5 minutes"),
        "{page:?}"
    );
    let page = fill(&mut browser, &revoke, &at("/revoke"), &[("confirm", "yes")]).await;
    assert_eq!(page.status, 422, "{page:?}");
    stage.userinfo(&tokens.access).await.expect(200);

    let ending = &leaked[leaked.len() - 6..];
    let page = fill(&mut browser, &revoke, &at("/revoke"), &[("confirm", ending)]).await;
    assert!(page.shows("Deleted.") && !page.shows(&leaked), "{page:?}");
    stage.userinfo(&tokens.access).await.expect(401);
    let refreshed = Tokens::of(
        &stage
            .refresh(tokens.refresh.as_deref().unwrap())
            .await
            .expect(200),
    );
    assert_ne!(header(&refreshed.access)["kid"], header(&tokens.access)["kid"]);
    stage.verified(&refreshed.access).await;
    stage.userinfo(&refreshed.access).await.expect(200);
    // ID tokens have a key of their own, which did not leak.
    assert_eq!(
        header(refreshed.id.as_deref().unwrap())["kid"],
        header(tokens.id.as_deref().unwrap())["kid"]
    );
    are_not_found(&stage, &[OPERATOR], &[&revoke], &[]).await;
}

#[actix_web::test]
async fn others_find_none_of_it_and_changes_want_a_proof() {
    let stage = stage().await;
    let kid = active(&stage, Usage::IdToken);
    let query = forebay::rules::params::encode([("kid", kid.as_str())]);
    let revoke = at(&format!("/revoke?{query}"));
    let posts = [at("/rotate"), at("/revoke")];
    let posts: Vec<&str> = posts.iter().map(String::as_str).collect();
    are_not_found(
        &stage,
        &[OTHER_ADMIN, "admin@acme.test"],
        &[&at(""), &revoke],
        &posts,
    )
    .await;
    are_not_found(&stage, &[VIEWER], &[&revoke], &posts).await;
    let mut viewer = signed_in(&stage, VIEWER);
    let page = viewer.open(&at("")).await.expect(200);
    assert!(page.shows(&kid) && !page.shows("Rotate now"), "{page:?}");
    want_the_token(&stage, &posts).await;
    want_a_proof(
        &stage,
        &[&revoke],
        &[(&at("/rotate"), ""), (&at("/revoke"), &format!("kid={kid}"))],
    )
    .await;
    assert_eq!(states(&stage).len(), 2);
}
