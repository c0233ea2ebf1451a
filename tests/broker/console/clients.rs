//! App clients: found, made, changed, their secrets, deleted.

use forebay::demo::{MACHINE_CLIENT, OPERATOR, POOL, SPA_CLIENT, WEB_CLIENT, WEB_SECRET};
use forebay::model::client::{self, Client, ContractClaim, ContractKind};

use super::rooms::{
    OTHER_ADMIN, VIEWER, are_not_found, fill, signed_in, stage, want_a_proof, want_the_token,
};
use crate::support::{APP, Answer, Form, OTHER_CLIENT, OTHER_POOL, Stage, basic, unescape};

fn at(path: &str) -> String {
    format!("/console/clients/{WEB_CLIENT}{path}")
}

fn stored(stage: &Stage, id: &str) -> Option<Client> {
    stage.act(|conn| client::find(conn, id).unwrap())
}

fn secret_ids(stage: &Stage, id: &str) -> Vec<String> {
    stage
        .act(|conn| client::secrets(conn, id).unwrap())
        .into_iter()
        .map(|secret| secret.id)
        .collect()
}

/// Whether the token endpoint knows the client by this secret.
async fn is_known(stage: &Stage, id: &str, secret: &str) -> bool {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "none")];
    let answer = stage.token(Some(&basic(id, secret)), &fields).await;
    match answer.error().as_str() {
        "invalid_grant" => true,
        "invalid_client" => false,
        other => panic!("{other}: {answer:?}"),
    }
}

/// The secret that a page shows.
#[track_caller]
fn shown_secret(page: &Answer) -> String {
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let after = page
        .body
        .split("id=\"client-secret\">")
        .nth(1)
        .unwrap_or_else(|| panic!("no secret: {page:?}"));
    after.split('<').next().unwrap().to_owned()
}

#[actix_web::test]
async fn clients_are_listed_searched_and_paged_within_reach() {
    let stage = stage().await;
    let mut operator = signed_in(&stage, OPERATOR);
    let page = operator.open("/console/clients").await.expect(200);
    assert!(page.shows(WEB_CLIENT) && page.shows(OTHER_CLIENT), "{page:?}");
    let page = operator
        .open(&format!("/console/clients?pool={POOL}"))
        .await
        .expect(200);
    assert!(page.shows(WEB_CLIENT) && !page.shows(OTHER_CLIENT), "{page:?}");
    for search in ["single-PAGE", "demospa"] {
        let page = operator
            .open(&format!("/console/clients?pool=&search={search}"))
            .await
            .expect(200);
        assert!(page.shows(SPA_CLIENT) && !page.shows(WEB_CLIENT), "{page:?}");
    }

    let mut other = signed_in(&stage, OTHER_ADMIN);
    let page = other.open("/console/clients").await.expect(200);
    assert!(!page.shows(WEB_CLIENT) && page.shows(OTHER_CLIENT), "{page:?}");
    are_not_found(
        &stage,
        &[OTHER_ADMIN],
        &[&format!("/console/clients?pool={POOL}")],
        &[],
    )
    .await;
    are_not_found(&stage, &["admin@acme.test"], &["/console/clients"], &[]).await;

    let one = stored(&stage, SPA_CLIENT).unwrap();
    stage.act(|conn| {
        for n in 0..60 {
            let row = Client {
                id: format!("row{n:02}"),
                name: format!("Row {}", n % 7),
                ..one.clone()
            };
            assert!(client::insert(conn, &row).unwrap());
        }
    });
    let (mut seen, mut next) = (Vec::new(), format!("/console/clients?pool={POOL}&search=ROW"));
    loop {
        let page = operator.open(&next).await.expect(200);
        seen.push(page.body.matches("<td data-label=\"Client id\">").count());
        let Some(link) = page.body.split("rel=\"next\" href=\"").nth(1) else {
            break;
        };
        next = unescape(link.split('"').next().unwrap());
    }
    assert_eq!(seen, [50, 10]);
}

