"""The daemon and its runs: begun when they are due, recorded, and nothing lost when it is killed."""
import datetime
import glob
import http.client
import json
import os
import signal
import socket
import subprocess
import time
import zoneinfo

import pytest

from conftest import BINARY, trials


class World:
    """Declared systems with files of their own, one repository or two."""

    def __init__(self, hf, base):
        self.hf, self.base, self.path = hf, str(base), f"{base}/h.yaml"
        self.daemon = None
        hf.env["HOLDFAST_CONFIG"] = self.path
        for name in ("main", "other"):
            hf("-r", f"{base}/{name}", "init", "--new-key-file", f"{base}/{name}.key")

    def source(self, name, files=3):
        os.makedirs(f"{self.base}/src/{name}", exist_ok=True)
        for i in range(files):
            with open(f"{self.base}/src/{name}/f{i}", "w", encoding="utf-8") as f:
                f.write(f"{name} {i}\n" * 100)

    def write(self, systems, tiers="", rest=""):
        """systems: {name: more keys as YAML}; each has a source of its own."""
        text = "repositories:\n"
        for name in ("main", "other"):
            text += f"  {name}: {{url: {self.base}/{name}, key: \"file:{self.base}/{name}.key\"}}\n"
        text += f"tiers:\n  gold: {{destinations: main}}\n  far: {{destinations: other}}\n{tiers}systems:\n"
        for name, more in systems.items():
            tier = "gold" if "tier:" not in more else ""
            text += f"  {name}: {{{'tier: gold, ' if tier else ''}sources: [{{files: {{paths: {self.base}/src/{name}}}}}]"
            text += (", " + more if more else "") + "}\n"
            self.source(name)
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(text + rest)

    def serve(self, env=None, **kw):
        log = open(f"{self.base}/serve.log", "ab")
        before = self.log().count("daemon.started")
        self.daemon = self.hf.start("serve", env=env, stdout=subprocess.DEVNULL, stderr=log, **kw)
        log.close()
        self.until(lambda: self.log().count("daemon.started") > before or self.daemon.poll() is not None)
        assert self.daemon.poll() is None, self.log()

    def log(self):
        with open(f"{self.base}/serve.log", encoding="utf-8") as f:
            return f.read()

    def stop(self, sig=signal.SIGTERM):
        self.daemon.send_signal(sig)
        rc = self.daemon.wait(120)
        self.daemon = None
        return rc

    def jobs(self, *args):
        """All runs, the oldest first."""
        return self.hf("--json", "jobs", "--limit", "1000", *args).json("item")[::-1]

    def until(self, true, seconds=120):
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"waited in vain\n{self.log()[-3000:]}\n{self.jobs()}"
            time.sleep(0.05)


class Api(http.client.HTTPConnection):
    """Our daemon over its socket."""

    def __init__(self, hf):
        super().__init__("holdfast")
        self.path = f"{hf.env['HOLDFAST_RUNTIME_DIR']}/api.sock"

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def ask(self, method, path, status=200):
        self.request(method, path)
        answer = self.getresponse()
        body = json.loads(answer.read())
        assert answer.status == status, body
        return body


@pytest.fixture
def world(hf, base):
    w = World(hf, base)
    yield w
    if w.daemon is not None and w.daemon.poll() is None:
        w.daemon.kill()
        w.daemon.wait()


# ---- One run.

def test_a_run_does_all_that_is_declared_and_is_recorded(world, hf, base):
    hooks = "hooks: {{before: [{{run: 'echo before $HOLDFAST_SYSTEM $WORD >> {0}/said', environment: {{WORD: x}}}}], " \
            "after: [{{run: 'echo after $HOLDFAST_STATUS ${{#HOLDFAST_SNAPSHOT}} >> {0}/said'}}]}}"
    world.write({"www": "tier: kept, " + hooks.format(base)},
                tiers="  kept: {destinations: [main, other], retention: {last: 2}}\n")
    for _ in range(3):
        r = hf("--json", "run", "www").summary
    assert r["status"] == "completed" and r["files"] == 3 and r["destinations"] == "main,other"
    with open(f"{base}/said", encoding="utf-8") as f:
        assert f.read().splitlines()[:2] == ["before www x", "after completed 64"]
    for name in ("main", "other"):
        alive = [s for s in hf("--json", "-r", name, "snapshots").json("item")]
        assert len(alive) == 2, alive
    jobs = world.jobs()
    assert [j["status"] for j in jobs] == ["completed"] * 3
    assert jobs[2]["snapshot"] == r["snapshot"] and jobs[2]["trigger"] == "manual"
    assert "Snapshot" in hf("jobs", str(jobs[0]["id"])).out


