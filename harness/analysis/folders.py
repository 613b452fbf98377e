"""Result folders as they lie on disk: their sample columns and run rows, checked and cast to today's schemas.

Columns are scanned, never the text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    "thinking_tokens", "closing_tokens", "answer_tokens", "discarded_tokens", "shared_tokens", "budget_tokens",
    "num_attempts",
)  # fmt: skip
SAMPLE_COLUMNS = (
    "run_id",
    "study",
    "model",
    "recipe",
    "task",
    "method",
    "max_thinking_tokens",
    "num_ignores",
    "ignore_str",
    "instructed",
    "seed",
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
IDENTITY = ("run_id", "task", "problem_id")  # without these a file is not one of ours


def sample_files(out_dir: Path) -> list[Path]:
    """The sample files of a result folder, in the order of their paths."""
    return sorted((out_dir / "samples").glob("**/*.parquet"))


@dataclass
class Folder:
    """A results folder as it was read: its sample tables and its run rows, without those of other configurations."""

    path: Path
    samples: list[pa.Table]
    runs: pd.DataFrame

    def rename(self, study: str, new: str) -> None:
        """Call `study` by a new name."""
        at = SAMPLE_COLUMNS.index("study")
        for index, table in enumerate(self.samples):
            names = pc.if_else(pc.equal(table["study"].cast(pa.string()), study), new, table["study"].cast(pa.string()))
            self.samples[index] = table.set_column(at, "study", names.dictionary_encode())
        self.runs = self.runs.assign(study=self.runs["study"].replace(study, new))


def read_folder(out_dir: Path, notes: list[str]) -> Folder:
    """The samples and runs of `out_dir` that belong to its study as it is now.

    Args:
        out_dir: a folder written by ablate, evaluate or import.
        notes: gets a line for everything that was left out or is missing.

    Raises:
        UserError: the folder has no samples, or a file in it cannot be read.
    """
    files = sample_files(out_dir)
    if not files:
        raise UserError(f"{out_dir}: no samples/*.parquet; give a folder written by ablate, evaluate or import")
    samples = [read_columns(path, SAMPLE_SCHEMA, SAMPLE_COLUMNS, notes) for path in files]
    run_file = out_dir / "runs.parquet"
    if not run_file.exists():
        notes.append(f"{out_dir}: no runs.parquet, so headline and reference recipe are guessed")
        return Folder(out_dir, samples, pd.DataFrame(columns=RUN_SCHEMA.names))
    runs = read_runs(run_file, notes)
    if (kept := current_runs(out_dir, runs, notes)) is not None:
        study = read_claim(out_dir).get("study", {})
        runs = runs[runs["run_id"].isin(kept)]
        runs = runs.assign(config=[_as_now(config, study) for config in runs["config"]])
        values = pa.array(sorted(kept))
        samples = [table.filter(pc.is_in(table["run_id"].cast(pa.string()), values)) for table in samples]
    return Folder(out_dir, samples, runs)


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


def read_columns(path: Path, schema: pa.Schema, names: Sequence[str], notes: list[str]) -> pa.Table:
    """The named columns of one file in `schema`'s types: missing ones (an older schema) are null, and said.

    Raises UserError for a file that is no Parquet, was cut, or holds something else than our rows.
    """
    with told(path):
        file = pq.ParquetFile(path)
        if foreign := [name for name in IDENTITY if name not in file.schema_arrow.names and name in schema.names]:
            raise UserError(f"{path} has no column {', '.join(foreign)}: not written by ablate, evaluate or import")
        version = _version(file.schema_arrow)
        if version > SCHEMA_VERSION:
            notes.append(f"{path.name}: schema {version} is newer than this release's {SCHEMA_VERSION}")
        present = [name for name in names if name in file.schema_arrow.names]
        if missing := sorted(name for name in set(names) - set(present) if SINCE.get(name, 1) <= max(version, 1)):
            notes.append(f"{path.name} (schema {version}): no column {', '.join(missing)}")
        table = typed(file.read(columns=present), schema, names)
    if nameless := [name for name in IDENTITY if name in names and table[name].null_count]:
        whole = table.filter(_all_known(table, nameless))
        notes.append(f"{path.name}: {table.num_rows - whole.num_rows} row(s) without {', '.join(nameless)} left out")
        table = whole
    if schema is SAMPLE_SCHEMA:
        texts = [name for name in names if pa.types.is_string(schema.field(name).type)]
        for name in texts:
            table = table.set_column(table.schema.get_field_index(name), name, table[name].dictionary_encode())
    return table


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
    runs: pd.DataFrame = read_columns(path, RUN_SCHEMA, RUN_SCHEMA.names, notes).to_pandas()
    configs = []
    for run, text in zip(runs["run_id"], runs["config"], strict=True):
        config, odd = run_config(text)
        configs.append(json.dumps(config))
        if odd:
            notes.append(f"{path.name}: of run {run}'s configuration, {odd} left out")
    assigned: pd.DataFrame = runs.assign(config=pd.Series(configs, index=runs.index, dtype=object))
    return assigned
