"""Attacks by who holds a key or the store's deletion right: on retention, on the newest snapshots, on the past."""
import hashlib
import os
import shutil
import sys
import time

import pytest

from conftest import ROOT, restored, same_tree

sys.path.insert(0, os.path.join(ROOT, "test/golden"))
import write_repo  # noqa: E402

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
    return {i["snapshot"]: i for i in hf("--json", "snapshots", *args).json("item") if "snapshot" in i}


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
    assert {i["snapshot"]: i["keep"] for i in r.json("item") if "keep" in i} == {three.ids[0]: False, three.ids[1]: True}


def everything(hf):
    return {p: (os.stat(p).st_mtime_ns, os.path.getsize(p)) for p in hf.objects("")}


def test_a_dry_prune_shows_what_would_go_and_why_and_writes_nothing(repo, tree):
    for i in range(60):
        tree.file(f"f{i}", os.urandom(300_000))
    first = repo.backup(tree.path)
    for i in range(59):
        tree.file(f"f{i}", os.urandom(300_000))
    repo.backup(tree.path)
    lone = tree.path + b"-alone"
    os.mkdir(lone)
    with open(lone + b"/f", "wb") as f:
        f.write(os.urandom(500_000))
    alone = repo.backup(lone)
    assert repo("--json", "prune", "-n").json("item") == []
    repo("forget", "--now", first, alone)
    age(repo, "packs", 2 * DAY)
    age(repo, "meta", 2 * DAY)
    before = everything(repo)
    items = [i for i in repo("--json", "prune", "-n").json("item") if "action" in i]
    out = repo("prune", "-n").out
    assert everything(repo) == before
    of = lambda action: [i for i in items if i["action"] == action]
    assert {i["object"] for i in of("remove")} == {f"snapshots/{first}", f"snapshots/{alone}"}
    assert [i for i in of("mark") if i["object"].startswith("packs/")] and "deleted after" in of("mark")[0]["reason"]
    (again,) = [i for i in of("repack") if i["object"].startswith("packs/")]
    # 59 of 60 files are unused, but for those that share a frame (of 4 MiB) with the one in use.
    assert 70 < again["dead_percent"] < 98.4 and f"{again['dead_percent']:.1f} % unused" in out
    assert all(i["object"] in out and i["reason"] for i in items)
    repo("prune")
    age(repo, "marks", 3600)
    waiting = [i for i in repo("--json", "prune", "-n").json("item") if i.get("action") == "wait"]
    assert waiting and all("marked since" in i["reason"] and i["since"] < i["due"] for i in waiting)
    age(repo, "marks", 2 * DAY)
    dry = repo("--json", "prune", "-n")
    gone = {i["object"] for i in dry.json("item") if i.get("action") == "delete"}
    assert gone == {i["object"] for i in waiting}
    there = everything(repo)
    repo("prune")
    assert {os.path.relpath(p, repo.repo) for p in set(there) - set(everything(repo)) if "/packs/" in p or "/meta/" in p} == gone
    repo.check_clean()


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
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
    three("tag", "--hold", "--until", end, three.ids[1])
    deadline = time.monotonic() + 120
    r = three("forget", three.ids[1], rc=None)
    while r.rc == 3 and time.monotonic() < deadline:
        r = three("forget", three.ids[1], rc=None)
    assert r.rc == 0, r


# ---- Deleted, or set back, behind our back.

def copy_of(hf, name="old"):
    shutil.copytree(hf.repo, f"{hf.base}/{name}", symlinks=True)
    return f"{hf.base}/{name}"


def set_back(hf, old, *folders):
    for folder in folders:
        path = os.path.join(hf.repo, folder)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        src = os.path.join(old, folder)
        shutil.copytree(src, path) if os.path.isdir(src) else shutil.copy2(src, path)


def other_machine(hf):
    """The environment of one that has seen nothing yet."""
    return {"HOLDFAST_STATE_DIR": hf.base + "/other-state", "HOLDFAST_CACHE_DIR": hf.base + "/other-cache"}


def test_a_snapshot_deleted_behind_our_back_is_a_finding_for_everybody(three):
    three.check_clean()
    os.unlink(f"{three.repo}/snapshots/{three.ids[1]}")
    signer = three("--json", "key", "list").json("item")[0]["holder"][:8]
    r = three("check", rc=20, env=other_machine(three))
    assert "number 2 of client" in r.err and signer in r.err and "--json" not in r.err, r
    summary = three("--json", "check", rc=20, env=other_machine(three)).summary
    assert summary["findings"] == 1 and summary["damaged_objects"] == 0
    three("repair", "snapshots", "--accept-history", "--dry-run")
    three("check", rc=20)
    three("repair", "snapshots", "--accept-history")
    three.check_clean()


