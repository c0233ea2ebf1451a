//! The test sign-in: a real round trip through the upstream, back to the very redirect URI that sign-ins use, by the
//! administrator's own browser. It makes no user, session, code or token. What it found is kept for ten minutes, for the
//! session of the console that began it.
//!
//! The console's cookie is `SameSite=Strict` and does not come along when the upstream sends the browser back. So the
//! callback works with the test's own cookie alone, and its page leads on to the result: that step begins on our own
//! site, and the console's cookie is there again.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use askama::Template;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{At, open, redirect_uri};
use crate::actions::okta_api::Granted;
use crate::actions::providers::{self, TestEnd};
use crate::actions::{admins, setup_links};
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::reach::Reach;
use crate::model::trace::Step;
use crate::model::upstream_token::Tokens;
use crate::model::{admin_session, administrator, mapping, pool, tenant_domain};
use crate::rules::connection::fingerprint;
use crate::rules::login::ApiAsk;
use crate::rules::mapping::{apply, saved};
use crate::rules::params::Params;
use crate::rules::refusal::Refusal;
use crate::rules::test_login::{self, TestLogin};
use crate::rules::upstream_error::{self, Cause, plain};
use crate::rules::{login, organisation, secret};
use crate::upstream::{ApiGrant, AuthorizeRequest, Connection, Expectation, Failure, Identity};
use crate::web::console::door::{Admin, Form};
use crate::web::console::page::{self, Frame};
use crate::web::console::problem::Problem;
use crate::web::cookies::{self, Cookies};
use crate::web::headers::RequestId;
use crate::world::UnixTime;

#[derive(Template)]
#[template(path = "console/connections/test_sign_in.html")]
struct TestPage {
    frame: Frame,
    at: At,
    incomplete: bool,
    tested: Option<crate::web::console::time::Moment>,
    wrong: Option<Trouble>,
}

/// On the way to the upstream. A link and not the form's own answer: browsers hold a form's redirects against
/// `form-action`, which is ourselves alone.
#[derive(Template)]
#[template(path = "console/connections/onward.html")]
struct OnwardPage {
    title: &'static str,
    what: String,
    href: String,
    label: &'static str,
}

/// What a test found, sealed between the callback and the page that shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Found {
    pub provider_id: String,
    pub fingerprint: String,
    pub at: UnixTime,
    pub steps: Vec<Step>,
    /// Who came back, if everything about it was right.
    pub came: Option<Came>,
    pub trouble: Option<Trouble>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Came {
    pub issuer: String,
    pub subject: String,
    pub claims: Map<String, Value>,
    pub auth_time: Option<i64>,
    pub amr: Vec<String>,
    pub acr: Option<String>,
}

/// What went wrong, and what to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Trouble {
    pub cause: String,
    pub seen: String,
    pub remedy: String,
}

impl Trouble {
    fn of(failure: &Failure, label: &str) -> Trouble {
        let refusal = failure.refusal(label);
        Trouble {
            cause: refusal.cause.to_owned(),
            seen: failure.detail.clone(),
            remedy: refusal.remedy.to_owned(),
        }
    }
}

pub async fn page(
    admin: Admin,
    id: Path<String>,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Ok(page::show(&asked(&admin, &broker, &request, &id).await?))
}

async fn asked(admin: &Admin, broker: &Broker, request: &HttpRequest, id: &str) -> Result<TestPage, Problem> {
    let opened = open(broker, admin.changes(), id).await?;
    let provider = &opened.provider;
    Ok(TestPage {
        frame: Frame::new(admin, "connections", request.query_string()),
        at: At::new(admin, &opened, "/test-sign-in"),
        incomplete: provider.settings.client_id.is_empty(),
        tested: provider.tested_at.map(crate::web::console::time::Moment),
        wrong: None,
    })
}

