"""A repository on a WebDAV server: logins, certificates, and what a server may refuse."""
import os
import shutil
import subprocess
import sys

import pytest

from conftest import need_root

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
from fault_proxy import FaultProxy  # noqa: E402
from nginx_dav import PASSWORD, USER, NginxDav  # noqa: E402


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "tls"])
def server(request, tmp_path_factory):
    with NginxDav(tmp_path_factory.mktemp("nginx"), request.param) as s:
        yield s.up()


def init(hf, server, place, rc=0, user=USER, host="localhost", **env):
    hf.repo = f"webdav{'s' if server.tls else ''}://{user}@{host}:{server.port}/{place}"
    hf.env.update(HOLDFAST_WEBDAV_PASSWORD=PASSWORD, HOLDFAST_CA_FILE=server.path("cert.pem") if server.tls else "")
    hf.env.update(env)
    result = hf("init", "--new-key-file", f"{hf.base}/key", rc=rc)
    if rc == 0:
        hf.key_file = f"{hf.base}/key"
    return result


def test_a_wrong_login_is_told_and_not_shown(hf, server):
    failed = init(hf, server, "dav/x", 1, HOLDFAST_WEBDAV_PASSWORD="wr0ng")
    assert "HOLDFAST_WEBDAV_PASSWORD" in failed.err and "wr0ng" not in failed.err
    assert "hint:" in init(hf, server, "dav/x", 1, user="nobody").err
    assert not os.path.exists(server.path("root/dav/x"))


def test_a_password_may_be_in_a_file(hf, server, base):
    (base / "pw").write_text(PASSWORD + "\nand more\n")
    init(hf, server, "dav/by file", HOLDFAST_WEBDAV_PASSWORD="", HOLDFAST_WEBDAV_PASSWORD_FILE=f"{base}/pw")
    assert os.path.exists(server.path("root/dav/by file/config"))


def test_a_certificate_that_is_not_trusted_is_refused(hf, server):
    if not server.tls:
        pytest.skip("without TLS there is none")
    assert "HOLDFAST_CA_FILE" in init(hf, server, "dav/y", 1, HOLDFAST_CA_FILE="").err
    os.rename(server.path("cert.pem"), server.path("kept.pem"))
    assert init(hf, server, "dav/y", None).rc != 0
    os.rename(server.path("kept.pem"), server.path("cert.pem"))
    assert not os.path.exists(server.path("root/dav/y"))


def test_http_2_is_spoken_where_it_is_offered(hf, server, tree):
    tree.file("a", os.urandom(3000000))
    init(hf, server, "dav/two")
    hf("backup", tree.path)
    hf("restore", "latest", "--target", f"{hf.base}/out", "--verify")
    with open(server.path("access.log"), encoding="utf-8") as f:
        spoken = {line.split('"')[1].split()[-1] for line in f if "/dav/two/" in line}
    assert spoken == {"HTTP/2.0" if server.tls else "HTTP/1.1"}


def test_a_folder_that_is_no_webdav_is_named(hf, server):
    failed = init(hf, server, "read-only/x", 1)
    assert "WebDAV" in failed.err


def test_a_full_disk_ends_the_backup_and_harms_nothing(hf, server, tree, rng):
    need_root()
    small = server.path("root/dav/small")
    os.makedirs(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "t", small], check=True)
    try:
        init(hf, server, "dav/small/repo")
        tree.file("a", rng.randbytes(1 << 20))
        hf.backup(tree.path)
        tree.file("b", rng.randbytes(8 << 20))
        hf.env.update(HOLDFAST_RETRIES="1")
        failed = hf("backup", tree.path, rc=1)
        assert "500" in failed.err or "507" in failed.err
        hf.check_clean()
        assert shutil.disk_usage(small).free == 0
        hf("prune", "--exclusive")
        assert os.listdir(f"{small}/repo/tmp") == [] and shutil.disk_usage(small).free > 2 << 20
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize("url, words", [
    ("webdav:", "host"), ("webdav://", "host"), ("webdavs://me:secret@host/x", "passwords do not belong"),
    ("dav:host/x", "host")])
def test_places_that_are_none(hf, url, words):
    failed = hf("-r", url, "init", "--new-key-file", f"{hf.base}/key", rc=2)
    assert words in failed.err and not os.path.exists(f"{hf.base}/key")


def test_who_lost_the_race_for_a_name_is_told(hf, server, base):
    """nginx looks and then renames: of two at one moment the later one's stays, whatever it told both."""
    if server.tls:
        pytest.skip("there is nothing to see")
    config, moving = server.path("root/dav/race/config"), []

    def meddle(data, from_client):
        if from_client:
            moving[:] = [1] * (data.startswith(b"MOVE ") and b"/dav/race/config" in data)
        elif moving:
            size = os.path.getsize(config)
            with open(config, "wb") as f:
                f.write(bytes(size))
    with FaultProxy(server.port) as proxy:
        proxy.watch = meddle
        hf.repo = f"webdav://{USER}@localhost:{proxy.port}/dav/race"
        hf.env.update(HOLDFAST_WEBDAV_PASSWORD=PASSWORD)
        failed = hf("init", "--new-key-file", f"{base}/key", rc=1)
    assert "another was put at the same time" in failed.err and not os.path.exists(f"{base}/key")
