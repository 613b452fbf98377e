"""What was read of a model's chat template, and the families that are known, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from harness.generation.templates.reading import Reading
from harness.generation.templates.template import GIVEN, Template, shape
from harness.thinking import FAMILIES, Ask, ThinkingFormat

SHOWN_CHARACTERS = 80  # of a prompt's end
END_OF_TEXT = "the model's ends of text"


def reading_lines(tokenizer: Any, reading: Reading) -> Iterator[str]:
    """One line for each thing that was read."""
    thinking = reading.thinking
    opener = "us" if reading.opener == "we" else reading.opener
    yield f"format            {thinking.name} (told by {reading.source})"
    yield f"thought           {thinking.thinking_start!r} ... {thinking.thinking_end!r}, opened by {opener}"
    yield f"ends the thought  {', '.join(map(repr, thinking.stops))}, and {END_OF_TEXT}"
    yield f"ends the answer   {', '.join(map(repr, thinking.answer_stops)) or END_OF_TEXT}"
    yield f"forced end        {thinking.thinking_end + thinking.final_answer!r}, on a line of its own"
    yield f"thinking          {thinking.ask}; the prompt ends {_end(tokenizer, thinking, plain=False)}"
    closed = " and an empty block" if thinking.empty else ""
    yield f"no thinking       {thinking.plain}{closed}; the prompt ends {_end(tokenizer, thinking, plain=True)}"
    yield f"training text     ends {thinking.end_of_turn!r}"
    if own := (Template(tokenizer).variables or set()) - GIVEN:
        yield f"arguments         {', '.join(sorted(own))} (--chat-template-arg NAME=VALUE)"
    for note in reading.notes:
        yield f"note              {note}"


def _end(tokenizer: Any, thinking: ThinkingFormat, *, plain: bool) -> str:
    ask: Ask = thinking.plain if plain else thinking.ask
    text = Template(tokenizer).prompt(ask) or ""
    if plain:
        text += thinking.empty
    elif shape(text) != "open":
        text += thinking.thinking_start
    return repr(text[-SHOWN_CHARACTERS:])


def families_table() -> Table:
    """The formats that have a name."""
    table = Table("format", "thought", "models")
    for family in FAMILIES:
        table.add_row(family.name, f"{family.start!r} ... {family.end!r}", family.used_by)
    return table
