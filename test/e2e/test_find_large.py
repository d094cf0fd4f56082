"""Searches through five million paths: all hits and no other; how long they take is printed, and decides nothing."""
import fnmatch
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import pytest
from conftest import ROOT

sys.path.insert(0, f"{ROOT}/test/servers")
import postgres  # noqa: E402
from server import need_programs  # noqa: E402

PATHS, SNAPSHOTS, TIMES = 5_000_000, 100, 20
WORDS = "invoice report holiday backup letter project meeting picture budget contract manual archive".split()
ENDS = "pdf docx jpg txt c h xlsx".split()
PATTERNS = ["_0123456", "invoice_0004", "holiday_00123*.pdf", "*_4999999.*", "budget-99/manual_1", "n0such",
            "/srv/data/report-7/*/*_0000*", "/srv/data/*/manual/*/budget_00*"]


def folder(i):
    """As on a file server: folders of words, ten files in each."""
    return f"/srv/data/{WORDS[i % 12]}-{i % 997}/{WORDS[i // 12 % 12]}/{i}"


def name(i):
    return f"{WORDS[i * 7 % 12]}_{i:07}.{ENDS[i % 7]}"


def expected():
    """{pattern: paths}, found by looking at each of them."""
    globs = {p: re.compile(fnmatch.translate(p)).match for p in PATTERNS if "*" in p}
    found = {p: set() for p in PATTERNS}
    for i in range(PATHS):
        last = name(i)
        path = f"{folder(i // 10)}/{last}"
        for p, hits in found.items():
            if p in globs:
                hit = globs[p](path if "/" in p else last)
            elif "/" in p:
                hit = p in path and path.rfind(p) + len(p) > len(path) - len(last)
            else:
                hit = p in last
            if hit:
                hits.add(path)
    return found


def rows():
    """The tables of one series: each snapshot changed one path in a hundred thousand."""
    yield "repository", [(1, "aa", "main")]
    yield "series", [(1, 1, "1", SNAPSHOTS, "", None, 0)]
    yield "snapshot", ((s, 1, f"{s:064x}", 1, s, "data", "h", "complete", s, s, PATHS, 0, 0)
                       for s in range(1, SNAPSHOTS + 1))
    yield "folder", ((i + 1, folder(i)) for i in range((PATHS + 9) // 10))
    yield "file_name", ((i + 1, name(i)) for i in range(PATHS))
    yield "file_version", (v for i in range(PATHS) for v in versions(i))


def versions(i):
    s = i % 100_000
    if 0 < s < SNAPSHOTS:
        return [(i + 1, i // 10 + 1, 1, 1, s, 1, i, 0), (i + 1, i // 10 + 1, 1, s + 1, 0, 1, i + s, s)]
    return [(i + 1, i // 10 + 1, 1, 1, 0, 1, i, 0)]


def fill_file(path):
    db = sqlite3.connect(path)
    db.execute("PRAGMA synchronous=OFF")
    for table, values in rows():
        values = iter(values)
        first = next(values)
        sql = f"INSERT INTO {table} VALUES ({','.join('?' * len(first))})"
        db.execute(sql, first)
        db.executemany(sql, values)
    db.execute("INSERT INTO folder_words (rowid, path) SELECT id, path FROM folder")
    db.execute("INSERT INTO name_words (rowid, name) SELECT id, name FROM file_name")
    db.commit()
    db.close()


def fill_server(server, base):
    script = "SET maintenance_work_mem = '512MB'; DROP INDEX folder_words; DROP INDEX name_words;\n"
    for table, values in rows():
        with open(f"{base}/{table}", "w", encoding="utf-8") as f:
            for v in values:
                f.write("\t".join("\\N" if x is None else str(x) for x in v) + "\n")
        script += f"\\copy {table} FROM '{base}/{table}'\n"
    script += "CREATE INDEX folder_words ON folder USING gin (path gin_trgm_ops);\n" \
              "CREATE INDEX name_words ON file_name USING gin (name gin_trgm_ops);\nANALYZE;\n"
    with open(f"{base}/fill.sql", "w", encoding="utf-8") as f:
        f.write(script)
    subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", server.url(), "-f", f"{base}/fill.sql"],
                   env=server.env, check=True)


def ask(hf, pattern):
    start = time.monotonic()
    answer = hf("--json", "find", "--all", pattern)
    return (time.monotonic() - start) * 1000, answer


def search_all(hf, what):
    want = expected()
    base = statistics.median(timed(hf) for _ in range(TIMES))
    print(f"\n{what}: milliseconds a search, with the {base:.0f} that the program takes to begin and end")
    for pattern in PATTERNS:
        tries = [ask(hf, pattern) for _ in range(TIMES)]
        times = sorted(t for t, _ in tries)
        hits = [h for h in tries[0][1].json("item") if "snapshots" in h]
        print(f"{pattern:36} {len(hits):5} hits  median {times[TIMES // 2]:7.1f}  worst {times[-1]:7.1f}")
        seen = {}
        for h in hits:
            seen.setdefault(h["path"], []).extend(h["snapshots"])
        assert seen.keys() == want[pattern], pattern
        assert all(len(s) == len(set(s)) == SNAPSHOTS for s in seen.values()), pattern


def timed(hf):
    start = time.monotonic()
    hf("version")
    return (time.monotonic() - start) * 1000


def configure(hf, base, catalog):
    hf.env["HOLDFAST_CONFIG"] = f"{base}/h.yaml"
    with open(f"{base}/h.yaml", "w", encoding="utf-8") as f:
        f.write(f"catalog: {catalog}\nrepositories: {{main: {{url: {base}/main, key: file:{base}/key}}}}\n")
    hf("catalog", "status")


@pytest.mark.soak
def test_five_million_paths_are_searched_in_a_file(hf, base):
    configure(hf, base, f"{base}/catalog.db")
    fill_file(f"{base}/catalog.db")
    search_all(hf, "SQLite")


@pytest.mark.soak
def test_five_million_paths_are_searched_on_a_server(hf, base):
    need_programs("setpriv", "psql", *postgres.missing())
    with postgres.Postgres(tempfile.mkdtemp()).up() as server:  # where its user may go
        hf.env["PGPASSWORD"] = server.env["PGPASSWORD"] = postgres.PASSWORD
        configure(hf, base, server.url())
        fill_server(server, base)
        search_all(hf, "PostgreSQL")
