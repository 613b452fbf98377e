"""Every figure of a result folder: each cell's, each sweep's, and the paired differences, with intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from harness.analysis.bootstrap import Resampler
from harness.analysis.breakdown import Part, groups, parts
from harness.analysis.equal_compute import BUDGETS, Compute, Contest, equal_compute
from harness.analysis.equal_tokens import search_figures
from harness.analysis.estimates import cell_figures
from harness.analysis.intervals import Interval, difference_interval
from harness.analysis.seeds import run_variances
from harness.analysis.settings import KEY, Cell, Cells, budget_of, load
from harness.analysis.significance import detectable, holm, paired_p_values
from harness.analysis.sweeps import Sweep, find_sweeps, first_correct, flips
from harness.analysis.variance import RunVariance
from harness.records import METRIC_SCHEMA


@dataclass(frozen=True)
class Measured:
    """Cells with their figures.

    `figures[i]` belongs to `cells.cells[i]`; `headlines`: (study, task, model, recipe) to the index of its headline
    cell.
    """

    cells: Cells
    figures: list[dict[str, Interval]]
    sweeps: list[Sweep]
    headlines: dict[tuple[str, str, str, str], int]
    compute: list[Compute]
    parts: list[Part]
    variances: list[RunVariance]  # of each cell's runs


def measure(out_dir: Path) -> pa.Table:
    """All metrics of one result folder in METRIC_SCHEMA. Raises UserError when it holds no samples."""
    return to_table(measure_cells(load([Path(out_dir)])))


def measure_cells(loaded: Cells, seed: int = 0) -> Measured:
    """Every figure of the loaded cells; seeded, so that the same rows give the same table."""
    cells = loaded.cells
    by_size = {len(ids): Resampler(len(ids), seed=seed) for ids in loaded.problems.values()}
    resamplers = {task: by_size[len(ids)] for task, ids in loaded.problems.items()}  # tasks of one size share the draws
    figures: list[dict[str, Interval]] = [{} for _ in cells]
    runs = run_variances(cells)
    for task, resampler in resamplers.items():
        members = [i for i, cell in enumerate(cells) if cell.task == task]
        found = cell_figures([cells[i] for i in members], resampler, [runs[i] for i in members])
        for i, one in zip(members, found, strict=True):
            figures[i] = one
    for i, cell in enumerate(cells):
        if cell.method == "rebase":
            figures[i] |= search_figures(cell, cells)
    sweeps = find_sweeps(cells, resamplers)
    for sweep in sweeps:
        _sweep_extras(sweep, cells, figures, resamplers[sweep.task])
    headlines = find_headlines(cells)
    _differences(cells, figures, headlines, runs)
    return Measured(loaded, figures, sweeps, headlines, equal_compute(cells), _parts(loaded, headlines), runs)


def _sweep_extras(
    sweep: Sweep, cells: Sequence[Cell], figures: list[dict[str, Interval]], resampler: Resampler
) -> None:
    if sweep.method != "budget_forcing":
        return
    capped = [cells[i] for i in sweep.cells if cells[i].num_ignores == 0]
    if len(capped) > 1:
        sweep.figures.update(first_correct(capped, resampler))
    by_budget: dict[int | None, list[int]] = defaultdict(list)
    for i in sweep.cells:
        by_budget[cells[i].max_thinking_tokens].append(i)
    for members in by_budget.values():
        members.sort(key=lambda i: cells[i].num_ignores)
        for before, after in pairwise(members):
            if cells[before].num_ignores < cells[after].num_ignores:
                figures[after].update(flips(cells[before], cells[after]))


def find_headlines(cells: Sequence[Cell]) -> dict[tuple[str, str, str, str], int]:
    """The cell that stands for each recipe on each task: the study's headline setting, else its longest plain one."""
    groups: dict[tuple[str, str, str, str], list[int]] = defaultdict(list)
    for i, cell in enumerate(cells):
        groups[cell.study, cell.task, cell.model, cell.recipe].append(i)
    return {key: min(members, key=lambda i: _headline_rank(cells[i])) for key, members in groups.items()}


