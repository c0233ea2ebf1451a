//! The staged check on a page: each stage with its remedy, and nothing of the secret.

use forebay::demo::okta::{Endpoint, KeysFault, MetadataFault, Transport, Trouble};

use super::{ACME_ADMIN, APP, SECRET, press};
use crate::support::{Answer, Stage};

const PATH: &str = "/console/connections/acme-okta/check";

async fn check(stage: &Stage) -> Answer {
    let mut browser = stage.console(ACME_ADMIN);
    press(&mut browser, PATH, PATH).await.expect(200)
}

#[actix_web::test]
async fn a_good_connection_passes_stage_by_stage() {
    let stage = Stage::new().await;
    let page = check(&stage).await;
    let order = [
        "Name resolution",
        "Network connection",
        "Discovery document",
        "Issuer",
        "Signing keys",
        "Client ID",
        "Client credentials",
        "Sign-in redirect URI",
        "Clock",
        "Every stage passed",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|title| {
            page.body
                .rfind(title)
                .unwrap_or_else(|| panic!("{title}: {page:?}"))
        })
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(page.body.trim_end().ends_with("</html>"), "the page is whole");
    assert!(!page.body.contains("<!-- "), "nothing of its seams is left");
    assert!(!page.body.contains(SECRET));
}

#[actix_web::test]
async fn each_fault_is_named_with_what_to_do() {
    type Break = fn(&Stage);
    let wrong: [(&str, &str, Break); 6] = [
        ("CLIENT_AUTH_FAILED", "secret", |stage| {
            stage
                .acme
                .change_app(APP, |app| app.secrets = vec!["another-secret-000000001".into()]);
        }),
        ("CLIENT_UNKNOWN", "Copy the client ID", |stage| {
            stage.change_provider("acme-okta", |row| {
                row.settings.client_id = "0oa9nobody0000000001".into()
            });
        }),
        ("REDIRECT_URI_NOT_ALLOWED", "add exactly this", |stage| {
            stage.acme.change_app(APP, |app| {
                app.redirect_uris = vec!["https://elsewhere.test/".into()]
            });
        }),
        ("ISSUER_MISMATCH", "ssuer", |stage| {
            stage.acme.set_faults(|faults| {
                faults.discovery = vec![MetadataFault::Issuer("https://evil.test".into())];
            });
        }),
        ("JWKS_FETCH_FAILED", "key", |stage| {
            stage
                .acme
                .set_faults(|faults| faults.keys = vec![KeysFault::Empty]);
        }),
        ("provider_unavailable", "", |stage| {
            stage.acme.set_faults(|faults| {
                let broken = Transport::trouble(Trouble::ServerError);
                faults.transport.insert(Endpoint::Discovery, broken);
            });
        }),
    ];
    for (code, remedy, breaks) in wrong {
        let stage = Stage::new().await;
        breaks(&stage);
        let page = check(&stage).await;
        assert!(page.shows(code), "{code}: {page:?}");
        assert!(page.shows(remedy), "{code}: {page:?}");
        assert!(
            page.shows("failed.") && !page.shows("Every stage passed"),
            "{code}: {page:?}"
        );
        assert!(!page.body.contains(SECRET));
    }
}

#[actix_web::test]
async fn what_the_upstream_says_is_text() {
    let stage = Stage::new().await;
    stage.acme.set_faults(|faults| {
        faults.discovery = vec![MetadataFault::Issuer(
            "<script>alert(1)</script><!-- verdict -->".into(),
        )];
    });
    let page = check(&stage).await;
    assert!(page.shows("ISSUER_MISMATCH"), "{page:?}");
    assert!(!page.body.contains("<script>alert"), "{page:?}");
    assert_eq!(page.body.matches("role=\"status\"").count(), 1, "{page:?}");
}

#[actix_web::test]
async fn the_page_leads_to_what_okta_itself_has_logged_about_the_app() {
    let stage = Stage::new().await;
    let mut browser = stage.console(ACME_ADMIN);
    let path = "/console/connections/acme-okta";
    let page = browser.open(path).await.expect(200);
    assert!(
        !page.body.contains("system_log_2"),
        "the stand-in has none: {page:?}"
    );
    stage.change_provider("acme-okta", |row| {
        row.issuer = "https://acme.okta.com/oauth2/default".into()
    });
    let page = browser.open(path).await.expect(200);
    let expected = format!("https://acme-admin.okta.com/report/system_log_2?search=target.id+eq+%22{APP}%22");
    assert!(page.shows(&expected), "{page:?}");
}
