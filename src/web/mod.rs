//! The HTTP surfaces. This is the whole route table; production and tests build the service through [`routes`].

pub mod assets;
pub mod bearer;
mod body;
pub mod console;
pub mod cookies;
mod domains;
mod drain;
mod guards;
pub mod headers;
mod health;
pub mod management;
pub mod metrics;
pub mod oidc;
pub mod pages;
mod peer;

use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::guard::{Guard, fn_guard};
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, Error, HttpMessage, HttpRequest, HttpResponse, HttpServer};

use crate::broker::{Broker, Document, PoolFacts};
use crate::metrics::Route;
use crate::rules::discovery::paths;

/// The service as production runs it and tests call it.
pub fn app(
    broker: Data<Broker>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let largest_body = guards::LARGEST_BODY.min(broker.guards.largest_body);
    App::new()
        .app_data(broker)
        .app_data(web::PayloadConfig::new(largest_body))
        .wrap(from_fn(domains::route))
        .wrap(from_fn(headers::apply))
        .configure(routes)
}

/// Serves on a listening socket until the returned server is stopped or dropped; SIGTERM and SIGINT finish what is under
/// way for at most 30 seconds.
pub fn serve(broker: Data<Broker>, listener: TcpListener, workers: usize) -> std::io::Result<Server> {
    let (workers, connections) = (workers.max(1), broker.guards.connections as usize);
    let (seating, stopping) = (broker.clone(), broker.clone());
    let server = HttpServer::new(move || app(broker.clone()))
        .workers(workers)
        .max_connections(connections.div_ceil(workers))
        .on_connect(move |connection, data| guards::sit(&seating, connection, data))
        .shutdown_signal(drain::told(stopping))
        .client_request_timeout(Duration::from_secs(5))
        .client_disconnect_timeout(Duration::from_secs(2))
        .keep_alive(Duration::from_secs(75))
        .shutdown_timeout(30)
        .listen(listener)?
        .run();
    Ok(server)
}

/// Every route. The application data must hold a `web::Data<Broker>`.
pub fn routes(cfg: &mut ServiceConfig) {
    // Fixed paths first: they are compared as text, the others with an expression each, in this order.
    cfg.service(resource("/healthz").document(health::live))
        .service(resource("/readyz").document(health::ready))
        // Cognito's management API
        .service(
            resource("/")
                .post(management::post)
                .options(management::wire::preflight),
        )
        // OpenID Connect, with Cognito's names
        .service(
            resource(paths::AUTHORIZE)
                .get(oidc::authorize::get)
                .post(oidc::authorize::post),
        )
        .service(
            resource(paths::LOGIN)
                .get(oidc::login_page::get)
                .post(oidc::login_page::post),
        )
        .service(resource(paths::LOGIN_PASSWORD).post(oidc::password_form::sign_in))
        .service(resource(paths::NEW_PASSWORD).post(oidc::password_form::new_password))
        .service(
            resource(paths::START_LOGIN)
                .get(oidc::start_login::get)
                .post(oidc::start_login::post),
        )
        .service(
            resource(paths::TOKEN)
                .post(oidc::token::post)
                .options(oidc::cors::preflight),
        )
        .service(
            resource(paths::USERINFO)
                .get(oidc::userinfo::get)
                .post(oidc::userinfo::post)
                .options(oidc::cors::preflight),
        )
        .service(
            resource(paths::REVOKE)
                .post(oidc::revoke::post)
                .options(oidc::cors::preflight),
        )
        .service(resource(paths::REGISTER).post(oidc::register::post))
        .service(
            resource(paths::LOGOUT)
                .get(oidc::logout::get)
                .post(oidc::logout::post),
        )
        .service(resource("/logout/idpresponse").get(oidc::logout::returned))
        .service(
            resource(paths::IDPRESPONSE)
                .get(oidc::idpresponse::bare)
                .post(oidc::idpresponse::posted),
        )
        .service(
            resource("/login/callback")
                .get(oidc::idpresponse::bare)
                .post(oidc::idpresponse::posted),
        )
        .service(
            resource("/authorization-code/callback")
                .get(oidc::idpresponse::bare)
                .post(oidc::idpresponse::posted),
        )
        // On a pool's own host the pool need not be named.
        .service(
            resource("/.well-known/openid-configuration")
                .document(oidc::well_known::configuration_here)
                .options(oidc::cors::preflight),
        )
        .service(
            resource("/.well-known/jwks.json")
                .document(oidc::well_known::jwks_here)
                .options(oidc::cors::preflight),
        )
        .service(resource("/error").document(oidc::error::page))
        .configure(|cfg| {
            document_of_pool(cfg, "/.well-known/openid-configuration", |pool| {
                &pool.configuration
            });
            document_of_pool(cfg, "/.well-known/jwks.json", |pool| &pool.jwks);
        })
        .service(
            resource("/oauth2/idpresponse/{connection}")
                .get(oidc::idpresponse::named)
                .post(oidc::idpresponse::posted),
        )
        .service(resource("/logout/idpresponse/{connection}").get(oidc::logout::returned))
        .service(
            resource("/oauth2/register/{client}")
                .get(oidc::register::get)
                .delete(oidc::register::delete),
        )
        .service(resource("/login/style/{client}/{file}").document(oidc::login_style::get))
        .service(resource("/login/style/{client}/{tenant}/{file}").document(oidc::login_style::of_tenant))
        .service(
            resource("/.well-known/oauth-authorization-server/{pool}")
                .document(oidc::well_known::oauth_metadata)
                .options(oidc::cors::preflight),
        )
        .service(
            resource("/{pool}/.well-known/oauth-authorization-server")
                .document(oidc::well_known::oauth_metadata)
                .options(oidc::cors::preflight),
        )
        .configure(assets::configure)
        .configure(console::routes)
        .default_service(web::to(oidc::error::not_found));
}

