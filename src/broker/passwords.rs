//! Password hashing off the async threads and few at a time: each takes 19 MiB, and nobody's tries may take the machine's.

use std::sync::Arc;

use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::actions::native::NewPassword;
use crate::rules::aws::srp;
use crate::rules::password;
use crate::world::Entropy;

/// Hashes that are computed at the same time.
const AT_ONCE: usize = 4;

pub struct Passwords(Arc<Semaphore>);

impl Default for Passwords {
    fn default() -> Self {
        Passwords(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Passwords {
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
        let permit = self.0.clone().acquire_owned().await.ok()?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
        .await
        .ok()
    }
}
