//! Linking upstream identities to users: `AdminLinkProviderForUser` and `AdminDisableProviderForUser`.

use serde::Deserialize;
use serde_json::json;

use super::error::Failure;
use super::users::pool_within;
use super::{Answer, Call};
use crate::actions::linking::{self, Kept, Refused, Source};
use crate::actions::native::accounts;
use crate::db::Conn;
use crate::model::pool::Pool;
use crate::model::provider::{self, Provider};
use crate::model::user::{User, directory};

/// Cognito's own name for users with a password.
const NATIVE: &str = "Cognito";
/// Names of the upstream's subject as an attribute.
const SUBJECT: [&str; 2] = ["Cognito_Subject", "sub"];

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    user_pool_id: String,
    destination_user: Identifier,
    source_user: Identifier,
    user: Identifier,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Identifier {
    provider_name: Option<String>,
    provider_attribute_name: Option<String>,
    provider_attribute_value: Option<String>,
}

impl Identifier {
    fn provider(&self, which: &str) -> Result<&str, Failure> {
        given(&self.provider_name).ok_or_else(|| missing(which, "ProviderName"))
    }

    fn value(&self, which: &str) -> Result<&str, Failure> {
        given(&self.provider_attribute_value).ok_or_else(|| missing(which, "ProviderAttributeValue"))
    }

    /// The upstream account.
    fn source(&self, which: &str) -> Result<Source, Failure> {
        let value = self.value(which)?.to_owned();
        let name =
            given(&self.provider_attribute_name).ok_or_else(|| missing(which, "ProviderAttributeName"))?;
        Ok(if SUBJECT.contains(&name) {
            Source::Subject(value)
        } else {
            Source::Attribute {
                name: name.to_owned(),
                value,
            }
        })
    }
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn missing(which: &str, member: &str) -> Failure {
    Failure::invalid(format!("Invalid {which}: {member} is missing"))
}

fn is_native(provider_name: &str) -> bool {
    provider_name.eq_ignore_ascii_case(NATIVE)
}

pub async fn link(call: Call) -> Answer {
    let input: Input = call.read()?;
    let (to, from) = (input.destination_user, input.source_user);
    if is_native(from.provider("SourceUser")?) {
        return Err(Failure::invalid(
            "Invalid SourceUser: Cognito users with a username/password may not be passed in as a SourceUser, only as \
             a DestinationUser",
        ));
    }
    let source = from.source("SourceUser")?;
    to.provider("DestinationUser")?;
    to.value("DestinationUser")?;
    call.act(move |conn, ctx, reach| {
        let pool = pool_within(conn, reach, &input.user_pool_id)?;
        let provider = connection(conn, &pool, from.provider("SourceUser")?)?;
        let user = destination(conn, &pool, &to)?;
        linking::link(conn, ctx, &pool, &provider, &source, &user).map_err(|refused| match refused {
            Refused::LinkedAlready => Failure::invalid("SourceUser is already linked to DestinationUser"),
            Refused::Taken(username) => Failure::invalid(format!(
                "Invalid SourceUser: it is {username} already, and a Cognito user may not be passed in as a \
                 SourceUser, only as a DestinationUser. Merging is not supported: delete or unlink it first"
            )),
            Refused::Come { subject } => Failure::invalid(format!(
                "Invalid SourceUser: somebody who has this value has signed in through the connection before. Link them \
                 by ProviderAttributeName Cognito_Subject, which is {subject}"
            )),
            Refused::Unmapped(why) => Failure::invalid(format!("Invalid SourceUser: {why}")),
            Refused::TooMany(why) => Failure::new("LimitExceededException", why),
            Refused::Failed(error) => error.into(),
        })?;
        Ok(json!({}))
    })
    .await
}

pub async fn unlink(call: Call) -> Answer {
    let Input {
        user_pool_id, user, ..
    } = call.read()?;
    let source = user.source("User")?;
    if is_native(user.provider("User")?) {
        return without_password(call, user_pool_id, source).await;
    }
    call.act(move |conn, ctx, reach| {
        let pool = pool_within(conn, reach, &user_pool_id)?;
        let provider = connection(conn, &pool, user.provider("User")?)?;
        linking::unlink(conn, ctx, &pool, &provider, &source).map_err(|kept| match kept {
            Kept::Unknown => Failure::no_user(),
            Kept::Own => Failure::invalid(
                "Invalid User: the user was made from this identity; AdminDisableUser or AdminDeleteUser keeps them out",
            ),
            Kept::Failed(error) => error.into(),
        })?;
        Ok(json!({}))
    })
    .await
}

/// A user of the pool's own, named by the username: the password signs nobody in any more.
async fn without_password(call: Call, user_pool_id: String, source: Source) -> Answer {
    let Source::Subject(username) = source else {
        return Err(Failure::invalid(
            "Invalid User: ProviderAttributeName must be Cognito_Subject for a user with a password",
        ));
    };
    call.act(move |conn, ctx, reach| {
        let pool = pool_within(conn, reach, &user_pool_id)?;
        let user = directory::find_named(conn, &pool, &username)?.ok_or_else(Failure::no_user)?;
        if accounts::take_password(conn, ctx, &user)? {
            Ok(json!({}))
        } else {
            Err(Failure::invalid("Invalid User: the user has no password"))
        }
    })
    .await
}

fn connection(conn: &mut Conn, pool: &Pool, name: &str) -> Result<Provider, Failure> {
    let found = provider::find_by_name(conn, &pool.id, name)?;
    found.ok_or_else(|| Failure::missing(format!("Identity provider {name} does not exist.")))
}

/// A user of the pool's own by username, or whoever comes through a connection by the subject there.
fn destination(conn: &mut Conn, pool: &Pool, to: &Identifier) -> Result<User, Failure> {
    let (provider, value) = (to.provider("DestinationUser")?, to.value("DestinationUser")?);
    let found = if is_native(provider) {
        directory::find_named(conn, pool, value)?
    } else {
        directory::find_upstream(conn, pool, provider, value)?
    };
    found.ok_or_else(Failure::no_user)
}
