//! The text format of Prometheus, version 0.0.4. Pure.
//!
//! Written by hand: it is a few lines, and the libraries write OpenMetrics, which `promtool check metrics` does not read.

use std::fmt::{Display, Write as _};

/// What a scraper is told that it gets.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of a histogram of seconds, in microseconds: from a call that only reads to one that waits for a disk.
const BOUNDS: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];

/// Names and values of labels. Values are ours, or an operator's plain names of sinks: a label that a caller could choose would
/// let him fill the scraper's memory.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

/// An exposition that is being written.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

/// Durations, counted by upper bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Histogram {
    /// One for each bound; each duration is in the first that holds it.
    counts: [u64; BOUNDS.len()],
    /// All of them, those above the last bound included.
    count: u64,
    sum: u64,
}

impl Exposition {
    /// A number that only grows.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.family(name, help, "counter", [(&[] as Labels<'_>, value)]);
    }

    /// A number that goes up and down.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, value: impl Display) {
        self.family(name, help, "gauge", [(&[] as Labels<'_>, value)]);
    }

    /// One name with several sets of labels.
    pub(super) fn family<'a, L: AsRef<[(&'static str, &'a str)]>>(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: &'static str,
        samples: impl IntoIterator<Item = (L, impl Display)>,
    ) {
        self.head(name, help, kind);
        for (labels, value) in samples {
            self.sample(name, labels.as_ref(), value);
        }
    }

    /// Durations, in seconds.
    pub(super) fn histogram(&mut self, name: &'static str, help: &'static str, histogram: &Histogram) {
        self.head(name, help, "histogram");
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(histogram.counts) {
            below += count;
            self.bucket(name, &seconds(*bound), below);
        }
        self.bucket(name, "+Inf", histogram.count);
        self.line(format_args!("{name}_sum {}", seconds(histogram.sum)));
        self.line(format_args!("{name}_count {}", histogram.count));
    }

    /// The whole text.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        if labels.is_empty() {
            return self.line(format_args!("{name} {value}"));
        }
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        self.line(format_args!("{name}{{{}}} {value}", labels.join(",")));
    }

    fn bucket(&mut self, name: &str, bound: &str, count: u64) {
        self.line(format_args!("{name}_bucket{{le=\"{bound}\"}} {count}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let _infallible = writeln!(self.0, "{line}");
    }
}

impl Histogram {
    /// Counts a duration, in microseconds.
    pub(super) fn observe(&mut self, micros: u64) {
        if let Some((_, count)) = BOUNDS.iter().zip(&mut self.counts).find(|(bound, _)| micros <= **bound) {
            *count += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(micros);
    }
}

/// Microseconds as seconds, without the rounding of a float.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_the_format_has_them() {
        let mut out = Exposition::default();
        out.gauge("open", "Open.", 3);
        out.family("calls_total", "Calls.", "counter", [([("class", "read"), ("action", "allow")], 7)]);
        let mut histogram = Histogram::default();
        for micros in [100, 101, 9_000_000] {
            histogram.observe(micros);
        }
        out.histogram("gate_seconds", "Added.", &histogram);
        let text = out.into_text();
        for line in [
            "# HELP open Open.",
            "# TYPE open gauge",
            "open 3",
            "calls_total{class=\"read\",action=\"allow\"} 7",
            "gate_seconds_bucket{le=\"0.0001\"} 1",
            "gate_seconds_bucket{le=\"0.00025\"} 2",
            "gate_seconds_bucket{le=\"5\"} 2",
            "gate_seconds_bucket{le=\"+Inf\"} 3",
            "gate_seconds_sum 9.000201",
            "gate_seconds_count 3",
        ] {
            assert!(text.lines().any(|written| written == line), "no {line} in\n{text}");
        }
    }
}
