//! What there is to import: the configuration read into a bundle at once, the users and their groups in batches, as often
//! as they are asked for.

use std::path::Path;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::read::{self, Members, Source};
use crate::cli::{Failure, Outcome};
use crate::model::client::Settings as ClientSettings;
use crate::rules::moving::cognito::{self, Document};
use crate::rules::moving::envelope::{self, Envelope, Purpose};
use crate::rules::moving::{Bundle, Client, FORMAT, Group, Notes, Person, Pool, Seat, Secrets};
use crate::rules::registration::client::NATIVE;
use crate::web::management;

/// Users, or memberships, in one transaction.
pub const BATCH: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// What the AWS CLI printed.
    Cognito,
    /// What `forebay export` wrote.
    Export,
}

/// A pool to be moved in.
pub struct Dump {
    kind: Kind,
    sources: Vec<Source>,
    pub bundle: Bundle,
    pub secrets: Secrets,
    /// How many users there are.
    pub users: u64,
    /// What cannot come along, as far as it is known before the users are read.
    pub notes: Notes,
}

/// A batch.
pub enum Lot {
    People(Vec<Person>),
    /// Usernames and what they are put into.
    Seats(Vec<(String, Seat)>),
}

/// Reads what the AWS CLI printed.
pub fn cognito(path: &Path) -> Result<Dump, Failure> {
    let sources = read::sources(path)?;
    let mut notes = Notes::default();
    let mut found = Found::default();
    let mut users = 0;
    for source in &sources {
        match &source.members {
            Some(Members::OfGroup(name)) => {
                found.named_groups.push(name.clone());
                continue;
            }
            Some(Members::OfUser(_)) => continue,
            None => {}
        }
        let mut count = 0;
        read::documents(
            &source.path,
            &mut |_| {
                count += 1;
                Ok(())
            },
            &mut |document| {
                match cognito::recognise(document) {
                    Document::Pool(pool) => found.pools.push(pool),
                    Document::Client(client) => found.clients.push(client),
                    Document::Provider(provider) => found.providers.push(provider),
                    Document::ResourceServers(servers) => found.servers.extend(servers),
                    Document::Groups(groups) => found.groups.extend(groups),
                    Document::Nothing(Some(sentence)) => notes.add(sentence, None),
                    Document::Nothing(None) => {}
                }
                Ok(())
            },
        )?;
        users += count;
    }
    let (bundle, secrets) = found.bundle(&mut notes).map_err(Failure::Refused)?;
    Ok(Dump {
        kind: Kind::Cognito,
        sources,
        bundle,
        secrets,
        users,
        notes,
    })
}

/// Reads what `forebay export` wrote; `key` opens its secrets.
pub fn export(path: &Path, key: Option<&str>) -> Result<Dump, Failure> {
    let (mut users, mut document) = (0, None);
    read::documents(
        path,
        &mut |_| {
            users += 1;
            Ok(())
        },
        &mut |rest| {
            document.get_or_insert(rest);
            Ok(())
        },
    )?;
    let mut document = document.unwrap_or_default();
    if document.get("forebay").and_then(Value::as_u64) != Some(FORMAT) {
        return Err(Failure::Refused(format!(
            "{} is no export that this version reads",
            path.display()
        )));
    }
    let unreadable = |why: serde_json::Error| Failure::Refused(format!("{}: {why}", path.display()));
    let sealed: Option<Envelope> = document
        .remove("secrets")
        .filter(|secrets| !secrets.is_null())
        .map(serde_json::from_value)
        .transpose()
        .map_err(unreadable)?;
    let bundle: Bundle = serde_json::from_value(Value::Object(document)).map_err(unreadable)?;
    let mut notes = Notes::default();
    let secrets = match (sealed, key) {
        (Some(sealed), Some(key)) => {
            let opened = envelope::open(Purpose::PoolSecrets, &sealed, &bundle.pool.id, key)
                .map_err(Failure::Refused)?;
            serde_json::from_slice(&opened).map_err(unreadable)?
        }
        (Some(sealed), None) => {
            notes.add(
                format!(
                    "the secrets stay sealed without --key: they were sealed to {}",
                    sealed.recipient
                ),
                None,
            );
            Secrets::default()
        }
        (None, _) => Secrets::default(),
    };
    Ok(Dump {
        kind: Kind::Export,
        sources: vec![Source {
            path: path.to_owned(),
            members: None,
        }],
        bundle,
        secrets,
        users,
        notes,
    })
}

