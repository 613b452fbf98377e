"""From the stored rows to cells: one cell is one setting of one recipe on one task, over all its seeds.

Columns are scanned, never the text. Every cell of a task has the same problem axis, so that pairing is indexing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from harness.errors import UserError
from harness.records import RUN_SCHEMA, SAMPLE_SCHEMA, SCHEMA_VERSION

Floats = NDArray[np.float64]
SETTING = ("method", "max_thinking_tokens", "num_ignores", "ignore_str", "instructed", "force")
KEY = ("study", "model", "recipe", "task", *SETTING)
TOKENS = ("thinking_tokens", "closing_tokens", "answer_tokens", "discarded_tokens", "budget_tokens", "num_attempts")
COLUMNS = (
    "run_id", "study", "model", "recipe", "task", "method", "max_thinking_tokens", "num_ignores", "ignore_str",
    "instructed", "seed", "sample_index", "problem_id", *TOKENS, "forced_end", "looping", "error", "status",
    "extracted", "correct",
)  # fmt: skip
UNPARSED = ("no_answer", "answer_unparseable")
IDENTITY = ("run_id", "task", "problem_id")  # without these a file is not one of ours


@dataclass(frozen=True)
class Cell:
    """One setting of one recipe on one task. Arrays run over the task's problems; NaN where a problem has no row."""

    study: str
    model: str
    recipe: str
    task: str
    method: str
    max_thinking_tokens: int | None  # None: auto
    num_ignores: int
    ignore_str: str | None  # None also when nothing is ignored
    instructed: str | None
    force: bool
    run_ids: tuple[str, ...]
    correct: Floats  # (problems, runs): mean over the run's samples of a problem
    means: dict[str, Floats]  # column -> (problems,): thinking_tokens, answer_tokens, total_tokens, forced, ...
    num_generations: int
    num_unscored: int  # gold_unparseable, or nothing to score against
    counts: dict[str, int]  # forced, truncated, looping, unparsed, timeout, error
    votes: NDArray[np.int64]  # (problems, generations of a problem): -1 none, 0 correct, 1.. wrong answers
    right: NDArray[np.int64]  # (problems,) correct generations
    total: NDArray[np.int64]  # (problems,) scored generations
    config: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def setting(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in SETTING)

    @property
    def accuracy(self) -> Floats:
        """(problems,) mean over runs."""
        return row_means(self.correct)

    @property
    def num_problems(self) -> int:
        return int((~np.isnan(self.accuracy)).sum())

    def mean(self, name: str) -> float:
        values = self.means[name]
        return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


@dataclass(frozen=True)
class Cells:
    """Everything that was read: the cells, the problem axis of each task, the runs' rows and what had to be said."""

    cells: tuple[Cell, ...]
    problems: dict[str, list[str]]
    runs: pd.DataFrame
    notes: tuple[str, ...]


def row_means(matrix: Floats) -> Floats:
    """Row means over the known entries; NaN, without a warning, where a row has none."""
    known = ~np.isnan(matrix)
    with np.errstate(invalid="ignore"):
        means: Floats = np.where(known, matrix, 0).sum(axis=1) / known.sum(axis=1)
    return means


def sample_files(out_dir: Path) -> list[Path]:
    return sorted((out_dir / "samples").glob("**/*.parquet"))


def load(dirs: Sequence[Path]) -> Cells:
    """Read result folders. Raises UserError for a folder without samples; notes what was left out and why."""
    notes: list[str] = []
    tables, runs = [], []
    for out_dir in dirs:
        files = sample_files(Path(out_dir))
        if not files:
            raise UserError(f"{out_dir}: no samples/*.parquet; give a folder written by ablate, evaluate or import")
        tables += [read_columns(path, SAMPLE_SCHEMA, COLUMNS, notes) for path in files]
        run_file = Path(out_dir) / "runs.parquet"
        if run_file.exists():
            runs.append(read_columns(run_file, RUN_SCHEMA, RUN_SCHEMA.names, notes).to_pandas())
        else:
            notes.append(f"{out_dir}: no runs.parquet, so headline and reference recipe are guessed")
    frame = pa.concat_tables(tables).unify_dictionaries().to_pandas()
    run_frame = pd.concat(runs, ignore_index=True) if runs else pd.DataFrame(columns=RUN_SCHEMA.names)
    return build(frame, run_frame, notes)


def read_columns(path: Path, schema: pa.Schema, names: Sequence[str], notes: list[str]) -> pa.Table:
    """The named columns of one file in `schema`'s types: missing ones (an older schema) are null, and said.

    Raises UserError for a file that is no Parquet, was cut, or holds something else than our rows.
    """
    try:
        return _read_columns(pq.ParquetFile(path), path, schema, names, notes)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = str(error).splitlines()[0][:120]
        raise UserError(
            f"{path} cannot be read ({reason}); remove it, the run that wrote it can be repeated"
        ) from error


