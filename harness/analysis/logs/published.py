"""Read published logs of any known format: which reader a file needs, and what its name and neighbours tell.

A broken, cut or foreign line is never fatal: it is counted, with its number and reason, and skipped. A file of which no
line can be read is refused with what it is.
"""

from __future__ import annotations

import glob
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analysis.logs import every_eval_ever, inspect_logs, lighteval_logs, lm_eval_logs, record_logs
from harness.analysis.logs.logged import Log, Logged
from harness.analysis.logs.text_files import records, start_of
from harness.errors import UserError
from harness.files import SPECIAL, is_special
from harness.questions import question_key

TASK_NAMES = ("aime24_nofigures", "aime24_figures", "aime25_nofigures", "aime25", "aime24", "openai_math", "math500",
              "gpqa_diamond_openai", "gpqa_diamond", "gsm8k", "minerva_math")  # fmt: skip
ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet", ".eval")
KNOWN = ("lm-eval", "inspect_ai", "lighteval", *(one.name for one in record_logs.FORMATS))
DATE = re.compile(
    r"_?\d{4}-\d\d-\d\d(?:[T_ -]\d\d[-:_]\d\d[-:_]\d\d(?:[.,]\d+)?(?:[+-]\d\d[-:]?\d\d)?)?|_?20\d{6}[-_T]?\d{4,6}"
)
NO_NAME = re.compile(
    r"(?:output|results?|samples|predictions|generations|responses|eval|test|data)?(?:-rs\d+|_chunk_\d+)*"
)
SHOWN = 3


def expand(patterns: Sequence[str | Path]) -> list[Path]:
    """Files from names, globs and folders (the samples, details and .eval files in them). UserError for none."""
    found: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        if is_special(path):
            raise UserError(f"{pattern} is {SPECIAL}; write what comes through it into a file, and give that")
        if path.is_dir():
            files = sorted(one for ending in ENDINGS for one in path.rglob(f"*{ending}") if not _is_results(one))
            named = [one for one in files if re.search(r"samples|details", one.name) or one.suffix == ".eval"]
            matches = named or [one for one in files if one.name.endswith((".jsonl", ".jsonl.gz"))] or files
        elif path.is_file():
            matches = [path]
        else:
            matches = sorted(Path(name) for name in glob.glob(str(pattern), recursive=True) if Path(name).is_file())
            matches = [one for one in matches if not _is_results(one)] or matches
        if not matches:
            raise UserError(f"no such file: {pattern}; give samples JSONL files, globs or folders")
        found += matches
    return list(dict.fromkeys(found))


def _is_results(path: Path) -> bool:
    """Whether a file is lm-eval's or lighteval's summary, which lies beside the samples."""
    return path.suffix == ".json" and re.search(r"(^|_)results(_|\.)", path.name) is not None


def read_log(path: Path, fields: Mapping[str, str] | None = None) -> Log:
    """All problems of one file; never raises on a line's content.

    Args:
        path: The file.
        fields: `--map`: the names of the fields of plain rows.

    Raises:
        UserError: the file cannot be opened, is of no known format, or holds log-likelihoods.
    """
    log = Log(path)
    start = start_of(path)
    if start.startswith(b"PK\x03\x04") and path.suffix == ".eval":
        inspect_logs.read(path, log)
    elif start.startswith(b"PAR1"):
        _read_parquet(path, log, fields)
    else:
        _read_text(path, log, fields)
    log.samples, log.num_split = told_apart(log.samples)
    log.skipped.sort()
    return log


def _read_parquet(path: Path, log: Log, fields: Mapping[str, str] | None) -> None:
    names = lighteval_logs.columns(path)
    if fields is None and lighteval_logs.is_lighteval(names):
        lighteval_logs.read(path, log)
        return
    if {"run_id", "sample_key"} <= set(names):
        raise UserError(f"{path} is a results file of this program already: give its folder to leaderboard or compare")
    _read_records([(number, row) for number, row in enumerate(lighteval_logs.rows(path), 1)], log, fields)


def _read_text(path: Path, log: Log, fields: Mapping[str, str] | None) -> None:
    found = records(path, log)
    if fields is None and len(found) == 1 and inspect_logs.is_inspect(found[0][1]):
        inspect_logs.read(path, log)
        return
    if not found and not log.skipped:
        return
    _read_records(found, log, fields)


