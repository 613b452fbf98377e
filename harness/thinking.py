"""Thinking formats: the one home of the strings between which model families think.

Generation, training, grading, log statistics, imports, the data pools, the teacher and the quality filter all read
`FAMILIES`. A model's own format is read from its chat template by `harness.generation.template`; what an engine makes
of the strings is in `harness.generation.budget`. s1's are from its paper (section 4.1, App. D) and released
tokenisation; the others from the families' public chat templates and model cards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import Any, Literal

from harness.errors import UserError, unknown

AUTO = "auto"  # the format is read from the model's chat template


@dataclass(frozen=True)
class Ask:
    """How a chat template is asked for one kind of prompt.

    arguments  given to `apply_chat_template`, as (name, value) pairs
    system     a word for the system turn ("/no_think"), None for none
    suffix     behind the question
    """

    arguments: tuple[tuple[str, Any], ...] = ()
    system: str | None = None
    suffix: str = ""

    def __str__(self) -> str:
        said = [f"{name}={json.dumps(value)}" for name, value in self.arguments]
        said += [f"system turn {self.system!r}"] if self.system else []
        said += [f"{self.suffix!r} behind the question"] if self.suffix else []
        return ", ".join(said) or "the template's default"


@dataclass(frozen=True)
class ThinkingFormat:
    """The delimiters of one model family, and how its chat template is asked.

    thinking_start  appended to the chat prompt, unless the template has put it there
    thinking_end    appended when the thought is over
    final_answer    appended behind `thinking_end` at a *forced* end only; "" turns it off
    stops           strings that end the thought when the model samples their tokens; end-of-text ids always do
    answer_stops    strings that end the answer, beside the model's own end-of-text ids
    gap             training text: between the thought and `thinking_end`; None: a newline where the start ends in one
    end_of_turn     training text: behind the answer; None: what the chat template puts there
    ask             how the chat template is asked for a prompt that thinks
    plain           the same for one that does not think
    empty           appended to the `plain` prompt: a closed block with nothing in it; "" where the template closes it
    """

    name: str
    thinking_start: str
    thinking_end: str
    final_answer: str
    stops: tuple[str, ...]
    answer_stops: tuple[str, ...] = ()
    gap: str | None = None
    end_of_turn: str | None = None
    ask: Ask = Ask()
    plain: Ask = Ask()
    empty: str = ""

    def __post_init__(self) -> None:
        for field in ("thinking_end", "stops"):
            if not getattr(self, field):
                raise UserError(f"the thinking format '{self.name}' has no {field}; give at least one string")

    @property
    def spec(self) -> str:
        """The format as text that `thinking_format` reads back: what runs store and hand to their workers."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    def opened_in(self, prompt: str) -> bool:
        """Whether `prompt` (a rendered chat prompt) ends in the thinking start, white space aside."""
        start = self.thinking_start.strip()
        return bool(start) and prompt.rstrip().endswith(start)


@dataclass(frozen=True)
class Family:
    """One way to mark a thought.

    start, end     as appended in generation, white space included; in a text they are found without it
    mark           what of `end` ends a thought in a text; "" for `end` itself
    stops          what the model samples to end its thought; () for `end` without white space
    answer_start   what may stand between the end and the answer's own words
    answer_end     what may close the answer
    plain_words    ordinary words: they count only where they open the response
    start_is_optional   some of its models begin to think without the start
    used_by        models whose public template or card says so
    """

    name: str
    start: str
    end: str
    used_by: str
    mark: str = ""
    stops: tuple[str, ...] = ()
    answer_start: tuple[str, ...] = ()
    answer_end: tuple[str, ...] = ()
    answer_stops: tuple[str, ...] = ()
    final_answer: str = "Final Answer:"
    gap: str | None = None
    plain_words: bool = False
    start_is_optional: bool = False

    @property
    def format(self) -> ThinkingFormat:
        """The family's format as its card gives it; a template may say more (`harness.generation.template`)."""
        stops = self.stops or (self.end.strip(),)
        return ThinkingFormat(self.name, self.start, self.end, self.final_answer, stops, self.answer_stops, self.gap)


