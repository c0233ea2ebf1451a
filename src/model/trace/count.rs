//! Numbers about sign-ins for the overview: by hour and by cause, within an administrator's reach and a stretch of time.
//! Counted from indexes alone, part by part of the reach.

use std::collections::BTreeMap;

use diesel::dsl::{count_star, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};

use super::search::{UNSUCCESSFUL, parts};
use crate::db::Conn;
use crate::db::schema::login_traces;
use crate::model::reach::Reach;
use crate::model::trace::Outcome;
use crate::world::UnixTime;

/// The sign-ins that began in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hour {
    pub begins: UnixTime,
    pub signed_in: i64,
    /// Refused or failed.
    pub unsuccessful: i64,
}

/// The hours (of UTC) up to and with the one of `now`, oldest first.
pub fn by_hour(conn: &mut Conn, reach: &Reach, now: UnixTime, hours: i64) -> QueryResult<Vec<Hour>> {
    let last = now.0.div_euclid(3_600);
    let first = last - hours + 1;
    let since = UnixTime(first * 3_600);
    let hour = || sql::<BigInt>("started_at / 3600");
    let (mut all, mut unsuccessful) = (BTreeMap::new(), BTreeMap::new());
    for part in parts(conn, reach)? {
        for (only_unsuccessful, counts) in [(false, &mut all), (true, &mut unsuccessful)] {
            let mut query = login_traces::table
                .group_by(hour())
                .select((hour(), count_star()))
                .filter(login_traces::started_at.ge(since))
                .into_boxed();
            if let Some(condition) = part.condition() {
                query = query.filter(condition);
            }
            if only_unsuccessful {
                query = query.filter(sql::<Bool>(UNSUCCESSFUL));
            }
            for (hour, count) in query.load::<(i64, i64)>(conn)? {
                *counts.entry(hour).or_insert(0) += count;
            }
        }
    }
    let of = |counts: &BTreeMap<i64, i64>, hour: i64| counts.get(&hour).copied().unwrap_or_default();
    Ok((first..=last)
        .map(|hour| Hour {
            begins: UnixTime(hour * 3_600),
            signed_in: of(&all, hour) - of(&unsuccessful, hour),
            unsuccessful: of(&unsuccessful, hour),
        })
        .collect())
}

/// How the sign-ins by one connection ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub signed_in: i64,
    pub refused: i64,
    pub failed: i64,
}

/// Those that began since that moment.
pub fn by_outcome(conn: &mut Conn, provider_id: &str, since: UnixTime) -> QueryResult<Outcomes> {
    let counts: Vec<(Outcome, i64)> = login_traces::table
        .group_by(login_traces::outcome)
        .select((login_traces::outcome, count_star()))
        .filter(login_traces::provider_id.eq(provider_id))
        .filter(login_traces::started_at.ge(since))
        .load(conn)?;
    let mut outcomes = Outcomes::default();
    for (outcome, count) in counts {
        match outcome {
            Outcome::SignedIn => outcomes.signed_in = count,
            Outcome::Refused => outcomes.refused = count,
            Outcome::Failed => outcomes.failed = count,
        }
    }
    Ok(outcomes)
}

/// Why attempts since that moment did not succeed, the commonest cause first.
pub fn by_cause(conn: &mut Conn, reach: &Reach, since: UnixTime) -> QueryResult<Vec<(String, i64)>> {
    let mut causes: BTreeMap<String, i64> = BTreeMap::new();
    for part in parts(conn, reach)? {
        let mut query = login_traces::table
            .group_by(login_traces::cause)
            .select((login_traces::cause, count_star()))
            .filter(login_traces::started_at.ge(since))
            .filter(sql::<Bool>(UNSUCCESSFUL))
            .into_boxed();
        if let Some(condition) = part.condition() {
            query = query.filter(condition);
        }
        for (cause, count) in query.load::<(String, i64)>(conn)? {
            *causes.entry(cause).or_insert(0) += count;
        }
    }
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(causes)
}

/// Who has signed in to the pool since that moment, and through which connection; each pair once, and no more than `limit`.
pub fn people_since(
    conn: &mut Conn,
    user_pool_id: &str,
    since: UnixTime,
    limit: i64,
) -> QueryResult<Vec<(String, Option<String>)>> {
    login_traces::table
        .filter(login_traces::user_pool_id.eq(user_pool_id))
        .filter(login_traces::outcome.eq(Outcome::SignedIn))
        .filter(login_traces::started_at.ge(since))
        .filter(login_traces::user_sub.is_not_null())
        .select((
            login_traces::user_sub.assume_not_null(),
            login_traces::provider_id,
        ))
        .distinct()
        .limit(limit)
        .load(conn)
}
