"""Log that the daemon stores ahead, of files that no server wrote."""
import os
import signal
import socket
import subprocess
import time

import pytest
from conftest import BINARY
from test_log_get import segment


@pytest.fixture
def daemon(hf):
    """A daemon, and a system with a second destination that is a socket of ours."""
    with socket.socket() as away:
        away.bind(("127.0.0.1", 0))
        hf("-r", f"{hf.base}/one", "init", "--new-key-file", f"{hf.base}/one.key")
        hf.env["HOLDFAST_CONFIG"] = f"{hf.base}/h.yaml"
        with open(hf.env["HOLDFAST_CONFIG"], "w") as f:
            f.write(f"repositories:\n  one: {{url: {hf.base}/one, key: 'file:{hf.base}/one.key'}}\n"
                    f"  two: {{url: 'webdav://me@127.0.0.1:{away.getsockname()[1]}/x', key: 'file:{hf.base}/one.key'}}\n"
                    "tiers: {gold: {destinations: [one, two]}}\nsystems:\n  db:\n    tier: gold\n    paused: yes\n    sources:\n"
                    "      - postgresql: {host: /nowhere, user: postgres}\n")
        hf.env["HOLDFAST_WEBDAV_PASSWORD"] = "x"
        hf.env["HOLDFAST_RUNTIME_DIR"] = f"{hf.base}/run"
        hf.away = away
        with open(f"{hf.base}/log", "w") as log:
            p = subprocess.Popen([BINARY, "serve"], env=hf.environment(), stdout=log, stderr=log, start_new_session=True)
        hf.daemon = p
        end = time.monotonic() + 60
        while not os.path.exists(f"{hf.base}/run/log.sock"):
            assert time.monotonic() < end and p.poll() is None, open(f"{hf.base}/log").read()
            time.sleep(0.02)
        yield hf
        p.send_signal(signal.SIGTERM)
        try:
            p.wait(60)
        finally:
            p.kill()


def test_a_reload_does_not_wait_for_what_hangs(daemon):
    """What is stored ahead hangs in one repository: with what is declared anew others go on at once."""
    hf = daemon
    wal = f"{hf.base}/wal"
    os.makedirs(f"{wal}/archive_status")
    files = [segment(wal, n, 1 << 20) for n in range(5, 9)]

    def push(path):
        subprocess.run([BINARY, "log", "push", path], env=hf.environment(), timeout=60, check=True)

    push(files[0])  # the second place refuses: whoever pushed leaves it alone for a while
    hf.away.listen(8)  # from now on it takes, and never answers
    open(f"{wal}/archive_status/{os.path.basename(files[2])}.ready", "w").close()
    push(files[1])
    hf.away.settimeout(60)
    hung, _ = hf.away.accept()
    hf.daemon.send_signal(signal.SIGHUP)
    end = time.monotonic() + 60
    while "config.reloaded" not in open(f"{hf.base}/log").read():
        assert time.monotonic() < end
        time.sleep(0.02)
    # Who comes now asks the second place himself; that he is at it is all that is asked.
    p = subprocess.Popen([BINARY, "log", "push", files[3]], env=hf.environment())
    try:
        at_it, _ = hf.away.accept()
        at_it.close()
        hf.away.close()
        assert p.wait(60) == 0
    finally:
        p.kill()
        p.wait()
        hung.close()
