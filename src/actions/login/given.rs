//! What whoever has arrived is given: a browser its session and the app's code, an app that brought a token its tokens.

use super::{Completion, Exchange, Grant, Outgoing, Returned, SESSION_SECONDS, issue_code};
use crate::actions::Ctx;
use crate::actions::tokens::{self, Exchanged};
use crate::db::{Conn, Json};
use crate::error::StoreError;
use crate::model::group::Group;
use crate::model::overrides::Overrides;
use crate::model::session::{self, Session};
use crate::model::token::{Family, Granted};
use crate::model::user::{Identity, User};
use crate::model::{pool, provider};
use crate::rules::authorize::ResponseType;
use crate::rules::secret;

/// Who is about to be given something, and what the pool's hook wants of it.
pub(super) struct Bearer {
    pub(super) user: User,
    pub(super) groups: Vec<Group>,
    pub(super) identities: Vec<Identity>,
    pub(super) mapping_version: i64,
    pub(super) overrides: Option<Overrides>,
}

pub(super) struct Given {
    pub(super) session_token: Option<String>,
    pub(super) outgoing: Outgoing,
    /// The token family that it leads to.
    pub(super) origin_jti: String,
}

/// A session, and a code or implicit tokens out of it; `None` when this login has made its session before.
pub(super) fn give_browser(
    conn: &mut Conn,
    ctx: &Ctx,
    work: &Completion<'_>,
    returned: &Returned,
    bearer: Bearer,
) -> Result<Option<Given>, StoreError> {
    let (client, login) = (work.client, &returned.login);
    let session_token = secret::token(&ctx.entropy);
    let session = Session {
        hash: secret::hash(&session_token),
        user_pool_id: work.pool.id.clone(),
        user_sub: bearer.user.sub.clone(),
        provider_id: Some(work.provider.id.clone()),
        login_hash: returned.login_hash.clone(),
        facts: Json(work.facts.clone()),
        id_token_sealed: returned.id_token_sealed.clone(),
        created_at: ctx.now,
        expires_at: ctx.now.plus(SESSION_SECONDS),
    };
    if !session::insert(conn, &session)? {
        return Ok(None);
    }
    // The client may have lost some while the user was away.
    let scopes = work.errand.live_scopes(client);
    let grant = Grant {
        client,
        redirect_uri: &returned.redirect_uri,
        redirect_uri_given: login.redirect_uri_given,
        scopes: &scopes,
        nonce: login.nonce.as_deref(),
        resource: login.resource.as_deref(),
        code_challenge: login.code_challenge.as_deref(),
        mapping_version: bearer.mapping_version,
        overrides: bearer.overrides.clone(),
    };
    let (outgoing, origin_jti) = match login.response_type {
        ResponseType::Code => {
            let (code, origin_jti) = issue_code(conn, ctx, &session, &grant)?;
            (Outgoing::Code(code), origin_jti)
        }
        ResponseType::Token => brief(conn, ctx, grant.family(ctx, &session), bearer)?,
    };
    Ok(Some(Given {
        session_token: Some(session_token),
        outgoing,
        origin_jti,
    }))
}

/// Tokens for a token that was brought. Without a refresh token: the next ID token is as good, and the upstream is asked
/// for it.
pub(super) fn give_app(
    conn: &mut Conn,
    ctx: &Ctx,
    work: &Completion<'_>,
    exchange: &Exchange,
    bearer: Bearer,
) -> Result<Given, StoreError> {
    let client = work.client;
    let granted = Granted {
        scopes: work.errand.live_scopes(client),
        nonce: exchange.nonce.clone(),
        resource: exchange.resource.clone(),
        provider_id: work.provider.id.clone(),
        mapping_version: bearer.mapping_version,
        auth_time: work.facts.auth_time,
        amr: work.facts.amr.clone(),
        acr: work.facts.acr.clone(),
        event_id: secret::uuid(&ctx.entropy),
        overrides: bearer.overrides.clone(),
        ..Granted::default()
    };
    let family = Family {
        origin_jti: secret::uuid(&ctx.entropy),
        user_pool_id: work.pool.id.clone(),
        client_id: client.id.clone(),
        user_sub: bearer.user.sub.clone(),
        session_hash: None,
        granted: Json(granted),
        created_at: ctx.now,
        expires_at: ctx.now.plus(client.settings.access_token_seconds),
        revoked_at: None,
    };
    let (outgoing, origin_jti) = brief(conn, ctx, family, bearer)?;
    Ok(Given {
        session_token: None,
        outgoing,
        origin_jti,
    })
}

/// Begins a family that lives as long as one access token.
fn brief(
    conn: &mut Conn,
    ctx: &Ctx,
    family: Family,
    bearer: Bearer,
) -> Result<(Outgoing, String), StoreError> {
    let most = pool::most_sessions(conn, &family.user_pool_id)?;
    tokens::begin_family(conn, ctx, &family, most)?;
    let (origin_jti, scopes) = (family.origin_jti.clone(), family.granted.scopes.clone());
    let exchanged = Exchanged {
        tenant_id: provider::tenant_of(conn, &family.granted.provider_id)?,
        family,
        user: bearer.user,
        groups: bearer.groups,
        identities: bearer.identities,
        refresh_token: None,
        scopes,
    };
    Ok((Outgoing::Tokens(Box::new(exchanged)), origin_jti))
}
