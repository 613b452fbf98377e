"""The records of a log file, whatever it is packed in: JSON lines, a JSON array or object, gzip, a byte order mark.

NaN and infinities, which Python's own writers put into JSON, are null; a lone surrogate, which neither UTF-8 nor Arrow
can hold, becomes U+FFFD and is counted. A file that is something else is named as what it is.
"""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.analysis.logs.logged import Log
from harness.errors import UserError
from harness.files import (
    ESCAPED_SURROGATE,
    GZIP,
    LONE_SURROGATE,
    UTF8_BOM,
    UTF16_BOMS,
    BrokenJsonError,
    json_value,
)

KINDS_OF_FILE = (
    (b"PAR1", "a Parquet file"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"ARROW1", "an Arrow file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80\x04", "a Python pickle"),
    (b"<!DOCTYPE", "an HTML page"),
    (b"<html", "an HTML page"),
)
ADVICE = "give JSON lines, JSON or Parquet"


def start_of(path: Path) -> bytes:
    """The first bytes of a file. Raises UserError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(32)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def records(path: Path, log: Log) -> list[tuple[int, dict[str, Any]]]:
    """(number from 1, object) of every record of a text file; what cannot be read goes to `log.skipped`.

    Raises:
        UserError: the file cannot be opened, or is no text.
    """
    start = start_of(path)
    name = next((kind for magic, kind in KINDS_OF_FILE if start.startswith(magic)), None)
    if name or start.startswith(UTF16_BOMS):
        raise UserError(f"{path} is {name or 'UTF-16 text'}, and no log format that is known; {ADVICE}")
    try:
        data = path.read_bytes()
        data = _unpacked(data, log) if data.startswith(GZIP) else data
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    data = data.removeprefix(UTF8_BOM)
    if data.lstrip()[:1] == b"[" and (whole := _whole(data, log)) is not None:
        return whole
    found = list(_lines(data, log))
    if b"\x00" in data[:1024] and not found:
        raise UserError(f"{path} is a binary file, and no log format that is known; {ADVICE}")
    if not found and data.lstrip()[:1] == b"{" and (whole := _whole(data, log)) is not None:
        return whole
    return found


def _unpacked(data: bytes, log: Log) -> bytes:
    """The content of a gzip file; of one that is cut, what could be read."""
    try:
        return gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        unpacked = b""
        with contextlib.suppress(zlib.error):
            unpacked = zlib.decompressobj(wbits=31).decompress(data)
        number = unpacked.count(b"\n") + 1
        log.skipped.append((number, f"the compressed data is cut or broken ({error})"))
        return unpacked


def _lines(data: bytes, log: Log) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            found = _parsed(line, log)
            if isinstance(found, dict):
                yield number, found
            else:
                log.skipped.append((number, found if isinstance(found, str) else "not an object"))


def _whole(data: bytes, log: Log) -> list[tuple[int, dict[str, Any]]] | None:
    """The objects of a file that is one JSON value; None when it is none."""
    scratch = Log(log.path)
    value = _parsed(data, scratch)
    if isinstance(value, str):
        return None
    log.skipped[:] = []
    log.num_replaced += scratch.num_replaced
    items = value if isinstance(value, list) else [value]
    while len(items) == 1 and isinstance(items[0], list):
        items = items[0]
    good = [(number, item) for number, item in enumerate(items, 1) if isinstance(item, dict)]
    log.skipped += [(n, "not an object") for n, item in enumerate(items, 1) if not isinstance(item, dict)]
    return good


def _parsed(data: bytes, log: Log) -> Any:
    """The JSON value of `data`, or the reason why it has none, as text."""
    try:
        value = json_value(data, numbers_as_null=True)
    except BrokenJsonError as error:
        return str(error)
    if isinstance(value, str):
        return "a JSON text, not an object"
    if ESCAPED_SURROGATE.search(data) and (cleaned := _encodable(value)) != value:
        log.num_replaced += 1
        return cleaned
    return value


def _encodable(value: Any) -> Any:
    """The value with U+FFFD for every lone surrogate."""
    if isinstance(value, str):
        return LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_encodable(one) for one in value]
    if isinstance(value, dict):
        return {_encodable(key): _encodable(one) for key, one in value.items()}
    return value
