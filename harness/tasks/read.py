"""What a user typed as a task, read: a built-in one, a file, a hub data set, a description, a function, lm-eval's own.

    math500                         built in; with --data-dir from its file there
    quiz.jsonl                      a file or folder of any kind that pools are read from
    hub:ORG/NAME[/CONFIG][@REVISION][:SPLIT]
    lm-eval:NAME, lm-eval:FILE.yaml lm-eval's prompt and gold, our grading
    quiz.yaml                       a description (`harness.tasks.own`), or lm-eval's
    quiz.py, quiz.py:FUNCTION       a function that returns rows

A bare name that is no built-in task is looked for as tasks/NAME.yaml and tasks/NAME.py in the working folder, then
among lm-eval's tasks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.config import TaskReading
from harness.data.reading import kind_of_file, stem
from harness.errors import UserError, near
from harness.records import Problem
from harness.tasks import own
from harness.tasks.catalogue import TASKS, Task
from harness.tasks.lm_eval_names import file_of, lm_eval_names
from harness.tasks.problems import problems_of
from harness.tasks.rows import Rows, read_file, read_hub, read_local

HUB = re.compile(r"hub:(?P<name>[\w.-]+/[\w.-]+)(?:/(?P<subset>[^@:]+))?(?:@(?P<revision>[^:]+))?(?::(?P<split>.+))?")
LM_EVAL = "lm-eval:"
DESCRIPTIONS = (".yaml", ".yml")
PLAIN = TaskReading()


@dataclass(frozen=True)
class Read:
    """A task as it was read. `source`: where its problems came from; `identity`: what of that its runs are known by."""

    name: str
    problems: list[Problem]
    source: Mapping[str, Any] = field(default_factory=dict)
    identity: Mapping[str, Any] | None = None


def load(
    spec: str,
    data_dir: Path | None = None,
    seed: int = 0,
    max_problems: int | None = None,
    reading: TaskReading = PLAIN,
) -> list[Problem]:
    """The problems of a task; see `read`."""
    return read(spec, data_dir, seed, max_problems, reading).problems


def read(
    spec: str,
    data_dir: Path | None = None,
    seed: int = 0,
    max_problems: int | None = None,
    reading: TaskReading = PLAIN,
) -> Read:
    """The problems of a task, in the release's order, and where they came from.

    Args:
        spec: A task, as this module's docstring lists them.
        data_dir: A folder that holds the built-in tasks' files, itself or in a subfolder tasks/; None reads the Hugging
            Face hub. Files are looked for there, too.
        seed: Order of the options that are shuffled, and the draw of generated problems.
        max_problems: Only the first so many; generated tasks make this many (60 if None).
        reading: What the user says of the rows of tasks from outside.

    Raises:
        UserError: There is no such task, or a row of it is none; the line names the file and the row.
    """
    name = name_of(spec)
    if task := TASKS.get(spec):
        found = _built_in(task, data_dir, seed, max_problems)
    elif spec.startswith("hub:"):
        parts = _hub_parts(spec)
        rows = read_hub(parts["name"], parts["subset"], parts["split"], parts["revision"])
        found = _of_rows(name, rows, reading, seed)
    elif spec.startswith(LM_EVAL) or _is_lm_evals(spec, data_dir):
        found = _of_lm_eval(spec.removeprefix(LM_EVAL), name, reading, seed, max_problems)
    else:
        path, function = _path_of(spec, data_dir)
        if path.suffix == ".py":
            found = _of_rows(name, own.rows_of_function(path, function), reading, seed)
        elif path.suffix in DESCRIPTIONS:
            found = _described(path, reading, seed, max_problems)
        else:
            found = _of_rows(name, read_file(path), reading, seed)
    problems = found.problems if max_problems is None else found.problems[:max_problems]
    return Read(found.name, problems, found.source, found.identity)


def read_all(
    specs: Iterable[str],
    data_dir: Path | None = None,
    seed: int = 0,
    max_problems: int | None = None,
    reading: TaskReading = PLAIN,
) -> dict[str, Read]:
    """Several tasks by their names. Raises `UserError` where two have one name."""
    found: dict[str, Read] = {}
    for spec in specs:
        one = read(spec, data_dir, seed, max_problems, reading)
        if one.name in found:
            raise UserError(
                f"two tasks are called '{one.name}', the second is {spec}; rename its file, or give it a name in a "
                "description (docs/tasks.md)"
            )
        found[one.name] = one
    return found


def check(specs: Iterable[str], data_dir: Path | None = None, reading: TaskReading = PLAIN) -> None:
    """Read the tasks from outside that are files here, so that a bad row is told before any work.

    Raises:
        UserError: As `read`, and for an unknown task.
    """
    local = [spec for spec in names(specs, data_dir) if spec not in TASKS and not spec.startswith(("hub:", LM_EVAL))]
    read_all(local, data_dir, reading=reading)


def names(spec: str | Iterable[str], data_dir: Path | None = None) -> tuple[str, ...]:
    """Tasks from a comma-separated string or a sequence, each known, or there as a file; files by their whole paths.

    Raises:
        UserError: for an unknown one, naming the near match.
    """
    given = [part.strip() for part in spec.split(",")] if isinstance(spec, str) else list(spec)
    return tuple(_checked(name, data_dir) for name in given if name)


def _checked(spec: str, data_dir: Path | None) -> str:
    if spec in TASKS:
        return spec
    if spec.startswith(LM_EVAL):
        which = spec.removeprefix(LM_EVAL)
        if not which.endswith(DESCRIPTIONS):
            file_of(which)
        return spec
    if spec.startswith("hub:"):
        _hub_parts(spec)
        return spec
    if _is_lm_evals(spec, data_dir):
        return LM_EVAL + spec
    path, function = _path_of(spec, data_dir)
    return f"{path.resolve()}:{function}" if function else str(path.resolve())


def name_of(spec: str) -> str:
    """What rows, tables and files call a task: the last part of where it comes from."""
    if spec in TASKS:
        return spec
    if spec.startswith("hub:"):
        parts = _hub_parts(spec)
        name = "_".join(filter(None, (parts["name"].rpartition("/")[2], parts["subset"])))
    else:
        file, _, function = _function_of(spec.removeprefix(LM_EVAL))
        path = Path(file)
        name = function or (path.stem if path.suffix in (".py", *DESCRIPTIONS) else stem(path))
        if path.suffix in DESCRIPTIONS and path.is_file():
            name = own.name_of(path) or name
    return re.sub(r"[^\w.+-]+", "_", name).strip("._") or "task"


def _function_of(spec: str) -> tuple[str, str, str]:
    """`file.py:function` in its parts; any other spec whole."""
    return spec.partition(":") if ".py:" in spec else (spec, "", "")


def _hub_parts(spec: str) -> dict[str, Any]:
    found = HUB.fullmatch(spec)
    if found is None:
        raise UserError(f"task {spec}: write hub:ORG/NAME, with /CONFIG, @REVISION or :SPLIT behind it if needed")
    return found.groupdict()


def _path_of(spec: str, data_dir: Path | None) -> tuple[Path, str]:
    """The file or folder of a task, and the function that is named in it. Raises `UserError`."""
    if place := _place_of(spec, data_dir):
        return place, _function_of(spec)[2]
    if not _may_be_name(spec):
        raise UserError(f"task {spec}: no such file; give a path, a name of `harness tasks`, or hub:ORG/NAME")
    theirs = lm_eval_names()
    if spec in theirs.groups:
        file_of(spec)
    match = near(spec, (*TASKS, *theirs.tasks, *theirs.groups))
    hint = "known: " + ", ".join(sorted(TASKS))
    if match:
        hint = f"did you mean '{match if match in TASKS else LM_EVAL + match}'?"
    raise UserError(f"unknown task '{spec}'; {hint} (others: FILE.jsonl, hub:ORG/NAME, lm-eval:NAME)")


def _place_of(spec: str, data_dir: Path | None) -> Path | None:
    """Where a task's file or folder is; None where there is none."""
    file, _, _ = _function_of(spec)
    given = Path(file)
    places = [given, *([data_dir / given, data_dir / "tasks" / given] if data_dir else [])]
    if not given.suffix and given.name == file:
        places += [Path("tasks") / f"{file}{ending}" for ending in (*DESCRIPTIONS, ".py")]
    return next((place for place in places if place.is_file() or (place.is_dir() and "/" in spec)), None)


