//! Verifies a journal: every line against the one before it, every checkpoint against its signature.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use ed25519_dalek::VerifyingKey;
use serde::Serialize;

use super::chain::{self, Broken, Claim, Link};
use super::file::set_aside;
use super::line::{Brief, Read1, Stage, read};

/// The key that a host's checkpoints are signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// What [`verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Files read.
    pub files: u64,
    /// Lines that verified.
    pub records: u64,
    /// Number of the first line; above 1 if older files were removed.
    pub first_seq: Option<u64>,
    /// Number of the last line that verified.
    pub last_seq: Option<u64>,
    /// Checkpoints whose signature verified.
    pub checkpoints: u64,
    /// Lines after the last checkpoint: only the chain speaks for them, and it would not tell if the last ones were cut off.
    pub unsigned: u64,
    /// Whether the journal ends with the checkpoint of an orderly stop.
    pub closed: bool,
    /// Bytes of an unfinished last line: a crash, or a write that is going on right now.
    pub torn_bytes: u64,
    /// Calls with an intent and no outcome: still open, or not yet closed after a crash.
    pub open: u64,
    /// The key the checkpoints were verified with, hex.
    pub key: Option<String>,
    /// Whether that key was given, and not only taken from the journal itself.
    pub key_given: bool,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
}

/// The first line that does not verify.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

/// The files of a journal in order: those that were set aside, then the journal itself.
///
/// # Errors
/// If the journal's directory cannot be read.
pub fn files(journal: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<_> = set_aside(journal)?.into_iter().map(|(_, path)| path).collect();
    if journal.try_exists()? {
        files.push(journal.to_owned());
    }
    Ok(files)
}

/// Verifies files that follow each other. Without a key, the one that the journal itself names is used, which only shows
/// that all checkpoints were signed by the same.
///
/// # Errors
/// If a file cannot be read. What is wrong in a file is no error but [`Report::fault`].
pub fn verify(paths: &[PathBuf], key: Option<PublicKey>) -> io::Result<Report> {
    // All are opened before any is read: a rotation in between then renames what we hold.
    let opened: Vec<(&PathBuf, File)> =
        paths.iter().map(|path| Ok((path, File::open(path)?))).collect::<io::Result<_>>()?;
    let mut walk = Walk {
        report: Report { key: key.map(|k| k.to_string()), key_given: key.is_some(), ..Report::default() },
        key,
        link: None,
        open: BTreeSet::new(),
    };
    let last = opened.len();
    for (n, (path, file)) in opened.into_iter().enumerate() {
        walk.file(path, file, n + 1 == last)?;
        if walk.report.fault.is_some() {
            break;
        }
    }
    walk.report.open = walk.open.len() as u64;
    Ok(walk.report)
}

impl PublicKey {
    /// Reads a key from 64 hex digits.
    pub fn parse(hex: &str) -> Option<Self> {
        VerifyingKey::from_bytes(&chain::unhex(hex.trim())?).ok().map(Self)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain::hex(self.0.as_bytes()))
    }
}

struct Walk {
    report: Report,
    key: Option<PublicKey>,
    /// Where the chain goes on; `None` before the first line.
    link: Option<Link>,
    open: BTreeSet<String>,
}

impl Walk {
    fn file(&mut self, path: &Path, file: File, last: bool) -> io::Result<()> {
        self.report.files += 1;
        let mut from = BufReader::with_capacity(1 << 16, file);
        let mut line = Vec::new();
        for number in 1.. {
            let why = match read(&mut from, &mut line)? {
                Read1::End => break,
                Read1::Whole => match self.line(&line, number == 1) {
                    Ok(()) => continue,
                    Err(why) => why,
                },
                Read1::Torn if last => {
                    self.report.torn_bytes = line.len() as u64;
                    break;
                }
                Read1::Torn => "the line has no end, though another file follows".to_owned(),
                Read1::TooLong => "the line is longer than any of ours".to_owned(),
            };
            self.report.fault = Some(Fault { file: path.to_owned(), line: number, why });
            break;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], first_of_file: bool) -> Result<(), String> {
        let before = match self.link {
            Some(link) => link,
            None => Link::before(line).map_err(|why| why.to_string())?,
        };
        if before.seq == 1 && before != Link::GENESIS {
            return Err("it says it is the first line, but follows another".to_owned());
        }
        let mut link = before;
        link.follow(line).map_err(|why| self.explain(why, line, before, first_of_file))?;
        let brief = Brief::parse(line).ok_or_else(|| Broken::Form.to_string())?;
        // Whole old files may be gone, by rotation; the beginning of one may not.
        if first_of_file && !(brief.is_checkpoint() && brief.reason.as_deref() == Some("begin")) {
            return Err(
                "the file does not begin with its first checkpoint: lines before this one were removed".to_owned()
            );
        }
        self.report.first_seq.get_or_insert(before.seq);
        self.report.last_seq = Some(before.seq);
        self.link = Some(link);
        self.report.records += 1;
        self.report.unsigned += 1;
        self.report.closed = false;
        if brief.is_checkpoint() {
            self.checkpoint(&brief, before)?;
        }
        match brief.stage {
            Some(Stage::Intent) => _ = self.open.insert(brief.id.into_owned()),
            Some(Stage::Outcome) => _ = self.open.remove(&*brief.id),
            None => {}
        }
        Ok(())
    }

    fn explain(&self, why: Broken, line: &[u8], before: Link, first_of_file: bool) -> String {
        match (why, chain::seq(line)) {
            (Broken::Prev | Broken::Seq, Some(seq)) if first_of_file && seq > before.seq => {
                format!("a file is missing before it: it begins with record {seq}, {} was expected", before.seq)
            }
            (Broken::Prev | Broken::Seq, Some(seq)) => format!("{why} (record {seq}, {} was expected)", before.seq),
            (Broken::Form | Broken::Hash, _) | (_, None) => why.to_string(),
        }
    }

    fn checkpoint(&mut self, brief: &Brief<'_>, link: Link) -> Result<(), String> {
        let named = brief.key.as_deref().and_then(PublicKey::parse);
        let key = *self.key.get_or_insert(named.ok_or("the checkpoint names no key")?);
        if named != Some(key) {
            return Err("the checkpoint is signed with another key".to_owned());
        }
        let claim =
            Claim { host: &brief.host, time: &brief.time, reason: brief.reason.as_deref().unwrap_or_default(), link };
        if !claim.is_signed(brief.signature.as_deref().unwrap_or_default(), &key.0) {
            return Err("the checkpoint's signature does not verify".to_owned());
        }
        self.report.key.get_or_insert_with(|| key.to_string());
        self.report.checkpoints += 1;
        self.report.unsigned = 0;
        self.report.closed = claim.reason == "close";
        // Those that were opened in files that are gone.
        self.open = brief.open.iter().flatten().map(|id| id.clone().into_owned()).collect();
        Ok(())
    }
}