def test_a_source_that_looks_unmounted_fails_before_anything_is_stored(world, hf, base):
    world.write({"www": ""})
    world.source("www", 10)
    hf("run", "www")
    for i in range(6):
        os.unlink(f"{base}/src/www/f{i}")
    r = hf("run", "www", rc=1)
    assert "less than half of the 10" in r.err and "may_shrink" in r.err
    for i in range(6, 10):
        os.unlink(f"{base}/src/www/f{i}")
    assert "holds no file" in hf("run", "www", rc=1).err
    os.rmdir(f"{base}/src/www")
    assert "is its disk mounted?" in hf("run", "www", rc=1).err
    assert [j["status"] for j in world.jobs()] == ["completed"] + ["failed"] * 3
    assert len(hf("--json", "-r", "main", "snapshots").json("item")) == 1
    os.makedirs(f"{base}/src/www")
    world.write({"www": "may_be_empty: yes, may_shrink: yes"})
    hf("run", "www")


def test_a_hook_that_fails_ends_the_run_unless_it_says_else(world, hf, base):
    hook = "hooks: {{before: [{{run: 'exit 3'{0}}}], after: [{{run: 'echo after $HOLDFAST_STATUS >> {1}/said'}}], " \
           "on_failure: [{{run: 'echo failed $HOLDFAST_ERROR >> {1}/said'}}]}}"
    world.write({"www": hook.format("", base)})
    assert "hook before: exit 3: exit 3" in hf("run", "www", rc=1).err
    with open(f"{base}/said", encoding="utf-8") as f:
        assert f.read().splitlines() == ["after failed", "failed hook before: exit 3: exit 3"]
    world.write({"www": hook.format(", on_error: warn", base)})
    hf("run", "www", rc=3)
    world.write({"www": hook.format(", on_error: ignore", base)})
    hf("run", "www")
    os.unlink(f"{base}/said")
    after = "hooks: {{after: [{{run: 'exit 1'}}, {{run: 'echo second >> {0}/said'}}]}}"
    world.write({"www": after.format(base)})
    hf("run", "www", rc=3)
    assert os.path.exists(f"{base}/said"), "one hook that fails keeps no other from what it has to undo"
    world.write({"www": "hooks: {before: [{run: 'sleep 60', timeout: 200ms}]}"})
    assert "took longer than it may" in hf("run", "www", rc=1).err


def test_an_unknown_system_is_told_with_the_nearest(world, hf):
    world.write({"orders": ""})
    assert "did you mean 'orders'?" in hf("run", "order", rc=2).err
    assert "no system 'order'" in hf("why", "order", rc=2).err
    hf("jobs", "4711", rc=1)
    assert "runs have numbers" in hf("jobs", "x", rc=2).err


def test_status_says_what_is_missed_and_how_the_last_run_went(world, hf, base):
    world.write({"www": "tier: fast", "new": ""}, tiers="  fast: {destinations: main, rpo: {target: 1h}}\n")
    r = hf("--json", "status", rc=40)
    systems = {s["name"]: s for s in r.summary["systems"]}
    assert r.summary["daemon"] is None
    assert systems["www"]["rpo_missed"] and systems["www"]["last_run"] is None and not systems["new"]["rpo_missed"]
    assert systems["www"]["state"] == "never" and r.summary["missed"] == 1
    hf("run", "www")
    os.rename(f"{base}/src/www", f"{base}/src/away")
    hf("run", "www", rc=1)
    r = hf("--json", "status")
    www = {s["name"]: s for s in r.summary["systems"]}["www"]
    assert not www["rpo_missed"] and 0 < www["rpo_age"] < 3600 == www["rpo_target"]
    assert www["last_status"] == "failed" and www["state"] == "failing" and "away" not in www["last_message"]
    (main, other) = r.summary["repositories"]
    assert (main["name"], other["name"]) == ("main", "other") and main["newest"] and other["newest"] is None
    r = hf("status")
    assert r.out.startswith("daemon: not running\n") and "failed (run 2)" in r.out


