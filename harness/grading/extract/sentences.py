"""What one sentence states: a value by itself, what follows its last "is" or "=", its last formula or number."""

from __future__ import annotations

import re

from harness.grading.extract.conclusions import GIVEN_UP
from harness.grading.extract.stated_numbers import NEGATED, NUMBER, counted, denied_before, last_number
from harness.grading.grammar.clean import clean
from harness.grading.grammar.nodes import Const, Node, Sym, Text, Unit
from harness.grading.grammar.parser import parse
from harness.grading.grammar.tree import walk
from harness.grading.grammar.units import number_word
from harness.grading.limits import TooBigError, UnreadableError

SENTENCE = re.compile(
    r"(?:(?<=[.!?])|(?<=[.!?]\$)|(?<=[.!?]\$\$)|(?<=[.!?]\\[\])]))\s+(?=[A-Z\"'(*$]|\\(?![\])]|end)|$)|(?<=[。！？।])"
)
_HOPE = re.compile(r"\s*I hope (?:it|this) is correct\.?\s*", re.IGNORECASE)
_MATH = re.compile(
    r"\$\$([^$]{1,2000})\$\$|\$([^$\n]{1,500})\$|\\\((.{1,500}?)\\\)|\\\[(.{1,2000}?)\\\]|\*\*([^*\n]{1,200})\*\*",
    re.DOTALL,
)
_LEADING_NUMBER = re.compile(
    r"[$€£¥]?\s?[-−+]?\s?[$€£¥]?\d+(?:[,.]\d+)*(?:/\d+)?\s?[%€£¥]?(?=\s?(?:[^\W\d_]{2}|[.,;。，]|$))"
)
_COPULA = re.compile(
    r"\s(?:is|are|equals?|be|was|were|becomes?|est|sont|ist|sind es|ist es|sind|beträgt|es|son|é|è|is equal to|"
    r"equal to)\s+"
    r"(?:(?:then|therefore|thus|exactly|simply|just|indeed|now|approximately|about|roughly|around|nearly|de)\s+)?|(?<=[Ii]t)['’]s\s+(?=[-$\\\d(])|(?<![<>!=])(?:[=：≈]|:(?!\d)|(?<!\d):)(?!=)\s*|是|为|為",
    re.IGNORECASE,
)
_RESULT = re.compile(
    r"\b(?:which is|get|gets|obtain|obtains|gives|yields?|equals|leaves|makes)\s+(?:us\s+)?", re.IGNORECASE
)
_TAIL = re.compile(
    r"(?:[,;]\s+|\s+)(?:because|since|so|as|which|i\.e\.|where|when|for|if|after|but|and (?:the|that|it)|that|"
    r"in order|with|"
    r"by|however|therefore|thus|according|not|rather than|instead of)\b|\s+to(?=\s+[a-z]{2})|"
    r"[,，;；。]\s*(?=[^\x00-\x7f])|\.\s|\n|\s+\((?=[a-z]{3})",
    re.IGNORECASE,
)
# What only explains the value before it; what stands behind "so" may be the value itself.
_EXPLANATION = re.compile(
    r"(?:[,;]\s+|\s+)(?:because|since|attained|achieved|reached|occurring|obtained|"
    r"which (?:is|was) (?:attained|reached|achieved)|which occurs|or (?:about|approximately|roughly|around)|"
    r"as (?:desired|required|claimed))\b|"
    r",\s+(?:when|where|at|for|with|if)\b|(?<!i\.e\.),\s+(?:about|approximately|roughly|around)\b|"
    r"\s+for\s+(?:all|any|every)\s[^,;=$]{0,30}(?:\$[^$=]{1,40}\$)?\W*$",
    re.IGNORECASE,
)
_EMPHASISED_END = re.compile(r"\s(?:is|are|was|were)\s\*\*([^*\n]{1,60}?)[.!]?\*\*[.!]?\s*$")
_CLAUSE_WORDS = frozenset(
    ("because", "since", "is", "are", "so", "as", "which", "that", "it", "divides", "we", "therefore")
)
SENTENCE_STARTS = frozenset(
    ("i", "we", "it", "this", "that", "there", "let", "sorry", "please", "hope", "thank", "wait", "hmm")
)
# Words of a sentence, no answer with a unit: two words on end, a word before a value, a script without spaces.
PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}[\s:,]+(?:[^\W\d_]|[$\\]|\d)|[^\W\d_a-zA-Z]{2}")
_NOTHING = re.compile(
    r"\bno (?:\w{1,12} )?(?:solutions?|answers?|such|values?|roots?)\b|\bI (?:need|give up|gave up)\b", re.IGNORECASE
)
# A sentence that says what is to be done: its formulas are the task, not the result.
_PURPOSE = re.compile(
    r"\W*(?:(?:first|now|next|so|then),?\s+)?(?:to\s+[a-z]+|in order to|we\s+(?:first\s+|now\s+|then\s+|still\s+)?"
    r"(?:need|want|are (?:asked|given|looking|to|told)|must|have to|should|can(?!\s(?:\w+\s)?(?:conclude|see|say|"
    r"deduce|infer))|will|start|begin|use|consider|"
    r"let|know)|let\b|"
    r"consider|recall|note that|start|begin|our (?:task|goal|aim)|the (?:problem|question|task|goal)\s)",
    re.IGNORECASE,
)
_REMARK = re.compile(
    r"\(\w{2,}\s\w{2,}\s[^()]*[.!]\)\s*$|"
    r"\W*(?:i hope|hope (?:this|that|it)|let me know|feel free|please|thank|thanks|good luck|"
    r"if you (?:have|need|want|would)|is there anything|would you like|note:|sorry)|\b(?:let me know|i hope|"
    r"hope this|hope that|feel free)\b|"
    r"\W*(?:does (?:that|this) (?:make sense|help)|can i help|anything else|do you (?:want|have|need)|shall i|"
    r"should i)\b",
    re.IGNORECASE,
)
_CHECK = re.compile(
    r"\W*(?:(?:step\s)?\d{1,2}[.:)]\s\W*)?(?:we (?:can |may |also )?(?:double[- ]?)?(?:check|verify|confirm)|"
    r"(?:(?:as a|quick|sanity|final|to|let us|let's) ){0,3}"
    r"(?:double[- ]?)?(?:check|verif)|"
    r"indeed|this (?:is|equals) (?:approximately|about|roughly|around)\s|"
    r"(?:substitut|plug)\w*|this (?:was|can be|is) (?:checked|verified|"
    r"confirmed|consistent))",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(
    r"\A\W{0,4}(?:so|thus|hence|therefore|then|and so|consequently|finally|also|donc|daher|somit|luego|因此|所以),?\s+"
    r"(?:it(?:['’]s| is| must be)\s+(?=[\d$\\-]))?",
    re.IGNORECASE,
)
_UNFINISHED = re.compile(
    r"(?:^|\s)(?:i|the|a|an|we|is|are|to|of|that|it|let|this|and|or|be|in|for|by|answers?|answer is|answer:)\W*$",
    re.IGNORECASE,
)
COMPLETE = re.compile(r"[.!?。！？।:)\]$*}]\s*$")
_BUT = re.compile(r"not\s.{1,60}?,?\s(?:but|rather)\s+(.*)", re.IGNORECASE | re.DOTALL)
_WHICH_MAKES = re.compile(
    r",\s*(?:which|that|this)\s+(?:makes|gives|yields|equals|totals|comes to|leaves)\s+"
    r"(?:an?\s\w{1,12}\sof\s+)?|,\s*(?:giving|making|"
    r"for a total of)\s+|,\s*we (?:get|obtain|find|have|arrive at)\s+(?=[-\d$\\])|"
    r",\s*where (?:the (?:value|minimum|maximum|function)|it|the function value) (?:is|equals)\s+|"
    r"\bround(?:s|ed)?\s(?:up\s|down\s|off\s)?to\s(?=[-$]?\d)|,\s*which is\s(?=[$-]?\d[\d.,]*(?:\s[a-z]+)?\s*[.!]?$)",
    re.IGNORECASE,
)
# The consequence of what the sentence said before: "x = 4 or x = -2, but x > 0, so x = 4".
_CONSEQUENCE = re.compile(r"[,;:]\s+(?:and\s+)?(?:so|thus|hence|therefore|which means)\s*,?\s+", re.IGNORECASE)
# A remark in brackets behind the value: "(the other root, k = 2, is extraneous)".
_ASIDE = re.compile(
    r"\s+\((?=[a-z]{2,}\s|\d[\d.,]*\s[a-z]+\s[a-z]+\s|\d+\sof\s|[^()\n]{1,60}\s(?:is|are)\s(?:rejected|extraneous|invalid))[^()\n]{1,200}\)\s*[.!]?\s*$",
    re.IGNORECASE,
)
# What is not the value: "1/6, not 1/3".
_NOT_THAT = re.compile(
    r"\s*,\s\d[\d,]*\sof\s(?:which|them|whom)\b[^;]{1,80}$|"
    r"\s*[;,]\s(?:and\s)?the\s(?:next|other|second)\b[^;]{1,80}$|\s*,\s(?:and\s)?(?:not|rather than|"
    r"instead of)\s[^,;]{1,60}$",
    re.IGNORECASE,
)
# A value that is thrown away: "k = -1; the value k = 3 is rejected".
_REJECTED = re.compile(
    r"\s*[;,]\s[^;]{1,100}\b(?:is|are|was|were|must be|can be)\s(?:rejected|extraneous|discarded|invalid|impossible|"
    r"inadmissible|excluded|ruled out)\W*$",
    re.IGNORECASE,
)
# Where the value is taken: "the maximum is 5 at x = 2".
_AT_POINT = re.compile(r"\s(?:at|when|for|if)\s(?:\$|\\\()?\(?[a-zA-Z]\w?\s*=\s*[^,;=\s]{1,24}\s?(?:\$|\\\))?[.!]*$")
# An equation is the value as a whole, not its right side.
_EQUATION = re.compile(r"\bequation\b[^$\\=\n]{0,80}\s(?:is|becomes)\s*(?=\$|\\\()", re.IGNORECASE)
# Work that is still to be done; what stands beside it is no result.
_UNDONE = re.compile(
    r"\b(?:still\s(?:have|has|need|needs|must)|(?:it\s)?remains\sto|yet\sto\sbe|(?:have|has)\snot\s(?:yet\s)?been)\b",
    re.IGNORECASE,
)
# "x = 6 is the only solution": what stands before it is the value, whatever follows.
_IS_THE_ANSWER = re.compile(
    r"\s(?:is|are)\s(?:therefore\s|thus\s|indeed\s)?(?:the|our)\s"
    r"(?:(?!extraneous|spurious|other|wrong|false|rejected|first|second|incorrect)\w{1,12}\s){0,3}?(?:solutions?|answers?|result|roots?)\b"
)
_JOINT = re.compile(r"\s*(?:[,;]\s*(?:and|or|und|et|y|e|和|或)?|(?:and|or|und|oder|et|ou|y|o|e)\b|[、和或])\s*")
_NAMED_VALUE = re.compile(r"\s*(?:([A-Za-z](?:_\{?\w{1,4}\}?)?)\s*=)?\s*([^=]+?)\s*[.,]?\s*")
_DEPENDENT = re.compile(r"\W*(?:since|because|as|if|when|given|where|for|with)\b", re.IGNORECASE)
_EXACTLY = re.compile(r"\bexactly\s+", re.IGNORECASE)


# A clause that states another value: "$m = 5$, $n = 8$ and the requested sum is 13".
_GOES_ON = re.compile(r",?\s+and (?:the|their|its)\s[^.;]{1,60}\s(?:is|are|equals)\s+[-$\\\d]", re.IGNORECASE)
# Words before a number or a verb: no value by themselves.
_OPENS_CLAUSE = re.compile(
    r"\W*(?!(?:sqrt|log|ln|sin|cos|tan|arcsin|arccos|arctan|pi|minus|negative|about|approximately|infinity)\b)"
    r"[^\W\d_a-z]?[^\W\d_]+(?:\s[^\W\d_]{1,2})*\s\d|[^$\\]*(?:\s(?:is|are|equals)|n['’]t|['’]s)\s(?=.*\d)"
)
_PRICE = re.compile(r"\$(?=\d[\d.,]*\s*[-+=×x*/]\s*\$\d)")  # 7 x $12 = $84
_PRONOUN_IS = re.compile(
    r"\A\W*(?:(?:wow|hmm|ok|okay|yes|right|great|well),?\s)?(?:it|that|this)(?:['’]s|\sis)\s+(?=[-$\\\d(])",
    re.IGNORECASE,
)
# A check, or the last step where nothing stands before it.
INSERTED = re.compile(r"\W*(?:substitut|plug)", re.IGNORECASE)
# What would be: "if the answer were 42, then ...".
IMAGINED = re.compile(
    r"[^,;]{2,60}\s(?:claims|thinks|believes|claimed|guesses)\s(?!.*\bbut\b)|\W*(?:let(?: us|['’]?s)? )?(?:suppose|"
    r"assume)\b(?! ideal)|\W*(?:if|suppose|had|assuming|unless)\b.{0,200}\b(?:were|would|had)\b",
    re.IGNORECASE,
)
_WORD_ALONE = re.compile(
    r"\W*(?:[Hh]e|[Ss]he|[Ww]e|[Ii]t|[Tt]hey|[Tt]his|[Tt]hat|[Ss]o|[Tt]hus|[Ii]ts?|[Hh]ere|[Tt]here)\W*"
)
_HOLDS_VALUE = re.compile(r"\d|[$\\π∞√]|^\W*[A-Za-z]\W*$|[^\W\d_a-zA-Z]|^\W*[A-Za-z]{1,3}\s?[-+*/^=(]")


def _stands_alone(head: str) -> bool:
    """Whether the words before a tail are a value: "He" of "He therefore has 42 left" is none."""
    return (
        bool(head) and bool(_HOLDS_VALUE.search(head)) and not _WORD_ALONE.fullmatch(head) and is_value(readable(head))
    )


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
    if isinstance(tree, Text):
        said = tree.words.split()
        few = len(said) <= words and bool(said) and said[0].lower() not in SENTENCE_STARTS
        return few or number_word(tree.words) is not None
    for node in walk(tree):
        if isinstance(node, Text):
            return False
        if isinstance(node, Unit):
            said = node.words.lower().split()
            if (
                any(w.endswith("ed") and w != "hundred" for w in said)
                or len(said) > 6
                or isinstance(node.value, Sym | Const)
                or not _CLAUSE_WORDS.isdisjoint(said)
            ):
                return False
    return True


def is_remark(sentence: str) -> bool:
    """Whether a sentence speaks to the reader, or checks what was said before it."""
    return bool(_REMARK.match(sentence) or _REMARK.search(sentence) or _CHECK.match(sentence))


def directly_stated(sentence: str, words: int = 4) -> str | None:
    """The value that stands right behind a cue, or that the sentence behind it states with "is" or "=".

    `words` is how many words alone may be the value. The last formula or number of a longer sentence is not taken.
    """
    sentence = _CONNECTIVE.sub("", _HOPE.sub(" ", sentence).strip(), count=1)
    if not sentence or GIVEN_UP.search(sentence):
        return None
    if number_word(sentence.strip(" .!*")) is not None:
        return sentence.strip(" .!*")
    if is_value(readable(sentence), words=words) and (_MATH.search(sentence) or not _UNFINISHED.search(sentence)):
        return sentence
    head = _TAIL.split(sentence, maxsplit=1)[0].strip()
    if head != sentence and _stands_alone(head) and not NEGATED.search(head):
        return head
    formula = _MATH.match(sentence)
    if formula and is_value(readable(inner := next(g for g in formula.groups() if g is not None))):
        return inner
    number = _LEADING_NUMBER.match(sentence)
    if number and not NEGATED.match(sentence[number.end() :].lstrip(" ,")):
        with_unit = head if is_value(readable(head)) else number.group()
        return with_unit
    if _PURPOSE.match(sentence):
        return None
    if instead := _BUT.match(sentence):
        return directly_stated(instead.group(1), words)
    return _after_copula(sentence, formulas=False) or None


_COMPREHENSION = re.compile(r"\bfor \w+ in \w+\(")  # `[5 for _ in range(10)]`: code, whose numbers are no statement


def value_in(sentence: str, complete: bool = True, words: int = 4) -> str | None:
    """The value that a sentence states: itself, what follows its last "is" or "=", its last formula or number."""
    if "$" in sentence:
        sentence = _PRICE.sub("", sentence)
    sentence = _PRONOUN_IS.sub("", _CONNECTIVE.sub("", _HOPE.sub(" ", sentence).strip(), count=1))
    if not sentence or GIVEN_UP.search(sentence) or _COMPREHENSION.search(sentence):
        return None
    if not complete and (sentence.endswith((",", "，")) or _DEPENDENT.match(sentence)):
        return None  # the main clause was still to come
    if _UNDONE.search(sentence):
        return None
    for pattern in (_ASIDE, _NOT_THAT, _REJECTED) if complete else ():
        said = pattern.sub("", sentence)
        if said != sentence and (value := value_in(said, words=0)) is not None:
            return value
    if complete and "..." in sentence and (value := value_in(sentence.rpartition("...")[2].lstrip(". "), words=0)):
        return value
    if complete and (value := counted(sentence)) is not None:
        return value
    if consequences := list(_CONSEQUENCE.finditer(sentence)):
        rest = sentence[consequences[-1].end() :].strip()
        value = rest if is_value(readable(rest)) else _after_copula(rest, formulas=False)
        if complete and value:
            return value
    if complete and (at := _AT_POINT.search(sentence)) and (value := value_in(sentence[: at.start()], words=0)):
        return value
    if (equation := _EQUATION.search(sentence)) and (formula := _MATH.match(sentence, equation.end())):
        inner = next(g for g in formula.groups() if g is not None)
        if not sentence[formula.end() :].strip(" .!") and is_value(readable(inner)):
            return inner
    if (values := _enumerated(sentence)) is not None:
        return values
    if (said_of := _IS_THE_ANSWER.search(sentence)) is not None and not NEGATED.search(sentence[: said_of.end()]):
        if is_value(readable(named := sentence[: said_of.start()].strip())):
            return named
        formulas = [m for m in _MATH.finditer(sentence, 0, said_of.start()) if m.end() == said_of.start()]
        if formulas and is_value(readable(inner := next(g for g in formulas[-1].groups() if g is not None))):
            return inner
    clause = bool(_OPENS_CLAUSE.match(sentence)) and not _MATH.search(sentence)
    clause = clause or bool(_DEPENDENT.match(sentence) and "," in sentence)
    few = 0 if _COPULA.search(sentence) and _MATH.search(sentence) else words
    if (
        not clause
        and is_value(readable(sentence), words=few)
        and (_MATH.search(sentence) or not _UNFINISHED.search(sentence))
    ):
        return sentence
    makes = max(_WHICH_MAKES.finditer(sentence), key=lambda match: match.end(), default=None)
    if (
        makes
        and "\n" not in sentence[makes.end() :]
        and (value := directly_stated(sentence[makes.end() :], 0)) is not None
    ):
        return value
    head = _TAIL.split(sentence, maxsplit=1)[0].strip()
    if _NOTHING.search(head):
        return None
    goes_on = _GOES_ON.match(sentence, sentence.find(head) + len(head))
    if head != sentence and not goes_on and _stands_alone(head) and not NEGATED.search(head):
        return head
    if _PURPOSE.match(sentence):
        return _result(sentence) if complete else None
    said = _EXPLANATION.split(sentence, maxsplit=1)[0]
    if said != sentence and (value := _after_copula(said, formulas=False)) is not None:
        return value
    if (exact := _EXACTLY.search(sentence)) and (value := directly_stated(sentence[exact.end() :])) is not None:
        return value
    value = _after_copula(sentence, formulas=True, ends=not complete)
    if value is not None:
        return None if value == "" else value
    return last_number(sentence) if complete else None


def bare_consequence(sentence: str) -> str | None:
    """The value alone that ends a sentence behind "so": "the two answers are 3 and 4; we want the larger, so 4."."""
    found = list(_CONSEQUENCE.finditer(sentence))
    rest = sentence[found[-1].end() :].strip(" .") if found else ""
    return rest if NUMBER.fullmatch(rest) else None


def _enumerated(sentence: str) -> str | None:
    """The values of "the roots are $1$, $2$ and $3$" or of "$x = 1$ or $x = 2$" as one list.

    The formulas end the sentence, and are all equations of one name or all bare values behind "are" or a colon.
    """
    formulas = list(_MATH.finditer(sentence))[-24:]
    if len(formulas) < 2 or sentence[formulas[-1].end() :].strip(" .!"):
        return None
    group = [formulas.pop()]
    while formulas and _JOINT.fullmatch(sentence, formulas[-1].end(), group[0].start()):
        group.insert(0, formulas.pop())
    parts = [_NAMED_VALUE.fullmatch(next(g for g in m.groups() if g is not None)) for m in group]
    if len(parts) < 2 or not all(parts) or len({part.group(1) for part in parts if part}) > 1:
        return None
    before = sentence[: group[0].start()]
    if NEGATED.search(before) or (
        parts[0] and parts[0].group(1) is None and not re.search(r"(?:\bare|[:：])\s*$", before)
    ):
        return None
    values = [part.group(2) for part in parts if part]
    return ", ".join(values) if all(is_value(readable(value)) for value in values) else None


def _after_copula(sentence: str, formulas: bool, ends: bool = False) -> str | None:
    """The value behind the last "is" or "=", or (`formulas`) the last formula; "" where it is denied.

    `ends`: the sentence is not finished, so that only a value at its very end counts.
    """
    starts: list[tuple[int, str | None, int]] = []
    starts += [(m.end(), None, 0) for m in list(_COPULA.finditer(sentence))[-12:]]
    if formulas:
        for m in list(_MATH.finditer(sentence))[-12:]:
            starts.append((m.start(), next(g for g in m.groups() if g is not None), m.end()))
    for at, formula, end in sorted(starts, key=lambda x: x[0], reverse=True):
        rest = sentence[at:].strip()
        if formula is None and number_word(spelled := rest.strip(" .!*")) is not None:
            return spelled
        named = _EMPHASISED_END.search(sentence) if formula is not None else None
        if named and named.start(1) == at + 2 and is_value(readable(named.group(1)), words=3):
            return named.group(1)  # "the fastest runner is **Ada**"
        for piece in (formula,) if formula is not None else (rest, _TAIL.split(rest, maxsplit=1)[0].strip()):
            if piece and is_value(readable(piece)):
                if ends and formula is not None and re.search(r"[A-Za-z]{2}", sentence[end:]):
                    return ""  # the sentence went on: its formula may be anything
                denied = denied_before(sentence, at) or (formula is None and NEGATED.match(rest))
                return "" if denied else piece
    return None


def _result(sentence: str) -> str | None:
    """What a sentence of purpose ends in: "To get the sum we add 3 and 4, which gives 7."."""
    found = list(_RESULT.finditer(sentence))
    signs = (":", "：") if re.search(r"\bequations?\b", sentence) else ("=", ":", "：")
    found += [m for m in _COPULA.finditer(sentence) if m.group().strip() in signs]
    for match in sorted(found, key=lambda m: m.end(), reverse=True):
        rest = sentence[match.end() :].strip()
        announced = match.group().strip() in (":", "：")  # a formula behind it may be the task
        if NUMBER.fullmatch(rest.rstrip(".")) if announced else is_value(readable(rest)):
            return rest
    return None


def first_sentence(line: str) -> str:
    """The first sentence of `line`; all of it where that is blank."""
    parts = SENTENCE.split(line, maxsplit=1)
    return parts[0] if parts[0].strip() else line
