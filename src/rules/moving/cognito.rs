//! A Cognito pool as the AWS CLI prints it, read into the shapes of a bundle. Each document is told by its top-level
//! member. What there is no place for here is noted, never dropped in silence.

use chrono::DateTime;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{Connection, Credentials, Group, Link, Notes, Person, ResourceServer};
use crate::model::mapping::{Rule, Rules, Source};
use crate::model::pool;
use crate::model::provider::Settings;
use crate::model::resource_server::Scope;
use crate::model::user::Status;
use crate::rules::attribute;
use crate::rules::aws::provider;
use crate::world::UnixTime;

/// What one printed document holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    Pool(Map<String, Value>),
    Client(Map<String, Value>),
    Provider(Map<String, Value>),
    ResourceServers(Vec<Value>),
    Groups(Vec<Value>),
    /// Nothing that makes anything; the sentence says what it was, if there is something to say.
    Nothing(Option<String>),
}

/// Tells a document by its members; its `Users` were taken out before.
pub fn recognise(mut document: Map<String, Value>) -> Document {
    type Whole = fn(Map<String, Value>) -> Document;
    let whole: [(&str, Whole); 3] = [
        ("UserPool", Document::Pool),
        ("UserPoolClient", Document::Client),
        ("IdentityProvider", Document::Provider),
    ];
    for (member, kind) in whole {
        if let Some(Value::Object(members)) = document.remove(member) {
            return kind(members);
        }
    }
    match (document.remove("ResourceServer"), document.remove("Group")) {
        (Some(server), _) => return Document::ResourceServers(vec![server]),
        (None, Some(group)) => return Document::Groups(vec![group]),
        (None, None) => {}
    }
    match (document.remove("ResourceServers"), document.remove("Groups")) {
        (Some(Value::Array(servers)), _) => return Document::ResourceServers(servers),
        (_, Some(Value::Array(groups))) => return Document::Groups(groups),
        _ => {}
    }
    for (member, sentence) in [
        (
            "DomainDescription",
            "a domain stays behind: point it here when you move, and make it with create-user-pool-domain",
        ),
        (
            "UserPoolClients",
            "list-user-pool-clients prints names only: describe-user-pool-client prints clients",
        ),
        (
            "Providers",
            "list-identity-providers prints names only: describe-identity-provider prints connections",
        ),
    ] {
        if document.contains_key(member) {
            return Document::Nothing(Some(sentence.into()));
        }
    }
    document.retain(|member, _| {
        !matches!(
            member.as_str(),
            "PaginationToken" | "NextToken" | "ResponseMetadata"
        )
    });
    let unknown = document.keys().next();
    Document::Nothing(unknown.map(|member| format!("a document with '{member}' is none that is known here")))
}

/// What `describe-user-pool` prints, in the words of `CreateUserPool`.
pub fn pool_members(mut described: Map<String, Value>, notes: &mut Notes) -> Map<String, Value> {
    let schema = described.remove("SchemaAttributes");
    let schema: Vec<Value> = schema
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|attribute| defines(attribute, notes))
        .cloned()
        .collect();
    described.insert("Schema".into(), Value::Array(schema));
    let factors = described.remove("MfaConfiguration");
    if factors.is_some_and(|mode| mode != "OFF") {
        notes.add(
            "second factors stay behind: here they are the upstream's to ask for",
            None,
        );
    }
    let triggers = described.remove("LambdaConfig");
    for trigger in triggers.as_ref().and_then(Value::as_object).into_iter().flatten() {
        notes.add("triggers stay behind: set LambdaConfig again", Some(trigger.0));
    }
    for domain in ["Domain", "CustomDomain"] {
        if let Some(Value::String(name)) = described.remove(domain) {
            notes.add(
                "domains stay behind: make them with create-user-pool-domain",
                Some(&name),
            );
        }
    }
    described
}

