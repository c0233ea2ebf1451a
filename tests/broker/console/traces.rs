//! Sign-ins: found by code, person, time and ending; within reach only; told whole; claims opened for a while.

use diesel::prelude::*;
use forebay::db::schema::admin_sessions;
use forebay::demo::okta::{IdTokenFault, UserinfoFault};
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::model::audit;
use forebay::model::reach::Reach;
use forebay::model::trace::{self, Outcome, Trace};
use forebay::world::UnixTime;

use crate::support::{Answer, Browser, Form, Stage, links, query_of};
use crate::upstream::{attempt, explained, signed_in};

const MARKUP: &str = "<script>alert(1)</script>";

/// The codes on a page of the list, as they stand there.
fn codes(page: &Answer) -> Vec<String> {
    links(&page.body)
        .into_iter()
        .filter_map(|href| href.strip_prefix("/console/traces/").map(str::to_owned))
        .collect()
}

async fn search(admin: &mut Browser<'_>, query: &str) -> Vec<String> {
    codes(&admin.open(&format!("/console/traces?{query}")).await.expect(200))
}

fn ada_through_her_address(stage: &Stage) -> String {
    stage.authorize(&[("login_hint", "Ada@Acme.test")])
}

/// A copy of a trace under another code, at another time.
fn copy(stage: &Stage, of: &Trace, code: &str, started_at: UnixTime) {
    let row = Trace {
        code: code.into(),
        started_at,
        expires_at: started_at.plus(100 * 86_400),
        ..of.clone()
    };
    assert!(stage.act(|conn| trace::insert(conn, &row).unwrap()));
}

#[actix_web::test]
async fn a_sign_in_is_told_from_the_apps_request_to_the_tokens() {
    let stage = Stage::new().await;
    let back = attempt(&stage, "ada@acme.test").await;
    let code = stage.traces()[0].code.clone();
    let mut admin = stage.console("admin@acme.test");
    let path = format!("/console/traces/{code}");
    let waiting = admin.open(&path).await.expect(200);
    for shown in [
        "ada@acme.test signed in to Sample web app through the connection acme-okta.",
        "by its name: a button, or the app's own choice",
        "The signature is the organisation's",
        "id_token.nonce",
        "a***@acme.test",
        "group:Engineering",
        "version 1",
        "The app has not exchanged its code for tokens yet",
        "/console/connections/acme-okta",
    ] {
        assert!(waiting.shows(shown), "no {shown:?} on {}", waiting.body);
    }
    assert!(!waiting.shows("What to do"), "nothing is wrong");

    signed_in(&stage, &back).await;
    let fetched = admin.open(&path).await.expect(200);
    assert!(fetched.shows("The app has had its tokens since"), "{fetched:?}");
    stage.clock.advance(40 * 86_400);
    stage.act(|conn| {
        let row = trace::find(conn, &code).unwrap().unwrap();
        diesel::update(forebay::db::schema::login_traces::table.find(&code))
            .set(forebay::db::schema::login_traces::expires_at.eq(row.expires_at.plus(90 * 86_400)))
            .execute(conn)
            .unwrap();
    });
    forebay::jobs::clean_up(&stage.broker).await.unwrap();
    let mut admin = stage.console("admin@acme.test");
    let forgotten = admin.open(&path).await.expect(200);
    assert!(forgotten.shows("is not known any more"), "{forgotten:?}");
}

#[actix_web::test]
async fn an_app_that_never_came_for_its_tokens_or_was_refused_is_told_so() {
    let stage = Stage::new().await;
    attempt(&stage, "ada@acme.test").await.expect(302);
    let back = attempt(&stage, "grace@acme.test").await;
    let code = query_of(back.location(), "code").unwrap();
    stage
        .exchange(
            &code,
            &[("code_verifier", "another-verifier-that-is-long-enough-0123456789")],
        )
        .await
        .expect(400);
    stage.clock.advance(301);
    let mut admin = stage.console("admin@acme.test");
    let mut told = Vec::new();
    for trace in stage.traces() {
        told.push(
            admin
                .open(&format!("/console/traces/{}", trace.code))
                .await
                .expect(200),
        );
    }
    for words in ["never exchanged its code", "its request was refused"] {
        assert_eq!(told.iter().filter(|page| page.shows(words)).count(), 1, "{words}");
    }
}

