//! Management credentials: made (the secret is shown once), given a new secret, switched off, deleted.

use serde_json::json;
use zeroize::Zeroizing;

use super::{Ctx, pools, record};
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::credential::{self, Credential, Role};
use crate::model::reach::Reach;
use crate::rules::aws::sigv4;
use crate::rules::secret;
use crate::seal::{Label, Sealer};

/// A credential to make.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// `None`: drawn.
    pub id: Option<String>,
    /// `None`: drawn.
    pub secret: Option<Zeroizing<String>>,
    pub role: Role,
    pub user_pool_id: Option<String>,
    pub description: String,
}

/// Makes a credential and gives its secret, for the one time that it is shown.
pub fn create(
    conn: &mut Conn,
    ctx: &Ctx,
    new: NewCredential,
) -> Result<(Credential, Zeroizing<String>), Error> {
    if let Some(id) = &new.user_pool_id {
        pools::find(conn, id)?;
    }
    if new.description.chars().count() > 128 || new.description.chars().any(char::is_control) {
        return Err(Error::invalid(
            "description",
            "at most 128 characters, in one line",
        ));
    }
    let id = match new.id {
        Some(id) if sigv4::is_access_key_id(&id) => id,
        Some(_) => return Err(Error::invalid("access key id", "16-128 letters and digits")),
        // Twenty characters, as AWS's.
        None => format!("FBAY{}", secret::lower(&ctx.entropy, 16).to_uppercase()),
    };
    let secret = new
        .secret
        .unwrap_or_else(|| Zeroizing::new(secret::lower(&ctx.entropy, 40)));
    let row = Credential {
        secret_sealed: seal(&ctx.sealer, &id, &secret),
        id,
        role: new.role,
        user_pool_id: new.user_pool_id,
        description: new.description,
        enabled: true,
        created_at: ctx.now,
        last_used_at: None,
    };
    if !credential::insert(conn, &row)? {
        return Err(Error::exists("credential", row.id));
    }
    record(
        conn,
        ctx,
        "credential.create",
        row.user_pool_id.as_deref(),
        &row.id,
        json!({ "role": row.role, "description": row.description }),
    )?;
    Ok((row, secret))
}

/// Gives the credential a new secret; the old one is refused from now on.
pub fn rotate(conn: &mut Conn, ctx: &Ctx, id: &str) -> Result<Zeroizing<String>, Error> {
    let row = find(conn, id)?;
    let secret = Zeroizing::new(secret::lower(&ctx.entropy, 40));
    credential::set_secret(conn, id, &seal(&ctx.sealer, id, &secret))?;
    record(
        conn,
        ctx,
        "credential.rotate",
        row.user_pool_id.as_deref(),
        id,
        json!({ "secret": "made" }),
    )?;
    Ok(secret)
}

pub fn set_enabled(conn: &mut Conn, ctx: &Ctx, id: &str, enabled: bool) -> Result<(), Error> {
    let row = find(conn, id)?;
    credential::set_enabled(conn, id, enabled)?;
    record(
        conn,
        ctx,
        "credential.update",
        row.user_pool_id.as_deref(),
        id,
        json!({ "enabled": { "old": row.enabled, "new": enabled } }),
    )?;
    Ok(())
}

pub fn delete(conn: &mut Conn, ctx: &Ctx, id: &str) -> Result<(), Error> {
    let row = find(conn, id)?;
    credential::delete(conn, id)?;
    record(
        conn,
        ctx,
        "credential.delete",
        row.user_pool_id.as_deref(),
        id,
        json!({ "description": row.description }),
    )?;
    Ok(())
}

/// The secret of a credential, to check a signature with.
pub fn secret_of(sealer: &Sealer, credential: &Credential) -> Result<Zeroizing<String>, StoreError> {
    sealer
        .open_text(label(&credential.id), &credential.secret_sealed)
        .map_err(|_| StoreError::Unreadable(format!("the secret of credential {}", credential.id)))
}

/// The credential, for somebody whose reach has the pool that it is for, or everything.
pub fn find_within(conn: &mut Conn, reach: &Reach, id: &str) -> Result<Credential, Error> {
    // PostgreSQL cannot even be asked for such a name.
    let found = if id.contains('\0') {
        None
    } else {
        credential::find_within(conn, reach, id)?
    };
    found.ok_or_else(|| Error::not_found("credential", id))
}

fn find(conn: &mut Conn, id: &str) -> Result<Credential, Error> {
    credential::find(conn, id)?.ok_or_else(|| Error::not_found("credential", id))
}

fn seal(sealer: &Sealer, id: &str, secret: &str) -> Vec<u8> {
    sealer.seal(label(id), secret.as_bytes())
}

fn label(id: &str) -> Label<'_> {
    Label {
        purpose: "management-secret",
        scope: "",
        name: id,
    }
}
