//! The isolation sweep of the addresses outside the console (attacks.md A-104): at another tenant's host, and at another
//! pool's, an id of somebody else's thing gets the answer that an id of nothing gets, and leaves nothing in their log.

use std::collections::BTreeMap;

use actix_web::test::TestRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forebay::actions::domains;
use forebay::actions::tenant_looks::{self, Logo};
use forebay::demo::{ACCESS_KEY, ACCESS_SECRET, OPERATOR, POOL, WEB_CLIENT};
use forebay::model::domain::Settings;
use forebay::model::reach::Reach;
use forebay::model::tenant_look::Content;
use serde_json::json;

use crate::management::call;
use crate::support::routes::{self, Ids, unknown};
use crate::support::{Answer, OTHER_POOL, Stage, path_of};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nthe rest of a picture";
/// Where everything is known that there is.
const HOME: &str = "localhost:8080";
const OTHER_TENANT: &str = "auth.globex.localhost:8080";
const OTHER_HOST: &str = "other.localhost:8080";

/// Tenant acme, its pool and a client that has registered itself; who registered it has this token.
struct Furnished {
    stage: Stage,
    ids: Ids,
    token: String,
}

/// The name of the picture on a login page.
async fn picture(stage: &Stage, host: &str) -> String {
    let login = stage.authorize(&[]).replace("/oauth2/authorize", "/login");
    let page = ask(stage, host, "GET", &login, "").await.expect(200);
    let files = page.body.split('"');
    let mut pictures = files.filter(|text| text.starts_with("/login/style/") && text.ends_with(".png"));
    let path = pictures.next().unwrap_or_else(|| panic!("no picture: {page:?}"));
    path.rsplit('/').next().unwrap().to_owned()
}

async fn furnished() -> Furnished {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    stage.add_other_pool();
    let (ctx, all, place) = (stage.ctx(), Reach::everything(), stage.broker.place.clone());
    stage.act(|conn| {
        domains::create(conn, &ctx, &place, OTHER_POOL, "other", Settings::default()).unwrap();
        let logo = Logo::Is(PNG.to_vec());
        tenant_looks::set(conn, &ctx, &all, "acme", Content::default(), logo).unwrap();
    });
    let look = json!({ "UserPoolId": POOL, "ClientId": WEB_CLIENT, "ImageFile": STANDARD.encode(PNG) });
    call(&stage, "SetUICustomization", look).await.expect(200);
    stage.broker.forget();
    let headers = [
        ("authorization", format!("Bearer {ACCESS_KEY}.{ACCESS_SECRET}")),
        ("content-type", "application/json".to_owned()),
    ];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let sandbox = json!({
        "redirect_uris": ["https://sandbox.example.com/callback"], "user_pool_id": POOL, "expires_in": 86_400,
        "scope": "openid email", "identity_providers": ["acme-okta"],
    });
    let made = stage.raw("/oauth2/register", &headers, sandbox.to_string()).await;
    let made = made.expect(201).json();
    let uri = path_of(made["registration_client_uri"].as_str().unwrap());
    let ids = Ids::from([
        ("idpresponse/{connection}", "acme-okta".into()),
        ("register/{client}", uri.rsplit('/').next().unwrap().to_owned()),
        ("style/{client}", WEB_CLIENT.into()),
        ("{client}/{file}", picture(&stage, HOME).await),
        ("{client}/{tenant}", "acme".into()),
        (
            "{tenant}/{file}",
            picture(&stage, "auth.acme.localhost:8080").await,
        ),
        ("/{pool}", POOL.into()),
        ("oauth-authorization-server/{pool}", POOL.into()),
        // Of no route, but of what routes are asked.
        ("domain", "acme.test".into()),
    ]);
    Furnished {
        token: made["registration_access_token"].as_str().unwrap().to_owned(),
        stage,
        ids,
    }
}

