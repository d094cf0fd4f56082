#!/usr/bin/python3
"""read_repo: a second reader of Holdfast repositories, written from doc/format.md alone.

It is slow, keeps every blob's place in memory and only reads local folders. It exists to
prove that the specification is enough, and it believes nothing: every object's hash, every
seal, signature and blob id is checked, and anything out of order ends the program with exit
status 1 and the name of what was wrong. Numbers in comments are sections of format.md.

    read_repo.py REPO (--key-file F | --password-file F) [--no-index] verify
    read_repo.py ...  snapshots
    read_repo.py ...  ls SNAPSHOT
    read_repo.py ...  restore SNAPSHOT TARGET      (SNAPSHOT: an id, a prefix of one, or "latest")
"""
import argparse
import base64
import collections
import hashlib
import hmac
import json
import os
import re
import stat
import struct
import sys
import zlib

import brotli
import lz4.block
import zstandard
from blake3 import blake3
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

VER = b"\1"
BLOB_MAX, PACK_MAX = 8 << 20, 80 << 20
PAGE = 8192
INDEX, SNAPSHOT, NOTE, MARK, KEY, CONTENT_PACK, META_PACK = range(1, 8)
CONTENT, NAMES, REFS = 1, 2, 3
MAY_SIGN = {"full": range(1, 8), "maintenance": (INDEX, CONTENT_PACK, META_PACK, MARK, NOTE),
            "write": (INDEX, CONTENT_PACK, META_PACK, SNAPSHOT, NOTE)}
FILE, DIRECTORY, SYMLINK, FIFO, CHARDEV, BLOCKDEV = range(1, 7)


class Bad(Exception):
    """Something in the repository is not as format.md says."""


def need(condition, what):
    if not condition:
        raise Bad(what)


# ---- 1: words and encodings ---------------------------------------------------------------

def sha256(data):
    return hashlib.sha256(data).digest()


def mac(key, data):
    return hmac.digest(key, data, "sha256")


# What config's object_hash and blob_id may name (1).
OBJECT_HASH = {"sha256": sha256, "blake3": blake3}
BLOB_ID = {"hmac-sha256": mac, "blake3": lambda key, data: blake3(data, key)}


def hkdf(ikm, salt, info):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(ikm)


def canonical(obj):
    return json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


class Cursor:
    """Reads forward through bytes, never past their end."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        need(n <= len(self.data) - self.at, "truncated")
        self.at += n
        return self.data[self.at - n : self.at]

    def u8(self):
        return self.take(1)[0]

    def u32(self):
        return struct.unpack("<I", self.take(4))[0]

    def u64(self):
        return struct.unpack("<Q", self.take(8))[0]

    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.u8()
            value |= (byte & 127) << shift
            if byte < 128:
                need(value < 1 << 64, "varint too large")
                return value
        raise Bad("varint too long")

    def svarint(self):
        n = self.varint()
        return (n >> 1) ^ -(n & 1)

    def string(self):
        return self.take(self.varint())

    def end(self):
        need(self.at == len(self.data), "bytes after the end")


# ---- 3: keys --------------------------------------------------------------------------------

def unbox(repo, key, keyid, purpose, sealed, extra=b""):
    """3.2; extra lengthens the aad (key bundles)."""
    need(len(sealed) >= 48, "box too short")
    f = hkdf(key, sealed[:32], b"holdfast/1 box" + bytes([purpose]))
    aad = repo + VER + bytes([purpose]) + keyid + extra
    try:
        return AESGCM(f).decrypt(bytes(12), bytes(sealed[32:]), aad)
    except InvalidTag:
        raise Bad(f"seal broken (purpose {purpose})") from None


def unpad(plain):
    """4: length, payload, zeros."""
    c = Cursor(plain)
    payload = c.take(c.u32())
    need(not any(plain[c.at :]), "padding is not zero")
    return payload


def envelope(data, kind):
    """4: the sealed data keys, and a cursor at what follows them."""
    c = Cursor(data)
    need(c.take(8) == b"HOLDFAST" and c.take(1) == VER, "not a Holdfast object of version 1")
    need(c.u8() == kind, "object of another type")
    n = c.u8()
    need(c.u8() == 0, "reserved byte is not 0")
    return [c.take(132) for _ in range(n)], c


Frame = collections.namedtuple("Frame", "pack offset stored plain codec kind key")
Domain = collections.namedtuple("Domain", "id index_key id_key")


def domain_of(bundle, ident):
    """3.1: a domain's keys follow from the bundle of a full or maintenance key."""
    master = bundle.get("master")
    index_master = hkdf(bytes.fromhex(master), b"", b"holdfast/1 index master") if master else \
        bytes.fromhex(bundle["index_master"])
    return Domain(ident, hkdf(index_master, ident, b"holdfast/1 index key"),
                  hkdf(bytes.fromhex(master), ident, b"holdfast/1 id key") if master else None)


