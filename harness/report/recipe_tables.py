"""Tables of recipes side by side at the headline setting, in the paper's form. Percent; intervals are 95 %."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from harness.analysis.intervals import Interval
from harness.analysis.measure import Measured, distinguishable, is_headline, reference_name
from harness.analysis.positions import position_bias
from harness.analysis.settings import Cell, setting_name
from harness.analysis.significance import minimum_detectable_difference
from harness.report import paper
from harness.report.names import recipe_order, row_name
from harness.report.study_cells import at_headline, compared_with
from harness.report.tables import MISSING, Column, Entry, Table, number, p_value, percent, piece, plain

COUNTS = {"forced": "forced", "truncated": "cut", "looping": "loop", "unparsed": "unparsed"}
COUNT_HELP = {
    "forced": "generations whose thinking was ended by force at the budget",
    "truncated": "generations cut before they gave an answer",
    "looping": "generations that repeat themselves",
    "unparsed": "generations without an answer that can be read",
}
_OF_THOUGHTS = ("thinking", *COUNTS.values())  # columns
LEGEND = (
    "Bold: best; ≈: not distinguishable from the best (its paired 95 % interval holds 0, or Holm's p is 0.05 or more)"
)


def recipe_table(measured: Measured, study: str, task: str) -> Table:
    """Accuracy by recipe at the headline setting, with the paired difference to the reference and the counts."""
    cells = measured.cells.cells
    members = at_headline(measured, study, task)
    kind = compared_with(measured, members)
    reference = reference_name(cells, members) if kind == "reference" else "best"
    paper_column = any(_paper_of(cells[i]) for i in members)
    columns = [
        Column("recipe"),
        Column("accuracy", True, "mean over scored generations, with its 95 % interval"),
        Column(f"to {reference}", True, "paired difference in percentage points"),
        Column("p", True, "exact McNemar, Holm over the table"),
        Column("thinking", True, "mean thinking tokens"),
        *(Column(name, True, COUNT_HELP[count]) for count, name in COUNTS.items()),
    ]
    table = Table(f"recipes_{study}_{task}", f"{task}: accuracy by recipe", columns)
    table.columns += [Column("paper")] if paper_column else []
    known = [f for i in members if not math.isnan(f := measured.figures[i]["accuracy"].mean)]
    best, rivals = max(known, default=math.nan), len(known) > 1
    settings = set()
    for i in members:
        cell, figures = cells[i], measured.figures[i]
        settings.add(setting_name(cell))
        value = figures["accuracy"].mean
        style = "best" if value == best else "" if distinguishable(figures) or math.isnan(value) else "tied"
        style = style if rivals else ""
        name = row_name(cell, cells)
        odd = f"at {setting_name(cell)}" if _off_headline(cell) else ""
        p = figures.get(f"p_holm_to_{kind}", Interval(math.nan))
        table.add(
            Entry(name, name, detail=odd, footnotes=table.footnote(odd and "not at the headline setting")),
            percent(table, figures["accuracy"], style),
            Entry("reference")
            if cell.recipe == reference
            else percent(table, figures.get(f"difference_to_{kind}"), signed=True),
            p_value(p.mean),
            number(figures["mean_thinking_tokens"].mean, 0),
            *(_count(cell, name) for name in COUNTS),
            *([_paper_of(cell) or MISSING] if paper_column else []),
        )
    where = f"setting: {next(iter(settings))}" if len(settings) == 1 else "each row at its own setting"
    table.caption = f"{_problems(cells, members)}, {where}." + (f" {LEGEND}." if rivals else "")
    table.notes += [*_count_notes(cells, members), power_line(measured, members)]
    return table


def accuracy_table(measured: Measured, study: str, task: str) -> Table:
    """Of `recipe_table` what recipes are compared by: few enough figures for tasks to stand side by side."""
    table = recipe_table(measured, study, task)
    kept = [c for c, column in enumerate(table.columns) if column.name not in _OF_THOUGHTS]
    return replace(piece(table, kept), notes=table.notes[-1:])  # what a table of this size can show


def thoughts_table(measured: Measured, study: str, task: str) -> Table:
    """The rest of `recipe_table`: how long its thoughts were, and what went wrong with them."""
    table = recipe_table(measured, study, task)
    kept = [c for c, column in enumerate(table.columns) if column.name in ("recipe", *_OF_THOUGHTS)]
    title = f"{task}: thinking tokens, and generations that went wrong"
    return replace(piece(table, kept), id=f"thoughts_{study}_{task}", title=title, caption="", notes=table.notes[:-1])


def _off_headline(cell: Cell) -> bool:
    return bool(cell.config.get("headline")) and not is_headline(cell)


def _paper_of(cell: Cell) -> str:
    return paper.recipe_entry(cell.recipe, cell.task) or paper.model_entry(cell.model, cell.task)


def _count(cell: Cell, name: str) -> Entry:
    count = cell.counts.get(name)
    return Entry(MISSING) if count is None else Entry(str(count), count)


def _problems(cells: Sequence[Cell], members: Sequence[int]) -> str:
    counts = sorted({cells[i].num_problems for i in members})
    shown = " to ".join(str(n) for n in dict.fromkeys(counts[:1] + counts[-1:]))
    return f"{shown} problem" + ("" if counts == [1] else "s")


def _count_notes(cells: Sequence[Cell], members: Sequence[int]) -> list[str]:
    """What was excluded from accuracy or went wrong, to be printed."""
    notes = []
    unscored = sum(cells[i].num_unscored for i in members)
    for what, total in (
        ("generation(s) not scored (the gold answer cannot be read): left out", unscored),
        ("sample(s) used up their attempts: counted wrong", sum(cells[i].counts["rejected"] for i in members)),
        ("answer(s) ran out of checking time: counted wrong", sum(cells[i].counts["timeout"] for i in members)),
        ("generation(s) ended in an engine error: counted wrong", sum(cells[i].counts["error"] for i in members)),
    ):
        notes += [f"{total} {what}."] if total else []
    generations = {cells[i].num_generations for i in members}
    notes.append("Counts are generations, of " + " or ".join(f"{n:,}" for n in sorted(generations)) + " a row.")
    return notes


def power_line(measured: Measured, members: Sequence[int]) -> str:
    """What a table of this size can show: the largest minimum detectable difference of its pairs."""
    cells, figures = measured.cells.cells, measured.figures
    kind = compared_with(measured, members)
    least = [f.mean for i in members if (f := figures[i].get(f"detectable_difference_to_{kind}")) and f.num_problems]
    num = max((cells[i].num_problems for i in members), default=0)
    if num == 0:
        return "No scored problem: no difference can be seen."
    points = 100 * (max(least) if least else minimum_detectable_difference(num))
    assumed = f", Holm over {len(least)}" if len(least) > 1 else "" if least else ", worst case"
    seen = f"With n={num} problems differences below {points:.0f} points are easily missed"
    return f"{seen} (95 % level, 80 % power{assumed})."


def sequence_table(measured: Measured, study: str, task: str) -> Table:
    """Training sequence length (the paper's Table 8). Empty unless recipes were trained at different lengths."""
    cells = measured.cells.cells
    members = [i for key, i in measured.headlines.items() if key[:2] == (study, task)]
    lengths = {
        i: (cells[i].config.get("training") or {}).get("block_size") for i in members if cells[i].recipe != "base"
    }
    table = Table(
        f"sequence_{study}_{task}",
        f"{task}: training sequence length",
        [
            Column("recipe"),
            Column("block size", True),
            Column("accuracy", True),
            Column("thinking", True),
            Column("paper"),
        ],
    )
    if len(set(lengths.values()) - {None}) < 2:
        return table
    for i, length in sorted(lengths.items(), key=lambda item: (item[1] or 0, item[0])):
        table.add(
            row_name(cells[i], cells),
            number(float(length or math.nan), 0),
            percent(table, measured.figures[i]["accuracy"]),
            plain(table, measured.figures[i]["mean_thinking_tokens"]),
            paper.sequence_entry(length or 0, task) or MISSING,
        )
    return table


def breakdown_table(measured: Measured, study: str, task: str) -> Table:
    """Accuracy within groups of problems, with differences matched to them. Empty without groups."""
    cells = measured.cells.cells
    table = Table(
        f"breakdown_{study}_{task}",
        f"{task}: by kind of problem",
        [
            Column("by"),
            Column("group"),
            Column("problems", True),
            Column("recipe"),
            Column("accuracy", True),
            Column("to reference", True, "paired difference within the group"),
        ],
        caption="At the headline setting. Difficulty: thirds of the problems by the base's thinking tokens. There are "
        "many groups and no correction: read it for where to look, not for what is shown.",
    )
    order = recipe_order(measured)
    members = [part for part in measured.parts if (cells[part.cell].study, cells[part.cell].task) == (study, task)]
    for _, peers in groupby(members, key=lambda part: (part.group.by, part.group.name)):
        for part in sorted(peers, key=lambda part: order(part.cell)):
            cell = cells[part.cell]
            gap = Entry("reference") if part.difference is None else percent(table, part.difference, signed=True)
            table.add(
                part.group.by,
                part.group.name,
                number(part.accuracy.num_problems, 0),
                row_name(cell, cells),
                percent(table, part.accuracy),
                gap,
            )
    return table


def position_table(measured: Measured, study: str, task: str) -> Table:
    """Choices and accuracy by the position of the right option. Empty for a task without options."""
    cells = measured.cells.cells
    table = Table(
        f"positions_{study}_{task}",
        f"{task}: the position of the right option",
        [
            Column("recipe"),
            Column("letter"),
            Column("right", True, "generations for which this letter was right"),
            Column("chosen", True, "generations that chose this letter"),
            Column("accuracy", True, "where this letter was right, in percent"),
        ],
        caption="At the headline setting. A model without a preference chooses each letter as often as it is right.",
    )
    for i in [i for i in at_headline(measured, study, task) if cells[i].letters]:
        name, found = row_name(cells[i], cells), position_bias(cells[i].letters)
        for position in found.positions:
            table.add(
                name,
                position.letter,
                number(position.num_gold, 0),
                number(position.num_chosen, 0),
                number(100 * position.accuracy),
            )
        tested = "not to be tested" if math.isnan(found.p_value) else f"p {p_value(found.p_value).text} (chi-square)"
        table.notes.append(
            f"{name}: choices follow the right letters' shares: {tested}; accuracy spreads by "
            f"{100 * found.recall_spread:.1f} points over the letters; {found.num_without_letter} of {found.num_rows} "
            f"generations chose none, and guessing A for them would add {100 * found.default_letter_gain:.1f} points."
        )
    return table
