"""What makes it bearable to live with: limits, priorities, progress when asked, a clean stop, installing."""
import os
import random
import re
import signal
import subprocess
import time

import pytest

from conftest import need, need_root, restored, same_tree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MIB = 1 << 20
DEADLINE = 120


def wait_until(true):
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def status(pid, field):
    with open(f"/proc/{pid}/status") as f:
        return re.search(rf"^{field}:\s*(\S+)", f.read(), re.M)[1]


def catches(pid, sig):
    return int(status(pid, "SigCgt"), 16) >> (sig - 1) & 1


def stop(p):
    """Ctrl-C, then what it said; a stop is prompt, whatever it was waiting for."""
    began = time.monotonic()
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=DEADLINE)
    assert time.monotonic() - began < DEADLINE / 2
    assert p.returncode == 130, (p.returncode, out, err)
    return out.decode(), err.decode()


@pytest.fixture
def data(tree, rng):
    """6 MiB that neither compress nor repeat, in 30 files."""
    for i in range(30):
        tree.file(f"d{i % 3}/f{i}", rng.randbytes(MIB // 5))
    return tree.path


def seconds(run):
    began = time.monotonic()
    run()
    return time.monotonic() - began


def test_limits_hold_in_both_directions(repo, data, base):
    # 6 MiB, less a quarter of a second's worth that may go at once
    assert seconds(lambda: repo.backup(data, "--limit-upload", "2MiB")) > 2.6
    took = seconds(lambda: repo("restore", "latest", "--target", base / "out",
                                env={"HOLDFAST_LIMIT_DOWNLOAD": "3072"}))  # KiB/s
    assert took > 1.6
    same_tree(data, restored(base / "out", data))
    repo.check_clean()


def test_limits_that_make_no_sense_are_refused(repo, data):
    for args in (["--limit-upload", "fast"], ["--nice", "20"], ["--ionice", "realtime"], ["--jobs", "0"]):
        r = repo("backup", data, *args, rc=2)
        assert f"{args[0]}: " in r.err, r
    r = repo("backup", data, env={"HOLDFAST_LIMIT_UPLOAD": "-3"}, rc=2)
    assert "HOLDFAST_LIMIT_UPLOAD" in r.err


def ioprio(pid):
    """The class and level of disk access, as the kernel has them."""
    import ctypes
    value = ctypes.CDLL(None, use_errno=True).syscall(252, 1, pid)  # ioprio_get on x86-64
    return value >> 13, value & 0x1fff


def threads(pid):
    return [int(t) for t in os.listdir(f"/proc/{pid}/task")]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="knows the number of ioprio_get there only")
def test_every_thread_has_the_priorities_asked_for(repo, data):
    p = repo.start("backup", data, "--nice", "11", "--ionice", "best-effort:6", "--jobs", "3", "--limit-upload", "64")
    wait_until(lambda: len(threads(p.pid)) >= 5)  # main, walker, three workers
    for t in threads(p.pid)[1:]:
        if t != p.pid:
            assert os.getpriority(os.PRIO_PROCESS, t) == 11
            assert ioprio(t) == (2, 6)
    p.kill()
    p.communicate()
    p = repo.start("backup", data, "--ionice", "idle", "--limit-upload", "64", "--jobs", "1")
    wait_until(lambda: len(threads(p.pid)) >= 3)
    assert all(ioprio(t)[0] == 3 for t in threads(p.pid))
    p.kill()
    p.communicate()


def test_more_priority_than_one_may_have_is_refused(repo, data):
    need_root()
    need("setpriv")
    argv = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "--bounding-set=-sys_nice", "--inh-caps=-all",
            *repo.argv("version", "--nice", "-5")]
    assert subprocess.run(argv, capture_output=True).returncode == 2  # version has no such option
    argv[-3:] = ["snapshots", "--nice", "-5"]
    os.chmod(repo.base, 0o755)
    p = subprocess.run(argv, capture_output=True, env=repo.environment())
    assert p.returncode == 1 and b"set priority -5" in p.stderr and b"only root" in p.stderr, p


LONG = {
    "backup": ["backup", "--limit-upload", "256"],
    "restore": ["restore", "latest", "--limit-download", "256"],
    "check": ["check", "--read-data", "--limit-download", "256"],
    "repair": ["repair", "--limit-download", "256"],
    "prune": ["prune", "--exclusive", "--max-unused", "0%", "--repack", "--limit-download", "256"],
    "forget": ["forget", "--now", "--keep-last", "1", "--prune", "--exclusive", "--max-unused", "0%", "--repack", "--limit-download", "256"],
}


@pytest.mark.parametrize("command", LONG)
def test_sigusr1_prints_progress_and_ctrl_c_stops_cleanly(repo, data, base, rng, command):
    args = list(LONG[command])
    if command == "backup":
        args.append(data)
    else:
        old = repo.backup(data)
        for i in range(0, 30, 3):  # a third of the pack is garbage once the first snapshot is gone
            os.unlink(data + b"/d%d/f%d" % (i % 3, i))
        repo.backup(data)
        if command == "prune":
            repo("forget", "--now", old)
    if command == "restore":
        args += ["--target", base / "out"]
    p = repo.start(*args)
    wait_until(lambda: catches(p.pid, signal.SIGUSR1))
    os.set_blocking(p.stderr.fileno(), False)
    said = b""

    def told():
        nonlocal said
        assert p.poll() is None, (p.returncode, said)
        p.send_signal(signal.SIGUSR1)
        said += p.stderr.read() or b""
        return re.search(rb"/s, ", said)

    wait_until(told)
    os.set_blocking(p.stderr.fileno(), True)
    assert re.search(rb"\d ([KMG]i)?B, .*\d ([KMG]i)?B/s, ", said), said
    stop(p)
    if command != "restore":
        repo.check_clean()


