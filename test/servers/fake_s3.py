"""fake_s3: not a real server. It answers as AWS documents where no server that can be installed does.

refusing(status, code, extra)   every request is refused in that way
metadata(keys)                  an instance's metadata service, version 2, with these credentials
Both are contexts whose value has .endpoint, and .seen: (method, path, headers) of each request.
"""
import contextlib
import http.server
import json
import threading
import types


@contextlib.contextmanager
def serving(answer):
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def any(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            seen.append((self.command, self.path, dict(self.headers)))
            status, body = answer(self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = any

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield types.SimpleNamespace(endpoint=f"http://127.0.0.1:{server.server_port}", seen=seen)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refusing(status, code, extra=""):
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>so it is</Message>{extra}</Error>".encode()
    return serving(lambda *_: (status, body))


def metadata(keys):
    def answer(method, path, headers):
        if (method, path) == ("PUT", "/latest/api/token"):
            return (200, b"TOKEN") if "x-aws-ec2-metadata-token-ttl-seconds" in headers else (400, b"")
        if headers.get("x-aws-ec2-metadata-token") != "TOKEN":
            return 401, b""
        if path == "/latest/meta-data/iam/security-credentials/":
            return 200, b"the-role\n"
        if path == "/latest/meta-data/iam/security-credentials/the-role":
            return 200, json.dumps({"Code": "Success", "Expiration": "2100-01-01T00:00:00Z", **keys}).encode()
        return 404, b""

    return serving(answer)
