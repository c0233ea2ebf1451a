//! `forebay doctor`: looks at configuration, database, keys, clock and every connection, and says what to do about what
//! it finds. It changes nothing: it makes no key, no database file and no table.

use std::path::Path;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::output::{Output, line, plain};
use super::provider::redirect_uri;
use super::store::{runtime, upstream};
use super::{Failure, Outcome};
use crate::broker;
use crate::config::{Problem, RootKeySource, Settings};
use crate::db::{self, Conn, Db, Target};
use crate::error::StoreError;
use crate::model::client::{self, Flow};
use crate::model::key::{self, State, Usage};
use crate::model::pool::{self, Pool};
use crate::model::provider::{self, Provider};
use crate::seal::{Label, Sealer};
use crate::upstream::{Connection, Upstream, Verdict};
use crate::world::{Clock, Entropy, UnixTime};

/// Connections that are examined at a time.
const AT_ONCE: usize = 8;
/// A clock before this program was written, or a century after, is wrong.
const WRITTEN: UnixTime = UnixTime(1_790_000_000);
const CENTURY: i64 = 100 * 365 * 86_400;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grade {
    Fine,
    /// Worth a look; not wrong.
    Warning,
    Wrong,
}

struct Finding {
    area: &'static str,
    grade: Grade,
    what: String,
    /// What to do; empty when there is nothing to do.
    remedy: String,
}

/// Prints findings as they come, and keeps them.
struct Report {
    output: Output,
    findings: Vec<Finding>,
}

impl Report {
    fn new(output: Output) -> Report {
        Report {
            output,
            findings: Vec::new(),
        }
    }

    fn add(&mut self, area: &'static str, grade: Grade, what: impl Into<String>, remedy: impl Into<String>) {
        let finding = Finding {
            area,
            grade,
            what: what.into(),
            remedy: remedy.into(),
        };
        if !self.output.json {
            let mark = match grade {
                Grade::Fine => '✓',
                Grade::Warning => '!',
                Grade::Wrong => '✗',
            };
            line(&format!("{mark} {area:<13}  {}", plain(&finding.what)));
            if !finding.remedy.is_empty() {
                line(&format!("  {:<13}  → {}", "", plain(&finding.remedy)));
            }
        }
        self.findings.push(finding);
    }

    fn fine(&mut self, area: &'static str, what: impl Into<String>) {
        self.add(area, Grade::Fine, what, "");
    }

    fn wrong(&mut self, area: &'static str, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(area, Grade::Wrong, what, remedy);
    }

    fn warning(&mut self, area: &'static str, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(area, Grade::Warning, what, remedy);
    }

    fn end(self) -> Outcome {
        let wrong = self
            .findings
            .iter()
            .filter(|finding| finding.grade == Grade::Wrong)
            .count();
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                let grade = match finding.grade {
                    Grade::Fine => "fine",
                    Grade::Warning => "warning",
                    Grade::Wrong => "wrong",
                };
                json!({ "area": finding.area, "grade": grade, "what": finding.what, "remedy": finding.remedy })
            })
            .collect();
        self.output.answer(
            &json!({ "healthy": wrong == 0, "findings": findings }),
            || match wrong {
                0 => "\nNothing is wrong.".into(),
                1 => "\nOne thing is wrong.".into(),
                more => format!("\n{more} things are wrong."),
            },
        )?;
        if wrong == 0 { Ok(()) } else { Err(Failure::Said) }
    }
}

/// The settings themselves are wrong: nothing else can be looked at.
pub fn misconfigured(output: Output, problems: &[Problem]) -> Outcome {
    let mut report = Report::new(output);
    for problem in problems {
        let what = format!("{} ({}): {}", problem.flag, problem.variable, problem.wrong);
        report.wrong("configuration", what, format!("right: {}", problem.right));
    }
    report.end()
}

/// Looks at everything.
pub fn run(settings: &Settings, output: Output) -> Outcome {
    let mut report = Report::new(output);
    configuration(settings, &mut report);
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let now = clock.now();
    if now < WRITTEN || now.since(WRITTEN) > CENTURY {
        report.wrong(
            "clock",
            format!("it says {now}"),
            "set the machine's clock, best by NTP: tokens are dated by it",
        );
    } else {
        report.fine("clock", now.to_string());
    }
    let sealer = root_key(settings, &entropy, &mut report);
    let runtime = runtime()?;
    let Some(db) = database(settings, &runtime, &mut report) else {
        return report.end();
    };
    let facts = match runtime.block_on(db.read(read_facts)) {
        Ok(facts) => facts,
        Err(error) => {
            report.wrong("database", error.to_string(), "run: forebay migrate");
            return report.end();
        }
    };
    for facts in &facts {
        pool_facts(facts, sealer.as_ref(), &mut report);
    }
    if let Some(sealer) = &sealer {
        let upstream = upstream(settings, &clock, &entropy)?;
        let connections = connections(facts, sealer, &mut report);
        runtime.block_on(examine(settings, &upstream, connections, &mut report));
    }
    report.end()
}

