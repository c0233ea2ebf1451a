//! User: a profile in a pool, and the upstream identities that lead to it. How an administrator finds users is in
//! [`search`], how the management API does in [`directory`], how a whole pool is read and written in [`bulk`]; identities
//! linked in advance are in [`link`].

pub mod bulk;
pub mod directory;
pub mod link;
pub mod lookalike;
pub mod search;

use diesel::prelude::*;
use serde_json::{Map, Value};

use crate::db::schema::{identities, users};
use crate::db::{Conn, Json, Prepare, columns};
use crate::model::mapper_input;
use crate::text_enum;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = users)]
#[diesel(treat_none_as_default_value = false)]
pub struct User {
    /// Made here, never reassigned; a UUID.
    pub sub: String,
    pub user_pool_id: String,
    /// `<ProviderName>_<upstream sub>` for a federated user.
    pub username: String,
    pub status: Status,
    pub enabled: bool,
    /// By attribute name, with real JSON types.
    pub attributes: Json<Map<String, Value>>,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
}

text_enum! {
    /// Cognito's `UserStatus`, those that occur here.
    pub enum Status {
        Confirmed = "CONFIRMED",
        ExternalProvider = "EXTERNAL_PROVIDER",
        ForceChangePassword = "FORCE_CHANGE_PASSWORD",
        ResetRequired = "RESET_REQUIRED",
        Unconfirmed = "UNCONFIRMED",
    }
}

/// An upstream account linked to a user. Its key is (provider, issuer, subject), never an email address.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = identities)]
#[diesel(treat_none_as_default_value = false)]
pub struct Identity {
    pub provider_id: String,
    pub issuer: String,
    pub subject: String,
    pub user_sub: String,
    pub provider_name: String,
    /// The identity that the profile was made from.
    pub is_primary: bool,
    /// Milliseconds since 1970, as Cognito's `dateCreated`.
    pub created_ms: i64,
}

impl User {
    /// What a person recognises the account by: email address, name, else the username.
    pub fn label(&self) -> String {
        let text = |name: &str| {
            self.attributes
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        text("email")
            .or_else(|| text("name"))
            .unwrap_or_else(|| self.username.clone())
    }
}

pub fn find(conn: &mut Conn, sub: &str) -> QueryResult<Option<User>> {
    crate::on_backend!(conn, |c| users::table
        .find(sub)
        .select(User::as_select())
        .first(c))
    .optional()
}

pub fn find_by_identity(
    conn: &mut Conn,
    provider_id: &str,
    issuer: &str,
    subject: &str,
) -> QueryResult<Option<User>> {
    identities::table
        .inner_join(users::table)
        .filter(
            identities::provider_id
                .eq(provider_id)
                .and(identities::issuer.eq(issuer))
                .and(identities::subject.eq(subject)),
        )
        .select(User::as_select())
        .first(conn)
        .optional()
}

/// The user as it is now, held until the transaction ends: nobody else changes it in between. On SQLite every write
/// transaction holds the whole database already.
pub fn lock(conn: &mut Conn, sub: &str) -> QueryResult<Option<User>> {
    match conn {
        Conn::Sqlite(_) => find(conn, sub),
        Conn::Postgres(c) => users::table
            .find(sub)
            .for_no_key_update()
            .select(User::as_select())
            .first(c)
            .optional(),
    }
}

/// Sets the attributes and nothing else, so that a sign-in can never undo what an administrator does to the account at
/// the same moment.
pub fn set_attributes(
    conn: &mut Conn,
    sub: &str,
    attributes: &Json<Map<String, Value>>,
    now: UnixTime,
) -> QueryResult<Option<User>> {
    let user = diesel::update(users::table.find(sub))
        .set((users::attributes.eq(attributes), users::updated_at.eq(now)))
        .returning(columns::<User>())
        .prepared()
        .get_result(conn)
        .optional()?;
    if let Some(user) = &user {
        remember(conn, user)?;
    }
    Ok(user)
}

/// Lets the user in or keeps them out.
pub fn set_enabled(conn: &mut Conn, sub: &str, enabled: bool, now: UnixTime) -> QueryResult<Option<User>> {
    let changed = diesel::update(users::table.find(sub))
        .set((users::enabled.eq(enabled), users::updated_at.eq(now)))
        .returning(columns::<User>())
        .get_result(conn)
        .optional()?;
    listed(conn, changed)
}

/// Moves the account from one status to another; false when it was in a third one.
pub fn change_status(
    conn: &mut Conn,
    sub: &str,
    from: Status,
    to: Status,
    now: UnixTime,
) -> QueryResult<bool> {
    let changed = diesel::update(users::table.find(sub).filter(users::status.eq(from)))
        .set((users::status.eq(to), users::updated_at.eq(now)))
        .returning(columns::<User>())
        .get_result(conn)
        .optional()?;
    Ok(listed(conn, changed)?.is_some())
}

/// Keeps the lists that show it true to what an account has become.
fn listed(conn: &mut Conn, changed: Option<User>) -> QueryResult<Option<User>> {
    if let Some(user) = &changed {
        directory::remember(conn, user)?;
    }
    Ok(changed)
}

/// Keeps what users are found by what the profile says now.
fn remember(conn: &mut Conn, user: &User) -> QueryResult<()> {
    search::remember(conn, user)?;
    directory::remember(conn, user)
}

/// Sets the status, whatever it was.
pub fn set_status(conn: &mut Conn, sub: &str, status: Status, now: UnixTime) -> QueryResult<Option<User>> {
    let changed = diesel::update(users::table.find(sub))
        .set((users::status.eq(status), users::updated_at.eq(now)))
        .returning(columns::<User>())
        .get_result(conn)
        .optional()?;
    listed(conn, changed)
}

/// How many users the pool has, counted no further than `most`.
pub fn count_up_to(conn: &mut Conn, user_pool_id: &str, most: i64) -> QueryResult<i64> {
    let some: Vec<String> = users::table
        .filter(users::user_pool_id.eq(user_pool_id))
        .limit(most)
        .select(users::sub)
        .load(conn)?;
    Ok(i64::try_from(some.len()).unwrap_or(most))
}

/// False when the sub, or the username within the pool, is taken.
pub fn insert(conn: &mut Conn, user: &User) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(users::table)
        .values(user)
        .on_conflict_do_nothing()
        .prepared()
        .execute(c))?;
    if rows == 1 {
        remember(conn, user)?;
    }
    Ok(rows == 1)
}

