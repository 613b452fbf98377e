"""What a pool's files hold, record by record: JSON in every layout, CSV, Parquet, Arrow folders; compressed or not.

Nothing here knows what the columns mean (`harness.data.adapters` does). A record that cannot be read is told by its
place and reason and the others go on; a file that is no data at all is a `UserError` that says what to do.
"""

from __future__ import annotations

import ast
import bz2
import csv
import gzip
import io
import itertools
import json
import lzma
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from harness.errors import UserError, one_line
from harness.files import GZIP, UTF8_BOM, UTF16_BOMS, json_row, read_json_lines
from harness.parquet import told

Record = tuple[str, str, int, Any]  # where, the set's name, its index in the file, the record or why there is none

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
TABLE_SUFFIXES = (".csv", ".tsv")
COMPRESSIONS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
MAGIC = {GZIP: ".gz", b"BZ": ".bz2", b"\xfd7zXZ": ".xz"}
NOT_READ = {  # what people have that is not read, and what to do with it
    ".zip": "unpack it",
    ".tar": "unpack it",
    ".tgz": "unpack it",
    ".zst": "decompress it with `zstd -d`",
    ".lz4": "decompress it with `lz4 -d`",
    ".xlsx": "save the sheet as .csv",
    ".xls": "save the sheet as .csv",
    ".pkl": "save it with DataFrame.to_parquet",
    ".pickle": "save it with DataFrame.to_parquet",
    ".feather": "save it with DataFrame.to_parquet",
    ".yaml": "save it as .jsonl",
    ".yml": "save it as .jsonl",
}
# Columns of a table whose cells are lists or objects, written as JSON or as Python literals.
NESTED = (
    "messages",
    "conversations",
    "conversation",
    "dialog",
    "generations",
    "responses",
    "completions",
    "choices",
    "options",
    "thinking_trajectories",
    "traces",
    "reference_answers",
    "reference_correct",
    "metadata",
)
# One object that holds all records under one key: {"data": [...]}, and the rows of the hub's viewer.
HOLDERS = ("data", "rows", "train", "examples", "records", "items", "instances", "samples", "questions")
QUESTIONS = {"question", "problem", "prompt", "query", "instruction", "input", "messages", "conversations"}
FOLDER_MARKS = ("state.json", "dataset_dict.json", "dataset_info.json")
MAX_CELL = 1 << 30  # characters of one CSV cell: traces are longer than the csv module's own limit


def kind_of_file(path: Path) -> str | None:
    """json, table, parquet or arrow, by the name of a file; None for any other."""
    name = path.name.lower()
    for suffix in COMPRESSIONS:
        name = name.removesuffix(suffix)
    for kind, suffixes in (
        ("json", JSON_SUFFIXES),
        ("table", TABLE_SUFFIXES),
        ("parquet", (".parquet", ".pq")),
        ("arrow", (".arrow",)),
    ):
        if name.endswith(suffixes):
            return kind
    return None


def remedy(path: Path) -> str:
    """What to do with a file that is not read."""
    name = path.name.lower()
    known = next((what for suffix, what in NOT_READ.items() if name.endswith(suffix)), None)
    return known or "name it .jsonl, .json, .csv, .tsv, .parquet or .arrow, as what it is"


