//! Email domains of a tenant: claimed, proven by a record, lost, taken back, asserted; and who may do what about them.

use std::time::Duration;

use forebay::actions::tenant_domains;
use forebay::demo::{OPERATOR, POOL};
use forebay::jobs;
use forebay::model::reach::Reach;
use forebay::model::tenant_domain::{self, Proof, TenantDomain};
use forebay::model::{audit, notice};

use super::rooms::{OTHER_ADMIN, VIEWER, are_not_found, fill, signed_in, stage, want_the_token};
use crate::support::{Answer, Browser, Form, Stage};

const DAY: i64 = 86_400;
const ACME: &str = "admin@acme.test";

fn at(tenant: &str, path: &str) -> String {
    format!("/console/pools/{POOL}/tenants/{tenant}/domains{path}")
}

fn row(stage: &Stage, tenant: &str, domain: &str) -> TenantDomain {
    stage.act(|conn| {
        tenant_domain::find(conn, tenant, domain)
            .unwrap()
            .expect("a claim")
    })
}

fn value(stage: &Stage, tenant: &str, domain: &str) -> String {
    let token = row(stage, tenant, domain).token;
    format!("forebay-domain-verification={token}")
}

async fn claim(browser: &mut Browser<'_>, tenant: &str, domain: &str) -> Answer {
    fill(browser, &at(tenant, ""), &at(tenant, ""), &[("domain", domain)]).await
}

/// Presses a button of one domain.
async fn press(browser: &mut Browser<'_>, tenant: &str, domain: &str, what: &str) -> Answer {
    let action = at(tenant, &format!("/{domain}/{what}"));
    fill(browser, &at(tenant, ""), &action, &[]).await
}

async fn look(browser: &mut Browser<'_>, stage: &Stage, tenant: &str, domain: &str) -> TenantDomain {
    press(browser, tenant, domain, "look").await.expect(200);
    row(stage, tenant, domain)
}

#[actix_web::test]
async fn a_108_a_domain_is_the_tenants_once_its_record_is_there_and_stays_there() {
    let stage = stage().await;
    let mut admin = signed_in(&stage, ACME);
    let page = claim(&mut admin, "acme", "@Example.TEST").await.expect(200);
    let value = value(&stage, "acme", "example.test");
    assert!(
        page.shows("Created.") && page.shows("_forebay-challenge.example.test"),
        "{page:?}"
    );
    assert!(page.shows(&value) && page.shows("not proven"), "{page:?}");

    let looked = look(&mut admin, &stage, "acme", "example.test").await;
    assert!(
        !looked.is_proven() && looked.finding.contains("no such TXT record"),
        "{looked:?}"
    );
    // Beside others, in pieces, at the challenge's name.
    stage
        .dns
        .texts("_forebay-challenge.example.test", &["v=spf1 -all", &value]);
    let looked = look(&mut admin, &stage, "acme", "example.test").await;
    assert_eq!(looked.proof, Proof::Dns);
    let page = admin.open(&at("acme", "")).await.expect(200);
    assert!(page.shows("pill--good\">proven"), "{page:?}");

    // Looked for every day; gone, it counts for a week more, and the connections tell of it.
    stage.clock.advance(DAY);
    assert_eq!(jobs::domains::run(&stage.broker).await.unwrap(), 1);
    assert_eq!(jobs::domains::run(&stage.broker).await.unwrap(), 0, "once a day");
    stage.dns.nothing("_forebay-challenge.example.test");
    stage.clock.advance(DAY);
    jobs::domains::run(&stage.broker).await.unwrap();
    let lost = row(&stage, "acme", "example.test");
    assert!(lost.is_proven() && lost.lost_since.is_some(), "{lost:?}");
    let told = |stage: &Stage| {
        stage.act(|conn| {
            let notices = notice::of_provider(conn, "acme-okta").unwrap();
            let lost = notices
                .into_iter()
                .filter(|one| one.kind == notice::Kind::DomainLost);
            lost.map(|one| (one.subject, one.detail)).collect::<Vec<_>>()
        })
    };
    assert_eq!(told(&stage).len(), 1);
    let mut admin = signed_in(&stage, ACME);
    let page = admin
        .open("/console/connections/acme-okta/health")
        .await
        .expect(200);
    assert!(page.shows("The proof of a domain is gone"), "{page:?}");

    // Back within the week.
    stage.dns.texts("example.test", &[&value]);
    stage.clock.advance(DAY);
    jobs::domains::run(&stage.broker).await.unwrap();
    assert_eq!(row(&stage, "acme", "example.test").lost_since, None);
    assert_eq!(told(&stage), []);

    // Away for good.
    stage.dns.nothing("example.test");
    for _ in 0..8 {
        stage.clock.advance(DAY);
        jobs::domains::run(&stage.broker).await.unwrap();
    }
    let gone = row(&stage, "acme", "example.test");
    assert_eq!((gone.proof, gone.lost_since), (Proof::None, None), "{gone:?}");
    assert!(told(&stage)[0].1.contains("counts no more"), "{:?}", told(&stage));
    let mut admin = signed_in(&stage, ACME);
    let page = press(&mut admin, "acme", "example.test", "remove").await;
    assert!(page.shows("Deleted."), "{page:?}");
    assert_eq!(told(&stage), []);
    let actions = stage.act(|conn| {
        let events = audit::of_target(conn, "acme", 50).unwrap();
        events.into_iter().map(|event| event.action).collect::<Vec<_>>()
    });
    for action in ["add", "prove", "lose", "find", "withdraw", "remove"] {
        let name = format!("tenant.domain_{action}");
        assert!(actions.contains(&name), "{name}: {actions:?}");
    }
}

