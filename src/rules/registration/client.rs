//! App clients as they may be registered: flows, scopes, URIs, providers and lifetimes that fit together.

use super::uri;
use crate::error::Error;
use crate::model::client::{Flow, Settings};
use crate::model::pool;
use crate::model::resource_server::ResourceServer;
use crate::rules::{access, contract, scope};

/// No access or ID token lives longer.
pub const LONGEST_TOKEN_SECONDS: i64 = 86_400;

/// The provider name that stands for the pool's native users.
pub const NATIVE: &str = "COGNITO";

/// Cognito's ranges in seconds, ends included.
const ACCESS_AND_ID: std::ops::RangeInclusive<i64> = 300..=LONGEST_TOKEN_SECONDS;
const REFRESH: std::ops::RangeInclusive<i64> = 3600..=315_360_000;
const GRACE: std::ops::RangeInclusive<i64> = 0..=60;
const MOST_SCOPES: usize = 50;
const MOST_PREVIEWS: usize = 20;

/// What a client's settings must agree with.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The client has a secret.
    pub confidential: bool,
    pub pool: &'a pool::Settings,
    /// Names of the pool's providers.
    pub providers: &'a [String],
    pub servers: &'a [ResourceServer],
}

/// Takes out what is there twice; order stays.
pub fn tidy(settings: &mut Settings) {
    fn once<T: PartialEq>(list: &mut Vec<T>) {
        let mut seen = Vec::with_capacity(list.len());
        for item in list.drain(..) {
            if !seen.contains(&item) {
                seen.push(item);
            }
        }
        *list = seen;
    }
    once(&mut settings.redirect_uris);
    once(&mut settings.preview_redirect_uris);
    once(&mut settings.logout_uris);
    once(&mut settings.flows);
    once(&mut settings.scopes);
    once(&mut settings.providers);
    once(&mut settings.requires_acr);
}

/// Whether a client with these settings may be registered.
pub fn settings(settings: &Settings, around: Surroundings<'_>) -> Result<(), Error> {
    uri::list("redirect_uris", &settings.redirect_uris)?;
    uri::list("logout_uris", &settings.logout_uris)?;
    if let Some(default) = &settings.default_redirect_uri
        && !settings.redirect_uris.contains(default)
    {
        return Err(Error::invalid(
            "default_redirect_uri",
            "must be one of the redirect URIs",
        ));
    }
    if let Some(start) = &settings.initiate_login_uri {
        uri::list("initiate_login_uri", std::slice::from_ref(start))?;
    }
    let wrong = contract::mistakes(&settings.contract);
    if !wrong.is_empty() {
        let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        return Err(Error::invalid("contract", wrong.join("; ")));
    }
    access::check_settings(settings, around.pool)?;
    previews(settings, around.pool)?;
    flows(settings, around.confidential)?;
    scopes(settings, around.servers)?;
    for name in &settings.providers {
        if name != NATIVE && !around.providers.contains(name) {
            return Err(Error::invalid(
                "providers",
                format!("the pool has no identity provider '{name}'"),
            ));
        }
    }
    attributes(settings, around.pool)?;
    lifetimes(settings)
}

/// A host that nobody knows beforehand is nobody's in particular: only PKCE ties a code to the app that asked for it, and
/// nothing ties an implicit token (RFC 9700 §2.1).
fn previews(settings: &Settings, pool: &pool::Settings) -> Result<(), Error> {
    let refuse = |why: String| Err(Error::invalid("preview_redirect_uris", why));
    if settings.preview_redirect_uris.is_empty() {
        return Ok(());
    }
    if settings.preview_redirect_uris.len() > MOST_PREVIEWS {
        return refuse(format!("at most {MOST_PREVIEWS}"));
    }
    if !settings.non_production {
        return refuse("are for clients that are no production app: say so (non_production)".into());
    }
    if !settings.public && !settings.require_pkce {
        return refuse("need PKCE: require it (require_pkce)".into());
    }
    if settings.flows.contains(&Flow::Implicit) {
        return refuse("cannot go with the flow implicit".into());
    }
    for pattern in &settings.preview_redirect_uris {
        if let Err(why) = uri::preview(pattern, &pool.preview_suffixes) {
            return refuse(format!("'{}' {why}", pattern.escape_debug()));
        }
    }
    Ok(())
}

