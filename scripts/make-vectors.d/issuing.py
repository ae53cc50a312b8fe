"""Authorities, leaves, and what no library would issue."""

import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from vectors import DER, elements, run, time, tlv

P256, P384 = ec.SECP256R1, ec.SECP384R1
AT = "2026-11-01T12:00:02"
ISSUER = "https://accounts.example.org"
V1, V2 = ObjectIdentifier("1.3.6.1.4.1.57264.1.1"), ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
USERNAME = ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
POISON = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.3")
UNKNOWN = ObjectIdentifier("1.2.3.4")
CODE, CLIENT, SERVER = ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
STAMPING, ANY = ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


def usage(*on):
    members = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
               "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{member: member in on for member in members})


def raw(oid, value, critical=False):
    return x509.UnrecognizedExtension(oid, value), critical


class Authority:
    """A key with its certificate."""

    def __init__(self, subject, issuer=None, key=None, ca=True, length=None, ku=("key_cert_sign", "crl_sign"), eku=None,
                 eku_critical=False, more=(), start="2026-01-01T00:00:00", end="2036-01-01T00:00:00", hash=None):
        self.key = key or ec.generate_private_key(P384())
        self.subject = subject
        extensions = []
        if ca is not None:
            extensions.append((x509.BasicConstraints(ca, length if ca else None), True))
        if ku:
            extensions.append((usage(*ku), True))
        if eku:
            extensions.append((x509.ExtendedKeyUsage(eku), eku_critical))
        extensions.append((x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False))
        extensions += more
        self.certificate = issue(issuer or self, subject, self.key.public_key(), extensions, start, end, hash)
        self.der = self.certificate.public_bytes(DER)


def issue(issuer, subject, public_key, extensions, start, end, hash=None):
    builder = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer.subject))
    builder = builder.public_key(public_key).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(time(start)).not_valid_after(time(end))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    if isinstance(issuer.key, ed25519.Ed25519PrivateKey):
        hash = None
    elif hash is None:
        hash = hashes.SHA384() if getattr(issuer.key, "key_size", 0) == 384 else hashes.SHA256()
    return builder.sign(issuer.key, hash)


def leaf(issuer, drop=(), start="2026-11-01T12:00:00", end="2026-11-01T12:10:00", key=None, hash=None, subject="", **change):
    """A leaf as Fulcio makes it; `change` replaces an extension by name, `drop` leaves it out, others are added."""
    key = key or ec.generate_private_key(P256())
    extensions = {
        "ku": (usage("digital_signature"), True),
        "eku": (x509.ExtendedKeyUsage([CODE]), False),
        "ski": (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        "aki": (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False),
        "san": (x509.SubjectAlternativeName([x509.RFC822Name("alice@example.org")]), True),
        "v1": raw(V1, ISSUER.encode()),
        "v2": raw(V2, tlv(0x0C, ISSUER.encode())),
    }
    extensions.update(change)
    kept = [extension for member, extension in extensions.items() if member not in drop]
    return issue(issuer, subject, key.public_key(), kept, start, end, hash).public_bytes(DER)


def resign(der, issuer, change, outer=None):
    """The certificate with its list of extensions changed, signed again by the issuer (P-384)."""
    [(_, whole)] = elements(der)
    (_, tbs), (algorithm, _), _ = elements(whole)
    fields = [field for field, _ in elements(tbs)]
    [(_, wrapped)] = elements(fields[-1])
    [(_, listed)] = elements(wrapped)
    extensions = change([extension for extension, _ in elements(listed)])
    fields[-1] = tlv(0xA3, tlv(0x30, b"".join(extensions)))
    tbs = tlv(0x30, b"".join(fields))
    signature = issuer.key.sign(tbs, ec.ECDSA(hashes.SHA384()))
    return tlv(0x30, tbs + (outer or algorithm) + tlv(0x03, b"\0" + signature))


def sign_with_sha1(der, issuer):
    """The certificate signed again, over SHA-1, which the library refuses to do and openssl does."""
    [(_, whole)] = elements(der)
    (_, tbs), _, _ = elements(whole)
    fields = [field for field, _ in elements(tbs)]
    algorithm = tlv(0x30, tlv(0x06, bytes.fromhex("2a8648ce3d0401")))
    tbs = tlv(0x30, b"".join([*fields[:2], algorithm, *fields[3:]]))
    with tempfile.TemporaryDirectory() as folder:
        private = issuer.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (Path(folder) / "key.pem").write_bytes(private)
        (Path(folder) / "tbs").write_bytes(tbs)
        run("openssl", "dgst", "-sha1", "-sign", "key.pem", "-out", "signature", "tbs", cwd=folder)
        signature = (Path(folder) / "signature").read_bytes()
    return tlv(0x30, tbs + algorithm + tlv(0x03, b"\0" + signature))


def san(*names):
    return x509.SubjectAlternativeName(list(names)), True
