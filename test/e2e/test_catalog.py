"""The catalog: files of all snapshots found without the repositories, and filled again when it is lost."""
import os
import shutil
import sys
import tempfile

import pytest
from conftest import ROOT, trials

sys.path.insert(0, f"{ROOT}/test/servers")
import postgres  # noqa: E402
from server import need_programs  # noqa: E402


@pytest.fixture
def place(hf, base):
    """Two repositories and two systems; the first goes to both."""
    for name in ("www", "db"):
        os.makedirs(f"{base}/{name}")
    hf.env["HOLDFAST_CONFIG"] = f"{base}/h.yaml"
    with open(f"{base}/h.yaml", "w", encoding="utf-8") as f:
        f.write(f"""
repositories:
  main: {{url: {base}/main, key: file:{base}/main.key}}
  far: {{url: {base}/far, key: file:{base}/far.key, family: f}}
tiers:
  gold: {{destinations: [main, far]}}
  iron: {{destinations: [main]}}
systems:
  www: {{tier: gold, sources: [files: {{paths: {base}/www}}]}}
  db: {{tier: iron, sources: [files: {{paths: {base}/db}}]}}
""")
    hf("-r", f"{base}/main", "init", "--new-key-file", f"{base}/main.key")
    hf("-r", f"{base}/far", "init", "--new-key-file", f"{base}/far.key", "--family", "main")
    return str(base)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(text)


def backup(hf, system="www"):
    """The snapshots that it made, by repository."""
    s = hf("--json", "backup", "--system", system).summary
    return {r["url"]: r["snapshot"] for r in s["repositories"]} if "repositories" in s else {"main": s["snapshot"]}


def find(hf, *args, **kw):
    """{(repository, path, size, frozenset(snapshots))}"""
    return {(o["repository"], o.get("path_bytes", o["path"]), o["size"], frozenset(o["snapshots"]))
            for o in hf("--json", "find", *args, **kw).json("item") if "snapshots" in o}


def test_a_file_is_found_in_all_snapshots_of_all_repositories_that_have_it(hf, place):
    write(f"{place}/www/a/report.txt", b"one")
    write(f"{place}/www/a/same.txt", b"same")
    write(f"{place}/db/report.sql", b"dump")
    first = backup(hf)
    write(f"{place}/www/a/report.txt", b"longer")
    second = backup(hf)
    db = backup(hf, "db")
    os.remove(f"{place}/www/a/report.txt")
    third = backup(hf)

    def of(repository, path, size, *runs):
        return (repository, f"{place}/{path}", size, frozenset(r[repository] for r in runs))
    assert find(hf, "--all", "report") == {
        of(r, "www/a/report.txt", size, run) for r in ("main", "far") for size, run in ((3, first), (6, second))
    } | {of("main", "db/report.sql", 4, db)}
    assert find(hf, "same.*") == {of(r, "www/a/same.txt", 4, first, second, third) for r in ("main", "far")}
    assert find(hf, "www/a/rep") == find(hf, "*/www/*/report.txt") != set()
    assert "3 snap" in (out := hf("catalog", "status").out) or "7" in out
    # One repository is asked itself, as ever.
    assert "report.sql" in hf("-r", "main", "find", "report*").out
    hf("find", "--all", "--tag", "x", "report", rc=2)


def judge(hf, names):
    """What ls says of each snapshot: the same question, asked the slow way."""
    seen = {}
    for repo in names:
        for s in hf("-r", repo, "--json", "snapshots").json("item"):
            for o in hf("-r", repo, "--json", "ls", "-R", s["snapshot"]).json("item"):
                if o["entry"] != "dir":
                    seen.setdefault((repo, o.get("path_bytes", o["path"]), o.get("size", 0), o["mtime"]), set()).add(s["snapshot"])
    return {(repo, path, size, frozenset(ids)) for (repo, path, size, _), ids in seen.items()}


