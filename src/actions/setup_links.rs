//! Set-up links: a customer's own administrator connects their Okta by one, without an account here and without anybody
//! of ours. Made for one tenant, for a while, revocable; only the hash of its token is kept. What it opens is a session
//! of the console that can do what the link is for (`web::console::connect` says what that is) in that tenant alone, and
//! each step stands in the audit log under the link's name.

use serde_json::json;

use super::admins::{IDLE_SECONDS, Place, SESSION_SECONDS};
use super::webhooks::{self, Event};
use super::{Ctx, record_for, tenants};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::administrator::Rights;
use crate::model::provider::Provider;
use crate::model::reach::Reach;
use crate::model::setup_link::{self, SetupLink, SetupSession, State};
use crate::model::tenant::{self, Tenant};
use crate::model::upstream_token;
use crate::rules::secret;
use crate::world::UnixTime;

/// For how many days a link may be good.
pub const LONGEST_DAYS: i64 = 30;
/// For how many it is when nobody says.
pub const USUAL_DAYS: i64 = 7;
/// Links of a tenant that are open at once.
pub const MOST_OPEN: i64 = 10;
/// Links of a tenant that are listed.
pub const LISTED: i64 = 50;

/// Makes a link for whoever has the tenant's pool, and gives its token, which is never shown again. A tenant's own
/// administrator needs none.
pub fn create(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    tenant_id: &str,
    days: i64,
) -> Result<(SetupLink, String), Error> {
    let tenant = of_pool(conn, reach, tenant_id)?;
    if !(1..=LONGEST_DAYS).contains(&days) {
        return Err(Error::invalid(
            "days",
            format!("A link is good for 1 to {LONGEST_DAYS} days."),
        ));
    }
    // Held, so that two at once don't both find the last place free.
    tenant::lock(conn, &tenant.id)?;
    if setup_link::count_open(conn, &tenant.id, ctx.now)? >= MOST_OPEN {
        return Err(Error::Conflict(format!(
            "{MOST_OPEN} links of this tenant are open already: revoke one first"
        )));
    }
    let token = secret::token(&ctx.entropy);
    let link = SetupLink {
        id: format!("su_{}", secret::lower(&ctx.entropy, 16)),
        user_pool_id: tenant.user_pool_id,
        tenant_id: tenant.id,
        hash: secret::hash(&token),
        created_by: ctx.actor.clone(),
        created_at: ctx.now,
        expires_at: ctx.now.plus(days.saturating_mul(86_400)),
        opened_at: None,
        revoked_at: None,
        done_at: None,
        provider_id: None,
        noted_at: None,
    };
    setup_link::insert(conn, &link)?;
    note(
        conn,
        ctx,
        &link,
        "create",
        json!({ "expires_at": link.expires_at.to_string() }),
    )?;
    Ok((link, token))
}

/// Ends a link, and at once the sessions in which somebody works with it.
pub fn revoke(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str) -> Result<SetupLink, Error> {
    let link = find(conn, reach, id)?;
    if !setup_link::revoke(conn, &link.id, ctx.now)? {
        return Err(Error::Conflict("the link has ended already".into()));
    }
    upstream_token::forget_of(conn, &link.id)?;
    note(conn, ctx, &link, "revoke", json!({}))?;
    Ok(link)
}

/// Takes note that a link is done: it is not announced any more.
pub fn take_note(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str) -> Result<(), Error> {
    let link = find(conn, reach, id)?;
    if setup_link::set_noted(conn, &link.id, ctx.now)? {
        note(conn, ctx, &link, "noted", json!({}))?;
    }
    Ok(())
}

/// The link, for whoever has the tenant's pool.
pub fn find(conn: &mut Conn, reach: &Reach, id: &str) -> Result<SetupLink, Error> {
    // PostgreSQL cannot even be asked for such a name.
    let found = match id.contains('\0') {
        true => None,
        false => setup_link::find_within(conn, reach, id)?,
    };
    found
        .filter(|link| reach.has_pool(&link.user_pool_id))
        .ok_or_else(|| Error::not_found("set-up link", id))
}

/// The newest links of a tenant, for whoever has its pool.
pub fn list(conn: &mut Conn, reach: &Reach, tenant_id: &str) -> Result<(Tenant, Vec<SetupLink>), Error> {
    let tenant = of_pool(conn, reach, tenant_id)?;
    let links = setup_link::of_tenant(conn, &tenant.id, LISTED)?;
    Ok((tenant, links))
}

fn of_pool(conn: &mut Conn, reach: &Reach, tenant_id: &str) -> Result<Tenant, Error> {
    let tenant = tenants::find(conn, reach, tenant_id)?;
    if reach.has_pool(&tenant.user_pool_id) {
        Ok(tenant)
    } else {
        Err(Error::not_found("tenant", tenant_id))
    }
}

/// What a token leads to now. Looking uses nothing up: mail filters and chat previews look at links before people do.
pub fn look(conn: &mut Conn, now: UnixTime, token: &str) -> Result<Option<(SetupLink, Tenant)>, StoreError> {
    let Some(link) = setup_link::find_by_hash(conn, &secret::hash(token))? else {
        return Ok(None);
    };
    if link.state(now) != State::Open {
        return Ok(None);
    }
    let tenant = tenant::find(conn, &Reach::everything(), &link.tenant_id)?;
    Ok(tenant.map(|tenant| (link, tenant)))
}

