//! A tenant's people move from one connection to another: by a dry run, at their next sign-in, with the `sub` they have; and
//! nobody becomes somebody else on the way.

mod old_way;

use std::collections::{HashMap, HashSet};

use forebay::actions::canaries;
use forebay::actions::identity_moves::{self, NewMove};
use forebay::actions::mappings::{self, Save};
use forebay::actions::profile::{self, Arrival};
use forebay::actions::providers::{self, Credentials, NewProvider};
use forebay::actions::{tenant_domains, tenants};
use forebay::config::AllowedHost;
use forebay::db::Conn;
use forebay::demo::okta::{App, Person};
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::model::enforcement::{self, Enforcement};
use forebay::model::identity_move::{self, IdentityMove, Pairing};
use forebay::model::mapping;
use forebay::model::provider::Settings;
use forebay::model::reach::Reach;
use forebay::model::tenant::Linking;
use forebay::model::{audit, client, pool, provider, user};
use forebay::rules::pairing::{self, Plan};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::support::{Answer, Browser, Form, PUBLIC_URL, Stage, Tokens, claims, links, query_of};

pub const OLD: &str = "acme-okta";
pub const NEW: &str = "acme-new";
const APP: &str = "0oa3moves00000000001";
const SECRET: &str = "secret-of-the-app-that-people-move-to-000001";
pub const ADMIN: &str = "admin@acme.test";
const OPERATOR: &str = "operator@forebay.test";

/// The tenant acme with its domain proven, its connection, and a second one, which leads to another organisation.
pub async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.console(ADMIN);
    let issuer = stage.globex.issuer();
    stage.globex.add_app(App {
        client_id: APP.into(),
        secrets: vec![SECRET.into()],
        auth: forebay::demo::okta::ClientAuth::ClientSecretBasic,
        redirect_uris: vec![format!("{PUBLIC_URL}/oauth2/idpresponse/{NEW}")],
        label: "Forebay".into(),
        assigned: vec!["Everyone".into()],
        ..App::default()
    });
    let ctx = stage.ctx();
    let allowed = [AllowedHost::parse(issuer.trim_start_matches("http://")).unwrap()];
    stage.act(|conn| {
        let new = NewProvider {
            user_pool_id: POOL.into(),
            name: NEW.into(),
            slug: Some(NEW.into()),
            issuer,
            settings: Settings {
                client_id: APP.into(),
                label: "The new Okta".into(),
                ..Settings::default()
            },
            credentials: Credentials {
                client_secret: Some(Zeroizing::new(SECRET.into())),
                ..Credentials::default()
            },
            identifiers: Vec::new(),
            rules: mapping::current(conn, OLD).unwrap().unwrap().rules.0,
        };
        providers::create(conn, &ctx, &allowed, new).unwrap();
        tenants::give_connection(conn, &ctx, NEW, Some("acme")).unwrap();
    });
    stage.change_web_client(|settings| settings.providers.push(NEW.into()));
    stage
}

/// Somebody at the new organisation.
pub fn hire(stage: &Stage, id: &str, address: &str, given: &str, family: &str) {
    stage.globex.add_person(Person {
        id: id.into(),
        login: address.into(),
        email: address.into(),
        given_name: given.into(),
        family_name: family.into(),
        groups: vec!["Everyone".into()],
        profile: serde_json::Map::new(),
    });
}

async fn come(stage: &Stage, browser: &mut Browser<'_>, connection: &str, login: &str) -> Answer {
    let authorize = stage.authorize(&[("identity_provider", connection), ("prompt", "login")]);
    browser.sign_in(login, &authorize).await
}

/// The ID token's claims after a sign-in by that connection.
pub async fn signs_in(stage: &Stage, connection: &str, login: &str) -> Value {
    let mut browser = stage.browser();
    let back = come(stage, &mut browser, connection, login).await;
    let code = query_of(back.location(), "code").unwrap_or_else(|| panic!("no code: {back:?}"));
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    claims(&tokens.id.unwrap())
}

pub fn new_move(pairing: Pairing, list: &str) -> NewMove {
    NewMove {
        tenant_id: "acme".into(),
        from: OLD.into(),
        to: NEW.into(),
        pairing,
        lines: match list {
            "" => Vec::new(),
            text => pairing::read_list(text).unwrap().1,
        },
    }
}