FAMILIES: tuple[Family, ...] = (
    Family(
        "s1", "<|im_start|>think", "<|im_start|>answer", "s1, s1.1, and what is trained here",
        stops=("<|im_start|>", "<|im_end|>"), answer_stops=("<|im_end|>",), final_answer="\nFinal Answer:",
    ),
    Family(
        "think", "<think>\n", "</think>\n\n",
        "Qwen3 and later, QwQ, DeepSeek-R1 and its distillations, DeepSeek-V3.1 and later, GLM-4.5 and later,"
        " MiniMax-M1 and M2, Kimi-K2-Thinking, Nemotron, SmolLM3, EXAONE-4, Phi-4-reasoning, Olmo-Think, Ling, LFM2.5,"
        " Granite 3.3, Hunyuan-A13B, MiMo, Step, Spark, Laguna, Cogito",
        answer_start=("<response>", "<answer>"), answer_end=("</response>", "</answer>"),
    ),
    Family(
        "gpt-oss", "<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>",
        "gpt-oss (the harmony channels)",
        mark="<|channel|>final<|message|>", stops=("<|end|>",), answer_stops=("<|return|>",),
    ),
    Family("channel-words", "analysis", "assistantfinal", "gpt-oss with its special tokens dropped", plain_words=True),
    Family(
        "magistral", "[THINK]", "[/THINK]", "Magistral, Ministral reasoning, Mistral Small 4",
    ),
    Family("seed", "<seed:think>", "</seed:think>", "Seed-OSS"),
    Family("kimi-vl", "◁think▷", "◁/think▷", "Kimi-VL-Thinking"),
    Family(
        "kimi-k3", "<|open|>think<|sep|>", "<|close|>think<|sep|><|open|>response<|sep|>", "Kimi-K3",
        mark="<|close|>think<|sep|>", stops=("<|close|>think<|sep|>",),
        answer_start=("<|open|>response<|sep|>",), answer_end=("<|close|>response<|sep|>",),
    ),
    Family(
        "cohere", "<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>", "Command R7B, Command A Reasoning",
        mark="<|END_THINKING|>", stops=("<|END_THINKING|>",),
        answer_start=("<|START_RESPONSE|>", "<|START_TEXT|>"), answer_end=("<|END_RESPONSE|>", "<|END_TEXT|>"),
    ),
    Family("gemma", "<|channel>thought\n", "<channel|>", "Gemma 4", gap=""),
    Family("minimax-m3", "<mm:think>", "</mm:think>", "MiniMax-M3"),
    Family(
        "apertus", "<|inner_prefix|>", "<|inner_suffix|>", "Apertus", answer_end=("<|assistant_end|>",),
    ),
    Family(
        "muse", " to=self<|message|>", "<|eom|><|start|>assistant to=user<|message|>", "Muse",
        mark="<|start|>assistant to=user<|message|>", stops=("<|eom|>",), answer_stops=("<|eot|>",),
    ),
    Family(
        "solar", "<|think|>", "<|end|><|begin|>assistant<|content|>", "Solar Open",
        mark="<|content|>", stops=("<|end|>",), answer_stops=("<|end|>",),
    ),
    Family(
        "granite-3.2", "Here is my thought process:\n", "Here is my response:\n", "Granite 3.2", plain_words=True,
    ),
    Family(
        "apriel", "Here are my reasoning steps:\n", "[BEGIN FINAL RESPONSE]\n", "Apriel 1.5 and 1.6 Thinker",
        answer_end=("[END FINAL RESPONSE]",), plain_words=True, start_is_optional=True,
    ),
    Family("thought", "<thought>\n", "</thought>\n\n", "EXAONE Deep"),
    Family("thinking", "<thinking>\n", "</thinking>\n\n", "models prompted to use such tags"),
    Family("reasoning", "<reasoning>\n", "</reasoning>\n\n", "models prompted to use such tags"),
    Family("scratchpad", "<scratchpad>\n", "</scratchpad>\n\n", "models prompted to use such tags"),
    Family(
        "sky-t1", "<|begin_of_thought|>\n\n", "<|end_of_thought|>\n\n<|begin_of_solution|>\n\n", "Sky-T1, OpenThinker",
        mark="<|end_of_thought|>", stops=("<|end_of_thought|>",),
        answer_start=("<|begin_of_solution|>",), answer_end=("<|end_of_solution|>",),
    ),
)  # fmt: skip

