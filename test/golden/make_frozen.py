#!/usr/bin/python3
"""make_frozen HOLDFAST OUT.tar: repositories as a version of the format writes them, and what is in them.

Run once for each version of the format, by the first program that writes it; test_frozen.py proves ever after that
the program still reads them. Two repositories: "default", and "choices" with SHA-256, parity and a removed holder.
"""
import hashlib
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile

PASSWORD = "frozen"


def make_tree(base):
    rng = random.Random(1)
    os.makedirs(f"{base}/data/empty")
    for i in range(40):
        os.makedirs(f"{base}/data/many/{i % 4}", exist_ok=True)
        with open(f"{base}/data/many/{i % 4}/{i:02}", "w") as f:
            f.write(f"file {i}\n" * i)
    with open(f"{base}/data/random", "wb") as f:
        f.write(rng.randbytes(70_000))
    with open(f"{base}/data/sparse", "wb") as f:
        f.truncate(9 << 20)
        f.seek(5 << 20)
        f.write(b"in the middle")
    with open(f"{base}/data/n\udcffme", "wb") as f:
        f.write(b"a name that is not UTF-8")
    os.symlink("many/1/01", f"{base}/data/link")
    os.link(f"{base}/data/random", f"{base}/data/hard")
    os.mkfifo(f"{base}/data/fifo", 0o640)
    os.chmod(f"{base}/data/random", 0o604)
    os.utime(f"{base}/data/random", ns=(1, 1_600_000_000_123_456_789))


def digests(folder):
    found = {}
    for d, dirs, files in os.walk(folder):
        for name in dirs + files:
            path = os.path.join(d, name)
            key = os.path.relpath(path, folder).encode(errors="surrogateescape").hex()
            if os.path.islink(path):
                found[key] = "link " + os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as f:
                    found[key] = hashlib.sha256(f.read()).hexdigest()
            else:
                found[key] = oct(os.lstat(path).st_mode)
    return found


def main(binary, out):
    base = tempfile.mkdtemp()
    env = dict(os.environ, HOLDFAST_CACHE_DIR=f"{base}/cache", HOLDFAST_STATE_DIR=f"{base}/state",
               HOLDFAST_PASSWORD=PASSWORD, HOME=base)

    def run(repo, *args, key=None):
        e = dict(env, HOLDFAST_KEY_FILE=key) if key else env
        p = subprocess.run([binary, "-r", f"{base}/{repo}", "--json", *args], env=e, check=True, stdout=subprocess.PIPE)
        return [json.loads(line) for line in p.stdout.splitlines()]

    make_tree(base)
    expected = {"default": {}, "choices": {}}

    def backup(repo, *args, key=None):
        summary = [o for o in run(repo, "backup", *args, f"{base}/data", key=key) if o["type"] == "summary"][0]
        expected[repo][summary["snapshot"]] = digests(f"{base}/data")
        return summary["snapshot"]

    run("default", "init")
    run("choices", "init", "--object-hash", "sha256", "--blob-id", "hmac-sha256", "--parity", "20%")
    for repo in expected:
        first = backup(repo, "--compression", "lz4", "--tag", "first")
        run(repo, "tag", "--add", "kept", first)
        run(repo, "key", "add", "--role", "write", "--new-key-file", f"{base}/{repo}.write")
        run(repo, "key", "add", "--role", "maintenance", "--new-key-file", f"{base}/{repo}.maintenance")
    with open(f"{base}/data/random", "r+b") as f:
        f.write(b"changed")
    backup("default", "--compression", "brotli", key=f"{base}/default.write")
    holder = [k for k in run("choices", "key", "list") if k.get("role") == "maintenance"][0]
    run("choices", "key", "remove", holder["holder"])
    second = backup("choices", "--compression", "gzip")
    run("choices", "forget", backup("choices", "--host", "gone"), "--now")
    run("choices", "tag", "--pin", second)
    expected["choices"] = {k: v for k, v in list(expected["choices"].items())[:2]}
    with open(f"{base}/expected.json", "w") as f:
        json.dump(expected, f, indent=1, sort_keys=True)
    with tarfile.open(out, "w:xz") as tar:
        for name in ("default", "choices", "default.write", "expected.json"):
            tar.add(f"{base}/{name}", name)


if __name__ == "__main__":
    main(*sys.argv[1:])
