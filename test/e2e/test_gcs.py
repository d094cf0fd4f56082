"""A repository in Google Cloud Storage, as the test's own server speaks its JSON API."""
import os
import sys

import pytest

from conftest import need

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
from gcs import Gcs  # noqa: E402


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with Gcs(tmp_path_factory.mktemp("gcs")) as server:
        yield server.up()


def init(hf, service, place="suite/main", rc=0, **env):
    hf.repo = f"gcs:{place}"
    hf.env.update(service.reached_by(), GCE_METADATA_HOST="127.0.0.1:1")
    hf.env.update(env)
    return hf("init", "--new-key-file", f"{hf.base}/key", rc=rc)


def test_a_key_of_another_account_is_refused(hf, service):
    failed = init(hf, service, rc=1, GOOGLE_APPLICATION_CREDENTIALS=service.key("stranger"))
    assert "GOOGLE_APPLICATION_CREDENTIALS" in failed.err and "hint:" in failed.err


def test_a_file_that_is_no_key_is_named(hf, service, base):
    (base / "x").write_text("PRIVATE")
    failed = init(hf, service, rc=2, GOOGLE_APPLICATION_CREDENTIALS=f"{base}/x")
    assert "JSON" in failed.err and "PRIVATE" not in failed.err
    (base / "x").write_text('{"client_email": "a", "private_key": "SECRET", "token_uri": "http://127.0.0.1:1"}')
    failed = init(hf, service, rc=2, GOOGLE_APPLICATION_CREDENTIALS=f"{base}/x")
    assert "RSA" in failed.err and "SECRET" not in failed.err


def test_no_credentials_anywhere_are_told(hf, service):
    failed = init(hf, service, rc=1, GOOGLE_APPLICATION_CREDENTIALS="")
    assert "GOOGLE_APPLICATION_CREDENTIALS" in failed.err


def test_a_token_that_has_ended_is_told_and_not_shown(hf, service):
    failed = init(hf, service, rc=1, GOOGLE_APPLICATION_CREDENTIALS="", GOOGLE_OAUTH_ACCESS_TOKEN="ya29.ended")
    assert "401" in failed.err and "ya29" not in failed.err


@pytest.mark.parametrize("verb", ["create", "get", "list"])
def test_a_right_that_is_missing_is_named_by_init_and_leaves_nothing(hf, service, verb):
    failed = init(hf, service, f"suite/rights-{verb}", rc=1, GOOGLE_APPLICATION_CREDENTIALS="",
                  GOOGLE_OAUTH_ACCESS_TOKEN=f"lacks-{verb}")
    assert f"storage.objects.{verb}" in failed.err and "Storage Object Admin" in failed.err
    assert not os.path.exists(f"{hf.base}/key") and service.names(f"rights-{verb}/") == []


def test_who_may_add_and_not_delete_is_told_and_let(hf, service, tree):
    tree.file("a", b"1")
    made = init(hf, service, "suite/adds", GOOGLE_APPLICATION_CREDENTIALS="", GOOGLE_OAUTH_ACCESS_TOKEN="lacks-delete")
    assert "may not delete" in made.err
    hf.key_file = f"{hf.base}/key"
    hf.backup(tree.path)
    hf("check", "--read-data")


@pytest.mark.parametrize("offset, words", [("-1h", "minutes behind"), ("+1h", "minutes ahead")])
def test_a_clock_an_hour_off_is_named(hf, service, offset, words):
    need("faketime")
    failed = init(hf, service, "suite/clock", rc=1, FAKETIME=offset,
                  LD_PRELOAD="/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
    assert words in failed.err and service.names("clock/") == []


def test_a_bucket_that_is_not_there(hf, service):
    assert "bucket" in init(hf, service, "nobodys/x", rc=10).err


@pytest.mark.parametrize("url", ["gcs:", "gcs:a/b", "gcs:me@bucket/x"])
def test_places_that_are_none(hf, url):
    failed = hf("-r", url, "init", "--new-key-file", f"{hf.base}/key", rc=2)
    assert "gcs:BUCKET" in failed.err and not os.path.exists(f"{hf.base}/key")
