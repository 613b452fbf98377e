"""Draw a training subset from a pool: s1's five ways and others, or one's own; seeded, with a manifest.

s1's own selection is an unseeded notebook, and nothing in its repository builds the other three (its section 5.1).
Here every draw is a sha256 of (seed, purpose, number or row id): the same seed gives the same subset on every machine,
Python version, worker count and row order. No floating-point number decides anything.
"""

from __future__ import annotations

import hashlib
import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.config import TRACES
from harness.data import more_selections, own_selection, quality
from harness.data.candidates import Candidates, Pool, References, candidates, one_trace
from harness.data.draws import Draw, Picked, too_small
from harness.errors import UserError, unknown

DEFAULT_SIZE = 1000  # s1K's
# At most this share comes from the preselected benchmark-like rows. s1 takes all 384 of its 1,000 (no cap needed);
# without one, a small subset would hold nothing else.
PRESELECTED_SHARE = 0.5
LAST_SHARE = 0.3  # of the rows: what s1's notebook draws by the domains of the benchmarks


@dataclass(frozen=True)
class Selected:
    """The drawn ids in drawing order, their row numbers in the pool, and the manifest."""

    ids: list[str]
    indices: list[int]
    manifest: dict[str, Any]


Selection = Callable[..., Picked]  # of candidates, size, draw, and options of its own


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


def quality_only(rows: Candidates, size: int, draw: Draw) -> Picked:
    """Uniform over the rows that pass the quality rules: the paper's 1K-random, its "Only Quality"."""
    good = [i for i in range(len(rows)) if rows.dropped[i] is None]
    stages = {"well formatted": len(good)}
    if size > len(good):
        raise too_small("quality", size, len(good), stages)
    return _shuffled(rows, good, draw)[:size], stages


def s1k(rows: Candidates, size: int, draw: Draw, ungraded: str = "drop", law: str = "paper") -> Picked:
    """Quality, difficulty, diversity: s1's Algorithm 1 on the rows that its two filters leave.

    First the benchmark-like rows; then a domain uniformly and a row of it with chance 2^-rank, the longest trace
    having the first rank, ranks counted anew after each draw.

    Args:
        rows: the candidates.
        size: how many.
        draw: seeded.
        ungraded: "drop" (s1): a row is hard only where every reference model was graded; "keep": where none solved it.
        law: "paper", or "notebook": s1's own code draws the last 30% of the domains by their share of benchmark-like
            rows, not uniformly.
    """
    for name, value, known in (("ungraded", ungraded, ("drop", "keep")), ("law", law, ("paper", "notebook"))):
        if value not in known:
            raise unknown(f"value of {name}", str(value), known)
    if all(solved is None for solved in rows.solved):
        raise UserError(
            "selection s1k needs reference_correct (does a reference model solve the question?) and no row has it; "
            "run `harness data featurize --reference MODEL` on the pool first"
        )
    good = [i for i in range(len(rows)) if rows.dropped[i] is None]
    no_api_error = sum(rows.dropped[i] != "API error" for i in range(len(rows)))
    unsolved = [i for i in good if not rows.solved[i]]
    not_graded = {i for i in unsolved if None in (rows.references[i] or [None])}
    hard = unsolved if ungraded == "keep" else [i for i in unsolved if i not in not_graded]
    preselected = _shuffled(rows, [i for i in hard if rows.benchmark_like[i]], draw)
    stages = {
        "without API errors": no_api_error,
        "well formatted": len(good),
        "not solved by a reference model": len(hard),
        f"of these not graded ({ungraded})" if ungraded == "keep" else "of the others not graded": len(not_graded),
        "benchmark-like": len(preselected),
    }
    if size > len(hard):
        raise too_small("s1k", size, len(hard), stages)
    chosen = preselected[: max(int(size * PRESELECTED_SHARE), size - (len(hard) - len(preselected)))]
    taken = set(chosen)
    rest = [i for i in hard if i not in taken]
    queues = {name: _longest_first(rows, positions) for name, positions in _by_domain(rows, rest).items()}

    def place(queue: list[int]) -> int:
        return draw.rank(len(queue))

    left = size - len(chosen)
    last = 0 if law == "paper" else min(left, round(LAST_SHARE * size))
    chosen += _draw_by_domain(queues, left - last, draw, place)
    if last:
        weights = Counter(rows.domains[i] for i in hard if rows.benchmark_like[i])
        chosen += _draw_by_domain(queues, last, draw, place, weights)
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
    queues: dict[str, list[int]],
    size: int,
    draw: Draw,
    place: Callable[[list[int]], int],
    weights: Mapping[str, int] | None = None,
) -> list[int]:
    """`size` rows: each time a domain among those not yet empty, then the row at `place` of its queue.

    Domains are drawn uniformly, or by `weights` while a domain with one is left.
    """
    names, chosen = [name for name in queues if queues[name]], list[int]()
    while len(chosen) < size:
        tickets = [name for name in names for _ in range((weights or {}).get(name, 0))] or names
        name = tickets[draw.below(len(tickets))]
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
    "quality": quality_only,
}
NAMED: dict[str, Selection] = {
    **SELECTIONS,
    "reward": more_selections.reward,  # these need an option or a column
    "limo": more_selections.limo,
    "kcenter": more_selections.kcenter,
}
WITH_QUALITY = ("s1k", "quality", "limo")  # which look at the quality rules