#[actix_web::test]
async fn a_person_is_found_by_address_or_id_whether_they_got_in_or_not() {
    let stage = Stage::new().await;
    let id = signed_in(&stage, &attempt(&stage, "ada@acme.test").await).await;
    let succeeded = stage.traces()[0].code.clone();
    stage.clock.advance(10);
    // Refused before anybody proved who they are: the address was typed.
    let mut browser = stage.browser();
    let page = browser
        .to_sign_in_page(
            "linus@acme.test",
            &stage.authorize(&[("login_hint", "linus@acme.test")]),
        )
        .await;
    let refused = explained(
        &stage,
        &browser.enter(&page, "linus@acme.test").await,
        "user_not_assigned",
    )
    .code;
    stage.clock.advance(10);
    // Failed with an ID token that is not to be believed: its address finds the attempt all the same.
    stage
        .acme
        .set_faults(|faults| faults.id_token = vec![IdTokenFault::NonceWrong]);
    let failed = explained(&stage, &attempt(&stage, "ada@acme.test").await, "NONCE_MISMATCH").code;
    stage.clock.advance(10);
    stage.acme.set_faults(|faults| {
        faults.id_token.clear();
        faults.userinfo = vec![UserinfoFault::Unauthorized];
    });
    let late = explained(
        &stage,
        &attempt(&stage, "grace@acme.test").await,
        "USERINFO_FAILED",
    )
    .code;

    let mut admin = stage.console("admin@acme.test");
    assert_eq!(
        search(&mut admin, "q=Ada@ACME.test").await,
        [failed.clone(), succeeded.clone()]
    );
    assert_eq!(
        search(&mut admin, "q=linus@acme.test").await,
        std::slice::from_ref(&refused)
    );
    assert_eq!(
        search(&mut admin, "q=grace@acme.test").await,
        std::slice::from_ref(&late)
    );
    assert_eq!(
        search(&mut admin, &format!("q={}", id["sub"].as_str().unwrap())).await,
        std::slice::from_ref(&succeeded)
    );
    assert_eq!(
        search(&mut admin, "q=nobody@acme.test").await,
        Vec::<String>::new()
    );
    for trace in stage.traces() {
        let stored = format!("{trace:?}");
        assert!(!stored.contains("linus@") && !stored.contains("ada@"), "{stored}");
    }
}

#[actix_web::test]
async fn the_domain_of_an_address_is_told_as_the_way_in() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    browser
        .sign_in("ada@acme.test", &ada_through_her_address(&stage))
        .await
        .expect(302);
    let trace = stage.traces().remove(0);
    assert!(
        trace.story.steps[0]
            .detail
            .ends_with("by the domain of an address"),
        "{trace:?}"
    );
}

