//! The end of a login: the upstream has said who it is; now the profile is settled, the browser gets a session and the
//! app its code. An app that has brought the upstream's ID token itself gets tokens, and nobody a session. One transaction,
//! with the trace in it; two where the pool has hooks that are asked in between.

mod given;
mod grants;

use serde_json::Value;

pub use grants::{CODE_SECONDS, Grant, find_session, issue_code, issue_tokens};

use self::given::{Bearer, Given, give_app, give_browser};
use super::access::Way;
use super::mappings::past::{self, About, Sealed};
use super::offers::Offer;
use super::profile::{self, Arrival, Expected, Settled};
use super::tokens::Exchanged;
use super::traces::{self, Draft};
use super::{Ctx, access, identity_moves, okta_api, watch};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::client::Client;
use crate::model::group::Group;
use crate::model::mapper_input::Contents;
use crate::model::overrides::Overrides;
use crate::model::pool::Pool;
use crate::model::provider::{ApiScope, Provider};
use crate::model::session::Facts;
use crate::model::single_use::{self, SingleUse};
use crate::model::trace::Outcome;
use crate::model::user::{self, Identity, User};
use crate::rules::claims::overridden;
use crate::rules::claims::sample::{Someone, sample};
use crate::rules::contract;
use crate::rules::login::{LIFETIME, Login};
use crate::rules::refusal::Refusal;
use crate::rules::secret;
use crate::rules::token_in::Fault;
use crate::world::UnixTime;

/// A browser session lasts one hour from the sign-in and does not slide (as Cognito's).
pub const SESSION_SECONDS: i64 = 3_600;
/// How long after it a sign-out still reaches the upstream, where the connection asks for that.
pub const SIGN_OUT_SECONDS: i64 = 30 * 86_400;
/// What the tokens that apps have brought are noted under.
const TOKEN_IN_PURPOSE: &str = "token-in";
/// What the logins that have come back are noted under.
const RETURN_PURPOSE: &str = "login-return";

/// Everything that decides what comes of a verified answer from the upstream.
pub struct Completion<'a> {
    pub pool: &'a Pool,
    pub client: &'a Client,
    pub provider: &'a Provider,
    pub errand: &'a Errand,
    pub arrival: &'a Arrival,
    pub facts: &'a Facts,
}

/// What the answer is wanted for.
#[derive(Clone, Debug)]
pub enum Errand {
    /// A browser has come back from the upstream.
    Login(Box<Returned>),
    /// An app has brought the upstream's ID token (RFC 8693).
    Exchange(Exchange),
}

/// A login that has come back.
#[derive(Clone, Debug)]
pub struct Returned {
    pub login: Login,
    pub redirect_uri: String,
    /// Hash of the upstream `state`: one login, one session.
    pub login_hash: Vec<u8>,
    /// The upstream ID token, sealed, where it will be needed for logging out there.
    pub id_token_sealed: Option<Vec<u8>>,
    /// The scopes of Okta's API that came, where they were asked for.
    pub granted: Option<Vec<ApiScope>>,
}

/// A token that was brought, and what is granted for it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Hash of what the token's signature covers, which nobody can write in two ways: one token, one exchange.
    pub token_hash: Vec<u8>,
    /// When the token is worth nothing any more.
    pub token_ends: UnixTime,
    pub scopes: Vec<String>,
    pub nonce: Option<String>,
    pub resource: Option<String>,
}

impl Errand {
    /// What was granted, as far as the client may still have it.
    pub fn live_scopes(&self, client: &Client) -> Vec<String> {
        let granted = match self {
            Errand::Login(returned) => &returned.login.scopes,
            Errand::Exchange(exchange) => &exchange.scopes,
        };
        let live = granted
            .iter()
            .filter(|scope| client.settings.scopes.contains(scope));
        live.cloned().collect()
    }
}

/// What goes to the app.
#[derive(Clone, Debug)]
pub enum Outgoing {
    Code(String),
    /// Implicit, or for a token that was brought: to be minted by the caller.
    Tokens(Box<Exchanged>),
}

