//! The files that pages load: the style sheets, the scripts of the `form_post` page and of the console, the mark.
//!
//! They are embedded in the binary and served under a name that contains the hash of their content, so that a
//! browser may keep them for ever (RFC 8246) and still sees every change at once. Nothing is loaded from another
//! host, and no page carries a script or a style of its own. Which headers the pages themselves send is the
//! business of `web::headers`.

use std::sync::OnceLock;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use sha2::{Digest, Sha256};

/// The design system: every page's style sheet.
pub static STYLE_SHEET: Asset = Asset::new(
    "forebay",
    "css",
    "text/css; charset=utf-8",
    include_bytes!("../../templates/assets/forebay.css"),
);

/// What the console's pages need besides, loaded after the first.
pub static CONSOLE_STYLE_SHEET: Asset = Asset::new(
    "console",
    "css",
    "text/css; charset=utf-8",
    include_bytes!("../../templates/assets/console.css"),
);

/// Copy buttons and local times on the console's pages.
pub static CONSOLE_SCRIPT: Asset = Asset::new(
    "console",
    "js",
    "text/javascript; charset=utf-8",
    include_bytes!("../../templates/assets/console.js"),
);

/// Sends the form of a `form_post` page on without a click.
pub static FORM_POST: Asset = Asset::new(
    "form_post",
    "js",
    "text/javascript; charset=utf-8",
    include_bytes!("../../templates/assets/form_post.js"),
);

/// Registers passkeys and signs in with them.
pub static PASSKEY: Asset = Asset::new(
    "passkey",
    "js",
    "text/javascript; charset=utf-8",
    include_bytes!("../../templates/assets/passkey.js"),
);

/// Follows a page's one link without a click.
pub static ONWARD: Asset = Asset::new(
    "onward",
    "js",
    "text/javascript; charset=utf-8",
    include_bytes!("../../templates/assets/onward.js"),
);

/// The mapping editor's part of the design.
pub static MAPPING_STYLE_SHEET: Asset = Asset::new(
    "mapping",
    "css",
    "text/css; charset=utf-8",
    include_bytes!("../../templates/assets/mapping.css"),
);

/// Adds and moves rows of the mapping editor in place, and checks while somebody types.
pub static MAPPING_SCRIPT: Asset = Asset::new(
    "mapping",
    "js",
    "text/javascript; charset=utf-8",
    include_bytes!("../../templates/assets/mapping.js"),
);

/// Forebay's mark, also the icon of the window.
pub static MARK: Asset = Asset::new(
    "mark",
    "svg",
    "image/svg+xml",
    include_bytes!("../../templates/assets/mark.svg"),
);

static ALL: &[&Asset] = &[
    &MAPPING_STYLE_SHEET,
    &MAPPING_SCRIPT,
    &STYLE_SHEET,
    &CONSOLE_STYLE_SHEET,
    &CONSOLE_SCRIPT,
    &FORM_POST,
    &PASSKEY,
    &ONWARD,
    &MARK,
];

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    stem: &'static str,
    extension: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    href: OnceLock<String>,
}

impl Asset {
    const fn new(
        stem: &'static str,
        extension: &'static str,
        content_type: &'static str,
        content: &'static [u8],
    ) -> Asset {
        Asset {
            stem,
            extension,
            content_type,
            content,
            href: OnceLock::new(),
        }
    }

    /// The path under which [`configure`] serves the file: `/assets/{name}.{hash}.{extension}`. Hashed on first use.
    pub fn href(&self) -> &str {
        self.href.get_or_init(|| {
            let hash: String = Sha256::digest(self.content)
                .iter()
                .take(6)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("/assets/{}.{hash}.{}", self.stem, self.extension)
        })
    }
}

/// The path of the embedded file of this name in `templates/assets`, when there is one.
pub fn href(name: &str) -> Option<&'static str> {
    let (stem, extension) = name.rsplit_once('.')?;
    ALL.iter()
        .find(|asset| asset.stem == stem && asset.extension == extension)
        .map(|asset| asset.href())
}

/// Adds the route of the assets.
pub fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(super::resource("/assets/{file}").document(serve));
}

/// A name with another hash is not found rather than answered with today's content: the browser would keep it for
/// ever under the name of another version.
async fn serve(request: actix_web::HttpRequest) -> HttpResponse {
    let Some(asset) = ALL.iter().find(|asset| asset.href() == request.path()) else {
        return HttpResponse::NotFound()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .content_type("text/plain; charset=utf-8")
            .body("Not found.\n");
    };
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'"))
        .insert_header(("Cross-Origin-Resource-Policy", "same-origin"))
        .content_type(asset.content_type)
        .body(asset.content)
}

#[cfg(test)]
mod tests;
