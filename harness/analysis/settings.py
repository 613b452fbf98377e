"""From the stored rows to cells: one cell is one setting of one recipe on one task, over all its seeds.

Every cell of a task has the same problem axis, so that pairing is indexing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.folders import SETTING, ambiguous_studies, dotted_settings, read_folder
from harness.analysis.intervals import row_means
from harness.analysis.metrics import majority_vote
from harness.analysis.pairing import hashes_by_task, numbered_differently, shared_ids
from harness.analysis.rows import LETTERS, Rows, Survey, survey
from harness.checked import from_plain
from harness.config import Budget, fingerprint
from harness.files import json_row
from harness.records import RUN_SCHEMA, setting

Floats = NDArray[np.float64]
Votes = NDArray[np.int32]
KEY = (*SETTING, "force")
WHOLE = ("setup", "budget_key")  # beside the columns: the rest of a run's configuration, without its seeds
OF_A_RESPONSE = re.compile(r"(?:finish|stop)_?reasons?|truncated|(?:\w+_)?tokens", re.IGNORECASE)  # in its metadata
LOGGED = "logged:"  # before the setup of an imported run: what its log tells, which may not be all


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
    votes: Votes  # (problems, generations of a problem): -1 none, 0 correct, 1.. wrong answers
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

    @cached_property
    def complete(self) -> NDArray[np.bool_]:
        """(problems,) whether a problem has as many generations as any other, one of them scored."""
        whole: NDArray[np.bool_] = (self.votes != -2).all(axis=1) & (self.total > 0)
        return whole

    @cached_property
    def majority(self) -> dict[int, Floats]:
        """maj@k of each problem, NaN where it is not complete, for k of 2, 4, ... up to its generations."""
        found = {}
        if self.complete.any():
            for k in (2**p for p in range(1, self.votes.shape[1].bit_length())):
                found[k] = np.full(len(self.total), np.nan)
                found[k][self.complete] = majority_vote(self.votes[self.complete], k)
        return found

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
    return build(survey(folders, notes), run_frame, notes)


def build(found: Survey, runs: pd.DataFrame, notes: list[str]) -> Cells:
    """Group rows into cells, reading those of some cells at a time."""
    configs: dict[str, dict[str, Any]] = {
        str(row["run_id"]): json.loads(row["config"]) if isinstance(row["config"], str) else {}
        for row in runs.to_dict("records")
    }
    at = len(notes)  # here stands what reading the rows tells
    failed = runs[runs["status"] == "failed"] if len(runs) else runs
    for row in failed.to_dict("records"):
        notes.append(f"run {row['run_id']} ({row['recipe']}, {row['task']}) failed: {row['error']}")
    named = _named_problems(found, notes)
    problems = {str(task): sorted(group.unique()) for task, group in named.groupby("task", observed=True)["problem"]}
    axis = {task: {problem: place for place, problem in enumerate(ids)} for task, ids in problems.items()}
    places = np.array([axis[str(t)][p] for t, p in zip(named["task"], named["problem"], strict=True)], dtype=np.int64)
    frame = _with_settings(found.as_text(found.settings), configs)
    plan = _planned(frame, notes)
    built: dict[int, Cell] = {}
    repeated = uncounted = 0
    of_cell = np.full(len(frame), -1)
    for cell, (_, members, _) in enumerate(plan):
        of_cell[members] = cell
    for part in found.parts([members for _, members, _ in plan]):
        codes = found.settings["run_id"].to_numpy()
        rows = found.read({run for cell in part for run in codes[plan[cell][1]]})
        repeated, uncounted = repeated + rows.repeated, uncounted + rows.uncounted
        order = np.argsort(of_cell[rows.setting], kind="stable")
        starts = np.searchsorted(of_cell[rows.setting][order], [*part, max(part) + 1])
        ends = np.searchsorted(of_cell[rows.setting][order], part, side="right")
        for cell, start, end in zip(part, starts, ends, strict=False):
            if end > start:
                key, members, note = plan[cell]
                members = order[start:end]
                run = codes[rows.setting[members]]
                named_runs = found.words["run_id"].values
                built[cell] = _cell(
                    key, rows, members, places, run, named_runs, len(problems[str(key[3])]), configs, note
                )
    told = [f"{repeated} repeated row(s) of the same generation left out"] if repeated else []
    if uncounted:
        told += [f"{uncounted} row(s) without a thinking-token count: in the accuracy, not in the token means"]
    notes[at:at] = told
    cells = _told_apart([built[cell] for cell in sorted(built)])
    measured = {run for cell in cells for run in cell.run_ids}
    for row in runs.to_dict("records"):
        if row["run_id"] not in measured and row["status"] != "failed":
            notes.append(f"run {row['run_id']} ({row['recipe']}, {row['task']}) has no samples: no figure for it")
    notes += [] if cells else ["no sample was found: there is nothing to measure"]
    return Cells(tuple(cells), problems, runs, tuple(dict.fromkeys(notes)), hashes_by_task(named), facts_by_task(named))


def _named_problems(found: Survey, notes: list[str]) -> pd.DataFrame:
    """The survey's problems as text, with `problem`, the name that all runs share."""
    known = found.as_text(found.problems).astype(object)
    names = shared_ids(found.problems_of_runs(), notes) if numbered_differently(known) else {}
    keys = zip(known["task"], known["problem_id"], known["question_hash"], strict=True)
    return known.assign(problem=[names.get(key, key[1]) for key in keys])


