#![allow(clippy::unwrap_used)]
use super::*;
use crate::db::Json;
use crate::model::user::Status;
use crate::model::{client, pool};

const NOW: UnixTime = UnixTime(1_754_000_000);
const ISSUER: &str = "http://localhost:8080/us-local-1_Forebay01";

struct World {
    pool: Pool,
    client: Client,
    user: User,
    groups: Vec<Group>,
    identities: Vec<Identity>,
    granted: Granted,
}

fn group(name: &str, precedence: Option<i64>, role_arn: Option<&str>) -> Group {
    Group {
        user_pool_id: "us-local-1_Forebay01".into(),
        name: name.into(),
        description: None,
        precedence,
        role_arn: role_arn.map(str::to_owned),
        created_at: NOW,
        updated_at: NOW,
    }
}

fn world() -> World {
    let custom = |name: &str, kind| pool::Attribute {
        name: name.into(),
        kind,
        mutable: true,
        required: false,
    };
    World {
        pool: Pool {
            id: "us-local-1_Forebay01".into(),
            name: "pool".into(),
            settings: Json(pool::Settings {
                attributes: vec![
                    custom("custom:tenant_id", pool::AttributeType::String),
                    custom("custom:level", pool::AttributeType::Number),
                    custom("custom:teams", pool::AttributeType::String),
                ],
                ..Default::default()
            }),
            created_at: NOW,
            updated_at: NOW,
        },
        client: Client {
            id: "1h57kf5cpq17m0eml12example".into(),
            user_pool_id: "us-local-1_Forebay01".into(),
            name: "web".into(),
            enabled: true,
            settings: Json(client::Settings {
                id_token_seconds: 1800,
                ..Default::default()
            }),
            created_at: NOW,
            updated_at: NOW,
        },
        user: User {
            sub: "6c8e2f0a-91d4-4a9c-8a37-0f5d3c1b7e44".into(),
            user_pool_id: "us-local-1_Forebay01".into(),
            username: "acme-okta_00u1ada".into(),
            status: Status::ExternalProvider,
            enabled: true,
            attributes: Json(
                json!({
                    "email": "ada@acme.test", "email_verified": true, "given_name": "Ada", "updated_at": 1_753_000_000,
                    "phone_number": "+14155550100", "phone_number_verified": false, "address": {"country": "GB"},
                    "custom:tenant_id": "acme", "custom:level": 7, "custom:teams": ["R&D", "Ops"]
                })
                .as_object()
                .unwrap()
                .clone(),
            ),
            created_at: NOW,
            updated_at: NOW,
        },
        groups: vec![
            group("us-local-1_Forebay01_acme-okta", None, None),
            group("admins", Some(1), Some("arn:aws:iam::111122223333:role/admins")),
        ],
        identities: vec![Identity {
            provider_id: "acme-okta".into(),
            issuer: "https://acme.okta.test".into(),
            subject: "00u1ada".into(),
            user_sub: "6c8e2f0a-91d4-4a9c-8a37-0f5d3c1b7e44".into(),
            provider_name: "acme-okta".into(),
            is_primary: true,
            created_ms: 1_754_000_000_123,
        }],
        granted: Granted {
            scopes: vec!["openid".into()],
            nonce: Some("n-0S6_WzA2Mj".into()),
            auth_time: UnixTime(1_753_999_000),
            event_id: "5c7a".into(),
            ..Default::default()
        },
    }
}

impl World {
    fn issue(&self) -> Issue<'_> {
        Issue {
            issuer: ISSUER,
            pool: &self.pool,
            client: &self.client,
            now: NOW,
            jti: "aa90",
        }
    }

    fn person(&self) -> Person<'_> {
        Person {
            user: &self.user,
            groups: &self.groups,
            identities: &self.identities,
            tenant_id: None,
        }
    }

    fn id(&self) -> Value {
        Value::Object(
            id_token(
                &self.issue(),
                &self.person(),
                &self.granted,
                "0f1d",
                Some("token"),
            )
            .unwrap(),
        )
    }

    fn access(&self) -> Value {
        Value::Object(access_token(&self.issue(), &self.person(), &self.granted, "0f1d").unwrap())
    }

    fn userinfo(&self) -> Value {
        Value::Object(userinfo(
            &self.pool,
            &self.client,
            &self.user,
            &self.granted.scopes,
        ))
    }

    fn scopes(&mut self, scopes: &str) {
        self.granted.scopes = scopes.split(' ').map(String::from).collect();
    }
}