#[actix_web::test]
async fn its_page_has_everything_to_paste_and_no_secret() {
    let stage = stage().await;
    let issuer = stage.issuer();
    for email in [OPERATOR, VIEWER] {
        let mut browser = signed_in(&stage, email);
        let page = browser.open(&at("")).await.expect(200);
        for text in [
            issuer.as_str(),
            WEB_CLIENT,
            "/.well-known/openid-configuration",
            "/oauth2/authorize",
            "/oauth2/token",
            "/oauth2/userInfo",
            "/.well-known/jwks.json",
            "/logout",
            &format!("{APP}/callback"),
            "openid-client",
            "Authlib",
            "Spring Security",
            "ASP.NET Core",
            "go-oidc",
            "Auth.js",
            "aws-jwt-verify",
            "Terraform",
            "process.env.CLIENT_SECRET",
            &at("/contract"),
        ] {
            assert!(page.shows(text), "{text}: {page:?}");
        }
        assert!(!page.shows(WEB_SECRET));
        assert_eq!(page.shows(&at("/delete")), email == OPERATOR);
        let page = browser
            .open(&format!("/console/clients/{SPA_CLIENT}"))
            .await
            .expect(200);
        assert!(
            page.shows("oidc-client-ts") && page.shows("AWS Amplify"),
            "{page:?}"
        );
        assert!(!page.shows("CLIENT_SECRET"), "{page:?}");
        let page = browser
            .open(&format!("/console/clients/{MACHINE_CLIENT}"))
            .await
            .expect(200);
        assert!(page.shows("curl") && !page.shows("oidc-client-ts"), "{page:?}");
    }
}

#[actix_web::test]
async fn a_confidential_client_is_made_and_its_secret_shown_once() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    // Two pools: it is asked which.
    let page = browser.open("/console/clients/new").await.expect(200);
    assert!(page.shows("In which pool?") && page.shows(OTHER_POOL), "{page:?}");
    let form = [
        ("name", "Portal"),
        (
            "redirect_uris",
            "https://app.example.com/callback\n\nhttp://localhost:3000/cb\n",
        ),
        ("default_redirect_uri", "https://app.example.com/callback"),
        ("access_token_seconds", "15"),
        ("access_token_seconds_unit", "minutes"),
    ];
    let new = format!("/console/clients/new?pool={POOL}");
    let page = fill(&mut browser, &new, "/console/clients/new", &form).await;
    let secret = shown_secret(&page);
    let id = page
        .body
        .split("id=\"client-id\">")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .unwrap()
        .to_owned();
    let made = stored(&stage, &id).unwrap();
    assert_eq!(
        made.settings.redirect_uris,
        ["https://app.example.com/callback", "http://localhost:3000/cb"]
    );
    assert_eq!(made.settings.access_token_seconds, 900);
    assert_eq!(made.settings.refresh_token_seconds, 30 * 86_400);
    assert_eq!(made.settings.scopes, ["openid", "email", "profile"]);
    assert_eq!(made.settings.providers, ["acme-okta", "globex-okta"]);
    assert!(!made.settings.public && made.settings.require_pkce && made.settings.revocation);
    assert!(is_known(&stage, &id, &secret).await);
    for path in ["", "/edit", "/secrets", "/delete"] {
        let page = browser
            .open(&format!("/console/clients/{id}{path}"))
            .await
            .expect(200);
        assert!(!page.body.contains(&secret), "{path}");
    }
    let said = stage.act(|conn| forebay::model::audit::recent(conn, None, 5).unwrap());
    assert_eq!(said[0].action, "client.create");
    assert_eq!(said[0].actor, format!("admin:{OPERATOR}"));
    assert!(!format!("{said:?}").contains(&secret));
}

#[actix_web::test]
async fn a_public_client_has_no_secret_and_gets_none() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    let form = [
        ("name", "Phone"),
        ("kind", "public"),
        ("redirect_uris", "com.example.app:/callback"),
    ];
    let new = format!("/console/clients/new?pool={POOL}");
    let page = fill(&mut browser, &new, "/console/clients/new", &form).await;
    assert!(page.shows("Created."), "{page:?}");
    let id = browser.url.path().rsplit('/').next().unwrap().to_owned();
    assert!(stored(&stage, &id).unwrap().settings.public);
    assert!(secret_ids(&stage, &id).is_empty());
    let csrf = Form::to(&page.body, "/console/sign-out").fields;
    let answer = browser
        .request("POST", &format!("/console/clients/{id}/secrets"), &csrf)
        .await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(secret_ids(&stage, &id).is_empty());
}

