//! How login pages look: customizations, brandings and terms, set and taken away. The audit log tells that a picture came or
//! went, not its bytes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::Url;

use super::{Ctx, clients, difference, pools, record};
use crate::db::{Conn, Json};
use crate::error::Error;
use crate::model::login_page::{self as model, Branding, Content, Customization, Terms, TermsName};
use crate::rules::login_style::{ANY_LANGUAGE, Picture, Sheet, texts};
use crate::rules::secret;

/// The largest picture, in bytes.
pub const LARGEST_PICTURE: usize = 100 * 1024;

/// Style and picture of a client's login page, or of all clients' of a pool. Without either, what was set goes.
pub fn customize(
    conn: &mut Conn,
    ctx: &Ctx,
    user_pool_id: &str,
    client_id: Option<&str>,
    css: String,
    image: Option<Vec<u8>>,
) -> Result<Option<Customization>, Error> {
    pools::find(conn, user_pool_id)?;
    Sheet::parse(&css).map_err(|why| Error::invalid("CSS", why))?;
    if let Some(image) = &image {
        check_picture("ImageFile", image)?;
    }
    let scope = client_id.unwrap_or(user_pool_id);
    let old = model::customization(conn, scope)?;
    let shape = |row: Option<&Customization>| {
        row.map_or_else(
            || json!({}),
            |row| json!({ "css": row.css, "image": row.image.as_ref().map(Vec::len) }),
        )
    };
    let new = (!css.is_empty() || image.is_some()).then(|| Customization {
        scope: scope.to_owned(),
        user_pool_id: user_pool_id.to_owned(),
        client_id: client_id.map(str::to_owned),
        css,
        image,
        created_at: old.as_ref().map_or(ctx.now, |old| old.created_at),
        updated_at: ctx.now,
    });
    match &new {
        Some(row) => model::put_customization(conn, row)?,
        None => {
            model::delete_customization(conn, scope)?;
        }
    }
    let changes = difference(&shape(old.as_ref()), &shape(new.as_ref()));
    record(
        conn,
        ctx,
        "login_page.customize",
        Some(user_pool_id),
        scope,
        changes,
    )?;
    Ok(new)
}

/// Whether a picture can be a page's; `field` is what brought it.
pub(super) fn check_picture(field: &str, bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > LARGEST_PICTURE {
        return Err(Error::invalid(field, "is larger than 100 KB"));
    }
    match Picture::of(bytes) {
        Some(Picture::Png | Picture::Jpeg) => Ok(()),
        _ => Err(Error::invalid(field, "is neither a PNG nor a JPEG")),
    }
}

