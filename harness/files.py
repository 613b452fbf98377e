"""Files: written whole or not at all, and JSON lines read and written by one policy.

A line that cannot be used is never fatal and never silent: the reader hands it over as a reason with its number, and
whoever reads counts it, names it and leaves it out.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import math
import os
import re
import shutil
import stat
import sys
import tempfile
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from harness.errors import UserError

PARTIAL = ".partial"  # the ending of a file that is being written; nobody reads one
JSON_LINES = (".jsonl", ".jsonl.gz")
MAX_DEPTH = 100  # of a line's lists and objects: what can be parsed here can be written again everywhere
GZIP, UTF8_BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which neither UTF-8 nor Arrow can hold
OWN_DESCRIPTOR = re.compile(r"/dev/(stdout|stderr|fd/(\d+))|/proc/self/fd/(\d+)")
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` once the block has ended well: written beside it, synced, then renamed.

    Symbolic links are followed, a replaced file's permissions are kept, and missing folders are made. What is no
    regular file (/dev/stdout, a FIFO) is written into, at the end of the block, instead of being replaced.

    Args:
        path: where the file is to be.

    Raises:
        OSError: it cannot be written; `filename` is `path`. What stood there before is untouched.
    """
    with contextlib.ExitStack() as cleanup, _named(path):
        target = _regular(path)
        if target is None:
            with tempfile.TemporaryFile() as spooled:
                yield spooled
                spooled.seek(0)
                with _stream(path) as stream:
                    shutil.copyfileobj(spooled, stream)
            return
        partial = _beside(target)
        cleanup.callback(partial.unlink, missing_ok=True)
        with partial.open("xb") as file:
            yield file
            _sync(file, target)
        partial.replace(target)
        _sync_folder(target.parent)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path` that becomes it once the block has ended well; else nothing is left of it.

    Args:
        path: where the folder is to be: nothing is there, or an empty folder. A link is followed.

    Raises:
        OSError: it cannot be written or put in place.
    """
    target = Path(os.path.realpath(path))
    missing = [folder for folder in target.parents if not folder.exists()]
    with contextlib.ExitStack() as undo:
        undo.callback(_remove_empty, missing)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _beside(target)
        partial.mkdir()
        undo.callback(shutil.rmtree, partial, ignore_errors=True)
        yield partial
        partial.replace(target)
        _sync_folder(target.parent)
        undo.pop_all()


def write_together(contents: Mapping[Path, bytes | str]) -> None:
    """Write several files so that a disk that fills up leaves all of them old.

    Every one is whole before the first is renamed into place. Text is written as UTF-8. Raises like `atomic`.
    """
    with contextlib.ExitStack() as cleanup:
        ready = []
        for path, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            target = _regular(path)
            if target is None:
                with atomic(path) as file:
                    file.write(data)
                continue
            with _named(path):
                partial = _beside(target)
                cleanup.callback(partial.unlink, missing_ok=True)
                with partial.open("xb") as file:
                    file.write(data)
                    _sync(file, target)
            ready.append((partial, target))
        for partial, target in ready:
            with _named(target):
                partial.replace(target)
                _sync_folder(target.parent)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, by `atomic`."""
    with atomic(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any, indent: int | None = 1) -> None:
    """Write `value` to `path` as JSON, by `atomic`."""
    with atomic(path) as file:
        file.write(_encoded(value, indent))


def write_json_lines(path: Path, rows: Iterable[Any]) -> int:
    """Write one line per row, by `atomic`; gzip-compressed where the name ends in .gz. Returns the number of rows."""
    count = 0
    with atomic(path) as file, contextlib.ExitStack() as stack:
        lines: Any = stack.enter_context(gzip.open(file, "wb")) if path.suffix == ".gz" else file
        for row in rows:
            lines.write(json_line(row))
            count += 1
    return count


def json_line(row: Any) -> bytes:
    """`row` as one line of JSON in UTF-8; in ASCII escapes where it holds lone surrogates, which UTF-8 cannot."""
    return _encoded(row, None) + b"\n"


def is_json_lines(path: Path) -> bool:
    """Whether the name says so: .jsonl or .jsonl.gz."""
    return path.name.endswith(JSON_LINES)


@dataclass(frozen=True)
class Line:
    """One line of a JSON-lines file: its number from 1, and its object, or what is wrong with it."""

    number: int
    value: dict[str, Any]
    error: str = ""


def read_json_lines(path: Path, *, encodable: bool = False) -> Iterator[Line]:
    """The lines of a JSON-lines file (gzip-compressed or not, with a byte order mark or not) that are not blank.

    Only a line feed ends a line: U+0085, U+2028 and U+2029 inside a string do not.

    Args:
        path: the file.
        encodable: rows with a lone surrogate, which neither UTF-8 nor Arrow can hold, count as broken.

    Yields:
        Every line in order; what is wrong with a broken one is told by `json_row`.

    Raises:
        UserError: the file cannot be opened, or is UTF-16.
    """
    number = 0
    try:
        with path.open("rb") as plain:
            start = plain.peek(2)[:2]
            if start in UTF16_BOMS:
                raise UserError(f"{path} is UTF-16; save it as UTF-8")
            lines: Iterable[bytes] = gzip.GzipFile(fileobj=plain) if start == GZIP else plain
            for number, line in enumerate(lines, 1):
                data = line.removeprefix(UTF8_BOM) if number == 1 else line
                if data.strip():
                    row = json_row(data, encodable=encodable)
                    yield Line(number, {}, row) if isinstance(row, str) else Line(number, row)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Line(number + 1, {}, f"the compressed data is cut or broken ({error})")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; give a file of JSON lines") from None


def json_row(line: bytes, *, encodable: bool = False) -> dict[str, Any] | str:
    """One line as a row, or the reason why it is none.

    Reasons: those of `json_value`, no object, or (if `encodable`) a lone surrogate in a string.
    """
    try:
        row = json_value(line)
    except BrokenJsonError as error:
        return str(error)
    if not isinstance(row, dict):
        return f"a JSON {type(row).__name__}, not an object"
    if encodable and ESCAPED_SURROGATE.search(line) and not _encodes(row):
        return "a lone surrogate in a string"
    return row


def json_value(data: bytes, *, numbers_as_null: bool = False) -> Any:
    """The JSON value that `data` is.

    Args:
        data: UTF-8 without a byte order mark.
        numbers_as_null: NaN, infinities and numbers beyond a float's range, which Python's own writers put into JSON,
            are null; else they are refused.

    Raises:
        BrokenJsonError: Not UTF-8, not JSON, such a number, or nested more than `MAX_DEPTH` deep: the reason, without a
            place.
    """
    try:
        value = (_LENIENT if numbers_as_null else _STRICT).decode(data.decode())
    except UnicodeDecodeError as error:
        raise BrokenJsonError(f"not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise BrokenJsonError(f"not JSON at column {error.colno} ({error.msg}): cut or broken") from None
    except RecursionError:
        raise BrokenJsonError(f"nested more than {MAX_DEPTH} deep") from None
    except BrokenJsonError:
        raise
    except ValueError:  # Python's, for an integer of thousands of digits
        raise BrokenJsonError("a number of thousands of digits") from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and nesting(value) > MAX_DEPTH:
        raise BrokenJsonError(f"nested more than {MAX_DEPTH} deep")
    return value


SPECIAL = "a pipe, socket or device"


def is_special(path: Path) -> bool:
    """Whether `path` is there and is `SPECIAL`, which would let its reader wait or never end."""
    return path.exists() and not path.is_file() and not path.is_dir()


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """The JSON object in `path`.

    Raises:
        UserError: there is no such file, or it holds something else; the line ends with `remedy`.
    """
    found: dict[str, Any] | str
    try:
        found = SPECIAL if is_special(path) else json_row(path.read_bytes().removeprefix(UTF8_BOM), encodable=True)
    except OSError as error:
        found = error.strerror or str(error)
    if isinstance(found, str):
        raise UserError(f"{path} is not a JSON object ({found}); {remedy}")
    return found


class BrokenJsonError(ValueError):
    """Why some bytes are no JSON value that can be used."""


def _refuse(name: str) -> NoReturn:
    raise BrokenJsonError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise BrokenJsonError(f"the number {text[:20]} is out of range")
    return value


def _finite_or_null(text: str) -> float | None:
    value = float(text)
    return None if math.isinf(value) else value


_STRICT = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
_LENIENT = json.JSONDecoder(parse_constant=lambda name: None, parse_float=_finite_or_null)


def nesting(value: Any) -> int:
    """How deep lists and objects are nested; without recursion."""
    deepest = 0
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if isinstance(one, dict | list):
            deepest = max(deepest, depth)
            waiting += [(inner, depth + 1) for inner in (one.values() if isinstance(one, dict) else one)]
    return deepest


def _encoded(value: Any, indent: int | None) -> bytes:
    try:
        return json.dumps(value, indent=indent, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent).encode()


def _encodes(row: Any) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _regular(path: Path) -> Path | None:
    """Where a file that becomes `path` has to be renamed to, symbolic links followed; makes the folder.

    None where `path` is something else than a file and has to be written into.
    """
    with _named(path):
        if OWN_DESCRIPTOR.fullmatch(str(path)):
            return None
        try:
            mode = path.stat().st_mode  # of what a link leads to
        except FileNotFoundError:
            mode = stat.S_IFREG
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            return None
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


def _stream(path: Path) -> IO[bytes]:
    """`path`, which is no regular file, open for writing.

    This process's own descriptors are written through, so that a shell's `>>` still appends.
    """
    own = OWN_DESCRIPTOR.fullmatch(str(path))
    if own is None:
        return path.open("wb")
    sys.stdout.flush()
    sys.stderr.flush()
    number = {"stdout": 1, "stderr": 2}.get(own[1])
    return os.fdopen(os.dup(int(own[2] or own[3]) if number is None else number), "wb")


def _remove_empty(folders: Iterable[Path]) -> None:
    with contextlib.suppress(OSError):  # one was not made, or somebody else has written there by now
        for folder in folders:
            folder.rmdir()


def _beside(target: Path) -> Path:
    """A name for the unfinished file: NAME.HEX.partial, in the same folder."""
    return target.with_name(f"{target.name[:50]}.{uuid.uuid4().hex[:8]}{PARTIAL}")


def _sync(file: IO[bytes], target: Path) -> None:
    file.flush()
    with contextlib.suppress(OSError):  # nothing there to take permissions from, or a file system without them
        os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """So that the new name is on disk too. Some file systems cannot; the file itself is."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of writing `path` name it, not the file beside it, and a full disk says what to do."""
    try:
        yield
    except OSError as error:
        ours = (error.filename is None and error.errno in FULL) or str(error.filename).endswith(PARTIAL)
        if not ours:
            raise
        reason = os.strerror(error.errno) if error.errno else str(error)
        remedy = "; free some space and run again" if error.errno in FULL else ""
        raise OSError(error.errno or errno.EIO, f"could not be written ({reason}){remedy}", str(path)) from error