/// How it ended. Both are committed.
#[derive(Clone, Debug)]
pub enum Completed {
    SignedIn {
        /// For the browser, where there is one.
        session_token: Option<String>,
        outgoing: Outgoing,
    },
    Refused {
        refusal: Refusal,
        trace_code: String,
    },
    /// The person has moved to this connection, and the one they came by is closed to them.
    Moved {
        refusal: Refusal,
        trace_code: String,
        to: Box<Provider>,
    },
    /// The same callback came twice: the first has made the session.
    Repeated,
}

/// A profile that is settled and not signed in yet.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub user: User,
    pub groups: Vec<Group>,
    pub identities: Vec<Identity>,
    /// This was the first sign-in.
    pub created: bool,
    pub trace: Draft,
    mapping_version: i64,
    sealed: Option<Sealed>,
}

/// The whole end of a login, in one transaction.
pub fn complete(
    conn: &mut Conn,
    ctx: &Ctx,
    work: &Completion<'_>,
    trace: Draft,
) -> Result<Completed, StoreError> {
    match arrive(conn, ctx, work, trace)? {
        Ok(arrived) => finish(conn, ctx, work, arrived, None),
        Err(refused) => Ok(refused),
    }
}

/// The first half: the profile. By itself where a hook is to be asked before [`finish`].
pub fn arrive(
    conn: &mut Conn,
    ctx: &Ctx,
    work: &Completion<'_>,
    mut trace: Draft,
) -> Result<Result<Arrived, Completed>, StoreError> {
    let Completion {
        pool,
        client,
        provider,
        ..
    } = *work;
    let days = pool.settings.trace_days;
    for name in ["preferred_username", "email"] {
        if let Some(address) = work.arrival.claims.get(name).and_then(Value::as_str) {
            trace.concerns(&ctx.sealer, address);
        }
    }
    let refused = |conn: &mut Conn, mut trace: Draft, step: &str, seen: String, refusal: &Refusal| {
        trace.step(step, false, seen);
        trace.story.remedy = refusal.remedy.to_string();
        traces::keep(conn, ctx, trace, Outcome::Refused, &refusal.cause, days)
    };
    if let Errand::Exchange(exchange) = work.errand
        && !spend(conn, ctx, client, exchange)?
    {
        let refusal = Fault::TokenReplayed.refusal();
        let trace_code = refused(conn, trace, "replay", "exchanged before".to_owned(), &refusal)?;
        return Ok(Err(Completed::Refused { refusal, trace_code }));
    }
    // Also when the sign-in is refused in the end: it may well be for want of a claim that used to come.
    let Arrival { subject, claims, .. } = &work.arrival;
    watch::note_claims(conn, ctx, &provider.id, subject, claims)?;
    if let Errand::Login(returned) = work.errand
        && let Some(granted) = &returned.granted
    {
        okta_api::note_granted(conn, ctx, &provider.id, granted)?;
    }
    // Before anything else is changed: a refused sign-in leaves nothing but its trace.
    if !is_required_user(conn, ctx, work)? {
        let seen = "somebody else than the user that the app insists on".to_owned();
        let refusal = Refusal::other_user();
        let trace_code = refused(conn, trace, "user", seen, &refusal)?;
        return Ok(Err(Completed::Refused { refusal, trace_code }));
    }
    if let Some(to) = identity_moves::instead(conn, client, provider, work.arrival)? {
        let seen = format!("moved to {}: this connection is closed to them", to.id);
        let refusal = Refusal::moved(&to.settings.label);
        let trace_code = refused(conn, trace, "move", seen, &refusal)?;
        let to = Box::new(to);
        return Ok(Err(Completed::Moved {
            refusal,
            trace_code,
            to,
        }));
    }
    let Settled {
        user,
        groups,
        identities,
        mapping_version,
        effects,
        created,
        contents,
    } = match profile::settle(conn, ctx, pool, provider, client, work.arrival)? {
        Ok(settled) => settled,
        Err(refused_profile) => {
            trace.user_sub = refused_profile.user_sub;
            trace.story.mapping_version = Some(refused_profile.mapping_version);
            trace.story.effects = refused_profile.effects;
            let refusal = refused_profile.refusal;
            let step = match refusal.cause {
                "user_disabled" | "account_required" => "user",
                _ => "mapping",
            };
            let (seen, refusal) = (refusal.detail.clone(), refusal.into());
            let sealed = seal_past(ctx, provider, &refused_profile.contents, &mut trace);
            let user_sub = trace.user_sub.clone();
            let trace_code = refused(conn, trace, step, seen, &refusal)?;
            if let Some(sealed) = sealed {
                let about = About {
                    client,
                    trace_code: &trace_code,
                    user_sub,
                    mapping_version: refused_profile.mapping_version,
                };
                past::keep(conn, ctx, provider, about, sealed)?;
            }
            return Ok(Err(Completed::Refused { refusal, trace_code }));
        }
    };
    if required_sub(work).is_some_and(|required| required != user.sub) {
        return Err(StoreError::Busy(
            "somebody else was linked to the account at the same moment",
        ));
    }
    trace.user_sub = Some(user.sub.clone());
    trace.story.effects = effects;
    trace.story.mapping_version = Some(mapping_version);
    trace.step("mapping", true, format!("version {mapping_version}"));
    trace.step(
        "user",
        true,
        if created { "created just in time" } else { "known" },
    );
    let sealed = seal_past(ctx, provider, &contents, &mut trace);
    let way = Way {
        connection: &provider.id,
        amr: &work.facts.amr,
        acr: work.facts.acr.as_deref(),
    };
    // Of the profile as this sign-in has left it. The profile stays: it may enter another app.
    if let Err(barred) = access::check(conn, ctx.now, client, &Offer::of(client), &user, way)? {
        let refusal = barred.refusal(&client.name);
        if let Errand::Exchange(exchange) = work.errand {
            // Nothing is wrong with the token: it is as good as before, once the app lets them in.
            single_use::forget(conn, &exchange.token_hash, TOKEN_IN_PURPOSE)?;
        }
        let trace_code = refused(conn, trace, "access", barred.seen(), &refusal)?;
        if let Some(sealed) = sealed {
            let about = About {
                client,
                trace_code: &trace_code,
                user_sub: Some(user.sub),
                mapping_version,
            };
            past::keep(conn, ctx, provider, about, sealed)?;
        }
        return Ok(Err(Completed::Refused { refusal, trace_code }));
    }
    Ok(Ok(Arrived {
        user,
        groups,
        identities,
        created,
        trace,
        mapping_version,
        sealed,
    }))
}

