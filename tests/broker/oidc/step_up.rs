//! Step-up: how strongly and how lately somebody must have signed in. What an app client requires is essential; what a
//! request wishes for goes on to the organisation, and the tokens say what came of it (OIDC Core §3.1.2.1).

use forebay::demo::okta::IdTokenFault;
use serde_json::{Value, json};

use super::led::{Led, ask, error};
use crate::native::form::{enter, offer};
use crate::support::{NOW, PASSWORD, Stage, Tokens, assert_refused, claims, location_param, query_of};

const STRONG: &str = "urn:okta:loa:2fa:any";
const WEAK: &str = "urn:okta:loa:1fa:any";

fn require(stage: &Stage, values: &[&str]) {
    stage.change_web_client(|settings| {
        settings.requires_acr = values.iter().map(|value| (*value).to_owned()).collect();
    });
}

async fn acr_of(stage: &Stage, code: &str) -> Value {
    let tokens = Tokens::of(&stage.exchange(code, &[]).await.expect(200));
    let (id, access) = (claims(tokens.id.as_deref().unwrap()), claims(&tokens.access));
    assert_eq!(id["acr"], access["acr"], "both say the same");
    id["acr"].clone()
}

#[actix_web::test]
async fn an_app_s_required_acr_is_asked_for_and_a_weaker_session_is_not_taken() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    require(&stage, &[STRONG]);
    assert_eq!(ask(&stage, &mut ada, &[]).await, Led::LoginPage, "a fresh leg");
    let none = [("prompt", "none")];
    assert_eq!(ask(&stage, &mut ada, &none).await, error("login_required"));
    let away = ada
        .open(&stage.authorize(&[("identity_provider", "acme-okta")]))
        .await;
    assert_eq!(location_param(&away, "acr_values").as_deref(), Some(STRONG));
    // Of what the request wishes for, only what will do is asked for.
    let wish = format!("{WEAK} {STRONG}");
    let fields = [("identity_provider", "acme-okta"), ("acr_values", wish.as_str())];
    let away = ada.open(&stage.authorize(&fields)).await;
    assert_eq!(location_param(&away, "acr_values").as_deref(), Some(STRONG));
    let code = stage.code_for("ada@acme.test", &[]).await;
    assert_eq!(acr_of(&stage, &code).await, STRONG);
    // The session that came of it will do from now on.
    let mut ada = stage.signed_in("ada@acme.test").await;
    assert_eq!(ask(&stage, &mut ada, &[]).await, Led::Code);
}

#[actix_web::test]
async fn an_answer_without_the_required_acr_is_refused() {
    let stage = Stage::new().await;
    require(&stage, &[STRONG]);
    for acr in [json!(WEAK), json!(null)] {
        stage.acme.set_faults(|faults| {
            faults.id_token = vec![IdTokenFault::Set([("acr".to_owned(), acr)].into_iter().collect())];
        });
        let page = stage
            .browser()
            .sign_in("ada@acme.test", &stage.authorize(&[]))
            .await;
        page.is_page(403, "acr_not_met");
        let trace = stage.trace(&page.trace_code().unwrap());
        let failed: Vec<_> = trace.story.steps.iter().filter(|step| !step.passed).collect();
        assert_eq!(failed[0].name, "id_token.acr");
    }
}

#[actix_web::test]
async fn what_a_request_wishes_for_is_passed_on_and_told_truthfully() {
    let stage = Stage::new().await;
    let code = stage.code_for("ada@acme.test", &[("acr_values", STRONG)]).await;
    assert_eq!(acr_of(&stage, &code).await, STRONG);
    // The organisation may know nothing of it: a wish is no condition, and nothing is claimed that was not said.
    for acr in [json!(WEAK), json!(null)] {
        let said = acr.clone();
        stage.clock.advance(60);
        stage.acme.set_faults(|faults| {
            faults.id_token = vec![IdTokenFault::Set(
                [("acr".to_owned(), said)].into_iter().collect(),
            )];
        });
        let code = stage.code_for("ada@acme.test", &[("acr_values", STRONG)]).await;
        assert_eq!(acr_of(&stage, &code).await, acr);
        let trace = stage.traces().remove(0);
        let step = trace
            .story
            .steps
            .iter()
            .find(|step| step.name == "acr")
            .expect("a step");
        assert!(step.passed && step.detail.contains(STRONG), "{}", step.detail);
    }
}

#[actix_web::test]
async fn tokens_of_a_weaker_sign_in_end_when_more_is_required() {
    let stage = Stage::new().await;
    let weak = stage.tokens_for("ada@acme.test", &[]).await;
    let strong = stage.tokens_for("ada@acme.test", &[("acr_values", STRONG)]).await;
    require(&stage, &[STRONG]);
    assert_refused(&stage.refresh(&weak.refresh.unwrap()).await, 400, "invalid_grant");
    let refreshed = Tokens::of(&stage.refresh(&strong.refresh.unwrap()).await.expect(200));
    assert_eq!(
        claims(refreshed.id.as_deref().unwrap())["acr"],
        STRONG,
        "M-75: as of the login"
    );
}

#[actix_web::test]
async fn a_password_of_ours_has_no_acr() {
    let stage = Stage::new().await;
    offer(&stage);
    stage.native_user("grace", PASSWORD).await;
    require(&stage, &[STRONG]);
    let mut browser = stage.browser();
    let page = enter(&mut browser, &stage.authorize(&[]), "grace", PASSWORD).await;
    page.is_page(403, "acr_not_met");
    assert_eq!(browser.cookie("__Host-session-"), None);
}

#[actix_web::test]
async fn max_age_is_held_against_the_organisation_s_auth_time() {
    let stage = Stage::new().await;
    let mut ada = stage.signed_in("ada@acme.test").await;
    stage.clock.advance(3_000);
    let fields = [("max_age", "300"), ("identity_provider", "acme-okta")];
    let away = ada.open(&stage.authorize(&fields)).await.expect(302);
    assert_eq!(location_param(&away, "max_age").as_deref(), Some("300"));
    // An organisation that lets an old session answer all the same is not believed.
    stage.acme.set_faults(|faults| {
        let old = json!(NOW.0);
        faults.id_token = vec![IdTokenFault::Set(
            [("auth_time".to_owned(), old)].into_iter().collect(),
        )];
    });
    let page = stage
        .browser()
        .sign_in("ada@acme.test", &stage.authorize(&[("max_age", "300")]))
        .await;
    page.is_page(502, "AUTH_TIME_TOO_OLD");
    let back = stage
        .browser()
        .sign_in("ada@acme.test", &stage.authorize(&[("max_age", "3600")]))
        .await;
    assert!(query_of(back.location(), "code").is_some(), "{back:?}");
}
