"""Methods at equal compute: accuracy against all generated tokens per problem, each compared with capped budgets.

Each method is a curve of points: budgets (thoughts capped at several lengths, or not at all), Waits, rejection
sampling, REBASE, and the majority of k samples, whose cost is k times a sample's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.equal_tokens import tokens_per_problem, weighted_vote
from harness.analysis.intervals import Floats, Interval, difference_interval, share_interval
from harness.analysis.settings import Cell, setting_name, setup_of
from harness.analysis.significance import holm, paired_p_values

BUDGETS, WAITS, MAJORITY = "budgets", "Wait", "majority of k"
NAMES = {"rejection_sampling": "rejection", "rebase": "REBASE", "no_thinking": "no thinking"}
MOST_SAMPLES = 256


@dataclass(frozen=True)
class Curve:
    """One method's points, by cost.

    Attributes:
        method: its name in tables.
        tokens: (points,) generated tokens per problem: thinking, closing, answers, and what was thrown away.
        scores: (problems, points) each problem's score, NaN where missing.
        settings: (points,) what was run.
    """

    method: str
    tokens: Floats
    scores: Floats
    settings: tuple[str, ...]

    def at(self, tokens: float) -> Floats:
        """(problems,) scores at a cost, on the line between the neighbouring points over log tokens.

        Beyond the last point it is that point's score: a thought that ends by itself spends no more.
        """
        right = int(np.searchsorted(self.tokens, tokens))
        if right >= len(self.tokens):
            return self.scores[:, -1]
        if right == 0 or self.tokens[right] == tokens:
            return self.scores[:, right]
        low, high = np.log2(self.tokens[right - 1 : right + 1])
        share = (np.log2(tokens) - low) / (high - low)
        between: Floats = (1 - share) * self.scores[:, right - 1] + share * self.scores[:, right]
        return between

    def area(self, low: float, high: float) -> Floats:
        """(problems,) mean score over log tokens from `low` to `high`."""
        inner = self.tokens[(self.tokens > low) & (self.tokens < high)]
        knots = np.array([low, *inner, high])
        values = np.column_stack([self.at(one) for one in knots])
        steps = np.diff(np.log2(knots))
        mean: Floats = ((values[:, 1:] + values[:, :-1]) / 2 @ steps) / steps.sum()
        return mean


@dataclass(frozen=True)
class Contest:
    """A method's point, or its whole curve, beside capped budgets at the same tokens.

    Attributes:
        method: its name.
        setting: what was run; "" for the area under the curve.
        tokens: generated tokens per problem, (from, to) for an area.
        accuracy: the method's.
        difference: to capped budgets at these tokens, paired over problems.
        p_holm: of the exact test, adjusted over the recipe's contests.
        beyond: the tokens of the longest budget, where that is less: it cannot spend more.
    """

    method: str
    setting: str
    tokens: tuple[float, float]
    accuracy: Interval
    difference: Interval
    p_holm: float = float("nan")
    beyond: float = float("nan")

    @property
    def is_area(self) -> bool:
        """Whether it is over a range of tokens."""
        return self.tokens[0] < self.tokens[1]


@dataclass(frozen=True)
class Compute:
    """What one recipe's methods give at equal compute."""

    study: str
    task: str
    model: str
    recipe: str
    curves: tuple[Curve, ...]
    contests: tuple[Contest, ...]


def equal_compute(cells: Sequence[Cell]) -> list[Compute]:
    """The contests of every recipe on every task that ran capped budgets and something else."""
    groups: dict[tuple[str, ...], list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.study, cell.task, cell.model, cell.recipe, setup_of(cell.config)].append(cell)
    found = []
    for (study, task, model, recipe, _), members in groups.items():
        drawn = curves(members)
        if len(drawn) > 1 and drawn[0].method == BUDGETS:
            found.append(Compute(study, task, model, recipe, tuple(drawn), tuple(contests(drawn))))
    return found


def curves(cells: Sequence[Cell]) -> list[Curve]:
    """The methods' curves, capped budgets first; points without a token count or a score are left out."""
    points: dict[str, list[tuple[float, Floats, str]]] = defaultdict(list)
    for cell in cells:
        cost, name = tokens_per_problem(cell), setting_name(cell)
        if np.isnan(cost).all() or np.isnan(cell.accuracy).all():
            continue
        if cell.method == "rebase":
            voted = np.where(cell.total > 0, weighted_vote(cell.votes, cell.weights), np.nan)
            points[_method(cell)].append((float(np.nanmean(cost)), voted, name))
            continue
        one = cell.mean("total_tokens")
        points[_method(cell)].append((one, cell.accuracy, name))
        if cell.method == "budget_forcing" and not cell.num_ignores:
            for k, vote in cell.majority.items():
                if k <= MOST_SAMPLES:
                    points[f"{MAJORITY}, {name}"].append((k * one, vote, f"{k} x {name}"))
    found = []
    for method in sorted(
        points, key=lambda name: (name != BUDGETS, name.startswith(MAJORITY), min(p[0] for p in points[name]))
    ):
        kept = sorted((p for p in points[method] if p[0] > 0), key=lambda p: p[0])
        if kept:
            tokens, scores, settings = zip(*kept, strict=True)
            found.append(Curve(method, np.array(tokens), np.column_stack(scores), settings))
    return found


def _method(cell: Cell) -> str:
    if cell.method == "budget_forcing":
        if not cell.num_ignores:
            return BUDGETS
        return WAITS if cell.ignore_str in (WAITS, None) else str(cell.ignore_str)
    return NAMES.get(cell.method, cell.method.replace("_", " "))


def contests(drawn: Sequence[Curve]) -> list[Contest]:
    """Each point and each curve against the first curve at the same tokens."""
    base, found, gaps = drawn[0], list[Contest](), list[tuple[Floats, Floats]]()
    for curve in drawn[1:]:
        for at, (tokens, setting) in enumerate(zip(curve.tokens, curve.settings, strict=True)):
            if tokens < base.tokens[0]:
                continue
            scores, rival = curve.scores[:, at], base.at(tokens)
            gaps.append((scores, rival))
            beyond = float(base.tokens[-1]) if tokens > base.tokens[-1] else float("nan")
            cost = (float(tokens), float(tokens))
            found.append(_contest(curve.method, setting, cost, scores, rival, beyond))
        low, high = max(curve.tokens[0], base.tokens[0]), min(curve.tokens[-1], base.tokens[-1])
        if low < high:
            scores, rival = curve.area(low, high), base.area(low, high)
            gaps.append((scores, rival))
            found.append(_contest(curve.method, "", (float(low), float(high)), scores, rival))
    if not gaps:
        return []
    arms, rivals = (np.column_stack(columns) for columns in zip(*gaps, strict=True))
    adjusted = holm([p for p, _ in paired_p_values(arms, rivals)])
    return [
        Contest(c.method, c.setting, c.tokens, c.accuracy, c.difference, float(p), c.beyond)
        for c, p in zip(found, adjusted, strict=True)
    ]


def _contest(
    method: str,
    setting: str,
    tokens: tuple[float, float],
    scores: Floats,
    rival: Floats,
    beyond: float = float("nan"),
) -> Contest:
    return Contest(method, setting, tokens, share_interval(scores), difference_interval(scores, rival), beyond=beyond)
