"""Parity: damage up to the share, to any object and its parity, is read through and mended bit for bit."""
import os
import shutil

import pytest

from conftest import restored, same_tree, trials

KINDS = ["config", "keys", "index", "snapshots", "notes", "packs", "meta"]
SECTOR = 4096


@pytest.fixture
def kept(hf, tree, rng):
    """A repository with parity that holds an object of every kind but marks."""
    repo = hf.init("--parity", "10%")
    for i in range(40):
        tree.file(f"d{i % 5}/f{i}", rng.randbytes(rng.randrange(30_000)))
    tree.file("big", rng.randbytes(3_000_000))
    repo.snapshot = repo.backup(tree.path)
    repo("tag", "--add", "kept", repo.snapshot)
    return repo


def files(repo):
    out = {}
    for folder, _, names in os.walk(repo.repo):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                out[os.path.relpath(os.path.join(folder, name), repo.repo)] = f.read()
    return out


def objects(repo, kind):
    return [n for n in sorted(files(repo)) if n.split(os.sep)[0] == kind]


def rewrite(repo, name, change):
    path = os.path.join(repo.repo, name)
    with open(path, "rb") as f:
        data = bytearray(f.read())
    data = change(data)
    os.chmod(path, 0o600)
    with open(path, "wb") as f:
        f.write(data)


def flips(rng):
    def change(b):
        for _ in range(3):
            b[rng.randrange(len(b))] ^= 1 << rng.randrange(8)
        return b
    return change


def sectors(rng, share):
    def change(b):
        n = len(b) // SECTOR
        for i in rng.sample(range(n), int(n * share)) if n > 10 else [0]:
            b[i * SECTOR:(i + 1) * SECTOR] = bytes(len(b[i * SECTOR:(i + 1) * SECTOR]))
        return b
    return change


