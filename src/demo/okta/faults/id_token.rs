//! Wrong ID tokens by name, and which of them a relying party must refuse or accept (OpenID Connect Core §3.1.3.7).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A wrong ID token: its claims first, then its signature and its shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdTokenFault {
    NonceMissing,
    NonceWrong,
    /// This nonce, such as that of another login.
    Nonce(String),
    /// Another issuer.
    Iss(String),
    IssTrailingSlash,
    /// The organisation's other authorization server.
    IssOtherServer,
    IssMissing,
    /// Another client.
    AudOther,
    AudMissing,
    AudEmptyList,
    /// `[us]` (lawful).
    AudList,
    /// `[us, another]` without `azp`.
    AudTwo,
    /// `[us, another]` with `azp` naming us.
    AudTwoAzpUs,
    /// `[us, another]` with `azp` naming the other.
    AudTwoAzpOther,
    /// Our `aud`, but `azp` names another.
    AzpOther,
    SubMissing,
    SubEmpty,
    SubNull,
    SubNumber,
    /// 256 characters; the limit is 255.
    SubLong,
    /// Another person.
    SubOther,
    IatMissing,
    /// Issued so many seconds from now.
    IatAhead(i64),
    /// Issued so many seconds ago.
    IatAgo(i64),
    ExpMissing,
    /// Expired so many seconds ago.
    ExpAgo(i64),
    ExpString,
    ExpNegative,
    /// 1e300.
    ExpHuge,
    /// Not before so many seconds from now.
    NbfAhead(i64),
    /// Last proved credentials so many seconds ago.
    AuthTimeAgo(i64),
    AtHashWrong,
    /// No `at_hash` (lawful in the code flow).
    AtHashMissing,
    /// `email_verified` of any JSON type.
    EmailVerified(Value),
    /// Aggregated and distributed claims that point back here, to see whether they are fetched.
    ClaimSources,
    /// These claims are set.
    Set(Map<String, Value>),
    /// These claims are absent.
    Remove(Vec<String>),
    /// One bit of the signature differs.
    SignatureAltered,
    /// The payload was changed after signing.
    PayloadAltered,
    /// No signature part.
    SignatureEmpty,
    /// `alg: none`, nothing after the second dot.
    AlgNone,
    /// HS256 keyed with the client's secret.
    Hs256ClientSecret,
    /// HS256 keyed with the signing key's public PEM.
    Hs256PublicKey,
    /// `alg: ES256` with 64 meaningless bytes.
    Es256Garbage,
    /// A proper PS256 or RS384 signature by the right key: anything but the pinned algorithm.
    Alg(String),
    /// Signed by a key that is published with `use: enc`.
    KeyForEncryption,
    /// Signed by another party under our `kid`.
    SignedByStranger,
    /// The same, with the stranger's key and its address in the header (`jwk`, `jku`).
    BringsItsKey,
    /// A `kid` that is not published, and a key that is not either.
    KidUnknown,
    /// No `kid`.
    KidAbsent,
    /// `crit` names an extension that no one knows.
    Crit,
    /// `typ` of the header.
    Typ(String),
    /// Five parts, as an encrypted token has.
    Encrypted,
    /// Not a JWT at all.
    NotAJwt,
    /// A good token with a claim of so many bytes.
    Padded(usize),
}

impl IdTokenFault {
    /// Every ID token that a relying party must refuse.
    pub fn unlawful() -> Vec<IdTokenFault> {
        use IdTokenFault::*;
        vec![
            NonceMissing,
            NonceWrong,
            Nonce("the-nonce-of-another-login".into()),
            Iss("https://globex.okta.example".into()),
            IssTrailingSlash,
            IssOtherServer,
            IssMissing,
            AudOther,
            AudMissing,
            AudEmptyList,
            AudTwo,
            AudTwoAzpUs,
            AudTwoAzpOther,
            AzpOther,
            SubMissing,
            SubEmpty,
            SubNull,
            SubNumber,
            SubLong,
            IatMissing,
            IatAhead(4 * 3600),
            IatAgo(26 * 3600),
            ExpMissing,
            ExpAgo(360),
            ExpString,
            ExpNegative,
            ExpHuge,
            NbfAhead(600),
            AtHashWrong,
            SignatureAltered,
            PayloadAltered,
            SignatureEmpty,
            AlgNone,
            Hs256ClientSecret,
            Hs256PublicKey,
            Es256Garbage,
            Alg("RS384".into()),
            Alg("PS256".into()),
            KeyForEncryption,
            SignedByStranger,
            BringsItsKey,
            KidUnknown,
            Crit,
            Encrypted,
            NotAJwt,
        ]
    }

    /// Unusual ID tokens that a relying party must accept.
    pub fn lawful() -> Vec<IdTokenFault> {
        use IdTokenFault::*;
        vec![
            AudList,
            AtHashMissing,
            KidAbsent,
            ExpAgo(20),
            IatAhead(20),
            NbfAhead(-5),
            ClaimSources,
            EmailVerified(Value::String("false".into())),
            EmailVerified(Value::Null),
            Typ("JWT".into()),
        ]
    }
}
