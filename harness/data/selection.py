"""Draw a training subset from a pool: random, diverse, longest, s1k, full; seeded, with a manifest.

s1's own selection is an unseeded notebook, and nothing in its repository builds the other three (its section 5.1).
Here every draw is a sha256 of (seed, purpose, number or row id): the same seed gives the same subset on every machine,
Python version, worker count and row order. No floating-point number decides anything.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.data import quality
from harness.data.schema import with_thinking
from harness.errors import UserError, unknown

if TYPE_CHECKING:
    import datasets

Pool: TypeAlias = "datasets.Dataset | Sequence[Mapping[str, Any]]"
DEFAULT_SIZE = 1000  # s1K's
# At most this share comes from the preselected benchmark-like rows. s1 takes all 384 of its 1,000 (no cap needed);
# without one, a small subset would hold nothing else.
PRESELECTED_SHARE = 0.5


@dataclass(frozen=True)
class Candidates:
    """What a selection sees of a pool: one entry per row with thinking, sorted by id; texts stay on disk."""

    ids: list[str]
    domains: list[str]
    lengths: list[int]
    benchmark_like: list[bool]
    solved: list[bool | None]  # by the reference models; None: not known
    dropped: list[str | None]  # the quality rule that drops the row; all None unless the selection asks for it
    content: list[bytes]  # digest of the row's texts

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Selected:
    """The drawn ids in drawing order, their row numbers in the pool, and the manifest."""

    ids: list[str]
    indices: list[int]
    manifest: dict[str, Any]


@dataclass
class Draw:
    """Seeded draws. `purpose` keeps the streams apart, so that one more draw in one changes no other."""

    seed: int
    purpose: str
    _number: count[int] = field(default_factory=count)

    def key(self, row_id: str) -> bytes:
        """A row's place in a random order."""
        return hashlib.sha256(f"{self.seed}\0{self.purpose}\0row\0{row_id}".encode()).digest()

    def _bits(self) -> int:
        text = f"{self.seed}\0{self.purpose}\0draw\0{next(self._number)}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")

    def below(self, bound: int) -> int:
        """Uniform in 0 .. bound - 1 (256 random bits: the bias is below 2^-200)."""
        return self._bits() % bound

    def rank(self, bound: int) -> int:
        """A rank of 0 to bound - 1, with chances in proportion to 2^-rank.

        It is the number of leading zeros of random bits, drawn again when there are too many.
        """
        while (zeros := 256 - self._bits().bit_length()) >= bound:
            pass
        return zeros


Picked = tuple[list[int], dict[str, int]]  # positions in the candidates, in order; and counts per stage
Selection = Callable[[Candidates, int, Draw], Picked]


def _shuffled(rows: Candidates, positions: list[int], draw: Draw) -> list[int]:
    return sorted(positions, key=lambda i: draw.key(rows.ids[i]))


def _longest_first(rows: Candidates, positions: list[int]) -> list[int]:
    return sorted(positions, key=lambda i: (-rows.lengths[i], rows.ids[i]))


def random(rows: Candidates, size: int, draw: Draw) -> Picked:
    """Uniform over rows (1K-random)."""
    return _shuffled(rows, list(range(len(rows))), draw)[:size], {}


def longest(rows: Candidates, size: int, draw: Draw) -> Picked:
    """The longest traces (1K-longest); the seed plays no part."""
    return _longest_first(rows, list(range(len(rows))))[:size], {}


def full(rows: Candidates, size: int, draw: Draw) -> Picked:
    """Every row with thinking (59K-full)."""
    return list(range(len(rows))), {}


def diverse(rows: Candidates, size: int, draw: Draw) -> Picked:
    """A domain uniformly, then a row of it uniformly, without replacement (1K-diverse)."""
    queues = {name: _shuffled(rows, positions, draw) for name, positions in _by_domain(rows, range(len(rows))).items()}
    return _draw_by_domain(queues, size, draw, lambda queue: 0), {"domains": len(queues)}


