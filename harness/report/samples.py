"""The page's sample browser: which samples it holds, and where in a thought the forced tokens stand."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.analysis.folders import sample_files
from harness.analysis.measure import Measured, is_headline, paired_figures, reference_name
from harness.analysis.settings import setting_name
from harness.console import visible
from harness.parquet import told, typed
from harness.records import SAMPLE_SCHEMA, generated_ids
from harness.report.names import recipe_order, row_name
from harness.report.numbers import in_percent, percent_bounds
from harness.report.tables import p_value

MOST_SAMPLES = 100_000
MOST_CHARACTERS = 48_000_000  # of thinking on the page, before compression; a longer thought loses its middle
MOST_IDS = 2_000_000  # token ids on the page: they find the first differing token of two runs
MOST_PAIRED = 12  # headline runs of a task whose pairs the page tells the differences of
MOST_VALUES = 40  # of a fact that samples can be chosen by
BLOCK = 40  # samples a compressed block: about 100 kB to unpack for one look
COLUMNS = (
    "run_id",
    "task",
    "problem_id",
    "question_hash",
    "sample_index",
    "seed",
    "question",
    "gold",
    "thinking",
    "closing",
    "answer",
    "thinking_ids",
    "closing_ids",
    "answer_ids",
    "forced_spans",
    "ignore_str",
    "num_ignores",
    "thinking_tokens",
    "answer_tokens",
    "num_rounds",
    "forced_end",
    "looping",
    "thinking_finish",
    "status",
    "extracted",
    "reason",
    "error",
)
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
INDEX = ("problem_id", "sample_index", "status", "thinking_tokens", "forced_end", "looping", "extracted", "gold")


@dataclass(frozen=True)
class Browser:
    """`index` is columnar JSON, `blocks` are base64 gzip JSON lists of BLOCK samples, `note` says what is left out."""

    index: dict[str, Any]
    blocks: list[str]
    note: str

    @property
    def packed_index(self) -> str:
        """The index as base64 gzip JSON."""
        return packed(self.index)


def packed(value: Any) -> str:
    """A value as base64 gzip JSON, the same bytes for the same value."""
    raw = value if isinstance(value, bytes) else as_json(value)
    return base64.b64encode(gzip.compress(raw, compresslevel=6, mtime=0)).decode()


def as_json(value: Any) -> bytes:
    """A value as JSON without spaces."""
    return ENCODER.encode(value).encode()


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


def collect(
    dirs: Sequence[Path],
    measured: Measured,
    most: int = MOST_SAMPLES,
    without: Collection[str] = (),
    same: Mapping[str, str] = MappingProxyType({}),
) -> Browser:
    """Whole runs, the headlines' and then the longest waits first, until `most`; text is read for those alone.

    `without`: tasks whose samples stay off the page. `same`: a task -> the task that it is by another name.
    """
    cells = measured.cells.cells
    headline = set(measured.headlines.values())
    order = sorted(
        (i for i, cell in enumerate(cells) if cell.task not in without),
        key=lambda i: (i not in headline, -cells[i].num_ignores, recipe_order(measured)(i)),
    )
    chosen: dict[str, int] = {}
    room, total = most, sum(cell.num_generations for cell in cells)
    places: dict[int, int] = {}  # of the last run that fits in part, only so many rows
    for i in order:
        if room > 0:
            chosen |= dict.fromkeys(cells[i].run_ids, i)
            places[i] = min(room, cells[i].num_generations)
            room -= places[i]
    longest = max(2_000, MOST_CHARACTERS // max(sum(places.values()), 1))
    rows, num_ids = [], 0
    shared: dict[str, str] = {}
    for row in _rows(dirs, set(chosen)):
        if places[chosen[row["run_id"]]] > 0:
            places[chosen[row["run_id"]]] -= 1
            ids = list(map(int, generated_ids(row))) if num_ids <= MOST_IDS else []
            num_ids += len(ids)
            rows.append(_kept(row, longest, ids, shared))
    if num_ids > MOST_IDS:  # all or none: two runs are compared by them
        for row in rows:
            row["ids"] = b"null"
    rank = {i: at for at, i in enumerate(order)}
    rows.sort(key=lambda r: (r["task"], natural(r["problem_id"]), rank[chosen[r["run_id"]]], r["sample_index"] or 0))
    note = f"{len(rows):,} of {total:,} samples are on this page, whole runs first; all are in the Parquet files."
    return _packed(rows, [chosen[r["run_id"]] for r in rows], measured, note if len(rows) < total else "", same)


def _kept(row: dict[str, Any], longest: int, ids: list[int], shared: dict[str, str]) -> dict[str, Any]:
    """What of a stored row the page holds: its place, the index's columns, and its text cut to `longest`, as JSON.

    A hundred thousand rows as objects would take half a gigabyte. `shared` holds each short text once.
    """
    kept = {name: row[name] for name in ("run_id", "task", "question_hash", "seed", *INDEX)}
    kept = {name: shared.setdefault(v, v) if isinstance(v, str) else v for name, v in kept.items()}
    return kept | {"sample": as_json(_sample(row, longest)), "ids": as_json(ids)}


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


def _packed(
    rows: list[dict[str, Any]], of_cell: list[int], measured: Measured, note: str, same: Mapping[str, str]
) -> Browser:
    cells = measured.cells.cells
    used = sorted(set(of_cell), key=lambda i: (cells[i].study, recipe_order(measured)(i), cells[i].num_ignores, i))
    names = [f"{row_name(cells[i], cells)} · {setting_name(cells[i])}" for i in used]
    if len({cells[i].study for i in used}) > 1:
        names = [f"{cells[i].study}: {name}" for i, name in zip(used, names, strict=True)]
    labels = list(dict.fromkeys(names))
    run_of = {i: labels.index(name) for i, name in zip(used, names, strict=True)}
    tasks = sorted({str(row["task"]) for row in rows})
    index: dict[str, Any] = {name: [_plain(row[name]) for row in rows] for name in INDEX}
    task_of = {task: at for at, task in enumerate(tasks)}
    run_ids = sorted({row["run_id"] for row in rows})
    id_of = {run: at for at, run in enumerate(run_ids)}
    seeds = {row["run_id"]: _plain(row["seed"]) for row in rows}
    index |= {"run": [run_of[i] for i in of_cell], "task": [task_of[str(row["task"])] for row in rows]}
    index |= {"id": [id_of[row["run_id"]] for row in rows], "ids": run_ids, "seeds": [seeds[run] for run in run_ids]}
    index |= {
        "runs": [visible(label) for label in labels],
        "tasks": tasks,
        "block": BLOCK,
        "facts": _facts(rows, measured),
    }
    pairs: dict[tuple[str, str], int] = {}  # a question has one number, whatever the runs call it
    keys = [(same.get(task := str(row["task"]), task), row["question_hash"] or str(row["problem_id"])) for row in rows]
    index["pair"] = [pairs.setdefault(key, len(pairs)) for key in keys]
    reference = next(
        (i for i in used if cells[i].recipe == reference_name(cells, used) and is_headline(cells[i])), None
    )
    index["reference"] = None if reference is None else run_of[reference]
    blocks = [packed(_block(rows[start : start + BLOCK])) for start in range(0, len(rows), BLOCK)]
    index["gaps"] = _gaps(measured, run_of, task_of)
    return Browser(index, blocks, note)


def _block(rows: Sequence[dict[str, Any]]) -> bytes:
    """The JSON list of some rows' samples: each an object whose last key is `ids`."""
    return b"[" + b",".join(row["sample"][:-1] + b',"ids":' + row["ids"] + b"}" for row in rows) + b"]"