fn flows(settings: &Settings, confidential: bool) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::invalid("flows", why));
    let machine = settings.flows.contains(&Flow::ClientCredentials);
    if machine && settings.flows.len() > 1 {
        return refuse("client_credentials stands alone: register a second client for people");
    }
    if machine && settings.token_exchange {
        return Err(Error::invalid(
            "token_exchange",
            "is of apps with people, and client_credentials stands alone: register a second client for people",
        ));
    }
    if machine && !confidential {
        return refuse("client_credentials needs a client secret");
    }
    let people = settings.flows.contains(&Flow::Code) || settings.flows.contains(&Flow::Implicit);
    if people && settings.redirect_uris.is_empty() && settings.preview_redirect_uris.is_empty() {
        return Err(Error::invalid(
            "redirect_uris",
            "the flows code and implicit need at least one",
        ));
    }
    if (!settings.flows.is_empty() || settings.token_exchange) && settings.scopes.is_empty() {
        return Err(Error::invalid("scopes", "the flows need at least one scope"));
    }
    Ok(())
}

fn scopes(settings: &Settings, servers: &[ResourceServer]) -> Result<(), Error> {
    let refuse = |why: String| Err(Error::invalid("scopes", why));
    if settings.scopes.len() > MOST_SCOPES {
        return refuse(format!("at most {MOST_SCOPES}"));
    }
    let machine = settings.flows.contains(&Flow::ClientCredentials);
    for name in &settings.scopes {
        if !scope::exists(name, servers) {
            return refuse(format!(
                "the pool has no scope '{name}': the standard ones are {}, others are <resource server>/<scope>",
                scope::STANDARD.join(", ")
            ));
        }
        if machine && scope::is_standard(name) {
            return refuse(format!(
                "'{name}' speaks of a user, and client_credentials has none: give it scopes of a resource server"
            ));
        }
    }
    Ok(())
}

fn attributes(settings: &Settings, pool: &pool::Settings) -> Result<(), Error> {
    let known = |name: &str| name == "sub" || pool.attribute(name).is_some();
    let lists = [
        ("read_attributes", &settings.read_attributes),
        ("write_attributes", &settings.write_attributes),
    ];
    for (field, names) in lists {
        for name in names.iter().flatten() {
            if !known(name) {
                return Err(Error::invalid(
                    field,
                    format!("user.{name}: Attribute does not exist in the schema."),
                ));
            }
        }
    }
    let fixed = ["sub", "email_verified", "phone_number_verified"];
    match settings
        .write_attributes
        .iter()
        .flatten()
        .find(|name| fixed.contains(&name.as_str()))
    {
        Some(name) => Err(Error::invalid(
            "write_attributes",
            format!("'{name}' is never written by a client"),
        )),
        None => Ok(()),
    }
}

