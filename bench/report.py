"""report: samples become medians, ratios, limits; one table, as markdown and as JSON."""
import json
import os
import platform
import statistics
import time

PEERS = ["restic", "borg"]
STEPS = ["first", "unchanged", "unchanged, password", "third", "restore, tmpfs", "restore, disk", "check"]
TITLES = {
    "first": "first backup", "unchanged": "unchanged backup", "unchanged, password": "unchanged, our password",
    "third": "1 % changed", "restore, tmpfs": "full restore, tmpfs",
    "restore, disk": "full restore, disk", "check": "check, all data",
}
# The same change to each corpus (README.md), by the name of what it is there.
THIRD = {"linux": "1 % of files changed", "pages": "1 % of pages changed", "big": "1 KiB inserted"}


def title(corpus, step):
    return THIRD.get(corpus, TITLES[step]) if step == "third" else TITLES[step]


def median(values):
    return statistics.median(values) if values else None


class Results:
    def __init__(self, scale, runs):
        self.data = {"schema": 1, "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "scale": scale,
                     "runs": runs, "machine": machine(), "versions": {}, "corpora": {}, "notes": []}

    # what run.py tells

    def note(self, text):
        if text not in self.data["notes"]:
            self.data["notes"].append(text)
            print(f"bench: {text}", flush=True)

    def version(self, tool, text):
        self.data["versions"][tool] = text

    def corpus(self, c):
        self.data["corpora"][c.name] = {"files": len(c.files), "dirs": c.dirs, "bytes": c.bytes,
                                        "largest": max(c.sizes.values()), "samples": {}, "stored": {}, "parts": [],
                                        "same": {}, "facts": {}}

    def add(self, corpus, row, tool, s):
        self.data["corpora"][corpus]["samples"].setdefault(row, {}).setdefault(tool, []).append(
            {"wall": s.wall, "cpu": s.cpu, "rss": s.rss, "others": s.others})

    def stored(self, corpus, row, tool, total, objects):
        self.data["corpora"][corpus]["stored"].setdefault(row, {}).setdefault(tool, []).append([total, objects])

    def parts(self, corpus, rates):
        self.data["corpora"][corpus]["parts"].append(rates)

    def facts(self, corpus, summary):
        """What the first backup said: how much of the plaintext was new, and how it was stored."""
        self.data["corpora"][corpus]["facts"] = {k: summary[k] for k in ("bytes", "added_bytes", "stored_bytes")}

    def compared(self, corpus, tool, same):
        self.data["corpora"][corpus]["same"][tool] = same

    def clean(self):
        return all(all(c["same"].values()) for c in self.data["corpora"].values())

    # what comes out

    def value(self, corpus, row, tool, what="wall"):
        return median([s[what] for s in self.data["corpora"][corpus]["samples"].get(row, {}).get(tool, [])])

    def highest(self, corpus, tool):
        """Peak memory of any run at all: no median hides it."""
        return max((s["rss"] for row in self.data["corpora"][corpus]["samples"].values() for s in row.get(tool, [])),
                   default=None)

    def size(self, corpus, row, tool, which):
        return median([s[which] for s in self.data["corpora"][corpus]["stored"].get(row, {}).get(tool, [])])

    def rates(self, corpus, threads=2):
        """MB/s of each part: the best of the rounds, for a limit is what can be reached."""
        every = self.data["corpora"][corpus]["parts"]
        if not every:
            return None
        return {k: max(r[k][threads - 1] for r in every) for k in every[0] if isinstance(every[0][k], list)}

    def limits(self, corpus):
        """Seconds that the parts alone take on two threads, if they are shared perfectly."""
        r, facts = self.rates(corpus), self.data["corpora"][corpus]["facts"]
        if not r or not facts:
            return {}
        plain, new, stored = (facts[k] / 1e6 for k in ("bytes", "added_bytes", "stored_bytes"))
        return {
            "first": plain / r["read"] + plain / r["gear"] + plain / r["id"] + new / r["zstd"]
            + stored / r["aes256gcm"] + stored / r["write"],
            "check": stored / r["read"] + stored / r["aes256gcm"] + new / r["unzstd"] + new / r["id"],
            "restore, tmpfs": stored / r["read"] + stored / r["aes256gcm"] + new / r["unzstd"] + new / r["id"]
            + plain / r["write"],
        }

    def rows(self, corpus):
        """(title, {tool: value}, limit or None, decimals) of one corpus."""
        tools = list(self.data["versions"])
        limits = self.limits(corpus)
        for step in STEPS:
            yield title(corpus, step) + ", s", {t: self.value(corpus, step, t) for t in tools}, limits.get(step), 2
        for step in ("first", "third", "restore, tmpfs", "check"):
            yield f"CPU, {title(corpus, step)}, s", {t: self.value(corpus, step, t, "cpu") for t in tools}, None, 2
        for step in STEPS:
            yield (f"peak memory, {title(corpus, step)}, MiB",
                   {t: scaled(self.value(corpus, step, t, "rss"), 2**20) for t in tools}, None, 0)
        yield "peak memory, highest of all, MiB", {t: scaled(self.highest(corpus, t), 2**20) for t in tools}, None, 0
        yield "repository, MB", {t: scaled(self.size(corpus, "first", t, 0), 1e6) for t in tools}, None, 1
        yield "objects", {t: self.size(corpus, "first", t, 1) for t in tools}, None, 0
        yield f"{title(corpus, 'third')}: added, MB", {t: difference(self.size(corpus, "third", t, 0), self.size(corpus, "before", t, 0))
                                                       for t in tools}, None, 2

    def table(self, corpus):
        tools = list(self.data["versions"])
        peers = [p for p in PEERS if p in tools and "holdfast" in tools]
        c = self.data["corpora"][corpus]
        head = [f"{corpus}: {c['files']:,} files, {c['bytes'] / 1e6:,.0f} MB", *tools, *[f"{p} ÷ ours" for p in peers],
                "limit", "share"]
        lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
        for title, values, limit, places in self.rows(corpus):
            if all(v is None for v in values.values()):
                continue
            ours = values.get("holdfast")
            cells = [shown(values[t], places) for t in tools]
            cells += [ratio(values[p], ours) for p in peers]
            cells += [shown(limit, places), f"{limit / ours * 100:.0f} %" if limit and ours else ""]
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def parts_table(self):
        names = [n for n, c in self.data["corpora"].items() if c["parts"]]
        if not names:
            return ""
        lines = ["| parts, MB/s: one thread / two | " + " | ".join(names) + " |", "|---" + "|---:" * len(names) + "|"]
        for part in self.rates(names[0]):
            cells = [f"{self.rates(n, 1)[part]:,.0f} / {self.rates(n)[part]:,.0f}" for n in names]
            lines.append(f"| {part} | " + " | ".join(cells) + " |")
        ratios = [f"{self.data['corpora'][n]['parts'][0]['ratio']:.2f}" for n in names]
        lines.append("| zstd's ratio, 1 MiB blocks | " + " | ".join(ratios) + " |")
        return "\n".join(lines)

    def noise(self):
        """How busy others kept the machine while we measured: the first thing to know of a table."""
        shares = [s["others"] for c in self.data["corpora"].values() for row in c["samples"].values()
                  for tool in row.values() for s in tool]
        if not shares:
            return "nothing was measured"
        return (f"Other processes took {statistics.median(shares) * 100:.0f} % of the processors "
                f"(median; at most {max(shares) * 100:.0f} %)"
                + ("; these times are not to be relied on." if statistics.median(shares) > 0.05 else "."))

    def markdown(self):
        d, m = self.data, self.data["machine"]
        same = [f"{n}/{t}" for n, c in d["corpora"].items() for t, ok in c["same"].items() if ok]
        parts = [f"## Bench of {d['began']}",
                 f"{m['cpu']}, {m['cpus']} processors, {m['memory'] / 2**30:.0f} GiB, Linux {m['kernel']}. "
                 f"Median of {d['runs']} {'round' if d['runs'] == 1 else 'rounds'}; scale {d['scale']:g}. {self.noise()}",
                 "; ".join(d["versions"].values()) + "."]
        parts += [self.table(name) for name, c in d["corpora"].items() if c["samples"]]
        parts.append(self.parts_table())
        parts.append("limit: the parts' time on two threads, perfectly shared; share: how much of it we reach. "
                     f"Restored and equal, with modes, owners, times and links: {', '.join(same) or 'none compared'}.")
        parts += ["- " + n for n in d["notes"]]
        return "\n\n".join(p for p in parts if p) + "\n"

    def write(self, folder):
        self.data["ended"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.data["medians"] = {
            name: [{"row": title, "values": values, "limit": limit} for title, values, limit, _ in self.rows(name)]
            for name in self.data["corpora"]}
        for name, text in (("result.json", json.dumps(self.data, indent=1)), ("result.md", self.markdown())):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)


def scaled(v, unit):
    return None if v is None else v / unit


def difference(a, b):
    return None if a is None or b is None else (a - b) / 1e6


def shown(v, places):
    return "" if v is None else f"{v:,.{places}f}"


def ratio(theirs, ours):
    return f"{theirs / ours:.1f}" if theirs and ours else ""


def machine():
    cpu = "unknown processor"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    return {"cpu": cpu, "cpus": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")}
