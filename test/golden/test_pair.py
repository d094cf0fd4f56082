"""The reader and the forger agree, without the program: both are of doc/format.md."""
import os
import subprocess

import brotli
import lz4.block
import pytest
import zlib
import zstandard

from read_repo import Bad, Repo, FILE, verify
from write_repo import Forger, entry, fold_pages, new_repository, table_pages, varint
import read_repo as rr

PACKERS = {1: zstandard.ZstdCompressor().compress, 2: lambda b: lz4.block.compress(b, store_size=False),
           3: zlib.compress, 4: brotli.compress}


@pytest.fixture
def made(base):
    new_repository(str(base / "repo"), str(base / "key"))
    return Forger(str(base / "repo"), str(base / "key"))


def reopen(base, **kw):
    return Repo(str(base / "repo"), key_file=(base / "key").read_bytes(), **kw)


@pytest.mark.parametrize("use_index", [True, False])
def test_every_codec_and_a_sparse_file_come_back(made, base, use_index):
    text = b"a line that compresses\n" * 5000
    entries = []
    for codec, pack in PACKERS.items():
        ident = made.add(rr.CONTENT, text + bytes([codec]), codec, pack(text + bytes([codec])))
        entries.append((entry(FILE, b"c%d" % codec, size=len(text) + 1), b"\2" + varint(1) + ident))
    entries.append((entry(FILE, b"sparse", size=100_000, holes=[(3, 50_000), (2, 49_990)]),
                    made.file_ref(b"abcdeABCDE"[:10])))
    made.commit(made.directory(entries))
    repo = reopen(base, use_index=use_index)
    assert verify(repo)["entries"] == 5
    rr.restore(repo, repo.snapshot("latest"), str(base / "out"))
    assert (base / "out/c3").read_bytes() == text + b"\3"
    sparse = (base / "out/sparse").read_bytes()
    assert len(sparse) == 100_000 and sparse.replace(b"\0", b"") == b"abcdeABCDE"


def test_folded_pages_come_back(base, rng):
    new_repository(str(base / "repo"), str(base / "key"), required=["pages"])
    made = Forger(str(base / "repo"), str(base / "key"))
    data = table_pages(rng, 20)
    packed = fold_pages(data)
    assert len(packed) < len(zstandard.compress(data)) and zstandard.decompress(packed[3:]) != data
    ident = made.add(rr.CONTENT, data, 5, packed)
    made.commit(made.directory([(entry(FILE, b"table", size=len(data)), b"\2" + varint(1) + ident)]))
    repo = reopen(base)
    assert verify(repo)["entries"] == 1
    rr.restore(repo, repo.snapshot("latest"), str(base / "out"))
    assert (base / "out/table").read_bytes() == data


def test_every_flipped_byte_of_a_snapshot_is_seen(made, base, rng):
    made.commit(made.directory([]))
    (name,) = os.listdir(base / "repo/snapshots")
    path = base / "repo/snapshots" / name
    data = path.read_bytes()
    for at in rng.sample(range(len(data)), 40):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :])
        with pytest.raises(Bad):
            verify(reopen(base))


@pytest.mark.parametrize("name", [b"..", b"a/b", b"\0", b""])
def test_hostile_names_are_refused(made, base, name):
    made.commit(made.directory([(entry(FILE, name), b"\0")]))
    with pytest.raises(Bad):
        verify(reopen(base))


def test_the_reader_runs_as_a_program(made, base):
    made.commit(made.directory([(entry(FILE, b"a"), b"\0")]))
    p = subprocess.run(["/usr/bin/python3", rr.__file__, str(base / "repo"), "--key-file", str(base / "key"),
                        "ls", "latest"], stdout=subprocess.PIPE, text=True, check=True)
    assert p.stdout == "/a\n"
