//! Whether a connection's sign-ins are kept, sealed, for previews and replays.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::path_of;
use crate::actions::mappings;
use crate::broker::Broker;
use crate::error::Error;
use crate::model::provider::{self, Replay};
use crate::web::console::Problem;
use crate::web::console::door::{Admin, Form};
use crate::web::console::page;

pub async fn keep(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let days = form
        .text("days")
        .parse()
        .map_err(|_| Problem::Refused(Error::invalid("days", "a whole number from 1 to 30")))?;
    let replay = Replay {
        keep: form.is_checked("keep"),
        days,
    };
    let (ctx, reach, wanted) = (admin.ctx(&broker), admin.changes().clone(), id.into_inner());
    let path = path_of(&wanted);
    broker
        .db
        .write(move |conn| {
            let provider = provider::find_within(conn, &reach, &wanted)?
                .ok_or_else(|| Error::not_found("connection", &wanted))?;
            mappings::keep_sign_ins(conn, &ctx, &provider.id, replay)
        })
        .await?;
    broker.forget();
    Ok(page::done(&path, "saved"))
}
