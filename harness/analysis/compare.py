"""`harness compare A B`: the paired comparison of two runs, with where their texts part.

A and B are result folders, or FOLDER:RUN where RUN is a run's id, its first letters, or a recipe. Problems are paired
by their question, by id only where the question is the same or not stored (`analysis.pairing`). So are tasks that the
two call differently, as harnesses do: aime24 is aime24_nofigures elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.analysis.equivalence import Equivalence, Posterior, equivalence, posterior
from harness.analysis.folders import sample_files
from harness.analysis.intervals import Interval, difference_interval, share_interval
from harness.analysis.measure import find_headlines
from harness.analysis.pairing import Text, pair, pair_wrapped
from harness.analysis.seeds import run_variances
from harness.analysis.settings import Cell, Cells, load
from harness.analysis.significance import detectable, paired_p_value
from harness.errors import UserError
from harness.parquet import told, typed
from harness.questions import question_hash, question_parts
from harness.records import SAMPLE_SCHEMA, first_difference, generated_ids

MARGIN = 0.02  # two points: what "no worse" allows
MOST_TASKS = 16  # pairs of tasks whose questions are searched within each other


@dataclass(frozen=True)
class Comparison:
    """Two runs on one task, paired over problems. Accuracies and the difference are fractions."""

    task: str
    name_a: str
    name_b: str
    accuracy_a: Interval
    accuracy_b: Interval
    gap: Interval  # a - b
    p_value: float
    test: str
    num_paired: int
    num_a: int
    num_b: int
    only_a: list[str]  # problems that a alone got right
    only_b: list[str]
    tokens_a: float
    tokens_b: float
    detectable: float
    equivalence: Equivalence
    posterior: Posterior
    first_difference: dict[str, int] = field(default_factory=dict)  # problem -> first differing token
    num_same_text: int = 0
    note: str = ""
    folder_a: Path = Path()
    folder_b: Path = Path()
    runs_a: tuple[str, ...] = ()  # ids
    runs_b: tuple[str, ...] = ()
    task_b: str = ""  # what b calls the task


def compare(a: str, b: str, margin: float = MARGIN) -> list[Comparison]:
    """The comparisons of the tasks that both have, by their name, else by their questions.

    Args:
        a: a results folder, or FOLDER:RUN.
        b: the other.
        margin: a difference that does not matter, as a fraction: for the tests of "no worse".

    Raises:
        UserError: they share no task, or no problem of one.
    """
    left, right = _chosen(a), _chosen(b)
    named = [(task, task) for task in sorted(set(left.cells) & set(right.cells))]
    shared = named + _named_differently(left, right)
    if not shared:
        raise UserError(
            f"{a} has {', '.join(sorted(left.cells))}, {b} has {', '.join(sorted(right.cells))}: no task in common, by "
            "its name or by its questions"
        )
    return [_compared(left, right, task, other, margin) for task, other in shared]


@dataclass(frozen=True)
class Side:
    """One of the two result folders that are compared."""

    folder: Path
    loaded: Cells
    cells: dict[str, Cell]  # task -> cell


def _chosen(spec: str) -> Side:
    """The cells of a folder's headline run, or of the run or recipe named behind the last colon."""
    folder, _, wanted = (spec, "", "") if Path(spec).is_dir() else spec.rpartition(":")
    if not folder or not Path(folder).is_dir():
        if Path(spec).is_file():
            raise UserError(f"{spec} is a file; `harness import {spec} --out FOLDER` makes a results folder of a log")
        raise UserError(f"{spec}: no such result folder; give FOLDER or FOLDER:RUN")
    loaded = load([Path(folder)])
    cells = loaded.cells
    if not wanted:
        recipes = {(c.model, c.recipe) for c in cells}
        if len(recipes) > 1:
            names = ", ".join(
                sorted({c.recipe for c in cells} if len({c.recipe for c in cells}) > 1 else {c.model for c in cells})
            )
            raise UserError(f"{folder} holds several runs; name one as {folder}:RUN or {folder}:RECIPE, of {names}")
        members = list(range(len(cells)))
    else:
        members = [i for i, c in enumerate(cells) if any(run.startswith(wanted) for run in c.run_ids)]
        members = members or [
            i for i, c in enumerate(cells) if wanted in (c.recipe, c.model, c.model.rsplit("/", 1)[-1])
        ]
        if not members:
            named, runs = sorted({c.recipe for c in cells}), sorted({run for c in cells for run in c.run_ids})
            known = f"recipes {', '.join(named[:12])}; runs {', '.join(runs[:12])}{', ...' if len(runs) > 12 else ''}"
            raise UserError(f"{folder} has no run or recipe '{wanted}'; it has the {known}")
    headlines = find_headlines([cells[i] for i in members])
    return Side(Path(folder), loaded, {key[1]: cells[members[i]] for key, i in headlines.items()})