/// Whether an attribute of the printed schema says something that is not so anyway.
fn defines(attribute: &Value, notes: &mut Notes) -> bool {
    let name = attribute["Name"].as_str().unwrap_or_default();
    if matches!(name, "sub" | "identities") {
        return false;
    }
    if attribute["DeveloperOnlyAttribute"] == json!(true) || name.starts_with("dev:") {
        notes.add("developer-only attributes stay behind", Some(name));
        return false;
    }
    let custom = name.starts_with(attribute::CUSTOM);
    let limits = [
        &attribute["StringAttributeConstraints"],
        &attribute["NumberAttributeConstraints"],
    ];
    let usual = |value: &Value| matches!(value.as_str(), Some("0" | "2048"));
    let limited = limits
        .iter()
        .filter_map(|limits| limits.as_object())
        .any(|limits| !limits.values().all(usual));
    if custom && limited {
        notes.add("limits of custom attributes stay behind", Some(name));
    }
    custom || attribute["Required"] == json!(true) || attribute["Mutable"] == json!(false)
}

/// What `describe-identity-provider` prints, as a connection that is called back where Cognito's were; `None` for a kind
/// that there is not here.
pub fn connection(
    described: &Map<String, Value>,
    pool: &pool::Settings,
    notes: &mut Notes,
) -> Result<Option<(Connection, Credentials)>, String> {
    let name = text(described, "ProviderName").ok_or("an identity provider has no ProviderName")?;
    let kind = text(described, "ProviderType").unwrap_or_default();
    if kind != "OIDC" {
        notes.add(
            format!("identity providers of type {kind} stay behind: only OIDC is spoken here"),
            Some(&name),
        );
        return Ok(None);
    }
    let empty = Map::new();
    let member = |name: &str| described.get(name).and_then(Value::as_object).unwrap_or(&empty);
    let details = member("ProviderDetails");
    let detail = |key: &str| text(details, key).filter(|text| !text.is_empty());
    let issuer = detail("oidc_issuer").ok_or_else(|| format!("{name} has no oidc_issuer"))?;
    let mut settings = Settings {
        client_id: detail("client_id").ok_or_else(|| format!("{name} has no client_id"))?,
        // Okta's app knows Cognito's redirect URI; under the same domain it goes on being right.
        shared_callback: true,
        ..Settings::default()
    };
    if let Some(scopes) = detail("authorize_scopes") {
        settings.scopes = scopes.split_whitespace().map(str::to_owned).collect();
    }
    if let Some(method) = detail("attributes_request_method") {
        settings.userinfo_method = method.parse()?;
    }
    let endpoints = ["authorize_url", "token_url", "attributes_url", "jwks_uri"];
    if endpoints.iter().any(|key| detail(key).is_some()) {
        notes.add(
            "endpoints are read from the issuer's discovery document",
            Some(&name),
        );
    }
    let mut rules = Rules::default();
    for (attribute, claim) in member("AttributeMapping") {
        let claim = claim.as_str().unwrap_or_default();
        if attribute == "username" {
            continue;
        }
        if pool.attribute(attribute).is_none() {
            notes.add(
                format!("'{attribute}' is mapped and not in the schema"),
                Some(&name),
            );
            continue;
        }
        rules.attributes.push(Rule::new(attribute, Source::claim(claim)));
    }
    let identifiers = described.get("IdpIdentifiers").and_then(Value::as_array);
    let identifiers = identifiers.into_iter().flatten().filter_map(Value::as_str);
    let identifiers: Vec<String> = identifiers.map(str::to_owned).collect();
    // Shown again as they were printed, so that whoever keeps the pool in Terraform finds nothing to change.
    let mut kept = details.clone();
    kept.remove("client_secret");
    settings.cognito = Map::from_iter([
        (provider::DETAILS.to_owned(), Value::Object(kept)),
        (provider::IDENTIFIERS.to_owned(), json!(identifiers)),
    ]);
    let credentials = Credentials {
        client_secret: detail("client_secret").map(Zeroizing::new),
        ..Credentials::default()
    };
    let connection = Connection {
        slug: None,
        issuer,
        live: true,
        tenant: None,
        settings,
        identifiers,
        mapping: rules,
        name,
    };
    Ok(Some((connection, credentials)))
}

