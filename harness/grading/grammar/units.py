"""What the words behind a value say: a unit, a factor, a bound, a property, a thing that is counted."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from harness.grading.grammar.nodes import Add, Node, Num, Unit
from harness.grading.grammar.unit_table import Measure, unit
from harness.grading.grammar.vocabulary import (
    CONDITIONS,
    DESCRIPTIONS,
    MAGNITUDES,
    NEUTRAL_WORDS,
    NUMBER_WORDS,
    UNIT_WORDS,
)

_PARTS = {
    "half": 2,
    "halve": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
}
_FACTORS = {
    "ten": Fraction(10),
    "dozen": Fraction(12),
    "gross": Fraction(144),
    "halve": Fraction(1, 2),
    "score": Fraction(20),
    "hundredth": Fraction(1, 100),
    "thousandth": Fraction(1, 1000),
    **{name: Fraction(1, n) for name, n in _PARTS.items() if n not in (2, 4)},
}
_POWERS = {"square": 2, "squared": 2, "sq": 2, "cubic": 3, "cubed": 3, "cu": 3}
_PERCENT = frozenset(("pct", "percent", "percentage", "percents"))
_BOUNDS = (
    (re.compile(r"\b(?:or|and) (?:more|greater|above|higher|larger|over|up|older|later)\b|\bat least\b"), ">="),
    (re.compile(r"\b(?:or|and) (?:less|fewer|below|lower|smaller|under|younger|earlier)\b|\bat most\b"), "<="),
)
_TOKEN = re.compile(r"\^\s?-?\d+|\^|-?\d+|[^\W\d_]+|[/*²³⁻°]")
_BEARING = re.compile(r"\b(?:north|south|east|west) of (?:north|south|east|west)\b")  # whose order counts
_MAX_EXPONENT = 12


@dataclass(frozen=True, slots=True)
class Meaning:
    """What words say about the value before them. `measure` None: no known unit."""

    factor: Fraction = Fraction(1)
    operation: str = ""  # "squared", "cubed", "factorial", "negative", "percent"
    measure: Measure | None = None
    bound: str = ""  # ">=" for "or more"
    conditions: frozenset[str] = frozenset()  # odd, prime: what the value must be
    descriptions: frozenset[str] = frozenset()  # east, increase, maximum: what kind of value it is
    nouns: frozenset[str] = frozenset()


def _stem(word: str) -> str:
    word = word.lower()
    for suffix in ("ies", "es", "s", "ed"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            return word[: -len(suffix)] + ("y" if suffix == "ies" else "")
    return word.removesuffix("e") if len(word) > 4 else word


_CONDITION_STEMS = {_stem(w): w for w in CONDITIONS}
_DESCRIPTION_STEMS = {_stem(w): w for w in DESCRIPTIONS}
_NEUTRAL_STEMS = frozenset(_stem(w) for w in NEUTRAL_WORDS)


@lru_cache(maxsize=4_096)
def meaning(words: str) -> Meaning:
    """What `words`, as the parser joins them, say."""
    lowered = " ".join(words.lower().replace("(", " ").replace(")", " ").split())
    bound = next((sign for pattern, sign in _BOUNDS if pattern.search(lowered)), "")
    for pattern, _ in _BOUNDS:
        words = re.sub(pattern.pattern, " ", words, flags=re.IGNORECASE)
    operation = ""
    if re.search(r"\bbelow zero\b|\bunder zero\b", lowered):
        operation, words = "negative", re.sub(r"\b(?:below|under) zero\b", " ", words, flags=re.IGNORECASE)
    tokens = _joined(_TOKEN.findall(words.replace("per cent", "percent")))
    factor = Fraction(1)
    while tokens and tokens[0].lower().removesuffix("s") in MAGNITUDES:
        factor *= MAGNITUDES[tokens.pop(0).lower().removesuffix("s")]
    while tokens and tokens[0].lower().rstrip("s") in _FACTORS:
        factor *= _FACTORS[tokens.pop(0).lower().rstrip("s")]
    if tokens and tokens[0].lower() in ("squared", "cubed", "factorial"):
        operation = tokens.pop(0).lower()
    elif tokens and tokens[0].lower() in _PERCENT:
        operation = "percent"
        tokens = [t for t in tokens[1:] if t.lower() not in ("point", "points")]
    measure, left = _measure(tokens)
    stems = {_stem(t) for t in left if len(t) > 1 or not t.isascii()}
    return Meaning(
        factor,
        operation,
        measure,
        bound,
        frozenset(s for s in stems if s in _CONDITION_STEMS),
        frozenset(s for s in stems if s in _DESCRIPTION_STEMS) | set(_BEARING.findall(lowered)),
        frozenset(stems - set(_CONDITION_STEMS) - set(_DESCRIPTION_STEMS) - _NEUTRAL_STEMS),
    )


def _joined(tokens: list[str]) -> list[str]:
    r"""Prefixes joined with the unit behind them: \mathrm{k}\Omega, \mu m. A prefix that is a unit itself is none."""
    tokens = [{"Omega": "Ω", "mu": "μ"}.get(t, t) for t in tokens]
    out: list[str] = []
    for token in tokens:
        if out and out[-1] in _LONE_PREFIXES and (token == "Ω" or unit(out[-1]) is None) and unit(out[-1] + token):
            out[-1] += token
        else:
            out.append(token)
    return out


_LONE_PREFIXES = frozenset("kMGTmμnp")


def _measure(tokens: list[str]) -> tuple[Measure | None, list[str]]:
    """The measure that known units among `tokens` make together, and the words that are no units."""
    dimension: dict[str, int] = {}
    factor = Fraction(1)
    left: list[str] = []
    power, divide, known = 1, False, False
    k = 0
    while k < len(tokens):
        token = tokens[k]
        following = tokens[k + 1] if k + 1 < len(tokens) else ""
        k += 1
        if token in ("/", "per", "Per"):
            divide = True
            continue
        if token in ("^", "*") or token.lstrip("^ -").isdigit():
            continue
        if token.lower() in _POWERS and not token.lower().endswith("ed") and unit(following):
            power = _POWERS[token.lower()]
            continue
        found = unit(token)
        if token == "ms" and following.startswith("^-"):  # m s^-1
            dimension["L"] = dimension.get("L", 0) + (-1 if divide else 1)
            found = unit("s")
        if found is None or (token in ("a", "s", "A") and left):
            if token.lower() not in _POWERS:
                left.append(token)
            continue
        exponent = power
        if following.startswith("^") and following != "^":
            exponent = int(following[1:].replace(" ", ""))
        elif following.lower() in ("squared", "cubed"):
            exponent = _POWERS[following.lower()]
        elif re.fullmatch(r"-?\d", following):
            exponent = int(following)
        exponent = max(-_MAX_EXPONENT, min(exponent, _MAX_EXPONENT)) * (-1 if divide else 1)
        for base, count in found.dimension:
            dimension[base] = dimension.get(base, 0) + count * exponent
        factor *= found.factor**exponent
        power, known = 1, True
    if not known:
        return None, left
    return Measure(tuple(sorted((b, n) for b, n in dimension.items() if n)), factor), left


def is_measure(words: str) -> bool:
    """Whether `words` are a unit and nothing else."""
    said = meaning(words)
    return said.measure is not None and not (said.nouns or said.conditions or said.descriptions or said.operation)


@lru_cache(maxsize=4_096)
def number_word(words: str) -> Fraction | None:
    """The number that words spell, from zero to the billions; None for other words."""
    tokens = words.lower().replace("-", " ").split()
    if tokens and tokens[0] in ("minus", "negative") and len(tokens) > 1:
        inner = number_word(" ".join(tokens[1:]))
        return None if inner is None else -inner
    if tokens and (tokens[-1] in _PARTS or tokens[-1].removesuffix("s") in _PARTS) and len(tokens) <= 2:
        count = number_word(tokens[0]) if len(tokens) == 2 and tokens[0] not in ("a", "one") else Fraction(1)
        return None if count is None else count / _PARTS.get(tokens[-1], _PARTS.get(tokens[-1].removesuffix("s"), 1))
    if "and" in tokens[1:-1] and tokens[-1].removesuffix("s") in _PARTS:  # eight and a half
        at = len(tokens) - 1 - tokens[::-1].index("and")
        whole, part = number_word(" ".join(tokens[:at])), number_word(" ".join(tokens[at + 1 :]))
        return None if whole is None or part is None else whole + part
    if tokens[:1] == ["half"] and tokens[1:2] in (["a"], ["an"]):  # half a dozen
        whole = number_word(" ".join(tokens[2:]))
        return None if whole is None else whole / 2
    if len(tokens) > 1 and tokens[0] in ("a", "an") and tokens[1] in MAGNITUDES:
        tokens = tokens[1:]
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


_WRAPPERS = re.compile(r"\\(?:text|textrm|mathrm|mbox|rm|operatorname)(?![A-Za-z])|\\[ ,;:!]|\\q?quad|[{}~$]")
_SUPERSCRIPT = re.compile(r"\^\s*\{\s*(-?\d{1,2})\s*\}|\^\s*(-?\d)(?!\d)")
_FRACTION_OF_UNITS = re.compile(
    r"\\d?frac\s*(?:\{((?:[^{}]|\{[^{}]*\})*)\}|([a-zA-Z]))\s*(?:\{((?:[^{}]|\{[^{}]*\})*)\}|([a-zA-Z]))"
)
_FEET_AND_INCHES = re.compile(r"""(\d{1,4})\s*'\s*(\d{1,2}(?:\.\d{1,4})?)\s*(?:''|")?""")
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)\s*([^\W\d_]{1,12})\.?(?:\s*(?:,|and)\s*|\s*)")


