"""Python files of the user's own: studies, selections, tasks. They are code, and are run."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from harness.errors import UserError, one_line

T = TypeVar("T")


def loaded(path: Path, what: str) -> ModuleType:
    """The module in a file, run under a name of its own.

    Args:
        path: the file.
        what: what it holds: "study", "selection", "task".

    Raises:
        UserError: one line, whatever the file raises (`running`).
    """
    spec = importlib.util.spec_from_file_location(f"{what}_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module, loader = importlib.util.module_from_spec(spec), spec.loader
    running(path, what, lambda: loader.exec_module(module))
    return module


def running(path: Path, what: str, code: Callable[[], T]) -> T:
    """What the user's `code` in `path` returns.

    Raises:
        UserError: it fails; with what it is, the file, the line, and what went wrong there.
    """
    try:
        return code()
    except (Exception, SystemExit) as error:  # the user's own code can fail in any way
        raise UserError(f"{what} {path}, line {_line(path, error)}: {_said(error)}") from error


def _line(path: Path, error: BaseException) -> int:
    """The line of `path` that an error came from: of the statement that was being run, or that cannot be read."""
    if isinstance(error, SyntaxError) and error.filename and _same(error.filename, path):
        return error.lineno or 1
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno or 1 for frame in frames if _same(frame.filename, path)]
    return own[-1] if own else 1


def _same(name: str, path: Path) -> bool:
    return Path(name).resolve() == path.resolve()


def _said(error: BaseException) -> str:
    if isinstance(error, UserError):
        return one_line(error)
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}"
    return f"{type(error).__name__}: {one_line(error)}" if str(error).strip() else type(error).__name__


def functions_of(module: ModuleType, *, imported: bool = False) -> dict[str, Callable[..., Any]]:
    """The public functions of a module by name; `imported`: those of other modules, too."""
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value)
        and not name.startswith("_")
        and (imported or getattr(value, "__module__", None) == module.__name__)
    }