# ---- The daemon.

def test_it_begins_what_is_due_and_obeys(world, hf):
    world.write({"www": "tier: often", "idle": "paused: yes, tier: often"},
                tiers="  often: {destinations: main, schedule: {incremental: 1s}}\n")
    assert "daemon is not running" in hf("why", "www").out
    world.serve()
    hf("serve", rc=11)
    world.until(lambda: len([j for j in world.jobs() if j["status"] == "completed"]) >= 2)
    jobs = world.jobs()
    assert jobs[0]["trigger"] == "first" and {j["trigger"] for j in jobs} <= {"first", "schedule", "catch-up"}
    assert all(j["system"] == "www" for j in jobs)
    assert "paused" in hf("why", "idle").out
    # A mistake in the configuration changes nothing; a good one is taken.
    world.write({"www": "tier: oftn"})
    world.daemon.send_signal(signal.SIGHUP)
    world.until(lambda: "config.refused" in world.log())
    world.write({"new": "", "www": ""})
    world.daemon.send_signal(signal.SIGHUP)
    world.until(lambda: "config.reloaded" in world.log())
    world.until(lambda: any(j["system"] == "new" and j["status"] == "completed" for j in world.jobs()))
    # What is typed is the daemon's to do.
    r = hf("run", "--type", "full", "www")
    assert "is the daemon's" in r.err
    assert world.jobs()[-1]["backup_type"] == "full" and world.jobs()[-1]["by"]
    assert world.stop() == 0
    assert "daemon.stopped" in world.log()


def test_a_stuck_run_blocks_nobody_else_and_can_be_stopped(world, hf, base):
    world.write({"stuck": f"hooks: {{before: [{{run: 'touch {base}/in; sleep 600'}}]}}", "behind": "", "far": "tier: far"})
    world.serve()
    world.until(lambda: any(j["system"] == "far" and j["status"] == "completed" for j in world.jobs()))
    world.until(lambda: os.path.exists(f"{base}/in"))
    (stuck,) = world.jobs("--system", "stuck")
    (behind,) = world.jobs("--system", "behind")
    assert (stuck["status"], behind["status"]) == ("running", "queued")
    assert "waits for its turn at main" in hf("why", "behind").out
    hf("jobs", "cancel", str(stuck["id"]))
    world.until(lambda: world.jobs("--system", "behind")[0]["status"] == "completed")
    assert world.stop() == 0
    (stuck,) = world.jobs("--system", "stuck")  # what was stopped by hand is not begun anew
    assert stuck["status"] == "interrupted"


def test_an_rpo_that_is_missed_is_told_once_and_that_it_is_kept_again(world, hf, base):
    """The clock of the daemon alone is set forward: what was done stays where it was."""
    world.write({"www": "tier: kept, hooks: {before: [{run: 'test ! -e " + f"{base}" + "/down'}]}"},
                tiers="  kept: {destinations: main, rpo: {target: 1h, acceptable: 2h}}\n")
    hf("run", "www")
    with open(f"{base}/down", "w", encoding="utf-8"):
        pass
    (library,) = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    world.serve({"LD_PRELOAD": library, "FAKETIME": "+90m"})
    world.until(lambda: "rpo.missed" in world.log())
    assert "warning rpo.missed system=www what is backed up is 90 minutes old; promised are 60" in world.log()
    os.unlink(f"{base}/down")
    hf("run", "www")
    world.until(lambda: "rpo.kept" in world.log())
    assert world.stop() == 0
    assert (world.log().count("rpo.missed"), world.log().count("rpo.kept")) == (1, 1)


