//! What the metadata lists, works: every endpoint, response type and mode, grant, way to authenticate, prompt, language,
//! scope and claim of the document is used here, read from the document itself.

use forebay::demo::{MACHINE_CLIENT, MACHINE_SECRET, POOL, SPA_CLIENT};
use forebay::model::client::Flow;
use forebay::model::{group, user};
use forebay::rules::token_in;
use serde_json::{Value, json};

use crate::support::{Answer, NOW, Stage, Tokens, basic, claims, path_of, query_of};
use crate::token_in as brought;

async fn configuration(stage: &Stage) -> Value {
    let path = format!("/{POOL}/.well-known/openid-configuration");
    stage.get(&path).await.expect(200).json()
}

fn strings(document: &Value, name: &str) -> Vec<String> {
    let list = document[name].as_array().unwrap_or_else(|| panic!("{name}"));
    list.iter()
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

#[actix_web::test]
async fn every_endpoint_of_the_document_is_there() {
    let stage = Stage::new().await;
    let document = configuration(&stage).await;
    for (name, value) in document.as_object().unwrap() {
        if name.ends_with("_endpoint") || name.ends_with("_uri") {
            let path = path_of(value.as_str().unwrap());
            let (got, posted) = (
                stage.get(&path).await,
                stage.post(&path, &[], &[("x", "y")]).await,
            );
            assert!(got.status != 404 && posted.status != 404, "{name}");
            assert!(got.status != 405 || posted.status != 405, "{name}");
        }
    }
}

/// The fields of an authorization response, wherever they travel.
fn field(answer: &Answer, name: &str) -> Option<String> {
    match answer.header("location") {
        Some(location) => query_of(location, name),
        None => crate::support::Form::of(&answer.body)?
            .fields
            .into_iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value),
    }
}

#[actix_web::test]
async fn every_response_type_and_mode_works() {
    let stage = Stage::new().await;
    stage.change_web_client(|settings| settings.flows = vec![Flow::Code, Flow::Implicit]);
    let document = configuration(&stage).await;
    for response_type in strings(&document, "response_types_supported") {
        for mode in strings(&document, "response_modes_supported") {
            let mut changes = vec![
                ("response_type", response_type.as_str()),
                ("response_mode", mode.as_str()),
            ];
            if response_type == "token" {
                changes.extend([("code_challenge", ""), ("code_challenge_method", "")]);
                if mode == "query" {
                    // Tokens never travel in a query; the pair is no value of the document.
                    continue;
                }
            }
            let mut browser = stage.browser();
            let back = browser.sign_in("ada@acme.test", &stage.authorize(&changes)).await;
            assert_eq!(
                field(&back, "iss"),
                Some(stage.issuer()),
                "{response_type} {mode}: {back:?}"
            );
            assert_eq!(field(&back, "state").as_deref(), Some("st"));
            match mode.as_str() {
                "form_post" => assert_eq!(back.status, 200),
                "fragment" => assert!(back.location().contains('#')),
                _ => assert!(back.location().contains('?')),
            }
            if response_type == "code" {
                stage
                    .exchange(&field(&back, "code").unwrap(), &[])
                    .await
                    .expect(200);
            } else {
                let token = field(&back, "access_token").unwrap();
                stage.userinfo(&token).await.expect(200);
            }
        }
    }
}

#[actix_web::test]
async fn every_grant_type_and_client_authentication_method_works() {
    let stage = Stage::new().await;
    let document = configuration(&stage).await;
    let web = stage.tokens_for("ada@acme.test", &[]).await;
    let refresh = web.refresh.unwrap();
    for grant in strings(&document, "grant_types_supported") {
        match grant.as_str() {
            // Shown above: the code was exchanged, and `response_type=token` is the implicit grant.
            "authorization_code" | "implicit" => {}
            "refresh_token" => drop(stage.refresh(&refresh).await.expect(200)),
            "client_credentials" => drop(stage.as_machine(&[]).await.expect(200)),
            token_in::GRANT_TYPE => {
                brought::connect(&stage, brought::CONNECTION, brought::WIDGET);
                let token = brought::id_token(&stage, &[]);
                drop(brought::bring(&stage, &token, &[]).await.expect(200));
            }
            other => panic!("{other} is advertised and not driven"),
        }
    }
    let spa = stage.spa_tokens("ada@acme.test").await.refresh.unwrap();
    for (path, list) in [
        ("/oauth2/token", "token_endpoint_auth_methods_supported"),
        ("/oauth2/revoke", "revocation_endpoint_auth_methods_supported"),
    ] {
        for method in strings(&document, list) {
            let header = basic(MACHINE_CLIENT, MACHINE_SECRET);
            let mut fields = vec![("grant_type", "client_credentials"), ("token", "x")];
            let headers = [("authorization", header.as_str())];
            let answer = match method.as_str() {
                "client_secret_basic" => stage.post(path, &headers, &fields).await,
                "client_secret_post" => {
                    fields.extend([("client_id", MACHINE_CLIENT), ("client_secret", MACHINE_SECRET)]);
                    stage.post(path, &[], &fields).await
                }
                "none" => {
                    let fields = [
                        ("grant_type", "refresh_token"),
                        ("refresh_token", spa.as_str()),
                        ("token", spa.as_str()),
                        ("client_id", SPA_CLIENT),
                    ];
                    stage.post(path, &[], &fields).await
                }
                other => panic!("{other} is advertised and not driven"),
            };
            assert_eq!(answer.status, 200, "{path} {method}: {answer:?}");
        }
    }
}

