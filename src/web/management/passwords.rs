//! Native users and their passwords, as administrators make and set them. No mail is sent from here: a temporary password
//! is given by whoever makes the user, and told to them some other way.

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::error::Failure;
use super::{Answer, Call, users};
use crate::actions::native::accounts::{self, NewUser};
use crate::actions::native::{self, NewPassword};
use crate::broker::hooks::{self, Visit};
use crate::model::pool::Pool;
use crate::model::user::{Status, User, directory};
use crate::rules::aws::password_policy::Policy;
use crate::rules::email::Email;
use crate::rules::hook::Source;
use crate::rules::secret;

/// The client id in Cognito's events where no client takes part.
const NO_CLIENT: &str = "CLIENT_ID_NOT_APPLICABLE";

pub async fn create(call: Call) -> Answer {
    let pool = pool_of(&call).await?;
    let name: String = call.member("Username")?.unwrap_or_default();
    let typed: Option<String> = call.member("TemporaryPassword")?;
    let typed = typed.filter(|text| !text.is_empty()).map(Zeroizing::new);
    let action: Option<String> = call.member("MessageAction")?;
    if action.as_deref() == Some("RESEND") {
        return invite_again(call, pool, &name, typed).await;
    }
    if typed.is_none() && action.as_deref() != Some("SUPPRESS") {
        return Err(unsendable());
    }
    let mut attributes: Map<String, Value> = users::given_attributes(&call)?.into_iter().collect();
    if ["sub", "identities"]
        .iter()
        .any(|name| attributes.contains_key(*name))
    {
        return Err(Failure::invalid("sub and identities cannot be written"));
    }
    let sub = secret::uuid(&call.broker.entropy);
    let by_email = native::lists_email(&pool, "UsernameAttributes");
    let username = match Email::parse(&name) {
        Ok(email) if by_email => {
            attributes.insert("email".into(), json!(email.as_str()));
            sub.clone()
        }
        Err(_) if by_email => return Err(Failure::invalid("Username should be an email.")),
        Ok(_) if native::lists_email(&pool, "AliasAttributes") => {
            return Err(Failure::invalid(
                "Username cannot be of email format, since user pool is configured for email alias.",
            ));
        }
        _ => directory::username(&pool, &name),
    };
    heed_hook(&call, &pool, &username, &attributes).await?;
    let policy = Policy::of(&pool.settings);
    let password = match typed {
        Some(typed) => Some(made(&call, &pool, &policy, &username, typed).await?),
        None => None,
    };
    // An address that is the name itself is never taken from anybody.
    let force: Option<bool> = call.member("ForceAliasCreation")?;
    let takes_alias = force.unwrap_or(false) && !by_email;
    call.act(move |conn, ctx, reach| {
        users::pool_within(conn, reach, &pool.id)?;
        let new = NewUser {
            pool: &pool,
            sub,
            username,
            attributes,
            takes_alias,
            password,
            temporary_until: ctx.now.plus(validity_seconds(&policy)),
        };
        let user = accounts::create(conn, ctx, new)?;
        Ok(json!({ "User": users::shape(&user, &[], "Attributes", None) }))
    })
    .await
}

/// Asks the pool's hook whether there may be such a user, once it is clear that the caller may make one.
async fn heed_hook(
    call: &Call,
    pool: &Pool,
    username: &str,
    attributes: &Map<String, Value>,
) -> Result<(), Failure> {
    if pool.settings.lambda.pre_sign_up.is_none() {
        return Ok(());
    }
    let reach = call.changes()?;
    let facts = call.broker.pool(&pool.id).await?;
    let facts = facts
        .filter(|_| reach.has_pool(&pool.id))
        .ok_or_else(|| Failure::no_pool(&pool.id))?;
    let given: Vec<users::AttributeInput> = call.member("ValidationData")?.unwrap_or_default();
    let validation_data = given
        .into_iter()
        .map(|one| (one.name, json!(one.value.unwrap_or_default())));
    let mut visit = Visit {
        client_metadata: call.member("ClientMetadata")?.unwrap_or_else(|| json!({})),
        validation_data: validation_data.collect(),
        ..Visit::new(&call.broker, &facts, NO_CLIENT)
    };
    hooks::pre_sign_up(&mut visit, Source::SignUpAdminCreateUser, username, attributes).await?;
    Ok(())
}

