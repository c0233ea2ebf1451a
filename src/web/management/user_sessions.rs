//! What a user is signed in to, and how they came: sessions of browsers, token families, past sign-ins.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::Failure;
use super::page::{self, Turner};
use super::users::Named;
use super::{Answer, Call, own, wire};
use crate::actions::user_sessions;
use crate::db::Conn;
use crate::model::reach::Reach;
use crate::model::session::{self, Session};
use crate::model::token::{self, Family};
use crate::model::trace::Outcome;
use crate::model::trace::search::{self, Person, Row, Search};
use crate::rules::session_id;
use crate::world::UnixTime;

/// Sessions on one page (Cognito's).
const MOST_SESSIONS: usize = 125;
/// Sign-ins on one page.
const MOST_EVENTS: usize = 60;

/// Where a page ended. Browsers come first, each kind from the newest on.
#[derive(Clone, Serialize, Deserialize)]
enum Place {
    Browser(UnixTime, Vec<u8>),
    Tokens(UnixTime, String),
}

pub async fn list(call: Call) -> Answer {
    let named: Named = call.read()?;
    let turner = Turner::of(&call, "AdminListUserSessions", &named.username);
    let token: Option<String> = call.member("NextToken")?;
    let after: Option<Place> = turner.open(token.as_deref())?;
    let (sees, now) = (call.caller.sees.clone(), call.broker.clock.now());
    call.look(move |conn| {
        let (_, user) = named.find(conn, &sees)?;
        shown(conn, &turner, after, &user.sub, None, now)
    })
    .await
}

/// The same for the user who asks, by an access token.
pub async fn list_own(call: Call) -> Answer {
    let bearer = own::caller(&call).await?;
    let turner = Turner::of(&call, "ListUserSessions", &bearer.user.sub);
    let token: Option<String> = call.member("NextToken")?;
    let after: Option<Place> = turner.open(token.as_deref())?;
    let now = call.broker.clock.now();
    call.look(move |conn| shown(conn, &turner, after, &bearer.user.sub, Some(&bearer.family), now))
        .await
}

/// A page of them; `current` is the family that the caller's token is of.
fn shown(
    conn: &mut Conn,
    turner: &Turner,
    after: Option<Place>,
    sub: &str,
    current: Option<&Family>,
    now: UnixTime,
) -> Answer {
    let (browser, tokens, past_browsers) = match after {
        None => (None, None, false),
        Some(Place::Browser(at, hash)) => (Some((at, hash)), None, false),
        Some(Place::Tokens(at, origin_jti)) => (None, Some((at, origin_jti)), true),
    };
    // One more than is shown tells whether there is a next page.
    let wanted = MOST_SESSIONS + 1;
    let mut found: Vec<(Place, Value)> = Vec::new();
    if !past_browsers {
        let sessions = session::next_of_user(conn, sub, now, browser, rows(wanted))?;
        found.extend(sessions.into_iter().map(browser_session));
    }
    let rest = rows(wanted.saturating_sub(found.len()));
    let families = token::next_of_user(conn, sub, now, tokens, rest)?;
    found.extend(families.into_iter().map(|family| {
        let is_current = current.map(|current| current.origin_jti == family.origin_jti);
        token_session(family, is_current)
    }));
    let more = found.len() > MOST_SESSIONS;
    found.truncate(MOST_SESSIONS);
    let next = found.last().filter(|_| more).map(|(place, _)| turner.seal(place));
    let shown = found.into_iter().map(|(_, shape)| shape).collect();
    Ok(page::answer("Sessions", shown, "NextToken", next))
}

pub async fn revoke(call: Call) -> Answer {
    let named: Named = call.read()?;
    let session_id: String = call.member("SessionId")?.unwrap_or_default();
    let linked = is_linked(&call)?;
    call.act(move |conn, ctx, reach| {
        let (_, user) = named.find(conn, reach)?;
        user_sessions::revoke(conn, ctx, reach, &user.sub, &session_id, linked)?;
        Ok(json!({}))
    })
    .await
}

pub async fn revoke_own(call: Call) -> Answer {
    let bearer = own::caller(&call).await?;
    let session_id: String = call.member("SessionId")?.unwrap_or_default();
    let linked = is_linked(&call)?;
    own::act(&call, &bearer, move |conn, ctx, reach, sub| {
        user_sessions::revoke(conn, ctx, reach, sub, &session_id, linked)?;
        Ok(json!({}))
    })
    .await
}

/// Whether what hangs on the session ends with it.
fn is_linked(call: &Call) -> Result<bool, Failure> {
    let associated: Option<String> = call.member("RevokeAssociatedSessions")?;
    Ok(associated.is_some_and(|which| which == "LINKED"))
}

/// Past sign-ins, from the newest on, for as long as the pool keeps their traces.
pub async fn events(call: Call) -> Answer {
    let named: Named = call.read()?;
    let turner = Turner::of(&call, "AdminListUserAuthEvents", &named.username);
    let token: Option<String> = call.member("NextToken")?;
    let after: Option<(UnixTime, String)> = turner.open(token.as_deref())?;
    let limit = page::size(&call.input, "MaxResults", MOST_EVENTS);
    let sees = call.caller.sees.clone();
    call.look(move |conn| {
        let (pool, user) = named.find(conn, &sees)?;
        let of_pool = Reach {
            pools: vec![pool.id],
            ..Reach::default()
        };
        let wanted = Search {
            person: Some(Person::User(user.sub)),
            after,
            ..Search::default()
        };
        let mut found = search::list(conn, &of_pool, &wanted, rows(limit.saturating_add(1)))?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more);
        let next = last.map(|last| turner.seal((last.started_at, &last.code)));
        let shown = found.iter().map(event).collect();
        Ok(page::answer("AuthEvents", shown, "NextToken", next))
    })
    .await
}

fn rows(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn browser_session(session: Session) -> (Place, Value) {
    let shape = json!({
        "SessionId": session_id::of_session(&session.hash),
        "SessionType": "SSO",
        "CreateDate": wire::time(session.created_at),
    });
    (Place::Browser(session.created_at, session.hash), shape)
}

fn token_session(family: Family, is_current: Option<bool>) -> (Place, Value) {
    let mut shape = json!({
        "SessionId": session_id::of_family(&family.origin_jti),
        "SessionType": "TOKEN",
        "ClientId": family.client_id,
        "CreateDate": wire::time(family.created_at),
    });
    if let Some(is_current) = is_current {
        shape["IsCurrentSession"] = json!(is_current);
    }
    if let Some(hash) = &family.session_hash {
        shape["OriginSessionId"] = json!(session_id::of_session(hash));
    }
    (Place::Tokens(family.created_at, family.origin_jti), shape)
}

/// The event's id is the trace's code, by which the console tells its whole story.
fn event(sign_in: &Row) -> Value {
    json!({
        "EventId": sign_in.code,
        "EventType": "SignIn",
        "CreationDate": wire::time(sign_in.started_at),
        "EventResponse": match sign_in.outcome {
            Outcome::SignedIn => "Pass",
            Outcome::Refused | Outcome::Failed => "Fail",
        },
    })
}
