"""At any instant: what was acknowledged stays, what was not is absent or whole, the next run goes on."""
import contextlib
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import time

import pytest

from conftest import need_root, restored, same_tree, trials

MIB = 1 << 20


def manifest(path):
    """{relative path: what it is} of a tree; independent of the program and quick."""
    path, found = os.fsencode(path), {}
    for folder, dirs, files in os.walk(path):
        for name in dirs + files:
            full = os.path.join(folder, name)
            st = os.lstat(full)
            what = (stat.S_IFMT(st.st_mode), stat.S_IMODE(st.st_mode), st.st_mtime_ns)
            if stat.S_ISREG(st.st_mode):
                with open(full, "rb") as f:
                    what += (hashlib.sha256(f.read()).digest(),)
            found[os.path.relpath(full, path)] = what
    return found


class World:
    """A repository that is used and killed; what it acknowledged."""

    def __init__(self, repo, tree, base, rng):
        self.repo, self.tree, self.base, self.rng = repo, tree, base, rng
        self.promised = {}  # snapshot -> manifest
        for i in range(120):
            tree.file(f"d{i % 9}/f{i}", rng.randbytes(rng.choice([0, 50, 3000, 40_000])))
        tree.file("big", rng.randbytes(6 * MIB))

    def change(self):
        for _ in range(8):
            self.tree.file(f"d{self.rng.randrange(9)}/f{self.rng.randrange(160)}", self.rng.randbytes(self.rng.randrange(60_000)))
        with open(self.tree.at("big"), "r+b") as f:
            f.seek(self.rng.randrange(5 * MIB))
            f.write(self.rng.randbytes(300_000))

    def backup(self):
        seen = manifest(self.tree.path)
        snapshot = self.repo.backup(self.tree.path)
        self.promised[snapshot] = seen
        return snapshot

    def kill(self, args, longest):
        """Start it, kill it at a random moment; its exit status, or None where it was killed."""
        p = self.repo.start("--json", *args)
        try:
            out, _ = p.communicate(timeout=self.rng.random() ** 1.5 * longest)
        except subprocess.TimeoutExpired:
            p.send_signal(signal.SIGKILL)
            out, _ = p.communicate()
        if p.returncode == -signal.SIGKILL:
            return None, out
        assert p.returncode == 0, out
        return 0, out

    def restores(self, snapshot):
        out = self.base / "out"
        self.repo("restore", snapshot, "--target", out)
        got = manifest(restored(out, self.tree.path))
        shutil.rmtree(out)
        assert got == self.promised[snapshot], snapshot

    def judge(self):
        self.repo("check", "--read-data", rc=0)
        newest = self.backup()
        self.restores(newest)
        self.restores(self.rng.choice(sorted(self.promised)))
        there = {i["snapshot"] for i in self.repo("--json", "snapshots").json("item")}
        assert set(self.promised) <= there


@pytest.fixture
def world(hf, tree, base, rng):
    # Little grace, so that prune deletes while it may be killed.
    return World(hf.init("--grace", "1s"), tree, base, rng)


def lasts(world, args):
    """How long it takes undisturbed: kills are drawn from a little more than that."""
    began = time.monotonic()
    world.repo(*args)
    return (time.monotonic() - began) * 1.2


def test_a_backup_killed_at_any_moment_loses_nothing(world):
    world.backup()
    world.change()
    longest = lasts(world, ["backup", world.tree.path])
    killed = 0
    for _ in range(trials(34)):
        world.change()
        status, out = world.kill(["backup", world.tree.path], longest)
        killed += status is None
        world.judge()
    assert killed > 0


def test_a_forget_killed_at_any_moment_loses_nothing_it_did_not_forget(world):
    longest = None
    for _ in range(trials(33)):
        for _ in range(3):
            world.change()
            world.backup()
        victims = sorted(world.promised)[:2]
        longest = longest or lasts(world, ["forget", "--dry-run", *victims]) * 1.5
        for v in victims:
            del world.promised[v]  # from here on both answers are right
        world.kill(["forget", "--now", *victims], longest)
        world.judge()


