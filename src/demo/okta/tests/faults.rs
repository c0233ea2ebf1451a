//! The faults that change what is said. ID tokens are judged by a small verifier of the tests' own, strict
//! where the standards are; so a fault that it lets through would be no fault.

use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::json;

use super::*;
use crate::demo::okta::{
    AuthorizeFault, Endpoint, Faults, GroupsFault, IdTokenFault, KeysFault, MetadataFault, OddKey,
    TokenFault, Transport, Trouble, UserinfoFault,
};

const SKEW: i64 = 60;

/// Whether a relying party that does everything right accepts the ID token.
fn accepts(tokens: &Value, keys: &Value, issuer: &str, now: i64) -> Result<(), String> {
    let jwt = tokens["id_token"].as_str().ok_or("no ID token")?;
    let parts: Vec<&str> = jwt.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        return Err("not a JWS".into());
    };
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|error| error.to_string());
    let json =
        |part: &str| serde_json::from_slice::<Value>(&decoded(part)?).map_err(|error| error.to_string());
    let (header, claims) = (json(header)?, json(payload)?);
    let check = |good: bool, name: &str| if good { Ok(()) } else { Err(name.to_owned()) };
    check(header["alg"] == "RS256" && header.get("crit").is_none(), "header")?;
    let usable: Vec<&Value> = keys["keys"]
        .as_array()
        .ok_or("no keys")?
        .iter()
        .filter(|key| key["kty"] == "RSA" && key["use"] == "sig" && key["alg"] == "RS256")
        .filter(|key| header.get("kid").is_none() || header["kid"] == key["kid"])
        .collect();
    let message = format!("{}.{}", parts[0], parts[1]);
    let signed = usable.iter().any(|key| {
        let (Some(n), Some(e)) = (key["n"].as_str(), key["e"].as_str()) else {
            return false;
        };
        DecodingKey::from_rsa_components(n, e)
            .and_then(|key| crypto::verify(signature, message.as_bytes(), &key, Algorithm::RS256))
            .unwrap_or(false)
    });
    check(signed, "signature")?;
    check(claims["iss"] == issuer, "iss")?;
    check(claims["aud"] == CLIENT || claims["aud"] == json!([CLIENT]), "aud")?;
    check(claims.get("azp").is_none_or(|azp| azp == CLIENT), "azp")?;
    check(
        claims["sub"]
            .as_str()
            .is_some_and(|sub| !sub.is_empty() && sub.len() <= 255),
        "sub",
    )?;
    check(
        claims["iat"]
            .as_i64()
            .is_some_and(|iat| iat <= now + SKEW && iat > now - 86_400),
        "iat",
    )?;
    check(claims["exp"].as_i64().is_some_and(|exp| exp > now - SKEW), "exp")?;
    check(claims["nbf"].as_i64().is_none_or(|nbf| nbf <= now + SKEW), "nbf")?;
    check(claims["nonce"] == "the-nonce", "nonce")?;
    let digest = Sha256::digest(tokens["access_token"].as_str().unwrap_or_default());
    let at_hash = URL_SAFE_NO_PAD.encode(&digest[..16]);
    check(
        claims.get("at_hash").is_none_or(|claim| *claim == at_hash),
        "at_hash",
    )
}

/// The verdict over a sign-in on the organisation as it is set now.
async fn verdict(stage: &mut Stage, server: Server) -> Result<(), String> {
    let tokens = stage.tokens(server, "ada@acme.test", &[]).await;
    let keys = stage.get(&path(server, "keys")).await.json();
    accepts(&tokens, &keys, &server.issuer(ORIGIN), NOW.0)
}

#[actix_web::test]
async fn without_faults_the_id_token_is_good() {
    for server in [Server::Org, Server::Default] {
        assert_eq!(verdict(&mut Stage::new(), server).await, Ok(()));
    }
}

