"""The pool's schema, and how a record of another shape becomes a row of it.

One row is one question with (at most) one reasoning trace; a question with k traces is k rows. The first nine columns
are s1's (its data/ folder); the others are features that `harness data featurize` fills in. A column that is not known
is empty, never made up.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("question", pa.string()),
        ("solution", pa.string()),  # the source's own worked solution
        ("answer", pa.string()),  # the gold answer
        ("source", pa.string()),
        ("domain", pa.string()),  # MSC subject, or any label
        ("thinking", pa.string()),  # the reasoning trace
        ("attempt", pa.string()),  # the teacher's answer after the trace: what is trained on
        ("metadata", pa.string()),  # JSON
        ("thinking_tokens", pa.int64()),
        ("reference_answers", pa.list_(pa.string())),  # one per reference model, in order
        ("reference_correct", pa.list_(pa.bool_())),  # the same order; null where it could not be graded
        ("benchmark_like", pa.bool_()),  # s1's preselection: a correct AIME, GPQA or long MATH row
    ],
    metadata={"s1_harness_pool": "1"},
)
TEXTS = ("id", "question", "solution", "answer", "source", "domain", "thinking", "attempt")
LONG = ("question", "solution", "thinking", "attempt", "metadata")  # columns whose cells may be long
MAX_BATCH = 32_000_000  # characters, or bytes, of the rows that are in memory together: s1's pool has 150 kB a row
Row = dict[str, Any]


class BadRowError(ValueError):
    """One record that cannot become a row; the loader counts it, names its line, and goes on."""


def row(record: Mapping[str, Any]) -> Row:
    """`record`, whose keys are pool columns, as a complete row. Raises `BadRowError` on a wrong type or no question."""
    unknown = [key for key in record if key not in SCHEMA.names]
    if unknown:
        raise BadRowError(f"unknown columns {', '.join(map(repr, sorted(unknown)))}")
    new: Row = dict.fromkeys(SCHEMA.names)
    for name in TEXTS:
        value = record.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and name in ("id", "answer"):
            value = str(value)  # a plain number is an honest id or answer
        if value is not None and not isinstance(value, str):
            raise BadRowError(f"'{name}' is {type(value).__name__}, not text")
        new[name] = value or ""
    if not new["question"].strip():
        raise BadRowError("no question")
    new["metadata"] = json_text(record.get("metadata"))
    new["thinking_tokens"] = _typed(record, "thinking_tokens", int)
    new["benchmark_like"] = _typed(record, "benchmark_like", bool)
    new["reference_answers"] = _list_of(record, "reference_answers", str)
    new["reference_correct"] = _list_of(record, "reference_correct", bool)
    return new


def _typed(record: Mapping[str, Any], name: str, kind: type) -> Any:
    value = record.get(name)
    if isinstance(value, float) and kind is int and abs(value) < 2.0**63:
        value = int(value)  # pandas turns an int column with holes into floats
    if isinstance(value, float) and value != value:  # and NaN is a hole
        return None
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise BadRowError(f"'{name}' is {str(value)[:40]!r}, not {kind.__name__}")
    if kind is int and isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise BadRowError(f"'{name}' is beyond 64 bits")
    return value


def _list_of(record: Mapping[str, Any], name: str, kind: type) -> list[Any] | None:
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or any(item is not None and not isinstance(item, kind) for item in value):
        raise BadRowError(f"'{name}' is not a list of {kind.__name__}")
    return list(value)


def text_of(record: Mapping[str, Any], key: str) -> str:
    """The text under `key`. Raises `BadRowError` for anything else."""
    value = record.get(key)
    if not isinstance(value, str):
        raise BadRowError(f"'{key}' is {type(value).__name__}, not text")
    return value


def optional_text(record: Mapping[str, Any], key: str) -> str:
    """The text under `key`, "" where there is none. Raises `BadRowError` for anything else."""
    return "" if record.get(key) is None else text_of(record, key)


def json_text(metadata: Any) -> str:
    """Any value of a metadata column as the JSON text of an object."""
    if isinstance(metadata, str):
        with contextlib.suppress(ValueError, RecursionError):  # s1's sets hold Python literals here; they stay text
            metadata = json.loads(metadata)
    if metadata is not None and not isinstance(metadata, dict):
        metadata = {"metadata": metadata}
    try:
        return _dumped(metadata or {})
    except (TypeError, ValueError):
        return _dumped(plain(metadata))
    except RecursionError:
        raise BadRowError("'metadata' is nested too deeply") from None


def plain(value: Any) -> Any:
    """`value` of an Arrow or CSV cell as JSON has it: dates as text, NaN as null, of bytes their number."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _dumped(metadata: dict[str, Any]) -> str:
    text = json.dumps(metadata, ensure_ascii=False, sort_keys=True, allow_nan=False)
    # A lone surrogate goes into no Arrow file; its escape does.
    return text if _is_text(text) else json.dumps(metadata, sort_keys=True)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def metadata_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """A row's metadata as a dict."""
    return metadata_in(record.get("metadata"))


def metadata_in(cell: Any) -> dict[str, Any]:
    """What a metadata cell holds, as a dict; it is JSON text in an Arrow file."""
    found = cell or {}
    return dict(json.loads(found)) if isinstance(found, str) else dict(found)


def kind_of(record: Mapping[str, Any]) -> Any:
    """How a row's answer is graded: math, unless its metadata say otherwise."""
    return metadata_of(record).get("kind", "math")


def with_thinking(record: Mapping[str, Any]) -> bool:
    """Whether the row can be trained on: it has a trace."""
    return bool(record["thinking"] and record["thinking"].strip())


def batches(rows: Iterator[Row], size: int = 1000) -> Iterator[pa.RecordBatch]:
    """`rows` as Arrow batches of at most `size` rows, or of `MAX_BATCH` characters: what bounds the memory here."""
    waiting: list[Row] = []
    characters = 0
    for new in rows:
        waiting.append(new)
        characters += sum(len(new[name] or "") for name in LONG)
        if len(waiting) == size or characters >= MAX_BATCH:
            yield pa.RecordBatch.from_pylist(waiting, schema=SCHEMA)
            waiting, characters = [], 0
    if waiting:
        yield pa.RecordBatch.from_pylist(waiting, schema=SCHEMA)