FORMATS: dict[str, ThinkingFormat] = {
    **{family.name: family.format for family in FAMILIES if family.name != "channel-words"},
    # Trained on "<|im_start|>64 steps left ... <|im_start|>answer". s1 stops at "<|im_start|>0" alone, so that an
    # answer the model begins by itself is taken for thinking and answered twice; here it ends the thought.
    "s1-steps": ThinkingFormat(
        name="s1-steps",
        thinking_start="<|im_start|>",
        thinking_end="<|im_start|>answer",
        final_answer="\nFinal Answer:",
        stops=("<|im_start|>0", "<|im_start|>answer", "<|im_end|>"),
        answer_stops=("<|im_end|>",),
    ),
}
S1 = FORMATS["s1"]

# What ends a turn in a text, beside what looks like a special token at its very end.
TURN_ENDS = (
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "</s>", "<|im_start|>user", "<|im_start|>",
    "<end_of_turn>", "<|return|>", "<|end|>", "<|END_OF_TURN_TOKEN|>", "<turn|>", "<|user|>", "<|observation|>",
    "[|endofturn|]", "<seed:eos>", "[e~[", "<end_of_sentence>", "<｜end▁of▁sentence｜>", "<SPECIAL_12>", "<sep>",
    "</assistant>", "<|role_end|>", "<|eom|>", "<|eot|>", "<|end_of_msg|>", "<|assistant_end|>", "</output>",
    "<|eos|>", "[EOS]", "<eos>",
)  # fmt: skip
_LAST_TOKEN = re.compile(
    r"(?:<\|[^|<>\s]{1,40}\|>|<｜[^｜<>\s]{1,40}｜>|\[\|[a-z]{1,20}\|\]|</?[a-z]{0,12}:?(?:eos|eot|eom)>|</s>)\s*$"
)
_TAG = re.compile(  # a delimiter that no table knows but whose name says what it is
    r"<\|?(?!/)(?!end)(?P<name>[a-z0-9_.:-]{0,24}(?:think|thought|reason)[a-z0-9_.:-]{0,24})\|?>"
)
_END_TAG = re.compile(
    r"<\|?(?:/|end_(?:of_)?)[a-z0-9_.:-]{0,24}(?:think|thought|reason)[a-z0-9_.:-]{0,24}\|?>"
    r"|<\|[a-z0-9_.:-]{0,24}(?:think|thought|reason)[a-z0-9_.:-]{0,24}_end\|>"
)
_NAMED_AFTER = re.compile(r"[`'\"]|\s(?:tags?|tokens?|blocks?|delimiters?|markers?)\b")
_HEADINGS = re.compile(
    r"(?:\A|\n)#{1,3} (?:thinking|thought)\s*\n(?:.|\n)*?\n#{1,3} (?:final response|final answer)\s*\n",
    re.IGNORECASE,
)
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}  # keeps every index, unlike str.lower
_MIRRORED = (("_start|", "_end|"), ("|start_", "|end_"), ("begin_of_", "end_of_"), ("_prefix|", "_suffix|"),
             ("start_", "end_"), ("begin_", "end_"))  # fmt: skip


def mirrored(start: str) -> list[str]:
    """The strings that would close a delimiter by its spelling: `<x>` by `</x>`, `<|x_start|>` by `<|x_end|>`."""
    found = []
    for opening, closing in _MIRRORED:
        for style in (str, str.upper):
            if style(opening) in start:
                found.append(start.replace(style(opening), style(closing)))
    if re.fullmatch(r"<\|[^|>]+>", start):
        found.append("<" + start[2:-1] + "|>")
    elif start[:1] in "<[◁" and len(start) > 2:
        head = 2 if start.startswith("<|") else 1
        found.append(start[:head] + "/" + start[head:])
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Marks:
    """How one family's thought is found in a text; lower case, since the case of letters is not looked at."""

    name: str
    start: str
    ends: tuple[str, ...]
    lead: str = ""  # of the closing, before the end mark
    answer_start: tuple[str, ...] = ()
    plain_words: bool = False
    start_is_optional: bool = False


@cache
def _known() -> tuple[Marks, ...]:
    found = []
    for family in FAMILIES:
        mark = (family.mark or family.end).strip()
        lead = family.end.strip().partition(mark)[0]
        # "<answer>" stays: the grader reads what stands between such tags.
        opening = tuple(_low(text) for text in family.answer_start if text != "<answer>")
        start = _low(family.start.strip())
        found.append(Marks(family.name, start, (_low(mark),), _low(lead), opening, family.plain_words,
                           family.start_is_optional))  # fmt: skip
    return tuple(found)


