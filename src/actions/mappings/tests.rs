//! Versions of a mapping: saved, compared, brought back; and the apps they must not break.

#![allow(clippy::unwrap_used)]

use zeroize::Zeroizing;

use super::*;
use crate::actions::clients::{self, NewClient, NewSecret};
use crate::actions::fixture::Fixture;
use crate::actions::providers::{Credentials, NewProvider};
use crate::model::client::{self, ContractClaim, ContractKind};
use crate::model::mapping::{Rule, Source};
use crate::model::provider::Settings;
use crate::rules::mapping::difference::ChangeKind;
use crate::rules::mapping::parse;

fn fixture() -> (Fixture, String) {
    let mut fixture = Fixture::with_pool();
    let ctx = fixture.ctx.clone();
    let new = NewProvider {
        user_pool_id: fixture.pool_id(),
        name: "acme-okta".into(),
        slug: None,
        issuer: "https://acme.okta.example".into(),
        settings: Settings {
            client_id: "0oa1acme".into(),
            ..Settings::default()
        },
        credentials: Credentials {
            client_secret: Some(Zeroizing::new("upstream-secret".into())),
            private_key: None,
            next_secret: None,
        },
        identifiers: vec![],
        rules: Rules::default(),
    };
    let id = fixture
        .act(|conn| providers::create(conn, &ctx, &[], new))
        .unwrap()
        .id;
    (fixture, id)
}

fn rules(texts: &[&str]) -> Rules {
    Rules {
        attributes: texts.iter().map(|text| parse::rule(text).unwrap()).collect(),
        groups: None,
    }
}

fn draft(seen: i64, texts: &[&str]) -> Save {
    Save {
        seen,
        rules: rules(texts),
        note: "a note".into(),
        accept_breaches: false,
    }
}

#[test]
fn a_mapping_gets_a_version_per_change_and_nobodys_is_overwritten() {
    let (mut fixture, id) = fixture();
    let ctx = fixture.ctx.clone();
    let mut go = |draft: Save| {
        fixture
            .act(|conn| save(conn, &ctx, &id, draft))
            .map(|mapping| mapping.version)
    };
    assert_eq!(go(draft(0, &["email=email"])).unwrap(), 1);
    assert_eq!(go(draft(1, &["email=mail"])).unwrap(), 2);
    assert_eq!(go(draft(2, &["email=mail"])).unwrap(), 2);
    assert!(matches!(go(draft(1, &["email=other"])), Err(Error::Conflict(_))));
    assert!(matches!(go(draft(0, &["email=other"])), Err(Error::Conflict(_))));
    for wrong in [
        rules(&["custom:none=x"]),
        Rules {
            attributes: vec![Rule::new("name", Source::expression("claims."))],
            groups: None,
        },
    ] {
        let save = Save {
            seen: 2,
            rules: wrong,
            ..Save::default()
        };
        assert!(matches!(go(save), Err(Error::Invalid { field, .. }) if field == "mapping"));
    }
    let mut noted = draft(2, &["email=other"]);
    noted.note = "two\nlines".into();
    assert!(matches!(go(noted), Err(Error::Invalid { field, .. }) if field == "note"));
    assert_eq!(
        fixture.last_event().difference.0,
        json!({ "version": 2, "old": rules(&["email=email"]), "new": rules(&["email=mail"]) })
    );
}

fn roll_back(conn: &mut Conn, ctx: &Ctx, id: &str, seen: i64, version: i64) -> Result<Mapping, Error> {
    let again = rollback(conn, id, seen, version, false)?;
    save(conn, ctx, id, again)
}

#[test]
fn what_was_judged_against_an_older_version_is_not_saved() {
    let (mut fixture, id) = fixture();
    let ctx = fixture.ctx.clone();
    let judged = fixture
        .act(|conn| judge(conn, &ctx, &id, draft(0, &["email=email"])))
        .unwrap();
    fixture
        .act(|conn| save(conn, &ctx, &id, draft(0, &["email=mail"])))
        .unwrap();
    let late = fixture.act(|conn| save_judged(conn, &ctx, &id, judged.clone()));
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
}

