"""The API over real HTTP: what it answers, what it refuses, and that nothing of that breaks it."""
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../servers"))
import certs  # noqa: E402
from api_host import ApiHost  # noqa: E402
from conftest import BINARY, trials  # noqa: E402

V = "/api/v1"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with ApiHost(tmp_path_factory.mktemp("api"), rate=1000, request_ms=250) as host:
        host.tell("success orders 3600")
        host.tell("success www 60")
        host.tell("failure www")
        yield host


def problem(answer, status, kind):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    got = answer.json
    assert (got["schema"], got["type"], got["status"], got["kind"]) == (1, "error", status, kind), got
    assert got["message"]
    return got


def told(api, line):
    """What the host says comes by another thread."""
    end = time.monotonic() + 60
    while not any(said.startswith(line) for said in list(api.said)):
        assert time.monotonic() < end, api.said
        time.sleep(0.01)


def test_status_tells_how_every_system_stands(api):
    got = api.ask("GET", f"{V}/status").json
    systems = {s["name"]: s for s in got["systems"]}
    assert got["schema"] == 1 and got["daemon"]["ready"] is True
    assert systems["orders"]["state"] == "late" and systems["orders"]["rpo_target"] == 900
    assert 3600 <= systems["orders"]["rpo_age"] < 3700
    assert systems["www"]["state"] == "failing" and systems["www"]["failed_in_row"] == 1
    assert systems["www"]["last_message"] == 'it "failed"\nbadly'
    one = api.ask("GET", f"{V}/systems/orders").json["system"]
    assert one["files"] == 7 and one["declared"] is True
    problem(api.ask("GET", f"{V}/systems/nobody"), 404, "absent")


def test_runs_come_page_by_page(api):
    seen, path = [], f"{V}/runs?limit=2"
    while True:
        page = api.ask("GET", path).json
        seen += [r["id"] for r in page["runs"]]
        if page["next"] is None:
            break
        assert len(page["runs"]) == 2
        path = f"{V}/runs?limit=2&cursor={page['next']}"
    assert seen == sorted(set(seen), reverse=True) and len(seen) >= 3
    failed = api.ask("GET", f"{V}/runs?status=failed&system=www").json["runs"]
    assert [r["status"] for r in failed] == ["failed"]
    assert api.ask("GET", f"{V}/runs/{seen[-1]}").json["run"]["system"] == "orders"
    problem(api.ask("GET", f"{V}/runs/999999"), 404, "absent")
    problem(api.ask("GET", f"{V}/runs/0"), 400, "usage")
    problem(api.ask("GET", f"{V}/runs?limit=many"), 400, "usage")


def test_snapshots_and_the_files_in_them_are_found(api):
    api.tell("file orders /srv/orders/invoice-7.pdf")
    (snapshot,) = api.ask("GET", f"{V}/snapshots?system=orders", "viewer").json["snapshots"]
    assert (snapshot["repository"], snapshot["host"], snapshot["files"]) == ("main", "h", 1)
    assert api.ask("GET", f"{V}/snapshots?system=www", "viewer").json["snapshots"] == []
    (found,) = api.ask("GET", f"{V}/find?pattern=invoice-*", "operator").json["files"]
    assert found["path"] == "/srv/orders/invoice-7.pdf" and found["snapshot"] == snapshot["snapshot"]
    assert api.ask("GET", f"{V}/find?pattern=nothing", "operator").json["files"] == []
    problem(api.ask("GET", f"{V}/find", "operator"), 400, "usage")
    # Names are content: who only looks at how things stand does not see them.
    assert api.ask("GET", f"{V}/find?pattern=invoice", "viewer").status == 403


def test_a_log_is_shown_from_its_folder_only(api):
    answer = api.ask("GET", f"{V}/runs/1/log")
    assert answer.text == "log of orders\n" and answer.headers["Content-Type"].startswith("text/plain")
    assert api.ask("GET", f"{V}/runs/1/log?bytes=7").text == "orders\n"
    path = f"{api.folder}/logs/orders.log"
    os.rename(path, path + ".kept")
    os.symlink("/etc/passwd", path)
    try:
        problem(api.ask("GET", f"{V}/runs/1/log"), 404, "absent")
    finally:
        os.rename(path + ".kept", path)


