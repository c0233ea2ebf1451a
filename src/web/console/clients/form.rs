//! The form of an app client, between the settings that are stored and the fields of the page, in both directions.

use super::super::door::Form;
use super::super::filled::{Choice, Mistakes, number};
use crate::model::client::{Flow, Rotation, Settings};
use crate::model::pool::{self, STANDARD};
use crate::model::provider::Provider;
use crate::model::resource_server::ResourceServer;
use crate::rules::scope;

/// The units that a lifetime is written in, and their seconds; the largest first.
const UNITS: [(&str, i64); 4] = [
    ("days", 86_400),
    ("hours", 3_600),
    ("minutes", 60),
    ("seconds", 1),
];

/// What the pool has for its clients to choose from.
pub struct Offer {
    pub pool: pool::Settings,
    pub providers: Vec<Provider>,
    pub servers: Vec<ResourceServer>,
}

/// A lifetime as it is written: an amount and its unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    pub amount: String,
    pub unit: String,
}

impl Lifetime {
    /// In the largest unit that it is a multiple of.
    fn of(seconds: i64) -> Lifetime {
        let (unit, size) = UNITS
            .into_iter()
            .find(|(_, size)| seconds % size == 0)
            .unwrap_or(("seconds", 1));
        Lifetime {
            amount: (seconds / size).to_string(),
            unit: unit.to_owned(),
        }
    }

    fn typed(form: &Form, field: &str) -> Lifetime {
        Lifetime {
            amount: form.text(field).to_owned(),
            unit: form.text(&format!("{field}_unit")).to_owned(),
        }
    }

    fn seconds(&self, field: &str, mistakes: &mut Mistakes) -> i64 {
        let size = UNITS.into_iter().find(|(unit, _)| *unit == self.unit);
        let amount = self.amount.parse::<i64>().ok();
        match (amount, size) {
            (Some(amount), Some((_, size))) => amount.saturating_mul(size),
            _ => {
                mistakes.add(field, "must be a whole number with a unit");
                0
            }
        }
    }