/// Every address with one of these ids in it, by the route or by what the ids are there.
async fn addresses(stage: &Stage, ids: &Ids) -> BTreeMap<String, String> {
    let mut patterns = routes::patterns(stage).await;
    // The files that every page has are nobody's.
    patterns.retain(|pattern| !pattern.starts_with("/console/") && !pattern.starts_with("/assets/"));
    assert!(
        patterns.len() > 8,
        "the route table reads otherwise: {patterns:?}"
    );
    let mut found: BTreeMap<String, String> = patterns
        .into_iter()
        .map(|pattern| {
            let path = routes::filled(&pattern, ids);
            (pattern, format!("{path}?state=x&code=y"))
        })
        .collect();
    let client = ids["style/{client}"].as_str();
    let connection = ids["idpresponse/{connection}"].as_str();
    let tenant = ids["{client}/{tenant}"].as_str();
    let tile = format!("/start-login?client_id={client}&connection={connection}");
    found.insert("a tile".into(), tile);
    for (name, value) in [
        ("identity_provider", connection),
        ("connection", connection),
        ("tenantCode", tenant),
        ("idp_identifier", ids["domain"].as_str()),
    ] {
        let authorize = stage.authorize(&[("client_id", client), (name, value)]);
        let login = authorize.replace("/oauth2/authorize", "/login");
        found.insert(format!("authorize with {name}"), authorize);
        found.insert(format!("login with {name}"), login);
    }
    found
}

async fn ask(stage: &Stage, host: &str, method: &str, path: &str, token: &str) -> Answer {
    let request = match method {
        "POST" => TestRequest::post().set_form([("state", "x")]),
        "DELETE" => TestRequest::delete(),
        _ => TestRequest::get(),
    };
    let request = request.uri(path).insert_header(("host", host));
    stage
        .send(request.insert_header(("authorization", format!("Bearer {token}"))))
        .await
}

/// Status, where to, the page, and how many cookies, with the ids and what is drawn for each request made alike.
fn plain(answer: &Answer, ids: &Ids) -> (u16, Option<String>, String, usize) {
    let mut drawn: Vec<String> = ids.values().cloned().collect();
    // One id may be the beginning of another.
    drawn.sort_by_key(|id| std::cmp::Reverse(id.len()));
    drawn.extend(answer.trace_code());
    drawn.extend(answer.header("x-amz-cognito-request-id").map(str::to_owned));
    let alike = |text: &str| {
        drawn
            .iter()
            .fold(text.to_owned(), |text, id| text.replace(id, "-"))
    };
    (
        answer.status,
        answer.header("location").map(&alike),
        alike(&answer.body),
        answer.all("set-cookie").len(),
    )
}

/// Asks for these ids of acme's, and for ids of nothing, at that host; says where the answers differ.
async fn differing(furnished: &Furnished, host: &str, theirs: &[&str], methods: &[&str]) -> Vec<String> {
    let Furnished { stage, ids, token } = furnished;
    let mut none = ids.clone();
    for (name, id) in &mut none {
        if theirs.contains(name) {
            *id = unknown(id);
        }
    }
    let nobodys = addresses(stage, &none).await;
    let mut found = Vec::new();
    for (what, path) in addresses(stage, ids).await {
        if nobodys[&what] == path {
            continue;
        }
        for method in methods {
            // What strangers may have written is counted by the minute.
            stage.clock.advance(60);
            let got = ask(stage, host, method, &path, token).await;
            let expected = ask(stage, host, method, &nobodys[&what], token).await;
            if plain(&got, ids) != plain(&expected, &none) {
                found.push(what.clone());
            }
        }
    }
    found
}

const EVERY: [&str; 3] = ["GET", "POST", "DELETE"];

#[actix_web::test]
async fn a_104_at_another_tenants_host_a_tenants_things_are_as_unknown_as_none() {
    let furnished = furnished().await;
    // The pool and its apps are the same.
    let of_tenant = [
        "idpresponse/{connection}",
        "{client}/{tenant}",
        "{tenant}/{file}",
        "domain",
    ];
    let found = differing(&furnished, OTHER_TENANT, &of_tenant, &EVERY).await;
    assert_eq!(found, Vec::<String>::new());
    let mut told = furnished.stage.traces();
    told.retain(|trace| trace.provider_id.as_deref() == Some("acme-okta"));
    assert!(told.is_empty(), "in their log: {told:?}");
}

#[actix_web::test]
async fn a_104_at_another_pools_host_a_pools_things_are_as_unknown_as_none() {
    let furnished = furnished().await;
    let before = furnished.stage.traces().len();
    let every: Vec<&str> = furnished.ids.keys().copied().collect();
    let found = differing(&furnished, OTHER_HOST, &every, &EVERY).await;
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(furnished.stage.traces().len(), before, "nothing in their log");
    // The ids are real ones: at home each of them says something, but for where a sign-out comes back.
    let known = differing(&furnished, HOME, &every, &["GET"]).await;
    let mut silent = addresses(&furnished.stage, &furnished.ids).await;
    silent.retain(|what, _| what.starts_with('/') && !known.contains(what));
    assert_eq!(
        silent.into_keys().collect::<Vec<_>>(),
        ["/logout/idpresponse/{connection}"]
    );
}
