//! An in-toto statement about an object, with the predicate that `gitsign show` has (`docs/from-gitsign.md`). Its claims are
//! as unverified as everything else here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cms::armor::MalformedArmor;
use crate::cms::{MalformedSignedData, SignedData, armor};
use crate::escape;
use crate::git::repository::RawObject;
use crate::git::{HashKind, ObjectKind, SignedObject};
use crate::signature::SignatureFormat;
use crate::tlog::hashedrekord::{Verifier, pem};

/// The statement, indented, with a line feed.
///
/// # Errors
/// [`NoStatement`]
pub(super) fn statement(
    id: &str,
    raw: &RawObject,
    object: &SignedObject,
    hash: HashKind,
    repository: Option<String>,
) -> Result<String, NoStatement> {
    let headers = headers(&raw.bytes)?;
    let (kind, source) = match raw.kind {
        ObjectKind::Commit => ("git", commit(&headers, &object.payload)?),
        ObjectKind::Tag => ("tag", tag(&headers, &object.payload)?),
    };
    let mut predicate = Map::new();
    predicate.insert("source".to_owned(), source);
    if let [signature] = object.signatures.as_slice() {
        predicate.insert("signature".to_owned(), text(signature)?.into());
        if SignatureFormat::of(signature) == SignatureFormat::X509 {
            let signed_data = SignedData::from_der(&armor::decode(signature)?)?;
            let attributes = STANDARD.encode(&signed_data.message);
            let certificate = pem(Verifier::Certificate(signed_data.certificate.der()));
            predicate
                .insert("signer_info".to_owned(), json!([{ "attributes": attributes, "certificate": certificate }]));
        }
    }
    let mut digest = Map::new();
    digest.insert(digest_key(hash).to_owned(), id.into());
    if raw.kind == ObjectKind::Tag {
        digest.insert("gitTag".to_owned(), id.into());
    }
    let statement = Statement {
        r#type: "https://in-toto.io/Statement/v1",
        subject: [Subject { name: repository, digest }],
        predicate_type: format!("https://gitsign.sigstore.dev/predicate/{kind}/v0.1"),
        predicate,
    };
    Ok(escape::json_indented(&statement)?)
}

#[derive(Serialize)]
struct Statement {
    #[serde(rename = "_type")]
    r#type: &'static str,
    subject: [Subject; 1],
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Map<String, Value>,
}

#[derive(Serialize)]
struct Subject {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    digest: Map<String, Value>,
}

fn commit(headers: &[Header<'_>], payload: &[u8]) -> Result<Value, NoStatement> {
    let parents: Vec<String> = headers
        .iter()
        .filter(|header| header.name == b"parent")
        .map(|header| text(header.value))
        .collect::<Result<_, _>>()?;
    object([
        ("author", person(headers, b"author")?),
        ("committer", person(headers, b"committer")?),
        ("message", message(payload)?),
        ("parents", if parents.is_empty() { None } else { Some(parents.into()) }),
        ("tree", one(headers, b"tree")?),
    ])
}

fn tag(headers: &[Header<'_>], payload: &[u8]) -> Result<Value, NoStatement> {
    object([
        ("message", message(payload)?),
        ("object", one(headers, b"object")?),
        ("object_type", one(headers, b"type")?),
        ("tag", one(headers, b"tag")?),
        ("tagger", person(headers, b"tagger")?),
    ])
}

/// Empty values are left out, as protobuf's JSON does.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Result<Value, NoStatement> {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Value::Object(there.collect()))
}

fn one(headers: &[Header<'_>], name: &[u8]) -> Result<Option<Value>, NoStatement> {
    headers.iter().find(|header| header.name == name).map(|header| text(header.value).map(Value::from)).transpose()
}

/// `NAME <EMAIL> SECONDS ZONE`; the zone is lost, as in gitsign.
fn person(headers: &[Header<'_>], name: &[u8]) -> Result<Option<Value>, NoStatement> {
    let Some(header) = headers.iter().find(|header| header.name == name) else { return Ok(None) };
    let person = text(header.value)?;
    let (Some(open), Some(close)) = (person.rfind('<'), person.rfind('>')) else { return Ok(None) };
    let part = |range: std::ops::Range<usize>| person.get(range).unwrap_or_default().trim_matches(' ').to_owned();
    let some = |text: String| (!text.is_empty()).then(|| Value::from(text));
    let seconds = part(close + 1..person.len());
    let seconds = seconds.split(' ').next().and_then(|seconds| seconds.parse().ok());
    let date = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).map(|date| date.to_string());
    object([
        ("date", date.map(Value::from)),
        ("email", person.get(open + 1..close).map(str::to_owned).and_then(some)),
        ("name", some(part(0..open))),
    ])
    .map(Some)
}

fn message(payload: &[u8]) -> Result<Option<Value>, NoStatement> {
    let start = payload.windows(2).position(|two| two == b"\n\n").map_or(payload.len(), |blank| blank + 2);
    let message = text(payload.get(start..).unwrap_or_default())?;
    Ok((!message.is_empty()).then(|| message.into()))
}

struct Header<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

/// The headers of an object. Readers differ in which of two they take, so none of them may stand twice that Git writes
/// once.
fn headers(raw: &[u8]) -> Result<Vec<Header<'_>>, NoStatement> {
    let mut headers: Vec<Header<'_>> = Vec::new();
    for line in raw.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty()) {
        if line.starts_with(b" ") {
            continue;
        }
        let space = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (name, value) = line.split_at(space);
        if ONCE.iter().any(|once| once.as_bytes() == name) && headers.iter().any(|header| header.name == name) {
            return Err(NoStatement::Duplicate(String::from_utf8_lossy(name).into_owned()));
        }
        headers.push(Header { name, value: value.get(1..).unwrap_or_default() });
    }
    Ok(headers)
}

fn text(bytes: &[u8]) -> Result<String, NoStatement> {
    String::from_utf8(bytes.to_vec()).map_err(|_bytes| NoStatement::NotText)
}

/// A member of `DigestSet`.
fn digest_key(hash: HashKind) -> &'static str {
    match hash {
        HashKind::Sha1 => "sha1",
        HashKind::Sha256 => "sha256",
    }
}

/// An object of which no statement can be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoStatement {
    /// The text around the signature.
    #[error(transparent)]
    Armor(#[from] MalformedArmor),
    /// The signature.
    #[error(transparent)]
    Cms(#[from] MalformedSignedData),
    /// Two readers would read two objects.
    #[error("malformed git object: duplicate {0} header")]
    Duplicate(String),
    /// JSON has no other texts.
    #[error("it is not UTF-8")]
    NotText,
    /// A value that has no JSON.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

/// What stands once in an object that Git writes.
const ONCE: [&str; 10] =
    ["author", "committer", "encoding", "gpgsig", "gpgsig-sha256", "object", "tag", "tagger", "tree", "type"];