#[actix_web::test]
async fn the_list_narrows_by_ending_cause_connection_app_and_days() {
    let stage = Stage::new().await;
    attempt(&stage, "ada@acme.test").await.expect(302);
    let ok = stage.traces()[0].clone();
    let no = explained(
        &stage,
        &attempt(&stage, "linus@acme.test").await,
        "user_not_assigned",
    );
    stage
        .acme
        .set_faults(|faults| faults.id_token = vec![IdTokenFault::AudOther]);
    let broken = explained(
        &stage,
        &attempt(&stage, "ada@acme.test").await,
        "AUDIENCE_MISMATCH",
    );
    assert_eq!((no.outcome, broken.outcome), (Outcome::Refused, Outcome::Failed));
    attempt(&stage, "hank@globex.test").await.expect(302);
    let old = UnixTime(ok.started_at.0 - 20 * 86_400);
    copy(&stage, &ok, "AAA-AAA", old);

    let mut operator = stage.console("operator@forebay.test");
    let all = search(&mut operator, "").await;
    assert_eq!(all.len(), 4, "the last seven days: {all:?}");
    let only = |code: &str| vec![code.to_owned()];
    assert_eq!(search(&mut operator, "outcome=refused").await, only(&no.code));
    assert_eq!(search(&mut operator, "outcome=failed").await, only(&broken.code));
    assert_eq!(search(&mut operator, "outcome=unsuccessful").await.len(), 2);
    assert_eq!(search(&mut operator, "outcome=signed_in").await.len(), 2);
    assert_eq!(
        search(&mut operator, "cause=AUDIENCE_MISMATCH").await,
        only(&broken.code)
    );
    assert_eq!(search(&mut operator, "connection=globex-okta").await.len(), 1);
    assert_eq!(search(&mut operator, "connection=no-such").await.len(), 0);
    assert_eq!(search(&mut operator, &format!("app={WEB_CLIENT}")).await.len(), 4);
    assert_eq!(search(&mut operator, "app=another").await.len(), 0);
    assert_eq!(
        search(&mut operator, "from=2026-11-01&to=2026-11-01").await,
        only("AAA-AAA")
    );
    assert_eq!(search(&mut operator, "from=&to=").await.len(), 5);
    let wrong = operator.open("/console/traces?from=yesterday").await.expect(200);
    // The days are those of UTC, whatever the rows' times are shown in.
    assert!(
        wrong.shows("From that day (UTC)") && wrong.shows("To, with that day (UTC)"),
        "{wrong:?}"
    );
    assert!(
        wrong.shows("Write a date as 2026-11-21.") && codes(&wrong).is_empty(),
        "{wrong:?}"
    );
    for nonsense in ["q=hello", "after=x", "after=1.0", "outcome=x"] {
        operator
            .open(&format!("/console/traces?{nonsense}"))
            .await
            .expect(200);
    }
    let nothing = operator.open("/console/traces?q=K7Q-2FM").await.expect(200);
    assert!(nothing.shows("There is no sign-in K7Q-2FM"), "{nothing:?}");
}

#[actix_web::test]
async fn many_sign_ins_are_paged_without_loss_or_repetition() {
    let stage = Stage::new().await;
    stage.clock.advance(86_400);
    attempt(&stage, "ada@acme.test").await.expect(302);
    attempt(&stage, "hank@globex.test").await.expect(302);
    let both = stage.traces();
    let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    for (number, pair) in letters
        .iter()
        .flat_map(|a| letters.iter().map(move |b| (a, b)))
        .take(120)
        .enumerate()
    {
        // Several within the same second, and the two connections in turn.
        let at = both[0].started_at.plus(-(i64::try_from(number).unwrap() / 7));
        let code = format!("{0}{1}A-A{0}{1}", char::from(*pair.0), char::from(*pair.1));
        copy(&stage, &both[number % 2], &code, at);
    }
    for (email, expected) in [("operator@forebay.test", 122), ("admin@acme.test", 61)] {
        let mut admin = stage.console(email);
        let mut page = admin.open("/console/traces").await.expect(200);
        let mut seen = codes(&page);
        while let Some(next) = links(&page.body).into_iter().find(|href| href.contains("after=")) {
            page = admin.open(&next).await.expect(200);
            seen.extend(codes(&page));
        }
        let mut distinct = seen.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!((seen.len(), distinct.len()), (expected, expected), "{email}");
    }
}

