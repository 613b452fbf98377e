"""Result folders as they lie on disk: their sample columns and run rows, checked and cast to today's schemas.

Columns are scanned, never the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.errors import UserError
from harness.parquet import told, typed
from harness.records import RUN_SCHEMA, SAMPLE_SCHEMA, SCHEMA_VERSION, SINCE, run_config
from harness.store import read_claim

TOKENS = (
    "thinking_tokens",
    "closing_tokens",
    "answer_tokens",
    "discarded_tokens",
    "shared_tokens",
    "budget_tokens",
    "num_attempts",
)
SETTING = (
    "study",
    "model",
    "recipe",
    "task",
    "method",
    "max_thinking_tokens",
    "num_ignores",
    "ignore_str",
    "instructed",
)  # what tells the settings of a folder apart, but for what its runs' configurations say beside
RUN_FACTS = ("run_id", *SETTING, "seed")
SAMPLE_COLUMNS = (
    *RUN_FACTS,
    "sample_index",
    "problem_id",
    *TOKENS,
    "forced_end",
    "looping",
    "thinking_finish",
    "reward",
    "error",
    "status",
    "extracted",
    "correct",
    "kind",
    "gold",
    "question_hash",
    "answer_logprob_mean",
    "metadata",
)
TEXTS = tuple(name for name in SAMPLE_COLUMNS if pa.types.is_string(SAMPLE_SCHEMA.field(name).type))
BUNCH_ROWS = 100_000
IDENTITY = ("run_id", "task", "problem_id")  # without these a file is not one of ours


def sample_files(out_dir: Path) -> list[Path]:
    """The sample files of a result folder, in the order of their paths."""
    return sorted((out_dir / "samples").glob("**/*.parquet"))


@dataclass
class SampleFile:
    """A file of samples whose head was read: its row groups are read as they are needed, some at a time."""

    path: Path
    present: list[str]  # of SAMPLE_COLUMNS
    texts: list[str]  # of these, stored as text
    bunches: list[list[int]]  # row groups that are read together

    def read(self, bunch: int, names: Sequence[str]) -> tuple[pa.Table, list[str], int]:
        """The named columns of one bunch, text as dictionaries, without the rows that `whole_rows` leaves out.

        Beside it what those rows lack, and how many they are. Raises UserError where a part of the file is broken or
        holds something else than our rows.
        """
        with told(self.path):
            file = pq.ParquetFile(self.path, read_dictionary=[name for name in names if name in self.texts])
            there = [name for name in names if name in self.present]
            table = typed(file.read_row_groups(self.bunches[bunch], columns=there), SAMPLE_SCHEMA, names, encoded=True)
        whole, nameless = whole_rows(table)
        return whole, nameless, table.num_rows - whole.num_rows


@dataclass
class Folder:
    """A results folder: its sample files, and its run rows without those of other configurations."""

    path: Path
    files: list[SampleFile]
    runs: pd.DataFrame
    kept: set[str] | None = None  # the runs that count; None: all
    renamed: dict[str, str] = field(default_factory=dict)  # studies

    def rename(self, study: str, new: str) -> None:
        """Call `study` by a new name."""
        self.renamed[study] = new
        self.runs = self.runs.assign(study=self.runs["study"].replace(study, new))


def read_folder(out_dir: Path, notes: list[str]) -> Folder:
    """The sample files and runs of `out_dir` that belong to its study as it is now.

    Args:
        out_dir: a folder written by ablate, evaluate or import.
        notes: gets a line for everything that was left out or is missing.

    Raises:
        UserError: the folder has no samples, or a file in it cannot be read.
    """
    paths = sample_files(out_dir)
    if not paths:
        raise UserError(f"{out_dir}: no samples/*.parquet; give a folder written by ablate, evaluate or import")
    files = [_open(path, notes) for path in paths]
    run_file = out_dir / "runs.parquet"
    if not run_file.exists():
        notes.append(f"{out_dir}: no runs.parquet, so headline and reference recipe are guessed")
        return Folder(out_dir, files, pd.DataFrame(columns=RUN_SCHEMA.names))
    runs = read_runs(run_file, notes)
    if (kept := current_runs(out_dir, runs, notes)) is not None:
        study = read_claim(out_dir).get("study", {})
        runs = runs[runs["run_id"].isin(kept)]
        runs = runs.assign(config=[_as_now(config, study) for config in runs["config"]])
    return Folder(out_dir, files, runs, kept)


def _open(path: Path, notes: list[str]) -> SampleFile:
    with told(path):
        file = pq.ParquetFile(path)
        present = _checked(path, file.schema_arrow, SAMPLE_SCHEMA, SAMPLE_COLUMNS, notes)
        texts = [name for name in present if pa.types.is_string(file.schema_arrow.field(name).type)]
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    return SampleFile(path, present, texts, list(_bunches(sizes)))


def _bunches(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Neighbouring row groups of the given sizes, in lists of about BUNCH_ROWS rows."""
    bunch, rows = [0] if sizes else [], sum(sizes[:1])
    for group, size in enumerate(sizes[1:], 1):
        if rows + size > BUNCH_ROWS:
            yield bunch
            bunch, rows = [], 0
        bunch, rows = [*bunch, group], rows + size
    if bunch:
        yield bunch


