"""Python files of the user's own: studies, selections, tasks. They are code, and are run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.errors import UserError, one_line


def module_of(path: Path, what: str) -> ModuleType:
    """The module in a file, run under a name of its own.

    Args:
        path: the file.
        what: what it holds, as its module's name begins: "ablations", "selection", "task".

    Raises:
        Exception: whatever the file raises.
    """
    spec = importlib.util.spec_from_file_location(f"{what}_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def loaded(path: Path, what: str) -> ModuleType:
    """`module_of`. Raises `UserError`, one line, whatever the file raises."""
    try:
        return module_of(path, what)
    except Exception as error:  # a user's own code: whatever it raises is told in one line
        raise UserError(f"{what} file {path}: {type(error).__name__}: {one_line(error)}") from error


def functions_of(module: ModuleType, *, imported: bool = False) -> dict[str, Callable[..., Any]]:
    """The public functions of a module by name; `imported`: those of other modules, too."""
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value)
        and not name.startswith("_")
        and (imported or getattr(value, "__module__", None) == module.__name__)
    }