def mark_key(bundle):
    if "mark_key" in bundle:
        return bytes.fromhex(bundle["mark_key"])
    index_master = bytes.fromhex(bundle["index_master"]) if "index_master" in bundle else \
        hkdf(bytes.fromhex(bundle["master"]), b"", b"holdfast/1 index master")
    return hkdf(index_master, b"", b"holdfast/1 mark key")


class Repo:
    def __init__(self, path, password=None, key_file=None, use_index=True):
        self.path = os.fsencode(path)
        raw = self.read_file(b"config", 64 << 20)
        config = json.loads(raw)
        need(canonical(config) == raw, "config: not canonical JSON")
        self.config, self.id = config, bytes.fromhex(config["repository"])
        need(config["object_hash"] in OBJECT_HASH and config["blob_id"] in BLOB_ID, "config: unknown hashes")
        self.object_hash, self.keyed_hash = OBJECT_HASH[config["object_hash"]], BLOB_ID[config["blob_id"]]
        self.unlock(password, key_file)
        self.check_config(config)
        self.writers = {bytes.fromhex(w["id"]): w for w in config["writers"]}
        self.open_epochs(config)
        self.open_domains(config)
        self.reading = self.own
        self.data_keys, self.blobs, self.frames = {}, {}, collections.OrderedDict()
        self.checked_packs = set()
        (self.load_indexes if use_index else self.load_packs)()

    def read_file(self, name, limit=PACK_MAX):
        with open(os.path.join(self.path, name), "rb") as f:
            data = f.read(limit + 1)
        need(len(data) <= limit, f"{name.decode()}: too large")
        return data

    def names(self, folder):
        """2: names of a folder's objects; what begins with "." or "tmp" is not ours."""
        try:
            found = sorted(os.listdir(os.path.join(self.path, folder)))
        except FileNotFoundError:
            return []
        return [n for n in found if not n.startswith((b".", b"tmp"))]

    def objects(self, folder):
        """Every object of a folder, its hash checked."""
        for name in self.names(folder):
            data = self.read_file(folder + b"/" + name)
            ident = name.split(b".")[-1]  # notes/<snapshot>.<id>
            need(self.object_hash(data).hex().encode() == ident, f"{folder.decode()}/{name.decode()}: hash differs")
            yield name.decode(), data

    # 3.4
    def unlock(self, password, key_file):
        if key_file is not None:
            m = re.fullmatch(rb"holdfast-key-1 ([0-9a-f]{64})\n", key_file)
            need(m, "not a key file")
            key_file = bytes.fromhex(m[1].decode())
        reasons = []
        for name, data in self.objects(b"keys"):
            try:
                return self.open_bundle(data, password, key_file)
            except Bad as e:
                reasons.append(f"{name[:8]}: {e}")
        raise Bad("no key fits: " + "; ".join(reasons))

    def open_bundle(self, data, password, key_file):
        sealed, c = envelope(data, KEY)
        need(not sealed, "key object with data keys")
        clear = c.take(c.u32())
        box = c.take(c.u32())
        c.end()
        head = json.loads(clear)
        kdf = head["kdf"]
        if kdf["name"] == "scrypt":
            need(password is not None, "takes a password")
            n, r, p = kdf["n"], kdf["r"], kdf["p"]
            need(n & (n - 1) == 0 and r <= 32 and p <= 16 and n * r <= 1 << 20 and n * r * p <= 1 << 22, "scrypt limits")
            kek = Scrypt(bytes.fromhex(kdf["salt"]), 32, n, r, p).derive(password)
        else:
            need(kdf["name"] == "key-file" and key_file is not None, "takes a key file")
            hint = hkdf(key_file, b"", b"holdfast/1 key file hint")[:8]
            need(hint.hex() == kdf["hint"], "another key file's")
            kek = hkdf(key_file, b"", b"holdfast/1 key file")
        plain = unbox(self.id, kek, bytes.fromhex(head["holder"]), 12, box, sha256(clear))
        bundle = json.loads(plain)
        need(bytes.fromhex(bundle["repository"]) == self.id, "key of another repository")
        need(bundle["role"] == head["role"], "key of another role")
        self.root_public = bytes.fromhex(bundle["root_public"])
        self.bundle, self.holder, self.role = bundle, bytes.fromhex(head["holder"]), bundle["role"]

    # 3.5
    def open_epochs(self, config):
        """self.private[class, epoch], as far as the role has them."""
        self.private, epoch = {}, config["epoch"]
        have = [(2, "structure"), (1, "content")][: {"full": 2, "maintenance": 1, "write": 0}[self.role]]
        secrets = [bytes.fromhex(self.bundle[name]) for _, name in have]
        need(self.bundle["epoch"] <= epoch, "config is older than the key")
        if have and self.bundle["epoch"] < epoch:
            secrets = self.open_grant(bytes.fromhex(self.writers[self.holder]["grant"]), epoch)
        for (cls, name), secret in zip(have, secrets):
            need(raw_public(X25519PrivateKey.from_private_bytes(secret)).hex() == config[name],
                 f"config: another {name} key")
            self.private[cls, epoch] = X25519PrivateKey.from_private_bytes(secret)
            for old in reversed(config["epochs"]):
                key = hkdf(secret, b"", b"holdfast/1 epoch")
                number = old["epoch"]
                secret = unbox(self.id, key, bytes(16), 13, bytes.fromhex(old["sealed_" + name]),
                               sha256(struct.pack("<H", number)))
                self.private[cls, number] = X25519PrivateKey.from_private_bytes(secret)

    def open_grant(self, grant, epoch):
        own = X25519PrivateKey.from_private_bytes(bytes.fromhex(self.bundle["own"]))
        shared = own.exchange(X25519PublicKey.from_public_bytes(grant[:32]))
        key = hkdf(shared, grant[:32] + raw_public(own), b"holdfast/1 grant")
        plain = unbox(self.id, key, self.holder, 13, grant[32:], sha256(struct.pack("<H", epoch)))
        return plain[:32], plain[32:]

    # 3.1
    def open_domains(self, config):
        ids = [bytes.fromhex(d["id"]) for d in config["domains"]]
        if self.role == "write":
            self.domains = [Domain(bytes.fromhex(self.bundle["domain"]), bytes.fromhex(self.bundle["index_key"]),
                                   bytes.fromhex(self.bundle["id_key"]))]
        else:
            self.domains = [domain_of(self.bundle, ident) for ident in ids]
        self.mark_key = mark_key(self.bundle)
        self.own = next((d for d in self.domains if d.id.hex() == self.bundle.get("domain")), self.domains[0])

    # 3.1
    def check_config(self, config):
        need(config["format"] == 1 and config["required"] in ([], ["pages"]), "config: a format or feature unknown here")
        need(bytes.fromhex(config["root"]) == self.root_public, "config: another root key")
        rest = {k: v for k, v in config.items() if k != "signature"}
        self.check_signature(self.root_public, bytes.fromhex(config["signature"]),
                             b"holdfast/1 config" + canonical(rest), "config")

    def check_signature(self, public, signature, message, what):
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except InvalidSignature:
            raise Bad(f"{what}: signature is wrong") from None

    def check_signer(self, payload, kind, signed, what, domain=None):
        """4: signer id and signature over the hash of what was signed; what its role may sign."""
        c = Cursor(payload)
        signer, signature = c.take(16), c.take(64)
        c.end()
        need(signer in self.writers, f"{what}: signer is no writer of this repository")
        self.check_signature(bytes.fromhex(self.writers[signer]["key"]), signature,
                             b"holdfast/1 sig" + bytes([kind]) + self.id + sha256(signed), what)
        writer = self.writers[signer]
        need(kind in MAY_SIGN.get(writer["role"], ()), f"{what}: a {writer['role']} key may not sign this")
        if writer["role"] == "write" and domain is not None:
            need(bytes.fromhex(writer["domain"]) == domain, f"{what}: signed by a write key of another domain")
        return signer

    # 3.3
    def data_key(self, sealed, want):
        """(data-key id, data key) of 132 sealed bytes; want is the class."""
        if sealed not in self.data_keys:
            kind = sealed[1], struct.unpack("<H", sealed[2:4])[0]
            need(sealed[0] == 1 and kind in self.private, "data key of a kind or epoch that we have no key for")
            ident, ephemeral = sealed[4:20], sealed[20:52]
            private = self.private[kind]
            shared = private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
            kek = hkdf(shared, ephemeral + raw_public(private), b"holdfast/1 data key" + self.id)
            try:
                key = AESGCM(kek).decrypt(bytes(12), sealed[52:100], sealed[:52] + self.id)
            except InvalidTag:
                raise Bad("data key: seal broken") from None
            need(mac(key, b"holdfast/1 commit" + ident) == sealed[100:], "data key: commitment differs")
            self.data_keys[sealed] = ident, key
        need(sealed[1] == want, "data key of the wrong class")
        return self.data_keys[sealed]

    # 4
    def sections(self, data, kind, keys, purposes, what, domain=None, mark=False):
        """The payloads of an object's sections but the last, which is checked."""
        sealed, c = envelope(data, kind)
        need(len(sealed) == len(keys), f"{what}: number of data keys")
        opened = [self.data_key(s, k) for s, k in zip(sealed, keys)]
        if domain:
            opened = [(domain.id, domain.index_key)]
        elif mark:
            opened = [(self.id, self.mark_key)]
        payloads = []
        for purpose, slot in purposes:
            before = c.at
            keyid, key = opened[slot]
            payloads.append(unpad(unbox(self.id, key, keyid, purpose, c.take(c.u32()))))
        c.end()
        self.signer = self.check_signer(payloads.pop(), kind, data[:before], what, domain and domain.id)
        return payloads

    def domain_that_opens(self, purpose, box, what):
        """The domain whose index key fits a box; None for another's, which a write key cannot open."""
        for domain in self.domains:
            try:
                unbox(self.id, domain.index_key, domain.id, purpose, box)
                return domain
            except Bad:
                pass
        need(self.role == "write", f"{what}: seal broken for every domain")
        return None

    # ---- 5 and 6: packs and indexes ---------------------------------------------------------

    def frames_of(self, c, pack, offset, keys, domain):
        """The list of frames that directories and indexes share; fills the map of blobs."""
        for _ in range(c.varint()):
            kind, slot, codec = c.u8(), c.u8(), c.u8()
            stored, plain, n = c.varint(), c.varint(), c.varint()
            need(kind in (CONTENT, NAMES, REFS) and slot < len(keys), "frame of an unknown kind or key")
            need(plain <= BLOB_MAX and stored <= PACK_MAX, "frame too large")
            frame = Frame(pack, offset, stored, plain, codec, kind, keys[slot])
            at = 0
            for _ in range(n):
                ident, length = c.take(32), c.varint()
                self.blobs.setdefault((domain.id, ident), (frame, at, length))
                at += length
            need(at == plain, "blobs do not fill their frame")
            offset += stored
        return offset

    def load_indexes(self):
        for name, data in self.objects(b"index"):
            _, c = envelope(data, INDEX)
            c.take(c.u32())
            domain = self.domain_that_opens(11, c.take(c.u32()), f"index/{name}")
            if domain is None:
                continue
            (payload,) = self.sections(data, INDEX, [], [(6, 0), (11, 0)], f"index/{name}", domain)
            c = Cursor(payload)
            c.u64()  # the deadline: packs that are not there are passed over anyway
            keys = [c.take(132) for _ in range(c.varint())]
            for _ in range(c.varint()):
                ident, kind, _size, offset = c.take(32), c.u8(), c.varint(), c.varint()
                need(kind in (CONTENT_PACK, META_PACK), f"index/{name}: pack of an unknown type")
                slots = [keys[c.varint()] for _ in range(c.u8())]
                pack = pack_name(kind, ident)
                exists = os.path.exists(os.path.join(self.path, pack))
                known = self.blobs if exists else dict(self.blobs)
                self.frames_of(c, pack, offset, slots, domain)
                if not exists:  # deleted since
                    self.blobs = known
            c.end()

    def load_packs(self):
        for folder, kind in ((b"packs", CONTENT_PACK), (b"meta", META_PACK)):
            for shard in self.names(folder):
                for name, data in self.objects(folder + b"/" + shard):
                    self.load_directory(data, pack_name(kind, bytes.fromhex(name)), kind)

    def load_directory(self, data, pack, kind):
        keys, header = envelope(data, kind)
        domain = self.domain_that_opens(5, data[-64:], pack.decode())
        if domain is None:
            return
        trailer = Cursor(unbox(self.id, domain.index_key, domain.id, 5, data[-64:]))
        offset, length = trailer.u64(), trailer.u64()
        need(offset + length == len(data) - 64, f"{pack.decode()}: directory is not before the trailer")
        payload = unpad(unbox(self.id, domain.index_key, domain.id, 4, data[offset : offset + length]))
        c = Cursor(payload)
        end = self.frames_of(c, pack, header.at, keys, domain)
        need(end == offset, f"{pack.decode()}: frames do not end where the directory begins")
        self.check_signer(payload[c.at :], kind, data[: header.at] + payload[: c.at], pack.decode(), domain.id)

    def frame(self, frame):
        """A frame's plaintext; the last few are kept."""
        if frame in self.frames:
            self.frames.move_to_end(frame)
            return self.frames[frame]
        if frame.pack not in self.checked_packs:
            need(self.object_hash(self.read_file(frame.pack)) == bytes.fromhex(frame.pack[-64:].decode()),
                 f"{frame.pack.decode()}: hash differs")
            self.checked_packs.add(frame.pack)
        with open(os.path.join(self.path, frame.pack), "rb") as f:
            f.seek(frame.offset)
            sealed = f.read(frame.stored)
        keyid, key = self.data_key(frame.key, 2 if frame.kind == REFS else 1)
        plain = decompress(frame.codec, unbox(self.id, key, keyid, frame.kind, sealed), frame.plain)
        self.frames[frame] = plain
        if len(self.frames) > 32:
            self.frames.popitem(last=False)
        return plain

    def blob_id(self, domain, kind, data):
        """Each kind has a key of its own."""
        if kind == CONTENT:
            return self.keyed_hash(mac(domain.id_key, b"holdfast/1 content"), data)
        if kind == NAMES:
            return self.keyed_hash(mac(domain.id_key, b"holdfast/1 names"), data)
        return self.keyed_hash(mac(domain.index_key, b"holdfast/1 refs"), data)

    def blob(self, ident, kind):
        where = self.reading.id, ident
        need(where in self.blobs, f"blob {ident.hex()[:8]}: in no index of its domain")
        frame, at, length = self.blobs[where]
        need(frame.kind == kind, f"blob {ident.hex()[:8]}: of another kind")
        data = self.frame(frame)[at : at + length]
        need(self.blob_id(self.reading, kind, data) == ident, f"blob {ident.hex()[:8]}: id differs")
        return data

    # ---- 7: trees -----------------------------------------------------------------------------

    def tree(self, ident, path=b"", depth=0):
        """Yield (path, entry) for all below a directory: parents first, names in order."""
        need(depth <= 4096, "directories too deep")
        last = None
        for names_id, refs in self.leaves(ident, 0):
            entries = list(parse_names(self.blob(names_id, NAMES)))
            need(len(entries) == len(refs), "names and refs differ in number")
            for entry, ref in zip(entries, refs):
                need(last is None or entry["name"] > last, "names out of order")
                last = entry["name"]
                need((entry["type"] == DIRECTORY) == (ref[0] == 1), "ref does not fit the type")
                need(entry["type"] == FILE or ref[0] in (0, 1), "content of something that is no file")
                entry["ref"] = ref
                below = path + b"/" + entry["name"]
                yield below, entry
                if ref[0] == 1:
                    yield from self.tree(ref[1], below, depth + 1)

    def leaves(self, ident, level):
        """(names id, refs) of each leaf of a directory."""
        need(level <= 16, "directory nodes too deep")
        c = Cursor(self.blob(ident, REFS))
        what = c.u8()
        if what == 2:
            for child in [c.take(32) for _ in range(c.varint())]:
                yield from self.leaves(child, level + 1)
        else:
            need(what == 1, "neither leaf nor node")
            names_id = c.take(32)
            yield names_id, [read_ref(c) for _ in range(c.varint())]
        c.end()

    def content(self, ref):
        """The blobs of a file, in order."""
        if ref[0] == 2:
            for ident in ref[1]:
                yield self.blob(ident, CONTENT)
        elif ref[0] == 3:
            yield from self.content_list(ref[2], ref[1])

    def content_list(self, ident, depth):
        c = Cursor(self.blob(ident, REFS))
        need(c.u8() == 3, "not a content list")
        idents = [c.take(32) for _ in range(c.varint())]
        c.end()
        for child in idents:
            if depth == 1:
                yield self.blob(child, CONTENT)
            else:
                yield from self.content_list(child, depth - 1)

    # ---- 8: snapshots and notes ---------------------------------------------------------------

    def snapshots(self):
        """(id, head, facts), oldest first."""
        found = []
        for name, data in self.objects(b"snapshots"):
            head, facts = map(json.loads, self.sections(
                data, SNAPSHOT, [2, 1], [(7, 0), (8, 1), (11, 0)], f"snapshots/{name}"))
            need(head["signer"] == self.signer.hex(), f"snapshots/{name}: another signer")
            writer = self.writers[self.signer]
            need(writer["role"] == "full" or writer["domain"] == head["domain"],
                 f"snapshots/{name}: signed by a write key of another domain")
            found.append((name, head, facts))
        return sorted(found, key=lambda s: s[1]["start"])

    def notes(self):
        for name, data in self.objects(b"notes"):
            (payload,) = self.sections(data, NOTE, [2], [(9, 0), (11, 0)], f"notes/{name}")
            yield json.loads(payload)

    def snapshot(self, spec):
        fits = [s for s in self.snapshots() if spec == "latest" or s[0].startswith(spec)]
        need(fits and (spec == "latest" or len(fits) == 1), f"{spec}: no snapshot, or several")
        return fits[-1]

    def walk(self, snapshot):
        _, head, facts = snapshot
        self.reading = next(d for d in self.domains if d.id.hex() == head["domain"])
        for root, part in zip(head["roots"], facts["parts"]):
            if root is not None:
                several = len(head["roots"]) > 1
                yield from self.tree(bytes.fromhex(root), b"/" + text(part["name"]) if several else b"")


