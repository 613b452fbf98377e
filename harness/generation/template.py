"""What a model's chat template says about thinking, read by rendering it: no model's name is looked at.

The template is asked for a generation prompt with every switch that it knows, and for a turn that holds a thought.
From the texts follow who opens the thought, between which strings it stands, how thinking and not thinking are asked
for, and what ends a turn. Where a template tells nothing of that, its words and the tokenizer's special tokens are
compared with `harness.thinking.FAMILIES`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.errors import UserError
from harness.marks import mirrored, opened_by
from harness.thinking import AUTO, FAMILIES, FORMATS, Ask, Family, ThinkingFormat, thinking_format

DEFAULT = Ask()  # the template's own default
ECHO = "zzechozz"
QUESTION, THOUGHT, ANSWER = "\u2039question\u203a", "\u2039thought\u203a", "\u2039answer\u203a"
Shape = Literal["open", "bare", "closed"]
# (name, what asks for thinking, what asks for none). A template that does not name a switch is not asked with it.
SWITCHES: tuple[tuple[str, tuple[Any, ...], tuple[Any, ...]], ...] = (
    ("enable_thinking", (True,), (False,)),
    ("thinking", (True,), (False,)),
    ("thinking_mode", ("enabled", "on", "thinking"), ("disabled", "off", "chat")),
    ("thinking_option", ("on",), ("off",)),
    ("reasoning", (True, "on"), (False, "off")),
    ("reasoning_effort", ("high",), ("none", "no_think", "minimal", "low")),
    ("thinking_effort", ("high",), ("none",)),
    ("thinking_budget", (), (0,)),
)
LEVELS = ("minimal", "low")  # little thinking, unless the prompt then ends behind a closed block
# Whose values are levels where the template writes any of them into the prompt ("Reasoning: high").
NO_LEVEL = frozenset(name for name, _, _ in SWITCHES if not name.endswith("effort"))
OTHER_SWITCH = re.compile(r"(?<![\w.'\"])([a-z_]*(?:think|thought|reason)[a-z_]*)(?![\w'\"(])")
NEGATED = re.compile(r"(?:skip|no|disable|without|omit)_")  # a switch whose "on" asks for no thinking
TAGS = re.compile(r"\{[{%].*?[}%]\}", re.DOTALL)
# Words of the conversation that some templates, or the models behind them, take for a switch.
WRITTEN_TAG = re.compile(
    r"<\|?(?!/)(?:\w{1,12}\|)?\w{0,24}(?:think|thought)(?:s|ing)?(?:_start|_begin)?\|?>", re.IGNORECASE
)
WORDS = (("/no_think", "/think"), ("/nothink", "/think"), ("detailed thinking off", "detailed thinking on"))
NEUTRAL_SYSTEM = "You are a helpful assistant."
# Where a turn's thought is put by one template or the other.
THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking", "thought")
_NAMED = r"(?:[a-z0-9_.:-]{1,12}\|)?[a-z0-9_.:-]{0,24}(?:think|thought|reason)[a-z0-9_.:-]{0,24}"
CLOSING_TAG = re.compile(rf"<\|?(?:/|end[a-z_]{{0,6}}_){_NAMED}\|?>$|<\|{_NAMED}_end\|>$", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """What was read of a chat template.

    thinking   the format, with how it is asked for
    opener     who opens the thought: "the template" or "we"
    source     what told the delimiters
    notes      what could not be read, and what is done instead
    """

    thinking: ThinkingFormat
    opener: str
    source: str
    notes: tuple[str, ...] = ()


class Template:
    """A tokenizer's chat template under a user's own arguments."""

    def __init__(self, tokenizer: Any, arguments: Mapping[str, Any] | None = None, system: str | None = None) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise UserError(
                f"tokenizer '{tokenizer.name_or_path}' has no chat template; use an instruct model's tokenizer, or set "
                "one"
            )
        self.tokenizer, self.arguments, self.system = tokenizer, dict(arguments or {}), system
        try:
            self.text = str(tokenizer.get_chat_template())
        except (ValueError, AttributeError):  # several templates without a default
            self.text = str(tokenizer.chat_template)
        self.code = "\n".join(TAGS.findall(self.text))

    def prompt(self, ask: Ask = DEFAULT) -> str | None:
        """The prompt of one question under `ask`; None where the template refuses."""
        return self._render(turns_of(QUESTION, ask, self.system), ask, add_generation_prompt=True)

    def turn(self, assistant: Any, ask: Ask) -> str | None:
        """The same question with `assistant` as its answer."""
        turns = [*turns_of(QUESTION, ask, self.system), {"role": "assistant", **assistant}]
        return self._render(turns, ask, add_generation_prompt=False)

    def _render(self, turns: list[Any], ask: Ask, *, add_generation_prompt: bool) -> str | None:
        arguments = {**dict(ask.arguments), **self.arguments}
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    turns, tokenize=False, add_generation_prompt=add_generation_prompt, **arguments
                )
            )
        except Exception:  # noqa: BLE001  a template may raise anything, by its own words or by a value that it does not expect
            return None

    def is_level(self, name: str) -> bool:
        """Whether the template writes any value of `name` into the prompt: a level ("Reasoning: high"), no switch."""
        if name in NO_LEVEL:
            return False
        text = self.prompt(Ask(((name, ECHO),)))
        return text is not None and ECHO in text

    def switches(self) -> Iterator[tuple[str, tuple[Any, ...], tuple[Any, ...]]]:
        """The switches that the template names and the user has not set."""
        named = set(OTHER_SWITCH.findall(self.code))
        known = {name for name, _, _ in SWITCHES}
        for name, on, off in SWITCHES:
            if name in named and name not in self.arguments:
                yield name, on, off
        for name in sorted(named - known - self.arguments.keys()):
            if not re.search(rf"\bset\s+(?:ns\.)?{name}\s*=(?!.*\b{name}\b)", self.code):
                on, off = (True, "on", "enabled"), (False, "off", "disabled")
                yield (name, off, on) if NEGATED.match(name) else (name, on, off)


def turns_of(question: str, ask: Ask = DEFAULT, system: str | None = None) -> list[dict[str, str]]:
    """The conversation before the answer, with the words of `ask`. `system`: the user's own system prompt."""
    said = [text for text in (system, ask.system) if text]
    turns = [{"role": "user", "content": question + ask.suffix}]
    return [{"role": "system", "content": "\n".join(said)}, *turns] if said or system is not None else turns


