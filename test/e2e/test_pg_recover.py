"""PostgreSQL brought back to a moment: real servers, one source and one repository for all of them."""
import datetime
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
import pg as pgs  # noqa: E402
from conftest import Holdfast, need, trials  # noqa: E402

BLOCK = 8192


def wait(true, what, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.02)


class World:
    """A source under load, its base backup and log in a repository, and what it has committed when."""

    def __init__(self, base):
        self.hf = Holdfast(base).init()
        self.wal, self.pushed, self.folders = pgs.folder("hfwal"), set(), []
        self.spaces = pgs.folder("hfts")
        self.pg = pgs.Pg()
        self.pg.__enter__()
        self.pg.conf(archive_mode="on", archive_command=f"cp %p {self.wal}/.%f && mv {self.wal}/.%f {self.wal}/%f",
                     track_commit_timestamp="on", unix_socket_directories=self.pg.folder, checkpoint_timeout="30s",
                     max_connections=30, shared_buffers="16MB", listen_addresses="127.0.0.1", autovacuum="off")
        self.pg.down()
        self.pg.up()
        self.config = f"{base}/h.yaml"
        with open(self.config, "w") as f:
            f.write(f"repositories: {{main: {{url: {self.hf.repo}, key: 'file:{self.hf.key_file}'}}}}\ntiers: {{gold: {{}}}}\n"
                    f"systems:\n  db:\n    tier: gold\n    sources:\n      - postgresql: {self.pg.source()}\n")
        self.hf.repo, self.hf.key_file = None, None
        self.hf.env["HOLDFAST_CONFIG"] = self.config
        self.fill()

    def fill(self):
        pg = self.pg
        pg.psql(f"create tablespace side location '{self.spaces}'")
        pg.pgbench("-i", "-q", "-s", "1")
        pg.psql("create table hits (n bigint generated always as identity, at timestamptz default clock_timestamp())")
        pg.psql("create table aside (n int) tablespace side; insert into aside select generate_series(1, 5000)")
        pg.psql("insert into hits default values")
        # What it says for a recovery of its own is not in the way of ours, and is there again afterwards.
        pg.psql("alter system set recovery_target_xid = '7'")
        pg.psql("alter system set restore_command = 'what it had'")
        self.hf("backup", "--system", "db")
        with open(f"{pg.folder}/hit.sql", "w") as f:
            f.write("insert into hits default values;\n")
        hits = pg.load("-n", "-c", "1", "-T", "4", "-R", "150", "-f", f"{pg.folder}/hit.sql")
        noise = pg.load("-n", "-c", "2", "-T", "4", "-R", "300")
        time.sleep(1.5)
        self.point_after = int(pg.psql("select max(n) from hits"))
        self.point_lsn = pg.psql("select pg_create_restore_point('before the mistake')")
        self.point_before = int(pg.psql("select max(n) from hits")) + 1
        hits.wait(60)
        noise.wait(60)
        self.commits = [(int(n), int(us), int(xid)) for n, us, xid in (row.split("|") for row in pg.psql(
            "select n, (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000000)::bigint, xmin from hits order by n"
        ).splitlines())]
        self.end_lsn = pg.lsn()
        pg.psql("insert into hits default values")
        self.push()

    def push(self, pg=None):
        """What the server has written goes into the repository."""
        pg = pg or self.pg
        name = pg.psql("select pg_walfile_name(pg_switch_wal())")
        wait(lambda: os.path.exists(f"{self.wal}/{name}"), "archived segment")
        for name in sorted(os.listdir(self.wal)):
            if name[0] != "." and name not in self.pushed and "backup" not in name:
                self.hf("-r", "main", "log", "push", "--system", "db", f"{self.wal}/{name}")
                self.pushed.add(name)

    def target(self):
        self.folders.append(pgs.folder("hfrec"))
        return f"{self.folders[-1]}/data"

    def recover(self, to, target, *more, rc=0):
        spaces = [] if "--tablespace" in more else ["--tablespace", f"side={os.path.dirname(target)}/side"]
        r = self.hf("--json", "-r", "main", "recover", "db", "--to", to, "--target", target, *spaces, *more, rc=rc)
        return r.summary if rc == 0 else r.error

    def started(self, to, target, *more):
        """Recovered and started: what the command said, and the server."""
        other = Recovered(self.pg, target)
        said = self.recover(to, target, "--start", "--port", str(other.port), *more)
        assert said["port"] == other.port and os.path.isdir(said["socket"])
        return said, other

    def close(self):
        self.pg.__exit__(None, None, None)
        for f in [*self.folders, self.wal, self.spaces]:
            shutil.rmtree(f, ignore_errors=True)