def versions(hits):
    """A version that went and came back is told twice: put together."""
    put = {}
    for repo, path, size, ids in hits:
        put.setdefault((repo, path, size), set()).update(ids)
    return {(*k, frozenset(v)) for k, v in put.items()}


def change(rng, root, n):
    for i in range(n):
        path = os.path.join(os.fsencode(root), rng.choice([b"a", b"b/c", b"b/d", b"\xff"]),
                            rng.choice([b"x-name", b"y-name", b"\xc3\xa4-name", b"\xfe-name", b"q'\"name"]))
        if rng.random() < 0.3 and os.path.isfile(path):
            os.remove(path)
        elif rng.random() < 0.1 and os.path.isdir(os.path.dirname(path)):
            shutil.rmtree(os.path.dirname(path))
        else:
            write(path, bytes(rng.randrange(1, 400)))


def test_what_is_found_is_what_each_snapshot_lists(hf, place, rng):
    for _ in range(trials(20)):
        change(rng, f"{place}/www", 6)
        backup(hf)
    expected = versions(judge(hf, ("main", "far")))
    assert versions(find(hf, "--all", "name")) == expected
    os.remove(f"{hf.env['HOLDFAST_STATE_DIR']}/catalog.db")
    hf("catalog", "rebuild")
    assert versions(find(hf, "--all", "name")) == expected


def test_a_lost_catalog_is_filled_again_from_the_repositories(hf, place):
    write(f"{place}/www/f.txt", b"1")
    backup(hf)
    write(f"{place}/www/g.txt", b"2")
    backup(hf)
    backup(hf, "db")
    before = find(hf, "--all", "txt")
    shutil.rmtree(hf.env["HOLDFAST_STATE_DIR"])
    assert find(hf, "--all", "txt") == set()
    items = hf("--json", "catalog", "rebuild").json("item")
    assert [(i["repository"], i["snapshots"], i["runs"], i["error"]) for i in items] == [
        ("main", 3, 3, None), ("far", 2, 0, None)]  # a run that went to both is one
    assert find(hf, "--all", "txt") == before != set()
    again = hf("--json", "catalog", "rebuild").json("item")
    assert [(i["paths"], i["runs"]) for i in again] == [(0, 0)] * 2
    # What was deleted is found no more, once the catalog is told.
    ids = [o["snapshot"] for o in hf("-r", "main", "--json", "snapshots", "--system", "www").json("item")]
    hf("-r", f"{place}/main", "forget", ids[0],
       env={"HOLDFAST_CONFIG": None, "HOLDFAST_KEY_FILE": f"{place}/main.key"})  # where nobody knows of a catalog
    assert find(hf, "--all", "txt") == before
    assert hf("--json", "catalog", "rebuild", "-r", "main").json("item")[0]["gone"] == 1
    assert not any(ids[0] in s for _, _, _, s in find(hf, "--all", "txt"))


def test_what_was_forgotten_is_found_no_more_and_again_when_it_is_brought_back(hf, place):
    write(f"{place}/www/f.txt", b"1")
    first = backup(hf)["main"]
    write(f"{place}/www/g.txt", b"2")
    second = backup(hf)["main"]

    def snapshots(pattern):
        return {s for r, _, _, ids in find(hf, "--all", pattern) if r == "main" for s in ids}
    assert snapshots("f.txt") == {first, second}
    hf("-r", "main", "forget", "-n", "--keep-last", "1", "--system", "www")
    assert snapshots("f.txt") == {first, second}
    hf("-r", "main", "forget", "--keep-last", "1", "--system", "www")
    assert (snapshots("f.txt"), snapshots("g.txt")) == ({second}, {second})
    hf("-r", "main", "forget", "--undo", first)
    assert (snapshots("f.txt"), snapshots("g.txt")) == ({first, second}, {second})
    third = backup(hf)["main"]
    assert (snapshots("f.txt"), snapshots("g.txt")) == ({first, second, third}, {second, third})
    # The catalog is no part of it: where it is away that is said, and it is done.
    hf.env["HOLDFAST_CATALOG"] = f"{place}/no/such/folder/c.db"
    r = hf("-r", "main", "forget", second, rc=3)
    assert "find --all still tells" in r.err
    assert second not in {o["snapshot"] for o in hf("-r", "main", "--json", "snapshots").json("item")}


