"""A repository on an FTP server: TLS is required, logins and certificates are checked, a full disk is named."""
import os
import socket
import subprocess
import sys

import pytest

from conftest import need_root, restored, same_tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
from fake_ftp import FakeFtp  # noqa: E402
from ftpd import PASSWORD, USER, Proftpd  # noqa: E402


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Proftpd(tmp_path_factory.mktemp("proftpd")) as s:
        yield s.up()


def init(hf, server, place, rc=0, user=USER, **env):
    hf.repo = f"ftp://{user}@127.0.0.1:{server.port}/{place}"
    hf.env.update(HOLDFAST_FTP_PASSWORD=PASSWORD, HOLDFAST_RETRIES="2", **server.trust())
    hf.env.update(env)
    result = hf("init", "--new-key-file", f"{hf.base}/key", rc=rc)
    if rc == 0:
        hf.key_file = f"{hf.base}/key"
    return result


def test_a_backup_comes_back(hf, server, tree, base, rng):
    tree.every_kind()
    tree.file("large", rng.randbytes(5 << 20))
    init(hf, server, "story/main")
    snapshot = hf.backup(tree.path)
    hf("check", "--read-data")
    hf("restore", snapshot, "--target", base / "out")
    same_tree(tree.path, restored(base / "out", tree.path))


def test_a_wrong_login_is_told_and_not_shown(hf, server):
    failed = init(hf, server, "x", 1, HOLDFAST_FTP_PASSWORD="wr0ng")
    assert "HOLDFAST_FTP_PASSWORD" in failed.err and "wr0ng" not in failed.err
    assert not os.path.exists(f"{server.root}/x")


def test_a_certificate_that_is_not_trusted_is_refused(hf, server):
    assert "HOLDFAST_CA_FILE" in init(hf, server, "y", 1, HOLDFAST_CA_FILE="").err
    assert not os.path.exists(f"{server.root}/y")


def test_without_tls_no_password_is_sent_unless_told_to(hf, tmp_path_factory):
    with Proftpd(tmp_path_factory.mktemp("plain")) as plain:
        plain.up(tls=False)
        failed = init(hf, plain, "z", 1)
        assert "TLS" in failed.err and "HOLDFAST_FTP_PLAIN" in failed.err
        with open(plain.path("system.log")) as f:
            assert USER not in f.read()
        init(hf, plain, "z", HOLDFAST_FTP_PLAIN="true")


def test_a_full_disk_is_named_and_harms_nothing(hf, server, tree, rng):
    need_root()
    small = f"{server.root}/small"
    os.makedirs(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "t", small], check=True)
    try:
        init(hf, server, "small/repo")
        tree.file("a", rng.randbytes(1 << 20))
        hf.backup(tree.path)
        tree.file("b", rng.randbytes(8 << 20))
        failed = hf("backup", tree.path, rc=1)
        assert "full" in failed.err and "hint:" in failed.err
        hf("check", "--read-data")
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize("url, words", [
    ("ftp:", "host"), ("ftp://", "host"), ("ftps://me:secret@host/x", "passwords do not belong")])
def test_places_that_are_none(hf, url, words):
    failed = hf("-r", url, "init", "--new-key-file", f"{hf.base}/key", rc=2)
    assert words in failed.err and not os.path.exists(f"{hf.base}/key")


# ---- A server of the test's own (fake_ftp), for what real ones do only in odd moments or on other systems.

@pytest.fixture
def fake(hf, base):
    with FakeFtp(base / "served") as server:
        hf.repo = f"ftp://{USER}@127.0.0.1:{server.port}/repo"
        hf.env.update(HOLDFAST_FTP_PASSWORD=PASSWORD, HOLDFAST_FTP_PLAIN="true", HOLDFAST_RETRIES="1")
        hf("init", "--new-key-file", f"{hf.base}/key")
        hf.key_file = f"{hf.base}/key"
        yield server


