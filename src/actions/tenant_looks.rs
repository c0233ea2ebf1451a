//! How a tenant's own login pages look, set by whoever may change the tenant. The audit log tells that a picture came or
//! went, not its bytes.

use serde_json::{Value, json};

use super::login_pages::check_picture;
use super::{Ctx, difference, record, tenants};
use crate::db::{Conn, Json};
use crate::error::Error;
use crate::model::reach::Reach;
use crate::model::tenant;
use crate::model::tenant_look::{self, Content, TenantLook};
use crate::rules::login_style::{Texts, is_colour};

/// What becomes of the picture.
#[derive(Clone, Debug)]
pub enum Logo {
    Stays,
    Goes,
    Is(Vec<u8>),
}

/// Sets all of it; what is left out is the app's again.
pub fn set(
    conn: &mut Conn,
    ctx: &Ctx,
    reach: &Reach,
    tenant_id: &str,
    content: Content,
    logo: Logo,
) -> Result<Option<TenantLook>, Error> {
    let tenant = tenants::find(conn, reach, tenant_id)?;
    check(&content)?;
    // Held, so that a picture that stays is the one that is there.
    tenant::lock(conn, &tenant.id)?;
    let old = tenant_look::find(conn, &tenant.id)?;
    let logo = match logo {
        Logo::Stays => old.as_ref().and_then(|old| old.logo.clone()),
        Logo::Goes => None,
        Logo::Is(bytes) => {
            check_picture("logo", &bytes)?;
            Some(bytes)
        }
    };
    let new = (logo.is_some() || content != Content::default()).then(|| TenantLook {
        tenant_id: tenant.id.clone(),
        content: Json(content),
        logo,
        updated_at: ctx.now,
    });
    match &new {
        Some(row) => tenant_look::put(conn, row)?,
        None => {
            tenant_look::delete(conn, &tenant.id)?;
        }
    }
    record(
        conn,
        ctx,
        "tenant.look",
        Some(&tenant.user_pool_id),
        &tenant.id,
        difference(&told(old.as_ref()), &told(new.as_ref())),
    )?;
    Ok(new)
}

/// The look, for whoever sees the tenant.
pub fn find(conn: &mut Conn, reach: &Reach, tenant_id: &str) -> Result<Option<TenantLook>, Error> {
    let tenant = tenants::find(conn, reach, tenant_id)?;
    Ok(tenant_look::find(conn, &tenant.id)?)
}

/// The words of a look as a page shows them.
pub fn texts(content: &Content) -> Texts {
    Texts {
        heading: content.heading.clone(),
        introduction: content.introduction.clone(),
        help: content.help.clone(),
    }
}

fn check(content: &Content) -> Result<(), Error> {
    for (name, colour) in [("accent", &content.accent), ("background", &content.background)] {
        if colour.as_deref().is_some_and(|colour| !is_colour(colour)) {
            return Err(Error::invalid(name, "must be a colour such as #0b617a"));
        }
    }
    texts(content)
        .check()
        .map_err(|(name, why)| Error::invalid(name, why))
}

fn told(look: Option<&TenantLook>) -> Value {
    let Some(look) = look else { return json!({}) };
    let mut told = json!(look.content);
    told["logo"] = json!(look.logo.as_ref().map(Vec::len));
    told
}
