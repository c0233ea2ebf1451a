//! The overview: numbers of the last day within reach, what needs attention, and the first steps.

use diesel::prelude::*;
use forebay::db::schema::{identity_providers, login_traces, provider_notices, user_pools};
use forebay::model::reach::Reach;
use forebay::model::trace::count;

use crate::support::{Answer, Stage, links};
use crate::upstream::attempt;

/// The numbers at the head of the page, in order.
fn numbers(page: &Answer) -> Vec<String> {
    page.body
        .split("stat__number\">")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().trim().to_owned())
        .collect()
}

#[actix_web::test]
async fn the_last_day_is_counted_within_reach() {
    let stage = Stage::new().await;
    attempt(&stage, "ada@acme.test").await.expect(302);
    stage.clock.advance(3_600);
    attempt(&stage, "grace@acme.test").await.expect(302);
    attempt(&stage, "linus@acme.test").await.expect(403);
    attempt(&stage, "linus@acme.test").await.expect(403);
    stage.clock.advance(3_600);
    attempt(&stage, "hank@globex.test").await.expect(302);
    for (email, expected) in [
        ("operator@forebay.test", ["5", "60 %", "2", "0"]),
        ("admin@acme.test", ["4", "50 %", "2", "0"]),
        ("admin@globex.test", ["1", "100 %", "0", "0"]),
    ] {
        let page = stage.console(email).open("/console").await.expect(200);
        assert_eq!(numbers(&page), expected, "{email}");
    }
    let page = stage
        .console("admin@acme.test")
        .open("/console")
        .await
        .expect(200);
    for shown in [
        "<tr><th scope=\"row\">00:00</th><td>1</td><td>0</td></tr>",
        "<tr><th scope=\"row\">01:00</th><td>1</td><td>2</td></tr>",
        "<tr><th scope=\"row\">02:00</th><td>0</td><td>0</td></tr>",
        "role=\"img\" aria-labelledby=\"hours-title hours-desc\"",
    ] {
        assert!(page.body.contains(shown), "no {shown} in {}", page.body);
    }
    assert!(
        !page.body.contains("style="),
        "the content security policy would not let it be"
    );
    let causes: Vec<_> = links(&page.body)
        .into_iter()
        .filter(|href| href.contains("cause="))
        .collect();
    assert_eq!(
        causes,
        ["/console/traces?outcome=unsuccessful&cause=user_not_assigned"]
    );
    let latest = links(&page.body)
        .into_iter()
        .filter(|href| href.starts_with("/console/traces/"))
        .count();
    assert_eq!(latest, 2, "{page:?}");
    let other = stage
        .console("admin@globex.test")
        .open("/console")
        .await
        .expect(200);
    assert!(
        !other.shows("user_not_assigned") && !other.shows("acme"),
        "{other:?}"
    );

    // A day later it is another day's page.
    stage.clock.advance(25 * 3_600);
    let page = stage
        .console("admin@acme.test")
        .open("/console")
        .await
        .expect(200);
    assert_eq!(numbers(&page), ["0", "–", "0", "0"]);
    assert!(page.shows("The latest that did not succeed"), "{page:?}");
}

#[actix_web::test]
async fn what_needs_attention_is_shown_to_those_whose_it_is() {
    let stage = Stage::new().await;
    attempt(&stage, "ada@acme.test").await.expect(302);
    attempt(&stage, "hank@globex.test").await.expect(302);
    stage.act(|conn| {
        diesel::insert_into(provider_notices::table)
            .values((
                provider_notices::provider_id.eq("acme-okta"),
                provider_notices::kind.eq("claim_missing"),
                provider_notices::subject.eq("department"),
                provider_notices::detail.eq("<b>department</b> stopped coming."),
                provider_notices::since.eq(stage.broker.clock.now()),
            ))
            .execute(conn)
            .unwrap();
    });
    let acme = stage
        .console("admin@acme.test")
        .open("/console")
        .await
        .expect(200);
    assert!(acme.shows("A claim has stopped coming") && acme.shows("<b>department</b> stopped coming."));
    assert!(!acme.body.contains("<b>department"), "{acme:?}");
    assert_eq!(numbers(&acme)[3], "1");
    let globex = stage
        .console("admin@globex.test")
        .open("/console")
        .await
        .expect(200);
    assert!(!globex.shows("A claim has stopped coming"), "{globex:?}");
    assert_eq!(numbers(&globex)[3], "0");
}

