//! Signing native users in through the API: `InitiateAuth` and `RespondToAuthChallenge`, and their signed twins. A
//! password, or SRP's proof of one; where it was temporary, the challenge to set another; refreshing.

mod answers;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use zeroize::Zeroizing;

use super::error::Failure;
use super::{Answer, Call, tokens};
use crate::actions::native::sign_in::{self, NoTokens};
use crate::actions::{Ctx, clients};
use crate::broker::App;
use crate::broker::hooks;
use crate::broker::sign_in::{Proof, Proved, Refused};
use crate::error::StoreError;
use crate::model::challenge::Name;
use crate::model::user::User;
use crate::rules::aws::auth_flow::{self, Flow, Standing};
use crate::rules::aws::srp;
use crate::rules::hook::Source;
use crate::seal::Label;

/// The longest password and the longest text of a response that is looked at, in bytes.
const LONGEST: usize = 1_024;

/// A step of a sign-in: at which client, with which parameters.
struct Step {
    call: Call,
    app: Arc<App>,
    given: BTreeMap<String, String>,
    /// The call is signed: by a server of the app's own.
    by_admin: bool,
}

pub async fn initiate(call: Call) -> Answer {
    let app = tokens::app(&call).await?;
    begin(Step::new(call, app, "AuthParameters", false)?).await
}

pub async fn admin_initiate(call: Call) -> Answer {
    let app = administered(&call).await?;
    begin(Step::new(call, app, "AuthParameters", true)?).await
}

pub async fn respond(call: Call) -> Answer {
    let app = tokens::app(&call).await?;
    go_on(Step::new(call, app, "ChallengeResponses", false)?).await
}

pub async fn admin_respond(call: Call) -> Answer {
    let app = administered(&call).await?;
    go_on(Step::new(call, app, "ChallengeResponses", true)?).await
}

/// The client, of a pool for which the caller may have tokens made.
async fn administered(call: &Call) -> Result<Arc<App>, Failure> {
    let id = call.pool_id();
    if call.caller.changes.is_nothing() {
        return Err(Failure::new(
            "NotAuthorizedException",
            "This credential may look and not change",
        ));
    }
    if !call.caller.changes.has_pool(&id) || call.broker.pool(&id).await?.is_none() {
        return Err(Failure::no_pool(&id));
    }
    let app = tokens::app(call).await?;
    if app.client.user_pool_id != id {
        return Err(Failure::no_client(&app.client.id));
    }
    Ok(app)
}

async fn begin(step: Step) -> Answer {
    let name: String = step.call.member("AuthFlow")?.unwrap_or_default();
    let Some(flow) = Flow::named(&name) else {
        return Err(Failure::invalid(format!(
            "{name} is not offered here; the README lists what is"
        )));
    };
    if flow == Flow::AdminPassword && !step.by_admin {
        return Err(Failure::invalid("Initiate Auth method not supported."));
    }
    if !flow.is_of(&step.app.client.settings) {
        return Err(Failure::invalid(format!(
            "{name} flow not enabled for this client"
        )));
    }
    match flow {
        Flow::Refresh => step.refresh().await,
        Flow::Srp => step.open_srp().await,
        Flow::Password | Flow::AdminPassword => {
            let username = step.required("USERNAME")?;
            let typed = Zeroizing::new(step.required("PASSWORD")?);
            step.check_secret_hash(&[&username])?;
            step.prove(&username, Proof::Password(typed)).await
        }
    }
}

async fn go_on(step: Step) -> Answer {
    let name: String = step.call.member("ChallengeName")?.unwrap_or_default();
    let username = step.required("USERNAME")?;
    step.check_secret_hash(&[&username])?;
    match name.as_str() {
        "PASSWORD_VERIFIER" => step.verify_srp(&username).await,
        "NEW_PASSWORD_REQUIRED" => step.set_new_password(&username).await,
        other => Err(Failure::invalid(format!("{other} is not offered here"))),
    }
}

impl Step {
    fn new(call: Call, app: Arc<App>, member: &str, by_admin: bool) -> Result<Step, Failure> {
        Ok(Step {
            given: call.member(member)?.unwrap_or_default(),
            call,
            app,
            by_admin,
        })
    }

    fn required(&self, name: &str) -> Result<String, Failure> {
        match self.given.get(name).filter(|value| !value.is_empty()) {
            Some(value) if value.len() <= LONGEST => Ok(value.clone()),
            Some(_) => Err(Failure::invalid(format!("{name} is too long"))),
            None => Err(Failure::invalid(format!("Missing required parameter {name}"))),
        }
    }

    fn ctx(&self) -> Ctx {
        let actor = if self.by_admin {
            self.call.caller.actor.clone()
        } else {
            format!("client:{}", self.app.client.id)
        };
        self.call.broker.ctx(actor, &self.call.request_id)
    }

    fn check_secret_hash(&self, usernames: &[&str]) -> Result<(), Failure> {
        let client = &self.app.client;
        let mut secrets = Vec::new();
        for secret in self.app.secrets.iter() {
            let label = Label {
                purpose: clients::SECRET_PURPOSE,
                scope: &client.user_pool_id,
                name: &secret.id,
            };
            let text = self.call.broker.sealer.open_text(label, &secret.sealed);
            let unreadable = |_| StoreError::Unreadable(format!("a secret of client {}", client.id));
            secrets.push(Secret(text.map_err(unreadable)?));
        }
        let given = self.given.get("SECRET_HASH").map(String::as_str);
        auth_flow::check_secret_hash(client, &secrets, usernames, given)
            .map_err(|why| Failure::new("NotAuthorizedException", why))
    }