fn lifetimes(settings: &Settings) -> Result<(), Error> {
    let ranges = [
        (
            "access_token_seconds",
            settings.access_token_seconds,
            ACCESS_AND_ID,
        ),
        ("id_token_seconds", settings.id_token_seconds, ACCESS_AND_ID),
        ("refresh_token_seconds", settings.refresh_token_seconds, REFRESH),
        ("grace_seconds", settings.rotation.grace_seconds, GRACE),
    ];
    for (field, value, range) in ranges {
        if !range.contains(&value) {
            return Err(Error::invalid(
                field,
                format!("{value} is outside {}-{} seconds", range.start(), range.end()),
            ));
        }
    }
    for (field, value) in [
        ("access_token_seconds", settings.access_token_seconds),
        ("id_token_seconds", settings.id_token_seconds),
    ] {
        if value > settings.refresh_token_seconds {
            return Err(Error::invalid(
                field,
                format!(
                    "{value} seconds is longer than the refresh token lives ({})",
                    settings.refresh_token_seconds
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::db::Json;
    use crate::model::client::Rotation;
    use crate::model::resource_server::Scope;

    fn good() -> Settings {
        Settings {
            redirect_uris: vec!["https://app.example.com/callback".into()],
            logout_uris: vec!["https://app.example.com/".into()],
            scopes: vec!["openid".into(), "email".into()],
            providers: vec!["acme-okta".into(), NATIVE.into()],
            ..Settings::default()
        }
    }

    fn machine() -> Settings {
        Settings {
            flows: vec![Flow::ClientCredentials],
            scopes: vec!["demo-api/read".into()],
            ..Settings::default()
        }
    }

    fn check(client: &Settings, confidential: bool) -> Result<(), String> {
        let pool = pool::Settings::default();
        let servers = [ResourceServer {
            user_pool_id: "us-local-1_Pool".into(),
            identifier: "demo-api".into(),
            name: "Demo".into(),
            scopes: Json(vec![Scope {
                name: "read".into(),
                description: "Read".into(),
            }]),
        }];
        settings(
            client,
            Surroundings {
                confidential,
                pool: &pool,
                providers: &["acme-okta".to_owned()],
                servers: &servers,
            },
        )
        .map_err(|error| error.to_string())
    }

    #[test]
    fn settings_that_fit_together_are_accepted() {
        for confidential in [true, false] {
            assert_eq!(check(&good(), confidential), Ok(()));
        }
        assert_eq!(check(&machine(), true), Ok(()));
        // A client that uses no OAuth flow, only the API.
        let none = Settings {
            flows: vec![],
            ..Settings::default()
        };
        assert_eq!(check(&none, false), Ok(()));
        let everything = Settings {
            flows: vec![Flow::Code, Flow::Implicit],
            scopes: scope::STANDARD
                .iter()
                .map(|s| (*s).to_owned())
                .chain(["demo-api/read".to_owned()])
                .collect(),
            default_redirect_uri: Some("https://app.example.com/callback".into()),
            read_attributes: Some(vec!["email".into(), "email_verified".into(), "sub".into()]),
            write_attributes: Some(vec!["name".into()]),
            access_token_seconds: 86_400,
            id_token_seconds: 300,
            refresh_token_seconds: 86_400,
            rotation: Rotation {
                enabled: true,
                grace_seconds: 60,
            },
            ..good()
        };
        assert_eq!(check(&everything, true), Ok(()));
    }

    #[test]
    fn each_refusal_names_its_field() {
        type Change = fn(&mut Settings);
        let cases: &[(&str, Change)] = &[
            ("redirect_uris: ", |s| s.redirect_uris.push("/relative".into())),
            ("redirect_uris: ", |s| s.redirect_uris.clear()),
            ("logout_uris: ", |s| {
                s.logout_uris.push("http://app.example.com/".into())
            }),
            ("default_redirect_uri: ", |s| {
                s.default_redirect_uri = Some("https://app.example.com/other".into());
            }),
            ("initiate_login_uri: ", |s| {
                s.initiate_login_uri = Some("http://app.example.com/login".into());
            }),
            ("flows: ", |s| s.flows.push(Flow::ClientCredentials)),
            ("token_exchange: ", |s| {
                s.flows = vec![Flow::ClientCredentials];
                s.token_exchange = true;
            }),
            ("preview_redirect_uris: ", |s| {
                // The pool of these tests admits no suffix.
                (s.non_production, s.require_pkce) = (true, true);
                s.preview_redirect_uris = vec!["https://*.preview.example.com/cb".into()];
            }),
            ("scopes: ", |s| s.scopes.clear()),
            ("scopes: ", |s| {
                (s.flows, s.scopes) = (Vec::new(), Vec::new());
                s.token_exchange = true;
            }),
            ("scopes: ", |s| s.scopes.push("demo-api/write".into())),
            ("scopes: ", |s| s.scopes.push("offline_access".into())),
            ("scopes: ", |s| {
                s.scopes = (0..51).map(|n| format!("demo-api/{n}")).collect()
            }),
            ("providers: ", |s| s.providers.push("globex-okta".into())),
            ("providers: ", |s| s.providers.push("cognito".into())),
            ("read_attributes: ", |s| {
                s.read_attributes = Some(vec!["custom:x".into()])
            }),
            ("write_attributes: ", |s| {
                s.write_attributes = Some(vec!["custom:x".into()])
            }),
            ("write_attributes: ", |s| {
                s.write_attributes = Some(vec!["email_verified".into()]);
            }),
            ("write_attributes: ", |s| {
                s.write_attributes = Some(vec!["sub".into()])
            }),
            ("access_token_seconds: ", |s| s.access_token_seconds = 299),
            ("access_token_seconds: ", |s| s.access_token_seconds = 86_401),
            ("id_token_seconds: ", |s| s.id_token_seconds = 0),
            ("refresh_token_seconds: ", |s| s.refresh_token_seconds = 3599),
            ("refresh_token_seconds: ", |s| {
                s.refresh_token_seconds = 315_360_001
            }),
            ("grace_seconds: ", |s| s.rotation.grace_seconds = 61),
            ("grace_seconds: ", |s| s.rotation.grace_seconds = -1),
            ("id_token_seconds: ", |s| {
                s.refresh_token_seconds = 3600;
                s.id_token_seconds = 3601;
            }),
        ];
        for (at, (field, change)) in cases.iter().enumerate() {
            let mut settings = good();
            change(&mut settings);
            let error = check(&settings, true).unwrap_err();
            assert!(error.starts_with(field), "case {at}: {error}");
        }
    }

    #[test]
    fn machine_clients_have_a_secret_and_no_user_scopes() {
        assert!(
            check(&machine(), false)
                .unwrap_err()
                .contains("needs a client secret")
        );
        let mut settings = machine();
        settings.scopes.push("openid".into());
        assert!(check(&settings, true).unwrap_err().contains("speaks of a user"));
    }

    #[test]
    fn what_is_there_twice_is_kept_once() {
        let mut settings = good();
        settings.scopes = ["openid", "email", "openid"].map(String::from).to_vec();
        settings.flows = vec![Flow::Code, Flow::Code];
        tidy(&mut settings);
        assert_eq!(settings.scopes, ["openid", "email"]);
        assert_eq!(settings.flows, [Flow::Code]);
    }
}
