"""The audit trail: commands record themselves, anybody verifies, what is changed or cut is named."""
import base64
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../servers"))
from api_host import ApiHost  # noqa: E402
from conftest import need  # noqa: E402

CONFIG = """repositories:
  main: { url: %(repo)s, key: "file:%(key)s" }
  second: { url: %(base)s/second, key: "file:%(key)s" }
tiers:
  t: { destinations: [main, second] }
systems:
  shop: { tier: t, sources: [ { files: { paths: [%(tree)s] } } ] }
"""


@pytest.fixture
def kept(repo, tree):
    """A repository, a tree and a configuration: so a chain is kept."""
    tree.file("a", b"hello")
    second = f"{repo.base}/second"
    repo("-r", second, "init", "--family", repo.repo, "--new-key-file", f"{repo.base}/key2")
    config = f"{repo.base}/home/.config/holdfast/holdfast.yaml"
    os.makedirs(os.path.dirname(config))
    text = CONFIG % {"repo": repo.repo, "key": repo.key_file, "base": repo.base, "tree": tree.path.decode()}
    with open(config, "w", encoding="utf-8") as f:
        f.write(text.replace(f'second, key: "file:{repo.key_file}', f'second, key: "file:{repo.base}/key2'))
    repo.log, repo.pub = f"{repo.base}/state/evidence.log", f"{repo.base}/state/evidence.pub"
    return repo


def records(hf):
    with open(hf.log, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def done(hf):
    """What was done and how it came out: (action, outcome), without beginnings."""
    return [(r["action"], r["outcome"]) for r in records(hf) if r["outcome"] != "begun"]


def test_what_changes_or_shows_content_is_recorded(kept, tree, base):
    first = kept.backup(tree.path)
    kept("cat", f"latest:{tree.path.decode()}/a")
    kept("restore", "latest", "--target", base / "out")
    kept("tag", "--hold", "latest")
    kept("tag", "--release", "latest")
    kept("tag", "--add", "x", "latest")
    kept("key", "add", "--new-key-file", base / "new.key", "--label", "db1")
    kept("forget", first, "--now")
    kept("prune")
    kept("snapshots")
    kept("key", "list")
    kept("forget", "--keep-last", "1", "--dry-run")
    assert done(kept) == [("evidence.begin", "completed")] + [(a, "completed") for a in (
        "backup", "cat", "restore", "hold", "release", "tag", "key.add", "forget", "prune")]
    for r in records(kept):
        if r["outcome"] == "begun":
            (end,) = [x for x in records(kept) if x["details"].get("begun") == r["sequence"]]
            assert end["sequence"] > r["sequence"] and end["action"] == r["action"]
    forget = [r for r in records(kept) if r["action"] == "forget"][-1]
    assert forget["details"]["forgotten"] == [first] and forget["subject"].endswith(kept.repo)
    prune = [r for r in records(kept) if r["action"] == "prune"][-1]
    assert prune["details"]["removed"] == [first] and "packs_deleted" in prune["details"]
    kept("evidence", "verify")


def test_a_wrong_key_is_recorded_as_failed(kept, tree, base):
    kept.backup(tree.path)
    with open(base / "wrong", "w", encoding="utf-8") as f:
        f.write("holdfast-key-1 " + "ab" * 32 + "\n")
    kept("cat", "latest:/x", rc=12, env={"HOLDFAST_KEY_FILE": str(base / "wrong")})
    last = records(kept)[-1]
    assert (last["action"], last["outcome"], last["details"]["kind"]) == ("cat", "failed", "wrong_key")


def test_without_configuration_or_key_nothing_is_kept(repo, tree):
    tree.file("a", b"x")
    repo.backup(tree.path)
    assert not os.path.exists(f"{repo.base}/state/evidence.log")
    assert not os.path.exists(f"{repo.repo}/evidence")
    repo("evidence", "key")
    repo.backup(tree.path)
    assert os.path.exists(f"{repo.repo}/evidence")


def test_no_secret_is_recorded(kept, tree):
    url = "ftp://user:hush-hush@127.0.0.1:1/x"
    kept("copy", "--from-repo", url, "--from-password-command", "echo geheim", rc=None,
         env={"HOLDFAST_FROM_PASSWORD": "verschwiegen"})
    kept("backup", tree.path)
    with open(kept.log, encoding="utf-8") as f:
        text = f.read()
    assert "ftp://user@127.0.0.1:1/x" in text
    for secret in ("hush-hush", "geheim", "verschwiegen"):
        assert secret not in text


def test_heads_of_a_run_are_in_every_repository_it_wrote_to(kept):
    saved, kept.repo = kept.repo, None
    kept("backup", "--system", "shop")
    for repo in (saved, f"{kept.base}/second"):
        (name,) = os.listdir(f"{repo}/evidence")
        assert re.fullmatch(r"[0-9a-f]{32}\.3", name)
        assert kept("--json", "evidence", "verify", "-r", repo).summary["heads"] == 1
        key = kept.key_file if repo == saved else f"{kept.base}/key2"
        kept("-r", repo, "check", "--read-data", env={"HOLDFAST_KEY_FILE": key})


def test_a_chain_that_is_cut_or_begun_anew_is_found_by_the_repository(kept, tree):
    kept.backup(tree.path)
    with open(kept.log, "rb") as f:
        before = f.read()
    kept.backup(tree.path)
    with open(kept.log, "rb") as f:
        whole = f.read()
    with open(kept.log, "wb") as f:
        f.write(before)
    r = kept("--json", "evidence", "verify", rc=20)
    assert r.summary["verdict"] == "cut off" and r.summary["records"] == 3
    # Rewritten by who has the key: as whole as can be by itself.
    kept("tag", "--add", "x", "latest")
    saved, kept.repo = kept.repo, None
    kept("evidence", "verify")
    kept.repo = saved
    r = kept("--json", "evidence", "verify", rc=20)
    assert r.summary["verdict"] == "rewritten" and r.summary["line"] == 5
    # Thrown away: the next record begins another chain.
    os.unlink(kept.log)
    kept("tag", "--add", "y", "latest")
    r = kept("--json", "evidence", "verify", rc=20)
    assert r.summary["verdict"] == "another chain"
    with open(kept.log, "wb") as f:
        f.write(whole)
    assert kept("--json", "evidence", "verify").summary["heads"] == 2


def test_a_head_on_paper_does_the_same(kept, tree, base):
    kept.backup(tree.path)
    with open(kept.log, "rb") as f:
        before = f.read()
    kept.backup(tree.path)
    kept.repo = None
    kept("evidence", "head", "--output", base / "head")
    assert "1 head" in kept("evidence", "verify", "--head", base / "head").out
    with open(kept.log, "wb") as f:
        f.write(before)
    kept("evidence", "verify", "--head", base / "head", rc=20)
    kept("evidence", "verify")


def test_a_second_program_verifies_it_by_the_public_key_alone(kept, tree, base):
    """By doc/evidence.md, with openssl: each signature, and each hash of the line before."""
    need("openssl")
    kept.backup(tree.path)
    previous = "0" * 64
    with open(kept.log, "rb") as f:
        lines = f.read().splitlines()
    for i, line in enumerate(lines):
        record = json.loads(line)
        assert record["sequence"] == i + 1 and record["previous"] == previous
        previous = hashlib.sha256(line).hexdigest()
        body, tail = line.rsplit(b',"signature":"', 1)
        (base / "body").write_bytes(body)
        (base / "sig").write_bytes(bytes.fromhex(tail[:-2].decode()))
        subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", kept.pub, "-rawin", "-in",
                        base / "body", "-sigfile", base / "sig"], check=True, stdout=subprocess.DEVNULL)


