"""write_repo: what read_repo reads, written: for trees that no honest program would store.

A Forger takes a repository and its key file, and adds a snapshot of any tree, however hostile,
with every hash, seal and signature right: what a holder of a key could do. From doc/format.md.
"""
import collections
import json
import os
import struct

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import read_repo as rr

SEED = 32  # bytes of a secret

IN_TIME = struct.pack("<Q", 2**62)  # the deadline of an index that is never late


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def svarint(n):
    return varint(n * 2 if n >= 0 else -n * 2 - 1)


def string(b):
    return varint(len(b)) + b


def padme(n):
    if n < 2:
        return n
    e = n.bit_length() - 1
    step = 1 << (e - e.bit_length())
    return (n + step - 1) // step * step


def padded(payload, size=None):
    plain = struct.pack("<I", len(payload)) + payload
    return plain + bytes((size or padme(len(plain))) - len(plain))


def extensions(*pairs):
    """7: what a later version may add to an entry or a ref."""
    return string(b"".join(varint(tag) + string(value) for tag, value in pairs))


def cut(data, key, low, avg, high):
    """5.1: the lengths of the blobs that data becomes."""
    gear = [g for b in range(64) for g in struct.unpack("<4Q", rr.sha256(key + struct.pack("<I", b)))]
    bits, ones, done = avg.bit_length() - 1, (1 << 64) - 1, 0
    while done < len(data):
        n = min(len(data) - done, high)
        done += next_cut(data[done : done + n], gear, bits, ones, low, avg, high)
        yield done


def next_cut(s, gear, bits, ones, low, avg, high):
    n, h, hashes = len(s), 0, {}
    if n <= low:
        return n
    for at in range(low - 64, n):
        h = (h << 1) + gear[s[at]] & ones
        length = at + 1
        if length >= low and not h >> 64 - (bits + 2 if length <= avg else bits - 2):
            return length
        if length > avg:
            hashes[length] = h
    if n < high or high == avg:
        return n
    if len(set(s[avg - 64 : high])) == 1 or len(set(hashes.values())) == 1:
        return high
    often = collections.Counter(h >> 48 for h in hashes.values())
    once = {length: h for length, h in hashes.items() if often[h >> 48] == 1} or hashes
    return min(once, key=lambda length: (once[length], length))


def entry(kind, name, **f):
    """One entry of a names blob; f may hold anything that format.md forbids."""
    body = bytes([kind]) + varint(f.get("fields", (2 if "link" in f else 0) | (4 if "holes" in f else 0)))
    body += string(name) + varint(f.get("mode", 0o644)) + varint(f.get("uid", 0)) + varint(f.get("gid", 0))
    body += svarint(f.get("mtime", 0)) + varint(f.get("nsec", 0))
    if kind == rr.FILE:
        body += varint(f.get("size", 0))
    elif kind == rr.SYMLINK:
        body += string(f.get("target", b""))
    elif kind in (rr.CHARDEV, rr.BLOCKDEV):
        body += varint(1) + varint(3)
    if "link" in f:
        body += struct.pack("<Q", f["link"])
    if "holes" in f:
        body += varint(len(f["holes"])) + b"".join(varint(g) + varint(n) for g, n in f["holes"])
    return body + f.get("extensions", b"")


