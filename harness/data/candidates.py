"""What a selection sees of a pool: its rows with thinking, in an order that does not depend on the pool's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.data import quality
from harness.data.schema import MAX_BATCH, metadata_in, metadata_of, with_thinking
from harness.errors import UserError

if TYPE_CHECKING:
    import datasets

Pool: TypeAlias = "datasets.Dataset | Sequence[Mapping[str, Any]]"
References = Callable[[Mapping[str, Any]], list[bool | None] | None]  # a row's grades by the reference models
CUT = ("length", "max_tokens", "budget")  # how a trace's metadata say that it was cut
# What is read of every row. Not its metadata, which are read where something asks: s1's pool has 140 kB of test cases
# in each, ten times as much as everything else.
COLUMNS = (
    "id",
    "question",
    "answer",
    "source",
    "domain",
    "thinking",
    "attempt",
    "thinking_tokens",
    "reference_correct",
    "benchmark_like",
)


@dataclass(frozen=True)
class Candidates:
    """One entry per row with thinking, sorted by id; texts and metadata stay on disk until something asks for them."""

    ids: list[str]
    domains: list[str]
    lengths: list[int]
    benchmark_like: list[bool]
    references: list[list[bool | None] | None]  # grades by the reference models; None: not known
    solved: list[bool | None]  # by the reference models; None: not known
    questions: list[bytes]  # digest: rows of one question have one
    dropped: list[str | None]  # the quality rule that drops the row; all None unless the selection asks for it
    content: list[bytes]  # digest of the row's texts
    numbers: list[int]  # of the row in the pool
    pool: Any = field(repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, position: int) -> dict[str, Any]:
        """The whole row, its metadata as a dict."""
        found = dict(self.pool[self.numbers[position]])
        return {**found, "metadata": metadata_of(found)}

    def rows(self) -> Iterator[dict[str, Any]]:
        """All of them, in order of their ids."""
        return (self.row(position) for position in range(len(self)))

    def values(self, column: str) -> Iterator[tuple[int, Any]]:
        """The position and the value of each, in the pool's order; no other column is read, and metadata are text."""
        places = {number: position for position, number in enumerate(self.numbers)}
        for number, row in enumerate(rows_of(self.pool, (column,))):
            if number in places:
                yield places[number], row[column]

    @property
    def correct(self) -> list[bool | None]:
        """Whether the row's own attempt is right; None: not graded."""
        return self._outcomes[0]

    @property
    def cut(self) -> list[bool]:
        """Whether the trace was cut before its answer."""
        return self._outcomes[1]

    @cached_property
    def _outcomes(self) -> tuple[list[bool | None], list[bool]]:
        correct: list[bool | None] = [None] * len(self)
        cut = [False] * len(self)
        for position, metadata in self.values("metadata"):
            said = _of_the_trace(metadata)
            known = said.get("attempt_correct")
            correct[position] = known if isinstance(known, bool) else None
            cut[position] = said.get("finish") in CUT
        return correct, cut

    def at(self, positions: Sequence[int]) -> Candidates:
        """The candidates at `positions` alone."""
        lists = [one.name for one in fields(self) if one.name != "pool"]
        chosen: dict[str, Any] = {name: [getattr(self, name)[i] for i in positions] for name in lists}
        return replace(self, **chosen)


def candidates(
    pool: Pool, with_quality: bool, solved_by: quality.SolvedBy = "any", references: References | None = None
) -> tuple[Candidates, str, str]:
    """The pool's candidates, the pool's fingerprint, and the unit of the lengths.

    One pass over the pool's `COLUMNS`. Lengths are `thinking_tokens` where every trace has it, else characters.

    Raises:
        UserError: two rows have one id.
    """
    seen: list[tuple[Any, ...]] = []
    content = []
    columns = COLUMNS if references is None else (*COLUMNS, "metadata")  # which say how an answer is graded
    for number, row in enumerate(rows_of(pool, columns)):
        text = "\0".join(row[name] for name in ("id", "question", "thinking", "attempt", "answer"))
        content.append(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        if not with_thinking(row):
            continue
        grades = row.get("reference_correct") or (references(row) if references is not None else None)
        seen.append(
            (
                row["id"],
                row["domain"].strip(),
                row.get("thinking_tokens"),
                len(row["thinking"]),
                bool(row.get("benchmark_like")),
                grades,
                quality.solved(grades, solved_by),
                hashlib.blake2b(row["question"].strip().encode("utf-8", "surrogatepass"), digest_size=12).digest(),
                quality.why_dropped(row) if with_quality else None,
                content[-1],
                number,
            )
        )
    digest = hashlib.sha256(b"".join(sorted(content))).hexdigest()[:16]
    seen.sort(key=lambda entry: entry[0])
    in_tokens = all(entry[2] is not None for entry in seen)
    lists: list[list[Any]] = [list(values) for values in zip(*seen, strict=True)] or [[] for _ in range(11)]
    ids, domains, tokens, characters, *others = lists
    lengths = [count or 0 for count in tokens] if in_tokens else characters
    names = [one.name for one in fields(Candidates)]
    values: dict[str, Any] = dict(zip(names, [ids, domains, lengths, *others, pool], strict=True))
    found = Candidates(**values)
    repeated = next((a for a, b in zip(found.ids, found.ids[1:], strict=False) if a == b), None)
    if repeated is not None:
        raise UserError(f"two rows of the pool have the id '{repeated}'; make the ids unique")
    return found, digest, "tokens" if in_tokens else "characters"


def _of_the_trace(metadata: Any) -> dict[str, Any]:
    """A row's metadata where they may say something of its trace: test cases of 100 kB are not parsed for nothing."""
    if isinstance(metadata, str) and '"attempt_correct"' not in metadata and '"finish"' not in metadata:
        return {}
    return metadata_in(metadata)


def rows_of(pool: Pool, columns: Sequence[str] | None = None) -> Iterator[Mapping[str, Any]]:
    """The rows one by one; a Dataset is read in batches, so that its texts are never in memory together.

    Args:
        pool: the rows.
        columns: what is wanted of them, for a Dataset to read no more; those it lacks are left out. None: everything.
    """
    if isinstance(pool, Sequence):
        yield from pool
        return
    if columns is not None:
        pool = pool.select_columns([name for name in columns if name in pool.column_names])
    of_a_row = pool.data.nbytes // max(1, pool.data.num_rows)
    for batch in pool.iter(batch_size=min(1000, MAX_BATCH // max(1, of_a_row) + 1)):
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(batch, values, strict=True))


def one_trace(rows: Candidates, how: str, key: Callable[[str], bytes]) -> list[int]:
    """The position of one trace of each question.

    Args:
        rows: the candidates.
        how: "one": any, by `key`; "best": right before not graded before wrong, whole before cut, then the longer.
        key: a row's place in a random order.
    """
    groups: dict[bytes, list[int]] = {}
    for i, question in enumerate(rows.questions):
        groups.setdefault(question, []).append(i)
    rank = {True: 0, None: 1, False: 2}
    if how == "one":
        chosen = [min(group, key=lambda i: key(rows.ids[i])) for group in groups.values()]
    else:
        chosen = [
            min(group, key=lambda i: (rank[rows.correct[i]], rows.cut[i], -rows.lengths[i], rows.ids[i]))
            for group in groups.values()
        ]
    return sorted(chosen)