def test_what_was_altered_is_named_and_exits_20(kept, tree):
    kept.backup(tree.path)
    kept.repo = None
    with open(kept.log, "rb") as f:
        lines = f.read().splitlines(keepends=True)
    with open(kept.log, "wb") as f:
        f.write(lines[0] + lines[1].replace(b'"action":"backup"', b'"action":"prune"') + lines[2])
    r = kept("evidence", "verify", rc=20)
    assert "line 2: altered" in r.err
    assert "prune" not in kept("evidence", "show", rc=20).out
    with open(kept.log, "wb") as f:
        f.write(lines[0] + lines[2])
    assert "line 2: removed: records 2 to 2" in kept("evidence", "verify", rc=20).err


def test_another_key_signs_after_a_rotation_and_both_verify(kept, tree, base):
    kept.backup(tree.path)
    old = base / "old.pub"
    old.write_bytes(open(kept.pub, "rb").read())
    new = kept("evidence", "key", "rotate").out
    assert new == open(kept.pub, encoding="ascii").read() != old.read_text()
    kept.backup(tree.path)
    kept("evidence", "verify", "--public-key", old)
    kept("evidence", "verify", "--public-key", kept.pub)
    other = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + os.urandom(32)).decode()
    (base / "other.pub").write_text(f"-----BEGIN PUBLIC KEY-----\n{other}\n-----END PUBLIC KEY-----\n")
    assert "wrong key" in kept("evidence", "verify", "--public-key", base / "other.pub", rc=20).err
    (base / "none.pub").write_text("rubbish")
    kept("evidence", "verify", "--public-key", base / "none.pub", rc=2)


