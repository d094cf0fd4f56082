"""api_host: the API with a daemon that only remembers what it was asked (test/unit/api/api_host.c)."""
import http.client
import json
import os
import queue
import socket
import subprocess
import threading

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOKEN = "hft_" + "ab" * 32


def binary():
    """The sanitizers' one if it is there."""
    for build in filter(None, [os.environ.get("API_HOST"), "build/asan", "build/rt"]):
        path = os.path.join(ROOT, build) if "API_HOST" not in os.environ else build
        path = path if os.path.isfile(path) else os.path.join(path, "test/unit/api/api_host")
        if os.access(path, os.X_OK):
            return path
    (pytest.fail if os.environ.get("CI") else pytest.skip)("api_host is not built (meson -Dtests=true)")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("holdfast", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, r):
        self.status, self.headers, self.text = r.status, r.headers, r.read().decode()

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status} {self.text[:2000]}"


class ApiHost:
    """Running, with one token of each scope (names are the scopes)."""

    def __init__(self, folder, listen="127.0.0.1:0", **options):
        from hashlib import sha256
        self.folder = str(folder)
        for d in ("state", "logs"):
            os.makedirs(f"{folder}/{d}", exist_ok=True)
        self.tokens = {s: "hft_" + os.urandom(32).hex() for s in
                       ("viewer", "operator", "approver", "auditor", "admin")}
        self.write_tokens([{"name": s, "scope": s, "sha256": sha256(t.encode()).hexdigest(), "created": None,
                            "expires": None} for s, t in self.tokens.items()])
        self.socket = f"{folder}/run/api.sock"
        options = {"log_dir": f"{folder}/logs", **options}
        self.process = subprocess.Popen(
            [binary(), f"{folder}/catalog.db", f"{folder}/state", self.socket, listen,
             *[f"{k}={v}" for k, v in options.items()]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.said = queue.Queue(), []
        threading.Thread(target=self._read, daemon=True).start()
        self.first = self.lines.get(timeout=60) or self.process.stderr.read()
        self.port = int(self.first.split()[1]) if self.first.startswith("port ") else None

    def write_tokens(self, tokens):
        path = f"{self.folder}/state/tokens.json"
        with open(path + ".tmp", "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            json.dump({"schema": 1, "tokens": tokens}, f)
        os.rename(path + ".tmp", path)

    def _read(self):
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if not line.startswith(("log ", "run ")):
                self.lines.put(line.rstrip("\n"))
        self.lines.put("")

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.lines.get(timeout=60) == "done"

    def logged(self, *words):
        return any(all(w in line for w in words) for line in self.said if line.startswith("log "))

    def connect(self, local=False):
        return UnixConnection(self.socket) if local else http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def ask(self, method, path, scope="admin", body=None, headers=None, local=False):
        c = self.connect(local)
        headers = dict(headers or {})
        if scope:
            headers["Authorization"] = f"Bearer {self.tokens.get(scope, scope)}"
        if isinstance(body, (dict, list)):
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        c.request(method, path, body=body, headers=headers)
        try:
            return Answer(c.getresponse())
        finally:
            c.close()

    def raw(self, data, shut=True):
        """Bytes as they are; all that comes back until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as s:
            got = b""
            try:
                s.sendall(data)
                if shut:
                    s.shutdown(socket.SHUT_WR)
                while chunk := s.recv(65536):
                    got += chunk
            except TimeoutError:
                raise
            except OSError:
                pass  # reset, with what has come before
            return got

    def stop(self):
        """Its end has to be a clean one: sanitizers speak then."""
        try:
            self.process.stdin.close()
            rc = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            rc = "it did not stop"
        err = self.process.stderr.read()
        assert rc == 0 and "Sanitizer" not in err, f"exit {rc}\n{err[-4000:]}\n" + "\n".join(self.said[-20:])

    def __enter__(self):
        assert self.port is not None, self.first
        return self

    def __exit__(self, *error):
        self.stop()