/// Whom this sign-in leads to, for the hooks that are asked before it: [`profile::expect`], and nobody where the app
/// insists on somebody else.
pub fn expect(conn: &mut Conn, ctx: &Ctx, work: &Completion<'_>) -> Result<Expected, StoreError> {
    if !is_required_user(conn, ctx, work)?
        || identity_moves::instead(conn, work.client, work.provider, work.arrival)?.is_some()
    {
        return Ok(Expected::Refused);
    }
    profile::expect(conn, ctx, work.pool, work.provider, work.client, work.arrival)
}

/// Whom the app insists on, if it does.
fn required_sub<'a>(work: &Completion<'a>) -> Option<&'a str> {
    match work.errand {
        Errand::Login(returned) => returned.login.required_sub.as_deref(),
        Errand::Exchange(_) => None,
    }
}

/// Whether it is the user that the app insists on, if it does: also whoever comes by this connection for the first time, if
/// a move or the tenant's linking makes them that user.
fn is_required_user(conn: &mut Conn, ctx: &Ctx, work: &Completion<'_>) -> Result<bool, StoreError> {
    let Some(required) = required_sub(work) else {
        return Ok(true);
    };
    let Arrival { issuer, subject, .. } = work.arrival;
    if let Some(known) = user::find_by_identity(conn, &work.provider.id, issuer, subject)? {
        return Ok(known.sub == required);
    }
    let expected = profile::expect(conn, ctx, work.pool, work.provider, work.client, work.arrival)?;
    Ok(matches!(expected, Expected::Known { user, .. } if user.sub == required))
}

/// Uses a token that was brought. Also where the claims lead nowhere, which a fresh one mends; not where the app does not
/// let in whom they lead to.
fn spend(conn: &mut Conn, ctx: &Ctx, client: &Client, exchange: &Exchange) -> Result<bool, StoreError> {
    let row = SingleUse {
        hash: exchange.token_hash.clone(),
        purpose: TOKEN_IN_PURPOSE.to_owned(),
        subject: client.id.clone(),
        sealed: None,
        created_at: ctx.now,
        expires_at: exchange.token_ends,
        used_at: Some(ctx.now),
    };
    Ok(single_use::spend(conn, &row)?)
}

