//! `tidewaiter test`: policy tests as files, for a policy's own continuous integration.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::{BAD_CONFIG, NO, USAGE, given, print};
use crate::diagnostic::Source;
use crate::offline::{Asked, Failure, Suite};

/// How files of tests end.
const ENDING: &str = ".test.toml";

const EXAMPLES: &str = "\
A file of tests (NAME.test.toml):
  policy = \"policy.toml\"                     # relative to this file; --policy replaces it

  [[test]]
  name   = \"a job may not be privileged\"
  as     = { uid = 998, group = \"docker\" }   # as in explain --as
  run    = \"docker run --privileged registry.example.com/ci/job:1\"
  expect = \"deny\"                            # allow, approve, deny
  checks = [ \"privileged\" ]                  # exactly those that refuse; with allow, those that must be told

In place of run: create = { Image = … }, or request = \"POST /v1.41/volumes/create\" with body = { … }. known = { … } says what
the engine holds, in the words of a record's member of that name. Exit 1 if a test fails.";

/// Arguments of `tidewaiter test`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Test {
    /// Folders in which files of tests are looked for, or such files.
    #[arg(value_name = "DIR", required = true)]
    places: Vec<PathBuf>,
    /// The policy to ask in place of those that the files name.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(test: &Test) -> ExitCode {
    let mut files = Vec::new();
    for place in &test.places {
        if let Err(error) = find(place, &mut files) {
            print::error(format!("{}: {error}", place.display()));
            return ExitCode::from(USAGE);
        }
    }
    if files.is_empty() {
        print::error(format!("there is no file NAME{ENDING}: nothing was tested"));
        return ExitCode::from(USAGE);
    }
    let (mut passed, mut failed) = (0_usize, Vec::new());
    for file in &files {
        match suite(file, test.policy.as_deref()) {
            Ok(results) => {
                for (name, result) in results {
                    match result {
                        Ok(()) => passed += 1,
                        Err(failure) => failed.push((name, failure)),
                    }
                }
            }
            Err(code) => return ExitCode::from(code),
        }
    }
    tell(passed, &failed, test.json);
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(NO) }
}

/// What came of each test, by `file:line: name`.
type Results = Vec<(String, Result<(), Box<Failure>>)>;

fn suite(file: &Path, policy: Option<&Path>) -> Result<Results, u8> {
    let wrong = |why: &dyn std::fmt::Display| {
        print::error(why);
        USAGE
    };
    let text = given::text(file).map_err(|error| wrong(&format!("{}: {error}", file.display())))?;
    let source = Source { path: file.to_owned(), text };
    let suite = Suite::read(&source).map_err(|why| wrong(&why))?;
    let beside = file.parent().unwrap_or(Path::new("."));
    let named = suite.policy.as_ref().map(|name| beside.join(name));
    let path = policy.map(Path::to_owned).or(named);
    let path =
        path.ok_or_else(|| wrong(&format!("{}: it names no policy (policy = …, or --policy)", file.display())))?;
    let (policy, text) = given::policy(&path).ok_or(BAD_CONFIG)?;
    let mut asked = Asked { policy, source: Some(text), protected: Vec::new(), now: jiff::Timestamp::now() };
    let result = |mut test: crate::offline::Test| {
        let name = format!("{}:{}: {}", file.display(), test.line, test.name);
        (name, test.run(&mut asked))
    };
    Ok(suite.tests.into_iter().map(result).collect())
}

/// Files of tests below a folder, in order.
fn find(place: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !place.is_dir() {
        place.metadata()?;
        files.push(place.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(place)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    entries.sort_unstable();
    for path in entries {
        let is_tests = path.to_string_lossy().ends_with(ENDING);
        // Not through links: a folder may link to itself.
        if path.symlink_metadata()?.is_dir() || is_tests {
            find(&path, files)?;
        }
    }
    Ok(())
}

fn tell(passed: usize, failed: &[(String, Box<Failure>)], as_json: bool) {
    if as_json {
        let failed: Vec<_> = failed
            .iter()
            .map(|(name, failure)| {
                json!({ "test": name, "expected": failure.expected, "got": failure.got, "answer": failure.answer })
            })
            .collect();
        return print::out(json!({ "passed": passed, "failed": failed }));
    }
    for (name, failure) in failed {
        print::out(format!("FAILED {name}"));
        print::out(format!("  expected {}", failure.expected));
        print::out(format!(
            "  got      {}, for {} (profile {})",
            failure.got, failure.answer.principal, failure.answer.profile
        ));
        for told in &failure.answer.findings {
            let detail = if told.detail.is_empty() { String::new() } else { format!(": {}", told.detail) };
            let word = told.reaction.word();
            print::out(format!("    {word:<8} {}{detail} ({}), by {}", told.check, told.field, told.decided_by));
        }
    }
    print::out(format!("{passed} passed, {} failed", failed.len()));
}
