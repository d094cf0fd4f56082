"""log get with several destinations, of log that no server wrote: each says something else, or is away."""
import os
import struct
import subprocess

import pytest
from conftest import BINARY

SIZE = 128 << 20  # four stretches of 32 MiB


def segment(path, number, size=SIZE):
    """A file of the log of that size, all but empty; its name is the path's last."""
    name = f"00000001{number * size >> 32:08X}{number * size % (1 << 32) // size:08X}"
    with open(f"{path}/{name}", "wb") as f:
        f.truncate(size)
        f.write(struct.pack("<HHIQIIQII", 0xD110, 2, 1, number * size, 0, 0, 4711, size, 8192))
        for at in range(1 << 20, size, 32 << 20):
            f.seek(at)
            f.write(struct.pack("<QQ", at, number))
    return f"{path}/{name}"


@pytest.fixture
def two(hf):
    """A system with two destinations, both with the same two segments."""
    keys = {}
    for name in ("one", "two"):
        keys[name] = f"{hf.base}/{name}.key"
        hf("-r", f"{hf.base}/{name}", "init", "--new-key-file", keys[name])
    hf.env["HOLDFAST_CONFIG"] = f"{hf.base}/h.yaml"
    with open(hf.env["HOLDFAST_CONFIG"], "w") as f:
        f.write("repositories:\n" + "".join(f"  {n}: {{url: {hf.base}/{n}, key: 'file:{k}'}}\n" for n, k in keys.items()) +
                "tiers: {gold: {destinations: [one, two]}}\nsystems:\n  db:\n    tier: gold\n    sources:\n"
                "      - postgresql: {host: /nowhere, user: postgres}\n")
    hf.files = [segment(hf.base, n) for n in (5, 6)]
    for f in hf.files:
        hf("log", "push", f)
    return hf


def get(hf, path, cwd=None):
    """(exit status, its bytes or None, what was said)."""
    to = f"{hf.base}/back"
    p = subprocess.run([BINARY, "log", "get", os.path.basename(path), to], env=hf.environment(), cwd=cwd, timeout=120,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    data = None
    if os.path.exists(to):
        with open(to, "rb") as f:
            data = f.read()
        os.unlink(to)
    return p.returncode, data, p.stdout




def remove(hf, place, keep):
    """Leave the first `keep` stretches of a place."""
    found = sorted((os.path.basename(f), os.path.join(d, f)) for d, _, fs in os.walk(f"{hf.base}/{place}/logs") for f in fs)
    assert len(found) > keep
    for _, path in found[keep:]:
        os.unlink(path)


def test_the_longest_tail_comes_and_nobody_dead_is_waited_for(two):
    hf = two
    whole = [open(f, "rb").read() for f in hf.files]
    assert get(hf, hf.files[0]) == (0, whole[0], "")
    after = segment(hf.base, 7)
    assert get(hf, after)[:2] == (1, None)
    # What the first has, the second need not be there for; what is proven absent needs both.
    os.rename(f"{hf.base}/two", f"{hf.base}/away")
    assert get(hf, hf.files[1])[:2] == (0, whole[1])
    assert get(hf, after)[:2] == (126, None)
    standby = f"{hf.base}/standby"
    os.mkdir(standby)
    open(f"{standby}/standby.signal", "w").close()
    rc, data, told = get(hf, after, standby)
    assert (rc, data) == (1, None) and "could be asked" in told, told
    os.rename(f"{hf.base}/away", f"{hf.base}/two")
    # The first is away: the second serves.
    os.rename(f"{hf.base}/one", f"{hf.base}/away")
    assert get(hf, hf.files[1])[:2] == (0, whole[1])
    os.rename(f"{hf.base}/away", f"{hf.base}/one")
    # Two tails: one stretch of the second segment, and three.
    remove(hf, "one", 5)
    remove(hf, "two", 7)
    rc, data, told = get(hf, hf.files[1])
    assert rc == 0 and data[:96 << 20] == whole[1][:96 << 20] and not any(data[96 << 20:]) and len(data) == SIZE, told
    remove(hf, "two", 4)
    rc, data, told = get(hf, hf.files[1])
    assert rc == 0 and data[:32 << 20] == whole[1][:32 << 20] and not any(data[32 << 20:]), told


def test_what_one_keys_log_lacks_another_keys_has(hf):
    """A server whose key was changed, or two that archive: the own log's gap, or damage, does not hide the other's."""
    hf("-r", f"{hf.base}/repo", "init", "--new-key-file", f"{hf.base}/full.key")
    hf("-r", f"{hf.base}/repo", "--key-file", f"{hf.base}/full.key", "key", "add", "--role", "write", "--new-key-file", f"{hf.base}/w.key")

    def use(key):
        with open(f"{hf.base}/h.yaml", "w") as f:
            f.write(f"repositories: {{main: {{url: {hf.base}/repo, key: 'file:{hf.base}/{key}.key'}}}}\ntiers: {{gold: {{}}}}\n"
                    "systems:\n  db:\n    tier: gold\n    sources:\n      - postgresql: {host: /nowhere, user: postgres}\n")

    hf.env["HOLDFAST_CONFIG"] = f"{hf.base}/h.yaml"
    own, other, later = (segment(hf.base, n, 1 << 20) for n in (5, 6, 7))
    use("full")
    for f in (own, later):
        hf("log", "push", f)
    assert get(hf, other)[0] == 126  # a gap
    use("w")
    hf("log", "push", other)
    use("full")
    for f in (own, other, later):
        assert get(hf, f)[:2] == (0, open(f, "rb").read())
