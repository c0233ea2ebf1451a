//! Whose an access token of ours is: its signature, and that family, user, client and connection behind it still live. The
//! userInfo endpoint and the token operations of Cognito's API ask this; which scope they want is theirs to check.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::actions::tokens;
use crate::broker::{App, Broker};
use crate::error::StoreError;
use crate::model::token::Family;
use crate::model::user::User;
use crate::rules::{jwt, scope};
use crate::world::UnixTime;

/// The user who sends a token, and what it was granted for.
pub struct Bearer {
    /// The client that the token was made for.
    pub app: Arc<App>,
    pub family: Family,
    pub user: User,
    pub scopes: Vec<String>,
    pub expires_at: UnixTime,
}

/// Which of our tokens it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Access,
    Id,
}

impl Bearer {
    pub fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

/// Why a token is not taken; the reason is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No access token of ours.
    Invalid(&'static str),
    Expired,
    /// Good in itself; what it stands for has ended.
    Ended(&'static str),
    /// A client's token for itself: it speaks of no user.
    OfNobody,
}

impl Refused {
    pub fn cause(self) -> &'static str {
        match self {
            Refused::Invalid(cause) | Refused::Ended(cause) => cause,
            Refused::Expired => "expired",
            Refused::OfNobody => "it speaks of no user",
        }
    }
}

/// The bearer of an access token.
pub async fn bearer(broker: &Broker, token: &str) -> Result<Result<Bearer, Refused>, StoreError> {
    holder(broker, token, Kind::Access).await
}

/// The user whom a token of either kind speaks of.
pub async fn holder(broker: &Broker, token: &str, kind: Kind) -> Result<Result<Bearer, Refused>, StoreError> {
    let (token_use, client) = match kind {
        Kind::Access => ("access", "client_id"),
        Kind::Id => ("id", "aud"),
    };
    let Some(pool_id) = pool_of(token, &broker.public_url) else {
        return Ok(Err(Refused::Invalid("not issued by a pool of ours")));
    };
    let Some(pool) = broker.pool(&pool_id).await? else {
        return Ok(Err(Refused::Invalid("its pool does not exist")));
    };
    let now = broker.clock.now();
    let claims = match jwt::verify(&pool.verify, token, &pool.issuer, token_use, now) {
        Ok(claims) => claims,
        Err(why) if why == jwt::EXPIRED => return Ok(Err(Refused::Expired)),
        Err(why) => return Ok(Err(Refused::Invalid(why.0))),
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(origin_jti), Some(client_id), Some(sub)) = (text("origin_jti"), text(client), text("sub"))
    else {
        return Ok(Err(Refused::OfNobody));
    };
    let ended = |cause| Ok(Err(Refused::Ended(cause)));
    let Some(app) = broker.app(&client_id).await? else {
        return ended("its client is disabled or deleted");
    };
    let offer = app.offer.clone();
    let alive = broker
        .db
        .read(move |conn| tokens::bearer(conn, &offer, &origin_jti, now))
        .await?;
    let Some((family, user, is_offered)) = alive else {
        return ended("its family is revoked or its user disabled");
    };
    let pools = [&app.client.user_pool_id, &family.user_pool_id, &user.user_pool_id];
    if pools.iter().any(|pool| **pool != pool_id) {
        return ended("it speaks of another pool");
    }
    if family.client_id != client_id || family.user_sub != sub || user.sub != sub {
        return ended("it does not belong to its family");
    }
    if !is_offered {
        return ended("its connection is disabled or not the client's any more");
    }
    let scopes = match kind {
        Kind::Access => scope::parse(&text("scope").unwrap_or_default()),
        Kind::Id => family.granted.scopes.clone(),
    };
    let expires_at = claims.get("exp").and_then(Value::as_i64).unwrap_or_default();
    Ok(Ok(Bearer {
        scopes,
        expires_at: UnixTime(expires_at),
        app,
        family,
        user,
    }))
}

/// The pool that a token claims to come from: only used to choose the keys that then verify that very claim.
pub fn pool_of(token: &str, public_url: &str) -> Option<String> {
    let claims: Map<String, Value> = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
    let pool = claims
        .get("iss")?
        .as_str()?
        .strip_prefix(public_url)?
        .strip_prefix('/')?;
    (!pool.contains('/')).then(|| pool.to_owned())
}
