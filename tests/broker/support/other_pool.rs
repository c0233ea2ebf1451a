//! A second pool on the same host: its own keys, a client, and a connection to the same organisation.

use std::sync::OnceLock;

use forebay::actions::clients::{self, NewClient, NewSecret};
use forebay::actions::pools::{self, NewKeys, NewPool};
use forebay::actions::providers::{self, Credentials, NewProvider};
use forebay::config::AllowedHost;
use forebay::demo;
use forebay::model::client::Settings;
use forebay::model::pool;
use forebay::model::provider::Settings as ProviderSettings;
use zeroize::Zeroizing;

use super::{Stage, Tokens, basic};

pub const OTHER_POOL: &str = "us-local-1_Forebay02";
pub const OTHER_CLIENT: &str = "otherwebapp000000000000001";
pub const OTHER_SECRET: &str = "secret_of_the_other_pools_web_app_000001";
const CALLBACK: &str = "https://other.example/callback";
const CONNECTION: &str = "acme-of-the-other-pool";

impl Stage {
    pub fn add_other_pool(&self) {
        let ctx = self.ctx();
        let registration = demo::registration(0, &self.acme.issuer());
        self.acme.change_app(&registration.client_id, |app| {
            app.redirect_uris
                .push(format!("{}/oauth2/idpresponse/{CONNECTION}", super::PUBLIC_URL));
        });
        let host = registration.issuer.trim_start_matches("http://").to_owned();
        let allowed = [AllowedHost::parse(&host).unwrap()];
        let new = NewPool {
            id: Some(OTHER_POOL.into()),
            name: "Other".into(),
            settings: pool::Settings::default(),
        };
        let provider = NewProvider {
            user_pool_id: OTHER_POOL.into(),
            name: "acme-okta".into(),
            slug: Some(CONNECTION.into()),
            issuer: registration.issuer.clone(),
            settings: ProviderSettings {
                client_id: registration.client_id.clone(),
                scopes: ["openid", "profile", "email"].map(String::from).to_vec(),
                ..ProviderSettings::default()
            },
            credentials: Credentials {
                client_secret: Some(Zeroizing::new(registration.client_secret.clone())),
                private_key: None,
                ..Credentials::default()
            },
            identifiers: Vec::new(),
            rules: Default::default(),
        };
        let client = NewClient {
            id: Some(OTHER_CLIENT.into()),
            user_pool_id: OTHER_POOL.into(),
            name: "Other".into(),
            secret: NewSecret::Given(Zeroizing::new(OTHER_SECRET.into())),
            settings: Settings {
                redirect_uris: vec![CALLBACK.into()],
                scopes: ["openid", "email", "profile"].map(String::from).to_vec(),
                providers: vec!["acme-okta".into()],
                ..Settings::default()
            },
        };
        self.act(|conn| {
            pools::create(conn, &ctx, new, other_keys()).unwrap();
            providers::create(conn, &ctx, &allowed, provider).unwrap();
            clients::create(conn, &ctx, client).unwrap();
        });
    }

    /// A code of the other pool's client.
    pub async fn other_code(&self, login: &str) -> String {
        let changes = [
            ("client_id", OTHER_CLIENT),
            ("redirect_uri", CALLBACK),
            ("identity_provider", "acme-okta"),
        ];
        self.code_for(login, &changes).await
    }

    /// Tokens of the other pool's client.
    pub async fn other_tokens(&self, login: &str) -> Tokens {
        let code = self.other_code(login).await;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", super::VERIFIER),
        ];
        let header = basic(OTHER_CLIENT, OTHER_SECRET);
        Tokens::of(&self.token(Some(&header), &fields).await.expect(200))
    }
}

/// Made once: making keys takes long.
pub fn other_keys() -> &'static NewKeys {
    static KEYS: OnceLock<NewKeys> = OnceLock::new();
    KEYS.get_or_init(|| NewKeys::make().unwrap())
}
