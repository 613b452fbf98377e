"""Units and words behind a value: the same unit, a convertible one, another one, or words that say nothing."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from harness.grading.grammar.expressions import Node
from harness.grading.grammar.vocabulary import IRREGULAR, MAGNITUDES, NUMBER_WORDS, UNIT_WORDS, UNITS

_PARTS = {
    "half": 2,
    "halve": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "eighth": 8,
    "tenth": 10,
}
_COMPOUND = {"mph": "mi / h", "kph": "km / h", "kmh": "km / h"}
_POWERS = {"square": 2, "squared": 2, "sq": 2, "cubic": 3, "cubed": 3, "cu": 3}


def _lookup(word: str) -> tuple[str, float] | None:
    for form in (word, word.lower(), IRREGULAR.get(word.lower(), ""), word.lower().rstrip("s"), word.lower()[:-2]):
        if form in UNITS:
            return UNITS[form]
    return None


@lru_cache(maxsize=4_096)
def canonical(words: str) -> tuple[str, Fraction] | None:
    """(dimension, factor to its base) of a unit, None for words that are no known unit."""
    power, divide = 1, False
    dimension: list[str] = []
    factor = Fraction(1)
    words = " ".join(_COMPOUND.get(word.lower(), word) for word in words.split())
    tokens = words.replace("/", " / ").replace("^", " ^ ").replace("*", " ").replace(".", " ").split()
    for k, word in enumerate(tokens):
        if word in ("/", "per"):
            divide = True
        elif word == "^" or (k and tokens[k - 1] == "^"):
            continue
        elif word.lower() in _POWERS and not (word.lower().endswith("ed")):
            power = _POWERS[word.lower()]
        elif found := _lookup(word):
            following = tokens[k + 1 : k + 3]
            exponent = power
            if following[:1] == ["^"] and following[1:] and following[1].isdigit():
                exponent = int(following[1])
            elif following and following[0].lower() in ("squared", "cubed"):
                exponent = _POWERS[following[0].lower()]
            exponent = min(exponent, 4) * (-1 if divide else 1)
            dimension.append(f"{found[0]}^{exponent}")
            factor *= Fraction(str(found[1])) ** exponent
            power = 1
        elif word.lower() not in ("squared", "cubed"):
            return None if not dimension else (" ".join(sorted(dimension)), factor)
    return (" ".join(sorted(dimension)), factor) if dimension else None


@lru_cache(maxsize=4_096)
def magnitude(words: str) -> tuple[int, str]:
    """The factor of leading magnitude words and the words left: ('thousand dollars') -> (1000, 'dollars')."""
    tokens = words.split()
    factor = 1
    while tokens and tokens[0].lower() in MAGNITUDES:
        factor *= MAGNITUDES[tokens.pop(0).lower()]
    return factor, " ".join(tokens)


@lru_cache(maxsize=4_096)
def number_word(words: str) -> Fraction | None:
    """The number that words spell, from zero to the billions; None for other words."""
    tokens = words.lower().replace("-", " ").split()
    if tokens and tokens[-1].rstrip("s") in _PARTS and len(tokens) <= 2:
        count = number_word(tokens[0]) if len(tokens) == 2 and tokens[0] != "a" else Fraction(1)
        return None if count is None else count / _PARTS[tokens[-1].rstrip("s")]
    if not tokens or any(t not in NUMBER_WORDS and t not in MAGNITUDES and t != "and" for t in tokens):
        return None
    total = current = 0
    for token in tokens:
        if token == "and":
            continue
        if token in MAGNITUDES:
            current = max(current, 1) * MAGNITUDES[token]
            if MAGNITUDES[token] >= 1000:
                total, current = total + current, 0
        else:
            current += NUMBER_WORDS[token]
    return Fraction(total + current)


def counted(text: str) -> Node | None:
    """A spelled number before a unit: "three hours", "seven ways"; None for other words."""
    words = text.replace("\\text{", "").replace("}", "").split()
    if not 2 <= len(words) <= 4 or words[0].lower().partition("-")[0] not in NUMBER_WORDS:
        return None
    for size in range(len(words) - 1, 0, -1):
        value, rest = number_word(" ".join(words[:size])), words[size:]
        if value is not None and all(_lookup(w) or w.lower() in UNIT_WORDS for w in rest if w != "per"):
            return ("unit", ("num", value, None), " ".join(rest))
    return None
