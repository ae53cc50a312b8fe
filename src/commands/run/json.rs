//! `--json`, schema 1: a header, a line an object, a footer. A stream without its footer is a failure.
//!
//! What is not there is `null`. `identity`, `issuer`, `instance`, `time` and `log` are filled for verified objects only;
//! what others claim stands in `findings`. Bytes that are not UTF-8 come as `{"base64": …}`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Run;
use super::judged::{Judged, Tally};
use crate::cli::{AdmittedFlags, Pattern, Verify};
use crate::crypto::Sha256Digest;
use crate::escape;
use crate::git::ObjectKind;
use crate::policy::{Allowed, IdentityPolicy, PolicyFile};
use crate::signature::SignatureFormat;
use crate::verify::error::Missing;
use crate::verify::findings::Findings;
use crate::verify::{KeySignature, SctRequirement, Verdict, VerifiedSignature};

#[derive(Serialize)]
struct Header<'a> {
    r#type: &'static str,
    schema: u32,
    tool: &'static str,
    range: Value,
    policy: Option<Policy>,
    instances: Vec<Instance<'a>>,
    network: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    insecure_ignore_sct: bool,
}

#[derive(Serialize)]
pub(in crate::commands) struct Policy {
    pub(in crate::commands) source: String,
    pub(in crate::commands) sha256: String,
    /// Those that it names, by their paths, with their SHA-256.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::commands) files: BTreeMap<String, String>,
}

#[derive(Serialize)]
pub(in crate::commands) struct Instance<'a> {
    name: &'a str,
    trusted_root_sha256: String,
}

#[derive(Serialize)]
pub(in crate::commands) struct Object<'a> {
    r#type: &'static str,
    oid: String,
    kind: Option<&'static str>,
    pub(in crate::commands) verdict: &'static str,
    pub(in crate::commands) allowed: Option<bool>,
    pub(in crate::commands) rule: Option<&'a str>,
    pub(in crate::commands) reason: Option<&'static str>,
    pub(in crate::commands) detail: Option<String>,
    pub(in crate::commands) identity: Option<&'a str>,
    identity_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    issuer: Option<&'a str>,
    instance: Option<&'a str>,
    signature: Option<&'static str>,
    time: Option<Value>,
    log: Option<Value>,
    certificate_sha256: Option<String>,
    author: Value,
    committer: Value,
    subject: Value,
    findings: Option<Value>,
    cached: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    changes_policy: bool,
    /// By which a squash is admitted: it is signed, and the squash is not by the same people.
    #[serde(skip_serializing_if = "Option::is_none")]
    squashed_head: Option<Value>,
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
    verified: u64,
    rejected: u64,
    undecided: u64,
    unsigned: u64,
    other: u64,
    allowed: u64,
    not_allowed: u64,
    rule_undecided: u64,
    exempt: u64,
}

pub(in crate::commands) fn header(out: &mut impl Write, run: &Run<'_>) -> io::Result<()> {
    let range = range(run.request);
    line(
        out,
        &Header {
            r#type: "header",
            schema: 1,
            tool: TOOL,
            range: escape::json(range),
            policy: policy(run),
            instances: instances(run),
            network: run.asks_network(),
            insecure_ignore_sct: run.verifier.scts() == SctRequirement::InsecureIgnore,
        },
    )
}

/// What was asked for, as it was typed.
pub(in crate::commands) fn range(request: &Verify) -> Vec<u8> {
    let mut words: Vec<&[u8]> = Vec::new();
    words.extend(request.all.then_some(b"--all".as_slice()));
    words.extend(request.tags.iter().flat_map(|glob| [b"--tags".as_slice(), glob.as_bytes()]));
    words.extend(request.revisions.iter().map(|revision| revision.as_encoded_bytes()));
    words.extend(request.stdin.then_some(b"--stdin".as_slice()));
    if words.is_empty() { b"HEAD".to_vec() } else { words.join(&b' ') }
}

pub(in crate::commands) fn object(out: &mut impl Write, judged: &Judged<'_>) -> io::Result<()> {
    line(out, &object_of(judged))
}

