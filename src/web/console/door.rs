//! Who comes in: the session cookie of the console, the administrator and rights behind it, and the CSRF token without
//! which no form of ours is taken (MUST 138).

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::web::{self, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};

use super::connect;
use super::problem::Problem;
use crate::actions::setup_links::Holder;
use crate::actions::{Ctx, admins, setup_links};
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::StoreError;
use crate::model::admin_session::{self, AdminSession};
use crate::model::administrator::{self, Administrator, Rights};
use crate::model::reach::Reach;
use crate::rules::params::Params;
use crate::rules::{multipart, secret};
use crate::seal::Sealer;
use crate::web::cookies::Cookies;
use crate::web::headers::RequestId;
use crate::world::UnixTime;

/// The cookie of the console's session.
pub const COOKIE: &str = "__Host-console";
/// How long a proof of who one is lets secrets be set and things be deleted.
pub const FRESH_SECONDS: i64 = 10 * 60;
/// The hidden field of every form.
pub const CSRF_FIELD: &str = "csrf";
/// The longest form, in bytes: a mapping with its sample claims is the largest.
pub const LONGEST_FORM: usize = 262_144;
/// The most fields of a form.
const MOST_FIELDS: usize = 4_000;

/// The administrator who sends the request.
#[derive(Clone, Debug)]
pub struct Admin {
    pub administrator: Administrator,
    pub rights: Rights,
    pub session: AdminSession,
    /// What forms must bring back.
    pub csrf: String,
    pub request_id: String,
    /// The set-up link by which they are here, and what of them above is only for show: nobody with an account.
    pub set_up: Option<Holder>,
}

impl Admin {
    /// What may be looked at.
    pub fn sees(&self) -> &Reach {
        &self.rights.sees
    }

    /// What may be changed.
    pub fn changes(&self) -> &Reach {
        &self.rights.changes
    }

    /// The context of an action by this administrator.
    pub fn ctx(&self, broker: &Broker) -> Ctx {
        let actor = match &self.set_up {
            Some(holder) => holder.actor(),
            None => admins::actor(&self.administrator),
        };
        broker.ctx(actor, self.request_id.clone())
    }

    /// Whether the administrator has proved who they are a moment ago. Whoever came by a set-up link has no other proof than
    /// that, and comes to nothing but drafts.
    pub fn is_fresh(&self, now: UnixTime) -> bool {
        self.set_up.is_some() || self.session.authenticated_at.plus(FRESH_SECONDS) > now
    }

    /// Before secrets and deletions: proved a moment ago, or asked to prove it and led back to `path`.
    pub fn require_fresh(&self, now: UnixTime, path: &str) -> Result<(), Problem> {
        if self.is_fresh(now) {
            Ok(())
        } else {
            Err(Problem::ProveYourself {
                next: path.to_owned(),
            })
        }
    }

    /// Before settings of the installation.
    pub fn require_operator(&self) -> Result<(), Problem> {
        if self.rights.operates {
            Ok(())
        } else {
            Err(Problem::NotFound)
        }
    }
}

/// The session and the administrator behind a cookie's value, if both are alive.
pub fn look_up(
    conn: &mut Conn,
    now: UnixTime,
    token: &str,
) -> Result<Option<(AdminSession, Administrator, Rights)>, StoreError> {
    let idle = now.plus(-admins::IDLE_SECONDS);
    let Some(session) = admin_session::find(conn, &secret::hash(token), now, idle)? else {
        return Ok(None);
    };
    let Some(administrator) = administrator::find(conn, &session.administrator_id)? else {
        return Ok(None);
    };
    let rights = admins::rights(conn, &administrator, &session)?;
    Ok(rights.map(|rights| (session, administrator, rights)))
}

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        // A form can be held back on its way: rights and freshness are those of the moment when it is there.
        let arrived = (request.method() == Method::POST).then(|| fields(&request, payload));
        Box::pin(async move {
            if let Some(arrived) = arrived {
                // What is wrong with the form is said by whoever takes it.
                let _ = arrived.await;
            }
            let broker = request
                .app_data::<Data<Broker>>()
                .cloned()
                .ok_or(Problem::NotFound)?;
            let signed_out = || Problem::SignIn {
                next: request
                    .uri()
                    .path_and_query()
                    .map(|path| path.to_string())
                    .filter(|_| request.method() == Method::GET),
            };
            let token = Cookies::of(&request)
                .ok()
                .and_then(|cookies| cookies.get(COOKIE).map(str::to_owned))
                .ok_or_else(signed_out)?;
            let now = broker.clock.now();
            let (wanted, path) = (token.clone(), request.path().to_owned());
            let found = broker
                .db
                .read(move |conn| -> Result<_, StoreError> {
                    if let Some(known) = look_up(conn, now, &wanted)? {
                        return Ok(Some(Known::Administrator(Box::new(known))));
                    }
                    let Some(holder) = setup_links::holder(conn, now, &wanted)? else {
                        return Ok(None);
                    };
                    let admitted = connect::admitted(conn, &holder, &path)?;
                    Ok(Some(Known::SetUp(Box::new(holder), admitted)))
                })
                .await
                .map_err(Problem::Store)?;
            let (session, administrator, rights) = match found.ok_or_else(signed_out)? {
                Known::Administrator(known) => *known,
                Known::SetUp(holder, admitted) => {
                    admitted.or_else_problem()?;
                    return connect::admin(&broker, &request, *holder, &token).await;
                }
            };
            if session.last_seen_at.plus(60) <= now {
                let (hash, id) = (session.hash.clone(), administrator.id.clone());
                broker
                    .db
                    .write(move |conn| {
                        admin_session::touch(conn, &hash, now)?;
                        Ok::<_, StoreError>(administrator::touch(conn, &id, now)?)
                    })
                    .await
                    .map_err(Problem::Store)?;
            }
            Ok(Admin {
                csrf: csrf(&broker.sealer, &token),
                administrator,
                rights,
                session,
                request_id: RequestId::of(&request),
                set_up: None,
            })
        })
    }
}

