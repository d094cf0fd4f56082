"""The main road, and each exit status a newcomer meets first."""
import os

import pytest

from conftest import restored, same_tree


def test_what_is_backed_up_comes_back_identical(repo, tree, base):
    tree.every_kind()
    snapshot = repo.backup(tree.path)
    assert snapshot[:8] in repo("snapshots").out
    repo("restore", snapshot, "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))
    repo.check_clean()


def test_a_path_in_a_snapshot_restores_its_content_into_the_target(repo, tree, base):
    tree.file("sub/a", b"1")
    repo.backup(tree.path)
    repo("restore", "latest:" + os.fsdecode(tree.at("sub")), "--target", base / "out")
    assert os.listdir(base / "out") == ["a"]


def test_an_unchanged_tree_costs_little_and_keeps_the_first_snapshot(repo, tree, base):
    tree.file("big", os.urandom(5_000_000))
    first = repo.backup(tree.path)
    before = repo.size()
    second = repo.backup(tree.path)
    assert first != second and repo.size() - before < 100 * 1024
    ids = {item["snapshot"] for item in repo("--json", "snapshots").json("item")}
    assert ids == {first, second}


def test_a_password_opens_what_it_made_and_no_other_does(hf, tree, base):
    hf.repo = str(base / "repo")
    hf("init", env={"HOLDFAST_PASSWORD": "one"})
    tree.file("a", b"1")
    hf("backup", tree.path, env={"HOLDFAST_PASSWORD": "one"})
    wrong = hf("--json", "snapshots", env={"HOLDFAST_PASSWORD": "two"}, rc=12)
    assert wrong.error["kind"] == "wrong_key" and wrong.error["exit"] == 12


def test_another_repositorys_key_file_is_a_wrong_key(repo, base):
    other = base / "other"
    repo("init", "-r", other, "--new-key-file", base / "other.key", env={"HOLDFAST_KEY_FILE": None})
    repo("snapshots", env={"HOLDFAST_KEY_FILE": str(base / "other.key")}, rc=12)


def test_no_repository_is_told_apart(hf, base):
    empty = base / "empty"
    empty.mkdir()
    for place in (empty, base / "missing"):
        r = hf("--json", "-r", place, "snapshots", env={"HOLDFAST_PASSWORD": "x"}, rc=10)
        assert r.error["kind"] == "no_repository"


@pytest.mark.parametrize("args", [["nonsense"], ["backup", "--no-such-option"], ["restore"], []])
def test_usage_errors_are_2_and_say_so(repo, args):
    r = repo(*args, rc=2)
    assert r.out == "" and r.err != ""


def test_no_key_at_all_is_a_usage_error_with_a_hint(repo):
    r = repo("snapshots", env={"HOLDFAST_KEY_FILE": None}, rc=2)
    assert "hint:" in r.err


def test_an_absent_snapshot_is_a_failure_of_its_own_kind(repo, base):
    r = repo("--json", "restore", "abcdef01", "--target", base / "out", rc=1)
    assert r.error["kind"] == "absent" and not os.path.exists(base / "out")


def test_a_target_with_something_in_it_is_refused_unless_asked(repo, tree, base):
    tree.file("a", b"1")
    repo.backup(tree.path)
    out = base / "out"
    out.mkdir()
    (out / "mine").write_text("precious")
    repo("restore", "latest", "--target", out, rc=2)
    assert os.listdir(out) == ["mine"]
    repo("restore", "latest", "--target", out, "--overwrite", "never")
    assert (out / "mine").read_text() == "precious"
    same_tree(tree.path, restored(out, tree.path))


def test_an_existing_repository_is_not_initialised_again(repo, base):
    before = repo.objects("")
    r = repo("--json", "init", "--new-key-file", base / "key2", rc=1)
    assert r.error["kind"] == "exists" and repo.objects("") == before


def test_json_is_one_object_a_line_on_success_and_on_error(repo, tree):
    tree.file("a", b"1")
    good = repo("--json", "backup", tree.path)
    assert good.summary["snapshot"] and len(good.summary["snapshot"]) == 64
    assert repo("--json", "snapshots").json("item")
    bad = repo("--json", "ls", "latest:/no/such/file", rc=1)
    error = bad.error
    assert error["message"] and error["exit"] == 1 and isinstance(error["context"], list)


def test_every_command_explains_itself(hf):
    text = hf("--help").out
    for command in ("init", "backup", "snapshots", "restore", "check", "forget", "prune"):
        assert command in text
        assert "Usage" in hf(command, "--help").out or "usage" in hf(command, "--help").out
