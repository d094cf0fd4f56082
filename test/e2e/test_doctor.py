"""doctor: each thing that is wrong is found, with what to do; the bundle holds no secret."""
import json
import os
import socket
import subprocess
import tarfile

import pytest

from conftest import need, need_root

CONFIG = """repositories:
  main: { url: %(repo)s, key: "file:%(key)s" }
tiers:
  t: { destinations: [main] }
systems:
  shop: { tier: t, sources: [ { files: { paths: [%(tree)s] } } ] }
"""


@pytest.fixture
def declared(repo, tree):
    tree.file("a", b"hello")
    os.chmod(repo.key_file, 0o600)
    repo.config = f"{repo.base}/holdfast.yaml"
    repo.text = CONFIG % {"repo": repo.repo, "key": repo.key_file, "tree": tree.path.decode()}
    write(repo, repo.text)
    repo.env["HOLDFAST_CONFIG"] = repo.config
    repo.where, repo.repo = repo.repo, None
    return repo


def write(hf, text):
    with open(hf.config, "w", encoding="utf-8") as f:
        f.write(text)


def findings(hf, *args, rc=3, **kw):
    """(check, subject) of what is wrong; each has something to do."""
    found = [f for f in hf("--json", "doctor", *args, rc=rc, **kw).json("item") if not f["good"]]
    assert all(f["fix"] and f["message"] for f in found), found
    return [(f["check"], f["subject"]) for f in found]


def test_a_healthy_machine_has_no_findings(declared):
    declared("backup", "--system", "shop")
    r = declared("doctor")
    assert "nothing found" in r.out and "role full" in r.out
    assert findings(declared, rc=0) == []
    checks = {f["check"] for f in declared("--json", "doctor", "repositories").json("item")}
    assert "reach" in checks and not checks & {"version", "catalog", "postgresql"}
    assert "it can be machine|postgresql" in declared("doctor", "oracle", rc=2).err
    assert declared("--json", "doctor").summary["findings"] == 0
    assert not os.path.isdir(f"{declared.where}/leases") or os.listdir(f"{declared.where}/leases") == []


def test_each_thing_that_is_wrong_is_found(declared, tree, base):
    declared("backup", "--system", "shop")
    state = f"{declared.base}/state"

    os.rename(declared.where, f"{declared.where}.away")
    assert findings(declared) == [("reach", "main")]
    os.rename(f"{declared.where}.away", declared.where)

    os.chmod(declared.key_file, 0o644)
    assert findings(declared) == [("secret", "main")]
    with open(declared.key_file, encoding="ascii") as f:
        key = f.read()
    os.chmod(declared.key_file, 0o600)
    with open(declared.key_file, "w", encoding="ascii") as f:
        f.write("holdfast-key-1 " + "ab" * 32 + "\n")
    assert findings(declared, env={"HOLDFAST_KEY_FILE": None}) == [("key", "main")]
    with open(declared.key_file, "w", encoding="ascii") as f:
        f.write(key)

    os.rename(tree.path, tree.path + b"x")
    assert findings(declared) == [("source", "shop")]
    os.rename(tree.path + b"x", tree.path)

    os.chmod(state, 0o777)
    assert findings(declared) == [("state", state)]
    os.chmod(state, 0o700)

    os.chmod(f"{state}/evidence.key", 0o644)
    assert findings(declared) == [("evidence", f"{state}/evidence.key")]
    os.chmod(f"{state}/evidence.key", 0o600)
    with open(f"{state}/evidence.log", "r+b") as f:
        f.seek(500)
        f.write(b"#")
    assert findings(declared) == [("evidence", f"{state}/evidence.log")]
    os.unlink(f"{state}/evidence.log")
    assert findings(declared) == [("evidence", f"{state}/evidence.log")]
    os.unlink(f"{state}/evidence.key")

    write(declared, declared.text.replace("tier: t,", "tier: t, colour: red, taste: sour,"))
    assert [c for c, _ in findings(declared)] == ["configuration"] * 2
    write(declared, declared.text + "\n\t")
    assert [c for c, _ in findings(declared)] == ["configuration"]
    assert declared("--json", "doctor", "--strict", rc=1).summary["findings"] == 1


def test_schedules_that_nobody_follows_are_found(declared):
    write(declared, declared.text.replace("destinations: [main]", "destinations: [main], schedule: { full: daily }"))
    assert findings(declared) == [("daemon", f"{declared.base}/state")]
    write(declared, declared.text.replace("destinations: [main]", "destinations: [main], schedule: { full: daily }")
          .replace("tier: t,", "tier: t, paused: yes,"))
    assert findings(declared, rc=0) == []


def test_an_unknown_place_and_an_empty_one_are_told_apart(declared, base):
    os.mkdir(base / "empty")
    (found,) = [f for f in declared("--json", "-r", base / "empty", "doctor", rc=3).json("item") if not f["good"]]
    assert "init" in found["fix"]
    assert findings(declared, "-r", base / "nowhere") == [("reach", str(base / "nowhere"))]
    text = declared.text.replace("main: {", "main: { offline: yes,").replace(declared.where, str(base / "nowhere"))
    write(declared, text)
    assert findings(declared, rc=0) == []


