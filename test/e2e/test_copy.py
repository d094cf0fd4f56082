"""Copies: into a repository with other keys, only what is missing, whole or not at all."""
import copy
import os
import shutil
import signal
import subprocess
import time

import pytest

from conftest import need_root, restored, same_tree, trials

MIB = 1 << 20


def another(hf, name):
    """A repository beside hf's, with a key of its own."""
    other = copy.copy(hf)
    other.repo, other.key_file = f"{hf.base}/{name}", None
    other("init", "--new-key-file", f"{hf.base}/{name}.key")
    other.key_file = f"{hf.base}/{name}.key"
    return other


@pytest.fixture
def mirror(repo):
    """Another repository: mirror.copy() copies from repo."""
    other = another(repo, "mirror")
    other.source = ["--from-repo", repo.repo, "--from-key-file", repo.key_file]
    other.copy = lambda *args, **kw: other("--json", "copy", *other.source, *args, **kw)
    return other


def grow(tree, rng, n=60):
    for i in range(n):
        tree.file(f"d{i % 7}/f{i}", rng.randbytes(rng.choice([0, 40, 3000, 50_000])))
    tree.file("big", rng.randbytes(6 * MIB))
    tree.file("twice", rng.randbytes(100_000) * 2)


def listed(hf):
    return {i["snapshot"]: i for i in hf("--json", "snapshots").json("item")}


