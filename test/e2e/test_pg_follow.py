"""The receiver of PostgreSQL's log: no commit that was acknowledged is lost, no gap is hidden, whoever is killed."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from conftest import ROOT, Holdfast, need, trials

sys.path.insert(0, f"{ROOT}/test/servers")
from pg import Pg, as_postgres, folder, give, missing  # noqa: E402

SEGMENT = 1 << 20  # small ones: more of them in the same time


class Follow:
    """A server, a repository, and a system `orders` of both."""

    def __init__(self):
        self.base = folder("hfpgfollow")
        self.hf, self.pg = Holdfast(self.base), Pg(wal_segsize=1)
        self.main = f"{self.base}/main"
        self.hf.env["HOLDFAST_CONFIG"] = f"{self.base}/h.yaml"
        self.hf("-r", self.main, "init", "--new-key-file", f"{self.base}/main.key")
        self.receiver = self.daemon = None
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
        assert self.receiver.wait(20) == 130
        self.log.close()

    def said(self):
        with open(f"{self.base}/follow.log", encoding="utf-8") as f:
            return f.read()

    def until(self, what, seconds=30):
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"{self.state()}\n{self.said() if self.receiver else ''}"
            time.sleep(0.05)

    def stored(self, lsn):
        """All before it is durable in the repository."""
        self.until(lambda: position(self.state()["durable"]) >= position(lsn))

    def ranges(self, where="main"):
        """{timeline: [(start, end)]} of what the repository holds, from the names of its objects."""
        out = {}
        for path in glob.glob(f"{self.base}/{where}/logs/*/*/*"):
            m = re.fullmatch(r".*/logs/[0-9a-f]{32}/([0-9a-f]{8})/([0-9a-f]{16})-([0-9a-f]{16})\.[0-9a-f]{64}", path)
            if m:
                out.setdefault(int(m[1], 16), []).append((int(m[2], 16), int(m[3], 16)))
        return {t: sorted(v) for t, v in out.items()}

    def holes(self, timeline=1):
        v, at, out = self.ranges()[timeline], None, []
        for start, end in v:
            if at is not None and start > at:
                out.append((at, start))
            at = max(at or 0, end)
        return out

    def get(self, name, to):
        """From the repository; False: it is not there."""
        r = self.hf("log", "get", "--system", "orders", name, to, rc=None)
        assert r.rc in (0, 1), r
        return r.rc == 0


def position(lsn):
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def segment(timeline, number):
    per = (1 << 32) // SEGMENT
    return f"{timeline:08X}{number // per:08X}{number % per:08X}"


@pytest.fixture(scope="module")
def follow():
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
        for p in (f.receiver, f.daemon):
            if p is not None and p.poll() is None:
                p.kill()
                p.wait()
        shutil.rmtree(f.base)


def test_what_streams_is_whole_whoever_is_killed_and_the_repository_away_for_a_while(follow, rng):
    """Under load: kill -9 of the receiver, and its repository is moved away; then all of it is there."""
    f = follow
    f.second()
    f.config()
    with open(f"{f.base}/serve.log", "ab") as log:
        f.daemon = f.hf.start("serve", stdout=subprocess.DEVNULL, stderr=log)
    f.until(lambda: f.state()["state"] == "streaming")
    load = f.pg.load("-c", "2", "-T", "60", "-N", "-n", "-R", "300")
    for _ in range(trials(20)):
        time.sleep(rng.random())
        pid = f.state()["pid"]
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        f.until(lambda: f.state()["pid"] != pid and f.state()["state"] == "streaming")
    away(f)
    f.until(lambda: f.state()["state"] == "spooling")
    before = position(f.state()["received"])
    f.until(lambda: position(f.state()["received"]) > before + SEGMENT)  # it goes on, into the spool
    back(f)
    load.kill()
    ended(f.pg, load)
    lsn = f.pg.lsn()
    f.stored(lsn)
    with open(f"{f.base}/serve.log", encoding="utf-8") as log:
        assert "log.gap" not in log.read()
    assert f.holes() == []
    # The second destination has all whole segments since the receiver was begun last; before that a backup may have
    # brought some to the first alone.
    with open(f"{f.base}/serve.log", encoding="utf-8") as log:
        since = position(re.findall(r"WAL is received from ([0-9A-F/]+) ", log.read())[-1])
    whole = [r for r in f.ranges()[1] if r[1] - r[0] == SEGMENT and r[0] >= since]
    assert whole
    f.until(lambda: set(whole) <= set(f.ranges("second").get(1, [])))
    r = f.hf("--json", "status").summary["systems"][0]
    assert (r["receiver"], r["log_gaps"], r["rpo_age"] < 30) == ("streaming", 0, True), r
    f.daemon.send_signal(signal.SIGTERM)
    assert f.daemon.wait(30) == 0
    f.others = ""
    # Bytes are the server's.
    names = [n for n in os.listdir(f"{f.pg.data}/pg_wal") if re.fullmatch("[0-9A-F]{24}", n)]
    some = sorted(n for n in names if int(n[16:], 16) < position(lsn) // SEGMENT)
    assert some
    for n in some:
        assert f.get(n, f"{f.base}/got")
        with open(f"{f.base}/got", "rb") as a, open(f"{f.pg.data}/pg_wal/{n}", "rb") as b:
            assert a.read() == b.read(), n


def test_commits_are_not_left_waiting_in_silence(follow):
    """Pausing what commits wait for is refused; taking it away is told, with what to type."""
    f = follow
    f.config(synchronous="yes")
    with open(f"{f.base}/h.yaml", encoding="utf-8") as c:
        good = c.read()

    def write(text):
        with open(f"{f.base}/h.yaml", "w", encoding="utf-8") as c:
            c.write(text)

    def logged():
        with open(f"{f.base}/silent.log", encoding="utf-8") as log:
            return log.read()

    with open(f"{f.base}/silent.log", "ab") as log:
        f.daemon = f.hf.start("serve", stdout=subprocess.DEVNULL, stderr=log)
    f.until(lambda: f.state()["state"] == "streaming" and os.path.exists(f"/proc/{f.state()['pid']}"))
    pid = f.state()["pid"]
    write(good.replace("tier: gold, sources", "tier: gold, paused: yes, sources"))
    assert "commits wait for that" in f.hf("config", "check", rc=None).err
    f.daemon.send_signal(signal.SIGHUP)
    f.until(lambda: "config.refused" in logged())
    assert os.path.exists(f"/proc/{pid}") and "log.stopped" not in logged()
    write(good.replace("synchronous: yes", "synchronous: no"))
    f.daemon.send_signal(signal.SIGHUP)
    f.until(lambda: "log.stopped" in logged())
    assert "commits hang" in logged() and "synchronous_standby_names = ''" in logged()
    f.daemon.send_signal(signal.SIGTERM)
    assert f.daemon.wait(30) == 0


def ended(pg, load):
    load.wait()
    pg.running = [r for r in pg.running if r[1] is not load]


class Client(threading.Thread):
    """Writes numbers, each a commit, and remembers those that were acknowledged."""

    def __init__(self, pg, first):
        super().__init__()
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
        except (BrokenPipeError, ValueError):
            pass
        self.psql.kill()
        self.psql.wait()


def recover(f, first, timelines):
    """The base, and after it all that is in the repository, on the newest timeline."""
    pg = f.pg
    shutil.copytree(f"{f.base}/copy", pg.data, symlinks=True)
    wal = f"{pg.data}/pg_wal"
    for t in range(1, timelines + 1):
        if t > 1:
            assert f.get(f"{t:08X}.history", f"{wal}/{t:08X}.history"), t
        number = first if t == 1 else min(s for s, e in f.ranges()[t]) // SEGMENT
        while f.get(segment(t, number), f"{wal}/{segment(t, number)}"):
            number += 1
    with open(f"{pg.data}/recovery.signal", "w", encoding="utf-8"):
        pass
    with open(f"{pg.data}/postgresql.auto.conf", "w", encoding="utf-8") as c:
        c.write("restore_command = 'false'\nsynchronous_standby_names = ''\n")
    for top, dirs, files in os.walk(pg.data):
        for name in dirs + files:
            give(os.path.join(top, name))
    give(pg.data)
    pg.up()
    pg.wait(lambda: pg.psql("select pg_is_in_recovery()", check=False) == "f", "promotion")


def blow(f, rng, first, receiver_too):
    """Load, then the server's end and that of its disk; what was acknowledged."""
    f.start()
    f.until(lambda: f.state()["state"] == "streaming" and f.state()["pid"] == f.receiver.pid)
    if f.synchronous:
        f.pg.psql("alter system set synchronous_standby_names = 'holdfast'")
        f.pg.reload()
        f.until(lambda: f.pg.psql("select count(*) from pg_stat_replication where sync_state = 'sync'") == "1")
    load = f.pg.load("-c", "2", "-T", "60", "-N", "-n")
    client = Client(f.pg, first)
    client.start()
    time.sleep(0.3 + rng.random() * 0.7)
    if receiver_too:  # before the server's end: what it had not put yet is nowhere
        f.receiver.kill()
    f.pg.kill()
    shutil.rmtree(f.pg.data)
    if receiver_too:
        f.receiver.wait()
    client.join(30)
    ended(f.pg, load)
    if not receiver_too:
        f.stop()
    assert client.acked
    return client


