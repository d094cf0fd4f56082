"""Commands that ask the daemon: the same as from the catalog, for whom it lets in, and not for ever."""
import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import socket
import socketserver
import sqlite3
import stat
import subprocess
import tempfile
import threading

import pytest

from conftest import BINARY, need_root
from test_daemon import Api, world  # noqa: F401

NOBODY = 65534


def plain(text):
    """Without what is the daemon's alone, and without ages: they grow."""
    text = re.sub(r"^(daemon: .*|the daemon is not running.*)\n", "", text, flags=re.M)
    return re.sub(r"\S+ s of |\S+ of (?=48:00:00)", "AGE of ", re.sub(r" +", " ", text))


def same(o):
    """The same of an object of --json."""
    if isinstance(o, dict):
        return {k: same(v) for k, v in o.items() if k not in ("daemon", "rpo_age", "verification_age")}
    return [same(x) for x in o if "the daemon is not running" not in str(x)] if isinstance(o, list) else o


def test_commands_say_the_same_by_the_daemon_and_by_the_catalog(world, hf, base):
    world.write({"www": "tier: fast, paused: yes", "two": "paused: yes"},
                tiers="  fast: {destinations: [main, other], rpo: {target: 2d}, schedule: {full: '0 2 * * *'}}\n")
    hf("run", "www")
    os.rename(f"{base}/src/two", f"{base}/src/away")
    hf("run", "two", rc=1)
    hf("run", "www")
    asked = [["jobs"], ["jobs", "--limit", "2"], ["jobs", "--system", "www"], ["jobs", "2"], ["jobs", "1"],
             ["schedule", "www"], ["schedule", "www", "two", "--from", "2027-03-01", "--until", "2027-04-02"], ["why", "two"],
             ["status"], ["jobs", "99"], ["why", "tow"], ["schedule", "tow"]]
    there = {}
    world.serve()
    for args in asked:
        there[tuple(args)] = hf(*args, rc=None), hf("--json", *args, rc=None)
    assert world.stop() == 0
    assert "daemon: running, pid" in there["status",][0].out
    for args in asked:
        r, j = hf(*args, rc=None), hf("--json", *args, rc=None)
        was, json_was = there[tuple(args)]
        assert r.out.startswith("daemon: not running\n"), r
        assert plain(r.out) == plain(was.out) and r.err == was.err and r.rc == was.rc, (r, was)
        assert [same(o) for o in j.json()] == [same(o) for o in json_was.json()] and j.rc == json_was.rc
    assert len(there["jobs", "--limit", "2"][1].json("item")) == 2
    assert "Message" in there["jobs", "2"][0].out and "run-" not in plain(there["jobs",][0].out)


