//! Passkeys of administrators (WebAuthn Level 3): challenges that are used once, registration, sign-in, renewed proof.
//! Challenge, credential and counter are settled in one transaction; a refusal commits too, so that a challenge is gone
//! after the first answer whatever it was.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, DiscoverableKey, PasskeyAuthentication,
    PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Webauthn,
};

use super::{Ctx, IDLE_SECONDS, Place, Proof, break_glass, record, sessions};
use crate::db::{Conn, Json};
use crate::error::{Error, StoreError};
use crate::model::admin_session::{self, AdminSession};
use crate::model::administrator;
use crate::model::passkey::{self, Passkey};
use crate::model::single_use::{self, SingleUse};
use crate::rules::secret;
use crate::seal::Label;

/// How long a challenge waits for its answer.
pub const CHALLENGE_SECONDS: i64 = 300;
/// Passkeys that one administrator may have.
const MOST: usize = 20;

/// What a challenge is for; an answer to one is none to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    SignIn,
    Prove,
    Register,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Purpose::SignIn => "passkey-sign-in",
            Purpose::Prove => "passkey-prove",
            Purpose::Register => "passkey-register",
        }
    }
}

/// Keeps a challenge's state, sealed; what is given back names it. `subject` is the administrator, '' before a sign-in.
pub fn keep_challenge(
    conn: &mut Conn,
    ctx: &Ctx,
    purpose: Purpose,
    subject: &str,
    state: &impl Serialize,
) -> Result<String, StoreError> {
    let plain = serde_json::to_vec(state).map_err(|cause| StoreError::Unreadable(cause.to_string()))?;
    let token = secret::token(&ctx.entropy);
    single_use::insert(
        conn,
        &SingleUse {
            hash: secret::hash(&token),
            purpose: purpose.as_str().to_owned(),
            subject: subject.to_owned(),
            sealed: Some(ctx.sealer.seal(label(purpose, subject), &plain)),
            created_at: ctx.now,
            expires_at: ctx.now.plus(CHALLENGE_SECONDS),
            used_at: None,
        },
    )?;
    Ok(token)
}

/// Takes a challenge's state out, once.
fn take_challenge<T: DeserializeOwned>(
    conn: &mut Conn,
    ctx: &Ctx,
    purpose: Purpose,
    subject: &str,
    token: &str,
) -> Result<Option<T>, StoreError> {
    let used = single_use::consume(conn, &secret::hash(token), purpose.as_str(), ctx.now)?;
    let Some(sealed) = used
        .filter(|used| used.subject == subject)
        .and_then(|used| used.sealed)
    else {
        return Ok(None);
    };
    Ok(ctx
        .sealer
        .open(label(purpose, subject), &sealed)
        .ok()
        .and_then(|plain| serde_json::from_slice(&plain).ok()))
}

fn label<'a>(purpose: Purpose, subject: &'a str) -> Label<'a> {
    Label {
        purpose: purpose.as_str(),
        scope: "console",
        name: subject,
    }
}

/// A credential as the browser answered, and the challenge that it answers.
#[derive(Clone)]
pub struct Answer<T> {
    pub challenge: String,
    pub credential: T,
}

/// Registers a passkey for the session's holder. `false`: the answer was not good.
pub fn register(
    conn: &mut Conn,
    ctx: &Ctx,
    webauthn: &Webauthn,
    session: &AdminSession,
    name: &str,
    answer: &Answer<RegisterPublicKeyCredential>,
) -> Result<bool, Error> {
    let state: Option<PasskeyRegistration> = take_challenge(
        conn,
        ctx,
        Purpose::Register,
        &session.administrator_id,
        &answer.challenge,
    )?;
    let verified = state.and_then(|state| {
        webauthn
            .finish_passkey_registration(&answer.credential, &state)
            .ok()
    });
    let Some(credential) = verified else {
        return Ok(false);
    };
    // Held: who is kept out or signed out at this moment leaves no passkey behind.
    let missing = || Error::not_found("session", session.id.as_str());
    let administrator = administrator::lock(conn, &session.administrator_id)?
        .filter(|found| found.enabled)
        .ok_or_else(missing)?;
    let idle = ctx.now.plus(-IDLE_SECONDS);
    admin_session::find(conn, &session.hash, ctx.now, idle)?.ok_or_else(missing)?;
    if administrator.user_sub.is_some() {
        // It would let them in past the pool that answers for them.
        return Err(Error::Conflict(
            "You sign in through a pool, and with nothing else.".into(),
        ));
    }
    if passkey::of_administrator(conn, &administrator.id)?.len() >= MOST {
        return Err(Error::Conflict(format!(
            "There are {MOST} passkeys already: remove one first."
        )));
    }
    let row = Passkey {
        id: URL_SAFE_NO_PAD.encode(credential.cred_id()),
        administrator_id: administrator.id.clone(),
        name: name.to_owned(),
        credential: Json(credential),
        created_at: ctx.now,
        last_used_at: None,
    };
    if !passkey::insert(conn, &row)? {
        return Ok(false);
    }
    record(
        conn,
        ctx,
        "administrator.passkey.create",
        None,
        &administrator.email,
        json!({ "name": name }),
    )?;
    Ok(true)
}