class Recovered:
    """A server that recover has left running."""

    def __init__(self, like, data):
        self.like, self.data, self.port = like, data, pgs.free_port()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        with open(f"{self.data}/postmaster.pid") as f:
            pid = int(f.readline())
        os.kill(pid, signal.SIGQUIT)
        wait(lambda: not os.path.exists(f"{self.data}/postmaster.pid"), "its end", 30)

    psql = lambda self, sql, **kw: pgs.Pg.psql(self, sql, **kw)  # noqa: E731
    bin = property(lambda self: self.like.bin)
    folder = property(lambda self: self.like.folder)
    env = property(lambda self: self.like.env)
    superuser = property(lambda self: self.like.superuser)

    def archive(self):
        """Beside the original it archives nothing, until it is started by its own configuration."""
        assert self.psql("show archive_command") == "" and self.psql("show archive_mode") == "on"
        self.like.run(*pgs.as_postgres(f"{self.bin}/pg_ctl", "-D", self.data, "-w", "-s", "-m", "fast", "-l",
                                       f"{self.data}/again.log", "-o", f"-p {self.port}", "restart"))

    def hits(self):
        return [int(n) for n in self.psql("select n from hits order by n").splitlines()]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    need(*pgs.missing())
    w = World(tmp_path_factory.mktemp("recover"))
    yield w
    w.close()


@pytest.fixture(scope="module")
def place(world):
    """A target that tests recover into one after the other, by deltas."""
    target = world.target()
    world.recover("immediate", target)
    return target


def utc(us):
    at = datetime.datetime.fromtimestamp(us / 1e6, datetime.timezone.utc)
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{us % 1000000:06d}+00:00"


def until(world, us):
    return [n for n, at, _ in world.commits if at <= us]


def test_a_time_shows_the_commits_before_it_and_none_after(world, place, rng):
    first, last = world.commits[1][1], world.commits[-1][1]
    for _ in range(trials(50)):
        us = rng.randrange(first, last)
        said, pg = world.started(utc(us), place, "--delta")
        with pg:
            assert pg.hits() == until(world, us), utc(us)
            assert pg.psql("select pg_is_in_recovery()") == "f"
            assert pg.psql("select count(*) from aside") == "5000"
        with open(f"{place}/holdfast-recover.log") as f:
            log = f.read()
        # Promoted at once: no whole checkpoint first.
        assert "received promote request" in log and "end-of-recovery" not in log
        assert not os.path.exists(f"{place}/promote")
        assert said["started"] and said["promoted"] and said["validated"], said
        assert said["next"]["time"] > said["kept"]["time"]
        assert [s["step"] for s in said["steps"]] == ["plan", "prepare", "restore", "settings", "verify", "start", "validate"]


def test_a_transaction_a_position_and_a_restore_point(world, place, rng):
    n, us, xid = rng.choice(world.commits[5:])
    _, pg = world.started(f"xid:{xid}", place, "--delta")
    with pg:
        assert pg.hits() == until(world, us)
    _, pg = world.started("before the mistake", place, "--delta")
    with pg:
        assert world.point_after <= max(pg.hits()) <= world.point_before
    said, pg = world.started(world.end_lsn, place, "--delta")
    with pg:
        assert max(pg.hits()) == world.commits[-1][0]
    assert said["reached"]["lsn"]


def test_the_latest_and_the_base_alone(world, place):
    said, pg = world.started("latest", place, "--delta", "--timeline", "1")
    with pg:
        assert max(pg.hits()) == world.commits[-1][0] + 1
        auto = open(f"{place}/postgresql.auto.conf").read()
        assert "holdfast" not in auto and "recovery_target_xid = '7'" in auto and auto.count("restore_command") == 1
        assert pg.psql("show restore_command") == "what it had"
        for name in ("holdfast-wal", "recovery.signal", "standby.signal", "promote"):
            assert not os.path.exists(f"{place}/{name}")
        assert "end-of-recovery" not in open(f"{place}/holdfast-recover.log").read()
    _, pg = world.started("immediate", place, "--delta")
    with pg:
        assert pg.hits() == [1]