def shape(prompt: str) -> Shape:
    """How `prompt` ends: inside a thought, behind a closed one, or neither."""
    tail = prompt.rstrip()[-300:]
    if opened_by(tail) is not None:
        return "open"
    lowered = tail.lower()
    for family in FAMILIES:
        start, mark = family.start.strip().lower(), (family.mark or family.end).strip().lower()
        if family.plain_words or family.ends_any_turn or not start:
            continue
        stop = re.escape((family.stops or (mark,))[0].lower())
        if lowered.endswith(mark) or re.search(rf"{re.escape(start)}\s*{stop}[^\n]*\s*$", lowered):
            return "closed"
    return "closed" if CLOSING_TAG.search(tail) else "bare"


def read(tokenizer: Any, arguments: Mapping[str, Any] | None = None, system: str | None = None) -> Reading:
    """The thinking format of a tokenizer's chat template.

    Args:
        tokenizer: A transformers tokenizer.
        arguments: What the user gives the template; it is not overruled.
        system: The user's system prompt.

    Raises:
        UserError: There is no chat template, or it cannot render a plain question.
    """
    template = Template(tokenizer, arguments, system)
    default = template.prompt()
    if default is None:
        raise UserError(
            f"the chat template of '{tokenizer.name_or_path}' cannot render a question with "
            f"{dict(arguments or {}) or 'no arguments'}; check --chat-template-arg and the system prompt"
        )
    ask, prompt = _thinking_prompt(template, default)
    thinking, source, notes = _delimiters(template, ask, prompt)
    opener = "the template" if shape(prompt) == "open" else "we"
    if shape(prompt) == "closed":
        notes.append("the prompt ends behind a closed thought: this model is not asked to think (see its arguments)")
    ending, told = _end_of_turn(template, ask, prompt, thinking)
    notes += [told] if told else []
    stops = (*thinking.answer_stops, *_answer_stops(template, ending))
    thinking = replace(
        thinking, ask=ask, end_of_turn=ending, answer_stops=tuple(dict.fromkeys(s for s in stops if s.strip()))
    )
    plain, empty, told = _plain(template, ask, prompt, thinking, source)
    notes += [told] if told else []
    return Reading(replace(thinking, plain=plain, empty=empty), opener, source, tuple(notes))


