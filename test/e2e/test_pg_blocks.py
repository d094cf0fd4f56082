"""Incremental backups of PostgreSQL that read only the blocks which its log names.

What a snapshot holds is proven page by page against the data directory as the server left it in the end: where a page is
another one there, a record after the snapshot's begin must have changed it, for such a record's position stands in the
page. A page that is older in the snapshot than it was when that was made shows so.
"""
import os
import re
import shutil
import signal
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
import pg as pgs  # noqa: E402
import pytest  # noqa: E402
from conftest import FULL, need  # noqa: E402
from test_pg_backup import declare, restored, sound  # noqa: E402

PAGE = 8192
SETTINGS = dict(min_wal_size="2MB", max_wal_size="64MB", wal_keep_size="512MB", max_prepared_transactions=5)


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


class Db:
    """A server of its own with some tables, and the program with a repository for it."""

    def __init__(self, hf, version=None, source=None, **settings):
        need(*pgs.missing(version))
        self.pg = pgs.Pg(version=version, wal_segsize=1, auto=False).initdb()
        self.pg.conf(**{**SETTINGS, **settings})
        self.pg.up()
        self.hf = declare(hf, self.pg.source(**source or {}))
        self.snapshots = []

    def __enter__(self):
        self.pg.pgbench("-i", "-q")
        self.pg.psql("create extension amcheck")
        os.mkdir(self.pg.path("side"), 0o700)
        pgs.give(self.pg.path("side"))
        self.pg.psql(f"create tablespace side location '{self.pg.path('side')}'")
        for name in ("still", "cut", "dropped", "packed", "moved", "emptied"):
            self.pg.psql(f"create table {name} as select i, repeat(md5(i::text), 4) as t from generate_series(1, 8000) i;"
                         f"create index on {name} (i)")
        self.pg.psql("create table aside (n int) tablespace side; insert into aside select generate_series(1, 999)")
        self.pg.psql("create database old")
        self.pg.psql("vacuum analyze")
        return self

    def __exit__(self, *a):
        self.pg.__exit__(*a)

    def backup(self, *more):
        """(the run's summary, how it knew what to read)."""
        run = self.hf("--json", "backup", "--system", "db", *more)
        r, self.told = run.summary, run.out + run.err
        f = self.facts(r["snapshot"])
        self.snapshots.append((r["snapshot"], lsn(f["start_lsn"])))
        return r, f["incremental"]

    def facts(self, snapshot):
        (listed,) = self.hf("--json", "-r", "main", "snapshots", snapshot).json("item")
        return listed["parts"][0]["facts"]["postgresql"]

    def prove(self):
        """
        Stop the server; no page of the last two snapshots is older than it should be, nor then of those before: what
        is stale stays so.
        """
        self.pg.down()
        self.pg.process = None
        for snapshot, start in self.snapshots[-2:]:
            to = os.path.join(self.hf.base, "proof")
            self.hf("-r", "main", "restore", snapshot, "--target", to)
            same, later = 0, 0
            for path, now in relation_files(self.pg.data):
                old = os.path.join(to, os.path.relpath(path, self.pg.data))
                if not os.path.exists(old):
                    continue
                with open(old, "rb") as f:
                    old = f.read()
                for at in range(0, min(len(now), len(old)), PAGE):
                    if old[at:at + PAGE] == now[at:at + PAGE]:
                        same += 1
                        continue
                    high, low = struct.unpack_from("<II", now, at)
                    assert high << 32 | low > start, f"{snapshot}: {path} block {at // PAGE} is stale"
                    later += 1
            assert same > 500, (same, later)
            shutil.rmtree(to)


def relation_files(data):
    for folder, _, names in os.walk(data, followlinks=True):
        if re.search(r"/(global|base/\d+|PG_[^/]*/\d+)$", folder):
            for name in names:
                if re.fullmatch(r"[0-9]+(\.[0-9]+)?", name) and f"{name.split('.')[0]}_init" not in names:
                    with open(os.path.join(folder, name), "rb") as f:
                        yield os.path.join(folder, name), f.read()


def rounds():
    """Each changes files in ways of its own."""
    yield ["truncate emptied; insert into emptied select i, 'x' from generate_series(1, 100) i", "drop table dropped",
           "create table fresh as select * from still", "create database copied strategy file_copy"]
    yield ["delete from cut where i > 3000", "vacuum (truncate) cut",
           "insert into cut select i, repeat('y', 90) from generate_series(1, 4000) i", "vacuum full packed",
           "alter table moved set tablespace side", "create database logged strategy wal_log", "drop database old"]
    yield ["begin; drop table fresh; create table two (i int); prepare transaction 'x'", "commit prepared 'x'",
           "begin; drop table still; create table no as select 1 as i; rollback", "reindex table moved",
           "update still set t = 'z' where i % 997 = 0", "vacuum freeze emptied", "alter database copied set tablespace side"]


