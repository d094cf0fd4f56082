"""Every kind of object, every kind of damage: found, named, never a crash and never wrong data."""
import os
import re
import shutil
import stat
import time

import pytest

from conftest import restored, trials

FOLDERS = {"config": "config", "keys": "keys", "index": "index", "snapshots": "snapshots",
           "notes": "notes", "marks": "marks", "packs": "packs", "meta": "meta"}
HOW = ["flip", "truncate", "zero", "delete", "append", "empty"]


@pytest.fixture
def used(hf, tree, rng):
    """A repository that holds every kind of object; its content is known by name."""
    repo = hf.init("--grace", "1s")
    for i in range(60):
        tree.file(f"d{i % 5}/f{i}", rng.randbytes(rng.randrange(30_000)))
    tree.file("big", rng.randbytes(3_000_000))
    tree.link("d0/f0", "linked")
    repo.contents = {}
    remember(repo, tree)
    first = repo.backup(tree.path)
    tree.file("d1/f1", rng.randbytes(10_000))
    tree.file("gone soon", rng.randbytes(50_000))
    remember(repo, tree)
    second = repo.backup(tree.path)
    os.unlink(tree.at("gone soon"))
    tree.file("d2/f2", b"third")
    remember(repo, tree)
    repo.backup(tree.path)
    repo("tag", "--add", "kept", first)
    repo("forget", "--now", second)
    other = tree.path + b"-other"
    os.mkdir(other)
    with open(other + b"/f", "wb") as f:
        f.write(rng.randbytes(200_000))
    repo("forget", "--now", repo.backup(other))
    deadline = time.monotonic() + 120
    while not repo.objects("marks") and time.monotonic() < deadline:
        repo("prune")  # marks once what was forgotten is due
    assert all(repo.objects(kind) for kind in FOLDERS if kind != "config")
    return repo


def remember(repo, tree):
    """Every content that a path may rightly have."""
    for folder, _, files in os.walk(tree.path):
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                repo.contents.setdefault(os.path.relpath(os.path.join(folder, name), tree.path), set()).add(f.read())


def pick(repo, kind, rng):
    if kind == "config":
        return os.path.join(repo.repo, "config")
    found = sorted(repo.objects(kind))
    return rng.choice(found) if found else None


def hurt(path, how, rng):
    size = os.path.getsize(path)
    os.chmod(path, 0o600)
    if how == "delete":
        os.unlink(path)
        return True
    with open(path, "r+b") as f:
        was = f.read()
        if how == "flip":
            at = rng.randrange(size)
            f.seek(at)
            f.write(bytes([was[at] ^ 1 << rng.randrange(8)]))
        elif how == "truncate":
            f.truncate(rng.randrange(size))
        elif how == "zero":
            at = rng.randrange(max(1, size - 4096))
            f.seek(at)
            f.write(bytes(min(4096, size - at)))
        elif how == "append":
            f.seek(size)
            f.write(rng.randbytes(rng.randrange(1, 5000)))
        else:
            f.truncate(0)
        f.seek(0)
        return f.read() != was


def assert_found(repo, path, kind, how):
    """check tells the truth about it, with a cache and without."""
    for extra in ([], ["--no-cache"]):
        for args in (["check", "--read-data"], ["check"]):
            r = repo(*args, *extra, rc=None)
            said = r.out + r.err
            if how == "delete" and kind in ("config", "keys"):
                assert r.rc in ((10,) if kind == "config" else (12, 20)), r
            elif how == "delete" and kind == "index":
                # Nothing tells its name; the index of what was forgotten is missed by nobody.
                assert r.rc == 20 and "repair" in said or r.rc == 0 and "in no index" in said.lower(), r
            elif how == "delete" and kind in ("notes", "marks"):
                assert r.rc in (0, 20), r  # nothing counts them
            elif how == "delete" and kind == "snapshots":
                assert r.rc in (0, 20), r  # a hole in its signer's sequence, if anything
            elif kind == "config" and r.rc == 1:
                assert "repository uses" in said or "repository has" in said or "repository needs" in said, r
            elif kind in ("config", "keys"):
                assert r.rc in (10, 12, 20), r
                assert kind in said or os.path.basename(path)[:8] in said, r
            elif how == "delete" and kind in ("packs", "meta") and r.rc == 0:
                for s in repo("--json", "snapshots").json("item"):  # a marked one: prune may be who took it
                    repo("restore", s["snapshot"], "--target", f"{repo.base}/all/{s['snapshot']}")
                shutil.rmtree(f"{repo.base}/all")
            elif kind in ("packs", "meta") and args == ["check"] and how in ("flip", "zero"):
                assert r.rc in (0, 20), r  # same size: only reading shows it
            else:
                assert r.rc == 20, r
                assert os.path.basename(path)[:8] in said, r


