#!/usr/bin/python3
"""eta: how good the forecast of a backup is.

    bench/eta.py TREE [BACKUP OPTION...]      such as: --limit-upload 10MB

Backs TREE up into a new repository, takes the status lines of --json, and compares the end that each
foretold with the real one.  Prints each, and the largest error from one third of the time on; fails
(1) if that is more than 20 % of the whole time.  The run should take 20 seconds or more: a second goes by
between two lines.
"""
import json
import os
import subprocess
import sys
import tempfile

BINARY = os.path.abspath(os.environ.get("HOLDFAST_BIN", "build/release/src/holdfast"))
ALLOWED = 0.20


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="holdfast-eta.", dir=os.environ.get("BENCH_DIR")) as home:
        env = {**os.environ, "HOLDFAST_REPOSITORY": f"{home}/repo", "HOLDFAST_CACHE_DIR": f"{home}/cache",
               "HOLDFAST_STATE_DIR": f"{home}/state"}
        env.pop("HOLDFAST_KEY_FILE", None)
        subprocess.run([BINARY, "init", "--new-key-file", f"{home}/key"], env=env, check=True, stdout=subprocess.DEVNULL)
        env["HOLDFAST_KEY_FILE"] = f"{home}/key"
        out = subprocess.run([BINARY, "--json", "backup", *sys.argv[1:]], env=env, stdout=subprocess.PIPE, check=True).stdout
    lines = [json.loads(line) for line in out.splitlines()]
    (end,) = [o["seconds"] for o in lines if o["type"] == "summary"]
    worst = 0
    seen = 0
    for o in lines:
        if o["type"] != "status":
            continue
        at, left = o["seconds"] / end, o["seconds_left"]
        error = None if left is None else (o["seconds"] + left) / end - 1
        counts = at >= 1 / 3 and at < 1
        if counts:
            seen += 1
            worst = max(worst, 1 if error is None else abs(error))
        print(f"{o['seconds']:7.1f} s  {at * 100:3.0f} % of the time  {o['percent'] or 0:3.0f} % of the bytes  "
              + ("no forecast" if error is None else f"error {error * 100:+.0f} %"))
    print(f"took {end:.1f} s; from one third on {seen} forecasts, largest error {worst * 100:.0f} %")
    return 0 if seen and worst <= ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