def quiet(db):
    """What did not change is not read."""
    first, how = db.backup()
    assert how == "none"
    db.pg.psql("checkpoint")
    db.backup()
    r, how = db.backup()
    assert how == "map" and r["bytes_read"] < 3 << 20 and r["stored_bytes"] < 300 << 10, r
    # 2 % of the rows, in few blocks of a file that has many.
    db.pg.psql("update pgbench_accounts set abalance = abalance + 1 where aid <= 2000")
    # Neither does it matter that every file looks changed.
    for path, _ in relation_files(db.pg.data):
        os.utime(path)
    r, how = db.backup()
    assert how == "map" and r["bytes_read"] < 6 << 20 and r["bytes"] > 40 << 20, r
    return first


def test_each_is_what_a_full_one_would_be(hf):
    with Db(hf, autovacuum="off") as db:
        first = quiet(db)
        db.pg.psql("update pgbench_accounts set abalance = 0")
        db.pg.psql("alter system set autovacuum = on")
        db.pg.psql("select pg_reload_conf()")
        load = db.pg.load("-c", "2", "-R", "150", "-T", "120", "-n")
        for statements in rounds():
            for s in statements:
                db.pg.psql(s)
            r, how = db.backup()
            assert how == "map" and r["parent"] == db.snapshots[-2][0], db.told
        load.terminate()
        load.wait(120)
        differential, how = db.backup("--type", "differential")
        assert how == "map" and differential["parent"] == first["snapshot"]
        with restored(db.hf, db.pg, db.snapshots[-2][0]) as pg:
            assert pg.psql("select (select count(*) from pgbench_accounts), (select count(*) from still), "
                           "(select count(*) from aside), (select sum(abalance) from pgbench_accounts) = "
                           "(select sum(bbalance) from pgbench_branches), (select count(*) from cut)"
                           ) == "100000|8000|999|t|7000"
            sound(pg)
            for database in ("copied", "logged"):
                assert pg.psql("select count(*) > 300 from pg_class", database=database) == "t"
        db.prove()


def test_where_the_log_cannot_tell_it_is_looked_at(hf):
    newest = None if pgs.missing(17) else 17
    with Db(hf, newest) as db:
        db.backup()
        # A gap: the log between is neither with the server nor in the repository.
        db.pg.psql("update still set t = 'z' where i % 11 = 0")
        for _ in range(3):
            db.pg.psql("update cut set t = repeat('w', 100)")
            db.pg.psql("select pg_switch_wal(); checkpoint")
        redo = db.pg.psql("select pg_walfile_name(redo_lsn) from pg_control_checkpoint()")
        for name in os.listdir(f"{db.pg.data}/pg_wal"):
            if len(name) == 24 and name < redo:
                os.unlink(f"{db.pg.data}/pg_wal/{name}")
        r, how = db.backup()
        assert how == "scan" and r["outcome"] == "complete", db.told
        # Put back to what it was before the parent, it went on in another way.
        db.pg.down()
        kept = db.pg.path("kept")
        shutil.copytree(db.pg.data, kept, symlinks=True)
        db.pg.up()
        db.pg.psql("update still set t = 'never' where i < 5000")
        assert db.backup()[1] == "map"
        db.pg.down()
        shutil.rmtree(db.pg.data)
        shutil.copytree(kept, db.pg.data, symlinks=True)
        db.pg.run("chown", "-R", "--reference", db.pg.path("side"), db.pg.data)
        os.chmod(db.pg.data, 0o700)
        db.pg.up()
        db.pg.psql("update moved set t = 'another way' where i < 6000")
        db.snapshots.pop()  # of a life that there was not
        stored = db.hf("--json", "-r", "main", "snapshots").json("item")
        p = db.hf("backup", "--system", "db", rc=1)
        assert "was put back" in p.err and "another name" in p.err, p
        assert db.hf("--json", "-r", "main", "snapshots").json("item") == stored  # none of what has no log
        with open(db.hf.config) as f:
            text = f.read().replace("- postgresql: {", "- part: again\n        postgresql: {")
        with open(db.hf.config, "w") as f:
            f.write(text)
        r, how = db.backup()
        assert how == "none" and r["outcome"] == "complete", db.told
        assert db.backup()[1] == "map"
        db.prove()


