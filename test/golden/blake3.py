"""BLAKE3 and keyed BLAKE3, 32 bytes out, from the specification; numbers in comments are its sections.

To be fast enough in plain Python many chunks (and parents) are hashed at once: a word of each of
them is in a lane of 64 bits of one long integer, whose upper halves are masked off after each step.
"""
import struct

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)  # of a round's words in the one before
MIX = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
       (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
CHUNK_START, CHUNK_END, PARENT, ROOT, KEYED = 1, 2, 4, 8, 16


def lanes(words):
    return int.from_bytes(struct.pack(f"<{len(words)}Q", *words), "little")


def words_of(x, n):
    return list(struct.unpack(f"<{n}Q", x.to_bytes(8 * n, "little")))


def compress(cv, m, counter, length, flags, n=1):
    """2.2: the next chaining value of each of n lanes."""
    ones = lanes([1] * n)
    mask = 0xFFFFFFFF * ones
    v = [*cv, *(w * ones for w in IV[:4]), counter, 0, length * ones, flags * ones]
    for _ in range(7):
        for i, (a, b, c, d) in enumerate(MIX):
            va, vb, vc, vd = v[a], v[b], v[c], v[d]
            for word, d_right, b_right in ((m[2 * i], 16, 12), (m[2 * i + 1], 8, 7)):
                va = va + vb + word & mask
                vd ^= va
                vd = (vd >> d_right | vd << 32 - d_right) & mask
                vc = vc + vd & mask
                vb ^= vc
                vb = (vb >> b_right | vb << 32 - b_right) & mask
            v[a], v[b], v[c], v[d] = va, vb, vc, vd
        m = [m[i] for i in ORDER]
    return [x ^ y for x, y in zip(v, v[8:])]


def chunk(data, key, counter, flags, root=0):
    """2.4: at most 1,024 bytes, which may be the root."""
    cv, blocks = key, [data[i : i + 64] for i in range(0, len(data), 64)] or [b""]
    for i, block in enumerate(blocks):
        at = (CHUNK_START if i == 0 else 0) | (CHUNK_END | root if i == len(blocks) - 1 else 0)
        cv = compress(cv, struct.unpack("<16I", block.ljust(64, b"\0")), counter, len(block), flags | at)
    return cv


def chunks(data, key, flags):
    """Chaining values of all chunks, word by word: eight lists."""
    n = len(data) // 1024
    words = struct.unpack(f"<{n * 256}I", data[: n * 1024])
    cv = [k * lanes([1] * n) for k in key]
    for b in range(16):
        at = {0: CHUNK_START, 15: CHUNK_END}.get(b, 0)
        cv = compress(cv, [lanes(words[16 * b + w :: 256]) for w in range(16)], lanes(range(n)), 64, flags | at, n)
    last = chunk(data[n * 1024 :], key, n, flags) if len(data) % 1024 else None
    return [words_of(x, n) + ([last[i]] if last else []) for i, x in enumerate(cv)]


def blake3(data, key=None):
    flags, key = (0, IV) if key is None else (KEYED, struct.unpack("<8I", key))
    if len(data) <= 1024:
        return struct.pack("<8I", *chunk(data, key, 0, flags, ROOT))
    cvs = chunks(data, key, flags)
    while (n := len(cvs[0])) > 1:
        # 2.1: neighbours pair up; an odd one moves up as it is.
        pairs, odd = n // 2, [c[n - n % 2 :] for c in cvs]
        m = [lanes(c[side : 2 * pairs : 2]) for side in (0, 1) for c in cvs]
        cv = compress([k * lanes([1] * pairs) for k in key], m, 0, 64, flags | PARENT | (ROOT if n == 2 else 0), pairs)
        cvs = [words_of(x, pairs) + o for x, o in zip(cv, odd)]
    return struct.pack("<8I", *(c[0] for c in cvs))
