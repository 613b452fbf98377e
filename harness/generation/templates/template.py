"""A chat template as something to ask: rendered under arguments, and how the prompt that comes of it ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from harness.errors import UserError
from harness.marks import NAMED, opened_by
from harness.thinking import FAMILIES, Ask

DEFAULT = Ask()  # the template's own default
QUESTION, THOUGHT, ANSWER = "\u2039question\u203a", "\u2039thought\u203a", "\u2039answer\u203a"
Shape = Literal["open", "bare", "closed"]
GENERATION = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")  # transformers' own tag around what is trained on
# What every template is given without being asked.
GIVEN = frozenset(
    {
        "messages",
        "add_generation_prompt",
        "continue_final_message",
        "tools",
        "documents",
        "raise_exception",
        "strftime_now",
        "bos_token",
        "eos_token",
        "pad_token",
        "unk_token",
        "namespace",
    }
)
TAGS = re.compile(r"\{[{%].*?[}%]\}", re.DOTALL)
_SIDED = rf"<\|?(?:(?:end|close)[a-z_]{{0,6}}[_.:-]{NAMED}|{NAMED}[_.:-](?:end|close))\|?>$"
CLOSING_TAG = re.compile(rf"<\|?/{NAMED}\|?>$|{_SIDED}", re.IGNORECASE)


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

    @property
    def variables(self) -> set[str] | None:
        """The names that the template takes from outside; None where it cannot be parsed here."""
        import jinja2
        import jinja2.meta

        try:
            tree = jinja2.Environment(extensions=["jinja2.ext.loopcontrols"]).parse(GENERATION.sub("", self.text))
        except jinja2.TemplateError:
            return None
        return jinja2.meta.find_undeclared_variables(tree)

    def prompt(self, ask: Ask = DEFAULT) -> str | None:
        """The prompt of one question under `ask`; None where the template refuses."""
        return self.render(turns_of(QUESTION, ask, self.system), ask, add_generation_prompt=True)

    def turn(self, assistant: Any, ask: Ask) -> str | None:
        """The same question with `assistant` as its answer."""
        turns = [*turns_of(QUESTION, ask, self.system), {"role": "assistant", **assistant}]
        return self.render(turns, ask, add_generation_prompt=False)

    def render(self, turns: list[Any], ask: Ask, *, add_generation_prompt: bool) -> str | None:
        """`turns` under `ask` and the user's arguments; None where the template refuses."""
        arguments = {**dict(ask.arguments), **self.arguments}
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    turns, tokenize=False, add_generation_prompt=add_generation_prompt, **arguments
                )
            )
        except Exception:  # noqa: BLE001  a template may raise anything, by its own words or by a value that it does not expect
            return None


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
