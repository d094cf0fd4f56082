#!/usr/bin/python3
"""run: every tool, on every corpus, several times in turn; one table at the end.

Environment (all optional; `make bench CORPUS=linux RUNS=1` sets them too):

  CORPUS=linux,media   some of: linux pages big media
  TOOLS=holdfast,cp    some of: holdfast restic borg cp
  RUNS=3               rounds; medians are taken over them
  SCALE=1              share of each corpus; 0.1 for a quick try
  BENCH_DIR=build/bench  corpora (kept), repositories, results: 25 GB free for everything
  EXT4=1               0 leaves out the restore to disk
  HOLDFAST_BIN=...     another binary

README.md says how it measures and which traps it goes around.
"""
import json
import os
import shutil
import stat
import subprocess
import sys
import time

import report
import tools
from corpora import MAKERS, Corpus, Missing
from measure import BUILT, ROOT, TIMED, Failed, run

ENV = os.environ
BENCH_DIR = os.path.abspath(ENV.get("BENCH_DIR") or os.path.join(ROOT, "build/bench"))
SHM = "/dev/shm"
SPARE = 3 << 30  # free bytes that are never used up
SETTLE = 2.0     # seconds: a file touched just now is read again by any careful tool


def say(text):
    print(text, file=sys.stderr, flush=True)


def pick(name, known):
    """The comma-separated choice of a variable, all if it is empty."""
    wanted = [w for w in (ENV.get(name) or "").replace(",", " ").split() if w]
    for w in wanted:
        if w not in known:
            sys.exit(f"bench: {name}: there is no '{w}'; it can be {' '.join(known)}")
    return wanted or list(known)


def number(name, default, kind):
    try:
        value = kind(ENV.get(name) or default)
        if value <= 0:
            raise ValueError
        return value
    except ValueError:
        sys.exit(f"bench: {name}: '{ENV[name]}' is not a number above 0")


def free(path):
    st = os.statvfs(path)
    return st.f_bavail * st.f_frsize


def is_tmpfs(path):
    with open("/proc/mounts") as f:
        return any(line.split()[1:3] == [path, "tmpfs"] for line in f)


def facts(path):
    """What of an entry must come back, beside its content."""
    st = os.lstat(path)
    return {"type and mode": st.st_mode, "owner": (st.st_uid, st.st_gid), "mtime": st.st_mtime_ns,
            "links": 0 if stat.S_ISDIR(st.st_mode) else st.st_nlink, "device": st.st_rdev}


def differing(one, other):
    """Each entry below the two folders that is not the same in both, as text; not the folders themselves."""
    for folder, dirs, files in os.walk(one):
        for name in dirs + files:
            a = os.path.join(folder, name)
            b = os.path.join(other, os.path.relpath(a, one))
            here, there = facts(a), facts(b) if os.path.lexists(b) else {}
            wrong = [k for k in here if here[k] != there.get(k)]
            if wrong:
                yield f"{a}: {', '.join(wrong)}: {[here[k] for k in wrong]}, not {[there.get(k) for k in wrong]}"


