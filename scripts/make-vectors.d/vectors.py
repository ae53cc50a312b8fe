"""Files of cases, and the encodings that all of them use."""

import base64
import datetime
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives import serialization

VECTORS = Path(__file__).resolve().parents[2] / "tests/vectors"
UTC = datetime.timezone.utc
DER = serialization.Encoding.DER
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


def time(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


def b64(data):
    return base64.b64encode(data).decode()


def pem(label, der):
    text = b64(der)
    lines = [text[at:at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def spki(key):
    return key.public_key().public_bytes(DER, SPKI)


def write(folder, name, expect, why, headers, body):
    """`expect`, `why`, further headers, a blank line, the body."""
    lines = [f"expect: {expect}", f"why: {why}", *(f"{key}: {value}" for key, value in headers)]
    (VECTORS / folder).mkdir(parents=True, exist_ok=True)
    (VECTORS / folder / f"{name}.txt").write_bytes(("\n".join(lines) + "\n\n" + body).encode())


# DER, for what no library writes.

def tlv(tag, content):
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


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


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.decode()}")
