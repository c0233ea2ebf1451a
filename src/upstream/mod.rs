//! The only code that talks to upstream identity providers: cached metadata and keys, the way to a verified identity,
//! the examination of a connection. It decides nothing about our own users and touches no database.
//!
//! OpenID Connect Core §3.1 rules the sign-in, Discovery §4 the metadata, RP-Initiated Logout the way out; where Okta
//! departs from them, the code says so.

mod client_auth;
mod dns;
mod examine;
mod fence;
mod hook;
mod http;
mod keys;
mod lane;
mod metadata;
mod okta;
mod post;
mod tls;
mod verify;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use crate::rules::json;

pub use examine::{Answers, Stage, Verdict};
pub use hook::HookCall;
pub use okta::{ApiFailure, ApiGrant, Brought, Refreshed, claimed, end_of_brought};

use crate::config::AllowedHost;
use crate::metrics::Calls;
use crate::model::provider::Provider;
use crate::rules::jwks::KeyPair;
use crate::rules::login::ApiAsk;
use crate::rules::upstream_error::{Cause, Refusal};
use crate::world::{Clock, Entropy, UnixTime};

/// How long a whole sign-in may wait for the provider, all requests together; a single one has four fifths of it.
const SIGN_IN_WITHIN: Duration = Duration::from_secs(10);

/// The door to every upstream; one per process, cheap to clone.
#[derive(Clone, Debug)]
pub struct Upstream(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Arc<http::Http>,
    metadata: metadata::Metadata,
    clock: Clock,
    entropy: Entropy,
    sign_in_within: Duration,
    allowed: Vec<AllowedHost>,
    dns: dns::Dns,
    /// Connections (with their client id) that take `client_secret_post` only, as was found out.
    posting: Mutex<HashSet<(String, String)>>,
}

/// What the operator sets about outbound calls.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Hosts (`host` or `host:port`) that may be private and spoken to without TLS, for development.
    pub allow: Vec<String>,
    /// Further certificate authorities, PEM.
    pub ca_pem: Option<Vec<u8>>,
    pub proxy: Option<Url>,
    /// Name servers that are asked for the proofs of domains; none: the system's resolver.
    pub dns_servers: Vec<SocketAddr>,
}

/// A provider with its secrets opened.
#[derive(Clone)]
pub struct Connection {
    pub provider: Provider,
    pub client_secret: Option<Zeroizing<String>>,
    pub private_key: Option<Arc<KeyPair>>,
    /// Tried when the provider refuses the present secret.
    pub next_secret: Option<Arc<NextSecret>>,
}

/// The client secret that waits for its time.
pub struct NextSecret {
    secret: Zeroizing<String>,
    took_over: AtomicBool,
}

impl NextSecret {
    pub fn new(secret: Zeroizing<String>) -> Arc<NextSecret> {
        Arc::new(NextSecret {
            secret,
            took_over: AtomicBool::new(false),
        })
    }
}

impl Connection {
    /// The provider has refused the present secret and taken the next one: it is to be stored as the present one.
    pub fn next_secret_took_over(&self) -> bool {
        let next = self.next_secret.as_ref();
        next.is_some_and(|next| next.took_over.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.provider.id)
    }
}

/// What to ask the provider for.
#[derive(Clone)]
pub struct AuthorizeRequest {
    pub redirect_uri: String,
    pub state: String,
    pub nonce: String,
    /// The challenge is derived from it (S256).
    pub code_verifier: String,
    pub login_hint: Option<String>,
    /// Blank-separated, as the standard has it.
    pub prompt: Option<String>,
    pub max_age: Option<i64>,
    pub acr_values: Option<String>,
    /// Also for the scopes of Okta's own API that the connection wants.
    pub okta_api: bool,
}

/// What the login remembers and the answer must agree with.
#[derive(Clone)]
pub struct Expectation {
    pub redirect_uri: String,
    pub nonce: String,
    pub code_verifier: String,
    /// When the user was sent to the provider; `max_age` counts from there.
    pub begun_at: UnixTime,
    pub max_age: Option<i64>,
    /// `prompt=login` was asked: the user has to have signed in since then.
    pub reauthenticate_since: Option<UnixTime>,
    pub acr_values: Option<String>,
    /// What the provider said is wanted as it came, too: [`Identity::sources`].
    pub keep_sources: bool,
    pub okta_api: ApiAsk,
}

