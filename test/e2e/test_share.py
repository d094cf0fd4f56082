"""Several daemons on one catalog: they share its queue, and what one of them leaves another does."""
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from conftest import ROOT

sys.path.insert(0, f"{ROOT}/test/servers")
import postgres  # noqa: E402
from server import need_programs  # noqa: E402

# Each run says who does it, and is held until it may go on.
HOOK = "echo $HOLDFAST_STATE_DIR $HOLDFAST_SYSTEM >> {0}/began; while [ ! -e {0}/go ]; do sleep 0.05; done"


class Fleet:
    """One configuration, a catalog on a server, and daemons with a state folder each."""

    def __init__(self, hf, base, server, systems):
        self.hf, self.base, self.server, self.daemons = hf, str(base), server, {}
        hf.env.update(HOLDFAST_CONFIG=f"{base}/h.yaml", PGPASSWORD=postgres.PASSWORD)
        hf("-r", f"{base}/main", "init", "--new-key-file", f"{base}/main.key")
        text = f"catalog: {server.url()}\n" \
               f"repositories:\n  main: {{url: {base}/main, key: \"file:{base}/main.key\"}}\n" \
               f"jobs: {{parallel: 1, per_repository: {len(systems)}}}\n" \
               "tiers:\n  gold: {destinations: main}\nsystems:\n"
        for name, more in systems.items():
            os.makedirs(f"{base}/src/{name}")
            with open(f"{base}/src/{name}/f", "w", encoding="utf-8") as f:
                f.write(name)
            text += f"  {name}: {{tier: gold, sources: [{{files: {{paths: {base}/src/{name}}}}}], {more}" \
                    f"hooks: {{before: [{{run: '{HOOK.format(base)}'}}]}}}}\n"
        with open(f"{base}/h.yaml", "w", encoding="utf-8") as f:
            f.write(text)

    def serve(self, *names):
        """All at once: what each finds to do first the others find, too."""
        for name in names:
            with open(f"{self.base}/{name}.log", "ab") as log:
                env = {"HOLDFAST_STATE_DIR": f"{self.base}/{name}", "HOLDFAST_RUNTIME_DIR": f"{self.base}/{name}/run"}
                self.daemons[name] = self.hf.start("serve", env=env, stdout=subprocess.DEVNULL, stderr=log)

    def began(self):
        """Who began which system, in turn."""
        try:
            with open(f"{self.base}/began", encoding="utf-8") as f:
                return [(os.path.basename(d), s) for d, s in map(str.split, f.read().splitlines())]
        except FileNotFoundError:
            return []

    def sql(self, statement):
        return self.server.run("psql", "-qAt", "-d", self.server.url(), "-c", statement)

    def jobs(self):
        return self.hf("--json", "jobs", "--limit", "1000").json("item")[::-1]

    def log(self, name):
        with open(f"{self.base}/{name}.log", encoding="utf-8") as f:
            return f.read()

    def until(self, true, seconds=120):
        end = time.monotonic() + seconds
        while not true():
            logs = "\n".join(f"== {n}\n{self.log(n)[-2000:]}" for n in self.daemons)
            assert time.monotonic() < end, f"waited in vain\n{logs}\n{self.began()}"
            time.sleep(0.05)


@pytest.fixture
def fleet(hf, base):
    made = []

    def make(systems):
        with_server = postgres.Postgres(tempfile.mkdtemp())  # where its user may go
        with_server.env["PGPASSWORD"] = postgres.PASSWORD
        made.append(with_server)
        made.append(Fleet(hf, base, with_server.up(), systems))
        return made[1]
    need_programs("setpriv", "psql")
    if postgres.missing():
        need_programs(*postgres.missing())
    yield make
    for d in made[1].daemons.values() if len(made) > 1 else ():
        d.kill()
        d.wait()
    for server in made[:1]:
        server.__exit__()


def test_three_share_a_queue_and_one_is_killed_no_run_is_lost_or_done_twice(fleet, hf, base):
    names = ["a", "b", "c", "d", "e", "f"]
    f = fleet({name: "" for name in names} | {"elsewhere": "node: another-host, "})
    f.serve("one", "two", "three")
    f.until(lambda: len(f.began()) == 3)
    began = f.began()
    assert {d for d, _ in began} == {"one", "two", "three"} and len({s for _, s in began}) == 3
    killed, system = began[1]
    f.daemons[killed].send_signal(signal.SIGKILL)
    f.daemons[killed].wait()
    (run,) = [j for j in f.jobs() if j["system"] == system]
    # Its process ends by itself; the run is nobody else's as long as its lease goes on.
    pid = int(f.sql(f"SELECT pid FROM run WHERE id = {run['id']}"))
    f.until(lambda: not alive(pid))
    assert [j["status"] for j in f.jobs() if j["system"] == system] == ["running"]
    # As if nothing had been heard of it for two minutes.
    f.sql(f"UPDATE run SET lease_ns = 1 WHERE id = {run['id']}")
    with open(f"{base}/go", "w", encoding="utf-8"):
        pass
    f.until(lambda: sum(j["status"] == "completed" for j in f.jobs()) == len(names))

    jobs = [j for j in f.jobs() if j["system"] != "elsewhere"]
    first = [j for j in jobs if j["trigger"] == "first"]
    assert sorted(j["system"] for j in first) == names, "each system's first run is queued once"
    (broken,) = [j for j in first if j["status"] != "completed"]
    assert (broken["id"], broken["status"]) == (run["id"], "interrupted")
    (again,) = [j for j in jobs if j["trigger"] != "first"]
    assert (again["system"], again["trigger"], again["attempt"]) == (system, "retry", 1)
    began = f.began()
    assert sorted(s for _, s in began) == sorted([*names, system]), "none was begun twice, but the one that broke off"
    assert [d for d, s in began if s == system][1] != killed
    assert len({j["snapshot"] for j in jobs if j["snapshot"]}) == len(names) == \
        len(hf("-r", "main", "--json", "snapshots").json("item"))
    # What is another host's waits for it.
    (other,) = [j for j in f.jobs() if j["system"] == "elsewhere"]
    assert other["status"] == "queued" and "waits for the daemon of another-host" in hf("why", "elsewhere").out
    for name in {"one", "two", "three"} - {killed}:
        f.daemons[name].send_signal(signal.SIGTERM)
        assert f.daemons[name].wait(60) == 0


def test_a_run_that_ended_while_the_catalog_was_away_is_recorded_as_it_went(fleet, hf, base):
    f = fleet({"a": ""})
    f.serve("one")
    f.until(lambda: f.began() == [("one", "a")])
    f.until(lambda: "run.started" in f.log("one"))
    f.until(lambda: f.sql("SELECT pid FROM run").strip() not in ("", "0"))
    pid = int(f.sql("SELECT pid FROM run"))
    name, server = f.server.running.pop()
    server.send_signal(signal.SIGINT)
    server.wait()
    with open(f"{base}/go", "w", encoding="utf-8"):
        pass
    f.until(lambda: not alive(pid))
    f.server.again()
    f.until(lambda: f.jobs()[0]["status"] != "running")
    (run,) = f.jobs()
    (snapshot,) = hf("-r", "main", "--json", "snapshots").json("item")
    assert (run["status"], run["trigger"], run["attempt"], run["files"]) == ("completed", "first", 0, 1), run
    assert run["snapshot"] == snapshot["snapshot"] and run["ended"] > run["started"]
    f.until(lambda: "run.completed" in f.log("one"))


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False
