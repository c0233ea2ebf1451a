//! What is granted to an app for somebody's session: a code, or implicit tokens.

use crate::actions::Ctx;
use crate::actions::tokens::{self, Exchanged};
use crate::db::{Conn, Json};
use crate::error::StoreError;
use crate::model::client::Client;
use crate::model::code::{self, Code};
use crate::model::overrides::Overrides;
use crate::model::session::{self, Session};
use crate::model::token::{Family, Granted};
use crate::model::user::{self, User};
use crate::model::{pool, provider};
use crate::rules::registration::client;
use crate::rules::secret;
use crate::world::UnixTime;

/// A code waits five minutes for its exchange (as Cognito's; RFC 6749 §4.1.2 allows ten).
pub const CODE_SECONDS: i64 = 300;

/// What an authorization request is granted, by a fresh login or by a session.
pub struct Grant<'a> {
    pub client: &'a Client,
    pub redirect_uri: &'a str,
    pub redirect_uri_given: bool,
    pub scopes: &'a [String],
    pub nonce: Option<&'a str>,
    pub resource: Option<&'a str>,
    pub code_challenge: Option<&'a str>,
    pub mapping_version: i64,
    /// What the pool's hook wants otherwise in the tokens.
    pub overrides: Option<Overrides>,
}

impl Grant<'_> {
    fn granted(&self, ctx: &Ctx, session: &Session) -> Granted {
        Granted {
            scopes: self.scopes.to_vec(),
            nonce: self.nonce.map(str::to_owned),
            resource: self.resource.map(str::to_owned),
            provider_id: session
                .provider_id
                .clone()
                .unwrap_or_else(|| client::NATIVE.to_owned()),
            mapping_version: self.mapping_version,
            auth_time: session.facts.auth_time,
            amr: session.facts.amr.clone(),
            acr: session.facts.acr.clone(),
            event_id: secret::uuid(&ctx.entropy),
            overrides: self.overrides.clone(),
            ..Granted::default()
        }
    }

    pub(super) fn family(&self, ctx: &Ctx, session: &Session) -> Family {
        Family {
            origin_jti: secret::uuid(&ctx.entropy),
            user_pool_id: session.user_pool_id.clone(),
            client_id: self.client.id.clone(),
            user_sub: session.user_sub.clone(),
            session_hash: Some(session.hash.clone()),
            granted: Json(self.granted(ctx, session)),
            created_at: ctx.now,
            expires_at: ctx.now.plus(self.client.settings.access_token_seconds),
            revoked_at: None,
        }
    }
}

/// Stores a code for what is granted; gives it, and the name of the token family that it leads to.
pub fn issue_code(
    conn: &mut Conn,
    ctx: &Ctx,
    session: &Session,
    grant: &Grant<'_>,
) -> Result<(String, String), StoreError> {
    let code = secret::token(&ctx.entropy);
    let row = Code {
        hash: secret::hash(&code),
        client_id: grant.client.id.clone(),
        user_sub: session.user_sub.clone(),
        origin_jti: secret::uuid(&ctx.entropy),
        request: Json(code::Request {
            user_pool_id: session.user_pool_id.clone(),
            redirect_uri: grant.redirect_uri.to_owned(),
            redirect_uri_given: grant.redirect_uri_given,
            code_challenge: grant.code_challenge.map(str::to_owned),
            session_hash: Some(session.hash.clone()),
            granted: grant.granted(ctx, session),
            overrides: grant.overrides.clone(),
        }),
        expires_at: ctx.now.plus(CODE_SECONDS),
        consumed_at: None,
    };
    code::insert(conn, &row)?;
    Ok((code, row.origin_jti))
}

/// Implicit tokens out of a session: a family without refresh tokens.
pub fn issue_tokens(
    conn: &mut Conn,
    ctx: &Ctx,
    session: &Session,
    user: User,
    grant: &Grant<'_>,
) -> Result<Exchanged, StoreError> {
    let family = grant.family(ctx, session);
    let most = pool::most_sessions(conn, &family.user_pool_id)?;
    tokens::begin_family(conn, ctx, &family, most)?;
    let groups = crate::model::group::of_user(conn, &user.sub)?;
    let identities = user::identities(conn, &user.sub)?;
    let scopes = family.granted.scopes.clone();
    let tenant_id = provider::tenant_of(conn, &family.granted.provider_id)?;
    Ok(Exchanged {
        tenant_id,
        family,
        user,
        groups,
        identities,
        refresh_token: None,
        scopes,
    })
}

/// The live session of a cookie in this pool, with its enabled user.
pub fn find_session(
    conn: &mut Conn,
    now: UnixTime,
    user_pool_id: &str,
    token: &str,
) -> Result<Option<(Session, User)>, StoreError> {
    let Some(session) = session::find(conn, &secret::hash(token), now)? else {
        return Ok(None);
    };
    if session.user_pool_id != user_pool_id {
        return Ok(None);
    }
    let user = user::find(conn, &session.user_sub)?.filter(|user| user.enabled);
    Ok(user.map(|user| (session, user)))
}
