//! App client: a downstream application, what it may ask for, and the secrets it proves itself with.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::db::schema::{app_clients, client_secrets};
use crate::db::search::{anywhere, lower};
use crate::db::{Conn, Json, MultiBackend, columns};
use crate::model::reach::Reach;
use crate::text_enum;
use crate::world::UnixTime;

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = app_clients)]
#[diesel(treat_none_as_null = true)]
pub struct Client {
    /// Unique over all pools: the client id alone tells the pool.
    pub id: String,
    pub user_pool_id: String,
    pub name: String,
    pub enabled: bool,
    pub settings: Json<Settings>,
    pub created_at: UnixTime,
    pub updated_at: UnixTime,
}

text_enum! {
    /// Cognito's `AllowedOAuthFlows`.
    pub enum Flow { Code = "code", Implicit = "implicit", ClientCredentials = "client_credentials" }
}

/// What the client may do (Cognito's names in their own spelling where they have one).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `CallbackURLs`: exact strings.
    pub redirect_uris: Vec<String>,
    /// Patterns of callbacks of preview deployments, whose hosts nobody knows beforehand: `https://*.` and a suffix that the
    /// pool admits. Only for clients that are no production app.
    pub preview_redirect_uris: Vec<String>,
    /// The app is a preview, a sandbox or somebody's own machine.
    pub non_production: bool,
    /// `LogoutURLs`: exact strings, also good as `post_logout_redirect_uri`.
    pub logout_uris: Vec<String>,
    pub default_redirect_uri: Option<String>,
    /// Where the app begins a sign-in for others (OIDC Registration §2 `initiate_login_uri`).
    pub initiate_login_uri: Option<String>,
    pub flows: Vec<Flow>,
    pub scopes: Vec<String>,
    /// `SupportedIdentityProviders`: provider names of the pool; `COGNITO` stands for native users.
    pub providers: Vec<String>,
    pub access_token_seconds: i64,
    pub id_token_seconds: i64,
    pub refresh_token_seconds: i64,
    /// Attributes that tokens and userInfo may carry; `None`: all.
    pub read_attributes: Option<Vec<String>>,
    /// Attributes that this client's users and sign-ins may change; `None`: all.
    pub write_attributes: Option<Vec<String>>,
    /// `EnableTokenRevocation`.
    pub revocation: bool,
    pub rotation: Rotation,
    /// The client keeps no secret and proves itself by PKCE alone. Fixed at registration.
    pub public: bool,
    /// A confidential client must use PKCE, too (RFC 9700 §2.1.1); public clients always must.
    pub require_pkce: bool,
    /// The client may bring ID tokens of its connections of the kind token-in and gets ours for them (RFC 8693).
    pub token_exchange: bool,
    /// Members of Cognito's `UserPoolClientType` that mean nothing here, as they were set.
    pub cognito: Map<String, Value>,
    /// The claims that the app needs; empty: none in particular.
    pub contract: Vec<ContractClaim>,
    /// For how many minutes after a sign-in the client takes its session instead of asking again; `None`: as long as the
    /// session lives.
    pub sso_minutes: Option<i64>,
    /// Who may enter; all of them must hold. Empty: everybody who can sign in.
    pub access: Vec<AccessRule>,
    /// The `acr` values of which a sign-in must have one; empty: any sign-in will do.
    pub requires_acr: Vec<String>,
    /// The login page asks for the address first, and shows no buttons of tenants' connections.
    pub email_first: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            redirect_uris: Vec::new(),
            preview_redirect_uris: Vec::new(),
            non_production: false,
            logout_uris: Vec::new(),
            default_redirect_uri: None,
            initiate_login_uri: None,
            flows: vec![Flow::Code],
            scopes: Vec::new(),
            providers: Vec::new(),
            access_token_seconds: 3600,
            id_token_seconds: 3600,
            refresh_token_seconds: 30 * 86_400,
            read_attributes: None,
            write_attributes: None,
            revocation: true,
            rotation: Rotation::default(),
            public: false,
            require_pkce: false,
            token_exchange: false,
            cognito: Map::new(),
            contract: Vec::new(),
            sso_minutes: None,
            access: Vec::new(),
            requires_acr: Vec::new(),
            email_first: false,
        }
    }
}

text_enum! {
    /// A JSON type, as JSON Schema names it.
    pub enum ContractKind {
        String = "string",
        Number = "number",
        Boolean = "boolean",
        Array = "array",
        Object = "object",
    }
}

/// One claim that the app needs in ID tokens and userInfo answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContractClaim {
    pub claim: String,
    pub kind: ContractKind,
    #[serde(default)]
    pub required: bool,
    /// The values it may have, or a list's elements; empty: any.
    #[serde(default)]
    pub one_of: Vec<String>,
}

