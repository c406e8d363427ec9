//! A profile in the making.

use std::collections::BTreeMap;

use super::line::Line;
use crate::policy::Check;

/// The lines of a profile, and who needs them.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) lines: BTreeMap<Line, Need>,
}

/// Why a line is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Need {
    /// Calls that need it.
    pub(super) calls: u64,
    /// Id of the record of the first of them.
    pub(super) example: String,
    /// How many lines it stands for; 0 for itself alone.
    pub(super) instead_of: usize,
    round: usize,
}

impl Draft {
    /// Takes the narrowest line that has not been tried: what was written in an earlier round did not help. `None` if all were.
    pub(super) fn take(&mut self, lines: Vec<Line>, round: usize) -> Option<Line> {
        let is_open = |line: &Line| self.lines.get(line).is_none_or(|need| need.round == round);
        let line = lines.into_iter().find(is_open)?;
        self.lines.entry(line.clone()).or_insert_with(|| Need { round, ..Need::default() });
        Some(line)
    }

    /// Counts calls that need a line.
    pub(super) fn count(&mut self, line: &Line, calls: u64, record: &str) {
        if let Some(need) = self.lines.get_mut(line) {
            need.calls += calls;
            // Ids are in the order of time; samples are not.
            if need.example.is_empty() || record < need.example.as_str() {
                record.clone_into(&mut need.example);
            }
        }
    }

    /// Takes out what a wider line says as well.
    pub(super) fn prune(&mut self) {
        let lowered: Vec<Check> = self.lines.keys().filter_map(|line| line.reaction()).collect();
        self.lines.retain(|line, _| !matches!(line, Line::Exception(check, _) if lowered.contains(check)));
        let whole: Vec<Line> = self.lines.keys().filter_map(Line::repository).collect();
        let whole: Vec<Line> = whole.into_iter().filter(|line| self.lines.contains_key(line)).collect();
        self.lines.retain(|line, _| line.repository().is_none_or(|repository| !whole.contains(&repository)));
    }

    /// Puts one line in the place of several.
    pub(super) fn replace(&mut self, old: &[Line], new: Line) {
        let mut sum = Need { instead_of: old.len(), ..Need::default() };
        for need in old.iter().filter_map(|line| self.lines.remove(line)) {
            sum.calls += need.calls;
            if sum.example.is_empty() || need.example < sum.example {
                sum.example = need.example;
            }
        }
        self.lines.insert(new, sum);
    }
}