def _gaps(measured: Measured, run_of: dict[int, int], task_of: dict[str, int]) -> dict[str, str]:
    """task/A/B -> the paired difference of two headline runs on the page, with its interval and the exact test."""
    cells = measured.cells.cells
    found: dict[str, str] = {}
    for task, place in task_of.items():
        members = [i for i in measured.headlines.values() if cells[i].task == task and i in run_of][:MOST_PAIRED]
        pairs = [(a, b) for a in members for b in members if a != b and cells[a].study == cells[b].study]
        figures = paired_figures(cells, pairs, measured.variances, "difference_to_reference")
        for (a, b), figure in zip(pairs, figures, strict=True):
            gap, p = figure["difference_to_reference"], figure["p_value_to_reference"].mean
            if gap.low < gap.high:
                within = percent_bounds(gap.low, gap.high, signed=True)
                text = f"{in_percent(gap.mean, signed=True)} {within} points, exact p {p_value(p).text}"
                found[f"{place}/{run_of[a]}/{run_of[b]}"] = text
    return found


def _facts(rows: Sequence[dict[str, Any]], measured: Measured) -> dict[str, dict[str, Any]]:
    """Facts of the problems (subject, level) that samples can be chosen by: the values, and each row's place."""
    facts = measured.cells.facts
    found: dict[str, dict[str, Any]] = {}
    num_problems = len({(row["task"], row["problem_id"]) for row in rows})
    for name in sorted({name for of_task in facts.values() for name in of_task}):
        of_row = [facts.get(str(row["task"]), {}).get(name, {}).get(str(row["problem_id"]), "") for row in rows]
        values = sorted(set(of_row) - {""}, key=natural)
        if 2 <= len(values) <= min(MOST_VALUES, num_problems / 2):  # a problem's own number or address groups nothing
            place = {value: at for at, value in enumerate(values)}
            found[name] = {"values": values, "of": [place.get(value, -1) for value in of_row]}
    return found


def _sample(row: dict[str, Any], most: int) -> dict[str, Any]:
    thinking, ids = row["thinking"] or "", row["thinking_ids"] or []
    ranges = forced_ranges(thinking, ids, row["forced_spans"] or [], row["ignore_str"])
    sample = {
        name: _plain(row[name])
        for name in (
            "question",
            "closing",
            "answer",
            "reason",
            "error",
            "answer_tokens",
            "num_rounds",
            "thinking_finish",
            "seed",
        )
    }
    return sample | {"thinking": pieces(thinking, ranges, most)}


def natural(text: str) -> str:
    """A key that sorts p2 before p10."""
    return re.sub(r"\d+", lambda found: found[0].zfill(12), text)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
