"""Keys and roles: what a write and a maintenance key can do, what they cannot, and what stays of a removed one."""
import os
import sys

import pytest

from conftest import ROOT, Holdfast, restored, same_tree

sys.path.insert(0, os.path.join(ROOT, "test/golden"))
import write_repo  # noqa: E402

SECRET = b"the plans of the invasion, page %d\n"


@pytest.fixture
def holder(repo, base):
    """holder(role, ...): another holder's program, with a home, cache and key of its own."""
    def make(role, *args):
        name = f"{role}{len(os.listdir(base))}"
        h = Holdfast(base / name)
        h.repo, h.key_file = repo.repo, f"{base}/{name}.key"
        out = repo("--json", "key", "add", "--role", role, "--new-key-file", h.key_file, *args)
        h.key = out.summary["key"]
        return h
    return make


@pytest.fixture
def filled(repo, tree):
    for i in range(20):
        tree.file(f"many/{i}", SECRET % i * 300)
    tree.file("big", os.urandom(3 << 20))
    repo.backup(tree.path)
    return repo


def added(result):
    return result.json("summary")[-1]["added_bytes"]


def backup(h, *args):
    return h("--json", "backup", *args)


READERS = [("snapshots",), ("ls", "latest"), ("cat", "latest:/x"), ("find", "x"), ("diff", "latest", "latest"),
           ("restore", "latest", "--target", "/nowhere"), ("mount", "/mnt"), ("stats",), ("check",), ("prune",),
           ("forget", "--keep-last", "1"), ("tag", "--add", "x", "latest"), ("repair",), ("repair", "index"),
           ("key", "add", "--new-key-file", "/nowhere/k"), ("key", "remove", "12345678"), ("key", "rotate")]


@pytest.mark.parametrize("command", READERS, ids=lambda c: "-".join(c[:2]))
def test_a_write_key_reads_nothing_back(repo, holder, tree, command):
    h = holder("write")
    tree.file("x", b"x")
    backup(h, tree.path)
    r = h("--json", *command, rc=12)
    assert r.error["kind"] == "wrong_key" and "role" in r.error["message"] and "full" in r.error["hint"], r


def test_what_a_write_key_stores_a_full_key_restores(repo, holder, tree, base):
    h = holder("write")
    tree.every_kind()
    tree.file("deep/secret", SECRET * 1000)
    backup(h, tree.path)
    repo("restore", "latest", "--target", base / "out")
    same_tree(restored(base / "out", tree.path), tree.path)
    assert repo("check", "--read-data").rc == 0
    second = repo("restore", "latest", "--target", base / "out2", "--verify")
    assert second.rc == 0


def test_a_write_key_deduplicates_in_its_domain_without_local_state(holder, tree):
    h = holder("write")
    tree.file("big", os.urandom(2 << 20))
    assert added(backup(h, tree.path)) >= 2 << 20
    assert added(backup(h, tree.path)) < 4096
    h.env["HOLDFAST_CACHE_DIR"] += "2"
    again = backup(h, tree.path).json("summary")[-1]
    assert again["added_bytes"] < 4096 and again["bytes_read"] >= 2 << 20


def test_domains_do_not_tell_each_other_what_they_hold(filled, holder, tree):
    """Known content: whoever tries whether another domain has it learns only of its own."""
    whole = added(backup(holder("write"), tree.path))
    assert whole >= 3 << 20
    assert added(backup(holder("write"), tree.path)) == whole
    first = holder("write")
    backup(first, tree.path)
    mine = next(k for k in first("--json", "key", "list").json("item") if k["current"])
    shared = holder("write", "--domain", mine["holder"])
    assert added(backup(shared, tree.path)) < 4096


