//! The stand-in Okta organisation, for `forebay demo` and for the tests: a small but honest OpenID provider in
//! Okta's shape, with faults as switches.
//!
//! One [`Okta`] is one organisation at one origin. It serves the org authorization server (issuer: the bare
//! origin) and the custom server `default`, a sign-in page, a dashboard with app tiles, and logout. It is
//! meant for loopback: its people and passwords are public. Of what a real organisation does beyond signing in
//! only a little of its API is here (no SCIM, no event hooks), and nothing of Forebay but the clock and the entropy is
//! used, so that an error on the other side cannot hide in shared code.
//!
//! Every handler is a plain function from a `Visit` to a `Reply`; `routes` is the whole route table.

mod api;
mod authorize;
mod authorize_answer;
mod authorize_request;
mod claims;
mod client_auth;
mod directory;
mod discovery;
mod faults;
mod forge;
mod http;
mod keys;
mod logout;
mod pages;
mod routes;
mod sign_in;
mod state;
mod token;
mod token_status;
mod transport;
mod userinfo;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App as WebApp, HttpRequest, HttpServer, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

pub use directory::{App, ClientAuth, CustomServer, PASSWORD, Person, demo_people};
pub use faults::{
    AuthorizeFault, Endpoint, Faults, GroupsFault, IdTokenFault, KeysFault, MetadataFault, OddKey,
    TokenFault, Transport, Trouble, UserinfoFault,
};
pub use http::{Pairs, Seen};

use http::{Reply, Request};
use keys::{Broken, Maker};
use state::State;

use crate::world::{Clock, Entropy, UnixTime};

/// What an organisation is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `acme`.
    pub name: String,
    /// `http://127.0.0.1:8091`, without a slash at the end: the org server's issuer.
    pub origin: String,
    pub clock: Clock,
    pub entropy: Entropy,
    /// Whether `POST /_faults` sets the faults; a browser test needs it, nobody else does.
    pub faults_over_http: bool,
}

/// A stand-in Okta organisation; clones are the same organisation.
#[derive(Clone, Debug)]
pub struct Okta(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    setup: Setup,
    state: Mutex<State>,
}

/// The authorization servers of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The org server, whose issuer is the bare origin.
    Org,
    /// The custom server `default`.
    Default,
}

impl Server {
    /// The issuer, exactly as it stands in tokens.
    pub fn issuer(self, origin: &str) -> String {
        match self {
            Server::Org => origin.to_owned(),
            Server::Default => format!("{origin}/oauth2/default"),
        }
    }

    fn endpoint(self, origin: &str, name: &str) -> String {
        match self {
            Server::Org => format!("{origin}/oauth2/v1/{name}"),
            Server::Default => format!("{origin}/oauth2/default/v1/{name}"),
        }
    }

    fn other(self) -> Server {
        match self {
            Server::Org => Server::Default,
            Server::Default => Server::Org,
        }
    }
}

impl Okta {
    /// An empty, honest organisation that makes its own keys.
    pub fn new(setup: Setup) -> Okta {
        let maker = Maker::Own(setup.entropy.clone());
        Okta::with_keys_from(setup, maker)
    }

    /// The same with keys from the process-wide store for tests, where an organisation's name decides its keys:
    /// quick, repeatable, and no secret at all.
    pub fn for_tests(setup: Setup) -> Okta {
        Okta::with_keys_from(setup, Maker::Shared)
    }

