//! PostgreSQL undoes a transaction for another's sake (F28): whoever asked does not notice as long as it helps to try again,
//! and nothing happens twice. By a trigger that raises such errors, in turn or for ever, and by PostgreSQL itself where it is
//! told to keep transactions apart as if they came one after the other.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use forebay::demo::{SPA_CLIENT, WEB_CLIENT};

use super::Options;
use super::http::{answered, get};
use super::load::{ask, bytes};
use super::log::{Log, Outcome, Request};
use super::postgres;
use super::races::{race, sound, tokens};
use super::report::{Verdict, percentile, spread};
use super::sign_in::{code_of, until_the_callback};
use super::stage::{Base, Code, Node, Stage, free_address};

/// How often the broker begins a transaction, as `db` says.
const ATTEMPTS: i64 = 5;

/// Raises that error at each change of a table but every `passes`th; at all of them if that is none.
fn trip(stage: &Stage, table: &str, when: &str, sqlstate: &str, passes: Option<u32>) {
    let told = if sqlstate == "40P01" {
        "deadlock detected"
    } else {
        "could not serialize access due to concurrent update"
    };
    let trips = passes.map_or("TRUE".to_owned(), |passes| format!("n % {passes} <> 0"));
    let statements = format!(
        "CREATE SEQUENCE tripped;
         CREATE FUNCTION trip() RETURNS trigger LANGUAGE plpgsql AS $$
         DECLARE n BIGINT := nextval('tripped');
         BEGIN
           IF {trips} THEN RAISE EXCEPTION '{told}' USING ERRCODE = '{sqlstate}'; END IF;
           RETURN NEW;
         END $$;
         CREATE TRIGGER trip BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION trip();"
    );
    stage.target.open().unwrap().batch_execute(&statements).unwrap();
}

/// Takes the trigger away; how many changes it saw. A sequence counts what is undone, too.
fn mend(stage: &Stage, table: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Seen {
        #[diesel(sql_type = BigInt)]
        seen: i64,
    }
    let mut conn = stage.target.open().unwrap();
    let seen: Seen = diesel::sql_query("SELECT last_value AS seen FROM tripped")
        .get_result(&mut conn)
        .unwrap();
    let statements = format!("DROP TRIGGER trip ON {table}; DROP FUNCTION trip(); DROP SEQUENCE tripped;");
    conn.batch_execute(&statements).unwrap();
    seen.seen
}

fn exchange(log: &Log, node: &Node, code: &Code) -> Outcome {
    let request = Request::Exchange {
        code: code.code.clone(),
    };
    ask(log, (0, node.address), request, &code.sub, WEB_CLIENT)
}

pub fn f28_undone_for_another_s_sake(options: &Options) -> Verdict {
    let server = match postgres::server(options) {
        Ok(server) => server,
        Err(reason) => return Verdict::NotRun(reason),
    };
    let stage = Stage::new(&Base::Postgres(server.url()));
    let (node, log) = (stage.node(), Log::new());
    let count = options.count(10, 200);
    for sqlstate in ["40001", "40P01"] {
        each_is_tried_again(&stage, &node, &log, sqlstate, count);
        a_sign_in_is_not_lost(&stage, &node, &log, sqlstate);
        no_end_of_tries_is_waited_for(&stage, &node, &log, sqlstate);
    }
    sound(&log, &stage);
    Verdict::passed([format!(
        "40001 and 40P01: {count} exchanges, refreshes and a sign-in undone 3 times each succeeded at the 4th; undone for ever: \
         503 after {ATTEMPTS} attempts, and the code is good afterwards"
    )])
}

fn each_is_tried_again(stage: &Stage, node: &Node, log: &Log, sqlstate: &str, count: usize) {
    trip(stage, "authorization_codes", "UPDATE", sqlstate, Some(4));
    for code in stage.codes(WEB_CLIENT, count) {
        // The answer is not stored: stock is made before the trigger counts.
        let outcome = exchange(log, node, &code);
        assert!(
            matches!(outcome, Outcome::Done(Some(_))),
            "{sqlstate}: {outcome:?}"
        );
    }
    let seen = mend(stage, "authorization_codes");
    assert_eq!(seen, 4 * count as i64, "{sqlstate}: attempts");
    let (sub, issued) = tokens(log, stage, node.address, SPA_CLIENT);
    trip(stage, "refresh_tokens", "UPDATE", sqlstate, Some(4));
    let token = issued.refresh.unwrap();
    let outcome = ask(
        log,
        (0, node.address),
        Request::Refresh { token },
        &sub,
        SPA_CLIENT,
    );
    assert!(
        matches!(outcome, Outcome::Done(Some(_))),
        "{sqlstate}: {outcome:?}"
    );
    assert_eq!(mend(stage, "refresh_tokens"), 4, "{sqlstate}: attempts");
}

