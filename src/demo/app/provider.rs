//! The app's side of OpenID Connect, all of it done by the `openidconnect` crate: discovery, the authorization code
//! flow with PKCE and nonce, verification of the ID token, userInfo, refresh, and the way out.
//!
//! OpenID Connect Core 1.0 §3.1, RFC 7636, RFC 9207, RP-Initiated Logout 1.0.

use std::sync::Arc;
use std::time::Duration;

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreGenderClaim, CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier,
    CoreTokenResponse,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, EndSessionUrl, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IssuerUrl, LogoutRequest, Nonce, NonceVerifier, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, RefreshToken, Scope,
    SignatureVerificationError, SubjectIdentifier, TokenResponse, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;
use url::Url;

use super::Setup;
use super::problem::Problem;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The OpenID provider as the app knows it.
pub struct Provider {
    setup: Setup,
    http: reqwest::Client,
    discovered: RwLock<Option<Arc<Discovered>>>,
}

/// What discovery taught.
struct Discovered {
    client: Client,
    end_session: Option<EndSessionUrl>,
}

/// What a sign-in remembers until its callback.
pub struct Pending {
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// The tokens of a user who is signed in; the ID token has been verified.
#[derive(Clone)]
pub struct Tokens {
    pub id_token: CoreIdToken,
    pub access_token: AccessToken,
    pub refresh_token: Option<RefreshToken>,
    pub claims: CoreIdTokenClaims,
}

/// Every claim of userInfo that the standard does not name.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct OtherClaims(serde_json::Map<String, serde_json::Value>);

impl AdditionalClaims for OtherClaims {}

#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error("the request failed")]
    Transport(#[from] reqwest::Error),
    #[error("the answer is not HTTP")]
    Answer(#[from] http::Error),
}

impl Provider {
    pub fn new(setup: Setup) -> Provider {
        // Without redirects: a provider that redirects its token endpoint elsewhere would get our secret sent there.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(15))
            .build()
            .expect("an HTTP client starts wherever the program does");
        Provider {
            setup,
            http,
            discovered: RwLock::new(None),
        }
    }

    /// Where to send the browser to sign in, the `state` to expect back, and what to remember under it.
    pub async fn begin(&self) -> Result<(Url, CsrfToken, Pending), Problem> {
        let discovered = self.discovered().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = discovered
            .client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        Ok((url, state, Pending { nonce, verifier }))
    }

    /// Exchanges the code of a callback for tokens and verifies them.
    pub async fn complete(&self, pending: Pending, code: String) -> Result<Tokens, Problem> {
        let discovered = self.discovered().await?;
        let response = discovered
            .client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Problem::provider("discovery", &error))?
            .set_pkce_verifier(pending.verifier)
            .request_async(&self.sender())
            .await
            .map_err(|error| Problem::token_endpoint(&error))?;
        self.verified(discovered, response, &pending.nonce).await
    }

    /// New tokens for the refresh token. The provider may rotate it; then the answer holds the next one.
    pub async fn refresh(&self, tokens: &Tokens) -> Result<Tokens, Problem> {
        let Some(refresh_token) = &tokens.refresh_token else {
            return Err(Problem::new(
                "no_refresh_token",
                "The provider gave no refresh token to this app.",
            ));
        };
        let discovered = self.discovered().await?;
        let response = discovered
            .client
            .exchange_refresh_token(refresh_token)
            .map_err(|error| Problem::provider("discovery", &error))?
            .request_async(&self.sender())
            .await
            .map_err(|error| Problem::token_endpoint(&error))?;
        // A refreshed ID token need not repeat the nonce, but must speak of the same user (Core §12.2).
        let mut fresh = self
            .verified(discovered, response, |_: Option<&Nonce>| Ok(()))
            .await?;
        if fresh.claims.subject() != tokens.claims.subject() {
            return Err(Problem::new(
                "wrong_subject",
                "The refreshed ID token speaks of another user.",
            ));
        }
        if fresh.refresh_token.is_none() {
            fresh.refresh_token = Some(refresh_token.clone());
        }
        Ok(fresh)
    }

    /// The claims of the userInfo endpoint, checked to be about the user of the ID token (Core §5.3.2).
    pub async fn user_info(&self, tokens: &Tokens) -> Result<serde_json::Value, Problem> {
        let discovered = self.discovered().await?;
        let subject: SubjectIdentifier = tokens.claims.subject().clone();
        let claims: UserInfoClaims<OtherClaims, CoreGenderClaim> = discovered
            .client
            .user_info(tokens.access_token.clone(), Some(subject))
            .map_err(|error| Problem::provider("discovery", &error))?
            .request_async(&self.sender())
            .await
            .map_err(|error| Problem::user_info(&error))?;
        serde_json::to_value(&claims).map_err(|error| Problem::provider("userinfo", &error))
    }

    /// Where to send the browser to end the session at the provider, when the provider has such an endpoint.
    pub async fn sign_out_url(&self, tokens: &Tokens) -> Option<Url> {
        let end_session = self.discovered().await.ok()?.end_session.clone()?;
        let home = PostLogoutRedirectUrl::new(self.setup.origin.clone()).ok()?;
        let request = LogoutRequest::from(end_session)
            .set_id_token_hint(&tokens.id_token)
            .set_client_id(ClientId::new(self.setup.client_id.clone()))
            .set_post_logout_redirect_uri(home);
        Some(request.http_get_url())
    }

    /// Verifies the answer of the token endpoint. When its key is not among those that we know, the provider may
    /// have rotated its keys: then once more with those it has now.
    async fn verified<N: NonceVerifier + Copy>(
        &self,
        discovered: Arc<Discovered>,
        response: CoreTokenResponse,
        nonce: N,
    ) -> Result<Tokens, Problem> {
        match verify(&discovered.client, &response, nonce) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                self.forget().await;
                verify(&self.discovered().await?.client, &response, nonce)
            }
            outcome => outcome,
        }
        .map_err(|error| Problem::provider("id_token", &error))
    }

    /// The provider's metadata and keys, fetched when they are first needed, so that app and provider may start in
    /// any order.
    async fn discovered(&self) -> Result<Arc<Discovered>, Problem> {
        if let Some(discovered) = self.discovered.read().await.as_ref() {
            return Ok(discovered.clone());
        }
        let mut slot = self.discovered.write().await;
        if let Some(discovered) = slot.as_ref() {
            return Ok(discovered.clone());
        }
        let configured = |error: url::ParseError| Problem::provider("configuration", &error);
        let issuer = IssuerUrl::new(self.setup.issuer.clone()).map_err(configured)?;
        let redirect = RedirectUrl::new(format!("{}/callback", self.setup.origin)).map_err(configured)?;
        let metadata = ProviderMetadataWithLogout::discover_async(issuer, &self.sender())
            .await
            .map_err(|error| Problem::discovery(&self.setup.issuer, &error))?;
        let end_session = metadata.additional_metadata().end_session_endpoint.clone();
        let client = CoreClient::from_provider_metadata(
            metadata,
            ClientId::new(self.setup.client_id.clone()),
            Some(ClientSecret::new(self.setup.client_secret.clone())),
        )
        .set_redirect_uri(redirect);
        let discovered = Arc::new(Discovered { client, end_session });
        *slot = Some(discovered.clone());
        Ok(discovered)
    }

    async fn forget(&self) {
        *self.discovered.write().await = None;
    }

    /// The HTTP client in the form that openidconnect takes.
    fn sender(
        &self,
    ) -> impl Fn(HttpRequest) -> futures_util::future::BoxFuture<'static, Result<HttpResponse, HttpError>> + 'static
    {
        let http = self.http.clone();
        move |request| Box::pin(send(http.clone(), request))
    }
}

