"""From the stored rows to cells: one cell is one setting of one recipe on one task, over all its seeds.

Every cell of a task has the same problem axis, so that pairing is indexing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from harness.analysis.folders import TOKENS, ambiguous_studies, dotted_settings, read_folder
from harness.analysis.intervals import row_means
from harness.analysis.pairing import hashes_by_task, with_shared_ids
from harness.checked import from_plain
from harness.config import Budget, fingerprint
from harness.files import json_row
from harness.records import RUN_SCHEMA, setting

Floats = NDArray[np.float64]
KEY = (
    "study", "model", "recipe", "task", "method", "max_thinking_tokens", "num_ignores", "ignore_str", "instructed",
    "force",
)  # fmt: skip
WHOLE = ("setup", "budget_key")  # beside the columns: the rest of a run's configuration, without its seeds
LOGGED = "logged:"  # before the setup of an imported run: what its log tells, which may not be all
TOLD = {"forced": "forced_end", "looping": "looping"}  # counts that a log may not tell, and their columns
UNPARSED = ("no_answer", "ambiguous", "answer_unparseable", "undecided")


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
    counts: dict[str, int]  # forced, truncated, looping, unparsed, rejected, timeout, error; without what is not known
    votes: NDArray[np.int64]  # (problems, generations of a problem): -1 none, 0 correct, 1.. wrong answers
    weights: Floats  # like votes: the reward of each generation, 1 where no reward led it
    confidence: Floats  # like votes: the mean log-probability of each answer, NaN where not known
    right: NDArray[np.int64]  # (problems,) correct generations
    total: NDArray[np.int64]  # (problems,) scored generations
    letters: dict[tuple[str, str], int]  # of choice questions: (gold, chosen or "") -> generations
    budget: Budget  # the whole setting, without what has no effect in it
    config: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def accuracy(self) -> Floats:
        """(problems,) mean over runs."""
        return row_means(self.correct)

    @property
    def num_problems(self) -> int:
        """Problems with at least one scored generation."""
        return int((~np.isnan(self.accuracy)).sum())

    def mean(self, name: str) -> float:
        """The mean of measure `name` over the problems that have one; NaN where none has."""
        values = self.means[name]
        return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


@dataclass(frozen=True)
class Cells:
    """Everything that was read: the cells, the problem axis of each task, the runs' rows and the warnings."""

    cells: tuple[Cell, ...]
    problems: dict[str, list[str]]
    runs: pd.DataFrame
    notes: tuple[str, ...]
    hashes: dict[str, dict[str, str]] = field(default_factory=dict)  # task -> problem -> hash of its question
    facts: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)  # task -> fact (subject) -> problem -> it


def load(dirs: Sequence[Path]) -> Cells:
    """Read result folders. Raises UserError for a folder without samples; notes what was left out and why."""
    notes: list[str] = []
    folders = [read_folder(Path(out_dir), notes) for out_dir in dirs]
    for name in ambiguous_studies([folder.runs for folder in folders]):
        for folder in folders:
            folder.rename(name, f"{name} ({folder.path.name})")
    runs = [folder.runs for folder in folders if len(folder.runs)]
    run_frame = pd.concat(runs, ignore_index=True) if runs else pd.DataFrame(columns=RUN_SCHEMA.names)
    return build(_as_frame([folder.samples for folder in folders]), run_frame, notes)


def _as_frame(samples: Sequence[list[pa.Table]]) -> pd.DataFrame:
    """All rows in one frame. The lists are emptied, and each column's Arrow memory is given back as it is converted."""
    table = pa.concat_tables([one for tables in samples for one in tables]).unify_dictionaries()
    for tables in samples:
        tables.clear()
    frame: pd.DataFrame = table.to_pandas(self_destruct=True, split_blocks=True)
    return frame


def build(frame: pd.DataFrame, runs: pd.DataFrame, notes: list[str]) -> Cells:
    """Group rows into cells. Repeated rows of one generation count once (the last), and are said."""
    identity = ["run_id", "problem_id", "sample_index"]
    failed_first = frame["error"].notna().to_numpy()
    if failed_first.any():  # an attempt that failed loses
        frame = frame.iloc[np.argsort(~failed_first, kind="stable")]
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
    frame = _with_settings(with_shared_ids(frame, notes), configs)
    problems = {str(t): sorted(g["problem_id"].astype(str).unique()) for t, g in frame.groupby("task", observed=True)}
    cells: list[Cell] = []
    for key, group in frame.groupby([*KEY, *WHOLE], observed=True, dropna=False, sort=True):
        by_seed = group.groupby("seed", dropna=False)["run_id"].nunique()
        parts = [(group, "")]
        whole = key[len(KEY)] and not str(key[len(KEY)]).startswith(LOGGED)
        if not whole and by_seed.max() > 1:  # same columns and seed, and no configuration that says more
            named = dict(zip(KEY, key, strict=False))
            notes.append(f"{named['recipe']} on {named['task']}: runs of one setting differ otherwise, shown apart")
            parts = [(part, f"run {run}") for run, part in group.groupby("run_id", observed=True)]
        cells += [_cell(key[: len(KEY)], part, problems[str(key[3])], configs, note) for part, note in parts]
    cells = _told_apart(cells)
    measured = {run for cell in cells for run in cell.run_ids}
    for row in runs.to_dict("records"):
        if row["run_id"] not in measured and row["status"] != "failed":
            notes.append(f"run {row['run_id']} ({row['recipe']}, {row['task']}) has no samples: no figure for it")
    notes += [] if cells else ["no sample was found: there is nothing to measure"]
    return Cells(tuple(cells), problems, runs, tuple(dict.fromkeys(notes)), hashes_by_task(frame), facts_by_task(frame))