@pytest.fixture
def open_place():
    """A folder that every user can reach."""
    path = tempfile.mkdtemp(prefix="hf-ask-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def as_nobody(program, run, *args):
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HOLDFAST_RUNTIME_DIR": run, "LC_ALL": "C.UTF-8"}
    return subprocess.run([program, *args], env=env, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)


def test_who_may_read_nothing_of_ours_is_served_by_his_role(world, hf, open_place):
    """server.socket_group lets in whom it names: no catalog, no configuration, no key is needed."""
    need_root()
    import grp
    group = grp.getgrgid(NOBODY).gr_name
    program = shutil.copy(BINARY, f"{open_place}/holdfast")
    os.chmod(program, 0o755)
    hf.env["HOLDFAST_RUNTIME_DIR"] = f"{open_place}/run"
    for scope, rc in (("viewer", 1), ("operator", 0)):
        world.write({"www": "paused: yes"}, rest=f"server: {{socket_group: {group}, socket_scope: {scope}}}\n")
        world.serve()
        assert stat.S_IMODE(os.stat(f"{open_place}/run/api.sock").st_mode) == 0o660
        for args in (["status"], ["jobs"], ["schedule", "www"], ["why", "www"]):
            r = as_nobody(program, f"{open_place}/run", *args)
            assert r.returncode == 0 and "not running" not in r.stdout, r
        r = as_nobody(program, f"{open_place}/run", "run", "www")
        assert r.returncode == rc, r
        if rc:
            assert "viewer does not allow this: it takes operator or admin" in r.stderr and "socket_scope" in r.stderr
        else:
            assert "www: backup completed" in r.stdout
        r = as_nobody(program, f"{open_place}/run", "run", "wwv")
        assert r.returncode == (1 if rc else 2) and (rc or "did you mean 'www'?" in r.stderr), r
        assert world.stop() == 0
    assert world.jobs()[-1]["by"] == "user nobody"
    # Without a group nobody else comes in, and that is said.
    world.write({"www": "paused: yes"})
    world.serve()
    r = as_nobody(program, f"{open_place}/run", "jobs")
    assert r.returncode == 1 and "does not serve this user" in r.stderr and "server.socket_group" in r.stderr
    assert world.stop() == 0


def stuck(world, base):
    world.write({"www": f"paused: yes, hooks: {{before: [{{run: 'touch {base}/in; sleep 600'}}]}}"})
    world.serve()
    follower = world.hf.start("run", "www", text=True)
    world.until(lambda: os.path.exists(f"{base}/in"))
    return follower


def test_who_waits_for_a_run_does_not_wait_for_a_daemon_that_is_gone(world, base):
    follower = stuck(world, base)
    world.stop(signal.SIGKILL)
    out, err = follower.communicate(timeout=120)
    assert follower.returncode in (1, 130), (out, err)
    # Its own process may still have had the time to say how it ended.
    assert "the daemon is gone, and run 1 with it" in err or "interrupted" in out, (out, err)


def test_ctrl_c_of_who_waits_stops_nothing_and_says_what_does(world, hf, base):
    follower = stuck(world, base)
    follower.send_signal(signal.SIGINT)
    out, err = follower.communicate(timeout=60)
    assert follower.returncode == 130 and "goes on without us" in err and "jobs cancel 1" in err, (out, err)
    (run,) = world.jobs()
    assert run["status"] == "running"
    assert "is stopping" in hf("jobs", "cancel", "1").out
    world.until(lambda: world.jobs()[0]["status"] == "interrupted")
    assert world.stop() == 0


def test_what_waits_already_is_not_queued_twice(world, hf, base):
    follower = stuck(world, base)
    api, path = Api(hf), "/api/v1/systems/www/run"
    first = api.ask("POST", path, 202)["run"]
    assert first["status"] == "queued" and first["kind"] == "backup" and first["id"] == 2
    for _ in range(5):
        assert api.ask("POST", path, 200)["run"]["id"] == 2
    assert hf("--json", "run", "--no-wait", "www").summary["id"] == 2
    assert hf("--json", "run", "--no-wait", "--type", "full", "www").summary["id"] == 3  # that is another matter
    assert hf("--json", "verify", "--no-wait", "www").summary["id"] == 4
    assert len(world.jobs()) == 4
    follower.kill()
    follower.communicate()


def test_a_daemon_that_does_not_answer_is_told_and_nothing_is_changed_behind_it(world, hf, base):
    """It is stopped: whoever only asks is not, and its queue stays as it is."""
    follower = stuck(world, base)
    assert hf("--json", "run", "--no-wait", "www").summary["id"] == 2
    world.daemon.send_signal(signal.SIGSTOP)
    try:
        asked = [hf.start(*args, text=True) for args in (("jobs",), ("jobs", "cancel", "2"), ("run", "www"))]
        (jobs, _), (_, cancel), (_, run) = (p.communicate(timeout=120) for p in asked)
    finally:
        world.daemon.send_signal(signal.SIGCONT)
    assert [p.returncode for p in asked] == [0, 1, 1]
    assert jobs.startswith("daemon: does not answer (socket /") and "running" in jobs, jobs
    assert "does not answer (socket /" in cancel and "nothing is changed" in cancel, cancel
    assert "does not answer (socket /" in run, run
    assert [j["status"] for j in world.jobs()] == ["running", "queued"]
    follower.kill()
    follower.communicate()
    for run, stopping in ((2, False), (1, True)):
        summary = hf("--json", "jobs", "cancel", str(run)).summary
        assert (summary["cancelled"], summary["stopping"]) == (run, stopping)
    world.until(lambda: [j["status"] for j in world.jobs()] == ["interrupted", "cancelled"])
    assert world.stop() == 0


def test_whoever_waits_bears_with_a_daemon_that_puts_off_or_hangs_up(world, hf, base):
    """It has too many to answer, or is ended while it does and begun anew: that is no end of the run."""
    world.write({"www": ""})
    run = {"id": 7, "system": "www", "kind": "backup", "status": "completed", "message": "well"}
    answers = [("POST", 429, {"kind": "rate_limited", "message": "more than 1"}), ("POST", 202, {"run": run}),
               ("GET", 429, {"message": "more than 1"}), ("GET", None, None), ("GET", 200, {"run": run})]

    class Fake(http.server.BaseHTTPRequestHandler):
        def reply(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            method, status, body = ("GET", 200, {}) if self.path == "/health" else answers.pop(0)
            assert self.command == method
            if status is None:
                return
            body = json.dumps(body).encode()
            self.wfile.write(b"HTTP/1.1 %d x\r\nRetry-After: 1\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))

        do_GET = do_POST = reply

        def log_message(self, *args):
            pass

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    os.makedirs(hf.env["HOLDFAST_RUNTIME_DIR"], exist_ok=True)
    with Server(hf.env["HOLDFAST_RUNTIME_DIR"] + "/api.sock", Fake) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        r = hf("run", "www")
        server.shutdown()
    assert "www: backup completed" in r.out and answers == [], r


def note_running(state, pid, owner):
    """The only run of the catalog is under way, it says."""
    with contextlib.closing(sqlite3.connect(f"{state}/catalog.db")) as db, db:
        assert db.execute("UPDATE run SET status = 'running', ended_ns = 0, pid = ?, owner = ?", (pid, owner)).rowcount == 1


def test_a_process_of_another_container_is_not_stopped(world, hf):
    """Of the same host name, and with the number of one of ours: it is no run of ours."""
    world.write({"www": ""})
    hf("run", "www")
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            for owner in ("/elsewhere/state:0123456789abcdef", "pid-1-2"):
                note_running(hf.env["HOLDFAST_STATE_DIR"], stranger.pid, f"{socket.gethostname()}:{owner}")
                r = hf("jobs", "cancel", "1", rc=1)
                assert "the process of run 1 is not here" in r.err, r
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_run_that_was_typed_can_be_stopped_from_elsewhere(world, hf, base):
    world.write({"www": f"hooks: {{before: [{{run: 'touch {base}/in; sleep 600'}}]}}"})
    typed = hf.start("run", "www", text=True)
    world.until(lambda: os.path.exists(f"{base}/in"))
    assert "run 1 is stopping" in hf("jobs", "cancel", "1").out
    assert typed.wait(60) != 0
    typed.communicate()
    assert world.jobs()[0]["status"] == "interrupted"
