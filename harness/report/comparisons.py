"""What `harness compare` and `harness diff` print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from harness.analysis.compare import Comparison, compare
from harness.analysis.diff import DIFF_SCHEMA, RunDiff, diff
from harness.analysis.intervals import Interval
from harness.errors import UserError
from harness.records import setting
from harness.report.numbers import in_percent, percent_bounds

if TYPE_CHECKING:
    from rich.console import Group

    from harness.report.tables import Table

LISTED = 10  # problems named in each list


def compare_runs(a: str, b: str, margin: float) -> list[Comparison]:
    """Compare two runs and print the result; returns it, one comparison a shared task. `margin` is a fraction."""
    from harness.console import plain_console

    found = compare(a, b, margin)
    plain_console().print(comparison_tables(found))
    return found


def comparison_tables(comparisons: Sequence[Comparison]) -> Group:
    """The comparisons for a terminal of 100 columns."""
    from rich.console import Group

    from harness.report.terminal import rendered as as_rich

    return Group(*(as_rich(comparison_table(c)) for c in comparisons))


def comparison_table(c: Comparison) -> Table:
    """The two runs, and below them what tells them apart."""
    from harness.report.tables import Column, Entry, Table, number, sortable

    def bounded(interval: Interval, signed: bool = False) -> Entry:
        known = interval.low < interval.high
        detail = percent_bounds(interval.low, interval.high, signed) if known else interval.note
        return Entry(in_percent(interval.mean, signed), sortable(interval.mean), detail)

    heads = [Column("run"), *(Column(name, True) for name in ("accuracy", "thinking", "alone right"))]
    table = Table(f"compare_{c.task}", f"{c.task}: {c.num_paired} paired problems", heads)
    for name, accuracy, tokens, only in (
        (f"A  {c.name_a}", c.accuracy_a, c.tokens_a, c.only_a),
        (f"B  {c.name_b}", c.accuracy_b, c.tokens_b, c.only_b),
    ):
        table.add(name, bounded(accuracy), number(tokens, 0), number(len(only), 0))
    gap = bounded(c.gap, signed=True)
    verdict = "differ" if c.p_value < 0.05 and not c.gap.low <= 0 <= c.gap.high else "cannot be told apart"
    points = f"{gap.text} {gap.detail} points" if gap.detail.startswith("[") else f"{gap.text} points ({gap.detail})"
    tests = [
        f"A - B: {points}, {c.test} {_p(c.p_value)}: the two {verdict}.",
        f"With n={c.num_paired} problems differences below {100 * c.detectable:.0f} points are easily missed "
        "(80 % power).",
        *_no_worse(c),
    ]
    table.notes += tests if c.num_paired else ["No problem is scored in both: their accuracies cannot be compared."]
    for side, only in (("A", c.only_a), ("B", c.only_b)):
        table.notes += [f"Only {side} right: {_listed(only)}."] if only else []
    if c.first_difference:
        at = sorted(c.first_difference.values())
        middle = int(np.median(at))
        where = f"at token {at[0]:,} the earliest, {middle:,} the median"
        table.notes.append(f"Texts: {c.num_same_text} identical; {len(at)} part, {where}.")
    unpaired = [
        f"{side} has {n - c.num_paired} more" for side, n in (("A", c.num_a), ("B", c.num_b)) if n > c.num_paired
    ]
    table.notes += [f"Not paired: {', '.join(unpaired)}."] if unpaired else []
    table.notes += [c.note + "."] if c.note else []
    return table


def _no_worse(c: Comparison) -> list[str]:
    """The one-sided tests against the margin, and the Bayesian reading."""
    same, belief = c.equivalence, c.posterior
    if np.isnan(same.interval.low):
        return []
    points = f"{100 * same.margin:g} points"
    if same.equivalent:
        shown = f"the two are within {points}"
    elif same.no_worse or same.no_better:
        worse, than = ("A", "B") if same.no_worse else ("B", "A")
        shown = f"{worse} is no worse than {than} by {points}"
    else:
        shown = f"neither is shown to be no worse than the other by {points}"
    low, high, credible = same.interval.low, same.interval.high, belief.interval
    return [
        f"Equivalence: {shown} (one-sided 95 % bounds of A - B: {in_percent(low, signed=True)} and "
        f"{in_percent(high, signed=True)}).",
        f"Bayesian (Dirichlet): A is better with probability {belief.better:.3f}, no worse by {points} with "
        f"{belief.no_worse:.3f}; A - B {in_percent(credible.mean, signed=True)} "
        f"{percent_bounds(credible.low, credible.high, signed=True)} points.",
    ]


def _p(value: float) -> str:
    from harness.report.tables import p_value

    text = p_value(value).text
    return f"p{text}" if text.startswith("<") else f"p={text}"


def _listed(problems: Sequence[str]) -> str:
    more = f" and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
    return ", ".join(problem[:40] for problem in problems[:LISTED]) + more


def diff_folders(a: Path, b: Path, out: Path | None = None) -> list[RunDiff]:
    """Print what differs between two folders, and write each sample to `out` (Parquet, DIFF_SCHEMA)."""
    from harness.console import plain_console
    from harness.store import write_table

    runs, rows = [], []
    for run, samples in diff(a, b):
        runs.append(run)
        rows += samples
    if not rows:
        raise UserError(f"{a} and {b} have no sample in common: problem and sample_index have to agree")
    if out:
        write_table(pa.Table.from_pylist(rows, schema=DIFF_SCHEMA), out)
    plain_console().print(diff_table(runs))
    return runs


def diff_table(runs: Sequence[RunDiff]) -> Group:
    """The runs that differ as a table, the others as a count."""
    from rich.console import Group

    from harness.report.tables import Column, Table
    from harness.report.terminal import rendered

    numbers = ("samples", "same text", "changed answers", "gained", "lost", "first differing token")
    columns = [*map(Column, ("recipe", "task", "setting")), *(Column(name, numeric=True) for name in numbers)]
    table = Table("diff", "Runs that differ", columns)
    for run in runs:
        if run.first_differences:
            table.add(
                run.run["recipe"],
                run.run["task"],
                setting(run.budget),
                f"{run.num_samples:,}",
                f"{run.num_same / run.num_samples:.1%}",
                f"{run.num_changed_answers / run.num_samples:.1%}",
                str(run.num_gained),
                str(run.num_lost),
                f"{min(run.first_differences):,} earliest, {median(run.first_differences):,.0f} median",
            )
    total = sum(run.num_samples for run in runs)
    same = sum(run.num_same for run in runs)
    changed = sum(run.num_changed_answers for run in runs)
    words = (
        f"{len(runs)} runs, {total:,} samples in both: {same / total:.2%} the same token by token, "
        f"{changed / total:.2%} with another answer."
    )
    return Group(rendered(table), words) if same < total else Group(words)
