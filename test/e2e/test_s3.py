"""A repository in a bucket of a real gateway: the story, what goes wrong on the way, and what is wrong from the start."""
import os
import sys

import pytest

from conftest import restored, same_tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
from ceph_rgw import ACCESS, SECRET, CephRgw  # noqa: E402
from fault_proxy import FaultProxy  # noqa: E402
from s3 import Bucket  # noqa: E402

MIB = 1 << 20


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with CephRgw(tmp_path_factory.mktemp("rgw")) as server:
        yield server.up()


@pytest.fixture
def bucket(gateway, request):
    name = f"b{abs(hash(request.node.name)) % 10**12}"
    return Bucket(gateway.endpoint, name, ACCESS, SECRET).make()


def at(hf, bucket, port=None, prefix="team/main"):
    hf.repo = f"s3:http://127.0.0.1:{port or bucket.endpoint.port}/{bucket.name}/{prefix}"
    hf.env.update(AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET, AWS_EC2_METADATA_DISABLED="true")
    return hf


def init(hf):
    hf.key_file = None
    hf("init", "--new-key-file", f"{hf.base}/key")
    hf.key_file = f"{hf.base}/key"
    return hf


@pytest.fixture
def remote(hf, bucket):
    return init(at(hf, bucket))


def test_the_whole_story_in_a_bucket(remote, bucket, tree, base, rng):
    tree.every_kind()
    tree.file("large", rng.randbytes(40 * MIB))
    first = remote.backup(tree.path)
    os.unlink(tree.at("large"))
    second = remote.backup(tree.path)
    remote("check", "--read-data")
    remote("restore", second, "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))
    remote("forget", first, "--now")
    remote("prune", "--exclusive")
    remote("check", "--read-data")
    assert all(k.startswith("team/main/") for k in bucket.keys())
    assert not [k for k in bucket.keys() if k.startswith("team/main/tmp/probe")]
    status, _, body = bucket.request("GET", query={"uploads": ""})
    assert status == 200 and b"<UploadId>" not in body


def test_two_repositories_share_a_bucket_and_do_not_meet(hf, bucket, tree):
    tree.file("a", b"1")
    for prefix in ("one", "two", "one/more"):
        init(at(hf, bucket, prefix=prefix)).backup(tree.path)
        os.unlink(hf.key_file)
        hf.key_file = None
    assert len({k.split("/config")[0] for k in bucket.keys() if k.endswith("config")}) == 3


@pytest.mark.parametrize("fault", ["delay", "slow", "resets", "cut"])
def test_a_bad_network_costs_time_and_nothing_else(hf, bucket, tree, base, rng, fault):
    tree.file("large", rng.randbytes(20 * MIB if fault == "resets" else 3 * MIB))
    tree.file("text", b"a line\n" * 10_000)
    with FaultProxy(bucket.endpoint.port) as proxy:
        at(hf, bucket, proxy.port)
        if fault == "delay":
            proxy.delay = 0.25
        elif fault == "slow":
            proxy.rate = MIB
        init(hf)
        if fault == "resets":
            proxy.reset_after = 18 * MIB
        elif fault == "cut":
            proxy.mode = "refuse"
            failed = hf("backup", tree.path, rc=1)
            assert "hint" in failed.err or "reset" in failed.err or "connect" in failed.err.lower()
            proxy.mode = "pass"
        snapshot = hf.backup(tree.path)
        hf("check", "--read-data")
        hf("restore", snapshot, "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


WRONG = {
    "access key": ({"AWS_ACCESS_KEY_ID": "NOSUCHKEY"}, "access key"),
    "secret": ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "secret"),
    "no keys": ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "AWS_ACCESS_KEY_ID"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_credentials_are_told_with_a_hint_and_leave_nothing(hf, bucket, what):
    env, hint = WRONG[what]
    at(hf, bucket)
    failed = hf("init", "--new-key-file", f"{hf.base}/key", rc=1, env=env)
    assert hint in failed.err and "hint:" in failed.err
    assert SECRET not in failed.err and "wrong" not in failed.err.split("hint:")[0]
    assert bucket.keys() == []


@pytest.mark.parametrize("url, rc, words", [
    ("s3:http://127.0.0.1:1/bucket/x", 1, "onnect"),
    ("s3:http://127.0.0.1", 2, "bucket is missing"),
    ("s3:", 2, "host"),
    ("s3:http://key:secret@127.0.0.1/bucket", 2, "credentials do not belong"),
    ("s3:http://127.0.0.1/b", 2, "bucket's name"),
    ("s3:no-such-host.invalid/bucket", 1, "name"),
])
def test_places_that_are_none(hf, url, rc, words):
    hf.env.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="y")
    failed = hf("-r", url, "init", "--new-key-file", f"{hf.base}/key", rc=rc)
    assert words in failed.err
    assert not os.path.exists(f"{hf.base}/key")


def test_a_bucket_that_is_not_there(hf, gateway):
    hf.env.update(AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET)
    failed = hf("-r", f"s3:{gateway.endpoint}/nobodys-bucket/x", "init", "--new-key-file", f"{hf.base}/key", rc=10)
    assert "no such bucket" in failed.err


def test_a_clock_an_hour_off_is_named(hf, bucket, tree):
    from server import need_programs
    need_programs("faketime")
    at(hf, bucket)
    failed = hf("init", "--new-key-file", f"{hf.base}/key", rc=None,
                env={"LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "FAKETIME": "-2h"})
    assert failed.rc == 1 and "clock" in failed.err


def test_an_unchanged_backup_lists_and_asks_for_little(remote, bucket, tree, gateway):
    for i in range(50):
        tree.file(f"f{i}", b"%d" % i)
    with FaultProxy(bucket.endpoint.port) as proxy:
        at(remote, bucket, proxy.port)
        remote.backup(tree.path)
        remote.backup(tree.path)
        before = proxy.bytes
        remote.backup(tree.path)
        assert proxy.bytes - before < 64 * 1024
