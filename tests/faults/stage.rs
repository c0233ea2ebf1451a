//! What a run plays on: a database of its own, filled with the library, a stand-in Okta in this process, and brokers as
//! processes of their own that can be killed.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use base64::Engine;
use diesel::connection::{Connection, SimpleConnection};
use forebay::actions::Ctx;
use forebay::actions::login::{self, Grant};
use forebay::actions::pools::NewKeys;
use forebay::config::AllowedHost;
use forebay::db::{self, Conn, Json, Target};
use forebay::demo::okta::{Okta, Person, Setup};
use forebay::demo::{self, ORGANISATIONS, POOL, SPA_CLIENT, WEB_CLIENT};
use forebay::error::StoreError;
use forebay::model::client::Rotation;
use forebay::model::session::{Facts, Session};
use forebay::model::user::{Identity, Status, User};
use forebay::model::{client, session, user};
use forebay::rules::{pkce, secret};
use forebay::seal::Sealer;
use forebay::world::{Clock, Entropy};
use tempfile::TempDir;

use super::http;
use super::rows::{self, Rows};

pub const PUBLIC_URL: &str = "http://localhost:8080";
pub const CALLBACK: &str = "http://127.0.0.1:9999/callback";
pub const VERIFIER: &str = "the-verifier-of-the-faults-is-long-enough-0123456789";
const ROOT_KEY: [u8; 32] = [7; 32];
/// Users whose codes the driver exchanges.
const PEOPLE: usize = 8;
/// Connections of each node to its database: as many as the load has requests at once, so that one node can serve them all
/// while the other is dead.
const CONNECTIONS: &str = "16";
/// How long the single-page client's old refresh token yields its successor: short, so that a test can wait for the end.
pub const SPA_GRACE: Duration = Duration::from_secs(3);

/// Where databases are made.
#[derive(Clone, Debug)]
pub enum Base {
    Sqlite,
    /// The URL of a PostgreSQL server: each stage has a database of its own there.
    Postgres(String),
}

/// A code that waits to be exchanged, and whose it is.
#[derive(Clone, Debug)]
pub struct Code {
    pub code: String,
    pub sub: String,
}

pub struct Stage {
    pub target: Target,
    /// As `--database` takes it.
    pub url: String,
    pub okta: Okta,
    pub okta_address: SocketAddr,
    /// Where the nodes call it, `host:port`.
    upstream: String,
    /// For what the nodes leave: logs, the SQLite file.
    pub directory: TempDir,
    people: Vec<String>,
    /// The server and the name of a database to drop at the end.
    drop: Option<(String, String)>,
}

pub fn root_key_text() -> String {
    base64::engine::general_purpose::STANDARD.encode(ROOT_KEY)
}

fn sqlite_in(directory: &Path) -> String {
    format!("sqlite://{}", directory.join("faults.db").display())
}

pub fn issuer() -> String {
    format!("{PUBLIC_URL}/{POOL}")
}

impl Stage {
    pub fn new(base: &Base) -> Stage {
        let directory = tempfile::tempdir().unwrap();
        match base {
            Base::Sqlite => {
                let path = directory.path().join("faults.db");
                Stage::over(
                    directory,
                    format!("sqlite://{}", path.display()),
                    None,
                    "127.0.0.1",
                )
            }
            Base::Postgres(server) => {
                let name = format!("faults_{}", secret::lower(&Entropy::system(), 12));
                let mut conn = Target::Postgres(server.clone()).open().unwrap();
                conn.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
                let mut url = url::Url::parse(server).unwrap();
                url.set_path(&name);
                Stage::over(directory, url.into(), Some((server.clone(), name)), "127.0.0.1")
            }
        }
    }

    /// On a SQLite file in a directory of the caller's.
    pub fn in_directory(path: &Path) -> Stage {
        let url = sqlite_in(path);
        Stage::over(tempfile::tempdir().unwrap(), url, None, "127.0.0.1")
    }

    /// On SQLite, with an organisation of that host name, which is the caller's to make known.
    pub fn named(host: &str) -> Stage {
        let directory = tempfile::tempdir().unwrap();
        let url = sqlite_in(directory.path());
        Stage::over(directory, url, None, host)
    }

