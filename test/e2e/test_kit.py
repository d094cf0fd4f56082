"""A kit: one snapshot as one file that needs nothing else, and says so where it is not whole."""
import copy
import os
import subprocess

import pytest

from conftest import need_root, restored, same_tree, trials

MIB = 1 << 20


def reader(repo, path, key):
    """The program on a kit: its own key, none of the repository's cache or memory."""
    kit = copy.copy(repo)
    kit.repo, kit.key_file = f"kit:{path}", str(key) if key else None
    kit.env = {**repo.env, "HOLDFAST_CACHE_DIR": f"{repo.base}/else/cache", "HOLDFAST_STATE_DIR": f"{repo.base}/else/state"}
    return kit


@pytest.fixture
def export(repo, base):
    """export() -> the program on a kit of the newest snapshot; kit.path is the file."""
    number = iter(range(100))

    def run(*args):
        n = next(number)
        path, key = base / f"{n}.kit", base / f"{n}.key"
        r = repo("--json", "kit", "export", "--single-file", "latest", "--new-key-file", key, "--output", path, *args)
        kit = reader(repo, path, key)
        kit.path, kit.key, kit.summary = path, key, r.summary
        return kit
    return run


def sha256(path):
    return subprocess.run(["sha256sum", path], stdout=subprocess.PIPE, check=True).stdout.decode().split()[0]


