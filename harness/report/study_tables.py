"""The tables of the leaderboard, in the paper's form, from measured cells. Percent; intervals are 95 %."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from harness.analysis.equal_tokens import tokens_per_problem
from harness.analysis.intervals import Interval
from harness.analysis.measure import Measured, distinguishable, is_headline, reference_name
from harness.analysis.positions import position_bias
from harness.analysis.selective import COVERAGES
from harness.analysis.settings import Cell, setting_name
from harness.analysis.significance import minimum_detectable_difference
from harness.report import paper
from harness.report.names import recipe_order, row_name
from harness.report.tables import MISSING, Column, Entry, Table, number, p_value, percent, plain, together

COUNTS = {"forced": "forced", "truncated": "cut", "looping": "loop", "unparsed": "unparsed"}
COUNT_HELP = {
    "forced": "generations whose thinking was ended by force at the budget",
    "truncated": "generations cut before they gave an answer",
    "looping": "generations that repeat themselves",
    "unparsed": "generations without an answer that can be read",
}
LEGEND = (
    "Bold: best; ≈: not distinguishable from the best (its paired 95 % interval holds 0, or Holm's p is 0.05 or more)"
)


def recipe_table(measured: Measured, study: str, task: str) -> Table:
    """Accuracy by recipe at the headline setting, with the paired difference to the reference and the counts."""
    cells = measured.cells.cells
    members = _at_headline(measured, study, task)
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
        odd = f"at {setting_name(cell)}, not at the headline setting" if _off_headline(cell) else ""
        p = figures.get(f"p_holm_to_{kind}", Interval(math.nan))
        table.add(
            Entry(name, name, footnote=table.footnote(odd)),
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


def compared_with(measured: Measured, members: Sequence[int]) -> str:
    """What rows were compared with: "reference" if some were with the reference recipe, else "best" (imported logs)."""
    figures = measured.figures
    return "reference" if any("difference_to_reference" in figures[i] for i in members) else "best"


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
    seen = f"With n={num} problems only differences above {points:.0f} points can be seen"
    return f"{seen} (95 % level, 80 % power{assumed})."


def sweep_table(measured: Measured, study: str, task: str) -> Table:
    """Accuracy at every budget and wait, one row a setting, one column a recipe. Empty with a single setting."""
    cells = measured.cells.cells
    members = [i for i, c in enumerate(cells) if (c.study, c.task) == (study, task)]
    by_row: dict[tuple[Any, str], dict[str, int]] = {}
    names: list[str] = []
    for i in sorted(members, key=recipe_order(measured)):
        cell = cells[i]
        name = row_name(cell, cells)
        names += [name] if name not in names else []
        by_row.setdefault((_setting_order(cell), setting_name(cell)), {})[name] = i
    table = Table(
        f"sweep_{study}_{task}",
        f"{task}: accuracy by thinking budget",
        [Column("setting"), *(Column(name, True) for name in names)],
        caption="Percent, with 95 % intervals.",
    )
    if len(by_row) < 2:
        return table  # its one row stands in the table before
    for (_, setting), found in sorted(by_row.items(), key=lambda item: item[0]):
        table.add(
            Entry(setting, len(table.rows)),
            *(percent(table, measured.figures[found[n]]["accuracy"]) if n in found else Entry(MISSING) for n in names),
        )
    return table


def _at_headline(measured: Measured, study: str, task: str) -> list[int]:
    """The cells of a task at the headline setting, in the recipes' order."""
    return sorted((i for key, i in measured.headlines.items() if key[:2] == (study, task)), key=recipe_order(measured))


def _every_setting(measured: Measured, study: str, task: str) -> list[int]:
    """The cells of a task by recipe and setting."""
    cells, order = measured.cells.cells, recipe_order(measured)
    members = [i for i, c in enumerate(cells) if (c.study, c.task) == (study, task)]
    return sorted(members, key=lambda i: (order(i), _setting_order(cells[i])))


