"""Backups of a live PostgreSQL, read from its data directory: what comes back is a server that starts."""
import json
import os
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
import pg as pgs  # noqa: E402
from conftest import Holdfast, need  # noqa: E402


@pytest.fixture(scope="module")
def server():
    need(*pgs.missing())
    with pgs.Pg() as pg:
        pg.spaces = pgs.folder("hfts")
        pg.psql(f"create tablespace side location '{pg.spaces}'")
        pg.pgbench("-i", "-q", "-s", "2")
        pg.psql("create extension amcheck")
        pg.psql("create table aside (n int primary key) tablespace side; insert into aside select generate_series(1, 999)")
        pg.psql("create unlogged table gone (n int); insert into gone select generate_series(1, 999)")
        pg.psql("create role seen")
        pg.psql("create database other")
        yield pg
        shutil.rmtree(pg.spaces, ignore_errors=True)


@pytest.fixture
def db(hf, server):
    """The program with a repository, and the server declared as the system db."""
    return declare(hf, server.source())


def declare(hf, *sources, **more):
    hf.init()
    hf.config = f"{hf.base}/h.yaml"
    lines = "".join(f"\n      - postgresql: {s}" if s.startswith("{") else f"\n      - {s}" for s in sources)
    with open(hf.config, "w") as f:
        f.write(f"repositories: {{main: {{url: {hf.repo}, key: 'file:{hf.key_file}'}}}}\ntiers: {{gold: {{}}}}\n"
                f"systems:\n  db:\n    tier: gold\n    sources:{lines}\n")
    hf.env["HOLDFAST_CONFIG"] = hf.config
    hf.repo = hf.key_file = None
    return hf


def backup(hf, *more, rc=0):
    r = hf("--json", "backup", "--system", "db", *more, rc=rc)
    return r.summary if rc in (0, 3) else r.error


def facts(hf, snapshot="latest"):
    out = hf("--json", "-r", "main", "cat", "--snapshot-facts", snapshot)
    return json.loads(out.out)


def restored(hf, server, snapshot="latest", standby=False):
    """A server on what came back, with the WAL of the server it came from."""
    other = pgs.Pg(version=int(server.bin.split("/")[-2]), auto=False)
    hf("-r", "main", "restore", snapshot, "--target", other.data)
    os.chmod(other.data, 0o700)
    for oid in os.listdir(f"{other.data}/pg_tblspc"):
        os.rename(f"{other.data}/pg_tblspc/{oid}", f"{other.folder}/{oid}")
        with open(f"{other.data}/tablespace_map", "w") as f:
            f.write(f"{oid} {other.folder}/{oid}\n")
    for name in os.listdir(f"{server.data}/pg_wal"):
        if len(name) == 24:
            shutil.copy2(f"{server.data}/pg_wal/{name}", f"{other.data}/pg_wal/{name}")
    subprocess.run(["chown", "-R", "--reference", server.data, other.folder], check=True)
    if os.path.exists(f"{other.data}/standby.signal"):
        os.unlink(f"{other.data}/standby.signal")
    return other.up()


def counts(pg):
    return pg.psql("select (select count(*) from pgbench_accounts), (select count(*) from aside), "
                   "(select sum(abalance) from pgbench_accounts) = (select sum(bbalance) from pgbench_branches), "
                   "(select count(*) from pgbench_history) > 0")


def sound(pg):
    pg.psql("select bt_index_check(c.oid, true) from pg_class c join pg_am a on a.oid = c.relam "
            "where a.amname = 'btree' and c.relkind = 'i' and c.relpersistence = 'p'")


def test_backups_under_load_come_back_as_a_server_that_starts(db, server):
    load = server.load("-c", "2", "-T", "60", "-n")
    try:
        first = backup(db)
        second = backup(db)
    finally:
        load.terminate()
        load.wait(30)
    assert first["outcome"] == second["outcome"] == "complete"
    assert second["files_unchanged"] > 900 and second["parent"] == first["snapshot"]
    for snapshot in (first["snapshot"], second["snapshot"]):
        with restored(db, server, snapshot) as pg:
            assert counts(pg) == "200000|999|t|t"
            assert pg.psql("select count(*) from gone") == "0"
            sound(pg)
    db("-r", "main", "check", "--read-data")
