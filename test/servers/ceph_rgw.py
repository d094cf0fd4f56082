"""ceph_rgw: S3 as Ceph's RADOS gateway speaks it: one monitor, one OSD in memory, one gateway, no system-wide file."""
import json
import uuid

from server import Server, free_port, listens, need_programs

ACCESS, SECRET = "AKTEST", "SKTEST1234567890"

CONF = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}/0]
mon initial members = a
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind msgr1 = false
keyring = {d}/keyring
run dir = {d}
admin socket = {d}/$name.asok
log file = {d}/$name.ceph-log
pid file =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail warn = 1
mon data avail crit = 1
mon tick interval = 1
paxos propose interval = 0.05
paxos min wait = 0.01
osd crush chooseleaf type = 0
osd crush update on start = false
osd objectstore = memstore
memstore device bytes = 3221225472
osd memory target = 939524096
[mon.a]
mon data = {d}/mon
[osd.0]
osd data = {d}/osd
[client.rgw]
rgw data = {d}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw enable usage log = false
rgw dns name = localhost
"""


class CephRgw(Server):
    def __init__(self, folder):
        need_programs("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "ceph-authtool", "monmaptool")
        super().__init__(folder, {"CEPH_CONF": f"{folder}/ceph.conf"})
        self.port, self.mon_port = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.env["PATH"] += ":/usr/sbin:/sbin"

    def up(self, classes=()):
        """classes: names of storage classes, which are read at once whatever they are called."""
        fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        keyring = self.path("keyring")
        with open(self.path("ceph.conf"), "w") as f:
            f.write(CONF.format(d=self.folder, fsid=fsid, port=self.port, mon_port=self.mon_port))
        self.run("mkdir", "-p", self.path("mon"), self.path("osd"), self.path("rgw"))
        self.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{self.mon_port}/0]",
                 self.path("monmap"))
        self.run("ceph-authtool", "-C", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self.run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", "--cap", "mon", "allow *", "--cap", "osd",
                 "allow *", "--cap", "mgr", "allow *")
        self.run("ceph-authtool", keyring, "--gen-key", "-n", "client.rgw", "--cap", "mon", "allow *", "--cap", "osd",
                 "allow *")
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", self.path("monmap"), "--keyring", keyring)
        self.start("mon", "ceph-mon", "-f", "-i", "a")
        self.wait(lambda: self.run("ceph", "--connect-timeout", "2", "mon", "stat", check=False), "the monitor")
        self.run("ceph", "osd", "new", osd, "0")
        self.run("ceph", "auth", "get-or-create", "osd.0", "mon", "allow profile osd", "osd", "allow *", "-o",
                 self.path("osd.key"))
        with open(self.path("osd.key")) as key, open(keyring, "a") as ring:
            ring.write(key.read())
        self.run("ceph", "osd", "crush", "add", "osd.0", "1", "host=h", "root=default")
        self.run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osd)
        self.start("osd", "ceph-osd", "-f", "-i", "0")
        self.wait(lambda: "1 up" in (self.run("ceph", "osd", "stat", check=False) or ""), "the OSD")
        if classes:
            self.run("radosgw-admin", "-n", "client.rgw", "user", "list")  # makes the default zone
        for name in classes:
            admin = ("radosgw-admin", "-n", "client.rgw")
            where = ("--placement-id", "default-placement", "--storage-class", name)
            self.run(*admin, "zonegroup", "placement", "add", "--rgw-zonegroup", "default", *where)
            self.run(*admin, "zone", "placement", "add", "--rgw-zone", "default", *where, "--data-pool",
                     f"default.rgw.{name.lower()}.data")
        self.start("rgw", "radosgw", "-f", "-n", "client.rgw")
        self.wait(lambda: listens(self.port), "the gateway")
        self.user("t", ACCESS, SECRET)
        return self

    def user(self, name, access, secret):
        """Another user of the gateway, with keys of its own."""
        out = self.run("radosgw-admin", "-n", "client.rgw", "user", "create", f"--uid={name}", f"--display-name={name}",
                       f"--access-key={access}", f"--secret-key={secret}")
        return json.loads(out[out.index("{"):])