def _low(text: str) -> str:
    """ASCII letters in lower case; every index stays, as `str.lower` does not promise for other letters."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def own_marks(pairs: Iterable[Sequence[str]]) -> tuple[Marks, ...]:
    """A user's own delimiters, as (start, end) pairs. Raises `UserError` for an empty end."""
    made = []
    for start, end in pairs:
        if not end.strip():
            raise UserError(f"the thinking marks {start!r}, {end!r} have no end; give both strings")
        made.append(Marks("own", _low(start.strip()), (_low(end.strip()),)))
    return tuple(made)


def marks_of(thinking: ThinkingFormat) -> Marks:
    """The marks of a format: its start, and its end or any stop of it."""
    end = thinking.thinking_end.strip()
    for known in _known():
        if known.start == _low(thinking.thinking_start.strip()) and _low(end).find(known.ends[0]) >= 0:
            return known
    return Marks(thinking.name, _low(thinking.thinking_start.strip()), (_low(end),))


@dataclass(frozen=True)
class Split:
    """A response cut where its thought ends; the four texts together are the response.

    preface   what stands before the thought: nothing, or its opening mark
    thinking  the thought, as written
    closing   what ends it, up to the answer's first word
    answer    what follows; without any mark, the whole response
    state     none: no thought; open: it is never ended (cut); closed
    name      of the family whose marks they are; "" for none
    """

    preface: str
    thinking: str
    closing: str
    answer: str
    state: Literal["none", "open", "closed"]
    name: str = ""


# How every mark with a bracket begins; "\\[" of LaTeX and "x < 3" do not. Each opens with one letter to search for.
_ANGLE_MARK = re.compile(r"<[|/｜A-Za-z]")
_SQUARE_MARK = re.compile(r"\[(?<!\\\[)[/|A-Za-z]")


def _may_hold_mark(text: str) -> bool:
    """Whether a mark with a bracket may stand in `text`: cheap, since most responses hold none."""
    return bool(
        ("<" in text and _ANGLE_MARK.search(text)) or ("[" in text and _SQUARE_MARK.search(text)) or "◁" in text
    )


def split(response: str, prompt: str = "", marks: Sequence[Marks] = ()) -> Split:
    """Where the thought of `response` ends.

    Args:
        response: A whole response, with or without special tokens.
        prompt: The prompt it answers, if known: where that ends inside a thought, the response begins in one, and a
            response that never ends it is a thought that was cut.
        marks: Delimiters to look for before the known ones (`own_marks`, `marks_of`).
    """
    lowered = _low(response)
    opened = opened_by(prompt, marks) or _asked_by(prompt)
    if opened is None and not marks and not _may_hold_mark(response):
        return _without_tokens(response, lowered)
    first = (0, 0, opened) if opened is not None else _first_start(lowered, (*marks, *_known()))
    if first is None:
        candidates = [one for one in (*marks, *_known()) if not one.plain_words or one.start_is_optional]
        end = max((found for one in candidates if (found := _last_end(lowered, one, 0))), default=None,
                  key=lambda found: found[1])  # fmt: skip
        if end is None and (tags := [tag for tag in _END_TAG.finditer(lowered) if not _is_named(lowered, *tag.span())]):
            end = (*tags[-1].span(), _generic(tags[-1].group()))
        if end is None:
            return _without_tokens(response, lowered)
        return _closed(response, lowered, "", 0, end)
    _, behind, mine = first
    if opened is not None and mine.start and lowered.lstrip().startswith(mine.start):
        behind = lowered.index(mine.start) + len(mine.start)  # written again behind the prompt's
    preface, end = response[:behind], _last_end(lowered, mine, behind)
    if end is None or _starts(lowered, mine, end[1]) is not None:
        return Split(preface, response[behind:], "", "", "open", mine.name)
    return _closed(response, lowered, preface, behind, end)


def answer_part(response: str, prompt: str = "", marks: Sequence[Marks] = ()) -> tuple[str, bool]:
    """(what follows the thought, without what ends the turn; whether the thought is still open)."""
    cut = split(response, prompt, marks)
    return ("", True) if cut.state == "open" else (without_turn_end(cut.answer), False)


