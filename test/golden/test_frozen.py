"""Repositories that the first program of a format's version wrote are read by this one, and by the second reader."""
import json
import os
import subprocess
import sys
import tarfile

import pytest

from make_frozen import PASSWORD, digests
from test_reader import READER

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture(params=["default", "choices"])
def frozen(request, hf, base):
    with tarfile.open(f"{HERE}/v1.tar.xz") as tar:
        tar.extractall(base)
    hf.repo = f"{base}/{request.param}"
    hf.env["HOLDFAST_PASSWORD"] = PASSWORD
    with open(f"{base}/expected.json") as f:
        hf.expected = json.load(f)[request.param]
    return hf


def data_below(folder):
    for d, dirs, _ in os.walk(folder):
        if os.path.basename(d) == "data":
            return d
    raise AssertionError(f"nothing was restored to {folder}")


def test_every_snapshot_of_a_frozen_repository_restores(frozen, base):
    frozen("check", "--read-data")
    for snapshot, expected in frozen.expected.items():
        frozen("restore", snapshot, "--target", base / snapshot)
        assert digests(data_below(base / snapshot)) == expected
    listed = {s["snapshot"] for s in frozen("--json", "snapshots").json("item")}
    assert listed == set(frozen.expected)


def test_a_frozen_repository_takes_backups_forget_and_prune(frozen, base, tree):
    tree.file("new", b"of today")
    snapshot = frozen.backup(tree.path)
    frozen("forget", snapshot, "--now")
    frozen("prune")
    frozen("check", "--read-data")
    for kept, expected in frozen.expected.items():
        frozen("restore", kept, "--target", base / kept)
        assert digests(data_below(base / kept)) == expected


def test_the_second_reader_reads_a_frozen_repository(frozen, base):
    password = base / "password"
    password.write_text(PASSWORD + "\n")
    for snapshot, expected in frozen.expected.items():
        p = subprocess.run([sys.executable, READER, frozen.repo, "--password-file", password, "restore", snapshot,
                            base / snapshot], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert p.returncode == 0, p.stdout
        assert digests(data_below(base / snapshot)) == expected
