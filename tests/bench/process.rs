//! The processes of a run, and what they use.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use forebay::demo::okta::{Okta, Setup};
use forebay::demo::{self, ORGANISATIONS, POOL};
use forebay::world::{Clock, Entropy};

use super::http::get;

/// Ended when dropped.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
    /// From start to the first 200.
    pub started_in: Duration,
}

/// How `forebay serve` is started.
pub struct Serve<'a> {
    directory: &'a Path,
    database: &'a str,
    upstream: SocketAddr,
    /// Where it serves its metrics, if at all.
    pub metrics: Option<SocketAddr>,
}

impl<'a> Serve<'a> {
    pub fn new(directory: &'a Path, database: &'a str, upstream: SocketAddr) -> Serve<'a> {
        Serve {
            directory,
            database,
            upstream,
            metrics: None,
        }
    }
}

impl Process {
    /// Started when it answers that path with 200.
    fn start(mut command: Command, address: SocketAddr, path: &str) -> Process {
        let begun = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut process = Process {
            child,
            address,
            started_in: Duration::ZERO,
        };
        while !answers(address, path) {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{address} does not answer"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        process.started_in = begun.elapsed();
        process
    }

    /// `forebay serve` over a database that has the demo's pool.
    pub fn serve(serve: &Serve<'_>) -> Process {
        let address = free_address();
        let mut command = forebay(serve.directory, serve.database);
        command
            .args(["serve", "--log", "warn", "--listen", &address.to_string()])
            .args(["--allow-upstream", &serve.upstream.to_string()]);
        if let Some(metrics) = serve.metrics {
            command.args(["--metrics-listen", &metrics.to_string()]);
        }
        Process::start(command, address, &discovery())
    }

    pub fn okta(address: SocketAddr) -> Process {
        Process::start(
            this("okta", address),
            address,
            "/.well-known/openid-configuration",
        )
    }

    /// actix-web alone, answering the bytes of a document.
    pub fn bare(bytes: usize) -> Process {
        let address = free_address();
        let mut command = this("bare", address);
        command.arg(bytes.to_string());
        Process::start(command, address, "/")
    }

    /// CPU time used so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // USER_HZ is 100 on every Linux that Rust's standard library supports.
        ticks as f64 / 100.0
    }

    /// Resident memory in MiB.
    pub fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The path of the pool's discovery document.
pub fn discovery() -> String {
    format!("/{POOL}/.well-known/openid-configuration")
}

/// The binary of this build, or the one that `FOREBAY_BIN` names, with that database.
pub fn forebay(directory: &Path, database: &str) -> Command {
    let binary = std::env::var_os("FOREBAY_BIN");
    let mut command = Command::new(binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_forebay").into()));
    command
        .current_dir(directory)
        .env_remove("FOREBAY_BIN")
        .env("FOREBAY_DATABASE", database)
        .env("FOREBAY_PUBLIC_URL", super::seed::PUBLIC_URL)
        .env("FOREBAY_ROOT_KEY", super::seed::root_key_text());
    command
}

fn answers(address: SocketAddr, path: &str) -> bool {
    let mut head = [0; 12];
    let answered = TcpStream::connect(address).and_then(|mut stream| {
        stream.write_all(&get(path, "Connection: close\r\n"))?;
        stream.read_exact(&mut head)
    });
    answered.is_ok() && head.ends_with(b"200")
}

pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn this(role: &str, address: SocketAddr) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--role", role, &address.to_string()]);
    command
}

fn arguments() -> Vec<String> {
    std::env::args()
        .skip_while(|argument| argument != "--role")
        .skip(2)
        .collect()
}

/// The role `okta`: one organisation with the demo's people.
pub fn run_okta() {
    let address = arguments()[0].clone();
    let origin = format!("http://{address}");
    let organisation = Okta::for_tests(Setup {
        name: ORGANISATIONS[0].0.into(),
        origin: origin.clone(),
        clock: Clock::system(),
        entropy: Entropy::system(),
        faults_over_http: false,
    });
    let registration = demo::registration(0, &origin);
    demo::furnish(
        &organisation,
        &registration,
        ORGANISATIONS[0].0,
        super::seed::PUBLIC_URL,
    );
    let listener = TcpListener::bind(address).unwrap();
    actix_web::rt::System::new()
        .block_on(organisation.serve(listener))
        .unwrap();
}

/// The role `bare`: what actix-web itself does with an answer of that size.
pub fn run_bare() {
    let arguments = arguments();
    let body = web::Bytes::from(vec![b'x'; arguments[1].parse().unwrap()]);
    actix_web::rt::System::new()
        .block_on(async move {
            let answer = move || {
                let body = body.clone();
                async move { HttpResponse::Ok().content_type("application/json").body(body) }
            };
            HttpServer::new(move || App::new().route("/", web::get().to(answer.clone())))
                .workers(2)
                .bind(&arguments[0])?
                .run()
                .await
        })
        .unwrap();
}