#[actix_web::test]
async fn what_is_wrong_with_a_client_stands_at_its_field_and_nothing_is_lost() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    let cases = [
        ("name", "<b>", "1-128"),
        ("redirect_uris", "http://app.example.com/callback", "plain http"),
        ("logout_uris", "/signed-out", "relative"),
        (
            "default_redirect_uri",
            "https://else.example/",
            "one of the redirect URIs",
        ),
        ("scopes", "demo-api/write", "no scope"),
        ("providers", "nobody", "no identity provider"),
        ("flows", "client_credentials", ""),
        ("access_token_seconds", "soon", "whole number"),
        ("access_token_seconds", "25", "outside"),
        ("refresh_token_seconds", "0", "outside"),
        ("grace_seconds", "61", "outside"),
    ];
    for (field, value, why) in cases {
        let form = [("access_token_seconds_unit", "hours"), (field, value)];
        let page = fill(&mut browser, &at("/edit"), &at("/edit"), &form).await;
        assert_eq!(page.status, 422, "{field}={value}: {page:?}");
        let place = if field == "flows" { "scopes" } else { field };
        let error = page
            .body
            .split(&format!("id=\"{place}-error\">"))
            .nth(1)
            .unwrap_or_else(|| panic!("{field}={value}: {page:?}"));
        let error = unescape(error.split("</p>").next().unwrap());
        assert!(error.contains(why), "{field}={value}: {error}");
        // A scope that does not exist cannot be ticked; whatever can be typed is still there.
        if !matches!(field, "scopes") {
            let kept = Form::to(&page.body, &at("/edit")).fields;
            assert!(kept.contains(&(field.into(), value.into())), "{field}: {kept:?}");
        }
    }
    let settings = stored(&stage, WEB_CLIENT).unwrap().settings;
    assert_eq!(settings.redirect_uris[0], format!("{APP}/callback"));
}

#[actix_web::test]
async fn a_form_that_is_sent_untouched_changes_nothing() {
    let stage = stage().await;
    stage.change_spa_client(|settings| {
        settings.read_attributes = Some(vec!["sub".into(), "email".into(), "custom:department".into()]);
        settings.write_attributes = Some(Vec::new());
        settings.id_token_seconds = 301;
        settings.contract = vec![ContractClaim {
            claim: "email".into(),
            kind: ContractKind::String,
            required: true,
            one_of: Vec::new(),
        }];
    });
    let mut browser = signed_in(&stage, OPERATOR);
    for id in [WEB_CLIENT, SPA_CLIENT, MACHINE_CLIENT] {
        let before = stored(&stage, id).unwrap();
        let edit = format!("/console/clients/{id}/edit");
        let page = fill(&mut browser, &edit, &edit, &[]).await;
        assert!(page.shows("Saved."), "{id}: {page:?}");
        let after = stored(&stage, id).unwrap();
        assert_eq!(
            (before.name, before.settings),
            (after.name, after.settings),
            "{id}"
        );
    }
}

#[actix_web::test]
async fn a_change_bites_at_once() {
    let stage = stage().await;
    stage.code_for("ada@acme.test", &[]).await;
    let mut browser = signed_in(&stage, OPERATOR);
    let form = [("redirect_uris", "https://moved.example/callback")];
    fill(&mut browser, &at("/edit"), &at("/edit"), &form).await;
    let answer = stage.get(&stage.authorize(&[])).await;
    assert_eq!(answer.header("location"), None, "{answer:?}");
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[actix_web::test]
async fn a_secret_is_changed_by_a_second_one() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    let page = fill(&mut browser, &at("/secrets"), &at("/secrets"), &[]).await;
    let second = shown_secret(&page);
    assert!(is_known(&stage, WEB_CLIENT, WEB_SECRET).await);
    assert!(is_known(&stage, WEB_CLIENT, &second).await);
    let page = browser.open(&at("/secrets")).await.expect(200);
    assert!(!page.body.contains(&second) && !page.shows(WEB_SECRET));
    assert!(!page.shows("Add a second secret"), "{page:?}");
    let csrf = Form::to(&page.body, "/console/sign-out").fields;
    let third = browser.request("POST", &at("/secrets"), &csrf).await;
    assert_eq!(third.status, 409, "{third:?}");

    let first = secret_ids(&stage, WEB_CLIENT).remove(0);
    let delete = at(&format!("/secrets/delete?secret={first}"));
    let page = fill(
        &mut browser,
        &delete,
        &at("/secrets/delete"),
        &[("confirm", "no")],
    )
    .await;
    assert_eq!(page.status, 422, "{page:?}");
    assert!(is_known(&stage, WEB_CLIENT, WEB_SECRET).await);
    let shown = browser.open(&delete).await.expect(200);
    let form = Form::to(&shown.body, &at("/secrets/delete"));
    let page = browser.submit(&form, &[("confirm", "Sample web app")]).await;
    assert!(page.shows("Deleted."), "{page:?}");
    assert!(!is_known(&stage, WEB_CLIENT, WEB_SECRET).await);
    assert!(is_known(&stage, WEB_CLIENT, &second).await);
    // The last one stays.
    let last = secret_ids(&stage, WEB_CLIENT).remove(0);
    let delete = at(&format!("/secrets/delete?secret={last}"));
    let form = [("confirm", "Sample web app")];
    let page = fill(&mut browser, &delete, &at("/secrets/delete"), &form).await;
    assert_eq!(page.status, 422, "{page:?}");
    assert!(is_known(&stage, WEB_CLIENT, &second).await);
}