#[actix_web::test]
async fn an_empty_installation_says_what_comes_first() {
    let stage = Stage::new().await;
    let mut operator = stage.console("operator@forebay.test");
    let page = operator.open("/console").await.expect(200);
    assert!(page.shows("Nobody has signed in yet"), "{page:?}");
    stage.act(|conn| diesel::delete(identity_providers::table).execute(conn).unwrap());
    let page = operator.open("/console").await.expect(200);
    assert!(page.shows("Connect Okta"), "{page:?}");
    let mut tenant = stage.console("admin@acme.test");
    assert!(tenant.open("/console").await.expect(200).shows("Connect Okta"));
    stage.act(|conn| diesel::delete(user_pools::table).execute(conn).unwrap());
    let page = operator.open("/console").await.expect(200);
    assert!(page.shows("Make a user pool"), "{page:?}");
}

#[actix_web::test]
async fn numbers_and_lists_are_read_from_indexes() {
    use diesel::sql_types::Text;
    use forebay::db::Conn;
    #[derive(QueryableByName)]
    struct Plan {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    let stage = Stage::new().await;
    stage.act(|conn| {
        let Conn::Sqlite(_) = conn else { return };
        for (query, index) in [
            (
                "SELECT started_at / 3600, count(*) FROM login_traces WHERE started_at >= 1 AND provider_id = 'a' GROUP BY started_at / 3600",
                "COVERING INDEX login_traces_by_provider",
            ),
            (
                "SELECT started_at / 3600, count(*) FROM login_traces WHERE started_at >= 1 GROUP BY started_at / 3600",
                "COVERING INDEX login_traces_by_start",
            ),
            (
                "SELECT cause, count(*) FROM login_traces WHERE started_at >= 1 AND login_traces.outcome <> 'signed_in' \
                 AND user_pool_id = 'a' GROUP BY cause",
                "INDEX login_traces_unsuccessful_by_pool",
            ),
            (
                "SELECT code FROM login_traces WHERE provider_id = 'a' AND login_traces.outcome <> 'signed_in' \
                 AND started_at >= 1 ORDER BY started_at DESC, code DESC LIMIT 51",
                "INDEX login_traces_unsuccessful_by_provider",
            ),
            (
                "SELECT code FROM login_traces WHERE person_hash IN (x'00') AND (provider_id = 'a' OR provider_id = 'b') \
                 ORDER BY started_at DESC, code DESC LIMIT 51",
                "INDEX login_traces_by_person",
            ),
            (
                "SELECT id FROM audit_events WHERE tenant_id = 'a' AND audit_events.action <> 'user.sign_in' AND at >= 1 \
                 ORDER BY at DESC, id DESC LIMIT 51",
                "INDEX audit_changes_by_tenant",
            ),
            (
                "SELECT id FROM audit_events WHERE audit_events.action <> 'user.sign_in' AND at >= 1 \
                 ORDER BY at DESC, id DESC LIMIT 51",
                "INDEX audit_changes_by_time",
            ),
        ] {
            let plan: Vec<Plan> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {query}")).load(conn).unwrap();
            let told: Vec<&str> = plan.iter().map(|row| row.detail.as_str()).collect();
            assert!(told.iter().any(|line| line.contains(index)), "{query}: {told:?}");
        }
    });
}

#[actix_web::test]
async fn hours_without_sign_ins_are_counted_as_none() {
    let stage = Stage::new().await;
    let hours = stage.act(|conn| {
        diesel::delete(login_traces::table).execute(conn).unwrap();
        count::by_hour(conn, &Reach::everything(), stage.broker.clock.now(), 24).unwrap()
    });
    assert_eq!(hours.len(), 24);
    assert!(
        hours
            .iter()
            .all(|hour| hour.signed_in == 0 && hour.unsuccessful == 0)
    );
    let nobody =
        stage.act(|conn| count::by_cause(conn, &Reach::default(), forebay::world::UnixTime(0)).unwrap());
    assert_eq!(nobody, []);
}