/// Gives a client's page a branding of its own.
pub fn brand(conn: &mut Conn, ctx: &Ctx, client_id: &str, content: Content) -> Result<Branding, Error> {
    let client = clients::find(conn, client_id)?;
    check_content(&content)?;
    let row = Branding {
        id: secret::uuid(&ctx.entropy),
        user_pool_id: client.user_pool_id,
        client_id: client.id,
        content: Json(content),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    if !model::insert_branding(conn, &row)? {
        return Err(Error::exists("managed login branding of client", row.client_id));
    }
    tell_branding(conn, ctx, "login_page.brand", &row, &Value::Null)?;
    Ok(row)
}

pub fn rebrand(conn: &mut Conn, ctx: &Ctx, old: &Branding, content: Content) -> Result<Branding, Error> {
    check_content(&content)?;
    let new = Branding {
        content: Json(content),
        updated_at: ctx.now,
        ..old.clone()
    };
    let new = model::update_branding(conn, &new)?
        .ok_or_else(|| Error::not_found("managed login branding", &old.id))?;
    tell_branding(conn, ctx, "login_page.rebrand", &new, &told(&old.content))?;
    Ok(new)
}

pub fn unbrand(conn: &mut Conn, ctx: &Ctx, old: &Branding) -> Result<(), Error> {
    model::delete_branding(conn, &old.id)?;
    record(
        conn,
        ctx,
        "login_page.unbrand",
        Some(&old.user_pool_id),
        &old.client_id,
        json!({ "branding": old.id }),
    )?;
    Ok(())
}

fn tell_branding(
    conn: &mut Conn,
    ctx: &Ctx,
    action: &str,
    row: &Branding,
    before: &Value,
) -> Result<(), Error> {
    let changes = difference(before, &told(&row.content));
    record(
        conn,
        ctx,
        action,
        Some(&row.user_pool_id),
        &row.client_id,
        changes,
    )?;
    Ok(())
}

/// A branding as the audit log has it: which pictures, not what is in them.
fn told(content: &Content) -> Value {
    let assets: Vec<&String> = content.assets.iter().map(|asset| &asset.category).collect();
    json!({ "provided_values": content.provided_values, "settings": content.settings, "assets": assets })
}

fn check_content(content: &Content) -> Result<(), Error> {
    if content.provided_values && (content.settings.is_some() || !content.assets.is_empty()) {
        return Err(Error::invalid(
            "UseCognitoProvidedValues",
            "excludes Settings and Assets",
        ));
    }
    if let Some(settings) = &content.settings {
        texts(settings).map_err(|why| Error::invalid("Settings", why))?;
    }
    Ok(())
}

/// Terms that a client's login page links to.
pub fn set_terms(
    conn: &mut Conn,
    ctx: &Ctx,
    client_id: &str,
    name: TermsName,
    links: BTreeMap<String, String>,
) -> Result<Terms, Error> {
    let client = clients::find(conn, client_id)?;
    check_links(&links)?;
    let row = Terms {
        id: secret::uuid(&ctx.entropy),
        user_pool_id: client.user_pool_id,
        client_id: client.id,
        name,
        links: Json(links),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    if !model::insert_terms(conn, &row)? {
        return Err(Error::exists("terms", name.to_string()));
    }
    record(
        conn,
        ctx,
        "login_page.terms.create",
        Some(&row.user_pool_id),
        &row.client_id,
        json!({ "name": name, "links": row.links }),
    )?;
    Ok(row)
}

pub fn change_terms(
    conn: &mut Conn,
    ctx: &Ctx,
    old: &Terms,
    name: TermsName,
    links: BTreeMap<String, String>,
) -> Result<Terms, Error> {
    check_links(&links)?;
    let taken = model::terms_of(conn, &old.client_id)?
        .into_iter()
        .any(|other| other.name == name && other.id != old.id);
    if taken {
        return Err(Error::exists("terms", name.to_string()));
    }
    let new = Terms {
        name,
        links: Json(links),
        updated_at: ctx.now,
        ..old.clone()
    };
    let new = model::update_terms(conn, &new)?.ok_or_else(|| Error::not_found("terms", &old.id))?;
    let shape = |terms: &Terms| json!({ "name": terms.name, "links": terms.links });
    record(
        conn,
        ctx,
        "login_page.terms.update",
        Some(&new.user_pool_id),
        &new.client_id,
        difference(&shape(old), &shape(&new)),
    )?;
    Ok(new)
}

pub fn drop_terms(conn: &mut Conn, ctx: &Ctx, old: &Terms) -> Result<(), Error> {
    model::delete_terms(conn, &old.id)?;
    record(
        conn,
        ctx,
        "login_page.terms.delete",
        Some(&old.user_pool_id),
        &old.client_id,
        json!({ "name": old.name }),
    )?;
    Ok(())
}

/// People follow these from a page where they are about to sign in.
fn check_links(links: &BTreeMap<String, String>) -> Result<(), Error> {
    if !links.contains_key(ANY_LANGUAGE) {
        return Err(Error::invalid("Links", format!("{ANY_LANGUAGE} is missing")));
    }
    for (language, link) in links {
        if !Url::parse(link).is_ok_and(|url| url.scheme() == "https" && url.host().is_some()) {
            return Err(Error::invalid(
                "Links",
                format!("{language} must be an https address"),
            ));
        }
    }
    Ok(())
}
