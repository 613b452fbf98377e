"""The page's sample browser: which samples it holds, and where in a thought the forced tokens stand."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.analysis.folders import sample_files
from harness.analysis.measure import Measured
from harness.analysis.settings import setting_name
from harness.parquet import told, typed
from harness.records import SAMPLE_SCHEMA, generated_ids
from harness.report.names import recipe_order, row_name

MOST_SAMPLES = 10_000
MOST_CHARACTERS = 48_000_000  # of thinking on the page, before compression; a longer thought loses its middle
MOST_IDS = 2_000_000  # token ids on the page: they find the first differing token of two runs
BLOCK = 40  # samples a compressed block: about 100 kB to unpack for one look
COLUMNS = (
    "run_id", "task", "problem_id", "sample_index", "seed", "question", "gold", "thinking", "closing", "answer",
    "thinking_ids", "closing_ids", "answer_ids", "forced_spans", "ignore_str", "num_ignores",
    "thinking_tokens", "answer_tokens", "num_rounds",
    "forced_end", "looping", "thinking_finish", "status", "extracted", "reason", "error",
)  # fmt: skip
INDEX = ("problem_id", "sample_index", "status", "thinking_tokens", "forced_end", "looping", "extracted", "gold")


@dataclass(frozen=True)
class Browser:
    """`index` is columnar JSON, `blocks` are base64 gzip JSON lists of BLOCK samples, `note` says what is left out."""

    index: dict[str, Any]
    blocks: list[str]
    note: str


def forced_ranges(
    thinking: str, ids: Sequence[int], spans: Sequence[dict[str, Any]], ignore_str: str | None
) -> list[tuple[int, int]]:
    """Character ranges of the forced tokens of a thought, found without a tokenizer.

    The n-th occurrence of the forced ids among `ids` is the n-th occurrence of their string in the text, when both
    occur equally often; where they do not, the occurrence nearest to the span's share of the text is taken.
    """
    strings = (ignore_str or "").split("|") if ignore_str else []
    ranges, ids, rounds = [], list(ids), 0
    for span in sorted(spans, key=lambda s: s["start"]):
        start, length = int(span["start"]), int(span["length"])
        if span["kind"] == "newline":
            string = "\n"
        elif strings:
            string = strings[rounds % len(strings)]
            rounds += 1
        else:
            continue
        places = _occurrences(thinking, string)
        if not places:
            continue
        piece = ids[start : start + length]
        same = (
            [i for i in range(len(ids) - length + 1) if ids[i] == piece[0] and ids[i : i + length] == piece]
            if piece
            else []
        )
        if start in same and len(same) == len(places):
            at = places[same.index(start)]
        else:
            at = min(places, key=lambda p: abs(p - len(thinking) * start / max(len(ids), 1)))
        ranges.append((at, at + len(string)))
    return sorted(set(ranges))


def _occurrences(text: str, string: str) -> list[int]:
    found, at = [], text.find(string)
    while at >= 0:
        found.append(at)
        at = text.find(string, at + len(string))
    return found


def pieces(thinking: str, ranges: Sequence[tuple[int, int]], most: int) -> list[list[Any]]:
    """[[text, 0 sampled | 1 forced | 2 left out], ...]; a thought over `most` characters loses its middle."""
    cut = (most * 3 // 5, len(thinking) - most * 2 // 5) if len(thinking) > most else (len(thinking), len(thinking))
    bounds = sorted({0, len(thinking), *cut, *(x for r in ranges for x in r)})
    found: list[list[Any]] = []
    for start, end in pairwise(bounds):
        if cut[0] <= start and end <= cut[1]:
            if start == cut[0]:
                found.append([f"… {cut[1] - cut[0]:,} characters left out here; they are in the Parquet file …", 2])
        else:
            found.append([thinking[start:end], int(any(a <= start and end <= b for a, b in ranges))])
    return found


def collect(dirs: Sequence[Path], measured: Measured, most: int = MOST_SAMPLES) -> Browser:
    """Whole runs, the headlines' and then the longest waits first, until `most`; text is read for those alone."""
    cells = measured.cells.cells
    headline = set(measured.headlines.values())
    order = sorted(
        range(len(cells)), key=lambda i: (i not in headline, -cells[i].num_ignores, recipe_order(measured)(i))
    )
    chosen: dict[str, int] = {}
    room, total = most, sum(cell.num_generations for cell in cells)
    places: dict[int, int] = {}  # of the last run that fits in part, only so many rows
    for i in order:
        if room > 0:
            chosen |= dict.fromkeys(cells[i].run_ids, i)
            places[i] = min(room, cells[i].num_generations)
            room -= places[i]
    rows = []
    for row in _rows(dirs, set(chosen)):
        if places[chosen[row["run_id"]]] > 0:
            places[chosen[row["run_id"]]] -= 1
            rows.append(row)
    rows.sort(
        key=lambda r: (r["task"], _natural(r["problem_id"]), order.index(chosen[r["run_id"]]), r["sample_index"] or 0)
    )
    note = f"{len(rows):,} of {total:,} samples are on this page, whole runs first; all are in the Parquet files."
    return _packed(rows, [chosen[r["run_id"]] for r in rows], measured, note if len(rows) < total else "")