def test_who_depends_on_another_comes_after_it(world):
    world.write({"app": "depends_on: [db]", "db": "priority: 0", "web": "depends_on: app, priority: 9"})
    world.serve()
    world.until(lambda: sum(j["status"] == "completed" for j in world.jobs()) == 3)
    ended = {j["system"]: j["ended"] for j in world.jobs()}
    began = {j["system"]: j["started"] for j in world.jobs()}
    assert ended["db"] <= began["app"] and ended["app"] <= began["web"]
    assert world.stop() == 0


def test_killed_at_any_moment_no_run_is_lost_or_done_twice(world, hf, rng):
    """50 moments in `make soak`.  Hooks are the side effects: each once, and an end for each beginning."""
    hooks = "hooks: {{before: [{{run: 'echo before $HOLDFAST_RUN >> {0}/said'}}], " \
            "after: [{{run: 'echo after $HOLDFAST_RUN $HOLDFAST_STATUS >> {0}/said'}}]}}".format(world.base)
    world.write({"a": hooks, "b": "tier: far, " + hooks})
    world.serve()
    asked = set()
    for _ in range(trials(50)):
        for name in ("a", "b"):
            asked.add(hf("--json", "run", "--no-wait", name).summary["id"])
        time.sleep(rng.random() * 3)
        world.stop(signal.SIGKILL)
        world.serve()
    world.until(lambda: all(j["status"] not in ("queued", "running") for j in world.jobs()), 120)
    assert world.stop() == 0
    jobs = world.jobs()
    first = [j for j in jobs if j["trigger"] in ("first", "manual")]
    # Where one waits in the queue already, be it a retry, that is what was asked for.
    assert asked <= {j["id"] for j in jobs} and len(first) <= len(asked) + 2
    # Each that broke off was recorded as that, and tried again until one was whole.
    assert {j["status"] for j in jobs} <= {"completed", "interrupted"}, jobs
    broken = [j for j in jobs if j["status"] == "interrupted" and j["attempt"] < 2]
    assert len([j for j in jobs if j["trigger"] == "retry"]) == len(broken)
    whole = [j for j in jobs if j["status"] == "completed"]
    assert len({j["snapshot"] for j in whole}) == len(whole)
    with open(f"{world.base}/said", encoding="utf-8") as f:
        said = [line.split() for line in f]
    for j in jobs:
        before = [w for w in said if w[:2] == ["before", str(j["id"])]]
        after = [w[2] for w in said if w[:2] == ["after", str(j["id"])]]
        assert len(before) <= len(after) <= 1, (j, before, after)  # a hook may be ended before it has said so
        assert j["status"] == "interrupted" or after == ["completed"], (j, after)
    stored = {s["snapshot"] for name in ("main", "other") for s in hf("--json", "-r", name, "snapshots").json("item")}
    assert {j["snapshot"] for j in whole} <= stored
    for name in ("main", "other"):
        hf("-r", name, "check")


def test_the_api_the_daemon_and_its_runs_see_one_catalog(world, hf):
    """Each has connections of its own to it: what one has written all others see, at once and for good."""
    world.write({"www": ""})
    world.serve()
    api = Api(hf)
    for n in range(2, 6):
        world.until(lambda: all(r["status"] == "completed" for r in world.jobs()))
        r = api.ask("POST", "/api/v1/systems/www/run", 202)
        assert r["run"]["id"] == n
        assert api.ask("GET", f"/api/v1/runs/{n}")["run"]["status"] in ("queued", "running")
    world.until(lambda: all(r["status"] == "completed" for r in world.jobs()))
    assert api.ask("GET", "/api/v1/status")["systems"][0]["last_run"] == 5
    assert api.ask("GET", "/api/v1/schedule")["schedule"] == []
    assert api.ask("GET", "/api/v1/systems/nobody/why", 404)["kind"] == "absent"
    assert world.stop() == 0
    assert len(world.jobs()) == 5