#[actix_web::test]
async fn nobody_sees_another_tenants_sign_ins() {
    let stage = Stage::new().await;
    attempt(&stage, "ada@acme.test").await.expect(302);
    let acme = stage.traces()[0].clone();
    let stray = stage.get("/oauth2/authorize?client_id=unknown").await;
    let unknown = stray.trace_code().unwrap();
    let mut globex = stage.console("admin@globex.test");
    let path = format!("/console/traces/{}", acme.code);
    let missing = globex.open("/console/traces/AAA-AAA").await.expect(404).body;
    assert_eq!(
        globex.open(&path).await.expect(404).body,
        missing,
        "the same as a code that never was"
    );
    for query in [
        "",
        "q=ada@acme.test",
        &format!("q={}", acme.user_sub.as_deref().unwrap()),
        "connection=acme-okta",
        "cause=signed_in",
    ] {
        assert_eq!(search(&mut globex, query).await, Vec::<String>::new(), "{query}");
    }
    let typed = globex
        .open(&format!("/console/traces?q={}", acme.code))
        .await
        .expect(200);
    assert!(typed.shows("There is no sign-in"), "{typed:?}");
    let form = Form {
        action: format!("{path}/values"),
        ..Form::to(&typed.body, "/console/sign-out")
    };
    globex.submit(&form, &[("values", "open")]).await.expect(404);
    // What belongs to no connection is nobody's but the operator's.
    globex
        .open(&format!("/console/traces/{unknown}"))
        .await
        .expect(404);
    stage
        .console("operator@forebay.test")
        .open(&format!("/console/traces/{unknown}"))
        .await
        .expect(200);
    // A connection made anew under an old name does not bring its predecessor's sign-ins.
    stage.change_provider("acme-okta", |row| row.created_at = acme.started_at.plus(1));
    let mut acme_admin = stage.console("admin@acme.test");
    acme_admin.open(&path).await.expect(404);
    assert_eq!(search(&mut acme_admin, "").await, Vec::<String>::new());
    stage.get(&path).await.expect(303);
}

#[actix_web::test]
async fn any_spelling_of_a_code_leads_to_its_page() {
    let stage = Stage::new().await;
    attempt(&stage, "ada@acme.test").await.expect(302);
    let code = stage.traces()[0].code.clone();
    let mut admin = stage.console("admin@acme.test");
    for typed in [
        code.to_lowercase(),
        code.replace('-', ""),
        format!(" {} ", code.replace('-', " ")),
    ] {
        let encoded: String = form_urlencoded::byte_serialize(typed.as_bytes()).collect();
        admin
            .visit(&format!("/console/traces?q={encoded}"))
            .await
            .expect(200);
        assert_eq!(admin.url.path(), format!("/console/traces/{code}"), "{typed}");
    }
    let answer = admin
        .open(&format!("/console/traces/{}", code.to_lowercase()))
        .await
        .expect(303);
    assert_eq!(answer.location(), format!("/console/traces/{code}"));
    admin.open("/console/traces/nonsense").await.expect(404);
}

fn events(stage: &Stage, action: &str) -> Vec<audit::Event> {
    let search = audit::Search {
        action: Some(action.into()),
        ..audit::Search::default()
    };
    stage.act(|conn| audit::list(conn, &Reach::everything(), &search, 100).unwrap())
}