def without_turn_end(answer: str) -> str:
    """`answer` up to where the next turn begins, without the tokens and tags that close it."""
    text = answer.removeprefix("<|im_start|>assistant").lstrip()
    if not _may_hold_mark(text):
        return text
    lowered, cut = _low(text), len(text)
    for mark in _turn_ends():
        at = lowered.find(mark, 0, cut)
        if at > 0 and text[:at].strip():
            cut = at
        elif at == 0:
            text, lowered, cut = text[len(mark) :], lowered[len(mark) :], cut - len(mark)
    text = text[:cut]
    while match := _LAST_TOKEN.search(_low(text[-80:])):
        text = text[: max(0, len(text) - 80) + match.start()]
    return text


@cache
def _turn_ends() -> tuple[str, ...]:
    ends = [mark for family in FAMILIES for mark in family.answer_end if not mark.startswith("</")]
    tags = [mark for family in FAMILIES for mark in family.answer_end if mark == "</response>"]
    return tuple(dict.fromkeys(_low(mark) for mark in (*TURN_ENDS, *ends, *tags)))


def holds_delimiter(text: str) -> bool:
    """Whether `text` holds a thinking delimiter or an end of turn of any family, where none belongs: in a trace or an
    answer to train on. Plain words and tags that are only named do not count."""
    if not any(c in text for c in "<[◁"):
        return False
    lowered = _low(text)
    for one in _known():
        if not one.plain_words and (_starts(lowered, one, 0) is not None or any(end in lowered for end in one.ends)):
            return True
    return any(mark in lowered for mark in _special_ends())


@cache
def _special_ends() -> tuple[str, ...]:
    # "</s>", "<sep>" and the like stand in ordinary HTML; these do not.
    return tuple(_low(mark) for mark in TURN_ENDS if "|" in mark or "｜" in mark or "[" in mark)


def opened_by(prompt: str, marks: Sequence[Marks] = ()) -> Marks | None:
    """The marks whose start ends `prompt`, white space aside; None where the prompt does not end inside a thought."""
    tail = _low(prompt[-400:].rstrip())
    if not tail:
        return None
    for one in (*marks, *_known()):
        if one.start and tail.endswith(one.start):
            return one
    matches = list(_TAG.finditer(tail[-80:]))
    if matches and matches[-1].end() == len(tail[-80:]):
        return _generic(matches[-1].group())
    return None


def _asked_by(prompt: str) -> Marks | None:
    """The marks of a model that thinks at once, without a start, where its prompt says how the answer begins."""
    lowered = _low(prompt).rstrip()
    for one in _known():
        if one.start_is_optional and one.ends[0] in lowered and not lowered.endswith(one.ends[0]):
            return one
    return None


def _generic(tag: str) -> Marks:
    return Marks(tag, tag, tuple(mirrored(tag)))


def _first_start(lowered: str, known: Sequence[Marks]) -> tuple[int, int, Marks] | None:
    """(where the first start stands, where it ends, whose it is); the longest of several at one place."""
    best: tuple[int, int, Marks] | None = None
    for one in known:
        at = _starts(lowered, one, 0)
        if at is not None:
            found = (at, at + len(one.start), one)
            if best is None or (found[0], -found[1]) < (best[0], -best[1]):
                best = found
    match = _TAG.search(lowered[:200])
    if match and not lowered[: match.start()].strip() and (best is None or match.start() < best[0]):
        tag = match.group()
        if not _is_named(lowered, *match.span()):
            best = (match.start(), match.end(), _generic(tag))
    return best


def _starts(lowered: str, one: Marks, after: int) -> int | None:
    """Where a thought of `one` begins after `after`; a delimiter that is only named ("the <think> tags") is none."""
    if not one.start:
        return None
    if one.plain_words:
        text = lowered[after : after + 200]
        opens = text.lstrip().startswith(one.start) and one.ends[0] in lowered if one.start.isalpha() else (
            text.lstrip().startswith(one.start))  # fmt: skip
        return after + text.index(one.start) if opens else None
    at = lowered.find(one.start, after)
    while at >= 0:
        if not _is_named(lowered, at, at + len(one.start)):
            return at
        at = lowered.find(one.start, at + 1)
    return None