#[actix_web::test]
async fn every_prompt_value_and_locale_works() {
    let stage = Stage::new().await;
    let document = configuration(&stage).await;
    for prompt in strings(&document, "prompt_values_supported") {
        let mut browser = stage.browser();
        let first = browser.sign_in("ada@acme.test", &stage.authorize(&[])).await;
        assert!(field(&first, "code").is_some());
        stage.clock.advance(10);
        let url = stage.authorize(&[("prompt", &prompt)]);
        let back = match prompt.as_str() {
            "none" => browser.visit(&url).await,
            _ => {
                // The user is asked anew, though signed in here and there.
                let page = browser.to_sign_in_page("ada@acme.test", &url).await;
                assert!(browser.at_organisation(), "{prompt}: {page:?}");
                let form = crate::support::Form::of(&page.body).unwrap();
                let fill = match prompt.as_str() {
                    "consent" => vec![("decision", "allow")],
                    _ => vec![("username", "ada@acme.test"), ("password", "demo")],
                };
                browser.submit(&form, &fill).await
            }
        };
        assert!(field(&back, "code").is_some(), "{prompt}: {back:?}");
    }
    let mut texts = std::collections::HashSet::new();
    let locales = strings(&document, "ui_locales_supported");
    for locale in &locales {
        let page = stage
            .browser()
            .visit(&stage.authorize(&[("lang", locale)]))
            .await
            .expect(200);
        assert!(
            page.body.contains(&format!("lang=\"{locale}\"")),
            "{locale}: {page:?}"
        );
        texts.insert(page.body);
    }
    assert_eq!(texts.len(), locales.len());
}

#[actix_web::test]
async fn every_scope_and_claim_can_be_had() {
    let stage = Stage::new().await;
    let document = configuration(&stage).await;
    let all = strings(&document, "scopes_supported").join(" ");
    let first = stage.tokens_for("ada@acme.test", &[("scope", &all)]).await;
    assert_eq!(first.answer["scope"], all);
    let sub = claims(&first.access)["sub"].as_str().unwrap().to_owned();
    // A profile that has everything, in a group with a role, from a sign-in that says how it was done.
    stage.act(|conn| {
        use diesel::prelude::*;
        use forebay::db::schema::{token_families, user_groups};
        let mut row = user::find(conn, &sub).unwrap().unwrap();
        for (name, kind) in forebay::model::pool::STANDARD {
            let value = match kind {
                forebay::model::pool::AttributeType::Boolean => json!(true),
                forebay::model::pool::AttributeType::Number => json!(NOW.0),
                _ => json!("text"),
            };
            row.attributes.0.entry(*name).or_insert(value);
        }
        user::update(conn, &row).unwrap();
        let engineering = user_groups::table.filter(user_groups::name.eq("Engineering"));
        diesel::update(engineering)
            .set(user_groups::role_arn.eq("arn:aws:iam::111122223333:role/engineer"))
            .execute(conn)
            .unwrap();
        assert!(
            group::find(conn, POOL, "Engineering")
                .unwrap()
                .unwrap()
                .role_arn
                .is_some()
        );
        let origin_jti = claims(&first.access)["origin_jti"].as_str().unwrap().to_owned();
        let (family, _) = forebay::model::token::find_family(conn, &origin_jti)
            .unwrap()
            .unwrap();
        let mut granted = family.granted;
        granted.0.scopes = vec!["openid".into()];
        granted.0.amr = vec!["pwd".into(), "mfa".into()];
        granted.0.acr = Some("urn:okta:loa:2fa:any".into());
        diesel::update(token_families::table.find(&origin_jti))
            .set(token_families::granted.eq(granted))
            .execute(conn)
            .unwrap();
    });
    let tokens = Tokens::of(&stage.refresh(first.refresh.as_deref().unwrap()).await.expect(200));
    let id = stage.verified(tokens.id.as_deref().unwrap()).await;
    for claim in strings(&document, "claims_supported") {
        assert!(
            !id[claim.as_str()].is_null(),
            "{claim} is advertised and not given"
        );
    }
}
