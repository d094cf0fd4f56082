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


def part(hf, snapshot, name="postgresql"):
    """What the snapshot says of its part."""
    (o,) = hf("--json", "-r", "main", "snapshots", snapshot).json("item")
    (p,) = [p for p in o["parts"] if p["name"] == name]
    return p


def facts(hf, snapshot):
    return part(hf, snapshot)["facts"]["postgresql"]


def restored(hf, server, snapshot="latest"):
    """A server on what came back, with the WAL that its backup brought and nothing else."""
    other = pgs.Pg(version=int(server.bin.split("/")[-2]), auto=False)
    hf("-r", "main", "restore", snapshot, "--target", other.data)
    os.chmod(other.data, 0o700)
    for oid in os.listdir(f"{other.data}/pg_tblspc"):
        os.rename(f"{other.data}/pg_tblspc/{oid}", f"{other.folder}/{oid}")
        with open(f"{other.data}/tablespace_map", "w") as f:
            f.write(f"{oid} {other.folder}/{oid}\n")
    with open(f"{other.data}/backup_label") as f:
        name = f.read().split("(file ")[1][:24]
    per_id = (1 << 32) // ((server.wal_segsize or 16) << 20)
    at = int(name[8:16], 16) * per_id + int(name[16:], 16)
    while hf("log", "get", "--system", "db", name, f"{other.data}/pg_wal/{name}", rc=None).rc == 0:
        at += 1
        name = "%s%08X%08X" % (name[:8], at // per_id, at % per_id)
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
    churn = subprocess.Popen(["sh", "-c", f"while :; do {server.bin}/psql -X -q -h {server.folder} -p {server.port} "
                              "-U postgres -d postgres -c 'create database coming strategy file_copy' "
                              "-c 'create table coming as select generate_series(1, 9999) n' -c 'drop table coming' "
                              "-c 'drop database coming' -c 'vacuum full pg_depend' "
                              "-c \"alter system set work_mem = '5MB'\"; done"], env=server.env)
    try:
        first = backup(db)
        second = backup(db)
    finally:
        for p in (churn, load):
            p.terminate()
            p.wait(120)
    assert first["outcome"] == second["outcome"] == "complete"
    assert second["files_unchanged"] > 900 and second["parent"] == first["snapshot"]
    with restored(db, server, second["snapshot"]) as pg:
        assert counts(pg) == "200000|999|t|t"
        assert pg.psql("select count(*) from gone") == "0"
        sound(pg)
    db("-r", "main", "check", "--read-data")


def test_facts_say_what_the_server_holds(db, server):
    server.psql("analyze pgbench_accounts")
    f = facts(db, backup(db)["snapshot"])
    assert f["version_num"] == int(server.psql("show server_version_num"))
    assert f["system_identifier"] == server.psql("select system_identifier from pg_control_system()")
    assert f["checksums"] is True and f["standby"] is False and f["bad_pages"] == [] and "seen" in f["roles"]
    assert [t["name"] for t in f["tablespaces"]] == ["side"]
    named = {d["name"]: d for d in f["databases"]}
    assert set(named) == {"postgres", "other"} and len(named["postgres"]["schema_hash"]) == 32
    assert named["postgres"]["schema_hash"] != named["other"]["schema_hash"]
    tables = {t["name"]: t for t in named["postgres"]["tables"]}
    assert tables["aside"]["rows"] == 999 and tables["aside"]["exact"]
    assert not tables["pgbench_accounts"]["exact"] and abs(tables["pgbench_accounts"]["rows"] - 200000) < 4000
    assert tables["gone"]["unlogged"] and "rows" not in tables["gone"]


def test_what_keeps_wal_is_not_what_meets_a_locked_table(db, server):
    """An error of a statement takes a session's temporary slots away, and a lock that does not come is one."""
    server.psql("create table shut (a int); insert into shut values (1)")
    waits = "select {} from pg_locks l join pg_class c on c.oid = l.relation {} where relname = 'shut' and granted = {}"
    holder = subprocess.Popen(pgs.as_postgres(f"{server.bin}/psql", "-h", server.folder, "-p", str(server.port), "-c",
                                              "begin; lock table shut; select pg_sleep(600)"))
    seen = ""
    try:
        while not server.psql(waits.format("l.pid", "", "true")):
            assert holder.poll() is None
        for _ in range(10):
            run = db.start("backup", "--system", "db")
            while run.poll() is None:
                seen += server.psql(waits.format("l.pid = s.active_pid", "cross join pg_replication_slots s", "false"))
            assert run.communicate() and run.returncode == 0
            if seen:
                break
    finally:
        server.psql("select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(600)%' "
                    "and pid <> pg_backend_pid()")
        holder.wait(60)
        server.psql("drop table shut")
    assert set(seen) == {"f"}


def test_exact_rows_and_checksums_of_tables_where_they_are_wanted(hf, server):
    declare(hf, server.source(exact_rows="yes", table_checksums="yes"))
    server.psql("create table kinds (at timestamptz, span interval, f float8, b bytea, m money, "
                "s text default 'x' check (s <> 'kinds'))")
    server.psql("create table refers (n int references aside, at timestamptz default '2026-01-02')")
    server.psql("insert into kinds select '2026-11-22 01:02:03Z', '1 month 2 days 3 hours', 1 / 3.0::float8, '\\x00ff41', "
                "12.34")
    # How values are written is set in many places; what is stored is the same.
    other = {"timezone": "Asia/Tokyo", "datestyle": "SQL, DMY", "intervalstyle": "iso_8601", "extra_float_digits": "-3",
             "bytea_output": "escape", "search_path": "pg_toast", "quote_all_identifiers": "on", "work_mem": "9MB"}
    seen = []
    for names in ({}, other):
        for name, value in names.items():
            server.psql(f"alter role postgres set {name} = {value if name == 'datestyle' else repr(value)}")
        seen.append(facts(hf, backup(hf)["snapshot"]))
    server.psql("alter role postgres reset all")
    server.psql("drop table kinds, refers")
    assert seen[1]["settings"].items() <= seen[0]["settings"].items()  # none of this role's own
    hashes, tables = zip(*(({d["name"]: d["schema_hash"] for d in f["databases"]},
                            {t["name"]: t for d in f["databases"] for t in d["tables"]}) for f in seen))
    assert hashes[0] == hashes[1]
    assert tables[0]["pgbench_accounts"]["rows"] == 200000 and tables[0]["pgbench_accounts"]["exact"]
    for name in ("aside", "kinds", "refers"):
        assert tables[0][name]["checksum"] == tables[1][name]["checksum"], name


def test_a_bad_page_is_named_in_every_run_until_it_is_mended(db, server):
    server.psql("create table hurt as select generate_series(1, 9999) n")
    server.psql("vacuum (freeze) hurt")  # or the first who reads it writes it anew
    server.psql("checkpoint")
    path = f"{server.data}/{server.psql('select pg_relation_filepath($$hurt$$)')}"
    with open(path, "r+b") as f:
        f.seek(3 * 8192 + 5000)
        was = f.read(4)
        f.seek(3 * 8192 + 5000)
        f.write(b"hurt")
    try:
        for _ in range(2):
            r = backup(db, rc=3)
            p = part(db, r["snapshot"])
            assert r["outcome"] == p["outcome"] == "incomplete" and r["errors"] == 1
            file = os.path.relpath(path, server.data)
            assert p["facts"]["postgresql"]["bad_pages"] == [{"file": file, "block": 3}]
            assert p["problems"] == [{"path": file, "message": "block 3: the page's checksum is wrong"}]
    finally:
        with open(path, "r+b") as f:
            f.seek(3 * 8192 + 5000)
            f.write(was)
    assert backup(db)["errors"] == 0
    server.psql("drop table hurt")


def test_a_standby_is_backed_up_like_its_primary(hf, server):
    with pgs.Pg(version=int(server.bin.split("/")[-2])) as primary:
        primary.pgbench("-i", "-q", "-s", "1")
        standby = primary.standby()
        primary.caught_up(standby)
        load = primary.load("-c", "1", "-T", "60", "-n")
        declare(hf, standby.source())
        first = backup(hf)
        load.terminate()
        load.wait(120)
        f = facts(hf, first["snapshot"])
        assert f["standby"] is True
        with restored(hf, standby, first["snapshot"]) as pg:
            assert pg.psql("select count(*) from pgbench_accounts") == "100000"
            pg.psql("create extension amcheck")
            sound(pg)
        promoted(hf, standby)


def promoted(hf, standby):
    """Just after a promotion the control file still has the timeline before it; the log has the new one."""
    standby.psql("alter system set checkpoint_timeout = '1h'")
    standby.psql("select pg_reload_conf()")
    standby.psql("select pg_promote()")
    standby.psql("update pgbench_accounts set abalance = 7")  # while the checkpoint takes its time
    assert standby.psql("select timeline_id from pg_control_checkpoint()") == "1", "too late to tell"
    f = facts(hf, backup(hf)["snapshot"])
    assert (f["timeline"], f["standby"], f["incremental"]) == (2, False, "scan") and f["log_mark"]
    assert facts(hf, backup(hf)["snapshot"])["incremental"] == "map"


def test_files_and_a_server_are_two_parts_and_one_that_fails_is_listed(hf, server, base):
    os.makedirs(f"{base}/etc")
    with open(f"{base}/etc/conf", "w") as f:
        f.write("x")
    declare(hf, f"files: {{paths: {base}/etc}}", server.source())
    r = backup(hf)
    assert part(hf, r["snapshot"], "files")["outcome"] == part(hf, r["snapshot"])["outcome"] == "complete"
    assert "/files, /postgresql" in hf("-r", "main", "ls", "latest", rc=1).err
    assert "PG_VERSION" in hf("-r", "main", "ls", "latest:/postgresql").out
    again = backup(hf)
    assert again["parent"] == r["snapshot"] and again["files_unchanged"] > 900
    with open(hf.config) as f:
        text = f.read()
    with open(hf.config, "w") as f:
        f.write(text.replace(f"port: {server.port}", "port: 1"))
    r = backup(hf, rc=3)
    assert part(hf, r["snapshot"], "files")["outcome"] == "complete"
    bad = part(hf, r["snapshot"])
    assert bad["outcome"] == "failed" and "Connection refused" in bad["problems"][0]["message"] or \
        "No such file" in bad["problems"][0]["message"]
    hf("-r", "main", "restore", r["snapshot"], "--target", f"{base}/back", rc=3)
    assert os.path.exists(f"{base}/back/files{base}/etc/conf") and not os.path.exists(f"{base}/back/postgresql")
    hf("-r", "main", "restore", again["snapshot"], "--target", f"{base}/both")
    assert os.path.exists(f"{base}/both/postgresql/PG_VERSION") and os.path.exists(f"{base}/both/files{base}/etc/conf")


@pytest.mark.parametrize("change,rc,kind,words", [
    ({"port": 1}, 1, "unreachable", "does the server run"),
    ({"user": "nobody_here"}, 1, "denied", "nobody_here"),
    ({"user": "seen"}, 1, "denied", "seen"),
    ({"database": "not_there"}, 1, "absent", "not_there"),
    ({"data_directory": "/var/empty_of_it"}, 1, "absent", "/var/empty_of_it"),
])
def test_what_keeps_a_backup_from_being_made_is_told_apart(hf, server, change, rc, kind, words):
    server.psql("alter role seen nologin")
    declare(hf, server.source(**change, **({} if "data_directory" in change else {"method": "direct"})))
    p = hf("--json", "backup", "--system", "db", rc=None)
    assert p.rc != 0 and p.error["kind"] == kind, p
    assert words in p.error["message"] + (p.error["hint"] or "")
    assert hf("--json", "-r", "main", "snapshots").json("item") == []


def test_a_role_with_few_rights_is_enough_and_what_it_lacks_is_told(hf, server):
    server.psql("create role few login replication")
    try:
        declare(hf, server.source(user="few", data_directory=server.data))
        r = hf("--json", "backup", "--system", "db", rc=None)
        assert r.error["kind"] == "denied" and "grant execute" in r.error["hint"], r
        server.psql("grant execute on function pg_backup_start(text, boolean), pg_backup_stop(boolean) to few")
        f = facts(hf, backup(hf)["snapshot"])
        tables = {t["name"]: t for d in f["databases"] for t in d["tables"]}
        assert not tables["aside"]["exact"]
        # Without facts the backup still knows where its tablespaces lie.
        oid = int(server.psql("select oid from pg_tablespace where spcname = 'side'"))
        assert f["tablespaces"] == [{"oid": oid, "name": "side", "location": server.spaces}]
        left = "select count(*) from pg_stat_activity where usename = 'few'"
        server.wait(lambda: server.psql(left) == "0", "the connections' end")
        server.psql("alter role few connection limit 1")
        run = hf("--json", "backup", "--system", "db")
        assert "its facts are not noted" in run.out + run.err
        f = facts(hf, run.summary["snapshot"])
        assert "too many connections" in f["error"] and "databases" not in f
        assert f["tablespaces"] == [{"oid": oid, "name": str(oid), "location": server.spaces}]
        # The second keeps the WAL: facts of its own database come by the first.
        server.wait(lambda: server.psql(left) == "0", "the connections' end")
        server.psql("alter role few connection limit 2")
        run = hf("--json", "backup", "--system", "db")
        assert "facts of its database other are not noted: " in run.out + run.err
        of = {d["name"]: d for d in facts(hf, run.summary["snapshot"])["databases"]}
        assert len(of["postgres"]["tables"]) == len(tables) and "too many connections" in of["other"]["error"]
        # Or what comes has the second: facts by the first after it.
        server.wait(lambda: server.psql(left) == "0", "the connections' end")
        with open(hf.config) as c:
            text = c.read()
        with open(hf.config, "w") as c:
            c.write(text.replace(f"data_directory: {server.data}", "method: stream"))
        f = facts(hf, backup(hf)["snapshot"])
        assert f["method"] == "stream"
        assert len({d["name"]: d for d in f["databases"]}["postgres"]["tables"]) == len(tables)
    finally:
        server.psql("drop owned by few; drop role few")


def test_doctor_says_what_a_server_lacks_and_what_to_type(hf, server):
    declare(hf, server.source())
    found = {o["message"]: o for o in hf("--json", "doctor", rc=None).json("item") if o["check"] == "postgresql"}
    assert any("PostgreSQL 1" in m and o["good"] for m, o in found.items())
    assert any(m.startswith("its files can be read at") for m in found)
    (lost,) = [o for m, o in found.items() if "goes nowhere" in m]
    assert not lost["good"] and "holdfast log push %p" in lost["fix"]
    server.psql("create role poor login")
    poor = open(hf.config).read().replace("user: postgres", "user: poor, receive: {enabled: yes, slot: unread}")
    with open(hf.config, "w") as f:
        f.write(poor)
    found = [o for o in hf("--json", "doctor", rc=None).json("item") if o["check"] == "postgresql" and o["fix"]]
    fixes = [o["fix"] for o in found]
    server.psql("drop role poor")
    assert any("grant execute on function" in f and " to poor " in f for f in fixes)
    assert "alter role poor replication" in fixes and "grant pg_monitor to poor" in fixes
    assert any("slot unread, and nobody receives it now" in o["message"] for o in found)


@pytest.mark.parametrize("version", [15, 17])
def test_over_its_connection_a_server_comes_back_the_same(hf, server, version):
    if version != int(server.bin.split("/")[-2]):
        need(*pgs.missing(version)) if pgs.bin_directory(version) else pytest.skip(f"no PostgreSQL {version}")
    with pgs.Pg(version=version, conf="-c max_wal_size=32MB -c min_wal_size=32MB") as pg:
        spaces = pgs.folder("hfts")
        pg.psql(f"create tablespace side location '{spaces}'")
        pg.pgbench("-i", "-q", "-s", "1")
        pg.psql("create table aside (n int primary key) tablespace side")
        pg.psql("insert into aside select generate_series(1, 999)")
        declare(hf, pg.source(method="stream"))
        load = pg.load("-c", "1", "-T", "60", "-n")
        # The WAL comes last: a server that is not asked to keep it has let go of it by then.
        switch = pg.start("switch", "sh", "-c", f"while :; do {pg.bin}/psql -X -q -h {pg.folder} -p {pg.port} -U postgres "
                          "-d postgres -c 'select pg_switch_wal()' -c checkpoint; done >/dev/null 2>&1")
        r = backup(hf)
        for p in (switch, load):
            p.terminate()
            p.wait(120)
        assert facts(hf, r["snapshot"])["method"] == "stream"
        assert os.listdir(f"{hf.base}/cache/streams") == []
        with restored(hf, pg, r["snapshot"]) as other:
            assert other.psql("select (select count(*) from pgbench_accounts), (select count(*) from aside)") == \
                "100000|999"
            other.psql("create extension amcheck")
            sound(other)
        shutil.rmtree(spaces)


def test_where_the_files_are_not_here_they_come_over_the_connection(hf, server):
    """The server's process is another one's child: as if it ran on another host."""
    declare(hf, server.source())
    where = server.psql("show data_directory")
    pid = f"{where}/postmaster.pid"
    with open(pid) as f:
        text = f.read()
    try:
        with open(pid, "w") as f:
            f.write(text.replace(str(server.port), "1"))
        r = hf("--json", "backup", "--system", "db")
        assert facts(hf, r.summary["snapshot"])["method"] == "stream"
    finally:
        with open(pid, "w") as f:
            f.write(text)


def spying(hf, server):
    """The server's programs, with a pg_dump that writes down how it was called."""
    folder = f"{hf.base}/bin"
    os.makedirs(folder)
    for name in os.listdir(server.bin):
        os.symlink(f"{server.bin}/{name}", f"{folder}/{name}")
    os.unlink(f"{folder}/pg_dump")
    with open(f"{folder}/pg_dump", "w") as f:
        f.write(f'#!/bin/sh\necho "$@ [$PGPASSWORD]" >>{hf.base}/called\nexec {server.bin}/pg_dump "$@"\n')
    os.chmod(f"{folder}/pg_dump", 0o755)
    return folder


def test_databases_are_dumped_and_come_back_in_another_server(hf, server):
    server.psql("create schema apart; create table apart.pens (n int); insert into apart.pens values (1), (2)")
    server.psql("create table kept as select i, md5(i::text) t from generate_series(1, 50000) i", "other")
    with open(f"{hf.base}/secret", "w") as f:
        f.write("not in a list of processes\n")
    os.chmod(f"{hf.base}/secret", 0o600)
    declare(hf, server.source(dump="[other, postgres.apart]", bin_directory=spying(hf, server),
                              password=f"file:{hf.base}/secret"))
    try:
        found = [o["message"] for o in hf("--json", "doctor", rc=None).json("item") if o["check"] == "postgresql"]
        assert len(found) == 2 and found[1].endswith("/bin/pg_dump"), found
        first = backup(hf)
        p = part(hf, first["snapshot"], "dump")
        f = p["facts"]["postgresql"]
        assert (p["kind"], p["outcome"], f["method"]) == ("dump", "complete", "dump")
        assert {d["name"] for d in f["databases"]} == {"other", "postgres"}
        assert [d["file"] for d in f["dumps"]] == ["globals.sql", "other.dump", "postgres.apart.dump"]
        with open(f"{hf.base}/called") as f:
            called = f.read()
        assert called.count("[not in a list of processes]") == 2 and called.count("processes") == 2, called
        # What did not change costs next to nothing.
        again = backup(hf)
        assert again["bytes"] > 2 << 20 and again["stored_bytes"] < 150 << 10, again
        hf("-r", "main", "restore", again["snapshot"], "--target", f"{hf.base}/back")
        with pgs.Pg(version=int(server.bin.split("/")[-2])) as pg:
            pg.psql("drop role if exists postgres_is_there")
            subprocess.run([f"{pg.bin}/psql", "-Xq", "-h", pg.folder, "-p", str(pg.port), "-U", "postgres", "-d", "postgres",
                            "-f", f"{hf.base}/back/globals.sql"], check=True, stderr=subprocess.DEVNULL)
            for name, into in (("other", "template1"), ("postgres.apart", "postgres")):
                subprocess.run([f"{pg.bin}/pg_restore", "-h", pg.folder, "-p", str(pg.port), "-U", "postgres", "-d", into,
                                *(["--create"] if name == "other" else []), f"{hf.base}/back/{name}.dump"], check=True)
            assert pg.psql("select count(*) from apart.pens") == "2"
            rows = "select count(*), md5(string_agg(t, ',' order by i)) from kept"
            assert pg.psql(rows, "other") == server.psql(rows, "other")
            assert pg.psql("select 1 from pg_roles where rolname = 'seen'") == "1"
    finally:
        server.psql("drop schema apart cascade")
        server.psql("drop table kept", "other")


def test_a_dump_that_fails_is_told_with_what_pg_dump_said(hf, server):
    declare(hf, server.source(dump="[other, postgres.nothing_here]"))
    r = backup(hf, rc=3)
    p = part(hf, r["snapshot"], "dump")
    assert p["outcome"] == "incomplete"
    (problem,) = p["problems"]
    assert problem["path"] == "/postgres.nothing_here.dump"
    assert "pg_dump failed (1)" in problem["message"] and "no matching schemas were found" in problem["message"]
    names = hf("-r", "main", "ls", r["snapshot"]).out
    assert "other.dump" in names and "globals.sql" in names and "nothing_here" not in names
    with open(hf.config) as f:
        text = f.read()
    for dump, words in (("not_there", "no database not_there"), ("other, method: stream", "has no use for it")):
        with open(hf.config, "w") as f:
            f.write(text.replace("[other, postgres.nothing_here]", dump))
        p = hf("backup", "--system", "db", rc=None)
        assert p.rc not in (0, 3) and words in p.err, p
