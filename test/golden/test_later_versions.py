"""What a later version may add, and what this one, the program and the second reader, does with it: format.md."""
import json
import os
import shutil

import pytest

from conftest import restored, same_tree
from test_reader import read_repo
from write_repo import Forger, cut, entry, extensions, fold_pages, new_repository, table_pages, varint
import read_repo as rr

OLD = 1_000_000_000


@pytest.fixture
def made(hf, base):
    """A repository made by hand, of which hf has the key: made(...) takes more for config."""
    def make(**also):
        hf.repo, hf.key_file = str(base / "repo"), str(base / "key")
        new_repository(hf.repo, hf.key_file, **also)
        return Forger(hf.repo, hf.key_file)
    return make


def one_file(forger, **claims):
    """A snapshot of one file."""
    data = b"precious" * 1000
    return forger.commit(forger.directory([(entry(rr.FILE, b"f", size=len(data)), forger.file_ref(data))]), **claims)


def stored(hf):
    return set(hf.objects("packs") + hf.objects("meta"))


def everything(hf):
    return {p for p in hf.objects("") if "/leases/" not in p}


def test_the_program_unfolds_pages_that_another_writer_folded(made, hf, base, rng):
    forger = made(required=["pages"])
    data = table_pages(rng, 20)
    ident = forger.add(rr.CONTENT, data, 5, fold_pages(data))
    snapshot = forger.commit(forger.directory([(entry(rr.FILE, b"table", size=len(data)), b"\2" + varint(1) + ident)]))
    hf("restore", snapshot, "--target", base / "out")
    assert (base / "out/table").read_bytes() == data
    hf.check_clean()


def test_a_feature_that_writers_must_know_lets_read_and_refuses_every_write(made, hf, tree, base):
    snapshot = one_file(made(required_to_write=["later"]))
    sheet = str(base / "sheet")
    hf("key", "export", "--secret", "--output", sheet)
    with open(sheet) as f:
        blocks = f.read()
    with open(sheet, "w") as f:
        f.write(blocks[blocks.index("\nK01"):])
    key, = hf.objects("keys")
    os.rename(key, base / "aside")
    assert "later" in hf("key", "import", sheet, rc=1).err and not hf.objects("keys")
    os.rename(base / "aside", key)
    before = everything(hf)
    tree.file("a", b"1")
    hf("restore", snapshot, "--target", base / "out")
    assert (base / "out/f").read_bytes() == b"precious" * 1000
    hf.check_clean()
    read_repo(hf, "verify")
    for what in (["backup", tree.path], ["prune"], ["forget", "--now", snapshot], ["tag", "--add", "x", snapshot],
                 ["repair"], ["repair", "index"], ["key", "add", "--role", "write", "--new-key-file", base / "new"],
                 ["key", "rotate"]):
        r = hf(*what, rc=None)
        assert r.rc != 0 and "later" in r.err, r
        assert everything(hf) == before, what
    for what in ["prune"], ["repair"], ["repair", "index"], ["repair", "snapshots"], ["backup", tree.path]:
        hf(*what, "--dry-run")
        assert everything(hf) == before, what


def test_extensions_are_passed_over_by_every_reader(made, hf, base):
    forger = made()
    data, more = b"content" * 100, extensions((1, b"one"), (1 << 40, b""))
    ref = forger.file_ref(data)
    root = forger.directory([
        (entry(rr.FILE, b"a", size=len(data), fields=16, extensions=more), bytes([ref[0] | 128]) + ref[1:] + more),
        (entry(rr.FIFO, b"b", fields=16, extensions=more), b"\x80" + more),
        (entry(rr.FILE, b"c", size=len(data)), ref)])
    snapshot = forger.commit(root)
    hf.check_clean()
    before = stored(hf)
    hf("prune", "--exclusive")
    assert stored(hf) == before
    hf("restore", snapshot, "--target", base / "one")
    read_repo(hf, "restore", snapshot, base / "two")
    for target in "one", "two":  # the directory itself is the test's
        os.utime(base / target, (0, 0))
    same_tree(base / "one", base / "two")
    assert (base / "one/a").read_bytes() == data == (base / "one/c").read_bytes()