/// What is known of one object.
pub(in crate::commands) fn object_of<'a>(judged: &'a Judged<'_>) -> Object<'a> {
    let verified = judged.certified();
    let description = judged.description();
    let allowed = match &judged.allowed {
        Allowed::AnyIdentity | Allowed::Yes(_) => Some(true),
        Allowed::CannotTell { .. } | Allowed::Exempt(_) | Allowed::NobodyAsked => None,
        Allowed::No(_) => Some(false),
    };
    Object {
        r#type: "object",
        oid: judged.found.id.to_string(),
        kind: judged.kind().map(ObjectKind::as_str),
        verdict: verdict(&judged.verdict),
        allowed,
        rule: judged.rule(),
        reason: judged.reason(),
        detail: judged.detail(),
        identity: judged.identity(),
        identity_kind: judged.identity_kind(),
        key: judged.by_key().map(KeySignature::fingerprint),
        issuer: verified.map(VerifiedSignature::issuer),
        instance: verified.map(|signature| signature.instance().as_str()),
        signature: signature(judged),
        time: verified
            .map(|signature| json!({ "value": signature.time().to_string(), "source": signature.time_source() })),
        log: verified.map(|signature| {
            json!({
                "id": signature.log_id().to_string(),
                "index": signature.log_index(),
                "version": signature.rekor_version().as_str(),
                "labelled": signature.entry_label().as_str(),
                "source": judged.from.as_str(),
            })
        }),
        certificate_sha256: verified.map(|signature| signature.certificate_sha256().to_string()),
        author: text(description.author),
        committer: text(description.committer),
        subject: text(description.subject()),
        findings: findings(judged),
        cached: judged.cached,
        changes_policy: judged.changes_policy,
        squashed_head: judged.squashed.as_ref().map(|head| json!({ "oid": head.id, "ref": head.reference })),
    }
}

pub(in crate::commands) fn footer(out: &mut impl Write, tally: &Tally, exit: u8) -> io::Result<()> {
    // Each object is counted under its verdict, as its own line has it.
    let (judged, exempt) = (tally.judged, tally.exempt);
    let counts = Counts {
        objects: tally.objects(),
        verified: judged.verified + exempt.verified,
        rejected: judged.rejected + exempt.rejected,
        undecided: judged.undecided + exempt.undecided,
        unsigned: judged.unsigned + exempt.unsigned,
        other: judged.other + exempt.other,
        allowed: tally.allowed,
        not_allowed: tally.not_allowed,
        rule_undecided: tally.cannot_tell,
        exempt: exempt.sum(),
    };
    line(out, &Footer { r#type: "footer", counts, exit })
}

/// Who was believed.
pub(in crate::commands) fn instances<'a>(run: &'a Run<'_>) -> Vec<Instance<'a>> {
    let instances = run.verifier.instances().map(|instance| Instance {
        name: instance.name.as_str(),
        trusted_root_sha256: instance.trusted_root.sha256().to_string(),
    });
    instances.collect()
}

/// What printed it.
pub(in crate::commands) const TOOL: &str = concat!("waxseal ", env!("CARGO_PKG_VERSION"));

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    out.write_all(&escape::json_line(value)?)
}

/// The files that a policy names, with their digests.
pub(in crate::commands) fn files_of(policy: &PolicyFile) -> BTreeMap<String, String> {
    policy.files().iter().map(|(path, sha256)| (path.clone(), sha256.to_string())).collect()
}

/// Where the policy came from, and a digest that changes when it does.
pub(in crate::commands) fn policy(run: &Run<'_>) -> Option<Policy> {
    let (source, text) = match (&run.policy, &run.request.admitted) {
        (IdentityPolicy::NotGiven, _) => return None,
        (IdentityPolicy::File(file), _) => {
            let source = run.surroundings.source.clone().unwrap_or_default();
            return Some(Policy { source, sha256: file.sha256().to_string(), files: files_of(file) });
        }
        (_, AdmittedFlags::Anyone) => ("--any-identity", String::new()),
        (_, AdmittedFlags::Identity { identity, issuer }) => {
            let word = |pattern: &Pattern| match pattern {
                Pattern::Exact(text) => format!("exact {text}"),
                Pattern::Regexp(text) => format!("regexp {text}"),
            };
            ("flags", [word(identity), word(issuer)].join("\n"))
        }
        (_, AdmittedFlags::Policy(_) | AdmittedFlags::Unsaid) => ("waxseal.allow", run.settings.allow.join("\n")),
    };
    let parts = [text.as_bytes(), b"\n", run.default_instance.as_str().as_bytes()];
    let sha256 = Sha256Digest::of_parts(&parts).to_string();
    Some(Policy { source: source.to_owned(), sha256, files: BTreeMap::new() })
}

pub(super) fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Verified(_) | Verdict::VerifiedByKey(_) => "verified",
        Verdict::Rejected(_) => "rejected",
        Verdict::Undecided(_) => "undecided",
        Verdict::Unsigned => "unsigned",
        Verdict::OtherFormat(_) => "other",
    }
}