/// A resource server as `describe-resource-server` and `list-resource-servers` print it.
pub fn resource_server(described: &Value) -> Result<ResourceServer, String> {
    let member = |name: &str| described[name].as_str().map(str::to_owned);
    let scopes = described["Scopes"].as_array().into_iter().flatten();
    Ok(ResourceServer {
        identifier: member("Identifier").ok_or("a resource server has no Identifier")?,
        name: member("Name").ok_or("a resource server has no Name")?,
        scopes: scopes
            .filter_map(|scope| {
                Some(Scope {
                    name: scope["ScopeName"].as_str()?.to_owned(),
                    description: scope["ScopeDescription"].as_str().unwrap_or_default().to_owned(),
                })
            })
            .collect(),
    })
}

/// A group as `list-groups` prints it.
pub fn group(described: &Value) -> Result<Group, String> {
    let member = |name: &str| described[name].as_str().map(str::to_owned);
    Ok(Group {
        name: member("GroupName").ok_or("a group has no GroupName")?,
        description: member("Description"),
        precedence: described["Precedence"].as_i64(),
        role_arn: member("RoleArn"),
    })
}

/// A user as `list-users` prints it, or `admin-get-user`.
pub fn person(
    entry: &Map<String, Value>,
    pool: &pool::Settings,
    connections: &[Connection],
    notes: &mut Notes,
) -> Result<Person, String> {
    let username = text(entry, "Username").ok_or("a user has no Username")?;
    let list = entry.get("Attributes").or_else(|| entry.get("UserAttributes"));
    let list = list.and_then(Value::as_array).into_iter().flatten();
    let (mut sub, mut links, mut attributes) = (None, None, Map::new());
    for pair in list {
        let name = pair["Name"].as_str().unwrap_or_default();
        let value = &pair["Value"];
        match name {
            "sub" => sub = value.as_str().map(str::to_owned),
            "identities" => links = value.as_str().map(str::to_owned),
            // Printed among the attributes by some versions; it stands beside them, too.
            "cognito:user_status" => {}
            _ => match pool
                .attribute(name)
                .map(|definition| attribute::from_claim(&definition, value))
            {
                Some(Ok(Some(value))) => {
                    attributes.insert(name.to_owned(), value);
                }
                Some(Ok(None)) => {}
                Some(Err(why)) => notes.add(format!("'{name}' {why}"), Some(&username)),
                None => notes.add(format!("'{name}' is not in the schema"), Some(&username)),
            },
        }
    }
    let sub = sub.ok_or_else(|| format!("user {username} has no sub"))?;
    let status = status(text(entry, "UserStatus").as_deref(), &username, notes);
    let links = match links {
        Some(text) => identities(&text, &username, connections, notes)?,
        None => from_username(&username, status, connections, time(entry, "UserCreateDate")),
    };
    let created_at = time(entry, "UserCreateDate");
    Ok(Person {
        sub,
        status,
        enabled: entry.get("Enabled").and_then(Value::as_bool).unwrap_or(true),
        attributes,
        created_at,
        updated_at: time(entry, "UserLastModifiedDate").max(created_at),
        identities: links,
        groups: Vec::new(),
        username,
    })
}

fn status(printed: Option<&str>, username: &str, notes: &mut Notes) -> Status {
    let printed = printed.unwrap_or("CONFIRMED");
    let status = printed.parse().unwrap_or_else(|_| {
        notes.add(format!("status {printed} becomes RESET_REQUIRED"), Some(username));
        Status::ResetRequired
    });
    if matches!(status, Status::Confirmed | Status::ForceChangePassword) {
        notes.add(
            "passwords stay behind, for Cognito shows them to nobody: who signs in with one needs a new one",
            Some(username),
        );
    }
    status
}

