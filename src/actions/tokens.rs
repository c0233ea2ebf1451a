//! Exchanging a code, refreshing, revoking. A refusal is an answer, not a failure: it is the inner `Err`, and what was
//! changed on the way to it (a spent code, a revoked family) is committed.

mod rotation;

use serde_json::json;

pub use rotation::rotates;

use super::access::{self, Way};
use super::login::CODE_SECONDS;
use super::offers::{self, Offer};
use super::{Ctx, record};
use crate::db::{Conn, Json};
use crate::error::StoreError;
use crate::model::client::Client;
use crate::model::code;
use crate::model::group::{self, Group};
use crate::model::token::{self, Family, Granted, RefreshToken};
use crate::model::user::{self, Identity, User};
use crate::rules::grant::{self, Shown, invalid_grant};
use crate::rules::oauth_error::OAuthError;
use crate::rules::secret;
use crate::world::UnixTime;

/// Longest code or token that is hashed and looked up.
const LONGEST: usize = 512;

/// What tokens are minted from.
#[derive(Clone, Debug)]
pub struct Exchanged {
    pub family: Family,
    pub user: User,
    pub groups: Vec<Group>,
    pub identities: Vec<Identity>,
    /// The tenant whose connection the user came by.
    pub tenant_id: Option<String>,
    /// A new refresh token, where one is due.
    pub refresh_token: Option<String>,
    /// The scopes of this exchange: the family's, or fewer.
    pub scopes: Vec<String>,
}

/// An answer, or a refusal that commits.
pub type Answer<T> = Result<Result<T, OAuthError>, StoreError>;

/// Redeems a code once, ever (RFC 6749 §4.1.2). `offer` is what connections the client may use.
pub fn exchange(
    conn: &mut Conn,
    ctx: &Ctx,
    client: &Client,
    offer: &Offer,
    shown: &Shown<'_>,
) -> Answer<Exchanged> {
    if shown.code.len() > LONGEST {
        return Ok(Err(invalid_grant("the code is too long")));
    }
    let hash = secret::hash(shown.code);
    let Some(code) = code::consume(conn, &hash, &client.id, ctx.now)? else {
        return replayed(conn, ctx, client, &hash, shown);
    };
    let checked = grant::check_code(&code, client, shown)
        .and_then(|()| grant::check_resource(shown.resource, code.request.granted.resource.as_deref()))
        .and_then(|()| grant::live_scopes(None, &code.request.granted.scopes, &client.settings.scopes));
    let scopes = match checked {
        Ok(scopes) => scopes,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut request = code.request.0;
    let user = match alive(
        conn,
        ctx.now,
        client,
        &code.user_sub,
        &request.granted,
        code.expires_at.plus(-CODE_SECONDS),
        offer,
    )? {
        Ok(user) => user,
        Err(refusal) => return Ok(Err(refusal)),
    };
    request.granted.overrides = request.overrides;
    let founder = Founder {
        client,
        offer,
        origin_jti: code.origin_jti,
        session_hash: request.session_hash,
        granted: request.granted,
    };
    found(conn, ctx, founder, user, scopes).map(Ok)
}

/// What a family with a refresh token begins with.
pub struct Founder<'a> {
    pub client: &'a Client,
    /// The client's.
    pub offer: &'a Offer,
    pub origin_jti: String,
    pub session_hash: Option<Vec<u8>>,
    pub granted: Granted,
}

/// Founds a token family with its first refresh token.
pub fn found(
    conn: &mut Conn,
    ctx: &Ctx,
    founder: Founder<'_>,
    user: User,
    scopes: Vec<String>,
) -> Result<Exchanged, StoreError> {
    let settings = &founder.client.settings;
    let family = Family {
        origin_jti: founder.origin_jti,
        user_pool_id: user.user_pool_id.clone(),
        client_id: founder.client.id.clone(),
        user_sub: user.sub.clone(),
        session_hash: founder.session_hash,
        granted: Json(founder.granted),
        created_at: ctx.now,
        expires_at: ctx.now.plus(settings.refresh_token_seconds),
        revoked_at: None,
    };
    let most = offers::pool_wide(conn, founder.offer)?.most_sessions;
    begin_family(conn, ctx, &family, most)?;
    let refresh_token = secret::token(&ctx.entropy);
    keep_refresh(conn, &refresh_token, &family.origin_jti, ctx.now)?;
    with_user(conn, founder.offer, family, user, Some(refresh_token), scopes)
}

/// Stores a new family. Where the pool limits how many sign-ins of a user live at a time, the oldest of too many ends.
pub fn begin_family(
    conn: &mut Conn,
    ctx: &Ctx,
    family: &Family,
    most: Option<i64>,
) -> Result<(), StoreError> {
    token::insert_family(conn, family)?;
    let Some(most) = most else {
        return Ok(());
    };
    // Times are in seconds: of several sign-ins in one, the new one is the newest.
    let older = token::of_user(conn, &family.user_sub, ctx.now, most + 1)?;
    let beyond = older
        .into_iter()
        .filter(|one| one.origin_jti != family.origin_jti)
        .skip(usize::try_from(most).unwrap_or_default().saturating_sub(1));
    for old in beyond {
        end_family(conn, ctx, &old.user_pool_id, &old.origin_jti, "too many sign-ins")?;
    }
    Ok(())
}

