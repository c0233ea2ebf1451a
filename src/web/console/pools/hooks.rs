//! Which hooks a pool has, for what, and whether something answers for them. They are named through the management API.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::Problem;
use super::super::door::Admin;
use super::super::page::{self, Frame};
use super::{View, look};
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::hook;
use crate::model::lambda_config::Trigger;
use crate::rules::params;

#[derive(Template)]
#[template(path = "console/pools/hooks.html")]
struct Hooks {
    frame: Frame,
    view: View,
    rows: Vec<Row>,
}

struct Row {
    trigger: Trigger,
    arn: String,
    state: State,
}

/// What answers for a hook.
enum State {
    /// A binding whose page this administrator may open.
    Bound { href: String },
    /// One of all pools, which is the operators'.
    BoundForAll,
    /// Nothing, and where that can be mended.
    Unbound { href: String },
}

pub async fn list(
    admin: Admin,
    request: HttpRequest,
    id: Path<String>,
    broker: Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let view = look(&broker, &admin, &id, "hooks").await?;
    let named: Vec<(Trigger, String)> = view
        .pool
        .settings
        .lambda
        .hooks()
        .map(|(trigger, arn)| (trigger, arn.to_owned()))
        .collect();
    let (pool_id, arns) = (view.pool.id.clone(), named.clone());
    let answering = broker
        .db
        .read(move |conn| -> Result<_, StoreError> {
            let arns: Vec<&str> = arns.iter().map(|(_, arn)| arn.as_str()).collect();
            Ok(hook::of_pool(conn, &pool_id, &arns)?)
        })
        .await?;
    let state = |arn: &str| match answering.iter().find(|binding| binding.arn == arn) {
        Some(binding) if binding.user_pool_id.is_some() || admin.sees().everything => State::Bound {
            href: format!("/console/hooks/{}", binding.id),
        },
        Some(_) => State::BoundForAll,
        None => State::Unbound {
            href: format!(
                "/console/hooks/new?{}",
                params::encode([("arn", arn), ("pool", &view.pool.id)])
            ),
        },
    };
    let rows = named
        .into_iter()
        .map(|(trigger, arn)| Row {
            state: state(&arn),
            trigger,
            arn,
        })
        .collect();
    Ok(page::show(&Hooks {
        frame: Frame::new(&admin, "pools", request.query_string()),
        view,
        rows,
    }))
}