def burst(rng, share):
    def change(b):
        n = int(len(b) * share)
        at = rng.choice([0, (len(b) - n) // 2, len(b) - n])
        b[at:at + n] = rng.randbytes(n)
        return b
    return change


def cut(share):
    return lambda b: b[:len(b) - int(len(b) * share)]


def grown(rng):
    return lambda b: b + rng.randbytes(5000)


def ways(rng):
    return {"flips": flips(rng), "sectors": sectors(rng, 0.1), "burst": burst(rng, 0.1), "cut": cut(0.1),
            "grown": grown(rng)}


def assert_mends(repo, tree, base, before):
    """Reads through the damage and says so, then mends it to the very bytes."""
    shutil.rmtree(base / "out", ignore_errors=True)
    r = repo("restore", "latest", "--target", base / "out", rc=None)
    assert r.rc in (0, 3), r  # 0 where restoring did not meet the damage
    same_tree(tree.path, restored(base / "out", tree.path))
    if r.rc == 3:
        assert "parity" in r.err and "repair" in r.err, r
    repo("repair", rc=0)
    assert files(repo) == before
    repo.check_clean()


@pytest.mark.parametrize("kind", KINDS)
def test_damage_to_an_object_is_read_through_and_mended(kept, tree, base, rng, kind):
    before = files(kept)
    for way, change in ways(rng).items():
        print(kind, way)
        kept("cache", "clear")
        victim = rng.choice(objects(kept, kind))
        rewrite(kept, victim, change)
        r = kept("check", "--read-data", rc=20)
        assert os.path.basename(victim)[:8] in r.out + r.err, r
        assert_mends(kept, tree, base, before)


def test_every_object_and_its_parity_damaged_at_once(kept, tree, base, rng):
    before = files(kept)
    for _ in range(trials(10)):
        kept("cache", "clear")
        for name in before:
            rewrite(kept, name, rng.choice([flips(rng), burst(rng, 0.04), cut(0.04), grown(rng)]))
        assert_mends(kept, tree, base, before)


def test_restore_through_damage_is_right_and_not_silent(kept, tree, base, rng):
    for name in objects(kept, "packs") + objects(kept, "meta"):
        rewrite(kept, name, sectors(rng, 0.1))
    r = kept("--json", "restore", "latest", "--target", base / "out", rc=3)
    same_tree(tree.path, restored(base / "out", tree.path))
    assert any(i.get("event") == "object.mended" for i in r.json("item")), r
    assert kept("cat", f"latest:{os.fsdecode(tree.at('big'))}", rc=3).rc == 3
    assert kept("restore", "latest", "--target", base / "strict", "--strict", rc=1).rc == 1


def test_more_damage_than_the_share_fails_and_names_it(kept, tree, base, rng):
    victim = max(objects(kept, "packs"), key=lambda n: os.path.getsize(os.path.join(kept.repo, n)))
    rewrite(kept, victim, sectors(rng, 0.2))
    r = kept("restore", "latest", "--target", base / "out", rc=20)
    r = kept("repair", rc=3)
    assert os.path.basename(victim)[:8] in r.out + r.err, r
    kept.check_clean()


def test_a_forged_parity_never_makes_wrong_data_pass(kept, tree, base, rng):
    """Two packs' parity exchanged, with a pack damaged: refused, never restored as something else."""
    tree.file("more", rng.randbytes(2_000_000))
    kept.backup(tree.path)
    packs = objects(kept, "packs")[:2]
    parity = [os.path.join("parity", "packs", os.path.basename(p)) for p in packs]
    data = files(kept)
    rewrite(kept, parity[0], lambda b: data[parity[1]])
    rewrite(kept, parity[1], lambda b: data[parity[0]])
    rewrite(kept, packs[0], flips(rng))
    r = kept("restore", "latest", "--target", base / "out", rc=None)
    assert r.rc in (0, 20), r
    out = restored(base / "out", tree.path)
    for folder, _, names in os.walk(out):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as f, open(os.path.join(tree.path, os.path.relpath(path, out)), "rb") as g:
                assert f.read() == g.read()


def test_parity_added_later_covers_everything_that_is_and_will_be(hf, tree, base, rng):
    repo = hf.init()
    tree.file("a", rng.randbytes(500_000))
    repo.backup(tree.path)
    assert not objects(repo, "parity")
    assert repo("--json", "stats").summary["parity_percent"] == 0
    assert repo("--json", "repair", "--add-parity", "10%").summary["parity_written"] > 4
    assert repo("--json", "stats").summary["parity_percent"] == 10
    tree.file("b", rng.randbytes(500_000))
    repo.backup(tree.path)
    repo.check_clean()
    before = files(repo)
    for name in before:
        rewrite(repo, name, flips(rng))
    assert_mends(repo, tree, base, before)
    more = repo("--json", "repair", "--add-parity", "20%").summary
    assert more["parity_written"] > 0 and more["parity_kept"] > 0
    assert "That share or more already: " in repo("repair", "--add-parity", "20%").out
    assert repo("--json", "repair").summary["parity_written"] == 0


def test_lost_parity_is_a_warning_and_damaged_parity_a_finding_that_repair_mends(kept, rng):
    """A crash, or a slow store, leaves an object without its parity: nothing is lost by that."""
    names = objects(kept, "parity")
    for name in names:
        if name.startswith(("parity/index/", "parity/notes/")) or name == names[0]:
            os.unlink(os.path.join(kept.repo, name))
    r = kept("--json", "check", "--read-data", rc=3)
    assert r.summary["warnings"] > 0 and r.summary["damaged_objects"] == 0, r
    rewrite(kept, names[-1], flips(rng))
    r = kept("check", "--read-data", rc=20)
    assert os.path.basename(names[0])[:8] in r.out + r.err, r
    assert os.path.basename(names[-1])[:8] in r.out + r.err, r
    kept("repair", rc=0)
    kept.check_clean()


def test_parity_goes_with_its_object(kept, tree, rng):
    tree.file("other", rng.randbytes(100_000))
    kept.backup(tree.path)
    kept("forget", kept.snapshot)
    stray = os.path.join(kept.repo, "parity", "packs", "ab" * 32)
    with open(stray, "wb") as f:
        f.write(b"what a crash left")
    kept("prune", "--exclusive")
    names = objects(kept, "parity")
    have = {os.path.basename(n) for kind in KINDS for n in objects(kept, kind)}
    for name in names:
        assert os.path.basename(name) in have or "config" in name, name
    assert not os.path.exists(stray)
    kept.check_clean()


def test_what_is_gone_is_not_brought_back(kept):
    note = objects(kept, "notes")[0]
    os.unlink(os.path.join(kept.repo, note))
    kept("repair", rc=0)
    assert not os.path.exists(os.path.join(kept.repo, note))


def test_indexes_lost_with_parity_are_rebuilt(kept, tree, base):
    for name in objects(kept, "index"):
        os.unlink(os.path.join(kept.repo, name))
    kept("cache", "clear")
    kept("repair", rc=0)
    kept("restore", "latest", "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))
    kept("prune", "--exclusive")
    kept.check_clean()


def test_a_pack_lost_with_parity_names_the_paths_and_saves_the_rest(kept, tree, base):
    for name in objects(kept, "packs"):
        os.unlink(os.path.join(kept.repo, name))
    r = kept("check", rc=20)
    assert os.fsdecode(tree.at("big")) in r.out + r.err, r
    kept("repair", rc=3)
    kept("prune", "--exclusive")
    kept.check_clean()


@pytest.mark.parametrize("share", ["0.5%", "51%", "-1%", "many"])
def test_a_share_that_makes_no_sense_is_refused(hf, base, share):
    assert hf("init", "--parity", share, "--new-key-file", base / "k", rc=None).rc == 2
