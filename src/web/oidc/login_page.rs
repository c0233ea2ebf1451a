//! `/login`: the page where a person chooses the way in. A synonym of authorize without a provider, so that deep links to
//! it work.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use super::authorize::{self, Begun, NOT_AVAILABLE};
use super::visitor::{self, Visitor};
use super::{choice, chooser, error, login_style, password_form, respond};
use crate::broker::{App, Broker, File, Ways};
use crate::model::login_page::TermsName;
use crate::model::provider::Provider;
use crate::rules::authorize::{Authorization, TENANT};
use crate::rules::discovery::paths;
use crate::rules::email::Email;
use crate::rules::login_style::ANY_LANGUAGE;
use crate::rules::oauth_error::{Code, OAuthError};
use crate::rules::params::{self, Params};
use crate::web::pages::{
    self, EMAIL_FIELD, EmailForm, Frame, LoginButton, LoginPage, Look, Message, MessageKind, Method,
    PasswordForm,
};

/// Parameters that choose a provider or speak to this page; they do not go on with a button.
pub(super) const CHOICE: &[&str] = &[
    "identity_provider",
    "idp_identifier",
    "connection",
    TENANT[0],
    TENANT[1],
    "errorMessage",
    "login_hint",
    EMAIL_FIELD,
];

const EMAIL_MALFORMED: &str = "Enter your whole work address, like ada@example.com.";
const EMAIL_UNKNOWN: &str =
    "We found no sign-in for this address. Check it, choose another way in, or ask your administrator.";

pub async fn get(request: HttpRequest, broker: Data<Broker>) -> HttpResponse {
    let Begun {
        app,
        authorization,
        params,
        ways,
        session,
        ..
    } = match authorize::begin_choice(&request, &broker).await {
        Ok(begun) => begun,
        Err(answer) => return answer,
    };
    let unavailable = params.get("errorMessage").is_some();
    let typed = params.get(EMAIL_FIELD).map(str::trim);
    // Whoever asked for another connection than a session has does not want that session.
    let several = choice::several(&authorization, &ways).filter(|_| !unavailable && typed.is_none());
    let asked = unavailable || typed.is_some() || several.is_some();
    if let Some((session, user)) = session.filter(|_| !asked) {
        return authorize::continue_session(&request, &broker, &app, &authorization, &params, session, user)
            .await;
    }
    if authorization.prompt.none {
        let refusal = OAuthError::new(Code::LoginRequired, "nobody is signed in");
        return authorize::refuse(&request, &app, &authorization, &refusal);
    }
    if let Some(several) = several {
        return chooser::page(&request, &broker, &app, &authorization, &params, &several).await;
    }
    let problem = match typed.map(Email::parse) {
        None => None,
        Some(Err(_)) => Some(EMAIL_MALFORMED),
        Some(Ok(address)) if !ways.routes.of_domain(address.domain()).is_empty() => {
            return to_organisation(&params, &authorization, &address);
        }
        Some(Ok(_)) => Some(EMAIL_UNKNOWN),
    };
    let problems = Problems {
        status: if unavailable {
            StatusCode::UNAUTHORIZED
        } else {
            StatusCode::OK
        },
        unavailable,
        email: problem,
        ..Problems::default()
    };
    show(
        &request,
        &broker,
        (&app, &ways),
        &authorization,
        &params,
        problems,
    )
}

pub async fn post(request: HttpRequest, body: Bytes, broker: Data<Broker>) -> HttpResponse {
    authorize::bounce(&request, &broker, &body, paths::LOGIN).await
}

/// The typed address goes to authorize as `login_hint`, which routes by its domain.
fn to_organisation(params: &Params, authorization: &Authorization, address: &Email) -> HttpResponse {
    let mut pairs = onward(params, authorization);
    pairs.push(("login_hint".into(), address.as_str().to_owned()));
    respond::see_other(&format!("{}?{}", paths::AUTHORIZE, params::encode(pairs)))
}

/// The request as it goes on from here. Choosing an account has been done by choosing a way in; what remains of it is
/// that the organisation asks, too.
fn onward(params: &Params, authorization: &Authorization) -> Vec<(String, String)> {
    let mut pairs = params.without(&[CHOICE, &["prompt"]].concat());
    let prompt = authorization.prompt;
    let asks = [
        ("login", prompt.login || prompt.select_account),
        ("consent", prompt.consent),
    ];
    let asks: Vec<&str> = asks
        .iter()
        .filter(|(_, asked)| *asked)
        .map(|(name, _)| *name)
        .collect();
    if !asks.is_empty() {
        pairs.push(("prompt".into(), asks.join(" ")));
    }
    pairs
}

