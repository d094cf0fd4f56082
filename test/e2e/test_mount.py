"""A repository on a disk that can be unplugged: an unmounted one is never filled underneath."""
import os
import subprocess

import pytest

from conftest import need_root


@pytest.fixture
def disk(base):
    """A folder to mount on, and what mounts and unmounts it."""
    need_root()
    where = base / "mnt"
    where.mkdir()

    def mount(on=True):
        if on:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "t", where], check=True)
        else:
            subprocess.run(["umount", where], check=True)
    yield where, mount
    subprocess.run(["umount", where], stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("place", ["", "/backup/main"])
@pytest.mark.parametrize("how", ["mount", "marker"])
def test_a_disk_that_is_not_mounted_is_not_filled_underneath(hf, base, disk, tree, how, place):
    where, mount = disk
    tree.file("a", b"1")
    hf.repo, key = f"{where}{place}", f"{base}/key"
    hf.env[f"HOLDFAST_FS_{how.upper()}"] = str(where) if how == "mount" else f"{where}/../mnt/keys"
    failed = hf("init", "--new-key-file", key, rc=1)
    assert "mounted" in failed.err and "hint:" in failed.err
    assert os.listdir(where) == []
    mount()
    (where / "keys").mkdir()  # a marker by any name; this one may be in a repository's folder
    if os.path.exists(key):
        os.unlink(key)
    hf("init", "--new-key-file", key)
    hf.key_file = key
    hf.backup(tree.path)
    hf("check")
    mount(False)
    failed = hf("backup", tree.path, rc=1)
    assert "mounted" in failed.err and os.listdir(where) == []


def test_a_repository_beside_the_disk_is_not_on_it(hf, base, disk):
    where, mount = disk
    mount()
    hf.repo = f"{base}/beside"
    hf.env["HOLDFAST_FS_MOUNT"] = str(where)
    failed = hf("init", "--new-key-file", f"{base}/key", rc=1)
    assert "not on" in failed.err and not os.path.exists(hf.repo)
