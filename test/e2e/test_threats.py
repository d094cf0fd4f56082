"""Attacks of doc/threat-model.md that a user could stage: on the store, the cache and the keys."""
import os
import shutil
import stat

import pytest

from conftest import restored, same_tree

KINDS = ["packs", "meta", "index", "snapshots", "keys", "config"]


@pytest.fixture
def filled(repo, tree):
    tree.every_kind()
    for i in range(50):
        tree.file(f"many/{i}", os.urandom(20_000))
    repo.backup(tree.path)
    return repo


def victim_of(repo, kind):
    return os.path.join(repo.repo, "config") if kind == "config" else repo.objects(kind)[0]


def flip(path, at, bit):
    os.chmod(path, 0o600)
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1 << bit]))


def assert_found(repo, victim, kind):
    """Damage is exit 20, or 12 where it is the only key or the config that is gone; it is named."""
    repo.env["HOLDFAST_CACHE_DIR"] = repo.base + "/another-cache"
    r = repo("check", "--read-data", rc=None)
    assert r.rc == 20 or (kind in ("keys", "config") and r.rc in (10, 12)), r
    name = os.path.basename(victim)
    assert name[:8] in r.out + r.err or kind == "keys", r


def assert_no_wrong_data(repo, tree, base):
    """Whatever restore brings back under damage is what was backed up, or absent and said."""
    r = repo("restore", "latest", "--target", base / "out", rc=None)
    assert r.rc in (1, 3, 10, 12, 20), r
    out = restored(base / "out", tree.path)
    for folder, _, files in os.walk(out):
        for name in files:
            ours = os.path.join(folder, name)
            theirs = os.path.join(tree.path, os.path.relpath(ours, out))
            if stat.S_ISREG(os.lstat(ours).st_mode):
                with open(ours, "rb") as a, open(theirs, "rb") as b:
                    assert a.read() == b.read(), ours


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_found_and_named(filled, rng, kind):
    victim = victim_of(filled, kind)
    flip(victim, rng.randrange(os.path.getsize(victim)), rng.randrange(8))
    assert_found(filled, victim, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_object_is_found_and_named(filled, rng, kind):
    victim = victim_of(filled, kind)
    os.chmod(victim, 0o600)
    os.truncate(victim, rng.randrange(os.path.getsize(victim)))
    assert_found(filled, victim, kind)


@pytest.mark.parametrize("kind", ["packs", "meta"])
def test_damaged_content_is_never_restored_as_something_else(filled, tree, base, rng, kind):
    victim = victim_of(filled, kind)
    for _ in range(20):
        flip(victim, rng.randrange(os.path.getsize(victim)), rng.randrange(8))
    assert_no_wrong_data(filled, tree, base)


@pytest.mark.parametrize("kind", ["packs", "meta"])
def test_a_deleted_object_is_found_and_named(filled, kind):
    victim = victim_of(filled, kind)
    os.unlink(victim)
    assert_found(filled, victim, kind)


def test_two_objects_that_changed_places_are_both_found(filled, tree):
    tree.file("more", os.urandom(100_000))
    filled.backup(tree.path)
    a, b = filled.objects("meta")[:2]
    os.rename(a, a + ".tmp")
    os.rename(b, a)
    os.rename(a + ".tmp", b)
    r = filled("check", "--read-data", rc=20)
    assert all(os.path.basename(p)[:8] in r.out + r.err for p in (a, b)), r


def test_another_repositorys_snapshot_is_refused(filled, hf, tree, base):
    os.mkdir(base / "second")
    other = type(hf)(base / "second").init()
    other.backup(tree.path)
    alien = other.objects("snapshots")[0]
    shutil.copy(alien, os.path.join(filled.repo, "snapshots"))
    r = filled("check", rc=20)
    assert os.path.basename(alien)[:8] in r.out + r.err, r


def test_nothing_in_the_repository_is_readable(hf, tree):
    repo = hf.init("--label", "given")
    secret = b"a sentence that nobody else may read"
    tree.file("a name that nobody may read", secret * 100)
    repo.backup("--compression", "none", "--tag", "secret-tag", tree.path)
    words = [secret, b"nobody may read", b"secret-tag"]
    for path in repo.objects(""):
        with open(path, "rb") as f:
            data = f.read()
        assert not [w for w in words if w in data], path
        # Only holders' labels, in config and keys, say who and where (threat model).
        said = os.fsencode(os.uname().nodename) + b'"' in data
        assert not said or os.path.basename(path) == "config" or "/keys/" in os.fsdecode(path), path


def test_a_host_name_is_not_told_unasked(repo):
    assert not [p for p in repo.objects("") if os.fsencode(os.uname().nodename) + b'"' in open(p, "rb").read()]


def test_a_key_file_is_its_owners_alone(repo):
    assert stat.S_IMODE(os.stat(repo.key_file).st_mode) == 0o600


def test_a_damaged_cache_costs_time_never_correctness(filled, tree, base, rng):
    cache = [os.path.join(d, f) for d, _, fs in os.walk(filled.env["HOLDFAST_CACHE_DIR"]) for f in fs]
    assert cache
    for path in cache:
        for _ in range(10):
            if os.path.getsize(path):
                flip(path, rng.randrange(os.path.getsize(path)), rng.randrange(8))
    snapshot = filled.backup(tree.path)
    filled("restore", snapshot, "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))
    filled.check_clean()


def test_keys_appear_on_no_output(filled, base):
    with open(filled.key_file) as f:
        secret = f.read().split()[1]
    for args in (["-v", "snapshots"], ["key", "list"], ["--json", "key", "list"], ["-v", "check"]):
        r = filled(*args)
        assert secret not in r.out + r.err
