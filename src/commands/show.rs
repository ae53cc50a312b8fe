//! `waxseal show`: what an object claims of who made and signed it. Verifies nothing, and says so before anything else.

use std::ffi::OsString;
use std::io::{self, Write as _};

use serde::Serialize;

use super::facts::{Fact, Facts};
use super::stdout::written;
use super::{claims, configured, stdout};
use crate::cli::{Show, ShowFormat};
use crate::cms::{SignedData, armor};
use crate::command_error::{CommandError, ErrorKind};
use crate::escape;
use crate::git::description::Description;
use crate::git::repository::{RawObject, Repository, Selected};
use crate::git::{ObjectKind, SignedObject};
use crate::signature::payload::header;
use crate::signature::{SignatureFormat, git};

mod in_toto;

/// Prints what the object claims.
///
/// # Errors
/// [`CommandError`]: 1 for an object that cannot be read and for output that cannot be written, 2 for a revision that is
/// none.
pub fn run(request: &Show) -> Result<u8, CommandError> {
    let settings = configured::settings()?;
    let repository = configured::repository(&settings.repository)?;
    let hash = repository.hash_kind()?;
    let (id, raw) = object(&repository, request.object.as_ref())?;
    let object = SignedObject::parse(raw.kind, hash, &raw.bytes);
    let text = match request.format {
        ShowFormat::Text => text(&claims_of(&id, &raw, &object)),
        ShowFormat::Json => json(&claims_of(&id, &raw, &object))?,
        ShowFormat::InToto => {
            let repository = repository.remote_url(&request.remote);
            in_toto::statement(&id, &raw, &object, hash, repository).map_err(|error| {
                CommandError::failed(format!("no statement can be made of {id}: {error}"))
                    .hint("\"waxseal show\" without --format prints what there is")
            })?
        }
    };
    written(print(&text), ErrorKind::Failed)
}

/// The one object that was asked for.
fn object(repository: &Repository, revision: Option<&OsString>) -> Result<(String, RawObject), CommandError> {
    let revisions: Vec<OsString> = revision.cloned().into_iter().collect();
    let selected = repository.select(&revisions)?;
    if let [Selected::History { .. }] = selected.as_slice() {
        return Err(CommandError::usage("a range is not one object").hint("name one commit or tag"));
    }
    let Some(found) = repository.objects(&selected).next() else {
        return Err(CommandError::usage("HEAD has no commit yet"));
    };
    let id = found.id.to_string();
    match found.content {
        Ok(raw) => Ok((id, raw)),
        Err(error) => Err(CommandError::failed(format!("{id}: {error}"))),
    }
}

fn print(text: &str) -> io::Result<u8> {
    stdout::check_writable()?;
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())?;
    Ok(0)
}

fn text(claims: &Facts) -> String {
    let mut text = format!("{UNVERIFIED}\n\n");
    for line in claims.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    schema: u32,
    verified: bool,
    claims: &'a Facts,
}

fn json(claims: &Facts) -> Result<String, CommandError> {
    let document = Document { r#type: "claims", schema: 1, verified: false, claims };
    let line = escape::json_line(&document).map_err(|error| CommandError::new(ErrorKind::Failed, error))?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn claims_of(id: &str, raw: &RawObject, object: &SignedObject) -> Facts {
    let description = Description::of(raw.kind, &raw.bytes);
    let value = |name: &str| header(&object.payload, name);
    let facts = Facts::default().and(raw.kind.as_str(), id);
    let facts = match raw.kind {
        ObjectKind::Commit => {
            facts.and("author", value("author")).and("committer", value("committer")).and("tree", value("tree"))
        }
        ObjectKind::Tag => facts
            .and("name", value("tag"))
            .and("tagger", value("tagger"))
            .and("tagged", value("object"))
            .and("tagged_kind", value("type")),
    };
    let facts = facts.and("subject", (!description.subject().is_empty()).then_some(description.subject()));
    let (count, format) = match object.signatures.as_slice() {
        [] => return facts.and("signature", "none"),
        [one] => (None, SignatureFormat::of(one)),
        several => (
            u64::try_from(several.len()).ok(),
            several.first().map_or(SignatureFormat::Unknown, |first| SignatureFormat::of(first)),
        ),
    };
    let facts = facts.and("signatures", count);
    let Some(signature) = object.signatures.first() else { return facts };
    match format {
        SignatureFormat::OpenPgp | SignatureFormat::Ssh => {
            facts.and("signature", format!("{}, which \"git verify-commit\" may know", format.name()))
        }
        SignatureFormat::Unknown => facts.and("signature", "of a format that Git does not know"),
        SignatureFormat::X509 => facts
            .and("signature", format!("{} (CMS)", format.name()))
            .then(signature_claims(&object.payload, signature)),
    }
}

fn signature_claims(payload: &[u8], armored: &[u8]) -> Facts {
    let decoded = armor::decode(armored).map_err(|error| error.to_string());
    let signed_data = decoded.and_then(|der| SignedData::from_der(&der).map_err(|error| error.to_string()));
    let signed_data = match signed_data {
        Ok(signed_data) => signed_data,
        Err(error) => return Facts::default().and("unreadable", error),
    };
    let leaf = &signed_data.certificate;
    let certificate = claims::certificate(leaf)
        .and("fulcio_extensions", claims::fulcio_extensions(leaf))
        .and("sct", claims::scts(leaf));
    let facts = Facts::default()
        .and("certificate", certificate)
        .and("signed_attributes", claims::signed_attributes(&signed_data));
    match git::open(payload, armored) {
        Ok(opened) => {
            let material = opened.material;
            let tokens: Vec<Fact> = material.timestamps.iter().map(|der| claims::token(der).into()).collect();
            facts
                .and("log_entry", material.log_entry.as_ref().map(claims::log_entry))
                .and("unsupported", material.unsupported.map(|unsupported| unsupported.to_string()))
                .and("timestamp_token", tokens)
        }
        Err(error) => facts.and("unreadable", error.to_string()),
    }
}

const UNVERIFIED: &str =
    "UNVERIFIED: these are the object's own claims. \"waxseal explain\" says which of them are proved.";
