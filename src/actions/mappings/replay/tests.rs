//! Sign-ins by the hundred through the real actions, with rules and claims drawn from a seed: what is kept of them, played
//! again, is what they were.

#![allow(clippy::unwrap_used)]

use std::time::Instant;

use serde_json::{Map, json};
use zeroize::Zeroizing;

use super::*;
use crate::actions::clients::{self, NewClient, NewSecret};
use crate::actions::fixture::Fixture;
use crate::actions::mappings::{self, Save, past};
use crate::actions::profile::{Arrival, settle};
use crate::actions::providers::{self, Credentials, NewProvider};
use crate::model::client::{self, Client};
use crate::model::mapper_input::Contents;
use crate::model::mapping::{self, GroupsRule, MissingGroup, Naming, Source, TableRow, Unlisted};
use crate::model::pool::{self, Attribute, AttributeType, Pool};
use crate::model::provider;
use crate::rules::mapping::parse;

const ALL: Options = Options {
    last: 10_000,
    open: false,
};

/// A small generator: the same seed, the same world (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

struct World {
    fixture: Fixture,
    pool: Pool,
    provider: Provider,
    client: Client,
    sign_ins: usize,
}

impl World {
    fn new() -> World {
        let mut fixture = Fixture::with_pool();
        let ctx = fixture.ctx.clone();
        let id = fixture.pool_id();
        let attribute = |name: &str, kind, mutable| Attribute {
            name: name.into(),
            kind,
            mutable,
            required: false,
        };
        let mut pool = fixture.act(|conn| pools::find(conn, &id)).unwrap();
        pool.settings.attributes = vec![
            attribute("custom:text", AttributeType::String, true),
            attribute("custom:number", AttributeType::Number, true),
            attribute("custom:truth", AttributeType::Boolean, true),
            attribute("custom:fixed", AttributeType::String, false),
        ];
        fixture.act(|conn| Ok(pool::update(conn, &pool)?)).unwrap();
        let new = NewProvider {
            user_pool_id: id.clone(),
            name: "acme-okta".into(),
            slug: None,
            issuer: "https://acme.okta.example".into(),
            settings: provider::Settings {
                client_id: "0oa1acme".into(),
                ..provider::Settings::default()
            },
            credentials: Credentials {
                client_secret: Some(Zeroizing::new("upstream-secret".into())),
                private_key: None,
                next_secret: None,
            },
            identifiers: vec![],
            rules: Rules::default(),
        };
        let provider = fixture
            .act(|conn| providers::create(conn, &ctx, &[], new))
            .unwrap();
        let new = NewClient {
            id: Some("portal".into()),
            user_pool_id: id,
            name: "Portal".into(),
            secret: NewSecret::Public,
            settings: client::Settings {
                redirect_uris: vec!["https://app.example.com/callback".into()],
                scopes: vec!["openid".into()],
                providers: vec!["acme-okta".into()],
                ..client::Settings::default()
            },
        };
        fixture.act(|conn| clients::create(conn, &ctx, new)).unwrap();
        let client = fixture.act(|conn| clients::find(conn, "portal")).unwrap();
        World {
            fixture,
            pool,
            provider,
            client,
            sign_ins: 0,
        }
    }

    fn save(&mut self, rules: Rules) -> i64 {
        let (ctx, id) = (self.fixture.ctx.clone(), self.provider.id.clone());
        let saved = self.fixture.act(|conn| {
            let seen = mapping::current(conn, &id)?.map_or(0, |current| current.version);
            let save = Save {
                seen,
                rules,
                ..Save::default()
            };
            mappings::save(conn, &ctx, &id, save)
        });
        saved.unwrap().version
    }

    fn make_group(&mut self, name: &str) {
        let group = super::super::preview::bare_group(&self.pool, name.into(), self.fixture.ctx.now);
        self.fixture.act(|conn| Ok(group::insert(conn, &group)?)).unwrap();
    }

