"""What else is due: repositories that are pruned, archives that are filled."""
import glob
import os
import subprocess
import time

import pytest

from conftest import need_root
from test_daemon import World


@pytest.fixture
def world(hf, base):
    w = World(hf, base)
    yield w
    if w.daemon is not None and w.daemon.poll() is None:
        w.daemon.kill()
        w.daemon.wait()


def declare(world, main="", other="", tier="", rest=""):
    with open(world.path, "w", encoding="utf-8") as f:
        f.write("repositories:\n" + "".join(
            f"  {name}: {{url: {world.base}/{name}, key: \"file:{world.base}/{name}.key\"{more}}}\n"
            for name, more in (("main", main), ("other", other))))
        f.write(f"tiers:\n  gold: {{destinations: [main, other]{tier}}}\n"
                f"systems:\n  www: {{tier: gold, sources: [{{files: {{paths: {world.base}/src/www}}}}]}}\n{rest}")
    world.source("www")


def alive(hf, name):
    return hf("--json", "-r", name, "snapshots").json("item")


def test_a_repository_is_pruned_when_it_says(world, hf):
    declare(world, ", prune: {every: 1s}", tier=", retention: {last: 1}")
    assert ("main", "prune") in {(i["system"], i["kind"]) for i in hf("--json", "schedule").json("item")}
    assert "never pruned by itself" in hf("why", "other").out
    world.serve()
    world.until(lambda: any(j["kind"] == "prune" and j["status"] == "completed" for j in world.jobs()))
    declare(world)
    assert world.stop() == 0
    done = [j for j in world.jobs() if j["kind"] == "prune" and j["status"] == "completed"][0]
    assert (done["system"], done["queue"], done["trigger"], done["destinations"]) == ("main", "main", "schedule", "main")
    assert "(prune) completed" in hf("why", "main").out


def test_a_prune_can_be_asked_for_by_hand(world, hf):
    declare(world)
    r = hf("--json", "run", "--kind", "prune", "main").summary
    assert (r["kind"], r["system"], r["status"]) == ("prune", "main", "completed")
    assert "no repository 'mian'" in hf("run", "--kind", "prune", "mian", rc=2).err
    assert "--type is for backups" in hf("run", "--kind", "prune", "--type", "full", "main", rc=2).err


def test_an_archive_is_filled_by_copies_of_the_newest(world, hf, base):
    """Not by backups; and what is kept there is what the tier says."""
    declare(world, other=", role: archive", tier=", retention: {last: 2}")
    assert [(i["system"], i["kind"]) for i in hf("--json", "schedule", "--limit", "1").json("item")] == [("www", "copy")]
    newest = []
    for i in range(4):
        world.source("www", 4 + i)
        r = hf("--json", "run", "www").summary
        assert r["destinations"] == "main"
        if i > 0:
            r = hf("--json", "run", "--kind", "copy", "www").summary
            assert (r["kind"], r["status"], r["destinations"]) == ("copy", "completed", "other")
        newest.append(alive(hf, "main")[-1]["snapshot"])
    there = alive(hf, "other")
    assert [s["original"]["snapshot"] for s in there] == newest[-2:]
    hf("-r", "other", "restore", "latest:www", "--target", f"{base}/out")


def test_an_archive_is_judged_as_one_and_its_copies_are_known(world, hf, base):
    """Its copies are older than backups are; before the first one there is nothing to judge."""
    def judged(rc):
        r = hf("--json", "verify", "www", rc=rc)
        items = {o["repository"]: o for o in r.json("item") if "assertions" in o}
        return r, {k: (o["verified"], {a["name"]: a["state"] for a in o["assertions"]}) for k, o in items.items()}

    declare(world, other=", role: archive", tier=", rpo: {target: 1h}")
    hf("run", "www")
    r, by = judged(0)
    assert by["main"][0] == "passed" and by["other"][0] == "not_judged" and r.summary["verified"] == "passed"
    assert "no copy has come" in hf("verify", "www").out
    hf("run", "--kind", "copy", "www")
    _, by = judged(0)
    assert by["other"][0] == "passed" and by["other"][1]["integrity.newest"] == "passed"
    ages = {k: (s["completeness.rpo_target"], s["completeness.rpo"]) for k, (_, s) in by.items()}
    assert ages == {"main": ("passed", "passed"), "other": ("not_judged", "passed")}
    newest = {o["name"]: o["newest"] for o in hf("--json", "status").summary["repositories"]}
    assert newest["other"] == newest["main"] is not None
    assert "other" in hf("find", "--all", "f0").out
    # What is known to have been there is missed.
    for f in glob.glob(f"{base}/other/snapshots/**", recursive=True):
        if os.path.isfile(f):
            os.unlink(f)
    assert judged(20)[1]["other"][0] == "failed"


def test_copies_to_an_archive_are_begun_by_the_daemon(world, hf):
    declare(world, other=", role: archive", tier=", schedule: {archive: 1s}")
    hf("run", "www")
    world.serve()
    world.until(lambda: any(j["kind"] == "copy" and j["status"] == "completed" for j in world.jobs()))
    done = [j for j in world.jobs() if j["kind"] == "copy" and j["status"] == "completed"][0]
    assert (done["system"], done["queue"], done["trigger"]) == ("www", "other", "schedule")
    assert "(copy) completed" in hf("why", "www").out
    assert world.stop() == 0 and len(alive(hf, "other")) == 1