    pub fn units(&self) -> impl Iterator<Item = (&'static str, bool)> + '_ {
        UNITS.iter().map(|(unit, _)| (*unit, *unit == self.unit))
    }
}

/// A list of attributes to which a client is limited, or all of them.
#[derive(Clone, Debug)]
pub struct Attributes {
    pub limited: bool,
    pub choices: Vec<Choice>,
}

/// The fields as the page shows them.
#[derive(Clone, Debug)]
pub struct Fields {
    pub name: String,
    pub redirect_uris: String,
    pub preview_redirect_uris: String,
    pub non_production: bool,
    pub default_redirect_uri: String,
    pub initiate_login_uri: String,
    pub logout_uris: String,
    pub flows: Vec<Choice>,
    pub scopes: Vec<Choice>,
    pub providers: Vec<Choice>,
    pub access_token: Lifetime,
    pub id_token: Lifetime,
    pub refresh_token: Lifetime,
    pub rotation: bool,
    pub grace_seconds: String,
    pub revocation: bool,
    pub require_pkce: bool,
    pub email_first: bool,
    pub token_exchange: bool,
    pub read: Attributes,
    pub write: Attributes,
}

/// The fields that show these settings.
pub fn shown(name: &str, settings: &Settings, offer: &Offer) -> Fields {
    let has = |list: &[String]| {
        let list = list.to_vec();
        move |wanted: &str| list.iter().any(|item| item == wanted)
    };
    let named = |list: &Option<Vec<String>>| has(list.as_deref().unwrap_or_default());
    Fields {
        name: name.to_owned(),
        redirect_uris: settings.redirect_uris.join("\n"),
        preview_redirect_uris: settings.preview_redirect_uris.join("\n"),
        non_production: settings.non_production,
        default_redirect_uri: settings.default_redirect_uri.clone().unwrap_or_default(),
        initiate_login_uri: settings.initiate_login_uri.clone().unwrap_or_default(),
        logout_uris: settings.logout_uris.join("\n"),
        flows: flows(|flow| settings.flows.iter().any(|own| own.as_str() == flow)),
        scopes: scopes(offer, has(&settings.scopes)),
        providers: providers(offer, &settings.providers, has(&settings.providers)),
        access_token: Lifetime::of(settings.access_token_seconds),
        id_token: Lifetime::of(settings.id_token_seconds),
        refresh_token: Lifetime::of(settings.refresh_token_seconds),
        rotation: settings.rotation.enabled,
        grace_seconds: settings.rotation.grace_seconds.to_string(),
        revocation: settings.revocation,
        require_pkce: settings.require_pkce,
        email_first: settings.email_first,
        token_exchange: settings.token_exchange,
        read: Attributes {
            limited: settings.read_attributes.is_some(),
            choices: attributes(offer, false, named(&settings.read_attributes)),
        },
        write: Attributes {
            limited: settings.write_attributes.is_some(),
            choices: attributes(offer, true, named(&settings.write_attributes)),
        },
    }
}

/// The fields with what was typed into them, however wrong.
pub fn typed(form: &Form, offer: &Offer) -> Fields {
    let ticked = |field: &'static str| {
        let values: Vec<String> = form.all(field).map(str::to_owned).collect();
        move |wanted: &str| values.iter().any(|value| value == wanted)
    };
    let chosen: Vec<String> = form.all("providers").map(str::to_owned).collect();
    Fields {
        name: form.text("name").to_owned(),
        redirect_uris: form.text("redirect_uris").to_owned(),
        preview_redirect_uris: form.text("preview_redirect_uris").to_owned(),
        non_production: form.is_checked("non_production"),
        default_redirect_uri: form.text("default_redirect_uri").to_owned(),
        initiate_login_uri: form.text("initiate_login_uri").to_owned(),
        logout_uris: form.text("logout_uris").to_owned(),
        flows: flows(ticked("flows")),
        scopes: scopes(offer, ticked("scopes")),
        providers: providers(offer, &chosen, ticked("providers")),
        access_token: Lifetime::typed(form, "access_token_seconds"),
        id_token: Lifetime::typed(form, "id_token_seconds"),
        refresh_token: Lifetime::typed(form, "refresh_token_seconds"),
        rotation: form.is_checked("rotation"),
        grace_seconds: form.text("grace_seconds").to_owned(),
        revocation: form.is_checked("revocation"),
        require_pkce: form.is_checked("require_pkce"),
        email_first: form.is_checked("email_first"),
        token_exchange: form.is_checked("token_exchange"),
        read: Attributes {
            limited: form.is_checked("limit_read"),
            choices: attributes(offer, false, ticked("read_attributes")),
        },
        write: Attributes {
            limited: form.is_checked("limit_write"),
            choices: attributes(offer, true, ticked("write_attributes")),
        },
    }
}

/// The settings that were typed, and of `before` what the form does not speak of; what cannot be read becomes a mistake
/// at its field.
pub fn read(form: &Form, before: Settings, mistakes: &mut Mistakes) -> Settings {
    let all = |field: &'static str| -> Vec<String> { form.all(field).map(str::to_owned).collect() };
    let optional = |field: &str| Some(form.text(field).to_owned()).filter(|text| !text.is_empty());
    let mut seconds = |field: &'static str| Lifetime::typed(form, field).seconds(field, mistakes);
    let (access_token_seconds, id_token_seconds, refresh_token_seconds) = (
        seconds("access_token_seconds"),
        seconds("id_token_seconds"),
        seconds("refresh_token_seconds"),
    );
    Settings {
        redirect_uris: form.lines("redirect_uris"),
        preview_redirect_uris: form.lines("preview_redirect_uris"),
        non_production: form.is_checked("non_production"),
        logout_uris: form.lines("logout_uris"),
        default_redirect_uri: optional("default_redirect_uri"),
        initiate_login_uri: optional("initiate_login_uri"),
        flows: form.all("flows").filter_map(|flow| flow.parse().ok()).collect(),
        scopes: all("scopes"),
        providers: all("providers"),
        access_token_seconds,
        id_token_seconds,
        refresh_token_seconds,
        read_attributes: form.is_checked("limit_read").then(|| all("read_attributes")),
        write_attributes: form.is_checked("limit_write").then(|| all("write_attributes")),
        revocation: form.is_checked("revocation"),
        rotation: Rotation {
            enabled: form.is_checked("rotation"),
            grace_seconds: number(form, "grace_seconds", mistakes),
        },
        public: form.text("kind") == "public",
        require_pkce: form.is_checked("require_pkce"),
        email_first: form.is_checked("email_first"),
        token_exchange: form.is_checked("token_exchange"),
        ..before
    }
}