def s1k(rows: Candidates, size: int, draw: Draw) -> Picked:
    """Quality, difficulty, diversity: s1's Algorithm 1 on the rows that its two filters leave.

    First the benchmark-like rows; then a domain uniformly and a row of it with chance 2^-rank, the longest trace
    having the first rank, ranks counted anew after each draw.
    """
    if all(solved is None for solved in rows.solved):
        raise UserError(
            "selection s1k needs reference_correct (does a reference model solve the question?) and no row has it; "
            "run `harness data featurize --reference MODEL` on the pool first"
        )
    good = [i for i in range(len(rows)) if rows.dropped[i] is None]
    no_api_error = sum(rows.dropped[i] != "API error" for i in range(len(rows)))
    hard = [i for i in good if not rows.solved[i]]
    preselected = _shuffled(rows, [i for i in hard if rows.benchmark_like[i]], draw)
    stages = {
        "without API errors": no_api_error,
        "well formatted": len(good),
        "not solved by a reference model": len(hard),
        "of these not graded": sum(rows.solved[i] is None for i in hard),
        "benchmark-like": len(preselected),
    }
    if size > len(hard):
        raise too_small("s1k", size, len(hard), stages)
    chosen = preselected[: max(int(size * PRESELECTED_SHARE), size - (len(hard) - len(preselected)))]
    taken = set(chosen)
    rest = [i for i in hard if i not in taken]
    queues = {name: _longest_first(rows, positions) for name, positions in _by_domain(rows, rest).items()}
    chosen += _draw_by_domain(queues, size - len(chosen), draw, lambda queue: draw.rank(len(queue)))
    return chosen, {**stages, "preselected": len(taken), "domains": len(queues)}


def _by_domain(rows: Candidates, positions: Any) -> dict[str, list[int]]:
    """Positions per domain, domains in name order. Rows with no domain are one domain, named "" in the tables."""
    groups: dict[str, list[int]] = {}
    for i in positions:
        groups.setdefault(rows.domains[i], []).append(i)
    if set(groups) == {""}:
        raise UserError(
            "no row of the pool has a domain; fill the column, or run `harness data featurize --domains keywords`"
        )
    return dict(sorted(groups.items()))


def _draw_by_domain(
    queues: dict[str, list[int]], size: int, draw: Draw, place: Callable[[list[int]], int]
) -> list[int]:
    """`size` rows: each time a domain uniformly among those not yet empty, then the row at `place` of its queue."""
    names, chosen = list(queues), list[int]()
    while len(chosen) < size:
        name = names[draw.below(len(names))]
        chosen.append(queues[name].pop(place(queues[name])))
        if not queues[name]:
            names.remove(name)
    return chosen


SELECTIONS: dict[str, Selection] = {
    "random": random,
    "diverse": diverse,
    "longest": longest,
    "s1k": s1k,
    "full": full,
}


def too_small(selection: str, size: int, available: int, stages: dict[str, int]) -> UserError:
    """The error for a selection larger than what it may draw from."""
    left = {name: number for name, number in stages.items() if number >= available and not name.startswith("of these")}
    path = " -> ".join(f"{number} {name}" for name, number in left.items())
    return UserError(
        f"selection {selection} of {size} rows is larger than its pool: {available} rows are left ({path}); "
        f"ask for {available} or fewer, or give a larger pool"
    )


