//! Requests that are not of Rekor's schema, with the numbers that go-openapi gives to the kinds of fault.

use std::num::IntErrorKind;

/// What is wrong with which member or parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A value that is none of a list.
    #[error("{name} in body should be one of [{allowed}]")]
    Enum {
        /// The member.
        name: &'static str,
        /// The list.
        allowed: &'static str,
    },
    /// The body is not JSON of the request.
    #[error("parsing {name} body from \"\" failed, because {why}")]
    Json {
        /// The request.
        name: &'static str,
        /// Why not.
        why: String,
    },
    /// Too many items.
    #[error("{name} in body should have at most {limit} items")]
    MaxItems {
        /// The member.
        name: &'static str,
        /// As many are taken.
        limit: usize,
    },
    /// A list without items.
    #[error("{0} in body should have at least 1 items")]
    MinItems(&'static str),
    /// A number below the least.
    #[error("{name} in {place} should be greater than or equal to {least}")]
    Minimum {
        /// The member or parameter.
        name: String,
        /// `body` or `query`.
        place: &'static str,
        /// The least.
        least: u64,
    },
    /// A text that does not match.
    #[error("{name} in {place} should match '{pattern}'")]
    Pattern {
        /// The member or parameter.
        name: String,
        /// `body`, `path` or `query`.
        place: &'static str,
        /// What it should match.
        pattern: &'static str,
    },
    /// Not there.
    #[error("{name} in {place} is required")]
    Required {
        /// The member or parameter.
        name: &'static str,
        /// `body` or `query`.
        place: &'static str,
    },
    /// A value of another type.
    #[error("{name} in {place} must be of type {wanted}: {value:?}")]
    Type {
        /// The member or parameter.
        name: &'static str,
        /// `body` or `query`.
        place: &'static str,
        /// The type.
        wanted: &'static str,
        /// What came instead.
        value: String,
    },
}

impl Invalid {
    /// The number in the answer. Above 600 it is answered with status 422.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Json { .. } => 400,
            Self::Type { .. } => 601,
            Self::Required { .. } => 602,
            Self::Pattern { .. } => 605,
            Self::Enum { .. } => 606,
            Self::Minimum { .. } => 609,
            Self::MaxItems { .. } => 611,
            Self::MinItems(_) => 612,
        }
    }

    /// Reads JSON; a body of nothing is a body that is missing.
    pub(super) fn read_json<'a, T: serde::Deserialize<'a>>(name: &'static str, json: &'a [u8]) -> Result<T, Self> {
        if json.is_empty() {
            return Err(Self::Required { name, place: "body" });
        }
        serde_json::from_slice(json).map_err(|error| {
            let why = if error.is_eof() { "unexpected EOF".to_owned() } else { error.to_string() };
            Self::Json { name, why }
        })
    }

    /// Reads an `int64` of at least `least` from a query.
    pub(super) fn read_number(name: &'static str, text: &str, least: u64) -> Result<u64, Self> {
        let wrong_type = || Self::Type { name, place: "query", wanted: "int64", value: text.to_owned() };
        let number = match text.parse::<i64>() {
            Ok(number) => number,
            Err(error) if *error.kind() == IntErrorKind::NegOverflow => i64::MIN,
            Err(_) => return Err(wrong_type()),
        };
        let number = u64::try_from(number).ok().filter(|number| *number >= least);
        number.ok_or(Self::Minimum { name: name.to_owned(), place: "query", least })
    }
}
