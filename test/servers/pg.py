"""pg: servers of PostgreSQL that are backed up, recovered and killed: each in a folder of its own in /tmp.

    with Pg(version=15) as pg:              # initdb, start; stopped and removed at the end
        pg.psql("select 1")                 # text
        pg.pgbench("-i", "-s", "1")
        pg.kill(); pg.start()
        other = pg.standby()                # by pg_basebackup, streaming; stopped with its primary
        pg.program()                        # our binary where user postgres may execute it

Servers run as user postgres (setpriv) where the test is root.  The folders are 0755 in /tmp, not pytest's.
"""
import glob
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Server, listens  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def bin_directory(version=None):
    """Where the programs of that version (None: the newest of Debian's) are, or None."""
    roots = [os.environ.get("HOLDFAST_TEST_PG", ""), "", f"{ROOT}/build/postgresql"]
    for root in filter(lambda r: r is not None, roots):
        found = glob.glob(f"{root}/usr/lib/postgresql/*/bin/postgres")
        found = [f for f in found if version is None or f.split("/")[-3] == str(version)]
        if found:
            return os.path.dirname(max(found, key=lambda p: int(p.split("/")[-3])))
    return None


def missing(version=None):
    """What is not there, for `need` or a counted skip."""
    gone = [] if bin_directory(version) else [f"postgres{version or ''}"]
    return gone + ([] if shutil.which("setpriv") else ["setpriv"])


def as_postgres(*argv):
    if os.geteuid() != 0:
        return [str(a) for a in argv]
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *(str(a) for a in argv)]


def free_port():
    """A port that is free, below those that the system gives to whoever connects."""
    while True:
        port = random.SystemRandom().randrange(20000, 32700)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def folder(prefix="hfpg"):
    """A new folder in /tmp that user postgres owns and everybody can enter."""
    path = tempfile.mkdtemp(dir="/tmp", prefix=prefix)
    os.chmod(path, 0o755)
    give(path)
    return path


def give(path):
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(path, user.pw_uid, user.pw_gid)


