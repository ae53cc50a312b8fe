//! How many of each.

use std::collections::BTreeMap;

use super::{Row, Standing, grouped, plural};

/// The sums of a run.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    counts: BTreeMap<(Standing, &'static str), u64>,
    tags: u64,
    cached: u64,
}

impl Totals {
    /// Counts an object: `label` is the kind of signature where it is in order, else the reason's code.
    pub fn count(&mut self, standing: Standing, label: &'static str, is_tag: bool, cached: bool) {
        *self.counts.entry((standing, label)).or_default() += 1;
        self.tags += u64::from(is_tag);
        self.cached += u64::from(cached);
    }

    /// The same for a row.
    pub fn count_row(&mut self, row: &Row) {
        let label = match row.standing {
            Standing::Ok => row.signature,
            Standing::Exempt | Standing::Failed | Standing::Unjudged | Standing::Unknown => row.reason,
        };
        self.count(row.standing, label.unwrap_or(row.verdict), row.kind == Some("tag"), row.cached);
    }

    /// All objects.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Those of one standing.
    #[must_use]
    pub fn of(&self, standing: Standing) -> u64 {
        self.parts(standing).map(|(_, count)| count).sum()
    }

    /// What those of one standing are made of.
    pub fn parts(&self, standing: Standing) -> impl Iterator<Item = (&'static str, u64)> {
        self.counts.iter().filter(move |((of, _), _)| *of == standing).map(|((_, label), count)| (*label, *count))
    }

    /// The same as text, most first: `unsigned 9 · identity not allowed 3`.
    #[must_use]
    pub fn breakdown(&self, standing: Standing) -> String {
        let mut parts: Vec<_> = self.parts(standing).collect();
        parts.sort_by_key(|(label, count)| (std::cmp::Reverse(*count), *label));
        let shown = parts.iter().map(|(label, count)| format!("{} {}", label.replace('-', " "), grouped(*count)));
        shown.collect::<Vec<_>>().join(" · ")
    }

    /// Those of which an earlier run found what the verdict rests on.
    #[must_use]
    pub fn cached(&self) -> u64 {
        self.cached
    }

    /// `10,004 commits`, `3 tags`, `1 object`.
    #[must_use]
    pub fn noun(&self) -> String {
        let objects = self.objects();
        let noun = match self.tags {
            0 => "commit",
            tags if tags == objects => "tag",
            _ => "object",
        };
        format!("{} {noun}{}", grouped(objects), plural(objects))
    }

    /// The answer in a line.
    #[must_use]
    pub fn answer(&self) -> String {
        let [failed, unknown, unjudged] =
            [Standing::Failed, Standing::Unknown, Standing::Unjudged].map(|standing| self.of(standing));
        let all = self.noun();
        let verb = |count: u64, one: &'static str, many: &'static str| if count == 1 { one } else { many };
        let mut parts = Vec::new();
        if failed > 0 {
            parts.push(format!("{} of {all} {}", grouped(failed), verb(failed, "fails", "fail")));
        }
        if unknown > 0 {
            let of = if parts.is_empty() { format!(" of {all}") } else { String::new() };
            parts.push(format!("{}{of} cannot be decided", grouped(unknown)));
        }
        if parts.is_empty() && unjudged > 0 {
            let verb = verb(unjudged, "is", "are");
            return format!("{} of {all} {verb} signed, and nobody said who may sign", grouped(unjudged));
        }
        match (parts.is_empty(), self.objects()) {
            (true, 0) => "nothing was there to verify".to_owned(),
            (true, 1) => format!("{all} is in order"),
            (true, _) => format!("all {all} are in order"),
            (false, _) => parts.join(", "),
        }
    }
}