/// Whose the cookie is.
enum Known {
    Administrator(Box<(AdminSession, Administrator, Rights)>),
    SetUp(Box<Holder>, connect::Admitted),
}

/// The token that the forms of a session carry: only we can compute it, and only from the cookie.
pub fn csrf(sealer: &Sealer, token: &str) -> String {
    sealer
        .derive("console-csrf", token.as_bytes())
        .next()
        .map(|mac| URL_SAFE_NO_PAD.encode(mac))
        .unwrap_or_default()
}

/// The fields of a POST whose CSRF token is the session's own.
#[derive(Clone, Debug)]
pub struct Form(pub Params);

impl Form {
    /// The field's value without the blanks around it, '' when it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_default().trim()
    }

    pub fn is_checked(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// The lines of a text area, blank ones left out.
    pub fn lines(&self, name: &str) -> Vec<String> {
        self.text(name)
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

impl std::ops::Deref for Form {
    type Target = Params;

    fn deref(&self) -> &Params {
        &self.0
    }
}

impl FromRequest for Form {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let form = read(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let (broker, params) = form.await?;
            let token = Cookies::of(&request)
                .ok()
                .and_then(|cookies| cookies.get(COOKIE).map(str::to_owned))
                .ok_or(Problem::SignIn { next: None })?;
            if is_ours(&params, &csrf(&broker.sealer, &token)) {
                Ok(Form(params))
            } else {
                Err(Problem::Forged)
            }
        })
    }
}

/// A request's fields, or why they cannot be read: read once, whoever waits for them.
type Fields = Shared<LocalBoxFuture<'static, Result<Rc<Params>, &'static str>>>;

/// The fields that the request brings, once all of them are there.
fn fields(request: &HttpRequest, payload: &mut Payload) -> Fields {
    let known = request.extensions().get::<Fields>().cloned();
    known.unwrap_or_else(|| {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let boundary = kind
            .and_then(|kind| kind.to_str().ok())
            .and_then(multipart::boundary)
            .map(str::to_owned);
        let body = web::Payload::from_request(request, payload);
        let arriving = async move {
            let body = body.await.map_err(|_| "the form cannot be read")?;
            let body = match body.to_bytes_limited(LONGEST_FORM).await {
                Ok(Ok(body)) => body,
                Ok(Err(_)) => return Err("the form did not arrive whole"),
                Err(_) => return Err("the form is too long"),
            };
            let params = match boundary {
                Some(boundary) => multipart::parse(&boundary, &body, MOST_FIELDS),
                None => Params::parse_within(&body, LONGEST_FORM, MOST_FIELDS),
            };
            params.map(Rc::new).map_err(|malformed| malformed.0)
        };
        let fields = arriving.boxed_local().shared();
        request.extensions_mut().insert(fields.clone());
        fields
    })
}

/// The fields of a form that some page of ours sent; which one, its token must tell.
pub(super) fn read(
    request: &HttpRequest,
    payload: &mut Payload,
) -> impl Future<Output = Result<(Data<Broker>, Params), Problem>> + use<> {
    let arrived = fields(request, payload);
    let request = request.clone();
    async move {
        let broker = request
            .app_data::<Data<Broker>>()
            .cloned()
            .ok_or(Problem::NotFound)?;
        let params = arrived.await.map_err(Problem::Malformed)?;
        if same_origin(&request, &broker.public_url) {
            Ok((broker, Params::clone(&params)))
        } else {
            Err(Problem::Forged)
        }
    }
}

/// Whether the form carries this token.
pub(super) fn is_ours(params: &Params, token: &str) -> bool {
    let came = params.get(CSRF_FIELD).unwrap_or_default();
    secret::equal(token.as_bytes(), came.as_bytes())
}

/// Browsers say where a form came from; one that says nothing is judged by the token alone.
fn same_origin(request: &HttpRequest, public_url: &str) -> bool {
    let origin = request.headers().get(header::ORIGIN);
    let site = request.headers().get("sec-fetch-site");
    origin.is_none_or(|origin| origin.as_bytes() == public_url.as_bytes())
        && site.is_none_or(|site| site.as_bytes() == b"same-origin")
}

/// The session's cookie; it ends with the browser's own session or ours, whichever is sooner.
pub fn cookie(token: &str) -> Cookie<'static> {
    Cookie::build(COOKIE, token.to_owned())
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .finish()
}

/// The session's cookie, ended.
pub fn cleared() -> Cookie<'static> {
    let mut cookie = cookie("");
    cookie.set_max_age(actix_web::cookie::time::Duration::ZERO);
    cookie
}
