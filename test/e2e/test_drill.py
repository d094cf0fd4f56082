"""Drills: a recovery that is rehearsed comes back and is proven, or fails for the reason that it has."""
import base64
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

import pytest

from conftest import need


@pytest.fixture
def place():
    """A folder that drill.user can reach."""
    path = tempfile.mkdtemp(dir="/tmp", prefix="hfdrill")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def declared(hf, base, place):
    hf("-r", base / "r", "init", "--new-key-file", base / "key")
    os.makedirs(base / "src")
    for i in range(40):
        (base / "src" / f"f{i}.txt").write_bytes(os.urandom(5000 + i))
    os.link(base / "src" / "f1.txt", base / "src" / "again.txt")
    os.symlink("f1.txt", base / "src" / "soft")
    write(hf, base, place)
    hf("run", "www")
    return hf


def write(hf, base, place, checks="", drill="", tier=""):
    user = "user: nobody, " if os.geteuid() == 0 else ""
    (base / "h.yaml").write_text(f"""
repositories: {{main: {{url: {base}/r, key: "file:{base}/key"}}}}
drill: {{directory: {place}/rooms, {user}memory: 1GiB, timeout: 5m{drill}}}
tiers: {{gold: {{destinations: [main], rto: {{target: 15m}}, rpo: {{target: 1h}}{tier}, drill: {{every: 7d, level: comprehensive}}}}}}
systems:
  www: {{tier: gold, sources: [{{files: {{paths: {base}/src}}}}], checks: [{checks}]}}
""")
    hf.env["HOLDFAST_CONFIG"] = str(base / "h.yaml")


def item(r):
    return [o for o in r.json("item") if "assertions" in o][0]


def failed_of(o):
    return [a["name"] for a in o["assertions"] if a["state"] == "failed"]


def failed(r):
    return failed_of(item(r))


def left(place):
    """What a drill that ended left: its folder, or its group of processes (not that of one that goes on elsewhere)."""
    groups = glob.glob("/sys/fs/cgroup/**/holdfast-drill-*", recursive=True)
    return glob.glob(f"{place}/rooms/*") + [g for g in groups if not pgs.lives(g.rsplit("-", 1)[1])]


def test_files_come_back_and_it_is_proven(declared, base, place):
    write(declared, base, place, f'{{file: {base}/src/f1.txt, min_size: 5000}}, '
          '{command: "ls | wc -l", min: 1, max: 1}, {command: "exit 3", optional: yes}')
    os.chmod(base, 0o755)
    declared("drill", "www", "-r", "main", "--level", "standard")
    r = declared("--json", "drill", "www", rc=21)
    assert failed(r) == ["checks.3"] and item(r)["score"] < 0.95  # one of three checks
    write(declared, base, place, f'{{file: {base}/src/f1.txt, min_size: 5000}}, '
          '{command: "ls | wc -l", min: 1, max: 1}')
    r = declared("--json", "drill", "www")
    o = item(r)
    assert o["verdict"] == "passed" and o["score"] == 1 and o["rto"]["met"] == "target" == o["rpo"]["met"]
    assert [s["name"] for s in o["steps"]] == ["prepare", "restore", "compare", "checks", "teardown"]
    assert abs(o["rto"]["seconds"] - sum(s["seconds"] for s in o["steps"][:2])) < 0.001
    assert o["isolation"] and o["host"] and o["user"] and len(o["snapshot"]) == 64 and o["predicted_rto"] > 0
    assert left(place) == []
    record = base / "state" / "drills" / f'{o["id"]}.json'
    assert oct(os.stat(record).st_mode)[-3:] == "600"
    said = [e["record"]["details"] for e in declared("--json", "evidence", "show").json("item")
            if e["record"]["action"] == "drill" and e["record"]["outcome"] == "completed"]
    assert said[-1]["verdict"] == "passed" and said[-1]["drill"] == o["id"]
    sha = subprocess.run(["sha256sum"], input=record.read_bytes().rstrip(b"\n"), stdout=subprocess.PIPE).stdout
    assert said[-1]["record_sha256"] == sha.decode()[:64]
    job = declared("--json", "jobs", "--limit", "1").json("item")[0]
    assert job["kind"] == "drill" and job["verified"] == "passed" and job["score"] == 1


