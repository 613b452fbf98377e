"""lighteval's details Parquet, of releases before and after its rows became doc, model_response and metric."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.analysis.logs.golds import gold_of, metadata_of
from harness.analysis.logs.logged import Log, Logged, chat_prompt, flat_texts, verdict, with_reasoning
from harness.errors import UserError, one_line

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
    """Put the samples of a details file into `log`. Raises UserError for log-likelihoods."""
    log.name = "lighteval"
    for number, row in enumerate(rows(path), 1):
        found = _new(row, number) if "model_response" in row else _old(row, number)
        if isinstance(found, str):
            log.skipped.append((number, found))
        else:
            log.samples.append(found)
    if log.skipped and not log.samples and all(reason == LIKELIHOODS for _, reason in log.skipped):
        raise UserError(f"{path} is {LIKELIHOODS}")


def task_of(name: str) -> str:
    """The task in lighteval's `suite|task|few-shots`, as it stands in its rows and file names."""
    parts = name.split("|")
    return parts[1] if len(parts) > 2 else parts[0]


def _new(row: Mapping[str, Any], number: int) -> Logged | str:
    doc, response = row["doc"] or {}, row["model_response"] or {}
    texts = flat_texts(response.get("text"))
    if not texts:
        return LIKELIHOODS if response.get("logprobs") else "no responses"
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
        kwargs={key: doc[key] for key in ("generation_size", "num_samples", "stop_sequences") if doc.get(key)},
    )


def _old(row: Mapping[str, Any], number: int) -> Logged | str:
    texts = flat_texts(_literal(row["predictions"]))
    if not texts:
        return LIKELIHOODS if _literal(row.get("pred_logits")) else "no responses"
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
        identity=str(number - 1),
        task=None,
        metrics=_literal(row.get("metrics")) or {},
        specific=_literal(row.get("specifics")) or {},
        kwargs={},
    )


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
) -> Logged:
    accepted, index = gold_of(golds)
    value = next(iter(metrics.values()), None) if isinstance(metrics, Mapping) else None
    several = isinstance(value, list) and len(value) == len(texts)
    correct = [verdict(one) for one in value] if several and isinstance(value, list) else [verdict(value)]
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
        correct=tuple([*correct, *[None] * len(texts)][: len(texts)]),
        extracted=(None,) * len(texts),
        task=task,
        choices=tuple(one.strip() for one in choices) if len(choices) > 1 else (),
        kwargs=kwargs,
        metadata=metadata_of(specific) if isinstance(specific, Mapping) else {},
    )


def _indices(value: Any) -> list[int]:
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, int) and one >= 0]


def _literal(value: Any) -> Any:
    """A cell that some releases wrote as Python's text of it."""
    if isinstance(value, str) and value.strip()[:1] in "[{(":
        try:
            return ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            return value
    return value


def _listed(value: Any) -> list[Any]:
    found = _literal(value)
    return list(found) if isinstance(found, list | tuple) else [] if found in (None, "") else [found]
