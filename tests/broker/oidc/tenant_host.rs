//! A tenant's own host, and the claim that names the tenant: nothing there is another tenant's.

use actix_web::test::TestRequest;
use forebay::actions::mappings::{self, Save};
use forebay::demo::OPERATOR;
use forebay::model::mapping::{Rule, Source};
use forebay::model::pool::{Attribute, AttributeType};

use crate::support::{APP, Answer, Stage, claims, links, location_param, query_of};

const HOST: &str = "http://auth.acme.localhost:8080";

async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    stage
}

async fn at(stage: &Stage, host: &str, uri: &str) -> Answer {
    stage
        .send(TestRequest::get().uri(uri).insert_header(("host", host)))
        .await
}

#[actix_web::test]
async fn a_sign_in_at_the_tenants_host_goes_straight_to_its_okta_and_back_without_a_name() {
    let stage = stage().await;
    let mut browser = stage.browser();
    let onward = browser
        .open(&format!("{HOST}{}", stage.authorize(&[])))
        .await
        .expect(302);
    assert!(onward.location().starts_with(&stage.acme.issuer()), "{onward:?}");
    let callback = format!("{HOST}/oauth2/idpresponse");
    assert_eq!(location_param(&onward, "redirect_uri"), Some(callback));
    let page = browser.visit(onward.location()).await.expect(200);
    let back = browser.enter(&page, "ada@acme.test").await;
    assert!(back.location().starts_with(APP), "{back:?}");
    let code = query_of(back.location(), "code").unwrap();
    let tokens = stage.exchange(&code, &[]).await.expect(200).json();
    assert_eq!(
        claims(tokens["id_token"].as_str().unwrap())["custom:tenant_id"],
        "acme"
    );
}

#[actix_web::test]
async fn other_tenants_connections_are_unknown_there() {
    let stage = stage().await;
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    let page = at(&stage, "auth.acme.localhost", &login).await.expect(200);
    let offered: Vec<String> = links(&page.body)
        .iter()
        .filter_map(|href| query_of(href, "identity_provider"))
        .collect();
    assert_eq!(offered, ["acme-okta"]);
    for fields in [
        ("identity_provider", "globex-okta"),
        ("connection", "globex-okta"),
        ("tenantCode", "globex"),
        ("idp_identifier", "globex.test"),
    ] {
        let there = at(&stage, "auth.acme.localhost", &stage.authorize(&[fields])).await;
        let unknown = at(
            &stage,
            "auth.acme.localhost",
            &stage.authorize(&[(fields.0, "nobody")]),
        )
        .await;
        let known = |answer: &Answer| location_param(answer, "errorMessage");
        assert!(known(&there).is_some(), "{fields:?}: {there:?}");
        assert_eq!(
            (there.status, known(&there)),
            (unknown.status, known(&unknown)),
            "{fields:?}"
        );
    }
    let tile = at(
        &stage,
        "auth.acme.localhost",
        "/start-login?connection=globex-okta",
    )
    .await;
    assert_eq!(tile.status, 400, "{tile:?}");
    for path in ["/console", "/nothing"] {
        assert_eq!(
            at(&stage, "auth.acme.localhost", path).await.status,
            404,
            "{path}"
        );
    }
}

#[actix_web::test]
async fn a_101_the_callback_without_a_name_is_good_at_the_host_it_began_at_alone() {
    let stage = stage().await;
    for (begin, end, good) in [
        (HOST, HOST, true),
        (HOST, "http://localhost:8080", false),
        (HOST, "http://auth.globex.localhost:8080", false),
        ("http://localhost:8080", HOST, false),
    ] {
        let mut browser = stage.browser();
        let authorize = stage.authorize(&[("identity_provider", "acme-okta")]);
        let onward = browser.open(&format!("{begin}{authorize}")).await.expect(302);
        let page = browser.visit(onward.location()).await.expect(200);
        let back = browser.enter_only(&page, "ada@acme.test").await;
        let came = back.location().to_owned();
        let query = came.split_once('?').unwrap().1;
        // As if the cookie were everywhere: what keeps the hosts apart is not the browser alone.
        let cookies: Vec<String> = browser
            .cookies()
            .into_iter()
            .filter(|(name, _)| name.starts_with("__Host-login-"))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        stage.acme.forget_requests();
        let uri = format!("/oauth2/idpresponse?{query}");
        let host = end.trim_start_matches("http://");
        let request = TestRequest::get()
            .uri(&uri)
            .insert_header(("host", host))
            .insert_header(("cookie", cookies.join("; ")));
        let answer = stage.send(request).await;
        let asked = stage
            .acme
            .requests()
            .iter()
            .any(|seen| seen.path.ends_with("/token"));
        assert_eq!(
            (answer.status == 302, asked),
            (good, good),
            "{begin} {end}: {answer:?}"
        );
    }
}

#[actix_web::test]
async fn the_tenants_claim_has_a_settable_name_and_no_mapping_sets_it() {
    let stage = stage().await;
    stage.change_pool(|settings| {
        settings.tenant_claim = "custom:org".into();
        settings.attributes.push(Attribute {
            name: "custom:org".into(),
            kind: AttributeType::String,
            mutable: true,
            required: false,
        });
    });
    let (ctx, rule) = (stage.ctx(), Rule::new("custom:org", Source::claim("department")));
    let refused = stage.act(|conn| {
        let current = forebay::model::mapping::current(conn, "acme-okta")
            .unwrap()
            .unwrap();
        let mut save = Save {
            seen: current.version,
            rules: current.rules.0,
            note: String::new(),
            accept_breaches: true,
        };
        save.rules.attributes.push(rule);
        mappings::save(conn, &ctx, "acme-okta", save)
    });
    assert!(refused.unwrap_err().to_string().contains("names the tenant"));
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let (id, access) = (claims(&tokens.id.unwrap()), claims(&tokens.access));
    assert_eq!(
        (&id["custom:org"], &access["custom:org"]),
        (&"acme".into(), &"acme".into())
    );
    assert!(id.get("custom:tenant_id").is_none());
    let tokens = stage.tokens_for("hank@globex.test", &[]).await;
    assert_eq!(claims(&tokens.id.unwrap())["custom:org"], "globex");
    stage.change_pool(|settings| settings.tenant_claim.clear());
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    assert!(claims(&tokens.id.unwrap()).get("custom:org").is_none());
}