def _is_named(lowered: str, at: int, behind: int) -> bool:
    """Whether the delimiter at these places is only spoken of."""
    return lowered[at - 1 : at] in ("`", "'", '"') or _NAMED_AFTER.match(lowered, behind) is not None


def _last_end(lowered: str, one: Marks, after: int) -> tuple[int, int, Marks] | None:
    """(start, end, whose) of the last end mark of `one` after `after`."""
    found = [(at, at + len(end), one) for end in one.ends if (at := lowered.rfind(end, after)) >= 0]
    return max(found, key=lambda place: place[1], default=None)


def _closed(response: str, lowered: str, preface: str, behind: int, end: tuple[int, int, Marks]) -> Split:
    at, over, mine = end
    if mine.lead and lowered[behind:at].endswith(mine.lead):
        at -= len(mine.lead)
    for opening in mine.answer_start:
        spaces = len(lowered[over:]) - len(lowered[over:].lstrip())
        if lowered.startswith(opening, over + spaces):
            over += spaces + len(opening)
    return Split(preface, response[behind:at], response[at:over], response[over:], "closed", mine.name)


def _without_tokens(response: str, lowered: str) -> Split:
    """A response without delimiters: gpt-oss with its special tokens dropped, Markdown headings, or all answer."""
    for one in _known():
        if one.plain_words and (at := _starts(lowered, one, 0)) is not None:
            behind = at + len(one.start)
            end = _last_end(lowered, one, behind)
            if end is None:
                return Split(response[:behind], response[behind:], "", "", "open", one.name)
            return _closed(response, lowered, response[:behind], behind, end)
    if "#" in response and (match := _HEADINGS.match(response)):
        return Split("", response[: match.end()], "", response[match.end() :], "closed", "headings")
    return Split("", "", "", response, "none")


def thinking_format(name: str) -> ThinkingFormat:
    """The format called `name`, or your own as a JSON list of four strings (or more: further stops):
    `["<think>\\n", "</think>\\n\\n", "Final Answer:", "</think>"]`, or as a JSON object of the fields of
    `ThinkingFormat`. Raises `UserError` with the near match."""
    text = name.lstrip()
    if text.startswith(("[", "{")):
        try:
            given = json.loads(name)
        except json.JSONDecodeError as error:
            raise UserError(f"the thinking format {name} is no JSON list: {error.msg}") from None
        if isinstance(given, dict):
            return _from_plain(given)
        if len(given) < 4 or not all(isinstance(string, str) for string in given):
            raise UserError(f"the thinking format {name} needs four strings: start, end, final answer, stop")
        start, end, final_answer, *stops = given
        return custom_format(start, end, final_answer, tuple(stops))
    if name not in FORMATS:
        raise unknown("thinking format", name, (AUTO, *FORMATS))
    return FORMATS[name]


def check_name(name: str) -> None:
    """Raise `UserError` unless `name` is "auto" or what `thinking_format` reads."""
    if name != AUTO:
        thinking_format(name)


def _from_plain(given: dict[str, Any]) -> ThinkingFormat:
    known = {field.name for field in fields(ThinkingFormat)}
    for key in given:
        if key not in known:
            raise unknown("key of a thinking format", key, known)
    asks = {
        key: Ask(tuple((str(name), value) for name, value in given[key]["arguments"]), given[key]["system"],
                 given[key]["suffix"])
        for key in ("ask", "plain") if isinstance(given.get(key), dict)
    }  # fmt: skip
    try:
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in given.items()
        }
        return ThinkingFormat(**{"name": "custom", "final_answer": "Final Answer:"} | plain | asks)
    except TypeError as error:
        raise UserError(f"the thinking format {json.dumps(given)[:120]}: {error}") from None


def custom_format(
    thinking_start: str, thinking_end: str, final_answer: str, stop: str | tuple[str, ...]
) -> ThinkingFormat:
    """Your own format by four strings."""
    stops = (stop,) if isinstance(stop, str) else stop
    return ThinkingFormat("custom", thinking_start, thinking_end, final_answer, stops)


def with_final_answer(thinking: ThinkingFormat, final_answer: str) -> ThinkingFormat:
    """`thinking` with another forced sentence."""
    return replace(thinking, final_answer=final_answer)
