//! `tidewaiter console`: a link to the running gate's pages, for whoever the kernel says asks for it.

use std::path::PathBuf;
use std::process::ExitCode;

use super::approve::block_on;
use super::{BAD_CONFIG, NO, check, print};
use crate::admin::Client;
use crate::config::{self, AdminDoors, Host};

/// Arguments of `tidewaiter console`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Configuration file of the gate [default: /etc/tidewaiter/tidewaiter.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(Args { config }: Args) -> ExitCode {
    let AdminDoors { socket, console } = match config::admin_doors(config, &Host::current()) {
        Ok(doors) => doors,
        Err(reports) => {
            print::reports(&reports);
            print::error(check::count(&reports));
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let Some(address) = console else {
        print::error(format!(
            "the console has no port: write [admin] address = \"tcp://127.0.0.1:9323\"; or lead one to its socket: \
             ssh -L 9323:{} HOST, and open http://127.0.0.1:9323/",
            socket.display()
        ));
        return ExitCode::from(NO);
    };
    match block_on(Client::new(socket).console_token()) {
        Ok(token) => {
            print::out(format!("http://{address}/console/enter?token={token}"));
            ExitCode::SUCCESS
        }
        Err(why) => {
            print::error(why);
            ExitCode::from(NO)
        }
    }
}