def test_a_prune_killed_at_any_moment_loses_nothing(world):
    longest = None
    for round in range(trials(33)):
        for _ in range(3):
            world.change()
            world.backup()
        victims = world.rng.sample(sorted(world.promised), len(world.promised) - 1)[:2]
        for v in victims:
            del world.promised[v]
        world.repo("forget", "--now", *victims)
        how = world.rng.choice([["prune"], ["prune", "--exclusive"], ["prune", "--exclusive", "--repack", "--max-unused", "0%"]])
        longest = longest or 0.25
        world.kill(how, longest)
        world.judge()
        longest = max(0.05, lasts(world, [*how]))
        world.repo("check", "--read-data")


def test_a_restore_killed_and_repeated_ends_right(world):
    snapshot = world.backup()
    out = world.base / "again"
    for _ in range(trials(10)):
        world.kill(["restore", snapshot, "--target", out, "--overwrite", "if-changed"], 0.15)
    world.repo("restore", snapshot, "--target", out, "--overwrite", "if-changed")
    same_tree(world.tree.path, restored(out, world.tree.path))


# ---- Interrupted politely.

@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_backup_exits_130_and_its_work_is_reused(repo, tree, rng, sig):
    for i in range(40):
        tree.file(f"f{i}", rng.randbytes(4 * MIB))
    for wait in (0.25, 0.15, 0.1, 0.06, 0.03):
        p = repo.start("--json", "backup", "-j", "1", tree.path)
        time.sleep(wait)
        p.send_signal(sig)
        out, err = p.communicate(timeout=60)
        if p.returncode != 0:
            break
        tree.file("f0", rng.randbytes(4 * MIB))
    assert p.returncode == 130, (p.returncode, out, err)
    assert b'"exit":130' in out, out
    kept = repo.size()
    repo.check_clean()
    summary = repo("--json", "backup", tree.path).summary
    if kept > 20 * MIB:
        assert summary["added_bytes"] < 160 * MIB - kept / 2, summary


# ---- A full disk.

def mounted(base, size):
    need_root()
    place = base / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("may not mount")
    return place


@pytest.fixture
def small(base):
    place = mounted(base, "24m")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_said_and_leaves_a_clean_repository(hf, tree, base, small, rng):
    hf.repo, hf.env["HOLDFAST_PASSWORD"] = str(small / "repo"), "x"
    hf("init")
    tree.file("first", rng.randbytes(3 * MIB))
    first = hf.backup(tree.path)
    for i in range(50):
        tree.file(f"more/{i}", rng.randbytes(MIB))
    r = hf("--json", "backup", tree.path, rc=1)
    assert r.error["kind"] == "no_space" and r.error["hint"], r
    assert "hint:" in hf("backup", tree.path, rc=1).err
    hf.check_clean()
    assert [i["snapshot"] for i in hf("--json", "snapshots").json("item")] == [first]
    hf("restore", first, "--target", base / "out")
    # Filled to the last byte by somebody else: nothing can be written, reading goes on.
    with contextlib.suppress(OSError), open(small / "ballast", "wb", buffering=0) as f:
        while True:
            f.write(bytes(4096))
    tree.file("first", rng.randbytes(3 * MIB))
    assert hf("--json", "backup", tree.at("first"), rc=1).error["kind"] == "no_space"
    hf.check_clean()
    (small / "ballast").unlink(missing_ok=True)
    shutil.rmtree(tree.at("more"))
    # What the failed runs left is garbage that prune frees.
    hf("prune", "--exclusive")
    snapshot = hf.backup(tree.path)
    hf.check_clean()
    hf("restore", snapshot, "--target", base / "out2")
    same_tree(tree.path, restored(base / "out2", tree.path))


def test_a_full_target_is_said(repo, tree, small, rng):
    for i in range(40):
        tree.file(f"f{i}", rng.randbytes(MIB))
    repo.backup(tree.path)
    r = repo("--json", "restore", "latest", "--target", small / "out", rc=1)
    assert r.error["kind"] == "no_space", r