fn flows(is_ticked: impl Fn(&str) -> bool) -> Vec<Choice> {
    Flow::ALL
        .iter()
        .map(|flow| {
            let hint = match flow {
                Flow::Code => "people sign in; right for every app with users",
                Flow::Implicit => {
                    "the access token comes in the address; only for apps that cannot do better"
                }
                Flow::ClientCredentials => "the app itself, without a user; stands alone and needs a secret",
            };
            Choice::new(flow.as_str(), hint, is_ticked(flow.as_str()))
        })
        .collect()
}

fn scopes(offer: &Offer, is_ticked: impl Fn(&str) -> bool) -> Vec<Choice> {
    let standard = scope::STANDARD.iter().map(|name| {
        let hint = match *name {
            "openid" => "an ID token; needed for OpenID Connect",
            "email" => "the address, and whether it is verified",
            "phone" => "the telephone number, and whether it is verified",
            "profile" => "all other attributes",
            _ => "the user may change their own attributes",
        };
        Choice::new(*name, hint, is_ticked(name))
    });
    let own = offer.servers.iter().flat_map(|server| {
        server.scopes.iter().map(|own| {
            let name = format!("{}/{}", server.identifier, own.name);
            let checked = is_ticked(&name);
            Choice::new(name, own.description.clone(), checked)
        })
    });
    standard.chain(own).collect()
}

/// The pool's connections, and what the client has besides.
fn providers(offer: &Offer, chosen: &[String], is_ticked: impl Fn(&str) -> bool) -> Vec<Choice> {
    let known = offer
        .providers
        .iter()
        .map(|provider| Choice::new(&provider.name, &provider.issuer, is_ticked(&provider.name)));
    let besides = chosen
        .iter()
        .filter(|name| !offer.providers.iter().any(|provider| provider.name == **name))
        .map(|name| Choice::new(name, "", true));
    known.chain(besides).collect()
}

fn attributes(offer: &Offer, writing: bool, is_ticked: impl Fn(&str) -> bool) -> Vec<Choice> {
    let fixed = |name: &str| writing && matches!(name, "email_verified" | "phone_number_verified");
    let sub = (!writing).then(|| "sub".to_owned());
    let standard = STANDARD.iter().map(|(name, _)| (*name).to_owned());
    let custom = offer
        .pool
        .attributes
        .iter()
        .map(|attribute| attribute.name.clone())
        .filter(|name| name.starts_with(crate::rules::attribute::CUSTOM));
    sub.into_iter()
        .chain(standard)
        .chain(custom)
        .filter(|name| !fixed(name))
        .map(|name| {
            let checked = is_ticked(&name);
            Choice::new(name, "", checked)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_written_in_its_largest_whole_unit_and_read_back() {
        for (seconds, amount, unit) in [
            (3_600, "1", "hours"),
            (30 * 86_400, "30", "days"),
            (300, "5", "minutes"),
            (301, "301", "seconds"),
        ] {
            let lifetime = Lifetime::of(seconds);
            assert_eq!((lifetime.amount.as_str(), lifetime.unit.as_str()), (amount, unit));
            let mut mistakes = Mistakes::default();
            assert_eq!(lifetime.seconds("x", &mut mistakes), seconds);
            assert!(mistakes.is_empty());
        }
        let wrong = Lifetime {
            amount: "soon".into(),
            unit: "hours".into(),
        };
        let mut mistakes = Mistakes::default();
        wrong.seconds("x", &mut mistakes);
        assert!(mistakes.at("x").is_some());
    }

    #[test]
    fn a_list_of_attributes_keeps_what_the_pool_does_not_know_any_more_out() {
        let offer = Offer {
            pool: pool::Settings::default(),
            providers: Vec::new(),
            servers: Vec::new(),
        };
        let settings = Settings {
            providers: vec!["gone".into()],
            write_attributes: Some(vec!["email".into()]),
            ..Settings::default()
        };
        let fields = shown("App", &settings, &offer);
        // A name that is nobody's stays ticked, so that the refusal can be seen and mended.
        assert_eq!(fields.providers, [Choice::new("gone", "", true)]);
        assert!(fields.write.limited && !fields.read.limited);
        let ticked: Vec<_> = fields
            .write
            .choices
            .iter()
            .filter(|choice| choice.checked)
            .collect();
        assert_eq!(ticked.len(), 1);
        assert!(
            !fields
                .write
                .choices
                .iter()
                .any(|choice| choice.value == "email_verified")
        );
    }
}
