"""The three logs, read whole over their read APIs and hashed by pymerkle: same roots, same proofs. Usage: python_merkle.py URL"""

import base64
import hashlib
import json
import sys
import urllib.error
import urllib.request

from pymerkle import InmemoryTree

url = sys.argv[1]


def get(path):
    with urllib.request.urlopen(url + path) as answer:
        return answer.read()


def get_json(path):
    return json.loads(get(path))


class Tree:
    """pymerkle's tree of these leaves."""

    def __init__(self, leaves):
        self.tree = InmemoryTree(algorithm="sha256")
        for leaf in leaves:
            self.tree.append_entry(leaf)
        self.size = len(leaves)

    def root(self, size=None):
        return self.tree.get_state(size or self.size)

    def leaf(self, index):
        return self.tree.get_leaf(index + 1)

    def includes(self, index, size, hashes):
        """Whether these are the hashes of RFC 6962 §2.1.1."""
        return self.tree.prove_inclusion(index + 1, size).path[1:] == hashes

    def consistent(self, first, second, proof):
        """RFC 9162 §2.1.4.2: the proof leads from both roots that pymerkle has, and to nothing else."""
        if first == second:
            return proof == []
        path = proof if first & (first - 1) else [self.root(first), *proof]
        node, last = first - 1, second - 1
        while node & 1:
            node, last = node >> 1, last >> 1
        old = new = path[0]
        for hash in path[1:]:
            if last == 0:
                return False
            if node & 1 or node == last:
                old, new = pair(hash, old), pair(hash, new)
                while not node & 1 and node:
                    node, last = node >> 1, last >> 1
            else:
                new = pair(new, hash)
            node, last = node >> 1, last >> 1
        return last == 0 and old == self.root(first) and new == self.root(second)


def pair(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def some(size):
    """A few sizes from 1 to this one."""
    return sorted({1, 2, 3, size // 2, size - 1, size} & set(range(1, size + 1)))


def rekor_v1():
    info = get_json("/rekor/api/v1/log")
    size = info["treeSize"]
    entries = [next(iter(get_json(f"/rekor/api/v1/log/entries?logIndex={index}").values())) for index in range(size)]
    # The log grows meanwhile, and a proof may be of what it has become.
    grown = max(entry["verification"]["inclusionProof"]["treeSize"] for entry in entries)
    more = [next(iter(get_json(f"/rekor/api/v1/log/entries?logIndex={index}").values())) for index in range(size, grown)]
    tree = Tree([base64.b64decode(entry["body"]) for entry in entries + more])
    assert tree.root(size).hex() == info["rootHash"], "another root"
    for index, entry in enumerate(entries):
        proof = entry["verification"]["inclusionProof"]
        assert proof["logIndex"] == index and proof["rootHash"] == tree.root(proof["treeSize"]).hex(), proof
        assert tree.includes(index, proof["treeSize"], [bytes.fromhex(hash) for hash in proof["hashes"]]), f"entry {index}"
    for first in some(size):
        proof = get_json(f"/rekor/api/v1/log/proof?firstSize={first}&lastSize={size}")
        assert proof["rootHash"] == tree.root(size).hex()
        assert tree.consistent(first, size, [bytes.fromhex(hash) for hash in proof["hashes"]]), f"from {first}"
    return size


def path_of(index):
    """C2SP tlog-tiles: 1234067 is x001/x234/067."""
    name = f"{index % 1000:03}"
    while index := index // 1000:
        name = f"x{index % 1000:03}/{name}"
    return name


def rekor_v2(base):
    origin, size, root = get(f"{base}/checkpoint").decode().split("\n")[:3]
    size = int(size)
    leaves = []
    hashes = []
    for tile in range((size + 255) // 256):
        width = min(256, size - 256 * tile)
        partial = f".p/{width}" if width < 256 else ""
        bundle = get(f"{base}/tile/entries/{path_of(tile)}{partial}")
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            leaves.append(bundle[2:2 + length])
            bundle = bundle[2 + length:]
        level = get(f"{base}/tile/0/{path_of(tile)}{partial}")
        hashes += [level[at:at + 32] for at in range(0, len(level), 32)]
    assert len(leaves) == size
    tree = Tree(leaves)
    assert tree.root() == base64.b64decode(root), f"{origin}: another root"
    assert hashes == [tree.leaf(index) for index in range(size)], "another tile"
    return size


def ct_log():
    head = get_json("/ct/ct/v1/get-sth")
    size = head["tree_size"]
    entries = get_json(f"/ct/ct/v1/get-entries?start=0&end={size - 1}")["entries"]
    while len(entries) < size:
        entries += get_json(f"/ct/ct/v1/get-entries?start={len(entries)}&end={size - 1}")["entries"]
    tree = Tree([base64.b64decode(entry["leaf_input"]) for entry in entries])
    assert base64.b64encode(tree.root()).decode() == head["sha256_root_hash"], "another root"
    for index in range(size):
        hash = urllib.request.quote(base64.b64encode(tree.leaf(index)).decode(), safe="")
        proof = get_json(f"/ct/ct/v1/get-proof-by-hash?hash={hash}&tree_size={size}")
        assert proof["leaf_index"] == index
        assert tree.includes(index, size, [base64.b64decode(hash) for hash in proof["audit_path"]]), f"entry {index}"
    for first in some(size):
        proof = get_json(f"/ct/ct/v1/get-sth-consistency?first={first}&second={size}")["consistency"]
        assert tree.consistent(first, size, [base64.b64decode(hash) for hash in proof]), f"from {first}"
    return size


config = get_json("/trust/signing_config_rekor_v2.v0.2.json")
[base] = [log["url"] for log in config["rekorTlogUrls"] if log["majorApiVersion"] == 2]
assert base.startswith(url)
print("Rekor v1:", rekor_v1(), "entries")
print("Rekor v2:", rekor_v2(base.removeprefix(url) + "/api/v2"), "entries")
print("CT log:", ct_log(), "entries")
