//! `instance.toml`: where an instance came from, and what the user allows it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::without_secrets;
use crate::instance::InstanceBounds;

/// The parsed file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub origin: Origin,
    /// When its origin last vouched for it; where that signs nothing, also the user who brought a file.
    pub refreshed: Option<Timestamp>,
    /// When somebody brought a file whose documents are in the place of its origin's.
    pub brought: Option<Timestamp>,
    pub bounds: InstanceBounds,
}

/// Where an instance came from, and is asked for anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was compiled in.
    BuiltIn,
    /// From files that the user had.
    Files,
    /// From a TUF repository: a mirror's address, or `None` where a folder was brought.
    Tuf(Option<String>),
    /// From the service at this address.
    Url(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Files => f.write_str("from files"),
            // The file may be by hand, or older than the check of what is put there.
            Self::Tuf(Some(url)) => write!(f, "from the TUF repository at {}", without_secrets(url)),
            Self::Tuf(None) => f.write_str("from the folder of a TUF repository"),
            Self::Url(url) => write!(f, "from {}", without_secrets(url)),
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
        let origin = match (file.tuf, file.url) {
            (Some(tuf), _) => Origin::Tuf(Some(tuf).filter(|tuf| tuf != BROUGHT)),
            (None, url) => url.map_or(Origin::Files, Origin::Url),
        };
        let bounds = InstanceBounds { oidc_issuers: file.oidc_issuers, audience: file.audience };
        Ok(Self { origin, refreshed: file.refreshed, brought: file.brought, bounds })
    }

    /// When the documents came.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.refreshed.max(self.brought)
    }

    /// Whether nobody has vouched since, nor from elsewhere.
    pub(super) fn is_as_late_as(&self, other: &Self) -> bool {
        let same_origin = self.origin == other.origin || self.origin == Origin::BuiltIn;
        same_origin && self.refreshed == other.refreshed && self.brought == other.brought
    }

    pub(super) fn to_toml(&self) -> String {
        let (url, tuf) = match &self.origin {
            Origin::Url(url) => (Some(url.clone()), None),
            Origin::Tuf(mirror) => (None, Some(mirror.clone().unwrap_or_else(|| BROUGHT.to_owned()))),
            Origin::BuiltIn | Origin::Files => (None, None),
        };
        let InstanceBounds { oidc_issuers, audience } = self.bounds.clone();
        let Self { refreshed, brought, .. } = *self;
        let file = RecordFile { url, tuf, refreshed, brought, oidc_issuers, audience };
        // Strings, times and lists of strings always have a TOML form.
        format!("{HEADER}{}", toml::to_string(&file).unwrap_or_default())
    }

    /// `text` with what this record says of origin and refresh: the user's own lines and comments stay.
    pub(super) fn rewrite(&self, text: &str) -> String {
        let ours = |line: &&str| {
            let key = line.split_once('=').map(|(key, _)| key.trim());
            !key.is_some_and(|key| ["url", "tuf", "refreshed", "brought"].contains(&key))
        };
        let Self { refreshed, brought, .. } = *self;
        let bare = Self { bounds: InstanceBounds::default(), refreshed, brought, origin: self.origin.clone() };
        let bare = bare.to_toml();
        let mut new: Vec<&str> = text.lines().filter(ours).collect();
        new.extend(bare.lines().filter(|line| !line.starts_with('#')));
        let new = new.join("\n") + "\n";
        // Whoever writes TOML in some other way loses comments, and no bound.
        if Self::parse(&new).is_ok_and(|read| read == *self) { new } else { self.to_toml() }
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

/// Stands for an address where a TUF repository was brought as a folder.
const BROUGHT: &str = "brought";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tuf: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refreshed: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brought: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc_issuers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(origin: Origin) -> Record {
        Record { origin, refreshed: None, brought: None, bounds: InstanceBounds::default() }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let plain = record(Origin::Files);
        assert_eq!(Record::parse(&plain.to_toml()).unwrap(), plain);
        let bounds =
            InstanceBounds { oidc_issuers: Some(vec!["https://a\"\n".to_owned()]), audience: Some("own".to_owned()) };
        let refreshed = Some("2026-11-26T05:00:00.123456789Z".parse().unwrap());
        for origin in
            [Origin::Url("https://x".to_owned()), Origin::Tuf(Some("https://x/tuf".to_owned())), Origin::Tuf(None)]
        {
            for brought in [None, refreshed] {
                let full = Record { origin: origin.clone(), refreshed, brought, bounds: bounds.clone() };
                assert_eq!(Record::parse(&full.to_toml()).unwrap(), full);
            }
        }
    }

    #[test]
    fn no_password_of_an_origin_is_shown() {
        for text in ["url = \"http://u:s3cret@h.example/x?s3cret\"", "tuf = \"https://s3cret@h.example/x#s3cret\""] {
            let shown = Record::parse(text).unwrap().origin.to_string();
            assert!(shown.ends_with("://h.example/x"), "{shown}");
        }
    }

    #[test]
    fn a_refresh_leaves_what_the_user_wrote() {
        let text = "# only ours\noidc_issuers = [\n  \"https://a\", # one\n]\nurl = \"https://x\"\naudience='own'";
        let old = Record::parse(text).unwrap();
        let new = Record { refreshed: Some("2026-11-26T05:00:00Z".parse().unwrap()), ..old };
        assert_eq!(
            new.rewrite(text),
            "# only ours\noidc_issuers = [\n  \"https://a\", # one\n]\naudience='own'\nurl = \"https://x\"\n\
             refreshed = \"2026-11-26T05:00:00Z\"\n"
        );
        assert_eq!(new.rewrite(&new.rewrite(text)), new.rewrite(text));
        // An odd spelling of a key.
        let text = "\"url\" = \"https://x\"\noidc_issuers = [\"https://a\"]\n";
        let old = Record::parse(text).unwrap();
        let new = Record { origin: Origin::Tuf(None), ..old };
        assert_eq!(Record::parse(&new.rewrite(text)).unwrap(), new);
    }

    #[test]
    fn a_mistyped_bound_is_an_error() {
        let error = |text: &str| Record::parse(text).unwrap_err().to_string();
        assert_eq!(
            error("\noidc_issuer = [\"https://a\"]\n"),
            "line 2: unknown field `oidc_issuer`, expected one of `url`, `tuf`, `refreshed`, `brought`, `oidc_issuers`, `audience`"
        );
        assert_eq!(
            error("oidc_issuers = \"https://a\"\n"),
            "line 1: invalid type: string \"https://a\", expected a sequence"
        );
    }
}