def lose(f, rng, n):
    """n times: (acknowledged, lost of them) and how long a commit took."""
    out, times, first = [], [], 0
    f.start()
    f.until(lambda: f.state()["state"] == "streaming")
    f.pg.run(*as_postgres(f"{f.pg.bin}/pg_basebackup", "-D", f"{f.base}/copy", "-h", f.pg.folder, "-p", f.pg.port,
                          "-U", "postgres", "-X", "none", "-c", "fast"))
    with open(f"{f.base}/copy/backup_label", encoding="utf-8") as label:
        text = label.read()
    begin = position(re.search("START WAL LOCATION: ([0-9A-F/]+)", text)[1]) // SEGMENT
    timeline = int(re.search(r"START TIMELINE: (\d+)", text)[1])
    assert timeline == 1
    f.stored(f.pg.lsn())
    f.stop()
    for i in range(n):
        client = blow(f, rng, first, receiver_too=i % 3 != 2)
        recover(f, begin, i + 1)
        there = {int(x) for x in f.pg.psql("select n from acked").split()}
        lost = [x for x in client.acked if x not in there]
        assert lost == client.acked[len(client.acked) - len(lost):], "what is lost is not the end"
        out.append((len(client.acked), len(lost)))
        times += client.times
        first = client.acked[-1] + 1000
    return out, sorted(times)