async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let response = http.execute(request.try_into()?).await?;
    let mut builder = http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        builder = builder.header(name, value);
    }
    Ok(builder.body(response.bytes().await?.to_vec())?)
}

fn verify<N: NonceVerifier>(
    client: &Client,
    response: &CoreTokenResponse,
    nonce: N,
) -> Result<Tokens, ClaimsVerificationError> {
    let other = |text: &str| ClaimsVerificationError::Other(text.to_owned());
    let id_token = response
        .id_token()
        .ok_or_else(|| other("the answer holds no ID token"))?;
    let verifier: CoreIdTokenVerifier<'_> = client.id_token_verifier();
    let claims = id_token.claims(&verifier, nonce)?;
    if let Some(expected) = claims.access_token_hash() {
        let actual = id_token
            .signing_alg()
            .ok()
            .zip(id_token.signing_key(&verifier).ok())
            .and_then(|(algorithm, key)| {
                AccessTokenHash::from_token(response.access_token(), algorithm, key).ok()
            });
        if actual.as_ref() != Some(expected) {
            return Err(other("at_hash does not belong to the access token"));
        }
    }
    Ok(Tokens {
        claims: claims.clone(),
        id_token: id_token.clone(),
        access_token: response.access_token().clone(),
        refresh_token: response.refresh_token().cloned(),
    })
}
