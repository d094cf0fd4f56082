#!/usr/bin/python3
"""with_disk KIND ARGV...: make and mount a file system of that kind, run ARGV with TMPDIR on it, take it away."""
import os
import shutil
import subprocess
import sys
import tempfile

MAKE = {"tmpfs": None, "ext4": ["mkfs.ext4", "-q"], "xfs": ["mkfs.xfs", "-q"], "btrfs": ["mkfs.btrfs", "-q"]}
SIZE = 512 << 20  # xfs takes no less than 300 MiB; nothing of it is written
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def missing(kind):
    if os.geteuid() != 0:
        return "needs root"
    tool = MAKE[kind] and MAKE[kind][0]
    return f"not installed: {tool}" if tool and not shutil.which(tool, path=PATH) else None


def main(kind, *argv):
    why = missing(kind)
    if why and not (os.environ.get("CI") and os.geteuid() == 0):
        print(f"1..0 # SKIP {why}")
        return 0
    folder = tempfile.mkdtemp()
    disk = f"{folder}/disk"
    os.mkdir(disk)
    try:
        if MAKE[kind]:
            with open(f"{folder}/image", "wb") as f:
                f.truncate(SIZE)
            subprocess.run([*MAKE[kind], f"{folder}/image"], check=True, env={**os.environ, "PATH": PATH},
                           stdout=subprocess.DEVNULL)
            subprocess.run(["mount", "-o", "loop", f"{folder}/image", disk], check=True)
        else:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "t", disk], check=True)
        try:
            return subprocess.run(argv, env={**os.environ, "TMPDIR": disk}).returncode
        finally:
            subprocess.run(["umount", disk], check=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
