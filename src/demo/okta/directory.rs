//! The directory of the stand-in Okta: people, app integrations, the custom authorization server's settings,
//! and which claims follow from a person. Nothing here is on the wire yet; `claims` decides what goes where.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Everyone's password.
pub const PASSWORD: &str = "demo";

/// A user of the organisation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Person {
    /// Okta's user id, the `sub` of every token: `00u` and 17 more characters.
    pub id: String,
    /// The Okta username, the claim `preferred_username`.
    pub login: String,
    pub email: String,
    pub given_name: String,
    pub family_name: String,
    /// Names of groups; `Everyone` is listed like any other.
    pub groups: Vec<String>,
    /// Further claims. Standard ones come with their scope; the rest are custom attributes of the app's
    /// profile, which userinfo shows for `profile`. `name` and `email_verified` may be overridden here.
    pub profile: Map<String, Value>,
}

impl Person {
    /// The display name.
    pub fn name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
            .trim()
            .to_owned()
    }
}

/// How an app integration authenticates at the token endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    #[default]
    ClientSecretBasic,
    ClientSecretPost,
    ClientSecretJwt,
    PrivateKeyJwt,
    None,
}

impl ClientAuth {
    /// The method's registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            ClientAuth::ClientSecretBasic => "client_secret_basic",
            ClientAuth::ClientSecretPost => "client_secret_post",
            ClientAuth::ClientSecretJwt => "client_secret_jwt",
            ClientAuth::PrivateKeyJwt => "private_key_jwt",
            ClientAuth::None => "none",
        }
    }
}

/// An app integration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct App {
    pub client_id: String,
    /// Live secrets; two while one is being replaced.
    pub secrets: Vec<String>,
    pub auth: ClientAuth,
    /// Accept only the configured method. Off, a secret is taken from header and body alike, as Okta does.
    pub strict_auth: bool,
    /// Public keys for `private_key_jwt`, as JWKs.
    pub public_keys: Vec<Value>,
    pub redirect_uris: Vec<String>,
    /// Sign-out redirect URIs.
    pub logout_uris: Vec<String>,
    /// With it the app has a tile on the dashboard ("Either Okta or App", OIDC compliant).
    pub initiate_login_uri: Option<String>,
    pub label: String,
    /// Who may sign in: logins, or names of groups.
    pub assigned: Vec<String>,
    pub pkce_required: bool,
    /// A groups claim is configured: on the org server for the scope `groups`, on the custom server always.
    pub groups_claim: bool,
    /// ID tokens carry all claims even when an access token comes along, as some organisations report.
    pub fat_id_token: bool,
    /// Each refresh brings a new refresh token and ends the old one; off, it stays the same.
    pub rotate_refresh_tokens: bool,
    /// Scopes of Okta's API that were granted to it; asking for another one is refused.
    pub api_scopes: Vec<String>,
    /// Instead of refusing, those not granted are left out, as RFC 6749 §3.3 allows.
    pub narrows_api_scopes: bool,
    /// Okta's mapping from its users to the app's profile: properties with their expressions.
    pub profile_mapping: Map<String, Value>,
}

impl App {
    /// Whether the person is assigned, directly or through a group.
    pub fn admits(&self, person: &Person) -> bool {
        self.assigned.iter().any(|entry| {
            entry.eq_ignore_ascii_case(&person.login) || person.groups.iter().any(|group| group == entry)
        })
    }
}

/// What an administrator added to the authorization server `default`.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomServer {
    /// Scopes beside the built-in ones; asking for `groups` works only when it is listed here.
    pub scopes: Vec<String>,
    /// Custom attributes that have a claim for userinfo.
    pub claims: Vec<String>,
}

impl Default for CustomServer {
    fn default() -> Self {
        CustomServer {
            scopes: Vec::new(),
            claims: vec!["department".into()],
        }
    }
}

/// An identifier in Okta's form, the same for the same subject at every start: prefix and 17 characters.
pub fn stable_id(prefix: &str, subject: &str) -> String {
    let text = URL_SAFE_NO_PAD.encode(Sha256::digest(subject.as_bytes()));
    let letters = text.chars().filter(char::is_ascii_alphanumeric).take(17);
    prefix.chars().chain(letters).collect()
}

/// The people of one of the demo's organisations (`acme`, `globex`); none for any other name.
pub fn demo_people(org: &str) -> Vec<Person> {
    let person = |id: &str, name: (&str, &str), login: &str, groups: &[&str], profile: Value| Person {
        id: id.into(),
        login: login.into(),
        email: login.into(),
        given_name: name.0.into(),
        family_name: name.1.into(),
        groups: groups.iter().map(|&group| group.into()).collect(),
        profile: profile.as_object().cloned().unwrap_or_default(),
    };
    match org {
        "acme" => vec![
            person(
                "00u1ada000000000acme",
                ("Ada", "Lovelace"),
                "ada@acme.test",
                &["Everyone", "Engineering"],
                json!({"nickname": "Ada", "locale": "en-GB", "zoneinfo": "Europe/London",
                       "phone_number": "+1 415 555 0100", "address": {"country": "GB", "locality": "London"},
                       "department": "Analytical Engines", "updated_at": 1_764_000_000}),
            ),
            person(
                "00u1grace0000000acme",
                ("Grace", "Hopper"),
                "grace@acme.test",
                &["Everyone", "Finance"],
                json!({"locale": "en-US", "zoneinfo": "America/New_York", "phone_number": "+1 415 555 0101",
                       "address": {"country": "US"}, "department": "Finance", "updated_at": 1_764_000_060}),
            ),
            person(
                "00u1linus0000000acme",
                ("Linus", "Pauling"),
                "linus@acme.test",
                &["Everyone"],
                json!({"locale": "en-US", "zoneinfo": "America/Los_Angeles",
                       "phone_number": "+1 415 555 0102", "department": "Chemistry",
                       "updated_at": 1_764_000_120}),
            ),
        ],
        "globex" => vec![person(
            "00u1hank00000000glbx",
            ("Hank", "Scorpio"),
            "hank@globex.test",
            &["Everyone"],
            json!({"locale": "en-US", "zoneinfo": "America/Chicago", "phone_number": "+1 415 555 0200",
                   "department": "Management", "updated_at": 1_764_000_180}),
        )],
        _ => Vec::new(),
    }
}