class Forger(rr.Repo):
    """Collects blobs as frames of one, then writes them with commit()."""

    def __init__(self, path, key_file):
        with open(key_file, "rb") as f:
            super().__init__(path, key_file=f.read())
        self.signing = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self.bundle["signing"]))
        self.signer = self.holder
        self.run = {cls: (os.urandom(16), os.urandom(SEED)) for cls in (1, 2)}
        self.sealed = {cls: self.seal_data_key(cls) for cls in (1, 2)}
        self.pending = {rr.CONTENT_PACK: [], rr.META_PACK: []}

    def box(self, key, keyid, purpose, plain):
        salt = rr.mac(rr.hkdf(key, b"", b"holdfast/1 salt"), os.urandom(32) + rr.sha256(plain))
        f = rr.hkdf(key, salt, b"holdfast/1 box" + bytes([purpose]))
        return salt + rr.AESGCM(f).encrypt(bytes(12), plain, self.id + rr.VER + bytes([purpose]) + keyid)

    def seal_data_key(self, cls):
        ident, key = self.run[cls]
        once = rr.X25519PrivateKey.generate()
        head = struct.pack("<BBH", 1, cls, self.config["epoch"]) + ident + rr.raw_public(once)
        theirs = bytes.fromhex(self.config[{1: "content", 2: "structure"}[cls]])
        kek = rr.hkdf(once.exchange(rr.X25519PublicKey.from_public_bytes(theirs)), rr.raw_public(once) + theirs,
                      b"holdfast/1 data key" + self.id)
        return head + rr.AESGCM(kek).encrypt(bytes(12), key, head + self.id) + \
            rr.mac(key, b"holdfast/1 commit" + ident)

    def sign(self, kind, covered):
        text = b"holdfast/1 sig" + bytes([kind]) + self.id + rr.sha256(covered)
        return self.signer + self.signing.sign(text)

    # blobs and trees
    def add(self, kind, plain, codec=0, stored=None, claim=None):
        """A blob as a frame of its own; stored: its compressed form; claim: the length to declare."""
        ident = self.blob_id(self.own, kind, plain)
        cls = 2 if kind == rr.REFS else 1
        keyid, key = self.run[cls]
        sealed = self.box(key, keyid, kind, plain if stored is None else stored)
        pack = rr.CONTENT_PACK if kind == rr.CONTENT else rr.META_PACK
        size = len(plain) if claim is None else claim
        self.pending[pack].append((kind, cls, codec, size, ident, sealed))
        return ident

    def directory(self, entries, count=None):
        """entries: (entry bytes, ref bytes); the id of the tree."""
        names = varint(0) + varint(len(entries) if count is None else count) + b"".join(e for e, _ in entries)
        ident = self.add(rr.NAMES, names)
        refs = b"".join(r for _, r in entries)
        return self.add(rr.REFS, b"\1" + ident + varint(len(entries)) + refs)

    def file_ref(self, data):
        return b"\2" + varint(1) + self.add(rr.CONTENT, data) if data else b"\0"

    # objects
    def put(self, folder, data):
        ident = self.object_hash(data)
        name = f"{self.path.decode()}/{folder}" + (f"/{ident[:1].hex()}" if folder in ("packs", "meta") else "")
        os.makedirs(name, exist_ok=True)
        with open(f"{name}/{ident.hex()}", "wb") as f:
            f.write(data)
        return ident

    def envelope(self, kind, keys, sections):
        out = b"HOLDFAST" + rr.VER + bytes([kind, len(keys), 0]) + b"".join(keys)
        signing = sections[-1]
        for purpose, keyid, key, payload in sections:
            payload = self.sign(kind, out) if payload is None else payload
            box = self.box(key, keyid, purpose, padded(payload))
            out += struct.pack("<I", len(box)) + box
        assert signing[3] is None
        return out

    def pack(self, kind):
        frames = self.pending[kind]
        classes = sorted({f[1] for f in frames})
        header = b"HOLDFAST" + rr.VER + bytes([kind, len(classes), 0])
        header += b"".join(self.sealed[c] for c in classes)
        listed = varint(len(frames))
        for k, cls, codec, size, ident, sealed in frames:
            listed += bytes([k, classes.index(cls), codec]) + varint(len(sealed)) + varint(size)
            listed += varint(1) + ident + varint(size)
        body = header + b"".join(f[5] for f in frames)
        directory = listed + self.sign(kind, header + listed)
        bare = len(body) + 48 + 4 + len(directory) + 64
        box = self.box(self.own.index_key, self.own.id, 4, padded(directory, 4 + len(directory) + padme(bare) - bare))
        trailer = self.box(self.own.index_key, self.own.id, 5, struct.pack("<QQ", len(body), len(box)))
        data = body + box + trailer
        ident = self.put("packs" if kind == rr.CONTENT_PACK else "meta", data)
        slots = varint(len(classes))[:1] + b"".join(varint(c - 1) for c in classes)
        return ident + bytes([kind]) + varint(len(data)) + varint(len(header)) + slots + listed

    def note(self, snapshot, op, value="", when="2026-01-01T00:00:00.000000000Z"):
        note = {"snapshot": snapshot, "op": op, "time": when, "value": value, "signer": self.signer.hex()}
        data = self.envelope(rr.NOTE, [self.sealed[2]], [(9, *self.run[2], rr.canonical(note)), (11, *self.run[2], None)])
        os.makedirs(f"{self.path.decode()}/notes", exist_ok=True)
        with open(f"{self.path.decode()}/notes/{snapshot}.{self.object_hash(data).hex()}", "wb") as f:
            f.write(data)

    def commit(self, root, start="2026-01-01T00:00:00.000000000Z", facts=None, part=None, **claims):
        """Write packs, index and a snapshot of the tree root, whose head makes these claims; its id as hex."""
        packs = [self.pack(kind) for kind in self.pending if self.pending[kind]]
        payload = IN_TIME + varint(2) + self.sealed[1] + self.sealed[2] + varint(len(packs)) + b"".join(packs)
        index = self.own.id, self.own.index_key
        self.put("index", self.envelope(rr.INDEX, [], [(6, *index, payload), (11, *index, None)]))
        head = {"signer": self.signer.hex(), "domain": self.own.id.hex(), "client": "ab" * 16, "sequence": 1, "previous": None, "parent": None,
                "start": start, "end": start, "deadline": "2180-01-01T00:00:00.000000000Z", "host": "forger", "user": "forger", "system": None,
                "group": "cd" * 16, "strategy": "full", "tags": [], "roots": [root.hex()], "producer": "forger"} | claims
        part = {"name": "files", "kind": "files", "paths": ["/"], "tree": root.hex(), "outcome": "complete",
                "statistics": {}, "facts": {}, "errors": []} | (part or {})
        facts = {"parts": [part], "excludes": [], "declaration": None} if facts is None else facts
        data = self.envelope(rr.SNAPSHOT, [self.sealed[2], self.sealed[1]], [
            (7, *self.run[2], rr.canonical(head)), (8, *self.run[1], rr.canonical(facts)),
            (11, *self.run[2], None)])
        return self.put("snapshots", data).hex()


