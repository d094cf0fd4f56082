"""What others make of the API's documents: Prometheus of the metrics and rules, a linter of the OpenAPI document."""
import glob
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
import urllib.request

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../servers"))
from api_host import ApiHost  # noqa: E402
from conftest import ROOT, need  # noqa: E402
from server import Server, free_port  # noqa: E402
from test_daemon import world  # noqa: E402, F401

V = "/api/v1"
PACKAGING = f"{ROOT}/packaging"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with ApiHost(tmp_path_factory.mktemp("api"), rate=1000) as host:
        host.tell("success orders 3600")
        host.tell("failure www")
        yield host


def promtool(*args, input=None, cwd=None):
    need("promtool")
    p = subprocess.run(["promtool", *args], input=input, cwd=cwd, text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=120)
    assert p.returncode == 0, p.stdout
    return p.stdout


def metric_names(text):
    return set(re.findall(r"^# TYPE (\w+) ", text, re.M))


def test_prometheus_finds_no_fault_with_the_metrics(api):
    answer = api.ask("GET", "/metrics", "viewer")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert promtool("check", "metrics", input=answer.text).strip() == ""
    assert 'holdfast_last_success_files{system="orders",kind="backup"} 7\n' in answer.text
    age = float(re.search(r'^holdfast_rpo_age_seconds\{system="orders",tier="critical"\} (\S+)$', answer.text, re.M)[1])
    assert 3600 <= age < 3700
    assert api.ask("GET", "/metrics", None).status == 401


def test_the_alert_rules_fire_when_they_should(api):
    promtool("check", "rules", "holdfast-alerts.yml", cwd=f"{PACKAGING}/prometheus")
    promtool("test", "rules", "holdfast-alerts-test.yml", "holdfast-alerts-days-test.yml", cwd=f"{PACKAGING}/prometheus")


def test_rules_and_dashboard_ask_only_for_metrics_that_there_are(api):
    known = metric_names(api.ask("GET", "/metrics").text)
    with open(f"{PACKAGING}/prometheus/holdfast-alerts.yml", encoding="utf-8") as f:
        rules = re.findall(r"^ *expr: (.*)$", f.read(), re.M)
    with open(f"{PACKAGING}/grafana/holdfast.json", encoding="utf-8") as f:
        board = json.load(f)
    panels = [p for p in board["panels"] if p["type"] != "row"]
    queries = [t["expr"] for p in panels for t in p["targets"]]
    assert len(rules) >= 10 and len(queries) >= 8
    for query in rules + queries:
        assert set(re.findall(r"\bholdfast_\w+", query)) <= known, query
        promtool("check", "rules", "/dev/stdin", input=json.dumps(
            {"groups": [{"name": "g", "rules": [{"record": "r", "expr": query.replace("$system", ".*")}]}]}))
    tested = ""
    for name in ("holdfast-alerts-test.yml", "holdfast-alerts-days-test.yml"):
        with open(f"{PACKAGING}/prometheus/{name}", encoding="utf-8") as f:
            tested += f.read()
    with open(f"{PACKAGING}/prometheus/holdfast-alerts.yml", encoding="utf-8") as f:
        alerts = re.findall(r"^ *- alert: (\w+)$", f.read(), re.M)
    assert {a for a in alerts if a not in tested} == set()


