//! From an address, a tenant's code or a slug to the connection, and what a stranger learns from it.

use forebay::actions::{tenant_domains, tenants};
use forebay::demo::{OPERATOR, WEB_CLIENT};
use forebay::model::reach::Reach;

use super::led::{Led, ask, error};
use crate::support::{Answer, Form, Stage, claims, links, location_param, query_of};

/// A stage with the demo's tenants, each with its connection and its domain.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    stage
}

fn prove(stage: &Stage, tenant: &str, domain: &str, subdomains: bool) {
    let (ctx, all) = (stage.ctx(), Reach::everything());
    stage.act(|conn| {
        let row = tenant_domains::claim(conn, &ctx, &all, tenant, domain, subdomains).unwrap();
        tenant_domains::assert(conn, &ctx, &all, tenant, &row.domain).unwrap();
    });
}

fn give(stage: &Stage, connection: &str, tenant: &str) {
    let ctx = stage.ctx();
    stage
        .act(|conn| tenants::give_connection(conn, &ctx, connection, Some(tenant)))
        .unwrap();
}

async fn led_by(stage: &Stage, fields: &[(&str, &str)]) -> Led {
    ask(stage, &mut stage.browser(), fields).await
}

/// The connections that a page has buttons of.
fn offered(page: &Answer) -> Vec<String> {
    let of = |href: String| query_of(&href, "identity_provider");
    links(&page.body).into_iter().filter_map(of).collect()
}

/// The login page after this address was typed.
async fn typed(stage: &Stage, address: &str) -> Answer {
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    let page = stage.get(&login).await.expect(200);
    let form = Form::to(&page.body, "/login");
    let mut fields = form.fields;
    fields.retain(|(name, _)| name != "email");
    fields.push(("email".into(), address.into()));
    let query = forebay::rules::params::encode(fields);
    stage.get(&format!("/login?{query}")).await
}

#[actix_web::test]
async fn an_address_leads_to_its_tenants_connection_and_goes_along() {
    let stage = stage().await;
    prove(&stage, "acme", "bücher.example", false);
    prove(&stage, "globex", "globex.example", true);
    for (hint, organisation) in [
        ("ada@acme.test", "acme"),
        ("Ada@ACME.test", "acme"),
        ("ada@xn--bcher-kva.example", "acme"),
        ("ada@bücher.EXAMPLE", "acme"),
        ("hank@globex.test", "globex"),
        ("hank@globex.example", "globex"),
        ("hank@eu.globex.example", "globex"),
    ] {
        let led = led_by(&stage, &[("login_hint", hint)]).await;
        assert_eq!(led, Led::Organisation(organisation), "{hint}");
    }
    for hint in [
        "ada@eu.acme.test",
        "ada@acme.test.evil.test",
        "ada@notacme.test",
        "ada",
        "@acme.test",
    ] {
        assert_eq!(
            led_by(&stage, &[("login_hint", hint)]).await,
            Led::LoginPage,
            "{hint}"
        );
    }
    let mut browser = stage.browser();
    let answer = typed(&stage, "ada@acme.test").await.expect(303);
    let onward = browser.open(answer.location()).await.expect(302);
    assert_eq!(
        location_param(&onward, "login_hint").as_deref(),
        Some("ada@acme.test")
    );
    assert!(onward.location().starts_with(&stage.acme.issuer()));
}

#[actix_web::test]
async fn a_slug_an_identifier_and_a_tenants_code_lead_there_and_an_unknown_one_to_the_page() {
    let stage = stage().await;
    prove(&stage, "globex", "globex.example", false);
    for (name, value, organisation) in [
        ("identity_provider", "globex-okta", "globex"),
        ("connection", "globex-okta", "globex"),
        ("idp_identifier", "globex.test", "globex"),
        ("idp_identifier", "globex.example", "globex"),
        ("tenantCode", "globex", "globex"),
        ("tenant_code", "GLOBEX", "globex"),
        ("tenantCode", "acme.test", "acme"),
    ] {
        let led = led_by(&stage, &[(name, value)]).await;
        assert_eq!(led, Led::Organisation(organisation), "{name}={value}");
    }
    for name in [
        "identity_provider",
        "connection",
        "idp_identifier",
        "tenantCode",
        "tenant_code",
    ] {
        let led = led_by(&stage, &[(name, "initech")]).await;
        assert_eq!(led, Led::LoginPage, "{name}");
        let led = led_by(&stage, &[(name, "initech"), ("prompt", "none")]).await;
        assert_eq!(led, error("invalid_request"), "{name}");
    }
}

