//! Lists of processes: the engine runs `ps` on the host with words of the client's choice, and shows those lines whose
//! column `PID` holds a process of the container, with those that say `-` behind them.
//!
//! Whoever chooses what that column is chooses the lines. `-osupgid=PID -oargs e` shows the command lines and environments of the
//! host's processes, and `-o lstart,a,b,c,pid` counts the year for one. Engines look for the first of these only behind a blank.

use super::Found;
use crate::policy::Check;
use crate::request::{Call, Operation};

/// Letters that choose processes, and formats of which all columns before `PID` are one word. Behind no dash `e` would be the
/// environment, and none of them takes a word of its own.
const DASHED: &str = "AaeFfjlwxuy";
const BARE: &str = "afjluwx";

pub(super) fn check(found: &mut Found<'_>, call: &Call<'_>) {
    let words = call.asked.query.first("ps_args").unwrap_or_default();
    if call.asked.operation == Operation::ContainerTop && !is_plain(words) {
        found.add(Check::ProcessListing, "query.ps_args", words);
    }
}

/// Whether `ps` has the pid in its own column, whatever else it shows: usual clusters of letters, and one `-o` that begins with
/// it.
fn is_plain(words: &str) -> bool {
    let mut formats = 0;
    let mut words = words.split(' ').filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let (letters, known) = word.strip_prefix('-').map_or((word, BARE), |letters| (letters, DASHED));
        let (letters, format) =
            letters.split_once('o').map_or((letters, None), |(before, format)| (before, Some(format)));
        if !letters.chars().all(|letter| known.contains(letter)) || letters.is_empty() && format.is_none() {
            return false;
        }
        let Some(attached) = format else { continue };
        formats += 1;
        let format = if attached.is_empty() { words.next().unwrap_or_default() } else { attached };
        if formats > 1 || !is_format(format) {
            return false;
        }
    }
    true
}

/// The pid, once and first, and further columns under the names they have.
fn is_format(format: &str) -> bool {
    let mut columns = format.split(',');
    let is_column = |name: &str| {
        name != "pid" && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_%".contains(&byte))
    };
    columns.next() == Some("pid") && columns.all(is_column)
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn only_words_that_leave_the_pid_in_its_column_are_plain() {
        for words in [
            "",
            "-ef",
            "aux",
            "-aux",
            "auxww",
            "-e -f",
            "-eo pid,comm",
            "-o pid,ppid,%cpu,args",
            "-opid",
            "ax -o pid,user",
            "o pid,args",
        ] {
            assert!(is_plain(words), "{words}");
        }
        for words in [
            "-osupgid=PID -oargs e -p 1,2",
            "-eo supgid=PID",
            "-o pid -o supgid=PID",
            "-o pid=,args",
            "-o lstart,comm,comm,pid",
            "-o pid,lstart,pid",
            "-o args,pid",
            "-o",
            "-",
            "axe",
            "-ef\t-o x=PID",
            "-ef\u{a0}-ox",
            "-m -opid",
            "-Z",
            "--format pid=PID",
            "-p 1",
            "k -pid",
        ] {
            assert!(!is_plain(words), "{words}");
        }
    }
}
