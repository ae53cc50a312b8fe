"""rfc3161-client against the timestamp authority. Usage: python_tsa.py URL TRUSTED_ROOT"""

import base64
import datetime
import json
import sys
import urllib.request

from cryptography import x509
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, VerificationError, VerifierBuilder, decode_timestamp_response

url, trusted_root = sys.argv[1:]
[authority] = json.load(open(trusted_root))["timestampAuthorities"]
chain = [x509.load_der_x509_certificate(base64.b64decode(c["rawBytes"])) for c in authority["certChain"]["certificates"]]


def stamp(message, **options):
    builder = TimestampRequestBuilder().data(message)
    builder = builder.hash_algorithm(options.get("hash", HashAlgorithm.SHA256)).nonce(nonce=options.get("nonce", True))
    asked = builder.cert_request(cert_request=options.get("certificate", True)).build()
    request = urllib.request.Request(url, asked.as_bytes(), {"Content-Type": "application/timestamp-query"})
    with urllib.request.urlopen(request) as answer:
        return asked, decode_timestamp_response(answer.read())


def verify(response, message, request=None, root=chain[-1], leaf=chain[0]):
    builder = VerifierBuilder().add_root_certificate(root)
    for intermediate in chain[1:-1]:
        builder = builder.add_intermediate_certificate(intermediate)
    if leaf:
        builder = builder.tsa_certificate(leaf)
    if request:
        builder = builder.nonce(request.nonce)
    return builder.build().verify_message(response, message)


def refuses(what, *arguments, **options):
    try:
        verify(*arguments, **options)
    except VerificationError as error:
        print(f"refused: {what}: {error}")
    else:
        sys.exit(f"accepted: {what}")


for algorithm in (HashAlgorithm.SHA256, HashAlgorithm.SHA512):
    for certificate in (True, False):
        request, response = stamp(b"a signature", hash=algorithm, certificate=certificate)
        assert verify(response, b"a signature", request)
        assert response.tst_info.nonce == request.nonce
        made = response.tst_info.gen_time
        assert abs((datetime.datetime.now(datetime.timezone.utc) - made).total_seconds()) < 5, made
        refuses("another message", response, b"another signature", request)
_, without = stamp(b"a signature", nonce=False)
assert without.tst_info.nonce is None
assert verify(without, b"a signature")
other, _ = stamp(b"a signature")
refuses("another request's nonce", response, b"a signature", other)
refuses("another root", response, b"a signature", request, root=chain[0], leaf=None)
print(f"{made}, serial {response.tst_info.serial_number}")
