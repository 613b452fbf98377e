"""`harness import`: published logs into the harness's Parquet, graded by our grader, to compare new runs with.

One file is one run. Token counts need the model's tokenizer; without it they stay empty rather than approximate.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.analysis.logs.published import (
    Log,
    Logged,
    expand,
    model_of,
    read_log,
    refuse_empty,
    skipped_lines,
    task_of,
    tokenizer_of,
)
from harness.analysis.logs.token_counts import TokenCounter, load_counter
from harness.config import fingerprint, run_id
from harness.digests import file_digest
from harness.grading.verdict import Kind
from harness.marks import Marks, split
from harness.provenance import versions
from harness.records import RUN_SCHEMA, SAMPLE_SCHEMA

STUDY = "imported"
RECIPE = "published"


def import_files(
    files: Sequence[str | Path],
    out: Path,
    tokenizer: str | None = None,
    model: str | None = None,
    task: str | None = None,
    study: str = STUDY,
    marks: Sequence[Marks] = (),
) -> list[str]:
    """Import logs into the result folder `out`; returns one line of summary a file.

    `model` and `task` name what the files do not tell; `marks` are thinking delimiters that no table
    knows. Raises UserError for a file without any readable sample.
    """
    from harness.store import Store

    summaries = []
    paths = expand(files)
    for path in paths:
        refuse_empty(path)
    with Store(out) as store:
        for path in paths:
            log = read_log(path)
            name = model or model_of(path, log.samples) or name_from(path)
            counter = load_counter(tokenizer or tokenizer_of(path) or name, required=bool(tokenizer))
            rows = rows_of(log, name, task or task_of(path), study, counter, marks)
            store.append(rows)
            store.flush()
            store.put_runs([run_row(log, rows)])
            summaries.append(summary(log, rows, counter))
    return summaries


def kind_of(task: str) -> Kind:
    """How a task's answers compare: AIME's are integers, GPQA's are letters, the others mathematics."""
    return "integer" if "aime" in task else "choice" if "gpqa" in task else "math"


def name_from(path: Path) -> str:
    """A model's name from where its log lies: lm-eval's folder org__name, else the file name without the task."""
    if "__" in path.parent.name:
        return path.parent.name.replace("__", "/", 1)
    name = path.stem.removeprefix("samples_").removesuffix("_samples")
    return name.replace(task_of(path), "").strip("_-") or path.stem


def rows_of(
    log: Log, model: str, task: str, study: str, counter: TokenCounter, marks: Sequence[Marks] = ()
) -> list[dict[str, Any]]:
    """The log's responses as rows of SAMPLE_SCHEMA, graded: the answer part alone, where a thought was found."""
    from harness.grading import grade_many

    identity = run_id({"imported": file_digest(log.path), "task": task, "model": model})
    seen: Counter[str] = Counter()
    rows = []
    for sample in log.samples:
        for response, correct in zip(sample.responses, sample.correct, strict=True):
            index = seen[sample.problem_id]
            seen[sample.problem_id] += 1
            rows.append(_row(sample, response, correct, index, task, marks))
    # Not the prompt: the response is the answer part here, and a prompt that opens a thought would open it again.
    wanted = ("response", "gold", "kind", "choices", "final", "question")
    questions = [{name: row[name] for name in wanted} for row in rows]
    for row, verdict in zip(rows, grade_many(questions, workers=os.cpu_count() or 1), strict=True):
        row |= {**verdict.columns, "run_id": identity, "study": study, "model": model, "recipe": RECIPE}
        row["sample_key"] = fingerprint([identity, row["problem_id"], row["sample_index"]])
    if not counter.approximate:
        _count_tokens(rows, counter)
    return rows


def _row(
    sample: Logged, response: str, correct: bool | None, index: int, task: str, marks: Sequence[Marks]
) -> dict[str, Any]:
    """One response cut at its delimiters; `response`, `logged`, `final`, `choices` are for grading and the summary."""
    cut = split(response, sample.prompt, marks)
    thought = cut.state != "none"
    kwargs = sample.kwargs
    budget = kwargs.get("max_tokens_thinking")
    ignores = kwargs.get("thinking_n_ignore")
    return dict.fromkeys(SAMPLE_SCHEMA.names) | {
        "task": task, "method": "budget_forcing" if thought else "no_thinking",
        "max_thinking_tokens": int(budget) if isinstance(budget, int | float) and budget else None,
        "num_ignores": int(ignores) if isinstance(ignores, int | float) else 0,
        "ignore_str": kwargs.get("thinking_n_ignore_str"), "seed": 0, "sample_index": index,
        "problem_id": sample.problem_id, "question": sample.question, "gold": sample.gold, "kind": kind_of(task),
        "prompt": sample.prompt, "thinking": cut.preface + cut.thinking,
        "closing": cut.closing, "answer": cut.answer, "forced_spans": [],
        "forced_end": False, "replayed": False, "looping": None, "num_attempts": 1,
        "response": cut.answer, "logged": correct, "final": cut.state != "open", "choices": sample.choices,
    }  # fmt: skip


def _count_tokens(rows: list[dict[str, Any]], counter: TokenCounter) -> None:
    for name in ("prompt", "thinking", "closing", "answer"):
        for row, count in zip(rows, counter.count([row[name] for row in rows]), strict=True):
            row[f"{name}_tokens"] = count


def run_row(log: Log, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The run's row: where it came from stands in its config."""
    first = rows[0]
    config = {
        "imported_from": log.path.name,
        "sha256": file_digest(log.path),
        "logged_accuracy": _logged_accuracy(rows),
    }
    return {name: first.get(name) for name in RUN_SCHEMA.names} | {
        "num_problems": len(log.samples), "num_samples": max(row["sample_index"] for row in rows) + 1, "status": "done",
        "error": None, "config": json.dumps(config, sort_keys=True), "versions": json.dumps(versions(), sort_keys=True),
        "commit": "", "engine": "imported", "device": None, "seconds": None,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip


def summary(log: Log, rows: list[dict[str, Any]], counter: TokenCounter) -> str:
    """What was read, our accuracy beside the log's, and where the two graders differ."""
    scored = [row["correct"] for row in rows if row["correct"] is not None]
    both = [(row["correct"], row["logged"]) for row in rows if None not in (row["correct"], row["logged"])]
    what = f"{len(rows)} responses to {len(log.samples)} problems of {rows[0]['task']}"
    text = f"{log.path.name}: {what}, {rows[0]['model']}"
    text += f"; accuracy {100 * sum(scored) / len(scored):.1f} %" if scored else "; nothing could be scored"
    if both:
        differ = sum(bool(ours) != bool(theirs) for ours, theirs in both)
        text += f", in the log {100 * sum(bool(t) for _, t in both) / len(both):.1f} % ({differ} verdicts differ)"
    text += "; no token counts: give --tokenizer" if counter.approximate else ""
    return text + (f"; {skipped_lines(log)}" if log.skipped else "")


def _logged_accuracy(rows: list[dict[str, Any]]) -> float | None:
    known = [bool(row["logged"]) for row in rows if row["logged"] is not None]
    return sum(known) / len(known) if known else None
