"""What people meet who type: refusals, warnings, words."""
import os
import pty
import signal
import subprocess

import pytest

from conftest import need


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


def test_without_a_command_stdout_stays_empty(hf):
    r = hf(rc=2)
    assert r.out == "" and "Usage:" in r.err and "which command?" in r.err


@pytest.mark.parametrize("args", [["help"], ["backup", "--help"], ["--help"], ["help", "prune"],
                                  ["completion", "bash"], ["--version"]])
def test_json_is_json_for_help_too(hf, args):
    assert hf("--json", *args).summary
    assert hf("--json", rc=2).error["kind"] == "usage"


def test_help_knows_what_was_meant(hf):
    assert "'backup'" in hf("help", "backups", rc=2).err


def test_lists_of_paths_have_comments(repo, tree, base):
    tree.file("a", b"1")
    listed = base / "list"
    listed.write_bytes(b"# what matters\n\n" + tree.path + b"\n")
    r = repo("backup", "--files-from", listed)
    assert "what matters" not in r.err


def test_a_path_that_is_left_out_whole_is_told(repo, tree):
    tree.file("a", b"1")
    sub = os.fsdecode(tree.dir("sub"))
    assert f"{sub}: is left out whole (--exclude: sub)" in repo("backup", tree.path, sub, "-e", "sub").err
    assert f"{repo.repo}: is the repository itself" in repo("backup", tree.path, repo.repo).err
    assert "left out" not in repo("backup", tree.path).err


def test_patterns_that_match_nothing_are_told(repo, tree, base):
    tree.file("x/sub/deep", b"1")
    assert "**/sub/deep is for any depth" in repo("backup", tree.path, "-e", "sub/deep").err
    assert repo("backup", tree.path, "-e", "**/sub/deep").err == ""
    assert repo("backup", tree.path, "-e", os.fsdecode(tree.at("x/sub"))[1:]).err == ""
    repo("backup", tree.path)
    r = repo("restore", "latest", "--target", base / "out", "--include", "/nosuch", "--include", "deep")
    assert "--include: /nosuch: matched nothing" in r.err and "deep" not in r.err


def test_a_day_is_echoed_as_its_end(repo, tree):
    tree.file("a", b"1")
    repo.backup(tree.path)
    assert "as 2099-11-21 23:59:59" in repo("ls", "2099-11-21").err


def test_a_relative_path_chooses_as_backup_took_it(repo, tree):
    tree.file("sub/a", b"1")
    repo("backup", "sub", cwd=tree.path)
    tree.file("a", b"1")
    repo("backup", "a", cwd=tree.path)
    assert len(repo("--json", "snapshots", "--path", "sub", cwd=tree.path).json("item")) == 1
    assert len(repo("--json", "snapshots", "--path", "./x/../sub/", cwd=tree.path).json("item")) == 1


def test_an_empty_target_is_a_usage_error(repo, tree):
    tree.file("a", b"1")
    repo.backup(tree.path)
    repo("restore", "latest", "--target", "", rc=2, cwd=tree.path)


def test_a_path_without_its_slash_gets_a_hint(repo, tree):
    tree.file("a", b"1")
    snapshot = repo.backup(tree.path)
    assert "latest:/t/b" in repo("ls", "latest:t/b", rc=1).err
    assert f"{snapshot[:8]}:/t/b" in repo("ls", snapshot[:8] + ":t/b", rc=2).err


def test_tag_says_how_many_changed(repo, tree):
    tree.file("a", b"1")
    repo.backup(tree.path)
    assert "1 added, 0 removed" in repo("tag", "--add", "x", "--add", "x", "--remove", "y", "latest").out
    assert "Nothing to change" in repo("tag", "--add", "x", "--remove", "y", "latest").out
    (item,) = repo("--json", "tag", "--remove", "x", "latest").json("item")
    assert (item["added"], item["removed"]) == (0, 1)


@pytest.mark.parametrize("pattern", ["[", "[a-", "a\\"])
def test_a_malformed_pattern_finds_nothing_loudly(repo, pattern):
    repo("find", pattern, rc=2)