#[test]
fn the_id_token_of_a_federated_user_is_cognitos_whole() {
    assert_eq!(
        world().id(),
        json!({
            "iss": ISSUER, "sub": "6c8e2f0a-91d4-4a9c-8a37-0f5d3c1b7e44", "aud": "1h57kf5cpq17m0eml12example",
            "token_use": "id", "auth_time": 1_753_999_000, "iat": 1_754_000_000, "exp": 1_754_001_800,
            "jti": "aa90", "origin_jti": "0f1d", "event_id": "5c7a", "nonce": "n-0S6_WzA2Mj",
            "at_hash": at_hash("token"),
            "cognito:username": "acme-okta_00u1ada",
            "cognito:groups": ["admins", "us-local-1_Forebay01_acme-okta"],
            "cognito:roles": ["arn:aws:iam::111122223333:role/admins"],
            "cognito:preferred_role": "arn:aws:iam::111122223333:role/admins",
            "identities": [{"userId": "00u1ada", "providerName": "acme-okta", "providerType": "OIDC", "issuer": null,
                            "primary": "true", "dateCreated": "1754000000123"}],
            "email": "ada@acme.test", "email_verified": true, "given_name": "Ada", "updated_at": 1_753_000_000,
            "phone_number": "+14155550100", "phone_number_verified": false, "address": {"country": "GB"},
            "custom:tenant_id": "acme", "custom:level": "7", "custom:teams": "[R%26D,Ops]"
        })
    );
}

#[test]
fn the_access_token_is_cognitos_with_an_audience() {
    let mut world = world();
    world.scopes("openid email demo-api/read");
    let expected = json!({
        "iss": ISSUER, "sub": "6c8e2f0a-91d4-4a9c-8a37-0f5d3c1b7e44", "aud": ISSUER,
        "client_id": "1h57kf5cpq17m0eml12example", "version": 2, "token_use": "access",
        "scope": "openid email demo-api/read", "auth_time": 1_753_999_000, "iat": 1_754_000_000,
        "exp": 1_754_003_600, "jti": "aa90", "origin_jti": "0f1d", "event_id": "5c7a",
        "username": "acme-okta_00u1ada", "cognito:groups": ["admins", "us-local-1_Forebay01_acme-okta"]
    });
    assert_eq!(world.access(), expected);

    world.granted.acr = Some("urn:okta:loa:2fa:any".into());
    world.granted.amr = vec!["mfa".into()];
    assert_eq!(world.access()["amr"], json!(["mfa"]));
    assert_eq!(world.access()["acr"], "urn:okta:loa:2fa:any");

    world.pool.settings.cognito_exact = true;
    let mut exact = expected;
    exact.as_object_mut().unwrap().remove("aud");
    assert_eq!(world.access(), exact, "Cognito's has no audience of its own");
    world.granted.resource = Some("https://api.acme.test".into());
    assert_eq!(world.access()["aud"], "https://api.acme.test");
    world.pool.settings.cognito_exact = false;
    assert_eq!(world.access()["aud"], "https://api.acme.test");
}

#[test]
fn m_68_a_clients_own_token_speaks_of_the_client() {
    let mut world = world();
    let scopes = ["demo-api/read".to_owned()];
    let claims = |world: &World| Value::Object(client_access_token(&world.issue(), &scopes, None).unwrap());
    assert_eq!(
        claims(&world),
        json!({
            "iss": ISSUER, "sub": "1h57kf5cpq17m0eml12example", "client_id": "1h57kf5cpq17m0eml12example",
            "aud": ISSUER, "token_use": "access", "scope": "demo-api/read", "version": 2, "auth_time": 1_754_000_000,
            "iat": 1_754_000_000, "exp": 1_754_003_600, "jti": "aa90"
        })
    );
    world.pool.settings.cognito_exact = true;
    assert_eq!(claims(&world).get("aud"), None);
}

