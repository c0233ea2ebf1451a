//! Users who move in, a batch in one transaction: a user who is here and the same is left alone, so a run that was
//! interrupted is finished by the next one, with nobody lost and nobody doubled.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::told;
use crate::actions::{Ctx, record};
use crate::db::{Conn, Json};
use crate::error::Error;
use crate::model::group::{self, Membership};
use crate::model::provider::{self, Provider};
use crate::model::user::{self, Identity, User, bulk};
use crate::rules::moving::{Person, Seat};

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub made: usize,
    pub equal: usize,
    /// Usernames of those who are here and differ.
    pub differing: Vec<String>,
    /// How many of those were made what the import says.
    pub overwritten: usize,
    /// Who cannot be made, and why.
    pub refused: Vec<String>,
    /// Memberships that were added.
    pub memberships: usize,
}

/// A batch as it compares with what is here.
struct Compared<'a> {
    batch: Batch,
    /// Who can be made, or is here: the only ones whose groups matter.
    settled: Vec<&'a Person>,
    new: Vec<&'a Person>,
    /// Are here and differ.
    changed: Vec<(&'a Person, User)>,
    new_links: Vec<Identity>,
}

/// What the batch would do to a pool; nothing is written.
pub fn compare(conn: &mut Conn, user_pool_id: &str, people: &[Person]) -> Result<Batch, Error> {
    let connections = provider::list(conn, user_pool_id)?;
    Ok(compared(conn, user_pool_id, &connections, people)?.batch)
}

/// Makes the batch's users with their links and memberships.
pub fn move_in(
    conn: &mut Conn,
    ctx: &Ctx,
    user_pool_id: &str,
    people: &[Person],
    overwrite: bool,
) -> Result<Batch, Error> {
    let connections = provider::list(conn, user_pool_id)?;
    let compared = compared(conn, user_pool_id, &connections, people)?;
    let mut batch = compared.batch;
    let rows: Vec<User> = compared
        .new
        .iter()
        .map(|person| row(user_pool_id, person))
        .collect();
    let new: HashSet<&str> = compared.new.iter().map(|person| person.sub.as_str()).collect();
    let (of_new, of_others): (Vec<Identity>, Vec<Identity>) = compared
        .new_links
        .into_iter()
        .partition(|link| new.contains(link.user_sub.as_str()));
    if !rows.is_empty() {
        bulk::insert(conn, &rows, &of_new)?;
    }
    if overwrite {
        bulk::insert_identities(conn, &of_others)?;
        for (person, _) in &compared.changed {
            user::update(conn, &row(user_pool_id, person))?;
        }
        batch.overwritten = compared.changed.len();
    }
    let seats = compared.settled.iter().flat_map(|person| {
        person
            .groups
            .iter()
            .map(move |seat| (person.sub.clone(), seat.clone()))
    });
    batch.memberships = seat(conn, ctx, user_pool_id, &connections, seats.collect())?;
    record(
        conn,
        ctx,
        "pool.import",
        Some(user_pool_id),
        user_pool_id,
        told(&batch),
    )?;
    Ok(batch)
}

/// Puts users, by username, into groups. Who is not here is refused.
pub fn join(
    conn: &mut Conn,
    ctx: &Ctx,
    user_pool_id: &str,
    seats: &[(String, Seat)],
) -> Result<Batch, Error> {
    let usernames: Vec<&str> = seats.iter().map(|(username, _)| username.as_str()).collect();
    let subs = bulk::subs_of(conn, user_pool_id, &usernames)?;
    let mut batch = Batch::default();
    let mut found = Vec::new();
    for (username, seat) in seats {
        match subs.get(username) {
            Some(sub) => found.push((sub.clone(), seat.clone())),
            None => batch.refused.push(format!(
                "{username} is in group {} and not among the users",
                seat.group
            )),
        }
    }
    let connections = provider::list(conn, user_pool_id)?;
    batch.memberships = seat(conn, ctx, user_pool_id, &connections, found)?;
    record(
        conn,
        ctx,
        "pool.import",
        Some(user_pool_id),
        user_pool_id,
        told(&batch),
    )?;
    Ok(batch)
}

fn compared<'a>(
    conn: &mut Conn,
    user_pool_id: &str,
    connections: &[Provider],
    people: &'a [Person],
) -> Result<Compared<'a>, Error> {
    let subs: Vec<&str> = people.iter().map(|person| person.sub.as_str()).collect();
    let usernames: Vec<&str> = people.iter().map(|person| person.username.as_str()).collect();
    let here = bulk::find(conn, &subs)?;
    let named = bulk::subs_of(conn, user_pool_id, &usernames)?;
    let owners = owners(conn, connections, people)?;
    let mut compared = Compared {
        batch: Batch::default(),
        settled: Vec::new(),
        new: Vec::new(),
        changed: Vec::new(),
        new_links: Vec::new(),
    };
    // A dump may name somebody twice; the first time counts.
    let (mut seen, mut names) = (HashSet::new(), HashSet::new());
    for person in people {
        if !seen.insert(&person.sub) || !names.insert(&person.username) {
            compared
                .batch
                .refused
                .push(format!("{} comes twice", person.username));
            continue;
        }
        if let Some(why) = hindrance(
            user_pool_id,
            person,
            here.get(&person.sub),
            &named,
            &owners,
            connections,
        ) {
            compared.batch.refused.push(why);
            continue;
        }
        let links: Vec<Identity> = links(person, connections)
            .into_iter()
            .filter(|link| !owners.contains_key(&key(link)))
            .collect();
        match here.get(&person.sub) {
            None => {
                compared.batch.made += 1;
                compared.new.push(person);
            }
            Some(there) if links.is_empty() && is_same(there, person) => compared.batch.equal += 1,
            Some(there) => {
                compared.batch.differing.push(person.username.clone());
                compared.changed.push((person, there.clone()));
            }
        }
        compared.settled.push(person);
        compared.new_links.extend(links);
    }
    Ok(compared)
}

