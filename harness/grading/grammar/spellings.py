"""Other spellings of the same mathematics, rewritten as text before it is lexed. Every rule is general and linear.

Foreign intervals (`]2, 5]`), `60^o`, `12{.}5`, `^{10}C_3`, `3.2 x 10^5`, `2516 (base 8)`, `1.000.000`, `(2,3) U (4,5)`.
"""

from __future__ import annotations

import re

_WORD_BASES = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "sixteen": 16,
}
_MAYBE = re.compile(
    r"[\[\]'ACPUobxX/.,<]|nabla|bar|overline|\\times [A-Z]| (?:or|and) |text|\)\s*_|_\s*\{?\s*\(|mod|vec|arrow|\d in \d"
)  # no rule below applies without one of these
_WRAP = r"(?:\\(?:text|textrm|mathrm|mbox|rm)\s*)?"
_ROW_SPACING = re.compile(r"\\\\\s*\[\s*-?\d+(?:\.\d+)?\s*(?:pt|em|ex|mm|cm|in)\s*\]")
_DECIMAL_MARK = re.compile(r"(?<=\d)\{([.,])\}(?=\d)")
_RAISED_O = re.compile(rf"(?<=\d)\s*\^\s*(?:\{{\s*{_WRAP}\{{?\s*o\s*\}}?\s*\}}|{_WRAP}\{{\s*o\s*\}}|o(?![A-Za-z]))")
_LETTER_TIMES = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*(?:\^|\*\*))")
_OUT_OF = re.compile(rf"(\d{{1,30}})\s*{_WRAP}\{{?\s*(?:out of|in)\s*\}}?\s*(\d{{1,30}})")
_PLUS_OR_MINUS = re.compile(r"\+\s?/\s?-")
_DOTTED_GROUPS = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?:\.\d{3}){2,}(?![\w.]|,\d)")
_PRIMED_GROUPS = re.compile(r"(?<![\w.,'])[1-9]\d{0,2}(?:'\d{3})+(?![\w'])")
_UNION_LETTER = re.compile(r"(?<=[)\]])\s*(?:\\text\s*\{\s*U\s*\}|U)\s*(?=[(\[]|\\left|\\\{)")
_FOREIGN_INTERVAL = re.compile(r"(\\left\s*)?([\[\]])([^\[\]();,]{1,200}[;,][^\[\]();,]{1,200}?)(\\right\s*)?([\[\]])")
_SCRIPT_CHOOSE = re.compile(
    r"(?<![\w)}])(?:\{\s*\}\s*)?[\^_]\s*(?:\{\s*(\d{1,6})\s*\}|(\d))\s*(?:\\(?:mathrm|text)\s*\{\s*C\s*\}|C)\s*"
    r"_\s*(?:\{\s*(\d{1,6})\s*\}|(\d))"
)
_SUPER_CHOOSE = re.compile(
    r"(?<![\w\\}])C\s*(?:_\s*(?:\{\s*(\d{1,6})\s*\}|(\d))\s*\^\s*(?:\{\s*(\d{1,6})\s*\}|(\d))"
    r"|\^\s*(?:\{\s*(\d{1,6})\s*\}|(\d))\s*_\s*(?:\{\s*(\d{1,6})\s*\}|(\d)))"
)
_BASE_WORDS = re.compile(
    rf"(-?[0-9A-Z]+)\s*,?\s*{_WRAP}\{{?\s*\(?\s*(?:in\s+)?base[\s-]*\$?(\d+|[a-z]+)\$?\s*\)?\s*\}}?", re.IGNORECASE
)
_BRACKETED_DIGITS = re.compile(r"\(\s*(-?[0-9A-F]+)\s*\)\s*_(?=\s*[{\d(])")
_BRACKETED_BASE = re.compile(r"(?<=[0-9A-Z}])\s*_\s*\{?\s*\(\s*(\d{1,2})\s*\)\s*\}?")


