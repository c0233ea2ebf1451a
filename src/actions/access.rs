//! Whether an app lets somebody in: the facts that its rules are about, read where there is a rule.

use std::collections::HashSet;
use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::mappings::past;
use super::offers::{self, Offer};
use super::{enforcement, identity_moves};
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::client::Client;
use crate::model::token::Granted;
use crate::model::user::{self, User};
use crate::model::{group, provider, session::Session};
use crate::rules::access::{self, Barred, Entrant};
use crate::rules::refusal::Through;
use crate::rules::registration::client::NATIVE;
use crate::seal::Sealer;
use crate::world::UnixTime;

/// How somebody signed in.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// The slug of the connection they came by.
    pub connection: &'a str,
    pub amr: &'a [String],
    pub acr: Option<&'a str>,
}

impl<'a> Way<'a> {
    pub fn of_session(session: &'a Session) -> Way<'a> {
        Way {
            connection: session.provider_id.as_deref().unwrap_or(NATIVE),
            amr: &session.facts.amr,
            acr: session.facts.acr.as_deref(),
        }
    }

    pub fn of_grant(granted: &'a Granted) -> Way<'a> {
        Way {
            connection: &granted.provider_id,
            amr: &granted.amr,
            acr: granted.acr.as_deref(),
        }
    }
}

/// Whether this way in is open to this user, and the app's rules let them in. `offer` is the client's.
pub fn check(
    conn: &mut Conn,
    now: UnixTime,
    client: &Client,
    offer: &Offer,
    user: &User,
    way: Way<'_>,
) -> Result<Result<(), Barred>, StoreError> {
    if offers::pool_wide(conn, offer)?.is_enforced
        && let Some(barred) = enforcement::closes(conn, now, client, user, way.connection)?
    {
        return Ok(Err(barred));
    }
    if way.connection != NATIVE
        && offers::standing(conn, offer, way.connection)?.is_some_and(|standing| standing.is_moved_from)
        && let Some(to) = identity_moves::instead_of(conn, client, way.connection, user)?
    {
        let offered = offers::find(conn, &Offer::of(client), &to.id)?;
        return Ok(Err(Barred::Moved {
            through: Through {
                label: to.settings.0.label,
                connection: offered.map_or(to.name, |offered| offered.name),
            },
            to: to.id,
        }));
    }
    if access::is_open(&client.settings) {
        return Ok(Ok(()));
    }
    let groups = group::of_user(conn, &user.sub)?;
    let provider = provider::find(conn, way.connection)?;
    let entrant = Entrant {
        user,
        groups: &groups,
        connection: way.connection,
        tenant: provider
            .as_ref()
            .and_then(|provider| provider.tenant_id.as_deref()),
        amr: way.amr,
        acr: way.acr,
    };
    Ok(access::check(&client.settings, &entrant))
}

/// Somebody who signed in lately, and what the rules would say now.
#[derive(Clone, Debug)]
pub struct Tried {
    /// What they are recognised by, redacted.
    pub person: String,
    pub connection: String,
    pub trace_code: String,
    pub outcome: Result<(), Barred>,
}

/// Tries a client's rules on the people of the last kept sign-ins of each of its connections, as their profiles are now.
/// No `acr` is required of them: organisations say it only where it was asked for.
pub fn try_on(
    conn: &mut Conn,
    sealer: &Sealer,
    now: UnixTime,
    client: &Client,
    last: usize,
) -> Result<Vec<Tried>, StoreError> {
    let mut client = client.clone();
    client.settings.requires_acr.clear();
    let (mut tried, mut seen) = (Vec::new(), HashSet::new());
    let offer = Offer::of(&client);
    let providers = provider::list_named(conn, &client.user_pool_id, &client.settings.providers)?;
    for provider in providers {
        let mut people = Vec::new();
        past::visit(conn, sealer, now, &provider, last, |past| {
            if let Some(sub) = &past.user_sub
                && seen.insert(sub.clone())
            {
                let person = past.label(false);
                people.push((sub.clone(), person, past.trace_code, amr(&past.contents.claims)));
            }
            ControlFlow::Continue(())
        })?;
        for (sub, person, trace_code, amr) in people {
            let Some(user) = user::find(conn, &sub)? else {
                continue;
            };
            let way = Way {
                connection: &provider.id,
                amr: &amr,
                acr: None,
            };
            tried.push(Tried {
                person,
                connection: provider.name.clone(),
                trace_code,
                outcome: check(conn, now, &client, &offer, &user, way)?,
            });
        }
    }
    Ok(tried)
}

/// How somebody proved themselves, as the organisation said.
fn amr(claims: &Map<String, Value>) -> Vec<String> {
    let listed = claims.get("amr").and_then(Value::as_array);
    let texts = listed.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}
