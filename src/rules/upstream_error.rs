//! Why a sign-in at the upstream did not succeed, and what that means to each of the people concerned: the user at the
//! page, the downstream app, the administrator who reads the trace.
//!
//! A cause comes from the provider's own error on the callback (OIDC Core §3.1.2.6 and Okta's extensions) or from what
//! `upstream` found when it asked. `error` decides; Okta's description only refines, since its wording changes. Nothing
//! that an upstream wrote reaches a page or an app: they get our sentences, the trace gets bounded plain text.

use crate::world::UnixTime;

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

/// A refusal in the words of everyone who meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable name: for the trace, the log and tests.
    pub cause: &'static str,
    pub title: &'static str,
    /// What happened, for the user.
    pub what: &'static str,
    /// What the user can do.
    pub next: &'static str,
    /// What an administrator of the provider or of this connection can do; only for the trace.
    pub remedy: &'static str,
    /// For the app: RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6.
    pub oauth_error: &'static str,
    pub oauth_description: String,
    /// Signing in as someone else may help: offer it (with `prompt=login`, or Okta's session answers again).
    pub other_account: bool,
    /// Trying again as the same person may help.
    pub retry: bool,
    /// When trying again makes sense, where the provider said so.
    pub retry_at: Option<UnixTime>,
    /// Something is broken or misconfigured, as opposed to a decision about this user.
    pub failed: bool,
}

/// The cause that the provider's callback error stands for.
pub fn of_callback(error: &str, description: Option<&str>) -> Cause {
    let said = description.unwrap_or_default().to_ascii_lowercase();
    let says = |words: &str| said.contains(words);
    match error {
        "access_denied" if says("not assigned") => Cause::UserNotAssigned,
        "access_denied" if says("policy evaluation failed") => Cause::PolicyDenied,
        "access_denied" if says("requested scopes") => Cause::ScopesDenied,
        "access_denied" if says("canceled") || says("cancelled") => Cause::SignInCancelled,
        "access_denied" if says("network zone") => Cause::NetworkZone,
        "access_denied" if says("invalid session") => Cause::SessionInvalid,
        "access_denied" if says("password is expired") => Cause::PasswordExpired,
        "access_denied" => Cause::AccessDenied,
        "login_required" | "interaction_required" | "account_selection_required" => Cause::LoginRequired,
        "consent_required" if says("not allowed any") => Cause::InvalidScope,
        "consent_required" => Cause::ConsentRequired,
        "unmet_authentication_requirements" => Cause::AcrNotMet,
        "invalid_scope" => Cause::InvalidScope,
        "invalid_request" if says("pkce") || says("code_challenge") => Cause::PkceRequired,
        "invalid_request"
        | "unsupported_response_type"
        | "unsupported_response_mode"
        | "invalid_request_object"
        | "request_not_supported"
        | "request_uri_not_supported" => Cause::AuthorizeRequestRefused,
        "unauthorized_client" | "invalid_client" => Cause::ClientNotAllowed,
        "server_error" if says("groups claim") => Cause::GroupsOverflow,
        "server_error" if says("claim could not be evaluated") => Cause::ClaimFailed,
        "server_error" => Cause::ProviderError,
        "temporarily_unavailable" => Cause::ProviderUnavailable,
        _ => Cause::UnknownError,
    }
}

