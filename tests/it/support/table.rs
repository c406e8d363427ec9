//! What came of every row on one engine: for the terminal, and for the table over all engines.

use std::path::Path;

use super::case::Case;

/// The rows of one engine.
#[derive(Debug)]
pub(crate) struct Table {
    engine: String,
    /// Id, what was expected, what the gate did, what the engine then held or did.
    rows: Vec<[String; 4]>,
    /// How many rows must be refused, and how many of these were; the same for those that must pass.
    refused: (u32, u32),
    passed: (u32, u32),
}

impl Table {
    pub(crate) const fn new(engine: String) -> Self {
        Self { engine, rows: Vec::new(), refused: (0, 0), passed: (0, 0) }
    }

    pub(crate) fn add(&mut self, case: &Case, status: Option<u16>, passed: bool, effects: &[String]) {
        let may = case.accept.iter().any(|verdict| verdict == "allow");
        if !may {
            self.refused.0 += 1;
            self.refused.1 += u32::from(!passed);
        } else if case.accept.iter().all(|verdict| verdict == "allow") {
            self.passed.0 += 1;
            self.passed.1 += u32::from(passed);
        }
        let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let gate = if passed { "forwarded".to_owned() } else { format!("refused {status}") };
        self.rows.push([case.id.clone(), case.expect.clone(), gate, effects.join(", ")]);
    }

    /// Prints a line, and keeps the rows in `TIDEWAITER_TEST_TABLES` if that is a folder.
    pub(crate) fn print(&self) {
        let Self { engine, rows, refused, passed } = self;
        println!(
            "{engine}: {} rows, {} of {} that must be refused were, {} of {} that must pass did",
            rows.len(),
            refused.1,
            refused.0,
            passed.1,
            passed.0
        );
        if let Some(folder) = std::env::var_os("TIDEWAITER_TEST_TABLES") {
            let text: String = rows.iter().map(|row| row.join("\t") + "\n").collect();
            std::fs::write(Path::new(&folder).join(engine.replace(' ', "-")), text).unwrap();
        }
    }
}
