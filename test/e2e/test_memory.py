"""Memory is bounded, whatever the number of files (promise 6)."""
import os
import re
import shutil
import subprocess

import pytest

from conftest import FULL, need

FILES = 1_000_000 if FULL else 100_000
LIMIT_KIB = 64 * 1024
MANY_JOBS_KIB = (64 + 16 * 2) * 1024  # 77 MiB as measured; without budgets 126
FOLDER_FILES, FOLDER_KIB = 100_000, 40 * 1024  # 31 MiB as measured; entries held whole took 55


@pytest.fixture
def place(hf):
    """In memory where that is possible: a million files on a disk take their time."""
    base = f"/dev/shm/holdfast-{os.getpid()}" if os.access("/dev/shm", os.W_OK) else f"{hf.base}/many"
    os.makedirs(base)
    yield base
    shutil.rmtree(base)


def peak(hf, *args):
    """Resident KiB at most, of a run that must succeed."""
    need("time")
    p = subprocess.run(["/usr/bin/time", "-v", *hf.argv(*args)], env=hf.environment(),
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert p.returncode == 0, p.stdout[-3000:] + p.stderr[-3000:]
    return int(re.search(r"Maximum resident set size \(kbytes\): (\d+)", p.stderr)[1])


def make_repo(hf, place):
    """With a key file: a password's derivation takes 32 MiB by itself."""
    hf.repo = f"{place}/repo"
    hf("init", "--new-key-file", f"{place}/key")
    hf.key_file = f"{place}/key"


def test_very_many_small_files_fit_into_little_memory(hf, place):
    make_repo(hf, place)
    tree = f"{place}/tree"
    for d in range(FILES // 1000):
        os.makedirs(f"{tree}/{d % 10}/{d}")
        at = os.open(f"{tree}/{d % 10}/{d}", os.O_RDONLY)
        for f in range(1000):
            fd = os.open(f"{f:04}", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=at)
            os.write(fd, b"file %d of folder %d\n" % (f, d))
            os.close(fd)
        os.close(at)
    runs = {"first": ["backup", tree], "second": ["backup", tree],
            "check": ["check", "--read-data"], "prune": ["prune"],
            "restore": ["restore", f"latest:{tree}", "--target", f"{place}/out"]}
    seen = {name: peak(hf, *args) for name, args in runs.items()}
    assert max(seen.values()) < LIMIT_KIB, seen
    print(seen)
    count = sum(len(files) for _, _, files in os.walk(f"{place}/out"))
    assert count == FILES


def test_one_very_large_folder_fits_into_little_memory(hf, place):
    make_repo(hf, place)
    os.makedirs(f"{place}/tree")
    at = os.open(f"{place}/tree", os.O_RDONLY)
    for i in range(FOLDER_FILES):
        fd = os.open(f"some-name-{i * 7919 % FOLDER_FILES:06}", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=at)
        os.write(fd, b"file %d\n" % i)
        os.close(fd)
    os.close(at)
    runs = {"first": ["backup", "-j2", f"{place}/tree"], "second": ["backup", "-j2", f"{place}/tree"],
            "list": ["ls", f"latest:{place}/tree"], "check": ["check", "--read-data", "-j2"],
            "restore": ["restore", f"latest:{place}/tree", "--target", f"{place}/out", "-j2"]}
    seen = {name: peak(hf, *args) for name, args in runs.items()}
    assert max(seen.values()) < FOLDER_KIB, seen
    print(seen)
    assert len(os.listdir(f"{place}/out")) == FOLDER_FILES


def test_many_workers_share_their_memory(hf, place, rng):
    make_repo(hf, place)
    os.makedirs(f"{place}/tree")
    for i in range(48):
        with open(f"{place}/tree/{i}", "w") as f:
            f.write(rng.randbytes(1_700_000).hex())
    runs = {"first": ["backup", "-j16", f"{place}/tree"], "check": ["check", "--read-data", "-j16"],
            "restore": ["restore", f"latest:{place}/tree", "--target", f"{place}/out", "-j16"]}
    seen = {name: peak(hf, *args) for name, args in runs.items()}
    assert max(seen.values()) < MANY_JOBS_KIB, seen
    print(seen)
