//! Pages and redirects as bytes: the one place where an authorization response, an error page or a login page becomes an
//! HTTP answer.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;

use crate::rules::redirect_uri;
use crate::rules::response::{Response, ResponseMode};
use crate::web::pages::{FormPostPage, Frame};

/// Where a page's forms may go. Browsers hold every redirect that follows against it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forms {
    /// To us, and on from here to an identity provider.
    Onward,
    /// To an app's registered redirect URI.
    ToApp,
}

/// A rendered page with the policy that goes with it.
pub fn page(status: StatusCode, page: &impl Template, forms: Forms) -> PageBuilder {
    let mut answer = HttpResponse::build(status);
    answer.content_type("text/html; charset=utf-8");
    let html = page.render().unwrap_or_else(|cause| {
        tracing::error!(%cause, "a page could not be rendered");
        answer.status(StatusCode::INTERNAL_SERVER_ERROR);
        "This page could not be shown.".into()
    });
    let targets = match forms {
        Forms::Onward => "'self' https: http://127.0.0.1:* http://localhost:*",
        Forms::ToApp => "*",
    };
    PageBuilder {
        answer,
        html,
        targets: targets.to_owned(),
    }
}

/// A page whose headers can still be added to.
pub struct PageBuilder {
    answer: HttpResponseBuilder,
    html: String,
    /// The sources of `form-action`.
    targets: String,
}

impl PageBuilder {
    pub fn cookie(mut self, cookie: actix_web::cookie::Cookie<'_>) -> Self {
        self.answer.cookie(cookie);
        self
    }

    /// Names where a form may end, for a registered URI that the usual sources leave out: an app's own scheme, or an IPv6
    /// literal, which a source list cannot express.
    pub fn ends_at(mut self, uri: &str) -> Self {
        let scheme = uri.split(':').next().unwrap_or_default();
        if redirect_uri::is_private_scheme(uri) || uri.starts_with("http://[") {
            self.targets = format!("{} {scheme}:", self.targets);
        }
        self
    }

    pub fn finish(mut self) -> HttpResponse {
        let policy = format!(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action {}; \
             frame-ancestors 'none'; base-uri 'none'",
            self.targets
        );
        self.answer
            .insert_header((header::CONTENT_SECURITY_POLICY, policy))
            .body(self.html)
    }
}

/// 302 to a URL of ours or one that was checked.
pub fn redirect(location: &str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::Found();
    answer.insert_header((header::LOCATION, location));
    answer
}

/// 303: what follows a POST (RFC 9700 §4.12).
pub fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, location))
        .finish()
}

/// Sends a response to the app: a redirect, or a form that posts itself.
pub fn to_app(
    response: &Response,
    lang: &str,
    cookies: Vec<actix_web::cookie::Cookie<'static>>,
) -> HttpResponse {
    match response.mode {
        ResponseMode::Query | ResponseMode::Fragment => {
            let mut answer = redirect(&response.location());
            for cookie in cookies {
                answer.cookie(cookie);
            }
            answer.finish()
        }
        ResponseMode::FormPost => {
            let form = FormPostPage {
                frame: Frame::new(lang, "Forebay"),
                action: response.redirect_uri.clone(),
                fields: response
                    .fields
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect(),
            };
            cookies
                .into_iter()
                .fold(page(StatusCode::OK, &form, Forms::ToApp), |answer, cookie| {
                    answer.cookie(cookie)
                })
                .ends_at(&response.redirect_uri)
                .finish()
        }
    }
}
