//! What an organisation remembers: the directory, sessions, sign-ins under way, codes, tokens, and what it has
//! been asked. All of it in memory and gone with the process; what has expired is dropped as new things come.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::Server;
use super::authorize_request::Authorization;
use super::directory::{App, CustomServer, Person};
use super::faults::{Endpoint, Faults, Transport};
use super::http::Seen;
use super::keys::{KeyRing, Maker};
use crate::world::UnixTime;

/// How many requests are remembered.
const SEEN_LIMIT: usize = 10_000;
/// Okta's browser session.
pub const SESSION_SECONDS: i64 = 2 * 3600;
/// How long a sign-in page stays good.
pub const SIGN_IN_SECONDS: i64 = 3600;
/// An authorization code: once, within five minutes.
pub const CODE_SECONDS: i64 = 300;
/// ID and access tokens.
pub const TOKEN_SECONDS: i64 = 3600;
/// Refresh tokens.
pub const REFRESH_SECONDS: i64 = 90 * 24 * 3600;

#[derive(Debug)]
pub struct State {
    pub people: Vec<Person>,
    pub apps: Vec<App>,
    /// Logins of those who may read the organisation's configuration by its API.
    pub administrators: Vec<String>,
    pub custom: CustomServer,
    pub sessions: HashMap<String, Session>,
    pub sign_ins: HashMap<String, SignIn>,
    pub codes: HashMap<String, Code>,
    pub access_tokens: HashMap<String, Grant>,
    pub refresh_tokens: HashMap<String, Grant>,
    /// Client assertions that were used, by client and `jti`, until they expire.
    pub assertions: HashMap<(String, String), UnixTime>,
    pub faults: Faults,
    /// How often a limited trouble has struck already.
    pub befallen: BTreeMap<Endpoint, u32>,
    pub seen: VecDeque<Seen>,
    org_keys: KeyRing,
    default_keys: KeyRing,
}

/// A browser session.
#[derive(Clone, Debug)]
pub struct Session {
    pub person_id: String,
    pub auth_time: UnixTime,
    pub expires: UnixTime,
}

/// An authorize request that waits for a person.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub authorization: Authorization,
    pub expires: UnixTime,
}

/// An authorization code's meaning.
#[derive(Clone, Debug)]
pub struct Code {
    pub authorization: Authorization,
    pub person_id: String,
    pub auth_time: UnixTime,
    pub expires: UnixTime,
}

/// What an access or refresh token stands for.
#[derive(Clone, Debug)]
pub struct Grant {
    /// All that descends from one sign-in at one app.
    pub family: String,
    pub server: Server,
    pub client_id: String,
    pub person_id: String,
    pub scopes: Vec<String>,
    pub auth_time: UnixTime,
    pub acr: Option<String>,
    pub issued: UnixTime,
    pub expires: UnixTime,
    /// A refresh token that was exchanged for its successor.
    pub spent: bool,
}

impl State {
    pub fn new(name: &str, maker: Maker) -> State {
        State {
            people: Vec::new(),
            apps: Vec::new(),
            administrators: Vec::new(),
            custom: CustomServer::default(),
            sessions: HashMap::new(),
            sign_ins: HashMap::new(),
            codes: HashMap::new(),
            access_tokens: HashMap::new(),
            refresh_tokens: HashMap::new(),
            assertions: HashMap::new(),
            faults: Faults::default(),
            befallen: BTreeMap::new(),
            seen: VecDeque::new(),
            org_keys: KeyRing::new(maker.clone(), format!("{name}/org")),
            default_keys: KeyRing::new(maker, format!("{name}/default")),
        }
    }

    pub fn keys(&mut self, server: Server) -> &mut KeyRing {
        match server {
            Server::Org => &mut self.org_keys,
            Server::Default => &mut self.default_keys,
        }
    }

    pub fn person(&self, id: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.id == id)
    }

    /// Okta compares usernames without case.
    pub fn person_by_login(&self, login: &str) -> Option<&Person> {
        let login = login.trim().to_lowercase();
        self.people
            .iter()
            .find(|person| person.login.to_lowercase() == login)
    }

    pub fn app(&self, client_id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.client_id == client_id)
    }

    pub fn record(&mut self, seen: Seen) {
        if self.seen.len() == SEEN_LIMIT {
            self.seen.pop_front();
        }
        self.seen.push_back(seen);
    }

    /// What befalls a request of this endpoint; counts it.
    pub fn befall(&mut self, endpoint: Endpoint) -> Transport {
        let Some(transport) = self.faults.transport.get(&endpoint) else {
            return Transport::default();
        };
        if let Some(times) = transport.times {
            let count = self.befallen.entry(endpoint).or_default();
            if *count >= times {
                return Transport::default();
            }
            *count += 1;
        }
        transport.clone()
    }

    /// Ends every token of a family.
    pub fn end_family(&mut self, family: &str) {
        self.access_tokens.retain(|_, grant| grant.family != family);
        self.refresh_tokens.retain(|_, grant| grant.family != family);
    }

    /// Drops what has expired.
    pub fn tidy(&mut self, now: UnixTime) {
        self.sessions.retain(|_, session| session.expires > now);
        self.sign_ins.retain(|_, sign_in| sign_in.expires > now);
        self.codes.retain(|_, code| code.expires > now);
        self.access_tokens.retain(|_, grant| grant.expires > now);
        self.refresh_tokens.retain(|_, grant| grant.expires > now);
        self.assertions.retain(|_, expires| *expires > now);
    }
}