@pytest.mark.parametrize("synchronous", [True, False])
def test_the_server_and_its_disk_are_lost(rng, synchronous):
    """Synchronous: no acknowledged commit is.  Asynchronous: the loss is measured, and is the end of what was."""
    need(*missing())
    f = Follow()
    f.synchronous = synchronous
    try:
        with f.pg:
            f.pg.pgbench("-i", "-q", "-s", "1")
            f.pg.psql("create table acked (n int primary key)")
            f.config(**({"synchronous": "yes", "synchronous_wait": "30s"} if synchronous else {}))
            result, times = lose(f, rng, trials(20))
    finally:
        if f.receiver is not None and f.receiver.poll() is None:
            f.receiver.kill()
            f.receiver.wait()
        shutil.rmtree(f.base)
    took = f"median {1000 * times[len(times) // 2]:.1f} ms, 99 % {1000 * times[len(times) * 99 // 100]:.1f} ms"
    print(f"synchronous={synchronous}: (acknowledged, lost) {result}; a commit took {took}")
    if synchronous:
        assert all(lost == 0 for _, lost in result), result


def test_a_slot_that_is_gone_leaves_a_gap_that_is_told_and_a_new_base(follow):
    f = follow
    f.config()
    f.pg.psql("select pg_drop_replication_slot('holdfast')")
    for _ in range(6):
        f.pg.psql("create table if not exists fill (t text); insert into fill select repeat('x', 1000) "
                  "from generate_series(1, 1500); select pg_switch_wal(); checkpoint")
    f.start()
    f.until(lambda: "log.gap" in f.said())
    f.stored(f.pg.lsn())
    assert f.state()["gaps"] == 1 and len(f.holes()) == 1
    f.stop()
    start, end = (position(f.state()[k]) for k in ("gap_start", "gap_end"))
    assert [(start, end)] == f.holes()
    told = next(json.loads(x) for x in f.said().splitlines() if "log.gap" in x)
    assert told["severity"] == "critical" and "base backup" in told["text"]
    waits = f.hf("--json", "jobs").out
    assert '"kind":"backup"' in waits, waits