def test_a_write_key_makes_and_hides_no_gap_in_the_name_of_anothers_client(three, tree):
    """The numbers of a client are its signer's own: a stolen key that uses another's client id is named itself."""
    three("key", "add", "--role", "write", "--new-key-file", three.base + "/thief")
    owner = write_repo.Forger(three.repo, three.key_file)
    heads = {head["sequence"]: head for _, head, _ in owner.snapshots()}
    forge = lambda n: write_repo.Forger(three.repo, three.base + "/thief").commit(
        os.urandom(32), client=heads[1]["client"], sequence=n)
    victim, thief = heads[1]["signer"][:8], write_repo.Forger(three.repo, three.base + "/thief").signer.hex()[:8]
    told = lambda: {l.split("(")[0].split()[1]: l.split("signer ")[1][:8]
                    for l in three("check", rc=20, env=other_machine(three)).err.splitlines() if "no prune deleted" in l}
    forge(9)
    assert set(told().values()) == {thief}, "the victim's numbers end with 3"
    os.unlink(f"{three.repo}/snapshots/{three.ids[1]}")
    forge(2)
    found = [l for l in three("check", rc=20, env=other_machine(three)).err.splitlines() if "number 2 of client" in l]
    assert len(found) == 1 and f"signer {victim}" in found[0], found


def test_two_keys_on_one_machine_number_their_own_snapshots(three, tree):
    three("key", "add", "--new-key-file", three.base + "/second")
    for key in ("second", "key", "second"):
        three.backup(tree.path, env={"HOLDFAST_KEY_FILE": f"{three.base}/{key}"})
    three.check_clean()
    three("check", env=other_machine(three))
    three("forget", "--now", "--keep-last", "1")
    three("prune", "--exclusive")
    three("check", env=other_machine(three))


def test_the_newest_snapshot_deleted_is_noticed_by_who_has_seen_it(three):
    three.check_clean()
    os.unlink(f"{three.repo}/snapshots/{three.ids[2]}")
    assert "number 3 of client" in three("snapshots").err
    assert "number 3 of client" in three("check", rc=20).err
    three("check", env=other_machine(three))


def test_the_next_backup_notices_that_the_last_one_is_gone(three, tree):
    os.unlink(f"{three.repo}/snapshots/{three.ids[2]}")
    assert "number 3 of client" in three("backup", tree.path).err
    assert "number 3 of client" in three("check", rc=20, env=other_machine(three)).err


def test_junk_among_the_notes_makes_prune_forget_nothing_that_it_deleted(three):
    """The record of what was deleted rightly is notes on no snapshot; one that is junk is no such record."""
    three("forget", "--now", "--keep-last", "1")
    three("prune", "--exclusive")
    record = three.objects("notes")
    junk = f"{three.repo}/notes/{'0' * 64}.{hashlib.sha256(b'junk').hexdigest()}"
    with open(junk, "wb") as f:
        f.write(b"junk")
    three("prune", "--exclusive")
    assert set(record) <= set(three.objects("notes"))
    r = three("check", rc=20)
    assert "no prune deleted" not in r.err and os.path.basename(junk)[-64:] in r.err, r
    os.unlink(junk)
    three.check_clean()


def test_a_damaged_memory_is_none_and_no_false_alarm(three, tree, rng):
    three.check_clean()
    for d in ("state", "cache"):
        for folder, _, names in os.walk(f"{three.base}/{d}"):
            for path in [os.path.join(folder, n) for n in names if n.endswith((".seen", ".runs")) or n.startswith("client")]:
                data = bytearray(open(path, "rb").read())
                for _ in range(10):
                    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
                with open(path, "wb") as f:
                    f.write(data)
    assert "missing" not in three("backup", tree.path).err + three("snapshots").err
    three.check_clean()


def test_forget_and_prune_are_no_finding(three, tree):
    three.check_clean()
    for _ in range(3):
        three("forget", "--now", "--keep-last", "1")
        three("prune", "--exclusive")
        assert "missing" not in three("snapshots").err + three("check").err
        three("check", env=other_machine(three))
        three.backup(tree.path)
        three.backup(tree.path)
    # What each prune took, side by side while they are few, and what the last one saw.
    assert len([n for n in three.objects("notes") if "/000000" in n]) == 3 + 1
    three("forget", "--now", "latest")
    three("prune", "--exclusive")
    assert "missing" not in three("backup", tree.path).err
    three.check_clean()


