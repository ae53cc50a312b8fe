//! The differences as JSON, schema 1: a header, a line for each object that changes, a line for each signer, a footer.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::{Change, Changes, New};
use crate::commands::policy::outcome::{Outcome, Who};
use crate::commands::run::judged::Judged;
use crate::commands::run::{Run, json};
use crate::escape;

#[derive(Serialize)]
struct Header<'a> {
    r#type: &'static str,
    schema: u32,
    tool: &'static str,
    range: Value,
    policy: Option<json::Policy>,
    new_policy: json::Policy,
    instances: Vec<json::Instance<'a>>,
    network: bool,
}

pub(super) fn header(out: &mut impl Write, run: &Run<'_>, new: &New) -> io::Result<()> {
    let source = new.surroundings.source.clone().unwrap_or_default();
    let line = Header {
        r#type: "header",
        schema: 1,
        tool: json::TOOL,
        range: escape::json(json::range(run.request)),
        policy: json::policy(run),
        new_policy: json::Policy { source, sha256: new.sha256.clone(), files: new.files.clone() },
        instances: json::instances(run),
        network: run.asks_network(),
    };
    out.write_all(&escape::json_line(&line)?)
}

/// The object as the old policy has it, and beside it what the new one says.
#[derive(Serialize)]
struct Object<'a> {
    #[serde(flatten)]
    old: json::Object<'a>,
    change: Change,
    outcome: &'static str,
    new: Said<'a>,
}

/// What the new policy says.
#[derive(Serialize)]
struct Said<'a> {
    outcome: &'static str,
    verdict: &'static str,
    allowed: Option<bool>,
    rule: Option<&'a str>,
    reason: Option<&'static str>,
    detail: Option<String>,
    /// A key's may be known here only.
    identity: Option<&'a str>,
}

pub(super) fn object(out: &mut impl Write, change: Change, old: &Judged<'_>, new: &Judged<'_>) -> io::Result<()> {
    let json::Object { verdict, allowed, rule, reason, detail, identity, .. } = json::object_of(new);
    let line = Object {
        old: json::object_of(old),
        change,
        outcome: Outcome::of(old).as_str(),
        new: Said { outcome: Outcome::of(new).as_str(), verdict, allowed, rule, reason, detail, identity },
    };
    out.write_all(&escape::json_line(&line)?)
}

/// How often the same became of the objects of one signer. Where there is none, `verdict` stands instead.
#[derive(Serialize)]
struct Signer<'a> {
    r#type: &'static str,
    identity: Option<&'a str>,
    issuer: Option<&'a str>,
    verdict: &'static str,
    change: Change,
    objects: u64,
}

#[derive(Serialize)]
struct Footer {
    r#type: &'static str,
    counts: Counts,
    exit: u8,
}

#[derive(Serialize)]
struct Counts {
    objects: u64,
    newly_pass: u64,
    newly_fail: u64,
    newly_undecided: u64,
    other_rule: u64,
}

pub(super) fn totals(out: &mut impl Write, changes: &Changes, exit: u8) -> io::Result<()> {
    for ((change, who), objects) in &changes.signers {
        let (identity, issuer, verdict) = match who {
            Who::Signer { identity, issuer } => (Some(identity.as_str()), Some(issuer.as_str()), "verified"),
            Who::Key(identity) => (Some(identity.as_str()), None, "verified"),
            Who::Nobody(verdict) => (None, None, *verdict),
        };
        let line = Signer { r#type: "signer", identity, issuer, verdict, change: *change, objects: *objects };
        out.write_all(&escape::json_line(&line)?)?;
    }
    let Changes { objects, newly_fail, newly_pass, newly_undecided, other_rule, .. } = *changes;
    let counts = Counts { objects, newly_pass, newly_fail, newly_undecided, other_rule };
    out.write_all(&escape::json_line(&Footer { r#type: "footer", counts, exit })?)
}