def resolve(
    name: str, tokenizer: Any, arguments: Mapping[str, Any] | None = None, system: str | None = None
) -> Reading:
    """The format called `name` ("auto": the template's own) for one tokenizer, with how its template is asked.

    Raises:
        UserError: The name is not known; or the template opens a thought of another format, which would be two kinds of
            thinking in one prompt.
    """
    if name == AUTO:
        return read(tokenizer, arguments, system)
    given = thinking_format(name)
    if given.ask != DEFAULT or given.plain != DEFAULT or given.empty or given.end_of_turn is not None:
        return Reading(given, "we", RESOLVED)
    own = read(tokenizer, arguments, system)
    fits = own.thinking.thinking_start.strip() == given.thinking_start.strip()
    known = own.source not in UNSHOWN
    notes = [note for note in own.notes if known or not note.startswith("no thinking")]
    if known and not fits:
        why = (
            f"the thinking format '{name}' is not the one of '{tokenizer.name_or_path}', whose template thinks between "
        )
        why += f"{own.thinking.thinking_start.strip()!r} and {own.thinking.thinking_end.strip()!r}"
        if own.opener == "the template":
            raise UserError(f"{why} and opens the thought itself; use --thinking auto")
        notes.append(f"{why}; --thinking auto uses that")
    stops = tuple(dict.fromkeys((*given.answer_stops, *own.thinking.answer_stops)))
    thinking = replace(given, answer_stops=stops, end_of_turn=own.thinking.end_of_turn)
    if known:
        asked = own.thinking
        thinking = replace(thinking, ask=asked.ask, plain=asked.plain, empty=asked.empty)
    return Reading(thinking, own.opener if fits else "we", "given", tuple(notes))


OPENED, RENDERED, WRITTEN = "the prompt", "a rendered turn", "the template's words"
RESOLVED = "an earlier reading"
IN_VOCABULARY, NOTHING = "the special tokens", "nothing"
NO_THOUGHT = "the <|im_start|> token; the template shows no thought"
UNSHOWN = (NOTHING, NO_THOUGHT, IN_VOCABULARY)


def _switch(name: str, value: Any) -> Ask:
    return Ask(((name, value),))


def _thinking_prompt(template: Template, default: str) -> tuple[Ask, str]:
    """How thinking is asked for, and the prompt.

    The prompt is the default one, unless a switch opens the thought where that does not, or the default says the same
    as the switch's "off".
    """
    rank = {"closed": 0, "bare": 1, "open": 2}
    best, best_prompt = DEFAULT, default
    for name, on, off in template.switches():
        offs = [text for value in off if (text := template.prompt(_switch(name, value))) is not None]
        none = [text for value in off if value not in LEVELS and (text := template.prompt(_switch(name, value)))]
        if template.is_level(name):
            continue
        for value in on:
            ask = _switch(name, value)
            prompt = template.prompt(ask)
            if prompt is None or prompt == default:
                continue
            asks = default in none or (isinstance(value, str) and name.endswith("_mode") and prompt not in offs)
            better = rank[shape(prompt)] - rank[shape(best_prompt)]
            if better > 0 or (better == 0 and asks and best == DEFAULT):
                best, best_prompt = ask, prompt
                break
    if best == DEFAULT and shape(default) != "open":
        for _, on_word in WORDS:
            if on_word in template.text:
                ask = Ask(system=on_word)
                prompt = template.prompt(ask)
                if prompt is not None and rank[shape(prompt)] > rank[shape(best_prompt)]:
                    return ask, prompt
    return best, best_prompt