@pytest.mark.parametrize("claims", [
    {"strategy": "continuous"}, {"part": {"outcome": "partial"}}, {"part": {"kind": "postgresql"}}, {"new": [1, {}]}])
def test_unknown_values_hurt_nobody(made, hf, base, claims):
    forger = made()
    snapshot = one_file(forger, **claims)
    hf.check_clean()
    before = stored(hf)
    hf("prune", "--exclusive")
    assert stored(hf) == before
    hf("restore", snapshot, "--target", base / "out", rc=None)
    assert (base / "out/f").read_bytes() == b"precious" * 1000
    read_repo(hf, "restore", snapshot, base / "two")


@pytest.mark.parametrize("facts", [{}, {"parts": 7}, {"parts": [{"name": "f", "tree": None}]}, []])
def test_the_head_decides_what_prune_keeps_whatever_the_facts_say(made, hf, base, facts):
    snapshot = one_file(made(), facts=facts)
    before = stored(hf)
    r = hf("prune", "--exclusive", rc=None)
    assert stored(hf) == before and os.path.exists(f"{hf.repo}/snapshots/{snapshot}"), r
    r = hf("repair", "snapshots", rc=None)
    assert os.path.exists(f"{hf.repo}/snapshots/{snapshot}"), r
    hf("restore", snapshot, "--target", base / "out", rc=None)
    assert (base / "out/f").read_bytes() == b"precious" * 1000


@pytest.mark.parametrize("claims", [{"roots": 7}, {"start": "2300-01-01T00:00:00.000000000Z"}, {"roots": ["00" * 32] * 5000}])
def test_a_head_that_is_not_understood_stops_the_prune_of_its_domain_alone(repo, tree, base, claims):
    tree.file("old", os.urandom(400_000))
    first = repo.backup(tree.path)
    os.unlink(tree.at("old"))
    kept = repo.backup(tree.path)
    repo("forget", "--now", first)
    repo("key", "add", "--role", "write", "--label", "writer", "--new-key-file", base / "w")
    others = stored(repo)
    riddle = one_file(Forger(repo.repo, base / "w"), **claims)
    its = stored(repo) - others
    assert repo("check", rc=20).err.count(riddle[:16])
    r = repo("prune", "--exclusive", rc=3)
    assert its <= stored(repo) and not others <= stored(repo), r
    assert "writer" in r.err and os.path.exists(f"{repo.repo}/snapshots/{riddle}"), r
    # A key in good standing signed it: nothing removes it, until that key is removed.
    repo("repair", rc=None)
    repo("repair", "snapshots", "--drop-foreign", rc=1)
    assert os.path.exists(f"{repo.repo}/snapshots/{riddle}")
    repo("key", "remove", Forger(repo.repo, base / "w").signer.hex())
    repo("repair", rc=None)
    assert os.path.exists(f"{repo.repo}/snapshots/{riddle}")
    repo("repair", "snapshots", "--drop-foreign", rc=3)
    repo("prune", "--exclusive")
    repo("restore", kept, "--target", base / "out")
    same_tree(restored(base / "out", tree.path), tree.path)
    repo.check_clean()


def test_a_head_of_a_full_holder_that_is_not_understood_stops_prune(made, hf):
    forger = made()
    one_file(forger)
    one_file(forger, roots=7)
    before = everything(hf)
    r = hf("prune", "--exclusive", rc=20)
    assert "newer holdfast" in r.err and "drop-foreign" not in r.err, r
    hf("repair", rc=1)
    hf("repair", "snapshots", "--drop-foreign", rc=1)
    assert everything(hf) == before


def put_mark(forger, kind, packs, extra=b"", key=None):
    payload = varint(kind) + varint(len(packs)) + b"".join(packs) + extra
    key = key or forger.mark_key
    return forger.put("marks", forger.envelope(rr.MARK, [], [(10, forger.id, key, payload), (11, forger.id, key, None)])).hex()


def ids(paths):
    return [bytes.fromhex(os.path.basename(p)) for p in paths]


