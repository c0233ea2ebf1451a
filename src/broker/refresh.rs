//! Refreshing, at the token endpoint and through the API: the pool's hook has its say in between, where it has one.

use std::sync::Arc;

use super::App;
use super::hooks::{self, Bearer, Visit};
use crate::actions::Ctx;
use crate::actions::tokens::{self, Answer, Exchanged, Refresh};
use crate::db::Db;
use crate::error::StoreError;
use crate::model::overrides::Overrides;
use crate::rules::hook::{Fault, Source};
use crate::rules::oauth_error::OAuthError;

/// Why there are no new tokens.
pub enum NotRefreshed {
    Refused(OAuthError),
    Hook(Fault),
    Store(StoreError),
}

impl From<OAuthError> for NotRefreshed {
    fn from(refusal: OAuthError) -> NotRefreshed {
        NotRefreshed::Refused(refusal)
    }
}

impl From<Fault> for NotRefreshed {
    fn from(fault: Fault) -> NotRefreshed {
        NotRefreshed::Hook(fault)
    }
}

impl From<StoreError> for NotRefreshed {
    fn from(cause: StoreError) -> NotRefreshed {
        NotRefreshed::Store(cause)
    }
}

/// What a refresh is made of, shared by its transactions.
struct Work {
    ctx: Ctx,
    app: Arc<App>,
    asked: Refresh,
    rotates: bool,
}

/// Exchanges a refresh token of the app. A hook for tokens is asked before the token is spent: a client whose hook failed
/// can come again with what it has.
pub async fn refresh(
    visit: &mut Visit<'_>,
    ctx: Ctx,
    app: &Arc<App>,
    asked: Refresh,
    rotates: bool,
) -> Result<Exchanged, NotRefreshed> {
    let db = &visit.broker.db;
    let work = Arc::new(Work {
        ctx,
        app: app.clone(),
        asked,
        rotates,
    });
    if app.pool.pool.settings.lambda.token_generation().is_none() {
        return Ok(refreshed(db, work).await??);
    }
    let expected = work.clone();
    let unspent = db
        .read(move |conn| {
            let work = expected.as_ref();
            tokens::before_refresh(conn, work.ctx.now, &work.app.client, &work.app.offer, &work.asked)
        })
        .await?;
    let overrides = match &unspent {
        Some(exchanged) => Some(hooked(visit, exchanged).await?),
        None => None,
    };
    let mut exchanged = refreshed(db, work).await??;
    exchanged.family.granted.overrides = match overrides {
        Some(overrides) => overrides,
        // Its successor is made already: within the grace period it is given again.
        None => hooked(visit, &exchanged).await?,
    };
    Ok(exchanged)
}

/// Without rotation a refresh only reads, and SQLite's one writer is left alone; unless a token shows up that was
/// exchanged while rotation was still on.
async fn refreshed(db: &Db, work: Arc<Work>) -> Answer<Exchanged> {
    if !work.rotates {
        let work = work.clone();
        let settled = db
            .read(move |conn| {
                tokens::refresh_in_place(conn, work.ctx.now, &work.app.client, &work.app.offer, &work.asked)
            })
            .await?;
        if let Some(answer) = settled {
            return Ok(answer);
        }
    }
    db.write(move |conn| {
        let work = work.as_ref();
        tokens::refresh(
            conn,
            &work.ctx,
            &work.app.client,
            &work.app.offer,
            &work.asked,
            work.rotates,
        )
    })
    .await
}

/// What the hook wants otherwise in refreshed tokens.
async fn hooked(visit: &mut Visit<'_>, exchanged: &Exchanged) -> Result<Option<Overrides>, Fault> {
    let bearer = Bearer {
        user: &exchanged.user,
        groups: &exchanged.groups,
        identities: &exchanged.identities,
    };
    hooks::pre_token_generation(visit, Source::TokensRefresh, &bearer, &exchanged.scopes).await
}