def away(f):
    """Nothing can be put into the repository."""
    os.rename(f"{f.main}/logs", f"{f.base}/away")
    with open(f"{f.main}/logs", "w", encoding="utf-8"):
        pass


def back(f):
    os.unlink(f"{f.main}/logs")
    os.rename(f"{f.base}/away", f"{f.main}/logs")


def test_synchronous_commits_wait_no_longer_than_was_said(follow):
    """The repository is away: then what is synced here is confirmed, which is told, until it is back."""
    f = follow
    f.config(synchronous="yes", synchronous_wait="2s")
    f.start()
    f.until(lambda: f.state()["state"] == "streaming" and f.state()["pid"] == f.receiver.pid)
    f.pg.psql("alter system set synchronous_standby_names = 'holdfast'")
    f.pg.reload()
    try:
        f.until(lambda: f.pg.psql("select count(*) from pg_stat_replication where sync_state = 'sync'") == "1")
        f.pg.psql("insert into acked values (-1)")
        away(f)
        began = time.monotonic()
        f.pg.psql("insert into acked values (-2)")
        assert 1.5 < time.monotonic() - began < 10
        assert f.state()["spool_acks"] or "log.spool_acks" in f.said()
        began = time.monotonic()
        f.pg.psql("insert into acked values (-3)")
        assert time.monotonic() - began < 1.5
        back(f)
        f.stored(f.pg.lsn())
        f.until(lambda: "log.caught_up" in f.said() and not f.state()["spool_acks"])
    finally:
        f.pg.psql("alter system reset synchronous_standby_names")
        f.pg.reload()
    f.stop()


def findings(f):
    return [(x["message"], x["fix"]) for x in f.hf("--json", "doctor", rc=None).json("item")
            if x["check"] == "postgresql" and not x["good"] and "ynchronous" in x["message"]]


def test_what_is_promised_of_commits_is_asked_of_the_server(follow):
    """Synchronous is only said where each commit waits for us: else doctor, receiver and status tell what to type."""
    f = follow
    f.config(synchronous="yes", synchronous_wait="30s")
    f.start()
    try:
        f.until(lambda: f.state()["pid"] == f.receiver.pid and "log.sync_missing" in f.said())
        told = next(json.loads(x) for x in f.said().splitlines() if "log.sync_missing" in x)
        assert told["severity"] == "critical"
        assert "alter system set synchronous_standby_names = 'holdfast'; select pg_reload_conf()" in told["text"]
        (found,) = findings(f)
        assert "is empty" in found[0] and found[1] in told["text"]
        r = f.hf("--json", "status").summary["systems"][0]
        assert (r["log_synchronous"], r["log_synchronous_promised"]) == (False, True), r
        assert "promised, not had" in f.hf("status").out
        for sql in found[1].split(";"):
            f.pg.psql(sql)
        f.until(lambda: f.state()["sync_had"] and "log.sync_had" in f.said())
        assert findings(f) == []
        assert f.hf("--json", "status").summary["systems"][0]["log_synchronous"] is True
        # Whoever need not wait is found, and so is who can stand for us.
        f.pg.psql("create role hasty; alter role hasty set synchronous_commit = off")
        ((message, fix),) = findings(f)
        assert "role hasty" in message and fix == 'alter role "hasty" reset synchronous_commit'
        f.pg.psql(fix)
        f.pg.psql("alter system set synchronous_standby_names = 'holdfast, other'")
        f.pg.reload()
        f.pg.wait(lambda: findings(f) != [], "setting")
        ((message, fix),) = findings(f)
        assert "others can stand for it" in message and "FIRST 2 (holdfast, other)" in fix
    finally:
        f.pg.psql("alter system reset synchronous_standby_names")
        f.pg.reload()
    f.stop()


