//! The page on which Prometheus reads what the server counts: its text format, version 0.0.4.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::metrics::{BOUNDS_MS, lock};
use super::shared::Server;
use crate::stack::log_store::StoreState;

/// What was counted until `now`, and how things are then.
pub(super) fn page(server: &Server, now: Timestamp) -> String {
    let counted = &server.metrics;
    let mut page = Page::default();
    page.family("waxseal_build_info", "gauge", "The version that runs.");
    page.sample("waxseal_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family("waxseal_http_requests_total", "counter", "Requests answered, by route and status.");
    for ((route, status), count) in &*lock(&counted.answers) {
        page.sample("waxseal_http_requests_total", &[("route", route), ("status", &status.to_string())], *count);
    }
    let name = "waxseal_http_request_duration_seconds";
    page.family(name, "histogram", "From the head of a request to the head of its answer.");
    for (route, histogram) in &*lock(&counted.durations) {
        let mut below = 0;
        for (bound, count) in BOUNDS_MS.iter().zip(histogram.counts) {
            below += count;
            let bound = seconds(Duration::from_millis(*bound));
            page.sample(&format!("{name}_bucket"), &[("route", route), ("le", &bound)], below);
        }
        page.sample(&format!("{name}_bucket"), &[("route", route), ("le", "+Inf")], histogram.total);
        page.sample(&format!("{name}_sum"), &[("route", route)], seconds(histogram.sum));
        page.sample(&format!("{name}_count"), &[("route", route)], histogram.total);
    }
    page.family("waxseal_rate_limited_total", "counter", "Requests refused because their client sent too many.");
    for (class, count) in &*lock(&counted.limited) {
        page.sample("waxseal_rate_limited_total", &[("class", class.name())], *count);
    }
    page.family("waxseal_connections", "gauge", "Connections that are open.");
    page.sample("waxseal_connections", &[], server.connections());
    page.family("waxseal_connections_refused_total", "counter", "Connections of clients that had too many.");
    page.sample("waxseal_connections_refused_total", &[], counted.refused_connections.load(Ordering::Relaxed));
    page.family("waxseal_faults_total", "counter", "Requests that failed by the stack's own fault.");
    page.sample("waxseal_faults_total", &[], counted.faults.load(Ordering::Relaxed));
    page.family("waxseal_events_total", "counter", "What the audit log records: certificates, entries, logins.");
    for (event, count) in &*lock(&counted.events) {
        page.sample("waxseal_events_total", &[("event", event)], *count);
    }
    page.family("waxseal_log_lines_lost_total", "counter", "Lines of access and audit log that were not written.");
    for (name, log) in server.logs() {
        page.sample("waxseal_log_lines_lost_total", &[("log", name)], log.lost());
    }
    logs(&mut page, server, now);
    page.text
}

fn logs(page: &mut Page, server: &Server, now: Timestamp) {
    let logs = server.stack.logs();
    let name = "waxseal_tlog_state";
    page.family(
        name,
        "gauge",
        "Whether a log takes entries (open), waits for the clock or for room on the disk (full), or has stopped.",
    );
    for (log, store) in logs {
        let state = store.state(now);
        for (word, is) in [
            ("clock-behind", state == StoreState::ClockBehind),
            ("open", state == StoreState::Open),
            ("full", state == StoreState::Full),
            ("stopped", matches!(state, StoreState::Stopped(_))),
        ] {
            page.sample(name, &[("log", log), ("state", word)], u64::from(is));
        }
    }
    page.family("waxseal_tlog_size", "gauge", "Entries under a log's published checkpoint.");
    for (log, store) in logs {
        page.sample("waxseal_tlog_size", &[("log", log)], store.snapshot().size());
    }
    page.family("waxseal_tlog_added_total", "counter", "Entries added since the start.");
    for (log, store) in logs {
        page.sample("waxseal_tlog_added_total", &[("log", log)], store.counts().entries);
    }
    page.family("waxseal_tlog_batches_total", "counter", "Batches that entries were added in, each synced once.");
    for (log, store) in logs {
        page.sample("waxseal_tlog_batches_total", &[("log", log)], store.counts().batches);
    }
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to memory does not fail.
        let _written = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Labels are words of ours: nothing needs escaping.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let _written = write!(self.text, "{}{label}=\"{text}\"", if at == 0 { "{" } else { "," });
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _written = writeln!(self.text, "{end} {value}");
    }
}

fn seconds(duration: Duration) -> String {
    format!("{}.{:06}", duration.as_secs(), duration.subsec_micros())
}