_OR_MORE = re.compile(
    r"(?<=[\d}%])\s+((?:or|and) (?:more|greater|above|higher|larger|over|up|less|fewer|below|lower|smaller|under)\b)"
)
_CONDITION = re.compile(r"(?<=[\w})])\s*,?\s*\\text\s*\{\s*,?\s*(?:for|where|with|when|if)(?: all| any| every)?\s*\}")
_BOUND_WORDS = re.compile(
    r"(?:\\(?:text|mathrm|mbox)\s*\{\s*)?(at least|at most|no (?:less|fewer) than|no more than|more than|greater than"
    r"|less than|fewer than)\s*\}?\s*(?=[-\d\\$]+)",
    re.IGNORECASE,
)
_BOUND_SIGNS = {
    "at least": "\\ge ",
    "at most": "\\le ",
    "no less than": "\\ge ",
    "no fewer than": "\\ge ",
    "no more than": "\\le ",
    "more than": "> ",
    "greater than": "> ",
    "less than": "< ",
    "fewer than": "< ",
}
_SAYING = re.compile(
    r"\\(?:text|mathrm|mbox|textrm)\s*\{\s*((?:[A-Za-z']+ ?){0,6}?)\s*"
    r"(?::|\bis|\bare|\bequals|\bthere are|\bthere is|=)\s*\}\s*(?=[-\d\\$(])",
    re.IGNORECASE,
)
_NOT_SAID = re.compile(
    r"\b(?:not|no|never|least|most|more|less|than|between|except|if|when|cannot|neither)\b", re.IGNORECASE
)
_REALS_BUT = re.compile(
    rf"{_WRAP}\{{?\s*(?:all|any|every)? ?real(?: numbers?| values?)?(?: of)?(?: \$?x\$?)? "
    r"(?:except|excluding|other than|but|besides)(?: for| when)?\s*\}?\s*(?:x\s*=\s*)?([-\d\\].{0,60})",
    re.IGNORECASE,
)
_DEGREES_AND_MINUTES = re.compile(
    r"(\d{1,3})\s*(?:°|\^\s*\{?\s*\\circ\s*\}?)\s*(\d{1,2})\s*'(?!')(?:\s*(\d{1,2}(?:\.\d{1,6})?)\s*(?:''|\"))?"
)
_PERMUTATIONS = re.compile(r"(?<![\w\\}])A_\s*\{?\s*(\d{1,3})\s*\}?\s*\^\s*\{?\s*(\d{1,3})\s*\}?(?![\d(])")
_UPRIGHT_CHOOSE = re.compile(r"\\(?:mathrm|text|rm|operatorname)\s*\{C\}(?=\s*[_^])")
_REPEATED_DIGIT = re.compile(r"\\(?:overline|bar)\s*(\d)")
_CONJUGATE = re.compile(r"\\(?:overline|bar)\s*(?:\{\s*([zw])\s*\}|([zw]))(?!\s*_)")
_CURL_OR_DIVERGENCE = re.compile(r"\\nabla\s*\\(times|cdot)(?![a-z])")
_PRODUCT_OF_SETS = re.compile(r"([A-Z])\s*\\times\s*([A-Z])")
_ARROW = re.compile(r"\\(?:vec|overrightarrow)\s*\{\s*([A-Z])\s*([A-Z])\s*\}")
_POINT_ALONE = re.compile(r"(\d)\.(?=\s*/)")
_MODULUS = re.compile(
    r"\(\s*(?:\\(?:text|mathrm|operatorname|mbox)\s*\{\s*mod(?:ulo)?\s*\}|\\[bp]?mod|mod(?:ulo)?)\s*"
    r"((?:[^(){}]|\{[^{}]{0,40}\}){1,60})\)"
)
_CROSS = re.compile(
    r"\\(?:vec|overrightarrow|mathbf|boldsymbol)\s*(?:\{\s*([A-Za-z])\s*\}|([A-Za-z]))\s*\\times\s*"
    r"\\(?:vec|overrightarrow|mathbf|boldsymbol)\s*(?:\{\s*([A-Za-z])\s*\}|([A-Za-z]))"
)
_ANGLES = re.compile(r"\s*<([^<>=|]{1,200},[^<>=|]{1,200})>\s*")
_CHOOSE_CALL = re.compile(r"(?<![\w\\}])(?:\\mathrm\s*)?\{?C\}?\s*\(\s*(\d{1,6})\s*,\s*(\d{1,6})\s*\)")
_CHOOSE_INFIX = re.compile(r"(?<![\w\\}.])(?:_?\{?(\d{1,6})\}?)\s*C\s*_?\{?(\d{1,6})\}?(?![\w}])")
_SCRIPT_PERMUTE = re.compile(
    r"(?<![\w)}])(?:\{\s*\}\s*)?[\^_]\s*\{?\s*(\d{1,4})\s*\}?\s*(?:\\(?:mathrm|text)\s*\{\s*P\s*\}|"
    r"P)\s*_?\s*\{?\s*(\d{1,4})\s*\}?"
    r"|(?<![\w\\}.])(\d{1,4})\s*P\s*_?\s*\{?(\d{1,4})\}?(?![\w}])"
)
_DERIVATIVE = re.compile(r"(?<![A-Za-z\\])d([A-Za-z])\s*/\s*d([A-Za-z])(?![A-Za-z])")
_EUROPEAN = re.compile(r"(-?\d{1,3}(?:\.\d{3})+),(\d{1,6})")