def _named_differently(left: Side, right: Side) -> list[tuple[str, str]]:
    """The tasks that only one side has by their name, in pairs that pose the same questions; most of them first.

    Half of the smaller task's questions have to be the other's: benchmarks borrow single problems from each other.
    """
    sides = ((left, set(left.cells) - set(right.cells)), (right, set(right.cells) - set(left.cells)))
    asked = [
        {task: set(filter(None, _hashes(side, side.cells[task], task).values())) for task in sorted(tasks)}
        for side, tasks in sides
    ]
    found: list[tuple[str, str]] = []

    def match(num_shared: Callable[[str, str], int]) -> None:
        common = {(p, q): num_shared(p, q) for p, q in product(*asked) if not any(p == a or q == b for a, b in found)}
        for (p, q), num in sorted(common.items(), key=lambda one: (-one[1], one[0])):
            taken = any(p == a or q == b for a, b in found)
            if num and not taken and 2 * num >= min(len(asked[0][p]), len(asked[1][q])):
                found.append((p, q))

    match(lambda p, q: len(asked[0][p] & asked[1][q]))
    if 0 < (len(asked[0]) - len(found)) * (len(asked[1]) - len(found)) <= MOST_TASKS:
        taken = {task for names in found for task in names}
        texts = [{task: _texts(side, task) for task in tasks - taken} for side, tasks in sides]
        match(lambda p, q: len(pair_wrapped(texts[0][p], texts[1][q])))
    return found


def _compared(left: Side, right: Side, task: str, other: str, margin: float) -> Comparison:
    """Task `task` of the left side against `other` of the right, which is the same one."""
    x, y = left.cells[task], right.cells[other]
    ids_a, ids_b = left.loaded.problems[task], right.loaded.problems[other]
    hashes_a, hashes_b = _hashes(left, x, task), _hashes(right, y, other)
    pairs = sorted(pair(hashes_a, hashes_b))
    wrapped = [] if pairs else sorted(pair_wrapped(_texts(left, task), _texts(right, other)))
    pairs = pairs or wrapped
    if not pairs:
        alike = len(set(hashes_a) & set(hashes_b))
        reason = f": {alike} problem(s) have the same id, but another question" if alike else ", by question or by id"
        raise UserError(f"{task}: the two runs have no problem in common{reason}")
    notes = [
        f"B calls this task {other}: found by its questions" if task != other else "",
        "paired by question: the two number their problems differently" if any(p != q for p, q in pairs) else "",
        "the question of one stands in the other's, which has instructions around it" if wrapped else "",
    ]
    shared = [p for p, _ in pairs]
    place_a, place_b = ({p: at for at, p in enumerate(ids)} for ids in (ids_a, ids_b))
    rows_a, rows_b = [place_a[p] for p, _ in pairs], [place_b[q] for _, q in pairs]
    scores_a, scores_b = x.correct[rows_a], y.correct[rows_b]
    mean_a, mean_b = x.accuracy[rows_a], y.accuracy[rows_b]
    runs_a, runs_b = run_variances([x])[0], run_variances([y])[0]
    p, test = paired_p_value(mean_a, mean_b)
    gap = mean_a - mean_b
    first, same = _texts_differ(_ids(left.folder, x), _ids(right.folder, y))
    return Comparison(
        task,
        _name(x),
        _name(y),
        share_interval(scores_a, runs_a),
        share_interval(scores_b, runs_b),
        difference_interval(scores_a, scores_b, runs_a, runs_b),
        p,
        test,
        int((~np.isnan(gap)).sum()),
        x.num_problems,
        y.num_problems,
        [shared[i] for i in np.flatnonzero(gap > 0)],
        [shared[i] for i in np.flatnonzero(gap < 0)],
        x.mean("thinking_tokens"),
        y.mean("thinking_tokens"),
        detectable(gap)[0],
        equivalence(scores_a, scores_b, margin, runs_a, runs_b),
        posterior(scores_a, scores_b, margin),
        first,
        same,
        "; ".join(filter(None, notes)),
        left.folder,
        right.folder,
        x.run_ids,
        y.run_ids,
        other,
    )


