"""check --rules, status and check --tamper: 3-2-1-1-0, counted only where it is proven."""
import json
import os
import subprocess

import pytest

from conftest import need, need_root


class World:
    """Two repositories and a system, declared; each in a folder of its own."""

    def __init__(self, hf, base):
        self.hf, self.base, self.path = hf, str(base), f"{base}/h.yaml"
        os.makedirs(f"{base}/www")
        with open(f"{base}/www/a", "wb") as f:
            f.write(os.urandom(200000))
        self.far = "role: offsite, location: there, media: tape"
        self.tier = ""
        self.write()
        hf.env["HOLDFAST_CONFIG"] = self.path
        hf("-r", f"{base}/main", "init", "--new-key-file", f"{base}/main.key")
        hf("-r", f"{base}/far", "init", "--new-key-file", f"{base}/far.key")

    def write(self):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(f"""
repositories:
  main: {{url: {self.base}/main, role: primary, location: here, key: "file:{self.base}/main.key"}}
  far: {{url: {self.base}/far, {self.far}, key: "file:{self.base}/far.key"}}
tiers: {{gold: {{destinations: [main, far]{self.tier}}}}}
systems: {{www: {{tier: gold, sources: [{{files: {{paths: {self.base}/www}}}}]}}}}
""")

    def rules(self, rc):
        r = self.hf("--json", "check", "--rules", rc=rc)
        rules = {o["rule"]: o for o in r.json("item")}
        assert r.summary["missed"] == sum(not o["kept"] for o in rules.values())
        return rules

    def missed(self, rc=40):
        return {name for name, o in self.rules(rc).items() if not o["kept"]}

    def backup_and_check(self):
        self.hf("backup", "--system", "www")
        for name in ("main", "far"):
            self.hf("-r", name, "check")


@pytest.fixture
def world(hf, base):
    return World(hf, base)


def lock(path, on=True):
    """Only adding is allowed in each folder of packs, as far as the file system can."""
    flag = "+a" if on else "-a"
    folders = [p for p, _, _ in os.walk(f"{path}/packs")]
    p = subprocess.run(["chattr", flag, *folders], stderr=subprocess.PIPE)
    if p.returncode and on:
        pytest.skip(f"chattr +a does not work here: {p.stderr.decode()}")


@pytest.fixture
def locked(world):
    need("chattr")
    need_root()
    world.backup_and_check()
    try:
        lock(f"{world.base}/far")
        yield world
    finally:
        lock(f"{world.base}/far", on=False)


def test_a_declared_repository_is_no_copy_until_it_holds_one(world):
    assert world.missed() == {"copies", "media", "offsite", "immutable", "errors"}
    reason = world.rules(40)["copies"]["reason"]
    assert reason == "the original: 1 of 3; main holds no complete snapshot of it; " \
                     "far holds no complete snapshot of it"
    world.hf("backup", "--system", "www")
    assert world.missed() == {"immutable", "errors"}
    assert "main was never checked" in world.rules(40)["errors"]["reason"]
    world.hf("-r", "main", "check")
    world.hf("-r", "far", "check", "--read-data")
    assert world.missed() == {"immutable"}
    assert world.rules(40)["errors"]["reason"] == "all 2 copies were checked without errors, 1 with all data"


def test_all_rules_are_kept_once_the_lock_is_proven(locked):
    assert locked.missed() == {"immutable"}  # locked, but not proven
    r = locked.hf("--json", "-r", "far", "check", "--tamper")
    assert (r.summary["replaced"], r.summary["deleted"]) == (False, False)
    assert r.summary["pack_tried"] and not r.summary["pack_replaced"]
    assert locked.missed(rc=0) == set()
    assert locked.hf("check", "--rules").out.count(" kept ") >= 8
    assert os.path.basename(os.path.dirname(r.summary["object"])) in os.listdir(f"{locked.base}/far/packs")
    # What it left behind disturbs nobody.
    assert os.path.exists(f"{locked.base}/far/{r.summary['object']}")
    r = locked.hf("-r", "far", "check", "--read-data")
    assert "tamper" not in r.out + r.err
    # An old proof does not count.
    state = f"{locked.hf.env['HOLDFAST_STATE_DIR']}"
    (name,) = [n for n in os.listdir(state) if n.endswith(".tamper.json")]
    with open(f"{state}/{name}", encoding="utf-8") as f:
        proof = json.load(f)
    proof["when"] -= 32 * 86400 * 10**9
    with open(f"{state}/{name}", "w", encoding="utf-8") as f:
        json.dump(proof, f)
    assert "more than 31 days ago" in locked.rules(40)["immutable"]["reason"]


def test_a_store_that_can_be_changed_fails_and_loses_nothing(world):
    world.backup_and_check()
    before = {os.path.join(p, f) for p, _, fs in os.walk(f"{world.base}/far") for f in fs}
    r = world.hf("--json", "-r", "far", "check", "--tamper", rc=20)
    assert r.summary["replaced"] and r.summary["deleted"] and not r.summary["pack_tried"]
    after = {os.path.join(p, f) for p, _, fs in os.walk(f"{world.base}/far") for f in fs}
    assert before == after
    world.hf("-r", "far", "check", "--read-data")
    rule = world.rules(40)["immutable"]
    assert not rule["kept"] and "far did not withstand" in rule["reason"]