def test_an_archive_alone_is_written_as_others_are(world, hf):
    declare(world, main=", role: archive", other=", role: archive")
    assert hf("--json", "run", "www").summary["destinations"] == "main,other"
    assert "has no destination of role archive" in hf("run", "--kind", "copy", "www", rc=2).err
    assert len(alive(hf, "other")) == 1


def test_an_offsite_place_that_was_away_catches_up(world, hf, base):
    """Replication is part of the backup; what a place missed goes there with the next."""
    declare(world, other=", role: offsite")
    os.rename(f"{base}/other", f"{base}/away")
    hf("run", "www", rc=3)
    os.rename(f"{base}/away", f"{base}/other")
    world.source("www", 5)
    hf("run", "www")
    assert len(alive(hf, "other")) == 1 and len(alive(hf, "main")) == 2
    hf("-r", "other", "check", "--read-data")
    assert hf("-r", "other", "cat", f"latest:www:{base}/src/www/f0").out == "www 0\n" * 100


def test_each_strategy_does_what_its_word_says(world, hf, base):
    """Full reads all again, incremental what changed since the last one, differential since the last full one."""
    tiers = "".join(f"  {s}: {{destinations: main, strategy: {s}, rpo: {{target: 1d}}}}\n"
                    for s in ("full", "incremental", "differential"))
    world.write({s: f"tier: {s}" for s in ("full", "incremental", "differential")}, tiers=tiers)
    due = {i["system"]: i["backup_type"] for i in hf("--json", "schedule").json("item")}
    assert due == {s: s for s in ("full", "incremental", "differential")}  # where it is derived from the RPO, too

    def read(system, *args):
        r = hf("--json", "run", *args, system).summary
        assert r["backup_type"] == (args[1] if args else system)
        return r["bytes_read"]
    written = time.time()
    size = {s: len(f"{s} 0\n") * 100 for s in due}
    world.until(lambda: time.time() > written + 2)  # what was touched within the last second is read twice
    for s in due:
        assert read(s, "--type", "full") == 3 * size[s]
    for i in range(2):
        for s in due:
            with open(f"{base}/src/{s}/f{i}", "a", encoding="utf-8") as f:
                f.write("x")
        written = time.time()
        world.until(lambda at=written: time.time() > at + 2)
        assert read("full") == 3 * size["full"] + i + 1
        assert read("incremental") == size["incremental"] + 1
        assert read("differential") == (i + 1) * (size["differential"] + 1)


def test_a_prune_that_reaches_nothing_is_tried_again_and_harms_nobody(world, hf):
    declare(world)
    with open(world.path, encoding="utf-8") as f:
        text = f.read()
    away = f"  away: {{url: \"webdav://127.0.0.1:1/x\", key: \"file:{world.base}/main.key\", prune: {{every: 1s}}}}\n"
    with open(world.path, "w", encoding="utf-8") as f:
        f.write(text.replace("repositories:\n", "repositories:\n" + away, 1))
    world.serve()
    world.until(lambda: any(j["kind"] == "prune" and j["trigger"] == "retry" for j in world.jobs()), 120)
    assert world.stop() == 0
    status = hf("--json", "status", rc=None).json("item")
    assert "away" not in {i.get("system") for i in status}


def test_each_of_several_that_fail_is_told_and_the_gravest_decides(world, hf):
    declare(world)
    with open(world.path, encoding="utf-8") as f:
        text = f.read()
    with open(world.path, "w", encoding="utf-8") as f:
        f.write(text + f"  half: {{tier: gold, sources: [{{files: {{paths: {world.base}/src/www}}}}], "
                "hooks: {after: [{run: 'false', on_error: warn}]}}\n"
                f"  none: {{tier: gold, sources: [{{files: {{paths: {world.base}/nothing}}}}]}}\n"
                f"  less: {{tier: gold, sources: [{{files: {{paths: {world.base}/nothing}}}}]}}\n")
    r = hf("run", "half", "none", "less", "www", rc=1)
    for name in ("half", "none", "less"):
        assert f"holdfast: {name}: " in r.err, r
    assert "www: backup completed" in r.out


def test_a_full_destination_fails_before_anything_is_stored(world, hf, base):
    """Beside another it is told, and the other gets its backup."""
    need_root()
    os.makedirs(f"{base}/other-disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "x", f"{base}/other-disk"], check=True)
    try:
        subprocess.run(["cp", "-a", f"{base}/other", f"{base}/other-disk/repo"], check=True)
        declare(world)
        with open(world.path, encoding="utf-8") as f:
            text = f.read().replace(f"url: {base}/other,", f"url: {base}/other-disk/repo,")
        with open(world.path, "w", encoding="utf-8") as f:
            f.write(text)
        hf("run", "www")
        with open(f"{base}/other-disk/filler", "wb") as f:
            f.write(bytes(40 << 20))
        r = hf("run", "www", rc=3)
        assert "other has " in r.err and "64 may be needed" in r.err and "prune" in r.err
        assert len(alive(hf, "main")) == 2
        with open(world.path, "w", encoding="utf-8") as f:
            f.write(text.replace("destinations: [main, other]", "destinations: other"))
        before = len(alive(hf, "other"))
        assert "64 may be needed" in hf("run", "www", rc=1).err
        assert world.jobs()[-1]["error_kind"] == "no_space" and len(alive(hf, "other")) == before
    finally:
        subprocess.run(["umount", f"{base}/other-disk"], check=True)
