"""What a bucket of a real gateway is asked to keep: locks, who may not delete, the rules of its life cycle."""
import base64
import datetime
import hashlib
import json
import os
import re
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
from ceph_rgw import ACCESS, SECRET, CephRgw  # noqa: E402
from s3 import Bucket  # noqa: E402


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with CephRgw(tmp_path_factory.mktemp("rgw")) as server:
        yield server.up(classes=["GLACIER"])


def declare(hf, base, bucket, more=""):
    with open(f"{base}/h.yaml", "w", encoding="utf-8") as f:
        f.write(f"""
repositories:
  far: {{url: "s3:{bucket.endpoint.geturl()}/{bucket.name}/r", role: offsite, location: cloud,
         key: "file:{base}/far.key"{more}}}
""")
    hf.env.update(HOLDFAST_CONFIG=f"{base}/h.yaml", AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET,
                  AWS_EC2_METADATA_DISABLED="true")
    hf("-r", "far", "init", "--new-key-file", f"{base}/far.key")


def rule(hf, name):
    return {o["rule"]: o for o in hf("--json", "check", "--rules", rc=None).json("item")}[name]


def test_a_declared_lock_is_put_and_proves_itself(gateway, hf, base, tree):
    tree.file("a", b"text " * 1000)
    bucket = Bucket(gateway.endpoint, "locked", ACCESS, SECRET).make(lock=True)
    declare(hf, base, bucket, ", object_lock: 3d")
    hf("-r", "far", "backup", tree.path)
    assert "which nobody has proven" in rule(hf, "immutable")["reason"]
    r = hf("--json", "-r", "far", "check", "--tamper")
    assert r.summary["locked_until"] and not r.summary["lock_broken"]
    assert rule(hf, "immutable")["kept"]
    # A pack that somebody put without a lock, beside those that have one.
    url = f"s3:{bucket.endpoint.geturl()}/{bucket.name}/r"
    tree.file("b", os.urandom(10000))
    hf("-r", url, "--key-file", f"{base}/far.key", "backup", tree.path)
    r = hf("--json", "-r", "far", "check", "--tamper", rc=20)
    assert r.summary["objects_unlocked"] >= 1 and "is not locked, as others are" in r.err + r.out
    assert "did not withstand" in rule(hf, "immutable")["reason"]
    assert hf("--json", "-r", "far", "prune").summary["locks_extended"] >= 1
    hf("-r", "far", "check", "--tamper")
    # The lock that was read back holds: what is deleted is only hidden.
    (pack, *_) = bucket.keys("r/packs/")
    _, headers, before = bucket.request("GET", pack)
    version = headers.get("x-amz-version-id")
    status, _, _ = bucket.request("DELETE", pack, query={"versionId": version})
    assert status == 403
    assert bucket.request("GET", pack, query={"versionId": version})[2] == before