#[actix_web::test]
async fn claims_open_for_a_quarter_of_an_hour_and_each_look_is_recorded() {
    let stage = Stage::new().await;
    stage.acme.change_person("ada@acme.test", |person| {
        person.profile.insert("department".into(), MARKUP.into());
    });
    attempt(&stage, "ada@acme.test").await.expect(302);
    let mine = stage.traces()[0].clone();
    let mut admin = stage.console("admin@acme.test");
    let path = format!("/console/traces/{}", mine.code);
    let values = format!("{path}/values");
    let page = admin.open(&path).await.expect(200);
    assert!(
        !page.shows("\"Ada\"") && page.shows("Open claims for 15 minutes"),
        "{page:?}"
    );
    assert_eq!(
        events(&stage, "trace.").len(),
        0,
        "looking at the story alone is nobody's business"
    );

    let open = admin
        .submit(&Form::to(&page.body, &values), &[("values", "open")])
        .await
        .expect(200);
    assert!(open.shows("\"Ada\"") && open.shows("given_name"), "{open:?}");
    assert!(!open.body.contains(MARKUP), "{open:?}");
    assert_eq!(events(&stage, "trace.open_claims").len(), 1);
    let shown = events(&stage, "trace.show_claims");
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (
            shown[0].actor.as_str(),
            shown[0].target.as_str(),
            shown[0].tenant_id.as_deref(),
            shown[0].user_pool_id.as_deref()
        ),
        (
            "admin:admin@acme.test",
            mine.code.as_str(),
            Some("acme"),
            Some(POOL)
        )
    );
    assert!(
        !shown[0].difference.to_string().contains("Ada"),
        "the log holds no claims"
    );
    stage.clock.advance(14 * 60 + 59);
    assert!(admin.open(&path).await.expect(200).shows("\"Ada\""));
    assert_eq!(events(&stage, "trace.show_claims").len(), 2);
    stage.clock.advance(1);
    let closed = admin.open(&path).await.expect(200);
    assert!(
        !closed.shows("\"Ada\"") && closed.shows("Open claims for 15 minutes"),
        "{closed:?}"
    );
    assert_eq!(events(&stage, "trace.show_claims").len(), 2);

    // By now the proof of who one is is old as well.
    let answer = admin
        .request("POST", &values, &with(&closed, &values, "open"))
        .await
        .expect(303);
    assert_eq!(
        answer.location(),
        format!("/console/prove?next={}", path.replace('/', "%2F"))
    );
    assert!(!admin.open(&path).await.expect(200).shows("\"Ada\""));

    // Another session of the same person is not open, and a session can be closed before its time.
    let mut again = stage.console("admin@acme.test");
    let page = again.open(&path).await.expect(200);
    let open = again
        .submit(&Form::to(&page.body, &values), &[("values", "open")])
        .await
        .expect(200);
    assert!(open.shows("\"Ada\""));
    assert!(
        !stage
            .console("admin@acme.test")
            .open(&path)
            .await
            .expect(200)
            .shows("\"Ada\"")
    );
    let closed = again
        .submit(&Form::to(&open.body, &values), &[("values", "close")])
        .await
        .expect(200);
    assert!(!closed.shows("\"Ada\""), "{closed:?}");
    let open_sessions: i64 = stage.act(|conn| {
        admin_sessions::table
            .filter(admin_sessions::values_open_until.gt(stage.broker.clock.now()))
            .count()
            .get_result(conn)
            .unwrap()
    });
    assert_eq!(open_sessions, 0);
}

fn with(page: &Answer, action: &str, values: &str) -> Vec<(String, String)> {
    let mut fields = Form::to(&page.body, action).fields;
    fields.push(("values".into(), values.into()));
    fields
}

