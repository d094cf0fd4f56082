"""Trees as they are out there."""
import glob
import os
import pwd
import subprocess

import pytest

from conftest import FULL, need, need_root, restored, same_tree

GIB = 1 << 30


def round_trip(repo, base, tree):
    snapshot = repo.backup(tree)
    repo("restore", snapshot, "--target", base / "out")
    same_tree(tree, restored(base / "out", tree))
    before = repo.size()
    repo.backup(tree)
    assert repo.size() - before < 100 * 1024
    repo.check_clean()


def test_the_kernels_source_comes_back(repo, base):
    need("tar", "xz")
    found = glob.glob("/usr/src/linux-source-6.1.tar.xz")
    if not found:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("linux-source-6.1 is missing")
    tree = base / "linux"
    tree.mkdir()
    unpack = ["tar", "-xf", found[0], "-C", str(tree)]
    if not FULL:  # the tarball is read up to the n-th name, so no more is unpacked than is wanted
        pipe = subprocess.Popen(["xz", "-dcq", found[0]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        head = subprocess.Popen(["head", "-c", "110M"], stdin=pipe.stdout, stdout=subprocess.PIPE)
        subprocess.run(["tar", "-xf", "-", "-C", str(tree)], stdin=head.stdout, stderr=subprocess.DEVNULL)
        head.wait()
        pipe.stdout.close()
        pipe.kill()
        pipe.wait()
    else:
        subprocess.run(unpack, check=True)
    count = sum(len(files) for _, _, files in os.walk(tree))
    assert count > (70_000 if FULL else 3000)
    round_trip(repo, base, os.fsencode(tree))


def test_a_stopped_postgresql_comes_back_and_starts(repo, base):
    need_root()
    need("setpriv")
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not programs:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("postgresql is missing")
    for at in (base, base.parent, base.parent.parent):
        os.chmod(at, 0o755)
    home = base / "pg"
    home.mkdir()
    who = pwd.getpwnam("postgres")
    os.chown(home, who.pw_uid, who.pw_gid)

    def run(program, *args):
        return subprocess.run(["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups",
                               f"{programs[-1]}/{program}", *map(str, args)], cwd=home, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True).stdout

    def started(data, work):
        run("pg_ctl", "-D", data, "-w", "-l", home / "log", "-o", f"-c listen_addresses='' -k {home}", "start")
        try:
            return work()
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "fast", "stop")

    def query(sql):
        return run("psql", "-h", home, "-At", "-c", sql, "postgres")

    run("initdb", "-D", home / "data", "-A", "trust", "--data-checksums", "--no-sync")
    sums = "select count(*), sum(abalance), sum(aid) from pgbench_accounts"
    scale = 20 if FULL else 2

    def load():
        run("pgbench", "-h", home, "-i", "-q", "-s", scale, "postgres")
        run("pgbench", "-h", home, "-t", 100, "-c", 2, "postgres")
        return query(sums)

    before = started(home / "data", load)
    round_trip(repo, base, os.fsencode(home / "data"))
    back = os.fsdecode(restored(base / "out", home / "data"))
    for up in [base / "out", *(base / "out").rglob("*")]:
        if back.startswith(str(up) + "/"):
            os.chmod(up, 0o755)
    run("pg_checksums", "--check", "-D", back)
    assert started(back, lambda: query(sums)) == before


@pytest.mark.soak
@pytest.mark.skipif(not FULL, reason="3 GiB; in make soak")
def test_a_file_of_3_gib_comes_back(repo, tree, base, rng):
    with open(tree.file("big"), "wb") as f:
        for i in range(3 * 64):
            f.write(rng.randbytes(16 << 20) if i % 2 else b"it compresses \n\n" * (1 << 20))
        f.truncate(3 * GIB)
    round_trip(repo, base, tree.path)