#[actix_web::test]
async fn decision_6_a_tenants_identifier_leads_only_within_its_proven_domains() {
    let stage = stage().await;
    let (ctx, all) = (stage.ctx(), Reach::everything());
    // globex's connection is called by a domain that is not globex's.
    stage.act(|conn| {
        let row = forebay::model::provider::find(conn, "globex-okta")
            .unwrap()
            .unwrap();
        let names = ["globex.test".to_owned(), "stolen.test".to_owned()];
        forebay::model::provider::set_identifiers(conn, &row, &names)
            .unwrap()
            .unwrap();
    });
    assert_eq!(
        led_by(&stage, &[("login_hint", "x@stolen.test")]).await,
        Led::LoginPage
    );
    // Nor does the domain lead there any longer than it is proven.
    let hint = [("login_hint", "hank@globex.test")];
    assert_eq!(led_by(&stage, &hint).await, Led::Organisation("globex"));
    stage
        .act(|conn| tenant_domains::remove(conn, &ctx, &all, "globex", "globex.test"))
        .unwrap();
    assert_eq!(led_by(&stage, &hint).await, Led::LoginPage);
    // The pool's own connection is the operator's word, as it has always been.
    stage
        .act(|conn| tenants::give_connection(conn, &ctx, "globex-okta", None))
        .unwrap();
    assert_eq!(led_by(&stage, &hint).await, Led::Organisation("globex"));
}

#[actix_web::test]
async fn of_several_connections_the_person_chooses() {
    let stage = stage().await;
    prove(&stage, "acme", "acme.example", false);
    give(&stage, "globex-okta", "acme");
    let mut browser = stage.browser();
    let authorize = stage.authorize(&[("login_hint", "ada@acme.example")]);
    let page = browser.visit(&authorize).await.expect(200);
    assert_eq!(offered(&page), ["acme-okta", "globex-okta"]);
    assert!(page.shows("several ways to sign in"), "{page:?}");
    assert!(Form::of(&page.body).is_none(), "nothing but the choice: {page:?}");
    let href = links(&page.body)
        .into_iter()
        .find(|href| href.contains("identity_provider=globex-okta"))
        .unwrap();
    let onward = browser.open(&href).await.expect(302);
    assert!(onward.location().starts_with(&stage.globex.issuer()));
    assert_eq!(
        location_param(&onward, "login_hint").as_deref(),
        Some("ada@acme.example")
    );
    // By the tenant's code it is the same choice; one that is switched off is none.
    let page = stage
        .browser()
        .visit(&stage.authorize(&[("tenantCode", "acme")]))
        .await
        .expect(200);
    assert_eq!(offered(&page), ["acme-okta", "globex-okta"]);
    stage.change_provider("acme-okta", |row| row.enabled = false);
    let led = led_by(&stage, &[("login_hint", "ada@acme.example")]).await;
    assert_eq!(led, Led::Organisation("globex"));
}

#[actix_web::test]
async fn a_session_answers_for_its_own_person_among_several_connections_too() {
    let stage = stage().await;
    prove(&stage, "acme", "acme.example", false);
    give(&stage, "globex-okta", "acme");
    stage
        .acme
        .change_person("ada@acme.test", |person| person.email = "ada@acme.example".into());
    let mut browser = stage.signed_in("ada@acme.test").await;
    let led = ask(&stage, &mut browser, &[("login_hint", "ada@acme.example")]).await;
    assert_eq!(led, Led::Code);
    let led = ask(&stage, &mut browser, &[("login_hint", "grace@acme.example")]).await;
    assert_eq!(led, Led::LoginPage, "somebody else is asked for");
    let page = browser
        .visit(&stage.authorize(&[("login_hint", "grace@acme.example")]))
        .await
        .expect(200);
    assert_eq!(
        offered(&page),
        ["acme-okta", "globex-okta"],
        "and that session is not taken"
    );
}

