//! What somebody has to decide something about, up to a bound.

use super::{Row, Standing};

/// The first failures of a run, and how many more there are.
#[derive(Clone, Debug)]
pub struct Failures {
    rows: Vec<Row>,
    limit: usize,
    more: u64,
}

impl Failures {
    /// None yet; at most `limit` are kept.
    #[must_use]
    pub fn at_most(limit: usize) -> Self {
        Self { rows: Vec::new(), limit, more: 0 }
    }

    /// Whether another one would be kept.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.rows.len() < self.limit
    }

    /// Keeps a row, or counts it.
    pub fn add(&mut self, row: &Row) {
        if self.has_room() {
            self.rows.push(row.clone());
        } else {
            self.count_another();
        }
    }

    /// Counts one that is not kept.
    pub fn count_another(&mut self) {
        self.more += 1;
    }

    /// Those that are kept, as they were met.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// At most `count` of them: what failed before what is not known.
    #[must_use]
    pub fn first(&self, count: usize) -> Vec<&Row> {
        let of = |standing: Standing| self.rows.iter().filter(move |row| row.standing == standing);
        of(Standing::Failed).chain(of(Standing::Unknown)).take(count).collect()
    }

    /// Those that are there, kept or not.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.more + u64::try_from(self.rows.len()).unwrap_or(u64::MAX)
    }
}