def lists_of(repo, folder, trace, *args):
    """How often a folder is listed during a backup of 6 seconds, which is long enough for a forecast."""
    need("strace")
    argv = ["strace", "-f", "-qq", "-y", "-e", "trace=getdents64", "-o", trace]
    p = subprocess.run(argv + repo.argv("backup", *args, "--limit-upload", "1MiB"), env=repo.environment(),
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert p.returncode == 0, p.stderr
    with open(trace, "rb") as f:
        lines = [line for line in f if b"<" + folder + b">" in line]
    return sum(line.rstrip().endswith(b"= 0") for line in lines)  # each listing ends so


@pytest.mark.parametrize("args, times", [([], 1), (["--json"], 2), (["--json", "--no-scan"], 1), (["--quiet"], 1)])
def test_the_source_is_walked_twice_only_where_somebody_looks(repo, data, base, args, times):
    assert lists_of(repo, data + b"/d1", base / "trace", *args, data) == times


def test_who_asks_by_sigusr1_learns_how_much_there_is(repo, data):
    p = repo.start("backup", data, "--limit-upload", "256")
    wait_until(lambda: catches(p.pid, signal.SIGUSR1))
    said = b""
    os.set_blocking(p.stderr.fileno(), False)

    def told():
        nonlocal said
        assert p.poll() is None, (p.returncode, said)
        p.send_signal(signal.SIGUSR1)
        said += p.stderr.read() or b""
        return b" of 30 files" in said

    wait_until(told)
    os.set_blocking(p.stderr.fileno(), True)
    stop(p)


def test_an_interrupted_backup_says_what_it_kept(repo, data):
    p = repo.start("backup", data, "--limit-upload", "512")
    wait_until(lambda: catches(p.pid, signal.SIGINT) and repo.size() > MIB)
    _, said = stop(p)
    assert "interrupted" in said and "hint: what was stored is kept" in said, said
    kept = repo.size()
    assert kept > MIB
    assert repo("--json", "backup", data).summary["added_bytes"] < 6 * MIB
    repo.check_clean()


def test_what_an_increment_adds_is_compressed_harder_unless_a_level_is_named(repo, base):
    words = open(os.path.join(ROOT, "README.md")).read().split()
    rng = random.Random(1)
    stored = {}
    for level in ("zstd", "zstd:3"):
        folder = os.path.join(base, level)
        os.mkdir(folder)
        for name in ("first", "second"):
            with open(os.path.join(folder, name), "w") as f:
                f.write(" ".join(rng.choice(words) for _ in range(300000)))
            done = repo("--json", "backup", "--compression", level, folder).summary
            stored[level, name] = done["stored_bytes"] / done["added_bytes"]
    assert stored["zstd", "second"] < 0.97 * stored["zstd:3", "second"]
    assert 0.99 < stored["zstd", "first"] / stored["zstd:3", "first"] < 1.03


def installed(base, *args):
    r = subprocess.run(["make", "-C", ROOT, *args, f"DESTDIR={base}/root", "prefix=/usr", f"BUILD={ROOT}/build/release"],
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stdout + r.stderr
    return {os.path.relpath(os.path.join(d, f), base / "root"): os.stat(os.path.join(d, f)).st_mode & 0o7777
            for d, _, fs in os.walk(base / "root") for f in fs}


def test_install_puts_everything_below_destdir_and_uninstall_removes_it(hf, base):
    need("make", "ninja", "bash")
    if not os.path.exists(f"{ROOT}/build/release/build.ninja"):
        pytest.skip("build/release is not set up")
    os.umask(0o077)  # which must not matter
    try:
        there = installed(base, "install")
    finally:
        os.umask(0o022)
    program = str(base / "root/usr/bin/holdfast")
    commands = [line.split()[0] for line in hf("help").out.split("Commands:")[1].split("\n\n")[0].splitlines() if line]
    pages = {f"usr/share/man/man1/holdfast-{c}.1" for c in commands} | {"usr/share/man/man1/holdfast.1"}
    completion = "usr/share/bash-completion/completions/holdfast"
    unit = "usr/lib/systemd/system/holdfast.service"
    assert set(there) == {"usr/bin/holdfast", completion, unit} | pages
    assert "ExecStart=/usr/bin/holdfast serve\n" in (base / "root" / unit).read_text()
    assert there.pop("usr/bin/holdfast") == 0o755
    assert set(there.values()) == {0o644}
    for d, dirs, _ in os.walk(base / "root/usr"):
        assert all(os.stat(os.path.join(d, x)).st_mode & 0o777 == 0o755 for x in dirs)
    assert subprocess.run([program, "version"], capture_output=True).stdout.startswith(b"holdfast ")
    done = subprocess.run(["bash", "-c", f"source {base}/root/{completion} && complete -p holdfast"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "holdfast" in done.stdout, done
    for page in sorted(pages):
        text = open(base / "root" / page, encoding="utf-8").read()
        assert text.startswith(".TH ") or '.TH "' in text[:300], page
        name = os.path.basename(page)[:-2]
        assert name.replace("-", "\\-") in text or name in text
    assert installed(base, "uninstall") == {}


def test_installed_pages_open_with_man(hf, base):
    need("make", "man")
    installed(base, "install")
    for page in ("holdfast", "holdfast-backup"):
        r = subprocess.run(["man", "--warnings", "-l", str(base / f"root/usr/share/man/man1/{page}.1")],
                           capture_output=True, text=True, env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"})
        assert r.returncode == 0 and "EXIT STATUS" in r.stdout and not r.stderr, r