def add_only(gateway, bucket, user):
    """The policy of doc/stores.md, for a user of the gateway; what it is to be asked as."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "doc", "stores.md"), encoding="utf-8") as f:
        policy = re.search(r"```json\n(.*?)```", f.read(), re.S)[1]
    # There users have no account.
    policy = policy.replace("ACCOUNT", "").replace("USER", user).replace("OWNER", "t").replace("BUCKET", bucket.name)
    gateway.user(user, f"AK{user}", f"SK{user}12345")
    status, _, body = bucket.request("PUT", query={"policy": ""}, body=policy.encode())
    assert status in (200, 204), body
    return {"AWS_ACCESS_KEY_ID": f"AK{user}", "AWS_SECRET_ACCESS_KEY": f"SK{user}12345"}


def versions(bucket, on):
    status, _, body = bucket.request("PUT", query={"versioning": ""}, body=(
        f"<VersioningConfiguration><Status>{on}</Status></VersioningConfiguration>").encode())
    assert status == 200, body


@pytest.mark.parametrize("kind", ["locked", "versions", "plain"])
def test_rights_as_documented_add_and_restore_and_delete_nothing(gateway, hf, base, tree, kind):
    tree.file("a", os.urandom(50000))
    bucket = Bucket(gateway.endpoint, f"rights-{kind}", ACCESS, SECRET).make(lock=kind == "locked")
    if kind == "versions":
        versions(bucket, "Enabled")
    declare(hf, base, bucket, ", object_lock: 2d" if kind == "locked" else "")
    hf("-r", "far", "backup", tree.path)
    hf("-r", "far", "key", "add", "--role", "write", "--new-key-file", f"{base}/write.key")
    os.rename(f"{base}/far.key", f"{base}/owner.key")
    os.rename(f"{base}/write.key", f"{base}/far.key")
    owner = dict(hf.env)
    hf.env.update(add_only(gateway, bucket, f"u{kind}"))
    tree.file("b", os.urandom(50000))
    hf("-r", "far", "backup", tree.path)
    (pack, *_) = bucket.keys("r/packs/")
    as_user = Bucket(gateway.endpoint, bucket.name, hf.env["AWS_ACCESS_KEY_ID"], hf.env["AWS_SECRET_ACCESS_KEY"])
    assert as_user.request("DELETE", pack)[0] == 403
    r = hf("--json", "-r", "far", "check", "--tamper", rc=20 if kind == "plain" else 0)
    assert (r.summary["locked_until"] is not None) == (kind == "locked")
    assert r.summary["versions_kept"] == (kind == "versions") and not r.summary["deleted"]
    before = bucket.keys("r/")
    failed = hf("-r", "far", "prune", rc=None)  # a write key may not, whatever the bucket would say
    assert failed.rc == 12 and set(before) == set(bucket.keys("r/"))
    os.rename(f"{base}/owner.key", f"{base}/far.key")
    first, second = [o["snapshot"] for o in hf("--json", "-r", "far", "snapshots").json("item")]
    hf("-r", "far", "restore", second, "--target", f"{base}/out", "--verify")
    hf("-r", "far", "forget", first, "--now")
    failed = hf("-r", "far", "prune", "--exclusive", rc=1)  # by a full key, but the bucket's user may not delete
    assert "AccessDenied" in failed.err and "lack a permission" in failed.err.split("hint:")[1]
    assert set(before) <= set(bucket.keys("r/"))
    hf.env = owner
    hf("-r", "far", "check", "--read-data")


def test_who_may_not_delete_may_still_replace_and_that_is_found(gateway, hf, base, tree):
    tree.file("a", b"text " * 1000)
    bucket = Bucket(gateway.endpoint, "addonly", ACCESS, SECRET).make()
    declare(hf, base, bucket)
    hf("-r", "far", "backup", tree.path)
    gateway.user("adder", "AKADDER", "SKADDER12345")
    who, all_of_it = {"AWS": ["arn:aws:iam:::user/adder"]}, ["arn:aws:s3:::addonly", "arn:aws:s3:::addonly/*"]
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": who, "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
         "Resource": all_of_it},
        {"Effect": "Deny", "Principal": who, "Action": ["s3:DeleteObject"],
         "Resource": ["arn:aws:s3:::addonly/r/packs/*"]}]}
    status, _, body = bucket.request("PUT", query={"policy": ""}, body=json.dumps(policy).encode())
    assert status in (200, 204), body
    hf.env.update(AWS_ACCESS_KEY_ID="AKADDER", AWS_SECRET_ACCESS_KEY="SKADDER12345")
    r = hf("--json", "-r", "far", "check", "--tamper", rc=20)
    assert r.summary["replaced"] and not r.summary["deleted"]
    assert "did not withstand" in rule(hf, "immutable")["reason"]
    assert bucket.keys("r/" + r.summary["object"])


def hours_of(retention):
    until = re.search(r"<RetainUntilDate>(.*?)</RetainUntilDate>", retention)[1]
    until = datetime.datetime.fromisoformat(re.sub(r"(\.\d+)?Z$", "+00:00", until))
    return (until - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 3600


def locks(bucket, keys):
    """Of each key, in hours from now."""
    found = {}
    for key in keys:
        status, _, body = bucket.request("GET", key, query={"retention": ""})
        if status != 200:
            continue
        found[key] = hours_of(body.decode())
    return found


def test_prune_makes_the_locks_of_what_is_needed_longer_once_a_period(gateway, hf, base, tree):
    bucket = Bucket(gateway.endpoint, "longer", ACCESS, SECRET).make(lock=True)
    declare(hf, base, bucket, ", object_lock: 1h, options: {s3.object-lock-mode: governance}")
    one, two = ("-r", "far"), ("-r", "far", "-o", "s3.object-lock=2h")
    tree.file("a", os.urandom(100000))
    hf(*one, "backup", tree.path)
    dead = set(bucket.keys("r/packs/"))
    os.unlink(os.path.join(tree.path, b"a"))
    tree.file("b", os.urandom(100000))
    hf(*one, "backup", tree.path)
    before = locks(bucket, bucket.keys("r/"))
    assert all(1.9 < h < 2.1 for k, h in before.items() if "packs/" in k or "snapshots/" in k), before
    hf(*one, "forget", "--keep-last", "1", "--now")
    first = hf("--json", *one, "prune").summary
    assert first["locks_extended"] > 5 and first["locked_until"]
    assert hf("--json", *one, "prune").summary["locked_until"] is None  # not due again
    (state,) = [f"{d}/{n}" for d, _, names in os.walk(base) for n in names if n.endswith(".locks.json")]
    # What lies there was promised by a shorter period: it is due at once by a longer one.  A snapshot that somebody
    # damaged stops a prune, and locks no less; nor does an older version behind what was put over a pack.
    bucket.request("PUT", "r/snapshots/" + "ab" * 32, body=b"junk")
    (living, *_) = set(bucket.keys("r/packs/")) - dead
    whole = bucket.request("GET", living)[1]["x-amz-version-id"]
    kept = bucket.request("GET", living)[2]
    bucket.request("PUT", living, body=b"junk" * 1000)
    failed = hf("--json", *two, "prune", rc=None)
    assert failed.rc == 20 and "was replaced" in failed.err + failed.out
    old = bucket.request("GET", living, query={"retention": "", "versionId": whole})[2].decode()
    assert hours_of(old) > 3.7
    # With both taken away by who may, all is as before.
    bypass = {"x-amz-bypass-governance-retention": "true"}
    for key in (living, "r/snapshots/" + "ab" * 32):
        newest = bucket.request("GET", key)[1]["x-amz-version-id"]
        assert bucket.request("DELETE", key, query={"versionId": newest}, headers=bypass)[0] == 204
    assert bucket.request("GET", living)[2] == kept
    os.unlink(state)
    second = hf("--json", *two, "prune").summary
    after = locks(bucket, bucket.keys("r/"))
    assert second["locked_until"] and sum(h > 3.7 for h in after.values()) > 5
    for key, hours in after.items():
        if key in dead and hours < 3:
            dead.discard(key)  # nothing needs it: its lock may end
        else:
            # Heads of the audit trail are locked when they are put: every run puts a newer one.
            assert hours > 3.7 or "/leases/" in key or "/evidence/" in key, (key, hours)
    os.unlink(state)
    assert hf("--json", *two, "prune").summary["locks_extended"] == 0  # what was interrupted is not done twice


def test_rules_of_the_life_cycle_are_put_for_our_prefix_and_others_stay(gateway, hf, base):
    bucket = Bucket(gateway.endpoint, "cycle", ACCESS, SECRET).make()
    theirs = (b"<LifecycleConfiguration><Rule><ID>theirs</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled"
              b"</Status><Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>")
    digest = base64.b64encode(hashlib.md5(theirs).digest()).decode()
    status, _, body = bucket.request("PUT", query={"lifecycle": ""}, body=theirs, headers={"content-md5": digest})
    assert status == 200, body
    declare(hf, base, bucket, ", options: {s3.expire-versions: 30d, s3.expire-uploads: 36h}")
    for _ in range(2):
        text = bucket.request("GET", query={"lifecycle": ""})[2].decode()
        assert "theirs" in text and "<Prefix>r/</Prefix>" in text.replace("<Prefix>r/ </Prefix>", "")
        assert "<NoncurrentDays>30</NoncurrentDays>" in text
        assert "<DaysAfterInitiation>2</DaysAfterInitiation>" in text
        assert text.count("<Rule>") == 2
        assert hf("--json", "-r", "far", "prune").summary["rules"] == 1
    assert "belong together" in hf("-r", "far", "-o", "s3.archive-after=30d", "snapshots", rc=2).err


def test_a_class_that_only_has_an_archives_name_is_read_at_once(gateway, hf, base, tree):
    tree.file("a", os.urandom(50000))
    bucket = Bucket(gateway.endpoint, "named", ACCESS, SECRET).make()
    declare(hf, base, bucket, ", options: {s3.storage-class: GLACIER}")
    hf("-r", "far", "backup", tree.path)
    listed = bucket.request("GET", query={"list-type": "2", "prefix": "r/packs/"})[2].decode()
    assert "<StorageClass>GLACIER</StorageClass>" in listed
    hf("-r", "far", "restore", "latest", "--target", f"{base}/out", "--verify")
    assert "No damage" in hf("-r", "far", "check", "--read-data").out


def test_a_bucket_that_is_not_there_is_no_lost_config(gateway, hf, base):
    bucket = Bucket(gateway.endpoint, "there", ACCESS, SECRET).make()
    declare(hf, base, bucket)
    failed = hf("-r", f"s3:{gateway.endpoint}/notthere/r", "--key-file", f"{base}/far.key", "snapshots", rc=10)
    assert "NoSuchBucket" in failed.err and "config was lost" not in failed.err