def test_a_server_that_is_started_later_needs_nothing_of_ours(world, place):
    us = world.commits[40][1]
    said = world.recover(utc(us), place, "--delta")
    assert not said["started"] and said["segments"] > 0
    with pgs.Pg(auto=False, data=place) as pg:
        pg.up()
        wait(lambda: pg.psql("select pg_is_in_recovery()") == "f", "promotion", 60)
        assert [int(n) for n in pg.psql("select n from hits order by n").splitlines()] == until(world, us)


def test_a_paused_server_shows_the_moment_and_goes_on_when_told(world, place):
    us = world.commits[60][1]
    said, pg = world.started(utc(us), place, "--delta", "--action", "pause")
    with pg:
        assert not said["promoted"] and pg.psql("select pg_is_in_recovery()") == "t"
        assert pg.hits() == until(world, us)
        pg.psql("select pg_wal_replay_resume()")
        wait(lambda: pg.psql("select pg_is_in_recovery()") == "f", "promotion", 60)


def test_a_server_that_is_to_be_shut_down_there_is(world, place):
    said = world.recover(utc(world.commits[60][1]), place, "--delta", "--start", "--action", "shutdown", "--port",
                         str(pgs.free_port()))
    assert said["started"] and not said["promoted"] and said["validated"]
    assert said["steps"][-1]["result"] == "shut down in recovery"
    assert not os.path.exists(f"{place}/postmaster.pid") and not os.path.exists(f"{place}/holdfast-wal")
    assert "pause" in world.recover("latest", place, "--delta", "--start", "--action", "pause", rc=2)["message"]