    fn over(directory: TempDir, url: String, drop: Option<(String, String)>, host: &str) -> Stage {
        let target = Target::parse(&url).unwrap();
        let okta_address = free_address();
        let upstream = format!("{host}:{}", okta_address.port());
        let origin = format!("http://{upstream}");
        let registration = demo::registration(0, &origin);
        let okta = Okta::for_tests(Setup {
            name: ORGANISATIONS[0].0.into(),
            origin: origin.clone(),
            clock: Clock::system(),
            entropy: Entropy::system(),
            faults_over_http: false,
        });
        demo::furnish(&okta, &registration, ORGANISATIONS[0].0, PUBLIC_URL);
        let (served, listener) = (okta.clone(), TcpListener::bind(okta_address).unwrap());
        // It ends with this process.
        std::thread::spawn(move || actix_web::rt::System::new().block_on(served.serve(listener)));

        let mut conn = target.open().unwrap();
        db::migrate(&mut conn).unwrap();
        let allowed = [AllowedHost::parse(&upstream).unwrap()];
        demo::seed(
            &mut conn,
            &ctx(),
            keys(),
            "http://127.0.0.1:8090",
            &[registration],
            &allowed,
        )
        .unwrap();
        // A client whose lost answers can be fetched for a minute, which outlasts every restart.
        for (id, grace) in [(WEB_CLIENT, Duration::from_secs(60)), (SPA_CLIENT, SPA_GRACE)] {
            let mut row = client::find(&mut conn, id).unwrap().unwrap();
            row.settings.rotation = Rotation {
                enabled: true,
                grace_seconds: i64::try_from(grace.as_secs()).unwrap(),
            };
            client::update(&mut conn, &row).unwrap();
        }
        let people = conn
            .transaction::<_, StoreError, _>(|conn| (0..PEOPLE).map(|number| person(conn, number)).collect())
            .unwrap();
        Stage {
            target,
            url,
            okta,
            okta_address,
            upstream,
            directory,
            people,
            drop,
        }
    }

    /// Codes of that client, ready to be exchanged; made beside the brokers, as another node would.
    pub fn codes(&self, client_id: &str, count: usize) -> Vec<Code> {
        let (ctx, mut conn) = (ctx(), self.target.open().unwrap());
        let challenge = pkce::challenge(VERIFIER);
        // Read before the transaction: one that begins by writing waits for SQLite's lock, and one that began by reading cannot.
        let client = client::find(&mut conn, client_id).unwrap().unwrap();
        conn.transaction::<_, StoreError, _>(|conn| {
            let scopes = ["openid", "email", "profile"].map(String::from);
            let grant = Grant {
                client: &client,
                redirect_uri: CALLBACK,
                redirect_uri_given: true,
                scopes: &scopes,
                nonce: Some("nonce"),
                resource: None,
                code_challenge: Some(&challenge),
                mapping_version: 1,
                overrides: None,
            };
            (0..count)
                .map(|number| {
                    let sub = self.people[number % self.people.len()].clone();
                    let session = session_of(&ctx, &sub);
                    let code = login::issue_code(conn, &ctx, &session, &grant)?.0;
                    Ok(Code { code, sub })
                })
                .collect()
        })
        .unwrap()
    }

    pub fn rows(&self) -> Rows {
        rows::read(&mut self.target.open().unwrap())
    }

    /// What SQLite thinks of the file: `ok`, or what is broken.
    pub fn integrity(&self) -> String {
        #[derive(diesel::QueryableByName)]
        struct Line {
            #[diesel(sql_type = diesel::sql_types::Text)]
            integrity_check: String,
        }
        use diesel::RunQueryDsl;
        let Conn::Sqlite(mut conn) = self.target.open().unwrap() else {
            return "ok".into();
        };
        let lines: Vec<Line> = diesel::sql_query("PRAGMA integrity_check")
            .load(&mut conn)
            .unwrap();
        let lines: Vec<String> = lines.into_iter().map(|line| line.integrity_check).collect();
        lines.join("; ")
    }

    /// Adds somebody to the organisation who has never signed in here.
    pub fn newcomer(&self, login: &str) {
        let registration = demo::registration(0, "");
        self.okta.add_person(Person {
            id: format!("00u{:0<17.17}", login.replace(['@', '.'], "")),
            login: login.into(),
            email: login.into(),
            given_name: "New".into(),
            family_name: "Comer".into(),
            ..Person::default()
        });
        self.okta.change_app(&registration.client_id, |app| {
            app.assigned.push(login.into());
        });
    }