def facts_by_task(frame: pd.DataFrame) -> dict[str, dict[str, dict[str, str]]]:
    """Task -> fact of a problem (subject, level, year) -> problem id -> its value as text, from the metadata column."""
    if "metadata" not in frame.columns:
        return {}
    known = frame[frame["metadata"].notna()].drop_duplicates(["task", "problem_id"])
    found: dict[str, dict[str, dict[str, str]]] = {}
    for task, problem, text in zip(known["task"], known["problem_id"], known["metadata"], strict=True):
        facts = json_row(str(text).encode("utf-8", "replace"))
        for name, value in facts.items() if isinstance(facts, dict) else ():
            if isinstance(value, str | int | float | bool):
                found.setdefault(str(task), {}).setdefault(name, {})[str(problem)] = str(value)
    return found


def _with_settings(frame: pd.DataFrame, configs: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Add what the grouping needs: each row's whole setting and setup, and whether ends are forced."""
    codes, run_ids = pd.factorize(frame["run_id"])
    first = {str(row["run_id"]): row for row in frame.drop_duplicates("run_id").to_dict("records")}
    budgets = {run: budget_of(configs.get(run, {}), columns) for run, columns in first.items()}
    order = [str(run) for run in run_ids]

    def column(values: Sequence[Any]) -> Any:
        return np.array(values, dtype=object)[codes]

    return frame.assign(
        force=column([budgets[run].force for run in order]).astype(bool),
        num_ignores=frame["num_ignores"].fillna(0).astype(int),
        ignore_str=frame["ignore_str"].astype(object).where(frame["num_ignores"].fillna(0) > 0, None),
        setup=column([setup_of(configs.get(run, {})) for run in order]),
        budget_key=column([fingerprint(budgets[run]) for run in order]),
    )


def setup_of(config: Mapping[str, Any]) -> str:
    """What of a run's configuration, beside its budget and its seeds, two runs of one cell share; "" where untold."""
    if logged := config.get("logged_settings"):
        return f"{LOGGED}{logged}"
    return str(config.get("setup") or "")


def budget_of(config: Mapping[str, Any], columns: Mapping[Any, Any]) -> Budget:
    """A run's effective setting, from its configuration, or from a row's columns where it has none."""
    if config.get("budget"):
        return from_plain(Budget, config["budget"], "budget of a stored run: ").effective
    limit, ignores, told = (columns[name] for name in ("max_thinking_tokens", "num_ignores", "instructed"))
    return Budget(
        "auto" if pd.isna(limit) else int(limit),
        0 if pd.isna(ignores) else int(ignores),
        None if pd.isna(columns["ignore_str"]) else str(columns["ignore_str"]),
        method="budget_forcing" if pd.isna(columns["method"]) else columns["method"],
        instructed=None if pd.isna(told) else str(told),
    ).effective


def _told_apart(cells: Sequence[Cell]) -> list[Cell]:
    """The cells, with what differs named where two have the same recipe, task and setting."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, cell in enumerate(cells):
        groups.setdefault((cell.study, cell.model, cell.recipe, cell.task, cell.budget), []).append(i)
    found = list(cells)
    for members in groups.values():
        flat = {i: dotted_settings(cells[i].config) for i in members}
        for i in members:
            differs = [
                f"{key.rpartition('.')[2]}={value}"
                for key, value in sorted(flat[i].items())
                if any(flat[j].get(key) != value for j in members) and not key.endswith(".seed")
            ]
            if len(members) > 1 and not found[i].note:
                found[i] = replace(cells[i], note=", ".join(differs[:3]) or f"run {cells[i].run_ids[0]}")
    return found


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
    rejected = (rows["thinking_finish"].astype(object) == "rejected") & rows["error"].isna()
    flags = {
        "forced": rows["forced_end"].fillna(False).to_numpy(dtype=bool),
        "truncated": (status == "truncated").to_numpy(),
        "looping": rows["looping"].fillna(False).to_numpy(dtype=bool),
        "unparsed": (status.isin(UNPARSED) & rows["error"].isna() & ~rejected).to_numpy(),
        "rejected": rejected.to_numpy(),
        "timeout": (status == "answer_timeout").to_numpy(),
        "error": rows["error"].notna().to_numpy(),
    }
    tokens: dict[str, Floats] = {name: rows[name].to_numpy(dtype=float, na_value=np.nan) for name in TOKENS}
    counted = ~flags["error"]  # what a failed call had generated is not known
    tokens = {name: np.where(counted & (values >= 0), values, np.nan) for name, values in tokens.items()}
    tokens["total_tokens"] = (
        tokens["thinking_tokens"]
        + np.nan_to_num(tokens["closing_tokens"])
        + np.nan_to_num(tokens["answer_tokens"])
        + np.nan_to_num(tokens["discarded_tokens"])
        - np.nan_to_num(tokens["shared_tokens"])
    )
    # Such a row has no thought: every token is counted, but the mean length is that of thoughts.
    tokens["thinking_tokens"] = np.where(flags["rejected"], np.nan, tokens["thinking_tokens"])
    # What an imported log does not tell is neither a rate nor a count.
    untold = {name for name, column in TOLD.items() if len(rows) and rows[column].isna().all()}
    values = tokens | {
        name: flag.astype(float) if name not in untold else np.full(len(rows), np.nan) for name, flag in flags.items()
    }
    scored_problem = problem[scored]
    return Cell(
        **named,
        run_ids=tuple(str(r) for r in run_ids),
        correct=_grouped_mean(correct, problem * len(run_ids) + run, num * len(run_ids)).reshape(num, -1),
        means={name: _grouped_mean(v, problem, num) for name, v in values.items()},
        num_generations=len(rows),
        num_unscored=int((~scored).sum()),
        counts={name: int(flag.sum()) for name, flag in flags.items() if name not in untold},
        votes=_votes(problem, correct, rows["extracted"], num),
        weights=_laid_out(problem, rows["reward"], num, 1.0),
        confidence=_laid_out(problem, rows["answer_logprob_mean"], num, np.nan),
        right=np.bincount(scored_problem, weights=correct[scored], minlength=num).astype(np.int64),
        total=np.bincount(scored_problem, minlength=num),
        letters=_letters(rows[scored & ~flags["error"] & (rows["kind"].astype(object) == "choice").to_numpy()]),
        budget=budget_of(configs.get(str(run_ids[0]), {}), rows.iloc[0].to_dict()),
        config=configs.get(str(run_ids[0]), {}),
        note=note,
    )


def _letters(rows: pd.DataFrame) -> dict[tuple[str, str], int]:
    """(gold letter, chosen letter or "" where none was found) -> rows."""
    gold = rows["gold"].astype(object).fillna("").str.strip("() ").str.upper()
    chosen = rows["extracted"].astype(object).fillna("").str.upper().where(lambda text: text.str.fullmatch("[A-Z]"), "")
    one_letter = gold.str.fullmatch("[A-Z]").astype(bool)
    return dict(Counter(zip(gold[one_letter], chosen[one_letter], strict=True)))


def _grouped_mean(values: Floats, groups: NDArray[np.int64], num_groups: int) -> Floats:
    known = ~np.isnan(values)
    sums = np.bincount(groups[known], weights=values[known], minlength=num_groups)
    with np.errstate(invalid="ignore"):
        means: Floats = sums / np.bincount(groups[known], minlength=num_groups)
    return means


def _votes(problem: NDArray[np.int64], correct: Floats, extracted: pd.Series, num: int) -> NDArray[np.int64]:
    """(problems, generations) votes for maj@k; a problem with fewer generations than the most is padded with -2."""
    order, position = _places(problem, num)
    sorted_problem = problem[order]
    labels, _ = pd.factorize(extracted.astype(object))
    labels = labels[order]
    wrong = np.full(len(order), -1, dtype=np.int64)
    voted = labels >= 0
    # Number the wrong answers within each problem, so that the ballot stays as narrow as the number of samples.
    pair = pd.DataFrame({"problem": sorted_problem[voted], "label": labels[voted]})
    first = pair.drop_duplicates()
    rank = first.groupby("problem").cumcount() + 1
    wrong[voted] = pair.merge(first.assign(rank=rank), on=["problem", "label"], how="left")["rank"].to_numpy()
    votes = np.full((num, int(position.max(initial=-1)) + 1), -2, dtype=np.int64)
    votes[sorted_problem, position] = np.where(correct[order] == 1, 0, wrong)
    return votes


def _laid_out(problem: NDArray[np.int64], values: pd.Series, num: int, missing: float) -> Floats:
    """(problems, generations) of a column, as `_votes` lays them out; `missing` where it is null."""
    order, position = _places(problem, num)
    found = np.full((num, int(position.max(initial=-1)) + 1), missing)
    found[problem[order], position] = values.astype(float).fillna(missing).to_numpy()[order]
    return found


def _places(problem: NDArray[np.int64], num: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows sorted by problem, and the place of each among its problem's generations."""
    order = np.argsort(problem, kind="stable")
    counts = np.bincount(problem, minlength=num)
    return order, np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)


def setting_name(cell: Cell) -> str:
    """The setting's name (`harness.records.setting`), and what sets the cell apart from another one of that name."""
    return setting(cell.budget) + (f" ({cell.note})" if cell.note else "")
