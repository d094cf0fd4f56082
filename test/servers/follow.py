"""A PostgreSQL server whose log a receiver stores, and what happens to them."""
import contextlib
import ctypes
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

from conftest import Holdfast, need
from pg import Pg, folder, missing

SEGMENT = 1 << 20  # small ones: more of them in the same time
AT_FDCWD, RENAME_EXCHANGE = -100, 2


class Follow:
    """A server, a repository, and a system `orders` of both."""

    def __init__(self):
        self.base = folder("hfpgfollow")
        self.hf, self.pg = Holdfast(self.base), Pg(wal_segsize=1)
        self.main = f"{self.base}/main"
        self.hf.env["HOLDFAST_CONFIG"] = f"{self.base}/h.yaml"
        self.hf("-r", self.main, "init", "--new-key-file", f"{self.base}/main.key")
        self.receiver = self.daemon = self.sure = None
        self.others = ""

    def config(self, source=None, **receive):
        keys = ", ".join(f"{k}: {v}" for k, v in {"enabled": "yes", "every": "1s", **receive}.items())
        source = self.pg.source(receive="{" + keys + "}", **(source or {}))
        with open(f"{self.base}/h.yaml", "w", encoding="utf-8") as f:
            f.write(f"repositories:\n  main: {{url: {self.main}, key: \"file:{self.base}/main.key\"}}\n"
                    f"{self.others}tiers:\n  gold: {{strategy: continuous, destinations: "
                    f"[main{', second' if self.others else ''}]}}\n"
                    f"systems:\n  orders: {{tier: gold, sources: [{{postgresql: {source}}}]}}\n")

    def second(self):
        """A second destination, from now on."""
        self.hf("-r", f"{self.base}/second", "init", "--new-key-file", f"{self.base}/second.key")
        self.others = f"  second: {{url: {self.base}/second, key: \"file:{self.base}/second.key\"}}\n"

    def state(self):
        found = glob.glob(f"{self.base}/**/receivers/orders.postgresql.json", recursive=True)
        try:
            with open(found[0], encoding="utf-8") as f:
                return json.load(f)
        except (IndexError, FileNotFoundError):
            return {"state": "none", "durable": "0/0", "pid": 0}

    def start(self):
        self.log = open(f"{self.base}/follow.log", "ab")
        self.receiver = self.hf.start("--json", "log", "follow", "orders", stdout=self.log, stderr=self.log)

    def stop(self):
        self.receiver.send_signal(signal.SIGINT)
        assert self.receiver.wait(120) == 130
        self.log.close()

    def said(self):
        with open(f"{self.base}/follow.log", encoding="utf-8") as f:
            return f.read()

    def until(self, what, seconds=120):
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"{self.state()}\n{self.said() if self.receiver else ''}"
            time.sleep(0.05)

    def stored(self, lsn):
        """All before it is durable in the repository."""
        self.until(lambda: position(self.state()["durable"]) >= position(lsn))
        self.sure = position(lsn)

    def ranges(self, where="main"):
        """{timeline: [(start, end)]} of what the repository holds, from the names of its objects."""
        out = {}
        for path in glob.glob(f"{self.base}/{where}/logs/*/*/*"):
            m = re.fullmatch(r".*/logs/[0-9a-f]{32}/([0-9a-f]{8})/([0-9a-f]{16})-([0-9a-f]{16})\.[0-9a-f]{64}", path)
            if m:
                out.setdefault(int(m[1], 16), []).append((int(m[2], 16), int(m[3], 16)))
        return {t: sorted(v) for t, v in out.items()}

    def holes(self, timeline=1):
        """In what has to be there: what the server wrote since may be put in any order."""
        v, at, out = self.ranges()[timeline], None, []
        for start, end in v:
            if at is not None and start > at and (self.sure is None or at < self.sure):
                out.append((at, start))
            at = max(at or 0, end)
        return out

    def get(self, name, to):
        """From the repository; False: it is not there."""
        r = self.hf("log", "get", "--system", "orders", name, to, rc=None)
        assert r.rc in (0, 1), r
        return r.rc == 0

    def rest(self):
        """After a test, which may have failed in the midst of it: nothing runs, and all is in its place."""
        for p in (self.receiver, self.daemon):
            if p is not None and p.poll() is None:
                p.terminate()
                try:
                    p.wait(60)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
        if os.path.exists(f"{self.base}/away"):
            back(self)

    def end(self):
        for p in (self.receiver, self.daemon):
            if p is not None and p.poll() is None:
                p.kill()
                p.wait()
        shutil.rmtree(self.base)


def position(lsn):
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def segment(timeline, number):
    per = (1 << 32) // SEGMENT
    return f"{timeline:08X}{number // per:08X}{number % per:08X}"


def ended(pg, load):
    load.wait()
    pg.running = [r for r in pg.running if r[1] is not load]


class Client(threading.Thread):
    """Writes numbers, each a commit, and remembers those that were acknowledged."""

    def __init__(self, pg, first, pause=0):
        super().__init__()
        self.pause = pause
        self.acked, self.first, self.times = [], first, []
        self.psql = subprocess.Popen(
            [f"{pg.bin}/psql", "-X", "-q", "-At", "-h", pg.folder, "-p", str(pg.port), "-U", "postgres", "-d",
             "postgres"], env=pg.env, text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)

    def run(self):
        n = self.first
        try:
            while True:
                began = time.monotonic()
                self.psql.stdin.write(f"insert into acked values ({n}) returning n;\n")
                if self.psql.stdout.readline() != f"{n}\n":
                    break
                self.times.append(time.monotonic() - began)
                self.acked.append(n)
                n += 1
                if self.pause:
                    time.sleep(self.pause)
        except (BrokenPipeError, ValueError):
            pass
        self.psql.kill()
        self.psql.wait()


def exchange(a, b):
    """At one moment: a folder that is missing in between would be made anew by who puts something there."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(a), AT_FDCWD, os.fsencode(b), RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), f"exchange {a} and {b}")


def away(f):
    """Nothing can be put into the repository."""
    with open(f"{f.base}/away", "x", encoding="utf-8"):
        pass
    exchange(f"{f.base}/away", f"{f.main}/logs")


def back(f):
    exchange(f"{f.base}/away", f"{f.main}/logs")
    os.unlink(f"{f.base}/away")


@contextlib.contextmanager
def running():
    """One with its server, for a whole file of tests."""
    need(*missing())
    f = Follow()
    try:
        with f.pg:
            f.pg.conf(wal_keep_size=0, max_wal_size="4MB", min_wal_size="2MB")
            f.pg.down()
            f.pg.up()
            f.pg.pgbench("-i", "-q", "-s", "1")
            f.pg.psql("create table acked (n int primary key)")
            yield f
    finally:
        f.end()
