"""fake_ftp: not a real FTP server: one of the test's own, for what real ones do only in odd moments or on other systems.

Threads, one a connection; passive mode and no TLS; files in a folder. Use as a context; the hooks may be set at any time:

answer   (verb, path) -> a line to answer with instead of doing it, or None
listing  (folder, lines) -> the lines of a listing, given those of this server
mlsd     whether it has MLSD; else LIST as Unix has it
shift    seconds that MLSD's times are off
pace     seconds that each byte of a file takes to be sent
"""
import os
import socket
import socketserver
import threading
import time


class Session(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.rest, self.data, self.source = 0, None, None
        self.say("220 fake")
        for raw in self.rfile:
            verb, _, arg = raw.decode().strip().partition(" ")
            verb = verb.upper()
            answer = self.server.fake.answer(verb, arg.strip("/"))
            if answer:
                self.say(answer)
                continue
            if verb == "QUIT":
                break
            self.say(getattr(self, "do_" + verb.lower(), lambda _: "502 no such command")(arg))

    def at(self, path):
        return os.path.join(self.server.fake.root, path.strip("/"))

    def do_user(self, _):
        return "331 password?"

    def do_pass(self, _):
        return "230 in"

    def do_pwd(self, _):
        return '257 "/"'

    def do_type(self, _):
        return "200 ok"

    def do_epsv(self, _):
        self.data = socket.create_server(("127.0.0.1", 0))
        return f"229 ok (|||{self.data.getsockname()[1]}|)"

    def transfer(self, send=None, pace=0):
        self.say("150 here")
        with self.data, self.data.accept()[0] as s:
            for i in range(len(send) if send is not None and pace else 0):
                s.sendall(send[i:i + 1])
                time.sleep(pace)
            if send is not None:
                s.sendall(b"" if pace else send)
                return b""
            return b"".join(iter(lambda: s.recv(65536), b""))

    def listed(self, path, line):
        if not os.path.isdir(self.at(path)):
            return f"550 {path}: no such folder"
        lines = [line(n, os.stat(os.path.join(self.at(path), n)), os.path.isdir(os.path.join(self.at(path), n)))
                 for n in sorted(os.listdir(self.at(path)))]
        lines = self.server.fake.listing(path.strip("/"), lines)
        self.transfer("".join(f"{li}\r\n" for li in lines).encode())
        return "226 all"

    def do_mlsd(self, path):
        if not self.server.fake.mlsd:
            return "500 what?"
        return self.listed(path, lambda n, st, folder: (
            f"type={'dir' if folder else 'file'};size={st.st_size};modify="
            + time.strftime("%Y%m%d%H%M%S", time.gmtime(st.st_mtime + self.server.fake.shift)) + f"; {n}"))

    def do_list(self, path):
        return self.listed(path, lambda n, st, folder: (
            f"{'d' if folder else '-'}rw-r--r--   1 a b {st.st_size:12} "
            + time.strftime("%b %d %H:%M", time.gmtime(st.st_mtime)) + f" {n}"))

    def do_size(self, path):
        return f"213 {os.path.getsize(self.at(path))}" if os.path.isfile(self.at(path)) else "550 none"

    def do_mdtm(self, path):
        if not os.path.isfile(self.at(path)):
            return "550 none"
        return "213 " + time.strftime("%Y%m%d%H%M%S", time.gmtime(os.path.getmtime(self.at(path))))

    def do_mkd(self, path):
        if os.path.exists(self.at(path)):
            return "550 there"
        os.mkdir(self.at(path))
        return "257 made"

    def do_dele(self, path):
        if not os.path.isfile(self.at(path)):
            return "550 none"
        os.unlink(self.at(path))
        return "250 gone"

    def do_rest(self, n):
        self.rest = int(n)
        return "350 ok"

    def do_rnfr(self, path):
        self.source = path
        return "350 to?" if os.path.exists(self.at(path)) else "550 none"

    def do_rnto(self, path):
        os.rename(self.at(self.source), self.at(path))
        return "250 renamed"

    def do_retr(self, path):
        if not os.path.isfile(self.at(path)):
            return "550 none"
        with open(self.at(path), "rb") as f:
            f.seek(self.rest)
            self.rest = 0
            try:
                self.transfer(f.read(), self.server.fake.pace)
            except OSError:
                return "426 cut"
        return "226 all"

    def do_stor(self, path):
        if not os.path.isdir(os.path.dirname(self.at(path))):
            return "553 no folder"
        with open(self.at(path), "wb") as f:
            f.write(self.transfer())
        return "226 all"


class Threads(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True


class FakeFtp:
    def __init__(self, root):
        self.root = str(root)
        os.makedirs(self.root, exist_ok=True)
        self.answer, self.listing = lambda verb, path: None, lambda folder, lines: lines
        self.mlsd, self.shift, self.pace = True, 0, 0
        self.server = Threads(("127.0.0.1", 0), Session)
        self.server.fake = self
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
