"""Several workers share a file's chunks; nobody can tell afterwards."""
import fcntl
import os
import signal
import subprocess
import termios

import pytest

from conftest import same_tree


def test_a_large_file_is_cut_the_same_by_any_number_of_workers(repo, tree, base, rng):
    tree.file("big", rng.randbytes(45 << 20) + bytes(9 << 20) + rng.randbytes(3 << 20))
    tree.file("text", b"".join(b"line %d\n" % (i * i) for i in range(1 << 20)))
    repo.backup("--jobs", "4", tree.path)
    for jobs in ("1", "2", "7"):
        s = repo("--json", "backup", "--type", "full", "--jobs", jobs, tree.path).summary
        assert s["bytes_read"] == s["bytes"], s
        assert s["added_bytes"] < 4096, (jobs, s)  # the folders above may be other than they were
    repo("restore", f"latest:{os.fsdecode(tree.path)}", "--target", base / "out")
    same_tree(tree.path, base / "out")


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_a_silent_producer_does_not_keep_a_backup_from_stopping(repo, sig):
    p = repo.start("backup", "--stdin", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    p.stdin.write(b"some, but not all")
    p.stdin.flush()
    while fcntl.ioctl(p.stdin, termios.FIONREAD, bytes(4)) != bytes(4):  # until it was read
        assert p.poll() is None, p.stderr.read()
    p.send_signal(sig)
    try:
        assert p.wait(timeout=120) == 130  # the pipe is still open
    finally:
        p.kill()
        p.communicate()


def test_the_run_after_an_interrupted_one_says_how_much_was_there(repo, rng):
    data = rng.randbytes(24 << 20)
    p = repo.start("--json", "backup", "--stdin", stdin=subprocess.PIPE)
    p.stdin.write(data)
    p.stdin.flush()
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 130, (out, err)
    s = repo("--json", "backup", "--stdin", input=data).summary
    assert s["resumed_bytes"] + s["added_bytes"] >= len(data) and s["resumed_bytes"] > len(data) / 2, s
    text = repo("backup", "--stdin", input=data).out
    assert "Resumed" not in text, text  # that run is told of once: its data is a snapshot's now
    assert repo("--json", "backup", "--stdin", input=data).summary["resumed_bytes"] == 0
