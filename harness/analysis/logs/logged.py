"""What every reader of published logs makes of a file: its problems, their responses, and the facts of the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import UserError, one_line
from harness.messages import content_text
from harness.questions import LETTERS

T = TypeVar("T")
# What a limit on thinking tokens is called: by s1, by servers, by this harness, by vLLM.
THINKING_LIMITS = ("max_tokens_thinking", "thinking_budget", "max_thinking_tokens", "thinking_token_budget")
VERDICTS = dict.fromkeys(("1", "1.0", "true", "c", "correct", "yes"), True) | dict.fromkeys(
    ("0", "0.0", "false", "i", "incorrect", "n", "no"), False
)


@dataclass(frozen=True)
class Logged:
    """One problem of a log with all its responses; a response that the log has as null is None.

    gold       the answer as text; for an option that is told by its number, the number
    golds      every accepted answer, where a log lists several; `gold` is the first
    index      the option's number from 0, where the log tells one
    correct    the log's own verdicts, None where it has none; extracted: the answers that it read
    filtered   the log's own shortened form of the first response, as s1's script reads it
    model      and `task`, `kind`: where the row or the file's header tells them
    kwargs     generation settings of the row
    metadata   small facts about the problem: subject, level, year, ...
    chosen     nothing was generated: the response is the letter of the option with the highest log-probability
    score      the log's own mean over the responses
    in_points  it has a score that is no clear yes or no: a mean over samples, points
    filters    the same generation's score under each filter: name of the filter -> score
    """

    line: int
    doc_id: str
    problem_id: str
    question: str
    gold: str
    prompt: str
    responses: tuple[str | None, ...]
    correct: tuple[bool | None, ...]
    extracted: tuple[str | None, ...]
    golds: tuple[str, ...] = ()
    index: int | None = None
    filtered: str | None = None
    model: str | None = None
    task: str | None = None
    kind: str | None = None
    choices: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    score: float | None = None
    in_points: bool = False
    filters: Mapping[str, float | None] = field(default_factory=dict)
    chosen: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """The options' texts; none where a log lists bare letters, whose texts stand in the question."""
        bare = all(one.strip("() .") == letter for one, letter in zip(self.choices, LETTERS, strict=False))
        return () if bare else self.choices

    @property
    def texts(self) -> tuple[str, ...]:
        """The responses, an empty text for one that the log has as null."""
        return tuple("" if text is None else text for text in self.responses)


@dataclass
class Log:
    """One file: its problems, and the lines that were skipped as (number, reason).

    name         of the format
    task_config  lm-eval's configuration of the task, where a results file tells it
    kwargs       generation settings that the file's header tells for all rows
    """

    path: Path
    samples: list[Logged] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    num_repeated: int = 0  # lines that repeat a generation under another filter
    num_replaced: int = 0  # lines with a lone surrogate, which was replaced
    num_split: int = 0  # ids that stand for several problems
    name: str = ""
    model: str | None = None  # where the file's header tells it
    task_config: Mapping[str, Any] = field(default_factory=dict)
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def flat_texts(value: Any) -> tuple[str | None, ...] | None:
    """All texts of a possibly nested list, in order, null as None; None when anything else stands in it."""
    if value is None or isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        return None
    found: list[str | None] = []
    for item in value:
        inner = flat_texts(item)
        if inner is None:
            return None
        found += inner
    return tuple(found)


def response_text(content: Any, beside: Any = None) -> str | None:
    """A chat message as one text, its thought with delimiters in front; None for null.

    Args:
        content: The message's content, a text or a list of parts.
        beside: Its thought, where a field of its own holds that.
    """
    try:
        said, thought = content_text(content), content_text(beside)
    except TypeError:
        return str(content)
    thinking = thought.thinking + thought.text or said.thinking
    return with_reasoning(thinking, None if content is None else said.text)


def chat_prompt(messages: Any) -> tuple[str, str]:
    """(the whole prompt as text, the last user turn) of a list of chat messages."""
    turns = [turn for turn in messages if isinstance(turn, dict)]
    texts = [(str(turn.get("role") or ""), response_text(turn.get("content")) or "") for turn in turns]
    asked = [text for role, text in texts if role == "user"]
    return "\n\n".join(text for _, text in texts), asked[-1] if asked else (texts[-1][1] if texts else "")


def with_reasoning(reasoning: str | None, answer: str | None) -> str | None:
    """A response whose thought a log has apart from its answer, as one text with delimiters."""
    if not reasoning:
        return answer
    return f"<think>{reasoning}</think>{answer or ''}"


def verdict(value: Any) -> bool | None:
    """A score of a log as a verdict; None for one that is no clear yes or no (a mean over samples, NaN, null)."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return bool(value) if value in (0, 1) else None
    if isinstance(value, str):
        return VERDICTS.get(value.strip().lower())
    return None


def is_points(value: Any) -> bool:
    """Whether a score is a number, but no yes or no: a mean over samples, points."""
    return isinstance(value, int | float) and not math.isnan(value) and value not in (0, 1)


def scored(values: Sequence[Any]) -> dict[str, Any]:
    """The fields of a problem that a log's scores make, one for each of its responses, None where there is none."""
    correct = tuple(verdict(value) for value in values)
    known = [
        float(value) if is_points(value) else float(bool(right))
        for value, right in zip(values, correct, strict=True)
        if right is not None or is_points(value)
    ]
    return {
        "correct": correct,
        "score": sum(known) / len(known) if known else None,
        "in_points": any(map(is_points, values)),
    }


def with_responses_of(one: Logged, other: Logged) -> Logged:
    """A problem with the responses of another record of it behind its own."""
    sizes = len(one.responses), len(other.responses)
    scores = one.score, other.score
    mean = None
    if None not in scores:
        mean = sum(size * float(score or 0) for size, score in zip(sizes, scores, strict=True)) / sum(sizes)
    return replace(
        one,
        responses=one.responses + other.responses,
        correct=one.correct + other.correct,
        extracted=one.extracted + other.extracted,
        score=mean,
        in_points=one.in_points or other.in_points,
    )


def without_verdicts_of_points(samples: Sequence[Logged]) -> list[Logged]:
    """The samples, without any verdict for a model and task of which a score is no yes or no.

    There 0 and 1 are means or points like all others, and what they leave out would bias the log's accuracy.
    """
    in_points = {(one.model, one.task) for one in samples if one.in_points}
    return [
        replace(one, correct=(None,) * len(one.correct)) if (one.model, one.task) in in_points else one
        for one in samples
    ]


def padded(values: Any, num: int) -> tuple[str | None, ...]:
    """A log's list of `num` texts: cut, or filled up with None."""
    texts = [None if v is None else str(v) for v in values] if isinstance(values, list) else []
    return tuple((texts + [None] * num)[:num])


def first_text(record: Mapping[str, Any], *names: str) -> str:
    """The first of the named fields that is text; "" when none is."""
    return next((record[name] for name in names if isinstance(record.get(name), str)), "")


def first_known(record: Mapping[str, Any], *names: str) -> Any:
    """The first of the named fields that is there and not null or empty."""
    return next((record[name] for name in names if record.get(name) not in (None, "", [])), None)


# What reading a value of another type than a format says can end in.
_ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def parsed(read: Callable[..., T | str], *arguments: Any) -> T | str:
    """What `read` makes of a record, or why it is none: a value of an unexpected type leaves out that record alone.

    Raises:
        UserError: `read` refuses the whole file.
    """
    try:
        return read(*arguments)
    except UserError:
        raise
    except _ODD as error:
        return f"a value is not as its format says ({one_line(error, most=80)})"
