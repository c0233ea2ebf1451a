//! The actions on connections, over a database.

#![allow(clippy::unwrap_used)]

use super::super::clients::{self, NewClient, NewSecret};
use super::super::fixture::Fixture;
use super::*;
use crate::model::mapping::{self, Rule, Source};
use crate::model::provider::Endpoints;
use crate::model::user::{self, Identity, Status, User};

const ACME: &str = "https://acme.okta.example";

fn new(fixture: &Fixture, name: &str) -> NewProvider {
    NewProvider {
        user_pool_id: fixture.pool_id(),
        name: name.into(),
        slug: None,
        issuer: ACME.into(),
        settings: Settings {
            client_id: "0oa1acme".into(),
            ..Settings::default()
        },
        credentials: Credentials {
            client_secret: Some(Zeroizing::new("upstream-secret".into())),
            private_key: None,
            ..Credentials::default()
        },
        identifiers: vec![],
        rules: Rules::default(),
    }
}

fn made(fixture: &mut Fixture, name: &str) -> Provider {
    let ctx = fixture.ctx.clone();
    let new = new(fixture, name);
    fixture.act(|conn| create(conn, &ctx, &[], new)).unwrap()
}

fn email(claim: &str) -> Rules {
    Rules {
        attributes: vec![Rule::new("email", Source::claim(claim))],
        groups: None,
    }
}

fn open(fixture: &Fixture, provider: &Provider) -> Option<String> {
    let label = Label {
        purpose: SECRET_PURPOSE,
        scope: &provider.user_pool_id,
        name: &provider.id,
    };
    let sealed = provider.client_secret_sealed.as_ref()?;
    Some(fixture.ctx.sealer.open_text(label, sealed).unwrap().to_string())
}

#[test]
fn a_connection_is_made_with_identifiers_mapping_and_sealed_secret() {
    let mut fixture = Fixture::with_pool();
    let ctx = fixture.ctx.clone();
    let mut acme = new(&fixture, "Acme.Okta");
    acme.identifiers = vec!["ACME.test".into(), "@acme.example".into()];
    acme.rules = email("email");
    let provider = fixture.act(|conn| create(conn, &ctx, &[], acme)).unwrap();
    assert_eq!(provider.id, "acme-okta");
    assert_eq!(open(&fixture, &provider).as_deref(), Some("upstream-secret"));
    let id = provider.id.clone();
    let identifiers = fixture.act(|conn| Ok(provider::identifiers(conn, &id)?)).unwrap();
    assert_eq!(identifiers, ["acme.example", "acme.test"]);
    let mapping = fixture
        .act(|conn| Ok(mapping::current(conn, &id)?))
        .unwrap()
        .unwrap();
    assert_eq!(
        (mapping.version, mapping.rules.0, mapping.author.as_str()),
        (1, email("email"), "test")
    );
    let event = fixture.last_event();
    assert_eq!(event.action, "provider.create");
    assert!(!event.difference.0.to_string().contains("upstream-secret"));
}

#[test]
fn slugs_differ_where_names_collide() {
    let mut fixture = Fixture::with_pool();
    assert_eq!(made(&mut fixture, "acme-okta").id, "acme-okta");
    assert_eq!(made(&mut fixture, "Acme.Okta").id, "acme-okta-2");
    for n in 0..8 {
        made(&mut fixture, &format!("acme{}okta", "!".repeat(n + 1)));
    }
    let random = made(&mut fixture, "acme+okta");
    assert_eq!(random.id.len(), "acme-okta-".len() + 8, "{}", random.id);

    let ctx = fixture.ctx.clone();
    let mut taken = new(&fixture, "another");
    taken.slug = Some("acme-okta".into());
    assert!(matches!(
        fixture.act(|conn| create(conn, &ctx, &[], taken)),
        Err(Error::Exists(_))
    ));
    let same_name = new(&fixture, "acme-okta");
    assert!(matches!(
        fixture.act(|conn| create(conn, &ctx, &[], same_name)),
        Err(Error::Exists(_))
    ));
}