def _delimiters(template: Template, ask: Ask, prompt: str) -> tuple[ThinkingFormat, str, list[str]]:
    """The delimiters, what told them, and notes."""
    rendered = _rendered(template, ask, prompt)
    opened = opened_by(prompt)
    if rendered is not None:
        return rendered, OPENED if opened is not None else RENDERED, []
    if opened is not None:
        tail = prompt.rstrip()
        for family in FAMILIES:
            if family.start.strip() and tail.lower().endswith(family.start.strip().lower()):
                return _written(template, family, prompt), OPENED, []
        return _unknown(template, tail[-len(opened.start) :], prompt), OPENED, []
    said = template.text + prompt
    for family in FAMILIES:
        mark = (family.mark or family.end).strip()
        if family.name in ("s1", "channel-words") or mark not in said:
            continue
        both = family.start.strip() in said
        # "</think>" alone: the template drops earlier thoughts.
        if both or mark.startswith(("</", "[/")) or family.start_is_optional:
            return _written(template, family, prompt, keeps_start=both or not family.start_is_optional), WRITTEN, []
    for tag in dict.fromkeys(WRITTEN_TAG.findall(said)):
        if any(end in said for end in mirrored(tag)):
            return _unknown(template, tag, prompt), WRITTEN, []
    added = set(template.tokenizer.get_added_vocab())
    for family in FAMILIES:
        pieces = {family.start.strip(), (family.mark or family.end).strip()}
        if family.name != "s1" and pieces <= added:
            return family.format, IN_VOCABULARY, ["the template does not show a thought; the special tokens do"]
    if "<|im_start|>" in added and ask == DEFAULT:
        return FORMATS["s1"], NO_THOUGHT, []  # s1's own case: an instruct model that is taught to think
    note = (
        "no thinking format can be read from the chat template or the special tokens: 'think' is used; a model that "
        "was not trained on it will hardly keep to it"
    )
    return FORMATS["think"], NOTHING, [note]


def _rendered(template: Template, ask: Ask, prompt: str) -> ThinkingFormat | None:
    """The delimiters around a thought in a rendered turn, to the character; None where no field shows one."""
    turns: list[dict[str, Any]] = [{"content": ANSWER, field: THOUGHT} for field in THOUGHT_FIELDS]
    chunks = [{"type": "thinking", "thinking": THOUGHT}, {"type": "text", "text": ANSWER}]
    closed = [{"type": "thinking", "thinking": THOUGHT, "closed": True}, {"type": "text", "text": ANSWER}]
    blocks = {"blocks": [{"type": "thoughts", "text": THOUGHT}, {"type": "response", "text": ANSWER}]}
    turns += [{"content": chunks}, {"content": closed}, {"content": blocks}]
    for turn in turns:
        text = template.turn(turn, ask)
        if text is None or text.count(THOUGHT) != 1 or text.count(ANSWER) != 1:
            continue
        at, behind = text.index(THOUGHT), text.index(ANSWER)
        between = text[at + len(THOUGHT) : behind]
        if behind < at or not between.strip():
            continue
        start = _start_of(text[:at], prompt)
        if start is None or "type" in start:  # chunks that the template prints as they are
            continue
        end = between.lstrip()
        gap = between[: len(between) - len(end)]
        family = _family(start, end)
        if family is None and len(end.strip()) > 60:
            continue
        return ThinkingFormat(
            name=family.name if family else start.strip(),
            thinking_start=start,
            thinking_end=end,
            final_answer=family.final_answer if family else "Final Answer:",
            stops=(family.stops or (_mark(family),)) if family else (_first_token(template, end),),
            answer_stops=family.answer_stops if family else (),
            gap=gap,
        )
    return None


