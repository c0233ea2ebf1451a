//! An identity provider between Cognito's words for it and ours: `ProviderDetails` and `AttributeMapping`.
//!
//! What was set comes back exactly as it was set, so that a Terraform plan after its apply is empty; what was changed
//! elsewhere since (the console, the command line) comes back as it is now, so that the plan shows it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::model::mapping::{Rule, Rules, Source};
use crate::model::provider::{Endpoints, Provider, Settings, UserinfoMethod, Way};

/// The member of [`Settings::cognito`] that holds the details as they were set.
pub const DETAILS: &str = "ProviderDetails";
/// The same for the identifiers, which are stored in lower case and in order.
pub const IDENTIFIERS: &str = "IdpIdentifiers";
/// What Cognito would map `acr` values to: kept and shown again.
pub const ACR_MAPPING: &str = "AcrMapping";

/// Keys of an OIDC provider besides the four addresses and the secret.
const KEYS: [&str; 5] = [
    "client_id",
    "oidc_issuer",
    "authorize_scopes",
    "attributes_request_method",
    "attributes_url_add_attributes",
];
/// Ours, which Cognito does not have: `token-in` for a connection whose ID tokens apps bring, and the origins of their pages.
const KIND: &str = "kind";
const ORIGINS: &str = "origins";
/// The addresses that can be given by hand.
const URLS: [&str; 4] = ["authorize_url", "token_url", "attributes_url", "jwks_uri"];

/// `ProviderDetails` of an OIDC provider, read.
#[derive(Clone, Debug)]
pub struct Details {
    pub issuer: String,
    client_id: String,
    pub client_secret: Option<Zeroizing<String>>,
    scopes: Vec<String>,
    method: UserinfoMethod,
    way: Option<Way>,
    origins: Option<Vec<String>>,
    given: BTreeMap<String, String>,
}

impl Details {
    /// Reads the map. Issuer and client id may be left out where there is a provider that has them.
    pub fn read(map: &BTreeMap<String, String>, old: Option<&Provider>) -> Result<Details, Error> {
        let known = |key: &&String| {
            KEYS.contains(&key.as_str())
                || URLS.contains(&key.as_str())
                || ["client_secret", KIND, ORIGINS].contains(&key.as_str())
        };
        if let Some(unknown) = map.keys().find(|key| !known(key)) {
            return Err(Error::invalid(
                "ProviderDetails",
                format!("{unknown} is no key of an OIDC provider"),
            ));
        }
        let needed = |key: &str, present: Option<String>| {
            map.get(key)
                .cloned()
                .or(present)
                .filter(|text| !text.is_empty())
                .ok_or_else(|| Error::invalid("ProviderDetails", format!("{key} is missing")))
        };
        let usual = Settings::default();
        if map
            .get("attributes_url_add_attributes")
            .is_some_and(|value| value != "false")
        {
            return Err(Error::invalid(
                "attributes_url_add_attributes",
                "can only be false for OIDC: userinfo is asked for no attribute by its URL",
            ));
        }
        Ok(Details {
            issuer: needed("oidc_issuer", old.map(|old| old.issuer.clone()))?,
            client_id: needed("client_id", old.map(|old| old.settings.client_id.clone()))?,
            client_secret: map.get("client_secret").cloned().map(Zeroizing::new),
            scopes: match map.get("authorize_scopes") {
                Some(text) => words(text),
                None => usual.scopes,
            },
            method: match map.get("attributes_request_method") {
                Some(text) => text
                    .parse()
                    .map_err(|_| Error::invalid("attributes_request_method", "must be GET or POST"))?,
                None => usual.userinfo_method,
            },
            way: map
                .get(KIND)
                .map(|text| text.parse())
                .transpose()
                .map_err(|_| Error::invalid(KIND, "must be sign-in or token-in"))?,
            origins: map.get(ORIGINS).map(|text| words(text)),
            given: map
                .iter()
                .filter(|(key, _)| *key != "client_secret")
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        })
    }

    /// Whether issuer and addresses are what the provider has: then nothing needs to be looked up again.
    pub fn leads_where(&self, provider: &Provider) -> bool {
        let shown = shown(provider, None);
        self.issuer == provider.issuer
            && URLS.iter().all(|key| {
                shown.get(*key).and_then(Value::as_str) == self.given.get(*key).map(String::as_str)
            })
    }