    /// As a login does it: settled, sealed, kept.
    fn sign_in(&mut self, arrivals: Vec<(String, Map<String, Value>)>) {
        let ctx = self.fixture.ctx.clone();
        let World {
            fixture,
            pool,
            provider,
            client,
            sign_ins,
        } = self;
        fixture
            .act(|conn| {
                for (subject, claims) in arrivals {
                    let arrival = Arrival {
                        issuer: provider.issuer.clone(),
                        subject,
                        claims,
                    };
                    let (contents, user_sub, mapping_version) =
                        match settle(conn, &ctx, pool, provider, client, &arrival)? {
                            Ok(settled) => {
                                (settled.contents, Some(settled.user.sub), settled.mapping_version)
                            }
                            Err(refused) => (refused.contents, refused.user_sub, refused.mapping_version),
                        };
                    let sealed = past::seal(&ctx, provider, &contents).unwrap().unwrap();
                    let trace_code = format!("T{sign_ins}");
                    let about = past::About {
                        client,
                        trace_code: &trace_code,
                        user_sub,
                        mapping_version,
                    };
                    past::keep(conn, &ctx, provider, about, sealed)?;
                    *sign_ins += 1;
                }
                Ok(())
            })
            .unwrap();
    }

    fn replay(&mut self, live: &Rules, draft: &Rules, options: Options) -> Report {
        let (ctx, provider) = (self.fixture.ctx.clone(), self.provider.clone());
        self.fixture
            .act(|conn| {
                let (live, draft) = (Compiled::new(live), Compiled::new(draft));
                replay(conn, &ctx.sealer, ctx.now, &provider, &live, &draft, options)
            })
            .unwrap()
    }

    fn kept(&mut self) -> Vec<past::Past> {
        let (ctx, provider) = (self.fixture.ctx.clone(), self.provider.clone());
        let mut all = Vec::new();
        self.fixture
            .act(|conn| {
                let unreadable = past::visit(conn, &ctx.sealer, ctx.now, &provider, 10_000, |past| {
                    all.push(past);
                    ControlFlow::Continue(())
                })?;
                assert_eq!(unreadable, 0);
                Ok(())
            })
            .unwrap();
        all
    }
}

fn rules(dice: &mut Dice) -> Rules {
    let sources = [
        "email=email | email:=claims.email.lowerAscii() | email:=claims.given + '@acme.test'",
        "email_verified=email_verified | email_verified:=claims.email.endsWith('@acme.test')",
        "name=name | name:=claims.given + ' ' + claims.family | name:=has(claims.name) ? claims.name : 'Nobody'",
        "custom:text=list | custom:text=deep.text | custom:text:=claims.groups.join('+')",
        "custom:number=number | custom:number:=claims.number * 2 | custom:number:=claims.groups.size()",
        "custom:truth=truth | custom:truth:=claims.number > 3 || claims.given == 'Ada'",
        "custom:fixed=given | custom:fixed:=claims.family.substring(0, 2)",
        "phone_number=phone | phone_number:=claims.phone.replace(' ', '')",
    ];
    let mut attributes = Vec::new();
    for choices in sources {
        if dice.one_in(4) {
            continue;
        }
        let choices: Vec<&str> = choices.split(" | ").collect();
        let mut rule = parse::rule(dice.of(&choices)).unwrap();
        rule.write = dice.of(mapping::Write::ALL);
        rule.absent = dice.of(mapping::Absent::ALL);
        let clears = rule.absent == mapping::Absent::Clear;
        if clears && (rule.write != mapping::Write::Always || rule.attribute == "custom:fixed") {
            rule.absent = mapping::Absent::Keep;
        }
        // A refusal for every second sign-in would leave little to look at.
        if rule.absent == mapping::Absent::Refuse && !dice.one_in(4) {
            rule.absent = mapping::Absent::Keep;
        }
        attributes.push(rule);
    }
    let row = |value: &str, groups: &[&str]| TableRow {
        value: value.into(),
        groups: groups.iter().map(|name| (*name).to_owned()).collect(),
    };
    let namings = [
        Naming::AsTheyCome,
        Naming::Prefix {
            strip: "app-".into(),
            add: "p/".into(),
        },
        Naming::Pattern {
            pattern: "app-(.*)|(.*)s".into(),
            replacement: "$1$2".into(),
        },
        Naming::Table {
            rows: vec![
                row("app-admins", &["admins", "staff"]),
                row("Everyone", &["staff"]),
            ],
            unlisted: dice.of(Unlisted::ALL),
        },
    ];
    let sources = [
        Source::claim("groups"),
        Source::expression("claims.groups.filter(g, g.startsWith('app-'))"),
        Source::expression("has(claims.number) ? ['app-' + string(claims.number)] : []"),
    ];
    let groups = (!dice.one_in(5)).then(|| GroupsRule {
        source: dice.of(&sources),
        naming: dice.of(&namings),
        missing: dice.of(MissingGroup::ALL),
        reconcile: dice.one_in(2),
    });
    Rules { attributes, groups }
}