#[test]
fn a_refused_connection_leaves_nothing() {
    type Change = fn(&mut NewProvider);
    let cases: &[(&str, Change)] = &[
        ("user pool", |p| p.user_pool_id = "us-local-1_None".into()),
        ("name", |p| p.name = "has_underscore".into()),
        ("slug", |p| p.slug = Some("Not A Slug".into())),
        ("issuer", |p| p.issuer = "http://acme.okta.example".into()),
        ("client_id", |p| p.settings.client_id.clear()),
        ("client_secret", |p| p.credentials = Credentials::default()),
        ("client_secret", |p| {
            p.credentials.client_secret = Some(Zeroizing::new("********".into()))
        }),
        ("client_secret", |p| {
            p.credentials.client_secret = Some(Zeroizing::new("a\nb".into()))
        }),
        ("private_key", |p| {
            p.settings.client_auth = ClientAuth::PrivateKeyJwt
        }),
        ("private_key", |p| {
            p.credentials.private_key = Some(Zeroizing::new("no key".into()))
        }),
        ("identifiers", |p| p.identifiers = vec!["a/b".into()]),
        ("leads to another", |p| p.identifiers = vec!["acme.test".into()]),
        ("mapping", |p| {
            p.rules.attributes[0].attribute = "custom:none".into()
        }),
        ("mapping", |p| {
            p.rules.attributes.extend(email("other").attributes)
        }),
    ];
    let mut fixture = Fixture::with_pool();
    let ctx = fixture.ctx.clone();
    let mut first = new(&fixture, "first");
    first.identifiers = vec!["acme.test".into()];
    fixture.act(|conn| create(conn, &ctx, &[], first)).unwrap();
    let events = fixture.events();
    for (at, (what, change)) in cases.iter().enumerate() {
        let mut provider = new(&fixture, "acme-okta");
        provider.rules = email("email");
        change(&mut provider);
        let error = fixture
            .act(|conn| create(conn, &ctx, &[], provider))
            .unwrap_err()
            .to_string();
        assert!(error.contains(what), "case {at}: {error}");
        assert!(fixture.act(|conn| find(conn, "acme-okta")).is_err(), "case {at}");
    }
    assert_eq!(fixture.events(), events);
}

#[test]
fn a_plain_http_issuer_needs_its_host_to_be_admitted() {
    let mut fixture = Fixture::with_pool();
    let ctx = fixture.ctx.clone();
    let mut local = new(&fixture, "local-okta");
    local.issuer = "http://127.0.0.1:8091".into();
    let allowed = [AllowedHost::parse("127.0.0.1:8091").unwrap()];
    let refused = local.clone();
    assert!(fixture.act(|conn| create(conn, &ctx, &[], refused)).is_err());
    assert!(fixture.act(|conn| create(conn, &ctx, &allowed, local)).is_ok());
}

#[test]
fn a_secret_is_forgotten_when_its_urls_change_unless_it_is_entered_again() {
    let endpoints = Endpoints {
        authorization: "https://evil.example/authorize".into(),
        token: "https://evil.example/token".into(),
        userinfo: None,
        jwks: "https://evil.example/keys".into(),
        end_session: None,
    };
    let elsewhere = Settings {
        client_id: "0oa1acme".into(),
        endpoints: Some(endpoints),
        ..Settings::default()
    };
    let moves = [
        ProviderChange {
            issuer: Some("https://evil.example".into()),
            ..ProviderChange::default()
        },
        ProviderChange {
            settings: Some(elsewhere),
            ..ProviderChange::default()
        },
    ];
    for change in moves {
        let mut fixture = Fixture::with_pool();
        let ctx = fixture.ctx.clone();
        let id = made(&mut fixture, "acme-okta").id;
        let silent = change.clone();
        let updated = fixture.act(|conn| update(conn, &ctx, &[], &id, silent)).unwrap();
        assert!(updated.secret_cleared);
        assert_eq!(open(&fixture, &updated.provider), None);
        assert_eq!(fixture.last_event().difference.0["client_secret"], "forgotten");

        let mut fixture = Fixture::with_pool();
        let ctx = fixture.ctx.clone();
        let id = made(&mut fixture, "acme-okta").id;
        let entered = ProviderChange {
            credentials: Credentials {
                client_secret: Some(Zeroizing::new("new-secret".into())),
                private_key: None,
                ..Credentials::default()
            },
            ..change
        };
        let updated = fixture.act(|conn| update(conn, &ctx, &[], &id, entered)).unwrap();
        assert!(!updated.secret_cleared);
        assert_eq!(open(&fixture, &updated.provider).as_deref(), Some("new-secret"));
        let event = fixture.last_event();
        assert_eq!(event.difference.0["client_secret"], "entered");
        assert!(!event.difference.0.to_string().contains("new-secret"));
    }
}