    /// The addresses given by hand, for an issuer that publishes none; the error names those that lack.
    pub fn endpoints(&self) -> Result<Endpoints, String> {
        let get = |key: &str| self.given.get(key).filter(|url| !url.is_empty()).cloned();
        let missing: Vec<&str> = ["authorize_url", "token_url", "jwks_uri"]
            .into_iter()
            .filter(|key| get(key).is_none())
            .collect();
        if !missing.is_empty() {
            return Err(missing.join(", "));
        }
        Ok(Endpoints {
            authorization: get("authorize_url").unwrap_or_default(),
            token: get("token_url").unwrap_or_default(),
            userinfo: get("attributes_url"),
            jwks: get("jwks_uri").unwrap_or_default(),
            end_session: None,
        })
    }

    /// Puts the details into the settings; what Cognito does not know of stays as it is.
    pub fn apply(self, settings: &mut Settings, endpoints: Option<Endpoints>) {
        settings.client_id = self.client_id;
        settings.scopes = self.scopes;
        settings.userinfo_method = self.method;
        settings.endpoints = endpoints;
        if let Some(way) = self.way {
            settings.set_way(way);
        }
        if let (Some(kind), Some(origins)) = (settings.token_in.as_mut(), self.origins) {
            kind.origins = origins;
        }
        settings.cognito.insert(DETAILS.into(), json!(self.given));
    }
}

/// `ProviderDetails` as the provider stands now, with its secret for those who may see it.
pub fn shown(provider: &Provider, client_secret: Option<&str>) -> Map<String, Value> {
    let settings = &provider.settings;
    let kept = settings.cognito.get(DETAILS).and_then(Value::as_object);
    let usual = Settings::default();
    let mut shown = Map::new();
    for (key, now, default) in [
        ("client_id", settings.client_id.clone(), String::new()),
        ("oidc_issuer", provider.issuer.clone(), String::new()),
        (
            "authorize_scopes",
            settings.scopes.join(" "),
            usual.scopes.join(" "),
        ),
        (
            "attributes_request_method",
            settings.userinfo_method.to_string(),
            usual.userinfo_method.to_string(),
        ),
    ] {
        let set = kept.map(|kept| kept.get(key).and_then(Value::as_str));
        let value = match set {
            Some(Some(set)) if words(set) == words(&now) => set.to_owned(),
            Some(None) if now == default => continue,
            _ => now,
        };
        shown.insert(key.into(), json!(value));
    }
    let kept_text = |key: &str| kept?.get(key)?.as_str().map(str::to_owned);
    for key in URLS {
        let url = match &settings.endpoints {
            Some(own) => endpoint(own, key),
            // Given and not needed: the issuer publishes its own.
            None => kept_text(key),
        };
        shown.extend(url.map(|url| (key.to_owned(), json!(url))));
    }
    if let Some(kind) = &settings.token_in {
        shown.insert(KIND.into(), json!(Way::TokenIn));
        if !kind.origins.is_empty() {
            shown.insert(ORIGINS.into(), json!(kind.origins.join(" ")));
        }
    }
    let extra = "attributes_url_add_attributes";
    shown.extend(kept_text(extra).map(|value| (extra.to_owned(), json!(value))));
    shown.extend(client_secret.map(|secret| ("client_secret".to_owned(), json!(secret))));
    shown
}

