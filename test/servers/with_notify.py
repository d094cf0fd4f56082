#!/usr/bin/python3
"""with_notify KIND ARGV...: start who is notified (notify_peer.py), run ARGV KIND with where in its environment."""
import http.server
import os
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import notify_peer  # noqa: E402


def main(kind, *argv):
    if notify_peer.missing(kind) and not os.environ.get("CI"):
        print(f"1..0 # SKIP {notify_peer.missing(kind)}")
        return 0
    with tempfile.TemporaryDirectory() as folder, notify_peer.NotifyPeer(kind, folder) as peer:
        env = {f"HOLDFAST_SUITE_{m.upper()}": peer.url(m) for m in notify_peer.MODES}
        control = http.server.ThreadingHTTPServer(("127.0.0.1", 0), notify_peer.Control)
        control.peer = peer
        threading.Thread(target=control.serve_forever, args=(0.05,), daemon=True).start()
        env.update(HOLDFAST_SUITE_CA=peer.ca.ca_file, HOLDFAST_SUITE_GOT=f"http://127.0.0.1:{control.server_port}/",
                   HOLDFAST_SUITE_SECRET=notify_peer.SECRET, HOLDFAST_SUITE_TOKEN=notify_peer.TOKEN,
                   HOLDFAST_SUITE_PASSWORD=notify_peer.PASSWORD, HOLDFAST_SUITE_SID=notify_peer.SID)
        status = subprocess.run([*argv, kind], env={**os.environ, **env}).returncode
        control.shutdown()
        return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