def _read_columns(
    file: pq.ParquetFile, path: Path, schema: pa.Schema, names: Sequence[str], notes: list[str]
) -> pa.Table:
    if foreign := [name for name in IDENTITY if name not in file.schema_arrow.names and name in schema.names]:
        raise UserError(f"{path} has no column {', '.join(foreign)}: not written by ablate, evaluate or import")
    version = int((file.schema_arrow.metadata or {}).get(b"s1_harness_schema", b"0") or 0)
    if version > SCHEMA_VERSION:
        notes.append(f"{path.name}: schema {version} is newer than this release's {SCHEMA_VERSION}")
    present = [name for name in names if name in file.schema_arrow.names]
    if missing := sorted(set(names) - set(present)):
        notes.append(f"{path.name} (schema {version}): no column {', '.join(missing)}")
    table = file.read(columns=present)
    columns = {}
    for name in names:
        kind = schema.field(name).type
        column = _cast(table[name], kind) if name in present else pa.nulls(table.num_rows, kind)
        columns[name] = column.dictionary_encode() if pa.types.is_string(kind) and schema is SAMPLE_SCHEMA else column
    return pa.table(columns)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The column in another type; a NaN where a whole number belongs is no number."""
    if pa.types.is_floating(column.type) and pa.types.is_integer(kind):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
    return column.cast(kind)


def build(frame: pd.DataFrame, runs: pd.DataFrame, notes: list[str]) -> Cells:
    """Group rows into cells. Repeated rows of one generation count once (the last), and are said."""
    identity = ["run_id", "problem_id", "sample_index"]
    frame = frame.iloc[np.argsort(frame["error"].isna().to_numpy(), kind="stable")]  # an attempt that failed loses
    repeated = frame.duplicated(identity, keep="last")
    if repeated.any():
        again = int((repeated & frame["error"].isna()).sum())
        notes += [f"{again} repeated row(s) of the same generation left out"] if again else []
        frame = frame[~repeated]
    if (bad := ~(pd.to_numeric(frame["thinking_tokens"], errors="coerce") >= 0)).any():
        notes.append(f"{int(bad.sum())} row(s) without a thinking-token count: in the accuracy, not in the token means")
    configs: dict[str, dict[str, Any]] = {
        str(row["run_id"]): json.loads(row["config"]) if isinstance(row["config"], str) else {}
        for row in runs.to_dict("records")
    }
    failed = runs[runs["status"] == "failed"] if len(runs) else runs
    for row in failed.to_dict("records"):
        notes.append(f"run {row['run_id']} ({row['recipe']}, {row['task']}) failed: {row['error']}")
    frame = _normalised(frame, configs)
    problems = {str(t): sorted(g["problem_id"].astype(str).unique()) for t, g in frame.groupby("task", observed=True)}
    cells = []
    for key, group in frame.groupby(list(KEY), observed=True, dropna=False, sort=True):
        by_seed = group.groupby("seed", dropna=False)["run_id"].nunique()
        if by_seed.max() > 1:  # same setting and seed, yet two configurations: never averaged together
            named = dict(zip(KEY, key, strict=True))
            notes.append(f"{named['recipe']} on {named['task']}: runs of one setting differ otherwise, shown apart")
            parts = [(part, f"run {run}") for run, part in group.groupby("run_id", observed=True)]
        else:
            parts = [(group, "")]
        cells += [_cell(key, part, problems[str(key[3])], configs, note) for part, note in parts]
    measured = {run for cell in cells for run in cell.run_ids}
    for row in runs.to_dict("records"):
        if row["run_id"] not in measured and row["status"] != "failed":
            notes.append(f"run {row['run_id']} ({row['recipe']}, {row['task']}) has no samples: no figure for it")
    notes += [] if cells else ["no sample was found: there is nothing to measure"]
    return Cells(tuple(cells), problems, runs, tuple(dict.fromkeys(notes)))


def _normalised(frame: pd.DataFrame, configs: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Add what the grouping needs: whether ends are forced, and no ignore string where nothing is ignored."""
    force = {run: bool((config.get("budget") or {}).get("force", True)) for run, config in configs.items()}
    codes, run_ids = pd.factorize(frame["run_id"])
    ignores = frame["num_ignores"].fillna(0).astype(int)
    return frame.assign(
        force=np.array([force.get(run, True) for run in run_ids], dtype=bool)[codes],
        num_ignores=ignores,
        ignore_str=frame["ignore_str"].astype(object).where(ignores > 0, None),
    )