fn configuration(settings: &Settings, report: &mut Report) {
    let public = &settings.public_url;
    report.fine(
        "configuration",
        format!("public URL {public}, listening on {}", settings.listen),
    );
    if !public.is_https() && !settings.listen.ip().is_loopback() {
        report.warning(
            "configuration",
            "plain http on an address that others can reach",
            "put a TLS proxy in front and set --public-url https://…, or listen on 127.0.0.1",
        );
    }
    if public.is_https() && settings.trusted_proxies.is_empty() {
        report.warning(
            "configuration",
            "no proxy is trusted, although TLS must end at one",
            "name it with --trusted-proxy, or every visitor seems to come from the proxy's address",
        );
    }
    if !settings.allow_upstream.is_empty() {
        let hosts: Vec<String> = settings.allow_upstream.iter().map(ToString::to_string).collect();
        report.warning(
            "configuration",
            format!("the outbound fence is open for {}", hosts.join(", ")),
            "meant for development: take --allow-upstream away in production",
        );
    }
}

/// The sealer, when there is a root key already.
fn root_key(settings: &Settings, entropy: &Entropy, report: &mut Report) -> Option<Sealer> {
    if let RootKeySource::Directory(directory) = &settings.root_key {
        let path = directory.join("root.key");
        if !path.exists() {
            report.warning(
                "keys",
                format!("{} is not there", path.display()),
                "it is made on first start; if the database has secrets already, restore the file from your backup",
            );
            return None;
        }
    }
    match settings.sealer(entropy.clone()) {
        Ok((sealer, _)) => {
            report.fine("keys", "the root key can be read, by its owner only");
            Some(sealer)
        }
        Err(error) => {
            report.wrong("keys", error.to_string(), "see keys/README.md");
            None
        }
    }
}

/// The database, when it can be reached and has this build's schema.
fn database(settings: &Settings, runtime: &tokio::runtime::Runtime, report: &mut Report) -> Option<Db> {
    let name = match &settings.database {
        Target::Sqlite(path) => {
            // Opening would make the file.
            if !path.starts_with(':') && !path.starts_with("file:") && !Path::new(path).exists() {
                report.wrong(
                    "database",
                    format!("{path} is not there yet"),
                    "run: forebay migrate",
                );
                return None;
            }
            format!("SQLite, {path}")
        }
        Target::Postgres(_) => "PostgreSQL".to_owned(),
    };
    let mut conn = match settings.database.open() {
        Ok(conn) => conn,
        Err(error) => {
            report.wrong(
                "database",
                format!("{name} cannot be reached: {error}"),
                "check --database, and that the server runs and lets this machine in",
            );
            return None;
        }
    };
    if let Err(error) = db::suits(&mut conn) {
        report.wrong(
            "database",
            format!("{name}: {error}"),
            "run the newer Forebay, the one that the other nodes run",
        );
        return None;
    }
    match db::pending_migrations(&mut conn) {
        Ok(0) => report.fine("database", format!("{name}: reachable, schema up to date")),
        Ok(count) => {
            report.wrong(
                "database",
                format!("{name}: reachable, {count} migrations have not run"),
                "run: forebay migrate (serve does it, too)",
            );
            return None;
        }
        Err(error) => {
            report.wrong("database", format!("{name}: {error}"), "run: forebay migrate");
            return None;
        }
    }
    drop(conn);
    let db = match Db::open(&settings.database, 1) {
        Ok(db) => db,
        Err(error) => {
            report.wrong("database", error.to_string(), "check --database");
            return None;
        }
    };
    match runtime.block_on(db.write(|conn| Ok::<_, StoreError>(pool::touch_none(conn)?))) {
        Ok(()) => report.fine("database", "writable"),
        Err(error) => report.wrong(
            "database",
            format!("not writable: {error}"),
            "check the rights of this user on the file or tables, the free space, and that it is no read-only replica",
        ),
    }
    Some(db)
}

/// A pool with what is looked at.
struct Facts {
    pool: Pool,
    keys: Vec<key::SigningKey>,
    clients: Vec<(client::Client, Vec<client::Secret>)>,
    providers: Vec<Provider>,
}

fn read_facts(conn: &mut Conn) -> Result<Vec<Facts>, StoreError> {
    let mut all = Vec::new();
    for pool in pool::list(conn)? {
        let mut clients = Vec::new();
        for client in client::list(conn, &pool.id)? {
            let secrets = client::secrets(conn, &client.id)?;
            clients.push((client, secrets));
        }
        all.push(Facts {
            keys: key::of_pool(conn, &pool.id)?,
            providers: provider::list(conn, &pool.id)?,
            clients,
            pool,
        });
    }
    Ok(all)
}

