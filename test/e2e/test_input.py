"""What users, other programs and time do to us: each is said, none costs data."""
import base64
import ctypes
import json
import os
import shutil
import subprocess
import threading

import pytest

from conftest import PASSWORD, need, need_root, restored, same_tree, trials

COMMANDS = ["init", "backup", "snapshots", "ls", "find", "cat", "diff", "restore", "mount", "check", "forget",
            "prune", "stats", "tag", "key", "repair", "cache", "version"]


@pytest.fixture
def filled(repo, tree):
    tree.file("a", b"1")
    tree.file("sub/b", b"2" * 1000)
    repo.first = repo.backup(tree.path)
    tree.file("sub/b", b"3" * 1000)
    repo.second = repo.backup(tree.path)
    return repo


# ---- The repository that is not what it should be.

def test_a_wrong_password_is_12_for_every_command(hf, tree, base):
    hf.repo = str(base / "repo")
    hf("init", env={"HOLDFAST_PASSWORD": PASSWORD})
    for args in (["snapshots"], ["backup", tree.path], ["check"], ["prune"], ["stats"], ["repair"], ["key", "list"],
                 ["forget", "--keep-last", "1"], ["restore", "latest", "--target", base / "o"]):
        for wrong in (PASSWORD + "x", PASSWORD[:-1], PASSWORD.upper(), " " + PASSWORD):
            r = hf("--json", *args, env={"HOLDFAST_PASSWORD": wrong}, rc=12)
            assert r.error["kind"] == "wrong_key"
            if args != ["snapshots"]:
                break


@pytest.mark.parametrize("what", ["file", "empty file", "dangling", "below a file"])
def test_a_path_that_is_no_folder_is_no_repository(hf, base, what):
    place = base / "place"
    if what in ("file", "below a file"):
        place.write_text("just a file")
    elif what == "empty file":
        place.write_text("")
    else:
        place.symlink_to(base / "nowhere")
    if what == "below a file":
        place = place / "below"
    r = hf("--json", "-r", place, "snapshots", env={"HOLDFAST_PASSWORD": "x"}, rc=None)
    assert r.rc in (1, 10) and r.error["exit"] == r.rc, r
    assert r.error["kind"] in ("no_repository", "failed", "io", "absent"), r


@pytest.mark.parametrize("config", [b"", b"{}", b"garbage\0\xff" * 100, b'{"version":"x"', b"[" * 100_000,
                                    b'{"holdfast": {"version": 99999999999999999999}}', b"null", bytes(5 << 20)],
                         ids=["empty", "object", "binary", "cut", "nested", "version", "null", "huge"])
def test_a_config_of_garbage_is_damage_or_no_repository(hf, base, config):
    place = base / "place"
    place.mkdir()
    (place / "config").write_bytes(config)
    r = hf("--json", "-r", place, "snapshots", env={"HOLDFAST_PASSWORD": "x"}, rc=None)
    assert r.rc in (10, 20), r
    assert "config" in r.error["message"] + " ".join(r.error["context"]), r


def test_a_restic_repository_is_no_repository_of_ours(hf, base):
    place = base / "place"
    for folder in ("data", "index", "keys", "locks", "snapshots"):
        (place / folder).mkdir(parents=True)
    (place / "config").write_bytes(os.urandom(155))
    before = sorted(place.rglob("*"))
    assert hf("-r", place, "snapshots", env={"HOLDFAST_PASSWORD": "x"}, rc=None).rc in (10, 20)
    assert hf("-r", place, "init", env={"HOLDFAST_PASSWORD": "x"}, rc=None).rc in (1, 2)
    assert sorted(place.rglob("*")) == before


def test_init_refuses_a_folder_with_something_in_it(hf, base):
    place = base / "place"
    place.mkdir()
    (place / "mine").write_text("precious")
    assert hf("-r", place, "init", env={"HOLDFAST_PASSWORD": "x"}, rc=None).rc in (1, 2)
    assert os.listdir(place) == ["mine"]


# ---- The command line.