def _read_records(found: list[tuple[int, dict[str, Any]]], log: Log, fields: Mapping[str, str] | None) -> None:
    if fields is None and sum(lm_eval_logs.is_lm_eval(record) for _, record in found) * 2 >= max(len(found), 1):
        lm_eval_logs.read(found, log)
        return
    if fields is None:
        found = record_logs.opened(found, log)
        if found and all(lm_eval_logs.is_lm_eval(record) for _, record in found):
            lm_eval_logs.read(found, log)
            return
    chosen = record_logs.mapped_format(fields) if fields else record_logs.format_of(found)
    if chosen is not None:
        record_logs.read(found, log, chosen)
        return
    log.skipped += [(number, "of no known format") for number, _ in found]
    keys = Counter(key for _, record in found for key in record)
    if keys:
        log.name = f"unknown: rows with the fields {', '.join(name for name, _ in keys.most_common(8))}"


def unreadable(log: Log) -> str:
    """Why a file without any sample is refused, in one line."""
    reason = skipped_lines(log) or "the file is empty"
    what = f"its format is not known ({log.name.removeprefix('unknown: ')})" if log.name.startswith("unknown") else ""
    advice = f"known are {', '.join(KNOWN)}; for other rows give --map response=FIELD --map gold=FIELD"
    return f"{log.path}: no sample could be read ({reason})" + (f": {what}; {advice}" if what else "")


def skipped_lines(log: Log) -> str:
    """The lines that were left out, with the first reasons; "" for none."""
    lines = ", ".join(f"{number} ({reason})" for number, reason in log.skipped[:SHOWN])
    return f"{len(log.skipped)} line(s) skipped: {lines}" if log.skipped else ""


def told_apart(samples: Sequence[Logged]) -> tuple[list[Logged], int]:
    """The samples, with a problem id of its own for each question: a log whose ids restart names two problems alike.

    Also the number of ids that stood for several.
    """
    questions: dict[str, list[str]] = {}
    keys = [question_key(one.question, one.options) or f"={one.gold}" for one in samples]
    for sample, key in zip(samples, keys, strict=True):
        known = questions.setdefault(sample.problem_id, [])
        if key not in known:
            known.append(key)
    num_split = sum(len(known) > 1 for known in questions.values())
    if not num_split:
        return list(samples), 0
    taken = set(questions)
    names: dict[tuple[str, str], str] = {}
    for identity, known in questions.items():
        for nth, key in enumerate(known):
            name, number = identity, nth
            while nth and name in taken:
                number += 1
                name = f"{identity}.{number}"
            taken.add(name)
            names[identity, key] = name
    renamed = [replace(one, problem_id=names[one.problem_id, key]) for one, key in zip(samples, keys, strict=True)]
    return renamed, num_split


def task_of(path: Path) -> str:
    """The task a file's name tells (lm-eval writes samples_{task}_{date}.jsonl), else the name without its ending."""
    name = path.name
    if match := re.match(r"details_(.+?)_\d{4}-\d\d-\d\dT", name):
        return lighteval_logs.task_of(match.group(1))
    if behind := _behind_arguments(path):
        return behind
    if known := next((task for task in TASK_NAMES if task in name), None):
        return known
    if match := re.match(r"samples_(.+?)_\d{4}-\d\d-\d\dT", name):
        return match.group(1)
    name = bare_name(path)
    if NO_NAME.fullmatch(name):  # a name that all runs' files have: the folder is the benchmark's
        return path.resolve().parent.name or "unknown"
    return name.removeprefix("samples_") or "unknown"


def _behind_arguments(path: Path) -> str | None:
    """The task in lm-eval 0.4.0's file names, {model_args}_{task}, by the results file beside it; None for others."""
    if "__" not in path.name or path.name.startswith("samples_"):
        return None
    for results in _results_beside(path):
        config = results.get("config")
        arguments = config.get("model_args") if isinstance(config, Mapping) else None
        if isinstance(arguments, str):
            before = re.sub(r"[/=]", "__", arguments) + "_"
            name = path.name.removesuffix(".jsonl")
            if arguments and name.startswith(before) and name.removeprefix(before) in (results.get("configs") or ()):
                return name.removeprefix(before)
    return None


