"""notify_peer: who notifications are sent to, in good and in bad shape.

Mail goes to a real mail server (npm smtp-server, smtp_server.mjs). The others are stand-ins of our own for services
that cannot be run here; each refuses what the real one refuses, as its documentation says:

    slack    incoming webhooks: JSON with text, or 400 invalid_payload / no_text; an unknown path is 404 no_service; "ok"
    webhook  ours: the signature (age, HMAC), the login, the idempotency key
    sms      Twilio's Messages.json: basic login (401, code 20003), a form, E.164 (400, 21211), 1,600 letters (21617); 201
    ntfy     publishing as JSON: the topic, 4,096 bytes, priority 1 to 5, bearer tokens (401, code 40101)
    ping     healthchecks.io: /UUID, /start, /fail; an unknown one is 200 "OK (not found)"

NotifyPeer(kind, folder) listens in each of MODES; peer.url(mode) is where, peer.got() what came, in one form for all.
"""
import base64
import email
import email.policy
import hashlib
import hmac
import http.server
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from certs import DAY, Authority  # noqa: E402

NPM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "npm", "node_modules")
KINDS = ["email", "slack", "webhook", "sms", "ntfy", "ping"]
# good; one whose certificate has ended, is for another host, is nobody's; busy for 7 s; failing; silent; hanging up in
# the middle; answering without end; not there at all
MODES = ["good", "ended", "other", "stranger", "busy", "broken", "silent", "cut", "huge", "closed"]
SECRET, TOKEN, USER, PASSWORD = "0123456789abcdef-secret", "tk_1234567890", "holdfast", "pa ss:wörd"
SID, UUID, TOPIC = "AC0123456789abcdef0123456789abcdef", "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278", "backups_1"
SLACK = "/services/T0001/B0001/abcdefghijklmnop"
PRIORITIES = {3: "info", 4: "warning", 5: "critical"}


class Refused(Exception):
    """The status, body and headers of a refusal."""


def need(good, status, body):
    if not good:
        raise Refused(status, body)


def from_json(body, status, text):
    try:
        o = json.loads(body)
        assert isinstance(o, dict)
        return o
    except (ValueError, AssertionError):
        raise Refused(status, text) from None


def unescape(s):
    assert not re.search(r"<|>|&(?!amp;|lt;|gt;)", s), s
    return s.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def slack(path, headers, body):
    need(path == SLACK, 404, "no_service")
    need(headers.get("content-type", "").startswith("application/json"), 400, "invalid_payload")
    o = from_json(body, 400, "invalid_payload")
    need(o.get("text"), 400, "no_text")
    a = o["attachments"][0]
    severity = {"#2eb67d": "info", "#ecb22e": "warning", "#e01e5a": "critical"}[a["color"]]
    return 200, "ok", {"subject": unescape(o["text"]), "text": unescape(a["text"]), "severity": severity,
                       "fields": {unescape(f["title"]): unescape(f["value"]) for f in a["fields"]}}


def webhook(path, headers, body):
    need(path == "/hook?x=1", 404, "")
    need(headers.get("authorization") == f"Bearer {TOKEN}", 401, '{"error": "bad token"}')
    m = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers.get("x-holdfast-signature", ""))
    need(m and abs(time.time() - int(m[1])) < 300, 401, '{"error": "no signature, or an old one"}')
    good = hmac.new(SECRET.encode(), m[1].encode() + b"." + body, hashlib.sha256).hexdigest()
    need(hmac.compare_digest(good, m[2]), 401, '{"error": "bad signature"}')
    o = from_json(body, 400, "")
    need(headers.get("idempotency-key") == o["id"] and o["schema"] == 1, 400, "")
    return 204, "", {**o, "fields": {**o["fields"], "system": o["system"], "host": o["host"]}}


