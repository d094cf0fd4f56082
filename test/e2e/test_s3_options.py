"""What an S3 store can be told, where credentials come from, and stores that can do less."""
import json
import os
import re
import sys

import pytest

from conftest import restored, same_tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
import swift_s3  # noqa: E402
from fake_s3 import metadata, refusing  # noqa: E402
from s3 import Bucket  # noqa: E402
from server import Server, free_port, listens, need_programs  # noqa: E402


def at(hf, endpoint, bucket="bucket", access="AK", secret="SK"):
    hf.repo = f"s3:{endpoint}/{bucket}/main"
    hf.env.update(AWS_ACCESS_KEY_ID=access, AWS_SECRET_ACCESS_KEY=secret, AWS_EC2_METADATA_DISABLED="true",
                  HOLDFAST_RETRIES="2")
    return hf


def init(hf, *options, rc=0):
    result = hf(*options, "init", "--new-key-file", f"{hf.base}/key", rc=rc)
    hf.key_file = f"{hf.base}/key"
    return result


@pytest.mark.parametrize("status, code, extra, hint", [
    (400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>", "AWS_REGION=eu-west-1"),
    (301, "PermanentRedirect", "", "another region"),
    (400, "ExpiredToken", "", "session has ended"),
    (403, "InvalidToken", "", "AWS_SESSION_TOKEN"),
    (403, "AccountProblem", "", "credentials"),
])
def test_what_amazon_refuses_is_explained(hf, status, code, extra, hint):
    with refusing(status, code, extra) as server:
        failed = init(at(hf, server.endpoint), rc=None)
        assert failed.rc in (1, 2) and code in failed.err
        assert hint in failed.err.split("hint:")[1]
        assert len(server.seen) == 1  # what cannot help is not tried again
    assert not os.path.exists(f"{hf.base}/key")


@pytest.mark.parametrize("option, words", [
    ("s3.colour=red", "no such option"), ("s3.sse=rot13", "none of AES256"), ("retries=0", "1 to 1000"),
    ("s3.object-lock=1mo", "fixed length"), ("s3.tags=a=b\nx-amz-acl: public-read", "control character"),
])
def test_an_option_that_is_none_is_refused_before_anything_is_asked(hf, option, words):
    with refusing(500, "InternalError") as server:
        failed = init(at(hf, server.endpoint), "-o", option, rc=2)
        assert words in failed.err and server.seen == []
    hf.repo = f"{hf.base}/repo"
    if option.startswith("s3."):
        assert "no such option" in hf("-o", option, "snapshots", rc=2).err


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    need_programs("moto_server")
    with Server(tmp_path_factory.mktemp("moto")) as server:
        server.port = free_port()
        server.endpoint = f"http://127.0.0.1:{server.port}"
        server.start("moto", "moto_server", "-H", "127.0.0.1", "-p", server.port)
        server.wait(lambda: listens(server.port), "moto")
        yield server


def test_class_encryption_and_tags_go_where_they_belong(hf, moto, tree):
    bucket = Bucket(moto.endpoint, "options", "AK", "SK").make()
    tree.file("a", os.urandom(100_000))
    at(hf, moto.endpoint, "options")
    hf.env.update(HOLDFAST_S3_SSE="aws:kms", HOLDFAST_S3_SSE_KMS_KEY_ID="key-1")
    options = ("-o", "s3.storage-class=STANDARD_IA", "-o", "s3.tags=team=a&cost=b")
    init(hf, *options)
    hf(*options, "backup", tree.path)
    kinds = {key.split("/")[1]: key for key in bucket.keys()}
    for kind in ("packs", "meta", "snapshots", "config"):
        _, headers, _ = bucket.request("HEAD", kinds[kind])
        headers = {k.lower(): v for k, v in headers.items()}
        assert headers.get("x-amz-storage-class", "STANDARD") == ("STANDARD_IA" if kind == "packs" else "STANDARD")
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "key-1"
        _, _, tags = bucket.request("GET", kinds[kind], {"tagging": ""})
        assert sorted(re.findall(r"<Value>(.*?)</Value>", tags.decode())) == ["a", "b"]
    hf("check", "--read-data")


def test_profiles_tokens_and_instance_metadata_sign_requests(hf, moto, tree):
    Bucket(moto.endpoint, "who", "AK", "SK").make()
    tree.file("a", b"1")
    at(hf, moto.endpoint, "who")
    init(hf)
    os.makedirs(f"{hf.base}/home/.aws")
    with open(f"{hf.base}/home/.aws/credentials", "w") as f:
        f.write("[default]\naws_access_key_id = AKD\naws_secret_access_key = SKD\n"
                "[other]\naws_access_key_id = AKO\naws_secret_access_key = SKO\naws_session_token = TOK\n")
    none = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    with refusing(403, "AccessDenied") as server:  # which tells what it was asked with
        for env, options, access, token in (
                ({}, (), "AK", None), (none, (), "AKD", None), ({**none, "AWS_PROFILE": "other"}, (), "AKO", "TOK"),
                ({}, ("-o", "s3.profile=other"), "AKO", "TOK"), ({"AWS_SESSION_TOKEN": "T2"}, (), "AK", "T2")):
            hf("-r", f"s3:{server.endpoint}/who/main", *options, "snapshots", rc=1, env=env)
            _, _, headers = server.seen[-1]
            headers = {k.lower(): v for k, v in headers.items()}
            assert f"Credential={access}/" in headers["authorization"]
            assert headers.get("x-amz-security-token") == token
    hf("-o", "s3.profile=nobody", "snapshots", rc=1)
    os.unlink(f"{hf.base}/home/.aws/credentials")
    with metadata({"AccessKeyId": "AKI", "SecretAccessKey": "SKI", "Token": "TOKI"}) as server:
        env = {**none, "AWS_EC2_METADATA_DISABLED": None, "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.endpoint}
        hf("snapshots", env=env)
        assert len(server.seen) == 3  # once for all requests
        assert "SKI" not in hf("-v", "check", env=env).err


@pytest.fixture(scope="module")
def swift(tmp_path_factory):
    if swift_s3.unable():
        pytest.skip(swift_s3.unable())
    with swift_s3.Swift(tmp_path_factory.mktemp("swift")) as server:
        yield server.up()


def test_a_store_without_conditions_is_found_out_and_works(hf, swift, tree, base):
    bucket = Bucket(swift.endpoint, "plain", swift_s3.ACCESS, swift_s3.SECRET).make()
    tree.file("a", os.urandom(300_000))
    at(hf, swift.endpoint, "plain", swift_s3.ACCESS, swift_s3.SECRET)
    assert "If-None-Match" in init(hf).err
    note = json.loads(bucket.request("GET", "main/tmp/s3.json")[2])
    assert note == {"if_none_match": False, "endpoint": f"127.0.0.1:{swift.port}"}
    snapshot = hf.backup(tree.path)
    hf("check", "--read-data")
    hf("restore", snapshot, "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def test_a_lock_that_the_store_ignores_is_not_trusted(hf, swift):
    bucket = Bucket(swift.endpoint, "unlocked", swift_s3.ACCESS, swift_s3.SECRET).make()
    at(hf, swift.endpoint, "unlocked", swift_s3.ACCESS, swift_s3.SECRET)
    failed = init(hf, "-o", "s3.object-lock=30d", rc=1)
    assert "object lock" in failed.err and "hint:" in failed.err
    assert bucket.keys() == []
