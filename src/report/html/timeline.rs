//! Who signed when: a lane for each of the busiest signers, over the time that is proven.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use jiff::Timestamp;

use crate::escape::markup;
use crate::report::signers::{DAY, Signers};
use crate::report::{grouped, plural};

pub(super) fn section(out: &mut String, signers: &Signers) -> fmt::Result {
    let mut sorted = signers.sorted();
    sorted.retain(|(_, signer)| !signer.days.is_empty());
    let days = || sorted.iter().flat_map(|(_, signer)| signer.days.keys().copied());
    let (Some(first), Some(last)) = (days().min(), days().max()) else { return Ok(()) };
    let scale = Scale::of(first, last);
    let (shown, rest) = sorted.split_at(sorted.len().min(MAX_LANES));
    let mut lanes: Vec<_> = shown
        .iter()
        .map(|(identity, signer)| (markup(&identity.name), &signer.days, scale.counts(&signer.days)))
        .collect();
    let mut others = BTreeMap::new();
    for (day, count) in rest.iter().flat_map(|(_, signer)| &signer.days) {
        *others.entry(*day).or_default() += count;
    }
    if !others.is_empty() {
        lanes.push((
            format!("{} others", grouped(u64::try_from(rest.len()).unwrap_or_default())),
            &others,
            scale.counts(&others),
        ));
    }
    let most = lanes.iter().flat_map(|(.., counts)| counts.iter().copied()).max().unwrap_or_default();

    writeln!(
        out,
        "<section>\n<h2>Who signed when</h2>\n<p class=\"soft\">Signatures by proven time, {} a bar.</p>",
        scale.unit()
    )?;
    for (name, days, counts) in &lanes {
        lane(out, name, days, counts, most)?;
    }
    write!(out, "<div class=\"lane\"><span></span><div class=\"axis\">")?;
    for tick in 0..=TICKS {
        let inner = if tick == 0 || tick == TICKS { "" } else { " class=\"inner\"" };
        write!(out, "<span{inner}>{}</span>", date(scale.day_at(tick)))?;
    }
    writeln!(out, "</div></div>\n</section>")
}

fn lane(out: &mut String, name: &str, days: &BTreeMap<i64, u64>, counts: &[u64], most: u64) -> fmt::Result {
    let all: u64 = days.values().sum();
    let period = match (days.keys().next(), days.keys().next_back()) {
        (Some(first), Some(last)) if first != last => format!("{} to {}", date(*first), date(*last)),
        (Some(only), _) => date(*only),
        (None, _) => "no proven time".to_owned(),
    };
    let what = format!("{} signature{}, {period}", grouped(all), plural(all));
    write!(
        out,
        "<div class=\"lane\"><div class=\"name\"><b>{name}</b><small>{what}</small></div>\
         <svg viewBox=\"0 0 {0} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{name}: {what}\">\
         <title>{name}: {what}</title><desc>How many signatures of {name} were made when, from left to right.</desc>",
        counts.len() * WIDTH,
    )?;
    for tick in 1..TICKS {
        let x = counts.len() * WIDTH * tick / TICKS;
        write!(out, "<path class=\"grid\" d=\"M{x} 0V{HEIGHT}\"/>")?;
    }
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        // The square root: one signature can be seen beside a hundred.
        let height = (HEIGHT * HEIGHT * count / most.max(1)).isqrt().clamp(LEAST, HEIGHT);
        let (x, y) = (at * WIDTH, HEIGHT - height);
        write!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{height}\"/>", WIDTH - 1)?;
    }
    writeln!(out, "</svg></div>")
}

/// Days, several to a bar.
struct Scale {
    first: i64,
    days_a_bar: i64,
    bars: usize,
}

impl Scale {
    fn of(first: i64, last: i64) -> Self {
        let days = last.saturating_sub(first).saturating_add(1);
        let days_a_bar = days.div_euclid(MAX_BARS).saturating_add(i64::from(days % MAX_BARS != 0)).max(1);
        let bars = days.div_euclid(days_a_bar).saturating_add(i64::from(days % days_a_bar != 0));
        // A few bars would be as wide as the page.
        Self { first, days_a_bar, bars: usize::try_from(bars).unwrap_or_default().max(LEAST_BARS) }
    }

    fn counts(&self, days: &BTreeMap<i64, u64>) -> Vec<u64> {
        let mut counts = vec![0; self.bars];
        for (day, count) in days {
            let bar = usize::try_from((day - self.first).div_euclid(self.days_a_bar)).unwrap_or(usize::MAX);
            if let Some(sum) = counts.get_mut(bar) {
                *sum += count;
            }
        }
        counts
    }

    /// The day at a tick of the axis.
    fn day_at(&self, tick: usize) -> i64 {
        let bars = i64::try_from(self.bars * tick / TICKS).unwrap_or_default();
        let end = i64::from(tick == TICKS);
        self.first.saturating_add(bars.saturating_mul(self.days_a_bar)).saturating_sub(end)
    }

    fn unit(&self) -> String {
        if self.days_a_bar == 1 { "a day".to_owned() } else { format!("{} days", self.days_a_bar) }
    }
}

fn date(day: i64) -> String {
    let time = Timestamp::from_second(day.saturating_mul(DAY));
    time.map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

const MAX_LANES: usize = 12;
const MAX_BARS: i64 = 120;
const LEAST_BARS: usize = 30;
const TICKS: usize = 4;
/// Units of the drawing: a bar's width with the gap after it, the lane's height, the least height of a bar.
const WIDTH: usize = 5;
const HEIGHT: u64 = 40;
const LEAST: u64 = 4;
