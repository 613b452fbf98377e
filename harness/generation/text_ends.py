r"""Ends of thinking that are plain text: no token of their own, and as many tokenisations as there are neighbours.

A model that was taught `</think>` without a token for it writes it as `</`, `think`, `>`, or, behind a full stop and
before a newline, as `.</`, `think`, `>\n`. A comparison of ids misses the second; s1's fork compares ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TextEnds:
    """`strings` that end a thought wherever they stand in its text.

    last_tokens   ids whose text can complete one of them: the only ones after which the text is looked at
    window        the most tokens before the last that one of them can reach back over
    decode        ids to their exact text
    """

    strings: tuple[str, ...]
    last_tokens: frozenset[int]
    window: int
    decode: Callable[[Sequence[int]], str]

    @classmethod
    def of(
        cls, strings: Sequence[str], decode: Callable[[Sequence[int]], str], token_texts: Mapping[int, str]
    ) -> TextEnds:
        """`token_texts`: of every id, decoded alone."""
        endings = tuple({string[start:] for string in strings for start in range(len(string))})
        # A character of several bytes can be completed by a token that is no text of its own.
        pieces = () if all(string.isascii() for string in strings) else ("\ufffd",)
        whole = (*strings, *pieces)
        last = (i for i, t in token_texts.items() if t.startswith(endings) or any(string in t for string in whole))
        return cls(tuple(strings), frozenset(last), max(len(string.encode()) for string in strings), decode)

    def length(self, ids: Sequence[int]) -> int:
        """How many of the last `ids` an end touches that the very last one completes; 0 if it completes none.

        They are dropped whole: of `.</` the full stop goes with the end.
        """
        if not self._in(ids):
            return 0
        length = next(length for length in range(1, len(ids) + 1) if self._in(ids[-length:]))
        return 0 if self._in(ids[-length:-1]) else length

    def _in(self, ids: Sequence[int]) -> bool:
        text = self.decode(ids)
        return any(string in text for string in self.strings)