/// When somebody was last changed is not compared: it changes with a sign-in that changes nothing else.
fn is_same(there: &User, person: &Person) -> bool {
    there.username == person.username
        && there.status == person.status
        && there.enabled == person.enabled
        && there.attributes.0 == person.attributes
}

/// Why the person cannot be made or changed, in a sentence.
fn hindrance(
    user_pool_id: &str,
    person: &Person,
    here: Option<&User>,
    named: &HashMap<String, String>,
    owners: &HashMap<(String, String), String>,
    connections: &[Provider],
) -> Option<String> {
    let name = &person.username;
    if here.is_some_and(|there| there.user_pool_id != user_pool_id) {
        return Some(format!("the sub of {name} is a user's of another pool"));
    }
    if named.get(name).is_some_and(|sub| *sub != person.sub) {
        return Some(format!("{name} is the name of somebody else here"));
    }
    for link in &person.identities {
        if !connections
            .iter()
            .any(|connection| connection.name == link.connection)
        {
            return Some(format!(
                "{name} is linked to {}, which there is not",
                link.connection
            ));
        }
    }
    let taken = links(person, connections)
        .iter()
        .any(|link| owners.get(&key(link)).is_some_and(|sub| *sub != person.sub));
    taken.then(|| format!("an upstream account of {name} is linked to somebody else here"))
}

/// Who has the upstream accounts of these people: by provider and subject.
fn owners(
    conn: &mut Conn,
    connections: &[Provider],
    people: &[Person],
) -> Result<HashMap<(String, String), String>, Error> {
    let mut owners = HashMap::new();
    for connection in connections {
        let subjects: Vec<&str> = people
            .iter()
            .flat_map(|person| &person.identities)
            .filter(|link| link.connection == connection.name)
            .map(|link| link.subject.as_str())
            .collect();
        if subjects.is_empty() {
            continue;
        }
        for (subject, sub) in bulk::owners(conn, &connection.id, &connection.issuer, &subjects)? {
            owners.insert((connection.id.clone(), subject), sub);
        }
    }
    Ok(owners)
}

fn key(link: &Identity) -> (String, String) {
    (link.provider_id.clone(), link.subject.clone())
}

fn links(person: &Person, connections: &[Provider]) -> Vec<Identity> {
    person
        .identities
        .iter()
        .filter_map(|link| {
            let connection = connections
                .iter()
                .find(|connection| connection.name == link.connection)?;
            Some(Identity {
                provider_id: connection.id.clone(),
                issuer: connection.issuer.clone(),
                subject: link.subject.clone(),
                user_sub: person.sub.clone(),
                provider_name: connection.name.clone(),
                is_primary: link.primary,
                created_ms: link.created_ms,
            })
        })
        .collect()
}

fn row(user_pool_id: &str, person: &Person) -> User {
    User {
        sub: person.sub.clone(),
        user_pool_id: user_pool_id.to_owned(),
        username: person.username.clone(),
        status: person.status,
        enabled: person.enabled,
        attributes: Json(person.attributes.clone()),
        created_at: person.created_at,
        updated_at: person.updated_at,
    }
}

/// Adds the memberships that are not there; gives how many. The groups are there: the configuration came first.
fn seat(
    conn: &mut Conn,
    ctx: &Ctx,
    user_pool_id: &str,
    connections: &[Provider],
    seats: Vec<(String, Seat)>,
) -> Result<usize, Error> {
    if seats.is_empty() {
        return Ok(0);
    }
    let subs: BTreeSet<&str> = seats.iter().map(|(sub, _)| sub.as_str()).collect();
    let subs: Vec<&str> = subs.into_iter().collect();
    let mut there: HashSet<(String, String, String)> = group::memberships_of(conn, &subs)?
        .into_iter()
        .map(|held| (held.user_sub, held.group_name, held.source))
        .collect();
    let mut new = Vec::new();
    for (sub, seat) in seats {
        let given_by = seat
            .by
            .as_ref()
            .and_then(|name| connections.iter().find(|connection| connection.name == *name));
        let source = given_by.map_or_else(
            || {
                if seat.at_first {
                    group::AT_FIRST
                } else {
                    group::BY_ADMIN
                }
                .to_owned()
            },
            |connection| group::by_provider(&connection.id),
        );
        if there.insert((sub.clone(), seat.group.clone(), source.clone())) {
            new.push(Membership {
                user_sub: sub,
                user_pool_id: user_pool_id.to_owned(),
                group_name: seat.group,
                source,
                created_at: ctx.now,
            });
        }
    }
    group::insert_memberships(conn, &new)?;
    Ok(new.len())
}
