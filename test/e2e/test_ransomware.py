"""Attacks by who holds a key or the store's deletion right: on retention, on the newest snapshots, on the past."""
import os
import time

import pytest

from conftest import restored, same_tree

DAY = 86400


@pytest.fixture
def three(repo, tree):
    """A repository with three snapshots; .ids are theirs, oldest first."""
    repo.ids = []
    for i in range(3):
        tree.file("f", os.urandom(300_000))
        tree.file(f"g{i}", os.urandom(30_000))
        repo.ids.append(repo.backup(tree.path))
    return repo


def listed(hf, *args):
    return {i["snapshot"]: i for i in hf("--json", "snapshots", *args).json("item")}


def age(hf, folder, seconds):
    """Let the objects of a folder have been stored so long ago, by the store's clock."""
    for path in hf.objects(folder):
        when = os.stat(path).st_mtime_ns - seconds * 10**9
        os.utime(path, ns=(when, when))


# ---- The trash.

def test_a_forgotten_snapshot_can_be_restored_and_brought_back_until_it_is_due(three, tree, base):
    first = three.ids[0]
    three("forget", first)
    assert first not in listed(three)
    item = listed(three, "--trash")[first]
    assert item["forgotten"] and item["due"] > item["forgotten_at"]
    assert first[:8] in three("snapshots", "--trash").out and "trash until" in three("snapshots", "--trash").out
    three("prune", "--exclusive")
    three("restore", first, "--target", base / "out")
    assert sorted(os.listdir(restored(base / "out", tree.path))) == [b"f", b"g0"]
    assert three("--json", "forget", "--undo", first).summary["undone"] == 1
    assert first in listed(three) and not listed(three, "--trash")
    three.check_clean()


def test_prune_deletes_what_is_due_by_the_stores_clock(three):
    three("forget", "--delay", "7d", three.ids[0])
    age(three, "notes", 7 * DAY - 600)
    three("prune", "--exclusive")
    assert three.ids[0] in listed(three, "--trash")
    age(three, "notes", 700)
    three("prune", "--exclusive")
    assert not listed(three, "--trash") and len(three.objects("snapshots")) == 2
    three.check_clean()


def test_forget_now_makes_what_is_in_the_trash_due(three):
    three("forget", three.ids[0])
    three("prune", "--exclusive")
    assert three.ids[0] in listed(three, "--trash")
    three("forget", "--now", three.ids[0])
    three("prune", "--exclusive")
    assert not listed(three, "--trash")


def test_rules_count_only_what_is_not_forgotten(three):
    three("forget", three.ids[2])
    r = three("--json", "forget", "--keep-last", "1")
    assert {i["snapshot"]: i["keep"] for i in r.json("item")} == {three.ids[0]: False, three.ids[1]: True}


# ---- Pins and holds.

@pytest.mark.parametrize("how, undo", [("--pin", "--unpin"), ("--hold", "--release")])
def test_forget_refuses_and_prune_spares_what_is_pinned_or_held(three, how, undo):
    first = three.ids[0]
    three("tag", how, first)
    item = listed(three)[first]
    assert item["pinned"] == (how == "--pin") and item["held"] == (how == "--hold") and len(item["kept_by"]) == 32
    r = three("forget", "--now", first, rc=3)
    assert item["kept_by"][:8] in r.out and "since" in r.out and "--release" in r.err
    three("forget", "--now", "--keep-last", "1", rc=3)
    three("prune", "--exclusive")
    assert set(listed(three)) == {first, three.ids[2]}
    three("tag", undo, first)
    three("forget", "--now", first)
    three("prune", "--exclusive")
    assert set(listed(three)) == {three.ids[2]}
    three.check_clean()


def test_a_hold_wins_over_a_forget_that_is_due(three):
    first = three.ids[0]
    three("forget", "--now", first)
    three("tag", "--hold", first)
    three("prune", "--exclusive")
    assert "held" in three("snapshots", "--trash").out
    three("restore", first, "--target", three.base + "/out")
    three("tag", "--release", first)
    three("prune", "--exclusive")
    assert first not in listed(three, "--trash")


def test_a_hold_ends_at_its_time_and_no_sooner(three):
    first = three.ids[0]
    three("tag", "--hold", "--until", "2099-12-31", first)
    assert listed(three)[first]["held_until"].startswith("2099-12-3")
    three("tag", "--hold", "--until", "2098-12-31", first, rc=2)
    assert "future" in three("tag", "--hold", "--until", "2001-01-01", three.ids[1], rc=2).err
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    three("tag", "--hold", "--until", end, three.ids[1])
    deadline = time.monotonic() + 30
    r = three("forget", three.ids[1], rc=None)
    while r.rc == 3 and time.monotonic() < deadline:
        r = three("forget", three.ids[1], rc=None)
    assert r.rc == 0, r
