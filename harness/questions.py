"""Questions: of which kind an answer is, and when two logs' questions are one problem.

They are one where their texts agree without typography, with their options in any order.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

Kind = Literal["math", "integer", "choice", "text"]  # how an answer compares with its gold
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # of options, in the order shown

_MATH_MARKS = re.compile(r"\\[()\[\]]|\$|\\(?:,|;|!|quad|qquad)(?![a-zA-Z])|\\(?:left|right)(?![a-zA-Z])")
_LABEL = r"(?:\(?[A-Z][).:]|\(?[0-9]{1,2}[).:]|[-*])?"


def question_key(question: str, choices: Sequence[str] = ()) -> str:
    """The text by which a problem is known: no white space, no delimiters of mathematics, one form of each character.

    Of a question with options these stand apart, sorted: harnesses show them in different orders.

    Args:
        question: The problem's text, with or without its options written out.
        choices: Its options.

    Returns:
        The key; "" for an empty question.
    """
    text, options = question_parts(question, choices)
    return "|".join([text, *options]) if text else ""


def question_parts(question: str, choices: Sequence[str] = ()) -> tuple[str, tuple[str, ...]]:
    """(the text, the options) of which `question_key` is made."""
    options = sorted(filter(None, map(_squeezed, choices)))
    if options:
        known = set(options)
        lines = [line for line in question.split("\n") if _squeezed(re.sub(rf"^\s*{_LABEL}\s*", "", line)) not in known]
        question = "\n".join(lines)
    return _squeezed(question), tuple(options)


def question_hash(question: str, choices: Sequence[str] = ()) -> str | None:
    """16 hexadecimal digits of the question's key; None for an empty question."""
    key = question_key(question, choices)
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16] if key else None


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", _MATH_MARKS.sub("", unicodedata.normalize("NFKC", text))).casefold()
