//! Hook bindings: which address answers for an ARN-shaped id, given a new secret, taken away. Those for all pools are the
//! whole installation's, those for one pool its administrators', too.

use serde_json::json;
use zeroize::Zeroizing;

use super::{Ctx, pools, record};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::hook::{self, Binding};
use crate::model::lambda_config::Trigger;
use crate::model::pool::{self, Pool};
use crate::model::reach::Reach;
use crate::rules::registration;
use crate::rules::{secret, webhook};
use crate::seal::{Label, Sealer};

/// A binding to make.
#[derive(Clone, Debug)]
pub struct NewBinding {
    pub arn: String,
    /// Only for this pool.
    pub user_pool_id: Option<String>,
    /// Admitted by the outbound fence.
    pub url: url::Url,
}

/// Binds an id and gives the secret that its calls are signed with, which is never shown again.
pub fn bind(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    new: NewBinding,
) -> Result<(Binding, Zeroizing<String>), Error> {
    match &new.user_pool_id {
        None if reach.everything => {}
        Some(id) if reach.has_pool(id) && !id.contains('\0') => {
            pools::find(conn, id)?;
        }
        other => {
            return Err(Error::not_found(
                "user pool",
                other.clone().unwrap_or_else(|| "(all)".into()),
            ));
        }
    }
    registration::hook_arn("arn", &new.arn)?;
    let mut row = Binding {
        id: format!("hk_{}", secret::lower(&ctx.entropy, 20)),
        arn: new.arn,
        user_pool_id: new.user_pool_id,
        url: new.url.into(),
        secret_sealed: Vec::new(),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let plain = Zeroizing::new(webhook::new_secret(&ctx.entropy));
    row.secret_sealed = ctx.sealer.seal(label(&row), plain.as_bytes());
    if !hook::insert(conn, &row)? {
        return Err(Error::Conflict(format!(
            "{} is bound already: unbind it first, or give it a new secret",
            row.arn
        )));
    }
    let shape = json!({ "arn": row.arn, "url": row.url });
    record(
        conn,
        ctx,
        "hook.bind",
        row.user_pool_id.as_deref(),
        &row.id,
        shape,
    )?;
    Ok((row, plain))
}

/// Gives the hook a new secret at once; the old one signs nothing from now on.
pub fn rotate(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    id: &str,
) -> Result<(Binding, Zeroizing<String>), Error> {
    let row = find(conn, reach, id)?;
    let plain = Zeroizing::new(webhook::new_secret(&ctx.entropy));
    let sealed = ctx.sealer.seal(label(&row), plain.as_bytes());
    let row = hook::set_secret(conn, id, &sealed, ctx.now)?.ok_or_else(|| missing(id))?;
    let changes = json!({ "secret": "replaced" });
    record(conn, ctx, "hook.rotate", row.user_pool_id.as_deref(), id, changes)?;
    Ok((row, plain))
}

pub fn unbind(conn: &mut Conn, ctx: &Ctx, reach: &Reach, id: &str) -> Result<(), Error> {
    let row = find(conn, reach, id)?;
    hook::delete(conn, id)?;
    let shape = json!({ "arn": row.arn, "url": row.url });
    record(conn, ctx, "hook.unbind", row.user_pool_id.as_deref(), id, shape)?;
    Ok(())
}

pub fn find(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Binding, Error> {
    // PostgreSQL cannot even be asked for such a name.
    let found = if id.contains('\0') {
        None
    } else {
        hook::find_within(conn, reach, id)?
    };
    found.ok_or_else(|| missing(id))
}

/// A pool that names a hook, and for what.
#[derive(Clone, Debug)]
pub struct Use {
    pub pool: Pool,
    pub triggers: Vec<Trigger>,
}

/// For each of these bindings the pools within reach for which it answers.
pub fn named_by(conn: &mut Conn, reach: &Reach, bindings: &[Binding]) -> Result<Vec<Vec<Use>>, StoreError> {
    let mut uses: Vec<Vec<Use>> = bindings.iter().map(|_| Vec::new()).collect();
    for pool in pool::list_within(conn, reach)? {
        let named: Vec<(Trigger, &str)> = pool.settings.lambda.hooks().collect();
        if named.is_empty() {
            continue;
        }
        let arns: Vec<&str> = named.iter().map(|(_, arn)| *arn).collect();
        // One pool's own binding goes before that of all pools.
        let answering = hook::of_pool(conn, &pool.id, &arns)?;
        for (binding, uses) in bindings.iter().zip(&mut uses) {
            if answering.iter().any(|answering| answering.id == binding.id) {
                let triggers = named.iter().filter(|(_, arn)| *arn == binding.arn);
                uses.push(Use {
                    triggers: triggers.map(|(trigger, _)| *trigger).collect(),
                    pool: pool.clone(),
                });
            }
        }
    }
    Ok(uses)
}

/// A pool's hook that nothing answers for: sign-ins that need it are refused.
#[derive(Clone, Debug)]
pub struct Unbound {
    pub pool: Pool,
    pub trigger: Trigger,
    pub arn: String,
}

/// The hooks of pools within reach that nothing answers for.
pub fn unbound(conn: &mut Conn, reach: &Reach) -> Result<Vec<Unbound>, StoreError> {
    let mut found = Vec::new();
    for pool in pool::list_within(conn, reach)? {
        let named: Vec<(Trigger, &str)> = pool.settings.lambda.hooks().collect();
        if named.is_empty() {
            continue;
        }
        let arns: Vec<&str> = named.iter().map(|(_, arn)| *arn).collect();
        let answering = hook::of_pool(conn, &pool.id, &arns)?;
        for (trigger, arn) in named {
            if answering.iter().all(|binding| binding.arn != arn) {
                found.push(Unbound {
                    pool: pool.clone(),
                    trigger,
                    arn: arn.to_owned(),
                });
            }
        }
    }
    Ok(found)
}

/// The secret in the clear, for signing.
pub fn open_secret(sealer: &Sealer, row: &Binding) -> Result<Zeroizing<String>, StoreError> {
    sealer
        .open_text(label(row), &row.secret_sealed)
        .map_err(|_| StoreError::Unreadable(format!("the secret of hook {}", row.id)))
}

fn missing(id: &str) -> Error {
    Error::not_found("hook", id)
}

fn label(row: &Binding) -> Label<'_> {
    Label {
        purpose: "hook-secret",
        scope: row.user_pool_id.as_deref().unwrap_or_default(),
        name: &row.id,
    }
}