def _planned(frame: pd.DataFrame, notes: list[str]) -> list[tuple[tuple[Any, ...], NDArray[np.int64], str]]:
    """The cells to be: the key of each, its rows of the surveyed settings, and what sets it apart."""
    plan: list[tuple[tuple[Any, ...], NDArray[np.int64], str]] = []
    frame = frame.reset_index(drop=True)
    for key, group in frame.groupby([*KEY, *WHOLE], observed=True, dropna=False, sort=True):
        by_seed = group.groupby("seed", dropna=False)["run_id"].nunique()
        parts = [(group, "")]
        whole = key[len(KEY)] and not str(key[len(KEY)]).startswith(LOGGED)
        if not whole and by_seed.max() > 1:  # same columns and seed, and no configuration that says more
            named = dict(zip(KEY, key, strict=False))
            notes.append(f"{named['recipe']} on {named['task']}: runs of one setting differ otherwise, shown apart")
            parts = [(part, f"run {run}") for run, part in group.groupby("run_id", observed=True)]
        plan += [(key[: len(KEY)], part.index.to_numpy(), note) for part, note in parts]
    return plan


def facts_by_task(problems: pd.DataFrame) -> dict[str, dict[str, dict[str, str]]]:
    """Task -> fact of a problem (subject, level, year) -> problem -> its value as text, from the metadata column.

    How a response ended, which logs tell beside it, is none: accuracy by outcome says nothing of the problems.
    """
    known = problems[problems["metadata"].notna()].drop_duplicates(["task", "problem"])
    found: dict[str, dict[str, dict[str, str]]] = {}
    for task, problem, text in zip(known["task"], known["problem"], known["metadata"], strict=True):
        facts = json_row(str(text).encode("utf-8", "replace"))
        for name, value in facts.items() if isinstance(facts, dict) else ():
            if isinstance(value, str | int | float | bool) and not OF_A_RESPONSE.fullmatch(name):
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
    key: tuple[Any, ...],
    rows: Rows,
    members: NDArray[np.int64],
    places: NDArray[np.int64],
    run_codes: NDArray[np.int64],
    run_names: Sequence[str],
    num: int,
    configs: dict[str, dict[str, Any]],
    note: str,
) -> Cell:
    """The cell of the rows `members`.

    Args:
        key: the values of KEY.
        rows: that were read.
        members: of the cell.
        places: of each surveyed problem on its task's axis.
        run_codes: of each member.
        run_names: of each code.
        num: problems of the task.
        configs: of the runs.
        note: what sets it apart.
    """
    named: dict[str, Any] = {name: None if pd.isna(value) else value for name, value in zip(KEY, key, strict=True)}
    named["max_thinking_tokens"] = None if named["max_thinking_tokens"] is None else int(named["max_thinking_tokens"])
    problem = places[rows.problem[members]]
    found, run = np.unique(run_codes, return_inverse=True)
    run_ids = tuple(run_names[code] for code in found)
    correct = rows.correct[members]
    scored = ~np.isnan(correct)
    # What an imported log does not tell is neither a rate nor a count.
    untold = {name for name, told in rows.told.items() if not told[members].any()}
    flags = {name: flag[members] for name, flag in rows.flags.items()}
    values = {name: count[members] for name, count in rows.tokens.items()} | {
        name: flag.astype(float) if name not in untold else np.full(len(members), np.nan)
        for name, flag in flags.items()
    }
    scored_problem = problem[scored]
    order, position = _places(problem, num)
    width = int(position.max(initial=-1)) + 1

    def laid_out(values: Floats, missing: float) -> Floats:
        values = values[members]
        if np.isnan(values).all():
            return np.broadcast_to(missing, (num, width))
        spread = np.full((num, width), missing)
        spread[problem[order], position] = np.where(np.isnan(values), missing, values)[order]
        return spread

    return Cell(
        **named,
        run_ids=run_ids,
        correct=_grouped_mean(correct, problem * len(run_ids) + run, num * len(run_ids)).reshape(num, -1),
        means={name: _grouped_mean(v, problem, num) for name, v in values.items()},
        num_generations=len(members),
        num_unscored=int((~scored).sum()),
        counts={name: int(flag.sum()) for name, flag in flags.items() if name not in untold},
        votes=_votes(problem[order], position, correct[order], rows.extracted[members][order], (num, width)),
        weights=laid_out(rows.reward, 1.0),
        confidence=laid_out(rows.confidence, np.nan),
        right=np.bincount(scored_problem, weights=correct[scored], minlength=num).astype(np.int64),
        total=np.bincount(scored_problem, minlength=num),
        letters=_letters(rows.gold_letter[members], rows.letter[members]),
        budget=budget_of(configs.get(run_ids[0], {}), named),
        config=configs.get(run_ids[0], {}),
        note=note,
    )