def _rows(dirs: Sequence[Path], runs: set[str]) -> Iterator[dict[str, Any]]:
    """The rows of the chosen runs; row groups without them are skipped before their text is read."""
    wanted = list(runs)
    seen: set[tuple[Any, ...]] = set()
    for path in (path for out_dir in dirs for path in sample_files(Path(out_dir))):
        with told(path):
            file = pq.ParquetFile(path)
            columns = [name for name in COLUMNS if name in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                ids = typed(file.read_row_group(group, columns=["run_id"]), SAMPLE_SCHEMA, ["run_id"])["run_id"]
                if not pc.any(pc.is_in(ids, value_set=_array(wanted))).as_py():
                    continue
                for batch in file.iter_batches(batch_size=1_000, row_groups=[group], columns=columns):
                    table = typed(pa.Table.from_batches([batch]), SAMPLE_SCHEMA, COLUMNS)
                    for row in table.filter(pc.is_in(table["run_id"], value_set=_array(wanted))).to_pylist():
                        key = (row["run_id"], row["problem_id"], row["sample_index"])
                        if key not in seen:
                            seen.add(key)
                            yield row


def _array(values: list[str]) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.string())


def _packed(rows: list[dict[str, Any]], of_cell: list[int], measured: Measured, note: str) -> Browser:
    cells = measured.cells.cells
    used = sorted(set(of_cell), key=lambda i: (cells[i].study, recipe_order(measured)(i), cells[i].num_ignores, i))
    names = [f"{row_name(cells[i], cells)} · {setting_name(cells[i])}" for i in used]
    if len({cells[i].study for i in used}) > 1:
        names = [f"{cells[i].study}: {name}" for i, name in zip(used, names, strict=True)]
    labels = list(dict.fromkeys(names))
    run_of = {i: labels.index(name) for i, name in zip(used, names, strict=True)}
    tasks = sorted({str(row["task"]) for row in rows})
    index: dict[str, Any] = {name: [_plain(row[name]) for row in rows] for name in INDEX}
    index |= {"run": [run_of[i] for i in of_cell], "task": [tasks.index(str(row["task"])) for row in rows]}
    index |= {"runs": labels, "tasks": tasks, "block": BLOCK}
    most = max(2_000, MOST_CHARACTERS // max(len(rows), 1))
    with_ids = sum(len(generated_ids(row)) for row in rows) <= MOST_IDS
    blocks = []
    for start in range(0, len(rows), BLOCK):
        block = [_sample(row, most, with_ids) for row in rows[start : start + BLOCK]]
        raw = gzip.compress(json.dumps(block, ensure_ascii=False).encode(), compresslevel=6, mtime=0)
        blocks.append(base64.b64encode(raw).decode())
    return Browser(index, blocks, note)


def _sample(row: dict[str, Any], most: int, with_ids: bool) -> dict[str, Any]:
    thinking, ids = row["thinking"] or "", row["thinking_ids"] or []
    ranges = forced_ranges(thinking, ids, row["forced_spans"] or [], row["ignore_str"])
    sample = {name: _plain(row[name]) for name in ("question", "closing", "answer", "reason", "error", "answer_tokens",
              "num_rounds", "thinking_finish", "seed")}  # fmt: skip
    return sample | {
        "thinking": pieces(thinking, ranges, most),
        "ids": list(map(int, generated_ids(row))) if with_ids else None,
    }


def _natural(text: str) -> str:
    """A key that sorts p2 before p10."""
    return re.sub(r"\d+", lambda found: found[0].zfill(12), text)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