@pytest.mark.parametrize("what", ["config", "keys", "snapshots", "the whole store"])
def test_a_rollback_is_noticed(three, tree, what):
    three("key", "add", "--new-key-file", three.base + "/second", "--label", "second")
    old = copy_of(three)
    second = next(k for k in three("--json", "key", "list").json("item") if k["label"] == "second")
    three.backup(tree.path)
    three("snapshots")
    three("key", "remove", second["holder"])
    three("check")
    set_back(three, old, *{"the whole store": os.listdir(old)}.get(what, [what]))
    said = {"config": ["config"], "keys": ["there again"], "snapshots": ["number 4"],
            "the whole store": ["config", "there again", "number 4"]}[what]
    for args, rc in ((["snapshots"], 0), (["check"], 20)):
        err = three(*args, rc=rc).err
        assert all(s in err for s in said) and "repair snapshots --accept-history" in err, err
    if what in ("config", "the whole store"):
        assert "set back" in three("backup", tree.path, rc=1).err
    three("repair", "snapshots", "--accept-history")
    # By the older config the second is a holder again, whose key is not there: to be removed once more.
    if what == "config":
        assert second["holder"][:8] in three("check", rc=3).err
        three("key", "remove", second["holder"])
    three.check_clean()


def at(hf, path):
    """The same machine and key, for the repository at another path."""
    other = type(hf).__new__(type(hf))
    other.__dict__ = {**hf.__dict__, "repo": path}
    return other


def test_a_copy_goes_its_own_way_and_is_no_rollback(three, tree):
    three.check_clean()
    copy = at(three, copy_of(three, "copy"))
    assert "warning" not in copy("snapshots").err
    copy.check_clean()
    for n in range(2):
        for hf in (copy, three):
            tree.file("f", os.urandom(10_000))
            hf.backup(tree.path)
            three("key", "add", "--new-key-file", f"{three.base}/k{n}{hf is copy}")
            for who in (copy, three):
                assert "missing" not in who("snapshots").err
                who.check_clean()
                who("check", env=other_machine(three))
                shutil.rmtree(three.base + "/other-state")
    # A link to it, or another way to write its path, is no other place.
    os.symlink(copy.repo, three.base + "/link")
    os.unlink(f"{copy.repo}/snapshots/{copy.backup(tree.path)}")
    assert "no prune deleted" in at(three, three.base + "/link/../link")("check", rc=20).err


def test_an_older_copy_is_told_as_one_and_has_a_way_out(three, tree):
    old = at(three, copy_of(three))
    three.backup(tree.path)
    three("key", "add", "--new-key-file", three.base + "/second")
    three.check_clean()
    for run in (old("snapshots"), old("check", rc=20), old("check", rc=20)):
        assert "older copy" in run.err and f"fs:{three.repo}" in run.err and "number 4" in run.err, run
    for args in (["backup", tree.path], ["key", "rotate"], ["repair"]):
        r = old(*args, rc=1)
        assert "--accept-history" in r.err and ("older copy" in r.err or three.repo in r.err), r
    three.check_clean()
    old("repair", "snapshots", "--accept-history")
    old.check_clean()
    for hf in (old, three):
        hf.backup(tree.path)
        hf.check_clean()
    # From here on the copy is remembered for itself.
    set_back(old, copy_of(old, "older"), "config")
    mark = copy_of(old, "mark")
    old("key", "rotate")
    set_back(old, mark, "config")
    assert "set back" in old("backup", tree.path, rc=1).err
    three.check_clean()


def test_check_needs_no_memory(three):
    r = three("check", env={"HOLDFAST_STATE_DIR": "/proc/nope"})
    assert "warning" in r.err and "remember" in r.err, r


def test_a_signer_who_is_no_writer_is_named(three, hf, tree, base):
    os.mkdir(base / "second")
    other = type(hf)(base / "second").init()
    alien = other.backup(tree.path)
    shutil.copy(f"{other.repo}/snapshots/{alien}", f"{three.repo}/snapshots")
    assert alien[:8] in three("check", rc=20).err


# ---- Retention.

def stored_at(hf, snapshot, when):
    os.utime(f"{hf.repo}/snapshots/{snapshot}", ns=(int(when * 10**9),) * 2)


def test_rules_drop_nothing_where_a_group_is_flooded(repo, tree):
    ids = []
    for i in range(12):
        tree.file("f", b"%d" % i)
        ids.append(repo.backup(tree.path))
        stored_at(repo, ids[-1], time.time() + i * DAY)
    r = repo("--json", "forget", "-n", "--keep-last", "8")
    assert r.summary["groups_flooded"] == 0 and r.summary["dropped"] == 4
    flood = [repo.backup(tree.path) for _ in range(8)]
    for n, snapshot in enumerate(flood):
        stored_at(repo, snapshot, time.time() + 12 * DAY + n)
    r = repo("forget", "--keep-last", "8", rc=3)
    assert "grew out of its rhythm: 8 snapshots" in r.err and "24.0 hours is usual" in r.err and "--flooded-ok" in r.err
    assert set(listed(repo)) == {*ids, *flood}
    repo("forget", "--keep-last", "8", "--flooded-ok")
    assert set(listed(repo)) == set(flood)