/// Signs in whoever's passkey answers. `None`: nobody's did, or not well.
pub fn sign_in(
    conn: &mut Conn,
    ctx: &Ctx,
    webauthn: &Webauthn,
    answer: &Answer<PublicKeyCredential>,
    place: Place,
    replaced: Option<&[u8]>,
) -> Result<Option<String>, StoreError> {
    let state: Option<DiscoverableAuthentication> =
        take_challenge(conn, ctx, Purpose::SignIn, "", &answer.challenge)?;
    let Some(state) = state else {
        return Ok(None);
    };
    let Ok((holder, id)) = webauthn.identify_discoverable_authentication(&answer.credential) else {
        return Ok(None);
    };
    let Some(passkey) = passkey::lock(conn, &URL_SAFE_NO_PAD.encode(id))?
        .filter(|passkey| passkey.administrator_id == holder.to_string())
    else {
        return Ok(None);
    };
    let key = DiscoverableKey::from(&passkey.credential.0);
    let Ok(result) = webauthn.finish_discoverable_authentication_v2(&answer.credential, state, &key) else {
        return Ok(None);
    };
    remember(conn, ctx, &passkey, &result)?;
    sessions::sign_in(
        conn,
        ctx,
        &passkey.administrator_id,
        &Proof::Passkey,
        place,
        replaced,
    )
}

/// Carries the session on when one of its holder's passkeys answers. `None`: none did, or the session has ended.
pub fn prove(
    conn: &mut Conn,
    ctx: &Ctx,
    webauthn: &Webauthn,
    session: &AdminSession,
    answer: &Answer<PublicKeyCredential>,
) -> Result<Option<String>, StoreError> {
    let holder = session.administrator_id.as_str();
    let state: Option<PasskeyAuthentication> =
        take_challenge(conn, ctx, Purpose::Prove, holder, &answer.challenge)?;
    let Some(state) = state else {
        return Ok(None);
    };
    let Ok(result) = webauthn.finish_passkey_authentication(&answer.credential, &state) else {
        return Ok(None);
    };
    let Some(passkey) = passkey::lock(conn, &URL_SAFE_NO_PAD.encode(result.cred_id()))?
        .filter(|passkey| passkey.administrator_id == holder)
    else {
        return Ok(None);
    };
    remember(conn, ctx, &passkey, &result)?;
    sessions::prove(conn, ctx, session)
}

fn remember(
    conn: &mut Conn,
    ctx: &Ctx,
    passkey: &Passkey,
    result: &AuthenticationResult,
) -> Result<(), StoreError> {
    let mut credential = passkey.credential.clone();
    credential.0.update_credential(result);
    passkey::used(conn, &passkey.id, &credential, ctx.now)?;
    Ok(())
}

/// Removes a passkey; what it opened stays open.
pub fn remove(conn: &mut Conn, ctx: &Ctx, whose: &str, id: &str) -> Result<(), Error> {
    let missing = || Error::not_found("passkey", id);
    let found = passkey::find(conn, id)?.ok_or_else(missing)?;
    let administrator = administrator::find(conn, whose)?.ok_or_else(missing)?;
    let lifted = break_glass::lifted_by(conn, ctx, &administrator)?;
    if !passkey::delete(conn, whose, id)? {
        return Err(missing());
    }
    break_glass::check(conn, &lifted)?;
    record(
        conn,
        ctx,
        "administrator.passkey.delete",
        None,
        &administrator.email,
        json!({ "name": found.name }),
    )?;
    Ok(())
}