/// Seals the test's login into its cookie and leads on to the upstream.
pub async fn start(
    admin: Admin,
    id: Path<String>,
    _: Form,
    broker: Data<Broker>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut page = asked(&admin, &broker, &request, &id).await?;
    let connection = broker
        .connection_as_it_is(admin.changes(), &id)
        .await?
        .ok_or(Problem::NotFound)?;
    let provider = &connection.provider;
    let state = secret::short_token(&broker.entropy);
    let test = TestLogin {
        provider_id: provider.id.clone(),
        fingerprint: fingerprint(provider),
        administrator_id: admin.administrator.id.clone(),
        session_id: admin.session.id.clone(),
        shared_callback: provider.settings.shared_callback,
        nonce: secret::short_token(&broker.entropy),
        verifier: secret::token(&broker.entropy),
        started_at: broker.clock.now(),
    };
    let ask = AuthorizeRequest {
        redirect_uri: redirect_uri(&broker.public_url, provider),
        state: state.clone(),
        nonce: test.nonce.clone(),
        code_verifier: test.verifier.clone(),
        login_hint: None,
        prompt: None,
        max_age: None,
        acr_values: None,
        okta_api: true,
    };
    let url = match broker.upstream.authorize_url(&connection, &ask).await {
        Ok(url) => url,
        Err(failure) => {
            page.wrong = Some(Trouble::of(&failure, &provider.settings.label));
            return Ok(page::refused(&page));
        }
    };
    let value = test
        .seal(&broker.sealer, &broker.public_url, &state)
        .ok_or(Problem::Malformed("the test cannot be remembered"))?;
    let onward = OnwardPage {
        title: "On to the sign-in",
        what: format!("Your browser goes to {} now.", url.host_str().unwrap_or_default()),
        href: url.into(),
        label: "Go on",
    };
    let mut answer = page::show(&onward);
    add_cookie(
        &mut answer,
        cookies::set(test_login::cookie_name(&state), value, login::LIFETIME),
    );
    Ok(answer)
}

/// A test that came back to the browser that began it.
pub struct Returned {
    state: String,
    params: Params,
    test: TestLogin,
}

/// The test that this callback belongs to, by its state and this browser's cookie; an ordinary login has none.
pub fn of_this_browser(request: &HttpRequest, broker: &Broker) -> Option<Returned> {
    let params = Params::parse(request.query_string().as_bytes()).ok()?;
    let state = params
        .get("state")
        .filter(|state| login::is_state(state))?
        .to_owned();
    let cookies = Cookies::of(request).ok()?;
    let value = cookies.get(&test_login::cookie_name(&state))?;
    let test = TestLogin::open(&broker.sealer, &broker.public_url, &state, value)?;
    Some(Returned { state, params, test })
}

/// The callback of a test: the same questions as at a sign-in, and then only the answer is kept.
pub async fn returned(
    request: &HttpRequest,
    broker: &Data<Broker>,
    connection: Option<&str>,
    came: Returned,
) -> HttpResponse {
    let state = came.state.clone();
    // A double click must not spend the code twice.
    let _arriving = broker.arriving.pass(&state).await;
    let result = format!(
        "/console/connections/{}/test-sign-in/{state}",
        came.test.provider_id
    );
    let first = broker.returned.first(&state, broker.clock.now(), login::LIFETIME);
    if first && let Err(problem) = settle(request, broker, connection, came).await {
        return problem.error_response();
    }
    let onward = OnwardPage {
        title: "Your test sign-in is back",
        what: "Its result is in the console.".into(),
        href: result,
        label: "Show the result",
    };
    let mut answer = page::show(&onward);
    add_cookie(&mut answer, cookies::clear(test_login::cookie_name(&state)));
    answer
}

