"""tools: how each program is asked to do the same thing.

A tool owns a folder `home` with its repository and its caches, all of which is new in each round.
Every tool runs as it comes: default compression, encryption on.  Holdfast has a key file, restic
and borg know passwords only; the row "unchanged, password" shows what ours costs.
"""
import json
import os
import shutil

from measure import Failed, run

PASSWORD = "bench: not a secret"


class Tool:
    name = program = version_args = None
    encrypted = True

    def __init__(self, home):
        self.home, self.repo = home, os.path.join(home, "repo")
        self.env = {}

    @classmethod
    def find(cls):
        return shutil.which(cls.program)

    @classmethod
    def version(cls):
        return run([cls.find(), *cls.version_args]).out.decode().splitlines()[0].strip()

    def __call__(self, *args, cwd=None):
        return run([self.find(), *args], env=self.env, cwd=cwd)

    def init(self):
        raise NotImplementedError

    def backup(self, src):
        raise NotImplementedError

    def restore(self, src, dst):
        """Into the empty folder dst; returns the sample and where the tree came to be."""
        raise NotImplementedError

    def check(self):
        """With all data."""
        raise NotImplementedError

    def stored(self):
        """Bytes and objects of the repository."""
        total = count = 0
        for folder, _, files in os.walk(self.repo):
            count += len(files)
            total += sum(os.lstat(os.path.join(folder, f)).st_size for f in files)
        return total, count


class Holdfast(Tool):
    name, version_args = "holdfast", ("version",)

    def __init__(self, home):
        super().__init__(home)
        self.key = os.path.join(home, "key")
        self.env = {"HOLDFAST_REPOSITORY": self.repo, "HOLDFAST_KEY_FILE": self.key,
                    "HOLDFAST_CACHE_DIR": os.path.join(home, "cache"), "HOLDFAST_STATE_DIR": os.path.join(home, "state")}
        self.summary = {}

    @classmethod
    def find(cls):
        path = os.path.abspath(os.environ.get("HOLDFAST_BIN", "build/release/src/holdfast"))
        return path if os.access(path, os.X_OK) else None

    def init(self):
        run([self.find(), "init", "--new-key-file", self.key],
            env={k: v for k, v in self.env.items() if k != "HOLDFAST_KEY_FILE"})

    def backup(self, src):
        sample = self("--json", "backup", src)
        for line in sample.out.decode().splitlines():
            o = json.loads(line)
            if o["type"] == "summary":
                self.summary = o
        return sample

    def backup_with_password(self, src):
        """The same repository and files; a password's holder is a writer of its own, so his second run counts."""
        path = os.path.join(self.home, "password")
        with open(path, "w") as f:
            f.write(PASSWORD + "\n")
        self("key", "add", "--new-password-file", path)
        for _ in range(2):
            sample = self("backup", "--password-file", path, src)
        return sample

    def restore(self, src, dst):
        return self("restore", f"{self.summary['snapshot']}:{src}", "--target", dst), dst

    def check(self):
        return self("check", "--read-data")


class Restic(Tool):
    name, program, version_args = "restic", "restic", ("version",)

    def __init__(self, home):
        super().__init__(home)
        self.env = {"RESTIC_REPOSITORY": self.repo, "RESTIC_PASSWORD": PASSWORD,
                    "RESTIC_CACHE_DIR": os.path.join(home, "cache")}

    def init(self):
        self("init")

    def backup(self, src):
        return self("backup", "--quiet", src)

    def restore(self, src, dst):
        return self("restore", "--quiet", "latest", "--target", dst), dst + src

    def check(self):
        return self("check", "--quiet", "--read-data")


class Borg(Tool):
    name, program, version_args = "borg", "borg", ("--version",)

    def __init__(self, home):
        super().__init__(home)
        self.archives = 0
        self.env = {"BORG_REPO": self.repo, "BORG_PASSPHRASE": PASSWORD, "BORG_BASE_DIR": os.path.join(home, "base"),
                    "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}

    def init(self):
        self("init", "--encryption", "repokey")

    def backup(self, src):
        self.archives += 1
        return self("create", f"::a{self.archives}", src)

    def restore(self, src, dst):
        return self("extract", f"::a{self.archives}", cwd=dst), dst + src

    def check(self):
        return self("check", "--verify-data")


class Copy(Tool):
    """The floor: a plain copy, without fsync, hashing, compression or encryption."""

    name, program, version_args = "cp -a", "cp", ("--version",)
    encrypted = False

    def init(self):
        os.makedirs(self.repo)

    def backup(self, src):
        if os.listdir(self.repo):
            raise Failed("a copy knows no second time")
        return self("-a", src, self.repo)

    def restore(self, src, dst):
        return self("-a", os.path.join(self.repo, os.path.basename(src)), dst), os.path.join(dst, os.path.basename(src))

    def check(self):
        raise Failed("a copy knows no check")


ALL = [Holdfast, Restic, Borg, Copy]
