"""notify test and list: each way to a server of its kind, and what is said when one cannot be reached."""
import os
import re
import signal
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
import notify_peer  # noqa: E402
from notify_peer import PASSWORD, SECRET, SID, TOKEN, USER, NotifyPeer  # noqa: E402
from test_daemon import World  # noqa: E402


@pytest.fixture
def secrets(base):
    """References to the secrets, each in a file."""
    out = {}
    for name, text in (("password", PASSWORD), ("token", TOKEN), ("secret", SECRET)):
        path = base / name
        path.write_text(text + "\n", encoding="utf-8")
        out[name] = f"file:{path}"
    return out


@pytest.fixture
def peers(tmp_path_factory):
    """peers(kind): who is notified, started when first asked for."""
    started = {}

    def get(kind):
        if notify_peer.missing(kind):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(notify_peer.missing(kind))
        if kind not in started:
            started[kind] = NotifyPeer(kind, tmp_path_factory.mktemp(kind))
        return started[kind]
    yield get
    for p in started.values():
        p.stop()


def way(peer, secrets, mode="good", url=None):
    """The channel's way as YAML."""
    url = url or peer.url(mode)
    ca = f'ca_file: "{peer.ca.ca_file}"'
    return {
        "email": f'email: {{smtp: "{url}", to: [boss@example.com, team@example.com], from: hf@example.com, '
                 f'user: {USER}, password: "{secrets["password"]}", {ca}}}',
        "slack": f'slack: {{webhook: "env:HOOK", {ca}}}',
        "webhook": f'webhook: {{url: "{url}", token: "{secrets["token"]}", secret: "{secrets["secret"]}", {ca}}}',
        "sms": f'sms: {{url: "{url}", user: {SID}, password: "{secrets["password"]}", from: Holdfast, '
               f'to: "+4915112345678", {ca}}}',
        "ntfy": f'ntfy: {{url: "{url}", token: "{secrets["token"]}", {ca}}}',
        "ping": f'ping: {{url: "{url}", {ca}}}',
    }[peer.kind]


def declare(hf, base, text):
    (base / "h.yaml").write_text("notify:\n" + text, encoding="utf-8")
    hf.env["HOLDFAST_CONFIG"] = f"{base}/h.yaml"


def test_a_test_reaches_every_channel_and_says_so(hf, base, peers, secrets):
    all_ = [peers(kind) for kind in notify_peer.KINDS]
    declare(hf, base, "".join(f"  {p.kind}: {{{way(p, secrets)}}}\n" for p in all_))
    hf.env["HOOK"] = peers("slack").url()
    r = hf("--json", "notify", "test")
    assert r.summary["sent"] == 6 and r.summary["failed"] == 0
    assert [o["channel"] for o in r.json("item")] == notify_peer.KINDS and all(o["sent"] for o in r.json("item"))
    for p in all_:
        (got,) = p.got()
        assert got["subject"] == "Test: holdfast can reach you", got
    assert peers("ping").got()[0]["signal"] == "success"
    mail = peers("email").got()[0]
    assert mail["envelope"]["secure"] and mail["envelope"]["user"] == USER
    assert [r["address"] for r in mail["envelope"]["rcptTo"]] == ["boss@example.com", "team@example.com"]
    # One alone, by its name.
    assert hf("notify", "test", "ntfy").out == "ntfy (ntfy): sent\n"
    assert [len(p.got()) for p in all_] == [1, 1, 1, 1, 2, 1]


def test_list_shows_who_is_told_what_and_no_secret(hf, base):
    declare(hf, base, """
  team: {slack: {webhook: "env:HOOK"}, on: ["run.*"], fallback: boss, quiet_hours: "22:00-07:00"}
  boss: {email: {smtp: "smtps://mail.example.com", to: [a@b.c, d@e.f]}, severity: critical}
  push: {ntfy: {url: "https://ntfy.sh/secret-topic"}}
  alive: {ping: {url: "https://hc-ping.com/secret-uuid", every: 5m}}
""")
    r = hf("notify", "list")
    assert re.search(r"team +slack +env:HOOK +warning and worse, on run\.\*, not in its quiet hours +boss", r.out), r
    assert re.search(r"boss +email +a@b\.c, d@e\.f +critical", r.out), r
    assert "that the daemon is alive" in r.out and "secret" not in r.out
    items = {o["channel"]: o for o in hf("--json", "notify", "list").json("item")}
    assert items["team"]["fallback"] == "boss" and items["team"]["dedupe"] == 3600 and items["alive"]["severity"] is None
    assert items["push"]["where"] == "https://ntfy.sh"


def test_mail_goes_by_tls_by_starttls_and_never_in_the_clear_with_a_password(hf, base, peers, secrets):
    p = peers("email")
    plain = f'smtp: "smtp://127.0.0.1:{p.mail("good", "plain")}", to: boss@example.com, from: hf@example.com'
    tls = way(p, secrets, url=f"smtps://127.0.0.1:{p.mail('good', 'tls')}")
    login = f'user: {USER}, password: "{secrets["password"]}"'
    declare(hf, base, f"  tls: {{{tls}}}\n"
                      f"  plain: {{email: {{{plain}}}}}\n"
                      f"  login: {{email: {{{plain}, {login}}}}}\n"
                      f"  relay: {{email: {{{plain}, tls: optional}}}}\n")
    r = hf("notify", "test", rc=1)
    assert "tls (email): sent" in r.out and "relay (email): sent" in r.out, r
    assert r.out.count("not sent: the mail server offers no STARTTLS") == 2 and "tls: optional" in r.out
    assert "2 of 4 channels could not be reached" in r.err
    assert [m["envelope"]["secure"] for m in p.got()] == [True, False]