fn arrival(dice: &mut Dice) -> (String, Map<String, Value>) {
    let subject = dice.of(&["ada", "grace", "edsger", "barbara", "null", "tony"]);
    let mut claims = Map::new();
    claims.insert("sub".into(), json!(subject));
    let menu = [
        (
            "email",
            vec![
                json!("Ada@ACME.test"),
                json!("grace@acme.test"),
                json!(""),
                json!("no address"),
                json!(7),
            ],
        ),
        ("email_verified", vec![json!(true), json!("true"), json!(false)]),
        ("name", vec![json!("Ada L."), json!("Grace"), json!(null)]),
        ("given", vec![json!("Ada"), json!("Grace")]),
        ("family", vec![json!("Lovelace"), json!("Hopper"), json!("x")]),
        ("list", vec![json!(["a", "b"]), json!([]), json!("a")]),
        (
            "deep",
            vec![
                json!({"text": "found"}),
                json!({"text": {"er": 1}}),
                json!("flat"),
            ],
        ),
        ("number", vec![json!(3), json!(4.5), json!("12"), json!([1])]),
        ("truth", vec![json!(true), json!("false"), json!(1)]),
        (
            "phone",
            vec![json!("+44 1234"), json!("+441234567"), json!("none")],
        ),
        (
            "groups",
            vec![
                json!(["app-admins", "Everyone"]),
                json!(["app-users", "app-admins", "Ops", 7]),
                json!("Everyone"),
                json!([]),
                json!({"no": "list"}),
            ],
        ),
    ];
    for (name, values) in menu {
        if !dice.one_in(5) {
            claims.insert(name.into(), dice.of(&values));
        }
    }
    (subject.to_owned(), claims)
}

#[test]
fn the_rules_in_force_played_again_change_nothing_and_give_what_was() {
    let mut world = World::new();
    let mut dice = Dice(7);
    let (mut reproduced, mut refused, mut differing) = (0, 0, 0);
    for round in 0..30 {
        let live = rules(&mut dice);
        let version = world.save(live.clone());
        if dice.one_in(3) {
            let name = dice.of(&["admins", "staff", "p/admins", "Everyone", "users"]);
            world.make_group(name);
        }
        if dice.one_in(3) {
            world.client.settings.write_attributes = dice
                .one_in(2)
                .then(|| ["email", "name", "custom:number"].map(String::from).to_vec());
        }
        let arrivals = (0..20).map(|_| arrival(&mut dice)).collect();
        world.sign_in(arrivals);

        let again = world.replay(&live, &live, ALL);
        assert_eq!(again.sign_ins, world.sign_ins);
        assert_eq!(
            (again.summary.changed, again.differences.len()),
            (0, 0),
            "round {round}"
        );
        let pool_id = world.pool.id.clone();
        let groups: BTreeSet<String> = world
            .fixture
            .act(|conn| Ok(group::names(conn, &pool_id)?))
            .unwrap()
            .into_iter()
            .collect();
        let compiled = Compiled::new(&live);
        for past in world.kept() {
            if past.mapping_version == version {
                let mut work = Work::of_a_replay();
                let found = made(&compiled, &world.pool, &groups, &past.contents, &mut work);
                assert_eq!(
                    found, past.contents.made,
                    "round {round}: {:?} {live:?}",
                    past.contents
                );
                reproduced += 1;
                refused += usize::from(found.refusal.is_some());
            }
        }
        differing += world.replay(&live, &rules(&mut dice), ALL).summary.changed;
    }
    assert!(reproduced >= 600, "{reproduced}");
    // The dice showed something of everything.
    assert!((60..540).contains(&refused), "{refused} refused");
    assert!(differing > 1_000, "{differing} differ");
}