/// What the upstream gave is spent: a sign-in that fails here cannot be tried again from outside.
fn a_sign_in_is_not_lost(stage: &Stage, node: &Node, log: &Log, sqlstate: &str) {
    let login = format!("clash{}@acme.test", sqlstate.to_lowercase());
    stage.newcomer(&login);
    let before = stage.rows();
    let back = until_the_callback(stage, node.address, &login);
    trip(stage, "sessions", "INSERT", sqlstate, Some(4));
    let answer = answered(node.address, &get(&back.callback, &back.cookies));
    assert_eq!(mend(stage, "sessions"), 4, "{sqlstate}: attempts");
    let code = code_of(&answer).unwrap_or_else(|| panic!("{sqlstate}: {}", answer.text()));
    let after = stage.rows();
    assert_eq!(after.users.len(), before.users.len() + 1);
    assert_eq!(after.sessions, before.sessions + 1);
    let sub = after.users.difference(&before.users).next().unwrap().clone();
    let outcome = exchange(log, node, &Code { code, sub });
    assert!(matches!(outcome, Outcome::Done(Some(_))), "{outcome:?}");
}

fn no_end_of_tries_is_waited_for(stage: &Stage, node: &Node, log: &Log, sqlstate: &str) {
    let code = stage.codes(WEB_CLIENT, 1).remove(0);
    trip(stage, "authorization_codes", "UPDATE", sqlstate, None);
    let request = Request::Exchange {
        code: code.code.clone(),
    };
    let answer = answered(node.address, &bytes(&request, WEB_CLIENT));
    assert_eq!(answer.status, 503, "{sqlstate}: {}", answer.text());
    assert!(answer.header("retry-after").is_some(), "{}", answer.head);
    assert_eq!(
        mend(stage, "authorization_codes"),
        ATTEMPTS,
        "{sqlstate}: attempts"
    );
    let outcome = exchange(log, node, &code);
    assert!(
        matches!(outcome, Outcome::Done(Some(_))),
        "{sqlstate}: {outcome:?}"
    );
}

pub fn f28_as_if_one_after_the_other(options: &Options) -> Verdict {
    let server = match postgres::server(options) {
        Ok(server) => server,
        Err(reason) => return Verdict::NotRun(reason),
    };
    let stage = Stage::new(&Base::Postgres(server.url()));
    let apart = "DO $$ BEGIN EXECUTE format(
        'ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()
    ); END $$";
    stage.target.open().unwrap().batch_execute(apart).unwrap();
    let (nodes, log) = ([telling(&stage), telling(&stage)], Log::new());
    let addresses = [nodes[0].address, nodes[1].address];
    let count = options.count(10, 200);
    let (mut successes, mut busy, mut took_all) = (0, 0, Vec::new());
    for code in stage.codes(WEB_CLIENT, count) {
        let request = Request::Exchange {
            code: code.code.clone(),
        };
        let mut of_this = 0;
        for (outcome, took) in race(&log, &addresses, 16, &request, &code.sub) {
            match outcome {
                Outcome::Done(_) => of_this += 1,
                Outcome::Refused(error) => assert_eq!(error, "invalid_grant"),
                Outcome::Unavailable(503) => busy += 1,
                other => panic!("a racer got {other:?}"),
            }
            took_all.push(took);
        }
        // Who was told to come again does, and the code is spent once in the end.
        if of_this == 0 {
            let outcome = ask(&log, (0, addresses[0]), request, &code.sub, WEB_CLIENT);
            assert!(matches!(outcome, Outcome::Done(Some(_))), "{outcome:?}");
            of_this = 1;
        }
        assert_eq!(of_this, 1, "a code was exchanged {of_this} times");
        successes += of_this;
    }
    let undone: usize = nodes.iter().map(|node| undone(&stage, node)).sum();
    assert!(undone > 0, "PostgreSQL undid nothing: the race shows nothing");
    assert!(
        busy * 20 <= took_all.len(),
        "{busy} of {} were told to come again",
        took_all.len()
    );
    assert!(percentile(&took_all, 1.0).as_secs() < 10, "{}", spread(&took_all));
    sound(&log, &stage);
    Verdict::passed([format!(
        "serializable, {count} codes, 16 at once over 2 nodes: {successes} successes, {undone} transactions undone, {busy} told to \
         come again; {}",
        spread(&took_all)
    )])
}

/// A node that says when it begins again.
fn telling(stage: &Stage) -> Node {
    let mut command = stage.command(free_address());
    command.env("FOREBAY_LOG", "warn,forebay::db=debug");
    Node::start(command)
}

/// How often a node has begun again.
fn undone(stage: &Stage, node: &Node) -> usize {
    stage
        .log_of(node.address)
        .matches("undone for another's sake")
        .count()
}
