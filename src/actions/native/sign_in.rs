//! What comes of a right password: tokens for the API, a session and a code for the web, or a challenge to set another
//! password first. The password itself was looked at before (`broker::sign_in`); here it is only said whose it was.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{NewPassword, accounts};
use crate::actions::access::{self, Way};
use crate::actions::login::{self, Grant, Outgoing, SESSION_SECONDS};
use crate::actions::offers::Offer;
use crate::actions::tokens::{self, Exchanged, Founder};
use crate::actions::traces::{self, Draft};
use crate::actions::{Ctx, enforcement, record, users};
use crate::db::{Conn, Json};
use crate::error::{Error, StoreError};
use crate::model::challenge::{self, Challenge, Name};
use crate::model::client::Client;
use crate::model::overrides::Overrides;
use crate::model::password;
use crate::model::pool::Pool;
use crate::model::reach::Reach;
use crate::model::session::{self, Facts, Session};
use crate::model::token::Granted;
use crate::model::trace::Outcome;
use crate::model::user::{self, Status, User};
use crate::rules::access::Barred;
use crate::rules::authorize::{Authorization, ResponseType};
use crate::rules::aws::auth_flow;
use crate::rules::refusal::Refusal;
use crate::rules::registration::client::NATIVE;
use crate::rules::secret;
use crate::seal::Label;
use crate::world::UnixTime;

/// RFC 8176: a password.
const PASSWORD: &str = "pwd";

/// What the answer to `PASSWORD_VERIFIER` is checked against.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SrpState {
    /// The name as it was typed, known or not.
    pub name: String,
    /// `USER_ID_FOR_SRP`.
    pub user_id: String,
    pub client_public: Vec<u8>,
    pub secret: [u8; 32],
}

/// What the answer to `NEW_PASSWORD_REQUIRED` is checked against: the password that was shown is still the account's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewPasswordState {
    pub shown: UnixTime,
}

/// Why a right password gives no tokens.
pub enum NoTokens {
    /// The account went away in between.
    Gone,
    Barred(Barred),
}

/// Tokens for a user who has signed in through the API.
pub fn tokens(
    conn: &mut Conn,
    ctx: &Ctx,
    client: &Client,
    offer: &Offer,
    sub: &str,
) -> Result<Result<Exchanged, NoTokens>, StoreError> {
    let Some(user) = user::find(conn, sub)?.filter(|user| user.enabled) else {
        return Ok(Err(NoTokens::Gone));
    };
    let amr = [PASSWORD.to_owned()];
    if let Err(barred) = access::check(conn, ctx.now, client, offer, &user, by_password(&amr))? {
        return Ok(Err(NoTokens::Barred(barred)));
    }
    let scopes = vec![auth_flow::SCOPE.to_owned()];
    let founder = Founder {
        client,
        offer,
        origin_jti: secret::uuid(&ctx.entropy),
        session_hash: None,
        granted: Granted {
            scopes: scopes.clone(),
            provider_id: NATIVE.to_owned(),
            auth_time: ctx.now,
            amr: amr.to_vec(),
            by_api: true,
            event_id: secret::uuid(&ctx.entropy),
            ..Granted::default()
        },
    };
    tokens::found(conn, ctx, founder, user, scopes).map(Ok)
}

fn by_password(amr: &[String]) -> Way<'_> {
    Way {
        connection: NATIVE,
        amr,
        acr: None,
    }
}

/// Stores a challenge of this client and gives its handle.
pub fn challenge(
    conn: &mut Conn,
    ctx: &Ctx,
    client: &Client,
    name: Name,
    user_sub: Option<String>,
    state: &impl Serialize,
) -> Result<String, StoreError> {
    let handle = secret::token(&ctx.entropy);
    let state =
        serde_json::to_vec(state).map_err(|cause| StoreError::Unreadable(format!("a challenge: {cause}")))?;
    let row = Challenge {
        hash: secret::hash(&handle),
        user_pool_id: client.user_pool_id.clone(),
        client_id: client.id.clone(),
        user_sub,
        name,
        state_sealed: ctx.sealer.seal(label(client), &state),
        expires_at: ctx.now.plus(auth_flow::challenge_seconds(&client.settings)),
        consumed_at: None,
    };
    challenge::insert(conn, &row)?;
    Ok(handle)
}

/// Answers a challenge, once: its row and what it kept. `None` when this client has none such to answer now.
pub fn take<T: DeserializeOwned>(
    conn: &mut Conn,
    ctx: &Ctx,
    client: &Client,
    name: Name,
    handle: &str,
) -> Result<Option<(Challenge, T)>, StoreError> {
    let Some(row) = challenge::consume(conn, &secret::hash(handle), &client.id, name, ctx.now)? else {
        return Ok(None);
    };
    let unreadable = || StoreError::Unreadable("a challenge".into());
    let state = ctx
        .sealer
        .open(label(client), &row.state_sealed)
        .map_err(|_| unreadable())?;
    let state = serde_json::from_slice(&state).map_err(|_| unreadable())?;
    Ok(Some((row, state)))
}

fn label(client: &Client) -> Label<'_> {
    Label {
        purpose: "challenge",
        scope: &client.user_pool_id,
        name: &client.id,
    }
}

