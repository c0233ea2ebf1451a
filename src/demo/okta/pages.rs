//! The organisation's pages: sign-in, consent, dashboard, error, and the form that posts an answer back. Every
//! title names the organisation, so that nobody confuses it with the broker or with another one. No inline
//! style or script; all but the posting form work without JavaScript, and that one has a button.

use actix_web::http::StatusCode;
use askama::Template;

use super::Setup;
use super::directory::Person;
use super::http::{Pairs, Reply};

#[derive(Template)]
#[template(path = "demo/okta/sign_in.html")]
struct SignIn<'a> {
    organisation: &'a str,
    action: &'a str,
    app: &'a str,
    username: &'a str,
    mistake: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "demo/okta/consent.html")]
struct Consent<'a> {
    organisation: &'a str,
    action: &'a str,
    app: &'a str,
    person: &'a str,
    scopes: &'a [String],
}

#[derive(Template)]
#[template(path = "demo/okta/dashboard.html")]
struct Dashboard<'a> {
    organisation: &'a str,
    person: &'a str,
    login: &'a str,
    tiles: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "demo/okta/error.html")]
struct Failure<'a> {
    organisation: &'a str,
    error: &'a str,
    description: &'a str,
}

#[derive(Template)]
#[template(path = "demo/okta/form_post.html")]
struct FormPost<'a> {
    organisation: &'a str,
    action: &'a str,
    fields: Pairs,
}

/// No `form-action`: browsers apply it to the redirect that follows a form, and that goes to the app.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

fn page(status: StatusCode, template: &impl Template) -> Reply {
    let text = template.render().unwrap_or_else(|error| error.to_string());
    Reply::text(status, "text/html; charset=utf-8", text)
        .header("content-security-policy", POLICY)
        .header("referrer-policy", "no-referrer")
        .header("x-content-type-options", "nosniff")
        .no_store()
}

/// The sign-in form, for an app (by its label) or for the dashboard.
pub fn sign_in(setup: &Setup, action: &str, app: &str, username: &str, mistake: Option<&str>) -> Reply {
    page(
        StatusCode::OK,
        &SignIn {
            organisation: &setup.name,
            action,
            app,
            username,
            mistake,
        },
    )
}

/// The question whether the app may have these scopes.
pub fn consent(setup: &Setup, action: &str, app: &str, person: &Person, scopes: &[String]) -> Reply {
    let name = person.name();
    page(
        StatusCode::OK,
        &Consent {
            organisation: &setup.name,
            action,
            app,
            person: &name,
            scopes,
        },
    )
}

/// The apps of a person, as label and address.
pub fn dashboard(setup: &Setup, person: &Person, tiles: Vec<(String, String)>) -> Reply {
    let name = person.name();
    page(
        StatusCode::OK,
        &Dashboard {
            organisation: &setup.name,
            person: &name,
            login: &person.login,
            tiles,
        },
    )
}

/// Okta's own error page, from which no redirect leads away.
pub fn error(setup: &Setup, status: StatusCode, error: &str, description: &str) -> Reply {
    page(
        status,
        &Failure {
            organisation: &setup.name,
            error,
            description,
        },
    )
}

/// `response_mode=form_post`.
pub fn form_post(setup: &Setup, action: &str, fields: Pairs) -> Reply {
    page(
        StatusCode::OK,
        &FormPost {
            organisation: &setup.name,
            action,
            fields,
        },
    )
}

/// The style sheet of all pages.
pub fn style_sheet() -> Reply {
    let text = include_str!("../../../templates/demo/okta/okta.css");
    Reply::text(StatusCode::OK, "text/css; charset=utf-8", text.into())
        .header("cache-control", "max-age=3600")
}

/// Posts the form of [`form_post`] at once.
pub fn form_post_script() -> Reply {
    let text = "document.forms[0].submit();\n";
    Reply::text(StatusCode::OK, "text/javascript; charset=utf-8", text.into())
        .header("cache-control", "max-age=3600")
}
