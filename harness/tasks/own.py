r"""Tasks of the user's own: a YAML file that describes where rows are and how they are read, or a Python function.

# tasks/quiz.yaml
source: quiz.jsonl                    # beside this file, or hub:ORG/NAME, or quiz.py:function
name: quiz                            # the file's name if left out
kind: choice
map: {question: q, gold: key}
template: "{{question}}\n\n{{choices}}"
shuffle: true
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import yaml_file
from harness.checked import from_plain
from harness.config import TaskReading
from harness.digests import file_digest
from harness.errors import UserError, unknown
from harness.tasks.rows import Row, Rows
from harness.user_code import functions_of, loaded, running
from harness.yaml_file import YamlFile

KEYS = ("source", "name", "kind", "map", "template", "shuffle")
READING = {"kind": "kind", "template": "template", "shuffle": "shuffle", "map": "columns"}  # fields of TaskReading
OF_LM_EVAL = ("doc_to_text", "output_type", "dataset_path", "custom_dataset", "include")


@dataclass(frozen=True)
class Description:
    """What a YAML file says."""

    source: str
    told: Mapping[str, Any] = field(default_factory=dict)

    def reading(self, given: TaskReading) -> TaskReading:
        """How the rows are read; what the command says goes before the file."""
        mine = from_plain(TaskReading, self.told, "")
        return TaskReading(
            columns=tuple((dict(mine.columns) | dict(given.columns)).items()),
            kind=given.kind or mine.kind,
            template=given.template or mine.template,
            shuffle=given.shuffle or mine.shuffle,
        )


def described(path: Path) -> Description | None:
    """The description in a YAML file; None for one of lm-eval's.

    Raises:
        UserError: It is no YAML, or says something that no task has.
    """
    file = _file(path)
    found = file.values
    if any(key in found for key in OF_LM_EVAL):
        return None
    if wrong := next((key for key in file.once().values if key not in KEYS), None):
        raise UserError(f"{file.at(wrong)}: {unknown('key', str(wrong), KEYS)}")
    source = found.get("source")
    if not isinstance(source, str) or not source:
        where = file.at("source") if "source" in found else path
        raise UserError(f"{where}: no source; say where the rows are: a file beside this one, or hub:ORG/NAME")
    told = {field: found[key] for key, field in READING.items() if key in found}
    for key in filter(found.__contains__, READING):  # in this order, so that of two mistakes the same one is told
        from_plain(TaskReading, {READING[key]: found[key]}, f"{file.at(key)}: ")
    return Description(source, told)


def name_of(path: Path) -> str:
    """The name that a YAML file gives its task, ours or lm-eval's; empty where it gives none."""
    found = _file(path).values
    name = found.get("name", found.get("task"))
    return name if isinstance(name, str) else ""


def _file(path: Path) -> YamlFile:
    return yaml_file.read(path, "the description of a task as docs/tasks.md shows one", foreign_tags=True)


def rows_of_function(path: Path, name: str) -> Rows:
    """The rows that a function in a Python file returns, mappings of columns.

    Args:
        path: The file. It is the user's own code, and is run.
        name: The function; empty: the file's name, or the only one it defines.

    Raises:
        UserError: It cannot be loaded, has no such function, or that returns no rows.
    """
    function = _function(path, name)
    where = f"{path}:{function.__name__}"
    returned = running(path, "task", lambda: list(function()))
    rows: list[Row] = []
    for number, one in enumerate(returned, 1):
        if not isinstance(one, Mapping):
            raise UserError(f"{where}, row {number}: a {type(one).__name__}; return mappings of columns")
        rows.append((f"{where}, row {number}", one))
    if not rows:
        raise UserError(f"task {where} returned no rows; return one mapping per problem")
    return Rows(rows, {"file": path.name, "function": function.__name__, "sha256": file_digest(path)})


def _function(path: Path, name: str) -> Callable[[], Iterable[Any]]:
    functions = functions_of(loaded(path, "task"))
    wanted = name or (path.stem if path.stem in functions or len(functions) != 1 else next(iter(functions)))
    if wanted not in functions:
        raise unknown(f"function in {path}", wanted, functions)
    return functions[wanted]
