"""Packs in cold storage: what sleeps there is told, with time and cost, thawed only when asked to, and waited for.

Moto plays S3: it refuses to give what is in an archive until it was asked to thaw it and then looked at a number of
times (moto_s3.thaws_after). Hours, bills and expired copies it does not know.
"""
import os
import re
import signal
import subprocess
import sys

import pytest

from conftest import need, restored, same_tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
import azurite  # noqa: E402
from fault_proxy import FaultProxy  # noqa: E402
from gcs import Gcs  # noqa: E402
from moto_s3 import Moto  # noqa: E402
from places import missing  # noqa: E402
from s3 import Bucket  # noqa: E402
from server import need_programs  # noqa: E402

SOON = ("--thaw-poll", "50ms")


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    need_programs("moto_server")
    with Moto(tmp_path_factory.mktemp("moto")) as server:
        yield server.up()


@pytest.fixture
def cold(hf, moto, request):
    """A repository of this machine's in a bucket of its own, whose packs of content go to an archive."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[-50:].strip("-")
    hf.bucket = Bucket(moto.thaws_after(0).endpoint, name, "AK", "SK").make()
    hf.repo = f"s3:{moto.endpoint}/{name}/main"
    hf.env.update(AWS_ACCESS_KEY_ID="AK", AWS_SECRET_ACCESS_KEY="SK", AWS_EC2_METADATA_DISABLED="true",
                  HOLDFAST_S3_STORAGE_CLASS="DEEP_ARCHIVE")
    hf("init", "--new-key-file", f"{hf.base}/key")
    hf.key_file = f"{hf.base}/key"
    return hf


def asked(moto, hf):
    """How often each object of this bucket was asked to thaw."""
    with open(moto.path("moto.log")) as f:
        keys = re.findall(rf'"POST /{hf.bucket.name}/(\S+?)\?restore', f.read())
    return {k: keys.count(k) for k in keys}


def packs(hf):
    return [k for k in hf.bucket.keys() if k.startswith("main/packs/")]


def two_packs(hf, tree, rng):
    """Two snapshots, each with a pack of its own; the ids."""
    tree.file("a", rng.randbytes(300_000))
    first = hf.backup(tree.path)
    tree.file("sub/b", rng.randbytes(300_000))
    return first, hf.backup(tree.path)


def test_all_but_content_works_while_content_sleeps(cold, tree, rng):
    first, second = two_packs(cold, tree, rng)
    subprocess.run(["rm", "-rf", f"{cold.base}/cache", f"{cold.base}/state"], check=True)  # another machine
    tree.file("c", b"new")
    cold("backup", tree.path)
    cold("backup", "--type", "full", tree.path)
    assert cold("check").err == ""
    for argv in (("snapshots",), ("ls", "-R", first), ("diff", first, second), ("find", "b"), ("stats",),
                 ("tag", "--add", "x", first), ("forget", "--now", first), ("prune",), ("repair",)):
        assert "InvalidObjectState" not in cold(*argv).err


def test_a_restore_tells_time_and_cost_and_pays_nothing_unasked(cold, moto, tree, rng, base):
    _, snapshot = two_packs(cold, tree, rng)
    for argv, rc in (((), 1), (("--dry-run",), 0), (("--dry-run", "--thaw", "bulk"), 0), (("--no-wait",), 1)):
        told = cold("restore", snapshot, "--target", base / "out", *argv, rc=rc)
        assert "DEEP_ARCHIVE" in told.out and "48 h" in told.out and "12 h" in told.out and "USD" in told.out
        assert not os.path.exists(base / "out")
    failed = cold("--json", "restore", snapshot, "--target", base / "out", rc=1)
    assert failed.error["kind"] == "cold" and "--thaw" in failed.error["hint"]
    thaw = failed.json("item")[0]["thaw"]
    assert thaw["asleep"]["packs"] == thaw["needed"]["packs"] == len(packs(cold)) == 2
    offers = {o["speed"]: o for o in thaw["offers"]}
    assert offers["bulk"]["seconds"] == 48 * 3600 and 0 < offers["bulk"]["cost"] < offers["standard"]["cost"]
    assert not offers["expedited"]["offered"]
    dear = cold("--json", "restore", snapshot, "--target", base / "out", "--thaw-price", "bulk=0:1000000", rc=1)
    assert dear.json("item")[0]["thaw"]["offers"][0]["cost"] >= 2000
    assert "--thaw-price" in cold("restore", snapshot, "--target", base / "out", "--thaw-price", "slow=1", rc=2).err
    cold("restore", snapshot, "--target", base / "out", "--thaw", "expedited", rc=2)
    assert asked(moto, cold) == {}


def test_a_restore_asks_once_waits_and_restores(cold, moto, tree, rng, base):
    _, snapshot = two_packs(cold, tree, rng)
    moto.thaws_after(6)
    failed = cold("restore", snapshot, "--target", base / "out", "--thaw", "bulk", "--no-wait", rc=3)
    assert "thaw" in failed.err and not os.path.exists(base / "out")
    done = cold("restore", snapshot, "--target", base / "out", "--thaw", "standard", *SOON)
    assert "thawing" in done.out and "waiting for packs to thaw" in done.err
    same_tree(tree.path, restored(base / "out", tree.path))
    assert asked(moto, cold) == {k: 1 for k in packs(cold)}
    cold("restore", snapshot, "--target", base / "again")  # awake by now
    cold.check_clean()


def test_only_what_is_needed_is_thawed(cold, moto, tree, rng, base):
    first, second = two_packs(cold, tree, rng)
    cold("restore", f"{second}:{tree.path.decode()}/sub", "--target", base / "sub", "--thaw", "bulk", *SOON)
    assert len(asked(moto, cold)) == 1 < len(packs(cold))
    with open(base / "sub" / "b", "rb") as f, open(tree.at("sub/b"), "rb") as g:
        assert f.read() == g.read()
    # What is in the target already is not read again, so it isn't thawed.
    with open(tree.at("a"), "rb") as f:
        same = f.read()
    os.makedirs(os.path.dirname(restored(base / "out", tree.at("a"))))
    with open(restored(base / "out", tree.at("a")), "wb") as f:
        f.write(same)
    os.utime(restored(base / "out", tree.at("a")), ns=(0, os.stat(tree.at("a")).st_mtime_ns))
    cold("restore", second, "--target", base / "out", "--overwrite", "if-changed")
    same_tree(tree.path, restored(base / "out", tree.path))
    assert len(asked(moto, cold)) == 1
    cold("restore", second, "--target", base / "all", "--thaw", "bulk", *SOON)  # the other one alone
    assert asked(moto, cold) == {k: 1 for k in packs(cold)}


def test_a_target_that_is_refused_costs_nothing(cold, moto, tree, rng, base):
    _, snapshot = two_packs(cold, tree, rng)
    os.makedirs(base / "out")
    open(base / "out" / "x", "w").close()
    assert "not empty" in cold("restore", snapshot, "--target", base / "out", "--thaw", "bulk", rc=2).err
    assert asked(moto, cold) == {}


def thaw_for_ever(hf, moto, argv):
    moto.thaws_after(1)
    hf(*argv, "--no-wait", rc=3)
    for key in packs(hf):  # which begins to thaw when it is looked at
        hf.bucket.request("HEAD", key)
    moto.thaws_after(1_000_000)


def until_told(p, words):
    told = b""
    while words not in told:
        line = p.stderr.readline()
        assert line, told
        told += line


def test_an_interrupted_wait_goes_on_with_the_same_command(cold, moto, tree, rng, base):
    _, snapshot = two_packs(cold, tree, rng)
    argv = ("restore", snapshot, "--target", base / "out", "--thaw", "bulk", *SOON)
    thaw_for_ever(cold, moto, argv)
    p = cold.start(*argv)
    until_told(p, b"waiting")
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=60)
    assert p.returncode == 130 and b"same command" in err, err
    assert not os.path.exists(base / "out")
    moto.thaws_after(1)
    cold(*argv)
    same_tree(tree.path, restored(base / "out", tree.path))
    assert asked(moto, cold) == {k: 1 for k in packs(cold)}


def test_a_store_that_is_away_for_a_while_does_not_end_the_wait(cold, moto, tree, rng, base):
    _, snapshot = two_packs(cold, tree, rng)
    argv = ("restore", snapshot, "--target", base / "out", "--thaw", "bulk", *SOON)
    thaw_for_ever(cold, moto, argv)
    with FaultProxy(moto.port) as proxy:
        cold.repo = cold.repo.replace(str(moto.port), str(proxy.port))
        p = cold.start(*argv, env={"HOLDFAST_RETRIES": "1"})
        until_told(p, b"waiting")
        proxy.mode = "refuse"
        until_told(p, b"looked at again later")
        proxy.mode = "pass"
        moto.thaws_after(1)
        _, err = p.communicate(timeout=120)
        assert p.returncode == 0, err
    same_tree(tree.path, restored(base / "out", tree.path))


def test_what_else_reads_content_says_that_it_sleeps_and_calls_it_no_damage(cold, tree, rng, base):
    _, snapshot = two_packs(cold, tree, rng)
    checked = cold("--json", "check", "--read-data", rc=3)
    assert checked.summary["asleep_packs"] == 2 and checked.summary["damaged_objects"] == 0
    assert "--thaw" in cold("cat", f"{snapshot}:{tree.path.decode()}/a", rc=1).err
    other = f"{base}/copies"
    cold("-r", other, "init", "--new-key-file", f"{base}/copies.key")
    copied = cold("-r", other, "--key-file", f"{base}/copies.key", "copy", "--from-repo", cold.repo,
                  "--from-key-file", cold.key_file, env={"HOLDFAST_S3_STORAGE_CLASS": None}, rc=1)
    assert "--thaw" in copied.err and "damaged" not in copied.err
    cold("restore", snapshot, "--target", base / "out", "--thaw", "bulk", "--no-wait", rc=3)
    cold("check", "--read-data")
    cold("-r", other, "--key-file", f"{base}/copies.key", "copy", "--from-repo", cold.repo, "--from-key-file",
         cold.key_file)


def test_repair_by_parity_passes_over_what_sleeps(cold, tree, rng, base):
    two_packs(cold, tree, rng)
    told = cold("--json", "repair", "--add-parity", "10%", rc=3)
    assert told.summary["asleep_packs"] == 2 and told.summary["parity_written"] > 0
    assert not [k for k in cold.bucket.keys() if k.startswith("main/parity/packs/")]
    tree.file("c", rng.randbytes(1000))
    snapshot = cold.backup(tree.path)  # with parity from now on
    assert len([k for k in cold.bucket.keys() if k.startswith("main/parity/packs/")]) == 1
    cold("restore", snapshot, "--target", base / "out", "--thaw", "bulk", *SOON)
    assert cold("--json", "repair").summary["asleep_packs"] == 0
    assert len([k for k in cold.bucket.keys() if k.startswith("main/parity/packs/")]) == 3
    cold.check_clean()


def test_what_thaws_for_ever_is_not_waited_for_for_ever(cold, moto, tree, rng, base):
    need("faketime")
    tree.file("a", rng.randbytes(300_000))
    snapshot = cold.backup(tree.path)
    restore = ("restore", snapshot, "--target", base / "out", "--thaw", "standard")
    thaw_for_ever(cold, moto, restore)
    # A second of the machine's is two days of the clock's.
    slow = [x for name in ("connect", "stall", "request") for x in ("-o", f"{name}-timeout=90d")]
    argv = ["faketime", "-f", "+0 x160000", *cold.argv(*restore, "--thaw-poll", "12h", *slow)]
    p = subprocess.run(argv, env=cold.environment(), stderr=subprocess.PIPE, timeout=120, check=False)
    assert p.returncode == 1 and b"long after it should be readable" in p.stderr, p.stderr
    moto.thaws_after(0)


def test_prune_pays_no_early_deletion_fee_unasked(cold, tree, rng):
    need("faketime")
    first, second = two_packs(cold, tree, rng)
    os.unlink(tree.at("a"))
    os.unlink(tree.at("sub/b"))
    cold("backup", tree.path)
    cold("forget", "--now", first, second)
    pruned = cold("--json", "prune", "--exclusive").summary
    assert pruned["paid_packs"] == 2 and len(packs(cold)) == 2 and pruned["early_deletion"] > 0
    rows = cold("prune", "--exclusive", "--dry-run").out
    assert rows.count("keep ") == 2 and "DEEP_ARCHIVE is paid for until" in rows and "--pay-for-cold" in rows
    # Later; and where a rule of the bucket has moved them there when they were 30 days old.
    cold.env["HOLDFAST_S3_STORAGE_CLASS"] = None
    rule = ("-o", "s3.archive-after=30d", "-o", "s3.archive-class=DEEP_ARCHIVE")
    put = ("-o", "s3.storage-class=DEEP_ARCHIVE")
    for days, word, option in ((179, "keep", put), (181, "delete", put), (181, "keep", rule), (213, "delete", rule),
                               (999, "keep", ())):  # by a rule that nobody told of: nobody knows when
        argv = ["faketime", f"+{days} days", *cold.argv(*option, "prune", "--exclusive", "--dry-run")]
        out = subprocess.run(argv, env=cold.environment(), stdout=subprocess.PIPE, check=True).stdout.decode()
        assert len(re.findall(rf"^{word} +packs/", out, re.M)) == 2, out
    assert cold("--json", "prune", "--exclusive", "--pay-for-cold").summary["packs_deleted"] == 2
    assert packs(cold) == []
    cold("check")


def test_what_is_kept_for_its_fee_is_used_again(cold, tree, rng):
    content = rng.randbytes(300_000)
    tree.file("a", content)
    first = cold.backup(tree.path)
    os.unlink(tree.at("a"))
    cold("backup", tree.path)
    cold("forget", "--now", first)
    cold("prune", "--exclusive")
    tree.file("again", content)
    cold("backup", tree.path)
    assert len(packs(cold)) == 1
    cold("check")


@pytest.mark.parametrize("kind", ["STANDARD_IA", "DEEP_ARCHIVE"])
def test_prune_reads_nothing_that_costs_unasked(cold, moto, tree, rng, kind):
    cold.env["HOLDFAST_S3_STORAGE_CLASS"] = kind
    for i in range(4):
        tree.file(f"{i}", rng.randbytes(200_000))
    first = cold.backup(tree.path)
    os.unlink(tree.at("0"))
    second = cold.backup(tree.path)
    assert first != second
    cold("forget", "--now", first)
    before = packs(cold)
    cold("prune", "--exclusive", "--max-unused", "0%", "--repack")
    assert packs(cold) == before
    cold("prune", "--exclusive", "--max-unused", "0%", "--repack", "--pay-for-cold")
    assert (packs(cold) == before) == (kind == "DEEP_ARCHIVE")  # which cannot be read, whoever pays
    assert asked(moto, cold) == {}
    cold("check")


# ---- Azure's emulator has the archive tier, and leaves it at once when it is asked to.

@pytest.fixture(scope="module")
def account(tmp_path_factory):
    if missing("azure"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("azurite is not installed")
    with azurite.Azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server.up().make("acme")


def test_azure_s_archive_is_left_for_good(hf, account, tree, rng, base):
    hf.repo = f"azure:{azurite.ACCOUNT}/acme/main"
    hf.env.update(account.reached_by(), AZURE_STORAGE_KEY=azurite.KEY, HOLDFAST_AZURE_TIER="Archive")
    hf("init", "--new-key-file", f"{hf.base}/key")
    hf.key_file = f"{hf.base}/key"
    _, snapshot = two_packs(hf, tree, rng)
    hf("check")
    told = hf("--json", "restore", snapshot, "--target", base / "out", rc=1)
    thaw = told.json("item")[0]["thaw"]
    assert thaw["classes"][0]["class"] == "Archive" and thaw["offers"][1]["early_deletion"] > 0
    hf("restore", snapshot, "--target", base / "out", "--thaw", "bulk", rc=2)
    hf("restore", snapshot, "--target", base / "out", "--thaw", "standard", *SOON)
    same_tree(tree.path, restored(base / "out", tree.path))
    _, _, body = account.request("GET", "/acme", {"restype": "container", "comp": "list", "prefix": "main/packs/"})
    assert set(re.findall("<AccessTier>(.*?)<", body.decode())) == {"Hot"}


# ---- Google's archive is read like anything else, and asks a fee of who deletes early.

def test_google_s_classes_are_chosen_and_kept_for_their_time(hf, tmp_path_factory, tree, rng, base):
    need("openssl")
    with Gcs(tmp_path_factory.mktemp("gcs")).up() as server:
        hf.repo = "gcs:suite/main"
        hf.env.update(server.reached_by(), HOLDFAST_GCS_STORAGE_CLASS="ARCHIVE")
        hf("init", "--new-key-file", f"{hf.base}/key")
        hf.key_file = f"{hf.base}/key"
        first, second = two_packs(hf, tree, rng)
        hf("restore", second, "--target", base / "out")
        same_tree(tree.path, restored(base / "out", tree.path))
        hf("forget", "--now", first, second)
        pruned = hf("--json", "prune", "--exclusive").summary
        assert pruned["paid_packs"] == 2 and pruned["packs_deleted"] == 2  # those of trees
        assert hf("--json", "prune", "--exclusive", "--pay-for-cold").summary["packs_deleted"] == 2