def _cell(
    key: tuple[Any, ...], rows: pd.DataFrame, problems: list[str], configs: dict[str, dict[str, Any]], note: str
) -> Cell:
    named: dict[str, Any] = {name: None if pd.isna(value) else value for name, value in zip(KEY, key, strict=True)}
    named["max_thinking_tokens"] = None if named["max_thinking_tokens"] is None else int(named["max_thinking_tokens"])
    num = len(problems)
    problem = pd.Categorical(rows["problem_id"].astype(str), categories=problems).codes.astype(np.int64)
    run, run_ids = pd.factorize(rows["run_id"], sort=True)
    status = rows["status"].astype(object)
    known = rows["correct"].astype(object).map({True: 1.0, False: 0.0}).to_numpy(dtype=float)
    correct: Floats = np.where(status == "gold_unparseable", np.nan, known)
    scored = ~np.isnan(correct)
    flags = {
        "forced": rows["forced_end"].fillna(False).to_numpy(dtype=bool),
        "truncated": (status == "truncated").to_numpy(),
        "looping": rows["looping"].fillna(False).to_numpy(dtype=bool),
        "unparsed": (status.isin(UNPARSED) & rows["error"].isna()).to_numpy(),
        "timeout": (status == "answer_timeout").to_numpy(),
        "error": rows["error"].notna().to_numpy(),
    }
    tokens: dict[str, Floats] = {name: rows[name].to_numpy(dtype=float, na_value=np.nan) for name in TOKENS}
    counted = ~flags["error"]  # what a failed call had generated is not known
    tokens = {name: np.where(counted & (values >= 0), values, np.nan) for name, values in tokens.items()}
    tokens["total_tokens"] = tokens["thinking_tokens"] + np.nan_to_num(tokens["closing_tokens"]) + np.nan_to_num(
        tokens["answer_tokens"]) + np.nan_to_num(tokens["discarded_tokens"])  # fmt: skip
    values = tokens | {name: flag.astype(float) for name, flag in flags.items()}
    scored_problem = problem[scored]
    return Cell(
        **named,
        run_ids=tuple(str(r) for r in run_ids),
        correct=_grouped_mean(correct, problem * len(run_ids) + run, num * len(run_ids)).reshape(num, -1),
        means={name: _grouped_mean(v, problem, num) for name, v in values.items()},
        num_generations=len(rows),
        num_unscored=int((~scored).sum()),
        counts={name: int(flag.sum()) for name, flag in flags.items()},
        votes=_votes(problem, correct, rows["extracted"], num),
        right=np.bincount(scored_problem, weights=correct[scored], minlength=num).astype(np.int64),
        total=np.bincount(scored_problem, minlength=num),
        config=configs.get(str(run_ids[0]), {}),
        note=note,
    )  # fmt: skip


def _grouped_mean(values: Floats, groups: NDArray[np.int64], num_groups: int) -> Floats:
    known = ~np.isnan(values)
    sums = np.bincount(groups[known], weights=values[known], minlength=num_groups)
    with np.errstate(invalid="ignore"):
        means: Floats = sums / np.bincount(groups[known], minlength=num_groups)
    return means


def _votes(problem: NDArray[np.int64], correct: Floats, extracted: pd.Series, num: int) -> NDArray[np.int64]:
    """(problems, generations) votes for maj@k; a problem with fewer generations than the most is padded with -2."""
    order = np.argsort(problem, kind="stable")
    sorted_problem = problem[order]
    counts = np.bincount(problem, minlength=num)
    position = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    labels, _ = pd.factorize(extracted.astype(object))
    labels = labels[order]
    wrong = np.full(len(order), -1, dtype=np.int64)
    voted = labels >= 0
    # Number the wrong answers within each problem, so that the ballot stays as narrow as the number of samples.
    pair = pd.DataFrame({"problem": sorted_problem[voted], "label": labels[voted]})
    first = pair.drop_duplicates()
    rank = first.groupby("problem").cumcount() + 1
    wrong[voted] = pair.merge(first.assign(rank=rank), on=["problem", "label"], how="left")["rank"].to_numpy()
    votes = np.full((num, int(counts.max()) if len(order) else 0), -2, dtype=np.int64)
    votes[sorted_problem, position] = np.where(correct[order] == 1, 0, wrong)
    return votes


def short(model: str) -> str:
    return model.rstrip("/").rsplit("/", 1)[-1]


def setting_name(cell: Cell) -> str:
    """auto, 500, auto+2 Wait, 16 steps, ..."""
    budget = "auto" if cell.max_thinking_tokens is None else f"{cell.max_thinking_tokens:,}"
    name = budget + (f"+{cell.num_ignores} {cell.ignore_str or '(nothing)'}" if cell.num_ignores else "")
    if cell.instructed:
        name = f"told {cell.instructed}" + (", forced" if cell.force else "")
    elif cell.method == "rejection_sampling":
        name = f"reject over {budget}"
    elif cell.method == "no_thinking":
        name = "no thinking"
    return name + (f" ({cell.note})" if cell.note else "")
