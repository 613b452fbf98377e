"""What one sentence states: a value by itself, what follows its last "is" or "=", its last formula or number."""

from __future__ import annotations

import re

from harness.grading.grammar.clean import clean
from harness.grading.grammar.expressions import Node
from harness.grading.grammar.parser import parse
from harness.grading.grammar.units import number_word
from harness.grading.limits import TooBigError, UnreadableError

SENTENCE = re.compile(
    r"(?:(?<=[.!?])|(?<=[.!?]\$)|(?<=[.!?]\$\$)|(?<=[.!?]\\[\])]))\s+(?=[A-Z\"'(*$\\]|$)|(?<=[。！？।])"
)
_HOPE = re.compile(r"\s*I hope (?:it|this) is correct\.?\s*", re.IGNORECASE)
_MATH = re.compile(
    r"\$\$([^$]{1,2000})\$\$|\$([^$\n]{1,500})\$|\\\((.{1,500}?)\\\)|\\\[(.{1,2000}?)\\\]|\*\*([^*\n]{1,200})\*\*",
    re.DOTALL,
)
_NUMBER = re.compile(r"(?<![A-Za-z0-9_.,])[-−+]?\s?[$€£¥]?\d+(?:[,.]\d+)*(?:/\d+)?\s?%?(?![A-Za-z_]*\d)")
_COPULA = re.compile(
    r"\s(?:is|are|equals?|be|was|were|becomes?|est|sont|ist|sind|es|son|is equal to|equal to)\s+|"
    r"(?<![<>!=])[=:：≈](?!=)\s*|是|为|為",
    re.IGNORECASE,
)
NEGATED = re.compile(r"\b(?:not|no|never|isn't|cannot|can't|neither)\b|不是|并非", re.IGNORECASE)
_TAIL = re.compile(
    r"(?:[,;]\s+|\s+)(?:because|since|so|as|which|where|when|for|if|after|but|and (?:the|that|it)|that|in order|with|"
    r"by|however|therefore|thus|according|not|rather than|instead of)\b|\s+to(?=\s+[a-z]{2})|"
    r"[,，;；。]\s*(?=[^\x00-\x7f])|\.\s|\n|\s+\((?=[a-z]{3})",
    re.IGNORECASE,
)
SENTENCE_STARTS = frozenset(("i", "we", "it", "this", "that", "there", "let", "sorry", "please", "hope", "thank"))
# Words of a sentence, no answer with a unit: two words on end, a word before a value, a script without spaces.
PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}[\s:,]+(?:[A-Za-z]|[$\\]|\d)|[^\W\d_a-zA-Z]{2}")
_WRONG = re.compile(r"\b(?:is|was)\s+(?:not|incorrect|wrong|false)\b", re.IGNORECASE)
_GIVEN_UP = re.compile(
    r"\b(?:cannot|can't|can’t|could not|couldn't|unable to|impossible to|not (?:able|possible|enough \w{1,20}) to|"
    r"do not know|don't know)\s*(?:be\s)?(?:how to\s)?(?:uniquely\s|further\s)?"
    r"(?:determined?|solved?|answer|found|find|computed?|calculated?|known?|what|the answer|conclude|$)",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"\bno (?:\w{1,12} )?(?:solutions?|answers?|such|values?|roots?)\b|\bI (?:need|give up|gave up)\b", re.IGNORECASE
)
_SIDE_BY_SIDE = re.compile(r"\d\s+$")
_BOUND = re.compile(
    r"\b(?:between|at least|at most|more than|less than|greater than|fewer than|up to)\b", re.IGNORECASE
)
COMPLETE = re.compile(r"[.!?。！？।:)\]$*}]\s*$")


def readable(text: str) -> Node | None:
    """The tree of `text`, or None. Limits count as unreadable here; the comparison reports them."""
    try:
        return parse(clean(text))
    except (UnreadableError, TooBigError, ValueError):
        return None


def is_value(tree: Node | None, words: int = 0) -> bool:
    """Whether a tree is an answer rather than a sentence: no words in it but units, or at most `words` words alone."""
    if tree is None:
        return False
    if tree[0] == "text":
        said = tree[1].split()
        return (len(said) <= words and said[0].lower() not in SENTENCE_STARTS) or number_word(tree[1]) is not None
    stack = [tree]
    while stack:
        node = stack.pop()
        if node[0] == "text" or (node[0] == "unit" and (len(node[2].split()) > 6 or node[1][0] in ("sym", "const"))):
            return False
        stack.extend(part for part in node if isinstance(part, tuple) and part)
    return True


def value_in(sentence: str, complete: bool = True) -> str | None:
    """The value that a sentence states: itself, what follows its last "is" or "=", its last formula or number."""
    sentence = _HOPE.sub(" ", sentence).strip()
    if not sentence or _GIVEN_UP.search(sentence):
        return None
    if is_value(readable(sentence), words=4):
        return sentence
    head = _TAIL.split(sentence, maxsplit=1)[0].strip()
    if _NOTHING.search(head):
        return None
    if head and head != sentence and is_value(readable(head)) and not NEGATED.search(head):
        return head
    starts = [(m.end(), None) for m in _COPULA.finditer(sentence)][-12:]
    formulas = [(m.start(), next(g for g in m.groups() if g is not None)) for m in _MATH.finditer(sentence)][-12:]
    for at, formula in sorted(starts + formulas, key=lambda x: x[0], reverse=True):
        rest = sentence[at:].strip()
        for piece in (formula,) if formula is not None else (rest, _TAIL.split(rest, maxsplit=1)[0].strip()):
            if piece and is_value(readable(piece)):
                denied = _denied_before(sentence, at) or (formula is None and NEGATED.match(rest))
                return None if denied else piece
    numbers = list(_NUMBER.finditer(sentence)) if complete else []
    if (
        not numbers
        or _WRONG.search(sentence)
        or _BOUND.search(sentence[max(0, numbers[-1].start() - 24) : numbers[-1].start()])
    ):
        return None
    last = numbers[-1]
    if _denied_before(sentence, last.start()) or _SIDE_BY_SIDE.search(sentence[: last.start()]):
        return None
    return last.group()


def _denied_before(sentence: str, at: int) -> bool:
    """Whether "not" stands just before `at`; in "not 5 but 6" it does not reach the 6."""
    return bool(NEGATED.search(sentence[max(0, at - 12) : at].rpartition("but ")[2]))


def first_sentence(line: str) -> str:
    parts = SENTENCE.split(line, maxsplit=1)
    return parts[0] if parts[0].strip() else line
