"""corpora: the trees to back up, made once below BENCH_DIR and kept.

Each is made of Debian packages and seeded generators only.  A corpus is a folder `data` beside a
file `done`; without that file it is made again.  `change` makes the third step of the bench, and
`revert` takes it back, byte for byte (not the times: each round begins with new repositories).

The newest file of each tree is a tiny one: borg reads whichever carries the newest ctime again.
"""
import glob
import os
import pwd
import random
import shutil
import subprocess

KB, MB = 1000, 1000 * 1000
SEED = 20231
PIECE = 1 << 20


class Missing(Exception):
    """A corpus can't be made on this machine; the text says why."""


def make_linux(data, scale):
    """Linux 6.1's source; with a scale its first files, as the tarball has them."""
    found = glob.glob("/usr/src/linux-source-6.1.tar.xz")
    if not found:
        raise Missing("the package linux-source-6.1 is not installed")
    take = int(78600 * scale)
    xz = subprocess.Popen(["xz", "-dcq", "-T0", found[0]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if scale >= 1:
        subprocess.run(["tar", "-xf", "-", "-C", data], stdin=xz.stdout, check=True)
    else:
        names = subprocess.Popen(["tar", "-xvf", "-", "-C", data], stdin=xz.stdout, stdout=subprocess.PIPE, text=True)
        for n, _ in enumerate(names.stdout):
            if n >= take:
                break
        names.kill()
        names.wait()
    xz.kill()
    xz.wait()


def make_pages(data, scale):
    """The data folder of a stopped PostgreSQL that pgbench has worked on."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not programs:
        raise Missing("no PostgreSQL is installed")
    home = os.path.dirname(data)
    become = []
    if os.getuid() == 0:  # which PostgreSQL refuses to be
        try:
            who = pwd.getpwnam("postgres")
        except KeyError:
            who = pwd.getpwnam("nobody")
        os.chown(home, who.pw_uid, who.pw_gid)
        os.chown(data, who.pw_uid, who.pw_gid)
        become = ["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"]

    def run(program, *args):
        done = subprocess.run([*become, f"{programs[-1]}/{program}", *map(str, args)], cwd=home, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise Missing(f"{program} failed: {done.stdout.strip()[-500:]}")

    options = f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off -c autovacuum=off"
    run("initdb", "-D", data, "-A", "trust", "-U", "bench", "--data-checksums", "--no-sync", "--locale=C")
    run("pg_ctl", "-D", data, "-w", "-l", f"{home}/log", "-o", options, "start")
    try:
        run("pgbench", "-h", home, "-U", "bench", "-i", "-q", "-s", max(1, round(60 * scale)), "postgres")
        run("pgbench", "-h", home, "-U", "bench", "-n", "-c", 4, "-t", max(10, round(10000 * scale)),
            "--random-seed", SEED, "postgres")
    finally:
        run("pg_ctl", "-D", data, "-w", "-m", "fast", "stop")


def words(rng, n):
    """Text of n bytes that compresses about as text does, without repeats of any length."""
    lexicon = [bytes(rng.choices(b"etaoinshrdlucmfwypvbgkjqxz", k=rng.randint(2, 11))) for _ in range(4000)]
    line = b" ".join(rng.choices(lexicon, k=n // 5))
    return line[:n].ljust(n, b" ")


def fill(path, size, piece):
    """A file of exactly `size` bytes, of pieces that piece(n) makes."""
    with open(path, "ab") as f:
        while f.tell() < size:
            f.write(piece(min(PIECE, size - f.tell())))


def make_big(data, scale):
    """Two files: an archive of /usr/lib cut at 2.3 GB (then words, if there is less), and random bytes."""
    rng = random.Random(SEED)
    size = int(2306867200 * scale)
    with open(f"{data}/lib.tar", "wb") as f:
        tar = subprocess.Popen(["tar", "--sort=name", "-cf", "-", "-C", "/", "usr/lib"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
        while f.tell() < size:
            piece = tar.stdout.read(min(PIECE, size - f.tell()))
            if not piece:
                break
            f.write(piece)
        tar.kill()
        tar.wait()
    fill(f"{data}/lib.tar", size, lambda n: words(rng, n))
    fill(f"{data}/random", int(734003200 * scale), rng.randbytes)


def make_media(data, scale):
    """200 incompressible files of 0.3 to 10.6 MB; with a scale fewer."""
    rng = random.Random(SEED + 1)
    for i in range(max(2, round(200 * scale))):
        fill(f"{data}/{i:03d}.bin", rng.randint(300 * KB, 10600 * KB), rng.randbytes)


MAKERS = {"linux": make_linux, "pages": make_pages, "big": make_big, "media": make_media}


class Corpus:
    def __init__(self, name, bench_dir, scale):
        self.name = name
        self.home = os.path.join(bench_dir, "corpora", name if scale == 1 else f"{name}-{scale:g}")
        self.data = os.path.join(self.home, "data")
        self.scale = scale
        self.undo = []

    def make(self):
        """Make it unless it is there, then learn what it is."""
        done = os.path.join(self.home, "done")
        if not os.path.exists(done):
            shutil.rmtree(self.home, ignore_errors=True)
            os.makedirs(self.data)
            MAKERS[self.name](self.data, self.scale)
            open(done, "w").close()
        self.settle()
        self.files, self.dirs, self.sizes = [], 0, {}
        for folder, dirs, files in os.walk(self.data):
            self.dirs += len(dirs)
            for name in files:
                path = os.path.join(folder, name)
                if not os.path.islink(path) and name != "newest":
                    self.files.append(path)
                    self.sizes[path] = os.path.getsize(path)
        self.files.sort()
        self.bytes = sum(self.sizes.values())

    def settle(self):
        """The newest file is a tiny one."""
        with open(os.path.join(self.data, "newest"), "w") as f:
            f.write("the newest file\n")

    def warm(self):
        """Everything into the page cache."""
        for path in self.files:
            with open(path, "rb", buffering=0) as f:
                while f.read(8 << 20):
                    pass

    def change(self):
        """64 bytes behind every 100th file, 1 KiB into the middle of the largest."""
        rng = random.Random(SEED + 2)
        largest = max(self.files, key=lambda p: (self.sizes[p], p))
        for path in self.files[99::100]:
            if path != largest:
                with open(path, "ab") as f:
                    f.write(rng.randbytes(64))
        self.insert(largest, self.sizes[largest] // 2, rng.randbytes(1024))
        self.settle()

    def insert(self, path, at, data):
        """Move what follows `at` back, the last piece first, and write `data` into the gap."""
        with open(path, "r+b") as f:
            end = self.sizes[path]
            while end > at:
                begin = max(at, end - (8 << 20))
                f.seek(begin)
                piece = f.read(end - begin)
                f.seek(begin + len(data))
                f.write(piece)
                end = begin
            f.seek(at)
            f.write(data)
        self.undo = [(path, at, len(data))]

    def revert(self):
        for path, at, n in self.undo:
            with open(path, "r+b") as f:
                while True:
                    f.seek(at + n)
                    piece = f.read(8 << 20)
                    if not piece:
                        break
                    f.seek(at)
                    f.write(piece)
                    at += len(piece)
        self.undo = []
        for path, size in self.sizes.items():
            if os.path.getsize(path) != size:
                os.truncate(path, size)
        self.settle()
