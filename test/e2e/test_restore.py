"""Restoring onto what is there already: what is whole stays, what is not is made whole, nothing is lost on the way."""
import os
import shutil
import signal
import stat
import subprocess

import pytest

from conftest import need, need_root, same_tree, trials

MIB = 1 << 20


def onto(repo, tree, out, *args, **kw):
    """Restore the tree's content right into out."""
    return repo("--json", "restore", f"latest:{os.fsdecode(tree.path)}", "--target", out, *args, **kw)


def files(path):
    """{path below: (size, mtime)} of regular files."""
    found = {}
    for folder, _, names in os.walk(os.fsencode(path)):
        for name in set(names) - {b".holdfast-unfinished"}:
            full = os.path.join(folder, name)
            st = os.lstat(full)
            if stat.S_ISREG(st.st_mode):
                found[os.path.relpath(full, os.fsencode(path))] = (st.st_size, st.st_mtime_ns)
    return found


def content(path):
    with open(path, "rb") as f:
        return f.read()


@pytest.fixture
def some(repo, tree, rng):
    """A tree with small files, a big one that several threads write, and hard links; backed up."""
    for i in range(300):
        tree.file(f"d{i % 7}/f{i}", rng.randbytes(100 + i * 20))
        tree.mtime(f"d{i % 7}/f{i}", 1_000_000 + i, i)
    tree.file("d3/big", rng.randbytes(40 * MIB))
    tree.mtime("d3/big", 77)
    tree.link("d0/f0", "d6/linked")
    tree.link("d0/f0", "a linked one")
    repo.backup(tree.path)
    return tree


def test_a_killed_restore_goes_on_and_nothing_half_done_looks_whole(repo, some, base):
    want, interrupted = files(some.path), 0
    for k in range(trials(20)):
        out = os.fsencode(base / f"out{k}")
        p = repo.start("restore", f"latest:{os.fsdecode(some.path)}", "--target", out, stdout=subprocess.DEVNULL)
        while p.poll() is None and len(files(out)) <= k * 40 + 1:
            pass
        p.send_signal(signal.SIGKILL if k % 3 else signal.SIGINT)
        p.wait()
        got = files(out)
        interrupted += got != want
        whole = [name for name in got if got[name] == want.get(name)]
        for name in whole:
            assert content(os.path.join(out, name)) == content(os.path.join(some.path, name)), name
        cut = [name for name in got if name in want and got[name][0] != want[name][0]]
        assert b"d3/big" not in cut
        never = shutil.copytree(out, out + b"-never", symlinks=True)
        s = onto(repo, some, never, "--overwrite", "never", "--delete", rc=3 if cut else 0).summary
        assert s["problems"] == len(cut)
        got = files(never)
        assert {name: st[0] for name, st in got.items() if name not in cut} == \
            {name: st[0] for name, st in want.items() if name not in cut}
        assert content(os.path.join(never, b"d3/big")) == content(os.path.join(some.path, b"d3/big"))
        shutil.rmtree(never)
        s = onto(repo, some, out, "--overwrite", "if-changed").summary
        assert s["files_skipped"] >= len(whole)
        assert s["files"] + s["files_skipped"] == len(want)
        assert s["bytes_skipped"] >= sum(want[name][0] for name in whole)
        same_tree(some.path, out)
        assert onto(repo, some, out, "--overwrite", "if-changed").summary["files"] == 0
        shutil.rmtree(out)
    assert interrupted > 0


def test_after_a_cut_size_and_time_prove_nothing_until_a_restore_ended(repo, some, base):
    """A power cut may keep a file's size and time and lose its bytes: the same restore, again, makes it whole."""
    out = os.fsencode(base / "out")
    p = repo.start("restore", f"latest:{os.fsdecode(some.path)}", "--target", out, stdout=subprocess.DEVNULL)
    while p.poll() is None and len(files(out)) < 50:
        pass
    p.kill()
    p.wait()
    mark = os.path.join(out, b".holdfast-unfinished")
    assert os.path.exists(mark), "it ended before it was killed"
    want = files(some.path)

    def lose(n):
        """Zeros for the bytes of n files that look whole."""
        for name in [name for name, st in files(out).items() if st == want.get(name) and st[0]][:n]:
            full = os.path.join(out, name)
            st = os.lstat(full)
            with open(full, "r+b") as f:
                f.write(bytes(st.st_size))
            os.utime(full, ns=(st.st_atime_ns, st.st_mtime_ns))
    lose(5)
    # Nothing less makes up for it: neither what leaves files alone, nor a part of them.
    onto(repo, some, out, "--overwrite", "if-changed", "--include", "d1/*")
    assert os.path.exists(mark)
    r = onto(repo, some, out, "--overwrite", "if-changed", "--delete")
    assert "compared by content" in r.out + r.err
    assert not os.path.exists(mark)
    same_tree(some.path, out)
    # From then on they are believed.
    lose(1)
    assert onto(repo, some, out, "--overwrite", "if-changed").summary["files"] == 0


