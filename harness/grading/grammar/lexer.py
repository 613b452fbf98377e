"""From answer text (LaTeX or plain) to tokens: one linear pass, no backtracking, every length bounded.

A token is `(kind, value)`, the kind a short name such as num, sym, func, op, open, rel, text, base (`_`), hat (`^`).
"""

from __future__ import annotations

import re
from functools import lru_cache

from harness.grading.grammar.literals import group_end, repeated_tail, repeating_decimal
from harness.grading.grammar.unit_table import unit
from harness.grading.grammar.vocabulary import (
    ACCENTS,
    COMMANDS,
    CONNECTORS,
    DROPPED,
    FUNCTIONS,
    GREEK,
    NAME_MARKS,
    SHORT_WORDS,
    STYLES,
    UNIT_WORDS,
)
from harness.grading.limits import MAX_DEPTH, MAX_DIGITS, MAX_TOKENS, TooBigError, UnreadableError

Token = tuple[str, str]

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<num>\d+(?:\.\d+)?(?:[eE][+-]?\d{1,6}(?![\w.]))?|\.\d+(?:[eE][+-]?\d{1,6}(?![\w.]))?)
    |(?P<cmd>\\[A-Za-z]+)
    |(?P<esc>\\.)
    |(?P<word>[^\W\d_]+)
    |(?P<two><=|>=|!=|==|\*\*|->|=>|\.\.\.+)
    |(?P<ch>.)""",
    re.VERBOSE | re.DOTALL,
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])")
_DEGREE = re.compile(r"\^\s*(?:\{\s*(?:\\circ|\\degree|°)\s*\}|\\circ(?![A-Za-z])|°)")
_REPEATING = re.compile(r"(\d*\.\d*)\s*(?:\\(?:overline|bar|dot)\s*\{\s*(\d+)\s*\}|\((\d+)\))")
_REPEATED_TAIL = re.compile(r"(\d*\.\d+?)(?:\s*(?:\\l?dots|\\cdots|\.\.\.+|…)|\s+repeating\b|\\ldots)")
_ARRAY_COLUMNS = re.compile(r"\s*\{[lcr|\s]*\}")
_BRACED_NAME = re.compile(r"\s*\{\s*([A-Za-z]+\*?)\s*\}")
_NEXT_WORD = re.compile(r"\s+(?!(?:and|or)\b)[A-Za-z]{2,}")
_BOUND = re.compile(
    r"(?:or|and) (?:more|greater|above|higher|larger|over|up|less|fewer|below|lower|smaller|under)\b.*", re.IGNORECASE
)
_LISTED = re.compile(r",|;|\b(?:and|or)\b")
_LETTER_IN_BRACKETS = re.compile(r"\(\s*([A-Z])\s*\)\.?")
_UNBRACED_ENVIRONMENT = re.compile(r"(begin|end)([pbBv]?matrix)")
_GROUP_ENDS = re.compile(r"\s*(?:\}|\\end|\\right)")
_DIGITS = frozenset("0123456789")
_SINGLE = {
    "+": "op",
    "-": "op",
    "*": "op",
    "/": "op",
    "!": "op",
    "^": "hat",
    "_": "base",
    "(": "open",
    "[": "open",
    "{": "brace",
    "}": "unbrace",
    ")": "close",
    "]": "close",
    "|": "bar",
    ",": "sep",
    ";": "sep",
    "&": "amp",
    "%": "pct",
    ":": "colon",
    "=": "rel",
    "<": "rel",
    ">": "rel",
    "'": "prime",
    "…": "ldots",
}
_TWO = {
    "<=": ("rel", "<="),
    ">=": ("rel", ">="),
    "!=": ("rel", "!="),
    "==": ("rel", "="),
    "**": ("hat", "^"),
    "->": ("arrow", "->"),
    "=>": ("arrow", "=>"),
}
_ESCAPED = {"{": ("open", "{"), "}": ("close", "}"), "|": ("bar", "||"), "%": ("pct", "%"), "\\": ("row", "")}
_FUNCTION_PREFIX = re.compile(
    r"(arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|sqrt)([a-z]|theta|alpha|pi)$"
)


def _argument(text: str, i: int) -> tuple[str, int]:
    """The TeX argument at or after `i`: a braced group or one character. Returns its text and the index after it."""
    while i < len(text) and text[i].isspace():
        i += 1
    if i < len(text) and text[i] == "{":
        end = group_end(text, i)
        return text[i + 1 : end], end + 1
    if i < len(text) and text[i] == "\\":
        match = _TOKEN.match(text, i)
        return (match.group(), match.end()) if match else ("", i)
    return text[i : i + 1], i + 1


def _word(word: str, out: list[Token], word_follows: bool = False) -> None:
    """Append the tokens of a run of letters: a function, a constant, a connector, a unit, letters, or plain words.

    `word_follows` says that another word stands behind it, so that "as" and "at" are words and no products.
    """
    lower = word.lower()
    among_words = word_follows or (bool(out) and out[-1][0] == "text")
    if among_words and (
        lower in SHORT_WORDS or (len(word) == 3 and lower not in CONNECTORS and lower not in FUNCTIONS)
    ):
        out.append(("text", word))
        return
    after_number = bool(out) and out[-1][0] in ("num", "text")
    after_unit = len(out) > 1 and out[-1] == ("op", "/") and out[-2][0] == "text"
    if (after_number or after_unit) and lower in ("sec", "min", "in", "secs", "mins") and word.islower():
        out.append(("text", word))
        return
    if word == "is" and out and out[-1][0] == "sym":  # x is 7
        out.append(("rel", "="))
    elif word == "to" and out and out[-1][0] == "num":
        out.append(("colon", ":"))
    elif (
        (word in "Aa" and word_follows and not out)
        or not word.isascii()
        or (word in ("C", "F") and out and out[-1][0] == "deg")
    ):
        out.append(("text", word))
    elif len(word) == 1:
        if after_number and out[-1][0] == "text":
            out.append(("text", word))
        else:
            out.append(("sym", word))
    elif word in FUNCTIONS or lower in FUNCTIONS:
        out.append(("sqrt", "") if lower == "sqrt" else ("func", lower))
    elif word in GREEK:
        out.append(("const", "pi") if word == "pi" else ("sym", word.removeprefix("var")))
    elif word in ("cross", "perm", "Var", "Cov"):
        out.append(("sym", word))
    elif lower in CONNECTORS:
        out.append(CONNECTORS[lower])
    elif (after_number or after_unit) and (lower in UNIT_WORDS or (len(word) > 1 and unit(word))):
        out.append(("text", word))
    elif match := _FUNCTION_PREFIX.match(word):
        _word(match.group(1), out)
        _word(match.group(2), out)
    elif len(word) == 3 and word.startswith("pi"):
        out.extend([("const", "pi"), ("sym", word[2])])
    elif len(word) > 3 or (lower in UNIT_WORDS and len(word) > 2) or (after_number and out[-1][0] == "text"):
        out.append(("text", word))
    else:
        out.extend(("sym", letter) for letter in word)


def _styled(command: str, text: str, i: int, out: list[Token], depth: int) -> int:
    r"""Append the tokens of `\text{...}`, `\mathrm{...}`, `\vec{...}` and kin; returns the index after them."""
    content, end = _argument(text, i)
    bare = content.strip()
    bold = command in ("\\mathbf", "\\hat", "\\vec", "\\boldsymbol", "\\bm", "\\widehat", "\\overrightarrow")
    if bare in ("i", "j", "k", "\\imath", "\\jmath") and bold:
        out.append(("sym", "vec_" + bare.strip("\\")[0]))
    elif command in ("\\mathbb", "\\Bbb", "\\mathcal"):
        known = bare in ("R", "Z", "N", "Q", "C") and command != "\\mathcal"
        out.append(("set", bare) if known else ("sym", bare if bare in ("E", "P") else f"set_{bare}"))
    elif command in NAME_MARKS and (marked := _marked_name(command, bare)):
        out.extend(marked)
    elif command in ACCENTS or len(bare) == 1 or any(c.isdigit() or c in "\\$^=" for c in bare):
        if bare.startswith("\\") or command in ACCENTS or len(bare) > 1:
            out.extend(_tokens(content, depth + 1))
        elif bare.isascii() and bare.isdigit():
            out.append(("num", bare))
        elif STYLES[command] == "math" and bare.isalpha():
            _word(bare, out)
        elif bare.isalpha():  # in x^2 + \text{C} it is a symbol
            out.append(("sym" if len(bare) == 1 and out and out[-1][0] == "op" else "text", bare))
        else:
            out.extend(_tokens(bare, depth + 1))
    elif bare.rstrip(".") in ("in", "to") and out and (out[-1][0] == "num" or out[-1] == ("op", "/")):
        out.append(("colon", ":") if bare == "to" else ("text", "in"))
    elif _BOUND.fullmatch(bare):
        out.append(("text", bare))
    elif match := _LETTER_IN_BRACKETS.fullmatch(bare):
        out.append(("sym", match.group(1)))
    elif _LISTED.search(bare) and bare.lower().strip(" ,.") not in CONNECTORS:
        out.extend(_tokens(content, depth + 1))
    elif bare.lower().strip(" ,.") in CONNECTORS:
        if bare[0] == ",":
            out.append(("sep", ","))
        out.append(CONNECTORS[bare.lower().strip(" ,.")])
    elif bare in FUNCTIONS or bare.lower() in ("infinity", "percent", "degrees", "degree"):
        _word(bare, out)
    elif bare:
        out.append(("text", bare))
    return end


def _marked_name(command: str, bare: str) -> list[Token]:
    r"""\hat{p}, \bar{x} as names of their own, \overline{abc} as the number with these digits; [] for other content.

    \overline{AB} is a segment and \widehat{AB} an arc: capitals keep their plain name.
    """
    letter = bare.lstrip("\\")
    if letter in GREEK or (len(bare) == 1 and bare.isalpha() and bare.isascii()):
        return [("sym", f"{letter.removeprefix('var')}~{NAME_MARKS[command]}")]
    digits = command in ("\\overline", "\\bar") and len(bare) > 1 and bare.isascii() and bare.isalnum()
    if not digits or bare.isdecimal() or (bare.isalpha() and not bare.islower()) or len(bare) > 9:
        return []
    out: list[Token] = [("open", "(")]
    for k, digit in enumerate(bare):
        out += [("num", "1" + "0" * (len(bare) - 1 - k)), ("op", "*")]
        out += [("num" if digit.isdecimal() else "sym", digit), ("op", "+")]
    return [*out[:-1], ("close", ")")]


def _command(name: str, text: str, i: int, out: list[Token], depth: int) -> int:
    """Append the tokens of the command `name` that ends at `i`; returns the index of what follows."""
    if name in COMMANDS:
        token = COMMANDS[name]
        out.append(token)
        if token[0] in ("frac", "binom"):  # \frac43: TeX takes one digit an argument
            for _ in range(2):
                while i < len(text) and text[i].isspace():
                    i += 1
                if i < len(text) and (text[i] in _DIGITS or (text[i].isascii() and text[i].isalpha())):
                    single = ("num" if text[i] in _DIGITS else "sym", text[i])
                    out.extend([("brace", "{"), single, ("unbrace", "}")])
                    i += 1
                elif i < len(text) and text[i] == "{":
                    argument, i = _argument(text, i)
                    out.extend([("brace", "{"), *_tokens(argument, depth + 1), ("unbrace", "}")])
        return i
    if name in ("\\color", "\\hspace", "\\phantom", "\\label", "\\tag", "\\textcolor"):
        return _argument(text, i)[1]
    if name in DROPPED:
        if name in ("\\left", "\\right") and text[i : i + 1] == ".":
            return i + 1
        return i
    if name in STYLES:
        return _styled(name, text, i, out, depth)
    if name in ("\\begin", "\\end"):
        match = _BRACED_NAME.match(text, i)
        if not match:
            raise UnreadableError(f"{name} without an environment")
        i = match.end()
        if match.group(1) == "array" and name == "\\begin" and (columns := _ARRAY_COLUMNS.match(text, i)):
            i = columns.end()
        out.append((name[1:], match.group(1).rstrip("*")))
        return i
    if name in ("\\pmod", "\\mod", "\\bmod"):
        out.append(("mod", name[1:]))
        return i
    if name in ("\\dot", "\\ddot"):
        content, i = _argument(text, i)
        bare = content.strip().strip("\\")
        if not bare.isalpha():
            raise UnreadableError(f"{name} over what is no name")
        out.append(("sym", bare + "'" * (2 if name == "\\ddot" else 1)))
        return i
    if name in ("\\notin",):
        out += [("not", ""), ("in", "in")]
        return i
    if name in ("\\operatorname", "\\operatornamewithlimits"):
        content, i = _argument(text, i + (text[i : i + 1] == "*"))
        if content.strip() in ("Re", "Im"):
            out.append(("func", content.strip().lower()))
        else:
            _word(content.strip(), out)
        return i
    bare = name[1:]
    if bare in GREEK or bare in FUNCTIONS:
        _word(bare, out)
        return i
    if (malformed := _UNBRACED_ENVIRONMENT.fullmatch(bare)) is not None:
        out.append((malformed.group(1), malformed.group(2)))
        return i
    for length in range(len(bare) - 1, 1, -1):  # \cotx, \pir: a command run into the next letter
        if "\\" + bare[:length] in STYLES and STYLES["\\" + bare[:length]] == "text":
            out.append(("text", bare[length:]))
            return i
        if bare[:length] in FUNCTIONS or bare[:length] in GREEK or f"\\{bare[:length]}" in COMMANDS:
            i = _command("\\" + bare[:length], text, i, out, depth)
            _word(bare[length:], out)
            return i
    out.append(("sym", name))  # \heartsuit: a symbol that equals itself alone
    return i


def _tokens(text: str, nesting: int = 0) -> list[Token]:
    if nesting > MAX_DEPTH:
        raise TooBigError(f"an answer is nested deeper than MAX_DEPTH={MAX_DEPTH}")
    out: list[Token] = []
    i, n, depth = 0, len(text), 0
    while i < n:
        if len(out) > MAX_TOKENS:
            raise TooBigError(f"an answer has more than MAX_TOKENS={MAX_TOKENS} tokens")
        match = _TOKEN.match(text, i)
        if match is None:
            raise UnreadableError("unreadable character")
        kind, value = match.lastgroup, match.group()
        i = match.end()
        if kind == "space":
            continue
        if kind == "num" or (value == "." and _REPEATING.match(text, match.start())):
            start = match.start()
            if (
                depth == 0
                and (grouped := _GROUPED.match(text, start))
                and (start == 0 or text[start - 1] not in "0123456789.,")
            ):
                out.append(("num", grouped.group().replace(",", "")))
                i = grouped.end()
            elif repeating := _REPEATING.match(text, start):
                out.append(repeating_decimal(repeating.group(1), repeating.group(2) or repeating.group(3)))
                i = repeating.end()
            elif "." in value and (tail := _REPEATED_TAIL.match(text, start)):
                digits = tail.group(1)
                cycle = repeated_tail(digits.partition(".")[2])
                out.append(repeating_decimal(digits, cycle) if cycle else ("num", digits))
                i = tail.end()
            elif len(value) > MAX_DIGITS:
                raise TooBigError(f"a number has more than MAX_DIGITS={MAX_DIGITS} digits")
            else:
                out.append(("num", value))
        elif kind == "cmd":
            i = _command(value, text, i, out, nesting)
        elif kind == "esc":
            if value[1] in _ESCAPED:
                token = _ESCAPED[value[1]]
                depth += (token[0] == "open") - (token[0] == "close")
                out.append(token)
            elif value[1] in ("_", "\n") or value[1] in " ,;:!$>#/&()[]-'\"":
                continue
            else:
                raise UnreadableError(f"unknown command {value}")
        elif kind == "word":
            _word(value, out, word_follows=bool(_NEXT_WORD.match(text, i)))
        elif value == "!=" and out and out[-1][0] in ("num", "close"):  # 5!=120
            out += [("op", "!"), ("rel", "=")]
        elif kind == "two":
            out.append(_TWO.get(value, ("ldots", "")))
        elif value == "^" and (degree := _DEGREE.match(text, match.start())):
            out.append(("deg", "°"))
            i = degree.end()
        elif value == "°":
            out.append(("deg", "°"))
        elif value in ("$", "~") or (value == "." and _abbreviates(out, text, i)):
            continue
        elif value in _SINGLE:
            kind = _SINGLE[value]
            depth += (kind == "open") - (kind == "close")
            out.append((kind, value))
        else:
            raise UnreadableError(f"unreadable character {value!r}")
    return out


def _abbreviates(out: list[Token], text: str, i: int) -> bool:
    """Whether a dot only ends a word, a letter or a group: "in.", "a.m.", "{5.}"."""
    return bool(out) and (
        (out[-1][0] in ("text", "sym") and text[i : i + 1] not in _DIGITS) or bool(_GROUP_ENDS.match(text, i))
    )


@lru_cache(maxsize=16_384)
def lex(text: str) -> tuple[Token, ...]:
    """The tokens of `text`. Raises `UnreadableError` on what no answer contains and `TooBigError` beyond a limit."""
    return tuple(_tokens(text))