def bare_name(path: Path) -> str:
    """A file's name without its endings and without a date."""
    name = path.name
    for ending in (".gz", *ENDINGS):
        name = name.removesuffix(ending)
    return DATE.sub("", name).strip("_-")


def name_from(path: Path) -> str | None:
    """A model's name from where its log lies: lm-eval's folder org__name, else the file's name without the task.

    None where that leaves nothing: a date is no model's name.
    """
    if "__" in path.parent.name.strip("_"):
        organisation, _, model = path.parent.name.partition("__")
        return f"{organisation}/{model}" if organisation else path.parent.name.rpartition("__")[2]
    if path.name.startswith("details_") and path.parent.parent.name:
        folders = [one for one in path.parts[-4:-2] if one not in ("details", "/")]
        return "/".join(folders) or None
    name = bare_name(path)
    if name.startswith("samples_") or NO_NAME.fullmatch(name):
        return None
    name = name.removesuffix("_samples").replace(task_of(path), "").strip("_-")
    return name or None


def kwargs_of(log: Log) -> dict[str, Any]:
    """The generation settings of the whole run: those of the header, and those that all rows share."""
    rows = [dict(sample.kwargs) for sample in log.samples if sample.kwargs]
    shared = (
        {key: value for key, value in rows[0].items() if all(row.get(key) == value for row in rows)} if rows else {}
    )
    return dict(log.kwargs) | shared


def with_results(log: Log) -> None:
    """Add to `log` what the results file beside it tells of the run: settings, and the task's configuration."""
    log.kwargs = every_eval_ever.settings_beside(log.path) | dict(log.kwargs)
    for results in _results_beside(log.path):
        config = results.get("config")
        told = lm_eval_logs.settings_of(config.get("gen_kwargs")) if isinstance(config, Mapping) else {}
        tasks = results.get("configs")
        task = tasks.get(task_of(log.path)) if isinstance(tasks, Mapping) else None
        if isinstance(task, Mapping):
            log.task_config = task
            told = lm_eval_logs.settings_of(task.get("generation_kwargs")) | told
        log.kwargs = told | dict(log.kwargs)
        return


def model_of(path: Path, samples: Sequence[Logged]) -> str | None:
    """The model of a log: as its rows say, else as the results JSON beside it says, else None."""
    named = next((sample.model for sample in samples if sample.model), None)
    if named:
        return named
    for results in _results_beside(path):
        found = _argument(results, "pretrained", "model", "path")
        if found or results.get("model_name"):
            return found or str(results["model_name"])
        general = results.get("config_general")
        if isinstance(general, Mapping) and general.get("model_name"):
            return str(general["model_name"])
    return None


def tokenizer_of(path: Path) -> str | None:
    """The tokenizer that the results JSON beside a log names in its model_args, if any."""
    return next((found for results in _results_beside(path) if (found := _argument(results, "tokenizer"))), None)


def _argument(results: Mapping[str, Any], *names: str) -> str | None:
    """One of lm-eval's model_args, which are an object or text."""
    config = results.get("config")
    arguments = config.get("model_args") if isinstance(config, Mapping) else None
    for name in names:
        if isinstance(arguments, Mapping):
            if isinstance(arguments.get(name), str):
                return str(arguments[name])
        elif found := re.search(rf"\b{name}=([^,]+)", str(arguments or "")):
            return found.group(1)
    return None


def _results_beside(path: Path) -> Iterator[dict[str, Any]]:
    """The results files of the same run: lm-eval's results_{date}.json, or one with the log's own beginning."""
    date = DATE.search(path.name)
    found = sorted(path.parent.glob("*results*.json"))
    same = [one for one in found if date and date.group().strip("_") in one.name]
    yield from _loaded(same or found, path)


def _loaded(files: Iterable[Path], log: Path) -> Iterator[dict[str, Any]]:
    for results in files:
        shared = re.split(r"_?results", results.name)[0]
        if results == log or (shared and not log.name.startswith(shared)):
            continue
        try:
            config = json.loads(results.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(config, dict):
            yield config