/// A code that could not be spent. When its rightful client shows it again with the right verifier, somebody has stolen
/// something: what the first exchange produced is revoked. Anything else just fails, so that a replay is no weapon.
fn replayed(
    conn: &mut Conn,
    ctx: &Ctx,
    client: &Client,
    hash: &[u8],
    shown: &Shown<'_>,
) -> Answer<Exchanged> {
    let Some(code) = code::find(conn, hash)? else {
        return Ok(Err(invalid_grant("no such code")));
    };
    if let Err(refusal) = grant::check_code(&code, client, shown) {
        return Ok(Err(refusal));
    }
    if code.consumed_at.is_none() {
        return Ok(Err(invalid_grant("the code has expired")));
    }
    end_family(
        conn,
        ctx,
        &code.request.user_pool_id,
        &code.origin_jti,
        "code_replayed",
    )?;
    Ok(Err(invalid_grant(
        "the code was spent before; its tokens are revoked",
    )))
}

/// What a token request shows and asks for to refresh.
#[derive(Clone, Debug)]
pub struct Refresh {
    pub token: String,
    pub scope: Option<String>,
    pub resource: Option<String>,
}

/// Founds a family without refresh tokens: it lives as long as one access token.
pub fn found_brief(
    conn: &mut Conn,
    ctx: &Ctx,
    founder: Founder<'_>,
    user: User,
) -> Result<Exchanged, StoreError> {
    let family = Family {
        origin_jti: founder.origin_jti,
        user_pool_id: user.user_pool_id.clone(),
        client_id: founder.client.id.clone(),
        user_sub: user.sub.clone(),
        session_hash: founder.session_hash,
        expires_at: ctx.now.plus(founder.client.settings.access_token_seconds),
        granted: Json(founder.granted),
        created_at: ctx.now,
        revoked_at: None,
    };
    token::insert_family(conn, &family)?;
    let scopes = family.granted.scopes.clone();
    with_user(conn, founder.offer, family, user, None, scopes)
}

