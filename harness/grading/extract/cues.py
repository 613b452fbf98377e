"""Where a response states its answer: "Final Answer:", "答案是", "La respuesta es" ... found by plain string search."""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_CUES = 40  # cues looked at, from the end
# "answer" in the languages of MGSM and of common models, lower case.
ANSWER_WORDS = (
    "answer",
    "ans",
    "答案",
    "回答",
    "答え",
    "解答",
    "réponse",
    "reponse",
    "antwort",
    "respuesta",
    "resposta",
    "risposta",
    "ответ",
    "jibu",
    "సమాధానం",
    "উত্তর",
    "คำตอบ",
    "정답",
    "답은",
    "답:",
    "الإجابة",
    "الجواب",
    "الاجابة",
    "उत्तर",
    "đáp án",
    "đáp số",
    "solución",
    "lösung",
    "решение",
    "cevap",
    "antwoord",
    "odpowiedź",
    "resultado final",
    "résultat final",
    "endergebnis",
    "final result",
)
_LINK = re.compile(
    r"(?P<between>s?(?:\s*\*\*)?[^\n.:：=。$\\*]{0,60}?)"
    r"(?P<link>\s*\*{0,2}\s*(?:[:：=]|\b(?:is|are|est|es|ist|lautet|equals|è|é|ni|là|adalah|это|będzie)\b"
    r"|是|为|為|は|হল|হলো|คือ|는|은|هو|هي|है|—|–|-\s))+|(?P<bare>s?\s*\**\s*(?:\n|$|(?=[\d$\\*])))",
    re.IGNORECASE,
)
_STRONG_BEFORE = re.compile(
    r"(?:^|\n|final|finale|correct|最终|最終的な|最终的|正确)[\s#>*_`-]*(?:the\s+|la\s+|el\s+|die\s+)?$", re.IGNORECASE
)
_NO_SUBJECT = re.compile(r"\b(?:check\w*|verif\w*|was|were|key|sheet|because|since|if)\b", re.IGNORECASE)
TAKEN_BACK = re.compile(  # a sentence that takes back what stands before it
    r"(?:^|[.!?。\n]\s{0,3})\W{0,3}(?:(?:oh|hmm|but)[,.]?\s)?(?:wait|hold on|actually,|no,|no:|correction|"
    r"scratch that|oops|sorry,|"
    r"my mistake|on second thought|on reflection|warte|moment,|attendez|espera|等等|不对|待って|いや)",
    re.IGNORECASE,
)
TAKEN_BACK_AT_ONCE = re.compile(  # "30... no wait, it's 42"
    r"(?:\.\.\.|…|,|—|–|\s-)\s*(?:no,? wait|wait,? no|wait|actually|sorry|no),?\s+(?:it(?:['’]s| is)\s+|"
    r"that(?:['’]s| is)\s+)?",
    re.IGNORECASE,
)
_SKIP = re.compile(r"[\s:：*_]*")


def cues(text: str) -> Iterator[tuple[int, bool, int]]:
    """(position, strong, where the value starts) of every cue of `text`, the last one first.

    A strong cue opens a line or says "final" or "correct"; only such a one outweighs a box before it.
    """
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = text
    found: list[tuple[int, str]] = []
    for word in ANSWER_WORDS:
        at = lowered.rfind(word)
        while at >= 0 and len(found) < MAX_CUES * len(ANSWER_WORDS):
            found.append((at, word))
            at = lowered.rfind(word, 0, at) if len(found) < MAX_CUES else -1
    for at, word in sorted(found, reverse=True)[:MAX_CUES]:
        if word.isascii() and at and lowered[at - 1].isalpha():
            continue
        if word == "ans" and lowered[at + 3 : at + 4].isalpha():
            continue
        match = _LINK.match(text, at + len(word))
        if match is None:
            continue
        strong = bool(_STRONG_BEFORE.search(text[max(0, at - 24) : at])) or at == 0
        if match.group("bare") is not None and not strong:
            continue
        between = match.group("between")
        if between and (_NO_SUBJECT.search(between) or match.group("link").strip(" *") == "="):
            continue  # "Answer check: ...", "the answer was checked with n = 3"
        start = match.end()
        skip = _SKIP.match(text, start)
        yield at, strong, skip.end() if skip else start