#[actix_web::test]
async fn a_client_is_switched_off_and_on_and_deleted() {
    let stage = stage().await;
    let mut browser = signed_in(&stage, OPERATOR);
    let page = fill(&mut browser, &at(""), &at("/enabled"), &[]).await;
    assert!(page.shows("Disabled."), "{page:?}");
    assert!(!is_known(&stage, WEB_CLIENT, WEB_SECRET).await);
    let page = fill(&mut browser, &at(""), &at("/enabled"), &[]).await;
    assert!(page.shows("Enabled."), "{page:?}");
    assert!(is_known(&stage, WEB_CLIENT, WEB_SECRET).await);

    let form = [("confirm", "sample web app")];
    let page = fill(&mut browser, &at("/delete"), &at("/delete"), &form).await;
    assert_eq!(page.status, 422, "{page:?}");
    let form = [("confirm", "Sample web app")];
    let page = fill(&mut browser, &at("/delete"), &at("/delete"), &form).await;
    assert!(page.shows("Deleted."), "{page:?}");
    assert!(stored(&stage, WEB_CLIENT).is_none());
    assert!(!is_known(&stage, WEB_CLIENT, WEB_SECRET).await);
}

#[actix_web::test]
async fn others_find_none_of_it_and_secrets_want_a_proof() {
    let stage = stage().await;
    let secret = secret_ids(&stage, WEB_CLIENT).remove(0);
    let delete_secret = at(&format!("/secrets/delete?secret={secret}"));
    let new = format!("/console/clients/new?pool={POOL}");
    let posts = [
        at("/edit"),
        at("/enabled"),
        at("/secrets"),
        at("/secrets/delete"),
        at("/delete"),
    ];
    let posts: Vec<&str> = posts.iter().map(String::as_str).collect();
    are_not_found(
        &stage,
        &[OTHER_ADMIN, "admin@acme.test"],
        &[
            &at(""),
            &at("/edit"),
            &at("/secrets"),
            &delete_secret,
            &at("/delete"),
            &new,
        ],
        &posts,
    )
    .await;
    are_not_found(
        &stage,
        &[VIEWER],
        &[&at("/edit"), &delete_secret, &at("/delete"), &new],
        &posts,
    )
    .await;
    are_not_found(
        &stage,
        &[VIEWER, "admin@acme.test"],
        &[],
        &["/console/clients/new"],
    )
    .await;
    want_the_token(&stage, &posts).await;
    want_the_token(&stage, &["/console/clients/new"]).await;
    want_a_proof(
        &stage,
        &[&delete_secret, &at("/delete"), &new],
        &[
            ("/console/clients/new", &format!("pool={POOL}")),
            (&at("/secrets"), ""),
            (&at("/secrets/delete"), &format!("secret={secret}")),
            (&at("/delete"), "confirm=Sample web app"),
        ],
    )
    .await;
    assert_eq!(secret_ids(&stage, WEB_CLIENT), [secret]);
    assert!(stored(&stage, WEB_CLIENT).unwrap().enabled);
}
