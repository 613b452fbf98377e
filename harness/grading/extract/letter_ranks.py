"""What a clause says of an option, and how much that weighs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from harness.grading.extract.letter_words import Role, Token

NOUNS = Role.ANSWER | Role.OPTION
MAX_LINK = 9  # tokens of one chain of linking words
MARKS = frozenset(",;:.!)–—-*|。，；")
HEDGES = frozenset(("maybe", "perhaps", "possibly", "could", "may", "might", "könnte", "pourrait", "podría", "poderia"))


class Rank(IntEnum):
    """What a mention is worth; the highest rank that a response holds decides."""

    EXCLUSION = 1  # every other option was excluded in so many words
    TEXT = 2  # an option's own text, alone in its sentence
    VALUE = 3  # a stated value that equals one option
    ENDING = 4  # the last sentence ends "... is B."
    LETTER_AND_TEXT = 5
    TURN = 6  # "I would go with B"
    LINE = 7  # the first or last line is the letter
    STATEMENT = 8  # "The answer is B", a box, a tag


class Said(NamedTuple):
    """What a clause says of its mention: a rank, or that it is denied; neither where it says nothing."""

    rank: Rank | None = None
    denied: bool = False
    judged: bool = False  # "B is correct": of several options judged so none is chosen


NOTHING = Said()
DENIED = Said(denied=True)


def turn(holds: bool) -> Said:
    """A turn to the option, where `holds`."""
    return Said(Rank.TURN) if holds else NOTHING


def roles_of(some: Sequence[Token]) -> int:
    """All the roles of some tokens."""
    roles = 0
    for token in some:
        roles |= token.roles
    return roles
