"""A folder of many thousand names is kept in slices; nobody may notice but by the speed."""
import os
import shutil
import subprocess

import pytest

FILES = 9_000


@pytest.fixture
def folder(tree):
    for i in range(FILES):
        tree.file(f"folder/name-{i:05}", f"file {i}")
    tree.file("folder/name-04000.d/inside", "x" * 1000)
    long_ago = 1_600_000_000
    os.utime(tree.at("folder"), (long_ago, long_ago))
    return tree.at("folder").decode()


def backup(hf, folder):
    return hf("--json", "backup", folder).summary


def settle(folder):
    """Nothing counts as touched just now: what changes next is all that is read."""
    subprocess.run(["sleep", "1.1"], check=True)


def test_an_unchanged_one_is_not_read_and_adds_nothing(hf, repo, folder):
    backup(hf, folder)
    settle(folder)
    backup(hf, folder)
    again = backup(hf, folder)
    assert (again["files_unchanged"], again["bytes_read"]) == (FILES + 1, 0)
    assert again["added_bytes"] < 4096  # the folders above may be anybody's


def test_names_that_come_and_go_cost_their_neighbours_at_most(hf, repo, folder, base):
    backup(hf, folder)
    settle(folder)
    backup(hf, folder)
    os.unlink(f"{folder}/name-00500")
    os.rename(f"{folder}/name-07000", f"{folder}/name-02500-new")
    with open(f"{folder}/name-05001", "w") as f:
        f.write("changed")
    with open(f"{folder}/name-04000.d/inside", "w") as f:
        f.write("changed too")
    changed = backup(hf, folder)
    # Even where an end of a slice was hit, two slices are all that is read again.
    assert changed["files_unchanged"] > FILES - 2 * 4096, changed
    assert changed["added_bytes"] < 400_000, changed
    # Without a cache everything is read, and becomes the same blobs.
    shutil.rmtree(hf.env["HOLDFAST_CACHE_DIR"])
    assert backup(hf, folder)["added_bytes"] < 4096
    hf("restore", f"latest:{folder}", "--target", base / "out")
    assert subprocess.run(["diff", "-r", folder, base / "out"]).returncode == 0
    hf.check_clean()


def test_one_that_shrinks_and_changes_kind_comes_back_as_it_is(hf, repo, folder, base):
    backup(hf, folder)
    shutil.rmtree(f"{folder}/name-04000.d")
    os.symlink("name-00001", f"{folder}/name-04000.d")
    for i in range(0, FILES, 3):
        os.unlink(f"{folder}/name-{i:05}")
    shrunk = backup(hf, folder)
    assert shrunk["files"] == len(os.listdir(folder)) - 1 and shrunk["others"] == 1
    hf("restore", f"latest:{folder}", "--target", base / "out")
    assert subprocess.run(["diff", "-r", "--no-dereference", folder, base / "out"]).returncode == 0
