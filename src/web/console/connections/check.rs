//! The staged check, shown stage by stage as it runs. It is plain HTML that arrives bit by bit, so that nothing but a
//! browser is needed to watch it.

use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use futures_util::stream;
use tokio::sync::mpsc;

use super::{At, open, redirect_uri};
use crate::actions::{Ctx, providers};
use crate::broker::Broker;
use crate::model::reach::Reach;
use crate::upstream::{Connection, Stage, Verdict};
use crate::web::console::door::{Admin, Form};
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;
use crate::web::headers::RequestId;

/// Stand in the rendered page where its parts are put together; nothing that is escaped can look like them.
const STAGES: &str = "<!-- stages -->";
const VERDICT: &str = "<!-- verdict -->";

#[derive(Template)]
#[template(path = "console/connections/check.html")]
struct CheckPage {
    frame: Frame,
    at: At,
    redirect_uri: String,
    /// The check is on its way: its stages follow.
    running: bool,
    /// What has to be entered first.
    incomplete: bool,
}

#[derive(Template)]
#[template(path = "console/connections/stage.html")]
struct StagePart<'a> {
    stage: &'a Stage,
}

impl StagePart<'_> {
    fn title(&self) -> &'static str {
        match self.stage.name {
            "dns" => "Name resolution",
            "tcp" => "Network connection",
            "tls" => "TLS certificate",
            "discovery" => "Discovery document",
            "issuer" => "Issuer",
            "jwks" => "Signing keys",
            "client_id" => "Client ID",
            "app_kind" => "Kind of the app",
            "client_auth" => "Client credentials",
            "redirect_uri" => "Sign-in redirect URI",
            "clock" => "Clock",
            other => other,
        }
    }

    fn mark(&self) -> &'static str {
        match self.stage.verdict {
            Verdict::Passed => "step--good",
            Verdict::Failed => "step--bad",
            Verdict::Skipped => "",
        }
    }

    fn pill(&self) -> &'static str {
        match self.stage.verdict {
            Verdict::Passed => "pill--good",
            Verdict::Failed => "pill--bad",
            Verdict::Skipped => "pill--quiet",
        }
    }
}

#[derive(Template)]
#[template(path = "console/connections/verdict.html")]
struct VerdictPart {
    failed: usize,
    /// Where the wizard goes on.
    next: &'static str,
    next_href: String,
}

pub async fn page(
    admin: Admin,
    id: Path<String>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let opened = open(&broker, admin.changes(), &id).await?;
    Ok(page::show(&CheckPage {
        frame: Frame::new(&admin, "connections", request.query_string()),
        at: At::new(&admin, &opened, "/check"),
        redirect_uri: redirect_uri(&broker.public_url, &opened.provider),
        running: false,
        incomplete: opened.provider.settings.client_id.is_empty(),
    }))
}

/// Runs the check; each stage is sent when it ends.
pub async fn run(
    admin: Admin,
    id: Path<String>,
    _: Form,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let opened = open(&broker, admin.changes(), &id).await?;
    let connection = broker
        .connection_as_it_is(admin.changes(), &id)
        .await?
        .ok_or(Problem::NotFound)?;
    let page = CheckPage {
        frame: Frame::new(&admin, "connections", ""),
        at: At::new(&admin, &opened, "/check"),
        redirect_uri: redirect_uri(&broker.public_url, &opened.provider),
        running: true,
        incomplete: false,
    };
    let html = rendered(&page);
    let (head, rest) = html.split_once(STAGES).unwrap_or((&html, ""));
    let (between, tail) = rest.split_once(VERDICT).unwrap_or((rest, ""));
    let (parts, receiver) = mpsc::unbounded_channel();
    let work = Work {
        request_id: RequestId::of(&request),
        ctx: admin.ctx(&broker),
        reach: admin.changes().clone(),
        path: page.at.path(),
        redirect_uri: page.redirect_uri.clone(),
        between: between.to_owned(),
        tail: tail.to_owned(),
        connection,
        broker,
        parts,
    };
    let _ = work.parts.send(Bytes::from(head.to_owned()));
    // It ends by itself, within the limits that every outbound request has, whether anybody still watches or not.
    actix_web::rt::spawn(work.run());
    let body = stream::unfold(receiver, |mut receiver| async move {
        let part = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(part), receiver))
    });
    Ok(page::headers(&mut HttpResponse::Ok())
        // Proxies that collect an answer before they hand it on would take the waiting out of the page.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Box::pin(body)))
}

struct Work {
    broker: Data<Broker>,
    connection: Connection,
    redirect_uri: String,
    ctx: Ctx,
    reach: Reach,
    request_id: String,
    path: String,
    between: String,
    tail: String,
    parts: mpsc::UnboundedSender<Bytes>,
}

impl Work {
    async fn run(self) {
        let stages = self
            .broker
            .upstream
            .examine(&self.connection, &self.redirect_uri, |stage| {
                let _ = self.parts.send(rendered(&StagePart { stage }).into());
            })
            .await;
        self.broker
            .settle_secret(&self.connection, &self.request_id)
            .await;
        let failed = stages
            .iter()
            .filter(|stage| stage.verdict == Verdict::Failed)
            .count();
        let token_in = self.connection.provider.settings.token_in.is_some();
        if failed == 0 && token_in {
            self.note_passed().await;
        }
        let (next, segment) = match token_in {
            true => ("go live", "live"),
            false => ("test sign-in", "test-sign-in"),
        };
        let verdict = VerdictPart {
            failed,
            next,
            next_href: format!("{}/{segment}", self.path),
        };
        let end = format!("{}{}{}", self.between, rendered(&verdict), self.tail);
        let _ = self.parts.send(end.into());
    }
}

impl Work {
    /// The check is all the test that such a connection can have.
    async fn note_passed(&self) {
        let (ctx, reach) = (self.ctx.clone(), self.reach.clone());
        let seen = self.connection.provider.clone();
        let noted = self
            .broker
            .db
            .write(move |conn| providers::passed_check(conn, &ctx, &reach, &seen))
            .await;
        match noted {
            Ok(()) => self.broker.forget(),
            Err(cause) => tracing::error!(%cause, "a check that passed could not be noted"),
        }
    }
}

fn rendered(part: &impl Template) -> String {
    part.render().unwrap_or_else(|cause| {
        tracing::error!(%cause, "a part of a page could not be rendered");
        String::new()
    })
}
