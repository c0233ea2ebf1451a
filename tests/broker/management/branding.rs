//! How login pages look, through the API and on the page itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forebay::demo::{POOL, SPA_CLIENT, WEB_CLIENT};
use forebay::model::credential::Role;
use serde_json::{Value, json};

use super::authentication::credential;
use super::{call, call_as, pool, refusal};
use crate::support::{Answer, Stage};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nthe rest of a picture";

async fn page(stage: &Stage, changes: &[(&str, &str)]) -> Answer {
    let url = stage.authorize(changes).replace("/oauth2/authorize", "/login");
    stage.get(&url).await.expect(200)
}

/// The page's own files.
fn files(page: &Answer) -> Vec<String> {
    let attributes = page.body.split(['"']);
    attributes
        .filter(|text| text.starts_with("/login/style/"))
        .map(str::to_owned)
        .collect()
}

#[actix_web::test]
async fn a_customization_is_shown_on_the_page_under_the_same_policy() {
    let stage = Stage::new().await;
    let plain = page(&stage, &[]).await;
    assert!(files(&plain).is_empty(), "{plain:?}");
    let css = ".submitButton-customizable { background-color: #336699; }";
    let set = json!({
        "UserPoolId": POOL, "ClientId": WEB_CLIENT, "CSS": css, "ImageFile": STANDARD.encode(PNG),
    });
    let made = call(&stage, "SetUICustomization", set).await.expect(200).json();
    let made = &made["UICustomization"];
    assert_eq!(
        (&made["CSS"], &made["ClientId"]),
        (&json!(css), &json!(WEB_CLIENT))
    );
    let get = json!({ "UserPoolId": POOL, "ClientId": WEB_CLIENT });
    let shown = call(&stage, "GetUICustomization", get.clone()).await.expect(200);
    assert_eq!(shown.json()["UICustomization"], *made);

    let shown = page(&stage, &[]).await;
    assert_eq!(
        shown.header("content-security-policy"),
        plain.header("content-security-policy")
    );
    let files_of_page = files(&shown);
    assert_eq!(files_of_page.len(), 2, "{shown:?}");
    let (style, logo) = (&files_of_page[0], &files_of_page[1]);
    let sheet = stage.get(style).await.expect(200);
    assert_eq!(sheet.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(
        sheet.body,
        ".page .submitButton-customizable {\n  background-color: #336699;\n}\n"
    );
    let picture = stage.get(logo).await.expect(200);
    assert_eq!(picture.header("content-type"), Some("image/png"));
    assert_eq!(picture.header("x-content-type-options"), Some("nosniff"));
    assert!(
        made["ImageUrl"].as_str().unwrap().ends_with(logo.as_str()),
        "{made}"
    );
    // Another app of the pool has neither.
    let other = style.replace(WEB_CLIENT, SPA_CLIENT);
    stage.get(&other).await.expect(404);

    // Setting nothing takes it away.
    call(&stage, "SetUICustomization", get.clone()).await.expect(200);
    assert!(files(&page(&stage, &[]).await).is_empty());
    stage.get(style).await.expect(404);
    let none = call(&stage, "GetUICustomization", get).await.expect(200);
    assert_eq!(none.json(), json!({ "UICustomization": {} }));
}

#[actix_web::test]
async fn what_is_set_for_all_clients_holds_where_a_client_has_nothing_of_its_own() {
    let stage = Stage::new().await;
    let set = |client: &str, colour: &str| {
        json!({
            "UserPoolId": POOL, "ClientId": client,
            "CSS": format!(".label-customizable {{ color: {colour}; }}"),
        })
    };
    call(&stage, "SetUICustomization", set("ALL", "blue"))
        .await
        .expect(200);
    call(&stage, "SetUICustomization", set(WEB_CLIENT, "green"))
        .await
        .expect(200);
    for (client, whose, colour) in [(WEB_CLIENT, WEB_CLIENT, "green"), (SPA_CLIENT, "ALL", "blue")] {
        let get = json!({ "UserPoolId": POOL, "ClientId": client });
        let shown = call(&stage, "GetUICustomization", get).await.expect(200).json();
        let shown = &shown["UICustomization"];
        assert_eq!(shown["ClientId"], whose);
        assert!(shown["CSS"].as_str().unwrap().contains(colour), "{shown}");
    }
    let style = files(&page(&stage, &[]).await).remove(0);
    assert!(stage.get(&style).await.body.contains("green"));
}

#[actix_web::test]
async fn what_could_do_harm_is_refused_by_name() {
    let stage = Stage::new().await;
    for (member, value, says) in [
        ("CSS", json!("@import 'https://evil.test/a.css';"), "@import"),
        (
            "CSS",
            json!(".label-customizable { background: url(https://evil.test) }"),
            "url(",
        ),
        ("CSS", json!("body { color: red }"), "body"),
        (
            "CSS",
            json!(".label-customizable { position: fixed }"),
            "position",
        ),
        (
            "ImageFile",
            json!(STANDARD.encode("<svg onload=alert(1)>")),
            "PNG",
        ),
        (
            "ImageFile",
            json!(STANDARD.encode([PNG, &vec![0; 102_400]].concat())),
            "100 KB",
        ),
    ] {
        let mut input = json!({ "UserPoolId": POOL, "ClientId": WEB_CLIENT });
        input[member] = value;
        let (name, message) = refusal(&call(&stage, "SetUICustomization", input).await);
        assert_eq!(name, "InvalidParameterException");
        assert!(message.contains(says), "{says}: {message}");
    }
    assert!(files(&page(&stage, &[]).await).is_empty());
}

fn branding() -> Value {
    json!({
        "UserPoolId": POOL, "ClientId": WEB_CLIENT,
        "Settings": {
            "components": { "pageBackground": { "lightMode": { "color": "fafafaff" } } },
            "somethingElse": { "kept": [1, 2.5, null] },
        },
        "Assets": [{
            "Category": "FORM_LOGO", "ColorMode": "LIGHT", "Extension": "PNG", "Bytes": STANDARD.encode(PNG),
        }],
    })
}

#[actix_web::test]
async fn a_branding_is_kept_whole_and_its_colours_and_logo_are_shown() {
    let stage = Stage::new().await;
    let made = call(&stage, "CreateManagedLoginBranding", branding())
        .await
        .expect(200)
        .json()["ManagedLoginBranding"]
        .clone();
    for member in ["Settings", "Assets"] {
        assert_eq!(made[member], branding()[member], "{member}");
    }
    let twice = call(&stage, "CreateManagedLoginBranding", branding()).await;
    assert_eq!(refusal(&twice).0, "ManagedLoginBrandingExistsException");
    let id = json!({ "UserPoolId": POOL, "ManagedLoginBrandingId": made["ManagedLoginBrandingId"] });
    let by_id = call(&stage, "DescribeManagedLoginBranding", id.clone()).await;
    assert_eq!(by_id.expect(200).json()["ManagedLoginBranding"], made);
    let by_client = json!({ "UserPoolId": POOL, "ClientId": WEB_CLIENT });
    let by_client = call(&stage, "DescribeManagedLoginBrandingByClient", by_client).await;
    assert_eq!(by_client.expect(200).json()["ManagedLoginBranding"], made);

    let files = files(&page(&stage, &[]).await);
    let sheet = stage.get(&files[0]).await.expect(200);
    assert_eq!(sheet.body, ".page { background: #fafafaff; }\n");
    stage.get(&files[1]).await.expect(200);

    let mut update = id.clone();
    update["UseCognitoProvidedValues"] = json!(true);
    let updated = call(&stage, "UpdateManagedLoginBranding", update)
        .await
        .expect(200);
    let updated = &updated.json()["ManagedLoginBranding"];
    assert_eq!(
        (updated.get("Settings"), &updated["UseCognitoProvidedValues"]),
        (None, &json!(true))
    );
    assert!(self::files(&page(&stage, &[]).await).is_empty());
    let gone = call(&stage, "DeleteManagedLoginBranding", id.clone()).await;
    assert_eq!((gone.status, gone.body.as_str()), (200, ""));
    let gone = call(&stage, "DescribeManagedLoginBranding", id).await;
    assert_eq!(refusal(&gone).0, "ResourceNotFoundException");
}

#[actix_web::test]
async fn the_page_speaks_in_the_words_of_a_branding() {
    let stage = Stage::new().await;
    let with = |texts: Value| {
        let mut branding = branding();
        branding["Settings"]["texts"] = texts;
        branding
    };
    let refused = with(json!({ "cognito:default": { "heading": "two\nlines" } }));
    let (name, message) = refusal(&call(&stage, "CreateManagedLoginBranding", refused).await);
    assert_eq!(name, "InvalidParameterException");
    assert!(message.contains("heading of cognito:default"), "{message}");

    let texts = json!({
        "cognito:default": { "heading": "Welcome to <Acme>", "introduction": "Staff only.", "help": "Ask Linus, extension 7." },
        "cognito:german": { "heading": "Willkommen" },
    });
    call(&stage, "CreateManagedLoginBranding", with(texts))
        .await
        .expect(200);
    let english = page(&stage, &[]).await;
    for text in ["Staff only.", "Ask Linus, extension 7."] {
        assert!(english.shows(text), "{text}: {english:?}");
    }
    assert!(
        english.body.contains("Welcome to &#60;Acme&#62;")
            || english.body.contains("Welcome to &lt;Acme&gt;"),
        "{english:?}"
    );
    let german = page(&stage, &[("lang", "de")]).await;
    assert!(
        german.shows("Willkommen") && !german.shows("Staff only."),
        "{german:?}"
    );
}

fn terms(name: &str) -> Value {
    json!({
        "UserPoolId": POOL, "ClientId": WEB_CLIENT, "TermsName": name, "TermsSource": "LINK", "Enforcement": "NONE",
        "Links": { "cognito:default": "https://acme.test/terms", "cognito:german": "https://acme.test/agb" },
    })
}

#[actix_web::test]
async fn terms_are_linked_on_the_page_in_its_language() {
    let stage = Stage::new().await;
    let made = call(&stage, "CreateTerms", terms("terms-of-use"))
        .await
        .expect(200)
        .json()["Terms"]
        .clone();
    for (member, value) in terms("terms-of-use").as_object().unwrap() {
        assert_eq!(made[member], *value, "{member}");
    }
    let english = page(&stage, &[]).await;
    assert!(
        english.body.contains("href=\"https://acme.test/terms\""),
        "{english:?}"
    );
    assert!(english.shows("Terms of use"));
    let german = page(&stage, &[("lang", "de")]).await;
    assert!(
        german.body.contains("href=\"https://acme.test/agb\"") && german.shows("Nutzungsbedingungen"),
        "{german:?}"
    );

    let twice = call(&stage, "CreateTerms", terms("terms-of-use")).await;
    assert_eq!(refusal(&twice).0, "TermsExistsException");
    let id = json!({ "UserPoolId": POOL, "TermsId": made["TermsId"] });
    let mut update = id.clone();
    update["Links"] = json!({ "cognito:default": "https://acme.test/new" });
    let updated = call(&stage, "UpdateTerms", update.clone())
        .await
        .expect(200)
        .json();
    assert_eq!(updated["Terms"]["Links"], update["Links"]);
    for operation in ["DescribeTerms", "DescribeTermsByClient"] {
        let mut input = id.clone();
        input["ClientId"] = json!(WEB_CLIENT);
        input["TermsName"] = json!("terms-of-use");
        let shown = call(&stage, operation, input).await.expect(200).json();
        assert_eq!(shown, updated, "{operation}");
    }
    let listed = call(&stage, "ListTerms", json!({ "UserPoolId": POOL })).await;
    assert_eq!(listed.expect(200).json()["Terms"][0]["TermsId"], made["TermsId"]);
    for link in ["http://acme.test/terms", "javascript:alert(1)"] {
        let mut input = terms("privacy-policy");
        input["Links"] = json!({ "cognito:default": link });
        let answer = call(&stage, "CreateTerms", input).await;
        assert_eq!(refusal(&answer).0, "InvalidParameterException", "{link}");
    }
    let gone = call(&stage, "DeleteTerms", id.clone()).await;
    assert_eq!((gone.status, gone.body.as_str()), (200, ""));
    assert!(!page(&stage, &[]).await.body.contains("acme.test/new"));
    let gone = call(&stage, "DescribeTerms", id).await;
    assert_eq!(refusal(&gone).0, "ResourceNotFoundException");
}

#[actix_web::test]
async fn looks_are_out_of_reach_from_another_pool_and_for_readers() {
    let stage = Stage::new().await;
    let other = pool(&stage).await;
    let stranger = credential(&stage, Role::Admin, Some(&other));
    let reader = credential(&stage, Role::ReadOnly, None);
    let id = "00000000-0000-4000-8000-000000000000";
    for operation in [
        "SetUICustomization",
        "GetUICustomization",
        "CreateManagedLoginBranding",
        "DescribeManagedLoginBranding",
        "DescribeManagedLoginBrandingByClient",
        "UpdateManagedLoginBranding",
        "DeleteManagedLoginBranding",
        "CreateTerms",
        "DescribeTerms",
        "DescribeTermsByClient",
        "UpdateTerms",
        "DeleteTerms",
        "ListTerms",
    ] {
        let mut input = terms("terms-of-use");
        input["ManagedLoginBrandingId"] = json!(id);
        input["TermsId"] = json!(id);
        let answer = call_as(&stage, &stranger, operation, input.clone()).await;
        assert_eq!(refusal(&answer).0, "ResourceNotFoundException", "{operation}");
        if !["Get", "Describe", "List"]
            .iter()
            .any(|verb| operation.starts_with(verb))
        {
            let answer = call_as(&stage, &reader, operation, input).await;
            assert_eq!(refusal(&answer).0, "NotAuthorizedException", "{operation}");
        }
    }
}
