"""Continuous systems: what changes is in the repository soon."""
import datetime
import os
import time

import pytest

from test_daemon import World


@pytest.fixture
def world(hf, base):
    w = World(hf, base)
    yield w
    if w.daemon is not None and w.daemon.poll() is None:
        w.daemon.kill()
        w.daemon.wait()


TIER = "  live: {destinations: main, strategy: continuous, retention: {last: 3}}\n"


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def quiet(world):
    """All that was asked for is done, and it is watched."""
    world.until(lambda: "changes.watched" in world.log())
    world.until(lambda: world.jobs() and all(j["status"] == "completed" for j in world.jobs()))


def rests(world):
    """For longer than a change needs to begin one."""
    ended = [j["ended"] for j in world.jobs()]
    now = datetime.datetime.now(datetime.timezone.utc)
    return all(ended) and (now - datetime.datetime.fromisoformat(max(ended)[:19] + "+00:00")).total_seconds() > 7


def test_a_change_is_in_the_repository_soon(world, hf, base):
    """Wherever below, also in folders that came; the time that it took is printed."""
    world.write({"www": "tier: live"}, tiers=TIER)
    world.serve()
    quiet(world)
    took = []
    for i, name in enumerate(("f0", "new/deep/g", "new/deep/h")):
        path, text = f"{base}/src/www/{name}", f"changed {i}"
        began = time.monotonic()
        put(path, text)
        world.until(lambda p=path, t=text: hf("-r", "main", "cat", f"latest:www:{p}", rc=None).out == t)
        took.append(time.monotonic() - began)
    print("seconds from a change to its snapshot:", " ".join(f"{t:.1f}" for t in took))
    quiet(world)
    assert len(hf("--json", "-r", "main", "snapshots").json("item")) <= 3  # as it is declared, also at this rate
    done = world.jobs()[-1]
    assert (done["trigger"], done["backup_type"]) == ("change", "incremental")
    assert world.stop() == 0


def test_what_no_backup_reads_begins_none(world, hf, base):
    """Else it would be without end: the repository is below the source."""
    world.write({"www": "tier: live"}, tiers=TIER)
    with open(world.path, encoding="utf-8") as f:
        text = f.read().replace(f"paths: {base}/src/www", f"paths: {base}, exclude: ['*.log', /run, said]")
    with open(world.path, "w", encoding="utf-8") as f:
        f.write(text)
    world.serve()
    quiet(world)
    put(f"{base}/src/www/x.log", "x")
    put(f"{base}/said", "x")
    put(f"{base}/src/www/seen", "x")  # which is all that one is begun for
    world.until(lambda: hf("-r", "main", "cat", f"latest:www:{base}/src/www/seen", rc=None).out == "x")
    world.until(lambda: rests(world))  # one that begins itself anew never would
    assert len(world.jobs()) <= 3, world.jobs()
    assert world.stop() == 0


def test_what_a_hook_before_leaves_begins_no_other(world, hf, base):
    """It is read by the run that it belongs to.  Links and a slash hide no repository and no catalog."""
    os.makedirs(f"{base}/src/www/cat")
    hf.env["HOLDFAST_CATALOG"] = f"{base}/src/www/cat/c.db"
    world.write({"www": f"tier: live, hooks: {{before: [{{run: 'date +%N > {base}/src/www/dump'}}]}}"}, tiers=TIER)
    os.rename(f"{base}/main", f"{base}/src/www/main")
    os.symlink(f"{base}/src/www/main", f"{base}/main")
    with open(world.path, encoding="utf-8") as f:
        text = f.read().replace(f"url: {base}/main,", f"url: {base}/main/,")
    with open(world.path, "w", encoding="utf-8") as f:
        f.write(text)
    world.serve()
    quiet(world)
    put(f"{base}/src/www/seen", "x")
    world.until(lambda: hf("-r", "main", "cat", f"latest:www:{base}/src/www/seen", rc=None).out == "x")
    world.until(lambda: rests(world))
    assert len(world.jobs()) <= 4, world.jobs()
    assert world.stop() == 0


def test_what_cannot_be_watched_is_told_and_its_schedule_holds(world, hf, base):
    world.write({"www": "tier: live"}, tiers=TIER)
    os.rename(f"{base}/src/www", f"{base}/src/away")
    world.serve()
    world.until(lambda: "changes.unseen" in world.log())
    assert "by its schedule alone" in world.log()
    assert world.stop() == 0
