"""lighteval's details Parquet, of releases before and after its rows became doc, model_response and metric.

A row's metrics are one number over all its responses (their mean, their majority's, ...), so a row of several responses
tells no verdict of any one of them. A row of scored options is its likeliest option, as the metric `acc` has it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.analysis.logs.golds import gold_of, metadata_of
from harness.analysis.logs.logged import Log, Logged, chat_prompt, flat_texts, verdict, with_reasoning
from harness.errors import UserError, one_line
from harness.questions import LETTERS

NEW, OLD = {"doc", "model_response", "metric"}, {"predictions", "gold"}
LIKELIHOODS = (
    "a log of log-likelihoods: it holds log-probabilities of given texts and no generated answer, so there is nothing "
    "to grade or to count; run the task's generative form"
)


def columns(path: Path) -> list[str]:
    """The column names of a Parquet file. Raises UserError where it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path} cannot be read ({one_line(error, most=120)}): the Parquet file is cut or broken"
        ) from None


def is_lighteval(names: list[str]) -> bool:
    """Whether a Parquet file with these columns is lighteval's."""
    return set(names) >= NEW or set(names) >= OLD


def rows(path: Path) -> list[dict[str, Any]]:
    """All rows of a Parquet file as plain objects."""
    import pyarrow.parquet as pq

    return list(pq.read_table(path).to_pylist())


def read(path: Path, log: Log) -> None:
    """Put the samples of a details file into `log`.

    Raises:
        UserError: the file holds log-likelihoods of anything else than options.
    """
    log.name = "lighteval"
    found = rows(path)
    old = [row for row in found if "model_response" not in row]
    num_problems = _num_problems(old)
    for number, row in enumerate(found, 1):
        sample = _new(row, number) if "model_response" in row else _old(row, number, (number - 1) % num_problems)
        if isinstance(sample, str):
            log.skipped.append((number, sample))
        else:
            log.samples.append(sample)
    if not all(one.chosen for one in log.samples):  # a task measured both ways: what was generated is the run
        log.skipped += [(one.line, LIKELIHOODS) for one in log.samples if one.chosen]
        log.samples = [one for one in log.samples if not one.chosen]
    if log.skipped and not log.samples and all(reason == LIKELIHOODS for _, reason in log.skipped):
        raise UserError(f"{path} is {LIKELIHOODS}")