/// The stored `identities` attribute: a JSON string.
fn identities(
    text: &str,
    username: &str,
    connections: &[Connection],
    notes: &mut Notes,
) -> Result<Vec<Link>, String> {
    let listed: Vec<Value> = serde_json::from_str(text)
        .map_err(|why| format!("the identities of {username} are no JSON: {why}"))?;
    let mut links = Vec::new();
    for identity in listed {
        // Cognito writes the flag as a truth value, older pools as a string, and the date likewise.
        let flag = |value: &Value| value == &json!(true) || value == &json!("true");
        let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let (Some(name), Some(subject)) = (identity["providerName"].as_str(), identity["userId"].as_str())
        else {
            return Err(format!("an identity of {username} names no provider or no user"));
        };
        if !connections.iter().any(|connection| connection.name == name) {
            notes.add(
                format!("links to '{name}' stay behind: that identity provider does not come along"),
                Some(username),
            );
            continue;
        }
        links.push(Link {
            connection: name.to_owned(),
            subject: subject.to_owned(),
            primary: flag(&identity["primary"]),
            created_ms: number(&identity["dateCreated"]).unwrap_or_default(),
        });
    }
    Ok(links)
}

/// A dump may lack `identities`; a federated user's name says the same: `<ProviderName>_<upstream sub>`.
fn from_username(username: &str, status: Status, connections: &[Connection], created: UnixTime) -> Vec<Link> {
    if status != Status::ExternalProvider {
        return Vec::new();
    }
    let named = connections.iter().find_map(|connection| {
        let subject = username.strip_prefix(&connection.name)?.strip_prefix('_')?;
        Some((connection, subject))
    });
    named
        .into_iter()
        .map(|(connection, subject)| Link {
            connection: connection.name.clone(),
            subject: subject.to_owned(),
            primary: true,
            created_ms: created.0.saturating_mul(1000),
        })
        .collect()
}

/// A time as either version of the CLI prints it: seconds since 1970, or ISO 8601.
fn time(entry: &Map<String, Value>, member: &str) -> UnixTime {
    let seconds = match entry.get(member) {
        Some(Value::String(text)) => DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|time| time.timestamp()),
        // The fraction is not kept.
        Some(value) => value
            .as_i64()
            .or_else(|| value.as_f64().map(|seconds| seconds as i64)),
        None => None,
    };
    UnixTime(seconds.unwrap_or_default())
}

