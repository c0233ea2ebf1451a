//! The login: what is remembered between authorize and idpresponse. It travels sealed in a cookie of its own, named after
//! the upstream `state`, so that any node can answer, several tabs work, and no visitor can make us store anything.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::access;
use super::authorize::{Authorization, Prompt, ResponseType, ReturnAddress};
use super::redirect_uri;
use super::response::ResponseMode;
use crate::model::client::Client;
use crate::model::provider;
use crate::seal::{Label, Sealer};
use crate::world::UnixTime;

/// A login that has not come back after five minutes is over (as Cognito's).
pub const LIFETIME: i64 = 300;
/// One login's cookie, name and value, in bytes; and all of a browser's together. Browsers silently drop a cookie of
/// more than 4,096 bytes, and proxies refuse long headers.
pub const LARGEST: usize = 2_048;
pub const LARGEST_ALL: usize = 6_144;
/// What a login cookie's name begins with; the upstream `state` follows. `__Host-` keeps sibling hosts from setting it.
pub const COOKIE_PREFIX: &str = "__Host-login-";

/// Members have short names because every byte is in every request of the login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    #[serde(rename = "c")]
    pub client_id: String,
    /// The redirect URI, by the hash of a registered one and, for loopback, the port asked for.
    #[serde(rename = "r")]
    redirect_uri: RedirectRef,
    #[serde(rename = "g")]
    pub redirect_uri_given: bool,
    #[serde(rename = "t")]
    pub response_type: ResponseType,
    #[serde(rename = "m")]
    pub response_mode: ResponseMode,
    #[serde(rename = "o")]
    pub scopes: Vec<String>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<String>,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
    /// The app asked for `prompt=login`.
    #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
    pub reauthenticate: bool,
    /// What the upstream was asked for.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub acr_values: Option<String>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub required_sub: Option<String>,
    /// The connection it went to; the callback must name the same.
    #[serde(rename = "p")]
    pub provider_id: String,
    /// The redirect URI sent to the upstream was the bare, shared callback.
    #[serde(rename = "b", default, skip_serializing_if = "std::ops::Not::not")]
    pub shared_callback: bool,
    #[serde(rename = "N")]
    pub upstream_nonce: String,
    #[serde(rename = "V")]
    pub upstream_verifier: String,
    #[serde(rename = "i")]
    pub started_at: UnixTime,
    /// The domain of a typed address led to the connection; else its button or the app named it.
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    pub by_address: bool,
    /// A tile began it while this user was signed in; somebody else does not take the place unasked.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
    /// Whose sign-in the `login_hint` said it is, as the trace keeps it.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    #[serde(rename = "y", default, skip_serializing_if = "ApiAsk::is_no")]
    pub okta_api: ApiAsk,
    /// `prompt` as the upstream was asked.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub upstream_prompt: Option<String>,
    /// The address that the upstream was told, kept only where it may have to be asked a second time.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
}

/// Whether the upstream was asked for scopes of Okta's own API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApiAsk {
    #[default]
    #[serde(rename = "n")]
    No,
    #[serde(rename = "a")]
    Asked,
    /// It was, refused the whole request over them, and was asked again without.
    #[serde(rename = "r")]
    Refused,
}

impl ApiAsk {
    /// What a login through this connection asks for.
    pub fn of(settings: &provider::Settings) -> ApiAsk {
        match settings.okta_api.is_empty() {
            true => ApiAsk::No,
            false => ApiAsk::Asked,
        }
    }

