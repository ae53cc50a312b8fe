//! `instance.toml`: where an instance came from, and what the user allows it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::instance::InstanceBounds;

/// The parsed file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub origin: Origin,
    pub bounds: InstanceBounds,
}

/// Where an instance came from; for people only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was compiled in.
    BuiltIn,
    /// From files that the user had.
    Files,
    /// From the service at this address.
    Url(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Files => f.write_str("from files"),
            Self::Url(url) => write!(f, "from {url}"),
        }
    }
}

impl Record {
    /// Reads the file. A member that is not known is an error: a mistyped bound must not leave the instance unbounded.
    pub(super) fn parse(text: &str) -> Result<Self, MalformedRecord> {
        let file: RecordFile = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            MalformedRecord { line: before.matches('\n').count() + 1, what: error.message().to_owned() }
        })?;
        Ok(Self {
            origin: file.url.map_or(Origin::Files, Origin::Url),
            bounds: InstanceBounds { oidc_issuers: file.oidc_issuers, audience: file.audience },
        })
    }

    pub(super) fn to_toml(&self) -> String {
        let url = match &self.origin {
            Origin::Url(url) => Some(url.clone()),
            Origin::BuiltIn | Origin::Files => None,
        };
        let InstanceBounds { oidc_issuers, audience } = self.bounds.clone();
        let file = RecordFile { url, oidc_issuers, audience };
        // Strings and lists of strings always have a TOML form.
        format!("{HEADER}{}", toml::to_string(&file).unwrap_or_default())
    }
}

/// Not an `instance.toml`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct MalformedRecord {
    line: usize,
    what: String,
}

const HEADER: &str = "\
# oidc_issuers = [\"https://issuer.example.org\"]  # the only OIDC issuers whose identities it may vouch for
# audience = \"sigstore\"                          # the audience of its identity tokens
";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc_issuers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let plain = Record { origin: Origin::Files, bounds: InstanceBounds::default() };
        assert_eq!(Record::parse(&plain.to_toml()).unwrap(), plain);
        let bounds =
            InstanceBounds { oidc_issuers: Some(vec!["https://a\"\n".to_owned()]), audience: Some("own".to_owned()) };
        let full = Record { origin: Origin::Url("https://x".to_owned()), bounds };
        assert_eq!(Record::parse(&full.to_toml()).unwrap(), full);
    }

    #[test]
    fn a_mistyped_bound_is_an_error() {
        let error = |text: &str| Record::parse(text).unwrap_err().to_string();
        assert_eq!(
            error("\noidc_issuer = [\"https://a\"]\n"),
            "line 2: unknown field `oidc_issuer`, expected one of `url`, `oidc_issuers`, `audience`"
        );
        assert_eq!(
            error("oidc_issuers = \"https://a\"\n"),
            "line 1: invalid type: string \"https://a\", expected a sequence"
        );
    }
}