def current_runs(out_dir: Path, runs: pd.DataFrame, notes: list[str]) -> set[str] | None:
    """The run ids that belong to the folder's study as it is now; None where the folder does not say.

    Beside the study's own runs these are the ones that differ from them in task, budget and seeds alone: a sweep that
    was made in several calls. What else lies in the folder was made with another configuration, and is noted.
    """
    listed = read_claim(out_dir).get("runs")
    if not listed:
        return None
    configs = {str(row["run_id"]): json.loads(row["config"] or "{}") for row in runs.to_dict("records")}
    recipes = dict(zip(runs["run_id"], runs["recipe"], strict=True))
    current = {(recipes[run], configs[run].get("setup")) for run in listed if run in configs}
    kept = {run for run in configs if (recipes[run], configs[run].get("setup")) in current} | set(listed)
    if stale := [run for run in configs if run not in kept]:
        names = ", ".join(sorted({f"{recipes[run]} ({_changes(run, listed, recipes, configs)})" for run in stale}))
        notes.append(f"{len(stale)} run(s) of another configuration than {out_dir}/study.json left out: {names}")
    return kept


def _as_now(config: str | None, study: Mapping[str, Any]) -> str:
    """A run's configuration with the study's present headline and reference: a run that was kept has those of old."""
    now = {name: study[name] for name in ("headline", "reference_recipe") if name in study}
    return json.dumps(json.loads(config or "{}") | now)


def _changes(
    run: str, listed: Sequence[str], recipes: Mapping[str, str], configs: Mapping[str, Mapping[str, Any]]
) -> str:
    """What sets `run` apart from the listed runs of its recipe, as `key=value`."""
    other = next((configs[one] for one in listed if one in configs and recipes[one] == recipes[run]), None)
    if other is None:
        return "no such recipe now"
    mine, now = dotted_settings(configs[run]), dotted_settings(other)
    different = [f"{key}={mine[key]}" for key in sorted(mine) if mine[key] != now.get(key)]
    return ", ".join(different[:4]) or f"run {run}"


def dotted_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a run's configuration that tell setups apart, by their dotted names."""
    found: dict[str, Any] = {}
    for name in ("training", "sampling", "recipe_config", "engine"):
        found |= {f"{name}.{key}": value for key, value in (config.get(name) or {}).items()}
    return found | {name: config.get(name) for name in ("thinking", "replay", "max_model_len", "base_model")}


def ambiguous_studies(folders: Sequence[pd.DataFrame]) -> list[str]:
    """Names of studies that several folders hold with other settings: they are not one study."""
    setups: dict[tuple[str, str], list[set[str]]] = {}
    for runs in folders:
        here: dict[tuple[str, str], set[str]] = {}
        for row in runs.to_dict("records"):
            setup = json.loads(row["config"]).get("setup", "") if isinstance(row["config"], str) else ""
            here.setdefault((str(row["study"]), str(row["recipe"])), set()).add(setup)
        for key, found in here.items():
            setups.setdefault(key, []).append(found)
    return sorted({study for (study, _), found in setups.items() if any(one != found[0] for one in found)})


def _checked(path: Path, found: pa.Schema, schema: pa.Schema, names: Sequence[str], notes: list[str]) -> list[str]:
    """The named columns that a file has; missing ones (an older schema) are said. Raises `UserError`."""
    if foreign := [name for name in IDENTITY if name not in found.names and name in schema.names]:
        raise UserError(f"{path} has no column {', '.join(foreign)}: not written by ablate, evaluate or import")
    version = _version(found)
    if version > SCHEMA_VERSION:
        notes.append(f"{path.name}: schema {version} is newer than this release's {SCHEMA_VERSION}")
    present = [name for name in names if name in found.names]
    if missing := sorted(name for name in set(names) - set(present) if SINCE.get(name, 1) <= max(version, 1)):
        notes.append(f"{path.name} (schema {version}): no column {', '.join(missing)}")
    return present


def whole_rows(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """The rows whose run, task and problem are known, as far as they are columns; and which of these lack a value."""
    nameless = [name for name in IDENTITY if name in table.schema.names and table[name].null_count]
    return (table.filter(_all_known(table, nameless)) if nameless else table), nameless


def left_out(count: int, nameless: Sequence[str]) -> str:
    """What is said of rows that `whole_rows` left out."""
    return f"{count} row(s) without {', '.join(nameless)} left out"


def _all_known(table: pa.Table, names: Sequence[str]) -> pa.ChunkedArray:
    known = pc.is_valid(table[names[0]])
    for name in names[1:]:
        known = pc.and_(known, pc.is_valid(table[name]))
    return known


def _version(schema: pa.Schema) -> int:
    """The version that a file names; 0 for none, or one that is no number."""
    text = (schema.metadata or {}).get(b"s1_harness_schema", b"")
    return int(text) if text.isdigit() and len(text) < 10 else 0


def read_runs(path: Path, notes: list[str]) -> pd.DataFrame:
    """The run rows of a runs.parquet. A configuration that is none is left out, and noted. Raises `UserError`."""
    with told(path):
        file = pq.ParquetFile(path)
        present = _checked(path, file.schema_arrow, RUN_SCHEMA, RUN_SCHEMA.names, notes)
        table = typed(file.read(columns=present), RUN_SCHEMA, RUN_SCHEMA.names)
    whole, nameless = whole_rows(table)
    if nameless:
        notes.append(f"{path.name}: {left_out(table.num_rows - whole.num_rows, nameless)}")
    runs: pd.DataFrame = whole.to_pandas()
    configs = []
    for run, text in zip(runs["run_id"], runs["config"], strict=True):
        config, odd = run_config(text)
        configs.append(json.dumps(config))
        if odd:
            notes.append(f"{path.name}: of run {run}'s configuration, {odd} left out")
    assigned: pd.DataFrame = runs.assign(config=pd.Series(configs, index=runs.index, dtype=object))
    return assigned
