"""server: what all real servers of the tests share: free ports, a folder, processes that end by their PIDs."""
import os
import shutil
import signal
import socket
import subprocess
import time

try:
    import pytest
except ImportError:
    pytest = None


def free_port():
    """A port that was free a moment ago; servers that find it taken are started again by whoever asked."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def need_programs(*names):
    """In CI a missing server is a failure, elsewhere a counted skip."""
    missing = [n for n in names if shutil.which(n, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None]
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {' '.join(missing)}")


class Server:
    """Processes with a folder of their own. Use as a context: what was started is stopped, newest first."""

    def __init__(self, folder, env=None):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.env = {**os.environ, **(env or {})}
        self.running = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *argv, check=True):
        """A command that ends by itself; its output."""
        p = subprocess.run([str(a) for a in argv], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, timeout=300)
        assert not check or p.returncode == 0, f"{argv}: {p.stdout[-2000:]}"
        return p.stdout if p.returncode == 0 else None

    def start(self, name, *argv):
        with open(self.path(name + ".log"), "ab") as log:
            p = subprocess.Popen([str(a) for a in argv], env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 start_new_session=True)
        self.running.append((name, p))
        return p

    def wait(self, ready, what, seconds=180):
        end = time.monotonic() + seconds
        while not ready():
            ended = [name for name, p in self.running if p.poll() is not None]
            if ended or time.monotonic() > end:
                why = f"{what} did not come up, ended: {ended}: {self.log((ended or [self.running[-1][0]])[0])}"
                self.stop()  # whoever started it may not be in its context yet
                raise AssertionError(why)
            time.sleep(0.1)

    def log(self, name):
        with open(self.path(name + ".log"), errors="replace") as f:
            return f.read()[-3000:]

    def stop(self):
        for _, p in reversed(self.running):
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def certificate(server, name="localhost", days=2):
    """cert.pem and key.pem in the server's folder: its own authority, for `name` and 127.0.0.1."""
    server.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", days, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1",
               "-keyout", server.path("key.pem"), "-out", server.path("cert.pem"))