def _setting_order(cell: Cell) -> tuple[object, ...]:
    told = float(cell.instructed) if cell.instructed and cell.instructed.isdigit() else 0.0
    limit = cell.max_thinking_tokens if cell.max_thinking_tokens is not None else 10**12
    return (cell.method != "budget_forcing", cell.method, told, limit, cell.num_ignores, cell.ignore_str or "")


def method_table(measured: Measured, study: str, task: str) -> Table:
    """Control, Scaling in both units, Performance and |A| of every sweep, beside the paper's Table 3."""
    cells = measured.cells.cells
    sweeps = [s for s in measured.sweeps if (s.study, s.task) == (study, task) and len(s.cells) > 1]
    sweeps.sort(key=lambda s: recipe_order(measured)(s.cells[0]))
    with_paper = any(paper.method_entry(s.label, task) for s in sweeps)
    table = Table(
        f"methods_{study}_{task}",
        f"{task}: does the method control and scale thinking?",
        [
            Column("recipe"),
            Column("method"),
            Column("Control %", True),
            Column("points per doubling", True),
            Column("least squares", True, "least-squares slope in points per doubling"),
            Column("points per 1K tokens", True),
            Column("least squares", True, "least-squares slope in points per 1,000 tokens"),
            Column("Performance", True, "the best setting's accuracy, which chance raises"),
            Column("less chance", True, "the same, less what chance adds to the best of several"),
            Column("|A|", True),
        ]
        + ([Column("paper")] if with_paper else []),
        caption="Scaling: mean slope over all pairs of runs, in percentage points per doubling of thinking tokens (the "
        "paper's Table 3) and per 1,000 tokens (its Eq. 2); beside each the least-squares slope, which near ties leave "
        "alone. Performance: the best setting, as in the paper, and less what chance adds to the best of several.",
    )
    for sweep in sweeps:
        name, printed = row_name(cells[sweep.cells[0]], cells), paper.method_entry(sweep.label, task)
        figures = sweep.figures
        table.add(
            name,
            sweep.label,
            percent(table, figures["control"]),
            percent(table, figures["scaling_per_doubling"]),
            percent(table, figures["scaling_ols_per_doubling"]),
            percent(table, figures["scaling_per_1k_tokens"]),
            percent(table, figures["scaling_ols_per_1k_tokens"]),
            Entry(f"{100 * figures['performance'].mean:.1f}", 100 * figures["performance"].mean),
            percent(table, figures["performance_corrected"]),
            number(figures["num_settings"].mean, 0),
            *([paper.printed_method(printed) or MISSING] if with_paper else []),
        )
    return table


def extrapolation_table(measured: Measured, study: str, task: str) -> Table:
    """Which string to put where thinking wanted to end (the paper's Table 4). Empty without two strings to compare."""
    cells = measured.cells.cells
    waits = [i for i, c in enumerate(cells) if (c.study, c.task) == (study, task) and c.num_ignores > 0]
    strings = {cells[i].ignore_str for i in waits}
    table = Table(
        f"extrapolation_{study}_{task}",
        f"{task}: what to say when thinking wants to end",
        [
            Column("recipe"),
            Column("string"),
            Column("times", True),
            Column("accuracy", True),
            Column("thinking", True),
            Column("paper"),
        ],
    )
    if len(strings) < 2:
        return table
    for i in sorted(waits, key=lambda i: (recipe_order(measured)(i), cells[i].num_ignores, cells[i].ignore_str or "")):
        cell = cells[i]
        table.add(
            row_name(cell, cells),
            cell.ignore_str or "(nothing)",
            number(cell.num_ignores, 0),
            percent(table, measured.figures[i]["accuracy"]),
            number(measured.figures[i]["mean_thinking_tokens"].mean, 0),
            paper.extrapolation_entry(cell.num_ignores, cell.ignore_str, task) or MISSING,
        )
    return table