def test_a_repository_that_is_away_is_told_and_the_others_are_taken_in(hf, place):
    write(f"{place}/www/f.txt", b"1")
    backup(hf)
    shutil.rmtree(hf.env["HOLDFAST_STATE_DIR"])
    os.rename(f"{place}/main", f"{place}/away")
    r = hf("--json", "catalog", "rebuild", rc=3)
    assert [bool(i["error"]) for i in r.json("item")] == [True, False]
    assert {h[0] for h in find(hf, "f.txt")} == {"far"}


@pytest.mark.parametrize("how", ["begin", "middle"])
def test_a_damaged_catalog_is_kept_and_a_new_one_filled(hf, place, how):
    for i in range(200):
        write(f"{place}/www/some-rather-long-name-{i}.txt", b"1")
    backup(hf)
    before, path = find(hf, "--all", "name-12"), f"{hf.env['HOLDFAST_STATE_DIR']}/catalog.db"
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.seek(0 if how == "begin" else size // 2)
        f.write(b"\xa5" * 8192)
    r = hf("catalog", "rebuild")
    (kept,) = [n for n in os.listdir(os.path.dirname(path)) if n.startswith("catalog.db.damaged-") and n[-1] == "Z"]
    assert "was damaged" in r.err and kept in r.err
    assert find(hf, "--all", "name-12") == before and len(before) == 2 * 11
    assert os.path.getsize(os.path.join(os.path.dirname(path), kept)) == size


def test_a_backup_is_good_though_the_catalog_cannot_be_written(hf, place):
    write(f"{place}/www/f.txt", b"1")
    hf.env["HOLDFAST_CATALOG"] = f"{place}/no/such/folder/c.db"
    r = hf("--json", "backup", "--system", "www", rc=None)
    assert r.rc in (0, 3) and r.summary["snapshot"]
    del hf.env["HOLDFAST_CATALOG"]
    hf("catalog", "rebuild")
    assert len(find(hf, "f.txt")) == 2


def test_nobody_else_reads_the_names_in_the_catalog(hf, place):
    write(f"{place}/www/secret-plan.txt", b"content of it")
    old = os.umask(0)
    try:
        backup(hf)
    finally:
        os.umask(old)
    state = hf.env["HOLDFAST_STATE_DIR"]
    files = [n for n in os.listdir(state) if n.startswith("catalog.db")]
    assert files and all(os.stat(f"{state}/{n}").st_mode & 0o077 == 0 for n in files)
    for n in files:
        with open(f"{state}/{n}", "rb") as f:
            assert b"content of it" not in f.read()


def test_the_catalog_may_be_on_a_server(hf, place, rng):
    need_programs("setpriv")
    if postgres.missing():
        need_programs(*postgres.missing())
    with postgres.Postgres(tempfile.mkdtemp()).up() as server:  # where its user may go
        hf.env["PGPASSWORD"] = postgres.PASSWORD
        with open(f"{place}/h.yaml", "a", encoding="utf-8") as f:
            f.write(f"catalog: {server.url()}\n")
        for _ in range(3):
            change(rng, f"{place}/www", 6)
            backup(hf)
        assert versions(find(hf, "--all", "name")) == versions(judge(hf, ("main", "far"))) != set()
        assert server.url() in hf("catalog", "status").out
        assert not os.path.exists(f"{hf.env['HOLDFAST_STATE_DIR']}/catalog.db")
        server.stop()
        r = hf("find", "--all", "name", rc=1)
        assert "refused" in r.err and postgres.PASSWORD not in r.err
        server.again()
        hf("find", "--all", "name")
