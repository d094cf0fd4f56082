"""Keys and roles: what a write and a maintenance key can do, what they cannot, and what stays of a removed one."""
import json
import os
import shutil
import signal
import sys

import pytest

from conftest import ROOT, Holdfast, restored, same_tree

sys.path.insert(0, os.path.join(ROOT, "test/golden"))
import write_repo  # noqa: E402

SECRET = b"the plans of the invasion, page %d\n"


@pytest.fixture
def holder(repo, base):
    """holder(role, ...): another holder's program, with a home, cache and key of its own."""
    def make(role, *args):
        name = f"{role}{len(os.listdir(base))}"
        h = Holdfast(base / name)
        h.repo, h.key_file = repo.repo, f"{base}/{name}.key"
        out = repo("--json", "key", "add", "--role", role, "--new-key-file", h.key_file, *args)
        h.key = out.summary["key"]
        return h
    return make


@pytest.fixture
def filled(repo, tree):
    for i in range(20):
        tree.file(f"many/{i}", SECRET % i * 300)
    tree.file("big", os.urandom(3 << 20))
    repo.backup(tree.path)
    return repo


def added(result):
    return result.json("summary")[-1]["added_bytes"]


def backup(h, *args):
    return h("--json", "backup", *args)


READERS = [("snapshots",), ("ls", "latest"), ("cat", "latest:/x"), ("find", "x"), ("diff", "latest", "latest"),
           ("restore", "latest", "--target", "/nowhere"), ("mount", "/mnt"), ("stats",), ("check",), ("prune",),
           ("forget", "--keep-last", "1"), ("tag", "--add", "x", "latest"), ("repair",), ("repair", "index"),
           ("key", "add", "--new-key-file", "/nowhere/k"), ("key", "remove", "12345678"), ("key", "rotate")]


@pytest.mark.parametrize("command", READERS, ids=lambda c: "-".join(c[:2]))
def test_a_write_key_reads_nothing_back(repo, holder, tree, command):
    h = holder("write")
    tree.file("x", b"x")
    backup(h, tree.path)
    r = h("--json", *command, rc=12)
    assert r.error["kind"] == "wrong_key" and "role" in r.error["message"] and "full" in r.error["hint"], r


def test_what_a_write_key_stores_a_full_key_restores(repo, holder, tree, base):
    h = holder("write")
    tree.every_kind()
    tree.file("deep/secret", SECRET * 1000)
    backup(h, tree.path)
    repo("restore", "latest", "--target", base / "out")
    same_tree(restored(base / "out", tree.path), tree.path)
    assert repo("check", "--read-data").rc == 0
    second = repo("restore", "latest", "--target", base / "out2", "--verify")
    assert second.rc == 0


def test_a_write_key_deduplicates_in_its_domain_without_local_state(holder, tree):
    h = holder("write")
    tree.file("big", os.urandom(2 << 20))
    assert added(backup(h, tree.path)) >= 2 << 20
    assert added(backup(h, tree.path)) < 4096
    h.env["HOLDFAST_CACHE_DIR"] += "2"
    again = backup(h, tree.path).json("summary")[-1]
    assert again["added_bytes"] < 4096 and again["bytes_read"] >= 2 << 20


def test_domains_do_not_tell_each_other_what_they_hold(filled, holder, tree):
    """Known content: whoever tries whether another domain has it learns only of its own."""
    whole = added(backup(holder("write"), tree.path))
    assert whole >= 3 << 20
    assert added(backup(holder("write"), tree.path)) > whole - 4096, "only cuts may differ"
    first = holder("write")
    backup(first, tree.path)
    mine = next(k for k in first("--json", "key", "list").json("item") if k["current"])
    shared = holder("write", "--domain", mine["holder"])
    assert added(backup(shared, tree.path)) < 4096


def test_maintenance_checks_and_prunes_but_sees_no_name(filled, holder, tree, base):
    w, m = holder("write"), holder("maintenance")
    backup(w, tree.path)
    for i in range(0, 20, 2):
        os.remove(tree.at(f"many/{i}"))
    r = m("--json", "snapshots")
    assert os.fsdecode(tree.path) not in r.out and "/many" not in r.out and len(r.json("item")) >= 1
    assert m("check").rc == 0
    assert m("check", "--read-data").rc == 0
    m("prune", "--exclusive", "--max-unused", "0")
    assert m("check", "--read-data").rc == 0 and filled("check", "--read-data").rc == 0
    newest = filled("--json", "snapshots").json("item")[-1]["snapshot"]
    filled("restore", newest, "--target", base / "out")
    for command in (("ls", "latest"), ("restore", "latest", "--target", base / "no"), ("backup", tree.path),
                    ("cat", "latest:/x"), ("key", "rotate"), ("forget", "--keep-last", "1"), ("stats",)):
        assert "role" in m(*command, rc=12).err


