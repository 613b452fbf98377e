r"""Whether a trace stops in the middle of a sentence, whatever is said of how it finished.

A trace may well end without a full stop: in a formula, a box, a list, a table, code, or a bare result. What is told is
what no author stops at: an opening bracket, an operator, a comma, a formula that is not closed, a word such as "the" or
"Wait", or prose without an end in a text that ends its lines with one.
"""

from __future__ import annotations

import re

UNFINISHED = re.compile(r"(?:[,:(\[{<=^\\&]|(?:^|\s)[-+*/−])$")  # an operator behind a space: "Na+" is an ion
# No sentence ends with one of these; "Wait" is what budget forcing appends.
WORDS = re.compile(
    r"\b(?:an|the|of|to|and|or|but|so|if|then|that|which|because|since|with|by|from|as|at|is|are|was|be|we|let|for|into"
    r"|than|whether|alternatively|therefore|thus|hence|now|hmm|wait)$",
    re.IGNORECASE,
)
ITEM = re.compile(r"\s*(?:[-*+•|#>]|\(?\w{1,3}[.):])")  # a list's item, a table's row, a heading, a quotation
PROSE_WORDS = 5  # of a line that is a sentence
PROSE_SHARE = 0.75  # of the other such lines that end as sentences do
OPENED = (("\\(", "\\)"), ("\\[", "\\]"), ("\\begin{", "\\end{"))


def stops_mid_sentence(text: str) -> bool:
    """Whether the last line of `text` is not at its end. An empty text and one that ends in code are not told."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or text.count("```") % 2:
        return False
    last = lines[-1]
    if UNFINISHED.search(last):
        return True
    if not last[-1].isalnum():
        return False
    if _in_formula(text, last) or WORDS.search(last[-20:]):
        return True
    return last[-1].isalpha() and _is_prose(last) and _ends_its_lines(lines[:-1])


def _in_formula(text: str, last: str) -> bool:
    """Whether a formula is open at the end; "$5 each" is money."""
    for opening, closing in OPENED:
        at = text.rfind(opening)
        rest = text[at:]
        if at >= 0 and closing not in rest and "\n\n" not in rest and text[at - 1 : at] != "\\":  # a line's "\\[2pt]"
            return True
    dollars = last.replace("\\$", "").split("$")
    return len(dollars) % 2 == 0 and (not dollars[-1][:1].isdigit() or "\\" in dollars[-1])


def _is_prose(line: str) -> bool:
    return len(line.split()) >= PROSE_WORDS and ITEM.match(line) is None


def _ends_its_lines(lines: list[str]) -> bool:
    """Whether sentences of a text end with a sign, as far as there are any."""
    prose = [line for line in lines if _is_prose(line)]
    ended = sum(not line[-1].isalnum() for line in prose)
    return bool(prose) and ended >= PROSE_SHARE * len(prose)
