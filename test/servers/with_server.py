#!/usr/bin/python3
"""with_server NAME ARGV...: start a real server, run ARGV with HOLDFAST_SUITE_URL at an empty place in it, stop it."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import swift_s3  # noqa: E402
from ceph_rgw import ACCESS, SECRET, CephRgw  # noqa: E402
from s3 import Bucket  # noqa: E402
from swift_s3 import Swift  # noqa: E402


def ceph(folder, lock=False):
    server = CephRgw(folder).up()
    Bucket(server.endpoint, "suite", ACCESS, SECRET).make(lock)
    return server, {"HOLDFAST_SUITE_URL": f"s3:{server.endpoint}/suite/a/b", "AWS_ACCESS_KEY_ID": ACCESS,
                    "AWS_SECRET_ACCESS_KEY": SECRET}


def ceph_lock(folder):
    return ceph(folder, lock=True)


def swift(folder):
    server = Swift(folder).up()
    Bucket(server.endpoint, "suite", swift_s3.ACCESS, swift_s3.SECRET).make()
    return server, {"HOLDFAST_SUITE_URL": f"s3:{server.endpoint}/suite/a/b", "AWS_ACCESS_KEY_ID": swift_s3.ACCESS,
                    "AWS_SECRET_ACCESS_KEY": swift_s3.SECRET}


CEPH = ["ceph-mon", "ceph-osd", "radosgw"]
SERVERS = {"s3": (ceph, CEPH), "s3-lock": (ceph_lock, CEPH),
           "swift": (swift, ["swift-proxy-server", "swift-object-server", "memcached"])}


def resolves(host):
    try:
        return socket.gethostbyname(host)
    except OSError:
        return None


def main(name, *argv):
    make, programs = SERVERS[name]
    missing = [p for p in programs if shutil.which(p) is None]
    if name == "swift" and not resolves("localhost"):
        missing.append("an address of localhost, which Swift needs")
    if missing and not os.environ.get("CI"):
        print(f"1..0 # SKIP not installed: {' '.join(missing)}")
        return 0
    folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    server, env = make(folder)
    with server:
        return subprocess.run(argv, env={**os.environ, **env}).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
