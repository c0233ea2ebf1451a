#![allow(clippy::unwrap_used, clippy::result_large_err)]

mod groups;

use diesel::connection::SimpleConnection;
use serde_json::json;
use tokio::runtime::Runtime;

use super::*;
use crate::db::{Db, Target, migrate};
use crate::model::group::Membership;
use crate::model::mapping::MissingGroup;
use crate::model::pool::{self, Attribute, AttributeType};
use crate::model::{audit, client, fixture, provider};
use crate::rules::mapping::parse;
use crate::seal::Sealer;
use crate::world::{Entropy, UnixTime};

const NOW: UnixTime = UnixTime(1_754_000_000);
const POOL: &str = "us-local-1_Forebay01";

/// A database of the test's own: a SQLite file, or a schema of the PostgreSQL that `TEST_DATABASE_URL` names.
struct Database {
    target: Target,
    _directory: tempfile::TempDir,
    schema: Option<(Target, String)>,
}

impl Database {
    fn new() -> Database {
        let directory = tempfile::tempdir().unwrap();
        let Ok(url) = std::env::var("TEST_DATABASE_URL") else {
            return Database {
                target: Target::Sqlite(directory.path().join("test.db").display().to_string()),
                _directory: directory,
                schema: None,
            };
        };
        let server = Target::parse(&url).unwrap();
        let name = format!("profile_{}", secret::uuid(&Entropy::system()).replace('-', ""));
        let mut conn = server.open().unwrap();
        conn.batch_execute(&format!("CREATE SCHEMA {name}")).unwrap();
        let separator = if url.contains('?') { '&' } else { '?' };
        Database {
            target: Target::Postgres(format!("{url}{separator}options=-csearch_path%3D{name}")),
            _directory: directory,
            schema: Some((server, name)),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.schema
            && let Ok(mut conn) = server.open()
        {
            let _ = conn.batch_execute(&format!("DROP SCHEMA {name} CASCADE"));
        }
    }
}

/// A migrated database with one pool, one client and two providers in it.
struct World {
    database: Database,
    conn: Conn,
    ctx: Ctx,
    pool: Pool,
    client: Client,
    acme: Provider,
    globex: Provider,
}

fn world() -> World {
    let database = Database::new();
    let mut conn = database.target.open().unwrap();
    migrate(&mut conn).unwrap();
    let entropy = Entropy::system();
    let pool = Pool {
        id: POOL.into(),
        name: "pool".into(),
        settings: Json(pool::Settings {
            attributes: vec![Attribute {
                name: "custom:tenant".into(),
                kind: AttributeType::String,
                mutable: false,
                required: false,
            }],
            ..Default::default()
        }),
        created_at: NOW,
        updated_at: NOW,
    };
    assert!(pool::insert(&mut conn, &pool).unwrap());
    let client = Client {
        id: "client1".into(),
        user_pool_id: POOL.into(),
        name: "web".into(),
        enabled: true,
        settings: Json(client::Settings::default()),
        created_at: NOW,
        updated_at: NOW,
    };
    assert!(client::insert(&mut conn, &client).unwrap());
    let provider = |name: &str| Provider {
        user_pool_id: POOL.into(),
        created_at: NOW,
        updated_at: NOW,
        ..fixture::provider(name)
    };
    let (acme, globex) = (provider("acme-okta"), provider("globex-okta"));
    assert!(provider::insert(&mut conn, &acme).unwrap());
    assert!(provider::insert(&mut conn, &globex).unwrap());
    let mut world = World {
        database,
        conn,
        ctx: Ctx {
            actor: "system".into(),
            request_id: "r".into(),
            now: NOW,
            entropy: entropy.clone(),
            sealer: Sealer::new(vec![[7; 32]], entropy),
        },
        pool,
        client,
        acme,
        globex,
    };
    for provider in ["acme-okta", "globex-okta"] {
        world.map(
            provider,
            1,
            &["email=email", "custom:tenant=tenant", "name=name"],
            Some(MissingGroup::Create),
        );
    }
    world
}

impl World {
    /// What many people who come at once need: connections enough, and threads.
    fn at_once(&self) -> (Db, Runtime) {
        let db = Db::open(&self.database.target, 8).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .build();
        (db, runtime.unwrap())
    }

