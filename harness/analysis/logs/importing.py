"""`harness import`: published logs into the harness's Parquet, graded by our grader, to compare new runs with.

Token counts need the model's tokenizer; without it they stay empty rather than approximate. What a log does not tell
(whether an end was forced, whether a thought loops, its budget) is null, never 0.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.analysis.logs.lm_eval_logs import NAMELESS
from harness.analysis.logs.logged import Log, Logged
from harness.analysis.logs.names import model_of, name_from, shown_name, task_of, tokenizer_of, with_results
from harness.analysis.logs.published import expand, read_log, skipped_lines, unreadable
from harness.analysis.logs.runs import (
    LIMITS,
    SEEDS,
    UNKNOWN_MODEL,
    Control,
    Run,
    control_of,
    cut,
    gold_text,
    runs_of,
    whole,
)
from harness.analysis.logs.token_counts import TokenCounter, load_counter
from harness.config import fingerprint, run_id
from harness.digests import file_digest
from harness.errors import UserError
from harness.grading.verdict import Kind
from harness.marks import Marks, Split
from harness.provenance import versions
from harness.questions import question_hash
from harness.records import RUN_SCHEMA, SAMPLE_SCHEMA
from harness.thinking import FORMATS

STUDY = "imported"
RECIPE = "published"
BUDGET_SETTINGS = (*LIMITS, "thinking_n_ignore", "thinking_n_ignore_str", "num_ignores", "method")
TEXTS = ("prompt", "thinking", "closing", "answer")
FINAL_ANSWER = "Final Answer:"
MAX_WORKERS = 8  # each grading thread has a worker for sympy


@dataclass
class Imported:
    """A run with its rows, and the counter that counted its tokens."""

    run: Run
    control: Control
    rows: list[dict[str, Any]]
    counter: TokenCounter


def import_files(
    files: Sequence[str | Path],
    out: Path,
    tokenizer: str | None = None,
    model: str | None = None,
    task: str | None = None,
    study: str = STUDY,
    marks: Sequence[Marks] = (),
    kind: Kind | None = None,
    merge: bool = False,
    fields: Mapping[str, str] | None = None,
) -> list[str]:
    """Import logs into the result folder `out`.

    Args:
        files: Files, globs or folders, of any known format.
        out: The results folder.
        tokenizer: Name or folder; None: each log's own model's, where it is here.
        model: The model's name, which the files do not tell, or instead of what they tell.
        task: The task's, likewise.
        study: The study's name in `out`.
        marks: Thinking delimiters that no table knows.
        kind: How answers compare, instead of what the logs tell.
        merge: All files of one model and task are one run.
        fields: The names of the fields of plain rows: {"response": "output", "gold": "label", ...}.

    Returns:
        One line of summary per run.

    Raises:
        UserError: for a file without any readable sample, before anything is written.
    """
    from harness.store import Store

    runs = runs_of(_read(expand(files), fields or None), model, task, kind, merge)
    counters: dict[str, TokenCounter] = {}
    imported = []
    for run in runs:
        name = tokenizer or next(filter(None, (tokenizer_of(log.path) for log in run.logs)), run.model)
        if name not in counters:
            counters[name] = load_counter(name, required=bool(tokenizer))
        imported.append(_imported(run, study, counters[name], marks))
    _grade([row for one in imported for row in one.rows])
    with Store(out) as store:
        for one in imported:
            store.append([{name: row.get(name) for name in SAMPLE_SCHEMA.names} for row in one.rows])
        store.flush()
        store.put_runs([run_row(one) for one in imported])
    return [summary(one) for one in imported]


def _read(paths: Sequence[Path], fields: Mapping[str, str] | None) -> list[Log]:
    """The logs, each content of one model and task once; UserError for the first without any sample."""
    logs: list[Log] = []
    known: dict[str, list[Log]] = {}
    for path in paths:
        log = read_log(path, fields)
        if not log.samples:
            raise UserError(unreadable(log))
        equal = known.setdefault(file_digest(path), [])
        if not equal or _told(log) not in map(_told, equal):
            equal.append(log)
            with_results(log)
            logs.append(log)
    return logs


def _told(log: Log) -> tuple[str | None, str]:
    """Model and task of a file, by which two files of equal content are two runs."""
    return log.model or model_of(log.path, log.samples) or name_from(log.path), task_of(log.path)


def _imported(run: Run, study: str, counter: TokenCounter, marks: Sequence[Marks]) -> Imported:
    """The run's rows, without their verdicts."""
    cuts = [[cut(sample, text, marks) for text in sample.texts] for sample in run.samples]
    control = control_of(run, [one for sample in cuts for one in sample])
    digests = sorted({file_digest(log.path) for log in run.logs})
    settings = json.dumps(run.kwargs, sort_keys=True, default=str)
    identity = run_id({"imported": digests, "task": run.task, "model": run.model, "settings": settings})
    shared = {
        "run_id": identity,
        "study": study,
        "model": run.model,
        "recipe": RECIPE,
        "task": run.task,
        "method": control.method,
        "max_thinking_tokens": control.max_thinking_tokens,
        "thinking_budget": control.thinking_budget,
        "num_ignores": control.num_ignores,
        "ignore_str": control.ignore_str,
        "instructed": control.instructed,
        "seed": _seed(run),
        "budget_tokens": control.max_thinking_tokens,
        "kind": run.kind,
        "gen_kwargs": settings if run.kwargs else None,
    }
    seen: Counter[str] = Counter()
    rows = []
    for sample, parts in zip(run.samples, cuts, strict=True):
        common = shared | _problem_columns(run, sample)
        for nth, part in enumerate(parts):
            index = seen[sample.problem_id]
            seen[sample.problem_id] += 1
            row = dict.fromkeys(SAMPLE_SCHEMA.names) | common | _text_columns(sample, part)
            row |= {
                "sample_index": index,
                "sample_key": fingerprint([identity, sample.problem_id, index]),
                "logged_correct": sample.correct[nth],
                "logged_extracted": sample.extracted[nth],
                "missing": sample.responses[nth] is None,
                "chosen": sample.chosen,
            }
            rows.append(row)
    if not counter.approximate:
        _count_tokens(rows, counter)
    return Imported(run, control, rows, counter)