def test_a_linter_finds_no_fault_with_the_openapi_document(api, tmp_path):
    lint = f"{ROOT}/build/npm/node_modules/.bin/redocly"
    if not os.path.exists(lint):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("not installed: @redocly/cli (tools/install-npm)")
    document = tmp_path / "openapi.json"
    document.write_text(api.ask("GET", f"{V}/openapi.json").text)
    (tmp_path / "redocly.yaml").write_text("extends: [recommended-strict]\n")
    p = subprocess.run([lint, "lint", "--format", "json", "--config", "redocly.yaml", "openapi.json"], cwd=tmp_path,
                       env={**os.environ, "REDOCLY_TELEMETRY": "off", "CI": "true", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    found = json.loads(p.stdout)
    assert p.returncode == 0 and found["totals"]["errors"] == 0, p.stdout[-4000:]
    # And it says of every path what really comes.
    assert api.ask("POST", f"{V}/approvals", "approver", {"what": "other: this", "reason": "a test"}).status == 201
    paths = json.loads(document.read_text())["paths"]
    assert f"{V}/events" in paths
    for path, operations in paths.items():
        if "get" in operations and path != f"{V}/events":
            where = path.replace("{name}", "www").replace("{id}", "1")
            where += "?pattern=x" if path.endswith("/find") else ""
            answer = api.ask("GET", where)
            assert answer.status == 200, (path, answer)
            kind = answer.headers["Content-Type"].split(";")[0]
            assert kind in operations["get"]["responses"]["200"]["content"], path


def test_answers_are_as_the_document_says(api):
    doc = api.ask("GET", f"{V}/openapi.json").json

    def resolve(s):
        while "$ref" in s:
            place = doc
            for part in s["$ref"][2:].split("/"):
                place = place[part]
            s = place
        return s

    def check(value, schema, at):
        schema = resolve(schema)
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        kind = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number",
                type(None): "null"}[type(value)]
        assert kind in kinds or (kind == "integer" and "number" in kinds), (at, value, kinds)
        if kind == "object" and "properties" in schema:
            assert set(schema.get("required", [])) <= set(value), (at, value)
            for key, v in value.items():
                if key in schema["properties"]:
                    check(v, schema["properties"][key], f"{at}.{key}")
        for v in value if kind == "array" else []:
            check(v, schema["items"], f"{at}[]")

    for path in ("status", "systems", "systems/www", "runs", "runs/1", "schedule"):
        name = f"{V}/{path}".replace("/www", "/{name}").replace("/1", "/{id}") if "/" in path else f"{V}/{path}"
        schema = doc["paths"][name.replace("/api/v{id}", V)]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        check(api.ask("GET", f"{V}/{path}").json, schema, path)


class Hook:
    """What Alertmanager tells, at an address of ours."""

    def __init__(self):
        hook, self.told, self.changed = self, [], threading.Condition()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()
                with hook.changed:
                    hook.told += [a["labels"] for a in body["alerts"]]
                    hook.changed.notify_all()

            def log_message(self, *a):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def heard(self, name, seconds=90):
        with self.changed:
            return self.changed.wait_for(lambda: any(a["alertname"] == name for a in self.told), seconds)


def start_monitoring(s, targets, token, hook):
    """Prometheus with our rules, and Alertmanager; the address of the first."""
    ports = [free_port(), free_port()]
    for name, content in (
            ("token", token),
            ("p.yml", {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                       "rule_files": [f"{PACKAGING}/prometheus/holdfast-alerts.yml"],
                       "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports[1]}"]}]}]},
                       "scrape_configs": [{"job_name": "holdfast", "authorization": {"credentials_file": s.path("token")},
                                           "static_configs": [{"targets": targets}]}]}),
            ("a.yml", {"route": {"receiver": "hook", "group_wait": "0s", "group_interval": "1s"},
                       "receivers": [{"name": "hook", "webhook_configs": [
                           {"url": f"http://127.0.0.1:{hook.server.server_port}/"}]}]})):
        with open(s.path(name), "w", encoding="utf-8") as f:
            f.write(content if isinstance(content, str) else json.dumps(content))
    s.start("alertmanager", "prometheus-alertmanager", f"--config.file={s.path('a.yml')}",
            f"--storage.path={s.path('am')}", f"--web.listen-address=127.0.0.1:{ports[1]}", "--cluster.listen-address=")
    s.start("prometheus", "prometheus", f"--config.file={s.path('p.yml')}", f"--storage.tsdb.path={s.path('data')}",
            f"--web.listen-address=127.0.0.1:{ports[0]}")
    return f"http://127.0.0.1:{ports[0]}"


def test_prometheus_scrapes_the_daemon_and_alertmanager_tells_of_a_missed_backup(world, hf, tmp_path):
    """The real ones, and `serve`: a backup is older than its RPO allows; somebody is told, and of no other system."""
    need("prometheus", "prometheus-alertmanager")
    port = free_port()
    world.write({"late": "tier: gold, paused: yes", "good": "tier: gold, paused: yes"},
                rest=f"server: {{listen: '127.0.0.1:{port}'}}\n")
    with open(world.path, encoding="utf-8") as f:
        text = f.read().replace("gold: {destinations: main}", "gold: {destinations: main, rpo: {target: 1h}, verify: {every: 30d}}")
    with open(world.path, "w", encoding="utf-8") as f:
        f.write(text)
    (library,) = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    hf("run", "late", env={"LD_PRELOAD": library, "FAKETIME": "-2h"})
    hf("run", "good")
    hf("verify", "good")
    token = hf("token", "add", "prometheus", "--scope", "viewer").out.strip()
    hook = Hook()
    world.serve()
    with Server(tmp_path / "prom") as s:
        at = start_monitoring(s, [f"127.0.0.1:{port}"], token, hook)
        assert hook.heard("HoldfastBackupMissed"), s.log("prometheus") + s.log("alertmanager")

        def value(query):
            with urllib.request.urlopen(f"{at}/api/v1/query?query={urllib.parse.quote(query)}", timeout=120) as r:
                return [(x["metric"].get("system"), float(x["value"][1])) for x in json.load(r)["data"]["result"]]
        # Whatever the rules and the dashboard need is there for each system, with its own value.
        rpo = dict(value("holdfast_rpo_age_seconds"))
        assert 7200 <= rpo["late"] < 10800 and 0 <= rpo["good"] < 3600
        assert set(value("holdfast_rpo_target_seconds")) == {("late", 3600.0), ("good", 3600.0)}
        for name, least in (("age_seconds", 0), ("duration_seconds", 0), ("size_bytes", 100), ("stored_bytes", 1), ("files", 3)):
            got = dict(value(f'holdfast_last_success_{name}{{kind="backup"}}'))
            assert set(got) == {"late", "good"} and all(v >= least for v in got.values()), (name, got)
        assert {x[0] for x in value("holdfast_verification_age_seconds")} == {"good"}
        assert dict(value("holdfast_verification_target_seconds"))["late"] == 30 * 86400
    assert world.stop() == 0
    hook.server.shutdown()
    assert {a["system"] for a in hook.told if a["alertname"] == "HoldfastBackupMissed"} == {"late"}, hook.told