def test_never_tells_of_a_file_of_another_size_and_verifies_only_its_own(repo, some, base):
    out = os.fsencode(base / "out")
    onto(repo, some, out)
    os.truncate(os.path.join(out, b"d1/f1"), 5)
    with open(os.path.join(out, b"d2/f2"), "r+b") as f:
        f.write(b"mine")
    os.unlink(os.path.join(out, b"d3/f3"))
    r = onto(repo, some, out, "--overwrite", "never", "--verify", rc=3)
    assert (r.out + r.err).count("left as it is, but it has 5 bytes") == 1
    s = r.summary
    assert (s["problems"], s["files"], s["verified"]) == (1, 1, 1)
    sizes = {name: st[0] for name, st in files(out).items() if name != b"d3/f3"}
    assert s["bytes_skipped"] == sum(sizes.values())


def test_verify_reads_from_the_disk_after_the_sync(repo, some, base):
    need("strace")
    out, trace = base / "out", base / "trace"
    argv = ["strace", "-f", "-qq", "-e", "trace=syncfs,fadvise64", "-o", str(trace)]
    subprocess.run(argv + repo.argv("restore", "latest", "--target", out, "--verify"), env=repo.environment(),
                   stdout=subprocess.DEVNULL, check=True)
    calls = [line.split(None, 1)[1] for line in trace.read_text().splitlines()]
    synced = [i for i, call in enumerate(calls) if call.startswith("syncfs(")]
    forgot = [i for i, call in enumerate(calls) if "POSIX_FADV_DONTNEED" in call]
    assert len(forgot) == len(files(some.path)) and synced and synced[0] < forgot[0]


