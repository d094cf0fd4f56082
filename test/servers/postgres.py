"""postgres: PostgreSQL with a cluster of the test's own, emptied by whoever uses it; it does not run as root."""
import glob
import os
import pwd
import shutil

from server import Server, free_port, listens

USER, PASSWORD = "postgres", "se:cret @/1"


def programs():
    """The folder of the newest version's programs, or None."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda p: int(p.split("/")[4]))
    return os.path.dirname(found[-1]) if found else None


class Postgres(Server):
    def __init__(self, folder, conf=""):
        super().__init__(folder, {"LC_ALL": "C.UTF-8"})
        self.port, self.conf = free_port(), conf
        self.data = self.path("data")

    def as_user(self, *argv):
        if os.geteuid() != 0:
            return argv
        return ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *argv)

    def up(self):
        with open(self.path("pw"), "w") as f:
            f.write(PASSWORD)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            for path in (self.folder, self.path("pw")):
                os.chown(path, user.pw_uid, user.pw_gid)
        self.run(*self.as_user(f"{programs()}/initdb", "-D", self.data, "-U", USER, "--pwfile", self.path("pw"),
                               "-A", "scram-sha-256", "-N", "--no-instructions", "-E", "UTF8"))
        self.again()
        return self

    def again(self):
        """Start it, the first time or after a stop, at the same port."""
        self.start("postgres", *self.as_user(
            f"{programs()}/postgres", "-D", self.data, "-p", str(self.port), "-h", "127.0.0.1", "-k", self.folder,
            "-c", "fsync=off", "-c", "shared_buffers=64MB", *self.conf.split()))
        self.wait(lambda: listens(self.port), "postgres")
        self.wait(lambda: self.run(f"{programs()}/pg_isready", "-h", "127.0.0.1", "-p", self.port, check=False),
                  "postgres")

    def url(self, database="postgres"):
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"


def missing():
    return [] if programs() and shutil.which("setpriv") else ["postgres"]