/// Begins with a link, or takes it up again in another browser; gives the cookie's value.
pub fn begin(conn: &mut Conn, ctx: &Ctx, token: &str, place: Place) -> Result<Option<String>, StoreError> {
    let Some((link, _)) = look(conn, ctx.now, token)? else {
        return Ok(None);
    };
    setup_link::set_opened(conn, &link.id, ctx.now)?;
    let cookie = secret::token(&ctx.entropy);
    let session = SetupSession {
        hash: secret::hash(&cookie),
        link_id: link.id.clone(),
        id: secret::uuid(&ctx.entropy),
        address: place.address,
        user_agent: place.user_agent,
        created_at: ctx.now,
        last_seen_at: ctx.now,
        expires_at: link.expires_at.min(ctx.now.plus(SESSION_SECONDS)),
    };
    setup_link::insert_session(conn, &session)?;
    let by = Ctx {
        actor: actor(&link),
        ..ctx.clone()
    };
    note(conn, &by, &link, "open", json!({ "address": session.address }))?;
    Ok(Some(cookie))
}

/// Who works in a session of a link.
#[derive(Clone, Debug)]
pub struct Holder {
    pub session: SetupSession,
    pub link: SetupLink,
    pub tenant: Tenant,
}

impl Holder {
    /// That tenant and nothing beside it.
    pub fn rights(&self) -> Rights {
        let reach = Reach {
            tenants: vec![self.tenant.id.clone()],
            ..Reach::default()
        };
        Rights {
            sees: reach.clone(),
            changes: reach,
            operates: false,
        }
    }

    pub fn actor(&self) -> String {
        actor(&self.link)
    }
}

/// Whose session this cookie is, while session and link live.
pub fn holder(conn: &mut Conn, now: UnixTime, cookie: &str) -> Result<Option<Holder>, StoreError> {
    let idle = now.plus(-IDLE_SECONDS);
    let session = setup_link::find_session(conn, &secret::hash(cookie), now, idle)?;
    of_session(conn, now, session)
}

/// The same by the names of both, for what comes back without the cookie.
pub fn holder_named(
    conn: &mut Conn,
    now: UnixTime,
    link_id: &str,
    session_id: &str,
) -> Result<Option<Holder>, StoreError> {
    let idle = now.plus(-IDLE_SECONDS);
    let session = setup_link::find_session_named(conn, link_id, session_id, now, idle)?;
    of_session(conn, now, session)
}

fn of_session(
    conn: &mut Conn,
    now: UnixTime,
    session: Option<SetupSession>,
) -> Result<Option<Holder>, StoreError> {
    let Some(session) = session else { return Ok(None) };
    let everything = Reach::everything();
    let link = setup_link::find_within(conn, &everything, &session.link_id)?;
    // Of one that is done the holder still sees the last page.
    let Some(link) = link.filter(|link| matches!(link.state(now), State::Open | State::Done)) else {
        return Ok(None);
    };
    let tenant = tenant::find(conn, &everything, &link.tenant_id)?;
    Ok(tenant.map(|tenant| Holder {
        session,
        link,
        tenant,
    }))
}

/// Ends this session; the link stays.
pub fn leave(conn: &mut Conn, holder: &Holder) -> Result<(), StoreError> {
    setup_link::delete_session(conn, &holder.session.hash)?;
    Ok(())
}

/// The connection has gone live by this link, in the same transaction: the link is done, and whoever listens is told.
pub fn finish(conn: &mut Conn, ctx: &Ctx, link: &SetupLink, provider: &Provider) -> Result<(), Error> {
    if !setup_link::finish(conn, &link.id, &provider.id, ctx.now)? {
        return Err(Error::Conflict(
            "the set-up link has ended meanwhile: ask for a new one".into(),
        ));
    }
    note(conn, ctx, link, "done", json!({ "connection": provider.id }))?;
    let data = json!({
        "setup_link": link.id,
        "connection": { "id": provider.id, "name": provider.name, "issuer": provider.issuer },
        "user_pool_id": link.user_pool_id,
        "tenant": link.tenant_id,
    });
    webhooks::emit(
        conn,
        ctx,
        &link.user_pool_id,
        Some(&link.tenant_id),
        Event::SetUpCompleted,
        &data,
    )?;
    Ok(())
}

/// How the holder of a link stands in the audit log.
fn actor(link: &SetupLink) -> String {
    format!("set-up link:{}", link.id)
}

fn note(
    conn: &mut Conn,
    ctx: &Ctx,
    link: &SetupLink,
    what: &str,
    difference: serde_json::Value,
) -> Result<(), StoreError> {
    let action = format!("setup_link.{what}");
    let (tenant, pool) = (Some(link.tenant_id.as_str()), Some(link.user_pool_id.as_str()));
    record_for(conn, ctx, tenant, &action, pool, &link.id, difference)?;
    Ok(())
}