def test_a_clock_that_is_off_is_found(declared):
    need("faketime")
    lib = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    if not os.path.exists(lib):
        pytest.skip("no libfaketime")
    got = findings(declared, env={"LD_PRELOAD": lib, "FAKETIME": "-2h", "NO_FAKE_STAT": "1"})
    assert ("clock", "main") in got


def test_a_full_disk_is_found(declared, base):
    need_root()
    small = base / "small"
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", small], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("cannot mount")
    try:
        subprocess.run(["cp", "-a", declared.where, small / "repo"], check=True)
        write(declared, declared.text.replace(declared.where, str(small / "repo")))
        with pytest.raises(OSError), open(small / "fill", "wb", buffering=0) as f:
            while f.write(bytes(4096)) == 4096:
                pass
        assert ("space", "main") in findings(declared)
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_runs_and_their_logs_are_in_the_bundle_without_secrets(declared, base):
    (base / "pw").write_text(SECRET % 9)
    write(declared, declared.text.replace("tier: t,", "tier: t, hooks: { before: [ { run: 'cat " + str(base / "pw") + "; echo; "
          "echo a log line' } ] },").replace("tiers:", f"""  far: {{ url: {base}/far, password: "file:{base}/pw" }}
tiers:"""))
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind("")
    manager.settimeout(60)
    p = declared.start("serve", env={"NOTIFY_SOCKET": "@" + manager.getsockname()[1:].decode()})
    try:
        while not manager.recv(4096).startswith(b"READY=1"):
            pass
        declared("run", "shop")
    finally:
        p.terminate()
        p.communicate()
    declared("-r", "main", "doctor", "--bundle", base / "b.tgz", rc=None)
    with tarfile.open(base / "b.tgz") as t:
        files = {m.name: t.extractfile(m).read().decode() for m in t.getmembers()}
    run = json.loads(files["runs.json"].splitlines()[0])
    assert run["status"] == "completed"
    log = files[f"logs/{run['id']}.log"]
    assert "a log line" in log and "<secret>" in log
    assert not any(SECRET % 9 in text for text in files.values())


SECRET = "s3cr3t-Zebra-%d"


def test_a_support_bundle_holds_no_secret(declared, base):
    """Secrets of every kind, in the configuration, the environment, URLs and logs: in no file of it."""
    secrets = [SECRET % i for i in range(8)] + ['with "quotes" and ümläut']
    (base / "pw").write_text(secrets[0] + "\n")
    (base / "quoted").write_text(secrets[8])
    with open(declared.key_file, encoding="ascii") as f:
        secrets.append(f.read().split()[1])
    write(declared, declared.text.replace("tiers:", f"""  far: {{ url: "ftp://user@127.0.0.1:1/x", password: "file:{base}/pw" }}
  other: {{ url: "s3:127.0.0.1:1/b", password: "command:echo {secrets[3]}" }}
  third: {{ url: "{base}/third", password: "env:MY_PASS" }}
  fourth: {{ url: "{base}/fourth", password: "file:{base}/quoted" }}
tiers:"""))
    declared("-r", "main", "backup", "--system", "x", base / "pw")
    env = {"MY_PASS": secrets[4], "AWS_SECRET_ACCESS_KEY": secrets[5], "HOLDFAST_PASSWORD": secrets[6],
           "HOLDFAST_FTP_PASSWORD": secrets[1], "MY_TOKEN": secrets[2],
           "HTTPS_PROXY": f"http://proxy:{secrets[7]}@127.0.0.1:3128", "HOLDFAST_CONNECT_TIMEOUT": "1s"}
    # What another program, or an older one, wrote into a file of ours.
    os.makedirs(f"{declared.base}/state", exist_ok=True)
    with open(f"{declared.base}/state/note {secrets[0]}", "w", encoding="utf-8") as f:
        f.write("x")
    with open(f"{declared.base}/state/and {secrets[2]}", "w", encoding="utf-8") as f:
        f.write("x")
    bundle = base / "support.tar.gz"
    declared("-r", "main", "doctor", "--bundle", bundle, rc=None, env=env)
    assert os.stat(bundle).st_mode & 0o777 == 0o600
    with tarfile.open(bundle) as t:
        files = {m.name: t.extractfile(m).read().decode() for m in t.getmembers()}
    assert set(files) >= {"README.txt", "versions.json", "doctor.json", "config.txt", "environment.txt", "runs.json"}
    for name, text in files.items():
        for secret in secrets:
            assert secret not in text and json.dumps(secret)[1:-1] not in text, (name, secret)
    assert "<secret>" in files["folders.txt"]
    assert f"repositories.main.url: {declared.where}  # {declared.config}:2" in files["config.txt"]
    assert "password: env:MY_PASS" in files["config.txt"]
    assert "ftp://user@127.0.0.1:1/x" in files["config.txt"]
    assert "AWS_SECRET_ACCESS_KEY\n" in files["environment.txt"]
    assert json.loads(files["versions.json"])["holdfast"]
    assert any(json.loads(line)["check"] == "reach" for line in files["doctor.json"].splitlines())
    declared("-r", "main", "doctor", "--bundle", bundle, rc=1)
