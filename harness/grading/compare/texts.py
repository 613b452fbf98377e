"""Answers that are texts: equal where they say the same words, however they are written."""

from __future__ import annotations

import re
import unicodedata

from harness.grading.verdict import Verdict

_WRAPPED = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|boxed)\s*\{(.*)\}", re.DOTALL)
_AROUND = " \t\r\n\"'“”‘’«»„`*_$.,;:!"


def exact_text(answer: str, gold: str) -> Verdict:
    """The verdict on an answer whose every word has to be the gold's.

    The case of letters, white space, and marks around the text (quotes, a full stop, LaTeX's text commands) are free.

    Args:
        answer: What was extracted.
        gold: The accepted answers, one per line.
    """
    wanted = {text for line in gold.split("\n") if (text := plain_text(line))}
    if not wanted:
        return Verdict("gold_unparseable", answer, "the gold is empty", "text")
    same = plain_text(answer) in wanted
    return Verdict("correct" if same else "incorrect", answer, "the same text" if same else "another text", "text")


def plain_text(text: str) -> str:
    """A text without what may differ between two ways of writing it."""
    text = unicodedata.normalize("NFKC", text)
    while True:
        bare = text.strip(_AROUND)
        found = _WRAPPED.fullmatch(bare)
        if found is None:
            return " ".join(bare.casefold().split())
        text = found[1]