def test_a_copy_restores_what_was_backed_up_and_says_what_it_is_a_copy_of(repo, mirror, tree, base):
    tree.every_kind(hole=1 << 22)
    first = repo.backup(tree.path, "--tag", "one", "--host", "elsewhere")
    repo("tag", "--add", "two", first)
    r = mirror.copy()
    assert r.summary["copied"] == 1
    old, (new,) = listed(repo)[first], listed(mirror).values()
    assert new["snapshot"] != first and new["original"]["snapshot"] == first and old["original"] is None
    for key in ("start", "end", "host", "user", "paths", "files", "dirs", "bytes", "strategy", "outcome"):
        assert new.get(key) == old.get(key), key
    assert sorted(new["tags"]) == ["one", "two"]
    mirror("restore", "latest", "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))
    mirror.check_clean()


def test_copying_again_copies_nothing_and_reads_nothing(repo, mirror, tree, rng):
    grow(tree, rng)
    repo.backup(tree.path)
    mirror.copy()
    size = mirror.size()
    again = mirror.copy().summary
    assert again["copied"] == 0 and again["there"] == 1 and again["bytes_read"] == 0
    assert mirror.size() == size


def test_the_next_copy_reads_only_what_changed(repo, mirror, tree, rng):
    grow(tree, rng)
    repo.backup(tree.path)
    mirror.copy()
    tree.file("d3/new", rng.randbytes(20_000))
    second = repo.backup(tree.path)
    r = mirror.copy().summary
    assert r["copied"] == 1 and r["bytes_read"] == 20_000
    copies = [i for i in listed(mirror).values() if i["original"]["snapshot"] == second]
    assert len(copies) == 1 and copies[0]["parent"] in listed(mirror)
    mirror.check_clean()


def test_snapshots_are_chosen_as_elsewhere(repo, mirror, tree):
    tree.file("a", b"1")
    one = repo.backup(tree.path, "--tag", "x")
    two = repo.backup(tree.path, "--host", "other")
    three = repo.backup(tree.path)
    of = lambda: {i["original"]["snapshot"] for i in listed(mirror).values()}  # noqa: E731
    mirror.copy("--tag", "x")
    assert of() == {one}
    mirror.copy("--host", "other", "latest")
    assert of() == {one, two}
    mirror.copy(three[:10])
    assert of() == {one, two, three}
    mirror.copy("latest:/a", rc=2)


def test_a_copy_of_a_copy_and_back_makes_no_second(repo, mirror, tree):
    tree.file("a", b"1")
    first = repo.backup(tree.path)
    mirror.copy()
    third = another(repo, "third")
    third("copy", "--from-repo", mirror.repo, "--from-key-file", mirror.key_file)
    assert [i["original"]["snapshot"] for i in listed(third).values()] == [first]
    third("copy", "--from-repo", repo.repo, "--from-key-file", repo.key_file)
    assert len(listed(third)) == 1
    repo("copy", "--from-repo", third.repo, "--from-key-file", third.key_file)
    assert set(listed(repo)) == {first}


def test_a_dry_run_stores_nothing_and_tells_what_it_would(repo, mirror, tree, rng):
    grow(tree, rng)
    repo.backup(tree.path)
    before = mirror.objects("")
    r = mirror.copy("--dry-run").summary
    assert r["dry_run"] and r["copied"] == 1 and r["bytes_read"] > 6 * MIB
    assert mirror.objects("") == before and listed(mirror) == {}


def test_a_plain_copy_after_a_rechunked_one_is_right_too(repo, mirror, tree, rng, base):
    """The earlier copy may have as many chunks of a file, and others."""
    for i in range(12):
        tree.file(f"log{i}", rng.randbytes(rng.randrange(2 * MIB, 5 * MIB)))
    repo.backup(tree.path)
    mirror.copy("--rechunk")
    for i in range(12):
        with open(tree.at(f"log{i}"), "ab") as f:
            f.write(rng.randbytes(50_000))
    repo.backup(tree.path)
    mirror.copy()
    mirror("restore", "latest", "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def test_rechunked_copies_share_chunks_with_backups_into_the_same_repository(repo, mirror, tree, rng, base):
    tree.file("big", rng.randbytes(20 * MIB))
    repo.backup(tree.path)
    mirror.backup(tree.path)
    size = mirror.size()
    r = mirror.copy("--rechunk").summary
    assert r["copied"] == 1 and mirror.size() - size < 100_000
    mirror("restore", listed(mirror).popitem()[0], "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))
    plain = another(repo, "plain")
    plain.backup(tree.path)
    size = plain.size()
    plain("copy", *mirror.source)
    assert plain.size() - size > 10 * MIB  # cut elsewhere: other keys, other cuts
    plain.check_clean()


def test_other_algorithms_and_passwords_on_either_side(hf, tree, rng, base):
    grow(tree, rng, 20)
    (base / "from.pw").write_text("from\n")
    (base / "to.pw").write_text("to\n")
    a, b = str(base / "a"), str(base / "b")
    hf("-r", a, "init", "-p", base / "from.pw", "--blob-id", "hmac-sha256", "--object-hash", "sha256")
    hf("-r", b, "init", "-p", base / "to.pw")
    hf("-r", a, "-p", base / "from.pw", "backup", tree.path)
    wrong = hf("--json", "-r", b, "-p", base / "to.pw", "copy", "--from-repo", a,
               env={"HOLDFAST_FROM_PASSWORD": "another"}, rc=12)
    assert wrong.error["kind"] == "wrong_key"
    hf("-r", b, "-p", base / "to.pw", "copy", env={"HOLDFAST_FROM_REPOSITORY": a, "HOLDFAST_FROM_PASSWORD": "from"})
    hf("-r", b, "-p", base / "to.pw", "restore", "latest", "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def test_usage_is_explained(repo, mirror):
    assert "--from-repo" in mirror("copy", rc=2).err
    assert "from" in mirror("copy", "--from-repo", repo.repo, rc=2).err  # no key for it
    mirror("copy", *mirror.source, "--force", rc=2)
    mirror.copy("--from-repo", f"{mirror.repo}-not", rc=10)
    same = repo("copy", "--from-repo", repo.repo, "--from-key-file", repo.key_file, rc=2)
    assert "same repository" in same.err


def test_a_write_key_can_be_neither_end(repo, mirror, tree, base):
    tree.file("a", b"1")
    repo.backup(tree.path)
    repo("key", "add", "--role", "write", "--new-key-file", base / "w.key")
    mirror("key", "add", "--role", "write", "--new-key-file", base / "v.key")
    mirror("copy", "--from-repo", repo.repo, "--from-key-file", base / "w.key", rc=12)
    mirror("--key-file", base / "v.key", "copy", *mirror.source, rc=12)


def test_a_damaged_snapshot_is_left_out_and_the_others_are_copied(repo, mirror, tree, rng, base):
    tree.file("bad", rng.randbytes(3 * MIB))
    bad = repo.backup(tree.path)
    victim = repo.objects("packs")[0]
    os.unlink(tree.at("bad"))
    tree.file("good", rng.randbytes(3 * MIB))
    good = repo.backup(tree.path)
    with open(victim, "r+b") as f:
        f.seek(MIB)
        f.write(b"damage")
    r = mirror.copy(rc=20)
    assert r.summary["copied"] == 1 and r.summary["failed"] == 1
    failed = [i for i in r.json("item") if i.get("action") == "failed"]
    assert [i["snapshot"] for i in failed] == [bad] and "bad" in failed[0]["reason"]
    assert [i["original"]["snapshot"] for i in listed(mirror).values()] == [good]
    mirror.check_clean()


def test_a_source_that_is_read_by_parity_is_copied_whole_and_told(repo, mirror, tree, rng):
    repo("repair", "--add-parity", "10%")
    tree.file("a", rng.randbytes(3 * MIB))
    repo.backup(tree.path)
    with open(repo.objects("packs")[0], "r+b") as f:
        f.seek(MIB)
        f.write(b"damage")
    r = mirror.copy(rc=3)
    assert r.summary["copied"] == 1 and "parity" in r.error["message"]
    mirror.check_clean()


def test_killed_at_any_moment_the_destination_is_whole_and_the_next_copy_goes_on(repo, mirror, tree, rng, base):
    for i in range(4):
        grow(tree, rng)
        repo.backup(tree.path)
    for _ in range(trials(30)):
        p = mirror.start("copy", *mirror.source)
        try:
            p.communicate(timeout=rng.random() * 0.4)
        except subprocess.TimeoutExpired:
            p.send_signal(signal.SIGKILL)
            p.communicate()
        mirror("check", "--read-data", rc=0)
    mirror.copy()
    assert len(listed(mirror)) == 4
    mirror.check_clean()
    mirror("restore", "latest", "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def test_interrupted_it_keeps_what_is_stored(repo, mirror, tree, rng):
    for i in range(12):
        tree.file(f"big{i}", rng.randbytes(8 * MIB))
    repo.backup(tree.path)
    p = mirror.start("--json", "copy", "--limit-upload", "10MB", *mirror.source)  # ten seconds
    while mirror.size() < 30 * MIB and p.poll() is None:  # packs get their names at the end of it
        time.sleep(0.01)
    p.send_signal(signal.SIGINT)
    p.communicate()
    assert p.returncode == 130
    assert mirror.objects("index") and not mirror.objects("snapshots")
    stored = sum(os.path.getsize(o) for o in mirror.objects("packs"))
    r = mirror.copy().summary
    assert stored > 10 * MIB and r["object_bytes"] < 97 * MIB - stored * 0.9
    mirror.check_clean()


def test_two_copies_at_once_leave_one_whole_repository(repo, mirror, tree, rng):
    grow(tree, rng)
    repo.backup(tree.path)
    grow(tree, rng)
    repo.backup(tree.path)
    runs = [mirror.start("copy", *mirror.source) for _ in range(2)]
    for p in runs:
        _, err = p.communicate()
        assert p.returncode == 0, err
    assert len({i["original"]["snapshot"] for i in listed(mirror).values()}) == 2
    mirror.check_clean()


def test_a_copy_stands_when_the_one_before_it_goes(repo, mirror, tree, rng, base):
    grow(tree, rng)
    repo.backup(tree.path)
    mirror.copy()
    tree.file("d1/new", rng.randbytes(1000))
    second = repo.backup(tree.path)
    mirror("forget", "--now", "latest")  # in the trash, and what the next is compared with
    assert mirror.copy(second).summary["bytes_read"] == 1000
    mirror("prune", "--exclusive")
    assert len(listed(mirror)) == 1
    mirror.check_clean()
    mirror("restore", "latest", "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def test_what_prune_means_to_delete_is_copied_anew(repo, mirror, tree, rng, base):
    grow(tree, rng)
    repo.backup(tree.path)
    mirror.copy()
    for o in mirror.objects("packs") + mirror.objects("meta"):
        os.utime(o, (1_000_000_000, 1_000_000_000))  # old enough to be marked
    mirror("forget", "--now", "latest", "--prune")  # marks, and waits for the grace
    assert mirror.objects("marks") and mirror.objects("packs")
    assert mirror.copy().summary["stored_bytes"] > 6 * MIB
    mirror("prune", "--exclusive")
    mirror.check_clean()
    mirror("restore", "latest", "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def test_a_full_disk_leaves_the_destination_whole(repo, mirror, tree, rng, base):
    need_root()
    small = base / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small], stderr=subprocess.PIPE).returncode:
        pytest.skip("cannot mount a tmpfs")
    try:
        shutil.copytree(mirror.repo, small / "mirror")
        mirror.repo = str(small / "mirror")
        tree.file("a", b"1")
        first = repo.backup(tree.path)
        mirror.copy()
        tree.file("big", rng.randbytes(12 * MIB))
        repo.backup(tree.path)
        r = mirror.copy(rc=1)
        assert r.error["kind"] == "no_space"
        assert [i["original"]["snapshot"] for i in listed(mirror).values()] == [first]
        mirror("check", "--read-data", rc=0)
    finally:
        subprocess.run(["umount", small], check=True)


# ---- --follow-retention


@pytest.fixture
def three(repo, mirror, tree):
    """Three snapshots, copied."""
    ids = []
    for i in range(3):
        tree.file("a", str(i))
        ids.append(repo.backup(tree.path))
    mirror.copy()
    return ids


def originals(hf, *args):
    return [i["original"]["snapshot"] for i in hf("--json", "snapshots", *args).json("item")]


def test_what_the_source_forgot_goes_into_the_mirrors_trash(repo, mirror, three):
    repo("forget", three[0])
    assert mirror.copy().summary["forgotten"] == 0
    dry = mirror.copy("--follow-retention", "--dry-run").summary
    assert dry["forgotten"] == 1 and originals(mirror) == three
    assert mirror.copy("--follow-retention").summary["forgotten"] == 1
    assert originals(mirror) == three[1:] and originals(mirror, "--trash") == three[:1]


def test_what_was_pruned_at_the_source_goes_too_and_nothing_else(repo, mirror, three, tree):
    own = mirror.backup(tree.path)
    repo("forget", "--now", three[0], "--prune", "--exclusive")
    mirror.copy("--follow-retention")
    assert [i["snapshot"] for i in listed(mirror).values() if i["original"] is None] == [own]
    assert [i["original"]["snapshot"] for i in listed(mirror).values() if i["original"]] == three[1:]


def test_pins_and_holds_of_the_mirror_are_respected(repo, mirror, three):
    copies = {i["original"]["snapshot"]: i["snapshot"] for i in listed(mirror).values()}
    mirror("tag", "--pin", copies[three[0]])
    mirror("tag", "--hold", copies[three[1]])
    repo("forget", three[0], three[1])
    r = mirror.copy("--follow-retention", "--force").summary
    assert r["forgotten"] == 0 and r["refused"] == 2 and originals(mirror) == three


def test_an_emptied_source_is_not_followed_unless_forced(repo, mirror, three):
    repo("forget", *three)
    r = mirror.copy("--follow-retention", rc=3)
    assert "empty" in r.error["message"] and originals(mirror) == three
    mirror.copy("--follow-retention", "--force")
    assert originals(mirror) == []


def test_the_last_copy_of_a_group_stays_unless_forced(repo, mirror, three, tree):
    repo.backup(tree.path, "--system", "another")
    repo("forget", *three)
    r = mirror.copy("--follow-retention", rc=3)
    assert r.summary["groups_held"] == 1 and set(three) <= set(originals(mirror))


def test_a_source_that_lost_snapshots_behind_our_back_is_not_followed(repo, mirror, three):
    os.unlink(f"{repo.repo}/snapshots/{three[0]}")
    r = mirror.copy("--follow-retention", rc=3)
    assert "set back, or lost" in r.error["message"] and originals(mirror) == three


def test_a_source_that_was_set_back_is_not_followed(repo, mirror, three, tree, base):
    shutil.copytree(repo.repo, base / "old")
    tree.file("a", b"newer")
    newer = repo.backup(tree.path)
    mirror.copy()
    shutil.rmtree(repo.repo)
    os.rename(base / "old", repo.repo)
    mirror.copy("--follow-retention", rc=3)
    assert originals(mirror) == [*three, newer]