/// Sets the password that `NEW_PASSWORD_REQUIRED` asked for, and attributes with it. `None`: the challenge is over, or the
/// account is not what it was.
pub fn set_new_password(
    conn: &mut Conn,
    ctx: &Ctx,
    client: &Client,
    handle: &str,
    new: NewPassword,
    attributes: &BTreeMap<String, Value>,
) -> Result<Option<User>, Error> {
    let taken = take::<NewPasswordState>(conn, ctx, client, Name::NewPasswordRequired, handle)?;
    let Some((Some(sub), state)) = taken.map(|(row, state)| (row.user_sub, state)) else {
        return Ok(None);
    };
    let Some((user, password)) = password::with_user(conn, &sub)? else {
        return Ok(None);
    };
    if password.updated_at != state.shown
        || auth_flow::standing(&user, password.temporary_until, ctx.now) != auth_flow::Standing::NewPassword
    {
        return Ok(None);
    }
    accounts::keep(conn, ctx, &user, new, None)?;
    user::set_status(conn, &sub, Status::Confirmed, ctx.now)?;
    record(
        conn,
        ctx,
        "user.password.change",
        Some(&user.user_pool_id),
        &sub,
        json!({ "status": { "old": user.status, "new": Status::Confirmed } }),
    )?;
    if !attributes.is_empty() {
        // As with a token: an address that their organisation knows them by is not theirs to give up.
        if enforcement::is_wanted_elsewhere(conn, ctx.now, &user, NATIVE)? {
            return Err(Error::Denied(
                "The user's organisation has closed the sign-in by password".into(),
            ));
        }
        users::set_attributes(conn, ctx, &Reach::everything(), &sub, attributes)?;
    }
    Ok(user::find(conn, &sub)?)
}

/// A sign-in on the login page, its password right.
pub struct WebSignIn<'a> {
    pub pool: &'a Pool,
    pub client: &'a Client,
    pub authorization: &'a Authorization,
    pub user_sub: &'a str,
    /// What the pool's hook wants otherwise in the tokens.
    pub overrides: Option<Overrides>,
    pub trace: Draft,
}

/// How it ended. Both are committed.
pub enum Completed {
    SignedIn {
        session_token: String,
        outgoing: Outgoing,
    },
    Refused {
        refusal: Refusal,
        trace_code: String,
    },
}

/// The browser gets a session and the app its code, as after a sign-in at an organisation.
pub fn complete(conn: &mut Conn, ctx: &Ctx, work: WebSignIn<'_>) -> Result<Completed, StoreError> {
    let WebSignIn {
        pool,
        client,
        authorization: asked,
        user_sub,
        overrides,
        mut trace,
    } = work;
    let days = pool.settings.trace_days;
    let user = user::find(conn, user_sub)?.filter(|user| user.enabled);
    let insisted = asked.required_sub.as_deref();
    let user = match user {
        Some(user) if insisted.is_none_or(|sub| sub == user.sub) => user,
        other => {
            let refusal = match other {
                Some(_) => Refusal::other_user(),
                None => Refusal::user_disabled(),
            };
            trace.step("user", false, refusal.what.to_string());
            trace.story.remedy = refusal.remedy.to_string();
            let trace_code = traces::keep(conn, ctx, trace, Outcome::Refused, &refusal.cause, days)?;
            return Ok(Completed::Refused { refusal, trace_code });
        }
    };
    trace.user_sub = Some(user.sub.clone());
    trace.step("user", true, "known");
    let amr = [PASSWORD.to_owned()];
    let offer = Offer::of(client);
    if let Err(barred) = access::check(conn, ctx.now, client, &offer, &user, by_password(&amr))? {
        let refusal = barred.refusal(&client.name);
        trace.step("access", false, barred.seen());
        trace.story.remedy = refusal.remedy.to_string();
        let trace_code = traces::keep(conn, ctx, trace, Outcome::Refused, &refusal.cause, days)?;
        return Ok(Completed::Refused { refusal, trace_code });
    }
    let session_token = secret::token(&ctx.entropy);
    let session = Session {
        hash: secret::hash(&session_token),
        user_pool_id: pool.id.clone(),
        user_sub: user.sub.clone(),
        provider_id: None,
        login_hash: secret::hash(&secret::token(&ctx.entropy)),
        facts: Json(Facts {
            auth_time: ctx.now,
            amr: amr.to_vec(),
            ..Facts::default()
        }),
        id_token_sealed: None,
        created_at: ctx.now,
        expires_at: ctx.now.plus(SESSION_SECONDS),
    };
    session::insert(conn, &session)?;
    let grant = Grant {
        client,
        redirect_uri: &asked.redirect_uri,
        redirect_uri_given: asked.redirect_uri_given,
        scopes: &asked.scopes,
        nonce: asked.nonce.as_deref(),
        resource: asked.resource.as_deref(),
        code_challenge: asked.code_challenge.as_deref(),
        mapping_version: 0,
        overrides,
    };
    let (outgoing, origin_jti, said) = match asked.response_type {
        ResponseType::Code => {
            let (code, origin_jti) = login::issue_code(conn, ctx, &session, &grant)?;
            (Outgoing::Code(code), origin_jti, "a code went to the app")
        }
        ResponseType::Token => {
            let exchanged = login::issue_tokens(conn, ctx, &session, user, &grant)?;
            let origin_jti = exchanged.family.origin_jti.clone();
            let outgoing = Outgoing::Tokens(Box::new(exchanged));
            (outgoing, origin_jti, "tokens went to the app")
        }
    };
    trace.story.origin_jti = Some(origin_jti);
    trace.step("response", true, said);
    traces::keep(conn, ctx, trace, Outcome::SignedIn, "signed_in", days)?;
    Ok(Completed::SignedIn {
        session_token,
        outgoing,
    })
}