def sms(path, headers, body):
    def no(status, code, message):
        return status, json.dumps({"code": code, "message": message, "more_info": "", "status": status})
    need(path == f"/2010-04-01/Accounts/{SID}/Messages.json", *no(404, 20404, "The requested resource was not found"))
    login = base64.b64encode(f"{SID}:{PASSWORD}".encode()).decode()
    need(headers.get("authorization") == f"Basic {login}", *no(401, 20003, "Authenticate"))
    need(headers.get("content-type") == "application/x-www-form-urlencoded", *no(400, 20001, "not a form"))
    form = urllib.parse.parse_qs(body.decode("ascii"), strict_parsing=True)
    need(re.fullmatch(r"\+[1-9]\d{6,14}", form.get("To", [""])[0]), *no(400, 21211, "Invalid 'To' Phone Number"))
    need(form.get("From"), *no(400, 21603, "A 'From' phone number is required."))
    need(form.get("Body"), *no(400, 21602, "Message body is required."))
    need(len(form["Body"][0]) <= 1600, *no(400, 21617, "The concatenated message body exceeds the limit"))
    need(not form["To"][0].endswith("999"), *no(400, 21211, "Invalid 'To' Phone Number"))
    need(not form["To"][0].endswith("888"), *no(429, 20429, "Too Many Requests"))  # a number of these tests
    subject, _, text = form["Body"][0].rpartition(": ")
    return 201, json.dumps({"sid": "SM1", "status": "queued"}), {"subject": subject, "text": text, "to": form["To"][0]}


def ntfy(path, headers, body):
    need(headers.get("authorization") == f"Bearer {TOKEN}", 401,
         '{"code": 40101, "http": 401, "error": "unauthorized"}')
    need(path == "/", 404, '{"code": 40401, "http": 404, "error": "page not found"}')
    o = from_json(body, 400, '{"code": 40024, "http": 400, "error": "invalid request: body must be valid JSON"}')
    need(re.fullmatch(r"[-_A-Za-z0-9]{1,64}", o.get("topic", "")), 400, '{"code": 40009, "error": "topic invalid"}')
    need(o["priority"] in (1, 2, 3, 4, 5), 400, '{"code": 40007, "error": "priority invalid"}')
    need(len(o["message"].encode()) <= 4096, 413, '{"code": 41301, "error": "message too large"}')
    return 200, json.dumps({"id": "x", "event": "message", **o}), {
        "subject": o["title"], "text": o["message"], "severity": PRIORITIES[o["priority"]], "topic": o["topic"]}


def ping(path, headers, body):
    m = re.fullmatch(r"/([^/?]+)(/start|/fail|)(\?.*)?", path)
    need(m, 400, "invalid url format")
    if m[1] != UUID:
        return 200, "OK (not found)", None
    subject, _, text = body.decode().partition("\n")
    return 200, "OK", {"subject": subject, "text": text, "signal": m[2][1:] or "success"}


SERVICES = {"slack": slack, "webhook": webhook, "sms": sms, "ntfy": ntfy, "ping": ping}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self):
        peer, mode = self.server.peer, self.server.mode
        peer.asked += 1
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {k.lower(): v for k, v in self.headers.items()}
        if mode == "cut":
            self.wfile.write(b"HTTP/1.1 2")
            self.close_connection = True
        elif mode == "silent":
            peer.ended.wait(120)
        elif mode == "huge":
            self.endless()
        elif mode == "busy":
            self.answer(429, '{"error": "slow down\\u001b[31m"}', {"Retry-After": "7"})
        elif mode == "broken":
            self.answer(502, "<html>bad gateway</html>", {})
        else:
            self.serve(peer, headers, body)

    def serve(self, peer, headers, body):
        try:
            status, text, got = SERVICES[peer.kind](self.path, headers, body)
        except Refused as no:
            self.answer(no.args[0], no.args[1], {})
            return
        if got:
            with peer.lock:
                peer.taken.append(got)
        self.answer(status, text, {})

    def endless(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        self.close_connection = True
        try:
            for _ in range(10000):
                self.wfile.write(b"x" * 65536)
        except OSError:
            pass

    def answer(self, status, text, headers):
        data = text.encode()
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k, v)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if status != 204 else b"")

    def log_message(self, *_):
        pass


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, peer, mode, context):
        super().__init__(("127.0.0.1", 0), Handler)
        self.peer, self.mode, self.context = peer, mode, context
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request, address):
        """In the connection's own thread: a client that refuses our certificate keeps nobody waiting."""
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, address)

    def handle_error(self, *_):
        pass


class RawMail:
    """A mail server that misbehaves before anything was said."""

    def __init__(self, peer, mode):
        self.peer, self.mode, self.socket = peer, mode, socket.create_server(("127.0.0.1", 0))
        self.server_address = self.socket.getsockname()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        try:
            if self.mode == "silent":
                self.peer.ended.wait(120)
            elif self.mode == "cut":
                c.sendall(b"220 mail.example.com ESM")
            elif self.mode == "broken":
                c.sendall(b"554 no service here\r\n")
                c.recv(1000)
            else:
                for _ in range(10000):
                    c.sendall(b"220-" + b"x" * 65536)
        except OSError:
            pass
        c.close()

    def shutdown(self):
        self.socket.close()

    server_close = shutdown


