"""Signed certificate timestamps (RFC 6962 sections 3.2, 3.3)."""

import hashlib
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from issuing import Authority, CODE, ISSUER, P256, SCT_LIST, V2, name, raw, usage
from vectors import DER, b64, pem, spki, time, tlv, write


def signed_entry(moment, issuer_key, tbs, extensions):
    data = struct.pack(">BBQH", 0, 0, moment, 1) + hashlib.sha256(spki(issuer_key)).digest()
    return data + len(tbs).to_bytes(3, "big") + tbs + struct.pack(">H", len(extensions)) + extensions


def sct_bytes(log, moment, issuer_key, tbs, extensions=b"", spoil=False, algorithm=b"\x04\x03", version=0):
    message = signed_entry(moment, issuer_key, tbs, extensions) + (b"\0" if spoil else b"")
    if isinstance(log, rsa.RSAPrivateKey):
        signature, algorithm = log.sign(message, padding.PKCS1v15(), hashes.SHA256()), b"\x04\x01"
    else:
        signature = log.sign(message, ec.ECDSA(hashes.SHA256()))
    identifier = hashlib.sha256(spki(log)).digest()
    return (bytes([version]) + identifier + struct.pack(">QH", moment, len(extensions)) + extensions + algorithm
            + struct.pack(">H", len(signature)) + signature)


def sct_extension(scts):
    listed = b"".join(struct.pack(">H", len(each)) + each for each in scts)
    return tlv(0x04, struct.pack(">H", len(listed)) + listed)


