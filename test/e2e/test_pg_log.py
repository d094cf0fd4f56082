"""Continuous logs: a real server archives by us and is brought back by us."""
import glob
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from conftest import trials, need

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "servers"))
import pg as pg_server  # noqa: E402
from server import Server  # noqa: E402

MIB = 1 << 20


class World:
    """A repository and a configuration that user postgres may use, in a folder of its own, and a daemon as that user."""

    def __init__(self, server):
        self.server, self.folder = server, pg_server.folder("hflog")
        self.program = server.program()
        self.env = {"PATH": os.environ["PATH"], "HOME": self.folder, "LC_ALL": "C.UTF-8", "TZ": "UTC",
                    **{f"HOLDFAST_{k.upper()}_DIR": f"{self.folder}/{k}" for k in ("state", "cache", "runtime")}}
        self("-r", f"{self.folder}/repo", "init", "--new-key-file", f"{self.folder}/key")
        self.config = f"{self.folder}/h.yaml"
        with open(self.config, "w") as f:
            f.write(f"repositories: {{main: {{url: {self.folder}/repo, key: 'file:{self.folder}/key'}}}}\n"
                    "tiers: {gold: {retention: {logs: 72h}}}\nsystems:\n  db:\n    tier: gold\n    paused: yes\n    sources:\n"
                    f"      - postgresql: {server.source(data_directory=server.data)}\n")
        self.env["HOLDFAST_CONFIG"] = self.config
        self.daemon = None

    def argv(self, *words):
        env = [f"{k}={v}" for k, v in self.env.items()]
        return pg_server.as_postgres("env", "-i", *env, self.program, *words)

    def __call__(self, *words, rc=0, cwd=None):
        p = subprocess.run(self.argv(*words), text=True, capture_output=True, timeout=300, cwd=cwd or self.folder)
        assert rc is None or p.returncode == rc, f"{words}: {p.returncode}\n{p.stdout}{p.stderr}"
        return p

    def command(self, *words):
        """For archive_command and restore_command."""
        return " ".join(["env", *(f"{k}={v}" for k, v in self.env.items()), self.program, *words])

    def serve(self):
        self.log = open(f"{self.folder}/log", "a")
        self.daemon = subprocess.Popen(self.argv("serve"), stdout=self.log, stderr=self.log, start_new_session=True)
        end = time.monotonic() + 60
        while not os.path.exists(f"{self.folder}/runtime/log.sock"):
            assert time.monotonic() < end and self.daemon.poll() is None, open(f"{self.folder}/log").read()
            time.sleep(0.02)

    def stop(self, sig=15):
        if self.daemon is not None:
            os.kill(self.daemon.pid, sig)
            self.daemon.wait(120)
            self.daemon = None

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ranges(self):
        out = self("--json", "log", "list", "db").stdout
        items = [json.loads(line) for line in out.splitlines()]
        return [i for i in items if i.get("kind") == "range"]


@pytest.fixture(scope="module")
def server():
    need(*pg_server.missing())
    with pg_server.Pg() as pg:
        pg.pgbench("-i", "-q", "-s", "1")
        yield pg


@pytest.fixture
def world(server):
    w = World(server)
    yield w
    server.psql("alter system reset archive_command")
    server.reload()
    w.close()


def archived(server):
    return int(server.psql("select archived_count from pg_stat_archiver"))


def switch(server):
    """One more segment, with something in it; its name."""
    server.pgbench("-t", "20")
    return server.psql("select pg_walfile_name(pg_switch_wal())")


def wait(server, name, seconds=120):
    end = time.monotonic() + seconds
    while (server.psql("select last_archived_wal from pg_stat_archiver") or "") < name:
        assert time.monotonic() < end, server.psql("select * from pg_stat_archiver")
        time.sleep(0.05)


def archive(server, command):
    if server.psql("show archive_mode") != "on":
        server.conf(archive_mode="on")
        server.down()
        server.up()
    server.psql(f"alter system set archive_command = '{command}'")
    server.reload()
    server.wait(lambda: server.psql("show archive_command") == command, "archive_command")


def test_a_server_archives_and_is_brought_back(world, server):
    archive(server, world.command("log", "push", "%p"))
    world.serve()
    # Without its WAL: that comes by restore_command alone.
    copy = pg_server.Pg(version=int(server.bin.split("/")[-2]), auto=False)
    server.others.append(copy)
    server.run(*pg_server.as_postgres(f"{server.bin}/pg_basebackup", "-D", copy.data, "-h", server.folder, "-p",
                                      server.port, "-U", "postgres", "-X", "none", "-c", "fast"))
    for _ in range(3):
        switch(server)
    # The daemon is killed, and nobody misses it; then it is there again.
    world.stop(9)
    switch(server)
    world.serve()
    server.psql("create table last as select 4711 as n")
    wait(server, switch(server))
    assert server.psql("select count(*) from pg_stat_archiver where failed_count > 3") == "0"
    ranges = world.ranges()
    assert len(ranges) == 1 and ranges[0]["gap"] is None and ranges[0]["timeline"] == 1
    assert "Read: " in world("log", "verify", "db").stdout
    # It asks for what is there, for histories and for what is not.
    copy.conf(restore_command=world.command("log", "get", "%f", "%p"), archive_mode="off", port=copy.port)
    with open(f"{copy.data}/recovery.signal", "w"):
        pass
    pg_server.give(f"{copy.data}/recovery.signal")
    copy.up(wait=False)
    copy.wait(lambda: copy.answers() and copy.psql("select pg_is_in_recovery()", check=False) == "f", "recovery", 90)
    assert copy.psql("select n from last") == "4711"
    assert copy.psql("select count(*) from pgbench_history") == server.psql("select count(*) from pgbench_history")


