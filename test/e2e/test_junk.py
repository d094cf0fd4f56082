"""Junk in a repository's folders, put there by a write key's holder or whoever can write to the store: whom it
stops, and what clears it."""
import os
import shutil
import sys

import pytest

from conftest import ROOT, restored, same_tree

sys.path.insert(0, os.path.join(ROOT, "test/golden"))
import write_repo  # noqa: E402

rr, varint = write_repo.rr, write_repo.varint
TYPES = {"index": rr.INDEX, "snapshots": rr.SNAPSHOT, "marks": rr.MARK}


@pytest.fixture
def used(repo, tree):
    """Two snapshots, of which the first is forgotten and due: there is something to prune. .kept is the other."""
    tree.file("old", os.urandom(400_000))
    first = repo.backup(tree.path)
    os.unlink(tree.at("old"))
    tree.file("new", os.urandom(300_000))
    repo.kept = repo.backup(tree.path)
    repo("forget", "--now", first)
    return repo


@pytest.fixture
def thief(used):
    """What makes objects with a write key that was stolen."""
    path = used.base + "/thief.key"
    used("key", "add", "--role", "write", "--label", "stolen", "--new-key-file", path)
    return lambda: write_repo.Forger(used.repo, path)


def whole(used, tree, base):
    used("restore", used.kept, "--target", base / "out")
    same_tree(restored(base / "out", tree.path), tree.path)


def told(run, names):
    text = run.err + run.out
    assert all(n[:16] in text for n in names), (names, run)


@pytest.mark.parametrize("folder", TYPES)
def test_junk_of_the_right_name_stops_nobody(used, thief, tree, base, folder):
    """It is as it was put, and no such object: no repair, no newer config could make it one."""
    forger, kind = thief(), TYPES[folder]
    head = b"HOLDFAST" + rr.VER + bytes([kind])
    key = forger.own.id, forger.own.index_key
    rubbish = [b"", b"junk", os.urandom(5000), head, head + b"\0\0" + os.urandom(300), head + b"\2\0" + os.urandom(264)]
    if folder == "index":  # by its own key, and nonsense
        rubbish.append(forger.envelope(kind, [], [(6, *key, os.urandom(100)), (11, *key, None)]))
    if folder == "snapshots":
        # What it signed rightly is no junk, whatever it says: golden/test_later_versions.py.
        signed = forger.envelope(kind, [forger.sealed[2], forger.sealed[1]], [
            (7, *forger.run[2], b"{}"), (8, *forger.run[1], b"{}"), (11, *forger.run[2], None)])
        rubbish.append(signed[:-1] + bytes([signed[-1] ^ 1]))
    names = [forger.put(folder, junk).hex() for junk in rubbish]
    with open(f"{used.repo}/{folder}/README", "wb") as f:
        f.write(b"hello")
    used.backup(tree.path)
    packs = set(used.objects("packs"))
    told(used("check", rc=20), names)
    r = used("prune", "--exclusive", rc=3)
    assert f"passed over {len(names)} objects" in r.err and "holdfast repair" in r.err, r
    assert len(set(used.objects("packs")) & packs) < len(packs), "what nothing needs went"
    whole(used, tree, base)
    if folder == "marks":
        assert not [n for n in names if os.path.exists(f"{used.repo}/marks/{n}")], "prune removed them"
    else:
        used("repair", rc=3 if folder == "snapshots" else 0)
    used("prune", "--exclusive")
    used.check_clean()
    assert os.path.exists(f"{used.repo}/{folder}/README"), "what is no object of ours is left alone"


@pytest.mark.parametrize("folder", ["index", "snapshots", "marks", "notes", "keys", "packs"])
def test_an_object_of_another_version_stops_no_backup(used, thief, tree, folder):
    """config says what version its objects are of."""
    data = b"HOLDFAST\x09" + bytes([1]) + os.urandom(400)
    ident = thief().put(folder, data).hex()
    if folder == "notes":
        os.rename(f"{used.repo}/notes/{ident}", f"{used.repo}/notes/{used.kept}.{ident}")
    used.backup(tree.path)
    assert used("snapshots", rc=None).rc in (0, 3)
    r = used("check", rc=None)
    assert r.rc in (3, 20) or folder == "packs", r
    r = used("prune", "--exclusive", rc=None)
    assert r.rc in (0, 3) or folder == "snapshots" and "--drop-foreign" in r.err, r