#[actix_web::test]
async fn every_unlawful_id_token_is_unlawful() {
    let mut stage = Stage::new();
    for fault in IdTokenFault::unlawful() {
        stage
            .okta
            .set_faults(|faults| faults.id_token = vec![fault.clone()]);
        assert!(verdict(&mut stage, Server::Org).await.is_err(), "{fault:?}");
        assert!(verdict(&mut stage, Server::Default).await.is_err(), "{fault:?}");
    }
    stage.okta.set_faults(|faults| *faults = Faults::default());
    assert_eq!(verdict(&mut stage, Server::Org).await, Ok(()), "and honest again");
}

#[actix_web::test]
async fn every_lawful_oddity_is_lawful() {
    let mut stage = Stage::new();
    for fault in IdTokenFault::lawful() {
        stage
            .okta
            .set_faults(|faults| faults.id_token = vec![fault.clone()]);
        assert_eq!(verdict(&mut stage, Server::Org).await, Ok(()), "{fault:?}");
    }
}

#[actix_web::test]
async fn faults_combine_and_change_what_they_name() {
    let mut stage = Stage::new();
    let extra = json!({"department": {"nested": [1, null]}, "name": 7})
        .as_object()
        .cloned()
        .unwrap();
    stage.okta.set_faults(|faults| {
        faults.id_token = vec![
            IdTokenFault::Set(extra),
            IdTokenFault::Remove(vec!["email".into()]),
            IdTokenFault::SubOther,
            IdTokenFault::EmailVerified(json!(["yes"])),
            IdTokenFault::AuthTimeAgo(7200),
            IdTokenFault::ClaimSources,
            IdTokenFault::Padded(5000),
        ];
    });
    let tokens = stage.tokens(Server::Org, "ada@acme.test", &[]).await;
    let claims = claims(&tokens["id_token"]);
    assert_eq!(claims["department"], json!({"nested": [1, null]}));
    assert_eq!((&claims["name"], claims.get("email")), (&json!(7), None));
    assert_eq!(claims["sub"], "00u1grace0000000acme");
    assert_eq!(claims["email_verified"], json!(["yes"]));
    assert_eq!(claims["auth_time"], NOW.0 - 7200);
    assert!(
        claims["_claim_sources"]["far"]["endpoint"]
            .as_str()
            .unwrap()
            .starts_with(ORIGIN)
    );
    assert_eq!(claims["padding"].as_str().unwrap().len(), 5000);
}

#[actix_web::test]
async fn keys_rotate_with_and_without_the_old_one() {
    let mut stage = Stage::new();
    let tokens = stage.tokens(Server::Org, "ada@acme.test", &[]).await;
    let keys_now = path(Server::Org, "keys");
    let first = stage.get(&keys_now).await.json();
    stage.okta.rotate_keys(true);
    let second = stage.get(&keys_now).await.json();
    assert_eq!(
        (second["keys"].as_array().unwrap().len(), &second["keys"][1]),
        (2, &first["keys"][0])
    );
    assert_eq!(accepts(&tokens, &second, ORIGIN, NOW.0), Ok(()));
    stage.okta.rotate_keys(false);
    let third = stage.get(&keys_now).await.json();
    assert_eq!(third["keys"].as_array().unwrap().len(), 1);
    assert_eq!(accepts(&tokens, &third, ORIGIN, NOW.0), Err("signature".into()));
    assert_eq!(verdict(&mut stage, Server::Org).await, Ok(()));

    stage
        .okta
        .set_faults(|faults| faults.token = vec![TokenFault::RotateKeys { keep_old: false }]);
    let before = stage.get(&keys_now).await.json();
    let tokens = stage.tokens(Server::Org, "ada@acme.test", &[]).await;
    let after = stage.get(&keys_now).await.json();
    assert!(
        accepts(&tokens, &before, ORIGIN, NOW.0).is_err(),
        "what was fetched before does not help"
    );
    assert_eq!(accepts(&tokens, &after, ORIGIN, NOW.0), Ok(()));
}