def raw_public(private):
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def pack_name(kind, ident):
    folder = b"packs/" if kind == CONTENT_PACK else b"meta/"
    return folder + ident[:1].hex().encode() + b"/" + ident.hex().encode()


def text(value):
    """8: a JSON string, or bytes that are not UTF-8."""
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()


def heads(page):
    """5.2: where the beginnings of a page's rows are, and how long."""
    lower, upper, special, size = struct.unpack_from("<4H", page, 12)
    if size & 0xff00 != PAGE or not 28 <= lower <= upper <= special <= PAGE:
        return []
    found = []
    for at in range(24, lower - 3, 4):
        item, = struct.unpack_from("<I", page, at)
        place, length = item & 0x7fff, item >> 17
        if place >= upper and length >= 4 and place + length <= special:
            found.append((place, min(length & ~3, 28)))
    return found


def shared_words(before, this):
    """The words of two neighbours of which one is written as a difference."""
    length = min(before[1], this[1])
    if abs(before[0] - this[0]) < length:
        return
    for k in range(0, length, 4):
        yield this[0] + k, before[0] + k


def unfold(page):
    """A folded page as it was; in place."""
    rows = heads(page)
    for before, this in zip(rows, rows[1:]):
        for to, of in shared_words(before, this):
            (a,), (b,) = struct.unpack_from("<I", page, to), struct.unpack_from("<I", page, of)
            struct.pack_into("<I", page, to, a + b & 0xffffffff)