def _start_of(before: str, prompt: str) -> str | None:
    """The thinking start in `before`, what a rendered turn has up to its thought; `prompt`: the generation prompt."""
    opened = opened_by(before)
    if opened is not None:
        at = before.lower().rindex(opened.start)
        spaces = before[:at]
        lead = spaces[len(spaces.rstrip()) :]
        # White space before the mark belongs to it where the prompt itself ends without.
        bare = prompt if not prompt.rstrip().lower().endswith(opened.start) else ""
        keep = lead if bare and bare + lead == before[:at] else ""
        return keep + before[at:]
    if before.startswith(prompt) and before[len(prompt) :].strip():
        return before[len(prompt) :]
    return None


def _family(start: str, end: str) -> Family | None:
    low = start.strip().lower()
    for family in FAMILIES:
        if family.start.strip().lower() == low and _mark(family).lower() in end.lower():
            return family
    return None


def _mark(family: Family) -> str:
    return (family.mark or family.end).strip()


def _first_token(template: Template, text: str) -> str:
    """The special token that `text` begins with, else its first line."""
    for token in sorted(template.tokenizer.get_added_vocab(), key=len, reverse=True):
        if token and text.startswith(token):
            return str(token)
    return text.strip().split("\n")[0]


def _written(template: Template, family: Family, prompt: str, *, keeps_start: bool = True) -> ThinkingFormat:
    """`family`'s format with the prompt's own white space, and the answer's tags where the template names them."""
    thinking = family.format
    start = family.start.strip()
    at = prompt.lower().rfind(start.lower()) if start else -1
    if at >= 0 and not prompt[at + len(start) :].strip():
        thinking = replace(thinking, thinking_start=prompt[at:])
        if not prompt.endswith("\n"):  # DeepSeek's later models write no white space around a thought
            thinking = replace(thinking, thinking_end=thinking.thinking_end.strip())
    elif not keeps_start:
        thinking = replace(thinking, thinking_start="")
    for opening, closing in zip(family.answer_start, family.answer_end, strict=False):
        if opening in template.text and opening.startswith("<") and opening not in thinking.thinking_end:
            newline = "\n" if f"{_mark(family)}\n{opening}" in template.text or opening == "<answer>" else ""
            end = f"{_mark(family)}{newline}{opening}{newline}"
            return replace(thinking, thinking_end=end, answer_stops=(*thinking.answer_stops, closing))
    return thinking


def _unknown(template: Template, start: str, prompt: str) -> ThinkingFormat:
    """The format of a start that the prompt ends in and no table knows."""
    said = template.text + " ".join(template.tokenizer.get_added_vocab())
    end = next((end for end in mirrored(start) if end in said), (mirrored(start) or [start])[0])
    space = prompt[len(prompt.rstrip()) :]
    after = "\n\n" if space else ""
    return ThinkingFormat(start, start + space, end + after, "Final Answer:", (end,))


