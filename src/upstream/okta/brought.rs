//! An ID token that an app brings (RFC 8693): its user signed in at the provider without us, so there is no code, no
//! access token and no userinfo. It is verified by the same rules as one that came by the token endpoint.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::userinfo;
use crate::model::trace::Step;
use crate::rules::upstream_error::Cause;
use crate::upstream::verify::{self, Came, Demands};
use crate::upstream::{Connection, Failure, Identity, Upstream};
use crate::world::UnixTime;

/// What came, and what the app wants it to agree with.
pub struct Brought<'a> {
    pub id_token: &'a str,
    /// The nonce of the app's own request, where it says so.
    pub nonce: Option<&'a str>,
    /// The user must have proven credentials within so many seconds.
    pub max_age: Option<i64>,
}

impl Upstream {
    /// Whom the token speaks of, once all of it is verified. Nothing is sent anywhere but to the connection's own issuer,
    /// for its keys.
    pub async fn brought(
        &self,
        c: &Connection,
        brought: &Brought<'_>,
        steps: &mut Vec<Step>,
    ) -> Result<Identity, Failure> {
        let now = self.0.clock.now();
        let settings = &c.provider.settings;
        let demands = Demands {
            issuer: &c.provider.issuer,
            client_id: &settings.client_id,
            algorithms: &settings.id_token_algorithms,
            came: Came::ByApp { nonce: brought.nonce },
            authenticated_since: brought.max_age.map(|age| now.plus(-age.max(0))),
            acr_values: None,
            now,
        };
        let within = self.0.sign_in_within;
        let checked = self.0.checked(c, brought.id_token, &demands, steps);
        let claims = tokio::time::timeout(within, checked)
            .await
            .unwrap_or_else(|_| {
                let detail = format!("the keys did not come within {} s", within.as_secs_f32());
                Err(Failure::new(Cause::Timeout, detail))
            })
            .map_err(|failure| Failure {
                claimed_email: verify::claimed_email(brought.id_token),
                ..failure
            })?;
        let id_token = Zeroizing::new(brought.id_token.to_owned());
        Ok(userinfo::identity(c, claims, Map::new(), id_token))
    }
}

/// When a token that was brought is worth nothing any more: until then its use is remembered.
pub fn end_of_brought(claims: &Map<String, Value>, now: UnixTime) -> UnixTime {
    verify::end_of_brought(claims, now)
}

/// Header and payload of something like a JWT. Nothing in them is to be believed: they say which connection to verify
/// it by.
pub fn claimed(token: &str) -> Option<(Map<String, Value>, Map<String, Value>)> {
    verify::claimed(token)
}
