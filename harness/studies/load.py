"""Finding a study, changing a key of it, and shrinking it to this machine."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from harness.checked import from_plain
from harness.config import Study, Training, to_plain
from harness.errors import UserError, unknown
from harness.files import SPECIAL, is_special
from harness.tasks.catalogue import TASKS
from harness.tasks.read import DESCRIPTIONS, LM_EVAL
from harness.user_code import functions_of, loaded, running

PACKAGE = Path(__file__).resolve().parents[1]
# What reading a file that need be no Python at all can end in; a MemoryError: of Python's own parser, for its depth.
UNREADABLE = (SyntaxError, ValueError, OSError, RecursionError, MemoryError)


def bundled(folder: str) -> Path:
    """tasks/, ablations/ or results/paper of the checkout, or the copy inside the installed wheel."""
    checkout = PACKAGE.parent / folder
    return checkout if checkout.is_dir() else PACKAGE / "_bundled" / Path(folder).name


def study_files() -> dict[str, Path]:
    """Known study files by name. A file in ./ablations goes before one of the same name in the package."""
    found: dict[str, Path] = {}
    for folder in (bundled("ablations"), Path.cwd() / "ablations"):
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                found[path.stem] = path
    return found


def parsed(path: Path) -> ast.Module:
    """A study file, read and not run. Raises one of `UNREADABLE`."""
    if is_special(path):
        raise OSError(SPECIAL)
    return ast.parse(path.read_text(encoding="utf-8"))


def load(spec: str) -> Study:
    """The study `spec`.

    Args:
        spec: the name of a file in ablations/ or of a function in one, `file:function`, or `path.py:function`
            (function: the file's name).
    """
    file, _, function = spec.partition(":")
    if file.endswith(".py"):
        path = Path(file)
        if not path.is_file():
            raise UserError(f"no study file {path}; give a path.py:function, or a name in ablations/")
    else:
        files = study_files()
        if file not in files and not function:
            file, function = _file_of(file, files), file
        if file not in files:
            raise unknown("study", file, files)
        path = files[file]
    functions = functions_of(loaded(path, "study"))
    wanted = function or path.stem
    if wanted not in functions:
        raise unknown(f"function in {path}", wanted, functions)
    study = running(path, "study", functions[wanted])
    if not isinstance(study, Study):
        raise UserError(f"{path}:{wanted} returned {type(study).__name__}, not a harness.config.Study")
    return replace(study, tasks=tuple(_beside(path.parent, spec) for spec in study.tasks))


def _beside(folder: Path, spec: str) -> str:
    """A task that is a file beside the study, or in a folder tasks/ there, by its whole path; any other as it is."""
    file, _, function = spec.partition(":")
    if spec in TASKS or Path(file).is_file() or spec.startswith(("hub:", LM_EVAL)):
        return spec
    endings = ("",) if Path(file).suffix else (*DESCRIPTIONS, ".py")
    for place in (folder / f"{inner}{file}{ending}" for inner in ("", "tasks/") for ending in endings):
        if place.is_file():
            return f"{place.resolve()}:{function}" if function else str(place.resolve())
    return spec


def _file_of(function: str, files: Mapping[str, Path]) -> str:
    """Which of `files` defines `function`, read without running any of them. Raises `UserError` for none or several."""
    defined: dict[str, list[str]] = {}
    for name, path in files.items():
        try:
            statements = parsed(path).body
        except UNREADABLE:
            continue
        for statement in statements:
            if isinstance(statement, ast.FunctionDef) and not statement.name.startswith("_"):
                defined.setdefault(statement.name, []).append(name)
    found = defined.get(function, [])
    if len(found) > 1:
        raise UserError(f"study '{function}' stands in several files: {', '.join(found)}; write FILE:{function}")
    if not found:
        raise unknown("study", function, {*files, *defined})
    return found[0]


def with_settings(study: Study, settings: Iterable[str]) -> Study:
    """`study` with each `key=value` applied; keys may be dotted (`training.num_epochs=3`)."""
    plain = to_plain(study)
    given = list(settings)
    refuse_twice(given)
    for setting in given:
        key, separator, text = setting.partition("=")
        if not separator:
            raise UserError(f"--set {setting}: write key=value, for example --set training.num_epochs=3")
        _set(plain, study, key.split("."), text, key)
    return from_plain(Study, plain, "--set ") if given else study


def refuse_twice(settings: Sequence[str]) -> None:
    """Raise `UserError` for a key that is set twice: only the last would count."""
    keys = [setting.partition("=")[0] for setting in settings]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise UserError(f"--set {twice} is given {keys.count(twice)} times; give it once")


def with_training(training: Training, settings: Iterable[str]) -> Training:
    """`training` with each `key=value` applied. Raises `UserError` for an unknown key or a wrong value."""
    plain, settings = to_plain(training), list(settings)
    refuse_twice(settings)
    for setting in settings:
        key, separator, text = setting.partition("=")
        key = key.removeprefix("training.")
        if not separator:
            raise UserError(f"--set {setting}: write key=value, for example --set num_epochs=3")
        if key not in plain:
            raise unknown("training setting", key, plain)
        plain[key] = parse(text)
    return from_plain(Training, plain, "--set ")


def parse(text: str) -> Any:
    """A `--set` value: a Python literal, true/false/none in any case, or else the text itself."""
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text
    return tuple(value) if isinstance(value, list) else value


def _set(plain: dict[str, Any], config: Any, path: list[str], text: str, key: str) -> None:
    """Put `text`, parsed, at `path` of `plain`, which is `config` as JSON. Raises `UserError` for an unknown key."""
    names = {field.name for field in fields(config)}
    if path[0] not in names:
        raise unknown(f"key in --set {key}:", path[0], names)
    current = getattr(config, path[0])
    if len(path) > 1:
        if not is_dataclass(current):
            raise UserError(f"--set {key}: {path[0]} has no keys of its own")
        return _set(plain[path[0]], current, path[1:], text, key)
    if is_dataclass(current):
        inner = ", ".join(f"{path[0]}.{field.name}" for field in fields(current))
        raise UserError(f"--set {key}: {path[0]} is a group; set one of {inner}")
    if isinstance(current, tuple) and current and is_dataclass(current[0]):
        raise UserError(f"--set {key}: {path[0]} is a list of settings; write a study function for it (ablations/)")
    value = parse(text)
    if isinstance(current, tuple) and isinstance(value, str):
        value = tuple(part for part in value.split(",") if part)
    if isinstance(current, str) and isinstance(value, tuple):
        value = text  # a thinking format's strings: a list, written as text
    plain[path[0]] = value
