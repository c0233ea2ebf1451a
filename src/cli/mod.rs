//! The command line: what a shell can ask of Forebay. Each file holds one subject's subcommands; they read through
//! `model`, change through `actions`, and print either text for people or, with `--json`, one JSON document.
//!
//! Exit codes: 0 fine, 1 what was asked for failed (one line on standard error), 2 bad usage or configuration.

mod admin;
mod backup;
mod client;
mod credential;
mod demo;
mod doctor;
mod export;
mod hook;
mod import;
mod keys;
mod logging;
mod migrate;
mod output;
mod pool;
mod progress;
mod provider;
mod resource_server;
mod serve;
mod store;
mod tenant;
mod trace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Flags, Settings};
use crate::error::{Error, StoreError};
use output::Output;

#[derive(Parser)]
#[command(
    name = "forebay",
    version,
    about = "Sign-ins from each tenant's Okta in, one steady OpenID Connect provider out",
    long_about = "Sign-ins from each tenant's Okta in, one steady OpenID Connect provider in the shape of an Amazon \
                  Cognito user pool out.\n\nTo see it work with nothing configured: forebay demo",
    after_help = "Settings can be given before or after the subcommand, or as the environment variables named beside \
                  them; a flag wins over its variable.\nExit codes: 0 fine, 1 what was asked for failed, 2 bad usage \
                  or configuration.",
    max_term_width = 110
)]
struct Cli {
    #[command(flatten)]
    flags: Flags,

    /// Print one JSON document instead of text
    #[arg(long, global = true, display_order = 900)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the broker
    Serve,
    /// Run the broker with two stand-in Okta organisations and a sample app, on this machine
    Demo(demo::Args),
    /// Bring the database's schema up to date (serve does it, too)
    Migrate,
    /// User pools: each is one OpenID Connect provider
    #[command(subcommand)]
    Pool(pool::Command),
    /// App clients: the applications that sign their users in here
    #[command(subcommand)]
    Client(Box<client::Command>),
    /// Access keys for the management API, which AWS SDKs, the AWS CLI and Terraform speak
    #[command(subcommand)]
    Credential(credential::Command),
    /// Hooks: which address answers for the ARNs of a pool's LambdaConfig
    #[command(subcommand)]
    Hook(hook::Command),
    /// Connections to upstream identity providers, such as a tenant's Okta
    #[command(subcommand)]
    Provider(Box<provider::Command>),
    /// Resource servers: APIs with scopes of their own
    #[command(subcommand)]
    ResourceServer(resource_server::Command),
    /// Signing keys of a pool: what signs, what will, what did
    #[command(subcommand)]
    Keys(keys::Command),
    /// Tenants: customer organisations inside a pool, with connections of their own
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// The stories of sign-ins, by the code on the user's error page
    #[command(subcommand)]
    Trace(trace::Command),
    /// Move a pool in: from Amazon Cognito, or from another Forebay
    #[command(subcommand)]
    Import(import::Command),
    /// Write a pool as one JSON document, to be moved elsewhere
    Export(export::Command),
    /// Write the whole database and the root key into one sealed file, while the broker goes on running
    Backup(backup::Backup),
    /// Put a backup into an empty database, of either kind
    Restore(backup::Restore),
    /// Administrators of the console
    #[command(subcommand)]
    Admin(admin::Command),
    /// Check configuration, database, keys, clock and every connection, and say what to do
    Doctor,
}

/// Why a command ended badly.
#[derive(Debug)]
enum Failure {
    /// What was asked for failed: exit code 1.
    Refused(String),
    /// It was asked for in the wrong way: exit code 2.
    Usage(String),
    /// All was said on standard output already: exit code 1.
    Said,
}

/// How a command ends.
type Outcome = Result<(), Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Refused(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Refused(error.to_string())
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let mut cli = Cli::parse();
    cli.flags.or_opentelemetry(|name| std::env::var(name).ok());
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for warning in config::unknown_variables(variables) {
        eprintln!("forebay: warning: {warning}");
    }
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Said) => ExitCode::from(1),
        Err(Failure::Refused(message)) => {
            eprintln!("forebay: {}", output::plain(&message));
            ExitCode::from(1)
        }
        Err(Failure::Usage(message)) => {
            eprintln!("forebay: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> Outcome {
    let output = Output { json: cli.json };
    let settings = match Settings::check(&cli.flags) {
        Ok(settings) => settings,
        Err(problems) if matches!(cli.command, Command::Doctor) => {
            return doctor::misconfigured(output, &problems);
        }
        Err(problems) => {
            let count = match problems.len() {
                1 => "one setting is wrong".to_owned(),
                more => format!("{more} settings are wrong"),
            };
            let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
            return Err(Failure::Usage(format!("{count}\n{}", lines.join("\n"))));
        }
    };
    match cli.command {
        Command::Serve => serve::run(&settings),
        Command::Demo(args) => demo::run(&settings, &args),
        Command::Migrate => migrate::run(&settings, output),
        Command::Pool(command) => pool::run(&settings, output, command),
        Command::Credential(command) => credential::run(&settings, output, command),
        Command::Hook(command) => hook::run(&settings, output, command),
        Command::Client(command) => client::run(&settings, output, *command),
        Command::Provider(command) => provider::run(&settings, output, *command),
        Command::ResourceServer(command) => resource_server::run(&settings, output, command),
        Command::Keys(command) => keys::run(&settings, output, command),
        Command::Tenant(command) => tenant::run(&settings, output, command),
        Command::Trace(command) => trace::run(&settings, output, command),
        Command::Import(command) => import::run(&settings, output, command),
        Command::Export(command) => export::run(&settings, output, command),
        Command::Backup(command) => backup::write(&settings, output, command),
        Command::Restore(command) => backup::restore(&settings, output, command),
        Command::Admin(command) => admin::run(&settings, output, command),
        Command::Doctor => doctor::run(&settings, output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_its_help_has_every_setting() {
        Cli::command().debug_assert();
        let help = Cli::command().render_long_help().to_string();
        for flag in [
            "--public-url",
            "--listen",
            "--database",
            "--keys",
            "--root-key-file",
            "--allow-upstream",
            "--trusted-proxy",
            "--upstream-ca",
            "--upstream-proxy",
            "--log-format",
        ] {
            assert!(help.contains(flag), "{flag}");
        }
        for heading in [
            "Network:",
            "Storage and keys:",
            "Upstream (the way to Okta):",
            "Logging:",
        ] {
            assert!(help.contains(heading), "{heading}\n{help}");
        }
    }
}
