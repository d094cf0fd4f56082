#!/usr/bin/python3
"""with_wal VERSION WAL_TELL: a real server's log, read by WAL_TELL (test/suite/wal_tell.c).

Its records must be those that pg_waldump shows; and of two copies of the data directory, made under load with everything
in between that changes files in a way of its own, every page that differs must be named by the map of the log between.
"""
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pg as postgres  # noqa: E402

PAGE = 8192
SEGMENT = {"15": 1, "17": 16}  # MiB of log in a file
FORKS = {None: 0, "fsm": 1, "vm": 2, "init": 3}
tests = []


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def test(f):
    tests.append(f)
    return f


class Scene:
    """The server, two copies of its data directory, and where the log was at each."""

    def __init__(self, pg, tell, segment):
        self.pg, self.tell_program, self.segment = pg, tell, segment << 20
        self.start, self.end, self.copies = [], [], []

    def copy(self):
        to = self.pg.path(f"copy{len(self.copies)}")
        self.pg.run(*postgres.as_postgres("mkdir", to))
        out = self.pg.run(
            f"{self.pg.bin}/psql", "-X", "-q", "-At", "-h", self.pg.folder, "-p", self.pg.port, "-U", "postgres",
            "-c", "select pg_backup_start('x', true)",
            "-c", f"\\! cd {self.pg.data} && cp -rL base global pg_tblspc {to}/ 2>/dev/null",
            "-c", "select lsn from pg_backup_stop(false)").split()
        self.start.append(lsn(out[0]))
        self.end.append(lsn(re.findall(r"^[0-9A-F]+/[0-9A-F]+$", "\n".join(out), re.M)[-1]))
        self.copies.append(to)

    def tell(self, what, start, end):
        p = subprocess.run([self.tell_program, what, f"{self.pg.data}/pg_wal", "1", str(self.segment), str(start),
                            str(end)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        assert p.returncode == 0, p.stderr[-2000:]
        return p.stdout.splitlines()


def make(pg):
    """What is there before the first copy."""
    pg.pgbench("-i", "-q", "-s", "2")
    os.mkdir(pg.path("space"), 0o700)
    postgres.give(pg.path("space"))
    pg.psql(f"create tablespace space location '{pg.path('space')}'")
    for name in ("still", "cut", "dropped", "dropped2", "packed", "moved", "emptied", "aborted", "zeroed"):
        pg.psql(f"create table {name} as select i, repeat(md5(i::text), 4) as t from generate_series(1, 20000) i")
        pg.psql(f"create index on {name} (i)")
    for name in ("old", "wanderer"):
        pg.psql(f"create database {name}")
    pg.psql("create table t as select i from generate_series(1, 5000) i", database="wanderer")
    pg.psql("delete from zeroed where i > 1000")
    pg.psql("vacuum (truncate off, analyze)")


def change(pg):
    """All that changes files otherwise than by a record that names the block."""
    pg.psql("truncate emptied; insert into emptied select i, 'x' from generate_series(1, 100) i")
    pg.psql("drop table dropped")
    # Cut at the end by vacuum; then extended by many pages at once, some of which stay empty.
    pg.psql("delete from cut where i > 5000")
    pg.psql("vacuum (truncate) cut")
    pg.psql("insert into cut select i, repeat('y', 90) from generate_series(1, 6000) i")
    pg.psql("begin; drop table aborted; create table made_up as select * from still; rollback")
    pg.psql("begin; drop table dropped2; create table two (i int); insert into two values (1); prepare transaction 'x'")
    pg.psql("commit prepared 'x'")
    pg.psql("vacuum full packed")
    pg.psql("alter table moved set tablespace space")
    pg.psql("create index on still (t)")
    pg.psql("create table fresh as select * from still; create sequence s; select nextval('s')")
    pg.psql("create unlogged table unlogged (i int primary key); insert into unlogged values (1)")
    pg.psql("drop database old")
    for strategy in ("file_copy", "wal_log"):
        pg.psql(f"create database {strategy} strategy {strategy}")
        pg.psql("create table t as select 1 as i", database=strategy)
    pg.psql("alter database file_copy set tablespace space")
    # What changed while it was elsewhere is named there alone.
    pg.psql("alter database wanderer set tablespace space")
    pg.psql("update t set i = i + 1", database="wanderer")
    pg.psql("alter database wanderer set tablespace pg_default")
    pg.psql("select pg_switch_wal()")
    pg.psql("update still set t = 'z' where i % 1000 = 0")


def zeros(pg):
    """
    The server dies with pages that it had put to a file's end, and not yet the log of what is in them: they stay zeros,
    named by nothing, where other pages were before the file was cut.
    """
    pg.psql("vacuum (truncate) zeroed")
    pg.start("psql", f"{pg.bin}/psql", "-X", "-h", pg.folder, "-p", pg.port, "-U", "postgres", "-c",
             "begin; insert into zeroed select i, repeat('0', 90) from generate_series(1, 4000) i; select pg_sleep(60)")
    pg.wait(lambda: pg.psql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1", "the sleeper")


def played(version, tell):
    pg = postgres.Pg(version=version, wal_segsize=SEGMENT[version])
    pg.auto = False
    pg.initdb()
    pg.conf(wal_keep_size="2GB", max_prepared_transactions=5, wal_compression="on", wal_writer_delay="10s",
            wal_writer_flush_after="0", autovacuum_naptime="30s")
    pg.up()
    scene = Scene(pg, tell, SEGMENT[version])
    try:
        make(pg)
        load = pg.load("-c", "2", "-R", "100", "-T", "60")
        scene.copy()
        change(pg)
        load.kill()
        pg.running = [r for r in pg.running if r[0] != "pgbench"]
        zeros(pg)
        pg.kill()
        pg.running = [r for r in pg.running if r[0] != "psql"]
        pg.up()
        pg.load("-c", "2", "-R", "100", "-T", "60")
        pg.psql("insert into zeroed select i, 'one' from generate_series(1, 50) i")
        pg.psql("insert into cut select i, repeat('y', 90) from generate_series(1, 1000) i")
        scene.copy()
    except BaseException:
        pg.__exit__()
        raise
    return scene


@test
def records_are_those_of_pg_waldump(s):
    ours = s.tell("records", s.start[0], s.end[1])
    out = s.pg.run(f"{s.pg.bin}/pg_waldump", "-p", f"{s.pg.data}/pg_wal", "-s", "%X/%X" % divmod(s.start[0], 1 << 32),
                   "-e", "%X/%X" % divmod(s.end[1], 1 << 32))
    theirs = []
    for line in out.splitlines():
        m = re.match(r"rmgr: (\S+)\s+len.*tx:\s+(\d+), lsn: ([0-9A-F/]+), prev ([0-9A-F/]+), desc: (.*)", line)
        if not m:
            continue
        blocks = re.findall(r"blkref #\d+: rel (\d+/\d+/\d+)(?: fork (\w+))? blk (\d+)", m[5])
        at, before = ("%X/%X" % divmod(lsn(t), 1 << 32) for t in (m[3], m[4]))
        theirs.append(" ".join([at, m[2], before,
                                *(f"{rel}:{FORKS[None if f == 'main' else f or None]}:{b}" for rel, f, b in blocks)]))
    assert len(theirs) > 5000 and abs(len(ours) - len(theirs)) <= 1, (len(ours), len(theirs))
    for a, b in zip(ours, theirs):
        assert a == b, (a, b)


def relation_files(copy):
    for path in glob.glob(f"{copy}/**", recursive=True):
        name = path[len(copy) + 1:]
        m = re.fullmatch(r"(?:base/(\d+)|(global)|pg_tblspc/(\d+)/PG_[^/]*/(\d+))/(\d+)(?:_(fsm|vm|init))?(?:\.(\d+))?", name)
        if m:
            spc = 1664 if m[2] else int(m[3] or 1663)
            yield name, (spc, int(m[1] or m[4] or 0), int(m[5]), FORKS[m[6]]), int(m[7] or 0)


class Map:
    def __init__(self, lines):
        self.files = {}
        for line in lines:
            v = [int(x) for x in line.split()]
            self.files[tuple(v[:3])] = (v[3], set(v[4:]))

    def has(self, key, block):
        spc, db, rel = key[:3]
        for k in ((spc, 0, 0), (spc, db, 0), (spc, db, rel)):
            limit, blocks = self.files.get(k, (0xffffffff, ()))
            if block >= limit or block in blocks:
                return True
        return False


def unlogged(files):
    return {key[:3] for _, key, _ in files if key[3] == 3}


@test
def every_page_that_differs_is_in_the_map(s):
    """Of main forks; the others are not in it."""
    m = Map(s.tell("map", s.start[0], s.end[1]))
    files = list(relation_files(s.copies[1]))
    skip, pages, differ, named = unlogged(files), 0, 0, 0
    for name, key, segment in files:
        if key[3] != FORKS[None] or key[:3] in skip:
            continue
        with open(f"{s.copies[1]}/{name}", "rb") as f:
            now = f.read()
        before = b""
        if os.path.exists(f"{s.copies[0]}/{name}"):
            with open(f"{s.copies[0]}/{name}", "rb") as f:
                before = f.read()
        for b in range(len(now) // PAGE):
            block = segment * 131072 + b
            pages += 1
            named += m.has(key, block)
            if b * PAGE >= len(before):
                continue  # past the end: read without being asked
            if now[b * PAGE:(b + 1) * PAGE] != before[b * PAGE:(b + 1) * PAGE]:
                differ += 1
                assert m.has(key, block), f"{name} block {block} differs and is not named"
    print(f"# {pages} pages, {differ} differ, {named} named")
    assert differ > 300 and named < pages * 0.75, (pages, differ, named)


@test
def what_stood_still_is_not_named(s):
    m = Map(s.tell("map", s.start[0], s.end[1]))
    rel = int(s.pg.psql("select pg_relation_filenode('still_i_idx')"))
    db = int(s.pg.psql("select oid from pg_database where datname = 'postgres'"))
    named = sum(m.has((1663, db, rel, 0), b) for b in range(int(s.pg.psql("select pg_relation_size('still_i_idx') / 8192"))))
    assert named < 30, named


@test
def the_rate(s):
    print("# " + s.tell("rate", s.start[0], s.end[1])[0], (s.end[1] - s.start[0]) >> 20, "MiB")


def main(version, tell):
    gone = postgres.missing(version)
    if gone and not os.environ.get("CI"):
        print(f"1..0 # SKIP not installed: {' '.join(gone)}")
        return 0
    scene, bad = played(version, tell), 0
    try:
        print(f"1..{len(tests)}")
        for i, t in enumerate(tests):
            try:
                t(scene)
                print(f"ok {i + 1} - {t.__name__}")
            except AssertionError as e:
                bad += 1
                print(f"not ok {i + 1} - {t.__name__}\n# {e}", flush=True)
    finally:
        scene.pg.__exit__()
    return bad > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
