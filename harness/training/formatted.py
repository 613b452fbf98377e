"""Rows that are tokens already: the Parquet file that `harness data format` writes, with input_ids and labels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import UserError

COLUMNS = ("input_ids", "labels")


def is_formatted(path: Path) -> bool:
    """Whether `path` is a Parquet file of training examples."""
    if path.suffix != ".parquet" or not path.is_file():
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return set(COLUMNS) <= set(pq.read_schema(path).names)
    except pa.ArrowInvalid:
        return False  # the reader of pools says what is wrong with it


def rows(path: Path) -> list[dict[str, Any]]:
    """Its examples, one entry per row: id, input_ids, labels, cut."""
    import pyarrow.parquet as pq

    found = pq.read_table(path, columns=["id", *COLUMNS, "cut"]).to_pylist()
    for row in found:
        if len(row["input_ids"]) != len(row["labels"]):
            raise UserError(
                f"{path}: row '{row['id']}' has {len(row['input_ids'])} ids and {len(row['labels'])} labels"
            )
    return list(found)


def digest(path: Path) -> str:
    """The sha256 of the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_example(row: Mapping[str, Any]) -> bool:
    """Whether a row is tokens rather than texts."""
    return set(COLUMNS) <= set(row)
