//! The answers to challenges: SRP's proof of the password, and another password in place of a temporary one.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::Step;
use crate::actions::native::{self, sign_in};
use crate::broker::sign_in::Proof;
use crate::error::{Error, StoreError};
use crate::model::challenge::Name;
use crate::model::user::User;
use crate::rules::attribute;
use crate::rules::aws::password_policy::Policy;
use crate::rules::hook::Source;
use crate::web::management::error::Failure;
use crate::web::management::{Answer, own};

/// The prefix of attributes that come with a new password.
const ATTRIBUTE: &str = "userAttributes.";

impl Step {
    /// What the app shows beside the fields of the new password; both lists are JSON text.
    pub(super) fn new_password_parameters(&self, user: &User) -> Value {
        let required: Vec<String> = self
            .app
            .pool
            .pool
            .settings
            .attributes
            .iter()
            .filter(|attribute| attribute.required && !user.attributes.contains_key(&attribute.name))
            .map(|attribute| format!("{ATTRIBUTE}{}", attribute.name))
            .collect();
        let readable = self.app.client.settings.read_attributes.as_deref();
        let has: Map<String, Value> = user
            .attributes
            .iter()
            .filter(|(name, _)| readable.is_none_or(|names| names.iter().any(|known| known == *name)))
            .map(|(name, value)| (name.clone(), json!(attribute::outside(value))))
            .collect();
        json!({
            "USER_ID_FOR_SRP": user.username,
            "requiredAttributes": json!(required).to_string(),
            "userAttributes": Value::Object(has).to_string(),
        })
    }

    pub(super) async fn verify_srp(self, username: &str) -> Answer {
        let decoded = |name: &str| {
            let bytes = STANDARD.decode(self.required(name)?);
            bytes.map_err(|_| Failure::invalid(format!("{name} is not base64")))
        };
        let secret_block = decoded("PASSWORD_CLAIM_SECRET_BLOCK")?;
        let signature = decoded("PASSWORD_CLAIM_SIGNATURE")?;
        let timestamp = self.required("TIMESTAMP")?;
        let handle = String::from_utf8_lossy(&secret_block).into_owned();
        let (app, ctx, name) = (self.app.clone(), self.ctx(), Name::PasswordVerifier);
        let taken = self
            .call
            .broker
            .db
            .write(move |conn| sign_in::take::<sign_in::SrpState>(conn, &ctx, &app.client, name, &handle))
            .await?;
        let Some((_, state)) = taken else {
            return Err(over());
        };
        if username != state.user_id && username != state.name {
            return Err(self.wrong(true));
        }
        let name = state.name.clone();
        let proof = Proof::Srp {
            state,
            secret_block,
            timestamp,
            signature,
        };
        self.prove(&name, proof).await
    }

    pub(super) async fn set_new_password(self, username: &str) -> Answer {
        let handle: String = self.call.member("Session")?.unwrap_or_default();
        let typed = Zeroizing::new(self.required("NEW_PASSWORD")?);
        let pool = &self.app.pool.pool;
        // Before the challenge is spent: whoever chose a password that does not conform tries another.
        Policy::of(&pool.settings)
            .check(&typed)
            .map_err(|why| Failure::new("InvalidPasswordException", why))?;
        let attributes: BTreeMap<String, Value> = self
            .given
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(ATTRIBUTE)?.to_owned(), json!(value))))
            .collect();
        let names: Vec<String> = attributes.keys().cloned().collect();
        own::writable(self.app.client.settings.write_attributes.as_deref(), &names)?;
        let ctx = self.ctx();
        let Some(user) = self.challenged(&handle, username).await? else {
            return Err(over());
        };
        let broker = &self.call.broker;
        let new = broker
            .passwords
            .make(&broker.entropy, &pool.id, &user.username, typed)
            .await
            .ok_or_else(|| Failure::new("InternalErrorException", "The password could not be hashed"))?;
        let app = self.app.clone();
        let by_user = broker.ctx(format!("user:{}", user.sub), &self.call.request_id);
        let set = broker
            .db
            .write(move |conn| -> Result<_, Error> {
                sign_in::set_new_password(conn, &by_user, &app.client, &handle, new, &attributes)
            })
            .await
            .map_err(|error| match error {
                Error::Denied(why) => Failure::new("NotAuthorizedException", why),
                other => other.into(),
            })?;
        match set {
            Some(user) => self.signed_in(&ctx, user, Source::TokensNewPassword).await,
            None => Err(over()),
        }
    }

    /// Whom the challenge of that handle is for, if that is who the caller says.
    async fn challenged(&self, handle: &str, username: &str) -> Result<Option<User>, Failure> {
        let broker = &self.call.broker;
        let Some(user) = broker.challenged(&self.app.client, handle).await? else {
            return Ok(None);
        };
        let (app, username) = (self.app.clone(), username.to_owned());
        let said = broker
            .db
            .read(move |conn| Ok::<_, StoreError>(native::find(conn, &app.pool.pool, &username)?))
            .await?;
        Ok(Some(user).filter(|user| said.is_some_and(|said| said.sub == user.sub)))
    }
}

fn over() -> Failure {
    Failure::new(
        "NotAuthorizedException",
        "Invalid session for the user, session is expired.",
    )
}
