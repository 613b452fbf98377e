"""The number that a sentence in words comes to: the last one that is no circumstance, or the one it counts."""

from __future__ import annotations

import re

from harness.grading.grammar.units import number_word

NEGATED = re.compile(r"\b(?:not|no|never|isn't|cannot|can't|neither|nicht|keine?)\b|不是|并非", re.IGNORECASE)
WRONG = re.compile(
    r"\b(?:is|was)\s+(?:not|incorrect|wrong|false)\b|(?:ではない|じゃない|ではありません)(?=[\s。]*$)", re.IGNORECASE
)
NUMBER = re.compile(
    r"(?<![\w.,:])\d{1,3}:\d{1,3}(?::\d{2})?(?:\s?[ap]\.?m\b\.?)?(?![\d:])|"  # 3:45 p.m., 3:4
    r"(?<![A-Za-z0-9_.,])[-−+]?\s?[$€£¥]?\d+(?:[,.]\d+)*(?:/\d+)?\s?%?(?![A-Za-z_]*\d)"
)
_BOUND = re.compile(
    r"\b(?:between|at least|at most|more than|less than|greater than|fewer than|up to)\b", re.IGNORECASE
)
_NEEDED = re.compile(r"\b(?:must|needs?|requires?|takes|has to|have to)\b.{0,30}\bat least\s*$", re.IGNORECASE)
_SIDE_BY_SIDE = re.compile(r"\d\s+$")
# The circumstances of the value before it: "450 dollars in 3 weeks", "84 marbles after giving away 16".
_CIRCUMSTANCE = re.compile(
    r"(?<!result)(?<!results)(?<!resulting)(?<!resulted)\s(?:after|before|in|within|during|out of|upon|"
    r"on dividing)\s(?=\D{0,40}\d)|"
    r"\sof (?:the|her|his|their|its|our|my|these|those)\s(?=(?:\w+\s)?\d)|\s(?:on|from)\s(?=\d)|\sfor\s(?=(?:the\s|"
    r"an?\s)?\d)|,\s(?:at|"
    r"by)\s(?=\d{1,2}(?::\d\d)?\s?[ap]\.?m)"
)
# What the value is for: "7 more hours to earn 100 dollars"; "5 and 3 to get 8" is the value itself.
_FOR_WHAT = re.compile(
    r"\s(?:in order\s)?to\s(?!(?:get|give|make|obtain|yield|find|have|be|reach|total|arrive|become|form|conclude)\b)"
    r"[a-z]{2,}\s"
)
_TUPLE = re.compile(
    r"\((?:\s*[-−+]?[\w./√^]{1,20}\s*,){1,5}\s*[-−+]?[\w./√^]{1,20}\s*\)(?=[\s.!]*$)"
)  # lies at (3, -4).
_PARTS = re.compile(  # 2 hours and 15 minutes
    r"\d+\s(?:days?|hours?|hrs?|minutes?|mins?|feet|ft|pounds?|kg|dollars?|weeks?|years?)(?:,?\sand|,)?\s\d+\s"
    r"(?:hours?|hrs?|minutes?|mins?|seconds?|secs?|inches|in|ounces?|oz|grams?|g|cents?|days?|months?)(?=[\s.!]*$)"
)
_SERIES = re.compile(  # 5 cm, 12 cm, and 13 cm
    r"(?<![\d.,])\d[\d.]*\s?(?:[a-z]{1,10}|°|%)?(?:,\s\d[\d.]*\s?(?:[a-z]{1,10}|°|%)?){1,8},?\sand\s\d[\d.]*\s?(?:[a-z]{1,10}|°|%)?(?=[\s.!]*$)"
)
_CHANCE = re.compile(r"\b(?:probability|chance|odds)\b.{0,60}?\b(\d+)\s(?:in|out of)\s(\d+)\s*[.!]?\s*$", re.IGNORECASE)
_COUNTED = re.compile(  # "there are exactly 4 such integers: 1, 2, 3 and 6", "there are three of them"
    r"\b(?:there\s(?:are|is|will be|were)|(?:has|have|need|needs|get|gets|leaves|makes)(?=\s(?:exactly|"
    r"only)?\s?[a-z]))\s"
    r"(?:then\s|thus\s|therefore\s|exactly\s|only\s|a total of\s|precisely\s|in total\s)*"
    r"(?P<count>\d[\d,]*|[a-z]+(?:[- ][a-z]+)?)(?=\s[a-z]+|\s*[.:(!]|$)",
    re.IGNORECASE,
)


def counted(sentence: str) -> str | None:
    """What a sentence counts: "4" in "there are 4 such integers: 1, 2, 3 and 6"."""
    match = _COUNTED.search(sentence)
    if match is None or "=" in sentence or NEGATED.search(sentence) or _BOUND.search(sentence):
        return None
    count = match.group("count")
    if count[0].isdigit():
        after = sentence[match.end() :]
        listed = re.match(r"\s[a-z][a-z\s]{2,40}(?:[:(]|\s*[.!]?\s*$)", after)
        return count if listed and match.group().lower().startswith("there") else None
    for words in (count, count.split()[0]):
        if words.lower() not in ("one", "zero", "half") and number_word(words) is not None:
            return None if NUMBER.search(sentence) else words
    return None


def last_number(sentence: str) -> str | None:
    """The last number of a sentence, or the pair, the parts or the count that it ends in; None where it is denied."""
    if chance := _CHANCE.search(sentence):
        return f"{chance.group(1)}/{chance.group(2)}"
    if (series := _SERIES.search(sentence)) and len(set(re.findall(r"\d\s?([a-z°%]+)", series.group()))) <= 1:
        return ", ".join(number.group() for number in NUMBER.finditer(series.group()))
    for pattern in (_TUPLE, _PARTS):
        if (match := pattern.search(sentence)) and not denied_before(sentence, match.start()):
            return match.group()
    for pattern in (_FOR_WHAT, _CIRCUMSTANCE):
        for tail in reversed(list(pattern.finditer(sentence))):
            if NUMBER.search(sentence, 0, tail.start()):
                sentence = sentence[: tail.start()]
                break
    numbers = list(NUMBER.finditer(sentence))
    if (
        not numbers
        or WRONG.search(sentence)
        or (
            _BOUND.search(sentence[max(0, numbers[-1].start() - 24) : numbers[-1].start()])
            and not _NEEDED.search(sentence[: numbers[-1].start()])
        )
    ):
        return None
    last = numbers[-1]
    if denied_before(sentence, last.start()) or _SIDE_BY_SIDE.search(sentence[: last.start()]):
        return None
    return last.group()


def denied_before(sentence: str, at: int) -> bool:
    """Whether "not" stands just before `at`; in "not 5 but 6" it does not reach the 6."""
    return bool(NEGATED.search(sentence[max(0, at - 12) : at].rpartition("but ")[2]))