def test_verify_reads_paths_longer_than_path_max(repo, tree, base):
    fd = os.open(tree.path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=fd)
        down = os.open("d" * 200, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = down
    with open(os.open("f", os.O_WRONLY | os.O_CREAT, dir_fd=fd), "wb") as f:
        f.write(b"deep")
    os.close(fd)
    repo.backup(tree.path)
    assert onto(repo, tree, base / "out", "--verify").summary["verified"] == 1


def flip_first_byte(path):
    """It differs from what it was, whatever that was."""
    with open(path, "r+b") as f:
        first = f.read(1)[0]
        f.seek(0)
        f.write(bytes([first ^ 0xFF]))


def test_always_reads_what_is_there_and_writes_only_what_differs(repo, some, base):
    out = os.fsencode(base / "out")
    onto(repo, some, out)
    changed = os.path.join(out, b"d1/f1")
    was = os.stat(changed)
    flip_first_byte(changed)
    os.utime(changed, ns=(was.st_mtime_ns, was.st_mtime_ns))
    before = {name: os.lstat(os.path.join(out, name)).st_ino for name in files(out)}
    assert onto(repo, some, out, "--overwrite", "if-changed").summary["files"] == 0
    s = onto(repo, some, out, "--overwrite", "if-changed", "--verify").summary
    assert s["files"] == 1 and s["bytes"] == was.st_size
    same_tree(some.path, out)
    os.utime(os.path.join(out, b"d2/f2"))
    flip_first_byte(changed)
    s = onto(repo, some, out, "--overwrite", "always").summary
    assert s["files"] == 1 and s["files_skipped"] == len(before) - 1
    same_tree(some.path, out)
    after = {name: os.lstat(os.path.join(out, name)).st_ino for name in files(out)}
    assert {name for name in before if before[name] != after[name]} == {b"d1/f1"}


def test_always_writes_through_no_hard_link_of_somebody_else(repo, some, base):
    out = os.fsencode(base / "out")
    onto(repo, some, out)
    os.link(os.path.join(out, b"d1/f1"), base / "other name")
    os.chmod(base / "other name", 0o600)
    other = os.stat(base / "other name")
    onto(repo, some, out, "--overwrite", "always")
    same_tree(some.path, out)
    assert os.stat(base / "other name").st_ino == other.st_ino
    assert os.stat(base / "other name").st_mode == other.st_mode


@pytest.mark.parametrize("how", ["always", "if-changed"])
def test_what_stands_there_stays_where_its_successor_is_lost(repo, tree, base, rng, how):
    """Hard links too: each of their names keeps what it has."""
    for name in ("plain", "one"):
        tree.file(name, rng.randbytes(3 * MIB))
    tree.link("one", "two")
    tree.dir("z")
    tree.link("one", "z/three")
    repo.backup(tree.path)
    for pack in repo.objects("packs"):
        with open(pack, "r+b") as f:
            for at in range(5000, os.path.getsize(pack), 100_000):
                f.seek(at)
                f.write(b"damaged")
    out = base / "out"
    os.makedirs(out / "z")
    for name in ("plain", "one", "two", "z/three"):
        (out / name).write_bytes(b"the old " + name.encode())
    r = onto(repo, tree, out, "--overwrite", how, rc=20)
    assert len([i for i in r.json("item") if i.get("event") == "file.failed"]) >= 4 or r.err, r
    for name in ("plain", "one", "two", "z/three"):
        assert (out / name).read_bytes() == b"the old " + name.encode()
    assert sorted(os.listdir(out)) == ["one", "plain", "two", "z"]


def test_links_replace_links_and_files(repo, some, base):
    """Whatever stands under the names of a group, afterwards they are one file."""
    out = os.fsencode(base / "out")
    onto(repo, some, out)
    os.unlink(os.path.join(out, b"d6/linked"))
    with open(os.path.join(out, b"d6/linked"), "wb") as f:
        f.write(b"something else")
    os.unlink(os.path.join(out, b"a linked one"))
    os.symlink("nowhere", os.path.join(out, b"a linked one"))
    onto(repo, some, out, "--overwrite", "always")
    same_tree(some.path, out)
    assert os.lstat(os.path.join(out, b"a linked one")).st_nlink == 3


def test_files_without_data_and_linked_a_thousand_times_come_back(repo, tree, base):
    """More links wait for one file than may wait."""
    tree.file("d/first", b"x" * 5000)
    for i in range(700):
        tree.link("d/first", f"d/link{i:03}")
        tree.file(f"d/own{i:03}", b"%d" % i)
        tree.link(f"d/own{i:03}", f"d/own{i:03} again")
    repo.backup(tree.path)
    s = onto(repo, tree, base / "out").summary
    assert s["files"] == 701 + 1400
    same_tree(tree.path, base / "out")
    assert os.stat(base / "out/d/first").st_nlink == 701


def test_delete_spares_what_could_not_be_read_when_it_was_backed_up(hf, base):
    """A folder that could not be listed looks empty in the snapshot, and is not."""
    need_root()
    need("setpriv")
    os.chmod(base, 0o777)
    for up in list(base.parents)[:2]:
        os.chmod(up, os.stat(up).st_mode | 0o011)
    me = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    script = ("cd %(b)s; mkdir -p t/shut t/open t/part && echo 1 >t/shut/f && echo 2 >t/open/f && echo 3 >t/part/f && "
              "echo 4 >t/part/unreadable && chmod 0 t/shut t/part/unreadable")
    subprocess.run([*me, "sh", "-c", script % {"b": base}], check=True)
    hf.env.update(HOLDFAST_PASSWORD="x", HOME=f"{base}", HOLDFAST_CACHE_DIR=f"{base}/nobody-cache")
    hf.repo = f"{base}/r"

    def run(*args, rc=0):
        p = subprocess.run([*me, *hf.argv(*args)], env=hf.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert p.returncode == rc, p.stdout

    out = base / "out"
    run("init")
    for again in range(2):
        run("backup", base / "t", rc=3)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(base / "t", out)
        for folder in ("shut", "open", "part"):
            (out / folder / "extra").write_text("more")
        subprocess.run(["chown", "-R", "65534:65534", out], check=True)
        run("restore", f"latest:{base}/t", "--target", out, "--overwrite", "if-changed", "--delete")
        assert sorted(os.listdir(out / "shut")) == ["extra", "f"]
        assert sorted(os.listdir(out / "part")) == ["extra", "f", "unreadable"]
        assert sorted(os.listdir(out / "open")) == ["f"]
    subprocess.run([*me, "chmod", "-R", "u+rwX", base / "t"], check=True)
    run("backup", base / "t")
    run("restore", f"latest:{base}/t", "--target", out, "--overwrite", "if-changed", "--delete")
    same_tree(base / "t", out)