def is_saved_dataset(folder: Path) -> bool:
    """Whether `datasets.save_to_disk` wrote the folder."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def files_in(folder: Path) -> list[Path]:
    """The data files of a folder, at any depth; a clone of a hub data set gives its train split alone.

    Raises:
        UserError: it holds none.
    """
    inside = [path for path in sorted(folder.rglob("*")) if not _hidden(path, folder)]
    found = [path for path in inside if path.is_file() and kind_of_file(path) and path.name not in FOLDER_MARKS]
    if not found:
        others = sorted({path.suffix for path in inside if path.is_file() and path.suffix})
        seen = f"; it holds {', '.join(others[:5])}" if others else "; it is empty"
        raise UserError(f"pool folder {folder} holds no .jsonl, .json, .csv and no .parquet file{seen}")
    train = [path for path in found if path.name.lower().startswith(("train-", "train.", "train_"))]
    held_out = [
        path for path in found if path.name.lower().startswith(("test-", "test.", "validation-", "validation."))
    ]
    return train if train and held_out else found


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def records(files: list[Path]) -> Iterator[Record]:
    """(where, set name, index in the file, record or error text) of every record of `files`."""
    for path in files:
        if path.is_dir():
            yield from _saved(path)
            continue
        readers = {"json": _json, "table": _table, "parquet": _parquet, "arrow": _arrow}
        kind = kind_of_file(path)
        if kind is None:
            raise UserError(f"pool {path} is of no kind that is read; {remedy(path)}")
        yield from readers[kind](path)


def stem(path: Path) -> str:
    """The name of a file without what says how it is stored."""
    name = path.name
    for suffix in (*COMPRESSIONS, *JSON_SUFFIXES, *TABLE_SUFFIXES, ".parquet", ".arrow"):
        name = name.removesuffix(suffix)
    return name


def open_bytes(path: Path) -> IO[bytes]:
    """`path` for reading, decompressed as its first bytes say, whatever its name says. Raises `UserError`."""
    try:
        with path.open("rb") as plain:
            head = plain.read(6)
        found = next((suffix for magic, suffix in MAGIC.items() if head.startswith(magic)), None)
        if found is None and path.suffix in COMPRESSIONS and head:
            raise UserError(f"{path} is not compressed as {path.suffix} says; rename it or pack it again")
        if head[:2] in UTF16_BOMS:
            raise UserError(f"{path} is UTF-16; save it as UTF-8")
        return path.open("rb") if found is None else COMPRESSIONS[found](path, "rb")  # type: ignore[operator]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _text(path: Path) -> str:
    try:
        with open_bytes(path) as file:
            return file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        raise UserError(f"{path}: the compressed data is cut or broken ({one_line(error)})") from None


# -- JSON


def _json(path: Path) -> Iterator[Record]:
    """JSON lines, unless the first line is no whole object: then one document of any layout."""
    name = stem(path)
    if not _is_lines(path):
        text = _text(path)
        start = text.lstrip()[:1]
        document = list(_document(path, text)) if start and start in "[{" else []
        if any(not isinstance(record, str) for *_, record in document):
            yield from document
            return
    if path.suffix in (".bz2", ".xz"):
        for number, words in enumerate(_text(path).split("\n"), 1):
            if words.strip():
                yield f"{path.name} line {number}", name, number - 1, json_row(words.encode(), encodable=True)
        return
    for line in read_json_lines(path, encodable=True):
        yield f"{path.name} line {line.number}", name, line.number - 1, line.error or line.value


def _is_lines(path: Path) -> bool:
    """Whether the first line that is not blank is a whole JSON object, and no table or holder of them."""
    with open_bytes(path) as file:
        try:
            first = next((line for line in file if line.strip()), b"")
            more = any(line.strip() for line in itertools.islice(file, 100))
        except (EOFError, zlib.error, lzma.LZMAError, OSError):
            return True  # the reader of lines tells where it is broken
    found = json_row(first.removeprefix(UTF8_BOM))
    return isinstance(found, dict) and (more or _held(found) is None)


def _document(path: Path, text: str) -> Iterator[Record]:
    """The records of one JSON document: an array, objects behind each other, columns, or an object that holds them."""
    name = stem(path)
    inside = text.lstrip().startswith("[")
    decoder, position, index = json.JSONDecoder(), text.index("[") + 1 if inside else 0, 0
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        if position >= len(text):
            if inside:
                yield f"{path.name} line {_line(text, position)}", name, index, "the array is never closed: cut"
            return
        if inside and text[position] == "]":
            if text[position + 1 :].strip():
                yield f"{path.name} line {_line(text, position)}", name, index, "more text behind the array"
            return
        where = f"{path.name} record {index + 1} (line {_line(text, position)})"
        try:
            value, end = decoder.raw_decode(text, position)
        except (json.JSONDecodeError, RecursionError, ValueError) as error:
            yield where, name, index, f"not JSON from here on ({one_line(error)}): cut or broken"
            return
        held = _held(value) if not inside else None
        if held is not None:
            yield from ((f"{path.name} record {i + 1}", name, i, one) for i, one in enumerate(held))
        elif isinstance(value, list) and _is_conversation(value):
            yield where, name, index, {"messages": value}
        elif isinstance(value, dict):
            yield where, name, index, json_row(text[position:end].encode("utf-8", "surrogatepass"), encodable=True)
        else:
            yield where, name, index, f"a JSON {type(value).__name__}, not an object"
        position, index = end, index + 1


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _held(value: Any) -> list[Any] | None:
    """The records of an object that holds them all: under one key, as columns, or by row number (pandas)."""
    if not isinstance(value, dict) or not value:
        return None
    for key in HOLDERS:
        inner = value.get(key)
        if isinstance(inner, list) and inner and all(isinstance(one, dict) for one in inner):
            if all(isinstance(one.get("row"), dict) for one in inner):  # the hub viewer's answer
                return [one["row"] for one in inner]
            if not _is_conversation(inner) and not set(value) & QUESTIONS:
                return inner
    columns = list(value.values())
    if len(columns) > 1 and all(isinstance(one, dict) for one in columns):
        keys = [list(one) for one in columns]
        if all(one == keys[0] for one in keys) and all(key.isdigit() for key in keys[0]):
            return [{name: column[key] for name, column in value.items()} for key in keys[0]]  # DataFrame.to_json()
        if all(key.isdigit() for key in value):
            return columns  # DataFrame.to_json(orient="index")
    lists = all(isinstance(one, list) and not _is_conversation(one) for one in columns)
    asked = bool({key.strip().lower() for key in value} & QUESTIONS)
    if len(columns) > 1 and asked and lists and len({len(one) for one in columns}) == 1:
        return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]  # Dataset.to_dict()
    return None


def _is_conversation(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(one, dict) and {"role", "from"} & set(one) for one in value)


# -- tables


def _table(path: Path) -> Iterator[Record]:
    """CSV or TSV with a header. Cells of nested columns are read as JSON or as Python literals."""
    text = _text(path)
    csv.field_size_limit(MAX_CELL)
    header_line = text.split("\n", 1)[0]
    tabs = header_line.count("\t")
    delimiter = (
        "\t"
        if tabs and tabs >= header_line.count(",")
        else ";"
        if ";" in header_line and "," not in header_line
        else ","
    )
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip() for cell in next(lines, [])]
    except csv.Error as error:
        raise UserError(f"{path} is no CSV ({one_line(error)}); write it again") from None
    if not any(header):
        raise UserError(f"{path} has no header line; its first line names the columns")
    if repeated := next((name for name in header if name and header.count(name) > 1), None):
        raise UserError(f"{path} has two columns named '{repeated}'; rename one")
    index = 0
    while True:
        where = f"{path.name} row {index + 1} (line {lines.line_num + 1})"
        try:
            cells = next(lines, None)
        except csv.Error as error:
            yield where, stem(path), index, f"not CSV ({one_line(error)}): cut or broken"
            return
        if cells is None:
            return
        if not cells:
            continue
        if len(cells) != len(header):
            yield where, stem(path), index, f"{len(cells)} cells under {len(header)} column names"
        else:
            named = {name: _cell(name, cell) for name, cell in zip(header, cells, strict=True) if name}
            yield where, stem(path), index, named
        index += 1


def _cell(name: str, text: str) -> Any:
    """A cell's value: empty is missing; true, false and whole numbers of our own typed columns; nested ones read."""
    if not text.strip():
        return None
    column = name.strip().lower()
    if column in ("benchmark_like", "is_correct", "isqwen7bcorrect", "isqwen32bcorrect"):
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    if column == "thinking_tokens":
        try:
            return int(float(text))
        except (ValueError, OverflowError):
            return text
    if column in NESTED and text.lstrip()[:1] in "[{":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return text
    return text