#[actix_web::test]
async fn a_108_what_is_not_the_names_own_answer_proves_nothing() {
    let stage = Stage::with_patience(Duration::from_millis(1_500)).await;
    stage.console(OPERATOR);
    let mut admin = signed_in(&stage, ACME);
    claim(&mut admin, "acme", "example.test").await.expect(200);
    let value = value(&stage, "acme", "example.test");
    let challenge = "_forebay-challenge.example.test";
    let dns = &stage.dns;

    // An alias of a name that somebody else may have.
    dns.texts("elsewhere.test", &[&value]);
    dns.alias(challenge, "elsewhere.test");
    let looked = look(&mut admin, &stage, "acme", "example.test").await;
    assert!(
        !looked.is_proven() && looked.finding.contains("alias"),
        "{looked:?}"
    );
    // Aliases in a circle.
    dns.alias(challenge, "b.example.test");
    dns.alias("b.example.test", challenge);
    assert!(!look(&mut admin, &stage, "acme", "example.test").await.is_proven());
    dns.nothing("b.example.test");
    dns.nothing(challenge);
    // A wildcard that answers everything with something else, and an old value.
    dns.texts("*.example.test", &["whatever", "forebay-domain-verification=old"]);
    let looked = look(&mut admin, &stage, "acme", "example.test").await;
    assert!(
        !looked.is_proven() && looked.finding.contains("=old"),
        "{looked:?}"
    );
    dns.nothing("*.example.test");
    // More or less than the value.
    for near in [
        format!("{value}x"),
        format!("x{value}"),
        value.to_uppercase(),
        String::new(),
    ] {
        dns.texts("example.test", &[&near]);
        let looked = look(&mut admin, &stage, "acme", "example.test").await;
        assert!(!looked.is_proven(), "{near}");
    }
    dns.texts("example.test", &[&value]);
    assert!(look(&mut admin, &stage, "acme", "example.test").await.is_proven());

    // Who does not answer, or brokenly, has not said that the record is gone.
    dns.broken("example.test");
    dns.broken(challenge);
    let looked = look(&mut admin, &stage, "acme", "example.test").await;
    assert!(looked.is_proven() && looked.lost_since.is_none(), "{looked:?}");
    dns.silent("example.test");
    dns.silent(challenge);
    let looked = look(&mut admin, &stage, "acme", "example.test").await;
    assert!(looked.is_proven() && looked.lost_since.is_none(), "{looked:?}");
    assert!(looked.finding.contains("could not be asked"), "{looked:?}");
}