fn text(map: &Map<String, Value>, member: &str) -> Option<String> {
    map.get(member).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn okta(notes: &mut Notes) -> (Connection, Credentials) {
        let printed = json!({
            "ProviderName": "okta-acme", "ProviderType": "OIDC", "IdpIdentifiers": ["acme.example"],
            "ProviderDetails": {
                "oidc_issuer": "https://acme.okta.com", "client_id": "0oa1", "client_secret": "s", "authorize_scopes": "openid email",
                "attributes_request_method": "POST", "jwks_uri": "https://acme.okta.com/keys",
            },
            "AttributeMapping": { "username": "sub", "email": "mail", "custom:gone": "x" },
        });
        connection(&object(printed), &pool::Settings::default(), notes)
            .unwrap()
            .unwrap()
    }

    #[test]
    fn a_connection_remembers_how_it_was_printed_but_for_the_secret() {
        let (connection, credentials) = okta(&mut Notes::default());
        assert_eq!(credentials.client_secret.as_deref().unwrap(), "s");
        let details = json!({
            "oidc_issuer": "https://acme.okta.com", "client_id": "0oa1", "authorize_scopes": "openid email",
            "attributes_request_method": "POST", "jwks_uri": "https://acme.okta.com/keys",
        });
        let kept = object(json!({ "ProviderDetails": details, "IdpIdentifiers": ["acme.example"] }));
        assert_eq!(connection.settings.cognito, kept);
    }

    #[test]
    fn documents_are_told_by_their_members() {
        let told = |value| recognise(object(value));
        assert!(matches!(
            told(json!({ "UserPool": { "Id": "a" } })),
            Document::Pool(_)
        ));
        assert!(matches!(told(json!({ "Groups": [] })), Document::Groups(_)));
        assert_eq!(told(json!({ "PaginationToken": "x" })), Document::Nothing(None));
        for (document, named) in [
            (json!({ "Functions": [] }), "'Functions'"),
            (json!({ "DomainDescription": {} }), "create-user-pool-domain"),
            (json!({ "Providers": [] }), "describe-identity-provider"),
        ] {
            match told(document) {
                Document::Nothing(Some(sentence)) => assert!(sentence.contains(named), "{sentence}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_schema_keeps_what_departs_from_the_standard_one() {
        let mut notes = Notes::default();
        let printed = json!({
            "SchemaAttributes": [
                { "Name": "sub", "Required": true, "Mutable": false },
                { "Name": "email", "Required": true, "Mutable": true },
                { "Name": "name", "Required": false, "Mutable": true },
                { "Name": "custom:level", "AttributeDataType": "Number", "NumberAttributeConstraints": { "MaxValue": "9" } },
                { "Name": "dev:custom:old", "DeveloperOnlyAttribute": true },
            ],
            "MfaConfiguration": "OPTIONAL", "LambdaConfig": { "PreSignUp": "arn" },
        });
        let members = pool_members(object(printed), &mut notes);
        let names: Vec<&str> = members["Schema"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|attribute| attribute["Name"].as_str())
            .collect();
        assert_eq!(names, ["email", "custom:level"]);
        assert!(!members.contains_key("LambdaConfig"));
        assert_eq!(notes.lines().len(), 4, "{:?}", notes.lines());
    }

    #[test]
    fn an_oidc_provider_becomes_a_connection_and_others_are_noted() {
        let mut notes = Notes::default();
        let (connection, credentials) = okta(&mut notes);
        assert_eq!(connection.settings.scopes, ["openid", "email"]);
        assert_eq!(
            connection.mapping.attributes,
            [Rule::new("email", Source::claim("mail"))]
        );
        assert!(connection.settings.shared_callback);
        assert!(credentials.client_secret.is_some());
        assert_eq!(notes.lines().len(), 2, "{:?}", notes.lines());

        let saml = json!({ "ProviderName": "old", "ProviderType": "SAML" });
        let none = super::connection(&object(saml), &pool::Settings::default(), &mut notes);
        assert_eq!(none, Ok(None));
        assert!(notes.lines().iter().any(|line| line.contains("SAML")));
    }

    #[test]
    fn users_keep_what_they_are_known_by() {
        let mut notes = Notes::default();
        let connections = [okta(&mut notes).0];
        let mut notes = Notes::default();
        let read = |entry: Value, notes: &mut Notes| {
            person(&object(entry), &pool::Settings::default(), &connections, notes)
        };
        let linked = json!({
            "Username": "ann", "UserStatus": "CONFIRMED", "Enabled": false, "UserCreateDate": 1754000000.5,
            "UserLastModifiedDate": "2026-08-01T10:00:00+02:00",
            "Attributes": [
                { "Name": "sub", "Value": "s-1" }, { "Name": "email", "Value": "ann@acme.example" },
                { "Name": "email_verified", "Value": "true" }, { "Name": "custom:gone", "Value": "x" },
                { "Name": "identities", "Value": "[{\"userId\":\"00u1\",\"providerName\":\"okta-acme\",\"primary\":\"true\",\"dateCreated\":\"5\"},{\"userId\":\"x\",\"providerName\":\"old\"}]" },
            ],
        });
        let ann = read(linked, &mut notes).unwrap();
        assert_eq!((ann.sub.as_str(), ann.enabled), ("s-1", false));
        assert_eq!(ann.attributes["email_verified"], json!(true));
        assert_eq!(
            (ann.created_at, ann.updated_at),
            (UnixTime(1_754_000_000), UnixTime(1_785_571_200))
        );
        let link = Link {
            connection: "okta-acme".into(),
            subject: "00u1".into(),
            primary: true,
            created_ms: 5,
        };
        assert_eq!(ann.identities, [link]);
        assert_eq!(notes.lines().len(), 3, "{:?}", notes.lines());

        let by_name = json!({
            "Username": "okta-acme_00u2", "UserStatus": "EXTERNAL_PROVIDER", "Attributes": [{ "Name": "sub", "Value": "s-2" }],
        });
        assert_eq!(read(by_name, &mut notes).unwrap().identities[0].subject, "00u2");
        assert!(read(json!({ "Username": "x", "Attributes": [] }), &mut notes).is_err());
    }
}
