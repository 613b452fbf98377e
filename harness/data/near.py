"""Near duplicates: texts whose word 5-grams overlap by a given share, found by MinHash and bands.

"On the resemblance and containment of documents" (Broder 1997); bands as in "Mining of Massive Datasets", chapter 3.
Candidates are checked by their exact overlap, so that what is reported is one.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from harness.data.same_text import tokens

SHINGLE = 5  # words
BANDS, ROWS = 24, 4  # a pair of overlap 0.8 is a candidate with chance 1 - (1 - 0.8^4)^24 = 1 - 3e-6
PRIME = np.uint64((1 << 31) - 1)  # so that products of a number and a factor below it fit 64 bits


def shingles(text: str) -> set[int]:
    """A number for each run of `SHINGLE` words; the whole of a shorter text is one."""
    words = tokens(text)
    runs = [words[start : start + SHINGLE] for start in range(max(1, len(words) - SHINGLE + 1))] if words else []
    return {_number(run) for run in runs}


def _number(words: list[str]) -> int:
    """64 bits of a hash that is the same in every process."""
    return int.from_bytes(hashlib.blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=8).digest())


def near_duplicates(texts: Iterable[tuple[str, str]], share: float = 0.8) -> Iterator[tuple[str, str]]:
    """(id, id of an earlier text) of each text that has `share` of its 5-grams in common with an earlier one.

    The share is Jaccard's, of both texts' 5-grams together. `texts`: (id, text).
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(b"minhash").digest()[:4]))
    factors = rng.integers(1, 1 << 31, BANDS * ROWS, dtype=np.uint64)
    offsets = rng.integers(0, 1 << 31, BANDS * ROWS, dtype=np.uint64)
    buckets: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
    kept: list[tuple[str, set[int]]] = []
    for row_id, text in texts:
        found = shingles(text)
        if not found:
            continue
        values = np.fromiter((one & 0x3FFFFFFF for one in found), dtype=np.uint64, count=len(found))
        least = ((values[:, None] * factors + offsets) % PRIME).min(axis=0)
        keys = [(band, least[band * ROWS : (band + 1) * ROWS].tobytes()) for band in range(BANDS)]
        seen: set[int] = set()
        for number in (one for key in keys for one in buckets[key]):
            if number not in seen:
                seen.add(number)
                other = kept[number][1]
                if len(found & other) >= share * len(found | other):
                    yield row_id, kept[number][0]
                    break
        else:
            kept.append((row_id, found))
            for key in keys:
                buckets[key].append(len(kept) - 1)
