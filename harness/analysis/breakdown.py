"""Accuracy and paired differences within groups of problems: by their facts (subject, level), and by difficulty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.intervals import Floats, Interval, difference_interval, share_interval
from harness.analysis.settings import Cell, Cells

MOST_GROUPS = 16  # a fact with more values (a problem's own number) is no group
THIRDS = ("easy", "middling", "hard")


@dataclass(frozen=True)
class Group:
    """Some of a task's problems.

    Attributes:
        by: the fact, or "difficulty".
        name: its value.
        members: (problems,) which belong to it.
    """

    by: str
    name: str
    members: NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """One cell within one group."""

    group: Group
    cell: int
    accuracy: Interval
    difference: Interval | None


def groups(loaded: Cells, task: str, base: Cell | None) -> list[Group]:
    """The groups of a task's problems that have at least two values.

    Args:
        loaded: what was read, with the problems' facts.
        task: whose problems.
        base: the run whose thinking tokens say how hard a problem is: thirds of equal size; None: no such groups.
    """
    problems = loaded.problems[task]
    facts = sorted(loaded.facts.get(task, {}).items())
    found = [group for name, values in facts for group in by_fact(name, values, problems)]
    if base is not None:
        found += by_difficulty(base.means["thinking_tokens"])
    return found


def by_fact(name: str, values: Mapping[str, str], problems: Sequence[str]) -> Iterator[Group]:
    """A group per value of a fact; none where it has one value, or nearly as many as problems."""
    column = np.array([values.get(problem, "") for problem in problems], dtype=object)
    distinct = sorted(set(column) - {""}, key=lambda value: (len(value), value))
    if 2 <= len(distinct) <= min(MOST_GROUPS, len(problems) / 2):
        for value in distinct:
            yield Group(name, value, column == value)


def by_difficulty(tokens: Floats) -> list[Group]:
    """Thirds by thinking tokens; none where fewer than six problems have a count, or all have the same."""
    known = ~np.isnan(tokens)
    if known.sum() < 6 or np.ptp(tokens[known]) == 0:
        return []
    ranks = np.full(tokens.size, -1)
    ranks[known] = np.argsort(np.argsort(tokens[known], kind="stable"), kind="stable") * 3 // known.sum()
    return [Group("difficulty", _range(THIRDS[third], tokens[ranks == third]), ranks == third) for third in range(3)]


def _range(name: str, tokens: Floats) -> str:
    return f"{name}: {tokens.min():,.0f} to {tokens.max():,.0f} tokens"


def parts(cells: Sequence[Cell], members: Sequence[int], reference: int | None, found: Sequence[Group]) -> list[Part]:
    """Each member's accuracy in each group, with its paired difference to the reference's there."""
    result = []
    for group in found:
        for i in members:
            scores = cells[i].correct[group.members]
            gap = None
            if reference is not None and i != reference:
                gap = difference_interval(scores, cells[reference].correct[group.members])
            result.append(Part(group, i, share_interval(scores), gap))
    return result
