"""One read for several repositories: init --family, backup --also."""
import os
import random
import socket
import sys
import time

import pytest

from conftest import need, restored, same_tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
from fault_proxy import FaultProxy  # noqa: E402
from places import PLACES  # noqa: E402


class Places:
    """Repositories beside the fixture's own, each with a key of its own."""

    def __init__(self, hf):
        self.hf, self.keys = hf, {}
        self.main = hf.repo

    def make(self, name, family=True):
        return self.make_at(f"{self.hf.base}/{name}", name, family)

    def make_at(self, path, name, family=True):
        key = f"{self.hf.base}/{name}.key"
        own = ["--family", self.main, "--key-file", self.hf.key_file] if family else []
        self.hf("-r", path, "init", "--new-key-file", key, *own)
        self.keys[path] = key
        return path

    def also(self):
        return [a for path, key in self.keys.items() for a in ("--also", path, "--also-key-file", key)]

    def backup(self, *args, rc=0):
        r = self.hf("--json", "backup", *args, *self.also(), rc=rc)
        return {p["url"]: p for p in r.summary["repositories"]}

    def in_each(self, *args, rc=0):
        return {p: self.hf("-r", p, *args, env={"HOLDFAST_KEY_FILE": k}, rc=rc)
                for p, k in {self.main: self.hf.key_file, **self.keys}.items()}


@pytest.fixture
def places(repo):
    return Places(repo)


@pytest.fixture
def some(tree):
    rng = random.Random(5)
    for i in range(30):
        tree.file(f"{i % 3}/{i}", rng.randbytes(1000 * i) + b"text " * 5000)
    tree.file("large", rng.randbytes(3 << 20))
    return tree


def test_each_repository_of_a_family_holds_all_and_restores_alone(places, some, base):
    second, third = places.make("second"), places.make("third")
    done = places.backup(some.path)
    assert len({p["snapshot"] for p in done.values()}) == 3
    added = {p["added_bytes"] for p in done.values()}
    assert len(added) == 1 and min(added) > 3 << 20
    os.rename(places.main, places.main + ".away")  # none needs another
    del places.keys[third]
    for i, path in enumerate([second]):
        places.hf("-r", path, "restore", done[path]["snapshot"], "--target", base / f"out{i}",
                  env={"HOLDFAST_KEY_FILE": places.keys[path]})
        same_tree(restored(base / f"out{i}", some.path), some.path)
        places.hf("-r", path, "check", "--read-data", env={"HOLDFAST_KEY_FILE": places.keys[path]})


def test_a_key_of_one_opens_no_other_of_the_family(places, some):
    second = places.make("second")
    places.hf("-r", second, "snapshots", rc=12)
    places.hf("-r", places.main, "snapshots", env={"HOLDFAST_KEY_FILE": places.keys[second]}, rc=12)


def test_one_that_is_away_costs_the_others_nothing_and_catches_up(places, some):
    second = places.make("second")
    for away, stays in (second, places.main), (places.main, second):
        some.file("more", os.urandom(70_000))
        os.rename(away, away + ".away")
        r = places.hf("backup", some.path, *places.also(), rc=3)
        assert "FAILED" in r.out and "stored" in r.out and "1 of 2 repositories" in r.err
        os.rename(away + ".away", away)
        done = places.backup(some.path)
        assert done[stays]["added_bytes"] < 70_000 <= done[away]["added_bytes"]
    assert all("No damage found" in r.out for r in places.in_each("check", "--read-data").values())


def until(process, condition):
    """Wait for what comes while the process runs, and without its end."""
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.05)