pub fn by(name: &str) -> Pairing {
    Pairing::Attribute { name: name.into() }
}

pub fn start(stage: &Stage, new: &NewMove) -> (IdentityMove, Plan) {
    let ctx = stage.ctx();
    stage.act(|conn| identity_moves::start(conn, &ctx, &Reach::everything(), new).unwrap())
}

fn room() -> String {
    format!("/console/pools/{POOL}/tenants/acme/moves")
}

#[actix_web::test]
async fn from_the_dry_run_to_the_new_connection_and_back() {
    let stage = stage().await;
    let before = signs_in(&stage, OLD, "ada@acme.test").await;
    let grace = signs_in(&stage, OLD, "grace@acme.test").await;
    hire(&stage, "00u9ada", "ada@acme.test", "Ada", "Lovelace");
    let room = room();

    let mut admin = stage.console(ADMIN);
    let page = admin.open(&room).await.expect(200);
    let fields = [("from", OLD), ("to", NEW), ("by", "email")];
    let page = admin
        .submit(&Form::to(&page.body, &room), &fields)
        .await
        .expect(200);
    assert!(
        page.shows("Move 2 people") && page.shows("ada@acme.test"),
        "{page:?}"
    );
    let moves = stage.act(|conn| identity_move::of_tenant(conn, "acme", 10).unwrap());
    assert_eq!(moves, [], "a dry run changes nothing");
    let started = admin
        .submit(&Form::to(&page.body, &format!("{room}/start")), &[])
        .await
        .expect(200);
    assert!(started.shows("0 of 2"), "{started:?}");
    let own = admin.url.path().to_owned();

    // Until they come, the old way is as it was.
    assert_eq!(signs_in(&stage, OLD, "ada@acme.test").await["sub"], before["sub"]);
    let after = signs_in(&stage, NEW, "ada@acme.test").await;
    assert_eq!(after["sub"], before["sub"]);
    assert_eq!(after["cognito:username"], before["cognito:username"]);
    let identities: Vec<&str> = after["identities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|identity| identity["providerName"].as_str().unwrap())
        .collect();
    assert_eq!(identities, [OLD, NEW]);
    let page = admin.open(&own).await.expect(200);
    assert!(page.shows("1 of 2") && page.shows("grace@acme.test"), "{page:?}");

    // The old way leads on to the new one, for whoever has moved.
    let mut browser = stage.browser();
    let page = come(&stage, &mut browser, OLD, "ada@acme.test").await;
    assert!(
        page.shows("connection_moved") && page.shows("The new Okta"),
        "{page:?}"
    );
    let trace = page.trace_code().unwrap();
    assert!(stage.trace(&trace).story.remedy.contains("undo the move"));
    let onward = links(&page.body)
        .into_iter()
        .find(|href| href.contains(&format!("identity_provider={NEW}")))
        .unwrap_or_else(|| panic!("{page:?}"));
    let back = browser.sign_in("ada@acme.test", &onward).await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
    assert_eq!(
        signs_in(&stage, OLD, "grace@acme.test").await["sub"],
        grace["sub"]
    );
    // Closed, for all of them.
    let page = admin.open(&own).await.expect(200);
    let closed = admin
        .submit(&Form::to(&page.body, &format!("{own}/close")), &[])
        .await
        .expect(200);
    assert!(closed.shows("Closed."), "{closed:?}");
    let page = come(&stage, &mut stage.browser(), OLD, "grace@acme.test").await;
    assert!(page.shows("connection_moved"), "{page:?}");

    // Taken back: the old way is open, nobody is lost.
    let page = admin.open(&own).await.expect(200);
    let undone = admin
        .submit(&Form::to(&page.body, &format!("{own}/undo")), &[])
        .await
        .expect(200);
    assert!(undone.shows("Undone."), "{undone:?}");
    for (login, sub) in [
        ("ada@acme.test", &before["sub"]),
        ("grace@acme.test", &grace["sub"]),
    ] {
        let again = signs_in(&stage, OLD, login).await;
        assert_eq!(&again["sub"], sub);
        assert_eq!(again["identities"].as_array().unwrap().len(), 1);
    }
    let log = stage.act(|conn| audit::of_target(conn, "acme", 20).unwrap());
    let actions: Vec<&str> = log.iter().rev().map(|event| event.action.as_str()).collect();
    for action in ["tenant.move_start", "tenant.move_close", "tenant.move_undo"] {
        assert!(actions.contains(&action), "{actions:?}");
    }
}

#[actix_web::test]
async fn a_move_is_undone_within_thirty_days_and_closed_only_where_the_new_connection_is_live() {
    let stage = stage().await;
    signs_in(&stage, OLD, "ada@acme.test").await;
    let (row, _) = start(&stage, &new_move(by("email"), ""));
    stage.change_provider(NEW, |row| row.enabled = false);
    let refuse = |action: fn(&mut Conn, &forebay::actions::Ctx, &Reach, &str) -> _| {
        let ctx = stage.ctx();
        let id = row.id.clone();
        let refused: Result<IdentityMove, forebay::error::Error> =
            stage.act(|conn| action(conn, &ctx, &Reach::everything(), &id));
        refused.unwrap_err().to_string()
    };
    assert!(refuse(identity_moves::close).contains("not live"));
    stage.clock.advance(30 * 86_400 + 1);
    assert!(refuse(identity_moves::undo).contains("30 days"));
}

#[actix_web::test]
async fn who_is_known_at_the_pools_own_connection_moves_by_the_tenants_domain() {
    let stage = stage().await;
    // As Google is: nobody's of the tenants, and with people of several.
    let ctx = stage.ctx();
    stage.act(|conn| tenants::give_connection(conn, &ctx, OLD, None).unwrap());
    let before = signs_in(&stage, OLD, "ada@acme.test").await;
    stage.acme.change_person("grace@acme.test", |person| {
        person.email = "grace@elsewhere.test".into();
    });
    let grace = signs_in(&stage, OLD, "grace@acme.test").await;
    hire(&stage, "00u9ada", "ada@acme.test", "Ada", "Lovelace");
    hire(&stage, "00u9grace", "grace@elsewhere.test", "Grace", "Hopper");
    let reach = Reach {
        tenants: vec!["acme".into()],
        ..Reach::default()
    };
    // The pool's own is not the tenant's administrators' to move from.
    let refused =
        stage.act(|conn| identity_moves::prepare(conn, &reach, &new_move(by("email"), "")).unwrap_err());
    assert!(refused.to_string().contains("connection"), "{refused}");
    let (row, plan) = start(&stage, &new_move(by("email"), ""));
    assert_eq!(plan.pairs.len(), 1, "{plan:?}");
    assert_eq!(signs_in(&stage, NEW, "ada@acme.test").await["sub"], before["sub"]);
    let ctx = stage.ctx();
    stage.act(|conn| identity_moves::close(conn, &ctx, &Reach::everything(), &row.id).unwrap());
    // Somebody of the domain who was never here makes no twin the old way.
    stage.acme.change_person("grace@acme.test", |person| {
        person.id = "00unewcomer".into();
        person.email = "newcomer@acme.test".into();
    });
    let page = come(&stage, &mut stage.browser(), OLD, "grace@acme.test").await;
    assert!(page.shows("connection_moved"), "{page:?}");
    // Others come by it as before.
    stage.acme.change_person("grace@acme.test", |person| {
        person.id = "00u1grace0000000acme".into();
        person.email = "grace@elsewhere.test".into();
    });
    assert_eq!(
        signs_in(&stage, OLD, "grace@acme.test").await["sub"],
        grace["sub"]
    );
}

#[actix_web::test]
async fn a_list_says_who_is_who() {
    let stage = stage().await;
    let before = signs_in(&stage, OLD, "ada@acme.test").await;
    // Another address and another name: the list is an administrator's word.
    hire(&stage, "00u9ada", "countess@acme.test", "Augusta", "King");
    let list = format!(
        "user,sub\n{},00u9ada\nnobody,00u9x\n",
        before["sub"].as_str().unwrap()
    );
    let pairing = Pairing::List {
        attribute: "sub".into(),
    };
    let (_, plan) = start(&stage, &new_move(pairing, &list));
    assert_eq!((plan.pairs.len(), plan.orphans.len()), (1, 1), "{plan:?}");
    let after = signs_in(&stage, NEW, "countess@acme.test").await;
    assert_eq!(after["sub"], before["sub"]);
}

#[actix_web::test]
async fn people_are_recognised_without_a_move_only_where_the_tenant_wants_it() {
    let stage = stage().await;
    let before = signs_in(&stage, OLD, "ada@acme.test").await;
    let grace = signs_in(&stage, OLD, "grace@acme.test").await;
    hire(&stage, "00u9one", "grace@acme.test", "Grace", "Hopper");
    // Off by default: an account of their own.
    let own = signs_in(&stage, NEW, "grace@acme.test").await;
    assert_ne!(own["sub"], grace["sub"]);

    let room = room();
    let mut admin = stage.console(ADMIN);
    let page = admin.open(&room).await.expect(200);
    let linking = room.replace("/moves", "/linking");
    let form = Form::to(&page.body, &linking);
    let refused = admin
        .submit(&form, &[("number", "custom:nothing")])
        .await
        .expect(422);
    assert!(refused.body.contains("number-error"), "{refused:?}");
    admin.submit(&form, &[("by_email", "on")]).await.expect(200);

    hire(&stage, "00u9ada", "ada@acme.test", "Ada", "Lovelace");
    let after = signs_in(&stage, NEW, "ada@acme.test").await;
    assert_eq!(after["sub"], before["sub"]);
    // The address goes to somebody else: a second account of the connection is never that person.
    stage.globex.change_person("ada@acme.test", |person| {
        person.id = "00u9eve".into();
        person.given_name = "Eve".into();
        person.family_name = "Moneypenny".into();
    });
    let eve = signs_in(&stage, NEW, "ada@acme.test").await;
    assert_ne!(eve["sub"], before["sub"]);
}

/// The connection brings everything but names.
pub fn maps_no_names(stage: &Stage, connection: &str) {
    let ctx = stage.ctx();
    stage.act(|conn| {
        let now = mapping::current(conn, connection).unwrap().unwrap();
        let mut rules = now.rules.0;
        let is_a_name = |name: &str| matches!(name, "name" | "given_name" | "family_name");
        rules.attributes.retain(|rule| !is_a_name(&rule.attribute));
        let save = Save {
            seen: now.version,
            rules,
            accept_breaches: true,
            ..Save::default()
        };
        mappings::save(conn, &ctx, connection, save).unwrap();
    });
}

#[actix_web::test]
async fn who_cannot_be_told_from_the_next_owner_of_the_address_is_ambiguous_before_anything_happens() {
    let stage = stage().await;
    let before = signs_in(&stage, OLD, "ada@acme.test").await;
    maps_no_names(&stage, NEW);
    let room = room();
    let mut admin = stage.console(ADMIN);
    let page = admin.open(&room).await.expect(200);
    let form = Form::to(&page.body, &room);
    let fields = [("from", OLD), ("to", NEW), ("by", "email")];
    let page = admin.submit(&form, &fields).await.expect(200);
    assert!(
        page.shows("nothing tells the person from somebody else"),
        "{page:?}"
    );
    assert!(!page.shows("Move 1 people"), "{page:?}");
    // A number decides without any name.
    stage.acme.change_person("ada@acme.test", |person| {
        person.profile.insert("department".into(), json!("E-4711"));
    });
    signs_in(&stage, OLD, "ada@acme.test").await;
    start(&stage, &new_move(by("custom:department"), ""));
    hire(&stage, "00u9ada", "ada@acme.test", "Ada", "King");
    stage.globex.change_person("ada@acme.test", |person| {
        person.profile.insert("department".into(), json!("E-4711"));
    });
    let after = signs_in(&stage, NEW, "ada@acme.test").await;
    assert_eq!(after["sub"], before["sub"]);
}

#[actix_web::test]
async fn an_address_is_one_however_its_domain_is_written() {
    let stage = stage().await;
    recognise(&stage);
    let ctx = stage.ctx();
    stage.act(|conn| {
        let all = Reach::everything();
        tenant_domains::claim(conn, &ctx, &all, "acme", "bücher.example", false).unwrap();
        tenant_domains::assert(conn, &ctx, &all, "acme", "xn--bcher-kva.example").unwrap();
    });
    stage.acme.change_person("ada@acme.test", |person| {
        person.email = "Ada@bücher.example".into();
    });
    let before = signs_in(&stage, OLD, "ada@acme.test").await;
    assert_eq!(before["email_verified"], json!(true));
    hire(&stage, "00u9ada", "ada@xn--bcher-kva.example", "Ada", "Lovelace");
    let after = signs_in(&stage, NEW, "ada@xn--bcher-kva.example").await;
    assert_eq!(after["sub"], before["sub"]);
}

#[actix_web::test]
async fn an_address_links_nobody_that_is_not_vouched_for_or_not_the_tenants() {
    for what in [
        "unverified here",
        "unverified there",
        "another domain",
        "another person",
        "a sibling",
        "no names there",
    ] {
        let stage = stage().await;
        let ctx = stage.ctx();
        let linking = Linking {
            email: true,
            attribute: None,
        };
        stage.act(|conn| tenants::set_linking(conn, &ctx, &Reach::everything(), "acme", linking).unwrap());
        let (mut address, mut given, mut family) = ("ada@acme.test", "Ada", "Lovelace");
        match what {
            "unverified here" => stage.acme.change_person(address, |person| {
                person.profile.insert("email_verified".into(), json!(false));
            }),
            "another domain" => {
                address = "ada@elsewhere.test";
                stage
                    .acme
                    .change_person("ada@acme.test", |person| person.email = address.into());
            }
            "another person" => (given, family) = ("Eve", "Moneypenny"),
            "a sibling" => given = "Anna",
            "no names there" => maps_no_names(&stage, NEW),
            _ => {}
        }
        let before = signs_in(&stage, OLD, "ada@acme.test").await;
        hire(&stage, "00u9ada", address, given, family);
        if what == "unverified there" {
            stage.globex.change_person(address, |person| {
                person.profile.insert("email_verified".into(), json!(false));
            });
        }
        let after = signs_in(&stage, NEW, address).await;
        assert_ne!(after["sub"], before["sub"], "{what}");
    }
}

#[actix_web::test]
async fn an_employee_number_is_more_than_an_address() {
    let stage = stage().await;
    let ctx = stage.ctx();
    let linking = Linking {
        email: true,
        attribute: Some("custom:department".into()),
    };
    stage.act(|conn| tenants::set_linking(conn, &ctx, &Reach::everything(), "acme", linking).unwrap());
    stage.acme.change_person("ada@acme.test", |person| {
        person.profile.insert("department".into(), json!("E-4711"));
    });
    let before = signs_in(&stage, OLD, "ada@acme.test").await;
    let number = |address: &str, number: &str| {
        stage.globex.change_person(address, |person| {
            person.profile.insert("department".into(), json!(number));
        });
    };
    // The same address with another number is somebody else; the same number with another address is not.
    hire(&stage, "00u9eve", "ada@acme.test", "Ada", "Lovelace");
    number("ada@acme.test", "E-1");
    let eve = signs_in(&stage, NEW, "ada@acme.test").await;
    assert_ne!(eve["sub"], before["sub"]);
    hire(&stage, "00u9ada", "countess@acme.test", "Augusta", "King");
    number("countess@acme.test", "E-4711");
    let after = signs_in(&stage, NEW, "countess@acme.test").await;
    assert_eq!(after["sub"], before["sub"]);
}

#[actix_web::test]
async fn moves_that_cannot_be_are_refused_at_the_field() {
    let stage = stage().await;
    signs_in(&stage, OLD, "ada@acme.test").await;
    let room = room();
    let mut admin = stage.console(ADMIN);
    let page = admin.open(&room).await.expect(200);
    let form = Form::to(&page.body, &room);
    for (fields, field, why) in [
        (
            vec![("from", OLD), ("to", OLD), ("by", "email")],
            "from",
            "another connection",
        ),
        (
            vec![("from", "globex-okta"), ("to", NEW), ("by", "email")],
            "from",
            "no connection",
        ),
        (
            vec![("from", OLD), ("to", "globex-okta"), ("by", "email")],
            "to",
            "no connection",
        ),
        (vec![("from", OLD), ("to", NEW), ("by", "")], "by", "Choose"),
        (
            vec![("from", OLD), ("to", NEW), ("by", "attribute")],
            "attribute",
            "Name",
        ),
        (
            vec![
                ("from", OLD),
                ("to", NEW),
                ("by", "attribute"),
                ("attribute", "nickname"),
            ],
            "by",
            "maps nothing",
        ),
        (
            vec![("from", OLD), ("to", NEW), ("by", "list"), ("list", "ada")],
            "list",
            "line 1",
        ),
    ] {
        let refused = admin.submit(&form, &fields).await.expect(422);
        assert!(
            refused.body.contains(&format!("{field}-error")),
            "{fields:?}: {refused:?}"
        );
        assert!(refused.shows(why), "{fields:?}: {refused:?}");
    }
    // Others find nothing.
    let mut other = stage.console("admin@globex.test");
    for path in [room.clone(), format!("{room}/mv_x")] {
        assert_eq!(other.open(&path).await.status, 404, "{path}");
    }
    let csrf = Form::to(&other.open("/console").await.body, "/console/sign-out").fields;
    for path in ["", "/start", "/mv_x/close", "/mv_x/undo"] {
        let answer = other.request("POST", &format!("{room}{path}"), &csrf).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    // An operator sees whose they are.
    let mut operator = stage.console(OPERATOR);
    operator.open(&room).await.expect(200);
}

/// Who was never here has a number from here on.
const NEWCOMERS: usize = 5_000;

/// One of the thousand: what they are here, and how they come by the new connection.
struct Employee {
    number: usize,
    old: String,
    new: String,
}

fn address(number: usize) -> String {
    format!("user{number}@acme.test")
}

/// A thousand people; of ten, who are one family, one has a new address, two have swapped theirs, one has left and somebody
/// else of the family got the address.
fn employees() -> Vec<Employee> {
    (0..1_000)
        .map(|number| Employee {
            number,
            old: address(number),
            new: match number % 10 {
                6 => format!("renamed{number}@acme.test"),
                7 => address(number + 1),
                8 => address(number - 1),
                _ => address(number),
            },
        })
        .collect()
}

fn arrival(issuer: &str, subject: String, address: &str, number: usize) -> Arrival {
    let family = number % NEWCOMERS / 10;
    let claims = json!({
        "email": address,
        "email_verified": true,
        "given_name": format!("Given{number}"),
        "family_name": format!("Family{family}"),
        "name": format!("Given{number} Family{family}"),
        "department": format!("E-{number}"),
    });
    Arrival {
        issuer: issuer.into(),
        subject,
        claims: claims.as_object().cloned().unwrap(),
    }
}

/// All of them sign in by that connection; gives everybody's `sub` by number.
fn all_come(
    stage: &Stage,
    connection: &str,
    arrivals: impl Iterator<Item = (usize, Arrival)>,
) -> HashMap<usize, String> {
    use diesel::Connection;
    let ctx = stage.ctx();
    stage.act(|conn| {
        let pool = pool::find(conn, POOL).unwrap().unwrap();
        let client = client::find(conn, WEB_CLIENT).unwrap().unwrap();
        let provider = provider::find(conn, connection).unwrap().unwrap();
        conn.transaction(|conn| {
            let mut subs = HashMap::new();
            for (number, arrival) in arrivals {
                let settled = profile::settle(conn, &ctx, &pool, &provider, &client, &arrival).unwrap();
                subs.insert(number, settled.unwrap().user.sub);
            }
            Ok::<_, diesel::result::Error>(subs)
        })
        .unwrap()
    })
}

async fn a_thousand_move(pairing: Pairing, at_least: usize) {
    let stage = stage().await;
    let people = employees();
    let (old, new) = (stage.acme.issuer(), stage.globex.issuer());
    let before = all_come(
        &stage,
        OLD,
        people.iter().map(|one| {
            (
                one.number,
                arrival(&old, format!("old-{}", one.number), &one.old, one.number),
            )
        }),
    );
    let everybody: HashSet<&String> = before.values().collect();
    assert_eq!(everybody.len(), 1_000);
    let (_, plan) = start(&stage, &new_move(pairing, ""));
    assert_eq!(plan.pairs.len(), 1_000, "{} ambiguous", plan.ambiguous.len());
    // Who has left does not come; somebody who was never here has the address now.
    let has_left = |number: usize| number % 10 == 9;
    let arrivals = people.iter().map(|one| {
        let who = if has_left(one.number) {
            one.number + NEWCOMERS
        } else {
            one.number
        };
        (who, arrival(&new, format!("new-{who}"), &one.new, who))
    });
    let after = all_come(&stage, NEW, arrivals);
    let mut moved = 0;
    for (number, sub) in &after {
        match before.get(number) {
            Some(own) if own == sub => moved += 1,
            // A profile of their own: nobody's of before.
            _ => assert!(!everybody.contains(sub), "{number} became somebody else"),
        }
    }
    let subs: HashSet<&String> = after.values().collect();
    assert_eq!(subs.len(), 1_000, "no two became one");
    assert!(moved >= at_least, "{moved}");
    let stopped = stage.act(|conn| {
        let one = before[&7].clone();
        let known = user::identities(conn, &one).unwrap().len();
        (known, audit::of_target(conn, &one, 10).unwrap())
    });
    let said = stopped.1.iter().any(|event| event.action == "user.move_stopped");
    assert_eq!(said, stopped.0 == 1, "whoever is stopped stands in the log");
}

#[actix_web::test]
async fn a_thousand_with_renamed_swapped_and_recycled_addresses_move_by_address_and_nobody_is_mixed_up() {
    a_thousand_move(by("email"), 600).await;
}

#[actix_web::test]
async fn a_thousand_move_by_employee_number_whatever_became_of_their_addresses() {
    a_thousand_move(by("custom:department"), 900).await;
}

/// The tenant's people are recognised by address.
pub fn recognise(stage: &Stage) {
    let ctx = stage.ctx();
    let linking = Linking {
        email: true,
        attribute: None,
    };
    stage.act(|conn| tenants::set_linking(conn, &ctx, &Reach::everything(), "acme", linking).unwrap());
}

/// The ID token's claims after a sign-in that begins with an address at the old connection.
pub async fn signs_in_hinted(stage: &Stage, login: &str) -> Value {
    let authorize = stage.authorize(&[("identity_provider", OLD), ("login_hint", login)]);
    let mut browser = stage.browser();
    let back = browser.sign_in(login, &authorize).await;
    let code = query_of(back.location(), "code").unwrap_or_else(|| panic!("no code: {back:?}"));
    let tokens = Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    claims(&tokens.id.unwrap())
}

pub fn came_by(claims: &Value) -> Vec<&str> {
    let identities = claims["identities"].as_array().unwrap();
    identities
        .iter()
        .map(|identity| identity["providerName"].as_str().unwrap())
        .collect()
}

#[actix_web::test]
async fn a_canary_takes_whom_it_names_and_its_end_leaves_no_twin() {
    let stage = stage().await;
    // No app offers the second connection.
    stage.change_web_client(|settings| settings.providers.retain(|name| name != NEW));
    let grace = signs_in(&stage, OLD, "grace@acme.test").await;
    for (id, login, given, family) in [
        ("00u9ada", "ada@acme.test", "Ada", "Lovelace"),
        ("00u9grace", "grace@acme.test", "Grace", "Hopper"),
    ] {
        hire(&stage, id, login, given, family);
    }
    let path = format!("/console/connections/{OLD}/canary");
    let mut admin = stage.console(ADMIN);
    let page = admin.open(&path).await.expect(200);
    let form = Form::to(&page.body, &path);
    let people = [
        ("to", NEW),
        ("percent", "0"),
        ("people", "ada@acme.test\ngrace@acme.test"),
    ];
    // Without recognising people they would be somebody else there.
    let refused = admin.submit(&form, &people).await.expect(422);
    assert!(refused.shows("second accounts"), "{refused:?}");
    recognise(&stage);
    for (fields, field) in [
        (vec![("to", "globex-okta"), ("percent", "5")], "to"),
        (vec![("to", OLD), ("percent", "5")], "to"),
        (vec![("to", NEW), ("percent", "101")], "percent"),
        (vec![("to", NEW), ("percent", "0")], "percent"),
        (vec![("to", NEW), ("percent", "five")], "percent"),
        (vec![("to", NEW), ("people", "ada")], "people"),
    ] {
        let refused = admin.submit(&form, &fields).await.expect(422);
        assert!(
            refused.body.contains(&format!("{field}-error")),
            "{fields:?}: {refused:?}"
        );
    }
    admin.submit(&form, &people).await.expect(200);

    // One who was here before, and one who comes for the first time.
    let there = signs_in_hinted(&stage, "grace@acme.test").await;
    assert_eq!(there["sub"], grace["sub"]);
    assert_eq!(came_by(&there), [OLD, NEW]);
    let ada = signs_in_hinted(&stage, "ada@acme.test").await;
    assert_eq!(came_by(&ada), [NEW]);
    // Others, and those of whom nothing is known, stay.
    let stays = signs_in(&stage, OLD, "grace@acme.test").await;
    assert_eq!(stays["sub"], grace["sub"]);
    let page = admin.open(&path).await.expect(200);
    assert!(
        page.shows("Some go to") && page.body.contains("<td>2</td>"),
        "{page:?}"
    );

    let users = || stage.act(|conn| user::count_up_to(conn, POOL, 100).unwrap());
    let before = users();
    let aborted = admin
        .submit(&Form::to(&page.body, &format!("{path}/abort")), &[])
        .await
        .expect(200);
    assert!(aborted.shows("Aborted."), "{aborted:?}");
    for (login, sub) in [("ada@acme.test", &ada["sub"]), ("grace@acme.test", &grace["sub"])] {
        let again = signs_in_hinted(&stage, login).await;
        assert_eq!(&again["sub"], sub, "{login}");
        assert!(came_by(&again).contains(&OLD));
    }
    assert_eq!(users(), before, "no twin");

    // And promoted it takes everybody, whoever is known or not.
    let page = admin.open(&path).await.expect(200);
    let page = admin
        .submit(&Form::to(&page.body, &path), &people)
        .await
        .expect(200);
    admin
        .submit(&Form::to(&page.body, &format!("{path}/promote")), &[])
        .await
        .expect(200);
    let mut browser = stage.browser();
    let page = browser
        .visit(&stage.authorize(&[("identity_provider", OLD)]))
        .await;
    assert_eq!(
        browser.url.origin().ascii_serialization(),
        stage.globex.issuer(),
        "{page:?}"
    );
    // Whoever is not let in there is shown the way by the connection's own name.
    stage.globex.change_app(APP, |app| app.assigned.clear());
    let refused = browser.enter(&page, "ada@acme.test").await;
    assert!(
        refused.body.contains(&format!("identity_provider={OLD}")),
        "{refused:?}"
    );
}

#[actix_web::test]
async fn a_canary_of_a_group_takes_its_members() {
    let stage = stage().await;
    recognise(&stage);
    let before = signs_in(&stage, OLD, "ada@acme.test").await;
    hire(&stage, "00u9ada", "ada@acme.test", "Ada", "Lovelace");
    let ctx = stage.ctx();
    let canary = provider::Canary {
        to: NEW.into(),
        group: Some("Engineering".into()),
        ..provider::Canary::default()
    };
    stage.act(|conn| canaries::set(conn, &ctx, &Reach::everything(), OLD, canary).unwrap());
    let after = signs_in_hinted(&stage, "ada@acme.test").await;
    assert_eq!(after["sub"], before["sub"]);
    assert_eq!(came_by(&after), [OLD, NEW]);
}

#[actix_web::test]
async fn only_through_okta_holds_for_a_canary_s_people_as_well() {
    let stage = stage().await;
    stage.change_web_client(|settings| settings.providers.retain(|name| name != NEW));
    recognise(&stage);
    hire(&stage, "00u9ada", "ada@acme.test", "Ada", "Lovelace");
    let ctx = stage.ctx();
    let canary = provider::Canary {
        to: NEW.into(),
        people: vec!["ada@acme.test".into()],
        ..provider::Canary::default()
    };
    let row = Enforcement {
        tenant_id: "acme".into(),
        user_pool_id: POOL.into(),
        provider_id: OLD.into(),
        actor: "test".into(),
        since: ctx.now,
        confirm_by: ctx.now,
        confirmed_at: Some(ctx.now),
    };
    stage.act(|conn| {
        canaries::set(conn, &ctx, &Reach::everything(), OLD, canary).unwrap();
        assert!(enforcement::insert(conn, &row).unwrap());
    });
    assert_eq!(came_by(&signs_in_hinted(&stage, "ada@acme.test").await), [NEW]);
    let others = [("identity_provider", "globex-okta")];
    stage.globex.change_person("hank@globex.test", |person| {
        person.email = "hank@acme.test".into()
    });
    let page = stage
        .browser()
        .sign_in("hank@globex.test", &stage.authorize(&others))
        .await;
    page.is_page(403, "only_through_sso");
}
