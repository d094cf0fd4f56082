"""What golden and e2e tests share: the program in a world of its own, trees to back up, judges.

    hf        run the program: hf("backup", tree) -> Result with rc, out, err, json()
    repo      the same, with a repository made at hf.repo
    tree      a builder of directory trees at tree.path
    need      skip (fail in CI) where a tool is missing
    trials    how many times to try something random here
    rng       a seeded random.Random, its seed printed
"""
import contextlib
import json
import os
import random
import shutil
import stat
import struct
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.path.abspath(os.environ.get("HOLDFAST_BIN", os.path.join(ROOT, "build/release/src/holdfast")))
FULL = os.environ.get("HOLDFAST_TEST_FULL") == "1"
PASSWORD = "correct horse battery staple"
TIMEOUT = 600


def need(*tools):
    """Skip the test where a program is missing; in CI nothing may be missing."""
    for tool in tools:
        if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{tool} is missing")


def need_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


def trials(n):
    """n of them in `make soak`, a tenth (at least 3) in `make check`."""
    return n if FULL else max(3, n // 10)


@pytest.fixture
def rng():
    seed = int(os.environ.get("HOLDFAST_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"HOLDFAST_TEST_SEED={seed}")
    return random.Random(seed)


class Result:
    """What a run of the program left: rc, out and err (text), argv."""

    def __init__(self, argv, rc, out, err):
        self.argv, self.rc, self.raw = argv, rc, out
        self.out, self.err = out.decode(errors="surrogateescape"), err.decode(errors="replace")

    def __repr__(self):
        return f"$ {' '.join(map(str, self.argv))}\nexit {self.rc}\n{self.out[-4000:]}\n{self.err[-4000:]}"

    def json(self, kind=None):
        """The objects on stdout, every line of which must be one; of one type if given."""
        objects = [json.loads(line) for line in self.out.splitlines()]
        for o in objects:
            assert o["schema"] == 1 and o["type"] in ("status", "summary", "item", "error"), o
        return [o for o in objects if kind in (None, o["type"])]

    @property
    def summary(self):
        (one,) = self.json("summary")
        return one

    @property
    def error(self):
        return self.json("error")[-1]


class Holdfast:
    """The program with a private home, cache and state; repo and key are used where set."""

    def __init__(self, base):
        self.base = str(base)
        self.repo, self.key_file = None, None
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HOLDFAST_", "XDG_", "LC_", "LANG"))}
        self.env.update(HOME=f"{base}/home", LC_ALL="C.UTF-8", HOLDFAST_CACHE_DIR=f"{base}/cache",
                        HOLDFAST_STATE_DIR=f"{base}/state", HOLDFAST_RUNTIME_DIR=f"{base}/run")
        os.makedirs(f"{base}/home")

    def argv(self, *args):
        argv = [BINARY]
        if self.repo and "-r" not in args:
            argv += ["-r", self.repo]
        return argv + [os.fspath(a) for a in args]

    def environment(self, env=None):
        key = {"HOLDFAST_KEY_FILE": self.key_file} if self.key_file else {}
        return {k: v for k, v in {**self.env, **key, **(env or {})}.items() if v is not None}

    def __call__(self, *args, rc=0, input=b"", env=None, cwd=None, timeout=TIMEOUT):
        """Run it, and insist on the exit status rc (None: any)."""
        argv = self.argv(*args)
        p = subprocess.run(argv, input=input, env=self.environment(env), cwd=cwd, timeout=timeout,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        result = Result(argv, p.returncode, p.stdout, p.stderr)
        assert rc is None or p.returncode == rc, f"expected exit {rc}\n{result!r}"
        assert p.returncode >= 0 and b"Sanitizer" not in p.stderr, f"crashed\n{result!r}"
        return result

    def start(self, *args, env=None, **kw):
        """Start it and come back with the Popen; for tests that kill or race it."""
        kw = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **kw}
        return subprocess.Popen(self.argv(*args), env=self.environment(env), **kw)

    def init(self, *args):
        self.repo, self.key_file = f"{self.base}/repo", f"{self.base}/key"
        key, self.key_file = self.key_file, None
        self("init", "--new-key-file", key, *args)
        self.key_file = key
        return self

    def backup(self, *args, **kw):
        """The id of the new snapshot."""
        return self("--json", "backup", *args, **kw).summary["snapshot"]

    def check_clean(self):
        return self("check", "--read-data")

    def size(self):
        """Bytes in the repository's files; they may be renamed meanwhile."""
        total = 0
        for d, _, fs in os.walk(self.repo):
            for f in fs:
                with contextlib.suppress(FileNotFoundError):
                    total += os.lstat(os.path.join(d, f)).st_size
        return total

    def objects(self, folder):
        """Paths of the objects of one kind, largest first."""
        found = [os.path.join(d, f) for d, _, fs in os.walk(f"{self.repo}/{folder}") for f in fs]
        return sorted(found, key=os.path.getsize, reverse=True)


@pytest.fixture
def base(tmp_path):
    """A folder that is gone afterwards, whatever modes the test left in it."""
    yield tmp_path
    if os.geteuid() != 0:
        subprocess.run(["chmod", "-R", "u+rwX", tmp_path], stderr=subprocess.DEVNULL)
    subprocess.run(["rm", "-rf", tmp_path], check=True)  # which knows paths longer than PATH_MAX


@pytest.fixture
def hf(base):
    if not os.access(BINARY, os.X_OK):
        pytest.fail(f"{BINARY} is not built; run make")
    return Holdfast(base)


@pytest.fixture
def repo(hf):
    return hf.init()


class Tree:
    """Makes entries below path; names may be str or bytes. Each method returns the entry's path."""

    def __init__(self, path):
        self.path = os.fsencode(path)
        os.makedirs(self.path)

    def at(self, name):
        return os.path.join(self.path, os.fsencode(name))

    def dir(self, name):
        os.makedirs(self.at(name), exist_ok=True)
        return self.at(name)

    def file(self, name, data=b""):
        os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
        with open(self.at(name), "wb") as f:
            f.write(data.encode() if isinstance(data, str) else data)
        return self.at(name)

    def sparse(self, name, size, pieces):
        """A file of holes, but for {offset: bytes}."""
        with open(self.file(name), "r+b") as f:
            for offset, data in pieces.items():
                f.seek(offset)
                f.write(data)
            f.truncate(size)
        return self.at(name)

    def link(self, old, new):
        os.link(self.at(old), self.at(new))
        return self.at(new)

    def symlink(self, target, name):
        os.symlink(target, self.at(name))
        return self.at(name)

    def fifo(self, name):
        os.mkfifo(self.at(name))
        return self.at(name)

    def device(self, name, kind=stat.S_IFCHR, major=1, minor=3):
        os.mknod(self.at(name), kind | 0o640, os.makedev(major, minor))
        return self.at(name)

    def socket(self, name):
        os.mknod(self.at(name), stat.S_IFSOCK | 0o600)
        return self.at(name)

    def mtime(self, name, seconds, nanoseconds=0):
        when = seconds * 10**9 + nanoseconds
        os.utime(self.at(name), ns=(when, when), follow_symlinks=False)

    def xattr(self, name, key, value):
        os.setxattr(self.at(name), key, value, follow_symlinks=False)

    def acl(self, name, user=12345, perm=4):
        """A POSIX ACL that grants one user perm (as the kernel stores it)."""
        none = 0xFFFFFFFF
        rows = [(1, 6, none), (2, perm, user), (4, 4, none), (0x10, 6, none), (0x20, 4, none)]
        self.xattr(name, "system.posix_acl_access",
                   struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *r) for r in rows))

    def deep(self, length):
        """Directories nested until the path below the tree is about `length` bytes; a file at the end."""
        here = os.open(self.path, os.O_RDONLY)
        done = 0
        while done + 251 < length:
            name = b"d" * 250
            os.mkdir(name, dir_fd=here)
            below = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here, done = below, done + 251
        with open(os.open(b"leaf", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here), "wb") as f:
            f.write(b"deep")
        os.close(here)

    def every_kind(self, hole=1 << 26):
        """One of everything that this user may make."""
        self.file("plain", b"hello\n" * 1000)
        self.file("empty")
        self.dir("empty-dir")
        self.file("sub/dir/file", os.urandom(300_000))
        self.link("plain", "sub/hard link")
        self.symlink("plain", "link")
        self.symlink(b"\xff/nowhere", "dangling")
        self.fifo("fifo")
        self.file(b"not utf-8 \xff\xfe", b"x")
        self.file("n" * 255, b"long name")
        self.file("new\nline", b"x")
        self.sparse("sparse", hole + 8192, {0: b"head", hole // 2: b"middle", hole + 4096: b"tail"})
        self.sparse("only a hole", 1 << 20, {})
        self.file("future", b"1")
        self.mtime("future", 4102444800, 999999999)
        self.file("old", b"1")
        self.mtime("old", -2177452800, 1)
        self.mtime("link", 1000000000, 123456789)
        self.file("setuid", b"#!/bin/sh\n")
        os.chmod(self.at("setuid"), 0o6755)
        os.chmod(self.dir("sticky"), 0o1777)
        self.file("attributes", b"x")
        self.xattr("attributes", "user.note", b"\0binary\xff")
        self.xattr("sub", "user.note", b"on a directory")
        self.file("acl", b"x")
        self.acl("acl")
        if os.geteuid() == 0:
            self.device("null")
            self.device("block", stat.S_IFBLK, 7, 200)
            os.chown(self.file("owned", b"x"), 12345, 54321)
        self.mtime("empty-dir", 1234567890, 987654321)
        return self


@pytest.fixture
def tree(base):
    return Tree(base / "tree")


def differences(a, b):
    """What rsync would change to make directory b like a; "" if nothing. An independent judge."""
    need("rsync")
    p = subprocess.run(["rsync", "-aHAXn", "--itemize-changes", "--delete", "--checksum", "--numeric-ids",
                        os.path.join(os.fsencode(a), b""), os.path.join(os.fsencode(b), b"")],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return p.stdout.decode(errors="backslashreplace") + ("" if p.returncode == 0 else f"rsync: exit {p.returncode}")


def same_tree(a, b):
    """Assert that two directories hold the same, metadata included."""
    diff = differences(a, b)
    assert diff == "", diff


def restored(target, path):
    """Where restore puts what was backed up from an absolute path."""
    return os.path.join(os.fsencode(target), os.fsencode(path).lstrip(b"/"))
