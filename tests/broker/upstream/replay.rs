//! What a sign-in leaves for replays, and what an app's claim contract does to tokens and to drafts of a mapping.

use std::ops::ControlFlow;

use diesel::prelude::*;
use forebay::actions::mappings::past::{self, Past};
use forebay::actions::mappings::replay::{self, Options, Report};
use forebay::actions::mappings::{self, Save};
use forebay::db::Conn;
use forebay::db::schema::mapper_inputs;
use forebay::demo::okta::UserinfoFault;
use forebay::error::Error;
use forebay::jobs;
use forebay::model::client::{ContractClaim, ContractKind};
use forebay::model::mapper_input;
use forebay::model::mapping::{self, Rules};
use forebay::model::trace::Outcome;
use forebay::model::{provider, user};
use forebay::rules::mapping::{Compiled, parse};
use serde_json::{Value, json};

use super::mapping::map;
use super::{attempt, failing, refused, signs_in};
use crate::support::{NOW, Stage, Tokens};

const ACME: &str = "acme-okta";

fn kept(stage: &Stage) -> Vec<Past> {
    let ctx = stage.ctx();
    let mut all = Vec::new();
    stage.act(|conn| {
        let provider = provider::find(conn, ACME).unwrap().unwrap();
        let unreadable = past::visit(conn, &ctx.sealer, ctx.now, &provider, 100, |past| {
            all.push(past);
            ControlFlow::Continue(())
        });
        assert_eq!(unreadable.unwrap(), 0);
    });
    all
}

fn live(stage: &Stage) -> Rules {
    stage.act(|conn| mapping::current(conn, ACME).unwrap().unwrap().rules.0)
}

fn played(stage: &Stage, draft: &Rules) -> Report {
    let (ctx, live) = (stage.ctx(), live(stage));
    let options = Options {
        last: 100,
        open: false,
    };
    stage.act(|conn| {
        let provider = provider::find(conn, ACME).unwrap().unwrap();
        let (live, draft) = (Compiled::new(&live), Compiled::new(draft));
        replay::replay(conn, &ctx.sealer, ctx.now, &provider, &live, &draft, options).unwrap()
    })
}

fn sends(stage: &Stage, claims: Value) {
    let set = claims.as_object().cloned().unwrap();
    stage
        .acme
        .set_faults(|faults| faults.userinfo = vec![UserinfoFault::Set(set.into_iter().collect())]);
}

fn wants(stage: &Stage, claim: &str, kind: ContractKind) {
    stage.change_web_client(|settings| {
        settings.contract.push(ContractClaim {
            claim: claim.into(),
            kind,
            required: true,
            one_of: vec![],
        });
    });
}

#[actix_web::test]
async fn each_sign_in_is_kept_sealed_with_what_it_saw_and_what_came_of_it() {
    let stage = Stage::new().await;
    sends(&stage, json!({"marker": "a-value-nobody-else-has"}));
    let id = signs_in(&stage, "ada@acme.test").await;
    signs_in(&stage, "ada@acme.test").await;
    map(&stage, &["email=email", "name=nowhere,absent=refuse"]);
    let page = attempt(&stage, "ada@acme.test").await;
    let trace = refused(&stage, &page, "claim_required", "invalid_request");

    let all = kept(&stage);
    let [third, second, first] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!(first.contents.existing, None);
    assert_eq!(first.contents.claims["marker"], "a-value-nobody-else-has");
    assert_eq!(first.contents.made.attributes["email"], "ada@acme.test");
    assert_eq!(first.contents.made.groups, ["Engineering", "Everyone"]);
    assert_eq!(first.user_sub.as_deref(), id["sub"].as_str());
    assert_eq!(
        second.contents.existing.as_ref(),
        Some(&first.contents.made.attributes)
    );
    assert_eq!(second.contents.held, ["Engineering", "Everyone"]);
    assert_eq!(third.trace_code, trace.code);
    assert_eq!(
        third.contents.made.refusal.as_ref().unwrap().cause,
        "claim_required"
    );
    assert_eq!(third.contents.made.groups, ["Engineering", "Everyone"]);
    for past in &all {
        assert_eq!(stage.trace(&past.trace_code).user_sub, past.user_sub);
    }
    stage.act(|conn| {
        let sealed: Vec<Vec<u8>> = mapper_inputs::table
            .select(mapper_inputs::sealed)
            .load(conn)
            .unwrap();
        for bytes in sealed {
            assert!(!String::from_utf8_lossy(&bytes).contains("nobody-else"));
        }
    });
    assert_eq!(played(&stage, &live(&stage)).summary.changed, 0);
    let mild = Rules {
        attributes: vec![parse::rule("email=email").unwrap()],
        groups: None,
    };
    let report = played(&stage, &mild);
    assert_eq!((report.sign_ins, report.summary.newly_admitted), (3, 3));
}

#[actix_web::test]
async fn a_token_exchange_keeps_nothing_and_a_callback_one_row() {
    let stage = Stage::new().await;
    let rows = |stage: &Stage| stage.act(|conn| mapper_input::count(conn, ACME).unwrap());
    let code = stage.code_for("ada@acme.test", &[]).await;
    assert_eq!(rows(&stage), 1);
    Tokens::of(&stage.exchange(&code, &[]).await.expect(200));
    assert_eq!(rows(&stage), 1);
    // Before there is a verified identity, there is nothing to keep.
    sends(&stage, json!({"sub": "somebody else"}));
    attempt(&stage, "ada@acme.test").await;
    assert_eq!(rows(&stage), 1);
}