def test_over_the_connection_17_sends_only_what_changed(hf):
    if pgs.missing(17):
        pytest.skip("no PostgreSQL 17")
    with Db(hf, 17, {"method": "stream"}, autovacuum="off", summarize_wal="on") as db:
        _, how = db.backup()
        assert how == "none"
        db.pg.psql("update pgbench_accounts set abalance = abalance + 1 where aid <= 2000")
        r, how = db.backup()
        assert how == "server" and r["bytes"] > 40 << 20 and r["bytes_read"] < 12 << 20, (r, db.told)
        r, how = db.backup()
        assert how == "server" and r["bytes_read"] < 9 << 20 and r["stored_bytes"] < 400 << 10, r
        db.pg.psql("alter system set autovacuum = on")
        db.pg.psql("select pg_reload_conf()")
        load = db.pg.load("-c", "2", "-R", "150", "-T", "120", "-n")
        for statements in rounds():
            for s in statements:
                db.pg.psql(s)
        r, how = db.backup()
        assert how == "server" and r["parent"] == db.snapshots[-2][0], db.told
        load.terminate()
        load.wait(120)
        with restored(db.hf, db.pg, db.snapshots[-1][0]) as pg:
            assert pg.psql("select (select count(*) from pgbench_accounts), (select count(*) from still), "
                           "(select count(*) from aside), (select sum(abalance) - 2000 from pgbench_accounts) = "
                           "(select sum(bbalance) from pgbench_branches), (select count(*) from cut)"
                           ) == "100000|8000|999|t|7000"
            sound(pg)
            for database in ("copied", "logged"):
                assert pg.psql("select count(*) > 300 from pg_class", database=database) == "t"
        # Where there is no connection for the parent's mark the one that keeps the WAL makes room.
        db.pg.psql("create role two login replication connection limit 2")
        with open(db.hf.config) as f:
            text = f.read()
        with open(db.hf.config, "w") as f:
            f.write(text.replace("user: postgres", "user: two"))
        assert db.backup()[1] == "server", db.told
        with open(db.hf.config, "w") as f:
            f.write(text)
        # What its files here tell and what it sends are each other's parents.
        for method in ("direct", "stream"):
            with open(db.hf.config) as f:
                text = f.read()
            with open(db.hf.config, "w") as f:
                f.write(re.sub("method: [a-z]+", f"method: {method}", text))
            assert db.backup()[1] == {"direct": "map", "stream": "server"}[method], db.told
        # Its account reaches further back than its WAL.
        db.pg.psql("alter system set wal_keep_size = 0")
        db.pg.psql("select pg_reload_conf()")
        end = db.facts(db.snapshots[-1][0])["stop_lsn"]
        for _ in range(4):
            db.pg.psql("update cut set t = repeat('w', 100)")
            db.pg.psql("select pg_switch_wal(); checkpoint")
        name = db.pg.psql(f"select pg_walfile_name('{end}')")
        assert not os.path.exists(f"{db.pg.data}/pg_wal/{name}")
        assert db.backup()[1] == "server", db.told
        # Without its account all of it comes, and it is said why.
        db.pg.psql("alter system set summarize_wal = off")
        db.pg.psql("select pg_reload_conf()")
        db.pg.wait(lambda: db.pg.psql("show summarize_wal") == "off", "reload")
        assert db.backup()[1] == "scan" and "summarize_wal is off" in db.told
        db.snapshots.pop()
        db.prove()


def sends(db):
    return "streaming" in db.pg.psql("select phase from pg_stat_progress_basebackup")


def in_the_middle(db, do):
    """A backup over the connection, stopped for what is to be done while the server sends."""
    for _ in range(8):
        p = db.hf.start("backup", "--system", "db", "--type", "full", stdout=subprocess.DEVNULL)
        while p.poll() is None and not sends(db):
            pass
        p.send_signal(signal.SIGSTOP)
        middle = sends(db)
        if middle:
            do()
        p.send_signal(signal.SIGCONT)
        assert p.wait(120) == 0
        if middle:
            return
    raise AssertionError("it never was in the middle")


def test_put_back_to_an_image_from_within_the_parent(hf):
    """The image knows where the parent began, and has lost what the parent saw after it."""
    if pgs.missing(17) or not FULL:
        pytest.skip("no PostgreSQL 17, or not HOLDFAST_TEST_FULL")
    with Db(hf, 17, {"method": "stream"}, autovacuum="off", summarize_wal="on", wal_keep_size="0") as db:
        kept = db.pg.path("kept")

        def image():
            subprocess.run(["cp", "-a", db.pg.data, kept], check=True)
            db.pg.psql("update still set t = 'lost' where i < 5000")

        in_the_middle(db, image)
        db.pg.down()
        shutil.rmtree(db.pg.data)
        os.rename(kept, db.pg.data)
        os.unlink(f"{db.pg.data}/postmaster.pid")
        db.pg.up()
        for _ in range(4):
            db.pg.psql("update cut set t = repeat('w', 100)")
            db.pg.psql("select pg_switch_wal(); checkpoint")
        assert db.backup()[1] == "scan" and "a checkpoint lies in it" in db.told, db.told
        db.prove()