def test_what_is_to_be_done_is_the_hosts_to_do(api):
    run = api.ask("POST", f"{V}/systems/orders/run", "operator", {"type": "full"})
    assert run.status == 202 and run.json["run"]["kind"] == "backup"
    number = run.json["run"]["id"]
    told(api, "run orders backup full by token operator")
    assert api.ask("POST", f"{V}/runs/{number}/cancel", "operator").status == 202
    problem(api.ask("POST", f"{V}/systems/nobody/run"), 404, "absent")
    got = problem(api.ask("POST", f"{V}/reload"), 501, "unsupported")
    assert "cannot reload" in got["message"]
    assert api.ask("GET", f"{V}/schedule?system=www").json["schedule"][0]["system"] == "www"
    assert api.ask("GET", f"{V}/systems/www/why").json["why"]["text"] == "it is not due yet"


def test_health_needs_no_token_and_tells_whether_it_is_ready(api):
    good = api.ask("GET", "/health", scope=None)
    assert good.status == 200 and good.json["ready"] is True
    api.tell("ready 0")
    bad = api.ask("GET", "/health", scope=None)
    api.tell("ready 1")
    assert bad.status == 503 and bad.json["why"] == "told so"
    head = api.ask("HEAD", "/health", scope=None)
    assert head.status == 200 and head.text == ""


@pytest.mark.parametrize("scope, read, operate, administer", [
    ("viewer", 200, 403, 403), ("operator", 200, 202, 403), ("approver", 200, 403, 403),
    ("auditor", 200, 403, 403), ("admin", 200, 202, 501)])
def test_scopes_may_what_their_names_say(api, scope, read, operate, administer):
    assert api.ask("GET", f"{V}/systems", scope).status == read
    run = api.ask("POST", f"{V}/systems/www/run", scope)
    assert run.status == operate
    if operate == 202:
        api.ask("POST", f"{V}/runs/{run.json['run']['id']}/cancel", scope)
    assert api.ask("POST", f"{V}/reload", scope).status == administer


def test_wrong_tokens_learn_nothing_and_are_slowed(tmp_path):
    with ApiHost(tmp_path) as api:
        wrong = "hft_" + "00" * 32
        answers = [api.ask("GET", p, wrong) for p in (f"{V}/status", f"{V}/reload", "/nothing", "/metrics")]
        assert len({a.text for a in answers}) == 1 and {a.status for a in answers} == {401}
        assert answers[0].headers["WWW-Authenticate"].startswith("Bearer")
        for bad in ("Basic YTpi", "Bearer", "Bearer ", "bearer x", "Bearer " + "a" * 5000):
            assert api.ask("GET", f"{V}/status", None, headers={"Authorization": bad}).status == 401
        more = [api.ask("GET", f"{V}/status", wrong) for _ in range(5)]
        assert more[-1].status == 429 and int(more[-1].headers["Retry-After"]) >= 1
        # Who has a right one is not held up by that.
        assert api.ask("GET", f"{V}/status", "viewer").status == 200
        assert api.logged('peer="127.0.0.1"', "status=401", "no such token")
        assert not any(wrong in line for line in api.said)
        # Taken away, it is none at once.
        api.write_tokens([])
        assert api.ask("GET", f"{V}/status", "viewer").status in (401, 429)


def test_the_socket_knows_its_peer(api):
    assert os.stat(api.socket).st_mode & 0o777 == 0o600
    run = api.ask("POST", f"{V}/systems/www/run", None, local=True)
    assert run.status == 202
    me = "user root" if os.geteuid() == 0 else "user "
    told(api, f"run www backup - by {me}")
    # With a token it is the token that counts, for less or for nothing.
    assert api.ask("POST", f"{V}/systems/www/run", "viewer", local=True).status == 403
    assert api.ask("GET", f"{V}/status", "hft_x", local=True).status == 401


def test_requests_beyond_the_rate_are_told_to_wait(tmp_path):
    with ApiHost(tmp_path, rate=2) as api:
        answers = [api.ask("GET", f"{V}/systems", "viewer") for _ in range(12)]
        late = [a for a in answers if a.status == 429]
        assert answers[0].status == 200 and late and int(late[0].headers["Retry-After"]) >= 1
        assert late[0].json["kind"] == "rate_limited"
        assert api.ask("GET", f"{V}/systems", "operator").status == 200  # another's rate is its own