/// One condition on who may enter the app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccessRule {
    pub name: String,
    /// CEL over `user`, `groups`, `tenant`, `connection` and `amr`.
    pub expression: String,
    /// Whom those may ask who are refused.
    pub contact: String,
}

/// Cognito's `RefreshTokenRotation`. A public client's tokens rotate whatever it says (RFC 9700 §2.2.2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rotation {
    pub enabled: bool,
    /// 0-60: how long the predecessor still yields the same successor.
    pub grace_seconds: i64,
}

/// One live secret of a client: its hash to compare with, and itself sealed for the API calls that must show it.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = client_secrets)]
pub struct Secret {
    /// `<client id>--<created at>`, as Cognito's.
    pub id: String,
    pub client_id: String,
    /// SHA-256: generated secrets are random, so a password hash would only cost.
    pub hash: Vec<u8>,
    pub sealed: Vec<u8>,
    pub created_at: UnixTime,
}

pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<Client>> {
    app_clients::table
        .find(id)
        .select(Client::as_select())
        .first(conn)
        .optional()
}

pub fn list(conn: &mut Conn, user_pool_id: &str) -> QueryResult<Vec<Client>> {
    app_clients::table
        .filter(app_clients::user_pool_id.eq(user_pool_id))
        .order((app_clients::name, app_clients::id))
        .select(Client::as_select())
        .load(conn)
}

fn within(reach: &Reach) -> app_clients::BoxedQuery<'static, MultiBackend> {
    let query = app_clients::table.into_boxed();
    if reach.everything {
        return query;
    }
    query.filter(app_clients::user_pool_id.eq_any(reach.pools.clone()))
}

/// The client, for an administrator whose reach has its pool as a whole.
pub fn find_within(conn: &mut Conn, reach: &Reach, id: &str) -> QueryResult<Option<Client>> {
    within(reach)
        .filter(app_clients::id.eq(id.to_owned()))
        .select(Client::as_select())
        .first(conn)
        .optional()
}

/// The first of the clients within reach, of one pool or of all, whose name or id holds `search`, by name, from the one
/// after `after` on.
pub fn page(
    conn: &mut Conn,
    reach: &Reach,
    user_pool_id: Option<&str>,
    search: &str,
    after: Option<&Client>,
    limit: i64,
) -> QueryResult<Vec<Client>> {
    let pattern = anywhere(search);
    let mut query = within(reach)
        .filter(
            lower(app_clients::name)
                .like(pattern.clone())
                .escape('!')
                .or(lower(app_clients::id).like(pattern).escape('!')),
        )
        .order((app_clients::name, app_clients::id))
        .limit(limit)
        .select(Client::as_select());
    if let Some(id) = user_pool_id {
        query = query.filter(app_clients::user_pool_id.eq(id.to_owned()));
    }
    if let Some(last) = after {
        query = query.filter(
            app_clients::name.gt(last.name.clone()).or(app_clients::name
                .eq(last.name.clone())
                .and(app_clients::id.gt(last.id.clone()))),
        );
    }
    query.load(conn)
}

/// False when the id is taken.
pub fn insert(conn: &mut Conn, client: &Client) -> QueryResult<bool> {
    let rows = crate::on_backend!(conn, |c| diesel::insert_into(app_clients::table)
        .values(client)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

/// Holds the row until the transaction ends, and reads it.
pub fn lock(conn: &mut Conn, id: &str) -> QueryResult<Option<Client>> {
    diesel::update(app_clients::table.find(id))
        .set(app_clients::updated_at.eq(app_clients::updated_at))
        .returning(columns::<Client>())
        .get_result(conn)
        .optional()
}

pub fn update(conn: &mut Conn, client: &Client) -> QueryResult<Option<Client>> {
    diesel::update(app_clients::table.find(&client.id))
        .set(client)
        .returning(columns::<Client>())
        .get_result(conn)
        .optional()
}

pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(diesel::delete(app_clients::table.find(id)).execute(conn)? == 1)
}

pub fn secrets(conn: &mut Conn, client_id: &str) -> QueryResult<Vec<Secret>> {
    client_secrets::table
        .filter(client_secrets::client_id.eq(client_id))
        .order(client_secrets::created_at)
        .select(Secret::as_select())
        .load(conn)
}

pub fn insert_secret(conn: &mut Conn, secret: &Secret) -> QueryResult<()> {
    diesel::insert_into(client_secrets::table)
        .values(secret)
        .execute(conn)
        .map(|_| ())
}

pub fn delete_secret(conn: &mut Conn, client_id: &str, id: &str) -> QueryResult<bool> {
    let rows = diesel::delete(
        client_secrets::table
            .find(id)
            .filter(client_secrets::client_id.eq(client_id)),
    )
    .execute(conn)?;
    Ok(rows == 1)
}