@pytest.mark.parametrize("silent_one", ["first", "second"])
def test_one_that_does_not_answer_delays_no_reading(places, some, silent_one):
    silent = socket.create_server(("127.0.0.1", 0))  # connections are taken, and that is all
    url = f"s3:http://127.0.0.1:{silent.getsockname()[1]}/bucket/x"
    env = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true",
           "HOLDFAST_RETRIES": "1"}
    first, second = (url, places.main) if silent_one == "first" else (places.main, url)
    run = places.hf.start("-r", first, "backup", some.path, "--also", second, env=env)
    until(run, lambda: os.path.isdir(f"{places.main}/snapshots") and os.listdir(f"{places.main}/snapshots"))
    silent.close()
    out, err = run.communicate(timeout=120)
    assert run.returncode == 3 and b"stored" in out and b"FAILED" in out, (out, err)


def test_one_that_opens_late_has_its_snapshot_all_the_same(places, some, tmp_path):
    need("nginx")
    server, url, env = PLACES["webdav"][0](tmp_path / "dav")
    with server, FaultProxy(server.port) as proxy:
        places.hf.env.update(env)
        far = places.make_at(url("far", proxy.port), "far")
        proxy.mode = "black_hole"
        run = places.hf.start("backup", some.path, *places.also())
        until(run, lambda: os.path.isdir(f"{places.main}/snapshots") and os.listdir(f"{places.main}/snapshots"))
        proxy.mode = "pass"
        out, err = run.communicate(timeout=120)
        assert run.returncode == 0 and b"took long to open" in err and out.count(b"stored ") >= 2, (out, err)
        assert "No damage found" in places.hf(
            "-r", far, "check", "--read-data", env={"HOLDFAST_KEY_FILE": places.keys[far]}).out


def test_another_family_is_read_once_more_and_told(places, some):
    places.make("second")
    stranger = places.make("stranger", family=False)
    r = places.hf("backup", some.path, *places.also())
    assert r.err.count("read once more") == 1 and "stranger" in r.err
    assert all("No damage found" in r.out for r in places.in_each("check", "--read-data").values())
    done = places.hf("--json", "backup", "--stdin", *places.also(), input=b"by a pipe", rc=3)
    errors = {p["url"]: p["error"] for p in done.json("summary")[0]["repositories"]}
    assert "standard input is read once" in errors.pop(stranger) and set(errors.values()) == {None}


def test_no_other_repository_is_stored_in_one(places, tree):
    tree.file("a", b"1")
    places.make("tree/second")
    done = places.backup(tree.path)
    (r,) = [places.hf("ls", "-R", done[places.main]["snapshot"])]
    assert "/second\n" not in r.out and "/a\n" in r.out


def test_bad_words_are_told_before_anything_is_stored(places, some):
    places.make("second")
    key = places.hf.key_file
    for args, word in ((["--also-key-file", key, "--also-key-file", key], "more --also-key-file"),):
        assert word in places.hf("backup", some.path, *places.also(), *args, rc=2).err
    assert "are one repository" in places.hf("backup", some.path, "--also", places.main + "/", rc=2).err
    places.hf("-r", f"{places.hf.base}/x", "init", "--family", f"{places.hf.base}/nowhere", rc=10)
    assert not os.path.exists(f"{places.hf.base}/x")
    places.hf("key", "add", "--role", "write", "--new-key-file", f"{places.hf.base}/w")
    r = places.hf("-r", f"{places.hf.base}/x", "init", "--family", places.main, "--key-file", f"{places.hf.base}/w",
                  "--new-key-file", f"{places.hf.base}/xk", rc=12)
    assert "full key" in r.err


def test_options_of_one_kind_of_store_are_no_matter_of_another(places, some):
    second = places.make("second")
    places.keys["s3:http://127.0.0.1:1/nobody/x"] = places.keys[second]  # nobody listens there
    places.hf.env.update(AWS_ACCESS_KEY_ID="AK", AWS_SECRET_ACCESS_KEY="SK", AWS_EC2_METADATA_DISABLED="true")
    done = places.backup(some.path, "-o", "s3.region=eu-west-1", "-o", "retries=1", rc=3)
    assert [p["error"] is None for p in done.values()] == [True, True, False]
    places.hf("backup", some.path, *places.also(), "-o", "s4.region=eu-west-1", rc=2)
