"""A repository written by the program is read by the second reader, and damage is seen by it."""
import json
import os
import subprocess

import pytest

from conftest import PASSWORD, restored, same_tree

READER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "read_repo.py")
CODECS = ["none", "zstd", "lz4", "gzip", "brotli"]


def read_repo(repo, *args, key=("--key-file",), rc=0):
    key = list(key) if len(key) > 1 else [*key, repo.key_file]
    p = subprocess.run(["/usr/bin/python3", READER, repo.repo, *key, *map(os.fspath, args)],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert p.returncode == rc, p.stdout + p.stderr
    return p.stdout + p.stderr


@pytest.mark.parametrize("index", ["with its index", "from the packs alone"])
@pytest.mark.parametrize("codec", CODECS)
def test_second_reader_restores_what_the_program_wrote(repo, tree, base, codec, index):
    tree.every_kind()
    tree.file("text", b"".join(b"line %d of a text that compresses\n" % i for i in range(60_000)))
    for i in range(300):
        tree.file(f"many/{i:03}", b"%d" % i * 100)
    snapshot = repo.backup("--compression", codec, tree.path)
    flags = ["--no-index"] if index == "from the packs alone" else []
    read_repo(repo, *flags, "restore", snapshot, base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def test_second_reader_verifies_several_snapshots_and_notes(repo, tree):
    tree.every_kind()
    first = repo.backup(tree.path)
    tree.file("sub/new", b"new")
    repo.backup(tree.path)
    repo("tag", "--add", "kept", first)
    seen = json.loads(read_repo(repo, "verify"))
    assert seen["snapshots"] == 2 and seen["notes"] == 1
    assert first[:8] in read_repo(repo, "snapshots")


def test_second_reader_opens_with_a_password(hf, tree, base):
    hf.repo = str(base / "repo")
    password = base / "password"
    password.write_text(PASSWORD + "\n")
    env = {"HOLDFAST_PASSWORD": PASSWORD}
    hf("init", env=env)
    tree.file("a", b"1")
    hf("backup", tree.path, env=env)
    read_repo(hf, "restore", "latest", base / "out", key=("--password-file", password))
    same_tree(tree.path, restored(base / "out", tree.path))
    password.write_text("wrong")
    assert "no key fits" in read_repo(hf, "verify", key=("--password-file", password), rc=1)


@pytest.mark.parametrize("index", ["with its index", "from the packs alone"])
@pytest.mark.parametrize("holder", ["key file", "password"])
def test_second_reader_restores_what_a_prune_left(hf, tree, base, rng, holder, index):
    if holder == "password":
        hf.repo, hf.env["HOLDFAST_PASSWORD"] = str(base / "repo"), PASSWORD
        (base / "password").write_text(PASSWORD + "\n")
        hf("init")
        key = ("--password-file", base / "password")
    else:
        hf.init()
        key = ("--key-file",)
    tree.every_kind()
    old = [hf.backup(tree.path)]
    for n in range(2):
        for i in range(100):
            tree.file(f"many/{rng.randrange(200)}", rng.randbytes(5000))
        old.append(hf.backup(tree.path))
    os.unlink(tree.at("sub/dir/file"))
    newest = hf.backup(tree.path)
    hf("forget", "--now", *old)
    before = hf.size()
    hf("prune", "--exclusive", "--repack", "--max-unused", "0%")
    assert hf.size() < before
    flags = ["--no-index"] if index == "from the packs alone" else []
    read_repo(hf, *flags, "restore", newest, base / "out", key=key)
    same_tree(tree.path, restored(base / "out", tree.path))
    assert json.loads(read_repo(hf, "verify", key=key))["snapshots"] == 1


@pytest.mark.parametrize("folder", ["packs", "meta", "index", "snapshots", "keys", ""])
def test_one_flipped_bit_is_seen_by_the_second_reader(repo, tree, rng, folder):
    tree.every_kind()
    repo.backup(tree.path)
    victim = repo.objects(folder)[0] if folder else os.path.join(repo.repo, "config")
    with open(victim, "r+b") as f:
        at = rng.randrange(os.path.getsize(victim))
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1 << rng.randrange(8)]))
    read_repo(repo, "verify", rc=1)