def _end_of_turn(template: Template, ask: Ask, prompt: str, thinking: ThinkingFormat) -> tuple[str, str]:
    """(what the template puts behind an answer, a note). The tokenizer's own end of text where it puts nothing."""
    eos = str(template.tokenizer.eos_token or "")
    text = next(
        (
            text
            for turn in ({"content": ANSWER, "reasoning_content": THOUGHT, "reasoning": THOUGHT}, {"content": ANSWER})
            if (text := template.turn(turn, ask)) is not None and ANSWER in text
        ),
        None,
    )
    after = text.rpartition(ANSWER)[2] if text is not None else ""
    if eos and eos in after:
        after = after[: after.index(eos) + len(eos)]
    elif opening := _generation_header(template, ask, prompt):
        after = after.removesuffix(opening)
    closing = [stop for stop in thinking.answer_stops if stop.startswith("</") and stop not in after]
    if not after.strip():
        if not eos:
            return "".join(closing), "the template ends no turn and the tokenizer has no end of text: answers end bare"
        after = eos
        return "".join(closing) + after, f"the template ends no turn: training text ends in the tokenizer's {eos!r}"
    newline = "\n" if thinking.thinking_end.endswith("\n") and closing else ""
    return newline + "".join(closing) + after.rstrip(), ""


def _generation_header(template: Template, ask: Ask, prompt: str) -> str:
    """What a generation prompt adds behind the question's turn."""
    without = template._render(turns_of(QUESTION, ask, template.system), ask, add_generation_prompt=False)
    return prompt[len(without) :] if without and prompt.startswith(without) else ""


def _answer_stops(template: Template, ending: str) -> tuple[str, ...]:
    """The first special token of what ends a turn, and a tag before it; the whole of it where it has none."""
    added = sorted(template.tokenizer.get_added_vocab(), key=len, reverse=True)
    places = [(ending.index(token), -len(token), token) for token in added if token and token in ending]
    first = str(min(places)[2]) if places else ending.strip()
    tag = re.match(r"\s*(</[a-z_]{1,20}>)", ending)
    return (tag.group(1), first) if tag else (first,)


def _plain(template: Template, ask: Ask, prompt: str, thinking: ThinkingFormat, source: str) -> tuple[Ask, str, str]:
    """(how a prompt without thinking is asked for, what closes its block, a note)."""
    thinks, default = shape(prompt), template.prompt()
    bare: Ask | None = None
    for other in _plain_asks(template, prompt, thinking):
        text = template.prompt(other)
        if text is None or text == prompt:
            continue
        kind = shape(text)
        if kind == "closed" and (thinks != "closed"):
            return other, "", ""
        level = any(template.is_level(name) or value in LEVELS for name, value in other.arguments)
        asks_still = other.system == NEUTRAL_SYSTEM and thinking.thinking_start.strip() in text
        if kind == "bare" and not level and not asks_still and _says_more(text, prompt, other, thinks):
            # What changes the template's default says more than what restores it: that may leave the model to choose.
            if bare is None or (template.prompt(bare) == default and text != default):
                bare = other
    if thinks == "closed":
        return ask, "", ""
    if bare is not None:
        return bare, "", ""
    if source in UNSHOWN:
        return ask, "", ""  # nothing to switch off: the chat prompt alone
    gap = "\n" if thinking.gap is None and thinking.thinking_start.endswith("\n") else thinking.gap or ""
    start = "" if thinks == "open" else thinking.thinking_start
    note = "the template has no switch for it: --no-thinking closes an empty block"
    return ask, f"{start}{gap}{thinking.thinking_end}", note


def _plain_asks(template: Template, prompt: str, thinking: ThinkingFormat) -> Iterator[Ask]:
    for name, _, off in template.switches():
        for value in off:
            yield _switch(name, value)
    for word, _ in WORDS:
        if word in template.text:
            yield Ask(system=word)
            yield Ask(suffix=f" {word}")
    start = thinking.thinking_start.strip()
    if start and template.system is None and start in prompt and shape(prompt) != "open":
        yield Ask(system=NEUTRAL_SYSTEM)  # the template's own system turn asks for the thought


def _says_more(text: str, prompt: str, ask: Ask, thinks: Shape) -> bool:
    """Whether `text` differs from the thinking `prompt` by more than the words that `ask` adds itself."""
    if thinks == "open":
        return True
    for word in filter(None, (ask.system, ask.suffix)):
        text = text.replace(word, "")
    return text != prompt