#[actix_web::test]
async fn the_key_set_can_be_wrong() {
    let mut stage = Stage::new();
    let tokens = stage.tokens(Server::Org, "ada@acme.test", &[]).await;
    let mut cases = vec![
        (KeysFault::Empty, false),
        (KeysFault::Withhold, false),
        (KeysFault::Stranger, false),
        (KeysFault::OtherAlg, false),
        (KeysFault::UseEncryption, false),
        (KeysFault::NoKid, false),
        (KeysFault::Duplicate, true),
        (KeysFault::Crowd(2), true),
        (KeysFault::Odd, true),
        // Its numbers are right; only an empty certificate chain stands beside them.
        (KeysFault::Replaced(OddKey::EmptyX5c), true),
    ];
    let others = OddKey::ALL.into_iter().filter(|kind| *kind != OddKey::EmptyX5c);
    cases.extend(others.map(|kind| (KeysFault::Replaced(kind), false)));
    for (fault, good) in cases {
        stage.okta.set_faults(|faults| faults.keys = vec![fault.clone()]);
        let keys = stage.get(&path(Server::Org, "keys")).await.json();
        assert_eq!(accepts(&tokens, &keys, ORIGIN, NOW.0).is_ok(), good, "{fault:?}");
    }
    stage.okta.set_faults(|faults| faults.keys = vec![KeysFault::Odd]);
    let keys = stage.get(&path(Server::Org, "keys")).await.json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), OddKey::ALL.len() + 1);
}

#[actix_web::test]
async fn metadata_can_be_wrong() {
    let mut stage = Stage::new();
    let set = json!({"response_types_supported": [{}]})
        .as_object()
        .cloned()
        .unwrap();
    stage.okta.set_faults(|faults| {
        faults.discovery = vec![
            MetadataFault::IssuerOtherServer,
            MetadataFault::HttpEndpoints,
            MetadataFault::AnnounceIss,
            MetadataFault::WeakAlgorithms,
            MetadataFault::JwksUri("http://127.0.0.1:1/keys".into()),
            MetadataFault::Set(set),
            MetadataFault::Remove(vec!["end_session_endpoint".into()]),
        ];
    });
    let metadata = stage.get("/.well-known/openid-configuration").await.json();
    assert_eq!(metadata["issuer"], stage.okta.default_issuer());
    assert_eq!(metadata["token_endpoint"], "http://okta.example/oauth2/v1/token");
    assert_eq!(metadata["jwks_uri"], "http://127.0.0.1:1/keys");
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(
        metadata["id_token_signing_alg_values_supported"],
        json!(["RS256", "HS256", "none"])
    );
    assert_eq!(metadata["response_types_supported"], json!([{}]));
    assert!(metadata.get("end_session_endpoint").is_none());
    stage
        .okta
        .set_faults(|faults| faults.discovery = vec![MetadataFault::IssuerTrailingSlash]);
    let metadata = stage
        .get("/oauth2/default/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(metadata["issuer"], format!("{}/", stage.okta.default_issuer()));
}

#[actix_web::test]
async fn the_way_back_can_be_wrong() {
    let mut stage = Stage::new();
    stage.code(Server::Default, "ada@acme.test", &[]).await;
    let issuer = stage.okta.default_issuer();
    let lie = "a-value-that-nobody-issued";
    for (fault, name, values) in [
        (AuthorizeFault::IssRight, "iss", vec![issuer.as_str()]),
        (
            AuthorizeFault::Iss("https://evil.example".into()),
            "iss",
            vec!["https://evil.example"],
        ),
        (AuthorizeFault::StateMissing, "state", vec![]),
        (AuthorizeFault::State("other".into()), "state", vec!["other"]),
        (AuthorizeFault::StateTwice, "state", vec![lie, "the-state"]),
        (AuthorizeFault::CodeMissing, "code", vec![]),
        (AuthorizeFault::Code("x".into()), "code", vec!["x"]),
        (AuthorizeFault::CodeAndError, "error", vec!["access_denied"]),
        (
            AuthorizeFault::Parameter("id_token".into(), "x".into()),
            "id_token",
            vec!["x"],
        ),
        (AuthorizeFault::Unassigned, "error", vec!["access_denied"]),
        (AuthorizeFault::PolicyFailed, "error", vec!["access_denied"]),
    ] {
        stage
            .okta
            .set_faults(|faults| faults.authorize = vec![fault.clone()]);
        let back = stage.authorize(Server::Default, &[]).await;
        let location = url::Url::parse(back.header("location")).unwrap();
        let found: Vec<_> = location
            .query_pairs()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value)
            .collect();
        assert_eq!(found, values, "{fault:?}");
    }
    stage
        .okta
        .set_faults(|faults| faults.authorize = vec![AuthorizeFault::CodeTwice]);
    assert_eq!(
        stage
            .authorize(Server::Default, &[])
            .await
            .header("location")
            .matches("code=")
            .count(),
        2
    );
}

