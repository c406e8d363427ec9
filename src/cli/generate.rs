//! `tidewaiter generate`: man pages and completions, for whoever makes a package.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, NO, print};

/// Arguments of `tidewaiter generate`.
#[derive(Debug, clap::Args)]
pub(super) struct Generate {
    /// Folder to write them to.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn run(generate: &Generate) -> ExitCode {
    match write(&generate.folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::error(format!("cannot write to {}: {error}", generate.folder.display()));
            ExitCode::from(NO)
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "tidewaiter", folder)?;
    }
    Ok(())
}