def scts():
    root = Authority("root", length=1)
    ca = Authority("intermediate", root, length=0, eku=[CODE])
    twin = Authority("intermediate", root, length=0, eku=[CODE])
    log, second, stranger = (ec.generate_private_key(P256()) for _ in range(3))
    rsa_log = rsa.generate_private_key(65537, 2048)
    moment = int(time("2026-11-01T12:00:00").timestamp() * 1000) + 123

    def certificate(make, issuer=ca, by=None):
        """A leaf whose SCT list is what `make` gives for the precertificate's TBS."""
        key = ec.generate_private_key(P256())
        serial = x509.random_serial_number()
        build = lambda more: fixed(issuer, key, serial, more)
        tbs = build([]).tbs_certificate_bytes
        extension = make(tbs)
        return (build([raw(SCT_LIST, extension)]) if extension is not None else build([])).public_bytes(DER)

    def fixed(issuer, key, serial, more):
        builder = x509.CertificateBuilder().subject_name(name("")).issuer_name(name(issuer.subject)).public_key(key.public_key())
        builder = builder.serial_number(serial).not_valid_before(time("2026-11-01T12:00:00")).not_valid_after(time("2026-11-01T12:10:00"))
        builder = builder.add_extension(usage("digital_signature"), True).add_extension(x509.ExtendedKeyUsage([CODE]), False)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name("alice@example.org")]), True)
        builder = builder.add_extension(x509.UnrecognizedExtension(V2, tlv(0x0C, ISSUER.encode())), False)
        for extension, critical in more:
            builder = builder.add_extension(extension, critical)
        return builder.sign(issuer.key, hashes.SHA384())

    def case(file, expect, why, make, logs=(log, second), start="2026-01-01T00:00:00", end=None, issuer=ca, shown=None):
        headers = [("log", b64(spki(each))) for each in logs] + [("logs-from", start + "Z")] + ([("logs-until", end + "Z")] if end else [])
        der = make if isinstance(make, bytes) else certificate(make, issuer)
        write("sct", file, expect, why, headers, pem("CERTIFICATE", der) + pem("CERTIFICATE", (shown or issuer).der))

    one = lambda by=log, **how: lambda tbs: sct_extension([sct_bytes(by, moment, ca.key, tbs, **how)])
    at = "ok: 2026-11-01T12:00:00.123Z"
    case("good", at, "one timestamp of a trusted log", one())
    case("good-with-extensions", at, "a static CT log's leaf index, which is signed, too", one(extensions=bytes.fromhex("0000050000000007")))
    case("good-two", at, "two logs promise; the first is named", lambda tbs: sct_extension([sct_bytes(each, moment, ca.key, tbs) for each in (log, second)]))
    case("good-rsa-log", at, "a log whose key is RSA", one(rsa_log), logs=(rsa_log,))
    case("good-at-the-logs-first-instant", at, "both ends are inclusive", one(), start="2026-11-01T12:00:00.123")
    case("good-at-the-logs-last-instant", at, "both ends are inclusive", one(), end="2026-11-01T12:00:00.123")
    case("absent", "Absent", "a log is trusted, and the certificate was in none", lambda tbs: None)
    case("absent-no-log-then", "ok: none", "no log was trusted when the certificate was made", lambda tbs: None, start="2026-11-01T12:00:01")
    case("absent-no-log-at-all", "ok: none", "no log is trusted", lambda tbs: None, logs=())
    case("log-unknown", "UnknownLog", "a log that nobody trusts", one(stranger))
    case("log-not-yet", "LogOutsideValidity", "a millisecond before the log was trusted", one(), start="2026-11-01T12:00:00.124")
    case("log-closed", "LogOutsideValidity", "a millisecond after the log was trusted", one(), end="2026-11-01T12:00:00.122")
    case("second-wrong", "Signature", "every timestamp counts, not the first alone",
         lambda tbs: sct_extension([sct_bytes(log, moment, ca.key, tbs), sct_bytes(second, moment, ca.key, tbs, spoil=True)]))
    case("second-unknown", "UnknownLog", "every timestamp counts, a stranger's too",
         lambda tbs: sct_extension([sct_bytes(log, moment, ca.key, tbs), sct_bytes(stranger, moment, ca.key, tbs)]))
    case("signature-of-something-else", "Signature", "signed over one byte more", one(spoil=True))
    case("signature-of-another-time", "Signature", "the time was changed", lambda tbs: sct_extension([
        (lambda sct: sct[:33] + struct.pack(">Q", moment + 1) + sct[41:])(sct_bytes(log, moment, ca.key, tbs))]))
    case("signature-without-the-extensions", "Signature", "extensions were added", lambda tbs: sct_extension([
        (lambda sct: sct[:41] + bytes.fromhex("00080000050000000007") + sct[43:])(sct_bytes(log, moment, ca.key, tbs))]))
    case("of-another-certificate", "Signature", "another certificate's timestamp",
         lambda tbs: sct_extension([sct_bytes(log, moment, ca.key, certificate(lambda _: None))]))
    case("of-a-twin-issuer", "Signature", "the log saw it under an issuer of the same name and another key",
         lambda tbs: sct_extension([sct_bytes(log, moment, twin.key, tbs)]))
    case("of-a-twin-issuer-right", at, "and under the right one", lambda tbs: sct_extension([sct_bytes(log, moment, twin.key, tbs)]), issuer=twin)
    case("malformed-empty-list", "Malformed", "a list without timestamps", lambda tbs: sct_extension([]))
    case("malformed-nine", "Malformed", "more than any policy asks for", lambda tbs: sct_extension([sct_bytes(log, moment, ca.key, tbs)] * 9))
    case("malformed-truncated", "Malformed", "a timestamp without its last byte", lambda tbs: sct_extension([sct_bytes(log, moment, ca.key, tbs)[:-1]]))
    case("malformed-trailing", "Malformed", "a byte after the timestamp", lambda tbs: sct_extension([sct_bytes(log, moment, ca.key, tbs) + b"\0"]))
    case("malformed-version", "Malformed", "a version that does not exist", one(version=1))
    case("malformed-hash", "Malformed", "RFC 6962 section 2.1.4 allows SHA-256 alone; this says SHA-1", one(algorithm=b"\x02\x03"))
    case("malformed-no-octet-string", "Malformed", "the list without the OCTET STRING around it", lambda tbs: sct_extension([sct_bytes(log, moment, ca.key, tbs)])[4:])
    case("malformed-time", "Malformed", "a time beyond all calendars", lambda tbs: sct_extension([sct_bytes(log, 2**63, ca.key, tbs)]))
