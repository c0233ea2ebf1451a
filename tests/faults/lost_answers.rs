//! Answers that are lost on the way: the broker's to an app (F5), PostgreSQL's to a COMMIT (F27).

use forebay::demo::{SPA_CLIENT, WEB_CLIENT};
use forebay::rules::secret;

use super::Options;
use super::load::ask;
use super::log::{Log, Outcome, Request};
use super::postgres::Own;
use super::proxy::Proxy;
use super::races::{on_each, sound, tokens};
use super::report::Verdict;
use super::stage::{Base, Stage};

pub fn f5_the_answer_of_a_refresh(options: &Options) -> Verdict {
    on_each(options, |stage, nodes| {
        let (log, proxy) = (Log::new(), Proxy::before(nodes[0]));
        let (sub, first) = tokens(&log, stage, nodes[0], SPA_CLIENT);
        let old = first.refresh.unwrap();
        let refresh = |at, token: &str| {
            let request = Request::Refresh { token: token.into() };
            ask(&log, (0, at), request, &sub, SPA_CLIENT)
        };
        proxy.lose_the_answer_to("grant_type=refresh_token");
        assert_eq!(refresh(proxy.address, &old), Outcome::Unknown);
        assert_eq!(proxy.lost(), 1);
        // The app asks again, perhaps another node.
        let Outcome::Done(Some(again)) = refresh(nodes[nodes.len() - 1], &old) else {
            panic!("a lost answer could not be fetched again")
        };
        let rows = stage.rows();
        let jti = &rows.tokens[&secret::hash(&old)].origin_jti;
        let of_family = rows.tokens.values().filter(|row| row.origin_jti == *jti);
        assert_eq!(of_family.filter(|row| !row.is_rotated).count(), 1);
        let next = refresh(nodes[0], &again.refresh.unwrap());
        assert!(matches!(next, Outcome::Done(_)), "{next:?}");
        sound(&log, stage);
        vec!["the app asked again with the old token: one live successor, and it works".into()]
    })
}

pub fn f27_cut_after_commit(options: &Options) -> Verdict {
    let own = match Own::start() {
        Ok(own) => own,
        Err(reason) => return Verdict::NotRun(reason),
    };
    let proxy = Proxy::before(own.address);
    let stage = Stage::new(&Base::Postgres(own.url(proxy.address)));
    let (node, log) = (stage.node(), Log::new());
    let rounds = options.count(5, 100);
    let (mut unanswered, mut codes) = (0, Vec::new());
    for code in stage.codes(WEB_CLIENT, rounds) {
        let request = Request::Exchange {
            code: code.code.clone(),
        };
        proxy.lose_the_answer_to("COMMIT");
        match ask(&log, (0, node.address), request.clone(), &code.sub, WEB_CLIENT) {
            Outcome::Unavailable(503) => {
                unanswered += 1;
                // It was committed: the code is spent, and showing it again gives nothing.
                let again = ask(&log, (0, node.address), request, &code.sub, WEB_CLIENT);
                assert_eq!(again, Outcome::Refused("invalid_grant".into()));
            }
            // The COMMIT that was hit was a job's, beside.
            Outcome::Done(_) => {}
            other => panic!("{other:?}"),
        }
        codes.push(code.code);
    }
    let rows = stage.rows();
    assert!(codes.iter().all(|code| rows.codes[&secret::hash(code)].is_spent));
    assert!(unanswered > 0, "no COMMIT of an exchange was hit");
    sound(&log, &stage);
    Verdict::passed([format!(
        "{} answers to COMMIT lost: {unanswered} exchanges got 503, each code spent once",
        proxy.lost()
    )])
}
