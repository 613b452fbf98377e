"""Read published logs: lm-eval's samples JSONL (s1's fork, current, ours) and the Qwen2.5-Math output format.

A broken, cut or foreign line is never fatal: it is counted, with its number and reason, and skipped.
"""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.files import JSON_LINES, read_json_lines

TASK_NAMES = ("aime24_nofigures", "aime24_figures", "aime25_nofigures", "aime25", "aime24", "openai_math", "math500",
              "gpqa_diamond_openai", "gpqa_diamond", "gsm8k", "minerva_math")  # fmt: skip


@dataclass(frozen=True)
class Logged:
    """One problem of a log with all its responses. `correct` are the log's own scores, None where it has none."""

    line: int
    doc_id: str
    problem_id: str
    question: str
    gold: str
    prompt: str
    responses: tuple[str, ...]
    correct: tuple[bool | None, ...]
    extracted: tuple[str | None, ...]
    model: str | None = None
    choices: tuple[str, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)  # generation kwargs


@dataclass
class Log:
    """One file: its problems, and the lines that were skipped as (number, reason)."""

    path: Path
    samples: list[Logged] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    num_repeated: int = 0  # lines that repeat a generation under another filter


def expand(patterns: Sequence[str | Path]) -> list[Path]:
    """Files from names, globs and folders (their samples*.jsonl and *_samples.jsonl). UserError when one names none."""
    found: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            lines = sorted(found for ending in JSON_LINES for found in path.rglob(f"*{ending}"))
            matches = [found for found in lines if "samples" in found.name] or lines
        elif path.is_file():
            matches = [path]
        else:
            matches = sorted(Path(name) for name in glob.glob(str(pattern), recursive=True) if Path(name).is_file())
        if not matches:
            raise UserError(f"no such file: {pattern}; give samples JSONL files, globs or folders")
        found += matches
    return list(dict.fromkeys(found))


def read_log(path: Path) -> Log:
    """All problems of one file. Never raises on its content; a file that cannot be opened is a UserError."""
    log, seen = Log(path), {}  # type: Log, dict[tuple[str, str], tuple[str, ...]]
    for number, record in _records(path, log):
        sample = _parse(record, number)
        if isinstance(sample, str):
            log.skipped.append((number, sample))
            continue
        key = (sample.doc_id, sample.prompt)
        if seen.get(key) == sample.responses and "filter" in record:
            log.num_repeated += 1  # current lm-eval writes a line for each filter of the same generation
            continue
        seen[key] = sample.responses
        log.samples.append(sample)
    return log


def refuse_empty(path: Path) -> None:
    """Raises `UserError` for a file without any readable sample; reads it as far as the first one."""
    log = Log(path)
    for number, record in _records(path, log):
        sample = _parse(record, number)
        if isinstance(sample, Logged):
            return
        log.skipped.append((number, sample))
    raise UserError(
        f"{path}: no sample could be read ({skipped_lines(log) or 'the file is empty'}); give a samples JSONL file"
    )


def skipped_lines(log: Log) -> str:
    """How many lines of a log were skipped, and the first of them with their reasons; "" for none."""
    lines = ", ".join(f"{number} ({reason})" for number, reason in log.skipped[:3])
    return f"{len(log.skipped)} line(s) skipped: {lines}" if log.skipped else ""


def _records(path: Path, log: Log) -> Iterator[tuple[int, dict[str, Any]]]:
    for line in read_json_lines(path, encodable=True):
        if line.error:
            log.skipped.append((line.number, line.error))
        else:
            yield line.number, line.value


def _parse(record: dict[str, Any], number: int) -> Logged | str:
    """The record as a sample, or the reason why it is none."""
    if "resps" in record or "filtered_resps" in record:
        return _parse_lm_eval(record, number)
    if "code" in record and ("gt" in record or "answer" in record):
        return _parse_qwen_math(record, number)
    return "no responses (neither resps, filtered_resps nor code)"


def _parse_lm_eval(record: dict[str, Any], number: int) -> Logged | str:
    responses = _texts(record.get("resps")) or _texts(record.get("filtered_resps"))
    if not responses:
        return "responses are not text"
    doc = record.get("doc") if isinstance(record.get("doc"), dict) else {}
    assert isinstance(doc, dict)
    question = _first_text(doc, "problem", "question", "Question", "input", "query")
    target = record.get("target", doc.get("answer"))
    prompt = _prompt(record)
    doc_id = str(record.get("doc_id", number - 1))
    identity = next((str(doc[key]) for key in ("unique_id", "id", "ID") if doc.get(key) not in (None, "")), doc_id)
    return Logged(
        line=number,
        doc_id=doc_id,
        problem_id=identity,
        question=question or prompt,
        gold=str(target),
        prompt=prompt,
        responses=responses,
        correct=_scores(record, len(responses)),
        extracted=_padded(record.get("extracted_answers"), len(responses)),
        model=record.get("model") if isinstance(record.get("model"), str) else None,
        choices=tuple(str(c) for c in doc.get("choices") or () if isinstance(doc.get("choices"), list)),
        kwargs=kwargs_of(record),
    )


