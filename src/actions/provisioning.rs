//! Who gets an account by a connection at the first sign-in, and what with; and how long whoever loses theirs at the upstream
//! can still be here.

use serde_json::json;

use super::login::SESSION_SECONDS;
use super::{Ctx, clients, difference, providers, record};
use crate::db::{Conn, Json};
use crate::error::{Error, StoreError};
use crate::model::provider::{self, Provider, Provisioning, Settings};
use crate::model::reach::Reach;
use crate::rules::mapping::{is_automatic, is_group_name};

/// Groups that a new account is put into.
const MOST_GROUPS: usize = 20;

pub fn set(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    id: &str,
    just_in_time: bool,
    mut groups: Vec<String>,
) -> Result<Provider, Error> {
    // PostgreSQL cannot even be asked for such a name.
    let found = match id.contains('\0') {
        true => None,
        false => provider::find_within(conn, reach, id)?,
    };
    found.ok_or_else(|| Error::not_found("connection", id))?;
    let old = providers::lock(conn, id)?;
    groups.sort();
    groups.dedup();
    if groups.len() > MOST_GROUPS {
        return Err(Error::invalid("groups", format!("at most {MOST_GROUPS}")));
    }
    if let Some(wrong) = groups.iter().find(|name| !is_group_name(name)) {
        return Err(Error::invalid(
            "groups",
            format!("'{wrong}' is no name of a group"),
        ));
    }
    if let Some(wrong) = groups.iter().find(|name| is_automatic(&old.user_pool_id, name)) {
        return Err(Error::invalid(
            "groups",
            format!("'{wrong}' is kept for those who sign in through a connection"),
        ));
    }
    let provisioning = Provisioning {
        just_in_time,
        groups,
        decided: true,
    };
    let changes = difference(
        &json!({ "provisioning": old.settings.provisioning }),
        &json!({ "provisioning": provisioning }),
    );
    let row = Provider {
        settings: Json(Settings {
            provisioning,
            ..old.settings.0.clone()
        }),
        updated_at: ctx.now,
        ..old
    };
    let row = provider::update(conn, &row)?.ok_or_else(|| Error::not_found("connection", id))?;
    record(
        conn,
        ctx,
        "provider.provisioning",
        Some(&row.user_pool_id),
        &row.id,
        changes,
    )?;
    Ok(row)
}

/// For how many seconds after they have lost their place at the upstream somebody can still be signed in: the browser's
/// session, and the longest refresh token of the apps that offer the connection.
pub fn stays(conn: &mut Conn, provider: &Provider) -> Result<(i64, i64), StoreError> {
    let apps = clients::offering(conn, &provider.user_pool_id, &provider.name)?;
    let longest = apps.iter().map(|app| app.settings.refresh_token_seconds).max();
    Ok((SESSION_SECONDS, longest.unwrap_or_default()))
}