/// The kind of signature. An X.509 one counts as keyless once a trusted authority is known to have issued its
/// certificate.
pub(super) fn signature(judged: &Judged<'_>) -> Option<&'static str> {
    let x509 = |findings: &Findings| Some(if findings.instance.is_some() { "keyless" } else { "x509" });
    match &judged.verdict {
        Verdict::Verified(_) => Some("keyless"),
        Verdict::VerifiedByKey(signature) => Some(signature.format().as_str()),
        Verdict::Rejected(rejection) => match rejection.key_format() {
            Some(format) => Some(format.as_str()),
            None => x509(rejection.findings()),
        },
        Verdict::Undecided(undecided) if matches!(undecided.missing(), Missing::Gpg(_) | Missing::GpgAnswer(_)) => {
            Some("openpgp")
        }
        Verdict::Undecided(undecided) => judged.kind().and_then(|_readable| x509(undecided.findings())),
        Verdict::Unsigned | Verdict::OtherFormat(SignatureFormat::Unknown | SignatureFormat::X509) => None,
        Verdict::OtherFormat(SignatureFormat::OpenPgp) => Some("openpgp"),
        Verdict::OtherFormat(SignatureFormat::Ssh) => Some("ssh"),
    }
}

fn findings(judged: &Judged<'_>) -> Option<Value> {
    let (findings, claims) = match &judged.verdict {
        Verdict::Rejected(rejection) => (rejection.findings(), rejection.claims()),
        Verdict::Undecided(undecided) => (undecided.findings(), undecided.findings().claims.as_ref()),
        Verdict::OtherFormat(_) | Verdict::Unsigned | Verdict::Verified(_) | Verdict::VerifiedByKey(_) => return None,
    };
    if findings.steps.is_empty() && claims.is_none() {
        return None;
    }
    let claimed = claims.map(|claims| {
        json!({ "identity": claims.san.as_str(), "identity_kind": claims.san.kind(), "issuer": claims.issuer })
    });
    let steps: Map<String, Value> = findings
        .steps
        .iter()
        .map(|finding| {
            let outcome = &finding.outcome;
            let mut members = Map::new();
            members.insert("outcome".to_owned(), outcome.name().into());
            members.extend(outcome.reason().map(|reason| ("reason".to_owned(), reason.into())));
            members.insert("detail".to_owned(), outcome.detail().into());
            (finding.step.name().to_owned(), members.into())
        })
        .collect();
    let refused: Vec<String> = judged.refused.iter().map(ToString::to_string).collect();
    Some(json!({
        "claimed": claimed,
        "instance": findings.instance.as_ref().map(|name| name.as_str()),
        "notes_refused": if refused.is_empty() { Value::Null } else { json!(refused) },
        "signing_time": findings.signing_time.map(|time| time.to_string()),
        "steps": steps,
    }))
}

fn text(bytes: &[u8]) -> Value {
    if bytes.is_empty() { Value::Null } else { escape::json(bytes) }
}