def test_one_signers_flood_pushes_out_none_of_anothers(repo, tree, base):
    mine = [repo.backup(tree.path) for _ in range(2)]
    repo("key", "add", "--new-key-file", base / "thief", "--label", "thief")
    theirs = [repo.backup(tree.path, env={"HOLDFAST_KEY_FILE": str(base / "thief")}) for _ in range(9)]
    repo("forget", "--keep-last", "3")
    assert set(listed(repo)) == {*mine, *theirs[-3:]}


def test_a_snapshot_dated_in_the_future_is_told_and_counts_for_nothing(three, tree):
    stored_at(three, three.ids[2], time.time() - 3600)
    assert "dated in the future" in three("snapshots").out and listed(three)[three.ids[2]]["future"]
    assert "counts for no rule" in three("check", rc=3).err
    r = three("--json", "forget", "-n", "--keep-last", "1")
    assert {i["snapshot"]: i["keep"] for i in r.json("item") if "keep" in i} == dict(zip(three.ids, [False, True, True]))
    assert three.ids[1] == list(listed(three, "latest"))[0]


# ---- Anomalies of a run.

@pytest.fixture
def documents(repo, tree, rng):
    """250 text files and four ordinary runs; .edit changes some as people do."""
    def text():
        return " ".join(rng.choice(["alpha", "beta", "gamma", "delta"]) for _ in range(2000)).encode() + rng.randbytes(40)

    def edit():
        for i in rng.sample(range(250), 5):
            tree.file(f"d{i % 7}/{i}.txt", text())
        tree.file(f"new{rng.randrange(1 << 30)}.jpg", rng.randbytes(2_000_000))

    for i in range(250):
        tree.file(f"d{i % 7}/{i}.txt", text())
    repo.edit = edit
    for _ in range(4):
        r = repo("--json", "backup", tree.path)
        assert r.summary["anomalies"] == [] and "anomaly" not in r.err + r.out
        edit()
    return repo


def anomalies(result):
    return {a["kind"]: a for a in result.summary["anomalies"]}


@pytest.mark.parametrize("suffix", ["", ".locked"])
def test_a_tree_that_is_encrypted_is_told_with_numbers(documents, tree, suffix):
    files = [os.path.join(d, f) for d, _, fs in os.walk(tree.path) for f in fs]
    for path in files:
        with open(path, "wb") as f:
            f.write(os.urandom(os.path.getsize(path) or 12_000))
        os.rename(path, path + suffix.encode())
    for path in [p + suffix.encode() for p in files]:
        with open(path, "wb") as f:
            f.write(os.urandom(12_000))
    r = documents("--json", "backup", tree.path)
    found = anomalies(r)
    assert set(found) == {"changed", "entropy"}
    known = len(files) - 1  # one picture came since the last run
    assert abs(found["changed"]["value"] - known / known) < 0.01 and found["changed"]["usual"] < 0.05
    assert f"of {known} files" in found["changed"]["message"]
    assert found["entropy"]["value"] > 0.98
    item = listed(documents)[r.summary["snapshot"]]
    assert {a["kind"] for a in item["anomalies"]} == set(found)
    assert "strange" in documents("snapshots").out and "rewritten" in documents("-v", "snapshots").out


def test_ordinary_changes_are_no_anomaly(documents, tree):
    assert anomalies(documents("--json", "backup", tree.path)) == {}
    os.rename(tree.at("d1"), tree.at("moved"))
    assert anomalies(documents("--json", "backup", tree.path)) == {}
    for d, _, fs in os.walk(tree.path):
        for f in fs:
            os.chmod(os.path.join(d, f), 0o600)
    assert anomalies(documents("--json", "backup", tree.path)) == {}
    assert anomalies(documents("--json", "backup", "--type", "full", tree.path)) == {}


def test_a_canary_that_changes_or_goes_is_told(repo, tree):
    canary = tree.file("accounts.xls", b"do not touch")
    args = ["--json", "backup", "--canary", canary, tree.path]
    assert anomalies(repo(*args)) == {}
    tree.file("other", b"x")
    assert anomalies(repo(*args)) == {}
    tree.file("accounts.xls", b"encrypted!!!")
    r = repo(*args)
    assert "accounts.xls was changed" in anomalies(r)["canary"]["message"]
    assert anomalies(repo(*args)) == {}
    os.unlink(canary)
    for _ in range(2):
        r = repo("backup", "--canary", canary, tree.path)
        assert "accounts.xls is not there" in r.err
    os.mkfifo(canary)
    assert "is not there" in repo("backup", "--canary", canary, tree.path).err
