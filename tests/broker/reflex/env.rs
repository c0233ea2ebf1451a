//! The three lines of an app made for Okta: pasted into the console to make a connection, written for an app that comes here,
//! and one Okta app in two connections.

use forebay::demo::WEB_CLIENT;

use crate::support::{Form, Stage};

const OPERATOR: &str = "operator@forebay.test";

#[actix_web::test]
async fn reflex_4_and_13_a_pasted_env_fills_the_credentials_and_a_client_id_of_two_is_told() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    let path = "/console/connections/globex-okta/credentials";
    let page = browser.open(path).await.expect(200);
    let form = Form::to(&page.body, path);
    let env = |issuer: &str| {
        format!(
            "OKTA_CLIENT_ID=0oa1forebayacme00000\nOKTA_CLIENT_SECRET='canary-of-the-env'\nOKTA_ISSUER_URI={issuer}\n"
        )
    };
    let others = env(&stage.acme.issuer());
    let refused = browser.submit(&form, &[("env", &others)]).await.expect(422);
    assert!(refused.shows("Change where it leads first"), "{refused:?}");
    assert!(!refused.body.contains("canary-of-the-env"), "{refused:?}");
    let nothing = browser.submit(&form, &[("env", "PORT=3000")]).await.expect(422);
    assert!(nothing.shows("has none of OKTA_CLIENT_ID"), "{nothing:?}");
    let own = env(&stage.globex.issuer());
    browser.submit(&form, &[("env", &own)]).await.expect(200);
    let saved = stage.broker.connection("globex-okta").await.unwrap().unwrap();
    assert_eq!(saved.provider.settings.client_id, "0oa1forebayacme00000");
    assert_eq!(
        saved.client_secret.as_ref().unwrap().as_str(),
        "canary-of-the-env"
    );

    // It is acme's, and both connections say so.
    for (here, there) in [("globex-okta", "acme-okta"), ("acme-okta", "globex-okta")] {
        let shown = browser
            .open(&format!("/console/connections/{here}"))
            .await
            .expect(200);
        assert!(shown.shows("The same client ID is used by"), "{shown:?}");
        assert!(
            shown.body.contains(&format!("/console/connections/{there}\">")),
            "{shown:?}"
        );
    }
    // But nobody learns of a connection that they cannot see.
    let mut tenants = stage.console("admin@acme.test");
    let shown = tenants.open("/console/connections/acme-okta").await.expect(200);
    assert!(!shown.body.contains("globex"), "{shown:?}");
}

#[actix_web::test]
async fn an_app_clients_page_has_its_env() {
    let stage = Stage::new().await;
    let mut browser = stage.console(OPERATOR);
    let page = browser
        .open(&format!("/console/clients/{WEB_CLIENT}"))
        .await
        .expect(200);
    let issuer = stage.issuer();
    assert!(
        page.shows(&format!(
            "OKTA_ISSUER_URI={issuer}\nOKTA_CLIENT_ID={WEB_CLIENT}\nOKTA_CLIENT_SECRET=\n"
        )),
        "{page:?}"
    );
}
