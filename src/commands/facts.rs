//! What is said of an object: names with values, for people as indented lines, for programs as JSON. What is not there
//! stands in neither.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::escape;

/// Names with values, in the order in which they were put in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts(Vec<(&'static str, Fact)>);

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Facts(Facts),
    /// Never empty.
    List(Vec<Self>),
    /// Never among facts.
    Nothing,
    Number(u64),
    /// Bytes that others chose, as they came.
    Text(Vec<u8>),
}

impl Facts {
    /// The same with one more, unless it is nothing.
    pub(super) fn and(mut self, name: &'static str, value: impl Into<Fact>) -> Self {
        match value.into() {
            Fact::Nothing => {}
            fact => self.0.push((name, fact)),
        }
        self
    }

    /// The same with those of `other` behind them.
    pub(super) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// A line a value, escaped for a terminal, names in one column; what has parts is a heading over them.
    pub(super) fn lines(&self) -> Vec<String> {
        let width = self.0.iter().filter(|(_, fact)| fact.fits_a_line()).map(|(name, _)| name.len()).max().unwrap_or(0);
        self.0.iter().flat_map(|(name, fact)| fact.lines(&name.replace('_', " "), width)).collect()
    }
}

impl Fact {
    fn fits_a_line(&self) -> bool {
        match self {
            Self::Facts(_) => false,
            Self::List(list) => list.iter().all(Self::fits_a_line),
            Self::Nothing | Self::Number(_) | Self::Text(_) => true,
        }
    }

    fn lines(&self, name: &str, width: usize) -> Vec<String> {
        let indented = |facts: &Facts| facts.lines().into_iter().map(|line| format!("  {line}")).collect::<Vec<_>>();
        match self {
            Self::Facts(facts) => [vec![name.to_owned()], indented(facts)].concat(),
            Self::List(list) => {
                let mut name = name;
                let mut lines = Vec::new();
                for fact in list {
                    lines.extend(fact.lines(name, width));
                    // What follows belongs to the same name.
                    if fact.fits_a_line() {
                        name = "";
                    }
                }
                lines
            }
            Self::Nothing => Vec::new(),
            Self::Number(number) => vec![format!("{name:<width$}  {number}")],
            Self::Text(text) => vec![format!("{name:<width$}  {}", escape::terminal(text))],
        }
    }
}

impl From<Facts> for Fact {
    fn from(facts: Facts) -> Self {
        if facts.0.is_empty() { Self::Nothing } else { Self::Facts(facts) }
    }
}

impl From<Vec<Self>> for Fact {
    fn from(list: Vec<Self>) -> Self {
        if list.is_empty() { Self::Nothing } else { Self::List(list) }
    }
}

impl<F: Into<Self>> From<Option<F>> for Fact {
    fn from(perhaps: Option<F>) -> Self {
        perhaps.map_or(Self::Nothing, Into::into)
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self::Text(text.into_bytes())
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Fact {
    fn from(bytes: &[u8]) -> Self {
        Self::Text(bytes.to_vec())
    }
}

impl From<u64> for Fact {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl Serialize for Facts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, fact) in &self.0 {
            map.serialize_entry(name, fact)?;
        }
        map.end()
    }
}

impl Serialize for Fact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Facts(facts) => facts.serialize(serializer),
            Self::List(list) => list.serialize(serializer),
            Self::Nothing => serializer.serialize_none(),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Text(text) => escape::json(text).serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_programs_read_the_same() {
        let inner = Facts::default().and("log_index", 7_u64).and("root", "ab");
        let facts = Facts::default()
            .and("name", "a\x1b[2K")
            .and("absent", None::<u64>)
            .and("several", vec![Fact::from("x"), Fact::from("y")])
            .and("entry", inner);
        assert_eq!(
            facts.lines(),
            ["name     a%1B[2K", "several  x", "         y", "entry", "  log index  7", "  root       ab"]
        );
        let json = String::from_utf8(escape::json_line(&facts).unwrap()).unwrap();
        assert_eq!(
            json,
            "{\"name\":\"a\\u001b[2K\",\"several\":[\"x\",\"y\"],\"entry\":{\"log_index\":7,\"root\":\"ab\"}}\n"
        );
    }
}