def plain_unit(text: str) -> str:
    r"""The LaTeX of a unit as plain words: `\mathrm{m\cdot s^{-2}}` as `m s ^-2`."""
    text = _FRACTION_OF_UNITS.sub(lambda m: f"{m.group(1) or m.group(2)} / {m.group(3) or m.group(4)}", text)
    text = _SUPERSCRIPT.sub(lambda m: f" ^{m.group(1) or m.group(2)} ", text)
    text = text.replace("\\cdot", " ").replace("\\times", " ").replace("\\mu", "μ").replace("\\Omega", "Ω")
    text = text.replace("\\ell", "L").replace("\\circ", "").replace("°", "").replace("μ ", "μ")
    return " ".join(
        _WRAPPERS.sub(" ", text)
        .replace("/", " / ")
        .replace(".", " ")
        .replace("(", " ")
        .replace(")", " ")
        .replace("·", " ")
        .split()
    ).replace("μ ", "μ")


def counted(text: str) -> Node | None:
    """A spelled number before a unit: "three hours", "seven ways"; None for other words."""
    words = text.replace("\\text{", "").replace("}", "").split()
    if not 2 <= len(words) <= 4 or words[0].lower().partition("-")[0] not in NUMBER_WORDS:
        return None
    for size in range(len(words) - 1, 0, -1):
        value, rest = number_word(" ".join(words[:size])), words[size:]
        if value is not None and all(unit(w) or w.lower() in UNIT_WORDS for w in rest if w != "per"):
            return Unit(Num(value), " ".join(rest))
    return None


def mixed_units(text: str) -> Node | None:
    """`2 hours 30 minutes` as one value in the unit of its first part; None for other texts."""
    bare = " ".join(_WRAPPERS.sub(" ", text).split()).rstrip(".")
    if match := _FEET_AND_INCHES.fullmatch(bare):
        bare = f"{match.group(1)} ft {match.group(2)} in"
    parts: list[tuple[Fraction, Measure, str]] = []
    at = 0
    while at < len(bare) and len(parts) < 5:
        match = _PART.match(bare, at)
        found = unit(match.group(2)) if match else None
        if match is None or found is None:
            return None
        parts.append((Fraction(match.group(1)), found, match.group(2)))
        at = match.end()
    if at < len(bare) or len(parts) < 2:
        return None
    first = parts[0][1]
    larger = all(a[1].factor > b[1].factor for a, b in itertools.pairwise(parts))
    if not larger or any(p[1].dimension != first.dimension for p in parts):
        return None
    terms = tuple(Num(value * measure.factor / first.factor) for value, measure, _ in parts)
    return Unit(Add(terms), parts[0][2])
