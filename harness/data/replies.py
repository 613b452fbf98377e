"""One reply in any of the forms in which records hold one: text, parts, turns, a message, an object of named texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.data.schema import BadRowError
from harness.messages import MessageText, content_text

# Names of one thing, the first that holds something is taken.
THOUGHTS = (
    "thinking",
    "reasoning_content",
    "reasoning",
    "thinking_trajectory",
    "thinking_trajectories",
    "trace",
    "reasoning_trace",
    "deepseek_reasoning",
    "thought",
    "thoughts",
    "chain_of_thought",
    "complex_cot",
    "cot",
    "rationale",
    "think",
    "thinking_trace",
    "reasoning_steps",
    "thought_process",
    "model_reasoning",
    "long_cot",
    "longcot",
)
RESPONSES = (
    "response",
    "completion",
    "output",
    "chosen",
    "generation",
    "assistant",
    "generated_solution",
    "model_response",
    "model_output",
    "full_response",
    "generated_text",
    "r1_response",
    "text_response",
    "reply",
    "generated_answer",
    "deepseek_response",
    "llm_response",
    "target",
    "targets",
    "combined_text",
    "reannotated_assistant_content",
)
ATTEMPTS = ("attempt", "deepseek_solution", "final_response", "answer_text", "model_answer", "content")
IN_AN_OBJECT = ("message", "content", "text", "value", *RESPONSES, *ATTEMPTS, "answer", "solution")


def is_empty(value: Any) -> bool:
    """Whether a cell holds nothing: null, NaN, blank, an empty list or object."""
    return (
        value is None or value == [] or value == {} or (isinstance(value, str) and not value.strip()) or value != value
    )


def are_turns(value: Any) -> bool:
    """Whether a value is the turns of a chat."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(t, Mapping) and {"role", "from"} & set(t) for t in value)
    )


def content_of(content: Any) -> MessageText:
    """The text of a turn's content. Raises `BadRowError` for what holds more than text, such as an image."""
    if isinstance(content, int | float) and not isinstance(content, bool):
        return MessageText(text=str(content))
    if are_turns(content):
        return content_of(next((turn.get("content", turn.get("value")) for turn in reversed(content)), None))
    try:
        found = content_text(content)
    except TypeError as error:
        raise BadRowError(str(error)) from None
    if found.other:
        raise BadRowError(f"a content with a part of type '{found.other[0]}'; only text is read")
    return found


def reply(value: Any) -> MessageText:
    """A whole reply. An object says by its fields' names what is its thought (`reasoning_content` beside `content`).

    Raises:
        BadRowError: it holds more than text.
    """
    if not isinstance(value, Mapping) or value.get("type"):
        return content_of(value)
    thought = content_of(next((value[name] for name in THOUGHTS if not is_empty(value.get(name))), None))
    found = reply(next((value[name] for name in IN_AN_OBJECT if not is_empty(value.get(name))), None))
    return MessageText(thought.text or thought.thinking or found.thinking, found.text)


def besides(value: Any) -> dict[str, Any]:
    """What an object that holds a reply says about it: its finish, its grade, the model that wrote it."""
    if not isinstance(value, Mapping):
        return {}
    inner = besides(value["message"]) if "message" in value else {}
    return inner | {name: one for name, one in value.items() if name not in (*THOUGHTS, *IN_AN_OBJECT)}
