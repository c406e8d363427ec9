//! A launch's timeline on a page: every moment at its true place on one axis, times relative to the start. Pure.

use jiff::Timestamp;

use super::super::view::{Entry, Launch, What};

/// Room at both ends of the axis, in hundredths of a percent.
const MARGIN: i64 = 200;
/// The whole axis.
const WHOLE: i64 = 10_000;
/// Most ticks on an axis.
const TICKS: i64 = 5;
/// Least distance of two moments at a glance, in hundredths of a percent.
const APART: i64 = 450;

/// One moment.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) entry: &'a Entry,
    /// `+0.012 s`.
    pub(super) offset: String,
    /// Place on the axis, in hundredths of a percent.
    place: i64,
}

impl Row<'_> {
    /// Place on the axis, in percent.
    pub(super) fn x(&self) -> String {
        percent(self.place)
    }
}

/// A timeline.
#[derive(Debug)]
pub(super) struct Timeline<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// Place and label of round times.
    pub(super) ticks: Vec<(String, String)>,
    /// Where the container lives: from its start, and how long that is, in percent.
    pub(super) life: Option<(String, String)>,
}

impl<'a> Timeline<'a> {
    pub(super) fn of(launch: &'a Launch) -> Self {
        Self::new(launch.timeline(), launch.zero())
    }

    /// Of the few moments that a glance is for.
    pub(super) fn brief(launch: &'a Launch) -> Self {
        let few = [What::Create, What::Start, What::Process, What::Network, What::End];
        let mut entries: Vec<&Entry> = few.into_iter().filter_map(|what| launch.first(what)).collect();
        entries.sort_by_key(|entry| entry.at);
        let mut brief = Self::new(entries, launch.zero());
        brief.spread();
        brief
    }

    /// Moves apart what would lie on one another, no further than it takes: a glance must tell them apart.
    fn spread(&mut self) {
        let mut least = MARGIN;
        for row in &mut self.rows {
            row.place = row.place.max(least);
            least = row.place + APART;
        }
        let mut most = WHOLE - MARGIN;
        for row in self.rows.iter_mut().rev() {
            row.place = row.place.min(most);
            most = row.place - APART;
        }
    }

    fn new(entries: Vec<&'a Entry>, zero: Timestamp) -> Self {
        let micros = |at: Timestamp| i64::try_from(at.duration_since(zero).as_micros()).unwrap_or_default();
        let first = entries.first().map_or(0, |entry| micros(entry.at));
        let last = entries.last().map_or(0, |entry| micros(entry.at)).max(first + 1);
        let axis = Axis { first, last };
        let started = entries.iter().find(|entry| entry.what == What::Start).map(|entry| micros(entry.at));
        let ended = entries.iter().rev().find(|entry| entry.what == What::End).map(|entry| micros(entry.at));
        let life = started.map(|from| {
            let (from, to) = (axis.place(from), ended.map_or(WHOLE, |to| axis.place(to)));
            (percent(from), percent(to.saturating_sub(from).max(0)))
        });
        let row = |entry: &'a Entry| {
            let at = micros(entry.at);
            Row { entry, offset: offset(at), place: axis.place(at) }
        };
        Self { rows: entries.into_iter().map(row).collect(), ticks: axis.ticks(), life }
    }

    /// The whole of it in words, for those who do not see it.
    pub(super) fn words(&self) -> String {
        let moments = self.rows.iter().map(|row| format!("{} {}", row.entry.name, row.offset));
        moments.collect::<Vec<_>>().join(", ")
    }
}

/// From the first to the last moment, in microseconds from the start.
#[derive(Debug, Clone, Copy)]
struct Axis {
    first: i64,
    last: i64,
}

impl Axis {
    /// In hundredths of a percent.
    fn place(self, at: i64) -> i64 {
        let (part, all) = (i128::from(at - self.first), i128::from((self.last - self.first).max(1)));
        let place = part * i128::from(WHOLE - 2 * MARGIN) / all;
        i64::try_from(place).unwrap_or_default() + MARGIN
    }

    /// Round times from the first moment to the last.
    fn ticks(self) -> Vec<(String, String)> {
        let span = self.last - self.first;
        let steps = (0..=13).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i64.pow(power)));
        let minutes = [1, 2, 5, 10, 20, 60, 120, 300, 720, 1440].map(|minutes| minutes * 60_000_000);
        let seconds = steps.filter(|step| *step <= 20_000_000);
        let Some(step) = seconds.chain(minutes).find(|step| span / step < TICKS) else { return Vec::new() };
        let from = self.first.div_euclid(step) + i64::from(self.first.rem_euclid(step) != 0);
        let ticks = (from..).map(|count| count * step).take_while(|at| *at <= self.last);
        ticks
            .map(|at| {
                (percent(self.place(at)), if at == 0 { "start".to_owned() } else { offset(at).replace(".00 s", " s") })
            })
            .collect()
    }
}

fn percent(hundredths: i64) -> String {
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// A time relative to the start, as exact as it is long.
fn offset(micros: i64) -> String {
    let sign = if micros < 0 { '−' } else { '+' };
    let micros = micros.unsigned_abs();
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    match seconds {
        0 if micros == 0 => "0".to_owned(),
        0 if micros < 10_000 => format!("{sign}{}.{} ms", micros / 1000, micros % 1000 / 100),
        0 => format!("{sign}{} ms", micros / 1000),
        1..=59 => format!("{sign}{seconds}.{:02} s", rest / 10_000),
        60..=3599 => format!("{sign}{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{sign}{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, prop_assert, proptest};

    use super::*;

    #[test]
    fn times_are_as_exact_as_they_are_long() {
        for (micros, wanted) in [
            (0, "0"),
            (1_234, "+1.2 ms"),
            (-45_678, "−45 ms"),
            (1_234_567, "+1.23 s"),
            (61_000_000, "+1 min 01 s"),
            (-7_260_000_000, "−2 h 01 min"),
        ] {
            assert_eq!(offset(micros), wanted);
        }
    }

    #[test]
    fn at_a_glance_nothing_lies_on_another() {
        let entry = |at: i64| (Timestamp::from_microsecond(at).unwrap(), What::Process);
        for moments in [[0, 1, 2, 3], [0, 97, 98, 100], [0, 50, 51, 100]] {
            let entries = moments.map(entry).map(|(at, what)| Entry { at, what, ..Entry::default() });
            let mut timeline = Timeline::new(entries.iter().collect(), Timestamp::UNIX_EPOCH);
            timeline.spread();
            let places: Vec<i64> = timeline.rows.iter().map(|row| row.place).collect();
            assert!(places.windows(2).all(|two| two[1] - two[0] >= APART), "{places:?}");
            assert!(places[0] >= MARGIN && places[3] <= WHOLE - MARGIN, "{places:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn places_keep_their_proportions_and_ticks_are_few(first in -10_i64.pow(11)..0, span in 1..10_i64.pow(11), part in 0..=100_i64) {
            let axis = Axis { first, last: first + span };
            prop_assert!(axis.place(first) == MARGIN && axis.place(first + span) == WHOLE - MARGIN);
            let place = axis.place(first + span * part / 100) - MARGIN;
            prop_assert!((place - (WHOLE - 2 * MARGIN) * part / 100).abs() <= 97 + (WHOLE / span), "{place}");
            let ticks = axis.ticks().len();
            prop_assert!(ticks <= 6, "{ticks}");
        }
    }
}
