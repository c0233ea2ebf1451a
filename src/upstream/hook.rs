//! Calls of hooks: POSTs whose answer a sign-in waits for, through the same fence as calls to providers. No redirect is
//! followed, and one that keeps failing is left alone for a moment, so that a dead hook costs a clear error and not five
//! seconds of everybody's time.

use std::time::Instant;

use http::header::HeaderName;
use serde_json::{Map, Value};
use url::Url;

use super::http::Trouble;
use super::lane::{Closed, Went};
use super::{Upstream, post};
use crate::model::lambda_config::Trigger;
use crate::rules::hook::{self, Fault, FaultKind};
use crate::rules::upstream_error::Cause;

/// How often a hook is called at the most while no connection to it holds.
const TRIES: usize = 3;

/// A signed call, ready to go.
pub struct HookCall<'a> {
    pub trigger: Trigger,
    /// The binding's id: hooks fail and recover each by itself.
    pub name: &'a str,
    pub url: &'a Url,
    pub headers: &'a [(HeaderName, String)],
    pub body: &'a str,
}

impl Upstream {
    /// Calls a hook and gives the `response` that it answers. All tries together have half of what a whole sign-in has:
    /// Cognito's five seconds.
    pub async fn call_hook(&self, call: &HookCall<'_>) -> Result<Map<String, Value>, Fault> {
        let unreachable = |why: String| Fault {
            trigger: call.trigger,
            kind: FaultKind::Unreachable(why),
        };
        let turn = match self.0.http.lanes.turn(&format!("hook {}", call.name)).await {
            Ok(turn) => turn,
            Err(Closed::TooMany) => return Err(unreachable("too many calls of it are under way".into())),
            Err(Closed::Open { until } | Closed::RateLimited { until }) => {
                let why = format!("it failed repeatedly and is left alone until {until}");
                return Err(unreachable(why));
            }
        };
        let (begun, within) = (Instant::now(), self.0.sign_in_within / 2);
        let answered = tokio::time::timeout(within, self.tries(call))
            .await
            .unwrap_or_else(|_| Err(format!("nothing came within {} s", within.as_secs_f32())));
        let status = answered.as_ref().ok().map(|(status, _)| *status);
        self.0.http.calls.ended("hooks", status, begun.elapsed());
        let outcome = match answered {
            Ok((status, body)) => hook::response(call.trigger, status, &body),
            Err(why) => Err(unreachable(why)),
        };
        // A hook that says no works.
        turn.report(match &outcome {
            Err(Fault {
                kind: FaultKind::Unreachable(_),
                ..
            }) => Went::Badly,
            _ => Went::Well,
        });
        outcome
    }

    /// Status and body, or why there are none.
    async fn tries(&self, call: &HookCall<'_>) -> Result<(u16, Vec<u8>), String> {
        let mut last = String::new();
        for _ in 0..TRIES {
            let request = post::request(call.url, call.headers, call.body.to_owned())
                .ok_or("its address cannot be called")?;
            match self.0.http.send_now(request).await {
                Ok(answer) => return Ok((answer.status().as_u16(), answer.into_body())),
                Err(trouble) if is_passing(&trouble) => last = trouble.detail,
                Err(trouble) => return Err(trouble.detail),
            }
        }
        Err(last)
    }
}

/// The call did not arrive, or its answer got lost: its id tells the hook a second try from another call. A slow answer is
/// not asked for again: by then the time is over.
fn is_passing(trouble: &Trouble) -> bool {
    matches!(
        trouble.cause,
        Cause::DnsFailed | Cause::ConnectFailed | Cause::ConnectTimeout | Cause::ConnectionLost
    )
}