def _may_be_name(spec: str) -> bool:
    given = Path(_function_of(spec)[0])
    return given.suffix not in (".py", *DESCRIPTIONS) and kind_of_file(given) is None and given.name == str(given)


def _is_lm_evals(spec: str, data_dir: Path | None) -> bool:
    """A bare name that is neither a file here nor one of the built-in tasks, but one of lm-eval's."""
    return _may_be_name(spec) and _place_of(spec, data_dir) is None and spec in lm_eval_names().tasks


def _built_in(task: Task, data_dir: Path | None, seed: int, max_problems: int | None) -> Read:
    if not task.hub:
        from harness.quickstart.problems import task_problems

        return Read(task.name, task_problems(task.name, seed, 60 if max_problems is None else max_problems))
    if data_dir:
        rows = read_local(task, data_dir)
    else:
        advice = f", or give --data-dir a folder with {task.file}"
        rows = read_hub(task.hub, task.subset, task.split, None, advice)
    problems = problems_of(task.name, rows.rows, task.reading, seed, task.context, task.metadata)
    return Read(task.name, problems, rows.source, rows.identity)


def _of_rows(name: str, rows: Rows, reading: TaskReading, seed: int) -> Read:
    return Read(name, problems_of(name, rows.rows, reading, seed), rows.source, rows.identity)


def _of_lm_eval(which: str, name: str, reading: TaskReading, seed: int, max_problems: int | None) -> Read:
    from harness.tasks.from_lm_eval import rows_of

    if reading.template:
        raise UserError(f"task {LM_EVAL}{which} has its own prompt; leave --template out, or give its data set by hub:")
    rows, columns = rows_of(which, max_problems)
    told = TaskReading(columns=tuple((columns | dict(reading.columns)).items()), kind=reading.kind)
    return _of_rows(name, rows, told, seed)


def _described(path: Path, reading: TaskReading, seed: int, max_problems: int | None) -> Read:
    """A task that a YAML file describes: ours, or one of lm-eval's."""
    description = own.described(path)
    name = name_of(str(path))
    if description is None:
        return _of_lm_eval(str(path), name, reading, seed, max_problems)
    found = read(description.source, path.parent, seed, None, description.reading(reading))
    problems = [Problem(**(vars(one) | {"task": name})) for one in found.problems]
    return Read(name, problems, {"description": path.name, **found.source}, found.identity)
