//! The faults of the stand-in Okta: switches that a test sets, each a way in which an upstream has been seen
//! to misbehave.
//!
//! One value, [`Faults`], describes them all, so that the Rust door (`Okta::set_faults`) and the HTTP door
//! (`POST /_faults`) speak of the same thing. This file only names faults; they are carried out where the
//! honest answer is made: `forge` (ID tokens), `keys`, `discovery`, `authorize`, `token`, `userinfo`, and
//! `transport` for everything that happens below HTTP's meaning.

mod id_token;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use id_token::IdTokenFault;

/// Everything that is wrong with an organisation at the moment; the default is honest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// What the metadata documents say.
    pub discovery: Vec<MetadataFault>,
    /// What the key set holds.
    pub keys: Vec<KeysFault>,
    /// How the browser comes back.
    pub authorize: Vec<AuthorizeFault>,
    /// What the token endpoint's JSON says.
    pub token: Vec<TokenFault>,
    /// What the ID token claims and how it is signed.
    pub id_token: Vec<IdTokenFault>,
    /// What userinfo says.
    pub userinfo: Vec<UserinfoFault>,
    /// What happens to the groups claim.
    pub groups: Option<GroupsFault>,
    /// How many seconds its clock is ahead of everybody else's; negative when it is behind.
    pub clock_ahead: i64,
    /// Trouble on the wire, per endpoint.
    pub transport: BTreeMap<Endpoint, Transport>,
}

/// The doors that trouble can befall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    Discovery,
    Organization,
    Keys,
    Authorize,
    Token,
    Userinfo,
    Introspect,
    Revoke,
    Logout,
    /// Everything below `/api/v1/`.
    Api,
}

impl Endpoint {
    /// The endpoint that a path belongs to, on either authorization server.
    pub fn of(path: &str) -> Option<Endpoint> {
        if path == "/.well-known/okta-organization" {
            return Some(Endpoint::Organization);
        }
        if path.contains("/.well-known/") {
            return Some(Endpoint::Discovery);
        }
        if path.starts_with("/api/v1/") {
            return Some(Endpoint::Api);
        }
        match path.rsplit_once("/v1/")?.1 {
            "keys" => Some(Endpoint::Keys),
            "authorize" => Some(Endpoint::Authorize),
            "token" => Some(Endpoint::Token),
            "userinfo" => Some(Endpoint::Userinfo),
            "introspect" => Some(Endpoint::Introspect),
            "revoke" => Some(Endpoint::Revoke),
            "logout" => Some(Endpoint::Logout),
            _ => None,
        }
    }
}

/// What befalls the requests of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transport {
    /// Wait this long before answering.
    pub delay_ms: u64,
    /// And then answer like this.
    pub trouble: Option<Trouble>,
    /// Only for so many requests; afterwards the endpoint recovers.
    pub times: Option<u32>,
}

impl Transport {
    /// Trouble without delay, until switched off.
    pub fn trouble(trouble: Trouble) -> Transport {
        Transport {
            trouble: Some(trouble),
            ..Transport::default()
        }
    }

    /// An honest answer, late.
    pub fn slow(delay_ms: u64) -> Transport {
        Transport {
            delay_ms,
            ..Transport::default()
        }
    }
}

/// An answer that goes wrong whatever it would have said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The connection is accepted and stays silent.
    NeverAnswer,
    /// The honest body, one byte at a time.
    Drip { every_ms: u64 },
    /// The honest headers and half the body, then silence.
    Stall,
    /// The honest headers and half the body, then the connection breaks.
    Cut,
    /// 500 with Okta's E0000009.
    ServerError,
    /// 429 with Okta's E0000047; `X-Rate-Limit-Reset` lies this many seconds ahead.
    RateLimited { reset_in: i64 },
    /// Any status with any body.
    Status {
        status: u16,
        content_type: String,
        body: String,
    },
    /// 200 and a page, as a captive portal or an inspecting proxy answers.
    Html,
    /// 302 to elsewhere.
    Redirect { location: String },
    /// 200 with no body.
    Empty,
    /// The first half of the honest body, with a correct length.
    Truncated,
    /// A byte order mark before the honest body.
    ByteOrderMark,
    /// Every member of the honest object twice; the first one lies.
    DuplicateKeys,
    /// An array so deep that a recursive parser would fall through its stack.
    DeepNesting { depth: usize },
    /// The honest object with a member holding half a surrogate pair.
    LoneSurrogate,
    /// The honest object with a member of so many bytes; written piece by piece, never held whole.
    Huge { bytes: u64 },
    /// So many zero bytes, gzipped, declared by `Content-Encoding: gzip`.
    GzipBomb { bytes: u64 },
    /// The honest body declared as `text/plain`.
    WrongContentType,
}