def unfold_pages(data, size):
    """5.2: the stretches, then zstd."""
    c = Cursor(data)
    stretches = [(c.varint(), c.varint()) for _ in range(c.varint())]
    need(1 <= len(stretches) <= 64, "no stretches of pages, or too many")
    out = bytearray(zstandard.ZstdDecompressor().decompress(c.take(len(data) - c.at), max_output_size=size))
    at = 0
    for skip, pages in stretches:
        at += skip
        need(at + pages * PAGE <= len(out), "pages beyond their frame")
        for _ in range(pages):
            page = out[at:at + PAGE]
            unfold(page)
            out[at:at + PAGE] = page
            at += PAGE
    return bytes(out)


def decompress(codec, data, size):
    """5: to exactly size bytes, or not at all."""
    try:
        if codec == 0:
            out = data
        elif codec == 1:
            out = zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
        elif codec == 2:
            out = lz4.block.decompress(data, uncompressed_size=size)
        elif codec == 3:
            out = zlib.decompressobj().decompress(data, size + 1)
        elif codec == 4:
            out = brotli.decompress(data)
        else:
            need(codec == 5, f"codec {codec} is unknown")
            out = unfold_pages(data, size)
    except (zstandard.ZstdError, lz4.block.LZ4BlockError, zlib.error, brotli.error) as e:
        raise Bad(f"frame does not decompress: {e}") from None
    need(len(out) == size, "frame decompresses to another size")
    return out