# -- Parquet and Arrow


def _parquet(path: Path) -> Iterator[Record]:
    import pyarrow.parquet as pq

    with told(path, "write it again"):
        batches_read = pq.ParquetFile(path).iter_batches(batch_size=1000)
        for index, record in enumerate(record for batch in batches_read for record in _of_batch(batch)):
            yield f"{path.name} row {index}", stem(path), index, record


def _of_batch(batch: pa.RecordBatch) -> Iterator[Any]:
    """The records of a batch; for one with a value that Python has no object for, the reason as text."""
    try:
        whole: list[Any] = batch.to_pylist()
    except (pa.ArrowException, UnicodeError, OverflowError, ValueError):
        whole = [_of_row(batch.slice(at, 1)) for at in range(batch.num_rows)]
    yield from whole


def _of_row(row: pa.RecordBatch) -> Any:
    try:
        return row.to_pylist()[0]
    except (pa.ArrowException, UnicodeError, OverflowError, ValueError) as error:
        return f"a value cannot be read ({one_line(error, most=80)})"


def _arrow(path: Path) -> Iterator[Record]:
    """One Arrow file: the stream that `datasets` writes, or Arrow's file format."""
    with told(path, "write it again"), pa.memory_map(str(path)) as source:
        try:
            reader = pa.ipc.open_stream(source)
            batches_read: Any = iter(reader)
        except pa.ArrowInvalid:
            whole = pa.ipc.open_file(source)
            batches_read = (whole.get_batch(number) for number in range(whole.num_record_batches))
        for index, record in enumerate(record for batch in batches_read for record in _of_batch(batch)):
            yield f"{path.name} row {index}", stem(path), index, record


def _saved(folder: Path) -> Iterator[Record]:
    """A folder of `datasets.save_to_disk`; of several splits, train."""
    import datasets

    try:
        found = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder} is no whole folder of save_to_disk ({one_line(error)}); save it again") from error
    if isinstance(found, datasets.DatasetDict):
        if "train" not in found and len(found) != 1:
            raise UserError(
                f"{folder} has the splits {', '.join(found)} and no train; name one: {folder}/{next(iter(found))}"
            )
        found = found["train"] if "train" in found else next(iter(found.values()))
    index = 0
    for batch in found.with_format("arrow").iter(batch_size=1000):
        for record in (one for piece in batch.to_batches() for one in _of_batch(piece)):
            yield f"{folder.name} row {index}", folder.name, index, record
            index += 1


def hub_stream(name: str, subset: str | None, split: str) -> Iterator[Mapping[str, Any]]:
    """The records of a hub dataset, streamed. Raises `UserError` when it cannot be read (no network, gated, gone)."""
    import datasets

    try:
        yield from datasets.load_dataset(name, subset, split=split, streaming=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"cannot read dataset '{name}' from the hub: {one_line(error)}") from error