@pytest.mark.parametrize("mlsd", [True, False])
def test_a_folder_that_is_not_listed_is_not_taken_for_empty(hf, fake, tree, mlsd):
    tree.file("a", b"precious")
    hf.backup(tree.path)
    fake.mlsd = mlsd
    os.makedirs(f"{fake.root}/repo/marks", exist_ok=True)
    for kind in ("snapshots", "index", "marks", "packs"):
        fake.answer = lambda verb, path: "550 no" if verb in ("MLSD", "LIST") and f"repo/{kind}" in path else None
        failed = hf("prune", "--exclusive", rc=1)
        assert "does not list the folder" in failed.err and f"repo/{kind}" in failed.err and "hint:" in failed.err
    fake.answer = lambda verb, path: None
    hf("check", "--read-data")


def test_a_line_that_is_not_understood_is_not_passed_over(hf, fake, tree):
    tree.file("a", b"precious")
    hf.backup(tree.path)
    fake.mlsd = False
    fake.listing = lambda folder, lines: [li.split()[-1] for li in lines]
    for command in (["prune", "--exclusive"], ["snapshots"]):
        failed = hf(*command, rc=1)
        assert "not understood" in failed.err and "hint:" in failed.err
    fake.listing = lambda folder, lines: lines
    hf("check", "--read-data")


def test_lists_of_other_systems_do(hf, fake, tree):
    """DIR of DOS, and owners of several words; the times are asked for one by one."""
    fake.mlsd = False
    tree.file("a", b"precious")
    hf.backup(tree.path)
    fake.listing = lambda folder, lines: [li.replace(" a b ", " J. R. Smith Domain Users ") for li in lines]
    hf("check", "--read-data")

    def dos(line):
        kind, *_, size, _, _, _, name = line.split()
        return f"11-21-26  02:00PM  {'<DIR>' if kind[0] == 'd' else size:>14} {name}"
    fake.listing = lambda folder, lines: [dos(li) for li in lines]
    hf("check", "--read-data")
    hf("prune", "--exclusive")
    assert len(os.listdir(f"{fake.root}/repo/snapshots")) == 1


def test_no_proxy_hears_the_login(hf, fake, tree):
    """One of HTTP would be told user and password in clear, TLS or not."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.1)
        where = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        hf.backup(tree.path, env={"ftp_proxy": where, "all_proxy": where, "ALL_PROXY": where}, timeout=120)
        with pytest.raises(TimeoutError):
            proxy.accept()


def test_a_byte_now_and_then_is_no_answer(hf, fake, tree):
    tree.file("a", b"precious")
    hf.backup(tree.path)
    fake.pace = 0.2
    failed = hf("snapshots", "--no-cache", rc=1, env={"HOLDFAST_REQUEST_TIMEOUT": "500ms"}, timeout=120)
    assert "timed out" in failed.err.lower()


@pytest.mark.parametrize("code", [452, 552])
def test_a_server_that_says_it_is_full_is_believed(hf, fake, tree, code):
    tree.file("a", b"precious")
    fake.answer = lambda verb, path: f"{code} no room" if verb == "STOR" else None
    failed = hf("backup", tree.path, rc=1, timeout=120)
    assert "full" in failed.err and "hint:" in failed.err
    fake.answer = lambda verb, path: None
    hf.backup(tree.path)
    hf("check", "--read-data")


def test_two_clocks_are_refused_before_there_is_a_repository(hf, base):
    with FakeFtp(base / "served") as server:
        hf.repo = f"ftp://{USER}@127.0.0.1:{server.port}/repo"
        hf.env.update(HOLDFAST_FTP_PASSWORD=PASSWORD, HOLDFAST_FTP_PLAIN="true", HOLDFAST_RETRIES="1")
        server.shift = -3600
        failed = hf("init", "--new-key-file", f"{base}/key", rc=1)
        assert "differ by 3600 s" in failed.err and "TimesGMT" in failed.err
        assert not os.path.exists(f"{base}/key") and os.listdir(f"{server.root}/repo") == ["tmp"]
        assert os.listdir(f"{server.root}/repo/tmp") == []
        server.shift = 0
        hf("init", "--new-key-file", f"{base}/key")
