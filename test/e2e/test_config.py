"""The configuration: names for repositories, declared systems, what is refused, what is shown."""
import json
import os
import re

import pytest

from conftest import ROOT


@pytest.fixture
def config(hf, base):
    """Two repositories of a family with keys of their own, and a system that goes to both."""
    os.makedirs(f"{base}/www/cache")
    for name in ("a.txt", "b.tmp", "cache/c.txt"):
        with open(f"{base}/www/{name}", "w", encoding="utf-8") as f:
            f.write(name * 1000)
    with open(f"{base}/far.pw", "w", encoding="utf-8") as f:
        f.write("another password\n")
    path = f"{base}/h.yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"""
repositories:
  main: {{url: {base}/main, role: primary, location: here, key: file:{base}/main.key}}
  far: {{url: {base}/far, role: offsite, location: there, media: tape, password: file:{base}/far.pw,
         family: f}}
tiers:
  gold: {{destinations: [far, main], residency: [here, there], retention: {{last: 1}}}}
systems:
  www:
    tier: gold
    sources:
      - files: {{paths: {base}/www, exclude: ["*.tmp"]}}
""")
    hf.env["HOLDFAST_CONFIG"] = path
    hf("-r", f"{base}/main", "init", "--new-key-file", f"{base}/main.key")
    hf("-r", "far", "init", "--family", "main")
    return path


def append(path, text):
    with open(path, "a", encoding="utf-8") as f:
        f.write(text)


def test_a_configured_name_opens_its_repository_with_its_key(hf, config, base):
    assert hf("-r", "main", "snapshots").rc == 0
    assert hf("-r", "far", "snapshots").rc == 0
    os.rename(f"{base}/far.pw", f"{base}/away")
    assert "far.pw" in hf("-r", "far", "snapshots", rc=1).err
    with open(f"{base}/far.pw", "w", encoding="utf-8") as f:
        f.write("wrong\n")
    hf("-r", "far", "snapshots", rc=12)
    # What is given goes before what is declared.
    hf("-r", "far", "--password-file", f"{base}/away", "snapshots")


def test_who_declares_one_repository_need_not_name_it(hf, config, base):
    assert "-r main, -r far" in hf("snapshots", rc=2).err
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"repositories: {{main: {{url: {base}/main, key: file:{base}/main.key}}}}\n")
    assert "holdfast -r main ls" in hf("backup", f"{base}/www").out
    assert "1 snapshot" in hf("snapshots").out
    hf("-r", f"{base}/nothing", "snapshots", rc=10)


def test_a_declared_system_goes_to_all_its_destinations(hf, config, base):
    r = hf("--json", "backup", "--system", "www")
    places = r.summary["repositories"]
    assert [p["url"] for p in places] == ["main", "far"]  # the primary one first
    assert all(p["snapshot"] and p["error"] is None for p in places)
    for name in ("main", "far"):
        ls = hf("-r", name, "ls", "-R", "latest:www").out
        assert "a.txt" in ls and "c.txt" in ls and "b.tmp" not in ls
    os.rename(f"{base}/far", f"{base}/gone")
    r = hf("--json", "backup", "--system", "www", rc=3)
    assert [bool(p["error"]) for p in r.summary["repositories"]] == [False, True]


def test_a_declared_system_says_itself_what_and_where(hf, config, base):
    for args, said in (((f"{base}/www",), "declared with its paths"),
                       (("--stdin",), "declared with its paths"),
                       (("-r", f"{base}/main"), "where www goes is declared")):
        assert said in hf("backup", "--system", "www", *args, rc=2).err
    assert "which paths? There is no system 'wwww'" in hf("backup", "--system", "wwww", rc=2).err
    hf("-r", "main", "backup", "--system", "other", f"{base}/www")


def test_data_is_not_stored_where_its_tier_does_not_allow(hf, config, base):
    os.makedirs(f"{base}/h.d")
    append(f"{base}/h.d/10.yaml", "tiers: {gold: {residency: [here]}}\n")
    r = hf("backup", "--system", "www", rc=2)
    assert "www may not be at far: its location is there" in r.err
    append(f"{base}/h.d/20.yaml", "tiers: {gold: {destinations: [main]}}\n")
    hf("backup", "--system", "www", "--also", "far", rc=2)
    assert "where" in hf("backup", "--system", "www", "--also", f"{base}/far", rc=2).err
    os.rename(f"{base}/h.d/20.yaml", f"{base}/h.d/20.yml")
    assert "would not be read" in hf("config", "check", rc=2).err
    os.unlink(f"{base}/h.d/20.yml")
    assert not hf("-r", "main", "--json", "snapshots").json("item")


def test_forget_keeps_what_the_tier_of_the_system_says(hf, config, base):
    for i in range(3):
        append(f"{base}/www/a.txt", str(i))
        hf("backup", "--system", "www")
    hf("-r", "main", "forget", "--system", "www")
    assert len(hf("-r", "main", "--json", "snapshots").json("item")) == 1
    assert len(hf("-r", "far", "--json", "snapshots").json("item")) == 3


def test_also_takes_a_configured_name_and_its_key(hf, config, base):
    r = hf("--json", "-r", "main", "backup", f"{base}/www", "--also", "far")
    assert [p["error"] for p in r.summary["repositories"]] == [None, None]


def test_copy_takes_configured_names_and_their_keys(hf, config, base):
    hf("-r", "main", "backup", f"{base}/www")
    hf("-r", "far", "copy", "--from-repo", "main")
    assert len(hf("-r", "far", "--json", "snapshots").json("item")) == 1
    # What is given goes before what is declared.
    hf("-r", "far", "copy", "--from-repo", "main", "--from-password-file", f"{base}/far.pw", rc=12)


def test_a_command_for_a_secret_reads_nothing_of_what_is_backed_up(hf, config, base):
    append(config, "")
    with open(config, encoding="utf-8") as f:
        text = f.read().replace(f"key: file:{base}/main.key", f"key: 'command:cat >/dev/null; cat {base}/main.key'")
    with open(config, "w", encoding="utf-8") as f:
        f.write(text)
    data = os.urandom(100000)
    hf("-r", "main", "backup", "--stdin", input=data)
    hf("-r", "main", "restore", "latest", "--target", f"{base}/out")
    (name, *_) = [os.path.join(d, n) for d, _, names in os.walk(f"{base}/out") for n in names]
    with open(name, "rb") as f:
        assert f.read() == data


def test_without_being_told_it_is_looked_for_at_home(hf, config, base):
    del hf.env["HOLDFAST_CONFIG"]
    os.makedirs(f"{base}/home/.config/holdfast")
    os.rename(config, f"{base}/home/.config/holdfast/holdfast.yaml")
    assert hf("-r", "main", "snapshots").rc == 0
    os.makedirs(f"{base}/main here/far")
    hf("-r", "./far", "snapshots", cwd=f"{base}/main here", env={"HOLDFAST_PASSWORD": "x"}, rc=10)  # a folder, not the name


def test_each_value_is_shown_with_its_origin(hf, config, base):
    os.makedirs(f"{base}/h.d")
    append(f"{base}/h.d/10.yaml", "repositories:\n  far: {location: elsewhere}\n")
    env = {"HOLDFAST_REPOSITORIES_MAIN_URL": f"{base}/moved"}
    out = hf("config", "show", "--origin", env=env).out
    assert f"location: elsewhere  # {base}/h.d/10.yaml:2:19" in out
    assert f"url: {base}/moved  # HOLDFAST_REPOSITORIES_MAIN_URL in the environment" in out
    items = {o["key"]: o for o in hf("--json", "config", "show").json("item")}
    assert items["repositories.far.location"]["line"] == 2
    assert items["systems.www.sources[0].files.exclude[0]"]["value"] == "*.tmp"
    # What is shown is a configuration again.
    append(f"{base}/again.yaml", hf("config", "show").out)
    assert hf("-c", f"{base}/again.yaml", "config", "show").out == hf("config", "show").out


def test_a_mistake_is_told_with_its_place_and_hurts_only_who_needs_the_configuration(hf, config, base):
    assert "is good: 2 repositories, 1 tier, 1 system" in hf("config", "check").out
    append(config, "  shop: {teir: gold}\n")
    r = hf("config", "check", rc=2)
    assert f"{config}:13:10: there is no key 'teir' here" in r.out and "did you mean 'tier'?" in r.out
    assert "2 more: holdfast config check" in hf("-r", "main", "snapshots", rc=2).err
    # A recovery needs nothing but the place and the key.
    hf("-r", f"{base}/main", "--key-file", f"{base}/main.key", "snapshots")
    hf("-c", f"{base}/none.yaml", "config", "check", rc=2)
    hf.env.pop("HOLDFAST_CONFIG")
    assert "there is no configuration" in hf("config", "check", rc=2).err


def test_all_mistakes_are_told_at_once(hf, config, base):
    append(config, "  shop: {teir: gold}\n  other: {tier: gold, sources: [{files: {paths: /a, one_file_system: maybe}}]}\n")
    r = hf("config", "check", rc=2)
    assert "did you mean 'tier'?" in r.out and "'maybe' is neither yes nor no" in r.out
    assert r.out.count(f"{config}:") == 4 and "4 mistakes" in r.err  # tier and sources of shop are missing, too
    assert len(hf("--json", "config", "check", rc=2).json("item")) == 4
    assert "3 more: holdfast config check" in hf("-r", "main", "snapshots", rc=2).err


def test_the_schema_has_every_key_of_the_configuration_and_no_other(hf, config):
    schema = json.loads(hf("config", "schema").out)
    assert set(schema["properties"]) == {
        "profile", "repositories", "tiers", "systems", "jobs", "catalog", "notify", "server", "drill"}
    for o in hf("--json", "config", "show").json("item"):
        at = schema
        for word in re.sub(r"\[\d+\]", ".[]", o["key"]).split("."):
            if word == "[]":
                at = at.get("items") or at["anyOf"][1]["items"]
            else:
                assert at["additionalProperties"] is False or "properties" not in at
                at = at.get("properties", {}).get(word) or at["additionalProperties"]
        assert at.get("type", "string") in ("string", "integer")


def test_a_profile_is_all_that_a_newcomer_needs_beside_repositories_and_systems(hf, config, base):
    path = f"{base}/new.yaml"
    append(path, f"""profile: edu
