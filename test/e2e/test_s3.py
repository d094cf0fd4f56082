"""A repository in a bucket of a real gateway: the story, what goes wrong on the way, and what is wrong from the start."""
import json
import os
import re
import sys
import time

import pytest

from conftest import FULL, need, restored, same_tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
from ceph_rgw import ACCESS, SECRET, CephRgw  # noqa: E402
from certs import Authority  # noqa: E402
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


def uploads(bucket):
    status, _, body = bucket.request("GET", query={"uploads": ""})
    assert status == 200
    return sorted(re.findall(r"<Key>(.*?)</Key>", body.decode()))


def test_uploads_that_a_crash_left_go_by_prune(remote, bucket, tree):
    tree.file("a", b"1")
    remote.backup(tree.path)
    ours, theirs = f"team/main/packs/ab/{'ab' * 32}", f"team/other/packs/ab/{'ab' * 32}"
    for key in (ours, theirs):
        assert bucket.request("POST", key, {"uploads": ""})[0] == 200
    remote("prune")  # somebody may be at it
    assert uploads(bucket) == [ours, theirs]
    remote("prune", "--exclusive")
    assert uploads(bucket) == [theirs]


def hurried(hf, stall="700ms", retries=6):
    """What takes a minute outside takes seconds here."""
    hf.env.update(HOLDFAST_STALL_TIMEOUT=stall, HOLDFAST_CONNECT_TIMEOUT="2s", HOLDFAST_RETRIES=str(retries))
    return hf


def delayed(proxy):
    proxy.delay = 0.25 if FULL else 0.02


def slow(proxy):
    proxy.rate = 125_000 if FULL else 4 * MIB


def resetting(proxy):
    proxy.reset_after = 18 * MIB


def holed(proxy):
    """Nothing arrives for a while, in the middle."""
    proxy.trip = (proxy.bytes + 2 * MIB, "black_hole", 30 if FULL else 1.5)


def refusing(proxy):
    proxy.trip = (proxy.bytes + 2 * MIB, "refuse", 1.5)


def bursting(proxy):
    proxy.busy, proxy.retry_after = 3, 1


