"""python-tuf's client against the TUF repository of a stack of its own, which rotates its key.

Usage: python_tuf.py FOLDER ADDRESS
"""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

from tuf.api.exceptions import BadVersionNumberError, DownloadError, RepositoryError
from tuf.ngclient import Updater

folder, address = sys.argv[1:]
data = f"{folder}/data"


class Stack:
    """`waxseal serve` on the data folder, while in the `with`."""

    def __enter__(self):
        command = ["waxseal", "serve", "--data", data, "--listen", "127.0.0.1:0", "--auto-login", address]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.url = json.loads(self.process.stdout.readline())["url"]
        return self.url

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def client(url, name, first_root):
    """A client with folders of its own, which starts from the pinned root."""
    os.makedirs(f"{folder}/{name}/targets", exist_ok=True)
    return Updater(
        f"{folder}/{name}", f"{url}/tuf/", f"{folder}/{name}/targets", f"{url}/tuf/targets/", bootstrap=first_root
    )


def fetch(url, name, first_root):
    updater = client(url, name, first_root)
    updater.refresh()
    for target in ("trusted_root.json", "signing_config.v0.2.json", "fulcio.crt.pem", "rekor.pub", "ctfe.pub"):
        info = updater.get_targetinfo(target)
        assert info, f"no target {target}"
        path = updater.download_target(info)
        if target == "trusted_root.json":
            with urllib.request.urlopen(f"{url}/trust/trusted_root.json") as answer:
                assert answer.read() == open(path, "rb").read(), "another trusted root"
    versions = {}
    for role in ("root", "timestamp", "snapshot", "targets"):
        versions[role] = json.load(open(f"{folder}/{name}/{role}.json"))["signed"]["version"]
    print(name, versions)
    return versions


with Stack() as url:
    with urllib.request.urlopen(f"{url}/tuf/1.root.json") as answer:
        first_root = answer.read()
    before = fetch(url, "old", first_root)
    assert before["root"] == 1
    assert client(url, "old", first_root).get_targetinfo("nothing") is None
    other = json.loads(first_root)
    other["signatures"] = [{**signature, "sig": "00"} for signature in other["signatures"]]
    try:
        client(url, "forged", json.dumps(other).encode())
    except RepositoryError as error:
        print("refused: a root that nobody signed:", error)
    else:
        sys.exit("took a root that nobody signed")
shutil.copytree(data, f"{folder}/copy")

# Signed by the right key, but older than what the client saw: what somebody between the two would send again.
time.sleep(1.1)  # versions are seconds
with Stack() as url:
    now = fetch(url, "again", first_root)
    assert now["timestamp"] > before["timestamp"], "nothing was signed again"
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=f"{folder}/copy")
replay = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
threading.Thread(target=replay.serve_forever, daemon=True).start()
replayed = f"http://127.0.0.1:{replay.server_address[1]}"
fetch(replayed, "nobody", first_root)
try:
    client(replayed, "again", first_root).refresh()
except BadVersionNumberError as error:
    print("refused: an older timestamp:", error)
else:
    sys.exit("took an older timestamp")

subprocess.run(["waxseal", "serve", "rotate", "tuf", "--data", data], check=True)
with Stack() as url:
    after = fetch(url, "old", first_root)
    assert after["root"] == 2, "the second root was not found"
    assert after["timestamp"] > before["timestamp"], "the timestamp did not move on"
    assert fetch(url, "new", first_root)["root"] == 2
    keys = [set(json.load(open(f"{folder}/old/root_history/{n}.root.json"))["signed"]["keys"]) for n in (1, 2)]
    assert not keys[0] & keys[1], "the key is the old one"
    rotated = url

# The folder as it was before is put in the place of the rotated one, at the same address.
shutil.rmtree(data)
shutil.move(f"{folder}/copy", data)
with Stack() as url:
    assert url == rotated
    try:
        client(url, "old", None).refresh()
    except (RepositoryError, DownloadError) as error:
        print("refused: an older repository:", error)
    else:
        sys.exit("took an older repository")