def pushers(world):
    """Processes of the archiver's command, as they are just now."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if words[0] == world.program.encode() and b"push" in words:
            found.append(int(pid))
    return found


def test_whoever_is_killed_nothing_is_lost(world, server, rng):
    archive(server, world.command("log", "push", "%p"))
    path = f"{server.data}/pg_wal/archive_status"
    world.serve()
    first = switch(server)  # of the current position it is the one before, at the boundary
    killed = 0
    for trial in range(trials(20)):
        server.psql("alter system set archive_command = '/bin/false'")
        server.reload()
        for _ in range(3):  # that there is something to store ahead
            switch(server)
        server.psql(f"alter system set archive_command = '{world.command('log', 'push', '%p')}'")
        server.reload()
        end = time.monotonic() + rng.uniform(0, 0.5)
        while time.monotonic() < end:
            if trial % 2:
                for pid in pushers(world):
                    os.kill(pid, 9)
                    killed += 1
            time.sleep(0.005)
        if trial % 2 == 0:
            world.stop(9)  # nobody misses it
            killed += 1
            assert server.psql("select 1") == "1"
            if rng.random() < 0.5:
                wait(server, switch(server))
            world.serve()
    last = switch(server)
    wait(server, last)
    assert killed and not [f for f in os.listdir(path) if f.endswith(".ready")]
    only, = [r for r in world.ranges() if r["timeline"] == 1]
    assert only["gap"] is None
    world("log", "verify", "db")
    have = sorted(os.path.basename(p).split(".")[0] for p in glob.glob(f"{world.folder}/repo/logs/*/00000001/*"))
    for n in range(int(first[8:16] + first[22:], 16), int(last[8:16] + last[22:], 16) + 1):
        assert f"{n << 24:016x}-{n + 1 << 24:016x}" in have, (n, have)
    assert "same" in world("-v", "log", "push", f"{server.data}/pg_wal/{last}").stdout


def test_the_daemon_stores_ahead_what_is_ready(world, server):
    archive(server, "/bin/false")
    names = [switch(server) for _ in range(3)]
    wal = f"{server.data}/pg_wal"
    server.wait(lambda: all(os.path.exists(f"{wal}/archive_status/{n}.ready") for n in names), "ready files")
    world.serve()
    assert "stored" in world("-v", "log", "push", f"{wal}/{names[0]}").stdout
    there = f"{world.folder}/repo/logs/*/*/*"
    end = time.monotonic() + 120
    while len(glob.glob(there)) < 3:
        assert time.monotonic() < end, glob.glob(there)
        time.sleep(0.02)
    time.sleep(0.2)
    # As it was when it was read it is answered at once; else it is looked at anew.
    assert "stored" in world("-v", "log", "push", f"{wal}/{names[1]}").stdout
    os.utime(f"{wal}/{names[2]}")
    assert "same" in world("-v", "log", "push", f"{wal}/{names[2]}").stdout
    assert len(glob.glob(there)) == 3


def test_push_is_idempotent_and_refuses_what_is_not_the_logs(world, server):
    name = switch(server)
    path = f"{server.data}/pg_wal/{name}"
    assert "stored" in world("-v", "log", "push", path).stdout
    assert "same" in world("-v", "log", "push", path).stdout
    # Another at the same place is refused.
    other = f"{world.folder}/{name}"
    with open(path, "rb") as f, open(other, "wb") as to:
        data = bytearray(f.read())
        data[-5] ^= 1
        to.write(data)
    pg_server.give(other)
    p = world("log", "push", other, rc=1)
    assert "was put back" in p.stderr and "another name" in p.stderr
    world.serve()
    p = world("log", "push", other, rc=1)
    assert "was put back" in p.stderr and "another name" in p.stderr
    world.stop()
    assert len(glob.glob(f"{world.folder}/repo/logs/*/*/*")) == 1
    # The first is what comes back.
    world("log", "get", name, f"{world.folder}/back")
    assert open(f"{world.folder}/back", "rb").read() == open(path, "rb").read()
    # What is torn, of another place, of another database or no log at all.
    data[-5] ^= 1
    for what, change in (("torn", lambda d: d[:-1]), ("place", lambda d: d[:8] + b"\1" + d[9:]),
                         ("database", lambda d: d[:24] + b"\1\2\3" + d[27:]), ("nothing", lambda d: b"\0" * len(d))):
        with open(other, "wb") as to:
            to.write(change(bytes(data)))
        assert world("log", "push", other, rc=None).returncode in (1, 2), what
    os.rename(other, f"{world.folder}/something")
    world("log", "push", f"{world.folder}/something", rc=2)
    assert len(glob.glob(f"{world.folder}/repo/logs/*/*/*")) == 1


def test_get_exits_with_1_only_for_what_is_proven_absent(world, server):
    names = [switch(server) for _ in range(3)]
    for n in names:
        world("log", "push", f"{server.data}/pg_wal/{n}")
    to = f"{world.folder}/x"
    after = f"{int(names[-1], 16) + 1:024X}"
    assert world("log", "get", after, to, rc=None).returncode == 1
    assert world("log", "get", "00000009.history", to, rc=None).returncode == 1
    # A gap is no end; nor is a mistake, a wrong key, or a repository that is away.
    (middle,) = glob.glob(f"{world.folder}/repo/logs/*/*/{int(names[1][8:16], 16):08x}{int(names[1][16:], 16):02x}*")
    os.rename(middle, f"{world.folder}/kept")
    assert world("log", "get", names[1], to, rc=None).returncode == 126
    assert world("log", "verify", rc=None).returncode == 20
    os.rename(f"{world.folder}/kept", middle)
    assert world("log", "get", "junk", to, rc=None).returncode == 126
    assert world("log", "get", names[1], "/nowhere/x", rc=None).returncode == 126
    assert world("log", "get", "--such", names[1], to, rc=None).returncode == 126
    os.rename(f"{world.folder}/key", f"{world.folder}/key2")
    assert world("log", "get", after, to, rc=None).returncode == 126
    os.rename(f"{world.folder}/key2", f"{world.folder}/key")
    os.rename(f"{world.folder}/repo", f"{world.folder}/repo2")
    assert world("log", "get", after, to, rc=None).returncode == 126
    assert not os.path.exists(to)
    os.rename(f"{world.folder}/repo2", f"{world.folder}/repo")
    world("log", "get", names[0], to)
    assert open(to, "rb").read() == open(f"{server.data}/pg_wal/{names[0]}", "rb").read()


def test_others_may_not_write_the_log(world, server):
    if os.geteuid() != 0:
        pytest.skip("root is needed to be somebody else")
    name = switch(server)
    copy = f"{world.folder}/{name}"
    shutil.copyfile(f"{server.data}/pg_wal/{name}", copy)
    os.chmod(copy, 0o644)
    os.chmod(world.folder, 0o755)
    world.serve()
    env = [f"{k}={v}" for k, v in world.env.items()]
    p = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "-i", *env,
                        world.program, "log", "push", "--system", "db", copy], text=True, capture_output=True, timeout=60)
    assert p.returncode == 1 and "may not write" in p.stderr, p.stderr
    assert not glob.glob(f"{world.folder}/repo/logs/*/*/*")
    assert "stored" in world("-v", "log", "push", copy).stdout


def test_a_backup_and_its_log_reach_to_now_and_go_with_a_copy(world, server):
    r = json.loads(world("--json", "backup", "--system", "db").stdout.splitlines()[-1])
    assert r["type"] == "summary"
    for _ in range(2):
        name = switch(server)
        world("log", "push", f"{server.data}/pg_wal/{name}")
    items = [json.loads(x) for x in world("--json", "log", "list", "db").stdout.splitlines()]
    base, = [i for i in items if i.get("kind") == "base"]
    window = items[-1]
    assert base["complete"] and window["reachable"] and window["gaps"] == 0 and window["to"] >= base["ended"]
    assert "Read: " in world("log", "verify").stdout
    world("-r", "main", "check", "--read-data")
    world("-r", "main", "prune", "--exclusive")
    assert [json.loads(x) for x in world("--json", "log", "list", "db").stdout.splitlines()][-1] == window
    # A copy elsewhere can be brought forward as far.
    there = f"{world.folder}/there"
    world("-r", there, "init", "--new-key-file", f"{world.folder}/key3")
    for _ in range(2):
        world("-r", there, "--key-file", f"{world.folder}/key3", "copy", "--from-repo", "main")
    at = ("-r", there, "--key-file", f"{world.folder}/key3")
    copied = [json.loads(x) for x in world(*at, "--json", "log", "list", "db").stdout.splitlines()]
    assert copied[-1]["reachable"] and copied[-1]["end"] == window["end"]
    world(*at, "check", "--read-data")
    world(*at, "log", "get", "--system", "db", name, f"{world.folder}/y")
    assert open(f"{world.folder}/y", "rb").read() == open(f"{server.data}/pg_wal/{name}", "rb").read()
    # Without what it needs a backup is damaged.
    for x in sorted(glob.glob(f"{there}/logs/*/*/*"), key=os.path.basename)[:-1]:
        os.unlink(x)
    assert world(*at, "check", rc=None).returncode == 20
    assert world(*at, "log", "verify", "--system", "db", rc=None).returncode == 20