def test_where_recording_fails_the_work_is_done_and_it_exits_3(kept, tree):
    kept.backup(tree.path)
    os.rename(f"{kept.base}/state/evidence.key", f"{kept.base}/away")
    r = kept("backup", tree.path, rc=3)
    assert "done, but the record of it is not" in r.err and "evidence.key" in r.err
    assert len(kept("--json", "snapshots").json("item")) == 2
    os.rename(f"{kept.base}/away", f"{kept.base}/state/evidence.key")
    kept.backup(tree.path)


def test_the_trail_is_shown_and_exported(kept, tree, base):
    kept.backup(tree.path)
    shown = kept("evidence", "show").out
    assert "backup" in shown and "completed" in shown
    assert len(kept("--json", "evidence", "show").json("item")) == 3
    assert not kept("--json", "evidence", "show", "--older", "2020-01-01").json("item")
    kept("evidence", "export", "--output", base / "trail")
    assert open(base / "trail", "rb").read() == open(kept.log, "rb").read()
    kept("evidence", "verify", base / "trail", "--public-key", kept.pub)
    kept("evidence", "export", "--output", base / "trail", rc=1)
    kept("evidence", "nonsense", rc=2)
    kept("evidence", "key", "nonsense", rc=2)


def test_a_bundle_is_of_the_trail_kept_here_and_of_a_whole_one(kept, tree, base):
    kept.backup(tree.path)
    kept("evidence", "export", "--output", base / "trail")
    r = kept("evidence", "export", base / "trail", "--records", "--output", base / "bundle", rc=2)
    assert "trail' is too much" in r.err and not os.path.exists(base / "bundle")
    with open(kept.log, "r+b") as f:
        damaged = f.read().replace(b'"backup"', b'"banana"')
        f.seek(0)
        f.write(damaged)
    assert "line 2: altered" in kept("evidence", "export", "--records", "--output", base / "bundle", rc=20).err
    assert not os.path.exists(base / "bundle")
    kept("evidence", "export", "--output", base / "damaged", rc=20)  # as it is
    assert open(base / "damaged", "rb").read() == damaged


def test_the_daemon_records_its_life_and_its_configuration(kept, tree):
    config = f"{kept.base}/home/.config/holdfast/holdfast.yaml"
    kept.repo = None
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind("")  # an abstract name of the kernel's choice
    manager.settimeout(60)
    at = "@" + manager.getsockname()[1:].decode()

    def wait(state):
        while not manager.recv(4096).startswith(state):
            pass

    p = kept.start("serve", env={"NOTIFY_SOCKET": at})
    try:
        wait(b"READY=1")
        with open(config, "a", encoding="utf-8") as f:
            f.write("# changed\n")
        p.send_signal(signal.SIGHUP)
        wait(b"RELOADING=1\nMONOTONIC_USEC=")
        wait(b"READY=1")
        with open(config, "a", encoding="utf-8") as f:
            f.write("nonsense: 1\n")
        p.send_signal(signal.SIGHUP)
        wait(b"RELOADING=1\n")
        wait(b"READY=1")
        p.terminate()
        wait(b"STOPPING=1")
        assert p.wait(60) == 0
    finally:
        p.kill()
        p.communicate()
    ours = [r for r in records(kept) if r["action"] in ("daemon", "config.load")]
    assert [(r["action"], r["outcome"]) for r in ours] == [
        ("daemon", "begun"), ("config.load", "completed"), ("config.load", "completed"), ("config.load", "failed"),
        ("daemon", "completed")]
    hashes = [r["details"].get("in_force", [{}])[0].get("sha256") for r in ours if r["action"] == "config.load"]
    assert hashes[0] != hashes[1] and hashes[2] is None and "nonsense" in ours[3]["details"]["error"]
    with open(config, encoding="utf-8") as f:
        good = f.read().replace("nonsense: 1\n", "").encode()
    assert hashes[1] == hashlib.sha256(good).hexdigest()
    kept("evidence", "verify")


