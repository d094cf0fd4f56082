"""measure: run one command and say what it took: wall, CPU, peak memory, and what else was running."""
import os
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILT = os.path.join(ROOT, "build/release/bench")
TIMED = os.path.join(BUILT, "timed")


class Failed(Exception):
    """The command ended with a status that it should not have; the text has its last words."""


class Sample:
    """One run.  `others` is the share of all processors that other processes kept busy meanwhile."""

    def __init__(self, wall, cpu, rss, others, out):
        self.wall, self.cpu, self.rss, self.others, self.out = wall, cpu, rss, others, out


def busy_seconds():
    """CPU seconds that all processors have worked since boot, this process's and others'."""
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def tail(f):
    f.seek(max(0, f.seek(0, os.SEEK_END) - 600))
    return f.read().decode(errors="replace").strip()


def run(argv, env=None, cwd=None):
    """Run argv to its end, with no tool's variables but those in env."""
    env = {**{k: v for k, v in os.environ.items() if not k.startswith(("HOLDFAST_", "RESTIC_", "BORG_"))}, **(env or {})}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile("w+") as took:
        busy = busy_seconds()
        status = subprocess.run([TIMED, str(took.fileno()), *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                env=env, cwd=cwd, pass_fds=[took.fileno()]).returncode
        busy = busy_seconds() - busy
        if status != 0:
            raise Failed(f"{' '.join(argv[:4])}...: status {status}: {tail(err)}")
        took.seek(0)
        wall, user, system, rss = map(float, took.read().split())
        others = max(0.0, busy - user - system) / max(wall, 0.01) / os.cpu_count()
        out.seek(0)
        return Sample(wall, user + system, rss, min(1.0, others), out.read())