#[test]
fn a_report_names_the_sign_ins_that_would_end_otherwise() {
    let mut world = World::new();
    let live = Rules {
        attributes: ["email=email", "name=name"]
            .map(|text| parse::rule(text).unwrap())
            .to_vec(),
        groups: Some(GroupsRule::new(Source::claim("groups"))),
    };
    world.save(live.clone());
    let claims = |value: Value| value.as_object().cloned().unwrap();
    world.sign_in(vec![
        (
            "ada".into(),
            claims(json!({"sub": "ada", "email": "ada@acme.test", "name": "Ada", "groups": ["admin", "x"]})),
        ),
        (
            "grace".into(),
            claims(json!({"sub": "grace", "name": "Grace", "groups": ["x"]})),
        ),
    ]);
    let draft = Rules {
        attributes: ["email=email,absent=refuse", "name:=claims.name + '!'"]
            .map(|text| parse::rule(text).unwrap())
            .to_vec(),
        groups: Some(GroupsRule::new(Source::expression(
            "claims.groups.filter(g, g != 'admin')",
        ))),
    };
    let report = world.replay(&live, &draft, ALL);
    assert_eq!(
        report.summary.sentences(),
        [
            "1 would be refused: the rule for 'email' refuses sign-ins without the claim 'email', and it did not come",
            "1 loses group admin",
            "1 gets another name",
            "0 unchanged",
        ]
    );
    let [grace, ada] = &report.differences[..] else {
        panic!("{report:?}");
    };
    assert_eq!(
        (ada.trace_code.as_str(), ada.label.as_str()),
        ("T0", "a***@acme.test")
    );
    assert_eq!(ada.left, ["admin"]);
    assert_eq!(ada.attributes[0].draft.as_deref(), Some("text(4)"));
    assert!(
        matches!(&grace.admission, Admission::NewlyRefused(refused) if refused.cause == "claim_required")
    );
    assert!(!format!("{report:?}").contains("ada@acme.test"));
    let open = world.replay(&live, &draft, Options { last: 2, open: true });
    assert_eq!(open.differences[1].label, "ada@acme.test");
    assert_eq!(open.differences[1].attributes[0].draft.as_deref(), Some("Ada!"));
    assert_eq!(
        world
            .replay(&live, &draft, Options { last: 1, open: false })
            .sign_ins,
        1
    );
    assert_eq!(world.replay(&draft, &live, ALL).summary.newly_admitted, 1);
}

