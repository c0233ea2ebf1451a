//! A session is there, and the app's access rules do not let its user in: the page that says which rule and whom to ask,
//! or `access_denied` where nobody may be shown anything.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::authorize;
use super::error::{self, Again, Shown};
use crate::actions::access::{self, Way};
use crate::actions::traces::Draft;
use crate::broker::{App, Broker};
use crate::error::StoreError;
use crate::model::session::Session;
use crate::model::trace::Outcome;
use crate::model::user::User;
use crate::rules::authorize::Authorization;
use crate::rules::discovery::paths;
use crate::rules::params::{self, Params};

/// `None`: the user may enter.
pub async fn of_session(
    request: &HttpRequest,
    broker: &Data<Broker>,
    app: &Arc<App>,
    authorization: &Authorization,
    params: &Params,
    (session, user): (&Session, &User),
) -> Result<Option<HttpResponse>, StoreError> {
    let now = broker.clock.now();
    let (wanted, whose, who) = (app.clone(), session.clone(), user.clone());
    let admitted = broker
        .db
        .read(move |conn| {
            let way = Way::of_session(&whose);
            access::check(conn, now, &wanted.client, &wanted.offer, &who, way)
        })
        .await?;
    let Err(barred) = admitted else {
        return Ok(None);
    };
    let refusal = barred.refusal(&app.client.name);
    broker.metrics.sign_in(Outcome::Refused.as_str(), &refusal.cause);
    let mut trace = Draft {
        user_pool_id: Some(app.pool.pool.id.clone()),
        provider_id: session.provider_id.clone(),
        client_id: Some(app.client.id.clone()),
        user_sub: Some(user.sub.clone()),
        started_at: broker.clock.now(),
        ..Draft::default()
    };
    let asked = format!("app {} asked; the browser has a session", app.client.name);
    trace.step("authorize", true, asked);
    trace.step("access", false, barred.seen());
    trace.story.remedy = refusal.remedy.to_string();
    // Whoever has a session can ask as often as they like: counted among the strangers' traces.
    let trace_code = error::keep_unreached(request, broker, trace, &refusal.cause).await;
    if authorization.prompt.none {
        return Ok(Some(authorize::refuse(
            request,
            app,
            authorization,
            &refusal.oauth(),
        )));
    }
    let href = |prompt: Option<&str>| {
        let mut pairs = params.without(&["prompt"]);
        pairs.extend(prompt.map(|prompt| ("prompt".to_owned(), prompt.to_owned())));
        format!("{}?{}", paths::AUTHORIZE, params::encode(pairs))
    };
    let shown = Shown {
        refusal: &refusal,
        trace_code,
        pool_name: app.shown_name(),
        client_name: Some(&app.client.name),
        connection: session.provider_id.as_deref(),
        issuer: &app.pool.issuer,
        address: Some(&authorization.return_address()),
        again: Some(Again {
            href: href(None),
            other_href: href(Some("select_account")),
        }),
        clear: None,
    };
    Ok(Some(error::refused(request, broker, shown)))
}