class NotifyPeer:
    def __init__(self, kind, folder, tls=True):
        self.kind, self.folder, self.tls = kind, str(folder), tls
        os.makedirs(f"{self.folder}/mail", exist_ok=True)
        self.lock, self.taken, self.ended = threading.Lock(), [], threading.Event()
        self.asked = 0  # requests that came, taken or not
        self.ca, self.stranger = Authority(self.folder), None
        self.servers, self.processes, self.mail_ports = {}, [], {}

    # ---- Certificates.

    def cert(self, mode):
        """(certificate, key) files of a server in that mode."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        import ipaddress
        ca, key = self.ca, ec.generate_private_key(ec.SECP256R1())
        if mode == "stranger":
            os.makedirs(f"{self.folder}/stranger", exist_ok=True)
            ca = Authority(f"{self.folder}/stranger")
            ca.name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "Stranger")])
        host = x509.DNSName("elsewhere.example.com") if mode == "other" else \
            x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        begin = ca.now - (30 * DAY if mode == "ended" else DAY)
        cert = ca.sign(x509.Name([]), key, begin, begin + 2 * DAY, False, host)
        path = ca.write(f"{mode}{cert.serial_number}", cert, key)
        return path, path

    def context(self, mode):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(*self.cert(mode))
        return c

    # ---- Listening.

    def mail(self, mode, how="starttls"):
        """The port of a real mail server with a certificate of that mode."""
        if (mode, how) not in self.mail_ports:
            p = subprocess.Popen(["node", os.path.join(os.path.dirname(os.path.abspath(__file__)), "smtp_server.mjs"),
                                  f"{self.folder}/mail", *self.cert(mode), how], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env={**os.environ, "NPM_ROOT": NPM})
            self.processes.append(p)
            self.mail_ports[mode, how] = int(p.stdout.readline())
        return self.mail_ports[mode, how]

    def port(self, mode):
        if mode == "closed":
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                return s.getsockname()[1]
        if self.kind == "email" and mode in ("good", "ended", "other", "stranger", "busy"):
            return self.mail("good" if mode == "busy" else mode)
        if mode not in self.servers:
            self.servers[mode] = RawMail(self, mode) if self.kind == "email" else \
                Listener(self, mode, self.context(mode) if self.tls else None)
        return self.servers[mode].server_address[1]

    def url(self, mode="good"):
        if self.kind == "email":
            return f"smtp://127.0.0.1:{self.port(mode)}"
        path = {"slack": SLACK, "webhook": "/hook?x=1", "sms": f"/2010-04-01/Accounts/{SID}/Messages.json",
                "ntfy": f"/{TOPIC}", "ping": f"/{UUID}"}[self.kind]
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port(mode)}{path}"

    # ---- What came.

    def mails(self):
        out = []
        for name in sorted(os.listdir(f"{self.folder}/mail"), key=lambda n: int(n.split(".")[0])):
            if not name.endswith(".eml"):
                continue
            with open(f"{self.folder}/mail/{name}", "rb") as f:
                m = email.message_from_bytes(f.read(), policy=email.policy.default)
            with open(f"{self.folder}/mail/{name[:-4]}.json", encoding="utf-8") as f:
                envelope = json.load(f)
            assert not m.defects and m["date"].datetime and m["message-id"] and m["from"].addresses[0].addr_spec
            text = m.get_content().replace("\r\n", "\n")
            facts = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
            out.append({"subject": m["subject"], "text": text, "severity": m["x-holdfast-severity"],
                        "id": m["message-id"], "headers": m.keys(), "fields": facts, "envelope": envelope})
        return out

    def got(self):
        if self.kind == "email":
            return self.mails()
        with self.lock:
            return list(self.taken)

    def stop(self):
        self.ended.set()
        for s in self.servers.values():
            s.shutdown()
            s.server_close()
        for p in self.processes:
            p.terminate()
            p.wait()
            p.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Control(http.server.BaseHTTPRequestHandler):
    """What came, for tests in C: JSON, the number and the last."""

    def do_GET(self):
        got = self.server.peer.got()
        data = json.dumps({"n": len(got), "last": got[-1] if got else None}, default=str).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def missing(kind):
    """Why a peer cannot be started here, or ""."""
    if kind != "email":
        return ""
    if shutil.which("node") is None:
        return "not installed: node"
    return "" if os.path.isdir(f"{NPM}/smtp-server") else "not installed: smtp-server (tools/install-npm)"
