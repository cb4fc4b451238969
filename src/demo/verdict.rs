//! What was to be shown, and whether it held.

use std::io;
use std::time::Duration;

use super::paint::{Colour, Paint};

/// From the edge to what was found.
const WIDTH: usize = 46;

/// A table that fills as scenes end.
pub(super) struct Verdict {
    paint: Paint,
    rows: Vec<Row>,
}

/// One promise.
pub(super) struct Row {
    /// What was promised.
    pub(super) promise: &'static str,
    /// What was found.
    pub(super) found: io::Result<String>,
}

impl Verdict {
    pub(super) const fn new(paint: Paint) -> Self {
        Self { paint, rows: Vec::new() }
    }

    pub(super) fn add(&mut self, promise: &'static str, found: io::Result<String>) {
        self.rows.push(Row { promise, found });
    }

    pub(super) fn extend(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.rows.extend(rows);
    }

    /// Prints the table; tells whether everything held.
    pub(super) fn print(&self, took: Duration) -> bool {
        println!();
        for Row { promise, found } in &self.rows {
            let (mark, detail) = match found {
                Ok(detail) => (self.paint.apply(Colour::Good, "✓"), detail.clone()),
                Err(error) => {
                    (self.paint.apply(Colour::Bad, "✗"), self.paint.apply(Colour::Bad, &error.to_string()))
                }
            };
            println!(" {mark} {promise:<WIDTH$} {detail}");
        }
        let failed = self.rows.iter().filter(|row| row.found.is_err()).count();
        let seconds = took.as_secs_f32();
        let (colour, line) = match failed {
            0 => (Colour::Good, format!("all {} held, in {seconds:.1} s", self.rows.len())),
            _ => (Colour::Bad, format!("{failed} of {} did not hold, in {seconds:.1} s", self.rows.len())),
        };
        println!("\n {}", self.paint.apply(colour, &line));
        failed == 0
    }
}
