"""The thinking format of one tokenizer: read from its chat template, or named by the user and held against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import UserError
from harness.generation.templates.asks import plain_prompt, thinking_prompt
from harness.generation.templates.delimiters import UNSHOWN, delimiters
from harness.generation.templates.ends import answer_stops, end_of_turn
from harness.generation.templates.template import DEFAULT, Template, shape
from harness.thinking import AUTO, ThinkingFormat, thinking_format

RESOLVED = "an earlier reading"


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
    ask, prompt = thinking_prompt(template, default)
    thinking, source, notes = delimiters(template, ask, prompt)
    opener = "the template" if shape(prompt) == "open" else "we"
    if shape(prompt) == "closed":
        notes.append("the prompt ends behind a closed thought: this model is not asked to think (see its arguments)")
    ending, told = end_of_turn(template, ask, prompt, thinking)
    notes += [told] if told else []
    stops = (*thinking.answer_stops, *answer_stops(template, ending))
    thinking = replace(
        thinking, ask=ask, end_of_turn=ending, answer_stops=tuple(dict.fromkeys(s for s in stops if s.strip()))
    )
    plain, empty, told = plain_prompt(template, ask, prompt, thinking, shown=source not in UNSHOWN)
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