    fn map(&mut self, provider_id: &str, version: i64, attributes: &[&str], groups: Option<MissingGroup>) {
        let texts: Vec<String> = attributes.iter().map(ToString::to_string).collect();
        let mapping = mapping::Mapping {
            provider_id: provider_id.into(),
            version,
            rules: Json(Rules {
                attributes: parse::rules(&texts).unwrap(),
                groups: groups.map(|missing| mapping::GroupsRule {
                    missing,
                    ..mapping::GroupsRule::new(mapping::Source::claim("groups"))
                }),
            }),
            author: "test".into(),
            note: String::new(),
            created_at: NOW,
        };
        assert!(mapping::insert(&mut self.conn, &mapping).unwrap());
    }

    fn come(&mut self, provider: &Provider, subject: &str, claims: Value) -> Result<Settled, Refused> {
        let arrival = arrival(provider, subject, claims);
        settle(
            &mut self.conn,
            &self.ctx,
            &self.pool,
            provider,
            &self.client,
            &arrival,
        )
        .unwrap()
    }

    fn acme(&mut self, subject: &str, claims: Value) -> Result<Settled, Refused> {
        let provider = self.acme.clone();
        self.come(&provider, subject, claims)
    }

    fn users(&mut self) -> i64 {
        use crate::db::schema::users;
        use diesel::prelude::*;
        users::table.count().get_result(&mut self.conn).unwrap()
    }