def read_ref(c):
    tag = c.u8()
    ref = read_plain_ref(c, tag & 127)
    if tag & 128:
        skip_extensions(c)
    return ref


def read_plain_ref(c, what):
    if what == 1:
        return 1, c.take(32)
    if what == 2:
        n = c.varint()
        need(n <= 1024, "too many content ids")
        return 2, [c.take(32) for _ in range(n)]
    if what == 3:
        depth = c.u8()
        need(1 <= depth <= 8, "content list too deep")
        return 3, depth, c.take(32)
    need(what == 0, "unknown ref")
    return (0,)


def skip_extensions(c):
    """7: (tag, string) pairs of a later version, all of which may be passed over."""
    inner = Cursor(c.string())
    while inner.at < len(inner.data):
        inner.varint(), inner.string()


def parse_names(data):
    c = Cursor(data)
    for _ in range(c.varint()):  # owners: names for uids and gids, not used here
        c.u8(), c.varint(), c.string()
    for _ in range(c.varint()):
        e = {"type": c.u8()}
        fields = c.varint()
        need(FILE <= e["type"] <= BLOCKDEV and fields < 32, "entry of an unknown type or field")
        e["name"] = name = c.string()
        need(0 < len(name) <= 4096 and name not in (b".", b"..") and not set(name) & {0, 47}, "hostile name")
        e["mode"], e["uid"], e["gid"] = c.varint(), c.varint(), c.varint()
        e["mtime"], e["nsec"] = c.svarint(), c.varint()
        need(e["mode"] < 1 << 12 and e["nsec"] < 10**9, "mode or time out of range")
        if e["type"] == FILE:
            e["size"] = c.varint()
        elif e["type"] == SYMLINK:
            e["target"] = c.string()
        elif e["type"] in (CHARDEV, BLOCKDEV):
            e["device"] = c.varint(), c.varint()
        e["xattrs"] = [(c.string(), c.string()) for _ in range(c.varint())] if fields & 1 else []
        e["link"] = c.u64() if fields & 2 else None
        e["holes"] = [(c.varint(), c.varint()) for _ in range(c.varint())] if fields & 4 else []
        if fields & 16:
            skip_extensions(c)
        yield e
    c.end()


