"""A repository on a host with OpenSSH: who the host is, who we are, what it may refuse."""
import os
import subprocess
import sys

import pytest

from conftest import need_root, restored, same_tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
from sshd import Sshd  # noqa: E402

# What a login that may add and not take away is denied, as doc/stores.md has it; and one that may not even link.
APPEND_ONLY = "-P remove,posix-rename,rename,rmdir,setstat,fsetstat,lsetstat,symlink"
WITHOUT_LINKS = "-P remove,posix-rename,rename,hardlink,rmdir,setstat,fsetstat,lsetstat,symlink"


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with Sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server.up()


def init(hf, server, name, **kw):
    hf.env.update(server.env_for(**kw))
    hf.repo = server.url(name)
    return hf("init", "--new-key-file", f"{hf.base}/key", rc=None)


def test_an_unknown_host_is_refused(hf, host, base):
    failed = init(hf, host, "unknown", known_hosts=f"{base}/none")
    assert failed.rc == 1 and "host's key is not known" in failed.err
    assert not os.path.exists(f"{host.root}/unknown")


def test_a_host_with_another_key_is_refused(hf, host, base):
    host.keygen("other")
    with open(f"{host.path('other')}.pub") as f:
        kind, key, *_ = f.read().split()
    with open(f"{base}/known", "w") as f:
        f.write(f"[127.0.0.1]:{host.port} {kind} {key}\n")
    failed = init(hf, host, "changed", known_hosts=f"{base}/known")
    assert failed.rc == 1 and "another than the known one" in failed.err
    assert not os.path.exists(f"{host.root}/changed")


def test_a_key_that_the_host_does_not_take_is_named(hf, host):
    host.keygen("stranger")
    failed = init(hf, host, "stranger", key="stranger")
    assert failed.rc == 1 and "Permission denied" in failed.err and "authorized_keys" in failed.err


def test_a_key_of_the_agent_will_do(hf, host):
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", host.path("agent")], stdout=subprocess.DEVNULL)
    try:
        env = {**os.environ, "SSH_AUTH_SOCK": host.path("agent")}
        while subprocess.run(["ssh-add", "-q", host.path("id")], env=env, stderr=subprocess.DEVNULL).returncode:
            assert agent.poll() is None
        os.symlink(host.path("id.pub"), host.path("only.pub"))  # the public half is all that is named
        hf.env.update(SSH_AUTH_SOCK=host.path("agent"))
        assert init(hf, host, "agent", key="only.pub").rc == 0
    finally:
        agent.terminate()
        agent.wait()


def test_a_command_of_ones_own_takes_the_place_of_ssh(hf, host, base):
    """Quoted as a shell would, and what is added to it is never a shell's."""
    ssh = host.env_for()["PATH"].split(":")[0] + "/ssh"
    hf.env.update(HOLDFAST_SFTP_COMMAND=f"'{ssh}' -o 'BatchMode yes'")
    hf.repo = host.url("with $(touch x) spaces")
    hf("init", "--new-key-file", f"{hf.base}/key")
    assert os.path.exists(f"{host.root}/with $(touch x) spaces/config")


@pytest.mark.parametrize("url, rc, words", [
    ("sftp:host", 2, "path is missing"),
    ("sftp://host", 2, "path is missing"),
    ("sftp:-oProxyCommand=x:/a", 2, "host's name"),
    ("sftp://-oProxyCommand=x/a", 2, "host's name"),
    ("sftp:me:secret@host:/a", 2, "passwords do not belong"),
    ("sftp://me:secret@host/a", 2, "passwords do not belong"),
    ("sftp://host:0/a", 2, "not a port"),
    ("sftp://127.0.0.1:1/a", 1, "refused"),
    ("sftp:no-such-host.invalid:/a", 1, "resolve"),
])
def test_places_that_are_none(hf, url, rc, words):
    failed = hf("-r", url, "init", "--new-key-file", f"{hf.base}/key", rc=rc)
    assert words in failed.err and "secret" not in failed.err.replace(url, "")
    assert not os.path.exists(f"{hf.base}/key")


def test_a_folder_that_is_not_ours_is_named(hf, host):
    need_root()
    hf.env.update(host.env_for())
    hf.repo = f"sftp://{host.user}@127.0.0.1:{host.port}/proc/nothing"
    failed = hf("init", "--new-key-file", f"{hf.base}/key", rc=1)
    assert "make a folder" in failed.err


def test_a_full_disk_is_named_and_leaves_the_repository_whole(hf, host, tree, base, rng):
    need_root()
    os.makedirs(f"{host.root}/small")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "t", f"{host.root}/small"], check=True)
    try:
        assert init(hf, host, "small/repo").rc == 0
        hf.key_file = f"{hf.base}/key"
        tree.file("small", rng.randbytes(1 << 20))
        snapshot = hf.backup(tree.path)
        tree.file("large", rng.randbytes(8 << 20))
        failed = hf("backup", tree.path, rc=1)
        assert "full" in failed.err and "hint:" in failed.err
        hf("check", "--read-data")
        hf("restore", snapshot, "--target", base / "out")
        assert os.listdir(f"{host.root}/small/repo/tmp") == []
    finally:
        subprocess.run(["umount", f"{host.root}/small"], check=True)


@pytest.mark.parametrize("denied", [APPEND_ONLY, WITHOUT_LINKS], ids=["links", "no links"])
def test_a_login_that_may_only_add_makes_backups_and_cannot_take_them_away(hf, tmp_path_factory, host, tree, base, rng,
                                                                           denied):
    """The server denies what changes; files are made so that nobody may write to them."""
    name = f"kept{len(denied)}"
    assert init(hf, host, name).rc == 0
    hf.key_file = f"{hf.base}/key"
    tree.file("a", rng.randbytes(1 << 20))
    first = hf.backup(tree.path)
    with Sshd(tmp_path_factory.mktemp("append"), denied) as server:
        server.up()
        hf.env.update(server.env_for())
        hf.repo = server.url("x").replace(server.root, host.root)[:-1] + name
        tree.file("b", rng.randbytes(1 << 20))
        second = hf.backup(tree.path)
        hf("forget", first, "--now", rc=None)
        failed = hf("prune", "--exclusive", rc=None)
        assert failed.rc != 0
    hf.env.update(host.env_for())
    hf.repo = host.url(name)
    hf("check", "--read-data")
    hf("restore", second, "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def test_what_is_left_of_a_torn_upload_stops_nobody(hf, tmp_path_factory, tree, base, rng):
    """Where no name can be given, objects are written under their own: the connection ends in the middle of one."""
    from fault_proxy import FaultProxy
    with Sshd(tmp_path_factory.mktemp("torn"), WITHOUT_LINKS) as server:
        server.up()
        assert init(hf, server, "torn").rc == 0
        hf.key_file = f"{hf.base}/key"
        tree.file("a", rng.randbytes(12 << 20))
        with FaultProxy(server.port) as proxy:
            hf.repo = server.url("torn", proxy.port)
            proxy.reset_after = 6 << 20
            hf("backup", tree.path, rc=1, env={"HOLDFAST_RETRIES": "1"})
        hf.repo = server.url("torn")
        snapshot = hf.backup(tree.path)
        hf("restore", snapshot, "--target", base / "out")
        hf("check", "--read-data")
    same_tree(tree.path, restored(base / "out", tree.path))
