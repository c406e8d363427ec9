//! `tidewaiter generate`: man pages and completions, for whoever makes a package.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, NO, print};
use crate::policy::{Check, help};

/// Arguments of `tidewaiter generate`.
#[derive(Debug, clap::Args)]
pub(super) struct Generate {
    /// Folder to write them to.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// The files that an operator writes: the examples that stand beside the program are their reference.
const FILES: [(&str, &str, &str, &str); 2] = [
    (
        "tidewaiter.toml",
        "settings of the gate",
        "Doors, engine, journal, state and limits. Every setting with its default:",
        include_str!("../../conf/tidewaiter.toml"),
    ),
    (
        "tidewaiter-policy",
        "who may ask Docker for what",
        "Principals, profiles, exceptions and rules. A policy with every key:",
        include_str!("../../conf/policy.toml"),
    ),
];

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
    for (name, title, about, example) in FILES {
        fs::write(folder.join(format!("{name}.5")), page(name, title, about, example))?;
    }
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "tidewaiter", folder)?;
    }
    Ok(())
}

/// A page of section 5.
fn page(name: &str, title: &str, about: &str, example: &str) -> String {
    let mut page = format!(
        ".TH {name} 5 \"\" tidewaiter\n.SH NAME\n{name} \\- {title}\n.SH DESCRIPTION\n{}\n.PP\n.nf\n{}.fi\n",
        literal(about),
        example.lines().map(|line| literal(line) + "\n").collect::<String>(),
    );
    if name == "tidewaiter-policy" {
        page.push_str(".SH CHECKS\nWhat a profile's reactions and exceptions name.\n");
        for check in Check::ALL {
            let told = help(*check);
            page.push_str(&format!(".TP\n.B {}\n", literal(check.id())));
            for text in [told.means, "Danger:", told.danger, "To allow it:", told.narrowly] {
                page.push_str(&format!("{}\n", literal(text)));
            }
        }
    }
    page + ".SH SEE ALSO\ntidewaiter(1), tidewaiter-check(1), tidewaiter-explain(1), tidewaiter-test(1)\n"
}

/// A line of text that roff takes for nothing else.
fn literal(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_every_command_and_file_and_completions_for_three_shells() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path()).unwrap();
        let read = |name: &str| {
            let bytes = fs::read(dir.path().join(name)).unwrap_or_else(|_| panic!("no {name}"));
            String::from_utf8(bytes).unwrap()
        };
        let mut wanted = vec!["tidewaiter.1".to_owned(), "tidewaiter.toml.5".into(), "tidewaiter-policy.5".into()];
        wanted.extend(["tidewaiter.bash", "_tidewaiter", "tidewaiter.fish"].map(String::from));
        let hidden = |command: &&clap::Command| !command.is_hide_set();
        wanted
            .extend(Cli::command().get_subcommands().filter(hidden).map(|c| format!("tidewaiter-{}.1", c.get_name())));
        for name in wanted {
            assert!(!read(&name).is_empty(), "{name}");
        }
        let policy = read("tidewaiter-policy.5");
        assert!(policy.contains(".B mount.host\\-path\n") && policy.contains("[[principal]]"));
        assert!(read("tidewaiter-explain.1").contains("docker inspect web"));
    }

    #[test]
    fn no_line_of_an_example_is_a_request_of_roffs() {
        assert_eq!(literal(".so x"), "\\&.so x");
        assert_eq!(literal("a\\b-c"), "a\\eb\\-c");
    }
}
