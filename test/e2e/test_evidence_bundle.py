"""A bundle as doc/evidence.md has it, written here by its own hand, and tampered with: both verifiers say the same of each."""
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import random
import re
import subprocess

import pytest
from conftest import BINARY, trials
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "verify-evidence")
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([i]) * 32) for i in (1, 2, 3)]
CHAIN, LATER, STRANGER = KEYS
WHEN = "2026-11-22T12:00:00.000000000Z"


def public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def compact(o):
    return json.dumps(o, separators=(",", ":"))


def sign(body, key):
    """A line of a text of an object."""
    body = body[:-1]
    return f'{body},"signature":"{key.sign(body.encode()).hex()}"}}\n'


def sha(line):
    return hashlib.sha256(line.rstrip("\n").encode()).hexdigest()


class Bundle:
    """Its lines, as what they are."""

    def __init__(self, chain="ab" * 16):
        self.chain, self.key, self.records, self.drills = chain, CHAIN, [], []
        self.add("evidence.begin")

    def record(self, action, details, sequence=None, previous=None, key=None):
        key = key or self.key
        return sign(compact({
            "type": "record", "format": 1, "chain": self.chain, "sequence": sequence or len(self.records) + 1,
            "previous": previous or (sha(self.records[-1]) if self.records else "0" * 64), "time": WHEN, "machine": "m",
            "actor": "a", "action": action, "outcome": "completed", "subject": "s", "details": details, "key": public(key)}), key)

    def add(self, action, **details):
        self.records.append(self.record(action, details))

    def rotate(self, key, consents=None):
        at = {"chain": self.chain, "sequence": len(self.records) + 1, "previous": sha(self.records[-1])}
        consent = (consents or key).sign(compact({"type": "consent", **at, "key": public(key)}).encode()).hex()
        self.add("evidence.rotate", next_key=public(key), consent=consent)
        self.key = key

    def drill(self, verdict, key=None, **more):
        o = {"type": "drill", "id": f"d{len(self.drills)}", "system": "s", "verdict": verdict, "score": 1.0,
             "key": public(key or self.key), **more}
        self.drills.append(sign(compact(o), key or self.key))
        self.add("drill", record_sha256=sha(self.drills[-1]))

    def head(self, key=None, **other):
        o = {"type": "head", "format": 1, "chain": self.chain, "sequence": len(self.records), "hash": sha(self.records[-1]),
             "time": WHEN, "machine": "m", "key": public(key or self.key), **other}
        return sign(compact(o), key or self.key)

    def header(self):
        return compact({"type": "bundle", "format": 1, "made": WHEN, "public_key": pem(CHAIN)}) + "\n"

    def lines(self, head=None):
        return [self.header(), *self.records, self.head() if head is None else head, *self.drills]


def made(rotated=False):
    b = Bundle()
    b.add("backup")
    b.drill("passed")
    b.add("prune")
    if rotated:
        b.rotate(LATER)
    b.drill("failed")
    return b


@pytest.fixture
def verified(hf, base):
    """What both say of these lines: None, or line and word."""
    loader = importlib.machinery.SourceFileLoader("verify_evidence", TOOL)
    tool = importlib.util.module_from_spec(importlib.util.spec_from_loader("verify_evidence", loader))
    loader.exec_module(tool)

    os.makedirs(base / "state", exist_ok=True)
    (base / "state" / "evidence.pub").write_text(pem(CHAIN))  # what a trail goes by

    def both(lines, *trusted):
        (base / "b").write_text("".join(lines))
        (base / "pub").write_text("".join(map(pem, trusted)))
        option = ["--public-key", base / "pub"] if trusted else []
        r = hf("evidence", "verify", base / "b", *option, rc=None)
        ours = re.search(rf"evidence: {base}/b: ((?:line \d+: )?[a-z ]+)", r.err)
        assert r.rc == (20 if ours else 0), r
        try:
            tool.verify(open(base / "b", "rb").readlines(), {public(k) for k in trusted})
            theirs = None
        except tool.Wrong as e:
            theirs = str(e)
        assert (ours and ours[1]) == theirs, r.err
        return theirs

    return both


