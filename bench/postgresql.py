#!/usr/bin/python3
"""postgresql: Holdfast against pgBackRest and pg_basebackup on one live database; a table at the end.

Environment (all optional):

  SCALE=1         share of the database: 1 is 1.6 GiB (pgbench scale 80, and 6 million digests, which do not compress
                  as pgbench's blanks do)
  RUNS=3          how often each row is measured; medians are shown
  TOOLS=...       some of: holdfast pgbackrest pgbackrest-new pg_basebackup
  PARTS=...       some of: backup restore logs recovery growth seventeen
  BENCH_DIR=build/bench   room for five times the database
  HOLDFAST_BIN=...        another binary

Every tool does one step before any does the next.  All repositories are encrypted (pg_basebackup has none), zstd 3,
two processes, pgBackRest with bundles and block increments where it knows them, and without its wait for the archiver
(--no-archive-check), which is no work.  Holdfast has a key file, pgBackRest a pass phrase in its configuration.
pgbackrest-new is the one of Debian's next release, where tools/install-postgresql has unpacked it.  Every full backup
goes into a repository of its own; stored bytes and objects are those of one full backup.
"""
import json
import os
import shutil
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "test/servers"), os.path.dirname(os.path.abspath(__file__))]
import pg as servers  # noqa: E402
from measure import Failed, run  # noqa: E402

SCALE = float(os.environ.get("SCALE") or 1)
RUNS = int(os.environ.get("RUNS") or 3)
HOLDFAST = os.path.abspath(os.environ.get("HOLDFAST_BIN") or os.path.join(ROOT, "build/release/src/holdfast"))
PARTS = (os.environ.get("PARTS") or "backup restore logs recovery growth seventeen").replace(",", " ").split()
SEGMENTS = 40  # of WAL, pushed and fetched one by one
PASS = "bench: not a secret"


def say(text):
    print(text, file=sys.stderr, flush=True)


def size_of(folder):
    """Bytes and files below it."""
    total = count = 0
    for at, _, files in os.walk(folder):
        count += len(files)
        total += sum(os.lstat(os.path.join(at, f)).st_size for f in files)
    return total, count


class Tool:
    """One way to back up `db`; home is its own folder, which user postgres owns."""

    def __init__(self, db, home):
        self.db, self.home, self.repo = db, home, os.path.join(home, "repo")
        shutil.rmtree(home, ignore_errors=True)
        for path in (home, self.repo):
            os.makedirs(path, exist_ok=True)
            servers.give(path)

    def stored(self):
        return size_of(self.repo)


class Holdfast(Tool):
    name = "holdfast"

    @staticmethod
    def missing():
        return None if os.access(HOLDFAST, os.X_OK) else f"{HOLDFAST} is not there"

    def __init__(self, db, home):
        super().__init__(db, home)
        key, conf = os.path.join(home, "key"), os.path.join(home, "holdfast.yaml")
        self.env = {"HOLDFAST_STATE_DIR": home + "/state", "HOLDFAST_CACHE_DIR": home + "/cache",
                    "HOLDFAST_RUNTIME_DIR": home + "/run", "HOLDFAST_CONFIG": conf}
        with open(conf, "w") as f:
            f.write(f"repositories: {{main: {{url: {self.repo}, key: \"file:{key}\"}}}}\n"
                    "tiers: {all: {destinations: [main]}}\n"
                    f"systems: {{db: {{tier: all, sources: [{{postgresql: {db.source()}}}]}}}}\n")
        run([HOLDFAST, "-r", self.repo, "init", "--new-key-file", key], env=self.env)
        self.daemon = None

    def call(self, *args):
        return run([HOLDFAST, *args], env=self.env)

    def full(self):
        return self.call("backup", "--system", "db", "--type", "full")

    def incremental(self):
        return self.call("backup", "--system", "db", "--type", "incremental")

    def restore(self, to):
        return self.call("recover", "db", "--to", "immediate", "--target", to)

    def delta(self, to):
        return self.call("recover", "db", "--to", "immediate", "--target", to, "--delta")

    def archiving(self):
        """The daemon takes what the archiver's small processes hand it: their command, and how to end it."""
        daemon = self.db.start("env", "env", *[f"{k}={v}" for k, v in self.env.items()], HOLDFAST, "serve")
        self.db.wait(lambda: os.path.exists(self.home + "/run/log.sock"), "holdfast serve")
        # The archiver is user postgres, who may not read what is below this folder.
        program = self.db.program(HOLDFAST)
        return f"HOLDFAST_RUNTIME_DIR={self.home}/run {program} log push --system db %p", daemon

    def get(self, segments, to):
        return run(["sh", "-c", 'd=$1; shift; for f in "$@"; do "$0" log get --system db "${f##*/}" "$d/${f##*/}" '
                    '|| exit 1; done', HOLDFAST, to, *segments], env=self.env)

    def recover(self, when, to, port):
        self.call("recover", "db", "--to", when, "--target", to, "--start", "--port", str(port))