repositories: {{main: {{url: {base}/main, key: "file:{base}/main.key"}}}}
systems: {{www: {{tier: system-files, sources: [{{files: {{paths: [{base}/www]}}}}]}}}}
""")
    assert "1 repository, 10 tiers, 1 system" in hf("-c", path, "config", "check").out
    out = hf("-c", path, "config", "show", "--origin").out
    assert f"profile: edu  # {path}:1:10" in out
    assert "      target: 2h  # profile edu:" in out
    assert "# kpis:  # not taken yet\n" in out and "# plans:  # not taken yet\n" in out
    items = {o["key"]: o for o in hf("-c", path, "--json", "config", "show").json("item")}
    assert items["kpis.backup_time.target"]["taken"] is False
    assert "taken" not in items["tiers.batch.rto.target"]
    append(f"{base}/again.yaml", hf("-c", path, "config", "show").out)
    assert hf("-c", f"{base}/again.yaml", "config", "show").out == hf("-c", path, "config", "show").out
    hf("-c", path, "backup", "--system", "www")
    assert "www" in hf("-c", path, "-r", "main", "snapshots").out


def test_another_programs_configuration_is_migrated_to_one_that_is_good(hf, base):
    append(f"{base}/old.json", '{"schedule": "0 2 * * *", "retention": 30, "destination": "s3://backup-bucket"}')
    append(f"{base}/new.yaml", hf("config", "migrate", f"{base}/old.json").out)
    assert "1 repository, 1 tier, 0 systems" in hf("-c", f"{base}/new.yaml", "config", "check").out
    assert hf("--json", "config", "migrate", f"{base}/old.json").json("summary")[0]["yaml"].startswith("# Made by")
    assert "which FILE?" in hf("config", "migrate", rc=2).err
    assert "no FILE" in hf("config", "check", "x", rc=2).err
    assert "/none" in hf("config", "migrate", f"{base}/none", rc=2).err


def test_what_the_page_of_postgresql_says_to_write_is_taken(hf, base):
    with open(f"{ROOT}/doc/postgresql.md") as f:
        lines = f.read().split("\n")
    first = next(i for i, line in enumerate(lines) if line.strip() == "repositories:")
    text = "\n".join(line[7:] for line in lines[first:lines.index("", first)])
    (base / "page.yaml").write_text(text)
    assert "1 repository, 1 tier, 1 system" in hf("-c", base / "page.yaml", "config", "check").out, text