def assert_no_wrong_data(repo, tree, base, lost=0):
    """Whatever comes back was there once under that name; what does not is said (lost: by repair, before)."""
    shutil.rmtree(base / "out", ignore_errors=True)
    r = repo("restore", "latest", "--path", tree.path, "--target", base / "out", rc=None)
    assert r.rc in (0, 1, 3, 10, 12, 20), r
    out, seen = restored(base / "out", tree.path), 0
    for folder, _, files in os.walk(out):
        for name in files:
            path = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as f:
                    assert f.read() in repo.contents[os.path.relpath(path, out)], (path, r)
                seen += 1
    if r.rc == 0:
        assert seen + lost >= 61, r
    else:
        assert re.search(r"\S", r.err), r
    return r


@pytest.mark.parametrize("kind", FOLDERS)
def test_damage_is_found_and_named_and_never_restored(used, tree, base, rng, kind):
    for how in HOW * max(1, trials(10) // 3):
        print(kind, how)
        saved = base / "saved"
        shutil.copytree(used.repo, saved, dirs_exist_ok=False)
        victim = pick(used, kind, rng)
        if hurt(victim, how, rng):
            assert_found(used, victim, kind, how)
            assert_no_wrong_data(used, tree, base)
            for args in (["snapshots"], ["ls", "-R", "latest"], ["stats"], ["prune", "--dry-run"], ["key", "list"]):
                assert used(*args, rc=None).rc in (0, 1, 3, 10, 12, 20)
        shutil.rmtree(used.repo)
        os.rename(saved, used.repo)
    used.check_clean()


def test_check_names_the_snapshots_and_paths_that_suffer(used, tree):
    for pack in used.objects("packs"):
        os.unlink(pack)
    r = used("check", rc=20)
    snapshots = [i["snapshot"] for i in used("--json", "snapshots").json("item")]
    assert snapshots and all(s[:8] in r.out + r.err for s in snapshots), r
    assert os.fsdecode(tree.at("d3/f3")) in r.out + r.err, r


def test_a_lost_index_is_rebuilt_and_everything_restores(used, tree, base):
    for path in used.objects("index"):
        os.unlink(path)
    used("cache", "clear")
    used("check", rc=20)
    used("repair", "index", rc=None)
    used.check_clean()
    r = assert_no_wrong_data(used, tree, base)
    assert r.rc == 0, r


def test_repair_saves_the_rest_of_a_damaged_snapshot(used, tree, base, rng):
    victim = used.objects("packs")[0]
    hurt(victim, "zero", rng)
    lost = used("--json", "repair", rc=None).summary["entries_dropped"]
    used("check", "--read-data", rc=0)
    # What repair could not save it has named and left out of the successor.
    r = assert_no_wrong_data(used, tree, base, lost)
    assert r.rc == 0 or os.path.exists(base / "out"), r


def test_a_damaged_write_cannot_hide_by_its_name(used, rng):
    """An object under another object's name is damage even if it is whole."""
    a, b = used.objects("meta")[:2]
    shutil.copyfile(a, b)
    r = used("check", "--read-data", rc=20)
    assert os.path.basename(b)[:8] in r.out + r.err, r


def test_a_strange_file_in_the_repository_is_no_damage(used, base):
    for name in ("README", "packs/00/note.txt", "snapshots/.tmp-1234", "lost+found"):
        path = os.path.join(used.repo, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write("somebody put this here\n")
    used.check_clean()
    used("snapshots")
    used("prune", "--exclusive")