def _seed(run: Run) -> int | None:
    return next((seed for name in SEEDS if (seed := whole(run.kwargs.get(name))) is not None), None)


def _problem_columns(run: Run, sample: Logged) -> dict[str, Any]:
    return {
        "problem_id": sample.problem_id,
        "question": sample.question,
        "gold": gold_text(run, sample),
        "choices": list(sample.options),
        "question_hash": question_hash(sample.question, sample.options),
        "metadata": json.dumps(dict(sample.metadata), sort_keys=True, ensure_ascii=False) if sample.metadata else None,
        "golds": sample.golds if run.kind != "choice" else (),
    }


def _text_columns(sample: Logged, part: Split) -> dict[str, Any]:
    """A response as native rows have it: what opens the thought ends the prompt, and counts as no thinking."""
    preface, thinking = part.preface, part.thinking
    style = FORMATS.get(part.name)
    start = style.thinking_start if style else ""
    space = start[len(start.rstrip()) :]
    if preface and space and thinking.startswith(space):
        preface, thinking = preface + space, thinking[len(space) :]
    return {
        "prompt": sample.prompt + preface,
        "thinking": thinking,
        "closing": part.closing,
        "answer": part.answer,
        "response": part.answer,
        "final": part.state != "open",
    }


def _count_tokens(rows: list[dict[str, Any]], counter: TokenCounter) -> None:
    """Token counts of the texts; a null response has none.

    A thought that was cut at its budget got a line end before its closing (s1's rule, where it did not end in one): a
    thought that is over its budget by that line end was not.
    """
    for name in TEXTS:
        for row, count in zip(rows, counter.count([row[name] for row in rows]), strict=True):
            row[f"{name}_tokens"] = None if (row["missing"] or row["chosen"]) and name != "prompt" else count
    over = [row for row in rows if row["budget_tokens"] and (row["thinking_tokens"] or 0) > row["budget_tokens"]]
    forced = [row for row in over if row["answer"].lstrip().startswith(FINAL_ANSWER)]
    cut_off = [row for row in forced if row["thinking"].endswith("\n")]
    for row in cut_off:
        row["thinking"], row["closing"] = row["thinking"][:-1], "\n" + row["closing"]
        row["thinking_tokens"], row["closing_tokens"] = counter.count([row["thinking"], row["closing"]])


def _grade(rows: list[dict[str, Any]]) -> None:
    """Verdicts for the rows of all runs by one pool of graders: the answer part alone, where a thought was found.

    Of several accepted golds any one may be met.
    """
    from harness.grading import grade_many

    # Not the prompt: the response is the answer part here, and a prompt that opens a thought would open it again.
    wanted = ("response", "gold", "kind", "choices", "final", "question")
    questions = [{name: row[name] for name in wanted} for row in rows]
    workers = min(os.cpu_count() or 1, MAX_WORKERS)
    for row, found in zip(rows, grade_many(questions, workers=workers), strict=True):
        row |= found.columns
        if row["missing"]:
            row |= {"status": "no_answer", "correct": False, "reason": "the log holds no response (null)"}
    open_rows = [row for row in rows if row["correct"] is not True and not row["missing"]]
    again = [(row, gold) for row in open_rows for gold in row["golds"][1:]]
    if again:
        verdicts = grade_many([{n: row[n] for n in wanted} | {"gold": gold} for row, gold in again], workers=workers)
        for (row, gold), found in zip(again, verdicts, strict=True):
            if found.status == "correct" or (row["status"] == "gold_unparseable" != found.status):
                row |= found.columns | {"gold": gold}


