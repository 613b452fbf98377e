"""Which of several stated values the question asks for: "the perimeter is 40, the area is 96"."""

from __future__ import annotations

import re

from harness.grading.extract.sentences import directly_stated
from harness.grading.extract.stated_numbers import last_number

_TASK = re.compile(
    r"\b(?:find|what (?:is|are|was|were|will be|would be)|determine|compute|calculate|evaluate|give|how (?:many|"
    r"much|old|far|long|tall|fast|heavy|high|deep|wide|large)|what)\s+"
    r"(?:the\s+|his\s+|her\s+|its\s+|their\s+)?(?:(?:exact\s|total\s)?values?\s+of\s+(?:the\s+)?)?",
    re.IGNORECASE,
)
_HEAD_ENDS = re.compile(
    r"\s(?:of|that|with|for|if|in|on|when|such|where|from|at|to|is|are|was|does|do|did|will|would|has|have|can|must|so|given)\b"
    r"|[?.,;:]",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_CLAUSE = re.compile(r"[,;]\s+(?:and\s+|while\s+|but\s+)?|\s+(?:and|while|but|whereas)\s+", re.IGNORECASE)
_SUBJECT = re.compile(
    r"\W*(?:(?:so|thus|hence|therefore|then)\W+)?(?P<subject>[^=:]{1,60}?)\s*(?:=|\b(?:is|are|equals?|was|were|measures)\b)\s*(?P<value>\S.*)",
    re.IGNORECASE,
)
_EMPTY_WORDS = frozenset(("the", "a", "an", "its", "his", "her", "their", "our", "so", "thus", "of"))
_MARKUP = re.compile(r"\$|\\[()\[\]]|\*\*")
_PERCENT = re.compile(r"\d+(?:\.\d+)?\s?\\?%|\d+(?:\.\d+)?\s?percent")
_OF_WHICH_PERCENT = re.compile(r",\s(?:which|that) is (?:about |exactly )?\d+(?:\.\d+)?\s?\\?%.*$", re.DOTALL)
_ASKS_PERCENT = re.compile(r"\bpercent|%|\\%")
_OF_NAME = (  # what a name equals at the end
    r"(?<![\w\\+*/^-])(?<![+*/^-]\s)%s\s*=\s*(?:[^=,;]{1,80}=\s*){0,6}"
    r"((?:\\[a-zA-Z]{1,12}|[^=,;a-zA-Z]|(?<![a-zA-Z])[a-zA-Z](?![a-zA-Z])){1,60}?)\s*\.?\s*$"
)
_MAX_CHARS = 400  # of a sentence that is looked at clause by clause
_HAS_COPULA = re.compile(r"\s(?:is|are|was|were|equals?|be)\s|[=:]")
_SUBORDINATE = re.compile(r",\s(?:which|who|of which)\s|;\s")
_NAME = re.compile(r"(?<!^)\b[A-Z][a-z]{2,}\b")
_NOUN_AND_VALUE = re.compile(r"\b([a-z]{3,})\s(-?\d[\d.,/]*|\([^()a-z]{3,40}\))(?=\s(?:and|with)\s|[,.]?\s|[.,]?$)")
_GAIN = re.compile(r"\b(?:profit|gain|gained|gains|profits)\b", re.IGNORECASE)
_LOSS = re.compile(r"\b(?:loss|lost|loses|losses|lose)\b", re.IGNORECASE)
_ELABORATES = re.compile(
    r"\W*(?:its|their|these|this|that|they|it|here|(?:for|with|at|in)\s(?:this|that|these))\b", re.IGNORECASE
)


def head_words(question: str) -> frozenset[str]:
    """The words that name what is asked for last: {"perimeter"} of "Find the perimeter of the rectangle"."""
    tasks = list(_TASK.finditer(question))
    if not tasks:
        return frozenset()
    rest = _MARKUP.sub(" ", question[tasks[-1].end() : tasks[-1].end() + 200]).lstrip()
    end = _HEAD_ENDS.search(rest)
    words = _WORD.findall((rest[: end.start()] if end else rest).lower())
    return frozenset(words) - _EMPTY_WORDS


def asked_value(sentence: str, question: str) -> str | None:
    """The value that `sentence` states of what `question` asks for, where it states values of several things."""
    if not question or len(sentence) > _MAX_CHARS or "\n" in sentence:
        return None
    percents = _PERCENT.findall(sentence)
    if percents and _OF_WHICH_PERCENT.search(sentence):
        if _ASKS_PERCENT.search(question):
            return str(percents[0]) if len(percents) == 1 else None
        return directly_stated(_OF_WHICH_PERCENT.sub("", sentence)) or last_number(_OF_WHICH_PERCENT.sub("", sentence))
    wanted = head_words(question)
    if not wanted:
        return None
    name = next(iter(wanted)) if len(wanted) == 1 else ""
    if len(name) == 1 and (match := re.search(_OF_NAME % name, _MARKUP.sub("", sentence), re.IGNORECASE)):
        return directly_stated(match.group(1), words=0)
    plain = _MARKUP.sub("", sentence)
    wanted = frozenset(word for word in wanted if word.isalpha() and (len(word) > 2 or len(wanted) == 1))
    main = _SUBORDINATE.split(plain, maxsplit=1)
    if len(main) > 1 and any(re.search(rf"\d\s{word}", main[0]) for word in wanted) and not wanted & _words(main[1]):
        return last_number(main[0])  # "You need 42 tiles, which cost $84"
    stated: list[tuple[frozenset[str], str]] = []
    for clause in _CLAUSE.split(plain):
        match = _SUBJECT.match(clause)
        value = directly_stated(match.group("value"), words=0) if match else None
        if match and value:
            stated.append((_words(match.group("subject")), value))
    return (
        _one_of(stated, wanted)
        or (
            _one_of([(_words(noun), value) for noun, value in _NOUN_AND_VALUE.findall(plain)], wanted)
            if not _HAS_COPULA.search(plain)
            else None
        )
        or _one_of(
            [(_words(part), value) for part in _CLAUSE.split(plain) if (value := last_number(part))], _names(question)
        )
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


def _names(question: str) -> frozenset[str]:
    """The proper names in the sentence that asks."""
    tasks = list(_TASK.finditer(question))
    return frozenset(name.lower() for name in _NAME.findall(question[tasks[-1].end() :])) if tasks else frozenset()


def _one_of(stated: list[tuple[frozenset[str], str]], wanted: frozenset[str]) -> str | None:
    """The value whose words meet the wanted ones best, where several are stated and one does."""
    most = max((len(words & wanted) for words, _ in stated), default=0)
    fitting = [value for words, value in stated if len(words & wanted) == most]
    return fitting[0].strip(" .") if most and len(stated) > 1 and len(fitting) == 1 else None


def speaks_of_it(sentence: str, before: str, question: str) -> bool:
    """Whether `sentence` only elaborates on `before`, whose subject is what `question` asks for."""
    if not question or not _ELABORATES.match(sentence):
        return False
    match = _SUBJECT.match(_MARKUP.sub("", before))
    wanted = head_words(question)
    return bool(match and wanted and frozenset(_WORD.findall(match.group("subject").lower())) >= wanted)


def signed(value: str, sentence: str, question: str) -> str:
    """`value` with a minus where a profit is asked for and the sentence states a loss, or the other way round."""
    if not question or value.lstrip(" $\\").startswith(("-", "−")):
        return value
    for asked, said in ((_GAIN, _LOSS), (_LOSS, _GAIN)):
        if (
            asked.search(question)
            and not said.search(question)
            and said.search(sentence)
            and not asked.search(sentence)
        ):
            return f"-{value}"
    return value
