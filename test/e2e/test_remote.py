"""What every store behind a wire keeps, against its real server: the story, and a network that is cut, slow or dead.

Of FTP the proxy has the control connection alone.
"""
import os
import sys
import time

import pytest

from conftest import FULL, restored, same_tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
from fault_proxy import FaultProxy  # noqa: E402
from places import PLACES, missing  # noqa: E402

MIB = 1 << 20
HTTP = ["azure", "gcs", "webdav", "s3"]
KINDS = ["sftp", "azure", "gcs", "webdav", "proftpd"] + (["s3"] if FULL else [])  # which has a file of its own


@pytest.fixture(scope="module", params=KINDS)
def place(request, tmp_path_factory):
    if missing(request.param):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {missing(request.param)}")
    server, url, env = PLACES[request.param][0](tmp_path_factory.mktemp(request.param))
    with server:
        yield server, url, env


@pytest.fixture
def at(hf, place, request):
    """The program at a place of its own, by way of a port if one is given; made unless it is there."""
    _, url, env = place

    def go(port=None):
        hf.repo = url(f"{abs(hash(request.node.name)) % 10**12}/main", port)
        hf.env.update(env)
        if hf.key_file is None:
            hf("init", "--new-key-file", f"{hf.base}/key")
            hf.key_file = f"{hf.base}/key"
        return hf
    return go


def test_the_whole_story(at, tree, base, rng):
    hf = at()
    tree.every_kind()
    tree.file("large", rng.randbytes(20 * MIB))
    first = hf.backup(tree.path)
    os.unlink(tree.at("large"))
    second = hf.backup(tree.path)
    hf("check", "--read-data")
    hf("restore", second, "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))
    hf("forget", first, "--now")
    hf("prune", "--exclusive")
    hf("check", "--read-data")
    hf.key_file = None
    again = hf("init", "--new-key-file", f"{hf.base}/other", rc=1)
    assert "already" in again.err


def test_requests_are_counted(at, tree, base, rng):
    hf = at()
    tree.file("large", rng.randbytes(3 * MIB))
    asked = hf("--json", "backup", tree.path).summary["requests"]
    assert asked["put"] + asked["post"] and asked["list"] and asked["get"] + asked["head"]
    assert 3 * MIB < asked["bytes_sent"] < 4 * MIB and asked["per_gib"] > 0
    asked = hf("--json", "restore", "latest", "--target", base / "out").summary["requests"]
    assert asked["get"] and 3 * MIB < asked["bytes_received"] < 4 * MIB


def test_nothing_there_is_no_repository(hf, place):
    _, url, env = place
    hf.repo = url("nobody/was/here")
    hf.env.update(env, HOLDFAST_PASSWORD="x")
    failed = hf("snapshots", rc=10)
    assert "hint:" in failed.err


@pytest.mark.parametrize("fault", ["refuse", "black_hole"])
def test_a_dead_network_is_told_and_costs_nothing(at, place, tree, base, rng, fault):
    tree.file("large", rng.randbytes(3 * MIB))
    with FaultProxy(place[0].port) as proxy:
        hf = at(proxy.port)
        hf.backup(tree.path)
        tree.file("more", rng.randbytes(3 * MIB))
        proxy.mode = fault
        failed = hf("backup", tree.path, rc=1, timeout=120,
                    env={"HOLDFAST_STALL_TIMEOUT": "1s", "HOLDFAST_CONNECT_TIMEOUT": "1s", "HOLDFAST_RETRIES": "1"})
        assert failed.err.strip()
        proxy.mode = "pass"
        snapshot = hf.backup(tree.path)
        hf("check", "--read-data")
        hf("restore", snapshot, "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def test_connections_that_are_reset_are_made_anew(at, place, tree, base, rng):
    """After so many bytes each: an upload is begun again and not torn."""
    tree.file("large", rng.randbytes(20 * MIB))
    with FaultProxy(place[0].port) as proxy:
        hf = at(proxy.port)
        proxy.reset_after = 18 * MIB
        hf("backup", tree.path, rc=None, env={"HOLDFAST_RETRIES": "2"})
        proxy.reset_after = 0
        snapshot = hf.backup(tree.path)
        hf("check", "--read-data")
        hf("restore", snapshot, "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def delayed(proxy):
    proxy.delay = 0.5 if FULL else 0.02


def slow(proxy):
    proxy.rate = 125_000 if FULL else 4 * MIB


def holed(proxy):
    """Nothing arrives for a while, in the middle."""
    proxy.trip = (proxy.bytes + MIB // 2, "black_hole", 30 if FULL else 1.5)


def refusing(proxy):
    proxy.trip = (proxy.bytes + MIB // 2, "refuse", 10 if FULL else 1)


def resetting(proxy):
    proxy.reset_after = 3 * MIB


def bursting(proxy):
    proxy.busy, proxy.retry_after = (20, 2) if FULL else (3, 1)


def healed(proxy):
    proxy.delay, proxy.rate, proxy.mode, proxy.reset_after, proxy.trip, proxy.busy = 0.0, 0, "pass", 0, None, 0


def told(result):
    """It ended well, or with words that help."""
    assert result.rc == 0 or (result.rc in (1, 3) and "hint:" in result.err), result
    return result.rc == 0


FAULTS = [delayed, holed, bursting] + ([slow, refusing, resetting] if FULL else [])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_network_ends_well_or_in_words_and_repeats_without_harm(at, place, tree, base, rng, fault, request):
    if fault is bursting and request.node.callspec.params["place"] not in HTTP:
        pytest.skip("no HTTP")
    tree.file("large", rng.randbytes(5 * MIB if FULL else 2 * MIB))
    tree.file("text", b"a line\n" * 10_000)
    with FaultProxy(place[0].port) as proxy:
        hf = at(proxy.port)
        fault(proxy)
        began = time.monotonic()
        backup = told(hf("backup", tree.path, rc=None))
        middle = time.monotonic()
        healed(proxy)
        snapshot = hf.backup(tree.path)
        hf("check", "--read-data")
        fault(proxy)
        then = time.monotonic()
        restore = told(hf("restore", snapshot, "--target", base / "out", rc=None))
        print(f"{fault.__name__}: backup {'done' if backup else 'told'} in {middle - began:.1f} s, "
              f"restore {'done' if restore else 'told'} in {time.monotonic() - then:.1f} s")
        healed(proxy)
        hf("restore", snapshot, "--target", base / "out", "--overwrite", "if-changed")
    same_tree(tree.path, restored(base / "out", tree.path))
