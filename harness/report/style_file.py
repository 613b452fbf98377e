"""A matplotlib style file, looked through before it is used: matplotlib only warns of much, and names no line."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import UserError, one_line
from harness.files import write_text


def check(path: Path) -> None:
    """Raise `UserError`, with the line, for a style file with a key or value that matplotlib does not take."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--style {path}: not a matplotlib style file ({one_line(error)})") from None
    if not (said := _fault(path)):
        if _read(path)["text.usetex"]:
            raise UserError(f"--style {path}: text.usetex: the texts of figures are no LaTeX; choose a font.family")
        return
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "line.mplstyle"
        for number, line in enumerate(lines, 1):
            write_text(alone, line)
            if fault := _fault(alone):
                raise UserError(f"--style {path}, line {number}: not of a matplotlib style file ({fault})")
    raise UserError(f"--style {path}: not a matplotlib style file ({said})")  # of two lines together: a key twice


def _read(path: Path) -> Mapping[str, Any]:
    import matplotlib

    return matplotlib.rc_params_from_file(path, fail_on_error=True)


def _fault(path: Path) -> str:
    """What matplotlib raises or warns of as it reads a file; empty where all is well."""
    warned: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warned.append(one_line(record.getMessage()))

    log, listener = logging.getLogger("matplotlib"), Listener(logging.WARNING)
    log.addHandler(listener)
    try:
        _read(path)
    except (ValueError, KeyError) as error:
        return one_line(error)
    finally:
        log.removeHandler(listener)
    # "Bad key axes.x in file F, line 1 ('...')": the place is said better by who asks.
    return warned[0].partition(" in file ")[0] if warned else ""