async fn settle(
    request: &HttpRequest,
    broker: &Data<Broker>,
    connection: Option<&str>,
    came: Returned,
) -> Result<(), Problem> {
    let Returned { state, params, test } = came;
    let (id, session, now) = (
        test.administrator_id.clone(),
        test.session_id.clone(),
        broker.clock.now(),
    );
    let who = broker
        .db
        .read(move |conn| by_name(conn, now, &id, &session))
        .await?;
    let (actor, reach) = who.ok_or(Problem::NotFound)?;
    let configured = broker
        .connection_as_it_is(&reach, &test.provider_id)
        .await?
        .ok_or(Problem::NotFound)?;
    let mut found = Found {
        provider_id: test.provider_id.clone(),
        fingerprint: test.fingerprint.clone(),
        at: broker.clock.now(),
        steps: Vec::new(),
        came: None,
        trouble: None,
    };
    let mut granted = None;
    match ask(broker, &configured, connection, &params, &test, &mut found.steps).await {
        Ok(identity) => {
            granted = identity.okta_api.as_ref().map(granted_to);
            found.came = Some(Came::of(identity));
        }
        Err(failure) => found.trouble = Some(Trouble::of(&failure, &configured.provider.settings.label)),
    }
    let ctx = broker.ctx(actor, RequestId::of(request));
    broker
        .db
        .write(move |conn| -> Result<(), Error> {
            refuse_strangers(conn, &mut found)?;
            refuse_by_mapping(conn, &mut found)?;
            let result = serde_json::to_vec(&found).map_err(|cause| StoreError::Lost(cause.to_string()))?;
            let end = TestEnd {
                provider_id: test.provider_id,
                reach,
                fingerprint: test.fingerprint,
                session_id: test.session_id,
                state,
                passed: found.trouble.is_none(),
                cause: found
                    .trouble
                    .map_or_else(|| "signed_in".to_owned(), |trouble| trouble.cause),
                result,
                administrator_id: test.administrator_id,
                granted,
            };
            providers::keep_test(conn, &ctx, end)
        })
        .await?;
    // After the test has been counted: it held for the configuration with the old secret, and does so with the new one.
    broker.settle_secret(&configured, &RequestId::of(request)).await;
    Ok(())
}

/// Who began the test in that session, as the audit log names them, and what they may change now.
fn by_name(
    conn: &mut Conn,
    now: UnixTime,
    id: &str,
    session_id: &str,
) -> Result<Option<(String, Reach)>, StoreError> {
    if let Some(holder) = setup_links::holder_named(conn, now, id, session_id)? {
        return Ok(Some((holder.actor(), holder.rights().changes)));
    }
    let idle = now.plus(-admins::IDLE_SECONDS);
    let Some(session) = admin_session::find_named(conn, id, session_id, now, idle)? else {
        return Ok(None);
    };
    let Some(found) = administrator::find(conn, id)? else {
        return Ok(None);
    };
    let rights = admins::rights(conn, &found, &session)?;
    Ok(rights.map(|rights| (admins::actor(&found), rights.changes)))
}

/// What the upstream says to the callback's parameters.
async fn ask(
    broker: &Broker,
    configured: &Connection,
    connection: Option<&str>,
    params: &Params,
    test: &TestLogin,
    steps: &mut Vec<Step>,
) -> Result<Identity, Failure> {
    let mut note = |passed: bool, detail: String| {
        steps.push(Step {
            name: "callback".into(),
            passed,
            detail,
        });
    };
    let refused = |cause: Cause, detail: &str| Failure::new(cause, detail);
    let expected = (!test.shared_callback).then_some(test.provider_id.as_str());
    if connection != expected || params.repeated().is_some() {
        let detail = "the callback's address or parameters are not those of this test";
        note(false, detail.into());
        return Err(refused(Cause::ConnectionMisconfigured, detail));
    }
    if test.expired(broker.clock.now()) {
        let detail = "the test took longer than five minutes: begin it again";
        note(false, detail.into());
        return Err(refused(Cause::Timeout, detail));
    }
    if let Some(error) = params.get("error") {
        let said = params.get("error_description");
        let detail = format!("{}: {}", plain(error, 60), plain(said.unwrap_or_default(), 300));
        note(false, detail.clone());
        return Err(Failure::new(upstream_error::of_callback(error, said), detail));
    }
    let Some(code) = params.get("code") else {
        let detail = "neither code nor error came back";
        note(false, detail.into());
        return Err(refused(Cause::ResponseMalformed, detail));
    };
    note(true, "a code came back".into());
    let expectation = Expectation {
        redirect_uri: redirect_uri(&broker.public_url, &configured.provider),
        nonce: test.nonce.clone(),
        code_verifier: test.verifier.clone(),
        begun_at: test.started_at,
        max_age: None,
        reauthenticate_since: None,
        acr_values: None,
        keep_sources: false,
        okta_api: ApiAsk::of(&configured.provider.settings),
    };
    broker
        .upstream
        .identity(configured, &expectation, code, params.get("iss"), steps)
        .await
}