/// What has been made of the page's looks, with its links in this language.
pub(super) fn look(app: &App, lang: &str) -> Look {
    let texts = pages::texts(lang);
    let language = match texts.lang {
        "de" => "cognito:german",
        "en" => "cognito:english",
        "es" => "cognito:spanish",
        "fr" => "cognito:french",
        "id" => "cognito:bahasa-indonesia",
        "it" => "cognito:italian",
        "ja" => "cognito:japanese",
        "ko" => "cognito:korean",
        "pt-BR" => "cognito:portuguese-brazil",
        "zh-CN" => "cognito:chinese-simplified",
        "zh-TW" => "cognito:chinese-traditional",
        _ => ANY_LANGUAGE,
    };
    let terms = app.look.terms.iter().filter_map(|terms| {
        let link = terms
            .links
            .get(language)
            .or_else(|| terms.links.get(ANY_LANGUAGE))?;
        let text = match terms.name {
            TermsName::TermsOfUse => texts.terms_of_use,
            TermsName::PrivacyPolicy => texts.privacy_policy,
        };
        Some((text.to_owned(), link.clone()))
    });
    let own = &app.look.texts;
    let of_app = own
        .get(language)
        .or_else(|| own.get(ANY_LANGUAGE))
        .cloned()
        .unwrap_or_default();
    let of_the_app = |file: &Option<File>| file.as_ref().map(|file| login_style::href(app, file));
    // What a tenant has set stands over what the app has, piece by piece.
    let dress = app.dress.as_ref();
    let of_the_tenant =
        |file: &Option<File>| file.as_ref().map(|file| login_style::href_of_tenant(app, file));
    let style = dress.and_then(|dress| of_the_tenant(&dress.style));
    let logo = dress.and_then(|dress| of_the_tenant(&dress.logo));
    Look {
        styles: of_the_app(&app.look.style).into_iter().chain(style).collect(),
        logo: logo.or_else(|| of_the_app(&app.look.logo)),
        texts: match dress {
            Some(dress) => dress.texts.clone().over(of_app),
            None => of_app,
        },
        terms: terms.collect(),
    }
}

/// A button for each connection; `address` goes on with it.
pub(super) fn buttons(
    providers: &[&Provider],
    params: &Params,
    authorization: &Authorization,
    address: Option<&str>,
) -> Vec<LoginButton> {
    let mut labels: HashMap<&str, usize> = HashMap::new();
    for provider in providers {
        *labels.entry(provider.settings.label.as_str()).or_default() += 1;
    }
    let button = |provider: &&Provider| {
        let label = provider.settings.label.clone();
        let several = labels.get(label.as_str()).copied().unwrap_or_default() > 1;
        let mut pairs = onward(params, authorization);
        pairs.push(("identity_provider".into(), provider.name.clone()));
        pairs.extend(address.map(|address| ("login_hint".into(), address.to_owned())));
        LoginButton {
            detail: several.then(|| match provider.settings.environment {
                Some(environment) => format!("{} ({environment})", provider.name),
                None => provider.name.clone(),
            }),
            href: format!("{}?{}", paths::AUTHORIZE, params::encode(pairs)),
            label,
            logo: None,
        }
    };
    providers.iter().map(button).collect()
}

/// The connections that have a button. Where the address is asked first a tenant's has none but at the tenant's own host:
/// the page would tell every stranger whose customers they are. Nor has one where they are too many to choose from.
fn shown<'a>(app: &App, ways: &'a Ways) -> Vec<&'a Provider> {
    let hides = (app.client.settings.email_first || ways.many) && app.offer.tenant_id.is_none();
    let shown = |provider: &&Provider| !(hides && provider.tenant_id.is_some());
    ways.providers.iter().filter(shown).collect()
}

/// What is wrong when the page is shown, and with which status.
#[derive(Default)]
pub struct Problems<'a> {
    pub status: StatusCode,
    /// The way in that was asked for is not there.
    pub unavailable: bool,
    /// Stands at the email field.
    pub email: Option<&'a str>,
    /// Stands above username and password.
    pub password: Option<&'a str>,
    /// The username that was typed.
    pub username: &'a str,
}

pub fn show(
    request: &HttpRequest,
    broker: &Broker,
    (app, ways): (&App, &Ways),
    authorization: &Authorization,
    params: &Params,
    problems: Problems<'_>,
) -> HttpResponse {
    let lang = error::lang(request);
    let reachable = app.client.settings.email_first || ways.lead_anywhere;
    let buttons = buttons(&shown(app, ways), params, authorization, None);

    // Only our own words are ever shown, whatever the link says.
    let message = problems.unavailable.then(|| Message {
        kind: MessageKind::Error,
        text: NOT_AVAILABLE.to_owned(),
    });
    let value = params.get(EMAIL_FIELD).or_else(|| params.get("login_hint"));
    let email_form = reachable.then(|| EmailForm {
        action: paths::LOGIN.into(),
        method: Method::Get,
        hidden: params.without(CHOICE),
        value: value.unwrap_or_default().to_owned(),
        problem: problems.email.map(str::to_owned),
    });
    let visitor = app.has_native_users().then(|| Visitor::of(request, broker));
    let hint = value.unwrap_or_default();
    let password_form = visitor.as_ref().map(|visitor| {
        // What a link says under the form's own names is none of its business.
        let dropped = [&["errorMessage", EMAIL_FIELD], password_form::OURS].concat();
        let mut hidden = params.without(&dropped);
        hidden.push((visitor::FIELD.into(), visitor.csrf.clone()));
        PasswordForm {
            action: paths::LOGIN_PASSWORD.into(),
            hidden,
            username: Some(problems.username)
                .filter(|typed| !typed.is_empty())
                .unwrap_or(hint)
                .to_owned(),
            problem: problems.password.map(str::to_owned),
        }
    });
    let page = LoginPage {
        frame: Frame::new(&lang, app.shown_name()),
        client_name: Some(app.client.name.clone()),
        buttons,
        email_form,
        password_form,
        message,
        look: look(app, &lang),
    };
    let mut answer =
        respond::page(problems.status, &page, respond::Forms::Onward).ends_at(&authorization.redirect_uri);
    if let Some(visitor) = visitor {
        answer = answer.cookie(visitor.cookie);
    }
    match error::remember_lang(request) {
        Some(cookie) => answer.cookie(cookie).finish(),
        None => answer.finish(),
    }
}