@pytest.mark.parametrize("args", [["bakcup"], ["backup", "--exlude", "x"], ["snapshots", "--latest"],
                                  ["snapshots", "--latest", "many"], ["forget", "--keep-last", "-1"], ["restore", "latest"],
                                  ["forget", "--keep-within", "5m"], ["backup", "--type", "sideways", "/"],
                                  ["backup", "--compression", "rar", "/"], ["check", "--read-data-subset", "101%"],
                                  ["backup"], ["forget"], ["init", "--grace", "1ms"], ["diff", "latest"], ["key", "dance"], ["ls"]])
def test_a_wrong_command_line_is_2_with_an_explanation(filled, args):
    r = filled(*args, rc=2)
    assert r.out == "" and r.err.startswith("holdfast: ") and len(r.err) < 1000, r
    j = filled("--json", *args, rc=2)
    assert j.error["kind"] == "usage" and j.error["exit"] == 2, j


def test_a_misspelled_word_gets_a_hint(filled):
    assert "backup" in filled("bakcup", rc=2).err
    assert "--exclude" in filled("backup", "--exlude", "x", rc=2).err
    assert "write 1mo" in filled("forget", "--keep-within", "5m", rc=2).err


def json_lines(r, kinds):
    for line in r.raw.splitlines():
        o = json.loads(line)
        assert o["schema"] == 1 and o["type"] in kinds, (o, r)
    return r


@pytest.mark.parametrize("args", [
    ["backup", "TREE"], ["backup", "-n", "TREE"], ["snapshots"], ["ls", "latest"], ["ls", "-R", "-l", "latest"], ["find", "*b*"],
    ["diff", "FIRST", "SECOND"], ["restore", "latest", "--target", "OUT"], ["restore", "latest", "--target", "OUT", "-n"],
    ["check"], ["check", "--read-data"], ["forget", "--keep-last", "1", "-n"], ["forget", "FIRST"], ["forget", "--undo", "FIRST"], ["tag", "--pin", "--hold", "FIRST"], ["prune"], ["prune", "-n"],
    ["stats"], ["tag", "--add", "x", "FIRST"], ["key", "list"], ["key", "add", "--new-key-file", "NEW"], ["repair"], ["repair", "-n"],
    ["cache"], ["version"]], ids=lambda a: "-".join(a[:3]).replace("/", ""))
def test_json_is_json_on_success_and_on_error(filled, tree, base, args):
    words = {"TREE": tree.path, "FIRST": filled.first, "SECOND": filled.second, "OUT": base / "out", "NEW": base / "new"}
    argv = [words.get(a, a) for a in args]
    if args == ["version"]:
        filled.repo = None  # which takes none
    r = json_lines(filled("--json", *argv), ("status", "summary", "item"))
    assert r.raw.endswith(b"\n"), r
    if args[0] in ("version", "cache"):
        return
    wrong = json_lines(filled("--json", *argv, "--no-such-option", rc=2), ("error",))
    assert wrong.error["kind"] == "usage"
    filled.repo = str(base / "nowhere")
    none = json_lines(filled("--json", *argv, rc=10), ("error",))
    assert none.error["kind"] == "no_repository" and none.error["message"] and isinstance(none.error["context"], list)
    assert none.err == "" or not none.err.startswith("{"), none


def test_names_that_are_not_utf8_are_base64_in_json(repo, tree):
    tree.file(b"b\xff", b"x")
    tree.file('quote " back \\ tab \t', b"x")
    repo.backup(tree.path)
    top = os.fsdecode(tree.path)
    items = repo("--json", "ls", "-R", f"latest:{top}").json("item")
    assert any(base64.b64decode(i["path_bytes"]).endswith(b"/b\xff") for i in items if "path_bytes" in i), items
    assert any(i["path"].endswith('/quote " back \\ tab \t') for i in items)


def test_every_command_has_help_and_a_man_page(hf, base):
    for command in COMMANDS:
        assert "--" in hf(command, "--help").out
    hf("help", "--man", base / "man")
    pages = os.listdir(base / "man")
    assert {f"holdfast-{c}.1" for c in COMMANDS} <= set(pages)


# ---- Files that cannot be had.

def test_missing_paths_are_said_and_nothing_is_stored_for_none(repo, tree, base):
    tree.file("a", b"1")
    r = repo("--json", "backup", base / "no such", rc=None)
    assert r.rc in (1, 2, 3) and "no such" in r.out, r
    r = repo("backup", tree.path, base / "no such", rc=3)
    assert "no such" in r.err
    repo("restore", "latest", "--target", base / "out")
    assert os.path.exists(restored(base / "out", tree.at("a")))
    repo("backup", "--strict", tree.path, base / "no such", rc=1)