#[actix_web::test]
async fn the_token_answer_can_be_wrong() {
    let mut stage = Stage::new();
    stage.okta.set_faults(|faults| {
        faults.token = vec![
            TokenFault::TypeLowerCase,
            TokenFault::NoExpiresIn,
            TokenFault::NoIdToken,
        ];
    });
    let tokens = stage.tokens(Server::Org, "ada@acme.test", &[]).await;
    assert_eq!(
        names(tokens.as_object().unwrap()),
        ["access_token", "scope", "token_type"]
    );
    assert_eq!(tokens["token_type"], "bearer");
    stage.okta.set_faults(|faults| {
        let (error, description) = ("invalid_grant".into(), "per user".into());
        faults.token = vec![TokenFault::Error {
            status: 429,
            error,
            description,
        }];
    });
    let page = stage.redeem(Server::Org, "x").await;
    assert_eq!(
        (page.status.as_u16(), page.json()["error"].clone()),
        (429, json!("invalid_grant"))
    );
}

#[actix_web::test]
async fn userinfo_can_be_wrong() {
    let mut stage = Stage::new();
    let tokens = stage.tokens(Server::Org, "ada@acme.test", &[]).await;
    let access_token = &tokens["access_token"];
    for (fault, member, value) in [
        (UserinfoFault::SomeoneElse, "sub", json!("00u1grace0000000acme")),
        (UserinfoFault::SomeoneElse, "given_name", json!("Grace")),
        (UserinfoFault::SubMissing, "sub", Value::Null),
        (UserinfoFault::Sub(json!(5)), "sub", json!(5)),
        (
            UserinfoFault::EmailVerified(json!("true")),
            "email_verified",
            json!("true"),
        ),
        (UserinfoFault::Remove(vec!["email".into()]), "email", Value::Null),
        (
            UserinfoFault::ClaimSources,
            "_claim_names",
            json!({"department": "far", "cost_center": "near"}),
        ),
    ] {
        stage
            .okta
            .set_faults(|faults| faults.userinfo = vec![fault.clone()]);
        assert_eq!(
            stage.userinfo(Server::Org, access_token).await.json()[member],
            value,
            "{fault:?}"
        );
    }
    stage
        .okta
        .set_faults(|faults| faults.userinfo = vec![UserinfoFault::Unauthorized]);
    assert_eq!(stage.userinfo(Server::Org, access_token).await.status, 401);
    stage
        .okta
        .set_faults(|faults| faults.userinfo = vec![UserinfoFault::InsufficientScope]);
    assert_eq!(stage.userinfo(Server::Org, access_token).await.status, 403);
    stage
        .okta
        .set_faults(|faults| faults.userinfo = vec![UserinfoFault::Signed]);
    let page = stage.userinfo(Server::Org, access_token).await;
    assert_eq!(page.header("content-type"), "application/jwt");
    assert_eq!(claims(&Value::String(page.text()))["aud"], CLIENT);
}

#[actix_web::test]
async fn groups_can_be_odd() {
    let mut stage = Stage::new();
    stage
        .okta
        .set_faults(|faults| faults.groups = Some(GroupsFault::SingleString));
    let tokens = stage.tokens(Server::Default, "ada@acme.test", &[]).await;
    assert_eq!(claims(&tokens["id_token"])["groups"], "Engineering");
    stage
        .okta
        .set_faults(|faults| faults.groups = Some(GroupsFault::Many(250)));
    let userinfo = stage
        .userinfo(Server::Default, &tokens["access_token"])
        .await
        .json();
    assert_eq!(userinfo["groups"].as_array().unwrap().len(), 250);
    stage
        .okta
        .set_faults(|faults| faults.groups = Some(GroupsFault::TooMany));
    let back = stage.authorize(Server::Default, &[]).await;
    assert_eq!(back.sent("error").as_deref(), Some("server_error"));
}