# ---- restoring ---------------------------------------------------------------------------------

def data_extents(size, holes):
    """(offset, length) of what its holes leave free."""
    at = 0
    for gap, length in holes:
        if gap:
            yield at, gap
        at += gap + length
    need(at <= size, "holes beyond the end")
    if at < size:
        yield at, size - at


def write_file(path, entry, blobs):
    with open(path, "xb") as f:
        extents = data_extents(entry["size"], entry["holes"])
        room = 0
        for blob in blobs:
            while blob:
                if not room:
                    offset, room = next(extents, (0, 0))
                    need(room, "more content than size")
                    f.seek(offset)
                part = blob[:room]
                f.write(part)
                room -= len(part)
                blob = blob[len(part) :]
        need(not room and next(extents, None) is None, "less content than size")
        f.truncate(entry["size"])


def make(repo, path, entry, links):
    """Create one entry; False if it is another name of an inode that is complete already."""
    kind = entry["type"]
    if entry["link"] is not None and entry["link"] in links:
        os.link(links[entry["link"]], path, follow_symlinks=False)
        return False
    if kind == DIRECTORY:
        os.mkdir(path, 0o700)
    elif kind == FILE:
        write_file(path, entry, repo.content(entry["ref"]))
    elif kind == SYMLINK:
        os.symlink(entry["target"], path)
    else:
        special = {FIFO: stat.S_IFIFO, CHARDEV: stat.S_IFCHR, BLOCKDEV: stat.S_IFBLK}[kind]
        os.mknod(path, special | 0o600, os.makedev(*entry.get("device", (0, 0))))
    if entry["link"] is not None:
        links[entry["link"]] = path
    return True


