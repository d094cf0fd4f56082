"""Drills: a recovery that is rehearsed comes back and is proven, or fails for the reason that it has."""
import glob
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import pytest


@pytest.fixture
def place():
    """A folder that drill.user can reach."""
    path = tempfile.mkdtemp(dir="/tmp", prefix="hfdrill")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def declared(hf, base, place):
    hf("-r", base / "r", "init", "--new-key-file", base / "key")
    os.makedirs(base / "src")
    for i in range(40):
        (base / "src" / f"f{i}.txt").write_bytes(os.urandom(5000 + i))
    os.link(base / "src" / "f1.txt", base / "src" / "again.txt")
    os.symlink("f1.txt", base / "src" / "soft")
    write(hf, base, place)
    hf("run", "www")
    return hf


def write(hf, base, place, checks="", drill="", tier=""):
    user = "user: nobody, " if os.geteuid() == 0 else ""
    (base / "h.yaml").write_text(f"""
repositories: {{main: {{url: {base}/r, key: "file:{base}/key"}}}}
drill: {{directory: {place}/rooms, {user}memory: 1GiB, timeout: 5m{drill}}}
tiers: {{gold: {{destinations: [main], rto: {{target: 15m}}, rpo: {{target: 1h}}{tier}, drill: {{every: 7d, level: comprehensive}}}}}}
systems:
  www: {{tier: gold, sources: [{{files: {{paths: {base}/src}}}}], checks: [{checks}]}}
""")
    hf.env["HOLDFAST_CONFIG"] = str(base / "h.yaml")


def item(r):
    return [o for o in r.json("item") if "assertions" in o][0]


def failed(r):
    return [a["name"] for a in item(r)["assertions"] if a["state"] == "failed"]


def left(place):
    return glob.glob(f"{place}/rooms/*") + glob.glob("/sys/fs/cgroup/*/holdfast-drill-*")


def test_files_come_back_and_it_is_proven(declared, base, place):
    write(declared, base, place, f'{{file: {base}/src/f1.txt, min_size: 5000}}, '
          '{command: "ls | wc -l", min: 1, max: 1}, {command: "exit 3", optional: yes}')
    os.chmod(base, 0o755)
    declared("drill", "www", "-r", "main", "--level", "standard")
    r = declared("--json", "drill", "www", rc=21)
    assert failed(r) == ["checks.3"] and item(r)["score"] < 0.95  # one of three checks
    write(declared, base, place, f'{{file: {base}/src/f1.txt, min_size: 5000}}, '
          '{command: "ls | wc -l", min: 1, max: 1}')
    r = declared("--json", "drill", "www")
    o = item(r)
    assert o["verdict"] == "passed" and o["score"] == 1 and o["rto"]["met"] == "target" == o["rpo"]["met"]
    assert [s["name"] for s in o["steps"]] == ["prepare", "restore", "compare", "checks", "teardown"]
    assert abs(o["rto"]["seconds"] - sum(s["seconds"] for s in o["steps"][:2])) < 0.001
    assert o["isolation"] and o["host"] and o["user"] and len(o["snapshot"]) == 64 and o["predicted_rto"] > 0
    assert left(place) == []
    record = base / "state" / "drills" / f'{o["id"]}.json'
    assert oct(os.stat(record).st_mode)[-3:] == "600"
    said = [e["record"]["details"] for e in declared("--json", "evidence", "show").json("item")
            if e["record"]["action"] == "drill" and e["record"]["outcome"] == "completed"]
    assert said[-1]["verdict"] == "passed" and said[-1]["drill"] == o["id"]
    sha = subprocess.run(["sha256sum"], input=record.read_bytes().rstrip(b"\n"), stdout=subprocess.PIPE).stdout
    assert said[-1]["record_sha256"] == sha.decode()[:64]
    job = declared("--json", "jobs", "--limit", "1").json("item")[0]
    assert job["kind"] == "drill" and job["verified"] == "passed" and job["score"] == 1