def test_what_was_lost_or_damaged_fails_with_that_reason(declared, base, place):
    declared("-r", "main", "drill", "www")
    for i in range(2, 5):  # 3 of 40: 7 %
        os.unlink(base / "src" / f"f{i}.txt")
    declared("run", "www")
    r = declared("--json", "-r", "main", "drill", "www", rc=21)
    assert failed(r) == ["facts.not_less"] and "proven before" in item(r)["reason"]
    # What is proven stays what it is compared with, and one that shrank rightly is told once.
    r = declared("-r", "main", "drill", "www", rc=21)
    assert "facts.not_less" in r.err and "% fewer" in r.err
    shutil.copytree(base / "src", base / "gone")
    for i in range(5, 9):
        (base / "src" / f"f{i}.gz").write_bytes(os.urandom(300))  # unreadable before the backup
    for i in range(2, 5):
        (base / "src" / f"f{i}.txt").write_bytes(os.urandom(5000))
    declared("run", "www")
    r = declared("--json", "-r", "main", "drill", "www", rc=21)
    assert failed(r) == ["restore.formats"]
    pack = max(glob.glob(f"{base}/r/packs/*/*"), key=os.path.getsize)
    os.chmod(pack, 0o600)
    with open(pack, "r+b") as f:
        f.seek(os.path.getsize(pack) // 2)
        f.write(b"damage!!")
    r = declared("--json", "-r", "main", "drill", "www", "--level", "standard", rc=21)
    assert "restore.content" in failed(r)
    shutil.rmtree(base / "r" / "packs")
    r = declared("--json", "-r", "main", "drill", "www", "--level", "standard", rc=21)
    # What did not come back is at no point, and says nothing of how long the next one takes.
    assert item(r)["point"] is None and item(r)["predicted_rto"] is None and item(r)["rto"]["seconds"] is None
    assert [s["outcome"] for s in item(r)["steps"]] == ["done", "failed", "done"]
    out = declared("report", "drill", item(r)["id"]).out
    assert "back to" not in out and "expected" not in out and "restore" in out and "(failed)" in out
    assert "back to" not in declared("report", "drill", item(r)["id"], "--format", "html").out
    told = assessed(declared("report", "drill", item(r)["id"], "--format", "oscal").out)
    assert {f["target"]["status"]["state"] for f in told["findings"]} == {"not-satisfied"}
    assert left(place) == []


def test_a_malfunction_is_no_finding_and_a_late_recovery_is_no_failure(declared, base, place):
    write(declared, base, place, drill=", disk: 1KiB")
    r = declared("-r", "main", "drill", "www", rc=1)
    assert "could not be tried" in r.err and "drill.disk" in r.err
    write(declared, base, place)
    os.chmod(f"{place}/rooms", 0o777)
    r = declared("-r", "main", "drill", "www", rc=1)
    assert "others could put things there" in r.err
    os.chmod(f"{place}/rooms", 0o711)
    write(declared, base, place, tier=", availability: 99")
    text = (base / "h.yaml").read_text().replace("rpo: {target: 1h}", "rpo: {target: 1s}, schedule: {full: {every: 1s}}")
    (base / "h.yaml").write_text(text.replace("schedule: {full: {every: 1s}}", "strategy: continuous"))
    time.sleep(1.1)
    r = declared("--json", "-r", "main", "drill", "www", rc=40)
    assert item(r)["verdict"] == "missed" and item(r)["rpo"]["met"] == "missed"
    assert declared("-r", "main", "drill", "nothing", rc=2).err
    # Where no record can be kept none is told of, whatever was found.
    shutil.rmtree(base / "state" / "drills")
    (base / "state" / "drills").write_text("")
    r = declared("-r", "main", "drill", "www", rc=40)
    assert "keep the drill's record" in r.err and "  record " not in r.out
    assert "id" not in item(declared("--json", "-r", "main", "drill", "www", rc=40))
    write(declared, base, place)
    r = declared("-r", "main", "drill", "www", rc=None)
    assert r.rc not in (0, 21, 40) and "keep the drill's record" in r.err and "  record " not in r.out


def test_one_that_is_not_over_in_time_says_how_far_it_came(declared, base, place):
    """A slow store and a query without an end are failures of different kinds."""
    (base / "src" / "large").write_bytes(os.urandom(3 << 20))
    declared("run", "www")

    def late(step, *new, checks=""):
        """It is at that step when its time is up; a slow machine may need more to get there."""
        for s in (4, 16, 60):
            write(declared, base, place, checks)
            text = (base / "h.yaml").read_text().replace("timeout: 5m", f"timeout: {s}s")
            (base / "h.yaml").write_text(text.replace(*new) if new else text)
            o = item(declared("--json", "-r", "main", "drill", "www", rc=21))
            assert failed_of(o) == ["drill.in_time"] and left(place) == []
            if f"at step {step} " in o["reason"]:
                return o, s
        pytest.fail(o["reason"])

    o, s = late("restore", "url: ", "limit_download: 40KB/s, url: ")
    found = re.fullmatch(r"drill.in_time: not finished in time, at step restore after ([0-9]+) s "
                         rf"\(drill.timeout: {s} s\), with ([0-9]+) of ([0-9]+) bytes restored", o["reason"])
    assert found and int(found[2]) < int(found[3]) and int(found[3]) > 3 << 20, o["reason"]
    assert [s["name"] for s in o["steps"]][-1] == "teardown" and o["rto"]["met"] == "not_judged"
    o, _ = late("checks", checks='{command: "sleep 300", timeout: 200s}')
    assert o["rto"]["met"] == "target"


def test_a_killed_drill_leaves_nothing_behind_after_the_next(declared, base, place):
    sleep = f"sleep 4747{os.getpid()}"  # this one's, on the whole machine
    write(declared, base, place, f'{{command: "echo here; {sleep}"}}')

    def sleeps():
        return subprocess.run(["pgrep", "-f", f"^{sleep}$"], stdout=subprocess.DEVNULL).returncode == 0

    for how in (signal.SIGKILL, signal.SIGINT):
        p = declared.start("-r", "main", "drill", "www", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while not sleeps():
            assert time.monotonic() < until and p.poll() is None
            time.sleep(0.05)
        p.send_signal(how)
        code = p.wait(60)
        assert code == (-9 if how == signal.SIGKILL else 130)
        until = time.monotonic() + 60
        while sleeps():
            assert time.monotonic() < until, "its check outlived it"
            time.sleep(0.05)
        if how == signal.SIGINT:
            assert left(place) == []
    write(declared, base, place)
    declared("-r", "main", "drill", "www")
    assert left(place) == []


# ---- PostgreSQL.

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
import pg as pgs  # noqa: E402


@pytest.fixture(scope="module")
def server():
    need(*pgs.missing())
    with pgs.Pg(conf="-cautovacuum=off", superuser="chef") as pg:  # no vacuum: its transactions would come between
        pg.pgbench("-i", "-q", "-s", "1")
        pg.psql("create database shop")
        pg.psql("create table orders (id int primary key, note text); insert into orders select n, 'x' from "
                "generate_series(1, 2000) n; create table other (n int); insert into other values (1)", "shop")
        pg.psql("create role reader")
        yield pg


@pytest.fixture
def db(hf, base, server, place):
    hf("-r", base / "r", "init", "--new-key-file", base / "key")
    checks = """
      - {sql: "select count(*) from orders", database: shop, min: 1, max: 100000}
      - {sql: "select count(*) = 2000 from orders", database: shop, expect: "true", optional: yes}"""
    if os.geteuid() == 0:  # what it runs as, and what it can reach, by its own word
        checks += """
      - {sql: "select substring(pg_read_file('/proc/self/status') from 'Uid:([0-9\\\\s]*)G') ~ '^(\\\\s*65534){4}'", expect: "true"}
      - {sql: "select count(*) from pg_ls_dir('/run')", max: 0}
      - {command: "stat -c %U PG_VERSION base/1/PG_VERSION pg_wal . | sort -u", expect: nobody}"""
    user = "user: nobody, " if os.geteuid() == 0 else ""
    (base / "h.yaml").write_text(f"""
repositories: {{main: {{url: {base}/r, key: "file:{base}/key"}}}}
drill: {{directory: {place}/rooms, {user}memory: 2GiB, timeout: 5m}}
tiers: {{gold: {{destinations: [main], rto: {{target: 15m}}, rpo: {{target: 1h}}, drill: {{every: 7d, level: comprehensive}}}}}}
systems:
  db:
    tier: gold
    sources: [{{postgresql: {server.source()}}}]
    checks:{checks}
""")
    hf.env["HOLDFAST_CONFIG"] = str(base / "h.yaml")
    return hf


def drill(hf, *more, rc=0):
    return item(hf("--json", "-r", "main", "drill", "db", *more, rc=rc))


def broken(o):
    return {a["name"]: a["why"] for a in o["assertions"] if a["state"] == "failed"}


def test_a_database_comes_back_and_is_proven(db, base, server, place):
    # What its own machine has need not be had where it is rehearsed.
    for name, value in (("shared_buffers", "900GB"), ("huge_pages", "on"), ("unix_socket_group", "nothere")):
        server.psql(f"alter system set {name} = '{value}'")
    db("backup", "--system", "db")
    server.psql("alter system reset all")
    o = drill(db)
    assert o["verdict"] == "passed" and o["score"] == 1 and o["source"] == "postgresql", o
    assert [s["name"] for s in o["steps"]] == ["prepare", "restore", "start", "compare", "checks", "teardown"]
    held = {a["name"] for a in o["assertions"] if a["state"] == "passed"}
    assert {"recovery.starts", "recovery.log", "facts.rows", "facts.tables", "facts.roles", "facts.schema", "facts.pages",
            "checks.1", "checks.2"} <= held
    assert o["rto"]["met"] == "target" == o["rpo"]["met"] and o["rpo"]["basis"] == "the log's end"
    if os.geteuid() == 0:
        assert {"user: nobody", "network: own, loopback only", "processes: own, they end with the first",
                "sockets of the machine: none in /run and /tmp, no abstract ones; others by its user's rights"} <= set(o["isolation"]), o["isolation"]
    tables = {t["name"]: t["rows"] for d in o["facts"]["postgresql"]["databases"] for t in d["tables"]}
    assert tables["orders"] == 2000 and tables["pgbench_accounts"] == 100000
    assert left(place) == []
    assert o["recovery"]["compared"]["rows"] == "exactly"
    # What it says of what is not so.
    path = base / "h.yaml"
    path.write_text(path.read_text().replace("min: 1,", "min: 5000,"))
    assert "checks.1" in broken(drill(db, rc=21))
    path.write_text(path.read_text().replace("min: 5000,", "min: 1,"))

    # Whatever was lost since is found, though the backup of it is whole.
    server.psql("delete from orders where id <= 120", "shop")
    server.psql("drop role reader")
    db("backup", "--system", "db")
    o = drill(db, rc=21)
    assert "6.0 % fewer" in broken(o)["facts.not_less"] and list(broken(o)) == ["facts.not_less", "checks.2"]
    server.psql("insert into orders select n, 'x' from generate_series(1, 120) n", "shop")
    db("backup", "--system", "db")
    assert "role reader" in broken(drill(db, rc=21))["facts.not_less"]
    server.psql("create role reader")
    server.psql("drop table other", "shop")
    db("backup", "--system", "db")
    o = drill(db, rc=21)
    assert "table public.other of database shop" in o["reason"]
    server.psql("create table other (n int); insert into other values (1)", "shop")
    assert left(place) == []


def test_of_several_servers_each_comes_back_and_is_proven(db, base, server, place):
    with pgs.Pg(conf="-cautovacuum=off") as other:
        other.psql("create table invoices (id int primary key); insert into invoices select generate_series(1, 300)")
        path = base / "h.yaml"
        text = path.read_text()
        text = text.replace("sources: [", "sources: [{files: {paths: %s/src}}, " % base).replace(
            "]\n    checks:", ", {part: bills, postgresql: %s}]\n    checks:" % other.source()).replace(
            "PG_VERSION base/1/PG_VERSION pg_wal .", "postgresql/PG_VERSION bills/PG_VERSION bills/pg_wal")
        path.write_text(text + """
      - {sql: "select count(*) from invoices", part: bills, min: 300, max: 300}
""")
        os.makedirs(base / "src")
        (base / "src" / "a.txt").write_text("a")
        db("backup", "--system", "db")
        o = drill(db)
        assert o["verdict"] == "passed", o["reason"]
        assert [s["name"] for s in o["steps"]] == ["prepare", "restore"] + 2 * ["restore", "start", "compare"] + \
            ["compare", "checks", "teardown"]
        assert [(s["name"], s["verdict"]) for s in o["sources"]] == [("postgresql", "passed"), ("bills", "passed")]
        rto = sum(s["seconds"] for s in o["steps"] if s["name"] in ("prepare", "restore", "start"))
        assert abs(o["rto"]["seconds"] - rto) < 0.001
        assert {t["name"] for d in o["facts"]["sources"]["bills"]["databases"] for t in d["tables"]} == {"invoices"}
        assert left(place) == []
        # What was lost of the second is found, and said of it.
        other.psql("delete from invoices where id < 30")
        db("backup", "--system", "db")
        o = drill(db, rc=21)
        assert "source bills: " in broken(o)["facts.not_less"] and "invoices" in o["reason"], o["reason"]
        assert [(s["name"], s["verdict"]) for s in o["sources"]] == [("postgresql", "passed"), ("bills", "failed")]
        assert set(o["sources"][1]["failed"]) == set(broken(o))  # and the check that asked it
        r = db("-r", "main", "recover", "db", "--to", "latest", "--target", place + "/back", rc=2)
        assert "several sources" in r.err and "--part" in r.err
        r = db("-r", "main", "drill", "db", "--to", server.lsn(), rc=2)
        assert "2 sources" in r.err


@pytest.mark.soak
def test_a_tablespace_that_the_log_makes_comes_into_the_room(db, base, server, place):
    """Its old folder is there, and empty: it is not this server's all the same."""
    folder = pgs.folder("hfts")
    db("backup", "--system", "db")

    def push():
        name = server.psql("select pg_logical_emit_message(false, 'x', 'x'); select pg_walfile_name(pg_switch_wal())").split()[-1]
        db("log", "push", "--system", "db", f"{server.data}/pg_wal/{name}")

    for _ in range(6):  # more than is looked through beforehand
        push()
    server.psql(f"create tablespace later location '{folder}'")
    server.psql("create table precious tablespace later as select generate_series(1, 1000) n; checkpoint")
    push()
    for sql in ("drop table precious", "checkpoint", "drop tablespace later"):
        server.psql(sql)
    assert os.listdir(folder) == []
    o = drill(db, "--level", "standard")
    assert o["verdict"] == "passed" and os.listdir(folder) == [], o["reason"]
    assert o["measured"]["bytes"] > 20 << 20 and left(place) == []
    os.rmdir(folder)


@pytest.mark.soak
def test_a_server_with_large_segments_is_drilled(hf, base, place):
    """What a server on the side has for min_wal_size by itself is too little for it to start."""
    need(*pgs.missing())
    with pgs.Pg(wal_segsize=64) as pg:
        hf("-r", base / "r", "init", "--new-key-file", base / "key")
        (base / "h.yaml").write_text(f"""
repositories: {{main: {{url: {base}/r, key: "file:{base}/key"}}}}
drill: {{directory: {place}/rooms, timeout: 5m}}
tiers: {{gold: {{destinations: [main]}}}}
systems: {{db: {{tier: gold, sources: [{{postgresql: {pg.source()}}}]}}}}
""")
        hf.env["HOLDFAST_CONFIG"] = str(base / "h.yaml")
        hf("backup", "--system", "db")
        assert drill(hf)["verdict"] == "passed"


@pytest.mark.parametrize("method", ["direct", "stream"])
def test_rows_are_compared_exactly_only_where_nothing_came_between(db, base, server, place, method):
    path = base / "h.yaml"
    path.write_text(path.read_text().replace("{postgresql: {", "{postgresql: {method: %s, " % method))
    load = server.load("-n", "-c", "2", "-T", "60")
    try:
        had = server.psql("select count(*) from pgbench_history")
        until = time.monotonic() + 60
        while server.psql("select count(*) from pgbench_history") == had:
            assert time.monotonic() < until and load.poll() is None
        db("backup", "--system", "db")
    finally:
        load.terminate()
        load.wait()
        server.running[:] = [(name, p) for name, p in server.running if p is not load]
    for to in ([] if method == "stream" else ["--to", "immediate"],):
        o = drill(db, *to)
        assert o["verdict"] == "passed", o["reason"]
        assert o["recovery"]["compared"]["rows"] == "within_tolerance" and o["recovery"]["compared"]["why"]
        assert "within tolerance" in [s["note"] for s in o["steps"] if s["name"] == "compare"][0]


def test_a_log_with_a_hole_and_a_bad_page_fail_with_that_reason(db, base, server, place):
    db("backup", "--system", "db")
    logs = [p for p in glob.glob(f"{base}/r/**", recursive=True) if "/log" in p and os.path.isfile(p)]
    assert logs
    kept = {p: open(p, "rb").read() for p in logs}
    for p in logs:
        os.unlink(p)
    o = drill(db, "--level", "standard", rc=21)
    assert "recovery.log" in broken(o) and "segment" in o["reason"], o["reason"]
    for p, data in kept.items():
        with open(p, "wb") as f:
            f.write(data)
    file = server.psql("select pg_relation_filepath('pgbench_branches')")
    server.down()
    with open(f"{server.data}/{file}", "r+b") as f:
        f.seek(100)
        was = f.read(8)
        f.seek(100)
        f.write(b"\x5a" * 8)
    server.up()
    db("backup", "--system", "db", "--type", "full", rc=3)
    o = drill(db, "--level", "standard", rc=21)
    assert "facts.pages" in broken(o), broken(o)
    assert "block 0 of" in broken(o)["facts.pages"] and file in broken(o)["facts.pages"]
    server.down()
    with open(f"{server.data}/{file}", "r+b") as f:
        f.seek(100)
        f.write(was)
    server.up()
    assert left(place) == []


def test_a_log_that_is_none_in_its_middle_is_not_the_latest(db, base, server, place):
    """PostgreSQL takes it for the log's end, and is promoted there."""
    db("backup", "--system", "db")
    server.psql("create table if not exists later (n int)")
    names = []
    for _ in range(3):
        server.psql("insert into later select generate_series(1, 20000)")
        names.append(server.psql("select pg_walfile_name(pg_switch_wal())"))
    server.psql("drop table later")
    with open(f"{server.data}/pg_wal/{names[1]}", "rb") as f:
        log = bytearray(f.read())
    log[300000:300100] = b"\x5a" * 100
    with open(base / names[1], "wb") as f:
        f.write(log)
    for name in names:
        db("log", "push", "--system", "db", str(base / name) if name == names[1] else f"{server.data}/pg_wal/{name}")
    o = drill(db, "--level", "standard", rc=21)
    assert "took the log to end at" in broken(o)["recovery.reached"] and "took the log" in o["reason"], o["reason"]
    assert o["rpo"]["met"] == "not_judged" and left(place) == []


def test_a_database_to_a_point_and_a_killed_drill_of_it(db, base, server, place):
    path = base / "h.yaml"
    path.write_text(path.read_text().replace("sources: [", "sources: [{files: {paths: %s/src}}, " % base))
    os.makedirs(base / "src")
    (base / "src" / "a.txt").write_text("then")
    db("backup", "--system", "db")
    o = drill(db, "--to", "immediate", "--level", "standard")
    assert o["kind"] == "pitr" and o["recovery"]["target"] and o["rpo"]["met"] == "not_judged"
    assert o["recovery"]["compared"]["rows"] == "exactly"
    # Without a commit since there is no moment within the log, and none is said to be proven.
    o = drill(db, "--point", "pitr", "--level", "standard")
    assert o["kind"] == "full" and o["newest"] and "no commit since its first" in o["pitr_unproven"], o
    assert "no moment within its log is proven: the stored log" in db("report", "drill", o["id"]).out
    # A moment within the log: the same all day long.
    server.psql("create table if not exists later (n int)")
    wal = server.psql("select pg_walfile_name(pg_current_wal_lsn())")
    server.psql("insert into later values (1); select pg_switch_wal()")
    db("log", "push", f"{server.data}/pg_wal/{wal}")
    o = drill(db, "--point", "pitr", "--level", "standard")
    assert o["kind"] == "pitr" and o["verdict"] == "passed" and not o["newest"], o["reason"]
    assert drill(db, "--point", "pitr", "--level", "standard")["recovery"]["target"] == o["recovery"]["target"]
    # A time is that moment, and no snapshot before it; of files it is that one.
    (base / "src" / "b.txt").write_text("came later")
    wal = server.psql("select pg_walfile_name(pg_current_wal_lsn())")
    db("backup", "--system", "db")
    db("log", "push", f"{server.data}/pg_wal/{wal}")
    to = drill(db, "--to", o["recovery"]["target"].replace(" +", "+"), "--level", "standard")
    assert to["kind"] == "pitr" and to["recovery"]["target"] == o["recovery"]["target"], to["recovery"]
    assert to["snapshot"] == to["sources"][0]["snapshot"] == o["snapshot"] and to["facts"]["files"]["files"] == 1
    assert drill(db, "--to", "0/1", "--level", "standard", rc=None)["verdict"] == "failed"
    path.write_text(path.read_text().replace("    checks:", '    checks:\n      - {sql: "select pg_sleep(300)", expect: x}'))
    p = db.start("-r", "main", "drill", "db", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not (there := busy(place)):
        assert time.monotonic() < until and p.poll() is None
        time.sleep(0.1)
    p.kill()
    p.wait(60)
    until = time.monotonic() + 60
    while any(map(pgs.lives, there)):
        assert time.monotonic() < until, "its server outlived it"
        time.sleep(0.1)
    path.write_text(path.read_text().replace('      - {sql: "select pg_sleep(300)", expect: x}', ""))
    o = drill(db, "--level", "standard")
    assert "killed drill" in o["steps"][0].get("note", "") and left(place) == []


def busy(place):
    """The processes of this drill's server and of it alone, once it is at the check's query; else none."""
    out = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], stdout=subprocess.PIPE, text=True).stdout.splitlines()
    rows = [line.split(None, 2) for line in out if len(line.split(None, 2)) == 3]
    servers = {pid for pid, _, args in rows if "bin/postgres" in args and f"{place}/rooms/" in args}
    theirs = [(pid, args) for pid, parent, args in rows if parent in servers]
    return servers | {pid for pid, _ in theirs} if any("[local] SELECT" in args for _, args in theirs) else set()


# ---- What is made of it.


# What the NIST's schema of assessment results (1.1.2) asks of what is made: (required, allowed besides).
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
MEMBERS = {
    "assessment-results": ("uuid metadata import-ap results", "local-definitions back-matter"),
    "metadata": ("title last-modified version oscal-version", "published revisions props links roles parties remarks"),
    "import-ap": ("href", "remarks"),
    "results": ("uuid title description start reviewed-controls",
                "end props links local-definitions attestations assessment-log observations risks findings remarks"),
    "reviewed-controls": ("control-selections", "description props links control-objective-selections remarks"),
    "control-selections": ("", "description props links include-all include-controls exclude-controls remarks"),
    "include-controls": ("control-id", "statement-ids"),
    "observations": ("uuid description methods collected",
                     "title props links types origins subjects relevant-evidence expires remarks"),
    "findings": ("uuid title description target",
                 "props links origins implementation-statement-uuid related-observations related-risks remarks"),
    "target": ("type target-id status", "title description props links implementation-status remarks"),
    "status": ("state", "reason remarks"),
    "related-observations": ("observation-uuid", ""),
    "props": ("name value", "uuid ns class group remarks"),
    "back-matter": ("", "resources"),
    "resources": ("uuid", "title description props document-ids citation rlinks base64 remarks"),
}
TOKEN, LINE = r"[^\W\d][\w.\-]*", r"\S(.*\S)?"
VALUES = {
    "uuid": UUID, "observation-uuid": UUID, "href": "#" + UUID, "name": TOKEN, "control-id": TOKEN, "target-id": TOKEN,
    "value": LINE, "version": LINE, "oscal-version": r"1\.1\.2", "state": "satisfied|not-satisfied", "type": "objective-id",
    "ns": r"urn:uuid:" + UUID, **dict.fromkeys(("start", "end", "collected", "last-modified"),
                                              r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")}


def conforms(name, o, seen):
    if isinstance(o, list):
        assert o, f"{name} is empty"
        for x in o:
            conforms(name, x, seen)
    elif isinstance(o, dict):
        required, more = (set(x.split()) for x in MEMBERS[name])
        assert required <= set(o) <= required | more, (name, set(o))
        seen += [o["uuid"]] if "uuid" in o else []
        for key, value in o.items():
            conforms(key, value, seen)
    elif name == "methods":
        assert o in ("EXAMINE", "INTERVIEW", "TEST", "UNKNOWN")
    else:
        assert isinstance(o, str) and re.fullmatch(VALUES.get(name, "(?s).+"), o), (name, o)


def assessed(text):
    """As it has to be; each UUID stands for one thing, and what is named is there."""
    o, seen = json.loads(text)["assessment-results"], []
    conforms("assessment-results", o, seen)
    assert len(seen) == len(set(seen)) and o["import-ap"]["href"][1:] == o["back-matter"]["resources"][0]["uuid"]
    for f in o["results"][0]["findings"]:
        assert {x["observation-uuid"] for x in f.get("related-observations", [])} <= set(seen)
    record = {p["name"]: p["value"] for p in o["results"][0]["props"]}["id"]
    assert o["uuid"] == str(uuid.uuid5(uuid.UUID(o["results"][0]["props"][0]["ns"]), record + "/document"))
    return o["results"][0]


def test_what_was_proven_is_told_and_handed_on(declared, base, place):
    r = declared("--json", "rpo", rc=0).json("item")[0]
    assert r["proven_age"] is None and r["age"] < 60 and not r["missed"] and r["last_drill"] is None
    declared("report", "drill", "www", rc=1)
    o = item(declared("--json", "-r", "main", "drill", "www"))
    r = declared("--json", "rpo", "www").json("item")[0]
    assert r["proven_age"] >= r["age"] - 1 and r["last_verdict"] == "passed" and r["expected_rto"] > 0
    # What was proven is no newest point where the catalog knows of none, as rpo.missed is told; nor is its size known.
    os.mkdir(base / "aside")
    for f in glob.glob(f"{base}/state/catalog*"):
        os.rename(f, base / "aside" / os.path.basename(f))
    r = declared("--json", "rpo", "www", rc=40).json("item")[0]
    assert r["missed"] and r["age"] is None and r["proven_age"] is not None, r
    assert r["expected_rto"] is None and not r["rto_at_risk"]
    for f in glob.glob(f"{base}/state/catalog*"):
        os.unlink(f)
    for f in os.listdir(base / "aside"):
        os.rename(base / "aside" / f, base / "state" / f)
    out = declared("report", "drill", o["id"][-8:], "--format", "html").out
    assert "<script src" not in out and "http" not in out and "Recovery drill of www" in out
    line = declared("report", "drill", "--format", "json").out.strip()
    assert base64.b64decode(out.split('id="record">')[1].split("<")[0]).decode() == line
    oscal = declared("report", "drill", "www", "--format", "oscal").out
    results = assessed(oscal)
    assert oscal == declared("report", "drill", "www", "--format", "oscal").out
    assert {f["target"]["status"]["state"] for f in results["findings"]} == {"satisfied"}
    bundle = base / "bundle.jsonl"
    declared("evidence", "export", "--records", "--output", bundle)
    key = base / "state" / "evidence.pub"
    other = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "verify-evidence")

    def verified(path, *more):
        ours = declared("evidence", "verify", path, *more, rc=None).rc
        theirs = subprocess.run(["/usr/bin/python3", other, path, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert ours == theirs.returncode, (ours, theirs)
        return ours == 0

    assert verified(bundle) and verified(bundle, "--public-key", key)
    lines = bundle.read_bytes().splitlines(keepends=True)
    for i, changed in enumerate([
            [x.replace(b'"score":1', b'"score":0') for x in lines],         # a drill's record, or the chain's of it
            [x for x in lines if b'"type":"drill"' not in x],               # a drill is missing
            lines[:2] + lines[3:],                                          # a record is
            [*lines, lines[-1].replace(b'"verdict":"passed"', b'"verdict":"failed"')]]):
        assert changed != lines, i
        (base / "changed").write_bytes(b"".join(changed))
        assert not verified(base / "changed"), i
    # What the trail does not name so is no proof.
    (path,) = glob.glob(f"{base}/state/drills/*.json")
    with open(path, "r+", encoding="ascii") as f:
        record = f.read().replace('"score":1', '"score":2')
        f.seek(0)
        f.write(record)
    assert "audit trail" in declared("report", "drill", "www", rc=20).err
    assert declared("--json", "rpo", "www").json("item")[-1]["proven_age"] is None


def test_the_daemon_proves_what_has_to_be_proven_within_a_time(declared, base, place):
    first = declared("--json", "-r", "main", "snapshots").json("item")[0]["snapshot"]
    (base / "src" / "more").write_text("more")
    declared("run", "www")
    write(declared, base, place, drill=", within: 30d, budget: 1h")
    text = (base / "h.yaml").read_text().replace("every: 7d, ", "").replace("target: 15m", "target: 365d")
    (base / "h.yaml").write_text(text)
    log = open(base / "serve.log", "wb")
    daemon = declared.start("serve", stdout=log, stderr=log)

    def told(what, text, **new):
        """By a configuration that says this in place of that, after a backup where something grew."""
        (base / "h.yaml").write_text(text)
        daemon.send_signal(signal.SIGHUP)
        until = time.monotonic() + 120
        while what not in (base / "serve.log").read_text():
            assert time.monotonic() < until, (base / "serve.log").read_text()
            time.sleep(0.1)

    try:
        until = time.monotonic() + 180
        while True:
            runs = [r for r in declared("--json", "jobs", "--limit", "9").json("item") if r["kind"] == "drill"]
            if runs and runs[0]["status"] not in ("queued", "running"):
                break
            assert time.monotonic() < until, runs
            time.sleep(0.2)
        assert runs[0]["trigger"] == "coverage" and runs[0]["status"] == "completed", runs[0].get("message")
        assert runs[0]["verified"] == "passed"
        system = [o for o in declared("--json", "status").json("item") if o.get("name", o.get("system")) == "www"]
        assert not system or system[0].get("drill_age") is not None
        # It grew a thousandfold: by what was measured its recovery will not be in time; and not all can be proven.
        (base / "src" / "large").write_bytes(bytes(200 << 20))
        declared("run", "www")
        told("rto.at_risk system=www", text.replace("rto: {target: 365d}", "rto: {target: 1s}"))
        told("rto.kept system=www", text)
        told("drill.uncovered system=www", text.replace("budget: 1h", "budget: 1h, disk: 1MiB"))
        told("drill.covered", text)
        assert (base / "serve.log").read_text().count("rto.at_risk") == 1
        # By hand it is the daemon's as well.
        assert declared("drill", "www", "--level", "standard").out.count("verdict") == 0
        # To a snapshot as well, and from where it is said; so it is without the daemon.
        def proven(**what):
            all = [json.loads(open(f).read()) for f in glob.glob(f"{base}/state/drills/*.json")]
            return len([r for r in all if r["snapshot"] == first and what.items() <= r.items()])

        before = proven(kind="full", newest=False, oldest=False, level="standard")
        for how in ([], ["--foreground"]):
            declared("drill", "www", "--level", "standard", "--destination", "main", "--to", first, *how)
        assert proven(kind="full", newest=False, oldest=False, level="standard") == before + 2
        before = proven(oldest=True)
        declared("drill", "www", "--point", "oldest")
        assert proven(oldest=True) > before
        declared("drill", "www", "--destination", "nowhere", rc=2)
        declared("drill", "www", "--to", "nothing", rc=2)
        declared("drill", "www", "--keep", rc=2)
        declared("drill", "www")
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)
    assert declared("--json", "rpo").json("item")[0]["last_verdict"] == "passed"
    assert left(place) == []
