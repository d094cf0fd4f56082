"""The systemd unit: systemd takes it, it fits the program, and it is as tight as is said."""
import json
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from conftest import BINARY, ROOT, need

UNIT = f"{ROOT}/packaging/systemd/holdfast.service"


def directives():
    """(section, name, value) of each line, comments left out."""
    section, found = None, []
    with open(UNIT, encoding="utf-8") as f:
        for line in f.read().splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and not line.startswith("#"):
                name, value = line.split("=", 1)
                found.append((section, name, value))
    return found


def values(name):
    return [v for _, n, v in directives() if n == name]


@pytest.fixture
def analyze(tmp_path):
    """systemd-analyze on a copy of the unit whose program is there."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is missing")
    with open(UNIT, encoding="utf-8") as f:
        text = f.read()
    unit = tmp_path / "holdfast.service"
    unit.write_text(text.replace("/usr/local/bin/holdfast", BINARY))
    # man:holdfast(1) is not installed here
    unit.write_text(re.sub(r"^Documentation=.*\n", "", unit.read_text(), flags=re.M))

    def run(*args):
        return subprocess.run(["systemd-analyze", *args, unit], capture_output=True, text=True)
    return run


def test_systemd_finds_nothing_wrong_with_the_unit(analyze):
    p = analyze("verify", "--man=no")
    ours = [line for line in p.stderr.splitlines() if "holdfast" in line]
    assert ours == [], p.stderr


def test_the_unit_is_hardened(analyze):
    """By systemd's own score (0 safe, 10 open); what is given up on purpose costs what it costs."""
    p = analyze("security", "--offline=true", "--no-pager")
    score = float(re.search(r"Overall exposure level for .*: ([0-9.]+)", p.stdout).group(1))
    assert score <= 3.0, p.stdout


def test_each_directive_stands_once_and_in_its_section():
    sections = {"Unit", "Service", "Install"}
    seen = [(s, n) for s, n, _ in directives()]
    assert len(seen) == len(set(seen)) and {s for s, _ in seen} == sections
    assert all(v for _, _, v in directives())


def test_the_unit_fits_the_program(hf):
    assert values("Type") == ["notify"] and values("NotifyAccess") == ["main"]
    program, command = values("ExecStart")[0].split()
    assert os.path.basename(program) == "holdfast"
    assert command in hf("--json", "help").out
    # The places of root's files.
    for name in ("StateDirectory", "CacheDirectory", "RuntimeDirectory", "ConfigurationDirectory"):
        assert values(name) == ["holdfast"]
    # Backups of /tmp must not be empty.
    assert values("PrivateTmp") == ["no"] and values("ProtectHome") == ["read-only"]
    assert "CAP_DAC_READ_SEARCH" in values("CapabilityBoundingSet")[0]


def allowed(name="@system-service"):
    """The system calls of one of systemd's sets."""
    out = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True,
                         check=True).stdout
    names = [line.strip() for line in out.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return {x for n in names for x in (allowed(n) if n.startswith("@") else [n])}


def test_no_system_call_of_a_run_is_filtered(hf, tree, tmp_path):
    """What init, backup, check, forget and prune ask of the kernel, the unit lets them."""
    need("strace")
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is missing")
    assert values("SystemCallFilter") == ["@system-service"]
    tree.every_kind()
    hf.init("--parity", "10%")
    calls = set()
    for args in (["backup", "--nice", "5", "--ionice", "idle", tree.path], ["check", "--read-data"],
                 ["forget", "--keep-last", "1"], ["prune", "--exclusive"], ["evidence", "key"]):
        log = tmp_path / "strace"
        p = subprocess.run(["strace", "-f", "-qq", "-o", log, *hf.argv(*args)], env=hf.environment(),
                           capture_output=True, text=True)
        assert p.returncode in (0, 3), p.stderr
        calls |= set(re.findall(r"^\d+ +([a-z_0-9]+)\(", log.read_text(errors="replace"), re.M))
    assert len(calls) > 40
    assert calls - allowed() <= {"execve", "arch_prctl"}, calls - allowed()


# ---- Where the daemon drills: the drop-in.

DRILL = os.path.join(os.path.dirname(UNIT), "drill.conf")


def of_drill(name):
    with open(DRILL, encoding="utf-8") as f:
        return [line.strip().partition("=")[2] for line in f if line.startswith(name + "=")]


def test_systemd_finds_nothing_wrong_with_the_drop_in(analyze, tmp_path):
    place = tmp_path / "holdfast.service.d"
    place.mkdir()
    shutil.copy(DRILL, place)
    p = analyze("verify", "--man=no")
    assert [line for line in p.stderr.splitlines() if "holdfast" in line or "drill" in line] == [], p.stderr
    (place / "drill.conf").write_text("[Service]\nReadWritePathz=/srv/drill\n")
    assert "ReadWritePathz" in analyze("verify", "--man=no").stderr, "it is not looked at"


def test_a_drill_has_all_of_its_isolation_with_what_the_drop_in_leaves(hf, base):
    """With no other capabilities and no other system calls than both files let it have."""
    if os.geteuid() != 0:
        pytest.skip("it drops what only root has")
    need("strace", "setpriv")
    place = tempfile.mkdtemp(dir="/tmp", prefix="hfdrill")
    try:
        os.chmod(place, 0o755)
        hf("-r", base / "r", "init", "--new-key-file", base / "key")
        (base / "src").mkdir()
        (base / "src" / "f").write_text("f")
        (base / "h.yaml").write_text(f"""
repositories: {{main: {{url: {base}/r, key: "file:{base}/key"}}}}
drill: {{directory: {place}/rooms, user: nobody, memory: 1GiB, cpu: 200}}
tiers: {{gold: {{destinations: [main]}}}}
systems: {{www: {{tier: gold, sources: [{{files: {{paths: {base}/src}}}}], checks: [{{command: "id -un", expect: nobody}}]}}}}
""")
        hf.env["HOLDFAST_CONFIG"] = str(base / "h.yaml")
        hf("run", "www")
        drill = ("--json", "-r", "main", "drill", "www", "--level", "comprehensive")
        had = [o for o in hf(*drill).json("item") if "isolation" in o][0]["isolation"]
        caps = " ".join(values("CapabilityBoundingSet") + of_drill("CapabilityBoundingSet")).lower().replace("cap_", "+")
        argv = ["setpriv", "--bounding-set", "-all," + ",".join(caps.split()), "--no-new-privs", "strace", "-f", "-qq",
                "-o", base / "strace", *hf.argv(*drill)]
        p = subprocess.run(argv, env=hf.environment(), capture_output=True, text=True)
        assert p.returncode == 0, p.stderr
        item = [o for o in map(json.loads, p.stdout.splitlines()) if "isolation" in o][0]
        assert item["isolation"] == had and item["verdict"] == "passed"
        if not shutil.which("systemd-analyze"):
            pytest.skip("systemd-analyze is missing")
        calls = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", (base / "strace").read_text(errors="replace"), re.M))
        sets = [w for v in values("SystemCallFilter") + of_drill("SystemCallFilter") for w in v.split()]
        assert {"mount", "unshare", "move_mount"} <= calls
        assert calls - {c for s in sets for c in allowed(s)} <= {"execve", "arch_prctl"}
    finally:
        shutil.rmtree(place, ignore_errors=True)