def _name(cell: Cell) -> str:
    from harness.analysis.settings import setting_name
    from harness.records import short

    name = short(cell.model) if cell.recipe in ("published", "base") else cell.recipe
    return f"{name}, {setting_name(cell)}"


def _hashes(side: Side, cell: Cell, task: str) -> dict[str, str | None]:
    """Problem -> hash of its question, of the problems that the cell has; of an older file from the question's text."""
    ids = [p for p, known in zip(side.loaded.problems[task], ~np.isnan(cell.means["error"]), strict=True) if known]
    stored = side.loaded.hashes.get(task, {})
    if all(problem in stored for problem in ids):
        return {problem: stored[problem] for problem in ids}
    rows = _rows(side.folder, cell, ["question", "choices"])
    texts = {row["problem_id"]: question_hash(row["question"] or "", row["choices"] or ()) for row in rows}
    return {problem: stored.get(problem) or texts.get(problem) for problem in ids}


def _texts(side: Side, task: str) -> dict[str, Text]:
    """Problem -> text and options of its question, where it is stored."""
    rows = _rows(side.folder, side.cells[task], ["question", "choices"])
    parts = {row["problem_id"]: question_parts(row["question"] or "", row["choices"] or ()) for row in rows}
    return {problem: one for problem, one in parts.items() if one[0]}


def _ids(folder: Path, cell: Cell) -> dict[str, tuple[str, list[int]]]:
    """Question, or the id where several have it -> (id, token ids of the first sample from the prompt's end)."""
    columns = ["sample_index", "question", "choices", "thinking_ids", "closing_ids", "answer_ids"]
    found: dict[str, tuple[str | None, list[int]]] = {}
    for row in _rows(folder, cell, columns):
        if not row["sample_index"] and row["thinking_ids"] is not None:
            text = question_hash(row["question"] or "", row["choices"] or ())
            found.setdefault(row["problem_id"], (text, generated_ids(row)))
    times = Counter(text for text, _ in found.values())
    return {
        text if text and times[text] == 1 else identity: (identity, tokens)
        for identity, (text, tokens) in found.items()
    }


def _texts_differ(
    a: dict[str, tuple[str, list[int]]], b: dict[str, tuple[str, list[int]]]
) -> tuple[dict[str, int], int]:
    """`first_differences` of the problems that both have, named as in `a`."""
    shared = set(a) & set(b)
    return first_differences({a[key][0]: a[key][1] for key in shared}, {a[key][0]: b[key][1] for key in shared})


def _rows(folder: Path, cell: Cell, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The cell's rows; a column that an older file lacks is None."""
    rows: list[dict[str, Any]] = []
    for path in sample_files(folder):
        names = ("run_id", "problem_id", *columns)
        with told(path):
            file = pq.ParquetFile(path)
            present = [name for name in names if name in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=2_000, columns=present):
                whole = typed(pa.Table.from_batches([batch]), SAMPLE_SCHEMA, names).to_pylist()
                rows += [row for row in whole if row["run_id"] in cell.run_ids]
    return rows


def first_differences(a: dict[str, list[int]], b: dict[str, list[int]]) -> tuple[dict[str, int], int]:
    """(problem -> index of the first differing token, number of identical texts) over problems that both have."""
    found = {problem: first_difference(a[problem], b[problem]) for problem in sorted(set(a) & set(b))}
    first = {problem: place for problem, place in found.items() if place is not None}
    return first, len(found) - len(first)
