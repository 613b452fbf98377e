"""What logs whose records are problems or responses have in common: what a format is, and a problem from its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.logs.golds import ID_FIELDS, QUESTION_FIELDS, gold_of, metadata_of, options_of
from harness.analysis.logs.logged import Logged, first_known, first_text, flat_texts, padded, response_text, scored
from harness.messages import THOUGHT_FIELDS

Record = Mapping[str, Any]
SAID_FIELDS = ("content", "text", "output", "response", "refusal")


@dataclass(frozen=True)
class Format:
    """A log format: whether a record is one of it, and the samples that it makes of a record."""

    name: str
    matches: Callable[[Record], bool]
    read: Callable[[Record, int], list[Logged] | str]
    joined: bool = False  # several records may be responses to one problem


def problem_of(
    record: Record,
    number: int,
    responses: Sequence[str | None],
    golds: Sequence[Any],
    *,
    doc: Record | None = None,
    prompt: str = "",
    correct: Any = None,
    extracted: Any = None,
    **more: Any,
) -> Logged:
    """A sample from what a format's reader found; question, id, options and metadata are the problem's own fields."""
    doc = record if doc is None else doc
    accepted, index = gold_of(*golds)
    verdicts = correct if isinstance(correct, list) else [correct]
    identity = first_known(doc, *ID_FIELDS, "idx", "index")
    choices, labels = options_of(doc)
    question = more.pop("question", "") or first_text(doc, *QUESTION_FIELDS) or prompt
    return Logged(
        line=number,
        doc_id=str(number - 1),
        problem_id=str(number - 1 if identity is None else identity),
        question=question,
        gold=accepted[0] if accepted else "",
        golds=accepted,
        index=index,
        prompt=prompt or question,
        responses=tuple(responses),
        extracted=padded(extracted if isinstance(extracted, list) else [extracted], len(responses)),
        **scored([*verdicts, *[None] * len(responses)][: len(responses)]),
        **{"choices": choices, "labels": labels, "metadata": metadata_of(doc)} | more,
    )


def texts_of(value: Any) -> tuple[str | None, ...] | None:
    """The responses in a field: text, a list of texts, chat messages or objects with a content."""
    if isinstance(value, Mapping):
        if not any(name in value for name in ("role", *SAID_FIELDS, *THOUGHT_FIELDS)):  # {number: response} or no such
            return flat_texts(list(value.values()))
        content = first_known(value, *SAID_FIELDS)
        if content is None and any(value.get(name) == "" for name in SAID_FIELDS):
            content = ""  # nothing was said, which is not a response that is missing
        return (response_text(content, first_known(value, *THOUGHT_FIELDS)),)
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        if any(one.get("role") == "user" for one in value):  # a conversation: what was said last
            value = [one for one in value if one.get("role") == "assistant"][-1:]
        return tuple(text for one in value for text in texts_of(one) or ())
    return flat_texts(value)
