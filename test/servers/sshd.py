"""sshd: OpenSSH for SFTP alone, as this user, with keys of its own and nothing of the system's."""
import getpass
import os
import shutil

from server import Server, free_port, need_programs

CONF = """
Port {port}
ListenAddress 127.0.0.1
HostKey {d}/host
PidFile {d}/pid
AuthorizedKeysFile {d}/authorized
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
MaxStartups 100
Subsystem sftp internal-sftp
ForceCommand internal-sftp {options}
"""


class Sshd(Server):
    """options: of the SFTP server, like "-P rename" (deny that request)."""

    def __init__(self, folder, options=""):
        need_programs("sshd", "ssh", "ssh-keygen")
        super().__init__(folder)
        self.port, self.options = free_port(), options
        self.root = self.path("root")
        self.known_hosts = self.path("known_hosts")
        self.user = getpass.getuser()

    def keygen(self, name):
        self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", self.path(name))
        return self.path(name)

    def up(self):
        os.makedirs(self.root)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.keygen("host")
        with open(self.keygen("id") + ".pub") as key, open(self.path("authorized"), "w") as f:
            f.write(key.read())
        with open(self.path("conf"), "w") as f:
            f.write(CONF.format(port=self.port, d=self.folder, options=self.options))
        self.know(self.port)
        self.start("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", self.path("conf"))
        self.wait(lambda: "SSH-2.0" in (self.run("ssh-keyscan", "-p", self.port, "127.0.0.1", check=False) or ""),
                  "sshd")
        return self

    def know(self, port, key="host"):
        """Put a host key under that port's name into known_hosts."""
        with open(self.path(key) + ".pub") as f:
            words = f.read().split()
        with open(self.known_hosts, "a") as f:
            f.write(f"[127.0.0.1]:{port} {words[0]} {words[1]}\n")

    def env_for(self, key="id", known_hosts=None):
        """An environment whose ssh reads a configuration of ours: it would not look into another $HOME."""
        where = self.path(f"bin-{key}-{abs(hash(known_hosts))}")
        os.makedirs(where, exist_ok=True)
        with open(f"{where}/config", "w") as f:
            f.write(f"IdentityFile {self.path(key)}\nIdentitiesOnly yes\n"
                    f"UserKnownHostsFile {known_hosts or self.known_hosts}\nGlobalKnownHostsFile /dev/null\n")
        with open(f"{where}/ssh", "w") as f:
            f.write(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {where}/config "$@"\n')
        os.chmod(f"{where}/ssh", 0o755)
        return {"PATH": f"{where}:{os.environ['PATH']}"}

    def url(self, name, port=None):
        if port:
            self.know(port)
        return f"sftp://{self.user}@127.0.0.1:{port or self.port}{self.root}/{name}"