def test_a_catalog_that_was_moved_away_is_replaced_while_the_daemon_runs(world, hf, base):
    world.write({"www": ""})
    world.serve()
    world.until(lambda: [j["status"] for j in world.jobs()] == ["completed"])
    api = Api(hf)
    assert api.ask("GET", "/api/v1/runs")["runs"] != []
    for end in ("-wal", "-shm", ""):
        os.rename(f"{base}/state/catalog.db{end}", f"{base}/state/moved.db{end}")
    world.until(lambda: "catalog.replaced" in world.log())
    assert api.ask("GET", "/api/v1/runs")["runs"] == []
    hf("run", "www")
    (run,) = api.ask("GET", "/api/v1/runs")["runs"]
    assert (run["system"], run["status"], run["trigger"]) == ("www", "completed", "manual")
    assert world.stop() == 0
    assert [j["trigger"] for j in world.jobs()] == ["manual"]


def test_a_run_that_goes_on_while_the_catalog_is_lost_is_recorded_in_the_next(world, hf, base):
    world.write({"www": f"hooks: {{before: [{{run: 'touch {base}/in; while [ ! -e {base}/go ]; do sleep 0.05; done'}}]}}"})
    world.serve()
    world.until(lambda: os.path.exists(f"{base}/in"))
    for end in ("-wal", "-shm", ""):
        os.rename(f"{base}/state/catalog.db{end}", f"{base}/state/moved.db{end}")
    world.until(lambda: "catalog.replaced" in world.log())
    with open(f"{base}/go", "w", encoding="utf-8"):
        pass
    world.until(lambda: "run.completed" in world.log())
    (run,) = world.jobs()
    (snapshot,) = hf("-r", "main", "--json", "snapshots").json("item")
    assert (run["system"], run["status"], run["trigger"], run["files"]) == ("www", "completed", "first", 3)
    assert run["snapshot"] == snapshot["snapshot"]
    assert world.stop() == 0


def test_ctrl_c_on_the_terminal_lets_runs_end_as_they_should(world, base):
    hooks = "hooks: {{before: [{{run: 'touch {0}/in; sleep 600'}}], " \
            "after: [{{run: 'sleep 1; echo after $HOLDFAST_STATUS >> {0}/said'}}]}}"
    world.write({"www": hooks.format(base)})
    world.serve(start_new_session=True)
    world.until(lambda: os.path.exists(f"{base}/in"))
    os.killpg(world.daemon.pid, signal.SIGINT)
    assert world.daemon.wait(60) == 0
    with open(f"{base}/said", encoding="utf-8") as f:
        assert f.read() == "after interrupted\n"
    broken, again = world.jobs()
    assert (broken["status"], again["status"]) == ("interrupted", "queued")  # the next daemon goes on


def test_a_run_whose_daemon_is_killed_still_ends_as_it_should(world, hf, base):
    """The hooks that have to follow are run, and only then it is begun anew."""
    hooks = "hooks: {{before: [{{run: 'touch {0}/in; sleep 600'}}], " \
            "after: [{{run: 'sleep 1; echo after $HOLDFAST_STATUS >> {0}/said'}}]}}"
    world.write({"www": hooks.format(base)})
    world.serve()
    world.until(lambda: os.path.exists(f"{base}/in"))
    world.stop(signal.SIGKILL)
    world.write({"www": ""})
    world.serve()
    world.until(lambda: any(j["status"] == "completed" for j in world.jobs()))
    first, again = world.jobs()
    assert (first["status"], again["status"], again["trigger"]) == ("interrupted", "completed", "retry")
    with open(f"{base}/said", encoding="utf-8") as f:
        assert f.read() == "after interrupted\n"
    assert first["ended"] <= again["started"]
    assert world.stop() == 0


# ---- Schedules.

HALF_HOUR = datetime.timedelta(minutes=30)