def fold_pages(data):
    """5.2: pages folded, as one stretch after three bytes; compressed."""
    out = bytearray(data)
    for at in range(3, len(data) - rr.PAGE + 1, rr.PAGE):
        page = out[at:at + rr.PAGE]
        rows = rr.heads(page)
        for before, this in reversed(list(zip(rows, rows[1:]))):
            for to, of in rr.shared_words(before, this):
                (a,), (b,) = struct.unpack_from("<I", page, to), struct.unpack_from("<I", page, of)
                struct.pack_into("<I", page, to, a - b & 0xffffffff)
        out[at:at + rr.PAGE] = page
    return varint(1) + varint(3) + varint((len(data) - 3) // rr.PAGE) + zstandard.compress(bytes(out))


def table_pages(rng, count):
    """Three bytes and pages of PostgreSQL's kind: rows in order, some out of it, over each other, or of noise."""
    data = b"abc"
    for block in range(count):
        page = bytearray(rng.randbytes(rr.PAGE) if block % 7 == 6 else bytes(rr.PAGE))
        upper, items = rr.PAGE, []
        while upper > 1000:
            length = rng.choice([8, 16, 28, 60, 61, 200])
            upper -= length
            struct.pack_into("<II", page, upper, block, len(items))
            items.append(upper | 1 << 15 | length << 17)
        if block % 3 == 2:
            rng.shuffle(items)
            items[5] += 3
        struct.pack_into("<4H", page, 12, 24 + 4 * len(items), upper, rr.PAGE, rr.PAGE | 4)
        struct.pack_into(f"<{len(items)}I", page, 24, *items)
        data += page
    return data


def new_repository(path, key_file, object_hash="blake3", blob_id="blake3", **also):
    """An empty repository of version 1 and its key file, made without the program; also: more for config."""
    os.makedirs(path)
    repository, holder, domain = os.urandom(16), os.urandom(16), os.urandom(16)
    secret = {n: os.urandom(SEED) for n in
              ("root", "content", "structure", "master", "signing", "own", "file")}
    public = {n: rr.raw_public(Ed25519PrivateKey.from_private_bytes(secret[n])) for n in ("root", "signing")}
    public |= {n: rr.raw_public(rr.X25519PrivateKey.from_private_bytes(secret[n])) for n in ("content", "structure", "own")}
    now = "2026-01-01T00:00:00.000000000Z"
    config = {"format": 1, "revision": 1, "repository": repository.hex(), "family": repository.hex(), "required": [],
              "optional": [], "object_hash": object_hash, "blob_id": blob_id,
              "chunker": {"name": "gear", "min": 262144, "avg": 1048576, "max": 4194304}, "epoch": 1, "epochs": [],
              "root": public["root"].hex(), "content": public["content"].hex(),
              "structure": public["structure"].hex(), "domains": [{"id": domain.hex()}], "grace": 86400,
              "writers": [{"id": holder.hex(), "key": public["signing"].hex(), "own": public["own"].hex(), "role": "full",
                           "domain": domain.hex(), "label": "made by hand", "added": now, "removed": None,
                           "grant": None}], "created": now} | also
    root = Ed25519PrivateKey.from_private_bytes(secret["root"])
    config["signature"] = root.sign(b"holdfast/1 config" + rr.canonical(config)).hex()
    with open(f"{path}/config", "wb") as f:
        f.write(rr.canonical(config))
    hint = rr.hkdf(secret["file"], b"", b"holdfast/1 key file hint")[:8].hex()
    clear = rr.canonical({"holder": holder.hex(), "role": "full", "label": "made by hand", "created": now,
                          "kdf": {"name": "key-file", "hint": hint}})
    bundle = {"repository": repository.hex(), "root_public": public["root"].hex(), "domain": domain.hex(),
              "role": "full", "epoch": 1}
    bundle |= {n: secret[n].hex() for n in secret if n != "file"}
    plain, kek = rr.canonical(bundle), rr.hkdf(secret["file"], b"", b"holdfast/1 key file")
    salt = os.urandom(32)
    aad = repository + rr.VER + bytes([12]) + holder + rr.sha256(clear)
    box = salt + rr.AESGCM(rr.hkdf(kek, salt, b"holdfast/1 box\x0c")).encrypt(bytes(12), plain, aad)
    data = b"HOLDFAST" + rr.VER + bytes([rr.KEY, 0, 0])
    data += struct.pack("<I", len(clear)) + clear + struct.pack("<I", len(box)) + box
    os.makedirs(f"{path}/keys")
    with open(f"{path}/keys/{rr.OBJECT_HASH[object_hash](data).hex()}", "wb") as f:
        f.write(data)
    with open(key_file, "w", encoding="ascii") as f:
        f.write(f"holdfast-key-1 {secret['file'].hex()}\n")
    os.chmod(key_file, 0o600)
