"""What others make of the API's documents: Prometheus of the metrics and rules, a linter of the OpenAPI document."""
import json
import os
import re
import subprocess
import sys
import urllib.request

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../servers"))
from api_host import ApiHost  # noqa: E402
from conftest import ROOT, need  # noqa: E402
from server import Server, free_port  # noqa: E402

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
    assert api.ask("POST", f"{V}/approvals", "approver", {"what": "this", "reason": "a test"}).status == 201
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


def test_prometheus_scrapes_and_alertmanager_tells_of_a_missed_backup(tmp_path):
    """The real ones: a backup is older than its RPO allows; somebody is told."""
    import http.server
    import threading
    need("prometheus", "prometheus-alertmanager")
    told, heard = [], threading.Event()

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            heard.set()

        def log_message(self, *a):
            pass

    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    with ApiHost(tmp_path / "api", rate=1000) as api, Server(tmp_path / "prom") as s:
        api.tell("success orders 3600")
        ports = [free_port(), free_port()]
        with open(s.path("token"), "w") as f:
            f.write(api.tokens["viewer"])
        with open(s.path("p.yml"), "w") as f:
            json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                       "rule_files": [f"{PACKAGING}/prometheus/holdfast-alerts.yml"],
                       "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports[1]}"]}]}]},
                       "scrape_configs": [{"job_name": "holdfast", "authorization": {"credentials_file": s.path("token")},
                                           "static_configs": [{"targets": [f"127.0.0.1:{api.port}"]}]}]}, f)
        with open(s.path("a.yml"), "w") as f:
            json.dump({"route": {"receiver": "hook", "group_wait": "0s", "group_interval": "1s"},
                       "receivers": [{"name": "hook", "webhook_configs": [
                           {"url": f"http://127.0.0.1:{hook.server_port}/"}]}]}, f)
        s.start("alertmanager", "prometheus-alertmanager", f"--config.file={s.path('a.yml')}",
                f"--storage.path={s.path('am')}", f"--web.listen-address=127.0.0.1:{ports[1]}", "--cluster.listen-address=")
        s.start("prometheus", "prometheus", f"--config.file={s.path('p.yml')}", f"--storage.tsdb.path={s.path('data')}",
                f"--web.listen-address=127.0.0.1:{ports[0]}")
        assert heard.wait(60), s.log("prometheus") + s.log("alertmanager")
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/api/v1/query?query=holdfast_up", timeout=30) as r:
            assert json.load(r)["data"]["result"][0]["value"][1] == "1"
    hook.shutdown()
    alerts = [a["labels"] for t in told for a in t["alerts"]]
    assert {"HoldfastBackupMissed"} == {a["alertname"] for a in alerts if a.get("system") == "orders"}, alerts