@pytest.mark.parametrize("path", [
    "/../../etc/passwd", f"{V}/../v1/status", f"{V}/%2e%2e/status", f"{V}//status", f"{V}/status/", "//",
    f"{V}/systems/%00", f"{V}/systems/a%2fb", f"{V}/systems/%ff", f"{V}/systems/%zz", f"{V}/runs?limit=1&limit=2",
    f"{V}/runs?%00=1", "/" + "a/" * 30, "health", "http://other/health"])
def test_tricks_with_paths_are_refused(api, path):
    got = api.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.tokens['admin']}\r\n"
                  "Connection: close\r\n\r\n".encode("latin-1"))
    assert got.startswith(b"HTTP/1.1 400 "), got[:200]
    assert b"root:" not in got


@pytest.mark.parametrize("data", [
    b"\r\n\r\n", b"GET\r\n\r\n", b"GET /health\r\n\r\n", b"GET /health HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET /health HTTP/1.1\r\nHost\r\n\r\n", b"GET /health HTTP/1.1\r\n: x\r\n\r\n", b"\x00" * 100, b"A" * 100000,
    b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n",
    b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    b"POST /api/v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], ids=range(14))
def test_malformed_http_is_refused_or_ended(api, data):
    got = api.raw(data)
    assert got == b"" or got[9:10] in b"45" or b"200 OK" not in got, got[:200]
    assert api.ask("GET", "/health", scope=None).status == 200


def test_random_bytes_do_no_harm(api, rng):
    good = f"POST {V}/systems/www/run?x=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {api.tokens['viewer']}\r\n" \
           "Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"kind\": \"backup\"}  ".encode()
    for _ in range(trials(40)):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 12)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        got = api.raw(bytes(data[:rng.randrange(len(data)) + 1]))
        assert got == b"" or not got.startswith(b"HTTP/1.1 2"), got[:200]
    assert api.ask("GET", "/health", scope=None).status == 200


def test_bodies_have_a_form_and_a_size(api):
    path = f"{V}/systems/www/run"
    problem(api.ask("POST", path, body="x" * 65537, headers={"Content-Type": "application/json"}), 413, "too_large")
    problem(api.ask("POST", path, body="kind=x", headers={"Content-Type": "text/plain"}), 415, "media_type")
    problem(api.ask("POST", path, body="[" * 60000, headers={"Content-Type": "application/json"}), 400, "usage")
    problem(api.ask("POST", path, body={"kind": "nothing"}), 400, "usage")
    assert api.ask("POST", path, body={"kind": "backup\0"}).status == 400
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.tokens['admin']}\r\n"
    got = api.raw((head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{    \r\n").encode())
    assert got.startswith(b"HTTP/1.1 411 "), got[:200]
    # Told before it is sent: who waits for 100 need not send it.
    got = api.raw((head + "Content-Length: 10000000\r\nExpect: 100-continue\r\n\r\n").encode(), shut=False)
    assert got.startswith(b"HTTP/1.1 413 "), got[:200]


def test_what_a_path_does_not_take_is_told(api):
    answer = api.ask("DELETE", f"{V}/runs/1")
    problem(answer, 405, "method")
    assert answer.headers["Allow"] == "GET, HEAD"
    assert api.ask("GET", f"{V}/reload").headers["Allow"] == "POST"
    assert api.ask("BREW", f"{V}/status").status == 405
    hint = problem(api.ask("GET", f"{V}/nothing"), 404, "absent")["hint"]
    assert "openapi.json" in hint


def test_every_answer_has_the_headers_that_guard_it(api):
    for path in ("/health", f"{V}/status", f"{V}/nothing", "/metrics"):
        h = api.ask("GET", path).headers
        assert h["X-Content-Type-Options"] == "nosniff" and h["Cache-Control"] == "no-store"
        assert h["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_connection_serves_many_requests(api):
    c = api.connect()
    for _ in range(20):
        c.request("GET", f"{V}/systems", headers={"Authorization": f"Bearer {api.tokens['viewer']}"})
        r = c.getresponse()
        assert r.status == 200 and json.loads(r.read())["schema"] == 1
    c.close()


def test_slow_clients_are_cut(tmp_path):
    with ApiHost(tmp_path, request_ms=400) as api:
        # Silent, in its head, in its body; and one that says a byte now and then.
        starts = [b"", b"GET /hea", f"POST {V}/reload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                  f"{api.tokens['admin']}\r\nContent-Length: 10\r\n\r\n123".encode()]
        for start in starts:
            assert api.raw(start, shut=False)[:12] in (b"HTTP/1.1 408", b""), start
        with socket.create_connection(("127.0.0.1", api.port), timeout=0.05) as s:
            got = None
            for byte in b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 1000:
                try:
                    s.send(bytes([byte]))
                    got = s.recv(1000)
                    break
                except TimeoutError:
                    continue
                except (ConnectionResetError, BrokenPipeError):
                    got = b""
                    break
            assert got is not None and got[:12] in (b"HTTP/1.1 408", b"")
        assert api.logged("reason=slow")
        assert api.ask("GET", "/health", scope=None).status == 200
        assert "holdfast_api_slow_clients_total 0\n" not in api.ask("GET", "/metrics").text


def test_one_address_cannot_take_all_connections(api):
    held = [socket.create_connection(("127.0.0.1", api.port), timeout=120) for _ in range(40)]
    try:
        ended = 0
        for s in held[-4:]:
            try:
                s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                ended += s.recv(100) == b""
            except (ConnectionResetError, BrokenPipeError):
                ended += 1
        assert ended == 4
        assert api.ask("GET", f"{V}/status", None, local=True).status == 200  # the socket is another door
    finally:
        for s in held:
            s.close()


class Stream:
    """Server-sent events, read block by block."""

    def __init__(self, api, **kw):
        self.c = api.connect(kw.pop("local", False))
        headers = {"Authorization": f"Bearer {api.tokens[kw.pop('scope', 'viewer')]}", **kw.pop("headers", {})}
        self.c.request("GET", f"{V}/events" + kw.pop("query", ""), headers=headers)
        self.r = self.c.getresponse()

    def block(self):
        lines = []
        while (line := self.r.readline().decode()) not in ("\n", ""):
            lines.append(line.rstrip("\n"))
        return lines

    def event(self):
        while True:
            fields = dict(line.split(": ", 1) for line in self.block() if not line.startswith(":"))
            if "event" in fields:
                return fields.get("id"), fields["event"], json.loads(fields["data"])

    def close(self):
        self.r.close()
        self.c.close()


def test_events_come_as_they_happen_and_after_the_last_one_seen(api):
    api.tell("event run.old before anybody listens")
    s = Stream(api)
    assert s.r.status == 200 and s.r.headers["Content-Type"] == "text/event-stream"
    assert s.block() == ["retry: 3000"]
    api.tell("event run.failed one\ttwo")
    first, name, data = s.event()
    assert name == "run.failed" and data["text"] == "one\ttwo" and data["system"] == "www"
    api.tell("publish half")
    assert s.event() == (None, "run.progress", {"text": "half"})
    s.close()
    api.tell("event run.next missed")
    again = Stream(api, headers={"Last-Event-ID": first})
    assert again.event()[1] == "run.next"
    again.close()
    more = Stream(api, query=f"?after={first}", local=True)
    assert more.event()[1] == "run.next"
    more.close()
    for bad in ("x", "-1", "0", "1" * 30):
        assert api.ask("GET", f"{V}/events", headers={"Last-Event-ID": bad}).status == 400


def test_many_listen_and_all_hear_but_no_more_than_there_is_room_for(api):
    held = [Stream(api, scope="auditor") for _ in range(16)]
    assert all(s.r.status == 200 for s in held)
    assert api.ask("GET", f"{V}/events", "auditor").status == 503
    api.tell("event run.all everybody")
    assert {s.event()[1] for s in held} == {"run.all"}
    for s in held:
        s.close()
    # Who left has left his place.
    end = time.monotonic() + 60
    while time.monotonic() < end:
        s = Stream(api, scope="auditor")
        s.close()
        if s.r.status == 200:
            break
    assert s.r.status == 200


def test_it_stops_with_streams_and_requests_under_way(tmp_path):
    with ApiHost(tmp_path) as api:
        s = Stream(api)
        threads = [threading.Thread(target=lambda: [api.ask("GET", "/health", None) for _ in range(3)])
                   for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert s.block() == ["retry: 3000"]
    assert not os.path.exists(api.socket)


def test_tls_is_served_and_nothing_older(tmp_path):
    made = certs.Files(tmp_path / "certs")
    with ApiHost(tmp_path, cert=made.cert, key=f"file:{made.key}") as api:
        context = ssl.create_default_context(cafile=made.ca)
        with socket.create_connection(("127.0.0.1", api.port), timeout=120) as raw, \
                context.wrap_socket(raw, server_hostname="127.0.0.1") as s:
            assert s.version() in ("TLSv1.2", "TLSv1.3")
            s.sendall(f"GET {V}/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.tokens['viewer']}\r\n"
                      "Connection: close\r\n\r\n".encode())
            got = b""
            while chunk := s.recv(65536):
                got += chunk
        assert got.startswith(b"HTTP/1.1 200 ") and b"Strict-Transport-Security" in got
        assert not api.raw(b"GET /health HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 2")


@pytest.mark.parametrize("listen, options, words", [
    ("0.0.0.0:0", {}, ("usage", "not loopback", "no tls")),
    ("nowhere", {}, ("usage", "no address")),
    ("example.com:80", {}, ("usage", "no address")),
    ("127.0.0.1:99999", {}, ("usage", "no address")),
    ("127.0.0.1:0", {"cert": "/nothing", "key": "file:/nothing"}, ("server.tls", "/nothing"))])
def test_where_it_may_not_listen_it_does_not_start(tmp_path, listen, options, words):
    host = ApiHost(tmp_path, listen=listen, **options)
    assert host.port is None and all(w in host.first for w in words), host.first
    host.process.stdin.close()
    assert host.process.wait(60) == 1 and "Sanitizer" not in host.process.stderr.read()


def test_two_do_not_listen_at_one_socket_and_a_dead_ones_is_taken(tmp_path):
    with ApiHost(tmp_path) as api:
        other = ApiHost(tmp_path)
        assert other.port is None and "another daemon listens there" in other.first
        other.process.stdin.close()
        other.process.wait(60)
        assert api.ask("GET", "/health", None, local=True).status == 200
        api.process.kill()
        api.process.wait()
        assert os.path.exists(api.socket)
        with ApiHost(tmp_path) as after:
            assert after.ask("GET", "/health", None, local=True).status == 200
        api.stop = lambda: None


def test_beyond_loopback_there_has_to_be_a_token(tmp_path):
    made = certs.Files(tmp_path / "certs")

    class Without(ApiHost):
        def write_tokens(self, tokens):
            pass
    host = Without(tmp_path, listen="0.0.0.0:0", cert=made.cert, key=f"file:{made.key}")
    assert host.port is None and "no token" in host.first
    host.process.stdin.close()
    host.process.wait(60)
    with ApiHost(tmp_path, listen="0.0.0.0:0", cert=made.cert, key=f"file:{made.key}"):
        pass


def test_a_command_that_serves_nothing_loads_no_server():
    loaded = subprocess.run(["ldd", BINARY], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "libjansson" in loaded and not any(x in loaded for x in ("microhttpd", "gnutls", "libcurl", "libpq"))


class Keeps(ApiHost):
    def write_tokens(self, tokens):
        """They are the program's own."""


def test_a_token_of_the_command_line_opens_the_api_until_it_is_removed(hf):
    text = hf("token", "add", "ci", "--scope", "operator").out.strip()
    assert os.stat(f"{hf.base}/state/tokens.json").st_mode & 0o777 == 0o600
    assert text not in open(f"{hf.base}/state/tokens.json").read()
    assert "ci" in hf("token", "list").out and text not in hf("token", "list").out
    (item,) = hf("--json", "token", "list").json("item")
    assert (item["name"], item["scope"], item["expired"]) == ("ci", "operator", False)
    with Keeps(hf.base) as api:
        assert api.ask("POST", f"{V}/systems/www/run", text).status == 202
        assert api.ask("POST", f"{V}/reload", text).status == 403
        hf("token", "remove", "ci")
        assert api.ask("GET", f"{V}/status", text).status == 401
        again = hf("--json", "token", "add", "ci", "--scope", "viewer", "--expires", "2099-01-01").summary
        assert api.ask("GET", f"{V}/status", again["token"]).status == 200
    assert hf("token", "add", "ci", "--scope", "viewer", rc=1).err.count("already") == 1
    for wrong in (["add", "x"], ["add"], ["remove"], ["list", "x"], ["add", "a/b", "--scope", "admin"],
                  ["add", "x", "--scope", "god"], ["add", "x", "--scope", "viewer", "--expires", "2001-01-01"]):
        hf("token", *wrong, rc=2)
    hf("token", "remove", "nobody", rc=1)
