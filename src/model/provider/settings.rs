//! What is set of a connection: how we are registered upstream, and what its sign-ins do here. Stored as JSON; what an older
//! version did not write takes its default.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::text_enum;
use crate::world::UnixTime;

text_enum! {
    /// How we prove ourselves at the upstream token endpoint (OIDC Core §9).
    pub enum ClientAuth {
        SecretBasic = "client_secret_basic",
        SecretPost = "client_secret_post",
        PrivateKeyJwt = "private_key_jwt",
    }
}

text_enum! {
    /// Cognito's `attributes_request_method`.
    pub enum UserinfoMethod { Get = "GET", Post = "POST" }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The client id at the upstream.
    pub client_id: String,
    pub client_auth: ClientAuth,
    /// `kid` sent with `private_key_jwt` assertions; `None`: the key's RFC 7638 thumbprint.
    pub private_key_id: Option<String>,
    /// `authorize_scopes`, as a list; holds `openid`.
    pub scopes: Vec<String>,
    pub userinfo_method: UserinfoMethod,
    /// The manual alternative to discovery; all of it or nothing.
    pub endpoints: Option<Endpoints>,
    /// The button's label.
    pub label: String,
    /// Sign the user out at the upstream, too.
    pub upstream_logout: bool,
    /// `sign-out redirect URI` is registered at the upstream; else it is not sent and the user stays on the upstream's page.
    pub upstream_logout_return: bool,
    /// The bare `/oauth2/idpresponse` serves this connection (an operator made it), not only `/oauth2/idpresponse/{id}`;
    /// this is the redirect URI then sent.
    pub shared_callback: bool,
    /// Signing algorithms accepted in ID tokens; never read from metadata (RFC 8725 §3.1).
    pub id_token_algorithms: Vec<String>,
    /// Instead of sending people upstream the connection takes ID tokens that apps bring (RFC 8693), and so needs no
    /// secret; `None`: the usual kind.
    pub token_in: Option<TokenIn>,
    pub replay: Replay,
    /// Another connection that some of its people are sent to instead.
    pub canary: Option<Canary>,
    /// Members of Cognito's `IdentityProviderType` as they were set, but for the secret.
    pub cognito: Map<String, Value>,
    /// What the connection is for, where its tenant has one for each environment.
    pub environment: Option<Environment>,
    pub provisioning: Provisioning,
    /// The scopes of Okta's own API that sign-ins ask for; none: that API is left alone.
    pub okta_api: Vec<ApiScope>,
}

/// Who gets an account by coming for the first time, and what with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provisioning {
    /// Whoever the upstream lets in gets one; else only those come in who have one, or are recognised as somebody who has.
    pub just_in_time: bool,
    /// Groups of the pool that a new account is put into, for good.
    pub groups: Vec<String>,
    /// Somebody has said so; else it is as it usually is.
    pub decided: bool,
}

impl Default for Provisioning {
    fn default() -> Self {
        Provisioning {
            just_in_time: true,
            groups: Vec::new(),
            decided: false,
        }
    }
}

text_enum! {
    /// What may be read of Okta's own API (org authorization server only).
    pub enum ApiScope {
        UsersReadSelf = "okta.users.read.self",
        UsersRead = "okta.users.read",
        UserTypesRead = "okta.userTypes.read",
        ProfileMappingsRead = "okta.profileMappings.read",
    }
}

impl ApiScope {
    /// Whoever signs in may be read with it; with [`ApiScope::UsersRead`] it depends on their rights in Okta.
    pub fn reads_own_profile(self) -> bool {
        matches!(self, ApiScope::UsersReadSelf | ApiScope::UsersRead)
    }
}

text_enum! {
    pub enum Environment { Production = "production", Preview = "preview", Staging = "staging" }
}

/// Whom a second connection of the tenant gets, to be tried before everybody does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Canary {
    /// The second connection.
    pub to: String,
    /// Of those whose address is known before the sign-in, 0-100.
    pub percent: u32,
    /// Addresses, in lower case.
    pub people: Vec<String>,
    /// A group of the pool, as its members are when they come.
    pub group: Option<String>,
    /// Everybody goes there, also those of whom nothing is known.
    pub promoted: bool,
    pub since: UnixTime,
}

text_enum! {
    /// How people come through a connection: they are sent upstream, or apps bring the upstream's ID token.
    pub enum Way { SignIn = "sign-in", TokenIn = "token-in" }
}

impl Settings {
    pub fn way(&self) -> Way {
        match self.token_in {
            Some(_) => Way::TokenIn,
            None => Way::SignIn,
        }
    }

    pub fn set_way(&mut self, way: Way) {
        match way {
            Way::SignIn => self.token_in = None,
            Way::TokenIn => {
                self.token_in.get_or_insert_default();
            }
        }
    }
}

/// What a connection that takes ID tokens allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenIn {
    /// Origins of the pages that may bring a token, as browsers write them; servers have none and always may.
    pub origins: Vec<String>,
}

/// Whether sign-ins are kept, sealed, to try a mapping on, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Replay {
    pub keep: bool,
    /// 1-30.
    pub days: u32,
}

impl Default for Replay {
    fn default() -> Self {
        Replay { keep: true, days: 14 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            client_id: String::new(),
            client_auth: ClientAuth::SecretBasic,
            private_key_id: None,
            scopes: ["openid", "profile", "email"].map(String::from).to_vec(),
            userinfo_method: UserinfoMethod::Get,
            endpoints: None,
            label: "Okta SSO".into(),
            upstream_logout: false,
            upstream_logout_return: true,
            shared_callback: false,
            id_token_algorithms: vec!["RS256".into()],
            token_in: None,
            replay: Replay::default(),
            canary: None,
            cognito: Map::new(),
            environment: None,
            provisioning: Provisioning::default(),
            okta_api: Vec::new(),
        }
    }
}

/// Endpoint URLs given by hand (Cognito's `authorize_url`, `token_url`, `attributes_url`, `jwks_uri`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoints {
    pub authorization: String,
    pub token: String,
    pub userinfo: Option<String>,
    pub jwks: String,
    pub end_session: Option<String>,
}