/// Wrong metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetadataFault {
    /// `issuer` is another one.
    Issuer(String),
    /// `issuer` ends in a slash.
    IssuerTrailingSlash,
    /// `issuer` is that of the organisation's other authorization server.
    IssuerOtherServer,
    /// Every endpoint is plain http on a host that is not loopback.
    HttpEndpoints,
    /// The token endpoint is at this address.
    TokenEndpoint(String),
    /// The key set is at this address.
    JwksUri(String),
    /// `authorization_response_iss_parameter_supported` is true (RFC 9207).
    AnnounceIss,
    /// HS256 and `none` are advertised for ID tokens, as bait.
    WeakAlgorithms,
    /// These members are set.
    Set(Map<String, Value>),
    /// These members are absent.
    Remove(Vec<String>),
}

/// A wrong key set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeysFault {
    /// No key at all.
    Empty,
    /// The signing key is not published; another key of the right kind is.
    Withhold,
    /// Another party's key under our `kid`.
    Stranger,
    /// The signing key twice.
    Duplicate,
    /// No key has a `kid`.
    NoKid,
    /// The signing key says it is for another algorithm (`PS256`).
    OtherAlg,
    /// The signing key says `use: enc`.
    UseEncryption,
    /// So many further good keys stand before the signing key.
    Crowd(usize),
    /// One key of every odd kind stands before the good ones.
    Odd,
    /// The signing key appears in this odd form only.
    Replaced(OddKey),
}

/// Keys that have made verifiers fall over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OddKey {
    /// `kty: EC` where RSA is expected.
    EllipticCurve,
    /// `kty: RSA` with elliptic-curve members.
    CurveInRsa,
    ModulusZero,
    ExponentOne,
    Bits512,
    Bits16384,
    /// `kty` that no one knows.
    UnknownKty,
    /// `x5c` is an empty list.
    EmptyX5c,
    /// `n` is missing.
    NoModulus,
    /// `n` is not base64url.
    BadBase64,
}

impl OddKey {
    /// All of them.
    pub const ALL: [OddKey; 10] = [
        OddKey::EllipticCurve,
        OddKey::CurveInRsa,
        OddKey::ModulusZero,
        OddKey::ExponentOne,
        OddKey::Bits512,
        OddKey::Bits16384,
        OddKey::UnknownKty,
        OddKey::EmptyX5c,
        OddKey::NoModulus,
        OddKey::BadBase64,
    ];
}

/// A wrong way back to the client's redirect URI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorizeFault {
    /// Nobody signs in: this error comes back at once.
    Error {
        error: String,
        description: Option<String>,
    },
    /// Whoever signs in is not assigned to the app.
    Unassigned,
    /// The authorization server's policy admits nobody.
    PolicyFailed,
    /// The right `iss` parameter (RFC 9207), which Okta does not send.
    IssRight,
    /// An `iss` parameter of this value.
    Iss(String),
    /// No `state`.
    StateMissing,
    /// This `state`.
    State(String),
    /// `state` twice: a lie, then the truth.
    StateTwice,
    /// No `code`.
    CodeMissing,
    /// This `code`.
    Code(String),
    /// `code` twice: a lie, then the truth.
    CodeTwice,
    /// `code` and `error` together.
    CodeAndError,
    /// One more parameter.
    Parameter(String, String),
}

/// A wrong token answer around the tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFault {
    /// `token_type` is `bearer` (lawful: it is compared without case).
    TypeLowerCase,
    /// `token_type` is this.
    Type(String),
    /// No `expires_in` (lawful).
    NoExpiresIn,
    NoIdToken,
    NoAccessToken,
    /// This error, whatever was asked.
    Error {
        status: u16,
        error: String,
        description: String,
    },
    /// The key is rotated just before the answer is signed.
    RotateKeys {
        keep_old: bool,
    },
    /// These members are set.
    Set(Map<String, Value>),
    /// These members are absent.
    Remove(Vec<String>),
}

/// A wrong userinfo answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserinfoFault {
    /// The claims of someone else, `sub` and all.
    SomeoneElse,
    SubMissing,
    /// This `sub` over the right person's claims.
    Sub(Value),
    /// 401 as for a bad token.
    Unauthorized,
    /// 403 as for missing scopes.
    InsufficientScope,
    /// A signed JWT (`application/jwt`) instead of JSON.
    Signed,
    EmailVerified(Value),
    ClaimSources,
    /// These claims are set.
    Set(Map<String, Value>),
    /// These claims are absent.
    Remove(Vec<String>),
}

/// What can be the matter with the groups claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupsFault {
    /// The filter matches more than a hundred groups, which Okta refuses.
    TooMany,
    /// A single-valued expression yields a string where a list is expected.
    SingleString,
    /// An expression yields so many names.
    Many(usize),
}