pub fn update(conn: &mut Conn, user: &User) -> QueryResult<Option<User>> {
    let user = diesel::update(users::table.find(&user.sub))
        .set(user)
        .returning(columns::<User>())
        .prepared()
        .get_result(conn)
        .optional()?;
    if let Some(user) = &user {
        remember(conn, user)?;
    }
    Ok(user)
}

/// Deletes the user with everything that is kept of them, the claims of past sign-ins among it.
pub fn delete(conn: &mut Conn, sub: &str) -> QueryResult<bool> {
    mapper_input::forget_user(conn, sub)?;
    Ok(diesel::delete(users::table.find(sub)).execute(conn)? == 1)
}

/// The user's identities, the primary one first.
pub fn identities(conn: &mut Conn, sub: &str) -> QueryResult<Vec<Identity>> {
    crate::on_backend!(conn, |c| identities::table
        .filter(identities::user_sub.eq(sub))
        .order((
            identities::is_primary.desc(),
            identities::created_ms,
            identities::provider_id,
        ))
        .select(Identity::as_select())
        .load(c))
}

/// The identity of that upstream account, whoever it leads to.
pub fn find_identity(
    conn: &mut Conn,
    provider_id: &str,
    issuer: &str,
    subject: &str,
) -> QueryResult<Option<Identity>> {
    identities::table
        .find((provider_id, issuer, subject))
        .select(Identity::as_select())
        .first(conn)
        .optional()
}

/// Takes the upstream account away from the user.
pub fn delete_identity(conn: &mut Conn, identity: &Identity) -> QueryResult<bool> {
    let key = (&identity.provider_id, &identity.issuer, &identity.subject);
    let deleted = diesel::delete(identities::table.find(key)).execute(conn)? == 1;
    // It was found by the subject, too.
    if let Some(user) = find(conn, &identity.user_sub)? {
        search::remember(conn, &user)?;
    }
    Ok(deleted)
}

/// False when that upstream account is linked already: another sign-in of the same person was faster.
pub fn insert_identity(conn: &mut Conn, identity: &Identity) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(identities::table)
        .values(identity)
        .on_conflict_do_nothing()
        .prepared()
        .execute(c))?;
    if rows == 1 {
        search::remember_subject(conn, identity)?;
    }
    Ok(rows == 1)
}

/// Those of the named users that there are.
pub fn find_all(conn: &mut Conn, subs: &[String]) -> QueryResult<Vec<User>> {
    users::table
        .filter(users::sub.eq_any(subs.to_vec()))
        .select(User::as_select())
        .load(conn)
}