    fn with_keys_from(setup: Setup, maker: Maker) -> Okta {
        let state = Mutex::new(State::new(&setup.name, maker));
        Okta(Arc::new(Inner { setup, state }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a person, in place of one with the same id.
    pub fn add_person(&self, person: Person) {
        let mut state = self.state();
        state.people.retain(|known| known.id != person.id);
        state.people.push(person);
    }

    /// Adds an app integration, in place of one with the same client id.
    pub fn add_app(&self, app: App) {
        let mut state = self.state();
        state.apps.retain(|known| known.client_id != app.client_id);
        state.apps.push(app);
    }

    /// Makes the person with this login an administrator of the organisation.
    pub fn appoint(&self, login: &str) {
        self.state().administrators.push(login.to_owned());
    }

    /// Changes the person with this login, if there is one.
    pub fn change_person(&self, login: &str, change: impl FnOnce(&mut Person)) {
        let mut state = self.state();
        if let Some(person) = state.people.iter_mut().find(|person| person.login == login) {
            change(person);
        }
    }

    /// Changes the app with this client id, if there is one.
    pub fn change_app(&self, client_id: &str, change: impl FnOnce(&mut App)) {
        let mut state = self.state();
        if let Some(app) = state.apps.iter_mut().find(|app| app.client_id == client_id) {
            change(app);
        }
    }

    /// Changes the settings of the authorization server `default`.
    pub fn change_default_server(&self, change: impl FnOnce(&mut CustomServer)) {
        change(&mut self.state().custom);
    }

    /// The faults as they are now.
    pub fn faults(&self) -> Faults {
        self.state().faults.clone()
    }

    /// Changes the faults; takes effect with the next request.
    pub fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        let mut state = self.state();
        change(&mut state.faults);
        state.befallen.clear();
    }

    /// Both servers sign with a new key from now on; the old one stays published or is gone at once.
    pub fn rotate_keys(&self, keep_old: bool) {
        let mut state = self.state();
        for server in [Server::Org, Server::Default] {
            // A key that cannot be made shows at the next signature, with an answer that says so.
            let _ = state.keys(server).rotate(keep_old);
        }
    }

    /// A JWT over any claims, properly signed with the server's current key: for tokens that an organisation
    /// sends of its own accord, such as a logout token. `header` adds to `kid` and `alg`. `None` only when no
    /// key could be made.
    pub fn sign(
        &self,
        server: Server,
        header: &Map<String, Value>,
        claims: &Map<String, Value>,
    ) -> Option<String> {
        let key = self.state().keys(server).current().ok()?;
        let mut whole = json!({"kid": key.kid, "alg": "RS256"});
        whole.as_object_mut()?.extend(header.clone());
        let message = keys::unsigned(&whole, claims);
        let signature = key.sign(&message, jsonwebtoken::Algorithm::RS256).ok()?;
        Some(format!("{message}.{signature}"))
    }

    /// Every request since the start or since [`Okta::forget_requests`], oldest first (the latest 10,000).
    pub fn requests(&self) -> Vec<Seen> {
        self.state().seen.iter().cloned().collect()
    }

    /// Starts the record of requests afresh.
    pub fn forget_requests(&self) {
        self.state().seen.clear();
    }

    /// Ends every session, as if all browsers had forgotten their cookies; grants live on.
    pub fn end_sessions(&self) {
        self.state().sessions.clear();
    }

    /// Issuer of the org authorization server.
    pub fn issuer(&self) -> String {
        Server::Org.issuer(&self.0.setup.origin)
    }

    /// Issuer of the custom authorization server.
    pub fn default_issuer(&self) -> String {
        Server::Default.issuer(&self.0.setup.origin)
    }

    /// Serves the whole organisation in an actix application; it answers every path.
    pub fn configure(&self, config: &mut web::ServiceConfig) {
        let okta = self.clone();
        config.default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
            let okta = okta.clone();
            async move {
                let request = Request::read(&request, &body);
                let befalls = okta.arrive(&request);
                transport::send(okta.0.setup.clock.now(), befalls, || okta.answer(&request)).await
            }
        }));
    }

    /// Serves on the listener until the future is dropped.
    pub async fn serve(&self, listener: std::net::TcpListener) -> std::io::Result<()> {
        let okta = self.clone();
        let server = HttpServer::new(move || WebApp::new().configure(|config| okta.configure(config)))
            .workers(1)
            .shutdown_timeout(0)
            .disable_signals()
            .listen(listener)?
            .run();
        // A dropped actix server would leave its threads accepting; so it runs in a task of its own, and
        // dropping this future tells it to stop.
        let _stop = StopOnDrop(server.handle());
        tokio::spawn(server).await.map_err(std::io::Error::other)?
    }

    /// Records the request and tells what trouble befalls it.
    fn arrive(&self, request: &Request) -> Transport {
        let mut state = self.state();
        if request.path == "/_faults" {
            return Transport::default();
        }
        state.record(Seen::of(request, self.0.setup.clock.now()));
        Endpoint::of(&request.path)
            .map(|endpoint| state.befall(endpoint))
            .unwrap_or_default()
    }

    fn answer(&self, request: &Request) -> Reply {
        let mut state = self.state();
        let faults = state.faults.clone();
        let setup = &self.0.setup;
        let now = setup.clock.now().plus(faults.clock_ahead);
        let mut visit = Visit {
            setup,
            state: &mut state,
            request,
            faults,
            now,
        };
        let request_id = visit.random();
        let reply = routes::route(&mut visit).unwrap_or_else(|reply| reply);
        let reply = reply
            .and_header("x-okta-request-id", request_id)
            .and_header("date", http_date(now));
        match Endpoint::of(&request.path) {
            // Metadata and keys are not rate limited.
            None | Some(Endpoint::Discovery | Endpoint::Organization | Endpoint::Keys) => reply,
            Some(_) => reply
                .and_header("x-rate-limit-limit", "600")
                .and_header("x-rate-limit-remaining", "599")
                .and_header("x-rate-limit-reset", now.plus(60).0.to_string()),
        }
    }
}

/// The organisation's time as HTTP has it (RFC 9110 §5.6.7): who looks at it sees a clock that is wrong.
fn http_date(at: UnixTime) -> String {
    chrono::DateTime::from_timestamp(at.0, 0)
        .unwrap_or_default()
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

struct StopOnDrop(ServerHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        // The command is sent by the call; nobody waits for the end.
        drop(self.0.stop(false));
    }
}

/// One request at the organisation, with all that a handler may look at or change.
struct Visit<'a> {
    setup: &'a Setup,
    state: &'a mut State,
    request: &'a Request,
    faults: Faults,
    now: UnixTime,
}

/// An answer, or an answer found on the way that ends the matter.
type Answer = Result<Reply, Reply>;

impl Visit<'_> {
    fn issuer(&self, server: Server) -> String {
        server.issuer(&self.setup.origin)
    }

    /// 43 unguessable characters.
    fn random(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.setup.entropy.bytes::<32>())
    }

    fn okta_error(&self, status: StatusCode, code: &str, summary: &str) -> Reply {
        let id: String = self
            .random()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(20)
            .collect();
        Reply::okta_error(status, code, summary, &format!("oae{id}"))
    }
}

impl From<Broken> for Reply {
    fn from(broken: Broken) -> Reply {
        Reply::okta_error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "E0000009",
            &broken.to_string(),
            "oaebroken",
        )
    }
}
