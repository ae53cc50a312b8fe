//! The four roles' documents (TUF specification 1.0 §4), signed with one key.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::crypto::{ServiceKey, ServiceKeyError, Sha256Digest};
use crate::tlog::hashedrekord::{Verifier, pem};

/// The key of all four roles, with the name that the documents call it by.
#[derive(Debug)]
pub(super) struct RoleKey {
    key: ServiceKey,
    id: String,
}

impl RoleKey {
    /// `key` is an ECDSA P-256 key.
    pub(super) fn new(key: ServiceKey) -> Self {
        let id = Sha256Digest::of(&canonical(&document(&key))).to_string();
        Self { key, id }
    }

    /// SHA-256 of the key's canonical JSON, hex (TUF §4.2).
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Signs `signed`, and has `others` sign it too.
    pub(super) fn sign(&self, signed: &Value, others: &[&Self]) -> Result<Vec<u8>, ServiceKeyError> {
        let bytes = canonical(signed);
        let mut signatures = Vec::new();
        for key in std::iter::once(self).chain(others.iter().copied()) {
            signatures.push(json!({ "keyid": key.id, "sig": hex::encode(key.key.sign(&bytes)?) }));
        }
        let mut text =
            serde_json::to_vec_pretty(&json!({ "signatures": signatures, "signed": signed })).unwrap_or_default();
        text.push(b'\n');
        Ok(text)
    }

    /// TUF §4.3: this key alone is trusted, for every role.
    pub(super) fn root(&self, version: u64, expires: Timestamp) -> Value {
        let role = json!({ "keyids": [self.id], "threshold": 1 });
        let mut signed = common("root", version, expires);
        signed.insert("consistent_snapshot".to_owned(), true.into());
        signed.insert("keys".to_owned(), json!({ self.id.as_str(): document(&self.key) }));
        signed
            .insert("roles".to_owned(), json!({ "root": role, "snapshot": role, "targets": role, "timestamp": role }));
        signed.into()
    }
}

/// TUF §4.5.
pub(super) fn targets<'a>(version: u64, expires: Timestamp, targets: impl Iterator<Item = &'a Target>) -> Value {
    let mut signed = common("targets", version, expires);
    let targets = targets.map(|target| (target.name.clone(), target.meta())).collect::<Map<_, _>>();
    signed.insert("targets".to_owned(), targets.into());
    signed.into()
}

/// TUF §4.4.
pub(super) fn snapshot(version: u64, expires: Timestamp, targets_version: u64) -> Value {
    let mut signed = common("snapshot", version, expires);
    signed.insert("meta".to_owned(), json!({ "targets.json": { "version": targets_version } }));
    signed.into()
}

/// TUF §4.6.
pub(super) fn timestamp(version: u64, expires: Timestamp, snapshot_version: u64) -> Value {
    let mut signed = common("timestamp", version, expires);
    signed.insert("meta".to_owned(), json!({ "snapshot.json": { "version": snapshot_version } }));
    signed.into()
}

/// A file that clients fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As clients ask for it.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// `custom`: what clients older than trusted roots go by.
    pub custom: Option<Value>,
}

impl Target {
    /// Under `targets/`: consistent snapshots put the digest before the name (TUF §6.2).
    pub(super) fn file_name(&self) -> String {
        format!("targets/{}.{}", Sha256Digest::of(&self.bytes), self.name)
    }

    pub(super) fn meta(&self) -> Value {
        let sha256 = Sha256Digest::of(&self.bytes).to_string();
        let mut meta = json!({ "hashes": { "sha256": sha256 }, "length": self.bytes.len() });
        if let (Some(custom), Some(members)) = (&self.custom, meta.as_object_mut()) {
            members.insert("custom".to_owned(), custom.clone());
        }
        meta
    }
}

/// OLPC canonical JSON (TUF §4.1): members sorted, no space, and in strings only `"` and `\` escaped. Numbers are whole.
pub(super) fn canonical(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_canonical(value, &mut bytes);
    bytes
}

fn write_canonical(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => bytes.extend(value.to_string().into_bytes()),
        Value::String(text) => write_string(text, bytes),
        Value::Array(values) => {
            bytes.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    bytes.push(b',');
                }
                write_canonical(value, bytes);
            }
            bytes.push(b']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            bytes.push(b'{');
            for (index, (name, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    bytes.push(b',');
                }
                write_string(name, bytes);
                bytes.push(b':');
                write_canonical(value, bytes);
            }
            bytes.push(b'}');
        }
    }
}

fn write_string(text: &str, bytes: &mut Vec<u8>) {
    bytes.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            bytes.push(b'\\');
        }
        bytes.push(byte);
    }
    bytes.push(b'"');
}

fn common(role: &str, version: u64, expires: Timestamp) -> Map<String, Value> {
    let mut signed = Map::new();
    signed.insert("_type".to_owned(), role.into());
    signed.insert("spec_version".to_owned(), SPEC_VERSION.into());
    signed.insert("version".to_owned(), version.into());
    signed.insert("expires".to_owned(), expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into());
    signed
}

fn document(key: &ServiceKey) -> Value {
    json!({
        "keytype": "ecdsa",
        "keyval": { "public": pem(Verifier::PublicKey(key.verifying_key().spki_der())) },
        "scheme": "ecdsa-sha2-nistp256",
    })
}

const SPEC_VERSION: &str = "1.0.31";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_is_olpcs() {
        // python-securesystemslib's encode_canonical.
        let value = json!({"b": "x\n\"\\é", "a": [1, true, null, {}], "A": ""});
        assert_eq!(
            String::from_utf8(canonical(&value)).unwrap(),
            "{\"A\":\"\",\"a\":[1,true,null,{}],\"b\":\"x\n\\\"\\\\é\"}"
        );
    }
}
