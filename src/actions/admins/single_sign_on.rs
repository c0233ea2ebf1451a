//! Administrators who sign in through a pool: the rules that make them, the app client that the console is there, and
//! their arrival.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Ctx, Place, Proof, Scope, check_may_give, check_role, record, sessions};
use crate::actions::clients::{self, ClientChange, NewClient, NewSecret};
use crate::actions::offers::Offer;
use crate::actions::pools;
use crate::actions::tokens;
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::administrator::{self, Administrator, Grant, Rights, Role};
use crate::model::administrator_rule::{self, AdministratorRule};
use crate::model::client::{self, Client, Flow, Settings};
use crate::model::reach::Reach;
use crate::model::user::User;
use crate::model::{admin_session, group, pool, provider, tenant, token, user};
use crate::rules::grant::Shown;
use crate::rules::{console_roles, secret};
use crate::world::UnixTime;

/// The longest name of a group, in characters (as Cognito's).
const LONGEST_GROUP: usize = 128;

/// A rule to make.
#[derive(Clone, Debug)]
pub struct NewRule {
    pub user_pool_id: String,
    pub group_name: String,
    /// The connection whose word counts beside that of administrators here.
    pub provider_id: Option<String>,
    pub role: Role,
    pub scope: Scope,
}

/// Makes a rule, and with the pool's first one the app client that the console is there.
pub fn add_rule(
    conn: &mut Conn,
    ctx: &Ctx,
    rights: &Rights,
    callback: &str,
    new: NewRule,
) -> Result<AdministratorRule, Error> {
    let pool = pool::find_within(conn, &rights.changes, &new.user_pool_id)?
        .ok_or_else(|| Error::not_found("user pool", new.user_pool_id.as_str()))?;
    check_role(conn, new.role, &new.scope)?;
    check_may_give(conn, rights, new.role, &new.scope)?;
    check_own_pool(conn, &pool.id, &new.scope)?;
    let length = new.group_name.chars().count();
    if length == 0 || length > LONGEST_GROUP || new.group_name.chars().any(char::is_control) {
        return Err(Error::invalid("group", "Name the group, in 1 to 128 characters."));
    }
    let rule = AdministratorRule {
        id: secret::uuid(&ctx.entropy),
        user_pool_id: pool.id,
        group_name: new.group_name,
        provider_id: new.provider_id,
        role: new.role,
        scope_pool_id: new.scope.pool().map(str::to_owned),
        scope_tenant_id: new.scope.tenant().map(str::to_owned),
        created_at: ctx.now,
    };
    if let Some(id) = &rule.provider_id {
        let provider = provider::find_within(conn, &rights.changes, id)?
            .ok_or_else(|| Error::not_found("connection", id.as_str()))?;
        if !console_roles::vouches(&provider, &rule) {
            return Err(Error::invalid(
                "provider",
                "A tenant's own connection can only make administrators and viewers of that tenant.",
            ));
        }
    }
    administrator_rule::insert(conn, &rule)?;
    settle_client(conn, ctx, &rule.user_pool_id, callback)?;
    record(
        conn,
        ctx,
        "administrator_rule.create",
        Some(&rule.user_pool_id),
        &rule.group_name,
        shape(&rule),
    )?;
    Ok(rule)
}

/// A pool's administrators decide who is in its groups and what its connections say: a rule of theirs may give nothing
/// that lies beyond the pool.
fn check_own_pool(conn: &mut Conn, user_pool_id: &str, scope: &Scope) -> Result<(), Error> {
    let is_own = match scope {
        Scope::Everything => false,
        Scope::Pool(id) => id == user_pool_id,
        Scope::Tenant(id) => tenant::find(conn, &Reach::everything(), id)?
            .is_some_and(|tenant| tenant.user_pool_id == user_pool_id),
    };
    if is_own {
        return Ok(());
    }
    Err(Error::invalid(
        "scope",
        "Whoever administers the pool decides who is in its groups, so a rule can only give a role for that pool or for a \
         tenant of it. For anything beyond, invite the person.",
    ))
}

/// Deletes a rule that these rights could have made. Whoever came in by it alone is out with the next request.
pub fn delete_rule(conn: &mut Conn, ctx: &Ctx, rights: &Rights, id: &str) -> Result<(), Error> {
    let missing = || Error::not_found("rule", id);
    let rule = administrator_rule::find(conn, id)?.ok_or_else(missing)?;
    pool::find_within(conn, &rights.changes, &rule.user_pool_id)?.ok_or_else(missing)?;
    check_may_give(conn, rights, rule.role, &scope(&rule))?;
    administrator_rule::delete(conn, id)?;
    record(
        conn,
        ctx,
        "administrator_rule.delete",
        Some(&rule.user_pool_id),
        &rule.group_name,
        shape(&rule),
    )?;
    Ok(())
}

/// Where the rule's role holds.
pub fn scope(rule: &AdministratorRule) -> Scope {
    match (&rule.scope_pool_id, &rule.scope_tenant_id) {
        (Some(id), _) => Scope::Pool(id.clone()),
        (None, Some(id)) => Scope::Tenant(id.clone()),
        (None, None) => Scope::Everything,
    }
}

fn shape(rule: &AdministratorRule) -> serde_json::Value {
    json!({
        "group": rule.group_name,
        "connection": rule.provider_id,
        "role": rule.role,
        "pool": rule.scope_pool_id,
        "tenant": rule.scope_tenant_id,
    })
}

/// The id of the console's app client in a pool.
pub fn client_id(user_pool_id: &str) -> String {
    let digest = Sha256::digest(user_pool_id.as_bytes());
    let tail: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("forebayconsole{tail}")
}