def test_a_kit_restores_without_the_repository(repo, export, tree, base, rng):
    tree.every_kind(hole=1 << 22)
    tree.file("big", rng.randbytes(5 * MIB))
    original = repo.backup(tree.path, "--tag", "kept")
    kit = export()
    subprocess.run(["rm", "-rf", repo.repo, repo.key_file, f"{base}/cache", f"{base}/state"], check=True)
    kit("restore", "latest", "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))
    (only,) = kit("--json", "snapshots").json("item")
    assert only["original"]["snapshot"] == original and only["tags"] == ["kept"]
    assert kit("ls", "latest:" + os.fsdecode(tree.path)).out and kit("stats").out
    kit("check")
    assert sha256(kit.path) == kit.summary["sha256"] and os.path.getsize(kit.path) == kit.summary["bytes"]


def test_a_kit_goes_to_standard_output_in_one_stream(repo, tree, base):
    tree.file("a", b"1")
    repo.backup(tree.path)
    r = repo("kit", "export", "--single-file", "latest", "--new-key-file", base / "k")
    (base / "x.kit").write_bytes(r.raw)
    kit = reader(repo, base / "x.kit", base / "k")
    kit("check")
    kit("restore", "latest", "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))
    repo("--json", "kit", "export", "--single-file", "latest", "--new-key-file", base / "k2", rc=2)
    assert not (base / "k2").exists()


def test_a_kit_has_keys_of_its_own(repo, export, tree, base):
    tree.file("a", b"1")
    repo.backup(tree.path)
    kit = export()
    assert reader(repo, kit.path, repo.key_file)("--json", "snapshots", rc=12).error["kind"] == "wrong_key"
    repo("snapshots", env={"HOLDFAST_KEY_FILE": str(kit.key)}, rc=12)
    (base / "pw").write_text("open sesame\n")
    repo("kit", "export", "--single-file", "latest", "--new-password-file", base / "pw", "--output", base / "p.kit")
    locked = reader(repo, base / "p.kit", None)
    locked("check", env={"HOLDFAST_PASSWORD": "open sesame"})
    locked("snapshots", env={"HOLDFAST_PASSWORD": "open barley"}, rc=12)


def test_a_kit_is_never_written_to(repo, export, tree):
    tree.file("a", b"1")
    repo.backup(tree.path)
    kit = export()
    before = sha256(kit.path)
    for command in (["backup", tree.path], ["prune"], ["forget", "--now", "latest"], ["tag", "--add", "x", "latest"],
                    ["key", "rotate"]):
        r = kit("--json", *command, rc=None)
        assert r.rc == 1 and r.error["kind"] == "denied", r
    repo("-r", f"kit:{kit.path}2", "init", "--new-key-file", f"{kit.key}2", rc=2)
    assert sha256(kit.path) == before


def test_a_snapshot_comes_back_from_a_kit_into_a_repository(repo, export, tree, base):
    tree.file("a", b"1")
    first = repo.backup(tree.path)
    kit = export()
    repo("forget", "--now", first, "--prune", "--exclusive")
    repo("copy", "--from-repo", kit.repo, "--from-key-file", kit.key)
    (back,) = repo("--json", "snapshots").json("item")
    assert back["original"]["snapshot"] == first
    repo("restore", "latest", "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def test_every_flipped_bit_is_found(repo, export, tree, rng, base):
    tree.file("a", rng.randbytes(30_000))
    tree.file("b", b"compressible " * 5000)
    repo.backup(tree.path)
    kit = export()
    good = kit.path.read_bytes()
    ends = [0, 8, 9, 15, 16, len(good) - 1, len(good) - 8, len(good) - 9, len(good) - 64, len(good) - 65]
    for at in ends + [rng.randrange(len(good)) for _ in range(trials(300))]:
        bad = bytearray(good)
        bad[at] ^= 1 << rng.randrange(8)
        kit.path.write_bytes(bad)
        r = kit("--json", "check", rc=None)
        # a header that is another: no kit, or of another version
        assert r.rc in ((20, 12) if at > 9 else (20, 10, 1)), (at, r)
        if r.rc == 12:
            assert "damaged" in r.error["message"], (at, r)  # the sealed key itself
    kit.path.write_bytes(good)
    kit("check")


def test_a_torn_kit_says_so(repo, export, tree, rng):
    tree.file("a", rng.randbytes(50_000))
    repo.backup(tree.path)
    kit = export()
    good = kit.path.read_bytes()
    for n in [0, 15, 16, 79, 80, len(good) - 1] + [rng.randrange(len(good)) for _ in range(trials(50))]:
        kit.path.write_bytes(good[:n])
        r = kit("--json", "restore", "latest", "--target", f"{kit.path}.out", rc=10 if n < 16 else 20)
        assert n < 16 or "torn" in r.error["message"], r
        assert not os.path.exists(f"{kit.path}.out")
    for extra in (b"\0", rng.randbytes(100), good):
        kit.path.write_bytes(good + extra)
        kit("--json", "check", rc=20)
    kit.path.write_bytes(good[:1000] + good[1001:])
    kit("check", rc=20)


def test_parity_mends_a_kit_while_it_is_read(repo, export, tree, rng, base):
    tree.file("a", rng.randbytes(2 * MIB))
    repo.backup(tree.path)
    kit = export("--parity", "10%")
    bad = bytearray(kit.path.read_bytes())
    bad[MIB:MIB + 2000] = bytes(2000)
    kit.path.write_bytes(bad)
    kit("restore", "latest", "--target", base / "out", rc=3)
    same_tree(tree.path, restored(base / "out", tree.path))
    kit("check", rc=20)


def test_what_is_no_kit_is_told_apart(repo, base, tree):
    tree.file("a", b"1")
    (base / "text").write_text("not a kit at all\n" * 10)
    for place, rc in ((base / "text", 10), (base / "missing", 10), (base, 2)):
        r = reader(repo, place, repo.key_file)("--json", "snapshots", rc=rc)
        assert "init" not in (r.error["hint"] or "")


def test_a_damaged_snapshot_becomes_no_kit(repo, tree, rng, base):
    tree.file("a", rng.randbytes(2 * MIB))
    repo.backup(tree.path)
    with open(repo.objects("packs")[0], "r+b") as f:
        f.seek(MIB)
        f.write(b"damage")
    repo("kit", "export", "--single-file", "latest", "--new-key-file", base / "k", "--output", base / "x", rc=20)
    assert not (base / "x").exists() and not (base / "k").exists()


def test_nothing_is_overwritten_and_a_failure_leaves_nothing(repo, tree, rng, base):
    tree.file("a", rng.randbytes(2 * MIB))
    repo.backup(tree.path)
    (base / "mine").write_text("precious")
    repo("kit", "export", "--single-file", "latest", "--new-key-file", base / "k", "--output", base / "mine", rc=1)
    assert (base / "mine").read_text() == "precious" and not (base / "k").exists()
    repo("kit", "export", "latest", "--new-key-file", base / "k", rc=2)
    with open("/dev/full", "wb") as full:
        p = repo.start("kit", "export", "--single-file", "latest", "--new-key-file", base / "k", stdout=full)
        _, err = p.communicate()
    assert p.returncode == 1 and b"No space" in err and not (base / "k").exists()


def test_a_full_disk_leaves_no_kit(repo, tree, rng, base):
    need_root()
    small = base / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], stderr=subprocess.PIPE).returncode:
        pytest.skip("cannot mount a tmpfs")
    try:
        tree.file("a", rng.randbytes(2 * MIB))
        repo.backup(tree.path)
        r = repo("--json", "kit", "export", "--single-file", "latest", "--new-key-file", base / "k", "--output", small / "x", rc=1)
        assert r.error["kind"] == "no_space" and os.listdir(small) == []
    finally:
        subprocess.run(["umount", small], check=True)