def test_a_delta_mends_what_differs_and_writes_little_else(world, place, rng):
    world.recover("immediate", place, "--delta")
    files = [f for f in glob.glob(f"{place}/base/*/*") if os.path.getsize(f) >= 16 * BLOCK]
    for path in rng.sample(files, 3):
        with open(path, "r+b") as f:
            f.seek(rng.randrange(os.path.getsize(path) // BLOCK) * BLOCK)
            f.write(os.urandom(BLOCK))
        os.utime(path, (1, os.stat(path).st_mtime))
    os.unlink(f"{place}/PG_VERSION")
    cut = min(files, key=os.path.getsize)  # a large one would be most of what there is
    os.truncate(cut, BLOCK)
    with open(f"{place}/base/stray", "w") as f:
        f.write("was never there")
    with open(f"{place}/.holdfast-unfinished", "w") as f:
        f.write("an earlier recovery")
    us = world.commits[30][1]
    said, pg = world.started(utc(us), place, "--delta")
    with pg:
        assert pg.hits() == until(world, us)
        assert pg.psql("select count(*) from pgbench_accounts") == "100000"
    assert not os.path.exists(f"{place}/base/stray")
    assert said["bytes_compared"] > 3 * said["bytes"] > 0


def test_tablespaces_go_where_they_are_put_and_never_onto_others(world):
    target = world.target()
    error = world.recover("immediate", target, "--tablespace", "other=/tmp/x", rc=2)
    assert "no such tablespace" in error["message"]
    plain = world.hf("--json", "-r", "main", "recover", "db", "--to", "immediate", "--target", target, rc=None)
    assert plain.rc == 1 and "not empty" in plain.error["message"] and "--tablespace" in plain.error["hint"]
    side = f"{os.path.dirname(target)}/elsewhere"
    _, pg = world.started("immediate", target, "--tablespace", f"side={side}")
    with pg:
        assert pg.psql("select count(*) from aside") == "5000"
        assert pg.psql("select pg_tablespace_location(oid) from pg_tablespace where spcname = 'side'") == side


def test_what_cannot_be_is_said_before_anything_is_touched(world):
    target = world.target()
    past = world.recover("2099-01-01", target, rc=1)
    assert "past the last commit" in past["message"] and "latest" in past["hint"]
    early = world.recover("2020-01-01", target, rc=1)
    assert "no base backup" in early["message"]
    assert "timeline 7" in world.recover("latest", target, "--timeline", "7", rc=1)["message"]
    assert "past the last commit" in world.recover("xid:4000000000", target, rc=1)["message"]
    assert world.recover("16/x", target, rc=1)
    assert not os.path.exists(target)
    os.makedirs(target)
    with open(f"{target}/mine", "w") as f:
        f.write("precious")
    assert "not empty" in world.recover("latest", target, rc=1)["message"]
    assert "no data directory" in world.recover("latest", target, "--delta", rc=1)["message"]
    assert os.listdir(target) == ["mine"]
    os.unlink(f"{target}/mine")
    said = world.recover("immediate", target, "--start", "--port", str(world.pg.port), rc=11)
    assert f"port {world.pg.port}" in said["message"] and "--port" in said["hint"] and not os.listdir(target)
    with socket.socket(socket.AF_UNIX) as s:
        port = pgs.free_port()
        s.bind(f"{world.pg.folder}/.s.PGSQL.{port}")
        s.listen()
        assert world.pg.folder in world.recover("immediate", target, "--start", "--port", str(port), rc=11)["message"]
    os.chmod(world.pg.folder, 0o555)
    if os.geteuid() == 0:
        os.chown(world.pg.folder, 0, 0)
    try:
        assert "may not write" in world.recover("immediate", target, "--start", "--port", str(port + 1), rc=None)["message"]
    finally:
        pgs.give(world.pg.folder)
        os.chmod(world.pg.folder, 0o755)
    assert not os.listdir(target)
    running = world.recover("latest", world.pg.data, "--delta", rc=None)
    assert "runs on" in running["message"]


def test_a_dry_run_says_what_would_be_given_up_and_writes_nothing(world):
    target = world.target()
    # Two that commit in the same moments may stand in the log the other way round.
    for n, us, xid in world.commits[50:60]:
        said = world.recover(utc(us), target, "--dry-run")
        assert said["dry_run"] and not os.path.exists(target)
        assert said["last"]["lsn"] and said["next"]["time"] > said["kept"]["time"]
        if said["kept"]["xid"] == xid:
            return
    pytest.fail("no commit was the last that is kept")


def test_one_table_comes_back_into_a_server_that_runs(world):
    us = world.commits[70][1]
    world.pg.psql("create database other")
    url = f"postgresql://postgres@127.0.0.1:{world.pg.port}/other"
    only = ["--json", "-r", "main", "recover", "db", "--to", utc(us), "--only", "postgres.public.hits", "--into", url]
    world.hf(*only)
    rows = world.pg.psql("select n from hits order by n", database="other")
    assert [int(n) for n in rows.splitlines()] == until(world, us)
    assert world.pg.psql("select count(*) from pg_tables where tablename like 'pgbench%'", database="other") == "0"
    refused = world.hf(*only, rc=None)
    assert refused.rc == 1 and "there already" in refused.error["message"]
    world.pg.psql("delete from hits", database="other")
    world.hf(*only, "--replace")
    assert world.pg.psql("select count(*) from hits", database="other") == str(len(until(world, us)))
    schema = world.hf(*only[:-3], "postgres.nowhere.hits", *only[-2:], rc=1)
    assert "no schema nowhere" in schema.error["message"] and "CREATE SCHEMA" in schema.error["hint"]
    # What the base backup did not note may have come later: that is said, and nothing is refused.
    for what, like in (("postgres.public.HITS", "there is public.hits"), ("shop.public.x", "there is postgres")):
        doubt = world.hf("-r", "main", "recover", "db", "--to", "immediate", "--only", what, "--into", url, "--dry-run")
        assert "not among what the base backup noted; " + like in doubt.err, doubt.err
    assert not glob.glob("/var/tmp/hfonly*")
    kept_secret(world, only)


def kept_secret(world, only):
    """A password that stands in the URL is on no command line, and nowhere in what is said."""
    url = f"postgresql://postgres:pa%73s-w0rd@127.0.0.1:{world.pg.port}/other"
    p, seen = world.hf.start(*only[:-1], url, "--replace"), []
    while p.poll() is None:
        for f in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(f, "rb") as line:
                    seen.append(line.read())
            except OSError:
                pass
        time.sleep(0.01)
    out, err = p.communicate()
    assert p.returncode == 0, err
    said = str(out) + str(err)
    for secret in ("pass-w0rd", "pa%73s-w0rd"):
        assert secret not in said
        assert not [line for line in seen if secret.encode() in line and b"--only" not in line]
    ours = [line for line in seen if b"--only" in line]
    assert ours and b"w0rd" not in ours[-1]  # written over
    assert any(b"pg_restore" in line and b"dbname=" in line for line in seen) and "dbname=other" in said


def test_what_was_killed_is_gone_on_with(world, rng):
    target = world.target()
    us = world.commits[-2][1]
    argv = ["-r", "main", "recover", "db", "--to", utc(us), "--target", target, "--tablespace",
            f"side={os.path.dirname(target)}/side", "--delta", "--start", "--port", str(pgs.free_port())]
    for _ in range(trials(20)):
        p = world.hf.start(*argv)
        time.sleep(rng.random() * 1.5)
        p.kill()
        p.communicate()
        wait(lambda: not running(target), "the end of what it has started", 150)
        # PG_VERSION, without which nothing starts, comes last.
        control = world.pg.run(f"{world.pg.bin}/pg_controldata", target, check=False) or ""
        assert (not os.path.exists(f"{target}/PG_VERSION") or os.path.exists(f"{target}/recovery.signal")
                or os.path.exists(f"{target}/standby.signal")
                or "production" in control or "shut down" in control)
    said, pg = world.started(utc(us), target, "--delta")
    with pg:
        assert pg.hits() == until(world, us)


def test_an_interrupted_one_leaves_no_server_and_a_full_disk_is_said(world, rng):
    target = world.target()
    argv = ["-r", "main", "recover", "db", "--to", "latest", "--timeline", "1", "--target", target, "--tablespace",
            f"side={os.path.dirname(target)}/side", "--delta", "--start", "--port", str(pgs.free_port())]
    for _ in range(trials(20)):
        p = world.hf.start(*argv)
        time.sleep(rng.random() * 0.8)
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=60)
        assert p.returncode in (0, 130, -signal.SIGINT), err  # the last: before it had begun
        assert p.returncode == 0 or not os.path.exists(f"{target}/postmaster.pid"), err
        if p.returncode == 0:
            wait(lambda: not running(target), "its end")
    jobs = world.hf("--json", "jobs").json("item")
    assert {(j["kind"], j["system"]) for j in jobs} >= {("recover", "db")}
    small = world.target()
    os.makedirs(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", small], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("cannot mount a tmpfs")
    try:
        error = world.recover("latest", small, rc=1)
        assert error["kind"] == "no_space" and "are needed" in error["message"] and not os.listdir(small)
        # A tablespace needs it where it goes, and there is no more of it than that.
        subprocess.run(["mount", "-o", "remount,size=64k", small], check=True)
        target = world.target()
        error = world.recover("latest", target, "--tablespace", f"side={small}/side", rc=1)
        assert error["kind"] == "no_space" and "tablespace side" in error["message"] and "FOLDER" in error["hint"]
        assert not os.path.exists(target) and not os.listdir(small)
        subprocess.run(["mount", "-o", "remount,size=2m", small], check=True)
        world.recover("latest", target, "--tablespace", f"side={small}/side", "--dry-run")
    finally:
        subprocess.run(["umount", small], check=True)


def running(target):
    """A server that a killed command left recovering: it ends when nobody gives it the log; or has got all, and is done."""
    try:
        with open(f"{target}/postmaster.pid") as f:
            pid = int(f.readline())
        os.kill(pid, signal.SIGQUIT)
        return True
    except (OSError, ValueError):
        return False


def test_timelines_are_followed_and_a_missing_segment_is_named(world, place):
    us = world.commits[45][1]
    _, pg = world.started(utc(us), place, "--delta", "--timeline", "1")
    with pg:
        pg.archive()
        pg.psql("insert into hits default values")
        kept = pg.hits()
        world.push(pg)
        second = world.target()
        said, again = world.started("latest", second)
        with again:
            assert again.hits() == kept
        assert said["timeline"] == 2 and said["timeline_now"] == 3
        pg.psql("insert into hits default values")
        world.push(pg)
    # What timeline 2 has given up is still on the first.
    later = world.commits[90][1]
    _, pg = world.started(utc(later), place, "--delta", "--timeline", "1")
    with pg:
        assert pg.hits() == until(world, later)
    assert "past the last commit" in world.recover(utc(later + 10**12), place, "--delta", rc=1)["message"]
    missing(world, place)


def missing(world, place):
    """One segment of the first timeline is lost."""
    logs = sorted(glob.glob(f"{world.hf.base}/repo/logs/**/*", recursive=True))
    logs = [f for f in logs if os.path.isfile(f) and os.path.getsize(f) > 4096]
    assert logs
    for f in logs:
        os.rename(f, f + ".away")
        try:
            said = world.hf("--json", "-r", "main", "recover", "db", "--to", "latest", "--target", world.target(), "--dry-run",
                            "--tablespace", "side=/tmp/none", rc=None)
            if said.rc == 1:
                assert "of the log is missing" in said.error["message"], said
                break
        finally:
            os.rename(f + ".away", f)
    else:
        pytest.fail("no segment was missed")


def test_a_tablespace_that_the_log_makes_is_not_written_over(world):
    """Replay of CREATE TABLESPACE goes to the original's folder: refused, before and while the log is given."""
    folder = pgs.folder("hfts")
    world.folders.append(folder)
    before = world.pg.lsn()
    world.pg.psql(f"create tablespace later location '{folder}'")
    world.pg.psql("create table precious with (autovacuum_enabled = off) tablespace later as "
                  "select generate_series(1, 1000) n; checkpoint")
    world.push()
    files = {f: open(f, "rb").read() for f in glob.glob(f"{folder}/**", recursive=True) if os.path.isfile(f)}
    assert files
    target = world.target()
    line = ("--timeline", "1")
    said = world.recover("latest", target, *line, "--dry-run", rc=1)
    assert folder in said["message"] and "not empty" in said["message"] and before[:3] in said["hint"]
    for _ in range(17):
        world.pg.psql("select pg_logical_emit_message(false, 'x', 'x'), pg_switch_wal()")
    world.push()
    said = world.recover("latest", target, *line, "--start", "--port", str(pgs.free_port()), rc=1)
    assert folder in said["message"] and not running(target)
    # Who starts it himself now has no server that came up too early.
    assert not comes_up(world, target)
    world.recover("latest", target, *line, "--delta", rc=1)
    assert not os.path.exists(f"{target}/PG_VERSION") and not comes_up(world, target)
    assert files == {f: open(f, "rb").read() for f in glob.glob(f"{folder}/**", recursive=True) if os.path.isfile(f)}
    _, pg = world.started(before, target, *line, "--delta")
    with pg:
        assert pg.psql("select count(*) from pg_tablespace where spcname = 'later'") == "0"
    # Put elsewhere, by its number or by its path: what is there is not touched.
    oid = world.pg.psql("select oid from pg_tablespace where spcname = 'later'")
    for key in (oid, folder):
        target = world.target()
        top = os.path.dirname(target)
        maps = ["--tablespace", f"side={top}/side", "--tablespace", f"{key}={top}/later"]
        if key == oid:
            world.recover("latest", target, *line, *maps, "--tablespace", f"1234567={top}/x", rc=2)
        _, pg = world.started("latest", target, *line, *maps)
        with pg:
            assert pg.psql("select sum(n) from precious") == "500500"
            assert pg.psql(f"select pg_tablespace_location({oid})") == f"{top}/later"
            assert glob.glob(f"{top}/later/PG_*/*/*")
            pg.psql("insert into precious select 1 from generate_series(1, 9999); checkpoint")
        assert files == {f: open(f, "rb").read() for f in glob.glob(f"{folder}/**", recursive=True) if os.path.isfile(f)}


def comes_up(world, data):
    """Does a server that is started there answer?"""
    p = subprocess.run(pgs.as_postgres(f"{world.pg.bin}/pg_ctl", "-D", data, "-w", "-s", "-l", f"{data}/by-hand.log", "-o",
                                       f"-p {pgs.free_port()}", "start"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=100)
    running(data)
    return p.returncode == 0
