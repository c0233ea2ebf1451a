//! PostgreSQL for the suite: the server that `TEST_DATABASE_URL` or `POSTGRES_URL` names, or one of the suite's own, which
//! can be restarted and is made where the server's programs are installed.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::Options;
use super::stage::free_address;

/// A server to make databases at.
pub enum Server {
    Named(String),
    Own(Own),
}

impl Server {
    pub fn url(&self) -> String {
        match self {
            Server::Named(url) => url.clone(),
            Server::Own(own) => own.url(own.address),
        }
    }
}

/// The named server, or else one of our own; or why there is none.
pub fn server(options: &Options) -> Result<Server, String> {
    match &options.postgres_url {
        Some(url) => Ok(Server::Named(url.clone())),
        None => Own::start().map(Server::Own),
    }
}

/// A cluster in a temporary directory, on a port of its own; stopped when dropped.
pub struct Own {
    programs: PathBuf,
    directory: TempDir,
    pub address: SocketAddr,
}

impl Own {
    pub fn start() -> Result<Own, String> {
        let programs = programs().ok_or("PostgreSQL's server is not installed in /usr/lib/postgresql")?;
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(directory.path(), open).map_err(|error| error.to_string())?;
        let own = Own {
            programs,
            directory,
            address: free_address(),
        };
        let data = own.data();
        own.run(
            "initdb",
            &[
                "-D",
                &data,
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
            ],
        )?;
        // fsync stays on: what is acknowledged has to outlive an immediate stop.
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\nmax_connections = 100\n",
            own.address.port()
        );
        let file = format!("{data}/postgresql.auto.conf");
        std::fs::write(file, settings).map_err(|error| error.to_string())?;
        own.control(&["start"])?;
        Ok(own)
    }

    /// The server at that address, which may be a proxy's.
    pub fn url(&self, address: SocketAddr) -> String {
        format!("postgres://postgres@{address}/postgres?sslmode=disable")
    }

    /// Stops it; `fast` ends the connections, `immediate` is a crash.
    pub fn stop(&self, mode: &str) {
        self.control(&["stop", "-m", mode]).unwrap();
    }

    /// Starts it and waits until it takes connections.
    pub fn start_again(&self) {
        self.control(&["start"]).unwrap();
    }

    fn data(&self) -> String {
        self.directory.path().join("cluster").display().to_string()
    }

    fn control(&self, arguments: &[&str]) -> Result<(), String> {
        let (data, log) = (self.data(), self.directory.path().join("log"));
        let log = log.display().to_string();
        let mut all = vec!["-D", &data, "-l", &log, "-w", "-s"];
        all.extend(arguments);
        self.run("pg_ctl", &all)
    }

    /// One of the server's programs, which refuse to be run by root.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        // The server that pg_ctl starts must not hold a pipe of ours open.
        let errors = self.directory.path().join("errors");
        let file = std::fs::File::create(&errors).map_err(|error| error.to_string())?;
        let status = command
            .args(arguments)
            .current_dir("/")
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(file)
            .status()
            .map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
        if status.success() {
            return Ok(());
        }
        let said = std::fs::read_to_string(errors).unwrap_or_default();
        Err(format!("{} failed: {said}", program.display()))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.control(&["stop", "-m", "immediate"]);
    }
}

/// Where the newest installed server's programs are.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}

pub fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|Output { stdout, .. }| stdout.starts_with(b"0\n"))
}

/// Whether a program is there to be run.
pub fn have(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| Path::new(&directory).join(program).exists())
    })
}