def candidates(
    pool: Pool, with_quality: bool, solved_by: quality.SolvedBy = "any"
) -> tuple[Candidates, list[int], str, str]:
    """The pool's candidates sorted by id, their row numbers, the pool's fingerprint, and the unit of the lengths.

    One pass over the pool. Lengths are `thinking_tokens` where every trace has it, else characters.
    """
    seen: list[tuple[str, int, str, int | None, int, bool, bool | None, str | None, bytes]] = []
    content = []
    for number, row in enumerate(_rows(pool)):
        text = "\0".join(row[name] for name in ("id", "question", "thinking", "attempt", "answer"))
        content.append(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        if with_thinking(row):
            why = quality.why_dropped(row) if with_quality else None
            seen.append(
                (
                    row["id"],
                    number,
                    row["domain"].strip(),
                    row.get("thinking_tokens"),
                    len(row["thinking"]),
                    bool(row.get("benchmark_like")),
                    quality.solved(row.get("reference_correct"), solved_by),
                    why,
                    content[-1],
                )
            )
    digest = hashlib.sha256(b"".join(sorted(content))).hexdigest()[:16]
    seen.sort(key=lambda entry: entry[0])
    in_tokens = all(entry[3] is not None for entry in seen)
    found = Candidates(
        ids=[entry[0] for entry in seen],
        domains=[entry[2] for entry in seen],
        lengths=[(entry[3] or 0) if in_tokens else entry[4] for entry in seen],
        benchmark_like=[entry[5] for entry in seen],
        solved=[entry[6] for entry in seen],
        dropped=[entry[7] for entry in seen],
        content=[entry[8] for entry in seen],
    )
    repeated = next((a for a, b in zip(found.ids, found.ids[1:], strict=False) if a == b), None)
    if repeated is not None:
        raise UserError(f"two rows of the pool have the id '{repeated}'; make the ids unique")
    return found, [entry[1] for entry in seen], digest, "tokens" if in_tokens else "characters"


def _rows(pool: Pool) -> Iterator[Mapping[str, Any]]:
    """The rows one by one; a Dataset is read in batches, so that its texts are never in memory together."""
    if isinstance(pool, Sequence):
        yield from pool
        return
    for batch in pool.iter(batch_size=1000):
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(batch, values, strict=True))


def select(
    pool: Pool, selection: str, size: int | None = None, seed: int = 0, solved_by: quality.SolvedBy = "any"
) -> Selected:
    """`size` rows of `pool` (None: 1,000, or all for `full`), the same for the same pool content and seed.

    random, diverse, longest and full draw from every row with thinking; only s1k filters for quality and difficulty,
    so that each of them drops one idea of s1's (section 5.1). `solved_by`: see `quality.solved`. Raises `UserError`
    when the pool is too small.
    """
    if selection not in SELECTIONS:
        raise unknown("selection", selection, SELECTIONS)
    rows, numbers, fingerprint, unit = candidates(pool, selection == "s1k", solved_by)
    stages = {"pool": len(pool), "with thinking": len(rows)}
    if selection == "full" and size not in (None, len(rows)):
        raise UserError(f"selection full takes all {len(rows)} rows; leave the size out, or use random for {size}")
    wanted = len(rows) if selection == "full" else DEFAULT_SIZE if size is None else size
    if wanted < 1:
        raise UserError(f"selection {selection} of {wanted} rows is empty; ask for 1 or more rows with thinking")
    if wanted > len(rows):
        raise too_small(selection, wanted, len(rows), stages)
    picked, more = SELECTIONS[selection](rows, wanted, Draw(seed, selection))
    ids = [rows.ids[i] for i in picked]
    domains = Counter(rows.domains[i] for i in picked)
    manifest = {
        "selection": selection,
        "seed": seed,
        "size": wanted,
        "pool_fingerprint": fingerprint,
        "length_unit": unit,
        "solved_by": solved_by if selection == "s1k" else None,
        "stages": {**stages, **more, "selected": len(ids)},
        "domains": dict(sorted(domains.items())),
        # Of ids and texts, in drawing order: what a model trained on these rows is known by.
        "sha256": hashlib.sha256(b"".join(rows.content[i] for i in picked)).hexdigest(),
        "ids": ids,
    }
    return Selected(ids, [numbers[i] for i in picked], manifest)
