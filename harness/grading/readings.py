"""What an answer may mean: its trees, the likeliest first. Dates and numerals with letters come first."""

from __future__ import annotations

import re

from harness.grading.compare.dates import moment
from harness.grading.conventions import Policy
from harness.grading.extract.answer import extract_answer
from harness.grading.extract.sentences import PROSE, is_value, value_in
from harness.grading.grammar.clean import choice_prefix, clean
from harness.grading.grammar.expressions import Node
from harness.grading.grammar.parser import parse
from harness.grading.grammar.units import counted, number_word
from harness.grading.limits import TooBigError, UnreadableError

_SPACED_UNIT = re.compile(
    r"(-?\d{1,30}(?:\.\d{1,30})?)(?:(?:\s|~|\\[,;: ])+|(?=\\(?:mathrm|text|mbox|textrm)))"
    r"(?:\\(?:mathrm|text|mbox|textrm)\s*\{\s*)?"
    r"((?:[mgshLlNJWVK]|cm|km|kg|mm|ft|in)(?:\s*\^?\s*[23])?(?:\s*/\s*(?:s|h|hr)\s*(?:\^?\s*2)?)?)\.?(?:\s*\})?"
)
_DECIMAL_COMMA = re.compile(r"-?(?:0,\d{1,30}|\d{1,30},(?=\d*[1-9])(?:\d{1,2}|\d{4,30}))")  # -1,0 is a list
_DOLLARS = re.compile(r"-?\\?\$[^$]+$")
_NUMERAL = re.compile(
    r"(-?)(?:\\(?:text|mathrm|textrm|mathbf)\s*\{\s*)?([0-9A-Z]{1,60})\s*\}?\s*_\s*"
    r"\{?\s*(?:\\(?:text|mathrm)\s*\{\s*)?(1[1-9]|2\d|3[0-6])\s*\}?\s*\}?"
)


def _numeral(text: str) -> Node | None:
    """A numeral in a base beyond ten, some of whose digits are letters: AB_{16}, \\text{2A}_{12}."""
    match = _NUMERAL.fullmatch(text)
    if match is None or match.group(2).isdecimal():
        return None
    digits, base = match.group(2), int(match.group(3))
    return ("based", match.group(1) + digits, base) if all(int(d, 36) < base for d in digits) else None


def readings(text: str, policy: Policy) -> tuple[list[Node], str]:
    """The trees that an answer may mean, the likeliest first, and why there is none."""
    trees: list[Node] = []
    error = ""
    if "boxed" in text and policy.prose:
        text = clean(extract_answer(text).text or text)
    if text.casefold() in ("yes", "no", "true", "false", "none"):
        return [("text", text)], ""
    if policy.number_words and (spelled := number_word(text)) is not None:
        return [("num", spelled, None)], ""
    special = moment(text) or _numeral(text) or (counted(text) if policy.number_words else None)
    if special is not None:
        return [special], ""
    if policy.units and (match := _SPACED_UNIT.fullmatch(text)):
        trees.append(("unit", parse(match.group(1)), match.group(2)))
    prefixed = choice_prefix(text)
    if prefixed and prefixed[1] and policy.choice_prefix:
        for part in (prefixed[0], prefixed[1]):
            try:
                trees.append(parse(clean(part)))
            except (UnreadableError, TooBigError) as e:
                error = str(e)
    try:
        tree = parse(text)
    except (UnreadableError, TooBigError) as e:
        tree, error = None, str(e)
    if tree is not None and tree[0] in ("num", "neg", "add") and policy.units and _DOLLARS.match(text):
        tree = ("unit", tree, "dollars")  # so that $5 is not 5 cents
    if policy.prose and not is_value(tree, words=4) and PROSE.search(text):
        stated = value_in(text.rpartition("\n")[2] or text)
        if stated is not None:
            try:
                trees.append(parse(clean(stated)))
            except (UnreadableError, TooBigError) as e:
                error = str(e)
    if tree is not None:
        trees.append(tree)
    if policy.decimal_comma and _DECIMAL_COMMA.fullmatch(text):
        trees.append(parse(text.replace(",", ".")))
    return trees, error