def changed(lines, i, old, new):
    assert old in lines[i], (i, lines[i])
    return [*lines[:i], lines[i].replace(old, new), *lines[i + 1:]]


def test_a_whole_bundle_is_whole_and_so_is_one_that_was_rotated(hf, base, verified):
    for b in (made(), made(rotated=True)):
        for trusted in ([], [CHAIN], [STRANGER, CHAIN]):
            assert verified(b.lines(), *trusted) is None
        assert verified(b.lines(), STRANGER) == "line 2: wrong key"
        assert verified(b.records, CHAIN) is None
    assert verified(b.lines(), LATER) is None
    out = hf("evidence", "verify", base / "b", "--public-key", base / "pub").out
    assert f"It ends with record {len(b.records)}, {sha(b.records[-1])}" in out
    assert "only a head that is kept elsewhere can tell" in out and "By the key in it" not in out
    theirs = subprocess.run([TOOL, base / "b"], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert f"It ends with record {len(b.records)}, {sha(b.records[-1])}" in theirs
    assert "drill 'd1': 's' 'failed', score 1.0" in theirs
    for said in (theirs, hf("evidence", "verify", base / "b").out):
        assert "only a head" in said and "By the key in it: who made it anew is not caught" in said
    (base / "b").write_text("".join(b.records))
    assert "By the key in it" in subprocess.run([TOOL, base / "b"], stdout=subprocess.PIPE, check=True, text=True).stdout


def test_a_head_kept_elsewhere_shows_that_a_bundle_is_of_before(hf, base):
    b = made()
    (base / "b").write_text("".join(b.lines()))
    (base / "now").write_text(b.head())
    assert "Nothing was cut off before record 5" in hf("evidence", "verify", base / "b", "--head", base / "now").out
    b.add("prune")
    (base / "later").write_text(b.head())
    assert "cut off" in hf("evidence", "verify", base / "b", "--head", base / "later", rc=20).err


def cases():
    """Name, lines, what is said of them.  Lines: header, five records, head, two drills."""
    b = made()
    whole = b.lines()
    h, begin, backup, passed, prune, failed, head, first, second = whole
    yield "the last drill cut, with its record", [h, begin, backup, passed, prune, head, first], "cut off"
    yield "no head", [x for x in whole if x != head], "cut off"
    yield "nothing behind the records", whole[:6], "cut off"
    yield "no record", [h, head], "empty"
    yield "a header alone", [h], "empty"
    yield "nothing", [], "empty"
    yield "a head by another key", b.lines(b.head(STRANGER)), "line 7: wrong key"
    yield "a head that only names the key", changed(b.lines(b.head(STRANGER)), 6, public(STRANGER), public(CHAIN)), "line 7: altered"
    yield "a head of an earlier record", b.lines(b.head(sequence=4, hash=sha(prune))), "line 7: rewritten"
    yield "a head of other content", b.lines(b.head(hash="0" * 64)), "line 7: rewritten"
    yield "a head of another chain", b.lines(b.head(chain="cd" * 16)), "line 7: another chain"
    yield "a head that knows more", b.lines(b.head(sequence=6)), "cut off"
    yield "a head that says NaN", b.lines(sign(compact({**json.loads(head), "score": float("nan")}), CHAIN)), "line 7: altered"
    yield "a head of numbers", b.lines(b.head(hash=1)), "line 7: altered"
    without = {k: v for k, v in json.loads(head).items() if k not in ("hash", "signature")}
    yield "a head without a hash", b.lines(sign(compact(without), CHAIN)), "line 7: altered"
    yield "two heads", [*whole[:7], head, *whole[7:]], "line 8: altered"
    yield "the head last", [*whole[:6], first, second, head], "cut off"
    yield "a record behind the head", [*whole[:5], head, failed, first, second], "cut off"
    yield "records behind the head", [h, begin, prune, head, backup, passed, failed], "line 3: removed"
    yield "a record added behind the head", [*whole, b.record("prune", {})], "line 10: altered"
    yield "a record altered", changed(whole, 2, '"backup"', '"prune"'), "line 3: altered"
    yield "a record removed", [h, begin, passed, prune, failed, head, first, second], "line 3: removed"
    yield "the first removed", [h, *whole[2:]], "line 2: removed"
    yield "two records changed over", [h, begin, passed, backup, *whole[4:]], "line 3: reordered"
    yield "the first two changed over", [h, backup, begin, *whole[3:]], "line 2: reordered"
    yield "a record twice", [h, begin, backup, backup, *whole[3:]], "line 4: reordered"
    yield "a record by another key", changed(whole, 2, backup, b.record("backup", {}, 2, sha(begin), STRANGER)), "line 3: wrong key"
    yield "a record that follows another", changed(whole, 2, backup, b.record("backup", {}, 2, "1" * 64)), "line 3: relinked"
    yield "a record of another chain", changed(whole, 2, backup, Bundle("cd" * 16).record("backup", {})), "line 3: another chain"
    yield "a record whose key is a list", changed(whole, 2, f'"key":"{public(CHAIN)}"', '"key":["x"]'), "line 3: altered"
    yield "an unknown type", [*whole[:3], sign('{"type":"note"}', CHAIN), *whole[3:]], "line 4: altered"
    yield "a type that is null", [*whole[:3], sign('{"type":null}', CHAIN), *whole[3:]], "line 4: altered"
    yield "a type that is a list", [*whole, sign('{"type":["drill"]}', CHAIN)], "line 10: altered"
    yield "no type", [*whole, "{}\n"], "line 10: altered"
    yield "no JSON", [*whole[:3], "nonsense\n", *whole[3:]], "line 4: altered"
    yield "an empty line", [*whole, "\n"], "line 10: altered"
    yield "a second header", [h, *whole], "line 2: altered"
    yield "a header at the end", [*whole, h], "line 10: altered"
    yield "a blank in the header", [h.replace(":", ": ", 1), *whole[1:]], "line 1: altered"
    yield "a header with NaN", [h.replace('"format":1', '"format":NaN'), *whole[1:]], "line 1: altered"
    yield "a header with a key twice", [h.replace('"format":1', '"made":1'), *whole[1:]], "line 1: altered"
    yield "a header without a key", [h.replace("public_key", "other"), *whole[1:]], "line 1: altered"
    yield "a header with a wider key", [h.replace("MCow", "MC ow"), *whole[1:]], None
    yield "a header with a narrower frame", [h.replace("END PUBLIC", "ENDPUBLIC"), *whole[1:]], "line 1: altered"
    yield "a header with another key", [h.replace(pem(CHAIN)[28:80], pem(STRANGER)[28:80]), *whole[1:]], "line 2: wrong key"
    yield "no end", [*whole[:8], second[:-1]], "line 9: torn"
    yield "a head without end", [*whole[:6], head[:-1]], "line 7: torn"
    yield "a record without end", [*whole[:5], failed[:-1]], "line 6: torn"
    yield "a header without end", [h[:-1]], "line 1: torn"
    yield "cut within the last", [*whole[:8], second[:100]], "line 9: torn"
    yield "a drill missing", [*whole[:7], first], "line 6: removed"
    yield "all drills missing", whole[:7], "line 4: removed"
    yield "a drill twice", [*whole, second], "line 10: unknown"
    yield "a drill altered", changed(whole, 8, '"failed"', '"passed"'), "line 9: altered"
    yield "a drill of before", [*whole, sign('{"type":"drill","id":"d9","key":"%s"}' % public(CHAIN), CHAIN)], "line 10: unknown"
    yield "a drill by another key", [*whole, sign('{"type":"drill","key":"%s"}' % public(STRANGER), STRANGER)], "line 10: wrong key"
    yield "a drill whose key is a list", [*whole, sign('{"type":"drill","key":["a"]}', CHAIN)], "line 10: altered"
    yield "a drill without key", [*whole, sign('{"type":"drill","id":1}', CHAIN)], "line 10: altered"
    deep = "[" * 100000 + "]" * 100000
    yield "depths", [*whole, sign('{"type":"drill","x":%s}' % deep, CHAIN)], "line 10: altered"
    deep = "[" * 1500 + "]" * 1500
    yield "less deep", [*whole, changed([second], 0, '"score":1.0', f'"score":{deep}')[0]], "line 10: altered"
    yield "a long line", [*whole, sign('{"type":"drill","x":"%s"}' % ("x" * 70000), CHAIN)], "line 10: altered"
    yield "a member twice", [*whole, changed([second], 0, '"id"', '"system":"t","id"')[0]], "line 10: altered"
    yield "drills in another order", [*whole[:7], second, first], None
    r = made(rotated=True)
    whole = r.lines()
    yield "the former key's head", r.lines(r.head(CHAIN)), "line 8: wrong key"
    yield "a record by the former key", changed(whole, 6, whole[6], r.record("x", {}, 6, sha(whole[5]), CHAIN)), "line 7: wrong key"
    r = made()
    r.rotate(LATER, consents=STRANGER)
    yield "a key that has not consented", r.lines(), "line 7: wrong key"


def test_both_verifiers_say_the_same_of_each_tampering(verified):
    wrong = []
    for name, lines, says in cases():
        for trusted in ([], [CHAIN]):
            if trusted and name == "a header with another key":
                continue
            try:
                said = verified(lines, *trusted)
            except AssertionError as e:
                said = f"not the same: {e}"
            wrong += [] if said == says else [f"{name}: {said}; wanted {says}"]
    assert not wrong, "\n".join(wrong)


def tampered(rng, lines):
    """A line away, twice, elsewhere, of another; a byte changed, away, more; cut."""
    what, i = rng.randrange(8), rng.randrange(len(lines))
    line, p, byte = lines[i], rng.randrange(len(lines[i])), rng.choice('0a"{}[],: \n\\1Z')
    if what == 0:
        del lines[i]
    elif what == 1:
        lines.insert(rng.randrange(len(lines) + 1), line)
    elif what == 2:
        j = rng.randrange(len(lines))
        lines[i], lines[j] = lines[j], line
    elif what < 6:
        lines[i] = line[:p] + ("" if what == 4 else byte) + line[p + (what != 5):]
    else:
        del lines[i + 1:]
        lines[i] = line[:p] if what == 7 else line
    return "".join(lines).splitlines(keepends=True)


def test_both_verifiers_say_the_same_of_anything(verified):
    for seed in range(trials(400)):
        rng = random.Random(seed)
        lines = rng.choice([made().lines(), made(rotated=True).lines(), made().records])
        for _ in range(rng.randrange(1, 4)):
            lines = tampered(rng, lines) if lines else lines
        verified(lines, CHAIN)


def test_both_end_with_the_same_status(hf, base):
    """As programs, of some."""
    whole = made().lines()
    (base / "pub").write_text("rubbish")
    for lines, more, status in ((whole, [], 0), (whole[:6], [], 20), (whole, ["--public-key", base / "pub"], 2),
                                (whole, ["--public-key", base / "none"], 1)):
        (base / "b").write_text("".join(lines))
        assert hf("evidence", "verify", base / "b", *more, rc=None).rc == status
        r = subprocess.run([TOOL, base / "b", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert r.returncode == status, r.stderr


def test_a_pipe_is_not_waited_for(hf, base):
    os.makedirs(base / "state")
    (base / "state" / "evidence.pub").write_text(pem(CHAIN))
    os.mkfifo(base / "p")
    for words in (["verify"], ["show"], ["export"]):
        assert "no plain file" in hf("evidence", *words, base / "p", rc=2, timeout=60).err
    r = subprocess.run([TOOL, base / "p"], stdout=subprocess.DEVNULL, timeout=60)
    assert r.returncode == 2


def test_a_bundle_is_verified_as_it_is_read(hf, base):
    """However large it is, and however long a line."""
    with open(base / "b", "w", encoding="ascii") as f:
        f.write(made().header())
        f.truncate(300 << 20)
    p = subprocess.run(["prlimit", f"--as={250 << 20}", BINARY, "evidence", "verify", base / "b"], env=hf.environment(),
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=120)
    assert p.returncode == 20 and "line 2: altered" in p.stderr, p
