"""Units of measurement: symbols and names with their dimension and their exact factor to the coherent SI unit.

The factors are the SI Brochure's (9th edition) and, for customary units, the international yard and pound agreement's.
Prefixes are applied by rule, so that every prefixed unit is known and none is listed twice.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

Dimension = tuple[tuple[str, int], ...]


class Measure(NamedTuple):
    """A dimension as sorted (base, exponent) pairs and the factor to its coherent unit."""

    dimension: Dimension
    factor: Fraction


def _dimension(text: str) -> Dimension:
    """`"M L2 T-2"` as sorted pairs."""
    out = []
    for part in text.split():
        base = part.rstrip("-0123456789")
        out.append((base, int(part[len(base) :] or 1)))
    return tuple(sorted(out))


# symbol -> (dimension, factor, names); all of these take SI prefixes
_SI: dict[str, tuple[str, str, str]] = {
    "m": ("L", "1", "meter metre"),
    "g": ("M", "1/1000", "gram gramme"),
    "s": ("T", "1", "second"),
    "A": ("I", "1", "ampere amp"),
    "K": ("Th", "1", "kelvin"),
    "mol": ("N", "1", "mole"),
    "cd": ("J", "1", "candela"),
    "Hz": ("T-1", "1", "hertz"),
    "N": ("M L T-2", "1", "newton"),
    "Pa": ("M L-1 T-2", "1", "pascal"),
    "J": ("M L2 T-2", "1", "joule"),
    "W": ("M L2 T-3", "1", "watt"),
    "C": ("I T", "1", "coulomb"),
    "V": ("M L2 T-3 I-1", "1", "volt"),
    "F": ("M-1 L-2 T4 I2", "1", "farad"),
    "ohm": ("M L2 T-3 I-2", "1", "ohm"),
    "Ω": ("M L2 T-3 I-2", "1", ""),
    "S": ("M-1 L-2 T3 I2", "1", "siemens"),
    "T": ("M T-2 I-1", "1", "tesla"),
    "Wb": ("M L2 T-2 I-1", "1", "weber"),
    "H": ("M L2 T-2 I-2", "1", "henry"),
    "lm": ("J", "1", "lumen"),
    "lx": ("J L-2", "1", "lux"),
    "Bq": ("T-1", "1", "becquerel"),
    "Gy": ("L2 T-2", "1", "gray"),
    "L": ("L3", "1/1000", "liter litre"),
    "l": ("L3", "1/1000", ""),
    "eV": ("M L2 T-2", "1602176634/10000000000000000000000000000", "electronvolt"),
    "cal": ("M L2 T-2", "4184/1000", "calorie"),
    "bar": ("M L-1 T-2", "100000", ""),
    "Wh": ("M L2 T-2", "3600", ""),
    "pc": ("L", "30856775814913673", "parsec"),
    "M": ("N L-3", "1000", ""),
    "B": ("bit", "8", "byte"),
    "bit": ("bit", "1", ""),
}
# symbol or name -> (dimension, factor); no prefixes, plural of names by rule
_OTHER: dict[str, tuple[str, str]] = {
    "min": ("T", "60"),
    "minute": ("T", "60"),
    "h": ("T", "3600"),
    "hr": ("T", "3600"),
    "hour": ("T", "3600"),
    "sec": ("T", "1"),
    "day": ("T", "86400"),
    "week": ("T", "604800"),
    "wk": ("T", "604800"),
    "month": ("month", "1"),
    "mo": ("month", "1"),
    "year": ("month", "12"),
    "yr": ("month", "12"),
    "decade": ("month", "120"),
    "century": ("month", "1200"),
    "fortnight": ("T", "1209600"),
    "in": ("L", "254/10000"),
    "inch": ("L", "254/10000"),
    "ft": ("L", "3048/10000"),
    "foot": ("L", "3048/10000"),
    "yd": ("L", "9144/10000"),
    "yard": ("L", "9144/10000"),
    "mi": ("L", "1609344/1000"),
    "mile": ("L", "1609344/1000"),
    "Å": ("L", "1/10000000000"),
    "angstrom": ("L", "1/10000000000"),
    "au": ("L", "149597870700"),
    "AU": ("L", "149597870700"),
    "micron": ("L", "1/1000000"),
    "acre": ("L2", "40468564224/10000000"),
    "ha": ("L2", "10000"),
    "hectare": ("L2", "10000"),
    "lb": ("M", "45359237/100000000"),
    "lbs": ("M", "45359237/100000000"),
    "pound": ("M", "45359237/100000000"),
    "oz": ("M", "45359237/1600000000"),
    "ounce": ("M", "45359237/1600000000"),
    "ton": ("ton", "1"),
    "tonne": ("M", "1000"),
    "kilo": ("M", "1"),
    "dyn": ("M L T-2", "1/100000"),
    "dyne": ("M L T-2", "1/100000"),
    "erg": ("M L2 T-2", "1/10000000"),
    "atm": ("M L-1 T-2", "101325"),
    "torr": ("M L-1 T-2", "101325/760"),
    "mmHg": ("M L-1 T-2", "101325/760"),
    "psi": ("M L-1 T-2", "6894757/1000"),
    "hp": ("M L2 T-3", "7457/10"),
    "mph": ("L T-1", "44704/100000"),
    "kph": ("L T-1", "1000/3600"),
    "kmh": ("L T-1", "1000/3600"),
    "kmph": ("L T-1", "1000/3600"),
    "knot": ("L T-1", "1852/3600"),
    "rpm": ("T-1", "1/60"),
    "gallon": ("gallon", "1"),
    "gal": ("gallon", "1"),
    "quart": ("gallon", "1/4"),
    "qt": ("gallon", "1/4"),
    "pint": ("gallon", "1/8"),
    "cup": ("gallon", "1/16"),
    "tablespoon": ("gallon", "1/256"),
    "teaspoon": ("gallon", "1/768"),
    "cc": ("L3", "1/1000000"),
    "molar": ("N L-3", "1000"),
    "degree": ("angle", "1"),
    "deg": ("angle", "1"),
    "radian": ("radian", "1"),
    "rad": ("radian", "1"),
    "arcminute": ("angle", "1/60"),
    "arcsecond": ("angle", "1/3600"),
    "celsius": ("celsius", "1"),
    "fahrenheit": ("fahrenheit", "1"),
    "cent": ("money", "1/100"),
    "penny": ("money", "1/100"),
    "pennies": ("money", "1/100"),
    "dollar": ("money", "1"),
    "usd": ("money", "1"),
    "buck": ("money", "1"),
    "euro": ("euro", "1"),
    "eur": ("euro", "1"),
    "gbp": ("gbp", "1"),
    "yen": ("yen", "1"),
    "yuan": ("yuan", "1"),
    "rmb": ("yuan", "1"),
    "rupee": ("rupee", "1"),
    "rs": ("rupee", "1"),
    "ruble": ("ruble", "1"),
}
_PREFIXES = {
    "Y": 24,
    "Z": 21,
    "E": 18,
    "P": 15,
    "T": 12,
    "G": 9,
    "M": 6,
    "k": 3,
    "h": 2,
    "da": 1,
    "d": -1,
    "c": -2,
    "m": -3,
    "μ": -6,
    "µ": -6,
    "u": -6,
    "n": -9,
    "p": -12,
    "f": -15,
    "a": -18,
}
_NAMED_PREFIXES = {
    "peta": 15,
    "tera": 12,
    "giga": 9,
    "mega": 6,
    "kilo": 3,
    "hecto": 2,
    "deka": 1,
    "deca": 1,
    "deci": -1,
    "centi": -2,
    "milli": -3,
    "micro": -6,
    "nano": -9,
    "pico": -12,
    "femto": -15,
}
_IRREGULAR = {"feet": "foot", "inches": "inch", "centuries": "century", "henries": "henry", "lux": "lux"}
_NAMES: dict[str, tuple[str, str]] = {
    name: (dimension, factor) for dimension, factor, listed in _SI.values() for name in listed.split()
}


def _measure(dimension: str, factor: str, power: int = 0) -> Measure:
    return Measure(_dimension(dimension), Fraction(factor) * Fraction(10) ** power)


@lru_cache(maxsize=4_096)
def unit(word: str) -> Measure | None:
    """The measure of one symbol or name (plural or not), None for other words. The case of symbols counts."""
    if word in _SI:
        return _measure(*_SI[word][:2])
    if word in _OTHER:
        return _measure(*_OTHER[word])
    for size in (1, 2):
        prefix, rest = word[:size], word[size:]
        if prefix in _PREFIXES and rest in _SI and not (prefix == "da" and rest == "y"):
            return _measure(*_SI[rest][:2], _PREFIXES[prefix])
    lower = word.lower()
    if len(lower) < 3:
        return _measure(*_OTHER[lower]) if lower in _OTHER and lower not in ("h", "in", "au", "rs") else None
    for form in (_IRREGULAR.get(lower, lower), lower.removesuffix("s"), lower.removesuffix("es")):
        if form in _NAMES:
            return _measure(*_NAMES[form])
        if form in _OTHER:
            return _measure(*_OTHER[form])
        for prefix, power in _NAMED_PREFIXES.items():
            if form.startswith(prefix) and form[len(prefix) :] in _NAMES:
                return _measure(*_NAMES[form[len(prefix) :]], power)
    return None