def _letters(gold: NDArray[np.int64], chosen: NDArray[np.int64]) -> dict[tuple[str, str], int]:
    """(gold letter, chosen letter or "" where none was found) -> rows."""
    names = [*LETTERS, ""]
    pairs = Counter(zip(gold[gold >= 0].tolist(), chosen[gold >= 0].tolist(), strict=True))
    return {(names[a], names[b]): count for (a, b), count in pairs.items()}


def _grouped_mean(values: Floats, groups: NDArray[np.int64], num_groups: int) -> Floats:
    known = ~np.isnan(values)
    sums = np.bincount(groups[known], weights=values[known], minlength=num_groups)
    with np.errstate(invalid="ignore"):
        means: Floats = sums / np.bincount(groups[known], minlength=num_groups)
    return means


def _votes(
    problem: NDArray[np.int64],
    position: NDArray[np.int64],
    correct: Floats,
    answer: NDArray[np.int64],
    shape: tuple[int, int],
) -> Votes:
    """(problems, generations) votes for maj@k; a problem with fewer generations than the most is padded with -2.

    Args:
        problem: of each row, in ascending order.
        position: its place among its problem's generations.
        correct: 1 where it is right.
        answer: a number per text; -1: none.
        shape: of the result.
    """
    wrong = np.full(len(problem), -1, dtype=np.int64)
    voted = answer >= 0
    # Number the answers within each problem, so that the ballot stays as narrow as the number of samples.
    pair = problem[voted] * (int(answer.max(initial=0)) + 1) + answer[voted]
    _, first, of_pair = np.unique(pair, return_index=True, return_inverse=True)
    by_place = np.argsort(first)
    owner = problem[voted][first[by_place]]
    rank = np.empty(len(first), dtype=np.int64)
    rank[by_place] = np.arange(len(first)) - np.searchsorted(owner, owner) + 1
    wrong[voted] = rank[of_pair]
    votes = np.full(shape, -2, dtype=np.int32)
    votes[problem, position] = np.where(correct == 1, 0, wrong)
    return votes


def _places(problem: NDArray[np.int64], num: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows sorted by problem, and the place of each among its problem's generations."""
    order = np.argsort(problem, kind="stable")
    counts = np.bincount(problem, minlength=num)
    return order, np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)


def setting_name(cell: Cell) -> str:
    """The setting's name (`harness.records.setting`), and what sets the cell apart from another one of that name."""
    return setting(cell.budget) + (f" ({cell.note})" if cell.note else "")
