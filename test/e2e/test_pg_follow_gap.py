"""The receiver of PostgreSQL's log: no gap is hidden, and no log of another history taken for its own."""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from conftest import ROOT, need

sys.path.insert(0, f"{ROOT}/test/servers")
from follow import SEGMENT, Follow, position, running  # noqa: E402
from pg import give, missing  # noqa: E402


@pytest.fixture(scope="module")
def follow():
    with running() as f:
        yield f


@pytest.fixture(autouse=True)
def nothing_is_left(follow):
    """What one test failed in is not met by the next."""
    yield
    follow.rest()


def test_a_slot_that_lost_its_wal_leaves_a_gap_that_is_told_and_a_new_base(follow):
    """By the server's own limit: a slot that is lost cannot be used any more, and is made anew."""
    f = follow
    f.config()
    f.start()
    f.until(lambda: f.state()["pid"] == f.receiver.pid and f.state()["state"] == "streaming")
    f.stored(f.pg.lsn())
    f.stop()
    before = f.holes()
    f.pg.psql("alter system set max_slot_wal_keep_size = '1MB'")
    f.pg.reload()
    for _ in range(6):
        f.pg.psql("create table if not exists fill (t text); insert into fill select repeat('x', 1000) "
                  "from generate_series(1, 1500); select pg_switch_wal(); checkpoint")
    f.pg.wait(lambda: f.pg.psql("checkpoint; select wal_status from pg_replication_slots") == "lost", "loss of the slot")
    f.pg.psql("alter system reset max_slot_wal_keep_size")
    f.pg.reload()
    f.start()
    f.until(lambda: "log.gap" in f.said())
    f.stored(f.pg.lsn())
    assert f.state()["gaps"] == 1 and len(f.holes()) == len(before) + 1
    f.stop()
    start, end = (position(f.state()[k]) for k in ("gap_start", "gap_end"))
    assert before + [(start, end)] == f.holes()
    told = next(json.loads(x) for x in f.said().splitlines() if "log.gap" in x)
    assert told["severity"] == "critical" and "base backup" in told["text"]
    waits = f.hf("--json", "jobs").out
    assert '"kind":"backup"' in waits, waits