#[actix_web::test]
async fn an_organisation_signs_what_a_test_makes_up() {
    let mut stage = Stage::new();
    let header = json!({"typ": "logout+jwt"}).as_object().cloned().unwrap();
    let claims_in = json!({"sub": "00u"}).as_object().cloned().unwrap();
    let jwt = stage.okta.sign(Server::Org, &header, &claims_in).unwrap();
    let header = URL_SAFE_NO_PAD.decode(jwt.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    let keys = stage.get(&path(Server::Org, "keys")).await.json();
    assert_eq!(
        (&header["typ"], &header["kid"]),
        (&json!("logout+jwt"), &keys["keys"][0]["kid"])
    );
    assert_eq!(claims(&json!(jwt)), claims_in);
}

/// One of everything, as both doors see it.
fn rich() -> Faults {
    let mut faults = Faults {
        discovery: vec![MetadataFault::Issuer("x".into()), MetadataFault::AnnounceIss],
        keys: vec![KeysFault::Replaced(OddKey::Bits512), KeysFault::Crowd(2)],
        authorize: vec![AuthorizeFault::Error {
            error: "e".into(),
            description: None,
        }],
        token: vec![TokenFault::RotateKeys { keep_old: true }],
        id_token: [IdTokenFault::unlawful(), IdTokenFault::lawful()].concat(),
        userinfo: vec![UserinfoFault::Sub(Value::Null)],
        groups: Some(GroupsFault::Many(3)),
        ..Faults::default()
    };
    let slow = Transport {
        delay_ms: 5,
        trouble: Some(Trouble::RateLimited { reset_in: 30 }),
        times: Some(1),
    };
    faults.transport.insert(Endpoint::Token, slow);
    faults
}

#[actix_web::test]
async fn both_doors_speak_of_the_same_faults() {
    let mut stage = Stage::new();
    let json = |body: &str| {
        let request = TestRequest::post()
            .uri("/_faults")
            .insert_header(("content-type", "application/json"));
        request.set_payload(body.to_owned())
    };
    let text = serde_json::to_string(&rich()).unwrap();
    let page = stage.send(json(&text)).await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(stage.okta.faults(), rich());
    assert_eq!(
        stage.get("/_faults").await.json(),
        serde_json::to_value(rich()).unwrap()
    );
    let page = stage
        .send(json(
            r#"{"id_token": ["nonce_wrong", {"iat_ahead": 7200}], "transport":
        {"token": {"trouble": "stall"}, "keys": {"trouble": {"drip": {"every_ms": 1000}}}}}"#,
        ))
        .await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(
        stage.okta.faults().id_token,
        [IdTokenFault::NonceWrong, IdTokenFault::IatAhead(7200)]
    );
    assert_eq!(
        stage.send(json(r#"{"id_tokens": []}"#)).await.status,
        400,
        "a misspelt fault is told"
    );
    let form = TestRequest::post()
        .uri("/_faults")
        .set_payload("{}")
        .insert_header(("content-type", "text/plain"));
    assert_eq!(stage.send(form).await.status, 415);
    assert_eq!(stage.send(json("{}")).await.status, 200);
    assert_eq!(stage.okta.faults(), Faults::default());
    assert!(
        stage.okta.requests().is_empty(),
        "the switch itself is not recorded"
    );
}

#[actix_web::test]
async fn the_second_door_is_shut_unless_opened() {
    let (clock, _) = Clock::frozen(NOW);
    let entropy = Entropy::seeded(1);
    let setup = Setup {
        name: "acme".into(),
        origin: ORIGIN.into(),
        clock,
        entropy,
        faults_over_http: false,
    };
    let mut stage = Stage {
        okta: Okta::for_tests(setup),
        ..Stage::new()
    };
    let request = TestRequest::post()
        .uri("/_faults")
        .insert_header(("content-type", "application/json"));
    assert_eq!(stage.send(request.set_payload("{}")).await.status, 404);
}
