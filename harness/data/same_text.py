r"""What counts as the same text: words and numbers, without notation, hidden characters, accents and look-alikes.

Case, punctuation, LaTeX spacing, HTML marks and entities do not count; the sign before a number or a name does
("3 + 4" is not "3 - 4"), a hyphen within a word does not.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator

# Commands that only move or size things; \dfrac and \tfrac are \frac.
SPACING = re.compile(
    r"\\(?:[,;:! ]|q?quad\b|left(?![a-z])|right(?![a-z])|[bB]igg?[lrm]?(?![a-z])|displaystyle\b|limits\b"
    r"|[hv]space\*?\{[^}]*\}|text(?:bf|it|rm)?(?=\{)|math(?:rm|bf|it|sf)(?=\{)|mbox(?=\{))|~"
)
LESS = re.compile(r"\\(?:leq?(?:slant)?|lt)\b")
GREATER = re.compile(r"\\(?:geq?(?:slant)?|gt)\b")
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8}\d?);")
TAG = re.compile(
    r"</?(?:a|b|i|u|p|br|hr|div|span|em|strong|su[bp]|font|center|img|h[1-6]|[uo]l|li|table|tbody|tr|t[dh])"
    r"(?:\s+[\w-]+\s*=[^<>]*)?\s*/?>",
    re.IGNORECASE,
)
BULLET = re.compile(r"^\s*[-+>*]\s+", re.MULTILINE)
# A sign before a digit, a command or a name of one letter; not an arrow, a rule or the hyphen after a word.
SIGN = re.compile(
    r"(?<![-+<>])(?:(?<![^\W\d_][^\W\d_])-|[+<>])(?![-+<>])=?[\s({\[|$\\]*(?=\d|(?<=\\)[a-z]|[^\W\d_](?![^\W\d_]))"
)
SIGNS = {"+": "\ue000", "-": "\ue001", "<": "\ue002", ">": "\ue003"}  # as a token holds them: no text's characters
MARKS = "".join(SIGNS.values())
TOKEN = re.compile(f"[{MARKS}]?(?:[^\\W\\d_]+|\\d+)")
WORD, ASCII_WORD = re.compile(r"[^\W\d_]+|\d+"), re.compile(r"[a-z]+|[0-9]+")
# Letters that are printed like Latin ones, in both cases so that a word stays itself at the head of a sentence (of
# Unicode's confusables, TR 39, the common ones; lower-case Greek but omicron are names in formulas), and signs.
LOOKALIKES = {
    **dict(zip("авекмнорстухіјѕһԁԛԝӏ", "abekmhopctyxijshdqwl", strict=True)),
    **dict(zip("АВЕКМНОРСТУХІЈЅҺԀԚԜӀ", "ABEKMHOPCTYXIJSHDQWL", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True)),
    **dict(zip("ıɡɑօսհԍ", "igaouhg", strict=True)),
    **dict.fromkeys("\u2010\u2012\u2013\u2212", "-"),
    **dict.fromkeys("\u2264\u2a7d", "<"),
    **dict.fromkeys("\u2265\u2a7e", ">"),
}
FILLERS = "\u115f\u1160\u2800"  # letters and signs that print nothing


class _Characters(dict[int, str]):
    """A table for `str.translate`, filled as characters come: what each of them counts as."""

    def __init__(self, hidden: str) -> None:
        super().__init__()
        self.hidden = hidden  # what stands for a character without width

    def __missing__(self, code: int) -> str:
        self[code] = found = self._of(chr(code))
        return found

    def _of(self, char: str) -> str:
        kind = unicodedata.category(char)
        if kind == "Cf" or char in FILLERS:
            return self.hidden
        if kind in ("Mn", "Me"):  # what NFKC could not compose
            return ""
        if kind[0] == "L":
            parts = unicodedata.normalize("NFD", char)
            char = parts[0] if all(map(unicodedata.combining, parts[1:])) else char
        return LOOKALIKES.get(char, char)


_WITHOUT, _APART = _Characters(""), _Characters(" ")


def tokens(text: str) -> list[str]:
    """Words and numbers of `text`, in lower case; a sign is the head of its token. See the module."""
    return next(readings(text))


def readings(text: str, signs: bool = True) -> Iterator[list[str]]:
    """The tokens of `text`: once, and where it has characters without width also with these as spaces.

    Args:
        text: any.
        signs: False: without the signs, and faster.
    """
    if "&" in text:
        text = ENTITY.sub(_entity, text)
    if text.isascii():
        yield _tokens(text, signs)
        return
    text = unicodedata.normalize("NFKC", text)
    plain = text.translate(_WITHOUT)
    yield _tokens(plain, signs)
    if (apart := text.translate(_APART)) != plain:
        yield _tokens(apart, signs)


def _entity(found: re.Match[str]) -> str:
    return html.unescape(found[0])


def _tokens(text: str, signs: bool) -> list[str]:
    if "<" in text:
        text = TAG.sub(" ", text)
    if "\\" in text or "~" in text:
        text = SPACING.sub(" ", text).replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
        if "\\l" in text or "\\g" in text:
            text = GREATER.sub(">", LESS.sub("<", text))
    if signs:
        return TOKEN.findall(SIGN.sub(_sign, BULLET.sub(" ", text)).lower())
    return (ASCII_WORD if text.isascii() else WORD).findall(text.lower())


def _sign(found: re.Match[str]) -> str:
    return SIGNS[found[0][0]]