def check(selection: str) -> None:
    """Raise `UserError` unless `selection` is a name in `NAMED` or a function of one's own that can be loaded."""
    if own_selection.is_own(selection):
        own_selection.load(selection)
    elif selection not in NAMED:
        raise unknown("selection", selection, NAMED)


def select(
    pool: Pool,
    selection: str,
    size: int | None = None,
    seed: int = 0,
    solved_by: quality.SolvedBy = "any",
    *,
    traces: str = "each",
    options: Mapping[str, Any] | None = None,
    references: References | None = None,
) -> Selected:
    """`size` rows of `pool` (None: 1,000, or all for `full`), the same for the same pool content and seed.

    random, diverse, longest and full draw from every row with thinking; only s1k filters for quality and difficulty,
    so that each of them drops one idea of s1's (section 5.1).

    Args:
        pool: rows in the pool schema.
        selection: a name in `NAMED`, or `file.py:function` (`harness.data.own_selection`).
        size: rows; of traces="all", questions.
        seed: of the draws.
        solved_by: see `quality.solved`.
        traces: where a question has several: "each" stands for itself; "one" drawn or the "best" stands for its
            question; "all" of a chosen question are taken.
        options: of the selection, by name.
        references: a row's grades by the reference models, where its own column has none.

    Raises:
        UserError: the pool is too small, or lacks what the selection needs.
    """
    own = own_selection.load(selection) if own_selection.is_own(selection) else None
    if own is None and selection not in NAMED:
        raise unknown("selection", selection, NAMED)
    if traces not in TRACES:
        raise unknown("value of traces", traces, TRACES)
    everything, fingerprint, unit = candidates(pool, selection in WITH_QUALITY, solved_by, references)
    draw = Draw(seed, selection if own is None else own.name)
    rows = everything
    stages = {"pool": len(pool), "with thinking": len(rows)}
    if traces != "each":
        key = Draw(seed, "trace").key
        rows = everything.at(one_trace(everything, "one" if traces == "one" else "best", key))
        stages["questions"] = len(rows)
    if selection == "full" and size not in (None, len(rows)):
        raise UserError(f"selection full takes all {len(rows)} rows; leave the size out, or use random for {size}")
    wanted = len(rows) if selection == "full" else DEFAULT_SIZE if size is None else size
    if wanted < 1:
        raise UserError(f"selection {selection} of {wanted} rows is empty; ask for 1 or more rows with thinking")
    if wanted > len(rows):
        raise too_small(selection, wanted, len(rows), stages)
    given = dict(options or {})
    if own is not None:
        picked, more = own(rows, wanted, seed, given)
    else:
        function = NAMED[selection]
        _check_options(selection, function, given)
        picked, more = function(rows, wanted, draw, **given)
    if traces == "all":
        rows, picked = everything, _all_traces(rows, everything, picked)
    ids = [rows.ids[i] for i in picked]
    domains = Counter(rows.domains[i] for i in picked)
    manifest = {
        "selection": selection,
        "seed": seed,
        "size": wanted,
        "traces": traces,
        "options": given,
        "source_sha256": None if own is None else own.source_sha256,
        "pool_fingerprint": fingerprint,
        "length_unit": unit,
        "solved_by": solved_by if selection == "s1k" else None,
        "stages": {**stages, **more, "selected": len(ids)},
        "domains": dict(sorted(domains.items())),
        # Of ids and texts, in drawing order: what a model trained on these rows is known by.
        "sha256": hashlib.sha256(b"".join(rows.content[i] for i in picked)).hexdigest(),
        "ids": ids,
    }
    return Selected(ids, [rows.numbers[i] for i in picked], manifest)


def _all_traces(rows: Candidates, everything: Candidates, picked: list[int]) -> list[int]:
    """Positions in `everything` of all traces of the questions picked, question by question."""
    groups: dict[bytes, list[int]] = {}
    for i, question in enumerate(everything.questions):
        groups.setdefault(question, []).append(i)
    return [i for position in picked for i in groups[rows.questions[position]]]


def _check_options(selection: str, function: Selection, options: Mapping[str, Any]) -> None:
    known = list(inspect.signature(function).parameters)[3:]
    for name in options:
        if name not in known:
            raise unknown(f"option of selection {selection}", name, known or ("none",))