def flips_table(measured: Measured, study: str, task: str) -> Table:
    """Answers that each further Wait turned, and what it cost."""
    cells = measured.cells.cells
    table = Table(
        f"flips_{study}_{task}",
        f"{task}: what each Wait turns",
        [
            Column("recipe"),
            Column("setting"),
            Column("wrong to right", True),
            Column("right to wrong", True),
            Column("net", True),
            Column("tokens each", True),
        ],
        caption="Share of problems whose answer the last Wait changed, against the run with fewer; percent.",
    )
    for i in _every_setting(measured, study, task):
        figures = measured.figures[i]
        if "flips_wrong_to_right" in figures:
            won, lost = figures["flips_wrong_to_right"], figures["flips_right_to_wrong"]
            table.add(
                row_name(cells[i], cells),
                setting_name(cells[i]),
                percent(table, won),
                percent(table, lost),
                Entry(f"{100 * (won.mean - lost.mean):+.1f}".replace("+0.0", "0.0"), won.mean - lost.mean),
                Entry(won.note.split("for ")[-1].removesuffix(" more thinking tokens each"), None),
            )
    return table


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


def sampled_table(measured: Measured, study: str, task: str) -> Table:
    """pass@k and maj@k at the tokens they cost, beside one sequential generation. Empty without repeated samples."""
    cells = measured.cells.cells
    table = Table(
        f"sampled_{study}_{task}",
        f"{task}: parallel samples",
        [
            Column("recipe"),
            Column("k", True),
            Column("pass@k (cov@k)", True),
            Column("pass^k", True, "all of k are right"),
            Column("G-Pass@k", True, "at least three quarters of k are right"),
            Column("maj@k", True),
            Column("tokens", True),
        ],
        caption="Unbiased over the k-subsets of a problem's generations; pass^k: all of k are right, G-Pass@k: three "
        "quarters; tokens: all of k generations.",
    )
    for i in _at_headline(measured, study, task):
        figures = measured.figures[i]
        for name in [n for n in figures if n.startswith("pass@")]:
            k = int(name.removeprefix("pass@"))
            table.add(
                row_name(cells[i], cells),
                number(k, 0),
                percent(table, figures[name]),
                percent(table, figures[f"pass^{k}"]),
                percent(table, figures[f"g_pass@{k}"]),
                percent(table, figures.get(f"maj@{k}")),
                number(k * figures["mean_total_tokens"].mean, 0),
            )
        if "bayes@n" in figures:
            b = figures["bayes@n"]
            bounds = f"{100 * b.mean:.1f} [{100 * b.low:.1f}, {100 * b.high:.1f}]"
            table.notes.append(f"{row_name(cells[i], cells)}: Bayes@N {bounds} ({b.note}).")
    return table


