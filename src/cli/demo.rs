//! `forebay demo`: the ports of its parts. It takes no other setting but the log's: its database and keys are its own,
//! and `FOREBAY_DATABASE` means nothing to it.

use super::{Failure, Outcome, logging};
use crate::config::Settings;
use crate::db::Target;
use crate::demo::{self, Ports};

#[derive(clap::Args)]
pub struct Args {
    /// The broker, on localhost
    #[arg(long, value_name = "PORT", default_value_t = Ports::default().broker)]
    port: u16,
    /// The sample app, on 127.0.0.1
    #[arg(long, value_name = "PORT", default_value_t = Ports::default().app)]
    app_port: u16,
    /// The stand-in Okta of acme, on 127.0.0.1
    #[arg(long, value_name = "PORT", default_value_t = Ports::default().acme)]
    acme_port: u16,
    /// The stand-in Okta of globex, on 127.0.0.1
    #[arg(long, value_name = "PORT", default_value_t = Ports::default().globex)]
    globex_port: u16,
    /// The stand-ins take faults over HTTP, for tests in a browser
    #[arg(long, hide = true)]
    faults: bool,
    /// An empty database to fill in place of a temporary file, for tests on PostgreSQL
    #[arg(long, hide = true, value_name = "URL", value_parser = Target::parse)]
    empty_database: Option<Target>,
}

pub fn run(settings: &Settings, args: &Args) -> Outcome {
    let _log = logging::start(settings);
    let ports = Ports {
        broker: args.port,
        app: args.app_port,
        acme: args.acme_port,
        globex: args.globex_port,
        faults: args.faults,
    };
    actix_web::rt::System::new()
        .block_on(demo::run(ports, args.empty_database.clone()))
        .map_err(Failure::Refused)
}