def _parts(loaded: Cells, headlines: dict[tuple[str, str, str, str], int]) -> list[Part]:
    """Each recipe's headline cell within the groups of its task's problems, against the reference recipe."""
    tables: dict[tuple[str, str], list[int]] = defaultdict(list)
    for (study, task, _, _), i in headlines.items():
        tables[study, task].append(i)
    found = []
    for (_, task), members in tables.items():
        name = reference_name(loaded.cells, members)
        reference = next((i for i in members if loaded.cells[i].recipe == name), None)
        base = next((loaded.cells[i] for i in members if loaded.cells[i].recipe == "base"), None)
        found += parts(loaded.cells, members, reference, groups(loaded, task, base))
    return found


def is_headline(cell: Cell) -> bool:
    """Whether the cell ran exactly the study's headline setting."""
    return bool(_headline_rank(cell)[0] == 0)


def _headline_rank(cell: Cell) -> tuple[Any, ...]:
    wanted = cell.config.get("headline")
    same = bool(wanted) and cell.budget == budget_of({"budget": wanted}, {})
    longest = -(cell.max_thinking_tokens if cell.max_thinking_tokens is not None else 10**12)
    return (0 if same else 1, cell.method != "budget_forcing", cell.num_ignores, longest, cell.run_ids)


def _differences(
    cells: Sequence[Cell],
    figures: list[dict[str, Interval]],
    headlines: dict[tuple[str, str, str, str], int],
    runs: Sequence[RunVariance],
) -> None:
    """Paired differences to the reference recipe at the same setting, and at the headline to the best recipe.

    A family (study x task x setting) is corrected by Holm's method.
    """
    families: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for i, cell in enumerate(cells):
        families[cell.study, cell.task, cell.budget].append(i)
    for (study, task, _), members in families.items():
        name = reference_name(cells, members)
        reference = next((i for i in members if cells[i].recipe == name), None)
        if reference is None:  # e.g. the base at a setting of its own: compare with the reference's headline
            same = (i for (s, t, _, r), i in headlines.items() if (s, t, r) == (study, task, name))
            reference = next(same, None)
        if reference is not None:
            others = [i for i in members if i != reference and cells[i].recipe != name]
            _compare(cells, figures, others, reference, runs, "difference_to_reference")
    tables: dict[tuple[str, str], list[int]] = defaultdict(list)
    for (study, task, _, _), i in headlines.items():
        tables[study, task].append(i)
    for rivals in tables.values():
        known = [i for i in rivals if not np.isnan(figures[i]["accuracy"].mean)]
        if known:
            best = max(known, key=lambda i: figures[i]["accuracy"].mean)
            _compare(cells, figures, [i for i in known if i != best], best, runs, "difference_to_best")


def reference_name(cells: Sequence[Cell], members: Sequence[int]) -> str:
    """The recipe that differences are taken to: the study's own `reference_recipe`, else "s1k"."""
    return next((str(c["reference_recipe"]) for i in members if (c := cells[i].config).get("reference_recipe")), "s1k")


def _compare(
    cells: Sequence[Cell],
    figures: list[dict[str, Interval]],
    others: list[int],
    reference: int,
    runs: Sequence[RunVariance],
    metric: str,
) -> None:
    found = paired_figures(cells, [(i, reference) for i in others], runs, metric)
    for i, one in zip(others, found, strict=True):
        figures[i].update(one)


def paired_figures(
    cells: Sequence[Cell], pairs: Sequence[tuple[int, int]], runs: Sequence[RunVariance], metric: str
) -> list[dict[str, Interval]]:
    """The difference of each (cell, rival) of a task, its tests and what it could have shown; Holm over the pairs.

    Args:
        cells: all cells.
        pairs: indices into `cells`; a difference is the first less the second.
        runs: of each cell, the variance between its runs.
        metric: the difference's name, difference_to_...
    """
    if not pairs:
        return []
    tests: dict[int, tuple[float, str]] = {}
    for rival in dict.fromkeys(b for _, b in pairs):
        places = [at for at, (_, b) in enumerate(pairs) if b == rival]
        scores = np.column_stack([cells[pairs[at][0]].accuracy for at in places])
        tests |= dict(zip(places, paired_p_values(scores, cells[rival].accuracy), strict=True))
    adjusted = holm([tests[at][0] for at in range(len(pairs))])
    suffix = metric.removeprefix("difference_to_")
    found = []
    for at, ((i, rival), p_holm) in enumerate(zip(pairs, adjusted, strict=True)):
        p, test = tests[at]
        cell, baseline = cells[i], cells[rival]
        gap = cell.accuracy - baseline.accuracy
        interval = difference_interval(cell.correct, baseline.correct, runs[i], runs[rival])
        n = int((~np.isnan(gap)).sum())
        note = f"{test} p={p:.3g}, Holm over {len(pairs)} p={p_holm:.3g}" if n else test
        if n < max(cell.num_problems, baseline.num_problems):
            note += f"; paired over {n} of {max(cell.num_problems, baseline.num_problems)} problems"
        least, assumed = detectable(gap, len(pairs))
        figures = {
            metric: (interval, note),
            f"p_value_to_{suffix}": (Interval(p), test),
            f"p_holm_to_{suffix}": (Interval(float(p_holm)), test),
            f"detectable_{metric}": (Interval(least), assumed),
        }
        found.append({name: figure.over(n, baseline.recipe, text) for name, (figure, text) in figures.items()})
    return found


