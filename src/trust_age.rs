//! How old trust material may be: `30d`, as users write it.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use crate::clock::CLOCK_TOLERANCE;

/// The greatest age that is taken: whole hours, days or weeks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MaxTrustAge {
    hours: u32,
}

impl MaxTrustAge {
    /// Whether what was asked for anew at `refreshed` is young enough. A time ahead of the clock says nothing, beyond what
    /// clocks differ by.
    #[must_use]
    pub fn admits(self, refreshed: Timestamp, now: Timestamp) -> bool {
        let age = now.duration_since(refreshed);
        age <= SignedDuration::from_hours(i64::from(self.hours)) && age >= -CLOCK_TOLERANCE
    }
}

impl FromStr for MaxTrustAge {
    type Err = BadTrustAge;

    fn from_str(text: &str) -> Result<Self, BadTrustAge> {
        let unit = |(unit, _): &&(&str, u32)| text.ends_with(unit);
        let (unit, hours) = UNITS.iter().find(unit).ok_or(BadTrustAge)?;
        let number = text.strip_suffix(unit).unwrap_or_default();
        // `parse` alone also reads "+7" and "007".
        let count = number.parse().ok().filter(|count: &u32| count.to_string() == number && *count > 0);
        let hours = count.filter(|count| *count <= MAX_COUNT).map(|count| count * hours).ok_or(BadTrustAge)?;
        Ok(Self { hours })
    }
}

impl fmt::Display for MaxTrustAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hours(f, self.hours.into())
    }
}

/// How old trust material is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustAge {
    /// When it was last asked for anew.
    pub refreshed: Timestamp,
    /// The clock.
    pub now: Timestamp,
}

impl fmt::Display for TrustAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = self.now.duration_since(self.refreshed);
        if age < -CLOCK_TOLERANCE {
            return write!(f, "of {}, which is ahead of this machine's clock", self.refreshed.strftime("%Y-%m-%d"));
        }
        write_hours(f, age.as_hours().max(0))?;
        f.write_str(" old")
    }
}

fn write_hours(f: &mut fmt::Formatter<'_>, hours: i64) -> fmt::Result {
    let (count, unit) = if hours >= 48 || hours == 24 { (hours / 24, "day") } else { (hours, "hour") };
    write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Not an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an age is a number and a unit, as 12h, 30d or 8w")]
pub struct BadTrustAge;

const UNITS: [(&str, u32); 3] = [("h", 1), ("d", 24), ("w", 168)];

/// Far beyond any use, and far from overflowing.
const MAX_COUNT: u32 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        let read = |text: &str| text.parse::<MaxTrustAge>().map(|age| age.to_string());
        for (text, shown) in
            [("1h", "1 hour"), ("24h", "1 day"), ("36h", "36 hours"), ("30d", "30 days"), ("2w", "14 days")]
        {
            assert_eq!(read(text), Ok(shown.to_owned()));
        }
        for text in
            ["", "d", "30", "0d", "+3d", "03d", " 3d", "3 d", "3D", "3m", "1.5d", "-1d", "100001w", "99999999999d"]
        {
            assert_eq!(read(text), Err(BadTrustAge), "{text:?}");
        }
        assert!("100000w".parse::<MaxTrustAge>().is_ok());
        assert!("30d".parse::<MaxTrustAge>().unwrap() < "5w".parse().unwrap());
    }

    #[test]
    fn the_last_hour_counts_and_the_future_does_not() {
        let max: MaxTrustAge = "30d".parse().unwrap();
        let refreshed: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(max.admits(refreshed, at("2026-01-31T00:00:00Z")));
        assert!(!max.admits(refreshed, at("2026-01-31T00:00:01Z")));
        assert!(max.admits(refreshed, at("2025-12-31T23:55:00Z")));
        assert!(!max.admits(refreshed, at("2025-12-31T23:54:59Z")));
        let age = |now: &str| TrustAge { refreshed, now: at(now) }.to_string();
        assert_eq!(age("2026-02-05T12:00:00Z"), "35 days old");
        assert_eq!(age("2025-01-01T00:00:00Z"), "of 2026-01-01, which is ahead of this machine's clock");
        assert_eq!(age("2025-12-31T23:59:59Z"), "0 hours old");
    }
}
