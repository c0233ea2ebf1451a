//! The demo's clients at the token endpoint, each in its own way, and what an app does with the tokens it gets.

use actix_web::test::TestRequest;
use forebay::actions::clients::{self, NewClient, NewSecret};
use forebay::demo::{MACHINE_CLIENT, MACHINE_SECRET, POOL, SPA_CLIENT, WEB_CLIENT, WEB_SECRET};
use forebay::model::client;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Answer, Stage, Tokens, basic, header};

/// Where the public client waits for its codes.
pub const SPA_CALLBACK: &str = "http://127.0.0.1:9999/callback";

impl Stage {
    /// A token request with these fields, and with this `Authorization` header if any.
    pub async fn token(&self, authorization: Option<&str>, fields: &[(&str, &str)]) -> Answer {
        let headers: Vec<_> = authorization
            .iter()
            .map(|value| ("authorization", *value))
            .collect();
        self.post("/oauth2/token", &headers, fields).await
    }

    /// A token request of the sample web app.
    pub async fn as_web(&self, fields: &[(&str, &str)]) -> Answer {
        self.token(Some(&basic(WEB_CLIENT, WEB_SECRET)), fields).await
    }

    /// The machine client's own token.
    pub async fn as_machine(&self, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<_> = [("grant_type", "client_credentials")]
            .into_iter()
            .chain(fields.iter().copied())
            .collect();
        self.token(Some(&basic(MACHINE_CLIENT, MACHINE_SECRET)), &fields)
            .await
    }

    /// A code of the public client.
    pub async fn spa_code(&self, login: &str) -> String {
        let changes = [("client_id", SPA_CLIENT), ("redirect_uri", SPA_CALLBACK)];
        self.code_for(login, &changes).await
    }

    /// Tokens of the public client.
    pub async fn spa_tokens(&self, login: &str) -> Tokens {
        let code = self.spa_code(login).await;
        let changes = [("client_id", SPA_CLIENT), ("redirect_uri", SPA_CALLBACK)];
        Tokens::of(&self.exchange(&code, &changes).await.expect(200))
    }

    /// Refreshes as the public client.
    pub async fn spa_refresh(&self, token: &str) -> Answer {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", SPA_CLIENT),
            ("refresh_token", token),
        ];
        self.token(None, &fields).await
    }

    /// Revokes as the sample web app.
    pub async fn revoke(&self, token: &str) -> Answer {
        let header = basic(WEB_CLIENT, WEB_SECRET);
        self.post(
            "/oauth2/revoke",
            &[("authorization", &header)],
            &[("token", token)],
        )
        .await
    }

    /// A second confidential client of the pool, like the sample web app but for its name and secret.
    pub fn another_client(&self, id: &str, secret: &str) {
        let ctx = self.ctx();
        self.act(|conn| {
            let like = client::find(conn, WEB_CLIENT).unwrap().unwrap();
            let new = NewClient {
                id: Some(id.into()),
                user_pool_id: POOL.into(),
                name: id.into(),
                secret: NewSecret::Given(Zeroizing::new(secret.into())),
                settings: like.settings.0,
            };
            clients::create(conn, &ctx, new).unwrap();
        });
    }

    /// The claims of a token, verified as an app does: by the issuer's published keys and nothing else of ours.
    pub async fn verified(&self, token: &str) -> Value {
        let configuration = self
            .get(&format!("/{POOL}/.well-known/openid-configuration"))
            .await
            .expect(200)
            .json();
        let keys = path_of(configuration["jwks_uri"].as_str().unwrap());
        let keys = self.get(&keys).await.expect(200).json();
        let kid = header(token)["kid"].clone();
        let key = keys["keys"]
            .as_array()
            .unwrap()
            .iter()
            .find(|key| key["kid"] == kid)
            .unwrap_or_else(|| panic!("{kid} is not published"));
        let key = DecodingKey::from_rsa_components(key["n"].as_str().unwrap(), key["e"].as_str().unwrap());
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[configuration["issuer"].as_str().unwrap()]);
        // The clock of the tests stands still; times are looked at where they matter.
        validation.validate_exp = false;
        validation.validate_aud = false;
        jsonwebtoken::decode::<Value>(token, &key.unwrap(), &validation)
            .unwrap()
            .claims
    }

    /// A request with any body and content type.
    pub async fn raw(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        let mut request = TestRequest::post().uri(path).set_payload(body.into());
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        self.send(request).await
    }
}

/// Path and query of a URL.
pub fn path_of(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// Asserts a refusal of the token endpoint, whole: status, code, nothing to use and nothing to keep.
#[track_caller]
pub fn assert_refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (status, error),
        "{answer:?}"
    );
    let members: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["error", "error_description"], "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/json;charset=UTF-8")
    );
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("location"), None);
    let challenge = answer.header("www-authenticate");
    if status == 401 {
        assert!(
            challenge.is_some_and(|challenge| challenge.starts_with("Basic ")),
            "{answer:?}"
        );
    } else {
        assert_eq!(challenge, None, "{answer:?}");
    }
}