    fn is_no(&self) -> bool {
        *self == ApiAsk::No
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RedirectRef(
    String,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<String>,
);

/// What the upstream leg adds to a request.
#[derive(Clone, Debug)]
pub struct UpstreamLeg {
    pub provider_id: String,
    pub shared_callback: bool,
    pub nonce: String,
    pub verifier: String,
    pub by_address: bool,
    /// Who is signed in in the browser, where a tile began this.
    pub instead_of: Option<String>,
    pub login_hint: Option<String>,
    /// Hash of the address in `login_hint`.
    pub person_hash: Option<Vec<u8>>,
    pub okta_api: ApiAsk,
}

impl Login {
    pub fn new(client: &Client, request: &Authorization, leg: UpstreamLeg, now: UnixTime) -> Login {
        let registered = redirect_uri::registered(&client.settings, &request.redirect_uri)
            .unwrap_or(&request.redirect_uri);
        let other = (registered != request.redirect_uri).then(|| request.redirect_uri.clone());
        Login {
            client_id: client.id.clone(),
            redirect_uri: RedirectRef(short_hash(registered), other),
            redirect_uri_given: request.redirect_uri_given,
            response_type: request.response_type,
            response_mode: request.response_mode,
            scopes: request.scopes.clone(),
            state: request.state.clone(),
            nonce: request.nonce.clone(),
            code_challenge: request.code_challenge.clone(),
            resource: request.resource.clone(),
            max_age: request.max_age,
            reauthenticate: request.prompt.login,
            acr_values: access::acr_to_ask(&client.settings, request.acr_values.as_deref()),
            required_sub: request.required_sub.clone(),
            provider_id: leg.provider_id,
            shared_callback: leg.shared_callback,
            upstream_nonce: leg.nonce,
            upstream_verifier: leg.verifier,
            started_at: now,
            by_address: leg.by_address,
            instead_of: leg.instead_of,
            person: leg.person_hash.map(|hash| URL_SAFE_NO_PAD.encode(hash)),
            okta_api: leg.okta_api,
            upstream_prompt: upstream_prompt(request.prompt),
            login_hint: leg.login_hint.filter(|_| leg.okta_api == ApiAsk::Asked),
        }
    }

    /// The same login once more, without the scopes of Okta's API. It takes no longer in all than the first one had.
    pub fn without_okta_api(&self, nonce: String, verifier: String) -> Login {
        Login {
            upstream_nonce: nonce,
            upstream_verifier: verifier,
            okta_api: ApiAsk::Refused,
            login_hint: None,
            ..self.clone()
        }
    }

    /// Hash of the address that the app or the login page gave as `login_hint`.
    pub fn person_hash(&self) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(self.person.as_deref()?).ok()
    }

    /// Where answers go, if the client still has that redirect URI registered.
    pub fn return_address(&self, client: &Client) -> Option<ReturnAddress> {
        let RedirectRef(hash, other) = &self.redirect_uri;
        let settings = &client.settings;
        let mut uris = settings
            .redirect_uris
            .iter()
            .chain(&settings.preview_redirect_uris);
        let registered = uris.find(|uri| short_hash(uri) == *hash)?;
        let redirect_uri = match other {
            None => registered,
            Some(uri) if redirect_uri::registered(&client.settings, uri).is_some() => uri,
            Some(_) => return None,
        };
        Some(ReturnAddress {
            redirect_uri: redirect_uri.clone(),
            mode: self.response_mode,
            state: self.state.clone(),
        })
    }

    pub fn expired(&self, now: UnixTime) -> bool {
        !(0..=LIFETIME).contains(&now.since(self.started_at))
    }

    /// The cookie's value; `None` when the login is too large to be remembered, even without the hint.
    pub fn seal(&self, sealer: &Sealer, host: &str, state: &str) -> Option<String> {
        self.sealed(sealer, host, state).or_else(|| {
            self.login_hint.as_ref()?;
            let bare = Login {
                login_hint: None,
                ..self.clone()
            };
            bare.sealed(sealer, host, state)
        })
    }

    fn sealed(&self, sealer: &Sealer, host: &str, state: &str) -> Option<String> {
        let plain = serde_json::to_vec(self).ok()?;
        let name = cookie_name(state);
        let value = URL_SAFE_NO_PAD.encode(sealer.seal(label(host, &name), &plain));
        (name.len() + value.len() < LARGEST).then_some(value)
    }

    /// `None` when the value was altered, belongs to another cookie or host, or is no login.
    pub fn open(sealer: &Sealer, host: &str, state: &str, value: &str) -> Option<Login> {
        let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let plain = sealer.open(label(host, &cookie_name(state)), &sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

/// What the upstream is to ask of the person. Another account is chosen there by its credentials.
fn upstream_prompt(prompt: Prompt) -> Option<String> {
    let login = (prompt.login || prompt.select_account).then_some("login");
    let asked: Vec<&str> = login
        .into_iter()
        .chain(prompt.consent.then_some("consent"))
        .collect();
    (!asked.is_empty()).then(|| asked.join(" "))
}

pub fn cookie_name(state: &str) -> String {
    format!("{COOKIE_PREFIX}{state}")
}

/// The login cookies (state and value) that must go for one of `incoming` bytes to fit: unreadable ones first, then the
/// oldest.
pub fn to_evict(
    cookies: &[(String, String)],
    incoming: usize,
    sealer: &Sealer,
    host: &str,
    now: UnixTime,
) -> Vec<String> {
    let size = |(state, value): &(String, String)| COOKIE_PREFIX.len() + state.len() + value.len();
    let mut total: usize = incoming + cookies.iter().map(size).sum::<usize>();
    let mut by_age: Vec<_> = cookies
        .iter()
        .map(|cookie| {
            let login = Login::open(sealer, host, &cookie.0, &cookie.1).filter(|login| !login.expired(now));
            (login.map(|login| login.started_at), cookie)
        })
        .collect();
    by_age.sort_by_key(|(started, _)| *started);
    let mut evicted = Vec::new();
    for (started, cookie) in by_age {
        if started.is_none() || total > LARGEST_ALL {
            total = total.saturating_sub(size(cookie));
            evicted.push(cookie.0.clone());
        }
    }
    evicted
}

/// `state` as we make them: 22 base64url characters. Anything else never came from us.
pub fn is_state(text: &str) -> bool {
    text.len() == 22
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn label<'a>(host: &'a str, name: &'a str) -> Label<'a> {
    Label {
        purpose: "login",
        scope: host,
        name,
    }
}

fn short_hash(uri: &str) -> String {
    let digest = Sha256::digest(uri.as_bytes());
    URL_SAFE_NO_PAD.encode(&digest[..9])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rules::authorize::{self, LONGEST_NONCE, LONGEST_STATE};
    use crate::rules::params::Params;
    use crate::rules::secret;
    use crate::world::Entropy;

    const HOST: &str = "https://login.example";

    fn sealer() -> Sealer {
        Sealer::new(vec![[7; 32]], Entropy::seeded(1))
    }

    fn client() -> Client {
        use crate::model::client::Settings;
        Client {
            id: "client".into(),
            user_pool_id: "pool".into(),
            name: "App".into(),
            enabled: true,
            settings: crate::db::Json(Settings {
                redirect_uris: vec!["https://app/cb".into(), "http://127.0.0.1/cb".into()],
                scopes: vec!["openid".into()],
                ..Settings::default()
            }),
            created_at: UnixTime(0),
            updated_at: UnixTime(0),
        }
    }

    fn login(query: &str) -> Login {
        login_of(&client(), query)
    }

    fn login_of(client: &Client, query: &str) -> Login {
        let request = authorize::check(&Params::parse(query.as_bytes()).unwrap(), client, &[]).unwrap();
        let leg = UpstreamLeg {
            provider_id: "acme-okta".into(),
            shared_callback: false,
            nonce: secret::short_token(&Entropy::seeded(1)),
            verifier: secret::token(&Entropy::seeded(2)),
            by_address: true,
            instead_of: Some("5e1fb4a2-0000-4000-8000-000000000000".into()),
            login_hint: request.login_hint.clone(),
            person_hash: Some(vec![7; 16]),
            okta_api: ApiAsk::Asked,
        };
        Login::new(client, &request, leg, UnixTime(1_000))
    }

    #[test]
    fn a_login_opens_only_as_what_it_was_sealed_as() {
        let login = login("redirect_uri=https://app/cb&response_type=code&state=s&nonce=n");
        let state = secret::short_token(&Entropy::seeded(3));
        let value = login.seal(&sealer(), HOST, &state).unwrap();
        assert_eq!(Login::open(&sealer(), HOST, &state, &value), Some(login));
        assert_eq!(
            Login::open(&sealer(), HOST, &secret::short_token(&Entropy::seeded(4)), &value),
            None
        );
        assert_eq!(
            Login::open(&sealer(), "https://other.example", &state, &value),
            None
        );
        assert_eq!(Login::open(&sealer(), HOST, &state, &value[1..]), None);
    }

    #[test]
    fn the_longest_state_and_nonce_together_still_fit_into_the_cookie() {
        let query = format!(
            "redirect_uri=https://app/cb&response_type=code&state={}&nonce={}&code_challenge={}&code_challenge_method=S256",
            "s".repeat(LONGEST_STATE),
            "n".repeat(LONGEST_NONCE),
            "c".repeat(43)
        );
        let state = secret::short_token(&Entropy::seeded(3));
        assert!(login(&query).seal(&sealer(), HOST, &state).is_some());
        // A hint is what gives way; where there is room it comes back.
        let hint = |length: usize| format!("&login_hint={}@acme.test", "a".repeat(length));
        let opened = |query: &str| {
            let value = login(query).seal(&sealer(), HOST, &state).unwrap();
            Login::open(&sealer(), HOST, &state, &value).unwrap().login_hint
        };
        assert_eq!(opened(&(query + &hint(240))), None);
        let short = "redirect_uri=https://app/cb&response_type=code".to_owned();
        assert_eq!(opened(&(short + &hint(240))).map(|hint| hint.len()), Some(250));
    }

    #[test]
    fn what_the_upstream_is_to_ask_is_remembered_in_its_words() {
        for (prompt, expected) in [
            ("", None),
            ("login", Some("login")),
            ("select_account", Some("login")),
            ("consent", Some("consent")),
            ("select_account%20consent", Some("login consent")),
        ] {
            let login = login(&format!(
                "redirect_uri=https://app/cb&response_type=code&prompt={prompt}"
            ));
            assert_eq!(login.upstream_prompt.as_deref(), expected, "{prompt}");
            let again = login.without_okta_api("n".into(), "v".into());
            assert_eq!(again.upstream_prompt.as_deref(), expected, "{prompt}");
        }
    }

    #[test]
    fn the_way_back_is_open_only_while_the_uri_is_registered() {
        let mut client = client();
        let web = login("redirect_uri=https://app/cb&response_type=code");
        client.settings.public = true;
        let native = login_of(
            &client,
            &format!(
                "redirect_uri=http://127.0.0.1:51004/cb&response_type=code&code_challenge={}&code_challenge_method=S256",
                "c".repeat(43)
            ),
        );
        assert_eq!(
            web.return_address(&client).unwrap().redirect_uri,
            "https://app/cb"
        );
        assert_eq!(
            native.return_address(&client).unwrap().redirect_uri,
            "http://127.0.0.1:51004/cb"
        );
        client.settings.redirect_uris.clear();
        assert_eq!(web.return_address(&client), None);
        assert_eq!(native.return_address(&client), None);
    }

    #[test]
    fn the_oldest_logins_give_way_and_unreadable_ones_first() {
        let sealer = sealer();
        let mut cookies: Vec<(String, String)> = (0..20)
            .map(|age| {
                let state = secret::short_token(&Entropy::seeded(age));
                let mut login = login("redirect_uri=https://app/cb&response_type=code");
                login.started_at = UnixTime(1_000 + i64::try_from(age).unwrap());
                let value = login.seal(&sealer, HOST, &state).unwrap();
                (state, value)
            })
            .collect();
        cookies.push(("garbage".into(), "x".into()));
        let evicted = to_evict(&cookies, 600, &sealer, HOST, UnixTime(1_100));
        assert_eq!(evicted.first().map(String::as_str), Some("garbage"));
        assert!(evicted.len() < cookies.len(), "some stay");
        assert_eq!(evicted[1], cookies[0].0, "the oldest goes first");
        let left: usize = cookies
            .iter()
            .filter(|cookie| !evicted.contains(&cookie.0))
            .map(|cookie| COOKIE_PREFIX.len() + cookie.0.len() + cookie.1.len())
            .sum();
        assert!(left + 600 <= LARGEST_ALL);
        assert_eq!(
            to_evict(&cookies[19..20], 600, &sealer, HOST, UnixTime(1_100)),
            Vec::<String>::new()
        );
        assert_eq!(
            to_evict(&cookies[19..20], 600, &sealer, HOST, UnixTime(9_999)).len(),
            1,
            "expired ones go"
        );
    }
}
