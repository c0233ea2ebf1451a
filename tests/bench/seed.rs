//! The database of a run: the demo's pool, and as many sessions, codes and token families as the rows use up.

use std::net::SocketAddr;

use base64::Engine;
use diesel::connection::Connection as _;
use forebay::actions::login::{self, Grant};
use forebay::actions::offers::Offer;
use forebay::actions::pools::NewKeys;
use forebay::actions::{Ctx, tokens};
use forebay::config::AllowedHost;
use forebay::db::{self, Conn, Json, Target};
use forebay::demo::{self, POOL, SPA_CLIENT, WEB_CLIENT};
use forebay::error::StoreError;
use forebay::model::session::{Facts, Session};
use forebay::model::user::{Identity, Status, User};
use forebay::model::{client, session, user};
use forebay::rules::grant::Shown;
use forebay::rules::{pkce, secret};
use forebay::seal::Sealer;
use forebay::world::{Clock, Entropy};

pub const PUBLIC_URL: &str = "http://localhost:8080";
pub const APP: &str = "http://127.0.0.1:8090";
pub const VERIFIER: &str = "the-verifier-of-the-benchmark-is-long-enough-0123456789";
/// Whose the codes and tokens are.
pub const USERNAME: &str = "acme-okta_00ubench";
const ROOT_KEY: [u8; 32] = [7; 32];

pub fn root_key_text() -> String {
    base64::engine::general_purpose::STANDARD.encode(ROOT_KEY)
}

/// What the rows use up.
pub struct Stock {
    pub codes: Vec<String>,
    /// Refresh tokens of the web client, which do not rotate.
    pub refresh: Vec<String>,
    /// Refresh tokens of the single-page client, which do.
    pub rotating: Vec<String>,
}

/// The context of what the benchmark itself stores.
pub fn ctx() -> Ctx {
    let entropy = Entropy::system();
    Ctx {
        actor: "bench".into(),
        request_id: "bench".into(),
        now: Clock::system().now(),
        entropy: entropy.clone(),
        sealer: Sealer::new(vec![ROOT_KEY], entropy),
    }
}

pub fn fill(target: &Target, upstream: SocketAddr, codes: usize, families: usize) -> Stock {
    let ctx = ctx();
    let mut conn = target.open().unwrap();
    db::migrate(&mut conn).unwrap();
    let keys = NewKeys::make().unwrap();
    let registration = demo::registration(0, &format!("http://{upstream}"));
    let allowed = [AllowedHost::parse(&upstream.to_string()).unwrap()];
    demo::seed(&mut conn, &ctx, &keys, APP, &[registration], &allowed).unwrap();
    conn.transaction::<_, StoreError, _>(|conn| stock(conn, &ctx, codes, families))
        .unwrap()
}

fn stock(conn: &mut Conn, ctx: &Ctx, codes: usize, families: usize) -> Result<Stock, StoreError> {
    let person = User {
        sub: secret::uuid(&ctx.entropy),
        user_pool_id: POOL.into(),
        username: USERNAME.into(),
        status: Status::ExternalProvider,
        enabled: true,
        attributes: Json(
            serde_json::json!({"email": "bench@acme.test", "email_verified": true, "given_name": "Ben", "family_name": "Ch"})
                .as_object()
                .unwrap()
                .clone(),
        ),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    assert!(user::insert(conn, &person)?);
    let identity = Identity {
        provider_id: "acme-okta".into(),
        issuer: "https://acme.test".into(),
        subject: "00ubench".into(),
        user_sub: person.sub.clone(),
        provider_name: "acme-okta".into(),
        is_primary: true,
        created_ms: 0,
    };
    assert!(user::insert_identity(conn, &identity)?);
    let session = Session {
        hash: secret::hash("bench"),
        user_pool_id: POOL.into(),
        user_sub: person.sub.clone(),
        provider_id: Some("acme-okta".into()),
        login_hash: secret::hash("bench login"),
        facts: Json(Facts {
            auth_time: ctx.now,
            ..Facts::default()
        }),
        id_token_sealed: None,
        created_at: ctx.now,
        expires_at: ctx.now.plus(3600),
    };
    assert!(session::insert(conn, &session)?);
    let mut draw = |client_id: &str, redirect_uri: &str, count: usize| -> Result<Vec<String>, StoreError> {
        let client = client::find(conn, client_id)?.unwrap();
        let scopes = ["openid", "email", "profile"].map(String::from);
        let challenge = pkce::challenge(VERIFIER);
        let grant = Grant {
            client: &client,
            redirect_uri,
            redirect_uri_given: true,
            scopes: &scopes,
            nonce: Some("nonce"),
            resource: None,
            code_challenge: Some(&challenge),
            mapping_version: 1,
            overrides: None,
        };
        (0..count)
            .map(|_| Ok(login::issue_code(conn, ctx, &session, &grant)?.0))
            .collect()
    };
    let callback = format!("{APP}/callback");
    let tool = "http://127.0.0.1:9999/callback";
    let fresh = draw(WEB_CLIENT, &callback, codes)?;
    let (web, spa) = (
        draw(WEB_CLIENT, &callback, families)?,
        draw(SPA_CLIENT, tool, families)?,
    );
    let mut exchange =
        |client_id: &str, redirect_uri: &str, codes: Vec<String>| -> Result<Vec<String>, StoreError> {
            let client = client::find(conn, client_id)?.unwrap();
            let offer = Offer::of(&client);
            codes
                .iter()
                .map(|code| {
                    let answer = tokens::exchange(
                        conn,
                        ctx,
                        &client,
                        &offer,
                        &Shown {
                            code,
                            redirect_uri: Some(redirect_uri),
                            verifier: Some(VERIFIER),
                            resource: None,
                        },
                    )?;
                    Ok(answer.unwrap().refresh_token.unwrap())
                })
                .collect()
        };
    let refresh = exchange(WEB_CLIENT, &callback, web)?;
    let rotating = exchange(SPA_CLIENT, tool, spa)?;
    Ok(Stock {
        codes: fresh,
        refresh,
        rotating,
    })
}