def test_what_went_wrong_is_told_with_a_hint_and_without_the_secret(hf, base, peers, secrets):
    p, hook = peers("email"), peers("webhook")
    with open(f"{base}/wrong", "w", encoding="utf-8") as f:
        f.write("hunter2\n")
    wrong = {**secrets, "password": f"file:{base}/wrong", "token": f"file:{base}/wrong"}
    missing = {**secrets, "password": f"file:{base}/nothing"}
    declare(hf, base, f"  login: {{{way(p, wrong)}}}\n"
                      f"  ended: {{{way(p, secrets, 'ended')}}}\n"
                      f"  stranger: {{{way(hook, secrets, 'stranger')}}}\n"
                      f"  gone: {{{way(hook, secrets, 'closed')}}}\n"
                      f"  token: {{{way(hook, wrong)}}}\n"
                      f"  busy: {{{way(hook, secrets, 'busy')}}}\n"
                      f"  unread: {{{way(p, missing)}}}\n")
    r = hf("--json", "notify", "test", rc=1)
    said = {o["channel"]: o for o in r.json("item")}
    assert r.summary == {**r.summary, "sent": 0, "failed": 7}
    assert {k: o["kind"] for k, o in said.items()} == {
        "login": "denied", "ended": "denied", "stranger": "denied", "gone": "unreachable", "token": "denied",
        "busy": "busy", "unread": "absent"}
    assert "535" in said["login"]["message"] and "password" in said["login"]["hint"]
    assert "ca_file" in said["ended"]["hint"] and "ca_file" in said["stranger"]["hint"]
    assert "nothing" in said["unread"]["message"]
    assert "hunter2" not in r.out + r.err and "\x1b" not in r.out + r.err
    assert not p.got() and not hook.got()


def test_there_is_something_to_say_when_nothing_is_declared(hf, base):
    declare(hf, base, "  {}\n")
    assert "no channel is declared" in hf("notify", "test", rc=2).err
    declare(hf, base, '  team: {slack: {webhook: "env:HOOK"}}\n')
    r = hf("notify", "test", "boss", rc=2)
    assert "there is no channel 'boss'" in r.err and "notify list" in r.err
    r = hf("notify", "test", rc=1)
    assert "team (slack): not sent: webhook: env:HOOK: it is not set" in r.out


# ---- What the daemon tells.

@pytest.fixture
def world(hf, base):
    w = World(hf, base)
    yield w
    if w.daemon is not None and w.daemon.poll() is None:
        w.daemon.kill()
        w.daemon.wait()


def subjects(peer):
    return [g["subject"] for g in peer.got()]


def test_the_daemon_tells_what_failed_and_when_it_is_over(world, hf, base, peers, secrets):
    hook, ping = peers("webhook"), peers("ping")
    bad = way(hook, secrets, url=hook.url().replace("/hook", "/gone"))
    world.write({"www": "hooks: {before: [{run: 'test -e " + str(base) + "/good'}]}", "other": ""},
                rest=f"notify:\n  desk: {{{bad}, fallback: push, systems: www}}\n"
                     f"  push: {{{way(hook, secrets)}, systems: [other]}}\n"
                     f"  runs: {{{way(ping, secrets)}, systems: [www]}}\n")
    world.serve()  # which begins with a first run of each
    world.until(lambda: hook.got())
    assert subjects(hook) == ["backup of www failed"]
    got = hook.got()[0]
    assert got["severity"] == "critical" and got["event"] == "run.failed" and int(got["fields"]["run"]) > 0
    (base / "good").touch()
    hf("run", "www")
    world.until(lambda: len(hook.got()) > 1 and len(ping.got()) == 4)
    assert subjects(hook)[1:] == ["Back to normal: backup of www completed"]
    assert [g["signal"] for g in ping.got()] == ["start", "fail", "start", "success"]
    assert re.search(r"notify\.failed system=www desk: backup of www failed: it answered 404.*told instead: push",
                     world.log())
    assert world.stop() == 0


def test_what_is_pending_survives_a_killed_daemon(world, hf, base, peers, secrets):
    hook = peers("webhook")
    (base / "url").write_text(hook.url("silent"))
    world.write({"www": "hooks: {before: [{run: 'false'}]}"},
                rest=f"notify:\n  desk: {{{way(hook, secrets, url='file:' + str(base / 'url'))}}}\n")
    world.serve()
    world.until(lambda: hook.asked)
    world.stop(signal.SIGKILL)
    (base / "url").write_text(hook.url())
    world.serve()
    world.until(lambda: hook.got())
    assert subjects(hook) == ["backup of www failed"]
    world.until(lambda: "notify.sent" in world.log())
    assert world.stop() == 0