def test_maintenance_finds_damage(filled, holder):
    m = holder("maintenance")
    victim = filled.objects("packs")[0]
    os.chmod(victim, 0o600)
    with open(victim, "r+b") as f:
        f.seek(os.path.getsize(victim) // 2)
        byte = f.read(1)[0]
        f.seek(-1, 1)
        f.write(bytes([byte ^ 1]))
    r = m("check", "--read-data", rc=20)
    assert os.path.basename(victim)[:16] in r.err + r.out
    os.remove(victim)
    assert os.path.basename(victim)[:16] in (r := m("check", rc=20)).err + r.out


@pytest.mark.parametrize("role", ["full", "maintenance"])
def test_a_removed_key_is_left_out_of_what_comes(filled, holder, tree, base, role):
    gone, stays, w = holder(role), holder("full"), holder("write")
    m = holder("maintenance")
    old = os.path.getsize(filled.repo + "/config")
    packs = sorted(filled.objects("packs"))
    with open(filled.repo + "/keys/" + gone.key, "rb") as f:
        bundle = f.read()
    filled("key", "remove", gone.key)
    assert os.path.getsize(filled.repo + "/config") > old
    assert sorted(filled.objects("packs")) == packs
    # Its bundle put back opens nothing any more.
    with open(filled.repo + "/keys/" + gone.key, "wb") as f:
        f.write(bundle)
    assert "removed" in gone("snapshots", rc=12).err
    os.remove(filled.repo + "/keys/" + gone.key)
    tree.file("later", SECRET * 100)
    backup(w, tree.path)
    filled.backup(tree.path)
    for h in (filled, stays):
        h("restore", "latest", "--host", os.uname().nodename, "--target", base / h.key_file.replace("/", "_"), rc=None)
        assert h("check", "--read-data").rc == 0
        assert "later" in h("ls", "-R", h("--json", "snapshots").json("item")[-1]["snapshot"]).out
        assert "many" in h("ls", "-R", h("--json", "snapshots").json("item")[0]["snapshot"]).out
    assert m("check", "--read-data").rc == 0
    # With all it ever had, the removed one opens old data keys and no new one.
    reader = write_repo.Forger(filled.repo, stays.key_file)
    assert reader.config["epoch"] == 2 and {e for _, e in reader.private} == {1, 2}
    assert sum(1 for s in reader.snapshots() for _ in reader.walk(s)) > 40


@pytest.mark.parametrize("role", ["write", "full"])
def test_a_key_whose_thief_deleted_it_can_be_removed(filled, holder, tree, role):
    """The store forgot it; the thief's copy opens the repository still."""
    thief = holder(role, "--label", "stolen")
    stolen = f"{filled.repo}/keys/{thief.key}"
    copy = open(stolen, "rb").read()
    os.remove(stolen)
    item, = (k for k in filled("--json", "key", "list").json("item") if k["label"] == "stolen")
    assert item["key"] is None and item["kind"] == "missing", item
    r = filled("check", rc=3)
    assert item["holder"][:8] in r.err and "stolen" in r.err, r
    filled("key", "remove", item["holder"][:8])
    filled.check_clean()
    with open(stolen, "wb") as f:
        f.write(copy)
    assert thief("backup", tree.path, rc=None).rc not in (0, 3)


def test_what_a_removed_key_signs_later_is_a_finding_and_counts_for_nothing(filled, holder, tree, base):
    """A thief goes on with the client's numbers, takes one that is in use or was pruned, and begins as another client."""
    h = holder("write", "--label", "stolen")
    runs = [backup(h, tree.path).summary["snapshot"] for _ in range(3)]
    filled("forget", "--now", runs[1])
    filled("prune")
    thief = write_repo.Forger(filled.repo, h.key_file)
    client = next(head["client"] for _, head, _ in write_repo.Forger(filled.repo, filled.key_file).snapshots()
                  if head["signer"] == thief.signer.hex())
    filled("key", "remove", h.key)
    filled.check_clean()
    root = thief.directory([])
    forged = {thief.commit(root, client=c, sequence=n, start=f"2026-01-0{i + 1}T00:00:00.000000000Z")
              for i, (c, n) in enumerate([(client, 4), (client, 1), (client, 2), ("cd" * 16, 1)])}
    items = {i["snapshot"]: i["late"] for i in filled("--json", "snapshots").json("item") if "snapshot" in i}
    assert {s for s, late in items.items() if late} == forged and set(runs[::2]) <= set(items)
    r = filled("check", rc=20)
    assert all(s[:8] in r.err for s in forged) and r.err.count("came after its signer") == 4 and "stolen" in r.err, r
    assert "no snapshot fits" in filled("restore", "latest", "--host", "forger", "--target", base / "out", rc=1).err
    kept = {i["snapshot"]: i["keep"] for i in filled("--json", "forget", "-n", "--keep-last", "1").json("item") if "keep" in i}
    assert kept[runs[2]] and not kept[runs[0]]
    filled("forget", "--now", *forged)
    filled("prune")
    filled.check_clean()


def test_rotating_keys_needs_nobodys_password(filled, holder, tree):
    stays, m, w = holder("full"), holder("maintenance"), holder("write")
    for _ in range(3):
        filled("key", "rotate")
        tree.file("later", os.urandom(1000))
        for h in (filled, stays, w):
            backup(h, tree.path)
        assert m("check").rc == 0
    late = holder("full")
    for h in (filled, stays, late):
        assert h("check", "--read-data").rc == 0
    stays("key", "passwd", "--new-key-file", stays.key_file + "2")
    stays.key_file += "2"
    assert stays("check", "--read-data").rc == 0


def test_a_config_set_back_is_built_on_by_nobody_who_saw_the_newer(filled, holder, tree, base):
    """A machine with a write key reads no snapshot, and remembers config all the same."""
    config, w = filled.repo + "/config", holder("write")
    with open(config, "rb") as f:
        old = f.read()
    backup(w, tree.path)
    filled("key", "rotate")
    backup(w, tree.path)
    with open(config, "rb") as f:
        new = f.read()
    os.chmod(config, 0o600)
    with open(config, "wb") as f:
        f.write(old)
    for run in (w("backup", tree.path, rc=1), filled("backup", tree.path, rc=1), filled("key", "rotate", rc=1),
                filled("key", "add", "--new-key-file", base / "k", rc=1), filled("key", "remove", w.key, rc=1)):
        assert "set back" in run.err and "repair snapshots" in run.err, run
    with open(config, "rb") as f:
        assert f.read() == old, "nobody signed the older one anew"
    with open(config, "wb") as f:
        f.write(new)
    backup(w, tree.path)
    filled("key", "rotate")


def test_key_list_says_what_each_may_do(repo, holder):
    h, _ = holder("write", "--label", "db1"), holder("maintenance")
    repo("key", "remove", h.key)
    keys = {k["role"]: k for k in repo("--json", "key", "list").json("item")}
    assert keys["write"]["removed"] and keys["write"]["label"] == "db1" and keys["write"]["key"] is None
    assert keys["write"]["domain"] != keys["full"]["domain"] and "domain" not in keys["maintenance"]
    text = repo("key", "list").out
    assert all(word in text for word in ("Role", "Domain", "Removed", "maintenance", "write", "db1", "key file"))


def cannot(call, *args):
    try:
        got = call(*args)
    except (write_repo.rr.Bad, KeyError, TypeError):
        return
    pytest.fail(f"opened: {got!r:.80}")


def test_all_that_a_write_key_has_on_disk_decrypts_nothing(filled, holder, tree):
    """Its bundle opened, its cache, its state: no blob, no tree, no snapshot, not even its own."""
    h = holder("write")
    backup(h, tree.path)
    reader = write_repo.Forger(filled.repo, h.key_file)
    assert reader.role == "write" and not reader.private
    assert not {"root", "content", "structure", "master", "index_master"} & set(reader.bundle)
    assert reader.blobs, "it sees the index of its own domain"
    cannot(reader.snapshots)
    sealed = {frame.key for frame, _, _ in reader.blobs.values()}
    for name, data in reader.objects(b"snapshots"):
        sealed |= set(write_repo.rr.envelope(data, write_repo.rr.SNAPSHOT)[0])
    for frame, _, _ in reader.blobs.values():
        cannot(reader.frame, frame)
    # Whatever 32 bytes it holds, in the bundle or in files, is the private key of nothing sealed.
    secrets = [bytes.fromhex(v) for v in reader.bundle.values() if isinstance(v, str) and len(v) == 64]
    secrets += [d.index_key for d in reader.domains] + [d.id_key for d in reader.domains]
    for folder, _, names in os.walk(h.base):
        for data in (open(os.path.join(folder, n), "rb").read() for n in names):
            assert SECRET[:20] not in data and b"many" not in data
            secrets += [data[i:i + 32] for i in range(0, min(len(data) - 32, 1 << 14), 32)]
    keys = [write_repo.rr.X25519PrivateKey.from_private_bytes(s) for s in set(secrets)]
    for s in sealed:
        for key in keys:
            reader.private[s[1], 1] = key
            cannot(reader.data_key, s, s[1])


def test_maintenance_holds_no_key_to_names_and_content(filled, holder):
    reader = write_repo.Forger(filled.repo, holder("maintenance").key_file)
    assert {cls for cls, _ in reader.private} == {2}
    assert not {"root", "content", "master", "id_key", "chunker_key"} & set(reader.bundle)
    opened = 0
    for frame, _, _ in reader.blobs.values():
        if frame.kind == write_repo.rr.REFS:
            opened += len(reader.frame(frame)) > 0
        else:
            cannot(reader.frame, frame)
    assert opened
    cannot(reader.snapshots)


def lie(thief, filled, wrong=0):
    """An index, signed by a stolen write key, that puts every blob of the full holders into the thief's own pack."""
    rr = write_repo.rr
    with open(filled.key_file, "rb") as f:
        full = rr.Repo(filled.repo, key_file=f.read())
    with open(f"{thief.base}/bait", "wb") as f:
        f.write(os.urandom(1000))
    thief.backup(f"{thief.base}/bait")
    forger = write_repo.Forger(filled.repo, thief.key_file)
    pack = next(f.pack for f, _, _ in forger.blobs.values())
    kind = rr.CONTENT_PACK if pack.startswith(b"packs") else rr.META_PACK
    blobs = [(f.kind, ident, n) for (_, ident), (f, _, n) in full.blobs.items()]
    listed = write_repo.varint(len(blobs))
    for what, ident, n in blobs:
        listed += bytes([what, 0, 1]) + write_repo.varint(60) + write_repo.varint(n) + write_repo.varint(1)
        listed += ident + write_repo.varint(n)
    size = max(os.path.getsize(os.path.join(os.fsencode(filled.repo), pack)), 144 + 60 * len(blobs) + wrong)
    payload = write_repo.IN_TIME + write_repo.varint(1) + forger.sealed[1] + write_repo.varint(1)
    payload += bytes.fromhex(pack[-64:].decode()) + bytes([kind]) + write_repo.varint(size)
    payload += write_repo.varint(144) + write_repo.varint(1) + write_repo.varint(0) + listed
    own = forger.own.id, forger.own.index_key
    names = [os.path.basename(p) for p in filled.objects("index")]
    while True:  # a liar wants to be heard first
        data = forger.envelope(rr.INDEX, [], [(6, *own, payload), (11, *own, None)])
        if forger.object_hash(data).hex() < min(names):
            break
    return forger.signer.hex(), forger.put("index", data).hex()


def test_a_lying_index_of_a_stolen_write_key_harms_no_other_domain(filled, holder, tree, base):
    thief = holder("write", "--label", "stolen")
    first = filled("--json", "snapshots").json("item")[-1]["snapshot"]
    signer, _ = lie(thief, filled)
    # Restores are right, from this cache and from a new one; so is what prune leaves.
    for i in range(3):
        filled.env["HOLDFAST_CACHE_DIR"] = f"{base}/cache{i}"
        if i == 2:
            r = filled("check", "--read-data", rc=20)
            assert signer[:8] in r.out + r.err and "stolen" in r.out + r.err, r
            filled("prune", "--exclusive", "--max-unused", "0")
        filled("restore", first, "--target", base / f"out{i}")
        same_tree(restored(base / f"out{i}", tree.path), tree.path)


def test_nonsense_signed_by_a_write_key_stops_nobody(filled, holder, tree, base):
    """An index that cannot be: its frames are longer than their pack."""
    signer, name = lie(holder("write"), filled, wrong=-1)
    assert name[:8] in (r := filled("check", rc=20)).out + r.err, r
    assert signer[:8] in filled("ls", "latest", "--host", os.uname().nodename, rc=None).err
    first = filled("--json", "snapshots").json("item")[0]["snapshot"]
    filled("restore", first, "--target", base / "out")
    same_tree(restored(base / "out", tree.path), tree.path)
    filled.backup(tree.path)


def test_a_snapshot_of_nothing_stops_only_its_own_domains_prune(filled, holder, tree, base):
    """Signed by a stolen write key, and without a tree."""
    thief = holder("write", "--label", "stolen")
    thief.backup(tree.path)
    first, own = (filled("--json", "snapshots").json("item")[i]["snapshot"] for i in (0, -1))
    forged = [write_repo.Forger(filled.repo, thief.key_file).commit(os.urandom(32))]
    forger = write_repo.Forger(filled.repo, thief.key_file)
    before = set(filled.objects("packs") + filled.objects("meta"))
    filled("forget", first, own, "--now")
    for args in ((), ("--repack",)):
        r = filled("prune", "--exclusive", *args, rc=3)
        for name in forged:
            assert name[:8] in r.err and "stolen" in r.err and forger.signer.hex()[:8] in r.err, r
        assert "repair snapshots" in r.err, r
    left = set(filled.objects("packs") + filled.objects("meta"))
    assert len(left) < len(before), "the others' garbage goes"
    r = filled("check", rc=20)
    assert forged[0][:8] in r.out + r.err and "stolen" in r.out + r.err, r
    filled("forget", *forged, "--now")
    filled("prune", "--exclusive")
    assert len(filled.objects("packs") + filled.objects("meta")) < len(left), "what was held goes"
    filled.check_clean()


def test_what_a_held_domain_has_is_kept_though_no_index_names_it(repo, tree, base):
    """Its index is lost, so nothing of the snapshot can be walked: its packs are in no index, and stay."""
    tree.file("x", os.urandom(100_000))
    repo.backup(tree.path)
    for path in repo.objects("index"):
        os.remove(path)
    before = sorted(repo.objects("packs") + repo.objects("meta"))
    repo("prune", "--exclusive", rc=3)
    assert sorted(repo.objects("packs") + repo.objects("meta")) == before
    repo("repair", "index")
    repo.check_clean()
    repo("restore", "latest", "--target", base / "out")
    same_tree(restored(base / "out", tree.path), tree.path)


def test_a_pack_that_is_missing_stops_only_its_own_domains_prune(filled, holder, tree):
    w = holder("write", "--label", "unlucky")
    before = set(filled.objects("packs"))
    backup(w, tree.path)
    lost = sorted(set(filled.objects("packs")) - before)[0]
    os.remove(lost)
    first = filled("--json", "snapshots").json("item")[0]["snapshot"]
    filled("forget", first, "--now")
    r = filled("prune", "--exclusive", rc=3)
    assert os.path.basename(lost)[:8] in r.err and "unlucky" in r.err, r
    assert not before & set(filled.objects("packs")), "nothing else needs the others' packs"


def test_an_index_that_lies_about_a_packs_folder_costs_nobody_the_pack(filled, holder, tree, base):
    thief = holder("write", "--label", "stolen")
    forger = write_repo.Forger(filled.repo, thief.key_file)
    payload, listed = b"", filled.objects("packs")
    for path in listed:
        varint, size = write_repo.varint, os.path.getsize(path)
        frame = varint(1) + bytes([3, 0, 0]) + varint(200) + varint(152) + varint(1) + os.urandom(32) + varint(152)
        payload += bytes.fromhex(os.path.basename(path)) + bytes([write_repo.rr.META_PACK])
        payload += varint(size) + varint(144) + varint(1) + varint(0) + frame
    own = forger.own.id, forger.own.index_key
    payload = write_repo.IN_TIME + write_repo.varint(1) + forger.sealed[2] + write_repo.varint(len(listed)) + payload
    ident = forger.put("index", forger.envelope(write_repo.rr.INDEX, [], [(6, *own, payload), (11, *own, None)]))
    for args in ((), ("--read-data",)):
        r = filled("check", *args, rc=20)
        assert "stolen" in r.out + r.err and "other folder" in r.out + r.err, r
    filled("repair", rc=None)
    filled("prune", "--exclusive", "--max-unused", "0")
    assert set(listed) <= set(filled.objects("packs"))
    filled("restore", "latest", "--target", base / "out")
    same_tree(restored(base / "out", tree.path), tree.path)
    os.remove(f"{filled.repo}/index/{ident.hex()}")
    filled.check_clean()


def test_nobody_deduplicates_against_a_lying_index(filled, holder, tree, base):
    """What the full holders had is lost, all but the lie about it: their next backup stores it again."""
    thief = holder("write")
    _, lies = lie(thief, filled)
    for folder in ("packs", "meta", "index", "snapshots"):
        for path in filled.objects(folder):
            if os.path.basename(path) != lies:
                os.remove(path)
    filled.env["HOLDFAST_CACHE_DIR"] = f"{base}/cache2"
    filled.backup(tree.path)
    filled("restore", "latest", "--target", base / "out")
    same_tree(restored(base / "out", tree.path), tree.path)


def test_a_lost_config_comes_back_from_the_sheet(filled, holder, tree, base):
    holder("write"), holder("maintenance")
    filled("key", "rotate")
    sheet = str(base / "sheet.txt")
    filled("key", "export", "--output", sheet)
    text = open(sheet, encoding="ascii").read()
    assert text == filled("key", "export").out or len(text.splitlines()) == len(filled("key", "export").out.splitlines())
    config = filled.repo + "/config"
    whole = open(config, "rb").read()
    os.remove(config)
    r = filled("snapshots", rc=10)
    assert "key import" in r.err, r
    filled("key", "import", sheet)
    assert open(config, "rb").read() == whole
    assert filled("check").rc == 0
    assert filled("key", "import", sheet, rc=None).rc == 1, "a whole config is not replaced"
    with open(config, "r+b") as f:
        f.write(b"{{")
    filled("snapshots", rc=20)
    filled("key", "import", sheet)
    filled("restore", "latest", "--target", base / "out")


def test_a_lost_config_comes_back_from_any_machine_that_used_the_repository(filled, holder, tree, base):
    """Nobody printed a sheet after the last rotation: without config nobody has the new keys."""
    w = holder("write")
    assert "key export" in filled("key", "rotate").out
    backup(w, tree.path)
    config = filled.repo + "/config"
    whole = open(config, "rb").read()
    for machine in (w, filled):
        os.remove(config)
        (kept,) = [f"{machine.base}/state/{n}" for n in os.listdir(machine.base + "/state") if n.endswith(".config")]
        assert f"key import {kept}\n" in machine("snapshots", rc=10).err
        filled("key", "import", kept)
        assert open(config, "rb").read() == whole
        filled.check_clean()
    with open(kept, "r+b") as f:
        f.write(b'{"X')
    os.remove(config)
    os.rename(base / "state", base / "elsewhere")
    assert "*.config" in filled("snapshots", rc=10).err  # where no machine's copy is known
    os.rename(base / "elsewhere", base / "state")
    assert not os.path.exists(config) and filled("key", "import", kept, rc=2)
    assert not os.path.exists(config)


def test_a_typing_error_on_the_sheet_is_told_by_its_line(filled, base, rng):
    sheet = base / "sheet.txt"
    good = filled("key", "export").out.splitlines()
    at = rng.choice([i for i, line in enumerate(good) if line.startswith("C") and line[1:3].isdigit()])
    place = rng.choice([i for i in range(5, len(good[at])) if good[at][i] != " "])
    wrong = "A" if good[at][place] != "A" else "C"
    os.remove(filled.repo + "/config")
    bad = list(good)
    bad[at] = bad[at][:place] + wrong + bad[at][place + 1:]
    sheet.write_text("\n".join(bad))
    assert good[at][:3] in filled("key", "import", sheet, rc=2).err
    del bad[at]
    sheet.write_text("\n".join(bad))
    assert good[at][:3] + " is missing" in filled("key", "import", sheet, rc=2).err
    assert not os.path.exists(filled.repo + "/config")
    sheet.write_text("\n".join(good).lower())
    filled("key", "import", sheet)
    filled("check")


def test_lost_keys_come_back_with_the_secret_sheet(filled, base):
    sheet = base / "sheet.txt"
    filled("key", "export", "--secret", "--output", sheet)
    for path in filled.objects("keys"):
        os.remove(path)
    os.remove(filled.repo + "/config")
    filled("key", "import", sheet)
    filled("check")


def forged_note(filled, thief, snapshot, op, value):
    """A note with the signature of a write key, right but for its holder's role."""
    rr = write_repo.rr
    forger = write_repo.Forger(filled.repo, thief.key_file)
    note = {"snapshot": snapshot, "op": op, "time": "2026-01-01T00:00:00.000000000Z", "value": value,
            "signer": forger.signer.hex()}
    data = forger.envelope(rr.NOTE, [forger.sealed[2]],
                           [(9, *forger.run[2], rr.canonical(note)), (11, *forger.run[2], None)])
    os.makedirs(filled.repo + "/notes", exist_ok=True)
    with open(f"{filled.repo}/notes/{snapshot}.{forger.object_hash(data).hex()}", "wb") as f:
        f.write(data)
    return forger


def test_maintenance_prunes_what_was_forgotten_and_check_is_clean(filled, holder, tree):
    m = holder("maintenance")
    filled.backup(tree.path)
    filled("forget", "--keep-last", "1", "--now")
    m("prune")
    assert len(filled.objects("snapshots")) == 1
    m("check")
    filled.check_clean()


def test_a_note_beyond_a_write_keys_rights_blocks_no_forget_and_a_protection_counts(filled, holder, tree):
    thief = holder("write")
    first = os.path.basename(filled.objects("snapshots")[0])
    filled.backup(tree.path)
    for op, value in (("release", ""), ("forget", "0"), ("unpin", "")):
        signer = forged_note(filled, thief, first, op, value).signer.hex()
        r = filled("check", rc=20)
        assert f"'{op}' signed by {signer[:8]}" in r.out + r.err, r
    forged_note(filled, thief, first, "tag", "theirs")
    item = next(i for i in filled("--json", "snapshots").json("item") if i.get("snapshot") == first)
    assert item["tags"] == ["theirs"], item
    filled("forget", "--now", first)
    filled("prune", "--exclusive")
    assert len(filled.objects("snapshots")) == 1
    filled.check_clean()


def test_a_note_or_mark_signed_by_a_write_key_is_not_heard(filled, holder):
    """It has every key that a note or a mark is sealed with; its signature is good for neither."""
    rr = write_repo.rr
    snapshot = os.path.basename(filled.objects("snapshots")[0])

    def kept():
        return [i.get("snapshot") for i in filled("--json", "snapshots", rc=None).json("item")]

    forger = forged_note(filled, holder("write"), snapshot, "forget", "0")
    assert snapshot in kept()
    mark = forger.id, forger.mark_key
    pack = bytes.fromhex(os.path.basename(filled.objects("packs")[0]))
    forger.put("marks", forger.envelope(rr.MARK, [], [(10, *mark, write_repo.varint(1) + pack), (11, *mark, None)]))
    r = filled("check", rc=20)
    assert "notes/" in r.err + r.out and "marks/" in r.err + r.out and forger.signer.hex()[:8] in r.err + r.out, r
    filled("prune", "--exclusive", rc=None)
    assert snapshot in kept()


# ---- A config that is older than what is there.

def everything(hf):
    return {p for f in ("snapshots", "index", "packs", "meta", "notes") for p in hf.objects(f)}


@pytest.mark.parametrize("rotated", [False, True])
def test_repair_deletes_nothing_that_only_its_config_is_too_old_for(filled, holder, tree, base, rotated):
    sheet, config = str(base / "sheet.txt"), filled.repo + "/config"
    filled("key", "export", "--output", sheet)
    other = holder("full")
    tree.file("new", os.urandom(300000))
    backup(other, tree.path)
    if rotated:
        filled("key", "rotate")
        tree.file("newer", os.urandom(300000))
        backup(filled, tree.path)
    newest = open(config, "rb").read()
    os.remove(config)
    filled("key", "import", sheet)
    shutil.rmtree(base / "cache")
    shutil.rmtree(base / "state")  # who has seen the newer config is refused before
    had = everything(filled)
    for word in ([], ["snapshots"], ["snapshots", "--accept-history"]):
        r = filled("repair", *word, rc=1)
        assert "older than" in r.err and "import a newer sheet" in r.err, r
        assert everything(filled) == had
    filled("repair", "index", rc=None)
    assert had <= everything(filled)
    r = filled("check", "--read-data", rc=20)
    assert "config is older than this object" in r.err and "key import SHEET" in r.err, r
    with open(config, "wb") as f:
        f.write(newest)
    assert had <= everything(filled)
    filled.check_clean()


def test_a_backup_by_a_key_added_during_repair_survives_it(filled, holder, tree):
    tree.file("more", os.urandom(2 << 20))
    filled.backup(tree.path)
    p = filled.start("--json", "repair", "--limit-download", "2M")
    for line in p.stdout:
        if "checking" in json.loads(line).get("phase", ""):
            break
    os.kill(p.pid, signal.SIGSTOP)
    h = holder("write")
    tree.file("x", os.urandom(100000))
    made = backup(h, tree.path).summary["snapshot"]
    os.kill(p.pid, signal.SIGCONT)
    out, err = p.communicate(timeout=120)
    assert p.returncode == 0, (out, err)
    assert made in [s["snapshot"] for s in filled("--json", "snapshots").json("item")]
    filled.check_clean()


def test_no_key_is_removed_while_a_snapshot_is_damaged(filled, holder, tree):
    """Its number could not be kept; mended later, it would look like a thief's."""
    w = holder("write")
    for i in range(3):
        tree.file("x", bytes([i]))
        last = backup(w, tree.path).summary["snapshot"]
    key = next(k["key"] for k in filled("--json", "key", "list").json("item") if k["role"] == "write")
    path = f"{filled.repo}/snapshots/{last}"
    whole = open(path, "rb").read()
    with open(path, "wb") as f:
        f.write(whole[:400] + bytes([whole[400] ^ 1]) + whole[401:])
    r = filled("key", "remove", key, rc=1)
    assert "damaged" in r.err and "holdfast repair" in r.err, r
    with open(path, "wb") as f:
        f.write(whole)
    filled("key", "remove", key)
    filled.check_clean()


def test_a_key_that_is_not_one_is_told_with_a_way_to_find_it(filled):
    for name in "w", "nobody":
        assert "key list" in filled("key", "remove", name, rc=None).err


def test_repair_and_prune_refuse_by_a_config_older_than_they_have_seen(filled, holder):
    config = filled.repo + "/config"
    old = open(config, "rb").read()
    holder("write")
    filled("check")
    with open(config, "wb") as f:
        f.write(old)
    for word in ["repair"], ["repair", "index"], ["repair", "snapshots"], ["prune"], ["prune", "--exclusive"]:
        r = filled(*word, rc=1)
        assert "this machine has seen" in r.err and "--accept-history" in r.err, r
    filled("prune", "--dry-run")
    filled("repair", "snapshots", "--accept-history")
    filled("repair")
    filled("prune")


def test_repair_survives_a_cache_that_knows_more_than_config(filled, holder, tree, base):
    sheet = str(base / "sheet.txt")
    filled("key", "export", "--output", sheet)
    h = holder("write")
    backup(h, tree.path)
    backup(filled, tree.path)
    filled("stats")
    shutil.rmtree(base / "state")
    os.remove(filled.repo + "/config")
    filled("key", "import", sheet)
    had = everything(filled)
    assert "older than" in filled("repair", "snapshots", rc=1).err
    assert everything(filled) == had


def test_a_sheet_replaces_a_swapped_or_older_config_and_no_other(filled, holder, base):
    config, sheet = filled.repo + "/config", str(base / "sheet.txt")
    old = open(config, "rb").read()
    holder("write")
    filled("key", "export", "--output", sheet)
    newest = open(config, "rb").read()
    os.mkdir(base / "else")
    elsewhere = Holdfast(base / "else").init()
    for bad in (old, open(elsewhere.repo + "/config", "rb").read()):
        with open(config, "wb") as f:
            f.write(bad)
        filled("key", "import", sheet)
        assert open(config, "rb").read() == newest
    assert "not replaced" in filled("key", "import", sheet, rc=1).err
    assert "not replaced" in elsewhere("key", "import", sheet, rc=1).err


# ---- Two change config at once.

def test_changes_of_config_at_once_undo_none_of_each_other(filled, holder, base):
    gone = holder("write")
    runs = [filled.start("key", "add", "--role", role, "--new-key-file", base / f"{role}-{i}.key", "--label", f"{role}-{i}")
            for i in range(3) for role in ("full", "maintenance", "write")]
    runs += [filled.start("key", "rotate"), filled.start("key", "remove", gone.key),
             filled.start("repair", "--add-parity", "10%")]
    for p in runs:
        out, err = p.communicate(timeout=120)
        assert p.returncode == 0, (p.args, out, err)
    keys = {k["label"]: k for k in filled("--json", "key", "list").json("item")}
    config = json.load(open(filled.repo + "/config", encoding="ascii"))
    assert config["epoch"] == 2 and config["parity"] == 100
    for i in range(3):
        for role in ("full", "maintenance", "write"):
            k = keys.pop(f"{role}-{i}")
            assert k["key"] and k["role"] == role and not k.get("removed"), k
    assert len([k for k in keys.values() if k.get("removed")]) == 1
    for i in range(3):
        for role in ("full", "maintenance"):
            filled("check", env={"HOLDFAST_KEY_FILE": f"{base}/{role}-{i}.key"})
    assert not filled.objects("leases")


def test_who_crashed_while_changing_config_stops_others_for_a_minute_only(repo, base):
    lease = f"{repo.repo}/leases/config.{json.load(open(repo.repo + '/config'))['revision']}.0"
    os.makedirs(os.path.dirname(lease), exist_ok=True)
    with open(lease, "wb") as f:
        f.write(b"cut off")
    r = repo("key", "add", "--new-key-file", base / "a.key", rc=11)
    assert "somebody else is changing" in r.err and "in a minute" in r.err, r
    assert repo("--json", "key", "rotate", rc=11).error["kind"] == "busy"
    when = os.stat(lease).st_mtime_ns - 61 * 10**9
    os.utime(lease, ns=(when, when))
    repo("key", "add", "--new-key-file", base / "a.key")
    assert not repo.objects("leases") and len(repo("--json", "key", "list").json("item")) == 2