/// Who has to act, which decides the page and the app's error code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
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

    /// The refusal as everyone meets it. `provider` is the connection's name; `detail` may hold a status for the app.
    pub fn refusal(self, provider: &str, status: Option<u16>, retry_at: Option<UnixTime>) -> Refusal {
        let (cause, kind, remedy) = self.facts();
        let (title, what, next) = self.page(kind);
        Refusal {
            cause,
            title,
            what,
            next,
            remedy,
            oauth_error: self.oauth_error(kind),
            oauth_description: self.oauth_description(kind, provider, status),
            other_account: matches!(kind, Kind::NotAllowed) || self == Cause::UserinfoSubjectMismatch,
            retry: !matches!(kind, Kind::NotAllowed | Kind::Misconfigured) || self == Cause::SignInCancelled,
            retry_at,
            failed: !matches!(kind, Kind::NotAllowed | Kind::Again),
        }
    }

    fn page(self, kind: Kind) -> (&'static str, &'static str, &'static str) {
        match self {
            Cause::UserNotAssigned => (
                "You do not have access to this app",
                "You are signed in to your organisation's Okta, but your account is not assigned to this app.",
                "Ask your administrator to assign you to this app, then try again. If you have another account, sign in with that one.",
            ),
            Cause::NetworkZone => (
                "Not allowed from this network",
                "Your organisation does not allow signing in to this app from the network that you are on.",
                "Connect to your organisation's network or VPN and try again, or ask your administrator.",
            ),
            Cause::PasswordExpired => (
                "Your password has expired",
                "Your organisation's Okta says that your password has expired.",
                "Change your password in Okta, then try again.",
            ),
            Cause::SignInCancelled => (
                "Sign-in was cancelled",
                "The sign-in was cancelled before it was finished.",
                "Try again, or sign in with another account.",
            ),
            Cause::GroupsOverflow => (
                "Sign-in is not set up correctly",
                "You are in more groups than your organisation's Okta can pass on to this app.",
                "This is not your mistake. Send the code on this page to your administrator.",
            ),
            Cause::RateLimited => (
                "Too many sign-ins at the moment",
                "Your organisation's sign-in service is limiting requests.",
                "Wait a minute, then try again.",
            ),
            Cause::AcrNotMet => (
                "A stronger sign-in is needed",
                "This app asks for a stronger way of signing in than the one that was used.",
                "Set up the second factor that your organisation offers and try again, or ask your administrator.",
            ),
            Cause::LoginRequired | Cause::ConsentRequired => (
                "Please sign in",
                "Your organisation's sign-in service wants you to sign in or to agree first.",
                "Start again from the app.",
            ),
            Cause::CodeRejected => (
                "This sign-in has expired",
                "The sign-in took too long or was already used.",
                "Start again from the app.",
            ),
            Cause::ClockSkew => (
                "The sign-in could not be checked",
                "The clocks of the two sign-in services differ too much.",
                "This is not your mistake. Send the code on this page to your administrator.",
            ),
            _ => match kind {
                Kind::NotAllowed => (
                    "Your organisation did not let you in",
                    "Your organisation's sign-in service refused access to this app.",
                    "Ask your administrator for access, or sign in with another account.",
                ),
                Kind::Again => (
                    "Please sign in again",
                    "Your organisation's sign-in service could not finish this sign-in.",
                    "Start again from the app.",
                ),
                Kind::Down => (
                    "Your organisation's sign-in service does not answer",
                    "We could not complete the sign-in because your organisation's sign-in service is not working or cannot be reached.",
                    "Wait a little, then try again. If it goes on, send the code on this page to your administrator.",
                ),
                Kind::Misconfigured => (
                    "Sign-in is not set up correctly",
                    "The connection between this app and your organisation's sign-in service has a configuration problem.",
                    "This is not your mistake, and trying again will not help. Send the code on this page to your administrator.",
                ),
                Kind::Untrusted => (
                    "The sign-in could not be verified",
                    "The answer of your organisation's sign-in service did not pass our checks, so nobody was signed in.",
                    "Start again from the app. If it happens again, send the code on this page to your administrator.",
                ),
            },
        }
    }

    fn oauth_error(self, kind: Kind) -> &'static str {
        match self {
            Cause::LoginRequired => "login_required",
            Cause::ConsentRequired => "consent_required",
            Cause::AcrNotMet => "unmet_authentication_requirements",
            Cause::RateLimited => "temporarily_unavailable",
            _ => match kind {
                Kind::NotAllowed | Kind::Again => "access_denied",
                Kind::Down => "temporarily_unavailable",
                Kind::Misconfigured | Kind::Untrusted => "server_error",
            },
        }
    }

    /// Cognito's wording where it has one.
    fn oauth_description(self, kind: Kind, provider: &str, status: Option<u16>) -> String {
        let provider = plain(provider, 64);
        match self {
            Cause::Timeout | Cause::ConnectTimeout => "Timeout occurred in calling IdP token endpoint".into(),
            Cause::JwksFetchFailed => "Timeout in calling jwks uri".into(),
            Cause::ConnectionLost | Cause::ConnectFailed => "Connection reset".into(),
            Cause::TokenIssuerMismatch => "Bad id_token issuer".into(),
            Cause::UserNotAssigned => "User is not assigned to the client application.".into(),
            Cause::LoginRequired => "Login required".into(),
            Cause::ConsentRequired => "Consent required".into(),
            _ => match (kind, status) {
                (_, Some(status)) => format!("{provider} Error - {status} error getting token"),
                (Kind::NotAllowed | Kind::Again, None) => {
                    format!("{provider} refused the sign-in: {}", self.name())
                }
                (Kind::Down, None) => format!("{provider} is unavailable: {}", self.name()),
                (Kind::Misconfigured, None) => {
                    format!("{provider} is not configured correctly: {}", self.name())
                }
                (Kind::Untrusted, None) => format!("{provider} answer refused: {}", self.name()),
            },
        }
    }

    /// Name, kind, and what the administrator can do.
    fn facts(self) -> (&'static str, Kind, &'static str) {
        use Cause::*;
        use Kind::*;
        match self {
            UserNotAssigned => (
                "user_not_assigned",
                NotAllowed,
                "In the Okta Admin Console open Applications, this app, Assignments, and assign the user or one of their groups.",
            ),
            PolicyDenied => (
                "policy_denied",
                NotAllowed,
                "In Okta open Security, API, the authorization server of this issuer, Access Policies: a policy with a rule must match this client, the user and the scopes. The org server (issuer without /oauth2/...) needs none.",
            ),
            ScopesDenied => (
                "scopes_denied",
                NotAllowed,
                "An access policy rule of the authorization server denies some of the scopes of this connection: allow them in the rule, or take them out of the connection's scopes.",
            ),
            SignInCancelled => (
                "sign_in_cancelled",
                NotAllowed,
                "Nothing to do: the user cancelled at the provider.",
            ),
            NetworkZone => (
                "network_zone",
                NotAllowed,
                "The Okta app admits certain network zones only: check the app's or client's network zones, and whether they apply to this server's address, too.",
            ),
            SessionInvalid => (
                "session_invalid",
                Again,
                "The user's Okta session ended during the sign-in; they should sign in again.",
            ),
            PasswordExpired => (
                "password_expired",
                NotAllowed,
                "The user has to change the expired password in Okta.",
            ),
            AccessDenied => (
                "access_denied",
                NotAllowed,
                "Okta denied the request without saying why: look for this user's sign-in in Okta's System Log (Reports). Usual reasons: consent refused, or a sign-on policy.",
            ),
            LoginRequired => (
                "login_required",
                Again,
                "The app asked for a silent sign-in (prompt=none), but Okta has no session or wants another factor; the app should send the user through an ordinary sign-in.",
            ),
            ConsentRequired => (
                "consent_required",
                Again,
                "Okta wants the user's consent, which a silent sign-in cannot ask for: in Okta set User consent of the app or of the scopes to not required, or let users sign in interactively once.",
            ),
            AcrNotMet => (
                "acr_not_met",
                NotAllowed,
                "The app asked for an assurance level (acr_values) that was not reached: check the user's enrolled factors and the app's authentication policy in Okta.",
            ),
            InvalidScope => (
                "invalid_scope",
                Misconfigured,
                "The connection asks for a scope that this authorization server does not know or that the app was not granted. A custom server has no 'groups' scope unless somebody made one; okta.* scopes exist on the org server only and must be granted on the app's Okta API Scopes tab.",
            ),
            PkceRequired => (
                "pkce_refused",
                Misconfigured,
                "Okta did not accept the PKCE challenge, although one is always sent with S256: check what stands between the browser and Okta, and the app's PKCE setting.",
            ),
            AuthorizeRequestRefused => (
                "authorize_request_refused",
                Misconfigured,
                "Okta refused the authorization request: the description in this trace says which parameter. Check that the app is an OIDC Web Application with the Authorization Code grant.",
            ),
            ClientNotAllowed => (
                "client_not_allowed",
                Misconfigured,
                "In Okta's app settings: the app must be active, of type Web Application, with the Authorization Code grant ticked, and allowed on this authorization server.",
            ),
            GroupsOverflow => (
                "groups_overflow",
                Misconfigured,
                "The groups claim matches more than 100 groups of this user: narrow its filter on the app's Sign On tab (for example 'Starts with'), or use an expression.",
            ),
            ClaimFailed => (
                "claim_failed",
                Misconfigured,
                "A claim of this app or authorization server could not be evaluated in Okta: check the claim expressions (Security, API, Claims; or the app's Sign On tab).",
            ),
            ProviderError => (
                "provider_error",
                Down,
                "Okta answered with an internal error: see Okta's System Log and status page.",
            ),
            ProviderUnavailable => (
                "provider_unavailable",
                Down,
                "The provider answered with a server error or says it is overloaded: see Okta's status page, then try again.",
            ),
            RateLimited => (
                "rate_limited",
                Down,
                "Okta's rate limit was reached: see Reports, Rate Limits in the Okta Admin Console; it resets within a minute or so.",
            ),
            UnknownError => (
                "upstream_error",
                Untrusted,
                "The provider answered with an error that is not in the standards: this trace has its name and description.",
            ),
            CallbackIssuerMismatch => (
                "CALLBACK_ISSUER_MISMATCH",
                Untrusted,
                "The answer names another issuer than this connection's (RFC 9207): it was meant for another connection, or somebody mixes two providers up. No code was sent anywhere.",
            ),
            CallbackIssuerMissing => (
                "CALLBACK_ISSUER_MISSING",
                Untrusted,
                "The provider's metadata announces the iss parameter (RFC 9207), but the answer has none: something between the provider and us removed it.",
            ),
            DnsFailed => (
                "DNS_FAILED",
                Down,
                "The provider's host name cannot be resolved from this server: check the spelling of the issuer and this server's DNS.",
            ),
            AddressRefused => (
                "ADDRESS_REFUSED",
                Misconfigured,
                "The provider's address is private, local or not https, and such addresses are refused. For development, name the host in the allow-list of outbound hosts.",
            ),
            ConnectFailed => (
                "CONNECT_FAILED",
                Down,
                "The provider's host refuses connections from this server: check the port and the firewall's outbound rules (TCP 443).",
            ),
            ConnectTimeout => (
                "CONNECT_TIMEOUT",
                Down,
                "No connection to the provider came about in time: let this server reach the Okta domain on TCP 443, or set the outbound proxy.",
            ),
            TlsHandshakeFailed => (
                "TLS_HANDSHAKE_FAILED",
                Down,
                "TLS with the provider failed, see the detail: an expired or wrong certificate, a CA that this server does not know (set the CA bundle), or a TLS version below 1.2.",
            ),
            TlsIntercepted => (
                "TLS_INTERCEPTED",
                Down,
                "The certificate does not come from a public CA: a proxy on the way seems to inspect TLS. Exempt the Okta domain from inspection, or give this server the proxy's CA certificate as CA bundle.",
            ),
            Timeout => (
                "TIMEOUT",
                Down,
                "The provider took the request but did not finish its answer within ten seconds: see Okta's status page.",
            ),
            ConnectionLost => (
                "CONNECTION_LOST",
                Down,
                "The connection broke before the provider had finished its answer: see what stands between this server and the provider.",
            ),
            ResponseTooLarge => (
                "RESPONSE_TOO_LARGE",
                Misconfigured,
                "The provider's answer is larger than 1 MiB and was not read to its end: check the endpoint's URL, and narrow the groups claim.",
            ),
            ResponseMalformed => (
                "RESPONSE_MALFORMED",
                Misconfigured,
                "The provider's answer is not the JSON that the standard asks for: check the endpoint's URL; an HTML page usually means that something answers in Okta's place.",
            ),
            RedirectRefused => (
                "REDIRECT_REFUSED",
                Misconfigured,
                "The endpoint answered with a redirect, which is never followed: set the issuer to the address that the provider itself uses.",
            ),
            TooManyAtOnce => (
                "TOO_MANY_AT_ONCE",
                Down,
                "Too many requests to this provider are under way already, because it answers slowly: see Okta's status page.",
            ),
            CircuitOpen => (
                "provider_unavailable",
                Down,
                "The provider failed several times in a row, so it is left alone for a moment; the earlier traces of this connection show how it failed.",
            ),
            DiscoveryNotFound => (
                "DISCOVERY_404",
                Misconfigured,
                "There is no discovery document under this issuer. For the org server the issuer is https://{your Okta domain}; a custom server's is shown under Security, API in Okta.",
            ),
            DiscoveryFailed => (
                "DISCOVERY_FAILED",
                Down,
                "The provider's discovery document cannot be read: open {issuer}/.well-known/openid-configuration from this server's network and compare.",
            ),
            IssuerMismatch => (
                "ISSUER_MISMATCH",
                Misconfigured,
                "The discovery document names another issuer than the connection has; they must be equal to the letter. In Okta set the app's Issuer (Sign On tab, OpenID Connect ID Token) to the Okta URL instead of Dynamic, or change the connection's issuer.",
            ),
            EndpointRefused => (
                "ENDPOINT_REFUSED",
                Misconfigured,
                "The discovery document names an endpoint that is not an https URL; it is not used.",
            ),
            JwksFetchFailed => (
                "JWKS_FETCH_FAILED",
                Down,
                "The provider's signing keys cannot be fetched: open its jwks_uri from this server's network and compare.",
            ),
            ClientAuthFailed => (
                "CLIENT_AUTH_FAILED",
                Misconfigured,
                "The provider does not accept our client credentials: compare client ID and secret with the app's General tab in Okta (a secret shown there may have been replaced), and its Client authentication method.",
            ),
            CodeRejected => (
                "CODE_REJECTED",
                Again,
                "The provider says the authorization code is unknown, used or older than five minutes. If it happens to everyone, compare the clocks and look for something that opens links twice.",
            ),
            PkceFailed => (
                "PKCE_FAILED",
                Untrusted,
                "The provider says that the code was issued for another login (PKCE): this may be an attack, or a proxy that mixes up requests.",
            ),
            RedirectUriMismatch => (
                "REDIRECT_URI_MISMATCH",
                Misconfigured,
                "The redirect URI at the token endpoint differs from the one at the authorization endpoint: the public URL of this server changed during the login.",
            ),
            GrantNotAllowed => (
                "GRANT_NOT_ALLOWED",
                Misconfigured,
                "The Okta app may not use the Authorization Code grant: tick it on the app's General tab.",
            ),
            DpopRequired => (
                "DPOP_REQUIRED",
                Misconfigured,
                "The Okta app requires DPoP: untick 'Require Demonstrating Proof of Possession (DPoP) header in token requests' on the app's General tab.",
            ),
            TokenRequestRefused => (
                "TOKEN_REQUEST_REFUSED",
                Misconfigured,
                "The provider refused the token request; the detail has its error.",
            ),
            IdTokenMissing => (
                "ID_TOKEN_MISSING",
                Misconfigured,
                "The provider issued no ID token: the scope 'openid' must be among the connection's scopes and allowed at the provider.",
            ),
            IdTokenMalformed => (
                "ID_TOKEN_MALFORMED",
                Untrusted,
                "The ID token is not a signed JWT as OpenID Connect has it; encrypted ID tokens are not supported (in Okta, switch ID token encryption off).",
            ),
            AlgorithmMismatch => (
                "ALGORITHM_MISMATCH",
                Untrusted,
                "The ID token is signed with another algorithm than the connection admits; Okta always uses RS256.",
            ),
            UnknownKid => (
                "UNKNOWN_KID",
                Untrusted,
                "The ID token is signed with a key that the issuer does not publish. In Okta, an app with a key of its own publishes it at jwks_uri?client_id=...; else check that the issuer is right.",
            ),
            SignatureInvalid => (
                "SIGNATURE_INVALID",
                Untrusted,
                "The ID token's signature is wrong: it was changed on the way or made by somebody else.",
            ),
            TokenIssuerMismatch => (
                "BAD_ID_TOKEN_ISSUER",
                Misconfigured,
                "The ID token's iss differs from the connection's issuer. In Okta set the app's Issuer (Sign On tab, OpenID Connect ID Token) to the Okta URL instead of Dynamic, and use one domain throughout.",
            ),
            AudienceMismatch => (
                "AUDIENCE_MISMATCH",
                Untrusted,
                "The ID token was issued for another client than this connection's client ID.",
            ),
            AzpMismatch => (
                "AZP_MISMATCH",
                Untrusted,
                "The ID token's authorized party (azp) is another client.",
            ),
            SubjectInvalid => (
                "SUBJECT_INVALID",
                Untrusted,
                "The ID token's sub is missing or not 1 to 255 ASCII characters.",
            ),
            TokenExpired => (
                "TOKEN_EXPIRED",
                Untrusted,
                "The ID token has expired already or has no usable exp: compare this server's clock with the provider's.",
            ),
            IssuedAtInvalid => (
                "ISSUED_AT_INVALID",
                Untrusted,
                "The ID token's iat is missing, in the future or too long ago: compare this server's clock with the provider's.",
            ),
            NotYetValid => (
                "NOT_YET_VALID",
                Untrusted,
                "The ID token is not valid yet (nbf): compare this server's clock with the provider's.",
            ),
            ClockSkew => (
                "CLOCK_SKEW",
                Misconfigured,
                "This server's clock and the provider's differ by more than a minute: set up time synchronisation (NTP) on this server.",
            ),
            NonceMismatch => (
                "NONCE_MISMATCH",
                Untrusted,
                "The ID token belongs to another login (nonce): this may be an attempt to slip in somebody else's sign-in.",
            ),
            AtHashMismatch => (
                "AT_HASH_MISMATCH",
                Untrusted,
                "Access token and ID token do not belong together (at_hash).",
            ),
            AuthTimeTooOld => (
                "AUTH_TIME_TOO_OLD",
                Untrusted,
                "A fresh sign-in was asked for (prompt=login or max_age), but the provider answered with an older one or without auth_time.",
            ),
            UserinfoFailed => (
                "USERINFO_FAILED",
                Down,
                "The provider's userinfo endpoint did not answer with the user's claims; the detail says how.",
            ),
            UserinfoSubjectMismatch => (
                "USERINFO_SUBJECT_MISMATCH",
                Untrusted,
                "Userinfo speaks of another user than the ID token (sub): none of it was used.",
            ),
            ConnectionMisconfigured => (
                "CONNECTION_MISCONFIGURED",
                Misconfigured,
                "This connection's own settings are incomplete or contradictory; the detail says which.",
            ),
        }
    }
}

