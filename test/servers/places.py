"""places: each kind of store with its real server, in one table.

A place is made by make(folder): (server, url, env), where url(name, port=None) is that of the place `name` there, by
way of another port if one is given, and env is what holdfast needs to get in.
"""
import os
import shutil
import sys

import azurite
import ftpd
import postgres
import swift_s3
from ceph_rgw import ACCESS, SECRET, CephRgw
from gcs import Gcs
from moto_s3 import Moto
from nginx_dav import PASSWORD, USER, NginxDav
from s3 import Bucket
from server import Server
from sshd import Sshd


def s3(folder, lock=False):
    server = CephRgw(folder).up()
    Bucket(server.endpoint, "suite", ACCESS, SECRET).make(lock)
    env = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true"}
    return server, lambda name, port=None: f"s3:http://127.0.0.1:{port or server.port}/suite/{name}", env


def gcs_hmac(folder):
    """Google's XML API as its documentation has it, by the gateway: HMAC keys, version 4, the region "auto"."""
    server, url, env = s3(folder)
    return server, url, {**env, "AWS_REGION": "auto"}


def s3_lock(folder):
    """A bucket with object lock."""
    return s3(folder, lock=True)


def s3_cold(folder):
    """Packs go to an archive, of Moto's, which thaws at once what it is asked to."""
    server = Moto(folder).up()
    Bucket(server.endpoint, "suite", "AK", "SK").make()
    env = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK", "AWS_EC2_METADATA_DISABLED": "true",
           "HOLDFAST_S3_STORAGE_CLASS": "GLACIER"}
    return server, lambda name, port=None: f"s3:http://127.0.0.1:{port or server.port}/suite/{name}", env


def swift(folder):
    """A store without conditional PUT."""
    server = swift_s3.Swift(folder).up()
    Bucket(server.endpoint, "suite", swift_s3.ACCESS, swift_s3.SECRET).make()
    env = {"AWS_ACCESS_KEY_ID": swift_s3.ACCESS, "AWS_SECRET_ACCESS_KEY": swift_s3.SECRET,
           "AWS_EC2_METADATA_DISABLED": "true"}
    return server, lambda name, port=None: f"s3:{server.endpoint}/suite/{name}", env


def sftp(folder, options=""):
    server = Sshd(folder, options).up()
    return server, server.url, server.env_for()


def sftp_direct(folder):
    """A login that may make files and remove them, and give them no other name."""
    return sftp(folder, "-P hardlink,rename")


def sftp_rename(folder):
    """Not OpenSSH: no link, and a plain rename that replaces, as cloud gateways have it."""
    fake = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fake_sftp.py")
    os.makedirs(f"{folder}/root")
    return (Server(folder), lambda name, port=None: f"sftp:host:{folder}/root/{name}",
            {"HOLDFAST_SFTP_COMMAND": f"'{sys.executable}' '{fake}' no-hardlink rename-replaces"})


def azure(folder, sas=False):
    server = azurite.Azurite(folder).up().make("suite")
    env = {"AZURE_STORAGE_SAS_TOKEN": server.sas("suite", "rwdlc")} if sas else {"AZURE_STORAGE_KEY": azurite.KEY}

    def url(name, port=None):
        env.update(server.reached_by(port))
        return f"azure:{azurite.ACCOUNT}/suite/{name}"
    url("")
    return server, url, env


def azure_sas(folder):
    """With a shared access signature instead of the account's key."""
    return azure(folder, True)


def azure_cold(folder):
    """Packs go to the archive tier, which the emulator leaves at once when it is asked to."""
    server, url, env = azure(folder)
    return server, url, {**env, "HOLDFAST_AZURE_TIER": "Archive"}


def webdav(folder):
    server = NginxDav(folder).up()
    return (server, lambda name, port=None: f"webdav://{USER}@127.0.0.1:{port or server.port}/dav/{name}",
            {"HOLDFAST_WEBDAV_PASSWORD": PASSWORD})


def webdavs(folder):
    """With TLS, by a certificate of the test's own."""
    server = NginxDav(folder, tls=True).up()
    return (server, lambda name, port=None: f"webdavs://{USER}@localhost:{port or server.port}/dav/{name}",
            {"HOLDFAST_WEBDAV_PASSWORD": PASSWORD, "HOLDFAST_CA_FILE": server.path("cert.pem")})


def gcs(folder):
    """Not Google's: a server of the test's own."""
    server, env = Gcs(folder, "drop").up(), {}

    def url(name, port=None):
        env.update(server.reached_by(port))
        return f"gcs:suite/{name}"
    url("")
    return server, url, env


def proftpd(folder):
    server = ftpd.Proftpd(folder).up()
    return (server, lambda name, port=None: f"ftp://{ftpd.USER}@127.0.0.1:{port or server.port}/{name}",
            {"HOLDFAST_FTP_PASSWORD": ftpd.PASSWORD, **server.trust()})


def vsftpd(folder):
    """Which has no MLSD, and insists that data go by the session of the control connection."""
    server = ftpd.Vsftpd(folder).up()
    return server, lambda name, port=None: f"ftp://127.0.0.1:{port or server.port}/pub/{name}", server.trust()


def postgresql(folder):
    server = postgres.Postgres(folder).up()
    return server, lambda name, port=None: server.url(), {"PGPASSWORD": postgres.PASSWORD}


PLACES = {
    "s3": (s3, ["ceph-mon", "ceph-osd", "radosgw"]),
    "gcs-hmac": (gcs_hmac, ["ceph-mon", "ceph-osd", "radosgw"]),
    "s3-lock": (s3_lock, ["ceph-mon", "ceph-osd", "radosgw"]),
    "s3-cold": (s3_cold, ["moto_server"]),
    "swift": (swift, ["swift-proxy-server", "swift-object-server", "memcached"]),
    "sftp": (sftp, ["sshd", "ssh"]),
    "sftp-direct": (sftp_direct, ["sshd", "ssh"]),
    "sftp-rename": (sftp_rename, []),
    "azure": (azure, [azurite.PROGRAM]),
    "azure-sas": (azure_sas, [azurite.PROGRAM]),
    "azure-cold": (azure_cold, [azurite.PROGRAM]),
    "proftpd": (proftpd, ["proftpd", "openssl"]),
    "vsftpd": (vsftpd, [ftpd.VSFTPD, "openssl"]),
    "gcs": (gcs, ["openssl"]),
    "postgresql": (postgresql, [f"{postgres.programs()}/postgres"]),
    "webdav": (webdav, ["nginx"]),
    "webdavs": (webdavs, ["nginx", "openssl"]),
}


def missing(name):
    """The programs that are not installed."""
    return [p for p in PLACES[name][1] if shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None]


def unable(name):
    """Why the machine cannot run it, installed or not; or None."""
    return swift_s3.unable() if name == "swift" else None
