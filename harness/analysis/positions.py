"""What the position of an option does to a model's choices: letters chosen against letters that were right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
NONE = ""  # in the place of a letter: none was found in the answer


@dataclass(frozen=True)
class Position:
    """One letter: how often it was right, how often it was chosen, and the accuracy where it was right."""

    letter: str
    num_gold: int
    num_chosen: int
    accuracy: float  # NaN where it never was the gold


@dataclass(frozen=True)
class PositionBias:
    """Choices against golds by position."""

    positions: tuple[Position, ...]
    num_rows: int
    num_without_letter: int
    recall_spread: float  # standard deviation of the accuracy over letters; 0 without any bias
    p_value: float  # chi-square: that the chosen letters follow the golds' shares; NaN where that cannot be tested
    default_letter_gain: float  # accuracy that rows without a letter would get if "A" were guessed (s1's fork does)


def position_bias(counts: Mapping[tuple[str, str], int]) -> PositionBias:
    """The bias in `counts`: (gold letter, chosen letter or `NONE`) -> number of generations."""
    most = max((letter for pair in counts for letter in pair), default=NONE)
    letters = tuple(LETTERS[: LETTERS.index(most) + 1]) if most else ()
    gold = {letter: sum(n for (right, _), n in counts.items() if right == letter) for letter in letters}
    chosen = {letter: sum(n for (_, got), n in counts.items() if got == letter) for letter in letters}
    total = sum(counts.values())
    positions = tuple(
        Position(a, gold[a], chosen[a], counts.get((a, a), 0) / gold[a] if gold[a] else math.nan) for a in letters
    )
    known = [p.accuracy for p in positions if p.num_gold]
    mean = sum(known) / len(known) if known else 0.0
    return PositionBias(
        positions,
        total,
        total - sum(chosen.values()),
        math.sqrt(sum((x - mean) ** 2 for x in known) / len(known)) if known else 0.0,
        _p_value(gold, chosen),
        sum(n for (right, got), n in counts.items() if right == "A" and got not in letters) / total if total else 0.0,
    )


def _p_value(gold: Mapping[str, int], chosen: Mapping[str, int]) -> float:
    """Pearson's chi-square test of the chosen letters against the golds' shares, over letters that are golds."""
    used = [letter for letter in gold if gold[letter]]
    observed = [chosen[letter] for letter in used]
    if len(used) < 2 or not sum(observed):
        return math.nan
    from scipy.stats import chisquare

    scale = sum(observed) / sum(gold.values())
    return float(chisquare(observed, [gold[letter] * scale for letter in used]).pvalue)