impl Dump {
    /// Hands on the users in batches, then the memberships that stand in files of their own.
    pub fn lots(&self, notes: &mut Notes, sink: &mut dyn FnMut(Lot) -> Outcome) -> Outcome {
        let mut people = Vec::with_capacity(BATCH);
        for source in self.sources.iter().filter(|source| source.members.is_none()) {
            let mut user = |entry| {
                people.push(self.person(entry, notes)?);
                if people.len() < BATCH {
                    return Ok(());
                }
                sink(Lot::People(std::mem::take(&mut people)))
            };
            read::documents(&source.path, &mut user, &mut |_| Ok(()))?;
        }
        if !people.is_empty() {
            sink(Lot::People(people))?;
        }
        let mut seats = Vec::with_capacity(BATCH);
        for source in &self.sources {
            match &source.members {
                None => {}
                Some(Members::OfGroup(group)) => {
                    let mut user = |entry: Map<String, Value>| {
                        let username = entry.get("Username").and_then(Value::as_str).unwrap_or_default();
                        seats.push((username.to_owned(), self.seat(group)));
                        if seats.len() < BATCH {
                            return Ok(());
                        }
                        sink(Lot::Seats(std::mem::take(&mut seats)))
                    };
                    read::documents(&source.path, &mut user, &mut |_| Ok(()))?;
                }
                Some(Members::OfUser(username)) => {
                    read::documents(&source.path, &mut |_| Ok(()), &mut |document| {
                        let groups = document.get("Groups").and_then(Value::as_array);
                        for group in groups.into_iter().flatten() {
                            let name = group["GroupName"].as_str().unwrap_or_default();
                            seats.push((username.clone(), self.seat(name)));
                        }
                        Ok(())
                    })?;
                    if seats.len() >= BATCH {
                        sink(Lot::Seats(std::mem::take(&mut seats)))?;
                    }
                }
            }
        }
        if seats.is_empty() {
            Ok(())
        } else {
            sink(Lot::Seats(seats))
        }
    }

    fn person(&self, entry: Map<String, Value>, notes: &mut Notes) -> Result<Person, Failure> {
        match self.kind {
            Kind::Export => serde_json::from_value(Value::Object(entry)).map_err(|why| why.to_string()),
            Kind::Cognito => cognito::person(
                &entry,
                &self.bundle.pool.settings,
                &self.bundle.connections,
                notes,
            ),
        }
        .map_err(Failure::Refused)
    }

    /// The group of all who came through a connection is the connection's to give, in Cognito as here.
    fn seat(&self, group: &str) -> Seat {
        let pool = &self.bundle.pool.id;
        let by = self
            .bundle
            .connections
            .iter()
            .find(|connection| group == format!("{pool}_{}", connection.name))
            .map(|connection| connection.name.clone());
        Seat {
            group: group.to_owned(),
            by,
            at_first: false,
        }
    }
}

/// The documents of a Cognito pool, as they came.
#[derive(Default)]
struct Found {
    pools: Vec<Map<String, Value>>,
    clients: Vec<Map<String, Value>>,
    providers: Vec<Map<String, Value>>,
    servers: Vec<Value>,
    groups: Vec<Value>,
    /// Those that have a file of members.
    named_groups: Vec<String>,
}

impl Found {
    fn bundle(self, notes: &mut Notes) -> Result<(Bundle, Secrets), String> {
        let [pool] = <[_; 1]>::try_from(self.pools).map_err(|pools: Vec<_>| {
            format!(
                "one pool is moved at a time, and describe-user-pool stands here {} times",
                pools.len()
            )
        })?;
        let text =
            |map: &Map<String, Value>, name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = text(&pool, "Id").ok_or("the pool has no Id")?;
        let name = text(&pool, "Name").ok_or("the pool has no Name")?;
        let settings = management::pool_settings(&cognito::pool_members(pool, notes))?;
        let mut secrets = Secrets::default();
        let mut connections = Vec::new();
        for provider in &self.providers {
            if let Some((connection, credentials)) = cognito::connection(provider, &settings, notes)? {
                secrets.connections.insert(connection.name.clone(), credentials);
                connections.push(connection);
            }
        }
        let servers = self.servers.iter().map(cognito::resource_server);
        let mut bundle = Bundle {
            pool: Pool { id, name, settings },
            tenants: Vec::new(),
            resource_servers: servers.collect::<Result<_, _>>()?,
            connections,
            clients: Vec::new(),
            groups: self.groups.iter().map(cognito::group).collect::<Result<_, _>>()?,
        };
        for name in self.named_groups {
            if !bundle.groups.iter().any(|group| group.name == name) {
                bundle.groups.push(Group {
                    name,
                    description: None,
                    precedence: None,
                    role_arn: None,
                });
            }
        }
        for described in self.clients {
            let id = text(&described, "ClientId").ok_or("an app client has no ClientId")?;
            let name =
                text(&described, "ClientName").ok_or_else(|| format!("app client {id} has no ClientName"))?;
            let mut settings =
                management::client_settings(&described).map_err(|why| format!("app client {id}: {why}"))?;
            let secret = text(&described, "ClientSecret");
            settings.public = secret.is_none();
            leave_behind(&mut settings, &id, &bundle, notes);
            if let Some(secret) = secret {
                secrets.clients.insert(id.clone(), vec![Zeroizing::new(secret)]);
            }
            bundle.clients.push(Client {
                id,
                name,
                enabled: true,
                settings,
            });
        }
        Ok((bundle, secrets))
    }
}

/// What a client refers to and does not come along.
fn leave_behind(settings: &mut ClientSettings, id: &str, bundle: &Bundle, notes: &mut Notes) {
    settings.providers.retain(|name| {
        let comes = name == NATIVE
            || bundle
                .connections
                .iter()
                .any(|connection| connection.name == *name);
        if !comes {
            notes.add(
                format!("'{name}' is no connection that comes along: app clients lose it"),
                Some(id),
            );
        }
        comes
    });
    settings.scopes.retain(|scope| {
        let comes = match scope.rsplit_once('/') {
            None => true,
            Some((server, name)) => bundle
                .resource_servers
                .iter()
                .any(|each| each.identifier == server && each.scopes.iter().any(|scope| scope.name == name)),
        };
        if !comes {
            notes.add(
                format!("scope '{scope}' is of no resource server that comes along: app clients lose it"),
                Some(id),
            );
        }
        comes
    });
}
