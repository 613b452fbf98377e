"""The text of a chat message, for all that read one: replies of servers, turns of training sets, published logs.

A content is a text or a list of parts. What a part is called differs by API (OpenAI's two, Anthropic's, Mistral's),
what it means does not: a piece of the thought, a piece of the answer (a refusal is one), or no text at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking")  # beside the content, by server
THOUGHT_PARTS = frozenset({"thinking", "reasoning", "reasoning_text", "summary_text"})
TEXT_PARTS = frozenset({"text", "output_text", "input_text", "refusal"})
THOUGHT_KEYS = ("thinking", "reasoning", "text", "content", "summary")
TEXT_KEYS = ("text", "content", "value", "refusal")


@dataclass(frozen=True)
class MessageText:
    """What a message says.

    thinking   its thought; "" where it shows none
    text       its answer
    other      kinds of the parts that hold neither, in order: image_url, redacted_thinking, tool_use, ...
    """

    thinking: str = ""
    text: str = ""
    other: tuple[str, ...] = ()


def content_text(content: Any) -> MessageText:
    """The text of a message's content.

    Args:
        content: A text, a part, a list of texts and parts, or None.

    Returns:
        Pieces of the answer joined as they are, several thoughts by a line end.

    Raises:
        TypeError: The content, or a part of it, is no text.
    """
    if content is None:
        return MessageText()
    if isinstance(content, str):
        return MessageText(text=content)
    parts = [content] if isinstance(content, Mapping) else content
    if not isinstance(parts, list):
        raise TypeError(f"a content is {type(content).__name__}, not text")
    thinking, text, other = list[str](), list[str](), list[str]()
    for part in parts:
        if isinstance(part, str):
            text.append(part)
            continue
        if not isinstance(part, Mapping):
            raise TypeError(f"a part of a content is {type(part).__name__}, not text")
        kind = str(part.get("type") or "text")
        if kind in THOUGHT_PARTS:
            inner = content_text(_first(part, THOUGHT_KEYS))
            thinking.append(inner.thinking + inner.text)
            other += inner.other
        elif kind in TEXT_PARTS:
            inner = content_text(_first(part, TEXT_KEYS))
            text.append(inner.text)
            other += inner.other
        else:
            other.append(kind)
    return MessageText("\n".join(filter(None, thinking)), "".join(text), tuple(other))


def message_text(message: Any) -> MessageText:
    """The text of a whole message: its content, the thought that stands beside it, or its refusal.

    Args:
        message: As a chat completion or a conversation holds it.

    Returns:
        The field of the thought before parts of the content.

    Raises:
        TypeError: It is no object, or a field of it no text.
    """
    if not isinstance(message, Mapping):
        raise TypeError(f"a message is {type(message).__name__}, no object")
    found = content_text(message.get("content"))
    beside = content_text(_first(message, THOUGHT_FIELDS))
    text = found.text or content_text(message.get("refusal")).text
    return MessageText(beside.thinking + beside.text or found.thinking, text, found.other)


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[name] for name in names if fields.get(name)), None)
