//! A refresh at the provider (RFC 6749 §6), for the token of an administrator who imports Okta's mapping. Sign-ins never
//! need one.

use zeroize::Zeroizing;

use super::lane;
use super::token::{bearer_of, lasts_of, refresh_token_of, token_request};
use crate::upstream::client_auth::Credentials;
use crate::upstream::metadata::Discovery;
use crate::upstream::{Connection, Failure, Inner, Upstream};

/// What a refresh gave.
pub struct Refreshed {
    pub access_token: Zeroizing<String>,
    /// The one that replaces the refresh token that was used; `None`: that stays.
    pub refresh_token: Option<Zeroizing<String>>,
    /// Seconds that the access token lasts.
    pub lasts: i64,
}

impl Upstream {
    pub async fn refresh(&self, c: &Connection, refresh_token: &str) -> Result<Refreshed, Failure> {
        let discovery = self.0.metadata.discovery(&c.provider).await?;
        self.0
            .with_credentials(c, &discovery.token, |credentials| {
                self.0.refresh(c, &discovery, refresh_token, credentials)
            })
            .await
    }
}

impl Inner {
    async fn refresh(
        &self,
        c: &Connection,
        discovery: &Discovery,
        refresh_token: &str,
        credentials: Credentials,
    ) -> Result<Refreshed, Failure> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        let request = token_request(c, discovery, &fields, Some(&credentials))?;
        let answer = self.http.send(&lane(c), request).await?;
        let members = self.token_members(&answer)?;
        Ok(Refreshed {
            access_token: bearer_of(&members)?,
            refresh_token: refresh_token_of(&members),
            lasts: lasts_of(&members),
        })
    }
}
