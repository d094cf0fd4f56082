"""A repository in a container of Azure Blob Storage: what is asked of it, and who may not."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
import azurite  # noqa: E402
from places import missing  # noqa: E402


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    if missing("azure"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("azurite is not installed")
    with azurite.Azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server.up().make("acme")


def at(hf, account, place="acme/main", **env):
    hf.repo = f"azure:{azurite.ACCOUNT}/{place}"
    hf.env.update(account.reached_by(), AZURE_STORAGE_KEY=azurite.KEY)
    hf.env.update(env)
    return hf


def init(hf, rc=0):
    result = hf("init", "--new-key-file", f"{hf.base}/key", rc=rc)
    if rc == 0:
        hf.key_file = f"{hf.base}/key"
    return result


def blobs(account, container="acme"):
    status, _, body = account.request("GET", f"/{container}", {"restype": "container", "comp": "list"})
    assert status == 200
    return body.decode()


def without_key(hf, **env):
    del hf.env["AZURE_STORAGE_KEY"]
    hf.env.update(env)


def test_a_key_that_is_wrong_is_told_and_not_shown(hf, account):
    before = blobs(account)
    wrong = "d3JvbmcgYnV0IGJhc2U2NA=="
    failed = init(at(hf, account, AZURE_STORAGE_KEY=wrong), rc=1)
    assert "AZURE_STORAGE_KEY" in failed.err and wrong not in failed.err
    failed = init(at(hf, account, AZURE_STORAGE_KEY="no base64!"), rc=2)
    assert "base64" in failed.err and "no base64!" not in failed.err
    assert blobs(account) == before


def test_no_credentials_at_all_are_told(hf, account):
    without_key(at(hf, account))
    assert "AZURE_STORAGE_KEY" in init(hf, rc=1).err


def test_a_connection_string_will_do(hf, account):
    without_key(at(hf, account, "acme/connection"), AZURE_STORAGE_CONNECTION_STRING=(
        f"DefaultEndpointsProtocol=http;AccountName={azurite.ACCOUNT};AccountKey={azurite.KEY};"
        f"BlobEndpoint={account.endpoint};"))
    del hf.env["HOLDFAST_AZURE_ENDPOINT"]
    init(hf)


@pytest.mark.parametrize("missing, words", [("r", "read"), ("l", "list"), ("cw", "put")])
def test_a_right_that_is_missing_is_named_by_init_and_leaves_nothing(hf, account, missing, words):
    before = blobs(account)
    without_key(at(hf, account, "acme/rights"),
                AZURE_STORAGE_SAS_TOKEN=account.sas("acme", "".join(p for p in "rwdlc" if p not in missing)))
    failed = init(hf, rc=1)
    assert words in failed.err and "hint:" in failed.err and "r, w, d, l and c" in failed.err
    assert not os.path.exists(f"{hf.base}/key") and blobs(account) == before


def test_who_may_add_and_not_delete_is_told_and_let(hf, account, tree):
    tree.file("a", b"1")
    without_key(at(hf, account, "acme/adds"), AZURE_STORAGE_SAS_TOKEN=account.sas("acme", "rwlc"))
    assert "may not delete" in init(hf).err
    hf.backup(tree.path)
    hf("check", "--read-data")


@pytest.mark.parametrize("permissions, seconds", [("rl", 3600), ("rwdlc", -60)])
def test_a_signature_that_lacks_a_right_or_has_ended_is_told_and_not_shown(hf, account, permissions, seconds):
    sas = account.sas("acme", permissions, seconds)
    without_key(at(hf, account), AZURE_STORAGE_SAS_TOKEN=sas)
    failed = init(hf, rc=1)
    assert "hint:" in failed.err and "signature" in failed.err and sas[-20:] not in failed.err


def test_a_container_that_is_not_there(hf, account):
    assert "no such container" in init(at(hf, account, "nobodys/x"), rc=10).err


@pytest.mark.parametrize("url, words", [
    ("azure:", "account"), ("azure:acme", "container is missing"), ("azure:A_B/c", "account"),
    ("azure:acme/B", "container"), ("azure:key@acme/box", "account")])
def test_places_that_are_none(hf, url, words):
    hf.env.update(AZURE_STORAGE_KEY=azurite.KEY)
    hf.repo = url
    assert words in init(hf, rc=2).err
    assert not os.path.exists(f"{hf.base}/key")


def test_content_alone_goes_to_the_colder_tier(hf, account, tree, rng):
    tree.file("a", rng.randbytes(20 << 20))  # in blocks, and whole
    tree.file("b", b"small")
    init(at(hf, account, "acme/cool", HOLDFAST_AZURE_TIER="Cool"))
    hf.backup(tree.path)
    import re
    found = re.findall(r"<Name>cool/(\w+).*?<AccessTier>(\w+)<", blobs(account))
    assert {t for f, t in found if f == "packs"} == {"Cool"}
    assert {t for f, t in found if f != "packs"} == {"Hot"}
    hf.check_clean()


def test_a_pack_in_the_archive_is_named_as_such(hf, account, tree, rng, base):
    tree.file("a", rng.randbytes(1 << 20))
    init(at(hf, account, "acme/archive"))
    snapshot = hf.backup(tree.path)
    import re
    for name in re.findall(r"<Name>(archive/packs/.*?)</Name>", blobs(account)):
        status, _, _ = account.request("PUT", f"/acme/{name}", {"comp": "tier"}, headers={"x-ms-access-tier": "Archive"})
        assert status in (200, 202)
    failed = hf("restore", snapshot, "--target", base / "out", rc=None)
    assert failed.rc == 1 and "cold storage" in failed.err and "Archive" in failed.out


def test_a_lock_that_the_store_does_not_keep_is_not_promised(hf, account):
    """The emulator takes the header and forgets it."""
    failed = init(at(hf, account, "acme/locked", HOLDFAST_AZURE_LOCK="30d"), rc=1)
    assert "does not lock" in failed.err
    assert "locked/config" not in blobs(account)
