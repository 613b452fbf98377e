"""The phrases in which responses name an option letter: statements ("The answer is B") and looser turns. Data only.

Each pattern has one group, `letter`. They run on text without decoration (`letters.undecorated`), every search linear.
"""

from __future__ import annotations

import re

_CLOSE = r"(?=[\s).,:;!?|\\—–-]|$|[^\x00-\x7f])"
_LETTER = rf"\(?\s?(?P<letter>[A-Za-z]){_CLOSE}"
_CAPITAL = rf"\(?\s?(?P<letter>[A-Z]){_CLOSE}"
_NOUN = (
    r"(?:(?:the|la|le|die|der|el)\s|l['’])?(?:answer\s)?"
    r"(?:(?:option|choice|answer|letter|选项|選項|opci[óo]n|opção|réponse)\s?)?(?::\s?)?"
)
_ADJECTIVE = (
    r"(?:(?:final|correct|best|right|most \w{1,20}|likely|only|true|selected|my|richtige|bonne|правильный)\s|最终|正确)"
)
_SUBJECT = (
    rf"{_ADJECTIVE}{{0,3}}(?:\b(?:(?:answer|ans|option|choice)(?:\s(?:option|choice|letter))?|letter|statement|selection|"
    r"selected|select|solution|guess|conclusion|verdict|result|pick|r[ée]ponse|antwort|l[öo]sung|respuesta|resposta|"
    r"risposta|opci[óo]n|alternativa|opzione|antwoord|odpowied[źz]|cevap|đáp án|jibu)\b|"
    r"答案|选项|回答|答え|正解|ответ|정답|답|الإجابة|उत्?तर|উত্?তর|คำตอบ)(?:\s(?:corrett?[ao]|correcta?|correcte|finale?|final))?"
)
# A chain of linking words: "is", "must therefore be", "turns out to be", "is given by", "can only be".
_LINK = (
    r"(?:(?:is|are|was|be|must|should|would|will|can|could|has to be|appears|seems|turns out|comes out|to be|as|"
    r"given by|found to be|out|only|just|most|likely|probably|obviously|clearly|certainly|definitely|surely|simply|"
    r"indeed|therefore|thus|then|hence|actually|still|est|es|ist|ni|lautet)\s)"
)
_BE = (
    rf"(?:\s?(?:(?:,\s?(?:therefore|thus|then|hence),?\s?)?\b{_LINK}{{1,6}}|\b(?:is|are|was|est|es|ist|ni)\b|"
    r"é|è|应该是|应为|应是|是|为|為|は|은|는|选|選|选择|:|=|\\to|—|–|-\s)\s?)"
)
STATEMENTS = (
    # "The correct answer is (B)", "Answer: B", "答案是 B"
    re.compile(
        rf"{_SUBJECT}(?:\s(?:to|for|of|that|which)\s[^.\n:]{{1,60}}?)?{_BE}{{1,3}}\s?{_NOUN}{_LETTER}", re.IGNORECASE
    ),
    # "Option B is correct", "(B) 42 GeV is the correct answer"
    re.compile(
        r"(?<![A-Za-z'’])(?P<letter>[A-Z])(?:\)|(?:[).:]\s|\s?:\s)(?:(?!\b[A-E]\b)[^.\n?!]){0,80}?)?"
        r"\s(?:is|must be|seems|appears)\s"
        r"(?:(?:therefore|thus|the|most|likely|to be)\s){0,3}"
        r"(?:(?:correct|right|best|true)(?:\s(?:answer|option|choice|one|response))?|answer)"
        r"(?=\s?[.,;:!)]|\s?$|\s?\n|\s(?:because|since|as|and|here|for)\b)"
    ),
    # "Answer B", "Answer\n\nB"
    re.compile(rf"(?:\b(?:answer|ans)\b|答案)\.?(?:\s?\n\s{{0,4}}|\.\s|\s(?=\(?[A-Z]\)?\s?(?:$|\n|\.\s)))(?:option\s)?{_CAPITAL}",
               re.IGNORECASE),
    re.compile(r"\((?P<letter>[a-z])\)\sis\s(?:the\s)?(?:correct|right|best)"),
    re.compile(r"(?<![A-Za-z])(?P<letter>[A-Z])\)?\s?(?:选项)?\s?(?:是|为)?\s?(?:正确|对的)"),
    re.compile(rf"\b(?:[Cc]orrect|[Ff]inal)\s?:\s?{_CAPITAL}"),
    re.compile(
        r"\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s\(?(?P<letter>[A-Z])\)?"
        r"\s(?:best|it is|is the (?:most|only|one|closest))\b"
    ),
    re.compile(rf"(?:故选|应选|答案选|选择|选){_NOUN}{_CAPITAL}"),
    re.compile(rf"\banswer (?:choice|option|letter)\s{_CAPITAL}", re.IGNORECASE),
)  # fmt: skip
TURNS = (
    re.compile(rf"\b(?:go|going|goes) with\s{_NOUN}{_CAPITAL}", re.IGNORECASE),
    re.compile(rf"\b(?:choose|pick|select|chose|picked|choosing)\s{_NOUN}{_CAPITAL}", re.IGNORECASE),
    re.compile(rf"\b(?:[Ii]t|[Tt]hat|[Tt]his)(?: is|['’]s| must be| has to be)\s{_NOUN}{_CAPITAL}(?!\s[a-z])"),
    re.compile(
        r"\b(?:is|corresponds? to|corresponding to|match(?:es|ing)?|namely|i\.e\.,?|to|with|by|"
        rf"(?:hence|thus|therefore|so),?)\s(?:the\s)?(?:answer\s)?(?:option|choice|answer)\s{_CAPITAL}", re.IGNORECASE),
    re.compile(rf"\b(?:left with|[Oo]nly)\s(?:option|choice)?\s?{_CAPITAL}"),
    re.compile(
        r"(?:\b(?:[Ss]o|[Tt]hus|[Hh]ence|[Tt]herefore|but|rather|[Mm]ust be|leaving|leaves|elimination|it'?s)|∴|⇒)"
        rf"\s?[,:]?\s?(?:only\s)?(?:option\s|choice\s)?{_CAPITAL}(?=[).]?\s?(?:$|\n|\.))"
    ),
    re.compile(
        rf"(?:\b(?:matches|closest to|agrees with|pointing to|giving|leads? to)|,)\s(?:option\s|choice\s|answer\s)"
        rf"{_CAPITAL}(?=[).]?\s?(?:$|\n|\.))"
    ),
    re.compile(rf"\b(?:matches|[Cc]losest to|agrees with)\s{_CAPITAL}(?=[).]?\s?(?:$|\n|\.))"),
)  # fmt: skip