class Round:
    """One corpus, one round: every tool does one step before any does the next."""

    def __init__(self, corpus, number_, found, results, work):
        self.corpus, self.number, self.results, self.work = corpus, number_, results, work
        self.tools, self.gone = [], set()
        for kind in found if number_ % 2 == 0 else reversed(found):
            home = os.path.join(work, f"{corpus.name}-{number_}-{kind.name.replace(' ', '')}")
            os.makedirs(home)
            self.tools.append(kind(home))

    def step(self, row, act):
        """act(tool) gives a sample; a tool that fails once does no more in this round."""
        for tool in self.tools:
            if tool.name in self.gone:
                continue
            os.sync()
            try:
                sample = act(tool)
            except Failed as e:
                if tool.encrypted:
                    self.results.note(f"{tool.name}, {self.corpus.name}, {row}: {e}")
                    self.gone.add(tool.name)
                continue
            if sample is not None:
                self.results.add(self.corpus.name, row, tool.name, sample)
                say(f"  {row:20} {tool.name:9} {sample.wall:8.2f} s  cpu {sample.cpu:7.2f}  "
                    f"{sample.rss / 2**20:6.0f} MiB  others {sample.others * 100:.0f} %")

    def stored(self, row):
        for tool in self.tools:
            if tool.name not in self.gone and tool.encrypted:
                self.results.stored(self.corpus.name, row, tool.name, *tool.stored())

    def restore(self, place, keep):
        """Into a new folder below `place`, compared with the source in the first round."""
        def act(tool):
            dst = os.path.join(place, f"restored-{self.corpus.name}-{self.number}-{tool.name.replace(' ', '')}")
            os.mkdir(dst)
            try:
                sample, root = tool.restore(self.corpus.data, dst)
                if self.number == 0 and not keep and tool.encrypted:  # a copy is of before the change
                    self.compare(tool, root)
                return sample
            finally:
                if not keep:
                    shutil.rmtree(dst, ignore_errors=True)
        return act

    def compare(self, tool, root):
        done = subprocess.run(["diff", "-r", "--no-dereference", self.corpus.data, root], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
        wrong = done.stdout[:300].strip() or next(differing(self.corpus.data, root), "")
        self.results.compared(self.corpus.name, tool.name, not wrong)
        if wrong:
            self.results.note(f"{tool.name}, {self.corpus.name}: restored differently: {wrong!r}")

    def parts(self, program):
        if not os.access(program, os.X_OK):
            self.results.note("bench/parts is not built: no physical limits")
            return
        try:
            sample = run([program, self.corpus.data, self.work])
            self.results.parts(self.corpus.name, json.loads(sample.out))
        except Failed as e:
            self.results.note(str(e))

    def go(self):
        corpus = self.corpus
        self.parts(os.path.join(BUILT, "parts"))
        for tool in self.tools:
            try:
                tool.init()
            except Failed as e:
                self.results.note(f"{tool.name}: init: {e}")
                self.gone.add(tool.name)
        self.step("first", lambda t: t.backup(corpus.data))
        self.facts()
        self.stored("first")
        self.step("unchanged", lambda t: t.backup(corpus.data) if t.encrypted else None)
        self.step("unchanged, password",
                  lambda t: t.backup_with_password(corpus.data) if hasattr(t, "backup_with_password") else None)
        self.stored("before")
        corpus.change()
        try:
            corpus.warm()
            time.sleep(SETTLE)
            self.step("third", lambda t: t.backup(corpus.data) if t.encrypted else None)
            self.stored("third")
            self.restores()
        finally:
            corpus.revert()
        self.step("check", lambda t: t.check() if t.encrypted else None)

    def facts(self):
        for tool in self.tools:
            if getattr(tool, "summary", None):
                self.results.facts(self.corpus.name, tool.summary)

    def restores(self):
        need = int(self.corpus.bytes * 1.2)
        if is_tmpfs(SHM) and free(SHM) > need + SPARE:
            place = os.path.join(SHM, f"holdfast-bench-{os.getpid()}")
            os.mkdir(place)
            try:
                self.step("restore, tmpfs", self.restore(place, False))
            finally:
                shutil.rmtree(place, ignore_errors=True)
        else:
            self.results.note(f"{self.corpus.name}: no room in {SHM} for a restore")
        if ENV.get("EXT4") == "0":
            return
        if free(self.work) > need * len(self.tools) + SPARE:
            self.step("restore, disk", self.restore(self.work, True))
        else:
            self.results.note(f"{self.corpus.name}, round {self.number + 1}: no room on disk for restores that stay")


def clear(work):
    """What is left of a run before: deleting it makes the file system slow for a while (README.md)."""
    if os.path.isdir(work) and os.listdir(work):
        say("bench: removing what an earlier run left; the first restores to disk may be slow")
        shutil.rmtree(work)
        os.sync()
    os.makedirs(work, exist_ok=True)


def main():
    if not os.access(TIMED, os.X_OK):
        sys.exit(f"bench: {TIMED} is not built: make bench does it")
    known = {kind.program or kind.name: kind for kind in tools.ALL}
    names, wanted = pick("CORPUS", MAKERS), pick("TOOLS", known)
    runs, scale = number("RUNS", 3, int), number("SCALE", 1, float)
    work = os.path.join(BENCH_DIR, "work")
    results = report.Results(scale, runs)
    found = []
    for name in wanted:
        if known[name].find() is None:
            results.note(f"{name} is not installed: left out")
            continue
        found.append(known[name])
        results.version(known[name].name, known[name].version())
    if not found:
        sys.exit("bench: none of the tools is there")
    clear(work)
    try:
        for name in names:
            corpus = Corpus(name, BENCH_DIR, scale)
            say(f"{name}: making the corpus, unless it is there")
            try:
                corpus.make()
            except (Missing, OSError, subprocess.SubprocessError) as e:
                results.note(f"{name}: left out: {e}")
                continue
            corpus.warm()
            time.sleep(SETTLE)
            results.corpus(corpus)
            for i in range(runs):
                say(f"{name}: round {i + 1} of {runs}, load {os.getloadavg()[0]:.1f}")
                Round(corpus, i, found, results, work).go()
            results.write(BENCH_DIR)
    finally:
        results.write(BENCH_DIR)
        say("bench: cleaning up")
        shutil.rmtree(work, ignore_errors=True)
    print(results.markdown())
    say(f"bench: {BENCH_DIR}/result.md and result.json")
    return 0 if results.clean() else 1


if __name__ == "__main__":
    sys.exit(main())
