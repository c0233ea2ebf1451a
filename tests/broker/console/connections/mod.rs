//! Connections in the console: the wizard from a typed domain to being live, test sign-ins, two client secrets, and who
//! may see and do any of it.

mod check;
mod drafts;
mod provisioning;
mod reach;
mod secrets;
mod test_sign_in;
mod token_in;
mod wizard;

use forebay::demo::okta::App;
use forebay::demo::{WEB_CLIENT, okta};
use forebay::model::provider::{self, Provider};

use crate::support::{Answer, Browser, Form, PUBLIC_URL, Stage, links};

pub const OPERATOR: &str = "operator@forebay.test";
pub const ACME_ADMIN: &str = "admin@acme.test";
pub const GLOBEX_ADMIN: &str = "admin@globex.test";
/// The broker's app at acme, as the demo registers it, and its secret.
pub const APP: &str = "0oa1forebayacme00000";
pub const SECRET: &str = "demo-secret-of-forebay-at-acme-000000000001";
/// A second app at acme, for a connection that the wizard makes.
pub const NEW_APP: &str = "0oa2wizard0000000001";
pub const NEW_SECRET: &str = "canary-secret-of-the-wizards-app-00000001";

pub fn connection(stage: &Stage, id: &str) -> Provider {
    stage.act(|conn| {
        provider::find(conn, id)
            .unwrap()
            .unwrap_or_else(|| panic!("no connection {id}"))
    })
}

/// Opens a page and sends the form on it that goes to that path.
pub async fn fill(browser: &mut Browser<'_>, path: &str, fields: &[(&str, &str)]) -> Answer {
    let page = browser.open(path).await.expect(200);
    browser.submit(&Form::to(&page.body, path), fields).await
}

/// The button of a page that is a form of its own.
pub async fn press(browser: &mut Browser<'_>, page: &str, action: &str) -> Answer {
    let page = browser.open(page).await.expect(200);
    browser.submit(&Form::to(&page.body, action), &[]).await
}

/// Makes a draft that leads to acme's org server, as this administrator; gives its id.
pub async fn draft(stage: &Stage, browser: &mut Browser<'_>, name: &str) -> String {
    let issuer = stage.acme.issuer();
    // A tenant's administrator has one place, an operator chooses this one.
    let fields = [("domain", issuer.as_str()), ("place", "tenant:acme")];
    let first = fill(browser, "/console/connections/new", &fields).await;
    let form = Form::to(&first.body, "/console/connections/new");
    let made = browser
        .submit(&form, &[("issuer", &issuer), ("name", name)])
        .await
        .expect(200);
    assert!(made.shows("draft"), "{made:?}");
    name.to_owned()
}

/// Makes the app at acme that the wizard's page asks for.
pub fn register(stage: &Stage, id: &str) {
    stage.acme.add_app(App {
        client_id: NEW_APP.into(),
        secrets: vec![NEW_SECRET.into()],
        auth: okta::ClientAuth::ClientSecretBasic,
        redirect_uris: vec![format!("{PUBLIC_URL}/oauth2/idpresponse/{id}")],
        label: "Forebay".into(),
        assigned: vec!["ada@acme.test".into()],
        groups_claim: true,
        ..App::default()
    });
}

/// Enters client id and secret of that app.
pub async fn enter_credentials(browser: &mut Browser<'_>, id: &str, secret: &str) -> Answer {
    let path = format!("/console/connections/{id}/credentials");
    let fields = [("client_id", NEW_APP), ("client_secret", secret)];
    fill(browser, &path, &fields).await
}

/// A test sign-in as a browser makes it: the console's cookie is `SameSite=Strict` and stays away from what begins at the
/// organisation. Gives the last page: the result, or what stood in its way.
pub async fn test_sign_in(browser: &mut Browser<'_>, id: &str, person: &str) -> Answer {
    let path = format!("/console/connections/{id}/test-sign-in");
    let onward = press(browser, &path, &path).await;
    if onward.status != 200 {
        return onward;
    }
    let mut console = browser.cookies();
    console.retain(|(name, _)| name.starts_with("__Host-console"));
    browser.forget_cookies("__Host-console");
    let mut page = browser.visit(&first_link(&onward)).await;
    if browser.at_organisation() && page.body.contains("<form") {
        page = browser.enter(&page, person).await;
    }
    for (name, value) in console {
        browser.set_cookie(&name, &value);
    }
    if browser.at_organisation() {
        return page;
    }
    let result = first_link(&page);
    assert!(result.starts_with(&path), "{page:?}");
    browser.open(&result).await
}

pub fn first_link(page: &Answer) -> String {
    links(&page.body)
        .into_iter()
        .find(|href| !href.starts_with('#'))
        .unwrap_or_else(|| panic!("no link: {page:?}"))
}

/// The sample app offers that connection, and this one alone.
pub fn offer_only(stage: &Stage, name: &str) {
    stage.change_client(WEB_CLIENT, |client| client.settings.providers = vec![name.into()]);
}
