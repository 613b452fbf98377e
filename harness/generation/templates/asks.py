"""How a chat template is asked for a prompt that thinks, and for one that does not: by a switch, or by a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.generation.templates.template import DEFAULT, Shape, Template, shape
from harness.thinking import Ask, ThinkingFormat

ECHO = "zzechozz"
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
# Switches by their name, also where the template writes the value into the prompt ("detailed thinking on").
NO_LEVEL = frozenset(name for name, _, _ in SWITCHES if not name.endswith("effort"))
OTHER_SWITCH = re.compile(r"(?<![\w.'\"])([a-z_]*(?:think|thought|reason)[a-z_]*)(?![\w'\"(])")
COMPARED = re.compile(r"[!=]=\s*['\"](\w+)['\"]")
NEGATED = re.compile(r"(?:skip|no|disable|without|omit)_")  # a switch whose "on" asks for no thinking
WORDS = (("/no_think", "/think"), ("/nothink", "/think"), ("detailed thinking off", "detailed thinking on"))
NEUTRAL_SYSTEM = "You are a helpful assistant."


def is_level(template: Template, name: str) -> bool:
    """Whether the template writes any value of `name` into the prompt: a level ("Reasoning: high"), no switch."""
    if name in NO_LEVEL:
        return False
    text = template.prompt(Ask(((name, ECHO),)))
    return text is not None and ECHO in text


def switches(template: Template) -> Iterator[tuple[str, tuple[Any, ...], tuple[Any, ...]]]:
    """The switches that the template names and the user has not set."""
    named = set(OTHER_SWITCH.findall(template.code))
    if (variables := template.variables) is not None:
        named &= variables  # and no word of its texts
    known = {name for name, _, _ in SWITCHES}
    for name, on, off in SWITCHES:
        if name in named and name not in template.arguments:
            opening, closing = _modes(template, name, {*on, *off}) if name.endswith("_mode") else ((), ())
            yield name, (*on, *opening), (*off, *closing)
    for name in sorted(named - known - template.arguments.keys()):
        if not re.search(rf"\bset\s+(?:ns\.)?{name}\s*=(?!.*\b{name}\b)", template.code):
            on, off = (True, "on", "enabled"), (False, "off", "disabled")
            yield (name, off, on) if NEGATED.match(name) else (name, on, off)


def _modes(template: Template, name: str, known: set[Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Modes that the template compares with and no table knows: those that open a thought, those that close one."""
    words = [word for word in dict.fromkeys(COMPARED.findall(template.code)) if word not in known]
    shapes = {word: shape(template.prompt(_switch(name, word)) or "") for word in words}
    return tuple(w for w in words if shapes[w] == "open"), tuple(w for w in words if shapes[w] == "closed")


def thinking_prompt(template: Template, default: str) -> tuple[Ask, str]:
    """How thinking is asked for, and the prompt.

    The prompt is the default one, unless a switch opens the thought where that does not, or the default says the same
    as the switch's "off".
    """
    rank = {"closed": 0, "bare": 1, "open": 2}
    best, best_prompt = DEFAULT, default
    for name, on, off in switches(template):
        offs = [text for value in off if (text := template.prompt(_switch(name, value))) is not None]
        if is_level(template, name):
            continue
        # A word that the template takes for any other it does not know is no "off": some then ask for most.
        unheard = template.prompt(_switch(name, ECHO))
        none = [
            text
            for value in off
            if value not in LEVELS
            and (text := template.prompt(_switch(name, value)))
            and not (isinstance(value, str) and text == unheard)
        ]
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


def plain_prompt(
    template: Template, ask: Ask, prompt: str, thinking: ThinkingFormat, *, shown: bool
) -> tuple[Ask, str, str]:
    """(how a prompt without thinking is asked for, what closes its block, a note)."""
    thinks, default = shape(prompt), template.prompt()
    bare: Ask | None = None
    for other in _plain_asks(template, prompt, thinking):
        if other.system == NEUTRAL_SYSTEM and bare is not None:
            break  # a switch leaves the template its own system turn
        text = template.prompt(other)
        if text is None or text == prompt:
            continue
        kind = shape(text)
        if kind == "closed" and (thinks != "closed"):
            return other, "", ""
        level = any(is_level(template, name) or value in LEVELS for name, value in other.arguments)
        asks_still = other.system == NEUTRAL_SYSTEM and thinking.thinking_start.strip() in text
        # What changes the template's default says more than what restores it: that may leave the model to choose.
        better = bare is None or (template.prompt(bare) == default and text != default)
        if kind == "bare" and better and not level and not asks_still and _says_more(text, prompt, other, thinks):
            bare = other
    if thinks == "closed":
        return ask, "", ""
    if bare is not None:
        return bare, "", ""
    if not shown:
        return ask, "", ""  # nothing to switch off: the chat prompt alone
    gap = "\n" if thinking.gap is None and thinking.thinking_start.endswith("\n") else thinking.gap or ""
    start = "" if thinks == "open" else thinking.thinking_start
    note = "the template has no switch for it: --no-thinking closes an empty block"
    return ask, f"{start}{gap}{thinking.thinking_end}", note


def _plain_asks(template: Template, prompt: str, thinking: ThinkingFormat) -> Iterator[Ask]:
    for name, _, off in switches(template):
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


def _switch(name: str, value: Any) -> Ask:
    return Ask(((name, value),))
