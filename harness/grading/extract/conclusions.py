"""What a sentence concludes in words: no solution, the empty set, yes or no, a property, a day."""

from __future__ import annotations

import re

GIVEN_UP = re.compile(
    r"\b(?:cannot|can't|can’t|could not|couldn't|unable to|impossible to|not (?:able|possible|enough \w{1,20}) to|"
    r"do not know|don't know)\s*(?:be\s)?(?:how to\s)?(?:uniquely\s|further\s)?"
    r"(?:determined?|solved?|answer|found|find|computed?|calculated?|known?|what|the answer|conclude|$)|"
    r"(?:^|\banswer is)\W*(?:unknown|unclear|unsure|not sure|not known|undetermined|n/a|tbd|see above)\W*$",
    re.IGNORECASE,
)
_NO_SOLUTION = re.compile(
    r"\b(?:there\s+(?:are|is|exists?)|has|have|possesses?)\s+no\s+(?:\w{1,12}\s+){0,2}(?:solutions?|roots?|zeros?)\b|"
    r"\bno\s+(?:\w{1,12}\s+){0,2}solutions?\s+exists?\b|\bno such \w{1,20}(?:\s\w{1,20}){0,2} exists?\b|无解|没有解",
    re.IGNORECASE,
)
_INFINITELY_MANY = re.compile(
    r"\b(?:there\s+(?:are|exist)|has|have)\s+(infinitely many(?:\s+(?:\w{1,12}\s+)?(?:solutions|values))?)",
    re.IGNORECASE,
)
_EMPTY = re.compile(r"\b(?:solution set|set|intersection)\s+is\s+empty\b|\bis the empty set\b", re.IGNORECASE)
YES_NO = re.compile(r"\W*(yes|no|true|false)\b\s*[,.;:!—–-]", re.IGNORECASE)
_NEITHER = re.compile(r"\bis\s+(neither)\s+\w{2,16}\s+nor\s+\w{2,16}\s*[.!]", re.IGNORECASE)
_PROPERTY = re.compile(
    r"\b(?:is|are)\s+(?:therefore\s+|thus\s+|indeed\s+|always\s+|also\s+|\w{3,14}ly\s+)?(?:an?\s+|the\s+)?((?:even|odd|prime|"
    r"composite|"
    r"increasing|decreasing|rational|irrational|convergent|divergent|undefined|infinite|infinity|positive|"
    r"negative|zero|"
    r"isosceles|equilateral|scalene|acute|obtuse|right|consistent|inconsistent|independent|dependent|parallel|"
    r"perpendicular|one-to-one|onto|bounded|unbounded|concave|convex|linear|quadratic|empty|circle|ellipse|parabola|"
    r"hyperbola|line|plane|sphere|cone|cylinder|true|false|yes|no|neither|both)(?:\s(?:number|function|"
    r"triangle))?)\s*[.!]",
    re.IGNORECASE,
)
_DAY = re.compile(
    r"\b(?:on|in|is|was)\s(?:an?\s)?((?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|may|june|july|"
    r"august|september|october|november|december)\s*[.!]",
    re.IGNORECASE,
)
_NO_LIMIT = re.compile(
    r"\b(?:limit|derivative|integral|sum|value|it)\s(?:therefore\s|thus\s)?(does not exist)\b", re.IGNORECASE
)
_TRUE_OR_FALSE = re.compile(
    r"\b(?:statement|claim|assertion|proposition|conjecture)\sis\s(?:therefore\s|thus\s)?(true|false)\s*[.!]?\s*$",
    re.IGNORECASE,
)
_NUMBER_IS = re.compile(
    r"^\W*(?:(?:so|thus|hence|therefore),?\s)?(?:the number\s)?\$?-?\d+\$?\sis\s(?:an?\s)?"
    r"(prime|composite|even|odd|rational|irrational|divisible|perfect|abundant|deficient)(?:\snumber)?\s*[.!]?\s*$",
    re.IGNORECASE,
)
_ANY_REAL = re.compile(
    r"\b(?:any|all)\sreal\s(?:numbers?|values?)(?:\sof\s\$?[a-z]\$?)?(?:,?\s(?:except|other than)\s(?:for\s)?"
    r"(?:\$?[a-z]\$?\s?=\s?)?\$?(?P<without>-?\d+(?:(?:,\s?|\sand\s)-?\d+)*)\$?)?\s*[.!]?\s*$",
    re.IGNORECASE,
)
_SAID_OF = re.compile(  # a short sentence that says one word of its subject: "The two triangles are congruent."
    r"(?:So\s|Thus,?\s|Hence,?\s|Therefore,?\s)?(?:the|this|they|it|both|these)(?:\s[a-z-]+){0,3}?\s(?:is|are)\s(?:therefore\s|thus\s)?"
    r"((?:not\s)?[a-z-]{4,20})\s*\.",
    re.IGNORECASE,
)
_WEEKDAY = re.compile(
    r"\b(?:falls?|is|was|be)\s(?:on\s)?(?:an?\s)?((?:mon|tues|wednes|thurs|fri|satur|sun)day)\s*[.!]\s*$", re.IGNORECASE
)


def firm_conclusion(sentence: str) -> str | None:
    """What ends a sentence whatever numbers stand in it: a day of the week, the real numbers but a few."""
    for pattern in (_WEEKDAY, _TRUE_OR_FALSE, _NUMBER_IS):
        if match := pattern.search(sentence):
            return match.group(1)
    if real := _ANY_REAL.search(sentence):
        without = real.group("without")
        return f"\\mathbb{{R}}\\setminus\\{{{without}\\}}" if without else "all real numbers"
    return None


def conclusion(sentence: str) -> str | None:
    """What a sentence concludes in words: no solution, the empty set, yes or no, neither, a property."""
    if GIVEN_UP.search(sentence):
        return None
    if _EMPTY.search(sentence):
        return "\\emptyset"
    if _NO_SOLUTION.search(sentence):
        return "no solution"
    for pattern in (YES_NO, _INFINITELY_MANY, _NEITHER, _PROPERTY, _NO_LIMIT, _DAY):
        if match := (pattern.match(sentence) if pattern is YES_NO else pattern.search(sentence)):
            return match.group(1)
    if short := _SAID_OF.fullmatch(sentence.strip()):
        return short.group(1)
    return None