def test_a_damaged_snapshot_stops_prune_and_the_hint_says_what_clears_it(used, tree):
    victim = f"{used.repo}/snapshots/{used.kept}"
    with open(victim, "r+b") as f:
        f.seek(300)
        byte = f.read(1)[0]
        f.seek(300)
        f.write(bytes([byte ^ 1]))
    before = used.objects("packs")
    r = used("prune", "--exclusive", rc=20)
    assert "repair snapshots" in r.err and used.objects("packs") == before, r
    used("repair", "snapshots", rc=3)
    used("prune", "--exclusive")
    assert used.objects("packs") != before


def test_nobodys_snapshot_stops_prune_and_the_hint_says_what_clears_it(used, hf, tree, base):
    """It could be of a writer whom a newer config knows: only somebody who knows better may have it removed."""
    os.mkdir(base / "second")
    other = type(hf)(base / "second").init()
    alien = other.backup(tree.path)
    for folder in ("snapshots", "index"):
        for path in other.objects(folder):
            shutil.copy(path, f"{used.repo}/{folder}")
    before = used.objects("packs")
    r = used("prune", "--exclusive", rc=20)
    assert "repair snapshots --drop-foreign" in r.err and used.objects("packs") == before, r
    r = used("repair", rc=1)
    assert "repair snapshots --drop-foreign" in r.err and os.path.exists(f"{used.repo}/snapshots/{alien}"), r
    used("repair", "snapshots", "--drop-foreign", "--dry-run", rc=3)
    assert os.path.exists(f"{used.repo}/snapshots/{alien}")
    used("repair", "snapshots", "--drop-foreign", rc=3)
    used("prune", "--exclusive")
    used.check_clean()
    whole(used, tree, base)


def test_nonsense_in_a_pack_stops_the_repacking_of_no_other(used, thief, tree, base):
    """A frame that cannot be decompressed, in use, in a pack that is mostly not."""
    forger = thief()
    lie = forger.add(rr.CONTENT, b"x" * 1000, codec=1, stored=b"no zstd")
    forger.add(rr.CONTENT, os.urandom(1 << 20))
    entry = b"\1\0" + varint(1) + b"f" + varint(0o644) + b"\0\0\0\0" + varint(1000)
    forger.commit(forger.directory([(entry, b"\2" + varint(1) + lie)]))
    packs = set(used.objects("packs"))
    r = used("prune", "--exclusive", "--max-unused", "0", rc=3)
    assert "stolen" in r.err and "it stays as it is" in r.err, r
    assert len(set(used.objects("packs")) & packs) < len(packs), "what nothing needs went"
    whole(used, tree, base)


@pytest.mark.parametrize("tree_of", ["files", "nothing"])
def test_a_claim_on_others_packs_keeps_none_of_them(used, thief, tree, base, tree_of):
    """An index says that the thief's blobs lie in everybody's packs; a snapshot needs them, or cannot be walked."""
    forger, packs = thief(), used.objects("packs") + used.objects("meta")
    ids = [os.urandom(32) for _ in packs]
    entry = b"\1\0" + varint(1) + b"f" + varint(0o644) + b"\0\0\0\0" + varint(12 * len(ids))
    root = forger.directory([(entry, b"\2" + varint(len(ids)) + b"".join(ids))])
    forger.commit(root if tree_of == "files" else os.urandom(32))
    payload = write_repo.IN_TIME + varint(1) + forger.sealed[1] + varint(len(packs))
    for path, ident in zip(packs, ids):
        kind = rr.META_PACK if "/meta/" in path else rr.CONTENT_PACK
        frame = varint(1) + bytes([1, 0, 0]) + varint(60) + varint(12) + varint(1) + ident + varint(12)
        payload += bytes.fromhex(os.path.basename(path)) + bytes([kind]) + varint(os.path.getsize(path))
        payload += varint(144) + varint(1) + varint(0) + frame
    own = forger.own.id, forger.own.index_key
    forger.put("index", forger.envelope(rr.INDEX, [], [(6, *own, payload), (11, *own, None)]))
    used("prune", "--exclusive", rc=None)
    assert len([p for p in packs if not os.path.exists(p)]) > 0, "what nothing of its own domain needs went"
    whole(used, tree, base)


