"""The second reader's BLAKE3 gives the official test vectors, which the program's own unit test keeps."""
import os
import re

from blake3 import blake3

VECTORS = os.path.join(os.path.dirname(__file__), "../unit/crypto/blake3_vectors.h")
KEY = b"whats the Elvish word for friend"


def test_blake3_in_python_gives_the_official_vectors():
    with open(VECTORS, encoding="utf-8") as f:
        rows = re.findall(r'\{(\d+), "([0-9a-f]{64})",\s*"([0-9a-f]{64})"\}', f.read())
    assert len(rows) == 22
    for length, plain, keyed in rows:
        data = bytes(i % 251 for i in range(int(length)))
        assert blake3(data).hex() == plain, length
        assert blake3(data, KEY).hex() == keyed, length