/// A path with its methods; every other method is answered 405 with `Allow`. HEAD is answered where GET changes nothing: a
/// code, a session or a sign-out is not made for somebody who does not look at the answer.
fn resource(path: &str) -> Methods {
    Methods {
        resource: web::resource(path).guard(noting(path)),
        allowed: Vec::new(),
    }
}

/// A document at `/{pool}` and this ending. Every relying party asks for these again and again, so they are known by how they
/// end: the router would try one expression after the other.
fn document_of_pool(cfg: &mut ServiceConfig, ending: &'static str, document: fn(&PoolFacts) -> &Document) {
    let ends_so = fn_guard(move |context| {
        let pool = context.head().uri.path().strip_suffix(ending);
        pool.and_then(|path| path.strip_prefix('/'))
            .is_some_and(|pool| !pool.is_empty() && !pool.contains('/'))
    });
    let answer = move |request: HttpRequest, broker: Data<Broker>| async move {
        match *request.method() {
            Method::GET | Method::HEAD => oidc::well_known::of_named_pool(&request, &broker, document).await,
            Method::OPTIONS => oidc::cors::preflight().await,
            _ => not_allowed("GET, HEAD, OPTIONS"),
        }
    };
    let path = format!("/{{pool}}{ending}");
    let scope = web::scope("").guard(ends_so).guard(noting(&path));
    // In the table of routes it stands like every other.
    cfg.external_resource(&path, &path)
        .service(scope.default_service(web::to(answer)));
}

/// Notes which route a request is for: the router has just found it, and would search anew if it were asked.
fn noting(path: &str) -> impl Guard + use<> {
    let route = Rc::new(Route::new(path));
    fn_guard(move |context| {
        context.req_data_mut().insert(route.clone());
        true
    })
}

/// The route that a request was for, if it was for any.
fn route_of(request: &HttpRequest) -> Option<Rc<Route>> {
    let noted = request.extensions().get::<Rc<Route>>().cloned();
    noted.or_else(|| Some(Rc::new(Route::new(&request.match_pattern()?))))
}

struct Methods {
    resource: actix_web::Resource,
    allowed: Vec<&'static str>,
}

macro_rules! method {
    ($name:ident, $verb:literal) => {
        fn $name<F, Args>(mut self, handler: F) -> Methods
        where
            F: actix_web::Handler<Args>,
            Args: actix_web::FromRequest + 'static,
            F::Output: actix_web::Responder + 'static,
        {
            self.resource = self.resource.route(web::$name().to(handler));
            self.allowed.push($verb);
            self
        }
    };
}

impl Methods {
    method!(get, "GET");
    method!(post, "POST");
    method!(delete, "DELETE");

    /// GET and HEAD of what only shows something.
    fn document<F, Args>(mut self, handler: F) -> Methods
    where
        F: actix_web::Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: actix_web::Responder + 'static,
    {
        self.resource = self
            .resource
            .route(web::get().to(handler.clone()))
            .route(web::head().to(handler));
        self.allowed.extend(["GET", "HEAD"]);
        self
    }

    fn options<F, Args>(mut self, handler: F) -> Methods
    where
        F: actix_web::Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: actix_web::Responder + 'static,
    {
        let route = web::method(actix_web::http::Method::OPTIONS).to(handler);
        self.resource = self.resource.route(route);
        self.allowed.push("OPTIONS");
        self
    }
}

fn not_allowed(allow: &str) -> HttpResponse {
    HttpResponse::MethodNotAllowed()
        .insert_header(("Allow", allow))
        .finish()
}

impl actix_web::dev::HttpServiceFactory for Methods {
    fn register(self, config: &mut actix_web::dev::AppService) {
        let allow = self.allowed.join(", ");
        let refuse = move |_: HttpRequest| {
            let allow = allow.clone();
            async move { not_allowed(&allow) }
        };
        self.resource.default_service(web::to(refuse)).register(config);
    }
}
