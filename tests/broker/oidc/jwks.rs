//! The key set (RFC 7517) and what is signed with it.

use forebay::demo::POOL;
use forebay::model::key::{self, SigningKey, State, Usage};
use serde_json::{Value, json};

use crate::support::{OTHER_POOL, Stage, Tokens, header, other_keys};

async fn published(stage: &Stage, pool: &str) -> Vec<Value> {
    let answer = stage
        .get(&format!("/{pool}/.well-known/jwks.json"))
        .await
        .expect(200);
    let document = answer.json();
    assert_eq!(document.as_object().unwrap().keys().collect::<Vec<_>>(), ["keys"]);
    document["keys"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn m102_the_set_holds_public_keys_of_this_pool_only() {
    let stage = Stage::new().await;
    stage.add_other_pool();
    let (ours, others) = (published(&stage, POOL).await, published(&stage, OTHER_POOL).await);
    for keys in [&ours, &others] {
        assert_eq!(keys.len(), 2);
        for key in keys {
            // Cognito's members in Cognito's form; nothing of the private key.
            let members: Vec<_> = key.as_object().unwrap().keys().collect();
            assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
            assert_eq!(
                (&key["alg"], &key["kty"], &key["use"], &key["e"]),
                (&json!("RS256"), &json!("RSA"), &json!("sig"), &json!("AQAB"))
            );
            let kid = key["kid"].as_str().unwrap();
            assert_eq!((kid.len(), kid.ends_with('=')), (44, true), "{kid}");
            // 2048 bits in base64url without padding
            assert_eq!(key["n"].as_str().unwrap().len(), 342);
        }
    }
    let mut kids: Vec<_> = ours
        .iter()
        .chain(&others)
        .map(|key| key["kid"].to_string())
        .collect();
    kids.sort();
    kids.dedup();
    assert_eq!(kids.len(), 4);
}

#[actix_web::test]
async fn m062_m064_every_token_names_a_published_key_and_its_algorithm() {
    let stage = Stage::new().await;
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let refreshed = Tokens::of(
        &stage
            .refresh(tokens.refresh.as_deref().unwrap())
            .await
            .expect(200),
    );
    let machine = Tokens::of(&stage.as_machine(&[]).await.expect(200));
    let keys = published(&stage, POOL).await;
    let (id, access) = (tokens.id.as_deref().unwrap(), tokens.access.as_str());
    for token in [
        id,
        access,
        refreshed.id.as_deref().unwrap(),
        &refreshed.access,
        &machine.access,
    ] {
        let header = header(token);
        let key = keys.iter().find(|key| key["kid"] == header["kid"]).unwrap();
        assert_eq!(header["alg"], "RS256");
        assert_eq!(key["alg"], header["alg"]);
        stage.verified(token).await;
    }
    // One key for ID tokens, another for access tokens.
    assert_ne!(header(id)["kid"], header(access)["kid"]);
    assert_eq!(header(access)["kid"], header(&machine.access)["kid"]);
    assert_eq!(
        header(id).as_object().unwrap().keys().collect::<Vec<_>>(),
        ["alg", "kid"]
    );
    assert_eq!(
        header(access).as_object().unwrap().keys().collect::<Vec<_>>(),
        ["alg", "kid", "typ"]
    );
}

#[actix_web::test]
async fn m103_m104_a_key_is_published_before_its_first_use_and_verifies_after_its_last() {
    let stage = Stage::new().await;
    let before = stage.tokens_for("ada@acme.test", &[]).await;
    let ctx = stage.ctx();
    let fresh = &other_keys().access_token;
    let set_state = |kid: &str, state: State| {
        use diesel::prelude::*;
        use forebay::db::schema::signing_keys;
        stage.act(|conn| {
            diesel::update(signing_keys::table.find(kid))
                .set(signing_keys::state.eq(state))
                .execute(conn)
                .unwrap();
        });
    };
    stage.act(|conn| {
        let label = forebay::seal::Label {
            purpose: "signing-key",
            scope: POOL,
            name: &fresh.kid,
        };
        let row = SigningKey {
            kid: fresh.kid.clone(),
            user_pool_id: POOL.into(),
            usage: Usage::AccessToken,
            state: State::Pending,
            public_jwk: forebay::db::Json(fresh.public_jwk.clone()),
            private_sealed: ctx.sealer.seal(label, &fresh.private_der),
            created_at: ctx.now,
            state_since: ctx.now,
        };
        key::insert(conn, &row).unwrap();
    });
    // Pending: everybody can fetch it, nothing is signed with it.
    assert!(
        published(&stage, POOL)
            .await
            .iter()
            .any(|key| key["kid"] == json!(fresh.kid))
    );
    let pending = Tokens::of(
        &stage
            .refresh(before.refresh.as_deref().unwrap())
            .await
            .expect(200),
    );
    assert_eq!(header(&pending.access)["kid"], header(&before.access)["kid"]);

    let old = header(&before.access)["kid"].as_str().unwrap().to_owned();
    set_state(&old, State::Retiring);
    set_state(&fresh.kid, State::Active);
    let after = Tokens::of(
        &stage
            .refresh(before.refresh.as_deref().unwrap())
            .await
            .expect(200),
    );
    assert_eq!(header(&after.access)["kid"], json!(fresh.kid));
    for token in [&before.access, &after.access] {
        stage.verified(token).await;
        stage.userinfo(token).await.expect(200);
    }
    // Gone: what it signed is nobody's.
    use diesel::prelude::*;
    stage.act(|conn| {
        diesel::delete(forebay::db::schema::signing_keys::table.find(&old))
            .execute(conn)
            .unwrap();
    });
    assert_eq!(published(&stage, POOL).await.len(), 2);
    stage.userinfo(&before.access).await.expect(401);
    stage.userinfo(&after.access).await.expect(200);
}
