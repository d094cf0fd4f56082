"""Any number of writers, readers and pruners at once, without locks (promise 3)."""
import os
import shutil

import pytest

from conftest import restored, same_tree, trials, Tree


def together(repo, jobs):
    """Start all at once; every one must end well. [(args, own environment)...] -> outputs."""
    running = [(args, repo.start(*args, env=own)) for args, own in jobs]
    results = [(args, p.communicate(timeout=300), p.returncode) for args, p in running]
    for args, (out, err), rc in results:
        assert rc == 0 and b"Sanitizer" not in err, (args, rc, out[-2000:], err[-2000:])
    return [out for _, (out, _), _ in results]


def own_cache(base, name):
    return {"HOLDFAST_CACHE_DIR": f"{base}/cache-{name}"}


@pytest.mark.parametrize("caches", ["shared cache", "a cache each"])
def test_three_backups_two_restores_and_a_prune_at_once(repo, base, rng, caches):
    trees = [Tree(base / f"tree{i}") for i in range(4)]
    for tree in trees:
        for i in range(100):
            tree.file(f"d{i % 4}/f{i}", rng.randbytes(rng.randrange(30_000)))
        tree.file("big", rng.randbytes(3_000_000))
    still = repo.backup(trees[3].path)
    gone = [repo.backup(trees[0].path)]
    for n in range(trials(20)):
        for i, tree in enumerate(trees[:3]):
            for k in range(10):
                tree.file(f"d{k % 4}/f{rng.randrange(150)}", rng.randbytes(rng.randrange(30_000)))
            # What two write at once, and what was just forgotten, is wanted again.
            tree.file("shared", b"%d" % n * 200_000)
        repo("forget", "--now", *gone)
        jobs = [(["backup", "--json", t.path], None) for t in trees[:3]]
        jobs += [(["restore", still, "--target", base / f"out{n}-{k}"], None) for k in range(2)]
        jobs += [(["prune", "--repack", "--max-unused", "0%"], None)]
        if caches == "a cache each":
            jobs = [(args, own_cache(base, i)) for i, (args, _) in enumerate(jobs)]
        rng.shuffle(jobs)
        together(repo, jobs)
        repo.check_clean()
        for k in range(2):
            same_tree(trees[3].path, restored(base / f"out{n}-{k}", trees[3].path))
            shutil.rmtree(base / f"out{n}-{k}")
        items = repo("--json", "snapshots").json("item")
        gone = []
        for tree in trees[:3]:
            newest = [i["snapshot"] for i in items if i["paths"] == [os.fsdecode(tree.path)]][-1]
            repo("restore", newest, "--target", base / "new")
            same_tree(tree.path, restored(base / "new", tree.path))
            shutil.rmtree(base / "new")
            gone.append(newest)


def test_pruners_that_hardly_wait_delete_nothing_that_is_acknowledged(hf, base, rng):
    """A grace far shorter than is sane: a backup may fail and say so, what it acknowledged stays."""
    repo = hf.init("--grace", "1s")
    trees = [Tree(base / f"tree{i}") for i in range(2)]
    for tree in trees:
        for i in range(40):
            tree.file(f"f{i}", rng.randbytes(20_000))
    for n in range(trials(20)):
        for tree in trees:
            for k in range(12):
                tree.file(f"f{rng.randrange(40)}", rng.randbytes(20_000))
        running = [repo.start("backup", "--json", t.path) for t in trees]
        pruners = [repo.start("prune", "--repack", "--max-unused", "0%") for _ in range(2)]
        for p in pruners:
            out, err = p.communicate(timeout=120)
            assert p.returncode == 0, (out, err)
        for tree, p in zip(trees, running):
            out, err = p.communicate(timeout=120)
            # On a slow disk what is marked is due before it is committed: that is another status.
            assert p.returncode in (0, 1) or (p.returncode == 11 and b"while this run slept" in out), (out, err)
            if p.returncode == 0:
                path = os.fsdecode(tree.path)
                repo("restore", f"latest:{path}", "--path", path, "--target", base / "new")
                same_tree(tree.path, base / "new")
                shutil.rmtree(base / "new")
        repo.check_clean()
        items = repo("--json", "snapshots").json("item")
        if items:  # none, where all failed
            repo("forget", "--now", *rng.sample([i["snapshot"] for i in items], min(2, len(items))))


def test_eight_first_backups_of_the_same_tree_at_once(repo, tree, base, rng):
    for i in range(60):
        tree.file(f"f{i}", rng.randbytes(20_000))
    together(repo, [(["backup", tree.path], own_cache(base, i)) for i in range(8)])
    assert len(repo("--json", "snapshots").json("item")) == 8
    repo.check_clean()
    repo("prune", "--exclusive", "--repack", "--max-unused", "0%")
    repo.check_clean()


def test_two_inits_of_one_place_leave_one_repository(hf, base, tree):
    hf.repo = str(base / "repo")
    env = {"HOLDFAST_PASSWORD": "x"}
    for n in range(trials(10)):
        shutil.rmtree(hf.repo, ignore_errors=True)
        both = [hf.start("init", env=env) for _ in range(2)]
        rcs = sorted((p.communicate()[0], p.returncode)[1] for p in both)
        assert rcs[0] == 0 and rcs[1] in (0, 1, 2, 11), rcs
        assert rcs[1] != 0, "both were told that they made it"
        hf("backup", tree.path, env=env)
        hf("check", "--read-data", env=env)