@pytest.mark.parametrize("base", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_gap_is_healed_by_the_archive_or_followed_by_a_new_base(follow, base):
    """A running receiver whose slot and WAL are gone: what archive_command brought closes the gap; else a base is made."""
    f = follow
    f.config()
    archive = f"{f.base}/archive"
    os.makedirs(archive, exist_ok=True)
    give(archive)
    f.pg.conf(archive_mode="on", archive_command=f"cp %p {archive}/%f", autovacuum="off")  # that writes WAL, too
    f.pg.down()
    f.pg.up()

    def logged():
        with open(f"{f.base}/heal-{base}.log", encoding="utf-8") as log:
            return log.read()

    def bases():
        return len(f.hf("-r", "main", "--json", "snapshots").json("item"))

    def push():
        for name in sorted(os.listdir(archive)):
            f.hf("log", "push", "--system", "orders", f"{archive}/{name}")

    def idle():
        """No backup runs: it would keep WAL by a slot of its own."""
        r = f.hf("--json", "status").summary["systems"][0]
        return not r["running"] and not r["queued"]

    def lose_wal(heal):
        """Behind the back of a receiver that sees nothing."""
        f.until(idle)
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
    with open(f"{f.base}/heal-{base}.log", "ab") as log:
        f.daemon = f.hf.start("serve", stdout=subprocess.DEVNULL, stderr=log)
    f.until(lambda: f.state()["state"] == "streaming" and os.path.exists(f"/proc/{f.state()['pid']}"))
    f.until(lambda: bases() > 0)
    f.stored(f.pg.lsn())
    lose_wal(heal=True)
    f.until(lambda: "log.healed" in logged())
    f.stored(f.pg.lsn())
    assert "log.gap" not in logged(), logged()
    assert f.holes() == before and f.state()["gaps"] == 0, (f.ranges(), sorted(os.listdir(archive)), logged())
    if base:
        had = bases()
        lose_wal(heal=False)
        f.until(lambda: "log.gap" in logged())
        f.until(lambda: bases() > had)
        f.stored(f.pg.lsn())
        assert len(f.holes()) == len(before) + 1
        listed = f.hf("--json", "log", "list", "orders").json("item")
        assert [o["gap"] for o in listed if o["kind"] == "range"].count("gap") == len(before) + 1, listed
        assert f.hf("--json", "status").summary["systems"][0]["log_gaps"] == 1
        push()  # late is better than never
        assert f.holes() == before
    f.daemon.send_signal(signal.SIGTERM)
    assert f.daemon.wait(120) == 0


def put_back(f, copy, sql):
    """The server is what it was when it was copied, and goes on in another way."""
    f.pg.down()
    f.pg.lose_disk()
    subprocess.run(["cp", "-a", copy, f.pg.data], check=True)
    f.pg.up()
    f.pg.psql(sql)


def promoted(f):
    f.pg.down()
    f.pg.conf(restore_command="false")
    with open(f"{f.pg.data}/recovery.signal", "w", encoding="utf-8"):
        pass
    give(f"{f.pg.data}/recovery.signal")
    f.pg.up()
    f.pg.wait(lambda: f.pg.psql("select pg_is_in_recovery()", check=False) == "f", "promotion")


@pytest.mark.parametrize("role", ["write", pytest.param("full", marks=pytest.mark.soak)])
def test_a_server_that_was_put_back_is_noticed_before_anything_is_confirmed(follow, role):
    """Behind what was received, or beyond it, or while the receiver runs: its log is not mixed with what is stored."""
    f = follow
    f.config()
    if role == "write":  # it cannot read what it stores, as the keys of servers are
        f.hf("-r", "main", "key", "add", "--role", "write", "--new-key-file", f"{f.base}/main.key2")
        with open(f"{f.base}/h.yaml", encoding="utf-8") as c:
            text = c.read()
        with open(f"{f.base}/h.yaml", "w", encoding="utf-8") as c:
            c.write(text.replace("main.key\"", "main.key2\""))
    copy = f"{f.base}/image-{role}"
    shutil.rmtree(f"{f.base}/state/spool", ignore_errors=True)
    seen = len(f.said()) if os.path.exists(f"{f.base}/follow.log") else 0
    f.start()
    f.until(lambda: f.state()["state"] == "streaming" and f.state()["pid"] == f.receiver.pid)
    f.stored(f.pg.lsn())
    f.stop()
    f.pg.down()
    subprocess.run(["cp", "-a", f.pg.data, copy], check=True)
    f.pg.up()
    f.pg.psql(f"create table first_way_{role} (t text); insert into first_way_{role} select md5(g::text) from generate_series(1, 3000) g")
    f.start()
    f.until(lambda: f.state()["state"] == "streaming" and f.state()["pid"] == f.receiver.pid)
    f.stored(f.pg.lsn())
    put_back(f, copy, f"create table other_{role} ()")  # less than what is stored
    f.until(lambda: f.state()["state"] == "diverged")
    (told,) = [json.loads(x) for x in f.said()[seen:].splitlines() if "log.diverged" in x]
    assert told["severity"] == "critical" and "part: NAME" in told["text"], told
    assert f.hf("--json", "status").summary["systems"][0]["receiver"] == "diverged"
    before, pid = f.ranges(), f.state()["pid"]
    time.sleep(1)
    assert f.ranges() == before and f.state()["pid"] == pid
    f.pg.wait(lambda: f.pg.psql("select active from pg_replication_slots") == "f", "end of the stream")
    f.stop()
    f.pg.psql(f"create table more_{role} (t text); insert into more_{role} select md5((-g)::text) from generate_series(1, 40000) g")
    for spool in (True, False):  # more than what is stored
        if not spool:
            shutil.rmtree(next(iter(glob.glob(f"{f.base}/**/spool/orders.postgresql", recursive=True))))
        f.start()
        f.until(lambda: f.state()["pid"] == f.receiver.pid and f.state()["state"] == "diverged")
        f.stop()
        assert f.ranges() == before
    if role == "write":
        put_back(f, copy, "create table promoted ()")  # and promoted, with less than what is stored
        promoted(f)
        f.start()
        f.until(lambda: f.state()["pid"] == f.receiver.pid and f.state()["state"] == "diverged")
        f.stop()
        assert f.ranges() == before
        return
    # Brought back as it should be, it begins a timeline, and can be followed.
    f.start()
    f.until(lambda: f.state()["pid"] == f.receiver.pid and f.state()["state"] == "diverged")
    f.pg.down()
    f.pg.lose_disk()
    subprocess.run(["cp", "-a", copy, f.pg.data], check=True)
    promoted(f)
    assert f.receiver.wait(120) == 1 and "another timeline" in f.said(), f.said()[seen:]
    f.start()
    f.until(lambda: f.state()["pid"] == f.receiver.pid and f.state()["state"] == "streaming")
    f.stored(f.pg.lsn())
    assert f.state()["timeline"] == int(f.pg.psql("select timeline_id from pg_control_checkpoint()"))
    f.stop()


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
            fork = position(behind.psql("select pg_last_wal_replay_lsn()"))  # or a little after it
            behind.down()
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
            state = f.state()
            assert state["timeline"] == 1 or position(state["durable"]) < fork + 2 * SEGMENT, state
            os.unlink(held)
            assert commit.wait(120) == 0
            assert max(end for _, end in f.ranges()[2]) >= fork and f.holes(2) == []
            behind.psql("alter system reset synchronous_standby_names")
            f.stop()
            f.pg = old
    finally:
        f.end()
