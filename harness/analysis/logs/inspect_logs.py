"""inspect_ai's logs (.eval and .json), through its own reader `inspect_ai.log`, which is an optional dependency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.logs.golds import gold_of, metadata_of
from harness.analysis.logs.logged import Log, Logged, chat_prompt, response_text, scored
from harness.errors import UserError, one_line

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample

NEEDED = "an inspect_ai log, which its own reader reads: pip install 'inspect-ai' (the extra `inspect`), then try again"

CALLS = ("max_connections", "adaptive_connections", "max_retries", "timeout", "attempt_timeout", "batch", "cache")


def is_inspect(record: dict[str, Any]) -> bool:
    """Whether a JSON object is a whole inspect_ai log."""
    return isinstance(record.get("eval"), dict) and "version" in record and ("plan" in record or "samples" in record)


def read(path: Path, log: Log) -> None:
    """Put the samples of an inspect_ai log into `log`; the epochs of a sample are its responses.

    Raises:
        UserError: inspect_ai is not installed, or its reader cannot read the file.
    """
    try:
        from inspect_ai.log import read_eval_log
    except ImportError:
        raise UserError(f"{path} is {NEEDED}") from None
    try:
        found = read_eval_log(str(path))
    except Exception as error:
        raise UserError(f"{path}: inspect_ai cannot read it ({one_line(error, most=120)})") from error
    log.name = "inspect_ai"
    log.kwargs = _settings(found)
    task = found.eval.task.rpartition("/")[2]
    epochs: dict[str, list[EvalSample]] = {}
    for sample in found.samples or []:
        epochs.setdefault(str(sample.id), []).append(sample)
    for number, (identity, samples) in enumerate(epochs.items(), 1):
        log.samples.append(_sample(number, identity, samples, found.eval.model, task))


def _settings(log: EvalLog) -> dict[str, Any]:
    """What can change a text; how the calls were made cannot."""
    config: dict[str, Any] = log.plan.config.model_dump(exclude_none=True)
    config = {name: value for name, value in config.items() if name not in CALLS}
    return config | {f"task.{name}": value for name, value in log.eval.task_args.items()}


def _sample(number: int, identity: str, epochs: Sequence[EvalSample], model: str, task: str) -> Logged:
    first = epochs[0]
    if isinstance(first.input, str):
        prompt, question = first.input, first.input
    else:
        prompt, question = chat_prompt([turn.model_dump() for turn in first.input])
    golds, index = gold_of(first.target)
    scores = [next(iter((epoch.scores or {}).values()), None) for epoch in epochs]
    return Logged(
        line=number,
        doc_id=identity,
        problem_id=identity,
        question=question,
        gold=golds[0] if golds else "",
        golds=golds,
        index=index,
        prompt=prompt,
        responses=tuple(_response(epoch) for epoch in epochs),
        extracted=tuple(None if score is None else score.answer for score in scores),
        model=model,
        task=task,
        choices=tuple(first.choices or ()),
        metadata=metadata_of(first.metadata or {}),
        **scored([None if score is None else score.value for score in scores]),
    )


def _response(sample: EvalSample) -> str | None:
    """What the model said last, its reasoning in front; None where it said nothing."""
    if not sample.output.choices:
        return None
    content = sample.output.choices[0].message.content
    if isinstance(content, str):
        return content
    return response_text([part.model_dump() for part in content])