def test_maintenance_checks_and_prunes_but_sees_no_name(filled, holder, tree, base):
    w, m = holder("write"), holder("maintenance")
    backup(w, tree.path)
    for i in range(0, 20, 2):
        os.remove(tree.at(f"many/{i}"))
    filled("forget", "latest", "--now", rc=None)
    r = m("--json", "snapshots")
    assert os.fsdecode(tree.path) not in r.out and "/many" not in r.out and len(r.json("item")) >= 1
    assert m("check").rc == 0
    assert m("check", "--read-data").rc == 0
    m("prune", "--exclusive", "--max-unused", "0")
    assert m("check", "--read-data").rc == 0 and filled("check", "--read-data").rc == 0
    filled("restore", "latest", "--target", base / "out")
    for command in (("ls", "latest"), ("restore", "latest", "--target", base / "no"), ("backup", tree.path),
                    ("cat", "latest:/x"), ("key", "rotate"), ("forget", "--keep-last", "1"), ("stats",)):
        assert "role" in m(*command, rc=12).err


def test_maintenance_finds_damage(filled, holder):
    m = holder("maintenance")
    victim = filled.objects("packs")[0]
    os.chmod(victim, 0o600)
    with open(victim, "r+b") as f:
        f.seek(os.path.getsize(victim) // 2)
        byte = f.read(1)[0]
        f.seek(-1, 1)
        f.write(bytes([byte ^ 1]))
    r = m("check", "--read-data", rc=20)
    assert os.path.basename(victim)[:16] in r.err + r.out
    os.remove(victim)
    assert os.path.basename(victim)[:16] in (r := m("check", rc=20)).err + r.out


@pytest.mark.parametrize("role", ["full", "maintenance"])
def test_a_removed_key_is_left_out_of_what_comes(filled, holder, tree, base, role):
    gone, stays, w = holder(role), holder("full"), holder("write")
    m = holder("maintenance")
    old = os.path.getsize(filled.repo + "/config")
    packs = sorted(filled.objects("packs"))
    with open(filled.repo + "/keys/" + gone.key, "rb") as f:
        bundle = f.read()
    filled("key", "remove", gone.key)
    assert os.path.getsize(filled.repo + "/config") > old
    assert sorted(filled.objects("packs")) == packs
    # Its bundle put back opens nothing any more.
    with open(filled.repo + "/keys/" + gone.key, "wb") as f:
        f.write(bundle)
    assert "removed" in gone("snapshots", rc=12).err
    os.remove(filled.repo + "/keys/" + gone.key)
    tree.file("later", SECRET * 100)
    backup(w, tree.path)
    filled.backup(tree.path)
    for h in (filled, stays):
        h("restore", "latest", "--host", os.uname().nodename, "--target", base / h.key_file.replace("/", "_"), rc=None)
        assert h("check", "--read-data").rc == 0
        assert "later" in h("ls", "-R", h("--json", "snapshots").json("item")[-1]["snapshot"]).out
        assert "many" in h("ls", "-R", h("--json", "snapshots").json("item")[0]["snapshot"]).out
    assert m("check", "--read-data").rc == 0
    # With all it ever had, the removed one opens old data keys and no new one.
    reader = write_repo.Forger(filled.repo, stays.key_file)
    assert reader.config["epoch"] == 2 and {e for _, e in reader.private} == {1, 2}
    assert sum(1 for s in reader.snapshots() for _ in reader.walk(s)) > 40


def test_rotating_keys_needs_nobodys_password(filled, holder, tree):
    stays, m, w = holder("full"), holder("maintenance"), holder("write")
    for _ in range(3):
        filled("key", "rotate")
        tree.file("later", os.urandom(1000))
        for h in (filled, stays, w):
            backup(h, tree.path)
        assert m("check").rc == 0
    late = holder("full")
    for h in (filled, stays, late):
        assert h("check", "--read-data").rc == 0
    stays("key", "passwd", "--new-key-file", stays.key_file + "2")
    stays.key_file += "2"
    assert stays("check", "--read-data").rc == 0


def test_key_list_says_what_each_may_do(repo, holder):
    h, _ = holder("write", "--label", "db1"), holder("maintenance")
    repo("key", "remove", h.key)
    keys = {k["role"]: k for k in repo("--json", "key", "list").json("item")}
    assert keys["write"]["removed"] and keys["write"]["label"] == "db1" and keys["write"]["key"] is None
    assert keys["write"]["domain"] != keys["full"]["domain"] and "domain" not in keys["maintenance"]
    text = repo("key", "list").out
    assert all(word in text for word in ("Role", "Domain", "Removed", "maintenance", "write", "db1", "key file"))