@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_lie_about_a_packs_size_is_not_signed_by_who_prunes(used, thief, tree, wrong):
    forger = thief()
    forger.commit(forger.directory([]))
    pack = next(f.pack for f, _, _ in thief().blobs.values())
    size = os.path.getsize(os.path.join(os.fsencode(used.repo), pack))
    frame = varint(1) + bytes([3, 0, 0]) + varint(60) + varint(12) + varint(1) + os.urandom(32) + varint(12)
    one = lambda ident, n: ident + bytes([rr.META_PACK]) + varint(n) + varint(144) + varint(1) + varint(0) + frame
    # The second is not there: so prune writes the index anew.
    payload = write_repo.IN_TIME + varint(1) + forger.sealed[2] + varint(2) + one(bytes.fromhex(pack[-64:].decode()), size + wrong)
    payload += one(os.urandom(32), 10_000)
    own = forger.own.id, forger.own.index_key
    forger.put("index", forger.envelope(rr.INDEX, [], [(6, *own, payload), (11, *own, None)]))
    used("prune", "--exclusive", rc=None)
    r = used("check", rc=None)
    full = write_repo.Forger(used.repo, used.key_file).signer.hex()[:8]
    assert f"signed by {full}" not in r.err and "index says" not in r.err, r


@pytest.mark.parametrize("wrong", ["junk", "another's", "damaged"])
def test_a_note_of_nobodys_making_keeps_no_snapshot_for_ever(used, tree, wrong):
    """Whoever can write to the store can put one, without any key."""
    first = next(s for s in (os.path.basename(p) for p in used.objects("snapshots")) if s != used.kept)
    if wrong == "another's":  # a good note, under the name of another snapshot
        used("tag", "--add", "x", used.kept)
        path = next(n for n in used.objects("notes") if used.kept in n)
        shutil.copy(path, path.replace(used.kept, first))
        path = path.replace(used.kept, first)
    else:
        ident = os.urandom(32) if wrong == "damaged" else write_repo.Forger(used.repo, used.key_file).object_hash(b"junk")
        path = f"{used.repo}/notes/{first}.{ident.hex()}"
        with open(path, "wb") as f:
            f.write(b"junk")
    used("check", rc=20)
    if wrong == "damaged":  # it may have been a hold
        used("forget", "--now", first, rc=3)
        used("prune", "--exclusive")
        assert os.path.exists(f"{used.repo}/snapshots/{first}")
        assert used("--json", "repair", rc=3).summary["notes_lost"] == 1
    used("prune", "--exclusive")
    assert not os.path.exists(f"{used.repo}/snapshots/{first}") and not os.path.exists(path)
    used.check_clean()


def age(repo, days=3):
    """As if so much time had gone by for what is in the store."""
    for folder in "packs", "meta", "marks", "index":
        for path in repo.objects(folder):
            st = os.stat(path)
            os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns - days * 86400 * 10**9))


@pytest.mark.parametrize("how", [[], ["--exclusive"]])
def test_an_index_that_was_damaged_while_its_packs_went_brings_none_back(repo, base, how):
    """Its tombstone is there until it is mended, or removed."""
    data = os.urandom(400_000)
    stdin = lambda name, what: repo.backup("--stdin", "--stdin-name", name, input=what)
    first = stdin("x", data)
    (index,) = repo.objects("index")
    packs = set(repo.objects("packs"))
    stdin("y", b"y" * 1000)
    repo("forget", "--now", first)
    shutil.copy2(index, base / "index")
    with open(index, "r+b") as f:
        f.seek(300)
        f.write(b"damaged")
    for _ in range(5):
        assert repo("prune", *how, rc=3).err.count("/" + os.path.basename(index)) == 1, "told once"
        age(repo)
    assert not packs & set(repo.objects("packs"))
    shutil.copy2(base / "index", index)
    again = stdin("x", data)
    shutil.rmtree(repo.base + "/cache")
    repo.check_clean()
    for _ in range(4):
        age(repo)
        repo("prune")
    assert not repo.objects("marks"), "then they go"
    assert repo("cat", again + ":/x").raw == data


def test_tombstones_do_not_pile_up_beside_an_index_of_nobodys(repo, thief_of_none, tree):
    most = 0
    for i in range(16):
        tree.file("a", os.urandom(1000))
        snapshot = repo.backup(tree.path)
        repo("forget", "--now", snapshot)
        age(repo)
        repo("prune", rc=3)
        most = max(most, len(repo.objects("marks")))
    assert most < 14 and len(repo.objects("marks")) < 14, most
    os.unlink(thief_of_none)
    for _ in range(4):
        age(repo)
        repo("prune")
    assert not repo.objects("marks")


@pytest.fixture
def thief_of_none(repo):
    """An index that nobody whom config lists signed."""
    f = write_repo.Forger(repo.repo, repo.key_file)
    f.signer, own = os.urandom(16), (f.own.id, f.own.index_key)
    payload = write_repo.IN_TIME + varint(0) + varint(0)
    return f"{repo.repo}/index/" + f.put("index", f.envelope(rr.INDEX, [], [(6, *own, payload), (11, *own, None)])).hex()
