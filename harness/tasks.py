"""The evaluation tasks: what they are called, where their problems come from, how an answer is compared.

One place for these facts. The lm-eval task files in tasks/ are thin: they name a task here and call the functions
below, so that `harness evaluate` and `lm_eval` pose the same problems and grade them the same way.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError, one_line, unknown
from harness.files import read_json_lines
from harness.grading.verdict import Kind
from harness.records import Problem

# The password is published by GPQA's authors so that scrapers do not read the questions; it is no secret.
GPQA_PASSWORD = b"deserted-untie-orchid"
GPQA_MEMBER = "dataset/gpqa_diamond.csv"


@dataclass(frozen=True)
class Task:
    """A benchmark. `local` is its file name under `--data-dir` (or its tasks/ folder); without one, `hub` is read."""

    name: str
    kind: Kind
    hub: str = ""  # a Hugging Face dataset
    subset: str | None = None
    split: str = "test"
    local: str = ""
    question: str = "problem"  # column names
    gold: str = "answer"
    num_problems: int = 0  # in the published release; 0 where we generate them


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            "aime24_nofigures",
            "integer",
            "simplescaling/aime24_nofigures",
            split="train",
            local="aime24_nofigures.jsonl",
            num_problems=30,
        ),
        Task(
            "aime24_figures",
            "integer",
            "simplescaling/aime24_figures",
            split="train",
            local="aime24_figures.jsonl",
            num_problems=30,
        ),
        Task(
            "aime25", "integer", "simplescaling/aime25_nofigures", split="train", local="aime25.jsonl", num_problems=30
        ),
        Task("math500", "math", "HuggingFaceH4/MATH-500", local="math500.jsonl", num_problems=500),
        Task(
            "gpqa_diamond",
            "choice",
            "Idavidrein/gpqa",
            subset="gpqa_diamond",
            split="train",
            local="gpqa_diamond.zip",
            question="Question",
            gold="Correct Answer",
            num_problems=198,
        ),
        Task("quick_aime", "integer"),
        Task("quick_math", "math"),
        Task("quick_gpqa", "choice"),
    )
}


def get(name: str) -> Task:
    """The task called `name`; a `UserError` that names the near match otherwise."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


def load(name: str, data_dir: Path | None = None, seed: int = 0, max_problems: int | None = None) -> list[Problem]:
    """The problems of task `name`, in the release's order.

    Args:
        name: a key of `TASKS`.
        data_dir: a folder that holds the task's file, itself or in a subfolder tasks/; None reads the Hugging Face hub.
        seed: order of the options of multiple choice questions, and the draw of generated problems.
        max_problems: only the first so many; generated tasks make this many (60 if None).
    """
    task = get(name)
    if not task.local:
        from harness.quickstart.problems import task_problems

        return task_problems(name, seed, 60 if max_problems is None else max_problems)
    rows = read_local(task, data_dir) if data_dir else read_hub(task)
    builder: Callable[[Task, Mapping[str, Any], int, int], Problem] = gpqa_problem if task.kind == "choice" else problem
    problems = [builder(task, row, index, seed) for index, row in enumerate(rows)]
    return problems if max_problems is None else problems[:max_problems]


def read_local(task: Task, data_dir: Path) -> list[dict[str, Any]]:
    """The raw rows of `task` from `data_dir`. Raises `UserError` for a missing or broken file."""
    candidates = [data_dir / task.local, data_dir / "tasks" / task.local]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise UserError(
            f"task {task.name}: no {task.local} in {data_dir} or {data_dir / 'tasks'}; put it there, or leave "
            f"--data-dir out to read {task.hub} from the Hugging Face hub"
        )
    if path.suffix == ".zip":
        return read_gpqa_zip(path)
    rows = []
    for line in read_json_lines(path, encodable=True):
        if line.error:  # a benchmark without one of its problems is another benchmark
            raise UserError(f"{path}, line {line.number}: {line.error}; fetch the file again")
        rows.append(line.value)
    return rows


def read_gpqa_zip(path: Path) -> list[dict[str, Any]]:
    """GPQA's rows straight from its password-protected zip; nothing is unpacked to disk."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(GPQA_MEMBER, pwd=GPQA_PASSWORD).decode("utf-8")
    except (zipfile.BadZipFile, KeyError, RuntimeError) as error:
        raise UserError(f"{path}: cannot read {GPQA_MEMBER} ({error}); fetch GPQA's dataset.zip again") from None
    return list(csv.DictReader(io.StringIO(text)))


def read_hub(task: Task) -> list[dict[str, Any]]:
    """The raw rows of `task` from the Hugging Face hub."""
    import datasets

    try:
        dataset = datasets.load_dataset(task.hub, task.subset, split=task.split)
    except (OSError, ValueError, RuntimeError) as error:
        reason = one_line(error)
        raise UserError(
            f"task {task.name}: cannot load {task.hub} from the Hugging Face hub ({reason}); check the network and, "
            f"for gated data, HF_TOKEN, or give --data-dir a folder with {task.local}"
        ) from None
    return [dict(row) for row in dataset]


def clean(text: str) -> str:
    r"""A question as the model should see it.

    AIME24's figures release holds a backspace (0x08) where \b was meant, and several releases use U+00A0 or U+3000 as
    spaces.
    """
    return text.replace("\x08", "\\b").replace("\u00a0", " ").replace("\u3000", " ").strip()


def problem(task: Task, row: Mapping[str, Any], index: int, seed: int) -> Problem:
    """A problem with an open answer. `seed` is not used: there is nothing to order."""
    for column in (task.question, task.gold):
        if row.get(column) in (None, ""):
            raise UserError(f"task {task.name}, row {index}: no '{column}'; it has {sorted(row)}")
    identity = str(row.get("unique_id") or row.get("id") or index)
    metadata = {key: row[key] for key in ("subject", "level", "year") if key in row}
    return Problem(identity, task.name, clean(str(row[task.question])), str(row[task.gold]), task.kind, (), metadata)


def gpqa_problem(task: Task, row: Mapping[str, Any], index: int, seed: int) -> Problem:
    """A GPQA question with its options in an order that depends on its id and `seed` alone (grading.choices)."""
    from harness.grading.choices import format_choices, shuffled_choices

    identity = str(row.get("Record ID") or index)
    incorrect = [clean(row[f"Incorrect Answer {number}"]) for number in (1, 2, 3)]
    options, gold = shuffled_choices(identity, clean(row[task.gold]), incorrect, seed)
    question = format_choices(clean(row[task.question]), options)
    metadata = {"domain": row.get("High-level domain", ""), "subdomain": row.get("Subdomain", "")}
    return Problem(identity, task.name, question, gold, "choice", tuple(options), metadata)


def names(spec: str | Iterable[str]) -> tuple[str, ...]:
    """Task names from a comma-separated string or a sequence, each checked."""
    given = [part.strip() for part in spec.split(",")] if isinstance(spec, str) else list(spec)
    return tuple(get(name).name for name in given if name)
