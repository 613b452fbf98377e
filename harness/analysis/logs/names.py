"""What a log's file name and its neighbours tell: the task, the model, and the results file of the same run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.analysis.logs import every_eval_ever, lighteval_logs, lm_eval_logs
from harness.analysis.logs.logged import Log, Logged

TASK_NAMES = (
    "aime24_nofigures",
    "aime24_figures",
    "aime25_nofigures",
    "aime25",
    "aime24",
    "openai_math",
    "math500",
    "gpqa_diamond_openai",
    "gpqa_diamond",
    "gsm8k",
    "minerva_math",
)
ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet", ".eval")
TIMESTAMP = r"\d{4}-\d\d-\d\dT"  # where lm-eval's and lighteval's begin
# What a file is called that holds a part of a run: no part of the task's name, as no task of lm-eval's ends so.
SHARD = re.compile(
    r"[_.-](?:(?:sh(?:ard)?|part|chunk|rank|split)[_-]?(?:\d+|[A-Z])(?:[_-]?of[_-]?\d+)?|\d+[_-]?of[_-]?\d+)$"
)
DATE = re.compile(
    r"_?\d{4}-\d\d-\d\d(?:[T_ -]\d\d[-:_]\d\d[-:_]\d\d(?:[.,]\d+)?(?:[+-]\d\d[-:]?\d\d)?)?|_?20\d{6}[-_T]?\d{4,6}"
)
NO_NAME = re.compile(
    r"(?:output|results?|samples|predictions|generations|responses|eval|test|data)?(?:-rs\d+|_chunk_\d+)*"
)


def task_of(path: Path) -> str:
    """The task a file's name tells.

    lm-eval writes samples_{task}_{timestamp}: everything between is the task's name. In names of other kinds a known
    task is looked for, and what is left of the name without its endings and date is the last resort.
    """
    name = path.name
    if match := re.match(rf"details_(.+)_{TIMESTAMP}", name):
        return lighteval_logs.task_of(match.group(1))
    if match := re.match(rf"samples_(.+)_{TIMESTAMP}", name):
        task = match.group(1)
        whole = SHARD.sub("", task)
        return task if whole == task or task in _tasks_beside(path) else whole
    if behind := _behind_arguments(path):
        return behind
    bare = bare_name(path).removeprefix("samples_")
    told = [task for task in _tasks_beside(path) if bare == task or bare.startswith(f"{task}_")]
    if told and name.startswith("samples_"):
        return max(told, key=len)
    if known := next((task for task in TASK_NAMES if task in name), None):
        return known
    if NO_NAME.fullmatch(bare_name(path)):  # a name that all runs' files have: the folder is the benchmark's
        return path.resolve().parent.name or "unknown"
    return bare or "unknown"


def _tasks_beside(path: Path) -> set[str]:
    """The tasks that lm-eval's results file of the same run names."""
    found = (results.get("configs") for results in _results_beside(path))
    return next((set(configs) for configs in found if isinstance(configs, Mapping)), set())


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
    return DATE.sub("", name.removesuffix("_allresults")).strip("_-")


def shown_name(path: Path) -> str:
    """A file's name for a reader, with its folder where all runs' files have that name (results.json)."""
    return f"{path.parent.name}/{path.name}" if path.parent.name and NO_NAME.fullmatch(bare_name(path)) else path.name


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


def with_results(log: Log) -> None:
    """Add to `log` what the results file beside it tells of the run: settings, the task's configuration, filters."""
    log.kwargs = every_eval_ever.settings_beside(log.path) | dict(log.kwargs)
    results = next(_results_beside(log.path), {})
    config, tasks, name = results.get("config"), results.get("configs"), task_of(log.path)
    told = lm_eval_logs.settings_of(config.get("gen_kwargs")) if isinstance(config, Mapping) else {}
    task = tasks.get(name) if isinstance(tasks, Mapping) else None
    if isinstance(task, Mapping):
        log.task_config = task
        told = lm_eval_logs.settings_of(task.get("generation_kwargs")) | told
    log.kwargs = told | dict(log.kwargs)
    log.samples = lm_eval_logs.with_filter_names(log.samples, lm_eval_logs.filter_names(results, name))


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