def dress(path, entry):
    """Owner, mode, xattrs, times: in this order, for each may undo the next."""
    if os.geteuid() == 0:
        os.chown(path, entry["uid"], entry["gid"], follow_symlinks=False)
    if entry["type"] != SYMLINK:
        os.chmod(path, entry["mode"])
    for name, value in entry["xattrs"]:
        os.setxattr(path, name, value, follow_symlinks=False)
    when = entry["mtime"] * 10**9 + entry["nsec"]
    os.utime(path, ns=(when, when), follow_symlinks=False)


def restore(repo, snapshot, target):
    os.makedirs(target, exist_ok=True)
    need(not os.listdir(target), "the target has something in it")
    links, directories = {}, []
    for path, entry in repo.walk(snapshot):
        there = os.fsencode(target) + path
        if not os.path.isdir(os.path.dirname(there)):
            os.makedirs(os.path.dirname(there))  # the part's own folder
        fresh = make(repo, there, entry, links)
        if entry["type"] == DIRECTORY:
            directories.append((there, entry))
        elif fresh:
            dress(there, entry)
    for there, entry in reversed(directories):
        dress(there, entry)


def verify(repo):
    """Read everything that is reachable, and every small object."""
    seen = collections.Counter(notes=len(list(repo.notes())))
    for snapshot in repo.snapshots():
        seen["snapshots"] += 1
        for _, entry in repo.walk(snapshot):
            seen["entries"] += 1
            seen["bytes"] += sum(map(len, repo.content(entry["ref"])))
    for name, data in repo.objects(b"marks"):
        repo.sections(data, MARK, [], [(10, 0), (11, 0)], f"marks/{name}", mark=True)
        seen["marks"] += 1
    return dict(seen, blobs=len(repo.blobs))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("repo")
    p.add_argument("--key-file")
    p.add_argument("--password-file")
    p.add_argument("--no-index", action="store_true", help="find the blobs in the packs alone")
    p.add_argument("command", choices=["verify", "snapshots", "ls", "restore"])
    p.add_argument("args", nargs="*")
    opt = p.parse_args()
    key_file = open(opt.key_file, "rb").read() if opt.key_file else None
    password = open(opt.password_file, "rb").read().rstrip(b"\r\n") if opt.password_file else None
    try:
        repo = Repo(opt.repo, password, key_file, not opt.no_index)
        if opt.command == "verify":
            print(json.dumps(verify(repo)))
        elif opt.command == "snapshots":
            for name, head, facts in repo.snapshots():
                print(name[:8], head["start"], head["host"], [p["paths"] for p in facts["parts"]])
        elif opt.command == "ls":
            for path, entry in repo.walk(repo.snapshot(opt.args[0])):
                print(os.fsdecode(path).encode(errors="backslashreplace").decode())
        else:
            restore(repo, repo.snapshot(opt.args[0]), opt.args[1])
    except (Bad, KeyError, ValueError, OSError) as e:
        print(f"read_repo: {type(e).__name__}: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