def _interval(match: re.Match[str]) -> str:
    """]2, 5[ as (2, 5): a bracket that is turned away leaves its end out."""
    left, opener, inside, right, closer = match.groups()
    return f"{left or ''}{'[' if opener == '[' else '('}{inside}{right or ''}{']' if closer == ']' else ')'}"


def _degrees(match: re.Match[str]) -> str:
    """Degrees, minutes and seconds as one number of degrees."""
    degrees, minutes, seconds = match.groups()
    return f"({degrees}+\\frac{{{minutes}}}{{60}}+\\frac{{{seconds or 0}}}{{3600}})^\\circ "


def _choose(match: re.Match[str]) -> str:
    n, k = (int(g) for g in match.groups() if g is not None)
    if match.re is _SUPER_CHOOSE:  # C_{10}^3 and C^{10}_3 are both in use
        n, k = max(n, k), min(n, k)
    return f"\\binom{{{n}}}{{{k}}}" if n >= k and n > 2 else match.group()


def _permute(match: re.Match[str]) -> str:
    n, k = (int(g) for g in match.groups() if g is not None)
    return f"perm({n},{k})" if n >= k else match.group()


def _based(match: re.Match[str]) -> str:
    base = match.group(2).lower()
    base = str(_WORD_BASES.get(base, base))
    return f"{match.group(1)}_{{{base}}}" if base.isdecimal() else match.group()