def test_a_full_spool_leaves_the_rest_to_the_server_and_loses_nothing(follow):
    f = follow
    f.config(source={"spool_limit": "32MiB"})
    f.start()
    f.until(lambda: f.state()["state"] == "streaming" and f.state()["pid"] == f.receiver.pid)
    f.stored(f.pg.lsn())
    before = f.holes()
    away(f)
    for _ in range(3):
        f.pg.psql("create table if not exists fill (t text); insert into fill select repeat(md5(g::text), 30) "
                  "from generate_series(1, 14000) g")
    f.until(lambda: f.state()["state"] == "held")
    assert f.state()["spool_bytes"] < 34 << 20
    assert position(f.state()["received"]) < position(f.pg.lsn())
    assert "log.spool_full" in f.said()
    # Who is begun with it says how old it is; and what is missing of it the server still has.
    f.stop()
    f.start()
    f.until(lambda: f.state()["pid"] == f.receiver.pid and f.state()["state"] == "held")
    assert f.state()["lag_ns"] > 500e6
    f.stop()
    spool = next(iter(glob.glob(f"{f.base}/**/spool/orders.postgresql", recursive=True)))
    for name in sorted(x for x in os.listdir(spool) if re.fullmatch("[0-9A-F]{8}-[0-9A-F]{16}", x))[:3]:
        os.unlink(f"{spool}/{name}")
    back(f)
    gaps = f.said().count("log.gap")
    f.start()
    f.until(lambda: f.state()["pid"] == f.receiver.pid)
    f.stored(f.pg.lsn())
    assert f.holes() == before and f.said().count("log.gap") == gaps
    f.stop()


def test_a_gap_is_healed_by_the_archive_or_followed_by_a_new_base(follow):
    """A running receiver whose slot and WAL are gone: what archive_command brought closes the gap; else a base is made."""
    f = follow
    f.config()
    archive = f"{f.base}/archive"
    os.mkdir(archive)
    give(archive)
    f.pg.conf(archive_mode="on", archive_command=f"cp %p {archive}/%f")
    f.pg.down()
    f.pg.up()

    def logged():
        with open(f"{f.base}/heal.log", encoding="utf-8") as log:
            return log.read()

    def bases():
        return len(f.hf("-r", "main", "--json", "snapshots").json("item"))

    def push():
        for name in sorted(os.listdir(archive)):
            f.hf("log", "push", "--system", "orders", f"{archive}/{name}")

    def lose_wal(heal):
        """Behind the back of a receiver that sees nothing."""
        pid = f.state()["pid"]
        os.kill(pid, signal.SIGSTOP)
        f.pg.psql("select pg_terminate_backend(active_pid) from pg_replication_slots")
        f.pg.wait(lambda: f.pg.psql("select active from pg_replication_slots") == "f", "slot")
        f.pg.psql("select pg_drop_replication_slot('holdfast')")
        for _ in range(3):
            f.pg.psql("create table if not exists fill (t text); insert into fill select repeat('y', 1000) "
                      "from generate_series(1, 1200); select pg_switch_wal(); checkpoint")
        f.pg.wait(lambda: f.pg.psql("select last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1048576) "
                                    "from pg_stat_archiver") == "t", "archiver")
        f.pg.psql("checkpoint")
        if heal:
            push()
        os.kill(pid, signal.SIGCONT)

    before = f.holes() if glob.glob(f"{f.main}/logs/*") else []
    with open(f"{f.base}/heal.log", "ab") as log:
        f.daemon = f.hf.start("serve", stdout=subprocess.DEVNULL, stderr=log)
    f.until(lambda: f.state()["state"] == "streaming" and os.path.exists(f"/proc/{f.state()['pid']}"))
    f.until(lambda: bases() > 0)
    f.stored(f.pg.lsn())
    lose_wal(heal=True)
    f.until(lambda: "log.healed" in logged())
    f.stored(f.pg.lsn())
    assert f.holes() == before and f.state()["gaps"] == 0 and "log.gap" not in logged()
    had = bases()
    lose_wal(heal=False)
    f.until(lambda: "log.gap" in logged())
    f.until(lambda: bases() > had, 60)
    f.stored(f.pg.lsn())
    assert len(f.holes()) == len(before) + 1
    listed = f.hf("--json", "log", "list", "orders").json("item")
    assert [o["gap"] for o in listed if o["kind"] == "range"].count("gap") == len(before) + 1, listed
    assert f.hf("--json", "status").summary["systems"][0]["log_gaps"] == 1
    push()  # late is better than never
    assert f.holes() == before
    f.daemon.send_signal(signal.SIGTERM)
    assert f.daemon.wait(30) == 0


def put_back(f, copy, sql):
    """The server is what it was when it was copied, and goes on in another way."""
    f.pg.down()
    shutil.rmtree(f.pg.data)
    subprocess.run(["cp", "-a", copy, f.pg.data], check=True)
    f.pg.up()
    f.pg.psql(sql)


