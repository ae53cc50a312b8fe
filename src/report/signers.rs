//! Who signed, and when that is proven to have been.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::Row;

/// Verified signatures by whoever made them.
#[derive(Clone, Debug)]
pub struct Signers {
    by: HashMap<Identity, Signer>,
    limit: usize,
    /// Signatures of those for whom there was no room.
    others: u64,
    /// The days are counted.
    by_day: bool,
}

/// Who: the same name vouched for by somebody else is somebody else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The name in the certificate, or the key.
    pub name: String,
    /// What kind of name.
    pub kind: Option<&'static str>,
    /// The OIDC issuer that vouched.
    pub issuer: Option<String>,
    /// The instance that believed the issuer.
    pub instance: Option<String>,
    /// The kind of signature.
    pub signature: Option<&'static str>,
}

/// What one of them signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signer {
    /// How many signatures are verified.
    pub count: u64,
    /// Of how many the policy says no.
    pub not_allowed: u64,
    /// The first proven time; `None` where no signature has one.
    pub first: Option<Timestamp>,
    /// The last.
    pub last: Option<Timestamp>,
    /// How many on each day, by its number since 1970, UTC; nothing where days are not counted.
    pub days: BTreeMap<i64, u64>,
}

impl Signers {
    /// Nobody yet; at most `limit` are told apart.
    #[must_use]
    pub fn at_most(limit: usize) -> Self {
        Self { by: HashMap::new(), limit, others: 0, by_day: false }
    }

    /// The same, and the days are counted.
    #[must_use]
    pub fn by_day(limit: usize) -> Self {
        Self { by_day: true, ..Self::at_most(limit) }
    }

    /// Counts a verified object; any other has no signer that could be named.
    pub fn add(&mut self, row: &Row) {
        let Some(name) = &row.identity else { return };
        let identity = Identity {
            name: name.clone(),
            kind: row.identity_kind,
            issuer: row.issuer.clone(),
            instance: row.instance.clone(),
            signature: row.signature,
        };
        if !self.by.contains_key(&identity) && self.by.len() >= self.limit {
            self.others += 1;
            return;
        }
        let signer = self.by.entry(identity).or_default();
        signer.count += 1;
        signer.not_allowed += u64::from(row.standing == super::Standing::Failed);
        if let Some(time) = row.time {
            signer.first = Some(signer.first.map_or(time, |first| first.min(time)));
            signer.last = Some(signer.last.map_or(time, |last| last.max(time)));
            if self.by_day {
                *signer.days.entry(time.as_second().div_euclid(DAY)).or_default() += 1;
            }
        }
    }

    /// Most signatures first.
    #[must_use]
    pub fn sorted(&self) -> Vec<(&Identity, &Signer)> {
        let mut all: Vec<_> = self.by.iter().collect();
        all.sort_by(|(one, of_one), (other, of_other)| of_other.count.cmp(&of_one.count).then_with(|| one.cmp(other)));
        all
    }

    /// Signatures of those for whom there was no room.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.others
    }

    /// All signatures that were counted.
    #[must_use]
    pub fn signatures(&self) -> u64 {
        self.by.values().map(|signer| signer.count).sum::<u64>() + self.others
    }
}

/// Seconds.
pub(super) const DAY: i64 = 86_400;

/// `part` of `whole` in per cent, with one digit.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    let thousandths = part.saturating_mul(1_000).checked_div(whole).unwrap_or_default();
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{row, signed};
    use super::super::{Row, Standing};
    use super::*;

    #[test]
    fn one_name_at_two_issuers_is_two_signers() {
        let mut signers = Signers::by_day(2);
        for (name, issuer, day) in [("a", "x", 3), ("a", "x", 1), ("a", "y", 2), ("b", "x", 2)] {
            signers.add(&signed(name, issuer, day));
        }
        signers.add(&row(1, Standing::Failed, Some("unsigned")));
        let sorted = signers.sorted();
        assert_eq!((sorted.len(), signers.others(), signers.signatures()), (2, 1, 4));
        let (identity, signer) = sorted[0];
        assert_eq!((identity.issuer.as_deref(), signer.count, signer.not_allowed), (Some("x"), 2, 0));
        assert_eq!(signer.days.keys().copied().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(signer.first.unwrap().as_second(), DAY);
        assert_eq!(signer.last.unwrap().as_second(), 3 * DAY);
    }

    #[test]
    fn without_a_proven_time() {
        let mut signers = Signers::at_most(2);
        signers.add(&Row { time: None, standing: Standing::Failed, ..signed("a", "x", 1) });
        let (_, signer) = signers.sorted()[0];
        assert_eq!((signer.first, signer.not_allowed), (None, 1));
    }

    #[test]
    fn shares() {
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(0, 0), "0.0 %");
        assert_eq!(share(7, 7), "100.0 %");
    }
}