def respelled(text: str) -> str:
    """`text` in the one spelling that the lexer knows; unchanged where no rule applies."""
    if match := _BOUND_WORDS.match(text):
        text = _BOUND_SIGNS[" ".join(match.group(1).lower().split())] + text[match.end() :]
    if "real" in text and (match := _REALS_BUT.fullmatch(text)):
        text = f"\\mathbb{{R}}\\setminus\\{{{match.group(1)}\\}}"
    elif text.startswith("\\") and (match := _SAYING.match(text)) and not _NOT_SAID.search(match.group(1)):
        text = text[match.end() :]
    if text.startswith("Matrix([[") and text.endswith("]])"):
        text = text[len("Matrix(") : -1]
    if not _MAYBE.search(text):
        return text
    if "[" in text or "]" in text:
        text = _ROW_SPACING.sub(r"\\\\", text)
        bare = text.replace("\\left", "").replace("\\right", "").strip(" $.")
        if bare.startswith("]") or bare.endswith("[") or re.search(r"\[\s*(?:\\cup|\\text|or|,|U)", bare):
            text = _FOREIGN_INTERVAL.sub(_interval, text)
        text = _UNION_LETTER.sub(r" \\cup ", text)
    elif ")" in text and "U" in text:
        text = _UNION_LETTER.sub(r" \\cup ", text)
    if "{.}" in text or "{,}" in text:
        text = _DECIMAL_MARK.sub(r"\1", text)
    if "o" in text and "^" in text:
        text = _RAISED_O.sub(r"^\\circ ", text)
    if "10" in text and ("x" in text or "X" in text):
        text = _LETTER_TIMES.sub(r"\\times ", text)
    if "/" in text:
        text = _PLUS_OR_MINUS.sub(r"\\pm ", text)
    if "." in text:
        text = _DOTTED_GROUPS.sub(lambda m: m.group().replace(".", ""), text)
    if "'" in text:
        text = _DEGREES_AND_MINUTES.sub(_degrees, text)
        text = _PRIMED_GROUPS.sub(lambda m: m.group().replace("'", ""), text)
    if "A_" in text:
        text = _PERMUTATIONS.sub(_permute, text)
    if "{C}" in text:
        text = _UPRIGHT_CHOOSE.sub("C", text)
    if "C" in text and "_" in text:
        text = _SUPER_CHOOSE.sub(_choose, _SCRIPT_CHOOSE.sub(_choose, text))
    if "base" in text.lower() and (match := _BASE_WORDS.fullmatch(text)):
        text = _based(match)
    if ("out of" in text or " in " in text) and (match := _OUT_OF.fullmatch(text)):
        text = f"\\frac{{{match.group(1)}}}{{{match.group(2)}}}"
    if " or " in text or " and " in text:
        text = _OR_MORE.sub(r"\\text{ \1}", text)
    if "text" in text:
        text = _CONDITION.sub(", ", text)
    if "." in text:
        text = _POINT_ALONE.sub(r"\1", text)
    if "mod" in text:
        text = _MODULUS.sub(r"\\pmod{\1}", text)
    if "times" in text and ("vec" in text or "arrow" in text or "bf" in text or "bold" in text):
        text = _CROSS.sub(lambda m: f"cross({m.group(1) or m.group(2)},{m.group(3) or m.group(4)})", text)
    if "<" in text and (match := _ANGLES.fullmatch(text)):
        text = f"\\langle {match.group(1)}\\rangle"
    if "C" in text:
        text = _CHOOSE_INFIX.sub(_choose, _CHOOSE_CALL.sub(_choose, text))
    if "P" in text:
        text = _SCRIPT_PERMUTE.sub(_permute, text)
    if "/" in text and "d" in text:
        text = _DERIVATIVE.sub(r"\\frac{d\1}{d\2}", text)
    if "," in text and (match := _EUROPEAN.fullmatch(text)):  # 1.234.567,89
        text = match.group(1).replace(".", "") + "." + match.group(2)
    if "bar" in text or "overline" in text:
        text = _REPEATED_DIGIT.sub(r"\\overline{\1}", text)
        text = _CONJUGATE.sub(lambda m: f"{m.group(1) or m.group(2)}_{{bar}}", text)
    if ("vec" in text or "arrow" in text) and "=" not in text:  # from A to B is B - A
        text = _ARROW.sub(r"(\2_{point}-\1_{point})", text)
    if "nabla" in text:
        text = _CURL_OR_DIVERGENCE.sub(r"\\nabla_{\1} ", text)
    if "times" in text and (match := _PRODUCT_OF_SETS.fullmatch(text)):
        text = f"cross({match.group(1)},{match.group(2)})"
    if "_" in text and "(" in text:
        text = _BRACKETED_BASE.sub(r"_{\1}", _BRACKETED_DIGITS.sub(r"\1_", text))
    return text