class Pg(Server):
    """A server; `with` initialises and starts it."""

    superuser = "postgres"

    def __init__(self, version=None, wal_segsize=None, checksums=True, conf="", hba="trust", data=None, auto=True,
                 superuser="postgres"):
        self.bin, self.superuser = bin_directory(version), superuser
        env = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PGTZ": "UTC"}
        super().__init__(folder(), env)
        self.port, self.extra, self.hba = free_port(), conf, hba
        self.wal_segsize, self.checksums = wal_segsize, checksums
        self.data = data or self.path("data")
        self.auto, self.others, self.process = auto, [], None

    def __enter__(self):
        if self.auto:
            self.initdb()
            self.up()
        return self

    def __exit__(self, *a):
        for o in self.others:
            o.__exit__(*a)
        if self.process is not None and self.process.poll() is None:
            self.down("immediate")
        super().__exit__(*a)

    # ---- Making and running it.

    def initdb(self, *more):
        argv = [f"{self.bin}/initdb", "-D", self.data, "-U", self.superuser, "-A", self.hba, "-N", "--no-instructions",
                "-E", "UTF8", "--locale=C.UTF-8", *more]
        if self.checksums:
            argv.append("--data-checksums")
        if self.wal_segsize:
            argv.append(f"--wal-segsize={self.wal_segsize}")
        self.run(*as_postgres(*argv))
        self.conf(fsync="off", shared_buffers="64MB", max_wal_size="1GB", wal_level="replica", max_wal_senders=10,
                  max_replication_slots=10, autovacuum_naptime="1s", log_timezone="UTC", timezone="UTC")
        return self

    def conf(self, **settings):
        """Settings for the next start (or reload)."""
        with open(os.path.join(self.data, "postgresql.conf"), "a") as f:
            for name, value in settings.items():
                f.write("%s = '%s'\n" % (name.replace("__", "."), str(value).replace("'", "''")))

    def up(self, wait=True, *more):
        """Start it, and wait until it answers: again where another server, just ended, still has what it needs."""
        for left in (2, 1, 0):
            self.process = self.start("postgres", *as_postgres(
                f"{self.bin}/postgres", "-D", self.data, "-p", self.port, "-h", "127.0.0.1", "-k", self.folder,
                *self.extra.split(), *more))
            try:
                if wait:
                    self.wait(self.answers, "postgres")
                return self
            except AssertionError as e:
                # The folder of one that was killed may have had this one's inode, and so the key of its memory.
                in_the_way = r"ended: \['postgres.*(could not create any TCP/IP|shared memory block .* still in use)"
                if left == 0 or not re.search(in_the_way, str(e), re.DOTALL):
                    raise
                time.sleep(2)

    def answers(self):
        return listens(self.port) and self.run(f"{self.bin}/pg_isready", "-q", "-h", self.folder, "-p", self.port,
                                               check=False) is not None

    def down(self, how="fast"):
        """smart, fast or immediate."""
        self.process.send_signal({"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[how])
        self.process.wait(120)
        self.running = [r for r in self.running if r[1] is not self.process]

    def kill(self):
        """kill -9, of the postmaster and all of its children: the machine's end, but for its disk."""
        pid = self.process.pid
        children = self.run("ps", "-o", "pid=", "--ppid", pid, check=False) or ""
        for p in [pid, *map(int, children.split())]:
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(120)
        self.running = [r for r in self.running if r[1] is not self.process]
        end = time.monotonic() + 120
        while (listens(self.port) or any(map(lives, children.split()))) and time.monotonic() < end:
            time.sleep(0.05)  # one that still has the shared memory would keep the next server from starting
        pid_file = os.path.join(self.data, "postmaster.pid")
        if os.path.exists(pid_file):
            os.unlink(pid_file)

    def lose_disk(self):
        """Once it is down: programs that it had started may still be at work in its folder, and remove what they made."""
        end = time.monotonic() + 60
        while os.path.exists(self.data):
            shutil.rmtree(self.data, ignore_errors=time.monotonic() < end)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    # ---- Talking to it.

    def psql(self, sql, database="postgres", check=True, user=None):
        """Its answer as unaligned text; None where it fails and check is False."""
        p = subprocess.run([f"{self.bin}/psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p",
                            str(self.port), "-U", user or self.superuser, "-d", database, "-c", sql], env=self.env, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
        assert not check or p.returncode == 0, f"{sql}: {p.stderr[-2000:]}"
        return p.stdout.strip() if p.returncode == 0 else None

    def pgbench(self, *argv, database="postgres"):
        return self.run(*self.bench_argv(*argv, database=database))

    def load(self, *argv, database="postgres"):
        """pgbench in the background: a Popen; ended with the server."""
        return self.start("pgbench", *self.bench_argv(*argv, database=database))

    def bench_argv(self, *argv, database="postgres"):
        return [f"{self.bin}/pgbench", "-h", self.folder, "-p", self.port, "-U", self.superuser, *argv, database]

    def lsn(self):
        return self.psql("select pg_current_wal_lsn()")

    def source(self, **more):
        """What a system's `postgresql:` says of it, as flow YAML."""
        keys = {"host": self.folder, "port": self.port, "user": self.superuser, "bin_directory": self.bin, **more}
        return "{" + ", ".join(f"{k}: {v}" for k, v in keys.items()) + "}"

    # ---- Others beside it.

    def standby(self, **settings):
        """A streaming standby, by pg_basebackup."""
        other = Pg(version=int(self.bin.split("/")[-2]), auto=False, superuser=self.superuser)
        self.run(*as_postgres(f"{self.bin}/pg_basebackup", "-D", other.data, "-h", self.folder, "-p", self.port, "-U",
                              self.superuser, "-R", "-X", "stream", "-c", "fast"))
        other.conf(**settings)
        other.up()
        self.others.append(other)
        return other

    def caught_up(self, standby, seconds=120):
        """Wait until the standby has replayed what is written now."""
        lsn = self.lsn()
        self.wait(lambda: standby.psql(f"select pg_last_wal_replay_lsn() >= '{lsn}'") == "t", "standby", seconds)

    def program(self, binary=None):
        """A copy of our program that user postgres may execute."""
        binary = binary or os.environ.get("HOLDFAST_BIN", os.path.join(ROOT, "build/release/src/holdfast"))
        to = self.path("holdfast")
        if not os.path.exists(to):
            shutil.copyfile(binary, to)
            os.chmod(to, 0o755)
        return to