class PgBackRest(Tool):
    name, program, more = "pgbackrest", "/usr/bin/pgbackrest", ""

    def recover(self, when, to, port):
        """Three commands: restore, start, and look whether it takes writes (the caller's)."""
        run(servers.as_postgres(self.program, f"--config={self.conf}", "--stanza=db", f"--pg1-path={to}", "--type=time",
                                f"--target={when}", "--target-action=promote", "restore"))
        run(servers.as_postgres(f"{self.db.bin}/pg_ctl", "-D", to, "-l", f"{to}/log", "-w", "-t", "300", "-o",
                                f"-p {port} -k /tmp -c archive_mode=off", "start"))

    @classmethod
    def missing(cls):
        return None if os.access(cls.program, os.X_OK) else f"{cls.program} is not there"

    def __init__(self, db, home):
        super().__init__(db, home)
        self.conf = os.path.join(home, "pgbackrest.conf")
        spool = os.path.join(home, "spool")
        os.makedirs(spool)
        servers.give(spool)
        with open(self.conf, "w") as f:
            f.write(f"[global]\nrepo1-path={self.repo}\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass={PASS}\n"
                    f"compress-type=zst\ncompress-level=3\nprocess-max=2\nlog-level-console=warn\nlog-level-file=off\n"
                    f"start-fast=y\nspool-path={spool}\nlock-path={home}/lock\nrepo1-retention-full=9\n{self.more}"
                    f"[db]\npg1-path={db.data}\npg1-port={db.port}\npg1-socket-path={db.folder}\npg1-user=postgres\n")
        self.call("stanza-create")

    def call(self, command, *args):
        return run(servers.as_postgres(self.program, f"--config={self.conf}", "--stanza=db", *args, command))

    def full(self):
        return self.call("backup", "--type=full", "--no-archive-check")

    def incremental(self):
        return self.call("backup", "--type=incr", "--no-archive-check")

    def restore(self, to):
        return self.call("restore", f"--pg1-path={to}", "--type=immediate")

    def delta(self, to):
        return self.call("restore", f"--pg1-path={to}", "--type=immediate", "--delta")

    def archiving(self):
        """Its asynchronous mode: the faster one."""
        return f"{self.program} --config={self.conf} --stanza=db --archive-async archive-push %p", None

    def get(self, segments, to):
        return run(servers.as_postgres("sh", "-c", 'p=$1; c=$2; d=$3; shift 3; for f in "$@"; do "$p" --config="$c" '
                                       '--stanza=db --archive-async archive-get "${f##*/}" "$d/${f##*/}" || exit 1; '
                                       'done', "sh", self.program, self.conf, to, *segments))


class PgBackRestNew(PgBackRest):
    name = "pgbackrest-new"
    program = os.path.realpath(os.path.join(ROOT, "build/postgresql/usr/bin/pgbackrest"))
    more = "repo1-bundle=y\nrepo1-block=y\n"


class PgBaseBackup(Tool):
    name = "pg_basebackup"

    @staticmethod
    def missing():
        return None

    def full(self):
        shutil.rmtree(self.repo)
        return run(servers.as_postgres(f"{self.db.bin}/pg_basebackup", "-D", self.repo, "-h", self.db.folder, "-p",
                                       self.db.port, "-U", "postgres", "-c", "fast", "-Ft", "-Xnone", "--compress",
                                       "server-zstd:level=3,workers=2"))


KINDS = [Holdfast, PgBackRest, PgBackRestNew, PgBaseBackup]


class Results:
    def __init__(self):
        self.rows, self.notes = {}, []

    def add(self, row, tool, value):
        self.rows.setdefault(row, {}).setdefault(tool, []).append(value)
        say(f"  {row:34} {tool:15} {value:10.3f}")

    def table(self, names):
        lines = ["| row | " + " | ".join(names) + " | holdfast / best peer |", "|---|" + "---|" * (len(names) + 1)]
        for row, by in self.rows.items():
            middle = {n: statistics.median(v) for n, v in by.items()}
            peers = [v for n, v in middle.items() if n != "holdfast"]
            ratio = f"{middle['holdfast'] / min(peers):.2f}" if peers and "holdfast" in middle and min(peers) else ""
            cells = " | ".join(f"{middle[n]:.3f}" if n in middle else "" for n in names)
            lines.append(f"| {row} | {cells} | {ratio} |")
        return "\n".join(lines + [""] + self.notes)


