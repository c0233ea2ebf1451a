//! Password hashing off the async threads and few at a time: each takes 19 MiB, and nobody's tries may take the machine's.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::actions::native::NewPassword;
use crate::rules::aws::srp;
use crate::rules::password;
use crate::world::Entropy;

/// Hashes that are computed at the same time.
const AT_ONCE: usize = 4;
/// Strangers' passwords that are hashed or wait for it at the same time: some ten seconds of work.
const SEATS: usize = 400;

pub struct Passwords {
    at_once: Arc<Semaphore>,
    seats: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Passwords {
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            seats: Arc::new(Semaphore::new(SEATS)),
        }
    }
}

impl Passwords {
    /// A place in the queue, as long as there is one: whoever comes when it is full is better told so at once. It is free
    /// again when this is dropped.
    pub(super) fn seat(&self) -> Option<OwnedSemaphorePermit> {
        self.seats.clone().try_acquire_owned().ok()
    }

    /// Whether it is the password of that hash; takes as long when there is none.
    pub async fn verify(&self, typed: Zeroizing<String>, hash: Option<String>) -> bool {
        self.run(move || password::verify(&typed, hash.as_deref()))
            .await
            .unwrap_or(false)
    }

    /// The hash to store; `None` when none could be made.
    pub async fn hash(&self, entropy: &Entropy, typed: Zeroizing<String>) -> Option<String> {
        let entropy = entropy.clone();
        self.run(move || password::hash(&entropy, &typed))
            .await
            .filter(|hash| !hash.is_empty())
    }

    /// A native user's password, ready to be stored; `None` when none could be made.
    pub async fn make(
        &self,
        entropy: &Entropy,
        user_pool_id: &str,
        username: &str,
        typed: Zeroizing<String>,
    ) -> Option<NewPassword> {
        let (entropy, pool, username) = (entropy.clone(), user_pool_id.to_owned(), username.to_owned());
        let made = self.run(move || {
            let srp_salt = entropy.bytes::<16>().to_vec();
            let verifier = srp::verifier(srp::pool_name(&pool), &username, &typed, &srp_salt);
            NewPassword {
                hash: password::hash(&entropy, &typed),
                srp_salt,
                srp_verifier: Zeroizing::new(verifier),
            }
        });
        made.await.filter(|made| !made.hash.is_empty())
    }

    /// Other slow arithmetic about passwords.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        // The permit goes with the work: a request that is given up does not make room before its hash is done.
        let permit = self.at_once.clone().acquire_owned().await.ok()?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
        .await
        .ok()
    }
}
