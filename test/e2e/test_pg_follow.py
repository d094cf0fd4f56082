"""The receiver of PostgreSQL's log: no commit that was acknowledged is lost, whoever is killed."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from conftest import ROOT, need, trials

sys.path.insert(0, f"{ROOT}/test/servers")
from follow import SEGMENT, Client, Follow, away, back, ended, position, running, segment  # noqa: E402
from pg import as_postgres, give, missing  # noqa: E402


@pytest.fixture(scope="module")
def follow():
    with running() as f:
        yield f


@pytest.fixture(autouse=True)
def nothing_is_left(follow):
    """What one test failed in is not met by the next."""
    yield
    follow.rest()


def test_what_streams_is_whole_whoever_is_killed_and_the_repository_away_for_a_while(follow, rng):
    """Under load: kill -9 of the receiver, and its repository is moved away; then all of it is there."""
    f = follow
    f.second()
    f.config()
    with open(f"{f.base}/serve.log", "ab") as log:
        f.daemon = f.hf.start("serve", stdout=subprocess.DEVNULL, stderr=log)
    f.until(lambda: f.state()["state"] == "streaming")
    load = f.pg.load("-c", "2", "-T", "600", "-N", "-n", "-R", "300")
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
    assert (r["receiver"], r["log_gaps"], r["rpo_age"] < 120) == ("streaming", 0, True), r
    f.daemon.send_signal(signal.SIGTERM)
    assert f.daemon.wait(120) == 0
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
    assert f.daemon.wait(120) == 0


def fetched(f, name, to):
    """A receiver that was killed may have stored a segment, and not yet the one before it: that is the log's end."""
    r = f.hf("log", "get", "--system", "orders", name, to, rc=None)
    assert r.rc in (0, 1) or (r.rc == 126 and not f.synchronous and "has a gap" in r.err), r
    return r.rc == 0


def recover(f, first, timelines):
    """The base, and after it all that is in the repository, on the newest timeline."""
    pg = f.pg
    shutil.copytree(f"{f.base}/copy", pg.data, symlinks=True)
    wal = f"{pg.data}/pg_wal"
    for t in range(1, timelines + 1):
        if t > 1:
            assert f.get(f"{t:08X}.history", f"{wal}/{t:08X}.history"), t
        number = first if t == 1 else min(s for s, e in f.ranges()[t]) // SEGMENT
        while fetched(f, segment(t, number), f"{wal}/{segment(t, number)}"):
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
    f.until(lambda: client.acked)
    time.sleep(0.3 + rng.random() * 0.7)
    if receiver_too:  # before the server's end: what it had not put yet is nowhere
        f.receiver.kill()
    f.pg.kill()
    f.pg.lose_disk()
    if receiver_too:
        f.receiver.wait()
    client.join(120)
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


@pytest.mark.parametrize("synchronous", [True, pytest.param(False, marks=pytest.mark.soak)])
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
        f.end()
    took = f"median {1000 * times[len(times) // 2]:.1f} ms, 99 % {1000 * times[len(times) * 99 // 100]:.1f} ms"
    print(f"synchronous={synchronous}: (acknowledged, lost) {result}; a commit took {took}")
    if synchronous:
        assert all(lost == 0 for _, lost in result), result


def test_synchronous_commits_wait_no_longer_than_was_said(follow):
    """The repository is away: then what is synced here is confirmed, which is told, until it is back."""
    f = follow
    f.config(synchronous="yes", synchronous_wait="3s")
    f.start()
    f.until(lambda: f.state()["state"] == "streaming" and f.state()["pid"] == f.receiver.pid)
    f.pg.psql("alter system set synchronous_standby_names = 'holdfast'")
    f.pg.reload()
    try:
        f.until(lambda: f.pg.psql("select count(*) from pg_stat_replication where sync_state = 'sync'") == "1")
        f.pg.psql("insert into acked values (-1)")
        f.stored(f.pg.lsn())  # else what waits since long ends the wait
        f.until(lambda: not f.state()["spool_acks"])
        away(f)
        f.pg.psql("insert into acked values (-2)")
        f.until(lambda: f.state()["spool_acks"])
        assert "log.spool_acks" in f.said()
        for n in range(3, 8):
            f.pg.psql(f"insert into acked values (-{n})")
        assert f.state()["spool_acks"]
        back(f)
        f.stored(f.pg.lsn())
        f.until(lambda: "log.caught_up" in f.said() and not f.state()["spool_acks"])
    finally:
        f.pg.psql("alter system reset synchronous_standby_names")
        f.pg.reload()
    f.stop()


def findings(f):
    return [(x["message"], x["fix"]) for x in f.hf("--json", "doctor", rc=None).json("item")
            if x["check"] == "postgresql" and not x["good"] and re.search("ynchronous|spool_limit", x["message"])]


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
        f.config(source={"spool_limit": "900TiB"})
        ((message, fix),) = findings(f)
        assert "up to 900 TiB (spool_limit)" in message and "make room" in fix
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
    assert f.state()["lag_ns"] > 0
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