def test_a_server_that_was_put_back_is_noticed_before_anything_is_confirmed(follow):
    """Behind what was received, or beyond it, or while the receiver runs: its log is not mixed with what is stored."""
    f = follow
    f.config()
    copy = f"{f.base}/image"
    f.start()
    f.until(lambda: f.state()["state"] == "streaming" and f.state()["pid"] == f.receiver.pid)
    f.stored(f.pg.lsn())
    f.stop()
    f.pg.down()
    subprocess.run(["cp", "-a", f.pg.data, copy], check=True)
    f.pg.up()
    f.pg.psql("create table first_way (t text); insert into first_way select md5(g::text) from generate_series(1, 3000) g")
    f.start()
    f.until(lambda: f.state()["state"] == "streaming" and f.state()["pid"] == f.receiver.pid)
    f.stored(f.pg.lsn())
    put_back(f, copy, "create table other ()")  # less than what is stored
    f.until(lambda: f.state()["state"] == "diverged")
    (told,) = [json.loads(x) for x in f.said().splitlines() if "log.diverged" in x]
    assert told["severity"] == "critical" and "part: NAME" in told["text"], told
    assert f.hf("--json", "status").summary["systems"][0]["receiver"] == "diverged"
    before, pid = f.ranges(), f.state()["pid"]
    time.sleep(1)
    assert f.ranges() == before and f.state()["pid"] == pid
    assert f.pg.psql("select active from pg_replication_slots") == "f"
    f.stop()
    f.pg.psql("create table more (t text); insert into more select md5((-g)::text) from generate_series(1, 40000) g")
    for spool in (True, False):  # more than what is stored
        if not spool:
            shutil.rmtree(next(iter(glob.glob(f"{f.base}/**/spool/orders.postgresql", recursive=True))))
        f.start()
        f.until(lambda: f.state()["pid"] == f.receiver.pid and f.state()["state"] == "diverged")
        f.stop()
        assert f.ranges() == before


def test_commits_of_a_new_timeline_wait_though_the_old_one_reaches_further():
    """A standby 5 MiB behind is promoted: what is stored beyond the fork is not its, and acknowledges nothing."""
    need(*missing())
    f = Follow()
    try:
        with f.pg:
            f.config()
            f.pg.psql("create table acked (n int primary key)")
            behind = f.pg.standby()
            f.pg.caught_up(behind)
            behind.down()
            fork = position(f.pg.lsn())
            f.pg.psql("create table ahead as select md5(g::text) from generate_series(1, 90000) g")
            f.start()
            f.stored(f.pg.lsn())
            f.stop()
            assert position(f.state()["durable"]) > fork + 5 * SEGMENT
            f.pg.kill()
            old, f.pg = f.pg, behind
            behind.up()
            behind.psql("select pg_promote()")
            behind.psql("alter system set synchronous_standby_names = 'holdfast'")
            behind.reload()
            f.config(synchronous="yes")
            (held,) = glob.glob(f"{f.main}/logs/*/*/00000001") + glob.glob(f"{f.main}/logs/*/00000001")
            held = held[:-1] + "2"
            with open(held, "w", encoding="utf-8"):  # where the new one's log is to be
                pass
            f.start()
            f.until(lambda: f.state()["pid"] == f.receiver.pid and f.state()["state"] == "spooling")
            commit = subprocess.Popen([f"{behind.bin}/psql", "-X", "-q", "-h", behind.folder, "-p", str(behind.port), "-U",
                                       "postgres", "-c", "insert into acked values (1)", "postgres"], env=behind.env)
            time.sleep(1.5)
            assert commit.poll() is None, "acknowledged, and stored nowhere"
            assert f.state()["timeline"] == 1 and position(f.state()["received"]) < fork + 2 * SEGMENT
            os.unlink(held)
            assert commit.wait(30) == 0
            assert max(end for _, end in f.ranges()[2]) >= fork and f.holes(2) == []
            behind.psql("alter system reset synchronous_standby_names")
            f.stop()
            f.pg = old
    finally:
        if f.receiver is not None and f.receiver.poll() is None:
            f.receiver.kill()
            f.receiver.wait()
        shutil.rmtree(f.base)