def run_row(imported: Imported) -> dict[str, Any]:
    """The run's row: where it came from stands in its config."""
    run, first = imported.run, imported.rows[0]
    settings = {key: value for key, value in run.kwargs.items() if key not in (*BUDGET_SETTINGS, *SEEDS)}
    config = {
        "imported_from": [log.path.name for log in run.logs],
        "sha256": [file_digest(log.path) for log in run.logs],
        "format": run.format,
        "logged_accuracy": _logged_accuracy(run, imported.rows),
        "logged_by_filter": by_filter(run),
        "gen_kwargs": run.kwargs,
        "task_config": dict(run.task_config),
        "sampling": settings,
        "logged_settings": fingerprint(json.dumps(settings, sort_keys=True, default=str)),
    }
    return {name: first.get(name) for name in RUN_SCHEMA.names} | {
        "num_problems": len({row["problem_id"] for row in imported.rows}),
        "num_samples": max(row["sample_index"] for row in imported.rows) + 1,
        "status": "done",
        "error": None,
        "config": json.dumps(config, sort_keys=True, default=str),
        "versions": json.dumps(versions(), sort_keys=True),
        "commit": "",
        "engine": "imported",
        "device": None,
        "seconds": None,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def by_filter(run: Run) -> dict[str, float]:
    """The log's own accuracy under each of its filters, where it has several."""
    return {name: sum(known) / len(known) for name, known in _scores(run).items()}


def _scores(run: Run) -> dict[str, list[float]]:
    """The log's own scores under each of its filters, where it has several.

    Filters without a name whose scores agree everywhere are none: the file may hold each of its lines twice.
    """
    found: dict[str, list[float]] = {}
    for sample in run.samples:
        for name, score in sample.filters.items():
            if score is not None:
                found.setdefault(name, []).append(score)
    named = not all(name.startswith(NAMELESS) for name in found)
    differ = any(len(set(sample.filters.values())) > 1 for sample in run.samples)
    return found if len(found) > 1 and (named or differ) else {}


def _filters(run: Run) -> str:
    """The accuracy under each filter in words; a filter that a cut file has for some problems alone says so."""
    found = _scores(run)
    most = max(map(len, found.values()), default=0)
    told = [
        f"{name} {100 * sum(known) / len(known):.1f} %" + (f" (of {len(known)})" if len(known) < most else "")
        for name, known in found.items()
    ]
    return "; its filters: " + ", ".join(told) if told else ""


def summary(imported: Imported) -> str:
    """What was read, our accuracy beside the log's, where the two graders differ, and what was done with the file."""
    run, rows = imported.run, imported.rows
    per_problem: dict[str, list[bool]] = {}
    for row in rows:
        if row["correct"] is not None and row["status"] != "gold_unparseable":
            per_problem.setdefault(row["problem_id"], []).append(row["correct"])
    both = [
        (row["correct"], row["logged_correct"]) for row in rows if None not in (row["correct"], row["logged_correct"])
    ]
    num = len({row["problem_id"] for row in rows})
    names = ", ".join(shown_name(log.path) for log in run.logs[:3]) + (", ..." if len(run.logs) > 3 else "")
    text = f"{names}: {len(rows)} responses to {num} problems of {run.task} ({run.format}, {run.kind}), {run.model}"
    means = [sum(known) / len(known) for known in per_problem.values()]
    text += f"; accuracy {100 * sum(means) / len(means):.1f} %" if means else "; nothing could be scored"
    if both:
        differ = sum(bool(ours) != bool(theirs) for ours, theirs in both)
        text += f", in the log {100 * sum(bool(t) for _, t in both) / len(both):.1f} % ({differ} verdicts differ)"
    if any(one.in_points for one in run.samples):
        mean = _logged_accuracy(run, rows)
        text += "" if mean is None else f", in the log {100 * mean:.1f} %"
        text += " (its scores are means or points: no verdicts of single responses)"
    text += _filters(run)
    return "; ".join([text, *notes(imported)])


def notes(imported: Imported) -> list[str]:
    """What a reader of the summary has to know of the files and rows."""
    run, rows = imported.run, imported.rows
    split_ids = sum(log.num_split for log in run.logs)
    unread = sum(row["status"] == "gold_unparseable" for row in rows)
    missing = sum(row["missing"] for row in rows)
    replaced = sum(log.num_replaced for log in run.logs)
    told = [
        *run.notes,
        f"{split_ids} id(s) stand for several problems: told apart by their question" if split_ids else "",
        "options chosen by their log-probabilities, nothing was generated"
        if all(row["chosen"] for row in rows)
        else "",
        f"{missing} response(s) are null in the log: counted wrong" if missing else "",
        f"{unread} gold(s) cannot be read: left out" if unread else "",
        f"{replaced} line(s) with a broken character, replaced by U+FFFD" if replaced else "",
        "no token counts: give --tokenizer" if imported.counter.approximate else "",
        "the log does not name its model: give --model" if run.model == UNKNOWN_MODEL else "",
        *(skipped_lines(log) for log in run.logs),
    ]
    return [note for note in told if note]


def _logged_accuracy(run: Run, rows: list[dict[str, Any]]) -> float | None:
    """The log's own accuracy: of its verdicts, else of its problems' scores where these are shares."""
    if any(one.in_points for one in run.samples):
        scores = [one.score for one in run.samples if one.score is not None]
        return sum(scores) / len(scores) if all(0 <= score <= 1 for score in scores) else None
    known = [bool(row["logged_correct"]) for row in rows if row["logged_correct"] is not None]
    return sum(known) / len(known) if known else None
