//! What the store has of one instance.

use jiff::Timestamp;

use super::documents::PUBLIC_GOOD_OF;
use super::record::Record;
use super::{Documents, Origin, TrustStoreError, public_good};
use crate::instance::{Instance, InstanceBounds, InstanceName};
use crate::trust_age::{MaxTrustAge, TrustAge};

/// An instance's documents and record, of one moment.
#[derive(Debug)]
pub struct Stored {
    pub(super) name: InstanceName,
    pub(super) record: Record,
    pub(super) documents: Documents,
}

impl Stored {
    pub(super) fn built_in() -> Self {
        let (refreshed, bounds) = (Some(PUBLIC_GOOD_OF), InstanceBounds::default());
        let record = Record { origin: Origin::BuiltIn, refreshed, brought: None, bounds };
        Self { name: InstanceName::public_good(), record, documents: public_good() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &InstanceName {
        &self.name
    }

    /// What its documents say.
    ///
    /// # Errors
    /// [`TrustStoreError`] if one of them is unusable.
    pub fn instance(&self) -> Result<Instance, TrustStoreError> {
        self.documents.instance(self.name.clone(), self.record.bounds.clone())
    }

    /// Its documents, byte for byte.
    #[must_use]
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Where it came from, and is asked for anew.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.record.origin
    }

    /// When its origin last vouched for it; where that signs nothing, also the user who brought a file.
    #[must_use]
    pub fn refreshed(&self) -> Option<Timestamp> {
        self.record.refreshed
    }

    /// When somebody brought a file whose documents it has now, in the place of its origin's.
    #[must_use]
    pub fn brought(&self) -> Option<Timestamp> {
        self.record.brought
    }

    /// Where the documents are from.
    #[must_use]
    pub fn whence(&self) -> String {
        match self.brought() {
            Some(brought) => format!("from a file that was brought on {}", brought.strftime("%Y-%m-%d")),
            None => self.origin().to_string(),
        }
    }

    /// Where the documents are from, and of when.
    #[must_use]
    pub fn source(&self) -> String {
        let day = self.refreshed().filter(|_| self.refreshed() != self.brought());
        let day = day.map(|day| day.strftime(", as of %Y-%m-%d").to_string()).unwrap_or_default();
        match self.brought() {
            Some(_) => format!("{}; before, {}{day}", self.whence(), self.origin()),
            None => format!("{}{day}", self.whence()),
        }
    }

    /// Demands that it was refreshed lately.
    ///
    /// # Errors
    /// [`TrustStoreError::Stale`].
    pub fn demand_fresh(&self, max: MaxTrustAge, now: Timestamp) -> Result<(), TrustStoreError> {
        let refreshed = self.refreshed();
        if refreshed.is_some_and(|refreshed| max.admits(refreshed, now)) {
            return Ok(());
        }
        let age = refreshed.map(|refreshed| TrustAge { refreshed, now });
        let refreshable = !matches!(self.origin(), Origin::Files | Origin::Tuf(None));
        Err(TrustStoreError::Stale { name: self.name.clone(), age, max, refreshable })
    }
}
