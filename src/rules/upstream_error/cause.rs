//! Every reason for which a sign-in at the upstream does not succeed, its stable name, and who has to act.

/// What went wrong, each with a stable name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    // What the provider said on the callback.
    UserNotAssigned,
    PolicyDenied,
    ScopesDenied,
    SignInCancelled,
    NetworkZone,
    SessionInvalid,
    PasswordExpired,
    AccessDenied,
    LoginRequired,
    ConsentRequired,
    AcrNotMet,
    InvalidScope,
    PkceRequired,
    AuthorizeRequestRefused,
    ClientNotAllowed,
    GroupsOverflow,
    ClaimFailed,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    UnknownError,
    // The callback did not come from whom it should (RFC 9207).
    CallbackIssuerMismatch,
    CallbackIssuerMissing,
    // The network.
    DnsFailed,
    AddressRefused,
    ConnectFailed,
    ConnectTimeout,
    TlsHandshakeFailed,
    TlsIntercepted,
    Timeout,
    ConnectionLost,
    ResponseTooLarge,
    ResponseMalformed,
    RedirectRefused,
    TooManyAtOnce,
    CircuitOpen,
    // Metadata and keys.
    DiscoveryNotFound,
    DiscoveryFailed,
    IssuerMismatch,
    EndpointRefused,
    JwksFetchFailed,
    // The token endpoint.
    ClientAuthFailed,
    CodeRejected,
    PkceFailed,
    RedirectUriMismatch,
    GrantNotAllowed,
    DpopRequired,
    TokenRequestRefused,
    // The ID token (OIDC Core §3.1.3.7).
    IdTokenMissing,
    IdTokenMalformed,
    AlgorithmMismatch,
    UnknownKid,
    SignatureInvalid,
    TokenIssuerMismatch,
    AudienceMismatch,
    AzpMismatch,
    SubjectInvalid,
    TokenExpired,
    IssuedAtInvalid,
    NotYetValid,
    ClockSkew,
    NonceMismatch,
    AtHashMismatch,
    AuthTimeTooOld,
    // Userinfo.
    UserinfoFailed,
    UserinfoSubjectMismatch,
    // Our side of the registration.
    ConnectionMisconfigured,
}

/// Who has to act, which decides the page and the app's error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The organisation does not let this person in here.
    NotAllowed,
    /// The person has to do something at the provider first.
    Again,
    /// The provider cannot be reached or does not work.
    Down,
    /// The connection is not set up right, on either side.
    Misconfigured,
    /// The answer cannot be trusted.
    Untrusted,
}

