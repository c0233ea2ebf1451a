//! The claims of a sign-in as they came. They are a person's data: an administrator who may change things here opens them
//! for a quarter of an hour, having proved who they are; each sign-in looked at leaves an audit event.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde_json::Value;

use crate::actions::traces::{self, Claims};
use crate::broker::Broker;
use crate::model::provider::Provider;
use crate::model::trace::Trace;
use crate::rules::discovery::paths;
use crate::rules::secret;
use crate::web::console::door::{Admin, Form};
use crate::web::console::page;
use crate::web::console::problem::Problem;
use crate::web::console::time::Moment;

/// What a trace's page shows of the claims.
pub enum Values {
    /// This administrator may not look at them.
    NotTheirs,
    /// They can be opened.
    Closed,
    /// They are open, but nothing was kept of this sign-in.
    NotKept { until: Moment },
    Open {
        until: Moment,
        /// Name and value as JSON.
        claims: Vec<(String, String)>,
    },
}

/// What this administrator sees of the claims now. Showing them is recorded first.
pub async fn of(broker: &Data<Broker>, admin: &Admin, trace: &Trace) -> Result<Values, Problem> {
    if trace.provider_id.is_none() || admin.changes().is_nothing() {
        return Ok(Values::NotTheirs);
    }
    let now = broker.clock.now();
    let open_until = admin.session.values_open_until.filter(|until| *until > now);
    let (ctx, reach, code) = (admin.ctx(broker), admin.changes().clone(), trace.code.clone());
    let Some(until) = open_until else {
        let theirs = broker
            .db
            .read(move |conn| traces::may_show(conn, &reach, &code))
            .await?;
        return Ok(if theirs { Values::Closed } else { Values::NotTheirs });
    };
    let shown = broker
        .db
        .write(move |conn| traces::show_claims(conn, &ctx, &reach, &code))
        .await?;
    let until = Moment(until);
    Ok(match shown {
        Claims::OutOfReach => Values::NotTheirs,
        Claims::NotKept => Values::NotKept { until },
        Claims::Kept(claims) => Values::Open {
            until,
            claims: claims
                .into_iter()
                .map(|(name, value)| (name, text(&value)))
                .collect(),
        },
    })
}

fn text(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Opens the claims for a while, or closes them before.
pub async fn post(
    admin: Admin,
    path: Path<String>,
    broker: Data<Broker>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let code = secret::normalize_trace_code(&path).ok_or(Problem::NotFound)?;
    let page = format!("/console/traces/{code}");
    let open = form.text("values") == "open";
    if open {
        admin.require_fresh(broker.clock.now(), &page)?;
    }
    let (ctx, reach, session) = (
        admin.ctx(&broker),
        admin.changes().clone(),
        admin.session.hash.clone(),
    );
    broker
        .db
        .write(move |conn| {
            if open {
                traces::open_claims(conn, &ctx, &reach, &session, &code)
            } else {
                traces::close_claims(conn, &ctx, &reach, &session, &code)
            }
        })
        .await?;
    Ok(page::done(
        &page,
        if open { "values-open" } else { "values-closed" },
    ))
}

/// The redirect URI that is registered in Okta for this connection.
pub fn callback(public_url: &str, provider: &Provider) -> String {
    if provider.settings.shared_callback {
        format!("{public_url}{}", paths::IDPRESPONSE)
    } else {
        format!("{public_url}{}/{}", paths::IDPRESPONSE, provider.id)
    }
}
