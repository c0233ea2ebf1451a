//! An app that more connections lead to than a person could choose from: the login page asks for the address, and everything
//! that names a connection leads to it as it does where there are two.

use forebay::demo::{OPERATOR, POOL};
use forebay::model::tenant::{self, Tenant};
use forebay::model::tenant_domain::{self, Proof, TenantDomain};
use forebay::model::{provider, tenant::Settings};

use super::led::{Led, ask};
use crate::support::{Answer, Form, NOW, Stage, claims, links, query_of};

const TENANTS: usize = 120;

/// The demo, and so many more tenants, each with a proven domain and a live connection that the app lists.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    stage.act(|conn| {
        let model = provider::find(conn, "globex-okta").unwrap().unwrap();
        for number in 0..TENANTS {
            let id = format!("tenant-{number}");
            let row = Tenant {
                id: id.clone(),
                user_pool_id: POOL.into(),
                name: id.clone(),
                settings: forebay::db::Json(Settings::default()),
                created_at: NOW,
                updated_at: NOW,
            };
            assert!(tenant::insert(conn, &row).unwrap());
            let domain = TenantDomain {
                tenant_id: id.clone(),
                domain: format!("customer-{number}.test"),
                user_pool_id: POOL.into(),
                subdomains: number == 7,
                token: String::new(),
                proof: Proof::Asserted,
                proven_at: Some(NOW),
                checked_at: None,
                seen_at: None,
                lost_since: None,
                finding: String::new(),
                created_at: NOW,
                updated_at: NOW,
            };
            assert!(tenant_domain::insert(conn, &domain).unwrap());
            let mut connection = model.clone();
            connection.id = format!("okta-{number}");
            connection.name.clone_from(&connection.id);
            connection.tenant_id = Some(id);
            // Sealed for the model's own id.
            connection.client_secret_sealed = None;
            assert!(provider::insert(conn, &connection).unwrap());
        }
    });
    stage.change_web_client(|settings| {
        settings
            .providers
            .extend((0..TENANTS).map(|number| format!("okta-{number}")));
    });
    stage
}

/// The connections that a page has buttons of.
fn offered(page: &Answer) -> Vec<String> {
    let of = |href: String| query_of(&href, "identity_provider");
    links(&page.body).into_iter().filter_map(of).collect()
}

/// The connection that an authorization request with these fields is sent on from.
async fn connection(stage: &Stage, fields: &[(&str, &str)]) -> Option<String> {
    let answer = stage.browser().open(&stage.authorize(fields)).await.expect(302);
    let callback = query_of(answer.location(), "redirect_uri")?;
    Some(callback.rsplit_once("/oauth2/idpresponse/")?.1.to_owned())
}

#[actix_web::test]
async fn the_login_page_asks_for_the_address_and_has_no_customer_on_it() {
    let stage = stage().await;
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    let page = stage.get(&login).await.expect(200);
    assert_eq!(offered(&page), [""; 0]);
    assert!(
        page.body.contains("name=\"email\"") && page.body.len() < 50_000,
        "{page:?}"
    );
    // What is nobody's customer keeps its button, also beside a page full of others'.
    stage.change_provider("acme-okta", |row| row.tenant_id = None);
    let page = stage.get(&login).await.expect(200);
    assert_eq!(offered(&page), ["acme-okta"]);
    let form = Form::to(&page.body, "/login");
    let mut browser = stage.browser();
    browser.open(&login).await.expect(200);
    let mut fields = form.fields;
    fields.retain(|(name, _)| name != "email");
    fields.push(("email".into(), "ada@customer-77.test".into()));
    let query = forebay::rules::params::encode(fields);
    let onward = browser.open(&format!("/login?{query}")).await.expect(303);
    let onward = browser.open(onward.location()).await.expect(302);
    let callback = query_of(onward.location(), "redirect_uri").unwrap();
    assert!(callback.ends_with("/okta-77"), "{callback}");
}

#[actix_web::test]
async fn whatever_names_a_connection_leads_to_it_and_nothing_else_does() {
    let stage = stage().await;
    for (name, value, expected) in [
        ("login_hint", "ada@customer-3.test", "okta-3"),
        ("login_hint", "ada@eu.customer-7.test", "okta-7"),
        ("login_hint", "ada@acme.test", "acme-okta"),
        ("identity_provider", "okta-119", "okta-119"),
        ("connection", "okta-42", "okta-42"),
        ("tenantCode", "tenant-9", "okta-9"),
        ("tenantCode", "acme.test", "acme-okta"),
        ("idp_identifier", "customer-11.test", "okta-11"),
        ("idp_identifier", "acme.test", "acme-okta"),
    ] {
        let got = connection(&stage, &[(name, value)]).await;
        assert_eq!(got.as_deref(), Some(expected), "{name}={value}");
    }
    let longest = "a.".repeat(700);
    for (name, value) in [
        ("login_hint", "ada@eu.customer-3.test"),
        ("login_hint", "ada@customer-120.test"),
        ("identity_provider", "okta-120"),
        ("connection", "okta-120"),
        ("tenantCode", "tenant-120"),
        ("idp_identifier", longest.as_str()),
    ] {
        let led = ask(&stage, &mut stage.browser(), &[(name, value)]).await;
        assert_eq!(led, Led::LoginPage, "{name}={value}");
    }
    // What is taken off the list, switched off or kept to other apps is gone.
    stage.change_web_client(|settings| settings.providers.retain(|name| name != "okta-3"));
    stage.change_provider("okta-4", |row| row.enabled = false);
    stage.act(|conn| {
        let all = forebay::model::reach::Reach::everything();
        let mut row = tenant::find(conn, &all, "tenant-5").unwrap().unwrap();
        row.settings.clients = vec![forebay::demo::SPA_CLIENT.into()];
        tenant::update(conn, &row).unwrap();
    });
    for number in 3..=5 {
        let hint = format!("ada@customer-{number}.test");
        let led = ask(&stage, &mut stage.browser(), &[("login_hint", &hint)]).await;
        assert_eq!(led, Led::LoginPage, "{hint}");
    }
}

#[actix_web::test]
async fn a_sign_in_lasts_as_long_as_its_connection() {
    let stage = stage().await;
    let mut browser = stage.browser();
    let hint = [("login_hint", "ada@acme.test")];
    let back = browser.sign_in("ada@acme.test", &stage.authorize(&hint)).await;
    let code = query_of(back.location(), "code").unwrap();
    let tokens = stage.exchange(&code, &[]).await.expect(200).json();
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    assert_eq!(claims(&text("id_token"))["custom:tenant_id"], "acme");
    stage.refresh(&text("refresh_token")).await.expect(200);
    stage.userinfo(&text("access_token")).await.expect(200);
    assert_eq!(ask(&stage, &mut browser, &[("prompt", "none")]).await, Led::Code);
    stage.change_provider("acme-okta", |row| row.enabled = false);
    stage.refresh(&text("refresh_token")).await.expect(400);
    stage.userinfo(&text("access_token")).await.expect(401);
    let led = ask(&stage, &mut browser, &[("prompt", "none")]).await;
    assert_eq!(led, super::led::error("login_required"));
}
