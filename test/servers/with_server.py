#!/usr/bin/python3
"""with_server NAME ARGV...: start a real server, run ARGV with HOLDFAST_SUITE_URL at an empty place in it, stop it."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ceph_rgw import ACCESS, SECRET, CephRgw  # noqa: E402
from s3 import Bucket  # noqa: E402


def ceph(folder):
    server = CephRgw(folder).up()
    Bucket(server.endpoint, "suite", ACCESS, SECRET).make()
    return server, {"HOLDFAST_SUITE_URL": f"s3:{server.endpoint}/suite/a/b", "AWS_ACCESS_KEY_ID": ACCESS,
                    "AWS_SECRET_ACCESS_KEY": SECRET}


SERVERS = {"s3": (ceph, ["ceph-mon", "ceph-osd", "radosgw"])}


def main(name, *argv):
    make, programs = SERVERS[name]
    missing = [p for p in programs if shutil.which(p) is None]
    if missing and not os.environ.get("CI"):
        print(f"1..0 # SKIP not installed: {' '.join(missing)}")
        return 0
    folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    server, env = make(folder)
    with server:
        return subprocess.run(argv, env={**os.environ, **env}).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
