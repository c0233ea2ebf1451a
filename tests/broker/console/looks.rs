//! A tenant's own login page: its name, logo, colours and words, at its host and wherever a sign-in has been led to it.

use actix_web::test::TestRequest;
use forebay::actions::{login_pages, tenants};
use forebay::demo::{POOL, WEB_CLIENT};
use forebay::model::audit;
use forebay::web::console::door::COOKIE;

use super::connections::ACME_ADMIN;
use super::rooms::{OTHER_ADMIN, VIEWER, are_not_found, signed_in, stage, want_the_token};
use crate::support::{Answer, Browser, Form, Stage};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nthe rest of a picture";

fn at(tenant: &str) -> String {
    format!("/console/pools/{POOL}/tenants/{tenant}/look")
}

/// Sends the form as a browser does that has a file to send.
async fn send(
    stage: &Stage,
    browser: &mut Browser<'_>,
    fields: &[(&str, &str)],
    logo: Option<&[u8]>,
) -> Answer {
    let page = browser.open(&at("acme")).await.expect(200);
    let mut all = Form::to(&page.body, &at("acme")).fields;
    for (name, value) in fields {
        all.retain(|(known, _)| known != name);
        all.push(((*name).into(), (*value).into()));
    }
    all.retain(|(name, _)| name != "logo");
    upload(stage, browser, &all, logo.unwrap_or_default()).await
}

async fn upload(stage: &Stage, browser: &Browser<'_>, fields: &[(String, String)], logo: &[u8]) -> Answer {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    body.extend_from_slice(
        b"--edge\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"logo.png\"\r\n\
          Content-Type: image/png\r\n\r\n",
    );
    body.extend_from_slice(logo);
    body.extend_from_slice(b"\r\n--edge--\r\n");
    let cookies = browser.cookies();
    let (_, session) = cookies.iter().find(|(name, _)| name == COOKIE).unwrap();
    let request = TestRequest::post()
        .uri(&at("acme"))
        .insert_header(("content-type", "multipart/form-data; boundary=edge"))
        .insert_header(("cookie", format!("{COOKIE}={session}")))
        .set_payload(body);
    stage.send(request).await
}

async fn open(stage: &Stage, host: &str, uri: &str) -> Answer {
    let request = TestRequest::get().uri(uri).insert_header(("host", host));
    stage.send(request).await
}

async fn login_page(stage: &Stage, host: &str) -> Answer {
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    open(stage, host, &login).await.expect(200)
}

/// The addresses of the page's files that somebody has set.
fn files(page: &Answer) -> Vec<String> {
    page.body
        .split('"')
        .filter(|text| text.starts_with("/login/style/"))
        .map(str::to_owned)
        .collect()
}

#[actix_web::test]
async fn a_tenants_administrator_dresses_its_login_page_and_no_other() {
    let stage = stage().await;
    let mut admin = signed_in(&stage, ACME_ADMIN);
    let fields = [
        ("accent", "#ffdd00"),
        ("background", "#0b617a"),
        ("heading", "Welcome, <Acme>"),
        ("introduction", ""),
        ("help", "Ask it@acme.test"),
    ];
    let saved = send(&stage, &mut admin, &fields, Some(PNG)).await.expect(303);
    assert!(saved.location().ends_with("/look?done=saved"), "{saved:?}");

    let page = login_page(&stage, "auth.acme.localhost").await;
    assert!(
        page.shows("Welcome, <Acme>") && page.shows("Ask it@acme.test"),
        "{page:?}"
    );
    assert!(
        page.body.contains("<span>Acme</span>") && !page.shows("Forebay demo"),
        "{page:?}"
    );
    let [style, logo] = files(&page).try_into().unwrap();
    assert!(
        style.starts_with(&format!("/login/style/{WEB_CLIENT}/acme/")),
        "{style}"
    );
    for host in ["auth.acme.localhost", "localhost:8080"] {
        let sheet = open(&stage, host, &style).await.expect(200);
        assert_eq!(sheet.header("content-type"), Some("text/css; charset=utf-8"));
        assert!(
            sheet.body.contains("color: #000; background: #ffdd00"),
            "{sheet:?}"
        );
        let picture = open(&stage, host, &logo).await.expect(200);
        assert_eq!(picture.header("content-type"), Some("image/png"));
        assert_eq!(picture.header("x-content-type-options"), Some("nosniff"));
    }

    // Everybody else's pages are as they were, and know nothing of these files.
    let shared = login_page(&stage, "localhost:8080").await;
    assert!(
        shared.shows("Forebay demo") && files(&shared).is_empty(),
        "{shared:?}"
    );
    let globex = login_page(&stage, "auth.globex.localhost").await;
    assert!(globex.shows("Globex") && !globex.shows("Welcome"), "{globex:?}");
    assert!(files(&globex).is_empty(), "{globex:?}");
    assert_eq!(open(&stage, "auth.globex.localhost", &style).await.status, 404);
    for other in ["globex", "nobody", "%00"] {
        let elsewhere = style.replace("/acme/", &format!("/{other}/"));
        assert_eq!(
            open(&stage, "localhost:8080", &elsewhere).await.status,
            404,
            "{elsewhere}"
        );
    }

    // The audit log has what was set, and not the picture.
    let event = stage.act(|conn| audit::of_target(conn, "acme", 1).unwrap().remove(0));
    assert_eq!(
        (event.action.as_str(), event.actor.as_str()),
        ("tenant.look", "admin:admin@acme.test")
    );
    let told = serde_json::to_string(&event.difference).unwrap();
    assert!(
        told.contains("#ffdd00") && !told.contains("rest of a picture"),
        "{told}"
    );

    // What is emptied is the app's again; the picture stays until somebody takes it away.
    let emptied = fields.map(|(name, _)| (name, ""));
    send(&stage, &mut admin, &emptied, None).await.expect(303);
    let page = login_page(&stage, "auth.acme.localhost").await;
    assert_eq!(files(&page), std::slice::from_ref(&logo));
    let shown = admin.open(&format!("{}/logo", at("acme"))).await.expect(200);
    assert_eq!(shown.header("content-type"), Some("image/png"));
    send(&stage, &mut admin, &[("no_logo", "on")], None)
        .await
        .expect(303);
    let page = login_page(&stage, "auth.acme.localhost").await;
    assert!(files(&page).is_empty() && page.shows("Acme"), "{page:?}");
    assert_eq!(admin.open(&format!("{}/logo", at("acme"))).await.status, 404);
}