    /// A broker that is about to start at that address.
    pub fn command(&self, address: SocketAddr) -> Command {
        let binary = std::env::var_os("FOREBAY_BIN");
        let mut command = Command::new(binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_forebay").into()));
        command
            .current_dir(self.directory.path())
            .env_remove("FOREBAY_BIN")
            .args(["serve", "--database", &self.url])
            .args(["--database-connections", CONNECTIONS])
            .args(["--listen", &address.to_string(), "--public-url", PUBLIC_URL])
            .args(["--allow-upstream", &self.upstream])
            .env("FOREBAY_ROOT_KEY", root_key_text())
            .env("FOREBAY_LOG", "warn")
            // All of the load comes from one address.
            .env("FOREBAY_REQUESTS_PER_ADDRESS", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log_file(address));
        command
    }

    fn log_file(&self, address: SocketAddr) -> File {
        File::options()
            .create(true)
            .append(true)
            .open(self.log_path(address))
            .unwrap()
    }

    fn log_path(&self, address: SocketAddr) -> PathBuf {
        self.directory.path().join(format!("node-{}.log", address.port()))
    }

    /// What a node has logged.
    pub fn log_of(&self, address: SocketAddr) -> String {
        std::fs::read_to_string(self.log_path(address)).unwrap_or_default()
    }

    /// A broker that is ready.
    pub fn node(&self) -> Node {
        Node::start(self.command(free_address()))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.drop
            && let Ok(mut conn) = Target::Postgres(server.clone()).open()
        {
            let _ = conn.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

/// A broker in a process of its own; killed when dropped.
pub struct Node {
    child: Child,
    pub address: SocketAddr,
    /// From start to ready.
    pub ready_in: Duration,
}

impl Node {
    /// Starts it and waits until it is ready.
    pub fn start(mut command: Command) -> Node {
        let begun = Instant::now();
        let arguments: Vec<_> = command
            .get_args()
            .map(|one| one.to_string_lossy().into_owned())
            .collect();
        let listen = arguments.iter().position(|one| one == "--listen").unwrap();
        let address = arguments[listen + 1].parse().unwrap();
        let child = command.spawn().unwrap();
        let mut node = Node {
            child,
            address,
            ready_in: Duration::ZERO,
        };
        while !is_ready(address) {
            if let Some(status) = node.child.try_wait().unwrap() {
                panic!("the broker ended with {status} instead of serving");
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{address} is not ready"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        node.ready_in = begun.elapsed();
        node
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Any other signal, by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for its own end.
    pub fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < within {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn is_ready(address: SocketAddr) -> bool {
    http::ask(address, &http::get("/readyz", "")).is_ok_and(|answer| answer.status == 200)
}

pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What an action needs, as a node would have it.
pub fn ctx() -> Ctx {
    let entropy = Entropy::system();
    Ctx {
        actor: "faults".into(),
        request_id: "faults".into(),
        now: Clock::system().now(),
        entropy: entropy.clone(),
        sealer: Sealer::new(vec![ROOT_KEY], entropy),
    }
}

/// Made once: every stage's pool signs with the same.
fn keys() -> &'static NewKeys {
    static KEYS: OnceLock<NewKeys> = OnceLock::new();
    KEYS.get_or_init(|| NewKeys::make().unwrap())
}

fn person(conn: &mut Conn, number: usize) -> Result<String, StoreError> {
    let ctx = ctx();
    let subject = format!("00ufaults{number}");
    let attributes = serde_json::json!({ "email": format!("{number}@faults.test"), "email_verified": true });
    let person = User {
        sub: secret::uuid(&ctx.entropy),
        user_pool_id: POOL.into(),
        username: format!("acme-okta_{subject}"),
        status: Status::ExternalProvider,
        enabled: true,
        attributes: Json(attributes.as_object().unwrap().clone()),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    assert!(user::insert(conn, &person)?);
    let identity = Identity {
        provider_id: "acme-okta".into(),
        issuer: "https://acme.test".into(),
        subject,
        user_sub: person.sub.clone(),
        provider_name: "acme-okta".into(),
        is_primary: true,
        created_ms: 0,
    };
    assert!(user::insert_identity(conn, &identity)?);
    assert!(session::insert(conn, &session_of(&ctx, &person.sub))?);
    Ok(person.sub)
}

fn session_of(ctx: &Ctx, sub: &str) -> Session {
    Session {
        hash: secret::hash(sub),
        user_pool_id: POOL.into(),
        user_sub: sub.into(),
        provider_id: Some("acme-okta".into()),
        login_hash: secret::hash(&format!("login of {sub}")),
        facts: Json(Facts {
            auth_time: ctx.now,
            ..Facts::default()
        }),
        id_token_sealed: None,
        created_at: ctx.now,
        expires_at: ctx.now.plus(3600),
    }
}
