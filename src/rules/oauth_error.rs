//! OAuth errors as values: the code of RFC 6749 (and its relatives), a description for the client, a cause for the log.
//! Only `web::oidc` turns them into bytes.

use std::borrow::Cow;

/// `error` codes as the standards spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    // RFC 6749 §4.1.2.1 and §5.2
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    InvalidScope,
    AccessDenied,
    ServerError,
    TemporarilyUnavailable,
    // OIDC Core §3.1.2.6
    LoginRequired,
    ConsentRequired,
    InteractionRequired,
    RequestNotSupported,
    RequestUriNotSupported,
    RegistrationNotSupported,
    // OpenID Connect Core Error Code unmet_authentication_requirements 1.0 §2
    UnmetAuthenticationRequirements,
    // RFC 7009 §2.2.1, RFC 8707 §2, RFC 6750 §3.1
    UnsupportedTokenType,
    InvalidTarget,
    InvalidToken,
    InsufficientScope,
}

impl Code {
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidRequest => "invalid_request",
            Code::InvalidClient => "invalid_client",
            Code::InvalidGrant => "invalid_grant",
            Code::UnauthorizedClient => "unauthorized_client",
            Code::UnsupportedGrantType => "unsupported_grant_type",
            Code::UnsupportedResponseType => "unsupported_response_type",
            Code::InvalidScope => "invalid_scope",
            Code::AccessDenied => "access_denied",
            Code::ServerError => "server_error",
            Code::TemporarilyUnavailable => "temporarily_unavailable",
            Code::LoginRequired => "login_required",
            Code::ConsentRequired => "consent_required",
            Code::InteractionRequired => "interaction_required",
            Code::RequestNotSupported => "request_not_supported",
            Code::RequestUriNotSupported => "request_uri_not_supported",
            Code::RegistrationNotSupported => "registration_not_supported",
            Code::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Code::UnsupportedTokenType => "unsupported_token_type",
            Code::InvalidTarget => "invalid_target",
            Code::InvalidToken => "invalid_token",
            Code::InsufficientScope => "insufficient_scope",
        }
    }
}

/// A refusal in OAuth's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    pub code: Code,
    /// For the client's developer; says nothing that tells valid from invalid secrets apart.
    pub description: Cow<'static, str>,
    /// For the log only.
    pub cause: Cow<'static, str>,
}

impl OAuthError {
    /// An error whose description says all there is to say.
    pub fn new(code: Code, description: impl Into<Cow<'static, str>>) -> OAuthError {
        let description = description.into();
        OAuthError {
            code,
            cause: description.clone(),
            description,
        }
    }

    /// `cause` is what the client is not told.
    pub fn because(
        code: Code,
        description: impl Into<Cow<'static, str>>,
        cause: impl Into<Cow<'static, str>>,
    ) -> OAuthError {
        OAuthError {
            code,
            description: description.into(),
            cause: cause.into(),
        }
    }
}
