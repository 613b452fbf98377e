"""Parquet files from anywhere: whatever is wrong with one is told in one line that names it.

pyarrow reports a cut file, a column of another type, text that is no UTF-8 and a value out of range by many exceptions,
some of them only when a value becomes a Python object. Here they are one `UserError`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from harness.errors import UserError, one_line
from harness.files import SPECIAL, is_special

ENCODED = pa.dictionary(pa.int32(), pa.string())
REMEDY = "remove it, the run that wrote it can be repeated"


@contextlib.contextmanager
def told(place: Path, remedy: str = REMEDY) -> Iterator[None]:
    """Reading `place` in this block fails as one `UserError` that ends with `remedy`."""
    try:
        if is_special(place):
            raise OSError(SPECIAL)
        yield
    except UserError:
        raise
    except (pa.ArrowException, OSError, UnicodeError, OverflowError, ValueError) as error:
        raise UserError(f"{place} cannot be read ({one_line(error, most=120)}); {remedy}") from error


def read_rows(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """The rows of a file in `schema`'s types; a column that it lacks is null. Raises `UserError`."""
    with told(path):
        rows: list[dict[str, Any]] = typed(pq.ParquetFile(path).read(), schema, schema.names).to_pylist()
    return rows


def typed(table: pa.Table, schema: pa.Schema, names: Sequence[str], encoded: bool = False) -> pa.Table:
    """The columns `names` of `table` in `schema`'s types; one that it lacks is null.

    Args:
        table: as it was read.
        schema: of our rows.
        names: of its columns.
        encoded: text becomes dictionaries, or stays so.

    Raises:
        pa.ArrowException: a column cannot be cast, or its text is no UTF-8.
    """
    columns = {}
    for name in names:
        kind = schema.field(name).type
        there = table.schema.names.count(name) == 1
        column = table[name] if there else pa.chunked_array([pa.nulls(table.num_rows, kind)])
        if encoded and pa.types.is_string(kind):
            columns[name] = column if column.type == ENCODED else column.cast(kind).dictionary_encode()
        else:
            columns[name] = _cast(column, kind)
        columns[name].validate(full=True)
    return pa.table(columns)


def scan(
    files: Sequence[Path], schema: pa.Schema, columns: Sequence[str] | None, where: pc.Expression | None, place: Path
) -> pa.Table:
    """The rows of `files` that `where` keeps. Raises `UserError` that names `place`, their folder."""
    with told(place, "a file in it is broken; `harness leaderboard` names it"):
        table = ds.dataset([str(path) for path in files], schema=schema).to_table(columns=columns, filter=where)
        table.validate(full=True)
    return table


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The column in another type; a NaN where a whole number belongs is no number."""
    if pa.types.is_floating(column.type) and pa.types.is_integer(kind):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
    return column.cast(kind)
