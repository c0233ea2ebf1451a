//! Whether somebody knows a native account's password, told by the password itself or by SRP. The same work is done, and
//! the same is answered, whether there is such an account or not; wrong passwords are delayed by account and by address.

use std::net::IpAddr;

use zeroize::Zeroizing;

use super::gates::Passed;
use super::hooks::{self, Visit};
use super::{Broker, PoolFacts, limits};
use crate::actions::native::sign_in::SrpState;
use crate::actions::{Ctx, native};
use crate::error::StoreError;
use crate::model::challenge::{self, Name};
use crate::model::client::Client;
use crate::model::password::Password;
use crate::model::user::{self, User, directory};
use crate::rules::aws::srp;
use crate::rules::hook::Fault;
use crate::rules::secret;

/// How somebody shows that they know the password.
pub enum Proof {
    Password(Zeroizing<String>),
    Srp {
        state: SrpState,
        secret_block: Vec<u8>,
        timestamp: String,
        signature: Vec<u8>,
    },
}

/// Who has shown the right password. What that is worth is for `rules::aws::auth_flow::standing` to say.
pub struct Proved {
    pub user: User,
    pub password: Password,
}

/// Why the password was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Wrong {
        /// There is such an account: for the trace, and for clients that are told.
        known: bool,
    },
    /// Got wrong too often just now; not looked at for so many seconds.
    TooOften { seconds: i64 },
    /// The pool's hook lets nobody of that name in. The password was not looked at.
    ByHook(Fault),
}

/// What SRP tells a client at first.
pub struct SrpOpening {
    pub state: SrpState,
    pub salt: Vec<u8>,
    pub server_public: Vec<u8>,
    /// The account, where there is one.
    pub user_sub: Option<String>,
}

impl Broker {
    /// Looks at the proof of whoever wants to be `name`, once the pool's hook has nothing against it. `address` is whose
    /// share of wrong passwords it may take; callers who sign their requests have none.
    pub async fn prove(
        &self,
        ctx: &Ctx,
        visit: &mut Visit<'_>,
        name: &str,
        proof: Proof,
        address: Option<IpAddr>,
    ) -> Result<Result<Proved, Refused>, StoreError> {
        // Taken at once and given back when it was right: a thousand tries at one moment are a thousand in a row.
        if address.is_some() && !self.wrong_passwords.take(ctx.now, address) {
            let seconds = limits::rest_of_minute(ctx.now);
            return Ok(Err(Refused::TooOften { seconds }));
        }
        let pool = visit.pool;
        let account = format!("{} {}", pool.pool.id, name.to_lowercase());
        let turn = self.proving.pass(&account).await;
        let candidate = self.candidate(pool, name).await?;
        let locked_until = match &candidate {
            Some((_, password)) => password.locked_until,
            None => self.unknown_accounts.locked_until(&account),
        };
        if locked_until > ctx.now {
            let seconds = locked_until.since(ctx.now);
            return Ok(Err(Refused::TooOften { seconds }));
        }
        let user = candidate.as_ref().map(|(user, _)| user);
        if let Err(fault) = self.heed_hook(visit, name, user).await? {
            self.wrong_passwords.give_back(ctx.now, address);
            return Ok(Err(Refused::ByHook(fault)));
        }
        let seat = self
            .passwords
            .seat()
            .ok_or(StoreError::Busy("too many passwords wait to be looked at"))?;
        let right = self.is_right(pool, name, &candidate, proof).await?;
        drop(seat);
        let Some((user, password)) = candidate else {
            self.unknown_accounts.failed(&account, ctx.now);
            return Ok(Err(Refused::Wrong { known: false }));
        };
        if !right {
            self.count_wrong(ctx.clone(), user.sub, turn);
            return Ok(Err(Refused::Wrong { known: true }));
        }
        self.wrong_passwords.give_back(ctx.now, address);
        if password.failures > 0 {
            let (ctx, sub) = (ctx.clone(), user.sub.clone());
            self.db
                .write(move |conn| native::passed(conn, &ctx, &sub))
                .await?;
        }
        Ok(Ok(Proved { user, password }))
    }

    async fn heed_hook(
        &self,
        visit: &mut Visit<'_>,
        name: &str,
        user: Option<&User>,
    ) -> Result<Result<(), Fault>, StoreError> {
        if visit.pool.pool.settings.lambda.pre_authentication.is_none() {
            return Ok(Ok(()));
        }
        // Nobody's are looked for, too: the time must not tell who exists.
        let sub = user.map(|user| user.sub.clone()).unwrap_or_default();
        let identities = self
            .db
            .read(move |conn| Ok::<_, StoreError>(user::identities(conn, &sub)?))
            .await?;
        let username = user.map_or(name, |user| &user.username);
        let known = user.map(|user| (user, identities.as_slice()));
        Ok(hooks::pre_authentication(visit, username, known).await)
    }

    /// Counts it. The answer does not wait for the database, whose time would tell that there is such an account; the
    /// next try does.
    fn count_wrong(&self, ctx: Ctx, user_sub: String, turn: Passed) {
        let db = self.db.clone();
        tokio::spawn(async move {
            let counted = db.write(move |conn| native::failed(conn, &ctx, &user_sub)).await;
            if let Err(cause) = counted {
                tracing::error!(%cause, "a wrong password could not be counted");
            }
            drop(turn);
        });
    }

