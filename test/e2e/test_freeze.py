"""What stands still while it is read: by Btrfs snapshots, by commands whose thaw is certain."""
import fcntl
import glob
import os
import re
import signal
import socket
import subprocess
import time

import pytest
import yaml

from conftest import ROOT, need, need_root
from test_daemon import World


class Btrfs:
    """A file system in a file, mounted at .path."""

    def __init__(self, base):
        self.image, self.path = f"{base}/btrfs.img", f"{base}/vol"
        os.mkdir(self.path)
        with open(self.image, "wb") as f:
            f.truncate(120 << 20)
        self.sh("mkfs.btrfs", "-q", "-m", "single", self.image)
        self.sh("mount", "-o", "loop", self.image, self.path)

    @staticmethod
    def sh(*args):
        subprocess.run(args, check=True, stdout=subprocess.DEVNULL)

    def subvolume(self, name):
        self.sh("btrfs", "subvolume", "create", f"{self.path}/{name}")

    def frozen(self):
        """Subvolumes of ours that are there now, wherever."""
        out = subprocess.run(["btrfs", "subvolume", "list", self.path], check=True, stdout=subprocess.PIPE).stdout
        return [line for line in out.decode().splitlines() if "/.holdfast-frozen-" in line]

    def down(self):
        subprocess.run(["umount", "-R", self.path], check=False)


@pytest.fixture
def btrfs(base):
    need_root()
    need("mkfs.btrfs", "btrfs")
    b = Btrfs(base)
    yield b
    b.down()


@pytest.fixture
def world(hf, base):
    w = World(hf, base)
    yield w
    if w.daemon is not None and w.daemon.poll() is None:
        w.daemon.kill()
        w.daemon.wait()


