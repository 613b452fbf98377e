"""What an answer may mean: its trees, the likeliest first. Dates and numerals with letters come first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from harness.grading.compare.dates import moment
from harness.grading.conventions import Policy
from harness.grading.extract.answer import extract_answer
from harness.grading.extract.sentences import PROSE, is_value, value_in
from harness.grading.grammar.clean import choice_prefix, clean
from harness.grading.grammar.nodes import Add, Based, Call, Div, Group, Label, Neg, Node, Num, Seq, Text, Unit
from harness.grading.grammar.parser import parse
from harness.grading.grammar.tree import holds
from harness.grading.grammar.units import counted, is_measure, mixed_units, number_word, plain_unit
from harness.grading.limits import TooBigError, UnreadableError

_MAX_SPLITS = 8  # places where the unit of an answer may begin
_UNIT_START = re.compile(
    r"(?<![\\A-Za-z])(?=[A-Za-zμΩÅ°]|\\(?:text|mathrm|mbox|textrm|rm|mu|Omega|frac|dfrac)\b)|(?<=\})(?=\s*[A-Za-z])"
)
_UNIT_TOKEN = re.compile(r"[^\W\d_]+(?:\^-?\d{1,2})?|\^-?\d{1,2}|/")
_ALONE = frozenset("VKNWJCgmsLlAFTΩ")  # single letters that a bare number may be followed by: 12V, 300K
_DECIMAL_COMMA = re.compile(r"-?(?:0,\d{1,30}|\d{1,30},(?=\d*[1-9])(?:\d{1,2}|\d{4,30}))")  # -1,0 is a list
_GROUPED = re.compile(r"-?\d{1,3}(?:,\d{2,3})+")
_INDIAN = re.compile(r"-?\d{1,2}(?:,\d{2})+,\d{3}")
_DOLLARS = re.compile(r"-?\\?\$[^$]+$")
_NUMERAL = re.compile(
    r"(-?)(?:\\(?:text|mathrm|textrm|mathbf)\s*\{\s*)?([0-9A-Z]{1,60})\s*\}?\s*_\s*"
    r"\{?\s*(?:\\(?:text|mathrm)\s*\{\s*)?(1[1-9]|2\d|3[0-6])\s*\}?\s*\}?"
)
_YES_OR_NO = re.compile(
    r"(?:\\text\s*\{\s*)?(yes|no|true|false)\s*[,;:]\s*(?:\\text\s*\{\s*)?[A-Za-z]{2}", re.IGNORECASE
)
_REMAINDER = re.compile(r"(-?\d{1,30})\s*,?\s*(?:with )?(?:a )?(?:R|r|rem\.?|remainder|余)\s*(?:of )?(\d{1,30})")
_CLAUSE = re.compile(r"\b(?:answer|because|since)\b", re.IGNORECASE)
_HEXADECIMAL = re.compile(r"-?0x[0-9A-Fa-f]{1,60}")
_NAMED_POINT = re.compile(r"[A-Z](?:_\d|')?\s*((?:\\left\s*)?\(.{1,80},.{1,80}\))")
_PERMUTATIONS = re.compile(r"P\s*\(\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)")
_LETTER_AND_VALUE = re.compile(r"\(?([A-J])[.):]\s+(\S.*)", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]{3,}")
_WRAPPED = re.compile(r"\\(?:text|mathrm|mbox|textrm)\s*\{\W*(?:\w+\W+){0,1}\w*\W*\}|\\[A-Za-z]+")
_PROPERTY = re.compile(r"\b(?:divisible|multiple|odd|even|prime|composite)\b", re.IGNORECASE)
_COMMAND = re.compile(r"\\[A-Za-z]+")
_TEXT_COMMANDS = re.compile(r"\\(?:text|mathrm|mbox|textrm|textbf|textit|rm|quad|qquad)(?![A-Za-z])|\\[ ,;:!]|[{}$]")


def _numeral(text: str) -> Node | None:
    r"""A numeral in a base beyond ten, some of whose digits are letters: AB_{16}, \text{2A}_{12}."""
    match = _NUMERAL.fullmatch(text)
    if match is None or match.group(2).isdecimal():
        return None
    digits, base = match.group(2), int(match.group(3))
    return Based(match.group(1) + digits, base) if all(int(d, 36) < base for d in digits) else None


def readings(text: str, policy: Policy) -> tuple[list[Node], str]:
    """The trees that an answer may mean, the likeliest first, and why there is none."""
    if "boxed" in text and policy.prose:
        text = clean(extract_answer(text).text or text)
    if text.casefold() in ("yes", "no", "true", "false", "none"):
        return [Text(text)], ""
    if policy.number_words and (spelled := number_word(text)) is not None:
        return [Num(spelled)], ""
    if _HEXADECIMAL.fullmatch(text):
        return [Num(Fraction(int(text, 16)))], ""
    if policy.prose and (match := _YES_OR_NO.match(text)):
        return [Text(match.group(1))], ""
    if match := _REMAINDER.fullmatch(" ".join(_TEXT_COMMANDS.sub(" ", text).split())):
        return [Call("remainder", (parse(match.group(1)), parse(match.group(2))))], ""
    if policy.bare_list and (parts := _lettered(text)):
        try:
            return [Group("(", ")", tuple(parse(clean(part)) for part in parts))], ""  # the order counts
        except (UnreadableError, TooBigError):
            pass
    special = moment(text) or _numeral(text) or (counted(text) if policy.number_words else None)
    special = special or (mixed_units(text) if policy.units else None)
    if special is not None:
        return [special], ""
    trees: list[Node] = []
    error = ""

    def read(part: str) -> None:
        nonlocal error
        try:
            trees.append(parse(part))
        except (UnreadableError, TooBigError) as e:
            error = str(e)

    if policy.choice_prefix:
        for part in _behind_a_letter(text):
            read(clean(part))
    try:
        tree: Node | None = parse(text)
    except (UnreadableError, TooBigError) as e:
        tree, error = None, str(e)
    if isinstance(tree, Num | Neg | Add) and policy.units and _DOLLARS.match(text):
        tree = Unit(tree, "dollars")  # so that $5 is not 5 cents
    if (
        policy.prose
        and not text.startswith("[")  # a list, in mathematics or in code, is no sentence
        and not is_value(tree, words=4)
        and PROSE.search(text)
        and (_is_prose(text) or _CLAUSE.search(text))
    ):
        stated = value_in(text.rpartition("\n")[2] or text)
        if stated is not None:
            read(clean(stated))
    if tree is not None:
        trees.append(tree)
    trees += [other for other in _other_readings(text, policy) if other not in trees]
    if not trees and (words := _words_only(text)):
        trees.append(Text(words))
    return trees, error


def _is_prose(text: str) -> bool:
    r"""Whether a sentence stands there, and no formula with a word or two of \text in it."""
    return bool(_WORD.search(_WRAPPED.sub(" ", text))) and not _PROPERTY.search(text)


def _behind_a_letter(text: str) -> Iterator[str]:
    """The letter and the value of `(B) 5`; the value of `B. 5`."""
    prefixed = choice_prefix(text)
    if prefixed and prefixed[1]:
        yield from prefixed
    elif match := _LETTER_AND_VALUE.fullmatch(text):
        yield match.group(2)


def _other_readings(text: str, policy: Policy) -> Iterator[Node]:
    """Less likely readings: a decimal comma, grouped digits as a list, a unit written as letters, permutations."""
    if policy.decimal_comma and _DECIMAL_COMMA.fullmatch(text):
        yield parse(text.replace(",", "."))
    if _GROUPED.fullmatch(text):
        if _INDIAN.fullmatch(text):
            yield parse(text.replace(",", ""))
        if policy.bare_list:
            yield Seq(tuple(parse(part) for part in text.split(",")), ",")
    if policy.units and (found := _with_unit(text)) is not None:
        yield found
    if match := _NAMED_POINT.fullmatch(text):
        try:
            yield Label(text[0], parse(match.group(1)))
        except (UnreadableError, TooBigError):
            return
    if match := _PERMUTATIONS.fullmatch(text):
        yield Call("perm", (parse(match.group(1)), parse(match.group(2))))


def _lettered(text: str) -> list[str]:
    """The values of "(a) 3 (b) 5" and of "1) 3; 2) 5"; [] where the marks are not the first ones in their order."""
    for marks in ("abcdef", ("i", "ii", "iii", "iv", "v"), "123456"):
        found = re.split(r"(?:^|(?<=[\s,;]))\(?(" + "|".join(sorted(marks, key=len, reverse=True)) + r")\)\s*", text)
        shown = found[1::2]
        if found[0].strip() or len(shown) < 2 or shown != list(marks[: len(shown)]):
            continue
        parts = [part.strip(" ,;.") for part in found[2::2]]
        return parts if all(parts) else []
    return []


def _with_unit(text: str) -> Node | None:
    r"""A number and the unit behind it, where the unit is written as letters: 12V, 5\,s^{-1}, 9.8 \mathrm{m}."""
    if not text[-1:] or text[0] not in "-0123456789.\\(" or len(text) > 120:
        return None
    for match in list(_UNIT_START.finditer(text))[:_MAX_SPLITS]:
        at = match.start()
        before, rest = text[:at].rstrip(" ~\\,;:"), text[at:]
        before = before.removesuffix("\\cdot").removesuffix("\\times").rstrip()
        if not before or not any(c.isdigit() for c in before):
            continue
        words = plain_unit(rest)
        if not all(_UNIT_TOKEN.fullmatch(word) for word in words.split()) or not is_measure(words):
            continue
        if len(words) == 1 and words not in _ALONE and not (words in "hM" and _stands_apart(text, at)):
            continue
        try:
            value = parse(before)
        except (UnreadableError, TooBigError):
            continue
        if isinstance(value, Num | Neg | Add | Div) or not holds(value, Text, Unit):
            return Unit(value, words)
    return None


def _stands_apart(text: str, at: int) -> bool:
    """Whether a letter that is as often a name stands as a unit would: 2.5 h, 0.1M, but not 3h."""
    return text[at - 1] in " ~,;:" or "." in text[:at]


def _words_only(text: str) -> str:
    """The words of an answer in words that the grammar does not read, or ""."""
    bare = _TEXT_COMMANDS.sub(" ", text)
    if _COMMAND.search(bare) and len(_WORD.findall(_COMMAND.sub(" ", bare))) < 2:
        return ""
    return " ".join(bare.split()) if _WORD.search(_COMMAND.sub(" ", bare)) else ""
