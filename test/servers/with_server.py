#!/usr/bin/python3
"""with_server NAME ARGV...: start a real server, run ARGV with HOLDFAST_SUITE_URL at an empty place in it, stop it."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from places import PLACES, missing, unable  # noqa: E402


def main(name, *argv):
    lacks = missing(name)
    if unable(name) or (lacks and not os.environ.get("CI")):
        print(f"1..0 # SKIP {unable(name) or 'not installed: ' + ' '.join(lacks)}")
        return 0
    folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    server, url, env = PLACES[name][0](folder)
    with server:
        return subprocess.run(argv, env={**os.environ, **env, "HOLDFAST_SUITE_URL": url("a/b")}).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