#[test]
fn claims_are_told_as_they_came() {
    let mut world = World::new();
    let claims = |value: Value| value.as_object().cloned().unwrap();
    world.sign_in(vec![
        (
            "ada".into(),
            claims(json!({"sub": "ada", "level": "7", "address": {"country": "GB"}})),
        ),
        (
            "ada".into(),
            claims(json!({"sub": "ada", "level": 7, "gone": null})),
        ),
    ]);
    let (ctx, provider) = (world.fixture.ctx.clone(), world.provider.clone());
    let (sign_ins, claims) = world
        .fixture
        .act(|conn| Ok(past::observed(conn, &ctx.sealer, ctx.now, &provider, 100)?))
        .unwrap();
    assert_eq!(sign_ins, 2);
    let told: Vec<_> = claims
        .iter()
        .map(|claim| {
            (
                claim.name.as_str(),
                claim.present,
                claim.kinds.len(),
                claim.example.as_str(),
            )
        })
        .collect();
    assert_eq!(told[0], ("address", 1, 1, "object(1)"));
    assert_eq!(told[1], ("address.country", 1, 1, "text(2)"));
    assert_eq!(told[2], ("level", 2, 2, "number(1)"));
    assert_eq!((told[3].0, told.len()), ("sub", 4));
}

#[test]
fn a_thousand_sign_ins_are_played_again_at_once() {
    let mut world = World::new();
    let live = Rules {
        attributes: [
            "email=email",
            "email_verified=email_verified",
            "name:=claims.given + ' ' + claims.family",
            "given_name=given",
            "family_name=family",
            "locale=locale",
            "zoneinfo=zoneinfo",
            "nickname=nick,write=first",
            "custom:text:=claims.groups.filter(g, g.startsWith('app-')).join(',')",
            "custom:number=number",
        ]
        .map(|text| parse::rule(text).unwrap())
        .to_vec(),
        groups: Some(GroupsRule {
            naming: Naming::Pattern {
                pattern: "app-(.*)".into(),
                replacement: "$1".into(),
            },
            ..GroupsRule::new(Source::claim("groups"))
        }),
    };
    world.save(live.clone());
    let groups: Vec<String> = (0..30)
        .map(|n| format!("{}-group-{n}", if n % 3 == 0 { "app" } else { "ad" }))
        .collect();
    let person = |n: usize| {
        let claims = json!({
            "sub": format!("00u{n}"), "email": format!("person{n}@acme.test"), "email_verified": true, "given": "Ada",
            "family": format!("Person {n}"), "locale": "en-GB", "zoneinfo": "Europe/London", "nick": "x", "number": n,
            "groups": groups, "amr": ["pwd", "mfa"], "preferred_username": format!("person{n}"), "ver": 1,
        });
        (format!("00u{n}"), claims.as_object().cloned().unwrap())
    };
    world.sign_in((0..40).map(person).collect());
    // Kept again and again: what a replay costs does not depend on who it was.
    let (ctx, provider, client) = (
        world.fixture.ctx.clone(),
        world.provider.clone(),
        world.client.clone(),
    );
    let contents: Vec<Contents> = world.kept().into_iter().map(|past| past.contents).collect();
    world
        .fixture
        .act(|conn| {
            for n in 40..1_000 {
                let sealed = past::seal(&ctx, &provider, &contents[n % 40]).unwrap().unwrap();
                let trace_code = format!("T{n}");
                let about = past::About {
                    client: &client,
                    trace_code: &trace_code,
                    user_sub: None,
                    mapping_version: 1,
                };
                past::keep(conn, &ctx, &provider, about, sealed)?;
            }
            Ok(())
        })
        .unwrap();
    let mut draft = live.clone();
    draft.attributes[3] = parse::rule("given_name:=claims.given.upperAscii()").unwrap();
    let begun = Instant::now();
    let report = world.replay(
        &live,
        &draft,
        Options {
            last: 1_000,
            open: false,
        },
    );
    let took = begun.elapsed();
    assert_eq!((report.sign_ins, report.summary.changed), (1_000, 1_000));
    assert_eq!(report.differences.len(), MAX_TOLD);
    // A second with optimisation; without, unsealing and evaluating take several times as long.
    let bound = if cfg!(debug_assertions) { 8 } else { 1 };
    assert!(took.as_secs() < bound, "{took:?}");
    println!("1,000 sign-ins played again in {took:?}");
}