#[test]
fn a_change_that_leaves_the_urls_keeps_the_secret() {
    let mut fixture = Fixture::with_pool();
    let ctx = fixture.ctx.clone();
    let provider = made(&mut fixture, "acme-okta");
    let mut settings = provider.settings.0.clone();
    settings.label = "Acme".into();
    let change = ProviderChange {
        issuer: Some(ACME.into()),
        enabled: Some(false),
        settings: Some(settings.clone()),
        identifiers: Some(vec!["acme.test".into()]),
        ..ProviderChange::default()
    };
    let updated = fixture
        .act(|conn| update(conn, &ctx, &[], &provider.id, change))
        .unwrap();
    assert!(!updated.secret_cleared);
    assert_eq!(
        open(&fixture, &updated.provider).as_deref(),
        Some("upstream-secret")
    );
    assert_eq!(
        fixture.last_event().difference.0,
        json!({
            "enabled": { "old": true, "new": false },
            "identifiers": { "old": [], "new": ["acme.test"] },
            "settings": { "label": { "old": "Okta SSO", "new": "Acme" } },
        })
    );

    // Another way to authenticate needs what it authenticates with.
    settings.client_auth = ClientAuth::PrivateKeyJwt;
    let change = ProviderChange {
        settings: Some(settings),
        ..ProviderChange::default()
    };
    assert!(
        fixture
            .act(|conn| update(conn, &ctx, &[], &provider.id, change))
            .is_err()
    );
}

#[test]
fn the_issuer_stays_once_people_have_signed_in() {
    let mut fixture = Fixture::with_pool();
    let ctx = fixture.ctx.clone();
    let provider = made(&mut fixture, "acme-okta");
    let person = User {
        sub: "1".into(),
        user_pool_id: provider.user_pool_id.clone(),
        username: "acme-okta_00u1".into(),
        status: Status::ExternalProvider,
        enabled: true,
        attributes: Json::default(),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let identity = Identity {
        provider_id: provider.id.clone(),
        issuer: ACME.into(),
        subject: "00u1".into(),
        user_sub: "1".into(),
        provider_name: provider.name.clone(),
        is_primary: true,
        created_ms: 0,
    };
    fixture
        .act(|conn| {
            user::insert(conn, &person)?;
            Ok(user::insert_identity(conn, &identity)?)
        })
        .unwrap();
    let change = ProviderChange {
        issuer: Some("https://acme.okta.example/oauth2/default".into()),
        ..ProviderChange::default()
    };
    let refusal = fixture
        .act(|conn| update(conn, &ctx, &[], &provider.id, change))
        .unwrap_err();
    assert!(
        matches!(&refusal, Error::Conflict(why) if why.contains("second identity provider")),
        "{refusal}"
    );
    let kept = fixture.act(|conn| find(conn, &provider.id)).unwrap();
    assert_eq!(open(&fixture, &kept).as_deref(), Some("upstream-secret"));
}

#[test]
fn a_deleted_connection_leaves_the_clients_lists() {
    let mut fixture = Fixture::with_pool();
    let ctx = fixture.ctx.clone();
    let provider = made(&mut fixture, "acme-okta");
    let client = NewClient {
        id: Some("portal".into()),
        user_pool_id: fixture.pool_id(),
        name: "Portal".into(),
        secret: NewSecret::Public,
        settings: client::Settings {
            redirect_uris: vec!["https://app.example.com/callback".into()],
            scopes: vec!["openid".into()],
            providers: vec!["acme-okta".into(), "COGNITO".into()],
            ..client::Settings::default()
        },
    };
    fixture.act(|conn| clients::create(conn, &ctx, client)).unwrap();
    fixture.act(|conn| delete(conn, &ctx, &provider.id)).unwrap();
    let client = fixture.act(|conn| clients::find(conn, "portal")).unwrap();
    assert_eq!(client.settings.providers, ["COGNITO"]);
    assert_eq!(
        fixture.last_event().difference.0["taken_from_clients"],
        json!(["portal"])
    );
    assert!(matches!(
        fixture.act(|conn| delete(conn, &ctx, &provider.id)),
        Err(Error::NotFound(_))
    ));
}