def test_what_was_lost_or_damaged_fails_with_that_reason(declared, base, place):
    declared("-r", "main", "drill", "www")
    for i in range(2, 5):  # 3 of 40: 7 %
        os.unlink(base / "src" / f"f{i}.txt")
    declared("run", "www")
    r = declared("--json", "-r", "main", "drill", "www", rc=21)
    assert failed(r) == ["facts.not_less"] and "proven before" in item(r)["reason"]
    # What is proven stays what it is compared with, and one that shrank rightly is told once.
    r = declared("-r", "main", "drill", "www", rc=21)
    assert "facts.not_less" in r.err and "% fewer" in r.err
    shutil.copytree(base / "src", base / "gone")
    for i in range(5, 9):
        (base / "src" / f"f{i}.gz").write_bytes(os.urandom(300))  # unreadable before the backup
    for i in range(2, 5):
        (base / "src" / f"f{i}.txt").write_bytes(os.urandom(5000))
    declared("run", "www")
    r = declared("--json", "-r", "main", "drill", "www", rc=21)
    assert failed(r) == ["restore.formats"]
    pack = max(glob.glob(f"{base}/r/packs/*/*"), key=os.path.getsize)
    os.chmod(pack, 0o600)
    with open(pack, "r+b") as f:
        f.seek(os.path.getsize(pack) // 2)
        f.write(b"damage!!")
    r = declared("--json", "-r", "main", "drill", "www", "--level", "standard", rc=21)
    assert "restore.content" in failed(r)
    shutil.rmtree(base / "r" / "packs")
    r = declared("--json", "-r", "main", "drill", "www", "--level", "standard", rc=21)
    assert left(place) == []


def test_a_malfunction_is_no_finding_and_a_late_recovery_is_no_failure(declared, base, place):
    write(declared, base, place, drill=", disk: 1KiB")
    r = declared("-r", "main", "drill", "www", rc=1)
    assert "could not be tried" in r.err and "drill.disk" in r.err
    write(declared, base, place)
    os.chmod(f"{place}/rooms", 0o777)
    r = declared("-r", "main", "drill", "www", rc=1)
    assert "others could put things there" in r.err
    os.chmod(f"{place}/rooms", 0o711)
    write(declared, base, place, tier=", availability: 99")
    text = (base / "h.yaml").read_text().replace("rpo: {target: 1h}", "rpo: {target: 1s}, schedule: {full: {every: 1s}}")
    (base / "h.yaml").write_text(text.replace("schedule: {full: {every: 1s}}", "strategy: continuous"))
    time.sleep(1.1)
    r = declared("--json", "-r", "main", "drill", "www", rc=40)
    assert item(r)["verdict"] == "missed" and item(r)["rpo"]["met"] == "missed"
    assert declared("-r", "main", "drill", "nothing", rc=2).err


def test_a_killed_drill_leaves_nothing_behind_after_the_next(declared, base, place):
    write(declared, base, place, '{command: "echo here; sleep 4747"}')
    for how in (signal.SIGKILL, signal.SIGINT):
        p = declared.start("-r", "main", "drill", "www", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while subprocess.run(["pgrep", "-f", "^sleep 4747"], stdout=subprocess.DEVNULL).returncode != 0:
            assert time.monotonic() < until and p.poll() is None
            time.sleep(0.05)
        p.send_signal(how)
        code = p.wait(30)
        assert code == (-9 if how == signal.SIGKILL else 130)
        until = time.monotonic() + 10
        while subprocess.run(["pgrep", "-f", "^sleep 4747"], stdout=subprocess.DEVNULL).returncode == 0:
            assert time.monotonic() < until, "its check outlived it"
            time.sleep(0.05)
        if how == signal.SIGINT:
            assert left(place) == []
    write(declared, base, place)
    declared("-r", "main", "drill", "www")
    assert left(place) == []
