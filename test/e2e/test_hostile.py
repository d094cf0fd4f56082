"""Trees that no honest program would store, with every seal and signature right.

A holder of a key could make them. They are refused or harmless: no crash, nothing outside the
target, and check calls what breaks format.md damage (20).
"""
import json
import os
import struct
import sys

import pytest
import zstandard

from conftest import ROOT

sys.path.insert(0, os.path.join(ROOT, "test/golden"))
import read_repo as rr  # noqa: E402
from write_repo import Forger, entry, varint  # noqa: E402

NONE = b"\0"
D, F, S = rr.DIRECTORY, rr.FILE, rr.SYMLINK


@pytest.fixture
def forger(repo, base):
    (base / "tree").mkdir()
    (base / "tree/honest").write_text("honest")
    repo.backup(base / "tree")
    (base / "outside").mkdir()
    (base / "outside/victim").write_text("untouched")
    return Forger(repo.repo, repo.key_file)


def attempt(repo, base, forger, root, damage=True):
    """Check and restore the forged snapshot; nothing may be outside the target."""
    snapshot = forger.commit(root)
    before = set(os.listdir(base))
    check = repo("check", "--read-data", rc=None)
    assert check.rc == (20 if damage else 0), check
    restore = repo("restore", snapshot, "--target", base / "out", rc=None)
    assert restore.rc in ((1, 3, 20) if damage else (0, 3)), restore
    assert set(os.listdir(base)) - before <= {"out", "cache", "state", "run"}, restore
    assert os.listdir(base / "outside") == ["victim"]
    assert (base / "outside/victim").read_text() == "untouched"
    repo("ls", snapshot, rc=None)
    return snapshot


def test_an_honest_forgery_restores(repo, base, forger):
    sub = forger.directory([(entry(F, b"f", size=5), forger.file_ref(b"12345"))])
    attempt(repo, base, forger, forger.directory([(entry(D, b"sub", mode=0o755), b"\1" + sub)]), damage=False)
    assert (base / "out/sub/f").read_text() == "12345"


@pytest.mark.parametrize("name", [b"..", b".", b"", b"../outside/new", b"/tmp/holdfast-evil", b"a/b", b"a\0b", b"x" * 5000],
                         ids=["dotdot", "dot", "empty", "up", "absolute", "slash", "nul", "long"])
@pytest.mark.parametrize("kind", [F, D, S], ids=["file", "directory", "symlink"])
def test_hostile_names_are_damage(repo, base, forger, kind, name):
    empty = forger.directory([])
    ref = b"\1" + empty if kind == D else NONE
    attempt(repo, base, forger, forger.directory([(entry(kind, name, target=b"x", mode=0o755), ref)]))
    assert not os.path.exists("/tmp/holdfast-evil")


@pytest.mark.parametrize("names", [(b"a", b"a"), (b"b", b"a"), (b"ab", b"a")], ids=["twice", "falling", "prefix"])
def test_names_that_do_not_rise_are_damage(repo, base, forger, names):
    attempt(repo, base, forger, forger.directory([(entry(F, n), NONE) for n in names]))


def test_a_directory_below_a_symlink_of_the_same_name_is_damage(repo, base, forger):
    below = forger.directory([(entry(F, b"new", size=4), forger.file_ref(b"evil"))])
    attempt(repo, base, forger, forger.directory([
        (entry(S, b"a", target=os.fsencode(base / "outside"), mode=0o777), NONE),
        (entry(D, b"a", mode=0o755), b"\1" + below)]))


def test_a_symlink_out_of_the_target_is_made_and_never_followed(repo, base, forger):
    target = os.fsencode(base / "outside")
    snapshot = attempt(repo, base, forger, forger.directory([(entry(S, b"a", target=target, mode=0o777), NONE)]),
                       damage=False)
    assert os.readlink(base / "out/a") == os.fsdecode(target)
    repo("restore", snapshot, "--target", base / "out", "--overwrite", "always", rc=None)
    assert os.listdir(base / "outside") == ["victim"]


def test_a_link_group_of_a_symlink_and_a_file_writes_through_nothing(repo, base, forger):
    victim = os.fsencode(base / "outside/victim")
    root = forger.directory([
        (entry(S, b"a", target=victim, mode=0o777, link=7), NONE),
        (entry(F, b"b", size=4, link=7), forger.file_ref(b"evil"))])
    snapshot = forger.commit(root)
    repo("restore", snapshot, "--target", base / "out", rc=None)
    assert (base / "outside/victim").read_text() == "untouched"