/// Who signed in, as the provider says and every check confirms.
#[derive(Clone)]
pub struct Identity {
    pub issuer: String,
    pub subject: String,
    /// ID token and userinfo as one; the ID token wins.
    pub claims: Map<String, Value>,
    pub auth_time: Option<i64>,
    pub amr: Vec<String>,
    pub acr: Option<String>,
    pub sid: Option<String>,
    /// For `id_token_hint` at logout.
    pub id_token: Zeroizing<String>,
    /// Where it was asked for.
    pub sources: Option<Sources>,
    /// Where scopes of Okta's own API were asked for.
    pub okta_api: Option<ApiGrant>,
}

/// What the provider said, each part by itself.
#[derive(Clone)]
pub struct Sources {
    /// None where it opens Okta's own API: that may be an administrator's token, and is nobody's but ours.
    pub access_token: Option<Zeroizing<String>>,
    pub id_token: Map<String, Value>,
    /// Empty when there was none; with what was filled from Okta's own API.
    pub userinfo: Map<String, Value>,
    /// The person's profile there, where it was read and no claim of its name came.
    pub okta_profile: Option<Value>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, {})", self.issuer, self.subject)
    }
}

/// Why there is no identity: a cause, and what was seen, without secrets, codes or tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub cause: Cause,
    pub detail: String,
    /// The provider's HTTP status, where it answered.
    pub status: Option<u16>,
    /// When trying again makes sense, where the provider said so.
    pub retry_at: Option<UnixTime>,
    /// The address that an ID token names which was then refused: not to be believed, only to find the attempt by.
    pub claimed_email: Option<String>,
}

impl Failure {
    pub fn new(cause: Cause, detail: impl Into<String>) -> Failure {
        Failure {
            cause,
            detail: detail.into(),
            status: None,
            retry_at: None,
            claimed_email: None,
        }
    }

    /// What the people concerned are told; `provider` is the connection's name.
    pub fn refusal(&self, provider: &str) -> Refusal {
        self.cause.refusal(provider, self.status, self.retry_at)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause.name(), self.detail)
    }
}

impl std::error::Error for Failure {}

impl From<http::Trouble> for Failure {
    fn from(trouble: http::Trouble) -> Self {
        Failure {
            cause: trouble.cause,
            detail: trouble.detail,
            status: None,
            retry_at: trouble.retry_at,
            claimed_email: None,
        }
    }
}

impl Upstream {
    /// Nothing is called yet. The error says which option cannot be used.
    pub fn new(options: Options, clock: Clock, entropy: Entropy) -> Result<Upstream, String> {
        Upstream::with_patience(options, SIGN_IN_WITHIN, clock, entropy)
    }

    /// The same with another limit for a whole sign-in, such as a short one where a test waits for it.
    pub fn with_patience(
        options: Options,
        sign_in_within: Duration,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Upstream, String> {
        let deadline = sign_in_within.mul_f32(0.8);
        let http = Arc::new(http::Http::new(&options, deadline, clock.clone())?);
        let allowed = options.allow.iter().map(|host| AllowedHost::parse(host));
        Ok(Upstream(Arc::new(Inner {
            metadata: metadata::Metadata::new(http.clone(), clock.clone()),
            http,
            dns: dns::Dns {
                servers: options.dns_servers,
                within: sign_in_within,
            },
            sign_in_within,
            clock,
            entropy,
            allowed: allowed.collect::<Result<_, _>>()?,
            posting: Mutex::default(),
        })))
    }

    /// How long calls take, by connection.
    pub fn calls(&self) -> &Calls {
        &self.0.http.calls
    }

    /// A client for an address that is the operator's own, such as a collector's: it trusts whom calls to providers trust.
    pub fn unfenced(&self, within: Duration) -> Result<reqwest::Client, String> {
        self.0.http.unfenced(within)
    }

    /// The hosts that may be private and spoken to without TLS.
    pub fn allowed(&self) -> &[AllowedHost] {
        &self.0.allowed
    }

    /// Refreshes metadata and keys that are past their cache time; for a background job.
    pub async fn refresh_due(&self) {
        self.0.metadata.refresh_due().await;
    }
}