#[actix_web::test]
async fn what_is_kept_is_bounded_in_time_size_and_number_and_can_be_turned_off() {
    let stage = Stage::new().await;
    let rows = |stage: &Stage| stage.act(|conn| mapper_input::count(conn, ACME).unwrap());
    sends(&stage, json!({"long": "x".repeat(70_000)}));
    signs_in(&stage, "ada@acme.test").await;
    assert_eq!(rows(&stage), 0);
    let trace = &stage.traces()[0];
    let step = trace
        .story
        .steps
        .iter()
        .find(|step| step.name == "replay")
        .unwrap();
    assert!(step.passed && step.detail.contains("65536"), "{step:?}");

    sends(&stage, json!({}));
    for _ in 0..3 {
        signs_in(&stage, "ada@acme.test").await;
    }
    assert_eq!(
        stage.act(|conn| mapper_input::over_full(conn, 2).unwrap()),
        ["acme-okta"]
    );
    let trim = |conn: &mut Conn| mapper_input::trim(conn, "acme-okta", 2, 100).unwrap();
    assert_eq!(stage.act(trim), 1);
    assert!(
        stage
            .act(|conn| mapper_input::over_full(conn, 2).unwrap())
            .is_empty()
    );
    assert_eq!(kept(&stage).len(), 2);
    stage.clock.set(NOW.plus(14 * 86_400 + 1));
    assert_eq!(
        kept(&stage).len(),
        0,
        "they are over, even before they are cleared away"
    );
    jobs::clean_up(&stage.broker).await.unwrap();
    assert_eq!(rows(&stage), 0);

    stage.change_provider(ACME, |provider| provider.settings.replay.keep = false);
    signs_in(&stage, "ada@acme.test").await;
    assert_eq!(rows(&stage), 0);
}

#[actix_web::test]
async fn a_disabled_user_stays_out_in_every_replay() {
    let stage = Stage::new().await;
    let id = signs_in(&stage, "ada@acme.test").await;
    let sub = id["sub"].as_str().unwrap().to_owned();
    stage.act(|conn| {
        use forebay::db::schema::users;
        assert!(user::find(conn, &sub).unwrap().is_some());
        diesel::update(users::table.find(&sub))
            .set(users::enabled.eq(false))
            .execute(conn)
            .unwrap();
    });
    let page = attempt(&stage, "ada@acme.test").await;
    refused(&stage, &page, "user_disabled", "access_denied");
    assert_eq!(kept(&stage)[0].contents.barred.as_deref(), Some("user_disabled"));
    let report = played(&stage, &Rules::default());
    assert_eq!((report.summary.newly_admitted, report.sign_ins), (0, 2));
}

#[actix_web::test]
async fn an_app_gets_no_claim_of_another_type_than_it_asked_for() {
    let stage = Stage::new().await;
    wants(&stage, "nickname", ContractKind::Number);
    wants(&stage, "email", ContractKind::String);
    map(&stage, &["email=email", "nickname:='Ada'"]);
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let id = crate::support::claims(tokens.id.as_deref().unwrap());
    assert_eq!(
        (id.get("nickname"), &id["email"]),
        (None, &json!("ada@acme.test"))
    );
    let info = stage.userinfo(&tokens.access).await.expect(200).json();
    assert_eq!(
        (info.get("nickname"), &info["email"]),
        (None, &json!("ada@acme.test"))
    );
    let trace = &stage.traces()[0];
    assert_eq!(
        (trace.outcome, failing(trace)),
        (Outcome::SignedIn, Some("contract"))
    );
    let step = trace.story.steps.iter().find(|step| !step.passed).unwrap();
    assert_eq!(
        step.detail,
        "'nickname' must be of type number and would be string"
    );
}

#[actix_web::test]
async fn a_draft_that_broke_the_last_sign_ins_of_an_app_is_not_saved_unawares() {
    let stage = Stage::new().await;
    wants(&stage, "email", ContractKind::String);
    map(&stage, &["email=email"]);
    signs_in(&stage, "ada@acme.test").await;
    let code = kept(&stage)[0].trace_code.clone();
    let ctx = stage.ctx();
    let mut save = Save {
        seen: stage.act(|conn| mapping::current(conn, ACME).unwrap().unwrap().version),
        // There is a rule, and it never has a value.
        rules: Rules {
            attributes: vec![parse::rule("email=work_email").unwrap()],
            groups: None,
        },
        ..Save::default()
    };
    let refused = stage
        .act(|conn| mappings::save(conn, &ctx, ACME, save.clone()))
        .unwrap_err();
    let Error::Conflict(why) = refused else {
        panic!("{refused}");
    };
    assert!(
        why.contains("'email' is required and would be missing at 1 of the last sign-ins")
            && why.contains(&code),
        "{why}"
    );
    save.accept_breaches = true;
    stage.act(|conn| mappings::save(conn, &ctx, ACME, save)).unwrap();
}
