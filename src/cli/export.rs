//! `tidewaiter journal export`: every record that is kept, in the words of another system. A sink does the same as it comes.

use std::io::Write;

use clap::ValueEnum;

use super::journal::{Failure, Place, named};
use crate::audit::Follower;
use crate::config::Host;
use crate::sink::{self, Version};

/// Arguments of `tidewaiter journal export`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// The words: those of the journal, OCSF's or ECS's
    #[arg(long, value_enum, default_value_t = Format::Ocsf)]
    format: Format,
    /// Version of OCSF that events say they have
    #[arg(long, value_parser = version, default_value = Version::default().name())]
    ocsf_version: Version,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Native,
    Ocsf,
    Ecs,
}

/// Prints every record.
///
/// # Errors
/// If there is no journal, or it cannot be read.
pub(super) fn run(args: Args, host: &Host, out: &mut impl Write) -> Result<(), Failure> {
    let journal = args.place.find(host)?.journal;
    let format = match args.format {
        Format::Native => sink::Format::Native,
        Format::Ocsf => sink::Format::Ocsf(args.ocsf_version),
        Format::Ecs => sink::Format::Ecs,
    };
    let mut follower = Follower::open_from_start(&journal).map_err(|error| named(&journal, &error.to_string()))?;
    while let Some(line) = follower.try_next().map_err(Failure::Io)? {
        let Some(record) = line.record() else { continue };
        for event in format.render(&line.bytes, &record) {
            writeln!(out, "{event}").map_err(Failure::Io)?;
        }
    }
    Ok(())
}

fn version(text: &str) -> Result<Version, String> {
    let known = Version::NAMES.iter().find(|(name, _)| *name == text).map(|(_, version)| *version);
    let names: Vec<&str> = Version::NAMES.iter().map(|(name, _)| *name).collect();
    known.ok_or_else(|| format!("one of {}", names.join(", ")))
}