/// Whether that client is the console itself.
pub fn is_console(client: &Client) -> bool {
    client.id == client_id(&client.user_pool_id)
}

/// Makes the console's app client of the pool, or lets it use the connections that have come since. Nobody knows its
/// secret: codes are exchanged in process, and nobody else is to exchange them.
fn settle_client(conn: &mut Conn, ctx: &Ctx, user_pool_id: &str, callback: &str) -> Result<(), Error> {
    let id = client_id(user_pool_id);
    let providers: Vec<String> = provider::list(conn, user_pool_id)?
        .into_iter()
        .map(|provider| provider.name)
        .collect();
    let redirect_uris = vec![callback.to_owned()];
    match client::find(conn, &id)? {
        Some(found) => {
            if found.settings.providers == providers && found.settings.redirect_uris == redirect_uris {
                return Ok(());
            }
            let settings = Settings {
                redirect_uris,
                providers,
                ..found.settings.0
            };
            let change = ClientChange {
                settings: Some(settings),
                ..ClientChange::default()
            };
            clients::update(conn, ctx, &id, change)?;
        }
        None => {
            let new = NewClient {
                id: Some(id),
                user_pool_id: pools::find(conn, user_pool_id)?.id,
                name: "Forebay console".into(),
                secret: NewSecret::Generate,
                settings: Settings {
                    redirect_uris,
                    flows: vec![Flow::Code],
                    scopes: vec!["openid".into()],
                    providers,
                    require_pkce: true,
                    ..Settings::default()
                },
            };
            clients::create(conn, ctx, new)?;
        }
    }
    Ok(())
}

/// The roles of a user at this moment: none when disabled, or when the connection they came by is.
pub fn grants(
    conn: &mut Conn,
    administrator_id: &str,
    user_sub: &str,
    came_by: &str,
) -> Result<Vec<Grant>, StoreError> {
    let Some(user) = user::find(conn, user_sub)?.filter(|user| user.enabled) else {
        return Ok(Vec::new());
    };
    let rules = administrator_rule::in_force(conn, &user.user_pool_id)?;
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let memberships = group::memberships(conn, user_sub)?;
    let mut providers = provider::list(conn, &user.user_pool_id)?;
    providers.retain(|provider| provider.enabled);
    Ok(console_roles::granted(
        administrator_id,
        &rules,
        &memberships,
        &providers,
        came_by,
    ))
}

/// What came back to the console's callback, and what was remembered when it was sent out.
pub struct Arrival<'a> {
    pub client: &'a Client,
    pub offer: &'a Offer,
    pub shown: Shown<'a>,
    pub nonce: &'a str,
    /// The person was to prove anew who they are: since when, and the session that this replaces, as lists name it.
    pub anew: Option<(UnixTime, String)>,
}

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The code is not good, or not for this.
    Code,
    /// The person was not asked anew who they are.
    Stale,
    /// The person's groups give no role.
    NoRole,
    Disabled,
}

/// Signs in whoever the code is for: found or made, if a rule gives them a role. Gives the cookie's value.
pub fn arrive(
    conn: &mut Conn,
    ctx: &Ctx,
    arrival: &Arrival<'_>,
    mut place: Place,
) -> Result<Result<String, Refused>, StoreError> {
    let exchanged = tokens::exchange(conn, ctx, arrival.client, arrival.offer, &arrival.shown)?;
    let Ok(exchanged) = exchanged else {
        return Ok(Err(Refused::Code));
    };
    // Who it is was all that was to be known.
    token::revoke_family(conn, &exchanged.family.origin_jti, ctx.now)?;
    let granted = &exchanged.family.granted;
    if granted.nonce.as_deref() != Some(arrival.nonce) {
        return Ok(Err(Refused::Code));
    }
    if arrival
        .anew
        .as_ref()
        .is_some_and(|(since, _)| granted.auth_time < *since)
    {
        return Ok(Err(Refused::Stale));
    }
    let known = administrator::find_by_user(conn, &exchanged.user.sub)?;
    if known.as_ref().is_some_and(|known| !known.enabled) {
        return Ok(Err(Refused::Disabled));
    }
    let id = known
        .as_ref()
        .map_or_else(|| secret::uuid(&ctx.entropy), |known| known.id.clone());
    if grants(conn, &id, &exchanged.user.sub, &granted.provider_id)?.is_empty() {
        return Ok(Err(Refused::NoRole));
    }
    if known.is_none() && !insert(conn, ctx, id.clone(), &exchanged.user)? {
        return Ok(Err(Refused::Code));
    }
    if let Some((_, session)) = &arrival.anew {
        admin_session::delete_named(conn, &id, session)?;
    }
    place.provider_id = Some(granted.provider_id.clone());
    let proof = Proof::Pool {
        asked_at: granted.auth_time,
    };
    let opened = sessions::sign_in(conn, ctx, &id, &proof, place, None)?;
    Ok(opened.ok_or(Refused::Disabled))
}

/// Makes the administrator that a user of a pool is.
fn insert(conn: &mut Conn, ctx: &Ctx, id: String, user: &User) -> Result<bool, StoreError> {
    let row = Administrator {
        id,
        email: format!("{}@{}", user.username, user.user_pool_id),
        name: user.label(),
        password_hash: None,
        user_sub: Some(user.sub.clone()),
        enabled: true,
        created_at: ctx.now,
        updated_at: ctx.now,
        last_seen_at: None,
    };
    if !administrator::insert(conn, &row)? {
        return Ok(false);
    }
    record(
        conn,
        &ctx.by(&row),
        "administrator.create",
        Some(&user.user_pool_id),
        &row.email,
        json!({ "user": user.sub }),
    )?;
    Ok(true)
}