@pytest.mark.parametrize("fault", [delayed, slow, resetting, holed, refusing, bursting])
def test_a_bad_network_costs_time_and_nothing_else(hf, bucket, tree, base, rng, fault):
    tree.file("large", rng.randbytes(20 * MIB if fault is resetting else 5 * MIB))
    tree.file("text", b"a line\n" * 10_000)
    with FaultProxy(bucket.endpoint.port) as proxy:
        hurried(init(at(hf, bucket, proxy.port)))
        fault(proxy)
        snapshot = hf.backup(tree.path)
        fault(proxy)
        hf("check", "--read-data")
        fault(proxy)
        hf("restore", snapshot, "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def fails_cleanly(result):
    assert result.rc == 1 and "hint:" in result.err and SECRET not in result.err
    assert "crashed" not in result.err


@pytest.mark.parametrize("mode", ["black_hole", "refuse"])
def test_a_store_that_dies_ends_the_run_soon_and_a_repeat_goes_on(hf, bucket, tree, base, rng, mode):
    for i in range(12):
        tree.file(f"large{i}", rng.randbytes(3 * MIB))
    with FaultProxy(bucket.endpoint.port) as proxy:
        hurried(init(at(hf, bucket, proxy.port)), stall="1s", retries=1)
        proxy.trip = (proxy.bytes + 20 * MIB, mode, None)
        fails_cleanly(hf("backup", tree.path, rc=None, timeout=60))
        fails_cleanly(hf("snapshots", rc=None, timeout=60))
        proxy.mode = "pass"
        hf("check")
        snapshot = hf.backup(tree.path)
        proxy.trip = (proxy.bytes + 10 * MIB, mode, None)
        fails_cleanly(hf("restore", snapshot, "--target", base / "out", rc=None, timeout=60))
        proxy.mode = "pass"
        hf("restore", snapshot, "--target", base / "out", "--overwrite", "if-changed")
        hf("check", "--read-data")
    same_tree(tree.path, restored(base / "out", tree.path))


def test_a_store_that_is_busy_for_ever_is_given_up(hf, bucket, tree):
    tree.file("a", b"1")
    with FaultProxy(bucket.endpoint.port) as proxy:
        hurried(init(at(hf, bucket, proxy.port)), retries=2)
        proxy.busy = 10**6
        failed = hf("backup", tree.path, rc=1, timeout=60)
        assert "503" in failed.err and "hint:" in failed.err


def test_an_init_that_is_cut_off_leaves_no_repository_and_can_be_repeated(hf, bucket, tree):
    tree.file("a", b"1")
    with FaultProxy(bucket.endpoint.port) as proxy:
        hurried(at(hf, bucket, proxy.port), retries=1)
        for after in (0, 1500, 4000, 7000):
            proxy.mode, proxy.trip = "pass", (proxy.bytes + after, "refuse", None)
            failed = hf("init", "--new-key-file", f"{hf.base}/key", rc=None, timeout=60)
            if failed.rc == 0:
                break
            assert "team/main/config" not in bucket.keys()
            if os.path.exists(f"{hf.base}/key"):
                os.unlink(f"{hf.base}/key")
        proxy.mode, proxy.trip = "pass", None
        if failed.rc:
            hf("init", "--new-key-file", f"{hf.base}/key")
        hf.key_file = f"{hf.base}/key"
        hf.backup(tree.path)


def test_secrets_are_in_no_output_process_list_or_core_dump(hf, bucket, tree, rng):
    tree.file("a", rng.randbytes(MIB))
    with FaultProxy(bucket.endpoint.port) as proxy:
        hurried(init(at(hf, bucket, proxy.port)), stall="20s")
        proxy.trip = (proxy.bytes + MIB // 2, "black_hole", None)
        run = hf.start("-v", "backup", tree.path)
        deadline = time.monotonic() + 120
        while proxy.mode != "black_hole" and time.monotonic() < deadline:
            time.sleep(0.01)
        with open(f"/proc/{run.pid}/cmdline", "rb") as f:
            assert SECRET.encode() not in f.read()
        with open(f"/proc/{run.pid}/coredump_filter") as f:
            assert int(f.read(), 16) == 0
        run.terminate()
        out, err = run.communicate(timeout=120)
    assert run.returncode == 130
    for text in (out, err):
        assert SECRET.encode() not in text and b"Signature" not in text


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
    hurried(hf)
    hf.env.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="y")
    failed = hf("-r", url, "init", "--new-key-file", f"{hf.base}/key", rc=rc)
    assert words in failed.err
    assert not os.path.exists(f"{hf.base}/key")


def test_a_bucket_that_is_not_there(hf, gateway):
    hf.env.update(AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET)
    failed = hf("-r", f"s3:{gateway.endpoint}/nobodys-bucket/x", "init", "--new-key-file", f"{hf.base}/key", rc=10)
    assert "no such bucket" in failed.err


def test_a_clock_an_hour_off_is_named(hf, bucket, tree):
    need("faketime")
    at(hf, bucket)
    for offset in ("-1h", "+1h"):
        failed = hf("init", "--new-key-file", f"{hf.base}/key", rc=1,
                    env={"LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "FAKETIME": offset})
        assert "clock" in failed.err
        assert bucket.keys() == []


NEEDED = ["PutObject", "GetObject", "ListBucket", "DeleteObject"]


@pytest.fixture(scope="module")
def limited_user(gateway):
    gateway.user("limited", "AKLIMITED", "SKLIMITED1234567")


@pytest.mark.parametrize("missing", NEEDED)
def test_a_missing_permission_is_named_at_init_and_leaves_nothing(hf, bucket, limited_user, tree, missing):
    them = {"Principal": {"AWS": ["arn:aws:iam:::user/limited"]},
            "Resource": [f"arn:aws:s3:::{bucket.name}", f"arn:aws:s3:::{bucket.name}/*"]}
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": [f"s3:{verb}" for verb in NEEDED if verb != missing], **them},
        {"Effect": "Deny", "Action": [f"s3:{missing}"], **them}]}
    status, _, body = bucket.request("PUT", query={"policy": ""}, body=json.dumps(policy).encode())
    assert status in (200, 204), body
    at(hf, bucket)
    hf.env.update(AWS_ACCESS_KEY_ID="AKLIMITED", AWS_SECRET_ACCESS_KEY="SKLIMITED1234567")
    if missing == "DeleteObject":  # who may only add is safe, not wrong
        tree.file("a", b"1")
        init(hf).backup(tree.path)
        hf("check", "--read-data")
        return
    failed = hf("init", "--new-key-file", f"{hf.base}/key", rc=1)
    assert f"s3:{missing}" in failed.err and "hint:" in failed.err
    assert bucket.keys() == []


def test_odd_names_of_buckets_and_prefixes_work(hf, gateway, tree):
    tree.file("a", b"1")
    for name, prefix in (("dots.in.the.name", "x"), ("plain-name", "we ird+&=~\u00fc%20'()*!/b")):
        bucket = Bucket(gateway.endpoint, name, ACCESS, SECRET).make()
        init(at(hf, bucket, prefix=prefix)).backup(tree.path)
        hf("check", "--read-data")
        os.unlink(hf.key_file)


def test_over_tls_with_an_authority_of_our_own(hf, bucket, tree, base, rng):
    tree.file("large", rng.randbytes(20 * MIB))
    authority = Authority(base)
    with FaultProxy(bucket.endpoint.port, tls=authority.server()) as proxy:
        at(hf, bucket, proxy.port)
        hf.repo = hf.repo.replace("http://", "")
        hf.env["HOLDFAST_CA_FILE"] = authority.ca_file
        snapshot = init(hf).backup(tree.path)
        hf("restore", snapshot, "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


@pytest.mark.parametrize("wrong, words", [
    ("authority", "HOLDFAST_CA_FILE"), ("host", "right host"), ("ended", "clock"), ("file", "PEM")])
def test_a_certificate_that_does_not_fit_is_refused(hf, bucket, base, wrong, words):
    authority = Authority(base)
    tls = {"host": authority.other_host, "ended": lambda: authority.server(ended=True)}.get(wrong, authority.server)()
    with FaultProxy(bucket.endpoint.port, tls=tls) as proxy:
        hurried(at(hf, bucket, proxy.port))
        hf.repo = hf.repo.replace("http://", "")
        if wrong != "authority":
            hf.env["HOLDFAST_CA_FILE"] = f"{base}/none.pem" if wrong == "file" else authority.ca_file
        failed = hf("init", "--new-key-file", f"{hf.base}/key", rc=None)
        assert failed.rc in (1, 2) and words in failed.err.split("hint:")[1]
    assert bucket.keys() == []


def test_a_bucket_can_be_part_of_the_host_s_name(hf, bucket, tree):
    tree.file("a", os.urandom(100_000))
    at(hf, bucket)
    hf.repo = hf.repo.replace("127.0.0.1", "localhost")
    hf.env["HOLDFAST_S3_BUCKET_LOOKUP"] = "dns"
    init(hf).backup(tree.path)
    hf("check", "--read-data")
    at(hf, bucket)
    hf("-o", "s3.bucket-lookup=path", "check")
    assert all(k.startswith("team/main/") for k in bucket.keys())


def test_what_is_locked_cannot_be_deleted(hf, gateway, tree):
    bucket = Bucket(gateway.endpoint, "locked", ACCESS, SECRET).make(lock=True)
    tree.file("a", os.urandom(100_000))
    at(hf, bucket)
    hf.env["HOLDFAST_S3_OBJECT_LOCK"] = "1d"
    init(hf).backup(tree.path)
    hf("check", "--read-data")
    _, _, versions = bucket.request("GET", query={"versions": ""})
    found = re.findall(r"<Key>(.*?)</Key><VersionId>(.*?)</VersionId>", versions.decode())
    refused = {key.split("/")[2] for key, version in found
               if bucket.request("DELETE", key, {"versionId": version})[0] == 403}
    assert refused == {"config", "keys", "packs", "meta", "index", "snapshots"}


def test_a_lock_in_a_bucket_that_has_none_is_refused_by_init(hf, bucket):
    at(hf, bucket)
    failed = hf("-o", "s3.object-lock=1d", "init", "--new-key-file", f"{hf.base}/key", rc=1)
    assert "object lock" in failed.err and "hint:" in failed.err and bucket.keys() == []


def test_a_class_that_the_store_does_not_know_is_told(hf, bucket, tree):
    tree.file("a", os.urandom(100_000))
    init(at(hf, bucket))
    failed = hf("-o", "s3.storage-class=NO_SUCH_CLASS", "backup", tree.path, rc=None)
    assert failed.rc in (1, 2) and "storage" in failed.err.lower()
    hf.backup(tree.path)


def test_an_unchanged_backup_lists_and_asks_for_little(remote, tree):
    for i in range(50):
        tree.file(f"f{i}", b"%d" % i)
    for _ in range(3):
        remote.backup(tree.path)
    few = remote("--json", "backup", tree.path).summary["requests"]
    for i in range(20):
        tree.file(f"more{i}", os.urandom(1000))
        remote.backup(tree.path)
    many = remote("--json", "backup", tree.path).summary["requests"]
    for asked in (few, many):
        assert asked["list"] <= 4 and asked["get"] <= 6 and asked["head"] <= 10, asked
        assert asked["delete"] == 0
    # 20 packs, snapshots and indexes more; config is looked at again where it changed meanwhile.
    assert all(many[verb] <= few[verb] + 2 for verb in ("get", "head", "list", "put"))