@pytest.mark.parametrize("extra", [b"", b"more of a later version"])
def test_a_mark_of_an_unknown_kind_and_its_packs_are_left_alone(made, hf, extra):
    """Though nothing needs them, and a mark that is old enough names them too."""
    forger = made()
    hf("forget", "--now", one_file(forger))
    packs = stored(hf)
    put_mark(forger, 0, ids(packs))
    later = put_mark(forger, 7, ids(packs), extra)
    for path in packs | set(hf.objects("marks")):
        os.utime(path, (OLD, OLD))
    for how in [], ["--exclusive"]:
        r = hf("prune", *how)
        assert stored(hf) == packs and "Deleted: 0 packs" in r.out and "wait" not in r.out, r
        assert os.path.exists(f"{hf.repo}/marks/{later}")
    os.unlink(f"{hf.repo}/marks/{later}")
    hf("prune", "--exclusive")
    assert not stored(hf)


def test_a_mark_that_is_malformed_goes_whatever_its_kind(made, hf):
    forger = made()
    one_file(forger)
    for payload in (varint(7) + varint(9), varint(0) + varint(0) + b"x"):
        forger.put("marks", forger.envelope(rr.MARK, [], [(10, forger.id, forger.mark_key, payload),
                                                          (11, forger.id, forger.mark_key, None)]))
    for path in hf.objects("marks"):
        os.utime(path, (OLD, OLD))
    assert "passed over 2" in hf("prune", rc=3).err
    assert not hf.objects("marks")
    hf("prune")


def test_what_nobody_signed_whom_config_lists_goes_only_when_that_is_asked_for(made, hf):
    """A mark, and a note, which keeps its snapshot."""
    forger = made()
    snapshot = one_file(forger)
    forger.signer = os.urandom(16)
    mark = put_mark(forger, 1, [os.urandom(32)])
    forger.note(snapshot, "tag", "x")
    forger.note("0" * 64, "gone", "")
    alien = [f"{hf.repo}/marks/{mark}", *hf.objects("notes")]
    for path in alien:
        os.utime(path, (OLD, OLD))
    r = hf("forget", "--now", snapshot, rc=3)
    assert "cannot be read" in r.err and "Forgot 0" in r.out, r
    notes = hf.objects("notes")
    hf("forget", "--now", snapshot, rc=3)
    assert hf.objects("notes") == notes, "once is enough"
    hf("prune", "--exclusive", rc=3)
    hf("repair", rc=None)
    assert all(map(os.path.exists, alien)) and hf.objects("snapshots")
    hf("repair", "snapshots", "--drop-foreign", "--dry-run", rc=None)
    assert all(map(os.path.exists, alien))
    assert hf("--json", "repair", "snapshots", "--drop-foreign").summary["notes_removed"] == 2
    assert not any(map(os.path.exists, alien))
    hf("prune", "--exclusive")
    assert not hf.objects("snapshots"), "the forget is heard now"
    hf.check_clean()


def test_a_note_that_a_listed_key_signed_and_is_not_understood_is_never_deleted(made, hf):
    forger = made()
    snapshot = one_file(forger)
    forger.note(snapshot, "hold", "whenever")
    (note,) = hf.objects("notes")
    hf("forget", "--now", snapshot, rc=3)
    hf("prune", "--exclusive", rc=None)
    hf("repair", rc=None)
    hf("repair", "snapshots", "--drop-foreign", rc=None)
    assert os.path.exists(note) and hf.objects("snapshots")


def test_a_note_of_an_unknown_op_keeps_its_snapshot(made, hf):
    forger = made()
    snapshot, plain, _ = (one_file(forger, start=f"2026-01-0{i}T00:00:00.000000000Z", sequence=i) for i in (1, 2, 3))
    hf("forget", "--now", snapshot, plain)
    forger.note(snapshot, "seal", "x")
    forger.note("0" * 64, "audit", "x")
    notes = {n for n in hf.objects("notes") if plain not in n}
    hf("prune", "--exclusive", rc=None)
    left = [n for n in (snapshot, plain) if os.path.exists(f"{hf.repo}/snapshots/{n}")]
    assert left == [snapshot] and notes <= set(hf.objects("notes"))


