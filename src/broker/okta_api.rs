//! Okta's own API beside the sign-in: its profile mapping, read as the administrator who asks for it, with the token of
//! their own test sign-in. The token is refreshed when it is needed and over, by one request however many wait for it.

use serde_json::{Map, Value};

use super::Broker;
use crate::actions::{Ctx, okta_api};
use crate::error::StoreError;
use crate::model::provider::ApiScope;
use crate::model::upstream_token::{self, Tokens, UpstreamToken};
use crate::rules::upstream_error::Cause;
use crate::upstream::{ApiFailure, Connection};

/// An access token that ends within so many seconds is not worth sending any more.
const MARGIN: i64 = 30;

/// What came of asking Okta, or a sentence for the administrator that says what to do.
type Asked<T> = Result<Result<T, String>, StoreError>;

impl Broker {
    /// The properties of Okta's mapping from its users to the connection's app.
    pub async fn okta_mapping(
        &self,
        connection: &Connection,
        administrator_id: &str,
        request_id: &str,
    ) -> Asked<Map<String, Value>> {
        let ctx = self.ctx("system", request_id);
        let wanted = ApiScope::ProfileMappingsRead;
        if !connection.provider.settings.okta_api.contains(&wanted) {
            return Ok(Err(format!(
                "This connection does not ask Okta for {wanted}: choose it in the connection's settings."
            )));
        }
        let (row, tokens) = match self.okta_token(&ctx, connection, administrator_id).await? {
            Ok(found) => found,
            Err(why) => return Ok(Err(why)),
        };
        let asked = self
            .upstream
            .profile_mapping(connection, &tokens.access_token, &row.scopes)
            .await;
        Ok(asked.map_err(|failure| explained(&failure)))
    }

    /// The administrator's token, refreshed where it has to be.
    async fn okta_token(
        &self,
        ctx: &Ctx,
        connection: &Connection,
        administrator_id: &str,
    ) -> Asked<(UpstreamToken, Tokens)> {
        let provider = &connection.provider;
        let _alone = self
            .refreshing
            .pass(&format!("{}/{administrator_id}", provider.id))
            .await;
        let (id, owner, now) = (provider.id.clone(), administrator_id.to_owned(), ctx.now);
        let row = self
            .db
            .read(move |conn| -> Result<_, StoreError> { Ok(upstream_token::find(conn, &id, &owner, now)?) })
            .await?;
        let Some(row) = row else {
            return Ok(Err(format!(
                "Okta is read as you, with what a test sign-in of yours was granted, and there is none any more: make a \
                 test sign-in as an administrator of Okta. If it is granted no {}, an Okta administrator has to grant it on \
                 the app's Okta API Scopes tab.",
                ApiScope::ProfileMappingsRead
            )));
        };
        let tokens = okta_api::open(ctx, provider, &row)?;
        if row.access_ends.since(now) > MARGIN {
            return Ok(Ok((row, tokens)));
        }
        let Some(refresh_token) = &tokens.refresh_token else {
            return Ok(Err(OVER.to_owned()));
        };
        match self.upstream.refresh(connection, refresh_token).await {
            Ok(fresh) => {
                self.settle_secret(connection, &ctx.request_id).await;
                let tokens = Tokens {
                    access_token: fresh.access_token.to_string(),
                    refresh_token: fresh
                        .refresh_token
                        .map(|token| token.to_string())
                        .or(tokens.refresh_token),
                };
                let (kept, ctx, provider) = (tokens.clone(), ctx.clone(), provider.clone());
                let seen = row.clone();
                self.db
                    .write(move |conn| {
                        okta_api::keep_refreshed(conn, &ctx, &provider, &seen, &kept, fresh.lasts)
                    })
                    .await?;
                Ok(Ok((row, tokens)))
            }
            Err(failure) if failure.cause == Cause::CodeRejected => {
                self.db
                    .write(move |conn| -> Result<_, StoreError> {
                        Ok(upstream_token::forget_refused(conn, &row)?)
                    })
                    .await?;
                Ok(Err(OVER.to_owned()))
            }
            Err(failure) => Ok(Err(format!("Okta gave no fresh token: {}.", failure.detail))),
        }
    }
}

const OVER: &str = "What your test sign-in was granted is over: make another one, and import again.";

fn explained(failure: &ApiFailure) -> String {
    let detail = &failure.detail;
    match failure.status {
        Some(401) => format!("{OVER} ({detail})"),
        Some(403) => format!(
            "Okta does not let you read it: make the test sign-in as somebody who is an administrator in Okta. ({detail})"
        ),
        _ => format!("Okta did not give its mapping: {detail}."),
    }
}
