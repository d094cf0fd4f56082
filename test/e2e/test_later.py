"""What a later version wrote, under the same format number: this one leaves it alone, and deletes nothing on its account."""
import os
import sys

import pytest

from conftest import ROOT, restored, same_tree

sys.path.insert(0, os.path.join(ROOT, "test/golden"))
import write_repo  # noqa: E402

rr = write_repo.rr


@pytest.fixture
def forger(repo):
    return lambda: write_repo.Forger(repo.repo, repo.key_file)


def put_note(f, snapshot, op, value=""):
    text = rr.canonical({"snapshot": snapshot, "op": op, "time": "2026-01-01T00:00:00.000000000Z", "value": value,
                         "signer": f.signer.hex()})
    data = f.envelope(rr.NOTE, [f.sealed[2]], [(9, *f.run[2], text), (11, *f.run[2], None)])
    path = f"{f.path.decode()}/notes/{snapshot}.{f.object_hash(data).hex()}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(data)
    return path


def test_a_note_of_an_unknown_kind_keeps_its_snapshot(repo, forger, tree):
    """It may be a hold."""
    tree.file("a", b"1")
    first = repo.backup(tree.path)
    tree.file("a", b"22")
    repo.backup(tree.path)
    note = put_note(forger(), first, "legal-hold")
    repo("forget", "--now", first, rc=3)
    repo("prune", "--exclusive")
    repo("restore", first, "--target", repo.base + "/out")
    os.unlink(note)
    repo("prune", "--exclusive")
    repo("restore", first, "--target", repo.base + "/out2", rc=1)


def test_notes_on_no_snapshot_that_cannot_be_read_stay(repo, forger, tree):
    """Of an epoch that config does not know, of another kind, or damaged: only junk goes."""
    tree.file("a", b"1")
    first, second = repo.backup(tree.path), repo.backup(tree.path, "--type", "full")
    f = forger()
    other = put_note(f, "00" * 32, "audit-head")
    f.config = f.config | {"epoch": 7}
    f.sealed[2] = f.seal_data_key(2)
    foreign = put_note(f, "00" * 32, "gone", "")
    repo("forget", "--now", first)
    repo("prune", "--exclusive", rc=None)
    assert not any(first in s for s in repo.objects("snapshots")), "the prune removed it, and wrote what is gone"
    mine = [n for n in repo.objects("notes") if n not in (other, foreign)]
    assert len(mine) >= 1 and os.path.exists(other) and os.path.exists(foreign)
    for name in mine:
        with open(name, "r+b") as out:
            out.truncate(os.path.getsize(name) - 1)
    repo("forget", "--now", second, rc=None)
    repo("prune", "--exclusive", rc=None)
    assert not repo.objects("snapshots")
    assert all(os.path.exists(n) for n in [*mine, other, foreign])


def test_parity_of_an_unknown_kind_stays(hf, tree):
    repo = hf.init("--parity", "10%")
    tree.file("a", b"1")
    repo.backup(tree.path)
    for kind in "logs", "index":
        os.makedirs(f"{repo.repo}/parity/{kind}", exist_ok=True)
        with open(f"{repo.repo}/parity/{kind}/{'ab' * 32}", "wb") as f:
            f.write(b"of something")
        os.utime(f.name, (1e9, 1e9))
    repo("prune", "--exclusive")
    assert os.path.exists(f"{repo.repo}/parity/logs/{'ab' * 32}")
    assert not os.path.exists(f"{repo.repo}/parity/index/{'ab' * 32}")


def test_a_directory_that_is_not_understood_stops_no_repair(repo, forger, tree):
    f = forger()
    later = f.commit(f.directory([(write_repo.entry(rr.FILE, b"later", fields=64), b"\0")]))
    tree.file("a", os.urandom(100_000))
    mine = repo.backup(tree.path)
    lost = repo.objects("packs")[0]
    os.unlink(lost)
    r = repo("repair", rc=None)
    assert r.rc in (0, 3) and "unknown fields" in r.err, r
    ids = {i["snapshot"] for i in repo("--json", "snapshots").json("item") if "snapshot" in i}
    assert later in ids and mine not in ids and len(ids) == 2, "what can be mended was, the other is as it was"


def test_a_file_of_the_name_of_restores_own_is_not_lost_silently(repo, tree, base):
    tree.file("a", b"1")
    tree.file(".holdfast-unfinished", b"mine")
    tree.file("sub/.holdfast-unfinished", b"below")
    repo.backup(tree.path)
    r = repo("restore", "latest:" + os.fsdecode(tree.path), "--target", base / "out", rc=3)
    assert ".holdfast-unfinished" in r.err and "left out" in r.err, r
    assert sorted(os.listdir(base / "out")) == ["a", "sub"] and os.listdir(base / "out/sub") == [".holdfast-unfinished"]
    repo("restore", "latest", "--target", base / "whole")
    same_tree(restored(base / "whole", tree.path), tree.path)


def test_what_is_gone_is_written_into_one_note_now_and_then(repo, tree):
    """Else each prune adds one for ever; and what was gone before them stays gone rightly."""
    most = 0
    for i in range(20):
        tree.file("a", b"%d" % i)
        repo.backup(tree.path)
        repo("forget", "--keep-last", "1", "--now")
        repo("prune", "--exclusive")
        most = max(most, sum("0" * 64 in n for n in repo.objects("notes")))
    assert 10 < most <= 20, "they stand side by side, up to a number, with one that says what was pruned"
    assert sum("0" * 64 in n for n in repo.objects("notes")) < 10
    repo.check_clean()