def distinguishable(figures: dict[str, Interval], metric: str = "difference_to_best") -> bool:
    """Both must say so: the paired interval leaves out 0, and the Holm-adjusted exact test is below 0.05."""
    figure = figures.get(metric)
    p_holm = figures.get(metric.replace("difference_to_", "p_holm_to_"))
    if figure is None or p_holm is None or np.isnan(figure.low):
        return False
    return bool(not figure.low <= 0 <= figure.high and p_holm.mean < 0.05)


def to_table(measured: Measured) -> pa.Table:
    """Long form: one row a figure, in METRIC_SCHEMA."""
    rows = []
    for cell, figures in zip(measured.cells.cells, measured.figures, strict=True):
        shared = {name: getattr(cell, name) for name in KEY}
        shared["run_id"] = cell.run_ids[0] if len(cell.run_ids) == 1 else None
        rows += [shared | _row(name, figure) for name, figure in figures.items()]
    for sweep in measured.sweeps:
        shared = {name: getattr(sweep, name) for name in ("study", "model", "recipe", "task", "method", "force")}
        rows += [shared | _row(name, figure) for name, figure in sweep.figures.items()]
    for part in measured.parts:
        shared = {name: getattr(measured.cells.cells[part.cell], name) for name in KEY}
        where = f"{part.group.by}: {part.group.name}"
        rows.append(shared | _row("accuracy_in_group", part.accuracy.over(part.accuracy.num_problems, note=where)))
        if part.difference:
            rows.append(
                shared | _row("difference_in_group", part.difference.over(part.difference.num_problems, note=where))
            )
    for one in measured.compute:
        shared = {name: getattr(one, name) for name in ("study", "model", "recipe", "task")}
        rows += [shared | row for contest in one.contests for row in _contest_rows(contest)]
    names = set(METRIC_SCHEMA.names)
    return pa.Table.from_pylist([{k: v for k, v in row.items() if k in names} for row in rows], schema=METRIC_SCHEMA)


def _contest_rows(contest: Contest) -> list[dict[str, Any]]:
    """A contest's accuracy, and its difference to capped budgets at the same tokens, with what each is at."""
    span = " to ".join(f"{tokens:,.0f}" for tokens in dict.fromkeys(contest.tokens))
    what = f"mean over log tokens, {span}" if contest.is_area else f"{contest.setting}, {span} tokens per problem"
    name = "area_over_log_tokens" if contest.is_area else "accuracy_at_tokens"
    gap, n = contest.difference, contest.difference.num_problems
    p = f"{what}; Holm p={contest.p_holm:.3g}"
    figures = {name: contest.accuracy.over(contest.accuracy.num_problems, note=what)}
    figures[f"difference_of_{name}"] = gap.over(n, BUDGETS, p)
    return [{"method": contest.method} | _row(metric, figure) for metric, figure in figures.items()]


def _row(metric: str, figure: Interval) -> dict[str, Any]:
    def known(value: float) -> float | None:
        return None if np.isnan(value) else value

    bounded = figure.low < figure.high  # equal bounds would claim certainty
    return {
        "metric": metric,
        "value": known(figure.mean),
        "low": known(figure.low) if bounded else None,
        "high": known(figure.high) if bounded else None,
        "num_problems": figure.num_problems,
        "reference": figure.reference or None,
        "note": figure.note or None,
    }
