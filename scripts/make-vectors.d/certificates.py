"""A leaf under an authority: validity, purposes, names, critical extensions, constraints."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ObjectIdentifier

from issuing import (
    ANY, AT, Authority, CLIENT, CODE, ISSUER, P256, P384, POISON, SERVER, STAMPING, UNKNOWN, USERNAME, V1, V2, leaf,
    name, raw, resign, san, sign_with_sha1, usage,
)
from vectors import elements, pem, tlv, write


def certificates():
    root = Authority("root", length=1)
    eku = [CODE]
    ca = Authority("intermediate", root, length=0, eku=eku)
    good = leaf(ca)
    identity = f"alice@example.org via {ISSUER}"
    ok = f"ok: {identity}"

    def case(file, expect, why, der, chain=(ca, root), at=AT, until=None):
        headers = [("at", at + "Z")] + ([("authority-until", until + "Z")] if until else [])
        body = pem("CERTIFICATE", der) + "".join(pem("CERTIFICATE", each.der) for each in chain)
        write("certificates", file, expect, why, headers, body)

    email, uri = x509.RFC822Name, x509.UniformResourceIdentifier
    case("good-email", ok, "a leaf as Fulcio makes it", good)
    case("good-uri", f"ok: https://ci.example/a/b@refs/heads/main via {ISSUER}", "a CI job",
         leaf(ca, san=san(uri("https://ci.example/a/b@refs/heads/main"))))
    case("good-dns", f"ok: example.org via {ISSUER}", "a host", leaf(ca, san=san(x509.DNSName("example.org"))))
    case("good-username", f"ok: alice!example.org via {ISSUER}", "otherName 57264.1.7",
         leaf(ca, san=san(x509.OtherName(USERNAME, tlv(0x0C, b"alice!example.org")))))
    case("good-p384-key", ok, "the leaf's key is P-384", leaf(ca, key=ec.generate_private_key(P384())))
    case("good-ed25519-key", ok, "the leaf's key is Ed25519", leaf(ca, key=ed25519.Ed25519PrivateKey.generate()))
    case("good-rsa-key", ok, "the leaf's key is RSA", leaf(ca, key=rsa.generate_private_key(65537, 2048)))
    case("good-only-v1-issuer", ok, "extension .8 is younger than .1", leaf(ca, drop=["v2"]))
    case("good-only-v2-issuer", ok, "extension .1 is deprecated", leaf(ca, drop=["v1"]))
    case("good-root-issues", ok, "in May 2022 the public-good root issued leaves itself", leaf(root))
    case("good-unknown-extension", ok, "what is unknown and not critical does not matter", leaf(ca, more=raw(UNKNOWN, b"\5\0")))
    case("good-two-purposes", ok, "code signing is among the purposes",
         leaf(ca, eku=(x509.ExtendedKeyUsage([CODE, CLIENT]), False)))
    case("good-any-purpose-above", ok, "an intermediate for every purpose is for this one, too",
         (lambda any_ca: leaf(any_ca))(any_ca := Authority("intermediate", root, length=0, eku=[ANY])), (any_ca, root))
    case("good-no-key-usage", ok, "RFC 5280 section 4.2.1.3: without it every use is allowed", leaf(ca, drop=["ku"]))
    case("good-no-key-identifiers", ok, "names alone lead to the issuer", leaf(ca, drop=["ski", "aki"]))
    rsa_ca = Authority("intermediate", root, key=rsa.generate_private_key(65537, 2048), length=0, eku=eku)
    case("good-rsa-authority", ok, "an authority whose key is RSA", leaf(rsa_ca), (rsa_ca, root))

    # validity, x509-limbo rfc5280::validity::*
    case("validity-first-second", ok, "both ends are inclusive", good, at="2026-11-01T12:00:00")
    case("validity-last-second", ok, "both ends are inclusive", good, at="2026-11-01T12:10:00")
    case("validity-not-yet", "path: LeafOutsideValidity", "a second before notBefore", good, at="2026-11-01T11:59:59")
    case("validity-expired", "path: LeafOutsideValidity", "a second after notAfter", good, at="2026-11-01T12:10:01")
    old = Authority("intermediate", root, length=0, eku=eku, end="2026-11-01T12:00:01")
    case("validity-intermediate-expired", "path: IssuerOutsideValidity", "one second before the proven time",
         leaf(old), (old, root))
    young = Authority("intermediate", root, length=0, eku=eku, start="2026-11-01T12:00:03")
    case("validity-intermediate-not-yet", "path: IssuerOutsideValidity", "one second after the proven time",
         leaf(young), (young, root))
    old_root = Authority("root", length=1, end="2026-11-01T12:00:01")
    below = Authority("intermediate", old_root, length=0, eku=eku)
    case("validity-root-expired", "path: IssuerOutsideValidity", "the anchor's validity counts, too", leaf(below), (below, old_root))
    case("validity-authority-closed", "path: AuthorityOutsideValidity", "the trusted root vouches for it until the second before",
         good, until="2026-11-01T12:00:01")

    # whose, x509-limbo rfc5280::chain-untrusted-root, mismatching-signature-algorithm, aki::*
    stranger = Authority("stranger", length=1)
    case("authority-unknown", "issuer: UnknownAuthority", "an authority of another name", leaf(stranger))
    twin = Authority("intermediate", root, length=0, eku=eku)
    case("authority-twin", "issuer: UnknownAuthority", "the same name, another key, and the leaf says so", leaf(twin))
    case("authority-twin-unsaid", "issuer: Signature", "the same name, another key, and the leaf names none", leaf(twin, drop=["aki"]))
    case("authority-two-of-a-name", ok, "two authorities share a name; the leaf's key identifier tells which", leaf(twin), (twin, root))
    self_signed = (lambda key: Authority("", key=key, ca=None, ku=("digital_signature",), eku=[CODE], more=[
        san(email("alice@example.org")), raw(V2, tlv(0x0C, ISSUER.encode()))],
        start="2026-11-01T12:00:00", end="2026-11-01T12:10:00"))(ec.generate_private_key(P256()))
    case("authority-self", "issuer: UnknownAuthority", "a leaf that issued itself", self_signed.der)
    parent = Authority("parent", ca, ca=False, ku=("digital_signature",), eku=[CODE])
    case("authority-is-a-leaf", "issuer: UnknownAuthority", "issued by another leaf", leaf(parent))
    flipped = bytearray(good)
    flipped[-1] ^= 1
    case("signature-changed", "issuer: Signature", "the last bit of the authority's signature", bytes(flipped))
    changed = good.replace(b"alice@example.org", b"alicf@example.org")
    case("signature-of-other-content", "issuer: Signature", "another address under the same signature", changed)
    other = tlv(0x30, tlv(0x06, bytes.fromhex("2a8648ce3d040302")))
    case("signature-algorithms-differ", "issuer: Signature", "RFC 5280 section 4.1.1.2: inside SHA-384, outside SHA-256",
         resign(good, ca, lambda extensions: extensions, other))
    case("signature-sha1", "issuer: Signature", "ECDSA with SHA-1", sign_with_sha1(good, ca))
    weak = (lambda key: Authority("intermediate", root, key=key, length=0, eku=eku))(rsa.generate_private_key(65537, 1024))
    case("signature-rsa-1024", "issuer: Signature", "an authority with a key of 1024 bits", leaf(weak), (weak, root))

    # what a leaf may be for, x509-limbo rfc5280::eku::*, rfc5280::ca-as-leaf, webpki::cn::*
    eku_of = lambda *purposes: (x509.ExtendedKeyUsage(list(purposes)), False)
    case("eku-absent", "leaf: NotForCodeSigning", "no extended key usage", leaf(ca, drop=["eku"]))
    case("eku-client-auth", "leaf: NotForCodeSigning", "for logging in", leaf(ca, eku=eku_of(CLIENT)))
    case("eku-server-auth", "leaf: NotForCodeSigning", "for servers", leaf(ca, eku=eku_of(SERVER)))
    case("eku-any", "leaf: NotForCodeSigning", "for everything, which is nothing said", leaf(ca, eku=eku_of(ANY)))
    case("eku-timestamping", "leaf: NotForCodeSigning", "a timestamp authority's", leaf(ca, eku=eku_of(STAMPING)))
    case("key-usage-agreement", "leaf: NotForCodeSigning", "a key usage without digitalSignature", leaf(ca, ku=(usage("key_agreement"), True)))
    case("leaf-is-a-ca", "leaf: Issues", "CA:TRUE", leaf(ca, more=(x509.BasicConstraints(True, None), True)))
    case("leaf-signs-certificates", "leaf: Issues", "keyCertSign", leaf(ca, ku=(usage("digital_signature", "key_cert_sign"), True)))
    case("leaf-says-it-is-no-ca", ok, "CA:FALSE", leaf(ca, more=(x509.BasicConstraints(False, None), True)))

    # whom it names, x509-limbo webpki::san::*
    names = "leaf: SubjectAlternativeNames"
    case("san-absent", names, "no name", leaf(ca, drop=["san"]))
    case("san-absent-with-subject", names, "a common name is no subject alternative name", leaf(ca, drop=["san"], subject="alice@example.org"))
    case("san-two", names, "whoever reads the first reads another than whoever reads the last",
         leaf(ca, san=san(email("alice@example.org"), email("mallory@example.org"))))
    case("san-two-kinds", names, "an address and a URI", leaf(ca, san=san(email("alice@example.org"), uri("https://x.example"))))
    case("san-ip", "leaf: SubjectAlternativeNameKind", "an address of a machine",
         leaf(ca, san=san(x509.IPAddress(__import__("ipaddress").ip_address("127.0.0.1")))))
    case("san-directory-name", "leaf: SubjectAlternativeNameKind", "a directory name", leaf(ca, san=san(x509.DirectoryName(name("alice")))))
    case("san-registered-id", "leaf: SubjectAlternativeNameKind", "a registered id", leaf(ca, san=san(x509.RegisteredID(UNKNOWN))))
    case("san-other-other-name", "leaf: SubjectAlternativeNameKind", "another otherName, a Windows user principal",
         leaf(ca, san=san(x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), tlv(0x0C, b"alice@example.org")))))
    empty = raw(ObjectIdentifier("2.5.29.17"), tlv(0x30, tlv(0x81, b"")), True)
    case("san-empty", "leaf: EmptySubjectAlternativeName", "an address without characters", leaf(ca, drop=["san"], more=empty))
    none = raw(ObjectIdentifier("2.5.29.17"), tlv(0x30, b""), True)
    case("san-list-empty", names, "a list without names", leaf(ca, drop=["san"], more=none))

    # who vouched
    case("issuer-absent", "leaf: NoIssuer", "neither .1 nor .8", leaf(ca, drop=["v1", "v2"]))
    case("issuer-disagrees", "leaf: IssuersDisagree", ".1 and .8 name different issuers",
         leaf(ca, v1=raw(V1, b"https://mallory.example")))

    # what is critical, x509-limbo rfc5280::unknown-critical-extension-*, rfc5280::nc::*
    critical = "leaf: UnknownCriticalExtension"
    case("critical-unknown", critical, "RFC 5280 section 4.2", leaf(ca, more=raw(UNKNOWN, b"\5\0", True)))
    case("critical-poison", critical, "a precertificate is no certificate (RFC 6962 section 3.1)", leaf(ca, more=raw(POISON, b"\5\0", True)))
    constraints = x509.NameConstraints([email("example.org")], None)
    case("critical-name-constraints", critical, "not a leaf's (RFC 5280 section 4.2.1.10)", leaf(ca, more=(constraints, True)))
    case("critical-policies", critical, "certificate policies are not processed",
         leaf(ca, more=(x509.CertificatePolicies([x509.PolicyInformation(UNKNOWN, None)]), True)))
    bound = Authority("intermediate", root, length=0, eku=eku, more=[(constraints, True)])
    unknown_above = "authority: UnknownCriticalExtension"
    case("name-constraints-above", unknown_above, "name constraints are not processed, so nothing below them is believed", leaf(bound), (bound, root))
    excluding = Authority("intermediate", root, length=0, eku=eku, more=[(x509.NameConstraints(None, [email("example.org")]), True)])
    case("name-constraints-exclude", unknown_above, "the leaf's name is excluded", leaf(excluding), (excluding, root))
    odd = Authority("intermediate", root, length=0, eku=eku, more=[raw(UNKNOWN, b"\5\0", True)])
    case("critical-unknown-above", unknown_above, "RFC 5280 section 4.2, of an intermediate", leaf(odd), (odd, root))
    odd_root = Authority("root", length=1, more=[raw(UNKNOWN, b"\5\0", True)])
    below = Authority("intermediate", odd_root, length=0, eku=eku)
    case("critical-unknown-root", unknown_above, "of the anchor", leaf(below), (below, odd_root))

    # who may issue, x509-limbo rfc5280::intermediate-*, rfc5280::pathlen::*
    def above(file, expect, why, **kind):
        other = Authority("intermediate", kind.pop("under", root), **{"length": 0, "eku": eku, **kind})
        case(file, expect, why, leaf(other), (other, kind.get("chain", root)))
    above("above-not-a-ca", "authority: MayNotIssue/CN=intermediate", "CA:FALSE", ca=False)
    above("above-without-constraints", "authority: MayNotIssue/CN=intermediate", "no basic constraints", ca=None)
    above("above-without-cert-sign", "authority: MayNotIssue/CN=intermediate", "a key usage without keyCertSign", ku=("digital_signature",))
    above("above-client-auth", "authority: MayNotIssue/CN=intermediate", "an authority for logging in", eku=[CLIENT])
    above("above-timestamping", "authority: MayNotIssue/CN=intermediate", "a timestamp authority's", eku=[STAMPING])
    short = Authority("root", length=0)
    below = Authority("intermediate", short, length=0, eku=eku)
    case("above-path-too-long", "authority: PathTooLong/CN=root", "the root allows no authority below it", leaf(below), (below, short))
    other_root = Authority("root", length=1)
    case("above-not-linked", "issuer: BrokenAuthority", "the intermediate is not signed by the root above it", good, (ca, other_root))
    case("above-misordered", "issuer: BrokenAuthority", "the root stands below the intermediate", leaf(root), (root, Authority("intermediate", root, length=2)))

    # no certificate
    case("der-trailing", "leaf: NotDer", "a byte follows", good + b"\0")
    [(_, whole)] = elements(good)
    case("der-indefinite", "leaf: NotDer", "BER's indefinite length", b"\x30\x80" + whole + b"\0\0")
    case("der-long-length", "leaf: NotDer", "a length in more octets than it needs", b"\x30\x83\0" + len(whole).to_bytes(2, "big") + whole)
    case("der-truncated", "leaf: NotDer", "the last byte is missing", good[:-1])
    case("der-repeated-extension", "leaf: RepeatedExtension", "RFC 5280 section 4.2: one of each",
         resign(good, ca, lambda extensions: extensions + extensions[-1:]))
    case("der-two-names-in-two-extensions", "leaf: RepeatedExtension", "two subject alternative names, one an extension",
         resign(good, ca, lambda extensions: extensions + [tlv(0x30, tlv(0x06, bytes.fromhex("551d11")) + tlv(0x04, tlv(0x30, tlv(0x81, b"mallory@example.org"))))]))