#[actix_web::test]
async fn open_claims_are_those_of_ones_own_people_only_and_no_form_of_a_stranger_opens_them() {
    let stage = Stage::new().await;
    attempt(&stage, "ada@acme.test").await.expect(302);
    let mine = stage.traces()[0].clone();
    stage.clock.advance(5);
    attempt(&stage, "hank@globex.test").await.expect(302);
    let theirs = stage.traces()[0].clone();
    assert_eq!(theirs.provider_id.as_deref(), Some("globex-okta"));
    let mut admin = stage.console("admin@acme.test");
    let path = format!("/console/traces/{}", mine.code);
    let values = format!("{path}/values");
    let page = admin.open(&path).await.expect(200);
    let forged = [
        ("values".to_owned(), "open".to_owned()),
        ("csrf".to_owned(), "x".to_owned()),
    ];
    admin.request("POST", &values, &forged).await.expect(403);
    assert!(!admin.open(&path).await.expect(200).shows("\"Ada\""));
    admin
        .open(&format!("{path}/values?values=open"))
        .await
        .expect(405);

    admin
        .submit(&Form::to(&page.body, &values), &[("values", "open")])
        .await
        .expect(200);
    admin
        .open(&format!("/console/traces/{}", theirs.code))
        .await
        .expect(404);
    let foreign = format!("/console/traces/{}/values", theirs.code);
    admin
        .request("POST", &foreign, &with(&page, &values, "open"))
        .await
        .expect(404);
    assert!(
        events(&stage, "trace.")
            .iter()
            .all(|event| event.target == mine.code)
    );

    // Of an attempt that never reached the mapping nothing is kept, and the page says so.
    let refused = explained(
        &stage,
        &attempt(&stage, "linus@acme.test").await,
        "user_not_assigned",
    );
    let page = admin
        .open(&format!("/console/traces/{}", refused.code))
        .await
        .expect(200);
    assert!(page.shows("Nothing is kept of this sign-in's claims"), "{page:?}");
}

#[actix_web::test]
async fn a_viewer_reads_stories_but_opens_no_claims() {
    use forebay::actions::admins::{self, NewAdministrator, Scope};
    use forebay::model::administrator::Role;
    let stage = Stage::new().await;
    stage.console("operator@forebay.test");
    let ctx = stage.ctx();
    stage.act(|conn| {
        let new = NewAdministrator {
            email: "viewer@acme.test".into(),
            name: "Viewer".into(),
            password_hash: None,
            roles: vec![(Role::Viewer, Scope::Tenant("acme".into()))],
        };
        admins::create(conn, &ctx, new).unwrap();
    });
    attempt(&stage, "ada@acme.test").await.expect(302);
    let mine = stage.traces()[0].clone();
    let mut viewer = stage.console("viewer@acme.test");
    let path = format!("/console/traces/{}", mine.code);
    let page = viewer.open(&path).await.expect(200);
    assert!(!page.shows("Open claims"), "{page:?}");
    let form = Form {
        action: format!("{path}/values"),
        ..Form::to(&page.body, "/console/sign-out")
    };
    viewer.submit(&form, &[("values", "open")]).await.expect(404);
    assert!(!viewer.open(&path).await.expect(200).shows("\"Ada\""));
}

#[actix_web::test]
async fn markup_in_names_claims_and_causes_is_text() {
    let stage = Stage::new().await;
    stage.change_client(WEB_CLIENT, |row| row.name = MARKUP.into());
    stage.acme.change_person("ada@acme.test", |person| {
        person.given_name = MARKUP.into();
        person.groups.push(MARKUP.into());
    });
    attempt(&stage, "ada@acme.test").await.expect(302);
    let trace = stage.traces()[0].clone();
    stage.act(|conn| {
        let sub = trace.user_sub.as_deref().unwrap();
        let mut user = forebay::model::user::find(conn, sub).unwrap().unwrap();
        user.attributes.0.insert("email".into(), MARKUP.into());
        forebay::model::user::update(conn, &user).unwrap();
    });
    copy(
        &stage,
        &Trace {
            cause: MARKUP.into(),
            outcome: Outcome::Failed,
            ..trace.clone()
        },
        "BBB-BBB",
        trace.started_at,
    );
    let mut operator = stage.console("operator@forebay.test");
    for path in [
        "/console".to_owned(),
        "/console/traces".to_owned(),
        format!(
            "/console/traces?cause={0}&connection={0}&app={0}&q={0}&from={0}",
            "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
        ),
        format!("/console/traces/{}", trace.code),
        "/console/traces/BBB-BBB".to_owned(),
    ] {
        let page = operator.open(&path).await.expect(200);
        assert!(!page.body.contains("<script>alert"), "{path}: {page:?}");
        assert!(
            page.header("content-security-policy")
                .unwrap()
                .contains("default-src 'none'")
        );
    }
}