def declare(world, *sources, rest=""):
    """One system, www, with these file sources."""
    text = f"repositories:\n  main: {{url: {world.base}/main, key: \"file:{world.base}/main.key\"}}\n" \
           "tiers:\n  gold: {destinations: main}\nsystems:\n  www:\n    tier: gold\n    sources:\n"
    text += "".join(f"      - files: {s}\n" for s in sources)
    with open(world.path, "w", encoding="utf-8") as f:
        f.write(text + rest)


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def got(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def stored(hf, path):
    return hf("-r", "main", "cat", f"latest:www:{path}").out


def script(world, name, text):
    """A source of its own, whose freeze command runs when those before it are frozen."""
    put(f"{world.base}/{name}/file", "x")
    put(f"{world.base}/{name}.sh", text)
    return f"{{paths: {world.base}/{name}, freeze: {{freeze: 'sh {world.base}/{name}.sh', thaw: 'true'}}}}"


# ---- Btrfs.

def test_what_changes_after_the_freeze_is_stored_as_it_was(world, hf, btrfs):
    """Also in subvolumes below, while what is mounted there is read as it is: all by its own path."""
    btrfs.subvolume("data")
    btrfs.subvolume("data/sub")
    btrfs.subvolume("data/sub/subsub")
    vol = f"{btrfs.path}/data"
    files = [f"{vol}/a", f"{vol}/sub/deep/b", f"{vol}/sub/subsub/c", f"{btrfs.path}/one"]
    for f in [*files, f"{vol}/.holdfast-frozen-mine/d"]:
        put(f, "before")
    os.makedirs(f"{vol}/tmpfs")
    btrfs.sh("mount", "-t", "tmpfs", "x", f"{vol}/tmpfs")
    put(f"{vol}/tmpfs/e", "before")
    btrfs.sh("btrfs", "subvolume", "snapshot", "-r", f"{vol}/sub/subsub", f"{vol}/sub/old")
    change = "".join(f"echo after > {f}\n" for f in [*files, f"{vol}/tmpfs/e"]) + f"rm {vol}/.holdfast-frozen-mine/d"
    # Told as people tell paths: with a slash at the end, with "..".
    declare(world, f"{{paths: [{vol}/, {vol}/../one], freeze: {{btrfs: yes}}}}", script(world, "late", change))
    r = hf("--json", "run", "www").summary
    assert r["status"] == "completed" and not btrfs.frozen()
    for f in [*files, f"{vol}/.holdfast-frozen-mine/d", f"{vol}/sub/old/c"]:
        assert stored(hf, f) == "before", f
    assert stored(hf, f"{vol}/tmpfs/e") == "after\n"
    assert not os.path.exists(f"{vol}/.holdfast-frozen-mine/d") and got(files[0]) == "after\n"


def test_what_did_not_change_is_not_read_again_from_the_next_snapshot(world, hf, btrfs):
    btrfs.subvolume("data")
    for i in range(20):
        put(f"{btrfs.path}/data/d{i % 3}/f{i}", f"{i}" * 1000)
    written = time.time()
    declare(world, f"{{paths: {btrfs.path}/data, freeze: {{btrfs: yes}}}}")
    world.until(lambda: time.time() > written + 2)  # what was touched within the last second is read twice
    hf("run", "www")
    # Each has a device number while it is there: this takes the one that the next would have.
    btrfs.sh("btrfs", "subvolume", "snapshot", f"{btrfs.path}/data", f"{btrfs.path}/beside")
    os.stat(f"{btrfs.path}/beside/d0")
    put(f"{btrfs.path}/data/d0/f0", "changed")
    r = hf("--json", "run", "www").summary
    assert (r["files_changed"], r["files"], r["bytes_read"]) == (1, 20, 7)


def test_a_snapshot_that_a_killed_backup_left_goes_with_the_next(world, hf, base, btrfs):
    btrfs.subvolume("data")
    put(f"{btrfs.path}/data/a", "a")
    declare(world, f"{{paths: {btrfs.path}/data, freeze: {{btrfs: yes}}}}",
            script(world, "late", f"touch {base}/in; sleep 600"))
    p = hf.start("backup", "--system", "www", stderr=subprocess.DEVNULL)
    world.until(lambda: os.path.exists(f"{base}/in"))
    assert len(btrfs.frozen()) == 1
    p.kill()
    p.communicate()
    assert len(btrfs.frozen()) == 1
    # Without a freeze it is not taken for a part of the source.
    hf("-r", "main", "backup", "--system", "other", f"{btrfs.path}/data")
    assert "frozen" not in hf("-r", "main", "ls", "-R", "latest:other").out
    declare(world, f"{{paths: {btrfs.path}/data, freeze: {{btrfs: yes}}}}")
    hf("run", "www")
    assert not btrfs.frozen() and stored(hf, f"{btrfs.path}/data/a") == "a"


def test_with_commands_the_thaw_comes_before_anything_is_read(world, hf, base, btrfs):
    btrfs.subvolume("data")
    put(f"{btrfs.path}/data/a", "running")
    run = f"sh {base}/run.sh {btrfs.path}/data/a"
    put(f"{base}/run.sh", "echo $2 > $1")
    declare(world, f"{{paths: {btrfs.path}/data, freeze: {{btrfs: yes, freeze: '{run} paused', thaw: '{run} resumed'}}}}",
            script(world, "late", f"cp {btrfs.path}/data/a {base}/meanwhile"))
    hf("run", "www")
    assert stored(hf, f"{btrfs.path}/data/a") == "paused\n" and got(f"{base}/meanwhile") == "resumed\n"


def test_an_early_thaw_that_fails_is_told_at_once_and_tried_again_at_the_end(world, hf, base, btrfs):
    """What is frozen later lets it succeed: so at the end, and not before."""
    btrfs.subvolume("data")
    put(f"{btrfs.path}/data/a", "a")
    put(f"{base}/not", "")
    put(f"{base}/thaw.sh", f"echo thaw >> {base}/said; [ ! -e {base}/not ]")
    declare(world, f"{{paths: {btrfs.path}/data, freeze: {{btrfs: yes, freeze: 'true', thaw: 'sh {base}/thaw.sh'}}}}",
            script(world, "late", f"rm -f {base}/not"))
    r = hf("backup", "--system", "www")
    assert "tried again after the backup" in r.err and said(base) == ["thaw"] * 4
    hf("backup", "--system", "www")
    assert said(base) == ["thaw"] * 5


def test_nobody_s_lock_on_a_subvolume_holds_up_its_backup(world, hf, btrfs):
    btrfs.subvolume("data")
    put(f"{btrfs.path}/data/a", "a")
    declare(world, f"{{paths: {btrfs.path}/data, freeze: {{btrfs: yes}}}}")
    fd = os.open(f"{btrfs.path}/data", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        p = hf.start("backup", "--system", "www", stderr=subprocess.DEVNULL)
        p.communicate(timeout=50)
        assert p.returncode == 0 and stored(hf, f"{btrfs.path}/data/a") == "a"
    finally:
        os.close(fd)


def test_what_is_not_on_btrfs_is_not_said_to_stand_still(world, hf, base):
    need_root()
    put(f"{base}/m/a", "a")
    subprocess.run(["mount", "-t", "tmpfs", "x", f"{base}/m"], check=True)
    try:
        put(f"{base}/m/a", "a")
        declare(world, f"{{paths: {base}/m, freeze: {{btrfs: yes}}}}")
        assert "not on btrfs" in hf("run", "www", rc=1).err
        assert not hf("--json", "-r", "main", "snapshots").json("item")
    finally:
        subprocess.run(["umount", f"{base}/m"], check=True)


# ---- Commands.

def commands(world, freeze="true", thaw="true", more=""):
    put(f"{world.base}/src/www/f", "before")
    put(f"{world.base}/freeze.sh", f"echo freeze $HOLDFAST_SYSTEM >> {world.base}/said; {freeze}")
    put(f"{world.base}/thaw.sh", f"echo thaw >> {world.base}/said; {thaw}")
    return f"{{paths: {world.base}/src/www, freeze: {{freeze: 'exec sh {world.base}/freeze.sh', " \
           f"thaw: 'sh {world.base}/thaw.sh'{more}}}}}"


def said(base):
    return got(f"{base}/said").split("\n")[:-1] if os.path.exists(f"{base}/said") else []


def test_what_the_freeze_made_is_read_there_and_goes_by_its_own_name(world, hf, base):
    src, copy = f"{base}/src/www", f"{base}/copy"
    declare(world, commands(world, f"cp -a {src} {copy}; echo after > {src}/f", f"rm -r {copy}",
                            f", read: {{{src}: {copy}}}"))
    hf("run", "www")
    assert stored(hf, f"{src}/f") == "before" and got(f"{src}/f") == "after\n"
    assert said(base) == ["freeze www", "thaw"] and not os.path.exists(copy)


@pytest.mark.parametrize("at", ["", "/.."])
def test_a_place_to_read_where_nothing_was_mounted_is_no_backup(world, hf, base, at):
    src, place = f"{base}/src/www", f"{base}/place"
    os.makedirs(f"{place}/www")
    declare(world, commands(world, more=f", read: {{{os.path.normpath(src + at)}: {place}}}"))
    err = hf("run", "www", rc=None).err
    assert f"{place}" in err and "holds no file" in err and said(base) == ["freeze www", "thaw"]
    assert not hf("--json", "-r", "main", "snapshots").json("item")
    put(world.path, got(world.path).replace("tier: gold", "tier: gold\n    may_be_empty: yes"))
    hf("run", "www")
    put(world.path, got(world.path).replace("    may_be_empty: yes\n", ""))
    put(f"{place}/www/deep/f" if at else f"{place}/deep/f", "x")
    hf("run", "www")


def test_the_thaw_follows_a_freeze_or_a_backup_that_fails(world, hf, base):
    declare(world, commands(world, "exit 3"))
    assert "freeze.sh: exit 3" in hf("run", "www", rc=1).err
    assert said(base) == ["freeze www", "thaw"]
    assert not hf("--json", "-r", "main", "snapshots").json("item")
    declare(world, commands(world, f"mv {base}/main {base}/away", f"mv {base}/away {base}/main"))
    hf("run", "www", rc=None)
    assert said(base)[2:] == ["freeze www", "thaw"] and os.path.isdir(f"{base}/main")


def test_a_thaw_that_fails_is_told_as_an_event_and_tried_by_the_next_run(world, hf, base):
    declare(world, commands(world, "true", "exit 4"))
    r = hf("run", "www", rc=3)
    assert "thaw.sh: exit 4" in r.err and "frozen still" in r.err
    world.serve()
    world.until(lambda: "thaw.failed" in world.log())
    assert world.stop() == 0 and world.log().count("thaw.failed") == 1
    declare(world, commands(world))
    hf("run", "www")
    assert said(base)[-3:] == ["thaw", "freeze www", "thaw"]  # the first is of what was left


def test_a_place_that_does_not_answer_keeps_nothing_frozen(world, hf, base):
    silent = socket.create_server(("127.0.0.1", 0))  # connections are taken, and that is all
    url = f"s3:http://127.0.0.1:{silent.getsockname()[1]}/bucket/x"
    declare(world, commands(world))
    text = got(world.path).replace("tiers:", f"  far: {{url: '{url}', key: 'file:{base}/main.key'}}\ntiers:", 1)
    put(world.path, text.replace("destinations: main", "destinations: [main, far]"))
    env = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true",
           "HOLDFAST_RETRIES": "1"}
    run = hf.start("backup", "--system", "www", env=env)
    world.until(lambda: said(base) == ["freeze www", "thaw"], 40)
    assert run.poll() is None
    silent.close()
    out, err = run.communicate(timeout=120)
    assert run.returncode == 3 and b"FAILED" in out, (out, err)
    assert said(base) == ["freeze www", "thaw"] and stored(hf, f"{base}/src/www/f") == "before"


def lost(world, hf, base):
    """www and both its guard and its backup are gone, frozen; its note tells how to thaw it."""
    freeze = f"kill -STOP $PPID; kill -9 $(cat {base}/pid); kill -9 $PPID"
    declare(world, commands(world, f"until [ -s {base}/pid ]; do sleep 0.01; done; {freeze}"))
    p = hf.start("backup", "--system", "www", stderr=subprocess.DEVNULL)
    put(f"{base}/pid.new", str(p.pid))
    os.rename(f"{base}/pid.new", f"{base}/pid")
    p.communicate()
    assert said(base) == ["freeze www"]


@pytest.mark.parametrize("now", ["other", "without", "daemon"])
def test_a_lost_freeze_is_thawed_by_its_own_command_whatever_is_declared_now(world, hf, base, now):
    lost(world, hf, base)
    note = f"{hf.env['HOLDFAST_STATE_DIR']}/freeze/www.0"
    put(f"{base}/x/f", "x")
    more = f", freeze: {{freeze: 'true', thaw: 'echo other >> {base}/said'}}" if now == "other" else ""
    declare(world, f"{{paths: {base}/x{more}}}")
    if now == "daemon":
        put(world.path, got(world.path).replace("  www:", "  renamed:"))
        world.serve()

        def told():  # by whoever was there first: the daemon, or its run of another system
            runs = [got(p) for p in glob.glob(f"{hf.env['HOLDFAST_STATE_DIR']}/log/run-*.log")]
            return "thaw.late" in world.log() or any("had left it frozen" in log for log in runs)
        world.until(lambda: not os.path.getsize(note) and told())
        assert world.stop() == 0 and "thaw.failed" not in world.log()
    else:
        # The guard is killed, but may not be gone yet.
        world.until(lambda: hf("backup", "--system", "www", rc=None).rc == 0 and not os.path.getsize(note))
    assert said(base) == ["freeze www", "thaw"] + ["other"] * said(base).count("other")
    assert (now == "other") == ("other" in said(base))


@pytest.mark.parametrize("whom", ["backup", "job", "daemon"])
def test_whoever_is_killed_the_thaw_follows(world, hf, base, whom):
    """While the freeze is under way: it is ended first."""
    declare(world, commands(world, f"echo $$ > {base}/pid; touch {base}/in; sleep 600; echo never >> {base}/said"))
    if whom == "backup":
        p = hf.start("backup", "--system", "www", stderr=subprocess.DEVNULL)
        world.until(lambda: os.path.exists(f"{base}/in"))
        p.kill()
        p.communicate()
    elif whom == "job":
        p = hf.start("run", "--foreground", "www", stderr=subprocess.DEVNULL)
        world.until(lambda: os.path.exists(f"{base}/in"))
        p.kill()
        p.communicate()
    else:
        world.serve()
        world.until(lambda: os.path.exists(f"{base}/in"))
        world.stop(signal.SIGKILL)
    world.until(lambda: said(base) == ["freeze www", "thaw"])
    assert "never" not in said(base)


def test_an_interrupted_run_is_thawed(world, hf, base):
    declare(world, commands(world, f"touch {base}/in; sleep 600"))
    p = hf.start("run", "--foreground", "www", stderr=subprocess.DEVNULL)
    world.until(lambda: os.path.exists(f"{base}/in"))
    p.send_signal(signal.SIGINT)
    p.communicate()
    assert p.returncode == 130 and said(base) == ["freeze www", "thaw"]


def recipe(key):
    """Of a file system that stands still as a whole, as the page has it."""
    with open(f"{ROOT}/doc/freeze.md", encoding="utf-8") as f:
        line = next(x for x in f if x.startswith(f"    {key}: ") and "fsfreeze" in x)
    return yaml.safe_load(line)[key]


@pytest.mark.parametrize("frozen,stuck,rc", [(False, False, 0), (True, False, 0), (True, True, 1)])
def test_the_recipe_of_fsfreeze_says_when_it_is_frozen_still(base, frozen, stuck, rc):
    """A stub as fsfreeze is: what is frozen is busy, what is not cannot be unfrozen."""
    put(f"{base}/fsfreeze", f"""#!/bin/sh
case $1 in
--freeze) [ ! -e {base}/frozen ] && touch {base}/frozen;;
--unfreeze) [ ! -e {base}/stuck ] && rm {base}/frozen 2>/dev/null;;
esac
""")
    os.chmod(f"{base}/fsfreeze", 0o755)
    for name, there in (("frozen", frozen), ("stuck", stuck)):
        if there:
            put(f"{base}/{name}", "")
    r = subprocess.run(["sh", "-c", recipe("thaw")], env={"PATH": f"{base}:{os.environ['PATH']}"}, check=False)
    assert (r.returncode != 0) == bool(rc) and os.path.exists(f"{base}/frozen") == stuck


def test_systemd_waits_longer_than_the_daemon_for_its_jobs():
    with open(f"{ROOT}/packaging/systemd/holdfast.service", encoding="utf-8") as f:
        stop = re.search(r"^TimeoutStopSec=(\d+)min$", f.read(), re.M)
    with open(f"{ROOT}/src/daemon/daemon_internal.h", encoding="utf-8") as f:
        grace = re.search(r"DAEMON_GRACE_MS = (\d+)", f.read())
    assert int(stop[1]) * 60000 > int(grace[1])