def test_an_unreadable_file_is_3_and_named_and_the_rest_is_stored(hf, base):
    need_root()
    need("setpriv")
    home = base / "home-of-nobody"
    tree = home / "t"
    (tree / "closed").mkdir(parents=True)
    for i in range(20):
        (tree / f"f{i}").write_text(f"{i}")
    (tree / "secret").write_text("x")
    (tree / "closed/in").write_text("x")
    for at in (base, base.parent, base.parent.parent):
        os.chmod(at, 0o755)
    subprocess.run(["chown", "-R", "65534:65534", home], check=True)
    os.chmod(tree / "secret", 0)
    os.chmod(tree / "closed", 0)
    hf.repo = str(home / "repo")
    hf.env.update(HOLDFAST_PASSWORD="x", HOME=str(home), HOLDFAST_CACHE_DIR=str(home / "cache"))

    def nobody(*args):
        return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *hf.argv(*args)],
                              env=hf.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    assert nobody("init").returncode == 0
    for _ in range(2):  # the second run, from the cache, tells the same
        p = nobody("backup", tree)
        assert p.returncode == 3, p
        assert str(tree / "secret") in p.stderr and str(tree / "closed") in p.stderr, p
        assert str(tree / "f3") not in p.stderr, p
    p = nobody("--json", "backup", tree)
    lines = [json.loads(line) for line in p.stdout.splitlines()]
    assert p.returncode == 3 and [o["errors"] for o in lines if o["type"] == "summary"] == [2], p
    assert nobody("restore", f"latest:{tree}", "--target", home / "out").returncode == 0
    assert {n for n in os.listdir(home / "out")} >= {f"f{i}" for i in range(20)}
    assert not (home / "out/secret").exists()
    assert nobody("backup", "--strict", tree).returncode == 1
    assert nobody("check", "--read-data").returncode == 0
    os.chmod(tree / "secret", 0o600)
    os.chmod(tree / "closed", 0o700)
    assert nobody("backup", tree).returncode == 0
    assert nobody("restore", f"latest:{tree}", "--target", home / "out2").returncode == 0
    same_tree(tree, home / "out2")


class Busy(threading.Thread):
    """Does something again and again until told to stop, with a pause for others in between."""

    def __init__(self, act, pause=0.002):
        super().__init__(daemon=True)
        self.act, self.pause, self.over = act, pause, threading.Event()

    def run(self):
        while not self.over.wait(self.pause):
            self.act()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def grow(path):
    with open(path, "ab") as f:
        f.write(b"more" * 1000)


def shrink_and_grow(path):
    os.truncate(path, 1_000_000)
    with open(path, "r+b") as f:
        f.truncate(9_000_000)


def replace(path):
    with open(path + b".new", "wb") as f:
        f.write(b"replaced" * 1000)
    os.rename(path + b".new", path)


def vanish(path):
    os.unlink(path)
    with open(path, "wb") as f:
        f.write(b"back again" * 100_000)


@pytest.mark.parametrize("act", [grow, shrink_and_grow, replace, vanish])
def test_a_file_that_changes_while_read_leaves_a_whole_snapshot(repo, tree, base, act):
    path = tree.file("moving", b"0123456789" * 900_000)
    tree.file("still", b"never touched")
    with Busy(lambda: act(path)):
        for _ in range(trials(10)):
            r = repo("backup", "--type", "full", tree.path, rc=None)
            assert r.rc in (0, 3), r
            if r.rc == 3:
                assert "moving" in r.err, r
    repo.check_clean()
    for i, item in enumerate(repo("--json", "snapshots").json("item")):
        repo("restore", item["snapshot"], "--target", base / f"out{i}", "--verify")
        with open(os.path.join(restored(base / f"out{i}", tree.path), b"still"), "rb") as f:
            assert f.read() == b"never touched"