    async fn refresh(self) -> Answer {
        let token = self.required("REFRESH_TOKEN")?;
        let exchanged = tokens::refresh_in_place(&self.call, &self.app, token).await?;
        // Only now is it known whose it is; nothing has changed so far.
        self.check_secret_hash(&[&exchanged.user.username, &exchanged.user.sub])?;
        tokens::issued(&self.call, &self.app, exchanged)
    }

    /// Looks at the proof, and goes on where it is right.
    async fn prove(self, username: &str, proof: Proof) -> Answer {
        let ctx = self.ctx();
        let address = self.call.address.filter(|_| !self.by_admin);
        let mut visit = tokens::visit(&self.call, &self.app)?;
        let proved = self
            .call
            .broker
            .prove(&ctx, &mut visit, username, proof, address)
            .await?;
        match proved {
            Ok(proved) => self.proved(&ctx, proved).await,
            Err(Refused::TooOften { .. }) => Err(Failure::new(
                "NotAuthorizedException",
                "Password attempts exceeded",
            )),
            Err(Refused::Wrong { known }) => Err(self.wrong(known)),
            Err(Refused::ByHook(fault)) => Err(fault.into()),
        }
    }

    fn wrong(&self, known: bool) -> Failure {
        if known || auth_flow::hides_existence(&self.app.client.settings) {
            Failure::new("NotAuthorizedException", "Incorrect username or password.")
        } else {
            Failure::no_user()
        }
    }

    async fn proved(self, ctx: &Ctx, proved: Proved) -> Answer {
        let Proved { user, password } = proved;
        match auth_flow::standing(&user, password.temporary_until, ctx.now) {
            Standing::SignedIn => self.signed_in(ctx, user, Source::TokensAuthentication).await,
            Standing::NewPassword => {
                let state = sign_in::NewPasswordState {
                    shown: password.updated_at,
                };
                let (app, ctx, sub) = (self.app.clone(), ctx.clone(), user.sub.clone());
                let name = Name::NewPasswordRequired;
                let handle = self
                    .call
                    .broker
                    .db
                    .write(move |conn| sign_in::challenge(conn, &ctx, &app.client, name, Some(sub), &state))
                    .await?;
                Ok(json!({
                    "ChallengeName": name,
                    "Session": handle,
                    "ChallengeParameters": self.new_password_parameters(&user),
                }))
            }
            Standing::Disabled => Err(Failure::new("NotAuthorizedException", "User is disabled.")),
            Standing::Expired => Err(Failure::new(
                "NotAuthorizedException",
                "Temporary password has expired and must be reset by an administrator.",
            )),
            Standing::Unconfirmed => Err(Failure::new(
                "UserNotConfirmedException",
                "User is not confirmed.",
            )),
            Standing::ResetRequired => Err(Failure::new(
                "PasswordResetRequiredException",
                "Password reset required for the user",
            )),
        }
    }

    async fn signed_in(self, ctx: &Ctx, user: User, source: Source) -> Answer {
        let mut visit = tokens::visit(&self.call, &self.app)?;
        let scopes = [auth_flow::SCOPE.to_owned()];
        let overrides = hooks::after_password(&mut visit, source, &user, &scopes).await??;
        let (app, ctx) = (self.app.clone(), ctx.clone());
        let exchanged = self
            .call
            .broker
            .db
            .write(move |conn| sign_in::tokens(conn, &ctx, &app.client, &app.offer, &user.sub))
            .await?;
        let mut exchanged = exchanged.map_err(|why| match why {
            // Gone or switched off in this very moment.
            NoTokens::Gone => self.wrong(true),
            NoTokens::Barred(barred) => {
                tracing::info!(
                    client = self.app.client.id,
                    cause = barred.seen(),
                    "refused a sign-in"
                );
                Failure::new(
                    "NotAuthorizedException",
                    barred.refusal(&self.app.client.name).description,
                )
            }
        })?;
        exchanged.family.granted.overrides = overrides;
        tokens::issued(&self.call, &self.app, exchanged)
    }

    async fn open_srp(self) -> Answer {
        let username = self.required("USERNAME")?;
        let client_public = srp::client_public(&self.required("SRP_A")?)
            .ok_or_else(|| Failure::invalid("SRP_A is not a number of the group"))?;
        self.check_secret_hash(&[&username])?;
        let ctx = self.ctx();
        if !self.by_admin && !self.call.broker.srp_challenges.take(ctx.now, self.call.address) {
            return Err(Failure::new("TooManyRequestsException", "Rate exceeded"));
        }
        let opening = self
            .call
            .broker
            .open_srp(&self.app.pool, &username, client_public)
            .await?;
        let Some(opening) = opening else {
            return Err(Failure::new(
                "InternalErrorException",
                "The challenge could not be made",
            ));
        };
        if opening.user_sub.is_none() && !auth_flow::hides_existence(&self.app.client.settings) {
            return Err(Failure::no_user());
        }
        let (app, name) = (self.app.clone(), Name::PasswordVerifier);
        let (state, sub) = (opening.state.clone(), opening.user_sub);
        let handle = self
            .call
            .broker
            .db
            .write(move |conn| sign_in::challenge(conn, &ctx, &app.client, name, sub, &state))
            .await?;
        let user_id = &opening.state.user_id;
        Ok(json!({
            "ChallengeName": name,
            "ChallengeParameters": {
                "SALT": srp::to_hex(&opening.salt),
                "SECRET_BLOCK": STANDARD.encode(handle),
                "SRP_B": srp::to_hex(&opening.server_public),
                "USERNAME": user_id,
                "USER_ID_FOR_SRP": user_id,
            },
        }))
    }
}

/// A client's secret in the clear, wiped when it is done with.
struct Secret(Zeroizing<String>);

impl AsRef<str> for Secret {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
