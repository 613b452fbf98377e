"""Files that are never half there, and JSON lines read with their numbers: one writer, one reader, for every module."""

from __future__ import annotations

import gzip
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to. It takes `path`'s place, synced, when the block ends, and is removed when the
    block fails: a reader sees the old file or the whole new one. The folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text`, in UTF-8."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as JSON."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False))


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Replace `path` by `rows`, one JSON object per line, as they come; returns their number."""
    count = 0
    with replacing(path) as partial, partial.open("wb") as file:
        for row in rows:
            file.write(json_line(row))
            count += 1
    return count


def json_line(row: Mapping[str, Any]) -> bytes:
    """One line, its end included; a row with lone surrogates is written in ASCII escapes."""
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row).encode() + b"\n"


@dataclass(frozen=True)
class Line:
    """One line of a JSON-lines file: its number from 1, and its object, or what is wrong with it."""

    number: int
    value: dict[str, Any]
    error: str = ""


def read_json_lines(path: Path) -> Iterator[Line]:
    """The lines of `path` that are not blank, gzipped or not, with or without a byte order mark. Never raises on what
    a line holds; a file that cannot be opened or unpacked is a `UserError`."""
    try:
        file: IO[bytes]
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:  # type: ignore[assignment]
            for number, raw in enumerate(file, 1):
                if raw.strip():
                    yield _line(number, raw)
    except (OSError, EOFError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def _line(number: int, raw: bytes) -> Line:
    try:
        value = json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        return Line(number, {}, "not UTF-8")
    except json.JSONDecodeError as error:
        return Line(number, {}, f"not JSON at column {error.colno}: cut or broken")
    except RecursionError:
        return Line(number, {}, "nested too deeply")
    if not isinstance(value, dict):
        return Line(number, {}, f"a JSON {type(value).__name__}, not an object")
    return Line(number, value)
