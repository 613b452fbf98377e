"""One cleaning of an answer's text before it is compared or parsed: unicode, wrappers, prose around the value."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from harness.grading.grammar.chinese import from_chinese
from harness.grading.grammar.literals import group_end
from harness.grading.grammar.spellings import respelled
from harness.grading.grammar.units import meaning, number_word
from harness.grading.limits import MAX_DEPTH, UnreadableError

_UNICODE = {
    "−": "-",
    "–": "-",
    "—": "-",
    "‐": "-",
    "‑": "-",
    "×": "\\times ",
    "⋅": "\\cdot ",
    "·": "\\cdot ",
    "∙": "\\cdot ",
    "÷": "\\div ",
    "π": "\\pi ",
    "∞": "\\infty ",
    "≤": "\\le ",
    "≥": "\\ge ",
    "⩽": "\\le ",
    "⩾": "\\ge ",
    "≠": "\\ne ",
    "≈": "\\approx ",
    "±": "\\pm ",
    "∓": "\\mp ",
    "∪": "\\cup ",
    "∩": "\\cap ",
    "∈": "\\in ",
    "∅": "\\emptyset ",
    "ℝ": "\\mathbb{R}",
    "√": "\\sqrt ",
    "∛": "\\sqrt[3] ",
    "∜": "\\sqrt[4] ",
    "º": "°",
    "′": "'",
    "∠": "\\angle ",
    "⁄": "/",
    "∕": "/",
    "∖": "\\setminus ",
    "≡": "\\equiv ",
    "→": "\\to ",
    "⟨": "\\langle ",
    "⟩": "\\rangle ",
    "ℤ": "\\mathbb{Z}",
    "ℕ": "\\mathbb{N}",
    "ℚ": "\\mathbb{Q}",
    "ℂ": "\\mathbb{C}",
    "ħ": "\\hbar ",
    "ℏ": "\\hbar ",
    "ℓ": "\\ell ",
    "∂": "\\partial ",
    "∇": "\\nabla ",
    "∑": "\\sum ",
    "∏": "\\prod ",
    "∫": "\\int ",
    "∉": "\\notin ",
    "⊂": "\\subset ",
    "⊆": "\\subseteq ",
    "∀": "\\forall ",
    "∃": "\\exists ",
    "¬": "\\lnot ",
    "∧": "\\wedge ",
    "∨": "\\vee ",
    "⇒": "\\Rightarrow ",
    "⇔": "\\iff ",
    "∼": "\\sim ",
    "≅": "\\cong ",
    "⊥": "\\perp ",
    "∥": "\\parallel ",
    "△": "\\triangle ",
    "⋯": "\\cdots ",
    "Ω": "\\Omega ",
    "µ": "\\mu ",
    "ϕ": "\\phi ",
    "ϵ": "\\epsilon ",
    "ϑ": "\\theta ",
    "㏑": "\\ln ",
    "㏒": "\\log ",
    "✕": "\\times ",
    "⁡": "",
    "，": ",",
    "、": ",",
    "。": ".",
    "；": ";",
    "：": ":",
    "（": "(",
    "）": ")",
    "「": "",
    "」": "",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "⌊": "\\lfloor ",
    "⌋": "\\rfloor ",
    "⌈": "\\lceil ",
    "⌉": "\\rceil ",
    "…": "...",
    "￥": "¥",
    "¢": "\\text{ cents}",
    "٫": ".",
    "٬": ",",
    "％": "%",
    "٪": "%",
}
_GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
    "pi",
    "rho",
    "sigma",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
]
_UNICODE |= {chr(ord("α") + k): f"\\{name} " for k, name in enumerate(_GREEK)}
_UNICODE |= {chr(ord("Α") + k): f"\\{name.capitalize()} " for k, name in enumerate(_GREEK) if k != 17}
_CURRENCIES = {"€": "euros", "£": "gbp", "¥": "yen", "₹": "rupees", "₽": "rubles", "฿": "baht", "₩": "won"}
_CURRENCY = re.compile(
    r"(-?)\s*([€£¥₹₽฿₩])\s*(\d(?:[\d.,' ]{0,40}\d)?)|(?<!\d)(-?\d(?:[\d.,' ]{0,40}\d)?)\s*([€£¥₹₽฿₩])"
    r"|\b(?:Rs|INR)\b\.?\s*(\d[\d.,]*)"
)
_RUPEES = re.compile(r"\\(?:text|mathrm|mbox)\s*\{\s*(?:Rs|INR)\.?\s*\}\s*(\d)")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱˣ", "0123456789+-()nix")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙₓ", "0123456789+-()nx")
_SUPER_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱˣ]+")
_SUB_RUN = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙₓ]+")
_ROOT_OPERAND = re.compile(r"(\\sqrt(?:\[\d\])?) \s*(\d+(?:\.\d+)?|\\pi|[A-Za-z])")
_SPECIAL = re.compile(r"<\|[^|<>\n]{1,40}\|>|</?(?:s|b|i|strong|em|answer|u|p|br|span)\s*/?>|\[/?INST\]|</?think>")
_SUB_TAG = re.compile(r"<(sub|sup)>([^<]{0,40})</\1>")
_GROUP_MARKS = re.compile(r"(?<=\d)(?:\\!)*(?:\{,\}|,\\!|\\,|\\;|\\:|\\ |\{\\,\}|,\\ |~)(?:\\!)*\s*(?=\d{3}(?!\d))")
_SPACED_GROUPS = re.compile(r"(?<![\d.,])\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\d])")
_DOUBLED = re.compile(  # a JSON string that was escaped once too often
    r"(?<!\\)\\\\(?=(?:d?frac|tfrac|left|right|sqrt|pi|text|mathrm|boxed|cdot|times|infty|cup|begin|end|theta|"
    r"leq?|geq?)(?![a-z]))"
)
_ORDINAL = re.compile(
    r"(?<![\w.])(\d+)\s*(?:\^\s*)?(?:\{\s*)?(?:\\(?:text|mathrm|textrm|mbox)\s*\{\s*)?(?:st|nd|rd|"
    r"th)(?![A-Za-z])(?:\s*\})*"
)
_ESCAPES = {"\x08": "b", "\x0c": "f", "\t": "t", "\r": "r", "\x0b": "v"}
_MANGLED = re.compile(  # LaTeX whose backslash and letter a string literal took for one control character
    "\x08(?=oxed|inom|egin|eta|ar|f)|\x0c(?=rac)|\t(?=ext|imes|heta|au|an|frac|o)|\r(?=ight|ho|angle)|\x0b(?=ec|matrix)"
)
_DOLLAR_OF = re.compile(r"\b(?:US|HK|CA|AU|NZ|Rs)\s*\\?\$(?=\s*\d)")
_WORDS_IN_BRACKETS = re.compile(r"(?<=[\d}%])\s+\(([A-Za-z]{3,}(?:[ -][A-Za-z]+)*)\)$")  # 7 (seven)
_SPACES = re.compile(r" {2,}")
_NOT_PLAIN = re.compile(r"[^0-9]")
_WRAPS = (
    ("$$", "$$"),
    ("$", "$"),
    ("\\(", "\\)"),
    ("\\[", "\\]"),
    ("**", "**"),
    ("__", "__"),
    ("```", "```"),
    ("`", "`"),
    ('"', '"'),
    ("'", "'"),
    ("*", "*"),
)
_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{")
_APPROXIMATE_TAIL = re.compile(
    r"(?:\\quad|\\qquad|\\,|\\;|\\ |\s|,){0,12}"
    r"(?:\\(?:text|mbox|textrm|mathrm)\s*\{\s*\(?\s*(?:or\s+)?(?:approximately|approx\.?|about|exact(?:ly)?|"
    r"rounded)[^{}]*\}.*"
    r"|\((?:approximately|approx\.?|about|exact(?:ly)?|rounded|or about|or approximately)[^()]*\))\s*$",
    re.IGNORECASE | re.DOTALL,
)
_ABOUT = re.compile(r"^(?:\\text\s*\{\s*)?(?:about|roughly|around)\s*\}?\s*(?=[\d$\\-])", re.IGNORECASE)
_CHOICE_PREFIX = re.compile(
    r"\s*(?:\\(?:text|textbf|mathbf|mathrm|textrm|textit|bf|rm)\s*\{\s*)?\(\s*([A-Z])\s*\)\s*\}?"
    r"(?:\\[ ,;:!]|\\quad|\s|~)*\}?(.*)$",
    re.DOTALL,
)
_MORE_CHOICES = re.compile(
    r"\s*(?:[,;/&+*^!=<>_]|\([A-Z]\)|(?:\\(?:text|mbox|textbf)\s*\{\s*)?(?:and|or)\b)", re.IGNORECASE
)  # (C), (D)
_CONNECTIVE = re.compile(
    r"^(?:(?:so|thus|hence|therefore|then),?\s+|(?:因此|所以|故|综上|于是|从而|したがって|よって)[,:]?\s*)(?=[\\$\w(-])"
    r"|^(?:\\text\s*\{\s*)?(?:the )?(?:point|set|interval|ordered pair|vector)s?\s*\}?\s*(?=[(\[]|\\left|\\\{)",
    re.IGNORECASE,
)
_RESPECTIVELY = re.compile(r",?\s*(?:\\text\s*\{\s*,?\s*respectively\s*\}|respectively\s*(\}?))\s*$")
_PROSE = re.compile(
    r"^\s*(?:so|thus|hence|therefore|then|and)?,?\s*(?:the|our|my)?\s*(?:final|correct|exact)?\s*"
    r"(?:answer|result|solution|value)s?\s*(?:(?:is|are|:|=|equals)+\s*:?\s*|\s(?=[\\$\d(]))",
    re.IGNORECASE,
)
_WORDS_BEFORE_VALUE = re.compile(r"\s(?:is|are|equals?|equal to|be|was)\s+(?=[-+($\\\d.])", re.IGNORECASE)


def translate(text: str) -> str:
    """Unicode mathematics, digits of any script and full-width forms as the ASCII or LaTeX that means the same."""
    if text.isascii():
        return text
    text = _SUPER_RUN.sub(lambda m: "^{" + m.group().translate(_SUPERSCRIPTS) + "}", text)
    text = _SUB_RUN.sub(lambda m: "_{" + m.group().translate(_SUBSCRIPTS) + "}", text)
    out: list[str] = []
    for c in text:
        if c in _UNICODE:
            out.append(_UNICODE[c])
        elif c.isascii():
            out.append(c)
        else:
            out.append(_character(c))
    text = "".join(out)
    return _ROOT_OPERAND.sub(r"\1{\2}", text)


def _with_currency(match: re.Match[str]) -> str:
    r"""€5 and 5€ as 5 \text{ euros}."""
    sign, before, value, other, after, rupees = match.groups()
    if rupees:
        return f"{rupees}\\text{{ rupees}}"
    return f"{sign or ''}{value or other}\\text{{ {_CURRENCIES[before or after]}}}"


@lru_cache(maxsize=4_096)
def _character(c: str) -> str:
    category = unicodedata.category(c)
    if c in _CURRENCIES:
        return c
    if category in ("Cf", "Cc", "Cs", "Co", "Cn", "So", "Sk", "Mn", "Me"):
        plain = unicodedata.normalize("NFKC", c) if category == "So" else ""  # a circled letter
        return "°" if c == "°" else plain if plain.isascii() and plain.isalnum() else ""
    if category == "Nd":
        return str(unicodedata.decimal(c))
    if category in ("Zs", "Zl", "Zp"):
        return " "
    letters = unicodedata.normalize("NFD", c)
    if len(letters) == 2 and letters[1] == "\u0307":  # a dot above: a derivative
        return f"\\dot{{{letters[0]}}}"
    plain = unicodedata.normalize("NFKC", c)
    if category == "No" and "⁄" in plain:  # ½
        top, _, bottom = plain.partition("⁄")
        return f"\\frac{{{top}}}{{{bottom}}}"
    return plain if plain.isascii() else c


def unwrap(text: str) -> str:
    """`text` without the dollars, stars, quotes, boxes and stray punctuation around the whole of it."""
    for _ in range(MAX_DEPTH):
        before = text
        text = _trailing(text.strip())
        for left, right in _WRAPS:
            if len(text) >= len(left) + len(right) and text.startswith(left) and text.endswith(right):
                inner = text[len(left) : len(text) - len(right)]
                if left in inner or (right != left and right in inner):
                    continue
                text = inner
                break
        if match := _BOX.match(text):
            try:
                end = group_end(text, match.end() - 1)
            except UnreadableError:
                end = -1
            if end == len(text) - 1:
                text = text[match.end() : end]
        if text == before:
            break
    return text


def _trailing(text: str) -> str:
    """`text` without the punctuation that ends a sentence; factorials, dots that go on and LaTeX spaces are kept."""
    bare = text.rstrip(".,;:!?")
    tail = text[len(bare) :]
    if not tail or "..." in tail:
        return text
    if bare.endswith("\\"):  # "5\\!", "5\\,"
        return bare[:-1].rstrip()
    if tail[0] == "!" and bare and (bare[-1].isdigit() or bare[-1] in ")}nkx"):
        return bare + "!" * (len(tail) - len(tail.lstrip("!")))
    return bare.rstrip()


@lru_cache(maxsize=16_384)
def clean(text: str) -> str:
    """The answer's text in one normal form; idempotent on its own output for plain answers. Never raises."""
    if not _NOT_PLAIN.search(text):
        return text
    if not text.isprintable():
        text = _MANGLED.sub(lambda m: "\\" + _ESCAPES[m.group()], text)
        text = "".join(" " if c in "\n\t\r" else c for c in text if c in "\n\t\r" or c >= " ")
    text = translate(text)
    if "  " in text:  # so that no pattern below meets a long run of spaces
        text = _SPACES.sub(" ", text)
    if not text.isascii():
        text = _CURRENCY.sub(_with_currency, from_chinese(text))
        text = "".join(c for c in text if c not in _CURRENCIES)
    elif "Rs" in text or "INR" in text:
        text = _CURRENCY.sub(_with_currency, _RUPEES.sub(r"Rs \1", text))
    if "<" in text or "[" in text:
        text = _SUB_TAG.sub(lambda m: ("_" if m.group(1) == "sub" else "^") + "{" + m.group(2) + "}", text)
        text = _SPECIAL.sub(" ", text)
    if "$" in text:
        text = _DOLLAR_OF.sub("$", text)
    if "\\\\" in text:
        text = _DOUBLED.sub("\\\\", text)
    text = unwrap(text)
    if text.endswith("\\"):
        text = unwrap(text.rstrip("\\"))
    if text.endswith(")"):
        text = _WORDS_IN_BRACKETS.sub(lambda m: "" if _says_nothing(m.group(1)) else f"\\text{{ {m.group(1)}}}", text)
    text = _ORDINAL.sub(r"\1", text)
    text = _GROUP_MARKS.sub("", text)
    text = _SPACED_GROUPS.sub(lambda m: re.sub(r"\s", "", m.group()), text)
    if "ppro" in text or "bout" in text or "xact" in text or "ounded" in text:
        text = unwrap(_APPROXIMATE_TAIL.sub("", text)) or text
    if "nswer" in text or "esult" in text or "olution" in text or "alue" in text:
        stripped = _PROSE.sub("", text, count=1)
        if stripped.strip():
            text = unwrap(stripped)
    if "bout" in text or "oughly" in text or "round" in text:
        text = _ABOUT.sub("", text)
    text = _CONNECTIVE.sub("", text)
    if "respectively" in text:
        text = _RESPECTIVELY.sub(lambda m: m.group(1) or "", text)
    if len(text) == 2 and text[1] == ")" and text[0].isupper():
        return text[0]
    return respelled(text)


def _says_nothing(words: str) -> bool:
    """Whether words in brackets behind a value only repeat it: 7 (seven), 5 (units)."""
    said = meaning(words)
    return number_word(words) is not None or not (said.conditions or said.descriptions or said.nouns or said.bound)


def choice_prefix(text: str) -> tuple[str, str] | None:
    r"""`("B", "5")` for "\textbf{(B) }5"; None where no letter in brackets opens the text."""
    match = _CHOICE_PREFIX.match(text)
    if match is None or _MORE_CHOICES.match(match.group(2)):
        return None
    return match.group(1), match.group(2).strip()
