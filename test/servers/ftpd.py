"""ftpd: proftpd and vsftpd, each with TLS required and a certificate of the test's own."""
import getpass
import grp
import os

from server import Server, certificate, free_port, listens, need_programs

USER, PASSWORD = "alice", "a pass:word"
VSFTPD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "apart", "root", "usr", "sbin",
                      "vsftpd")

PROFTPD = """
ServerType standalone
DefaultServer on
ServerName t
Port {port}
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
User {user}
Group {group}
RootLogin on
DefaultRoot {d}/root
ModulePath /usr/lib/proftpd
PidFile {d}/pid
ScoreboardFile {d}/score
DelayTable none
UseReverseDNS off
TimesGMT on
WtmpLog off
SystemLog {d}/system.log
TransferLog none
AuthOrder mod_auth_file.c
AuthPAM off
RequireValidShell off
AuthUserFile {d}/passwd
AllowStoreRestart on
AllowRetrieveRestart on
AllowOverwrite on
MaxInstances 100
LoadModule mod_tls.c
TLSEngine {tls}
TLSRequired on
TLSRSACertificateFile {d}/rsa.pem
TLSRSACertificateKeyFile {d}/rsa.key
"""

VSFTPD_CONF = """
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
local_enable=NO
write_enable=YES
no_anon_password=YES
anon_root={d}/root
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_world_readable_only=NO
ftp_username=daemon
secure_chroot_dir={d}/empty
seccomp_sandbox=NO
ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
rsa_cert_file={d}/rsa.pem
rsa_private_key_file={d}/rsa.key
require_ssl_reuse=YES
"""


class Ftpd(Server):
    def __init__(self, folder):
        need_programs("openssl")
        super().__init__(folder)
        self.port = free_port()
        self.root = self.path("root")

    def certify(self):
        certificate(self)
        self.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                 "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.path("rsa.key"), "-out",
                 self.path("rsa.pem"))

    def trust(self):
        return {"HOLDFAST_CA_FILE": self.path("rsa.pem")}


class Proftpd(Ftpd):
    def up(self, tls=True):
        need_programs("proftpd")
        os.makedirs(self.root)
        self.certify()
        user, group = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
        with open(self.path("passwd"), "w") as f:
            hashed = self.run("openssl", "passwd", "-6", PASSWORD).strip()
            f.write(f"{USER}:{hashed}:{os.getuid()}:{os.getgid()}::{self.root}:/bin/false\n")
        os.chmod(self.path("passwd"), 0o600)
        with open(self.path("conf"), "w") as f:
            f.write(PROFTPD.format(port=self.port, d=self.folder, user=user, group=group, tls="on" if tls else "off"))
        self.start("proftpd", "/usr/sbin/proftpd", "-n", "-c", self.path("conf"))
        self.wait(lambda: listens(self.port), "proftpd")
        return self


class Vsftpd(Ftpd):
    """Its own users are the system's; so an anonymous login it is, below pub/."""

    def up(self):
        os.chmod(self.folder, 0o755)
        os.makedirs(f"{self.root}/pub")
        os.makedirs(self.path("empty"))
        os.chmod(f"{self.root}/pub", 0o777)
        self.certify()
        with open(self.path("conf"), "w") as f:
            f.write(VSFTPD_CONF.format(port=self.port, d=self.folder))
        self.start("vsftpd", VSFTPD, self.path("conf"))
        self.wait(lambda: listens(self.port), "vsftpd")
        return self