def test_prune_leaves_logs_and_parity_of_unknown_kinds_alone(hf, tree):
    hf.init("--parity", "10%")
    tree.file("a", b"1")
    first = hf.backup(tree.path)
    tree.file("a", b"2")
    hf.backup(tree.path)
    hf("forget", "--now", first)
    names = [f"logs/{'ab' * 16}/1/0-7.{'cd' * 32}", f"parity/logs/{'ab' * 16}/1/0-7.{'cd' * 32}",
             f"parity/later/{'ef' * 32}", f"parity/sealed/{'ef' * 32}"]
    gone = f"parity/packs/{'12' * 32}"
    for name in names + [gone]:
        path = os.path.join(hf.repo, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(b"x")
        os.utime(path, (OLD, OLD))
    hf("prune", "--exclusive", rc=None)
    assert [n for n in names if not os.path.exists(os.path.join(hf.repo, n))] == []
    assert not os.path.exists(os.path.join(hf.repo, gone))


def test_two_configs_of_one_revision_are_a_finding_and_neither_replaces_the_other(hf, tree, base):
    hf.init()
    tree.file("a", b"1")
    hf.backup(tree.path)
    path = os.path.join(hf.repo, "config")
    shutil.copy(path, base / "config.before")
    hf("key", "rotate")
    shutil.copy(path, base / "config.one")
    shutil.copy(base / "config.before", path)
    os.mkdir(base / "second")
    other = type(hf)(base / "second")
    other.repo, other.key_file = hf.repo, hf.key_file
    other("key", "rotate")
    one, two, before = (json.loads(open(p, "rb").read()) for p in (base / "config.one", path, base / "config.before"))
    assert one["revision"] == two["revision"] and one["content"] != two["content"]
    assert one["previous"] == two["previous"] == rr.sha256(rr.canonical(before)).hex()
    r = hf("check", rc=None)
    assert r.rc == 20 and "at the same time" in r.err, r
    r = hf("key", "rotate", rc=None)
    assert r.rc != 0 and "at the same time" in r.err, r
    r = hf("key", "import", base / "config.one", rc=None)
    assert r.rc != 0 and "another config" in r.err, r
    assert json.loads(open(path, "rb").read()) == two


def test_of_two_configs_of_one_revision_that_of_the_higher_epoch_is_imported(hf, tree, base):
    hf.init()
    path = os.path.join(hf.repo, "config")
    shutil.copy(path, base / "config.before")
    hf("key", "rotate")
    tree.file("a", b"1")
    snapshot = hf.backup(tree.path)
    shutil.copy(path, base / "config.one")
    shutil.copy(base / "config.before", path)
    os.mkdir(base / "second")
    other = type(hf)(base / "second")
    other.repo, other.key_file = hf.repo, hf.key_file
    other("key", "add", "--role", "write", "--new-key-file", base / "w")
    r = other("prune", rc=None)
    assert r.rc == 20 and "key import" in r.err, r
    # What the first machine keeps of its own is as good as a sheet.
    hf("check", rc=None)
    (kept,) = [p for p in os.listdir(f"{hf.base}/state") if p.endswith(".config")]
    hf("key", "import", f"{hf.base}/state/{kept}")
    with open(path, "rb") as f, open(base / "config.one", "rb") as g:
        assert f.read() == g.read()
    hf("restore", snapshot, "--target", base / "out")
    same_tree(restored(base / "out", tree.path), tree.path)


@pytest.mark.parametrize("kind", ["random", "pages", "zeros", "text"])
def test_the_program_cuts_where_the_page_says(made, hf, tree, rng, kind):
    low, avg, high = 4096, 8192, 32768
    forger = made(chunker={"name": "gear", "min": low, "avg": avg, "max": high})
    data = {"random": lambda: rng.randbytes(300_000), "zeros": lambda: bytes(100_000),
            "pages": lambda: b"".join(varint(i) + bytes(range(97)) for i in range(2500)),
            "text": lambda: b"".join(rng.choice([b"alpha ", b"beta ", b"of the "]) for _ in range(40_000))}[kind]()
    tree.file("f", data)
    hf.backup(tree.path)
    repo = rr.Repo(hf.repo, key_file=open(hf.key_file, "rb").read())
    (entry_,) = [e for p, e in repo.walk(repo.snapshot("latest")) if p.endswith(b"/f")]
    ends, at = [], 0
    for blob in repo.content(entry_["ref"]):
        at += len(blob)
        ends.append(at)
    key = rr.hkdf(bytes.fromhex(repo.bundle["master"]), repo.own.id, b"holdfast/1 chunker key")
    assert ends == list(cut(data, key, low, avg, high)) and len(ends) > 2
