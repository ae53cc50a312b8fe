"""SSH signatures: by ssh-keygen (OpenSSH 9), and those of security keys, which nobody has in a test, by hand."""

import base64
import hashlib
import struct
import subprocess
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vectors import b64, write

PAYLOAD = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904"
APPLICATION = b"ssh:"


def keygen(folder, *arguments, text=PAYLOAD):
    done = subprocess.run(["ssh-keygen", "-q", *arguments], cwd=folder, input=text.encode(), capture_output=True)
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    return done.stdout.decode()


def string(data):
    return struct.pack(">I", len(data)) + data


def mpint(number):
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def armor(key, namespace, digest, signature):
    body = b"SSHSIG" + struct.pack(">I", 1) + b"".join(
        map(string, [key, namespace, b"", digest.encode(), signature]))
    return block(body)


def block(body):
    text = b64(body)
    lines = [text[at:at + 70] for at in range(0, len(text), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def token(kind, point, sign, flags=1):
    """PROTOCOL.u2f over PROTOCOL.sshsig."""
    name = {"ed25519": b"sk-ssh-ed25519@openssh.com", "ecdsa": b"sk-ecdsa-sha2-nistp256@openssh.com"}[kind]
    curve = [b"nistp256"] if kind == "ecdsa" else []
    key = b"".join(map(string, [name, *curve, point, APPLICATION]))
    message = b"SSHSIG" + b"".join(
        map(string, [b"git", b"", b"sha512", hashlib.sha512(PAYLOAD.encode()).digest()]))
    said = struct.pack(">BI", flags, 7)
    signed = hashlib.sha256(APPLICATION).digest() + said + hashlib.sha256(message).digest()
    line = f"{name.decode()} {b64(key)} token"
    of = lambda said: armor(key, b"git", "sha512", string(name) + string(sign(signed)) + said)
    return line, of(said), of(struct.pack(">BI", flags ^ 4, 7))


def sshsigs():
    def case(name, expect, why, key, body, payload=PAYLOAD):
        write("sshsig", name, expect, why, [("key", key.strip()), ("payload", payload)], body)

    other = PAYLOAD.replace("4b", "4c")
    with tempfile.TemporaryDirectory() as folder:
        made = {}
        for name, *arguments in [
            ("ed25519", "ed25519"), ("ecdsa-256", "ecdsa", "-b", "256"), ("ecdsa-384", "ecdsa", "-b", "384"),
            ("ecdsa-521", "ecdsa", "-b", "521"), ("rsa-2048", "rsa", "-b", "2048"),
        ]:
            keygen(folder, "-t", *arguments, "-N", "", "-C", f"{name}@example.org", "-f", name)
            key = Path(folder, f"{name}.pub").read_text()
            made[name] = (key, keygen(folder, "-Y", "sign", "-f", name, "-n", "git"))
            case(name, "ok", "what ssh-keygen signs for Git", *made[name])
            case(f"{name}-other-payload", "Signature", "the same over another payload", *made[name], payload=other)
        key, body = made["ed25519"]
        case("rsa-sha256", "ok", "hashed with SHA-256", made["rsa-2048"][0],
             keygen(folder, "-Y", "sign", "-f", "rsa-2048", "-n", "git", "-O", "hashalg=sha256"))
        case("namespace", "Namespace/file", "made for a file", key,
             keygen(folder, "-Y", "sign", "-f", "ed25519", "-n", "file"))
        lines = body.split("\n")
        case("one-line", "ok", "ssh-keygen reads lines of any length", key,
             "\n".join([lines[0], "".join(lines[1:-2]), *lines[-2:]]))
        case("two-blocks", "Armor/AfterEnd", "a second signature behind the first", key, body + body)
        case("trailing", "Armor/AfterEnd", "text behind the signature", key, body + "more\n")
        case("not-base64", "Armor/NotBase64", "a character that is none", key, body.replace("U1NI", "U1N!", 1))
        whole = base64.b64decode("".join(lines[1:-2]))
        case("truncated", "Malformed", "its last byte is not there", key, block(whole[:-1]))
        case("more", "Malformed", "one byte more", key, block(whole + b"\0"))
        case("version", "Malformed", "of a version that is not known", key, block(whole.replace(b"\0\0\0\1", b"\0\0\0\2", 1)))
        case("other-key", "Key/Algorithm/ssh-dss", "DSA", made["rsa-2048"][0], dsa(folder))
        keygen(folder, "-t", "rsa", "-b", "1024", "-N", "", "-f", "small")
        case("rsa-1024", "Key/RsaBits", "an RSA key that is too small", made["rsa-2048"][0],
             keygen(folder, "-Y", "sign", "-f", "small", "-n", "git"))
        keygen(folder, "-t", "ed25519", "-N", "", "-f", "ca")
        keygen(folder, "-s", "ca", "-I", "id", "-n", "a", "ed25519.pub")
        case("certificate", "Key/Algorithm/certificate", "a certificate for a key", key,
             keygen(folder, "-Y", "sign", "-f", "ed25519-cert.pub", "-n", "git"))
    private = ed25519.Ed25519PrivateKey.generate()
    point = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key, good, lied = token("ed25519", point, private.sign)
    case("sk-ed25519", "ok", "a security key", key, good)
    case("sk-ed25519-flags", "Signature", "flags that the security key did not say", key, lied)
    curve = ec.generate_private_key(ec.SECP256R1())
    point = curve.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    def sign(message):
        return b"".join(map(mpint, decode_dss_signature(curve.sign(message, ec.ECDSA(hashes.SHA256())))))
    key, good, lied = token("ecdsa", point, sign)
    case("sk-ecdsa", "ok", "a security key", key, good)
    case("sk-ecdsa-flags", "Signature", "flags that the security key did not say", key, lied)


def dsa(folder):
    keygen(folder, "-t", "dsa", "-N", "", "-f", "dsa")
    return keygen(folder, "-Y", "sign", "-f", "dsa", "-n", "git")
