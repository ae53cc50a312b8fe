"""C2SP signed-note and tlog-checkpoint."""

import hashlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from issuing import P256
from vectors import b64, spki, write

MARK = "\u2014 "


def line(name, identifier, signature):
    return f"{MARK}{name} {b64(identifier + signature)}\n"


def notes():
    def note(file, expect, why, text):
        write("c2sp", f"note-{file}", expect, why, [], text)

    good = line("example.org", b"\0\0\0\1", b"\2" * 64)
    note("good", "ok", "one signature", f"text\n\n{good}")
    note("good-two-paragraphs", "ok", "the text ends at the last blank line", f"a\n\nb\n\n{good}{good}")
    note("good-sixteen-signatures", "ok", "at least 16 must be accepted", f"text\n\n{good * 16}")
    note("good-unicode", "ok", "text is Unicode", f"\u00e9\U0001f600\n\n{good}")
    note("no-signatures", "NoSignatures", "text alone", "text\n")
    note("no-signature-lines", "NoSignatures", "a blank line with nothing under it", "text\n\n")
    note("no-blank-line", "NoSignatures", "nothing between text and signature", f"text\n{good}")
    note("no-last-newline", "NoSignatures", "the last line has no end", f"text\n\n{good.rstrip()}")
    note("blank-line-after", "NoSignatures", "the last blank line is after the signatures", f"text\n\n{good}\n")
    note("carriage-return", "ControlCharacter", "line ends of another system", f"text\r\n\n{good}")
    note("nul", "ControlCharacter", "a NUL in the text", f"te\0xt\n\n{good}")
    note("tab", "ControlCharacter", "a tab in the text", f"te\txt\n\n{good}")
    note("escape", "ControlCharacter", "a terminal's escape in a name", f"text\n\n{MARK}ex\x1bample.org {b64(b'12345')}\n")
    note("hyphen", "SignatureLine", "a hyphen where an em dash should be", f"text\n\n- example.org {b64(b'12345')}\n")
    note("no-name", "SignatureLine", "no key name", f"text\n\n{MARK}{b64(b'12345')}\n")
    note("empty-name", "SignatureLine", "an empty key name", f"text\n\n{MARK} {b64(b'12345')}\n")
    note("plus-in-name", "SignatureLine", "a plus sign, which separates the parts of a verifier key", f"text\n\n{line('a+b', b'1234', b'5')}")
    emspaced = line("a\u2003b", b"1234", b"5")
    note("space-in-name", "SignatureLine", "a space of another alphabet", f"text\n\n{emspaced}")
    note("two-spaces", "SignatureLine", "two spaces before the signature", f"text\n\n{MARK}example.org  {b64(b'12345')}\n")
    note("short-signature", "SignatureLine", "a key ID and nothing after it", f"text\n\n{MARK}example.org {b64(b'1234')}\n")
    note("not-base64", "SignatureLine", "base64 for URLs", f"text\n\n{MARK}example.org -_-_-_-_\n")
    note("loose-base64", "SignatureLine", "bits that nobody reads", f"text\n\n{MARK}example.org AAAAAAB=\n")
    note("unpadded-base64", "SignatureLine", "no padding", f"text\n\n{MARK}example.org AAAAAAA\n")
    note("bad-line-among-good", "SignatureLine", "every line is read", f"text\n\n{good}x\n{good}")
    note("many-signatures", "TooManySignatures", "more than anybody has", f"text\n\n{good * 101}")
    note("long", "TooLong", "more than 64 KiB", "x" * 65536 + f"\n\n{good}")

    p256, stranger, ed = ec.generate_private_key(P256()), ec.generate_private_key(P256()), ed25519.Ed25519PrivateKey.generate()
    root = b64(hashlib.sha256(b"root").digest())

    def identifier(key, name):
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return hashlib.sha256(spki(key)).digest()
        raw_key = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return hashlib.sha256(name.encode() + b"\n\x01" + raw_key).digest()

    def signed(text, key=p256, name="log.example", as_key=None):
        message = text.encode()
        signature = key.sign(message) if key is ed else key.sign(message, ec.ECDSA(hashes.SHA256()))
        return line(name, identifier(as_key or key, name)[:4], signature)

    def checkpoint(file, expect, why, body, key=p256, name="log.example"):
        headers = [("log", b64(spki(key))), ("log-id", b64(identifier(key, name)))]
        write("c2sp", f"checkpoint-{file}", expect, why, headers, body)

    text = lambda origin="log.example", size="7", hash=root, more="": f"{origin}\n{size}\n{hash}\n{more}"
    both = lambda text, **how: text + "\n" + signed(text, **how)
    v1 = "log.example - 1193050959916656506"
    checkpoint("good", "ok: log.example 7", "signed by the log", both(text()))
    checkpoint("good-ed25519", "ok: log.example 7", "signed by a log with an Ed25519 key", both(text(), key=ed), ed)
    checkpoint("good-rekor-v1", f"ok: {v1} 7", "Rekor v1's origin is its name and the tree's ID", both(text(v1)))
    checkpoint("good-extension", "ok: log.example 7", "lines after the root hash are extensions", both(text(more="Timestamp: 1\n")))
    checkpoint("good-empty-tree", "ok: log.example 0", "a tree without leaves has a checkpoint, too", both(text(size="0")))
    checkpoint("good-largest-tree", "ok: log.example 18446744073709551615", "64 bits", both(text(size=str(2**64 - 1))))
    checkpoint("good-with-witness", "ok: log.example 7", "a line of somebody else is a witness's", both(text()) + signed(text(), stranger, "witness.example"))
    checkpoint("good-with-twin-name", "ok: log.example 7", "a line of the log's name and another key is somebody else's", both(text()) + signed(text(), stranger))
    checkpoint("nobody", "Note/NoSignatures", "not signed at all", text())
    checkpoint("stranger", "NotSignedByLog", "signed by somebody else", both(text(), key=stranger))
    checkpoint("forged", "Signature", "signed by somebody else under the log's key ID", both(text(), key=stranger, as_key=p256))
    checkpoint("good-and-forged", "Signature", "every line under the log's key ID must hold", both(text()) + signed(text(), stranger, as_key=p256))
    checkpoint("other-size", "Signature", "the size was changed", both(text()).replace("\n7\n", "\n8\n", 1))
    checkpoint("other-root", "Signature", "the root hash was changed", both(text()).replace(root, b64(bytes(32)), 1))
    checkpoint("extension-added", "Signature", "a line was added", text(more="Timestamp: 1\n") + "\n" + signed(text()))
    checkpoint("extension-removed", "Signature", "a line was taken away", text() + "\n" + signed(text(more="Timestamp: 1\n")))
    for file, origin, why in [
        ("origin-longer", "log.example2", "the key's name and something more"),
        ("origin-shorter", "log", "a part of the key's name"),
        ("origin-zero", "log.example - 07", "a tree ID with a leading zero"),
        ("origin-plus", "log.example - +7", "a tree ID with a sign"),
        ("origin-no-tree", "log.example - ", "no tree ID"),
        ("origin-other-dash", "log.example \u2014 7", "another dash"),
        ("origin-other-log", "other.example - 7", "another log's"),
        ("origin-case", "Log.example", "names are bytes"),
    ]:
        checkpoint(file, "Origin", why, both(text(origin)))
    checkpoint("size-zero-padded", "Malformed/tree size", "a leading zero", both(text(size="007")))
    checkpoint("size-plus", "Malformed/tree size", "a sign", both(text(size="+7")))
    checkpoint("size-minus", "Malformed/tree size", "less than nothing", both(text(size="-7")))
    checkpoint("size-hexadecimal", "Malformed/tree size", "not decimal", both(text(size="0x7")))
    checkpoint("size-space", "Malformed/tree size", "a space after it", both(text(size="7 ")))
    checkpoint("size-empty", "Malformed/tree size", "no size", both(text(size="")))
    checkpoint("size-beyond-64-bits", "Malformed/tree size", "2 to the 64th", both(text(size=str(2**64))))
    checkpoint("root-short", "Malformed/root hash", "31 bytes", both(text(hash=b64(bytes(31)))))
    checkpoint("root-long", "Malformed/root hash", "33 bytes", both(text(hash=b64(bytes(33)))))
    checkpoint("root-unpadded", "Malformed/root hash", "no padding", both(text(hash=root.rstrip("="))))
    checkpoint("root-hexadecimal", "Malformed/root hash", "not base64", both(text(hash=hashlib.sha256(b"root").hexdigest())))
    checkpoint("origin-empty", "Malformed/origin", "no origin", both(text("")))
    checkpoint("two-lines", "Malformed/root hash", "no root hash", both("log.example\n7\n"))