#[actix_web::test]
async fn the_tenants_look_stands_over_the_apps_piece_by_piece() {
    let stage = stage().await;
    let ctx = stage.ctx();
    let css = ".submitButton-customizable { background-color: #123456; }";
    stage.act(|conn| {
        login_pages::customize(conn, &ctx, POOL, Some(WEB_CLIENT), css.into(), Some(PNG.to_vec())).unwrap()
    });
    let mut admin = signed_in(&stage, ACME_ADMIN);
    send(&stage, &mut admin, &[("accent", "#ffdd00")], None)
        .await
        .expect(303);
    let page = login_page(&stage, "auth.acme.localhost").await;
    let [of_app, of_tenant, logo] = files(&page).try_into().unwrap();
    assert!(
        !of_app.contains("/acme/") && of_tenant.contains("/acme/"),
        "{page:?}"
    );
    assert!(
        !logo.contains("/acme/"),
        "the app's picture where the tenant has none: {page:?}"
    );
    let sheet = open(&stage, "auth.acme.localhost", &of_app).await.expect(200);
    assert!(sheet.body.contains("#123456"), "{sheet:?}");
    // The app's own file is not the tenant's.
    let wrong = of_app.replace(&format!("/{WEB_CLIENT}/"), &format!("/{WEB_CLIENT}/acme/"));
    assert_eq!(open(&stage, "auth.acme.localhost", &wrong).await.status, 404);
}

#[actix_web::test]
async fn a_sign_in_that_was_led_to_the_tenant_sees_it_at_the_shared_host() {
    let stage = stage().await;
    let ctx = stage.ctx();
    let mut admin = signed_in(&stage, ACME_ADMIN);
    send(&stage, &mut admin, &[("heading", "Welcome to Acme")], None)
        .await
        .expect(303);
    stage
        .act(|conn| tenants::give_connection(conn, &ctx, "globex-okta", Some("acme")))
        .unwrap();
    let led = stage.authorize(&[("tenantCode", "acme")]);
    let page = stage.browser().visit(&led).await.expect(200);
    assert!(page.shows("several ways to sign in"), "{page:?}");
    assert!(
        page.shows("Welcome to Acme") && page.body.contains("<span>Acme</span>"),
        "{page:?}"
    );
    let page = login_page(&stage, "localhost:8080").await;
    assert!(!page.shows("Welcome to Acme"), "{page:?}");
}

#[actix_web::test]
async fn what_cannot_be_shown_is_refused_at_its_field() {
    let stage = stage().await;
    let mut admin = signed_in(&stage, ACME_ADMIN);
    let long = "x".repeat(81);
    for (field, value, why) in [
        ("accent", "red; } body { display: none", "such as #0b617a"),
        ("background", "url(https://evil.test)", "such as #0b617a"),
        ("heading", long.as_str(), "1 to 80 characters"),
        ("help", "a\u{202e}b", "plain text in one line"),
    ] {
        let page = send(&stage, &mut admin, &[(field, value)], None)
            .await
            .expect(422);
        assert!(
            page.body.contains(&format!("id=\"{field}-error\"")) && page.shows(why),
            "{page:?}"
        );
    }
    let large = [PNG, &[0; 102_400]].concat();
    for (logo, why) in [
        (&b"<svg onload=alert(1)>"[..], "neither a PNG nor a JPEG"),
        (&large, "100 KB"),
    ] {
        let page = send(&stage, &mut admin, &[], Some(logo)).await.expect(422);
        assert!(
            page.body.contains("id=\"logo-error\"") && page.shows(why),
            "{page:?}"
        );
    }
    let page = login_page(&stage, "auth.acme.localhost").await;
    assert!(files(&page).is_empty(), "nothing of it was kept: {page:?}");
}

#[actix_web::test]
async fn it_is_for_whoever_has_the_tenant() {
    let stage = stage().await;
    let (own, others) = (at("acme"), at("globex"));
    are_not_found(&stage, &[ACME_ADMIN], &[&others], &[&others]).await;
    are_not_found(&stage, &[OTHER_ADMIN], &[&own], &[&own]).await;
    are_not_found(&stage, &[VIEWER], &[], &[&own]).await;
    want_the_token(&stage, &[&own]).await;
    let admin = signed_in(&stage, ACME_ADMIN);
    let forged = [("csrf".to_owned(), "AAAA".to_owned())];
    assert_eq!(upload(&stage, &admin, &forged, PNG).await.status, 403);
    let mut viewer = signed_in(&stage, VIEWER);
    let page = viewer.open(&own).await.expect(200);
    assert!(!page.body.contains("multipart"), "{page:?}");
}