def selective_table(measured: Measured, study: str, task: str) -> Table:
    """Accuracy where the surest answers are given alone, at each setting. Empty without log-probabilities."""
    cells = measured.cells.cells
    table = Table(
        f"selective_{study}_{task}",
        f"{task}: answering only where it is sure",
        [
            Column("recipe"),
            Column("setting"),
            Column("all", True, "accuracy of every answer"),
            *(Column(f"surest {c:.0%}", True) for c in COVERAGES if c < 1),
            Column("mean", True, "accuracy, averaged over every coverage"),
            Column("AUROC", True, "the chance that a right answer is surer than a wrong one"),
        ],
        caption="Accuracy in percent among the generations whose answer has the highest mean log-probability.",
    )
    for i in _every_setting(measured, study, task):
        figures = measured.figures[i]
        if "selective_area" in figures:
            table.add(
                row_name(cells[i], cells),
                setting_name(cells[i]),
                percent(table, figures["accuracy"]),
                *(percent(table, figures[f"accuracy_at_{c:.0%}_coverage"]) for c in COVERAGES if c < 1),
                number(100 * figures["selective_area"].mean),
                number(figures["confidence_auroc"].mean, 2),
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
    for part in measured.parts:
        cell = cells[part.cell]
        if (cell.study, cell.task) == (study, task):
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


def search_table(measured: Measured, study: str, task: str) -> Table:
    """A tree search's vote beside majority voting at equal total tokens. Empty without a search."""
    cells = measured.cells.cells
    table = Table(
        f"search_{study}_{task}",
        f"{task}: tree search against majority voting at equal tokens",
        [
            Column("recipe"),
            Column("setting"),
            Column("vote by reward", True),
            Column("tokens", True, "of all thoughts of a problem, discarded steps included, shared ones once"),
            Column("to majority", True, "paired difference to the vote of as many samples as these tokens buy"),
            Column("against"),
        ],
    )
    for i in sorted(range(len(cells)), key=recipe_order(measured)):
        cell, figures = cells[i], measured.figures[i]
        if (cell.study, cell.task) == (study, task) and "weighted_maj" in figures:
            gap = figures.get("difference_to_majority")
            table.add(
                row_name(cell, cells),
                setting_name(cell),
                percent(table, figures["weighted_maj"]),
                number(float(np.nanmean(tokens_per_problem(cell))), 0),
                percent(table, gap, signed=True),
                gap.reference if gap else MISSING,
            )
    return table


def compute_table(measured: Measured, study: str, task: str) -> Table:
    """Each method beside capped budgets at the same generated tokens. Empty where a recipe has one method alone."""
    cells = measured.cells.cells
    table = Table(
        f"compute_{study}_{task}",
        f"{task}: methods at equal tokens",
        [
            Column("recipe"),
            Column("method"),
            Column("setting"),
            Column("tokens", True, "generated per problem: thinking, answers, and what was thrown away"),
            Column("accuracy", True),
            Column("to budgets", True, "paired difference to capped thoughts of the same tokens"),
            Column("p", True, "exact test, Holm over the recipe's rows"),
        ],
        caption="Budgets are capped single thoughts, their accuracy read on the line between two budgets. "
        "Mean: over log tokens, where both methods were run.",
    )
    first = {(c.study, c.task, c.model, c.recipe): i for i, c in reversed(list(enumerate(cells)))}
    shown = [one for one in measured.compute if (one.study, one.task) == (study, task)]
    for one in sorted(shown, key=lambda c: recipe_order(measured)(first[c.study, c.task, c.model, c.recipe])):
        name = row_name(cells[first[one.study, one.task, one.model, one.recipe]], cells)
        for contest in one.contests:
            beyond = f"budgets end at {contest.beyond:,.0f} tokens" if contest.beyond > 0 else ""
            span = " to ".join(f"{tokens:,.0f}" for tokens in dict.fromkeys(contest.tokens))
            table.add(
                name,
                contest.method,
                "mean" if contest.is_area else contest.setting,
                Entry(span, contest.tokens[0], footnote=table.footnote(beyond)),
                percent(table, contest.accuracy),
                percent(table, contest.difference, signed=True),
                p_value(contest.p_holm),
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
    for i in [i for i in _at_headline(measured, study, task) if cells[i].letters]:
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


BUILDERS = (
    recipe_table,
    sweep_table,
    method_table,
    flips_table,
    sampled_table,
    selective_table,
    breakdown_table,
    search_table,
    compute_table,
    extrapolation_table,
    sequence_table,
    position_table,
)


def all_tables(measured: Measured, study: str, task: str) -> list[Table]:
    """The tables of one study on one task that have rows."""
    return [table for build in BUILDERS if (table := build(measured, study, task)).rows]


def questions(measured: Measured, study: str, tasks: Sequence[str]) -> list[Table]:
    """The tables of one study, one per question over all of its tasks."""
    found = []
    for build in BUILDERS:
        of_task = {task: table for task in tasks if (table := build(measured, study, task)).rows}
        if of_task:
            (task, first), *_ = of_task.items()
            title = first.title.removeprefix(f"{task}: ")
            name = first.id.removesuffix(f"_{study}_{task}")
            found.append(together(of_task, f"{name}_{study}", title[:1].upper() + title[1:]))
    return found


def studies(measured: Measured) -> list[tuple[str, list[str]]]:
    """(study, its tasks) in order."""
    pairs = sorted({(c.study, c.task) for c in measured.cells.cells})
    firsts = [pairs[0], *(b for a, b in pairwise(pairs) if a[0] != b[0])] if pairs else []
    return [(study, [t for s, t in pairs if s == study]) for study, _ in firsts]