#[actix_web::test]
async fn a_107_a_domain_has_one_owner_and_the_second_is_not_told_who() {
    let stage = stage().await;
    let mut globex = signed_in(&stage, "admin@globex.test");
    claim(&mut globex, "globex", "acme.test").await.expect(200);
    stage
        .dns
        .texts("acme.test", &[&value(&stage, "globex", "acme.test")]);
    let looked = look(&mut globex, &stage, "globex", "acme.test").await;
    assert!(
        !looked.is_proven() && looked.finding.contains("another organisation"),
        "{looked:?}"
    );
    let page = globex.open(&at("globex", "")).await.expect(200);
    assert!(!page.shows("Acme"), "{page:?}");
    // Nor what lies below a domain that another has with its subdomains.
    let ctx = stage.ctx();
    let all = Reach::everything();
    claim(&mut globex, "globex", "eu.acme.test").await.expect(200);
    stage
        .dns
        .texts("eu.acme.test", &[&value(&stage, "globex", "eu.acme.test")]);
    stage
        .act(|conn| tenant_domains::set_subdomains(conn, &ctx, &all, "acme", "acme.test", true))
        .unwrap();
    assert!(
        !look(&mut globex, &stage, "globex", "eu.acme.test")
            .await
            .is_proven()
    );
    // Without them it may be anybody's who proves it; and then they cannot be had any more.
    stage
        .act(|conn| tenant_domains::set_subdomains(conn, &ctx, &all, "acme", "acme.test", false))
        .unwrap();
    assert!(
        look(&mut globex, &stage, "globex", "eu.acme.test")
            .await
            .is_proven()
    );
    let mut acme = signed_in(&stage, ACME);
    let shown = acme.open(&at("acme", "")).await.expect(200);
    let form = Form::to(&shown.body, &at("acme", "/acme.test/subdomains"));
    let page = acme.submit(&form, &[("subdomains", "on")]).await;
    assert_eq!(page.status, 422, "{page:?}");
    assert!(
        page.shows("another organisation") && !page.shows("Globex"),
        "{page:?}"
    );
    // An operator cannot give away what has an owner either.
    let mut operator = signed_in(&stage, OPERATOR);
    let page = press(&mut operator, "globex", "acme.test", "assert").await;
    assert_eq!(page.status, 422, "{page:?}");
    // When the owner gives it up the other's record counts.
    stage
        .act(|conn| tenant_domains::remove(conn, &ctx, &all, "acme", "acme.test"))
        .unwrap();
    assert!(look(&mut globex, &stage, "globex", "acme.test").await.is_proven());
}

#[actix_web::test]
async fn names_that_cannot_be_claimed_are_refused_at_the_field() {
    let stage = stage().await;
    let mut admin = signed_in(&stage, ACME);
    for (wrong, why) in [
        ("gmail.com", "mailbox"),
        ("com", "domain name"),
        ("co.uk", "registry"),
        ("ann@acme.test", "domain name"),
        ("acme.test", "already exists"),
    ] {
        let page = claim(&mut admin, "acme", wrong).await;
        assert_eq!(page.status, 422, "{wrong}: {page:?}");
        assert!(
            page.shows(why) && page.body.contains("domain-error"),
            "{wrong}: {page:?}"
        );
    }
    claim(&mut admin, "acme", "bücher.example").await.expect(200);
    assert!(!row(&stage, "acme", "xn--bcher-kva.example").is_proven());
}

#[actix_web::test]
async fn a_104_each_tenants_domains_are_its_own_affair_and_asserting_is_the_pools() {
    let stage = stage().await;
    let mut admin = signed_in(&stage, ACME);
    claim(&mut admin, "acme", "example.test").await.expect(200);
    let page = admin.open(&at("acme", "")).await.expect(200);
    assert!(!page.shows("/assert"), "{page:?}");
    let of = |tenant: &str| {
        [
            "",
            "/example.test/look",
            "/example.test/subdomains",
            "/example.test/assert",
            "/example.test/remove",
        ]
        .map(|path| at(tenant, path))
    };
    let (its, others) = (of("acme"), of("globex"));
    let [its, others] = [&its, &others].map(|paths| paths.each_ref().map(String::as_str));
    are_not_found(&stage, &[ACME], &others[..1], &others).await;
    are_not_found(&stage, &[ACME], &[], &[its[3]]).await;
    are_not_found(&stage, &["admin@globex.test", OTHER_ADMIN], &its[..1], &its).await;
    are_not_found(&stage, &[VIEWER], &[], &its).await;
    want_the_token(&stage, &its).await;
    assert!(!row(&stage, "acme", "example.test").is_proven());
    let mut operator = signed_in(&stage, OPERATOR);
    let page = press(&mut operator, "acme", "example.test", "assert")
        .await
        .expect(200);
    assert!(page.shows("asserted"), "{page:?}");
    assert_eq!(row(&stage, "acme", "example.test").proof, Proof::Asserted);
    // On an operator's word no record is looked for.
    stage.clock.advance(DAY);
    assert_eq!(jobs::domains::run(&stage.broker).await.unwrap(), 0);
}
