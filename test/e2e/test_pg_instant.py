"""Instant recovery: a real server answers from a mount of its backup, writes, is killed, and ends on plain files."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../servers"))
import pg as servers  # noqa: E402
from server import need_programs  # noqa: E402

BIN = os.path.abspath(os.environ.get("HOLDFAST_BIN", os.path.join(servers.ROOT, "build/release/src/holdfast")))


class World:
    """A live server with a backup, and a place to recover to."""

    def __init__(self, db):
        self.db, self.home = db, servers.folder()
        self.fresh()
        self.env = {**os.environ, **{f"HOLDFAST_{n}_DIR": f"{self.home}/{n.lower()}" for n in ("STATE", "CACHE", "RUNTIME")},
                    "HOLDFAST_CONFIG": f"{self.home}/holdfast.yaml", "PGTZ": "UTC"}
        with open(self.env["HOLDFAST_CONFIG"], "w") as f:
            f.write(f"repositories: {{main: {{url: {self.home}/repo, key: 'file:{self.home}/key'}}}}\n"
                    "tiers: {all: {destinations: [main]}}\n"
                    f"systems: {{db: {{tier: all, sources: [{{postgresql: {db.source()}}}]}}}}\n")
        self.hf("-r", f"{self.home}/repo", "init", "--new-key-file", f"{self.home}/key")

    def fresh(self):
        """Another place to recover to."""
        self.port = servers.free_port()
        self.target = os.path.join(self.home, f"target-{self.port}")

    def hf(self, *args, check=0):
        p = subprocess.run([BIN, *args], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, timeout=120)
        assert p.returncode == check, f"{args}: {p.returncode}\n{p.stdout}\n{p.stderr}"
        return p.stdout + p.stderr

    def recover(self, *more, check=0):
        return self.hf("recover", "db", "--to", "latest", "--target", self.target, "--port", str(self.port), *more,
                       check=check)

    def finish(self):
        """Its server goes on at the port that it had."""
        return self.hf("recover", "db", "--target", self.target, "--finish")

    def sql(self, text):
        p = subprocess.run([f"{self.db.bin}/psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p",
                            str(self.port), "-U", "postgres", "-c", text], env=self.db.env, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, timeout=60)
        assert p.returncode == 0, p.stderr
        return p.stdout.strip()

    def keeper(self):
        """Who serves it, or None."""
        try:
            with open(f"{self.target}.holdfast/lock") as f:
                pid = int(f.read().split()[0])
            with open(f"/proc/{pid}/stat") as f:  # one that has ended may wait for its parent long
                return None if f.read().rpartition(")")[2].split()[0] in "ZX" else pid
        except (FileNotFoundError, IndexError, ProcessLookupError):
            return None

    def server(self):
        for at in (self.target, f"{self.target}.holdfast/data"):
            try:
                with open(f"{at}/postmaster.pid") as f:
                    pid = int(f.readline())
                os.kill(pid, 0)
                return pid
            except OSError:
                pass
        return None

    def until(self, what, seconds=120):
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end
            time.sleep(0.05)

    def end(self):
        for pid in (self.server(), self.keeper()):
            if pid:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        subprocess.run(["umount", "-l", self.target], stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def db():
    if servers.missing():
        need_programs(*servers.missing())
    need_programs("fusermount3")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK) or os.geteuid() != 0:
        pytest.skip("no /dev/fuse, or not root")
    with servers.Pg(version=15) as one:
        one.pgbench("-q", "-i", "-s", "4")
        space = servers.folder("hfts")
        one.psql(f"create tablespace side location '{space}'")
        one.psql("create table aside tablespace side as select g, md5(g::text) t from generate_series(1, 60000) g")
        yield one
    shutil.rmtree(space, ignore_errors=True)


@pytest.fixture(scope="module")
def backed_up(db):
    w = World(db)
    db.psql("update pgbench_accounts set abalance = aid % 100 where aid % 500 = 0")
    w.hf("backup", "--system", "db")
    yield w
    shutil.rmtree(w.home, ignore_errors=True)


@pytest.fixture
def world(backed_up):
    backed_up.fresh()
    yield backed_up
    backed_up.end()


def sums(sql):
    return sql("select count(*), sum(abalance), sum(aid) from pgbench_accounts")


def left(said):
    """What `recover --instant` says is missing when it has opened the state, in MiB."""
    return int(re.search(r"(\d+) MiB come while it is used", said).group(1))


def test_answers_at_once_and_ends_on_plain_files(db, world):
    expected = sums(db.psql)
    said = world.recover("--instant")
    assert "come while it is used" in said
    assert world.sql("select count(*) from pgbench_branches") == "4"
    # A tablespace is inside the target, whatever the original has where it was.
    assert world.sql("select count(*), count(distinct t) from aside") == "60000|60000"
    assert world.sql("select pg_tablespace_location(oid) from pg_tablespace where spcname = 'side'").startswith("pg_tblspc/")
    world.sql("create table aside_too tablespace side as select 1")
    assert oct(os.stat(f"{world.target}/holdfast-recover.log").st_mode & 0o777) == "0o600"
    world.sql("create table after_it as select g, md5(g::text) from generate_series(1, 50000) g")
    world.sql("update pgbench_accounts set abalance = abalance + 1 where aid = 77")
    assert "is served by process" in world.recover("--instant", check=11)
    said = world.hf("-r", "main", "snapshots", "--json")
    assert '"held":true' in said.replace(" ", "")  # so that no prune takes what is not here yet
    said = world.finish()
    assert "plain files" in said
    assert not os.path.exists(world.target + ".holdfast") and not os.path.ismount(world.target)
    assert world.sql("select count(*) from after_it") == "50000"
    assert world.sql("select (select count(*) from aside), (select count(*) from aside_too)") == "60000|1"
    count, balance, aids = sums(world.sql).split("|")
    assert [count, str(int(balance) - 1), aids] == expected.split("|")
    assert world.sql("select current_setting('data_checksums')") == "on"
    world.sql("vacuum")
    assert "no instant recovery" in world.recover("--finish", check=1)


def kill_keeper(world):
    os.kill(world.keeper(), signal.SIGKILL)
    world.until(lambda: world.keeper() is None)


def begin_and_kill(db, world, limit):
    """What was left to bring when it was killed, in MiB."""
    world.fresh()
    world.recover("--instant", "--limit-download", limit)
    world.sql("create table kept as select g from generate_series(1, 20000) g")
    kill_keeper(world)
    assert "an instant recovery is under way there" in world.recover(check=1)
    said = world.recover("--instant", "--limit-download", limit)
    assert "goes on" in said
    return left(said)


def test_killed_it_goes_on_with_every_write(db, world):
    expected = sums(db.psql)
    for limit in ("2MiB", "512KiB", "128KiB"):  # a slow machine may have all of it before it is killed
        if begin_and_kill(db, world, limit) > 0:
            break
        world.finish()
    else:
        pytest.fail("nothing was left to bring")
    assert world.sql("select count(*) from kept") == "20000"
    assert sums(world.sql) == expected
    # Killed again: what nobody serves is brought and put in its place by --finish alone, whatever leads there.
    kill_keeper(world)
    link = world.target + "-link"
    os.symlink(world.target, link)
    world.hf("recover", "db", "--target", link, "--finish")
    assert os.path.islink(link) and not os.path.ismount(world.target)
    assert not os.path.exists(world.target + ".holdfast")
    assert world.sql("select count(*) from kept") == "20000"
    assert sums(world.sql) == expected


def test_a_restart_of_the_server_is_enough(db, world):
    world.recover("--instant")
    os.kill(world.server(), signal.SIGINT)
    world.until(lambda: world.server() is None)
    world.until(lambda: world.keeper() is None)
    assert not os.path.exists(world.target + ".holdfast") and not os.path.ismount(world.target)
    db.run(*servers.as_postgres(f"{db.bin}/pg_checksums", "--check", "-D", world.target))


def test_with_json_it_ends_for_who_waits(world):
    out = world.recover("--instant", "--json")
    summary = [json.loads(line) for line in out.splitlines() if line.startswith("{")][-1]
    assert summary["type"] == "summary" and summary["started"]
    assert world.keeper() is not None
