//! `/login`: the page where a person chooses the way in. A synonym of authorize without a provider, so that deep links to
//! it work.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use super::authorize::{self, Begun, NOT_AVAILABLE};
use super::{error, respond};
use crate::broker::{App, Broker};
use crate::rules::discovery::paths;
use crate::rules::email::Email;
use crate::rules::oauth_error::{Code, OAuthError};
use crate::rules::params::{self, Params};
use crate::web::pages::{EmailForm, Frame, LoginButton, LoginPage, Message, MessageKind, Method};

/// Parameters that choose a provider or speak to this page; they do not go on with a button.
const CHOICE: &[&str] = &[
    "identity_provider",
    "idp_identifier",
    "errorMessage",
    "login_hint",
    "email",
];

const EMAIL_MALFORMED: &str = "Enter your whole work address, like ada@example.com.";
const EMAIL_UNKNOWN: &str =
    "We found no sign-in for this address. Check it, choose another way in, or ask your administrator.";

pub async fn get(request: HttpRequest, broker: Data<Broker>) -> HttpResponse {
    let Begun {
        app,
        authorization,
        params,
        session,
    } = match authorize::begin(&request, &broker).await {
        Ok(begun) => begun,
        Err(answer) => return answer,
    };
    if let Some(typed) = params.get("email") {
        return by_email(&params, typed);
    }
    if let Some((session, user)) = session {
        return authorize::continue_session(&request, &broker, &app, &authorization, session, user).await;
    }
    if authorization.prompt.none {
        let refusal = OAuthError::new(Code::LoginRequired, "nobody is signed in");
        return authorize::refuse(&request, &app, &authorization, &refusal);
    }
    show(&request, &app, &params)
}

pub async fn post(request: HttpRequest, body: Bytes) -> HttpResponse {
    authorize::bounce(&request, &body, paths::LOGIN)
}

/// The typed address goes to authorize as `login_hint`, which routes by its domain, or comes back here with a message.
fn by_email(params: &Params, typed: &str) -> HttpResponse {
    let mut pairs = params.without(CHOICE);
    pairs.push(("login_hint".into(), typed.trim().to_owned()));
    let known_form = Email::parse(typed.trim()).is_ok();
    let path = if known_form {
        paths::AUTHORIZE
    } else {
        paths::LOGIN
    };
    respond::see_other(&format!("{path}?{}", params::encode(pairs)))
}

fn show(request: &HttpRequest, app: &App, params: &Params) -> HttpResponse {
    let lang = error::lang(request);
    let onward = params.without(&[CHOICE, &["prompt"]].concat());
    let hint = params.get("login_hint").unwrap_or_default();
    let reachable = app.identifiers.keys().any(|identifier| identifier.contains('.'));

    let mut labels: HashMap<&str, usize> = HashMap::new();
    for provider in &app.providers {
        *labels.entry(provider.settings.label.as_str()).or_default() += 1;
    }
    let buttons = app
        .providers
        .iter()
        .map(|provider| {
            let label = provider.settings.label.clone();
            let several = labels.get(label.as_str()).copied().unwrap_or_default() > 1;
            let mut pairs = onward.clone();
            pairs.push(("identity_provider".into(), provider.name.clone()));
            if params
                .get("prompt")
                .is_some_and(|prompt| prompt.contains("login") || prompt.contains("select_account"))
            {
                pairs.push(("prompt".into(), "login".into()));
            }
            LoginButton {
                detail: several.then(|| provider.name.clone()),
                href: format!("{}?{}", paths::AUTHORIZE, params::encode(pairs)),
                label,
                logo: None,
            }
        })
        .collect();

    let unavailable = params.get("errorMessage").is_some();
    let (problem, message) = match (unavailable, hint) {
        // Only our own words are ever shown, whatever the link says.
        (true, _) => (
            None,
            Some(Message {
                kind: MessageKind::Error,
                text: NOT_AVAILABLE.to_owned(),
            }),
        ),
        (false, "") => (None, None),
        (false, _) if !reachable => (None, None),
        (false, hint) if Email::parse(hint).is_err() => (Some(EMAIL_MALFORMED.to_owned()), None),
        (false, _) => (Some(EMAIL_UNKNOWN.to_owned()), None),
    };
    let email_form = reachable.then(|| EmailForm {
        action: paths::LOGIN.into(),
        method: Method::Get,
        hidden: params.without(CHOICE),
        value: hint.to_owned(),
        problem,
    });
    let page = LoginPage {
        frame: Frame::new(&lang, app.pool.pool.name.clone()),
        client_name: Some(app.client.name.clone()),
        buttons,
        email_form,
        message,
    };
    let status = if unavailable {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::OK
    };
    respond::page(status, &page, respond::Forms::Onward).finish()
}