impl Cause {
    /// The stable name: Okta's decisions in lower case, what we found in upper case.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    pub(super) fn kind(self) -> Kind {
        self.facts().1
    }

    fn facts(self) -> (&'static str, Kind) {
        use Cause::*;
        use Kind::*;
        match self {
            UserNotAssigned => ("user_not_assigned", NotAllowed),
            PolicyDenied => ("policy_denied", NotAllowed),
            ScopesDenied => ("scopes_denied", NotAllowed),
            SignInCancelled => ("sign_in_cancelled", NotAllowed),
            NetworkZone => ("network_zone", NotAllowed),
            SessionInvalid => ("session_invalid", Again),
            PasswordExpired => ("password_expired", NotAllowed),
            AccessDenied => ("access_denied", NotAllowed),
            LoginRequired => ("login_required", Again),
            ConsentRequired => ("consent_required", Again),
            AcrNotMet => ("acr_not_met", NotAllowed),
            InvalidScope => ("invalid_scope", Misconfigured),
            PkceRequired => ("pkce_refused", Misconfigured),
            AuthorizeRequestRefused => ("authorize_request_refused", Misconfigured),
            ClientNotAllowed => ("client_not_allowed", Misconfigured),
            GroupsOverflow => ("groups_overflow", Misconfigured),
            ClaimFailed => ("claim_failed", Misconfigured),
            ProviderError => ("provider_error", Down),
            ProviderUnavailable => ("provider_unavailable", Down),
            RateLimited => ("rate_limited", Down),
            UnknownError => ("upstream_error", Untrusted),
            CallbackIssuerMismatch => ("CALLBACK_ISSUER_MISMATCH", Untrusted),
            CallbackIssuerMissing => ("CALLBACK_ISSUER_MISSING", Untrusted),
            DnsFailed => ("DNS_FAILED", Down),
            AddressRefused => ("ADDRESS_REFUSED", Misconfigured),
            ConnectFailed => ("CONNECT_FAILED", Down),
            ConnectTimeout => ("CONNECT_TIMEOUT", Down),
            TlsHandshakeFailed => ("TLS_HANDSHAKE_FAILED", Down),
            TlsIntercepted => ("TLS_INTERCEPTED", Down),
            Timeout => ("TIMEOUT", Down),
            ConnectionLost => ("CONNECTION_LOST", Down),
            ResponseTooLarge => ("RESPONSE_TOO_LARGE", Misconfigured),
            ResponseMalformed => ("RESPONSE_MALFORMED", Misconfigured),
            RedirectRefused => ("REDIRECT_REFUSED", Misconfigured),
            TooManyAtOnce => ("TOO_MANY_AT_ONCE", Down),
            CircuitOpen => ("provider_unavailable", Down),
            DiscoveryNotFound => ("DISCOVERY_404", Misconfigured),
            DiscoveryFailed => ("DISCOVERY_FAILED", Down),
            IssuerMismatch => ("ISSUER_MISMATCH", Misconfigured),
            EndpointRefused => ("ENDPOINT_REFUSED", Misconfigured),
            JwksFetchFailed => ("JWKS_FETCH_FAILED", Down),
            ClientAuthFailed => ("CLIENT_AUTH_FAILED", Misconfigured),
            CodeRejected => ("CODE_REJECTED", Again),
            PkceFailed => ("PKCE_FAILED", Untrusted),
            RedirectUriMismatch => ("REDIRECT_URI_MISMATCH", Misconfigured),
            GrantNotAllowed => ("GRANT_NOT_ALLOWED", Misconfigured),
            DpopRequired => ("DPOP_REQUIRED", Misconfigured),
            TokenRequestRefused => ("TOKEN_REQUEST_REFUSED", Misconfigured),
            IdTokenMissing => ("ID_TOKEN_MISSING", Misconfigured),
            IdTokenMalformed => ("ID_TOKEN_MALFORMED", Untrusted),
            AlgorithmMismatch => ("ALGORITHM_MISMATCH", Untrusted),
            UnknownKid => ("UNKNOWN_KID", Untrusted),
            SignatureInvalid => ("SIGNATURE_INVALID", Untrusted),
            TokenIssuerMismatch => ("BAD_ID_TOKEN_ISSUER", Misconfigured),
            AudienceMismatch => ("AUDIENCE_MISMATCH", Untrusted),
            AzpMismatch => ("AZP_MISMATCH", Untrusted),
            SubjectInvalid => ("SUBJECT_INVALID", Untrusted),
            TokenExpired => ("TOKEN_EXPIRED", Untrusted),
            IssuedAtInvalid => ("ISSUED_AT_INVALID", Untrusted),
            NotYetValid => ("NOT_YET_VALID", Untrusted),
            ClockSkew => ("CLOCK_SKEW", Misconfigured),
            NonceMismatch => ("NONCE_MISMATCH", Untrusted),
            AtHashMismatch => ("AT_HASH_MISMATCH", Untrusted),
            AuthTimeTooOld => ("AUTH_TIME_TOO_OLD", Untrusted),
            UserinfoFailed => ("USERINFO_FAILED", Down),
            UserinfoSubjectMismatch => ("USERINFO_SUBJECT_MISMATCH", Untrusted),
            ConnectionMisconfigured => ("CONNECTION_MISCONFIGURED", Misconfigured),
        }
    }
}