/// Exchanges a refresh token (RFC 6749 §6). Where tokens rotate, a token yields its one successor; shown again within
/// the grace period it yields the same successor, and after it the whole family ends (RFC 9700 §4.14.2).
pub fn refresh(
    conn: &mut Conn,
    ctx: &Ctx,
    client: &Client,
    offer: &Offer,
    asked: &Refresh,
    rotates: bool,
) -> Answer<Exchanged> {
    let Refreshable {
        token,
        family,
        user,
        scopes,
    } = match refreshable(conn, ctx.now, client, offer, asked)? {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let successor = if rotates || token.rotated_at.is_some() {
        match rotation::rotate(conn, ctx, client, &asked.token, &token)? {
            Ok(successor) => Some(successor),
            Err(refusal) => return Ok(Err(refusal)),
        }
    } else {
        None
    };
    with_user(conn, offer, family, user, successor, scopes).map(Ok)
}

/// The same for a client whose tokens do not rotate, which only reads. `None`: the token was exchanged when they still
/// did, and [`refresh`] has to decide.
pub fn refresh_in_place(
    conn: &mut Conn,
    now: UnixTime,
    client: &Client,
    offer: &Offer,
    asked: &Refresh,
) -> Result<Option<Result<Exchanged, OAuthError>>, StoreError> {
    match refreshable(conn, now, client, offer, asked)? {
        Ok(found) if found.token.rotated_at.is_some() => Ok(None),
        Ok(found) => {
            let exchanged = with_user(conn, offer, found.family, found.user, None, found.scopes)?;
            Ok(Some(Ok(exchanged)))
        }
        Err(refusal) => Ok(Some(Err(refusal))),
    }
}

/// What a refresh would yield, while the token has not been used before: for the hook that is asked before the token is
/// spent. `None` also for what [`refresh`] is going to refuse.
pub fn before_refresh(
    conn: &mut Conn,
    now: UnixTime,
    client: &Client,
    offer: &Offer,
    asked: &Refresh,
) -> Result<Option<Exchanged>, StoreError> {
    match refreshable(conn, now, client, offer, asked)? {
        Ok(found) if found.token.rotated_at.is_none() => {
            with_user(conn, offer, found.family, found.user, None, found.scopes).map(Some)
        }
        _ => Ok(None),
    }
}

/// A refresh token that may be used, as far as it has not been used before.
struct Refreshable {
    token: RefreshToken,
    family: Family,
    user: User,
    scopes: Vec<String>,
}

fn refreshable(
    conn: &mut Conn,
    now: UnixTime,
    client: &Client,
    offer: &Offer,
    asked: &Refresh,
) -> Answer<Refreshable> {
    if asked.token.len() > LONGEST {
        return Ok(Err(invalid_grant("the refresh token is too long")));
    }
    let Some((token, family)) = token::find_refresh(conn, &secret::hash(&asked.token))? else {
        return Ok(Err(invalid_grant("no such refresh token")));
    };
    if family.client_id != client.id {
        return Ok(Err(invalid_grant("the refresh token belongs to another client")));
    }
    if family.revoked_at.is_some() {
        return Ok(Err(invalid_grant(grant::REVOKED)));
    }
    if family.expires_at <= now {
        return Ok(Err(invalid_grant(grant::EXPIRED)));
    }
    let user = match alive(
        conn,
        now,
        client,
        &family.user_sub,
        &family.granted,
        family.created_at,
        offer,
    )? {
        Ok(user) => user,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let granted = &family.granted;
    // A sign-in through the API grants its one scope whatever the client may ask for on the web.
    let allowed = if granted.by_api {
        &granted.scopes
    } else {
        &client.settings.scopes
    };
    let scopes = grant::check_resource(asked.resource.as_deref(), granted.resource.as_deref())
        .and_then(|()| grant::live_scopes(asked.scope.as_deref(), &granted.scopes, allowed));
    Ok(scopes.map(|scopes| Refreshable {
        token,
        family,
        user,
        scopes,
    }))
}

/// Revokes the family of a refresh token of this client (RFC 7009). An unknown token, or another client's, changes
/// nothing and is no error (§2.1, §2.2).
pub fn revoke(conn: &mut Conn, ctx: &Ctx, client: &Client, presented: &str) -> Result<(), StoreError> {
    if presented.len() <= LONGEST
        && let Some((_, family)) = token::find_refresh(conn, &secret::hash(presented))?
        && family.client_id == client.id
    {
        end_family(
            conn,
            ctx,
            &family.user_pool_id,
            &family.origin_jti,
            "revoked_by_client",
        )?;
    }
    Ok(())
}

/// The user and family behind an access token, if both still live, and whether the connection that the user came by is
/// still one that the client may use; `None` when either ended.
pub fn bearer(
    conn: &mut Conn,
    offer: &Offer,
    origin_jti: &str,
    now: UnixTime,
) -> Result<Option<(Family, User, bool)>, StoreError> {
    let Some((family, user)) = token::find_family(conn, origin_jti)? else {
        return Ok(None);
    };
    if family.revoked_at.is_some() || family.created_at > now.plus(60) || !user.enabled {
        return Ok(None);
    }
    let is_offered = offers::still(conn, offer, &family.granted.provider_id, family.created_at)?;
    Ok(Some((family, user, is_offered)))
}

/// The user, if enabled, if the connection it came by is still one that the client may use, and if the client's access
/// rules still let it in.
fn alive(
    conn: &mut Conn,
    now: UnixTime,
    client: &Client,
    sub: &str,
    granted: &Granted,
    granted_at: UnixTime,
    offer: &Offer,
) -> Answer<User> {
    match user::find(conn, sub)? {
        None => Ok(Err(invalid_grant("the user does not exist any more"))),
        Some(user) if !user.enabled => Ok(Err(invalid_grant("the user is disabled"))),
        Some(_) if !offers::still(conn, offer, &granted.provider_id, granted_at)? => Ok(Err(invalid_grant(
            "the connection is disabled, made anew, or not the client's any more",
        ))),
        Some(user) => {
            let admitted = access::check(conn, now, client, offer, &user, Way::of_grant(granted))?;
            Ok(admitted.map(|()| user).map_err(|barred| barred.invalid_grant()))
        }
    }
}

/// Revokes the family and says so in the audit log, once.
fn end_family(conn: &mut Conn, ctx: &Ctx, pool: &str, origin_jti: &str, why: &str) -> Result<(), StoreError> {
    if token::revoke_family(conn, origin_jti, ctx.now)? {
        record(
            conn,
            ctx,
            "family.revoke",
            Some(pool),
            origin_jti,
            json!({ "why": why }),
        )?;
    }
    Ok(())
}

fn keep_refresh(conn: &mut Conn, token: &str, origin_jti: &str, now: UnixTime) -> Result<(), StoreError> {
    let row = RefreshToken {
        hash: secret::hash(token),
        origin_jti: origin_jti.to_owned(),
        created_at: now,
        rotated_at: None,
    };
    Ok(token::insert_refresh(conn, &row)?)
}

fn with_user(
    conn: &mut Conn,
    offer: &Offer,
    family: Family,
    user: User,
    refresh_token: Option<String>,
    scopes: Vec<String>,
) -> Result<Exchanged, StoreError> {
    let groups = group::of_user(conn, &user.sub)?;
    let identities = user::identities(conn, &user.sub)?;
    let standing = offers::standing(conn, offer, &family.granted.provider_id)?;
    Ok(Exchanged {
        tenant_id: standing.and_then(|standing| standing.tenant_id.clone()),
        family,
        user,
        groups,
        identities,
        refresh_token,
        scopes,
    })
}