def _num_problems(old: list[dict[str, Any]]) -> int:
    """The problems of an older file, which goes through all of them anew for each category of metrics.

    What one pass did not measure is null in its rows; a task sampled and also answered greedily has two passes.
    """
    measured = [_measured(row) for row in old]
    passes = list(dict.fromkeys(measured))
    size = len(old) // len(passes) if passes else 0
    asked = [(row.get("full_prompt"), str(row["gold"])) for row in old]
    again = size * len(passes) == len(old) and all(
        measured[n] == passes[n // size] and asked[n] == asked[n % size] for n in range(len(old))
    )
    return size if again and size else max(len(old), 1)


def _measured(row: Mapping[str, Any]) -> frozenset[str]:
    metrics = _metrics(row.get("metrics"))
    return frozenset(name for name, value in metrics.items() if value is not None)


def task_of(name: str) -> str:
    """The task in lighteval's `suite|task|few-shots`, as it stands in its rows and file names."""
    parts = name.split("|")
    return parts[1] if len(parts) > 2 else parts[0]


def _new(row: Mapping[str, Any], number: int) -> Logged | str:
    doc, response = row["doc"] or {}, row["model_response"] or {}
    texts = flat_texts(response.get("text"))
    best = None
    if not texts:
        scores = response.get("logprobs") or []
        best = _likeliest(scores, doc.get("choices"))
        if best is None:
            return LIKELIHOODS if scores else "no responses"
        texts = (LETTERS[best],)
    thoughts = flat_texts(response.get("reasonings")) or ()
    if len(thoughts) == len(texts):
        texts = tuple(with_reasoning(thought, text) for thought, text in zip(thoughts, texts, strict=True))
    choices = [str(one) for one in doc.get("choices") or ()]
    asked = response.get("input")
    prompt = chat_prompt(asked)[0] if isinstance(asked, list) else str(asked or doc.get("query") or "")
    return _logged(
        number,
        texts,
        [choices[i].strip() for i in _indices(doc.get("gold_index")) if i < len(choices)],
        choices,
        question=str(doc.get("original_query") or doc.get("query") or ""),
        prompt=prompt,
        identity=str(doc.get("id") or number - 1),
        task=task_of(str(doc.get("task_name") or "")) or None,
        metrics=row["metric"] or {},
        specific=doc.get("specific") or {},
        kwargs={key: doc[key] for key in ("generation_size", "num_samples", "stop_sequences") if doc.get(key)}
        if best is None
        else {},
        chosen=_indices(doc.get("gold_index")) if best is not None else None,
    )


def _old(row: Mapping[str, Any], number: int, problem: int) -> Logged | str:
    predictions = _literal(row["predictions"])
    texts = flat_texts(predictions)
    best = None
    if not texts:
        scores = predictions if isinstance(predictions, list) else []
        best = _likeliest(
            [one[0] if isinstance(one, list | tuple) and one else one for one in scores], row.get("choices")
        )
        if best is None:
            return LIKELIHOODS if scores or _literal(row.get("pred_logits")) else "no responses"
        texts = (LETTERS[best],)
    choices = [str(one) for one in _listed(row.get("choices"))]
    golds = [str(one) for one in _listed(row["gold"])]
    golds = golds or [choices[i].strip() for i in _indices(_literal(row.get("gold_index"))) if i < len(choices)]
    return _logged(
        number,
        texts,
        golds,
        choices,
        question=str(row.get("example") or ""),
        prompt=str(row.get("full_prompt") or row.get("example") or ""),
        identity=str(problem),
        task=None,
        metrics=_metrics(row.get("metrics")),
        specific=_literal(row.get("specifics")) or {},
        kwargs={},
        chosen=_indices(_literal(row.get("gold_index"))) if best is not None else None,
    )


def _likeliest(scores: Any, choices: Any) -> int | None:
    """The number of the option with the highest log-probability; None where the scores are not those of options.

    Scores behind the options' are lighteval's of the same options without the question.
    """
    options = _listed(choices)
    known = [one for one in scores if isinstance(one, int | float)] if isinstance(scores, list) else []
    if len(known) != len(scores) or not 2 <= len(options) <= min(len(known), len(LETTERS)):
        return None
    return max(range(len(options)), key=lambda place: known[place])


def _logged(
    number: int,
    texts: tuple[str | None, ...],
    golds: list[str],
    choices: list[str],
    *,
    question: str,
    prompt: str,
    identity: str,
    task: str | None,
    metrics: Any,
    specific: Any,
    kwargs: dict[str, Any],
    chosen: list[int] | None,
) -> Logged:
    accepted, index = gold_of(golds)
    if chosen is not None and len(chosen) == 1:
        index = chosen[0]
    return Logged(
        line=number,
        doc_id=identity,
        problem_id=identity,
        question=question,
        gold=accepted[0] if accepted else "",
        golds=accepted,
        index=index,
        prompt=prompt,
        responses=texts,
        correct=_verdicts(metrics, len(texts)),
        extracted=(None,) * len(texts),
        task=task,
        choices=tuple(one.strip() for one in choices) if len(choices) > 1 else (),
        kwargs=kwargs,
        metadata=metadata_of(specific) if isinstance(specific, Mapping) else {},
        chosen=chosen is not None,
    )


def _verdicts(metrics: Any, num: int) -> tuple[bool | None, ...]:
    """The row's own verdict of each response: the first metric that lists them, or that is a yes or no of only one."""
    values = list(metrics.values()) if isinstance(metrics, Mapping) else []
    listed = next((one for one in values if isinstance(one, list) and len(one) == num), None)
    if listed is not None:
        return tuple(map(verdict, listed))
    if num > 1:
        return (None,) * num
    return (next((known for one in values if (known := verdict(one)) is not None), None),)


def _metrics(value: Any) -> dict[str, Any]:
    """A cell of metrics, also as Python's text with NumPy's numbers and NaN in it."""
    if isinstance(value, str):
        value = _literal(re.sub(r"\bnan\b", "None", re.sub(r"\bnp\.\w+\(([^()]*)\)", r"\1", value)))
    return dict(value) if isinstance(value, Mapping) else {}


def _indices(value: Any) -> list[int]:
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, int) and one >= 0]


def _literal(value: Any) -> Any:
    """A cell that some releases wrote as Python's text of it."""
    if isinstance(value, str) and value.strip()[:1] in "[{(":
        try:
            return ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return value
    return value


def _listed(value: Any) -> list[Any]:
    found = _literal(value)
    return list(found) if isinstance(found, list | tuple) else [] if found in (None, "") else [found]