def test_a_tree_that_is_torn_down_while_read_leaves_a_whole_snapshot(repo, tree):
    def churn():
        for i in range(30):
            tree.file(f"x{i % 5}/y/z{i}", b"x" * 5000)
        for i in range(5):
            shutil.rmtree(tree.at(f"x{i}"), ignore_errors=True)

    tree.file("still", b"1")
    with Busy(churn):
        for _ in range(trials(20)):
            assert repo("backup", tree.path, rc=None).rc in (0, 3)
    repo.check_clean()


# ---- The target of a restore.

def exchange(a, b):
    """Swap two names at once."""
    ctypes.CDLL(None, use_errno=True).renameat2(-100, os.fsencode(a), -100, os.fsencode(b), 2)


def test_a_symlink_swapped_in_during_restore_leads_nowhere(repo, tree, base):
    """While a restore runs, its folders are exchanged for links that lead out, as fast as can be."""
    for i in range(8):
        for j in range(60):
            tree.file(f"d{i}/e/f{j}", b"%d" % j * 500)
    repo.backup(tree.path)
    outside = base / "outside"
    outside.mkdir()
    (outside / "e").mkdir()
    for n in range(trials(30)):
        target = base / f"t{n}"
        links = base / f"links{n}"
        links.mkdir()
        for i in range(8):
            (links / f"d{i}").symlink_to(outside)

        def swap():
            for i in range(8):
                exchange(target / f"d{i}", links / f"d{i}")

        with Busy(swap, 0):
            r = repo("restore", "latest:" + os.fsdecode(tree.path), "--target", target, rc=None)
        assert r.rc in (0, 1, 3), r
        assert os.listdir(outside) == ["e"] and os.listdir(outside / "e") == [], (n, r)
        shutil.rmtree(target)


def test_a_target_with_something_in_it_is_refused_before_anything_happens(filled, base):
    out = base / "out"
    out.mkdir()
    (out / ".hidden").write_text("mine")
    r = filled("--json", "restore", "latest", "--target", out, rc=2)
    assert r.error["kind"] == "usage" and "--overwrite" in r.error["hint"], r
    assert os.listdir(out) == [".hidden"]


def test_a_target_that_is_a_file_is_refused(filled, base):
    (base / "out").write_text("mine")
    r = filled("restore", "latest", "--target", base / "out", rc=None)
    assert r.rc in (1, 2) and (base / "out").read_text() == "mine", r


def test_overwrite_does_what_it_says(filled, tree, base):
    out = base / "out"
    spec = "latest:" + os.fsdecode(tree.path)
    filled("restore", spec, "--target", out)
    same_tree(tree.path, out)
    (out / "a").write_text("mine")
    (out / "extra").write_text("extra")
    filled("restore", spec, "--target", out, "--overwrite", "never", rc=3)
    assert (out / "a").read_text() == "mine"
    filled("restore", spec, "--target", out, "--overwrite", "if-changed", "-n", "--delete")
    assert (out / "a").read_text() == "mine" and (out / "extra").exists()
    filled("restore", spec, "--target", out, "--overwrite", "if-changed")
    assert (out / "a").read_text() == "1" and (out / "extra").exists()
    filled("restore", spec, "--target", out, "--overwrite", "always", "--delete")
    same_tree(tree.path, out)


def test_a_repository_that_may_not_be_written_can_be_read(hf, tree, base):
    need_root()
    need("setpriv")
    hf.init()
    tree.file("a", b"1")
    hf.backup(tree.path)
    subprocess.run(["chmod", "-R", "a+rX,a-w", hf.repo], check=True)
    os.chmod(hf.key_file, 0o644)
    for at in (base, base.parent, base.parent.parent):
        os.chmod(at, 0o755)
    os.mkdir(base / "open")
    os.chmod(base / "open", 0o777)
    hf.env.update(HOME=f"{base}/open", HOLDFAST_CACHE_DIR=f"{base}/open/c")

    def nobody(*args):
        return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *hf.argv(*args)],
                              env=hf.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    for args in (["snapshots"], ["check", "--read-data"], ["restore", "latest:" + os.fsdecode(tree.path), "--target", base / "open/o"]):
        p = nobody(*args)
        assert p.returncode in (0, 3), p
    assert (base / "open/o/a").read_text() == "1"
    p = nobody("--json", "backup", base / "open")
    assert p.returncode == 1 and json.loads(p.stdout.splitlines()[-1])["type"] == "error", p