def _parse_qwen_math(record: dict[str, Any], number: int) -> Logged | str:
    responses = _texts(record["code"])
    if not responses:
        return "code holds no text"
    scores = record.get("score")
    correct = (
        tuple(bool(s) if isinstance(s, bool | int | float) else None for s in scores)
        if isinstance(scores, list)
        else ()
    )
    identity = str(record.get("unique_id") or record.get("idx", number - 1))
    question = _first_text(record, "question", "problem")
    return Logged(
        line=number,
        doc_id=str(record.get("idx", number - 1)),
        problem_id=identity,
        question=question,
        gold=str(record.get("answer", record.get("gt"))),
        prompt=_first_text(record, "query") or question,
        responses=responses,
        correct=(correct + (None,) * len(responses))[: len(responses)],
        extracted=_padded(record.get("pred"), len(responses)),
    )


def _texts(value: Any) -> tuple[str, ...]:
    """All strings of a possibly nested list, in order; empty when anything else stands in it."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        return ()
    found: list[str] = []
    for item in value:
        inner = _texts(item)
        if not inner:
            return ()
        found += inner
    return tuple(found)


def _prompt(record: dict[str, Any]) -> str:
    """The prompt: arguments are {gen_args_0: {arg_0: ...}} in s1's time, [[prompt, kwargs]] before."""
    arguments: Any = record.get("arguments")
    while isinstance(arguments, dict | list) and arguments:
        keyed = arguments if isinstance(arguments, dict) else dict(enumerate(arguments))
        arguments = next((keyed[key] for key in ("gen_args_0", "arg_0", 0) if key in keyed), None)
    return arguments if isinstance(arguments, str) else ""


def _scores(record: dict[str, Any], num: int) -> tuple[bool | None, ...]:
    """The log's own 0/1 scores: one a response where it has them, else the sample's for its first response."""
    each = record.get("exact_matches")
    if isinstance(each, list) and len(each) == num:
        return tuple(None if s is None else bool(s) for s in each)
    names = ["exact_match", *(n for n in record.get("metrics") or () if isinstance(n, str)), "acc"]
    one = next((record[n] for n in names if isinstance(record.get(n), bool | int | float)), None)
    return (None if one is None else bool(one), *(None,) * (num - 1))


def _padded(values: Any, num: int) -> tuple[str | None, ...]:
    texts = [None if v is None else str(v) for v in values] if isinstance(values, list) else []
    return tuple((texts + [None] * num)[:num])


def _first_text(record: dict[str, Any], *names: str) -> str:
    return next((record[name] for name in names if isinstance(record.get(name), str)), "")


def task_of(path: Path) -> str:
    """The task a file's name tells (lm-eval writes samples_{task}_{date}.jsonl), else the name without its ending."""
    name = path.name
    known = next((task for task in TASK_NAMES if task in name), None)
    if known:
        return known
    match = re.match(r"samples_(.+?)_\d{4}-\d\d-\d\dT", name)
    return match.group(1) if match else path.stem.removeprefix("samples_")


def kwargs_of(record: dict[str, Any]) -> dict[str, Any]:
    """The generation kwargs of a line, {} where it has none."""
    found = record.get("arguments")
    first = found.get("gen_args_0") if isinstance(found, dict) else None
    kwargs = first.get("arg_1") if isinstance(first, dict) else None
    return kwargs if isinstance(kwargs, dict) else {}


def model_of(path: Path, samples: Sequence[Logged]) -> str | None:
    """The model of a log: as its rows say, else as the results JSON beside it says, else None."""
    named = next((sample.model for sample in samples if sample.model), None)
    if named:
        return named
    for config in _results_beside(path):
        found = re.search(r"pretrained=([^,]+)", str((config.get("config") or {}).get("model_args", "")))
        if found or config.get("model_name"):
            return found.group(1) if found else str(config["model_name"])
    return None


def tokenizer_of(path: Path) -> str | None:
    """The tokenizer that the results JSON beside a log names in its model_args, if any."""
    for config in _results_beside(path):
        found = re.search(r"\btokenizer=([^,]+)", str((config.get("config") or {}).get("model_args", "")))
        if found:
            return found.group(1)
    return None


def _results_beside(path: Path) -> Iterator[dict[str, Any]]:
    """The results JSON files of the same run: lm-eval's results_{date}.json, or one with the log's own beginning."""
    for results in sorted(path.parent.glob("*results*.json")):
        shared = re.split(r"_?results", results.name)[0]
        if shared and not path.name.startswith(shared):
            continue
        try:
            config = json.loads(results.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(config, dict) and isinstance(config.get("config", {}), dict | None):
            yield config