/// `RESEND`: the user who has not yet signed in gets another temporary password.
async fn invite_again(call: Call, pool: Pool, name: &str, typed: Option<Zeroizing<String>>) -> Answer {
    let Some(typed) = typed else {
        return Err(unsendable());
    };
    let user = user_of(&call, &pool, name).await?;
    if user.status != Status::ForceChangePassword {
        return Err(Failure::new(
            "UnsupportedUserStateException",
            format!(
                "Resend not possible. {} status is not FORCE_CHANGE_PASSWORD",
                name
            ),
        ));
    }
    let policy = Policy::of(&pool.settings);
    let new = made(&call, &pool, &policy, &user.username, typed).await?;
    call.act(move |conn, ctx, reach| {
        let until = ctx.now.plus(validity_seconds(&policy));
        accounts::set_password(conn, ctx, reach, &user.sub, new, Some(until))?;
        Ok(json!({ "User": users::shape(&user, &[], "Attributes", None) }))
    })
    .await
}

pub async fn set(call: Call) -> Answer {
    let pool = pool_of(&call).await?;
    let name: String = call.member("Username")?.unwrap_or_default();
    let typed = Zeroizing::new(call.member("Password")?.unwrap_or_default());
    let permanent: bool = call.member("Permanent")?.unwrap_or_default();
    let user = user_of(&call, &pool, &name).await?;
    let policy = Policy::of(&pool.settings);
    let new = made(&call, &pool, &policy, &user.username, typed).await?;
    call.act(move |conn, ctx, reach| {
        let until = (!permanent).then(|| ctx.now.plus(validity_seconds(&policy)));
        accounts::set_password(conn, ctx, reach, &user.sub, new, until)?;
        Ok(json!({}))
    })
    .await
}

/// No code is mailed: the password just signs nobody in until an administrator sets another.
pub async fn reset(call: Call) -> Answer {
    let pool = pool_of(&call).await?;
    let name: String = call.member("Username")?.unwrap_or_default();
    let user = user_of(&call, &pool, &name).await?;
    call.act(move |conn, ctx, reach| {
        accounts::require_reset(conn, ctx, reach, &user.sub)?;
        Ok(json!({}))
    })
    .await
}

fn validity_seconds(policy: &Policy) -> i64 {
    policy.temporary_password_validity_days.saturating_mul(86_400)
}

/// The pool that the call names, within what the caller sees.
async fn pool_of(call: &Call) -> Result<Pool, Failure> {
    let (id, sees) = (call.pool_id(), call.caller.sees.clone());
    let db = &call.broker.db;
    db.read(move |conn| users::pool_within(conn, &sees, &id)).await
}

async fn user_of(call: &Call, pool: &Pool, name: &str) -> Result<User, Failure> {
    let (pool, name) = (pool.clone(), name.to_owned());
    let db = &call.broker.db;
    db.read(move |conn| native::find(conn, &pool, &name)?.ok_or_else(Failure::no_user))
        .await
}

/// The password, checked against the pool's policy and hashed.
async fn made(
    call: &Call,
    pool: &Pool,
    policy: &Policy,
    username: &str,
    typed: Zeroizing<String>,
) -> Result<NewPassword, Failure> {
    // Before the work of a hash is done for whoever may only look.
    call.changes()?;
    policy
        .check(&typed)
        .map_err(|why| Failure::new("InvalidPasswordException", why))?;
    let broker = &call.broker;
    let made = broker
        .passwords
        .make(&broker.entropy, &pool.id, username, typed)
        .await;
    made.ok_or_else(|| Failure::new("InternalErrorException", "The password could not be hashed"))
}

fn unsendable() -> Failure {
    Failure::invalid(
        "No invitation is mailed from here: give TemporaryPassword and tell the user yourself, or set MessageAction to \
         SUPPRESS and use AdminSetUserPassword",
    )
}