fn pool_facts(facts: &Facts, sealer: Option<&Sealer>, report: &mut Report) {
    let id = &facts.pool.id;
    for usage in Usage::ALL {
        let active = facts
            .keys
            .iter()
            .any(|key| key.usage == *usage && key.state == State::Active);
        if !active {
            report.wrong(
                "keys",
                format!("pool {id} has no active key for {usage} tokens"),
                "restore the database from a backup that has it",
            );
        }
    }
    if let Some(sealer) = sealer {
        sealed_facts(facts, sealer, report);
    }
    for (at, provider) in facts.providers.iter().enumerate() {
        let client_id = &provider.settings.client_id;
        let mut before = facts.providers.iter().take(at);
        if let Some(twin) = before.find(|twin| !client_id.is_empty() && twin.settings.client_id == *client_id)
        {
            report.warning(
                "connections",
                format!("{} and {} come with the same client id", twin.id, provider.id),
                "give production, preview and staging an app of their own in Okta each",
            );
        }
    }
    for (client, _) in &facts.clients {
        let people = client
            .settings
            .flows
            .iter()
            .any(|flow| *flow != Flow::ClientCredentials);
        let usable = facts
            .providers
            .iter()
            .any(|provider| provider.enabled && client.settings.providers.contains(&provider.name));
        if client.enabled && people && !usable {
            report.warning(
                "clients",
                format!(
                    "nobody can sign in to {} ({}): it allows no enabled connection",
                    client.name, client.id
                ),
                format!("run: forebay client update {} --provider NAME", client.id),
            );
        }
    }
}

/// Whether the root key opens everything that is sealed.
fn sealed_facts(facts: &Facts, sealer: &Sealer, report: &mut Report) {
    let id = &facts.pool.id;
    let opens = |purpose, name: &str, sealed: &[u8]| {
        let label = Label {
            purpose,
            scope: id,
            name,
        };
        sealer.open(label, sealed).is_ok()
    };
    let mut count = 0;
    let mut closed = Vec::new();
    let mut look = |what: String, open: bool| {
        count += 1;
        if !open {
            closed.push(what);
        }
    };
    for key in &facts.keys {
        look(
            format!("signing key {}", key.kid),
            opens("signing-key", &key.kid, &key.private_sealed),
        );
    }
    for (client, secrets) in &facts.clients {
        for secret in secrets {
            look(
                format!("a secret of app client {}", client.id),
                opens("app-secret", &secret.id, &secret.sealed),
            );
        }
    }
    for provider in &facts.providers {
        for (purpose, sealed) in [
            ("client-secret", &provider.client_secret_sealed),
            ("client-key", &provider.private_key_sealed),
        ] {
            if let Some(sealed) = sealed {
                look(
                    format!("the {purpose} of connection {}", provider.id),
                    opens(purpose, &provider.id, sealed),
                );
            }
        }
    }
    if closed.is_empty() {
        report.fine(
            "keys",
            format!("pool {id}: the root key opens all {count} sealed secrets"),
        );
    } else {
        report.wrong(
            "keys",
            format!("pool {id}: the root key does not open {}", closed.join(", ")),
            "restore the root key that sealed them, or enter the secrets again",
        );
    }
}

/// The enabled connections whose secrets open.
fn connections(facts: Vec<Facts>, sealer: &Sealer, report: &mut Report) -> Vec<Connection> {
    let mut connections = Vec::new();
    for provider in facts.into_iter().flat_map(|facts| facts.providers) {
        if !provider.enabled {
            report.warning("connections", format!("{} is switched off", provider.id), "");
        } else if let Ok(connection) = broker::connection(sealer, provider) {
            connections.push(connection);
        }
    }
    connections
}

/// Examines several at a time; reports each as a whole, in order.
async fn examine(
    settings: &Settings,
    upstream: &Upstream,
    connections: Vec<Connection>,
    report: &mut Report,
) {
    let examined = futures_util::stream::iter(connections).map(|connection| async move {
        let redirect_uri = redirect_uri(settings, &connection.provider);
        let stages = upstream.examine(&connection, &redirect_uri, |_| ()).await;
        (connection.provider, stages)
    });
    let mut examined = std::pin::pin!(examined.buffered(AT_ONCE));
    while let Some((provider, stages)) = examined.next().await {
        let failed: Vec<_> = stages
            .iter()
            .filter(|stage| stage.verdict == Verdict::Failed)
            .collect();
        if failed.is_empty() {
            let passed = stages
                .iter()
                .filter(|stage| stage.verdict == Verdict::Passed)
                .count();
            report.fine(
                "connections",
                format!("{} at {}: {passed} stages passed", provider.id, provider.issuer),
            );
        }
        for stage in failed {
            report.wrong(
                "connections",
                format!(
                    "{} at {}: {} {}: {}",
                    provider.id, provider.issuer, stage.name, stage.code, stage.detail
                ),
                stage.remedy.clone(),
            );
        }
        for stage in stages
            .iter()
            .filter(|stage| stage.verdict == Verdict::Passed && !stage.remedy.is_empty())
        {
            report.warning(
                "connections",
                format!("{}: {} {}", provider.id, stage.name, stage.detail),
                stage.remedy.clone(),
            );
        }
    }
}
