"""A Git object on standard input, signed by waxseal, becomes a Sigstore bundle and the file that it is about.

The file is the DER of the CMS signed attributes: that is what is signed and logged; the object's digest is one of them.
Nothing is verified here. Usage: git_bundle.py ARTIFACT BUNDLE
"""

import base64
import hashlib
import json
import re
import sys

ENTRY = bytes.fromhex("060a2b0601040183bf300301")  # 1.3.6.1.4.1.57264.3.1
TOKEN = bytes.fromhex("060b2a864886f70d010910020e")  # RFC 3161 appendix A


def b64(data):
    return base64.b64encode(data).decode()


def pem(certificate):
    """RFC 7468, as Rekor writes it."""
    text = b64(certificate)
    lines = [text[at:at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]).encode()


def elements(der):
    """The DER values that follow each other here, each as (whole, content)."""
    at = 0
    while at < len(der):
        start, length = at, der[at + 1]
        at += 2
        if length & 0x80:
            octets, at = length & 0x7F, at + (length & 0x7F)
            length = int.from_bytes(der[at - octets:at], "big")
        at += length
        yield der[start:at], der[at - length:at]


def signed_data(text):
    """RFC 5652 §5.1, from the armor of a commit (header gpgsig) or of a tag (at its end)."""
    header = re.search(rb"^gpgsig (.*(?:\n .*)*)", text.split(b"\n\n", 1)[0], re.M)
    armor = header.group(1).replace(b"\n ", b"\n") if header else text[text.index(b"-----BEGIN SIGNED MESSAGE-----"):]
    lines = armor.strip().split(b"\n")
    assert lines[0] == b"-----BEGIN SIGNED MESSAGE-----" and lines[-1] == b"-----END SIGNED MESSAGE-----", armor
    [(_, info)] = elements(base64.b64decode(b"".join(lines[1:-1])))
    _, (_, content) = elements(info)
    [(_, signed)] = elements(content)
    return [content for _, content in elements(signed)]


def fields(data):
    """Protocol buffers: (number, value) of a message, value an integer or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        value = varint()
        if tag & 7 == 2:
            at, value = at + value, data[at:at + value]
        else:
            assert tag & 7 == 0, tag
        yield tag >> 3, value


def message(data, names):
    found = {name: [] for name in names.values()}
    for number, value in fields(data):
        found[names[number]].append(value)
    return found


def log_entry(data, artifact, signature, certificate):
    """TransparencyLogEntry as JSON, with the body that its certificate and signature give."""
    entry = message(data, {1: "logIndex", 2: "logId", 3: "kindVersion", 4: "integratedTime", 5: "promise", 6: "proof", 7: "body"})
    one = lambda values, default=b"": values[0] if values else default
    kind = message(one(entry["kindVersion"]), {1: "kind", 2: "version"})
    proof = message(one(entry["proof"]), {1: "logIndex", 2: "rootHash", 3: "treeSize", 4: "hashes", 5: "checkpoint"})
    version = one(kind["version"]).decode()
    assert one(kind["kind"]) == b"hashedrekord", kind
    digest = hashlib.sha256(artifact).digest()
    if version == "0.0.1":
        armored = b64(pem(certificate))
        spec = {"data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
                "signature": {"content": b64(signature), "publicKey": {"content": armored}}}
    else:
        verifier = {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": {"rawBytes": b64(certificate)}}
        spec = {"hashedRekordV002": {"data": {"algorithm": "SHA2_256", "digest": b64(digest)},
                                     "signature": {"content": b64(signature), "verifier": verifier}}}
    body = {"apiVersion": version, "kind": "hashedrekord", "spec": spec}
    written = {
        "logIndex": str(one(entry["logIndex"], 0)),
        "logId": {"keyId": b64(one(message(one(entry["logId"]), {1: "keyId"})["keyId"]))},
        "kindVersion": {"kind": "hashedrekord", "version": version},
        "integratedTime": str(one(entry["integratedTime"], 0)),
        "inclusionProof": {
            "logIndex": str(one(proof["logIndex"], 0)),
            "rootHash": b64(one(proof["rootHash"])),
            "treeSize": str(one(proof["treeSize"], 0)),
            "hashes": [b64(hash) for hash in proof["hashes"]],
            "checkpoint": {"envelope": one(message(one(proof["checkpoint"]), {1: "envelope"})["envelope"]).decode()},
        },
        "canonicalizedBody": b64(json.dumps(body, separators=(",", ":"), sort_keys=True).encode()),
    }
    if entry["promise"]:
        timestamp = message(one(entry["promise"]), {1: "set"})["set"]
        written["inclusionPromise"] = {"signedEntryTimestamp": b64(one(timestamp))}
    return written


def main(artifact_file, bundle_file):
    _, _, _, certificates, signers = signed_data(sys.stdin.buffer.read())
    [(certificate, _)] = elements(certificates)
    [(_, signer)] = elements(signers)
    _, _, _, attributes, _, signature, unsigned = elements(signer)
    # Signed is the SET OF (RFC 5652 §5.4); stored is the same with the tag [0].
    artifact, signature = b"\x31" + attributes[0][1:], signature[1]
    entries, tokens = [], []
    for _, attribute in elements(unsigned[1]):
        (kind, _), (_, values) = elements(attribute)
        assert kind in (ENTRY, TOKEN), kind.hex()
        if kind == ENTRY:
            entries += [log_entry(value, artifact, signature, certificate) for _, value in elements(values)]
        else:
            tokens += [token for token, _ in elements(values)]
    # RFC 3161 §2.4.2: a response is a status, here 0, and the token.
    wrap = lambda der: b"\x30\x82" + len(der).to_bytes(2, "big") + der
    bundle = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": {"rawBytes": b64(certificate)},
            "tlogEntries": entries,
            "timestampVerificationData": {
                "rfc3161Timestamps": [{"signedTimestamp": b64(wrap(b"\x30\x03\x02\x01\x00" + token))} for token in tokens]
            },
        },
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": b64(hashlib.sha256(artifact).digest())},
            "signature": b64(signature),
        },
    }
    with open(artifact_file, "wb") as file:
        file.write(artifact)
    with open(bundle_file, "w") as file:
        json.dump(bundle, file)


main(*sys.argv[1:])
