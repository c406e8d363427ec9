//! As much of unit files as it takes to see what they say: sections, assignments, lists that an empty value clears. Pure.

use super::plan::File;

/// The values of a key in a section over a unit and its drop-ins, in the order in which systemd reads them.
pub(super) fn values<'a>(files: impl IntoIterator<Item = &'a File>, section: &str, key: &str) -> Vec<String> {
    let mut values = Vec::new();
    for file in files {
        let mut here = false;
        for line in lines(&file.text) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                here = name == section;
            } else if here
                && let Some((name, value)) = line.split_once('=')
                && name.trim_end() == key
            {
                match value.trim() {
                    "" => values.clear(),
                    value => values.push(value.to_owned()),
                }
            }
        }
    }
    values
}

/// Lines with continuations joined, without comments and blank ones. A comment within a continuation does not end it.
fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.lines().map(str::trim).chain([""]) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        match line.strip_suffix('\\') {
            Some(part) => {
                open.push_str(part);
                open.push(' ');
            }
            None => {
                open.push_str(line);
                lines.extend(Some(std::mem::take(&mut open)).filter(|whole| !whole.is_empty()));
            }
        }
    }
    lines
}

/// The addresses of `-H`, `-H=`, `-HADDRESS`, `--host` and `--host=` in a command line of dockerd's.
pub(super) fn hosts(words: &[String]) -> Vec<String> {
    let mut hosts = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "-H" || word == "--host" {
            hosts.extend(words.next().cloned());
        } else if let Some(host) = word.strip_prefix("--host=") {
            hosts.push(host.to_owned());
        } else if let Some(host) = word.strip_prefix("-H") {
            hosts.push(host.trim_start_matches('=').to_owned());
        }
    }
    hosts
}

/// The words of a command line in a unit or an environment file; quotes only hold together here.
pub(super) fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        File { path: "x".into(), text: text.to_owned() }
    }

    #[test]
    fn later_files_add_and_an_empty_value_clears() {
        let unit =
            file("[Socket]\nListenStream=/run/docker.sock\n# ListenStream=/comment\n[Install]\nListenStream=/no\n");
        assert_eq!(values([&unit], "Socket", "ListenStream"), ["/run/docker.sock"]);
        let more = file("[Socket]\nListenStream = /second\n");
        assert_eq!(values([&unit, &more], "Socket", "ListenStream"), ["/run/docker.sock", "/second"]);
        let clear = file("[Socket]\nListenStream=\nListenStream=/third\n");
        assert_eq!(values([&unit, &more, &clear], "Socket", "ListenStream"), ["/third"]);
    }

    #[test]
    fn a_command_line_over_several_lines_is_one() {
        let unit = file("[Service]\nExecStart=/usr/bin/dockerd \\\n  # why\n  -H fd:// \\\n  --debug\nRestart=always");
        let exec = values([&unit], "Service", "ExecStart");
        assert_eq!(hosts(&words(&exec[0])), ["fd://"]);
    }

    #[test]
    fn every_form_of_a_host_is_read() {
        for line in ["-H tcp://1", "-H=tcp://1", "-Htcp://1", "--host tcp://1", "--host=tcp://1", "'-H' \"tcp://1\""] {
            assert_eq!(hosts(&words(line)), ["tcp://1"], "{line}");
        }
        assert!(hosts(&words("--hosts-file x -D --help")).is_empty());
    }
}
