//! How an app's login page looks: its style sheet and its picture as bytes with a name that changes with them, its own words,
//! and the links to its terms; and what a tenant has put over that where the page is its own.

use std::collections::BTreeMap;

use actix_web::web::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diesel::QueryResult;

use super::Document;
use crate::actions::tenant_looks;
use crate::db::Conn;
use crate::model::client::Client;
use crate::model::login_page::{self, Content, Terms};
use crate::model::reach::Reach;
use crate::model::{tenant, tenant_look};
use crate::rules::login_style::{Picture, Sheet, Texts, branding, colours, texts};

/// Pictures of a branding that can be a page's, the first that is there.
const LOGOS: [&str; 2] = ["FORM_LOGO", "PAGE_HEADER_LOGO"];

#[derive(Clone, Default)]
pub struct Look {
    pub style: Option<File>,
    pub logo: Option<File>,
    /// By language, as Cognito names languages.
    pub texts: BTreeMap<String, Texts>,
    pub terms: Vec<Terms>,
}

/// A page that is a tenant's own: under its name, and over the app's look what the tenant has set.
#[derive(Clone, Default)]
pub struct Dress {
    pub name: String,
    pub style: Option<File>,
    pub logo: Option<File>,
    /// In whatever language the page is.
    pub texts: Texts,
}

/// Bytes that a page loads from us.
#[derive(Clone)]
pub struct File {
    /// Made of the bytes: another content has another name.
    pub name: String,
    pub content_type: &'static str,
    pub body: Bytes,
}

/// What was set for the client, over what was set for all clients of its pool.
pub fn of(conn: &mut Conn, client: &Client) -> QueryResult<Look> {
    let for_all = login_page::customization(conn, &client.user_pool_id)?;
    let own = login_page::customization(conn, &client.id)?;
    let content: Option<Content> =
        login_page::branding_of(conn, &client.id)?.map(|branding| branding.content.0);
    let mut css = String::new();
    // As in Cognito, a customization of the client's own stands in the place of the pool's.
    if let Some(customization) = own.as_ref().or(for_all.as_ref()) {
        // It was checked when it was set.
        css.extend(Sheet::parse(&customization.css).map(|sheet| sheet.to_string()));
    }
    let settings = content.as_ref().and_then(|content| content.settings.as_ref());
    css.extend(settings.map(branding));
    let image = own
        .and_then(|own| own.image)
        .or(for_all.and_then(|all| all.image));
    let logo = content.as_ref().and_then(logo).or(image);
    Ok(Look {
        style: style(css),
        logo: logo.and_then(picture),
        // They were checked when they were set.
        texts: settings
            .and_then(|settings| texts(settings).ok())
            .unwrap_or_default(),
        terms: login_page::terms_of(conn, &client.id)?,
    })
}

/// How the pages of this tenant look; none where the pool has no such tenant.
pub fn of_tenant(conn: &mut Conn, user_pool_id: &str, id: &str) -> QueryResult<Option<Dress>> {
    let found = tenant::find(conn, &Reach::everything(), id)?;
    let Some(tenant) = found.filter(|tenant| tenant.user_pool_id == user_pool_id) else {
        return Ok(None);
    };
    let named = Dress {
        name: tenant.name,
        ..Dress::default()
    };
    Ok(Some(match tenant_look::find(conn, &tenant.id)? {
        None => named,
        Some(look) => Dress {
            style: style(colours(
                look.content.accent.as_deref(),
                look.content.background.as_deref(),
            )),
            texts: tenant_looks::texts(&look.content),
            logo: look.logo.and_then(picture),
            ..named
        },
    }))
}

fn style(css: String) -> Option<File> {
    (!css.is_empty()).then(|| file(css.into_bytes(), "css", "text/css; charset=utf-8"))
}

fn picture(bytes: Vec<u8>) -> Option<File> {
    let picture = Picture::of(&bytes)?;
    Some(file(bytes, picture.extension(), picture.content_type()))
}

fn logo(content: &Content) -> Option<Vec<u8>> {
    LOGOS.iter().find_map(|category| {
        let asset = content.assets.iter().find(|asset| asset.category == *category)?;
        let bytes = STANDARD.decode(asset.bytes.as_deref()?).ok()?;
        Picture::of(&bytes).map(|_| bytes)
    })
}

/// The name under which a picture is served.
pub fn picture_name(bytes: &[u8]) -> Option<String> {
    Some(format!(
        "{}.{}",
        Document::tag(bytes),
        Picture::of(bytes)?.extension()
    ))
}

fn file(bytes: Vec<u8>, extension: &str, content_type: &'static str) -> File {
    let body = Bytes::from(bytes);
    File {
        name: format!("{}.{extension}", Document::tag(&body)),
        content_type,
        body,
    }
}
