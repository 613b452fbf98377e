"""A task of lm-eval's as rows: its own prompt for each problem, its gold and its options; generation and grading ours.

The prompt is the text of the request that lm-eval itself builds, few-shot examples included. What its task says on
decoding (stop strings, lengths) and scoring (filters, metrics) is not taken over: a thought has to be read first.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.analysis.logs.golds import options_of
from harness.digests import file_digest
from harness.errors import UserError, one_line
from harness.questions import LETTERS
from harness.tasks.lm_eval_names import file_of
from harness.tasks.rows import Row, Rows, content_digest

FEW_SHOT_SEED = 1234  # lm-eval's own default
PROMPT, TARGET, CHOICES = "lm_eval_prompt", "lm_eval_target", "lm_eval_choices"
READ = ("generate_until", "multiple_choice")


def rows_of(which: str, max_problems: int | None = None) -> tuple[Rows, dict[str, str]]:
    """The rows of a task, and the columns in them that hold the prompt, the gold and the options.

    Args:
        which: A task's name, or the path of its YAML file.
        max_problems: Only the first so many.

    Raises:
        UserError: lm-eval is not installed, knows no such task, cannot load its data, or scores it by likelihoods only.
    """
    task = _task(which)
    config = task.config
    if config.output_type not in READ:
        raise UserError(f"task lm-eval:{which} is {config.output_type}, which asks for no answer; give another task")
    try:
        task.set_fewshot_seed(seed=FEW_SHOT_SEED)
        task.build_all_requests(limit=max_problems, rank=0, world_size=1)
        requests = {one.doc_id: one for one in reversed(task.instances)}
        rows = [_row(task, requests[number]) for number in sorted(requests)]
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"task lm-eval:{which}: {type(error).__name__}: {one_line(error)}") from error
    columns = {"question": PROMPT, "gold": TARGET}
    if all(CHOICES in row for row in rows):
        columns["choices"] = CHOICES
    places: list[Row] = [(f"lm-eval:{which} problem {number}", row) for number, row in enumerate(rows)]
    return Rows(places, _source(which, config, rows)), columns


def _row(task: Any, request: Any) -> dict[str, Any]:
    doc, prompt = request.doc, request.args[0]
    if not isinstance(prompt, str):
        raise UserError(f"task lm-eval:{task.config.task} has a prompt per option; give a task with one prompt")
    small = {key: value for key, value in dict(doc).items() if isinstance(value, str | int | float | bool)}
    row = {**small, PROMPT: prompt, TARGET: task.doc_to_target(doc)}
    options = _options(task, doc)
    return row | ({CHOICES: options} if len(options) > 1 else {})


def _options(task: Any, doc: Any) -> list[str]:
    """The options' texts: the task's own, or the problem's where the task names bare letters."""
    own = options_of(doc)[0]
    if task.config.doc_to_choice is None:
        return list(own)
    named = [str(one).strip() for one in task.doc_to_choice(doc)]
    bare = all(one.strip("().") == letter for one, letter in zip(named, LETTERS, strict=False))
    return list(own) if bare and len(own) == len(named) else named


def _source(which: str, config: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    from importlib.metadata import version

    facts: dict[str, Any] = {"lm_eval": config.task, "lm_eval_version": version("lm_eval")}
    if Path(which).is_file():
        facts |= {"file": Path(which).name, "file_sha256": file_digest(Path(which))}
    metadata = config.metadata if isinstance(config.metadata, Mapping) else {}
    told = {"hub": config.dataset_path, "config": config.dataset_name, "task_version": metadata.get("version")}
    return facts | {key: value for key, value in told.items() if value is not None} | {"sha256": content_digest(rows)}


def _task(which: str) -> Any:
    path = Path(which) if which.endswith((".yaml", ".yml")) else file_of(which)
    if not path.is_file():
        raise UserError(f"task lm-eval:{which}: no such file; give lm-eval's name of a task, or the path of its YAML")
    try:
        from lm_eval.tasks import TaskManager
    except ImportError:
        raise UserError(f"task lm-eval:{which} needs lm-eval; pip install 'lm-eval>=0.4.13'") from None
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    try:
        tasks = TaskManager(include_defaults=False).load([str(path.resolve())])["tasks"]
    except Exception as error:
        raise UserError(f"task lm-eval:{which} cannot be loaded: {type(error).__name__}: {one_line(error)}") from error
    if len(tasks) != 1:
        raise UserError(f"lm-eval:{which} is a group of tasks; give one or more of them, by their names or files")
    return next(iter(tasks.values()))
