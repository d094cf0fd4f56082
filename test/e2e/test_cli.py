"""What people meet who type: refusals, warnings, words."""
import os

import pytest


def test_init_refuses_a_folder_with_something_in_it(hf, base):
    full = base / "full"
    full.mkdir()
    (full / "letter.txt").write_text("mine")
    key = base / "new.key"
    r = hf("-r", full, "init", "--new-key-file", key, rc=2)
    assert "letter.txt" in r.err and "hint:" in r.err
    assert os.listdir(full) == ["letter.txt"] and not key.exists()


def test_init_takes_what_an_interrupted_one_left(hf, base):
    (base / "half" / "keys").mkdir(parents=True)
    (base / "half" / "tmp").mkdir()
    (base / "half" / "lost+found").mkdir()
    hf("-r", base / "half", "init", "--new-key-file", base / "new.key")


def test_init_on_a_repository_says_that_it_is_one(repo, base):
    r = repo("--json", "init", "--new-key-file", base / "other.key", rc=1)
    assert r.error["kind"] == "exists" and not (base / "other.key").exists()


def test_init_with_an_existing_key_file_leaves_no_folder(hf, base):
    (base / "there.key").write_text("mine")
    hf("-r", base / "new", "init", "--new-key-file", base / "there.key", rc=1)
    assert not (base / "new").exists() and (base / "there.key").read_text() == "mine"


@pytest.mark.parametrize("config", [b"[core]\n\tbare = false\n", b"x" * 5_000_000], ids=["git", "large"])
def test_another_programs_config_makes_no_repository(hf, base, config):
    (base / "git").mkdir()
    (base / "git" / "config").write_bytes(config)
    r = hf("--json", "-r", base / "git", "snapshots", env={"HOLDFAST_PASSWORD": "x"}, rc=10)
    assert r.error["kind"] == "no_repository" and r.error["hint"]


def test_a_broken_config_beside_keys_is_damage(repo):
    with open(os.path.join(repo.repo, "config"), "wb") as f:
        f.write(b"{}")
    repo("snapshots", rc=20)


def test_rules_that_keep_nothing_are_named_as_such(repo, tree):
    tree.file("a", b"1")
    repo.backup(tree.path)
    repo.backup(tree.path)
    r = repo("forget", "--keep-tag", "nosuch", rc=3)
    assert "keep nothing of 1 group" in r.err and "pinned" not in r.err
    assert len(repo("--json", "snapshots").json("item")) == 2


def test_many_rules_are_all_told(repo, tree):
    tree.file("a", b"1")
    repo.backup(tree.path, "--tag", "gold")
    rules = ["last", "hourly", "daily", "weekly", "monthly", "yearly"]
    args = [word for rule in rules for word in (f"--keep-{rule}", "3")]
    r = repo("forget", "-n", *args, "--keep-tag", "gold", "--keep-within", "1y")
    kept = [line for line in r.out.splitlines() if line.startswith("  keep")]
    assert len(kept) == 1 and all(word in kept[0] for word in rules + ["gold", "within"])


def test_names_forge_no_lines(repo, tree, base):
    name = "a\nholdfast: all is well"
    tree.file(name, b"1")
    repo.backup(tree.path)
    for r in (repo("ls", "-R", "latest"), repo("find", "a*"), repo("backup", "-v", tree.path)):
        assert "\nholdfast: all is well" not in r.out + r.err
        assert "a\\x0aholdfast: all is well" in r.out + r.err


def test_messages_say_a_path_once(repo, tree):
    tree.file("a", b"1")
    missing = os.fsdecode(tree.at("missing"))
    r = repo("backup", tree.path, missing, rc=3)
    (line,) = [line for line in r.err.splitlines() if "missing" in line]
    assert line == f"error: {missing}: No such file or directory"