fn endpoint(endpoints: &Endpoints, key: &str) -> Option<String> {
    match key {
        "authorize_url" => Some(endpoints.authorization.clone()),
        "token_url" => Some(endpoints.token.clone()),
        "attributes_url" => endpoints.userinfo.clone(),
        _ => Some(endpoints.jwks.clone()),
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// The rules that `AttributeMapping` stands for, given those that are in force. What it cannot say stays: how groups come
/// about, when a rule writes, and expressions for attributes that it does not name.
pub fn rules(old: &Rules, wanted: &BTreeMap<String, String>) -> Result<Rules, Error> {
    if wanted.get("username").is_some_and(|claim| claim != "sub") {
        return Err(Error::invalid(
            "AttributeMapping",
            "username is always made of the claim sub",
        ));
    }
    let mut left: BTreeMap<&String, &String> =
        wanted.iter().filter(|(name, _)| *name != "username").collect();
    let mut attributes = Vec::new();
    for rule in &old.attributes {
        match (left.remove(&rule.attribute), &rule.source) {
            (Some(claim), _) => attributes.push(Rule {
                source: Source::claim(claim),
                ..rule.clone()
            }),
            (None, Source::Expression(_)) => attributes.push(rule.clone()),
            (None, Source::Claim(_)) => {}
        }
    }
    attributes.extend(
        left.into_iter()
            .map(|(name, claim)| Rule::new(name, Source::claim(claim))),
    );
    Ok(Rules {
        attributes,
        groups: old.groups.clone(),
    })
}

/// `AttributeMapping`: the rules that it can express, and the username, which is always there.
pub fn mapping_shown(rules: &Rules) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("username".into(), json!("sub"));
    for rule in &rules.attributes {
        if let Source::Claim(claim) = &rule.source {
            shown.insert(rule.attribute.clone(), json!(claim));
        }
    }
    shown
}

/// The identifiers in the spelling and order in which they were set, where they are still the same.
pub fn identifiers_shown(settings: &Settings, stored: Vec<String>) -> Vec<String> {
    let set: Vec<String> = settings
        .cognito
        .get(IDENTIFIERS)
        .and_then(|set| serde_json::from_value(set.clone()).ok())
        .unwrap_or_default();
    let same = crate::rules::registration::provider::identifiers(&set).is_ok_and(|mut normal| {
        normal.sort();
        normal == stored
    });
    if same { set } else { stored }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::mapping::{GroupsRule, Write};

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn a_mapping_touches_only_what_it_can_say() {
        let old = Rules {
            attributes: vec![
                Rule {
                    write: Write::FirstSignIn,
                    ..Rule::new("email", Source::claim("mail"))
                },
                Rule::new("name", Source::expression("claims.a + claims.b")),
                Rule::new("nickname", Source::expression("claims.n")),
                Rule::new("locale", Source::claim("locale")),
            ],
            groups: Some(GroupsRule::new(Source::claim("groups"))),
        };
        let wanted = map(&[
            ("email", "email"),
            ("name", "name"),
            ("zoneinfo", "tz"),
            ("username", "sub"),
        ]);
        let new = rules(&old, &wanted).unwrap();
        assert_eq!(
            new.attributes,
            [
                Rule {
                    write: Write::FirstSignIn,
                    ..Rule::new("email", Source::claim("email"))
                },
                Rule::new("name", Source::claim("name")),
                Rule::new("nickname", Source::expression("claims.n")),
                Rule::new("zoneinfo", Source::claim("tz")),
            ]
        );
        assert_eq!(new.groups, old.groups);
        let shown = mapping_shown(&new);
        assert_eq!(
            Value::Object(shown),
            json!({ "email": "email", "name": "name", "zoneinfo": "tz", "username": "sub" })
        );
        assert!(rules(&old, &map(&[("username", "email")])).is_err());
    }

    #[test]
    fn details_that_make_no_sense_are_refused_by_name() {
        let usual = [("client_id", "0oa1"), ("oidc_issuer", "https://acme.okta.com")];
        assert!(Details::read(&map(&usual), None).is_ok());
        for (pairs, named) in [
            (&[("client_id", "0oa1")][..], "oidc_issuer"),
            (&[("oidc_issuer", "https://acme.okta.com")], "client_id"),
            (&[usual[0], usual[1], ("MetadataURL", "x")], "MetadataURL"),
            (
                &[usual[0], usual[1], ("attributes_request_method", "PUT")],
                "attributes_request_method",
            ),
            (
                &[usual[0], usual[1], ("attributes_url_add_attributes", "true")],
                "attributes_url_add_attributes",
            ),
        ] {
            let why = Details::read(&map(pairs), None).unwrap_err().to_string();
            assert!(why.contains(named), "{why}");
        }
        let given = Details::read(&map(&[usual[0], usual[1], ("token_url", "https://a/t")]), None).unwrap();
        assert_eq!(given.endpoints().unwrap_err(), "authorize_url, jwks_uri");
    }
}
