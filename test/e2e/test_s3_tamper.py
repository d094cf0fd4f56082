"""check --tamper in a bucket of a real gateway: locks that are read back, users who may not delete."""
import json
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
from ceph_rgw import ACCESS, SECRET, CephRgw  # noqa: E402
from s3 import Bucket  # noqa: E402


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with CephRgw(tmp_path_factory.mktemp("rgw")) as server:
        yield server.up()


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
    assert r.summary["locked_until"] and r.summary["object"] is None
    assert rule(hf, "immutable")["kept"]
    # The lock that was read back holds: what is deleted is only hidden.
    (pack, *_) = bucket.keys("r/packs/")
    _, headers, before = bucket.request("GET", pack)
    version = headers.get("x-amz-version-id")
    status, _, _ = bucket.request("DELETE", pack, query={"versionId": version})
    assert status == 403
    assert bucket.request("GET", pack, query={"versionId": version})[2] == before


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
    assert "let itself be changed" in rule(hf, "immutable")["reason"]
    assert bucket.keys("r/" + r.summary["object"])