    fn last_event(&mut self) -> audit::Event {
        audit::recent(&mut self.conn, Some(POOL), 1).unwrap().remove(0)
    }
}

fn arrival(provider: &Provider, subject: &str, claims: Value) -> Arrival {
    Arrival {
        issuer: provider.issuer.clone(),
        subject: subject.into(),
        claims: claims.as_object().unwrap().clone(),
    }
}

fn names(groups: &[Group]) -> Vec<&str> {
    groups.iter().map(|group| group.name.as_str()).collect()
}

#[test]
fn the_first_sign_in_makes_cognitos_profile() {
    let mut world = world();
    let settled = world
        .acme(
            "00u1Ada",
            json!({"email": "ada@acme.test", "name": "Ada", "groups": ["Everyone", "Engineering"]}),
        )
        .unwrap();
    assert!(settled.created);
    assert_eq!(settled.mapping_version, 1);
    let user = &settled.user;
    assert_eq!(user.username, "acme-okta_00u1Ada");
    assert_eq!((user.status, user.enabled), (Status::ExternalProvider, true));
    assert_eq!(user.sub.len(), 36);
    assert_eq!(
        Value::Object(user.attributes.0.clone()),
        json!({"email": "ada@acme.test", "email_verified": false, "name": "Ada"})
    );
    let automatic = "us-local-1_Forebay01_acme-okta";
    assert_eq!(names(&settled.groups), ["Engineering", "Everyone", automatic]);
    let group = group::find(&mut world.conn, POOL, automatic).unwrap().unwrap();
    assert_eq!(
        group.description.as_deref(),
        Some("Autogenerated group for users who sign in using acme-okta")
    );
    assert_eq!(
        settled.identities,
        [Identity {
            provider_id: "acme-okta".into(),
            issuer: "https://acme-okta.test".into(),
            subject: "00u1Ada".into(),
            user_sub: user.sub.clone(),
            provider_name: "acme-okta".into(),
            is_primary: true,
            created_ms: 1_754_000_000_000,
        }]
    );
    let joined: Vec<_> = settled
        .effects
        .iter()
        .filter(|effect| effect.action == "joined")
        .collect();
    assert_eq!(joined[0].target, "group:Engineering");
    assert_eq!(joined.len(), 2);
    let event = world.last_event();
    assert_eq!(
        (event.action.as_str(), event.target.as_str()),
        ("user.create", user.sub.as_str())
    );
    assert_eq!(
        event.difference["groups"]["joined"],
        json!(["Engineering", "Everyone"])
    );
    assert_eq!(event.difference["attributes"]["email"]["new"], "a***@acme.test");
    assert!(!event.difference.0.to_string().contains("ada@"));
}

#[test]
fn later_sign_ins_update_the_same_profile_and_only_when_something_changed() {
    let mut world = world();
    let first = world
        .acme("00u1", json!({"email": "ada@acme.test", "name": "Ada"}))
        .unwrap();
    world.ctx.now = NOW.plus(60);
    let same = world
        .acme("00u1", json!({"email": "ada@acme.test", "name": "Ada"}))
        .unwrap();
    assert!(!same.created);
    assert_eq!(same.user, first.user, "not even updated_at moves");
    let event = world.last_event();
    assert_eq!(event.action, "user.sign_in");
    assert_eq!(event.difference["attributes"], json!({}));
    let changed = world
        .acme("00u1", json!({"email": "ada@acme.test", "name": "Ada L."}))
        .unwrap();
    assert_eq!(changed.user.sub, first.user.sub);
    assert_eq!(changed.user.attributes["name"], "Ada L.");
    assert_eq!(changed.user.updated_at, NOW.plus(60));
    assert_eq!(
        world.last_event().difference["attributes"]["name"],
        json!({"old": "text(3)", "new": "text(6)"})
    );
    assert_eq!(world.users(), 1);
}

#[test]
fn a_47_equal_addresses_never_lead_to_another_ones_profile() {
    let mut world = world();
    let ada = world
        .acme("00u1", json!({"email": "ada@acme.test", "email_verified": true}))
        .unwrap();
    let globex = world.globex.clone();
    for (number, claims) in [
        json!({"email": "ada@acme.test", "email_verified": true}),
        json!({"email": "ADA@ACME.TEST", "email_verified": "true"}),
        json!({"email": "ada@acme.test", "sub": "00u1"}),
        json!({"email": "ada@acme.test", "username": "acme-okta_00u1", "preferred_username": "acme-okta_00u1"}),
    ]
    .into_iter()
    .enumerate()
    {
        let other = world.come(&globex, &format!("00uX{number}"), claims).unwrap();
        assert!(other.created);
        assert_ne!(other.user.sub, ada.user.sub);
    }
    // The same subject at another provider, and at another issuer of the same provider, is somebody else.
    assert_ne!(
        world.come(&globex, "00u1", json!({})).unwrap().user.sub,
        ada.user.sub
    );
    let mut moved = world.acme.clone();
    moved.issuer = "https://other.test".into();
    let other = world.come(&moved, "00u1", json!({})).unwrap();
    assert_ne!(other.user.sub, ada.user.sub);
    assert_eq!(other.user.username, "acme-okta_00u1_2");
}

#[test]
fn a_52_recycled_names_make_new_profiles() {
    let mut world = world();
    let old = world
        .acme("00u1", json!({"name": "Ada", "groups": ["admins"]}))
        .unwrap();
    assert!(provider::delete(&mut world.conn, "acme-okta").unwrap());
    let again = world.acme.clone();
    assert!(provider::insert(&mut world.conn, &again).unwrap());
    for (number, issuer) in ["https://a.test", "https://b.test", "https://c.test"]
        .iter()
        .enumerate()
    {
        let mut provider = again.clone();
        provider.issuer = (*issuer).into();
        let settled = world.come(&provider, "00u1", json!({})).unwrap();
        assert!(settled.created);
        assert_ne!(settled.user.sub, old.user.sub);
        assert_eq!(settled.user.username, format!("acme-okta_00u1_{}", number + 2));
        assert_eq!(names(&settled.groups), ["us-local-1_Forebay01_acme-okta"]);
        assert!(!world.come(&provider, "00u1", json!({})).unwrap().created);
    }
    // When all numbered names are taken there is still one that cannot be.
    for number in 0..NUMBERED + 3 {
        let mut provider = again.clone();
        provider.issuer = format!("https://{number}.test");
        assert!(world.come(&provider, "00u1", json!({})).unwrap().created);
    }
}

#[test]
fn a_case_insensitive_pool_lowers_usernames_and_keeps_subjects_apart() {
    let mut world = world();
    world.pool.settings.case_sensitive = false;
    let one = world.acme("00uABC", json!({})).unwrap();
    let two = world.acme("00uabc", json!({})).unwrap();
    assert_eq!(one.user.username, "acme-okta_00uabc");
    assert_eq!(two.user.username, "acme-okta_00uabc_2");
    assert_eq!(world.acme("00uABC", json!({})).unwrap().user.sub, one.user.sub);
}

#[test]
fn a_51_subjects_that_mean_nobody_are_refused() {
    let mut world = world();
    let long = "x".repeat(256);
    for subject in ["", " ", "\t", "null", "NULL", "undefined", "a\nb", "a\0b", &long] {
        let refused = world.acme(subject, json!({})).unwrap_err();
        assert_eq!(refused.refusal.cause, "subject_invalid", "{subject:?}");
    }
    assert_eq!(world.users(), 0);
    assert!(world.acme(&"x".repeat(255), json!({})).is_ok());
}

#[test]
fn a_refusal_leaves_everything_as_it_was() {
    let mut world = world();
    let refused = world
        .acme("00u1", json!({"email": "not an address", "groups": ["new"]}))
        .unwrap_err();
    assert_eq!(refused.refusal.cause, "attribute_invalid");
    assert_eq!((refused.user_sub, refused.mapping_version), (None, 1));
    assert!(!refused.effects.is_empty());
    assert_eq!(world.users(), 0);
    assert!(group::find(&mut world.conn, POOL, "new").unwrap().is_none());

    let first = world
        .acme("00u1", json!({"tenant": "acme", "name": "Ada"}))
        .unwrap();
    let refused = world
        .acme(
            "00u1",
            json!({"tenant": "globex", "name": "Eve", "groups": ["new"]}),
        )
        .unwrap_err();
    assert_eq!(
        refused.refusal.description,
        "user.custom:tenant: Attribute cannot be updated."
    );
    assert_eq!(refused.user_sub.as_deref(), Some(first.user.sub.as_str()));
    let stored = user::find(&mut world.conn, &first.user.sub).unwrap().unwrap();
    assert_eq!(stored, first.user);
    assert!(group::find(&mut world.conn, POOL, "new").unwrap().is_none());
}

#[test]
fn a_27_a_disabled_user_is_refused_and_stays_disabled() {
    let mut world = world();
    let mut user = world.acme("00u1", json!({"name": "Ada"})).unwrap().user;
    user.enabled = false;
    user::update(&mut world.conn, &user).unwrap().unwrap();
    let refused = world
        .acme("00u1", json!({"name": "changed", "groups": ["admins"]}))
        .unwrap_err();
    assert_eq!(refused.refusal.cause, "user_disabled");
    assert_eq!(refused.refusal.description, "User is disabled.");
    assert_eq!(user::find(&mut world.conn, &user.sub).unwrap().unwrap(), user);
}

#[test]
fn a_provider_without_a_mapping_still_makes_users() {
    let mut world = world();
    let mut bare = world.acme.clone();
    (bare.id, bare.name) = ("bare".into(), "bare".into());
    assert!(provider::insert(&mut world.conn, &bare).unwrap());
    let settled = world.come(&bare, "1", json!({"email": "ada@acme.test"})).unwrap();
    assert_eq!((settled.mapping_version, settled.user.attributes.len()), (0, 0));
}

/// F8: one new person in 32 browsers at once.
#[test]
fn f_8_many_first_sign_ins_of_one_person_make_one_user() {
    let world = world();
    let (db, runtime) = world.at_once();
    let settled: Vec<Settled> = runtime.block_on(async {
        let all = (0..32).map(|_| {
            let (db, ctx, pool, client, acme) = (
                db.clone(),
                world.ctx.clone(),
                world.pool.clone(),
                world.client.clone(),
                world.acme.clone(),
            );
            tokio::spawn(async move {
                db.write(move |conn| {
                    let arrival = arrival(
                        &acme,
                        "00u1",
                        json!({"email": "ada@acme.test", "groups": ["a", "b"]}),
                    );
                    settle(conn, &ctx, &pool, &acme, &client, &arrival)
                })
                .await
            })
        });
        let mut settled = Vec::new();
        for task in all.collect::<Vec<_>>() {
            settled.push(task.await.unwrap().unwrap().unwrap());
        }
        settled
    });
    let subs: BTreeSet<&str> = settled.iter().map(|settled| settled.user.sub.as_str()).collect();
    assert_eq!(subs.len(), 1);
    assert_eq!(settled.iter().filter(|settled| settled.created).count(), 1);
    let mut world = world;
    assert_eq!(world.users(), 1);
}

/// A-27: an administrator disables the account between our reading and our writing.
#[test]
fn a_profile_disabled_meanwhile_is_not_enabled_again() {
    let mut world = world();
    let user = world.acme("00u1", json!({"name": "Ada"})).unwrap().user;
    let visit_reads = user.clone();
    let mut disabled = user.clone();
    disabled.enabled = false;
    user::update(&mut world.conn, &disabled).unwrap().unwrap();
    // The sign-in goes on with what it read before.
    let (ctx, pool, acme, client) = (
        world.ctx.clone(),
        world.pool.clone(),
        world.acme.clone(),
        world.client.clone(),
    );
    let arrival = arrival(&acme, "00u1", json!({"name": "changed"}));
    let rules = mapping::current(&mut world.conn, "acme-okta")
        .unwrap()
        .unwrap()
        .rules
        .0;
    let visit = Visit {
        ctx: &ctx,
        pool: &pool,
        provider: &acme,
        client: &client,
        arrival: &arrival,
        compiled: saved("acme-okta", &rules),
        mapping_version: 1,
        vouching: Vouching::Everybody,
    };
    let refused = visit.again(&mut world.conn, visit_reads).unwrap().unwrap_err();
    assert_eq!(refused.refusal.cause, "user_disabled");
    assert_eq!(user::find(&mut world.conn, &user.sub).unwrap().unwrap(), disabled);
}