    /// Whom the challenge of that handle asks for another password, while it waits.
    pub async fn challenged(&self, client: &Client, handle: &str) -> Result<Option<User>, StoreError> {
        let (hash, id, now) = (secret::hash(handle), client.id.clone(), self.clock.now());
        self.db
            .read(move |conn| {
                let row = challenge::find(conn, &hash, &id, Name::NewPasswordRequired, now)?;
                match row.and_then(|row| row.user_sub) {
                    Some(sub) => Ok(user::find(conn, &sub)?),
                    None => Ok(None),
                }
            })
            .await
    }

    async fn candidate(&self, pool: &PoolFacts, name: &str) -> Result<Option<(User, Password)>, StoreError> {
        let (pool, name) = (pool.pool.clone(), name.to_owned());
        self.db
            .read(move |conn| native::candidate(conn, &pool, &name))
            .await
    }

    async fn is_right(
        &self,
        pool: &PoolFacts,
        name: &str,
        candidate: &Option<(User, Password)>,
        proof: Proof,
    ) -> Result<bool, StoreError> {
        match proof {
            Proof::Password(typed) => {
                let hash = candidate.as_ref().map(|(_, password)| password.hash.clone());
                Ok(self.passwords.verify(typed, hash).await)
            }
            Proof::Srp {
                state,
                secret_block,
                timestamp,
                signature,
            } => {
                let (_, verifier) = self.srp_parts(pool, name, candidate)?;
                let (id, known) = (pool.pool.id.clone(), candidate.is_some());
                let right = self.passwords.run(move || {
                    let proof = srp::Proof {
                        pool_name: srp::pool_name(&id),
                        user_id: &state.user_id,
                        client_public: &state.client_public,
                        secret: &state.secret,
                        secret_block: &secret_block,
                        timestamp: &timestamp,
                        signature: &signature,
                    };
                    srp::proves(&verifier, &proof) && known
                });
                Ok(right.await.unwrap_or(false))
            }
        }
    }

    /// The first step of SRP: what the client needs to prove that it knows the password.
    pub async fn open_srp(
        &self,
        pool: &PoolFacts,
        name: &str,
        client_public: Vec<u8>,
    ) -> Result<Option<SrpOpening>, StoreError> {
        let candidate = self.candidate(pool, name).await?;
        let (salt, verifier) = self.srp_parts(pool, name, &candidate)?;
        let secret = self.entropy.bytes::<32>();
        let server_public = self
            .passwords
            .run(move || srp::server_public(&verifier, &secret))
            .await
            .flatten();
        let user = candidate.map(|(user, _)| user);
        let user_id = match &user {
            Some(user) => user.username.clone(),
            None => self.user_id_of_nobody(pool, name),
        };
        Ok(server_public.map(|server_public| SrpOpening {
            state: SrpState {
                name: name.to_owned(),
                user_id,
                client_public,
                secret,
            },
            salt,
            server_public,
            user_sub: user.map(|user| user.sub),
        }))
    }

    /// Salt and verifier of the account; where there is none, such as only we can compute and always the same.
    fn srp_parts(
        &self,
        pool: &PoolFacts,
        name: &str,
        candidate: &Option<(User, Password)>,
    ) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), StoreError> {
        if let Some((user, password)) = candidate {
            let verifier = native::verifier(&self.sealer, user, password)?;
            return Ok((password.srp_salt.clone(), verifier));
        }
        let derived = |purpose: &str| self.of_nobody(purpose, pool, name);
        let salt = derived("srp-salt-of-nobody").into_iter().take(16).collect();
        // No arithmetic: any number below the prime serves, and nothing is ever proved against it.
        let verifier = derived("srp-verifier-of-nobody").to_vec();
        Ok((salt, Zeroizing::new(verifier)))
    }

    /// `USER_ID_FOR_SRP` of a name that is nobody's: where users go by their addresses their usernames are ids, and so is
    /// this one.
    fn user_id_of_nobody(&self, pool: &PoolFacts, name: &str) -> String {
        if !native::lists_email(&pool.pool, "UsernameAttributes") || !name.contains('@') {
            return directory::username(&pool.pool, name);
        }
        let bytes = self.of_nobody("srp-user-id-of-nobody", pool, name);
        secret::uuid_of(bytes.first_chunk().copied().unwrap_or_default())
    }

    /// Bytes that only we can compute and that are always the same, as what is stored of an account would be.
    fn of_nobody(&self, purpose: &str, pool: &PoolFacts, name: &str) -> [u8; 32] {
        let name = if name.contains('@') {
            // Addresses are compared without regard to case, whatever usernames are.
            name.to_lowercase()
        } else {
            directory::username(&pool.pool, name)
        };
        let account = format!("{} {name}", pool.pool.id);
        let bytes = self.sealer.derive(purpose, account.as_bytes()).next();
        bytes.unwrap_or_default()
    }
}