def type_passwords(hf, args, passwords):
    """Run on a terminal of its own, and answer each prompt: what was seen, and the status."""
    pid, fd = pty.fork()
    if pid == 0:
        argv = hf.argv(*args)
        os.execve(argv[0], argv, hf.environment())
    seen, left = b"", list(passwords)
    while True:
        try:
            part = os.read(fd, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
        if left and seen.endswith(b"password: "):
            os.write(fd, left.pop(0) + b"\n")
    os.close(fd)
    return seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_mistyped_password_may_be_typed_again(hf, base):
    hf.repo = str(base / "repo")
    hf("init", env={"HOLDFAST_PASSWORD": "right"})
    seen, rc = type_passwords(hf, ["snapshots"], [b"wrong", b"right"])
    assert rc == 0 and "try again" in seen
    seen, rc = type_passwords(hf, ["snapshots"], [b"one", b"two", b"three"])
    assert rc == 12 and seen.count("try again") == 2


def test_one_of_a_thing_is_no_plural(repo, tree, base):
    tree.file("a", b"1")
    repo.backup(tree.path)
    out = repo("restore", "latest", "--target", base / "out", "--verify").out
    assert "1 file," in out and "Verified: 1 file\n" in out
    repo("forget", "--now", "latest")
    out = repo("prune", "-n").out
    assert "Snapshots that would go: 1" in out and " 1 packs" not in out
    assert "%" not in repo("stats").out


def complete(hf, base, *words, cwd=None):
    """What bash offers for the last of these words, as readline parts them."""
    script = base / "completion"
    script.write_text(hf("completion", "bash").out)
    text = ('source "$0"; COMP_WORDS=(holdfast "$@"); COMP_CWORD=$#; _holdfast;'
            ' printf "%s\\n" "${COMPREPLY[@]}"')
    p = subprocess.run(["bash", "-c", text, script, *words], cwd=cwd, stdout=subprocess.PIPE, check=True)
    return sorted(p.stdout.decode().split("\n")[:-1])


def test_completion_offers_what_fits(hf, base):
    (base / "d").mkdir()
    (base / "d" / "two words").write_text("")
    (base / "d" / "*").write_text("")
    at = {"cwd": base / "d"}
    assert complete(hf, base, "back") == ["backup"]
    assert complete(hf, base, "backup", "two", **at) == ["two words"]
    assert complete(hf, base, "backup", "-r", "", **at) == ["*", "two words"]
    assert complete(hf, base, "backup", "--tag", "", **at) == [""]
    assert complete(hf, base, "forget", "--keep-last", "", **at) == [""]
    assert complete(hf, base, "backup", "--type", "=") == ["differential", "full", "incremental"]
    assert complete(hf, base, "backup", "--type", "=", "fu") == ["full"]
    assert complete(hf, base, "backup", "--type", "in") == ["incremental"]


def test_groups_of_several_keys_are_told_apart(repo, tree, base):
    tree.file("a", b"1")
    repo.backup(tree.path)
    assert ", key" not in repo("forget", "-n", "--keep-last", "1").out
    repo("key", "add", "--new-key-file", base / "two.key", "--label", "laptop")
    repo.backup(tree.path, env={"HOLDFAST_KEY_FILE": str(base / "two.key")})
    out = repo("forget", "-n", "--keep-last", "1").out
    assert out.count("Host ") == 2 and ", key laptop:" in out
    assert repo("restore", "latest", "--target", base / "out", rc=2).err.count("key holder") == 2


def test_a_key_without_a_label_is_called_by_its_holder(repo, tree, base):
    tree.file("a", b"1")
    repo("key", "add", "--new-key-file", base / "two.key")
    repo.backup(tree.path)
    repo.backup(tree.path, env={"HOLDFAST_KEY_FILE": str(base / "two.key")})
    out = repo("forget", "-n", "--keep-last", "1").out
    assert out.count(", key holder ") == 2 and "key :" not in out, out


def test_one_pinned_snapshot_stays(repo, tree):
    tree.file("a", b"1")
    repo("tag", "--pin", repo.backup(tree.path))
    assert "1 snapshot is pinned or held and stays\n" in repo("forget", "--now", "latest", rc=3).err


def test_restore_says_how_to_name_the_target(repo):
    r = repo("restore", "latest", "out", rc=2)
    assert "hint: where to is said with --target out" in r.err, r


def test_man_pages_have_upper_case_titles(hf, base):
    hf("help", "--man", base / "man")
    assert '.TH "HOLDFAST\\-RESTORE" 1' in (base / "man" / "holdfast-restore.1").read_text()


def test_usage_hints_have_no_blank_at_the_end(hf):
    assert all(line == line.rstrip() for line in hf("init", "x", rc=2).err.splitlines())


def test_the_end_of_a_mount_is_no_mishap(repo, tree, base):
    need("fusermount3")
    tree.file("a", b"1")
    repo.backup(tree.path)
    (base / "m").mkdir()
    p = repo.start("mount", base / "m")
    if b"mounted" not in p.stderr.readline():
        p.communicate()
        pytest.skip("may not mount")
    p.send_signal(signal.SIGINT)
    assert p.communicate() == (b"", b"") and p.returncode == 130