def test_a_symlink_waiting_in_the_target_is_not_followed(repo, base, forger):
    below = forger.directory([(entry(F, b"new", size=4), forger.file_ref(b"evil"))])
    snapshot = forger.commit(forger.directory([(entry(D, b"a", mode=0o755), b"\1" + below)]))
    (base / "out").mkdir()
    (base / "out/a").symlink_to(base / "outside")
    repo("restore", snapshot, "--target", base / "out", "--overwrite", "always", rc=None)
    assert os.listdir(base / "outside") == ["victim"]


@pytest.mark.parametrize("bad", [
    {"kind": 9}, {"fields": 16}, {"mode": 0o10000}, {"nsec": 10**9},
    {"holes": [(0, 100)]}, {"holes": [(2**63, 2**63)]}, {"size": 2**62}, {"size": 3}],
    ids=lambda b: next(iter(b)) + str(next(iter(b.values())))[:9])
def test_fields_out_of_range_are_damage(repo, base, forger, bad):
    fields = {"size": 5, **bad}
    kind = fields.pop("kind", F)
    attempt(repo, base, forger, forger.directory([(entry(kind, b"f", **fields), forger.file_ref(b"12345"))]))


@pytest.mark.parametrize("ref", [b"\1" + bytes(32), b"\3\1" + bytes(32), b"\3\x09" + bytes(32), b"\2" + varint(2000),
                                 b"\2" + varint(2**60), b"\7"],
                         ids=["directory", "no-list", "deep-list", "many", "huge", "unknown"])
def test_refs_that_do_not_fit_are_damage(repo, base, forger, ref):
    attempt(repo, base, forger, forger.directory([(entry(F, b"f", size=5), ref)]))


def test_a_count_beyond_the_bytes_is_damage(repo, base, forger):
    attempt(repo, base, forger, forger.directory([(entry(F, b"f"), NONE)], count=2**40))


def test_a_directory_without_its_blobs_is_damage(repo, base, forger):
    attempt(repo, base, forger, forger.directory([(entry(D, b"d", mode=0o755), b"\1" + os.urandom(32))]))


@pytest.mark.parametrize("claim", [64, 8 << 20], ids=["small", "largest"])
def test_a_decompression_bomb_is_damage(repo, base, forger, claim):
    bomb = zstandard.ZstdCompressor().compress(bytes(512 << 20))
    ident = forger.add(rr.CONTENT, b"x", codec=1, stored=bomb, claim=claim)
    attempt(repo, base, forger,
            forger.directory([(entry(F, b"f", size=claim), b"\2" + varint(1) + ident)]))


def test_a_frame_that_claims_to_be_huge_is_damage(repo, base, forger):
    ident = forger.add(rr.CONTENT, b"x", claim=2**62)
    attempt(repo, base, forger, forger.directory([(entry(F, b"f", size=2**62), b"\2" + varint(1) + ident)]))


def test_blobs_that_lie_about_their_content_are_damage(repo, base, forger):
    ident = forger.add(rr.CONTENT, b"sealed", stored=b"forged")
    attempt(repo, base, forger, forger.directory([(entry(F, b"f", size=6), b"\2" + varint(1) + ident)]))
    assert not os.path.exists(base / "out/f") or (base / "out/f").read_bytes() != b"forged"


def test_a_content_list_nested_in_itself_by_depth_ends(repo, base, forger):
    ident = forger.add(rr.CONTENT, b"12345")
    for _ in range(8):
        ident = forger.add(rr.REFS, b"\3" + varint(1) + ident)
    attempt(repo, base, forger, forger.directory([(entry(F, b"f", size=5), struct.pack("BB", 3, 8) + ident)]),
            damage=False)
    assert (base / "out/f").read_text() == "12345"


def test_directories_nested_beyond_the_limit_are_damage(repo, base, forger):
    tree = forger.directory([])
    for _ in range(4200):
        tree = forger.directory([(entry(D, b"d", mode=0o755), b"\1" + tree)])
    attempt(repo, base, forger, tree)


def test_a_key_object_that_asks_for_gigabytes_costs_nothing(repo):
    """Whoever can write to the store can put one there: its costs are looked at before they are paid."""
    kdf = {"name": "scrypt", "n": 1 << 20, "r": 8, "p": 16, "salt": "5a" * 32}
    info = json.dumps({"holder": "00" * 16, "role": "full", "label": "", "created": "", "kdf": kdf}).encode()
    key = b"HOLDFAST" + rr.VER + bytes([5, 0, 0]) + struct.pack("<I", len(info)) + info + struct.pack("<I", 100) + bytes(100)
    with open(f"{repo.repo}/keys/{rr.blake3(key).hex()}", "wb") as f:
        f.write(key)
    got = repo("snapshots", rc=12, env={"HOLDFAST_KEY_FILE": None, "HOLDFAST_PASSWORD": "any"})
    assert "more work than any password may cost" in got.err
    repo("snapshots")
