//! Whether the app came for what the sign-in gave it. Nothing is written for that at an exchange: the answer is read from
//! what the exchange leaves anyway, for as long as that is kept.

use diesel::prelude::*;

use super::Trace;
use crate::db::Conn;
use crate::db::schema::{authorization_codes, token_families};
use crate::world::UnixTime;

/// What became of the code, or of the tokens that went to the app at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The app has had its tokens since then.
    Delivered {
        at: UnixTime,
        /// They were taken back.
        revoked_at: Option<UnixTime>,
    },
    /// The app came with the code, but its request was refused.
    Refused { at: UnixTime },
    /// The app has time until then.
    Awaited { until: UnixTime },
    /// The app did not come while the code was good.
    NeverCame,
    /// What would tell is not kept any more.
    Forgotten,
}

/// `None` for a sign-in that gave the app nothing.
pub fn of(conn: &mut Conn, trace: &Trace, now: UnixTime) -> QueryResult<Option<Delivery>> {
    let (Some(origin_jti), Some(sub)) = (&trace.story.origin_jti, &trace.user_sub) else {
        return Ok(None);
    };
    let family: Option<(UnixTime, Option<UnixTime>)> = token_families::table
        .find(origin_jti)
        .select((token_families::created_at, token_families::revoked_at))
        .first(conn)
        .optional()?;
    if let Some((at, revoked_at)) = family {
        return Ok(Some(Delivery::Delivered { at, revoked_at }));
    }
    // By the user, which has an index: a person has few codes.
    let code: Option<(UnixTime, Option<UnixTime>)> = authorization_codes::table
        .filter(authorization_codes::user_sub.eq(sub))
        .filter(authorization_codes::origin_jti.eq(origin_jti))
        .select((authorization_codes::expires_at, authorization_codes::consumed_at))
        .first(conn)
        .optional()?;
    Ok(Some(match code {
        Some((_, Some(at))) => Delivery::Refused { at },
        Some((until, None)) if until > now => Delivery::Awaited { until },
        Some(_) => Delivery::NeverCame,
        None => Delivery::Forgotten,
    }))
}
