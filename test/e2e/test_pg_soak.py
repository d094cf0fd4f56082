"""Logs of PostgreSQL for as long as it takes: what is away for minutes, and whoever is killed, under load."""
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from conftest import FULL, ROOT, need

sys.path.insert(0, f"{ROOT}/test/servers")
sys.path.insert(0, f"{ROOT}/test/e2e")
from follow import SEGMENT, Client, away, back, ended, position, running  # noqa: E402
from pg import Pg, missing  # noqa: E402
from test_pg_log import World, archive  # noqa: E402

pytestmark = pytest.mark.soak
AWAY = 600 if FULL else 20


@pytest.fixture(scope="module")
def follow():
    with running() as f:
        yield f


def said(f, name):
    with open(f"{f.base}/{name}", encoding="utf-8") as log:
        return log.read()


@pytest.mark.parametrize("synchronous", [False, True])
def test_a_repository_that_is_away_for_minutes(follow, synchronous):
    """Commits wait no longer than was said, the spool keeps its limit, it is told, and there is no gap afterwards."""
    f = follow
    bound = 5
    f.config(source={"spool_limit": "4GiB" if synchronous else "32MiB"},
             **({"synchronous": "yes", "synchronous_wait": f"{bound}s"} if synchronous else {"synchronous": "no"}))
    log = f"away-{synchronous}.log"
    with open(f"{f.base}/{log}", "ab") as out:
        f.daemon = f.hf.start("serve", stdout=subprocess.DEVNULL, stderr=out)
    f.until(lambda: f.state()["state"] == "streaming" and os.path.exists(f"/proc/{f.state()['pid']}"))
    if synchronous:
        f.pg.psql("alter system set synchronous_standby_names = 'holdfast'")
        f.pg.reload()
        f.until(lambda: f.state()["sync_had"])
    f.stored(f.pg.lsn())
    before = f.holes()
    load = f.pg.load("-c", "4", "-T", str(AWAY + 600), "-N", "-n", "-R", "150")
    client = Client(f.pg, 1 << 20 if synchronous else 0, pause=0.02)
    client.start()
    time.sleep(2)
    usual = max(client.times)
    away(f)
    most = kept = 0
    end = time.monotonic() + AWAY
    while time.monotonic() < end:
        s = f.state()
        most, kept = max(most, s.get("spool_bytes", 0)), max(kept, s.get("slot_bytes", 0))
        time.sleep(0.2)
    assert load.poll() is None and client.is_alive()
    back(f)
    time.sleep(1)
    load.kill()
    ended(f.pg, load)
    client.psql.kill()
    client.join()
    f.stored(f.pg.lsn())
    print(f"synchronous={synchronous}: away {AWAY} s; {len(client.acked)} commits, the longest {max(client.times):.2f} s "
          f"(before: {usual:.2f} s); spool at most {most >> 20} MiB, kept by the server at most {kept >> 20} MiB")
    assert max(client.times) < (bound + 3 if synchronous else 3), client.times
    assert most <= (4 << 30 if synchronous else 32 << 20) + SEGMENT
    assert f.holes() == before and f.state()["gaps"] == 0
    text = said(f, log)
    assert "log.spool_acks" in text and "log.gap" not in text and "log.caught_up" in text
    assert AWAY < 60 or "log.behind" in text
    if synchronous:
        f.pg.psql("alter system reset synchronous_standby_names")
        f.pg.reload()
    f.daemon.send_signal(signal.SIGTERM)
    assert f.daemon.wait(120) == 0


def test_a_copy_that_archives_under_the_same_name_ends_receiving(follow):
    """What it stored first is no part of our server's log: the receiver stands still, and confirms nothing more."""
    f = follow
    f.config()
    f.start()
    f.until(lambda: f.state()["pid"] == f.receiver.pid and f.state()["state"] == "streaming")
    f.stored(f.pg.lsn())
    f.pg.down()
    other = Pg(auto=False)
    subprocess.run(["cp", "-a", f.pg.data, other.data], check=True)
    f.pg.up()
    with other:
        other.up()
        number = int(other.psql("select pg_walfile_name(pg_current_wal_lsn())")[16:], 16)
        other.psql("create table elsewhere as select md5((-g)::text) from generate_series(1, 60000) g")
        name = f"{'00000001' + '0' * 8}{number + 1:08X}"
        f.until(lambda: f.state()["state"] == "streaming" and f.state()["pid"] == f.receiver.pid)
        f.hf("log", "push", "--system", "orders", f"{other.data}/pg_wal/{name}")
    before = f.ranges()
    f.pg.psql("create table here as select md5(g::text) from generate_series(1, 60000) g")
    f.until(lambda: f.state()["state"] == "diverged", 60)
    told = [json.loads(x) for x in f.said().splitlines() if "log.diverged" in x]
    assert len(told) == 1 and told[0]["severity"] == "critical" and "other log is stored" in told[0]["text"], told
    time.sleep(2)
    assert f.pg.psql("select active from pg_replication_slots") == "f"
    # What the other lane had under way is finished; nothing is begun after that.
    beside = {r for r in f.ranges()[1] if r not in before[1] and r[1] > (number + 1) * SEGMENT}
    assert len(beside) <= 1, "stored beside it"
    assert len([x for x in f.said().splitlines() if "log.diverged" in x]) == 1
    f.stop()


