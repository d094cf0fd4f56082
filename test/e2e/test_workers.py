"""Several workers share a file's chunks; nobody can tell afterwards."""
import os

from conftest import same_tree


def test_a_large_file_is_cut_the_same_by_any_number_of_workers(repo, tree, base, rng):
    tree.file("big", rng.randbytes(45 << 20) + bytes(9 << 20) + rng.randbytes(3 << 20))
    tree.file("text", b"".join(b"line %d\n" % (i * i) for i in range(1 << 20)))
    repo.backup("--jobs", "4", tree.path)
    for jobs in ("1", "2", "7"):
        s = repo("--json", "backup", "--type", "full", "--jobs", jobs, tree.path).summary
        assert s["bytes_read"] == s["bytes"], s
        assert s["added_bytes"] < 4096, (jobs, s)  # the folders above may be other than they were
    repo("restore", f"latest:{os.fsdecode(tree.path)}", "--target", base / "out")
    same_tree(tree.path, base / "out")
