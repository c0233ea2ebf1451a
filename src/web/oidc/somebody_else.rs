//! A tile, or any link, starts a sign-in in a browser where somebody else is signed in (OIDC Core §4: a third party may be
//! anybody). Nobody's session is taken over silently: a page asks whom to go on as. It is asked where the session tells,
//! or once the organisation has said who comes; both answers are ordinary links to `/oauth2/authorize`, so that the
//! page needs no memory and nothing is won by sending somebody to it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use super::authorize::is_address_of;
use super::{error, respond, start_login};
use crate::broker::{App, Ways};
use crate::model::provider::Provider;
use crate::model::session::Session;
use crate::model::user::User;
use crate::rules::authorize::{Authorization, TENANT};
use crate::rules::discovery::paths;
use crate::rules::email::Email;
use crate::rules::params::{self, Params};
use crate::web::pages::{ContinuePage, Frame};

/// What leads a request to a connection.
const LEADING: [&str; 6] = [
    "login_hint",
    "identity_provider",
    "idp_identifier",
    "connection",
    TENANT[0],
    TENANT[1],
];

/// The page, where the session is another connection's, or that of another person than the tile says.
pub fn before(
    request: &HttpRequest,
    (app, ways): (&App, &Ways),
    authorization: &Authorization,
    params: &Params,
    (session, user): (&Session, &User),
    wanted: &Provider,
) -> Option<HttpResponse> {
    let hint = authorization.login_hint.as_deref().map(Email::parse);
    let is_another = matches!(hint, Some(Ok(address)) if !is_address_of(&address, user));
    let came_by = session.provider_id.as_deref();
    if came_by.is_some_and(|id| wanted.leads_to(id)) && !is_another {
        return None;
    }
    let href = |dropped: &[&str], provider: Option<&Provider>| {
        let mut pairs = params.without(dropped);
        pairs.extend(provider.map(|provider| ("identity_provider".to_owned(), provider.name.clone())));
        format!("{}?{}", paths::AUTHORIZE, params::encode(pairs))
    };
    // A session that this request cannot use is renewed where it came from.
    let renews = authorization.prompt.login || authorization.max_age.is_some();
    let own = came_by.filter(|_| renews).and_then(|id| ways.provider(id));
    let own = own.map(|own| ways.offered_as(own));
    let answer = page(
        request,
        app,
        user,
        wanted,
        href(&LEADING, own),
        // The address may go on there.
        href(LEADING.get(1..).unwrap_or_default(), Some(wanted)),
    );
    let mut answer = answer.finish();
    start_login::used(&mut answer, app);
    Some(answer)
}

/// "Signed in as …": go on, or sign in through the connection that the tile is of.
pub fn page(
    request: &HttpRequest,
    app: &App,
    present: &User,
    wanted: &Provider,
    stay: String,
    change: String,
) -> respond::PageBuilder {
    let settings = &wanted.settings;
    let page = ContinuePage {
        frame: Frame::new(&error::lang(request), app.shown_name()),
        client_name: Some(app.client.name.clone()),
        user_label: present.label(),
        continue_href: stay,
        other_href: change,
        other_way: Some(format!("{} ({})", settings.label, wanted.name)),
    };
    respond::page(StatusCode::OK, &page, respond::Forms::ToApp)
}
