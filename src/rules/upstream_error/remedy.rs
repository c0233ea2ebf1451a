//! What an administrator of the provider, or of the connection, can do about each cause; shown in the trace and by the
//! examination of a connection.

use super::Cause;

/// One or two sentences that can be followed without knowing this program.
pub fn of(cause: Cause) -> &'static str {
    use Cause::*;
    match cause {
        UserNotAssigned => {
            "In the Okta Admin Console open Applications, this app, Assignments, and assign the user or \
             one of their groups."
        }
        PolicyDenied => {
            "In Okta open Security, API, the authorization server of this issuer, Access Policies: a \
             policy with a rule must match this client, the user and the scopes. The org server (issuer \
             without /oauth2/...) needs none."
        }
        ScopesDenied => {
            "An access policy rule of the authorization server denies some of the scopes of this \
             connection: allow them in the rule, or take them out of the connection's scopes."
        }
        SignInCancelled => "Nothing to do: the user cancelled at the provider.",
        NetworkZone => {
            "The Okta app admits certain network zones only: check the app's or client's network zones, \
             and whether they apply to this server's address, too."
        }
        SessionInvalid => "The user's Okta session ended during the sign-in; they should sign in again.",
        PasswordExpired => "The user has to change the expired password in Okta.",
        AccessDenied => {
            "Okta denied the request without saying why: look for this user's sign-in in Okta's System \
             Log (Reports). Usual reasons: consent refused, or a sign-on policy."
        }
        LoginRequired => {
            "The app asked for a silent sign-in (prompt=none), but Okta has no session or wants another \
             factor; the app should send the user through an ordinary sign-in."
        }
        ConsentRequired => {
            "Okta wants the user's consent, which a silent sign-in cannot ask for: in Okta set User \
             consent of the app or of the scopes to not required, or let users sign in interactively \
             once."
        }
        AcrNotMet => {
            "The app asked for an assurance level (acr_values) that was not reached: check the user's \
             enrolled factors and the app's authentication policy in Okta."
        }
        InvalidScope => {
            "The connection asks for a scope that this authorization server does not know or that the app \
             was not granted. A custom server has no 'groups' scope unless somebody made one; okta.* \
             scopes exist on the org server only and must be granted on the app's Okta API Scopes tab."
        }
        PkceRequired => {
            "Okta did not accept the PKCE challenge, although one is always sent with S256: check what \
             stands between the browser and Okta, and the app's PKCE setting."
        }
        AuthorizeRequestRefused => {
            "Okta refused the authorization request: the description in this trace says which parameter. \
             Check that the app is an OIDC Web Application with the Authorization Code grant."
        }
        ClientNotAllowed => {
            "In Okta's app settings: the app must be active, of type Web Application, with the \
             Authorization Code grant ticked, and allowed on this authorization server."
        }
        GroupsOverflow => {
            "The groups claim matches more than 100 groups of this user: narrow its filter on the app's \
             Sign On tab (for example 'Starts with'), or use an expression."
        }
        ClaimFailed => {
            "A claim of this app or authorization server could not be evaluated in Okta: check the claim \
             expressions (Security, API, Claims; or the app's Sign On tab)."
        }
        ProviderError => "Okta answered with an internal error: see Okta's System Log and status page.",
        ProviderUnavailable => {
            "The provider answered with a server error or says it is overloaded: see Okta's status page, \
             then try again."
        }
        RateLimited => {
            "Okta's rate limit was reached: see Reports, Rate Limits in the Okta Admin Console; it resets \
             within a minute or so."
        }
        UnknownError => {
            "The provider answered with an error that is not in the standards: this trace has its name \
             and description."
        }
        CallbackIssuerMismatch => {
            "The answer names another issuer than this connection's (RFC 9207): it was meant for another \
             connection, or somebody mixes two providers up. No code was sent anywhere."
        }
        CallbackIssuerMissing => {
            "The provider's metadata announces the iss parameter (RFC 9207), but the answer has none: \
             something between the provider and us removed it."
        }
        DnsFailed => {
            "The provider's host name cannot be resolved from this server: check the spelling of the \
             issuer and this server's DNS."
        }
        AddressRefused => {
            "The provider's address is private, local or not https, and such addresses are refused. For \
             development, name the host in the allow-list of outbound hosts."
        }
        ConnectFailed => {
            "The provider's host refuses connections from this server: check the port and the firewall's \
             outbound rules (TCP 443)."
        }
        ConnectTimeout => {
            "No connection to the provider came about in time: let this server reach the Okta domain on \
             TCP 443, or set the outbound proxy."
        }
        TlsHandshakeFailed => {
            "TLS with the provider failed, see the detail: an expired or wrong certificate, a CA that \
             this server does not know (set the CA bundle), or a TLS version below 1.2."
        }
        TlsIntercepted => {
            "The certificate does not come from a public CA: a proxy on the way seems to inspect TLS. \
             Exempt the Okta domain from inspection, or give this server the proxy's CA certificate as CA \
             bundle."
        }
        Timeout => {
            "The provider took the request but did not finish its answer within ten seconds: see Okta's \
             status page."
        }
        ConnectionLost => {
            "The connection broke before the provider had finished its answer: see what stands between \
             this server and the provider."
        }
        ResponseTooLarge => {
            "The provider's answer is larger than 1 MiB and was not read to its end: check the endpoint's \
             URL, and narrow the groups claim."
        }
        ResponseMalformed => {
            "The provider's answer is not the JSON that the standard asks for: check the endpoint's URL; \
             an HTML page usually means that something answers in Okta's place."
        }
        RedirectRefused => {
            "The endpoint answered with a redirect, which is never followed: set the issuer to the \
             address that the provider itself uses."
        }
        TooManyAtOnce => {
            "Too many requests to this provider are under way already, because it answers slowly: see \
             Okta's status page."
        }
        CircuitOpen => {
            "The provider failed several times in a row, so it is left alone for a moment; the earlier \
             traces of this connection show how it failed."
        }
        DiscoveryNotFound => {
            "There is no discovery document under this issuer. For the org server the issuer is \
             https://{your Okta domain}; a custom server's is shown under Security, API in Okta."
        }
        DiscoveryFailed => {
            "The provider's discovery document cannot be read: open \
             {issuer}/.well-known/openid-configuration from this server's network and compare."
        }
        IssuerMismatch => {
            "The discovery document names another issuer than the connection has; they must be equal to \
             the letter. In Okta set the app's Issuer (Sign On tab, OpenID Connect ID Token) to the Okta \
             URL instead of Dynamic, or change the connection's issuer."
        }
        EndpointRefused => {
            "The discovery document names an endpoint that is not an https URL; it is not used."
        }
        JwksFetchFailed => {
            "The provider's signing keys cannot be fetched: open its jwks_uri from this server's network \
             and compare."
        }
        ClientAuthFailed => {
            "The provider does not accept our client credentials: compare client ID and secret with the \
             app's General tab in Okta (a secret shown there may have been replaced), and its Client \
             authentication method."
        }
        CodeRejected => {
            "The provider says the authorization code is unknown, used or older than five minutes. If it \
             happens to everyone, compare the clocks and look for something that opens links twice."
        }
        PkceFailed => {
            "The provider says that the code was issued for another login (PKCE): this may be an attack, \
             or a proxy that mixes up requests."
        }
        RedirectUriMismatch => {
            "The redirect URI at the token endpoint differs from the one at the authorization endpoint: \
             the public URL of this server changed during the login."
        }
        GrantNotAllowed => {
            "The Okta app may not use the Authorization Code grant: tick it on the app's General tab."
        }
        DpopRequired => {
            "The Okta app requires DPoP: untick 'Require Demonstrating Proof of Possession (DPoP) header \
             in token requests' on the app's General tab."
        }
        TokenRequestRefused => "The provider refused the token request; the detail has its error.",
        IdTokenMissing => {
            "The provider issued no ID token: the scope 'openid' must be among the connection's scopes \
             and allowed at the provider."
        }
        IdTokenMalformed => {
            "The ID token is not a signed JWT as OpenID Connect has it; encrypted ID tokens are not \
             supported (in Okta, switch ID token encryption off)."
        }
        AlgorithmMismatch => {
            "The ID token is signed with another algorithm than the connection admits; Okta always uses \
             RS256."
        }
        UnknownKid => {
            "The ID token is signed with a key that the issuer does not publish. In Okta, an app with a \
             key of its own publishes it at jwks_uri?client_id=...; else check that the issuer is right."
        }
        SignatureInvalid => {
            "The ID token's signature is wrong: it was changed on the way or made by somebody else."
        }
        TokenIssuerMismatch => {
            "The ID token's iss differs from the connection's issuer. In Okta set the app's Issuer (Sign \
             On tab, OpenID Connect ID Token) to the Okta URL instead of Dynamic, and use one domain \
             throughout."
        }
        AudienceMismatch => "The ID token was issued for another client than this connection's client ID.",
        AzpMismatch => "The ID token's authorized party (azp) is another client.",
        SubjectInvalid => "The ID token's sub is missing or not 1 to 255 ASCII characters.",
        TokenExpired => {
            "The ID token has expired already or has no usable exp: compare this server's clock with the \
             provider's."
        }
        IssuedAtInvalid => {
            "The ID token's iat is missing, in the future or too long ago: compare this server's clock \
             with the provider's."
        }
        NotYetValid => {
            "The ID token is not valid yet (nbf): compare this server's clock with the provider's."
        }
        ClockSkew => {
            "This server's clock and the provider's differ by more than a minute: set up time \
             synchronisation (NTP) on this server."
        }
        NonceMismatch => {
            "The ID token belongs to another login (nonce): this may be an attempt to slip in somebody \
             else's sign-in."
        }
        AtHashMismatch => "Access token and ID token do not belong together (at_hash).",
        AuthTimeTooOld => {
            "A fresh sign-in was asked for (prompt=login or max_age), but the provider answered with an \
             older one or without auth_time."
        }
        UserinfoFailed => {
            "The provider's userinfo endpoint did not answer with the user's claims; the detail says how."
        }
        UserinfoSubjectMismatch => {
            "Userinfo speaks of another user than the ID token (sub): none of it was used."
        }
        ConnectionMisconfigured => {
            "This connection's own settings are incomplete or contradictory; the detail says which."
        }
    }
}
