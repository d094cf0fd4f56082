"""swift_s3: OpenStack Swift with its S3 interface: real, and without conditional PUT, object lock or tags."""
import os
import shutil
import socket
import urllib.error
import urllib.request

from server import Server, free_port, listens, need_programs

ACCESS, SECRET = "test:tester", "SKTEST1234567890"

HASH = """
[swift-hash]
swift_hash_path_suffix = test
swift_hash_path_prefix = test
[storage-policy:0]
name = Policy-0
default = yes
"""

STORAGE = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {d}/etc
devices = {d}/srv
mount_check = false
disable_fallocate = true
log_address = /nonexistent
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""

FILTERS = {"catch_errors": "catch_errors", "gatekeeper": "gatekeeper", "healthcheck": "healthcheck",
           "cache": "memcache", "listing_formats": "listing_formats", "s3api": "s3api", "tempauth": "tempauth",
           "copy": "copy", "slo": "slo", "dlo": "dlo", "versioned_writes": "versioned_writes", "symlink": "symlink"}

OPTIONS = {"s3api": "s3_acl = false\nlocation = us-east-1", "tempauth": f"user_test_tester = {SECRET} .admin",
           "cache": "memcache_servers = 127.0.0.1:{memcache}",
           "versioned_writes": "allow_versioned_writes = true\nallow_object_versioning = true"}

PROXY = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {d}/etc
log_address = /nonexistent
[pipeline:main]
pipeline = {pipeline} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""


# Its programs want an address for localhost. Where the machine has none, they see an /etc of their own, with a hosts
# file in it, by a mount that nobody else sees and that ends with them.
OWN_ETC = """
mount -t tmpfs tmpfs "$1" && mkdir "$1/upper" "$1/work" && echo "127.0.0.1 localhost" > "$1/upper/hosts" &&
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc && shift && exec "$@"
"""


def localhost_resolves():
    try:
        return bool(socket.gethostbyname("localhost"))
    except OSError:
        return False


def unable():
    """Why this machine cannot run it, installed or not; or None."""
    if localhost_resolves() or (os.geteuid() == 0 and shutil.which("unshare")):
        return None
    return "localhost has no address here, which Swift needs, and only root can give it one"


class Swift(Server):
    def __init__(self, folder):
        need_programs("swift-proxy-server", "swift-account-server", "swift-container-server", "swift-object-server",
                      "swift-ring-builder", "memcached")
        super().__init__(folder, {"SWIFT_DIR": f"{folder}/etc"})
        self.port, self.ports = free_port(), []
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.user = os.environ.get("USER") or "root"
        self.own_etc = None if localhost_resolves() else self.path("own-etc")

    def start(self, name, *argv):
        if self.own_etc:
            os.makedirs(self.own_etc, exist_ok=True)
            argv = ("unshare", "--mount", "sh", "-c", OWN_ETC, "sh", self.own_etc, *argv)
        return super().start(name, *argv)

    def write(self, name, text):
        with open(self.path(f"etc/{name}"), "w") as f:
            f.write(text)

    def storage(self, name):
        port = free_port()
        self.ports.append(port)
        ring = self.path(f"etc/{name}.builder")
        self.write(f"{name}-server.conf", STORAGE.format(d=self.folder, name=name, port=port, user=self.user))
        self.run("swift-ring-builder", ring, "create", "4", "1", "1")
        self.run("swift-ring-builder", ring, "add", "--region", "1", "--zone", "1", "--ip", "127.0.0.1", "--port", port,
                 "--device", "d1", "--weight", "1")
        self.run("swift-ring-builder", ring, "rebalance")
        return name

    def up(self):
        for d in ("etc", "srv/d1"):
            os.makedirs(self.path(d))
        self.write("swift.conf", HASH)
        memcache = free_port()
        self.ports.append(memcache)
        proxy = PROXY.format(d=self.folder, port=self.port, user=self.user, pipeline=" ".join(FILTERS))
        for name, egg in FILTERS.items():
            proxy += f"[filter:{name}]\nuse = egg:swift#{egg}\n" + OPTIONS.get(name, "").format(memcache=memcache) + "\n"
        self.write("proxy-server.conf", proxy)
        names = [self.storage(n) for n in ("account", "container", "object")]
        self.start("memcached", "memcached", "-u", self.user, "-l", "127.0.0.1", "-p", memcache)
        for name in [*names, "proxy"]:
            self.start(name, "/usr/bin/python3", shutil.which(f"swift-{name}-server"),
                       self.path(f"etc/{name}-server.conf"), "-v")
        # The proxy is healthy before those behind it are there, and answers 503 until then.
        self.wait(lambda: all(map(listens, self.ports)) and self.healthy(), "swift")
        return self

    def healthy(self):
        try:
            return urllib.request.urlopen(f"{self.endpoint}/healthcheck", timeout=5).status == 200
        except (urllib.error.URLError, OSError):
            return False