/// Whoever belongs to another organisation would be refused at a sign-in.
fn refuse_strangers(conn: &mut Conn, found: &mut Found) -> Result<(), StoreError> {
    let Some(came) = &found.came else { return Ok(()) };
    let Some(provider) = crate::model::provider::find(conn, &found.provider_id)? else {
        return Ok(());
    };
    let proven = match &provider.tenant_id {
        Some(id) => tenant_domain::proven_of_tenant(conn, id)?,
        None => Vec::new(),
    };
    let Some(seen) = organisation::check(&provider.issuer, &came.claims, &proven) else {
        return Ok(());
    };
    found.steps.push(Step {
        name: seen.step.into(),
        passed: seen.passed,
        detail: seen.detail.clone(),
    });
    if !seen.passed {
        let refusal = Refusal::other_organisation(seen.claim);
        found.trouble = Some(Trouble {
            cause: refusal.cause.into(),
            seen: seen.detail,
            remedy: refusal.remedy.into(),
        });
    }
    Ok(())
}

fn granted_to(grant: &ApiGrant) -> Granted {
    Granted {
        scopes: grant.scopes.clone(),
        tokens: Tokens {
            access_token: grant.access_token.to_string(),
            refresh_token: grant.refresh_token.as_ref().map(|token| token.to_string()),
        },
        lasts: grant.lasts,
    }
}

/// A sign-in that the mapping would refuse has not passed either.
fn refuse_by_mapping(conn: &mut Conn, found: &mut Found) -> Result<(), StoreError> {
    let Some(came) = found.came.as_ref().filter(|_| found.trouble.is_none()) else {
        return Ok(());
    };
    let Some(provider) = crate::model::provider::find(conn, &found.provider_id)? else {
        return Ok(());
    };
    let Some(pool) = pool::find(conn, &provider.user_pool_id)? else {
        return Ok(());
    };
    let rules = mapping::current(conn, &provider.id)?.map(|mapping| mapping.rules.0);
    let existing = crate::model::user::find_by_identity(conn, &provider.id, &came.issuer, &came.subject)?;
    let before = existing.as_ref().map(|user| &user.attributes.0);
    let rules = saved(&provider.id, &rules.unwrap_or_default());
    let vouching = tenant_domain::vouching(conn, &provider)?;
    let outcome = apply(&rules, &came.claims, before, &pool, None, &vouching);
    if let Some(refusal) = outcome.refusal {
        found.trouble = Some(Trouble {
            cause: refusal.cause.to_owned(),
            seen: refusal.detail,
            remedy: refusal.remedy,
        });
    }
    Ok(())
}

impl Came {
    fn of(identity: Identity) -> Came {
        Came {
            issuer: identity.issuer,
            subject: identity.subject,
            claims: identity.claims,
            auth_time: identity.auth_time,
            amr: identity.amr,
            acr: identity.acr,
        }
    }
}

fn add_cookie(answer: &mut HttpResponse, cookie: actix_web::cookie::Cookie<'static>) {
    if let Err(cause) = answer.add_cookie(&cookie) {
        tracing::error!(%cause, "a cookie could not be set");
    }
}