def half_hours(zone, start, end):
    """Each half hour of UTC with what the clock shows when it begins: it changes only then, in these zones."""
    z = zoneinfo.ZoneInfo(zone)
    return [(t, datetime.datetime.fromtimestamp(t, z).replace(tzinfo=None)) for t in range(start, end, 1800)]


def due_by_minutes(clock, minutes, hours, days, weekdays, fixed_hour):
    """A cron entry, looked for minute by minute.

    The rules: what is said for a certain hour is due once, also where the hour is repeated, and at
    the change where it is skipped; what is said for every hour follows the clock.
    """
    def shown(wall):
        if wall.hour not in hours or wall.day not in days or wall.isoweekday() % 7 not in weekdays:
            return []
        return [k for k in range(30) if wall.minute + k in minutes]

    seen, found, expected = set(), [], clock[0][1]
    for t, wall in clock:
        while expected < wall:
            if fixed_hour and shown(expected) and found[-1:] != [t]:
                found.append(t)
            expected += HALF_HOUR
        for k in shown(wall):
            if fixed_hour and (wall, k) in seen:
                continue
            seen.add((wall, k))
            if found[-1:] != [t + 60 * k]:
                found.append(t + 60 * k)
        expected = wall + HALF_HOUR
    return found


ALL_DAYS, ALL_WEEKDAYS, ALL_HOURS = range(1, 32), range(7), range(24)
CRONS = {
    "0 2 * * *": ({0}, {2}, ALL_DAYS, ALL_WEEKDAYS, True),
    "30 1,2 * * *": ({30}, {1, 2}, ALL_DAYS, ALL_WEEKDAYS, True),
    "*/20 * * * *": ({0, 20, 40}, ALL_HOURS, ALL_DAYS, ALL_WEEKDAYS, False),
    "15 0 1,15 * *": ({15}, {0}, {1, 15}, ALL_WEEKDAYS, True),
    "45 3 * * sat,sun": ({45}, {3}, ALL_DAYS, {6, 0}, True),
}


def test_a_year_of_schedules_is_what_a_count_by_minutes_finds(world, hf):
    """Both changes of the clock in three zones; the second computation is Python's, by brute force."""
    zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
    start, end = 1767225600, 1798761600  # 2026
    names, tiers = {}, ""
    for i, zone in enumerate(zones):
        for j, cron in enumerate(CRONS):
            tiers += f"  t{i}{j}: {{destinations: main, schedule: {{full: \"{cron}\", timezone: {zone}}}}}\n"
            names[f"s{i}{j}"] = f"tier: t{i}{j}"
    world.write(names, tiers=tiers)
    r = hf("--json", "schedule", "--from", "2026-01-01T00:00:00Z", "--until", "2027-01-01T00:00:00Z")
    got = {}
    for item in r.json("item"):
        at = datetime.datetime.fromisoformat(item["due"].replace("Z", "+00:00")).timestamp()
        got.setdefault(item["system"], []).append(int(at))
    for i, zone in enumerate(zones):
        clock = half_hours(zone, start, end)
        for j, args in enumerate(CRONS.values()):
            assert got[f"s{i}{j}"] == due_by_minutes(clock, *args), (zone, list(CRONS)[j])


def test_what_is_typed_is_recorded_as_well(world, hf, base):
    world.write({"www": ""})
    hf("-r", "main", "backup", f"{base}/src")
    hf("backup", "--system", "www")
    hf("-r", "main", "check")
    hf("-r", "main", "backup", f"{base}/nowhere", rc=1)
    jobs = world.jobs()
    assert [(j["kind"], j["system"], j["status"]) for j in jobs] == [
        ("backup", None, "completed"), ("backup", "www", "completed"), ("check", None, "completed"),
        ("backup", None, "failed")]
    assert jobs[0]["files"] == 3 and jobs[0]["snapshot"] and jobs[3]["error_kind"]
    # Where the catalog cannot be written the work is done, and that is said.
    hf("-r", "main", "backup", f"{base}/src", rc=3, env={"HOLDFAST_CATALOG": f"{base}/src/www/f0/c.db"})
    assert len(hf("--json", "-r", "main", "snapshots").json("item")) == 3