def test_without_a_pack_nothing_is_tried(world):
    r = world.hf("-r", "far", "check", "--tamper", rc=1)
    assert "no pack yet" in r.err and "back something up first" in r.err


def test_a_repository_that_is_away_is_told_and_counts_for_nothing(world):
    world.backup_and_check()
    os.rename(f"{world.base}/far", f"{world.base}/gone")
    rules = world.rules(40)
    assert "far cannot be looked at: far: " in rules["copies"]["reason"]
    assert not rules["offsite"]["kept"] and not rules["media"]["kept"]
    r = world.hf("check", "--rules", rc=40)
    assert "CANNOT BE OPENED" in r.out and "no such directory" in r.out


def test_what_is_declared_of_places_has_to_fit(world):
    world.backup_and_check()
    world.far = "role: offsite, location: here"
    world.write()
    rules = world.rules(40)
    assert {n for n, o in rules.items() if not o["kept"]} == {"media", "offsite", "roles", "immutable"}
    assert "far is at the location of a primary one" in rules["roles"]["reason"]
    assert "far has not been proven" in rules["immutable"]["reason"]
    world.far, world.tier = "role: offsite, location: there, media: tape", ", residency: [here]"
    world.write()
    assert world.missed() == {"residency", "immutable"}
    assert "far is at there" in world.rules(40)["residency"]["reason"]


def test_who_is_declared_of_a_family_has_to_be_kin(world):
    world.backup_and_check()
    world.far += ", family: acme"
    world.write()
    os.makedirs(f"{world.base}/h.d")
    with open(f"{world.base}/h.d/1.yaml", "w", encoding="utf-8") as f:
        f.write("repositories: {main: {family: acme}}\n")
    assert "far is not kin to its family" in world.rules(40)["roles"]["reason"]
    os.rename(f"{world.base}/far", f"{world.base}/stranger")
    world.hf("-r", "far", "init", "--family", "main")
    world.backup_and_check()
    assert world.missed() == {"immutable"}


def test_a_copy_that_was_damaged_when_last_checked_is_an_error(world):
    world.backup_and_check()
    (pack, *_) = [os.path.join(p, f) for p, _, fs in os.walk(f"{world.base}/far/packs") for f in fs]
    os.chmod(pack, 0o600)
    with open(pack, "r+b") as f:
        f.seek(100)
        f.write(b"damage")
    world.hf("-r", "far", "check", "--read-data", rc=20)
    assert "far was damaged when it was checked last" in world.rules(40)["errors"]["reason"]


def test_an_offline_copy_counts_while_it_is_away_as_it_was_seen(world):
    world.far += ", offline: yes"
    world.write()
    os.rename(f"{world.base}/far", f"{world.base}/unplugged")
    assert "immutable" in world.missed()  # never seen
    os.rename(f"{world.base}/unplugged", f"{world.base}/far")
    world.backup_and_check()
    rules = world.rules(40)
    assert "can be reached now" in rules["immutable"]["reason"]
    os.rename(f"{world.base}/far", f"{world.base}/unplugged")
    assert "far is offline" in world.rules(0)["immutable"]["reason"]
    assert "far: offline, as it was seen on" in world.hf("check", "--rules").out


def test_what_is_offline_has_to_be_absent_and_not_only_shut(world):
    world.far += ", offline: yes"
    world.write()
    world.backup_and_check()
    world.rules(40)  # seen
    os.rename(f"{world.base}/far.key", f"{world.base}/kept.key")
    world.hf("-r", f"{world.base}/main", "--key-file", f"{world.base}/main.key", "key", "add",
             "--new-key-file", f"{world.base}/far.key")
    missed = world.rules(40)
    assert not missed["immutable"]["kept"] and not missed["copies"]["kept"]


def test_one_password_opens_all_that_have_none_of_their_own(hf, base):
    for name in ("a", "b"):
        hf("-r", f"{base}/{name}", "init", env={"HOLDFAST_PASSWORD": "one for all"})
    with open(f"{base}/h.yaml", "w", encoding="utf-8") as f:
        f.write(f"repositories:\n  a: {{url: {base}/a}}\n  b: {{url: {base}/b}}\n")
    r = hf("-c", f"{base}/h.yaml", "check", "--rules", rc=40, env={"HOLDFAST_PASSWORD": "one for all"})
    assert "CANNOT BE OPENED" not in r.out


def test_one_repository_under_two_names_is_one_copy(world):
    world.hf("backup", "--system", "www")
    os.rename(f"{world.base}/far", f"{world.base}/gone")
    os.symlink(f"{world.base}/main", f"{world.base}/far")
    os.unlink(f"{world.base}/far.key")
    os.symlink(f"{world.base}/main.key", f"{world.base}/far.key")
    rules = world.rules(40)
    assert not rules["copies"]["kept"] and "same repository" in rules["roles"]["reason"]


def test_a_check_of_a_part_is_no_check_of_all_data(world):
    world.backup_and_check()
    world.hf("-r", "main", "check", "--read-data", "--read-data-subset", "50%")
    assert "0 with all data" in world.rules(40)["errors"]["reason"]


def test_without_a_configuration_there_is_nothing_to_judge(hf):
    for args in (("status",), ("check", "--rules")):
        assert "there is no configuration" in hf(*args, rc=2).err
    assert "don't go together" in hf("check", "--rules", "--tamper", rc=2).err