class Bench:
    def __init__(self, db, kinds, work):
        self.db, self.work, self.results = db, work, Results()
        self.tools = [k(db, os.path.join(work, k.name)) for k in kinds]

    def step(self, row, act, tools=None):
        """act(tool) gives a sample (its seconds count) or None."""
        for tool in tools or self.tools:
            os.sync()
            try:
                sample = act(tool)
            except (Failed, AttributeError) as e:
                if not isinstance(e, AttributeError):
                    self.results.notes.append(f"- {tool.name}: {row}: {e}")
                    say(self.results.notes[-1])
                continue
            self.results.add(row + ", s", tool.name, sample.wall)
            if row in ("full backup",):
                self.results.add(row + ", peak MiB", tool.name, sample.rss / 2 ** 20)
                total, files = tool.stored()
                self.results.add(row + ", stored MiB", tool.name, total / 2 ** 20)
                self.results.add(row + ", objects", tool.name, files)

    def grown(self, row, act):
        """The same, with what the repository grew by."""
        before = {t.name: t.stored()[0] for t in self.tools}
        self.step(row, act)
        for t in self.tools:
            if t.name in self.results.rows.get(row + ", s", {}):
                self.results.add(row + ", MiB", t.name, (t.stored()[0] - before[t.name]) / 2 ** 20)

    def place(self, tool, name):
        path = os.path.join(self.work, f"{name}-{tool.name}")
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path, mode=0o700)
        servers.give(path)
        return path

    def hot_updates(self, seconds):
        """Random updates of 2 % of the rows, side by side in the table."""
        script = os.path.join(self.db.folder, "hot.sql")
        with open(script, "w") as f:
            f.write(f"\\set a random(1, {int(80 * SCALE * 2000)})\n"
                    "update pgbench_accounts set abalance = abalance + 1 where aid = :a;\n")
        self.db.pgbench("-n", "-c", "4", "-j", "2", "-T", str(seconds), "-f", script)

    def damage(self, folder):
        """128 KiB each of three large files."""
        large = sorted((os.path.join(at, f) for at, _, files in os.walk(os.path.join(folder, "base")) for f in files),
                       key=os.path.getsize)[-3:]
        for path in large:
            st = os.stat(path)
            with open(path, "r+b") as f:
                f.seek(st.st_size // 2 // 8192 * 8192)
                f.write(os.urandom(128 << 10))

    def segments(self):
        folder = os.path.join(self.db.data, "pg_wal")
        current = self.db.psql("select pg_walfile_name(pg_current_wal_lsn())")
        found = sorted(f for f in os.listdir(folder) if len(f) == 24 and f < current)
        return [os.path.join(folder, f) for f in found[-SEGMENTS:]]

    def archive(self, tool, segments):
        """Finished segments offered again to the server's archiver; seconds until it has handed over the last."""
        status = os.path.join(self.db.data, "pg_wal/archive_status")
        command, daemon = tool.archiving()
        for s in segments:
            done, ready = (os.path.join(status, os.path.basename(s) + end) for end in (".done", ".ready"))
            open(done, "a").close()
            servers.give(done)
            os.rename(done, ready)
        try:
            begin = time.monotonic()
            self.db.psql(f"alter system set archive_command = '{command}'")
            self.db.reload()
            while any(f.endswith(".ready") for f in os.listdir(status)):
                time.sleep(0.02)
                if time.monotonic() - begin > 120:
                    raise Failed("the archiver hands nothing over: " + self.db.log("postgres")[-300:])
            return time.monotonic() - begin
        finally:
            self.db.psql("alter system set archive_command = '/bin/true'")
            self.db.reload()
            if daemon is not None:
                daemon.terminate()
                daemon.wait(30)
                self.db.running = [r for r in self.db.running if r[1] is not daemon]

    def measure(self):
        if "backup" in PARTS:
            self.backups()
        else:
            self.step("full backup", lambda t: t.full())
        if "restore" in PARTS:
            self.restores()
        if "logs" in PARTS:
            self.logs()
        if "recovery" in PARTS:
            self.recoveries()
        if "growth" in PARTS:
            self.growth()

    def anew(self, tool):
        """The same tool with nothing stored."""
        tool.__init__(tool.db, tool.home)
        return tool

    def backups(self):
        for _ in range(RUNS):
            self.step("full backup", lambda t: self.anew(t).full())
        for _ in range(RUNS):
            self.grown("incremental, nothing changed", lambda t: t.incremental())
        for _ in range(RUNS):
            self.hot_updates(20 if SCALE >= 1 else 5)
            self.db.psql("checkpoint")
            self.grown("incremental, hot 2 % of rows updated", lambda t: t.incremental())

    def restores(self):
        for i in range(RUNS):
            self.step("restore into an empty directory", lambda t: t.restore(self.place(t, f"restore{i}")))
        last = f"restore{RUNS - 1}"
        for _ in range(RUNS):
            self.step("delta restore, nothing changed", lambda t: t.delta(os.path.join(self.work, f"{last}-{t.name}")))
        for _ in range(RUNS):
            for t in self.tools:
                if hasattr(t, "delta"):
                    self.damage(os.path.join(self.work, f"{last}-{t.name}"))
            self.step("delta restore, 3 files damaged", lambda t: t.delta(os.path.join(self.work, f"{last}-{t.name}")))
        for i in range(RUNS):
            for t in self.tools:
                shutil.rmtree(os.path.join(self.work, f"restore{i}-{t.name}"), ignore_errors=True)

    def logs(self):
        """WAL in and out, one process a segment."""
        segments = self.segments()
        for t in [t for t in self.tools if hasattr(t, "archiving")]:
            try:
                self.results.add("WAL in, ms a segment", t.name, 1000 * self.archive(t, segments) / len(segments))
                took = t.get(segments, self.place(t, "wal"))
                self.results.add("WAL out, ms a segment", t.name, 1000 * took.wall / len(segments))
            except (Failed, AssertionError) as e:
                self.results.notes.append(f"- {t.name}: WAL: {e}")

    def archivers(self):
        """The tools that take the log, with their commands; what to end afterwards."""
        tools = [t for t in self.tools if hasattr(t, "archiving")]
        pairs = [t.archiving() for t in tools]
        self.db.conf(archive_command=" && ".join(c for c, _ in pairs))
        self.db.psql("alter system reset archive_command")
        self.db.reload()
        return tools, [d for _, d in pairs if d is not None]

    def archived(self):
        """Until nothing waits for the archiver."""
        status = os.path.join(self.db.data, "pg_wal/archive_status")
        end = time.monotonic() + 300
        while any(f.endswith(".ready") for f in os.listdir(status)):
            if time.monotonic() > end:
                raise Failed("the archiver does not come to an end: " + self.db.log("postgres")[-300:])
            time.sleep(0.1)

    def recoveries(self):
        """From a base and about 1.1 GiB of log: from the typed command until the first row is written."""
        tools, daemons = self.archivers()
        try:
            for t in tools:
                self.anew(t).full()
                if isinstance(t, Holdfast):  # the daemon had the repository that is gone
                    for d in daemons:
                        self.end(d)
                    daemons = [t.archiving()[1]]
            self.db.psql("create table if not exists mark (n int)")
            first = self.db.psql("select pg_current_wal_lsn()")
            while int(self.db.psql(f"select pg_current_wal_lsn() - '{first}'::pg_lsn")) < 1100 * SCALE * 2 ** 20:
                self.db.pgbench("-n", "-c", "4", "-j", "2", "-T", "3")
            when = self.db.psql("select clock_timestamp()")
            time.sleep(0.2)
            self.db.psql("insert into mark values (1)")
            self.db.psql("select pg_switch_wal()")
            self.archived()
            for i in range(RUNS):
                for t in tools:
                    os.sync()
                    to, port = self.place(t, f"recovery{i}"), servers.free_port()
                    begin = time.monotonic()
                    try:
                        t.recover(when, to, port)
                        self.write(to, port)
                        self.results.add("point in time to the first write, s", t.name, time.monotonic() - begin)
                    except Failed as e:
                        self.results.notes.append(f"- {t.name}: point in time: {e}")
                    finally:
                        run(["sh", "-c", '"$@" || :', "sh", *servers.as_postgres(
                            f"{self.db.bin}/pg_ctl", "-D", to, "-m", "immediate", "-w", "stop")])
                        shutil.rmtree(to, ignore_errors=True)
        finally:
            self.db.psql("alter system set archive_command = '/bin/true'")
            self.db.reload()
            for d in daemons:
                self.end(d)

    def write(self, data, port):
        """Into what has been recovered: as soon as it takes it."""
        with open(os.path.join(data, "postmaster.pid")) as f:
            host = f.read().splitlines()[4]
        end = time.monotonic() + 120
        while True:
            try:
                run(servers.as_postgres(f"{self.db.bin}/psql", "-X", "-q", "-h", host, "-p", port, "-U", "postgres", "-d",
                                        "postgres", "-c", "insert into mark values (2)"))
                return
            except Failed:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def end(self, daemon):
        daemon.terminate()
        daemon.wait(30)
        self.db.running = [r for r in self.db.running if r[1] is not daemon]

    def growth(self):
        """What a full backup and seven incrementals under load come to."""
        tools = [self.anew(t) for t in self.tools if hasattr(t, "incremental")]
        self.step("growth, the full one", lambda t: t.full(), tools)
        load = self.db.load("-n", "-c", "2", "-T", "100000", "--rate", "300")
        try:
            for _ in range(7):
                time.sleep(10 * min(1, SCALE))
                self.db.psql("checkpoint")
                self.step("growth, an incremental", lambda t: t.incremental(), tools)
        finally:
            self.end(load)
        for t in tools:
            self.results.add("full and 7 incrementals, MiB", t.name, t.stored()[0] / 2 ** 20)


def database(db, settings):
    """As in the head: started with settings, filled; its MiB."""
    db.down()
    db.conf(fsync="on", shared_buffers="256MB", max_wal_size="4GB", wal_keep_size="2GB", archive_mode="on",
            archive_command="/bin/true", checkpoint_timeout="30min", **settings)
    db.up()
    say("bench: making the database")
    db.pgbench("-q", "-i", "-s", str(max(1, int(80 * SCALE))))
    db.psql("create table digests as select g, md5(g::text) || md5((g + 1)::text) || md5((g * 7)::text) as d "
            f"from generate_series(1, {int(3000000 * SCALE)}) g")
    db.psql("vacuum analyze")
    db.psql("checkpoint")
    return int(db.psql("select sum(pg_database_size(oid))::bigint >> 20 from pg_database"))


class PgBaseBackup17(PgBaseBackup):
    """The server's own incremental backups: the client gets what changed, nobody merges it."""

    def take(self, name, *more):
        to = os.path.join(self.repo, name)
        sample = run(servers.as_postgres(f"{self.db.bin}/pg_basebackup", "-D", to, "-h", self.db.folder, "-p",
                                         self.db.port, "-U", "postgres", "-c", "fast", "-Xnone", *more))
        self.manifest = os.path.join(to, "backup_manifest")
        return sample

    def full(self):
        self.count = 0
        return self.take("full")

    def incremental(self):
        self.count += 1
        return self.take(f"incremental{self.count}", f"--incremental={self.manifest}")


def seventeen(results, work):
    """PostgreSQL 17's own increments beside ours on the same database."""
    if servers.missing(17):
        say("bench: PostgreSQL 17 is left out: tools/install-postgresql brings it")
        return
    with servers.Pg(version=17) as db:
        database(db, {"summarize_wal": "on"})
        bench = Bench(db, [], work)
        bench.results = results
        bench.tools = [Holdfast(db, os.path.join(work, "holdfast-17")), PgBaseBackup17(db, os.path.join(work, "own-17"))]
        bench.step("17: full backup", lambda t: t.full())
        for _ in range(RUNS):
            bench.grown("17: incremental, nothing changed", lambda t: t.incremental())
        for _ in range(RUNS):
            bench.hot_updates(20 if SCALE >= 1 else 5)
            db.psql("checkpoint")
            bench.grown("17: incremental, hot 2 % of rows updated", lambda t: t.incremental())


def main():
    wanted = (os.environ.get("TOOLS") or "").replace(",", " ").split()
    kinds = [k for k in KINDS if not wanted or k.name in wanted]
    for k in kinds:
        if k.missing():
            say(f"bench: {k.name} is left out: {k.missing()}")
    kinds = [k for k in kinds if not k.missing()]
    bench_dir = os.path.abspath(os.environ.get("BENCH_DIR") or os.path.join(ROOT, "build/bench"))
    os.makedirs(bench_dir, exist_ok=True)
    work = os.path.join("/tmp", f"holdfast-bench-{os.getpid()}")
    os.makedirs(work, mode=0o755)
    try:
        with servers.Pg(version=15) as db:
            megabytes = database(db, {})
            bench = Bench(db, kinds, work)
            bench.results.notes.append(f"- database: {megabytes} MiB; medians of {RUNS}; {time.strftime('%Y-%m-%d')}")
            try:
                bench.measure()
                if "seventeen" in PARTS:
                    seventeen(bench.results, work)
            finally:
                table = bench.results.table([k.name for k in kinds])
                print(table)
                with open(os.path.join(bench_dir, "postgresql.md"), "w") as f:
                    f.write(table + "\n")
                with open(os.path.join(bench_dir, "postgresql.json"), "w") as f:
                    json.dump(bench.results.rows, f, indent=1)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