/// Notes that a login has come back with a code; false when it has before. A code goes to the upstream once, or the upstream
/// would take back what it brought (RFC 6749 §4.1.2).
pub fn come_back(conn: &mut Conn, ctx: &Ctx, state: &str) -> Result<bool, StoreError> {
    let row = SingleUse {
        hash: secret::hash(&format!("{RETURN_PURPOSE} {state}")),
        purpose: RETURN_PURPOSE.to_owned(),
        subject: String::new(),
        sealed: None,
        created_at: ctx.now,
        expires_at: ctx.now.plus(LIFETIME),
        used_at: Some(ctx.now),
    };
    Ok(single_use::spend(conn, &row)?)
}

/// The second half: the session, and what goes to the app.
pub fn finish(
    conn: &mut Conn,
    ctx: &Ctx,
    work: &Completion<'_>,
    arrived: Arrived,
    overrides: Option<Overrides>,
) -> Result<Completed, StoreError> {
    let Completion {
        pool,
        client,
        provider,
        ..
    } = *work;
    let Arrived {
        user,
        groups,
        identities,
        mut trace,
        mapping_version,
        sealed,
        ..
    } = arrived;
    tell_contract(ctx, work, &user, &groups, overrides.as_ref(), &mut trace);
    let user_sub = user.sub.clone();
    let bearer = Bearer {
        user,
        groups,
        identities,
        mapping_version,
        overrides,
    };
    let given = match work.errand {
        Errand::Login(returned) => give_browser(conn, ctx, work, returned, bearer)?,
        Errand::Exchange(exchange) => Some(give_app(conn, ctx, work, exchange, bearer)?),
    };
    let Some(Given {
        session_token,
        outgoing,
        origin_jti,
    }) = given
    else {
        return Ok(Completed::Repeated);
    };
    trace.story.origin_jti = Some(origin_jti);
    trace.step(
        "response",
        true,
        match outgoing {
            Outgoing::Code(_) => "a code went to the app",
            Outgoing::Tokens(_) => "tokens went to the app",
        },
    );
    let days = pool.settings.trace_days;
    let trace_code = traces::keep(conn, ctx, trace, Outcome::SignedIn, "signed_in", days)?;
    if let Some(sealed) = sealed {
        let about = About {
            client,
            trace_code: &trace_code,
            user_sub: Some(user_sub),
            mapping_version,
        };
        past::keep(conn, ctx, provider, about, sealed)?;
    }
    Ok(Completed::SignedIn {
        session_token,
        outgoing,
    })
}

/// Seals what the mapping saw; why it is not kept stands in the trace.
fn seal_past(ctx: &Ctx, provider: &Provider, contents: &Contents, trace: &mut Draft) -> Option<Sealed> {
    past::seal(ctx, provider, contents).unwrap_or_else(|why| {
        trace.step("replay", true, format!("not kept for replays: {why}"));
        None
    })
}

/// An app that does not get the claims it needs signs nobody in, and from outside nobody sees why: the trace says it.
fn tell_contract(
    ctx: &Ctx,
    work: &Completion<'_>,
    user: &User,
    groups: &[Group],
    overrides: Option<&Overrides>,
    trace: &mut Draft,
) {
    let Completion {
        pool,
        client,
        provider,
        ..
    } = *work;
    let contract = &client.settings.contract;
    if contract.is_empty() {
        return;
    }
    let someone = Someone {
        sub: Some(&user.sub),
        username: &user.username,
        attributes: &user.attributes,
        groups,
        provider_id: &provider.id,
        provider_name: &provider.name,
        tenant_id: provider.tenant_id.as_deref(),
        subject: "",
    };
    // The tokens have the same claims: a claim of another type than the contract's is not minted, and then missing.
    let sampled = sample("", pool, client, &someone, ctx.now);
    let breaches = match (overrides, sampled.id_token) {
        (Some(overrides), Some(Ok(claims))) => overridden::id_token(claims, overrides, client)
            .map(|claims| contract::check(contract, &claims))
            .unwrap_or_default(),
        _ => sampled.breaches,
    };
    if breaches.is_empty() {
        return trace.step("contract", true, "the app gets the claims it needs");
    }
    let told: Vec<String> = breaches.iter().map(ToString::to_string).collect();
    trace.step("contract", false, told.join("; "));
}