#[test]
fn scopes_and_readable_attributes_decide_what_is_released() {
    let email = ["email", "email_verified"];
    let phone = ["phone_number", "phone_number_verified"];
    let profile = [
        "custom:level",
        "custom:teams",
        "custom:tenant_id",
        "given_name",
        "updated_at",
    ];
    let all = [&email[..], &phone, &profile, &["address"]].concat();
    for (scopes, readable, expected) in [
        ("openid", None, all.clone()),
        ("openid demo-api/read", None, all.clone()),
        ("openid aws.cognito.signin.user.admin", None, all.clone()),
        ("openid email", None, email.to_vec()),
        ("openid phone", None, phone.to_vec()),
        ("openid profile", None, profile.to_vec()),
        ("openid email profile", None, [&email[..], &profile].concat()),
        ("email profile phone", None, vec![]),
        ("demo-api/read", None, vec![]),
        (
            "openid",
            Some(vec!["email", "given_name"]),
            vec!["email", "given_name"],
        ),
        (
            "openid profile",
            Some(vec!["email", "given_name"]),
            vec!["given_name"],
        ),
        ("openid", Some(vec![]), vec![]),
    ] {
        let mut world = world();
        world.scopes(scopes);
        world.client.settings.read_attributes =
            readable.map(|names: Vec<&str>| names.into_iter().map(String::from).collect());
        let mut expected: Vec<&str> = expected;
        expected.sort_unstable();
        let attributes = |token: Value| -> Vec<String> {
            let names = token.as_object().unwrap().keys().cloned();
            names
                .filter(|name| world.user.attributes.contains_key(name))
                .collect()
        };
        assert_eq!(attributes(world.id()), expected, "{scopes}");
        assert_eq!(attributes(world.userinfo()), expected, "{scopes}");
        assert_eq!(world.userinfo()["sub"], world.user.sub, "M-81: sub always");
        assert_eq!(world.userinfo()["username"], world.user.username);
        assert!(attributes(world.access()).is_empty());
    }
}

