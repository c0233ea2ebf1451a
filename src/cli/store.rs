//! What a command works with: the opened and migrated database, the root key when it is needed, who acts.

use std::cell::OnceCell;
use std::path::Path;
use std::pin::Pin;

use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use super::Failure;
use crate::actions::{Ctx, root_key};
use crate::config::{RootKeySource, Settings};
use crate::db::{self, Conn, Db};
use crate::error::Error;
use crate::rules::secret;
use crate::seal::Sealer;
use crate::upstream::{self, Upstream};
use crate::world::{Clock, Entropy};

/// A command's database and keys.
pub struct Store<'a> {
    pub settings: &'a Settings,
    pub entropy: Entropy,
    pub clock: Clock,
    runtime: Runtime,
    db: Db,
    sealer: OnceCell<Sealer>,
}

impl<'a> Store<'a> {
    /// Opens the database and brings its schema up to date.
    pub fn open(settings: &'a Settings) -> Result<Store<'a>, Failure> {
        let mut conn = settings
            .database
            .open()
            .map_err(|error| Failure::Refused(format!("the database cannot be opened: {error}")))?;
        db::migrate(&mut conn).map_err(|error| {
            Failure::Refused(format!(
                "the database's schema cannot be brought up to date: {error}"
            ))
        })?;
        drop(conn);
        Ok(Store {
            settings,
            entropy: Entropy::system(),
            clock: Clock::system(),
            runtime: runtime()?,
            // One command does one thing at a time.
            db: Db::open(&settings.database, 1)?,
            sealer: OnceCell::new(),
        })
    }

    /// Runs a closure that only reads.
    pub fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Failure> {
        Ok(self.wait(self.db.read(work))?)
    }

    /// Runs an action as one transaction.
    pub fn act<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut Conn, &Ctx) -> Result<T, Error> + Clone + Send + 'static,
    ) -> Result<T, Failure> {
        let ctx = Ctx {
            actor: actor(),
            request_id: secret::uuid(&self.entropy),
            now: self.clock.now(),
            entropy: self.entropy.clone(),
            sealer: self.sealer()?.clone(),
        };
        Ok(self.wait(self.db.write(move |conn| action(conn, &ctx)))?)
    }

    /// The sealer over the root key, which is made when there is none.
    pub fn sealer(&self) -> Result<&Sealer, Failure> {
        if let Some(sealer) = self.sealer.get() {
            return Ok(sealer);
        }
        let sealer = open_sealer(self.settings, &self.entropy)?;
        Ok(self.sealer.get_or_init(|| sealer))
    }

    /// The way to the upstreams, as `serve` takes it.
    pub fn upstream(&self) -> Result<Upstream, Failure> {
        upstream(self.settings, &self.clock, &self.entropy)
    }

    /// Waits for something asynchronous. On the heap, so that the runtime's loop is compiled once for each kind of answer and
    /// not for each of the commands.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let boxed: Pin<Box<dyn Future<Output = T> + '_>> = Box::pin(future);
        self.runtime.block_on(boxed)
    }
}

/// The way to the upstreams, as the settings describe it.
pub fn upstream(settings: &Settings, clock: &Clock, entropy: &Entropy) -> Result<Upstream, Failure> {
    let options = upstream::Options {
        allow: settings.allow_upstream.iter().map(ToString::to_string).collect(),
        ca_pem: settings.upstream_ca.clone(),
        proxy: settings.upstream_proxy.clone(),
        dns_servers: settings.dns_servers.clone(),
    };
    Upstream::new(options, clock.clone(), entropy.clone()).map_err(Failure::Usage)
}

/// Refuses a root key that is not the database's: with another one no sign-in could end, and what it sealed from now on would
/// be lost as soon as the right one is back.
pub fn refuse_another_root_key(conn: &mut Conn, sealer: &Sealer) -> Result<(), Failure> {
    match root_key::missing(conn, sealer)? {
        None => Ok(()),
        Some(key_id) => Err(Failure::Refused(format!(
            "this is not the database's root key: the signing keys were sealed by root key {key_id}. Restore that one from \
             your backup (--keys or --root-key)"
        ))),
    }
}

/// The sealer over the root key; says so when the key was made just now.
pub fn open_sealer(settings: &Settings, entropy: &Entropy) -> Result<Sealer, Failure> {
    let (sealer, made) = settings
        .sealer(entropy.clone())
        .map_err(|error| Failure::Refused(error.to_string()))?;
    if let (true, RootKeySource::Directory(directory)) = (made, &settings.root_key) {
        eprintln!(
            "forebay: made the root key {}. Back it up: without it nothing that is sealed in the database opens",
            directory.join("root.key").display()
        );
    }
    Ok(sealer)
}

/// A runtime for a command's few calls.
pub fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Refused(format!("no runtime: {error}")))
}

/// A secret from a file, or with `-` from standard input; the line break at its end is none of it.
pub fn secret_from(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let read = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    match read.map(Zeroizing::new) {
        Ok(text) if text.trim().is_empty() => Err(Failure::Usage(format!("{} is empty", path.display()))),
        Ok(text) => Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(error) => Err(Failure::Usage(format!(
            "{} cannot be read: {error}",
            path.display()
        ))),
    }
}

/// Who acts, for the audit log.
fn actor() -> String {
    let name = ["USER", "LOGNAME"]
        .iter()
        .find_map(|variable| std::env::var(variable).ok());
    let name =
        name.filter(|name| !name.is_empty() && name.len() <= 64 && !name.chars().any(char::is_control));
    format!("cli:{}", name.as_deref().unwrap_or("unknown"))
}