class Both(World):
    """Both ways at once: archive_command, and a receiver."""

    def state(self):
        try:
            with open(f"{self.folder}/state/receivers/db.postgresql.json", encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return {"state": "none", "durable": "0/0", "pid": 0}

    def until(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not what():
            with open(f"{self.folder}/log", encoding="utf-8") as log:
                assert time.monotonic() < end, f"{self.state()}\n{log.read()[-5000:]}"
            time.sleep(0.05)

    def pushers(self):
        p = subprocess.run(["pgrep", "-f", f"^{self.program} log push"], text=True, capture_output=True, check=False)
        return [int(x) for x in p.stdout.split()]


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def test_whoever_is_killed_leaves_no_gap(rng):
    """kill -9 of receiver, daemon and pusher at random moments, and the repository away now and then."""
    need(*missing())
    with Pg(wal_segsize=1) as pg:
        w = Both(pg)
        try:
            with open(w.config, encoding="utf-8") as f:
                text = f.read()
            with open(w.config, "w", encoding="utf-8") as f:
                f.write(text.replace("    paused: yes\n", "").replace(
                    "postgresql: {", "postgresql: {receive: {enabled: yes, every: 1s}, "))
            pg.pgbench("-i", "-q", "-s", "1")
            archive(pg, w.command("log", "push", "%p"))
            w.serve()
            w.until(lambda: w.state()["state"] == "streaming")
            load = pg.load("-c", "2", "-T", "600", "-N", "-n", "-R", "300")
            killed = {"receiver": 0, "daemon": 0, "pusher": 0, "away": 0}
            for i in range(20 if FULL else 8):
                what = ["receiver", "daemon", "pusher", "away"][i % 4]
                time.sleep(rng.random())
                if what == "receiver":
                    kill(w.state()["pid"])
                elif what == "daemon":
                    w.stop(9)
                    time.sleep(rng.random())
                    w.serve()
                elif what == "pusher":
                    end = time.monotonic() + 20
                    while not (found := w.pushers()) and time.monotonic() < end:
                        time.sleep(0.005)
                    time.sleep(rng.random() * 0.02)
                    for pid in found:
                        kill(pid)
                else:
                    os.rename(f"{w.folder}/repo/logs", f"{w.folder}/away")
                    with open(f"{w.folder}/repo/logs", "w", encoding="utf-8"):
                        pass
                    time.sleep(2 * rng.random())
                    os.unlink(f"{w.folder}/repo/logs")
                    os.rename(f"{w.folder}/away", f"{w.folder}/repo/logs")
                killed[what] += 1
            load.kill()
            ended(pg, load)
            lsn = pg.lsn()
            last = pg.psql("select pg_walfile_name(pg_switch_wal())")
            w.until(lambda: position(w.state()["durable"]) >= position(lsn))
            w.until(lambda: (pg.psql("select last_archived_wal from pg_stat_archiver") or "") >= last)
            with open(f"{w.folder}/log", encoding="utf-8") as f:
                assert "log.gap" not in (text := f.read()) and "log.diverged" not in text
            ranges = w.ranges()
            assert len(ranges) == 1 and ranges[0]["gap"] is None, ranges
            print(f"killed: {killed}; one range, {ranges[0]['start']} to {ranges[0]['end']}")
            w("log", "verify", "db")
            names = sorted(n for n in os.listdir(f"{pg.data}/pg_wal") if re.fullmatch("[0-9A-F]{24}", n) and n <= last)
            for n in names[-5:]:
                w("log", "get", n, f"{w.folder}/got")
                with open(f"{w.folder}/got", "rb") as a, open(f"{pg.data}/pg_wal/{n}", "rb") as b:
                    assert a.read() == b.read(), n
            pg.psql("alter system reset archive_command")
        finally:
            w.close()