#[test]
fn userinfo_has_the_standards_types_or_cognitos_strings() {
    let mut world = world();
    let info = world.userinfo();
    assert_eq!(info["email_verified"], true);
    assert_eq!(info["updated_at"], 1_753_000_000);
    assert_eq!(info["address"], json!({"country": "GB"}));
    assert_eq!(info["custom:level"], "7");
    world.pool.settings.cognito_exact = true;
    let info = world.userinfo();
    assert_eq!(info["email_verified"], "true");
    assert_eq!(info["phone_number_verified"], "false");
    assert_eq!(info["updated_at"], "1753000000");
    assert_eq!(info["address"], r#"{"country":"GB"}"#);
    assert_eq!(info["custom:teams"], "[R%26D,Ops]");
    assert!(info.as_object().unwrap().values().all(Value::is_string));
    assert_eq!(
        world.id()["email_verified"],
        true,
        "the ID token has a truth value there, too"
    );
}

#[test]
fn optional_claims_stay_out_when_there_is_nothing_to_say() {
    let mut world = world();
    world.groups.clear();
    world.identities.clear();
    world.granted.nonce = None;
    let id = id_token(&world.issue(), &world.person(), &world.granted, "0f1d", None).unwrap();
    for name in [
        "cognito:groups",
        "cognito:roles",
        "cognito:preferred_role",
        "identities",
        "nonce",
        "at_hash",
        "acr",
        "amr",
    ] {
        assert!(!id.contains_key(name), "{name}");
    }
    assert_eq!(world.access().get("cognito:groups"), None);
    world.granted.acr = Some("urn:cognito:loa:2".into());
    world.granted.amr = vec!["pwd".into(), "otp".into()];
    assert_eq!(world.id()["acr"], "urn:cognito:loa:2");
    assert_eq!(world.id()["amr"], json!(["pwd", "otp"]));
}

#[test]
fn groups_and_roles_follow_precedence() {
    let (a, b) = ("arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b");
    for (groups, names, roles, preferred) in [
        (
            vec![group("z", Some(0), None), group("a", None, None)],
            vec!["z", "a"],
            vec![],
            None,
        ),
        (
            vec![group("b", Some(2), Some(b)), group("a", Some(1), Some(a))],
            vec!["a", "b"],
            vec![a, b],
            Some(a),
        ),
        (
            vec![group("b", Some(1), Some(b)), group("a", Some(1), Some(a))],
            vec!["a", "b"],
            vec![a, b],
            None,
        ),
        (
            vec![group("b", Some(1), Some(a)), group("a", Some(1), Some(a))],
            vec!["a", "b"],
            vec![a],
            Some(a),
        ),
        (
            vec![group("x", Some(0), None), group("a", Some(5), Some(a))],
            vec!["x", "a"],
            vec![a],
            Some(a),
        ),
        (
            vec![group("a", None, Some(a)), group("b", Some(9), Some(b))],
            vec!["b", "a"],
            vec![b, a],
            Some(b),
        ),
        (vec![group("a", None, Some(""))], vec!["a"], vec![], None),
    ] {
        let mut world = world();
        world.groups = groups;
        let id = world.id();
        assert_eq!(id["cognito:groups"], json!(names));
        assert_eq!(
            id.get("cognito:roles").cloned().unwrap_or(json!([])),
            json!(roles)
        );
        assert_eq!(
            id.get("cognito:preferred_role"),
            preferred.map(|arn| json!(arn)).as_ref(),
            "{names:?}"
        );
        assert_eq!(world.access()["cognito:groups"], json!(names));
    }
}

#[test]
fn a_53_no_attribute_stands_in_for_a_reserved_claim() {
    let mut world = world();
    let (id, access, info) = (world.id(), world.access(), world.userinfo());
    let twins: Vec<String> = RESERVED
        .iter()
        .flat_map(|name| [(*name).to_owned(), name.to_uppercase(), format!(" {name}")])
        .chain(
            [
                "cognito:groups",
                "cognito:admin",
                "Cognito:Username",
                "department",
            ]
            .map(String::from),
        )
        .collect();
    for name in &twins {
        world.user.attributes.insert(name.clone(), json!("evil"));
        // Not even when the schema lists it, by whatever way it came in.
        if name != "department" {
            world.pool.settings.attributes.push(pool::Attribute {
                name: name.clone(),
                kind: pool::AttributeType::String,
                mutable: true,
                required: false,
            });
        }
    }
    assert_eq!((world.id(), world.access(), world.userinfo()), (id, access, info));
}

#[test]
fn the_hash_of_the_access_token_is_the_left_half() {
    // SHA-256 of the empty string is e3b0c442 98fc1c14 9afbf4c8 996fb924 …
    assert_eq!(at_hash(""), "47DEQpj8HBSa-_TImW-5JA");
    assert_eq!(at_hash("token").len(), 22);
}

#[test]
fn a_133_a_token_has_a_size_and_the_error_says_what_fills_it() {
    let mut world = world();
    world.groups = (0..500)
        .map(|n| group(&format!("Engineering Team {n:03}"), None, None))
        .collect();
    assert_eq!(world.id()["cognito:groups"].as_array().unwrap().len(), 500);
    world.groups = (0..10_000)
        .map(|n| group(&format!("group-{n:05}"), None, None))
        .collect();
    let error = access_token(&world.issue(), &world.person(), &world.granted, "0f1d").unwrap_err();
    assert_eq!(error.largest, "cognito:groups");
    assert!(error.bytes > error.largest_bytes && error.largest_bytes > MAX_BYTES);
    assert!(error.to_string().contains("cognito:groups"));
    assert!(id_token(&world.issue(), &world.person(), &world.granted, "0f1d", None).is_err());
    assert!(client_access_token(&world.issue(), &["a/b".to_owned()], None).is_ok());
}
