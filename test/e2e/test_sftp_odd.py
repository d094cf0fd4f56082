"""SFTP as other servers than OpenSSH speak it, and as none should: one of the test's own (fake_sftp) takes ssh's place."""
import os
import shlex
import signal
import sys

import pytest

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers", "fake_sftp.py")


@pytest.fixture
def odd(hf, base):
    """odd(quirk...): from now on the server has these; the repository is made unless it is there."""
    def go(*quirks):
        hf.env.update(HOLDFAST_SFTP_COMMAND=shlex.join([sys.executable, SERVER, *quirks]), HOLDFAST_RETRIES="1")
        hf.repo = f"sftp:host:{base}/repo"
        if hf.key_file is None:
            hf("init", "--new-key-file", f"{base}/key")
            hf.key_file = f"{base}/key"
        return hf
    return go


def bytes_of(path):
    with open(path, "rb") as f:
        return f.read()


PLAIN = ("no-hardlink", "no-posix-rename")  # version 3, as it is written


@pytest.mark.parametrize("replaces", [False, True])
def test_a_server_without_extensions_will_do(odd, tree, base, replaces):
    hf = odd(*PLAIN, "no-fsync", *["rename-replaces"] * replaces)
    tree.file("a", b"precious")
    snapshot = hf.backup(tree.path)
    hf("check", "--read-data")
    hf("forget", "--now", snapshot)
    hf("prune", "--exclusive")
    hf("check", "--read-data")


def test_who_lost_the_race_for_a_name_is_told(hf, odd, base):
    """A plain rename may replace: of two at one moment the later one's stays."""
    with pytest.raises(AssertionError, match="another was put at the same time"):
        odd(*PLAIN, "rename-replaces", "lost-race=config")
    assert not os.path.exists(f"{base}/key")


def test_config_is_there_at_every_moment(odd, base):
    """Where no rename replaces, nothing is removed first: what would have to be is refused."""
    hf = odd(*PLAIN)
    before = bytes_of(f"{base}/repo/config")
    failed = hf("key", "add", "--new-key-file", f"{base}/second", rc=1)
    assert "no way to replace" in failed.err and "hint:" in failed.err
    assert bytes_of(f"{base}/repo/config") == before
    odd(*PLAIN, "rename-replaces")
    hf("key", "add", "--new-key-file", f"{base}/second")
    assert bytes_of(f"{base}/repo/config") != before
    hf("check", "--read-data")


def test_a_folder_that_is_not_made_durable_fails_the_backup(odd, tree):
    hf = odd()
    tree.file("a", b"precious")
    odd("folder-fsync-fails")
    failed = hf("backup", tree.path, rc=1)
    assert "sync a folder" in failed.err
    odd()
    hf.backup(tree.path)
    hf("check", "--read-data")


KINDS = ["packs/", "meta/", "index/", "snapshots/"]  # what a login that only adds puts


@pytest.mark.parametrize("kind", KINDS)
def test_a_login_that_may_only_add_leaves_no_torn_object(odd, tree, base, kind):
    """With links objects appear whole: a connection that ends right before costs another, and nothing else."""
    hf = odd()
    tree.file("a", b"precious")
    odd("append-only", f"cut-at=/repo/{kind}", f"cut-if={base}/cut")
    (base / "cut").write_text("")
    hf.backup(tree.path)
    assert not (base / "cut").exists()
    hf("check", "--read-data")
    odd()
    hf("prune", "--exclusive")
    assert os.listdir(base / "repo" / "tmp") == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_cut_leaves_where_there_are_no_links_is_known_for_none(odd, tree, base, kind):
    """Written under their own names: nobody trusts such an object, the next backup is whole, repair removes it."""
    hf = odd()
    tree.file("a", b"precious")
    odd("append-only", "no-hardlink", f"cut-at=/repo/{kind}", f"cut-if={base}/cut")
    (base / "cut").write_text("")
    hf("backup", tree.path, rc=1)
    snapshot = hf.backup(tree.path)
    hf("restore", snapshot, "--target", base / "out")
    found = hf("check", "--read-data", rc=None)
    assert found.rc == (0 if kind in ("packs/", "meta/") else 20)
    odd()
    if found.rc:
        assert kind in found.err
        hf("repair", rc=None)
        hf("check", "--read-data")
    hf("prune", "--exclusive")
    hf("check", "--read-data")


QUICK = {"HOLDFAST_REQUEST_TIMEOUT": "500ms", "HOLDFAST_RETRIES": "1"}
STAT, CLOSE, READ, WRITE, READDIR, EXTENDED = 17, 4, 5, 6, 12, 200


@pytest.mark.parametrize("kind", [STAT, READ, WRITE, READDIR, EXTENDED])
def test_a_request_that_is_not_answered_is_given_up(odd, tree, kind):
    """Whatever else the server says meanwhile."""
    hf = odd()
    tree.file("a", b"precious")
    hf.backup(tree.path)
    tree.file("b", b"more")
    odd(f"silent={kind}")
    failed = hf("backup", tree.path, "--no-cache", rc=1, env=QUICK, timeout=120)
    assert "not answered in time" in failed.err
    odd()
    hf.backup(tree.path)
    hf("check", "--read-data")


def test_who_sends_to_the_deaf_can_be_interrupted(odd, tree, base, rng):
    hf = odd()
    tree.file("a", rng.randbytes(3 << 20))
    odd(f"deaf={base}/deaf")
    run = hf.start("backup", tree.path)
    while not (base / "deaf").exists():
        assert run.poll() is None
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=120)
    assert run.returncode == 130
    odd()
    hf.backup(tree.path)
    hf("check", "--read-data")


@pytest.mark.parametrize("how", ["wrong-answer", "half-status"])
@pytest.mark.parametrize("kind", [CLOSE, WRITE, EXTENDED])
def test_an_answer_that_is_none_acknowledges_nothing(odd, tree, kind, how):
    hf = odd()
    tree.file("a", b"precious")
    odd(f"{how}={kind}")
    failed = hf("backup", tree.path, rc=1, timeout=120)
    assert "an answer that is none" in failed.err
    odd()
    hf.backup(tree.path)
    hf("check", "--read-data")


def test_a_listing_without_an_end_is_ended(odd, tree):
    hf = odd()
    tree.file("a", b"precious")
    hf.backup(tree.path)
    odd("endless")
    failed = hf("check", rc=1, timeout=120)
    assert "listing has no end" in failed.err