/// Upstream text made harmless: at most `limit` characters of printable ASCII without quotes, backslashes and angle
/// brackets, blanks collapsed (RFC 6749 §4.1.2.1 admits no more in a description).
pub fn plain(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for c in text.chars() {
        let c = match c {
            ' '..='~' if !matches!(c, '"' | '\\' | '<' | '>') => c,
            '"' => '\'',
            _ if c.is_whitespace() || c.is_control() => ' ',
            _ => '?',
        };
        if c == ' ' && (out.is_empty() || out.ends_with(' ')) {
            continue;
        }
        if length == limit {
            out.push_str("...");
            break;
        }
        out.push(c);
        length += 1;
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oktas_callback_errors_have_their_causes() {
        for (error, description, expected) in [
            (
                "access_denied",
                "User is not assigned to the client application.",
                "user_not_assigned",
            ),
            (
                "access_denied",
                "Policy evaluation failed for this request, please check the policy configurations.",
                "policy_denied",
            ),
            (
                "access_denied",
                "The resource owner or authorization server denied the request.",
                "access_denied",
            ),
            (
                "access_denied",
                "Some of the requested scopes were denied by the policy. Denied scopes: [x].",
                "scopes_denied",
            ),
            (
                "access_denied",
                "Policy evaluation succeeded, but all the requested scopes were rejected.",
                "scopes_denied",
            ),
            (
                "access_denied",
                "User canceled the social login request.",
                "sign_in_cancelled",
            ),
            (
                "access_denied",
                "The request is made from outside the client's permitted network zones.",
                "network_zone",
            ),
            ("access_denied", "Invalid session.", "session_invalid"),
            (
                "access_denied",
                "The user's password is expired.",
                "password_expired",
            ),
            ("access_denied", "", "access_denied"),
            (
                "login_required",
                "The client specified not to prompt, but the user is not logged in.",
                "login_required",
            ),
            (
                "login_required",
                "Request expired, please start over and try again.",
                "login_required",
            ),
            (
                "consent_required",
                "The following scopes require user consent: [x].",
                "consent_required",
            ),
            (
                "consent_required",
                "You are not allowed any of the requested scopes.",
                "invalid_scope",
            ),
            (
                "invalid_scope",
                "One or more scopes are not configured for the authorization server resource.",
                "invalid_scope",
            ),
            (
                "invalid_request",
                "The authentication request has an invalid 'state' parameter.",
                "authorize_request_refused",
            ),
            (
                "invalid_request",
                "PKCE code challenge is required by the application.",
                "pkce_refused",
            ),
            (
                "invalid_request",
                "Identity provider is not valid.",
                "authorize_request_refused",
            ),
            (
                "unmet_authentication_requirements",
                "Unable to meet the authentication requirements imposed by 'acr_values' parameter.",
                "acr_not_met",
            ),
            ("unsupported_response_type", "", "authorize_request_refused"),
            (
                "unauthorized_client",
                "This client cannot use a custom authorization server.",
                "client_not_allowed",
            ),
            (
                "server_error",
                "The groups claim matched too many groups and must be configured to match fewer groups.",
                "groups_overflow",
            ),
            (
                "server_error",
                "The 'x' system claim could not be evaluated.",
                "claim_failed",
            ),
            ("server_error", "", "provider_error"),
            ("temporarily_unavailable", "", "provider_unavailable"),
            ("something_new", "", "upstream_error"),
            ("", "", "upstream_error"),
        ] {
            assert_eq!(
                of_callback(error, Some(description)).name(),
                expected,
                "{error}: {description}"
            );
        }
    }

    #[test]
    fn an_unassigned_user_is_told_what_to_do_and_may_be_someone_else() {
        let refusal = Cause::UserNotAssigned.refusal("acme-okta", None, None);
        assert!(
            refusal
                .next
                .starts_with("Ask your administrator to assign you to this app")
        );
        assert!(refusal.other_account && !refusal.failed && !refusal.retry);
        assert_eq!(refusal.oauth_error, "access_denied");
    }

    #[test]
    fn nothing_that_the_upstream_wrote_is_repeated() {
        let script = "<script>alert(1)</script>".repeat(200);
        let cause = of_callback(&script, Some(&script));
        let refusal = cause.refusal("acme-okta", None, None);
        assert_eq!(refusal.cause, "upstream_error");
        for text in [
            refusal.what,
            refusal.next,
            refusal.remedy,
            &refusal.oauth_description,
        ] {
            assert!(!text.contains("script"));
        }
        assert_eq!(plain(&script, 40).len(), 43);
        assert!(!plain(&script, 5000).contains(['<', '>']));
    }

    #[test]
    fn plain_text_is_bounded_and_on_one_line() {
        for (text, expected) in [
            ("a\r\n\tb", "a b"),
            ("say \"hi\"", "say 'hi'"),
            ("caf\u{e9}\u{202e}", "caf??"),
            ("", ""),
            ("  x  ", "x"),
            ("abcdefghijkl", "abcdefghij..."),
        ] {
            assert_eq!(plain(text, 10), expected);
        }
    }

    #[test]
    fn apps_get_standard_codes_and_cognitos_words() {
        for (cause, status, error, description) in [
            (
                Cause::Timeout,
                None,
                "temporarily_unavailable",
                "Timeout occurred in calling IdP token endpoint",
            ),
            (
                Cause::ClientAuthFailed,
                Some(401),
                "server_error",
                "Okta Error - 401 error getting token",
            ),
            (
                Cause::ProviderUnavailable,
                Some(500),
                "temporarily_unavailable",
                "Okta Error - 500 error getting token",
            ),
            (Cause::LoginRequired, None, "login_required", "Login required"),
            (
                Cause::NonceMismatch,
                None,
                "server_error",
                "Okta answer refused: NONCE_MISMATCH",
            ),
            (
                Cause::RateLimited,
                None,
                "temporarily_unavailable",
                "Okta is unavailable: rate_limited",
            ),
            (
                Cause::PolicyDenied,
                None,
                "access_denied",
                "Okta refused the sign-in: policy_denied",
            ),
        ] {
            let refusal = cause.refusal("Okta", status, None);
            assert_eq!(
                (refusal.oauth_error, refusal.oauth_description.as_str()),
                (error, description)
            );
        }
    }
}