#[actix_web::test]
async fn a_stranger_cannot_tell_domains_that_are_not_live_from_unknown_ones() {
    let stage = stage().await;
    stage.change_web_client(|settings| settings.email_first = true);
    let ctx = stage.ctx();
    let all = Reach::everything();
    prove(&stage, "acme", "acme0.test", false);
    // Proven, but of a tenant whose only connection is off; claimed, but not proven; of another app's tenant.
    stage.change_provider("globex-okta", |row| row.enabled = false);
    stage
        .act(|conn| tenant_domains::claim(conn, &ctx, &all, "acme", "claim.test", false))
        .unwrap();
    stage
        .act(|conn| tenants::set_clients(conn, &ctx, &all, "acme", vec![forebay::demo::SPA_CLIENT.into()]))
        .unwrap();
    // The random parts of a page, and what was typed, apart.
    let bare = |answer: Answer, domain: &str| (answer.status, answer.body.replace(domain, "-"));
    let unknown = bare(typed(&stage, "ada@nobody.test").await, "nobody.test");
    assert_eq!(unknown.0, 200);
    for domain in ["globex.test", "claim.test", "acme0.test", "acme.test"] {
        let answer = bare(typed(&stage, &format!("ada@{domain}")).await, domain);
        assert_eq!(answer, unknown, "{domain}");
    }
    // The request itself is answered alike, too, and the page has no customer's name on it.
    let hinted = |domain: &'static str| stage.authorize(&[("login_hint", &format!("ada@{domain}"))]);
    let location = |answer: Answer, domain: &str| (answer.status, answer.location().replace(domain, "-"));
    let unknown = location(stage.get(&hinted("nobody.test")).await, "nobody.test");
    for domain in ["globex.test", "claim.test", "acme.test"] {
        assert_eq!(
            location(stage.get(&hinted(domain)).await, domain),
            unknown,
            "{domain}"
        );
    }
    let page = typed(&stage, "ada@nobody.test").await;
    assert!(!page.shows("acme") && !page.shows("globex"), "{page:?}");
}

#[actix_web::test]
async fn where_the_address_is_asked_first_tenants_connections_have_no_button() {
    let stage = stage().await;
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    assert_eq!(offered(&stage.get(&login).await), ["acme-okta", "globex-okta"]);
    stage.change_web_client(|settings| settings.email_first = true);
    let page = stage.get(&login).await.expect(200);
    assert!(
        offered(&page).is_empty() && Form::of(&page.body).is_some(),
        "{page:?}"
    );
    assert_eq!(
        typed(&stage, "ada@acme.test").await.status,
        303,
        "its people still get there"
    );
}

#[actix_web::test]
async fn an_unknown_address_falls_through_to_the_password() {
    let stage = stage().await;
    stage.change_web_client(|settings| settings.providers.push("COGNITO".into()));
    let page = typed(&stage, "nell@nobody.test").await.expect(200);
    let form = Form::to(&page.body, "/login/password");
    assert!(
        form.fields
            .contains(&("username".into(), "nell@nobody.test".into())),
        "{form:?}"
    );
}

#[actix_web::test]
async fn a_tenant_may_let_its_people_into_some_apps_only() {
    let stage = stage().await;
    let (ctx, all) = (stage.ctx(), Reach::everything());
    let set = |clients: &[&str]| {
        let clients = clients.iter().map(|id| (*id).to_owned()).collect();
        stage.act(|conn| tenants::set_clients(conn, &ctx, &all, "acme", clients))
    };
    set(&[forebay::demo::SPA_CLIENT]).unwrap();
    for fields in [
        ("identity_provider", "acme-okta"),
        ("login_hint", "ada@acme.test"),
    ] {
        assert_eq!(led_by(&stage, &[fields]).await, Led::LoginPage, "{fields:?}");
    }
    set(&[WEB_CLIENT]).unwrap();
    let led = led_by(&stage, &[("login_hint", "ada@acme.test")]).await;
    assert_eq!(led, Led::Organisation("acme"));
    assert!(set(&["nobodys-client"]).is_err());
}

#[actix_web::test]
async fn decision_6_addresses_are_verified_within_the_tenants_domains_alone() {
    let stage = stage().await;
    let verified = async |stage: &Stage| {
        let tokens = stage.tokens_for("ada@acme.test", &[]).await;
        let claims = claims(&tokens.id.unwrap());
        (claims["email"].clone(), claims["email_verified"].clone())
    };
    assert_eq!(verified(&stage).await, ("ada@acme.test".into(), true.into()));
    let call_her = |address: &str| {
        let address = address.to_owned();
        stage
            .acme
            .change_person("ada@acme.test", |person| person.email = address);
    };
    call_her("ada@globex.test");
    assert_eq!(verified(&stage).await, ("ada@globex.test".into(), false.into()));
    call_her("ada@acme.test");
    assert_eq!(verified(&stage).await, ("ada@acme.test".into(), true.into()));
    let ctx = stage.ctx();
    stage
        .act(|conn| tenant_domains::remove(conn, &ctx, &Reach::everything(), "acme", "acme.test"))
        .unwrap();
    assert_eq!(verified(&stage).await, ("ada@acme.test".into(), false.into()));
    // The operator's own connection is trusted as it was.
    stage
        .act(|conn| tenants::give_connection(conn, &ctx, "acme-okta", None))
        .unwrap();
    assert_eq!(verified(&stage).await, ("ada@acme.test".into(), true.into()));
}