#[test]
fn versions_are_listed_compared_and_brought_back() {
    let (mut fixture, id) = fixture();
    let ctx = fixture.ctx.clone();
    for (seen, texts) in [
        (0, &["email=email"][..]),
        (1, &["email=mail", "name:=claims.first"]),
        (2, &["name=name"]),
    ] {
        fixture
            .act(|conn| save(conn, &ctx, &id, draft(seen, texts)))
            .unwrap();
    }
    let history = fixture
        .act(|conn| Ok(mapping::history(conn, &id, None, 2)?))
        .unwrap();
    assert_eq!(
        history.iter().map(|mapping| mapping.version).collect::<Vec<_>>(),
        [3, 2]
    );
    let older = fixture
        .act(|conn| Ok(mapping::history(conn, &id, Some(2), 9)?))
        .unwrap();
    assert_eq!(
        older.iter().map(|mapping| mapping.version).collect::<Vec<_>>(),
        [1]
    );

    let changes = fixture.act(|conn| compare(conn, &id, 1, 2)).unwrap();
    let told: Vec<_> = changes
        .iter()
        .map(|change| (change.target.as_str(), change.kind))
        .collect();
    assert_eq!(
        told,
        [("email", ChangeKind::Changed), ("name", ChangeKind::Added)]
    );
    assert_eq!(fixture.act(|conn| compare(conn, &id, 0, 3)).unwrap().len(), 1);
    assert!(matches!(
        fixture.act(|conn| compare(conn, &id, 1, 9)),
        Err(Error::NotFound(_))
    ));

    let back = fixture.act(|conn| roll_back(conn, &ctx, &id, 3, 2)).unwrap();
    assert_eq!((back.version, back.note.as_str()), (4, "rollback to version 2"));
    assert_eq!(back.rules, history[1].rules);
    assert!(matches!(
        fixture.act(|conn| roll_back(conn, &ctx, &id, 3, 1)),
        Err(Error::Conflict(_))
    ));
}

#[test]
fn a_draft_that_takes_away_what_an_app_requires_is_refused_by_the_apps_name() {
    let (mut fixture, id) = fixture();
    let ctx = fixture.ctx.clone();
    fixture
        .act(|conn| save(conn, &ctx, &id, draft(0, &["email=email", "name=name"])))
        .unwrap();
    let client = NewClient {
        id: Some("portal".into()),
        user_pool_id: fixture.pool_id(),
        name: "Portal".into(),
        secret: NewSecret::Public,
        settings: client::Settings {
            redirect_uris: vec!["https://app.example.com/callback".into()],
            scopes: vec!["openid".into()],
            providers: vec!["acme-okta".into()],
            contract: vec![ContractClaim {
                claim: "email".into(),
                kind: ContractKind::String,
                required: true,
                one_of: vec![],
            }],
            ..client::Settings::default()
        },
    };
    fixture.act(|conn| clients::create(conn, &ctx, client)).unwrap();
    let refused = fixture
        .act(|conn| save(conn, &ctx, &id, draft(1, &["name=name"])))
        .unwrap_err();
    let Error::Conflict(why) = refused else {
        panic!("{refused}");
    };
    assert!(why.contains("app 'Portal': 'email' is required"), "{why}");
    // Another source for it is none of the contract's business.
    fixture
        .act(|conn| save(conn, &ctx, &id, draft(1, &["email=mail", "name=name"])))
        .unwrap();
    let accepted = Save {
        accept_breaches: true,
        ..draft(2, &["name=name"])
    };
    assert_eq!(
        fixture
            .act(|conn| save(conn, &ctx, &id, accepted))
            .unwrap()
            .version,
        3
    );
    let told = fixture.last_event().difference.0["accepted_breaches"].to_string();
    assert!(told.contains("Portal"), "{told}");
    // What is broken already does not stand in the way.
    fixture
        .act(|conn| save(conn, &ctx, &id, draft(3, &["nickname=n"])))
        .unwrap();
}
