"""waxseal against a repository that python-tuf signs: followed through a rotation, and never back or out of date.

Usage: python_tuf_repository.py FOLDER TRUST

TRUST holds the trusted_root.json and signing_config.v0.2.json that are published.
"""

import datetime
import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

folder, trust = sys.argv[1:]
repository = f"{folder}/repository"
os.makedirs(f"{repository}/targets")
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


class Repository:
    """Four roles with a key of each kind that python-tuf makes."""

    def __init__(self):
        self.signers = {
            "root": [CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa()],
            "timestamp": [CryptoSigner.generate_ed25519()],
            "snapshot": [CryptoSigner.generate_ecdsa()],
            "targets": [CryptoSigner.generate_rsa(scheme="rsassa-pss-sha256")],
        }
        self.root = Root(version=1, expires=NOW + datetime.timedelta(days=365), consistent_snapshot=True)
        for role, signers in self.signers.items():
            for signer in signers:
                self.root.add_key(signer.public_key, role)
        self.root.roles["root"].threshold = 2
        self.versions = {"timestamp": 0, "snapshot": 0, "targets": 0}
        self.publish_root([])

    def publish_root(self, former):
        self.write(f"{self.root.version}.root.json", self.root, self.signers["root"] + former)

    def rotate(self):
        """Other keys for the root and for the timestamp."""
        former = list(self.signers["root"])
        for role in ("root", "timestamp"):
            for signer in self.signers[role]:
                self.root.revoke_key(signer.public_key.keyid, role)
            self.signers[role] = [CryptoSigner.generate_ecdsa() for _ in self.signers[role]]
            for signer in self.signers[role]:
                self.root.add_key(signer.public_key, role)
        self.root.version += 1
        self.publish_root(former)

    def publish(self, documents, days=7):
        """New versions of the other roles, good for so many days."""
        for role in self.versions:
            self.versions[role] += 1
        expires = NOW + datetime.timedelta(days=days)
        targets = Targets(version=self.versions["targets"], expires=NOW + datetime.timedelta(days=365))
        for name, data in documents.items():
            info = TargetFile.from_data(name, data, ["sha256", "sha512"])
            targets.targets[name] = info
            with open(f"{repository}/targets/{info.hashes['sha256']}.{name}", "wb") as file:
                file.write(data)
        data = self.write(f"{targets.version}.targets.json", targets, self.signers["targets"])
        snapshot = Snapshot(version=self.versions["snapshot"], expires=NOW + datetime.timedelta(days=365))
        snapshot.meta["targets.json"] = MetaFile.from_data(targets.version, data, ["sha256"])
        data = self.write(f"{snapshot.version}.snapshot.json", snapshot, self.signers["snapshot"])
        timestamp = Timestamp(version=self.versions["timestamp"], expires=expires)
        timestamp.snapshot_meta = MetaFile.from_data(snapshot.version, data, ["sha256"])
        self.write("timestamp.json", timestamp, self.signers["timestamp"])

    @staticmethod
    def write(name, signed, signers):
        metadata = Metadata(signed)
        for signer in signers:
            metadata.sign(signer, append=True)
        data = metadata.to_bytes()
        with open(f"{repository}/{name}", "wb") as file:
            file.write(data)
        return data


def serve(directory):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=directory)
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def waxseal(*arguments):
    environment = {**os.environ, "XDG_DATA_HOME": f"{folder}/data"}
    done = subprocess.run(["waxseal", *arguments], env=environment, capture_output=True, text=True)
    print("waxseal", *arguments, "->", done.returncode, done.stdout, done.stderr)
    return done


def kept():
    files = {}
    for place, _, names in os.walk(f"{folder}/data/waxseal/instances/python"):
        for name in names:
            with open(f"{place}/{name}", "rb") as file:
                files[f"{place}/{name}"] = file.read()
    return files


def succeeds(*arguments):
    done = waxseal(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refuses(what, *arguments):
    before = kept()
    done = waxseal(*arguments)
    assert done.returncode == 4 and what in done.stderr, f"not {what!r}: {done.returncode} {done.stderr}"
    assert kept() == before, "what was refused left something behind"


documents = {}
for name in ("trusted_root.json", "signing_config.v0.2.json"):
    with open(f"{trust}/{name}", "rb") as file:
        documents[name] = file.read()

made = Repository()
made.publish(documents)
url = serve(repository)
succeeds("trust", "add", "python", "--tuf", url, "--root", f"{repository}/1.root.json")
assert kept()[f"{folder}/data/waxseal/instances/python/trusted_root.json"] == documents["trusted_root.json"]
assert "nothing has changed" in succeeds("trust", "refresh", "python")

shutil.copytree(repository, f"{folder}/old")
made.publish({**documents, "trusted_root.json": documents["trusted_root.json"] + b"\n"})
assert "renewed" in succeeds("trust", "refresh", "python")
refuses("older than what was seen before", "trust", "refresh", "python", "--mirror", serve(f"{folder}/old"))
refuses("older than what was seen before", "trust", "import", "python", f"{folder}/old")

shutil.copytree(repository, f"{folder}/before-rotation")
made.rotate()
made.publish(documents)
assert "renewed" in succeeds("trust", "refresh", "python")
assert "TUF root version 2, timestamp version 3" in succeeds("trust", "show", "python")
refuses("timestamp.json is signed by 0", "trust", "refresh", "python", "--mirror", serve(f"{folder}/before-rotation"))

# A root that only its own new keys signed, and one that lacks one of the two signatures.
strangers = [CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa()]
for found, signers in enumerate((strangers, made.signers["root"][:1])):
    forged = Metadata[Root].from_file(f"{repository}/2.root.json").signed
    forged.version = 3
    if signers is strangers:
        for signer in made.signers["root"]:
            forged.revoke_key(signer.public_key.keyid, "root")
        for signer in strangers:
            forged.add_key(signer.public_key, "root")
    stolen = f"{folder}/stolen-{found}"
    shutil.copytree(repository, stolen)
    data = Metadata(forged)
    for signer in signers:
        data.sign(signer, append=True)
    data.to_file(f"{stolen}/3.root.json")
    refuses(f"3.root.json is signed by {found} of the keys", "trust", "refresh", "python", "--mirror", serve(stolen))

made.publish(documents, days=-1)
refuses("timestamp.json, version 4, expired on", "trust", "refresh", "python")
made.publish(documents)
succeeds("trust", "refresh", "python")
# Brought in a folder, with the metadata beside the targets as python-tuf's own examples have it.
os.makedirs(f"{folder}/brought/metadata")
for name in os.listdir(repository):
    if name.endswith(".json"):
        shutil.copy(f"{repository}/{name}", f"{folder}/brought/metadata/{name}")
shutil.copytree(f"{repository}/targets", f"{folder}/brought/targets")
succeeds("trust", "import", "brought", f"{folder}/brought", "--root", f"{repository}/1.root.json")