def test_an_auditor_reads_the_trail_and_an_approver_adds_to_it(hf, tmp_path_factory, base):
    path = "/api/v1/approvals"
    with ApiHost(tmp_path_factory.mktemp("api")) as host:
        hf.env["HOLDFAST_STATE_DIR"] = f"{host.folder}/state"
        assert host.ask("GET", "/api/v1/evidence", "auditor").status == 404  # none is kept yet
        assert host.ask("GET", path, "viewer").json["approvals"] == []
        host.tell("success orders 60")
        yes = host.ask("POST", path, "approver", {"what": "run 1", "reason": "it was complete"})
        assert yes.status == 201 and yes.json["approval"]["actor"] == "token approver", yes
        no = host.ask("POST", path, "admin", {"what": "other: change 4711", "reason": "too risky", "decision": "refuse"})
        assert no.status == 201 and no.json["approval"]["action"] == "approval.refuse"
        for body, status in (({"what": "run 99", "reason": "x"}, 404), ({"what": "snapshot ab", "reason": "x"}, 404),
                             ({"what": "Run 1", "reason": "x"}, 400), ({"what": "other: ", "reason": "x"}, 400),
                             ({"what": "run x", "reason": "x"}, 400), ({"what": "run 1"}, 400), ({"reason": "x"}, 400)):
            assert host.ask("POST", path, "approver", body).status == status, body
        for scope in ("viewer", "operator", "auditor"):
            r = host.ask("POST", path, scope, {"what": "run 1", "reason": "x"})
            assert r.status == 403 and "it takes approver or admin" in r.json["message"]
        for scope in ("viewer", "operator", "approver"):
            for what in ("", "/lines", "/verify"):
                assert host.ask("GET", f"/api/v1/evidence{what}", scope).status == 403
        given = host.ask("GET", path, "viewer").json["approvals"]
        assert [(a["action"], a["subject"], a["actor"]) for a in given] == [
            ("approval.refuse", "other: change 4711", "token admin"), ("approval.grant", "run 1", "token approver")]
        assert given[1]["details"]["reason"] == "it was complete"
        assert given[1]["details"]["run"]["system"] == "orders"  # as it was when it was approved
        seen = host.ask("GET", "/api/v1/evidence?limit=2", "auditor").json["records"]
        assert [r["action"] for r in seen] == ["evidence.begin", "approval.grant"]
        more = host.ask("GET", "/api/v1/evidence?after=2", "auditor").json["records"]
        assert more[0]["action"] == "approval.refuse" and {r["outcome"] for r in more[1:]} == {"failed"}
        verdict = host.ask("GET", "/api/v1/evidence/verify", "auditor").json
        assert verdict["evidence"]["verdict"] == "whole" and verdict["evidence"]["records"] == len(seen) + len(more)
        assert verdict["verified"].startswith("20")
        # Page by page it is the chain, and the head fits: verified with nothing else of that host's but its public key.
        text = "".join(host.ask("GET", f"/api/v1/evidence/lines?after={n}&limit=3" if n else "/api/v1/evidence/lines?limit=3",
                                "auditor").text for n in range(0, len(seen) + len(more), 3))
        for name, content in (("chain", text), ("head", verdict["head"])):
            with open(f"{base}/{name}", "w", encoding="utf-8") as f:
                f.write(content)
        hf("evidence", "verify", f"{base}/chain", "--public-key", f"{host.folder}/state/evidence.pub", "--head", f"{base}/head",
           env={"HOLDFAST_STATE_DIR": f"{base}/nowhere"})
        shown = hf("evidence", "show").out
        assert "approval.grant" in shown and "token approver" in shown and "run 1" in shown
        # And one that was tampered with is told.
        log = f"{host.folder}/state/evidence.log"
        with open(log, "r+", encoding="utf-8") as f:
            damaged = f.read().replace("it was complete", "it was not mine")
            f.seek(0)
            f.write(damaged)
        verdict = host.ask("GET", "/api/v1/evidence/verify", "auditor").json["evidence"]
        assert (verdict["verdict"], verdict["line"]) == ("altered", 2)
        # One that is no record at all ends what is shown of it, and no newer approval.
        lines = damaged.splitlines(keepends=True)
        with open(log, "w", encoding="utf-8") as f:
            f.write(lines[0] + lines[1][:-9] + "\n" + "".join(lines[2:]))
        seen = host.ask("GET", "/api/v1/evidence", "auditor").json
        assert [r["action"] for r in seen["records"]] == ["evidence.begin"] and seen["damaged"]
        seen = host.ask("GET", path, "viewer").json
        assert [a["subject"] for a in seen["approvals"]] == ["other: change 4711"] and seen["damaged"]


def test_what_is_asked_for_over_the_api_is_recorded_with_who_asked(hf, tmp_path_factory):
    with ApiHost(tmp_path_factory.mktemp("api")) as host:
        hf.env["HOLDFAST_STATE_DIR"] = f"{host.folder}/state"
        hf("evidence", "key")
        hf.log = f"{host.folder}/state/evidence.log"
        assert host.ask("POST", "/api/v1/systems/orders/run", "operator", {"type": "full"}).status == 202
        assert host.ask("POST", "/api/v1/systems/nobody/run", "operator").status == 404
        assert host.ask("POST", "/api/v1/reload", "admin").status == 501
        assert host.ask("GET", "/api/v1/systems", "viewer").status == 200
        assert host.ask("POST", "/api/v1/reload", "viewer").status == 403
    seen = [(r["action"], r["outcome"], r["actor"], r["subject"]) for r in records(hf)[1:]]
    assert seen == [("job", "completed", "token operator", "orders"), ("job", "failed", "token operator", "nobody"),
                    ("config.load", "failed", "token admin", "")]
    assert records(hf)[1]["details"]["type"] == "full"
    hf("evidence", "verify")
