"""Timestamp tokens (RFC 3161) by `openssl ts`."""

import hashlib
import shutil
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from issuing import Authority, CODE, P256, P384, STAMPING, UNKNOWN, raw
from vectors import DER, pem, run, time, tlv, write

MESSAGE = "a signature"



def stamp(folder, signer, others=(), query=("-sha256", "-cert"), settings="", message=MESSAGE, **config):
    """A token of `openssl ts` over `message`, DER of its ContentInfo."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    private = signer.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    (folder / "signer.pem").write_text(pem("CERTIFICATE", signer.der))
    (folder / "others.pem").write_text("".join(pem("CERTIFICATE", each.der) for each in others))
    (folder / "serial").write_text("1000\n")
    values = {
        "serial": "serial", "crypto_device": "builtin", "signer_cert": "signer.pem", "signer_key": "key.pem",
        "signer_digest": "sha256", "default_policy": "1.3.6.1.4.1.57264.2", "other_policies": "1.2.3.4",
        "digests": "sha1,sha256,sha384,sha512", "accuracy": "secs:1", "ess_cert_id_alg": "sha256",
        "ordering": "no", "tsa_name": "no", "ess_cert_id_chain": "no", **config,
    }
    if others:
        values["certs"] = "others.pem"
    lines = "".join(f"{key} = {value}\n" for key, value in values.items())
    (folder / "ts.cnf").write_text(f"[tsa]\ndefault_tsa = config\n[config]\n{lines}")
    (folder / "data").write_text(message)
    run("openssl", "ts", "-query", "-data", "data", *query, "-out", "query.tsq", cwd=folder)
    run("openssl", "ts", "-reply", "-config", "ts.cnf", "-queryfile", "query.tsq", "-token_out", "-out", "token.der", cwd=folder)
    token = (folder / "token.der").read_bytes()
    shutil.rmtree(folder)
    return token


def timestamps():
    folder = tempfile.mkdtemp()
    root = Authority("tsa root", length=1)

    def signer(under=root, key=None, eku=(STAMPING,), eku_critical=True, **kind):
        return Authority("tsa", under, key or ec.generate_private_key(P256()), ca=None, ku=("digital_signature",),
                         eku=list(eku), eku_critical=eku_critical, **kind)

    def case(file, expect, why, token, chain, message=MESSAGE, until=None):
        headers = [("message", message)] + ([("authority-until", until + "Z")] if until else [])
        body = pem("TIMESTAMP TOKEN", token) + "".join(pem("CERTIFICATE", each.der) for each in chain)
        write("rfc3161", file, expect, why, headers, body)

    good = signer()
    chain = (good, root)
    token = stamp(folder, good)
    case("good-p256", "ok", "as `openssl ts` makes it", token, chain)
    for label, key in [("p384", ec.generate_private_key(P384())), ("rsa-2048", rsa.generate_private_key(65537, 2048)),
                       ("rsa-4096", rsa.generate_private_key(65537, 4096))]:
        other = signer(key=key)
        case(f"good-{label}", "ok", f"a signer with a key of kind {label}", stamp(folder, other), (other, root))
    other = signer(key=ec.generate_private_key(P384()))
    case("good-p384-sha384", "ok", "signed over SHA-384", stamp(folder, other, signer_digest="sha384"), (other, root))
    case("good-rsa-sha512", "ok", "signed over SHA-512",
         stamp(folder, rsa_signer := signer(key=rsa.generate_private_key(65537, 2048)), signer_digest="sha512"), (rsa_signer, root))
    for digest in ["sha384", "sha512"]:
        case(f"good-imprint-{digest}", "ok", f"an imprint of {digest}", stamp(folder, good, query=(f"-{digest}", "-cert")), chain)
    case("good-without-certificates", "ok", "the trusted root has the certificate", stamp(folder, good, query=("-sha256",)), chain)
    case("good-without-nonce", "ok", "a nonce is for whoever asked", stamp(folder, good, query=("-sha256", "-cert", "-no_nonce")), chain)
    case("good-whole-chain", "ok", "with every certificate of the chain", stamp(folder, good, others=[root]), chain)
    case("good-fraction", "ok, with a fraction of a second", "RFC 3161 allows fractions of a second",
         stamp_with_fraction(folder, good), chain)
    case("good-accuracy", "ok", "accuracy in all three units, which is not judged",
         stamp(folder, good, accuracy="secs:1, millisecs:500, microsecs:100"), chain)
    case("good-ordering-and-name", "ok", "ordering and the authority's name", stamp(folder, good, ordering="yes", tsa_name="yes"), chain)
    case("good-other-policy", "ok", "the policy is the authority's affair: the trusted root names keys, not policies",
         stamp(folder, good, query=("-sha256", "-cert", "-tspolicy", "1.2.3.4")), chain)
    case("good-ess-sha384", "ok", "the certificate is named by its SHA-384", stamp(folder, good, ess_cert_id_alg="sha384"), chain)
    case("good-ess-chain", "ok", "the certificates above are named, too", stamp(folder, good, others=[root], ess_cert_id_chain="yes"), chain)
    middle = Authority("tsa intermediate", root, length=0, eku=[STAMPING])
    low = signer(middle)
    case("good-intermediate", "ok", "a signer below an intermediate", stamp(folder, low), (low, middle, root))

    case("imprint-of-something-else", "token: Imprint", "a token for another signature", token, chain, message="another signature")
    case("imprint-sha1", "token: Imprint", "an imprint of SHA-1", stamp(folder, good, query=("-sha1", "-cert")), chain)
    case("signer-digest-sha1", "token: Algorithm", "signed over SHA-1", stamp(folder, good, signer_digest="sha1"), chain)
    case("ess-sha1", "token: Attribute/ObjectIdentifier", "the certificate is named by its SHA-1 alone (RFC 2634)",
         stamp(folder, good, ess_cert_id_alg="sha1"), chain)
    stranger_root = Authority("another root", length=1)
    stranger = signer(stranger_root)
    case("authority-unknown", "token: UnknownAuthority", "nobody trusts this authority", stamp(folder, stranger), chain)
    case("authority-none", "token: UnknownAuthority", "no authority is trusted", token, ())
    forger = (lambda: issue_twin(good, root))()
    case("authority-twin", "token: SignerCertificate", "the trusted one's name and number, another key", stamp(folder, forger), chain)
    case("certificate-of-somebody-else", "token: SignerCertificate", "a certificate came along that is none of the chain's",
         stamp(folder, good, others=[stranger_root]), chain)
    expired = signer(end="2026-06-01T00:00:00")
    case("signer-expired", "token: Path/IssuerOutsideValidity", "stamped after the signer's certificate had expired", stamp(folder, expired), (expired, root))
    early = signer(start="2027-01-01T00:00:00")
    case("signer-not-yet", "token: Path/IssuerOutsideValidity", "stamped before the signer's certificate was valid", stamp(folder, early), (early, root))
    old_root = Authority("tsa root", length=1, end="2026-06-01T00:00:00")
    below = signer(old_root)
    case("root-expired", "token: Path/IssuerOutsideValidity", "stamped after the root's certificate had expired", stamp(folder, below), (below, old_root))
    case("authority-closed", "token: Path/AuthorityOutsideValidity", "stamped after the trusted root stopped vouching for it", token, chain, until="2026-06-01T00:00:00")
    case("chain-not-linked", "token: Path/BrokenAuthority", "the signer's certificate is not signed by the root above it", token, (good, Authority("tsa root", length=1)))

    # RFC 3161 section 2.3: `openssl ts` refuses to stamp with these, so the token is another's; the trusted root is what is wrong.
    may_not = "authority: MayNotStamp/CN=tsa"
    for file, why, kind in [
        ("eku-absent", "no extended key usage", {"eku": ()}),
        ("eku-code-signing", "a certificate for signing code", {"eku": (CODE,)}),
        ("eku-two", "for time-stamping and something else", {"eku": (STAMPING, CODE)}),
        ("eku-not-critical", "the purpose is not critical", {"eku_critical": False}),
    ]:
        case(file, may_not, why, token, (signer(**kind), root))
    case("root-not-a-ca", "authority: MayNotIssue/CN=tsa root", "the certificate above the signer's is CA:FALSE", token, (good, Authority("tsa root", ca=False)))
    case("root-for-code-signing", "authority: MayNotIssue/CN=tsa root", "an authority for signing code", token, (good, Authority("tsa root", length=1, eku=[CODE])))
    odd = signer(more=[raw(UNKNOWN, b"\5\0", True)])
    case("signer-unknown-critical", "authority: UnknownCriticalExtension", "RFC 5280 section 4.2", token, (odd, root))

    # bytes
    at = token.index(MESSAGE_DIGEST := hashlib.sha256(MESSAGE.encode()).digest())
    content = bytearray(token)
    content[at + 40] ^= 1
    flipped = bytearray(token)
    flipped[-1] ^= 1
    case("signature-changed", "token: Signature", "the last bit of the signature", bytes(flipped), chain)
    later = stamp(folder, good, message="another signature")
    swapped = later.replace(hashlib.sha256(b"another signature").digest(), MESSAGE_DIGEST)
    case("imprint-changed", "token: Digest", "another token's imprint was overwritten", swapped, chain)
    case("trailing", "token: Malformed", "a byte follows", token + b"\0", chain)
    case("truncated", "token: Malformed", "the last byte is missing", token[:-1], chain)
    case("response", "token: Malformed", "a whole TimeStampResp where a token should be", tlv(0x30, bytes.fromhex("3003020100") + token), chain)
    case("empty", "token: Malformed", "nothing", b"", chain)
    case("not-a-token", "token: ContentType/ObjectIdentifier", "a CMS of another content type", token.replace(bytes.fromhex("060b2a864886f70d0109100104"), bytes.fromhex("060b2a864886f70d0109100105"), 1), chain)
    shutil.rmtree(folder)


def stamp_with_fraction(folder, signer):
    """A time whose last digit is 0 is written without it: at last one has three."""
    while True:
        token = stamp(folder, signer, clock_precision_digits="3")
        at = token.find(b"\x18\x13")
        if at >= 0 and token[at + 2:at + 21].endswith(b"Z"):
            return token


def issue_twin(original, issuer):
    """Name and number of the original, another key, signed by the same root."""
    twin = Authority("tsa", issuer, ec.generate_private_key(P256()), ca=None, ku=("digital_signature",), eku=[STAMPING], eku_critical=True)
    builder = x509.CertificateBuilder().subject_name(original.certificate.subject).issuer_name(original.certificate.issuer)
    builder = builder.public_key(twin.key.public_key()).serial_number(original.certificate.serial_number)
    builder = builder.not_valid_before(time("2026-01-01T00:00:00")).not_valid_after(time("2036-01-01T00:00:00"))
    builder = builder.add_extension(x509.ExtendedKeyUsage([STAMPING]), True)
    twin.certificate = builder.sign(issuer.key, hashes.SHA384())
    twin.der = twin.certificate.public_bytes(DER)
    return twin
